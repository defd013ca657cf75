"""Messages and attributes, to and from bytes: struct nlmsghdr and struct nlattr of linux/netlink.h."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.long cimport PyLong_AsLongLong, PyLong_AsUnsignedLongLong
from cpython.number cimport PyNumber_Index
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX, UINT64_MAX
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from netlink._wire cimport *

import errno as _errno

from netlink.consts import PolicyType, HeaderFlags, HeaderType
from netlink.errors import DecodeError, EncodeError, OpError, Policy

# Look-up of members without a call of the enum. Both enums also store their unnamed members here.
_types = HeaderType._value2member_map_
_flags = HeaderFlags._value2member_map_


cdef bytes as_bytes(object data):
    """Any contiguous buffer as bytes; bytes themselves are not copied."""
    cdef Py_buffer view
    if PyBytes_CheckExact(data):
        return <bytes>data
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return PyBytes_FromStringAndSize(<char *>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)


# Headers and messages

@cython.final
@cython.freelist(16)
cdef class Header:
    """The header of a netlink message: struct nlmsghdr of linux/netlink.h. Immutable.

    length: bytes of the message with this header, without padding behind it; 0 lets `Conn.send` compute it.
    type: a `HeaderType` below 16 (NLMSG_MIN_TYPE), from 16 up a type of the family.
    flags: `HeaderFlags`.
    sequence: a number of the request, repeated in every reply; 0 lets `Conn.send` choose it.
    pid: the port id of the requesting socket, 0 for the kernel; 0 lets `Conn.send` use that of the connection.

    OverflowError if a value does not fit its field: 16 bits of type and flags, 32 bits of the others.
    """

    def __init__(self, length=0, type=0, flags=0, sequence=0, pid=0):
        if self.sealed:
            raise AttributeError("Header is immutable")
        cdef nl_header h
        h.length = field32("length", length)
        h.type = field16("type", type)
        h.flags = field16("flags", flags)
        h.sequence = field32("sequence", sequence)
        h.pid = field32("pid", pid)
        self.h = h
        self.sealed = True

    @property
    def length(self):
        return self.h.length

    @property
    def type(self):
        return header_type(self.h.type)

    @property
    def flags(self):
        return header_flags(self.h.flags)

    @property
    def sequence(self):
        return self.h.sequence

    @property
    def pid(self):
        return self.h.pid

    def __eq__(self, other):
        if not isinstance(other, Header):
            return NotImplemented
        return same_header(&self.h, &(<Header>other).h)

    def __hash__(self):
        return hash((self.h.length, self.h.type, self.h.flags, self.h.sequence, self.h.pid))

    def __repr__(self):
        return (f"Header(length={self.h.length}, type={self.h.type}, flags=0x{self.h.flags:x}, "
                f"sequence={self.h.sequence}, pid={self.h.pid})")

    def __reduce__(self):
        return Header, (self.h.length, self.h.type, self.h.flags, self.h.sequence, self.h.pid)


@cython.final
@cython.freelist(128)
cdef class Message:
    """A netlink message: a `Header` and a payload. Immutable.

    header: the message's header.
    data: the payload without padding, any contiguous buffer; stored as bytes.
    """

    def __init__(self, Header header=None, data=b""):
        if self.sealed:
            raise AttributeError("Message is immutable")
        self.payload = as_bytes(data)
        self.sealed = True
        if header is not None:
            self.h = header.h

    @property
    def header(self):
        cdef Header header = Header.__new__(Header)
        header.sealed = True
        header.h = self.h
        return header

    @property
    def data(self):
        return bytes_of(self.payload)

    def replace(self, *, length=None, type=None, flags=None, sequence=None, pid=None, data=None):
        """A copy with other values in some header fields, or other data.

        The length is not computed anew: pass length=0 to let `Conn.send` compute it. TypeError for another name.
        """
        cdef Message copy = Message.__new__(Message)
        copy.h = self.h
        if length is not None:
            copy.h.length = field32("length", length)
        if type is not None:
            copy.h.type = field16("type", type)
        if flags is not None:
            copy.h.flags = field16("flags", flags)
        if sequence is not None:
            copy.h.sequence = field32("sequence", sequence)
        if pid is not None:
            copy.h.pid = field32("pid", pid)
        copy.payload = self.payload if data is None else as_bytes(data)
        copy.sealed = True
        return copy

    def marshal_binary(self):
        """The message's bytes: the header in host byte order, then the data.

        Zeros of up to 3 bytes pad the data to header.length. EncodeError unless header.length is a multiple of 4, at
        least 16, and the padded length of header and data.
        """
        cdef size_t size
        marshalled_size(&self.h, self.payload, &size)
        out = PyBytes_FromStringAndSize(NULL, size)
        marshal_into(&self.h, self.payload, <uint8_t *>PyBytes_AS_STRING(out), size)
        return out

    @staticmethod
    def unmarshal_binary(b):
        """The first message of a buffer. Bytes behind its length are ignored.

        DecodeError if b has under 16 bytes or a length that is not a multiple of 4, or if the header's length is under
        16 or past the end of b.
        """
        data = as_bytes(b)
        cdef size_t size = PyBytes_GET_SIZE(data)
        cdef nl_cursor cursor
        cdef nl_message m
        if size < NL_HEADER:
            raise DecodeError(f"a netlink message has at least {NL_HEADER} bytes, not {size}")
        if size % 4:
            raise DecodeError(f"a netlink message is padded to a multiple of 4 bytes, not to {size}")
        cursor.at = <const uint8_t *>PyBytes_AS_STRING(data)
        cursor.left = size
        if nl_next_message(&cursor, &m) == NL_BAD:
            raise wrong_length(m.header.length, 0, size)
        return make_message(&m)

    def __eq__(self, other):
        if not isinstance(other, Message):
            return NotImplemented
        cdef Message that = <Message>other
        return same_header(&self.h, &that.h) and bytes_of(self.payload) == bytes_of(that.payload)

    def __hash__(self):
        return hash((self.header, bytes_of(self.payload)))

    def __repr__(self):
        return f"Message(header={self.header!r}, data={bytes_of(self.payload)!r})"

    def __reduce__(self):
        return Message, (self.header, bytes_of(self.payload))


cdef uint32_t field32(str name, object value) except? 0xdead:
    value = PyNumber_Index(value)
    if not 0 <= value <= 0xffffffff:
        raise OverflowError(f"{name} must fit 32 bits, {readable(value)} does not")
    return value


cdef uint16_t field16(str name, object value) except? 0xdead:
    value = PyNumber_Index(value)
    if not 0 <= value <= 0xffff:
        raise OverflowError(f"{name} must fit 16 bits, {readable(value)} does not")
    return value


cdef object readable(object value):
    try:
        return f"{value}"
    except ValueError:  # Python refuses to print very long integers in decimal
        return f"{value:#x}"


cdef bytes bytes_of(bytes payload):
    # None in an object made by __new__ alone.
    return b"" if payload is None else payload


cdef object header_type(uint16_t value):
    member = _types.get(value)
    return HeaderType(value) if member is None else member


cdef object header_flags(uint16_t value):
    member = _flags.get(value)
    return HeaderFlags(value) if member is None else member


cdef bint same_header(const nl_header *a, const nl_header *b) noexcept:
    return (a.length == b.length and a.type == b.type and a.flags == b.flags
            and a.sequence == b.sequence and a.pid == b.pid)


cdef inline Message make_message(const nl_message *m):
    cdef Message message = Message.__new__(Message)
    message.h = m.header
    message.payload = PyBytes_FromStringAndSize(<const char *>m.payload, m.size)
    message.sealed = True
    return message


cdef object wrong_length(uint32_t length, size_t offset, size_t left):
    return DecodeError(f"message at byte {offset}: its length field says {length}, "
                       f"which must be from {NL_HEADER} to the {left} remaining bytes")


cdef list parse_messages(const uint8_t *start, size_t size):
    """All messages of a datagram. Fewer than 16 bytes at its end are ignored. DecodeError for a wrong length field."""
    cdef nl_cursor cursor
    cdef nl_message m
    cdef nl_step step
    cdef list messages = []
    cursor.at = start
    cursor.left = size
    while True:
        step = nl_next_message(&cursor, &m)
        if step == NL_ITEM:
            messages.append(make_message(&m))
        elif step == NL_END:
            return messages
        else:
            raise wrong_length(m.header.length, cursor.at - start, cursor.left)


def unmarshal_messages(b):
    """The messages of one datagram, as a list.

    The last one may lack its padding, and fewer than 16 bytes behind it are ignored. DecodeError if a message's length
    field is under 16 or past the end.
    """
    data = as_bytes(b)
    return parse_messages(<const uint8_t *>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef int marshalled_size(const nl_header *header, bytes payload, size_t *size) except -1:
    cdef size_t length = header.length
    cdef size_t have = NL_HEADER + (0 if payload is None else PyBytes_GET_SIZE(payload))
    if length < NL_HEADER or length % 4:
        raise EncodeError(f"header.length must be at least {NL_HEADER} and a multiple of 4, not {length}")
    if have > length or length - have >= 4:
        raise EncodeError(f"header.length is {length}, but header and data have {have} bytes")
    size[0] = length
    return 0


cdef void marshal_into(const nl_header *header, bytes payload, uint8_t *out, size_t size) noexcept:
    """Write a message. size: from marshalled_size."""
    cdef size_t have = 0
    memcpy(out, header, NL_HEADER)
    if payload is not None:
        have = PyBytes_GET_SIZE(payload)
        memcpy(out + NL_HEADER, PyBytes_AS_STRING(payload), have)
    memset(out + NL_HEADER + have, 0, size - NL_HEADER - have)


# Requests and replies

cdef nl_header filled_header(Message message, uint32_t sequence, uint32_t pid) noexcept:
    """The header with sequence, pid and the padded length of the message, each only if its own is 0."""
    cdef nl_header header = message.h
    if not header.length:
        header.length = <uint32_t>nl_align(
            NL_HEADER + (0 if message.payload is None else PyBytes_GET_SIZE(message.payload)))
    if not header.sequence:
        header.sequence = sequence
    if not header.pid:
        header.pid = pid
    return header


cpdef Message filled(Message message, uint32_t sequence, uint32_t pid):
    """The message with such a header."""
    cdef Message copy
    if message.h.length and message.h.sequence and message.h.pid:
        return message
    copy = Message.__new__(Message)
    copy.h = filled_header(message, sequence, pid)
    copy.payload = bytes_of(message.payload)
    copy.sealed = True
    return copy


def validate(Message request not None, replies):
    """Check that replies answer a request.

    OpError(op="validate", errno EPROTO) if a reply's sequence number differs and the request's is not 0, or if its port
    id differs and neither is 0.
    """
    cdef Message reply
    for item in replies:
        reply = <Message?>item
        check_reply(&request.h, &reply.h)


cdef int check_reply(const nl_header *request, const nl_header *reply) except -1:
    if nl_belongs(request.sequence, request.pid, reply):
        return 0
    if request.sequence and reply.sequence != request.sequence:
        what = f"sequence number {reply.sequence} in a reply to {request.sequence}"
    else:
        what = f"port id {reply.pid} in a reply to {request.pid}"
    raise OpError("validate", OSError(_errno.EPROTO, what), sequence=request.sequence)


def verdict(Message message not None):
    """The verdict of a message on its request: None for data, else a pair of the sequence number and an error or None.

    None for an acknowledgement or the end of a multi-part reply, an `OpError` (not raised) for an errno, a
    `DecodeError` (not raised) if the errno is cut off.
    """
    cdef nl_verdict v
    cdef nl_verdict_kind kind = parse_verdict(message, &v)
    if kind == NL_DATA:
        return None
    if kind == NL_TOO_SHORT:
        return message.h.sequence, DecodeError(
            f"{header_type(message.h.type)} message with {len(bytes_of(message.payload))} bytes: too few for its errno")
    if kind == NL_FAILED:
        return message.h.sequence, verdict_error("receive", &v, message.h.sequence)
    return message.h.sequence, None


cdef object verdict_error(str op, const nl_verdict *v, uint32_t sequence):
    """The `OpError` (not raised) of a verdict of NL_FAILED. The message's bytes must still exist."""
    text = PyUnicode_DecodeUTF8(<const char *>v.text, v.text_size, "surrogateescape") if v.text is not NULL else ""
    return OpError(op, v.error, message=text, offset=v.offset, sequence=sequence, missing=v.missing or None,
                   nest=v.nest, policy=allowed(v))


