from collections.abc import Iterable
from typing import Self, final

from netlink._engine.record import Record

@final
class Blocks:
    def __new__(cls, declaration: type[Record], link_type: int, raw: bool, snaplen: int) -> Self: ...
    def packets(self, packets: Iterable[Record], now: int) -> bytes: ...
    def interface(self, group: int) -> tuple[int, bytes]: ...
