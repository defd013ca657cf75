"""Every system call that _sock.c makes fails with every errno that it may give, and with some that it does not.

What the caller sees is the documented error; no descriptor, thread or memory is left, and what can go on does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import netns as netns_
import probe
from kernel.allocations import NEED_CONNTRACK, SCENARIOS
from kernel.flows import accounting
from kernel.tools import MUSL, Deny, Peer, Script, Worker, enter_sandbox, eventually, in_child, passed, sandboxed, soon
from netlink import Config, Conn, ConnOption, Family, Header, HeaderFlags, HeaderType, Message, OpError, dial
from netlink._transport import Ring, Socket, read_in_netns
from netlink.bpf import BPF_K, BPF_RET, stmt
from netlink.family import Call
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import Flow
from netlink.schema import release_memory

# What any system call may give where a machine is out of something, or where one is not trusted.
ANY = (errno.ENOMEM, errno.ENOBUFS, errno.EPERM, errno.EACCES, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EINVAL)
NAMES = {number: name for name, number in vars(errno).items() if isinstance(number, int)}
TEMPORARY = {errno.EINTR, errno.EAGAIN, errno.ENOBUFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ETIMEDOUT}

Verb = Callable[[Conn], Any]


def get_link() -> Message:
    return netns_.link_request(netns_.RTM_GETLINK, HeaderFlags.REQUEST, netns_.LOOPBACK)


def strict_dial(conn: Conn) -> None:
    dial(Family.ROUTE, Config(strict=True)).close()


def plain_dial(conn: Conn) -> None:
    dial(Family.ROUTE).close()


def dial_elsewhere(conn: Conn) -> None:
    dial(Family.ROUTE, Config(netns="/proc/thread-self/ns/net")).close()


def asked(conn: Conn) -> list[Message]:
    """A reply that is there already."""
    conn.send(get_link())
    return conn.receive()


def awaited(conn: Conn) -> Any:
    """A receive for which nothing comes before its deadline."""
    conn.set_read_deadline(soon(0.05))
    try:
        return conn.receive()
    except TimeoutError:
        return None
    finally:
        conn.set_read_deadline(None)


def filtered(conn: Conn) -> None:
    conn.set_bpf([stmt(BPF_RET | BPF_K, 0xFFFFFFFF)])


def unfiltered(conn: Conn) -> None:
    conn.set_bpf([stmt(BPF_RET | BPF_K, 0xFFFFFFFF)])
    conn.remove_bpf()


def joined_and_left(conn: Conn) -> None:
    conn.join_group(1)
    conn.leave_group(1)


# The verb, the op of its error, and the system call, with how many of them go well before.
TABLE: list[tuple[Verb, str, str, int]] = [
    (plain_dial, "dial", "socket", 0),
    (plain_dial, "dial", "eventfd2", 0),
    (plain_dial, "dial", "bind", 0),
    (plain_dial, "dial", "getsockname", 0),
    (strict_dial, "dial", "setsockopt", 0),
    (strict_dial, "dial", "setsockopt", 1),
    (dial_elsewhere, "dial", "openat", 0),
    (dial_elsewhere, "dial", "setns", 0),
    (dial_elsewhere, "dial", "socket", 0),
    (dial_elsewhere, "dial", "eventfd2", 0),
    (dial_elsewhere, "dial", "bind", 0),
    (lambda conn: conn.send(get_link()), "send", "sendto", 0),
    (lambda conn: conn.send_messages([get_link(), get_link()]), "send-messages", "sendto", 0),
    (lambda conn: conn.execute(get_link()), "send", "sendto", 0),
    (lambda conn: conn.execute(get_link()), "receive", "recvfrom", 0),
    (asked, "receive", "recvfrom", 0),
    (asked, "receive", "recvfrom", 1),
    (awaited, "receive", "recvfrom", 0),
    (awaited, "receive", "ppoll", 0),
    (joined_and_left, "join-group", "setsockopt", 0),
    (joined_and_left, "leave-group", "setsockopt", 1),
    (lambda conn: conn.set_option(ConnOption.NO_ENOBUFS, True), "set-option", "setsockopt", 0),
    (filtered, "set-bpf", "setsockopt", 0),
    (unfiltered, "remove-bpf", "setsockopt", 1),
    (lambda conn: conn.set_read_buffer(4096), "set-read-buffer", "setsockopt", 0),
    (lambda conn: conn.set_write_buffer(4096), "set-write-buffer", "setsockopt", 0),
    (Conn.read_buffer, "get-read-buffer", "getsockopt", 0),
    (Conn.write_buffer, "get-write-buffer", "getsockopt", 0),
    (lambda conn: conn.drops, "drops", "getsockopt", 0),
]
CASES = [pytest.param(*row, id=f"{row[1]}-{row[0].__name__.strip('<>')}-{row[2]}-{row[3]}") for row in TABLE]


def script(call: str, before: int, *ends: int) -> Script:
    return Script(**{call: [*[None] * before, *ends]})


@pytest.fixture(autouse=True)
def still_usable(conn: Conn) -> Iterator[None]:
    """Whatever went wrong, the connection goes on."""
    yield
    if not conn.closed:
        sent = conn.send(get_link())  # replies that nobody got are before the one to this
        eventually(lambda: sent.header.sequence in [m.header.sequence for m in conn.receive()], "the reply")


@pytest.mark.parametrize(("verb", "op", "call", "before"), CASES)
def test_a_failure(conn: Conn, verb: Verb, op: str, call: str, before: int) -> None:
    for number in ANY:
        ends = [-number]
        if number == errno.EPERM and verb.__name__ == "<lambda>" and "buffer" in op:
            ends *= 2  # SO_RCVBUFFORCE, then SO_RCVBUF
        if number == errno.EINVAL and call == "socket" and MUSL:
            ends *= 2  # musl tries it again without flags, as for a Linux before 2.6.27
        faulty = script(call, before, *ends)
        with pytest.raises(OpError) as caught:
            faulty.run(lambda: verb(conn))
        error = caught.value
        assert (error.op, NAMES[error.errno or 0]) == (op, NAMES[number])
        assert error.temporary == (number in TEMPORARY)
        assert faulty.done


@pytest.mark.parametrize(("verb", "op", "call", "before"), CASES)
def test_signals(conn: Conn, verb: Verb, op: str, call: str, before: int) -> None:
    """EINTR is no error: the call is made again."""
    undisturbed = script(call, 0)
    wanted = undisturbed.run(lambda: verb(conn))
    disturbed = script(call, before, *[-errno.EINTR] * 3)
    got = disturbed.run(lambda: verb(conn))
    assert disturbed.done
    assert type(got) is type(wanted)
    assert disturbed.calls[call] >= undisturbed.calls[call] + 3


def test_a_buffer_that_may_not_be_forced(conn: Conn) -> None:
    faulty = script("setsockopt", 0, -errno.EPERM)
    faulty.run(lambda: conn.set_read_buffer(8192))
    assert faulty.calls["setsockopt"] == 2
    assert conn.read_buffer() == 16384


def test_no_thread_to_be_had(conn: Conn) -> None:
    for number in (errno.EAGAIN, errno.ENOMEM, errno.EPERM):
        faulty = Script(clone=[-number], clone3=[-number])
        with pytest.raises(OpError) as caught:
            faulty.run(lambda: dial_elsewhere(conn))
        assert caught.value.op == "dial"
        # pthread_create(3): ENOMEM is reported as EAGAIN, and musl reports every error as that.
        assert caught.value.errno in {number, errno.ENOMEM}
        assert not caught.value.timeout
        assert faulty.calls.total() == 1


def test_a_send_that_waits(conn: Conn) -> None:
    faulty = Script(sendto=[-errno.EAGAIN] * 3, poll=[None, -errno.EINTR])
    faulty.run(lambda: conn.send(get_link()))
    assert faulty.done
    conn.receive()
    for number in ANY:
        faulty = Script(sendto=[-errno.EAGAIN], poll=[-number])
        with pytest.raises(OpError) as caught:
            faulty.run(lambda: conn.send(get_link()))
        assert (caught.value.op, caught.value.errno) == ("send", number)
        assert faulty.done


def test_a_readiness_that_was_none(conn: Conn) -> None:
    """As where another process that shares the socket was faster."""
    faulty = Script(recvfrom=[-errno.EAGAIN, None, -errno.EAGAIN])
    assert len(faulty.run(lambda: conn.execute(get_link()))) == 1
    assert faulty.done


def test_a_short_exchange_is_two_system_calls(conn: Conn) -> None:
    """The reply is received where it is queued by the send, without a look at its size and without a wait."""
    for request in (get_link(), Call[None](HeaderType.NOOP)):
        counted = Script(sendto=[None], recvfrom=[None], ppoll=[])
        counted.run(lambda request=request: conn.execute(request))
        assert counted.calls == {"sendto": 1, "recvfrom": 1}


def test_an_exchange_whose_receive_fails_forgets_its_reply(conn: Conn) -> None:
    faulty = Script(recvfrom=[-errno.EIO])
    with pytest.raises(OpError) as caught:
        faulty.run(lambda: conn.execute(get_link()))
    assert (caught.value.op, caught.value.errno) == ("receive", errno.EIO)
    assert len(conn.execute(get_link())) == 1  # not the reply before


def test_a_dump_in_which_a_receive_fails(conn: Conn) -> None:
    netns_.add_routes(conn, 2_000)
    for number in ANY:
        faulty = script("recvfrom", 2, -number)
        with pytest.raises(OpError) as caught:
            faulty.run(lambda: conn.execute(netns_.routes_request()))
        assert (caught.value.op, caught.value.errno) == ("receive", number)
        assert len([m for m in conn.execute(netns_.routes_request()) if netns_.is_ours(m)]) == 2_000


def test_a_dump_that_signals_disturb(conn: Conn) -> None:
    netns_.add_routes(conn, 2_000)
    faulty = script("recvfrom", 1, *[-errno.EINTR] * 5)
    replies = faulty.run(lambda: conn.execute(netns_.routes_request()))
    assert len([m for m in replies if netns_.is_ours(m)]) == 2_000


@pytest.mark.parametrize("size", [0, 1, 15])
def test_a_receive_of_less_than_a_header(conn: Conn, size: int) -> None:
    conn.send(get_link())
    faulty = script("recvfrom", 1, size)
    assert len(faulty.run(conn.receive)) == 1
    assert faulty.done


@pytest.mark.parametrize("number", [errno.EINTR, errno.EAGAIN, errno.EIO])
def test_a_wake_that_cannot_be_read(conn: Conn, number: int) -> None:
    faulty = Script(ppoll=[], read=[-number])
    worker = Worker(faulty.run, (conn.receive,))
    eventually(lambda: faulty.calls["ppoll"], "it waits")
    conn.set_read_deadline(passed())
    with pytest.raises(TimeoutError):
        worker.result()
    assert faulty.done
    conn.set_read_deadline(None)


def test_a_close_whose_wake_fails(conn: Conn) -> None:
    for number in (errno.EINTR, errno.EAGAIN, errno.EIO):
        sock = Socket(Family.ROUTE, Config())
        faulty = script("write", 0, -number)
        assert faulty.run(sock.close) is True
        assert faulty.done
        assert sock.closed


@pytest.mark.parametrize("call", ["eventfd2", "dup3"])
def test_a_fork_that_cannot_wait(conn: Conn, call: str) -> None:
    def run() -> tuple[str, int | None, set[str]]:
        enter_sandbox(Deny(call, errno.EMFILE))
        before = set(os.listdir("/proc/self/fd"))
        with pytest.raises(OpError) as caught:
            conn.receive()
        return caught.value.op, caught.value.errno, set(os.listdir("/proc/self/fd")) - before

    assert in_child(run) == ("receive", errno.EMFILE, set())


@pytest.mark.parametrize("call", ["openat", "setns", "read"])
def test_a_setting_of_a_namespace(conn: Conn, call: str) -> None:
    def read() -> bytes:
        return read_in_netns("/proc/thread-self/ns/net", "/proc/sys/net/core/somaxconn")

    wanted = read()
    for number in ANY:
        with pytest.raises(OSError, match="somaxconn") as caught:
            script(call, 0, -number).run(read)
        assert caught.value.errno == number
    assert script(call, 0, *[-errno.EINTR] * 3).run(read) == wanted
    assert script("read", 0, 0).run(read) == b""


# Batches that grow

MANY = 80_000  # records: several doublings of what is a mapping of its own
MARKS = [Flow(mark=mark).encode() for mark in range(100)]


def marks() -> None:
    """A batch that grows through several doublings, in new memory."""
    release_memory()
    batch = Flow.decode_many([*MARKS] * (MANY // len(MARKS)))
    assert len(batch) == MANY
    assert batch.nbytes > 8 << 20
    assert all(batch[i].mark == i % len(MARKS) for i in range(0, MANY, 7))


@pytest.mark.parametrize("number", [errno.EFAULT, errno.ENOMEM, errno.EPERM])
def test_memory_that_must_not_be_moved(work: Callable[..., Worker], number: int) -> None:
    work(sandboxed([Deny("mremap", number)], marks)).result()


@pytest.mark.parametrize("more", [4 << 20, 8 << 20])
def test_memory_that_cannot_grow_where_it_is(work: Callable[..., Worker], more: int) -> None:
    """It is copied to other memory then."""
    work(sandboxed([Deny("mprotect", errno.ENOMEM, 1, more)], marks)).result()


def test_no_free_addresses() -> None:
    def run() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 30),) * 2)
        marks()

    in_child(run)


# A ring and streams


@pytest.fixture
def sock() -> Iterator[Socket]:
    sock = Socket(Family.USERSOCK, Config())
    yield sock
    sock.close()


@pytest.mark.parametrize("call", ["recvmmsg", "ppoll"])
def test_a_ring(sock: Socket, call: str) -> None:
    ring = Ring(8, 256)
    waits = {"recvmmsg": [-errno.EAGAIN]} if call == "ppoll" else {}
    for number in ANY:
        with pytest.raises(OpError) as caught:
            Script(**{**waits, call: [-number]}).run(lambda: sock.receive_ring(ring))
        assert (caught.value.op, caught.value.errno) == ("receive", number)
    with Peer(sock.pid) as peer:
        peer.send(Message(Header(type=16, sequence=7)))
    faulty = Script(**{**waits, call: [-errno.EINTR]})
    ((message,),) = faulty.run(lambda: sock.receive_ring(ring))
    assert message.header.sequence == 7
    assert faulty.done


@pytest.fixture
def events(netns: netns_.Namespace) -> Iterator[Any]:
    """A stream of three events, that are queued."""
    netns_.require_conntrack()
    accounting()
    with conntrack.listen() as stream:
        with dial(Family.NETFILTER) as conn:
            netns_.add_flows(conn, 3)
        yield stream


@pytest.mark.parametrize("number", ANY)
@pytest.mark.parametrize("call", ["recvmmsg", "getsockopt"])
def test_a_stream(events: Any, call: str, number: int) -> None:
    faulty = script(call, 0, -number, *[-errno.EINTR] * 3)

    def three() -> list[Any]:
        return [next(events) for _ in range(3)]

    if (call, number) == ("recvmmsg", errno.ENOBUFS):
        got = faulty.run(three)  # says nothing by itself: the count of what was dropped does
    else:
        with pytest.raises(OpError) as caught:
            faulty.run(three)
        assert (caught.value.op, caught.value.errno) == ("receive", number)
        got = three()
    assert len({flow.orig.src for flow in got}) == 3
    assert events.lost == 0


@pytest.mark.parametrize("call", ["recvmmsg", "getsockopt", "ppoll"])
def test_a_stream_that_signals_disturb(events: Any, call: str) -> None:
    disturbed = Script(**{"recvmmsg": [-errno.EAGAIN], call: [-errno.EINTR]})
    got = disturbed.run(lambda: [next(events) for _ in range(3)])
    assert disturbed.done
    assert len({flow.orig.src for flow in got}) == 3
    assert events.lost == 0


def test_a_stream_that_cannot_wait(events: Any) -> None:
    for _ in range(3):
        next(events)
    for number in set(ANY) - {errno.ENOBUFS}:  # which would be the socket's
        with pytest.raises(OpError) as caught:
            script("ppoll", 0, -number).run(lambda: next(events))
        assert (caught.value.op, caught.value.errno) == ("receive", number)


@pytest.mark.parametrize("call", ["socket", "eventfd2", "bind", "getsockname", "setsockopt", "getsockopt"])
def test_a_stream_that_cannot_begin(netns: netns_.Namespace, call: str) -> None:
    netns_.require_conntrack()
    accounting()
    for number in (errno.ENOMEM, errno.ENOBUFS, errno.EMFILE, errno.EIO):
        with pytest.raises(OpError) as caught:
            Script(**{call: [-number]}).run(lambda: conntrack.listen().close())
        assert caught.value.errno == number


# Memory


class _Mallinfo2(ctypes.Structure):
    """struct mallinfo2 of malloc.h."""

    _fields_ = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks")),
        *((name, ctypes.c_size_t) for name in ("uordblks", "fordblks", "keepcost")),
    ]


def allocated() -> int:
    """Bytes that malloc has given and not got back."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _Mallinfo2
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


