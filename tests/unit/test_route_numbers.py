"""Numbers and structs of netlink.route against the headers."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from netlink.schema import AttributeSet, Record, Struct
from probe import c_layout, c_names, c_structs, c_values

HEADERS = [
    "linux/if.h", "linux/if_addr.h", "linux/if_link.h", "linux/if_tunnel.h", "linux/if_bridge.h", "linux/if_arp.h",
    "linux/veth.h", "linux/can/netlink.h", "linux/can/vxcan.h", "linux/amt.h", "linux/batman_adv.h", "linux/wwan.h",
    "linux/if_tun.h", "linux/rtnetlink.h", "linux/if_vlan.h", "linux/if_bonding.h", "linux/ip6_tunnel.h",
    "linux/fib_rules.h", "linux/neighbour.h", "linux/nexthop.h", "linux/net_namespace.h", "linux/lwtunnel.h",
    "linux/mpls_iptunnel.h", "linux/seg6_iptunnel.h", "linux/seg6_local.h", "linux/rpl_iptunnel.h",
    "linux/ioam6_iptunnel.h", "linux/ila.h", "linux/icmpv6.h",
]  # fmt: skip
# What each module has at least, so that a comment of another form is seen.
MODULES = {
    "addr": 24, "command": 70, "encap": 90, "neigh": 65, "nexthop": 30, "nsid": 5, "route": 90, "rule": 35, "scope": 5,
    "stats": 5, "vlan": 45, "link.af": 15, "link.bond": 60, "link.bridge": 110, "link.can": 40, "link.header": 100,
    "link.overlays": 75, "link.pairs": 10, "link.records": 60, "link.stacked": 100, "link.tunnels": 65, "link.vf": 50,
}  # fmt: skip
# linux/nexthop.h has it of no header of its own.
PRELUDE = "#define BIT(n) (1U << (n))"
# Numbers of network byte order in C, and bits whose macros are the numbers of bits.
OTHERWISE = re.compile(r"GRE_[A-Z]+|BR_BOOLOPT_\w+")


def module_of(name: str) -> ModuleType:
    return importlib.import_module(f"netlink.route.{name}")


def declared(module: ModuleType) -> Iterator[tuple[str, int]]:
    """The names beside fields and members of enums, and their numbers."""
    assert module.__file__ is not None
    scope: Any = None
    for line in Path(module.__file__).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"class (\w+)", line):
            scope = getattr(module, match[1])
        if match := re.match(r"    (\w+)(?:: .*)? = .*?  # ((?:[A-Z][A-Z0-9_]+(?:, |$))+)", line):
            names = match[2].removesuffix(", ").split(", ")
            if issubclass(scope, AttributeSet):
                field = scope.__fields__.get(match[1])
                if field is not None and field.types:
                    (first, _), *others = field.types
                    yield from zip(names, [*first, *(path[-1] for path, _ in others)], strict=False)
            elif match[1] in getattr(scope, "__members__", ()):
                yield names[0], int(scope[match[1]])


@pytest.mark.parametrize("name", MODULES)
def test_numbers_are_those_of_the_headers(name: str) -> None:
    wanted = {macro: number for macro, number in declared(module_of(name)) if not OTHERWISE.fullmatch(macro)}
    assert len(wanted) >= MODULES[name]
    known = sorted(c_names(HEADERS, r"[A-Z][A-Za-z0-9_]+", PRELUDE) & wanted.keys())
    assert known
    found = {macro: value & 0xFFFFFFFF for macro, value in c_values(HEADERS, known, PRELUDE).items()}
    assert found == {macro: wanted[macro] & 0xFFFFFFFF for macro in known}


def size_of(cls: type[Struct]) -> int:
    """The bytes of a struct, without what its own constructor asks for."""
    record = cls.__new__(cls)
    Record.__init__(record)
    return len(record.encode())


def test_structs_have_the_size_of_those_of_the_headers() -> None:
    sizes: dict[str, int] = {}
    for name in MODULES:
        for cls in vars(module_of(name)).values():
            if isinstance(cls, type) and issubclass(cls, Struct) and cls.__module__ == f"netlink.route.{name}":
                match = re.match(r"struct (\w+)", cls.__doc__ or "")
                if match:
                    sizes[f"struct {match[1]}"] = size_of(cls)
    del sizes["struct rtvia"]  # in C without the address that it ends with
    there = sorted(c_structs(HEADERS) & sizes.keys())
    assert len(there) > 30
    layouts = c_layout(HEADERS, {name: [] for name in there})
    assert {name: layouts[name].size for name in there} == {name: sizes[name] for name in there}
