"""The engine below netlink.schema: tables, records, batches.

A declaration compiles to a `Table`, an nl_set of plan.h. Decoding fills records of fixed size in C. A `Record` is a
view of one of them; it makes the Python object of a field on access.

Ownership: a `Store` owns the memory of records, heap and datagrams. Records and batches hold a reference to the store.
Its memory grows only while it is filled, before any of them exists, and never changes afterwards: they need no lock.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from cpython.number cimport PyNumber_Index
from cpython.object cimport PyObject
from cpython.slice cimport PySlice_AdjustIndices, PySlice_Unpack
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.errno cimport E2BIG
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp, memcpy, memset

from netlink._wire cimport NL_ATTR_HEADER, NL_ATTR_TYPE, nl_align, nl_attribute

import binascii as _binascii
import collections as _collections
import enum as _enum
import ipaddress as _ipaddress

from netlink.errors import DecodeError, EncodeError

cdef extern from *:
    """
    /* base.__new__(cls), without the look-up. */
    static inline PyObject *nl_new_object(PyObject *base, PyObject *cls, PyObject *args)
    {
        return ((PyTypeObject *)base)->tp_new((PyTypeObject *)cls, args, NULL);
    }

    /* Whether a number has so many bytes. */
    static inline int nl_int_fits(long long number, unsigned width, int is_signed)
    {
        unsigned bits = 8 * width;
        if (is_signed)
            return bits == 64 || (number >= -(1LL << (bits - 1)) && number < 1LL << (bits - 1));
        return number >= 0 && (bits == 64 || number < 1LL << bits);
    }

    /* A flag that one thread sets and others read: what was written before it is set is there after it is read. */
    static inline int nl_flag(const int *flag)
    {
        return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
    }

    static inline void nl_set_flag(int *flag)
    {
        __atomic_store_n(flag, 1, __ATOMIC_RELEASE);
    }
    """
    object new_object "nl_new_object"(object base, object cls, tuple args)
    bint nl_int_fits(long long number, unsigned width, bint is_signed) noexcept
    int nl_flag(const int *flag) noexcept
    void nl_set_flag(int *flag) noexcept
    void PyObject_GC_UnTrack(PyObject *op)
    bint PyUnicode_IS_ASCII(object text) noexcept
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1

cdef extern from "_engine/copy.h" nogil:
    struct nl_copier:
        # `from` in C, a keyword in Cython
        nl_bytes source "from"
        nl_area *heap
        nl_area *datagrams
        int full

    int nl_copy_record(nl_copier *c, const nl_set *set, const uint8_t *record, uint32_t unknown, size_t shift,
                       nl_area *records) noexcept

cdef enum:
    # Payloads that need less have a heap when they need one.
    HEAP_LATER = 512
    # Tables that declarations of later may lead to.
    TABLES_MAX = 8192

cdef tuple NOTHING = ()

IPv4Address = _ipaddress.IPv4Address
IPv6Address = _ipaddress.IPv6Address


globals().update({
    "NL_K_INT": NL_K_INT, "NL_K_FLAG": NL_K_FLAG, "NL_K_STRING": NL_K_STRING, "NL_K_BINARY": NL_K_BINARY,
    "NL_K_FIXED": NL_K_FIXED, "NL_K_ADDRESS": NL_K_ADDRESS, "NL_K_NESTED": NL_K_NESTED,
    "NL_K_CONTAINER": NL_K_CONTAINER, "NL_K_RARE": NL_K_RARE, "NL_K_STRUCT": NL_K_STRUCT,
    "NL_K_REPEATED": NL_K_REPEATED, "NL_K_ARRAY": NL_K_ARRAY, "NL_K_STRUCTS": NL_K_STRUCTS,
    "NL_K_SEQUENCE": NL_K_SEQUENCE, "NL_K_CHAIN": NL_K_CHAIN,
    "NL_K_PACKED": NL_K_PACKED, "NL_K_KEY": NL_K_KEY, "NL_KEYS_MAX": NL_KEYS_MAX,
    "NL_K_SUBMESSAGE": NL_K_SUBMESSAGE, "NL_K_VIEW": NL_K_VIEW, "NL_K_EVENT": NL_K_EVENT, "NL_K_ANNEX": NL_K_ANNEX,
    "NL_K_SKIP": NL_K_SKIP,
    "NL_K_ADDRESS_BY": NL_K_ADDRESS_BY, "NL_K_SOCKADDR": NL_K_SOCKADDR, "NL_K_REST": NL_K_REST,
    "SOCKADDR_SIZE": sizeof(nl_socket_address), "ADDRESS_SIZE": NL_WHOLE_ADDRESS,
    "NL_BIG": NL_BIG, "NL_SIGNED": NL_SIGNED,
})


class MissingAttribute(AttributeError):
    """A required field is absent: the kernel left its attribute out."""


@cython.final
cdef class Table:
    """The table of a declaration: an nl_set and its C arrays. `Table.fill` fills it once; then any thread reads it.

    Sets of declarations of later are missing in its ops. `table_of` completes them before a table is used.
    """

    def __cinit__(self):
        self.parts = []
        self.later = []
        self.fields = {}

    def __dealloc__(self):
        free(self.ops)
        free(<void *>self.index)
        free(self.cases)

    def fill(self, list ops, dict index, Py_ssize_t header, uint32_t wire_size, uint32_t record_size,
             uint32_t presence, *, Py_ssize_t annex=-1, Py_ssize_t skip=-1, dict keys=None, Py_ssize_t rest=-1,
             Py_ssize_t selectors=0, bint lenient=False, bint narrow=False):
        """Fill the table.

        ops: dicts of nl_op's members. set: another Table. item: another Table and a position in its ops. sibling: a
        position in ops. selector: the same in a header's Table. cases: pairs of a key and a Table, None for one of
        later. later: the Field, if its set or one of its cases is declared later.
        index: positions in ops by attribute type.
        header, annex, skip: the positions in ops of the ops for these, which must be the last ones; -1 for none. skip:
        the op of the ignored types.
        keys: the positions of the NL_K_KEY by their levels, which must be the last ones, too.
        rest: the position of the field of all bytes behind the header, or -1.
        selectors: how many of the last ops are only siblings of others.
        """
        cdef Py_ssize_t count = len(ops), i, total = 0
        cdef nl_op *op
        cdef nl_case *case
        cdef Table other
        if self.ops is not NULL:
            raise TypeError("a Table is filled once")
        self.ops = <nl_op *>calloc(count + 1, sizeof(nl_op))
        limit = max(index, default=-1) + 1
        self.index = <const nl_op **>calloc(limit + 1, sizeof(nl_op *))
        for spec in ops:
            total += len(spec.get("cases", ()))
        self.cases = <nl_case *>calloc(total + 1, sizeof(nl_case))
        if self.ops is NULL or self.index is NULL or self.cases is NULL:
            raise MemoryError
        case = self.cases
        for i in range(count):
            spec = ops[i]
            op = &self.ops[i]
            op.kind = spec["kind"]
            op.width = spec.get("width", 0)
            op.flags = spec.get("flags", 0)
            op.type = spec.get("type", 0)
            op.bit = spec.get("bit", 0)
            op.offset = spec.get("offset", 0)
            op.size = spec.get("size", 0)
            op.at = spec.get("at", 0)
            op.family = spec.get("family", 0)
            op.depth = spec.get("depth", 0)
            if op.depth > NL_KEYS_MAX:
                raise TypeError(f"{spec['name']} has too many levels")
            if "set" in spec:
                other = spec["set"]
                self.parts.append(other)
                op.set = &other.set
                if (op.kind == NL_K_NESTED or op.kind == NL_K_STRUCT) and op.size != other.set.record_size:
                    raise TypeError(f"{spec['name']} has a size of its own")  # else records would overlap
            if "item" in spec:
                other, position = spec["item"]
                self.parts.append(other)
                op.item = &other.ops[<Py_ssize_t>position]
                if op.kind == NL_K_STRUCTS and (op.item.kind != NL_K_STRUCT or not op.item.set.wire_size):
                    raise TypeError(f"{spec['name']} has no structs")
                if op.kind == NL_K_CHAIN and (op.item.kind != NL_K_NESTED or op.item.set.header is NULL
                                              or op.item.set.header.set.wire_size < 2):
                    raise TypeError(f"{spec['name']} has no header with a length")
            if "sibling" in spec:
                op.sibling = &self.ops[<Py_ssize_t>spec["sibling"]]
            if "selector" in spec:
                other, position = spec["selector"]
                self.parts.append(other)
                op.sibling = &other.ops[<Py_ssize_t>position]
                op.in_header = True
            op.outer = spec.get("outer", False)
            op.by = spec.get("by", 0)
            if op.kind == NL_K_SUBMESSAGE and op.sibling is NULL and not op.outer:
                raise TypeError(f"{spec['name']} has no field that chooses")
            self.set.asks |= op.outer or (op.kind == NL_K_CONTAINER and op.set.asks)
            op.cases = case
            for key, part in spec.get("cases", ()):
                if part is not None:
                    other = part
                    self.parts.append(other)
                    case.set = &other.set
                if isinstance(key, str):
                    text = key.encode()
                    self.parts.append(text)
                    case.text = PyBytes_AS_STRING(text)
                    case.text_size = PyBytes_GET_SIZE(text)
                else:
                    case.number = <uint64_t>(key & 0xffffffffffffffff)
                case += 1
                op.case_count += 1
            nl_op_finish(op)
            if "later" in spec:
                self.later.append((i, spec["later"]))
        for type_, position in index.items():
            self.index[<Py_ssize_t>type_] = &self.ops[<Py_ssize_t>position]
        self.set.index = self.index
        self.set.limit = limit
        self.set.ops = self.ops
        # The last ops are no attributes.
        self.set.op_count = (count - (header >= 0) - (annex >= 0) - (skip >= 0)
                             - (0 if keys is None else len(keys)) - selectors)
        self.set.rest = &self.ops[rest] if rest >= 0 else NULL
        for level, position in (keys or {}).items():
            if not 0 <= level < NL_KEYS_MAX:
                raise TypeError(f"a key has a level from 0 to {NL_KEYS_MAX - 1}")
            self.set.keys[<Py_ssize_t>level] = &self.ops[<Py_ssize_t>position]
        self.set.header = &self.ops[header] if header >= 0 else NULL
        self.set.annex = &self.ops[annex] if annex >= 0 else NULL
        self.set.wire_size = wire_size
        self.set.record_size = record_size
        self.set.presence = presence
        self.set.lenient = lenient
        self.set.narrow = narrow
        nl_set_finish(&self.set)
        self.names = [spec.get("name") for spec in ops]
        return self

    @property
    def wire_size(self):
        """Bytes of a struct on the wire; 0 for attributes."""
        return self.set.wire_size

    cdef object name_of(self, const nl_op *op):
        """The name of an op's field, in this table or one below it; None if it has none."""
        cdef Py_ssize_t i
        cdef Table table
        for each in reached_from(self):
            table = each
            for i in range(len(table.names)):
                if &table.ops[i] == op and table.names[i] is not None:
                    return table.names[i]
        return None

    cdef int complete_all(self) except -1:
        """Complete the ops of this table and of all that it leads to."""
        cdef Table table
        cdef list reached = [self]
        seen = {self}
        for each in reached:
            table = each
            if nl_flag(&table.complete):
                continue
            for i, field in table.later:
                table.complete_op(&table.ops[<Py_ssize_t>i], field)
            for part in table.parts:
                if isinstance(part, Table) and part not in seen:
                    seen.add(part)
                    reached.append(part)
            if len(reached) > TABLES_MAX:
                raise TypeError("the declarations refer to ever more others: a function has to return the same class "
                                "each time")
        for each in reached:
            table = each
            if not nl_flag(&table.complete):
                for i in range(len(table.names)):
                    nl_op_finish(&table.ops[<Py_ssize_t>i])
        for each in reached:
            nl_set_flag(&(<Table>each).complete)
        return 0

    cdef int complete_op(self, nl_op *op, Field field) except -1:
        """Give an op the sets of its field's classes."""
        cdef Py_ssize_t i
        cdef Table table
        cdef nl_case *cases = <nl_case *>op.cases
        field.resolve()
        if field.inner is not None:
            self.parts.append(field.inner)
            op.set = &field.inner.set
        for i in range(op.case_count):
            table = declared_table(field.choices[i][1])
            self.parts.append(table)
            cases[i].set = &table.set
        return 0


