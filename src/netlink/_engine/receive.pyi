from collections.abc import Collection, Iterable
from typing import Any, Generic, Self, TypeVar, final

from typing_extensions import disjoint_base

from netlink._codec import Message
from netlink._engine.form import Form
from netlink._engine.ledger import Ledger
from netlink._engine.match import Match
from netlink._engine.record import Batch, Field, Record
from netlink._transport import Socket

TOO_LONG: str

_R = TypeVar("_R", bound=Record)

def batch_of(record: _R) -> Batch[_R]: ...

@final
class Declared: ...

@disjoint_base
class Receiver(Generic[_R]):
    def feed(self, datagram: list[Message]) -> None: ...

@final
class Reader(Receiver[_R]):
    def __new__(
        cls,
        declaration: type[_R],
        match: Match[_R] | None = None,
        skip: int = 0,
        answer: int | None = None,
        within: tuple[int, int, int] | None = None,
    ) -> Self: ...
    def begin(self, request: Message) -> None: ...
    def end(self) -> None: ...
    def read(self, sock: Socket | None, rows: int, patience: int) -> Batch[_R] | int: ...
    def rest(self) -> list[Message]: ...
    @property
    def done(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    @property
    def queued_only(self) -> bool: ...

@final
class StreamReader(Receiver[_R]):
    def __new__(
        cls,
        sock: Socket | None,
        kinds: Collection[tuple[int, type[_R], int | None, int, int, int | None]],
        *,
        counter: Field[Any] | tuple[Field[Any], Field[Any]] | None = None,
        first: int = 0,
        ledger: Ledger | None = None,
        count_drops: bool = True,
        matches: Iterable[Match[Any]] = (),
        slot: int,
        views: bool = False,
        sender: int | None = 0,
        user: int | None = None,
        form: Form[_R] | None = None,
        family: int = 0,
    ) -> Self: ...
    def read(self, rows: int, wait: bool, into: list[Batch[_R]] | None = None) -> Batch[_R]: ...
    def take_acknowledgement(self, sequence: int, queue: int) -> None: ...
    def end_when_empty(self, sequence: int = 0) -> None: ...
    @property
    def ended(self) -> bool: ...
    @property
    def lost(self) -> int: ...
