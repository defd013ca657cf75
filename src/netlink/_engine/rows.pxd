from libc.stdint cimport uint8_t, uint16_t, uint32_t

from netlink._engine.record cimport Field, Store, Table, nl_area
from netlink._wire cimport nl_header


cdef class Preparation:
    cdef readonly object declaration
    cdef Table table
    cdef object prepare
    cdef Field text                     # or None
    cdef uint32_t text_max
    cdef bint own_first                 # whether the record's own payload is made first
    cdef dict shapes                    # the header to send, by presence bits and header; None: prepare each
    cdef size_t header_size

    cdef bint is_plain(self, Store store, const uint8_t *record) noexcept
    cdef bytes shape_of(self, const nl_area *out, size_t start, Store store, const uint8_t *record)
    cdef int put(self, nl_area *out, size_t start, Store store, const uint8_t *record, object owner,
                 Py_ssize_t index, Py_ssize_t number) except -1


cdef class Rows:
    cdef readonly object declaration
    cdef Table table
    cdef nl_area out
    cdef readonly Py_ssize_t count
    cdef readonly Py_ssize_t next       # the first row that `datagram` has not returned yet
    cdef size_t at                      # of its request
    cdef uint16_t type
    cdef uint16_t flags
    cdef Preparation preparation

    cdef int add(self, Store store, const uint8_t *record, object owner, Py_ssize_t index) except -1
    cdef nl_header *request(self, size_t at) noexcept
