"""Process events of the real kernel, beside what the test itself does; refusals; messages with other numbers."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import pytest

import netns as netns_
from kernel.tools import eventually, in_child, unprivileged
from netlink import Family, OpError, Overrun, connector, dial
from netlink.connector import CnMsg, Packet, ProcEvent, ProcEvents
from netlink.schema import AttributeSet, Int, Struct, u16, u32
from netlink.stream import Stream
from pace import SLOWNESS

PTRACE_ATTACH, PTRACE_DETACH = 16, 17
CLONE_NEWPID = 0x20000000
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def listen(netns: netns_.Namespace) -> Iterator[Callable[..., Stream[ProcEvent, Any]]]:
    """`connector.processes` in the machine's first network namespace, if this process may use it."""
    with ExitStack() as opened:

        def one(events: int = ProcEvents.ALL, **options: Any) -> Stream[ProcEvent, Any]:
            try:
                stream = connector.processes(ProcEvents(events), netns=netns_.first(), **options)
            except OpError as error:
                pytest.skip(f"no events of processes: {error}")
            return opened.enter_context(stream)

        yield one


def until(stream: Stream[ProcEvent, Any], last: Callable[[ProcEvent], object]) -> list[ProcEvent]:
    """The events up to one."""
    found: list[ProcEvent] = []
    for event in stream:
        found.append(event)
        if last(event):
            return found
    raise AssertionError(found)


def ends(pid: int) -> Callable[[ProcEvent], bool]:
    return lambda event: event.what == ProcEvents.EXIT and event.pid == pid


def of(events: list[ProcEvent], pid: int) -> list[ProcEvent]:
    """Those of a process, ordered by time: several CPUs report them."""
    mine = [event for event in events if pid in (event.tgid, event.child_tgid)]
    return sorted(mine, key=lambda event: event.timestamp or 0)


def process(run: Callable[[], object]) -> int:
    """A process that runs a function and ends, and that has been waited for; unlike `Child` it does nothing else."""
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            run()
            status = 0
        finally:
            os._exit(status)
    os.waitpid(pid, 0)
    return pid