cdef object allowed(const nl_verdict *v):
    """The `Policy` of a verdict; None if it has none or an empty one."""
    cdef nl_policy policy
    if v.policy is NULL:
        return None
    nl_parse_policy(v.policy, v.policy_size, &policy)
    if not policy.has:
        return None
    number = policy_value(&policy, NL_POLICY_TYPE)
    least, most = policy_value(&policy, NL_POLICY_MIN_U), policy_value(&policy, NL_POLICY_MAX_U)
    if policy.has & (1 << NL_POLICY_MIN_S):
        least = <int64_t>policy.values[<int>NL_POLICY_MIN_S]
    if policy.has & (1 << NL_POLICY_MAX_S):
        most = <int64_t>policy.values[<int>NL_POLICY_MAX_S]
    mask = policy_value(&policy, NL_POLICY_MASK)
    return Policy(type=PolicyType._value2member_map_.get(number, number), min=least, max=most,
                  min_length=policy_value(&policy, NL_POLICY_MIN_LENGTH),
                  max_length=policy_value(&policy, NL_POLICY_MAX_LENGTH),
                  mask=policy_value(&policy, NL_POLICY_BITFIELD32_MASK) if mask is None else mask)


cdef object policy_value(const nl_policy *policy, int type):
    return policy.values[type] if policy.has >> type & 1 else None


