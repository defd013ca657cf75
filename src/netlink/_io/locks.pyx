"""The locks of a connection or a stream: one to send and one to receive, each for one thread or one task at a time.

Compiled, because a signal handler may raise (KeyboardInterrupt) between any two steps of Python code, but must not
between the acquisition of a lock and the statement that releases it.
"""

cimport cython
from libc.errno cimport EBADF, EBUSY, ETIMEDOUT
from libc.stdint cimport uint64_t

from netlink._transport cimport forks

import _thread
import time as _time

from netlink.errors import OpError

cdef extern from "Python.h":
    ctypedef struct PyThreadState:
        pass
    PyThreadState *PyThreadState_Get()
    # Unique, unlike the thread identifiers of the operating system, which are reused.
    uint64_t PyThreadState_GetID(PyThreadState *)


@cython.final
cdef class Locks:
    """The two locks of a connection, to send and to receive.

    Each may be held for long, by a receive that waits or by an iterator suspended in the middle of a reply. A thread
    that waits has a lock in `changed`, which a release, a new deadline and `close` unlock. A task waits for
    `on_change`, which is called for the same events except `close`. Threads that work for the owner of a lock wake it
    by `wake`.

    A critical section guards the fields, and runs no Python code: no exception of a signal handler comes in between.
    A forked child starts with both locks free: the threads that held them do not exist in it.
    """

    def __cinit__(self, on_change=None, on_wake=None):
        self.on_change = on_change
        self.on_wake = on_wake
        self.forks = forks()
        self.changed = []

    cdef int begin(self) except -1:
        """Free both locks after a fork. The caller is in a critical section, as in the methods below."""
        if self.forks != forks():
            self.forks = forks()
            self.changed = []
            self.sender = self.receiver = None
        return 0

    cdef bint may_receive(self) noexcept:
        """Whether a `Lock` to receive would be acquired. It is so until the caller leaves its critical section."""
        return self.receiver is None and not self.closed and self.forks == forks()

    cdef bint try_take(self, str op, bint send, bint receive, object owner, str what, object waiter,
                       str iterator) except -1:
        """Acquire the locks if they are free. If not, let a release of the waiter, a thread's lock, report a change."""
        cdef bint own
        with cython.critical_section(self):
            self.begin()
            if self.closed:
                raise OpError(op, EBADF)
            if (not send or self.sender is None) and (not receive or self.receiver is None):
                if send:
                    self.sender = owner
                if receive:
                    self.receiver = owner
                    self.iterator = iterator
                return True
            own = (send and self.sender == owner) or (receive and self.receiver == owner)
            if waiter is not None and not own:
                self.changed.append(waiter)
        if own:
            # Its own locks: nobody else sets the name meanwhile.
            text = f"this {what} is in the middle of another call"
            if self.iterator is not None:
                text = (f"this {what} is in the middle of the connection's {self.iterator}: read it to its end or "
                        "close it first, or use a second connection")
            raise OpError(op, OSError(EBUSY, text))
        return False

    cdef int forget(self, object waiter) except -1:
        with cython.critical_section(self):
            self.changed = [each for each in self.changed if each is not waiter]
        return 0

    cdef int notify(self) except -1:
        """Wake all waiting threads."""
        if self.changed:
            for waiter in self.changed:
                waiter.release()
            self.changed.clear()
        return 0

    cdef object seconds_left(self, str op, bint send, bint receive, object own):
        left = None
        for wanted, deadline in ((send, self.send_deadline), (receive, self.receive_deadline), (True, own)):
            if wanted and deadline is not None:
                this = deadline - _time.monotonic()
                if this <= 0:
                    raise OpError(op, ETIMEDOUT)
                left = this if left is None else min(left, this)
        return left if left is None else min(left, _thread.TIMEOUT_MAX)

    def set_deadlines(self, **deadlines):
        """set_deadlines(read=..., write=...): the time until which to wait for a lock; None for ever."""
        with cython.critical_section(self):
            self.begin()
            if "read" in deadlines:
                self.receive_deadline = deadlines["read"]
            if "write" in deadlines:
                self.send_deadline = deadlines["write"]
            self.notify()
        if self.on_change is not None:
            self.on_change()

    def close(self):
        """End all waiting with EBADF. Returns False if it was closed already."""
        with cython.critical_section(self):
            self.begin()
            if self.closed:
                return False
            self.closed = True
            self.notify()
        return True

    def check(self):
        """The seconds to the deadline to receive, or None. OpError if it has passed or the connection is closed."""
        if self.closed:
            raise OpError("receive", EBADF)
        return self.seconds_left("receive", False, True, None)

    def wake(self):
        """End a `wait_woken`, from any thread. A task is woken by `on_wake` instead."""
        if self.on_wake is not None:
            self.on_wake()
            return
        with cython.critical_section(self):
            self.begin()
            self.woken = True
            self.notify()

    def wait_woken(self):
        """Wait for a `wake` since the last call. OpError as `check`."""
        cdef bint woken
        while True:
            waiter = _thread.allocate_lock()
            waiter.acquire()
            with cython.critical_section(self):
                self.begin()
                woken = self.woken
                self.woken = False
                if not woken:
                    self.changed.append(waiter)
            if woken:
                return
            try:
                left = self.check()
                waiter.acquire(True, -1 if left is None else left)
            finally:
                self.forget(waiter)

    @property
    def is_closed(self):
        return self.closed


