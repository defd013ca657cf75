from collections.abc import Sequence
from typing import Generic, Self, TypeVar, final

from netlink._engine.record import Batch, Record

_R = TypeVar("_R", bound=Record)

@final
class Doubles:
    def __new__(cls, declaration: type[Record], key: Sequence[Sequence[str]], rows: int = 0) -> Self: ...
    def remove(self, batch: Batch[Record]) -> None: ...

@final
class Whole(Generic[_R]):
    def __new__(cls, declaration: type[_R], rows: int = 0) -> Self: ...
    def add(self, batch: Batch[_R]) -> None: ...
    def finish(self) -> Batch[_R]: ...
