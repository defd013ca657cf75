"""What type checkers must know of streams. Checked by mypy and pyright, never run."""

from collections.abc import Iterator
from enum import IntFlag
from typing import Never, assert_type

import netlink.stream
from netlink import Family, Overrun
from netlink.consts import RouteGroup
from netlink.schema import AttributeSet, Batch, event, string, u32
from netlink.stream import Kind, Resync, ResyncBegin, ResyncEnd, Stream


class Event(IntFlag):
    NEW = 1
    DEL = 2


class Link(AttributeSet):
    name = string(3)
    event = event(Event)


class Address(AttributeSet):
    label = string(3)
    flags = u32(8)


def opened() -> None:
    stream = netlink.stream.open(Family.ROUTE, {16: (Link, Event.NEW), 17: (Link, Event.DEL)}, groups=[RouteGroup.LINK])
    assert_type(stream, Stream[Link, Never])
    assert_type(next(stream), Link)
    assert_type(stream.read(0), Batch[Link])
    assert_type(next(stream).event, Event | None)
    assert_type(netlink.stream.open(Family.ROUTE, {16: Link}, read_buffer=1 << 20), Stream[Link, Never])


def marked() -> None:
    stream = netlink.stream.open(Family.ROUTE, [Kind(16, Link, Event.NEW, mask=1)], on_overrun="mark")
    assert_type(stream, Stream[Link, Overrun])
    assert_type(next(stream), Link | Overrun)
    for batch in stream.batches(idle=1):
        assert_type(batch, Batch[Link] | Overrun)


def links() -> Iterator[Batch[Link]]:
    yield Link.decode_many([])


def resynced() -> None:
    stream = netlink.stream.open(Family.ROUTE, {16: Link}, on_overrun="resync", resync=links)
    assert_type(stream, Stream[Link, Resync])
    for item in stream:
        match item:
            case ResyncBegin(lost):
                assert_type(lost, int)
            case ResyncEnd():
                pass
            case _:
                assert_type(item, Link)
        if isinstance(item, Resync):
            assert_type(item, ResyncBegin | ResyncEnd)


def several() -> None:
    kinds: list[Kind[Link] | Kind[Address]] = [Kind(16, Link, Event.NEW), Kind(20, Address)]
    stream: Stream[Link | Address, Never] = netlink.stream.open(Family.ROUTE, kinds)
    for item in stream:
        if isinstance(item, Link):
            assert_type(item.name, str | None)
        else:
            assert_type(item.flags, int | None)


async def awaited(stream: Stream[Link, Overrun]) -> None:
    assert_type(await stream.aread(1), Batch[Link] | Overrun)
    async for batch in stream.batches():
        assert_type(batch, Batch[Link] | Overrun)
    async for item in stream:
        assert_type(item, Link | Overrun)


def refused() -> None:
    netlink.stream.open(Family.ROUTE, {16: Link}, on_overrun="resync")  # type: ignore[call-overload] # pyright: ignore
    netlink.stream.open(Family.ROUTE, {16: Link}, on_overrun="drop")  # type: ignore[call-overload] # pyright: ignore
