"""Requests of taskstats, and the stream of tasks that end."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never, overload

from netlink import family
from netlink.config import Config
from netlink.errors import OpError
from netlink.family import C, Deferred, Do, Steps, verb
from netlink.generic._sysctl import is_first_netns, warn_without_delays
from netlink.generic.genetlink import Family, lookup
from netlink.generic.taskstats.records import Answer, Command, Registration, Request, Stats, TaskStats, in_order
from netlink.stream import Kind, SocketSource, Stream, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike
    from typing import Literal, Unpack

    from netlink.aio import AsyncConn
    from netlink.config import ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.errors import Overrun
    from netlink.schema import Batch

__all__ = ["Conn", "dial", "dial_async", "listen"]


class Conn(Family[C], name="TASKSTATS", needs="CONFIG_TASKSTATS"):
    """Requests for the statistics of tasks that run."""

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the machine's first user namespace",
        errno.ESRCH: "there is no such task in the PID namespace of this process",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    get_answer = Do(
        Command.GET,
        Request,
        Answer,
        answer=Command.NEW,
        doc="Statistics as bytes: the operation of `get` and `get_many`.",
    )
    register = Do(
        Command.GET,
        Registration,
        hints={
            errno.EINVAL: "tasks that end are reported to processes of the machine's first user and PID namespaces, "
            "for a list of CPUs such as 0-3,8",
            errno.ERANGE: "the machine does not have all of these CPUs",
            errno.EOVERFLOW: "the machine does not have all of these CPUs",
        },
        doc="Begin or end sending the statistics of tasks that end to this socket: the operation of `listen`.",
    )

    @verb
    def get(self: Conn[Deferred], *, pid: int | None = None, tgid: int | None = None) -> Steps[Stats]:
        """The statistics of a task, or the sums of a process.

        pid: the number of a task, a process of one thread or a thread. tgid: the number of a process, for the sums of
        its threads, also of those that have ended. ProcessLookupError, which is an OpError, if there is none.
        ValueError unless it is one of both.
        """
        if (pid is None) == (tgid is None):
            raise ValueError("want either pid= or tgid=")
        answer: Answer = yield self.get_answer(pid=pid, tgid=tgid)
        return Stats.decode(in_order((answer.task if tgid is None else answer.process) or b""))

    @verb
    def get_many(self: Conn[Deferred], pids: Iterable[int]) -> Steps[Batch[Stats]]:
        """The statistics of many tasks, by their numbers, without those of tasks that have ended."""
        answers: list[Answer | OpError] = yield [self.get_answer(pid=pid) for pid in pids]
        found: list[bytes] = []
        for answer in answers:
            if not isinstance(answer, OpError):
                found.append(in_order(answer.task or b""))
            elif answer.errno != errno.ESRCH:
                raise answer
        return Stats.decode_many(found)


def dial(config: Config | None = None, *, delays: bool = True, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to taskstats. options: those of `netlink.Config`. Errors are those of `netlink.dial`.

    delays: whether you need them: NetlinkWarning if the sysctl kernel.task_delayacct disables them.
    """
    if delays:
        warn_without_delays()
    return family.dial(Conn, config, **options)


def dial_async(
    config: Config | None = None, *, delays: bool = True, **options: Unpack[ConfigOptions]
) -> Conn[AsyncConn]:
    """Open a connection to taskstats for asyncio, as `dial`. A plain function, not a coroutine."""
    if delays:
        warn_without_delays()
    return family.dial_async(Conn, config, **options)


