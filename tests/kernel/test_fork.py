"""A forked child has the same socket, and a parent that notices nothing of what the child does with its side."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable

import pytest

import netns
from kernel.tools import Child, Peer, Worker, eventually, in_child, passed, readable, soon
from netlink import Conn, Family, Header, HeaderFlags, HeaderType, Message, OpError, dial
from netns import RTM_GETLINK

Work = Callable[..., Worker]


def get_link() -> Message:
    return netns.link_request(RTM_GETLINK, HeaderFlags.REQUEST, netns.LOOPBACK)


def message(kind: int = 16, flags: int = 0) -> Message:
    return Message(Header(type=kind, flags=flags), b"")


def types(messages: list[Message]) -> list[int]:
    return [int(m.header.type) for m in messages]


def test_the_child_uses_it(conn: Conn) -> None:
    def run() -> int:
        conn.set_deadline(soon())
        return len(conn.execute(get_link())) + len(conn.execute(netns.link_request(RTM_GETLINK, netns.DUMP)))

    assert in_child(run) >= 2
    assert len(conn.execute(get_link())) == 1


def test_the_child_closes_it(conn: Conn) -> None:
    def run() -> tuple[bool, int, int | None]:
        conn.close()
        with pytest.raises(OpError) as caught:
            conn.receive()
        return conn.closed, conn.fileno(), caught.value.errno

    assert in_child(run) == (True, -1, errno.EBADF)
    assert not conn.closed
    assert len(conn.execute(get_link())) == 1


def test_the_child_uses_it_and_then_closes_it(conn: Conn) -> None:
    def run() -> int:
        count = len(conn.execute(get_link()))
        conn.set_read_deadline(passed())
        with pytest.raises(TimeoutError):
            conn.receive()
        conn.close()
        return count

    assert in_child(run) == 1
    assert len(conn.execute(get_link())) == 1


def test_a_child_leaves_no_descriptor_behind_its_close(conn: Conn) -> None:
    def run() -> tuple[int, int]:
        before = len(os.listdir("/proc/self/fd"))
        conn.close()
        return before, len(os.listdir("/proc/self/fd"))

    before, after = in_child(run)
    assert before - after == 2  # the socket, and what wakes its receives


def test_the_parent_closes_it(user: Conn, peer: Peer) -> None:
    ready, go = os.pipe(), os.pipe()

    def run() -> list[int]:
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        user.set_deadline(soon())
        return types(user.receive())

    try:
        child = Child(run)
        os.read(ready[0], 1)
        peer.send(message(17))
        user.close()
        os.write(go[1], b"x")
        assert child.result() == [17]
    finally:
        for fd in (*ready, *go):
            os.close(fd)


# The parent has a thread in the middle of a receive


@pytest.fixture
def blocked(user: Conn, work: Work) -> Worker:
    worker = work(user.receive)
    worker.wait_receiving()
    return worker


def goes_on(blocked: Worker, peer: Peer) -> None:
    """The parent's receive is blocked as before, and gets what comes."""
    blocked.wait_receiving()
    peer.send(message(20))
    assert types(blocked.result()) == [20]


def test_a_child_that_closes_it_does_not_wake_the_parent(user: Conn, peer: Peer, blocked: Worker) -> None:
    in_child(user.close)
    goes_on(blocked, peer)
    user.close()


def test_a_child_that_sets_deadlines_does_not_wake_the_parent(user: Conn, peer: Peer, blocked: Worker) -> None:
    def run() -> None:
        user.set_deadline(passed())
        with pytest.raises(TimeoutError):
            user.receive()
        user.close()

    in_child(run)
    goes_on(blocked, peer)


def test_a_child_that_receives_and_closes_does_not_wake_the_parent(
    user: Conn, peer: Peer, blocked: Worker, work: Work
) -> None:
    def run() -> int | None:
        # Its locks are free: their owner exists in the parent alone.
        mine = Worker(user.receive)
        mine.wait_receiving()
        user.close()
        with pytest.raises(OpError) as caught:
            mine.result()
        return caught.value.errno

    assert in_child(run) == errno.EBADF
    goes_on(blocked, peer)


def test_the_threads_of_a_child_share_the_locks(user: Conn, peer: Peer) -> None:
    def run() -> tuple[list[int], list[int]]:
        first = Worker(user.receive)
        first.wait_receiving()
        second = Worker(user.receive)
        second.wait_for_lock()
        peer.send(message(17, HeaderFlags.MULTI))
        first.wait_receiving()
        peer.send(message(HeaderType.DONE, HeaderFlags.MULTI))
        got = types(first.result())
        peer.send(message(18))
        return got, types(second.result())

    assert in_child(run) == ([17], [18])


