"""Who may send and who may receive on a connection: one thread at a time each.

Compiled, because an exception of a signal handler (KeyboardInterrupt) comes between any two steps of Python code, and
between taking a turn and the statement that gives it back there must be none.
"""

cimport cython
from libc.errno cimport EBADF, EBUSY, ETIMEDOUT
from libc.stdint cimport uint64_t

from netlink._transport cimport forks

import threading as _threading
import time as _time

from netlink.errors import OpError

cdef extern from "Python.h":
    ctypedef struct PyThreadState:
        pass
    PyThreadState *PyThreadState_Get()
    # Never given twice, as the thread idents of the operating system are.
    uint64_t PyThreadState_GetID(PyThreadState *)


@cython.final
cdef class Turns:
    """The turns of one connection.

    The mutex guards all else and is held for no longer than it takes to look. A turn may be held for long, by a
    receive that waits or by an iterator that is suspended in the middle of a reply. Who wants it waits for `changed`:
    a turn given back, a deadline moved, or the end.

    A forked child starts with all turns free: the threads that held them stayed in the parent.
    """
    cdef object mutex               # threading.RLock: a signal's handler may come while this very thread has it
    cdef object changed             # threading.Condition of it
    cdef uint64_t sender            # thread, 0: nobody
    cdef uint64_t receiver
    cdef Py_ssize_t waiting
    cdef bint closed
    cdef unsigned forks             # of the process whose threads these are
    cdef object send_deadline       # time.monotonic() seconds, or None
    cdef object receive_deadline

    def __cinit__(self):
        self.forks = forks() - 1
        self.reset()

    cdef int reset(self) except -1:
        """Start again, unless another thread of this process did so."""
        mutex = _threading.RLock()
        changed = _threading.Condition(mutex)
        with cython.critical_section(self):
            if self.forks != forks():
                self.forks = forks()
                self.mutex = mutex
                self.changed = changed
                self.sender = self.receiver = 0
                self.waiting = 0
        return 0

    cdef object lock(self):
        """The mutex, locked."""
        if self.forks != forks():
            self.reset()
        mutex = self.mutex
        mutex.acquire()
        return mutex

    cdef int take(self, str op, bint send, bint receive, object deadline) except -1:
        cdef uint64_t me = PyThreadState_GetID(PyThreadState_Get())
        mutex = self.lock()
        try:
            while not self.closed and ((send and self.sender) or (receive and self.receiver)):
                if self.forks != forks():  # in a signal handler, while this thread waited
                    mutex.release()
                    mutex = self.lock()
                    continue
                if (send and self.sender == me) or (receive and self.receiver == me):
                    raise OpError(op, OSError(EBUSY, "this thread is in the middle of another reply: "
                                                     "finish or close its receive_iter first"))
                left = self.seconds_left(op, send, receive, deadline)
                self.waiting += 1
                try:
                    self.changed.wait(left)
                finally:
                    self.waiting -= 1
            if self.closed:
                raise OpError(op, EBADF)
            if send:
                self.sender = me
            if receive:
                self.receiver = me
        finally:
            mutex.release()
        return 0

    cdef object seconds_left(self, str op, bint send, bint receive, object own):
        left = None
        for wanted, deadline in ((send, self.send_deadline), (receive, self.receive_deadline), (True, own)):
            if wanted and deadline is not None:
                this = deadline - _time.monotonic()
                if this <= 0:
                    raise OpError(op, ETIMEDOUT)
                left = this if left is None else min(left, this)
        return left if left is None else min(left, _threading.TIMEOUT_MAX)

    cdef int give_back(self, bint send, bint receive) except -1:
        mutex = self.lock()
        try:
            if send:
                self.sender = 0
            if receive:
                self.receiver = 0
            if self.waiting:
                self.changed.notify_all()
        finally:
            mutex.release()
        return 0

    def hand_over(self):
        """The receive turn now belongs to the calling thread, which goes on with a suspended iterator."""
        if self.forks != forks():
            self.reset()
        self.receiver = PyThreadState_GetID(PyThreadState_Get())

    def set_deadlines(self, **deadlines):
        """set_deadlines(read=..., write=...): how long to wait for a turn, None for ever."""
        mutex = self.lock()
        try:
            if "read" in deadlines:
                self.receive_deadline = deadlines["read"]
            if "write" in deadlines:
                self.send_deadline = deadlines["write"]
            self.changed.notify_all()
        finally:
            mutex.release()

    def close(self):
        """End all waiting with EBADF. False where it was closed already."""
        mutex = self.lock()
        try:
            if self.closed:
                return False
            self.closed = True
            self.changed.notify_all()
            return True
        finally:
            mutex.release()

    @property
    def is_closed(self):
        return self.closed


@cython.final
cdef class Turn:
    """`with` a way to use the connection, under the name of the operation. OpError as `Turns` says.

    deadline: until when to wait for this turn, besides the connection's deadlines; None for no other.
    """
    cdef Turns turns
    cdef str op
    cdef bint send
    cdef bint receive
    cdef object deadline

    def __cinit__(self, Turns turns not None, str op not None, *, bint send=False, bint receive=False, deadline=None):
        self.turns = turns
        self.op = op
        self.send = send
        self.receive = receive
        self.deadline = deadline

    def __enter__(self):
        self.turns.take(self.op, self.send, self.receive, self.deadline)

    def __exit__(self, exception_type, exception, traceback):
        self.turns.give_back(self.send, self.receive)
