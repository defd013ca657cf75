from netlink._engine.record cimport Batch
from netlink._io.locks cimport Lock, Locks


cdef class Outlet:
    cdef readonly Locks _locks
    cdef Lock lock                  # to receive

    cdef int prepare(self, Py_ssize_t count, bint wait, object end) except -1
    cdef object take(self, Py_ssize_t count)
    cdef object within(self, Py_ssize_t count, object seconds)


cdef class BatchOutlet(Outlet):
    cdef readonly object _source
    cdef readonly object _readiness
    cdef Py_ssize_t rows            # of a batch from which records are handed out one by one
    cdef Batch nothing              # an empty batch
    cdef Batch batch                # the current batch
    cdef Py_ssize_t position        # of its next record
    cdef list received              # a batch of the source that is not the current one yet
    cdef object mark                # precedes the current batch, or None
    cdef object policy              # on_overrun
    cdef object resync_of           # the function that reads the state, or None
    cdef object reported            # number of losses of the source that are reported, or due
    cdef object due                 # the loss that the next mark reports; None if no mark is due
    cdef Py_ssize_t backlog         # records that may have been queued before the loss
    cdef object state               # the batches of a resync, or None
    cdef bint asked                 # a resync without a loss is requested

    cdef bint look(self) except -1
    cdef int go_on(self) except -1
    cdef object record_at_hand(self)
    cdef bint is_at_hand(self) noexcept
    cdef Py_ssize_t left(self) noexcept
    cdef object item_of_task(self, Py_ssize_t count)


cdef class QueueOutlet(Outlet):
    cdef readonly object _queue     # a deque


cdef class Items:
    cdef Outlet outlet
    cdef Py_ssize_t count
    cdef object seconds
