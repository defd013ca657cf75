"""netlink.audit without a kernel: numbers, texts of records, events that are gathered, what is refused."""

from __future__ import annotations

import re
import resource
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink import audit
from netlink.audit import Event, Record, RecordType, Status, events, parse, records
from netlink.audit.events import EventSource, Pending, gather
from netlink.audit.text import fields_of
from netlink.stream import SocketSource, Stream
from probe import c_layout, c_names, c_values

HEADERS = ["linux/audit.h"]


def datagram(text: bytes, type_: int = RecordType.SYSCALL, *, missing: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(text) - missing, type_, 0, 0, 0) + text


# Numbers and layouts


def test_numbers_are_those_of_the_headers() -> None:
    found: dict[str, int] = {}
    scope: Any = None
    for line in Path(records.__file__).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"class (\w+)", line):
            scope = getattr(records, match[1])
        if match := re.match(r"    (\w+) = .*  # (AUDIT_[A-Z0-9_]+)$", line):
            found[match[2]] = int(scope[match[1]])
    assert len(found) >= 140
    known = sorted(c_names(HEADERS, r"AUDIT_\w+") & found.keys())
    assert len(known) >= 90
    assert c_values(HEADERS, known) == {name: found[name] for name in known}


def test_the_status_lies_as_in_the_header() -> None:
    fields = list(audit.AuditStatus.__fields__.values())
    layout = c_layout(HEADERS, {"struct audit_status": [field.name for field in fields]})["struct audit_status"]
    assert [layout.fields[field.name].offset for field in fields] == [field.at for field in fields]
    assert layout.size == audit.AuditStatus.__table__.wire_size
    newer = Status.decode(bytes(44) + b"more")
    assert (newer.backlog_wait_time_actual, newer.more) == (0, b"more")


# Texts


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", {}),
        ("pid=1 uid=0", {"pid": "1", "uid": "0"}),
        ('comm="a b" exe="/bin/x"', {"comm": "a b", "exe": "/bin/x"}),
        ("comm=6120FF exit=6120", {"comm": "a \udcff", "exit": "6120"}),
        ("proctitle=636174002F746D70", {"proctitle": "cat\0/tmp"}),
        ("name=(null) key=(null)", {"name": "(null)", "key": "(null)"}),
        ("name=abc cwd=612", {"name": "abc", "cwd": "612"}),  # no pairs of digits
        ("a=b=c d=", {"a": "b=c", "d": ""}),
        ("pid=1 msg='op=login acct=\"root\" pid=2 res=success'", {"pid": "1", "op": "login", "acct": "root",
                                                                  "res": "success"}),
        ("msg='cut off acct=\"ro", {"acct": '"ro'}),
        ("avc:  denied  { read write } for  pid=7 scontext=a:b:c", {"pid": "7", "scontext": "a:b:c"}),
        ("msg='avc: denied' seperms={ a b } x=1", {"seperms": "{ a b }", "x": "1"}),
        ("old-auid=1 subj=a:b tty=(none)", {"old-auid": "1", "subj": "a:b", "tty": "(none)"}),
        ("a=1 a=2", {"a": "1"}),
    ],
)  # fmt: skip
def test_the_fields_of_a_text(text: str, wanted: dict[str, str]) -> None:
    assert fields_of(text) == wanted


def test_arguments_are_encoded_in_execve_alone() -> None:
    text = 'argc=3 a0="ls" a1=2D6C20 a2[0]=6162'
    assert Record(type=RecordType.EXECVE, text=text).fields == {"argc": "3", "a0": "ls", "a1": "-l ", "a2[0]": "ab"}
    assert Record(type=RecordType.SYSCALL, text="a0=7ffd a1=2D6C").fields == {"a0": "7ffd", "a1": "2D6C"}
    assert Record().fields == {}


@given(st.text(alphabet="ab=\"'{} \0\ud800", max_size=200))
def test_any_text(text: str) -> None:
    assert all(isinstance(value, str) for value in fields_of(text).values())


