"""The declarations of taskstats: linux/taskstats.h."""

from __future__ import annotations

import sys
from enum import IntEnum, IntFlag

from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Int,
    Member,
    Str,
    Struct,
    binary,
    pad,
    s8,
    s64,
    string,
    struct,
    u8,
    u16,
    u32,
    u64,
)

__all__ = ["Answer", "Command", "Flags", "Registration", "Request", "Stats", "TaskStats", "Timespec", "in_order"]


class Command(IntEnum):
    """Commands (TASKSTATS_CMD_*)."""

    GET = 1  # TASKSTATS_CMD_GET
    NEW = 2  # TASKSTATS_CMD_NEW


class Flags(IntFlag):
    """What a task has done, or how it ended: linux/acct.h."""

    FORK = 0x01  # AFORK, it has not executed a program since its fork
    SU = 0x02  # ASU, it used privileges of the superuser
    COMPAT = 0x04  # ACOMPAT
    CORE = 0x08  # ACORE, it dumped core
    XSIG = 0x10  # AXSIG, a signal ended it
    GROUP = 0x20  # AGROUP, it was the last of its thread group


class Timespec(Struct):
    """struct __kernel_timespec: seconds and nanoseconds since 1970."""

    sec: Int = s64()
    nsec: Int = s64()


class Stats(Struct, aligned=True):
    """struct taskstats: the statistics of a task, or the sum of those of a process.

    The fields from `thrashing_count` on came with versions 9 to 17: those that an older kernel does not have are None,
    and those of later versions are left out. Version 15, which has another order of fields, reads as version 16.
    Delays are nanoseconds. `*_count`, `*_delay_total`: how often and how long the task waited. `*_delay_max`,
    `*_delay_min`: the longest and the shortest wait; `*_delay_max_ts`: when the longest one ended. They are 0, but for
    those of `cpu`, in tasks that began while the sysctl kernel.task_delayacct was 0.
    The kernel rounds numbers of I/O (from `read_char` to `cancelled_write_bytes`) down to multiples of 1024, and so it
    does with those of system calls.
    The sum of a process has no identity, memory and I/O: version, delays, CPU times and switches alone.
    """

    version: Int = u16()  # of the struct
    exit_code: Int = u32()  # ac_exitcode, as of wait(2)
    flags: Member[Flags] = u8(enum=Flags)  # ac_flag
    nice: Int = s8()  # ac_nice
    cpu_count: Int = u64()  # runs on a CPU; the delay is that of waiting for one
    cpu_delay_total: Int = u64()
    blkio_count: Int = u64()  # synchronous block I/O
    blkio_delay_total: Int = u64()
    swapin_count: Int = u64()  # pages from swap
    swapin_delay_total: Int = u64()
    cpu_run_real_total: Int = u64()  # nanoseconds on a CPU, without those that a hypervisor took
    cpu_run_virtual_total: Int = u64()  # nanoseconds on a CPU, as the scheduler sees them
    ac_comm: Bytes = binary(size=32)  # with NULs; see `comm`
    sched: Int = u8()  # ac_sched, SCHED_* of linux/sched.h
    _pad = pad(7)
    uid: Int = u32()  # ac_uid
    gid: Int = u32()  # ac_gid
    pid: Int = u32()  # ac_pid
    ppid: Int = u32()  # ac_ppid
    btime: Int = u32()  # ac_btime, seconds since 1970
    etime: Int = u64()  # ac_etime, microseconds since the task began
    utime: Int = u64()  # ac_utime, microseconds of user time
    stime: Int = u64()  # ac_stime, microseconds of system time
    minflt: Int = u64()  # ac_minflt, page faults without I/O
    majflt: Int = u64()  # ac_majflt, page faults with I/O
    coremem: Int = u64()  # resident memory times time, in MB * microseconds
    virtmem: Int = u64()  # virtual memory times time, in MB * microseconds
    hiwater_rss: Int = u64()  # most resident memory, in KiB
    hiwater_vm: Int = u64()  # most virtual memory, in KiB
    read_char: Int = u64()  # bytes by system calls such as read
    write_char: Int = u64()  # bytes by system calls such as write
    read_syscalls: Int = u64()
    write_syscalls: Int = u64()
    read_bytes: Int = u64()  # bytes from storage
    write_bytes: Int = u64()  # bytes for storage
    cancelled_write_bytes: Int = u64()  # of them, those that were truncated before they were written
    nvcsw: Int = u64()  # voluntary context switches
    nivcsw: Int = u64()  # involuntary context switches
    utimescaled: Int = u64()  # ac_utimescaled, by the CPU's frequency
    stimescaled: Int = u64()  # ac_stimescaled
    cpu_scaled_run_real_total: Int = u64()
    freepages_count: Int = u64()  # reclaim of memory
    freepages_delay_total: Int = u64()
    thrashing_count: Int = u64()  # pages that were evicted and came again; version 9
    thrashing_delay_total: Int = u64()
    btime64: Int = u64()  # ac_btime64, seconds since 1970; version 10
    compact_count: Int = u64()  # compaction of memory; version 11
    compact_delay_total: Int = u64()
    tgid: Int = u32()  # ac_tgid, the process; version 12
    tgetime: Int = u64()  # ac_tgetime, microseconds since the process began
    exe_dev: Int = u64()  # ac_exe_dev, device of the program's file
    exe_inode: Int = u64()  # ac_exe_inode
    wpcopy_count: Int = u64()  # copies on write; version 13
    wpcopy_delay_total: Int = u64()
    irq_count: Int = u64()  # interrupts; version 14
    irq_delay_total: Int = u64()
    cpu_delay_max: Int = u64()  # version 16, with all below
    cpu_delay_min: Int = u64()
    blkio_delay_max: Int = u64()
    blkio_delay_min: Int = u64()
    swapin_delay_max: Int = u64()
    swapin_delay_min: Int = u64()
    freepages_delay_max: Int = u64()
    freepages_delay_min: Int = u64()
    thrashing_delay_max: Int = u64()
    thrashing_delay_min: Int = u64()
    compact_delay_max: Int = u64()
    compact_delay_min: Int = u64()
    wpcopy_delay_max: Int = u64()
    wpcopy_delay_min: Int = u64()
    irq_delay_max: Int = u64()
    irq_delay_min: Int = u64()
    cpu_delay_max_ts: Field[Timespec | None] = struct(None, Timespec)  # version 17, with all below
    blkio_delay_max_ts: Field[Timespec | None] = struct(None, Timespec)
    swapin_delay_max_ts: Field[Timespec | None] = struct(None, Timespec)
    freepages_delay_max_ts: Field[Timespec | None] = struct(None, Timespec)
    thrashing_delay_max_ts: Field[Timespec | None] = struct(None, Timespec)
    compact_delay_max_ts: Field[Timespec | None] = struct(None, Timespec)
    wpcopy_delay_max_ts: Field[Timespec | None] = struct(None, Timespec)
    irq_delay_max_ts: Field[Timespec | None] = struct(None, Timespec)

    @property
    def comm(self) -> str | None:
        """The name of the task, as in /proc/PID/comm; other bytes than UTF-8 as lone surrogates."""
        return None if self.ac_comm is None else self.ac_comm.partition(b"\0")[0].decode(errors="surrogateescape")


