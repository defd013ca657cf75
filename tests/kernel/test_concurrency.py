"""Threads on one connection: the locks, and their end by close."""

from __future__ import annotations

import contextlib
import errno
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import netns
from kernel.tools import Peer, Worker, eventually, passed, readable, soon, waits
from netlink import Conn, Family, Header, HeaderFlags, HeaderType, Message, OpError, dial
from netlink.bpf import BPF_K, BPF_RET, stmt
from netns import ACK, DUMP, RTM_GETLINK

Work = Callable[..., Worker]
NOTHING_PASSES = [stmt(BPF_RET | BPF_K, 0)]


def get_link(flags: int = HeaderFlags.REQUEST, index: int = netns.LOOPBACK) -> Message:
    return netns.link_request(RTM_GETLINK, flags, index)


def message(kind: int, flags: int = 0) -> Message:
    return Message(Header(type=kind, flags=flags), b"")


def types(messages: Any) -> list[int]:
    return [int(m.header.type) for m in messages]


def ended(call: Callable[[], Any]) -> None:
    """It raises EBADF."""
    with pytest.raises(OpError) as caught:
        call()
    assert caught.value.errno == errno.EBADF


# Locks


@pytest.mark.parametrize("flags", [HeaderFlags.REQUEST, ACK, DUMP], ids=["get", "get+ack", "dump"])
def test_16_threads_execute_on_one_connection(conn: Conn, work: Work, flags: int) -> None:
    netns.add_routes(conn, 1_000)
    gate = threading.Barrier(16)

    def run(sequence: int) -> None:
        gate.wait()
        for n in range(30 if flags != DUMP else 5):
            request = netns.routes_request() if flags == DUMP else get_link(flags)
            number = sequence + n
            replies = conn.execute(request.replace(sequence=number))
            assert {m.header.sequence for m in replies} == {number}
            assert sum(map(netns.is_ours, replies)) == (1_000 if flags == DUMP else 0)
            assert flags == DUMP or len(replies) == 1

    for worker in [work(run, 1_000 * i) for i in range(1, 17)]:
        worker.result(30)
    assert not readable(conn)


def test_16_threads_execute_requests_of_all_kinds(conn: Conn, work: Work) -> None:
    netns.add_routes(conn, 500)
    gate = threading.Barrier(16)

    def get() -> None:
        assert len(conn.execute(get_link())) == 1

    def get_with_ack() -> None:
        assert len(conn.execute(get_link(ACK))) == 1

    def change() -> None:
        (ack,) = conn.execute(netns.link_request(netns.RTM_NEWLINK, index=netns.LOOPBACK, up=True))
        assert ack.header.type == HeaderType.ERROR

    def dump() -> None:
        assert sum(map(netns.is_ours, conn.execute(netns.routes_request()))) == 500

    def fail() -> None:
        with pytest.raises(OpError, match="No such device"):
            conn.execute(get_link(index=9999))

    kinds = [get, get_with_ack, change, dump, fail]

    def run(which: int) -> None:
        gate.wait()
        for n in range(20):
            kinds[(which + n) % len(kinds)]()

    for worker in [work(run, i) for i in range(16)]:
        worker.result(30)
    assert not readable(conn)


def test_16_threads_send_and_one_receives(conn: Conn, work: Work) -> None:
    gate = threading.Barrier(16)

    def send() -> list[int]:
        gate.wait()
        return [conn.send(get_link()).header.sequence for _ in range(20)]

    conn.set_read_buffer(1 << 20)
    workers = [work(send) for _ in range(16)]
    got = [conn.receive()[0].header.sequence for _ in range(16 * 20)]
    sent = [sequence for worker in workers for sequence in worker.result()]
    assert len(set(sent)) == 16 * 20
    assert sorted(got) == sorted(sent)


