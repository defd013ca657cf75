"""Blocks of a pcapng file from packets of nflog, read directly in the memory of their batch.

Section numbers are those of draft-ietf-opsawg-pcapng. All integers are in host byte order, as in the section header.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.errno cimport E2BIG, ENOMEM
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
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
    nl_area_reserve,
    nl_bytes,
    nl_encode,
    nl_load_int,
    nl_ref,
    nl_unknown,
    table_of,
)
from netlink._wire cimport nl_align

from netlink.errors import EncodeError

cdef enum:
    GROUPS = 65536
    HEAD = 28                         # bytes of a packet block before the packet's data
    OPTION_MAX = 65535
    # Block types, 4.2 and 4.3.
    INTERFACE = 1
    PACKET = 6
    # Option codes.
    COMMENT = 1
    IF_NAME = 2
    IF_TSRESOL = 9
    EPB_FLAGS = 2
    # Values of epb_flags and if_tsresol.
    INBOUND = 1
    OUTBOUND = 2
    NANOSECONDS = 9
    # linux/if_ether.h, linux/netfilter.h
    ETH_P_IP = 0x0800
    ETH_P_IPV6 = 0x86dd
    NFPROTO_IPV4 = 2
    NFPROTO_NETDEV = 5
    NFPROTO_IPV6 = 10

# Reasons why a packet cannot be written; negative: an errno.
cdef enum:
    NO_PAYLOAD = 1
    NOT_IP


cdef struct Place:
    uint32_t offset                   # of a field's value in the record
    uint32_t presence                 # of the byte with its presence bit
    uint8_t mask


cdef Place place_of(Field field, Field outer=None):
    """The place of a field of the declaration, or of a struct field `outer` of it."""
    cdef Place place
    cdef uint32_t base = outer.offset if outer is not None else 0
    place.offset = base + field.offset
    place.presence = base + field.presence + (field.bit >> 3)
    place.mask = 1 << (field.bit & 7)
    return place


cdef bint has(const uint8_t *record, const Place *place) noexcept nogil:
    return record[place.presence] & place.mask != 0


cdef uint64_t number(const uint8_t *record, const Place *place, unsigned width) noexcept nogil:
    """The value of a field, 0 if it is absent."""
    return nl_load_int(record + place.offset, width, 0) if has(record, place) else 0


cdef int put(nl_area *out, const void *data, size_t size) noexcept nogil:
    """Append bytes, and zeros up to a multiple of 4."""
    cdef size_t padded
    if nl_area_reserve(out, size + 3) < 0:
        return -ENOMEM
    if size:
        memcpy(out.data + out.size, data, size)
    out.size += size
    padded = nl_align(out.size)
    memset(out.data + out.size, 0, padded - out.size)
    out.size = padded
    return 0


cdef int put32(nl_area *out, uint32_t value) noexcept nogil:
    return put(out, &value, 4)


cdef int put_option(nl_area *out, uint16_t code, const void *data, size_t size) noexcept nogil:
    cdef uint16_t head[2]
    head[0], head[1] = code, <uint16_t>size
    if put(out, head, 4) < 0:
        return -ENOMEM
    return put(out, data, size)


cdef int end_block(nl_area *out, size_t start, uint32_t kind) noexcept nogil:
    """End the block at start: append opt_endofopt, and set the type and both lengths."""
    cdef uint32_t length = <uint32_t>(out.size - start) + 8
    if put32(out, 0) < 0 or put32(out, length) < 0:
        return -ENOMEM
    memcpy(out.data + start, &kind, 4)
    memcpy(out.data + start + 4, &length, 4)
    return 0


@cython.final
cdef class Blocks:
    """The blocks of one section. One thread at a time may use it. The group of a packet is its interface.

    link_type: LINKTYPE_* of the file.
    raw: whether a packet's data is its payload alone.
    snaplen: maximum of bytes of a packet's data, 0 for all.
    """

    cdef object cls
    cdef Table table
    cdef uint16_t link_type
    cdef bint raw
    cdef uint32_t snaplen
    cdef uint32_t *interfaces         # by group: 1 + the number of the interface, or 0
    cdef uint32_t interface_count
    cdef nl_area out
    cdef uint32_t protocol            # ETH_P_* of the last packet, for errors
    cdef Place family, group, hw_protocol, sec, usec, indev, outdev, prefix, l2hdr, payload

    def __cinit__(self, declaration, uint16_t link_type, bint raw, uint32_t snaplen):
        self.cls = declaration
        self.table = table_of(declaration)
        self.link_type = link_type
        self.raw = raw
        self.snaplen = snaplen
        self.interfaces = <uint32_t *>calloc(GROUPS, sizeof(uint32_t))
        if self.interfaces is NULL:
            raise MemoryError
        fields = declaration.__fields__
        header, packet_hdr, time = fields["header"], fields["packet_hdr"], fields["time"]
        self.family = place_of(header.cls.family, header)
        self.group = place_of(header.cls.res_id, header)
        self.hw_protocol = place_of(packet_hdr.cls.hw_protocol, packet_hdr)
        self.sec = place_of(time.cls.sec, time)
        self.usec = place_of(time.cls.usec, time)
        self.indev = place_of(fields["indev"])
        self.outdev = place_of(fields["outdev"])
        self.prefix = place_of(fields["prefix"])
        self.l2hdr = place_of(fields["l2hdr"])
        self.payload = place_of(fields["payload"])

    def __dealloc__(self):
        free(self.interfaces)
        nl_area_free(&self.out)

    def packets(self, packets, uint64_t now):
        """The blocks of packets, a Batch or an iterable of records, as bytes.

        now: nanoseconds since 1970, the time of packets without one.

        ValueError for a packet that cannot be written; nothing changes then.
        """
        cdef uint32_t interfaces = self.interface_count
        self.out.size = 0
        try:
            if isinstance(packets, Batch):
                self.add_batch(<Batch>packets, now)
            else:
                for i, packet in enumerate(packets):
                    self.add_record(i, packet, now)
            return PyBytes_FromStringAndSize(<char *>self.out.data, self.out.size)
        except BaseException:
            self.forget(interfaces)
            raise

    def interface(self, uint16_t group):
        """The number of a group's interface, and a block for the interface if it is new, else no bytes."""
        self.out.size = 0
        if not self.interfaces[group] and self.add_interface(group) < 0:
            raise MemoryError
        return self.interfaces[group] - 1, PyBytes_FromStringAndSize(<char *>self.out.data, self.out.size)

    cdef int add_batch(self, Batch batch, uint64_t now) except -1:
        cdef Py_ssize_t i = 0
        cdef int result = 0
        cdef size_t stride = self.table.set.record_size + 4
        cdef Store store = batch.store
        if batch.table is not self.table:
            raise TypeError(f"want packets of nflog, got {batch!r}")
        with nogil:
            for i in range(batch.length):
                result = self.add(store.records.data + (batch.first + i * batch.step) * stride, store, now)
                if result:
                    break
        if result:
            raise self.error(i, result)
        return 0

    cdef int add_record(self, Py_ssize_t i, object packet, uint64_t now) except -1:
        cdef Record record
        cdef int result
        if type(packet) is not self.cls:
            raise TypeError(f"want packets of nflog, got {type(packet).__name__}")
        record = packet
        record.checked_table()
        result = self.add(record.base, record.store, now)
        if result:
            raise self.error(i, result)
        return 0

    cdef object error(self, Py_ssize_t i, int result):
        if result == -ENOMEM:
            return MemoryError("no memory for the blocks of these packets")
        if result == -E2BIG:
            return EncodeError(f"packet {i} cannot be written: an attribute is longer than 65531 bytes")
        if result == NO_PAYLOAD:
            why = "it has no payload, as with a copy_range of 0"
        else:
            why = f"its payload is not IP ({f'protocol {self.protocol:#06x}' if self.protocol else 'no protocol'})"
        return ValueError(f"packet {i} cannot be written: {why}; LinkType.NFLOG accepts it")

    cdef void forget(self, uint32_t count) noexcept:
        """Remove all interfaces behind the first `count`: their blocks are not written."""
        cdef int group
        if self.interface_count != count:
            for group in range(GROUPS):
                if self.interfaces[group] > count:
                    self.interfaces[group] = 0
            self.interface_count = count

    cdef int add_interface(self, uint16_t group) noexcept nogil:
        cdef size_t start = self.out.size
        cdef char name[16]
        cdef int size = snprintf(name, sizeof(name), "nflog:%u", <unsigned>group)
        cdef uint8_t resolution = NANOSECONDS
        if (put32(&self.out, 0) < 0 or put32(&self.out, 0) < 0
                or put(&self.out, &self.link_type, 2) < 0 or put32(&self.out, self.snaplen) < 0
                or put_option(&self.out, IF_NAME, name, size) < 0
                or put_option(&self.out, IF_TSRESOL, &resolution, 1) < 0
                or end_block(&self.out, start, INTERFACE) < 0):
            return -ENOMEM
        self.interface_count += 1
        self.interfaces[group] = self.interface_count
        return 0

    cdef int add(self, const uint8_t *record, Store store, uint64_t now) noexcept nogil:
        """Append one packet's block: 0, or the reason why it cannot be written."""
        cdef uint16_t group = <uint16_t>number(record, &self.group, 2)
        cdef uint32_t head[5]
        cdef uint32_t direction
        cdef uint64_t time = now
        cdef size_t start, size, original = 0
        cdef int result
        if not self.interfaces[group] and self.add_interface(group) < 0:
            return -ENOMEM
        start = self.out.size
        if nl_area_reserve(&self.out, HEAD) < 0:
            return -ENOMEM
        self.out.size += HEAD
        if self.raw:
            result = self.put_payload(record, store, &original)
        else:
            result = self.put_attributes(record, store)
        if result:
            return result
        size = self.out.size - start - HEAD
        if not self.raw:
            original = size
        if 0 < self.snaplen < size:
            size = self.snaplen
        self.out.size = start + HEAD + size
        if put(&self.out, NULL, 0) < 0:
            return -ENOMEM
        direction = 0 if has(record, &self.indev) == has(record, &self.outdev) else \
            INBOUND if has(record, &self.indev) else OUTBOUND
        if put_option(&self.out, EPB_FLAGS, &direction, 4) < 0:
            return -ENOMEM
        if self.raw and self.put_comment(record, store) < 0:
            return -ENOMEM
        if has(record, &self.sec) and has(record, &self.usec):
            time = number(record, &self.sec, 8) * 1000000000 + number(record, &self.usec, 8) * 1000
        head[0] = self.interfaces[group] - 1
        head[1], head[2] = <uint32_t>(time >> 32), <uint32_t>time
        head[3], head[4] = <uint32_t>size, <uint32_t>original
        memcpy(self.out.data + start + 8, head, sizeof(head))
        return end_block(&self.out, start, PACKET)

    cdef int put_attributes(self, const uint8_t *record, Store store) noexcept nogil:
        """Append all attributes, including those of undeclared types."""
        cdef nl_bytes memory
        cdef nl_unknown entry
        cdef uint32_t at = 0
        cdef uint16_t head[2]
        cdef int result
        memory.heap = store.heap.data
        memory.datagrams = store.datagrams.data
        result = nl_encode(&self.table.set, record, &memory, &self.out)
        if result < 0:
            return result
        memcpy(&at, record + self.table.set.record_size, 4)
        while at:
            memcpy(&entry, store.heap.data + at, sizeof(entry))
            # Those of nested sets have other owners.
            if entry.owner == self.table.set.presence:
                head[0], head[1] = <uint16_t>(entry.size + 4), <uint16_t>entry.type
                if (put(&self.out, head, 4) < 0
                        or put(&self.out, store.heap.data + at + sizeof(entry), entry.size) < 0):
                    return -ENOMEM
            at = entry.next
        return 0

    cdef int put_payload(self, const uint8_t *record, Store store, size_t *original) noexcept nogil:
        """Append the IP packet without padding. original: its length before the kernel cut it, from its own header."""
        cdef uint64_t family = number(record, &self.family, 1)
        cdef nl_ref ref, link
        cdef const uint8_t *data
        cdef size_t size, header_length = 0
        ref.size = 0
        if has(record, &self.payload):
            memcpy(&ref, record + self.payload.offset, sizeof(ref))
        data = store.datagrams.data + ref.offset if ref.size else NULL
        size = ref.size
        if family == NFPROTO_NETDEV and not has(record, &self.indev) and has(record, &self.l2hdr):
            memcpy(&link, record + self.l2hdr.offset, sizeof(link))
            if link.size <= size and link.size and memcmp(data, store.heap.data + link.offset, link.size) == 0:
                data += link.size
                size -= link.size
        if not size:
            return NO_PAYLOAD
        self.protocol = <uint32_t>number(record, &self.hw_protocol, 2)
        if not self.protocol:
            self.protocol = ETH_P_IP if family == NFPROTO_IPV4 else ETH_P_IPV6 if family == NFPROTO_IPV6 else 0
        # A length of 0: the device computes it, or the packet is a jumbogram.
        if self.protocol == ETH_P_IP and data[0] >> 4 == 4:
            if size >= 4:
                header_length = data[2] << 8 | data[3]
        elif self.protocol == ETH_P_IPV6 and data[0] >> 4 == 6:
            if size >= 6 and (data[4] or data[5]):
                header_length = 40 + (data[4] << 8 | data[5])
        else:
            return NOT_IP
        original[0] = max(size, header_length)
        if nl_area_reserve(&self.out, size) < 0:
            return -ENOMEM
        memcpy(self.out.data + self.out.size, data, size)
        self.out.size += size
        return 0

    cdef int put_comment(self, const uint8_t *record, Store store) noexcept nogil:
        """Append the rule's prefix, if it has one."""
        cdef nl_ref ref
        cdef const uint8_t *text
        cdef uint32_t i
        cdef int result
        if not has(record, &self.prefix):
            return 0
        memcpy(&ref, record + self.prefix.offset, sizeof(ref))
        if not ref.size:
            return 0
        text = store.heap.data + ref.offset
        for i in range(ref.size):
            if text[i] >= 0x80:
                with gil:
                    result = self.put_text(<const char *>text, ref.size)
                return result
        return put_option(&self.out, COMMENT, text, min(ref.size, OPTION_MAX))

    cdef int put_text(self, const char *text, uint32_t size) noexcept:
        """Append a comment. It must be UTF-8: other bytes become escapes such as \\xff."""
        try:
            data = <bytes>PyUnicode_DecodeUTF8(text, size, "backslashreplace").encode()
        except MemoryError:
            return -ENOMEM
        return put_option(&self.out, COMMENT, PyBytes_AS_STRING(data), min(PyBytes_GET_SIZE(data), OPTION_MAX))
