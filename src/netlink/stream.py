"""Multicast messages of the kernel as an iterator: `open` returns a `Stream`.

    kinds = {RTM_NEWNEIGH: (Neighbour, Event.NEW), RTM_DELNEIGH: (Neighbour, Event.DEL)}
    with netlink.stream.open(Family.ROUTE, kinds, groups=[RouteGroup.NEIGH]) as stream:
        for neighbour in stream: ...  # or: async for neighbour in stream
        for batch in stream.batches(): ...  # the same in batches, for speed

Every wake-up drains the queue into a batch, in C and without the GIL. A stream has a socket of its own and reads only
messages from the kernel. Every loss is reported. `NLDEBUG` does not print these messages.
"""

from __future__ import annotations

import errno as _errno
import warnings as _warnings
from typing import TYPE_CHECKING, Any, Generic, Never, TypeAlias, TypeVar, overload

from netlink._engine.form import Form, Layouts, Payloads, Stamped, Texts
from netlink._engine.record import Batch, Record
from netlink._io.marks import ResyncBegin, ResyncEnd
from netlink._io.outlet import BatchOutlet, Items, checked_rows
from netlink._io.readiness import run_in
from netlink._io.source import SLOT, Closable, Kind, SocketSource, Source, open_source
from netlink.errors import OpError, Overrun

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from types import TracebackType
    from typing import Literal, Self

    from netlink._engine.match import Match
    from netlink._io.source import Kinds
    from netlink.bpf import Instruction
    from netlink.config import Config

__all__ = [
    "Batches",
    "Closable",
    "Form",
    "Kind",
    "Layouts",
    "Payloads",
    "Resync",
    "ResyncBegin",
    "ResyncEnd",
    "SocketSource",
    "Source",
    "Stamped",
    "Stream",
    "Texts",
    "open",
    "open_source",
]

ROWS = 4096


Resync: TypeAlias = ResyncBegin | ResyncEnd

_T = TypeVar("_T")
_R = TypeVar("_R", bound=Record)
_R_co = TypeVar("_R_co", bound=Record, covariant=True)
_O = TypeVar("_O", bound=Overrun | ResyncBegin | ResyncEnd)  # the marks of a stream, or Never


@overload
def open(  # noqa: A001 - as of os and gzip
    protocol: int,
    kinds: Kinds[_R],
    *,
    groups: Iterable[int] = ...,
    config: Config | None = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    resync: None = ...,
    reliable: bool = ...,
    matches: Iterable[Match[Any]] = ...,
    bpf: Collection[Instruction] | None = ...,
    slot: int = ...,
) -> Stream[_R, Never]: ...
@overload
def open(  # noqa: A001 - as of os and gzip
    protocol: int,
    kinds: Kinds[_R],
    *,
    groups: Iterable[int] = ...,
    config: Config | None = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    resync: None = ...,
    reliable: bool = ...,
    matches: Iterable[Match[Any]] = ...,
    bpf: Collection[Instruction] | None = ...,
    slot: int = ...,
) -> Stream[_R, Overrun]: ...
@overload
def open(  # noqa: A001 - as of os and gzip
    protocol: int,
    kinds: Kinds[_R],
    *,
    groups: Iterable[int] = ...,
    config: Config | None = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["resync"],
    resync: Callable[[], Iterator[Batch[_R]]],
    owns: Collection[Closable] = ...,
    reliable: bool = ...,
    matches: Iterable[Match[Any]] = ...,
    bpf: Collection[Instruction] | None = ...,
    slot: int = ...,
) -> Stream[_R, Resync]: ...
def open(  # noqa: A001 - as of os and gzip
    protocol: int,
    kinds: Kinds[_R],
    *,
    groups: Iterable[int] = (),
    config: Config | None = None,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark", "resync"] = "raise",
    resync: Callable[[], Iterator[Batch[_R]]] | None = None,
    owns: Collection[Closable] = (),
    reliable: bool = False,
    matches: Iterable[Match[Any]] = (),
    bpf: Collection[Instruction] | None = None,
    slot: int = SLOT,
) -> Stream[_R, Any]:
    """Open a stream of the messages that the kernel sends to multicast groups.

    protocol: such as `Family.ROUTE`.
    kinds: the messages to read; all others are skipped. A mapping from message type to declaration, or to declaration
        and event; or `Kind` objects, for which type checkers infer several declarations. Records of several
        declarations stay in order, and each batch has records of one declaration.
    groups: numbers of the groups to join.
    config: as of `netlink.dial`.
    read_buffer: bytes to queue. The kernel doubles the value, and charges more for a message than its length.
        NetlinkWarning if the kernel permits less. None: 16,777,216, or as much of it as the kernel permits.
    on_overrun: the policy for losses: messages that the kernel dropped because the read buffer was full. `Stream.lost`
        counts them under every policy.
        "raise": Overrun is raised after the records before the loss; the next read continues.
        "mark": the Overrun is an item of the iteration, between records or batches.
        "resync": after the records that were queued, a `ResyncBegin`, the batches of resync and a `ResyncEnd` follow,
        and then the later records.
    resync: a function that reads the entire state. Its exceptions are raised, and the next read begins it again.
    owns: objects to close with the stream, such as the connection of resync.
    reliable: the kernel reports a full read buffer to the sender (NETLINK_BROADCAST_ERROR), which may send again. Its
        attempts are not counted as losses.
    matches: select records, for some of the declarations. bpf: a program by which the kernel drops unwanted messages.
        Neither causes a loss.
    slot: the initial limit of a datagram, in bytes. A longer one is lost and counted, and raises the limit.

    OpError as of `netlink.dial`; PermissionError if a group needs a capability. ValueError for invalid arguments.
    """
    policies = ("raise", "mark", "resync")
    if on_overrun not in policies:
        raise ValueError(f"on_overrun must be one of {', '.join(map(repr, policies))}, not {on_overrun!r}")
    if (on_overrun == "resync") != (resync is not None):
        raise ValueError('on_overrun="resync" and resync= need each other')
    if resync is not None and not callable(resync):
        raise TypeError(f"resync takes a function that gives batches, not {resync!r}")
    owns = tuple(owns)
    for one in owns:
        if not callable(getattr(one, "close", None)):
            raise TypeError(f"owns takes objects with a method close, not {one!r}")
    source = open_source(
        protocol,
        kinds,
        groups=groups,
        config=config,
        read_buffer=read_buffer,
        reliable=reliable,
        matches=matches,
        bpf=bpf,
        slot=slot,
    )
    return Stream(source, on_overrun=on_overrun, resync=resync, owns=owns)


