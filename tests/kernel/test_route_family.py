"""The verbs of netlink.route on the real kernel, and what they refuse."""

from __future__ import annotations

import asyncio
import errno
import json
import subprocess
from collections.abc import Iterator
from ipaddress import ip_interface, ip_network
from socket import AF_INET, AF_INET6
from typing import Any

import pytest

from netlink import OpError, nltest, route
from netlink.family import Deferred
from netlink.route import (
    AF_BRIDGE,
    Address,
    ExtMask,
    GroupMember,
    Hop,
    Link,
    LinkFlags,
    Neighbour,
    NeighbourFlags,
    NeighbourState,
    Nexthop,
    Route,
    RouteProtocol,
    RouteTable,
    RouteType,
    Rule,
    Scope,
)


@pytest.fixture
def rt(netns: Any) -> Iterator[route.Conn[Any]]:
    with route.dial() as rt:
        yield rt


@pytest.fixture
def link(rt: route.Conn[Any]) -> int:
    """The index of a link that is up, with addresses of both families."""
    created = rt.create(Link(name="v0", kind="bridge"))
    assert created.index
    rt.up("v0")
    rt.create(Address(index=created.index, address="192.0.2.1/24"))
    rt.create(Address(index=created.index, address="2001:db8::1/64", flags=route.AddressFlags.NODAD))
    return created.index


def shown(*args: str) -> list[dict[str, Any]]:
    """What ip(8) shows as JSON."""
    out = subprocess.run(["ip", "-j", "-d", *args], check=True, capture_output=True, text=True).stdout
    return [each for each in json.loads(out or "[]") if each]


def added(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True, capture_output=True)


# Links


def test_a_link_comes_back_with_its_index(rt: route.Conn[Any]) -> None:
    created = rt.create(Link(name="v0", kind="bridge", mtu=1400))
    assert (created.name, created.kind, created.mtu) == ("v0", "bridge", 1400)
    assert rt.index("v0") == created.index
    assert rt.name(created.index) == "v0"
    with pytest.raises(FileExistsError, match="there is a link of that name"):
        rt.create(Link(name="v0", kind="bridge"))
    rt.delete(Link(name="v0"))
    with pytest.raises(OpError, match="there is no such link") as caught:
        rt.index("v0")
    assert caught.value.errno == errno.ENODEV


def test_up_and_down_change_one_flag(rt: route.Conn[Any]) -> None:
    index = rt.create(Link(name="v0", kind="bridge", flags=LinkFlags.NOARP)).index
    for link in ("v0", index):
        rt.up(link)
        assert LinkFlags.UP | LinkFlags.NOARP in rt.get(Link(index=index)).flags
        rt.down(link)
        assert LinkFlags.NOARP in rt.get(Link(index=index)).flags
        assert LinkFlags.UP not in rt.get(Link(index=index)).flags


def test_long_names_are_alternative_names(rt: route.Conn[Any], link: int) -> None:
    name = "a-very-long-name-of-a-link"
    added(f"link property add dev v0 altname {name}")
    assert rt.index(name) == link
    assert rt.get(Link(name=name)).name == "v0"
    rt.down(name)
    for wrong in ("", "x" * 128, "a\0b"):
        with pytest.raises(ValueError, match="1 to 127 bytes"):
            rt.index(wrong)
    for number in (0, -1, 1 << 31):
        for act in (rt.up, rt.down, rt.name):
            with pytest.raises(ValueError, match="the index of a link is from 1"):
                act(number)
    for other in (None, 1.5, b"lo"):
        with pytest.raises(TypeError, match="index"):
            rt.up(other)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at most 15 bytes"):
        rt.create(Link(name=name, kind="bridge"))


