"""Receives what the kernel sends unasked straight into batches: no Message in between, and no GIL."""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, ENOMEM, ETIMEDOUT
from libc.stdint cimport UINT32_MAX, uint8_t

from netlink._codec cimport verdict_error
from netlink._engine.match cimport Match
from netlink._engine.record cimport (
    NL_K_EVENT,
    Record,
    fault_error,
    make_batch,
    nl_area_reserve,
    nl_load_int,
    nl_shapes_free,
    table_of,
)
from netlink._transport cimport drops, free_ring, init_ring, receive_at, receive_ring
from netlink._wire cimport (
    NL_ACK,
    NL_BAD,
    NL_FAILED,
    NL_ITEM,
    NL_TYPE_ERROR,
    nl_align,
    nl_next_message,
    nl_parse_verdict,
    nl_step,
    nl_verdict_kind,
)

from netlink.errors import DecodeError, OpError

cdef extern from "Python.h":
    const Py_ssize_t PY_SSIZE_T_MAX

cdef enum:
    SLOTS = 64
    # Datagrams between two looks at signals.
    PATIENCE = 1024
    # Messages below it are netlink's own: NLMSG_MIN_TYPE.
    MIN_TYPE = 16
    NO_EVENT = 256

# How filling a store ended; negative: an errno.
cdef enum:
    ENOUGH = 1
    LOSS
    ENDED
    ACKNOWLEDGED
    REFUSED
    MALFORMED
    FRAMING
    PAUSE
    OTHER  # the next message is of another declaration than those in the store


def batch_of(Record record not None):
    """A batch of one record, which shares its memory: for streams of records that are there already."""
    cdef Table table = record.checked_table()
    cdef Batch batch = make_batch(type(record), record.store)
    if record.base != record.outer:
        raise TypeError(f"this {type(record).__name__} is a part of another record")
    at = (record.base - record.store.records.data) // (table.set.record_size + 4)
    return batch[at : at + 1]


@cython.final
cdef class Declared:
    """A declaration whose records a reader gives, and what decoding by it needs."""

    def __cinit__(self, declaration, Field counter):
        self.cls = declaration
        self.table = table_of(declaration)
        self.counter = counter if counter is not None and counter.layout is self.table else None
        for field in declaration.__fields__.values():
            if (<Field?>field).kind == NL_K_EVENT:
                self.event = field

    def __dealloc__(self):
        nl_shapes_free(&self.shapes)


