"""What connections and streams need of an event loop that may be another thread's, at rest or closed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["finish", "run_in"]


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


def finish(future: asyncio.Future[None]) -> None:
    """Wake who awaits it, unless that was done."""
    if not future.done():
        future.set_result(None)
