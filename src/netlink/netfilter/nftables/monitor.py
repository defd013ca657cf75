"""Changes of the ruleset, and packets on their way through it, as streams: `listen` and `trace`."""

from __future__ import annotations

import errno
from collections import OrderedDict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Never, TypeAlias, TypeVar, overload

from netlink import stream
from netlink.config import Config
from netlink.consts import Family as _Protocol
from netlink.consts import NetfilterGroup
from netlink.errors import Overrun
from netlink.netfilter.nfnetlink import hints_given
from netlink.netfilter.nftables.family import dial, state_of
from netlink.netfilter.nftables.records import (
    Chain,
    Command,
    ElementList,
    Event,
    Flowtable,
    Generation,
    Object,
    Rule,
    Set,
    Table,
    Trace,
)
from netlink.stream import Kind, Resync, ResyncBegin, ResyncEnd, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from netlink.conn import Conn as NetlinkConn
    from netlink.netfilter.nftables.family import Conn
    from netlink.schema import Batch

__all__ = ["AnyChange", "Commit", "Commits", "TraceSteps", "listen", "trace"]

AnyChange: TypeAlias = Table | Chain | Rule | Set | ElementList | Object | Flowtable | Generation
"""A record of a stream of changes. All but `Generation` have an `event`."""

_M = TypeVar("_M", bound=Overrun | ResyncBegin | ResyncEnd)  # the marks of a stream, or Never
_KINDS: tuple[Kind[Any], ...] = (
    *(
        Kind(command, declaration, event)
        for declaration, new, delete in (
            (Table, Command.NEWTABLE, Command.DELTABLE),
            (Chain, Command.NEWCHAIN, Command.DELCHAIN),
            (Rule, Command.NEWRULE, Command.DELRULE),
            (Set, Command.NEWSET, Command.DELSET),
            (ElementList, Command.NEWSETELEM, Command.DELSETELEM),
            (Object, Command.NEWOBJ, Command.DELOBJ),
            (Flowtable, Command.NEWFLOWTABLE, Command.DELFLOWTABLE),
        )
        for command, event in ((new, Event.NEW), (delete, Event.DEL))
    ),
    Kind(Command.NEWGEN, Generation),
)
_HINTS = {errno.ENOENT: "the kernel has no nf_tables"}
_PACKETS_MAX = 4096  # whose headers are remembered
_NEWER = 1 << 31  # generations wrap around at 2**32


class Commit(NamedTuple):
    """The changes of one transaction, and the generation that they make, with the process that made it; in a resync all
    of the ruleset, and its generation."""

    generation: Generation
    changes: tuple[AnyChange, ...]


