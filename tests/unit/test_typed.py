"""Typed dumps over test doubles and both connections: their ends, their reports, and their memory."""

from __future__ import annotations

import errno
import struct
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from driven import Connect
from netlink import Conn, DecodeError, Header, HeaderFlags, HeaderType, Message, OpError
from netlink._engine.match import Condition, Match
from netlink.schema import AttributeSet, Batch, u32

MULTI = HeaderFlags.MULTI
INTERRUPTED = MULTI | HeaderFlags.DUMP_INTERRUPTED
SEQUENCE = 5
REQUEST = Message(Header(type=16, flags=HeaderFlags.REQUEST | HeaderFlags.DUMP, sequence=SEQUENCE))


class Item(AttributeSet):
    number = u32(1)


class Asked:
    """A socket that has what an iterator gives, one datagram for each receive, and no way to look."""

    def __init__(self, datagrams: Iterable[list[Message] | Exception]) -> None:
        self.datagrams = iter(datagrams)
        self.received = 0

    def close(self) -> None:
        pass

    def send(self, m: Message) -> None:
        pass

    def send_messages(self, ms: list[Message]) -> None:
        pass

    def receive(self) -> list[Message]:
        datagram = next(self.datagrams, None)
        assert datagram is not None, "the connection waits for what never comes"
        self.received += 1
        if isinstance(datagram, Exception):
            raise datagram
        return datagram


class Looked(Asked):
    """The same, which can be looked at."""

    def receive_nowait(self) -> list[Message] | None:
        datagram = next(self.datagrams, None)
        self.received += datagram is not None
        if isinstance(datagram, Exception):
            raise datagram
        return datagram


@pytest.fixture(params=[Asked, Looked])
def double(request: pytest.FixtureRequest) -> type[Asked]:
    kind: type[Asked] = request.param
    return kind


def item(number: int, flags: int = MULTI, sequence: int = SEQUENCE) -> Message:
    data = Item(number=number).encode()
    return Message(Header(16 + len(data), 16, flags, sequence), data)


def done(flags: int = MULTI, code: int = 0) -> Message:
    return Message(Header(20, HeaderType.DONE, flags, SEQUENCE), struct.pack("=i", code))


def items(*numbers: int) -> list[Message]:
    return [item(number) for number in numbers]


def numbers(parts: Iterable[Batch[Item]]) -> list[list[int | None]]:
    return [[one.number for one in part] for part in parts]


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        (1, [[1], [2], [3], [4], [5], [6], []]),
        (2, [[1, 2], [3, 4], [5, 6], []]),
        (3, [[1, 2, 3], [4, 5, 6], []]),
        (4, [[1, 2, 3, 4], [5, 6]]),
        (6, [[1, 2, 3, 4, 5, 6], []]),
        (7, [[1, 2, 3, 4, 5, 6]]),
    ],
)
@pytest.mark.parametrize(
    "datagrams",
    [
        [items(1, 2, 3, 4, 5, 6), [done()]],
        [[*items(1, 2, 3, 4, 5, 6), done()]],
        [items(1), items(2, 3), items(4, 5), [*items(6), done()]],
        [items(1, 2, 3, 4, 5, 6), []],
    ],
    ids=range(4),
)
def test_parts_have_just_so_many_rows(
    connect: Connect, double: type[Asked], datagrams: list[list[Message]], rows: int, want: list[list[int]]
) -> None:
    conn = connect(double(datagrams), 1)
    assert numbers(conn.iter_dump(REQUEST, Item, rows)) == want
    conn = connect(double(datagrams), 1)
    assert numbers([conn.dump(REQUEST, Item)]) == [[1, 2, 3, 4, 5, 6]]


def test_only_those_that_are_wanted(connect: Connect, double: type[Asked]) -> None:
    wanted = Match(Item, [[Condition((("number",),), ((2, 4), (6, 6)))]])
    datagrams = [items(1, 2), items(3), items(5, 7), [*items(4, 6), done()]]
    conn = connect(double(datagrams), 1)
    assert numbers(conn.iter_dump(REQUEST, Item, 2, match=wanted)) == [[2, 3], [4, 6], []]
    assert numbers([connect(double(datagrams), 1).dump(REQUEST, Item, match=wanted)]) == [[2, 3, 4, 6]]


