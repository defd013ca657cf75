"""What the kernel sends unasked, as an iterator: `Stream`. Families open one with a `listen` of theirs.

    with conntrack.listen() as stream:
        for flow in stream: ...  # or: async for flow in stream
        for batch in stream.batches(): ...  # the same in batches, for speed

Every wake-up drains what is queued into a batch, in C and without the GIL. A stream has its socket to itself and reads
the kernel's messages alone; it loses none without saying so. `NLDEBUG` does not show them.
"""

from __future__ import annotations

import errno as _errno
import time as _time
import warnings as _warnings
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from netlink._engine.record import Batch, Record
from netlink._io.locks import Lock, Locks
from netlink._io.readiness import _finish as finish
from netlink._io.readiness import run_in
from netlink.errors import OpError, Overrun

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Iterator
    from types import TracebackType
    from typing import Protocol, Self

    from netlink._engine.stream import StreamReader
    from netlink._transport import Socket

    class _Closable(Protocol):
        def close(self) -> object: ...


__all__ = ["Batches", "Stream"]

_R = TypeVar("_R", bound=Record)
_O = TypeVar("_O", bound=Overrun)  # Overrun where a stream marks them in line, else Never

ROWS = 4096
# The least that the kernel charges the read buffer for a datagram.
_CHARGE_MIN = 512


