"""What type checkers must know of families. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from enum import IntFlag
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Never, assert_type

from netlink import Conn, OpError, Overrun
from netlink.aio import AsyncConn
from netlink.consts import Family as Protocol
from netlink.family import C, Call, Deferred, Do, DoMany, Dump, Family, Listen, Steps, dial, dial_async, verb
from netlink.match import (
    Criteria,
    Criterion,
    ManyNetworks,
    ManyNumbers,
    Match,
    OneNumber,
    SomeBits,
    bits,
    fields,
    mask,
    networks,
    number,
    numbers,
    one_of,
)
from netlink.netfilter import conntrack, nflog
from netlink.netfilter.conntrack import Filter, Flow
from netlink.nltest import serve, serve_async
from netlink.schema import IP, AttributeSet, Batch, Field, Int, ip, nested, u32
from netlink.stream import Kind, Resync, Stream


class Item(AttributeSet):
    number: Int = u32(1)
    address: IP = ip(2)


class Found(AttributeSet):
    number: Int = u32(1)
    item: Field[Item | None] = nested(2, Item)


class Items(Family[C], protocol=Protocol.ROUTE):
    if TYPE_CHECKING:

        @property
        def calls(self) -> Items[Deferred]: ...

    ping = Do(1)
    add = Do(16, Item)
    get = Do(18, Item, Found)
    dump = Dump(18, Item)
    search = Dump(18, Item, Found)
    count = Do(19, None, Found)
    echo = Do(18, Item, Found, optional=True)
    beep = Do(18, None, Found, optional=True)
    some = DoMany(18, Item)
    others = DoMany(18, Item, Found)
    any = DoMany(18, None, Found)
    all = Dump(20, None, Found)
    changes = Listen({16: (Item, 1), 17: (Item, 2)}, groups=[1], state=dump)
    both = Listen([Kind[Item | Found](16, Item), Kind[Item | Found](17, Found)], groups=[1])

    @verb
    def one(self: Items[Deferred], number: int) -> Call[Found]:
        return self.get(number=number)

    @verb
    def clear(self: Items[Deferred], *, below: int = 5) -> Steps[int]:
        found: Batch[Item] = yield self.dump()
        yield [self.add(item) for item in found if item.number != below]
        return len(found)

    @verb
    def tail(self: Items[Deferred]) -> Steps[Batch[Item]]:
        yield self.ping()
        return self.dump()


def sync() -> None:
    with dial(Items, netns="blue") as items:
        assert_type(items, Items[Conn])
        assert_type(items.ping(), None)
        assert_type(items.add(number=1), None)
        assert_type(items.add(Item(number=1)), None)
        assert_type(items.get(number=1), Found)
        assert_type(items.dump(), Batch[Item])
        assert_type(items.search(address="::1"), Batch[Found])
        assert_type(items.one(3), Found)
        assert_type(items.clear(below=3), int)
        assert_type(items.tail(), Batch[Item])
        assert_type(items.calls.clear(), Call[int])
        assert_type(items.calls.dump(), Call[Batch[Item]])
        assert_type(items.iterate(items.calls.dump()), Iterator[Batch[Item]])
        assert_type(items.conn.execute(items.calls.get(number=1)), Found)
        assert_type(items.conn.execute_all(items.calls.get(number=n) for n in range(3)), list[Found | OpError])
        items.one("three")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        items.clear(above=3)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        items.add(Found())  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


async def asynchronous() -> None:
    async with dial_async(Items) as items:
        assert_type(items, Items[AsyncConn])
        assert_type(await items.ping(), None)
        assert_type(await items.get(number=1), Found)
        assert_type(await items.dump(), Batch[Item])
        assert_type(await items.clear(below=3), int)
        assert_type(await items.tail(), Batch[Item])
        assert_type(items.calls.one(3), Call[Found])
        assert_type(items.iterate(items.calls.dump()), AsyncIterator[Batch[Item]])


def unparametrized(items: Items) -> None:
    assert_type(items.dump(), Batch[Item])


def streams(items: Items) -> None:
    assert_type(items.changes(), Stream[Item, Never])
    assert_type(items.changes(on_overrun="mark", reliable=True), Stream[Item, Overrun])
    assert_type(items.changes(on_overrun="resync", read_buffer=1 << 20), Stream[Item, Resync])
    assert_type(items.both(), Stream[Item | Found, Never])
    assert_type(Items.changes, Listen[Item])
    items.changes(on_overrun="ignore")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    items.changes(groups=[1])  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]


def several(items: Items) -> None:
    assert_type(items.echo(number=1), Found | None)
    assert_type(items.beep(), Found | None)
    assert_type(items.some(number=1), Batch[Item])
    assert_type(items.others(Item()), Batch[Found])
    assert_type(items.any(), Batch[Found])
    assert_type(items.calls.echo(), Call[Found | None])
    assert_type(Call(16, b"", Item, optional=True), Call[Item | None])
    assert_type(Call(16, b"", Item, several=True), Call[Batch[Item]])
    items.echo(word="")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]


def nothing_sent(items: Items) -> None:
    assert_type(items.count(), Found)
    assert_type(items.all(), Batch[Found])
    items.count(3)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


def answer(item: Item) -> Found:
    return Found(number=item.number)


def doubles() -> None:
    items = serve(Items, {"get": answer, Items.dump: list[Item]})
    assert_type(items, Items[Conn])
    assert_type(items.get(number=1), Found)
    assert_type(serve(conntrack.Conn, {}).dump(), Batch[Flow])


async def async_doubles() -> None:
    async with serve_async(Items, {"get": answer}) as items:
        assert_type(items, Items[AsyncConn])
        assert_type(await items.get(number=1), Found)


async def families_of_the_package(flow: Flow, chosen: Filter) -> None:
    async with conntrack.dial_async(netns="blue") as ct:
        assert_type(await ct.dump(chosen), Batch[Flow])
        assert_type(await ct.get(flow), Flow)
        assert_type(await ct.flush(chosen), None)
        assert_type(ct.iter_dump(chosen), AsyncIterator[Batch[Flow]])
        assert_type(await ct.conn.execute_all(ct.calls.create(flow) for _ in range(3)), list[OpError | None])
        assert_type(ct.calls.dump(chosen), Call[Batch[Flow]])
        await ct.dump(family="inet")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    async with nflog.dial_async() as log:
        assert_type(await log.configure(group=5, cmd=nflog.ConfigCommand.BIND), None)
        assert_type(log.calls.configure(group=5), Call[None])
    with nflog.dial() as there:
        assert_type(there, nflog.Conn[Conn])
        assert_type(there.configure(nflog.Config(group=5)), None)


class Flags(IntFlag):
    UP = 1


class Which(Criteria[Found], declaration=Found):
    what: Criterion[Flags | None, Flags | None] = one_of("what", Flags)
    index: OneNumber = number("number")
    number: ManyNumbers = numbers("number")
    address: ManyNetworks = networks("item.address")
    item: Criterion[Item | None, Item | None] = fields("item", Item)
    mark: SomeBits = bits("number")
    mark_mask: SomeBits = mask()


def criteria(items: Items) -> None:
    chosen = Which(index=3, number=[1, range(5)], address="::/0", item=Item(number=1), mark=1, what=Flags.UP)
    assert_type(chosen.index, int | None)
    assert_type(chosen.number, tuple[int | range, ...])
    assert_type(chosen.address, tuple[IPv4Network | IPv6Network, ...])
    assert_type(chosen.item, Item | None)
    assert_type(chosen.match(), Match[Found])
    assert_type(chosen.without("index"), Which)
    assert_type(items.calls.search().matching(chosen.match()), Call[Batch[Found]])
    Which(colour=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    Which(index="3")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    chosen.index = 3  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
