"""Streams over datagrams that a peer makes up: sockets of NETLINK_USERSOCK need no privilege."""

from __future__ import annotations

import asyncio
import dis
import errno
import gc
import os
import pickle
import signal
import struct
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from enum import IntFlag
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import netlink.stream
from kernel.tools import Peer, Worker, datagram, on_signal, wait_blocked
from netlink import Config, DecodeError, Family, Header, HeaderType, Message, OpError, Overrun
from netlink._engine.match import Condition, Match
from netlink._engine.receive import StreamReader
from netlink._io.source import ItemSource, SocketSource, has_views, kinds_of
from netlink._transport import Socket
from netlink.schema import AttributeSet, Batch, be32, event, nested, repeated, u32, view
from netlink.stream import Kind as Kinded
from netlink.stream import ResyncBegin, ResyncEnd, Stream


class Kind(IntFlag):
    MADE = 1
    CHANGED = 2
    GONE = 4


class Item(AttributeSet):
    number = u32(1)
    seq = be32(2)
    kind = event(Kind)


class Viewed(AttributeSet):
    number = u32(1)
    seq = be32(2)
    kind = event(Kind)
    blob = view(3)


THING, GONE = 0x100, 0x102


def kinds(declaration: type[Any]) -> tuple[Kinded[Any], ...]:
    return (
        Kinded(THING, declaration, Kind.MADE, mask=0x600, flags=0x600),
        Kinded(THING, declaration, Kind.CHANGED, mask=0x600),
        Kinded(GONE, declaration, Kind.GONE),
    )


SLOT = 4096
QUEUE = 1 << 20  # bytes that may precede an acknowledgement


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def thing(number: int, *, seq: int | None = None, type_: int = THING, flags: int = 0, blob: bytes = b"") -> Message:
    data = attribute(1, struct.pack("=I", number))
    if seq is not None:
        data += attribute(2, struct.pack(">I", seq))
    if blob:
        data += attribute(3, blob)
    return Message(Header(type=type_, flags=flags), data)


# The second of its attributes has a width that number cannot have.
MALFORMED = Message(Header(type=THING), attribute(7, b"unknown") + attribute(1, b"12345"))


def verdict(error: int, sequence: int) -> Message:
    """An acknowledgement, or a refusal if error is not 0."""
    request = struct.pack("=IHHII", 16, THING, 5, sequence, 0)
    return Message(Header(type=HeaderType.ERROR, sequence=sequence), struct.pack("=i", -error) + request)


class Plain(AttributeSet):
    number = u32(1)


def odd(declaration: type[Any]) -> Match[Any]:
    """Wants the records 1, 3, 5 and 7."""
    return Match(declaration, [[Condition((("number",),), tuple((n, n) for n in (1, 3, 5, 7)))]])


def over(sock: Socket, reader: Any, **options: Any) -> Stream[Any, Any]:
    return Stream(SocketSource(sock, reader, (Item,)), **options)


def numbers(batch: Batch[Any]) -> list[int | None]:
    return [item.number for item in batch]


@pytest.fixture
def sock() -> Iterator[Socket]:
    with closing(Socket(Family.USERSOCK, Config())) as sock:
        yield sock


@pytest.fixture
def peer(sock: Socket) -> Iterator[Peer]:
    with Peer(sock.pid) as peer:
        peer.sock.bind((0, 0))
        yield peer


Make = Callable[..., Any]


@pytest.fixture(params=[Item, Viewed], ids=["ring", "views"])
def reader(request: pytest.FixtureRequest, sock: Socket, peer: Peer) -> Make:
    """Makes a reader of what the peer sends, of either way to receive."""

    def make(**options: Any) -> Any:
        declaration = request.param
        counter = declaration.seq if options.pop("counts", False) else None
        values: dict[str, Any] = {"counter": counter, "slot": SLOT} | options
        port = peer.sock.getsockname()[0]
        chosen = values.pop("kinds", kinds(declaration))
        return StreamReader(sock, chosen, views=declaration is Viewed, sender=port, **values)

    return make


# The reader


def test_what_a_message_is_comes_from_its_type_and_flags(reader: Make, peer: Peer) -> None:
    stream = reader()
    peer.send(
        thing(1, flags=0x600),
        thing(2, flags=0x605),
        thing(3),
        thing(4, flags=0x100),
        thing(5, type_=GONE, flags=0x600),
        thing(6, flags=0x200),  # one of two flags: of no kind
        thing(7, type_=0x101),
        thing(8, type_=GONE),
    )
    batch = stream.read(100, True)
    assert [(item.number, item.kind) for item in batch] == [
        (1, Kind.MADE),
        (2, Kind.MADE),
        (3, Kind.CHANGED),
        (4, Kind.CHANGED),
        (5, Kind.GONE),
        (8, Kind.GONE),
    ]
    assert stream.lost == 0
    assert not stream.ended


def test_numpy_distinguishes_events(reader: Make, peer: Peer) -> None:
    stream = reader()
    peer.send(thing(1, flags=0x600), thing(1), thing(1, type_=GONE))
    assert stream.read(100, True).to_numpy()["kind"].tolist() == [1, 2, 4]


def test_without_an_event_none_is_set(reader: Make, peer: Peer) -> None:
    stream = reader(kinds=[Kinded(THING, Item)])
    peer.send(thing(1, flags=0x600))
    (item,) = stream.read(100, True)
    assert item.kind is None


def test_an_event_is_compared_and_pickled_with_the_record(reader: Make, peer: Peer) -> None:
    stream = reader()
    peer.send(thing(1), thing(1), thing(1, type_=GONE))
    one, same, gone = stream.read(100, True)
    assert one == same
    assert one != gone
    assert pickle.loads(pickle.dumps(gone)).kind is Kind.GONE


def test_nothing_queued_is_an_empty_batch(reader: Make) -> None:
    assert len(reader().read(100, False)) == 0


def test_at_most_so_many_rows_and_the_rest_later(reader: Make, peer: Peer) -> None:
    stream = reader()
    peer.send(*[thing(n) for n in range(5)])
    peer.send(*[thing(n) for n in range(5, 7)])
    assert [numbers(stream.read(3, False)) for _ in range(4)] == [[0, 1, 2], [3, 4, 5], [6], []]


def test_gaps_in_the_counter_are_what_is_lost(reader: Make, peer: Peer) -> None:
    stream = reader(counts=True)
    peer.send(thing(1, seq=0), thing(2, seq=1))
    stream.read(100, True)
    assert stream.lost == 0
    peer.send(thing(3, seq=5))
    assert numbers(stream.read(100, True)) == [3]
    assert stream.lost == 3
    peer.send(thing(4))  # has none: nothing is known of it
    assert numbers(stream.read(100, True)) == [4]
    assert stream.lost == 3


def test_the_counter_starts_at_0_and_wraps_at_32_bits(reader: Make, peer: Peer) -> None:
    stream = reader(counts=True)
    peer.send(thing(1, seq=2**32 - 2))
    stream.read(100, True)
    assert stream.lost == 2**32 - 2
    peer.send(thing(2, seq=2**32 - 1), thing(3, seq=0), thing(4, seq=1))
    stream.read(100, True)
    assert stream.lost == 2**32 - 2
    peer.send(thing(5, seq=2**32 - 1), thing(6, seq=1))
    stream.read(100, True)
    assert stream.lost == 2**32 - 2 + 2**32 - 3 + 1


def test_datagrams_of_other_sockets_are_ignored(reader: Make, peer: Peer, sock: Socket) -> None:
    stream = reader(counts=True)
    with Peer(sock.pid) as stranger:
        stranger.send(thing(1, seq=9))
        stranger.send_bytes(b"\xff" * 64)
        stranger.send_bytes(bytes(SLOT + 4))
        stranger.send_bytes(b"abcd")
        peer.send(thing(2, seq=0))
        assert numbers(stream.read(100, True)) == [2]
        assert stream.lost == 0
        stranger.send(verdict(0, 7))
        peer.send(verdict(0, 7))
        stream.take_acknowledgement(7, QUEUE)


def test_a_long_datagram_of_another_socket_is_no_loss(reader: Make, peer: Peer, sock: Socket) -> None:
    stream = reader(slot=64)
    long = [thing(n) for n in range(10)]
    with Peer(sock.pid) as stranger:
        stranger.send(*long)
    assert numbers(stream.read(100, False)) == []
    assert stream.lost == 0
    peer.send(*long)  # as long, and too long still: the slot has not grown
    assert numbers(stream.read(100, True)) == []
    assert stream.lost == 1


