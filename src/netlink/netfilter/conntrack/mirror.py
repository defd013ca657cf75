"""A mapping of flows that follows the kernel: `Mirror`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from netlink._io.outlet import Items, QueueOutlet
from netlink.netfilter.conntrack.events import listen
from netlink.netfilter.conntrack.filter import check_filter
from netlink.netfilter.conntrack.records import Event, Flow, Status, Tuple
from netlink.netfilter.nfnetlink import NfGenMsg
from netlink.stream import ResyncBegin, ResyncEnd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike
    from typing import Self

    from netlink.netfilter.conntrack.filter import Filter
    from netlink.schema import Batch
    from netlink.stream import Resync

__all__ = ["Change", "Changes", "FlowKey", "Mirror"]

_HEADER = len(NfGenMsg().encode())
# Fields whose changes the kernel reports by an event. All others change without one.
_REPORTED = ("status", "mark", "protoinfo", "reply", "helper", "labels", "secctx", "synproxy", "master")


class FlowKey(NamedTuple):
    """The identity of a flow: the kernel reuses ids, and tuples occur again."""

    zone: int
    id: int
    orig: Tuple


class Change(NamedTuple):
    """A change of one flow. event: NEW, UPDATE or DESTROY.

    flow: its current state. For DESTROY its last state, with the counters and times of the event.
    before: its previous state in the mirror; None for NEW.
    """

    event: Event
    flow: Flow
    before: Flow | None


class Mirror(QueueOutlet[Change], Mapping[FlowKey, Flow]):
    """The flows of the kernel: a mapping from `FlowKey` to `Flow` that is current while its changes are read.

    It begins with a dump, and applies events to it. After a loss of events it reads the flows again, and reports the
    differences as changes. A flow is looked up by its key, or by a flow with the same zone, id and `orig`.

    A flow has the fields of the last dump and of later events: `timeout` and `use` become outdated, and the counters
    are those of the dump.

    Threads or the tasks of one event loop may read changes; each change goes to one reader. Other threads may look up
    flows meanwhile; `copy` returns a dict for iteration. An exception that interrupts a reader, such as a
    KeyboardInterrupt, makes the next read load the flows again.
    """

    def __init__(
        self,
        *,
        filter: Filter | None = None,  # noqa: A002 - as of listen
        reliable: bool = False,
        read_buffer: int | None = None,
        netns: int | str | PathLike[str] | None = None,
    ) -> None:
        """Read all flows, and wait for them. `asyncio.to_thread(Mirror)` does not block an event loop.

        filter: selects flows. ValueError for mark, status or event: a flow must match during its entire life.
        reliable, read_buffer, netns: as of `listen`, as are errors and warnings.
        """
        check_filter(filter)
        if filter is not None and any(
            each.mark is not None or each.status is not None or each.event is not None
            for each in (filter, *filter.exclude)
        ):
            raise ValueError("a mirror's filter must not have mark, status or event: they change during a flow's life")
        super().__init__()
        self._flows: dict[FlowKey, Flow] = {}
        self._fresh: dict[FlowKey, Flow] | None = None  # the flows of the current resync so far
        self._filled = False
        self._stream = listen(
            filter=filter, reliable=reliable, read_buffer=read_buffer, on_overrun="resync", netns=netns
        )
        try:
            self._stream.resync()
            while not self._filled:
                self._apply(self._stream.read())
            self._queue.clear()
        except BaseException:
            self._stream.close()
            raise

    # Flows

    def __getitem__(self, key: FlowKey | Flow) -> Flow:
        return self._flows[key_of(key) if isinstance(key, Flow) else key]

    def __contains__(self, key: object) -> bool:
        return (key_of(key) if isinstance(key, Flow) else key) in self._flows

    def __iter__(self) -> Iterator[FlowKey]:
        return iter(self._flows)

    def __len__(self) -> int:
        return len(self._flows)

    def copy(self) -> dict[FlowKey, Flow]:
        """A dict of the current flows."""
        return self._flows.copy()

    # Changes

    def changes(self, *, idle: float | None = None) -> Changes:
        """The changes one by one: an iterator and an asynchronous iterator.

        It ends after idle seconds without a change, and after `stop`. The mirror may be ahead of the current change, by
        some thousand changes.
        """
        return Changes(self, 0, idle)

    def _make(self, timeout: float | None) -> bool:
        """Apply the next item of the stream. Returns False after the timeout, and at the end."""
        try:
            return self._apply(self._stream.read(timeout))
        except BaseException:
            self._doubt()
            raise

    async def _amake(self, timeout: float | None) -> bool:
        import asyncio

        try:
            # No other task runs between these two calls.
            return self._apply(await self._stream.aread(timeout))
        except asyncio.CancelledError:  # a stream loses nothing then
            raise
        except BaseException:
            self._doubt()
            raise

    def _doubt(self) -> None:
        """Request a resync: an item of the stream may be missing in the flows."""
        self._fresh = None
        self._stream.resync()

    def _apply(self, item: Batch[Flow] | Resync) -> bool:
        if isinstance(item, ResyncBegin):
            self._fresh = {}
        elif isinstance(item, ResyncEnd):
            self._replace()
        else:
            for flow in item:
                if flow.event is None:
                    self._collect(flow)
                else:
                    self._follow(flow)
            return len(item) > 0
        return True

    def _collect(self, flow: Flow) -> None:
        """Add a flow of a resync."""
        # A dying flow stays in the kernel's table for a moment after its DESTROY event.
        if self._fresh is not None and not _is_dying(flow):
            self._fresh[key_of(flow)] = flow

    # A signal handler may raise behind a call, but not between an addition to the queue and the assignments after it:
    # each change is applied and handed out, or neither.

    def _replace(self) -> None:
        """Replace the flows by those of a resync."""
        fresh = self._fresh
        if fresh is None:
            return
        found: list[Change] = []
        if self._filled:
            for key, before in self._flows.items():
                if key not in fresh:
                    found.append(Change(Event.DESTROY, before, before))
            for key, flow in fresh.items():
                known = self._flows.get(key)
                if known is None:
                    found.append(Change(Event.NEW, flow, None))
                elif _differ(known, flow):
                    found.append(Change(Event.UPDATE, flow, known))
        queue = self._queue
        queue += found
        self._flows, self._fresh, self._filled = fresh, None, True

    def _follow(self, flow: Flow) -> None:
        """Apply an event to the flows."""
        key = key_of(flow)
        before = self._flows.get(key)
        queue = self._queue
        if flow.event == Event.DESTROY or _is_dying(flow):
            if before is not None:
                queue += (Change(Event.DESTROY, _merged(before, flow), before),)
                del self._flows[key]
        elif before is not None:
            after = _merged(before, flow)
            # No change if the dump included it already.
            if _differ(before, after):
                queue += (Change(Event.UPDATE, after, before),)
            self._flows[key] = after
        else:
            # A copy: the flow and its tuple would hold the memory of their entire batch.
            after = Flow.decode(flow.encode())
            key = key_of(after)
            queue += (Change(Event.NEW, after, None),)
            self._flows[key] = after

    # State

    @property
    def lost(self) -> int:
        """The number of events lost so far. After each loss the flows were read again."""
        return self._stream.lost

    def fileno(self) -> int:
        """The file descriptor of the events' socket, -1 once closed: for select and the like, not for reading."""
        return self._stream.fileno()

    def stop(self) -> None:
        """End the changes after the queued events, as `Stream.stop`."""
        self._stream.stop()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._stream.closed

    def close(self) -> None:
        """Close the mirror. Its flows stay. Waiting reads end with OpError (errno EBADF)."""
        self._locks.close()
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Mirror of {len(self)} flows{' closed' if self.closed else ''}>"


class Changes(Items[Change]):
    """The iterator of `Mirror.changes`. A second iteration continues the first."""


def key_of(flow: Flow) -> FlowKey:
    """The key of a flow with an id, such as a flow from the kernel."""
    return FlowKey(flow.zone or 0, flow.id or 0, flow.orig)


def _is_dying(flow: Flow) -> bool:
    return bool((flow.status or 0) & Status.DYING)


def _merged(before: Flow, flow: Flow) -> Flow:
    """A flow, updated by an event, which has only the changed fields. The last of equal attributes counts."""
    return Flow.decode(flow.encode()[:_HEADER] + before.encode()[_HEADER:] + flow.encode()[_HEADER:])


def _differ(before: Flow, flow: Flow) -> bool:
    # An event leaves out a mark of 0, and fields that the flow does not have.
    return any((getattr(before, name) or None) != (getattr(flow, name) or None) for name in _REPORTED)
