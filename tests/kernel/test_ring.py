"""receive_ring: many datagrams by one recvmmsg, into buffers that are used again."""

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from kernel.tools import Worker
from netlink import Config, Family, Header, Message, OpError
from netlink._transport import Ring, Socket

Work = Callable[..., Worker]


@pytest.fixture
def sock() -> Iterator[Socket]:
    sock = Socket(Family.USERSOCK, Config())
    yield sock
    sock.close()


@pytest.fixture
def peer(sock: Socket) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.USERSOCK) as peer:
        peer.connect((sock.pid, 0))
        yield peer


def datagram(n: int, size: int = 16) -> bytes:
    return Message(Header(size, 16, 0, n, 0), bytes([n % 256]) * (size - 16)).marshal_binary()


def sequences(datagrams: list[list[Message]]) -> list[int]:
    return [m.header.sequence for messages in datagrams for m in messages]


def test_all_queued_datagrams_are_read_at_once(sock: Socket, peer: socket.socket) -> None:
    ring = Ring(8, 256)
    for n in range(1, 12):
        peer.send(datagram(n))
    assert sequences(sock.receive_ring(ring)) == list(range(1, 9))
    assert sequences(sock.receive_ring(ring)) == [9, 10, 11]
    assert sock.receive_ring(ring, wait=False) == []


def test_returned_data_is_not_overwritten(sock: Socket, peer: socket.socket) -> None:
    ring = Ring(1, 256)
    peer.send(datagram(1, 64))
    ((first,),) = sock.receive_ring(ring)
    peer.send(datagram(2, 64))
    sock.receive_ring(ring)
    assert first.data == b"\1" * 48


def test_a_datagram_longer_than_a_slot_is_reported(sock: Socket, peer: socket.socket) -> None:
    ring = Ring(2, 32)
    peer.send(datagram(1, 64))
    with pytest.raises(OpError, match="slot of 32 bytes") as caught:
        sock.receive_ring(ring)
    assert caught.value.errno == errno.EMSGSIZE
    peer.send(datagram(2, 32))
    assert sequences(sock.receive_ring(ring)) == [2]


def test_deadline_and_close_end_a_wait(sock: Socket) -> None:
    ring = Ring(2, 32)
    sock.set_deadlines(read=time.monotonic() + 0.01)
    with pytest.raises(TimeoutError):
        sock.receive_ring(ring)
    sock.set_deadlines(read=None)
    closer = threading.Timer(0.01, sock.close)
    closer.start()
    with pytest.raises(OpError) as caught:
        sock.receive_ring(ring)
    closer.join()
    assert caught.value.errno == errno.EBADF


def test_a_ring_is_one_receive_s_at_a_time(sock: Socket, peer: socket.socket, work: Work) -> None:
    ring = Ring(2, 32)
    waiting = work(sock.receive_ring, ring)
    waiting.wait_receiving()
    with pytest.raises(OpError, match="in use by another receive") as caught:
        sock.receive_ring(ring)
    assert caught.value.errno == errno.EINVAL
    peer.send(datagram(1))
    assert sequences(waiting.result()) == [1]
    assert sock.receive_ring(ring, wait=False) == []


def test_sizes() -> None:
    for slots, slot_size in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least one slot"):
            Ring(slots, slot_size)
    with pytest.raises((MemoryError, ValueError)):
        Ring(0xFFFFFFFF, 0xFFFFFFFFFFFFFFF)


def test_a_closed_socket_refuses() -> None:
    sock = Socket(Family.USERSOCK, Config())
    ring = Ring(1, 32)
    assert sock.close()
    assert not sock.close()
    calls: dict[str, Callable[[], object]] = {
        "set-deadline": lambda: sock.set_deadlines(read=None),
        "send": lambda: sock.send(Message.unmarshal_binary(datagram(1))),
        "receive": lambda: sock.receive_ring(ring),
        "set-option": lambda: sock.set_option(5, True),
        "get-read-buffer": sock.read_buffer,
        "set-bpf": lambda: sock.set_bpf([(6, 0, 0, 0)]),
        "remove-bpf": sock.remove_bpf,
        "drops": lambda: sock.drops,
    }
    for op, call in calls.items():
        with pytest.raises(OpError) as caught:
            call()
        assert (caught.value.op, caught.value.errno) == (op, errno.EBADF)


def test_two_receives_at_a_time_have_a_buffer_each(sock: Socket, peer: socket.socket, work: Work) -> None:
    waiting = [work(sock.receive), work(sock.receive)]
    for worker in waiting:
        worker.wait_receiving()
    for n in (1, 2):
        peer.send(datagram(n, 64))
    got = [m for worker in waiting for m in worker.result()]
    assert sorted((m.header.sequence, m.data) for m in got) == [(n, bytes([n]) * 48) for n in (1, 2)]
