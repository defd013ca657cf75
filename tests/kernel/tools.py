"""Threads that one can see block, children, sandboxes, and a peer that sends whatever it likes."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import os
import pickle
import platform
import queue
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from netlink import Conn, Family, Message
from netlink.bpf import (
    BPF_ABS,
    BPF_JEQ,
    BPF_JMP,
    BPF_JSET,
    BPF_K,
    BPF_LD,
    BPF_RET,
    BPF_W,
    Instruction,
    jump,
    stmt,
)
from pace import SLOWNESS

_libc = ctypes.CDLL(None, use_errno=True)
NEVER = 40_000.0  # seconds: longer than any test
MUSL = platform.libc_ver()[0] != "glibc"

# asm/unistd.h: x86_64, aarch64 (which has no poll and no epoll_wait, but a ppoll and an epoll_pwait)
_SYSCALLS = {
    "bind": (49, 200),
    "capset": (126, 91),
    "clone": (56, 220),
    "clone3": (435, 435),
    "dup3": (292, 24),
    "epoll_pwait": (281, 22),  # the one that musl uses
    "epoll_wait": (232, 22),
    "eventfd2": (290, 19),
    "futex": (202, 98),
    "getpid": (39, 172),
    "getsockname": (51, 204),
    "getsockopt": (55, 209),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "openat": (2 if MUSL else 257, 56),  # for musl's open() it is open, where there is one
    "poll": (7, 73),
    "ppoll": (271, 73),
    "read": (0, 63),
    "recvfrom": (45, 207),
    "recvmmsg": (299, 243),
    "recvmsg": (47, 212),
    "seccomp": (317, 277),
    "sendmsg": (46, 211),
    "sendto": (44, 206),
    "setns": (308, 268),
    "setsockopt": (54, 208),
    "socket": (41, 198),
    "write": (1, 64),
}
_MACHINES = ("x86_64", "aarch64")


def syscall_number(name: str) -> int:
    """The number of a system call here."""
    machine = platform.machine() if sys.maxsize > 1 << 32 else "32 bits"
    if machine not in _MACHINES:
        pytest.skip(f"the numbers of system calls on {machine} are not known to the tests")
    return _SYSCALLS[name][_MACHINES.index(machine)]


PACKAGES = {"iw": "iw", "iptables": "iptables", "ip6tables": "iptables", "ip": "iproute2", "nft": "nftables"}
_MISSING = (
    "not supported",
    "Unknown device type",
    "Table does not exist",
    "No chain/target/match",
    "missing kernel",
)


def run(*command: str, text: str | None = None) -> str:
    """What a tool prints. Skip without it, and where it says that the kernel lacks something."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is missing (Debian: {PACKAGES[command[0]]})")
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if any(missing.lower() in done.stderr.lower() for missing in _MISSING):
        pytest.skip(f"{' '.join(command)}: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


class HangError(BaseException):
    """A test took too long."""


def eventually(predicate: Callable[[], Any], what: str, seconds: float = 10) -> Any:
    """What predicate returns once that is true."""
    seconds *= SLOWNESS
    end = time.monotonic() + seconds
    while not (value := predicate()):
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not so after {seconds} seconds")
        time.sleep(0.001)
    return value


def passed() -> float:
    """A deadline that has passed."""
    return time.monotonic() - 1


def soon(seconds: float = 10 * SLOWNESS) -> float:
    """A deadline that a test which is right never sees."""
    return time.monotonic() + seconds


def readable(conn: Conn | socket.socket) -> bool:
    """Whether anything is queued in the kernel for a connection."""
    return bool(select.select([conn.fileno()], [], [], 0)[0])


# Threads


def waits(tid: int, *calls: str) -> bool:
    """Whether a thread of this process sleeps in one of these system calls, in a futex with no end to it."""
    try:
        words = Path(f"/proc/self/task/{tid}/syscall").read_text().split()
    except OSError:
        return False
    if len(words) < 5:  # "running"
        return False
    call = next((call for call in calls if syscall_number(call) == int(words[0])), None)
    return call is not None and (call != "futex" or int(words[4], 16) == 0)


def wait_blocked(tid: int, *calls: str) -> None:
    """Until a thread of this process sleeps in one of these system calls, and is not only passing through."""
    try:
        Path("/proc/thread-self/syscall").read_text()
    except OSError as error:
        pytest.skip(f"cannot see what a thread waits for: {error}")
    folder = Path(f"/proc/self/task/{tid}")
    seen = 0

    def settled() -> bool:
        nonlocal seen
        seen = seen + 1 if waits(tid, *calls) else 0
        return seen >= 3 or not folder.exists()

    eventually(settled, f"thread {tid} in {calls}")
    assert folder.exists(), f"thread {tid} has ended"


class Worker(threading.Thread):
    """A function in a thread; result() is what it returned or raised."""

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...] = ()) -> None:
        super().__init__(daemon=True)
        self._fn = fn
        self._args_ = args
        self._value: Any = None
        self._error: BaseException | None = None
        self._at_work = False
        self.start()

    def run(self) -> None:
        self._at_work = True
        try:
            self._value = self._fn(*self._args_)
        except BaseException as error:
            self._error = error
        finally:
            del self._fn, self._args_

    @property
    def done(self) -> bool:
        return not self.is_alive()

    def wait_blocked(self, *calls: str) -> None:
        """Until it sleeps in one of these calls, and in no other way."""
        eventually(lambda: self._at_work, "the thread runs")
        assert self.native_id is not None
        try:
            wait_blocked(self.native_id, *calls)
        except AssertionError:
            if self._error is not None:
                raise self._error from None
            raise

    def wait_receiving(self) -> None:
        """Wait until it is blocked in a receive."""
        self.wait_blocked("ppoll")

    def wait_for_lock(self) -> None:
        """Wait until it waits for a lock without a deadline."""
        self.wait_blocked("futex")

    def result(self, seconds: float = 10 * SLOWNESS) -> Any:
        self.join(seconds)
        assert not self.is_alive(), f"still running after {seconds} seconds"
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._value


