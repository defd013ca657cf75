"""One dump from parts that several threads receive: its records without doubles, in one batch."""

cimport cython
from libc.stdint cimport UINT32_MAX, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove

from netlink._engine.match cimport find_operand, nl_operand
from netlink._engine.record cimport (
    NL_ADDRESS,
    NL_K_ADDRESS,
    Batch,
    Field,
    Store,
    Table,
    copy_record,
    make_batch,
    nl_area_pool,
    nl_area_reserve,
    nl_heap_alloc,
    nl_load32,
    nl_set,
    pool_of_stores,
    table_of,
)

import os as _os

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void *at) noexcept

nl_area_pool = pool_of_stores()

cdef extern from "_engine/copy.h" nogil:
    struct nl_mover:
        uint8_t *heap
        uint32_t by

    void nl_move_records(const nl_mover *m, const nl_set *set, uint8_t *records, size_t count) noexcept

cdef enum:
    # Bytes of the heap that a record is expected to need.
    HEAP_OF_ONE = 96
    WORDS_MAX = 32
    # Records whose slots are fetched from memory at the same time.
    AHEAD = 32


cdef struct Word:
    uint32_t offset                 # in the record
    uint32_t mask
    uint64_t factor
    bint heap                       # offset is that of an address, and at that of the word in an IPv6 one in the heap
    uint32_t at


@cython.final
cdef class Doubles:
    """The records that were seen, by the fields that identify them.

    declaration: of the records. key: paths of integers and addresses, such as ("orig", "src"). rows: the number of
    records that is expected; there may be more. Records are the same if 64 bits of a hash with random factors are.
    """

    cdef Table table
    cdef Word words[WORDS_MAX]      # of the key
    cdef int word_count
    cdef uint64_t *slots            # hashes, at the first free slot from their low bits on; 0: free
    cdef size_t size                # a power of 2
    cdef size_t used

    def __cinit__(self, declaration, key, size_t rows=0):
        cdef size_t size = 1024, at
        cdef nl_operand operand
        cdef Word *word
        cdef Field field
        cdef bint heap
        self.table = table_of(declaration)
        for path in key:
            field = find_operand(declaration, path, &operand)
            # The words of an address of either family: those of IPv6, of which IPv4 has the first, and the family.
            heap = field.kind == NL_K_ADDRESS and operand.size == NL_ADDRESS
            for at in range(0, 20 if heap else operand.size, 4):
                if self.word_count == WORDS_MAX:
                    raise ValueError(f"a key has at most {4 * WORDS_MAX} bytes")
                word = &self.words[self.word_count]
                self.word_count += 1
                word.heap = heap and at < 16
                word.at = <uint32_t>at
                word.offset = <uint32_t>(operand.offset + (0 if word.heap else at if not heap else 4))
                word.mask = word_mask(4 if word.heap else operand.size - at if not heap else 1)
                word.factor = int.from_bytes(_os.urandom(8), "little") | 1
        while size < rows + rows / 3:
            size *= 2
        self.resize(size)

    def __dealloc__(self):
        free(self.slots)

    cdef int resize(self, size_t size) except -1:
        cdef uint64_t *old = self.slots
        cdef size_t i, count = self.size
        cdef uint64_t *slots = <uint64_t *>calloc(size, sizeof(uint64_t))
        if slots is NULL:
            raise MemoryError
        self.slots, self.size, self.used = slots, size, 0
        for i in range(count):
            if old[i]:
                self.add(old[i])
        free(old)
        return 0

    cdef bint add(self, uint64_t value) noexcept:
        """Add a hash. Returns whether it is new."""
        cdef size_t mask = self.size - 1, i = value & mask
        while self.slots[i]:
            if self.slots[i] == value:
                return False
            i = (i + 1) & mask
        self.slots[i] = value
        self.used += 1
        return True

    cdef uint64_t hash(self, const uint8_t *record, const uint8_t *heap) noexcept:
        """A sum of products, which do not wait for each other. An absent field has zeros."""
        cdef uint64_t value = 0
        cdef uint32_t word
        cdef int i
        cdef const uint8_t *at
        for i in range(self.word_count):
            at = record + self.words[i].offset
            if self.words[i].heap:
                if at[4] == 6:
                    at = heap + nl_load32(at) + self.words[i].at
                elif self.words[i].at:
                    continue
            memcpy(&word, at, 4)
            value += (word & self.words[i].mask) * self.words[i].factor
        value ^= value >> 32
        value *= self.words[0].factor
        value ^= value >> 32
        return value if value else 1

    def remove(self, Batch batch not None):
        """Remove the records that were seen from a fresh batch, which nobody else has, and remember the others."""
        cdef size_t stride = self.table.set.record_size + 4
        cdef uint64_t hashes[AHEAD]
        cdef uint8_t *records
        cdef Py_ssize_t start, i, kept = 0
        if batch.table is not self.table:
            raise TypeError(f"not a batch of the declaration: {batch!r}")
        with cython.critical_section(self):
            while 4 * (self.used + batch.length) > 3 * self.size:
                self.resize(2 * self.size)
            records = <uint8_t *>batch.at(0)
            for start in range(0, batch.length, AHEAD):
                for i in range(min(<Py_ssize_t>AHEAD, batch.length - start)):
                    hashes[i] = self.hash(records + (start + i) * stride, batch.store.heap.data)
                    prefetch(&self.slots[hashes[i] & (self.size - 1)])
                for i in range(min(<Py_ssize_t>AHEAD, batch.length - start)):
                    if self.add(hashes[i]):
                        if kept != start + i:
                            memmove(records + kept * stride, records + (start + i) * stride, stride)
                        kept += 1
        batch.store.records.size -= (batch.length - kept) * stride
        batch.store.count -= batch.length - kept
        batch.length = kept


