from collections.abc import Collection
from typing import Any, Generic, Self, TypeVar, final

from netlink._engine.match import Match
from netlink._engine.record import Batch, Field, Record
from netlink._transport import Socket

_R = TypeVar("_R", bound=Record)

@final
class StreamReader(Generic[_R]):
    def __new__(
        cls,
        sock: Socket,
        declaration: type[_R],
        kinds: Collection[tuple[int, int, int, int]],
        *,
        event: Field[Any] | None = None,
        counter: Field[Any] | None = None,
        count_drops: bool = True,
        match: Match[_R] | None = None,
        slot: int,
        keeps: bool = False,
        sender: int = 0,
    ) -> Self: ...
    def read(self, rows: int, wait: bool, into: list[Batch[_R]] | None = None) -> Batch[_R]: ...
    def await_acknowledgement(self, sequence: int) -> None: ...
    def end_after(self, sequence: int) -> None: ...
    @property
    def ended(self) -> bool: ...
    @property
    def lost(self) -> int: ...
