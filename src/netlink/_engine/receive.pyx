"""Reception of messages directly into batches, without `Message` objects and without the GIL.

`Receiver` has the loop from datagrams to records. `Reader` uses it for the reply to a request, and `StreamReader` for
multicast messages.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.errno cimport E2BIG, EAGAIN, EINTR, ENOBUFS, ENOENT, ENOMEM, EPERM, EPROTO, ETIMEDOUT
from libc.stdint cimport UINT32_MAX, int64_t, uint8_t, uint16_t
from libc.string cimport memcmp, memcpy, memset

from netlink._codec cimport Message, parse_messages, verdict_error
from netlink._engine.form cimport NL_FORM_OTHER, Form
from netlink._engine.ledger cimport NL_LEDGER_ANSWER, Ledger, Number, nl_ledger_give, nl_ledger_refuse
from netlink._engine.match cimport Match, match_of
from netlink._engine.record cimport (
    NL_K_EVENT,
    Record,
    fault_error,
    make_batch,
    nl_area_free,
    nl_area_pool,
    nl_area_reserve,
    nl_shapes_free,
    pool_of_stores,
    table_of,
)
from netlink._transport cimport (
    NL_RING_CREDENTIALS,
    NL_RING_SENDERS,
    drops,
    free_buffer,
    free_ring,
    init_ring,
    receive_at,
    receive_into,
    receive_ring,
    user_of,
)
from netlink._wire cimport (
    NL_ACK,
    NL_ATTR_TYPE,
    NL_BAD,
    NL_F_DUMP,
    NL_FAILED,
    NL_HEADER,
    NL_ITEM,
    NL_REPLY_DUMP,
    NL_REPLY_PLAIN,
    NL_ROLE_BEHIND,
    NL_ROLE_CUT,
    NL_ROLE_DATA,
    NL_ROLE_END,
    NL_ROLE_FAILED,
    NL_ROLE_FOREIGN,
    NL_ROLE_LAST,
    NL_TYPE_ERROR,
    nl_align,
    nl_attribute,
    nl_cursor,
    nl_header,
    nl_load16,
    nl_next_attribute,
    nl_next_message,
    nl_parse_verdict,
    nl_reply_datagram,
    nl_reply_message,
    nl_role,
    nl_step,
    nl_verdict_kind,
)

from netlink._engine.form import TOO_LONG
from netlink.errors import DecodeError, OpError

cdef extern from "Python.h":
    const Py_ssize_t PY_SSIZE_T_MAX

cdef enum:
    # sizeof(struct genlmsghdr), linux/genetlink.h. Its first byte is the command.
    GENL_HEADER = 4
    # The controller of generic netlink, and what it sends of a family that is removed.
    GENL_ID_CTRL = 16
    CTRL_CMD_DELFAMILY = 2
    CTRL_ATTR_FAMILY_ID = 1
    SLOTS = 256
    # Bytes of memory of these, if the slots are long.
    RING_SIZE = 4 << 20
    # Bytes of a datagram whose copy costs less than a system call.
    BRIEF = 2048
    # Datagrams between two checks for signals.
    PATIENCE = 1024
    # The least that the kernel charges the read buffer for a datagram.
    CHARGE_MIN = 512
    # Lower types are control messages: NLMSG_MIN_TYPE.
    MIN_TYPE = 16
    # That of the messages of a form, which has no others.
    FORM_TYPE = MIN_TYPE
    NO_EVENT = 256
    ANY_COMMAND = 256

# Reasons for the end of `fill`, in addition to those of the .pxd; negative: an errno.
cdef enum:
    ENOUGH = 4
    DONE
    FAILED
    CUT
    FOREIGN
    MALFORMED
    FRAMING
    # The next message is not for this store, and stays in its datagram.
    BEHIND
    LOSS
    ACKNOWLEDGED
    # A message is shorter than the header of its protocol.
    SHORT
    # A list of records has an attribute whose length does not fit it.
    LIST
    # The family of the messages is removed.
    REMOVED
    # A form found a text that is longer than an attribute.
    TEXT


nl_area_pool = pool_of_stores()


cdef bytes joined(list datagram):
    """The datagram of messages. The lengths in it are those of the payloads, not those of the headers."""
    cdef Message message
    cdef nl_header header
    cdef Py_ssize_t size = 0, have
    cdef char *at
    for item in datagram:
        message = <Message?>item
        size += nl_align(NL_HEADER + (0 if message.payload is None else PyBytes_GET_SIZE(message.payload)))
    data = PyBytes_FromStringAndSize(NULL, size)
    at = PyBytes_AS_STRING(data)
    memset(at, 0, size)
    for item in datagram:
        message = <Message>item
        have = 0 if message.payload is None else PyBytes_GET_SIZE(message.payload)
        header = message.h
        header.length = <uint32_t>(NL_HEADER + have)
        memcpy(at, &header, NL_HEADER)
        if have:
            memcpy(at + NL_HEADER, PyBytes_AS_STRING(message.payload), have)
        at += nl_align(NL_HEADER + have)
    return data


def batch_of(Record record not None):
    """A batch of one record, which is copied: for streams of given records."""
    cdef Record alone = record.__copy__()
    return make_batch(type(alone), alone.store)


@cython.final
cdef class Declared:
    """A declaration of a receiver's records, with the tables and the state to decode them."""

    def __cinit__(self, declaration, Match match=None, Number counter=None):
        self.cls = declaration
        self.table = table_of(declaration)
        self.match = match_of(self.table, match)
        self.counter = counter if counter is not None and counter.table is self.table else None
        for field in declaration.__fields__.values():
            if (<Field?>field).kind == NL_K_EVENT:
                self.event = field

    def __dealloc__(self):
        nl_shapes_free(&self.shapes)


