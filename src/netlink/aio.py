"""The same connection for asyncio: `dial` and `AsyncConn`.

    async with netlink.aio.dial(Family.ROUTE) as conn:
        replies = await conn.execute(request)

On the running event loop's add_reader alone: no thread and no loop of its own.
"""

from __future__ import annotations

import asyncio as _asyncio
import errno as _errno
import time as _time

from netlink._io.exchange import Answer, Reply, mark_interrupted
from netlink._io.readiness import finish, run_in
from netlink.conn import BaseConn, open_socket
from netlink.debug import Debugger
from netlink.errors import OpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator
    from typing import Any, Self

    from netlink._codec import Message
    from netlink.config import Config

__all__ = ["AsyncConn", "dial"]

# A netlink socket polls as writable even while its peer's receive buffer is full: try again, seconds.
_SEND_PAUSE_MIN, _SEND_PAUSE_MAX = 0.001, 0.02


def dial(family: int, config: Config | None = None) -> AsyncConn:
    """Open a connection as `netlink.dial` does, for use in one event loop. A plain call, which does not wait."""
    debugger = Debugger.from_environment(family)
    conn = AsyncConn.__new__(AsyncConn)
    sock = open_socket(family, config)
    conn._start(sock, sock.pid, debugger)
    return conn


