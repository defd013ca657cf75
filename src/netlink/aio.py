"""The same connection for asyncio: `dial` and `AsyncConn`.

    async with netlink.aio.dial(Family.ROUTE) as conn:
        replies = await conn.execute(request)

It uses add_reader of the running event loop, with neither a thread nor a loop of its own.
"""

from __future__ import annotations

import asyncio as _asyncio
from typing import TYPE_CHECKING, Any, overload

from netlink._engine.receive import Reader
from netlink._io.exchange import PAUSE, WOKEN, Call
from netlink._io.locks import Locks
from netlink._io.readiness import Readiness, run_in
from netlink.conn import ROWS, BaseConn, open_conn
from netlink.errors import OpError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable
    from typing import Self, TypeVar

    from netlink._codec import Message
    from netlink._engine.match import Match
    from netlink._engine.record import Batch, Record
    from netlink._io.locks import Lock
    from netlink.config import Config
    from netlink.conn import Socket

    _T = TypeVar("_T")
    _R = TypeVar("_R", bound=Record)

__all__ = ["AsyncConn", "dial"]

# Seconds between attempts to send: a netlink socket polls as writable even if its peer's receive buffer is full.
_SEND_PAUSE_MIN, _SEND_PAUSE_MAX = 0.001, 0.02


def dial(family: int, config: Config | None = None) -> AsyncConn:
    """Open a connection as `netlink.dial` does, for use in one event loop. A plain function, not a coroutine."""
    return open_conn(AsyncConn, family, config)


