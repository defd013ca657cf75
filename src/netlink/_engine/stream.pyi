from collections.abc import Collection, Iterable
from typing import Any, Generic, Self, TypeVar, final

from netlink._engine.match import Match
from netlink._engine.record import Batch, Field, Record
from netlink._transport import Socket

_R = TypeVar("_R", bound=Record)

def batch_of(record: _R) -> Batch[_R]: ...

@final
class Declared: ...

@final
class StreamReader(Generic[_R]):
    def __new__(
        cls,
        sock: Socket,
        kinds: Collection[tuple[int, type[_R], int | None, int, int]],
        *,
        counter: Field[Any] | None = None,
        count_drops: bool = True,
        matches: Iterable[Match[Any]] = (),
        slot: int,
        keeps: bool = False,
        sender: int = 0,
    ) -> Self: ...
    def read(self, rows: int, wait: bool, into: list[Batch[_R]] | None = None) -> Batch[_R]: ...
    def await_acknowledgement(self, sequence: int) -> None: ...
    def end_when_empty(self, sequence: int = 0) -> None: ...
    @property
    def ended(self) -> bool: ...
    @property
    def lost(self) -> int: ...
