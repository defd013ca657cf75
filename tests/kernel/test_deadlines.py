"""Deadlines: absolute, for calls that wait already too, until another is set."""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Callable
from typing import Any

import pytest

import netns
from kernel.tools import Deny, Peer, Worker, eventually, passed, readable, sandboxed, soon
from netlink import Conn, Header, HeaderFlags, Message, OpError, dial
from netlink.bpf import BPF_K, BPF_RET, stmt
from netlink.consts import Family
from netns import RTM_GETLINK

Work = Callable[..., Worker]


def get_link() -> Message:
    return netns.link_request(RTM_GETLINK, HeaderFlags.REQUEST, netns.LOOPBACK)


def message(kind: int = 16, flags: int = 0) -> Message:
    return Message(Header(type=kind, flags=flags), b"")


def timed_out(call: Callable[[], Any], op: str = "receive") -> None:
    with pytest.raises(TimeoutError) as caught:
        call()
    error = caught.value
    assert isinstance(error, OpError)
    assert (error.op, error.errno) == (op, errno.ETIMEDOUT)
    assert error.timeout
    assert error.temporary


@pytest.mark.parametrize("past", [passed, lambda: 0.0, lambda: -1.0, lambda: -math.inf, lambda: 0], ids=range(5))
def test_one_that_has_passed_ends_calls_at_once(conn: Conn, past: Callable[[], float]) -> None:
    conn.set_deadline(past())
    begin = time.monotonic()
    timed_out(conn.receive)
    timed_out(lambda: list(conn.receive_iter()))
    timed_out(lambda: conn.send(get_link()), "send")
    timed_out(lambda: conn.send_messages([get_link()]), "send-messages")
    timed_out(lambda: conn.execute(get_link()), "send")
    assert time.monotonic() - begin < 1
    assert not readable(conn)


def test_it_holds_until_another_is_set(conn: Conn) -> None:
    conn.set_deadline(passed())
    for _ in range(3):
        timed_out(conn.receive)
    conn.set_deadline(None)
    assert len(conn.execute(get_link())) == 1
    conn.set_deadline(passed())
    timed_out(conn.receive)
    conn.set_deadline(soon())
    assert len(conn.execute(get_link())) == 1


def test_it_is_absolute(conn: Conn) -> None:
    at = time.monotonic() + 0.2
    conn.set_read_deadline(at)
    timed_out(conn.receive)
    ended = time.monotonic()
    assert at <= ended < at + 2
    timed_out(conn.receive)
    assert time.monotonic() < ended + 1


def test_reading_and_writing_have_their_own(conn: Conn) -> None:
    conn.set_read_deadline(passed())
    request = conn.send(get_link())
    timed_out(conn.receive)
    conn.set_read_deadline(None)
    conn.set_write_deadline(passed())
    timed_out(lambda: conn.send(get_link()), "send")
    # What was there when the deadline passed is there still.
    assert [m.header.sequence for m in conn.receive()] == [request.header.sequence]


def test_set_deadline_is_both(conn: Conn) -> None:
    conn.set_deadline(passed())
    conn.set_read_deadline(None)
    timed_out(lambda: conn.send(get_link()), "send")
    conn.set_deadline(passed())
    conn.set_write_deadline(None)
    conn.send(get_link())
    timed_out(conn.receive)
    conn.set_deadline(None)
    assert len(conn.receive()) == 1


@pytest.mark.parametrize("far", [1e10, 1e300, math.inf])
def test_one_in_the_far_future(conn: Conn, work: Work, far: float) -> None:
    conn.set_deadline(far)
    assert len(conn.execute(get_link())) == 1
    worker = work(conn.receive)
    worker.wait_receiving()
    waiting = work(conn.receive)
    eventually(waiting.is_alive, "the second waits")
    conn.close()
    for each in (worker, waiting):
        with pytest.raises(OpError, match="Bad file descriptor"):
            each.result()


def test_an_integer_will_do(conn: Conn) -> None:
    conn.set_deadline(int(time.monotonic()) + 60)
    assert len(conn.execute(get_link())) == 1


@pytest.mark.parametrize(("bad", "kind"), [(math.nan, ValueError), ("soon", TypeError), (1j, TypeError)])
def test_nonsense(conn: Conn, bad: Any, kind: type[Exception]) -> None:
    for setter in (conn.set_deadline, conn.set_read_deadline, conn.set_write_deadline):
        with pytest.raises(kind):
            setter(bad)
    assert len(conn.execute(get_link())) == 1


def test_a_closed_connection_has_none(conn: Conn) -> None:
    conn.close()
    for setter in (conn.set_deadline, conn.set_read_deadline, conn.set_write_deadline):
        with pytest.raises(OpError) as caught:
            setter(None)
        assert (caught.value.op, caught.value.errno) == ("set-deadline", errno.EBADF)


# For a receive that is blocked


def test_a_past_one_ends_a_blocked_receive_at_once(conn: Conn, work: Work) -> None:
    for setter in (conn.set_deadline, conn.set_read_deadline):
        worker = work(conn.receive)
        worker.wait_receiving()
        setter(passed())
        timed_out(lambda worker=worker: worker.result(2))
        setter(None)


def test_a_blocked_receive_takes_a_nearer_one(conn: Conn, work: Work) -> None:
    conn.set_read_deadline(soon(100))
    worker = work(conn.receive)
    worker.wait_receiving()
    at = time.monotonic() + 0.1
    conn.set_read_deadline(at)
    timed_out(worker.result)
    assert time.monotonic() >= at


