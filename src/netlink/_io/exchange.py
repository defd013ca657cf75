"""Where a reply begins and ends, without input or output: `Conn` and `AsyncConn` feed it datagrams.

The rules are those of the kernel: a multi-part reply ends with DONE, an acknowledgement is an ERROR message with
errno 0, and some families (ctnetlink for a single GET) set MULTI and never send DONE.
"""

from __future__ import annotations

from collections import deque

from netlink._codec import scan, validate, verdict
from netlink.consts import HeaderFlags, HeaderType
from netlink.errors import EncodeError, OpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netlink._codec import Message

__all__ = ["Answer", "Inbox", "Reply"]

_ABANDONED_MAX = 1024
# Plain integers: arithmetic with an IntFlag costs a microsecond.
_MULTI = int(HeaderFlags.MULTI)
_ACKNOWLEDGE = int(HeaderFlags.ACKNOWLEDGE)
_DUMP = int(HeaderFlags.DUMP)
_ERROR = int(HeaderType.ERROR)
_DONE = int(HeaderType.DONE)
_INTERRUPTED = int(HeaderFlags.DUMP_INTERRUPTED)


class Inbox:
    """What has been received and not been handed out, and the sequence numbers whose replies nobody waits for.

    pending: datagrams, oldest first. abandoned: a set in order of age. Used by whoever has the turn to receive.
    """

    __slots__ = ("abandoned", "pending")

    def __init__(self) -> None:
        self.pending: deque[list[Message]] = deque()
        self.abandoned: dict[int, None] = {}

    def abandon(self, sequence: int) -> None:
        """Drop from now on what arrives for a request that was cut short. 0 is nobody's request."""
        if not sequence:
            return
        self.abandoned[sequence] = None
        if len(self.abandoned) > _ABANDONED_MAX:
            del self.abandoned[next(iter(self.abandoned))]

    def wanted(self, datagram: list[Message]) -> list[Message]:
        """The datagram without the messages of abandoned requests; the end of such a reply ends its abandonment."""
        if not self.abandoned:
            return datagram
        kept: list[Message] = []
        for message in datagram:
            if message.header.sequence not in self.abandoned:
                kept.append(message)
            elif verdict(message) is not None:
                del self.abandoned[message.header.sequence]
        return kept

    def put_back(self, messages: list[Message]) -> None:
        """Keep messages of the datagram in hand for the next receive."""
        if messages:
            self.pending.appendleft(messages)


def mark_interrupted(messages: list[Message]) -> None:
    """Put on the last message what only the DONE that is left out said: that the dump is not consistent."""
    if messages:
        last = messages[-1]
        messages[-1] = last.replace(flags=int(last.header.flags) | _INTERRUPTED)


def refuses_send(error: BaseException) -> bool:
    """Whether a request was not sent, so that nothing will come for it."""
    return isinstance(error, EncodeError) or (isinstance(error, OpError) and error.op == "send")


class Reply:
    """One reply as `Conn.receive` sees it: nothing is known of the request.

    feed it datagrams until it is done; error is what is to be raised after what feed returned was handed out.
    """

    __slots__ = ("_inbox", "_sequence", "done", "error", "interrupted", "multi")

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._sequence = 0  # of the last multi-part message
        self.multi = False  # whether the reply is a multi-part one
        self.interrupted = False  # whether its DONE said so
        self.done = False
        self.error: Exception | None = None

    def feed(self, datagram: list[Message]) -> list[Message]:
        messages = self._inbox.wanted(datagram)
        if datagram and not messages:
            return messages
        plain, multi = scan(messages, None)
        out = messages
        if plain < len(messages):
            out, multi = self._feed_to_end(messages, plain, multi)
        if multi:
            self.multi = True
            self._sequence = messages[-1].header.sequence
        elif not self.done:
            self.done = True
        return out

    def _feed_to_end(self, messages: list[Message], plain: int, multi: bool) -> tuple[list[Message], bool]:
        out = messages[:plain]
        for i in range(plain, len(messages)):
            message = messages[i]
            multi = multi or bool(int(message.header.flags) & _MULTI)
            said = verdict(message)
            if said is None:
                out.append(message)
                continue
            self.error = said[1]
            if self.error is None and message.header.type == _ERROR:
                out.append(message)
                if not (multi or self.multi):
                    continue  # acknowledgements side by side in one datagram are one whole
            self.interrupted = bool(int(message.header.flags) & _INTERRUPTED)
            self.done = True
            self._inbox.put_back(messages[i + 1 :])
            break
        return out, multi

    def cut(self) -> None:
        """Nobody waits any more: the rest of a multi-part reply is to be dropped when it comes."""
        if self.multi and not self.done:
            self._inbox.abandon(self._sequence)
            self.done = True


class Answer:
    """One reply as `Conn.execute` sees it: where it ends follows from its request.

    feed it datagrams until it is done; while queued_only, only those that are queued already, and none is an end too.
    Whatever error says is to be raised after each feed.
    """

    __slots__ = (
        "_acknowledged",
        "_dump",
        "_empty",
        "_ended",
        "_inbox",
        "_request",
        "done",
        "error",
        "interrupted",
        "queued_only",
    )

    def __init__(self, inbox: Inbox, request: Message) -> None:
        flags = int(request.header.flags)
        self._inbox = inbox
        self._request = request
        self._dump = flags & _DUMP == _DUMP
        self._acknowledged = not self._dump and bool(flags & _ACKNOWLEDGE)
        self._empty = True
        self._ended = False  # by DONE; an acknowledgement may be queued behind it
        self.done = False
        self.interrupted = False
        self.queued_only = False
        self.error: Exception | None = None

    def feed(self, datagram: list[Message]) -> list[Message]:
        messages = self._inbox.wanted(datagram)
        if datagram and not messages:
            return messages
        plain, multi = scan(messages, self._request)
        out = messages
        if plain < len(messages):
            out = self._feed_to_end(messages, plain)
        if self.done:
            return out
        if not messages:
            self.done = True  # a test double's word for no messages at all
        elif out:
            self._empty = False
            # Of a dump the next part is always queued while there is one, also where a family forgets MULTI.
            if self._dump:
                self.queued_only = not multi
            elif not self._acknowledged:
                self.queued_only = multi
                self.done = not multi
        return out

    def _feed_to_end(self, messages: list[Message], plain: int) -> list[Message]:
        out = messages[:plain]
        for i in range(plain, len(messages)):
            message = messages[i]
            if self.queued_only and not self._answers(message):
                self.done = True
                self._inbox.put_back(messages[i:])
                return out
            validate(self._request, (message,))
            said = verdict(message)
            if said is None:
                out.append(message)
                continue
            self.error = said[1]
            if message.header.type == _DONE:
                self.interrupted = bool(int(message.header.flags) & _INTERRUPTED)
            if self.error is None and message.header.type == _DONE and self._acknowledged:
                self._ended = self.queued_only = True
                self._empty = False
                continue
            if self.error is None and message.header.type == _ERROR and self._empty and not out:
                out.append(message)
            self.done = True
            self._inbox.put_back(messages[i + 1 :])
            return out
        return out

    def _answers(self, message: Message) -> bool:
        return self._request.header.sequence in {0, message.header.sequence}

    def cut(self, error: BaseException) -> None:
        """Nobody waits any more: what is still to come is to be dropped. Nothing comes where error refused the send."""
        if not (self.done or self._ended or refuses_send(error)):
            self._inbox.abandon(self._request.header.sequence)
            self.done = True