def test_statistics_are_left_out_on_request(rt: route.Conn[Any], link: int) -> None:
    whole = len(rt.get(Link(index=link)).encode()) + sum(len(data) for _, data in rt.get(Link(index=link)).unknown)
    brief = rt.get(Link(index=link, ext_mask=ExtMask.SKIP_STATS))
    assert whole - len(brief.encode()) - sum(len(data) for _, data in brief.unknown) > 250
    assert rt.dump(Link, ext_mask=ExtMask.SKIP_STATS, kind="bridge")[0].index == link


# Addresses


def test_replies_that_repeat_are_read_as_any_other(rt: route.Conn[Any], link: int) -> None:
    """Replies of the same attributes are decoded by their shape, behind the first few."""
    rt.create(Link(name="v1", kind="veth", data=route.link.Veth(peer=Link(name="v2", address="02:00:00:00:00:02"))))
    rt.update(Link(name="v2", alias="b", mtu=1400, master=link))
    steady = (
        "index",
        "name",
        "kind",
        "address",
        "mtu",
        "alias",
        "master",
        "link",
        "num_tx_queues",
        "qdisc",
        "promiscuity",
    )
    for names in (["v0"] * 12, ["v1", "v2"] * 8, ["v0", "v1", "v2", "v2"] * 4):
        for name in names:
            found, wanted = rt.get(Link(name=name)), rt.conn.execute(rt.calls.get(Link(name=name)))
            fresh = Link.decode(rt.conn.execute(rt.calls.get(Link(name=name)).message)[0].data)
            for other in (wanted, fresh):
                assert [getattr(found, field) for field in steady] == [getattr(other, field) for field in steady]
            assert type(found.af_spec) is type(fresh.af_spec)
            assert found.af_spec is None or found.af_spec.inet == fresh.af_spec.inet
            assert {*found.to_dict()} == {*fresh.to_dict()}
    # Requests that are as others but for the length of the name, and others of another kind in between.
    rt.create(route.LinkProperties(index=link, alt_names=["a-name-longer-than-that"]))
    for _ in range(6):
        assert rt.get(Link(name="a-name-longer-than-that")).index == rt.get(Link(name="v0")).index == link
        assert rt.index("a-name-longer-than-that") == rt.index("v0") == link
        assert rt.get(Route(dst="192.0.2.7")).oif == link
        assert rt.get(rt.get(Link(index=link))).index == link


def test_addresses_as_ip_shows_them(rt: route.Conn[Any], link: int) -> None:
    rt.create(Address(index=link, local="198.51.100.1", address="198.51.100.2/32", label="v0:1", priority=7))
    theirs = {
        (each["local"], each["prefixlen"]) for of in shown("addr", "show", "dev", "v0") for each in of["addr_info"]
    }
    ours = {(str(each.ip.ip), each.prefixlen) for each in rt.dump(Address, index=link) if each.ip}
    assert ours == theirs
    assert {("192.0.2.1", 24), ("2001:db8::1", 64), ("198.51.100.1", 32)} <= ours
    peer = rt.dump(Address, index=link, local="198.51.100.1")[0]
    assert (str(peer.address), peer.label, peer.priority, peer.scope) == ("198.51.100.2", "v0:1", 7, Scope.UNIVERSE)


def test_addresses_are_replaced_deleted_and_flushed(rt: route.Conn[Any], link: int) -> None:
    rt.replace(Address(index=link, address="192.0.2.1/24", cache=route.AddressCacheInfo(preferred=50, valid=100)))
    (found,) = rt.dump(Address, index=link, family=AF_INET)
    assert found.cache.valid <= 100
    with pytest.raises(FileExistsError, match="replace changes it"):
        rt.create(Address(index=link, address="192.0.2.1/24"))
    rt.delete(found)
    with pytest.raises(OpError, match="the link does not have that address"):
        rt.delete(found)
    assert rt.flush(Address, index=link, family=AF_INET6) == 2
    assert len(rt.dump(Address, index=link)) == 0
    with pytest.raises(ValueError, match="index"):
        rt.create(Address(address="192.0.2.1/24"))
    with pytest.raises(ValueError, match="needs address"):
        rt.create(Address(index=link))


# Routes


