"""What is done a thousand times leaves no memory behind, where it succeeds and where it fails."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import IntFlag
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

import recorded
from fuzz import fuzz_api
from kernel.tools import Peer
from netlink import (
    AttributeDecoder,
    AttributeEncoder,
    Config,
    DecodeError,
    Family,
    Header,
    HeaderFlags,
    HeaderType,
    Message,
    OpError,
    nltest,
    unmarshal_messages,
    validate,
)
from netlink._engine.match import Condition, Match
from netlink._engine.receive import Reader, StreamReader
from netlink._io.locks import Lock, Locks
from netlink._transport import Ring, Socket
from netlink.netfilter.conntrack import Flow, Tuple
from netlink.schema import (
    AttributeSet,
    Batch,
    array,
    be32,
    binary,
    event,
    ip,
    nested,
    string,
    submessage,
    u8,
    u32,
    view,
)

TIMES = 1000
CORPUS = Path(__file__).parents[1] / "fuzz/corpus/fuzz_api"
FLOWS = recorded.payloads("conntrack_flows")[:4]


class _Mallinfo2(ctypes.Structure):
    """struct mallinfo2 of glibc's malloc.h."""

    NAMES = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    _fields_ = [(name, ctypes.c_size_t) for name in NAMES]


def blocks() -> int:
    """Blocks of Python's own allocator."""
    return sys.getallocatedblocks()