cdef class Receiver:
    """The loop from datagrams to records in a store.

    A subclass overrides `take`, for the meaning of a message, and `next_datagram`, for the source of datagrams.
    """

    def __cinit__(self):
        self.recycler = Recycler()

    def feed(self, list datagram not None):
        """Supply the messages of a received datagram. They are read before those of the socket."""
        if self.cursor.left:
            raise ValueError("the last datagram has not been read yet")
        self.fed_bytes = joined(datagram)
        self.fed = datagram
        self.at_fed = True
        self.begin_fed()
        self.cursor.at = <const uint8_t *>PyBytes_AS_STRING(self.fed_bytes)
        self.cursor.left = PyBytes_GET_SIZE(self.fed_bytes)

    cdef int begin_fed(self) except -1:
        """Prepare for the datagram of `feed`."""
        return 0

    cdef int take(self, const nl_message *m) noexcept nogil:
        """Process a message: 0, or the reason to end `fill`. BEHIND leaves the message in its datagram."""
        return 0

    cdef int next_datagram(self) noexcept nogil:
        """Point the cursor at the next datagram, if it is for this receiver: 0, or the reason to end `fill`."""
        return HUNGRY

    cdef int fill(self, Py_ssize_t rows, int patience) noexcept nogil:
        """Add records to the store until it has rows of them, or another reason to end. Returns the reason."""
        cdef nl_message m
        cdef nl_step step
        cdef nl_cursor cursor = self.cursor
        cdef const uint8_t *start
        cdef int result, datagrams = 0
        while True:
            while True:
                if self.store.count >= rows:
                    self.cursor = cursor
                    return ENOUGH
                step = nl_next_message(&cursor, &m)
                if step != NL_ITEM:
                    break
                result = self.take(&m)
                if result:
                    if result == BEHIND:
                        start = m.payload - NL_HEADER
                        cursor.left += cursor.at - start
                        cursor.at = start
                    self.cursor = cursor
                    return result
            self.cursor.left = 0
            self.at_fed = False
            if step == NL_BAD:
                return FRAMING
            datagrams += 1
            if datagrams > patience:
                return PAUSE
            result = self.next_datagram()
            if result:
                return result
            cursor = self.cursor

    cdef int run(self, Py_ssize_t rows, int patience) except? -1:
        """`fill`, resumed after signals. Their handlers may raise, also at a pause."""
        cdef int result
        while True:
            if self.store is None:
                self.store = self.recycler.new_store()
            with nogil:
                result = self.fill(rows, patience)
            if result == -EINTR or result == PAUSE:
                PyErr_CheckSignals()
            if result != -EINTR:
                return result

    cdef Batch filled(self):
        """The records of the store as a batch."""
        store = self.store
        self.store = None
        return make_batch(self.now.cls, self.recycler.compact(store))

    cdef object error_of(self, int result, uint32_t sequence):
        """The error for a reason to end. sequence: that of the request."""
        if result == FAILED:
            return verdict_error("receive", &self.verdict, sequence)
        if result == CUT:
            return DecodeError("the message that ends the reply has too few bytes for its errno")
        if result == FOREIGN:
            return OpError("validate", OSError(EPROTO, f"a message of another request in the reply to {sequence}"),
                           sequence=sequence)
        if result == MALFORMED:
            return fault_error(self.now.cls, self.now.table, &self.fault)
        if result == FRAMING:
            return DecodeError("a message's length field does not fit its datagram")
        if result == LIST:
            return DecodeError(f"{self.now.cls.__name__}: the length field of an attribute does not fit its list")
        if result == SHORT:
            return DecodeError("a message is shorter than the header of its protocol, such as genlmsghdr")
        if result == TEXT:
            return DecodeError(f"{self.now.cls.__name__}: {TOO_LONG}")
        if result == REMOVED:
            return OpError("receive", OSError(ENOENT, "the kernel has removed the family, as with its module: open the "
                                                      "stream again"))
        return OpError("receive", -result)


