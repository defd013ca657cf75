from libc.stdint cimport uint32_t

from netlink._engine.match cimport Match
from netlink._engine.record cimport Spare, Store, Table, nl_fault, nl_shapes
from netlink._transport cimport Socket, nl_buffer
from netlink._wire cimport nl_verdict


cdef class Reader:
    cdef Socket sock
    cdef object cls
    cdef Table table
    cdef Match match                # what is wanted, or None for all
    cdef uint32_t sequence
    cdef Spare spare
    cdef nl_shapes shapes
    cdef nl_buffer buffer
    cdef size_t offset              # of the next message in the datagram at hand
    cdef size_t size                # of that datagram
    cdef bint interrupted
    cdef readonly bint done

    cdef int read_into(self, Store store, Py_ssize_t rows, nl_fault *fault, nl_verdict *verdict) noexcept nogil
