"""What the kernel sends unasked, as an iterator: `Stream`, which `open` makes.

    kinds = {RTM_NEWNEIGH: (Neighbour, Event.NEW), RTM_DELNEIGH: (Neighbour, Event.DEL)}
    with netlink.stream.open(Family.ROUTE, kinds, groups=[RouteGroup.NEIGH]) as stream:
        for neighbour in stream: ...  # or: async for neighbour in stream
        for batch in stream.batches(): ...  # the same in batches, for speed

Every wake-up drains what is queued into a batch, in C and without the GIL. A stream has its socket to itself and reads
the kernel's messages alone; it loses none without a report. `NLDEBUG` does not show them.
"""

from __future__ import annotations

import errno as _errno
import time as _time
import warnings as _warnings
from typing import TYPE_CHECKING, Any, Final, Generic, Never, TypeAlias, TypeVar, cast, overload

from netlink._engine.record import Batch, Record
from netlink._io.locks import Lock, Locks
from netlink._io.readiness import Readiness, pause, run_in
from netlink._io.source import SLOT, Closable, Kind, Source, kinds_of, open_source
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
    """A mark in a stream: records were lost, and the state as a whole comes next, up to a `ResyncEnd`.

    Another ResyncBegin before the end means that this resync failed and begins again: what it brought is void.
    lost: how many records since the last mark; 0 where a resync was asked for or failed.
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
    """A mark in a stream: the state as a whole has come, and events follow."""

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
    """Open a stream of what the kernel sends to multicast groups from now on.

    protocol: such as `Family.ROUTE`.
    kinds: the messages to take; others are passed over. A mapping from message type to declaration, or to declaration
        and event; or `Kind` objects, whose declarations type checkers tell apart where there are several. Records
        of several declarations come in order, each batch of one of them.
    groups: numbers of the groups to join.
    config: as of `netlink.dial`.
    read_buffer: bytes that may be queued. The kernel doubles what is set, and takes more for a message than its length.
        NetlinkWarning where less was permitted. None: 16 MiB, or what of that is permitted.
    on_overrun: what happens where records were lost, because nobody read them in time. `Stream.lost` counts them in any
        case, in messages that the kernel dropped.
        "raise": Overrun is raised, behind the records that came before; the stream goes on with the next call.
        "mark": the Overrun comes in line, between the records or batches.
        "resync": when all that was queued has been read a `ResyncBegin` comes, then the batches of resync, then a
        `ResyncEnd`, and then what has come since.
    resync: a function that reads the state as a whole. What it raises is raised; the next call begins it again.
    owns: what is closed with the stream, such as the connection of resync.
    reliable: the sender is told that the read buffer is full (NETLINK_BROADCAST_ERROR), and may try again. Its tries
        are not counted as losses.
    matches: which records are wanted, for some of the declarations. bpf: a program by which the kernel leaves out
        messages. What they leave out is no loss.
    slot: bytes that a datagram may have at first. A longer one is lost, and counted, and makes room for the next.

    OpError as of `netlink.dial`; PermissionError where a group needs a capability. ValueError for what cannot be.
    """
    policies = ("raise", "mark", "resync")
    if on_overrun not in policies:
        raise ValueError(f"on_overrun must be one of {', '.join(map(repr, policies))}, not {on_overrun!r}")
    if (on_overrun == "resync") != (resync is not None):
        raise ValueError('on_overrun="resync" and resync= need each other')
    source = open_source(
        protocol,
        kinds_of(kinds),
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
    """Records as they come: an iterator and an asynchronous iterator; neither ends before the stream does.

    Threads may share a stream, or tasks of one event loop; each record goes to one of them, and a task that is
    cancelled loses none. `stop` ends the iteration behind what is queued. `close` from any thread ends what waits, at
    once, with OpError (errno EBADF), as every later call.
    """

    def __init__(
        self,
        source: Source[_R],
        *,
        on_overrun: str | None = None,
        resync: Callable[[], Iterator[Batch[_R]]] | None = None,
        owns: Collection[Closable] = (),
    ) -> None:
        """For families whose records come from more than groups.

        on_overrun: as of `open`; None where only `lost` counts.
        """
        self._source = source
        self._owns = owns
        self._losses: _Losses[_R, _O] = _Losses(source, on_overrun, resync)
        self._cursor = _Cursor(source.declarations[0].decode_many(()))
        # From the source, on its way to the cursor.
        self._arrived: list[Batch[_R]] = []
        self._locks = Locks()
        self._lock = Lock(self._locks, "receive", receive=True)
        self._readiness = Readiness(source.fileno)

    # Reading

    def read(self, timeout: float | None = None, max_rows: int = ROWS) -> Batch[_R] | _O:
        """One batch of what is queued, at most max_rows records, or a mark.

        timeout: seconds to wait for something; 0 does not wait, None waits for ever. The batch is empty where nothing
        came in time, and where the stream has ended.
        """
        return self._read(_checked_rows(max_rows), _checked_seconds("timeout", timeout))

    async def aread(self, timeout: float | None = None, max_rows: int = ROWS) -> Batch[_R] | _O:
        """`read`, awaited. It has a name of its own because a call cannot know whether it will be awaited."""
        return await self._aread(_checked_rows(max_rows), _checked_seconds("timeout", timeout))

    def batches(self, max_rows: int = ROWS, *, idle: float | None = None) -> Batches[_R, _O]:
        """The records in batches of at most max_rows: an iterator and an asynchronous iterator.

        A batch has what is queued, so it is small where little comes. idle: seconds without anything after which the
        iteration ends; 0 ends it where nothing is queued.
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
        """The next record or mark; None at the end, and where wait is false and nothing is there."""
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
        """The next batch or mark; an empty batch at the end, and where nothing came in time."""
        mark = self._advance(rows, wait, end)
        return self._cursor.batch_of(rows) if mark is None else mark

    def _advance(self, rows: int, wait: bool, end: float | None) -> _O | None:
        """Let the cursor have what comes next, where it is at its end; or return a mark that comes before that.

        The cursor stays at its end where the stream is, and where nothing came in time.
        """
        source, losses, cursor, arrived = self._source, self._losses, self._cursor, self._arrived
        while not cursor.left:
            # What `stop` and `resync` ask for is looked at behind this: see SocketSource.wake.
            source.set_deadline(end if wait else None)
            if losses.due is None:
                losses.look()
            elif not losses.backlog:
                mark = losses.go_on(cursor)
                if mark is not None:
                    return mark
                continue
            # Between a call and what is done with its result a signal handler may raise; not between assignments.
            if not arrived:
                source.read(rows, wait and losses.due is None, arrived)
            if not arrived:
                # It was woken, or the time has passed: there may be something all the same.
                wait = wait and (end is None or _time.monotonic() < end)
                continue
            cursor.batch, cursor.position = arrived[0], 0
            arrived.clear()
            if losses.due is not None:
                losses.backlog = max(0, losses.backlog - cursor.left) if cursor.left else 0
            # What came may all have been lost.
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
        """What take gives once it gives something; None at the end, and where nothing came in time."""
        self._readiness.bind()
        end = None if timeout is None else _time.monotonic() + timeout
        # A stream that always has something must not keep the others from running.
        await pause()
        while True:
            with self._lock:
                item = take()
            if item is not None:
                # No other task has run since: it is not lost where this one is cancelled.
                self._wake_for_rest()
                return item
            if self._source.ended or (end is not None and _time.monotonic() >= end):
                return None
            await self._readable(end)

    async def _readable(self, end: float | None) -> None:
        """Until there may be something to read, or end, or the stream is closed."""
        if self.closed:
            raise OpError("receive", _errno.EBADF)
        await self._readiness.wait(readable=True, until=end)

    def _wake_for_rest(self) -> None:
        """Wake the tasks that wait for the socket where there is something that was read already."""
        if self._cursor.left:
            self._readiness.wake()

    # State

    @property
    def lost(self) -> int:
        """How much was lost since the stream began: of what, the family's `listen` says."""
        return self._source.lost

    def read_buffer(self) -> int:
        """Bytes of the read buffer (SO_RCVBUF): twice what was asked for, or less where that is not permitted."""
        return self._source.read_buffer()

    def fileno(self) -> int:
        """The socket's file descriptor, -1 once closed: for select and the like, not for reading."""
        return -1 if self.closed else self._source.fileno()

    def resync(self) -> None:
        """Ask for a resync: the state as a whole comes behind what is queued now, as after a loss.

        It may be called from any thread or signal handler. ValueError where the stream was opened without a resync.
        """
        self._losses.ask()
        self._wake_all()

    def stop(self) -> None:
        """End the stream behind what is queued: the multicast groups are left, and iteration ends when all that came
        before has been read, or a resync that had begun.

        It may be called from any thread or signal handler. In a forked child it ends the parent's stream, too, for the
        socket is one. Nothing happens where the stream is closed.
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
        """Let all that wait look again."""
        self._source.wake()
        self._readiness.wake_soon()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._locks.is_closed

    def close(self) -> None:
        """Close the stream; what waits for it, in other threads and tasks too, ends with OpError (errno EBADF)."""
        if not self._locks.close():
            return
        run_in(self._readiness.loop, self._release)

    def _release(self) -> None:
        self._readiness.forget()
        self._source.close()
        self._losses.state = None  # which closes a generator, unless another thread is in it
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
        locks = getattr(self, "_locks", None)  # None where __init__ failed
        if locks and not locks.is_closed:
            _warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            self._source.close()
            for other in self._owns:
                other.close()


class Batches(Generic[_R, _O]):
    """What `Stream.batches` returns. It can be iterated again, and goes on then."""

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
    """The batch at hand, and how far it has been handed out."""

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
        """The next records, as many as rows at most."""
        if not self.position and len(self.batch) <= rows:
            whole, self.batch = self.batch, self.nothing
            return whole
        left = self.batch[self.position :]
        part, rest = left[:rows], left[rows:]
        self.batch, self.position = rest, 0
        return part


class _Losses(Generic[_R, _O]):
    """What was lost and is still to be reported or made good, behind what was queued before it."""

    def __init__(
        self, source: Source[_R], policy: str | None, resync: Callable[[], Iterator[Batch[_R]]] | None
    ) -> None:
        self.source = source
        self.policy = policy
        self.resync = resync
        self.reported = 0  # of what the source has lost
        self.due: int | None = None  # the loss that the next mark reports; None where no mark is to come
        self.backlog = 0  # records that may have been queued before it
        self.state: Iterator[Batch[_R]] | None = None  # what a resync reads
        self.asked = False  # for a resync without a loss

    def ask(self) -> None:
        if self.resync is None:
            raise ValueError('the stream has no resync: open it with on_overrun="resync"')
        self.asked = True

    def look(self) -> bool:
        """Whether there is a loss to report, or a resync was asked for."""
        lost = self.source.lost - self.reported
        if not (lost or self.asked) or not self.policy:
            return False
        backlog = self.source.queue()
        self.asked = False
        self.backlog, self.reported, self.due = backlog, self.reported + lost, lost
        return True

    def go_on(self, cursor: _Cursor[_R]) -> _O | None:
        """The mark that is due; or None, and the cursor has the next part of a resync."""
        if self.resync is None:
            overrun = Overrun(self.due or 0)
            self.due = None
            if self.policy == "raise":
                raise overrun
            return cast("_O", overrun)
        if self.state is None:
            begin = ResyncBegin(self.due or 0)
            # A resync that fails begins again, and has nothing more to report then.
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
