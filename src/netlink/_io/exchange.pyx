"""The exchange of a connection: its requests, and the reading of their replies.

Each method is a generator. It never waits, but yields to its runner, which may wait: `run` and `iterate` in a thread,
`netlink.aio` in a task. The rules of a reply are those of nl_reply in _wire.h. They and the loops are the same for
every connection, over a real socket or a test double, with or without NLDEBUG.

A generator yields:

    READABLE            nothing is queued: wait, then send None, or the datagram if the socket returned it
    PAUSE               many datagrams were read: others may run
    WOKEN               wait for `Locks.wake` of the connection
    (op, messages)      messages to send as one datagram; for the real socket also the bytes of one
    an iterator         items of the result
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from libc.errno cimport EAGAIN, EINTR
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from netlink._codec cimport (
    Message,
    as_bytes,
    check_reply,
    filled,
    filled_header,
    marshal_into,
    marshalled_size,
    parse_messages,
    verdict_error,
)
from netlink._engine.match cimport Match, match_of
from netlink._engine.receive cimport HUNGRY, Reader
from netlink._engine.record cimport (
    NL_K_REPEATED,
    Attributes,
    Field,
    Record,
    Shapes,
    Table,
    begin_attributes,
    encoded,
    field_named,
    payload_of,
    put_attribute,
    table_of,
)
from netlink._engine.rows cimport Preparation, Rows
from netlink._io.locks cimport Lock, Locks
from netlink._transport cimport (
    MSG_TRUNC,
    Ring,
    Socket,
    free_buffer,
    nl_buffer,
    receive_error,
    receive_reply,
    receive_ring,
    send_from,
)
from netlink._wire cimport (
    NL_BAD,
    NL_F_ACK,
    NL_F_DUMP,
    NL_F_DUMP_INTR,
    NL_F_REQUEST,
    NL_HEADER,
    NL_ITEM,
    NL_ROLE_ACK,
    NL_ROLE_BEHIND,
    NL_ROLE_DATA,
    NL_ROLE_END,
    NL_ROLE_FAILED,
    NL_ROLE_FOREIGN,
    NL_ROLE_LAST,
    NL_ROLE_NOTHING,
    NL_REPLY_ACKED,
    NL_REPLY_ANY,
    NL_REPLY_DUMP,
    NL_REPLY_PLAIN,
    NL_TYPE_ERROR,
    nl_align,
    nl_cursor,
    nl_header,
    nl_message,
    nl_next_message,
    nl_role,
    nl_reply,
    nl_reply_datagram,
    nl_reply_message,
    nl_step,
    nl_verdict,
)

import collections as _collections
import errno as _errno
import sys as _sys

from netlink._codec import verdict
from netlink.errors import DecodeError, EncodeError, OpError

READABLE = 1
PAUSE = 2
WOKEN = 4
cdef object ALL = _sys.maxsize

cdef extern from "Python.h":
    ctypedef object (*vectorcallfunc)(object callable, PyObject *const *args, size_t nargs, PyObject *names)
    ctypedef struct TypeObject "PyTypeObject":
        unsigned long tp_flags
        Py_ssize_t tp_vectorcall_offset
        object (*tp_call)(object callable, object args, PyObject *kwargs)
        object (*tp_new)(TypeObject *cls, object args, PyObject *kwargs)
        void *tp_descr_get
    TypeObject *Py_TYPE(object one) noexcept
    unsigned long Py_TPFLAGS_HAVE_VECTORCALL
    unsigned long Py_TPFLAGS_METHOD_DESCRIPTOR
    Py_ssize_t PyVectorcall_NARGS(size_t nargs) noexcept
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    object PyMethod_New(object function, object instance)
    object PyObject_Vectorcall(object callable, PyObject *const *args, size_t nargs, PyObject *names)
    PySendResult PyIter_Send(object iterator, object value, PyObject **result) except PYGEN_ERROR

cdef enum:
    ABANDONED_MAX = 1024
    # Lower types are control messages: NLMSG_MIN_TYPE.
    MIN_TYPE = 16
    # Requests of `many` in a datagram: with 100 of them each takes 8 percent more time.
    MANY = 1024
    # Outstanding requests of `execute_all` at a time. More of them need memory and are no faster.
    WINDOW = 512
    # The acknowledgement of a failed request has the request, and the attributes of an extended acknowledgement.
    ACK_SIZE = NL_HEADER + 4 + NL_HEADER + 256
    REPLY_SIZE = 8192
    # Bytes that the kernel charges at most for a refusal of a small request, with a text.
    REFUSAL = 1280
    # Bytes of the write buffer that a datagram must leave: netlink_sendmsg of net/netlink/af_netlink.c.
    WRITE_RESERVE = 32
    # Of what a buffer can be set to: the kernel doubles it.
    BUFFER_MAX = 1 << 29
    # The least that the kernel charges for a datagram.
    CHARGE_MIN = 512
    # Bytes that the kernel charges in addition to the data of a datagram: struct skb_shared_info and sk_buff.
    SHARED_INFO = 320
    SK_BUFF = 256
    RING_SLOTS = 64
    RING_SIZE = 1 << 20
    # Of a request that `at_once` sends.
    REQUEST_MAX = 4096


cdef object mark_interrupted(list messages):
    """Set DUMP_INTERRUPTED on the last message, as the DONE message that had it is left out."""
    cdef Message last
    cdef Py_ssize_t end = len(messages) - 1
    if end >= 0:
        last = messages[end]
        messages[end] = last.replace(flags=last.h.flags | NL_F_DUMP_INTR)


cdef bint refuses_send(error):
    """Whether a request was not sent, and has no reply."""
    return isinstance(error, EncodeError) or (isinstance(error, OpError) and error.op in ("send", "send-messages"))


cdef bint refuses_type(error):
    """Whether the kernel may have refused the type of a request: the number of a generic family that is gone."""
    return isinstance(error, OpError) and error.errno == _errno.ENOENT and is_answer(error)


cdef bint reports_loss(error):
    """Whether an error is a loss of messages. All other errors of a dropped reply are ignored."""
    return isinstance(error, OpError) and error.errno == _errno.ENOBUFS


@cython.final
cdef class Inbox:
    """Received datagrams that are not handed out yet, and the sequence numbers of abandoned requests.

    pending: datagrams, oldest first. abandoned: a set in order of age. The owner of the lock to receive may use it.
    """

    cdef readonly object pending
    cdef readonly dict abandoned

    def __cinit__(self):
        self.pending = _collections.deque()
        self.abandoned = {}

    def abandon(self, sequence):
        """Drop all later messages of an unfinished reply. 0 is no request."""
        if not sequence:
            return
        self.abandoned[sequence] = None
        if len(self.abandoned) > ABANDONED_MAX:
            del self.abandoned[next(iter(self.abandoned))]

    def wanted(self, list datagram not None):
        """The datagram without the messages of abandoned requests, which are forgotten at the end of their reply."""
        cdef Message message
        if not self.abandoned:
            return datagram
        wanted = []
        for item in datagram:
            message = item
            if message.h.sequence not in self.abandoned:
                wanted.append(message)
            elif verdict(message) is not None:
                del self.abandoned[message.h.sequence]
        return wanted

    def put_back(self, list messages not None):
        """Leave messages of the current datagram to the next receive."""
        if messages:
            self.pending.appendleft(messages)


cdef void begin_reply(nl_reply *reply, const nl_header *request) noexcept:
    """Begin with the reply to a request."""
    memset(reply, 0, sizeof(nl_reply))
    if request.flags & NL_F_DUMP == NL_F_DUMP:
        reply.kind = NL_REPLY_DUMP
    else:
        reply.kind = NL_REPLY_ACKED if request.flags & NL_F_ACK else NL_REPLY_PLAIN
    reply.sequence = request.sequence
    reply.pid = request.pid


@cython.final
cdef class Reply:
    """The messages of one reply: feed it datagrams until it is done.

    request: its request; None if that is unknown, as for `Conn.receive`.
    error: an exception to raise after the messages of feed are handed out.
    """

    cdef nl_reply state
    cdef Inbox inbox
    cdef Message request
    cdef readonly object error
    cdef bint end_interrupted       # DONE, which is left out, had DUMP_INTERRUPTED

    def __cinit__(self, Inbox inbox not None, Message request=None):
        self.inbox = inbox
        self.request = request
        if request is None:
            self.state.kind = NL_REPLY_ANY
        else:
            begin_reply(&self.state, &request.h)

    @property
    def done(self):
        return self.state.done != 0

    cdef list feed(self, list datagram):
        """The messages of the datagram to hand out."""
        cdef list messages = self.inbox.wanted(datagram)
        cdef list out = None        # None: all of them
        cdef Message message
        cdef nl_verdict v
        cdef nl_role role
        cdef const uint8_t *payload
        cdef Py_ssize_t i
        if datagram and not messages:
            return messages
        for i in range(len(messages)):
            message = <Message?>messages[i]
            payload = NULL if message.payload is None else <const uint8_t *>PyBytes_AS_STRING(message.payload)
            role = nl_reply_message(&self.state, &message.h, payload,
                                    0 if payload is NULL else PyBytes_GET_SIZE(message.payload), &v)
            if role == NL_ROLE_DATA or role == NL_ROLE_ACK:
                if out is not None:
                    out.append(message)
                continue
            if role == NL_ROLE_FOREIGN:
                self.inbox.put_back(messages[i + 1:])
                check_reply(&self.request.h, &message.h)
            if out is None:
                out = messages[:i]
            if role == NL_ROLE_NOTHING:
                continue
            if role == NL_ROLE_BEHIND:
                self.inbox.put_back(messages[i:])
                break
            if role == NL_ROLE_LAST:
                out.append(message)
            elif role == NL_ROLE_END:
                self.end_interrupted = message.h.flags & NL_F_DUMP_INTR != 0
            elif role == NL_ROLE_FAILED:
                self.error = verdict_error("receive", &v, message.h.sequence)
            else:
                self.error = verdict(message)[1]
            self.inbox.put_back(messages[i + 1:])
            break
        nl_reply_datagram(&self.state, len(messages) == 0)
        return messages if out is None else out

    cdef int cut(self, error) except -1:
        """Abandon the rest of the reply. error: the reason; there is no reply if it refused the send."""
        if self.state.done or self.state.ended:
            return 0
        if self.request is None:
            if not self.state.multi:
                return 0
        elif refuses_send(error):
            return 0
        self.inbox.abandon(self.state.sequence)
        self.state.done = 1
        return 0


cdef Message message_of(nl_header header, payload):
    """A message, without the checks that its class makes of numbers."""
    cdef Message message = Message.__new__(Message)
    message.h = header
    message.payload = as_bytes(payload)
    message.sealed = True
    return message


cdef Table declared(cls):
    if cls is None:
        return None
    if not isinstance(cls, type):
        raise TypeError(f"a declaration must be a class, not {cls!r}")
    return table_of(cls)


cdef object place_of(within, reply):
    """Where the records of a field lie in a message: the bytes before attributes, the list's type, the items' type.

    The items' type is -1 if there is no list, but a record in each attribute.
    """
    if not (isinstance(within, Field) and (<Field>within).kind == NL_K_REPEATED
            and len(within.types) == 1 and len(within.types[0][0]) <= 2
            and within.item is not None and within.item.cls is reply and reply is not None):
        raise TypeError("within needs a dump, and a repeated field with its records, in one container at most; "
                        f"not {within!r}")
    header = within.owner.__options__["header"]
    path = within.types[0][0]
    return 0 if header is None else header.__table__.wire_size, path[0], path[1] if len(path) > 1 else -1


@cython.final
cdef class Call:
    """A request as a value, and the declaration of its reply: an argument of `execute` and `execute_all`.

    type: of the message. payload: the bytes after nlmsghdr.
    reply: the declaration of the reply; None if the kernel only acknowledges.
    dump: whether the reply is a dump, and the result a batch. match: selects its records; None for all.
    optional: whether the kernel may only acknowledge, and the result is None then.
    several: whether the reply is any number of messages, up to the acknowledgement, and the result a batch.
    flags: in addition to NLM_F_REQUEST, NLM_F_DUMP for a dump, and NLM_F_ACK for a reply that is optional, of several
        messages or none.
    request: the declaration of the payload, by which errors name attributes.
    hints: advice by errno. protocol: NETLINK_* of its connections; None for any.
    skip: bytes of the request, and of each message of the reply, before those of its declaration: the header of a
        protocol, such as the 4 of genlmsghdr.
    answer: the first of these bytes in the messages of the reply, such as the command of genlmsghdr; messages with
        another one are ignored. None for any.
    address: takes the place of type, which each connection looks up: a `netlink.family.Address`.
    within: a `repeated` field, such as `ElementList.elements`, if the messages of a dump are of its declaration and the
        records are its items. A batch of `iter_dump` may be longer by those of a message then.

    TypeError and ValueError for invalid arguments.
    """

    cdef readonly Message message
    cdef readonly object reply
    cdef readonly object match
    cdef readonly object request
    cdef Table reply_table, request_table
    cdef readonly object hints
    cdef readonly object protocol
    cdef readonly Py_ssize_t skip
    cdef readonly object answer
    cdef readonly object address
    cdef readonly bint optional
    cdef readonly bint several
    cdef readonly object within
    cdef object function            # of `then`, or None
    cdef readonly object steps      # of a verb of several requests: returns its generator
    cdef readonly object parts      # of a dump that may be read in parts: a netlink._io.parts.Parts
    cdef object rows                # of many records: makes their Rows
    cdef object ignore              # errnos that are no failure of a row

    def __init__(self, uint16_t type, payload=b"", reply=None, *, bint dump=False, match=None, uint16_t flags=0,
                 request=None, hints=None, protocol=None, uint8_t skip=0, answer=None, address=None,
                 bint optional=False, bint several=False, within=None):
        cdef nl_header header
        if self.message is not None or self.steps is not None or self.parts is not None:
            raise AttributeError("a Call is immutable")
        if dump and reply is None:
            raise TypeError("a dump needs the declaration of its reply")
        if match is not None and not dump:
            raise TypeError("match needs a dump")
        if (optional or several) and (dump or reply is None or (optional and several)):
            raise TypeError("either optional or several, for a reply that is no dump")
        if within is not None:
            place_of(within, reply if dump else None)
        self.reply_table = declared(reply)
        self.request_table = declared(request)
        if reply is not None:
            match_of(self.reply_table, match)
        if answer is not None and not (skip and 0 <= answer <= 255):
            raise ValueError(f"answer needs skip, and is a byte, not {answer!r}")
        flags |= NL_F_REQUEST
        if dump:
            flags |= NL_F_DUMP
        elif reply is None or optional or several:
            flags |= NL_F_ACK
        if flags & NL_F_DUMP == NL_F_DUMP and not dump:
            raise ValueError("the flags request a dump: pass dump=True")
        memset(&header, 0, sizeof(header))
        header.type, header.flags = type, flags
        self.message = message_of(header, payload)
        self.reply = reply
        self.match = match
        self.request = request
        self.hints = hints
        self.protocol = protocol
        self.skip = skip
        self.answer = answer
        self.address = address
        self.optional = optional
        self.several = several
        self.within = within

    @staticmethod
    def of_steps(steps, protocol=None):
        """The call of a verb of several requests. steps: returns a new generator each time."""
        cdef Call call = Call.__new__(Call)
        if not callable(steps):
            raise TypeError(f"steps must be a function that returns a generator, not {steps!r}")
        call.steps = steps
        call.protocol = protocol
        return call

    @staticmethod
    def of_parts(parts, protocol=None):
        """The call of a dump that may be read in parts."""
        cdef Call call = Call.__new__(Call)
        call.parts = parts
        call.protocol = protocol
        return call

    @staticmethod
    def of_rows(Call call not None, rows, ignore=()):
        """The call of many requests of the type of a call. rows: makes a new Rows each time.

        Its result is a list of pairs, the number of a row and its OpError, of the rows that the kernel refused with
        another errno than one of ignore.
        """
        cdef Call many = call.copied(None)
        if not callable(rows):
            raise TypeError(f"rows must be a function that returns Rows, not {rows!r}")
        many.rows = rows
        many.parts = call
        many.ignore = frozenset(ignore)
        return many

    def matching(self, Match match):
        """The same call of a dump with another match; None for all records."""
        cdef Call call
        if not self.dump:
            raise TypeError("match needs a dump")
        call = self.copied(self.message)
        call.match = match
        return call

    def then(self, function):
        """The same call, whose result is what a function returns for the result. TypeError for a dump.

        The function runs inside the call: the connection is not free for another one.
        """
        cdef Call call
        if not callable(function):
            raise TypeError(f"want a function of the result, not {function!r}")
        if self.message is None or self.dump:
            raise TypeError(f"{self!r} has a batch, or no result of its own")
        call = self.copied(self.message)
        before = self.function
        call.function = function if before is None else lambda result: function(before(result))
        return call

    cdef object finished(self, object result):
        """The result of the call, from that of its operation."""
        return result if self.function is None else self.function(result)

    def with_payload(self, payload):
        """The same call of another request of its declaration, behind the same header of the protocol."""
        if self.skip:
            payload = self.message.payload[:self.skip] + payload
        return self.copied(message_of(self.message.h, payload))

    cdef Call with_whole(self, payload):
        """The same call of another request, with its header of the protocol; None for the same request."""
        return self if payload is None else self.copied(message_of(self.message.h, payload))

    cdef bytes whole(self, dict fields):
        """The payload of a request with these fields, behind the same header of the protocol."""
        return payload_of(self.request, self.request_table, fields, self.before(), self.skip)

    cdef bint put(self, Attributes *out, PyObject *const *values, PyObject *names) except -1:
        """`whole` of fields as arguments of a call. False if it needs a record."""
        cdef Field field
        cdef Py_ssize_t i
        if not begin_attributes(out, self.request_table, self.before(), self.skip):
            return False
        if names is not NULL:
            for i in range(len(<tuple>names)):
                field = field_named(self.request, self.request_table, (<tuple>names)[i])
                if not put_attribute(out, self.request_table, field, <object>values[i]):
                    return False
        return True

    cdef bytes whole_of(self, Record record):
        """The payload of a record, behind the same header of the protocol."""
        return encoded(self.request, record.checked_table(), record.store, record.base, self.before(), self.skip)

    cdef const uint8_t *before(self) noexcept:
        """The header of the protocol."""
        return <const uint8_t *>PyBytes_AS_STRING(self.message.payload) if self.skip else NULL

    def with_type(self, uint16_t type):
        """The same call of messages of a type, without an address."""
        cdef nl_header header = self.message.h
        cdef Call call
        header.type = type
        call = self.copied(message_of(header, self.message.payload))
        call.address = None
        return call

    cdef Call copied(self, Message message):
        cdef Call call = Call.__new__(Call)
        call.message = message
        call.reply, call.request, call.hints = self.reply, self.request, self.hints
        call.reply_table, call.request_table = self.reply_table, self.request_table
        call.protocol, call.match = self.protocol, self.match
        call.skip, call.answer, call.address = self.skip, self.answer, self.address
        call.optional, call.several, call.within = self.optional, self.several, self.within
        call.function = self.function
        return call

    cdef Reader reader(self):
        """A reader of its reply."""
        within = None if self.within is None else place_of(self.within, self.reply)
        return Reader(self.reply, self.match, self.skip, self.answer, within)

    def __class_getitem__(cls, item):
        return cls  # generic for type checkers

    @property
    def dump(self):
        """Whether the reply is a dump."""
        return self.message is not None and self.message.h.flags & NL_F_DUMP == NL_F_DUMP

    cdef object result(self, list replies, uint32_t sequence):
        """The result of the call, from the messages of its reply. sequence: of its request."""
        cdef Message message
        if self.reply is None:
            return self.finished(None)
        found = []
        for item in replies:
            message = <Message>item
            if message.h.type >= MIN_TYPE:
                payload = message.payload or b""
                if self.is_answer(<const uint8_t *>PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload)):
                    found.append(payload[self.skip:])
        if self.several:
            return self.finished(self.reply.decode_many(found))
        if self.optional and not found:
            return self.finished(None)
        if len(found) != 1:
            raise OpError("receive", OSError(_errno.EPROTO, f"want one message in the reply, got {len(found)}"),
                          sequence=sequence)
        return self.finished(self.reply.decode(found[0]))

    cdef bint is_answer(self, const uint8_t *payload, size_t size) except -1:
        """Whether a message is part of the reply. DecodeError if it is shorter than the header of its protocol."""
        if size < <size_t>self.skip:
            raise DecodeError("a message is shorter than the header of its protocol, such as genlmsghdr")
        return self.answer is None or payload[0] == <uint8_t>self.answer

    def explain(self, error):
        """Add to an error of this call its hint, and the attribute of the request that it concerns."""
        if self.hints and not error.hint:
            error.hint = self.hints.get(error.errno, "")
        if self.request is not None:
            from netlink._engine.paths import explain as explain_error  # slow to import, and for errors alone
            explain_error(error, self.request, self.message.payload or b"", skip=self.skip)

    cdef size_t size(self):
        """The size of the message in bytes."""
        return nl_align(NL_HEADER + (0 if self.message.payload is None else PyBytes_GET_SIZE(self.message.payload)))

    cdef Message acknowledged(self):
        """The message with NLM_F_ACK."""
        if self.message.h.flags & NL_F_ACK:
            return self.message
        return self.message.replace(flags=self.message.h.flags | NL_F_ACK)

    def __repr__(self):
        if self.steps is not None:
            return f"<Call of {self.steps!r}>"
        if self.rows is not None:
            return f"<Call of many rows, each as {self.parts!r}>"
        if self.parts is not None:
            return f"<Call of {self.parts!r}>"
        many = "a batch of " if self.dump or self.several else ""
        reply = "" if self.reply is None else f" for {many}{self.reply.__name__}"
        of = f"type {self.message.h.type}" if self.address is None else self.address.name
        return f"<Call of {of}{reply}>"


@cython.final
cdef class Dialogue:
    """A request of a protocol without acknowledgements, for a verb to yield: it is sent the messages of the reply.

    The kernel must begin to answer while it is sent the request: if nothing is queued then, the reply is empty, since
    nobody is there who would answer. Messages with another sequence number are dropped, such as late ones of a dialogue
    that a deadline ended.

    message: the request, with a sequence number that the messages of the reply have, too.
    complete: a function of the messages so far: whether they are all. It is called when no more is queued.
    """

    cdef readonly Message message
    cdef readonly object complete

    def __init__(self, Message message not None, complete):
        if not message.h.sequence:
            raise ValueError("the message of a dialogue needs a sequence number")
        if not callable(complete):
            raise TypeError(f"complete must be a function, not {complete!r}")
        self.message = message
        self.complete = complete


cdef tuple NO_ENTRY = (None,)


cdef class Method:
    """The base of operations, verbs and streams of a family: each is a method of it."""

    def __cinit__(self, *arguments, **options):
        inherit(type(self))

    def __get__(self, instance, owner):
        return self if instance is None else PyMethod_New(self, instance)


cdef int inherit(cls) except -1:
    """Let a class of methods have what Python does not inherit, or not before 3.12.

    A call of a method of an object then makes no bound method, and a call of an operation no tuple and no dict.
    """
    cdef TypeObject *kind = <TypeObject *><PyObject *>cls
    cdef TypeObject *method = <TypeObject *><PyObject *>Method
    cdef TypeObject *request = <TypeObject *><PyObject *>Request
    if kind.tp_descr_get == method.tp_descr_get and not kind.tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR:
        kind.tp_flags |= Py_TPFLAGS_METHOD_DESCRIPTOR
    if kind.tp_call == request.tp_call and not kind.tp_flags & Py_TPFLAGS_HAVE_VECTORCALL:
        kind.tp_vectorcall_offset = request.tp_vectorcall_offset
        kind.tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL
    return 0


cdef class Connected:
    """The base of families: a connection, and the calls of its operations without payloads, by operation.

    If it has no such calls, its method `call` makes the call of each request.
    """

    cdef public object conn
    cdef public dict _empty_calls
    cdef public object _calls       # the same family over a `Deferred`, or None


cdef class Request(Method):
    """The base of operations: methods that send one request, of a record or of the fields of one.

    request: the declaration of its payload, or None. name: the operation's.
    """

    cdef readonly object request
    cdef bint plain                 # whether the declaration has the constructor of all
    cdef public str name
    cdef vectorcallfunc vectorcall
    cdef dict calls                 # of the family that it was last used with
    cdef Call call                  # its own among them

    def __cinit__(self, *arguments, **options):
        self.vectorcall = call_request

    def __init__(self, request):
        self.request = request
        self.plain = request is not None and request.__init__ is Record.__init__
        self.name = ""

    def __call__(self, Connected family not None, /, *records, **fields):
        """Run the operation, as a method of a family object."""
        cdef Call pattern
        cdef bytes payload
        if family._empty_calls is None:
            return family.conn.execute(family.call(self, self.payload(records, fields)))
        pattern = self.call_of(family)
        if len(records) == 1 and not fields and type(records[0]) is self.request:
            payload = pattern.whole_of(<Record>records[0])
        elif records or not self.plain:
            payload = self.payload(records, fields)
            if pattern.skip:
                payload = pattern.message.payload[:pattern.skip] + payload
        else:
            try:
                payload = pattern.whole(fields)
            except TypeError as error:
                raise TypeError(f"{self.name}: {error}") from None
        return self.sent(family, pattern, payload, None)

    def do(self, Connected family not None, Preparation preparation not None, Record record not None, then=None):
        """Run the operation with what is to send for a record. then: as of `Call.then`, or None."""
        cdef Call call
        cdef bytes payload = preparation.payload(record)
        if family._empty_calls is None:
            call = family.call(self, payload)
            return family.conn.execute(call if then is None else call.then(then))
        call = self.call_of(family)
        if call.skip:
            payload = call.message.payload[:call.skip] + payload
        return self.sent(family, call, payload, then)

    def run(self, Connected family not None, dict fields not None, then=None):
        """Run the operation with the fields of a request. Unlike a call of it, no error names it. then: as of `do`."""
        return self.with_fields(family, fields, then)

    cdef object run_values(self, Connected family, dict values, dict plan, convert):
        """Run the operation with values that may need a conversion. Unlike a call of it, no error names it.

        plan: tuples by the names that values may have, whose first items are the names of the fields, the second the
        fields, and the last the types of what needs no conversion. convert: makes the fields of a request of all other
        values.
        """
        cdef tuple entry
        cdef dict fields = values
        for name, value in values.items():
            entry = <tuple?>plan.get(name, NO_ENTRY)
            if entry[0] != name or type(value) is not entry[len(entry) - 1]:
                fields = convert(self.request, values)
                break
        return self.with_fields(family, fields, None)

    cdef object with_fields(self, Connected family, dict fields, then):
        """The result of the operation with the fields of a request."""
        cdef Call pattern
        if family._empty_calls is None:
            pattern = family.call(self, self.request(**fields).encode())
            return family.conn.execute(pattern if then is None else pattern.then(then))
        pattern = self.call_of(family)
        return self.sent(family, pattern, pattern.whole(fields), then)

    cdef Call call_of(self, Connected family):
        """The call without a payload."""
        cdef dict calls = family._empty_calls
        cdef Call call = None
        with cython.critical_section(self):
            if calls is self.calls:
                call = self.call
        if call is None:
            call = calls.get(self) or family.empty_call(self)
            with cython.critical_section(self):
                self.calls, self.call = calls, call
        return call

    cdef object sent(self, Connected family, Call pattern, bytes payload, object then):
        """The result of the call with a payload, header of the protocol included. then: as of `do`."""
        cdef Call call
        conn = family.conn
        if isinstance(conn, Blocking) and type(conn).execute is EXECUTE:
            found = (<Blocking>conn).done(pattern, payload)
            return found if then is None else then(found)
        call = pattern.with_whole(payload)
        return conn.execute(call if then is None else call.then(then))

    def payload(self, tuple records not None, dict fields not None):
        """The payload of a request, from one record or from the fields of one.

        TypeError for wrong arguments, EncodeError for a wrong value.
        """
        request = self.request
        if request is None:
            if records or fields:
                raise TypeError(f"{self.name} takes no arguments, got {', '.join([*map(repr, records), *fields])}")
            return b""
        if not records:
            try:
                return request(**fields).encode()
            except TypeError as error:
                raise TypeError(f"{self.name}: {error}") from None
        if fields:
            raise TypeError(f"{self.name} takes a {request.__name__} or its fields, not both")
        record = records[0]
        if len(records) > 1 or type(record) is not request:
            raise TypeError(f"{self.name} takes a {request.__name__}, not {', '.join(map(repr, records))}")
        return record.encode()


cdef object call_request(object callable, PyObject *const *args, size_t nargs, PyObject *names):
    """`Request.__call__` by the protocol of calls without a tuple and a dict."""
    cdef Request request = <Request>callable
    cdef Py_ssize_t given = PyVectorcall_NARGS(nargs), i
    cdef Attributes out
    cdef Connected family
    cdef Call pattern
    cdef dict fields
    if given == 1 and request.plain and isinstance(<object>args[0], Connected):
        family = <Connected>args[0]
        if family._empty_calls is not None:
            pattern = request.call_of(family)
            if pattern.put(&out, args + 1, names):
                return request.sent(family, pattern, bytes_of(&out), None)
    fields = {}
    if names is not NULL:
        for i, name in enumerate(<tuple>names):
            fields[name] = <object>args[given + i]
    records = tuple([<object>args[i] for i in range(given)])
    return Py_TYPE(callable).tp_call(callable, records, <PyObject *>fields)


cdef bytes bytes_of(const Attributes *out):
    return PyBytes_FromStringAndSize(<const char *>out.bytes, out.size)


cdef class Bound:
    """The base of what an operation is as an attribute of a family object: the two together."""

    cdef readonly Bindable operation
    cdef readonly Connected family

    def __init__(self, Bindable operation not None, Connected family not None):
        self.operation = operation
        self.family = family

    cdef object simple(self, kind, PyObject *const *values, tuple names):
        """`run` of values that need no conversion, each for a simple attribute; PENDING of any others."""
        cdef Attributes out
        cdef Request request
        cdef Connected family = self.family
        cdef Call pattern
        cdef dict plan
        cdef tuple entry, prepared = <tuple?>self.operation.prepared.get(kind, NO_ENTRY)
        cdef Py_ssize_t i
        if prepared[len(prepared) - 1] is None or family._empty_calls is None:
            return PENDING
        request, plan = <Request?>prepared[0], <dict?>prepared[1]
        if not request.plain:
            return PENDING
        pattern = request.call_of(family)
        if not begin_attributes(&out, pattern.request_table, pattern.before(), pattern.skip):
            return PENDING
        for i in range(len(names)):
            entry = <tuple?>plan.get(names[i], NO_ENTRY)
            if (Py_TYPE(<object>values[i]) != <TypeObject *><PyObject *>entry[len(entry) - 1]
                    or not put_attribute(&out, pattern.request_table, <Field?>entry[1], <object>values[i])):
                return PENDING
        return request.sent(family, pattern, bytes_of(&out), None)

    def run(self, kind, request, dict values not None, flags):
        """`Bindable.run` over the family."""
        cdef Bindable operation = self.operation
        if request is None and not flags:
            prepared = operation.prepared.get(kind)
            if prepared is None:
                operation.declared(kind)
                prepared = operation.prepared[kind]
            if prepared[1] is not None:
                return (<Request?>prepared[0]).run_values(self.family, values, prepared[1], operation.convert)
        return operation.run(self.family, kind, request, values, flags)


@cython.final
cdef class Way:
    """A method of a `Bound`, as a function defines it, for requests of a kind.

    A call with keywords alone whose values need no conversion, and are simple, does not come to the function.
    """

    cdef object kind
    cdef object function
    cdef vectorcallfunc vectorcall

    def __cinit__(self, kind, function):
        self.kind = kind
        self.function = function
        self.vectorcall = call_way

    def __get__(self, instance, owner):
        return self.function if instance is None else PyMethod_New(self.function, instance)

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)


def way(kind):
    """A decorator that makes a `Way`."""
    return lambda function: Way(kind, function)


cdef object call_way(object callable, PyObject *const *args, size_t nargs, PyObject *names):
    """`Way.__call__` by the protocol of calls without a tuple and a dict."""
    cdef Way way = <Way>callable
    if PyVectorcall_NARGS(nargs) == 1 and names is not NULL and isinstance(<object>args[0], Bound):
        found = (<Bound>args[0]).simple(way.kind, args + 1, <tuple>names)
        if found is not PENDING:
            return found
    return PyObject_Vectorcall(way.function, args, nargs, names)


cdef int enable_vectorcall() except -1:
    """Tell Python where a `Request` and a `Way` have their function for calls."""
    cdef Request request = Request.__new__(Request)
    cdef Way way = Way.__new__(Way, None, None)
    cdef TypeObject *kind = Py_TYPE(request)
    kind.tp_vectorcall_offset = <char *>&request.vectorcall - <char *><PyObject *>request
    kind.tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL
    kind = Py_TYPE(way)
    kind.tp_vectorcall_offset = <char *>&way.vectorcall - <char *><PyObject *>way
    kind.tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR
    return 0


enable_vectorcall()


cdef class Bindable:
    """The base of operations that are more than one method of a family.

    bound: the class of what is an attribute of a family object, a `Bound`. prepared: by a kind of request a pair, the
    `Request` without flags, and the plan of its values, as of `Request.run_values`, which convert is for, too.
    A class that derives from it has `declared`, which prepares a kind, and `run`, which does all other requests.
    """

    cdef type bound
    cdef object convert
    cdef readonly dict prepared

    def __init__(self, type bound not None, convert):
        self.bound = bound
        self.convert = convert
        self.prepared = {}

    def __get__(self, instance, owner):
        cdef TypeObject *cls = <TypeObject *><PyObject *>self.bound
        cdef Bound bound
        if instance is None:
            return self
        bound = <Bound?>cls.tp_new(cls, (), NULL)
        bound.operation = self
        bound.family = <Connected?>instance
        return bound


@cython.final
cdef class Exchange:
    """The exchange of one connection, with the state of its requests and replies.

    sock: the real socket or a test double. pid: its port id. protocol: NETLINK_*; None for a test double of any.
    patience: datagrams of a reply to read before others may run.
    """

    cdef readonly object sock
    cdef Socket real                # sock, or None for a test double
    cdef readonly uint32_t pid
    cdef readonly object protocol
    cdef readonly object debugger
    cdef object reading             # the declaration of the reply that is being received, for the debugger
    cdef Py_ssize_t reading_skip    # bytes before it
    cdef dict numbers               # of addresses, by name
    cdef readonly Inbox inbox
    cdef public uint32_t sequence
    cdef object receive_nowait
    cdef int patience
    cdef Ring ring
    cdef nl_buffer buffer           # of `at_once`
    cdef nl_buffer behind           # of `at_once`, for the acknowledgement
    cdef Shapes shapes              # of `at_once`
    cdef readonly Locks locks       # of the connection
    cdef readonly object beside     # opens another connection with the same options, or None for a test double

    def __cinit__(self, sock, uint32_t pid, uint32_t sequence, protocol=None, debugger=None, int patience=64):
        self.sock = sock
        self.real = sock if isinstance(sock, Socket) else None
        self.pid = pid
        self.sequence = sequence
        self.protocol = protocol
        self.debugger = debugger
        self.inbox = Inbox()
        self.shapes = Shapes()
        self.numbers = {}
        self.patience = patience
        self.receive_nowait = getattr(sock, "receive_nowait", None)

    def __dealloc__(self):
        free_buffer(&self.buffer)
        free_buffer(&self.behind)

    def attach(self, Locks locks not None, beside):
        """Set what only dumps in parts need."""
        self.locks = locks
        self.beside = beside

    # Sending

    cdef Message numbered(self, Message m):
        """The message with the next sequence number."""
        return filled(m, self.next_sequence(), self.pid)

    cdef uint32_t next_sequence(self) noexcept:
        # 0 is the sequence number of messages without a request.
        self.sequence = self.sequence % <uint32_t>0xffffffff + 1
        return self.sequence

    cdef list prepared(self, ms, Call call=None):
        """The messages with filled headers, ready to send. call: of which they are, for the debugger."""
        requests = [self.numbered(<Message?>m) for m in ms]
        if self.debugger is not None:
            if call is None:
                self.debugger.sent(requests)
            else:
                self.debugger.sent(requests, call.request, call.skip)
        return requests

    def send(self, str op not None, ms):
        """Send messages as one datagram, and return them as sent."""
        requests = self.prepared(ms)
        yield op, requests
        return requests

    # Receiving

    cdef list pull(self, receive):
        """The result of receive. Datagrams of abandoned requests that exceed the buffer are skipped."""
        while True:
            try:
                messages = receive()
            except OpError as error:
                if error.errno == _errno.EMSGSIZE and error.sequence in self.inbox.abandoned:
                    continue
                raise
            if self.debugger is not None and messages:
                self.debugger.received(messages, self.reading, self.reading_skip)
            return messages

    cdef list queued(self):
        """The next queued datagram, or None. A test double without `receive_nowait` may wait."""
        if self.inbox.pending:
            return self.inbox.pending.popleft()
        return self.pull(self.receive_nowait or self.sock.receive)

    def receive_from_double(self):
        """The next datagram of a test double, which waits by itself."""
        return self.pull(self.sock.receive)

    cdef bint drop_abandoned(self, Py_ssize_t most=ALL) except -1:
        """Read the queued messages of abandoned requests: the kernel refuses a dump (EBUSY) while one is unfinished.

        most: datagrams to read. Returns whether there may be more.
        """
        self.begin_reading(None)
        while self.receive_nowait is not None and self.inbox.abandoned:
            if most == 0:
                return True
            datagram = self.pull(self.receive_nowait)
            if datagram is None:
                break
            messages = self.inbox.wanted(datagram)
            if messages:
                self.inbox.pending.append(messages)
            most -= 1
        return False

    cdef int drop_answers(self, uint32_t first, uint32_t count, error) except -1:
        """Drop the answers to requests with consecutive numbers. The kernel queues all of them while it is sent these.

        error: why; it tells if messages were lost.
        """
        cdef Message message
        cdef Py_ssize_t most = ALL
        if self.receive_nowait is None:
            self.inbox.abandon(first + count - 1)
            return 0
        self.begin_reading(None)
        try:
            if self.real is not None:
                most = self.real.read_buffer() // CHARGE_MIN    # others may send without an end
            while most > 0:
                most -= 1
                try:
                    datagram = self.pull(self.receive_nowait)
                except DecodeError:
                    continue
                except OpError as raised:
                    if not reports_loss(raised):
                        break
                    error.add_note("messages to this connection were lost: its read buffer was full")
                    continue
                if not datagram:
                    break
                self.inbox.pending.append(self.inbox.wanted(datagram))
        except OpError:
            pass        # closed
        for _ in range(len(self.inbox.pending)):
            kept = []
            for message in self.inbox.pending.popleft():
                if <uint32_t>(message.h.sequence - first) >= count:
                    kept.append(message)
            if kept:
                self.inbox.pending.append(kept)
        return 0

    def receive(self):
        """Receive one reply to an unknown request."""
        return self.messages(None, None)

    def receive_iter(self):
        """`receive`, but yield the messages of each datagram."""
        cdef Reply reply = Reply(self.inbox)
        self.begin_reading(None)
        at_hand = iter(())
        try:
            while not reply.state.done:
                datagram = self.queued()
                if datagram is None:
                    datagram = yield READABLE
                    if datagram is None:
                        continue
                at_hand = iter(reply.feed(datagram))
                yield at_hand
                if reply.error is not None:
                    raise reply.error
        except GeneratorExit:
            self.leave(reply, at_hand)
            raise
        except BaseException as error:
            reply.cut(error)
            raise

    cdef int leave(self, Reply reply, at_hand) except -1:
        """Finish a reply whose iterator is closed early."""
        if not reply.state.multi:
            self.inbox.put_back(list(at_hand))
            return 0
        # The kernel always has the next part of a dump queued. Parts of any other reply are dropped as they arrive.
        try:
            while not reply.state.done:
                datagram = self.queued()
                if datagram is None:
                    break
                reply.feed(datagram)
        except (OpError, DecodeError) as error:
            if reports_loss(error):
                raise
        finally:
            reply.cut(None)
        return 0

    # Requests and their replies

    def execute(self, Message m not None, Call call=None):
        """Send a message, and receive its reply: its messages; if a call is given, the result of the call."""
        return self.messages(m, call)

    def messages(self, Message m, Call call, Message sent=None, error=None):
        """Receive the messages of one reply: to a message that is sent first; if it is None, to an unknown request.

        sent: m as `at_once` has sent it. error: what prevented that, or the receive.
        """
        cdef Reply reply
        cdef int datagrams = 0
        requests = None
        if sent is None and m is not None:
            while self.inbox.abandoned and self.drop_abandoned(self.patience):
                yield PAUSE
            requests = self.prepared((m,), call)
        self.begin_reading(call)
        reply = Reply(self.inbox, sent if requests is None else <Message>requests[0])
        replies = []
        try:
            if error is not None:
                raise error
            if requests is not None:
                yield "send", requests
            while not reply.state.done:
                datagram = self.queued()
                if datagram is None:
                    if reply.state.queued_only:
                        break
                    datagram = yield READABLE
                    if datagram is None:
                        continue
                replies += reply.feed(datagram)
                if reply.error is not None:
                    raise reply.error
                datagrams += 1
                if datagrams % self.patience == 0:
                    yield PAUSE
            if call is not None:
                return call.result(replies, reply.state.sequence)
        except BaseException as error:
            reply.cut(error)
            if call is not None and isinstance(error, OpError):
                call.explain(error)
            raise
        if reply.end_interrupted:
            mark_interrupted(replies)
        return replies

    cdef bint answers_at_once(self, Message m, bytes payload) noexcept:
        """Whether to try `at_once` for a message; payload: in the place of its own, or None."""
        if payload is None:
            payload = m.payload
        return not (self.real is None or self.debugger is not None or self.inbox.pending or self.inbox.abandoned
                    or m.h.flags & NL_F_DUMP == NL_F_DUMP
                    or payload is not None and PyBytes_GET_SIZE(payload) > REQUEST_MAX - NL_HEADER - 3)

    cdef object at_once(self, Message m, Call call, bytes payload, int number):
        """`messages` in the calling thread, over the real socket.

        The kernel answers most requests while they are sent, by one datagram of one message, which an acknowledgement
        may follow: nothing waits then, and the GIL is released once. `messages` does what is left of any other reply.
        payload: in the place of its own, or None. number: the type of the message, or -1 for its own.
        """
        cdef uint8_t datagram[REQUEST_MAX]
        cdef uint32_t sequence = self.next_sequence()
        cdef nl_header header = filled_header(m, sequence, self.pid)
        cdef nl_reply reply
        cdef nl_message message, end
        cdef nl_role role
        cdef size_t size
        cdef ssize_t got = -EAGAIN, behind = -EAGAIN
        cdef int result = -EINTR
        cdef bint returned = False
        cdef bint followed = header.flags & NL_F_ACK and (call is None or call.reply is not None)
        error = None
        if payload is None:
            payload = m.payload
        elif not m.h.length:
            header.length = <uint32_t>nl_align(NL_HEADER + PyBytes_GET_SIZE(payload))
        if number >= 0:
            header.type = <uint16_t>number
        marshalled_size(&header, payload, &size)
        marshal_into(&header, payload, datagram, size)
        while result == -EINTR:
            with nogil:
                result = send_from(self.real, datagram, size)
                if result == 0:
                    got = receive_reply(self.real, &self.buffer)
                    if followed and got > 0 and (<const nl_header *>self.buffer.data).type != NL_TYPE_ERROR:
                        behind = receive_reply(self.real, &self.behind)
            if result == -EINTR:
                PyErr_CheckSignals()
        if result < 0:
            error = OpError("send", -result)
        elif got >= 0:
            begin_reply(&reply, &header)
            role = self.only_message(&reply, &self.buffer, got, &message)
            if role == NL_ROLE_DATA and behind > 0:
                role = self.only_message(&reply, &self.behind, behind, &end)
                if role != NL_ROLE_END:
                    role = NL_ROLE_NOTHING
            if reply.done and (role == NL_ROLE_DATA or role == NL_ROLE_LAST or role == NL_ROLE_END):
                return self.result_of(&message, call)
            try:
                self.inbox.pending.append(parse_messages(self.buffer.data, got))
                if behind > 0:
                    self.inbox.pending.append(parse_messages(self.behind.data, behind))
                elif behind != -EAGAIN and behind != -EINTR:
                    error = receive_error(behind, &self.behind)
            except DecodeError as raised:
                error = raised
        elif got == -EINTR:
            try:
                PyErr_CheckSignals()
            except BaseException as raised:
                error = raised
        elif got != -EAGAIN:
            error = receive_error(got, &self.buffer)
        if call is not None:
            call = call.with_whole(payload)     # errors name its attributes
        return step(self, self.messages(m, call, message_of(header, payload), error), None, &returned)

    cdef nl_role only_message(self, nl_reply *reply, const nl_buffer *buffer, ssize_t got,
                              nl_message *message) noexcept:
        """Take the only message of a datagram, and its role in the reply: NL_ROLE_NOTHING if it has others."""
        cdef nl_cursor cursor
        cdef nl_verdict v
        cdef nl_role role
        cursor.at, cursor.left = buffer.data, got
        if nl_next_message(&cursor, message) != NL_ITEM or cursor.left >= NL_HEADER:
            return NL_ROLE_NOTHING
        role = nl_reply_message(reply, &message.header, message.payload, message.size, &v)
        nl_reply_datagram(reply, False)
        return role

    cdef object result_of(self, const nl_message *message, Call call):
        """The result of a request that has one message as its reply."""
        if call is None:
            return [parsed(message)]
        if call.reply is None:
            return call.finished(None)
        if message.header.type >= MIN_TYPE and not call.several and call.is_answer(message.payload, message.size):
            return call.finished(self.shapes.decoded(call.reply, call.reply_table, message.payload + call.skip,
                                                     message.size - call.skip))
        try:
            return call.result([parsed(message)], message.header.sequence)
        except OpError as error:
            call.explain(error)
            raise

    cdef int begin_reading(self, Call call) except -1:
        """Tell the debugger, if any, what it receives from now on."""
        self.reading = None if call is None else call.reply
        self.reading_skip = 0 if call is None else call.skip
        return 0

    def dump(self, Message m not None, Reader reader not None, Py_ssize_t rows, Call call=None):
        """Send a request, and yield its reply in batches of rows. If rows is 0, return it as one batch.

        call: of which it is, for the debugger.
        """
        cdef Message request
        cdef int datagrams = 0
        while self.inbox.abandoned and self.drop_abandoned(self.patience):
            yield PAUSE
        self.begin_reading(call)
        self.reading = reader.now.cls
        requests = self.prepared((m,), call)
        request = requests[0]
        reader.begin(request)
        try:
            yield "send", requests
            while not reader.done:
                # Not directly from the socket if other messages are pending, or if a debugger prints the messages.
                direct = (self.real is not None and self.debugger is None
                          and not self.inbox.pending and not self.inbox.abandoned)
                got = reader.read(self.real if direct else None, rows or ALL, self.patience)
                if type(got) is not int:
                    if not rows:
                        return got
                    yield iter((got,))
                elif got != HUNGRY:
                    yield got
                else:
                    datagram = self.queued()
                    if datagram is None:
                        if reader.queued_only:
                            reader.end()
                            continue
                        datagram = yield READABLE
                        if datagram is None:
                            continue
                    messages = self.inbox.wanted(datagram)
                    if messages or not datagram:
                        reader.feed(messages)
                    datagrams += 1
                    if datagrams % self.patience == 0:
                        yield PAUSE
        except GeneratorExit:
            if not reader.ended:
                self.inbox.abandon(request.h.sequence)
                self.save_rest(reader)  # it may have the end of the reply
                try:
                    self.drop_abandoned()
                except (OpError, DecodeError) as error:
                    if reports_loss(error):
                        raise
            raise
        except BaseException as error:
            if not (reader.ended or refuses_send(error)):
                self.inbox.abandon(request.h.sequence)
            raise
        finally:
            self.save_rest(reader)

    def parts(self, request, declaration, rows, match):
        """`dump` in parts, for a message or a call. TypeError and ValueError for invalid arguments."""
        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
            raise ValueError(f"rows must be an int of at least 1, not {rows!r}")
        if not isinstance(request, Call):
            return self.dump(request, Reader(declaration, match), rows)
        if declaration is not None or match is not None:
            raise TypeError("a call has its own declaration and match")
        return self.call_iter(<Call>request, rows)

    cdef int save_rest(self, Reader reader) except -1:
        """Leave the messages after the reply in its last datagram to the next receive."""
        self.inbox.put_back(self.inbox.wanted(reader.rest()))
        return 0

    cdef int check_call(self, Call call) except -1:
        if (call.protocol is not self.protocol and call.protocol is not None and self.protocol is not None
                and call.protocol != self.protocol):
            raise ValueError(f"{call!r} is for netlink family {call.protocol!r}, "
                             f"but the connection has {self.protocol!r}")
        return 0

    def do(self, m):
        """`execute` for a message, `call` for a call."""
        cdef Call call
        if not isinstance(m, Call):
            return self.execute(m)
        call = m
        if call.message is None or call.dump or call.address is not None:
            return self.call(call)
        self.check_call(call)
        return self.execute(call.message, call)  # the usual call, without a generator around it

    def call(self, Call call not None):
        """Do a call, and return its result."""
        self.check_call(call)
        if call.steps is not None:
            return (yield from self.follow(call.steps()))
        if call.rows is not None:
            return (yield from self.many(<Rows?>call.rows(), <Call>call.parts, call.ignore))
        if call.parts is not None:
            return (yield from call.parts.read(self, 0))
        if call.address is not None:
            sent = yield from self.addressed(call)
            try:
                return (yield from self.call(sent))
            except OpError as error:
                sent = yield from self.addressed_again(call, sent, error)
            return (yield from self.call(sent))
        if not call.dump:
            return (yield from self.execute(call.message, call))
        try:
            return (yield from self.dump(call.message, call.reader(), 0, call))
        except OpError as error:
            call.explain(error)
            raise

    # Calls by address

    cdef Call known(self, Call call):
        """The call with the number of its address, or None if that must be looked up."""
        number = self.numbers.get(call.address.name)
        return None if number is None else call.with_type(number)

    def addressed(self, Call call):
        """The call with the number of its address, which is looked up once."""
        sent = self.known(call)
        if sent is None:
            found = yield from self.call(call.address.lookup)
            if found.id is None:
                raise OpError("receive", OSError(_errno.EPROTO, f"the reply about {call.address.name} has no number"))
            self.numbers[call.address.name] = found.id
            sent = self.known(call)
        return sent

    def addressed_again(self, Call call, Call sent, error):
        """The call with a new number, if error says that the kernel does not know that of sent. Raises it otherwise."""
        if not refuses_type(error):
            raise error
        again = self.known(call)
        if again is None or (<Call>again).message.h.type == sent.message.h.type:  # not looked up meanwhile
            self.numbers.pop(call.address.name, None)
            again = yield from self.addressed(call)
            if (<Call>again).message.h.type == sent.message.h.type:
                raise error
        return again

    def call_again(self, call, sent, error):
        """Do a call by address again, as `addressed_again`."""
        return (yield from self.call((yield from self.addressed_again(call, sent, error))))

    def call_iter(self, Call call not None, Py_ssize_t rows):
        """Do a call of a dump, and yield its batches of rows."""
        self.check_call(call)
        while call.steps is not None:
            last = yield from self.follow(call.steps(), True)
            if not isinstance(last, Call):
                raise TypeError(f"{call!r} does not end with a dump: it has no parts")
            call = last
            self.check_call(call)
        if call.rows is not None:
            raise TypeError(f"{call!r} is no dump: it has no parts")
        if call.parts is not None:
            yield from call.parts.read(self, rows)
            return
        if not call.dump:
            raise TypeError(f"{call!r} is no dump: it has no parts")
        if call.address is not None:
            sent = yield from self.addressed(call)
            try:
                yield from self.call_iter(sent, rows)
                return
            except OpError as error:
                sent = yield from self.addressed_again(call, sent, error)
            yield from self.call_iter(sent, rows)
            return
        try:
            yield from self.dump(call.message, call.reader(), rows, call)
        except OpError as error:
            call.explain(error)
            raise

    def follow(self, steps, bint leave_last=False):
        """Do each call, list of calls, message or tuple of messages that a verb yields, and return its result.

        If the result is a call, do it as well, unless leave_last.
        """
        error = value = None
        while True:
            try:
                if error is not None:
                    step = steps.throw(error)
                else:
                    step = steps.send(value)
            except StopIteration as stop:
                value = stop.value
                break
            error = value = None
            try:
                if isinstance(step, Call):
                    value = yield from self.call(step)
                else:
                    value = yield from self.answer(step)
            except Exception as raised:
                error = raised
            except BaseException:
                steps.close()
                raise
        if leave_last or not isinstance(value, Call):
            return value
        return (yield from self.call(value))

    cdef object answer(self, step):
        """The answer to what a verb yields that is no call."""
        if isinstance(step, Message):
            return self.execute(step)
        if isinstance(step, Dialogue):
            return self.converse(step)
        if isinstance(step, tuple):
            return self.together(step)
        return self.call_all(list(step))

    def together(self, tuple messages not None):
        """Send messages in one datagram, and return the answers that are queued then.

        An answer is a pair: the number of the message that it answers, and an `OpError` for a refusal, None for an
        acknowledgement, or else the message. Messages of other sequence numbers stay for the next receive. It is for
        requests that the kernel answers while they are sent, and only as far as it wants to.

        The write buffer grows to the datagram, and the read buffer to an answer for each message, as far as the kernel
        permits. OpError (ENOBUFS) if answers were lost: the error has the others as `answers`.
        """
        cdef Message message
        cdef uint32_t first, n
        cdef Py_ssize_t size = 0, room = len(messages) * REFUSAL
        cdef int datagrams = 0
        while self.inbox.abandoned and self.drop_abandoned(self.patience):
            yield PAUSE
        self.begin_reading(None)
        if self.sequence > <uint32_t>0xffffffff - <uint32_t>len(messages):
            self.sequence = 0  # their sequence numbers are consecutive
        first = self.sequence + 1
        cdef list sent = self.prepared(messages)
        if self.real is not None:
            for message in sent:
                size += nl_align(message.h.length)
            # The kernel doubles what is asked for.
            if self.real.write_buffer() < size + WRITE_RESERVE:
                self.real.set_write_buffer(min((size + WRITE_RESERVE + 1) // 2, BUFFER_MAX))
            if self.real.read_buffer() < room:
                self.real.set_read_buffer(min((room + 1) // 2, BUFFER_MAX))
        answers = []
        others = []
        lost = None
        try:
            yield "send-messages", sent
            while True:
                try:
                    datagram = self.queued()
                except OpError as error:
                    if not reports_loss(error):
                        raise
                    lost = error
                    continue
                if not datagram:
                    break
                for message in self.inbox.wanted(datagram):
                    n = message.h.sequence - first
                    if n >= <uint32_t>len(sent):
                        others.append(message)
                        continue
                    answer = verdict(message)
                    answers.append((n, message if answer is None else answer[1]))
                datagrams += 1
                if datagrams % self.patience == 0:
                    yield PAUSE
        except BaseException as error:
            if not refuses_send(error):
                self.drop_answers(first, <uint32_t>len(sent), error)
            raise
        finally:
            self.inbox.put_back(others)
        if lost is not None:
            lost.answers = answers
            raise lost
        return answers

    def converse(self, Dialogue dialogue not None):
        """Send the message of a dialogue, and return the messages of the reply."""
        cdef Message message
        cdef uint32_t sequence = dialogue.message.h.sequence
        cdef int datagrams = 0
        cdef list found = []
        self.begin_reading(None)
        yield "send", self.prepared((dialogue.message,))
        while True:
            datagram = self.queued()
            if datagram is None:
                if not found or dialogue.complete(found):
                    return found
                datagram = yield READABLE
                if datagram is None:
                    continue
            if not datagram:
                return found        # of a test double
            for message in datagram:
                if message.h.sequence == sequence:
                    found.append(message)
            datagrams += 1
            if datagrams % self.patience == 0:
                yield PAUSE

    def call_all(self, list calls not None):
        """Do many calls: a list of their results, or of the OpError of each refused call."""
        cdef Py_ssize_t i = 0, end
        cdef bint roomy
        cdef Call call
        for item in calls:
            if not isinstance(item, Call):
                raise TypeError(f"execute_all takes calls, not {item!r}")
            self.check_call(<Call>item)
        by_address = yield from self.address_all(calls)
        answers = Answers(calls)
        try:
            # If one reply may fill the read buffer, its acknowledgement would be lost: it is not requested.
            roomy = self.real is None or self.real.read_buffer() >= 4 * REPLY_SIZE
            while i < len(calls):
                call = calls[i]
                end = i
                while end < len(calls) and goes_with_others(<Call>calls[end], roomy):
                    end += 1
                if end > i:
                    yield from self.window(answers, i, end)
                    i = end
                    continue
                try:
                    answers.results[i] = yield from self.call(call)
                except DecodeError as error:
                    answers.results[i] = OpError("receive", error)
                except OpError as error:
                    if not is_answer(error):
                        raise
                    answers.results[i] = error
                i += 1
            if by_address:
                yield from self.repair(answers, by_address)
        except BaseException as error:
            error.answers = {n: result for n, result in enumerate(answers.results) if result is not PENDING}
            error.add_note(f"{len(error.answers)} of {len(calls)} calls are done: see answers")
            raise
        return answers.results

    def many(self, Rows rows not None, Call call not None, ignore):
        """Send the requests of many rows, and return the pairs of the refused ones: their number, and an OpError.

        Only the last request of a datagram asks for an acknowledgement: the kernel answers it after all others, of
        which it answers those that it refuses. The read buffer has room for a refusal of each, and grows to that for
        many in a datagram, as far as the kernel permits.
        """
        cdef Message message
        cdef Py_ssize_t begin = 0, room = 4096, most = 64, i
        cdef uint32_t first = 0, n
        cdef bint ended, outstanding = False
        failed = []
        while self.inbox.abandoned and self.drop_abandoned(self.patience):
            yield PAUSE
        self.begin_reading(None)
        if self.real is not None:
            room = max(self.real.write_buffer() // 4, room)
            most = min(rows.count, MANY) * REFUSAL
            if self.real.read_buffer() // 4 * 3 < most:
                self.real.set_read_buffer(most // 3 * 2 + 4)    # the kernel doubles it
            most = max(self.real.read_buffer() // 4 * 3 // REFUSAL, 1)
        try:
            while rows.next < rows.count:
                begin = rows.next
                if self.sequence > <uint32_t>0xffffffff - <uint32_t>most:
                    self.sequence = 0  # their sequence numbers are consecutive
                first = self.sequence + 1
                sent = rows.datagram(first, self.pid, room, most)
                self.sequence += <uint32_t>(rows.next - begin)
                requests = sent
                if self.real is None or self.debugger is not None:
                    requests = parse_messages(<const uint8_t *>PyBytes_AS_STRING(sent), PyBytes_GET_SIZE(sent))
                    if self.debugger is not None:
                        self.debugger.sent(requests, call.request, call.skip)
                outstanding = True
                yield "send-messages", requests
                ended = False
                while not ended:
                    datagram = self.queued()
                    if datagram is None:
                        datagram = yield READABLE
                        if datagram is None:
                            continue
                    messages = self.inbox.wanted(datagram)
                    ended = not datagram    # the end of a test double
                    for i in range(len(messages)):
                        message = messages[i]
                        n = message.h.sequence - first
                        if n >= <size_t>(rows.next - begin) or (message.h.pid and message.h.pid != self.pid):
                            self.inbox.put_back(messages[i + 1:])
                            raise foreign(&message.h)
                        answer = verdict(message)
                        if answer is None:
                            continue
                        error = answer[1]
                        if isinstance(error, DecodeError):
                            error = OpError("receive", error, sequence=message.h.sequence)
                        if error is not None and error.errno not in ignore:
                            call.with_payload(rows.payload_in(sent, n)).explain(error)
                            failed.append((begin + n, error))
                        ended = ended or message.h.sequence == self.sequence
                outstanding = False
                yield PAUSE
        except BaseException as error:
            if outstanding and not refuses_send(error):
                self.drop_answers(first, <uint32_t>(rows.next - begin), error)
            error.add_note(f"the kernel has done {begin} of {rows.count} requests, or more")
            raise
        return failed

    def address_all(self, list calls):
        """Put calls with numbers in the place of those with addresses, which are returned by their positions.

        A call whose address is not found stays: it has the error as its answer.
        """
        by_address = {i: call for i, call in enumerate(calls) if (<Call>call).address is not None}
        missing = set()
        for i, call in by_address.items():
            if call.address.name in missing:
                continue
            try:
                calls[i] = yield from self.addressed(call)
            except OpError as error:
                if not is_answer(error):
                    raise
                missing.add(call.address.name)
        return by_address

    def repair(self, Answers answers, dict by_address):
        """Do the calls again that failed as the number of their address has changed."""
        unchanged = set()
        for i, call in by_address.items():
            error, sent = answers.results[i], answers.calls[i]
            if (<Call>sent).address is not None or call.address.name in unchanged or not refuses_type(error):
                continue
            try:
                answers.results[i] = yield from self.call_again(call, sent, error)
            except OpError as raised:
                if not is_answer(raised):
                    raise
                answers.results[i] = raised
                if raised is error:
                    unchanged.add(call.address.name)

    def window(self, Answers answers not None, Py_ssize_t first, Py_ssize_t end):
        """Send requests, many in a datagram, while their replies fit the read buffer, and receive these replies."""
        cdef Py_ssize_t upto, unsent, i, room = answers.datagram_max
        cdef Call call
        self.begin_reading(None)
        if self.real is not None:
            room = max(self.real.write_buffer() // 4, room)
            answers.budget = self.real.read_buffer() // 4 * 3
        while self.inbox.abandoned and self.drop_abandoned(self.patience):
            yield PAUSE
        if self.sequence > <uint32_t>0xffffffff - <uint32_t>(end - first):
            self.sequence = 0  # their sequence numbers are consecutive
        answers.begin(first, end, self.sequence + 1, self.pid)
        unsent = first
        try:
            while answers.oldest < end:
                # Many requests in a datagram, rather than one request after each reply.
                if (answers.sent < end and answers.sent - answers.oldest <= WINDOW // 2
                        and answers.charge <= answers.budget // 2):
                    upto = answers.next_datagram(end, room)
                    if upto > answers.sent:
                        if self.real is not None and self.debugger is None:
                            self.sequence += <uint32_t>(upto - answers.sent)
                            requests = answers.datagram(upto)
                        else:
                            requests = []
                            for i in range(answers.sent, upto):
                                call = answers.calls[i]
                                requests += self.prepared((call.acknowledged(),), call)
                        unsent = answers.sent
                        answers.sent = upto
                        yield "send-messages", requests
                        unsent = upto
                        yield PAUSE
                if self.real is not None and answers.plain and self.debugger is None and not (
                        self.inbox.pending or self.inbox.abandoned):
                    if not self.take_from_ring(answers) and not answers.close_ended(False):
                        yield READABLE
                    continue
                datagram = self.queued()
                if datagram is None:
                    if answers.close_ended(False):
                        continue
                    datagram = yield READABLE
                    if datagram is None:
                        continue
                if not datagram:
                    answers.close_ended(True)   # the end of a test double
                    continue
                answers.feed(self.inbox.wanted(datagram), self.inbox)
        except BaseException as error:
            for i in range(answers.oldest, unsent if refuses_send(error) else answers.sent):
                if answers.results[i] is PENDING:
                    self.inbox.abandon(answers.base + <uint32_t>(i - first))
            raise

    cdef bint take_from_ring(self, Answers answers) except -1:
        """Take many datagrams of acknowledgements at a time. Returns whether any was queued.

        All received datagrams are read before an error is raised, so that none after it is lost. Messages that are no
        reply are left to the next receive.
        """
        cdef int count = -EINTR, i
        cdef nl_cursor cursor
        cdef nl_message m
        cdef nl_step step
        cdef bint cut, ended
        cdef size_t slot = nl_align(answers.largest + ACK_SIZE)
        cdef size_t slots = RING_SIZE / slot
        if self.ring is None or self.ring.ring.slot_size < slot:
            # At most RING_SIZE bytes, but at least one slot.
            self.ring = Ring(1 if slots < 1 else RING_SLOTS if slots > <size_t>RING_SLOTS else slots, slot)
        while count == -EINTR:
            with nogil:
                count = receive_ring(self.real, &self.ring.ring, False)
            if count == -EINTR:
                PyErr_CheckSignals()
        if count == -EAGAIN:
            return False
        if count < 0:
            raise OpError("receive", -count)
        first = None
        for i in range(count):
            cursor.at = <const uint8_t *>self.ring.ring.vectors[i].iov_base
            cursor.left = self.ring.ring.headers[i].msg_len
            cut = self.ring.ring.headers[i].msg_hdr.msg_flags & MSG_TRUNC != 0
            error = None
            others = []
            while not cut:
                step = nl_next_message(&cursor, &m)
                if step != NL_ITEM:
                    break
                ended = answers.oldest == answers.end
                if not ended and answers.take(&m.header, m.payload, m.size, None):
                    continue
                if not ended and first is None and error is None:
                    error = foreign(&m.header)
                else:
                    others.append(parsed(&m))
            if cut:
                error = OpError("receive", OSError(_errno.EMSGSIZE, "a reply was longer than any acknowledgement, "
                                                                    "and is lost"))
            elif step == NL_BAD:
                error = DecodeError("a message's length field does not fit its datagram")
            if first is None:
                first = error
            if others:
                self.inbox.pending.append(others)
        if first is not None:
            raise first
        return True


cdef Message parsed(const nl_message *m):
    """A copy of a message in a buffer."""
    return message_of(m.header, PyBytes_FromStringAndSize(<const char *>m.payload, m.size))


cdef object foreign(const nl_header *header):
    """The error of a message that is a reply to no outstanding request."""
    return OpError("validate", OSError(_errno.EPROTO, f"a message with sequence number {header.sequence} and port id "
                                                      f"{header.pid}, which is a reply to no request"))


cdef bint goes_with_others(Call call, bint roomy):
    """Whether a call may share a datagram."""
    return call.message is not None and call.address is None and (
        call.reply is None or (roomy and not call.dump and not call.several))


cdef object PENDING = object()


cdef bint is_answer(error):
    """Whether an OpError is the reply to a request, and not a failure of the connection."""
    return error.op == "receive" and error.sequence != 0 and error.errno != _errno.EMSGSIZE


@cython.final
cdef class Answers:
    """The results of many calls. The sequence numbers of the outstanding requests are consecutive."""

    cdef list calls
    cdef list results               # PENDING: none yet
    cdef dict data                  # messages of unfinished replies, by position
    cdef nl_reply replies[WINDOW]   # of the outstanding requests
    cdef Py_ssize_t first           # position of the sequence number base
    cdef Py_ssize_t end             # position after the last call of the run
    cdef Py_ssize_t sent            # requests before this position are sent
    cdef Py_ssize_t oldest          # calls before this position are done
    cdef uint32_t base
    cdef uint32_t pid
    cdef bint plain                 # no call has a reply except its acknowledgement
    cdef size_t largest             # size of the largest request in bytes
    cdef int64_t charge             # bytes that the kernel charges the read buffer for outstanding replies
    cdef int64_t budget
    cdef Py_ssize_t datagram_max

    def __cinit__(self, list calls):
        self.calls = calls
        self.results = [PENDING] * len(calls)
        self.data = {}
        self.budget = 1 << 20
        self.datagram_max = 4096

    cdef int begin(self, Py_ssize_t first, Py_ssize_t end, uint32_t base, uint32_t pid) except -1:
        """Begin a run of calls that are neither dumps nor verbs of several requests."""
        cdef Call call
        cdef Py_ssize_t i
        self.first = self.sent = self.oldest = first
        self.end = end
        self.base = base
        self.pid = pid
        self.charge = 0
        self.plain = True
        self.largest = 0
        for i in range(first, end):
            call = self.calls[i]
            self.plain = self.plain and call.reply is None
            self.largest = max(self.largest, call.size())
        return 0

    cdef int64_t charge_of(self, Call call):
        """The bytes of the read buffer that a reply may need: the kernel allocates powers of 2."""
        cdef size_t size = call.size() + ACK_SIZE + SHARED_INFO
        cdef int64_t charge = 512
        while charge < <int64_t>size:
            charge *= 2
        return SK_BUFF + (charge if call.reply is None else charge + REPLY_SIZE)

    cdef Py_ssize_t next_datagram(self, Py_ssize_t end, Py_ssize_t room):
        """The position after the last request that fits the next datagram. Prepares for the replies of its requests."""
        cdef Py_ssize_t i = self.sent, size = 0
        cdef int64_t charge
        cdef Call call
        cdef nl_reply *reply
        while i < end and i - self.oldest < WINDOW:
            call = self.calls[i]
            size += call.size()
            charge = self.charge_of(call)
            if i > self.oldest and (self.charge + charge > self.budget or size > room):
                break
            self.charge += charge
            reply = &self.replies[i % WINDOW]
            memset(reply, 0, sizeof(nl_reply))
            reply.kind = NL_REPLY_ACKED
            reply.sequence = self.base + <uint32_t>(i - self.first)
            reply.pid = self.pid
            i += 1
        return i

    cdef bytes datagram(self, Py_ssize_t upto):
        """The unsent requests before a position, as one datagram."""
        cdef Py_ssize_t i
        cdef size_t size = 0, at = 0
        cdef nl_header header
        cdef Call call
        cdef uint8_t *out
        for i in range(self.sent, upto):
            size += (<Call>self.calls[i]).size()
        datagram = PyBytes_FromStringAndSize(NULL, size)
        out = <uint8_t *>PyBytes_AS_STRING(datagram)
        memset(out, 0, size)
        for i in range(self.sent, upto):
            call = self.calls[i]
            header = call.message.h
            header.length = <uint32_t>call.size()
            header.sequence = self.base + <uint32_t>(i - self.first)
            header.pid = self.pid
            header.flags |= NL_F_ACK
            memcpy(out + at, &header, sizeof(header))
            if call.message.payload is not None:
                memcpy(out + at + NL_HEADER, PyBytes_AS_STRING(call.message.payload),
                       PyBytes_GET_SIZE(call.message.payload))
            at += header.length
        return datagram

    cdef int feed(self, list datagram, Inbox inbox) except -1:
        cdef Message message
        cdef const uint8_t *payload
        cdef Py_ssize_t i
        for i in range(len(datagram)):
            message = <Message?>datagram[i]
            data = message.payload or b""
            payload = <const uint8_t *>PyBytes_AS_STRING(data)
            if self.oldest == self.end:
                inbox.put_back(datagram[i:])
                break
            if not self.take(&message.h, payload, PyBytes_GET_SIZE(data), message):
                inbox.put_back(datagram[i + 1:])
                raise foreign(&message.h)
        return 0

    cdef bint take(self, const nl_header *header, const uint8_t *payload, size_t size, Message message) except -1:
        """Take a message of a reply. message: the same message; None if only acknowledgements are expected.

        Returns False if it is a reply to no outstanding request.
        """
        cdef nl_verdict v
        cdef nl_role role
        cdef uint32_t n = header.sequence - self.base
        cdef Py_ssize_t i
        if n >= <size_t>(self.sent - self.first):
            return False
        i = self.first + <Py_ssize_t>n
        if self.results[i] is not PENDING:
            return False
        role = nl_reply_message(&self.replies[i % WINDOW], header, payload, size, &v)
        if role == NL_ROLE_FOREIGN:
            return False
        if role == NL_ROLE_DATA:
            if message is not None:
                self.data.setdefault(i, []).append(message)
        elif role == NL_ROLE_END or role == NL_ROLE_LAST:
            self.close_one(i)
        elif role == NL_ROLE_FAILED:
            self.data.pop(i, None)
            error = verdict_error("receive", &v, header.sequence)
            (<Call>self.calls[i]).explain(error)
            self.answered(i, error)
        elif role != NL_ROLE_NOTHING:
            self.data.pop(i, None)
            self.answered(i, OpError("receive", DecodeError("the reply has too few bytes for its errno"),
                                     sequence=header.sequence))
        return True

    cdef bint close_ended(self, bint all) except -1:
        """Close the replies after DONE, if nothing more is queued; with all, every outstanding reply.

        Returns whether there was any.
        """
        cdef Py_ssize_t i
        cdef bint any = False
        for i in range(self.oldest, self.sent):
            if self.results[i] is PENDING and (all or self.replies[i % WINDOW].ended):
                self.close_one(i)
                any = True
        return any

    cdef int close_one(self, Py_ssize_t i) except -1:
        """Make the result of a complete reply."""
        cdef Call call = self.calls[i]
        cdef uint32_t sequence = self.base + <uint32_t>(i - self.first)
        try:
            result = call.result(self.data.pop(i, []), sequence)
        except DecodeError as error:
            result = OpError("receive", error, sequence=sequence)
        except OpError as error:
            call.explain(error)
            result = error
        return self.answered(i, result)

    cdef int answered(self, Py_ssize_t i, result) except -1:
        self.results[i] = result
        self.charge -= self.charge_of(self.calls[i])
        while self.oldest < self.sent and self.results[self.oldest] is not PENDING:
            self.oldest += 1
        return 0


# For threads


cdef object perform(Exchange exchange, want):
    """Do what a generator requests, and return the value to send to it."""
    if type(want) is tuple:
        op, messages = want
        if type(messages) is bytes:
            exchange.real.send_bytes(op, messages, True)
        elif op == "send":
            exchange.sock.send(messages[0])
        else:
            exchange.sock.send_messages(messages)
    elif want == PAUSE:
        PyErr_CheckSignals()
    elif want == WOKEN:
        exchange.locks.wait_woken()
    elif exchange.real is None:
        return exchange.receive_from_double()
    else:
        exchange.real.wait_readable()
    return None


cdef object step(Exchange exchange, steps, object value, bint *returned):
    """Run a generator to its next items, or to its end: the items, or its result if returned is set."""
    cdef PyObject *result
    cdef int kind
    error = None
    while True:
        if error is not None:
            try:
                got = steps.throw(error)
            except StopIteration as stop:
                returned[0] = True
                return stop.value
            error = None
        else:
            kind = PyIter_Send(steps, value, &result)
            got = <object>result
            Py_DECREF(got)
            if kind == PYGEN_RETURN:
                returned[0] = True
                return got
        if type(got) is not tuple and type(got) is not int:
            return got
        value = None
        try:
            value = perform(exchange, got)
        except BaseException as raised:
            error = raised


def run(Exchange exchange not None, Lock lock not None, steps):
    """Run a generator in the calling thread, with its locks, and return its result."""
    cdef bint returned = False
    lock.take()
    try:
        return step(exchange, steps, None, &returned)
    finally:
        lock.give_back()


cdef class Blocking:
    """The base of `Conn`: methods that wait in the calling thread.

    Compiled, so that no exception of a signal handler loses messages on their way to the caller, and because nothing
    but the kernel may cost time in a request that it answers at once.
    """

    cdef public Exchange _exchange
    cdef public Lock _receiving, _executing

    def receive(self):
        """Wait for one reply, and receive it.

        A multi-part reply is read to its end, and its DONE message is left out. A reply also ends with an ERROR
        message (an acknowledgement, which is included) or with a datagram without a multi-part message.
        `HeaderFlags.DUMP_INTERRUPTED` on any message means that the dumped state changed during the dump. If only DONE
        had the flag, the last message has it.

        OpError(op="receive"): an errno from the kernel, with its extended acknowledgement; ENOBUFS if the read buffer
        overflowed and messages were lost; ETIMEDOUT at the deadline. DecodeError for a malformed datagram, which is
        consumed. The connection stays usable: the rest of an unfinished reply is dropped.
        """
        return run(self._exchange, self._receiving, self.begun().receive())

    def execute(self, m):
        """Send one message, receive its reply and validate it, with no other send or receive in between.

        With `HeaderFlags.DUMP` the reply is read until DONE, with `ACKNOWLEDGE` until the acknowledgement or error of
        this request. With neither it is one datagram and, if that is multi-part, all datagrams that are queued already.
        An acknowledgement after other messages is left out; a single acknowledgement is returned.

        A request without ACKNOWLEDGE, such as one that changes something, may have no reply at all: this waits until
        the deadline, without one for ever. So it does without REQUEST, since the kernel ignores such a message. `send`
        does not wait.

        Raises as `send` and `receive` do, and OpError(op="validate") for a message of another request.
        """
        cdef Exchange exchange
        cdef bint returned = False
        if isinstance(m, Call):
            return self.done(<Call>m, None)
        exchange = self.begun()
        self._executing.take()
        try:
            if isinstance(m, Message) and exchange.answers_at_once(<Message>m, None):
                return exchange.at_once(<Message>m, None, None, -1)
            return step(exchange, exchange.do(m), None, &returned)
        finally:
            self._executing.give_back()

    cdef object done(self, Call call, bytes payload):
        """`execute` for a call. payload: in the place of its own, or None."""
        cdef Exchange exchange = self.begun()
        self._executing.take()
        try:
            return self.result_of(exchange, call, payload)
        finally:
            self._executing.give_back()

    cdef object result_of(self, Exchange exchange, Call call, bytes payload):
        """`done`, under the lock."""
        cdef bint returned = False
        exchange.check_call(call)
        if call.steps is not None:
            return self.followed(exchange, call.steps())
        if call.message is not None and exchange.answers_at_once(call.message, payload):
            if call.address is None:
                return exchange.at_once(call.message, call, payload, -1)
            number = exchange.numbers.get(call.address.name)
            if number is not None:
                try:
                    return exchange.at_once(call.message, call, payload, number)
                except OpError as raised:
                    error = raised
                call = call.with_whole(payload)
                return step(exchange, exchange.call_again(call, call.with_type(number), error), None, &returned)
        return step(exchange, exchange.do(call.with_whole(payload)), None, &returned)

    cdef object followed(self, Exchange exchange, steps):
        """`Exchange.follow` in the calling thread: each call that the kernel answers at once is done without a
        generator."""
        cdef bint returned
        error = value = None
        while True:
            try:
                made = steps.send(value) if error is None else steps.throw(error)
            except StopIteration as stop:
                value = stop.value
                break
            error = value = None
            try:
                if isinstance(made, Call):
                    value = self.result_of(exchange, <Call>made, None)
                else:
                    returned = False
                    value = step(exchange, exchange.answer(made), None, &returned)
            except Exception as raised:
                error = raised
            except BaseException:
                steps.close()
                raise
        return self.result_of(exchange, <Call>value, None) if isinstance(value, Call) else value

    cdef Exchange begun(self):
        if self._exchange is None or self._executing is None or self._receiving is None:
            raise AttributeError(f"{type(self).__name__} has no socket: it was made without __init__")
        return self._exchange


cdef object EXECUTE = Blocking.execute


def iterate(Exchange exchange not None, Lock lock not None, steps):
    """Run a generator in the calling thread, with its locks until its end, and yield its items."""
    cdef bint returned = False
    lock.take()
    try:
        while True:
            items = step(exchange, steps, None, &returned)
            if returned:
                return
            for item in items:
                yield item
            lock.hand_over()
    finally:
        try:
            steps.close()
        finally:
            lock.give_back()
