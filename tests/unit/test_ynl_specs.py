"""The kernel's own specs, those of this machine: each loads whole, and decodes what another encoder makes of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netlink import ynl
from netlink._engine.record import FORM_PLAIN, NL_K_BINARY
from netlink.schema import Field, Record, Struct
from probe import c_layout, c_names, c_structs, c_values, headers_version
from ynl_messages import Messages

SPECS = ynl.available()
TIMES = 25  # messages of each set

if not SPECS:
    pytest.skip("there are no specs: install linux-doc-6.12, or set YNL_SPECS", allow_module_level=True)


@pytest.fixture(params=SPECS, scope="module")
def family(request: pytest.FixtureRequest) -> Any:
    pytest.importorskip("yaml")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a SpecWarning is a part that stays bytes
        loaded = ynl.load(SPECS[request.param])
        for operation in loaded.operations.values():
            assert operation.record is None or issubclass(operation.record, Record)
        for made in (*loaded.types.values(), *loaded.enums.values()):
            assert isinstance(made, type)
    return loaded


def fields(family: Any) -> Iterator[tuple[str, str, Field[Any]]]:
    """Sets, attributes and fields of all sets."""
    for name in family.spec.sets:
        declared = family.types[name]
        names = family.declarations.names[declared]
        for field in declared.__fields__.values():
            if field.name in names:
                yield name, names[field.name], field


def test_nothing_that_a_spec_describes_stays_bytes(family: Any) -> None:
    raw = Messages(family.spec.content)
    for of, name, field in fields(family):
        one = field.item or field
        keys = next(keys for _, keys in raw.attributes(of) if keys["name"] == name)
        described = keys["type"] != "binary" or {"struct", "sub-type"} & keys.keys()
        if "mac" in keys.get("display-hint", "") or "ip" in keys.get("display-hint", ""):
            described = True
        if keys["type"] == "indexed-array":
            described = keys["sub-type"] != "binary" or "display-hint" in keys
        assert not described or (one.kind, one.form) != (NL_K_BINARY, FORM_PLAIN), f"{of}.{name}"


def test_every_attribute_has_its_number(family: Any) -> None:
    raw = Messages(family.spec.content)
    for of in family.spec.sets:
        declared = family.types[of]
        wanted = {number for number, keys in raw.attributes(of) if keys["type"] not in ("pad", "unused")}
        assert wanted == {field.types[0][0][0] for field in declared.__fields__.values() if field.types}


def test_messages_say_what_another_encoder_put_in(family: Any) -> None:
    messages = Messages(family.spec.content, seed=12)
    tops = {(op.set, op.header) for op in family.spec.operations.values()} | {(of, None) for of in family.spec.sets}
    for of, header in sorted(tops, key=str):
        declared = family.declarations.message(of, header)
        for _ in range(TIMES if declared is not None else 0):
            payload, said = messages.message(of, header)
            record = declared.decode(payload)
            assert family.to_dict(record) == said
            # And the same mapping is a request.
            again = family.values.record(declared, said)
            assert family.to_dict(declared.decode(again.encode())) == said


def test_source_of_every_family_declares_it(family: Any) -> None:
    from netlink.ynl.declare import source

    text = source(family)
    found: dict[str, Any] = {"__name__": "declared"}
    exec(compile(text, f"{family.spec.name}.py", "exec", dont_inherit=True), found)
    for name, made in found.items():
        if isinstance(made, type) and issubclass(made, Record) and made.__module__ == "declared":
            twin = next(each for each in family.declarations.recipes if each.__name__ == name)
            assert made.__size__ == twin.__size__
            assert [*made.__fields__] == [*twin.__fields__]
            if not issubclass(made, Struct):
                assert [f.types for f in made.__fields__.values()] == [f.types for f in twin.__fields__.values()]


HEADERS = {
    "conntrack": [
        "linux/netfilter/nf_conntrack_common.h",
        "linux/netfilter/nf_conntrack_sctp.h",
        "linux/netfilter/nf_conntrack_tcp.h",
        "linux/netfilter/nfnetlink.h",
        "linux/netfilter/nfnetlink_conntrack.h",
    ],
    "devlink": ["linux/devlink.h"],
    "dpll": ["linux/dpll.h"],
    "ethtool": ["linux/ethtool.h", "linux/ethtool_netlink.h"],
    "fou": ["linux/fou.h"],
    "handshake": ["linux/handshake.h"],
    "mptcp_pm": ["linux/mptcp.h", "linux/mptcp_pm.h"],
    "net-shaper": ["linux/net_shaper.h"],
    "netdev": ["linux/netdev.h"],
    "nfsd": ["linux/nfsd_netlink.h"],
    "nftables": [
        "linux/netfilter.h",
        "linux/netfilter/nf_conntrack_tuple_common.h",
        "linux/netfilter/nf_nat.h",
        "linux/netfilter/nf_tables.h",
        "linux/netfilter/nf_tables_compat.h",
        "linux/netfilter/nfnetlink.h",
        "linux/netlink.h",
    ],
    "nl80211": ["linux/nl80211.h"],
    "nlctrl": ["linux/genetlink.h", "linux/netlink.h"],
    "ovpn": ["linux/ovpn.h"],
    "ovs_datapath": ["linux/openvswitch.h"],
    "ovs_flow": ["linux/openvswitch.h"],
    "ovs_vport": ["linux/openvswitch.h"],
    "psp": ["linux/psp.h"],
    "rt-addr": ["linux/rtnetlink.h"],
    "rt-link": [
        "sys/socket.h",
        "linux/dpll.h",
        "linux/if.h",
        "linux/if_bridge.h",
        "linux/if_ether.h",
        "linux/if_link.h",
        "linux/if_tunnel.h",
        "linux/if_vlan.h",
        "linux/rtnetlink.h",
    ],
    "rt-neigh": ["linux/neighbour.h", "linux/rtnetlink.h"],
    "rt-route": ["linux/rtnetlink.h"],
    "rt-rule": ["linux/fib_rules.h", "linux/rtnetlink.h"],
    "tc": [
        "linux/gen_stats.h",
        "linux/pkt_cls.h",
        "linux/pkt_sched.h",
        "linux/rtnetlink.h",
        *sorted(f"linux/tc_act/{path.name}" for path in Path("/usr/include/linux/tc_act").glob("*.h")),
    ],
    "tcp_metrics": ["linux/tcp_metrics.h"],
    "team": ["linux/if_team.h"],
    "wireguard": ["linux/wireguard.h"],
}
# Places in arrays that begin with 0, for names that begin with 1; and a number of 32 bits that C has as negative.
OTHERWISE = re.compile(r"IPV4_DEVCONF_\w+|RXH_DISCARD")
NEGATIVE = re.compile(r"NFT_(CONTINUE|BREAK|JUMP|GOTO|RETURN)")
# Numbers of these have the number of nfnetlink's subsystem in their second byte.
OF_SUBSYSTEMS = ("conntrack", "nftables")
# Structs that a spec has with padding, or with an item of the array behind them.
OTHER_SIZES = ("rtgenmsg", "tc_pedit_sel", "tc_u32_pcnt", "tc_u32_sel")
FLEXIBLE = ("keys", "kcnts")


def headers_of(family: Any) -> list[str]:
    found = [name for name in HEADERS.get(family.spec.name, ()) if Path("/usr/include", name).exists()]
    if "sys/socket.h" in HEADERS.get(family.spec.name, ()) and "sys/socket.h" not in found:
        found.insert(0, "sys/socket.h")  # in a folder of the architecture
    if not found:
        pytest.skip(f"there are no headers of {family.spec.name}")
    return found


def is_in_headers(family: Any) -> bool:
    """Whether the headers are as new as the spec."""
    version = re.search(r"linux-doc-(\d+)\.(\d+)", family.spec.file)
    return version is not None and (int(version[1]), int(version[2])) <= headers_version()


def test_numbers_are_those_of_the_kernels_headers(family: Any) -> None:
    """And every name is one of theirs."""
    from netlink.ynl.declare import source

    headers = headers_of(family)
    bits = {made.__name__ for made in family.declarations.entries if made.__name__.endswith("Flags")}
    lines: list[tuple[str, int, str]] = []
    declared = ""
    for line in source(family).splitlines():
        declared = match[1] if (match := re.match(r"class (\w+)", line)) else declared
        match = re.match(r"    \w+(?:: .*)? = (?:[\w.]+\()?(\w+)\b.*  # (\w+)$", line)
        if match is not None and match[1][0].isdigit():
            lines.append((match[2], int(match[1], 0), declared))
    names = {name for name, _, _ in lines}
    known = c_names(headers, "|".join(sorted(names))) if names else set()
    assert known == names or not is_in_headers(family), sorted(names - known)
    found = c_values(headers, sorted(known))
    for name, number, cls in lines:
        if name not in known or OTHERWISE.fullmatch(name):
            continue
        value = found[name] % (1 << 32) if NEGATIVE.fullmatch(name) else found[name]
        if cls == "Event":
            number, value = number % 256, value % 256
        elif cls == "Command" and family.spec.name in OF_SUBSYSTEMS:
            number %= 256
        assert number == value or (cls in bits and 0 <= value < 64 and number == 1 << value), (cls, name)


def filled(made: Any, field: Any) -> bytes | None:
    """A struct with all bits of one field; None for a struct in it."""
    bits = 8 * field.size
    for value in (bits and (1 << bits) - 1, -1, b"\xff" * field.size, "255.255.255.255", ":".join(["ff"] * 6)):
        try:
            return bytes(made(**{field.name: value}).encode())
        except (TypeError, ValueError, OverflowError):
            continue
    return None


def test_structs_lie_as_in_the_kernels_headers(family: Any) -> None:
    from netlink.ynl.declare import source

    headers = headers_of(family)
    found: dict[str, tuple[Any, dict[str, str]]] = {}  # of structs: the class, and its fields by member
    members: dict[str, str] = {}
    for line in source(family).splitlines():
        if match := re.match(r"class (\w+)\(Struct\b.*:  # (struct \w+)$", line):
            made = next(each for each in family.declarations.recipes if each.__name__ == match[1])
            members = {}
            found[match[2]] = made, members
        elif line.startswith("class"):
            members = {}
        elif match := re.match(r"    (\w+): .*  # ([\w.]+)$", line):
            members[match[2]] = match[1]
    known = c_structs(headers)
    assert found.keys() <= known or not is_in_headers(family), sorted(found.keys() - known)
    found = {name: each for name, each in found.items() if name in known}
    wanted = {name: [f"{m}[]" if m in FLEXIBLE else m for m in of] for name, (_, of) in found.items()}
    for name, layout in c_layout(headers, wanted).items():
        made, of = found[name]
        assert len(made().encode()) == layout.size or name.removeprefix("struct ") in OTHER_SIZES, name
        for member, place in layout.fields.items():
            encoded = None if member in FLEXIBLE else filled(made, made.__fields__[of[member]])
            if encoded is not None:
                body = encoded[place.offset : place.offset + place.size]
                assert (len(body), set(body), encoded.count(b"\xff")) == (place.size, {255}, place.size), (name, member)


def test_every_operation_has_help(family: Any) -> None:
    for name, operation in family.operations.items():
        assert (operation.__doc__ or "").startswith(name)
    assert family.spec.name in (family.__doc__ or "")


def test_what_ethtool_sends_several_times_is_all_there() -> None:
    pytest.importorskip("yaml")
    if "ethtool" not in SPECS:
        pytest.skip("there is no spec of ethtool")
    family = ynl.load(SPECS["ethtool"])
    several = {
        "cable-nest": {"result": [{"pair": 0}, {"pair": 1}], "fault-length": [{"cm": 5}, {"cm": 7}]},
        "tunnel-udp": {"table": [{"size": 4}, {"size": 1}]},
        "stats": {"grp": [{"id": 0}, {"id": 1}]},
        "stats-grp": {"stat": ["01", "02"], "hist-rx": [{"hist-val": 1}, {"hist-val": 2}]},
    }
    for of, content in several.items():
        if of not in family.spec.sets:
            continue
        declared = family.types[of]
        record = family.values.record(declared, content)
        assert family.to_dict(declared.decode(record.encode())) == content
