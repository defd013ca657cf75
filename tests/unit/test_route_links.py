"""Links without a kernel: their numbers, and the data of each kind."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netlink.route import link as package
from netlink.route.link import KINDS, Bridge, BridgePort, BridgeSpec, Inet6, Link, Veth, Vlan
from netlink.schema import AttributeSet
from probe import c_names, c_values

HEADERS = [
    "linux/if.h", "linux/if_link.h", "linux/if_tunnel.h", "linux/if_bridge.h", "linux/if_arp.h", "linux/veth.h",
    "linux/can/netlink.h", "linux/can/vxcan.h", "linux/amt.h", "linux/batman_adv.h", "linux/wwan.h", "linux/if_tun.h",
    "linux/rtnetlink.h", "linux/if_vlan.h", "linux/if_bonding.h", "linux/ip6_tunnel.h",
]  # fmt: skip
MODULES = ["af", "bond", "bridge", "can", "header", "overlays", "records", "stacked", "stats", "tunnels", "vf"]
# Numbers of network byte order in C, and bits whose macros are the numbers of bits.
OTHERWISE = re.compile(r"GRE_[A-Z]+|BR_BOOLOPT_\w+")


def declared() -> Iterator[tuple[str, int]]:
    """The names beside fields and members of enums, and their numbers."""
    for name in MODULES:
        module = importlib.import_module(f"{package.__name__}.{name}")
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


def test_numbers_are_those_of_the_headers() -> None:
    wanted = {name: number for name, number in declared() if not OTHERWISE.fullmatch(name)}
    known = sorted(c_names(HEADERS, r"[A-Z][A-Za-z0-9_]+") & wanted.keys())
    assert len(known) > 400
    assert c_values(HEADERS, known) == {name: wanted[name] for name in known}


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_chooses_the_data(kind: str) -> None:
    link = Link.decode(Link(name="one", kind=kind, data=KINDS[kind]()).encode())
    assert link.data == KINDS[kind]()
    assert type(link.data) is KINDS[kind]


def test_a_peer_is_a_link_with_its_header() -> None:
    link = Link.decode(Link(name="one", kind="veth", data=Veth(peer=Link(name="two", index=7, mtu=1400))).encode())
    assert isinstance(link.data, Veth)
    assert isinstance(link.data.peer, Link)
    assert (link.data.peer.name, link.data.peer.index, link.data.peer.mtu) == ("two", 7, 1400)


def test_data_of_an_unknown_kind_is_bytes() -> None:
    assert Link.decode(Link(kind="other", data=b"\x04\0\1\0").encode()).data == b"\x04\0\1\0"


def test_the_family_chooses_what_is_kept_for_a_port() -> None:
    link = Link.decode(Link(family=7, af_spec=BridgeSpec(mode=1), protinfo=BridgePort(cost=5)).encode())
    assert (link.af_spec, link.protinfo) == (BridgeSpec(mode=1), BridgePort(cost=5))
    assert Link.decode(Link(family=10, protinfo=Inet6(ra_mtu=1280)).encode()).protinfo == Inet6(ra_mtu=1280)


def test_a_value_of_another_width_is_kept() -> None:
    data = Bridge.decode(b"\x05\0\x07\0\1\0\0\0\x08\0\1\0\1\0\0\0")
    assert data == Bridge(vlan_filtering=1, forward_delay=1)
    assert Vlan.decode(b"\x05\0\1\0\1\0\0\0").unknown == ((1, b"\1"),)