cdef nl_verdict_kind parse_verdict(Message message, nl_verdict *v) noexcept:
    cdef const uint8_t *payload = NULL
    cdef size_t size = 0
    if message.payload is not None:
        payload = <const uint8_t *>PyBytes_AS_STRING(message.payload)
        size = PyBytes_GET_SIZE(message.payload)
    return nl_parse_verdict(&message.h, payload, size, v)


# Attributes

cdef uint8_t NATIVE = 0, LITTLE = 1, BIG = 2


cdef int byte_order_code(object name) except -1:
    if name == "native":
        return NATIVE
    if name == "little":
        return LITTLE
    if name == "big":
        return BIG
    raise ValueError(f'byte_order must be "native", "little" or "big", not {name!r}')


cdef bint swaps(uint8_t order) noexcept:
    return order != NATIVE and (order == BIG) != NL_HOST_BIG


@cython.final
@cython.freelist(16)
cdef class Attribute:
    """A netlink attribute: struct nlattr of linux/netlink.h and its payload. Immutable.

    type: all 16 bits, with the flags `NESTED` and `NET_BYTE_ORDER`.
    data: the payload without padding, any contiguous buffer; stored as bytes.
    length: bytes of header (4) and payload; 0 lets `marshal_attributes` compute it.

    OverflowError if type or length does not fit 16 bits.
    """

    cdef uint16_t raw_type
    cdef uint16_t size
    cdef bint sealed
    cdef bytes payload

    def __init__(self, type=0, data=b"", length=0):
        if self.sealed:
            raise AttributeError("Attribute is immutable")
        cdef uint16_t raw_type = field16("type", type), size = field16("length", length)
        self.payload = as_bytes(data)
        self.raw_type = raw_type
        self.size = size
        self.sealed = True

    @property
    def type(self):
        return self.raw_type

    @property
    def data(self):
        return bytes_of(self.payload)

    @property
    def length(self):
        return self.size

    def __eq__(self, other):
        if not isinstance(other, Attribute):
            return NotImplemented
        cdef Attribute that = <Attribute>other
        return (self.raw_type == that.raw_type and self.size == that.size
                and bytes_of(self.payload) == bytes_of(that.payload))

    def __hash__(self):
        return hash((self.raw_type, self.size, bytes_of(self.payload)))

    def __repr__(self):
        return f"Attribute(type={self.raw_type}, data={bytes_of(self.payload)!r}, length={self.size})"

    def __reduce__(self):
        return Attribute, (self.raw_type, bytes_of(self.payload), self.size)


