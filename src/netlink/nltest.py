"""A connection without a kernel, for tests: a function answers instead.

    def answer(requests):
        return nltest.multipart([reply_to(requests[0]), Message()])

    with nltest.dial(answer) as conn:
        ...

`Conn` is the real one; only the socket is a double.
"""

from __future__ import annotations

from collections.abc import Callable

from netlink._codec import Message, marshal_attributes
from netlink.conn import Conn
from netlink.consts import HeaderFlags, HeaderType
from netlink.errors import EncodeError, OpError
from netlink.nlenc import int32_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netlink._codec import Attribute
    from netlink.aio import AsyncConn

__all__ = ["PID", "Func", "check_request", "dial", "dial_async", "error", "multipart", "must_marshal_attributes"]

PID = 1
"""The port id of a connection that `dial` makes."""

Func = Callable[[list[Message]], list[Message]]
"""What `dial` takes: from the messages of a send to those of the reply."""


def dial(fn: Func) -> Conn:
    """A connection whose messages go to fn, and whose replies fn returns.

    fn is called with the list of messages of each send. A receive with nothing sent before calls it with [], as
    for multicast messages. Where it raises EOFError the receive has no messages and no error; any other exception
    is what the receive raises, an OSError as an OpError; AssertionError and ValueError of `check_request` come out of
    the send. A multi-part reply comes in two receives, its last message alone, so that reading on is tested too.
    """
    return Conn(_Socket(fn), PID)


def dial_async(fn: Func) -> AsyncConn:
    """The same as a `netlink.aio.AsyncConn`."""
    from netlink.aio import AsyncConn

    return AsyncConn(_Socket(fn), PID)


class _Socket:
    """The Socket protocol over a function."""

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
    """A request that `check_request` did not expect: out of the send, where the test's mistake is."""


class _UnequalError(ValueError):
    """Lists for `check_request` that do not fit together."""


def check_request(types: Sequence[int], flags: Sequence[int], fn: Func) -> Func:
    """A function for `dial` that passes requests on to fn if they have these header types and flags.

    types[i] and flags[i] belong to the i-th message of a send; 0 matches anything. A mismatch is an AssertionError out
    of the send, and lists of unequal length, or of another length than the requests, are a ValueError.
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
    """The reply with which the kernel refuses the first request: an ERROR message with that errno, positive here."""
    request = requests[0] if requests else Message()
    header = request.header
    return [request.replace(length=header.length + 4, type=HeaderType.ERROR, data=int32_bytes(-errno) + request.data)]


def multipart(messages: Iterable[Message]) -> list[Message]:
    """The messages as one multi-part reply: MULTI set in all, and the last made its DONE. Fewer than two stay as
    they are."""
    parts = list(messages)
    if len(parts) < 2:
        return parts
    parts = [m.replace(flags=m.header.flags | HeaderFlags.MULTI) for m in parts]
    parts[-1] = parts[-1].replace(type=HeaderType.DONE)
    return parts


def must_marshal_attributes(attrs: Iterable[Attribute]) -> bytes:
    """`netlink.marshal_attributes` for attributes that are right: what is wrong with them is an AssertionError."""
    try:
        return marshal_attributes(attrs)
    except EncodeError as error:
        raise AssertionError(f"attributes of the test do not encode: {error}") from error
