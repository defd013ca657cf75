"""Streams and the mirror of netlink.route on the real kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from socket import AF_INET
from typing import Any

import pytest

from kernel.tools import Worker, eventually, interrupted_at_random
from netlink import OpError, Overrun, route
from netlink.route import (
    Address,
    Event,
    GroupMember,
    Hop,
    Link,
    Mirror,
    Neighbour,
    NeighbourState,
    Nexthop,
    Route,
    Rule,
    Via,
)
from netlink.schema import Batch
from netlink.stream import ResyncBegin, ResyncEnd
from pace import fewer

SMALL = 16384


@pytest.fixture
def rt(netns: Any) -> Iterator[route.Conn[Any]]:
    with route.dial() as rt:
        yield rt


@pytest.fixture
def link(rt: route.Conn[Any]) -> int:
    """The index of a link that is up, with an address."""
    index = rt.create(Link(name="v0", kind="bridge")).index
    rt.create(Address(index=index, address="192.0.2.1/24"))
    rt.up("v0")
    return index or 0


def prefixes(count: int, **fields: Any) -> list[Route]:
    return [Route(dst=f"10.{n >> 8}.{n & 255}.0/24", gateway="192.0.2.2", **fields) for n in range(count)]


# Many at once


def test_many_routes_from_records_and_from_a_batch(rt: route.Conn[Any], link: int) -> None:
    rows = prefixes(5000, table=100)
    assert rt.create_many(rows) == []
    found = rt.dump(Route, table=100)
    assert {each.network for each in found} == {each.network for each in rows}
    assert {(each.protocol, each.type, each.scope, each.oif) for each in found} == {(4, 1, 0, link)}
    assert rt.delete_many(found) == []
    assert rt.create_many(found[::2]) == []
    assert len(rt.dump(Route, table=100)) == 2500
    assert rt.flush(Route, table=100) == 2500
    assert rt.create_many([]) == rt.delete_many(found[:0]) == []


def test_failures_in_their_place(rt: route.Conn[Any], link: int) -> None:
    rows = prefixes(2000)
    there = [3, 777, 1999]
    for row in there:
        rt.create(rows[row])
    failures = rt.create_many(rows)
    assert [failure.row for failure in failures] == there
    assert all(isinstance(failure.error, FileExistsError) for failure in failures)
    assert "replace changes it" in str(failures[0].error)
    assert len(rt.create_many(rows)) == 2000  # every answer had room
    assert rt.create_many(rows, ignore=(17,)) == rt.create_many(rows, replace=True) == []
    assert rt.delete_many(rows) == []
    assert [failure.row for failure in rt.delete_many(rows[:9])] == list(range(9))
    assert rt.index("v0") == link  # the connection is as before


def test_an_interrupt_at_any_moment(rt: route.Conn[Any], link: int) -> None:
    rows = prefixes(1000)
    assert rt.create_many(rows) == []
    hits = 0
    for interrupt in interrupted_at_random(lambda: rt.create_many(rows)):  # each of which is refused
        hits += interrupt is not None
        assert rt.index("v0") == link
        assert not rt.conn._exchange.inbox.abandoned
    assert hits


def test_a_row_that_does_not_fit_leaves_nothing_to_wait_for(rt: route.Conn[Any], link: int) -> None:
    with pytest.raises(ValueError, match="bits behind its length"):
        rt.create_many([*prefixes(5000), Route(dst="10.0.0.1", dst_len=8, oif=link)])
    assert not rt.conn._exchange.inbox.abandoned
    assert rt.index("v0") == link


def test_nothing_is_sent_if_one_is_wrong(rt: route.Conn[Any], link: int) -> None:
    wrong = Route(dst="10.99.0.0/24", gateway="192.0.2.2", nh_id=3)
    with pytest.raises(ValueError, match="has no gateway of its own"):
        rt.create_many([*prefixes(10), wrong])
    # Few routes have these fields, which lie apart from the others.
    rare = [{"ttl_propagate": 1}, {"via": Via("2001:db8::1")}]
    with pytest.raises(ValueError, match="has no via of its own"):
        rt.create_many([Route(dst="10.99.0.0/24", nh_id=3, **each) for each in rare])
    with pytest.raises(TypeError, match="want records of Route"):
        rt.create_many([*prefixes(10), Rule(priority=3)])
    assert len(rt.dump(Route, gateway="192.0.2.2")) == 0


def test_many_of_other_objects(rt: route.Conn[Any], link: int) -> None:
    hosts = [Neighbour(index=link, dst=f"192.0.2.{n}", lladdr=f"02:00:00:00:00:{n:02x}") for n in range(2, 200)]
    assert rt.create_many(hosts) == []
    assert len(rt.dump(Neighbour, index=link, family=AF_INET, state=0x80)) == len(hosts)
    assert rt.create_many([Address(index=link, address=f"10.0.{n}.1/24") for n in range(100)]) == []
    assert rt.create_many([Rule(priority=n, src=f"10.0.{n}.0/24", table=n) for n in range(100, 200)]) == []
    assert len([each for each in rt.dump(Rule) if 100 <= (each.priority or 0) < 200]) == 100
    rt.create(Nexthop(id=7, blackhole=True))
    by_nexthop = [Route(dst=f"10.1.{n}.0/24", nh_id=7) for n in range(100)]
    assert rt.create_many(by_nexthop) == []
    assert rt.delete_many(rt.dump(Route, nh_id=7)) == []


def test_many_with_asyncio(netns: Any, rt: route.Conn[Any], link: int) -> None:
    async def main() -> None:
        async with route.dial_async() as art:
            rows = prefixes(3000)
            assert await art.create_many(rows) == []
            assert len(await art.create_many(rows)) == 3000
            assert await art.delete_many(rows) == []

    asyncio.run(main())


def test_many_while_the_connection_is_printed(
    netns: Any, link: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NLDEBUG", "1")
    with route.dial() as rt:
        assert rt.create_many(prefixes(3)) == []
        assert [failure.row for failure in rt.create_many(prefixes(4))] == [0, 1, 2]
    assert "10.0.1.0" in capsys.readouterr().err


# Streams


def test_any_mix_in_order(rt: route.Conn[Any]) -> None:
    with route.listen(Link, Address, Route, Neighbour, Rule, Nexthop) as stream:
        index = rt.create(Link(name="v0", kind="bridge")).index
        rt.create(Address(index=index, address="192.0.2.1/24"))
        rt.up("v0")
        given = Route(dst="198.51.100.0/24", gateway="192.0.2.2", priority=7)
        rt.create(given)
        rt.replace(given.replace(gateway="192.0.2.3"))
        rt.create(Neighbour(index=index, dst="192.0.2.2", lladdr="02:00:00:00:00:02"))
        rt.create(Rule(priority=77, src="192.0.2.0/24"))
        rt.create(Nexthop(id=7, blackhole=True))
        rt.delete(Rule(priority=77))
        rt.delete(Link(name="v0"))
        stream.stop()
        # The bridge has neighbours of its own.
        ours = [each for each in stream if not isinstance(each, Neighbour) or str(each.dst) == "192.0.2.2"]
    seen = [(type(each), each.event) for each in ours]
    firsts = [seen.index((kind, Event.NEW)) for kind in (Link, Address, Route, Neighbour, Rule, Nexthop)]
    assert firsts == sorted(firsts)
    assert (Route, Event.REPLACE) in seen
    assert (Rule, Event.DEL) in seen
    assert [each for each in seen if each[0] is Link][-1] == (Link, Event.DEL)


def test_the_kernel_drops_events_of_other_tables(rt: route.Conn[Any], link: int) -> None:
    with route.listen(Route, Link, tables=[100, 1000], read_buffer=SMALL, on_overrun="mark") as stream:
        rt.create_many(prefixes(2000, table=7))
        rt.create_many(prefixes(3, table=1000))
        rt.down("v0")
        stream.stop()
        items = list(stream)
    assert stream.lost == 0
    assert not any(isinstance(item, Overrun) for item in items)
    assert [item.table for item in items if isinstance(item, Route)] == [1000] * 3
    assert any(isinstance(item, Link) for item in items)


def test_a_loss_is_made_good(rt: route.Conn[Any], link: int) -> None:
    with route.listen(Link, Route, read_buffer=SMALL, on_overrun="resync") as stream:
        rt.create_many(prefixes(3000))
        state: set[Any] = set()
        marks: list[Any] = []
        while ResyncEnd() not in marks:
            item = stream.read()
            if not isinstance(item, Batch):
                marks.append(item)
            elif len(item) and item[0].event is None:
                state |= {each.network for each in item if isinstance(each, Route)}
        assert marks == [ResyncBegin(stream.lost), ResyncEnd()]
        assert stream.lost > 0
        assert {each.network for each in prefixes(3000)} <= state


def test_what_cannot_be_listened_to(rt: route.Conn[Any]) -> None:
    with pytest.raises(ValueError, match="needs a class"):
        route.listen()
    with pytest.raises(TypeError, match="no events of NeighbourTable"):
        route.listen(route.NeighbourTable)
    with pytest.raises(ValueError, match="listen to Route"):
        route.listen(Link, tables=[7])
    with pytest.raises(TypeError, match="rtnetlink has objects"):
        route.listen(int)


# The mirror


def consistent(mirror: Mirror, rt: route.Conn[Any]) -> bool:
    """Whether the mirror has what the kernel has."""
    mirror.read(0)

    def ways(routes: Any) -> set[Any]:
        return {
            (each.family, each.table, each.network, each.priority or 0, each.oif, each.gateway, each.nh_id)
            for each in routes
        }

    return (
        {(each.index, each.name, each.flags) for each in mirror.links}
        == {(each.index, each.name, each.flags) for each in rt.dump(Link)}
        and {(each.index, each.ip) for each in mirror.addresses} == {(each.index, each.ip) for each in rt.dump(Address)}
        and ways(mirror.routes) == ways(rt.dump(Route))
        and {(each.index, each.dst) for each in mirror.neighbours}
        == {(each.index, each.dst) for each in rt.dump(Neighbour) if each.dst and each.state != NeighbourState.NOARP}
    )


def settle(mirror: Mirror, rt: route.Conn[Any]) -> None:
    eventually(lambda: consistent(mirror, rt), "the mirror is as the kernel")


def test_a_mirror_is_queried(rt: route.Conn[Any], link: int) -> None:
    rt.create(Route(dst="198.51.0.0/16", gateway="192.0.2.2"))
    rt.create(Route(dst="0.0.0.0/0", gateway="192.0.2.3"))
    rt.create(Neighbour(index=link, dst="192.0.2.2", lladdr="02:00:00:00:00:02"))
    with Mirror() as mirror:
        v0 = mirror.link("v0")
        assert v0 is not None
        assert mirror.link(link) == v0
        assert mirror.link("v1") is None
        assert "192.0.2.1/24" in {str(each.ip) for each in mirror.addresses_of(link)}
        rt.create(Route(dst="198.51.100.0/24", gateway="192.0.2.4", priority=9))
        rt.create(Route(dst="198.51.100.0/24", gateway="192.0.2.5", priority=3))
        settle(mirror, rt)
        for address, gateway in (("198.51.100.7", "192.0.2.5"), ("198.51.7.1", "192.0.2.2"), ("8.8.8.8", "192.0.2.3")):
            found = mirror.route(address)
            assert found is not None
            assert str(found.gateway) == gateway == str(rt.get(Route(dst=address)).gateway)
        assert mirror.route("198.51.100.7", table=7) is None
        neighbour = mirror.neighbour("192.0.2.2")
        assert neighbour is not None
        assert mirror.neighbour("192.0.2.2", link) == neighbour
        assert mirror.neighbour("192.0.2.2", 999) is None
        assert repr(mirror).startswith("<Mirror of ")


def test_changes_of_a_mirror(rt: route.Conn[Any], link: int) -> None:
    with Mirror() as mirror:
        given = Route(dst="198.51.100.0/24", gateway="192.0.2.2")
        rt.create(given)
        rt.replace(given.replace(gateway="192.0.2.3"))
        rt.delete(given.replace(gateway="192.0.2.3"))
        mirror.stop()
        changes = [
            (change.event, str(change.record.gateway), change.before is not None)
            for change in mirror.changes()
            if isinstance(change.record, Route)
        ]
    assert changes == [
        (Event.NEW, "192.0.2.2", False),
        (Event.NEW, "192.0.2.3", True),
        (Event.DEL, "192.0.2.3", True),
    ]


def test_routes_that_go_without_an_event(rt: route.Conn[Any], link: int) -> None:
    rt.create_many(prefixes(50))
    rt.create(Address(index=link, address="203.0.113.1/24"))
    rt.create(Route(dst="198.51.100.0/24", gateway="192.0.2.2", prefsrc="203.0.113.1"))
    with Mirror() as mirror:
        rt.delete(Address(index=link, address="203.0.113.1/24"))
        settle(mirror, rt)
        assert len(mirror.routes) > 50
        rt.down("v0")
        settle(mirror, rt)
        assert mirror.route("10.0.1.7") is None
        rt.up("v0")
        rt.delete(Link(name="v0"))
        settle(mirror, rt)
        assert mirror.link("v0") is None


def test_several_routes_of_one_destination(rt: route.Conn[Any], link: int) -> None:
    rt.create(Address(index=link, address="2001:db8::1/64", flags=route.AddressFlags.NODAD))
    with Mirror() as mirror:
        for gateway in ("192.0.2.2", "192.0.2.3", "192.0.2.4"):
            rt.append(Route(dst="198.51.100.0/24", gateway=gateway))
        for gateway in ("2001:db8::2", "2001:db8::3"):
            rt.append(Route(dst="2001:db8:1::/48", gateway=gateway))
        settle(mirror, rt)
        rt.replace(Route(dst="198.51.100.0/24", gateway="192.0.2.9"))
        settle(mirror, rt)
        rt.delete(Route(dst="2001:db8:1::/48", gateway="2001:db8::2"))
        settle(mirror, rt)
        rt.create(Nexthop(id=5, gateway="192.0.2.2", oif=link))
        rt.create(Nexthop(id=6, group=[GroupMember(id=5)]))
        rt.create(Route(dst="10.0.0.0/8", nh_id=6))
        rt.create(
            Route(dst="11.0.0.0/8", multipath=[Hop(gateway="192.0.2.2", oif=link), Hop(gateway="192.0.2.3", oif=link)])
        )
        settle(mirror, rt)


def test_a_mirror_after_a_flood(rt: route.Conn[Any], link: int, work: Any) -> None:
    rounds = fewer(5)

    def flood() -> None:
        with route.dial() as other:
            for _ in range(rounds):
                other.create_many(prefixes(2000))
                other.delete_many(prefixes(1500))
                other.create_many(prefixes(1700), replace=True)

    with Mirror(read_buffer=SMALL) as mirror:
        flood()  # which nobody reads
        settle(mirror, rt)
        assert mirror.lost > 0
        worker: Worker = work(flood)
        while not worker.done:
            mirror.read(0.01)
        worker.result()
        settle(mirror, rt)


def test_a_mirror_with_asyncio(netns: Any, rt: route.Conn[Any], link: int) -> None:
    async def main() -> None:
        async with Mirror() as mirror:
            rt.create(Route(dst="198.51.100.0/24", gateway="192.0.2.2"))
            async for change in mirror.changes():
                if isinstance(change.record, Route):
                    break
            assert mirror.route("198.51.100.1") is not None

    asyncio.run(main())


def test_a_closed_mirror_keeps_what_it_has(rt: route.Conn[Any], link: int) -> None:
    mirror = Mirror()
    mirror.close()
    assert mirror.closed
    assert mirror.link("v0") is not None
    with pytest.raises(OpError):
        mirror.read(0)
