from libc.stdint cimport uint16_t, uint32_t, uint64_t

from netlink._engine.match cimport Match
from netlink._engine.record cimport Batch, Field, Recycler, Store, Table, nl_fault, nl_shapes
from netlink._transport cimport Socket, nl_ring
from netlink._wire cimport nl_cursor, nl_message, nl_verdict


cdef struct Kind:
    uint32_t type
    uint32_t mask                   # of the flags
    uint32_t flags                  # which are these
    uint16_t event                  # NO_EVENT where there is none
    int declared                    # where in StreamReader.declared its declaration is


cdef class Declared:
    cdef object cls
    cdef Table table
    cdef nl_shapes shapes
    cdef Field event                # that says which kind it was, or None
    cdef Field counter              # that counts messages, or None
    cdef Match match                # what is wanted, or None for all


cdef class StreamReader:
    cdef Socket sock
    cdef Kind *kinds
    cdef Py_ssize_t kind_count
    cdef list declared
    cdef Declared now               # of the records in the store
    cdef int place                  # of that one in the list
    cdef int next_place             # of that of the next message
    cdef uint32_t next_count
    cdef bint counted               # by such a field
    cdef bint counts_drops
    cdef uint32_t drops
    cdef Recycler recycler
    cdef Store store                # what is being filled, and not handed out yet
    cdef Store at_hand              # where the datagram at hand lies, if elsewhere
    cdef bint fresh                 # it was received into the store that is being filled
    cdef list ready                 # batches that came before an acknowledgement
    cdef object held                # an error that comes behind what was handed out
    cdef bint keeps                 # receives into the store, one datagram at a time
    cdef uint32_t sender            # the port whose messages count
    cdef size_t slot                # what a datagram may have
    cdef nl_ring ring
    cdef int received               # datagrams in the ring
    cdef int position               # of the next of them
    cdef nl_cursor cursor           # what is left of the datagram at hand
    cdef uint32_t awaited           # sequence number of the request whose acknowledgement is to come
    cdef bint draining              # the end is where nothing is queued
    cdef uint32_t last              # sequence number of the request whose answer ends the stream, too
    cdef readonly bint ended
    cdef readonly uint64_t lost

    cdef int place_of(self, declaration, Field counter) except -1
    cdef int use(self, int place) except -1
    cdef int fill(self, Py_ssize_t rows, bint wait, nl_fault *fault, nl_verdict *verdict) noexcept nogil
    cdef int take(self, const nl_message *m, nl_fault *fault, nl_verdict *verdict) noexcept nogil
    cdef int next_datagram(self, bint wait) noexcept nogil
    cdef int refill(self, bint wait) noexcept nogil
    cdef int receive_kept(self, bint wait) noexcept nogil
    cdef int look_for_drops(self) noexcept nogil
    cdef Batch handed_out(self)
    cdef Batch read_until(self, Py_ssize_t rows, bint wait, uint32_t sequence)
