from typing import Generic, Self, TypeVar, final

from netlink._codec import Message
from netlink._engine.match import Match
from netlink._engine.record import Batch, Record
from netlink._transport import Socket

_R = TypeVar("_R", bound=Record)

@final
class Reader(Generic[_R]):
    def __new__(cls, sock: Socket, declaration: type[_R], sequence: int, match: Match[_R] | None = None) -> Self: ...
    def read(self, rows: int) -> Batch[_R]: ...
    def rest(self) -> list[Message]: ...
    @property
    def done(self) -> bool: ...
