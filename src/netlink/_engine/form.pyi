from collections.abc import Iterable, Mapping
from typing import Generic, Self, TypeAlias, TypeVar, final

from typing_extensions import disjoint_base

from netlink._engine.record import Record

TOO_LONG: str

_R = TypeVar("_R", bound=Record)

_Members: TypeAlias = Mapping[str, int | tuple[int, int]]

@disjoint_base
class Form(Generic[_R]):
    @property
    def declaration(self) -> type[_R]: ...
    @property
    def missing(self) -> int: ...
    def attributes(self, datagram: bytes) -> bytes | None: ...

@final
class Payloads(Form[_R]):
    def __new__(cls, declaration: type[_R], *, begin: tuple[int, bytes] = ...) -> Self: ...

@final
class Layouts(Form[_R]):
    def __new__(
        cls,
        declaration: type[_R],
        members: _Members,
        *,
        on: int = 0,
        cases: Mapping[int, _Members | None] | None = None,
        otherwise: _Members | None = None,
        begin: tuple[int, bytes] = ...,
        counter: tuple[int, int] | None = None,
    ) -> Self: ...

@final
class Texts(Form[_R]):
    def __new__(
        cls,
        declaration: type[_R],
        all: str,
        *,
        any_of: Iterable[str] = ...,
        begin: tuple[int, bytes] = ...,
        within: tuple[int, int] | None = None,
    ) -> Self: ...

@final
class Stamped(Form[_R]):
    def __new__(cls, declaration: type[_R], *, type: str, time: str, serial: str, text: str) -> Self: ...
