"""Batches as Arrow columns: the Arrow PyCapsule protocol over the builders of arrow.h.

Ownership: `Columns` and `Column` hold references to the batch and to the tree of nl_columns. An exported array or
schema owns its memory. An exported stream holds a reference to its exporter until it is released.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport E2BIG, EOVERFLOW
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from netlink._engine.record cimport (
    NL_K_ADDRESS,
    NL_K_ADDRESS_BY,
    NL_K_BINARY,
    NL_K_EVENT,
    NL_K_FIXED,
    NL_K_FLAG,
    NL_K_INT,
    NL_K_KEY,
    NL_K_NESTED,
    NL_K_PACKED,
    NL_K_RARE,
    NL_K_REST,
    NL_K_SOCKADDR,
    NL_K_STRING,
    NL_K_STRUCT,
    NL_K_SUBMESSAGE,
    NL_K_VIEW,
    NL_SIGNED,
    Batch,
    Field,
    Record,
    Table,
    nl_area_pool,
    nl_is_list,
    pool_of_stores,
    table_of,
)

import enum as _enum
import os as _os

from netlink._engine import record as _record
from netlink._engine.record import attributes_of
from netlink.errors import EncodeError

cdef extern from "Python.h":
    int Py_IsInitialized() nogil

cdef enum:
    # Rows between two checks for signals.
    SPELL = 16384

nl_area_pool = pool_of_stores()


nl_term_secret = int.from_bytes(_os.urandom(8)) | 1


@cython.final
cdef class Node:
    def __dealloc__(self):
        free(<void *>self.c.hops)
        free(<void *>self.c.children)
        free(<void *>self.c.term_values)
        free(<void *>self.c.term_names)

    cdef const char *add_text(self, str text) except NULL:
        cdef bytes data = text.encode()
        self.parts.append(data)
        return data

    cdef bint is_own(self):
        """Whether each record has the field itself."""
        return not self.c.hop_count and self.c.source is NULL

    cdef int set_children(self, list children) except -1:
        cdef Py_ssize_t i
        cdef Node child
        names = set()
        for child in children:
            if child.name in names:
                raise ValueError(f"two columns would have the name {child.name!r}: rename a field")
            names.add(child.name)
        self.c.children = <const nl_column **>alloc(len(children), sizeof(nl_column *))
        for i in range(len(children)):
            child = children[i]
            self.c.children[i] = &child.c
            if child.c.source is not NULL:
                self.c.source = child.c.source
        self.c.child_count = len(children)
        self.parts.append(children)
        return 0


cdef void *alloc(size_t count, size_t size) except NULL:
    cdef void *memory = calloc(count + 1, size)
    if memory is NULL:
        raise MemoryError
    return memory


cdef Node new_column(str name, str format, int kind, uint32_t offset=0, uint32_t width=0):
    cdef Node column = Node.__new__(Node)
    column.parts = []
    column.name = name
    column.c.name = column.add_text(name)
    column.c.format = column.add_text(format)
    column.c.kind = kind
    column.c.offset = offset
    column.c.width = width
    return column


cdef str label(object key):
    """The part of a column's name that stands for one case of a submessage."""
    return key.name.lower() if isinstance(key, _enum.IntEnum) else str(key)


cdef str integer_format(Py_ssize_t width, int flags):
    formats = {1: "cC", 2: "sS", 4: "iI", 8: "lL"}
    return formats[width][0 if flags & NL_SIGNED else 1]


# The timestamp formats of Arrow, by unit.
cdef dict TIMES = {"s": "tss:UTC", "ms": "tsm:UTC", "us": "tsu:UTC", "ns": "tsn:UTC"}


cdef list of_class(object cls, tuple path, tuple steps, uint32_t base, tuple hops, bint binary):
    """The columns of all fields of a record. It lies base bytes into the record that hops lead to."""
    out = []
    for name, field in cls.__fields__.items():
        out += of_field(field, (*path, name), (*steps, field), base, hops, binary)
    return out


