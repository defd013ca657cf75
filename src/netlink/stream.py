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
import time as _time
import warnings as _warnings
from typing import TYPE_CHECKING, Any, Final, Generic, Never, TypeAlias, TypeVar, cast, overload

from netlink._engine.record import Batch, Record
from netlink._io.locks import Lock, Locks
from netlink._io.readiness import Readiness, pause, run_in
from netlink._io.source import SLOT, Closable, Kind, Source, open_source
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
    "Kind",
    "Resync",
    "ResyncBegin",
    "ResyncEnd",
    "Source",
    "Stream",
    "open",
    "open_source",
]

ROWS = 4096


class ResyncBegin:
    """A mark in a stream: the records after it, up to a `ResyncEnd`, are the entire state, read after a loss.

    Another ResyncBegin before the end means that the resync failed and begins again: discard its records so far.
    lost: the number of messages lost since the last mark; 0 if the resync was requested or repeated.
    """

    __slots__ = ("lost",)
    __match_args__ = ("lost",)

    def __init__(self, lost: int = 0) -> None:
        self.lost: Final = lost

    def __eq__(self, other: object) -> bool:
        return self.lost == other.lost if isinstance(other, ResyncBegin) else NotImplemented

    def __hash__(self) -> int:
        return hash((ResyncBegin, self.lost))

    def __repr__(self) -> str:
        return f"ResyncBegin(lost={self.lost})"


