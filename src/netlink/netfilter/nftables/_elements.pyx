"""Elements of sets as payloads of requests, from keys as they are written, arrays and records."""

cimport cython
from cpython.buffer cimport PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_CheckBuffer, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_CheckExact
from cpython.unicode cimport PyUnicode_GET_LENGTH
from libc.errno cimport E2BIG
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from netlink._engine.record cimport (
    Batch,
    Field,
    Record,
    Store,
    Table,
    nl_area,
    nl_area_free,
    nl_area_pool,
    nl_area_reserve,
    nl_bytes,
    nl_encode,
    nl_load_int,
    nl_ref,
    pool_of_stores,
    table_of,
)
from netlink._wire cimport nl_align

import sys as _sys
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from netlink.errors import EncodeError

nl_area_pool = pool_of_stores()

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object o)
    bint PyUnicode_IS_COMPACT_ASCII(object o)
    const char *PyUnicode_DATA(object o)
    int64_t PyLong_AsLongLongAndOverflow(object o, int *overflow) except? -1

cdef extern from "netfilter/nftables/_elements.h" nogil:
    struct nl_spans:
        uint8_t *rows
        size_t count
        size_t stride
        unsigned width
        unsigned value

    struct nl_payloads:
        const uint8_t *head
        size_t head_size
        uint16_t list
        uint16_t item
        nl_area out
        nl_area ends
        size_t open

    bint nl_text_address(const char *text, size_t size, unsigned width, uint8_t *address) noexcept
    bint nl_last_of(const uint8_t *first, unsigned width, unsigned bits, uint8_t *last) noexcept
    bint nl_text_span(const char *text, size_t size, unsigned width, uint8_t *first, uint8_t *last) noexcept
    bint nl_key_behind(const uint8_t *key, unsigned width, uint8_t *behind) noexcept
    size_t nl_spans_merge(nl_spans *spans) noexcept
    uint8_t *nl_payload_item(nl_payloads *p, size_t size) noexcept

cdef enum:
    FIELDS_MAX = 16
    # Of an element without its item's header, in its key, and in what the engine encodes before the data.
    NESTS = 8
    # The longest item that a list has room for.
    ITEM_MAX = 65524

cdef frozenset NUMBERS = frozenset("BHILQNbhilqn")
cdef bint HOST_LITTLE = _sys.byteorder == "little"


cdef struct nl_part:
    unsigned length             # bytes
    unsigned at                 # in the key
    char kind                   # as in `Part`


