"""Fields of a record that are parts of the headers of its packet: packet.h over records.

Nothing is stored: a part is parsed from the packet's bytes in the batch when it is read, the parts of all rows when
columns are made.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t

from netlink._engine.arrow cimport (
    NL_ADDRESS_PART,
    NL_COL_BINARY,
    NL_COL_FIXED,
    NL_COL_PART,
    NL_COL_VIEW,
    NL_PART_COUNT,
    Node,
    integer_format,
    new_column,
    nl_column,
    nl_has_part,
    nl_headers,
    nl_parse_row,
    nl_parts,
    nl_source,
    of_class,
)
from netlink._engine.record cimport Record, Store, Table, nl_bytes, nl_load_int, declared_table

import ipaddress as _ipaddress

IPv4Address = _ipaddress.IPv4Address
IPv6Address = _ipaddress.IPv6Address

cdef extern from "_engine/checksum.h" nogil:
    enum:
        NL_SUM_NO_IP
        NL_SUM_TOO_LONG
        NL_SUM_HEADER
        NL_SUM_CARRIED

    int nl_fix_checksums(uint8_t *p, size_t size) noexcept


cdef dict FAULTS = {
    NL_SUM_NO_IP: "it is neither IPv4 nor IPv6",
    NL_SUM_TOO_LONG: "it has more bytes than its length field can hold",
    NL_SUM_HEADER: "its IP header, with options or extension headers, is not whole",
    NL_SUM_CARRIED: "the header of TCP, UDP, ICMP or ICMPv6 is not whole",
}

cdef dict NUMBERS = {nl_parts[i].name.decode(): i for i in range(NL_PART_COUNT)}


cdef int fix_in_place(uint8_t *packet, size_t size) except -1:
    """Set lengths and checksums. ValueError as of `fix_checksums`."""
    cdef int fault
    with nogil:
        fault = nl_fix_checksums(packet, size)
    if fault:
        raise ValueError(f"no checksums for this packet of {size} bytes: {FAULTS[fault]}")
    return 0


def fix_checksums(packet):
    """The packet with right lengths and checksums: IPv4 header, TCP, UDP, ICMP and ICMPv6; lengths of IP and UDP.

    packet: bytes of a whole packet, from its IP header on. The length is that of the bytes. Behind IPv6 extension
    headers, too. What IP carries is left alone if it is a fragment, or of another protocol. A UDP checksum is set also
    if there was none.

    ValueError if the bytes are not IPv4 or IPv6, or if a header is cut. TypeError if they are no bytes.
    """
    cdef Py_buffer buffer
    cdef bytes fixed
    PyObject_GetBuffer(packet, &buffer, PyBUF_SIMPLE)
    try:
        fixed = PyBytes_FromStringAndSize(<const char *>buffer.buf, buffer.len)
    finally:
        PyBuffer_Release(&buffer)
    if fixed:
        fix_in_place(<uint8_t *>PyBytes_AS_STRING(fixed), len(fixed))
        return fixed
    raise ValueError("no checksums for a packet of 0 bytes")


cdef nl_bytes bytes_of(Store store) noexcept:
    cdef nl_bytes bytes
    bytes.heap = store.heap.data
    bytes.datagrams = store.datagrams.data
    return bytes


@cython.final
cdef class Source:
    """The place of the packet in the records of one declaration: see `netlink.packet.Source`."""

    cdef nl_source c
    cdef Table table
    cdef list nodes     # owners of the columns in c
    cdef dict paths
    cdef readonly dict parts

    def __init__(self, str payload not None, *, str family=None, str protocol=None, str hook=None, str link=None,
                 bint framed=False):
        if self.paths is not None:
            raise TypeError("a Source is declared once")
        if framed and protocol is None:
            raise TypeError("framed=True needs protocol=")
        self.c.framed = framed
        self.paths = {"payload": payload, "family": family, "protocol": protocol, "hook": hook, "link": link}
        self.nodes = []
        self.parts = {}

    def again(self):
        """The same places in the records of another declaration."""
        return Source(**self.paths, framed=self.c.framed)

    cdef const nl_column *column(self, cls, list nodes, str role, tuple kinds) except? NULL:
        cdef Node node
        path = self.paths[role]
        if path is None:
            return NULL
        for node in nodes:
            if ".".join(node.path) == path and node.c.kind in kinds and (node.c.kind != NL_COL_FIXED
                                                                         or node.c.width in (1, 2, 4)):
                self.nodes.append(node)
                return &node.c
        raise TypeError(f"{cls.__name__}: {role}={path!r} is not the path of a field that can be the packet's {role}")

    def bind(self, cls):
        """Find the fields in a declaration, which is complete, and give it its parts."""
        cdef Part part
        if self.table is not None:
            raise TypeError(f"{cls.__name__}: a Source belongs to one declaration")
        nodes = of_class(cls, (), (), 0, (), False)
        self.c.payload = self.column(cls, nodes, "payload", (NL_COL_VIEW,))
        self.c.family = self.column(cls, nodes, "family", (NL_COL_FIXED,))
        self.c.protocol = self.column(cls, nodes, "protocol", (NL_COL_FIXED,))
        self.c.hook = self.column(cls, nodes, "hook", (NL_COL_FIXED,))
        self.c.link = self.column(cls, nodes, "link", (NL_COL_BINARY,))
        self.table = declared_table(cls)
        for base in cls.__mro__:
            for name, value in list(vars(base).items()):
                if isinstance(value, Part) and getattr(cls, name) is value:
                    part = value
                    self.parts[name] = part.bound(name, self)
        for name, value in self.parts.items():
            type.__setattr__(cls, name, value)
        type.__setattr__(cls, "__packet__", self)

    def columns(self, bint binary):
        """The columns of the parts."""
        return [(<Part>part).column(binary) for part in self.parts.values()]


@cython.final
cdef class Part:
    """The descriptor that reads a part of a packet's headers: see `netlink.packet.Headers`."""

    cdef unsigned number
    cdef uint32_t offset
    cdef uint32_t size
    cdef object enum
    cdef dict members
    cdef str name
    cdef Source source

    def __init__(self, str part not None, *, enum=None):
        if self.source is not None:
            raise TypeError(f"{self.name}: a Part is declared once")
        self.number = NUMBERS[part]
        self.offset = nl_parts[self.number].offset
        self.size = nl_parts[self.number].size
        self.enum = enum
        self.members = None if enum is None else enum._value2member_map_

    def __class_getitem__(cls, item):
        return cls  # generic for type checkers

    cdef Part bound(self, str name, Source source):
        cdef Part part = Part(nl_parts[self.number].name.decode(), enum=self.enum)
        part.name = name
        part.source = source
        return part

    def __get__(self, instance, owner):
        if instance is None:
            return self
        if self.source is None:
            raise TypeError(f"{type(instance).__name__} does not say where its packet is: packet= of its class")
        return self.load(<Record?>instance)

    def load(self, Record record not None):
        """The value in a record."""
        cdef nl_headers headers
        cdef nl_bytes bytes
        if record.table is None or record.table is not self.source.table:
            raise TypeError(f"{self.name!r} is not a part of {type(record).__name__}")
        bytes = bytes_of(record.store)
        nl_parse_row(&self.source.c, record.base, &bytes, &headers)
        if not nl_has_part(&headers, self.number):
            return None
        return self.value(<const uint8_t *>&headers + self.offset)

    cdef object value(self, const uint8_t *at):
        cdef object number
        if self.size == NL_ADDRESS_PART:
            if at[16] == 6:
                return IPv6Address(at[:16])
            v4 = IPv4Address.__new__(IPv4Address)
            # The cast is of the whole: Cython makes it a long, which is negative from 128.0.0.0 up if it has 32 bits.
            v4._ip = <uint32_t>((<uint32_t>at[12] << 24) | (<uint32_t>at[13] << 16) | (<uint32_t>at[14] << 8) | at[15])
            return v4
        number = nl_load_int(at, self.size, 0)
        if self.members is None:
            return number
        member = self.members.get(number)
        return self.enum(number) if member is None else member

    cdef Node column(self, bint binary):
        cdef Node column
        if self.size != NL_ADDRESS_PART:
            column = new_column(self.name, integer_format(self.size, 0), NL_COL_FIXED, self.offset, self.size)
        elif binary:
            column = new_column(self.name, "w:16", NL_COL_FIXED, self.offset, 16)
        else:
            column = new_column(self.name, "u", NL_COL_PART, self.offset, 16)
        column.c.presence = self.number >> 3
        column.c.mask = 1 << (self.number & 7)
        column.c.source = &self.source.c
        column.parts.append(self.source)
        column.path = (self.name,)
        column.steps = (self.load,)
        return column
