from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from netlink._engine.match cimport Match
from netlink._engine.record cimport Batch, Field, Recycler, Store, Table, nl_fault, nl_shapes
from netlink._transport cimport Socket, nl_buffer, nl_ring
from netlink._wire cimport nl_cursor, nl_message, nl_reply, nl_verdict


# What `Reader.read` gives where it has no batch yet.
cdef enum:
    READABLE = 1                    # nothing is queued
    PAUSE = 2                       # it has read for long
    HUNGRY = 3                      # it needs to be fed


cdef class Declared:
    cdef object cls
    cdef Table table
    cdef nl_shapes shapes
    cdef Match match                # which records are wanted, or None for all
    cdef Field event                # says which kind a record is, or None
    cdef Field counter              # counts messages, or None


cdef class Receiver:
    cdef Socket sock                # where datagrams come from, or None: only what is fed
    cdef Recycler recycler                 # memory for stores
    cdef Store store                # what is being filled, or None
    cdef Declared now               # of the records in the store
    cdef nl_cursor cursor           # what is left of the datagram at hand
    cdef list fed                   # the messages of the last datagram that was fed, or None
    cdef bytes fed_bytes            # that datagram
    cdef bint at_fed                # it is at hand
    cdef nl_fault fault             # of the message that is MALFORMED
    cdef nl_verdict verdict         # of the one that FAILED

    cdef int fill(self, Py_ssize_t rows, int patience) noexcept nogil
    cdef int run(self, Py_ssize_t rows, int patience) except? -1
    cdef Batch filled(self)
    cdef object error_of(self, int result, uint32_t sequence)
    cdef int begin_fed(self) except -1
    # What a subclass says.
    cdef int take(self, const nl_message *m) noexcept nogil
    cdef int next_datagram(self) noexcept nogil


cdef class Reader(Receiver):
    cdef nl_reply reply
    cdef nl_buffer buffer
    cdef bint begun                 # the reply does not know yet that the datagram at hand has ended
    cdef bint empty                 # which has no messages

    cdef void end_datagram(self) noexcept nogil


cdef struct Kind:
    uint32_t type
    uint32_t mask                   # of the flags
    uint32_t flags                  # which are these
    uint16_t event                  # NO_EVENT where there is none
    int declared                    # where in StreamReader.declared its declaration is


cdef class StreamReader(Receiver):
    cdef Kind *kinds
    cdef Py_ssize_t kind_count
    cdef list declared
    cdef int place                  # of the store's declaration in the list
    cdef int next_place             # of the next message's declaration
    cdef uint32_t next_count
    cdef bint counted               # by a field
    cdef bint counts_drops
    cdef uint32_t drops
    cdef Store at_hand              # where the datagram at hand lies, if elsewhere
    cdef bint fresh                 # it was received into the store that is being filled
    cdef list ready                 # batches from before an acknowledgement
    cdef object later               # an error to be raised behind what was handed out
    cdef bint views                 # receives into the store, one datagram at a time
    cdef uint32_t sender            # the port whose messages count
    cdef size_t slot                # the bytes that a datagram may have
    cdef nl_ring ring
    cdef int received               # datagrams in the ring
    cdef int position               # of the next of them
    cdef bint wait                  # the read at hand waits
    cdef uint64_t reported          # losses before the read at hand
    cdef uint32_t awaited           # sequence number of the request whose acknowledgement is to come
    cdef bint draining              # the end is where nothing is queued
    cdef uint32_t last              # sequence number of the request whose answer ends the stream, too
    cdef readonly bint ended
    cdef readonly uint64_t lost

    cdef int place_of(self, declaration, Field counter) except -1
    cdef int use(self, int place) except -1
    cdef Batch read_until(self, Py_ssize_t rows, bint wait, uint32_t sequence)
    cdef Batch handed_out(self)
    cdef int answer(self, const nl_message *m) noexcept nogil
    cdef int receive(self, bint wait) noexcept nogil
    cdef int refill(self, bint wait) noexcept nogil
    cdef int receive_into_store(self, bint wait) noexcept nogil
    cdef int count_drops(self) noexcept nogil