@cython.final
cdef class Payloads:
    """Payloads of requests of one class, each with a head and as many of the records as fit.

    field: the `repeated` field of the records, in one container, such as `ElementList.elements`. head: what else is in
    each payload. `payloads` returns them, after the records were added by one of the other methods.
    """

    cdef nl_payloads p
    cdef nl_area rows               # of keys
    cdef nl_area scratch
    cdef bytes head
    cdef Table table
    cdef object cls
    cdef nl_part parts[FIELDS_MAX]  # of a key, and behind them that of a value
    cdef tuple types
    cdef size_t part_count
    cdef unsigned width             # of a key
    cdef object slow
    cdef object name

    def __cinit__(self, Field field not None, bytes head not None):
        list_type, item_type = field.types[0][0]
        self.p.list, self.p.item = list_type, item_type
        self.head = head
        self.p.head = <const uint8_t *>PyBytes_AS_STRING(head)
        self.p.head_size = PyBytes_GET_SIZE(head)
        self.cls = (<Field>field.item).cls
        self.table = table_of(self.cls)

    def __dealloc__(self):
        nl_area_free(&self.p.out)
        nl_area_free(&self.p.ends)
        nl_area_free(&self.rows)
        nl_area_free(&self.scratch)

    def payloads(self):
        """The payloads. None have no records."""
        cdef size_t begin = 0, end
        cdef size_t i
        found = []
        for i in range(0, self.p.ends.size, sizeof(end)):
            memcpy(&end, self.p.ends.data + i, sizeof(end))
            found.append(PyBytes_FromStringAndSize(<const char *>self.p.out.data + begin, <Py_ssize_t>(end - begin)))
            begin = end
        if self.p.out.size > begin:
            found.append(PyBytes_FromStringAndSize(<const char *>self.p.out.data + begin,
                                                   <Py_ssize_t>(self.p.out.size - begin)))
        return found

    # Records

    def add_records(self, rows):
        """Add a batch, or records. TypeError for those of another class, EncodeError for one that is too long."""
        cdef Batch batch
        cdef Record record
        cdef Py_ssize_t i = 0
        if isinstance(rows, Batch):
            batch = rows
            if batch.table is not self.table:
                raise TypeError(f"want a batch of {self.cls.__name__}, not {rows!r}")
            for i in range(batch.length):
                self.add_record(batch.store, batch.at(i), i)
            return
        for row in rows:
            if not isinstance(row, Record) or (<Record>row).table is not self.table:
                raise TypeError(f"want records of {self.cls.__name__}, not {row!r}")
            record = row
            self.add_record(record.store, record.base, i)
            i += 1

    cdef int add_record(self, Store store, const uint8_t *record, Py_ssize_t n) except -1:
        cdef nl_bytes bytes
        cdef int result
        cdef uint8_t *to
        bytes.heap = store.heap.data
        bytes.datagrams = store.datagrams.data
        self.scratch.size = 0
        result = nl_encode(&self.table.set, record, &bytes, &self.scratch)
        if result == -E2BIG or (result == 0 and self.scratch.size > ITEM_MAX):
            raise EncodeError(f"row {n}: an attribute is longer than 65531 bytes")
        if result < 0:
            raise MemoryError
        to = nl_payload_item(&self.p, nl_align(self.scratch.size))
        if to is NULL:
            raise MemoryError
        memset(to + nl_align(self.scratch.size) - 4 * (self.scratch.size > 0), 0, 4 * (self.scratch.size > 0))
        if self.scratch.size:
            memcpy(to, self.scratch.data, self.scratch.size)
        return 0

    # Keys

    def add_keys(self, keys, tuple parts not None, slow, template, *, value=None, end=None, bint spans=False,
                 bint is_map=False, name=None):
        """Add elements by keys; of a map, by pairs of a key and a value.

        parts: of each field of a key (type, length, kind), kind being "b" for a number in network byte order, "h" for
        one in host byte order, "4" or "6" for an address, and "" for none of these.
        slow: a function of a type, a value and whether it may be an interval, that returns the first and the last key
        as bytes: for all that is not read here.
        template: a function of a value that returns an element with a key of zeros, encoded.
        value: the part of values that take the place of zeros in the template, which is that of all values then.
        end: the template of the end of an interval, if keys are intervals that are to be merged.
        spans: whether keys have ends: those of intervals, or of ranges in concatenations. name: of the set, for errors.
        """
        cdef nl_spans merged
        cdef unsigned padding = 3 if len(parts) > 1 else 0
        cdef unsigned key_size, value_size
        cdef size_t n
        cdef uint8_t *row
        cdef list templates = []
        cdef dict known = {}
        cdef list values = []
        cdef uint32_t which = 0
        cdef uint64_t items = 0
        if not 0 < len(parts) < FIELDS_MAX:
            raise ValueError(f"want 1 to {FIELDS_MAX - 1} fields, not {len(parts)}")
        self.part_count, self.width, self.slow, self.name = len(parts), 0, slow, name
        self.types = parts if value is None else (*parts, value)
        for n in range(<size_t>len(self.types)):
            _, length, kind = self.types[n]
            self.parts[n].length, self.parts[n].at, self.parts[n].kind = length, self.width, ord(kind or " ")
            if n < self.part_count:
                self.width += (length + padding) & ~padding
        key_size = self.width
        value_size = <unsigned>self.parts[self.part_count].length if value is not None else 0
        merged.width, merged.value = key_size, 4 + value_size
        merged.stride = 2 * key_size + merged.value + 4
        if not is_map or value is not None:
            templates.append(template(None))
        if not is_map and self.takes_array(keys):
            self.add_array(keys, &merged, spans)
        else:
            for key in keys:
                item = None
                if is_map:
                    key, item = key
                    if value is None:
                        which = self.template_of(item, template, templates, known)
                    if end is not None:
                        values.append(item)
                row = self.new_row(merged.stride)
                memcpy(row + 2 * key_size, &which, 4)
                self.put_key(key, row, row + key_size, spans)
                if value is not None:
                    self.put(self.part_count, item, row + 2 * key_size + 4, NULL)
                memcpy(row + merged.stride - 4, &items, 4)
                items += 1
        merged.rows = self.rows.data
        merged.count = self.rows.size // merged.stride
        if end is not None:
            n = nl_spans_merge(&merged)
            if n:
                self.overlap(&merged, n, values)
        self.emit(&merged, templates, end, spans and end is None)

    cdef uint8_t *new_row(self, size_t size) except NULL:
        cdef uint8_t *row
        if nl_area_reserve(&self.rows, size) < 0:
            raise MemoryError
        row = self.rows.data + self.rows.size
        memset(row, 0, size)
        self.rows.size += size
        return row

    cdef uint32_t template_of(self, value, template, list templates, dict known) except? 0xffffffff:
        """The number of the template with a value."""
        cdef uint32_t which
        try:
            found = known.get(value)
        except TypeError:  # not hashable
            found = None
        if found is not None:
            return found
        which = len(templates)
        templates.append(template(value))
        try:
            known[value] = which
        except TypeError:
            pass
        return which

    cdef int overlap(self, nl_spans *merged, size_t n, list values) except -1:
        cdef uint32_t one, other
        memcpy(&one, merged.rows + n * merged.stride - 4, 4)
        memcpy(&other, merged.rows + (n + 1) * merged.stride - 4, 4)
        raise ValueError(f"intervals of {self.name} overlap, with the values {values[one]!r} and {values[other]!r}")

    cdef int put_key(self, key, uint8_t *first, uint8_t *last, bint spans) except -1:
        """A key at first, and if it may be an interval its end at last."""
        cdef size_t n
        cdef unsigned at
        if self.part_count == 1:
            return self.put(0, key, first, last if spans else NULL)
        if not isinstance(key, tuple) or <size_t>len(<tuple>key) != self.part_count:
            raise ValueError(f"{key!r} is no key of {self.name}: want {self.part_count} fields")
        for n in range(self.part_count):
            at = self.parts[n].at
            self.put(n, (<tuple>key)[n], first + at, last + at if spans else NULL)
        return 0

    cdef int put(self, size_t n, value, uint8_t *first, uint8_t *last) except -1:
        """A field at first; if last is not NULL it may be an interval, whose end is written there."""
        cdef nl_part *part = &self.parts[n]
        cdef unsigned length = part.length
        cdef char kind = part.kind
        cdef int overflow
        cdef int64_t number
        cdef const char *text
        if kind == c"4" or kind == c"6":
            if PyUnicode_CheckExact(value) and PyUnicode_IS_COMPACT_ASCII(value):
                text = PyUnicode_DATA(value)
                if last is NULL:
                    if nl_text_address(text, PyUnicode_GET_LENGTH(value), length, first):
                        return 0
                elif nl_text_span(text, PyUnicode_GET_LENGTH(value), length, first, last):
                    return 0
            elif type(value) is (IPv4Address if kind == c"4" else IPv6Address):
                memcpy(first, PyBytes_AS_STRING(<bytes?>value.packed), length)
                if last is not NULL:
                    memcpy(last, first, length)
                return 0
            elif last is not NULL and type(value) is (IPv4Network if kind == c"4" else IPv6Network):
                memcpy(first, PyBytes_AS_STRING(<bytes?>value.network_address.packed), length)
                if nl_last_of(first, length, value.prefixlen, last):
                    return 0
        elif (kind == c"b" or kind == c"h") and PyLong_CheckExact(value):
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            if not overflow and number >= 0 and (length >= 8 or not <uint64_t>number >> (8 * length)):
                self.put_number(part, <uint64_t>number, first)
                if last is not NULL:
                    memcpy(last, first, length)
                return 0
        begin, ends = self.slow(self.types[n][0], value, last is not NULL)
        if <unsigned>len(begin) != length or <unsigned>len(ends) != length:
            raise ValueError(f"{value!r} has another width than {length} bytes")
        memcpy(first, PyBytes_AS_STRING(<bytes?>begin), length)
        if last is not NULL:
            memcpy(last, PyBytes_AS_STRING(<bytes?>ends), length)
        return 0

    cdef void put_number(self, nl_part *part, uint64_t number, uint8_t *to) noexcept:
        cdef unsigned i
        for i in range(part.length):
            to[part.length - 1 - i if part.kind != c"h" or not HOST_LITTLE else i] = <uint8_t>(number >> (8 * i))

    # Arrays

    cdef bint takes_array(self, keys):
        return (PyObject_CheckBuffer(keys) and not isinstance(keys, (bytes, bytearray)))

    cdef int add_array(self, keys, nl_spans *merged, bint spans) except -1:
        """Keys of an array: integers, or rows of the bytes of a whole key."""
        cdef Py_buffer view
        cdef Py_ssize_t i, j, count
        cdef const char *at
        cdef nl_part *part = &self.parts[0]
        cdef bint swapped, signed
        cdef int64_t number
        cdef uint8_t *row
        PyObject_GetBuffer(keys, &view, PyBUF_RECORDS_RO)
        try:
            layout = (view.format or b"B").decode()
            kind = layout.lstrip("@=<>!")
            if len(layout) - len(kind) > 1 or kind not in NUMBERS:
                raise TypeError(f"an array of keys has integers, not the format {layout!r}")
            signed = kind.islower()
            swapped = layout.startswith("<" if not HOST_LITTLE else (">", "!"))
            count = view.shape[0] if view.ndim else 0
            if view.ndim == 2 and view.itemsize == 1 and <unsigned>view.shape[1] == self.width:
                for i in range(count):
                    row = self.new_row(merged.stride)
                    for j in range(view.shape[1]):
                        row[j] = (<const uint8_t *>view.buf)[i * view.strides[0] + j * view.strides[1]]
                    if spans:
                        memcpy(row + self.width, row, self.width)
                return 0
            numbers = self.part_count == 1 and part.kind != c"6" and part.kind != c" "
            if view.ndim != 1 or not numbers:
                raise TypeError(f"keys of {self.name} are an array of bytes with {self.width} columns"
                                f"{', or one of integers' if numbers else ''}, not one of another shape")
            for i in range(count):
                at = <const char *>view.buf + i * view.strides[0]
                number = load(at, view.itemsize, swapped, signed)
                if number < 0 or number >> (8 * part.length):
                    wrong = number if signed else <object><uint64_t>number
                    raise ValueError(f"{wrong} is no {self.types[0][0].name}")
                row = self.new_row(merged.stride)
                self.put_number(part, <uint64_t>number, row)
                if spans:
                    memcpy(row + self.width, row, self.width)
        finally:
            PyBuffer_Release(&view)
        return 0

    # Requests

    cdef int emit(self, nl_spans *rows, list templates, end, bint ranges) except -1:
        """Write the elements. ranges: whether each has the last key, too, behind all else."""
        cdef size_t i
        cdef uint32_t which, last = 0xffffffff
        cdef const uint8_t *row
        cdef const uint8_t *shape = NULL
        cdef const uint8_t *stop = NULL
        cdef size_t size = 0, stop_size = 0
        cdef uint8_t *to
        cdef unsigned width = rows.width
        cdef size_t data = NESTS + nl_align(width) + NESTS  # where it lies in a template
        cdef unsigned value = rows.value - 4
        for one in templates if end is None else (*templates, end):
            if len(<bytes?>one) > ITEM_MAX:
                raise EncodeError("an attribute is longer than 65531 bytes")
            if <size_t>len(<bytes>one) < NESTS + nl_align(width) or len(<bytes>one) % 4:
                raise ValueError("a template has a key")
        if end is not None:
            stop, stop_size = <const uint8_t *>PyBytes_AS_STRING(end), len(<bytes>end)
        for i in range(rows.count):
            row = rows.rows + i * rows.stride
            memcpy(&which, row + 2 * width, 4)
            if which != last:
                one = templates[which]
                shape, size, last = <const uint8_t *>PyBytes_AS_STRING(<bytes>one), len(<bytes>one), which
            to = nl_payload_item(&self.p, size)
            if to is NULL:
                raise MemoryError
            memcpy(to, shape, size)
            memcpy(to + NESTS, row, width)
            if value:
                memcpy(to + data, row + 2 * width + 4, value)
            if ranges:
                memcpy(to + size - nl_align(width), row + width, width)
            if stop is NULL:
                continue
            to = self.scratch_of(stop_size)
            memcpy(to, stop, stop_size)
            if not nl_key_behind(row + width, width, to + NESTS):
                continue  # up to the last key of all
            to = nl_payload_item(&self.p, stop_size)
            if to is NULL:
                raise MemoryError
            memcpy(to, self.scratch.data, stop_size)
        return 0

    cdef uint8_t *scratch_of(self, size_t size) except NULL:
        self.scratch.size = 0
        if nl_area_reserve(&self.scratch, size) < 0:
            raise MemoryError
        return self.scratch.data


