"""netlink.netfilter.nfqueue without a kernel: its numbers and structs are those of the installed headers."""

from __future__ import annotations

import inspect
import re
from enum import IntEnum
from pathlib import Path

import pytest

from netlink.netfilter import _packet
from netlink.netfilter.nfqueue import (
    ConfigCmd,
    ConfigCommand,
    ConfigFlags,
    ConfigParams,
    CopyMode,
    CtInfo,
    HwAddr,
    PacketHdr,
    SkbInfo,
    Timestamp,
    Verdict,
    VerdictHdr,
    records,
)
from netlink.schema import Struct
from probe import c_layout, c_names, c_values

HEADERS = ["linux/netfilter.h", "linux/netfilter/nf_conntrack_common.h", "linux/netfilter/nfnetlink_queue.h"]
SOURCES = [Path(records.__file__), Path(_packet.__file__)]
# Those that headers before Linux 5.18 lack.
LATER = {"NFQA_PRIORITY", "NFQA_CGROUP_CLASSID"}


def test_the_attributes_are_those_of_the_header() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    lines = re.findall(r"= \w+\((\d+)[^#\n]*# ([^\n]+)", text)
    declared = {name: int(number) for number, comment in lines for name in re.findall(r"\bNFQA_\w+", comment)}
    known = {
        name for name in c_names(HEADERS, r"NFQA_(?!CFG_F_|SKB_(?!INFO))\w+") if not re.search("_(UNSPEC|MAX)$", name)
    }
    assert known <= declared.keys() <= known | LATER
    assert c_values(HEADERS, sorted(known)) == {name: declared[name] for name in known}


@pytest.mark.parametrize(
    "enum", [Verdict, ConfigCommand, CopyMode, ConfigFlags, SkbInfo, CtInfo], ids=lambda e: e.__name__
)
def test_the_members_are_those_of_the_header(enum: type[IntEnum]) -> None:
    names = dict(re.findall(r"(\w+) = \d+  # (\w+)", inspect.getsource(enum)))
    assert names.keys() == set(enum.__members__)
    seen = c_names(HEADERS, "|".join(names.values()))
    assert set(names.values()) - seen <= {"IP_CT_UNTRACKED"}  # the kernel's own
    values = c_values(HEADERS, sorted(seen))
    assert values == {of: int(enum[name]) for name, of in names.items() if of in seen}


@pytest.mark.parametrize(
    ("name", "struct"),
    [
        ("packet_hdr", PacketHdr()),
        ("packet_hw", HwAddr(address=bytes(8))),
        ("packet_timestamp", Timestamp()),
        ("verdict_hdr", VerdictHdr()),
        ("config_cmd", ConfigCmd()),
        ("config_params", ConfigParams()),
    ],
)
def test_the_structs_have_the_sizes_of_the_header(name: str, struct: Struct) -> None:
    name = f"struct nfqnl_msg_{name}"
    assert c_layout(HEADERS, {name: []})[name].size == len(struct.encode())


def test_addresses_and_times() -> None:
    assert HwAddr(length=6, address=bytes(range(8))).used == bytes(range(6))
    assert Timestamp(sec=2, usec=3).nanoseconds == 2_000_003_000