def unmarshal_attributes(b):
    """The attributes in a buffer, as a list of `Attribute`. Those of length zero are left out.

    DecodeError if the header of an attribute is cut off, or its length is 1 to 3 or past the end.
    """
    data = as_bytes(b)
    cdef nl_cursor cursor
    cdef nl_attribute found
    cdef nl_step step
    cdef Attribute attribute
    cdef list attributes = []
    cdef const uint8_t *start = <const uint8_t *>PyBytes_AS_STRING(data)
    cursor.at = start
    cursor.left = PyBytes_GET_SIZE(data)
    while True:
        step = nl_next_attribute(&cursor, &found)
        if step == NL_ITEM:
            attribute = Attribute.__new__(Attribute)
            attribute.raw_type = found.type
            attribute.size = found.length
            attribute.payload = PyBytes_FromStringAndSize(<const char *>found.payload, found.size)
            attribute.sealed = True
            attributes.append(attribute)
        elif step == NL_END:
            return attributes
        else:
            raise wrong_attribute(&cursor, cursor.at - start)


cdef object wrong_attribute(const nl_cursor *cursor, size_t offset):
    if cursor.left < NL_ATTR_HEADER:
        return DecodeError(f"attribute at byte {offset}: {cursor.left} bytes left, too few for its header")
    return DecodeError(f"attribute type {nl_load16(cursor.at + 2) & NL_ATTR_TYPE} at byte {offset}: its length field "
                       f"says {nl_load16(cursor.at)}, which must be from {NL_ATTR_HEADER} to the {cursor.left} "
                       "remaining bytes")