cdef list of_field(Field field, tuple path, tuple steps, uint32_t base, tuple hops, bint binary):
    cdef uint32_t offset
    cdef Node column
    if field.later:
        return []  # its declaration is still made, for `Source.bind` alone
    if field.annex is not None:
        hops = (*hops, (base + field.reference, NL_HOP_RARE))
        base = 0
    offset = base + field.offset
    if field.kind == NL_K_NESTED or field.kind == NL_K_STRUCT:
        return of_class(field.cls, path, steps, offset, hops, binary)
    if field.kind == NL_K_RARE and field.forward and leads_to(field.cls, field.owner):
        return [of_recursive(field.cls, path, steps, (*hops, (offset, NL_HOP_RARE)), False)]
    if field.kind == NL_K_RARE:
        return of_class(field.cls, path, steps, 0, (*hops, (offset, NL_HOP_RARE)), binary)
    if has_parts(field):
        columns = []
        for i, (part, at, format_) in enumerate(parts_of(field)):
            name = "_".join((*path, part))
            if format_ == "u":
                column = whole_address(name, offset + at, binary)
            else:
                column = new_column(name, format_, NL_COL_FIXED, offset + at, 2 if format_ == "S" else 4)
            column.path = (*path, part)
            column.steps = (*steps, i)
            columns.append(column)
    else:
        if field.kind == NL_K_SUBMESSAGE:
            column = new_column("_".join(path), "z", NL_COL_RAW, offset)
        else:
            column = of_value(field, "_".join(path), offset, binary)
        column.path = path
        column.steps = (*steps, bytes) if field.kind == NL_K_SUBMESSAGE else steps
        columns = [column]
    for column in columns:
        place(column, field, base, hops)
    if field.kind == NL_K_SUBMESSAGE:
        for which, (key, cls) in enumerate(field.cases):
            path_, steps_, hops_ = (*path, label(key)), (*steps, cls), (*hops, (offset, which))
            if field.forward and leads_to(cls, field.owner):
                columns.append(of_recursive(cls, path_, steps_, hops_, True))
            else:
                columns += of_class(cls, path_, steps_, 0, hops_, binary)
    return columns


cdef bint leads_to(object start, object owner) except -1:
    """Whether records of a class may have some of owner inside."""
    cdef list found = [start]
    seen = {start}
    for cls in found:
        if cls is owner:
            return True
        for field in cls.__fields__.values():
            inner = [case for _, case in field.cases or ()]
            inner += [each.cls for each in (field, field.item) if each is not None]
            for each in inner:
                if each is not None and each not in seen:
                    seen.add(each)
                    found.append(each)
    return False


cdef Node of_recursive(object cls, tuple path, tuple steps, tuple hops, bint whole):
    """The column of a record that may have others of its kind inside: its attributes, encoded."""
    cdef Node column = new_column("_".join(path), "z", NL_COL_RECORD)
    cdef Table table = table_of(cls)
    column.parts.append(table)
    column.c.set = &table.set
    column.path = path
    column.steps = (*steps, Record.encode if whole else attributes_of)
    column.c.flags = whole
    set_hops(column, hops)
    return column


cdef bint has_parts(Field field):
    """Whether a field has several columns, one for each item of its tuple."""
    return field.kind == NL_K_SOCKADDR or field.form == _record.FORM_BITFIELD32


cdef tuple parts_of(Field field):
    """The names of these items, their places in the record and their formats."""
    if field.kind == NL_K_SOCKADDR:
        return ("address", 0, "u"), ("port", 17, "S"), ("flow_info", 19, "I"), ("scope_id", 23, "I")
    return ("value", 0, "I"), ("selector", 4, "I")