def test_the_life_of_a_process(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    stream = listen()
    before = time.monotonic_ns()

    def run() -> None:
        os.setsid()
        os.execv("/bin/sh", ["sh", "-c", "exit 7"])

    pid = process(run)
    events = of(until(stream, ends(pid)), pid)
    fork, sid, execute, exit_ = (event for event in events if event.what != ProcEvents.COMM)
    assert (fork.what, fork.parent_tgid, fork.child_pid, fork.is_thread) == (ProcEvents.FORK, os.getpid(), pid, False)
    assert (sid.what, sid.pid, sid.tgid) == (ProcEvents.SID, pid, pid)
    assert (execute.what, execute.pid, execute.tgid) == (ProcEvents.EXEC, pid, pid)
    assert (exit_.what, exit_.exit_code, exit_.exit_status) == (ProcEvents.EXIT, 7 << 8, 7)
    assert (exit_.exit_signal, exit_.parent_tgid) == (signal.SIGCHLD, os.getpid())
    assert before <= (fork.timestamp or 0) <= (exit_.timestamp or 0) <= time.monotonic_ns()
    assert stream.lost == 0


def test_users_groups_and_names(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    stream = listen(ProcEvents.UID | ProcEvents.GID | ProcEvents.COMM | ProcEvents.EXIT)

    def run() -> None:
        assert _libc.prctl(15, b"fifteen letters", 0, 0, 0) == 0  # PR_SET_NAME
        os.setresgid(1234, 1235, 1236)
        os.setresuid(2345, 2346, 2347)

    pid = process(run)
    comm, gid, uid, exit_ = of(until(stream, ends(pid)), pid)
    assert (comm.what, comm.comm) == (ProcEvents.COMM, "fifteen letters")
    assert (gid.what, gid.gid, gid.egid) == (ProcEvents.GID, 1234, 1235)
    assert (uid.what, uid.uid, uid.euid) == (ProcEvents.UID, 2345, 2346)
    assert exit_.exit_status == 0


def test_a_thread(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    stream = listen(ProcEvents.FORK | ProcEvents.EXIT)
    thread = threading.Thread(target=lambda: None)
    thread.start()
    number = thread.native_id
    thread.join()
    events = [event for event in until(stream, ends(number or 0)) if number in (event.child_pid, event.pid)]
    fork, exit_ = events
    assert (fork.is_thread, fork.child_tgid) == (True, os.getpid())
    assert (exit_.is_thread, exit_.tgid) == (True, os.getpid())


def test_a_tracer(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    stream = listen(ProcEvents.PTRACE | ProcEvents.EXIT)
    traced = os.fork()
    if traced == 0:
        while True:
            signal.pause()
    try:
        if _libc.ptrace(PTRACE_ATTACH, traced, None, None):
            pytest.skip(f"no ptrace: {os.strerror(ctypes.get_errno())}")
        os.waitpid(traced, 0)
        assert _libc.ptrace(PTRACE_DETACH, traced, None, None) == 0
    finally:
        os.kill(traced, signal.SIGKILL)
        os.waitpid(traced, 0)
    attach, detach, exit_ = of(until(stream, ends(traced)), traced)
    assert (attach.what, attach.tracer_tgid) == (ProcEvents.PTRACE, os.getpid())
    assert (detach.what, detach.tracer_tgid) == (ProcEvents.PTRACE, 0)
    assert exit_.exit_status == -signal.SIGKILL


def test_a_core_dump(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    stream = listen(ProcEvents.COREDUMP | ProcEvents.EXIT)

    def run() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.execv("/bin/sh", ["sh", "-c", "kill -ABRT $$"])

    pid = process(run)
    events = of(until(stream, ends(pid)), pid)
    assert [event.what for event in events] == [ProcEvents.COREDUMP, ProcEvents.EXIT]
    assert events[0].parent_tgid == os.getpid()
    assert events[1].exit_status == -signal.SIGABRT


def test_masks(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    """Every listener hears what it asked for, also behind events that none has asked for."""
    failing, forks = listen(ProcEvents.NONZERO_EXIT), listen(ProcEvents.FORK)
    pids = [process(lambda: None), process(lambda: os._exit(3)), process(lambda: None), process(lambda: os._exit(4))]
    heard = until(failing, ends(pids[3]))
    assert {event.what for event in heard} == {ProcEvents.EXIT}
    assert [event.exit_status for event in heard if event.pid in pids] == [3, 4]
    born = until(forks, lambda event: event.child_pid == pids[3])
    assert {event.what for event in born} == {ProcEvents.FORK}
    assert [event.child_pid for event in born if event.child_pid in pids] == pids


def test_a_sole_listener_with_a_mask_is_not_forgotten(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    stream = listen(ProcEvents.EXIT)
    for _ in range(3):
        pid = process(lambda: None)  # its FORK goes to nobody
        assert until(stream, ends(pid))


@pytest.mark.parametrize("policy", ["raise", "mark"])
def test_losses_are_exact(listen: Callable[..., Stream[ProcEvent, Any]], policy: Any) -> None:
    """What is lost is what another stream has beside, which has no gap."""
    whole = listen()
    stream = listen(read_buffer=8192, on_overrun=policy)
    pids = [process(lambda: None) for _ in range(100)]
    everything = until(whole, ends(pids[-1]))
    read: list[ProcEvent] = []
    told = 0

    def take() -> bool:
        """Whether the next item is an event, and no loss."""
        nonlocal told
        try:
            item: ProcEvent | Overrun = next(stream)
        except Overrun as overrun:
            assert policy == "raise"
            item = overrun
        if isinstance(item, Overrun):
            told += item.lost
            return False
        read.append(item)
        return True

    while take():
        pass  # up to the first loss; the queue has room then

    def agree() -> bool:
        """Whether both have the same but for what is lost.

        Another process may do something at the end of ours, which only one of them has read yet; or much of it, which
        is lost again.
        """
        last = process(lambda: None)
        everything.extend(until(whole, ends(last)))
        while not ends(last)(read[-1]):
            if not take():
                return False
        began = [event.timestamp for event in everything].index(read[0].timestamp)
        missing = {whole_of(event) for event in everything[began:]} - {whole_of(event) for event in read}
        return told == stream.lost == len(missing) > 0

    eventually(agree, "as many are missing as are said to be lost")
    assert whole.lost == 0


def whole_of(event: ProcEvent) -> tuple[Any, ...]:
    return tuple(event.to_dict().values())


def test_a_storm_without_a_loss(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    stream = listen(read_buffer=4 << 20)
    if stream.read_buffer() < 4 << 20:
        pytest.skip("net.core.rmem_max permits less than 4 MiB")

    script = "n=0; while [ $n -lt 1000 ]; do (exit 3); n=$((n+1)); done"
    with subprocess.Popen(["sh", "-c", script]) as shell:
        found = until(stream, ends(shell.pid))
    born = [event.child_pid for event in found if event.what == ProcEvents.FORK and event.parent_tgid == shell.pid]
    ended = [event.pid for event in found if event.what == ProcEvents.EXIT and event.exit_status == 3]
    assert len(born) == 1000
    assert set(born) <= set(ended)
    assert stream.lost == 0


def test_what_forkstat_shows(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    if shutil.which("forkstat") is None:
        pytest.skip("forkstat is missing")
    stream = listen(ProcEvents.FORK | ProcEvents.EXEC | ProcEvents.EXIT)
    with netns_.inside(netns_.first()):
        monitor = subprocess.Popen(
            ["forkstat", "-l", "-e", "fork,exec,exit"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    with monitor:
        assert monitor.stdout is not None
        shown: list[tuple[ProcEvents, int, str]] = []

        def shows(pid: int) -> None:
            """Read its lines up to the end of a process."""
            assert monitor.stdout is not None
            for line in monitor.stdout:
                _, kind, number, *rest = line.split()
                if kind in ("fork", "exec", "exit"):
                    shown.append((ProcEvents[kind.upper()], int(number), rest[0] if rest else ""))
                    if kind == "exit" and int(number) == pid:
                        return
            raise AssertionError(monitor.communicate())

        try:
            # It says nothing when it begins to listen: the first process that it shows says it.
            eventually(
                lambda: process(lambda: None) and select.select([monitor.stdout], [], [], 0.1)[0], "forkstat listens"
            )
            shows(process(lambda: None))
            scripts = [["sh", "-c", f"exit {status}"] for status in (0, 3, 200)]
            pids = [process(partial(os.execv, "/bin/sh", script)) for script in scripts]
            shows(pids[-1])
        finally:
            monitor.kill()
    events = until(stream, ends(pids[-1]))
    ours = []
    for event in events:
        if event.what == ProcEvents.FORK and event.child_pid in pids:
            ours.append((event.what, event.child_pid, "child"))
        elif event.pid in pids:
            # It shows the status of wait(2) as a whole.
            ours.append((event.what, event.pid, str(event.exit_code) if event.what == ProcEvents.EXIT else ""))
    theirs = [(what, pid, "" if what == ProcEvents.EXEC else rest) for what, pid, rest in shown if pid in pids]
    assert sorted(ours) == sorted(one for one in theirs if one[2] != "parent")
    assert len(ours) == 9


def test_events_in_an_event_loop(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    stream = listen(ProcEvents.EXIT)

    async def main() -> int | None:
        pid = process(lambda: os._exit(9))
        async for event in stream:
            if event.pid == pid:
                return event.exit_status
        return None

    assert asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS)) == 9


def test_the_end_of_a_stream_ends_the_sending(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    """A socket that only joins the group hears as long as somebody listens, and nothing afterwards (by IGNORE)."""
    with netns_.inside(netns_.first()):
        plain = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.CONNECTOR)
    with plain:
        try:
            plain.bind((0, 1))
        except OSError as error:
            pytest.skip(f"no group of processes: {error}")
        stream = listen()
        pid = process(lambda: None)
        until(stream, ends(pid))
        plain.setblocking(False)
        assert len(drained(plain)) >= 3
        stream.close()
        # If others listen, too, the kernel answers. If not, nothing comes any more.
        answers = [data for data in drained(plain) if struct.unpack_from("=I", data, 36) == (ProcEvents.NONE,)]
        process(lambda: None)
        assert answers or not drained(plain)


def drained(sock: socket.socket) -> list[bytes]:
    """What is queued. Of what all of the machine's processes do some may be lost."""
    found: list[bytes] = []
    while True:
        try:
            found.append(sock.recv(4096))
        except BlockingIOError:
            return found
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise


# Refusals


def test_another_network_namespace_is_refused(netns: netns_.Namespace) -> None:
    with pytest.raises(OpError) as info:
        connector.processes()
    if info.value.errno == errno.EPERM and netns_.in_user_namespace():  # newer kernels do not give the group, either
        assert "first user namespace" in info.value.hint
    else:
        assert info.value.errno == errno.ECONNREFUSED
        assert "first network namespace" in info.value.hint


def refusal() -> tuple[int | None, str]:
    try:
        with connector.processes(netns=netns_.first()):
            return 0, ""
    except OpError as error:
        return error.errno, error.hint


def test_another_pid_namespace_is_refused(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    listen()

    def inside() -> tuple[int | None, str]:
        netns_.unshare(CLONE_NEWPID)
        return in_child(refusal)

    number, hint = in_child(inside)
    assert number == errno.EPERM
    assert "first pid namespace" in hint


def test_another_user_namespace_is_refused() -> None:
    if not netns_.in_user_namespace():
        pytest.skip("this is the machine's first user namespace; NETLINK_TEST_USERNS=1 runs this in another")
    number, hint = refusal()
    assert number == errno.EPERM
    assert "first user namespace" in hint or "CAP_SYS_ADMIN" in hint


def test_without_privilege(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    """From Linux 6.6 on nothing is needed; before, CAP_NET_ADMIN, which the error says."""
    listen()
    first = netns_.first()

    def plain() -> tuple[int | None, str]:
        netns_.setns(first)
        return unprivileged(lambda: refused_here())

    def refused_here() -> tuple[int | None, str]:
        try:
            with connector.processes():
                return 0, ""
        except OpError as error:
            return error.errno, error.hint

    number, hint = in_child(plain)
    assert number == 0 or (number == errno.EPERM and "CAP_NET_ADMIN" in hint)


# Other users of the connector


class Reading(Struct):
    """A header that begins as struct cn_msg."""

    idx: Int = u32()
    val: Int = u32()
    seq: Int = u32()
    ack: Int = u32()
    len: Int = u16()
    flags: Int = u16()
    celsius: Int = u32()


class Temperature(AttributeSet, header=Reading):
    header: Reading | None = None
    celsius: Int = Reading.celsius
    seq: Int = Reading.seq


@pytest.fixture
def driver(netns: netns_.Namespace) -> Iterator[Callable[[int, int, int, bytes], None]]:
    """Sends messages to the group of a number, as a driver does."""
    try:
        connector.listen(20).close()
    except OpError as error:
        if not netns_.in_user_namespace() or "first user namespace" not in error.hint:
            raise
        pytest.skip(f"the kernel gives the connector's groups to the first user namespace alone: {error}")
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.CONNECTOR)

    def send(idx: int, val: int, seq: int, data: bytes) -> None:
        payload = CnMsg(idx=idx, val=val, seq=seq, len=len(data)).encode() + data
        padding = bytes(-len(payload) % 4)
        message = struct.pack("=IHHII", 16 + len(payload), 3, 0, seq, 0) + payload + padding
        # The kernel sends to the group, and then has no socket of its own here to give the message to.
        with suppress(ConnectionRefusedError):
            sock.sendto(message, (0, 1 << (idx - 1)))

    with sock:
        yield send


def test_a_user_with_a_number_of_its_own(driver: Callable[[int, int, int, bytes], None]) -> None:
    with connector.listen(20, 7) as stream, connector.listen(20) as every, connector.listen(21) as other:
        driver(20, 7, 1, b"hello")
        driver(20, 8, 2, b"")
        driver(20, 7, 3, bytes(1000))
        first, second = stream.read(timeout=10 * SLOWNESS)
        assert first == Packet(idx=20, val=7, seq=1, ack=0, len=5, flags=0, data=b"hello")
        assert (second.seq, len(second.data or b"")) == (3, 1000)
        assert [one.seq for one in every.read(timeout=0)] == [1, 2, 3]
        assert not other.read(timeout=0)


def test_a_group_without_privilege() -> None:
    with pytest.raises(PermissionError) as caught:
        unprivileged(lambda: connector.listen(20))
    assert "CAP_NET_ADMIN" in caught.value.hint  # type: ignore[attr-defined]


def test_a_declaration_of_its_own(driver: Callable[[int, int, int, bytes], None]) -> None:
    with connector.listen(20, 7, Temperature) as stream:
        driver(20, 7, 5, struct.pack("=I", 21))
        found = next(stream)
        assert (found.celsius, found.seq) == (21, 5)


def test_a_request_to_nobody(listen: Callable[..., Stream[ProcEvent, Any]]) -> None:
    """The connector takes it, and does not acknowledge: there is no such driver."""
    listen()
    with netns_.inside(netns_.first()), dial(Family.CONNECTOR) as conn:
        sent = conn.send(connector.request(20, 7, b"hello", seq=9))
        assert sent.header.sequence == 9