class _AsyncTurns:
    """Who may send and who may receive: one task at a time each."""

    def __init__(self) -> None:
        self.is_closed = False
        self.deadlines: dict[str, float | None] = {"read": None, "write": None}
        self.owners: dict[str, _asyncio.Task[Any] | None] = {}
        self.loop: _asyncio.AbstractEventLoop | None = None
        self._waiting: set[_asyncio.Future[None]] = set()

    async def take(self, op: str, names: tuple[str, ...]) -> None:
        self.loop = _asyncio.get_running_loop()
        me = _asyncio.current_task()
        while not self.is_closed and not self.owners.keys().isdisjoint(names):
            if any(name in self.owners and self.owners[name] is me for name in names):
                raise OpError(
                    op,
                    OSError(
                        _errno.EBUSY,
                        "this task is in the middle of another reply: finish or close its receive_iter first",
                    ),
                )
            await self.change(op, names)
        if self.is_closed:
            raise OpError(op, _errno.EBADF)
        for name in names:
            self.owners[name] = me

    async def change(self, op: str, names: tuple[str, ...]) -> None:
        """Wait until a turn is given back, a deadline moves or passes, or the connection is closed."""
        ends = [end for name in names if (end := self.deadlines[name]) is not None]
        loop = _asyncio.get_running_loop()
        future: _asyncio.Future[None] = loop.create_future()
        self._waiting.add(future)
        timer = None
        try:
            if ends:
                left = min(ends) - _time.monotonic()
                if left <= 0:
                    raise OpError(op, _errno.ETIMEDOUT)
                timer = loop.call_later(left, finish, future)
            await future
        finally:
            if timer:
                timer.cancel()
            self._waiting.discard(future)

    def changed(self) -> None:
        for future in self._waiting:
            finish(future)

    def give_back(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.owners.pop(name, None)
        self.changed()

    def set_deadlines(self, **deadlines: float | None) -> None:
        self.deadlines.update(deadlines)
        self.changed()


class _AsyncTurn:
    def __init__(self, turns: _AsyncTurns, op: str, *names: str) -> None:
        self._turns = turns
        self._op = op
        self._names = names

    async def __aenter__(self) -> None:
        await self._turns.take(self._op, self._names)

    async def __aexit__(self, *exc_info: object) -> None:
        self._turns.give_back(self._names)


class AsyncConn(BaseConn):
    """A `netlink.Conn` whose verbs are awaited. Made by `netlink.aio.dial`; `async with` closes it.

    Tasks of one event loop may share it: one at a time sends and one receives, `execute` has both turns, and a
    receive that waits never keeps another task from sending. Cancelling a call leaves the connection usable: what
    still arrives for its request is dropped. `close` may also be called from another thread.

    Errors are those of `netlink.Conn`.
    """

    _turns: _AsyncTurns

    def __init__(self) -> None:
        raise TypeError("an AsyncConn comes from netlink.aio.dial")

    def _start(self, sock: Any, pid: int, debugger: Debugger | None) -> None:
        super()._start(sock, pid, debugger)
        self._turns = turns = _AsyncTurns()
        self._sending = _AsyncTurn(turns, "send", "write")
        self._sending_messages = _AsyncTurn(turns, "send-messages", "write")
        self._receiving = _AsyncTurn(turns, "receive", "read")
        self._executing = _AsyncTurn(turns, "execute", "read", "write")

    async def send(self, m: Message) -> Message:
        """As `netlink.Conn.send`."""
        async with self._sending:
            (request,) = self._prepared((m,))
            await self._send("send", [request])
            return request

    async def send_messages(self, ms: Iterable[Message]) -> list[Message]:
        """As `netlink.Conn.send_messages`."""
        async with self._sending_messages:
            requests = self._prepared(ms)
            await self._send("send-messages", requests)
            return requests

    async def _send(self, op: str, requests: list[Message]) -> None:
        pause = _SEND_PAUSE_MIN
        while not self._sock.send_nowait(op, requests):
            await _asyncio.sleep(pause)
            pause = min(2 * pause, _SEND_PAUSE_MAX)

    async def receive(self) -> list[Message]:
        """As `netlink.Conn.receive`."""
        async with self._receiving:
            reply = Reply(self._inbox)
            messages: list[Message] = []
            try:
                while not reply.done:
                    messages += reply.feed(await self._next("receive"))
                    if reply.error:
                        raise reply.error
            except BaseException:
                reply.cut()
                raise
            if reply.interrupted:
                mark_interrupted(messages)
            return messages

    async def receive_iter(self) -> AsyncGenerator[Message]:
        """As `netlink.Conn.receive_iter`, for `async for`. aclose() drops the rest of a multi-part reply."""
        async with self._receiving:
            reply = Reply(self._inbox)
            at_hand: Iterator[Message] = iter(())
            try:
                while not reply.done:
                    at_hand = iter(reply.feed(await self._next("receive")))
                    for message in at_hand:
                        yield message
                    self._turns.owners["read"] = _asyncio.current_task()
                    if reply.error:
                        raise reply.error
            except GeneratorExit:
                self._leave(reply, at_hand)
                raise
            except BaseException:
                reply.cut()
                raise

    async def _next(self, op: str) -> list[Message]:
        """The next datagram; waits for it."""
        while (datagram := self._next_queued()) is None:
            await self._readable(op)
        return datagram

    async def _readable(self, op: str) -> None:
        """Until there may be something to read, or a deadline or the end to be found by trying."""
        loop = _asyncio.get_running_loop()
        fd = self._sock.fileno()
        if fd < 0:
            raise OpError(op, _errno.EBADF)
        loop.add_reader(fd, self._turns.changed)
        try:
            await self._turns.change(op, ("read",))
        finally:
            # In close, where the descriptor's number may be somebody else's by now, it is gone already.
            if not self._turns.is_closed:
                loop.remove_reader(fd)

    async def execute(self, m: Message) -> list[Message]:
        """As `netlink.Conn.execute`."""
        async with self._executing:
            if self._inbox.abandoned:
                self._drop_abandoned()
            (request,) = self._prepared((m,))
            answer = Answer(self._inbox, request)
            replies: list[Message] = []
            try:
                await self._send("send", [request])
                while not answer.done:
                    datagram = self._next_queued() if answer.queued_only else await self._next("receive")
                    if datagram is None:
                        break
                    replies += answer.feed(datagram)
                    if answer.error:
                        raise answer.error
            except BaseException as error:
                answer.cut(error)
                raise
            if answer.interrupted:
                mark_interrupted(replies)
            return replies

    def close(self) -> None:
        """Close the connection. Calls of other tasks that wait end with OpError (errno EBADF).

        May be called from any thread; from another than the event loop's, waiting calls end in the loop's next round.
        """
        if self._turns.is_closed:
            return
        self._turns.is_closed = True
        run_in(self._turns.loop, self._release)

    def _release(self) -> None:
        loop = self._turns.loop
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._sock.fileno())
        self._turns.changed()
        self._sock.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()