cdef Node whole_address(str name, uint32_t offset, bint binary):
    """The column of an address that is stored as a whole."""
    if binary:
        return new_column(name, "w:16", NL_COL_FIXED, offset, 16)
    return new_column(name, "u", NL_COL_PART, offset, 16)


cdef list of_record(object cls, bint binary):
    """The columns of all fields of a record of its own, and of the headers of its packet."""
    packet = getattr(cls, "__packet__", None)
    return of_class(cls, (), (), 0, (), binary) + ([] if packet is None else packet.columns(binary))


cdef object value_of(Record record, tuple steps):
    """A record's value in a column. A step is a field, an index, the class that a submessage must have, or a function.
    """
    value = record
    for step in steps:
        if isinstance(step, Field):
            value = (<Field>step).load(<Record?>value)
        elif isinstance(step, int):
            value = value[step]
        elif not isinstance(step, type):
            value = step(value)
        elif type(value) is not step:
            return None
        if value is None:
            return None
    return value


cdef Node of_integer(Field field, str name, uint32_t offset, uint32_t size):
    """The column of an integer of a field, which has so many bytes in the record."""
    cdef Node column
    if field.enum is not None and not issubclass(field.enum, _enum.Flag):
        column = new_column(name, "i", NL_COL_TERM, offset, size)
        column.c.flags = field.flags
        set_terms(column, field.enum)
        return column
    if field.time is not None:
        return new_column(name, TIMES[field.time], NL_COL_FIXED, offset, 8)
    return new_column(name, integer_format(size, field.flags), NL_COL_FIXED, offset, size)


cdef Node of_value(Field field, str name, uint32_t offset, bint binary):
    """The column of a field with exactly one column."""
    cdef Node column
    if field.kind == NL_K_INT or field.kind == NL_K_EVENT or field.kind == NL_K_KEY:
        return of_integer(field, name, offset, field.size)
    if field.kind == NL_K_FLAG:
        return new_column(name, "b", NL_COL_TRUE)
    if field.kind == NL_K_ADDRESS:
        if binary:
            return new_column(name, "w:16", NL_COL_MAPPED, offset, field.size)
        return new_column(name, "u", NL_COL_ADDRESS, offset, field.size)
    if field.kind == NL_K_ADDRESS_BY:
        return whole_address(name, offset, binary)
    if field.kind == NL_K_FIXED:
        if field.form == _record.FORM_LLADDR:
            return new_column(name, "u", NL_COL_MAC, offset, field.size)
        return new_column(name, f"w:{field.size}", NL_COL_FIXED, offset, field.size)
    if field.kind == NL_K_STRING:
        return new_column(name, "u", NL_COL_TEXT, offset)
    if field.kind == NL_K_REST and field.form == _record.FORM_TEXTS:
        column = new_column(name, "+l", NL_COL_TEXTS, offset)
        item = new_column("item", "u", NL_COL_TEXT)
        item.c.presence, item.c.mask = 8, 1  # of an nl_one_text
        column.set_children([item])
        return column
    if field.kind == NL_K_BINARY or field.kind == NL_K_REST:
        if field.form == _record.FORM_LLADDR:
            return new_column(name, "u", NL_COL_LLADDR, offset)
        return new_column(name, "z", NL_COL_BINARY, offset)
    if field.kind == NL_K_VIEW:
        return new_column(name, "z", NL_COL_VIEW, offset)
    if field.kind == NL_K_PACKED:
        column = new_column(name, "+l", NL_COL_PACKED, offset)
        item = of_integer(field, "item", 0, field.width)
    elif nl_is_list(field.kind):
        column = new_column(name, "+l", NL_COL_LIST, offset)
        item = of_item(field.item, field.owner, binary)
    else:
        raise AssertionError(f"{name} has kind {field.kind}, which has no column")
    column.set_children([item])
    return column


