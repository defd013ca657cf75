"""Receives what the kernel sends unasked straight into batches: no Message in between, and no GIL."""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, ENOMEM
from libc.stdint cimport UINT32_MAX

from netlink._engine.match cimport Match, match_of
from netlink._engine.record cimport fault_error, make_batch, nl_area_reserve, nl_load_int, nl_shapes_free, table_of
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


@cython.final
cdef class StreamReader:
    """Reads the messages that the kernel sends to a socket which nobody else reads.

    kinds: (message type, flag mask, flags, event) each; messages of no kind are passed over, and what comes from
    another port than sender, the kernel's. event: the field that the kind's event goes into.
    counter: a field in which the kernel counts messages from 0 on: `lost` is what is missing in it. Without one `lost`
    is what the kernel counts as dropped at the socket, unless count_drops is false.
    match: which of the records are wanted, None for all; it sees the event, and what it leaves out is no loss.
    slot: bytes that a datagram may have; a longer one is cut, counted as lost, and makes room for the next. keeps:
    whether the declaration has fields that are views.
    """

    def __cinit__(self, Socket sock not None, declaration, kinds, *, Field event=None, Field counter=None,
                  bint count_drops=True, Match match=None, size_t slot, bint keeps=False, uint32_t sender=0):
        cdef Kind *kind
        self.sock = sock
        self.cls = declaration
        self.table = table_of(declaration)
        if len(kinds) > 8:
            raise ValueError("a stream has at most 8 kinds of messages")
        for type_, mask, flags, number in kinds:
            kind = &self.kinds[self.kind_count]
            kind.type, kind.mask, kind.flags, kind.event = type_, mask, flags, number
            self.kind_count += 1
        self.event = event
        self.counter = counter
        self.counts_drops = count_drops and counter is None
        self.match = match_of(self.table, match)
        self.slot = slot
        self.keeps = keeps
        self.sender = sender
        self.spare = Spare()
        if self.counts_drops:
            self.drops = sock.drops

    def __dealloc__(self):
        free_ring(&self.ring)
        nl_shapes_free(&self.shapes)

    def read(self, Py_ssize_t rows, bint wait, list into=None):
        """A `Batch` of what has come, at most rows; an empty one where none is queued and wait is false, or where all
        that came was lost: `lost` has grown then.

        into: a list that the batch is put into, too: an exception of a signal handler, which may come as soon as this
        returns, does not lose it then.
        Raises OpError and DecodeError; what was decoded before is handed out first, and the next call goes on.
        """
        batch = self.read_until(rows, wait, 0)
        if into is not None:
            into.append(batch)
        return batch

    def await_acknowledgement(self, uint32_t sequence):
        """Wait for the kernel's answer to a request; what else comes is handed out by the next `read`. OpError."""
        self.read_until(PY_SSIZE_T_MAX, True, sequence)

    def end_after(self, uint32_t sequence):
        """Let the stream end, `ended`, with the kernel's answer to a request that was sent, or where nothing is queued:
        the answer is lost then."""
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
        if self.store is None:
            self.store = self.spare.store()
        while True:
            with nogil:
                result = self.fill(rows, wait, &fault, &verdict)
            if result == -EINTR or result == PAUSE:
                PyErr_CheckSignals()
                continue
            if result == LOSS and sequence:
                continue
            break
        if result == ACKNOWLEDGED:
            return None
        if result == REFUSED:
            text = PyUnicode_DecodeUTF8(<const char *>verdict.text, verdict.text_size, "surrogateescape") \
                if verdict.text else ""
            raise OpError("receive", verdict.error, message=text, offset=verdict.offset, sequence=sequence)
        if result == ENOUGH or result == LOSS or result == ENDED or result == -EAGAIN:
            return self.handed_out()
        if result == MALFORMED:
            error = fault_error(self.cls, self.table, &fault)
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
        batch = make_batch(self.cls, self.spare.fitted(self.store))
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
        cdef int result, looked = 0
        cdef uint64_t lost = self.lost
        while not self.ended:
            while self.cursor.left:
                if self.store.count >= rows:
                    return ENOUGH
                step = nl_next_message(&self.cursor, &m)
                if step == NL_ITEM:
                    result = self.take(&m, fault, verdict)
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
            result = self.next_datagram(wait and not self.last and (self.store.count == 0 or self.awaited != 0))
            if result == -EAGAIN and self.store.count:
                return ENOUGH
            if result == -EAGAIN and self.last:
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
        cdef int i
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
        for i in range(self.kind_count):
            if m.header.type == self.kinds[i].type and m.header.flags & self.kinds[i].mask == self.kinds[i].flags:
                break
        else:
            return 0
        if self.store.add(&self.table.set, &self.shapes, m.payload, m.size, fault) < 0:
            return MALFORMED
        record = self.store.last(&self.table.set)
        if self.event is not None:
            record[self.event.offset] = self.kinds[i].event
            record[self.event.presence + (self.event.bit >> 3)] |= 1 << (self.event.bit & 7)
        if (self.counter is not None
                and record[self.counter.presence + (self.counter.bit >> 3)] >> (self.counter.bit & 7) & 1):
            count = <uint32_t>nl_load_int(record + self.counter.offset, 4, 0)
            self.lost += <uint32_t>(count - self.next_count)
            self.next_count = count + 1
        if self.match is not None and not self.match.matches(record):
            self.store.take_back(&self.table.set, heap)
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
        cdef size_t start = nl_align(self.store.kept.size) if self.store.count else 0
        cdef uint32_t sender = 0
        cdef Py_ssize_t got
        if start + self.slot > UINT32_MAX:  # beyond what a record can refer to: full
            return -EAGAIN
        self.store.kept.size = start
        if nl_area_reserve(&self.store.kept, self.slot) < 0:
            return -ENOMEM
        got = receive_at(self.sock, self.store.kept.data + start, self.slot, &sender, wait)
        if got < 0 and got != -ENOBUFS:
            return <int>got
        if got > <Py_ssize_t>self.slot:
            self.slot = nl_align(<size_t>got)
            if self.counter is None:
                self.lost += 1
        elif got > 0 and sender == self.sender:
            self.cursor.at = self.store.kept.data + start
            self.cursor.left = <size_t>got
            self.store.kept.size = start + <size_t>got
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
