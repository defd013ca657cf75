"""Facts about rtnetlink on which netlink.route relies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

import netns as netns_
from netlink import route
from netlink.route import Address, Event, Link, LinkFlags, NetnsID, Route
from netlink.route.link import BridgePort, Veth

BRIDGE = 7  # AF_BRIDGE


@pytest.fixture
def rt(netns: Any) -> Iterator[route.Conn[Any]]:
    with route.dial() as rt:
        yield rt


@pytest.fixture
def link(rt: route.Conn[Any]) -> int:
    index = rt.create(Link(name="v0", kind="bridge", flags=LinkFlags.UP)).index
    assert index
    rt.create(Address(index=index, address="192.0.2.1/24"))
    rt.create(Address(index=index, address="2001:db8::1/64", flags=route.AddressFlags.NODAD))
    return index


def test_create_replace_append_and_update_of_routes(rt: route.Conn[Any], link: int) -> None:
    def gateways(dst: str) -> list[str]:
        return [str(hop.gateway) for each in rt.dump(Route, dst=dst) for hop in (each.multipath or (each,))]

    four = "198.51.100.0/24"
    with pytest.raises(FileNotFoundError):
        rt.update(Route(dst=four, gateway="192.0.2.2"))
    rt.create(Route(dst=four, gateway="192.0.2.2"))
    with pytest.raises(FileExistsError):
        rt.create(Route(dst=four, gateway="192.0.2.3"))
    rt.append(Route(dst=four, gateway="192.0.2.3"))
    assert gateways(four) == ["192.0.2.2", "192.0.2.3"]
    assert len(rt.dump(Route, dst=four)) == 2
    rt.replace(Route(dst=four, gateway="192.0.2.4"))  # the first of that prefix, tos and priority
    assert gateways(four) == ["192.0.2.4", "192.0.2.3"]
    rt.update(Route(dst=four, gateway="192.0.2.5"))
    assert gateways(four) == ["192.0.2.5", "192.0.2.3"]

    six = "2001:db8:1::/48"
    rt.create(Route(dst=six, gateway="2001:db8::2"))
    with pytest.raises(FileExistsError):
        rt.create(Route(dst=six, gateway="2001:db8::3"))
    rt.append(Route(dst=six, gateway="2001:db8::3"))  # becomes a hop of the same route
    assert gateways(six) == ["2001:db8::2", "2001:db8::3"]
    assert len(rt.dump(Route, dst=six)) == 1
    rt.replace(Route(dst=six, gateway="2001:db8::4"))
    assert "2001:db8::4" in gateways(six)
    assert "2001:db8::2" not in gateways(six)


def test_a_link_that_moves_ends_here_and_tells_where_it_is(rt: route.Conn[Any]) -> None:
    index = rt.create(Link(name="v0", kind="veth", data=Veth(peer=Link(name="v1")))).index
    with netns_.another() as there:
        rt.create(NetnsID(fd=there.fd, nsid=5))
        with closing(route.listen(Link)) as stream:
            rt.update(Link(index=index, net_ns_fd=there.fd))
            stream.stop()
            (gone,) = (each for each in stream if each.event == Event.DEL and each.name == "v0")
        assert (gone.index, gone.name, gone.new_netnsid) == (index, "v0", 5)
        assert gone.new_ifindex is not None
        # Without entering the namespace, by its number.
        found = [each for each in rt.dump(Link, target_netnsid=5) if each.name == "v0"]
        assert [each.index for each in found] == [gone.new_ifindex]
        assert rt.get(Link(name="v0", target_netnsid=5)).kind == "veth"


def test_a_pair_over_two_namespaces(rt: route.Conn[Any]) -> None:
    with netns_.another() as there:
        made = rt.create(Link(name="v0", kind="veth", data=Veth(peer=Link(name="v1", net_ns_fd=there.fd))))
        assert made.index == rt.index("v0")
        with route.dial(netns=there.fd) as other:
            end = other.get(Link(name="v1"))
            assert (made.link, end.link) == (end.index, made.index)
            # Each knows the other's namespace by the number that the kernel gave it.
            assert rt.get(NetnsID(fd=there.fd)).nsid == rt.get(Link(name="v0")).link_netnsid


def test_a_port_that_leaves_its_bridge_is_no_link_that_ends(rt: route.Conn[Any]) -> None:
    bridge = rt.create(Link(name="v0", kind="bridge")).index
    rt.create(Link(name="e0", kind="veth", master=bridge, data=Veth(peer=Link(name="e1"))))
    rt.update(Link(name="e0", port_kind="bridge", port_data=BridgePort(cost=77)))
    port = rt.get(Link(name="e0"))
    assert (port.port_kind, port.port_data.cost) == ("bridge", 77)
    (of_bridge,) = [each for each in rt.dump(Link, family=BRIDGE) if each.name == "e0"]
    assert (of_bridge.family, of_bridge.master, of_bridge.protinfo.cost) == (BRIDGE, bridge, 77)
    with pytest.raises(ValueError, match="port of a bridge"):
        rt.delete(of_bridge)
    with closing(route.listen(Link)) as stream:
        rt.update(Link(name="e0", master=0))
        stream.stop()
        (gone,) = (each for each in stream if each.event == Event.DEL)
    assert (gone.family, gone.name) == (BRIDGE, "e0")
    assert not rt.get(Link(name="e0")).master
