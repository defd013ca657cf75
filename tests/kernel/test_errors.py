"""Errors of the kernel, and signals."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

import netns
from kernel.tools import Child, Peer, Worker, in_child, on_signal, readable, unprivileged, wait_blocked
from netlink import Config, Conn, Family, Header, HeaderFlags, Message, OpError, dial
from netlink.bpf import BPF_K, BPF_RET, stmt
from netns import ACK, DUMP, RTM_GETLINK, RTM_NEWLINK

Work = Callable[..., Worker]
NOBODY = 65534


def get_link(flags: int = HeaderFlags.REQUEST, index: int = netns.LOOPBACK) -> Message:
    return netns.link_request(RTM_GETLINK, flags, index)


def refused(conn: Conn) -> OpError:
    with pytest.raises(PermissionError) as caught:
        conn.execute(netns.link_request(RTM_NEWLINK, index=netns.LOOPBACK, up=True))
    assert isinstance(caught.value, OpError)
    assert (caught.value.op, caught.value.errno) == ("receive", errno.EPERM)
    assert len(conn.execute(get_link())) == 1
    return caught.value


def test_what_needs_a_capability() -> None:
    def run() -> OpError:
        with dial(Family.ROUTE) as conn:
            return refused(conn)

    assert unprivileged(run).sequence


def test_what_another_user_may_not_do() -> None:
    def run() -> OpError | str:
        try:
            os.setresuid(NOBODY, NOBODY, NOBODY)
        except OSError as error:
            return f"no other user to be: {error}"
        with dial(Family.ROUTE, Config(strict=True)) as conn:
            assert conn.execute(get_link(DUMP, 0))
            return refused(conn)

    outcome = in_child(run)
    if isinstance(outcome, str):
        pytest.skip(outcome)
    assert isinstance(outcome, PermissionError)


def test_a_socket_handed_to_another_user(conn: Conn) -> None:
    # netlink_capable: what the opener may do does not suffice.
    def run() -> OpError | str:
        try:
            os.setresuid(NOBODY, NOBODY, NOBODY)
        except OSError as error:
            return f"no other user to be: {error}"
        return refused(conn)

    outcome = in_child(run)
    if isinstance(outcome, str):
        pytest.skip(outcome)


def test_errors_of_the_kernel_travel_between_processes() -> None:
    with dial(Family.ROUTE, Config(strict=True)) as conn:
        request = get_link(ACK).replace(type=RTM_NEWLINK)
        request = request.replace(data=request.data + b"\x06\0\x04\0\0\0\0\0")
        with pytest.raises(OpError) as caught:
            conn.execute(request)
    error = caught.value
    assert error.message
    for copy in (pickle.loads(pickle.dumps(error)), in_child(lambda: error)):
        assert (type(copy), copy.op, copy.errno, copy.message, copy.offset, copy.sequence, str(copy)) == (
            type(error), error.op, error.errno, error.message, error.offset, error.sequence, str(error),
        )  # fmt: skip


def test_a_message_larger_than_the_send_buffer(conn: Conn) -> None:
    conn.set_write_buffer(8192)
    request = get_link()
    big = request.replace(data=request.data + bytes(4 * conn.write_buffer()))
    for call, op in (
        (lambda: conn.send(big), "send"),
        (lambda: conn.execute(big), "send"),
        (lambda: conn.send_messages([get_link(), big]), "send-messages"),
    ):
        with pytest.raises(OpError) as caught:
            call()
        assert (caught.value.op, caught.value.errno) == (op, errno.EMSGSIZE)
    assert not readable(conn)
    # A dump that could not be asked for is none.
    with pytest.raises(OpError, match=os.strerror(errno.EMSGSIZE)):
        conn.execute(big.replace(flags=DUMP))
    assert len(conn.execute(get_link())) == 1


def test_a_dump_that_could_not_be_sent_leaves_no_mark(user: Conn, peer: Peer) -> None:
    # Nobody listens to USERSOCK: the next receive still asks how long its datagram is.
    with pytest.raises(ConnectionRefusedError):
        user.send(get_link(DUMP))
    data = bytes(1 << 17)
    peer.send(Message(Header(type=16), data))
    (m,) = user.receive()
    assert m.data == data


def test_an_error_has_no_part_of_another(conn: Conn) -> None:
    sent = conn.send_messages([get_link(index=9999), netns.route(1, netns.RTM_DELROUTE, ACK), get_link(index=9999)])
    got = []
    for _ in sent:
        with pytest.raises(OpError) as caught:
            conn.receive()
        got.append((caught.value.sequence, caught.value.errno))
    numbers = [errno.ENODEV, errno.ESRCH, errno.ENODEV]
    assert got == [(m.header.sequence, number) for m, number in zip(sent, numbers, strict=True)]


# Signals


def blocked_then(number: int, times: int = 1, stop: Callable[[], Any] | None = None) -> Worker:
    """Signal the main thread, which is about to block in a receive, so many times; then stop it."""
    main = threading.main_thread()
    assert main.native_id is not None

    def run() -> None:
        for _ in range(times):
            wait_blocked(main.native_id, "ppoll")  # type: ignore[arg-type]
            signal.pthread_kill(main.ident, number)  # type: ignore[arg-type]
        if stop:
            wait_blocked(main.native_id, "ppoll")  # type: ignore[arg-type]
            stop()

    return Worker(run)


@pytest.mark.parametrize("verb", ["receive", "receive_iter"])
def test_a_signal_with_a_handler_restarts(user: Conn, peer: Peer, verb: str) -> None:
    seen = []
    with on_signal(signal.SIGUSR1, lambda number, frame: seen.append(number)):
        helper = blocked_then(signal.SIGUSR1, 5, lambda: peer.send(Message(Header(type=16))))
        got = user.receive() if verb == "receive" else list(user.receive_iter())
        helper.result()
    assert [m.header.type for m in got] == [16]
    assert seen == [signal.SIGUSR1] * 5


def test_a_signal_with_a_handler_restarts_execute(conn: Conn) -> None:
    conn.set_bpf([stmt(BPF_RET | BPF_K, 0)])
    seen = []
    with on_signal(signal.SIGUSR1, lambda number, frame: seen.append(number)):
        helper = blocked_then(signal.SIGUSR1, 3, conn.close)
        with pytest.raises(OpError, match="Bad file descriptor"):
            conn.execute(get_link())
        helper.result()
    assert seen == [signal.SIGUSR1] * 3


def test_a_deadline_holds_across_restarts(user: Conn) -> None:
    with on_signal(signal.SIGUSR1, lambda number, frame: user.set_read_deadline(1.0)):
        helper = blocked_then(signal.SIGUSR1)
        with pytest.raises(TimeoutError):
            user.receive()
        helper.result()


@pytest.mark.parametrize("verb", ["receive", "receive_iter"])
def test_keyboard_interrupt_is_delivered_while_blocked(user: Conn, peer: Peer, verb: str) -> None:
    with on_signal(signal.SIGINT, signal.default_int_handler):
        helper = blocked_then(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            user.receive() if verb == "receive" else list(user.receive_iter())
        helper.result()
    peer.send(Message(Header(type=16)))
    assert [m.header.type for m in user.receive()] == [16]


def test_keyboard_interrupt_is_delivered_in_a_blocked_execute(conn: Conn) -> None:
    conn.set_bpf([stmt(BPF_RET | BPF_K, 0)])
    with on_signal(signal.SIGINT, signal.default_int_handler):
        helper = blocked_then(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            conn.execute(get_link())
        helper.result()
    conn.remove_bpf()
    assert len(conn.execute(get_link())) == 1
    assert not readable(conn)


def test_keyboard_interrupt_is_delivered_in_the_wait_for_a_lock(user: Conn, peer: Peer, work: Work) -> None:
    receiving = work(user.receive)
    receiving.wait_receiving()
    main = threading.main_thread()

    def run() -> None:
        wait_blocked(main.native_id, "futex")  # type: ignore[arg-type]
        signal.pthread_kill(main.ident, signal.SIGINT)  # type: ignore[arg-type]

    with on_signal(signal.SIGINT, signal.default_int_handler):
        helper = Worker(run)
        with pytest.raises(KeyboardInterrupt):
            user.receive()
        helper.result()
    # The locks are unchanged.
    second = work(user.receive)
    second.wait_for_lock()
    for kind in (16, 17):
        peer.send(Message(Header(type=kind)))
    assert sorted(m.header.type for w in (receiving, second) for m in w.result()) == [16, 17]


def test_an_interrupt_in_another_thread_restarts_a_receive(user: Conn, peer: Peer, work: Work) -> None:
    # Python handles signals in its main thread; a receive of another is interrupted and goes on.
    seen = []
    with on_signal(signal.SIGUSR1, lambda number, frame: seen.append(number)):
        worker = work(user.receive)
        for _ in range(3):
            worker.wait_receiving()
            signal.pthread_kill(worker.ident, signal.SIGUSR1)
        worker.wait_receiving()
        peer.send(Message(Header(type=16)))
        assert [m.header.type for m in worker.result()] == [16]
    assert seen


def test_an_exception_of_a_handler_is_delivered(user: Conn) -> None:
    def handler(number: int, frame: object) -> None:
        raise ZeroDivisionError

    with on_signal(signal.SIGUSR1, handler):
        helper = blocked_then(signal.SIGUSR1)
        with pytest.raises(ZeroDivisionError):
            user.receive()
        helper.result()


def test_a_stopped_and_continued_process_goes_on(user: Conn, peer: Peer) -> None:
    def run() -> list[int]:
        return [int(m.header.type) for m in user.receive()]

    child = Child(run)
    wait_blocked_child = f"/proc/{child.pid}/stat"

    def state() -> str:
        with open(wait_blocked_child) as stat:
            return stat.read().rpartition(")")[2].split()[0]

    from kernel.tools import eventually

    eventually(lambda: state() == "S", "the child sleeps")
    os.kill(child.pid, signal.SIGSTOP)
    eventually(lambda: state() == "T", "the child is stopped")
    os.kill(child.pid, signal.SIGCONT)
    eventually(lambda: state() == "S", "the child sleeps again")
    peer.send(Message(Header(type=16)))
    assert child.result() == [16]