@cython.final
@cython.freelist(64)
cdef class AttributeView:
    """One attribute of an `AttributeDecoder`. It stays valid without the decoder.

    The integer methods read in the decoder's byte order. They raise DecodeError unless the payload has exactly their
    width.
    """

    cdef object owner               # the bytes that start points to
    cdef const uint8_t *start
    cdef uint16_t size
    cdef uint16_t raw_type
    cdef bint swap
    cdef uint8_t order

    def __init__(self):
        raise TypeError("an AttributeView comes from iterating an AttributeDecoder")

    @property
    def type(self):
        """The type without its two flag bits."""
        return self.raw_type & NL_ATTR_TYPE

    @property
    def type_flags(self):
        """The two high bits of the type: `NESTED`, `NET_BYTE_ORDER`, both or 0."""
        return self.raw_type & 0xc000

    @property
    def data(self):
        """The payload as bytes, without padding."""
        return self.payload()

    cdef object payload(self):
        return PyBytes_FromStringAndSize(<const char *>self.start, self.size)

    cdef object wrong_width(self, str kind, int want):
        return DecodeError(f"attribute type {self.raw_type & NL_ATTR_TYPE}: want {want} bytes for {kind}, "
                           f"got {self.size}")

    cdef uint16_t load16(self) noexcept:
        cdef uint16_t v = nl_load16(self.start)
        return bswap_16(v) if self.swap else v

    cdef uint32_t load32(self) noexcept:
        cdef uint32_t v = nl_load32(self.start)
        return bswap_32(v) if self.swap else v

    cdef uint64_t load64(self) noexcept:
        cdef uint64_t v = nl_load64(self.start)
        return bswap_64(v) if self.swap else v

    def uint8(self):
        """The payload as an unsigned integer of 1 byte."""
        if self.size != 1:
            raise self.wrong_width("uint8", 1)
        return self.start[0]

    def uint16(self):
        """The payload as an unsigned integer of 2 bytes."""
        if self.size != 2:
            raise self.wrong_width("uint16", 2)
        return self.load16()

    def uint32(self):
        """The payload as an unsigned integer of 4 bytes."""
        if self.size != 4:
            raise self.wrong_width("uint32", 4)
        return self.load32()

    def uint64(self):
        """The payload as an unsigned integer of 8 bytes."""
        if self.size != 8:
            raise self.wrong_width("uint64", 8)
        return self.load64()

    def int8(self):
        """The payload as a signed integer of 1 byte."""
        if self.size != 1:
            raise self.wrong_width("int8", 1)
        return <int8_t>self.start[0]

    def int16(self):
        """The payload as a signed integer of 2 bytes."""
        if self.size != 2:
            raise self.wrong_width("int16", 2)
        return <int16_t>self.load16()

    def int32(self):
        """The payload as a signed integer of 4 bytes."""
        if self.size != 4:
            raise self.wrong_width("int32", 4)
        return <int32_t>self.load32()

    def int64(self):
        """The payload as a signed integer of 8 bytes."""
        if self.size != 8:
            raise self.wrong_width("int64", 8)
        return <int64_t>self.load64()

    def flag(self):
        """True: a flag (NLA_FLAG) is set if its attribute is present. DecodeError if it has a payload."""
        if self.size:
            raise self.wrong_width("flag", 0)
        return True

    def string(self):
        """The payload as text without trailing NULs: UTF-8, other bytes as lone surrogates."""
        cdef size_t size = self.size
        while size and self.start[size - 1] == 0:
            size -= 1
        return PyUnicode_DecodeUTF8(<const char *>self.start, size, "surrogateescape")

    def bytes(self):
        """The payload as bytes, without padding."""
        return self.payload()

    def do(self, fn):
        """The result of fn(payload as bytes)."""
        return fn(self.payload())

    def nested(self, fn=None):
        """A decoder of the attributes in the payload, with the same byte order. With fn: the result of fn(decoder).

        DecodeError as for `AttributeDecoder`.
        """
        decoder = make_decoder(self.owner, self.start, self.size, self.order)
        return decoder if fn is None else fn(decoder)

    def __repr__(self):
        return (f"<AttributeView type={self.raw_type & NL_ATTR_TYPE} type_flags=0x{self.raw_type & 0xc000:x} "
                f"data={self.payload()!r}>")


