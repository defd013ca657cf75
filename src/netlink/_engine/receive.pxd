from libc.stdint cimport uint8_t, uint32_t

from netlink._engine.match cimport Match
from netlink._engine.record cimport Recycler, Store, Table, nl_fault, nl_shapes
from netlink._transport cimport Socket, nl_buffer
from netlink._wire cimport nl_header, nl_reply, nl_verdict


# What `Reader.read` gives where it has no batch yet.
cdef enum:
    READABLE = 1                    # nothing is queued
    PAUSE = 2                       # it has been long at it
    HUNGRY = 3                      # it needs to be fed


cdef class Reader:
    cdef object cls
    cdef Table table
    cdef Match match                # what is wanted, or None for all
    cdef nl_reply reply
    cdef Recycler recycler
    cdef Store store                # what is being filled
    cdef nl_shapes shapes
    cdef nl_buffer buffer
    cdef size_t offset              # of the next message in the datagram at hand
    cdef size_t size                # of that datagram
    cdef list fed                   # the datagram at hand where it was fed, or None
    cdef Py_ssize_t position        # of the next message in it

    cdef int fill(self, Socket sock, Py_ssize_t rows, int patience, nl_fault *fault, nl_verdict *verdict) noexcept nogil
    cdef int fill_from_fed(self, Py_ssize_t rows, nl_fault *fault, nl_verdict *verdict) except *
    cdef int take(self, const nl_header *header, const uint8_t *payload, size_t size, nl_fault *fault,
                  nl_verdict *verdict) noexcept nogil