COUNTS_MEMORY = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="the C library has no mallinfo2")


@COUNTS_MEMORY
@pytest.mark.parametrize(
    ("call", "config"),
    [
        *((call, Config()) for call in ("socket", "eventfd2", "bind", "getsockname")),
        ("setsockopt", Config(strict=True)),
        ("setns", Config(netns="/proc/thread-self/ns/net")),
        ("bind", Config(netns="/proc/thread-self/ns/net")),
    ],
)
def test_dials_that_fail_leave_no_memory(conn: Conn, call: str, config: Config) -> None:
    times = 1_000

    def run() -> int:
        enter_sandbox(Deny(call, errno.EMFILE))

        def attempts(count: int) -> None:
            for _ in range(count):
                with pytest.raises(OpError):
                    dial(Family.ROUTE, config)

        attempts(50)
        before = allocated()
        attempts(times)
        return allocated() - before

    assert in_child(run) < 16 * times  # less than the smallest thing for each


@COUNTS_MEMORY
def test_receives_that_fail_leave_no_memory(conn: Conn) -> None:
    times = 1_000

    def run() -> int:
        with dial(Family.ROUTE) as mine:
            enter_sandbox(Deny("recvfrom", errno.ENOBUFS))

            def attempts(count: int) -> None:
                for _ in range(count):
                    with pytest.raises(OpError):
                        mine.receive()

            attempts(50)
            before = allocated()
            attempts(times)
            return allocated() - before

    assert in_child(run) < 16 * times


@pytest.fixture(scope="session")
def failing_malloc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library to preload, made of failing_malloc.c."""
    if MUSL:
        pytest.skip("failing_malloc.c knows glibc's names of what it stands before")
    if os.environ.get("LD_PRELOAD"):
        pytest.skip("another library is preloaded already")
    library = tmp_path_factory.mktemp("preloaded") / "failing_malloc.so"
    source = Path(__file__).with_name("failing_malloc.c")
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-pthread"]
    subprocess.run([*probe.compiler(), *flags, str(source), "-o", str(library), "-ldl"], check=True)
    return library


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_allocation_fails_once(netns: netns_.Namespace, failing_malloc: Path, scenario: str) -> None:
    if scenario in NEED_CONNTRACK:
        netns_.require_conntrack(300)
        with dial(Family.NETFILTER) as conn:
            netns_.add_flows(conn, 300)
    program = Path(__file__).with_name("allocations.py")
    done = subprocess.run(
        [sys.executable, str(program), scenario],
        env={**os.environ, "LD_PRELOAD": str(failing_malloc)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
