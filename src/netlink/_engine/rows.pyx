"""Requests of many records, nlmsghdr and payload of each, side by side in one buffer: `Rows`."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport E2BIG
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy, memset

from netlink._engine.record cimport (
    NL_K_STRING,
    Batch,
    Record,
    Store,
    Table,
    declared_table,
    nl_area,
    nl_area_free,
    nl_area_pool,
    nl_area_reserve,
    nl_bytes,
    nl_encode,
    nl_load32,
    nl_op,
    nl_present,
    nl_ref,
    nl_set,
    pool_of_stores,
    table_of,
)
from netlink._wire cimport NL_F_ACK, NL_HEADER, nl_align, nl_header

from netlink.errors import EncodeError

nl_area_pool = pool_of_stores()

cdef enum:
    # Shapes that are remembered: more are forgotten together.
    SHAPES_MAX = 1024


@cython.final
cdef class Preparation:
    """What to send for the records of a declaration.

    prepare: a function that returns the record to send for a record; None: the record itself.
    by_shape: whether what prepare returns depends only on which fields the record has and on its header, and differs
    only in the header. It is then called once for each such shape.
    text: the name of a field of text, and the most bytes that it has for that. It is then called for each record whose
    text is longer, empty, or has a NUL.
    """

    def __cinit__(self, declaration, prepare=None, bint by_shape=False, text=None):
        if prepare is not None and not callable(prepare):
            raise TypeError(f"prepare must be a function that returns a record, not {prepare!r}")
        self.table = declared_table(declaration)
        self.declaration = declaration
        self.prepare = prepare
        if text is not None:
            self.text, self.text_max = declaration.__fields__[text[0]], text[1]
            if self.text.kind != NL_K_STRING or self.text.layout is not self.table or self.text.annex is not None:
                raise TypeError(f"{text[0]} is no field of text in {declaration.__name__} itself")
        self.own_first = prepare is None or (by_shape and self.table.set.header is not NULL)
        self.shapes = {}
        if self.table.set.header is not NULL:
            self.header_size = self.table.set.header.set.wire_size

    def payload(self, Record record not None):
        """The payload to send for a record. TypeError for one of another declaration, and what prepare raises."""
        cdef nl_area out
        if record.table is not self.table:
            raise TypeError(f"want a {self.declaration.__name__}, not {record!r}")
        memset(&out, 0, sizeof(out))
        try:
            # Of this size malloc has a block at hand, and most payloads fit.
            if nl_area_reserve(&out, 1024) < 0:
                raise MemoryError
            if self.own_first:
                append(&out, self.table, record.store, record.base, -1)
            self.put(&out, 0, record.store, record.base, record, 0, -1)
            return PyBytes_FromStringAndSize(<const char *>out.data, <Py_ssize_t>out.size)
        finally:
            nl_area_free(&out)

    cdef bytes shape_of(self, const nl_area *out, size_t start, Store store, const uint8_t *record):
        """The presence bits of a record and of its annex, and its header, which begins at start."""
        cdef const nl_set *own = &self.table.set
        cdef const nl_op *annex = own.annex
        cdef uint32_t at = 0 if annex is NULL else nl_load32(record + annex.offset)
        cdef size_t bits = own.record_size - own.presence
        cdef size_t more = annex.set.record_size - annex.set.presence if at else 0
        cdef bytes shape = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(bits + self.header_size + more))
        cdef char *to = PyBytes_AS_STRING(shape)
        memcpy(to, record + own.presence, bits)
        memcpy(to + bits, out.data + start, self.header_size)
        if at:
            memcpy(to + bits + self.header_size, store.heap.data + at + annex.set.presence, more)
        return shape

    cdef bint is_plain(self, Store store, const uint8_t *record) noexcept:
        """Whether the text of a record, if it has one, is as `text` says."""
        cdef nl_ref ref
        if self.text is None or not nl_present(&self.table.set, record, self.text.bit):
            return True
        memcpy(&ref, record + self.text.offset, sizeof(ref))
        return 0 < ref.size <= self.text_max and memchr(store.heap.data + ref.offset, 0, ref.size) is NULL

    cdef int put(self, nl_area *out, size_t start, Store store, const uint8_t *record, object owner,
                 Py_ssize_t index, Py_ssize_t number) except -1:
        """Put the payload to send for a record into out, from start on. own_first: the record's own is there.

        owner, index: a batch that has the record and its place there, or the record. number: of the row, or -1.
        """
        cdef bytes shape = None, payload = None
        cdef Record prepared
        found = None
        if self.prepare is None:
            return 0
        if self.own_first and self.is_plain(store, record):
            shape = self.shape_of(out, start, store, record)
            found = self.shapes.get(shape, self)
            if found is not self and found is not None:
                memcpy(out.data + start, PyBytes_AS_STRING(<bytes>found), self.header_size)
                return 0
            payload = PyBytes_FromStringAndSize(<const char *>out.data + start, <Py_ssize_t>(out.size - start))
        row = (<Batch>owner).view(index) if isinstance(owner, Batch) else owner
        result = self.prepare(row)
        if not isinstance(result, Record) or (<Record>result).table is not self.table:
            raise TypeError(f"prepare must return a {self.declaration.__name__}, not {result!r}")
        prepared = result
        out.size = start
        append(out, self.table, prepared.store, prepared.base, number)
        if shape is not None and found is self:
            if len(self.shapes) >= SHAPES_MAX:
                self.shapes.clear()
            same = (out.size - start == <size_t>PyBytes_GET_SIZE(payload) and not memcmp(
                out.data + start + self.header_size, PyBytes_AS_STRING(payload) + self.header_size,
                out.size - start - self.header_size))
            self.shapes[shape] = (PyBytes_FromStringAndSize(<const char *>out.data + start,
                                                            <Py_ssize_t>self.header_size) if same else None)
        return 0


cdef int append(nl_area *out, Table table, Store store, const uint8_t *record, Py_ssize_t row) except -1:
    """Append the payload of a record. row: its number, or -1, for an error."""
    cdef nl_bytes bytes
    cdef int result
    bytes.heap = store.heap.data
    bytes.datagrams = store.datagrams.data
    result = nl_encode(&table.set, record, &bytes, out)
    if result == -E2BIG:
        raise EncodeError(f"{f'row {row}: ' if row >= 0 else ''}an attribute is longer than 65531 bytes")
    if result < 0:
        raise MemoryError
    return 0


@cython.final
cdef class Rows:
    """Records as requests of one type.

    rows: a `Batch`, or records of one class.
    type, flags: of nlmsghdr. `datagram` chooses which requests ask for an acknowledgement.
    preparation: of what to send for a record; None: the record itself.

    TypeError for records of several classes, EncodeError for an attribute that is too long, and what prepare raises.
    """

    def __cinit__(self, declaration, rows, uint16_t type, uint16_t flags, Preparation preparation=None):
        cdef Batch batch
        cdef Record record
        cdef Py_ssize_t i
        self.declaration = declaration
        self.table = table_of(declaration)
        self.type, self.flags = type, flags & ~NL_F_ACK
        self.preparation = preparation
        if preparation is not None and preparation.table is not self.table:
            raise TypeError(f"want a preparation of {declaration.__name__}, not of {preparation.declaration.__name__}")
        if isinstance(rows, Batch):
            batch = rows
            if batch.table is not self.table:
                raise TypeError(f"want a batch of {declaration.__name__}, not {rows!r}")
            for i in range(batch.length):
                self.add(batch.store, batch.at(i), batch, i)
            return
        for row in rows:
            if not isinstance(row, Record) or (<Record>row).table is not self.table:
                raise TypeError(f"want records of {declaration.__name__}, not {row!r}")
            record = row
            self.add(record.store, record.base, record, 0)

    def __dealloc__(self):
        nl_area_free(&self.out)

    cdef int add(self, Store store, const uint8_t *record, object owner, Py_ssize_t index) except -1:
        """Append the request of a record. owner, index: a batch that has it and its place there, or the record."""
        cdef nl_header header
        cdef size_t start = self.out.size, size
        if nl_area_reserve(&self.out, NL_HEADER) < 0:
            raise MemoryError
        self.out.size += NL_HEADER
        if self.preparation is None or self.preparation.own_first:
            append(&self.out, self.table, store, record, self.count)
        if self.preparation is not None:
            self.preparation.put(&self.out, start + NL_HEADER, store, record, owner, index, self.count)
        size = self.out.size - start
        if nl_area_reserve(&self.out, nl_align(size) - size) < 0:
            raise MemoryError
        memset(self.out.data + self.out.size, 0, nl_align(size) - size)
        self.out.size = start + nl_align(size)
        memset(&header, 0, sizeof(header))
        header.length = <uint32_t>nl_align(size)
        header.type, header.flags = self.type, self.flags
        memcpy(self.out.data + start, &header, sizeof(header))
        self.count += 1
        return 0

    cdef nl_header *request(self, size_t at) noexcept:
        return <nl_header *>(self.out.data + at)

    def payload_in(self, bytes datagram not None, Py_ssize_t n):
        """The payload of the request with a number in a datagram."""
        cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(datagram)
        while n:
            at += (<const nl_header *>at).length
            n -= 1
        return PyBytes_FromStringAndSize(<const char *>at + NL_HEADER, (<const nl_header *>at).length - NL_HEADER)

    def datagram(self, uint32_t sequence, uint32_t pid, size_t room, Py_ssize_t most):
        """The next requests as one datagram, of at most room bytes and most requests, but at least one.

        sequence: of the first; the others are numbered on. Only the last asks for an acknowledgement.
        """
        cdef size_t start = self.at, last = self.at
        cdef Py_ssize_t count = 0
        cdef nl_header *header
        while self.next < self.count and (count == 0 or (
                count < most and self.at - start + self.request(self.at).length <= room)):
            header = self.request(self.at)
            header.sequence = sequence + <uint32_t>count
            header.pid = pid
            last = self.at
            self.at += header.length
            self.next += 1
            count += 1
        if count:
            self.request(last).flags = self.flags | NL_F_ACK
        return PyBytes_FromStringAndSize(<const char *>self.out.data + start, <Py_ssize_t>(self.at - start))
