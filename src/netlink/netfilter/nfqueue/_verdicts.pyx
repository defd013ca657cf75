"""Verdicts on packets, built and sent in C without the GIL: the base of `netlink.netfilter.nfqueue.Queue`."""

from cpython.buffer cimport (
    PyBUF_FORMAT,
    PyBUF_SIMPLE,
    PyBUF_STRIDES,
    PyBuffer_Release,
    PyObject_CheckBuffer,
    PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.number cimport PyIndex_Check, PyNumber_Index
from cpython.sequence cimport PySequence_Check
from libc.errno cimport EBUSY, EINTR, ENOENT, EPERM
from libc.stdint cimport (
    INT64_MAX,
    INT64_MIN,
    UINT32_MAX,
    int64_t,
    uint8_t,
    uint16_t,
    uint32_t,
)
from libc.string cimport memcpy, memset

from netlink._engine.ledger cimport (
    NL_LEDGER_ANSWER,
    NL_LEDGER_COUNT,
    NL_LEDGER_FIRST,
    Ledger,
    Number,
    nl_ledger_is,
    nl_ledger_settle_all,
    nl_ledger_settle_through,
)
from netlink._engine.packet cimport fix_in_place
from netlink._engine.receive cimport StreamReader
from netlink._engine.record cimport NL_SIGNED, Batch, Record, nl_load_int
from netlink._io.locks cimport Lock
from netlink._io.outlet cimport BatchOutlet
from netlink._transport cimport Socket, forks_begun, send_from

import sys as _sys

from netlink.errors import OpError

cdef dict REFUSED = {
    ENOENT: "the packet is not queued (any more): it had a verdict, or was dropped with a chain or an interface",
    EPERM: "the process has lost CAP_NET_ADMIN",
}
cdef bytes NATIVE = b"@=<" if _sys.byteorder == "little" else b"@=>"

cdef extern from "<arpa/inet.h>" nogil:
    uint32_t htonl(uint32_t value)
    uint16_t htons(uint16_t value)

cdef extern from *:
    """
    #include <linux/netfilter.h>
    #include <linux/netfilter/nfnetlink.h>
    #include <linux/netfilter/nfnetlink_queue.h>
    #include <linux/netlink.h>
    /* Headers before Linux 5.18 lack it. */
    enum { NL_QUEUE_PRIORITY = 21 };
    enum {
        NL_MSG_VERDICT = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT,
        NL_MSG_VERDICT_BATCH = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT_BATCH,
    };
    /* A verdict without its further attributes. All sizes are multiples of 4. */
    struct nl_decision {
        struct nlmsghdr header;
        struct nfgenmsg netfilter;
        struct nlattr attribute;
        struct nfqnl_msg_verdict_hdr verdict;
    };
    """
    enum:
        NF_DROP
        NF_ACCEPT
        NF_QUEUE
        NF_REPEAT
        NF_STOP
        NF_VERDICT_MASK
        NF_VERDICT_FLAG_QUEUE_BYPASS
        NF_VERDICT_QBITS
        NFQA_VERDICT_HDR
        NFQA_MARK
        NFQA_PAYLOAD
        NL_QUEUE_PRIORITY
        NL_MSG_VERDICT
        NL_MSG_VERDICT_BATCH
        NLM_F_REQUEST
        NLM_F_ACK

    struct nlmsghdr:
        uint32_t nlmsg_len
        uint16_t nlmsg_type
        uint16_t nlmsg_flags
        uint32_t nlmsg_seq

    struct nfgenmsg:
        uint16_t res_id

    struct nlattr:
        uint16_t nla_len
        uint16_t nla_type

    struct nfqnl_msg_verdict_hdr:
        uint32_t verdict
        uint32_t id

    struct nl_decision:
        nlmsghdr header
        nfgenmsg netfilter
        nlattr attribute
        nfqnl_msg_verdict_hdr verdict

cdef enum:
    # Packets to receive at once for verdicts one by one: further ones would wait for theirs in a colder cache.
    ROWS = 64
    # Verdicts in one send. More save nothing, and packets of the first ones wait for the last ones.
    CHUNK = 64
    # Bytes of one send, except for a single verdict.
    CHUNK_SIZE = 1 << 16
    # The largest payload of an attribute.
    PAYLOAD_MAX = 65531
    # Sequence number of a request that waits for its acknowledgement.
    ACKNOWLEDGED = 16


cdef struct Decisions:
    uint16_t queue
    uint32_t *ids
    uint32_t *verdicts              # NULL: all have the same
    uint32_t verdict
    const char *extra               # attributes of each
    size_t extra_size


cdef size_t put(nl_decision *to, const Decisions *d, uint16_t type, uint32_t sequence, uint32_t verdict,
                uint32_t id) noexcept nogil:
    """Write a message. Returns its size."""
    memset(to, 0, sizeof(nl_decision))
    to.header.nlmsg_len = <uint32_t>(sizeof(nl_decision) + d.extra_size)
    to.header.nlmsg_type = type
    to.header.nlmsg_flags = NLM_F_REQUEST
    to.header.nlmsg_seq = sequence
    to.netfilter.res_id = htons(d.queue)
    to.attribute.nla_len = sizeof(nlattr) + sizeof(nfqnl_msg_verdict_hdr)
    to.attribute.nla_type = NFQA_VERDICT_HDR
    to.verdict.verdict = htonl(verdict)
    to.verdict.id = htonl(id)
    if d.extra_size:
        memcpy(<char *>to + sizeof(nl_decision), d.extra, d.extra_size)
    return to.header.nlmsg_len


cdef object refused_verdict(value):
    """The error for a number that is no verdict."""
    if value & NF_VERDICT_MASK in (NF_DROP, NF_ACCEPT, NF_REPEAT, NF_STOP) and value >= 0:
        return ValueError(f"verdict {value:#x}: the upper bits must be 0, except for QUEUE; with them the packet skips "
                          "later chains")
    if value & NF_VERDICT_MASK == NF_QUEUE:
        return ValueError(f"verdict {value:#x}: QUEUE has the queue's number in the upper 16 bits, and may have 0x8000 "
                          "for bypass: use requeue")
    return ValueError(f"verdict {value}: want one of Verdict.DROP, ACCEPT, QUEUE, REPEAT and STOP")


cdef inline bint is_verdict(int64_t value) noexcept nogil:
    cdef int64_t kind = value & NF_VERDICT_MASK
    if kind == NF_QUEUE:
        return 0 <= value <= UINT32_MAX and not value & 0x7f00
    return value == kind and (kind == NF_DROP or kind == NF_ACCEPT or kind == NF_REPEAT or kind == NF_STOP)


cdef inline bint is_one(packets) noexcept:
    """Whether this is a packet, or a number, and not several. Arrays of NumPy are several that claim to be a number."""
    return isinstance(packets, Record) or (PyIndex_Check(packets) and not PySequence_Check(packets))


cdef int64_t integer_of(value, str what) except? -1:
    """An integer, or the nearest one of 64 bits. TypeError if it is none. what: the subject of the error's text."""
    cdef int overflow = 0
    cdef int64_t number
    if isinstance(value, bool) or not PyIndex_Check(value):
        raise TypeError(f"{what} must be an int, not {value!r}")
    number = PyLong_AsLongLongAndOverflow(value if isinstance(value, int) else PyNumber_Index(value), &overflow)
    return INT64_MAX if overflow > 0 else INT64_MIN if overflow else number


cdef uint32_t number_of(str name, value) except? 0xdeadbeef:
    """An integer of 32 bits. TypeError or ValueError if it is none."""
    cdef int64_t number = integer_of(value, name)
    if not 0 <= number <= UINT32_MAX:
        raise ValueError(f"{name} must be from 0 to 0xffffffff, not {value!r}")
    return <uint32_t>number


cdef uint32_t verdict_of(value) except? 0xdeadbeef:
    cdef int64_t number = integer_of(value, "a verdict")
    if not is_verdict(number):
        raise refused_verdict(PyNumber_Index(value))
    return <uint32_t>number


cdef int read_array(const Py_buffer *b, Py_ssize_t count, uint32_t *to) except -1:
    """Verdicts of a buffer of integers, with any distance between them."""
    cdef Py_ssize_t i
    cdef int64_t value
    cdef const uint8_t *at = <const uint8_t *>b.buf
    cdef unsigned flags
    cdef bytes format = b"B" if b.format is NULL else b.format
    code = format.lstrip(NATIVE)
    if b.ndim != 1 or len(code) != 1 or code not in b"bBhHiIlLqQ":
        raise TypeError(f"an array of verdicts must have one dimension, and integers in native byte order, not "
                        f"{b.ndim} of {format.decode()!r}")
    if b.shape[0] != count:
        raise ValueError(f"{count} packets need {count} verdicts, not {b.shape[0]}")
    flags = NL_SIGNED if code.islower() else 0
    for i in range(count):
        value = <int64_t>nl_load_int(at + i * b.strides[0], <unsigned>b.itemsize, flags)
        if not is_verdict(value):
            raise refused_verdict(value)
        to[i] = <uint32_t>value
    return 0


cdef int read_list(list verdicts, Py_ssize_t count, uint32_t *to) except -1:
    """Verdicts of a list of integers."""
    cdef Py_ssize_t i
    cdef uint32_t value = 0
    last = None
    if len(verdicts) != count:
        raise ValueError(f"{count} packets need {count} verdicts, not {len(verdicts)}")
    for i in range(count):
        # There are few verdicts: most often it is the same object again.
        if verdicts[i] is not last or not i:
            last = verdicts[i]
            value = verdict_of(last)
        to[i] = value
    return 0


cdef bytes attribute_of(uint16_t type, const void *value, size_t size):
    """A netlink attribute with its padding."""
    cdef bytes out = PyBytes_FromStringAndSize(NULL, (sizeof(nlattr) + size + 3) & ~<size_t>3)
    cdef char *at = PyBytes_AS_STRING(out)
    cdef nlattr *head = <nlattr *>at
    memset(at, 0, PyBytes_GET_SIZE(out))
    head.nla_len = <uint16_t>(sizeof(nlattr) + size)
    head.nla_type = type
    memcpy(at + sizeof(nlattr), value, size)
    return out


cdef class Verdicts(BatchOutlet):
    """The methods of `Queue` that give verdicts. All may be called from any thread."""

    cdef Socket sock
    cdef StreamReader reader
    cdef Ledger ledger
    cdef Number id_of_packet
    cdef Number queue_of_packet
    cdef uint16_t queue
    cdef unsigned forks             # forks_begun() when it was bound

    def _bind(self, uint16_t number, id_fields, queue_fields):
        """Prepare for the packets of a queue. id_fields, queue_fields: where a packet has these numbers."""
        source = self._source
        self.rows = ROWS
        self.queue = number
        self.forks = forks_begun()
        self.id_of_packet = Number(id_fields)
        self.queue_of_packet = Number(queue_fields)
        self.reader = source.reader
        self.ledger = source.ledger
        self.sock = source.sock

    # Which packets

    cdef int64_t id_of(self, packet) except -1:
        cdef Record record
        cdef int64_t id, queue
        if isinstance(packet, Record):
            record = <Record>packet
            if record.table is not self.id_of_packet.table:
                raise TypeError(f"a verdict is for a Packet of this queue, not for a {type(packet).__name__}")
            id = self.id_of_packet.of(record.base)
            if id < 0:
                raise ValueError("the packet has no id")
            queue = self.queue_of_packet.of(record.base)
            if queue >= 0 and queue != self.queue:
                raise ValueError(f"the packet is of queue {queue}, not of {self.queue}")
            return id
        if isinstance(packet, bool) or not PyIndex_Check(packet):
            raise TypeError(f"a verdict is for a Packet, its id, a Batch, or several of them, not for {packet!r}")
        return number_of("a packet's id", packet)

    cdef Py_ssize_t gather(self, packets, uint32_t **ids) except -1:
        """The ids of several packets in new memory: how many. A caller that gets an error frees it, too."""
        cdef Batch batch
        cdef Py_ssize_t i, count
        cdef int64_t id = 0
        if isinstance(packets, Batch):
            batch = <Batch>packets
            if batch.table is not self.id_of_packet.table:
                raise TypeError(f"a verdict is for packets of this queue, not for a batch of {batch.cls.__name__}")
            count = batch.length
        else:
            try:
                if isinstance(packets, (str, bytes, bytearray, memoryview)):
                    raise TypeError
                packets = list(packets)
            except TypeError:
                raise TypeError("a verdict is for a Packet, its id, a Batch, or several of them, not for "
                                f"{packets!r}") from None
            count = len(packets)
        ids[0] = <uint32_t *>PyMem_Malloc(max(count, 1) * sizeof(uint32_t))
        if ids[0] is NULL:
            raise MemoryError
        if isinstance(packets, Batch):
            for i in range(count):
                id = self.id_of_packet.of(batch.at(i))
                if id < 0 or self.queue_of_packet.of(batch.at(i)) not in (-1, self.queue):
                    self.id_of(batch.view(i))  # raises
                ids[0][i] = <uint32_t>id
        else:
            for i in range(count):
                ids[0][i] = <uint32_t>self.id_of(packets[i])
        return count

    # What is sent with them

    def _extra(self, packet, ct, expect, vlan, l2hdr):
        """The attributes of rare changes, encoded. Overridden."""
        raise NotImplementedError

    def _need_priority(self):
        """Raise unless the kernel sets priorities. Overridden."""
        raise NotImplementedError

    def _may_rewrite(self):
        """Warn, once, if the kernel may drop packets with another payload. Overridden."""
        raise NotImplementedError

    cdef bytes additions(self, packets, mark, priority, payload, ct, expect, vlan, l2hdr, bint checksums):
        """The attributes of each verdict behind its header."""
        cdef Py_buffer buffer
        cdef uint32_t number
        cdef bytes whole, out = b""
        if mark is not None:
            number = htonl(number_of("mark", mark))
            out = attribute_of(NFQA_MARK, &number, sizeof(number))
        if priority is not None:
            number = htonl(number_of("priority", priority))
            self._need_priority()
            out += attribute_of(NL_QUEUE_PRIORITY, &number, sizeof(number))
        if payload is not None:
            if not is_one(packets):
                raise ValueError("a payload is for one packet")
            if isinstance(packets, Record) and packets.truncated:
                raise ValueError("the packet is truncated: a payload made of it would cut it; open the queue with a "
                                 "larger copy_range, or name the packet's id")
            PyObject_GetBuffer(payload, &buffer, PyBUF_SIMPLE)
            try:
                if not 0 < buffer.len <= PAYLOAD_MAX:
                    raise ValueError(f"a payload has from 1 to {PAYLOAD_MAX} bytes, not {buffer.len}")
                whole = attribute_of(NFQA_PAYLOAD, buffer.buf, buffer.len)
                if checksums:
                    fix_in_place(<uint8_t *>PyBytes_AS_STRING(whole) + sizeof(nlattr), buffer.len)
            finally:
                PyBuffer_Release(&buffer)
            self._may_rewrite()
            out += whole
        elif checksums:
            raise ValueError("checksums=True needs a payload")
        if ct is not None or expect is not None or vlan is not None or l2hdr is not None:
            out += self._extra(packets, ct, expect, vlan, l2hdr)
        return out

    # Sending

    cdef int send(self, const void *datagram, size_t size) except -1:
        cdef int result
        while True:
            with nogil:
                result = send_from(self.sock, datagram, size)
            if result != -EINTR:
                break
            PyErr_CheckSignals()
        if result < 0:
            raise OpError("verdict", -result)
        return 0

    cdef int send_one(self, const Decisions *d, uint32_t id, uint32_t verdict) except -1:
        cdef nl_decision small
        cdef nl_decision *to = &small
        cdef size_t size
        if d.extra_size:
            to = <nl_decision *>PyMem_Malloc(sizeof(nl_decision) + d.extra_size)
            if to is NULL:
                raise MemoryError
        try:
            size = put(to, d, NL_MSG_VERDICT, NL_LEDGER_ANSWER | NL_LEDGER_FIRST | 1, verdict, id)
            self.send(to, size)
        finally:
            if to is not &small:
                PyMem_Free(to)
        nl_ledger_settle_all(&self.ledger.c, &id, 1)
        return 0

    cdef bint are_all(self, const uint32_t *ids, Py_ssize_t count) noexcept:
        """Whether no other packet up to the last of these waits.

        One might if another process has read it, or if its verdict was refused as the sender had no permission.
        """
        return (nl_ledger_is(&self.ledger.c, ids, count) and self.forks == forks_begun()
                and not self.ledger.c.refused[EPERM])

    cdef int send_all(self, const Decisions *d, Py_ssize_t count) except -1:
        """Send verdicts, in as many datagrams as needed."""
        cdef Py_ssize_t done = 0, part, i
        cdef size_t room = sizeof(nl_decision) + d.extra_size, size
        cdef Py_ssize_t most = max(<Py_ssize_t>1, min(<Py_ssize_t>CHUNK, <Py_ssize_t>(CHUNK_SIZE // room)))
        cdef uint32_t first
        cdef char *datagram = <char *>PyMem_Malloc(max(<Py_ssize_t>2, most) * room)
        if datagram is NULL:
            raise MemoryError
        try:
            if count > 2 and d.verdicts is NULL and self.are_all(d.ids, count):
                # These are all that wait: "up to the last one" means no other. The kernel does not say how many of them
                # it still had. Where it dropped its whole queue meanwhile, the oldest is gone, too, and it says so. An
                # interface that goes down may take others alone.
                size = put(<nl_decision *>datagram, d, NL_MSG_VERDICT,
                           NL_LEDGER_ANSWER | NL_LEDGER_FIRST | <uint32_t>min(count, <Py_ssize_t>NL_LEDGER_COUNT),
                           d.verdict, d.ids[0])
                size += put(<nl_decision *>(datagram + size), d, NL_MSG_VERDICT_BATCH,
                            NL_LEDGER_ANSWER | <uint32_t>min(count - 1, <Py_ssize_t>NL_LEDGER_COUNT),
                            d.verdict, d.ids[count - 1])
                self.send(datagram, size)
                with nogil:
                    nl_ledger_settle_all(&self.ledger.c, d.ids, count)
                return 0
            while done < count:
                part = min(most, count - done)
                with nogil:
                    size = 0
                    for i in range(part):
                        first = NL_LEDGER_FIRST | <uint32_t>part if i == 0 else 1
                        size += put(<nl_decision *>(datagram + size), d, NL_MSG_VERDICT, NL_LEDGER_ANSWER | first,
                                    d.verdict if d.verdicts is NULL else d.verdicts[done + i], d.ids[done + i])
                self.send(datagram, size)
                with nogil:
                    nl_ledger_settle_all(&self.ledger.c, d.ids + done, part)
                done += part
        finally:
            PyMem_Free(datagram)
        return 0

    cdef int send_acknowledged(self, const Decisions *d, uint32_t id, uint32_t verdict) except -1:
        """Send one verdict, and wait for the kernel's answer to it."""
        cdef nl_decision *to = <nl_decision *>PyMem_Malloc(sizeof(nl_decision) + d.extra_size)
        cdef Lock lock = Lock(self._locks, "verdict", receive=True, deadline=0)
        if to is NULL:
            raise MemoryError
        try:
            size = put(to, d, NL_MSG_VERDICT, ACKNOWLEDGED, verdict, id)
            to.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK
            try:
                lock.take()
            except OpError as error:
                if not error.timeout and error.errno != EBUSY:
                    raise
                raise OpError("verdict", OSError(EBUSY, "acknowledge=True reads the stream, which another thread or "
                                                        "task is reading")) from None
            try:
                self.send(to, size)
                nl_ledger_settle_all(&self.ledger.c, &id, 1)
                try:
                    self.reader.take_acknowledgement(ACKNOWLEDGED, self.sock.read_buffer())
                except OpError as error:
                    raise OpError("verdict", error, hint=REFUSED.get(error.errno, "")) from None
            finally:
                lock.give_back()
        finally:
            PyMem_Free(to)
        return 0

    cdef int decide(self, packets, verdict, uint32_t same, bytes extra, bint acknowledge) except -1:
        """Send verdicts: one for all, same, if verdict is None, else one each."""
        cdef Decisions d
        cdef Py_buffer buffer
        cdef Py_ssize_t count
        cdef int64_t id
        memset(&d, 0, sizeof(d))
        d.queue = self.queue
        d.verdict = same
        if extra:
            d.extra = PyBytes_AS_STRING(extra)
            d.extra_size = PyBytes_GET_SIZE(extra)
        if is_one(packets):
            if verdict is not None:
                raise TypeError("one packet has one verdict: want an int")
            id = self.id_of(packets)
            if acknowledge:
                return self.send_acknowledged(&d, <uint32_t>id, same)
            return self.send_one(&d, <uint32_t>id, same)
        if acknowledge:
            raise ValueError("acknowledge=True is for one packet")
        try:
            count = self.gather(packets, &d.ids)
            if verdict is not None:
                d.verdicts = <uint32_t *>PyMem_Malloc(max(count, 1) * sizeof(uint32_t))
                if d.verdicts is NULL:
                    raise MemoryError
                if PyObject_CheckBuffer(verdict):
                    PyObject_GetBuffer(verdict, &buffer, PyBUF_FORMAT | PyBUF_STRIDES)
                    try:
                        read_array(&buffer, count, d.verdicts)
                    finally:
                        PyBuffer_Release(&buffer)
                else:
                    read_list(list(verdict), count, d.verdicts)
            self.send_all(&d, count)
        finally:
            PyMem_Free(d.ids)
            PyMem_Free(d.verdicts)
        return 0

    cdef int usable(self) except -1:
        if self.sock is None:
            raise TypeError("a Queue comes from listen")
        return 0

    # The methods of a queue

    def verdict(self, packets, verdict, *, mark=None, priority=None, payload=None, ct=None, expect=None, vlan=None,
                l2hdr=None, bint checksums=False, bint acknowledge=False):
        """Decide on packets.

        packets: a `Packet`, its id, a `Batch` of them, or several packets or ids. From any thread, later, and in any
            order; each once.
        verdict: a `Verdict` for all, or one for each: a sequence or an array of integers.
        mark: the packet's mark, for later rules. priority: its `skb->priority`; OpError (EOPNOTSUPP) if the kernel is
            older than that, 5.18.
        payload: the bytes of one packet from its network header on, in the place of what it has: with right checksums,
            or checksums=True. A packet that becomes longer than 65,535 bytes, or shorter than its IP header, is
            dropped by the kernel, which does not say so. NetlinkWarning, once, if another user namespace than the
            machine's first one owns the network namespace: newer kernels drop all such packets there.
        checksums: set lengths and checksums of the payload, as `fix_checksums`.
        ct: a `conntrack.Flow` whose timeout, status, mark (with mark_mask) and labels (with labels_mask) become those
            of the packet's flow; an empty helper, "", takes its helper away. Kernels do not report errors in it. A flow
            has room for labels if a rule of its network namespace sets labels when it begins. An empty one, `Flow()`,
            has the kernel adjust the sequence numbers of TCP behind a payload of another length, in a flow with NAT
            that had a helper before it had NAT. OpError (EOPNOTSUPP) if the kernel cannot.
        expect: a `conntrack.Expect` for the flow; only with ct.
        vlan, l2hdr: the VLAN tag, and the link-layer header, in the bridge family. The header keeps its length.
        acknowledge: wait for the kernel's answer to one verdict, and raise OpError if it is refused: FileNotFoundError
            if the packet is not queued (any more). It reads the stream: OpError (EBUSY) while somebody else does.
            Without it, refusals are counted (`refused`).

        Many verdicts go out in one datagram. ValueError and TypeError for what the kernel would ignore, or answer
        by dropping the packet; nothing is sent then. OpError if sending fails: the rest of the packets keep waiting.
        """
        self.usable()
        extra = self.additions(packets, mark, priority, payload, ct, expect, vlan, l2hdr, checksums)
        if is_one(verdict):
            self.decide(packets, None, verdict_of(verdict), extra, acknowledge)
        elif isinstance(verdict, (str, float, type(None))) or not hasattr(verdict, "__iter__"):
            raise TypeError(f"verdict must be a Verdict, or one for each packet, not {verdict!r}")
        else:
            self.decide(packets, verdict, 0, extra, acknowledge)

    def accept(self, packets, *, mark=None, priority=None, payload=None, ct=None, expect=None, vlan=None, l2hdr=None,
               bint checksums=False, bint acknowledge=False):
        """Accept packets: they leave this base chain, and go on to the next one. All else as `verdict`."""
        self.usable()
        self.decide(packets, None, NF_ACCEPT,
                    self.additions(packets, mark, priority, payload, ct, expect, vlan, l2hdr, checksums), acknowledge)

    def drop(self, packets, *, ct=None, bint acknowledge=False):
        """Drop packets. All else as `verdict`."""
        self.usable()
        self.decide(packets, None, NF_DROP,
                    self.additions(packets, None, None, None, ct, None, None, None, False), acknowledge)

    def repeat(self, packets, *, mark=None, priority=None, payload=None, ct=None, expect=None, vlan=None, l2hdr=None,
               bint checksums=False, bint acknowledge=False):
        """Send packets through this base chain again. All else as `verdict`.

        They come back with a new id, unless a rule before this one tells them from others: by a mark, as a rule.
        """
        self.usable()
        self.decide(packets, None, NF_REPEAT,
                    self.additions(packets, mark, priority, payload, ct, expect, vlan, l2hdr, checksums), acknowledge)

    def requeue(self, packets, number, *, bint bypass=False, mark=None, priority=None, payload=None, ct=None,
                expect=None, vlan=None, l2hdr=None, bint checksums=False, bint acknowledge=False):
        """Send packets to another queue. All else as `verdict`.

        number: of the queue, from 0 to 65535. bypass: if nobody listens to it, the packets go on behind the rule;
        otherwise they are dropped then.
        """
        cdef uint32_t to = number_of("number", number)
        if to > 0xffff:
            raise ValueError(f"number must be from 0 to 65535, not {number!r}")
        self.usable()
        self.decide(packets, None, NF_QUEUE | to << NF_VERDICT_QBITS | (NF_VERDICT_FLAG_QUEUE_BYPASS if bypass else 0),
                    self.additions(packets, mark, priority, payload, ct, expect, vlan, l2hdr, checksums), acknowledge)

    cdef int decide_through(self, packet, uint32_t verdict, bytes extra) except -1:
        cdef Decisions d
        cdef uint32_t id
        # With a mark and a priority.
        cdef nl_decision message[2]
        self.usable()
        id = <uint32_t>self.id_of(packet)
        memset(&d, 0, sizeof(d))
        d.queue = self.queue
        d.extra = PyBytes_AS_STRING(extra)
        d.extra_size = PyBytes_GET_SIZE(extra)
        self.send(message, put(message, &d, NL_MSG_VERDICT_BATCH,
                               NL_LEDGER_ANSWER | NL_LEDGER_FIRST | 1, verdict, id))
        with nogil:
            nl_ledger_settle_through(&self.ledger.c, id)
        return 0

    def accept_upto(self, packet, *, mark=None, priority=None):
        """Accept all packets with ids up to that of the given one, also those that other threads have, or nobody yet.

        packet: a `Packet`, or an id. mark, priority: of all of them, as of `verdict`.
        Those that were received, and not handed out yet, are handed out all the same: they need no verdict.
        """
        self.decide_through(packet, NF_ACCEPT,
                            self.additions(packet, mark, priority, None, None, None, None, None, False))

    def drop_upto(self, packet):
        """Drop all packets with ids up to that of the given one, also those that other threads have, or nobody yet."""
        self.decide_through(packet, NF_DROP, b"")

    @property
    def pending(self):
        """How many packets were read from the socket and have no verdict yet: those of the current batch included."""
        self.usable()
        return self.ledger.pending

    @property
    def refused(self):
        """How many verdicts the kernel refused, by errno. It is empty if all were good.

        ENOENT: the packet is not queued any more. The kernel drops all queued packets if any base chain in the network
        namespace is removed (as `nft -f` does that replaces a table), and those of an interface that goes down; or
        it had a verdict already. EPERM: the process has lost CAP_NET_ADMIN. Such packets keep waiting. Refusals are
        counted as the stream is read.

        One verdict for a batch that is all that waits goes out as two: for the oldest packet, and for all others. If
        some of the packets are gone, and not all, the kernel does not say how many: the oldest is counted if it is
        gone, and no other. A sequence of verdicts, `verdict(batch, [...])`, has each of them counted.
        """
        self.usable()
        return self.ledger.refused
