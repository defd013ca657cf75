"""What type checkers must know of netlink.route. Checked by mypy and pyright, never run."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Never, assert_type

from netlink import Conn, Overrun, route
from netlink.aio import AsyncConn
from netlink.family import Call, Failure
from netlink.route import Address, Link, Neighbour, Route, RouteType
from netlink.schema import Batch
from netlink.stream import Resync, Stream


def verbs() -> None:
    with route.dial(netns="blue") as rt:
        assert_type(rt, route.Conn[Conn])
        assert_type(rt.get(Link(name="eth0")), Link)
        assert_type(rt.create(Route(dst="192.0.2.0/24", gateway="198.51.100.1")), Route)
        assert_type(rt.replace(Address(index=3, address="192.0.2.1/24")), None)
        assert_type(rt.delete(Neighbour(index=3, dst="192.0.2.1")), None)
        assert_type(rt.dump(Route, table=100, oif=3), Batch[Route])
        assert_type(rt.flush(Address, index=3), int)
        assert_type(rt.create_many([Route(dst="192.0.2.0/24")], ignore=(17,)), list[Failure])
        assert_type(rt.delete_many(rt.dump(Route, table=7)), list[Failure])
        assert_type(rt.index("eth0"), int)
        assert_type(rt.name(3), str)
        assert_type(rt.up("eth0"), None)
        assert_type(rt.calls.get(Link(index=3)), Call[Link])
        assert_type(rt.calls.delete(Link(index=3)), Call[None])
        for batch in rt.iter_dump(Link):
            assert_type(batch, Batch[Link])
        found = rt.get(Route(dst="192.0.2.1"))
    assert_type(found.gateway, IPv4Address | IPv6Address | None)
    assert_type(found.type, RouteType | None)
    rt.dump(Route, tables=3)  # type: ignore[call-arg] # pyright: ignore
    Route(dts="192.0.2.1")  # type: ignore[call-arg] # pyright: ignore


def events() -> None:
    assert_type(route.listen(Link), Stream[Link, Never])
    assert_type(route.listen(Route, tables=[7], on_overrun="mark"), Stream[Route, Overrun])
    assert_type(route.listen(Route, on_overrun="resync"), Stream[Route, Resync])
    with route.Mirror(tables=[254]) as mirror:
        assert_type(mirror.route("192.0.2.1"), Route | None)
        assert_type(mirror.link("eth0"), Link | None)
        for change in mirror.changes(idle=1):
            assert_type(change.event, route.Event)


async def verbs_async() -> None:
    async with route.dial_async() as rt:
        assert_type(rt, route.Conn[AsyncConn])
        assert_type(await rt.get(Link(name="eth0")), Link)
        assert_type(await rt.create(Link(name="eth0")), Link)
        assert_type(await rt.dump(Route, table=100), Batch[Route])
        assert_type(await rt.delete(Route(dst="192.0.2.0/24")), None)
        async for batch in rt.iter_dump(Link):
            assert_type(batch, Batch[Link])
