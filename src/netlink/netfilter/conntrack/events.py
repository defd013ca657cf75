"""Events of conntrack as streams: `listen`."""

from __future__ import annotations

import errno
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Never, overload

from netlink._engine.bpf_filter import program
from netlink._engine.stream import StreamReader
from netlink.config import Config
from netlink.conn import dial
from netlink.consts import ConnOption, Family, NetfilterGroup, NetfilterSubsystem
from netlink.errors import OpError, Overrun
from netlink.netfilter import _sysctl
from netlink.netfilter._nfnetlink import explained, hinted, listening_socket, request
from netlink.netfilter.conntrack.filter import abilities, clauses, kernel_payload, match
from netlink.netfilter.conntrack.records import Event, Flow
from netlink.stream import ROWS, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    from netlink._transport import Socket
    from netlink.bpf import Instruction
    from netlink.conn import Conn
    from netlink.netfilter.conntrack.filter import Filter
    from netlink.schema import Batch

__all__ = ["listen"]

_GROUPS = {
    Event.NEW: NetfilterGroup.CONNTRACK_NEW,
    Event.UPDATE: NetfilterGroup.CONNTRACK_UPDATE,
    Event.DESTROY: NetfilterGroup.CONNTRACK_DESTROY,
}
_ALL = Event.NEW | Event.UPDATE | Event.DESTROY
_TUPLE_ORIG = 1  # CTA_TUPLE_ORIG
_POLICIES = ("raise", "mark", "resync")
# IPCTNL_MSG_CT_NEW, IPCTNL_MSG_CT_DELETE; what is new has NLM_F_CREATE and NLM_F_EXCL.
_NEW = NetfilterSubsystem.CTNETLINK << 8
_DELETE = _NEW | 2
_CREATED = 0x600
_KINDS = (
    (_NEW, _CREATED, _CREATED, int(Event.NEW)),
    (_NEW, _CREATED, 0, int(Event.UPDATE)),
    (_DELETE, 0, 0, int(Event.DESTROY)),
)
# More than an event has, and not a power of 2: slots side by side would fall on the same lines of the cache.
_SLOT = 8192 + 64
_READ_BUFFER = 16 << 20
_TOO_LONG = {errno.ENOMEM: "name fewer addresses, networks and ports in the filter, or raise it"}


@overload
def listen(
    events: Event = ...,
    *,
    filter: Filter | None = ...,
    reliable: bool = ...,
    read_buffer: int = ...,
    on_overrun: Literal["raise", "resync"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Flow, Never]: ...
@overload
def listen(
    events: Event = ...,
    *,
    filter: Filter | None = ...,
    reliable: bool = ...,
    read_buffer: int = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Flow, Overrun]: ...
def listen(
    events: Event = _ALL,
    *,
    filter: Filter | None = None,
    reliable: bool = False,
    read_buffer: int = _READ_BUFFER,
    on_overrun: Literal["raise", "mark", "resync"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Flow, Any]:
    """What happens to flows from now on: a `Stream` of `Flow`, each with its `event`.

    events: which kinds. UPDATE comes often, many times in a flow's life.
    filter: which flows. The kernel runs it on each event, so that the others take no room in the read buffer, and what
        it cannot tell there is told here; neither is a loss.
    reliable: the kernel tries again where the read buffer is full (NETLINK_BROADCAST_ERROR), so that no DESTROY is
        lost and other changes are told with the flow's next event. Flows that could not be told of stay in the table
        meanwhile: who never reads fills it.
    read_buffer: bytes that may be queued; an event takes 1,280 of them, whatever its size, and the kernel counts twice
        what is asked for: 16 MiB hold 26,000 events. `Stream.read_buffer` tells what was permitted.
    on_overrun: what happens where events were lost, since nobody read them in time. `Stream.lost` counts them in any
        case.
        "raise": Overrun is raised, behind the events that came before; the stream goes on with the next call.
        "mark": the Overrun comes in line, between the flows or batches.
        "resync": when all that was queued has been read the whole table comes, flows whose `event` is None, and then
        the events since. What is not in it has ended unseen.
    netns: of which network namespace, as in `netlink.Config`.

    Counters and timestamps come with DESTROY alone. NetlinkWarning where a sysctl keeps away what was asked for.
    OpError: PermissionError without CAP_NET_ADMIN. ValueError for an unknown policy, no events, or a filter that is too
    long for the kernel.
    """
    if on_overrun not in _POLICIES:
        raise ValueError(f"on_overrun must be one of {', '.join(map(repr, _POLICIES))}, not {on_overrun!r}")
    chosen = Event(events)
    # As ints: ~ of flags has no bit that no flag has.
    if not chosen or int(chosen) & ~int(_ALL):
        raise ValueError(f"events must be one or more of NEW, UPDATE and DESTROY, not {events!r}")
    if filter is not None and filter.event is not None:
        chosen &= filter.event
        if not chosen:
            raise ValueError(f"the filter's event, {filter.event!r}, is none of events, {events!r}")
    wanted = match(filter, events=True)
    code = None if filter is None else program(clauses(filter, events=True), Flow, _KINDS, _TUPLE_ORIG)
    _sysctl.warn_of_events(netns, chosen)
    config = Config(netns=netns)
    with ExitStack() as opened:
        sock = opened.enter_context(closing(listening_socket(config, read_buffer)))
        if reliable:
            sock.set_option(ConnOption.BROADCAST_ERROR, True)
        if code is not None:
            _attach(sock, code)
        reader = StreamReader(sock, Flow, _KINDS, event=Flow.event, count_drops=not reliable, match=wanted, slot=_SLOT)
        resync: Callable[[], Iterator[Batch[Flow]]] | None = None
        owns: tuple[Conn, ...] = ()
        if on_overrun == "resync":
            table = opened.enter_context(dial(Family.NETFILTER, config))
            with explained({}):
                payload, _ = kernel_payload(filter, None, partial(abilities, table.execute))
            whole = request(NetfilterSubsystem.CTNETLINK, 1, 0x301, payload)  # IPCTNL_MSG_CT_GET, a dump
            resync, owns = partial(table.iter_dump, whole, Flow, ROWS, match=match(filter)), (table,)
        try:
            for event in chosen:
                sock.join_group(_GROUPS[event])
        except OpError as error:
            hinted(error)
            raise
        opened.pop_all()
    return Stream(sock, reader, Flow, on_overrun=on_overrun, resync=resync, owns=owns)


def _attach(sock: Socket, code: list[Instruction]) -> None:
    try:
        sock.set_bpf(code)
    except OpError as error:
        hinted(error, _TOO_LONG)
        raise
