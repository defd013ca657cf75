"""One test for both connections: an `AsyncConn` with the verbs of a `Conn`, in an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Self, cast

from netlink import Conn
from netlink.aio import AsyncConn

_END = object()


class Driven:
    """Does each verb to its end. All of them belong to one task, as those of a test over a `Conn` to one thread."""

    def __init__(self, conn: AsyncConn) -> None:
        self.conn = conn
        self._loop = asyncio.new_event_loop()
        self._next: asyncio.Future[tuple[Awaitable[Any], asyncio.Future[Any]]] = self._loop.create_future()
        self._task = self._loop.create_task(self._work())

    async def _work(self) -> None:
        while True:
            what, done = await self._next
            self._next = self._loop.create_future()
            try:
                done.set_result((await what, None))
            except BaseException as error:  # not the future's: for a KeyboardInterrupt the loop would not stop
                done.set_result((None, error))
            del what, done

    def do(self, what: Awaitable[Any]) -> Any:
        done: asyncio.Future[Any] = self._loop.create_future()
        self._next.set_result((what, done))
        value, error = self._loop.run_until_complete(done)
        if error is not None:
            raise error
        return value

    def shut(self) -> None:
        """End the loop. The connection is left as it is."""
        if self._loop.is_closed():
            return
        self._task.cancel()
        self._loop.run_until_complete(asyncio.gather(self._task, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _iterate(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        async def following() -> Any:
            return await anext(items, _END)

        try:
            while (item := self.do(following())) is not _END:
                yield item
        finally:
            if not self._loop.is_closed():  # which closed it
                self.do(items.aclose())  # type: ignore[attr-defined]

    def receive_iter(self) -> Iterator[Any]:
        return self._iterate(self.conn.receive_iter())

    def iter_dump(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        return self._iterate(self.conn.iter_dump(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.conn, name)
        if not asyncio.iscoroutinefunction(value):
            return value

        def verb(*args: Any, **kwargs: Any) -> Any:
            return self.do(value(*args, **kwargs))

        return verb

    def __enter__(self) -> Self:
        self.do(self.conn.__aenter__())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.do(self.conn.__aexit__(*exc_info))

    def __repr__(self) -> str:
        return repr(self.conn)


class Drivers:
    """Makes connections of one kind, as a `Conn` each."""

    def __init__(self, tasks: bool) -> None:
        self.tasks = tasks
        self._made: list[Driven] = []

    def of(self, conn: Conn | AsyncConn) -> Conn:
        if isinstance(conn, Conn):
            return conn
        self._made.append(Driven(conn))
        return cast("Conn", self._made[-1])

    def shut(self) -> None:
        for driven in self._made:
            driven.shut()


Connect = Callable[[Any, int], Conn]
