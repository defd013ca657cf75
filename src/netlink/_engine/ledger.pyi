from typing import Any, Self, final

from netlink._engine.record import Field

@final
class Number:
    def __new__(cls, fields: Field[Any] | tuple[Field[Any], Field[Any]]) -> Self: ...

@final
class Ledger:
    def __new__(cls, most: int) -> Self: ...
    @property
    def pending(self) -> int: ...
    @property
    def refused(self) -> dict[int, int]: ...
