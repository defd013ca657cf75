"""Numbers of messages, and a ledger of those that wait for an answer: ledger.h."""

cimport cython

from netlink._engine.record cimport NL_K_INT, NL_SIGNED, Field, nl_load_int

cdef enum:
    SLOTS_MIN = 1024
    SLOTS_MAX = 1 << 20


@cython.final
cdef class Number:
    """The place of a message's number in its record: an unsigned integer of at most 32 bits, or
    (a struct, such an integer in it)."""

    def __cinit__(self, fields):
        cdef Field field, outer
        if isinstance(fields, Field):
            field = fields
            self.table = field.layout
        else:
            outer, field = fields
            if outer.cls is not field.owner:
                raise TypeError(f"{field.name} is not a field of {outer.name}")
            self.table = outer.layout
            self.outer_presence = outer.presence + (outer.bit >> 3)
            self.outer_mask = 1 << (outer.bit & 7)
            self.offset = outer.offset
        if field.kind != NL_K_INT or field.size > 4 or field.flags & NL_SIGNED:
            raise TypeError(f"{field.name} is no unsigned integer of at most 32 bits")
        self.width = field.size
        self.presence = self.offset + field.presence + (field.bit >> 3)
        self.mask = 1 << (field.bit & 7)
        self.offset += field.offset

    cdef int64_t of(self, const uint8_t *record) noexcept nogil:
        """The number, or -1 if the record has none."""
        if self.outer_mask and not record[self.outer_presence] & self.outer_mask:
            return -1
        if not record[self.presence] & self.mask:
            return -1
        return <int64_t>nl_load_int(record + self.offset, self.width, 0)


@cython.final
cdef class Ledger:
    """The numbers of the messages that wait for an answer, and the refused answers by errno.

    most: how many wait at once, in general. More are counted, too, but no longer told apart.
    """

    def __cinit__(self, most):
        cdef uint32_t slots = SLOTS_MIN
        while slots < min(2 * most, SLOTS_MAX):
            slots *= 2
        if nl_ledger_init(&self.c, slots) < 0:
            raise MemoryError

    def __dealloc__(self):
        nl_ledger_free(&self.c)

    @property
    def pending(self):
        """How many wait."""
        return self.c.pending

    @property
    def refused(self):
        """How many answers the kernel refused, by errno."""
        return {error: self.c.refused[error] for error in range(NL_LEDGER_ERRORS) if self.c.refused[error]}
