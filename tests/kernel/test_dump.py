"""Dumps: complete, of any size, and what is left of one that nobody reads to its end."""

from __future__ import annotations

import errno
import gc
import signal
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

import netns
from kernel.tools import (
    Child,
    Worker,
    enter_sandbox,
    interrupted_at_random,
    no_peeking,
    on_signal,
    passed,
    readable,
    soon,
)
from netlink import AttributeDecoder, Config, Conn, Family, Header, HeaderFlags, HeaderType, Message, OpError, dial
from netlink._transport import Socket
from netns import ACK, DUMP, IPCTNL_MSG_CT_GET, RTM_GETLINK

COUNT = 20_000


def get_link() -> Message:
    return netns.link_request(RTM_GETLINK, HeaderFlags.REQUEST, netns.LOOPBACK)


def destinations(messages: Any) -> list[bytes]:
    return [
        a.data
        for m in messages
        if netns.is_ours(m)
        for a in AttributeDecoder(m.data[12:])
        if a.type == 1  # RTA_DST
    ]


def usable(conn: Conn, routes: int) -> None:
    """The connection works, also for a next dump, which the kernel refuses (EBUSY) while one is unfinished."""
    conn.set_deadline(soon())
    assert len(conn.execute(get_link())) == 1
    assert len(destinations(conn.execute(netns.routes_request()))) == routes
    assert len(conn.execute(get_link())) == 1
    assert not readable(conn)


@pytest.mark.parametrize("config", [Config(), Config(strict=True), Config(message_buffer_size=65536)], ids=repr)
def test_a_long_dump_is_complete(conn: Conn, config: Config) -> None:
    netns.add_routes(conn, COUNT)
    want = [struct.pack(">I", (10 << 24) + n) for n in range(1, COUNT + 1)]
    with dial(Family.ROUTE, config) as fresh:
        assert sorted(destinations(fresh.execute(netns.routes_request()))) == want
        request = fresh.send(netns.routes_request())
        replies = fresh.receive()
        assert sorted(destinations(replies)) == want
        assert {m.header.sequence for m in replies} == {request.header.sequence}
        assert HeaderType.DONE not in {m.header.type for m in replies}
        fresh.send(netns.routes_request())
        assert sorted(destinations(fresh.receive_iter())) == want
        assert not readable(fresh)


def test_receive_iter_has_flat_memory(conn: Conn) -> None:
    netns.add_routes(conn, COUNT)

    def peak(read: Callable[[], Any]) -> int:
        conn.send(netns.routes_request())
        tracemalloc.start()
        try:
            read()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    whole = peak(conn.receive)
    one_by_one = peak(lambda: sum(1 for _ in conn.receive_iter()))
    # A chunk of 32 KiB is some 600 of the 20,000 messages.
    assert one_by_one < whole / 10


@pytest.mark.parametrize("taken", [1, 10, 5_000])
def test_an_iterator_closed_early_leaves_the_connection_usable(conn: Conn, taken: int) -> None:
    netns.add_routes(conn, COUNT)
    for _ in range(3):
        conn.send(netns.routes_request())
        replies = conn.receive_iter()
        for _ in range(taken):
            next(replies)
        replies.close()
        usable(conn, COUNT)


