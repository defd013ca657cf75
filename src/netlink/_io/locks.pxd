cdef class Locks:
    cdef list changed               # an acquired _thread.lock of each waiting thread
    cdef object on_change           # called after a release and after a change of a deadline, or None
    cdef object on_wake             # called by `wake`, or None
    cdef bint woken                 # `wake` was called since the last `wait_woken`
    cdef object sender              # owner of the lock to send: the id of a thread, a task, or None
    cdef object receiver            # owner of the lock to receive
    cdef str iterator               # the method whose iterator holds that lock, or None
    cdef bint closed
    cdef unsigned forks             # count of forks() in the process of the owners
    cdef object send_deadline       # time.monotonic() seconds, or None
    cdef readonly object receive_deadline

    cdef int begin(self) except -1
    cdef bint may_receive(self) noexcept
    cdef bint try_take(self, str op, bint send, bint receive, object owner, str what, object waiter,
                       str iterator) except -1
    cdef int forget(self, object waiter) except -1
    cdef int notify(self) except -1
    cdef object seconds_left(self, str op, bint send, bint receive, object own)


cdef class Lock:
    cdef Locks locks
    cdef str op
    cdef bint send
    cdef bint receive
    cdef object deadline
    cdef str iterator

    cdef int take(self) except -1
    cdef int give_back(self) except -1
