"""Dumps in parts, each received by a thread of its own: the kernel formats each part on another CPU."""

from __future__ import annotations

import errno
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar

from netlink._engine.parts import Doubles, Whole
from netlink._engine.record import Record
from netlink._io.exchange import WOKEN, Call
from netlink.errors import OpError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from netlink._engine.record import Batch
    from netlink._io.exchange import Exchange

# A netlink.conn.Conn, which uses this module.
Connection: TypeAlias = Any

__all__ = ["ROWS_MIN", "Leaf", "Parts", "check_parallel", "split"]

_R = TypeVar("_R", bound=Record)

_THREADS_MAX = 64
# Records that a thread receives at a time: they are still in the cache of its CPU when they are copied.
_ROWS = 512
_SAMPLE = 512
ROWS_MIN = 16384
"""Below this number of objects, what the kernel does for each part outweighs the rest."""
# What each part costs the kernel besides its records, as it walks through all objects: in records, and as a share of
# all objects.
_WALK_ROWS, _WALK_SHARE = 8000, 0.1
# The least that is worth sockets and threads.
_GAIN = 0.9


class Leaf(NamedTuple):
    """A part of a table, by bits of some numbers of each object: value & mask equals bits for each."""

    masks: tuple[int, ...]
    bits: tuple[int, ...]
    share: float


def check_parallel(parallel: Any) -> None:
    """TypeError or ValueError for an invalid number of parts."""
    if isinstance(parallel, bool) or not isinstance(parallel, int):
        raise TypeError(f"parallel must be an int, not {type(parallel).__name__}")
    if not 1 <= parallel <= _THREADS_MAX:
        raise ValueError(f"parallel must be from 1 to {_THREADS_MAX}, not {parallel}")


def split(sample: Iterable[tuple[int, ...]], usable: Sequence[int], threads: int, total: int, of: int) -> list[Leaf]:
    """Disjoint parts that make up a table, largest first, for some threads to read; one part if that is as fast.

    sample: numbers of some of its objects. usable: the bits of each number by which parts may differ, those that change
    the least first. total: objects of the table. of: how many were looked at for the sample, which has those that a
    filter selects.
    """
    counts = Counter(sample)
    if not counts:
        return []
    walk = _WALK_SHARE + _WALK_ROWS / max(total, 1)
    none = (0,) * len(usable)
    leaves = [(counts.total(), none, none, counts)]
    best, best_time = leaves, _GAIN * _time(leaves, 1, walk, of)
    while len(leaves) < 2 * threads:
        leaves.sort(key=lambda leaf: -leaf[0])
        halves = _halves(leaves[0], usable)
        if halves is None:
            break
        leaves = [*halves, *leaves[1:]]
        time = _time(leaves, threads, walk, of)
        if time < best_time:
            best, best_time = leaves, time
    return [Leaf(masks, bits, count / of) for count, masks, bits, _ in sorted(best, key=lambda leaf: -leaf[0])]


_Counted = tuple[int, tuple[int, ...], tuple[int, ...], "Counter[tuple[int, ...]]"]


def _halves(leaf: _Counted, usable: Sequence[int]) -> list[_Counted] | None:
    """The two parts of the most even split by one bit; of almost even ones, by the first number."""
    total, masks, bits, counts = leaf
    found: tuple[int, int, int] | None = None
    for column, allowed in enumerate(usable):
        every, some = allowed, 0
        for values in counts:
            every &= values[column]
            some |= values[column]
        varying = some & allowed & ~every
        while varying:
            bit = varying & -varying
            varying ^= bit
            ones = sum(n for values, n in counts.items() if values[column] & bit)
            uneven = abs(total - 2 * ones) * 16 // total
            if found is None or uneven < found[0]:
                found = uneven, column, bit
    if found is None:
        return None
    _, column, bit = found
    halves: list[_Counted] = []
    for value in (0, bit):
        part = Counter({values: n for values, n in counts.items() if values[column] & bit == value})
        halves.append((part.total(), _with(masks, column, bit), _with(bits, column, value), part))
    return halves


def _with(numbers: tuple[int, ...], column: int, bits: int) -> tuple[int, ...]:
    return (*numbers[:column], numbers[column] | bits, *numbers[column + 1 :])


def _time(leaves: Iterable[_Counted], threads: int, walk: float, of: int) -> float:
    """The time until threads have read all parts, the largest first. 1: that of formatting all objects."""
    busy = [0.0] * threads
    for count in sorted((leaf[0] for leaf in leaves), reverse=True):
        busy[busy.index(min(busy))] += walk + count / of
    return max(busy)


