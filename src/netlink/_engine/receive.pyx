"""Receives the replies to dumps straight into batches: no Message in between, and no GIL."""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.errno cimport EINTR, EPROTO
from libc.stdint cimport uint32_t

from netlink._codec cimport parse_messages
from netlink._engine.match cimport Match, match_of
from netlink._engine.record cimport Batch, Spare, Store, fault_error, make_batch, nl_fault, nl_shapes_free, table_of
from netlink._transport cimport Socket, free_buffer, receive_into
from netlink._wire cimport (
    NL_BAD,
    NL_DATA,
    NL_FAILED,
    NL_ITEM,
    NL_TOO_SHORT,
    nl_cursor,
    nl_message,
    nl_next_message,
    nl_parse_verdict,
    nl_step,
    nl_verdict,
    nl_verdict_kind,
)

from netlink.errors import DecodeError, OpError

# How a Reader's loop ended.
cdef enum:
    ENOUGH = 1
    DONE
    FAILED
    FOREIGN
    MALFORMED
    FRAMING
    PAUSE


@cython.final
cdef class Reader:
    """Reads the reply to one dump straight into stores, without the GIL and without a Message.

    sock: the real socket, whose turn to receive the caller has. declaration: the class of what follows nlmsghdr.
    sequence: of the request, which has been sent or is about to be. match: which records are wanted, None for all.
    """

    def __cinit__(self, Socket sock not None, declaration, uint32_t sequence, Match match=None):
        self.sock = sock
        self.cls = declaration
        self.table = table_of(declaration)
        self.sequence = sequence
        self.match = match_of(self.table, match)
        self.spare = Spare()

    def __dealloc__(self):
        free_buffer(&self.buffer)
        nl_shapes_free(&self.shapes)

    def read(self, Py_ssize_t rows):
        """A `Batch` of the next rows, or of fewer at the end, where `done` becomes true.

        Raises as `netlink.Conn.execute`; what was decoded for the batch at hand is dropped then.
        """
        cdef Store store = self.spare.store()
        cdef nl_fault fault
        cdef nl_verdict verdict
        cdef int result
        cdef Batch batch
        while True:
            with nogil:
                result = self.read_into(store, rows, &fault, &verdict)
            if result == -EINTR or result == PAUSE:
                PyErr_CheckSignals()
                continue
            break
        if result == ENOUGH or result == DONE:
            self.done = result == DONE
            batch = make_batch(self.cls, self.spare.fitted(store))
            batch.interrupted_ = self.interrupted
            return batch
        if result == FAILED:
            self.done = True
            text = PyUnicode_DecodeUTF8(<const char *>verdict.text, verdict.text_size, "surrogateescape") \
                if verdict.text else ""
            raise OpError("receive", verdict.error, message=text, offset=verdict.offset, sequence=self.sequence)
        if result == FOREIGN:
            raise OpError("validate", OSError(EPROTO, f"a message of another request in the reply to {self.sequence}"),
                          sequence=self.sequence)
        if result == MALFORMED:
            raise fault_error(self.cls, self.table, &fault)
        if result == FRAMING:
            raise DecodeError("a message's length field does not fit its datagram")
        raise OpError("receive", -result)

    def rest(self):
        """The messages of the datagram at hand that were not read: none where the rest of it is malformed."""
        cdef size_t offset = self.offset, size = self.size
        self.offset = self.size = 0
        try:
            return parse_messages(self.buffer.data + offset, size - offset)
        except DecodeError:
            return []

    cdef int read_into(self, Store store, Py_ssize_t rows, nl_fault *fault, nl_verdict *verdict) noexcept nogil:
        cdef nl_cursor cursor
        cdef nl_message m
        cdef nl_step step
        cdef nl_verdict_kind kind
        cdef ssize_t got
        cdef int datagrams = 0
        cdef size_t heap
        while True:
            cursor.at = self.buffer.data + self.offset
            cursor.left = self.size - self.offset
            while True:
                step = nl_next_message(&cursor, &m)
                if step != NL_ITEM:
                    break
                self.offset = cursor.at - self.buffer.data
                if m.header.sequence != self.sequence:
                    return FOREIGN
                if m.header.flags & 0x10:  # NLM_F_DUMP_INTR
                    self.interrupted = True
                kind = nl_parse_verdict(&m.header, m.payload, m.size, verdict)
                if kind == NL_DATA:
                    heap = store.heap.size
                    if store.add(&self.table.set, &self.shapes, m.payload, m.size, fault) < 0:
                        return MALFORMED
                    if self.match is not None and not self.match.matches(store.last(&self.table.set)):
                        store.take_back(&self.table.set, heap)
                    if store.count >= rows:
                        return ENOUGH
                elif kind == NL_FAILED:
                    return FAILED
                elif kind == NL_TOO_SHORT:
                    return FRAMING
                else:
                    return DONE
            self.offset = self.size = 0
            if step == NL_BAD:
                return FRAMING
            datagrams += 1
            if datagrams > 64:
                return PAUSE  # a look at signals every few milliseconds
            got = receive_into(self.sock, &self.buffer, True)
            if got < 0:
                return <int>got
            self.size = got