def test_the_first_receive_of_a_child_in_the_middle_of_a_send() -> None:
    """What the first call does for the process must not forget another one: its close would leave descriptors open."""
    with contextlib.ExitStack() as stack:
        conns = [stack.enter_context(dial(Family.ROUTE)) for _ in range(20)]
        for conn in conns:
            conn.set_write_buffer(4 << 20)
        size = min(conns[0].write_buffer() // 2, 3 << 20)
        ignored = Message(Header(type=16), bytes(size - 1024))  # it is no request

        def run() -> int:
            before = len(os.listdir("/proc/self/fd"))
            for conn in conns:
                sent = threading.Event()

                def busy(conn: Conn = conn, sent: threading.Event = sent) -> None:
                    with contextlib.suppress(OpError):
                        while True:
                            conn.send(ignored)
                            sent.set()

                worker = Worker(busy)
                assert sent.wait(10)
                conn.set_read_deadline(time.monotonic() + 0.01)
                with pytest.raises(TimeoutError):
                    conn.receive()
                conn.close()
                with pytest.raises(OpError, match="Bad file descriptor"):
                    conn._sock.read_buffer()
                worker.result()
            return before - len(os.listdir("/proc/self/fd"))

        assert in_child(run) == 2 * len(conns)


def test_the_parents_close_does_not_end_the_childs_receive(user: Conn, peer: Peer, blocked: Worker) -> None:
    ready, go = os.pipe(), os.pipe()

    def run() -> list[int]:
        mine = Worker(user.receive)
        mine.wait_receiving()
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        mine.wait_receiving()
        os.write(ready[1], b"x")
        return types(mine.result())

    try:
        child = Child(run)
        os.read(ready[0], 1)
        user.close()
        with pytest.raises(OpError, match="Bad file descriptor"):
            blocked.result()
        os.write(go[1], b"x")
        os.read(ready[0], 1)
        peer.send(message(21))
        assert child.result() == [21]
    finally:
        for fd in (*ready, *go):
            os.close(fd)


def test_the_parents_deadlines_reach_its_receive(user: Conn, peer: Peer, blocked: Worker) -> None:
    def run() -> None:
        user.set_deadline(soon())
        threading.Thread(target=lambda: None).start()

    in_child(run)
    user.set_read_deadline(passed())
    with pytest.raises(TimeoutError):
        blocked.result()


def test_a_child_of_a_fork_in_the_middle_of_other_threads_calls(conn: Conn, work: Work) -> None:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            conn.read_buffer()
            conn.execute(get_link())

    workers = [work(busy) for _ in range(3)]
    try:
        for _ in range(15):

            def run() -> int:
                conn.set_deadline(soon(5))
                size = conn.read_buffer()
                conn.close()
                with pytest.raises(OpError, match="Bad file descriptor"):
                    conn.read_buffer()
                return size

            assert in_child(run) == conn.read_buffer()
    finally:
        stop.set()
    for worker in workers:
        worker.result()


def test_a_child_can_dial(conn: Conn) -> None:
    def run() -> tuple[int, int]:
        with dial(Family.ROUTE) as own:
            return own.pid, len(own.execute(get_link()))

    pid, count = in_child(run)
    assert pid != conn.pid
    assert count == 1


def test_a_child_takes_over_a_suspended_iterator(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    conn.send(netns.routes_request())
    replies = conn.receive_iter()
    first = netns.is_ours(next(replies))

    def run() -> int:
        return sum(map(netns.is_ours, replies))

    assert in_child(run) + first == 2_000
    # The parent has what it had received, and nobody else's part.
    conn.set_read_deadline(passed())
    with pytest.raises(TimeoutError):
        list(replies)
    conn.set_read_deadline(None)
    eventually(lambda: not readable(conn), "nothing is left")


def test_a_forked_child_of_a_child(conn: Conn) -> None:
    def run() -> int:
        def grandchild() -> int:
            count = len(conn.execute(get_link()))
            conn.close()
            return count

        count = in_child(grandchild)
        count += len(conn.execute(get_link()))
        conn.close()
        return count

    assert in_child(run) == 2
    assert len(conn.execute(get_link())) == 1