cdef Node of_item(Field item, object owner, bint binary):
    """The column of the items of a list in a record of owner."""
    cdef Node column
    if item.forward and leads_to(item.cls, owner):
        return of_recursive(item.cls, ("item",), (), (), False)
    if item.kind == NL_K_NESTED or item.kind == NL_K_STRUCT or has_parts(item):
        column = new_column("item", "+s", NL_COL_STRUCT)
        column.set_children(of_field(item, (), (), 0, (), binary))
        return column
    return of_field(item, ("item",), (), 0, (), binary)[0]


cdef int place(Node column, Field field, uint32_t base, tuple hops) except -1:
    """Set a column's presence bit, and its hops to the record."""
    set_hops(column, hops)
    column.c.presence = base + field.presence + (field.bit >> 3)
    column.c.mask = 1 << (field.bit & 7)
    return 0


cdef int set_hops(Node column, tuple hops) except -1:
    cdef Py_ssize_t i
    cdef nl_hop *steps = <nl_hop *>alloc(len(hops), sizeof(nl_hop))
    column.c.hops = steps
    column.c.hop_count = len(hops)
    for i in range(len(hops)):
        steps[i].offset, steps[i].which = hops[i]
    return 0


cdef int set_terms(Node column, object enum) except -1:
    cdef Py_ssize_t i
    members = list(enum)
    cdef uint64_t *values = <uint64_t *>alloc(len(members), sizeof(uint64_t))
    column.c.term_values = values
    column.c.term_names = <const char **>alloc(len(members), sizeof(char *))
    for i in range(len(members)):
        values[i] = <uint64_t>(int(members[i]) & 0xffffffffffffffff)
        column.c.term_names[i] = column.add_text(members[i].name)
    column.c.term_count = len(members)
    return 0


cdef void drop_owner(void *owner) noexcept with gil:
    Py_DECREF(<object>owner)


cdef void drop(void *owner) noexcept nogil:
    """The drop of a stream. Its release may run in any thread, also without the GIL or after Python has finished."""
    if Py_IsInitialized():
        drop_owner(owner)


# A consumer that moves the contents of a capsule sets release to NULL.

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


cdef class Exported:
    """A tree of columns of a batch, with the Arrow PyCapsule protocol."""

    cdef Batch batch
    cdef Node root

    cdef nl_rows source(self) except *:
        cdef Batch batch = self.batch
        cdef nl_rows source
        cdef ptrdiff_t size = batch.table.set.record_size + 4
        source.first = batch.store.records.data + batch.first * size if batch.length else NULL
        source.stride = batch.step * size
        source.count = batch.length
        source.bytes.heap = batch.store.heap.data
        source.bytes.datagrams = batch.store.datagrams.data
        return source

    cdef Node tree(self):
        if self.root is None or self.batch is None:
            raise TypeError("Columns come from Batch.arrow")
        return self.root

    def __arrow_c_schema__(self):
        """A capsule of the columns' names and types."""
        cdef Node root = self.tree()
        cdef ArrowSchema *schema = <ArrowSchema *>alloc(1, sizeof(ArrowSchema))
        capsule = PyCapsule_New(schema, b"arrow_schema", free_schema)
        if nl_schema_export(&root.c, schema):
            raise MemoryError
        return capsule

    def __arrow_c_array__(self, requested_schema=None):
        """Capsules of the schema and of all rows as one array. A requested schema is ignored.

        OverflowError if a column has more than 2 GiB of text, bytes or items. A stream has smaller arrays.
        """
        cdef Node root = self.tree()
        cdef ArrowArray *array = <ArrowArray *>alloc(1, sizeof(ArrowArray))
        capsule = PyCapsule_New(array, b"arrow_array", free_array)
        cdef nl_rows source = self.source()
        cdef nl_builder builder
        cdef size_t at = 0, n
        cdef int result
        result = nl_builder_init(&builder, &root.c)
        try:
            if not result:
                nl_builder_reset(&builder, source.count)
            while at < source.count and not result:
                n = min(source.count - at, <size_t>SPELL)
                with nogil:
                    result = nl_gather_rows(&builder, &source, at, n)
                at += n
                PyErr_CheckSignals()
            if not result:
                with nogil:
                    result = nl_export_gathered(&builder, array)
        finally:
            nl_builder_free(&builder)
        if result:
            if result == EOVERFLOW:
                raise OverflowError("a column is larger than the 2 GiB of an array: take the stream, or slices")
            if result == E2BIG:
                raise EncodeError(f"{self.batch.cls.__name__}: an attribute is longer than 65531 bytes")
            raise MemoryError
        return self.__arrow_c_schema__(), capsule

    def __arrow_c_stream__(self, requested_schema=None):
        """A capsule of a stream of arrays, of up to 131,072 rows each. A requested schema is ignored.

        The stream keeps the batch alive; its arrays do not.
        """
        cdef Node root = self.tree()
        cdef ArrowArrayStream *stream = <ArrowArrayStream *>alloc(1, sizeof(ArrowArrayStream))
        capsule = PyCapsule_New(stream, b"arrow_array_stream", free_stream)
        cdef nl_rows source = self.source()
        if nl_array_stream_init(stream, &root.c, &source, drop, <void *>self):
            raise MemoryError
        Py_INCREF(self)
        return capsule

    def __len__(self):
        return 0 if self.batch is None else len(self.batch)