def heap() -> int:
    """Bytes of malloc: what the C of netlink has, and what is too large for Python's allocator."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _Mallinfo2
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


def in_thread(do: Callable[[], object], times: int) -> None:
    """The end of a thread gives the blocks back that malloc keeps for it, and that would count as used."""

    def loop() -> None:
        for _ in range(times):
            do()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(loop).result()


def looked_at() -> list[tuple[Callable[[], int], int]]:
    """What to count, and by how much the smallest leak makes it grow: of what a thread leaves behind."""
    found: list[tuple[Callable[[], int], int]] = []
    held: list[Any] = []
    gc.collect()
    before = blocks()
    in_thread(lambda: held.append(object()), 10_000)
    if blocks() - before >= 9_000:
        found.append((blocks, 1))
    with contextlib.suppress(AttributeError):  # musl has no mallinfo2
        before = heap()
        in_thread(lambda: held.append(bytearray(5000)), 100)
        if heap() - before >= 500_000:
            found.append((heap, 48))
    return found


COUNTERS = looked_at()
# Without a GIL a thread's blocks are counted or not as its heap is taken over, and classes stay for ever.
free_threaded = not getattr(sys, "_is_gil_enabled", lambda: True)()
pytestmark = pytest.mark.skipif(
    free_threaded or (blocks, 1) not in COUNTERS,
    reason="Python's own allocator is off, or, as without a GIL, does not count exactly",
)


def leaves_nothing(do: Callable[[], object], times: int = TIMES) -> None:
    """A leak grows in each round, which caches and the holes between blocks do not."""
    rounds = 4
    grown: list[list[int]] = [[] for _ in COUNTERS]
    in_thread(do, times // rounds)
    for _ in range(rounds):
        before = settled()
        in_thread(do, times // rounds)
        for was, now, growth in zip(before, settled(), grown, strict=True):
            growth.append(now - was)
    for (counter, one), growth in zip(COUNTERS, grown, strict=True):
        assert min(growth) < one * (times // rounds) // 2, f"{counter.__name__} grew by {growth} in {times} times"


def settled() -> list[int]:
    gc.collect()
    return [counter() for counter, _ in COUNTERS]


def test_a_leak_is_seen() -> None:
    held: list[Any] = []
    with pytest.raises(AssertionError, match="grew by"):
        leaves_nothing(lambda: held.append(object()))
    if (heap, 48) in COUNTERS:
        with pytest.raises(AssertionError, match="grew by"):
            leaves_nothing(lambda: held.append(bytearray(1000)))


class Kind(IntFlag):
    MADE = 1


class Part(AttributeSet):
    at = u32(1)
    name = string(2)


class Item(AttributeSet):
    number = u32(1)
    seq = be32(2)
    kind = event(Kind)
    blob = view(3)
    address = ip(4)
    parts = array(5, Part)
    part = nested(6, Part, rare=True)
    word = string(7)
    data = submessage(8, on="word", cases={"part": Part})
    bits = binary(9)
    small = u8(10)


def item() -> Item:
    return Item(
        number=1,
        address="2001:db8::1",
        parts=[Part(at=1, name="x"), Part()],
        part=Part(at=2),
        word="part",
        data=Part(name="y"),
        bits=b"123",
        blob=b"view",
    )


ITEM = item().encode()
DATAGRAM = Message(Header(length=16 + len(ITEM), type=0x100), ITEM).marshal_binary()


def fails(kind: type[BaseException], call: Callable[..., object], *arguments: Any, **named: Any) -> None:
    try:
        call(*arguments, **named)
    except kind:
        return
    raise AssertionError(f"{call} did not fail")


def test_messages() -> None:
    def do() -> None:
        message = Message.unmarshal_binary(DATAGRAM)
        hash(message)
        repr(message)
        assert pickle.loads(pickle.dumps(message)) == message
        assert unmarshal_messages(DATAGRAM * 2)[1].replace(sequence=5) != message
        validate(message, [message.replace(pid=0)])
        fails(OpError, validate, message.replace(sequence=1), [message])
        fails(DecodeError, unmarshal_messages, DATAGRAM + b"\1" * 16)
        fails(DecodeError, Message.unmarshal_binary, b"1234")
        fails(OverflowError, Header, length=1 << 32)
        fails(TypeError, Message, None, 5)
        fails(AttributeError, message.__init__)

    leaves_nothing(do)


def test_attributes() -> None:
    def do() -> None:
        encoder = AttributeEncoder("big")
        encoder.string(1, "text")
        encoder.nested(2, lambda inner: inner.uint64(1, 1 << 60))
        with encoder.nested(3) as inner:
            inner.bytes(4, bytes(3000))
        with contextlib.suppress(KeyError), encoder.nested(3):
            raise KeyError
        fails(OverflowError, encoder.nested, 3, lambda inner: inner.do(1, lambda: (1 << 70).to_bytes(2, "big")))
        decoder = AttributeDecoder(encoder.encode(), "big")
        for attribute in decoder:
            attribute.do(len)
            repr(attribute)
            fails(DecodeError, attribute.uint16)
        next(iter(decoder))
        fails(DecodeError, AttributeDecoder, b"\5")
        fails(ValueError, AttributeEncoder, "middle")

    leaves_nothing(do)


def test_records() -> None:
    def do() -> None:
        record = Item.decode(ITEM)
        assert repr(record)
        assert record.parts is not None
        assert record.parts[0].name == "x"
        assert pickle.loads(pickle.dumps(record)) == item()
        assert hash(record) == hash(item())
        assert len(record.to_dict()) == 8
        held = record.blob
        assert held is not None
        del record
        assert bytes(held) == b"view"
        assert Item.decode(ITEM + b"\5\0\x63\0z\0\0\0").unknown == ((0x63, b"z"),)
        fails(DecodeError, Item.decode, ITEM + b"\5\0\1\0z\0\0\0")
        fails(DecodeError, Item.decode_many, [ITEM, b"\3\0\1\0"])
        fails(TypeError, Item.decode_many, [ITEM, 5])
        fails(TypeError, Item, colour=5)
        fails(TypeError, Item, number="x")
        fails(ValueError, Item, parts=[Part(), Part(name="y" * 70_000)])
        fails(ValueError, Item, word="other", data=Part())
        fails(ValueError, Item, address="nowhere")

    leaves_nothing(do)


def test_declarations() -> None:
    def do() -> None:
        class Inner(AttributeSet):
            at = u32(1)

        class Outer(AttributeSet):
            inner = nested(1, Inner)
            inners = array(2, Inner)

        record = Outer(inner=Inner(at=1), inners=[Inner()])
        assert Outer.decode(record.encode()) == record
        used = u32(1)
        with contextlib.suppress(TypeError):

            class Twice(AttributeSet):
                one = used
                two = used

    leaves_nothing(do, 200)


def test_batches() -> None:
    def do() -> None:
        batch = Flow.decode_many(FLOWS)
        assert len(batch[::-1][1:]) == 3
        assert batch.index(batch[2]) >= 0
        assert len(list(reversed(batch))) == batch.count(batch[0]) + 3
        array = batch.to_numpy()
        columns = batch.arrow("binary")
        columns.__arrow_c_schema__()
        columns.__arrow_c_array__()
        columns.__arrow_c_stream__()
        del batch
        assert array["orig_proto"].any()
        fails(ValueError, columns.__class__, Item.decode_many([ITEM]), "shouted")

    leaves_nothing(do, 200)


def test_matches() -> None:
    wanted = Flow.decode(FLOWS[0])

    def do() -> None:
        numbers = Condition((("orig", "dst_port"),), ((0, 5), (7, 9)))
        networks = Condition((("orig", "src"), ("reply", "src")), (ip_network("::/0"), ip_network("10.0.0.0/8")))
        match = Match(Flow, [[numbers, networks], [numbers]])
        match(wanted)
        fails(TypeError, match, Tuple(src="10.0.0.1"))
        fails(TypeError, Match, Flow, [[numbers], [Condition((("orig",),), ((1, 2),))]])
        fails(TypeError, Match, Flow, [[networks, Condition((("colour",),), ((1, 2),))]])

    leaves_nothing(do)


def test_sockets() -> None:
    def do() -> None:
        sock = Socket(Family.USERSOCK, Config(message_buffer_size=4096))
        other = Socket(Family.USERSOCK, Config())
        with Peer(sock.pid) as peer, Peer(other.pid) as again:
            assert sock.receive_nowait() is None
            peer.send_bytes(DATAGRAM)
            assert len(sock.receive()) == 1
            peer.send_bytes(DATAGRAM * 100)
            fails(OpError, sock.receive)
            again.send_bytes(DATAGRAM * 100)
            assert len(other.receive()) == 100
            ring = Ring(4, 512)
            again.send_bytes(DATAGRAM)
            assert len(other.receive_ring(ring)) == 1
            again.send_bytes(DATAGRAM * 100)
            fails(OpError, other.receive_ring, ring)
            assert other.receive_ring(ring, wait=False) == []
            other.set_bpf([(6, 0, 0, 0)])
            other.remove_bpf()
            fails(TypeError, other.set_bpf, [(6, 0, 0, "x")])
            fails(OpError, other.set_bpf, [(5, 0, 0, 9)])
        sock.close()
        fails(OpError, sock.receive)
        fails(OpError, Socket, Family.USERSOCK, Config(netns="/proc/self/fd/nothing"))
        fails(OpError, Socket, 31, Config())

    leaves_nothing(do, 200)


@pytest.mark.parametrize("keeps", [False, True], ids=["ring", "views"])
def test_streams(keeps: bool) -> None:
    kinds = ((0x100, Item, 1, 0, 0, None),)

    def do() -> None:
        sock = Socket(Family.USERSOCK, Config())
        with Peer(sock.pid) as peer:
            peer.sock.bind((0, 0))
            stream = StreamReader(sock, kinds, slot=1024, views=keeps, sender=peer.sock.getsockname()[0])
            assert len(stream.read(5, wait=False)) == 0
            peer.send_bytes(DATAGRAM * 3)
            first = stream.read(2, wait=True)
            assert len(stream.read(2, wait=True)) == 1
            peer.send_bytes(DATAGRAM + DATAGRAM.replace(b"\x08\0\1\0", b"\x05\0\1\0"))
            assert len(stream.read(9, wait=True)) == 1
            fails(DecodeError, stream.read, 9, wait=True)
            peer.send_bytes(DATAGRAM * 30)
            assert len(stream.read(9, wait=True)) == 0
            assert stream.lost == 1
            peer.send(refusal(7))
            fails(OpError, stream.take_acknowledgement, 7, 1 << 20)
            assert first[1].kind == 1
        fails(TypeError, StreamReader, sock, (("x", Item, 1, 0, 0, None),), slot=1)
        fails(OverflowError, StreamReader, sock, ((1, Item, 256, 0, 0, None),), slot=1)
        fails(TypeError, StreamReader, sock, ((0x100, AttributeSet, 1, 0, 0, None),), slot=1)
        sock.close()

    leaves_nothing(do, 200)


def refusal(sequence: int) -> Message:
    """EPERM, to a request of that number."""
    data = (-errno.EPERM).to_bytes(4, sys.byteorder, signed=True) + bytes(16)
    return Message(Header(length=16 + len(data), type=HeaderType.ERROR, sequence=sequence), data)


def test_dumps() -> None:
    def do() -> None:
        sock = Socket(Family.USERSOCK, Config())
        with Peer(sock.pid) as peer:
            reader = Reader(Item)
            reader.begin(Message(Header(flags=HeaderFlags.DUMP, sequence=7)))
            part = Message.unmarshal_binary(DATAGRAM).replace(flags=HeaderFlags.MULTI, sequence=7)
            peer.send(part, part)
            for _ in range(2):
                batch = reader.read(sock, 1, 64)
                assert isinstance(batch, Batch)
                assert len(batch) == 1
            peer.send(refusal(7))
            fails(OpError, reader.read, sock, 1, 64)
        sock.close()

    leaves_nothing(do, 200)


def test_locks() -> None:
    def do() -> None:
        locks = Locks()
        with Lock(locks, "send", send=True):
            fails(OpError, Lock(locks, "receive", send=True).__enter__)
        locks.close()
        fails(OpError, Lock(locks, "receive", receive=True).__enter__)

    leaves_nothing(do)


def answer(requests: list[Message]) -> list[Message]:
    request = requests[0]
    if request.header.type == 0x101:
        return nltest.error(errno.EPERM, requests)
    return nltest.multipart([request.replace(data=ITEM, length=16 + len(ITEM))] * 3)


def test_connections() -> None:
    def do() -> None:
        with nltest.dial(answer) as conn:
            assert len(conn.execute(Message(Header(type=0x100, flags=HeaderFlags.REQUEST)))) == 2
            fails(OpError, conn.execute, Message(Header(type=0x101, flags=HeaderFlags.REQUEST)))
            conn.send(Message(Header(type=0x100, flags=HeaderFlags.REQUEST)))
            next(conn.receive_iter())

    leaves_nothing(do)


def test_what_fuzzers_found() -> None:
    inputs = [path.read_bytes() for path in sorted(CORPUS.iterdir())]

    def do() -> None:
        for data in inputs:
            fuzz_api.one_input(data)

    leaves_nothing(do, 200)
