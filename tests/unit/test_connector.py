"""netlink.connector without a kernel: numbers and layouts, each event from bytes, what is selected and refused."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import pytest

from netlink import Header, HeaderType, connector
from netlink.connector import CnMsg, Operation, Packet, ProcEvent, ProcEvents, ProcInput, request
from probe import c_layout, c_names, c_values

HEADERS = ["linux/types.h", "linux/connector.h", "linux/cn_proc.h"]


def datagram(what: int, union: bytes, *, idx: int = 1, val: int = 1, seq: int = 0, cpu: int = 3) -> bytes:
    event = struct.pack("=IIQ", what, cpu, 1_000_000_007) + union + bytes(24 - len(union))
    message = struct.pack("=IIIIHH", idx, val, seq, 0, len(event), 0) + event
    return struct.pack("=IHHII", 16 + len(message), HeaderType.DONE, 0, seq, 0) + message


def read(data: bytes) -> ProcEvent | None:
    attributes = connector._form(False).attributes(data)
    return None if attributes is None else ProcEvent.decode(attributes)


EVENTS: list[tuple[ProcEvents, bytes, dict[str, Any]]] = [
    (
        ProcEvents.FORK,
        struct.pack("=4I", 1, 2, 3, 4),
        {"parent_pid": 1, "parent_tgid": 2, "child_pid": 3, "child_tgid": 4},
    ),
    (ProcEvents.EXEC, struct.pack("=2I", 5, 6), {"pid": 5, "tgid": 6}),
    (ProcEvents.UID, struct.pack("=4I", 5, 6, 1000, 0), {"pid": 5, "tgid": 6, "uid": 1000, "euid": 0}),
    (ProcEvents.GID, struct.pack("=4I", 5, 6, 100, 7), {"pid": 5, "tgid": 6, "gid": 100, "egid": 7}),
    (ProcEvents.SID, struct.pack("=2I", 5, 6), {"pid": 5, "tgid": 6}),
    (
        ProcEvents.PTRACE,
        struct.pack("=4I", 5, 6, 7, 8),
        {"pid": 5, "tgid": 6, "tracer_pid": 7, "tracer_tgid": 8},
    ),
    (
        ProcEvents.COMM,
        struct.pack("=2I16s", 5, 6, b"fifteen letters"),
        {"pid": 5, "tgid": 6, "comm": "fifteen letters"},
    ),
    (
        ProcEvents.COREDUMP,
        struct.pack("=4I", 5, 6, 7, 8),
        {"pid": 5, "tgid": 6, "parent_pid": 7, "parent_tgid": 8},
    ),
    (
        ProcEvents.EXIT,
        struct.pack("=6I", 5, 6, 256, 17, 7, 8),
        {"pid": 5, "tgid": 6, "exit_code": 256, "exit_signal": 17, "parent_pid": 7, "parent_tgid": 8},
    ),
]


@pytest.mark.parametrize(("what", "union", "fields"), EVENTS, ids=[what.name for what, _, _ in EVENTS])
def test_an_event(what: ProcEvents, union: bytes, fields: dict[str, Any]) -> None:
    wanted = ProcEvent(what=what, cpu=3, timestamp=1_000_000_007, **fields)
    assert read(datagram(what, union)) == wanted
    assert read(datagram(what, union)[: 52 + 4]) is not None  # cut short


def test_an_event_of_a_later_kernel() -> None:
    event = read(datagram(0x400, b"abc"))
    assert event == ProcEvent(what=0x400, cpu=3, timestamp=1_000_000_007, data=b"abc" + bytes(21))


def test_what_is_no_event() -> None:
    assert read(datagram(0, bytes(24))) is None  # an answer of the kernel
    assert read(datagram(1, bytes(24), idx=2)) is None
    assert read(datagram(1, bytes(24), val=2)) is None
    for size in range(40):
        assert read(datagram(1, bytes(24))[:size]) is None


def test_numbers_of_each_cpu_tell_losses() -> None:
    form = connector._form(True)
    for seq, cpu, missing in ((7, 0, 0), (100, 1, 0), (8, 0, 0), (11, 0, 2), (101, 1, 2), (200, 1, 100)):
        form.attributes(datagram(ProcEvents.EXEC, b"", seq=seq, cpu=cpu))
        assert form.missing == missing
    form.attributes(datagram(ProcEvents.NONE, b"", seq=12, cpu=0))  # numbered, too
    form.attributes(datagram(ProcEvents.EXEC, b"", seq=13, cpu=0))
    assert form.missing == 100


def test_the_status_of_an_exit() -> None:
    def status(code: int) -> int | None:
        return ProcEvent(what=ProcEvents.EXIT, exit_code=code).exit_status

    assert [status(0), status(256), status(255 << 8), status(9), status(0x80 | 11)] == [0, 1, 255, -9, -11]
    assert ProcEvent(what=ProcEvents.EXEC).exit_status is None


def test_threads() -> None:
    assert ProcEvent(what=ProcEvents.FORK, child_pid=8, child_tgid=7).is_thread
    assert ProcEvent(what=ProcEvents.FORK, child_pid=7, child_tgid=7).is_thread is False
    assert ProcEvent(what=ProcEvents.EXIT, pid=8, tgid=7).is_thread
    assert ProcEvent(what=ProcEvents.COMM, pid=8, tgid=7).is_thread is None


@pytest.mark.parametrize(
    "events",
    [
        ProcEvents.EXEC,
        ProcEvents.EXIT | ProcEvents.FORK,
        ProcEvents.NONZERO_EXIT,
        ProcEvents.NONZERO_EXIT | 3,
        0xA0000000,
    ],
)
def test_events_are_selected_as_the_kernel_does(events: int) -> None:
    match = connector._match(ProcEvents(events))
    for what in ProcEvents.ALL & ~ProcEvents.NONZERO_EXIT:
        for code in (0, 256, 9) if what == ProcEvents.EXIT else (None,):
            wanted = bool(what & events) or bool(events & ProcEvents.NONZERO_EXIT and code)
            assert match(ProcEvent(what=what, exit_code=code)) == wanted


def test_a_message_of_any_user() -> None:
    message = request(3, 4, b"abcde", seq=5, ack=6, flags=7)
    assert message.header == Header(type=HeaderType.DONE, sequence=5)
    assert message.data == struct.pack("=IIIIHH", 3, 4, 5, 6, 5, 7) + b"abcde"
    assert Packet.decode(message.data) == Packet(idx=3, val=4, seq=5, ack=6, len=5, flags=7, data=b"abcde")


def test_what_is_refused() -> None:
    wrong: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (TypeError, "ProcEvents", {"events": "EXEC"}),
        (TypeError, "ProcEvents", {"events": True}),
        (ValueError, "at least one", {"events": ProcEvents.NONE}),
        (ValueError, "bits of", {"events": 0x400}),
        (ValueError, "on_overrun", {"on_overrun": "resync"}),
    ]
    for error, message, options in wrong:
        with pytest.raises(error, match=message):
            connector.processes(**options)
    with pytest.raises(ValueError, match="not 0"):
        connector.listen(0)


def test_a_batch_has_columns() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    payloads = [connector._form(False).attributes(datagram(what, union)) for what, union, _ in EVENTS]
    table = pyarrow.table(ProcEvent.decode_many([payload for payload in payloads if payload is not None]))
    rows = table.select(["what", "tgid", "child_tgid", "comm"]).to_pylist()
    assert rows[0] == {"what": 1, "tgid": None, "child_tgid": 4, "comm": None}
    assert rows[6] == {"what": 0x200, "tgid": 6, "child_tgid": None, "comm": "fifteen letters"}


# Numbers and layouts


def named_numbers() -> dict[str, int]:
    """The UAPI names beside members of enums, and their numbers."""
    found: dict[str, int] = {}
    scope: Any = None
    for line in Path(connector.__file__).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"class (\w+)", line):
            scope = getattr(connector, match[1])
        if match := re.match(r"    (\w+) = .*  # (PROC_[A-Z_]+)(?:,|$)", line):
            found[match[2]] = int(scope[match[1]])
    return found


def test_numbers_are_those_of_the_headers() -> None:
    wanted = named_numbers()
    names = c_names(HEADERS, r"PROC_(EVENT|CN_MCAST)_\w+")
    assert {name: value & 0xFFFFFFFF for name, value in c_values(HEADERS, sorted(names)).items()} == {
        name: wanted[name] for name in names
    }
    assert c_values(HEADERS, ["CN_IDX_PROC", "CN_VAL_PROC"]) == {"CN_IDX_PROC": 1, "CN_VAL_PROC": 1}


def test_layouts_are_those_of_the_headers() -> None:
    prelude = "#include <stddef.h>"
    cn = c_layout(HEADERS, {"struct cn_msg": ["id", "seq", "ack", "len", "flags", "data[]"]}, prelude)["struct cn_msg"]
    assert cn.size == CnMsg.__table__.wire_size == 20
    assert [cn.fields[name].offset for name in ("seq", "ack", "len", "flags", "data")] == [8, 12, 16, 18, 20]
    union = {
        "fork": ["parent_pid", "parent_tgid", "child_pid", "child_tgid"],
        "exec": ["process_pid", "process_tgid"],
        "id": ["process_pid", "process_tgid", "r.ruid", "r.rgid", "e.euid", "e.egid"],
        "sid": ["process_pid", "process_tgid"],
        "ptrace": ["process_pid", "process_tgid", "tracer_pid", "tracer_tgid"],
        "comm": ["process_pid", "process_tgid", "comm"],
        "coredump": ["process_pid", "process_tgid", "parent_pid", "parent_tgid"],
        "exit": ["process_pid", "process_tgid", "exit_code", "exit_signal", "parent_pid", "parent_tgid"],
    }
    paths = ["what", "cpu", "timestamp_ns"]
    paths += [f"event_data.{part}.{name}" for part, names in union.items() for name in names]
    there = c_layout(HEADERS, {"struct proc_event": paths, "struct proc_input": ["mcast_op", "event_type"]}, prelude)
    event = there["struct proc_event"]
    assert there["struct proc_input"].size == ProcInput.__table__.wire_size == 8
    assert [event.fields[name].offset for name in ("what", "cpu", "timestamp_ns")] == [0, 4, 8]
    renamed = {"ruid": "uid", "rgid": "gid"}
    events_named = {"id": (ProcEvents.UID, ProcEvents.GID)}
    for part, names in union.items():
        for what in events_named.get(part, (ProcEvents[part.upper()],) if part != "id" else ()):
            places = connector._CASES[what] or {}
            for path in names:
                name = path.rpartition(".")[2].removeprefix("process_")
                name = renamed.get(name, name)
                if part == "id" and name.lstrip("e")[0] != what.name.lower()[0]:
                    continue  # the other member of a union
                place = places[name]
                offset, size = place if isinstance(place, tuple) else (place, 4)
                assert event.fields[f"event_data.{part}.{path}"] == (offset - 36, size)


def test_a_request_is_one_of_the_kernel() -> None:
    assert ProcInput(mcast_op=Operation.LISTEN, event_type=ProcEvents.EXIT).encode() == struct.pack("=II", 1, 1 << 31)
