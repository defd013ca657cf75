"""Events of conntrack as streams: `listen`."""

from __future__ import annotations

import errno
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Never, overload

from netlink import stream
from netlink.config import Config
from netlink.consts import Family, HeaderFlags, NetfilterGroup
from netlink.errors import Overrun
from netlink.netfilter import _sysctl
from netlink.netfilter.conntrack.family import dial
from netlink.netfilter.conntrack.records import Command, Event, Flow
from netlink.netfilter.nfnetlink import hints_given
from netlink.stream import Kind, Resync, Stream

if TYPE_CHECKING:
    from os import PathLike

    from netlink.netfilter.conntrack.filter import Filter

__all__ = ["listen"]

_GROUPS = {
    Event.NEW: NetfilterGroup.CONNTRACK_NEW,
    Event.UPDATE: NetfilterGroup.CONNTRACK_UPDATE,
    Event.DESTROY: NetfilterGroup.CONNTRACK_DESTROY,
}
_ALL = Event.NEW | Event.UPDATE | Event.DESTROY
_CREATED = int(HeaderFlags.CREATE | HeaderFlags.EXCL)
_KINDS = (
    Kind(Command.NEW, Flow, Event.NEW, mask=_CREATED, flags=_CREATED),
    Kind(Command.NEW, Flow, Event.UPDATE, mask=_CREATED),
    Kind(Command.DELETE, Flow, Event.DESTROY),
)
# More than an event has, and not a power of 2: slots side by side would fall on the same lines of the cache.
_SLOT = 8192 + 64
_HINTS = {errno.ENOMEM: "name fewer addresses, networks and ports in the filter, or raise it"}


@overload
def listen(
    events: Event = ...,
    *,
    filter: Filter | None = ...,
    reliable: bool = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Flow, Never]: ...
@overload
def listen(
    events: Event = ...,
    *,
    filter: Filter | None = ...,
    reliable: bool = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Flow, Overrun]: ...
@overload
def listen(
    events: Event = ...,
    *,
    filter: Filter | None = ...,
    reliable: bool = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["resync"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Flow, Resync]: ...
def listen(
    events: Event = _ALL,
    *,
    filter: Filter | None = None,
    reliable: bool = False,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark", "resync"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Flow, Any]:
    """What happens to flows from now on: a `Stream` of `Flow`, each with its `event`.

    events: which kinds. UPDATE comes often, many times in a flow's life.
    filter: which flows. The kernel runs it on each event, so that the others take no room in the read buffer, and what
        it cannot tell there is sorted out here; neither is a loss.
    reliable: the kernel tries again where the read buffer is full (NETLINK_BROADCAST_ERROR), so that no DESTROY is
        lost and other changes come with the flow's next event. Flows whose events could not be delivered stay in the
        table meanwhile: who never reads fills it.
    read_buffer: bytes that may be queued. The kernel doubles what is set, and takes 1,280 bytes of that for an event,
        whatever its size: 16 MiB hold 26,000 events. NetlinkWarning where less was permitted; `Stream.read_buffer`
        tells how much. None: 16 MiB, or what of that is permitted.
    on_overrun: what happens where events were lost, because nobody read them in time. `Stream.lost` counts them in any
        case.
        "raise": Overrun is raised, behind the events that came before; the stream goes on with the next call.
        "mark": the Overrun comes in line, between the flows or batches.
        "resync": when all that was queued has been read, the whole table comes between a `ResyncBegin` and a
        `ResyncEnd`, flows whose `event` is None, and then the events since. What is not in it has ended unseen.
        `Mirror` is made of this.
    netns: of which network namespace, as in `netlink.Config`.

    Counters and timestamps come with DESTROY alone. NetlinkWarning where a sysctl keeps away what was
    asked for: the events themselves, and what DESTROY brings where it alone is asked for.
    OpError: PermissionError without CAP_NET_ADMIN. ValueError for an unknown policy, no events, or a filter that is too
    long for the kernel.
    """
    chosen = Event(events)
    # As ints: ~ of flags has no bit that no flag has.
    if not chosen or int(chosen) & ~int(_ALL):
        raise ValueError(f"events must be one or more of NEW, UPDATE and DESTROY, not {events!r}")
    if filter is not None and filter.event is not None:
        chosen &= filter.event
        if not chosen:
            raise ValueError(f"the filter's event, {filter.event!r}, is none of events, {events!r}")
    config = Config(netns=netns)
    options: dict[str, Any] = {}
    with ExitStack() as opened, hints_given(_HINTS):
        if on_overrun == "resync":
            table = opened.enter_context(dial(config))
            flows_of = None if filter is None else filter.without("event")
            options = {"resync": partial(table.iter_dump, flows_of), "owns": (table,)}
        flows: Stream[Flow, Any] = stream.open(
            Family.NETFILTER,
            _KINDS,
            groups=[_GROUPS[event] for event in chosen],
            config=config,
            read_buffer=read_buffer,
            on_overrun=on_overrun,
            reliable=reliable,
            matches=() if filter is None else (filter.match(events=True),),
            bpf=None if filter is None else filter.bpf(_KINDS, always=Flow.orig),
            slot=_SLOT,
            **options,
        )
        opened.pop_all()
        # Behind what needs a permission; a warning may be made an error.
        opened.enter_context(flows)
        _sysctl.warn_of_events(netns, chosen)
        opened.pop_all()
    return flows
