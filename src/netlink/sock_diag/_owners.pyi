from collections.abc import Iterable, Mapping
from typing import Any, final

from netlink.schema import Batch

@final
class Owners:
    refused: int
    def __new__(cls, pids: Iterable[int] | None = None, proc: str = "/proc") -> Owners: ...
    def __len__(self) -> int: ...
    def by_inode(self) -> dict[int, list[tuple[int, int]]]: ...

def rows(
    batch: Batch[Any],
    family_of: Mapping[Any, int],
    kind: int,
    statuses: Mapping[Any, str],
    owners: Owners | None,
    connection: type[tuple[Any, ...]],
    address: type[tuple[Any, ...]],
    into: list[Any],
) -> None: ...