def test_a_route_by_gateway(rt: route.Conn[Any], link: int) -> None:
    given = Route(dst="198.51.100.0/24", gateway="192.0.2.2", priority=7, prefsrc="192.0.2.1")
    assert rt.create(given) is given
    (found,) = rt.dump(Route, dst="198.51.100.0/24")
    assert (found.network, str(found.gateway), found.oif) == (ip_network("198.51.100.0/24"), "192.0.2.2", link)
    assert (found.protocol, found.type, found.scope) == (RouteProtocol.STATIC, RouteType.UNICAST, Scope.UNIVERSE)
    assert found.table == RouteTable.MAIN
    assert shown("route", "show", "198.51.100.0/24")[0] | {"flags": []} == {
        "type": "unicast",
        "dst": "198.51.100.0/24",
        "gateway": "192.0.2.2",
        "dev": "v0",
        "protocol": "static",
        "scope": "global",
        "prefsrc": "192.0.2.1",
        "metric": 7,
        "flags": [],
    }
    with pytest.raises(FileExistsError):
        rt.create(given)
    rt.replace(given.replace(gateway="192.0.2.3"))
    assert str(rt.dump(Route, dst="198.51.100.0/24")[0].gateway) == "192.0.2.3"
    rt.update(given.replace(gateway="192.0.2.4"))
    rt.append(given.replace(gateway="192.0.2.5"))
    assert {str(each.gateway) for each in rt.dump(Route, dst="198.51.100.0/24")} == {"192.0.2.4", "192.0.2.5"}
    for each in rt.dump(Route, dst="198.51.100.0/24"):
        rt.delete(each)
    with pytest.raises(ProcessLookupError, match="there is no such route"):
        rt.delete(given)


def test_the_route_to_an_address(rt: route.Conn[Any], link: int) -> None:
    rt.create(Route(dst="198.51.100.0/24", gateway="192.0.2.2", table=RouteTable.MAIN))
    found = rt.get(Route(dst="198.51.100.7"))
    assert (str(found.gateway), found.oif, str(found.prefsrc)) == ("192.0.2.2", link, "192.0.2.1")
    whole = rt.get(Route(dst="198.51.100.7", flags=route.RouteFlags.FIB_MATCH))
    assert whole.network == ip_network("198.51.100.0/24")
    assert rt.get(Route(dst="2001:db8::2")).oif == link
    with pytest.raises(OpError, match="no route to that address"):
        rt.get(Route(dst="203.0.113.1"))
    with pytest.raises(ValueError, match="dump has prefixes"):
        rt.get(Route(dst="198.51.100.0/24"))
    with pytest.raises(ValueError, match="needs dst"):
        rt.get(Route(gateway="192.0.2.2"))


def test_several_hops(rt: route.Conn[Any], link: int) -> None:
    hops = [Hop(gateway="192.0.2.2", oif=link, weight=9), Hop(gateway="192.0.2.3", oif=link), Hop(oif=link, weight=256)]
    rt.create(Route(dst="198.51.100.0/24", multipath=hops))
    (found,) = rt.dump(Route, dst="198.51.100.0/24")
    assert [(str(hop.gateway), hop.weight) for hop in found.multipath] == [
        ("192.0.2.2", 9),
        ("192.0.2.3", 1),
        ("None", 256),
    ]
    theirs = shown("route", "show", "198.51.100.0/24")[0]["nexthops"]
    assert [(each.get("gateway"), each["weight"]) for each in theirs] == [
        ("192.0.2.2", 9),
        ("192.0.2.3", 1),
        (None, 256),
    ]
    rt.delete(found)
    six = Route(
        dst="2001:db8:1::/48", multipath=[Hop(gateway="2001:db8::2", oif=link), Hop(gateway="2001:db8::3", oif=link)]
    )
    rt.create(six)
    (found,) = rt.dump(Route, dst="2001:db8:1::/48")  # one message for both (R7)
    assert [str(hop.gateway) for hop in found.multipath] == ["2001:db8::2", "2001:db8::3"]
    for weight in (0, 257):
        with pytest.raises(ValueError, match="from 1 to 256"):
            Hop(oif=link, weight=weight)


