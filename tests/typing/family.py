"""What type checkers must know of families. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, assert_type

from netlink import Conn, OpError
from netlink.aio import AsyncConn
from netlink.consts import Family as Protocol
from netlink.family import C, Call, Deferred, Do, Dump, Family, Steps, dial, dial_async, verb
from netlink.schema import IP, AttributeSet, Batch, Int, ip, u32


class Item(AttributeSet):
    number: Int = u32(1)
    address: IP = ip(2)


class Found(AttributeSet):
    number: Int = u32(1)


class Items(Family[C], protocol=Protocol.ROUTE):
    if TYPE_CHECKING:

        @property
        def calls(self) -> Items[Deferred]: ...

    ping = Do(1)
    add = Do(16, Item)
    get = Do(18, Item, Found)
    dump = Dump(18, Item)
    search = Dump(18, Item, Found)

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