@overload
def listen(
    cpus: str | Iterable[int] | None = ...,
    *,
    delays: bool = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[TaskStats, Never]: ...
@overload
def listen(
    cpus: str | Iterable[int] | None = ...,
    *,
    delays: bool = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[TaskStats, Overrun]: ...
def listen(
    cpus: str | Iterable[int] | None = None,
    *,
    delays: bool = True,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[TaskStats, Any]:
    """Open a stream of the statistics of tasks that end: a `netlink.stream.Stream` of `TaskStats`.

    cpus: the CPUs that they end on, as numbers or as a list such as "0-3,8". None: all of the machine.
    delays: whether you need them: NetlinkWarning if the sysctl kernel.task_delayacct disables them.
    read_buffer: bytes to queue. The kernel doubles the value, and charges about 2 KiB for a task. NetlinkWarning if the
        kernel permits less. None: 16,777,216, or as much of it as the kernel permits.
    on_overrun: the policy for losses: tasks that the kernel dropped because the read buffer was full. `Stream.lost`
        counts them under every policy.
        "raise": Overrun is raised after the tasks before the loss; the next read continues.
        "mark": the Overrun is an item of the iteration, between tasks or batches.
    netns: the network namespace, as in `netlink.Config`. It must be the machine's first one: the kernel sends to no
        other.

    OpError: PermissionError without CAP_NET_ADMIN; EINVAL in another network, user or PID namespace than the machine's
    first ones; EINVAL or ERANGE for CPUs that it does not have; ENOBUFS if tasks filled the read buffer before the
    kernel's answer. ValueError for no CPUs.
    """
    if on_overrun not in ("raise", "mark"):
        raise ValueError(f"on_overrun must be 'raise' or 'mark', not {on_overrun!r}")
    if cpus is None:
        cpus = Path("/sys/devices/system/cpu/possible").read_text(encoding="ascii").strip()
    elif not isinstance(cpus, str):
        cpus = ",".join(map(str, cpus))
    if not cpus.strip():
        raise ValueError("cpus must be at least one CPU")
    if delays:
        warn_without_delays()
    config = Config(netns=netns)
    with family.dial(Conn, config) as conn:
        number = conn.conn.execute(lookup(Conn.name, Conn.needs)).id or 0
        version = conn.get(pid=os.getpid()).version
    if not is_first_netns(netns):
        hint = "the kernel sends statistics of tasks to the machine's first network namespace alone: use netns="
        raise OpError("listen", errno.EINVAL, hint=hint)
    kind = Kind(number, TaskStats if version != _ODD_VERSION else Answer, command=Command.NEW)
    source = open_source(
        Conn.protocol,
        (kind,),
        config=config,
        read_buffer=read_buffer,
        start=_requests.register(begin=cpus).with_type(number),
        stop=_requests.register(end=cpus).with_type(number),
    )
    return Stream(_Source(source), on_overrun=on_overrun)


_requests = Conn(Deferred())
_ODD_VERSION = 15  # its struct taskstats has another order of fields


class _Source(SocketSource[Any]):
    """The source of `listen`: records of `TaskStats`, from messages of any version."""

    def __init__(self, source: SocketSource[Any]) -> None:
        super().__init__(source.sock, source.reader, (TaskStats,), stop=source.stop_request)
        self._received = source.declarations[0]
        self._process = os.getpid()

    def read(self, rows: int, wait: bool, into: list[Any]) -> None:
        start = len(into)
        super().read(rows, wait, into)
        if self._received is Answer:
            into[start:] = [TaskStats.decode_many(map(_payload, batch)) for batch in into[start:]]

    def close(self) -> object:
        # The kernel sends to the number of the socket, which the next socket of this process may get. A forked child
        # shares the socket, and leaves it to the parent.
        try:
            if self.stop_request is not None and not self.sock.closed and self._process == os.getpid():
                self.sock.send(self.stop_request)
        except OpError as error:
            if error.errno != errno.EBADF:  # closed meanwhile
                raise
        finally:
            closed = super().close()
        return closed


def _payload(answer: Answer) -> bytes:
    """A message of the kernel with the fields of struct taskstats in the order of `Stats`."""
    return answer.replace(
        task=None if answer.task is None else in_order(answer.task),
        process=None if answer.process is None else in_order(answer.process),
    ).encode()