def test_a_receive_that_blocks_never_blocks_a_send(conn: Conn, work: Work) -> None:
    worker = work(conn.receive)
    worker.wait_receiving()
    sent = conn.send(get_link())
    assert [m.header.sequence for m in worker.result()] == [sent.header.sequence]
    worker = work(lambda: list(conn.receive_iter()))
    worker.wait_receiving()
    sent, other = conn.send_messages([get_link(), get_link()])
    assert [m.header.sequence for m in worker.result()] == [sent.header.sequence]
    assert [m.header.sequence for m in conn.receive()] == [other.header.sequence]


def test_the_lock_to_receive(user: Conn, peer: Peer, work: Work) -> None:
    first = work(user.receive)
    first.wait_receiving()
    second = work(user.receive)
    second.wait_for_lock()
    peer.send(message(16))
    assert types(first.result()) == [16]
    second.wait_receiving()
    peer.send(message(17))
    assert types(second.result()) == [17]


def test_receives_never_interleave_a_reply(user: Conn, peer: Peer, work: Work) -> None:
    multi = HeaderFlags.MULTI
    workers = [work(user.receive)]
    workers[0].wait_receiving()
    workers += [work(user.receive) for _ in range(3)]
    for worker in workers[1:]:
        worker.wait_for_lock()
    peer.send(message(100, multi))
    # The first is blocked again, in the middle of its reply.
    eventually(lambda: not readable(user), "the part is taken")
    workers[0].wait_receiving()
    for worker in workers[1:]:
        worker.wait_for_lock()
    peer.send(message(100, multi))
    peer.send(message(HeaderType.DONE, multi))
    for kind in (101, 102, 103):
        for _ in range(3):
            peer.send(message(kind, multi))
        peer.send(message(HeaderType.DONE, multi))
    assert types(workers[0].result()) == [100, 100]
    assert sorted(types(w.result()) for w in workers[1:]) == [[101] * 3, [102] * 3, [103] * 3]