cdef list reached_from(Table table):
    """A table and all that its ops lead to."""
    cdef list found = [table]
    seen = {table}
    for each in found:
        for part in (<Table>each).parts:
            if isinstance(part, Table) and part not in seen:
                seen.add(part)
                found.append(part)
    return found


cdef object limit_error():
    return OverflowError("a batch holds at most 4 GiB of variable-length data: decode in parts, as iter_dump does")


cdef object fault_error(object cls, Table table, const nl_fault *fault):
    cdef Py_ssize_t i
    if fault.kind == NL_FAULT_MEMORY:
        return MemoryError("no memory for the records")
    if fault.kind == NL_FAULT_LIMIT:
        return limit_error()
    path = [cls.__name__]
    for i in range(<Py_ssize_t>fault.depth - 1, -1, -1):
        name = table.name_of(fault.path[i])
        if name is not None:
            path.append(name)
    where = ".".join(path)
    if fault.kind == NL_FAULT_WIDTH:
        return DecodeError(f"{where}: want {fault.want} bytes, got {fault.got}, at byte {fault.offset}")
    if fault.kind == NL_FAULT_DEPTH:
        return DecodeError(f"{where}: records are nested more than {fault.want} deep, at byte {fault.offset}")
    if fault.kind == NL_FAULT_FAMILY:
        return DecodeError(f"{where}: want a socket address of AF_INET or AF_INET6, got address family {fault.got}, "
                           f"at byte {fault.offset}")
    if fault.kind == NL_FAULT_HEADER:
        return DecodeError(f"{where}: want a header of {fault.want} bytes, got {fault.got}, at byte {fault.offset}")
    return DecodeError(f"{where}: an attribute's length does not fit the {fault.got} remaining bytes, "
                       f"at byte {fault.offset}")


# The pool of this process: it has no other state that batches share.
cdef nl_pool warm
nl_area_pool = &warm


cdef nl_pool *pool_of_stores() noexcept:
    """The pool, for the areas of another module."""
    return &warm


def release_memory():
    """Give the memory that is kept for the next batches back to the kernel, and return its size in bytes.

    The memory of a large batch that nobody uses any more, up to 136 MiB in the process, is kept for the next one:
    new memory costs more time than decoding does. It is released when it was not used for 5 seconds and a batch is
    made, and the kernel takes it before that if it needs memory.
    """
    return nl_pool_empty(&warm)


cdef enum:
    RECYCLED_MAX = 64 << 20


cdef void move(nl_area *to, nl_area *area) noexcept nogil:
    """Move the memory of an area to another one without memory."""
    to[0] = area[0]
    to.size = 0
    memset(area, 0, sizeof(nl_area))


cdef int copy(nl_area *to, const nl_area *area) except -1:
    """Copy the bytes of an area to another one without memory."""
    if nl_area_reserve(to, area.size) < 0:
        raise MemoryError
    if area.size:
        memcpy(to.data, area.data, area.size)
    to.size = area.size
    return 0


@cython.final
cdef class Recycler:
    """A recycler of the memory of one store: fresh memory is slow at its first touch."""

    def __dealloc__(self):
        nl_area_free(&self.records)
        nl_area_free(&self.heap)
        nl_area_free(&self.datagrams)

    cdef Store new_store(self):
        """An empty store. Its memory returns here in the end."""
        cdef Store store = Store.__new__(Store)
        store.recycler = self
        with cython.critical_section(self):
            if self.full:
                self.full = False
                move(&store.records, &self.records)
                move(&store.heap, &self.heap)
                move(&store.datagrams, &self.datagrams)
        return store

    cdef Store compact(self, Store store):
        """The store, or an exact copy if it has much more memory than it needs."""
        cdef size_t size = store.records.size + store.heap.size + store.datagrams.size
        cdef Store small
        if store.records.capacity + store.heap.capacity + store.datagrams.capacity <= 8 * size + 4096:
            return store
        small = Store.__new__(Store)
        small.count = store.count
        copy(&small.records, &store.records)
        copy(&small.heap, &store.heap)
        copy(&small.datagrams, &store.datagrams)
        return small


@cython.final
@cython.no_gc  # a recycler refers to no object
@cython.freelist(16)
cdef class Store:
    """The memory of records of one class side by side, and of their heap and datagrams."""

    def __cinit__(self):
        nl_pool_tick(&warm)

    def __dealloc__(self):
        cdef Recycler recycler = self.recycler
        cdef size_t capacity = self.records.capacity + self.heap.capacity + self.datagrams.capacity
        if recycler is not None and capacity <= RECYCLED_MAX:
            with cython.critical_section(recycler):
                if not recycler.full:
                    recycler.full = True
                    move(&recycler.records, &self.records)
                    move(&recycler.heap, &self.heap)
                    move(&recycler.datagrams, &self.datagrams)
        nl_area_free(&self.records)
        if self.heap.data is not NULL:
            nl_area_free(&self.heap)
        if self.datagrams.data is not NULL:
            nl_area_free(&self.datagrams)

    cdef int add(self, const nl_set *set, nl_shapes *shapes, const uint8_t *payload, size_t size,
                 nl_fault *fault) noexcept nogil:
        """Decode one more record. shapes: those of the set, or NULL. 0, or -1 and the store is unchanged."""
        cdef size_t stride = set.record_size + 4, heap = self.heap.size, datagrams = self.datagrams.size
        if nl_area_reserve(&self.records, stride) < 0:
            fault.kind = NL_FAULT_MEMORY
            return -1
        cdef uint8_t *record = self.records.data + self.records.size
        cdef int result = 0
        if set.wire_size:
            memset(record, 0, stride)
            nl_decode_struct(set, payload, size, record)
        elif shapes is NULL:
            memset(record, 0, stride)
            result = nl_decode(set, payload, size, record, &self.heap, &self.datagrams, fault)
        else:
            result = nl_decode_shaped(shapes, set, payload, size, record, &self.heap, &self.datagrams, fault)
        if result < 0:
            self.heap.size = heap
            self.datagrams.size = datagrams
            return -1
        self.records.size += stride
        self.count += 1
        return 0

    cdef uint32_t heap_bytes(self, bytes data) except 0:
        """The offset of a copy of some bytes in the heap."""
        cdef uint32_t offset = nl_heap_alloc(&self.heap, PyBytes_GET_SIZE(data))
        if not offset:
            raise MemoryError
        memcpy(self.heap.data + offset, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        return offset

    cdef uint8_t *last(self, const nl_set *set) noexcept nogil:
        """The last record."""
        return self.records.data + self.records.size - set.record_size - 4

    cdef void drop_last(self, const nl_set *set, size_t heap) noexcept nogil:
        """Remove the last record. heap: the size of the heap before it."""
        self.records.size -= set.record_size + 4
        self.heap.size = heap
        self.count -= 1


@cython.final
cdef class DatagramBytes:
    """A buffer over bytes of a store. It holds a reference to the store."""

    cdef Store store
    cdef const uint8_t *at
    cdef Py_ssize_t size

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, <void *>self.at, self.size, 1, flags)


cdef object datagram_view(Store store, const nl_ref *ref):
    cdef DatagramBytes view = DatagramBytes.__new__(DatagramBytes)
    view.store = store
    view.at = store.datagrams.data + ref.offset if ref.size else <const uint8_t *>b""
    view.size = ref.size
    return memoryview(view)


cdef Record new_view(object cls, Table table, Store store, const uint8_t *base, const uint8_t *outer,
                     const uint8_t *unknown):
    cdef Record view = <Record>new_object(Record, cls, NOTHING)
    view.store = store
    view.table = table
    view.base = base
    view.outer = outer
    view.unknown_list = unknown
    PyObject_GC_UnTrack(<PyObject *>view)  # it cannot be part of a cycle
    return view


cdef Record outermost(object cls, Table table, Store store, const uint8_t *base):
    return new_view(cls, table, store, base, base, base + table.set.record_size)


cdef Table declared_table(object cls):
    """The table of a declaration, as complete as it is."""
    table = getattr(cls, "__table__", None)
    if table is None or not (isinstance(cls, type) and issubclass(cls, Record)):
        raise TypeError(f"{getattr(cls, '__name__', cls)} declares no fields")
    return <Table?>table