@cython.final
cdef class AttributeDecoder:
    """The attributes in a buffer, one by one, each as an `AttributeView`.

    b: any contiguous buffer; bytes are not copied.
    byte_order: "native", "little" or "big", of the integers in the payloads. Headers are always native.

    `decoder[type]` is the last attribute of a type, which is the one that counts. `type in decoder` is whether there is
    one. A new iteration starts at the beginning. Attributes of length zero are skipped. DecodeError at once if the
    header of the last attribute is cut off. A length field of 1 to 3 or past the end raises DecodeError when the
    iteration reaches it.
    """

    cdef object owner               # the bytes that start points to
    cdef const uint8_t *start
    cdef size_t size
    cdef Py_ssize_t count
    cdef bint swap
    cdef uint8_t order

    def __init__(self, b, byte_order="native"):
        owner = as_bytes(b)
        self.point_at(owner, <const uint8_t *>PyBytes_AS_STRING(owner), PyBytes_GET_SIZE(owner),
                      byte_order_code(byte_order))

    cdef int point_at(self, object owner, const uint8_t *start, size_t size, uint8_t order) except -1:
        cdef Py_ssize_t count = nl_count_attributes(start, size)
        if count < 0:
            raise DecodeError(f"attributes in {size} bytes: fewer than {NL_ATTR_HEADER} are left "
                              "for the header of the last one")
        if self.owner is not None:
            raise AttributeError("AttributeDecoder is immutable")
        self.owner = owner
        self.start = start
        self.size = size
        self.count = count
        self.order = order
        self.swap = swaps(order)
        return 0

    def __len__(self):
        """The number of attributes, without those of length zero."""
        return self.count

    def __getitem__(self, type):
        """The last attribute of a type. KeyError if there is none; DecodeError as for iteration."""
        cdef nl_attribute found
        if not self.last(PyNumber_Index(type), &found):
            raise KeyError(type)
        return make_view(self, &found)

    def __contains__(self, type):
        """Whether there is an attribute of a type. DecodeError as for iteration."""
        cdef nl_attribute found
        return self.last(PyNumber_Index(type), &found)

    cdef bint last(self, object type, nl_attribute *found) except -1:
        """Find the last attribute of a type. False if there is none."""
        cdef nl_cursor cursor
        cdef nl_attribute next
        cdef nl_step step
        cdef long wanted = type if 0 <= type <= NL_ATTR_TYPE else -1
        cdef bint any = False
        cursor.at = self.start
        cursor.left = self.size
        while True:
            step = nl_next_attribute(&cursor, &next)
            if step == NL_BAD:
                raise wrong_attribute(&cursor, cursor.at - self.start)
            if step != NL_ITEM:
                return any
            if next.type & NL_ATTR_TYPE == wanted:
                found[0] = next
                any = True

    def __iter__(self):
        cdef AttributeIterator iterator = AttributeIterator.__new__(AttributeIterator)
        iterator.decoder = self
        iterator.at = 0
        return iterator


cdef inline AttributeView make_view(AttributeDecoder decoder, const nl_attribute *found):
    cdef AttributeView view = AttributeView.__new__(AttributeView)
    view.owner = decoder.owner
    view.start = found.payload
    view.size = <uint16_t>found.size
    view.raw_type = found.type
    view.swap = decoder.swap
    view.order = decoder.order
    return view


cdef object make_decoder(object owner, const uint8_t *start, size_t size, uint8_t order):
    cdef AttributeDecoder decoder = AttributeDecoder.__new__(AttributeDecoder)
    decoder.point_at(owner, start, size, order)
    return decoder


@cython.final
@cython.internal
cdef class AttributeIterator:
    cdef AttributeDecoder decoder
    cdef size_t at

    def __iter__(self):
        return self

    def __next__(self):
        cdef AttributeDecoder decoder = self.decoder
        cdef nl_cursor cursor
        cdef nl_attribute found
        cdef nl_step step
        if decoder is None:
            raise StopIteration
        # In free-threaded Python two threads may share an iterator.
        with cython.critical_section(self):
            cursor.at = decoder.start + self.at
            cursor.left = decoder.size - self.at
            step = nl_next_attribute(&cursor, &found)
            self.at = cursor.at - decoder.start if step == NL_ITEM else decoder.size
        if step == NL_ITEM:
            return make_view(decoder, &found)
        if step == NL_BAD:
            raise wrong_attribute(&cursor, cursor.at - decoder.start)
        raise StopIteration


