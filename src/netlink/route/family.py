"""Requests to rtnetlink: `Conn`, `dial` and `dial_async`."""

from __future__ import annotations

import errno
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, cast, overload

from netlink import family as _family
from netlink.config import Config
from netlink.consts import ConnOption, Family
from netlink.errors import OpError
from netlink.family import C, Call, Deferred, Failure, Steps, verb
from netlink.route.dump import selection
from netlink.route.link import ExtMask, Link, LinkFlags
from netlink.route.link.check import named
from netlink.route.link.objects import LINK
from netlink.route.objects import OBJECTS, add, object_of, verb_of
from netlink.route.route import Route
from netlink.schema import Batch, Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
    from typing import ParamSpec, Unpack

    from netlink.aio import AsyncConn
    from netlink.config import ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.route.object import Object

    P = ParamSpec("P")

__all__ = ["Conn", "add_objects", "dial", "dial_async"]

_R = TypeVar("_R", bound=Record)
_T = TypeVar("_T")

if TYPE_CHECKING:
    _request = verb
else:

    def _request(build: Any) -> Any:
        """A verb of one request: as an operation does, it returns a call, a result, or what is awaited."""
        return build


class Conn(_family.Family[C], protocol=Family.ROUTE):
    """Requests to rtnetlink over a `netlink.Conn` or a `netlink.aio.AsyncConn`, with their rules for threads, tasks,
    closing and errors.

    The class of a record says which object a verb is about: `Link`, `Address`, `Route`, `Neighbour`, `Rule`, `Nexthop`
    and the others. TypeError if the object does not have the verb. ValueError for a request that would do harm, or that
    the kernel would refuse without a reason.

    Every method raises OpError: PermissionError without CAP_NET_ADMIN in the user namespace of the network namespace,
    FileNotFoundError or ProcessLookupError if there is no such object, FileExistsError if there is one already.
    """

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    def _do(self, verb: str, record: Record) -> Call[None]:
        """What the operation of a verb returns for a record."""
        operation, preparation = verb_of(type(record), verb)
        done: Call[None] = operation.do(self, preparation, record)
        return done

    # Reading

    if TYPE_CHECKING:

        @overload
        def get(self: Conn[NetlinkConn], record: _R, /) -> _R: ...
        @overload
        def get(self: Conn[AsyncConn], record: _R, /) -> Awaitable[_R]: ...
        @overload
        def get(self: Conn[Deferred], record: _R, /) -> Call[_R]: ...
        def get(self: Any, record: Any, /) -> Any: ...
        @overload
        def dump(
            self: Conn[NetlinkConn], declaration: Callable[P, _R], /, *args: P.args, **fields: P.kwargs
        ) -> Batch[_R]: ...
        @overload
        def dump(
            self: Conn[AsyncConn], declaration: Callable[P, _R], /, *args: P.args, **fields: P.kwargs
        ) -> Awaitable[Batch[_R]]: ...
        @overload
        def dump(
            self: Conn[Deferred], declaration: Callable[P, _R], /, *args: P.args, **fields: P.kwargs
        ) -> Call[Batch[_R]]: ...
        def dump(self: Any, declaration: Any, /, *args: Any, **fields: Any) -> Any: ...
        @overload
        def iter_dump(
            self: Conn[NetlinkConn], declaration: Callable[P, _R], /, *args: P.args, **fields: P.kwargs
        ) -> Iterator[Batch[_R]]: ...
        @overload
        def iter_dump(
            self: Conn[AsyncConn], declaration: Callable[P, _R], /, *args: P.args, **fields: P.kwargs
        ) -> AsyncIterator[Batch[_R]]: ...
        def iter_dump(self: Any, declaration: Any, /, *args: Any, **fields: Any) -> Any: ...

    else:

        def get(self, record: Record, /) -> Any:
            """The object that a record identifies: a link by index or name, a nexthop by id.

            Of a `Route` it is the route that the kernel takes to an address.
            """
            operation, preparation = verb_of(type(record), "get")
            return operation.do(self, preparation, record)

        @verb
        def dump(self, declaration: type[Record], /, **fields: Any) -> Call[Batch[Record]]:
            """All objects of a class, or those whose fields have these values: `dump(Route, table=100, oif=3)`.

            The kernel selects as far as it can, and everything is compared again in C: the result is the same on every
            kernel. Fields are numbers and addresses; dst and src with a prefix are that prefix. TypeError for others.
            A table or link that is not there is an empty batch. The kernel reports no changes during a dump of routes,
            neighbours and rules; `Batch.interrupted` is for links, addresses and nexthops.
            """
            of, call = self._dump(declaration, fields)
            return Call.of_steps(partial(_dumped, of, call), self.protocol)

        def iter_dump(self, declaration: type[Record], /, **fields: Any) -> Any:
            """`dump` in batches of some thousand records: memory does not grow with the table."""
            of, call = self.calls._dump(declaration, fields)
            batches = self.iterate(call)
            return (
                _without_missing_async(of, batches) if hasattr(batches, "__anext__") else _without_missing(of, batches)
            )

    def _dump(self, declaration: type[Record], fields: dict[str, Any]) -> tuple[Object[Any], Call[Any]]:
        """The object of a declaration, and the call of its dump."""
        of: Object[Any] = object_of(declaration)
        operation, _ = of.verb("dump")
        request, match = selection(of, fields)
        call = self.call(operation, request.encode())
        return of, call if match is None else call.matching(match)

    # Changes

    if TYPE_CHECKING:

        @overload
        def create(self: Conn[NetlinkConn], record: _R, /) -> _R: ...
        @overload
        def create(self: Conn[AsyncConn], record: _R, /) -> Awaitable[_R]: ...
        @overload
        def create(self: Conn[Deferred], record: _R, /) -> Call[_R]: ...
        def create(self: Any, record: Any, /) -> Any: ...

    else:

        def create(self, record: Record, /) -> Any:
            """Create an object, and return it: a link as the kernel has made it, with its index; others as given.

            FileExistsError if there is one already.
            """
            of = object_of(type(record))
            operation, preparation = of.verb("create")
            if not of.echo:
                return operation.do(self, preparation, record, lambda _: record)
            echo = self.calls.call(of.operations["create_echo"], preparation.payload(record))
            return self.conn.execute(Call.of_steps(partial(self.calls._created, echo, record), self.protocol))

    def _created(self: Conn[Deferred], echo: Call[Any], record: Any) -> Steps[Any]:
        created = yield echo
        if created is None and getattr(record, "name", None) is not None:
            created = yield self.get(record)  # the kernel is too old to return what it has made
        return record if created is None else created

    @_request
    def replace(self: Conn[Deferred], record: Record, /) -> Call[None]:
        """Create an object, or change the one that is there."""
        return self._do("replace", record)

    @_request
    def append(self: Conn[Deferred], record: Record, /) -> Call[None]:
        """Create an object beside those that are there: a route of the same destination, a further entry."""
        return self._do("append", record)

    @_request
    def update(self: Conn[Deferred], record: Record, /) -> Call[None]:
        """Change an object that is there: set all fields that the record has."""
        return self._do("update", record)

    @_request
    def delete(self: Conn[Deferred], record: Record, /) -> Call[None]:
        """Delete the object that a record identifies. All fields that it has must agree.

        ValueError for a rule without any field: the kernel would delete the first rule.
        """
        return self._do("delete", record)

    @verb
    def create_many(
        self: Conn[Deferred],
        records: Batch[Any] | Iterable[Record],
        /,
        *,
        replace: bool = False,
        ignore: Collection[int] = (),
    ) -> Call[list[Failure]]:
        """Create many objects of one class, and return those that the kernel refused: an empty list if there are none.

        The requests are encoded in C, and many go into a datagram. The kernel answers only what it refuses.

        replace: change those that are there. ignore: errnos that are no failure, such as EEXIST.
        ValueError, and nothing is sent, if a record is refused here.
        """
        return self._many("replace" if replace else "create", records, ignore)

    @verb
    def delete_many(
        self: Conn[Deferred], records: Batch[Any] | Iterable[Record], /, *, ignore: Collection[int] = ()
    ) -> Call[list[Failure]]:
        """Delete many objects of one class, as `create_many` creates them. ignore: such as ESRCH, for routes."""
        return self._many("delete", records, ignore)

    def _many(self, verb: str, records: Any, ignore: Collection[int]) -> Call[list[Failure]]:
        rows: list[Any] | Batch[Any] = records if _is_batch(records) else list(records)
        if not len(rows):
            rows = []  # of no class
        declaration = cast("type[Record]", type(rows[0])) if rows else Route
        of: Object[Any] = object_of(declaration)
        operation, preparation = of.verb(verb)
        return self.many(operation, rows, preparation=preparation, ignore=ignore)

    if TYPE_CHECKING:

        @overload
        def flush(
            self: Conn[NetlinkConn], declaration: Callable[P, Record], /, *args: P.args, **fields: P.kwargs
        ) -> int: ...
        @overload
        def flush(
            self: Conn[AsyncConn], declaration: Callable[P, Record], /, *args: P.args, **fields: P.kwargs
        ) -> Awaitable[int]: ...
        @overload
        def flush(
            self: Conn[Deferred], declaration: Callable[P, Record], /, *args: P.args, **fields: P.kwargs
        ) -> Call[int]: ...
        def flush(self: Any, declaration: Any, /, *args: Any, **fields: Any) -> Any: ...

    else:

        @verb
        def flush(self, declaration: type[Record], /, **fields: Any) -> Call[int]:
            """Delete the objects that `dump` finds with these fields, and return their number.

            ValueError without a field: it would delete everything. The error of the first deletion that fails is raised
            after all others are done, except for objects that are gone meanwhile.
            """
            if not any(value is not None for value in fields.values()):
                raise ValueError(
                    f"flush needs a field, such as table= or index=: it would delete every {declaration.__name__}"
                )
            of, call = self._dump(declaration, fields)
            of.verb("delete")
            return Call.of_steps(partial(self._flush, of, call), self.protocol)

    def _flush(self, of: Object[Any], call: Call[Any]) -> Steps[int]:
        found: Batch[Any] = yield Call.of_steps(partial(_dumped, of, call), self.protocol)
        failed: list[Failure] = yield self._many("delete", found, _GONE)
        if failed:
            raise failed[0].error
        return len(found)

    # Links by name

    @overload
    def _link(self, verb: str, link: str | int, then: None = None, **fields: int) -> Call[None]: ...
    @overload
    def _link(self, verb: str, link: str | int, then: Callable[[Link], _T], **fields: int) -> Call[_T]: ...
    def _link(self, verb: str, link: str | int, then: Any = None, **fields: int) -> Any:
        """What the operation of a verb returns for a link, and for fields. then: as of `Call.then`."""
        return LINK.operations[verb].run(self, {**named(link), **fields}, then)

    @_request
    def index(self: Conn[Deferred], name: str, /) -> Call[int]:
        """The index of a link, by its name or one of its alternative names: one request, not a dump."""
        return self._link("get", name, _index_of, ext_mask=ExtMask.SKIP_STATS)

    @_request
    def name(self: Conn[Deferred], index: int, /) -> Call[str]:
        """The name of a link, by its index."""
        return self._link("get", index, _name_of, ext_mask=ExtMask.SKIP_STATS)

    @_request
    def up(self: Conn[Deferred], link: str | int, /) -> Call[None]:
        """Bring a link up, by its name or index."""
        return self._link("update", link, flags=LinkFlags.UP, change=LinkFlags.UP)

    @_request
    def down(self: Conn[Deferred], link: str | int, /) -> Call[None]:
        """Bring a link down, by its name or index."""
        return self._link("update", link, flags=0, change=LinkFlags.UP)