def test_a_datagram_longer_than_a_slot_is_lost_and_makes_slots_longer(reader: Make, peer: Peer) -> None:
    stream = reader(slot=64)
    long = [thing(n) for n in range(10)]
    peer.send(thing(100))
    peer.send(*long)
    peer.send(thing(101))
    assert numbers(stream.read(100, True)) in ([100], [100, 101])
    while numbers(stream.read(100, False)):
        pass
    assert stream.lost == 1
    peer.send(*long)
    assert numbers(stream.read(100, True)) == list(range(10))
    assert stream.lost == 1


def test_a_loss_alone_ends_a_wait(reader: Make, peer: Peer) -> None:
    stream = reader(slot=32)
    peer.send(*[thing(n) for n in range(10)])
    assert len(stream.read(100, True)) == 0
    assert stream.lost == 1


def test_a_malformed_message_is_reported_after_the_records_before_it(reader: Make, peer: Peer) -> None:
    stream = reader()
    peer.send(thing(1), MALFORMED, thing(2))
    peer.send(thing(3))
    assert numbers(stream.read(100, True)) == [1]
    with pytest.raises(DecodeError, match=r"^(Item|Viewed)\.number: want 4 bytes, got 5, at byte 16$"):
        stream.read(100, True)
    assert numbers(stream.read(100, True)) == [2, 3]


def test_a_malformed_first_message(reader: Make, peer: Peer) -> None:
    stream = reader()
    for _ in range(3):
        peer.send(MALFORMED)
        with pytest.raises(DecodeError):
            stream.read(100, True)
    peer.send(thing(1))
    assert numbers(stream.read(100, True)) == [1]


@pytest.mark.parametrize("length", [0, 15, 100, 2**32 - 1])
def test_a_wrong_message_length_costs_the_datagram(reader: Make, peer: Peer, length: int) -> None:
    stream = reader()
    header = struct.pack("=IHHII", length, THING, 0, 0, 0)
    peer.send_bytes(datagram(thing(1)) + header + datagram(thing(2)))
    peer.send(thing(3))
    assert numbers(stream.read(100, True)) == [1]
    with pytest.raises(DecodeError, match="length"):
        stream.read(100, True)
    assert numbers(stream.read(100, True)) == [3]


def test_a_few_bytes_behind_the_last_message_are_no_message(reader: Make, peer: Peer) -> None:
    stream = reader()
    peer.send_bytes(datagram(thing(1)) + bytes(15))
    assert numbers(stream.read(100, True)) == [1]
    peer.send_bytes(bytes(3))
    peer.send(thing(2))
    assert numbers(stream.read(100, True)) == [2]


def test_the_last_message_may_lack_its_padding(reader: Make, peer: Peer) -> None:
    stream = reader()
    data = attribute(1, struct.pack("=I", 7)) + attribute(9, b"xyz")[:-1]
    peer.send_bytes(struct.pack("=IHHII", 16 + len(data), THING, 0, 0, 0) + data)
    assert numbers(stream.read(100, True)) == [7]


def test_netlink_s_own_messages_are_passed_over(reader: Make, peer: Peer) -> None:
    stream = reader()
    own = [Message(Header(type=type_, flags=2), bytes([0, 0, 0, 200])) for type_ in range(16)]
    peer.send(thing(1), *own, verdict(errno.EPERM, 0), verdict(errno.EPERM, 5), thing(2))
    assert numbers(stream.read(100, True)) == [1, 2]


def test_an_acknowledgement_is_awaited_and_nothing_before_it_is_lost(reader: Make, peer: Peer) -> None:
    stream = reader()
    peer.send(thing(1))
    peer.send(verdict(0, 4))
    peer.send(thing(2), verdict(0, 5), thing(3))
    stream.take_acknowledgement(5, QUEUE)
    assert numbers(stream.read(100, True)) == [1, 2, 3]


def test_an_acknowledgement_that_the_kernel_dropped_is_not_awaited(reader: Make, peer: Peer) -> None:
    stream = reader(counts=True)
    for number in range(8):
        peer.send(thing(number, seq=number))
    # The rest of these comes after the send, and the answer could not be behind it.
    with pytest.raises(OpError) as caught:
        stream.take_acknowledgement(5, 3 * 512)
    assert (caught.value.errno, caught.value.sequence) == (errno.ENOBUFS, 5)
    with pytest.raises(OpError) as caught:
        stream.take_acknowledgement(6, QUEUE)
    assert (caught.value.errno, caught.value.sequence) == (errno.ENOBUFS, 6)
    assert numbers(stream.read(100, False)) == list(range(8))
    assert stream.lost == 0


def test_a_refusal_is_an_operror(reader: Make, peer: Peer) -> None:
    stream = reader()
    peer.send(verdict(errno.EPERM, 5))
    with pytest.raises(PermissionError) as caught:
        stream.take_acknowledgement(5, QUEUE)
    assert isinstance(caught.value, OpError)
    assert (caught.value.op, caught.value.sequence) == ("receive", 5)


def test_an_acknowledgement_too_short_for_an_errno(reader: Make, peer: Peer) -> None:
    stream = reader()
    peer.send(Message(Header(type=HeaderType.ERROR, sequence=5), b"\0\0"))
    with pytest.raises(DecodeError):
        stream.take_acknowledgement(5, QUEUE)
    peer.send(verdict(0, 5))
    stream.take_acknowledgement(5, QUEUE)


def test_a_malformed_message_before_an_acknowledgement_is_reported_and_nothing_is_lost(
    reader: Make, peer: Peer
) -> None:
    stream = reader()
    peer.send(thing(1))
    peer.send(MALFORMED, thing(2), verdict(0, 5))
    with pytest.raises(DecodeError, match="number"):
        stream.take_acknowledgement(5, QUEUE)
    stream.take_acknowledgement(5, QUEUE)
    assert numbers(stream.read(100, True)) == [1, 2]


def test_a_reader_ends_with_the_given_acknowledgement(reader: Make, peer: Peer) -> None:
    stream = reader()
    stream.end_when_empty(2)
    peer.send(thing(1), verdict(0, 1))
    peer.send(thing(2), verdict(0, 2), thing(3))
    assert numbers(stream.read(100, True)) == [1, 2]
    assert stream.ended
    assert len(stream.read(100, True)) == 0


def test_views_stay_unchanged(sock: Socket, peer: Peer) -> None:
    stream = StreamReader(sock, kinds(Viewed), slot=512, views=True, sender=peer.sock.getsockname()[0])
    views: list[tuple[memoryview, bytes]] = []
    for n in range(200):
        blobs = [bytes([n, i]) * (1 + i) for i in range(4)]
        peer.send(*[thing(i, blob=blob) for i, blob in enumerate(blobs)])
        # The datagram is handed out in two parts.
        for rows in (3, 3):
            batch = stream.read(rows, True)
            for item, blob in zip(batch, blobs[:rows], strict=True):
                assert item.blob is not None
                views.append((item.blob, blob))
            blobs = blobs[rows:]
    gc.collect()
    assert all(view == blob and view.readonly for view, blob in views)


def test_a_datagram_in_parts_outlives_its_first_batch(sock: Socket, peer: Peer) -> None:
    stream = StreamReader(sock, kinds(Viewed), slot=1 << 16, views=True, sender=peer.sock.getsockname()[0])
    peer.send(thing(0, blob=bytes(50_000)))
    before = stream.read(1, True)
    peer.send(*[thing(i, blob=bytes([i]) * 4000) for i in range(12)])
    first, _ = stream.read(1, True), stream.read(1, True)
    # The memory of one released batch is reused for the next one. That of another is freed.
    del before, first
    others = [b"\xff" * size for size in range(1 << 12, 1 << 16, 1 << 10)]
    items = [stream.read(1, True)[0] for _ in range(10)]
    assert [(item.number, bytes(item.blob)) for item in items] == [(i, bytes([i]) * 4000) for i in range(2, 12)]
    assert others