def test_dumps_are_never_interleaved(conn: Conn, work: Work) -> None:
    netns.add_routes(conn, 2_000)
    rounds = 12
    received = threading.Semaphore(0)

    def receive() -> list[tuple[int, int]]:
        got = []
        for _ in range(rounds // 4):
            replies = conn.receive()
            (sequence,) = {m.header.sequence for m in replies}
            got.append((sequence, sum(map(netns.is_ours, replies))))
            received.release()
        return got

    workers = [work(receive) for _ in range(4)]
    sent = []
    for _ in range(rounds):
        sent.append(conn.send(netns.routes_request()).header.sequence)
        assert received.acquire(timeout=10)
    got = [each for worker in workers for each in worker.result()]
    assert sorted(got) == sorted((sequence, 2_000) for sequence in sent)


def test_execute_excludes_send_and_receive(conn: Conn, work: Work) -> None:
    conn.set_bpf(NOTHING_PASSES)
    execute = work(conn.execute, get_link().replace(sequence=1))
    execute.wait_receiving()
    conn.remove_bpf()
    waiting = {
        "send": work(conn.send, get_link().replace(sequence=2)),
        "send-messages": work(conn.send_messages, [get_link().replace(sequence=3)]),
        "execute": work(conn.execute, get_link().replace(sequence=4)),
        "receive": work(conn.receive),
        "receive_iter": work(lambda: list(conn.receive_iter())),
    }
    for worker in waiting.values():
        worker.wait_for_lock()
    assert not execute.done
    assert not readable(conn)  # nothing was sent meanwhile
    conn.close()
    for worker in (execute, *waiting.values()):
        ended(worker.result)


def test_threads_blocked_by_execute_continue_after_it(conn: Conn, work: Work) -> None:
    conn.set_bpf(NOTHING_PASSES)
    execute = work(conn.execute, get_link())
    execute.wait_receiving()
    conn.remove_bpf()
    send = work(conn.send, get_link().replace(sequence=2))
    send.wait_for_lock()
    conn.set_read_deadline(passed())
    with pytest.raises(TimeoutError):
        execute.result()
    assert send.result().header.sequence == 2
    conn.set_read_deadline(None)
    assert [m.header.sequence for m in conn.receive()] == [2]


def test_execute_waits_for_a_receive_that_blocks(conn: Conn, other: Conn, work: Work) -> None:
    conn.join_group(1)  # RTNLGRP_LINK
    receive = work(conn.receive)
    receive.wait_receiving()
    execute = work(conn.execute, get_link().replace(sequence=4))
    execute.wait_for_lock()
    assert not readable(conn)
    netns.add_link(other, "probe0")
    # When it has the locks, another event may be first: adding a link makes several. validate reports that.
    events = receive.result()
    assert 4 not in {m.header.sequence for m in events}
    try:
        replies = execute.result()
    except OpError as error:
        if error.op != "validate":
            raise
    else:
        assert [m.header.sequence for m in replies] == [4]


def test_execute_waits_for_an_iterator(conn: Conn, work: Work) -> None:
    netns.add_routes(conn, 2_000)
    conn.send(netns.routes_request())
    replies = conn.receive_iter()
    next(replies)
    execute = work(conn.execute, get_link())
    execute.wait_for_lock()
    replies.close()  # type: ignore[attr-defined]
    assert len(execute.result()) == 1


# An iterator that is suspended


@pytest.fixture
def suspended(user: Conn, peer: Peer) -> Iterator[Iterator[Message]]:
    """A reply to `user` of which one message was read."""
    peer.send(message(16, HeaderFlags.MULTI), message(17, HeaderFlags.MULTI))
    replies = user.receive_iter()
    assert next(replies).header.type == 16
    yield replies
    with contextlib.suppress(OpError):  # what that says has a test of its own
        replies.close()  # type: ignore[attr-defined]


def test_the_same_thread_cannot_receive_while_its_iterator_is_suspended(
    user: Conn, suspended: Iterator[Message]
) -> None:
    for call in (user.receive, lambda: next(user.receive_iter()), lambda: user.execute(message(16))):
        with pytest.raises(OpError) as caught:
            call()
        assert caught.value.errno == errno.EBUSY
        assert caught.value.op in {"receive", "execute"}
        assert "this thread is in the middle of the connection's receive_iter" in str(caught.value)


def test_the_same_thread_can_send_while_its_iterator_is_suspended(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    conn.send(netns.routes_request())
    replies = conn.receive_iter()
    next(replies)
    # The acknowledgement comes in the middle, and ends this reply as any ERROR does. The rest is still to be read.
    conn.send(get_link(index=9999))
    with pytest.raises(OpError, match="No such device"):
        list(replies)
    assert sum(map(netns.is_ours, conn.receive())) > 0


def test_another_thread_waits_while_an_iterator_is_suspended(
    user: Conn, peer: Peer, suspended: Iterator[Message], work: Work
) -> None:
    workers = [work(user.receive), work(lambda: list(user.receive_iter()))]
    for worker in workers:
        worker.wait_for_lock()
    peer.send(message(18, HeaderFlags.MULTI), message(HeaderType.DONE, HeaderFlags.MULTI))
    assert types(suspended) == [17, 18]
    peer.send(message(20))
    peer.send(message(21))
    assert sorted(types(w.result()) for w in workers) == [[20], [21]]


def test_closing_an_iterator_lets_the_next_thread_go_on(
    user: Conn, peer: Peer, suspended: Iterator[Message], work: Work
) -> None:
    worker = work(user.receive)
    worker.wait_for_lock()
    suspended.close()  # type: ignore[attr-defined]
    worker.wait_receiving()
    # Its sequence number is 0, which is nobody's: what comes is taken for another reply.
    peer.send(message(20))
    assert types(worker.result()) == [20]


def test_dropping_an_iterator_lets_the_next_thread_go_on(conn: Conn, work: Work) -> None:
    netns.add_routes(conn, 2_000)
    conn.send(netns.routes_request())
    replies = conn.receive_iter()
    next(replies)
    worker = work(conn.execute, get_link())
    worker.wait_for_lock()
    del replies
    gc.collect()
    assert len(worker.result()) == 1


def test_an_iterator_goes_on_in_another_thread(conn: Conn, work: Work) -> None:
    netns.add_routes(conn, 5_000)
    conn.send(netns.routes_request())
    replies = conn.receive_iter()
    leave = threading.Event()

    def go_on() -> int:
        count = sum(netns.is_ours(next(replies)) for _ in range(2_000))
        leave.wait()
        return count

    count = netns.is_ours(next(replies))
    second = work(go_on)
    try:
        second.wait_for_lock()  # has read its part, and holds the lock
        execute = work(conn.execute, get_link())
        execute.wait_for_lock()
        count += sum(map(netns.is_ours, replies))
    finally:
        leave.set()
    assert count + second.result() == 5_000
    assert len(execute.result()) == 1


def test_an_iterator_read_on_by_another_thread_is_that_threads(user: Conn, peer: Peer, work: Work) -> None:
    multi = HeaderFlags.MULTI
    for kind in (16, 17):
        peer.send(message(kind, multi))
    replies = user.receive_iter()
    assert next(replies).header.type == 16
    leave = threading.Event()

    def run() -> int | None:
        assert next(replies).header.type == 17
        with pytest.raises(OpError) as caught:
            user.receive()
        leave.wait()
        return caught.value.errno

    second = work(run)
    try:
        second.wait_for_lock()
        waiting = work(user.receive)
        waiting.wait_for_lock()
    finally:
        leave.set()
        second.join()
        replies.close()  # type: ignore[attr-defined]
    assert second.result() == errno.EBUSY
    waiting.wait_receiving()
    peer.send(message(20))
    assert types(waiting.result()) == [20]


def test_a_thread_that_ended_is_not_taken_for_a_new_one(user: Conn, peer: Peer, work: Work) -> None:
    # Thread identifiers are reused: a new thread must wait for the lock.
    peer.send(message(16, HeaderFlags.MULTI), message(17, HeaderFlags.MULTI))
    replies = user.receive_iter()

    def first() -> int:
        next(replies)
        return threading.get_ident()

    ended = work(first).result()

    def second() -> list[int] | None:
        return types(user.receive()) if threading.get_ident() == ended else None

    try:
        for _ in range(100):
            worker = work(second)
            eventually(lambda worker=worker: worker.done or waits(worker.native_id, "futex"), "it waits or has ended")
            if not worker.done or worker.result() is not None:
                worker.wait_for_lock()
                break
        else:
            pytest.skip("no thread identifier was used again")
    finally:
        replies.close()  # type: ignore[attr-defined]
    worker.wait_receiving()
    peer.send(message(20))
    assert worker.result() == [20]


def test_the_first_thread_waits_for_the_one_that_has_its_iterator_now(user: Conn, peer: Peer, work: Work) -> None:
    multi = HeaderFlags.MULTI
    for kind in (16, 17):
        peer.send(message(kind, multi))
    replies = user.receive_iter()

    def finish() -> list[int]:
        assert next(replies).header.type == 17
        return types(replies)

    def first() -> list[int]:
        assert next(replies).header.type == 16
        started.set()
        assert go.wait(10)
        # Blocks, since another thread is in the middle of the reply; an EBUSY would be wrong.
        return types(user.receive())

    started, go = threading.Event(), threading.Event()
    one = work(first)
    assert started.wait(10)
    two = work(finish)
    two.wait_receiving()
    go.set()
    one.wait_for_lock()
    peer.send(message(HeaderType.DONE, multi))
    assert two.result() == []
    peer.send(message(20))
    assert one.result() == [20]


# close


def test_close_ends_a_blocked_receive_at_once(work: Work) -> None:
    for read in (Conn.receive, lambda conn: list(conn.receive_iter())):
        with dial(Family.ROUTE) as conn:
            worker = work(read, conn)
            worker.wait_receiving()
            conn.close()
            ended(lambda worker=worker: worker.result(2))


def test_close_ends_a_blocked_execute_at_once(conn: Conn, work: Work) -> None:
    conn.set_bpf(NOTHING_PASSES)
    worker = work(conn.execute, get_link())
    worker.wait_receiving()
    conn.close()
    ended(lambda: worker.result(2))


def test_close_ends_the_wait_for_a_lock(conn: Conn, work: Work) -> None:
    receiving = work(conn.receive)
    receiving.wait_receiving()
    waiting = [work(conn.receive), work(conn.execute, get_link()), work(lambda: list(conn.receive_iter()))]
    for worker in waiting:
        worker.wait_for_lock()
    conn.close()
    for worker in (receiving, *waiting):
        ended(lambda worker=worker: worker.result(2))


def test_close_ends_the_wait_for_a_suspended_iterator(user: Conn, suspended: Iterator[Message], work: Work) -> None:
    waiting = [work(user.receive), work(user.execute, message(16))]
    for worker in waiting:
        worker.wait_for_lock()
    user.close()
    for worker in waiting:
        ended(lambda worker=worker: worker.result(2))


def test_close_ends_a_suspended_iterator(user: Conn, suspended: Iterator[Message]) -> None:
    user.close()
    # What was received already is handed out or not; then it ends.
    ended(lambda: list(suspended))


def test_an_iterator_closed_behind_close_is_silent(user: Conn, suspended: Iterator[Message]) -> None:
    user.close()
    suspended.close()  # type: ignore[attr-defined]


def test_an_iterator_closed_behind_a_deadline_is_silent(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    conn.send(netns.routes_request())
    replies = conn.receive_iter()
    next(replies)
    conn.set_read_deadline(passed())
    replies.close()  # type: ignore[attr-defined]
    conn.set_read_deadline(None)
    assert sum(map(netns.is_ours, conn.execute(netns.routes_request()))) == 2_000


def test_close_in_a_loop_over_a_dump(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    with dial(Family.ROUTE) as own:
        own.send(netns.routes_request())
        ended(lambda: [own.close() for _ in own.receive_iter()])


def test_close_while_other_threads_work(work: Work) -> None:
    for _ in range(100):
        with dial(Family.ROUTE) as conn:
            start = threading.Barrier(4)

            def run(verb: Callable[[], Any], start: threading.Barrier = start) -> int | None:
                start.wait()
                while True:
                    try:
                        verb()
                    except OpError as error:
                        return error.errno

            workers = [
                work(run, lambda conn=conn: conn.execute(get_link())),
                work(run, lambda conn=conn: conn.execute(netns.routes_request())),
                work(run, lambda conn=conn: conn.read_buffer()),
            ]
            start.wait()
            conn.close()
            assert [w.result() for w in workers] == [errno.EBADF] * 3


def test_close_races_with_the_start_of_a_receive(work: Work) -> None:
    for _ in range(200):
        with dial(Family.ROUTE) as conn:
            start = threading.Barrier(2)

            def run(conn: Conn = conn, start: threading.Barrier = start) -> None:
                start.wait()
                conn.receive()

            worker = work(run)
            start.wait()
            conn.close()
            ended(worker.result)


def test_many_threads_close_at_once(work: Work) -> None:
    for _ in range(20):
        with dial(Family.ROUTE) as conn:
            start = threading.Barrier(4)

            def run(conn: Conn = conn, start: threading.Barrier = start) -> None:
                start.wait()
                conn.close()

            workers = [work(run) for _ in range(4)]
            for worker in workers:
                worker.result()
            assert conn.closed


def test_deadlines_and_close_under_many_receives(work: Work) -> None:
    # A wake is for all who wait, also where the one that is woken first reads it.
    with dial(Family.ROUTE) as conn:
        receiving = work(conn.receive)
        receiving.wait_receiving()
        for n in range(200):
            conn.set_read_deadline(soon(100 + n))
        conn.close()
        ended(lambda: receiving.result(2))