cdef Table table_of(object cls):
    """The table of a declaration. TypeError if one that it refers to is missing."""
    cdef Table table = declared_table(cls)
    if not nl_flag(&table.complete):
        table.complete_all()
    return table


cdef Store fill_store(object cls, object payloads):
    """A store of the records in payloads, an iterable of buffers."""
    cdef Table table = table_of(cls)
    cdef Store store = Store.__new__(Store)
    cdef nl_shapes shapes
    cdef nl_fault fault
    cdef Py_buffer views[64]
    # An iterator may reuse its buffer for the next payload.
    cdef int i, count, limit = 64 if type(payloads) in (list, tuple) else 1, result = 0
    left = iter(payloads)
    memset(&shapes, 0, sizeof(shapes))
    try:
        while True:
            count = 0
            try:
                for payload in left:
                    PyObject_GetBuffer(payload, &views[count], PyBUF_SIMPLE)
                    count += 1
                    if count == limit:
                        break
                with nogil:
                    for i in range(count):
                        result = store.add(&table.set, &shapes, <const uint8_t *>views[i].buf, views[i].len, &fault)
                        if result < 0:
                            break
            finally:
                for i in range(count):
                    PyBuffer_Release(&views[i])
            if result < 0:
                raise fault_error(cls, table, &fault)
            if count < limit:
                return store
            PyErr_CheckSignals()
    finally:
        nl_shapes_free(&shapes)


cdef Record decoded(object cls, Table table, nl_shapes *shapes, const uint8_t *payload, size_t size):
    """The record in a payload. table: that of the class. shapes: as of `Store.add`."""
    cdef Store store = Store.__new__(Store)
    cdef nl_fault fault
    # Of a long message the heap takes about as much: it need not grow on the way.
    if size >= HEAP_LATER and nl_area_reserve(&store.heap, size) < 0:
        raise MemoryError
    if store.add(&table.set, shapes, payload, size, &fault) < 0:
        raise fault_error(cls, table, &fault)
    return outermost(cls, table, store, store.records.data)


@cython.final
@cython.no_gc  # it is part of no cycle
cdef class Shapes:
    """The shapes of the replies to single requests, of the declaration that was used last. For one thread at a time."""

    def __dealloc__(self):
        nl_shapes_free(&self.shapes)

    cdef Record decoded(self, object cls, Table table, const uint8_t *payload, size_t size):
        """The record in a payload. table: that of the class."""
        if self.table is not table:
            nl_shapes_free(&self.shapes)
            self.table = table
        return decoded(cls, table, &self.shapes, payload, size)


cdef Store stored(object cls, Table table, dict values):
    """The memory of a new record with values by the names of its fields, and of those of its header."""
    cdef Store store = Store.__new__(Store)
    cdef size_t size = table.set.record_size + 4
    cdef Field field, header = None
    cdef bytes blank
    cdef uint8_t *record
    cdef list late = None
    if table.set.header is not NULL and values.get("header") is not None:
        values = whole(cls, table, values)
    if nl_area_reserve(&store.records, size) < 0:
        raise MemoryError
    record = store.records.data
    memset(record, 0, size)
    store.records.size = size
    store.count = 1
    if table.set.wire_size:
        blank = bytes(struct_size(table, values))
        nl_decode_struct(&table.set, <const uint8_t *>PyBytes_AS_STRING(blank), PyBytes_GET_SIZE(blank), record)
    for name, value in values.items():
        field = <Field>table.fields.get(name)
        if field is None:
            field = member_of_header(cls, table, name)
            if value is not None and header is None:
                header = <Field>table.fields["header"]
                header.store_blank(record)
        if value is None:
            continue
        if field.is_late():
            late = late or []
            late.append((field, value))
        else:
            field.store_in(table, store, value, header)
    if late is not None:
        for field, value in late:
            field.store_in(table, store, value, header)
    if table.set.wire_size and table.has_late:
        reread(cls, table, store, record)
    if header is not None and header.inner.has_late:
        reread(header.declared, header.inner, store, record + header.offset)
    return store


cdef int reread(object cls, Table table, Store store, uint8_t *record) except -1:
    """Read a struct again from what it is on the wire: what members without a value are depends on others, too."""
    cdef nl_area out
    memset(&out, 0, sizeof(out))
    try:
        encode_into(&out, cls, table, store, record)
        nl_decode_struct(&table.set, out.data, out.size, record)
    finally:
        nl_area_free(&out)
    return 0


cdef bytes payload_of(object cls, Table table, dict values, const uint8_t *before, Py_ssize_t size):
    """The payload of a new record with values, behind some bytes. table: that of the class."""
    cdef Attributes out
    cdef Store store
    cdef bint written = begin_attributes(&out, table, before, size)
    if written:
        for name, value in values.items():
            if not put_attribute(&out, table, field_named(cls, table, name), value):
                written = False
                break
    if written:
        return PyBytes_FromStringAndSize(<const char *>out.bytes, out.size)
    store = stored(cls, table, values)
    return encoded(cls, table, store, store.records.data, before, size)


# Most requests are a few numbers and texts, in attributes of their own or in the header: no record is needed for them.

cdef bint begin_attributes(Attributes *out, Table table, const uint8_t *before, Py_ssize_t size) noexcept:
    """Begin a payload with some bytes and an empty header. False if no payload of the declaration is that simple."""
    cdef const nl_op *header = table.set.header
    cdef Py_ssize_t room = 0 if header is NULL else nl_align(header.set.wire_size)
    if table.set.wire_size or size + room > BEFORE_MAX:
        return False
    if size:
        memcpy(out.bytes, before, size)
    memset(out.bytes + size, 0, room)
    out.header = out.bytes + size
    out.size = size + room
    out.last = NULL
    return True


cdef Field field_named(object cls, Table table, object name):
    """The field of a class, or of its header, that has a name in its records; None if there is none."""
    field = table.fields.get(name)
    if field is None and table.set.header is not NULL:
        field = cls.__header_fields__.get(name)
    return <Field>field


cdef bint put_attribute(Attributes *out, Table table, Field field, object value) except -1:
    """Add the value of a field. False if it is not that simple: then a record tells what it is, or what is wrong.

    field: as of `field_named`. The attributes have the order of declaration, as nl_encode puts them.
    """
    cdef const nl_op *op
    cdef uint8_t *to = out.bytes + out.size
    cdef uint8_t *payload = to + NL_ATTR_HEADER
    cdef const char *text
    cdef Py_ssize_t size
    cdef long long number
    cdef int overflow
    cdef bint in_header
    if field is None or field.layout is None:
        return False
    in_header = field.layout is not table
    if in_header and (table.set.header is NULL or table.set.header.set != &field.layout.set or field.layout.has_late):
        return False
    if value is None:
        return True
    op = field.simple
    if op is NULL or not in_header and (op <= out.last or out.size > ATTRIBUTES_MAX - TEXT_MAX - 16):
        return False
    if op.kind == NL_K_INT:
        if not isinstance(value, int):
            return False
        number = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow or not nl_int_fits(number, op.width, op.flags & NL_SIGNED):
            return False
        if in_header:
            nl_store_int(out.header + op.at, <uint64_t>number, op.width, op.flags)
            return True
        memset(payload, 0, 8)
        nl_store_int(payload, <uint64_t>number, op.width, op.flags)
        size = op.width
    else:
        if type(value) is not str or not PyUnicode_IS_ASCII(value):
            return False
        text = PyUnicode_AsUTF8AndSize(value, &size)
        if size > TEXT_MAX or memchr(text, 0, size) is not NULL:
            return False
        memcpy(payload, text, size)
        memset(payload + size, 0, 4)
        size += 1
    size += NL_ATTR_HEADER
    nl_store_int(to, size, 2, 0)
    nl_store_int(to + 2, op.type, 2, 0)
    out.size += nl_align(size)
    out.last = op
    return True


cdef bytes encoded(object cls, Table table, Store store, const uint8_t *record, const uint8_t *before,
                   Py_ssize_t size):
    """The payload of a record, behind some bytes."""
    cdef nl_area out
    cdef bytes payload
    memset(&out, 0, sizeof(out))
    try:
        # Of this size malloc has a block at hand, and most payloads fit.
        if nl_area_reserve(&out, 1024) < 0:
            raise MemoryError
        encode_into(&out, cls, table, store, record)
        payload = PyBytes_FromStringAndSize(NULL, size + out.size)
        if size:
            memcpy(PyBytes_AS_STRING(payload), before, size)
        memcpy(PyBytes_AS_STRING(payload) + size, out.data, out.size)
        return payload
    finally:
        nl_area_free(&out)


cdef int copy_record(Store store, const nl_set *set, Store other, const uint8_t *record, const uint8_t *unknown_list,
                     size_t shift) except -1:
    """Add a copy of a record in another store. The record lies shift bytes into the outermost record, which has the
    list."""
    cdef nl_copier copier
    cdef uint32_t unknown = 0
    copier.source.heap = other.heap.data
    copier.source.datagrams = other.datagrams.data
    copier.heap = &store.heap
    copier.datagrams = &store.datagrams
    copier.full = 0
    if unknown_list is not NULL:
        memcpy(&unknown, unknown_list, 4)
    if nl_copy_record(&copier, set, record, unknown, shift, &store.records) < 0:
        raise limit_error() if copier.full else MemoryError("no memory for the records")
    store.count += 1
    return 0


cdef bint are_numbers_alone(Table table, dict fields) except -1:
    """Whether these are numbers of attributes, and no field of the records depends on another one."""
    cdef Field field
    if table.set.wire_size:
        return False
    for name in fields:
        field = <Field>table.fields.get(name)
        if field is None or field.layout is not table or field.annex is not None or field.kind != NL_K_INT:
            return False
    for field in table.fields.values():
        if field.is_late():
            return False
    return True


cdef Record with_numbers(Record one, Table table, dict fields):
    """A copy of the memory of a record, with other values for such fields."""
    cdef Store store = Store.__new__(Store)
    cdef Field field
    cdef uint8_t *record
    copy_record(store, &table.set, one.store, one.base, NULL, one.base - one.outer)
    record = store.records.data
    for name, value in fields.items():
        field = <Field>table.fields[name]
        if value is None:
            record[field.presence + (field.bit >> 3)] &= ~(1 << (field.bit & 7))
            memset(record + field.offset, 0, field.size)
        else:
            field.store_value(&table.set, store, record, value)
    return outermost(type(one), table, store, record)


