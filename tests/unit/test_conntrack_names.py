"""The declarations of conntrack against the installed header: every attribute, and each by its number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from netlink.netfilter.conntrack import filter as filters
from netlink.netfilter.conntrack import records
from netlink.schema import AttributeSet
from probe import c_names, c_values

HEADERS = ["linux/netfilter/nfnetlink_conntrack.h", "linux/netfilter/nf_conntrack_common.h"]
MODULES = [records, filters]

# Not attributes, or of no kernel that sends or reads them.
UNUSED = re.compile(
    r"CTA_(\w+_)?(UNSPEC|MAX|PAD)"
    r"|CTA_SECMARK"  # obsolete
    r"|CTA_COUNTERS32_(PACKETS|BYTES)"  # "old 32bit counters, unused"
)
# Other names for the same number.
ALIASES = {"CTA_NAT", "CTA_NAT_MINIP", "CTA_NAT_MAXIP", "CTA_NAT_SEQ_ADJ_ORIG", "CTA_NAT_SEQ_ADJ_REPLY"}
ALIASES_OF_SEQADJ = re.compile(r"CTA_NAT_SEQ_(UNSPEC|CORRECTION_POS|OFFSET_BEFORE|OFFSET_AFTER|MAX)")
# What a path of numbers goes through on its way to a field.
CONTAINERS = {
    "CTA_HELP": 5,
    "CTA_SECCTX": 19,
    "CTA_TUPLE_IP": 1,
    "CTA_TUPLE_PROTO": 2,
    "CTA_NAT_PROTO": 3,
}
# Not in every header.
NEWER = {"CTA_TIMESTAMP_EVENT", "CTA_FILTER", "CTA_STATUS_MASK", "CTA_STATS_CHAIN_TOOLONG"}


def declared() -> dict[str, int]:
    """The UAPI names beside the fields, and the numbers that the fields have."""
    found: dict[str, int] = {}
    for module in MODULES:
        assert module.__file__ is not None
        scope: Any = None
        for line in Path(module.__file__).read_text(encoding="utf-8").splitlines():
            if match := re.match(r"class (\w+)\(AttributeSet", line):
                scope = getattr(module, match[1])
                assert issubclass(scope, AttributeSet)
            elif line and not line[0].isspace():
                scope = None
            if scope is None or not (match := re.match(r"    (\w+): .* = .*  # (CTA_\w+(?:, CTA_\w+)*)", line)):
                continue
            types = [path[-1] for path, _ in scope.__fields__[match[1]].types]
            names = match[2].split(", ")
            assert len(names) == len(types), line
            for name, number in zip(names, types, strict=True):
                assert found.setdefault(name, number) == number, name
    return found


def test_every_field_names_its_attribute() -> None:
    for module in MODULES:
        assert module.__file__ is not None
        named = set(re.findall(r"^    (\w+): .* = .*  # CTA_", Path(module.__file__).read_text(encoding="utf-8"), re.M))
        for cls in vars(module).values():
            if isinstance(cls, type) and issubclass(cls, AttributeSet) and cls.__module__ == module.__name__:
                assert {name for name, field in cls.__fields__.items() if field.types} <= named, cls


def test_numbers() -> None:
    known = c_names(HEADERS, r"CTA_\w+")
    wanted = declared() | CONTAINERS
    assert wanted.keys() - known <= NEWER
    names = sorted(wanted.keys() & known)
    assert c_values(HEADERS, names) == {name: wanted[name] for name in names}


def test_none_is_missing() -> None:
    known = c_names(HEADERS, r"CTA_\w+")
    missing = {
        name
        for name in known - declared().keys() - CONTAINERS.keys() - ALIASES
        if not UNUSED.fullmatch(name) and not ALIASES_OF_SEQADJ.fullmatch(name)
    }
    assert missing == set()


@pytest.mark.parametrize(
    ("cls", "prefix"), [(records.Status, "IPS_"), (records.ExpectFlags, "NF_CT_EXPECT_")], ids=["Status", "ExpectFlags"]
)
def test_flags(cls: Any, prefix: str) -> None:
    known = c_names(HEADERS, prefix + r"\w+")
    names = {member.name: prefix + member.name for member in cls}
    found = c_values(HEADERS, sorted(set(names.values()) & known))
    assert len(found) >= 3
    assert {names[member.name]: int(member) for member in cls if names[member.name] in found} == found
    left = {name for name in known - set(names.values()) if not re.search(r"_BIT$|_MASK$|MAX|UNCHANGEABLE", name)}
    assert left <= {"IPS_NAT_CLASH"}  # the older name of UNTRACKED
