"""taskstats on the real kernel: what it says of a process is what /proc says, and what it sends when tasks end."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import netns
from kernel.tools import Child, eventually, unprivileged
from netlink import NetlinkWarning, OpError
from netlink.errors import Overrun
from netlink.generic import nlctrl, taskstats
from netlink.generic.taskstats import Flags, Stats, TaskStats
from netlink.stream import Stream
from pace import SLOWNESS

# A task that works, says so, and waits for its end.
WORK = """
import os, sys, threading, time
with open(sys.argv[1], "wb", buffering=0) as file:
    for _ in range(64):
        file.write(bytes(1 << 16))
    os.fsync(file.fileno())
with open(sys.argv[1], "rb", buffering=0) as file:
    while file.read(1 << 12):
        pass
end = time.process_time() + 0.1
while time.process_time() < end:
    pass
for _ in range(5):
    time.sleep(0.001)
def waits():
    sys.stdin.buffer.raw.read(1)
threads = [threading.Thread(target=waits) for _ in range(int(sys.argv[2]))]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.buffer.raw.read(1)
os._exit(7)
"""


@pytest.fixture(autouse=True)
def permitted() -> None:
    """Skip without the family, or if this process may not ask it."""
    try:
        with taskstats.dial(delays=False) as tasks:
            tasks.get(pid=os.getpid())
    except FileNotFoundError as error:
        pytest.skip(error.hint)
    except PermissionError as error:
        pytest.skip(f"taskstats: {error.hint}")


@pytest.fixture
def tasks() -> Iterator[taskstats.Conn]:
    with taskstats.dial(delays=False) as tasks:
        yield tasks


@pytest.fixture
def ended() -> Iterator[Stream[TaskStats, Any]]:
    with taskstats.listen(delays=False, netns=netns.first()) as ended:
        yield ended


class Work:
    """A process that has worked and waits, as a context."""

    def __init__(self, file: Path, threads: int = 0) -> None:
        args = [sys.executable, "-I", "-S", "-c", WORK, str(file), str(threads)]
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.read(5) == b"ready"
        self.pid = self.process.pid

    def __enter__(self) -> Work:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.kill()
        self.process.communicate()


def table(path: Path) -> dict[str, str]:
    return {line.partition(":")[0]: line.partition(":")[2].strip() for line in path.read_text().splitlines()}


def proc(folder: Path) -> dict[str, Any]:
    """What /proc has of a task."""
    stat = (folder / "stat").read_text().rpartition(") ")[2].split()
    schedstat = folder / "schedstat"
    runs, waits, count = map(int, schedstat.read_text().split()) if schedstat.exists() else (None, None, None)
    status, io = table(folder / "status"), table(folder / "io")
    ticks = os.sysconf("SC_CLK_TCK")
    return {
        "comm": (folder / "comm").read_text().rstrip("\n"),
        "cpu_run_virtual_total": runs,
        "cpu_delay_total": waits,
        "cpu_count": count,
        "cpu_seconds": (int(stat[11]) + int(stat[12])) / ticks,
        "began": int(stat[19]) / ticks,
        "ppid": int(stat[1]),
        "minflt": int(stat[7]),
        "majflt": int(stat[9]),
        "nice": int(stat[16]),
        "sched": int(stat[38]),
        "uid": int(status["Uid"].split()[0]),
        "gid": int(status["Gid"].split()[0]),
        "tgid": int(status["Tgid"]),
        "pid": int(status["Pid"]),
        "nvcsw": int(status["voluntary_ctxt_switches"]),
        "nivcsw": int(status["nonvoluntary_ctxt_switches"]),
        "hiwater_rss": int(status["VmHWM"].split()[0]),
        "hiwater_vm": int(status["VmPeak"].split()[0]),
        "read_char": int(io["rchar"]),
        "write_char": int(io["wchar"]),
        "read_syscalls": int(io["syscr"]),
        "write_syscalls": int(io["syscw"]),
        "read_bytes": int(io["read_bytes"]),
        "write_bytes": int(io["write_bytes"]),
        "cancelled_write_bytes": int(io["cancelled_write_bytes"]),
    }


ROUNDED = (
    "read_char",
    "write_char",
    "read_syscalls",
    "write_syscalls",
    "read_bytes",
    "write_bytes",
    "cancelled_write_bytes",
)


def compare(tasks: taskstats.Conn, pid: int) -> Stats:
    """The statistics of a task that waits, which must be those of /proc."""
    folder = Path(f"/proc/{pid}")

    def quiet() -> tuple[dict[str, Any], Stats] | None:
        before = proc(folder)
        stats = tasks.get(pid=pid)
        return (before, stats) if proc(folder) == before else None

    oracle, stats = eventually(quiet, "two equal looks into /proc")
    for name in ROUNDED:
        oracle[name] &= ~1023
    seconds, began = oracle.pop("cpu_seconds"), oracle.pop("began")
    resident = oracle.pop("hiwater_rss")
    tgid = oracle.pop("tgid")
    found = {name: getattr(stats, name) for name in oracle}
    assert found == {name: found[name] if value is None else value for name, value in oracle.items()}
    assert abs((stats.utime or 0) + (stats.stime or 0) - seconds * 1e6) < 200_000  # one is scaled, and the other not
    assert abs((stats.hiwater_rss or 0) - resident) < 4096  # counted by CPUs
    boot = float(next(line for line in Path("/proc/stat").read_text().splitlines() if "btime" in line).split()[1])
    assert abs((stats.btime or 0) - boot - began) <= 2
    assert stats.tgid in (tgid, None)
    assert stats.btime64 in (stats.btime, None)
    return stats


def test_statistics_of_a_task_are_those_of_proc(tasks: taskstats.Conn, tmp_path: Path) -> None:
    with Work(tmp_path / "file") as work:
        os.setpriority(os.PRIO_PROCESS, work.pid, 5)
        stats = compare(tasks, work.pid)
        assert (stats.nice, stats.ppid, stats.pid) == (5, os.getpid(), work.pid)
        assert (stats.read_char or 0) >= 1 << 22
        assert (stats.write_char or 0) >= 1 << 22
        assert (stats.read_syscalls or 0) >= 1 << 10
        # The kernel samples utime and stime by ticks, and counts this one exactly.
        assert (stats.cpu_run_virtual_total or 0) >= 100_000_000
        assert 0 < (stats.etime or 0) < 3600 * 1_000_000
        if (stats.version or 0) >= 12:
            exe = os.stat(f"/proc/{work.pid}/exe")
            assert stats.exe_inode == exe.st_ino
            assert stats.tgetime == stats.etime


def test_statistics_of_a_process_are_the_sums_of_its_threads(tasks: taskstats.Conn, tmp_path: Path) -> None:
    with Work(tmp_path / "file", threads=3) as work:
        threads = sorted(int(name) for name in os.listdir(f"/proc/{work.pid}/task"))
        assert len(threads) == 4

        def quiet() -> tuple[list[Stats], Stats] | None:
            before = [*tasks.get_many(threads)]
            stats = tasks.get(tgid=work.pid)
            after = [*tasks.get_many(threads)]
            same = [one.cpu_count for one in before] == [one.cpu_count for one in after]
            return (before, stats) if same else None

        each, stats = eventually(quiet, "threads that wait")
        assert [one.pid for one in each] == threads
        for name in ("cpu_count", "cpu_delay_total", "cpu_run_virtual_total", "nvcsw", "nivcsw"):
            assert getattr(stats, name) == sum(getattr(one, name) for one in each)
        assert (stats.version, stats.ac_comm) == (each[0].version, bytes(32))


def test_many_tasks_at_once_without_those_that_have_ended(tasks: taskstats.Conn) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    pids = [os.getpid(), gone.pid, os.getppid()]
    assert [stats.pid for stats in tasks.get_many(pids)] == [os.getpid(), os.getppid()]
    many = tasks.get_many([os.getpid()] * 500)
    assert (len(many), {stats.pid for stats in many}) == (500, {os.getpid()})
    with pytest.raises(ProcessLookupError, match="no such task"):
        tasks.get(pid=gone.pid)
    answers = tasks.conn.execute_all(tasks.calls.get(pid=pid) for pid in pids[:2])
    assert isinstance(answers[1], ProcessLookupError)


def test_the_kernel_takes_what_a_request_has() -> None:
    with nlctrl.dial() as ctrl:
        try:
            policies = ctrl.policies("TASKSTATS").of(taskstats.Command.GET)
        except OpError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            pytest.skip("this kernel does not tell its policies")
    types = {
        field.types[0][0][0] for of in (taskstats.Request, taskstats.Registration) for field in of.__fields__.values()
    }
    assert types == policies.keys()


def test_the_requests_need_a_capability() -> None:
    def refused() -> tuple[BaseException | None, BaseException | None]:
        found: list[BaseException | None] = []
        for ask in (lambda tasks: tasks.get(pid=1), lambda tasks: taskstats.listen(delays=False)):
            with taskstats.dial(delays=False) as tasks:
                try:
                    ask(tasks)
                    found.append(None)
                except OSError as error:
                    found.append(error)
        return found[0], found[1]

    for error in unprivileged(refused):
        assert isinstance(error, PermissionError)
        assert "CAP_NET_ADMIN in the machine's first user namespace" in str(error)


# Tasks that end


def of_task(ended: Iterator[TaskStats], pid: int) -> TaskStats:
    """The statistics of a task that has ended, behind those of others."""
    return next(task for task in ended if task.pid == pid)


def test_tasks_that_end_are_in_the_stream(ended: Stream[TaskStats, Any]) -> None:
    done = subprocess.Popen(["sh", "-c", "exit 3"])
    assert done.wait() == 3
    task = of_task(ended, done.pid).task
    assert task is not None
    assert (task.comm, task.pid, task.ppid) == ("sh", done.pid, os.getpid())
    assert os.waitstatus_to_exitcode(task.exit_code or 0) == 3
    killed = subprocess.Popen(["sleep", "60"])
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    found = of_task(ended, killed.pid)
    assert found.task is not None
    assert os.waitstatus_to_exitcode(found.task.exit_code or 0) == -signal.SIGKILL
    assert Flags.XSIG in (found.task.flags or 0)
    assert (found.tgid, found.process) == (None, None)
    assert ended.lost == 0


def test_the_last_thread_of_a_process_has_its_sums(ended: Stream[TaskStats, Any], tmp_path: Path) -> None:
    with Work(tmp_path / "file", threads=2) as work:
        threads = {int(name) for name in os.listdir(f"/proc/{work.pid}/task")}
        work.process.communicate(b"x")
        assert work.process.returncode == 7
    found: list[TaskStats] = []
    while len(found) < len(threads):
        found += [task for task in (next(ended),) if task.pid in threads]
    assert {task.pid for task in found} == threads
    # One is the last, and its message may come before that of another, which ends at the same time.
    (last,) = (task for task in found if task.tgid is not None)
    assert last.tgid == work.pid
    assert last.process is not None
    assert (last.process.nvcsw or 0) >= sum(task.task.nvcsw or 0 for task in found if task.task) > 0


def pinned(cpu: int) -> int:
    """The number of a task that has ended on a CPU."""
    child = Child(lambda: os.sched_setaffinity(0, [cpu]))
    child.result()
    return child.pid


@pytest.mark.parametrize("as_text", [True, False])
def test_only_tasks_of_some_cpus(as_text: bool) -> None:
    here, *others = sorted(os.sched_getaffinity(0))
    if not others:
        pytest.skip("this process has one CPU")
    with taskstats.listen(str(here) if as_text else [here], delays=False, netns=netns.first()) as ended:
        elsewhere, wanted = pinned(others[0]), pinned(here)
        seen: list[int | None] = []
        while wanted not in seen:
            seen.append(next(ended).pid)
    assert elsewhere not in seen


def test_what_the_kernel_refuses() -> None:
    first = netns.first()
    for cpus in ("9999999", "x"):
        with pytest.raises(OpError, match="CPUs") as info:
            taskstats.listen(cpus, delays=False, netns=first)
        assert info.value.errno in (errno.EINVAL, errno.ERANGE, errno.EOVERFLOW)
    with pytest.raises(OpError, match="first network namespace alone: use netns=") as info:
        taskstats.listen(delays=False)
    assert info.value.errno == errno.EINVAL


def end_many(count: int = 100) -> None:
    """Begin tasks, and wait for their ends."""
    subprocess.run(["sh", "-c", f"i=0; while [ $i -lt {count} ]; do (exit 0); i=$((i + 1)); done"], check=True)


def test_losses_are_told() -> None:
    options: dict[str, Any] = {"delays": False, "netns": netns.first(), "read_buffer": 4096}
    with taskstats.listen(**options) as ended:
        end_many()
        with pytest.raises(Overrun) as info:
            for _ in ended:
                pass
        assert ended.lost >= info.value.lost > 0
        done = subprocess.Popen(["true"])
        done.wait()
        while True:
            try:
                assert of_task(ended, done.pid).task is not None
                break
            except Overrun:  # other tasks of the machine
                done = subprocess.Popen(["true"])
                done.wait()
    with taskstats.listen(on_overrun="mark", **options) as marked:
        end_many()
        lost = next(item for item in marked if isinstance(item, Overrun))
        assert marked.lost >= lost.lost > 0


def test_batches_and_the_end(ended: Stream[TaskStats, Any]) -> None:
    end_many(20)
    batches = [*ended.batches(idle=0)]
    assert sum(len(batch) for batch in batches) >= 20
    end_many(3)
    ended.stop()
    rest = [*ended]
    assert len(rest) >= 3
    end_many(3)
    assert [*ended] == []


def test_a_stream_in_an_event_loop(ended: Stream[TaskStats, Any]) -> None:
    async def first_of(pid: int) -> TaskStats:
        async for task in ended:
            if task.pid == pid:
                return task
        raise AssertionError("the stream ended")

    async def main() -> None:
        process = await asyncio.create_subprocess_exec("sh", "-c", "exit 4")
        task = await asyncio.wait_for(first_of(process.pid), 20 * SLOWNESS)
        assert task.task is not None
        assert os.waitstatus_to_exitcode(task.task.exit_code or 0) == 4
        await process.wait()

    asyncio.run(main())


def test_close_ends_the_sending_to_the_number_of_the_socket() -> None:
    first = netns.first()
    ended = taskstats.listen(delays=False, netns=first)
    with socket.socket(fileno=os.dup(ended.fileno())) as sock:
        number = sock.getsockname()[0]
    ended.close()
    with netns.inside(first), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
        sock.bind((number, 0))
        end_many(3)
        with pytest.raises(BlockingIOError):
            sock.recv(1 << 16, socket.MSG_DONTWAIT)


def test_a_forked_child_does_not_end_the_sending(ended: Stream[TaskStats, Any]) -> None:
    child = Child(ended.close)
    child.result()
    assert of_task(ended, child.pid).pid == child.pid
    done = subprocess.Popen(["true"])
    done.wait()
    assert of_task(ended, done.pid).pid == done.pid


def test_a_close_by_another_thread_ends_a_read(ended: Stream[TaskStats, Any]) -> None:
    timer = threading.Timer(0.05, ended.close)
    timer.start()
    with pytest.raises(OpError) as info:
        for _ in ended:
            pass
    assert info.value.errno == errno.EBADF
    timer.join()


def test_a_warning_of_the_delays_that_are_missing() -> None:
    setting = Path("/proc/sys/kernel/task_delayacct")
    if not setting.exists() or setting.read_text().strip() != "0":
        pytest.skip("this kernel accounts delays")
    with pytest.warns(NetlinkWarning, match=r"kernel\.task_delayacct is 0"):
        taskstats.dial().close()
    with pytest.warns(NetlinkWarning, match=r"kernel\.task_delayacct is 0"):
        taskstats.listen(netns=netns.first()).close()
