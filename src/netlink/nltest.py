"""A connection without a kernel, for tests: a function makes the replies.

    def answer(requests):
        return nltest.multipart([reply_to(requests[0]), Message()])

    with nltest.dial(answer) as conn:
        ...

`Conn` is the real class; only its socket is a test double. `serve` does the same for a family, with records instead of
messages:

    with nltest.serve(conntrack.Conn, {"dump_part": lambda part: [Flow(...)]}) as ct:
        assert len(ct.dump()) == 1
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from errno import EIO

from netlink._codec import Header, Message, marshal_attributes
from netlink._engine.record import Record
from netlink.conn import Conn
from netlink.consts import NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, HeaderFlags, HeaderType
from netlink.consts import Family as _Protocol
from netlink.errors import EncodeError, OpError
from netlink.nlenc import int32_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    from netlink._codec import Attribute
    from netlink.aio import AsyncConn
    from netlink.match import Match
    from netlink.stream import Stream

    _F = TypeVar("_F")

__all__ = [
    "PID",
    "Func",
    "check_request",
    "dial",
    "dial_async",
    "error",
    "multipart",
    "must_marshal_attributes",
    "serve",
    "serve_async",
]

PID = 1
"""The port id of a connection that `dial` makes."""

Func = Callable[[list[Message]], list[Message]]
"""The argument of `dial`: a function from the messages of a send to those of the reply."""


def dial(fn: Func) -> Conn:
    """Open a connection without a kernel: fn gets its requests and returns the replies.

    fn is called with the list of messages of each send. A receive without a send before it calls fn with [], as for
    multicast messages. If fn raises EOFError, the receive has no messages and no error. Any other exception is raised
    by the receive, an OSError as an OpError. AssertionError and ValueError of `check_request` are raised by the send.
    A multi-part reply is split into two receives, the last message alone, so that tests cover both.
    """
    return Conn(_Socket(fn), PID)


def dial_async(fn: Func) -> AsyncConn:
    """Open an `netlink.aio.AsyncConn` without a kernel, as `dial`."""
    from netlink.aio import AsyncConn

    return AsyncConn(_Socket(fn), PID)


class _Socket:
    """A `netlink.conn.Socket` over a function."""

    def __init__(self, fn: Func) -> None:
        self._fn = fn
        self._replies: list[Message] = []
        self._error: Exception | None = None

    def close(self) -> None:
        pass

    def send(self, m: Message) -> None:
        self.send_messages([m])

    def send_messages(self, messages: list[Message]) -> None:
        try:
            self._replies += self._fn(messages)
        except (_MismatchError, _UnequalError):
            raise
        except Exception as error:
            self._error = error

    def receive(self) -> list[Message]:
        if not self._replies:
            error, self._error = self._error, None
            try:
                if error:
                    raise error
                return list(self._fn([]))
            except EOFError:
                return []
            except OpError:
                raise
            except OSError as os_error:
                raise OpError("receive", os_error) from os_error
        replies = self._replies
        last = len(replies)
        if any(m.header.flags & HeaderFlags.MULTI and m.header.type != HeaderType.DONE for m in replies):
            last = max(last - 1, 1)
        self._replies = replies[last:]
        return replies[:last]

    def receive_nowait(self) -> list[Message] | None:
        return self.receive() if self._replies or self._error else None


class _MismatchError(AssertionError):
    """An unexpected request of `check_request`: raised by the send, at the error of the test."""


class _UnequalError(ValueError):
    """Lists of unequal length for `check_request`."""


def check_request(types: Sequence[int], flags: Sequence[int], fn: Func) -> Func:
    """A function for `dial` that checks the header types and flags of requests before it calls fn.

    types[i] and flags[i] belong to the i-th message of a send; 0 matches anything. The send raises AssertionError for a
    mismatch, and ValueError for lists of another length than the requests. ValueError for lists of unequal length.
    """
    if len(types) != len(flags):
        raise _UnequalError(f"{len(types)} types, but {len(flags)} flags")

    def check(requests: list[Message]) -> list[Message]:
        if len(requests) != len(types):
            raise _UnequalError(f"{len(requests)} requests, but {len(types)} types and flags")
        for i, (request, type_, flag) in enumerate(zip(requests, types, flags, strict=True)):
            header = request.header
            if type_ and header.type != type_:
                raise _MismatchError(f"request {i} has type {header.type}, not {HeaderType(type_)}")
            if flag and header.flags != flag:
                raise _MismatchError(f"request {i} has flags {header.flags}, not {HeaderFlags(flag)}")
        return fn(requests)

    return check


def error(errno: int, requests: Sequence[Message]) -> list[Message]:
    """The reply to a refused first request: an ERROR message with the given errno, a positive number."""
    request = next(iter(requests), Message())
    if not isinstance(request, Message):
        raise TypeError(f"requests must be a sequence of Message, not {requests!r}")
    header = request.header
    return [request.replace(length=header.length + 4, type=HeaderType.ERROR, data=int32_bytes(-errno) + request.data)]


def multipart(messages: Iterable[Message]) -> list[Message]:
    """The messages as one multi-part reply: all have MULTI, and the last has the type DONE.

    Fewer than two messages are returned as they are.
    """
    parts = list(messages)
    if len(parts) < 2:
        return parts
    parts = [m.replace(flags=m.header.flags | HeaderFlags.MULTI) for m in parts]
    parts[-1] = parts[-1].replace(type=HeaderType.DONE)
    return parts


def must_marshal_attributes(attrs: Iterable[Attribute]) -> bytes:
    """`netlink.marshal_attributes` with AssertionError, instead of EncodeError, for invalid attributes."""
    try:
        return marshal_attributes(attrs)
    except EncodeError as error:
        raise AssertionError(f"attributes of the test do not encode: {error}") from error


def serve(family: Callable[[Conn], _F], operations: Mapping[Any, Callable[..., Any]]) -> _F:
    """Open a family over a connection without a kernel: functions make the replies of its operations, with records.

    family: its class. operations: functions by operation, or by its name. A family of `netlink.ynl` has names such as
    "rings_get.do" and "rings_get.dump", with dashes or underscores, and "listen" for the messages of all groups.

    The function of a `Do` is called with the record of the request, if it has one, and returns the record of the reply,
    or None to acknowledge. The function of a `DoMany` or a `Dump` returns an iterable of records, which is read on
    demand. An OSError of either is raised as if the kernel had refused the request. The function of a `Listen` is
    called without arguments, and returns the items of the stream in order: records, batches and `Overrun`. The stream
    ends after them.

    AssertionError for an operation without a function, and for a function with a wrong result. ValueError for a key
    that is no operation of the family.
    """
    double = _Double(family, operations)
    return double.served(family(Conn(double, PID)))


def serve_async(family: Callable[[AsyncConn], _F], operations: Mapping[Any, Callable[..., Any]]) -> _F:
    """Open a family over an `netlink.aio.AsyncConn` without a kernel, as `serve`, with plain functions."""
    from netlink.aio import AsyncConn

    double = _Double(family, operations)
    return double.served(family(AsyncConn(double, PID)))


def _opener(
    family: Any, listen: Any, items: Callable[[], Iterable[Any]], operations: Mapping[Any, Callable[..., Any]]
) -> Callable[..., Any]:
    """A function that opens a stream of items, instead of a `Listen`."""

    def open_stream(
        asked: Any = listen,
        /,
        *,
        on_overrun: str = "raise",
        read_buffer: int | None = None,
        reliable: bool = False,
        matches: Iterable[Match[Any]] = (),
        bpf: Any = None,
    ) -> Stream[Any, Any]:
        from netlink._io.source import ItemSource
        from netlink.stream import Stream

        listen.check(on_overrun)
        # The state is read over a separate, synchronous connection, as for streams from the kernel.
        cls: Any = family.__class__
        state = listen.state_of(serve(cls, operations)) if on_overrun == "resync" else None
        wanted = _wanted(items(), tuple(matches))
        if asked is not listen:
            wanted = _of_kinds(wanted, {kind.event for kind in asked.kinds})
        source: ItemSource[Any] = ItemSource(wanted, *listen.declarations)
        stream: Stream[Any, Any] = Stream(source, on_overrun=on_overrun, resync=state)
        return stream

    return open_stream


def _wanted(items: Iterable[Any], matches: tuple[Match[Any], ...]) -> Iterator[Any]:
    """The items without the records that do not match."""

    def wanted(record: Record) -> bool:
        return all(match(record) for match in matches if _is_of(match, record))

    for item in items:
        if isinstance(item, OSError):
            yield item
        elif isinstance(item, Record):
            if wanted(item):
                yield item
        elif all(map(wanted, item)):
            yield item
        else:
            yield from filter(wanted, item)


def _of_kinds(items: Iterable[Any], events: set[Any]) -> Iterator[Any]:
    """The items without the records of other events. Records without an event are of any."""
    for item in items:
        if isinstance(item, OSError):
            yield item
        else:
            records: Iterable[Any] = [item] if isinstance(item, Record) else item
            yield from (each for each in records if each.event is None or each.event in events)


def _is_of(match: Match[Any], record: Record) -> bool:
    """Whether a match is for the declaration of a record."""
    try:
        match(record)
    except TypeError:
        return False
    return True


class _Double:
    """A `netlink.conn.Socket` over the functions of a family's operations."""

    def __init__(self, family: Any, operations: Mapping[Any, Callable[..., Any]]) -> None:
        from netlink.family import Listen

        if not isinstance(operations, Mapping):
            raise TypeError(f"operations must be a mapping from operations to functions, not {operations!r}")
        self.operations = operations
        self._bounds = (
            (NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END) if family.protocol == _Protocol.NETFILTER else ()
        )  # of a batch: messages without an answer
        self.streams: dict[Any, Callable[[], Iterable[Any]]] = {}  # by Listen
        self._functions: dict[Any, Callable[..., Any]] = {}  # by operation
        self._watched: dict[tuple[int, int, bytes], Any] = {}  # operations by type, flags and payload of their requests
        self._lookups: dict[tuple[int, int, bytes], Any] = {}  # the calls that look up addresses, likewise
        self._calls: dict[Any, Any] = {}  # a call of each operation
        self._answers: deque[Iterator[list[Message]]] = deque()
        for key, function in operations.items():
            name = key if isinstance(key, str) else getattr(key, "name", None)
            operation: Any = family.member(name) if isinstance(name, str) else None
            if operation is None or (operation is not key and name is not key):
                raise ValueError(f"{family.__name__} has no operation {key!r}")
            if isinstance(operation, Listen):
                self.streams[operation] = function
            else:
                self._functions[operation] = function

    def served(self, family: _F) -> _F:
        """Connect the double to the calls of a family object, and replace the family's streams."""
        of: Any = family
        for operation in self._functions:
            call = of.call(operation, b"")
            self._calls[operation] = _numbered(call)
            if call.address is not None:
                self._lookups[_looks(call.address.lookup.message)] = call.address.lookup
        for each in (of, of.calls):
            vars(each)["call"] = self._watching(each.call)
            each._empty_calls = None
        for listen, items in self.streams.items():
            vars(of)[listen.name] = _opener(of, listen, items, self.operations)
        return family

    def _watching(self, call: Callable[[Any, bytes], Any]) -> Callable[[Any, bytes], Any]:
        """A wrapper of a family's `call` that records the operation of each request, as requests may be equal."""

        def watched(operation: Any, payload: bytes) -> Any:
            made = call(operation, payload)
            self._watched[_looks(_numbered(made).message)] = operation
            return made

        return watched

    def close(self) -> None:
        pass

    def send(self, m: Message) -> None:
        self.send_messages([m])

    def send_messages(self, messages: list[Message]) -> None:
        self._answers += [self._answer(m) for m in messages]

    def receive_nowait(self) -> list[Message] | None:
        while self._answers:
            for datagram in self._answers[0]:
                return datagram
            self._answers.popleft()
        return None

    def receive(self) -> list[Message]:
        datagram = self.receive_nowait()
        if datagram is None:
            raise AssertionError("the connection waits for a reply, but no request is outstanding")
        return datagram

    def _answer(self, request: Message) -> Iterator[list[Message]]:
        """The datagrams of the reply to a request."""
        if request.header.type in self._bounds and _looks(request) not in self._watched:
            return
        lookup = self._lookups.get(_looks(request))
        if lookup is not None:
            yield [_reply(request, _before(lookup, request) + lookup.reply(id=_NUMBER).encode())]
            return
        operation, function = self._function_for(request)
        call = self._calls[operation]
        before = _before(call, request)
        try:
            fields = request.data[call.skip :]
            result = function(*([] if operation.request is None else [operation.request.decode(fields)]))
            if operation.many:
                for record in result:
                    yield [_reply(request, before + _encoded(operation, record), flags=HeaderFlags.MULTI)]
                yield [_reply(request, int32_bytes(0), type_=HeaderType.DONE, flags=HeaderFlags.MULTI)]
                return
            if operation.several:
                for record in result:
                    yield [_reply(request, before + _encoded(operation, record))]
            elif result is not None or not (operation.reply is None or operation.optional):
                yield [_reply(request, before + _encoded(operation, result))]
            if request.header.flags & HeaderFlags.ACKNOWLEDGE:
                yield error(0, [request])
        except OSError as refusal:
            yield error(refusal.errno or EIO, [request])

    def _function_for(self, request: Message) -> tuple[Any, Callable[..., Any]]:
        """The operation of a request, and its function.

        For a request of another family object, the first operation with the same type and flags.
        """
        flags = request.header.flags
        made_by = self._watched.get(_looks(request))
        if made_by is not None:
            for operation, function in self._functions.items():
                # A family of netlink.ynl has another operation of the same name for other flags.
                if operation is made_by or (operation.name, type(operation)) == (made_by.name, type(made_by)):
                    return operation, function
            raise AssertionError(f"the double has no function for {made_by.name}")
        many = flags & HeaderFlags.DUMP == HeaderFlags.DUMP
        for operation, function in self._functions.items():
            sent = self._calls[operation].message
            same = many or flags & _MODIFIERS == operation.flags & _MODIFIERS
            if (
                (sent.header.type, operation.many) == (request.header.type, many)
                and request.data.startswith(sent.data)
                and same
            ):
                return operation, function
        raise AssertionError(f"the double has no function for a request of type {request.header.type!r}, {flags!r}")


