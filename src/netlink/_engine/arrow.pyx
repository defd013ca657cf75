"""Batches as Arrow columns: the Arrow PyCapsule protocol, over the gather of arrow.h.

Ownership: `Columns` keeps the batch, and the nl_column tree that says how to gather it. What is exported owns its
memory, but for a stream, which keeps the Columns until it is released.
"""

cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EOVERFLOW
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from netlink._engine.record cimport (
    NL_K_ADDRESS,
    NL_K_ARRAY,
    NL_K_BINARY,
    NL_K_EVENT,
    NL_K_FIXED,
    NL_K_FLAG,
    NL_K_INT,
    NL_K_NESTED,
    NL_K_PACKED,
    NL_K_RARE,
    NL_K_REPEATED,
    NL_K_STRING,
    NL_K_STRUCT,
    NL_K_SUBMESSAGE,
    NL_K_VIEW,
    NL_SIGNED,
    Batch,
    Field,
)

import enum as _enum

from netlink._engine import record as _record

cdef extern from "Python.h":
    int Py_IsInitialized() nogil


@cython.final
cdef class Column:
    """One nl_column and what it points to."""

    cdef nl_column c
    cdef list parts

    def __dealloc__(self):
        free(<void *>self.c.hops)
        free(<void *>self.c.children)
        free(<void *>self.c.term_values)
        free(<void *>self.c.term_names)

    cdef const char *keep(self, str text) except NULL:
        cdef bytes data = text.encode()
        self.parts.append(data)
        return data

    cdef int adopt(self, list children) except -1:
        cdef Py_ssize_t i
        cdef Column child
        names = set()
        for child in children:
            name = child.c.name.decode()
            if name in names:
                raise ValueError(f"two columns would have the name {name!r}: rename a field")
            names.add(name)
        self.c.children = <const nl_column **>alloc(len(children), sizeof(nl_column *))
        for i in range(len(children)):
            child = children[i]
            self.c.children[i] = &child.c
        self.c.child_count = len(children)
        self.parts.append(children)
        return 0


cdef void *alloc(size_t count, size_t size) except NULL:
    cdef void *memory = calloc(count + 1, size)
    if memory is NULL:
        raise MemoryError
    return memory


cdef Column new_column(str name, str format, int kind, uint32_t offset=0, uint32_t width=0):
    cdef Column column = Column.__new__(Column)
    column.parts = []
    column.c.name = column.keep(name)
    column.c.format = column.keep(format)
    column.c.kind = kind
    column.c.offset = offset
    column.c.width = width
    return column


cdef str joined(str prefix, str name):
    return f"{prefix}_{name}" if prefix else name


cdef str label(object key):
    """What the columns of one case of a submessage are called by."""
    return key.name.lower() if isinstance(key, _enum.IntEnum) else str(key)


cdef str integer_format(Py_ssize_t width, int flags):
    formats = {1: "cC", 2: "sS", 4: "iI", 8: "lL"}
    return formats[width][0 if flags & NL_SIGNED else 1]


cdef list of_class(object cls, str prefix, uint32_t base, tuple hops, bint binary):
    """The columns of all fields of a record that lies base bytes into the one that hops lead to."""
    out = []
    for name, field in cls.__fields__.items():
        out += of_field(field, joined(prefix, name), base, hops, binary)
    return out


cdef list of_field(Field field, str name, uint32_t base, tuple hops, bint binary):
    cdef uint32_t offset = base + field.offset
    if field.kind == NL_K_NESTED or field.kind == NL_K_STRUCT:
        return of_class(field.cls, name, offset, hops, binary)
    if field.kind == NL_K_RARE:
        return of_class(field.cls, name, 0, (*hops, (offset, NL_HOP_RARE)), binary)
    if field.kind == NL_K_FIXED and field.form == _record.FORM_BITFIELD32:
        columns = [new_column(joined(name, "value"), "I", NL_COL_FIXED, offset, 4),
                   new_column(joined(name, "selector"), "I", NL_COL_FIXED, offset + 4, 4)]
    elif field.kind == NL_K_SUBMESSAGE:
        columns = [new_column(name, "z", NL_COL_RAW, offset)]
    else:
        columns = [of_value(field, name, offset, binary)]
    for column in columns:
        place(column, field, base, hops)
    if field.kind == NL_K_SUBMESSAGE:
        for which, (key, cls) in enumerate(field.cases):
            columns += of_class(cls, joined(name, label(key)), 0, (*hops, (offset, which)), binary)
    return columns