def test_an_iterator_left_by_break_leaves_the_connection_usable(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    conn.send(netns.routes_request())
    for _ in conn.receive_iter():
        break
    gc.collect()  # where it is not collected at once
    # Without execute, which would drop what is left.
    conn.set_deadline(soon())
    conn.send(netns.routes_request())
    assert len(destinations(conn.receive())) == 2_000
    usable(conn, 2_000)


def test_an_iterator_left_by_an_exception_leaves_the_connection_usable(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    conn.send(netns.routes_request())
    with pytest.raises(ZeroDivisionError):
        [1 // 0 for _ in conn.receive_iter()]
    gc.collect()
    usable(conn, 2_000)


def test_an_iterator_thrown_into_leaves_the_connection_usable(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    conn.send(netns.routes_request())
    replies = conn.receive_iter()
    next(replies)
    with pytest.raises(ZeroDivisionError):
        replies.throw(ZeroDivisionError())  # type: ignore[attr-defined]
    usable(conn, 2_000)


def test_the_kernel_refuses_a_second_dump(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    first = conn.send(netns.routes_request())
    second = conn.send(netns.routes_request())
    got: list[Message] = []
    with pytest.raises(OpError) as caught:
        # The refusal is queued behind the first dump's first part.
        got.extend(conn.receive_iter())
    assert (caught.value.errno, caught.value.sequence) == (errno.EBUSY, second.header.sequence)
    # Nothing of the first is lost by that.
    got += conn.receive()
    assert {m.header.sequence for m in got} == {first.header.sequence}
    assert len(destinations(got)) == 2_000
    usable(conn, 2_000)


def test_a_dump_by_another_thread_waits(conn: Conn, work: Callable[..., Worker]) -> None:
    netns.add_routes(conn, 2_000)
    conn.send(netns.routes_request())
    replies = conn.receive_iter()
    next(replies)
    worker = work(conn.execute, netns.routes_request())
    worker.wait_for_lock()
    assert 1 + sum(1 for _ in replies) >= 2_000
    assert len(destinations(worker.result())) == 2_000


def test_a_dump_cut_by_a_deadline_leaves_the_connection_usable(conn: Conn) -> None:
    netns.add_routes(conn, COUNT)
    conn.send(netns.routes_request())
    replies = conn.receive_iter()
    next(replies)
    conn.set_read_deadline(passed())
    with pytest.raises(TimeoutError):
        for _ in replies:
            pass
    conn.set_read_deadline(None)
    usable(conn, COUNT)


def test_execute_of_a_dump_cut_before_its_first_part_leaves_the_connection_usable(conn: Conn) -> None:
    netns.add_routes(conn, COUNT)
    for _ in range(3):
        conn.set_read_deadline(passed())
        with pytest.raises(TimeoutError) as caught:
            conn.execute(netns.routes_request())
        assert isinstance(caught.value, OpError)
        assert caught.value.op == "receive"
        conn.set_read_deadline(None)
        usable(conn, COUNT)


def test_receive_after_a_dump_that_was_cut(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    conn.set_read_deadline(passed())
    with pytest.raises(TimeoutError):
        conn.execute(netns.routes_request())
    conn.set_read_deadline(soon())
    request = conn.send(get_link())
    assert [m.header.sequence for m in conn.receive()] == [request.header.sequence]


def drain(conn: Conn) -> None:
    """Read whatever there is, and see that the connection answers."""
    while True:
        request = conn.send(get_link())
        while all(m.header.sequence != request.header.sequence for m in conn.receive()):
            pass
        if not readable(conn):
            return


def interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def test_a_dump_cut_by_an_interrupt_leaves_the_connection_usable(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    conn.send(netns.routes_request())
    with on_signal(signal.SIGUSR1, interrupt), pytest.raises(KeyboardInterrupt):
        [signal.raise_signal(signal.SIGUSR1) for _ in conn.receive_iter()]
    gc.collect()
    usable(conn, 2_000)


@pytest.mark.parametrize("verb", ["execute", "receive", "receive_iter"])
def test_an_interrupt_at_any_moment_of_a_dump_leaves_the_connection_usable(conn: Conn, verb: str) -> None:
    netns.add_routes(conn, 4_000)

    def run() -> None:
        if verb == "execute":
            conn.execute(netns.routes_request())
            return
        conn.send(netns.routes_request())
        if verb == "receive":
            conn.receive()
        else:
            for _ in conn.receive_iter():
                pass

    for _ in interrupted_at_random(run):
        conn.set_deadline(soon())
        if verb == "execute":
            assert len(conn.execute(get_link())) == 1
            assert len(destinations(conn.execute(netns.routes_request()))) == 4_000
        else:
            # An interrupt between send and receive leaves a whole reply behind, which is the caller's.
            drain(conn)
            conn.send(netns.routes_request())
            assert len(destinations(conn.receive())) == 4_000


class Interrupting:
    """The real socket, and an interrupt as the first thing after a system call of it returned."""

    def __init__(self, sock: Socket, verb: str) -> None:
        self._sock = sock
        self._verb = verb
        self.armed = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._sock, name)
        if name != self._verb:
            return method

        def interrupted(*args: Any) -> Any:
            result = method(*args)
            if self.armed:
                self.armed = False
                raise KeyboardInterrupt
            return result

        return interrupted


@pytest.mark.parametrize("verb", ["send", "receive_nowait"])
@pytest.mark.parametrize("flags", [HeaderFlags.REQUEST, ACK, DUMP])
def test_execute_interrupted_just_after_a_system_call(conn: Conn, verb: str, flags: int) -> None:
    # A signal that arrives in a system call is handled when that returns: what it did is done.
    netns.add_routes(conn, 2_000)
    with dial(Family.ROUTE) as real:
        sock = Interrupting(real._sock, verb)
        under = Conn(sock, real.pid)
        sock.armed = True
        request = netns.routes_request() if flags == DUMP else get_link().replace(flags=flags)
        with pytest.raises(KeyboardInterrupt):
            under.execute(request)
        usable(under, 2_000)


def test_a_dump_with_ack_sends_no_ack(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    conn.set_deadline(soon())
    request = conn.send(netns.routes_request(DUMP | HeaderFlags.ACKNOWLEDGE))
    replies = conn.receive()
    assert len(destinations(replies)) == 2_000
    assert {m.header.sequence for m in replies} == {request.header.sequence}
    assert not readable(conn)
    assert len(destinations(conn.execute(netns.routes_request(DUMP | HeaderFlags.ACKNOWLEDGE)))) == 2_000
    usable(conn, 2_000)


def unknown_table() -> Message:
    request = netns.routes_request()
    return request.replace(data=request.data + struct.pack("=HHI", 8, 15, 4711))  # RTA_TABLE


def test_done_has_the_errno_of_a_dump_and_the_kernel_s_message() -> None:
    with dial(Family.ROUTE, Config(strict=True)) as conn:
        conn.set_deadline(soon())
        for receive in (conn.receive, lambda: list(conn.receive_iter())):
            request = conn.send(unknown_table())
            with pytest.raises(FileNotFoundError) as caught:
                receive()
            assert isinstance(caught.value, OpError)
            assert (caught.value.op, caught.value.errno) == ("receive", errno.ENOENT)
            assert "does not exist" in caught.value.message
            assert caught.value.sequence == request.header.sequence
        with pytest.raises(FileNotFoundError):
            conn.execute(unknown_table())
        usable(conn, 0)


def test_messages_of_a_filtered_dump_have_the_flag_dump_filtered() -> None:
    with dial(Family.ROUTE, Config(strict=True)) as conn:
        netns.add_routes(conn, 10)
        request = netns.routes_request()
        replies = conn.execute(request.replace(data=request.data + struct.pack("=HHI", 8, 15, 254)))
        assert len(replies) == 10
        assert all(m.header.flags & HeaderFlags.DUMP_FILTERED for m in replies)


def test_messages_of_an_interrupted_dump_have_the_flag_dump_interrupted(conn: Conn, other: Conn) -> None:
    netns.commit(conn, (netns.address(n) for n in range(1, 2_001)))
    request = Message(Header(type=netns.RTM_GETADDR, flags=DUMP), struct.pack("=4BI", 2, 0, 0, 0, 0))
    assert not any(m.header.flags & HeaderFlags.DUMP_INTERRUPTED for m in conn.execute(request))
    conn.send(request)
    replies = conn.receive_iter()
    flags = [next(replies).header.flags]
    other.execute(netns.address(5_000, flags=netns.CREATE | ACK))
    flags += [m.header.flags for m in replies]
    assert not flags[0] & HeaderFlags.DUMP_INTERRUPTED
    assert any(f & HeaderFlags.DUMP_INTERRUPTED for f in flags)


class Counting:
    """The real socket; counts the calls of receive."""

    def __init__(self, sock: Socket) -> None:
        self._sock = sock
        self.receives = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def receive(self) -> list[Message]:
        self.receives += 1
        return self._sock.receive()


FLOWS = 200_000


@pytest.mark.parametrize("verb", ["execute", "receive_iter"])
def test_a_dump_of_200000_flows_takes_at_most_1200_receive_calls(ct: Conn, verb: str) -> None:
    """Each call of Socket.receive is one recv() where it does not peek first and need not wait.

    It does neither here: the kernel queues the next part of a dump before recv() returns, and a seccomp filter lets
    every receive with MSG_PEEK fail.
    """
    netns.add_flows(ct, FLOWS)

    def run() -> tuple[int, int, set[int]]:
        enter_sandbox(*no_peeking())
        with dial(Family.NETFILTER) as real:
            sock = Counting(real._sock)
            conn = Conn(sock, real.pid)
            request = netns.ct_request(IPCTNL_MSG_CT_GET, DUMP)
            if verb == "execute":
                replies = conn.execute(request)
                flows, kinds = len(replies), {int(m.header.type) for m in replies}
            else:
                conn.send(request)
                flows, kinds = 0, set()
                for m in conn.receive_iter():
                    flows += 1
                    kinds.add(int(m.header.type))
            return flows, sock.receives, kinds

    flows, receives, kinds = Child(run).result()
    assert (flows, kinds) == (FLOWS, {netns.IPCTNL_MSG_CT_NEW})
    assert receives <= 1_200


def test_a_peek_fails_in_the_sandbox_without_peeks(user: Conn) -> None:
    # That the test above tests what it says.
    def run() -> int | None:
        enter_sandbox(*no_peeking())
        with pytest.raises(OpError) as caught:
            user.receive()
        return caught.value.errno

    assert Child(run).result() == errno.EIO


def test_dumps_of_several_connections_at_once(conn: Conn, work: Callable[..., Worker]) -> None:
    netns.add_routes(conn, 4_000)

    def dump() -> int:
        with dial(Family.ROUTE) as own:
            return len(destinations(own.execute(netns.routes_request())))

    workers = [work(dump) for _ in range(8)]
    assert [w.result() for w in workers] == [4_000] * 8


def test_two_connections_interleaved(conn: Conn, other: Conn) -> None:
    netns.add_routes(conn, 2_000)
    for each in (conn, other):
        each.send(netns.routes_request())
    pairs = list(zip(conn.receive_iter(), other.receive_iter(), strict=True))
    assert len(destinations(a for a, _ in pairs)) == len(destinations(b for _, b in pairs)) == 2_000


def test_a_dump_in_a_datagram_with_other_requests(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    first, dump = conn.send_messages([get_link(), netns.routes_request()])
    assert [m.header.sequence for m in conn.receive()] == [first.header.sequence]
    replies = conn.receive()
    assert {m.header.sequence for m in replies} == {dump.header.sequence}
    assert len(destinations(replies)) == 2_000