@cython.final
cdef class AttributeEncoder:
    """An encoder of attributes, each padded to a multiple of 4 bytes.

    byte_order: "native", "little" or "big", of the integers. Headers are always native.

    Every method raises EncodeError at once, and adds nothing, for a type that does not fit 16 bits, a value out of
    range, or data longer than 65531 bytes (nla_len has 16 bits). `len(encoder)` is the number of bytes so far.
    """

    cdef uint8_t *buffer
    cdef size_t size
    cdef size_t capacity
    cdef bint swap
    cdef uint8_t order

    def __init__(self, byte_order="native"):
        self.order = byte_order_code(byte_order)
        self.swap = swaps(self.order)

    def __dealloc__(self):
        PyMem_Free(self.buffer)

    cdef int put(self, object type, const void *data, size_t size, uint16_t type_flags) except -1:
        cdef uint16_t raw_type = type_code(type) | type_flags
        cdef size_t need, capacity
        cdef uint8_t *grown
        cdef uint16_t length
        if size > NL_ATTR_MAX:
            raise EncodeError(f"attribute type {raw_type & NL_ATTR_TYPE}: {size} bytes, "
                              f"more than the maximum of {NL_ATTR_MAX}")
        # In free-threaded Python two threads may share an encoder.
        with cython.critical_section(self):
            need = self.size + NL_ATTR_HEADER + nl_align(size)
            if need > self.capacity:
                capacity = max(need, 2 * self.capacity, 128)
                grown = <uint8_t *>PyMem_Realloc(self.buffer, capacity)
                if grown is NULL:
                    raise MemoryError
                self.buffer = grown
                self.capacity = capacity
            grown = self.buffer + self.size
            length = <uint16_t>(NL_ATTR_HEADER + size)
            memcpy(grown, &length, 2)
            memcpy(grown + 2, &raw_type, 2)
            if size:
                memcpy(grown + NL_ATTR_HEADER, data, size)
            memset(grown + NL_ATTR_HEADER + size, 0, nl_align(size) - size)
            self.size = need
        return 0

    cdef int put_bytes(self, object type, object data, uint16_t type_flags=0) except -1:
        return self.put(type, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), type_flags)

    cdef int put8(self, object type, uint8_t v) except -1:
        return self.put(type, &v, 1, 0)

    cdef int put16(self, object type, uint16_t v) except -1:
        if self.swap:
            v = bswap_16(v)
        return self.put(type, &v, 2, 0)

    cdef int put32(self, object type, uint32_t v) except -1:
        if self.swap:
            v = bswap_32(v)
        return self.put(type, &v, 4, 0)

    cdef int put64(self, object type, uint64_t v) except -1:
        if self.swap:
            v = bswap_64(v)
        return self.put(type, &v, 8, 0)

    def uint8(self, type, v):
        """Add an unsigned integer of 1 byte."""
        self.put8(type, <uint8_t>unsigned(type, v, 0xff, "uint8"))

    def uint16(self, type, v):
        """Add an unsigned integer of 2 bytes."""
        self.put16(type, <uint16_t>unsigned(type, v, 0xffff, "uint16"))

    def uint32(self, type, v):
        """Add an unsigned integer of 4 bytes."""
        self.put32(type, <uint32_t>unsigned(type, v, 0xffffffff, "uint32"))

    def uint64(self, type, v):
        """Add an unsigned integer of 8 bytes."""
        self.put64(type, unsigned(type, v, UINT64_MAX, "uint64"))

    def int8(self, type, v):
        """Add a signed integer of 1 byte."""
        self.put8(type, <uint8_t>signed(type, v, INT8_MAX, "int8"))

    def int16(self, type, v):
        """Add a signed integer of 2 bytes."""
        self.put16(type, <uint16_t>signed(type, v, INT16_MAX, "int16"))

    def int32(self, type, v):
        """Add a signed integer of 4 bytes."""
        self.put32(type, <uint32_t>signed(type, v, INT32_MAX, "int32"))

    def int64(self, type, v):
        """Add a signed integer of 8 bytes."""
        self.put64(type, <uint64_t>signed(type, v, INT64_MAX, "int64"))

    def flag(self, type, v):
        """Add an attribute without payload (NLA_FLAG) if v is true, else nothing."""
        if v:
            self.put(type, NULL, 0, 0)
        else:
            type_code(type)

    def string(self, type, s):
        """Add text as UTF-8 with one NUL at its end. Lone surrogates become the bytes that they stand for."""
        if not isinstance(s, str):
            raise TypeError(f"want a str, got {s.__class__.__name__}")
        try:
            data = s.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise EncodeError(f"attribute type {type}: {error}") from None
        self.put_bytes(type, data + b"\0")

    def bytes(self, type, b):
        """Add a payload, any contiguous buffer."""
        self.put_bytes(type, as_bytes(b))

    def do(self, type, fn):
        """Add the buffer that fn() returns. If fn raises, nothing is added."""
        self.put_bytes(type, as_bytes(fn()))

    def nested(self, type, fn=None):
        """Add attributes in an attribute, with the flag `NESTED` and the same byte order.

        nested(type, fn) calls fn(encoder of the inner attributes). `with e.nested(type) as n:` gives this encoder as n,
        and adds its attributes at the end of the block. If fn raises, nothing is added. If the block raises, the outer
        encoder is as it was before the block.
        """
        cdef AttributeEncoder inner = AttributeEncoder.__new__(AttributeEncoder)
        inner.order = self.order
        inner.swap = self.swap
        type_code(type)
        if fn is None:
            return NestedAttributes(self, inner, type)
        fn(inner)
        self.put_bytes(type, inner.encode(), NL_ATTR_NESTED)
        return None

    cdef int cut(self, size_t size) except -1:
        with cython.critical_section(self):
            self.size = min(self.size, size)
        return 0

    def __len__(self):
        with cython.critical_section(self):
            return self.size

    def encode(self):
        """The bytes of the attributes so far. More can be added afterwards."""
        with cython.critical_section(self):
            return PyBytes_FromStringAndSize(<const char *>self.buffer, self.size)


