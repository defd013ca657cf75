"""Processes that begin, execute, change and end, and other messages of the kernel's connector.

    from netlink import connector
    from netlink.connector import ProcEvents

    with connector.processes(ProcEvents.EXEC | ProcEvents.EXIT) as stream:
        for event in stream:
            print(event.what.name, event.tgid, event.exit_status)

The kernel reports processes to the machine's first user, PID and network namespaces alone. Linux before 6.6 also asks
for CAP_NET_ADMIN.
"""

from __future__ import annotations

import errno
import os
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any, Never, TypeVar, overload

from netlink import Header, Message
from netlink._io.namespaces import another_than_first
from netlink.config import Config
from netlink.consts import Family, HeaderType
from netlink.errors import OpError, Overrun
from netlink.match import Condition, Match
from netlink.schema import AttributeSet, Bytes, Int, Member, Record, Str, Struct, binary, rest, string, u16, u32, u64
from netlink.stream import Layouts, Payloads, SocketSource, Stream, open_source

if TYPE_CHECKING:
    from os import PathLike
    from typing import Literal

__all__ = ["CnMsg", "Operation", "Packet", "ProcEvent", "ProcEvents", "ProcInput", "listen", "processes", "request"]

_R = TypeVar("_R", bound=Record)


class CnMsg(Struct):
    """struct cn_msg of linux/connector.h, before every message.

    idx, val: whose message it is. idx is the multicast group, too. seq, ack: of the sender. len: bytes that follow.
    """

    idx: Int = u32()
    val: Int = u32()
    seq: Int = u32()
    ack: Int = u32()
    len: Int = u16()
    flags: Int = u16()


class Packet(AttributeSet, header=CnMsg):
    """A message of the connector, with any content."""

    header: CnMsg | None = None
    idx: Int = CnMsg.idx
    val: Int = CnMsg.val
    seq: Int = CnMsg.seq
    ack: Int = CnMsg.ack
    len: Int = CnMsg.len
    flags: Int = CnMsg.flags
    data: Bytes = rest()


class Operation(IntEnum):
    """Requests of the process connector: enum proc_cn_mcast_op of linux/cn_proc.h."""

    LISTEN = 1  # PROC_CN_MCAST_LISTEN
    IGNORE = 2  # PROC_CN_MCAST_IGNORE


class ProcEvents(IntFlag):
    """Events of processes: enum proc_cn_event of linux/cn_proc.h."""

    NONE = 0  # PROC_EVENT_NONE
    FORK = 0x00000001  # PROC_EVENT_FORK
    EXEC = 0x00000002  # PROC_EVENT_EXEC
    UID = 0x00000004  # PROC_EVENT_UID
    GID = 0x00000040  # PROC_EVENT_GID
    SID = 0x00000080  # PROC_EVENT_SID
    PTRACE = 0x00000100  # PROC_EVENT_PTRACE
    COMM = 0x00000200  # PROC_EVENT_COMM
    NONZERO_EXIT = 0x20000000  # PROC_EVENT_NONZERO_EXIT, of EXIT only those with a wait status other than 0
    COREDUMP = 0x40000000  # PROC_EVENT_COREDUMP
    EXIT = 0x80000000  # PROC_EVENT_EXIT
    ALL = FORK | EXEC | UID | GID | SID | PTRACE | COMM | NONZERO_EXIT | COREDUMP | EXIT  # PROC_EVENT_ALL


class ProcInput(Struct):
    """struct proc_input of linux/cn_proc.h: what to report. Linux before 6.6 knows its first member alone."""

    mcast_op: Member[Operation] = u32(enum=Operation)
    event_type: Member[ProcEvents] = u32(enum=ProcEvents)


