"""What all netfilter subsystems share: linux/netfilter/nfnetlink.h."""

from __future__ import annotations

from netlink._codec import Header, Message
from netlink.schema import Struct, be16, u8

__all__ = ["NfGenMsg", "request"]


class NfGenMsg(Struct):
    """struct nfgenmsg: between nlmsghdr and the attributes of every message."""

    family = u8()
    version = u8()
    res_id = be16()


def request(subsystem: int, message: int, flags: int, payload: bytes) -> Message:
    """A request to a subsystem. payload: nfgenmsg and attributes."""
    return Message(Header(type=subsystem << 8 | message, flags=flags), payload)
