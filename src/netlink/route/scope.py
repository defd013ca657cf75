"""Scopes of addresses and routes."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Scope"]


class Scope(IntEnum):
    """How far a destination is (RT_SCOPE_*, linux/rtnetlink.h). Numbers between 0 and 253 are programs' own."""

    UNIVERSE = 0  # RT_SCOPE_UNIVERSE, anywhere
    SITE = 200  # RT_SCOPE_SITE
    LINK = 253  # RT_SCOPE_LINK, on a link of this machine
    HOST = 254  # RT_SCOPE_HOST, this machine
    NOWHERE = 255  # RT_SCOPE_NOWHERE, no destination; in the deletion of a route any scope
