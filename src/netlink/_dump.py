"""Dumps of a connection as batches of typed records, without a Message in between."""

from __future__ import annotations

import sys

from netlink._engine.receive import Reader
from netlink._io.exchange import Inbox, refuses_send
from netlink._transport import Socket
from netlink.conn import tells_of_loss
from netlink.errors import DecodeError, OpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeVar

    from netlink._codec import Message
    from netlink._engine.match import Match
    from netlink._engine.record import Batch, Record
    from netlink.conn import Conn

    _R = TypeVar("_R", bound=Record)

__all__ = ["dump", "iter_dump"]

_ALL = sys.maxsize


def dump(conn: Conn, request: Message, declaration: type[_R], match: Match[_R] | None = None) -> Batch[_R]:
    """The whole reply to a dump request as one batch of what follows nlmsghdr, or what of it match wants.

    Raises as `Conn.execute`; a malformed message is a DecodeError with path and offset, and ends the dump.
    """
    for batch in iter_dump(conn, request, declaration, _ALL, match):
        return batch
    raise AssertionError("a dump has one batch at least")


def iter_dump(
    conn: Conn, request: Message, declaration: type[_R], rows: int, match: Match[_R] | None = None
) -> Iterator[Batch[_R]]:
    """The reply to a dump request in batches of rows, the last one shorter: memory does not grow with the dump.

    The iterator holds the connection's turns to its end. Closing it early drops the rest.
    """
    if isinstance(conn._sock, Socket) and not conn._debugger:
        with conn._executing:
            if conn._inbox.abandoned:
                conn._drop_abandoned()
            # What else may come between is `execute`'s to sort out.
            if not (conn._inbox.abandoned or conn._inbox.pending):
                yield from _read(conn, request, declaration, rows, match)
                return
    payloads = [message.data for message in conn.execute(request)]
    if match is not None:
        payloads = [payload for payload in payloads if match(declaration.decode(payload))]
    for start in range(0, max(len(payloads), 1), rows):
        yield declaration.decode_many(payloads[start : start + rows])


def _read(
    conn: Conn, request: Message, declaration: type[_R], rows: int, match: Match[_R] | None
) -> Iterator[Batch[_R]]:
    (sent,) = conn._prepared((request,))
    reader = Reader(conn._sock, declaration, sent.header.sequence, match)
    try:
        conn._sock.send(sent)
        yield from _batches(reader, rows)
    except GeneratorExit:
        if not reader.done:
            conn._inbox.abandon(sent.header.sequence)
            _keep_rest(reader, conn._inbox)  # where the end may be, behind which nothing is to be waited for
            try:
                conn._drop_abandoned()
            except (OpError, DecodeError) as error:
                if tells_of_loss(error):
                    raise
        raise
    except BaseException as error:
        if not (reader.done or refuses_send(error)):
            conn._inbox.abandon(sent.header.sequence)
        raise
    finally:
        _keep_rest(reader, conn._inbox)


def _keep_rest(reader: Reader[_R], inbox: Inbox) -> None:
    """Leave to the next receive what came in one datagram with messages of a dump and is not of it."""
    if messages := inbox.wanted(reader.rest()):
        inbox.pending.append(messages)


def _batches(reader: Reader[_R], rows: int) -> Iterator[Batch[_R]]:
    # A loop without cleanup around it: see Conn.
    while not reader.done:
        yield reader.read(rows)
