"""Events of rtnetlink as streams: `listen`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal, Never, TypeVar, overload

from netlink import stream
from netlink.config import Config
from netlink.consts import Family, HeaderFlags
from netlink.errors import Overrun
from netlink.match import Criteria, ManyNumbers, numbers
from netlink.route.event import Event
from netlink.route.family import dial
from netlink.route.objects import object_of
from netlink.route.route import Route
from netlink.schema import Batch, Record
from netlink.stream import Kind, Resync, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike

    from netlink.conn import Conn as NetlinkConn
    from netlink.route.family import Conn
    from netlink.route.object import Object

__all__ = ["listen"]

_R = TypeVar("_R", bound=Record)
_REPLACE = int(HeaderFlags.REPLACE)


class _Tables(Criteria[Route], declaration=Route):
    """The tables of the routes of a stream."""

    table: ManyNumbers = numbers("table")


@overload
def listen(
    *declarations: type[_R],
    tables: Iterable[int] | None = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[_R, Never]: ...
@overload
def listen(
    *declarations: type[_R],
    tables: Iterable[int] | None = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[_R, Overrun]: ...
@overload
def listen(
    *declarations: type[_R],
    tables: Iterable[int] | None = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["resync"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[_R, Resync]: ...
def listen(
    *declarations: type[Any],
    tables: Iterable[int] | None = None,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark", "resync"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Any, Any]:
    """Open a stream of changes of objects: a `Stream` of the records of these classes, each with its `event`.

    declarations: such as `Link` and `Route`. Their records come in the order of the events.
    tables: those of the routes. The kernel drops the events of others, so that they take no room in the read buffer.
    read_buffer: bytes to queue, as of `netlink.stream.open`.
    on_overrun: the policy for losses: events that the kernel dropped because the read buffer was full. `Stream.lost`
        counts them under every policy.
        "raise": Overrun is raised after the events before the loss; the next read continues.
        "mark": the Overrun is an item of the iteration, between records or batches.
        "resync": after the events that were queued, a `ResyncBegin`, all objects with an `event` of None and a
        `ResyncEnd` follow, and then the later events. An object that is not there has ended. `Mirror` uses this.
    netns: the network namespace, as in `netlink.Config`.

    Some changes have no event: routes of IPv4 go with their link, or with the address that they prefer.

    It needs no privilege. TypeError for a class without events. ValueError for no class, or for tables without `Route`.
    """
    if not declarations:
        raise ValueError("listen needs a class of records, such as Link")
    objects = [object_of(declaration) for declaration in declarations]
    for each in objects:
        if not each.groups:
            raise TypeError(f"rtnetlink has no events of {each.declaration.__name__}")
    chosen = None if tables is None else tuple(dict.fromkeys(tables))
    if chosen is not None and Route not in declarations:
        raise ValueError("tables are those of routes: listen to Route, too")
    wanted = None if chosen is None else _Tables(table=chosen)
    config = Config(netns=netns)
    kinds = [kind for each in objects for kind in _kinds_of(each)]
    options: dict[str, Any] = {}
    with ExitStack() as opened:
        if on_overrun == "resync":
            other = opened.enter_context(dial(netns=netns))
            options = {"resync": lambda: _state(other, objects, chosen), "owns": (other,)}
        found: Stream[Any, Any] = stream.open(
            Family.ROUTE,
            kinds,
            groups=[group for each in objects for group in each.groups],
            config=config,
            read_buffer=read_buffer,
            on_overrun=on_overrun,
            matches=() if wanted is None else (wanted.match(events=True),),
            bpf=None if wanted is None else wanted.bpf(kinds, always=Route.table),
            **options,
        )
        opened.pop_all()
    return found


def _kinds_of(of: Object[Any]) -> Iterator[Kind[Any]]:
    """The messages of the events of an object."""
    if of.reports_replaced:
        yield Kind(of.new, of.declaration, Event.REPLACE, mask=_REPLACE, flags=_REPLACE)
        yield Kind(of.new, of.declaration, Event.NEW, mask=_REPLACE)
    else:
        yield Kind(of.new, of.declaration, Event.NEW)
    if of.gone is not None:
        yield Kind(of.gone, of.declaration, Event.DEL)


def _state(rt: Conn[NetlinkConn], objects: Iterable[Object[Any]], tables: Iterable[int] | None) -> Iterator[Batch[Any]]:
    """All objects, in batches.

    The kernel does not report changes during most dumps. Their events are in the stream, behind all of this.
    """
    for each in objects:
        if each.declaration is Route and tables is not None:
            for table in tables:
                yield from rt.iter_dump(Route, table=table)
        else:
            yield from rt.iter_dump(each.declaration)
