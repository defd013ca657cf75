"""Waiting in an event loop, which may belong to another thread, not run, or be closed."""

from __future__ import annotations

import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from netlink._io.locks import Lock

__all__ = ["Readiness", "pause", "run_in"]


class Readiness:
    """Tasks of an event loop that wait for a readable descriptor, `wake` or a deadline.

    fileno: returns the descriptor, negative after its close. A task must check why it was woken.
    """

    __slots__ = ("_fileno", "_futures", "_readers", "loop")

    def __init__(self, fileno: Callable[[], int]) -> None:
        self._fileno = fileno
        self._futures: set[asyncio.Future[None]] = set()
        self._readers = 0  # number of tasks that wait for the descriptor
        self.loop: asyncio.AbstractEventLoop | None = None

    def bind(self) -> asyncio.AbstractEventLoop:
        """Bind to the running loop, and return it. RuntimeError if tasks of another loop are waiting."""
        import asyncio

        loop = asyncio.get_running_loop()
        if self._futures and loop is not self.loop:
            raise RuntimeError("tasks of another event loop are waiting")
        self.loop = loop
        return loop

    async def wait(self, *, readable: bool = False, until: float | None = None) -> None:
        """Wait for `wake`, with readable also for the descriptor, at most until a time.monotonic()."""
        loop = self.bind()
        fd = self._fileno() if readable else -1
        future: asyncio.Future[None] = loop.create_future()
        if fd >= 0:
            if not self._readers:
                loop.add_reader(fd, self.wake)
            self._readers += 1
        self._futures.add(future)
        timer = None if until is None else loop.call_later(max(until - time.monotonic(), 0), _finish, future)
        try:
            await future
        finally:
            if timer:
                timer.cancel()
            self._futures.discard(future)
            if fd >= 0:
                self._readers -= 1
                # After a close the number may have another owner; `forget` has removed the reader.
                if not self._readers and self._fileno() >= 0:
                    loop.remove_reader(fd)

    async def acquire(self, lock: Lock) -> None:
        """Acquire a lock for the running task. OpError as of `Lock.take_for`, or ETIMEDOUT."""
        import asyncio

        self.bind()
        task = asyncio.current_task()
        while not lock.take_for(task):
            await self.wait(until=lock.until())

    def wake(self) -> None:
        """Wake all waiting tasks."""
        for future in self._futures:
            _finish(future)

    def wake_soon(self) -> None:
        """`wake`, from any thread or signal handler, through the pipe of the loop."""
        if self.loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(self.wake)

    def forget(self) -> None:
        """Remove the descriptor from the loop before it is closed, and wake all tasks."""
        if self._readers and self.loop is not None and not self.loop.is_closed():
            self.loop.remove_reader(self._fileno())
        self.wake()


async def pause() -> None:
    """Let other tasks run."""
    import asyncio

    await asyncio.sleep(0)


def run_in(loop: asyncio.AbstractEventLoop | None, call: Callable[[], object]) -> None:
    """Call a function that uses the loop: now if it does not run or is this thread's, else in its next iteration."""
    if loop is not None and loop.is_running():
        import asyncio

        try:
            here = asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if not here:
            try:
                loop.call_soon_threadsafe(call)
            except RuntimeError:  # closed meanwhile
                pass
            else:
                return
    call()


def _finish(future: asyncio.Future[None]) -> None:
    """Complete a future, unless it is done."""
    if not future.done():
        future.set_result(None)
