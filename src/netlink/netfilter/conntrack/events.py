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
from netlink.netfilter.conntrack.filter import check_filter
from netlink.netfilter.conntrack.records import Command, Event, Flow
from netlink.netfilter.nfnetlink import hints_given
from netlink.stream import Kind, Resync, Stream

if TYPE_CHECKING:
    from collections.abc import Collection
    from os import PathLike

    from netlink.netfilter.conntrack.filter import Filter

__all__ = ["listen"]

_GROUPS = {
    Event.NEW: NetfilterGroup.CONNTRACK_NEW,
    Event.UPDATE: NetfilterGroup.CONNTRACK_UPDATE,
    Event.DESTROY: NetfilterGroup.CONNTRACK_DESTROY,
}
_ALL = Event.NEW | Event.UPDATE | Event.DESTROY
_NEEDS: frozenset[Literal["counters", "timestamp"]] = frozenset({"counters", "timestamp"})
_CREATED = int(HeaderFlags.CREATE | HeaderFlags.EXCL)
_KINDS = (
    Kind(Command.NEW, Flow, Event.NEW, mask=_CREATED, flags=_CREATED),
    Kind(Command.NEW, Flow, Event.UPDATE, mask=_CREATED),
    Kind(Command.DELETE, Flow, Event.DESTROY),
)
# Bytes. More than an event has, and no power of 2: adjacent slots would share lines of the cache.
_SLOT = 8192 + 64
_HINTS = {errno.ENOMEM: "name fewer addresses, networks and ports in the filter, or raise the limit"}


@overload
def listen(
    events: Event = ...,
    *,
    filter: Filter | None = ...,
    reliable: bool = ...,
    read_buffer: int | None = ...,
    needs: Collection[Literal["counters", "timestamp"]] | None = ...,
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
    needs: Collection[Literal["counters", "timestamp"]] | None = ...,
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
    needs: Collection[Literal["counters", "timestamp"]] | None = ...,
    on_overrun: Literal["resync"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Flow, Resync]: ...
def listen(
    events: Event = _ALL,
    *,
    filter: Filter | None = None,
    reliable: bool = False,
    read_buffer: int | None = None,
    needs: Collection[Literal["counters", "timestamp"]] | None = None,
    on_overrun: Literal["raise", "mark", "resync"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Flow, Any]:
    """Open a stream of changes of flows: a `Stream` of `Flow`, each with its `event`.

    events: the kinds of events. UPDATE is frequent: many events for each flow.
    filter: the kernel runs it on each event: events that do not match take no room in the read buffer. The criteria
        that the kernel cannot apply are applied here. Events that do not match are no loss.
    reliable: the kernel repeats the delivery if the read buffer is full (NETLINK_BROADCAST_ERROR): no DESTROY is lost,
        and the next event of a flow reports its other changes. Flows with undelivered events stay in the table: it
        fills up if the stream is not read.
    read_buffer: bytes to queue. The kernel doubles the value, and charges 1,280 bytes for an event of any size:
        16,777,216 hold 26,000 events. NetlinkWarning if the kernel permits less; `Stream.read_buffer` returns the size
        in effect. None: 16,777,216, or as much of it as the kernel permits.
    needs: what you need of DESTROY events, which alone have it: "counters", "timestamp", both or () for none.
        NetlinkWarning if a sysctl disables it. None: both, if you request DESTROY alone.
    on_overrun: the policy for losses: events that the kernel dropped because the read buffer was full. `Stream.lost`
        counts them under every policy.
        "raise": Overrun is raised after the events before the loss; the next read continues.
        "mark": the Overrun is an item of the iteration, between flows or batches.
        "resync": after the events that were queued, a `ResyncBegin`, all flows of the table with an `event` of None and
        a `ResyncEnd` follow, and then the later events. A flow that is not in the table has ended. `Mirror` uses this.
    netns: the network namespace, as in `netlink.Config`.

    NetlinkWarning if a sysctl disables requested events.
    OpError: PermissionError without CAP_NET_ADMIN. ValueError for an unknown policy, no events, needs without DESTROY,
    or a filter that is too long for the kernel. TypeError for events of another type.
    """
    wrong = f"events must be one or more of Event.NEW, Event.UPDATE and Event.DESTROY, not {events!r}"
    if isinstance(events, bool) or not isinstance(events, int):
        raise TypeError(wrong)
    # As ints: ~ of an IntFlag has only the bits of its flags.
    if not events or int(events) & ~int(_ALL):
        raise ValueError(wrong)
    chosen = Event(events)
    check_filter(filter)
    if filter is not None and filter.event is not None:
        chosen &= filter.event
        if not chosen:
            raise ValueError(f"the filter's event, {filter.event!r}, is not in events, {events!r}")
    if needs is None:
        needs = _NEEDS if chosen == Event.DESTROY else ()
    elif not _NEEDS.issuperset(needs) or (needs and not chosen & Event.DESTROY):
        raise ValueError(f'needs has "counters" or "timestamp" of DESTROY events, not {needs!r} of {chosen!r}')
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
        # After all that needs a permission. A warning may be raised as an error.
        opened.enter_context(flows)
        _sysctl.warn_of_events(netns, chosen, needs)
        opened.pop_all()
    return flows
