"""Long dumps straight into batches: cut short in their middle, and what is not theirs among their messages."""

from __future__ import annotations

import errno
import ipaddress
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import netns
from kernel.tools import Child, Worker, datagram, eventually, on_signal, passed, readable, soon
from netlink import DecodeError, Family, Header, HeaderFlags, Message, OpError
from netlink.netfilter import conntrack
from netns import DUMP, IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_NEW

Work = Callable[..., Worker]

COUNT = 40_000  # 400 datagrams
ROWS = 4096  # of a part of iter_dump, which is 40 datagrams


@pytest.fixture
def ct() -> Iterator[conntrack.Conn]:
    netns.require_conntrack(COUNT)
    with conntrack.dial() as ct:
        netns.add_flows(ct.conn, COUNT)
        yield ct


def whole(ct: conntrack.Conn) -> None:
    """The connection works, and nothing is left on it."""
    ct.conn.set_deadline(soon())
    assert len(ct.dump()) == COUNT
    assert sum(map(len, ct.iter_dump())) == COUNT
    assert not readable(ct.conn)
    assert not ct.conn._exchange.inbox.abandoned
    assert not ct.conn._exchange.inbox.pending


def in_the_middle(ct: conntrack.Conn, work: Work, act: Callable[[], object]) -> Worker:
    """A dump in a thread, with act called once the kernel has been at work for it for some milliseconds."""

    def busy(worker: Worker) -> bool:
        try:
            ran = int(Path(f"/proc/self/task/{worker.native_id}/schedstat").read_text().split()[0])
        except OSError:
            ran = 0
        return worker.done or ran > 10_000_000

    for _ in range(50):
        worker = work(ct.dump)
        eventually(lambda worker=worker: busy(worker), "the dump has begun")
        if not worker.done:
            act()
            return worker
        assert len(worker.result()) == COUNT
    raise AssertionError("no dump was seen in its middle")


def test_parts_that_are_stored_and_parts_that_are_not(ct: conntrack.Conn) -> None:
    want = {int.from_bytes(netns._address(n), "big") for n in range(1, COUNT + 1)}
    parts, seen = [], set()
    # Their memory is used again only where nobody has it.
    for i, part in enumerate(ct.iter_dump()):
        seen |= {int(flow.orig.src) for flow in part}
        if i % 2:
            parts.append(part)
    assert seen == want
    assert len(parts) == 5
    assert len({int(flow.orig.src) for part in parts for flow in part}) == sum(map(len, parts))


def test_close_from_another_thread(ct: conntrack.Conn, work: Work) -> None:
    worker = in_the_middle(ct, work, ct.close)
    with pytest.raises(OpError) as caught:
        worker.result()
    assert (caught.value.op, caught.value.errno) == ("receive", errno.EBADF)


def test_a_deadline_that_passes(ct: conntrack.Conn, work: Work) -> None:
    worker = in_the_middle(ct, work, lambda: ct.conn.set_read_deadline(passed()))
    with pytest.raises(TimeoutError):
        worker.result()
    ct.conn.set_read_deadline(None)
    whole(ct)


def test_a_deadline_that_passes_between_parts_is_taken_back(ct: conntrack.Conn) -> None:
    parts = ct.iter_dump()
    count = sum(len(next(parts)) for _ in range(3))
    ct.conn.set_read_deadline(passed())
    with pytest.raises(TimeoutError):
        next(parts)
    ct.conn.set_read_deadline(None)
    assert count == 3 * ROWS
    whole(ct)