def test_a_gateway_of_the_other_family(rt: route.Conn[Any], link: int) -> None:
    rt.create(Route(dst="198.51.100.0/24", gateway="2001:db8::2", oif=link))
    (found,) = rt.dump(Route, dst="198.51.100.0/24")
    assert found.gateway is None
    assert str(found.via.address) == "2001:db8::2"
    assert shown("route", "show", "198.51.100.0/24")[0]["via"] == {"family": "inet6", "host": "2001:db8::2"}
    rt.delete(found)
    assert len(rt.dump(Route, dst="198.51.100.0/24")) == 0


def test_metrics_as_ip_sets_and_shows_them(rt: route.Conn[Any], link: int) -> None:
    added("route add 198.51.100.0/24 via 192.0.2.2 mtu lock 1400 advmss 1300 initcwnd 20 congctl cubic")
    (found,) = rt.dump(Route, dst="198.51.100.0/24")
    metrics = found.metrics
    assert (metrics.mtu, metrics.advmss, metrics.initcwnd, metrics.cc_algo) == (1400, 1300, 20, "cubic")
    assert metrics.lock & 1 << 2
    rt.delete(found)
    rt.create(found.replace(cache=None))
    assert rt.dump(Route, dst="198.51.100.0/24")[0].metrics == metrics
    assert (
        shown("route", "show", "198.51.100.0/24")[0]["metrics"]
        == [{"mtu": 1400, "advmss": 1300, "initcwnd": 20, "congestion": "cubic"}]
        or shown("route", "show", "198.51.100.0/24")[0]["metrics"]
    )


def test_links_without_a_gateway_have_the_scope_of_the_link(rt: route.Conn[Any], link: int) -> None:
    rt.create(Route(dst="198.51.100.0/24", oif=link))
    assert rt.dump(Route, dst="198.51.100.0/24")[0].scope == Scope.LINK
    rt.create(Route(dst="203.0.113.0/24", gateway="198.51.100.7"))  # needs that scope
    rt.create(Route(dst="203.0.113.7", type=RouteType.BLACKHOLE))
    assert rt.dump(Route, type=RouteType.BLACKHOLE)[0].network == ip_network("203.0.113.7")
    assert rt.flush(Route, type=RouteType.BLACKHOLE) == 1


def test_tables(rt: route.Conn[Any], link: int) -> None:
    for table in (7, 1000, 1 << 31):
        rt.create(Route(dst="198.51.100.0/24", gateway="192.0.2.2", table=table))
        (found,) = rt.dump(Route, table=table)
        assert (found.table, found.header.table) == (table, table if table < 256 else RouteTable.COMPAT)
        assert [each["gateway"] for each in shown("route", "show", "table", str(table))] == ["192.0.2.2"]
        assert rt.flush(Route, table=table) == 1


@pytest.mark.parametrize("family", [None, AF_INET, AF_INET6])
def test_what_is_not_there_is_an_empty_batch(rt: route.Conn[Any], family: int | None) -> None:
    assert len(rt.dump(Route, family=family, table=77)) == 0
    assert len(rt.dump(Route, family=family, oif=999)) == 0
    assert list(rt.iter_dump(Route, family=family, table=77)) in ([], [rt.dump(Route, table=77)])
    assert len(rt.dump(Address, family=family, index=999)) == 0
    assert len(rt.dump(Neighbour, family=family, index=999)) == 0


