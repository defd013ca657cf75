# The declarations of ledger.h for Cython, and of the classes over it.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from netlink._engine.record cimport Table

cdef extern from "_engine/ledger.h" nogil:
    enum:
        NL_LEDGER_ERRORS
        NL_LEDGER_ANSWER
        NL_LEDGER_FIRST
        NL_LEDGER_COUNT

    struct nl_ledger:
        int64_t pending
        unsigned long long refused[134]

    int nl_ledger_init(nl_ledger *l, uint32_t slots) noexcept
    void nl_ledger_free(nl_ledger *l) noexcept
    void nl_ledger_give(nl_ledger *l, uint32_t number) noexcept
    void nl_ledger_settle_all(nl_ledger *l, const uint32_t *numbers, size_t count) noexcept
    void nl_ledger_settle_through(nl_ledger *l, uint32_t last) noexcept
    bint nl_ledger_is(const nl_ledger *l, const uint32_t *numbers, size_t count) noexcept
    void nl_ledger_refuse(nl_ledger *l, uint32_t sequence, int error, int whole) noexcept


cdef class Number:
    cdef Table table
    cdef uint32_t outer_presence    # of the struct that the field is in
    cdef uint8_t outer_mask         # 0: it is in none
    cdef uint32_t presence
    cdef uint8_t mask
    cdef uint32_t offset
    cdef unsigned width             # bytes

    cdef int64_t of(self, const uint8_t *record) noexcept nogil


cdef class Ledger:
    cdef nl_ledger c
