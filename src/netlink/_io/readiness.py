"""What connections and streams need of an event loop that may be another thread's, at rest or closed."""

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
    """Waiting in an event loop: until a descriptor may be read, `wake` is called, or a time has come.

    fileno: gives the descriptor, negative once it is closed. Neither result says that there is something: look again.
    """

    __slots__ = ("_fileno", "_futures", "_readers", "loop")

    def __init__(self, fileno: Callable[[], int]) -> None:
        self._fileno = fileno
        self._futures: set[asyncio.Future[None]] = set()
        self._readers = 0  # who wait for the descriptor
        self.loop: asyncio.AbstractEventLoop | None = None

    def bind(self) -> asyncio.AbstractEventLoop:
        """The running loop, which is the one of all who wait. RuntimeError where another one has waiting tasks."""
        import asyncio

        loop = asyncio.get_running_loop()
        if self._futures and loop is not self.loop:
            raise RuntimeError("tasks of another event loop are waiting for it")
        self.loop = loop
        return loop

    async def wait(self, *, readable: bool = False, until: float | None = None) -> None:
        """Wait: with readable also for the descriptor; not beyond until, seconds of time.monotonic()."""
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
                # Once it is closed the number may be somebody else's; `forget` has taken it off.
                if not self._readers and self._fileno() >= 0:
                    loop.remove_reader(fd)

    async def acquire(self, lock: Lock) -> None:
        """Take a lock for the running task. OpError as its `take_for` says, or ETIMEDOUT."""
        import asyncio

        self.bind()
        task = asyncio.current_task()
        while not lock.take_for(task):
            await self.wait(until=lock.until())

    def wake(self) -> None:
        """Let all who wait look again."""
        for future in self._futures:
            _finish(future)

    def wake_soon(self) -> None:
        """`wake`, from any thread or signal handler: of the latter a loop sees only what comes through its pipe."""
        if self.loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(self.wake)

    def forget(self) -> None:
        """Take the descriptor, which is about to be closed, out of the loop, and wake all."""
        if self._readers and self.loop is not None and not self.loop.is_closed():
            self.loop.remove_reader(self._fileno())
        self.wake()


async def pause() -> None:
    """Let other tasks run."""
    import asyncio

    await asyncio.sleep(0)


def run_in(loop: asyncio.AbstractEventLoop | None, call: Callable[[], object]) -> None:
    """Call what touches the loop: now where the loop is at rest or this thread's, else in its next round."""
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
    """Wake who awaits it, unless that was done."""
    if not future.done():
        future.set_result(None)