def _encoded(operation: Any, record: Any) -> bytes:
    """The payload of a function's result."""
    if operation.reply is None or type(record) is not operation.reply:
        want = "nothing" if operation.reply is None else f"a {operation.reply.__name__}"
        raise AssertionError(f"the function for {operation.name} must return {want}, not {record!r}")
    if operation.within is not None:
        record = operation.within.owner(**{operation.within.name: (record,)})
    payload: bytes = record.encode()
    return payload


def _numbered(call: Any) -> Any:
    """A call with a number of the double's, if it has an address."""
    return call if call.address is None else call.with_type(_NUMBER)


def _before(call: Any, request: Message) -> bytes:
    """What precedes the record of a reply: that of the request, with the command of the answer."""
    header = request.data[: call.skip]
    return header if call.answer is None else bytes([call.answer]) + header[1:]


def _looks(request: Message) -> tuple[int, int, bytes]:
    return request.header.type, request.header.flags & ~HeaderFlags.ACKNOWLEDGE, request.data


_NUMBER = 0x1F  # of the types that are looked up
_MODIFIERS = HeaderFlags.CREATE | HeaderFlags.EXCL | HeaderFlags.REPLACE | HeaderFlags.APPEND


def _reply(request: Message, data: bytes, *, type_: int | None = None, flags: int = 0) -> Message:
    header = request.header
    return Message(
        Header(
            length=16 + len(data),
            type=header.type if type_ is None else type_,
            flags=flags,
            sequence=header.sequence,
            pid=header.pid,
        ),
        data,
    )