def test_a_reader_needs_declarations(sock: Socket) -> None:
    with pytest.raises(TypeError, match="declares no fields"):
        StreamReader(sock, [(THING, int, None, 0, 0, None)], slot=SLOT)  # type: ignore[list-item]
    with pytest.raises(TypeError, match="Plain declares no event"):
        StreamReader(sock, [Kinded(THING, Plain, 1)], slot=SLOT)
    with pytest.raises(TypeError, match="a match is for none of the declarations"):
        StreamReader(sock, [Kinded(THING, Plain)], matches=[odd(Item)], slot=SLOT)
    for number in (-1, 256):
        with pytest.raises(OverflowError):
            StreamReader(sock, [Kinded(THING, Item, number)], slot=SLOT)


# The stream


@pytest.fixture
def stream(reader: Make, sock: Socket) -> Iterator[Stream[Any, Any]]:
    with over(sock, reader()) as stream:
        yield stream


def test_records_one_by_one(stream: Stream[Any, Any], peer: Peer) -> None:
    peer.send(thing(1), thing(2))
    peer.send(thing(3))
    assert iter(stream) is stream
    assert [next(stream).number for _ in range(3)] == [1, 2, 3]
    assert stream.lost == 0
    assert stream.read_buffer() > 0


@pytest.mark.parametrize("rows", [0, -1, True, 1.5, None])
def test_max_rows_is_checked(stream: Stream[Any, Any], rows: Any) -> None:
    for call in (stream.batches, partial(stream.read, 0), lambda rows: asyncio.run(stream.aread(0, rows))):
        with pytest.raises(ValueError, match="max_rows must be an int of at least 1"):
            call(rows)