class Parts(Generic[_R]):
    """A dump that is received by several threads, if a sample of the table says that this is faster.

    whole: the call of the dump. sample: a call of a dump of the table, of whose first records `plan` makes parts: the
    calls of dumps that together are the same, largest first, and the number of records that is expected. Without parts,
    the connection itself does `whole`. key: paths of the fields that identify a record, to leave out doubles; empty to
    keep them.
    """

    def __init__(
        self,
        whole: Call[Batch[_R]],
        sample: Call[Batch[_R]],
        plan: Callable[[Batch[_R]], tuple[list[Call[Batch[_R]]], int]],
        threads: int,
        key: Sequence[Sequence[str]],
    ) -> None:
        self.whole = whole
        self.sample = sample
        self.plan = plan
        self.threads = threads
        self.key = key

    def read(self, exchange: Exchange, rows: int) -> Generator[Any, Any, Any]:
        """Receive the dump, as `Exchange.call_iter` with rows, and as `Exchange.call` if rows is 0."""
        calls, expected = ([], 0) if exchange.beside is None else self._planned(exchange.beside)
        if not calls:
            return (yield from exchange.call_iter(self.whole, rows) if rows else exchange.call(self.whole))
        assert self.whole.reply is not None
        doubles = Doubles(self.whole.reply, self.key, expected) if self.key else None
        whole: Whole[Any] | None = None if rows else Whole(self.whole.reply, expected)
        work: _Work[Any] = _Work(exchange, calls, doubles, whole, rows or _ROWS)
        try:
            work.start(min(self.threads, len(calls)))
            while True:
                exchange.locks.check()
                batch = work.take()
                if batch is not None:
                    yield iter((batch,))
                elif work.ended():
                    return None if whole is None else whole.finish()
                else:
                    yield WOKEN
        finally:
            work.stop()

    def _planned(self, beside: Callable[[], Connection]) -> tuple[list[Call[Batch[_R]]], int]:
        # The kernel formats a datagram when it is asked for it: the sample does not wait, and the rest costs nothing.
        with beside() as conn:
            batches = conn.iter_dump(self.sample, rows=_SAMPLE)
            first = next(batches, None)
            conn.close()
            del batches
        return ([], 0) if first is None else self.plan(first)

    def __repr__(self) -> str:
        return f"{self.whole!r} in {self.threads} parts"


class _Work(Generic[_R]):
    """Threads that receive parts.

    Their batches go to whole, or if that is None one by one to `take`: a thread waits while there are enough.
    """

    def __init__(
        self,
        exchange: Exchange,
        calls: Sequence[Call[Batch[_R]]],
        doubles: Doubles | None,
        whole: Whole[_R] | None,
        rows: int,
    ) -> None:
        self.exchange = exchange
        self.calls = deque(calls)
        self.doubles = doubles
        self.whole = whole
        self.rows = rows
        self.conns: list[Connection] = []
        self.threads: list[threading.Thread] = []
        self.running = 0
        self.stopped = False
        self.error: BaseException | None = None
        self.ready: deque[Batch[_R]] = deque()
        self.changed = threading.Condition()

    def start(self, count: int) -> None:
        assert self.exchange.beside is not None
        for _ in range(count):
            self.conns.append(self.exchange.beside())
        for conn in self.conns:
            # Daemons: a suspended iterator must not keep the interpreter from its end.
            thread = threading.Thread(target=self._run, args=(conn,), name="netlink dump", daemon=True)
            self.running += 1
            self.threads.append(thread)
            thread.start()

    def _run(self, conn: Connection) -> None:
        try:
            with conn:
                while self.calls:
                    try:
                        call = self.calls.popleft()
                    except IndexError:
                        break
                    for batch in conn.iter_dump(call, rows=self.rows):
                        if self.doubles is not None:
                            self.doubles.remove(batch)
                        if self.whole is not None:
                            self.whole.add(batch)
                        else:
                            self._give(batch)
        except BaseException as error:
            with self.changed:
                if self.error is None and not self.stopped:
                    self.error = error
            self._close()
        finally:
            with self.changed:
                self.running -= 1
            self.exchange.locks.wake()

    def _give(self, batch: Batch[_R]) -> None:
        with self.changed:
            while len(self.ready) >= 2 * len(self.threads) and not self.stopped:
                self.changed.wait()
            self.ready.append(batch)
        self.exchange.locks.wake()

    def take(self) -> Batch[_R] | None:
        """The next batch, if there is one. Raises the first error of a thread."""
        with self.changed:
            if self.error is not None:
                raise self.error
            if not self.ready:
                return None
            self.changed.notify_all()
            return self.ready.popleft()

    def ended(self) -> bool:
        """Whether all threads have ended, and all batches were taken. OpError in a forked child: it has none."""
        with self.changed:
            if self.running and not any(thread.is_alive() for thread in self.threads):
                raise OpError("receive", OSError(errno.ECANCELED, "the threads of this dump are those of the parent"))
            return not self.running and not self.ready and self.error is None

    def stop(self) -> None:
        """End all threads, and wait for that."""
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
        self._close()
        for thread in self.threads:
            if thread.ident is not None:
                thread.join()
        self.error = None

    def _close(self) -> None:
        self.calls.clear()
        for conn in self.conns:
            conn.close()
