from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, Self, TypeVar, final, overload

from typing_extensions import Buffer, disjoint_base

from netlink._codec import Message
from netlink._engine.match import Match
from netlink._engine.receive import Reader
from netlink._engine.record import Batch, Field, Record
from netlink._engine.rows import Preparation, Rows
from netlink._io.address import Address
from netlink._io.locks import Lock, Locks
from netlink._io.parts import Parts
from netlink.errors import DecodeError, OpError

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_R = TypeVar("_R", bound=Record)
_F = TypeVar("_F", bound=Callable[..., Any])

READABLE: int
PAUSE: int
WOKEN: int

@final
class Inbox:
    def __new__(cls) -> Self: ...
    @property
    def pending(self) -> deque[list[Message]]: ...
    @property
    def abandoned(self) -> dict[int, None]: ...
    def abandon(self, sequence: int) -> None: ...
    def wanted(self, datagram: list[Message]) -> list[Message]: ...
    def put_back(self, messages: list[Message]) -> None: ...

@final
class Call(Generic[_T_co]):
    @overload
    def __init__(
        self: Call[None],
        type: int,
        payload: Buffer = b"",
        reply: None = None,
        *,
        flags: int = 0,
        request: type[Record] | None = None,
        hints: Mapping[int, str] | None = None,
        protocol: int | None = None,
        skip: int = 0,
        answer: int | None = None,
        address: Address | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Call[_R],
        type: int,
        payload: Buffer,
        reply: type[_R],
        *,
        dump: Literal[False] = False,
        flags: int = 0,
        request: type[Record] | None = None,
        hints: Mapping[int, str] | None = None,
        protocol: int | None = None,
        skip: int = 0,
        answer: int | None = None,
        address: Address | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Call[_R | None],
        type: int,
        payload: Buffer,
        reply: type[_R],
        *,
        dump: Literal[False] = False,
        optional: Literal[True],
        flags: int = 0,
        request: type[Record] | None = None,
        hints: Mapping[int, str] | None = None,
        protocol: int | None = None,
        skip: int = 0,
        answer: int | None = None,
        address: Address | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Call[Batch[_R]],
        type: int,
        payload: Buffer,
        reply: type[_R],
        *,
        dump: Literal[False] = False,
        several: Literal[True],
        flags: int = 0,
        request: type[Record] | None = None,
        hints: Mapping[int, str] | None = None,
        protocol: int | None = None,
        skip: int = 0,
        answer: int | None = None,
        address: Address | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Call[Batch[_R]],
        type: int,
        payload: Buffer,
        reply: type[_R],
        *,
        dump: Literal[True],
        match: Match[_R] | None = None,
        flags: int = 0,
        request: type[Record] | None = None,
        hints: Mapping[int, str] | None = None,
        protocol: int | None = None,
        skip: int = 0,
        answer: int | None = None,
        address: Address | None = None,
        within: Field[Any] | None = None,
    ) -> None: ...
    @staticmethod
    def of_steps(steps: Callable[[], Generator[Any, Any, _T | Call[_T]]], protocol: int | None = None) -> Call[_T]: ...
    @staticmethod
    def of_parts(parts: Parts[_R], protocol: int | None = None) -> Call[Batch[_R]]: ...
    @staticmethod
    def of_rows(call: Call[Any], rows: Callable[[], Rows[Any]], ignore: Iterable[int] = ()) -> Call[list[Any]]: ...
    def then(self, function: Callable[[Any], _T]) -> Call[_T]: ...
    def with_payload(self, payload: Buffer) -> Self: ...
    def with_type(self, type: int) -> Self: ...
    def matching(self, match: Match[Any] | None) -> Self: ...
    def explain(self, error: OpError) -> None: ...
    @property
    def message(self) -> Message: ...
    @property
    def reply(self) -> type[Record] | None: ...
    @property
    def match(self) -> Match[Any] | None: ...
    @property
    def request(self) -> type[Record] | None: ...
    @property
    def hints(self) -> Mapping[int, str] | None: ...
    @property
    def protocol(self) -> int | None: ...
    @property
    def skip(self) -> int: ...
    @property
    def answer(self) -> int | None: ...
    @property
    def address(self) -> Address | None: ...
    @property
    def optional(self) -> bool: ...
    @property
    def several(self) -> bool: ...
    @property
    def within(self) -> Field[Any] | None: ...
    @property
    def steps(self) -> Callable[[], Generator[Any, Any, _T_co]] | None: ...
    @property
    def parts(self) -> Parts[Any] | None: ...
    @property
    def dump(self) -> bool: ...

@final
class Dialogue:
    def __init__(self, message: Message, complete: Callable[[list[Message]], bool]) -> None: ...
    @property
    def message(self) -> Message: ...
    @property
    def complete(self) -> Callable[[list[Message]], bool]: ...

