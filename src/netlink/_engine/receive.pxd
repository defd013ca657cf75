from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from netlink._engine.form cimport Form
from netlink._engine.ledger cimport Ledger, Number
from netlink._engine.match cimport Match
from netlink._engine.record cimport Batch, Field, Recycler, Store, Table, nl_area, nl_fault, nl_shapes
from netlink._transport cimport Socket, nl_buffer, nl_ring
from netlink._wire cimport nl_cursor, nl_message, nl_reply, nl_verdict


# Results of `Reader.read` without a batch.
cdef enum:
    READABLE = 1                    # nothing is queued
    PAUSE = 2                       # many datagrams were read
    HUNGRY = 3                      # it waits for `feed`


cdef class Declared:
    cdef object cls
    cdef Table table
    cdef nl_shapes shapes
    cdef Match match                # selects records, or None for all
    cdef Field event                # the field of `schema.event`, or None
    cdef Number counter             # the field that numbers messages, or None


cdef class Receiver:
    cdef Socket sock                # source of the datagrams; None: only `feed`
    cdef Recycler recycler          # memory for stores
    cdef Store store                # the store to fill, or None
    cdef Declared now               # declaration of the records in the store
    cdef nl_cursor cursor           # rest of the current datagram
    cdef list fed                   # messages of the last datagram of `feed`, or None
    cdef bytes fed_bytes            # the same as bytes
    cdef bint at_fed                # it is the current datagram
    cdef nl_fault fault             # of the message that was MALFORMED
    cdef nl_verdict verdict         # of the one that FAILED

    cdef int fill(self, Py_ssize_t rows, int patience) noexcept nogil
    cdef int run(self, Py_ssize_t rows, int patience) except? -1
    cdef Batch filled(self)
    cdef object error_of(self, int result, uint32_t sequence)
    cdef int begin_fed(self) except -1
    # Overridden by subclasses.
    cdef int take(self, const nl_message *m) noexcept nogil
    cdef int next_datagram(self) noexcept nogil


cdef enum:
    HEAD_MAX = 32


cdef class Reader(Receiver):
    cdef nl_reply reply
    cdef nl_buffer buffer
    cdef bint begun                 # the end of the current datagram is not in reply yet
    cdef bint empty                 # that datagram has no messages
    cdef size_t skip                # bytes of a message before those of its declaration
    cdef int answer                 # the first of them, or ANY_COMMAND
    cdef size_t before              # bytes of a message before its attributes
    cdef int lists                  # the attribute type of a list of records in each message; -1: messages are records
    cdef int items                  # the attribute type of its records
    cdef uint8_t head[HEAD_MAX]     # the bytes before the attributes of the last message with a list
    cdef bint headed                # there is one

    cdef void compare_head(self, const uint8_t *head) noexcept nogil
    cdef int keep_each(self, const uint8_t *payload, size_t size) noexcept nogil
    cdef int keep(self, const uint8_t *payload, size_t size) noexcept nogil
    cdef void end_datagram(self) noexcept nogil


cdef struct Kind:
    uint32_t type
    uint32_t mask                   # flags under mask must equal flags
    uint32_t flags
    uint16_t event                  # or NO_EVENT
    uint16_t command                # of genlmsghdr; or ANY_COMMAND, without that header
    int declared                    # index in StreamReader.declared


cdef class StreamReader(Receiver):
    cdef Kind *kinds
    cdef Py_ssize_t kind_count
    cdef list declared
    cdef int place                  # index of the store's declaration
    cdef int next_place             # index of the next message's declaration
    cdef uint32_t next_count
    cdef Ledger ledger              # of the messages that wait for an answer, or None
    cdef bint counted               # losses are counted by a field
    cdef bint counts_drops
    cdef uint32_t drops
    cdef Store at_hand              # the store with the current datagram, if not the store to fill
    cdef bint fresh                 # the current datagram is in the store to fill
    cdef list ready                 # batches of records before an acknowledgement
    cdef object later               # an error to raise after the last batch
    cdef bint views                 # receives into the store, one datagram at a time, unless they are brief
    cdef bint brief                 # the last datagram was: its bytes are copied from the ring
    cdef bint named                 # whether the senders of datagrams are looked at
    cdef uint32_t sender            # port id whose messages are read
    cdef bint of_user               # whether only the messages of one user are read
    cdef uint32_t user              # who that is
    cdef Form form                  # what writes the datagrams as attributes, or None
    cdef nl_area written            # the current datagram, if form has written it
    cdef size_t slot                # bytes of the largest datagram
    cdef nl_ring ring
    cdef int received               # datagrams in the ring
    cdef int position               # of the next datagram in the ring
    cdef bint wait                  # the current read waits
    cdef uint64_t reported          # losses before the current read
    cdef uint32_t awaited           # sequence number of the request that awaits its acknowledgement
    cdef int64_t ahead              # bytes that may be queued before that acknowledgement
    cdef bint draining              # the stream ends if nothing is queued
    cdef uint32_t last              # sequence number of the request whose acknowledgement ends the stream
    cdef uint16_t family            # number of the generic family whose removal is an error; 0: none
    cdef bint removed               # it is removed
    cdef readonly bint ended
    cdef readonly uint64_t lost

    cdef int place_of(self, declaration, Number counter) except -1
    cdef int use(self, int place) except -1
    cdef Batch read_until(self, Py_ssize_t rows, bint wait, uint32_t sequence)
    cdef Batch handed_out(self)
    cdef int answer(self, const nl_message *m) noexcept nogil
    cdef bint reports_removal(self, const nl_message *m) noexcept nogil
    cdef int receive(self, bint wait) noexcept nogil
    cdef int refill(self, bint wait) noexcept nogil
    cdef int receive_into_store(self, bint wait) noexcept nogil
    cdef int write(self, const uint8_t *datagram, size_t size) noexcept nogil
    cdef int count_drops(self) noexcept nogil