def test_an_interrupt_at_any_moment(ct: conntrack.Conn) -> None:
    start = time.monotonic()
    ct.dump()
    takes = time.monotonic() - start
    main = threading.get_ident()
    chance = random.Random(7)
    armed = False
    hits = 0

    def handler(number: int, frame: object) -> None:
        nonlocal armed, hits
        if armed:
            armed = False
            hits += 1
            raise KeyboardInterrupt

    def shoot(delay: float) -> None:
        time.sleep(delay)
        signal.pthread_kill(main, signal.SIGUSR1)

    with on_signal(signal.SIGUSR1, handler):
        for _ in range(10):
            shooter = Worker(shoot, (chance.random() * takes,))
            try:
                armed = True
                ct.dump()
                armed = False
            except KeyboardInterrupt:
                pass
            shooter.result()
            ct.conn.set_deadline(soon())
            assert len(ct.dump()) == COUNT
    assert hits
    whole(ct)


def test_a_signal_whose_handler_forks(ct: conntrack.Conn) -> None:
    outcomes = []

    def handler(number: int, frame: object) -> None:
        def run() -> int:
            with conntrack.dial() as own:
                return len(own.dump())

        outcomes.append(Child(run).result())

    main = threading.get_ident()
    with on_signal(signal.SIGUSR1, handler):
        shooter = Worker(signal.pthread_kill, (main, signal.SIGUSR1))
        assert len(ct.dump()) == COUNT
        shooter.result()
    eventually(lambda: outcomes, "the handler ran")
    assert outcomes == [COUNT]


def test_a_fork_by_another_thread(ct: conntrack.Conn, work: Work) -> None:
    def run() -> int:
        with conntrack.dial() as own:
            return len(own.dump())

    children: list[Child] = []
    worker = in_the_middle(ct, work, lambda: children.append(Child(run)))
    assert children[0].result() == COUNT
    assert len(worker.result()) == COUNT
    whole(ct)


def test_two_connections_in_two_threads(ct: conntrack.Conn, work: Work) -> None:
    def run() -> list[int]:
        with conntrack.dial() as own:
            return [len(own.dump()) for _ in range(3)]

    workers = [work(run) for _ in range(2)]
    assert [worker.result(30) for worker in workers] == [[COUNT] * 3] * 2


def test_sends_of_another_thread_wait_for_the_end(ct: conntrack.Conn, work: Work) -> None:
    known = netns.flow(1, flags=netns.CREATE | netns.ACK)
    parts = ct.iter_dump()
    next(parts)
    worker = work(ct.conn.send, known)
    worker.wait_for_lock()
    assert ROWS + sum(map(len, parts)) == COUNT
    sent = worker.result()
    ct.conn.set_deadline(soon())
    with pytest.raises(FileExistsError) as caught:
        ct.conn.receive()
    assert isinstance(caught.value, OpError)
    assert caught.value.sequence == sent.header.sequence
    whole(ct)


@pytest.mark.parametrize("taken", [1, 3, 9, 10])
def test_an_iter_dump_left_early(ct: conntrack.Conn, taken: int) -> None:
    parts = ct.iter_dump()
    for _ in range(taken):
        next(parts)
    parts.close()  # type: ignore[attr-defined]
    whole(ct)


# What does not belong to the dump, in its middle: sent by a plain socket to the connection's port


def inject(ct: conntrack.Conn, data: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.NETFILTER) as peer:
        try:
            peer.sendto(data, (ct.conn.pid, 0))
        except PermissionError:
            pytest.skip("another socket may send to a port of this family only with CAP_NET_ADMIN")


def sequence_of(ct: conntrack.Conn) -> int:
    return ct.conn._exchange.sequence  # of the request that was sent last


def test_a_malformed_message(ct: conntrack.Conn) -> None:
    parts = ct.iter_dump()
    next(parts)
    next(parts)
    header = Header(type=IPCTNL_MSG_CT_NEW, flags=HeaderFlags.MULTI, sequence=sequence_of(ct), length=28)
    inject(ct, datagram(Message(header, b"\2\0\0\0" + b"\xff\0\1\0" + bytes(4))))
    with pytest.raises(DecodeError, match=r"Flow: an attribute's length does not fit"):
        for _ in parts:
            pass
    whole(ct)


def test_a_malformed_datagram(ct: conntrack.Conn) -> None:
    parts = ct.iter_dump()
    next(parts)
    next(parts)
    inject(ct, b"\xff" * 32)
    with pytest.raises(DecodeError, match="does not fit its datagram"):
        for _ in parts:
            pass
    whole(ct)