def test_a_long_text_takes_no_long_time() -> None:
    begin = time.process_time()
    for part in ("a", 'a="', "a={ ", "a='", "=", "a=6"):
        fields_of(part * (9000 // len(part)))
    assert time.process_time() - begin < 5


def test_the_length_of_a_message_may_lie() -> None:
    """That of messages for the audit daemon is 16 bytes short."""
    text = b"audit(1364481363.243:24287): arch=c000003e syscall=2"
    wanted = Record(type=1300, time=1364481363243, serial=24287, text="arch=c000003e syscall=2")
    assert parse(datagram(text)) == parse(datagram(text, missing=16)) == wanted
    assert parse(datagram(b"no stamp", 9999)) == Record(type=9999, text="no stamp")
    with pytest.raises(ValueError, match="16 bytes, not 3"):
        parse(b"abc")


# Events


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def record(serial: int | None, type_: int = RecordType.SYSCALL, text: str = "") -> Record:
    return Record(serial=serial, type=type_, time=None if serial is None else 1000 * serial, text=text)


def gathered(*found: Record, now: float = 0, pending: dict[int, Pending] | None = None) -> Any:
    return gather(pending or {}, found, now, 2.0)


def test_the_end_completes_an_event() -> None:
    """Those of several CPUs are interleaved."""
    parts = [record(1), record(2), record(1, RecordType.PATH), record(2, RecordType.CWD)]
    pending, finished = gathered(*parts, record(2, RecordType.EOE))
    assert finished == [Event(serial=2, time=2000, complete=True, records=(parts[1], parts[3]))]
    pending, finished = gathered(record(1, RecordType.EOE), now=1, pending=pending)
    assert finished == [Event(serial=1, time=1000, complete=True, records=(parts[0], parts[2]))]
    assert pending == {}
    assert gathered(record(1, RecordType.EOE)) == ({}, [])  # whose records came before


def test_records_of_programs_are_whole_events() -> None:
    for type_ in (RecordType.USER_LOGIN, RecordType.DAEMON_START, RecordType.KERNEL, 2404):
        pending, finished = gathered(record(3, type_))
        assert [event.complete for event in finished] == [True]
        assert not pending
    pending, finished = gathered(record(None))
    assert finished == [Event(complete=True, records=(record(None),))]


def test_what_nobody_ends_comes_after_a_while() -> None:
    pending, finished = gathered(record(1, RecordType.SECCOMP), now=10.0)
    assert not finished
    pending, finished = gathered(record(2, RecordType.SECCOMP), now=11.0, pending=pending)
    assert not finished
    pending, finished = gathered(now=12.0, pending=pending)
    assert finished == [Event(serial=1, time=1000, records=(record(1, RecordType.SECCOMP),))]
    assert list(pending) == [2]


def test_a_record_more_defers_it() -> None:
    pending, _ = gathered(record(1), record(2), now=10.0)
    pending, _ = gathered(record(1, RecordType.PATH), now=11.0, pending=pending)
    pending, finished = gathered(now=12.5, pending=pending)
    assert [event.serial for event in finished] == [2]
    assert next(iter(pending.values())).since == 11.0


def test_what_waits_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_WAITING_MAX", 3)
    pending, finished = gathered(*map(record, range(1, 6)))
    assert [event.serial for event in finished] == [1, 2]
    assert list(pending) == [3, 4, 5]
    pending, finished = gathered(record(5), record(5), record(5), pending=pending)
    assert [(event.serial, len(event.records), event.complete) for event in finished] == [
        (3, 1, None), (4, 1, None), (5, 4, None),
    ]  # fmt: skip
    assert pending == {}


def test_what_waits_does_not_keep_its_batch() -> None:
    """A record of a batch has the memory of all of them, which many that wait would add up."""
    pending: dict[int, Pending] = {}
    texts = [record(0, RecordType.USER_AVC, "x" * 60_000).encode()] * 100
    before = resident()
    for serial in range(1, 21):
        batch = Record.decode_many([record(serial, RecordType.SECCOMP).encode(), *texts])
        pending, _ = gathered(batch[0], pending=pending)
    assert [one.records[0].serial for one in pending.values()] == [*range(1, 21)]
    assert resident() - before < 60_000_000  # of 120,000,000


SERIALS = st.none() | st.integers(1, 4) | st.just(0xFFFFFFFF)
TYPES = st.sampled_from(
    [RecordType.SYSCALL, RecordType.PATH, RecordType.EOE, RecordType.USER_AVC, RecordType.KERNEL, 0]
)


@given(st.lists(st.lists(st.tuples(SERIALS, TYPES), max_size=12), max_size=8), st.sampled_from([0.0, 1.0, 3.0, 1e9]))
def test_no_record_is_lost_or_changes_its_place(parts: list[list[tuple[int | None, int]]], hold: float) -> None:
    pending: dict[int, Pending] = {}
    came: list[Record] = []
    given: list[Record] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "_WAITING_MAX", 5)
        for now, part in enumerate([*parts, []]):
            found = [record(serial, type_, str(len(given) + n)) for n, (serial, type_) in enumerate(part)]
            given += found
            pending, finished = gather(pending, found, float(now), 0 if now == len(parts) else hold)
            came += [one for event in finished for one in event.records]
            assert all(len({one.serial for one in event.records}) == 1 for event in finished)
            assert sum(len(one.records) for one in pending.values()) <= 5
    assert not pending
    for serial in {one.serial for one in given}:
        wanted = [one for one in given if one.serial == serial and (serial is None or one.type != RecordType.EOE)]
        assert [one for one in came if one.serial == serial] == wanted


class Reader:
    """Batches that are queued, in the place of the kernel's."""

    def __init__(self, *batches: list[Record]) -> None:
        self.batches = [*batches]
        self.lost = 0
        self.ended = False

    def read(self, rows: int, wait: bool, into: list[Any]) -> None:
        if self.batches or not wait:
            found = self.batches.pop(0) if self.batches else []
            into.append(Record.decode_many([one.encode() for one in found[:rows]]))
            if found[rows:]:
                self.batches.insert(0, found[rows:])


def source_of(*batches: list[Record], hold: float = 1000.0) -> EventSource:
    class Sock:
        def set_deadlines(self, *, read: float | None) -> None:
            pass

        def fileno(self) -> int:
            return -1

        def read_buffer(self) -> int:
            return 0

        def close(self) -> None:
            pass

    sock: Any = Sock()
    reader: Any = Reader(*batches)
    return EventSource(SocketSource(sock, reader, (Record,)), hold)


@pytest.mark.parametrize("rows", [1, 2, 4096])
def test_the_parts_of_an_event_are_read_as_far_as_they_are_queued(rows: int) -> None:
    parts = [record(1), record(1, RecordType.CWD), record(1, RecordType.PATH), record(1, RecordType.EOE)]
    with Stream(source_of(parts, [*parts, record(2)])) as stream:
        for _ in range(2):
            (event,) = stream.read(timeout=0, max_rows=rows)
            assert (event.serial, len(event.records), event.complete) == (1, 3, True)
        assert len(stream.read(timeout=0, max_rows=rows)) == 0


def test_a_lone_record_is_waited_for() -> None:
    with Stream(source_of([record(1)], hold=0.01)) as stream:
        assert len(stream.read(timeout=0)) == 0
        (event,) = stream.read()
        assert event.complete is None


def test_an_event_of_the_longest_records() -> None:
    longest = parse(datagram(b"audit(1.243:7): " + b"x" * 65491))
    with Stream(source_of([longest] * 3, hold=0.0)) as stream:
        (event,) = stream.read(timeout=0)
        assert event.records == (longest,) * 3
    with pytest.raises(ValueError, match="too long for an attribute"):
        parse(datagram(b"x" * 65492))


def test_an_event_as_bytes() -> None:
    event = Event(serial=1, time=2, complete=True, records=(record(1), record(1, RecordType.PATH, 'name="x"')))
    assert Event.decode(event.encode()) == event
    pyarrow = pytest.importorskip("pyarrow")
    rows = pyarrow.table(Event.decode_many([event.encode()])).to_pylist()
    assert [row["text"] for row in rows[0]["records"]] == ["", 'name="x"']


def test_what_is_refused() -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("on_overrun", {"on_overrun": "resync"}),
        ("hold", {"hold": -1}),
        ("hold", {"hold": float("nan")}),
        ("hold", {"hold": True}),
        ("hold", {"hold": "2"}),
    ]
    for message, options in wrong:
        with pytest.raises(ValueError, match=message):
            audit.listen(**options)


