"""Netlink families: operations and verbs, declared once, for every kind of connection.

    class Neighbours(Family[C], protocol=NETLINK_ROUTE):
        dump = Dump(RTM.GETNEIGH, Neighbour)  # request and reply are the same declaration
        add = Do(RTM.NEWNEIGH, Neighbour, flags=CREATE | EXCL)  # acknowledged: returns None

        @verb
        def flush(self: Neighbours[Deferred], index: int) -> Steps[int]:  # several requests
            found = yield self.dump()
            answers = yield [self.delete(one) for one in found if one.index == index]
            return len(answers)

    with dial(Neighbours, netns="blue") as neighbours:
        neighbours.add(index=2, family=AF_INET, dst="192.0.2.1", lladdr="02:00:00:00:00:01")
    async with dial_async(Neighbours) as neighbours:
        await neighbours.dump()
    neighbours.conn.execute_all(neighbours.calls.add(...) for ...)

Over a `netlink.Conn` an operation or a verb returns its result, over a `netlink.aio.AsyncConn` it is awaited, and as a
member of `calls` it returns a `Call`, a request as a value.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeAlias, overload

from netlink._codec import Message
from netlink._engine.record import Batch, Field, Record
from netlink._engine.rows import Preparation, Rows
from netlink._io.address import Address
from netlink._io.exchange import Call, Connected, Dialogue, Method, Request
from netlink._io.source import kinds_of, open_source
from netlink.config import Config
from netlink.conn import ROWS, BaseConn, Conn, open_conn
from netlink.consts import ConnOption
from netlink.errors import OpError

if TYPE_CHECKING:
    from collections.abc import Collection
    from inspect import Signature
    from typing import Concatenate, Literal, Never, Protocol, Self, TypedDict, Unpack

    from typing_extensions import ParamSpec, TypeVar

    from netlink._io.source import Kinds, SocketSource
    from netlink.aio import AsyncConn
    from netlink.bpf import Instruction
    from netlink.config import ConfigOptions
    from netlink.errors import Overrun
    from netlink.match import Match
    from netlink.stream import Resync, Stream

    P = ParamSpec("P")
    C = TypeVar("C", Conn, AsyncConn, "Deferred", default=Conn)
    _F = TypeVar("_F")
    _K = TypeVar("_K", bound=BaseConn)
    _Q = TypeVar("_Q", bound=Record)
    _Q_contra = TypeVar("_Q_contra", bound=Record, contravariant=True)
    _R = TypeVar("_R")
    _R_co = TypeVar("_R_co", covariant=True)
    _T = TypeVar("_T", bound=Record)
else:
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    C = TypeVar("C")
    _Q = TypeVar("_Q")
    _R = TypeVar("_R")
    _T = TypeVar("_T")

__all__ = [
    "Address",
    "Call",
    "Deferred",
    "Dialogue",
    "Do",
    "DoMany",
    "Dump",
    "Failure",
    "Family",
    "Listen",
    "Operation",
    "Preparation",
    "Steps",
    "dial",
    "dial_async",
    "verb",
]

Steps: TypeAlias = Generator[Call[Any] | list[Call[Any]] | Message | tuple[Message, ...] | Dialogue, Any, _R | Call[_R]]
"""A verb of several requests: a generator that yields a call and is sent its result, or yields a list of calls and is
sent the list that `Conn.execute_all` returns, or yields a `netlink.Message` and is sent the messages of its reply,
or yields a tuple of messages, which go in one datagram, and is sent the answers that are queued then, as pairs: the
number of the message that is answered, and an `OpError` for a refusal, None for an acknowledgement, or else a message,
or yields a `Dialogue` and is sent the messages of its reply.
Its return value is the verb's result; if that is a `Call`, the result of the call."""


class Failure(NamedTuple):
    """A row of many that the kernel refused. row: its number, from 0 on. error: the refusal."""

    row: int
    error: OpError