def test_kernel_and_match_select_the_same(rt: route.Conn[Any], link: int, netns: Any) -> None:
    rt.create(Route(dst="198.51.100.0/24", gateway="192.0.2.2", table=100, protocol=RouteProtocol.BGP))
    rt.create(Route(dst="203.0.113.0/24", gateway="192.0.2.2", protocol=RouteProtocol.BGP))
    choices: list[dict[str, Any]] = [
        {"family": AF_INET},
        {"table": 100},
        {"oif": link},
        {"protocol": RouteProtocol.BGP},
        {"type": RouteType.LOCAL},
        {"gateway": "192.0.2.2"},
        {"dst": "203.0.113.0/24"},
        {"table": 254, "protocol": RouteProtocol.BGP, "priority": 0},
        {"scope": Scope.LINK},
    ]
    everything = rt.dump(Route, family=AF_INET)  # those of IPv6 change by themselves
    with route.dial(strict=False) as plain:
        for chosen in choices:
            fields = {"family": AF_INET, **chosen}
            wanted = Route(**fields)
            names = [*fields, "dst_len"] if "dst" in fields else [*fields]
            expected = [
                each for each in everything if all((getattr(each, n) or 0) == (getattr(wanted, n) or 0) for n in names)
            ]
            assert list(rt.dump(Route, **fields)) == expected
            assert list(plain.dump(Route, **fields)) == expected
            assert expected


def test_fields_that_cannot_select(rt: route.Conn[Any]) -> None:
    with pytest.raises(TypeError, match="not by name"):
        rt.dump(Link, name="v0")
    with pytest.raises(TypeError, match="tables"):
        rt.dump(Route, tables=3)
    with pytest.raises(TypeError, match="rtnetlink has objects of Link, Address, Route"):
        rt.dump(int)


def test_contradictions_are_refused(rt: route.Conn[Any], link: int) -> None:
    with pytest.raises(ValueError, match=r"192\.0\.2\.1/24 has bits behind its length: 192.0.2.0/24 has not"):
        Route(dst="192.0.2.1/24")
    with pytest.raises(ValueError, match="2001:db8::/32 has not"):
        Route(dst="2001:db8:1::/32")
    for wrong in ("192.0.2.0/33", "192.0.2.0/", "::/129", "192.0.2.0/x"):
        with pytest.raises(ValueError, match=r"from 0 to (32|128)"):
            Route(dst=wrong)
    with pytest.raises(ValueError, match="dst_len is 16"):
        Route(dst="192.0.2.0/24", dst_len=16)
    with pytest.raises(ValueError, match="another address family"):
        Route(family=AF_INET6, dst="192.0.2.0/24")
    with pytest.raises(ValueError, match="has no gateway of its own"):
        rt.create(Route(dst="192.0.2.0/24", gateway="192.0.2.7", nh_id=3))
    with pytest.raises(ValueError, match="either multipath or a gateway"):
        rt.create(Route(dst="192.0.2.0/24", gateway="192.0.2.7", multipath=[Hop(gateway="192.0.2.8", oif=link)]))
    with pytest.raises(ValueError, match="drops its packets"):
        rt.create(Route(dst="192.0.2.0/24", gateway="192.0.2.7", type=RouteType.PROHIBIT))
    with pytest.raises(ValueError, match="a route needs family"):
        rt.create(Route(oif=link))
    with pytest.raises(ValueError, match="flush needs a field"):
        rt.flush(Route)
    with pytest.raises(ValueError, match="flush needs a field"):
        rt.flush(Route, table=None)


# Neighbours