class ProcEvent(AttributeSet):
    """What a process did. All numbers are those of the machine's first namespaces.

    what: one bit of `ProcEvents`. cpu: on which it was reported. timestamp: nanoseconds as of `time.monotonic_ns`; it
    orders the events of several CPUs.
    tgid: the number of the process, which other tools call PID. pid: that of its thread. All events but FORK have them.
    parent_pid, parent_tgid: of FORK, EXIT and COREDUMP. child_pid, child_tgid: of FORK.
    exit_code: of EXIT, the status as of wait(2). exit_signal: of EXIT, the signal to the parent.
    uid, euid: of UID. gid, egid: of GID. comm: of COMM, the new name, of at most 15 bytes.
    tracer_pid, tracer_tgid: of PTRACE; 0 when tracing ends.
    data: of events that are not known here, the bytes behind the timestamp.
    A field that the event does not have is None.
    """

    what: Member[ProcEvents] = u32(1, enum=ProcEvents)
    cpu: Int = u32(2)
    timestamp: Int = u64(3)
    pid: Int = u32(4)
    tgid: Int = u32(5)
    parent_pid: Int = u32(6)
    parent_tgid: Int = u32(7)
    child_pid: Int = u32(8)
    child_tgid: Int = u32(9)
    exit_code: Int = u32(10)
    exit_signal: Int = u32(11)
    uid: Int = u32(12)
    euid: Int = u32(13)
    gid: Int = u32(14)
    egid: Int = u32(15)
    tracer_pid: Int = u32(16)
    tracer_tgid: Int = u32(17)
    comm: Str = string(18)
    data: Bytes = binary(19)

    @property
    def exit_status(self) -> int | None:
        """Of EXIT: the status that the process ended with, or the negative number of the signal that ended it."""
        return None if self.exit_code is None else os.waitstatus_to_exitcode(self.exit_code & 0xFFFF)

    @property
    def is_thread(self) -> bool | None:
        """Of FORK: whether a thread began, and no process. Of EXIT: whether it is not the first thread of a process."""
        pid, tgid = (self.pid, self.tgid) if self.what == ProcEvents.EXIT else (self.child_pid, self.child_tgid)
        return None if pid is None or tgid is None else pid != tgid


_ID = CnMsg(idx=1, val=1)  # CN_IDX_PROC, CN_VAL_PROC
_ID_SIZE = 8
# Offsets in a datagram: nlmsghdr, struct cn_msg, struct proc_event.
_CN = 16
_SEQ = _CN + 8
_EVENT = _CN + 20
_CPU = _EVENT + 4
_OF = _EVENT + 16
_PROCESS = {"pid": _OF, "tgid": _OF + 4}
_PARENT = {"parent_pid": _OF + 8, "parent_tgid": _OF + 12}
_CASES: dict[int, dict[str, int | tuple[int, int]] | None] = {
    ProcEvents.NONE: None,  # answers of the kernel to all requests, also those of other processes
    ProcEvents.FORK: {"parent_pid": _OF, "parent_tgid": _OF + 4, "child_pid": _OF + 8, "child_tgid": _OF + 12},
    ProcEvents.EXEC: {**_PROCESS},
    ProcEvents.UID: {**_PROCESS, "uid": _OF + 8, "euid": _OF + 12},
    ProcEvents.GID: {**_PROCESS, "gid": _OF + 8, "egid": _OF + 12},
    ProcEvents.SID: {**_PROCESS},
    ProcEvents.PTRACE: {**_PROCESS, "tracer_pid": _OF + 8, "tracer_tgid": _OF + 12},
    ProcEvents.COMM: {**_PROCESS, "comm": (_OF + 8, 16)},
    ProcEvents.COREDUMP: {**_PROCESS, **_PARENT},
    ProcEvents.EXIT: {
        **_PROCESS,
        "exit_code": _OF + 8,
        "exit_signal": _OF + 12,
        "parent_pid": _OF + 16,
        "parent_tgid": _OF + 20,
    },
}


def _form(numbered: bool) -> Layouts[ProcEvent]:
    return Layouts(
        ProcEvent,
        {"what": _EVENT, "cpu": _CPU, "timestamp": _EVENT + 8},
        on=_EVENT,
        cases=_CASES,
        otherwise={"data": _OF},
        begin=(_CN, _ID.encode()[:_ID_SIZE]),
        counter=(_SEQ, _CPU) if numbered else None,
    )


def request(idx: int, val: int, data: bytes = b"", *, seq: int = 0, ack: int = 0, flags: int = 0) -> Message:
    """A message to the user of the connector with this number, for `netlink.Conn.send` of Family.CONNECTOR.

    The connector does not acknowledge messages. EncodeError for a number that does not fit.
    """
    payload = Packet(idx=idx, val=val, seq=seq, ack=ack, len=len(data), flags=flags, data=data).encode()
    return Message(Header(type=HeaderType.DONE, sequence=seq), payload)