cdef int encode_into(nl_area *out, object cls, Table table, Store store, const uint8_t *record) except -1:
    """Replace the bytes of an area by the payload of a record."""
    cdef nl_bytes bytes
    cdef int result
    bytes.heap = store.heap.data
    bytes.datagrams = store.datagrams.data
    out.size = 0
    result = nl_encode(&table.set, record, &bytes, out)
    if result == -E2BIG:
        raise EncodeError(f"{cls.__name__}: an attribute is longer than 65531 bytes")
    if result < 0:
        raise MemoryError
    return 0


cdef class Record:
    """A view of one decoded record: the base of `netlink.schema.AttributeSet` and `Struct`."""

    @classmethod
    def decode(cls, payload):
        """The record in a payload, the bytes behind nlmsghdr. DecodeError names the path and the byte offset."""
        cdef Py_buffer view
        PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
        try:
            return decoded(cls, table_of(cls), NULL, <const uint8_t *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    @classmethod
    def decode_many(cls, payloads):
        """A `Batch` of the records in payloads. DecodeError for the first malformed one."""
        return make_batch(cls, fill_store(cls, payloads))

    def __init__(self, **values):
        cdef Table table = table_of(type(self))
        cdef Store store
        if self.store is not None:
            raise AttributeError(f"{type(self).__name__} is immutable")
        store = stored(type(self), table, values)
        self.table = table
        self.base = self.outer = store.records.data
        self.unknown_list = self.base + table.set.record_size
        self.store = store

    def __setattr__(self, name, value):
        raise AttributeError(f"{type(self).__name__} is immutable: cannot set {name!r}")

    def __delattr__(self, name):
        raise AttributeError(f"{type(self).__name__} is immutable: cannot delete {name!r}")

    cdef Table checked_table(self):
        """The table of the record's memory. TypeError if it is not that of the record's class."""
        if self.store is None:
            raise TypeError(f"this {type(self).__name__} was made without a call of its class")
        if self.table is not table_of(type(self)):
            raise TypeError(f"this {type(self).__name__} was made as a record of another class")
        return self.table

    def encode(self):
        """The payload again: the header struct and the present attributes, in the order of declaration.

        Attributes of unknown types are left out. EncodeError if an attribute is longer than 65531 bytes.
        """
        return encoded(type(self), self.checked_table(), self.store, self.base, NULL, 0)

    @property
    def unknown(self):
        """The attributes of types that are not declared, in their order: a tuple of (type, payload)."""
        cdef Table table = self.checked_table()
        cdef nl_unknown entry
        cdef uint32_t at = 0
        found = []
        if self.unknown_list is not NULL:
            memcpy(&at, self.unknown_list, 4)
        while at:
            memcpy(&entry, self.store.heap.data + at, sizeof(entry))
            if entry.owner == <size_t>(self.base - self.outer) + table.set.presence:
                payload = <const char *>self.store.heap.data + at + sizeof(entry)
                found.append((entry.type & NL_ATTR_TYPE, PyBytes_FromStringAndSize(payload, entry.size)))
            at = entry.next
        found.reverse()
        return tuple(found)

    def to_dict(self, *, bint json=False):
        """The present fields by name, with nested records as dicts.

        json: convert the values for `json.dumps`: addresses to text, bytes to hexadecimal digits, an IntEnum to the
        name of its member or to a number without one, an IntFlag to a number.
        """
        cdef Field field
        out = {}
        for name, field in type(self).__fields__.items():
            value = field.load(self)
            if value is not None:
                out[name] = plain(value, json)
        return out

    def replace(self, **fields):
        """A copy of the record with other values for these fields; None makes a field absent.

        Attributes of unknown types are left out, as by `encode`. TypeError for an unknown field, EncodeError for a
        value that does not fit. `copy.replace` does the same.
        """
        cdef Table table = self.checked_table()
        cdef dict values = {}
        cdef Field field
        if are_numbers_alone(table, fields):
            return with_numbers(self, table, fields)
        for name, field in type(self).__fields__.items():
            if name not in fields:
                values[name] = field.load(self)
        return type(self)(**values, **fields)

    __replace__ = replace

    def __eq__(self, other):
        if type(self) is not type(other):
            return NotImplemented
        return self.content() == (<Record>other).content()

    def __hash__(self):
        return hash(self.content())

    def __repr__(self):
        cdef Field field
        parts = []
        for name, field in type(self).__fields__.items():
            value = field.load(self)
            if value is not None:
                parts.append(f"{name}={bytes(value) if isinstance(value, memoryview) else value!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def __reduce__(self):
        cdef Field field
        payload, *beside = self.content()
        for field in type(self).__fields__.values():
            if self.table.set.header is not NULL and field.is_bare_struct() and field.load(self) is None:
                beside.append((field.name, None))
        return restored, (type(self), payload, *beside)

    cdef tuple content(self):
        """The payload, and pairs of the name and the value of an event or a key, which no payload has."""
        cdef Field field
        cdef list beside = []
        for field in type(self).__fields__.values():
            if field.kind == NL_K_EVENT or field.kind == NL_K_KEY:
                value = field.load(self)
                if value is not None:
                    beside.append((field.name, value))
        return self.encode(), *beside

    def __copy__(self):
        """A copy of the record alone, with its unknown attributes."""
        cdef Table table = self.checked_table()
        cdef Store store = Store.__new__(Store)
        copy_record(store, &table.set, self.store, self.base, self.unknown_list, self.base - self.outer)
        return outermost(type(self), table, store, store.records.data)

    def __deepcopy__(self, memo):
        return self.__copy__()


cdef Field member_of_header(object cls, Table table, name):
    """The field of the header that has a name in the records of a class."""
    cdef Field field, header = table.fields.get("header")
    field = cls.__header_fields__.get(name)
    if field is None:
        names = [*table.fields, *cls.__header_fields__]
        raise TypeError(f"{cls.__name__} has no field {name!r}; it has {', '.join(names)}")
    if header is None or not header.is_bare_struct() or header.inner is not field.layout:
        raise TypeError(f"{field.name!r} is not a field of {cls.__name__}")
    return field


cdef dict whole(object cls, Table table, dict values):
    """A constructor's arguments with a header, of which fields beside it take the place of its own."""
    cdef Field field = table.fields.get("header")
    cdef dict own = dict(values), parts = {}
    header = values["header"]
    for name in values:
        if name not in table.fields:
            parts[member_of_header(cls, table, name).name] = own.pop(name)
    if parts and type(header) is field.cls:
        own["header"] = header.replace(**parts)
    return own


def attributes_of(Record record not None):
    """The payload of a record without the header before its attributes, as it lies in another record."""
    cdef const nl_op *header = record.checked_table().set.header
    data = record.encode()
    return data if header is NULL else data[nl_align(header.set.wire_size):]


def restored(cls, payload, *beside):
    """The record of a pickle. beside: pairs of name and value of the fields of which the payload does not tell."""
    record = cls.decode(payload)
    return record.replace(**dict(beside)) if beside else record


cdef Py_ssize_t struct_size(Table table, dict values):
    """Bytes on the wire of a struct's fields, up to the last one that is not None among the values."""
    cdef Py_ssize_t i
    for i in range(table.set.op_count - 1, -1, -1):
        if values.get(table.names[i], 0) is not None:
            return table.ops[i].at + nl_struct_width(&table.ops[i])
    return 0


def restored_batch(cls, list payloads not None, dict events not None, bint interrupted):
    """The batch of a pickle. events: for each event field its values, one for each record."""
    cdef Table table = table_of(cls)
    cdef Store store = fill_store(cls, payloads)
    cdef Batch batch
    cdef Field field
    cdef Py_ssize_t i
    cdef size_t stride = table.set.record_size + 4
    for name, values in events.items():
        field = cls.__fields__[name]
        if field.kind != NL_K_EVENT or field.layout is not table or len(values) != store.count:
            raise ValueError(f"{name} is not an event field with one value for each record")
        for i, value in enumerate(values):
            if value is not None:
                field.store_value(&table.set, store, store.records.data + i * stride, value)
    batch = make_batch(cls, store)
    batch.interrupted_ = interrupted
    return batch


cdef list events_of(object cls, Table table):
    cdef Field field
    return [field for field in cls.__fields__.values() if field.kind == NL_K_EVENT and field.layout is table]


cdef object plain(object value, bint json):
    if isinstance(value, Record):
        return value.to_dict(json=json)
    if isinstance(value, SocketAddress):
        return str(value) if json else value
    if isinstance(value, tuple):
        return [plain(item, json) for item in value]
    if isinstance(value, memoryview):
        value = bytes(value)
    if not json:
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, _enum.Enum):
        return int(value) if isinstance(value, _enum.Flag) else value.name
    return str(value) if isinstance(value, (IPv4Address, IPv6Address)) else value


# The Python value of a field, if its kind allows several.
FORM_PLAIN, FORM_LLADDR, FORM_BITFIELD32, FORM_TEXTS, FORM_BASE64 = range(5)

Bitfield32 = _collections.namedtuple("Bitfield32", ["value", "selector"])
Bitfield32.__doc__ = """struct nla_bitfield32: value has the bits that selector selects; 32 bits each."""


class SocketAddress(_collections.namedtuple("SocketAddress", ["address", "port", "flow_info", "scope_id"],
                                            defaults=(0, 0))):
    """An address and a port, as in struct sockaddr_in and sockaddr_in6: flow_info and scope_id are those of IPv6.

    As text it is "192.0.2.1:51820", "[2001:db8::1]:51820" or "[fe80::1%2]:51820".
    """

    __slots__ = ()

    def __str__(self):
        if self.address.version == 4:
            return f"{self.address}:{self.port}"
        scope = f"%{self.scope_id}" if self.scope_id else ""
        return f"[{self.address}{scope}]:{self.port}"


cdef class Field:
    """A declared field: the descriptor that reads it from a record."""

    def __init__(self, int kind, types, *, int width=0, int flags=0, uint32_t size=0, enum=None,
                 bint required=False, cls=None, item=None, int form=0, on=None, cases=None, str time=None,
                 int depth=0):
        if self.name is not None:
            raise TypeError("a Field is declared once")
        self.kind = kind
        self.types = types
        self.width = width
        self.flags = flags
        self.size = size
        self.enum = enum
        if enum is not None and not (isinstance(enum, type) and issubclass(enum, int)
                                     and hasattr(enum, "_value2member_map_")):
            raise TypeError(f"enum takes an IntEnum or IntFlag, not {enum!r}")
        self.members = None if enum is None else enum._value2member_map_
        self.required = required
        self.declared = self.given = cls
        self.choices = self.given_cases = cases
        self.forward = (cls is not None and not isinstance(cls, type)
                        or cases is not None and any([not isinstance(case, type) for _, case in cases]))
        self.resolved = not self.forward
        self.inner = None if cls is None or self.forward else declared_table(cls)
        self.item = item
        self.form = form
        self.on = on
        self.time = time
        self.depth = depth

    def __class_getitem__(cls, item):
        return cls  # generic for type checkers

    def again(self):
        """The same declaration for another class."""
        return Field(self.kind, self.types, width=self.width, flags=self.flags, size=self.size, enum=self.enum,
                     required=self.required, cls=self.given, item=None if self.item is None else self.item.again(),
                     form=self.form, on=self.on, cases=self.given_cases, time=self.time, depth=self.depth)

    @property
    def at(self):
        """The field's offset in a struct on the wire."""
        cdef const nl_op *op = NULL if self.layout is None else self.op_in(&self.layout.set)
        return 0 if op is NULL else op.at

    @property
    def cls(self):
        """The class of the field's records, or None. TypeError if it is missing."""
        self.resolve()
        return self.declared

    @property
    def cases(self):
        """Pairs of a key and the class of a case of a submessage, or None. TypeError if one is missing."""
        self.resolve()
        return self.choices

    @property
    def later(self):
        """Whether the classes come from functions that have not been called yet."""
        return not nl_flag(&self.resolved)

    cdef int resolve(self) except -1:
        """Call the functions for the classes."""
        cdef Table inner
        if nl_flag(&self.resolved):
            return 0
        declared = self.called(self.declared)
        choices = None if self.choices is None else tuple([(key, self.called(case)) for key, case in self.choices])
        inner = None if declared is None else declared_table(declared)
        before = self.declared, self.choices
        with cython.critical_section(self):
            # The first thread counts. Records of another class would be laid out in another way.
            if not nl_flag(&self.resolved):
                self.declared = declared
                self.choices = choices
                self.inner = inner
                nl_set_flag(&self.resolved)
        del before  # may run code
        return 0

    cdef object called(self, object declared):
        """A class, or that which a function returns."""
        if declared is None or isinstance(declared, type):
            return declared
        try:
            return declared()
        except RecursionError:
            raise
        except Exception as error:
            raise TypeError(f"{self.name} refers to a declaration that is missing: {error}") from error

    def place(self, owner, str name, uint32_t offset, uint16_t bit, uint32_t presence):
        """Set the field's place in the records of owner."""
        if self.owner is not None:
            raise TypeError(f"{name}: one field declaration is used in two places")
        if owner is not type(None) and not (isinstance(owner, type) and issubclass(owner, Record)):
            raise TypeError(f"{name}: {owner!r} is not a class of records")
        self.owner = owner
        self.name = name
        self.offset = offset
        self.bit = bit
        self.presence = presence

    def set_layout(self, Table layout not None):
        """Set the table of the field's owner, which is complete."""
        if self.layout is not None:
            raise TypeError(f"{self.name}: its class is complete")
        cdef const nl_set *set = &layout.set if self.annex is None else &self.annex.set
        if self.annex is not None and (layout.set.annex is NULL or layout.set.annex.offset != self.reference
                                       or layout.set.annex.set != set):
            raise TypeError(f"{self.name} is in the annex of another table")
        if self.presence != set.presence or not (
                set.header is not NULL and set.header.offset == self.offset and self.is_bare_struct()
                or (self.kind == NL_K_EVENT or self.kind == NL_K_KEY) and self.offset + self.size <= self.presence
                and self.bit < 8 * (set.record_size - self.presence)
                or self.op_in(set) is not NULL):
            raise TypeError(f"{self.name} is not in the table")
        self.layout = layout
        self.simple = self.simple_op()
        layout.fields[self.name] = self
        layout.has_late |= self.is_late()

    def set_annex(self, Table annex not None, uint32_t reference):
        """Let the field lie in the annex of the records. reference: the offset of the reference to it."""
        if self.annex is not None or self.layout is not None:
            raise TypeError(f"{self.name}: its place is known")
        self.annex = annex
        self.reference = reference

    def __get__(self, instance, owner):
        if instance is None:
            return self
        # Exactly this class: isinstance() believes an object's __class__.
        if self.owner is None or type(instance) is not self.owner:
            raise TypeError(f"{self.name!r} is not a field of {type(instance).__name__}")
        value = self.load(<Record>instance)
        if value is None and self.required:
            raise MissingAttribute(f"{type(instance).__name__}.{self.name}: the kernel sent no such attribute")
        return value

    cdef object load(self, Record record):
        cdef const uint8_t *base
        cdef const uint8_t *outer
        cdef const uint8_t *unknown
        cdef uint32_t annex
        if record.table is not self.layout or self.layout is None:
            record.checked_table()
            raise TypeError(f"{self.name!r} is not a field of {type(record).__name__}")
        base = record.base
        outer = record.outer
        unknown = record.unknown_list
        if self.annex is not None:
            annex = nl_load32(base + self.reference)
            if not annex:
                return None
            base = outer = record.store.heap.data + annex
            unknown = base + self.annex.set.record_size
        if not base[self.presence + (self.bit >> 3)] >> (self.bit & 7) & 1:
            return None
        if self.kind == NL_K_NESTED or self.kind == NL_K_STRUCT:
            return new_view(self.declared, self.inner, record.store, base + self.offset, outer, unknown)
        return self.load_value(record.store, base + self.offset)

    cdef object load_value(self, Store store, const uint8_t *at):
        cdef nl_ref ref
        cdef nl_sub sub
        cdef nl_socket_address socket_address
        cdef uint32_t offset
        cdef const uint8_t *heap = store.heap.data
        if self.kind == NL_K_INT or self.kind == NL_K_EVENT or self.kind == NL_K_KEY:
            return self.number(nl_load_int(at, self.size, self.flags & NL_SIGNED))
        if self.kind == NL_K_ADDRESS:
            return address(at, self.size, heap)
        if self.kind == NL_K_ADDRESS_BY:
            return whole_address(at)
        if self.kind == NL_K_SOCKADDR:
            memcpy(&socket_address, at, sizeof(socket_address))
            return SocketAddress(whole_address(at), socket_address.port, socket_address.flow_info,
                                 socket_address.scope_id)
        if self.kind == NL_K_STRING:
            memcpy(&ref, at, sizeof(ref))
            if not ref.size:
                return ""
            return PyUnicode_DecodeUTF8(<const char *>heap + ref.offset, ref.size, "surrogateescape")
        if self.kind == NL_K_BINARY or self.kind == NL_K_REST:
            memcpy(&ref, at, sizeof(ref))
            value = PyBytes_FromStringAndSize(<const char *>heap + ref.offset, ref.size) if ref.size else b""
            if self.form == FORM_TEXTS:
                texts = value.removesuffix(b"\0").split(b"\0")
                return tuple([text.decode("utf-8", "surrogateescape") for text in texts])
            return value.hex(":") if self.form == FORM_LLADDR else value
        if self.kind == NL_K_VIEW:
            memcpy(&ref, at, sizeof(ref))
            return datagram_view(store, &ref)
        if self.kind == NL_K_FIXED:
            value = PyBytes_FromStringAndSize(<const char *>at, self.size)
            if self.form == FORM_LLADDR:
                return value.hex(":")
            if self.form == FORM_PLAIN:
                return value
            if self.form == FORM_BASE64:
                return _binascii.b2a_base64(value, newline=False).decode()
            return Bitfield32(self.number(nl_load_int(at, 4, 0)), self.number(nl_load_int(at + 4, 4, 0)))
        if self.kind == NL_K_FLAG:
            return True
        if self.kind == NL_K_RARE:
            memcpy(&offset, at, 4)
            return outermost(self.declared, self.inner, store, heap + offset)
        if nl_is_list(self.kind):
            return self.load_list(store, at)
        if self.kind == NL_K_PACKED:
            memcpy(&ref, at, sizeof(ref))
            return tuple([self.number(nl_load_int(heap + ref.offset + i, self.width, self.flags & NL_SIGNED))
                          for i in range(0, ref.size, self.width)])
        memcpy(&sub, at, sizeof(sub))
        if sub.record:
            cls = self.choices[sub.which][1]
            return outermost(cls, table_of(cls), store, heap + sub.record)
        return PyBytes_FromStringAndSize(<const char *>heap + sub.raw, sub.raw_size)

    cdef object load_list(self, Store store, const uint8_t *at):
        cdef nl_list entries
        cdef uint32_t entry
        cdef Field item = self.item
        values = []
        memcpy(&entries, at, sizeof(entries))
        entry = entries.first
        while entry:
            if item.kind == NL_K_NESTED:
                values.append(outermost(item.declared, item.inner, store, store.heap.data + entry + 4))
            elif item.kind == NL_K_STRUCT:
                values.append(new_view(item.declared, item.inner, store, store.heap.data + entry + 4,
                                       store.heap.data + entry + 4, NULL))
            else:
                values.append(item.load_value(store, store.heap.data + entry + 4))
            memcpy(&entry, store.heap.data + entry, 4)
        return tuple(values)

    cdef object number(self, uint64_t value):
        cdef object number
        if self.flags & NL_SIGNED:
            number = <int64_t>value
        else:
            number = value
        if self.members is None:
            return number
        member = self.members.get(number)
        if member is not None:
            return member
        try:
            return self.enum(number)
        except ValueError:
            return number  # newer than the declaration

    cdef bint is_bare_struct(self):
        """Whether this is a struct without an attribute type: before the attributes, or in another struct."""
        return self.kind == NL_K_STRUCT and not self.types

    cdef object event(self, const uint8_t *record):
        """The number of an event in a record, or None."""
        if not record[self.presence + (self.bit >> 3)] >> (self.bit & 7) & 1:
            return None
        return nl_load_int(record + self.offset, self.size, 0)

    # From Python values to a new record.

    cdef int store_value(self, const nl_set *set, Store store, uint8_t *record, object value) except -1:
        cdef bytes data
        cdef const nl_op *op
        cdef uint32_t annex = 0, reference
        cdef uint64_t number
        cdef const nl_set *whole_set = set
        cdef uint8_t *whole_record = record
        if self.annex is not None:
            annex = self.annex_of(store, record)
            record = store.heap.data + annex
            set = &self.annex.set
        if self.kind == NL_K_INT or self.kind == NL_K_EVENT:
            nl_store_int(record + self.offset, self.checked(value, self.size if self.width == 0 else self.width),
                         self.size, 0)
        elif self.kind == NL_K_KEY:
            number = self.checked(value, 2)
            if number > NL_ATTR_TYPE:
                raise EncodeError(f"{self.name}: {number} is more than {NL_ATTR_TYPE}, the largest attribute type")
            nl_store_int(record + self.offset, number, 2, 0)
        elif self.kind == NL_K_FLAG:
            if not value:
                return 0
            record[self.offset] = 1
        elif self.kind == NL_K_ADDRESS:
            data = parse_address(self, value).packed
            if PyBytes_GET_SIZE(data) == 16 and self.size == NL_ADDRESS:
                reference = store.heap_bytes(data)
                record = store.heap.data + annex if annex else record
                memcpy(record + self.offset, &reference, 4)
            else:
                memcpy(record + self.offset, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
            if self.size == NL_ADDRESS:
                record[self.offset + 4] = 4 if PyBytes_GET_SIZE(data) == 4 else 6
        elif self.kind == NL_K_ADDRESS_BY:
            data = parse_address(self, value).packed
            op = self.op_in(set).sibling
            family = nl_load_int(record + op.offset, op.size, 0)
            if (PyBytes_GET_SIZE(data) == 4) != (family == NL_AF_INET):
                want = 4 if family == NL_AF_INET else 6
                raise EncodeError(f"{self.name}: {self.on} is {family}, so want an IPv{want} address, got {value}")
            nl_store_whole_address(record + self.offset, <const uint8_t *>PyBytes_AS_STRING(data),
                                   PyBytes_GET_SIZE(data))
        elif self.kind == NL_K_STRUCT:
            data = self.part(self.declared, value)
            if self.is_bare_struct():
                memset(record + self.offset, 0, self.size)
                data = data.ljust(self.inner.set.wire_size, b"\0")
            nl_decode_struct(&self.inner.set, <const uint8_t *>PyBytes_AS_STRING(data),
                             PyBytes_GET_SIZE(data), record + self.offset)
        elif self.kind == NL_K_FIXED:
            data = self.fixed(value)
            memcpy(record + self.offset, PyBytes_AS_STRING(data), self.size)
        else:
            self.store_attributes(whole_set, store, whole_record, annex, value)
            if self.kind == NL_K_REST:
                return 0  # it is absent if it has no bytes
        record = store.heap.data + annex if annex else record
        record[self.presence + (self.bit >> 3)] |= 1 << (self.bit & 7)
        return 0

    cdef int store_attributes(self, const nl_set *set, Store store, uint8_t *record, uint32_t annex,
                              object value) except -1:
        """Store a value that lies in the heap: encoded as the kernel does, and decoded.

        annex: the offset of the record's annex, if the field lies there, or 0.
        """
        cdef nl_decoder decoder
        cdef nl_fault fault
        cdef nl_place place, place_of_all
        cdef nl_frame around
        cdef const nl_set *own = set if not annex else &self.annex.set
        cdef const nl_op *op = self.op_in(own)
        cdef const char *text
        cdef Py_ssize_t size
        cdef bytes data
        cdef nl_sub sub
        if op is NULL:
            raise AssertionError(f"{self.name} is not in its table")
        decoder.heap = &store.heap
        decoder.datagrams = &store.datagrams
        decoder.fault = &fault
        decoder.ahead = 1
        decoder.depth = 0
        decoder.around = NULL
        memset(&place, 0, sizeof(place))
        place.fixed = record
        place_of_all = place
        if annex:
            place.fixed = NULL
            place.offset = place.outer = annex
        if self.kind == NL_K_STRING and type(value) is str and PyUnicode_IS_ASCII(value):
            text = PyUnicode_AsUTF8AndSize(value, &size)
            return self.store_wire(&decoder, own, op, &place, <const uint8_t *>text, size, value)
        if self.kind != NL_K_SUBMESSAGE:
            around.set = set
            around.place = &place_of_all
            decoder.around = &around
        for data in self.wire(value):
            self.store_wire(&decoder, own, op, &place, <const uint8_t *>PyBytes_AS_STRING(data),
                            PyBytes_GET_SIZE(data), value)
        if self.kind == NL_K_SUBMESSAGE and isinstance(value, Record) and not op.outer:
            memcpy(&sub, (store.heap.data + annex if annex else record) + self.offset, sizeof(sub))
            if not sub.record or self.choices[sub.which][1] is not type(value):
                raise EncodeError(f"{self.name}: the value of {self.on!r} does not choose {type(value).__name__}")
        return 0

    cdef int store_wire(self, nl_decoder *decoder, const nl_set *set, const nl_op *op, const nl_place *place,
                        const uint8_t *data, size_t size, object value) except -1:
        """Store the payload of an attribute, which is that of a value."""
        cdef nl_attribute attribute
        cdef int result
        attribute.payload = data
        attribute.size = size
        decoder.start = attribute.payload
        result = nl_decode_value(decoder, set, op, &attribute, place)
        if result == 0 and self.kind == NL_K_SUBMESSAGE:
            result = nl_decode_submessage(decoder, set, op, attribute.payload, attribute.size, place)
        if result < 0:
            if decoder.fault.kind == NL_FAULT_DEPTH:
                raise EncodeError(f"{self.name}: records are nested more than {NL_DEPTH_MAX} deep")
            if decoder.fault.kind >= NL_FAULT_MEMORY:
                raise fault_error(self.owner, self.layout, decoder.fault)
            raise EncodeError(f"{self.name}: {value!r}")
        return 0

    cdef int store_in(self, Table table, Store store, object value, Field header) except -1:
        """Store a value in the first record of a store. header: the field of the header, if the field may be of it."""
        cdef uint8_t *record = store.records.data
        if self.layout is table:
            return self.store_value(&table.set, store, record, value)
        return self.store_value(&header.inner.set, store, record + header.offset, value)

    cdef int store_blank(self, uint8_t *record) except -1:
        """Store a struct of zeros."""
        cdef bytes blank = bytes(self.inner.set.wire_size)
        nl_decode_struct(&self.inner.set, <const uint8_t *>PyBytes_AS_STRING(blank), PyBytes_GET_SIZE(blank),
                         record + self.offset)
        record[self.presence + (self.bit >> 3)] |= 1 << (self.bit & 7)
        return 0

    cdef uint32_t annex_of(self, Store store, uint8_t *record) except 0:
        """The offset of a record's annex in the heap, which is made if there is none."""
        cdef uint32_t annex = nl_load32(record + self.reference)
        if not annex:
            annex = nl_heap_alloc_zeroed(&store.heap, self.annex.set.record_size + 4)
            if not annex:
                raise MemoryError
            memcpy(record + self.reference, &annex, 4)
        return annex

    cdef const nl_op *op_in(self, const nl_set *set) noexcept:
        """The field's op in the set or in one of its containers, or NULL."""
        cdef Py_ssize_t i
        cdef const nl_op *found
        for i in range(set.op_count):
            if set.ops[i].kind == NL_K_CONTAINER:
                found = self.op_in(set.ops[i].set)
                if found is not NULL:
                    return found
            elif set.ops[i].kind == self.kind and set.ops[i].offset == self.offset and set.ops[i].bit == self.bit:
                return &set.ops[i]
        return NULL

    cdef const nl_op *simple_op(self) except? NULL:
        """The field's op if it is a number of a struct, or a number or text in one attribute of the record, or NULL."""
        cdef const nl_set *set = &self.layout.set
        cdef const nl_op *op
        if self.annex is not None or (self.types and (len(self.types) != 1 or len(self.types[0][0]) != 1)):
            return NULL
        op = self.op_in(set)
        if op is NULL or op < set.ops or op >= set.ops + set.op_count:
            return NULL
        if op.kind == NL_K_INT and op.width:
            return op
        return op if op.kind == NL_K_STRING and self.types else NULL

    cdef bytes fixed(self, object value):
        """A value of fixed size as its bytes."""
        cdef bytes data
        if self.form == FORM_LLADDR:
            data = self.lladdr(value)
        elif self.form == FORM_BITFIELD32:
            try:
                bits, selector = value
            except (TypeError, ValueError):
                raise TypeError(f"{self.name}: want a Bitfield32 or a pair of integers, got {value!r}") from None
            data = self.packed(bits, 4) + self.packed(selector, 4)
        elif self.form == FORM_BASE64 and isinstance(value, str):
            data = self.decoded(value)
        else:
            data = self.bytes_of(value)
        if PyBytes_GET_SIZE(data) != self.size:
            raise EncodeError(f"{self.name}: want {self.size} bytes, got {PyBytes_GET_SIZE(data)}")
        return data

    cdef bytes bytes_of(self, object value):
        try:
            return bytes(memoryview(value))
        except TypeError:
            raise TypeError(f"{self.name}: want bytes, got {type(value).__name__}") from None

    cdef bint is_late(self) noexcept:
        """Whether its content depends on other fields of its record, which are stored before it."""
        cdef Field inner = self if self.item is None else self.item
        return (self.kind == NL_K_SUBMESSAGE or self.kind == NL_K_ADDRESS_BY
                or inner.inner is not None and inner.inner.set.asks != 0)

    cdef object items_of(self, object value):
        try:
            return iter(value)
        except TypeError:
            raise TypeError(f"{self.name}: want an iterable, got {type(value).__name__}") from None

    cdef bytes lladdr(self, object value):
        """A link-layer address, of any length."""
        if not isinstance(value, str):
            raise TypeError(f"{self.name}: want a str, got {type(value).__name__}")
        try:
            return bytes.fromhex(value.replace(":", ""))
        except ValueError:
            raise EncodeError(f"{self.name}: {value!r} is not a link-layer address such as 02:00:00:00:00:01") from None

    cdef bytes decoded(self, str value):
        """The bytes that a text in base64 stands for. It may be a secret, which no error shows."""
        try:
            return _binascii.a2b_base64(value, strict_mode=True)
        except ValueError as error:
            raise EncodeError(f"{self.name}: want {self.size} bytes, or the base64 of them: {error}") from None

    cdef bytes text(self, object value):
        if not isinstance(value, str):
            raise TypeError(f"{self.name}: want a str, got {type(value).__name__}")
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise EncodeError(f"{self.name}: {error}") from None

    cdef object wire(self, object value):
        """The payloads of the attributes for a value."""
        if self.kind == NL_K_STRING:
            return [self.text(value)]
        if self.kind == NL_K_BINARY and self.form == FORM_LLADDR:
            return [self.lladdr(value)]
        if self.form == FORM_TEXTS:
            texts = [self.text(text) for text in self.items_of(value)]
            if any(b"\0" in text for text in texts):
                raise EncodeError(f"{self.name}: a text has a NUL in it")
            data = b"".join([text + b"\0" for text in texts])
            return [data] if data else []
        if self.kind == NL_K_REST:
            data = self.bytes_of(value)
            return [data] if data else []
        if self.kind == NL_K_BINARY or self.kind == NL_K_VIEW:
            return [self.bytes_of(value)]
        if self.kind == NL_K_SOCKADDR:
            return [self.sockaddr(value)]
        if self.kind == NL_K_NESTED or self.kind == NL_K_RARE:
            return [self.part(self.declared, value)]
        if self.kind == NL_K_PACKED:
            return [b"".join([self.packed(number, self.width) for number in self.items_of(value)])]
        if self.kind == NL_K_REPEATED:
            return [self.item_payload(item) for item in self.items_of(value)]
        if self.kind == NL_K_STRUCTS:
            size = (<Field>self.item).inner.set.wire_size
            structs = [self.item_payload(item).ljust(size, b"\0") for item in self.items_of(value)]
            return [b"".join([self.packed(len(structs), self.width), *structs] if self.width else structs)]
        if self.kind == NL_K_ARRAY:
            return [self.array_payload(value)]
        if self.kind == NL_K_SEQUENCE:
            return [b"".join([self.step_payload(item) for item in self.items_of(value)])]
        if self.kind == NL_K_CHAIN:
            return [b"".join([self.link_payload(item) for item in self.items_of(value)])]
        if isinstance(value, Record):
            if not any(value.__class__ is cls for _, cls in self.choices):
                raise TypeError(f"{self.name}: {type(value).__name__} is not one of its cases")
            return [value.encode()]
        return [self.bytes_of(value)]

    cdef bytes array_payload(self, object value):
        """The attributes of an array. Their types are the keys of the items. Items without keys are numbered."""
        cdef Field item = self.item, key
        cdef list items = [], types, names = [None] * self.depth
        cdef int level
        if item.kind == NL_K_NESTED:
            for key in item.declared.__fields__.values():
                if key.kind == NL_K_KEY and key.on < self.depth:
                    names[<int>key.on] = key.name
        for i, part in enumerate(self.items_of(value)):
            if i == 65535:
                raise EncodeError(f"{self.name}: an array has at most 65535 items")
            data = self.item_payload(part)
            types = []
            for level in range(self.depth):
                type_ = None if names[level] is None else getattr(part, names[level])
                if type_ is None:
                    type_ = i + 1 if level == self.depth - 1 else 1
                types.append(type_)
            items.append((types, data))
        return self.attributes_of(items, 0)

    cdef bytes attributes_of(self, list items, int level):
        """The attributes of an array at a level. items: pairs of the types at all levels and a payload."""
        cdef list parts = []
        cdef list group = None
        for types, data in items:
            if level == self.depth - 1:
                parts.append((types[level], data))
            elif group is None or types[level] != parts[len(parts) - 1][0]:
                group = [(types, data)]
                parts.append((types[level], group))
            else:
                group.append((types, data))
        out = []
        order = "big" if NL_HOST_BIG else "little"
        for type_, inner in parts:
            data = inner if level == self.depth - 1 else self.attributes_of(inner, level + 1)
            if len(data) > 65531:
                raise EncodeError(f"{self.name}: an item is longer than 65531 bytes")
            out += [(len(data) + 4).to_bytes(2, order), type_.to_bytes(2, order), data,
                    b"\0\0\0"[:nl_align(len(data)) - len(data)]]
        return b"".join(out)

    cdef bytes step_payload(self, object value):
        """The attribute of a record in a sequence."""
        data = self.item_payload(value)
        length = int.from_bytes(data[:2], "big" if NL_HOST_BIG else "little")
        if not data or nl_align(length) != len(data):
            raise EncodeError(f"{self.name}: a record of a sequence has one field, not as {value!r}")
        return data

    cdef bytes link_payload(self, object value):
        """A record of a chain, whose header begins with its length."""
        self.item_payload(value)  # a record of the class
        data = value.encode()
        if len(data) > 65535:
            raise EncodeError(f"{self.name}: a record is longer than 65535 bytes")
        return len(data).to_bytes(2, "big" if NL_HOST_BIG else "little") + data[2:]

    cdef bytes item_payload(self, object value):
        cdef Field item = self.item
        if item.kind == NL_K_NESTED or item.kind == NL_K_STRUCT:
            return self.part(item.declared, value)
        if item.kind == NL_K_INT:
            return item.packed(value, item.size if item.width == 0 else item.width)
        if item.kind == NL_K_ADDRESS:
            return parse_address(item, value).packed
        if item.kind == NL_K_STRING:
            return item.text(value)
        if item.kind == NL_K_SOCKADDR:
            return item.sockaddr(value)
        if item.kind == NL_K_FIXED:
            return item.fixed(value)
        if item.kind == NL_K_BINARY and item.form == FORM_LLADDR:
            return item.lladdr(value)
        if item.kind == NL_K_FLAG:
            if value is not True:
                raise TypeError(f"{self.name}: a flag in a list is True, not {value!r}")
            return b""
        return item.bytes_of(value)

    cdef bytes sockaddr(self, object value):
        """A socket address as the struct of its family."""
        cdef object host, port, flow_info = 0, scope_id = 0, order = "big" if NL_HOST_BIG else "little"
        if isinstance(value, str):
            host, _, port = value.rpartition(":")
            bracketed = host.startswith("[") and host.endswith("]")
            if not port.isdecimal() or not port.isascii() or (":" in host) != bracketed:
                raise EncodeError(f"{self.name}: {value!r} is not a socket address such as 192.0.2.1:80 or [::1]:80")
            host, port = host[1:-1] if bracketed else host, int(port)
        else:
            try:
                host, port, *more = value
                flow_info, scope_id = (*more, 0, 0)[:2]
            except (TypeError, ValueError):
                more = None
            if more is None or len(more) > 2:
                kind = type(value).__name__
                raise TypeError(f"{self.name}: want a SocketAddress, a pair of address and port, or text, got {kind}")
        parsed = parse_address(self, host)
        scope = getattr(parsed, "scope_id", None)
        if scope is not None:
            if not scope.isdecimal() or not scope.isascii():
                raise EncodeError(f"{self.name}: the scope of {host} is not the number of an interface")
            scope_id = int(scope)
        if parsed.version == 4 and (flow_info or scope_id):
            raise EncodeError(f"{self.name}: an IPv4 address has neither flow_info nor scope_id")
        for number, width in ((port, 2), (flow_info, 4), (scope_id, 4)):
            self.checked(number, width)
        head = port.to_bytes(2, "big")
        if parsed.version == 4:
            return (<object>NL_AF_INET).to_bytes(2, order) + head + parsed.packed + bytes(8)
        return ((<object>NL_AF_INET6).to_bytes(2, order) + head + flow_info.to_bytes(4, "big") + parsed.packed
                + scope_id.to_bytes(4, order))

    cdef bytes packed(self, object value, unsigned width):
        cdef uint8_t data[8]
        nl_store_int(data, self.checked(value, width), width, self.flags)
        return PyBytes_FromStringAndSize(<char *>data, width)

    cdef bytes part(self, object cls, object value):
        if type(value) is not cls:
            raise TypeError(f"{self.name}: want a {cls.__name__}, got {type(value).__name__}")
        return attributes_of(value)

    cdef uint64_t checked(self, object value, unsigned width) except? 0xdead:
        """An integer of width bytes as its bit pattern."""
        cdef object number
        try:
            number = PyNumber_Index(value)
        except TypeError:
            raise TypeError(f"{self.name}: want an int, got {type(value).__name__}") from None
        cdef object bits = 8 * width
        cdef object high = (<object>1 << (bits - 1 if self.flags & NL_SIGNED else bits)) - 1
        if not (~high if self.flags & NL_SIGNED else 0) <= number <= high:
            raise EncodeError(f"{self.name}: {number} does not fit {width} bytes")
        return <uint64_t>(number & 0xffffffffffffffff)


@cython.final
cdef class HeaderField:
    """The descriptor that reads a field of the header struct from the record itself."""

    cdef Field header
    cdef Field field

    def __init__(self, Field header not None, Field field not None):
        if self.header is not None:
            raise TypeError(f"{self.field.name}: a HeaderField is declared once")
        if header.inner is None or header.inner is not field.layout:
            raise TypeError(f"{field.name} is not a field of {header.name}")
        self.field = field
        self.header = header

    def __get__(self, instance, owner):
        cdef Field header = self.header
        if header is None:
            raise TypeError("a HeaderField comes from a declaration")
        if instance is None:
            return self.field
        view = header.__get__(instance, owner)
        return None if view is None else self.field.load(view)


cdef object address(const uint8_t *at, uint32_t size, const uint8_t *heap):
    """An ipaddress object, without the parsing of its constructor."""
    cdef unsigned count
    at = nl_address_bytes(at, size, heap, &count)
    if count == 4:
        v4 = IPv4Address.__new__(IPv4Address)
        # The cast is of the whole: Cython makes it a long, which is negative from 128.0.0.0 up if it has 32 bits.
        v4._ip = <uint32_t>((<uint32_t>at[0] << 24) | (<uint32_t>at[1] << 16) | (<uint32_t>at[2] << 8) | at[3])
        return v4
    return IPv6Address(PyBytes_FromStringAndSize(<const char *>at, 16))


cdef object whole_address(const uint8_t *at):
    cdef unsigned count
    at = nl_whole_address_bytes(at, &count)
    return address(at, count, NULL)


cdef object parse_address(Field field, object value):
    parsed = value
    if not isinstance(value, (IPv4Address, IPv6Address)):
        if not isinstance(value, (str, int, bytes)) or isinstance(value, bool):
            raise TypeError(f"{field.name}: want an address, got {type(value).__name__}")
        try:
            parsed = _ipaddress.ip_address(value)
        except ValueError as error:
            raise EncodeError(f"{field.name}: {error}") from None
    if field.kind == NL_K_ADDRESS and field.width and parsed.max_prefixlen != 8 * field.width:
        raise EncodeError(f"{field.name}: want an IPv{4 if field.width == 4 else 6} address, got {parsed}")
    return parsed


@cython.final
cdef class Records:
    """The iterator of a batch."""

    cdef Batch batch
    cdef Py_ssize_t next

    def __iter__(self):
        return self

    def __next__(self):
        cdef Py_ssize_t i
        with cython.critical_section(self):
            i = self.next
            if self.batch is None or i >= self.batch.length:
                raise StopIteration
            self.next = i + 1
        return self.batch.view(i)

    def __length_hint__(self):
        return 0 if self.batch is None else self.batch.length - self.next


cdef Batch make_batch(object cls, Store store):
    cdef Batch batch = Batch.__new__(Batch)
    nl_area_trim(&store.records)
    nl_area_trim(&store.heap)
    nl_area_trim(&store.datagrams)
    batch.cls = cls
    batch.table = table_of(cls)
    batch.store = store
    batch.length = store.count
    batch.step = 1
    return batch


@cython.final
cdef class Batch:
    """A sequence of decoded records of one class, side by side in memory. Immutable.

    An index gives a record, a slice gives a batch. Both share the memory and keep it alive. A name gives a `Column`:
    `batch["orig_src"]`; see `arrow` for the names.

    Batches are equal if they have the same class and equal records. `+` is `concat`. A pickle of a slice has only the
    records of the slice. A pickle leaves attributes of unknown types out; `copy.copy` keeps them.
    """

    def __init__(self):
        raise TypeError("a Batch comes from decode_many, or from a dump or a stream of a family")

    def __class_getitem__(cls, item):
        return cls  # generic for type checkers

    def __len__(self):
        return self.length

    cdef const uint8_t *at(self, Py_ssize_t i) noexcept:
        cdef size_t stride = self.table.set.record_size + 4
        return self.store.records.data + (self.first + i * self.step) * stride

    cdef object view(self, Py_ssize_t i):
        return outermost(self.cls, self.table, self.store, self.at(i))

    def __getitem__(self, index):
        cdef Py_ssize_t i, start, stop, step
        cdef Batch part
        if isinstance(index, str):
            return self.arrow()[index]
        if isinstance(index, slice):
            PySlice_Unpack(index, &start, &stop, &step)
            part = Batch.__new__(Batch)
            part.cls = self.cls
            part.table = self.table
            part.store = self.store
            part.length = PySlice_AdjustIndices(self.length, &start, &stop, step)
            part.first = self.first + start * self.step if part.length else 0
            part.step = self.step * step if part.length > 1 else 1
            part.interrupted_ = self.interrupted_
            return part
        position = PyNumber_Index(index)
        if not -self.length <= position < self.length:
            raise IndexError(f"index {index} of a batch of {self.length}")
        i = position
        return self.view(i if i >= 0 else i + self.length)

    def __iter__(self):
        cdef Records records = Records.__new__(Records)
        records.batch = self
        return records

    def __reversed__(self):
        return iter(self[::-1])

    def __contains__(self, value):
        return any(value == record for record in self)

    def __eq__(self, other):
        cdef Batch right
        cdef Py_ssize_t i
        cdef nl_area a, b
        cdef const uint8_t *one
        cdef const uint8_t *two
        cdef Field field
        if not isinstance(other, Batch):
            return NotImplemented
        right = other
        if self.cls is not right.cls or self.length != right.length:
            return False
        if self.store is right.store and self.first == right.first and self.step == right.step:
            return True
        events = events_of(self.cls, self.table)
        memset(&a, 0, sizeof(a))
        memset(&b, 0, sizeof(b))
        try:
            for i in range(self.length):
                one = self.at(i)
                two = right.at(i)
                encode_into(&a, self.cls, self.table, self.store, one)
                encode_into(&b, self.cls, self.table, right.store, two)
                if a.size != b.size or (a.size and memcmp(a.data, b.data, a.size)):
                    return False
                for field in events:
                    if field.event(one) != field.event(two):
                        return False
            return True
        finally:
            nl_area_free(&a)
            nl_area_free(&b)

    def __hash__(self):
        return hash((self.cls, *self))

    def __add__(self, other):
        if not isinstance(other, Batch):
            return NotImplemented
        return Batch.concat((self, other))

    @staticmethod
    def concat(batches):
        """One batch with copies of the records of several, in their order.

        The copies share no memory: `concat([batch[:10]])` does not keep the rest of the batch alive. The result is
        `interrupted` if one of the batches is. ValueError if there are none, TypeError if their classes differ.
        """
        cdef Batch batch, out
        cdef Batch head = None
        cdef Store store = Store.__new__(Store)
        cdef bint interrupted = False
        cdef Py_ssize_t i
        cdef const uint8_t *record
        for part in batches:
            if not isinstance(part, Batch):
                raise TypeError(f"concat takes batches, not {part!r}")
            batch = part
            if head is None:
                head = batch[:0]
            if batch.cls is not head.cls or batch.table is None or batch.table is not head.table:
                raise TypeError(f"concat takes batches of one class, not {head!r} and {batch!r}")
            interrupted |= batch.interrupted_
            for i in range(batch.length):
                record = batch.at(i)
                copy_record(store, &batch.table.set, batch.store, record, record + batch.table.set.record_size, 0)
        if head is None:
            raise ValueError("concat takes at least one batch")
        out = make_batch(head.cls, store)
        out.interrupted_ = interrupted
        return out

    def __copy__(self):
        """A copy of the records, with their unknown attributes."""
        return Batch.concat((self,))

    def __deepcopy__(self, memo):
        return self.__copy__()

    def __reduce__(self):
        cdef Py_ssize_t i
        cdef nl_area out
        cdef Field field
        cdef list payloads = []
        events = {field.name: [field.event(self.at(i)) for i in range(self.length)]
                  for field in events_of(self.cls, self.table)}
        memset(&out, 0, sizeof(out))
        try:
            for i in range(self.length):
                encode_into(&out, self.cls, self.table, self.store, self.at(i))
                payloads.append(PyBytes_FromStringAndSize(<char *>out.data, out.size))
        finally:
            nl_area_free(&out)
        return restored_batch, (self.cls, payloads, events, self.interrupted)

    def index(self, value, start=0, stop=None):
        """The index of the first record from start to stop that equals value. ValueError if there is none."""
        for i in range(*slice(start, stop).indices(self.length)):
            if self[i] == value:
                return i
        raise ValueError(f"{value!r} is not in the batch")

    def count(self, value):
        """The number of records that equal value."""
        return sum(value == record for record in self)

    @property
    def nbytes(self):
        """Bytes of memory of the records and of all that they refer to. Slices share it."""
        return self.store.records.size + self.store.heap.size + self.store.datagrams.size

    @property
    def interrupted(self):
        """Whether the dumped objects changed during the dump, as the kernel reported (NLM_F_DUMP_INTR)."""
        return self.interrupted_

    def to_numpy(self, *names):
        """A structured NumPy array with copies of the named fields; without names, of all but the rare ones.

        A name is that of `arrow`, or the path with dots, "orig.src_port". Only fields of fixed size have an array:
        numbers, flags, and bytes of fixed size. An address has 16 bytes (IPv4 as ::ffff:a.b.c.d). An absent field reads
        as 0. `numpy.asarray(batch["mark"])` is one field, side by side in memory, which NumPy reads fastest.

        KeyError for an unknown name, TypeError for a field without a fixed size, ValueError for a repeated name.
        """
        return self.arrow("binary").to_numpy(names)

    def __array__(self, dtype=None, copy=None):
        """Raise TypeError: pandas.DataFrame and numpy.asarray would make objects of the records."""
        raise TypeError("a batch is a table: take batch.to_numpy() for NumPy, pandas.DataFrame.from_arrow(batch) for "
                        "pandas, or list(batch) for its records")

    def arrow(self, addresses="text"):
        """The records as Arrow columns, for any consumer of the Arrow PyCapsule protocol.

        `pyarrow.record_batch(batch.arrow("binary"))`. The batch itself has the same protocol, with addresses as text:
        `polars.DataFrame(batch)`.

        Each field is a column, null if the attribute is absent. A column of a nested record has the names of its path
        joined with "_" (`orig_src_port`). So have the columns of a bitfield32 (`_value`, `_selector`), of a sockaddr
        (`_address`, `_port`, `_flow_info`, `_scope_id`) and of the cases of a submessage (`data_vlan_id`; `data` has
        the bytes if no case fits).

        An IntEnum becomes a dictionary of the members' names and of the numbers without one, an IntFlag an integer. An
        integer with a time becomes a timestamp in UTC, an Ethernet address text. A repeated field becomes a list, and a
        list of records a list of structs. Malformed UTF-8 in a string becomes U+FFFD. A record of a field that is
        declared by a function, and that may have records of the field's own kind inside, becomes its payload as bytes.

        addresses: "text", or "binary" for 16 bytes. An IPv4 address then equals the IPv6 address ::ffff:a.b.c.d.

        The columns are copies, made anew for each consumer. ValueError if two columns would have the same name.
        """
        from netlink._engine.arrow import Columns
        return Columns(self, addresses)

    def select(self, *names):
        """The named columns in this order, for any consumer of the Arrow PyCapsule protocol. No other column is made.

        `polars.DataFrame(batch.select("orig_src", "mark"))`. A name is that of `arrow`, or the path with dots,
        "orig.src". KeyError for an unknown name, ValueError for a repeated one.
        """
        return self.arrow().select(*names)

    def _repr_html_(self):
        from netlink._engine.html import table
        return table(self)

    def __arrow_c_schema__(self):
        """See `arrow`."""
        return self.arrow().__arrow_c_schema__()

    def __arrow_c_array__(self, requested_schema=None):
        """See `arrow`."""
        return self.arrow().__arrow_c_array__(requested_schema)

    def __arrow_c_stream__(self, requested_schema=None):
        """See `arrow`."""
        return self.arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self):
        return f"<Batch of {self.length} {self.cls.__name__}>"
