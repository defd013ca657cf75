"""Forms: how a datagram without attributes is written as attributes, which a declaration reads. Over form.h.

The attribute types of such a declaration are its own: the kernel does not know them.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.errno cimport E2BIG
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memset

from netlink._engine.record cimport (
    NL_K_BINARY,
    NL_K_FIXED,
    NL_K_INT,
    NL_K_REPEATED,
    NL_K_STRING,
    Field,
    nl_area_free,
    nl_area_pool,
    pool_of_stores,
)
from netlink._wire cimport NL_HEADER, nl_load16, nl_load32

nl_area_pool = pool_of_stores()

cdef enum:
    # Counters of messages, one for each CPU. The numbers of further ones are not looked at.
    COUNTERS_MAX = 1 << 16
    # Bytes of the time and of the serial number of a stamp.
    STAMP_WIDTH = 8
    # Of the text behind a stamp: with the fields before it, it is a record that fits in an attribute.
    STAMPED_MAX = 65491


TOO_LONG = "the datagram has a text that is too long for an attribute"


cdef Field field_of(object declaration, str name, tuple kinds):
    """A field with one attribute type. TypeError if it is of none of these kinds."""
    field = declaration.__fields__.get(name)
    if field is None or (<Field?>field).kind not in kinds or [len(path) for path, _ in field.types] != [1]:
        raise TypeError(f"{declaration.__name__} has no field {name} for this form")
    return field


cdef uint16_t type_of(Field field) except? 0:
    return field.types[0][0][0]


cdef size_t offset_of(value) except? 0:
    """An offset in a datagram. OverflowError for one that none has: sums of others do not overflow."""
    cdef uint32_t offset = value
    return offset


cdef class Form:
    """The base of forms. begin: an offset, and the bytes that a datagram has there; others have another form."""

    def __cinit__(self, declaration, *args, begin=(0, b""), **options):
        self.declaration = declaration
        at, self.begin = begin
        self.begin_at = offset_of(at)
        self.begin_bytes = PyBytes_AS_STRING(self.begin)
        self.begin_size = PyBytes_GET_SIZE(self.begin)

    cdef bint begins(self, const uint8_t *data, size_t size) noexcept nogil:
        return (size >= self.begin_at + self.begin_size
                and memcmp(data + self.begin_at, self.begin_bytes, self.begin_size) == 0)

    cdef int write(self, const uint8_t *data, size_t size, nl_area *out) noexcept nogil:
        """Append the attributes of a datagram: 0, NL_FORM_OTHER if it has another form, or a negative errno."""
        return NL_FORM_OTHER

    def attributes(self, bytes datagram not None):
        """The attributes of a datagram, for `decode` of the declaration. None if the datagram has another form.

        ValueError if a text is too long for an attribute.
        """
        cdef nl_area out
        cdef int result
        memset(&out, 0, sizeof(out))
        try:
            result = self.write(<const uint8_t *>PyBytes_AS_STRING(datagram), PyBytes_GET_SIZE(datagram), &out)
            if result == -E2BIG:
                raise ValueError(TOO_LONG)
            if result < 0:
                raise MemoryError
            return None if result else PyBytes_FromStringAndSize(<const char *>out.data, out.size)
        finally:
            nl_area_free(&out)


@cython.final
cdef class Payloads(Form):
    """One message a datagram, of any type: the declaration is of the bytes after nlmsghdr, as they are."""

    cdef int write(self, const uint8_t *data, size_t size, nl_area *out) noexcept nogil:
        cdef uint32_t length
        if size < NL_HEADER or not self.begins(data, size):
            return NL_FORM_OTHER
        length = nl_load32(data)
        if length < NL_HEADER or length > size:
            return NL_FORM_OTHER
        return nl_put(out, data + NL_HEADER, length - NL_HEADER)


@cython.final
cdef class Layouts(Form):
    """Structs whose layout one of their members tells.

    members: those of all datagrams: from the name of a field to its offset in the datagram, in bytes. A text has
    (offset, bytes), and other bytes of any length reach to the end, or with (offset, the offset of 2 bytes that tell
    their number) not so far.
    on: the offset of the 4 bytes that tell the layout. cases: further members by their value; None for datagrams of no
    interest. otherwise: the further members for other values.
    counter: (the offset of 4 bytes that number the messages, the offset of 4 bytes that tell what counts them).
    `missing` counts the gaps, from the first message of each counter on. Datagrams of no interest are numbered, too.
    """

    def __cinit__(self, declaration, members, *, on=0, cases=None, otherwise=None, begin=(0, b""), counter=None):
        cdef size_t i = 0, n = 0
        cdef nl_member *member
        cdef Field field
        tables = [(value, None if table is None else list(table.items()))
                  for value, table in ((0, members), *(cases or {}).items(), (0, otherwise or {}))]
        self.on = offset_of(on)
        self.numbered = counter is not None
        self.number, self.counter = map(offset_of, counter or (0, 0))
        self.count = len(tables)
        self.layouts = <nl_layout *>PyMem_Calloc(self.count, sizeof(nl_layout))
        self.members = <nl_member *>PyMem_Calloc(sum([len(table or ()) for _, table in tables]) + 1, sizeof(nl_member))
        if self.layouts is NULL or self.members is NULL:
            raise MemoryError
        for value, table in tables:
            self.layouts[i].value = value
            self.layouts[i].ignored = table is None
            self.layouts[i].members = self.members + n
            self.layouts[i].count = len(table or ())
            i += 1
            for name, place in table or ():
                field = field_of(declaration, name, (NL_K_INT, NL_K_FIXED, NL_K_BINARY, NL_K_STRING))
                member = self.members + n
                member.type = type_of(field)
                if field.kind == NL_K_STRING:
                    member.at, member.width = place
                elif field.kind == NL_K_BINARY:
                    member.at, member.length = place if isinstance(place, tuple) else (place, 0)
                else:
                    member.at, member.width = place, field.size
                n += 1
        if self.numbered:
            self.following = <uint32_t *>calloc(COUNTERS_MAX, sizeof(uint32_t))
            self.seen = <uint8_t *>calloc(COUNTERS_MAX, 1)
            if self.following is NULL or self.seen is NULL:
                raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.members)
        PyMem_Free(self.layouts)
        free(self.following)
        free(self.seen)

    cdef int write(self, const uint8_t *data, size_t size, nl_area *out) noexcept nogil:
        cdef const nl_layout *layout = self.layouts + 1
        cdef const nl_layout *last = self.layouts + self.count - 1
        cdef uint32_t value
        cdef int result
        if not self.begins(data, size):
            return NL_FORM_OTHER
        if self.numbered:
            self.count_missing(data, size)
        if layout < last:
            if size < self.on + sizeof(value):
                return NL_FORM_OTHER
            value = nl_load32(data + self.on)
            while layout < last and layout.value != value:
                layout += 1
        if layout.ignored:
            return NL_FORM_OTHER
        result = nl_form_layout(self.layouts, data, size, out)
        return result if result else nl_form_layout(layout, data, size, out)

    cdef void count_missing(self, const uint8_t *data, size_t size) noexcept nogil:
        """Compare the number of a message with the one that follows the last of its counter."""
        cdef uint32_t number, counter
        if size < max(self.number, self.counter) + sizeof(number):
            return
        number, counter = nl_load32(data + self.number), nl_load32(data + self.counter)
        if counter >= COUNTERS_MAX:
            return
        if self.seen[counter]:
            self.missing += <uint32_t>(number - self.following[counter])
        self.seen[counter] = 1
        self.following[counter] = number + 1


@cython.final
cdef class Texts(Form):
    """Texts KEY=VALUE, with a NUL behind each. Other texts are left out.

    A field reads the value of the key that is its name in capitals: a `string`, or an unsigned integer for a decimal
    number. all: the field of the texts themselves, as `repeated(type, string)`.
    any_of: texts, one of which a datagram must have; none for any datagram.
    within: (the offset of 4 bytes that tell the offset of the texts, that of 4 bytes that tell their length), both in
    host byte order. None: the datagram is the texts.
    """

    def __cinit__(self, declaration, str all, *, any_of=(), begin=(0, b""), within=None):
        cdef Field field
        cdef bytes name
        any_of = tuple(any_of)
        self.all = type_of(field_of(declaration, all, (NL_K_REPEATED,)))
        self.within = within is not None
        self.offset, self.length = map(offset_of, within or (0, 0))
        self.names = []
        self.keys = <nl_text_key *>PyMem_Calloc(len(declaration.__fields__), sizeof(nl_text_key))
        self.wanted = <nl_text_key *>PyMem_Calloc(len(any_of) + 1, sizeof(nl_text_key))
        if self.keys is NULL or self.wanted is NULL:
            raise MemoryError
        for text in any_of:
            name = text.encode("utf-8", "surrogateescape")
            self.names.append(name)
            self.wanted[self.wanted_count].name = PyBytes_AS_STRING(name)
            self.wanted[self.wanted_count].size = PyBytes_GET_SIZE(name)
            self.wanted_count += 1
        for each in declaration.__fields__:
            if each == all:
                continue
            field = field_of(declaration, each, (NL_K_STRING, NL_K_INT))
            name = each.upper().encode()
            self.names.append(name)
            self.keys[self.count].name = PyBytes_AS_STRING(name)
            self.keys[self.count].size = PyBytes_GET_SIZE(name)
            self.keys[self.count].type = type_of(field)
            self.keys[self.count].width = field.size if field.kind == NL_K_INT else 0
            self.count += 1

    def __dealloc__(self):
        PyMem_Free(self.keys)
        PyMem_Free(self.wanted)

    cdef int write(self, const uint8_t *data, size_t size, nl_area *out) noexcept nogil:
        cdef size_t offset = 0, length = size
        if not self.begins(data, size):
            return NL_FORM_OTHER
        if self.within:
            if size < max(self.offset, self.length) + sizeof(uint32_t):
                return NL_FORM_OTHER
            offset, length = nl_load32(data + self.offset), nl_load32(data + self.length)
            if offset > size or length > size - offset:
                return NL_FORM_OTHER
        if self.wanted_count and not nl_form_has(self.wanted, self.wanted_count, data + offset, length):
            return NL_FORM_OTHER
        return nl_form_texts(self.keys, self.count, self.all, data + offset, length, out)


@cython.final
cdef class Stamped(Form):
    """Records of the audit system: a type, and a text behind "audit(SECONDS.MILLISECONDS:SERIAL): ".

    type, time, serial, text: the names of fields: a `u16` for the type of nlmsghdr, a `u64` for milliseconds since
    1970, a `u64`, and a `string`. A text without a stamp has neither time nor serial. The length in nlmsghdr does not
    count: that of messages for the audit daemon is too short.
    """

    def __cinit__(self, declaration, *, str type, str time, str serial, str text):
        cdef Field field
        names = {name: field_of(declaration, name, (NL_K_INT, NL_K_STRING)) for name in (type, time, serial, text)}
        for name, width in ((type, sizeof(uint16_t)), (time, STAMP_WIDTH), (serial, STAMP_WIDTH)):
            field = names[name]
            if field.kind != NL_K_INT or field.size != width:
                raise TypeError(f"{declaration.__name__}.{name} is no integer of {width} bytes")
        field = names[text]
        if field.kind != NL_K_STRING:
            raise TypeError(f"{declaration.__name__}.{text} is no string")
        self.type, self.time, self.serial, self.text = [type_of(field) for field in names.values()]

    cdef int write(self, const uint8_t *data, size_t size, nl_area *out) noexcept nogil:
        cdef uint64_t time, serial
        cdef size_t stamp
        cdef int result
        if size < NL_HEADER or not self.begins(data, size):
            return NL_FORM_OTHER
        result = nl_form_integer(out, self.type, sizeof(uint16_t), nl_load16(data + 4))
        data += NL_HEADER
        size -= NL_HEADER
        stamp = nl_form_stamp(data, size, &time, &serial)
        if size - stamp > STAMPED_MAX:
            return -E2BIG
        if stamp and not result:
            result = nl_form_integer(out, self.time, STAMP_WIDTH, time)
        if stamp and not result:
            result = nl_form_integer(out, self.serial, STAMP_WIDTH, serial)
        return result if result else nl_form_put(out, self.text, data + stamp, size - stamp)