# The ends of `*_delay_total` in version 14. Version 15 has `*_delay_max` and `*_delay_min` behind each of them, and
# version 16 has all of those at the end.
_ENDS = [field.at + field.width for name, field in Stats.__fields__.items() if name.endswith("_delay_total")]
_EXTREMES = 16  # bytes
_ODD = (15).to_bytes(2, sys.byteorder)


def in_order(stats: bytes) -> bytes:
    """A struct taskstats of any version with its fields in the order of `Stats`."""
    if stats[:2] != _ODD:
        return stats
    kept: list[bytes] = []
    extremes: list[bytes] = []
    start = 0
    for i, end in enumerate(_ENDS):
        at = end + i * _EXTREMES
        kept.append(stats[start:at])
        start = at + _EXTREMES
        extremes.append(stats[at:start])
    return b"".join((*kept, *extremes))


class Request(AttributeSet):
    """A request for the statistics of a task or of a process (TASKSTATS_CMD_ATTR_*)."""

    pid: Int = u32(1)  # TASKSTATS_CMD_ATTR_PID, a task
    tgid: Int = u32(2)  # TASKSTATS_CMD_ATTR_TGID, a process


class Registration(AttributeSet):
    """A request to begin or to end sending the statistics of tasks that end on some CPUs (TASKSTATS_CMD_ATTR_*)."""

    begin: Str = string(3)  # TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, a list such as "0-3,8"
    end: Str = string(4)  # TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK


class Answer(AttributeSet, ignore=(6,)):  # TASKSTATS_TYPE_NULL
    """The message of the kernel with struct taskstats as bytes, in the order of its version (TASKSTATS_TYPE_*)."""

    pid: Int = u32((4, 1))  # TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_PID
    task: Bytes = binary((4, 3))  # TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_STATS
    tgid: Int = u32((5, 2))  # TASKSTATS_TYPE_AGGR_TGID, TASKSTATS_TYPE_TGID
    process: Bytes = binary((5, 3))  # TASKSTATS_TYPE_AGGR_TGID, TASKSTATS_TYPE_STATS


class TaskStats(AttributeSet, ignore=(6,)):  # TASKSTATS_TYPE_NULL
    """The statistics of a task that has ended (TASKSTATS_TYPE_*).

    pid, task: of the task, which is a process of one thread, or a thread. tgid, process: the sums of a process that had
    several threads, with its last one; else None.
    """

    pid: Int = u32((4, 1))  # TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_PID
    task: Field[Stats | None] = struct((4, 3), Stats)  # TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_STATS
    tgid: Int = u32((5, 2))  # TASKSTATS_TYPE_AGGR_TGID, TASKSTATS_TYPE_TGID
    process: Field[Stats | None] = struct((5, 3), Stats)  # TASKSTATS_TYPE_AGGR_TGID, TASKSTATS_TYPE_STATS