cdef Column of_value(Field field, str name, uint32_t offset, bint binary):
    """The column of a field that has just one."""
    cdef Column column
    if field.kind == NL_K_INT or field.kind == NL_K_EVENT:
        if field.enum is not None and not issubclass(field.enum, _enum.Flag):
            column = new_column(name, "i", NL_COL_TERM, offset, field.size)
            column.c.flags = field.flags
            set_terms(column, field.enum)
            return column
        return new_column(name, integer_format(field.size, field.flags), NL_COL_FIXED, offset, field.size)
    if field.kind == NL_K_FLAG:
        return new_column(name, "b", NL_COL_TRUE)
    if field.kind == NL_K_ADDRESS:
        if binary:
            return new_column(name, "w:16", NL_COL_FIXED, offset, 16)
        return new_column(name, "u", NL_COL_ADDRESS, offset)
    if field.kind == NL_K_FIXED:
        if field.form == _record.FORM_LLADDR:
            return new_column(name, "u", NL_COL_MAC, offset)
        return new_column(name, f"w:{field.size}", NL_COL_FIXED, offset, field.size)
    if field.kind == NL_K_STRING:
        return new_column(name, "u", NL_COL_TEXT, offset)
    if field.kind == NL_K_BINARY:
        if field.form == _record.FORM_LLADDR:
            return new_column(name, "u", NL_COL_LLADDR, offset)
        return new_column(name, "z", NL_COL_BINARY, offset)
    if field.kind == NL_K_VIEW:
        return new_column(name, "z", NL_COL_VIEW, offset)
    if field.kind == NL_K_PACKED:
        column = new_column(name, "+l", NL_COL_PACKED, offset)
        item = new_column("item", integer_format(field.width, field.flags), NL_COL_FIXED, 0, field.width)
    elif field.kind == NL_K_REPEATED or field.kind == NL_K_ARRAY:
        column = new_column(name, "+l", NL_COL_LIST, offset)
        item = of_item(field.item, binary)
    else:
        raise AssertionError(f"{name} is of kind {field.kind}, which has no column")
    column.adopt([item])
    return column


cdef Column of_item(Field item, bint binary):
    """The column of a list's items."""
    cdef Column column
    if item.kind == NL_K_NESTED or item.form == _record.FORM_BITFIELD32:
        column = new_column("item", "+s", NL_COL_STRUCT)
        column.adopt(of_field(item, "", 0, (), binary))
        return column
    return of_field(item, "item", 0, (), binary)[0]


cdef int place(Column column, Field field, uint32_t base, tuple hops) except -1:
    """Say where the presence bit lies, and how the record is reached."""
    cdef Py_ssize_t i
    cdef nl_hop *steps = <nl_hop *>alloc(len(hops), sizeof(nl_hop))
    column.c.hops = steps
    column.c.hop_count = len(hops)
    for i in range(len(hops)):
        steps[i].offset, steps[i].which = hops[i]
    column.c.presence = base + field.presence + (field.bit >> 3)
    column.c.mask = 1 << (field.bit & 7)
    return 0


cdef int set_terms(Column column, object enum) except -1:
    cdef Py_ssize_t i
    members = list(enum)
    cdef uint64_t *values = <uint64_t *>alloc(len(members), sizeof(uint64_t))
    column.c.term_values = values
    column.c.term_names = <const char **>alloc(len(members), sizeof(char *))
    for i in range(len(members)):
        values[i] = <uint64_t>(int(members[i]) & 0xffffffffffffffff)
        column.c.term_names[i] = column.keep(members[i].name)
    column.c.term_count = len(members)
    return 0


cdef void drop_owner(void *owner) noexcept with gil:
    Py_DECREF(<object>owner)


cdef void drop(void *owner) noexcept nogil:
    """Of a stream's release, which may come from a thread without the GIL, or when Python is gone."""
    if Py_IsInitialized():
        drop_owner(owner)