class Deferred:
    """A substitute for a connection, in a family whose verbs only return calls: `Family.calls`."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config

    def execute(self, call: Call[_R]) -> Call[_R]:
        """Return the call itself."""
        return call

    def iter_dump(self, call: Call[Any], *, rows: int) -> Never:
        """TypeError: parts need a connection."""
        raise TypeError(f"{call!r} has no parts without a connection: iterate over it with the family itself")

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def __repr__(self) -> str:
        return "<no connection>"


class Family(Connected, Generic[C]):
    """The base of families: operations and verbs over a connection.

    protocol, in the class statement: NETLINK_* of linux/netlink.h.
    hints, an attribute of the class: advice by errno, for `OpError.hint`. An operation may add its own.
    """

    protocol: ClassVar[int] = -1
    hints: ClassVar[Mapping[int, str]] = {}
    _calls_of_class: ClassVar[dict[Operation[Any, ..., Any], Call[Any]]] = {}
    conn: C

    def __init_subclass__(cls, *, protocol: int | None = None) -> None:
        super().__init_subclass__()
        if protocol is not None:
            cls.protocol = protocol
        for base in cls.__mro__[1:]:
            cls.hints = {**getattr(base, "hints", {}), **cls.hints}
        cls._calls_of_class = {}

    def __init__(self, conn: C) -> None:
        self.conn = conn
        self._empty_calls = self._calls_of_class

    @property
    def calls(self) -> Any:
        """The same family with verbs that return calls: for `Conn.execute_all`.

        A subclass declares its type for type checkers: the class itself over `Deferred`.
        """
        if isinstance(self.conn, Deferred):
            return self
        if self._calls is None:
            self._calls = type(self)(Deferred(self.conn.config))  # type: ignore[arg-type]
        return self._calls

    @classmethod
    def member(cls, name: str) -> Any:
        """The operation or `Listen` of a name, None if there is none. `netlink.ynl` has names of its own."""
        found: Any = getattr(cls, name, None)
        return found if issubclass(type(found), (Operation, Listen)) and found.name == name else None

    def call(self, operation: Operation[Any, ..., Any], payload: bytes) -> Call[Any]:
        """The call of an operation."""
        return self.empty_call(operation).with_payload(payload)

    def empty_call(self, operation: Operation[Any, ..., Any]) -> Call[Any]:
        """The call of an operation with no payload, made once for a class: the pattern of all its calls."""
        calls = self._calls_of_class
        call = calls.get(operation)
        if call is None:
            call = calls[operation] = self.pattern(operation)
        return call

    def pattern(self, operation: Operation[Any, ..., Any], **options: Any) -> Call[Any]:
        """The call of an operation with any payload. A protocol overrides this method to add options of `Call`."""
        make: Any = Call
        defaults = {
            "type": operation.command,
            "reply": operation.reply,
            "dump": operation.many,
            "optional": operation.optional,
            "within": operation.within,
            "several": operation.several,
            "flags": operation.flags,
            "request": operation.request,
            "hints": {**self.hints, **operation.hints},
            "protocol": self.protocol,
        }
        call: Call[Any] = make(**defaults | options)
        return call

    def many(
        self,
        operation: Operation[Any, ..., Any],
        rows: Batch[_Q] | Iterable[_Q],
        *,
        preparation: Preparation[_Q] | None = None,
        ignore: Collection[int] = (),
    ) -> Call[list[Failure]]:
        """The call of an operation without a reply, for many records: encoded in C, many requests in a datagram.

        The kernel answers only what it refuses: the result is a list of the failures, empty if there are none.

        rows: a batch, or records of the declaration of the request.
        preparation: of what to send for a row; None: the row itself. All rows are prepared before any is sent.
        ignore: errnos that are no failure, such as EEXIST.

        TypeError for an operation with a reply.
        """
        if operation.request is None or operation.reply is not None:
            raise TypeError(f"{operation.name} is no operation for many rows: it has a reply, or no request")
        if not isinstance(rows, Batch):
            rows = list(rows)
        pattern = self.empty_call(operation)
        if pattern.skip or pattern.address is not None:
            raise TypeError(f"{operation.name} is not for many rows: its messages have the header of a protocol")
        header = pattern.message.header
        made = partial(Rows, operation.request, rows, int(header.type), int(header.flags), preparation)
        call = Call.of_rows(pattern, made, ignore)
        return Call.of_steps(partial(_failures, call), self.protocol)

    def source(self, listen: Listen[Any], **options: Any) -> SocketSource[Any]:
        """Open the source of a stream. A protocol whose numbers are looked up overrides this method.

        options: those of `netlink.stream.open_source` but for kinds, groups and config.
        """
        if listen.optional:
            raise TypeError(f"{listen.name} has optional groups, which only generic families can have")
        return open_source(self.protocol, listen.kinds, groups=listen.groups, config=self.conn.config, **options)

    @overload
    def iterate(self: Family[Conn], call: Call[Batch[_T]], rows: int = ...) -> Iterator[Batch[_T]]: ...
    @overload
    def iterate(self: Family[AsyncConn], call: Call[Batch[_T]], rows: int = ...) -> AsyncIterator[Batch[_T]]: ...
    def iterate(self: Family[Any], call: Call[Any], rows: int = ROWS) -> Any:
        """The result of a dump in batches of rows: memory does not grow with the dump."""
        return self.conn.iter_dump(call, rows=rows)

    def close(self) -> None:
        """Close the connection."""
        self.conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} over {self.conn!r}>"


def _failures(call: Call[list[Any]]) -> Steps[list[Failure]]:
    return [Failure(*pair) for pair in (yield call)]


def dial(family: Callable[[Conn], _F], config: Config | None = None, **options: Unpack[ConfigOptions]) -> _F:
    """Open a family over a new connection.

    The kernel is asked for its words on requests that it refuses, and for the attribute in question (NETLINK_EXT_ACK).
    family: its class. options: those of `netlink.Config`, instead of a config. Errors are those of `netlink.dial`.
    """
    return _opened(Conn, family, config, options)


def dial_async(family: Callable[[AsyncConn], _F], config: Config | None = None, **options: Unpack[ConfigOptions]) -> _F:
    """Open a family over a new connection for asyncio, as `dial`. A plain function, not a coroutine."""
    from netlink.aio import AsyncConn

    return _opened(AsyncConn, family, config, options)


def _opened(kind: type[_K], family: Callable[[_K], _F], config: Config | None, options: Any) -> _F:
    if config is not None and options:
        raise TypeError("want a Config or its options, not both")
    of: Any = family
    conn = open_conn(kind, of.protocol, Config(**options) if options else config)
    try:
        conn.set_option(ConnOption.EXTENDED_ACKNOWLEDGE, True)
        return family(conn)
    except BaseException:
        conn.close()
        raise


if TYPE_CHECKING:

    class _OperationOptions(TypedDict, total=False):
        flags: int
        answer: int | None
        hints: Mapping[int, str] | None
        doc: str | None

    class _ListenOptions(TypedDict, total=False):
        read_buffer: int | None
        reliable: bool
        matches: Iterable[Match[Any]]
        bpf: Collection[Instruction] | None

    class _Listening(Protocol[_T]):
        """A `Listen` of a family object."""

        @overload
        def __call__(
            self,
            *,
            on_overrun: Literal["raise"] = ...,
            **options: Unpack[_ListenOptions],
        ) -> Stream[_T, Never]: ...
        @overload
        def __call__(
            self,
            *,
            on_overrun: Literal["mark"],
            **options: Unpack[_ListenOptions],
        ) -> Stream[_T, Overrun]: ...
        @overload
        def __call__(
            self,
            *,
            on_overrun: Literal["resync"],
            **options: Unpack[_ListenOptions],
        ) -> Stream[_T, Resync]: ...

    class _Doing(Protocol[_Q_contra, P, _R_co]):  # pyright: ignore[reportInvalidTypeVarUse] - by the overload
        """An operation of a family: called with a record, or with the fields of one."""

        @overload
        def __call__(self, record: _Q_contra, /) -> _R_co: ...
        @overload
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> _R_co: ...


class Operation(Request, Generic[_Q, P, _R]):
    """A kind of request: a `Do`, a `DoMany` or a `Dump`."""

    many: ClassVar[bool] = False  # its reply is a dump
    several: ClassVar[bool] = False  # its reply is any number of messages

    def __init__(
        self,
        command: int,
        request: Any = None,
        reply: Any = None,
        *,
        flags: int = 0,
        answer: int | None = None,
        hints: Mapping[int, str] | None = None,
        doc: str | None = None,
        optional: bool = False,
        within: Field[Any] | None = None,
    ) -> None:
        for what, declaration in (("request", request), ("reply", reply)):
            if declaration is not None and not (isinstance(declaration, type) and issubclass(declaration, Record)):
                raise TypeError(f"the {what} of an operation is a declaration, not {declaration!r}")
        if (self.many or self.several) and reply is None:
            raise TypeError(f"a {type(self).__name__} needs the declaration of its reply")
        if within is not None and not self.many:
            raise TypeError("within= is that of a Dump")
        if optional and (self.many or self.several or reply is None):
            raise TypeError("a reply that is optional is that of a Do, and needs its declaration")
        super().__init__(request)
        self.command = command
        self.reply = reply
        self.flags = int(flags)
        self.answer = answer
        self.optional = optional
        self.within = within
        self.hints: Mapping[int, str] = hints or {}
        self.__doc__ = doc

    def __set_name__(self, owner: type[Family[Any]], name: str) -> None:
        _named(self, owner, name)

    @property
    def __signature__(self) -> Signature:
        from inspect import Parameter, Signature  # slow to import

        parameters = [Parameter("self", Parameter.POSITIONAL_ONLY)]
        if self.request is not None:
            fields = (*self.request.__header_fields__, *self.request.__fields__)
            parameters.append(Parameter("record", Parameter.POSITIONAL_ONLY, default=None))
            parameters += [Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in fields]
        return Signature(parameters)

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any = ..., /) -> Self: ...
        @overload
        def __get__(self, instance: Family[Conn], owner: Any = ..., /) -> _Doing[_Q, P, _R]: ...
        @overload
        def __get__(self, instance: Family[AsyncConn], owner: Any = ..., /) -> _Doing[_Q, P, Awaitable[_R]]: ...
        @overload
        def __get__(self, instance: Family[Deferred], owner: Any = ..., /) -> _Doing[_Q, P, Call[_R]]: ...
        def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.command!r}>"


def _named(what: Any, owner: type[Any], name: str) -> None:
    """Set the names of an operation as Python sets those of a method."""
    what.name = what.__name__ = name
    what.__qualname__ = f"{owner.__qualname__}.{name}"
    what.__module__ = owner.__module__


class Do(Operation[_Q, P, _R]):
    """An operation with one message as its reply: it returns a record, or None if the kernel only acknowledges.

    command: the type of the message, or the command of a generic family. request: the declaration of the request; None
    for no payload. reply: the declaration of the reply; None for an acknowledgement. flags: `HeaderFlags` such as
    CREATE and EXCL, in addition to those of every request. answer: the command of the messages of the reply, in a
    generic family; messages with another one are ignored. None for any. hints: advice by errno, in addition to that of
    the family. doc: the docstring.
    optional: whether the kernel may only acknowledge although there is a reply, as it does for requests without
    `HeaderFlags.ECHO`: the result is None then.
    """

    if TYPE_CHECKING:

        @overload
        def __new__(
            cls,
            command: int,
            request: None,
            reply: type[_T],
            *,
            optional: Literal[True],
            **options: Unpack[_OperationOptions],
        ) -> Do[Record, [], _T | None]: ...
        @overload
        def __new__(
            cls,
            command: int,
            request: Callable[P, _Q],
            reply: type[_T],
            *,
            optional: Literal[True],
            **options: Unpack[_OperationOptions],
        ) -> Do[_Q, P, _T | None]: ...

        @overload
        def __new__(
            cls,
            command: int,
            request: None = None,
            reply: None = None,
            **options: Unpack[_OperationOptions],
        ) -> Do[Record, [], None]: ...
        @overload
        def __new__(
            cls,
            command: int,
            request: None,
            reply: type[_T],
            **options: Unpack[_OperationOptions],
        ) -> Do[Record, [], _T]: ...
        @overload
        def __new__(
            cls,
            command: int,
            request: Callable[P, _Q],
            reply: None = None,
            **options: Unpack[_OperationOptions],
        ) -> Do[_Q, P, None]: ...
        @overload
        def __new__(
            cls,
            command: int,
            request: Callable[P, _Q],
            reply: type[_T],
            **options: Unpack[_OperationOptions],
        ) -> Do[_Q, P, _T]: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...


class Dump(Operation[_Q, P, _R]):
    """An operation with a dump as its reply: it returns a `Batch` of records.

    reply: the declaration of a message of the reply; by default that of the request. All else as `Do`.
    within: a `repeated` field of another declaration, which the messages are of, if the records are its items. The
        header of these messages is in no record: if it differs between them, the batch is `Batch.interrupted`.
    """

    many = True

    if TYPE_CHECKING:

        @overload
        def __new__(
            cls,
            command: int,
            request: Callable[P, _Q],
            reply: None = None,
            **options: Unpack[_OperationOptions],
        ) -> Dump[_Q, P, Batch[_Q]]: ...
        @overload
        def __new__(
            cls,
            command: int,
            request: None,
            reply: type[_T],
            *,
            within: Field[Any] | None = None,
            **options: Unpack[_OperationOptions],
        ) -> Dump[Record, [], Batch[_T]]: ...
        @overload
        def __new__(
            cls,
            command: int,
            request: Callable[P, _Q],
            reply: type[_T],
            *,
            within: Field[Any] | None = None,
            **options: Unpack[_OperationOptions],
        ) -> Dump[_Q, P, Batch[_T]]: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

    else:

        def __init__(self, command, request=None, reply=None, **options):
            super().__init__(command, request, request if reply is None else reply, **options)


class DoMany(Operation[_Q, P, _R]):
    """An operation with any number of messages as its reply, also none: it returns a `Batch` of records.

    The kernel sends them up to its acknowledgement. They are no dump: the request has no NLM_F_DUMP.

    reply: the declaration of a message of the reply; by default that of the request. All else as `Do`.
    """

    several = True

    if TYPE_CHECKING:

        @overload
        def __new__(
            cls,
            command: int,
            request: Callable[P, _Q],
            reply: None = None,
            **options: Unpack[_OperationOptions],
        ) -> DoMany[_Q, P, Batch[_Q]]: ...
        @overload
        def __new__(
            cls,
            command: int,
            request: None,
            reply: type[_T],
            **options: Unpack[_OperationOptions],
        ) -> DoMany[Record, [], Batch[_T]]: ...
        @overload
        def __new__(
            cls,
            command: int,
            request: Callable[P, _Q],
            reply: type[_T],
            **options: Unpack[_OperationOptions],
        ) -> DoMany[_Q, P, Batch[_T]]: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

    else:

        def __init__(self, command, request=None, reply=None, **options):
            super().__init__(command, request, request if reply is None else reply, **options)


class Listen(Method, Generic[_T]):
    """The multicast messages of a family: it returns a `netlink.stream.Stream`, for threads and event loops alike.

    kinds, groups: as of `netlink.stream.open`; in a generic family by command, and by the groups' names. optional:
    names of other groups of a generic family, which are joined if the kernel has them. state: the `Dump` of the same
    class that reads the entire state, for on_overrun="resync". doc: the docstring.
    The stream has a socket of its own, in the network namespace of the family's connection. It takes options of
    `netlink.stream.open`: read_buffer, on_overrun, reliable, matches, bpf.
    """

    def __init__(
        self,
        kinds: Kinds[_T],
        *,
        groups: Iterable[Any],
        optional: Iterable[str] = (),
        state: Dump[Any, ..., Any] | None = None,
        doc: str | None = None,
    ) -> None:
        self.kinds = kinds_of(kinds)
        self.groups = tuple(groups)
        self.optional = tuple(optional)
        self.state = state
        self.name = ""
        self.__doc__ = doc

    def __set_name__(self, owner: type[Family[Any]], name: str) -> None:
        _named(self, owner, name)

    @property
    def declarations(self) -> tuple[type[_T], ...]:
        """The declarations of its records."""
        return tuple(dict.fromkeys(kind.declaration for kind in self.kinds))

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any = ..., /) -> Self: ...
        @overload
        def __get__(self, instance: Family[Any], owner: Any = ..., /) -> _Listening[_T]: ...
        def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...

    def __call__(
        self,
        family: Family[Any],
        /,
        *,
        on_overrun: Any = "raise",
        read_buffer: int | None = None,
        reliable: bool = False,
        matches: Iterable[Match[Any]] = (),
        bpf: Collection[Instruction] | None = None,
    ) -> Stream[_T, Any]:
        """Open the stream, as a method of a family object."""
        from netlink.stream import Stream  # slow to import

        conn = family.conn
        if isinstance(conn, Deferred):
            raise TypeError(f"{self.name} opens a stream, which is no call: use the family itself")
        if conn.config is None:
            raise TypeError(f"{self.name} opens a stream from the kernel, which {conn!r} is not connected to")
        self.check(on_overrun)
        with ExitStack() as opened:
            owns: tuple[Family[Any], ...] = ()
            if on_overrun == "resync":
                owns = (opened.enter_context(dial(type(family), conn.config)),)
            try:
                source = family.source(self, read_buffer=read_buffer, reliable=reliable, matches=matches, bpf=bpf)
            except OpError as error:
                error.hint = error.hint or family.hints.get(error.errno or 0, "")
                raise
            opened.pop_all()
        resync = self.state_of(owns[0]) if owns else None
        found: Stream[_T, Any] = Stream(source, on_overrun=on_overrun, resync=resync, owns=owns)
        return found

    @property
    def __signature__(self) -> Signature:
        from inspect import signature  # slow to import

        of_call = signature(type(self).__call__)
        return of_call.replace(parameters=[*of_call.parameters.values()][1:])

    def check(self, on_overrun: Any) -> None:
        """ValueError for a policy that its streams do not have."""
        if on_overrun not in ("raise", "mark", "resync"):
            raise ValueError(f"on_overrun must be 'raise', 'mark' or 'resync', not {on_overrun!r}")
        if on_overrun == "resync" and self.state is None:
            raise ValueError(f"{self.name} has no dump for a resync: on_overrun must be 'raise' or 'mark'")

    def state_of(self, family: Family[Any]) -> Callable[[], Any]:
        """A function that reads the entire state over the connection of a family object."""
        assert self.state is not None
        return partial(family.iterate, getattr(family.calls, self.state.name)())

    def __repr__(self) -> str:
        return f"<Listen {self.name}>"


class verb(Method, Generic[P, _R]):  # noqa: N801 - a decorator
    """A decorator for a method of a family that returns a `Call`, or that is a generator of calls (`Steps`).

    The method is written once, for `Deferred`. Over a connection it runs or is awaited; as a member of `calls` it
    returns the call.
    """

    @overload
    def __init__(self, build: Callable[Concatenate[Any, P], Call[_R]]) -> None: ...
    @overload
    def __init__(self, build: Callable[Concatenate[Any, P], Steps[_R]]) -> None: ...
    def __init__(self, build: Any) -> None:
        self._build = build
        self._is_generator = bool(build.__code__.co_flags & 0x20)  # CO_GENERATOR
        self.__name__: str = build.__name__
        update_wrapper(self, build)

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any = ..., /) -> Self: ...
        @overload
        def __get__(self, instance: Family[Conn], owner: Any = ..., /) -> Callable[P, _R]: ...
        @overload
        def __get__(self, instance: Family[AsyncConn], owner: Any = ..., /) -> Callable[P, Awaitable[_R]]: ...
        @overload
        def __get__(self, instance: Family[Deferred], owner: Any = ..., /) -> Callable[P, Call[_R]]: ...
        def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...

    def __call__(self, family: Family[Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run the verb, as a method of a family object."""
        return family.conn.execute(self.call(family, args, kwargs))

    def call(self, family: Family[Any], args: Any, kwargs: Any) -> Call[Any]:
        """The call of the verb with these arguments. TypeError for wrong arguments."""
        if not self._is_generator:
            found: object = self._build(family.calls, *args, **kwargs)
            if not isinstance(found, Call):
                raise TypeError(f"{self.__name__} is a verb and must return a call or be a generator, not {found!r}")
            return found  # pyright: ignore[reportUnknownVariableType] - of any result
        steps = partial(self._build, family.calls, *args, **kwargs)
        steps()  # checks the arguments; this generator never begins
        return Call.of_steps(steps, family.protocol)

    def __repr__(self) -> str:
        return f"<verb {self.__name__}>"
