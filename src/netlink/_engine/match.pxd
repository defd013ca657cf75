# The declarations of match.h for Cython, and of the class over it.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from netlink._engine.record cimport Field, Table

cdef extern from "_engine/match.h" nogil:
    enum:
        NL_OPERANDS_MAX

    struct nl_operand:
        uint32_t offset
        uint32_t presence
        uint8_t bit
        uint8_t size

    struct nl_range:
        uint64_t low
        uint64_t high

    struct nl_network:
        uint8_t bytes[16]
        uint8_t size
        uint8_t bits

    struct nl_test:
        nl_operand operands[3]
        uint8_t operand_count
        uint8_t absent_is_zero
        uint64_t mask
        const nl_range *ranges
        size_t range_count
        const nl_network *networks
        size_t network_count

    struct nl_clause:
        const nl_test *tests
        size_t test_count

    bint nl_match(const nl_clause *clauses, size_t count, const uint8_t *record,
                  const uint8_t *heap) noexcept


cdef class Match:
    cdef Table table                # of the records
    cdef nl_clause *clauses
    cdef size_t count
    cdef list parts                 # owners of the memory that the clauses point to

    cdef void *memory(self, size_t count, size_t size) except NULL
    cdef int set_test(self, nl_test *test, spec, declaration) except -1
    cdef bint matches(self, const uint8_t *record, const uint8_t *heap) noexcept nogil


cdef Field find_operand(declaration, path, nl_operand *operand)
cdef Match match_of(Table table, Match match)
