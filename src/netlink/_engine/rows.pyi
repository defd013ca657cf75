from collections.abc import Callable, Iterable
from typing import Generic, Self, TypeVar, final

from netlink._engine.record import Batch, Record

_R = TypeVar("_R", bound=Record)

@final
class Preparation(Generic[_R]):
    def __new__(
        cls,
        declaration: type[_R],
        prepare: Callable[[_R], _R] | None = None,
        by_shape: bool = False,
        text: tuple[str, int] | None = None,
    ) -> Self: ...
    @property
    def declaration(self) -> type[_R]: ...
    def payload(self, record: _R) -> bytes: ...

@final
class Rows(Generic[_R]):
    def __new__(
        cls,
        declaration: type[_R],
        rows: Batch[_R] | Iterable[_R],
        type: int,
        flags: int,
        preparation: Preparation[_R] | None = None,
    ) -> Self: ...
    @property
    def declaration(self) -> type[_R]: ...
    @property
    def count(self) -> int: ...
    @property
    def next(self) -> int: ...
    def payload_in(self, datagram: bytes, n: int) -> bytes: ...
    def datagram(self, sequence: int, pid: int, room: int, most: int) -> bytes: ...
