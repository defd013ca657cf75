from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar, final

from netlink._engine.record import Record

_R = TypeVar("_R", bound=Record)

class Condition(NamedTuple):
    fields: tuple[tuple[str, ...], ...]
    values: tuple[Any, ...]
    mask: int | None = ...
    absent_is_zero: bool = ...

@final
class Match(Generic[_R]):
    def __init__(self, declaration: type[_R], clauses: Sequence[Sequence[Condition]]) -> None: ...
    def __call__(self, record: _R) -> bool: ...