# Privileges and sandboxes, for the calling thread


def drop_capabilities() -> None:
    """Give up all capabilities of the calling thread, for good."""
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    if _libc.syscall(syscall_number("capset"), header, bytes(24)) != 0:
        pytest.skip(f"capset: {os.strerror(ctypes.get_errno())}")


def unprivileged(fn: Callable[[], Any]) -> Any:
    """What fn returns or raises in a thread without capabilities."""

    def run() -> Any:
        drop_capabilities()
        return fn()

    return Worker(run).result()


class Deny:
    """Make a system call fail with an errno; with argument and mask only where that argument has one of its bits."""

    def __init__(self, call: str, errno: int, argument: int | None = None, mask: int = 0) -> None:
        self.number = syscall_number(call)
        self.errno = errno
        self.argument = argument
        self.mask = mask

    def instructions(self) -> list[Instruction]:
        # struct seccomp_data of linux/seccomp.h: nr at 0, args at 16; the low half first, on little-endian machines
        refuse = stmt(BPF_RET | BPF_K, 0x00050000 | self.errno)  # SECCOMP_RET_ERRNO
        if self.argument is None:
            return [
                stmt(BPF_LD | BPF_W | BPF_ABS, 0),
                jump(BPF_JMP | BPF_JEQ | BPF_K, self.number, 0, 1),
                refuse,
            ]
        return [
            stmt(BPF_LD | BPF_W | BPF_ABS, 0),
            jump(BPF_JMP | BPF_JEQ | BPF_K, self.number, 0, 3),
            stmt(BPF_LD | BPF_W | BPF_ABS, 16 + 8 * self.argument),
            jump(BPF_JMP | BPF_JSET | BPF_K, self.mask, 0, 1),
            refuse,
        ]