@overload
def listen(
    idx: int,
    val: int | None = ...,
    declaration: type[Packet] = ...,
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Packet, Never]: ...
@overload
def listen(
    idx: int,
    val: int | None = ...,
    declaration: type[Packet] = ...,
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Packet, Overrun]: ...
@overload
def listen(
    idx: int,
    val: int | None,
    declaration: type[_R],
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[_R, Never]: ...
@overload
def listen(
    idx: int,
    val: int | None,
    declaration: type[_R],
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[_R, Overrun]: ...
def listen(
    idx: int,
    val: int | None = None,
    declaration: Any = Packet,
    *,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Any, Any]:
    """Open a stream of the messages of a user of the connector, such as a driver, by its number.

    idx: the number, which is the multicast group. val: its second number; None for any.
    declaration: of the bytes from struct cn_msg on, an `AttributeSet` with a header that begins as `CnMsg`.
    read_buffer, on_overrun, netns: as of `processes`.

    PermissionError, which is an OpError, without CAP_NET_ADMIN over the network namespace; newer kernels want it in the
    machine's first user namespace. Of processes with that capability messages are read, too. ValueError for a number
    that is no group.
    """
    begin = CnMsg(idx=idx, val=val).encode()[: _ID_SIZE if val is not None else _ID_SIZE // 2]
    if not idx:
        raise ValueError("idx must be the number of a multicast group, which is not 0")
    return _opened(Payloads(declaration, begin=(_CN, begin)), idx, read_buffer, on_overrun, netns, None)


@overload
def processes(
    events: ProcEvents = ...,
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[ProcEvent, Never]: ...
@overload
def processes(
    events: ProcEvents = ...,
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[ProcEvent, Overrun]: ...
def processes(
    events: ProcEvents = ProcEvents.ALL,
    *,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[ProcEvent, Any]:
    """Open a stream of what processes do: a `netlink.stream.Stream` of `ProcEvent`.

    events: which ones. The kernel filters from Linux 6.6 on, and they are filtered here on every kernel.
    read_buffer: bytes to queue. The kernel doubles the value, and charges 768 bytes for an event. NetlinkWarning if the
        kernel permits less. None: 16,777,216, or as much of it as the kernel permits.
    on_overrun: the policy for losses: events that were dropped because the read buffer was full or the kernel had no
        memory for them, by the kernel's counters and, for all events, by the numbers of each CPU. `Stream.lost` counts
        them under every policy.
        "raise": Overrun is raised after the events before the loss; the next read continues.
        "mark": the Overrun is an item of the iteration, between events or batches.
    netns: the network namespace, as in `netlink.Config`. It must be the machine's first one.

    The kernel ignores requests from other namespaces than the machine's first ones, and says nothing. This function
    waits for no event: the kernel has answered when the request is sent. Without its answer, OpError says why: EPERM
    for another user or PID namespace or a missing CAP_NET_ADMIN, ECONNREFUSED for another network namespace, and
    EOPNOTSUPP for a kernel without CONFIG_PROC_EVENTS. ValueError for no events, and for bits that are no event.
    """
    if isinstance(events, bool) or not isinstance(events, int):
        raise TypeError(f"events must be ProcEvents, not {events!r}")
    if not events or events & ~ProcEvents.ALL:
        raise ValueError(f"events must be bits of ProcEvents.ALL, at least one, not {events:#x}")
    return _opened(_form(events == ProcEvents.ALL), 1, read_buffer, on_overrun, netns, ProcEvents(events))


def _opened(form: Any, group: int, read_buffer: Any, on_overrun: Any, netns: Any, events: Any) -> Stream[Any, Any]:
    if on_overrun not in ("raise", "mark"):
        raise ValueError(f"on_overrun must be 'raise' or 'mark', not {on_overrun!r}")
    try:
        opened = open_source(
            Family.CONNECTOR,
            form,
            groups=[group],
            config=Config(netns=netns),
            read_buffer=read_buffer,
            matches=() if events is None or events == ProcEvents.ALL else (_match(events),),
        )
    except OpError as refused:
        # Some kernels want the capability where the network namespace belongs, newer ones in the first user namespace.
        if refused.errno == errno.EPERM and refused.op == "join-group":
            refused.hint = _NEEDS_HERE if events is None else _NEEDS
        raise
    if events is None:
        return Stream(opened, on_overrun=on_overrun)
    source = _Source(opened)
    try:
        source.begin(events)
    except BaseException:
        source.close()
        raise
    return Stream(source, on_overrun=on_overrun)


def _match(events: ProcEvents) -> Match[ProcEvent]:
    """The events, as the kernel selects them."""
    chosen = {int(one) for one in ProcEvents if one & events & ~ProcEvents.NONZERO_EXIT}
    clauses: list[list[Condition]] = []
    if events & ProcEvents.NONZERO_EXIT and not events & ProcEvents.EXIT:
        chosen.add(ProcEvents.EXIT)
        clauses = [[Condition((("exit_code",),), ((0, 0),))]]  # those that are left out
    return Match(ProcEvent, [[Condition((("what",),), tuple((one, one) for one in sorted(chosen)))], *clauses])


class _Answer(Struct):
    """struct proc_event of linux/cn_proc.h, of the kernel's answer to a request."""

    what: Int = u32()
    cpu: Int = u32()
    timestamp: Int = u64()
    err: Int = u32()


class _Source(SocketSource[ProcEvent]):
    """The source of `processes`, which begins and ends the sending."""

    def __init__(self, source: SocketSource[ProcEvent]) -> None:
        super().__init__(source.sock, source.reader, source.declarations, source.groups)
        self._process = os.getpid()
        self._listens = False

    def _ask(self, operation: Operation, events: ProcEvents | None) -> None:
        body = ProcInput(mcast_op=operation, event_type=events or 0).encode()
        if events is None:
            body = body[: len(body) // 2]
        port = self.sock.pid
        message = request(_ID.idx or 0, _ID.val or 0, body, ack=port)
        self.sock.send(message.replace(length=len(message.data) + 16, pid=port))

    def begin(self, events: ProcEvents) -> None:
        """Have the kernel send. OpError if it does not.

        It answers all who listen to all events, before the request returns. Kernels without a filter ignore the longer
        form of the request.
        """
        self._listens = True
        try:
            for wanted in (ProcEvents.ALL, None):
                self._ask(Operation.LISTEN, wanted)
                error = self._answer()
                if error is not None:
                    break
        except OpError as refused:
            if refused.errno == errno.ECONNREFUSED:
                refused.hint = "the kernel reports processes to the machine's first network namespace alone: use netns="
            raise
        if error:
            raise OpError("listen", error, hint=_NEEDS)
        if error is None:
            raise _silence()
        if wanted is not None and events != ProcEvents.ALL:
            self._ask(Operation.LISTEN, events)

    def _answer(self) -> int | None:
        """The error of the kernel's answer, 0 for none; None if it does not answer."""
        while True:
            messages = self.sock.receive_nowait()
            if messages is None:
                return None
            for message in messages:
                packet = Packet.decode(message.data)
                answer = _Answer.decode(packet.data or b"")
                if packet.ack == self.sock.pid + 1 and answer.what == ProcEvents.NONE:
                    return answer.err

    def close(self) -> object:
        # The kernel counts those who listen, and goes on for ever if one does not tell that it ends. A forked child
        # shares the socket, and leaves it to the parent.
        try:
            if self._listens and not self.sock.closed and self._process == os.getpid():
                self._ask(Operation.IGNORE, None)
        except OpError as error:
            if error.errno not in (errno.EBADF, errno.ECONNREFUSED):  # closed meanwhile; another network namespace
                raise
        finally:
            closed = super().close()
        return closed


_NEEDS = "it needs CAP_NET_ADMIN in the machine's first user namespace"
_NEEDS_HERE = (
    "it needs CAP_NET_ADMIN in the user namespace that owns the network namespace, "
    "and with some kernels in the machine's first user namespace"
)


def _silence() -> OpError:
    """Why the kernel does not answer."""
    kind = another_than_first()
    if kind is not None:
        hint = f"the kernel reports processes to the machine's first {kind} namespace alone"
        return OpError("listen", errno.EPERM, hint=hint)
    if os.geteuid():
        return OpError("listen", errno.EPERM, hint=_NEEDS)
    return OpError("listen", errno.EOPNOTSUPP, hint="the kernel does not report processes: it needs CONFIG_PROC_EVENTS")