def test_neighbours(rt: route.Conn[Any], link: int) -> None:
    given = Neighbour(dst="192.0.2.9", index=link, lladdr="02:00:00:00:00:09")
    rt.create(given)
    assert rt.get(given).lladdr == "02:00:00:00:00:09"
    with pytest.raises(FileExistsError):
        rt.create(given)
    rt.replace(given.replace(lladdr="02:00:00:00:00:0a", header=None, family=AF_INET, index=link))
    (found,) = rt.dump(Neighbour, index=link, dst="192.0.2.9")
    assert (found.lladdr, found.state) == ("02:00:00:00:00:0a", NeighbourState.PERMANENT)
    (theirs,) = (each for each in shown("neigh", "show", "dev", "v0") if each["dst"] == "192.0.2.9")
    assert (theirs["lladdr"], theirs["state"]) == ("02:00:00:00:00:0a", ["PERMANENT"])
    rt.create(Neighbour(dst="2001:db8::9", index=link, flags=NeighbourFlags.PROXY))
    (proxy,) = rt.dump(Neighbour, flags=NeighbourFlags.PROXY)
    assert str(proxy.dst) == "2001:db8::9"
    rt.delete(proxy)
    assert rt.flush(Neighbour, index=link, lladdr=None, family=AF_INET) >= 1
    with pytest.raises(FileNotFoundError, match="no such neighbour"):
        rt.delete(given)
    with pytest.raises(ValueError, match="needs lladdr"):
        rt.create(Neighbour(dst="192.0.2.9", index=link))
    with pytest.raises(ValueError, match="index"):
        rt.create(Neighbour(dst="192.0.2.9", lladdr="02:00:00:00:00:09"))


def test_the_forwarding_database(rt: route.Conn[Any], link: int) -> None:
    rt.create(Neighbour(index=link, lladdr="02:00:00:00:00:09"))
    entries = [each for each in rt.dump(Neighbour, family=7, index=link) if each.lladdr == "02:00:00:00:00:09"]
    assert entries
    rt.delete(Neighbour(index=link, lladdr="02:00:00:00:00:09"))
    with pytest.raises(ValueError, match="needs lladdr"):
        rt.create(Neighbour(family=7, index=link))


def test_tables_of_neighbours(rt: route.Conn[Any], link: int) -> None:
    tables = [each for each in rt.dump(route.NeighbourTable) if each.config]
    assert {each.name for each in tables} >= {"arp_cache", "ndisc_cache"}
    (own,) = [
        each
        for each in rt.dump(route.NeighbourTable, family=AF_INET)
        if each.name == "arp_cache" and each.parms and each.parms.ifindex == link
    ]
    changed = route.NeighbourParameters(ifindex=link, base_reachable_time=20_000)
    rt.update(own.replace(parms=changed))
    (now,) = [
        each.parms
        for each in rt.dump(route.NeighbourTable, family=AF_INET)
        if each.parms and each.parms.ifindex == link
    ]
    assert now.base_reachable_time == 20_000


# Rules


def test_rules(rt: route.Conn[Any], link: int) -> None:
    rt.create(Rule(src="192.0.2.0/24", table=1000, priority=77, iifname="v0", fwmark=3))
    (found,) = rt.dump(Rule, priority=77)
    assert (str(found.src), found.src_len, found.table, found.iifname) == ("192.0.2.0", 24, 1000, "v0")
    (theirs,) = (each for each in shown("rule") if each["priority"] == 77)
    assert theirs["src"], theirs["srclen"] == ("192.0.2.0", 24)
    assert (theirs["table"], theirs["iif"], theirs["fwmark"]) == ("1000", "v0", "0x3")
    added("rule add from 198.51.100.0/24 to 203.0.113.7 ipproto tcp dport 80-90 lookup 7 pref 78")
    (other,) = rt.dump(Rule, priority=78)
    assert (other.ip_proto, other.dport_range.start, other.dport_range.end, other.dst_len) == (6, 80, 90, 32)
    for each in (found, other):
        rt.delete(each)
    assert len(rt.dump(Rule, priority=77)) == 0
    rt.create(Rule(src="2001:db8::/32", priority=79))
    assert rt.dump(Rule, priority=79)[0].table == RouteTable.MAIN
    rt.delete(Rule(family=AF_INET6, priority=79))


def test_a_rule_without_a_field_is_not_deleted(rt: route.Conn[Any]) -> None:
    before = list(rt.dump(Rule, family=AF_INET))
    for rule in (Rule(), Rule(family=AF_INET), Rule(suppress_prefixlen=-1)):
        with pytest.raises(ValueError, match="the local table"):
            rt.delete(rule)
    assert list(rt.dump(Rule, family=AF_INET)) == before


