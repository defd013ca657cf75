"""Payloads that are a struct and a list of structs behind it, as the keys of u32 and of pedit."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from netlink.schema import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["head_of", "size_of", "tail_of", "with_tail"]

_S = TypeVar("_S", bound=Struct)


def size_of(cls: type[Struct]) -> int:
    """Bytes of a struct."""
    return len(cls().encode())


def with_tail(head: Struct, tail: Iterable[Struct]) -> bytes:
    """A payload of a struct and of others behind it."""
    return head.encode() + b"".join(item.encode() for item in tail)


def head_of(cls: type[_S], payload: bytes | None) -> _S | None:
    """The struct at the beginning of a payload, None without a payload."""
    return None if payload is None else cls.decode(payload[: size_of(cls)])


def tail_of(cls: type[_S], payload: bytes | None, start: int) -> tuple[_S, ...]:
    """The structs in a payload, from a byte on. What is left behind the last whole one is ignored."""
    size = size_of(cls)
    payload = payload or b""
    return tuple(cls.decode_many(payload[at : at + size] for at in range(start, len(payload) - size + 1, size)))