@cython.final
cdef class Columns(Exported):
    """Columns of a batch, for any consumer of the Arrow PyCapsule protocol: see `Batch.arrow` and `Batch.select`."""

    cdef list nodes

    def __init__(self, Batch batch not None, str addresses not None="text"):
        if self.batch is not None:
            raise TypeError("Columns belong to one batch")
        if addresses not in ("text", "binary"):
            raise ValueError(f'addresses are "text" or "binary", not {addresses!r}')
        self.set_columns(batch, of_record(batch.cls, addresses == "binary"))

    cdef int set_columns(self, Batch batch, list nodes) except -1:
        cdef Node root = new_column("", "+s", NL_COL_STRUCT)
        root.set_children(nodes)
        self.nodes = nodes
        self.root = root
        self.batch = batch
        return 0

    cdef Node named(self, name):
        cdef Node node
        self.tree()
        for node in self.nodes:
            if node.name == name or ".".join(node.path) == name:
                return node
        raise KeyError(f"{self.batch.cls.__name__} has no column {name!r}; it has {', '.join(self.names)}")

    @property
    def names(self):
        """The names of the columns."""
        self.tree()
        return tuple([(<Node>node).name for node in self.nodes])

    def __getitem__(self, name):
        cdef Column column = Column.__new__(Column)
        column.root = self.named(name)
        column.batch = self.batch
        return column

    def select(self, *names):
        """The named columns in this order. KeyError for an unknown name, ValueError for a repeated one."""
        cdef Columns chosen = Columns.__new__(Columns)
        chosen.set_columns(self.batch, [self.named(name) for name in names])
        return chosen

    def to_numpy(self, tuple names not None):
        """See `Batch.to_numpy`."""
        import numpy
        cdef Node node
        self.tree()
        if names:
            nodes = [self.named(name) for name in names]
        else:
            nodes = [node for node in self.nodes if (<Node>node).is_own() and has_fixed_size(node)]
        dtype = numpy.dtype([(node.name, numpy_format(node)) for node in nodes])
        out = numpy.empty(len(self), dtype)
        fill(out, nodes, [dtype.fields[node.name][1] for node in nodes], dtype.itemsize, self.source())
        return out

    def __repr__(self):
        return f"<Columns of {self.batch!r}>"