# Oracles

LOG = """\
type=SYSCALL msg=audit(1364481363.243:24287): arch=c000003e syscall=2 success=no exit=-13 a0=7ffd a1=0 a2=7ffe a3=a \
items=1 ppid=2686 pid=3538 auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 sgid=1000 fsgid=1000 \
tty=pts0 ses=1 comm="cat" exe=2F62696E2F6120636174 key="some key"
type=CWD msg=audit(1364481363.243:24287): cwd=2F686F6D652F6120622F
type=SECCOMP msg=audit(1364481363.244:24288): auid=1000 uid=1000 pid=12 comm="x" exe="/bin/x" sig=31 arch=c000003e \
syscall=39 compat=0 ip=0x7f code=0x0
type=PATH msg=audit(1364481363.243:24287): item=0 name=2F746D702F6120622E747874 inode=409248 \
dev=fd:00 mode=0100600 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0
type=EXECVE msg=audit(1364481363.245:24290): argc=3 a0="ls" a1=2D2D61206279 a2="beef"
type=PROCTITLE msg=audit(1364481363.243:24287): proctitle=636174002F746D702F6120622E747874
type=EOE msg=audit(1364481363.243:24287):
type=EOE msg=audit(1364481363.245:24290):
type=USER_CMD msg=audit(1364481363.246:24289): pid=1 uid=0 ses=2 msg='cwd="/root" cmd=6C73202D6C exe="/bin/sudo" \
terminal=pts/0 res=success'
type=USER_LOGIN msg=audit(1364481363.247:24291): pid=7 ses=4294967295 msg='op=login acct=28696E76616C6964207573657229 \
exe="/usr/sbin/sshd" terminal=ssh res=failed'
"""
DECODED = (
    *("comm", "exe", "key", "cwd", "name", "inode", "nametype", "proctitle", "argc", "cmd"),
    *("terminal", "pid", "acct", "res", "op", "items", "success"),
)