@cython.final
cdef class Lock:
    """One of the locks, or both, with the op of its errors. Threads use it by `with`.

    deadline: a time until which to wait, in addition to the connection's deadlines, or None.
    iterator: the method whose iterators hold it from item to item, or None.
    """

    def __cinit__(self, Locks locks not None, str op not None, *, bint send=False, bint receive=False, deadline=None,
                  str iterator=None):
        self.locks = locks
        self.op = op
        self.send = send
        self.receive = receive
        self.deadline = deadline
        self.iterator = iterator

    cdef int take(self) except -1:
        """Acquire the locks for the calling thread, and wait for them."""
        cdef Locks locks = self.locks
        me = PyThreadState_GetID(PyThreadState_Get())
        if locks.try_take(self.op, self.send, self.receive, me, "thread", None, self.iterator):
            return 0
        while True:
            waiter = _thread.allocate_lock()
            waiter.acquire()
            if locks.try_take(self.op, self.send, self.receive, me, "thread", waiter, self.iterator):
                return 0
            try:
                left = locks.seconds_left(self.op, self.send, self.receive, self.deadline)
                waiter.acquire(True, -1 if left is None else left)
            finally:
                locks.forget(waiter)

    cdef int give_back(self) except -1:
        cdef Locks locks = self.locks
        with cython.critical_section(locks):
            locks.begin()
            if self.send:
                locks.sender = None
            if self.receive:
                locks.receiver = None
            locks.notify()
        if locks.on_change is not None:
            locks.on_change()
        return 0

    def take_for(self, task):
        """Acquire the locks for a task if they are free. Returns whether they were."""
        return self.locks.try_take(self.op, self.send, self.receive, task, "task", None, self.iterator)

    def until(self):
        """The time.monotonic() until which to wait for the locks, or None. OpError (ETIMEDOUT) if it has passed."""
        left = self.locks.seconds_left(self.op, self.send, self.receive, self.deadline)
        return None if left is None else _time.monotonic() + left

    def hand_over(self, owner=None):
        """Make a task, or the calling thread, the owner of the locks: it resumes a suspended iterator."""
        cdef Locks locks = self.locks
        if owner is None:
            owner = PyThreadState_GetID(PyThreadState_Get())
        with cython.critical_section(locks):
            locks.begin()
            if self.send:
                locks.sender = owner
            if self.receive:
                locks.receiver = owner

    def release(self):
        """Release the locks."""
        self.give_back()

    def __enter__(self):
        self.take()

    def __exit__(self, exception_type, exception, traceback):
        self.give_back()
