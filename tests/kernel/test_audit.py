"""The audit log of the real kernel, beside what it prints; no setting of the machine is changed but in a guest."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import netns as netns_
from kernel.tools import eventually, in_child, syscall_number, unprivileged
from netlink import Family, OpError, Overrun, audit
from netlink.audit import Event, RecordType
from netlink.stream import Stream
from pace import SLOWNESS

HOLD = 0.2
_libc = ctypes.CDLL(None, use_errno=True)


# Of a kernel without the audit system, or of one where this user may not.
LACKING = {errno.EPERM, errno.EPROTONOSUPPORT, errno.ECONNREFUSED}


@pytest.fixture
def listen(netns: netns_.Namespace) -> Iterator[Callable[..., Stream[Any, Any]]]:
    """`audit.listen` in the machine's first network namespace, if this process may use it."""
    opener: Any = audit.listen
    with ExitStack() as opened:

        def one(**options: Any) -> Stream[Any, Any]:
            try:
                stream: Stream[Any, Any] = opener(netns=netns_.first(), **options)
            except OpError as error:
                if error.errno not in LACKING:
                    raise
                pytest.skip(f"no audit log: {error}")
            return opened.enter_context(stream)

        yield one


def say(text: str, count: int = 1) -> None:
    """Messages of a program, which the kernel logs also while auditing is off: AUDIT_USER_AVC."""
    data = text.encode() + b"\0"
    data += bytes(-len(data) % 4)
    message = struct.pack("=IHHII", 16 + len(data), RecordType.USER_AVC, 5, 1, 0) + data
    with netns_.inside(netns_.first()):
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.AUDIT)
    with sock:
        for _ in range(count):
            sock.send(message)
            (error,) = struct.unpack_from("=i", sock.recv(1000), 16)
            if -error in LACKING:
                pytest.skip(f"no messages of programs: {os.strerror(-error)}")
            assert error == 0, os.strerror(-error)


def logged() -> int:
    """A process whose call of getpid seccomp logs, and lets through: its number."""
    number = syscall_number("getpid")

    def run() -> int:
        code = ctypes.create_string_buffer(
            struct.pack("=HBBI", 0x20, 0, 0, 0)  # the number of the call
            + struct.pack("=HBBI", 0x15, 0, 1, number)
            + struct.pack("=HBBI", 0x06, 0, 0, 0x7FFC0000)  # SECCOMP_RET_LOG
            + struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)  # SECCOMP_RET_ALLOW
        )
        _libc.prctl(38, ctypes.c_ulong(1), 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        program = struct.pack("HP", 4, ctypes.addressof(code))
        if _libc.syscall(syscall_number("seccomp"), 1, 0, program):  # SECCOMP_SET_MODE_FILTER
            return -ctypes.get_errno()
        return int(_libc.syscall(number))

    pid: int = in_child(run)
    if pid < 0:
        pytest.skip(f"no seccomp: {os.strerror(-pid)}")
    return pid


def mine(stream: Stream[Any, Any], key: str, value: object) -> Event:
    """The event with a value; other processes have theirs."""
    for event in stream:
        if any(record.fields.get(key) == str(value) for record in event.records):
            found: Event = event
            return found
    raise AssertionError("the stream has ended")


def test_a_message_of_a_program(listen: Callable[..., Stream[Any, Any]]) -> None:
    events, records = listen(hold=HOLD), listen(reassemble=False)
    token = f"t{os.getpid()}"
    say(f'op={token} acct="root" exe=2F746D702F6120FF name=plain addr=?')
    event = mine(events, "op", token)
    assert event.records is not None
    (record,) = event.records
    assert event.complete
    assert (record.type, record.serial, record.time) == (RecordType.USER_AVC, event.serial, event.time)
    fields = record.fields
    assert fields["pid"] == str(os.getpid())
    assert (fields["acct"], fields["exe"], fields["name"], fields["addr"]) == ("root", "/tmp/a \udcff", "plain", "?")
    assert record in list(records.read(timeout=10 * SLOWNESS))


def test_a_lone_record_comes_in_time(listen: Callable[..., Stream[Any, Any]]) -> None:
    """Seccomp is logged also while auditing is off; nothing tells that no other record comes."""
    stream = listen(hold=HOLD)
    pid = logged()
    event = mine(stream, "pid", pid)
    record = next(one for one in event.records or () if one.type == RecordType.SECCOMP)
    assert record.fields["syscall"] == str(syscall_number("getpid"))
    assert record.fields["code"] == "0x7ffc0000"
    assert event.complete or len(event.records or ()) == 1


def test_a_lone_record_in_an_event_loop(listen: Callable[..., Stream[Any, Any]]) -> None:
    stream = listen(hold=HOLD)

    async def main() -> RecordType | int | None:
        pid = logged()
        async for event in stream:
            if event.records[0].fields.get("pid") == str(pid):
                kind: RecordType = event.records[0].type
                return kind
        return None

    assert asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS)) == RecordType.SECCOMP


