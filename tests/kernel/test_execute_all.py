"""Many requests in few datagrams, against the kernel: an answer to each, in its place, whatever comes in between."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

import netlink
import netlink.aio
import netns
from driven import Drivers
from kernel.tools import Worker, datagram, interrupted_at_random, passed, readable, soon
from netlink import Conn, DecodeError, Family, Header, HeaderFlags, HeaderType, Message, OpError
from netlink.bpf import BPF_ABS, BPF_B, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, jump, stmt
from netlink.family import Call
from netlink.schema import AttributeSet, Batch, Struct, s32, string, u8, u16, u32
from netns import RTM_GETLINK

Work = Callable[..., Worker]
Dial = Callable[..., Conn]
REQUEST = HeaderFlags.REQUEST
NOOP = HeaderType.NOOP


class Header_(Struct):  # noqa: N801 - struct ifinfomsg
    family = u8()
    pad = u8()
    kind = u16()
    index = s32()
    flags = u32()
    change = u32()


class Link(AttributeSet, header=Header_):
    name = string(3)


def link(index: int = netns.LOOPBACK) -> Call[Link]:
    return Call(RTM_GETLINK, netns.link_request(RTM_GETLINK, index=index).data, Link, hints={errno.ENODEV: "look"})


def links() -> Call[Batch[Link]]:
    return Call(RTM_GETLINK, netns.link_request(RTM_GETLINK).data, Link, dump=True)


def noop(size: int = 0) -> Call[None]:
    return Call(NOOP, bytes(size))


def unknown() -> Call[None]:
    return Call(0x7FFF, b"")


def plain(answers: Any) -> list[Any]:
    def one(answer: Any) -> Any:
        if isinstance(answer, Link):
            return answer.name
        if isinstance(answer, Batch):
            return [link.name for link in answer]
        return -(answer.errno or 999) if isinstance(answer, OpError) else answer

    return [one(answer) for answer in answers]


@pytest.fixture
def dial(netns: netns.Namespace, drivers: Drivers) -> Dial:
    return lambda *args: drivers.of((netlink.aio if drivers.tasks else netlink).dial(*args))


@pytest.fixture
def conn(dial: Dial) -> Iterator[Conn]:
    with dial(Family.ROUTE) as conn:
        conn.set_deadline(soon())
        yield conn


def usable(conn: Conn) -> None:
    conn.set_deadline(soon())
    assert plain(conn.execute_all([noop(), link(), links(), unknown()])) == [None, "lo", ["lo"], -errno.EOPNOTSUPP]
    assert not readable(conn)
    assert not conn._exchange.inbox.pending


def test_thousands(conn: Conn) -> None:
    assert conn.execute_all(noop() for _ in range(20_000)) == [None] * 20_000
    usable(conn)


def test_errors_have_their_place(conn: Conn) -> None:
    calls: list[Call[Any]] = [unknown() if n % 7 == 3 else noop() for n in range(3_000)]
    assert plain(conn.execute_all(calls)) == [-errno.EOPNOTSUPP if n % 7 == 3 else None for n in range(3_000)]
    usable(conn)


def by_name(name: str) -> Call[str]:
    def steps() -> Generator[Any, Any, str]:
        found = yield links()
        assert [one.name for one in found] == [name]
        answers = yield [link(), noop()]
        return str(answers[0].name)

    return Call.of_steps(steps)


def test_replies_dumps_and_steps(conn: Conn) -> None:
    calls: list[Call[Any]] = []
    want: list[Any] = []
    for n in range(500):
        calls += [link(), noop(), link(9_999)]
        want += ["lo", None, -errno.ENODEV]
        if n % 100 == 0:
            calls += [links(), by_name("lo"), links()]
            want += [["lo"], "lo", ["lo"]]
    answers = conn.execute_all(calls)
    assert plain(answers) == want
    assert answers[2].hint == answers[-1].hint == "look"
    usable(conn)


@pytest.mark.parametrize("make", [noop, link, unknown], ids=["acknowledged", "replies", "refused"])
def test_a_read_buffer_of_the_least_size(conn: Conn, make: Callable[[], Call[Any]]) -> None:
    conn.set_read_buffer(1)
    assert len(set(plain(conn.execute_all([make() for _ in range(2_000)])))) == 1
    assert conn.drops == 0
    usable(conn)


def test_large_requests(conn: Conn) -> None:
    room = conn.write_buffer()
    sizes = [room // 8, 0, room // 4, room // 3, 0, 0, room // 2 - 1_000, 16, room // 2]
    assert conn.execute_all([noop(size) for size in sizes] * 10) == [None] * 90
    assert plain(conn.execute_all([Call(0x7FFF, bytes(size)) for size in sizes])) == [-errno.EOPNOTSUPP] * 9
    with pytest.raises(OpError) as caught:
        conn.execute_all([noop(), noop(room * 2), noop()])
    assert (caught.value.op, caught.value.errno) == ("send-messages", errno.EMSGSIZE)
    assert caught.value.answers == {0: None}  # type: ignore[attr-defined]
    assert not conn._exchange.inbox.abandoned
    usable(conn)


def test_sequence_numbers_wrap(conn: Conn) -> None:
    conn._exchange.sequence = 0xFFFFFFFF - 100
    assert conn.execute_all([noop()] * 1_000) == [None] * 1_000
    assert conn._exchange.sequence == 1_000
    conn._exchange.sequence = 0xFFFFFFFF
    assert plain(conn.execute_all([link()])) == ["lo"]
    usable(conn)


def test_nldebug(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], dial: Dial) -> None:
    monkeypatch.setenv("NLDEBUG", "level=1")
    with dial(Family.ROUTE) as conn:
        conn.set_deadline(soon())
        calls = [noop(), unknown(), link(), links(), by_name("lo"), *[noop()] * 1_000]
        want = [None, -errno.EOPNOTSUPP, "lo", ["lo"], "lo", *[None] * 1_000]
        assert plain(conn.execute_all(calls)) == want
        usable(conn)
    assert len(capfd.readouterr().err.splitlines()) > 2_000


def test_a_call_of_another_protocol(conn: Conn) -> None:
    for calls in ([noop(), Call(NOOP, b"", protocol=Family.NETFILTER)], [noop(), get_link_message()]):
        with pytest.raises((ValueError, TypeError)):
            conn.execute_all(calls)
    assert not readable(conn)
    assert conn.execute_all([Call(NOOP, b"", protocol=Family.ROUTE)]) == [None]


def get_link_message() -> Any:
    return netns.link_request(RTM_GETLINK, REQUEST, netns.LOOPBACK)


def test_requests_that_were_abandoned_before(conn: Conn) -> None:
    for _ in range(3):
        conn.set_read_deadline(passed())
        for message in (netns.routes_request(), get_link_message()):
            with pytest.raises(TimeoutError):
                conn.execute(message)
        conn.set_deadline(soon())
        assert plain(conn.execute_all([noop(), link(), unknown()] * 100)) == [None, "lo", -errno.EOPNOTSUPP] * 100
    assert not readable(conn)


def test_a_deadline_that_has_passed(conn: Conn) -> None:
    conn.set_read_deadline(passed())
    with pytest.raises(TimeoutError) as caught:
        conn.execute_all([noop()] * 2_000)
    assert caught.value.answers == {}  # type: ignore[attr-defined]
    conn.set_deadline(soon())
    usable(conn)
    assert not conn._exchange.inbox.abandoned


def pass_sequences_below_256(conn: Conn) -> None:
    """Let the kernel drop the answers to all requests of a connection but the first 255."""
    conn._exchange.sequence = 0
    second = 9 if sys.byteorder == "little" else 10
    conn.set_bpf(
        [
            stmt(BPF_LD | BPF_B | BPF_ABS, second),
            jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
            stmt(BPF_RET | BPF_K, 0xFFFF),
            stmt(BPF_RET | BPF_K, 0),
        ]
    )


def test_a_deadline_in_the_middle(conn: Conn) -> None:
    pass_sequences_below_256(conn)
    conn.set_read_deadline(time.monotonic() + 0.2)
    with pytest.raises(TimeoutError) as caught:
        conn.execute_all([noop()] * 5_000)
    assert caught.value.answers == dict.fromkeys(range(255))  # type: ignore[attr-defined]
    conn.remove_bpf()
    conn.set_deadline(soon())
    usable(conn)


def test_messages_in_between(conn: Conn, other: Conn) -> None:
    conn.join_group(7)  # RTNLGRP_IPV4_ROUTE
    netns.add_routes(other, 3)
    # They are in the queue already, and so come first.
    with pytest.raises(OpError) as caught:
        conn.execute_all([noop()] * 20)
    assert (caught.value.op, caught.value.errno) == ("validate", errno.EPROTO)
    # The message received with the first of them is reported, and stays for a receive.
    assert caught.value.answers == dict.fromkeys(range(20))  # type: ignore[attr-defined]
    assert [int(conn.receive()[0].header.type) for _ in range(2)] == [netns.RTM_NEWROUTE] * 2
    usable(conn)
    assert not conn._exchange.inbox.abandoned


def inject(conn: Conn, data: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.ROUTE) as peer:
        try:
            peer.sendto(data, (conn.pid, 0))
        except PermissionError:
            pytest.skip("another socket may send to a port of this family only with CAP_NET_ADMIN")


@pytest.mark.parametrize(
    ("data", "kind", "number"),
    [
        (bytes(3_000), OpError, errno.EMSGSIZE),
        (b"\xff" * 32, DecodeError, None),
        (datagram(Message(Header(type=99, sequence=5), b"")), OpError, errno.EPROTO),
    ],
    ids=["long", "malformed", "foreign"],
)
@pytest.mark.parametrize("number_of_them", [1, 3])
def test_others_datagrams(conn: Conn, data: bytes, kind: type[Exception], number: int, number_of_them: int) -> None:
    for _ in range(number_of_them):
        inject(conn, data)
    with pytest.raises(kind) as caught:
        conn.execute_all([noop()] * 20)
    assert getattr(caught.value, "errno", None) == number
    assert caught.value.answers == dict.fromkeys(range(20))  # type: ignore[attr-defined]
    if number == errno.EPROTO:
        assert [conn.receive()[0].header.type for _ in range(number_of_them - 1)] == [99] * (number_of_them - 1)
    usable(conn)


# For threads alone


@pytest.fixture
def threads(netns: netns.Namespace) -> Iterator[Conn]:
    with netlink.dial(Family.ROUTE) as conn:
        yield conn


def test_close_from_another_thread(threads: Conn, work: Work) -> None:
    pass_sequences_below_256(threads)
    worker = work(threads.execute_all, [noop()] * 5_000)
    worker.wait_receiving()
    threads.close()
    with pytest.raises(OpError) as caught:
        worker.result()
    assert caught.value.errno == errno.EBADF
    assert caught.value.answers == dict.fromkeys(range(255))  # type: ignore[attr-defined]


def test_a_deadline_of_another_thread(threads: Conn, work: Work) -> None:
    pass_sequences_below_256(threads)
    worker = work(threads.execute_all, [noop()] * 5_000)
    worker.wait_receiving()
    threads.set_read_deadline(passed())
    with pytest.raises(TimeoutError) as caught:
        worker.result()
    assert caught.value.answers == dict.fromkeys(range(255))  # type: ignore[attr-defined]
    threads.remove_bpf()
    usable(threads)


def test_several_threads_share_the_locks(threads: Conn, work: Work) -> None:
    calls: list[Call[Any]] = [noop(), link(), unknown()] * 200
    workers = [work(threads.execute_all, calls) for _ in range(4)]
    for worker in workers:
        assert plain(worker.result()) == [None, "lo", -errno.EOPNOTSUPP] * 200
    usable(threads)


@pytest.mark.parametrize("kind", ["acknowledged", "replies"])
def test_an_interrupt_at_any_moment(threads: Conn, kind: str) -> None:
    conn = threads
    made: list[Call[Any]] = [noop(), unknown()] if kind == "acknowledged" else [link(), links(), noop()]
    calls = made * (1_000 if kind == "acknowledged" else 100)
    want = [None, -errno.EOPNOTSUPP] if kind == "acknowledged" else ["lo", ["lo"], None]
    seen: set[int] = set()
    # Until some came in the middle, and not only at the ends, where a busy machine puts them.
    for _ in range(20):
        for interrupt in interrupted_at_random(lambda: conn.execute_all(calls)):
            answers = getattr(interrupt, "answers", None)  # none if it was raised outside of it
            if answers is not None:
                seen.add(len(answers))
                assert plain(answers.values()) == [want[i % len(want)] for i in answers]
            usable(conn)
        if seen - {0, len(calls)}:
            return
    pytest.fail(f"no interrupt came in the middle: {seen}")


# For tasks alone


def test_cancelled_at_any_moment(netns: netns.Namespace) -> None:
    calls: list[Call[Any]] = [noop(), link(), unknown()] * 300
    want = [None, "lo", -errno.EOPNOTSUPP]

    async def main() -> None:
        async with netlink.aio.dial(Family.ROUTE) as conn:
            seen: set[int] = set()
            for rounds in range(60):
                task = asyncio.create_task(conn.execute_all(calls))
                for _ in range(rounds):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError as cancelled:
                    answers: dict[int, Any] = getattr(cancelled, "answers", {})
                    seen.add(len(answers))
                    assert plain(answers.values()) == [want[i % 3] for i in answers]
                assert plain(await conn.execute_all([link(), noop()])) == ["lo", None]
            assert len(seen) > 3
            assert plain(await conn.execute_all(calls)) == want * 300
            assert not conn._exchange.inbox.abandoned
            assert not readable(conn)  # type: ignore[arg-type]

    asyncio.run(main())