class Stream(Generic[_R, _O]):
    """Records as they come: an iterator and an asynchronous iterator; neither ends before the stream does.

    Threads may share a stream, or tasks of one event loop; each record goes to one of them, and a task that is
    cancelled loses none. `close` from any thread ends what waits, at once, with OpError (errno EBADF), as every later
    call.
    """

    def __init__(
        self,
        sock: Socket,
        reader: StreamReader[_R],
        declaration: type[_R],
        *,
        on_overrun: str | None = None,
        resync: Callable[[], Iterator[Batch[_R]]] | None = None,
        owns: Collection[_Closable] = (),
    ) -> None:
        """For families.

        on_overrun: "raise" or "mark"; None where only `lost` tells. resync: what gives the records to go on from,
        instead. owns: what is to be closed with the stream.
        """
        self._sock = sock
        self._reader = reader
        self._declaration = declaration
        self._on_overrun = on_overrun
        self._resync = resync
        self._owns = owns
        self._turns = Locks()
        self._turn = Lock(self._turns, "receive", receive=True)
        self._told = 0  # of what is lost
        self._lost_now = 0  # what is to be told of next, or to be made good by a resync
        self._backlog = 0  # what may have been queued before that loss, and is to be read first
        self._resyncing: Iterator[Batch[_R]] | None = None
        # The batch that next() gives records of, never more than ROWS.
        self._none: Batch[_R] = declaration.decode_many(())
        self._rest = self._none
        self._at = 0
        self._came: list[Batch[_R]] = []  # from the reader, on its way to be that batch
        self._deadline = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    # Reading

    def batches(self, max_rows: int = ROWS, timeout: float | None = None) -> Batches[_R, _O]:
        """The records in batches of at most max_rows: an iterator and an asynchronous iterator.

        A batch has what is queued, so it is small where little comes. timeout: seconds after which an empty batch
        comes where nothing else does; 0 does not wait, None waits for ever.
        """
        if isinstance(max_rows, bool) or not isinstance(max_rows, int) or max_rows < 1:
            raise ValueError(f"max_rows must be an int of at least 1, not {max_rows!r}")
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout must be None or at least 0 seconds, not {timeout!r}")
        return Batches(self, max_rows, timeout)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _R | _O:
        with self._turn:
            return self._next_of_all()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _R | _O:
        if self.closed:
            raise OpError("receive", _errno.EBADF)
        while self._at >= len(self._rest):
            item = await self._anext(ROWS, None)
            if not isinstance(item, Batch):
                return item
            # No other task has run since: it was taken without a wait.
            self._rest, self._at = item, 0
            self._wake_for_rest(1)
        return self._next_of_rest()

    def _next_of_all(self) -> _R | _O:
        if self._at >= len(self._rest):
            self._set_deadline(None)  # a call with a timeout may have left one
            told = self._fill(ROWS, True)
            if told is not None:
                return told
            if self._at >= len(self._rest):
                raise StopIteration
        return self._next_of_rest()

    def _next_of_rest(self) -> _R:
        record = self._rest[self._at]
        self._at += 1
        return record

    def _next(self, rows: int, timeout: float | None) -> Batch[_R] | _O:
        end = None if timeout is None else _time.monotonic() + timeout
        turn = self._turn if end is None else Lock(self._turns, "receive", receive=True, deadline=end)
        try:
            with turn:
                item = self._next_until(rows, end, timeout != 0)
        except OpError as error:
            if error.errno != _errno.ETIMEDOUT:
                raise
            return self._rest[:0]
        if isinstance(item, Batch) and not len(item) and self._reader.ended:
            raise StopIteration
        return item

    def _next_until(self, rows: int, end: float | None, wait: bool) -> Batch[_R] | _O:
        self._set_deadline(end if wait else None)
        try:
            return self._step(rows, wait)
        except OpError as error:
            if error.errno != _errno.ETIMEDOUT:
                raise
        # Past its deadline the socket does not even look, and there may be something.
        self._set_deadline(None)
        return self._step(rows, False)

    def _set_deadline(self, end: float | None) -> None:
        if end is not None or self._deadline:
            self._sock.set_deadlines(read=end)
            self._deadline = end is not None

    def _step(self, rows: int, wait: bool) -> Batch[_R] | _O:
        """What comes next; an empty batch at the end of the stream, and where wait is false and there is nothing."""
        told = self._fill(rows, wait)
        if told is not None:
            return told
        if not self._at and len(self._rest) <= rows:
            whole, self._rest = self._rest, self._none
            return whole
        left = self._rest[self._at :]
        self._rest, self._at = left[rows:], 0
        return left[:rows]

    def _fill(self, rows: int, wait: bool) -> _O | None:
        """Let `_rest` have what comes next, where it is at its end; or return what is to be told before that.

        It stays at its end where the stream is, and where wait is false and there is nothing.
        """
        while self._at >= len(self._rest):
            if not self._lost_now:
                self._look_for_loss()
            elif not self._backlog:
                if self._resync is None:
                    return self._tell_of_loss()
                self._resynced(self._resync)
                continue
            # Between a call and what is done with its result a signal handler may raise; not between assignments.
            if not self._came:
                self._reader.read(rows, wait and not self._lost_now, self._came)
            self._rest, self._at = self._came[0], 0
            self._came.clear()
            if self._lost_now:
                self._backlog = max(0, self._backlog - len(self._rest)) if len(self._rest) else 0
            # What came may all have been lost.
            elif not len(self._rest) and not self._look_for_loss() and (self._reader.ended or not wait):
                break
        return None

    def _look_for_loss(self) -> bool:
        """Whether something was lost that is to be told, once all that was queued before it has been read."""
        lost = self._reader.lost - self._told
        if not lost or not (self._resync or self._on_overrun):
            return False
        self._backlog = self._sock.read_buffer() // _CHARGE_MIN
        self._told += lost
        self._lost_now = lost
        return True

    def _tell_of_loss(self) -> _O:
        overrun, self._lost_now = Overrun(self._lost_now), 0
        if self._on_overrun == "raise":
            raise overrun
        return cast("_O", overrun)

    def _resynced(self, resync: Callable[[], Iterator[Batch[_R]]]) -> None:
        """The next part of the resync into `_rest`. Where it fails, the next call begins another."""
        if self._resyncing is None:
            self._resyncing = resync()
        try:
            batch = next(self._resyncing, None)
        except BaseException:
            self._resyncing = None
            raise
        if batch is None:
            self._resyncing, self._lost_now = None, 0
        else:
            self._rest, self._at = batch, 0

    # In an event loop

    async def _anext(self, rows: int, timeout: float | None) -> Batch[_R] | _O:
        import asyncio

        loop = asyncio.get_running_loop()
        if self._waiting and loop is not self._loop:
            raise RuntimeError(f"{self!r} is being read in another event loop")
        self._loop = loop
        end = None if timeout is None else loop.time() + timeout
        # A stream that always has something must not keep the others from running.
        await asyncio.sleep(0)
        while True:
            with self._turn:
                self._set_deadline(None)
                item = self._step(rows, False)
            if not isinstance(item, Batch) or len(item):
                self._wake_for_rest(0)
                return item
            if self._reader.ended:
                raise StopAsyncIteration
            if end is not None and loop.time() >= end:
                return item
            await self._readable(loop, end)

    async def _readable(self, loop: asyncio.AbstractEventLoop, end: float | None) -> None:
        """Until there may be something to read, or end, or the stream is closed."""
        if self.closed:
            raise OpError("receive", _errno.EBADF)
        future: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            loop.add_reader(self._sock.fileno(), self._wake)
        self._waiting.add(future)
        timer = None if end is None else loop.call_at(end, finish, future)
        try:
            await future
        finally:
            if timer:
                timer.cancel()
            self._waiting.discard(future)
            if not self._waiting and not self._sock.closed:
                loop.remove_reader(self._sock.fileno())

    def _wake_for_rest(self, taken: int) -> None:
        """Other tasks wait for the socket, while there is something that was read already."""
        if len(self._rest) - self._at > taken:
            self._wake()

    def _wake(self) -> None:
        for future in self._waiting:
            finish(future)

    # State

    @property
    def lost(self) -> int:
        """How much was lost since the stream began: of what, the family's `listen` says."""
        return self._reader.lost

    def read_buffer(self) -> int:
        """The read buffer's bytes (SO_RCVBUF): twice what was asked for, or less where that is not permitted."""
        return self._sock.read_buffer()

    def fileno(self) -> int:
        """The socket's file descriptor, -1 once closed: for select and the like, not for reading."""
        return -1 if self.closed else self._sock.fileno()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._turns.is_closed

    def close(self) -> None:
        """Close the stream; what waits for it, in other threads and tasks too, ends with OpError (errno EBADF)."""
        if not self._turns.close():
            return
        run_in(self._loop, self._release)

    def _release(self) -> None:
        if self._waiting and self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._sock.fileno())
        self._wake()
        self._sock.close()
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
        return f"<{name} of {self._declaration.__name__}{' closed' if self.closed else ''}>"

    def __del__(self) -> None:
        turns = getattr(self, "_turns", None)  # None where __init__ failed
        if turns and not turns.is_closed:
            _warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            self._sock.close()
            for other in self._owns:
                other.close()


class Batches(Generic[_R, _O]):
    """What `Stream.batches` returns. It can be iterated again, and goes on then."""

    def __init__(self, stream: Stream[_R, _O], rows: int, timeout: float | None) -> None:
        self._stream = stream
        self._rows = rows
        self._timeout = timeout

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch[_R] | _O:
        return self._stream._next(self._rows, self._timeout)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch[_R] | _O:
        return await self._stream._anext(self._rows, self._timeout)