cdef int64_t load(const char *at, Py_ssize_t size, bint swapped, bint signed) noexcept:
    """An integer of an array."""
    cdef uint64_t number = 0
    cdef Py_ssize_t i
    for i in range(size):
        number = number << 8 | <uint8_t>at[size - 1 - i if HOST_LITTLE != swapped else i]
    if signed and size < 8 and number >> (8 * size - 1):
        number |= <uint64_t>-1 << (8 * size)
    return <int64_t>number


def repeats(Batch batch not None, Field key not None, Field flags not None):
    """Whether records of a batch have the same bytes in one field and the same number in another."""
    cdef size_t size = 1024, at
    cdef uint32_t *slots
    cdef uint64_t hash
    cdef Py_ssize_t i
    cdef uint32_t other
    if key.layout is not batch.table or flags.layout is not batch.table:
        raise TypeError("want fields of the records")
    while size < <size_t>batch.length * 2:
        size *= 2
    slots = <uint32_t *>calloc(size, sizeof(uint32_t))  # the numbers of records, from 1 on
    if slots is NULL:
        raise MemoryError
    try:
        for i in range(batch.length):
            hash = hash_of(batch, i, key, flags)
            at = hash & (size - 1)
            while slots[at]:
                other = slots[at] - 1
                if are_same(batch, i, other, key, flags):
                    return True
                at = (at + 1) & (size - 1)
            slots[at] = <uint32_t>i + 1
    finally:
        free(slots)
    return False


