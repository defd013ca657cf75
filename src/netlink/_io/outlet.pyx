"""Objects that hand out items to threads and tasks: the bases of `Stream` and `Mirror`, and their iterators.

Compiled, because a signal handler may raise (KeyboardInterrupt) behind each call of Python code. `prepare` makes an
item ready, and any of its steps may raise. `take` and all that follows, up to the caller, is C: an item that the caller
does not get is still ready for the next read.
"""

cimport cython

from netlink._io.locks cimport Lock, Locks

import collections as _collections
import errno as _errno
import time as _time

from netlink._io.marks import ResyncBegin, ResyncEnd
from netlink._io.readiness import Readiness, pause
from netlink.errors import OpError, Overrun

cdef extern from "Python.h":
    const Py_ssize_t PY_SSIZE_T_MAX

cdef enum:
    # The count of an item that is no sequence.
    ONE = 0
    ROWS = 4096
    ALL = 1


def checked_rows(rows):
    """A number of rows for C. ValueError if it is none."""
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ValueError(f"max_rows must be an int of at least 1, not {rows!r}")
    return min(rows, PY_SSIZE_T_MAX)


cdef object checked_seconds(str name, seconds):
    if seconds is not None and not seconds >= 0:
        raise ValueError(f"{name} must be None or at least 0 seconds, not {seconds!r}")
    return seconds


cdef object end_of(seconds):
    """The time.monotonic() after so many seconds; None for ever."""
    return None if seconds is None else _time.monotonic() + seconds


cdef object left_until(end):
    return None if end is None else max(0.0, end - _time.monotonic())


cdef object earlier(end, other):
    """The earlier of two times; None is never."""
    return other if end is None or (other is not None and other < end) else end


cdef bint passed(end) except -1:
    return end is not None and _time.monotonic() >= end


cdef class Outlet:
    """An object that hands out items. count: the largest number of items in one sequence, or ONE."""

    def __init__(self):
        self._locks = Locks()
        self.lock = Lock(self._locks, "receive", receive=True)

    def __class_getitem__(cls, item):
        return cls  # generic for type checkers

    cdef int prepare(self, Py_ssize_t count, bint wait, object end) except -1:
        """Make an item ready. None is ready after the time end, or if wait is false, and at the end."""
        raise NotImplementedError

    cdef object take(self, Py_ssize_t count):
        """Take the item that is ready; None if there is none."""
        raise NotImplementedError

    cdef object within(self, Py_ssize_t count, object seconds):
        """The next item; None after so many seconds, which include the wait for the lock, and at the end."""
        cdef Lock lock = self.lock
        end = end_of(seconds)
        if end is not None:
            lock = Lock(self._locks, "receive", receive=True, deadline=end)
        try:
            lock.take()
        except OpError as error:
            if end is None or error.errno != _errno.ETIMEDOUT:
                raise
            return None
        try:
            self.prepare(count, seconds is None or seconds != 0, end)
            return self.take(count)
        finally:
            lock.give_back()

    async def _awithin(self, Py_ssize_t count, seconds):
        """`within` as a coroutine."""
        raise NotImplementedError