def test_messages_of_others_are_an_error_and_those_behind_it_are_not_lost(ct: conntrack.Conn) -> None:
    parts = ct.iter_dump()
    next(parts)
    next(parts)
    for number in range(1, 5):
        inject(ct, datagram(Message(Header(type=4711, sequence=1_000 + number, length=20), bytes(4))))
    with pytest.raises(OpError) as caught:
        for _ in parts:
            pass
    assert (caught.value.op, caught.value.errno) == ("validate", errno.EPROTO)
    ct.conn.set_deadline(soon())
    assert [ct.conn.receive()[0].header.sequence - 1_000 for _ in range(3)] == [2, 3, 4]
    whole(ct)


def test_messages_after_the_end_are_for_the_next_receive(ct: conntrack.Conn) -> None:
    parts = ct.iter_dump()
    next(parts)
    next(parts)
    done = Message(Header(type=3, flags=HeaderFlags.MULTI, sequence=sequence_of(ct), length=20), bytes(4))
    other = Message(Header(type=4711, sequence=1, length=20), bytes(4))
    # A false end, followed by other messages in the same datagram and in the next one.
    inject(ct, datagram(done, other))
    inject(ct, datagram(other.replace(type=4712)))
    got = 2 * ROWS + sum(map(len, parts))
    assert 2 * ROWS < got < COUNT
    ct.conn.set_deadline(soon())
    assert [int(m.header.type) for m in ct.conn.receive()] == [4711]
    assert [int(m.header.type) for m in ct.conn.receive()] == [4712]


def test_an_iter_dump_left_with_its_end_in_hand(ct: conntrack.Conn) -> None:
    """Nothing is read behind the end, and nothing is waited for that will not come."""
    parts = ct.conn.iter_dump(netns.ct_request(IPCTNL_MSG_CT_GET, DUMP), conntrack.Flow, 1)
    next(parts)
    flow = Message(
        Header(type=IPCTNL_MSG_CT_NEW, flags=HeaderFlags.MULTI, sequence=sequence_of(ct)),
        netns.flow(COUNT + 1).data,
    )
    done = Message(Header(type=3, flags=HeaderFlags.MULTI, sequence=sequence_of(ct)), bytes(4))
    inject(ct, datagram(flow, done))
    last = ipaddress.ip_address(netns._address(COUNT + 1))
    for part in parts:
        if part[0].orig.src == last:
            break
    parts.close()  # type: ignore[attr-defined]
    assert readable(ct.conn)
    assert not ct.conn._exchange.inbox.abandoned


@pytest.mark.parametrize("left", [False, True], ids=["to its end", "left"])
def test_an_error_of_the_socket_follows_the_messages_before_it(ct: conntrack.Conn, left: bool) -> None:
    """ENOBUFS of events that overran the connection: reported once, in order."""
    parts = ct.iter_dump()
    next(parts)
    next(parts)
    ct.conn.set_read_buffer(4096)
    with conntrack.dial() as other:
        ct.conn.join_group(1)
        other.create(
            conntrack.Flow(
                orig=conntrack.Tuple(src="192.0.2.1", dst="192.0.2.2", proto=17, src_port=1, dst_port=2),
                reply=conntrack.Tuple(src="192.0.2.2", dst="192.0.2.1", proto=17, src_port=2, dst_port=1),
                timeout=100,
            )
        )
        ct.conn.leave_group(1)
    end: Callable[[], object] = parts.close if left else lambda: [len(part) for part in parts]  # type: ignore[attr-defined]
    with pytest.raises(OpError) as caught:
        end()
    assert caught.value.errno == errno.ENOBUFS
    ct.conn.set_read_buffer(1 << 20)
    assert len(ct.conn.execute(netns.ct_request(IPCTNL_MSG_CT_GET, DUMP))) == COUNT + 1