cdef nl_ref key_in(Batch batch, const uint8_t *record, Field key) noexcept:
    cdef nl_ref ref
    if record[key.presence + (key.bit >> 3)] >> (key.bit & 7) & 1:
        memcpy(&ref, record + key.offset, sizeof(ref))
    else:
        ref.offset = ref.size = 0
    return ref


cdef uint64_t flags_in(const uint8_t *record, Field flags) noexcept:
    if record[flags.presence + (flags.bit >> 3)] >> (flags.bit & 7) & 1:
        return nl_load_int(record + flags.offset, flags.size, 0)
    return 0


cdef uint64_t hash_of(Batch batch, Py_ssize_t i, Field key, Field flags) noexcept:
    cdef const uint8_t *record = batch.at(i)
    cdef nl_ref ref = key_in(batch, record, key)
    cdef const uint8_t *bytes = batch.store.heap.data + ref.offset
    cdef uint64_t hash = flags_in(record, flags) + ref.size
    cdef uint32_t word
    cdef uint32_t n
    for n in range(0, ref.size & ~3u, 4):
        memcpy(&word, bytes + n, 4)
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u
        hash ^= hash >> 29
    for n in range(ref.size & ~3u, ref.size):
        hash = (hash ^ bytes[n]) * 0x9E3779B97F4A7C15u
        hash ^= hash >> 29
    return hash ^ hash >> 32


cdef bint are_same(Batch batch, Py_ssize_t i, Py_ssize_t j, Field key, Field flags) noexcept:
    cdef const uint8_t *one = batch.at(i)
    cdef const uint8_t *other = batch.at(j)
    cdef nl_ref a = key_in(batch, one, key), b = key_in(batch, other, key)
    cdef const uint8_t *heap = batch.store.heap.data
    return (a.size == b.size and flags_in(one, flags) == flags_in(other, flags)
            and not (a.size and memcmp(heap + a.offset, heap + b.offset, a.size)))