def test_a_dump_of_the_default_route(rt: route.Conn[Any], link: int) -> None:
    """The kernel reports no destination of it."""
    for dst, gateway in (("0.0.0.0/0", "192.0.2.2"), ("::/0", "2001:db8::2")):
        rt.create(Route(dst=dst, gateway=gateway, table=100))
        rt.create(Route(dst=f"{gateway}/{32 if dst != '::/0' else 128}", oif=link, table=100))
    for dst in ("0.0.0.0/0", "::/0"):
        (found,) = rt.dump(Route, dst=dst, table=100)
        assert (found.dst, found.network) == (None, ip_network(dst))
        assert rt.flush(Route, dst=dst, table=100) == 1
    assert len(rt.dump(Route, table=100)) == 2
    rt.create(Rule(priority=99, table=100))
    rt.create(Rule(priority=100, src="192.0.2.0/24", table=100))
    assert 99 in {rule.priority for rule in rt.dump(Rule, src="0.0.0.0/0")}
    assert 100 not in {rule.priority for rule in rt.dump(Rule, src="0.0.0.0/0")}


def test_a_dump_by_a_field_that_the_kernel_alone_compares(rt: route.Conn[Any], link: int) -> None:
    """Few neighbours have a master, so that it lies apart from their other fields."""
    added("link add v1 type veth peer name v2")
    added("link set v1 master v0")
    added("link add v3 type bridge")
    out = subprocess.run(["bridge", "-j", "fdb", "show", "br", "v0"], check=True, capture_output=True, text=True).stdout
    theirs = {(each["mac"], each["ifname"]) for each in json.loads(out) if each.get("master") == "v0"}
    found = rt.dump(Neighbour, family=AF_BRIDGE, master=link)
    ours = {(each.lladdr, rt.name(each.index)) for each in found if each.master == link}
    assert ours == theirs
    assert ours
    assert "v3" not in {rt.name(each.index) for each in found}


def test_rules_of_other_families_are_in_a_dump_of_all(rt: route.Conn[Any]) -> None:
    families = {each.family for each in rt.dump(Rule)}
    assert {AF_INET, AF_INET6} <= families
    for family in families:
        assert {each.family for each in rt.dump(Rule, family=family)} == {family}


# Nexthops


def test_nexthops_and_their_groups(rt: route.Conn[Any], link: int) -> None:
    for number in (2, 3):
        rt.create(Nexthop(id=number, gateway=f"192.0.2.{number}", oif=link))
    rt.create(Nexthop(id=10, group=[GroupMember(id=2, weight=255), GroupMember(id=3)]))
    group = rt.get(Nexthop(id=10))
    assert [(member.id, member.weight) for member in group.group] == [(2, 255), (3, 1)]
    rt.create(Route(dst="198.51.100.0/24", nh_id=10))
    (found,) = rt.dump(Route, dst="198.51.100.0/24")
    assert found.nh_id == 10
    assert len(found.multipath) == 2  # nexthop_compat_mode (R12)
    rt.delete(found)
    assert {each.id for each in rt.dump(Nexthop, groups=True)} == {10}
    assert {each.id for each in rt.dump(Nexthop, oif=link)} == {2, 3}
    assert [each["id"] for each in shown("nexthop")] == [2, 3, 10]
    rt.replace(Nexthop(id=3, gateway="192.0.2.4", oif=link))
    assert str(rt.get(Nexthop(id=3)).gateway) == "192.0.2.4"
    for each in rt.dump(Nexthop):
        rt.replace(each)
    rt.delete(group)
    with pytest.raises(FileNotFoundError, match="no nexthop of that id"):
        rt.get(Nexthop(id=10))
    with pytest.raises(ValueError, match="from 1 to 65535"):
        GroupMember(id=2, weight=65_536)
    with pytest.raises(ValueError, match="needs id"):
        rt.delete(Nexthop(gateway="192.0.2.2"))
    with pytest.raises(ValueError, match="has no oif of its own"):
        rt.create(Nexthop(oif=link, group=[GroupMember(id=2)]))