class Method: ...

@disjoint_base
class Connected:
    conn: Any
    _empty_calls: dict[Any, Call[Any]] | None
    _calls: Any

@disjoint_base
class Request(Method):
    name: str
    def __init__(self, request: type[Record] | None) -> None: ...
    @property
    def request(self) -> type[Record] | None: ...
    def __call__(self, family: Any, /, *records: Any, **fields: Any) -> Any: ...
    def payload(self, records: tuple[Any, ...], fields: dict[str, Any]) -> bytes: ...
    def do(
        self,
        family: Connected,
        preparation: Preparation[Any],
        record: Record,
        then: Callable[[Any], Any] | None = None,
    ) -> Any: ...
    def run(self, family: Connected, fields: dict[str, Any], then: Callable[[Any], Any] | None = None) -> Any: ...

@disjoint_base
class Bound:
    def __init__(self, operation: Bindable, family: Connected) -> None: ...
    @property
    def operation(self) -> Any: ...
    @property
    def family(self) -> Any: ...
    def run(self, kind: Any, request: Any, values: dict[str, Any], flags: int) -> Any: ...

@final
class Way:
    def __new__(cls, kind: Any, function: Callable[..., Any]) -> Self: ...
    def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

def way(kind: Any) -> Callable[[_F], _F]: ...

@disjoint_base
class Bindable:
    def __init__(
        self, bound: type[Bound], convert: Callable[[type[Record], dict[str, Any]], dict[str, Any]]
    ) -> None: ...
    @property
    def prepared(self) -> dict[Any, tuple[Any, dict[str, tuple[Any, ...]] | None]]: ...
    def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...

@final
class Exchange:
    sequence: int
    def __new__(
        cls,
        sock: Any,
        pid: int,
        sequence: int,
        protocol: int | None = None,
        debugger: Any = None,
        patience: int = 64,
    ) -> Self: ...
    @property
    def pid(self) -> int: ...
    @property
    def protocol(self) -> int | None: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def locks(self) -> Locks: ...
    @property
    def beside(self) -> Callable[[], Any] | None: ...
    def attach(self, locks: Locks, beside: Callable[[], Any] | None) -> None: ...
    def send(self, op: str, ms: Iterable[Message]) -> Generator[Any, Any, list[Message]]: ...
    def messages(
        self,
        m: Message | None,
        call: Call[Any] | None,
        sent: Message | None = None,
        error: Exception | None = None,
    ) -> Generator[Any, Any, Any]: ...
    def receive(self) -> Generator[Any, Any, list[Message]]: ...
    def receive_iter(self) -> Generator[Any, Any]: ...
    def execute(self, m: Message, call: Call[Any] | None = None) -> Generator[Any, Any, Any]: ...
    def dump(
        self, m: Message, reader: Reader[_R], rows: int, call: Call[Any] | None = None
    ) -> Generator[Any, Any, Batch[_R]]: ...
    def parts(
        self, request: Message | Call[Any], declaration: type[Record] | None, rows: int, match: Match[Any] | None
    ) -> Generator[Any, Any, Any]: ...
    def do(self, m: Message | Call[Any]) -> Generator[Any, Any, Any]: ...
    def call(self, call: Call[_T]) -> Generator[Any, Any, _T]: ...
    def converse(self, dialogue: Dialogue) -> Generator[Any, Any, list[Message]]: ...
    def follow(self, steps: Generator[Any, Any, Any], leave_last: bool = False) -> Generator[Any, Any, Any]: ...
    def call_iter(self, call: Call[Any], rows: int) -> Generator[Any, Any]: ...
    def together(
        self, messages: tuple[Message, ...]
    ) -> Generator[Any, Any, list[tuple[int, Message | OpError | DecodeError | None]]]: ...
    def many(self, rows: Rows[Any], call: Call[Any], ignore: Collection[int]) -> Generator[Any, Any, list[Any]]: ...
    def call_all(self, calls: list[Call[Any]]) -> Generator[Any, Any, list[Any]]: ...
    def receive_from_double(self) -> list[Message]: ...

def run(exchange: Exchange, lock: Lock, steps: Generator[Any, Any, _T]) -> _T: ...
def iterate(exchange: Exchange, lock: Lock, steps: Generator[Any, Any, Any]) -> Iterator[Any]: ...

@disjoint_base
class Blocking:
    _exchange: Exchange
    _receiving: Lock
    _executing: Lock
    def receive(self) -> list[Message]: ...
    @overload
    def execute(self, m: Message) -> list[Message]: ...
    @overload
    def execute(self, m: Call[_T]) -> _T: ...
