"""A datagram of netlink, as it was captured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

__all__ = ["Datagram"]


class Datagram(NamedTuple):
    """A datagram between a program and the kernel, with one or more messages.

    timestamp: nanoseconds since 1970. protocol: NETLINK_*, as `netlink.Family` has them. data: its bytes.
    length: how many there were, more than data has if it was cut.
    """

    timestamp: int
    protocol: int
    data: bytes
    length: int

    @property
    def time(self) -> datetime:
        """The timestamp in UTC, to the microsecond."""
        seconds, nanoseconds = divmod(self.timestamp, 1_000_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)

    @property
    def is_cut(self) -> bool:
        """Whether bytes are missing at the end."""
        return self.length > len(self.data)