@cython.final
cdef class StreamReader:
    """Reads the messages that the kernel sends to a socket which nobody else reads.

    kinds: (message type, declaration, event, flag mask, flags) each. Messages of no kind are passed over, and so is
    what comes from another port than sender, the kernel's. event: what the field of the declaration that was made by
    `schema.event` gets; None for nothing.
    counter: a field in which the kernel counts messages from 0 on: `lost` is what is missing in it. Without one `lost`
    is what the kernel counts as dropped at the socket, unless count_drops is false.
    matches: for some of the declarations, which of their records are wanted. A match sees the event, and what it leaves
    out is no loss.
    slot: bytes that a datagram may have; a longer one is cut, counted as lost, and makes room for the next. keeps:
    whether a declaration has fields that are views.
    """

    def __cinit__(self, Socket sock not None, kinds, *, Field counter=None, bint count_drops=True, matches=(),
                  size_t slot, bint keeps=False, uint32_t sender=0):
        cdef Kind *kind
        cdef uint8_t number
        cdef Declared declared
        cdef Match match
        kinds = list(kinds)
        self.sock = sock
        self.declared = []
        self.kinds = <Kind *>PyMem_Calloc(max(len(kinds), 1), sizeof(Kind))
        if self.kinds == NULL:
            raise MemoryError
        for type_, declaration, event, mask, flags in kinds:
            kind = &self.kinds[self.kind_count]
            kind.declared = self.place_of(declaration, counter)
            kind.type, kind.mask, kind.flags = type_, mask, flags
            kind.event = NO_EVENT
            if event is not None:
                number = event
                kind.event = number
            declared = self.declared[kind.declared]
            if kind.event != NO_EVENT and declared.event is None:
                raise TypeError(f"{declaration.__name__} declares no event")
            self.kind_count += 1
        for match in matches:
            declared = next((each for each in self.declared if (<Declared>each).table is match.table), None)
            if declared is None:
                raise TypeError("a match is of none of the declarations")
            declared.match = match
        if self.declared:
            self.use(0)
        self.counted = counter is not None
        self.counts_drops = count_drops and not self.counted
        self.slot = slot
        self.keeps = keeps
        self.sender = sender
        self.recycler = Recycler()
        self.ready = []
        if self.counts_drops:
            self.drops = sock.drops

    def __dealloc__(self):
        free_ring(&self.ring)
        PyMem_Free(self.kinds)

    cdef int place_of(self, declaration, Field counter) except -1:
        """Where in `declared` a declaration is."""
        for i, each in enumerate(self.declared):
            if (<Declared>each).cls is declaration:
                return i
        self.declared.append(Declared(declaration, counter))
        return len(self.declared) - 1

    cdef int use(self, int place) except -1:
        """Fill the store with records of this declaration from now on."""
        self.now = self.declared[place]
        self.place = place
        return 0

    def read(self, Py_ssize_t rows, bint wait, list into=None):
        """A `Batch` of what has come next, records of one declaration, at most rows; an empty one where none is queued
        and wait is false, or where all that came was lost: `lost` has grown then.

        into: a list that the batch is put into, too: an exception of a signal handler, which may come as soon as this
        returns, does not lose it then.
        Raises OpError and DecodeError; what was decoded before is handed out first, and the next call goes on.
        """
        batch = self.ready.pop(0) if self.ready else self.read_until(rows, wait, 0)
        if into is not None:
            into.append(batch)
        return batch

    def await_acknowledgement(self, uint32_t sequence):
        """Wait for the kernel's answer to a request; what else comes is handed out by the next `read`. OpError."""
        self.read_until(PY_SSIZE_T_MAX, True, sequence)

    def end_when_empty(self, uint32_t sequence=0):
        """Let the stream end, `ended`, where nothing is queued, or before that with the kernel's answer to the request
        of this number. A `read` that waits does not see it: make it look again."""
        self.draining = True
        self.last = sequence

    cdef Batch read_until(self, Py_ssize_t rows, bint wait, uint32_t sequence):
        cdef nl_fault fault
        cdef nl_verdict verdict
        cdef int result
        self.awaited = sequence
        if self.held is not None:
            held = self.held
            self.held = None
            raise held
        while True:
            if self.store is None:
                self.store = self.recycler.new_store()
            with nogil:
                result = self.fill(rows, wait, &fault, &verdict)
            if result == -EINTR or result == PAUSE:
                PyErr_CheckSignals()
                continue
            if result == LOSS and sequence:
                continue
            if result == OTHER and (sequence or not self.store.count):
                if self.store.count:
                    self.ready.append(self.handed_out())
                self.use(self.next_place)
                continue
            break
        if result == ACKNOWLEDGED:
            return None
        if result == REFUSED:
            raise verdict_error("receive", &verdict, sequence)
        if result == ENOUGH or result == OTHER or result == LOSS or result == ENDED or result == -EAGAIN:
            return self.handed_out()
        if result == MALFORMED:
            error = fault_error(self.now.cls, self.now.table, &fault)
        elif result == FRAMING:
            error = DecodeError("a message's length field does not fit its datagram")
        else:
            error = OpError("receive", -result)
        if sequence or not self.store.count:
            raise error
        self.held = error
        return self.handed_out()

    cdef Batch handed_out(self):
        """What the store has, as a batch. What is left of the datagram at hand lies in the store it was received to."""
        batch = make_batch(self.now.cls, self.recycler.compact(self.store))
        if not self.cursor.left:
            self.at_hand = None
        elif self.fresh:
            self.at_hand = self.store
        self.fresh = False
        self.store = None
        return batch

    cdef int fill(self, Py_ssize_t rows, bint wait, nl_fault *fault, nl_verdict *verdict) noexcept nogil:
        cdef nl_message m
        cdef nl_step step
        cdef nl_cursor before
        cdef int result, looked = 0
        cdef uint64_t lost = self.lost
        while not self.ended:
            while self.cursor.left:
                if self.store.count >= rows:
                    return ENOUGH
                before = self.cursor
                step = nl_next_message(&self.cursor, &m)
                if step == NL_ITEM:
                    result = self.take(&m, fault, verdict)
                    if result == OTHER:
                        self.cursor = before
                    if result:
                        return result
                else:
                    self.cursor.left = 0
                    if step == NL_BAD:
                        return FRAMING
            if self.position == self.received and self.lost != lost:
                return LOSS
            looked += 1
            if looked > PATIENCE:
                return PAUSE
            result = self.next_datagram(wait and not self.draining and (self.store.count == 0 or self.awaited != 0))
            if (result == -EAGAIN or result == -ETIMEDOUT) and self.store.count and not self.awaited:
                return ENOUGH
            if result == -EAGAIN and self.draining:
                self.ended = True
            elif result < 0:
                return result
        return ENDED

    cdef int take(self, const nl_message *m, nl_fault *fault, nl_verdict *verdict) noexcept nogil:
        """One message into the store; 0, or why filling ends."""
        cdef nl_verdict_kind said
        cdef uint8_t *record
        cdef uint32_t count
        cdef size_t heap = self.store.heap.size
        cdef const Kind *kind = self.kinds
        cdef const Kind *end = self.kinds + self.kind_count
        if m.header.type < MIN_TYPE:
            # DONE only closes a batch here, and says nothing of errors.
            if m.header.type != NL_TYPE_ERROR or not m.header.sequence:
                return 0
            if m.header.sequence == self.last:
                self.ended = True
                return ENDED
            if m.header.sequence != self.awaited:
                return 0
            said = nl_parse_verdict(&m.header, m.payload, m.size, verdict)
            return ACKNOWLEDGED if said == NL_ACK else REFUSED if said == NL_FAILED else FRAMING
        while kind < end:
            if m.header.type == kind.type and m.header.flags & kind.mask == kind.flags:
                break
            kind += 1
        else:
            return 0
        if kind.declared != self.place:
            self.next_place = kind.declared
            return OTHER
        if self.store.add(&self.now.table.set, &self.now.shapes, m.payload, m.size, fault) < 0:
            return MALFORMED
        record = self.store.last(&self.now.table.set)
        if kind.event != NO_EVENT:
            record[self.now.event.offset] = <uint8_t>kind.event
            record[self.now.event.presence + (self.now.event.bit >> 3)] |= 1 << (self.now.event.bit & 7)
        if (self.now.counter is not None
                and record[self.now.counter.presence + (self.now.counter.bit >> 3)]
                >> (self.now.counter.bit & 7) & 1):
            count = <uint32_t>nl_load_int(record + self.now.counter.offset, 4, 0)
            self.lost += <uint32_t>(count - self.next_count)
            self.next_count = count + 1
        if self.now.match is not None and not self.now.match.matches(record):
            self.store.drop_last(&self.now.table.set, heap)
        return 0

    cdef int next_datagram(self, bint wait) noexcept nogil:
        """Point the cursor at the next datagram: 0 or a negative errno."""
        cdef int i, result
        cdef size_t size
        if self.keeps:
            return self.receive_kept(wait)
        if self.position == self.received:
            result = self.refill(wait)
            if result < 0 or not self.received:
                return result
        i = self.position
        self.position += 1
        size = self.ring.headers[i].msg_len
        if self.ring.senders[i].nl_pid != self.sender:
            return 0
        if size > self.ring.slot_size:
            self.lost += 1
            self.slot = max(self.slot, nl_align(size))
            return 0
        self.cursor.at = <const uint8_t *>self.ring.vectors[i].iov_base
        self.cursor.left = size
        return 0

    cdef int refill(self, bint wait) noexcept nogil:
        cdef int result
        self.position = self.received = 0
        if self.ring.slot_size < self.slot:
            free_ring(&self.ring)
            result = init_ring(&self.ring, SLOTS, self.slot)
            if result < 0:
                return result
        result = receive_ring(self.sock, &self.ring, wait)
        if result >= 0:
            self.received = result
        elif result != -ENOBUFS:
            return result
        return self.look_for_drops()

    cdef int receive_kept(self, bint wait) noexcept nogil:
        cdef size_t start = nl_align(self.store.datagrams.size) if self.store.count else 0
        cdef uint32_t sender = 0
        cdef Py_ssize_t got
        if start + self.slot > UINT32_MAX:  # beyond what a record can refer to: full
            return -EAGAIN
        self.store.datagrams.size = start
        if nl_area_reserve(&self.store.datagrams, self.slot) < 0:
            return -ENOMEM
        got = receive_at(self.sock, self.store.datagrams.data + start, self.slot, &sender, wait)
        if got < 0 and got != -ENOBUFS:
            return <int>got
        if got > <Py_ssize_t>self.slot:
            self.slot = nl_align(<size_t>got)
            if not self.counted:
                self.lost += 1
        elif got > 0 and sender == self.sender:
            self.cursor.at = self.store.datagrams.data + start
            self.cursor.left = <size_t>got
            self.store.datagrams.size = start + <size_t>got
            self.fresh = True
        return self.look_for_drops()

    cdef int look_for_drops(self) noexcept nogil:
        cdef uint32_t count = 0
        cdef int result
        if self.counts_drops:
            result = drops(self.sock, &count)
            if result < 0:
                return result
            self.lost += <uint32_t>(count - self.drops)
            self.drops = count
        return 0