class Stream(BatchOutlet[_R, _O]):
    """An iterator and an asynchronous iterator of records. Both end only if the stream ends.

    Threads may share a stream, or the tasks of one event loop. Each record goes to one of them, and a cancelled task
    loses none. `stop` ends the iteration after the queued records. `close` from any thread ends waiting reads at once
    with OpError (errno EBADF), which every later read raises too.
    """

    def __init__(
        self,
        source: Source[_R],
        *,
        on_overrun: str | None = None,
        resync: Callable[[], Iterator[Batch[_R]]] | None = None,
        owns: Collection[Closable] = (),
    ) -> None:
        """For families that need more than multicast groups.

        on_overrun: as of `open`; None to report losses by `lost` alone.
        """
        super().__init__(source, on_overrun, resync)
        self._owns = owns

    def batches(self, max_rows: int = ROWS, *, idle: float | None = None) -> Batches[_R, _O]:
        """The records in batches of at most max_rows: an iterator and an asynchronous iterator.

        A batch has the queued records; it is small at a low rate. idle: seconds without a record after which the
        iteration ends; 0 ends it if nothing is queued.
        """
        return Batches(self, checked_rows(max_rows), idle)

    # State

    @property
    def lost(self) -> int:
        """The number of losses since the stream began, in the unit that the family's `listen` states."""
        return self._source.lost

    def read_buffer(self) -> int:
        """The size of the read buffer in bytes (SO_RCVBUF): twice the size requested, or less if not permitted."""
        return self._source.read_buffer()

    def fileno(self) -> int:
        """The socket's file descriptor, -1 once closed: for select and the like, not for reading."""
        return -1 if self.closed else self._source.fileno()

    @property
    def pid(self) -> int:
        """The socket's port id (sockaddr_nl.nl_pid), to which the kernel sends what is for this stream alone.

        It is 0 for a stream without a socket.
        """
        return self._source.pid

    def resync(self) -> None:
        """Request a resync: the entire state follows the records that are queued now, as after a loss.

        It may be called from any thread or signal handler. ValueError if the stream was opened without a resync.
        """
        self._ask()
        self._wake_all()

    def stop(self) -> None:
        """Leave the multicast groups, and end the stream after the queued records, or after a resync that has begun.

        It may be called from any thread or signal handler. In a forked child it ends the parent's stream too, as both
        share one socket. It has no effect on a closed stream.
        """
        if self.closed:
            return
        try:
            self._source.stop()
        except OpError as error:
            if error.errno != _errno.EBADF:  # closed meanwhile
                raise
        self._wake_all()

    def _wake_all(self) -> None:
        """Wake all waiting threads and tasks."""
        self._source.wake()
        self._readiness.wake_soon()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._locks.is_closed

    def close(self) -> None:
        """Close the stream. Reads that wait in other threads and tasks end with OpError (errno EBADF)."""
        if not self._locks.close():
            return
        run_in(self._readiness.loop, self._release)

    def _release(self) -> None:
        self._readiness.forget()
        self._source.close()
        self._leave_resync()
        for other in self._owns:
            other.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        names = ", ".join(declaration.__name__ for declaration in self._source.declarations)
        return f"<{name} of {names}{' closed' if self.closed else ''}>"

    def __del__(self) -> None:
        locks = getattr(self, "_locks", None)  # None if __init__ failed
        if locks and not locks.is_closed:
            _warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            self._source.close()
            for other in self._owns:
                other.close()


class Batches(Items[Batch[_R] | _O], Generic[_R, _O]):
    """The iterator of `Stream.batches`. A second iteration continues the first."""