@cython.final
cdef class Column(Exported):
    """One column of a batch, such as `batch["mark"]`.

    `pyarrow.array(column)` and `polars.Series(column)` have the values of this column in `Batch.arrow`.
    `numpy.asarray(column)` is a contiguous copy of the field in `Batch.to_numpy`, 0 if a field is absent. For a field
    without a fixed size it is an array of objects. Iteration gives the values of the records, None if a field is
    absent. The column keeps the batch alive; the arrays do not.
    """

    def __init__(self):
        raise TypeError("a Column comes from a batch, by its name")

    @property
    def name(self):
        """The name of the column in Arrow, such as `orig_src`."""
        return self.tree().name

    def __iter__(self):
        cdef tuple steps = self.tree().steps
        return (value_of(record, steps) for record in self.batch)

    def __array__(self, dtype=None, copy=None):
        import numpy
        cdef Node node = self.tree()
        if copy is False:
            raise ValueError(f"an array of {node.name} is a copy")
        if has_fixed_size(node):
            format_, shape = numpy_format(node)
            array = numpy.empty((len(self), *shape), format_)
            fill(array, [node], [0], array.strides[0], self.source())
        else:
            array = numpy.empty(len(self), object)
            array[:] = list(self)
        return array if dtype is None else array.astype(dtype, copy=False)

    def __repr__(self):
        return f"<Column {self.name!r} of {self.batch!r}>"


cdef bint has_fixed_size(Node column):
    """Whether NumPy has an array for the column."""
    return column.c.kind in (NL_COL_FIXED, NL_COL_TERM, NL_COL_TRUE, NL_COL_MAPPED, NL_COL_ADDRESS, NL_COL_MAC,
                             NL_COL_PART)


cdef object numpy_format(Node column):
    """The NumPy type and shape of a column's values. TypeError if they have no fixed size."""
    field = column.steps[len(column.steps) - 1]
    if column.c.kind == NL_COL_TRUE:
        return "?", ()
    if column.c.kind in (NL_COL_MAPPED, NL_COL_ADDRESS, NL_COL_PART):
        return "u1", (16,)
    if not has_fixed_size(column):
        raise TypeError(f"{column.name} has no fixed size: take the column, batch[{column.name!r}]")
    if column.c.width not in (1, 2, 4, 8) or (isinstance(field, Field) and (<Field>field).kind == NL_K_FIXED):
        return "u1", (column.c.width,)
    signed = isinstance(field, Field) and (<Field>field).flags & NL_SIGNED
    return f"{'i' if signed else 'u'}{column.c.width}", ()


cdef int fill(object array, list columns, list offsets, size_t stride, nl_rows source) except -1:
    """Fill the items of a NumPy array, which have stride bytes, with columns at offsets."""
    cdef Py_ssize_t i, count = len(columns)
    cdef Py_buffer view
    cdef nl_member *members
    cdef const nl_source *packet = NULL
    if not source.count or not count:
        return 0
    PyObject_GetBuffer(array, &view, PyBUF_WRITABLE)
    try:
        members = <nl_member *>alloc(count, sizeof(nl_member))
        for i in range(count):
            members[i].column = &(<Node>columns[i]).c
            members[i].offset = offsets[i]
            if members[i].column.source is not NULL:
                packet = members[i].column.source
        with nogil:
            nl_spread(members, count, packet, &source, <uint8_t *>view.buf, stride)
        free(members)
    finally:
        PyBuffer_Release(&view)
    return 0


def dtype(cls):
    """The NumPy dtype of a declaration's records: see `Batch.to_numpy`."""
    if not (isinstance(cls, type) and issubclass(cls, Record)):
        raise TypeError(f"dtype takes a declaration, not {cls!r}")
    return cls.decode_many(()).to_numpy().dtype


def cells(Batch batch not None):
    """The columns of a batch with at least one value: pairs of a name and the list of values."""
    out = []
    for node in of_record(batch.cls, False):
        values = [value_of(record, (<Node>node).steps) for record in batch]
        if any(value is not None for value in values):
            out.append(((<Node>node).name, values))
    return out