def test_events_and_fields_are_those_of_ausearch(tmp_path: Path) -> None:
    """The tool of the audit daemon gathers the records of its log, and decodes what others chose."""
    if not shutil.which("ausearch"):
        pytest.skip("ausearch is missing (Debian: auditd)")
    path = tmp_path / "audit.log"
    path.write_text(LOG)

    def shown(*options: str) -> str:
        command = ["ausearch", "-if", str(path), *options]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    lines = [re.fullmatch(r"type=(\w+) msg=(audit\(.*?\):) ?(.*)", line) for line in LOG.splitlines()]
    found = [parse(datagram(f"{one[2]} {one[3]}".encode(), RecordType[one[1]])) for one in lines if one]
    pending, finished = gathered(*found)
    finished += [Event(serial=serial, time=0, records=one.records) for serial, one in pending.items()]
    theirs = []
    for block in shown("--raw").splitlines():
        kind, serial = re.match(r"type=(\w+) msg=audit\([\d.]+:(\d+)\)", block).groups()  # type: ignore[union-attr]
        if kind != "EOE":
            theirs.append((int(serial), kind))
    ours = [(event.serial, record.type.name) for event in finished for record in event.records]
    assert sorted(ours) == sorted(theirs)
    assert [*dict.fromkeys(serial for serial, _ in ours)] != [*dict.fromkeys(one.serial for one in found)]
    compared = 0
    for block in shown("-i").splitlines():
        match = re.match(r"type=(\w+) msg=audit\(.*?:(\d+)\) : (.*)", block)
        if match is None or match[1] == "EOE":
            continue
        (record,) = (one for one in found if one.serial == int(match[2]) and one.type.name == match[1])
        for key, value in record.fields.items():
            if key in DECODED or match[1] == "EXECVE":
                text = value.replace("\0", " ")
                assert re.search(rf"(?:^|[ '])(?:{key})={re.escape(text)}(?:[ ']|$)", match[3]), (key, value, match[3])
                compared += 1
    assert compared >= 30
