from collections.abc import Mapping
from typing import Any, Generic, Self, final, overload

from typing_extensions import Buffer, TypeVar

from netlink._engine.record import Record

_T_co = TypeVar("_T_co", covariant=True)

@final
class Source:
    def __init__(
        self,
        payload: str,
        *,
        family: str | None = None,
        protocol: str | None = None,
        hook: str | None = None,
        link: str | None = None,
        framed: bool = False,
    ) -> None: ...
    @property
    def parts(self) -> Mapping[str, Part[Any]]: ...
    def again(self) -> Self: ...
    def bind(self, cls: type[Record]) -> None: ...
    def columns(self, binary: bool) -> list[Any]: ...

@final
class Part(Generic[_T_co]):
    def __init__(self, part: str, *, enum: type[Any] | None = None) -> None: ...
    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None, /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None, /) -> _T_co: ...
    def load(self, record: Record) -> _T_co: ...

def fix_checksums(packet: Buffer) -> bytes: ...