# A consumer that takes what a capsule holds marks it as released.

cdef void free_schema(object capsule) noexcept:
    cdef ArrowSchema *schema = <ArrowSchema *>PyCapsule_GetPointer(capsule, b"arrow_schema")
    if schema.release is not NULL:
        schema.release(schema)
    free(schema)


cdef void free_array(object capsule) noexcept:
    cdef ArrowArray *array = <ArrowArray *>PyCapsule_GetPointer(capsule, b"arrow_array")
    if array.release is not NULL:
        array.release(array)
    free(array)


cdef void free_stream(object capsule) noexcept:
    cdef ArrowArrayStream *stream = <ArrowArrayStream *>PyCapsule_GetPointer(capsule, b"arrow_array_stream")
    if stream.release is not NULL:
        stream.release(stream)
    free(stream)


@cython.final
cdef class Columns:
    """A batch as Arrow columns, for what takes the Arrow PyCapsule protocol: see `Batch.arrow`."""

    cdef Batch batch
    cdef Column root

    def __init__(self, Batch batch not None, str addresses not None="text"):
        if self.batch is not None:
            raise TypeError("Columns are of one batch")
        if addresses not in ("text", "binary"):
            raise ValueError(f'addresses are "text" or "binary", not {addresses!r}')
        self.root = new_column("", "+s", NL_COL_STRUCT)
        self.root.adopt(of_class(batch.cls, "", 0, (), addresses == "binary"))
        self.batch = batch

    cdef nl_source source(self):
        cdef Batch batch = self.batch
        cdef nl_source source
        cdef ptrdiff_t size = batch.table.set.record_size + 4
        source.first = batch.store.records.data + batch.first * size if batch.length else NULL
        source.stride = batch.step * size
        source.count = batch.length
        source.bytes.heap = batch.store.heap.data
        source.bytes.kept = batch.store.kept.data
        return source

    cdef Column columns(self):
        if self.root is None or self.batch is None:
            raise TypeError("Columns come from Batch.arrow")
        return self.root

    def __arrow_c_schema__(self):
        """A capsule of the columns' names and types."""
        cdef Column root = self.columns()
        cdef ArrowSchema *schema = <ArrowSchema *>alloc(1, sizeof(ArrowSchema))
        capsule = PyCapsule_New(schema, b"arrow_schema", free_schema)
        if nl_schema_export(&root.c, schema):
            raise MemoryError
        return capsule

    def __arrow_c_array__(self, requested_schema=None):
        """Capsules of the schema and of all rows as one array. A requested schema is not looked at.

        OverflowError where a column has over 2 GiB of text, bytes or items, which a stream gives in parts.
        """
        cdef Column root = self.columns()
        cdef ArrowArray *array = <ArrowArray *>alloc(1, sizeof(ArrowArray))
        capsule = PyCapsule_New(array, b"arrow_array", free_array)
        cdef nl_source source = self.source()
        cdef nl_builder builder
        cdef int result
        with nogil:
            result = nl_builder_init(&builder, &root.c)
            if not result:
                result = nl_export_rows(&builder, &source, 0, source.count, array)
            nl_builder_free(&builder)
        if result:
            if result == EOVERFLOW:
                raise OverflowError("a column has more than the 2 GiB of an array: take the stream, or slices")
            raise MemoryError
        return self.__arrow_c_schema__(), capsule

    def __arrow_c_stream__(self, requested_schema=None):
        """A capsule of a stream of the rows, in arrays of up to 131,072. A requested schema is not looked at.

        The batch lives until the stream is released; the arrays do not need it.
        """
        cdef Column root = self.columns()
        cdef ArrowArrayStream *stream = <ArrowArrayStream *>alloc(1, sizeof(ArrowArrayStream))
        capsule = PyCapsule_New(stream, b"arrow_array_stream", free_stream)
        cdef nl_source source = self.source()
        if nl_stream_init(stream, &root.c, &source, drop, <void *>self):
            raise MemoryError
        Py_INCREF(self)
        return capsule

    def __len__(self):
        return 0 if self.batch is None else len(self.batch)

    def __repr__(self):
        return f"<Columns of {self.batch!r}>"