cdef class BatchOutlet(Outlet):
    """The base of `Stream`: the current batch, and the losses to report or to resync.

    Losses come after the records that were queued before them.
    """

    def __init__(self, source, on_overrun, resync):
        super().__init__()
        self._source = source
        self._readiness = Readiness(source.fileno)
        self.rows = ROWS
        self.nothing = self.batch = source.declarations[0].decode_many(())
        self.received = []
        self.policy = on_overrun
        self.resync_of = resync
        self.reported = 0

    # Reading

    def read(self, timeout=None, max_rows=ROWS):
        """Return one batch of at most max_rows queued records, or a mark.

        timeout: seconds to wait; 0 does not wait, None waits for ever. The batch is empty after the timeout, and if the
        stream has ended.
        """
        item = self.within(checked_rows(max_rows), checked_seconds("timeout", timeout))
        return self.nothing if item is None else item

    async def aread(self, timeout=None, max_rows=ROWS):
        """`read` as a coroutine."""
        item = await self._awithin(checked_rows(max_rows), checked_seconds("timeout", timeout))
        return self.nothing if item is None else item

    def __iter__(self):
        return self

    def __next__(self):
        item = self.record_at_hand()
        if item is None:
            item = self.within(ONE, None)
        if item is None:
            raise StopIteration
        return item

    def __aiter__(self):
        return self

    async def __anext__(self):
        item = None
        if self.left():
            item = self.item_of_task(ONE)
        if item is None:
            item = await self._awithin(ONE, None)
        if item is None:
            raise StopAsyncIteration
        return item

    async def _awithin(self, Py_ssize_t count, seconds):
        self._readiness.bind()
        end = end_of(seconds)
        # Other tasks must run even if something is always queued.
        await pause()
        while True:
            item = self.item_of_task(count)
            if item is not None:
                # No other task has run since: the item is not lost if this task is cancelled.
                return item
            if self._source.ended or passed(end):
                return None
            if self._locks.is_closed:
                raise OpError("receive", _errno.EBADF)
            await self._readiness.wait(readable=True, until=earlier(end, self._source.due))

    cdef object item_of_task(self, Py_ssize_t count):
        """The item that is ready, without waiting; None if there is none. Wakes the tasks for what is left."""
        self.lock.take()
        try:
            self.prepare(count, False, None)
            if self.left() > max(count, 1):
                self._readiness.wake()
            return self.take(count)
        finally:
            self.lock.give_back()

    cdef object record_at_hand(self):
        """Take the next record of the current batch, where `within` would not wait for anything. None if it might.

        Nobody holds the lock meanwhile: an allocation may have Python collect garbage, and other code run that reads.
        """
        cdef Batch batch
        cdef Py_ssize_t position
        cdef bint taken
        with cython.critical_section(self._locks):
            batch = self.batch
            position = self.position
            if not self.is_at_hand():
                return None
        item = batch.view(position)
        with cython.critical_section(self._locks):
            taken = batch is self.batch and position == self.position and self.is_at_hand()
            if taken:
                self.position += 1
        return item if taken else None

    cdef bint is_at_hand(self) noexcept:
        return self.mark is None and self.left() and self._locks.may_receive()

    cdef Py_ssize_t left(self) noexcept:
        return self.batch.length - self.position

    cdef int prepare(self, Py_ssize_t count, bint wait, object end) except -1:
        source = self._source
        while self.mark is None and not self.left():
            # The state that `stop` and `resync` change is read after this: see SocketSource.wake.
            source.set_deadline(end if wait else None)
            if self.due is None:
                self.look()
            elif not self.backlog:
                self.go_on()
                continue
            if not self.received:
                source.read(count or self.rows, wait and self.due is None, self.received)
            if not self.received:
                # Woken, or after the deadline: something may be queued all the same.
                wait = wait and not passed(end)
                continue
            self.batch, self.position = self.received[0], 0
            self.received.clear()
            if self.due is not None:
                self.backlog = max(0, self.backlog - self.left()) if self.left() else 0
            # All of it may have been lost.
            elif not self.left() and not self.look() and (source.ended or not wait):
                break
        return 0

    cdef object take(self, Py_ssize_t count):
        if self.mark is not None:
            item, self.mark = self.mark, None
            if self.policy == "raise":
                raise item
        elif not self.left():
            item = None
        elif count == ONE:
            item = self.batch.view(self.position)
            self.position += 1
        elif not self.position and self.left() <= count:
            item, self.batch = self.batch, self.nothing
        else:
            count = min(count, self.left())
            item = self.batch[self.position : self.position + count]
            self.position += count
        return item

    # Losses

    @property
    def _loss_pending(self):
        """Whether records are lost and no mark has said so yet: they may be missing before those that come now."""
        return self.due is not None or self._source.lost != self.reported

    cdef bint look(self) except -1:
        """Whether there is a loss to report, or a resync was requested."""
        lost = self._source.lost - self.reported
        if not (lost or self.asked) or not self.policy:
            return False
        backlog = self._source.queue()
        self.asked = False
        self.backlog, self.reported, self.due = backlog, self.reported + lost, lost
        return True

    cdef int go_on(self) except -1:
        """Make the mark that is due ready, or the next batch of a resync."""
        if self.resync_of is None:
            mark = Overrun(self.due)
            self.mark, self.due = mark, None
            return 0
        if self.state is None:
            mark = ResyncBegin(self.due)
            state = self.resync_of()
            # A resync that fails begins again, without a loss to report.
            self.mark, self.state, self.due = mark, state, 0
            return 0
        try:
            batch = next(self.state, None)
            if batch is not None:
                self.batch, self.position = batch, 0
                return 0
        except BaseException:
            self.state = None
            raise
        mark = ResyncEnd()
        self.mark, self.state, self.due = mark, None, None
        return 0

    def _ask(self):
        """Request a resync."""
        if self.resync_of is None:
            raise ValueError('the stream has no resync: open it with on_overrun="resync"')
        self.asked = True

    def _leave_resync(self):
        """Close the generator of a resync, unless another thread runs it."""
        self.state = None


cdef class QueueOutlet(Outlet):
    """The base of `Mirror`: items that the subclass makes of what it reads.

    The subclass adds to the queue in `_make` and `_amake`.
    """

    def __init__(self):
        super().__init__()
        self._queue = _collections.deque()

    def _make(self, timeout):
        """Read, and add what comes of it to the queue. False after the timeout without anything, and at the end."""
        raise NotImplementedError

    async def _amake(self, timeout):
        """`_make` as a coroutine."""
        raise NotImplementedError

    def read(self, timeout=None):
        """Wait for the next changes, apply them, and return them.

        timeout: seconds to wait for a change; 0 does not wait, None waits for ever. The list is empty after the
        timeout, and at the end.
        """
        items = self.within(ALL, checked_seconds("timeout", timeout))
        return [] if items is None else items

    async def aread(self, timeout=None):
        """`read` as a coroutine."""
        items = await self._awithin(ALL, checked_seconds("timeout", timeout))
        return [] if items is None else items

    async def _awithin(self, Py_ssize_t count, seconds):
        end = end_of(seconds)
        while not self._queue:
            left = left_until(end)
            if not await self._amake(left):
                break
        return self.take(count)

    cdef int prepare(self, Py_ssize_t count, bint wait, object end) except -1:
        while not self._queue and self._make(left_until(end)):
            pass
        return 0

    cdef object take(self, Py_ssize_t count):
        if not self._queue:
            return None
        if count == ONE:
            return self._queue.popleft()
        items = list(self._queue)
        self._queue.clear()
        return items


cdef class Items:
    """An iterator and an asynchronous iterator of the items of an outlet. It ends after idle seconds without an item.

    count: the largest number of records in a batch; 0 for items that are no batches.
    """

    def __init__(self, Outlet outlet not None, Py_ssize_t count, idle):
        self.outlet = outlet
        self.count = count
        self.seconds = checked_seconds("idle", idle)

    def __class_getitem__(cls, item):
        return cls  # generic for type checkers

    def __iter__(self):
        return self

    def __next__(self):
        item = self.outlet.within(self.count, self.seconds)
        if item is None:
            raise StopIteration
        return item

    def __aiter__(self):
        return self

    async def __anext__(self):
        item = await self.outlet._awithin(self.count, self.seconds)
        if item is None:
            raise StopAsyncIteration
        return item
