cdef class Locks:
    cdef object mutex               # threading.RLock: a signal's handler may come while this very thread has it
    cdef object changed             # threading.Condition of it
    cdef object on_change           # called when a lock may be free, or a deadline moved; None: nobody needs it
    cdef object sender              # who has the lock to send: a thread's number, a task, or None
    cdef object receiver
    cdef Py_ssize_t waiting         # threads
    cdef bint closed
    cdef unsigned forks             # of the process whose threads these are
    cdef object send_deadline       # time.monotonic() seconds, or None
    cdef readonly object receive_deadline

    cdef int reset(self) except -1
    cdef object lock(self)
    cdef bint try_take(self, str op, bint send, bint receive, object owner, str what) except -1
    cdef object seconds_left(self, str op, bint send, bint receive, object own)


cdef class Lock:
    cdef Locks locks
    cdef readonly str op
    cdef bint send
    cdef bint receive
    cdef object deadline

    cdef int take(self) except -1
    cdef int give_back(self) except -1