@cython.final
cdef class Reader(Receiver):
    """A reader of the reply to one request, directly into batches.

    declaration: the class of the bytes after nlmsghdr, and after skip bytes: those of the protocol's header, such as
    the 4 of genlmsghdr. answer: the first of these in the messages of the reply; all others are ignored. None for any.
    match: selects records; None for all.
    within: if the records are the items of a list in each message: the bytes before the attributes of the message, the
    attribute type of the list, and that of its items; or that of the items and -1, if they are in no list. The batch is
    interrupted if these bytes differ between messages.

    It reads datagrams from the real socket, without the GIL, or from `feed`. A datagram without messages is the end of
    the reply of a test double.
    """

    def __cinit__(self, declaration, Match match=None, size_t skip=0, answer=None, within=None):
        self.now = Declared(declaration, match)
        self.skip = skip
        self.before, self.lists, self.items = (0, -1, -1) if within is None else within
        self.answer = ANY_COMMAND if answer is None else answer

    def __dealloc__(self):
        free_buffer(&self.buffer)

    def begin(self, Message request not None):
        """Begin with the reply to a request, before or after the request is sent."""
        memset(&self.reply, 0, sizeof(self.reply))
        self.headed = False
        self.reply.kind = NL_REPLY_DUMP if request.h.flags & NL_F_DUMP == NL_F_DUMP else NL_REPLY_PLAIN
        self.reply.sequence = request.h.sequence
        self.reply.pid = request.h.pid

    @property
    def done(self):
        """Whether the reply has ended, and all of it is in batches."""
        return self.reply.done != 0 and self.store is None

    @property
    def ended(self):
        """Whether the reply has ended."""
        return self.reply.done != 0

    @property
    def queued_only(self):
        """Whether the rest of the reply is queued already."""
        return self.reply.queued_only != 0

    def end(self):
        """End the reply, as nothing more is queued."""
        self.reply.done = 1

    def read(self, Socket sock, Py_ssize_t rows, int patience):
        """A `Batch` of rows records, or of fewer at the end, when `done` becomes true; or why there is none.

        sock: the real socket, which is read without waiting; the caller holds its lock to receive. None: only `feed`.
        patience: datagrams to read before PAUSE.
        Raises as `netlink.Conn.execute`; the records of the unfinished batch are dropped then.
        """
        cdef Batch batch
        cdef int result
        self.sock = sock
        result = self.run(rows, patience)
        if result == -EAGAIN:
            if not self.reply.queued_only:
                return READABLE
            self.reply.done = 1
            result = DONE
        if result == PAUSE or result == HUNGRY:
            return result
        if result == ENOUGH or result == DONE or result == BEHIND:
            batch = self.filled()
            batch.interrupted_ = self.reply.interrupted != 0
            return batch
        if result == FRAMING:
            self.end_datagram()
        self.store = None
        raise self.error_of(result, self.reply.sequence)

    def rest(self):
        """The unread messages of the current datagram; none if its rest is malformed."""
        cdef size_t left = self.cursor.left
        cdef list messages
        self.cursor.left = 0
        self.begun = False
        try:
            messages = parse_messages(self.cursor.at, left)
        except DecodeError:
            return []
        # The messages of `feed` themselves, if there are any.
        return self.fed[len(self.fed) - len(messages):] if self.at_fed else messages

    cdef int begin_fed(self) except -1:
        self.end_datagram()
        self.begun = True
        self.empty = not self.fed
        return 0

    cdef int take(self, const nl_message *m) noexcept nogil:
        cdef nl_role role = nl_reply_message(&self.reply, &m.header, m.payload, m.size, &self.verdict)
        if role == NL_ROLE_DATA:
            if self.skip == 0 and self.lists < 0:
                return self.keep(m.payload, m.size)
            if m.size < self.skip:
                return SHORT
            if self.lists >= 0:
                if m.size < self.skip + self.before:
                    return SHORT
                self.compare_head(m.payload + self.skip)
                return self.keep_each(m.payload + self.skip + self.before, m.size - self.skip - self.before)
            if self.answer != ANY_COMMAND and m.payload[0] != self.answer:
                return 0
            return self.keep(m.payload + self.skip, m.size - self.skip)
        if role == NL_ROLE_END or role == NL_ROLE_LAST:
            return DONE
        if role == NL_ROLE_BEHIND:
            return BEHIND
        if role == NL_ROLE_FAILED:
            return FAILED
        if role == NL_ROLE_CUT:
            return CUT
        return FOREIGN if role == NL_ROLE_FOREIGN else 0

    cdef void compare_head(self, const uint8_t *head) noexcept nogil:
        """Note that lists are of different states if what is before them differs, such as nf_tables' generation."""
        cdef size_t size = self.before if self.before < HEAD_MAX else <size_t>HEAD_MAX
        if self.headed and memcmp(head, self.head, size):
            self.reply.interrupted = 1
        memcpy(self.head, head, size)
        self.headed = True

    cdef int keep_each(self, const uint8_t *payload, size_t size) noexcept nogil:
        """Add the records in the list of a message: 0 or the reason to end."""
        cdef nl_cursor outer, inner
        cdef nl_attribute found, item
        cdef nl_step step
        cdef int result
        outer.at, outer.left = payload, size
        while True:
            step = nl_next_attribute(&outer, &found)
            if step != NL_ITEM:
                return LIST if step == NL_BAD else 0
            if found.type & NL_ATTR_TYPE != self.lists:
                continue
            if self.items < 0:
                result = self.keep(found.payload, found.size)
                if result:
                    return result
                continue
            inner.at, inner.left = found.payload, found.size
            while True:
                step = nl_next_attribute(&inner, &item)
                if step != NL_ITEM:
                    break
                if item.type & NL_ATTR_TYPE == self.items:
                    result = self.keep(item.payload, item.size)
                    if result:
                        return result
            if step == NL_BAD:
                return LIST

    cdef inline int keep(self, const uint8_t *payload, size_t size) noexcept nogil:
        """Add a record to the store if it matches: 0 or MALFORMED."""
        cdef size_t heap
        if self.now.match is None:
            # A separate case, as most dumps have no match: the size of the heap is not needed.
            return MALFORMED if self.store.add(&self.now.table.set, &self.now.shapes, payload, size,
                                               &self.fault) < 0 else 0
        heap = self.store.heap.size
        if self.store.add(&self.now.table.set, &self.now.shapes, payload, size, &self.fault) < 0:
            return MALFORMED
        if not self.now.match.matches(self.store.last(&self.now.table.set), self.store.heap.data):
            self.store.drop_last(&self.now.table.set, heap)
        return 0

    cdef void end_datagram(self) noexcept nogil:
        """Update the reply at the end of the current datagram."""
        if self.begun:
            self.begun = False
            nl_reply_datagram(&self.reply, self.empty)

    cdef int next_datagram(self) noexcept nogil:
        cdef Py_ssize_t got
        self.end_datagram()
        if self.reply.done:
            return DONE
        if self.sock is None:
            return HUNGRY
        got = receive_into(self.sock, &self.buffer, False)
        if got < 0:
            return <int>got
        self.cursor.at = self.buffer.data
        self.cursor.left = got
        self.begun = got > 0
        self.empty = False
        return 0


