"""The reader of dumps, over datagrams that a peer makes up."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from kernel.tools import Peer
from netlink import Config, DecodeError, Family, Header, HeaderFlags, HeaderType, Message, OpError
from netlink._engine.receive import Reader
from netlink._transport import Socket
from netlink.schema import AttributeSet, Batch, u32

SEQUENCE = 7
MULTI = HeaderFlags.MULTI


class Item(AttributeSet):
    number = u32(1)


def item(number: int, *, flags: int = MULTI, sequence: int = SEQUENCE) -> Message:
    return Message(Header(type=0x100, flags=flags, sequence=sequence), Item(number=number).encode())


def end(data: bytes = bytes(4), *, kind: int = HeaderType.DONE, flags: int = MULTI) -> Message:
    return Message(Header(type=kind, flags=flags, sequence=SEQUENCE), data)


@pytest.fixture
def sock() -> Iterator[Socket]:
    with closing(Socket(Family.USERSOCK, Config())) as sock:
        yield sock


@pytest.fixture
def peer(sock: Socket) -> Iterator[Peer]:
    with Peer(sock.pid) as peer:
        yield peer


@pytest.fixture
def reader() -> Reader[Item]:
    reader = Reader(Item)
    reader.begin(Message(Header(type=0x100, flags=HeaderFlags.DUMP, sequence=SEQUENCE)))
    return reader


Read = Callable[[int], Batch[Item]]


@pytest.fixture
def read(reader: Reader[Item], sock: Socket) -> Read:
    """Reads a batch of what the peer has sent."""

    def read(rows: int) -> Batch[Item]:
        batch = reader.read(sock, rows, 64)
        assert isinstance(batch, Batch)
        return batch

    return read


@pytest.mark.parametrize("where", ["part", "end"])
def test_what_was_dumped_changed_meanwhile(reader: Reader[Item], read: Read, peer: Peer, where: str) -> None:
    interrupted = MULTI | HeaderFlags.DUMP_INTERRUPTED
    peer.send(item(1), item(2))
    peer.send(
        item(3, flags=interrupted if where == "part" else MULTI), end(flags=interrupted if where == "end" else MULTI)
    )
    first = read(2)
    assert [one.number for one in first] == [1, 2]
    assert not first.interrupted
    rest = read(9)
    assert [one.number for one in rest] == [3]
    assert rest.interrupted
    assert rest[:1].interrupted
    assert reader.done


@pytest.mark.parametrize("kind", [HeaderType.DONE, HeaderType.ERROR])
def test_a_dump_that_fails_in_its_middle(reader: Reader[Item], read: Read, peer: Peer, kind: int) -> None:
    data = struct.pack("=i", -errno.ENOMEM) + (bytes(16) if kind == HeaderType.ERROR else b"")
    peer.send(item(1))
    peer.send(end(data, kind=kind))
    with pytest.raises(OpError) as caught:
        read(9)
    assert (caught.value.op, caught.value.errno, caught.value.sequence) == ("receive", errno.ENOMEM, SEQUENCE)
    assert reader.done


def test_an_end_without_room_for_its_errno(reader: Reader[Item], read: Read, peer: Peer) -> None:
    peer.send(end(b"", kind=HeaderType.ERROR))
    with pytest.raises(DecodeError):
        read(9)


def test_what_is_left_of_a_datagram(reader: Reader[Item], read: Read, peer: Peer) -> None:
    peer.send(item(1), item(2), end(), item(5, sequence=9))
    assert read(1)[0].number == 1
    assert len(read(9)) == 1
    assert [message.header.sequence for message in reader.rest()] == [9]
    assert reader.rest() == []


def test_what_is_left_is_nothing_where_it_is_malformed(reader: Reader[Item], read: Read, peer: Peer) -> None:
    peer.send_bytes(item(1).replace(length=24).marshal_binary() + item(2).replace(length=24).marshal_binary()[:20])
    assert read(1)[0].number == 1
    assert reader.rest() == []
    assert reader.rest() == []


# Datagrams that are fed


def test_what_is_fed_is_read_as_what_is_received(reader: Reader[Item], sock: Socket, peer: Peer) -> None:
    reader.feed([item(1), item(2), item(3)])
    first = reader.read(sock, 2, 64)
    peer.send(item(4), end(flags=MULTI | HeaderFlags.DUMP_INTERRUPTED))
    rest = reader.read(sock, 9, 64)
    assert isinstance(first, Batch)
    assert isinstance(rest, Batch)
    assert [[one.number for one in batch] for batch in (first, rest)] == [[1, 2], [3, 4]]
    assert rest.interrupted
    assert reader.done


def test_one_datagram_is_fed_at_a_time(reader: Reader[Item]) -> None:
    reader.feed([item(1), item(2)])
    with pytest.raises(ValueError, match="not been read yet"):
        reader.feed([item(3)])
    assert isinstance(reader.read(None, 1, 64), Batch)
    with pytest.raises(ValueError, match="not been read yet"):
        reader.feed([item(3)])
    assert isinstance(reader.read(None, 1, 64), Batch)
    reader.feed([item(3), end()])
    batch = reader.read(None, 9, 64)
    assert isinstance(batch, Batch)
    assert [one.number for one in batch] == [3]


def test_the_end_of_a_datagram_is_seen_where_the_next_one_is_fed(reader: Reader[Item]) -> None:
    reader.feed([item(1, flags=0)])
    assert isinstance(reader.read(None, 1, 64), Batch)
    assert not reader.queued_only
    reader.feed([])
    assert reader.queued_only


def test_nothing_fed_is_the_end(reader: Reader[Item]) -> None:
    reader.feed([item(1)])
    assert isinstance(reader.read(None, 9, 64), int)
    reader.feed([])
    batch = reader.read(None, 9, 64)
    assert isinstance(batch, Batch)
    assert len(batch) == 1
    assert reader.done


def test_lengths_of_what_is_fed_are_those_of_the_payloads(reader: Reader[Item]) -> None:
    reader.feed([item(1).replace(length=0), item(2).replace(length=1 << 20), end()])
    batch = reader.read(None, 9, 64)
    assert isinstance(batch, Batch)
    assert [one.number for one in batch] == [1, 2]


def test_the_rest_of_what_was_fed_are_the_very_messages(reader: Reader[Item]) -> None:
    fed = [item(1), end(), item(5, sequence=9).replace(length=0), Message(Header(sequence=10))]
    reader.feed(fed)
    assert isinstance(reader.read(None, 9, 64), Batch)
    rest = reader.rest()
    assert [message is other for message, other in zip(rest, fed[2:], strict=True)] == [True, True]
    assert reader.rest() == []


def test_what_was_fed_is_no_rest_of_a_later_datagram(reader: Reader[Item], read: Read, peer: Peer) -> None:
    reader.feed([item(1)])
    peer.send(item(2), end(), item(5, sequence=9))
    assert len(read(9)) == 2
    assert [message.header.sequence for message in reader.rest()] == [9]


def test_only_messages_are_fed(reader: Reader[Item]) -> None:
    with pytest.raises(TypeError):
        reader.feed([b"bytes"])  # type: ignore[list-item]
    reader.feed([item(1), end()])
    assert isinstance(reader.read(None, 9, 64), Batch)
