"""The marks of a resync in a stream: `ResyncBegin` and `ResyncEnd`."""

from __future__ import annotations

from typing import Final

__all__ = ["ResyncBegin", "ResyncEnd"]


class ResyncBegin:
    """A mark in a stream: the records after it, up to a `ResyncEnd`, are the entire state, read after a loss.

    Another ResyncBegin before the end means that the resync failed and begins again: discard its records so far.
    lost: the number of messages lost since the last mark; 0 if the resync was requested or repeated.
    """

    __slots__ = ("lost",)
    __match_args__ = ("lost",)

    def __init__(self, lost: int = 0) -> None:
        self.lost: Final = lost

    def __eq__(self, other: object) -> bool:
        return self.lost == other.lost if isinstance(other, ResyncBegin) else NotImplemented

    def __hash__(self) -> int:
        return hash((ResyncBegin, self.lost))

    def __repr__(self) -> str:
        return f"ResyncBegin(lost={self.lost})"


class ResyncEnd:
    """A mark in a stream: the state is complete, and events follow."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResyncEnd)

    def __hash__(self) -> int:
        return hash(ResyncEnd)

    def __repr__(self) -> str:
        return "ResyncEnd()"