def test_a_route_by_a_blackhole_nexthop_is_deleted_as_it_was_read(rt: route.Conn[Any], link: int) -> None:
    rt.create(Nexthop(id=7, blackhole=True))
    rt.create(Route(dst="198.51.100.0/24", nh_id=7))
    (found,) = rt.dump(Route, dst="198.51.100.0/24")
    assert found.type == RouteType.BLACKHOLE
    rt.delete(found)
    assert len(rt.dump(Route, dst="198.51.100.0/24")) == 0


# All of them


def test_numbers_of_network_namespaces(rt: route.Conn[Any], netns: Any) -> None:
    assert rt.get(route.NetnsID(fd=netns.fd)).nsid == -1
    rt.create(route.NetnsID(fd=netns.fd, nsid=12))
    assert rt.get(route.NetnsID(fd=netns.fd)).nsid == 12
    assert [each.nsid for each in rt.dump(route.NetnsID)] == [12]
    with pytest.raises(ValueError, match="fd or pid"):
        rt.create(route.NetnsID(nsid=3))


def test_statistics_of_a_link(rt: route.Conn[Any], link: int) -> None:
    stats = rt.get(route.LinkStats(index=1))
    assert stats.link_64.rx_packets == stats.link_64.tx_packets
    assert {each.index for each in rt.dump(route.LinkStats)} == {1, link}
    with pytest.raises(ValueError, match="index"):
        rt.get(route.LinkStats())


def test_verbs_that_an_object_does_not_have(rt: route.Conn[Any]) -> None:
    with pytest.raises(TypeError, match=r"no append for Rule; it has create, delete, dump$"):
        rt.append(Rule(priority=3))
    with pytest.raises(TypeError, match="no delete for LinkStats"):
        rt.flush(route.LinkStats, index=3)
    with pytest.raises(TypeError):
        rt.create(3)


def test_with_asyncio(netns: Any) -> None:
    async def main() -> None:
        async with route.dial_async() as rt:
            link = await rt.create(Link(name="v0", kind="bridge"))
            await rt.up("v0")
            await rt.create(Address(index=link.index, address="192.0.2.1/24"))
            assert (await rt.dump(Address, index=link.index, family=AF_INET))[0].ip == ip_interface("192.0.2.1/24")
            assert [len(batch) async for batch in rt.iter_dump(Route, table=77, family=AF_INET)] == []
            assert sum([len(batch) async for batch in rt.iter_dump(Route, table=254)]) > 0
            assert await rt.flush(Address, index=link.index) > 0

    asyncio.run(main())


def test_as_calls(rt: route.Conn[Any], link: int) -> None:
    wanted = [Route(dst=f"198.51.100.{n}", gateway="192.0.2.2") for n in range(10)]
    answers = rt.conn.execute_all(rt.calls.replace(each) for each in wanted)
    assert answers == [None] * 10
    assert len(rt.dump(Route, gateway="192.0.2.2")) == 10
    assert isinstance(rt.calls.conn, Deferred)


def test_without_a_kernel() -> None:
    known = Link(index=7, name="eth7")
    functions: dict[str, Any] = {
        "get_link": lambda request: known,
        "dump_route": lambda request: [Route(dst="192.0.2.0/24", table=request.table)],
        "create_echo_link": lambda request: known,
    }
    with nltest.serve(route.Conn, functions) as rt:
        assert rt.index("eth7") == 7
        assert rt.dump(Route, table=7)[0].table == 7
        assert rt.create(Link(name="eth7", kind="dummy")) == known


def test_without_permission(netns: Any) -> None:
    from kernel.tools import unprivileged

    def attempt() -> None:
        with route.dial() as rt:
            assert len(rt.dump(Link)) > 0
            rt.delete(Link(index=1))

    with pytest.raises(PermissionError, match="needs CAP_NET_ADMIN"):
        unprivileged(attempt)