def test_what_waits_comes_before_the_end(listen: Callable[..., Stream[Any, Any]]) -> None:
    stream = listen(hold=1000.0)
    pid = logged()
    assert len(stream.read(timeout=HOLD)) == 0
    stream.stop()
    assert str(pid) in [record.fields.get("pid") for event in stream for record in event.records]


def test_the_log_is_what_the_kernel_prints(listen: Callable[..., Stream[Any, Any]]) -> None:
    """Without an audit daemon it prints each record: an oracle for its type, stamp and text."""
    try:
        printed = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        pytest.skip(f"/dev/kmsg: {error}")
    with open(printed, "rb", buffering=0) as kmsg:
        kmsg.seek(0, os.SEEK_END)
        stream = listen(reassemble=False)
        token = f"o{os.getpid()}"
        say(f"op={token}")
        found = next(one for one in stream if one.fields.get("op") == token)
        wanted = f"audit: type={int(found.type)} audit({found.time / 1000:.3f}:{found.serial}): {found.text}"
        lines: list[str] = []
        while entry := kmsg.read(9000):
            lines.append(entry.decode().split(";", 1)[1].splitlines()[0])
    if not any(token in line for line in lines):
        pytest.skip("the kernel prints no audit records: there is a daemon, or it prints too many")
    assert wanted in lines


@pytest.mark.parametrize("policy", ["raise", "mark"])
def test_losses_are_reported(listen: Callable[..., Stream[Any, Any]], policy: Any) -> None:
    stream = listen(read_buffer=2048, on_overrun=policy, hold=HOLD)
    token = f"l{os.getpid()}"
    whole = listen(hold=HOLD)
    say(f"op={token}", 60)
    say(f"op=last-{token}")
    mine(whole, "op", f"last-{token}")
    read, told = 0, 0
    while not told:
        try:
            item = next(stream)
        except Overrun as overrun:
            assert policy == "raise"
            item = overrun
        if isinstance(item, Overrun):
            told += item.lost
        else:
            read += any(record.fields.get("op") == token for record in item.records)
    assert told == stream.lost
    assert read + told >= 61
    assert whole.lost == 0


def test_the_status_is_that_of_the_kernel(netns: netns_.Namespace) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.AUDIT) as sock:
        sock.settimeout(10 * SLOWNESS)
        sock.send(struct.pack("=IHHII", 16, 1000, 1, 1, 0))
        answer = sock.recv(1000)
    with audit.dial() as system:
        try:
            status = system.status()
        except OpError as error:
            if error.errno not in LACKING:
                raise
            pytest.skip(f"no status: {error}")
        assert status.header is not None
        ours = status.header.encode()
        assert ours[:28] == answer[16:44]  # but for the backlog, and what follows it
        assert ours[32:40] == answer[48:56]

    async def read() -> int | None:
        async with audit.dial_async() as system:
            return (await system.status()).enabled

    assert asyncio.run(asyncio.wait_for(read(), 20 * SLOWNESS)) == status.enabled


# Refusals


def test_another_network_namespace_is_refused(netns: netns_.Namespace) -> None:
    with pytest.raises(ConnectionRefusedError, match="first network namespace"):
        audit.listen()


def test_without_privilege(listen: Callable[..., Stream[Any, Any]]) -> None:
    listen().close()
    first = netns_.first()

    def refused() -> tuple[int | None, str]:
        netns_.setns(first)

        def attempt() -> tuple[int | None, str]:
            try:
                audit.listen().close()
            except OpError as error:
                return error.errno, error.hint
            return 0, ""

        return unprivileged(attempt)

    number, hint = in_child(refused)
    assert number == errno.EPERM
    assert "CAP_AUDIT_READ" in hint


def test_status_without_privilege(netns: netns_.Namespace) -> None:
    def attempt() -> tuple[int | None, str]:
        with audit.dial() as system:
            try:
                system.status()
            except OpError as error:
                return error.errno, error.hint
        return 0, ""

    number, hint = unprivileged(attempt)
    assert number in (errno.EPERM, errno.ECONNREFUSED)
    assert "CAP_AUDIT_CONTROL" in hint or "first user namespace" in hint


# With auditing on, which only a machine of the tests' own may be


@pytest.fixture
def auditing(netns: netns_.Namespace) -> Iterator[None]:
    if os.environ.get("NETLINK_TEST_MODULES") != "1":
        pytest.skip("auditing is a setting of the machine: it is changed in guests alone")

    def enable(value: int) -> None:
        status = struct.pack("=11I", 1, value, *[0] * 9)
        with netns_.inside(netns_.first()):
            sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.AUDIT)
        with sock:
            sock.send(struct.pack("=IHHII", 16 + len(status), 1001, 5, 1, 0) + status)
            assert struct.unpack_from("=i", sock.recv(1000), 16) == (0,)

    enable(1)
    yield
    enable(0)