_index_of: Callable[[Link], int] = attrgetter("index")
_name_of: Callable[[Link], str] = attrgetter("name")


def _is_batch(records: Any) -> TypeGuard[Batch[Any]]:
    return isinstance(records, Batch)


# Objects that are gone before they are deleted.
_GONE = frozenset((errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL))


def _dumped(of: Object[Any], call: Call[Any]) -> Steps[Any]:
    """The batch of a dump; an empty one if what it is about is not there."""
    try:
        return (yield call)
    except OpError as error:
        if error.errno not in of.missing:
            raise
    return of.declaration.decode_many(())


def _without_missing(of: Object[Any], batches: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from batches
    except OpError as error:
        if error.errno not in of.missing:
            raise


async def _without_missing_async(of: Object[Any], batches: Any) -> Any:
    try:
        async for batch in batches:
            yield batch
    except OpError as error:
        if error.errno not in of.missing:
            raise


def add_objects(objects: Iterable[Object[Any]]) -> None:
    """Add objects to those that the verbs are for. Their operations are those of the family."""
    for each in objects:
        add(each)
        for verb_name, operation in each.operations.items():
            name = f"{verb_name}_{each.name}"
            setattr(Conn, name, operation)
            operation.__set_name__(Conn, name)


add_objects(OBJECTS)


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to rtnetlink. options: those of `netlink.Config`; strict is True unless it is given.

    Errors are those of `netlink.dial`.
    """
    rt: Conn[NetlinkConn] = _opened(_family.dial, config, options)
    return rt


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to rtnetlink for asyncio, as `dial`. A plain function, not a coroutine."""
    rt: Conn[AsyncConn] = _opened(_family.dial_async, config, options)
    return rt


def _opened(opener: Any, config: Config | None, options: Any) -> Any:
    if config is not None:
        rt = opener(Conn, config, **options)
    elif "strict" in options:
        rt = opener(Conn, **options)
    else:
        try:
            rt = opener(Conn, **options, strict=True)
        except OpError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise
            rt = opener(Conn, **options)  # the kernel ignores fields of dumps, which are compared here
    rt.conn.set_option(ConnOption.CAP_ACKNOWLEDGE, True)  # errors need no copy of the request
    return rt
