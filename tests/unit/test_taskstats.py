"""netlink.generic.taskstats without a kernel: struct taskstats of all versions, requests, and the end of a stream."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netlink import NetlinkWarning, OpError
from netlink._io.source import ItemSource
from netlink.generic import _sysctl, taskstats
from netlink.generic.taskstats import Answer, Flags, Registration, Request, Stats, TaskStats, Timespec
from netlink.generic.taskstats.family import _Source
from netlink.generic.taskstats.records import in_order
from netlink.nltest import serve, serve_async
from netlink.stream import Stream
from probe import c_layout, c_values

HEADER = ["linux/taskstats.h"]
KINDS = ("cpu", "blkio", "swapin", "freepages", "thrashing", "compact", "wpcopy", "irq")
# The fields of each version, as struct.unpack has them, in the order of linux/taskstats.h. Padding is
# written out.
HEAD = "version:H 2x exit_code:I flags:B nice:b 6x"
DELAYS = "{0}_count:Q {0}_delay_total:Q"
BASIC = (
    "cpu_run_real_total:Q cpu_run_virtual_total:Q ac_comm:32s sched:B 7x uid:I gid:I pid:I ppid:I btime:I 4x etime:Q "
    "utime:Q stime:Q minflt:Q majflt:Q coremem:Q virtmem:Q hiwater_rss:Q hiwater_vm:Q read_char:Q write_char:Q "
    "read_syscalls:Q write_syscalls:Q read_bytes:Q write_bytes:Q cancelled_write_bytes:Q nvcsw:Q nivcsw:Q "
    "utimescaled:Q stimescaled:Q cpu_scaled_run_real_total:Q"
)
IDENTITY = "tgid:I 4x tgetime:Q exe_dev:Q exe_inode:Q"
EXTREMES = "{0}_delay_max:Q {0}_delay_min:Q"
TIMES = "{0}_delay_max_ts:16s"
SIZES = {8: 328, 9: 344, 10: 352, 11: 368, 12: 400, 13: 416, 14: 432, 15: 560, 16: 560, 17: 688}


def words(version: int) -> list[str]:
    """The fields of a version, each with its format."""
    odd = version == 15

    def delays(kind: str) -> str:
        return f"{DELAYS} {EXTREMES if odd else ''}".format(kind)

    parts = [HEAD, *map(delays, KINDS[:3]), BASIC, delays("freepages")]
    parts += [delays("thrashing")] * (version >= 9)
    parts += ["btime64:Q"] * (version >= 10)
    parts += [delays("compact")] * (version >= 11)
    parts += [IDENTITY] * (version >= 12)
    parts += [delays("wpcopy")] * (version >= 13)
    parts += [delays("irq")] * (version >= 14)
    parts += [EXTREMES.format(kind) for kind in KINDS] * (version >= 16)
    parts += [TIMES.format(kind) for kind in KINDS] * (version >= 17)
    return " ".join(parts).split()


def stats_of(version: int) -> tuple[bytes, dict[str, Any]]:
    """A struct of a version, and what its fields are: each has a value of its own."""
    format_, values = "=", {}
    for i, word in enumerate(words(version)):
        name, _, code = word.rpartition(":")
        format_ += code
        if name:
            values[name] = (i << 40 | i) if code == "Q" else i
    values |= {"version": version, "flags": Flags.SU, "nice": -20, "ac_comm": b"a name"}
    data = {name: value.to_bytes(16, "little") for name, value in values.items() if name.endswith("_ts")}
    payload = struct.pack(format_, *(values | data).values())
    values["ac_comm"] = b"a name".ljust(32, b"\0")
    for name, bytes_ in data.items():
        values[name] = Timespec.decode(bytes_)
    return payload, values


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def message(pid: int, task: bytes, tgid: int = 0, process: bytes = b"") -> bytes:
    """A message as the kernel sends it, with the padding that it puts before the structs on some machines."""
    found = attribute(6, b"") + attribute(0x8004, attribute(1, struct.pack("=I", pid)) + attribute(3, task))
    if process:
        found += attribute(6, b"")
        found += attribute(0x8005, attribute(2, struct.pack("=I", tgid)) + attribute(3, process))
    return found


@pytest.mark.parametrize("version", SIZES)
def test_every_version_of_the_struct(version: int) -> None:
    payload, values = stats_of(version)
    assert len(payload) == SIZES[version]
    stats = Stats.decode(in_order(payload))
    assert {name: getattr(stats, name) for name in values} == values
    others = Stats.__fields__.keys() - values.keys()
    assert {getattr(stats, name) for name in others} <= {None}
    assert stats.comm == "a name"
    assert pickle.loads(pickle.dumps(stats)) == stats


def test_what_a_later_version_adds_is_left_out() -> None:
    payload, values = stats_of(17)
    stats = Stats.decode(in_order(struct.pack("=H", 18) + payload[2:] + bytes(range(64))))
    assert {name: getattr(stats, name) for name in values} == values | {"version": 18}


@pytest.mark.parametrize("size", [*range(40), 311, 431, 559])
def test_a_struct_of_version_15_that_is_cut(size: int) -> None:
    payload, _ = stats_of(15)
    assert sorted(in_order(payload[:size])) == sorted(payload[:size])


def test_a_name_of_other_bytes() -> None:
    assert Stats.decode(b"").comm is None
    assert Stats(ac_comm=b"\xff" * 32).comm == "\udcff" * 32


def test_fields_lie_where_the_header_has_them() -> None:
    version = c_values(HEADER, ["TASKSTATS_VERSION"])["TASKSTATS_VERSION"]
    if version < 14 or version == 15:
        pytest.skip(f"linux/taskstats.h has version {version}; want 14, or 16 and later")
    names = {"exit_code": "ac_exitcode"}
    for name in ("flag", "nice", "sched", "uid", "gid", "pid", "ppid", "btime", "etime", "utime", "stime", "minflt"):
        names[name.replace("flag", "flags")] = f"ac_{name}"
    for name in ("majflt", "utimescaled", "stimescaled", "btime64", "tgid", "tgetime", "exe_dev", "exe_inode"):
        names[name] = f"ac_{name}"
    _, values = stats_of(min(version, 17))
    theirs = [names.get(name, name) for name in values]
    (layout,) = c_layout(HEADER, {"struct taskstats": theirs}).values()
    assert version > 17 or layout.size == SIZES[version]
    for name, their in zip(values, theirs, strict=True):
        field = Stats.__fields__[name]
        assert (field.at, field.width or field.size) == layout.fields[their], name


def test_a_message_of_a_process_of_several_threads() -> None:
    (task, _), (process, _) = stats_of(16), stats_of(10)
    found = TaskStats.decode(message(7, task, 5, process))
    assert (found.pid, found.tgid) == (7, 5)
    assert found.task == Stats.decode(task)
    assert found.process is not None
    assert (found.process.version, found.process.compact_count) == (10, None)
    assert found.unknown == ()
    alone = TaskStats.decode(message(7, task))
    assert (alone.tgid, alone.process) == (None, None)


# Requests


def served(answer: Callable[[Request], Answer]) -> taskstats.Conn:
    return serve(taskstats.Conn, {"get_answer": answer})


@pytest.mark.parametrize("version", [10, 15, 16])
def test_get_of_any_version(version: int) -> None:
    payload, _ = stats_of(version)
    stats = Stats.decode(in_order(payload))
    asked: list[Request] = []

    def answer(request: Request) -> Answer:
        asked.append(request)
        if request.pid is not None:
            return Answer(pid=request.pid, task=payload)
        return Answer(tgid=request.tgid, process=payload)

    with served(answer) as tasks:
        assert tasks.get(pid=7) == stats
        assert tasks.get(tgid=8) == stats
        batch = tasks.get_many(range(3))
    assert [*batch] == [stats] * 3
    assert asked == [Request(pid=7), Request(tgid=8), Request(pid=0), Request(pid=1), Request(pid=2)]


def test_get_wants_one_number() -> None:
    with served(lambda request: Answer()) as tasks:
        for wrong in ({}, {"pid": 1, "tgid": 1}):
            with pytest.raises(ValueError, match="want either pid= or tgid="):
                tasks.get(**wrong)


def test_get_many_leaves_out_tasks_that_have_ended() -> None:
    payload, _ = stats_of(16)

    def answer(request: Request) -> Answer:
        if request.pid == 2:
            raise OSError(3, "No such process")
        if request.pid == 9:
            raise OSError(1, "Operation not permitted")
        return Answer(pid=request.pid, task=payload)

    with served(answer) as tasks:
        assert [*tasks.get_many([1, 2, 3])] == [Stats.decode(payload)] * 2
        assert len(tasks.get_many([])) == 0
        with pytest.raises(PermissionError, match="CAP_NET_ADMIN in the machine's first user namespace"):
            tasks.get_many([1, 9])
        with pytest.raises(ProcessLookupError, match="no such task in the PID namespace"):
            tasks.get(pid=2)


async def asked_by_a_task(tasks: Any) -> Stats:
    async with tasks:
        found: Stats = await tasks.get(pid=1)
        return found


def test_get_is_awaited_over_an_async_connection() -> None:
    payload, _ = stats_of(16)
    tasks = serve_async(taskstats.Conn, {"get_answer": lambda request: Answer(pid=1, task=payload)})
    assert asyncio.run(asked_by_a_task(tasks)) == Stats.decode(payload)


def test_lists_of_cpus_end_with_a_nul() -> None:
    assert Registration(begin="0-3,8").encode() == attribute(3, b"0-3,8\0")
    assert Registration(end="0").encode() == attribute(4, b"0\0")


# Streams


class Double(ItemSource[Any]):
    """What `listen` opens: messages of the kernel, and a socket that is only asked whether it is closed."""

    def __init__(self, *answers: Answer | TaskStats) -> None:
        super().__init__(answers, type(answers[0]))
        self.reader: Any = self
        self.sock: Any = self
        self.stop_request: Any = "end"
        self.sent: list[Any] = []
        self.closed = False

    def send(self, request: Any) -> None:
        self.sent.append(request)

    def set_deadlines(self, read: float | None) -> None:
        pass

    def close(self) -> object:
        self.closed = True
        return True


@pytest.mark.parametrize("version", [10, 15, 16])
def test_a_stream_of_any_version(version: int) -> None:
    payload, _ = stats_of(version)
    of = Answer if version == 15 else TaskStats
    double = Double(of.decode(message(7, payload)), of.decode(message(8, payload, 5, payload)))
    stats = Stats.decode(in_order(payload))
    with Stream(_Source(double)) as stream:  # type: ignore[arg-type] # pyright: ignore
        found = [*stream]
    assert found == [TaskStats(pid=7, task=stats), TaskStats(pid=8, task=stats, tgid=5, process=stats)]
    assert double.sent == ["end"]
    assert double.closed


def test_only_the_process_that_began_ends_the_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    double = Double(TaskStats(pid=1))
    source = _Source(double)  # type: ignore[arg-type] # pyright: ignore
    monkeypatch.setattr(os, "getpid", lambda: -1)
    source.close()
    assert not double.sent
    assert double.closed


def test_a_close_that_cannot_end_the_sending_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    double = Double(TaskStats(pid=1))
    source = _Source(double)  # type: ignore[arg-type] # pyright: ignore
    for number in (errno.EBADF, errno.ENOBUFS):
        double.closed = False

        def refuse(request: Any, number: int = number) -> None:
            raise OpError("send", number)

        monkeypatch.setattr(double, "send", refuse)
        with contextlib.nullcontext() if number == errno.EBADF else pytest.raises(OpError):
            source.close()
        assert double.closed


@pytest.mark.parametrize("cpus", ["", " ", [], ()])
def test_a_stream_of_no_cpu(cpus: Any) -> None:
    with pytest.raises(ValueError, match="cpus must be at least one CPU"):
        taskstats.listen(cpus)


def test_the_policy_of_a_stream_is_checked() -> None:
    with pytest.raises(ValueError, match="on_overrun must be 'raise' or 'mark', not 'resync'"):
        taskstats.listen(on_overrun="resync")  # type: ignore[call-overload] # pyright: ignore


# Delays that the kernel does not account


@pytest.mark.parametrize("value", ["0\n", "1\n", None])
@pytest.mark.parametrize("delays", [True, False])
def test_a_warning_if_there_are_no_delays(
    value: str | None, delays: bool, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    asked: list[str] = []

    def read_text(path: Any, **_: Any) -> str:
        asked.append(str(path))
        if value is None:
            raise FileNotFoundError
        return value

    monkeypatch.setattr(Path, "read_text", read_text)
    with taskstats.dial(delays=delays):
        pass
    found = [(one.category, one.filename, str(one.message)) for one in recwarn]
    if delays and value == "0\n":
        ((category, filename, text),) = found
        assert (category, filename) == (NetlinkWarning, __file__)
        assert text.startswith("kernel.task_delayacct is 0")
    else:
        assert not found
    assert asked == ["/proc/sys/kernel/task_delayacct"] * delays


def test_the_first_network_namespace_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def files_of(*there: str) -> Callable[[Any, str], bytes]:
        def read(netns: Any, path: str) -> bytes:
            if os.path.basename(path) not in there:
                raise FileNotFoundError(path)
            return b"1"

        return read

    for there, first in (
        (("somaxconn",), False),
        (("somaxconn", "netdev_max_backlog"), True),
        ((), True),  # no /proc
    ):
        monkeypatch.setattr(_sysctl, "read_in_netns", files_of(*there))
        assert _sysctl.is_first_netns(None) == first
