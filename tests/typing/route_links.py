"""Types of links and their data, for mypy and pyright."""

from __future__ import annotations

from typing import assert_type

from netlink import route
from netlink.route import BridgeVlanFlags, Link, LinkProperties, VlanEntry
from netlink.route.link import KINDS, AfSpec, Bond, BondMode, BridgePort, BridgeSpec, Veth, Vlan, VlanFlagsMask
from netlink.schema import AttributeSet


def links() -> None:
    made = Link(name="v0", kind="veth", data=Veth(peer=Link(name="v1", mtu=1400)))
    assert_type(made.mtu, int | None)
    assert_type(made.alt_names, tuple[str, ...] | None)
    assert_type(made.af_spec, AfSpec | BridgeSpec | bytes | None)
    if isinstance(made.data, Vlan):
        assert_type(made.data.id, int | None)
        assert_type(made.data.flags, VlanFlagsMask | None)
    if isinstance(made.port_data, BridgePort):
        assert_type(made.port_data.cost, int | None)
    assert_type(Bond(mode=BondMode.LACP).mode, BondMode | None)
    assert_type(VlanEntry(vid=3).flags, BridgeVlanFlags | None)
    assert_type(KINDS["vlan"], type[AttributeSet])
    Vlan(idd=5)  # type: ignore[call-arg] # pyright: ignore
    Bond(mode="802.3ad")  # type: ignore[arg-type] # pyright: ignore


def verbs() -> None:
    with route.dial() as rt:
        assert_type(rt.create(Link(name="d0", kind="dummy")), Link)
        assert_type(rt.create(LinkProperties(index=3, alt_names=["other"])), LinkProperties)
        assert_type(rt.delete(LinkProperties(index=3, alt_names=["other"])), None)