@cython.final
cdef class Whole:
    """One batch of the records of many, which several threads add.

    declaration: of the records. rows: the number of records that is expected; if there are more, they are copied last.
    """

    cdef object cls
    cdef Table table
    cdef Store store
    cdef list late                  # batches without room
    cdef bint interrupted

    def __cinit__(self, declaration, size_t rows=0):
        self.cls = declaration
        self.table = table_of(declaration)
        self.late = []
        self.store = Store()
        if (nl_area_reserve(&self.store.records, rows * (self.table.set.record_size + 4)) < 0
                or not nl_heap_alloc(&self.store.heap, 8)  # the first bytes, which nothing refers to, and 8 more
                or nl_area_reserve(&self.store.heap, rows * HEAP_OF_ONE) < 0):
            raise MemoryError

    def add(self, Batch batch not None):
        """Add a fresh batch. Only finding room for it needs the GIL."""
        cdef Store store = self.store
        cdef size_t size = batch.length * (self.table.set.record_size + 4), at = 0
        cdef size_t heap = batch.store.heap.size
        cdef nl_mover mover
        cdef bint room
        if batch.table is not self.table:
            raise TypeError(f"not a batch of the declaration: {batch!r}")
        with cython.critical_section(self):
            self.interrupted |= batch.interrupted_
            # Only at their ends do the areas change, and neither moves: other threads write to them.
            room = (batch.length == batch.store.count and batch.step == 1 and batch.store.datagrams.size == 0
                    and size <= store.records.capacity - store.records.size
                    and heap <= store.heap.capacity - store.heap.size and heap <= UINT32_MAX - store.heap.size)
            if room:
                at = store.records.size
                mover.heap = store.heap.data
                mover.by = <uint32_t>store.heap.size
                store.records.size += size
                store.heap.size += heap
                store.count += batch.length
            else:
                self.late.append(batch)
        if room and size:
            with nogil:
                memcpy(store.records.data + at, batch.store.records.data, size)
                if heap:
                    memcpy(mover.heap + mover.by, batch.store.heap.data, heap)
                    nl_move_records(&mover, &self.table.set, store.records.data + at, batch.length)

    def finish(self):
        """The batch of all records, after the last `add` has returned."""
        cdef Store store = self.store
        cdef Batch batch
        cdef Py_ssize_t i
        cdef const uint8_t *record
        for batch in self.late:
            for i in range(batch.length):
                record = batch.at(i)
                copy_record(store, &self.table.set, batch.store, record, record + self.table.set.record_size, 0)
        self.late = []
        batch = make_batch(self.cls, store)
        batch.interrupted_ = self.interrupted
        return batch


cdef uint32_t word_mask(size_t size) noexcept:
    """The bytes of a word that belong to a field with size more bytes."""
    cdef uint8_t bytes[4]
    cdef uint32_t mask
    cdef size_t i
    for i in range(4):
        bytes[i] = 0xff if i < size else 0
    memcpy(&mask, bytes, 4)
    return mask
