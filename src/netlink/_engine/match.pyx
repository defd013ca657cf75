"""Tests of records: `Condition` and `Match`, compiled once for a declaration and run in C without the GIL."""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from netlink._engine.record cimport (
    NL_K_ADDRESS,
    NL_K_ADDRESS_BY,
    NL_K_EVENT,
    NL_K_INT,
    NL_K_NESTED,
    NL_K_STRUCT,
    NL_SIGNED,
    Field,
    Record,
    Table,
    table_of,
)

import collections as _collections

Condition = _collections.namedtuple("Condition", ["fields", "values", "mask", "absent_is_zero"], defaults=[None, False])
Condition.__doc__ = """A test: the first present field of a list has one of some values.

fields: at most 3 paths of names such as ("orig", "src_port"), all of integers or all of addresses.
values: pairs of lowest and highest for integers, `ipaddress` networks for addresses.
mask: the bits of an integer that are compared; None: all.
absent_is_zero: if no field is present the value is 0; else the test fails.
"""


@cython.final
cdef class Match:
    """A choice of records: all tests of the first clause hold, and no other clause has all its tests hold.

    declaration: the class of the records. clauses: sequences of `Condition`.
    """

    def __init__(self, declaration, clauses):
        cdef nl_test *tests
        cdef Py_ssize_t i, j
        if self.clauses is not NULL:
            raise TypeError("a Match is made once")
        clauses = tuple(clauses)
        if not clauses:
            raise ValueError("a Match needs a clause")
        self.table = table_of(declaration)
        self.parts = []
        self.clauses = <nl_clause *>self.memory(len(clauses), sizeof(nl_clause))
        for i, clause in enumerate(clauses):
            clause = tuple(clause)
            tests = <nl_test *>self.memory(len(clause), sizeof(nl_test))
            for j, test in enumerate(clause):
                self.set_test(&tests[j], test, declaration)
            self.clauses[i].tests = tests
            self.clauses[i].test_count = len(clause)
        self.count = len(clauses)

    cdef void *memory(self, size_t count, size_t size) except NULL:
        """Zeroed memory that lives as long as the match."""
        area = bytearray(max(count, 1) * size)
        self.parts.append(area)
        return PyByteArray_AS_STRING(area)

    cdef int set_test(self, nl_test *test, spec, declaration) except -1:
        cdef Field field = None
        cdef nl_range *ranges
        cdef nl_network *networks
        cdef Py_ssize_t i
        cdef bytes packed
        # Tuples of their own: others may have another length with each look.
        cdef tuple fields = tuple(spec.fields), values = tuple(spec.values)
        if not 0 < len(fields) <= NL_OPERANDS_MAX:
            raise ValueError(f"a test has 1 to {NL_OPERANDS_MAX} fields, not {len(fields)}")
        kinds = set()
        signed = False
        for i, path in enumerate(fields):
            field = find_operand(declaration, path, &test.operands[i])
            signed = signed or field.flags & NL_SIGNED
            kinds.add(field.kind == NL_K_ADDRESS or field.kind == NL_K_ADDRESS_BY)
        if len(kinds) != 1 or not values:
            raise TypeError("a test has values, and all its fields have one kind")
        test.operand_count = len(fields)
        test.absent_is_zero = spec.absent_is_zero
        test.mask = <uint64_t>-1 if spec.mask is None else spec.mask
        if not kinds.pop():
            ranges = <nl_range *>self.memory(len(values), sizeof(nl_range))
            for i, (low, high) in enumerate(values):
                if signed:
                    # They are compared as their bytes are, in which the negative ones come behind the others.
                    if low < 0 <= high:
                        raise ValueError(f"a range of {field.name} is below 0 or from 0 on, not from {low} to {high}")
                    count = <object>1 << <object>(8 * field.size)
                    low, high = low % count, high % count
                ranges[i].low, ranges[i].high = low, high
            test.ranges, test.range_count = ranges, len(values)
            return 0
        networks = <nl_network *>self.memory(len(values), sizeof(nl_network))
        for i, network in enumerate(values):
            packed = network.network_address.packed
            if len(packed) not in (4, 16) or not 0 <= network.prefixlen <= 8 * len(packed):
                raise ValueError(f"{network!r} is not a network of IPv4 or IPv6")
            networks[i].size = len(packed)
            memcpy(networks[i].bytes, <const char *>packed, networks[i].size)
            networks[i].bits = network.prefixlen
        test.networks, test.network_count = networks, len(values)
        return 0

    cdef bint matches(self, const uint8_t *record, const uint8_t *heap) noexcept nogil:
        return nl_match(self.clauses, self.count, record, heap)

    def __call__(self, Record record not None):
        """Whether a record of the declaration matches."""
        match_of(record.checked_table(), self)
        return self.matches(record.base, record.store.heap.data)


cdef Field find_operand(declaration, path, nl_operand *operand):
    """Fill an operand for the field at a path of names, and return the field."""
    cdef Field field = None
    cdef size_t offset = 0
    cls = declaration
    for name in path:
        if field is not None and cls is None:
            raise TypeError(f"{'.'.join(path)}: {field.name} has no fields")
        if name not in cls.__fields__:
            raise TypeError(f"{cls.__name__} has no field {name!r}")
        field = cls.__fields__[name]
        if field.layout is not table_of(cls):
            raise TypeError(f"{field.name!r} is not a field of {cls.__name__}")
        within = (field.kind == NL_K_NESTED or field.kind == NL_K_STRUCT) and field.annex is None
        cls = field.cls if within else None
        offset += field.offset
    if field.kind not in (NL_K_INT, NL_K_EVENT, NL_K_ADDRESS, NL_K_ADDRESS_BY) or field.annex is not None:
        raise TypeError(f"{'.'.join(path)} is neither an integer nor an address of the record itself")
    operand.offset = offset
    operand.presence = offset - field.offset + field.presence + (field.bit >> 3)
    operand.bit = 1 << (field.bit & 7)
    operand.size = field.size
    return field


cdef Match match_of(Table table, Match match):
    """The match, if it was made for the declaration of the table; None matches every record."""
    if match is not None and match.table is not table:
        raise TypeError("the Match was made for another declaration")
    return match
