from libc.stdint cimport uint8_t, uint16_t

from netlink._engine.record cimport Store, Table, nl_area
from netlink._wire cimport nl_header


cdef class Rows:
    cdef readonly object declaration
    cdef Table table
    cdef nl_area out
    cdef readonly Py_ssize_t count
    cdef readonly Py_ssize_t next       # the first row that `datagram` has not returned yet
    cdef size_t at                      # of its request
    cdef uint16_t type
    cdef uint16_t flags
    cdef object prepare
    cdef bint by_shape
    cdef dict shapes                    # the header to send, by presence bits and header; None: prepare each
    cdef size_t header_size

    cdef int encode(self, Store store, const uint8_t *record) except -1
    cdef int add(self, Store store, const uint8_t *record, object owner, Py_ssize_t index) except -1
    cdef bytes shape_of(self, size_t start, Store store, const uint8_t *record)
    cdef int prepare_row(self, size_t start, Store store, const uint8_t *record, object owner,
                         Py_ssize_t index) except -1
    cdef nl_header *request(self, size_t at) noexcept
