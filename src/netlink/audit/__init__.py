"""The audit log of the kernel, as it is written: logins, system calls that rules watch, what seccomp refuses.

    from netlink import audit

    with audit.listen() as stream:
        for event in stream:
            for record in event.records:
                print(record.type.name, record.fields)

It reads and changes nothing: the audit daemon, its rules and its log stay as they are. The kernel sends its records to
the machine's first network namespace alone, and reading them needs CAP_AUDIT_READ in the first user namespace.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Never, overload

from netlink import Header, Message
from netlink import dial as _dial_plain
from netlink import family as _family
from netlink.audit.events import EventSource
from netlink.audit.records import (
    AuditStatus,
    Command,
    Event,
    Failure,
    Features,
    Record,
    RecordType,
    Status,
    StatusMask,
)
from netlink.config import Config
from netlink.consts import AuditGroup, Family, HeaderType
from netlink.errors import OpError, Overrun
from netlink.family import C, Deferred, Do
from netlink.stream import SocketSource, Stamped, Stream, open_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from typing import ClassVar, Literal, Unpack

    from netlink.aio import AsyncConn
    from netlink.config import ConfigOptions
    from netlink.conn import Conn as NetlinkConn

__all__ = [
    "AuditStatus",
    "Command",
    "Conn",
    "Event",
    "Failure",
    "Features",
    "Record",
    "RecordType",
    "Status",
    "StatusMask",
    "dial",
    "dial_async",
    "listen",
    "parse",
]

# Seconds: 30 years, which any clock can add.
_HOLD_MAX = 1e9
_FORM = Stamped(Record, type="type", time="time", serial="serial", text="text")


class Conn(_family.Family[C], protocol=Family.AUDIT):
    """Requests to the audit system over a `netlink.Conn` or a `netlink.aio.AsyncConn`, with their rules for threads,
    tasks, closing and errors. It only reads.
    """

    hints: ClassVar[Mapping[int, str]] = {
        errno.EPERM: "it needs CAP_AUDIT_CONTROL, and the machine's first PID namespace",
        errno.ECONNREFUSED: "the kernel answers in the machine's first user namespace alone",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    status = Do(
        Command.GET,
        None,
        Status,
        doc="The state of the audit system. PermissionError without CAP_AUDIT_CONTROL, ConnectionRefusedError in"
        " another user namespace than the machine's first one.",
    )


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to the audit system. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to the audit system for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)


def parse(datagram: bytes) -> Record:
    """The record in a datagram of the kernel, such as a recorded one, with its header.

    ValueError if the header is cut, or if the text has more than 65,491 bytes.
    """
    attributes = _FORM.attributes(datagram)
    if attributes is None:
        raise ValueError(f"a datagram has at least 16 bytes, not {len(datagram)}")
    return Record.decode(attributes)


@overload
def listen(
    *,
    reassemble: Literal[True] = ...,
    hold: float = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Event, Never]: ...
@overload
def listen(
    *,
    reassemble: Literal[True] = ...,
    hold: float = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Event, Overrun]: ...
@overload
def listen(
    *,
    reassemble: Literal[False],
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Record, Never]: ...
@overload
def listen(
    *,
    reassemble: Literal[False],
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Record, Overrun]: ...
def listen(
    *,
    reassemble: bool = True,
    hold: float = 2.0,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Any, Any]:
    """Open a stream of the audit log: a `netlink.stream.Stream` of `Event`, or of `Record`.

    It is written to the log that somebody listens, and that he has ended: EVENT_LISTENER, if auditing is on.

    reassemble: events, each with its records. False: the records, as they come.
    hold: seconds after the last record of an event whose end does not come. The kernel ends those of system calls that
        it audits, and does not end lone records, such as SECCOMP while auditing is off: these come so much later. If
        more than 4,096 records wait, the events that have waited longest come at once. Later records of an event that
        came are another event.
    read_buffer: bytes to queue. The kernel doubles the value, and charges at least 768 bytes for a record.
        NetlinkWarning if the kernel permits less. None: 16,777,216, or as much of it as the kernel permits.
    on_overrun: the policy for losses: records that were dropped because the read buffer was full. `Stream.lost` counts
        them under every policy. What the kernel loses before is in `Status.lost`.
        "raise": Overrun is raised after what came before the loss; the next read continues.
        "mark": the Overrun is an item of the iteration.
    netns: the network namespace, as in `netlink.Config`. It must be the machine's first one.

    PermissionError, which is an OpError, without CAP_AUDIT_READ in the machine's first user namespace.
    ConnectionRefusedError, which is one, too, in another network namespace, where the kernel would send nothing and say
    nothing.
    """
    if on_overrun not in ("raise", "mark"):
        raise ValueError(f"on_overrun must be 'raise' or 'mark', not {on_overrun!r}")
    if isinstance(hold, bool) or not isinstance(hold, (int, float)) or not hold >= 0:
        raise ValueError(f"hold must be at least 0 seconds, not {hold!r}")
    config = Config(netns=netns)
    _check_namespace(config)
    try:
        source: SocketSource[Any] = open_source(
            Family.AUDIT, _FORM, groups=[AuditGroup.READLOG], config=config, read_buffer=read_buffer
        )
    except OpError as error:
        if error.errno == errno.EPERM:
            error.hint = "it needs CAP_AUDIT_READ in the machine's first user namespace"
        raise
    return Stream(EventSource(source, min(hold, _HOLD_MAX)) if reassemble else source, on_overrun=on_overrun)


def _check_namespace(config: Config) -> None:
    """OpError in another network namespace than the machine's first one.

    The connector has its socket in the kernel there alone, and ignores a message that has nothing in it.
    """
    try:
        with _dial_plain(Family.CONNECTOR, config) as conn:
            conn.send(Message(Header(type=HeaderType.DONE)))
    except OpError as error:
        if error.errno == errno.ECONNREFUSED:
            error.hint = "the kernel sends the audit log to the machine's first network namespace alone: use netns="
            raise
        if error.errno != errno.EPROTONOSUPPORT:  # without a connector nobody can tell
            raise
