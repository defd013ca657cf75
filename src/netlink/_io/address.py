"""Addresses: names in the place of the numbers of message types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from netlink._io.exchange import Call

__all__ = ["Address"]


class Address(NamedTuple):
    """The name of a message type whose number differs from boot to boot, and the call that looks it up.

    Each connection does that once, and again if the kernel does not know the number any more.

    lookup: its result has the number as `id`.
    """

    name: str
    lookup: Call[Any]