def no_peeking() -> list[Deny]:
    """Receives with MSG_PEEK fail with EIO."""
    peek = int(socket.MSG_PEEK)
    return [Deny("recvfrom", 5, 3, peek), Deny("recvmsg", 5, 2, peek), Deny("recvmmsg", 5, 3, peek)]


def _filter_calls(program: list[Instruction], flags: int = 0) -> int:
    """Install a filter of system calls for the calling thread: seccomp(2)."""
    program.append(stmt(BPF_RET | BPF_K, 0x7FFF0000))  # SECCOMP_RET_ALLOW
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *i) for i in program))
    fprog = struct.pack("HP", len(program), ctypes.addressof(code))
    if _libc.prctl(38, ctypes.c_ulong(1), 0, 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS
        pytest.skip(f"no_new_privs: {os.strerror(ctypes.get_errno())}")
    result: int = _libc.syscall(syscall_number("seccomp"), 1, flags, fprog)  # SECCOMP_SET_MODE_FILTER
    if result < 0:
        pytest.skip(f"seccomp with flags {flags}: {os.strerror(ctypes.get_errno())}")
    return result


def enter_sandbox(*denials: Deny) -> None:
    """Let system calls of the calling thread, and of threads that it starts, fail, for good."""
    _filter_calls([i for denial in denials for i in denial.instructions()])


def sandboxed(denials: list[Deny], fn: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    """fn in a sandbox, to be called in a thread that ends with it."""

    def run() -> Any:
        enter_sandbox(*denials)
        return fn(*args)

    return run


class Script:
    """What the next system calls of a thread end with, and how many there were.

    outcomes: for each system call a negative errno or a result for each of the next calls, which the kernel does not
    see then; None lets the kernel do that one. Calls after these are the kernel's.
    """

    def __init__(self, **outcomes: list[int | None]) -> None:
        self._outcomes = {syscall_number(call): list(ends) for call, ends in outcomes.items()}
        self._names = {syscall_number(call): call for call in outcomes}
        self.calls: Counter[str] = Counter()

    @property
    def done(self) -> bool:
        """Whether all outcomes arrived."""
        return not any(self._outcomes.values())

    def run(self, fn: Callable[[], Any]) -> Any:
        """What fn returns or raises in a thread of its own, where the script is in force."""
        ready = threading.Event()
        listener: list[int] = []

        def acted() -> Any:
            try:
                listener.append(_filter_calls(self._instructions(), 8))  # SECCOMP_FILTER_FLAG_NEW_LISTENER
            finally:
                ready.set()
            return fn()

        worker = Worker(acted)
        ready.wait()
        try:
            if listener:
                self._answer(listener[0], worker)
            return worker.result()
        finally:
            for fd in listener:
                os.close(fd)  # calls that are still asked about fail with ENOSYS

    def _instructions(self) -> list[Instruction]:
        program = [stmt(BPF_LD | BPF_W | BPF_ABS, 0)]
        for number in self._outcomes:
            program.append(jump(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1))
            program.append(stmt(BPF_RET | BPF_K, 0x7FC00000))  # SECCOMP_RET_USER_NOTIF
        return program

    def _answer(self, listener: int, worker: Worker) -> None:
        """Until nobody is left who may ask: seccomp_unotify(2)."""
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while True:
            events = poll.poll(10)
            if not events:
                if worker.done:
                    return
                continue
            if not events[0][1] & select.POLLIN:
                return
            asked = bytearray(80)  # struct seccomp_notif
            try:
                fcntl.ioctl(listener, 0xC0502100, asked)  # SECCOMP_IOCTL_NOTIF_RECV
            except FileNotFoundError:  # a signal ended the call
                continue
            (ident, number) = struct.unpack_from("=Q8xi", asked)
            self.calls[self._names[number]] += 1
            ends = self._outcomes[number]
            end = ends.pop(0) if ends else None
            if end is None:
                answer = struct.pack("=QqiI", ident, 0, 0, 1)  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
            else:
                answer = struct.pack("=QqiI", ident, max(end, 0), min(end, 0), 0)
            with contextlib.suppress(FileNotFoundError):
                fcntl.ioctl(listener, 0xC0182101, bytearray(answer))  # SECCOMP_IOCTL_NOTIF_SEND


# Children


class Child:
    """A forked process that runs fn; result() is what it returned or raised."""

    def __init__(self, fn: Callable[[], Any]) -> None:
        self._read, write = os.pipe()
        with warnings.catch_warnings():
            # CPython 3.12 on: the process has threads, and what this is about is a fork of one that has.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(round(20 * SLOWNESS))
            try:
                outcome = self._outcome(fn)
                os.write(write, outcome)
            finally:
                os._exit(0)
        os.close(write)

    @staticmethod
    def _outcome(fn: Callable[[], Any]) -> bytes:
        try:
            return pickle.dumps((fn(), None))
        except BaseException as error:
            try:
                return pickle.dumps((None, error))
            except Exception:
                return pickle.dumps((None, AssertionError(traceback.format_exc())))

    def result(self) -> Any:
        with open(self._read, "rb") as pipe:
            outcome = pipe.read()
        _, status = os.waitpid(self.pid, 0)
        assert outcome, f"the child ended with wait status {status:#x} and said nothing"
        value, error = pickle.loads(outcome)
        if error is not None:
            raise error
        return value


def in_child(fn: Callable[[], Any]) -> Any:
    """What fn returns or raises in a forked child."""
    return Child(fn).result()


# Any bytes


def datagram(*messages: Message) -> bytes:
    """Messages as they are, lengths filled in: marshalling them is not what is tested here."""
    out = b""
    for m in messages:
        length = m.header.length or 16 + len(m.data)
        out += struct.pack("=IHHII", length, m.header.type, m.header.flags, m.header.sequence, m.header.pid)
        out += m.data + bytes(-len(m.data) % 4)
    return out


class Peer:
    """A plain NETLINK_USERSOCK socket that sends to a port."""

    def __init__(self, port: int) -> None:
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.USERSOCK)
        self.port = port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.sock.close()

    def send(self, *messages: Message) -> None:
        self.send_bytes(datagram(*messages))

    def send_bytes(self, data: bytes) -> None:
        self.sock.sendto(data, (self.port, 0))


@contextlib.contextmanager
def on_signal(number: int, handler: Any) -> Iterator[None]:
    """A signal handler for a while."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def interrupted_at_random(run: Callable[[], object], times: int = 60) -> Iterator[KeyboardInterrupt | None]:
    """Run something many times, with a KeyboardInterrupt at a random moment of each: the interrupt that ended it."""
    armed = False
    hits = 0

    def handler(number: int, frame: object) -> None:
        nonlocal armed, hits
        if armed:
            armed = False
            hits += 1
            raise KeyboardInterrupt

    def takes_now() -> float:
        start = time.monotonic()
        run()
        return time.monotonic() - start

    # The least of several: one that had to wait for a processor would put most shots behind the end.
    takes = min(takes_now() for _ in range(5))
    main = threading.get_ident()
    # Written in C: unlike a Semaphore's lock, it is not left locked by an interrupt.
    go: queue.SimpleQueue[bool] = queue.SimpleQueue()
    chance = random.Random(7)
    delays = [chance.random() * takes for _ in range(times)]

    def shoot() -> None:
        for delay in delays:
            if not go.get():
                return
            end = time.monotonic() + delay
            while time.monotonic() < end:
                time.sleep(0)  # without the GIL, which the main thread waits for
            signal.pthread_kill(main, signal.SIGUSR1)

    shooter = Worker(shoot)
    # A collection would run other people's finalizers, where an interrupt is lost.
    gc.collect()
    gc.disable()
    with on_signal(signal.SIGUSR1, handler):
        try:
            for _ in delays:
                caught = None
                try:
                    armed = True
                    go.put(True)
                    run()
                    armed = False
                except KeyboardInterrupt as interrupt:
                    caught = interrupt
                yield caught
        finally:
            gc.enable()
            go.put(False)
            shooter.result()
    assert hits