@cython.final
@cython.internal
cdef class NestedAttributes:
    """The context manager of `AttributeEncoder.nested`."""
    cdef AttributeEncoder outer
    cdef AttributeEncoder inner
    cdef object type
    cdef size_t before

    def __cinit__(self, AttributeEncoder outer not None, AttributeEncoder inner not None, type):
        self.outer = outer
        self.inner = inner
        self.type = type

    def __enter__(self):
        self.before = len(self.outer)
        return self.inner

    def __exit__(self, exception_type, exception, traceback):
        if exception_type is None:
            self.outer.put_bytes(self.type, self.inner.encode(), NL_ATTR_NESTED)
        else:
            self.outer.cut(self.before)


def marshal_attributes(attrs):
    """The bytes of attributes, each padded to a multiple of 4 bytes.

    A length of 0 is computed. EncodeError for any other length than that of header and data, and for data longer than
    65531 bytes.
    """
    cdef AttributeEncoder encoder = AttributeEncoder()
    cdef Attribute attribute
    cdef size_t have
    for item in attrs:
        attribute = <Attribute?>item
        have = len(bytes_of(attribute.payload))
        if attribute.size and attribute.size < NL_ATTR_HEADER:
            raise EncodeError(f"attribute type {attribute.raw_type}: a length of {attribute.size} "
                              f"is less than the header's {NL_ATTR_HEADER}")
        if attribute.size and attribute.size != NL_ATTR_HEADER + have:
            raise EncodeError(f"attribute type {attribute.raw_type}: its length is {attribute.size}, "
                              f"but header and data have {NL_ATTR_HEADER + have} bytes")
        encoder.put_bytes(attribute.raw_type, bytes_of(attribute.payload))
    return encoder.encode()


cdef int type_code(object type) except -1:
    cdef object value = PyNumber_Index(type)
    if not 0 <= value <= 0xffff:
        raise EncodeError(f"attribute type {readable(value)} does not fit 16 bits")
    return value


cdef object out_of_range(object type, object v, str kind):
    return EncodeError(f"attribute type {readable(PyNumber_Index(type))}: {readable(v)} does not fit {kind}")


cdef uint64_t unsigned(object type, object v, uint64_t most, str kind) except? 0xdead:
    cdef object value = PyNumber_Index(v)
    cdef uint64_t n
    try:
        n = PyLong_AsUnsignedLongLong(value)
    except OverflowError:
        raise out_of_range(type, value, kind) from None
    if n > most:
        raise out_of_range(type, value, kind)
    return n


cdef int64_t signed(object type, object v, int64_t most, str kind) except? 0xdead:
    cdef object value = PyNumber_Index(v)
    cdef int64_t n
    try:
        n = PyLong_AsLongLong(value)
    except OverflowError:
        raise out_of_range(type, value, kind) from None
    if n > most or n < -most - 1:
        raise out_of_range(type, value, kind)
    return n
