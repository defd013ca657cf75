"""Reads replies straight into batches: no Message in between, and no GIL."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN, EINTR, EPROTO
from libc.stdint cimport uint8_t
from libc.string cimport memset

from netlink._codec cimport Message, parse_messages, verdict_error
from netlink._engine.match cimport Match, match_of
from netlink._engine.record cimport Batch, Recycler, fault_error, make_batch, nl_fault, nl_shapes_free, table_of
from netlink._transport cimport Socket, free_buffer, receive_into
from netlink._wire cimport (
    NL_BAD,
    NL_F_DUMP,
    NL_ITEM,
    NL_ROLE_BEHIND,
    NL_ROLE_CUT,
    NL_ROLE_DATA,
    NL_ROLE_END,
    NL_ROLE_FAILED,
    NL_ROLE_FOREIGN,
    NL_ROLE_LAST,
    NL_REPLY_DUMP,
    NL_REPLY_PLAIN,
    nl_cursor,
    nl_header,
    nl_message,
    nl_next_message,
    nl_role,
    nl_reply_datagram,
    nl_reply_message,
    nl_step,
    nl_verdict,
)

from netlink.errors import DecodeError, OpError

# How filling a store ended, beside what the .pxd names; negative: an errno.
cdef enum:
    ENOUGH = 4
    DONE
    FAILED
    CUT
    BEHIND
    FOREIGN
    MALFORMED
    FRAMING


@cython.final
cdef class Reader:
    """Reads the reply to one request straight into batches.

    declaration: the class of what follows nlmsghdr. match: which records are wanted, None for all.

    The datagrams come from the real socket, without the GIL, or from whoever has them already, by `feed`.
    """

    def __cinit__(self, declaration, Match match=None):
        self.cls = declaration
        self.table = table_of(declaration)
        self.match = match_of(self.table, match)
        self.recycler = Recycler()

    def __dealloc__(self):
        free_buffer(&self.buffer)
        nl_shapes_free(&self.shapes)

    def begin(self, Message request not None):
        """The reply is the one to this request, which has been sent or is about to be."""
        memset(&self.reply, 0, sizeof(self.reply))
        self.reply.kind = NL_REPLY_DUMP if request.h.flags & NL_F_DUMP == NL_F_DUMP else NL_REPLY_PLAIN
        self.reply.sequence = request.h.sequence
        self.reply.pid = request.h.pid

    @property
    def done(self):
        """Whether the reply has ended, and all of it is in batches."""
        return self.reply.done != 0 and self.store is None

    @property
    def ended(self):
        """Whether nothing more is to come for the request."""
        return self.reply.done != 0

    @property
    def queued_only(self):
        """Whether there is no more to come than what is queued already."""
        return self.reply.queued_only != 0

    def feed(self, list datagram not None):
        """Take the messages of a datagram, which are read next. An empty one is a test double's word for the end."""
        if self.fed is not None or self.size:
            raise ValueError("there is a datagram that has not been read yet")
        self.fed = datagram
        self.position = 0

    def end(self):
        """Nothing more is queued, and so nothing more is to come."""
        self.reply.done = 1

    def read(self, Socket sock, Py_ssize_t rows, int patience):
        """A `Batch` of the next rows, or of fewer at the end, where `done` becomes true; or why there is none yet.

        sock: the real socket, whose lock to receive the caller has; it is never waited for. None: what is fed alone.
        patience: how many datagrams to read at a time.
        Raises as `netlink.Conn.execute`; what was decoded for the batch at hand is dropped then.
        """
        cdef nl_fault fault
        cdef nl_verdict verdict
        cdef int result = HUNGRY
        cdef Batch batch
        if self.store is None:
            self.store = self.recycler.new_store()
        if self.fed is not None:
            result = self.fill_from_fed(rows, &fault, &verdict)
        if result == HUNGRY and self.reply.done:
            result = DONE
        while result == HUNGRY and (sock is not None or self.size):
            with nogil:
                result = self.fill(sock, rows, patience, &fault, &verdict)
            if result == -EINTR:
                result = HUNGRY
            if result == PAUSE or result == HUNGRY:
                PyErr_CheckSignals()
        if result == -EAGAIN:
            if not self.reply.queued_only:
                return READABLE
            self.reply.done = 1
            result = DONE
        if result == PAUSE or result == HUNGRY:
            return result
        store = self.store
        self.store = None
        if result == ENOUGH or result == DONE:
            batch = make_batch(self.cls, self.recycler.compact(store))
            batch.interrupted_ = self.reply.interrupted != 0
            return batch
        if result == FAILED:
            raise verdict_error("receive", &verdict, self.reply.sequence)
        if result == CUT:
            raise DecodeError("the message that ends the reply has too few bytes for its errno")
        if result == FOREIGN:
            raise OpError("validate", OSError(EPROTO, "a message of another request in the reply to "
                                                      f"{self.reply.sequence}"), sequence=self.reply.sequence)
        if result == MALFORMED:
            raise fault_error(self.cls, self.table, &fault)
        if result == FRAMING:
            raise DecodeError("a message's length field does not fit its datagram")
        raise OpError("receive", -result)

    def rest(self):
        """The messages of the datagram at hand that were not read: none where the rest of it is malformed."""
        cdef size_t offset = self.offset, size = self.size
        fed = self.fed
        self.offset = self.size = 0
        self.fed = None
        if fed is not None:
            return fed[self.position:]
        try:
            return parse_messages(self.buffer.data + offset, size - offset)
        except DecodeError:
            return []

    cdef int take(self, const nl_header *header, const uint8_t *payload, size_t size, nl_fault *fault,
                  nl_verdict *verdict) noexcept nogil:
        """The next message: 0, or why filling ends."""
        cdef size_t heap
        cdef nl_role role = nl_reply_message(&self.reply, header, payload, size, verdict)
        if role == NL_ROLE_DATA:
            heap = self.store.heap.size
            if self.store.add(&self.table.set, &self.shapes, payload, size, fault) < 0:
                return MALFORMED
            if self.match is not None and not self.match.matches(self.store.last(&self.table.set)):
                self.store.drop_last(&self.table.set, heap)
            return 0
        if role == NL_ROLE_END or role == NL_ROLE_LAST:
            return DONE
        if role == NL_ROLE_BEHIND:
            return BEHIND
        if role == NL_ROLE_FAILED:
            return FAILED
        if role == NL_ROLE_CUT:
            return CUT
        return FOREIGN if role == NL_ROLE_FOREIGN else 0

    cdef int fill(self, Socket sock, Py_ssize_t rows, int patience, nl_fault *fault,
                  nl_verdict *verdict) noexcept nogil:
        cdef nl_cursor cursor
        cdef nl_message m
        cdef nl_step step
        cdef ssize_t got
        cdef size_t before
        cdef int result, datagrams = 0
        while True:
            cursor.at = self.buffer.data + self.offset
            cursor.left = self.size - self.offset
            while True:
                if self.store.count >= rows:
                    return ENOUGH
                before = self.offset
                step = nl_next_message(&cursor, &m)
                if step != NL_ITEM:
                    break
                self.offset = cursor.at - self.buffer.data
                result = self.take(&m.header, m.payload, m.size, fault, verdict)
                if result == BEHIND:
                    self.offset = before
                    return DONE
                if result:
                    return result
            if self.size:
                nl_reply_datagram(&self.reply, False)
            self.offset = self.size = 0
            if step == NL_BAD:
                return FRAMING
            if self.reply.done:
                return DONE
            if sock is None:
                return HUNGRY
            datagrams += 1
            if datagrams > patience:
                return PAUSE
            got = receive_into(sock, &self.buffer, False)
            if got < 0:
                return <int>got
            self.size = got

    cdef int fill_from_fed(self, Py_ssize_t rows, nl_fault *fault, nl_verdict *verdict) except *:
        cdef Message message
        cdef const uint8_t *payload
        cdef int result
        while True:
            if self.store.count >= rows:
                return ENOUGH   # also at its end: no more is asked for than is wanted
            if self.position == len(self.fed):
                break
            message = <Message?>self.fed[self.position]
            data = message.payload or b""
            payload = <const uint8_t *>PyBytes_AS_STRING(data)
            result = self.take(&message.h, payload, PyBytes_GET_SIZE(data), fault, verdict)
            if result == BEHIND:
                return DONE
            self.position += 1
            if result:
                return result
        nl_reply_datagram(&self.reply, len(self.fed) == 0)
        self.fed = None
        return HUNGRY
