"""Events of rtnetlink's streams."""

from __future__ import annotations

from enum import IntFlag

__all__ = ["Event"]


class Event(IntFlag):
    """What a record of a stream reports."""

    NEW = 1  # an object that is new or has changed
    DEL = 2  # an object that is gone
    REPLACE = 4  # a route that has taken the place of another one with its destination and priority