@overload
def listen(
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[AnyChange, Never]: ...
@overload
def listen(
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[AnyChange, Overrun]: ...
@overload
def listen(
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["resync"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[AnyChange, Resync]: ...
def listen(
    *,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark", "resync"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Any, Any]:
    """Open a stream of changes of the ruleset: a `Stream` of records, each with its `event`.

    The changes of a transaction are in order, and the `Generation` that they make is behind them: `Commits` has them
    together. A rule that is replaced is one event DEL and one NEW.

    read_buffer: bytes to queue, as of `netlink.stream.open`.
    on_overrun: the policy for losses: events that the kernel dropped because the read buffer was full. `Stream.lost`
        counts datagrams, each of up to some dozens of changes.
        "raise": Overrun is raised after the records before the loss; the next read continues.
        "mark": the Overrun is an item of the iteration. Read the ruleset again after either: changes up to its
        generation are in it, and may be lost or come later in the stream.
        "resync": after the events that were queued, a `ResyncBegin`, all of the ruleset with elements of sets, each
        with an `event` of None, its `Generation` and a `ResyncEnd` follow, and then the later events. Those up to
        that generation are in it already: `Commits` leaves them out. It is read as a whole, in which no transaction is
        halved; OpError (EBUSY) if it changes during each attempt, and the next read begins again.
    netns: the network namespace, as in `netlink.Config`.

    OpError: PermissionError without CAP_NET_ADMIN.
    """
    if on_overrun != "resync":
        return _opened(_KINDS, NetfilterGroup.NFTABLES, read_buffer, on_overrun, netns)
    with ExitStack() as opened:
        nft = opened.enter_context(dial(netns=netns))
        options = {"resync": lambda: _state(nft), "owns": (nft,)}
        found = _opened(_KINDS, NetfilterGroup.NFTABLES, read_buffer, on_overrun, netns, **options)
        opened.pop_all()
    return found


def _state(nft: Conn[NetlinkConn]) -> Iterator[Batch[Any]]:
    """All of the ruleset, in batches, and its generation behind it."""
    found, lists = state_of(nft)
    yield from filter(len, (found.tables, found.chains, found.sets, *lists, found.objects, found.flowtables))
    yield from filter(len, (found.rules, Generation.decode_many([Generation(id=found.generation).encode()])))


@overload
def trace(
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Trace, Never]: ...
@overload
def trace(
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Trace, Overrun]: ...
def trace(
    *,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Any, Any]:
    """Open a stream of the steps of packets through the rules: a `Stream` of `Trace`.

    Packets are traced from the rule on that sets `MetaKey.NFTRACE` to 1: each rule that matches is a step, as is the
    policy of a chain or the return from it. The headers of a packet are only in its first step in a base chain:
    `TraceSteps` adds them to the others. Options and errors are those of `listen`. A loss cannot be made good.
    """
    if on_overrun not in ("raise", "mark"):
        raise ValueError(f"on_overrun must be 'raise' or 'mark', not {on_overrun!r}: steps cannot be read again")
    return _opened((Kind(Command.TRACE, Trace),), NetfilterGroup.NFTRACE, read_buffer, on_overrun, netns)


def _opened(
    kinds: tuple[Kind[Any], ...],
    group: int,
    read_buffer: int | None,
    on_overrun: str,
    netns: int | str | PathLike[str] | None,
    **options: Any,
) -> Stream[Any, Any]:
    opener: Any = stream.open
    with hints_given(_HINTS):
        found: Stream[Any, Any] = opener(
            _Protocol.NETFILTER,
            kinds,
            groups=[group],
            config=Config(netns=netns),
            read_buffer=read_buffer,
            on_overrun=on_overrun,
            **options,
        )
    return found


class Commits(Generic[_M]):
    """The changes of a stream of `listen`, together for each transaction: an iterator and an asynchronous iterator of
    `Commit`, and of the marks of a stream with on_overrun="mark" or "resync".

    The kernel tells how much it dropped, and not where. So what was queued together with a loss is left out, and
    the rest of a transaction whose beginning was read before the Overrun. After an Overrun read the ruleset again, and
    skip commits up to its generation: they are in it, and the first may lack changes. A resync does both: between its
    marks is one `Commit` of all of the ruleset, and the commits behind are those that follow it.
    """

    def __init__(self, changes: Stream[AnyChange, _M]) -> None:
        self._stream: Stream[Any, Any] = changes
        self._changes: list[AnyChange] = []
        self._torn: int | None = None  # the low 16 bits of the generation whose changes are before and behind a loss
        self._in_resync = False
        self._known: int | None = None  # the generation of the last resync

    def __iter__(self) -> Commits[_M]:
        return self

    def __next__(self) -> Commit | _M:
        found: Commit | _M | None
        while True:
            try:
                found = self._joined(next(self._stream))
            except Overrun:
                self._tear()
                raise
            if found is not None:
                return found

    def __aiter__(self) -> Commits[_M]:
        return self

    async def __anext__(self) -> Commit | _M:
        found: Commit | _M | None
        while True:
            try:
                found = self._joined(await anext(self._stream))
            except Overrun:
                self._tear()
                raise
            if found is not None:
                return found

    def _joined(self, item: Any) -> Any:
        """The commit or loss that an item completes, or None."""
        if isinstance(item, Generation):
            changes, self._changes = self._changes, []
            torn, self._torn = self._torn == (item.id or 0) & 0xFFFF, None
            if self._in_resync:
                self._known = item.id
            elif torn or self._stream._loss_pending or self._is_known(item.id or 0):
                return None
            return Commit(item, tuple(changes))
        if isinstance(item, (Overrun, ResyncBegin, ResyncEnd)):
            self._in_resync = isinstance(item, ResyncBegin)
            self._tear()
            return item
        self._changes.append(item)
        return None

    def _is_known(self, generation: int) -> bool:
        """Whether the last resync has a generation."""
        return self._known is not None and not 0 < (generation - self._known) & 0xFFFFFFFF < _NEWER

    def _tear(self) -> None:
        """Leave out the changes before a loss, and those of their generation behind it."""
        if self._changes:
            header: Any = self._changes[-1].header
            self._torn = header.res_id if header else None
        self._changes.clear()


class TraceSteps(Generic[_M]):
    """The steps of a stream of `trace`, each with the headers of its packet: an iterator and an asynchronous iterator
    of `Trace`, and of the `Overrun` of a stream with on_overrun="mark".

    Headers are joined by `Trace.id`. The kernel uses an id again for a later packet, whose first step has new headers.
    """

    def __init__(self, steps: Stream[Trace, _M]) -> None:
        self._stream: Stream[Any, Any] = steps
        self._headers: OrderedDict[int, dict[str, bytes]] = OrderedDict()

    def __iter__(self) -> TraceSteps[_M]:
        return self

    def __next__(self) -> Trace | _M:
        found: Trace | _M = self._joined(next(self._stream))
        return found

    def __aiter__(self) -> TraceSteps[_M]:
        return self

    async def __anext__(self) -> Trace | _M:
        found: Trace | _M = self._joined(await anext(self._stream))
        return found

    def _joined(self, item: Any) -> Any:
        if not isinstance(item, Trace) or item.id is None:
            return item
        names = ("ll_header", "network_header", "transport_header")
        headers = {name: value for name in names if (value := getattr(item, name)) is not None}
        if headers:
            self._headers[item.id] = headers
            self._headers.move_to_end(item.id)
            if len(self._headers) > _PACKETS_MAX:
                self._headers.popitem(last=False)
            return item
        return item.replace(**self._headers.get(item.id, {}))