class AsyncConn(BaseConn):
    """A `netlink.Conn` with coroutine methods. `netlink.aio.dial` opens one over a real socket; `AsyncConn(sock, pid)`
    is for tests, as `netlink.Conn(sock, pid)`. `async with` closes it.

    The tasks of one event loop may share it. It has a lock to send and a lock to receive; `execute` holds both. A
    waiting receive never blocks a send. The connection stays usable if a task is cancelled: the rest of the reply to
    its request is dropped. `close` may also be called from another thread.

    Errors are those of `netlink.Conn`.
    """

    _readiness: Readiness
    # Datagrams to read before other tasks may run: two milliseconds.
    _patience = 4

    def __init__(self, sock: Socket, pid: int) -> None:
        self.start(sock, pid, None, None, None)

    def _new_locks(self) -> Locks:
        self._readiness = Readiness(getattr(self._sock, "fileno", lambda: -1))
        return Locks(self._readiness.wake, self._readiness.wake_soon)

    async def _run(self, lock: Lock, steps: Generator[Any, Any, Any]) -> Any:
        """Run a generator of the exchange, and return its result."""
        await self._readiness.acquire(lock)
        try:
            return (await self._step(steps))[1]
        finally:
            lock.release()

    async def _iterate(self, lock: Lock, steps: Generator[Any, Any, Any]) -> AsyncGenerator[Any]:
        """Run a generator of the exchange, and yield its items."""
        await self._readiness.acquire(lock)
        try:
            while not (step := await self._step(steps))[0]:
                for item in step[1]:
                    yield item
                lock.hand_over(_asyncio.current_task())
        finally:
            try:
                steps.close()
            finally:
                lock.release()

    async def _step(self, steps: Generator[Any, Any, Any]) -> tuple[bool, Any]:
        """Run a generator to its next items or to its end: (False, the items) or (True, the result)."""
        want: Any
        given: Any = None
        error: BaseException | None = None
        while True:
            try:
                want = steps.send(given) if error is None else steps.throw(error)
            except StopIteration as stop:
                return True, stop.value
            given = error = None
            if type(want) not in (int, tuple):
                return False, want
            try:
                given = await self._perform(want)
            except BaseException as raised:
                error = raised

    async def _perform(self, want: int | tuple[str, list[Message] | bytes]) -> list[Message] | None:
        """Do what a generator requests, and return the value to send to it."""
        if isinstance(want, tuple):
            await self._send(*want)
        elif want == PAUSE:
            await _asyncio.sleep(0)
        elif want == WOKEN:
            await self._readiness.wait(until=self._locks.receive_deadline)
        elif not hasattr(self._sock, "wait_readable"):
            return self._exchange.receive_from_double()
        else:
            await self._readiness.wait(readable=True, until=self._locks.receive_deadline)
        return None

    async def _send(self, op: str, requests: list[Message] | bytes) -> None:
        sock = self._sock
        if not hasattr(sock, "send_nowait"):
            sock.send(requests[0]) if op == "send" else sock.send_messages(requests)
            return
        pause = _SEND_PAUSE_MIN
        whole = isinstance(requests, bytes)
        while not (sock.send_bytes(op, requests, False) if whole else sock.send_nowait(op, requests)):
            await _asyncio.sleep(pause)
            pause = min(2 * pause, _SEND_PAUSE_MAX)

    async def send(self, m: Message) -> Message:
        """As `netlink.Conn.send`."""
        sent: Message = (await self._run(self._sending, self._exchange.send("send", (m,))))[0]
        return sent

    async def send_messages(self, ms: Iterable[Message]) -> list[Message]:
        """As `netlink.Conn.send_messages`."""
        sent: list[Message] = await self._run(self._sending_messages, self._exchange.send("send-messages", ms))
        return sent

    async def receive(self) -> list[Message]:
        """As `netlink.Conn.receive`."""
        messages: list[Message] = await self._run(self._receiving, self._exchange.receive())
        return messages

    def receive_iter(self) -> AsyncGenerator[Message]:
        """As `netlink.Conn.receive_iter`, for `async for`. aclose() drops the rest of a multi-part reply."""
        return self._iterate(self._iterating, self._exchange.receive_iter())

    @overload
    async def execute(self, m: Message) -> list[Message]: ...
    @overload
    async def execute(self, m: Call[_T]) -> _T: ...
    async def execute(self, m: Any) -> Any:
        """As `netlink.Conn.execute`."""
        return await self._run(self._executing, self._exchange.do(m))

    async def execute_all(self, calls: Iterable[Call[_T]]) -> list[_T | OpError]:
        """As `netlink.Conn.execute_all`."""
        answers: list[_T | OpError] = await self._run(self._executing, self._exchange.call_all(list(calls)))
        return answers

    async def dump(self, request: Message, declaration: type[_R], *, match: Match[_R] | None = None) -> Batch[_R]:
        """As `netlink.Conn.dump`. Other tasks may run every few milliseconds."""
        steps = self._exchange.dump(request, Reader(declaration, match), 0)
        batch: Batch[_R] = await self._run(self._executing, steps)
        return batch

    @overload
    def iter_dump(
        self, request: Message, declaration: type[_R], rows: int = ..., *, match: Match[_R] | None = None
    ) -> AsyncGenerator[Batch[_R]]: ...
    @overload
    def iter_dump(
        self, request: Call[Batch[_R]], declaration: None = None, rows: int = ..., *, match: None = None
    ) -> AsyncGenerator[Batch[_R]]: ...
    def iter_dump(
        self, request: Any, declaration: Any = None, rows: int = ROWS, *, match: Any = None
    ) -> AsyncGenerator[Batch[Any]]:
        """As `netlink.Conn.iter_dump`, for `async for`. aclose() drops the rest."""
        return self._iterate(self._dumping, self._exchange.parts(request, declaration, rows, match))

    def close(self) -> None:
        """Close the connection. Methods that wait in other tasks end with OpError (errno EBADF).

        May be called from any thread. If called outside the event loop's thread, they end in the loop's next iteration.
        """
        if self._locks.close():
            run_in(self._readiness.loop, self._release)

    def _release(self) -> None:
        self._readiness.forget()
        self._sock.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()