class ResyncEnd:
    """A mark in a stream: the state is complete, and events follow."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResyncEnd)

    def __hash__(self) -> int:
        return hash(ResyncEnd)

    def __repr__(self) -> str:
        return "ResyncEnd()"


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


class Stream(Generic[_R, _O]):
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
        self._source = source
        self._owns = owns
        self._losses: _Losses[_R, _O] = _Losses(source, on_overrun, resync)
        self._cursor = _Cursor(source.declarations[0].decode_many(()))
        # A batch of the source that the cursor does not have yet.
        self._next: list[Batch[_R]] = []
        self._locks = Locks()
        self._lock = Lock(self._locks, "receive", receive=True)
        self._readiness = Readiness(source.fileno)

    # Reading

    def read(self, timeout: float | None = None, max_rows: int = ROWS) -> Batch[_R] | _O:
        """Return one batch of at most max_rows queued records, or a mark.

        timeout: seconds to wait; 0 does not wait, None waits for ever. The batch is empty after the timeout, and if the
        stream has ended.
        """
        return self._read(_checked_rows(max_rows), _checked_seconds("timeout", timeout))

    async def aread(self, timeout: float | None = None, max_rows: int = ROWS) -> Batch[_R] | _O:
        """`read` as a coroutine."""
        return await self._aread(_checked_rows(max_rows), _checked_seconds("timeout", timeout))

    def batches(self, max_rows: int = ROWS, *, idle: float | None = None) -> Batches[_R, _O]:
        """The records in batches of at most max_rows: an iterator and an asynchronous iterator.

        A batch has the queued records; it is small at a low rate. idle: seconds without a record after which the
        iteration ends; 0 ends it if nothing is queued.
        """
        return Batches(self, _checked_rows(max_rows), _checked_seconds("idle", idle))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _R | _O:
        with self._lock:
            item = self._next_item(True)
        if item is None:
            raise StopIteration
        return item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _R | _O:
        item = await self._anext_item()
        if item is None:
            raise StopAsyncIteration
        return item

    def _next_item(self, wait: bool) -> _R | _O | None:
        """The next record or mark; None at the end, or if wait is false and nothing is queued."""
        if not self._cursor.left:
            mark = self._advance(ROWS, wait, None)
            if mark is not None:
                return mark
        return self._cursor.record()

    def _read(self, rows: int, timeout: float | None) -> Batch[_R] | _O:
        end = None if timeout is None else _time.monotonic() + timeout
        lock = self._lock if end is None else Lock(self._locks, "receive", receive=True, deadline=end)
        waiting = True
        try:
            with lock:
                waiting = False
                return self._next_batch(rows, timeout != 0, end)
        except OpError as error:
            if not waiting or error.errno != _errno.ETIMEDOUT:
                raise
        return self._cursor.nothing

    def _next_batch(self, rows: int, wait: bool, end: float | None) -> Batch[_R] | _O:
        """The next batch or mark; an empty batch at the end, or after the time end."""
        mark = self._advance(rows, wait, end)
        return self._cursor.batch_of(rows) if mark is None else mark

    def _advance(self, rows: int, wait: bool, end: float | None) -> _O | None:
        """Give the next batch to the cursor if it has no records left, or return a mark that precedes it.

        The cursor stays without records at the end of the stream, and after the time end.
        """
        source, losses, cursor, batches = self._source, self._losses, self._cursor, self._next
        while not cursor.left:
            # The state that `stop` and `resync` change is read after this: see SocketSource.wake.
            source.set_deadline(end if wait else None)
            if losses.due is None:
                losses.look()
            elif not losses.backlog:
                mark = losses.go_on(cursor)
                if mark is not None:
                    return mark
                continue
            # A signal handler may raise between a call and the use of its result, but not between assignments.
            if not batches:
                source.read(rows, wait and losses.due is None, batches)
            if not batches:
                # Woken, or after the deadline: something may be queued all the same.
                wait = wait and (end is None or _time.monotonic() < end)
                continue
            cursor.batch, cursor.position = batches[0], 0
            batches.clear()
            if losses.due is not None:
                losses.backlog = max(0, losses.backlog - cursor.left) if cursor.left else 0
            # All of it may have been lost.
            elif not cursor.left and not losses.look() and (source.ended or not wait):
                break
        return None

    async def _aread(self, rows: int, timeout: float | None) -> Batch[_R] | _O:
        item: Batch[_R] | _O | None = await self._awaited(lambda: self._next_batch(rows, False, None) or None, timeout)
        return self._cursor.nothing if item is None else item

    async def _anext_item(self) -> _R | _O | None:
        with self._lock:
            item = self._cursor.record()
        if item is None:
            return await self._awaited(lambda: self._next_item(False), None)
        self._wake_for_rest()
        return item

    async def _awaited(self, take: Callable[[], _T | None], timeout: float | None) -> _T | None:
        """The first result of take that is not None; None at the end, or after the timeout."""
        self._readiness.bind()
        end = None if timeout is None else _time.monotonic() + timeout
        # Other tasks must run even if something is always queued.
        await pause()
        while True:
            with self._lock:
                item = take()
            if item is not None:
                # No other task has run since: the item is not lost if this task is cancelled.
                self._wake_for_rest()
                return item
            if self._source.ended or (end is not None and _time.monotonic() >= end):
                return None
            await self._readable(end)

    async def _readable(self, end: float | None) -> None:
        """Wait until the socket may be readable, the time end, or `close`."""
        if self.closed:
            raise OpError("receive", _errno.EBADF)
        await self._readiness.wait(readable=True, until=end)

    def _wake_for_rest(self) -> None:
        """Wake the tasks that wait for the socket if the cursor has records left."""
        if self._cursor.left:
            self._readiness.wake()

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

    def resync(self) -> None:
        """Request a resync: the entire state follows the records that are queued now, as after a loss.

        It may be called from any thread or signal handler. ValueError if the stream was opened without a resync.
        """
        self._losses.ask()
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
        self._losses.state = None  # closes a generator, unless another thread runs it
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


class Batches(Generic[_R, _O]):
    """The iterator of `Stream.batches`. A second iteration continues the first."""

    def __init__(self, stream: Stream[_R, _O], rows: int, idle: float | None) -> None:
        self._stream = stream
        self._rows = rows
        self._idle = idle

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch[_R] | _O:
        item = self._stream.read(self._idle, self._rows)
        if isinstance(item, Batch) and not len(item):
            raise StopIteration
        return item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch[_R] | _O:
        item = await self._stream.aread(self._idle, self._rows)
        if isinstance(item, Batch) and not len(item):
            raise StopAsyncIteration
        return item


# The parts of a stream


class _Cursor(Generic[_R]):
    """The current batch, and the position of its next record."""

    __slots__ = ("batch", "nothing", "position")

    def __init__(self, nothing: Batch[_R]) -> None:
        self.nothing = nothing
        self.batch = nothing
        self.position = 0

    @property
    def left(self) -> int:
        return len(self.batch) - self.position

    def record(self) -> _R | None:
        """The next record; None at the end."""
        if self.position >= len(self.batch):
            return None
        record = self.batch[self.position]
        self.position += 1
        return record

    def batch_of(self, rows: int) -> Batch[_R]:
        """The next records, at most rows of them."""
        if not self.position and len(self.batch) <= rows:
            whole, self.batch = self.batch, self.nothing
            return whole
        left = self.batch[self.position :]
        part, rest = left[:rows], left[rows:]
        self.batch, self.position = rest, 0
        return part


class _Losses(Generic[_R, _O]):
    """Losses to report or to resync, after the records that were queued before them."""

    def __init__(
        self, source: Source[_R], policy: str | None, resync: Callable[[], Iterator[Batch[_R]]] | None
    ) -> None:
        self.source = source
        self.policy = policy
        self.resync = resync
        self.reported = 0  # of the losses of the source
        self.due: int | None = None  # the loss that the next mark reports; None if no mark is due
        self.backlog = 0  # records that may have been queued before the loss
        self.state: Iterator[Batch[_R]] | None = None  # the batches of a resync
        self.asked = False  # whether `ask` requests a resync without a loss

    def ask(self) -> None:
        if self.resync is None:
            raise ValueError('the stream has no resync: open it with on_overrun="resync"')
        self.asked = True

    def look(self) -> bool:
        """Whether there is a loss to report, or a resync was requested."""
        lost = self.source.lost - self.reported
        if not (lost or self.asked) or not self.policy:
            return False
        backlog = self.source.queue()
        self.asked = False
        self.backlog, self.reported, self.due = backlog, self.reported + lost, lost
        return True

    def go_on(self, cursor: _Cursor[_R]) -> _O | None:
        """The mark that is due; or None after the next batch of a resync was given to the cursor."""
        if self.resync is None:
            overrun = Overrun(self.due or 0)
            self.due = None
            if self.policy == "raise":
                raise overrun
            return cast("_O", overrun)
        if self.state is None:
            begin = ResyncBegin(self.due or 0)
            # A resync that fails begins again, without a loss to report.
            self.state, self.due = self.resync(), 0
            return cast("_O", begin)
        try:
            batch = next(self.state, None)
            if batch is not None:
                cursor.batch, cursor.position = batch, 0
                return None
        except BaseException:
            self.state = None
            raise
        end = ResyncEnd()
        self.state = self.due = None
        return cast("_O", end)


def _checked_rows(rows: int) -> int:
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ValueError(f"max_rows must be an int of at least 1, not {rows!r}")
    return rows


def _checked_seconds(name: str, seconds: float | None) -> float | None:
    if seconds is not None and not seconds >= 0:
        raise ValueError(f"{name} must be None or at least 0 seconds, not {seconds!r}")
    return seconds