@cython.final
cdef class StreamReader(Receiver):
    """A reader of the messages that the kernel sends to a socket without any other reader.

    sock: the socket; None: only `feed`, and `read` never waits.
    kinds: (message type, declaration, event, flag mask, flags, command) each. All other messages are skipped. event:
    the value of the field that `schema.event` declares; None for no value. command: that of genlmsghdr, which the
    declaration follows; None for no such header.
    sender: messages from another port id, the kernel's by default, are skipped. None: the kernel lets nobody else send,
    and no sender is looked at, which saves time.
    user: messages of another user are skipped, as SCM_CREDENTIALS has them; 0 is the kernel, too. None for any.
    form: writes each datagram as attributes, before it is read as one message of the type FORM_TYPE. Datagrams of
    another form are skipped. `lost` is then at least the number of messages that the form is missing.
    counter: a field with which the kernel numbers messages from first on, or (a struct, a field in it): `lost` counts
    its gaps. Without it, `lost` counts the drops of the socket, unless count_drops is false.
    ledger: is given the numbers of the messages, and refusals of the answers to them; None for none.
    matches: select records, for some of the declarations. A match sees the event. The records that it leaves out are no
    loss.
    slot: limit of a datagram in bytes. A longer one is truncated, counted as lost, and raises the limit. views: whether
    a declaration has fields that are views.
    family: the number of a generic family. Once the controller has reported its removal, all reads raise OpError
    (ENOENT), since the kernel sends no more of its messages. 0 for none.
    """

    def __cinit__(self, Socket sock, kinds, *, counter=None, uint32_t first=0, Ledger ledger=None,
                  bint count_drops=True, matches=(), size_t slot, bint views=False, sender=0, user=None, Form form=None,
                  uint16_t family=0):
        cdef Kind *kind
        cdef uint8_t number
        cdef Declared declared
        cdef Match match
        cdef Number numbered = None if counter is None else Number(counter)
        kinds = list(kinds)
        self.sock = sock
        self.declared = []
        self.kinds = <Kind *>PyMem_Calloc(max(len(kinds), 1), sizeof(Kind))
        if self.kinds == NULL:
            raise MemoryError
        for type_, declaration, event, mask, flags, command in kinds:
            kind = &self.kinds[self.kind_count]
            kind.declared = self.place_of(declaration, numbered)
            kind.type, kind.mask, kind.flags = type_, mask, flags
            kind.event = NO_EVENT
            if event is not None:
                number = event
                kind.event = number
            kind.command = ANY_COMMAND
            if command is not None:
                number = command
                kind.command = number
            declared = self.declared[kind.declared]
            if kind.event != NO_EVENT and declared.event is None:
                raise TypeError(f"{declaration.__name__} declares no event")
            self.kind_count += 1
        for match in matches:
            declared = next((each for each in self.declared if (<Declared>each).table is match.table), None)
            if declared is None:
                raise TypeError("a match is for none of the declarations")
            declared.match = match
        if self.declared:
            self.use(0)
        self.counted = numbered is not None
        self.next_count = first
        self.ledger = ledger
        self.counts_drops = count_drops and not self.counted and sock is not None
        self.slot = slot
        self.views = views
        self.named = sender is not None
        self.sender = 0 if sender is None else sender
        self.of_user = user is not None
        self.user = 0 if user is None else user
        self.form = form
        self.family = family
        self.ready = []
        if self.counts_drops:
            self.drops = sock.drops

    def __dealloc__(self):
        free_ring(&self.ring)
        nl_area_free(&self.written)
        PyMem_Free(self.kinds)

    cdef int place_of(self, declaration, Number counter) except -1:
        """The index of a declaration in `declared`."""
        for i, each in enumerate(self.declared):
            if (<Declared>each).cls is declaration:
                return i
        self.declared.append(Declared(declaration, None, counter))
        return len(self.declared) - 1

    cdef int use(self, int place) except -1:
        """Use a declaration for the next records of the store."""
        self.now = self.declared[place]
        self.place = place
        return 0

    def read(self, Py_ssize_t rows, bint wait, list into=None):
        """A `Batch` of at most rows records of one declaration. It is empty if nothing is queued and wait is false,
        or if all that was queued is lost, which `lost` counts.

        into: a list to append the batch to as well. An exception of a signal handler, which may be raised as soon as
        this method returns, does not lose the batch then.
        Raises OpError and DecodeError, after a batch of the records before the error; the next read continues.
        """
        batch = self.ready.pop(0) if self.ready else self.read_until(rows, wait, 0)
        if into is not None:
            into.append(batch)
        return batch

    def take_acknowledgement(self, uint32_t sequence, int64_t queue):
        """Receive the acknowledgement of a request, which the kernel queues before the send returns, if there is room.

        queue: the size of the read buffer in bytes; the acknowledgement is not after more bytes than that.
        OpError for a refusal, and ENOBUFS if it was dropped. The next `read` returns the records before it.
        """
        self.ahead = queue
        self.read_until(PY_SSIZE_T_MAX, False, sequence)

    def end_when_empty(self, uint32_t sequence=0):
        """End the stream (`ended`) when nothing is queued, or earlier with the acknowledgement of a request.

        sequence: of that request. A waiting `read` continues to wait: it must be woken.
        """
        self.draining = True
        self.last = sequence

    cdef Batch read_until(self, Py_ssize_t rows, bint wait, uint32_t sequence):
        cdef int result
        self.awaited = sequence
        self.wait = wait
        if self.later is not None:
            later = self.later
            self.later = None
            raise later
        self.reported = self.lost
        while True:
            result = self.run(rows, PATIENCE)
            if result == BEHIND and (sequence or not self.store.count):
                if self.store.count:
                    self.ready.append(self.handed_out())
                self.use(self.next_place)
            elif result != PAUSE:
                break
        if result == ACKNOWLEDGED:
            return None
        if self.ended:
            self.cursor.left = 0
        if sequence and result == -EAGAIN:
            raise OpError("receive", OSError(ENOBUFS, "the read buffer was full of messages when the kernel answered, "
                                                      "and the answer is lost: ask for a larger read_buffer"),
                          sequence=sequence)
        if result == ENOUGH or result == BEHIND or result == LOSS or result == DONE or result == -EAGAIN:
            return self.handed_out()
        error = self.error_of(result, sequence)
        if result == FAILED or sequence or not self.store.count:
            raise error
        self.later = error
        return self.handed_out()

    cdef Batch handed_out(self):
        """The records of the store as a batch. The rest of the current datagram stays in its store."""
        if not self.cursor.left:
            self.at_hand = None
        elif self.fresh:
            self.at_hand = self.store
        self.fresh = False
        return self.filled()

    cdef int take(self, const nl_message *m) noexcept nogil:
        cdef uint8_t *record
        cdef int64_t number
        cdef uint32_t count
        cdef size_t skip = 0
        cdef size_t heap = self.store.heap.size
        cdef const Kind *kind = self.kinds
        cdef const Kind *end = self.kinds + self.kind_count
        if m.header.type < MIN_TYPE:
            return self.answer(m)
        while kind < end:
            if m.header.type == kind.type and m.header.flags & kind.mask == kind.flags:
                if kind.command == ANY_COMMAND:
                    skip = 0
                    break
                skip = GENL_HEADER
                if m.size < skip:
                    return SHORT
                if m.payload[0] == kind.command:
                    break
            kind += 1
        else:
            if self.family and self.reports_removal(m):
                self.removed = True
                return REMOVED
            return 0
        if kind.declared != self.place:
            self.next_place = kind.declared
            return BEHIND
        if self.store.add(&self.now.table.set, &self.now.shapes, m.payload + skip, m.size - skip, &self.fault) < 0:
            return MALFORMED
        record = self.store.last(&self.now.table.set)
        if kind.event != NO_EVENT:
            record[self.now.event.offset] = <uint8_t>kind.event
            record[self.now.event.presence + (self.now.event.bit >> 3)] |= 1 << (self.now.event.bit & 7)
        if self.now.counter is not None:
            number = self.now.counter.of(record)
            if number >= 0:
                count = <uint32_t>number
                self.lost += <uint32_t>(count - self.next_count)
                self.next_count = count + 1
                if self.ledger is not None:
                    nl_ledger_give(&self.ledger.c, count)
        if self.now.match is not None and not self.now.match.matches(record, self.store.heap.data):
            self.store.drop_last(&self.now.table.set, heap)
        return 0

    cdef bint reports_removal(self, const nl_message *m) noexcept nogil:
        """Whether the controller reports the removal of the family in a message."""
        cdef nl_cursor cursor
        cdef nl_attribute a
        if m.header.type != GENL_ID_CTRL or m.size < GENL_HEADER or m.payload[0] != CTRL_CMD_DELFAMILY:
            return False
        cursor.at = m.payload + GENL_HEADER
        cursor.left = m.size - GENL_HEADER
        while nl_next_attribute(&cursor, &a) == NL_ITEM:
            if a.type & NL_ATTR_TYPE == CTRL_ATTR_FAMILY_ID and a.size == 2:
                return nl_load16(a.payload) == self.family
        return False

    cdef int answer(self, const nl_message *m) noexcept nogil:
        """Process a control message. The result DONE only closes a batch here, and reports no error."""
        cdef nl_verdict_kind kind
        cdef nl_verdict refusal
        if m.header.type != NL_TYPE_ERROR or not m.header.sequence:
            return 0
        if m.header.sequence == self.last:
            self.ended = True
            return DONE
        if m.header.sequence != self.awaited:
            if self.ledger is not None and m.header.sequence & NL_LEDGER_ANSWER:
                if nl_parse_verdict(&m.header, m.payload, m.size, &refusal) == NL_FAILED:
                    # The kernel checks the permission once for a datagram.
                    nl_ledger_refuse(&self.ledger.c, m.header.sequence, <int>refusal.error, refusal.error == EPERM)
            return 0
        kind = nl_parse_verdict(&m.header, m.payload, m.size, &self.verdict)
        return ACKNOWLEDGED if kind == NL_ACK else FAILED if kind == NL_FAILED else FRAMING

    cdef int next_datagram(self) noexcept nogil:
        cdef int result
        cdef bint some = self.store.count != 0
        if self.ended:
            return DONE
        if self.removed:
            return REMOVED
        if self.awaited:
            if self.ahead < 0:
                return -EAGAIN
            result = self.receive(False)
            self.ahead -= max(<int64_t>self.cursor.left, <int64_t>CHARGE_MIN)
            return result
        if self.position == self.received and self.lost != self.reported:
            return LOSS
        result = self.receive(self.wait and not self.draining and not some)
        if (result == -EAGAIN or result == -ETIMEDOUT) and some:
            return ENOUGH
        if result == -EAGAIN and self.draining:
            self.ended = True
            return DONE
        return result

    cdef int receive(self, bint wait) noexcept nogil:
        """`next_datagram` from the socket: 0 or a negative errno."""
        cdef int i, result
        cdef size_t size
        if self.sock is None:
            return -EAGAIN
        if self.views and self.store.count and self.store.datagrams.size + self.slot > UINT32_MAX - 4:
            return -EAGAIN  # beyond the offsets of a record: full
        if self.position == self.received:
            if self.views and not self.brief:
                return self.receive_into_store(wait)
            result = self.refill(wait)
            if result < 0 or not self.received:
                return result
        i = self.position
        self.position += 1
        size = self.ring.headers[i].msg_len
        if self.ring.senders[i].nl_pid != self.sender:
            return 0
        if self.of_user and user_of(&self.ring, <unsigned>i) != self.user:
            return 0
        if size > <size_t>BRIEF:
            self.brief = False
        if size > self.ring.slot_size:
            self.slot = max(self.slot, nl_align(size))
            if not self.counted:
                self.lost += 1
            return 0
        if self.form is not None:
            return self.write(<const uint8_t *>self.ring.vectors[i].iov_base, size)
        self.cursor.at = <const uint8_t *>self.ring.vectors[i].iov_base
        self.cursor.left = size
        return 0

    cdef int write(self, const uint8_t *datagram, size_t size) noexcept nogil:
        """Point the cursor at what the form makes of a datagram: 0, TEXT or a negative errno.

        A datagram of another form is skipped. Of the missing messages those that the socket dropped are lost already.
        """
        cdef nl_header header
        cdef int result
        self.written.size = 0
        if nl_area_reserve(&self.written, NL_HEADER) < 0:
            return -ENOMEM
        self.written.size = NL_HEADER
        result = self.form.write(datagram, size, &self.written)
        if self.form.missing > self.lost:
            self.lost = self.form.missing
        if result:
            return 0 if result == NL_FORM_OTHER else TEXT if result == -E2BIG else result
        memset(&header, 0, sizeof(header))
        header.length = <uint32_t>self.written.size
        header.type = FORM_TYPE
        memcpy(self.written.data, &header, NL_HEADER)
        self.cursor.at = self.written.data
        self.cursor.left = self.written.size
        return 0

    cdef int refill(self, bint wait) noexcept nogil:
        cdef int result
        cdef size_t slots
        self.position = self.received = 0
        if self.ring.slot_size < self.slot:
            free_ring(&self.ring)
            slots = min(<size_t>SLOTS, max(<size_t>1, <size_t>RING_SIZE // self.slot))
            result = init_ring(&self.ring, <unsigned>slots, self.slot,
                               (NL_RING_SENDERS if self.named else 0) | (NL_RING_CREDENTIALS if self.of_user else 0))
            if result < 0:
                return result
        result = receive_ring(self.sock, &self.ring, wait)
        if result >= 0:
            self.received = result
        elif result != -ENOBUFS:
            return result
        return self.count_drops()

    cdef int receive_into_store(self, bint wait) noexcept nogil:
        """Receive a datagram to where views may refer to it."""
        cdef size_t start = nl_align(self.store.datagrams.size) if self.store.count else 0
        cdef uint32_t sender = 0
        cdef Py_ssize_t got
        self.store.datagrams.size = start
        if nl_area_reserve(&self.store.datagrams, self.slot) < 0:
            return -ENOMEM
        got = receive_at(self.sock, self.store.datagrams.data + start, self.slot, &sender if self.named else NULL,
                         wait)
        if got < 0 and got != -ENOBUFS:
            return <int>got
        if got <= 0 or sender != self.sender:
            return self.count_drops()
        self.brief = got <= BRIEF
        if got > <Py_ssize_t>self.slot:
            self.slot = nl_align(<size_t>got)
            if not self.counted:
                self.lost += 1
        else:
            self.cursor.at = self.store.datagrams.data + start
            self.cursor.left = <size_t>got
            self.store.datagrams.size = start + <size_t>got
            self.fresh = True
        return self.count_drops()

    cdef int count_drops(self) noexcept nogil:
        cdef uint32_t count = 0
        cdef int result
        if self.counts_drops:
            result = drops(self.sock, &count)
            if result < 0:
                return result
            self.lost += <uint32_t>(count - self.drops)
            self.drops = count
        return 0
