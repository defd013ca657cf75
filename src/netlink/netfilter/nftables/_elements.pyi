from collections.abc import Callable, Iterable
from typing import Any, final

from netlink._engine.record import Batch, Field, Record

_Part = tuple[Any, int, str]

@final
class Payloads:
    def __new__(cls, field: Field[Any], head: bytes) -> Payloads: ...
    def payloads(self) -> list[bytes]: ...
    def add_records(self, rows: Batch[Any] | Iterable[Record]) -> None: ...
    def add_keys(
        self,
        keys: Any,
        parts: tuple[_Part, ...],
        slow: Callable[[Any, Any, bool], tuple[bytes, bytes]],
        template: Callable[[Any], bytes],
        *,
        value: _Part | None = None,
        end: bytes | None = None,
        spans: bool = False,
        is_map: bool = False,
        name: str | None = None,
    ) -> None: ...

def repeats(batch: Batch[Any], key: Field[Any], flags: Field[Any]) -> bool: ...