@pytest.mark.parametrize("where", ["item", "end"])
def test_an_interruption_is_reported(connect: Connect, double: type[Asked], where: str) -> None:
    datagrams = [
        items(1, 2),
        [item(3, INTERRUPTED if where == "item" else MULTI)],
        [done(INTERRUPTED if where == "end" else MULTI)],
    ]
    assert connect(double(datagrams), 1).dump(REQUEST, Item).interrupted
    parts = list(connect(double(datagrams), 1).iter_dump(REQUEST, Item, 2))
    assert [part.interrupted for part in parts] == [False, True]
    assert not connect(double([items(1), [done()]]), 1).dump(REQUEST, Item).interrupted


def test_a_family_that_forgets_multi(connect: Connect) -> None:
    plain = [[item(1, 0)], [item(2, 0)]]
    assert numbers([connect(Looked(plain), 1).dump(REQUEST, Item)]) == [[1, 2]]
    conn = connect(Looked([*plain, [item(9, 0, 0)], [item(10, 0, 0)]]), 1)
    assert numbers(conn.iter_dump(REQUEST, Item, 5)) == [[1, 2]]
    assert [m.header.sequence for m in conn.receive()] == [0]
    assert len(conn.receive()) == 1
    assert numbers([connect(Asked([*plain, [done()]]), 1).dump(REQUEST, Item)]) == [[1, 2]]


def test_messages_after_the_end_are_for_the_next_receive(connect: Connect, double: type[Asked]) -> None:
    datagrams = [items(1), [item(2), done(), item(8, 0, 0), item(9, 0, 0)], [item(10, 0, 0)]]
    for read in (
        lambda conn: list(conn.iter_dump(REQUEST, Item, 1)),
        lambda conn: conn.dump(REQUEST, Item),
    ):
        conn = connect(double(datagrams), 1)
        read(conn)
        assert [m.data for m in conn.receive()] == [item(8).data, item(9).data]
        assert [m.data for m in conn.receive()] == [item(10).data]


def test_pending_messages_stay_in_order(connect: Connect, double: type[Asked]) -> None:
    conn = connect(double([]), 1)
    conn._exchange.inbox.pending.extend([[item(1), done(), item(8, 0, 0)], [item(9, 0, 0)]])
    assert numbers([conn.dump(REQUEST, Item)]) == [[1]]
    assert [conn.receive()[0].data for _ in range(2)] == [item(8).data, item(9).data]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ([item(3, sequence=6)], OpError),
        ([done(code=-errno.EIO)], OpError),
        ([Message(Header(18, HeaderType.ERROR, 0, SEQUENCE), b"\1\0")], DecodeError),
        ([item(1).replace(length=24, data=b"\xff\0\1\0" + bytes(4))], DecodeError),
        (OpError("receive", errno.ETIMEDOUT), OpError),
    ],
    ids=["foreign", "failed", "cut", "malformed", "deadline"],
)
def test_a_fault_in_the_middle(
    connect: Connect, double: type[Asked], fault: list[Message] | Exception, kind: type[Exception]
) -> None:
    late = [] if isinstance(fault, list) and fault[0].header.type < 16 else [items(4), [done()]]
    conn = connect(double([items(1, 2), fault, *late, [item(9, 0, 0)]]), 1)
    parts = conn.iter_dump(REQUEST, Item, 2)
    assert numbers([next(parts)]) == [[1, 2]]
    with pytest.raises(kind):
        next(parts)
    # What is late of it is dropped.
    assert [m.data for m in conn.receive()] == [item(9).data]
    assert not conn._exchange.inbox.abandoned


def test_left_early(connect: Connect) -> None:
    conn = connect(Looked([items(1, 2), items(3), [item(7, 0, 0)], [*items(4), done(), item(8, 0, 0)]]), 1)
    parts = conn.iter_dump(REQUEST, Item, 1)
    next(parts)
    parts.close()  # type: ignore[attr-defined]
    assert [conn.receive()[0].data for _ in range(2)] == [item(7).data, item(8).data]
    assert not conn._exchange.inbox.abandoned


def many(count: int) -> Iterator[list[Message]]:
    for first in range(0, count, 10):
        yield items(*range(first, first + 10))
    yield [done()]


def test_nothing_is_asked_for_ahead_or_held(connect: Connect, double: type[Asked]) -> None:
    sock = double(many(20_000))
    conn: Conn = connect(sock, 1)
    parts: Any = conn.iter_dump(REQUEST, Item, 20)
    assert len(next(parts)) == 20
    assert sock.received == 2
    assert len(next(parts)) == 20
    assert sock.received == 4
    tracemalloc.start()
    try:
        assert sum(map(len, parts)) == 20_000 - 40
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # All of the 20,000 messages would take some megabytes.
    assert peak < 200_000
