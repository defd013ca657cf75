"""Links of all kinds: what ip(8) makes we read, and what we make ip(8) shows."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from kernel.tc import GUEST, unknown
from netlink import OpError, route
from netlink.route import Link, LinkProperties
from netlink.route.link import (
    KINDS,
    PORT_KINDS,
    Bond,
    BondMode,
    Hsr,
    LinkType,
    Macvlan,
    MacvlanSources,
    Veth,
    Vlan,
    VlanFlags,
)

# Kinds that this machine's own kernel is asked for.
ORDINARY = {"dummy", "veth", "bridge", "bridge multicast", "vlan", "vxlan", "macvlan"}
# How ip(8) makes a link v0 of each kind, over d0 and d1.
MADE = {
    "dummy": "v0 type dummy",
    "ifb": "v0 type ifb",
    "nlmon": "v0 type nlmon",
    "vcan": "v0 type vcan",
    "wireguard": "v0 type wireguard",
    "team": "v0 type team",
    "veth": "v0 mtu 1400 type veth peer name v1",
    "vxcan": "v0 type vxcan peer name v1",
    "netkit": "v0 type netkit mode l2 blackhole peer name v1",
    "bridge": "v0 type bridge vlan_filtering 1 vlan_default_pvid 7 ageing_time 1000 priority 100 mcast_snooping 0",
    "bridge multicast": "v0 type bridge mcast_querier 1 mcast_hash_max 64 nf_call_iptables 1 group_fwd_mask 8",
    "vlan": "link d0 name v0 type vlan id 5 reorder_hdr off gvrp on egress-qos-map 1:2 3:4 ingress-qos-map 2:3",
    "vlan 802.1ad": "link d0 name v0 type vlan protocol 802.1ad id 4094",
    "vxlan": "v0 type vxlan id 42 remote 192.0.2.9 dstport 4789 ttl 7 tos 4 nolearning srcport 10000 20000 ageing 60",
    "vxlan IPv6": "v0 type vxlan id 43 local 2001:db8::1 group ff05::1 dev d0 dstport 4790 udp6zerocsumrx",
    "vxlan external": "v0 type vxlan external dstport 4791",
    "macvlan": "link d0 name v0 type macvlan mode bridge bcqueuelen 500",
    "macvlan passthru": "link d0 name v0 type macvlan mode passthru nopromisc",
    "macvlan source": "link d0 name v0 type macvlan mode source macaddr add 02:00:00:00:00:07",
    "macvtap": "link d0 name v0 type macvtap mode vepa",
    "ipvlan": "link d0 name v0 type ipvlan mode l3s private",
    "ipvtap": "link d0 name v0 type ipvtap mode l2",
    "bond LACP": "v0 type bond mode 802.3ad lacp_rate fast miimon 100 xmit_hash_policy layer3+4 ad_select bandwidth",
    "bond ARP": "v0 type bond mode active-backup arp_interval 100 arp_ip_target 192.0.2.3,192.0.2.4 arp_validate all",
    "vrf": "v0 type vrf table 10",
    "gre": "v0 type gre local 192.0.2.1 remote 192.0.2.2 ttl 9 key 7 csum",
    "gretap": "v0 type gretap local 192.0.2.1 remote 192.0.2.2 nopmtudisc key 3",
    "ip6gre": "v0 type ip6gre local 2001:db8::1 remote 2001:db8::2 encaplimit 3 flowlabel 0x12345",
    "ip6gretap": "v0 type ip6gretap local 2001:db8::1 remote 2001:db8::2 tclass 0x10",
    "erspan": "v0 type erspan seq key 3 erspan_ver 1 erspan 5 local 192.0.2.1 remote 192.0.2.2",
    "erspan II": "v0 type erspan seq key 3 erspan_ver 2 erspan_dir egress erspan_hwid 6 local 192.0.2.1",
    "ip6erspan": "v0 type ip6erspan seq key 3 erspan_ver 1 erspan 5 local 2001:db8::1 remote 2001:db8::2",
    "ipip": "v0 type ipip local 192.0.2.1 remote 192.0.2.2 mode any",
    "sit": "v0 type sit local 192.0.2.1 remote 192.0.2.2 ttl 5 dev d0",
    "ip6tnl": "v0 type ip6tnl mode ip6ip6 local 2001:db8::1 remote 2001:db8::2 encaplimit 3 hoplimit 9",
    "vti": "v0 type vti local 192.0.2.1 remote 192.0.2.2 key 5 fwmark 3",
    "vti6": "v0 type vti6 local 2001:db8::1 remote 2001:db8::2 ikey 5 okey 6",
    "xfrm": "v0 type xfrm dev d0 if_id 5",
    "geneve": "v0 type geneve id 5 remote 192.0.2.9 ttl 7 df set udpcsum",
    "geneve external": "v0 type geneve external",
    "bareudp": "v0 type bareudp dstport 6635 ethertype mpls_uc",
    "hsr": "v0 type hsr slave1 d0 slave2 d1 supervision 45 version 1",
    "macsec": "link d0 v0 type macsec encrypt on window 32 replay on",
    "amt": "v0 type amt mode gateway local 192.0.2.1 discovery 192.0.2.2 dev d0",
    "rmnet": "link d0 name v0 type rmnet mux_id 5",
    "batadv": "v0 type batadv",
}
# Links whose link-layer addresses ip(8) shows as addresses of IP.
ADDRESSES: dict[Any, Any] = {
    **dict.fromkeys((LinkType.IPGRE, LinkType.TUNNEL, LinkType.SIT), IPv4Address),
    **dict.fromkeys((LinkType.IP6GRE, LinkType.TUNNEL6), IPv6Address),
}
# All flags that a vlan's mask may have.
KNOWN = VlanFlags(sum(VlanFlags))
# Fields of data that the kernel reports and refuses, or changes itself.
REPORTED = {
    "bridge": (
        "root_id", "bridge_id", "root_port", "root_path_cost", "topology_change", "topology_change_detected",
        "hello_timer", "tcn_timer", "topology_change_timer", "gc_timer", "mcast_querier_state", "group_addr",
        "fdb_n_learned",
    ),
    "bond": ("ad_info", "active_slave"),
    "bridge multicast": ("multi_boolopt", "vlan_filtering"),  # not every kernel filters vlans
    "erspan II": ("remote",),
    "geneve": ("ttl_inherit",),
    "netkit": ("primary",),
    "hsr": ("supervision_addr", "seq_nr"),
    "macvlan": ("macaddr_count", "bc_queue_len_used"),
    "macvtap": ("macaddr_count", "bc_queue_len_used"),
    "vxlan": ("ttl_inherit", "reserved_bits", "remcsum_tx", "remcsum_rx"),
}  # fmt: skip
# What is sent again of a bond, which refuses what does not fit its mode.
SENT = {
    "bond LACP": ("mode", "ad_lacp_rate", "miimon", "xmit_hash_policy", "ad_select"),
    "bond ARP": ("mode", "arp_interval", "arp_ip_target", "arp_validate"),
}


@pytest.fixture
def rt(netns: Any) -> Iterator[route.Conn[Any]]:
    with route.dial() as rt:
        for name in ("d0", "d1"):
            ip("add", name, "type", "veth", "peer", "name", f"{name}-peer")
        yield rt


def require(case: str) -> None:
    """Skip rare kinds outside of a guest."""
    if case not in ORDINARY and not GUEST:
        pytest.skip(f"{case}: in guests alone (tools/guest), where a kernel may fail")


def ip(*args: str) -> None:
    """Run ip link. A skip if it, or the kernel, does not know the kind."""
    run = subprocess.run(["ip", "link", *args], capture_output=True, text=True, check=False)
    if run.returncode:
        text = run.stderr.strip()
        if "Unknown device type" in text or "not supported" in text or "unknown type" in text.lower():
            pytest.skip(f"ip link {' '.join(args)}: {text}")
        raise AssertionError(f"ip link {' '.join(args)}: {text}")


def shown(name: str = "v0") -> dict[str, Any]:
    out = subprocess.run(["ip", "-j", "-d", "link", "show", name], check=True, capture_output=True, text=True).stdout
    (link,) = json.loads(out)
    assert isinstance(link, dict)
    return link


def read(rt: route.Conn[Any], name: str = "v0") -> Link:
    (found,) = [link for link in rt.dump(Link) if link.name == name]
    (alone,) = [rt.get(Link(name=name))]
    assert (found.index, found.kind, type(found.data)) == (alone.index, alone.kind, type(alone.data))
    assert isinstance(found, Link)
    return found


@pytest.mark.parametrize("case", MADE)
def test_a_link_is_what_ip_shows(rt: route.Conn[Any], case: str) -> None:
    require(case)
    ip("add", *MADE[case].split())
    link, other = read(rt), shown()
    kind = case.split()[0]
    assert unknown(link) == []
    assert (link.kind, link.name) == (kind, other["ifname"])
    if kind in KINDS:
        assert isinstance(link.data, (KINDS[kind], type(None)))
        assert (link.data is None) <= (not other["linkinfo"].get("info_data"))
    else:
        assert link.data is None
    assert link.operstate is not None
    assert link.flags is not None
    got = {
        "ifindex": link.index,
        "mtu": link.mtu,
        "address": link.address,
        "broadcast": link.broadcast,
        "operstate": link.operstate.name,
        "txqlen": link.txqlen,
        "qdisc": link.qdisc,
        "promiscuity": link.promiscuity,
        "allmulti": link.allmulti,
        "min_mtu": link.min_mtu,
        "max_mtu": link.max_mtu,
        "num_tx_queues": link.num_tx_queues,
        "num_rx_queues": link.num_rx_queues,
        "gso_max_size": link.gso_max_size,
        "gso_max_segs": link.gso_max_segs,
    }
    if link.type in ADDRESSES:
        got |= {
            name: str(ADDRESSES[link.type](bytes.fromhex(got[name].replace(":", ""))))
            for name in ("address", "broadcast")
        }
    text = {name: value if isinstance(value, (int, type(None))) else str(value) for name, value in got.items()}
    assert {name: text[name] for name in text.keys() & other.keys()} == {
        name: other[name] for name in text.keys() & other.keys()
    }
    assert Link.decode(link.encode()) == link


@pytest.mark.parametrize("case", [case for case in MADE if case.split()[0] in KINDS])
def test_what_is_read_makes_the_same_link(rt: route.Conn[Any], case: str) -> None:
    require(case)
    ip("add", *MADE[case].split())
    before, other = read(rt), shown()
    if before.data is None:
        pytest.skip(f"the kernel reports no data of {case}")
    kind = before.kind or ""
    reported = {*REPORTED.get(kind, ()), *REPORTED.get(case, ())}
    data = before.data.replace(**dict.fromkeys(reported))
    if case in SENT:
        data = type(data)(**{name: getattr(data, name) for name in SENT[case]})
    if isinstance(data, Vlan) and data.flags is not None:
        data = data.replace(flags=data.flags.replace(mask=KNOWN))
    elif isinstance(data, Macvlan) and data.macaddr_data:
        data = data.replace(macaddr_mode=MacvlanSources.SET)
    elif isinstance(data, Hsr):
        data = data.replace(multicast_spec=int(before.data.supervision_addr[-2:], 16))
    rt.delete(Link(name="v0"))
    rt.create(Link(name="v0", kind=kind, link=before.link or None, data=data))
    after, again = read(rt), shown()
    drop = dict.fromkeys(reported)
    assert after.data.replace(**drop) == before.data.replace(**drop)
    changing = {"bridge_id", "root_id", "gc_timer", "hello_timer", "root_port"}
    steady = [
        {key: value for key, value in each["linkinfo"].get("info_data", {}).items() if key not in changing}
        for each in (other, again)
    ]
    assert steady[0] == steady[1]


@pytest.mark.parametrize("master", PORT_KINDS)
def test_what_a_master_keeps_for_a_port(rt: route.Conn[Any], master: str) -> None:
    require(master)
    ip("add", "v0", "type", master, *(("table", "10") if master == "vrf" else ()))
    ip("set", "d0", "master", "v0")
    port = read(rt, "d0")
    assert unknown(port) == []
    assert (port.port_kind, port.master) == (master, rt.index("v0"))
    assert isinstance(port.port_data, PORT_KINDS[master])
    assert shown("d0")["linkinfo"]["info_slave_kind"] == master
    if master == "bridge":
        (of_bridge,) = [link for link in rt.dump(Link, family=7) if link.name == "d0"]
        assert unknown(of_bridge) == []
        assert of_bridge.protinfo == port.port_data


def test_a_pair_over_namespaces_and_names(rt: route.Conn[Any]) -> None:
    rt.create(
        Link(name="v0", kind="veth", mtu=1400, data=Veth(peer=Link(name="v1", mtu=1300, address="02:00:00:00:00:09")))
    )
    assert (shown("v1")["mtu"], shown("v1")["address"]) == (1300, "02:00:00:00:00:09")
    ip("property", "add", "dev", "v0", "altname", "a-name-that-is-longer-than-fifteen")
    link = rt.get(Link(alt_name="a-name-that-is-longer-than-fifteen"))
    assert (link.name, link.alt_names) == ("v0", ("a-name-that-is-longer-than-fifteen",))


def test_names_are_added_and_removed(rt: route.Conn[Any]) -> None:
    index = rt.index("d0")
    names = tuple(f"a-name-that-is-longer-than-fifteen-{n}" for n in range(3))
    rt.create(LinkProperties(index=index, alt_names=names))
    assert rt.get(Link(index=index)).alt_names == names
    assert shown("d0")["altnames"] == [*names]
    assert {rt.index(name) for name in names} == {index}
    with pytest.raises(FileExistsError, match="a link of that name"):
        rt.create(LinkProperties(name="d1", alt_names=names[:1]))
    rt.delete(LinkProperties(name="d0", alt_names=names[1:]))
    assert rt.get(Link(alt_name=names[0])).alt_names == names[:1]


def test_what_the_kernel_refuses_of_data_is_named(rt: route.Conn[Any]) -> None:
    require("bond")
    with pytest.raises(OpError) as caught:
        rt.create(Link(name="v0", kind="bond", data=Bond(mode=BondMode.LACP, arp_interval=0)))
    assert "data.arp_interval" in str(caught.value)
