"""Links without a kernel: the data of each kind."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from netlink import EncodeError
from netlink.route.link import (
    KINDS,
    PORT_KINDS,
    VF,
    AfSpec,
    BondMode,
    Bridge,
    BridgePort,
    BridgeSpec,
    GreFlags,
    Inet6,
    Link,
    LinkProperties,
    Veth,
    VFRate,
    Vlan,
    VlanFlagsMask,
    VlanQos,
    Xdp,
    check,
    records,
)


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


# Requests that are refused here: fields of a link, or the kind and fields of its data, and what the error names.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"kind": None}, "needs kind"),
    ({"name": "sixteen-bytes-xx"}, "at most 15 bytes"),
    ({"name": ""}, "one at least"),
    ({"name": ".."}, "is not '.'"),
    ({"name": "a b"}, "no space"),
    ({"name": "a/b"}, "slash"),
    ({"name": "a:b"}, "colon"),
    ({"family": 7}, "BridgeVlan"),
    ({"alt_names": ["other"]}, "LinkProperties"),
    ({"alias": "x"}, "alias of a new link: update"),
    ({"family": 0, "af_spec": AfSpec(inet6=Inet6(addr_gen_mode=1))}, "af_spec of a new link: update"),
    ({"net_ns_fd": 3, "net_ns_pid": 4}, "net_ns_fd and net_ns_pid"),
    ({"net_ns_fd": 3, "target_netnsid": 4}, "net_ns_fd and target_netnsid"),
    ({"kind": "vlan", "data": Vlan(id=5)}, "'vlan' needs link"),
    ({"kind": "vlan", "link": 2}, "needs data with id"),
    ({"kind": "macvlan"}, "'macvlan' needs link"),
    ({"kind": "ipvtap"}, "'ipvtap' needs link"),
    ({"kind": "macsec"}, "'macsec' needs link"),
    ({"kind": "vrf"}, "needs data with table"),
    ({"kind": "hsr", "slave1": 2}, "needs data with slave2"),
    ({"kind": "vxlan", "port": 4789}, "needs data with id"),
    ({"kind": "vlan", "link": 2, "id": 4095}, "id of vlan is from 0 to 4094, not 4095"),
    ({"kind": "vlan", "link": 2, "id": 5, "egress_qos": [VlanQos(source=1, target=8)]}, "egress_qos .* of 8"),
    ({"kind": "vlan", "link": 2, "id": 5, "ingress_qos": [VlanQos(source=9, target=1)]}, "ingress_qos .* of 9"),
    ({"kind": "vxlan", "id": 1 << 24}, "id of vxlan is from 0 to 16777215"),
    ({"kind": "vxlan", "id": 1, "label": 1 << 20}, "label of vxlan is from 0 to 1048575"),
    ({"kind": "vxlan", "id": 1, "group": "192.0.2.1", "local": "2001:db8::1"}, "different address families"),
    ({"kind": "geneve", "id": 1 << 24}, "id of geneve is from 0"),
    ({"kind": "vrf", "table": 0}, "table of vrf is from 1"),
    ({"kind": "xfrm", "if_id": 0}, "if_id of xfrm is from 1"),
    ({"kind": "bond", "mode": 7}, "mode of bond is from 0 to 6, not 7"),
    ({"kind": "bond", "miimon": 100, "arp_interval": 100}, "miimon or by arp_interval"),
    ({"kind": "bond", "mode": BondMode.LACP, "arp_interval": 100}, "the mode LACP"),
    ({"kind": "bond", "updelay": 100}, "updelay of a bond needs miimon"),
    ({"kind": "geneve", "id": 5, "ttl": 7, "ttl_inherit": 0}, "ttl has no effect"),
    ({"kind": "vlan", "link": 2, "id": 5, "flags": VlanFlagsMask(flags=1, mask=0xFFFFFFFF)}, "mask of flags"),
    ({"kind": "bond", "arp_ip_target": ["192.0.2.1"] * 17}, "at most 16 addresses in arp_ip_target"),
    ({"kind": "bridge", "group_fwd_mask": 4}, "LACP"),
    ({"kind": "bridge", "hello_time": 99}, "from 100 to 1000, not 99"),
    ({"kind": "bridge", "vlan_default_pvid": 4095}, "from 0 to 4094"),
    ({"kind": "ipvlan", "link": 2, "mode": 3}, "mode of ipvlan is from 0 to 2"),
    ({"kind": "ipvlan", "link": 2, "flags": 3}, "PRIVATE and VEPA"),
    ({"kind": "macvlan", "link": 2, "mode": 3}, "one of MacvlanMode, not 3"),
    ({"kind": "macvlan", "link": 2, "macaddr": "02:00:00:00:00:01"}, "no effect without macaddr_mode"),
    ({"kind": "macvlan", "link": 2, "macaddr_count": 1}, "only in replies"),
    ({"kind": "macsec", "link": 2, "es": 1, "scb": 1}, "not several"),
    ({"kind": "macsec", "link": 2, "replay_protect": 1}, "needs window"),
    ({"kind": "macsec", "link": 2, "encoding_sa": 4}, "from 0 to 3"),
    ({"kind": "hsr", "slave1": 2, "slave2": 2}, "the same link, 2"),
    ({"kind": "gre", "local": "2001:db8::1"}, "local of gre is an address of IPv4"),
    ({"kind": "ip6tnl", "remote": "192.0.2.1"}, "remote of ip6tnl is an address of IPv6"),
    ({"kind": "erspan", "remote": "0.0.0.0"}, "None for any"),
    ({"kind": "gre", "okey": 7, "oflags": GreFlags.CSUM}, "okey has no effect without"),
    ({"kind": "veth", "data": Veth(peer=Link(name="a/b"))}, "peer: .*slash"),
]


def made_of(values: dict[str, Any]) -> Link:
    """A link of these fields; those that it does not have are of its data."""
    data = {name: value for name, value in values.items() if not hasattr(Link, name) or name in {"group", "flags"}}
    own = {name: value for name, value in values.items() if name not in data}
    kind = own.setdefault("kind", "dummy")
    if data or (kind in KINDS and "data" not in own and kind != "vlan"):
        own["data"] = KINDS[kind](**data)
    return Link(**{"name": "new", **own})


@pytest.mark.parametrize(("values", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_the_kernel_would_refuse_or_ignore_is_refused_with_a_reason(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check.check_link("create", made_of(values))


def test_a_change_needs_no_more_than_what_it_changes() -> None:
    for values in ({"kind": "vlan", "flags": None}, {"kind": "macvlan", "mode": 4}, {"kind": None, "mtu": 1400}):
        link = made_of({name: value for name, value in values.items() if value is not None or name == "kind"})
        assert check.check_link("update", link) == link
    with pytest.raises(ValueError, match="needs its index or name"):
        check.check_link("update", Link(mtu=1400))
    for wrong, reason in (
        (Link(index=3, alias="x" * 256), "at most 255 bytes, not 256"),
        (Link(index=3, vfs=[VF(rate=VFRate(vf=0, min_tx_rate=9, max_tx_rate=8))]), "9 is more than max_tx_rate 8"),
        (Link(index=3, xdp=Xdp(flags=2)), "xdp needs fd"),
    ):
        with pytest.raises(ValueError, match=reason):
            check.check_link("update", wrong)


def test_tunnels_whose_packets_bring_their_addresses_need_no_number() -> None:
    link = made_of({"kind": "vxlan", "collect_metadata": 1})
    assert check.check_link("create", link) == link


def test_data_of_another_kind_is_refused() -> None:
    with pytest.raises(EncodeError, match="'kind' does not choose Vlan"):
        Link(name="new", kind="vxlan", data=Vlan(id=5)).encode()


def test_a_port_of_a_bridge_is_not_taken_for_the_link() -> None:
    with pytest.raises(ValueError, match="port of a bridge"):
        check.check_link("delete", Link(family=7, index=3))


def test_properties_need_a_link_and_names() -> None:
    names = LinkProperties(index=3, alt_names=["a" * 127])
    assert check.check_properties("create", names) == names
    for wrong, reason in (
        (LinkProperties(alt_names=["a"]), "index or name"),
        (LinkProperties(index=3), "alt_names is empty"),
        (LinkProperties(index=3, alt_names=["a" * 128]), "at most 127 bytes"),
    ):
        with pytest.raises(ValueError, match=reason):
            check.check_properties("create", wrong)


def test_the_rules_are_about_fields_that_there_are() -> None:
    tables = [(kind, name) for kind, names in check._NEEDED.items() for name in names]
    tables += [(kind, name) for kind, names in check._RANGES.items() for name in names]
    tables += [(kind, name) for kind in check._ADDRESSES for name in ("local", "remote")]
    assert all(name in KINDS[kind].__fields__ for kind, name in tables)
    assert {*check._OVER, *check._RULES} <= KINDS.keys()


def test_kinds_of_links_and_traffic_control_are_imported_when_they_are_used() -> None:
    code = """
import sys
from netlink import route
rare = {"netlink.route.link.kinds", "netlink.route.tc"}
assert not rare & sys.modules.keys(), rare & sys.modules.keys()
assert route.Link.decode(route.Link(kind="vlan").encode()).kind == "vlan"
assert "netlink.route.link.kinds" in sys.modules
assert route.tc.Qdisc and hasattr(route.Conn, "create_qdisc")
assert {"Vlan", "KINDS"} <= {*dir(route.link)} and "tc" in dir(route)
for module in (route, route.link):
    try:
        module.nothing
    except AttributeError as error:
        assert "has no attribute 'nothing'" in str(error)
    else:
        raise AssertionError(module)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_links_know_the_kinds_that_have_data() -> None:
    assert (*records._DATA,) == (*KINDS,)
    assert (*records._PORT_DATA,) == (*PORT_KINDS,)