@pytest.mark.parametrize("timeout", [-1, -0.1, float("nan")])
def test_seconds_are_checked(stream: Stream[Any, Any], timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout must be None or at least 0 seconds"):
        stream.read(timeout)
    with pytest.raises(ValueError, match="timeout must be None or at least 0 seconds"):
        asyncio.run(stream.aread(timeout))
    with pytest.raises(ValueError, match="idle must be None or at least 0 seconds"):
        stream.batches(idle=timeout)


def test_batches_have_at_most_max_rows(stream: Stream[Any, Any], peer: Peer) -> None:
    peer.send(*[thing(n) for n in range(10)])
    assert next(stream).number == 0
    assert numbers(stream.read(max_rows=4)) == [1, 2, 3, 4]
    batches = stream.batches(3)
    assert iter(batches) is batches
    assert [numbers(next(batches)) for _ in range(2)] == [[5, 6, 7], [8, 9]]


def test_records_before_an_acknowledgement_are_read_in_parts_too(reader: Make, sock: Socket, peer: Peer) -> None:
    source = reader()
    peer.send(*[thing(n) for n in range(7)])
    peer.send(verdict(0, 5))
    source.take_acknowledgement(5, QUEUE)
    with over(sock, source) as stream:
        assert [numbers(batch) for batch in stream.batches(3, idle=0)] == [[0, 1, 2], [3, 4, 5], [6]]


@pytest.mark.parametrize("timeout", [0, 1e-9, 0.01])
def test_a_timeout_returns_an_empty_batch_if_nothing_is_queued(
    stream: Stream[Any, Any], peer: Peer, timeout: float
) -> None:
    assert len(stream.read(timeout)) == 0
    # Even where the time has passed before the first look.
    peer.send(thing(1))
    assert numbers(stream.read(timeout)) == [1]
    assert len(stream.read(timeout)) == 0
    assert list(stream.batches(idle=timeout)) == []
    # It holds for this call alone.
    peer.send(thing(2))
    assert next(stream).number == 2


def test_a_timeout_ends_with_its_batch(stream: Stream[Any, Any], peer: Peer) -> None:
    peer.send(thing(1))
    end = time.monotonic() + 0.05
    assert numbers(stream.read(0.05)) == [1]
    while time.monotonic() <= end:
        time.sleep(0.01)
    reading = Worker(lambda: next(stream).number)
    reading.wait_receiving()
    peer.send(thing(2))
    assert reading.result() == 2


def test_an_endless_timeout(stream: Stream[Any, Any], peer: Peer) -> None:
    peer.send(thing(1))
    assert numbers(stream.read(float("inf"))) == [1]


def test_a_stream_that_ends(reader: Make, sock: Socket, peer: Peer) -> None:
    source = reader()
    source.end_when_empty(9)
    with over(sock, source) as stream:
        peer.send(thing(1), thing(2), verdict(0, 9))
        assert [item.number for item in stream] == [1, 2]
        assert list(stream) == list(stream.batches()) == []

        async def again() -> list[Any]:
            return [item async for item in stream] + [batch async for batch in stream.batches()]

        assert asyncio.run(again()) == []


def test_a_malformed_message_does_not_end_a_stream(stream: Stream[Any, Any], peer: Peer) -> None:
    peer.send(thing(1), MALFORMED, thing(2))
    assert next(stream).number == 1
    with pytest.raises(DecodeError):
        next(stream)
    assert next(stream).number == 2


# What is lost


class Script(ItemSource[Item]):
    """A source with steps: the numbers of records, and the number of losses with them."""

    most = 1000

    def __init__(self, *steps: tuple[list[int], int]) -> None:
        super().__init__((), Item)
        self.steps = list(steps)
        self.waits: list[bool] = []

    def queue(self) -> int:
        return self.most

    def read(self, rows: int, wait: bool, into: list[Batch[Item]]) -> None:
        self.step(wait, into)

    def step(self, wait: bool, into: list[Batch[Item]]) -> None:
        self.waits.append(wait)
        assert self.steps or self.ended or not wait, "it would wait for ever"
        numbers, lost = self.steps.pop(0) if self.steps and not self.ended else ([], 0)
        self.lost += lost
        into.append(batch_of(*numbers))


def batch_of(*of: int) -> Batch[Item]:
    return Item.decode_many([Item(number=n).encode() for n in of])


def taken(stream: Any, count: int) -> list[Any]:
    """Numbers of records, and marks, one by one."""
    return [item.number if isinstance(item, Item) else item for item in (next(stream) for _ in range(count))]


def scripted(script: Script, **options: Any) -> Stream[Item, Any]:
    return Stream(script, **options)


def test_overrun_is_raised_after_the_queued_records_and_the_stream_continues(sock: Socket) -> None:
    # The first batch shows the loss; later records may have been queued before it.
    script = Script(([1], 5), ([2, 3], 0), ([], 0), ([4], 0))
    with scripted(script, on_overrun="raise") as stream:
        assert [next(stream).number for _ in range(3)] == [1, 2, 3]
        assert script.waits == [True, False]
        with pytest.raises(Overrun) as caught:
            next(stream)
        assert caught.value.lost == stream.lost == 5
        assert next(stream).number == 4


def test_a_full_queue_s_worth_at_most_is_read_before_an_overrun_is_verdict(sock: Socket) -> None:
    script = Script(([1], 5), *[([n], 0) for n in range(100)])
    script.most = most = 50
    with scripted(script, on_overrun="raise") as stream:
        assert [next(stream).number for _ in range(1 + most)] == [1, *range(most)]
        with pytest.raises(Overrun):
            next(stream)


def test_overruns_add_up_to_what_is_lost(sock: Socket) -> None:
    script = Script(([1], 5), ([2], 7), ([], 0), ([3], 0), ([], 2), ([4], 0))
    with scripted(script, on_overrun="mark") as stream:
        seen = [next(stream) for _ in range(7)]
        assert [item.lost if isinstance(item, Overrun) else item.number for item in seen] == [1, 2, 5, 3, 7, 4, 2]
        assert stream.lost == 14


def test_a_mark_between_batches(sock: Socket) -> None:
    script = Script(([1, 2, 3], 4), ([], 0), ([4], 0))
    with scripted(script, on_overrun="mark") as stream:
        batches = stream.batches(2)
        seen = [next(batches) for _ in range(4)]
        assert [item.lost if isinstance(item, Overrun) else numbers(item) for item in seen] == [[1, 2], [3], 4, [4]]


def test_a_loss_without_records_is_reported(sock: Socket) -> None:
    with scripted(Script(([], 4)), on_overrun="mark") as stream:
        item = stream.read(0)
        assert isinstance(item, Overrun)
        assert item.lost == 4
        assert "read_buffer" in str(item)


def test_a_loss_that_only_a_number_shows_does_not_end_a_wait(sock: Socket) -> None:
    with scripted(Script(([], 4), ([1], 0), ([], 1))) as stream:
        assert numbers(stream.read()) == [1]
        assert len(stream.read(0)) == 0
        assert stream.lost == 5


def test_resync_puts_the_table_behind_the_backlog(sock: Socket) -> None:
    asked: list[int] = []

    def table() -> Iterator[Batch[Item]]:
        asked.append(1)
        yield batch_of(101, 102, 103)
        yield batch_of()
        yield batch_of(104)

    script = Script(([1], 5), ([2], 0), ([], 0), ([3], 0))
    with scripted(script, on_overrun="resync", resync=table) as stream:
        assert taken(stream, 4) == [1, 2, ResyncBegin(5), 101]
        assert [numbers(stream.read(max_rows=1)) for _ in range(2)] == [[102], [103]]
        assert taken(stream, 3) == [104, ResyncEnd(), 3]
        assert (asked, stream.lost) == ([1], 5)


def test_a_resync_that_fails_is_begun_again(sock: Socket) -> None:
    tries: list[int] = []

    def table() -> Iterator[Batch[Item]]:
        tries.append(1)
        yield batch_of(101)
        if len(tries) == 1:
            raise OpError("receive", errno.EINTR)

    with scripted(Script(([], 1), ([], 0), ([7], 0)), on_overrun="resync", resync=table) as stream:
        assert taken(stream, 2) == [ResyncBegin(1), 101]
        with pytest.raises(OpError):
            next(stream)
        # The second begins without an end of the first, and has lost nothing more.
        assert taken(stream, 4) == [ResyncBegin(0), 101, ResyncEnd(), 7]


def test_a_resync_that_cannot_begin_reports_the_loss_when_it_can(sock: Socket) -> None:
    tries: list[int] = []

    def table() -> Iterator[Batch[Item]]:
        tries.append(1)
        if len(tries) == 1:
            raise OpError("send", errno.ENOBUFS)
        return iter([batch_of(101)])

    with scripted(Script(([], 3), ([], 0)), on_overrun="resync", resync=table) as stream:
        with pytest.raises(OpError):
            next(stream)
        assert taken(stream, 3) == [ResyncBegin(3), 101, ResyncEnd()]


def test_a_resync_of_nothing_has_a_begin_and_an_end(sock: Socket) -> None:
    with scripted(Script(([], 3), ([], 0)), on_overrun="resync", resync=lambda: iter(())) as stream:
        assert [stream.read(0), stream.read(0)] == [ResyncBegin(3), ResyncEnd()]
        assert len(stream.read(0)) == 0


def test_a_loss_during_a_resync_causes_another_one(sock: Socket) -> None:
    script = Script(([1], 5), ([], 0), ([2], 0), ([], 0))

    def table() -> Iterator[Batch[Item]]:
        yield batch_of(101)
        if script.lost == 5:
            script.lost += 4
        yield batch_of(102)

    with scripted(script, on_overrun="resync", resync=table) as stream:
        first = [1, ResyncBegin(5), 101, 102, ResyncEnd()]
        assert taken(stream, 10) == [*first, 2, ResyncBegin(4), 101, 102, ResyncEnd()]


def test_a_resync_is_requested_without_a_loss(sock: Socket) -> None:
    script = Script(([1], 0), ([2], 0), ([], 0), ([3], 0))
    with scripted(script, on_overrun="resync", resync=lambda: iter([batch_of(101)])) as stream:
        assert next(stream).number == 1
        stream.resync()
        assert taken(stream, 5) == [2, ResyncBegin(0), 101, ResyncEnd(), 3]


def test_a_resync_requested_in_a_resync_follows_it(sock: Socket) -> None:
    script = Script(([], 1), ([], 0), ([], 0), ([3], 0))
    with scripted(script, on_overrun="resync", resync=lambda: iter([batch_of(101)])) as stream:
        assert next(stream) == ResyncBegin(1)
        stream.resync()
        assert taken(stream, 6) == [101, ResyncEnd(), ResyncBegin(0), 101, ResyncEnd(), 3]


def test_a_stream_without_a_resync_refuses_a_request_for_one(stream: Stream[Any, Any]) -> None:
    with pytest.raises(ValueError, match="has no resync"):
        stream.resync()


def test_marks_are_values() -> None:
    begin = ResyncBegin(3)
    assert (begin, hash(begin)) == (ResyncBegin(3), hash(ResyncBegin(3)))
    assert begin != ResyncBegin(4)
    assert begin != 3
    assert (ResyncEnd(), hash(ResyncEnd())) == (ResyncEnd(), hash(ResyncEnd()))
    assert ResyncEnd() != begin
    assert repr([begin, ResyncEnd()]) == "[ResyncBegin(lost=3), ResyncEnd()]"
    assert pickle.loads(pickle.dumps([begin, ResyncEnd()])) == [begin, ResyncEnd()]
    match begin:
        case ResyncBegin(lost):
            assert lost == 3


# Signals

PACKAGE = str(Path(netlink.__file__).parent)


def interrupted(stream: Stream[Any, Any], call: Callable[[], Any], nth: int) -> Any:
    """The result of call, with a KeyboardInterrupt after the nth call in the code of the package or of a script.

    It is there, and where functions and rounds of loops begin, that CPython looks for signals.
    """
    calls = 0

    def on_opcode(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal calls
        if event == "opcode":
            if called.pop(frame, False):
                calls += 1
                if calls == nth:
                    raise KeyboardInterrupt
            called[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("CALL")
        return on_opcode

    def on_call(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        # A step of a script is one, as a receive in C.
        steps = code.co_qualname.endswith(("Script.read", "Ending.read"))
        if not (code.co_filename.startswith(PACKAGE) or steps) or code.co_name == "__del__":
            return None
        frame.f_trace = on_opcode  # before f_trace_opcodes, which counts for nothing in CPython 3.13 without it
        frame.f_trace_opcodes = True
        return on_opcode

    called: dict[FrameType, bool] = {}
    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        return call()
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("way", ["next", "batches", "read"])
def test_an_interrupt_at_any_moment_loses_nothing(sock: Socket, way: str) -> None:
    for nth in range(1, 200):
        script = Script(([1, 2, 3, 4], 0), ([5], 0))
        stream = scripted(script, on_overrun="raise")
        ways: dict[str, Callable[[], Any]] = {
            "next": partial(next, stream),
            "batches": partial(next, stream.batches(1)),
            "read": partial(stream.read, 60, max_rows=1),
        }
        try:
            interrupted(stream, ways[way], nth)
        except KeyboardInterrupt:
            # And the lock was released.
            assert next(stream).number == 1
        else:
            assert nth > 1, "it was never interrupted"
            assert next(stream).number == 2
            stream._locks.close()
            return
        stream._locks.close()
    raise AssertionError("it never ended")


# Closing


def test_closed(stream: Stream[Any, Any], sock: Socket, peer: Peer) -> None:
    assert stream.fileno() == sock.fileno()
    assert repr(stream) == "<netlink.stream.Stream of Item>"
    peer.send(thing(1), thing(2))
    next(stream)
    stream.close()
    stream.close()
    assert (stream.closed, stream.fileno()) == (True, -1)
    assert repr(stream) == "<netlink.stream.Stream of Item closed>"
    assert sock.closed

    async def first(of: Any) -> Any:
        return await anext(of)

    calls: list[Callable[[], Any]] = [
        lambda: next(stream),
        stream.read,
        lambda: stream.read(0),
        lambda: asyncio.run(first(stream)),
        lambda: asyncio.run(first(stream.batches())),
    ]
    for call in calls:
        with pytest.raises(OpError) as caught:
            call()
        assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("timeout", [None, 60])
def test_close_ends_all_threads_that_wait(stream: Stream[Any, Any], timeout: float | None) -> None:
    reading = Worker(lambda: stream.read(timeout))
    reading.wait_receiving()
    waiting = Worker(lambda: next(stream))
    waiting.wait_for_lock()
    stream.close()
    for worker in (reading, waiting):
        with pytest.raises(OpError) as caught:
            worker.result()
        assert caught.value.errno == errno.EBADF


def test_a_timeout_holds_while_another_thread_reads(stream: Stream[Any, Any], peer: Peer) -> None:
    reading = Worker(lambda: next(stream).number)
    reading.wait_receiving()
    assert len(stream.read(0)) == 0
    assert len(stream.read(0.01)) == 0
    assert not reading.done
    peer.send(thing(1))
    assert reading.result() == 1


def test_a_read_within_a_read_is_reported_and_no_deadlock(sock: Socket) -> None:
    class Nosy(Script):
        def read(self, rows: int, wait: bool, into: list[Batch[Item]]) -> None:
            with pytest.raises(OpError) as caught:
                next(stream)
            assert caught.value.errno == errno.EBUSY
            super().read(rows, wait, into)

    with scripted(Nosy(([1], 0))) as stream:
        assert next(stream).number == 1


def test_each_record_goes_to_one_thread(stream: Stream[Any, Any], peer: Peer) -> None:
    total = 4000

    def consume() -> list[int]:
        got: list[int] = []
        while True:
            number = next(stream).number
            if number == total:
                return got
            got.append(number)

    workers = [Worker(consume) for _ in range(4)]
    for start in range(0, total, 20):
        peer.send(*[thing(n) for n in range(start, start + 20)])
    for _ in workers:
        peer.send(thing(total))
    got = [worker.result() for worker in workers]
    assert sorted(n for part in got for n in part) == list(range(total))
    assert all(part == sorted(part) for part in got)


def test_an_unclosed_stream_warns_and_leaves_nothing_open(reader: Make, sock: Socket) -> None:
    class Other:
        closed = False

        def close(self) -> None:
            self.closed = True

    other = Other()
    streams = [over(sock, reader(), owns=(other,))]
    with pytest.warns(ResourceWarning, match=r"^unclosed <netlink\.stream\.Stream of Item>$"):
        streams.clear()
    assert sock.closed
    assert other.closed


def test_a_closed_stream_closes_what_it_owns_and_is_silent(reader: Make, sock: Socket) -> None:
    with Socket(Family.USERSOCK, Config()) and closing(Socket(Family.USERSOCK, Config())) as other:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with over(sock, reader(), owns=(other,)) as stream:
                pass
            del stream
            gc.collect()
        assert other.closed


# In an event loop


def test_async_for(stream: Stream[Any, Any], peer: Peer) -> None:
    async def main() -> list[int]:
        got: list[int] = []
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: peer.send(thing(1), thing(2)))
        async with stream:
            async for item in stream:
                got.append(item.number)
                if item.number == 2:
                    loop.call_soon(lambda: peer.send(thing(3), thing(4)))
                    break
            async for batch in stream.batches():
                got += numbers(batch)  # type: ignore[arg-type]
                break
        return got

    assert asyncio.run(main()) == [1, 2, 3, 4]
    assert stream.closed


def test_async_batches_with_a_timeout(stream: Stream[Any, Any], peer: Peer) -> None:
    async def main() -> None:
        for timeout in (0, 0.01):
            assert len(await stream.aread(timeout)) == 0
            peer.send(thing(1))
            assert numbers(await stream.aread(timeout)) == [1]

    asyncio.run(main())


def test_threads_and_then_a_loop_and_then_threads(stream: Stream[Any, Any], peer: Peer) -> None:
    async def first() -> int:
        number: int = (await anext(stream)).number
        return number

    assert len(stream.read(0.001)) == 0
    for n in range(3):
        peer.send(thing(n))
        assert asyncio.run(first()) == n
        peer.send(thing(n))
        assert next(stream).number == n


def test_cancelled_tasks_lose_nothing(stream: Stream[Any, Any], peer: Peer) -> None:
    async def main() -> list[int]:
        got: list[int] = []
        for n in range(200):
            task = asyncio.ensure_future(anext(stream))
            # Cancelled at one or other of its steps, or not at all.
            for _ in range(n % 5):
                await asyncio.sleep(0)
            peer.send(thing(n))
            for _ in range(n // 5 % 5):
                await asyncio.sleep(0)
            task.cancel()
            try:
                got.append((await task).number)
            except asyncio.CancelledError:
                pass
            else:
                assert not task.cancelled()
        while len(batch := await stream.aread(0)):
            got += numbers(batch)  # type: ignore[arg-type]
        return got

    assert asyncio.run(main()) == list(range(200))


def test_tasks_share_a_stream(stream: Stream[Any, Any], peer: Peer) -> None:
    total = 500

    async def consume(got: list[int]) -> None:
        while (number := (await anext(stream)).number) < total:
            got.append(number)

    async def by_batches(got: list[int]) -> None:
        async for batch in stream.batches(7):
            got += [n for n in numbers(batch) if n is not None and n < total]
            if ends := numbers(batch).count(total):
                for _ in range(ends - 1):
                    peer.send(thing(total))  # those were for others
                return

    async def main() -> list[list[int]]:
        parts: list[list[int]] = [[], [], []]
        tasks = [asyncio.ensure_future(f(part)) for f, part in zip((consume, consume, by_batches), parts, strict=True)]
        for n in range(total):
            peer.send(thing(n))
            if n % 10 == 0:
                await asyncio.sleep(0)
        for _ in tasks:
            peer.send(thing(total))
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks)
        return parts

    parts = asyncio.run(main())
    assert sorted(n for part in parts for n in part) == list(range(total))


def test_an_event_loop_gets_losses_in_order(sock: Socket) -> None:
    async def main() -> list[Any]:
        script = Script(([1], 5), ([2], 0), ([], 0), ([3], 0))
        with scripted(script, on_overrun="mark") as stream:
            return [await anext(stream) for _ in range(4)]

    seen = asyncio.run(main())
    assert [item.lost if isinstance(item, Overrun) else item.number for item in seen] == [1, 2, 5, 3]


def test_a_stream_closed_before_its_first_wait(stream: Stream[Any, Any]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(stream.close)  # while it lets the others run
        with pytest.raises(OpError) as caught:
            await anext(stream)
        assert caught.value.errno == errno.EBADF

    asyncio.run(main())


def test_a_datagram_of_two_records_serves_two_tasks(stream: Stream[Any, Any], peer: Peer) -> None:
    async def main() -> list[Any]:
        tasks = [asyncio.ensure_future(anext(stream)) for _ in range(2)]
        for _ in range(3):
            await asyncio.sleep(0)
        peer.send(thing(1), thing(2))
        async with asyncio.timeout(10):
            return [item.number for item in await asyncio.gather(*tasks)]

    assert sorted(asyncio.run(main())) == [1, 2]


def test_two_streams_in_one_loop(stream: Stream[Any, Any], peer: Peer) -> None:
    with closing(Socket(Family.USERSOCK, Config())) as sock, Peer(sock.pid) as second:
        second.sock.bind((0, 0))
        source = StreamReader(sock, kinds(Item), slot=SLOT, sender=second.sock.getsockname()[0])
        other = over(sock, source)

        async def consume(of: Stream[Any, Any]) -> list[int]:
            return [(await anext(of)).number for _ in range(100)]

        async def produce() -> None:
            for n in range(100):
                peer.send(thing(n))
                second.send(thing(1000 + n))
                await asyncio.sleep(0)

        async def main() -> list[Any]:
            async with other, asyncio.timeout(10):
                return list(await asyncio.gather(consume(stream), consume(other), produce()))

        first, others, _ = asyncio.run(main())
        assert first == list(range(100))
        assert others == list(range(1000, 1100))


def test_a_stream_that_never_runs_dry_lets_other_tasks_run(sock: Socket) -> None:
    class Endless(Script):
        def read(self, rows: int, wait: bool, into: list[Batch[Item]]) -> None:
            into.append(batch_of(1))

    with scripted(Endless()) as stream:

        async def main() -> int:
            rounds = 0
            finished = asyncio.ensure_future(asyncio.sleep(0, True))
            async for _ in stream:
                rounds += 1
                if finished.done() or rounds > 100:
                    return rounds
            return 0

        assert asyncio.run(main()) < 10


def test_close_ends_tasks_that_wait(stream: Stream[Any, Any]) -> None:
    async def main() -> list[Any]:
        tasks = [asyncio.ensure_future(anext(stream)), asyncio.ensure_future(stream.aread(60))]
        for _ in range(3):
            await asyncio.sleep(0)
        stream.close()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [error.errno for error in asyncio.run(main())] == [errno.EBADF] * 2


def test_close_from_another_thread_ends_tasks_that_wait(stream: Stream[Any, Any], sock: Socket) -> None:
    async def main() -> list[Any]:
        tasks = [asyncio.ensure_future(anext(stream)) for _ in range(2)]
        for _ in range(3):
            await asyncio.sleep(0)
        thread = threading.Thread(target=stream.close)
        thread.start()
        async with asyncio.timeout(10):
            results = await asyncio.gather(*tasks, return_exceptions=True)
        thread.join()
        return results

    assert [error.errno for error in asyncio.run(main())] == [errno.EBADF] * 2
    assert sock.closed


def test_close_where_the_loop_only_rests(stream: Stream[Any, Any], sock: Socket) -> None:
    with closing(asyncio.new_event_loop()) as loop:

        async def start() -> asyncio.Future[Any]:
            task = asyncio.ensure_future(anext(stream))
            for _ in range(3):
                await asyncio.sleep(0)
            return task

        task = loop.run_until_complete(start())
        stream.close()
        assert sock.closed
        with pytest.raises(OpError) as caught:
            loop.run_until_complete(task)
        assert caught.value.errno == errno.EBADF


def test_one_loop_at_a_time(stream: Stream[Any, Any]) -> None:
    async def first() -> Any:
        return await anext(stream)

    async def main() -> None:
        task = asyncio.ensure_future(first())
        for _ in range(3):
            await asyncio.sleep(0)
        other = Worker(lambda: asyncio.run(first()))
        with pytest.raises(RuntimeError, match="another event loop"):
            other.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_a_wait_leaves_nothing_behind_in_the_loop(stream: Stream[Any, Any], peer: Peer) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(stream.aread(60))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not loop.remove_reader(stream.fileno())
        assert not stream._readiness._futures
        start = time.monotonic()
        peer.send(thing(1))
        assert (await anext(stream)).number == 1
        assert time.monotonic() - start < 30  # not the timer of what was cancelled

    asyncio.run(main())


# Several declarations


class Other(AttributeSet):
    number = u32(1)
    kind = event(Kind)


OTHER = 0x110


@pytest.fixture
def mixed(sock: Socket, peer: Peer) -> Make:
    """Makes a reader of two declarations, or three: of a ring, or of views."""

    def make(views: bool, **options: Any) -> Any:
        first: type[Any] = Viewed if views else Item
        chosen = [*kinds(first), Kinded(OTHER, Other, Kind.GONE), Kinded(OTHER + 1, Plain)]
        port = peer.sock.getsockname()[0]
        return StreamReader(sock, chosen, views=views, sender=port, **({"slot": SLOT} | options))

    return make


def classes(batch: Batch[Any]) -> tuple[str, list[int | None]]:
    """The class of a batch's records, and their numbers."""
    (name,) = {type(item).__name__ for item in batch}
    return name, numbers(batch)


@pytest.mark.parametrize("views", [False, True])
def test_a_batch_has_one_class_and_batches_are_in_order(mixed: Make, peer: Peer, views: bool) -> None:
    stream = mixed(views)
    first = "Viewed" if views else "Item"
    peer.send(thing(1), thing(2, flags=0x600), thing(3, type_=OTHER), thing(4))
    peer.send(thing(5))
    peer.send(thing(6, type_=OTHER + 1), thing(7, type_=0x199), thing(8, type_=OTHER), thing(9, type_=OTHER))
    batches = [stream.read(100, True) for _ in range(5)]
    wanted = [(first, [1, 2]), ("Other", [3]), (first, [4, 5]), ("Plain", [6]), ("Other", [8, 9])]
    assert [classes(batch) for batch in batches] == wanted
    assert [item.kind for item in batches[0]] == [Kind.CHANGED, Kind.MADE]
    assert [item.kind for item in batches[4]] == [Kind.GONE, Kind.GONE]
    assert len(stream.read(100, False)) == 0


def test_rows_are_counted_through_changes_of_class(mixed: Make, peer: Peer) -> None:
    stream = mixed(False)
    peer.send(*[thing(n, type_=(THING, OTHER)[n // 3 % 2]) for n in range(12)])
    assert [numbers(stream.read(2, False)) for _ in range(8)] == [[0, 1], [2], [3, 4], [5], [6, 7], [8], [9, 10], [11]]


def test_views_of_several_classes_stay_unchanged(mixed: Make, peer: Peer) -> None:
    stream = mixed(True)
    batches: list[Any] = []
    for n in range(50):
        peer.send(
            thing(1, blob=bytes([n]) * 40), thing(2, type_=OTHER), thing(3, blob=bytes([n]) * 50), thing(4, type_=OTHER)
        )
        batches += [stream.read(9, True) for _ in range(4)]
    for n in range(50):
        assert [bytes(batches[4 * n + i][0].blob) for i in (0, 2)] == [bytes([n]) * 40, bytes([n]) * 50]


def test_a_match_of_one_class_leaves_the_others_alone(mixed: Make, peer: Peer) -> None:
    stream = mixed(False, matches=[odd(Other)])
    peer.send(thing(2), thing(2, type_=OTHER), thing(4), thing(3, type_=OTHER), thing(4, type_=OTHER), thing(6))
    wanted = [("Item", [2]), ("Item", [4]), ("Other", [3]), ("Item", [6])]
    assert [classes(stream.read(9, True)) for _ in wanted] == wanted


def test_batches_without_matches_are_skipped(mixed: Make, peer: Peer) -> None:
    stream = mixed(False, matches=[odd(Item)])
    peer.send(thing(2), thing(4))
    peer.send(thing(6), thing(1, type_=OTHER))
    assert classes(stream.read(9, True)) == ("Other", [1])


def test_a_malformed_message_is_reported_with_its_own_declaration(mixed: Make, peer: Peer) -> None:
    stream = mixed(False)
    malformed = Message(Header(type=OTHER), attribute(1, b"12345"))
    peer.send(thing(1), malformed, thing(2))
    assert classes(stream.read(9, True)) == ("Item", [1])
    with pytest.raises(DecodeError, match=r"^Other\.number"):
        stream.read(9, True)
    assert classes(stream.read(9, True)) == ("Item", [2])


@pytest.mark.parametrize("views", [False, True])
def test_an_acknowledgement_behind_several_classes(mixed: Make, peer: Peer, views: bool) -> None:
    stream = mixed(views)
    peer.send(thing(1), thing(2, type_=OTHER), thing(3))
    peer.send(thing(4, type_=OTHER), verdict(0, 5), thing(5, type_=OTHER))
    stream.take_acknowledgement(5, QUEUE)
    assert [numbers(stream.read(9, False)) for _ in range(5)] == [[1], [2], [3], [4, 5], []]


def test_many_kinds(sock: Socket, peer: Peer) -> None:
    chosen = [Kinded(0x200 + n, Item, Kind.MADE if n % 2 else Kind.GONE) for n in range(100)]
    stream = StreamReader(sock, chosen, slot=SLOT, sender=peer.sock.getsockname()[0])
    peer.send(*[thing(n, type_=0x200 + n) for n in range(101)])
    batch = stream.read(200, True)
    assert [(item.number, item.kind) for item in batch] == [(n, (Kind.GONE, Kind.MADE)[n % 2]) for n in range(100)]


# Datagrams that are fed


@pytest.fixture(params=[Item, Viewed], ids=["ring", "views"])
def fed(request: pytest.FixtureRequest) -> Make:
    """Makes a reader without a socket."""

    def make(**options: Any) -> Any:
        declaration = request.param
        counter = declaration.seq if options.pop("counts", False) else None
        values: dict[str, Any] = {"counter": counter, "slot": SLOT} | options
        return StreamReader(None, kinds(declaration), views=declaration is Viewed, **values)

    return make


def test_what_is_fed_needs_no_socket(fed: Make) -> None:
    stream = fed()
    assert len(stream.read(9, True)) == 0
    stream.feed([thing(1, flags=0x600), thing(2), thing(3, type_=0x199), thing(4, type_=GONE)])
    with pytest.raises(ValueError, match="not been read yet"):
        stream.feed([thing(5)])
    assert [(item.number, item.kind) for item in stream.read(2, True)] == [(1, Kind.MADE), (2, Kind.CHANGED)]
    assert [(item.number, item.kind) for item in stream.read(9, True)] == [(4, Kind.GONE)]
    stream.feed([thing(6)])
    assert numbers(stream.read(9, False)) == [6]
    assert stream.lost == 0
    assert not stream.ended


def test_losses_in_what_is_fed(fed: Make) -> None:
    stream = fed(counts=True)
    stream.feed([thing(1, seq=0), thing(2, seq=3)])
    assert numbers(stream.read(9, False)) == [1, 2]
    assert stream.lost == 2


def test_views_of_fed_messages_stay_unchanged() -> None:
    stream = StreamReader(None, kinds(Viewed), slot=SLOT, views=True)
    batches: list[Any] = []
    for n in range(20):
        stream.feed([thing(1, blob=bytes([n]) * 40), thing(2, blob=bytes([n]) * 50)])
        batches += [stream.read(1, False), stream.read(1, False)]
    assert [bytes(batch[0].blob) for batch in batches] == [bytes([n]) * size for n in range(20) for size in (40, 50)]


def test_several_classes_are_fed() -> None:
    chosen: Any = [*kinds(Item), Kinded(OTHER, Other, Kind.GONE)]
    stream: Any = StreamReader(None, chosen, slot=SLOT)
    stream.feed([thing(1), thing(2, type_=OTHER), thing(3)])
    assert [classes(stream.read(9, False)) for _ in range(3)] == [("Item", [1]), ("Other", [2]), ("Item", [3])]


def test_errors_in_what_is_fed(fed: Make) -> None:
    stream = fed()
    stream.feed([thing(1), MALFORMED, thing(2)])
    assert numbers(stream.read(9, False)) == [1]
    with pytest.raises(DecodeError, match=r"\.number"):
        stream.read(9, False)
    assert numbers(stream.read(9, False)) == [2]


def test_answers_are_fed(fed: Make) -> None:
    stream = fed()
    stream.feed([thing(1), verdict(0, 5), thing(2)])
    stream.take_acknowledgement(5, QUEUE)
    assert numbers(stream.read(9, False)) == [1, 2]
    stream.feed([verdict(errno.EPERM, 6)])
    with pytest.raises(OpError) as caught:
        stream.take_acknowledgement(6, QUEUE)
    assert (caught.value.errno, caught.value.sequence) == (errno.EPERM, 6)


@pytest.mark.parametrize("sequence", [0, 5])
def test_the_end_of_what_is_fed(fed: Make, sequence: int) -> None:
    stream = fed()
    stream.feed([thing(1), verdict(0, 5), thing(2)])
    stream.end_when_empty(sequence)
    assert numbers(stream.read(9, True)) == ([1] if sequence else [1, 2])
    assert len(stream.read(9, True)) == 0
    assert stream.ended


def test_fed_messages_precede_those_of_the_socket(reader: Make, peer: Peer) -> None:
    stream = reader()
    peer.send(thing(3))
    peer.send(thing(4))
    assert numbers(stream.read(1, True)) == [3]
    stream.feed([thing(1), thing(2)])
    assert numbers(stream.read(9, False)) == [1, 2, 4]


def test_a_full_batch_leaves_the_next_datagram_alone(reader: Make, peer: Peer) -> None:
    stream = reader(slot=512)
    peer.send(thing(1))
    peer.send_bytes(datagram(thing(2)) + bytes(600))
    assert numbers(stream.read(1, False)) == [1]
    assert stream.lost == 0
    assert numbers(stream.read(1, False)) == []
    assert stream.lost == 1


# Reading by calls


def test_read_gives_what_is_there(stream: Stream[Any, Any], peer: Peer) -> None:
    assert len(stream.read(0)) == 0
    peer.send(*[thing(n) for n in range(5)])
    assert numbers(stream.read(max_rows=2)) == [0, 1]
    assert numbers(stream.read(60)) == [2, 3, 4]

    async def main() -> None:
        assert len(await stream.aread(0)) == 0
        assert len(await stream.aread(0.001)) == 0
        peer.send(*[thing(n) for n in range(5)])
        assert numbers(await stream.aread(max_rows=2)) == [0, 1]
        assert numbers(await stream.aread(60)) == [2, 3, 4]

    asyncio.run(main())


def test_batches_end_when_idle(stream: Stream[Any, Any], peer: Peer) -> None:
    peer.send(thing(1), thing(2))
    batches = stream.batches(1, idle=0.001)
    assert [numbers(batch) for batch in batches] == [[1], [2]]
    peer.send(thing(3))
    assert [numbers(batch) for batch in batches] == [[3]]

    async def main() -> list[Any]:
        return [numbers(batch) async for batch in batches]

    peer.send(thing(4))
    assert asyncio.run(main()) == [[4]]


def test_a_batch_longer_than_a_task_takes_loses_nothing(reader: Make, sock: Socket, peer: Peer) -> None:
    total = 5000  # more than a stream reads at once
    source = reader()
    for start in range(0, total, 50):
        peer.send(*[thing(n) for n in range(start, start + 50)])
        if start % 1000 == 0:
            peer.send(verdict(0, 5))
            source.take_acknowledgement(5, QUEUE)
    peer.send(verdict(0, 6))
    source.take_acknowledgement(6, QUEUE)

    async def main() -> list[int]:
        with over(sock, source) as stream:
            return [(await anext(stream)).number for _ in range(total)]

    assert asyncio.run(main()) == list(range(total))


# The end that is asked for


def test_stop_ends_after_the_queued_records(stream: Stream[Any, Any], peer: Peer) -> None:
    peer.send(thing(1), thing(2), thing(3))
    assert next(stream).number == 1
    stream.stop()
    stream.stop()
    assert [item.number for item in stream] == [2, 3]
    assert list(stream) == list(stream.batches()) == []
    assert len(stream.read()) == 0

    async def main() -> None:
        assert len(await stream.aread()) == 0
        assert [item async for item in stream] == []

    asyncio.run(main())
    stream.close()
    stream.stop()


def test_stop_ends_threads_that_wait(stream: Stream[Any, Any]) -> None:
    reading = Worker(lambda: list(stream))
    reading.wait_receiving()
    timed = Worker(lambda: len(stream.read(60)))
    waiting = Worker(lambda: list(stream.batches()))
    waiting.wait_for_lock()
    stream.stop()
    assert [reading.result(), timed.result(), waiting.result()] == [[], 0, []]


def test_stop_while_records_arrive_loses_none_of_them(stream: Stream[Any, Any], peer: Peer) -> None:
    got: list[int] = []
    reading = Worker(lambda: got.extend(item.number for item in stream))
    for n in range(2000):
        peer.send(thing(n))
    stream.stop()
    reading.result()
    assert got == list(range(2000))


@pytest.mark.parametrize("call", [lambda s: list(s), lambda s: list(s.batches()), lambda s: len(s.read(60))])
def test_stop_in_a_signal_handler(stream: Stream[Any, Any], call: Callable[[Any], Any]) -> None:
    def interrupt() -> None:
        wait_blocked(threading.main_thread().native_id or 0, "ppoll")
        os.kill(os.getpid(), signal.SIGUSR1)

    with on_signal(signal.SIGUSR1, lambda number, frame: stream.stop()):
        worker = Worker(interrupt)
        assert not call(stream)
        worker.result()


def test_stop_ends_tasks_that_wait(stream: Stream[Any, Any], peer: Peer) -> None:
    async def collect() -> list[int]:
        return [item.number async for item in stream]

    async def main(stop: Callable[[], Any]) -> list[list[int]]:
        tasks = [asyncio.ensure_future(collect()) for _ in range(2)]
        for _ in range(3):
            await asyncio.sleep(0)
        stop()
        async with asyncio.timeout(10):
            return list(await asyncio.gather(*tasks))

    assert asyncio.run(main(lambda: threading.Thread(target=stream.stop).start())) == [[], []]


def test_a_signal_handler_stops_a_stream_in_an_event_loop(stream: Stream[Any, Any]) -> None:
    async def main() -> list[Any]:
        async with asyncio.timeout(20):
            return [item async for item in stream]

    def interrupt() -> None:
        wait_blocked(threading.main_thread().native_id or 0, "epoll_wait", "epoll_pwait")
        os.kill(os.getpid(), signal.SIGUSR1)

    start = time.monotonic()
    with on_signal(signal.SIGUSR1, lambda number, frame: stream.stop()):
        worker = Worker(interrupt)
        assert asyncio.run(main()) == []
        worker.result()
    assert time.monotonic() - start < 15  # not the timeout


def test_a_resync_ends_before_a_stream_that_was_stopped() -> None:
    script = Script(([], 3), ([], 0))
    with scripted(script, on_overrun="resync", resync=lambda: iter([batch_of(1), batch_of(2)])) as stream:
        assert next(stream) == ResyncBegin(3)
        stream.stop()
        assert [item if isinstance(item, ResyncEnd) else item.number for item in stream] == [1, 2, ResyncEnd()]


def test_a_resync_wakes_waiting_readers(reader: Make, sock: Socket) -> None:
    with over(sock, reader(), on_overrun="resync", resync=lambda: iter([batch_of(101)])) as stream:
        reading = Worker(lambda: taken(stream, 3))
        reading.wait_receiving()
        stream.resync()
        assert reading.result() == [ResyncBegin(0), 101, ResyncEnd()]

        async def main() -> list[Any]:
            task = asyncio.ensure_future(anext(stream))
            for _ in range(3):
                await asyncio.sleep(0)
            stream.resync()
            async with asyncio.timeout(10):
                return [await task, (await anext(stream)).number, await anext(stream)]

        assert asyncio.run(main()) == [ResyncBegin(0), 101, ResyncEnd()]


def test_an_interrupt_at_any_moment_of_a_resync_loses_nothing() -> None:
    class Ending(Script):
        def read(self, rows: int, wait: bool, into: list[Batch[Item]]) -> None:
            self.ended = not self.steps
            super().read(rows, wait, into)

    for nth in range(1, 300):
        script = Ending(([1], 5), ([], 0), ([2], 0), ([], 0))
        seen: list[Any] = []
        resync = partial(map, batch_of, (101, 102))
        with scripted(script, on_overrun="resync", resync=resync) as stream:

            def read(stream: Any = stream, seen: list[Any] = seen) -> None:
                for item in stream:
                    seen.append(item.number if isinstance(item, Item) else item)

            try:
                interrupted(stream, read, nth)
            except KeyboardInterrupt:
                read()
            else:
                assert seen == [1, ResyncBegin(5), 101, 102, ResyncEnd(), 2]
                assert nth > 5, "it was never interrupted"
                return
        # The last resync is complete, and what was lost is reported.
        begins = [n for n, item in enumerate(seen) if isinstance(item, ResyncBegin)]
        last = begins[-1] if begins else -1
        state = [item for item in seen[last + 1 :] if item not in (1, 2)]
        assert state == [101, 102, ResyncEnd()], (nth, seen)
        assert [item for item in seen if item in (1, 2, ResyncBegin(5))] == [1, ResyncBegin(5), 2], (nth, seen)
    raise AssertionError("it never ended")


# Without a kernel


def test_given_items_are_a_stream() -> None:
    items = [Item(number=1), batch_of(2, 3), Overrun(4), Plain(number=5), Overrun(1), Item(number=6)]
    with Stream(ItemSource(items, Item, Plain), on_overrun="mark") as stream:
        assert repr(stream) == "<netlink.stream.Stream of Item, Plain>"
        seen = [item.lost if isinstance(item, Overrun) else item for item in stream]
        assert seen == [Item(number=1), Item(number=2), Item(number=3), 4, Plain(number=5), 1, Item(number=6)]
        assert (stream.lost, stream.fileno()) == (5, -1)
        assert list(stream) == []

    async def main() -> list[Any]:
        with Stream(ItemSource(items, Item, Plain), on_overrun="mark") as stream:
            return [len(item) if isinstance(item, Batch) else item.lost async for item in stream.batches()]

    assert asyncio.run(main()) == [1, 2, 4, 1, 1, 1]


def test_given_records_keep_their_events(reader: Make, peer: Peer) -> None:
    source = reader()
    peer.send(thing(1), thing(2, type_=GONE), thing(3, flags=0x600))
    batch = source.read(9, True)
    with Stream(ItemSource([batch[1], batch[2]], type(batch[0]))) as stream:
        assert [(item.number, item.kind) for item in stream] == [(2, Kind.GONE), (3, Kind.MADE)]


def test_given_records_may_lie_in_others() -> None:
    """Inside another record, and in the list of one."""

    class Outer(AttributeSet):
        inner = nested(1, Item)
        items = repeated(2, Item)

    outer = Outer.decode(Outer(inner=Item(number=1), items=[Item(number=2), Item(number=3)]).encode())
    with Stream(ItemSource([outer.inner, *outer.items], Item)) as stream:
        assert [item.number for item in stream] == [1, 2, 3]


def test_given_losses_are_raised_or_resynced() -> None:
    with Stream(ItemSource([Overrun(4), Item(number=1)], Item), on_overrun="raise") as stream:
        with pytest.raises(Overrun):
            next(stream)
        assert next(stream).number == 1
    source = ItemSource([Overrun(4), Item(number=1)], Item)
    with Stream(source, on_overrun="resync", resync=lambda: iter([batch_of(7)])) as stream:
        assert [getattr(item, "number", item) for item in stream] == [ResyncBegin(4), 7, ResyncEnd(), 1]


def test_given_items_end_where_they_are_stopped() -> None:
    with Stream(ItemSource([Item(number=n) for n in range(9)], Item)) as stream:
        next(stream)
        stream.stop()
        assert list(stream) == []


# open


def test_open_checks_its_arguments_before_it_opens_anything() -> None:
    with pytest.raises(ValueError, match="'raise', 'mark', 'resync', not 'ignore'"):
        netlink.stream.open(Family.USERSOCK, {THING: Item}, on_overrun="ignore")  # type: ignore[call-overload]
    for options in ({"on_overrun": "resync"}, {"resync": list}):
        with pytest.raises(ValueError, match="need each other"):
            netlink.stream.open(Family.USERSOCK, {THING: Item}, **options)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="resync takes a function"):
        netlink.stream.open(Family.USERSOCK, {THING: Item}, on_overrun="resync", resync=5)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="objects with a method close, not 5"):
        netlink.stream.open(Family.USERSOCK, {THING: Item}, owns=[5])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="at least one kind"):
        netlink.stream.open(Family.USERSOCK, {})


@pytest.mark.parametrize("kinds", [5, "x", [5], [("a", 1)], {THING: 5}, {THING: Message}, [Kinded(THING, int)]])
def test_kinds_of_a_wrong_type_are_a_typeerror(kinds: Any) -> None:
    with pytest.raises(TypeError):
        netlink.stream.open(Family.USERSOCK, kinds)
    with pytest.raises(TypeError):
        netlink.stream.open_source(Family.USERSOCK, kinds)


def test_a_config_of_a_wrong_type_is_a_typeerror() -> None:
    config: Any = {"netns": None}
    with pytest.raises(TypeError, match=r"config must be a netlink\.Config"):
        netlink.stream.open(Family.USERSOCK, {THING: Item}, config=config)
    with pytest.raises(TypeError, match=r"config must be a netlink\.Config"):
        netlink.dial(Family.USERSOCK, config)


def test_open_leaves_nothing_open_if_it_fails() -> None:
    before = os.listdir("/proc/self/fd")
    for options in ({"groups": [1 << 20]}, {"matches": [odd(Other)]}, {"read_buffer": -1}, {"bpf": [(0, 0, 0, 9)]}):
        with pytest.raises((OpError, TypeError, ValueError)):
            netlink.stream.open(Family.USERSOCK, {THING: Item}, **options)  # type: ignore[call-overload]
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize(
    "chosen",
    [
        {THING: Item, GONE: (Item, Kind.GONE)},
        [Kinded(THING, Item), Kinded(GONE, Item, Kind.GONE)],
        iter([Kinded(THING, Item), Kinded(GONE, Item, Kind.GONE)]),
    ],
    ids=["mapping", "kinds", "iterator"],
)
def test_kinds_are_a_mapping_or_kinds(chosen: Any) -> None:
    assert kinds_of(chosen) == (Kinded(THING, Item), Kinded(GONE, Item, Kind.GONE))


def test_views_are_found_wherever_they_are() -> None:
    class Inner(AttributeSet):
        blob = view(1)

    class Nested(AttributeSet):
        inner = nested(1, Inner)

    class Outer(AttributeSet):
        number = u32(1)
        between = nested((2, 1), Nested)

    assert [has_views(each, set()) for each in (Viewed, Nested, Outer, Item)] == [True, True, True, False]