def test_who_listens_is_logged(auditing: None, listen: Callable[..., Stream[Any, Any]]) -> None:
    witness = listen(hold=HOLD)
    listen(hold=HOLD).close()
    seen: list[str] = []
    for event in witness:
        for record in event.records:
            if record.type == RecordType.EVENT_LISTENER:
                assert record.fields["nl-mcgrp"] == "1"
                seen.append(record.fields["op"])
        if "disconnect" in seen:
            break
    assert seen.count("connect") >= 1


def test_the_records_of_a_system_call_are_one_event(auditing: None, listen: Callable[..., Stream[Any, Any]]) -> None:
    stream = listen(hold=1000.0)

    def login() -> int:
        Path("/proc/self/loginuid").write_text("1000")
        return os.getpid()

    pid = in_child(login)  # of a process that began with auditing on
    event = next(
        one for one in stream if any(r.type == RecordType.LOGIN and r.fields["pid"] == str(pid) for r in one.records)
    )
    assert event.complete
    types = [record.type for record in event.records]
    assert types[0] == RecordType.LOGIN
    assert {RecordType.SYSCALL, RecordType.PROCTITLE} <= set(types)
    assert RecordType.EOE not in types
    assert {(record.serial, record.time) for record in event.records} == {(event.serial, event.time)}
    fields = {record.type: record.fields for record in event.records}
    assert fields[RecordType.LOGIN]["auid"] == "1000"
    assert "python" in re.split("\0", fields[RecordType.PROCTITLE]["proctitle"])[0]


# The audit daemon, which is one for the machine

CONFIG = """\
local_events = yes
write_logs = yes
log_file = {folder}/audit.log
log_group = root
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 1
max_log_file = 8
num_logs = 2
max_log_file_action = IGNORE
space_left = 2
space_left_action = IGNORE
admin_space_left = 1
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
"""


@pytest.fixture
def daemon(auditing: None, tmp_path: Path) -> Iterator[Path]:
    """The log of an audit daemon that this test has started."""
    if not shutil.which("auditd") or not shutil.which("auditctl"):
        pytest.skip("auditd is missing (Debian: auditd)")
    (tmp_path / "auditd.conf").write_text(CONFIG.format(folder=tmp_path))
    (tmp_path / "auditd.conf").chmod(0o600)
    with netns_.inside(netns_.first()):
        process = subprocess.Popen(
            ["auditd", "-n", "-c", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    with process, audit.dial(netns=netns_.first()) as system:
        try:
            eventually(lambda: system.status().pid == process.pid or process.poll() is not None, "it is the daemon")
            assert process.poll() is None, process.communicate()[0]
            yield tmp_path / "audit.log"
        finally:
            process.terminate()
            process.wait(20 * SLOWNESS)


def auditctl(*arguments: str) -> None:
    with netns_.inside(netns_.first()):
        run = subprocess.run(["auditctl", *arguments], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_events_are_those_in_the_log_of_the_daemon(
    daemon: Path, listen: Callable[..., Stream[Any, Any]], tmp_path: Path
) -> None:
    """It has the records by a socket of its own. ausearch gathers them, and shows what is encoded."""
    stream = listen(hold=1000.0)
    watched, key = tmp_path / "watched", f"k{os.getpid()}"
    watched.mkdir()
    auditctl("-w", str(watched), "-p", "wa", "-k", key)
    try:
        subprocess.run(["touch", str(watched / "a b")], check=True)
        events: list[Event] = []
        while not events or all(one.fields.get("name") != str(watched / "a b") for one in events[-1].records):
            event = next(stream)
            if any(record.fields.get("key") == key for record in event.records):
                events.append(event)
    finally:
        auditctl("-W", str(watched), "-p", "wa", "-k", key)
    last = events[-1]
    assert last.complete
    types = [record.type for record in last.records]
    assert types[0] == RecordType.SYSCALL
    assert {RecordType.CWD, RecordType.PATH, RecordType.PROCTITLE} <= {*types}

    def logged_of(event: Event) -> list[str]:
        return [line for line in daemon.read_text().splitlines() if f":{event.serial})" in line]

    eventually(lambda: len(logged_of(last)) >= len(last.records), "it is in the log")
    for event in events:
        assert logged_of(event) == [
            f"type={record.type.name} msg=audit({record.time / 1000:.3f}:{record.serial}): {record.text}"
            for record in event.records
        ]
    command = ["ausearch", "-if", str(daemon), "-i", "-a", str(last.serial)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    fields = {record.type: record.fields for record in last.records}
    assert f"proctitle={fields[RecordType.PROCTITLE]['proctitle']}".replace("\0", " ") in shown
    assert f"name={watched / 'a b'} " in shown
    assert f" comm={fields[RecordType.SYSCALL]['comm']} " in shown
    assert len(re.findall("^type=", shown, re.M)) == len(last.records)