def test_a_blocked_receive_takes_a_later_one(conn: Conn, work: Work) -> None:
    near = time.monotonic() + 0.3
    conn.set_read_deadline(near)
    worker = work(conn.receive)
    worker.wait_receiving()
    conn.set_read_deadline(soon(100))
    eventually(lambda: time.monotonic() > near + 0.05, "the first deadline passed")
    worker.wait_receiving()
    sent = conn.send(get_link())
    assert [m.header.sequence for m in worker.result()] == [sent.header.sequence]


def test_a_blocked_receive_waits_for_ever_once_it_is_cleared(conn: Conn, work: Work) -> None:
    near = time.monotonic() + 0.3
    conn.set_read_deadline(near)
    worker = work(conn.receive)
    worker.wait_receiving()
    conn.set_read_deadline(None)
    eventually(lambda: time.monotonic() > near + 0.05, "the first deadline passed")
    worker.wait_receiving()
    sent = conn.send(get_link())
    assert [m.header.sequence for m in worker.result()] == [sent.header.sequence]


def test_one_for_writing_does_not_end_a_blocked_receive(conn: Conn, work: Work) -> None:
    worker = work(conn.receive)
    worker.wait_receiving()
    conn.set_write_deadline(passed())
    worker.wait_receiving()
    conn.set_write_deadline(None)
    sent = conn.send(get_link())
    assert [m.header.sequence for m in worker.result()] == [sent.header.sequence]


def test_a_blocked_execute(conn: Conn, work: Work) -> None:
    conn.set_bpf([stmt(BPF_RET | BPF_K, 0)])
    worker = work(conn.execute, get_link())
    worker.wait_receiving()
    conn.remove_bpf()
    conn.set_read_deadline(passed())
    timed_out(worker.result)
    conn.set_read_deadline(None)
    assert len(conn.execute(get_link())) == 1


# For a thread that waits for a lock


def test_a_past_one_ends_the_wait_for_a_lock(user: Conn, peer: Peer, work: Work) -> None:
    peer.send(message(16, HeaderFlags.MULTI), message(17, HeaderFlags.MULTI))
    replies = user.receive_iter()
    next(replies)
    workers = {"receive": work(user.receive), "execute": work(user.execute, message())}
    for worker in workers.values():
        worker.wait_for_lock()
    user.set_read_deadline(passed())
    for op, worker in workers.items():
        timed_out(worker.result, op)
    worker = work(user.receive)
    timed_out(worker.result)
    user.set_read_deadline(None)
    replies.close()  # type: ignore[attr-defined]


def test_the_wait_for_a_lock_heeds_a_later_deadline(user: Conn, peer: Peer, work: Work) -> None:
    peer.send(message(16, HeaderFlags.MULTI), message(17, HeaderFlags.MULTI))
    replies = user.receive_iter()
    next(replies)
    user.set_read_deadline(time.monotonic() + 0.1)
    timed_out(work(user.receive).result)
    user.set_read_deadline(None)
    replies.close()  # type: ignore[attr-defined]


def test_the_wait_for_the_lock_to_send(conn: Conn, work: Work) -> None:
    conn.set_bpf([stmt(BPF_RET | BPF_K, 0)])
    execute = work(conn.execute, get_link())
    execute.wait_receiving()
    send = work(conn.send, get_link())
    send.wait_for_lock()
    conn.set_write_deadline(passed())
    timed_out(send.result, "send")
    execute.wait_receiving()
    conn.close()
    with pytest.raises(OpError, match="Bad file descriptor"):
        execute.result()


# For a send that is blocked: the kernel takes all at once, so a sandbox says that it cannot


BUSY = [Deny("sendto", errno.EAGAIN), Deny("sendmsg", errno.EAGAIN)]


@pytest.mark.parametrize("verb", ["send", "send-messages"])
def test_a_blocked_send(conn: Conn, work: Work, verb: str) -> None:
    def send() -> Any:
        return conn.send(get_link()) if verb == "send" else conn.send_messages([get_link()])

    worker = work(sandboxed(BUSY, send))
    worker.wait_blocked("poll")
    conn.set_write_deadline(passed())
    timed_out(lambda: worker.result(2), verb)
    conn.set_write_deadline(time.monotonic() + 0.1)
    timed_out(work(sandboxed(BUSY, send)).result, verb)
    conn.set_write_deadline(None)
    assert len(conn.execute(get_link())) == 1


@pytest.mark.parametrize("verb", ["send", "send-messages"])
def test_close_ends_a_blocked_send_at_once(work: Work, verb: str) -> None:
    with dial(Family.ROUTE) as conn:

        def send() -> Any:
            return conn.send(get_link()) if verb == "send" else conn.send_messages([get_link()])

        worker = work(sandboxed(BUSY, send))
        worker.wait_blocked("poll")
        waiting = work(conn.send, get_link())
        waiting.wait_for_lock()
        conn.close()
        for each, op in ((worker, verb), (waiting, "send")):
            with pytest.raises(OpError) as caught:
                each.result(2)
            assert (caught.value.op, caught.value.errno) == (op, errno.EBADF)


def test_a_blocked_send_does_not_block_a_receive(conn: Conn, other: Conn, work: Work) -> None:
    conn.join_group(1)  # RTNLGRP_LINK
    worker = work(sandboxed(BUSY, conn.send, get_link()))
    worker.wait_blocked("poll")
    netns.add_link(other, "probe0")
    conn.set_read_deadline(soon())
    assert conn.receive()
    conn.set_write_deadline(passed())
    timed_out(worker.result, "send")
