"""What all netfilter subsystems share: linux/netfilter/nfnetlink.h."""

from __future__ import annotations

import errno as _errno
from contextlib import contextmanager

from netlink._codec import Header, Message
from netlink.errors import OpError
from netlink.schema import Struct, be16, u8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

__all__ = ["NfGenMsg", "explained", "hinted", "request"]

_HINTS = {_errno.EPERM: "it needs CAP_NET_ADMIN in the user namespace that owns the network namespace"}


class NfGenMsg(Struct):
    """struct nfgenmsg: between nlmsghdr and the attributes of every message."""

    family = u8()
    version = u8()
    res_id = be16()


def request(subsystem: int, message: int, flags: int, payload: bytes) -> Message:
    """A request to a subsystem. payload: nfgenmsg and attributes."""
    return Message(Header(type=subsystem << 8 | message, flags=flags), payload)


def hinted(error: OpError, hints: Mapping[int, str] = _HINTS) -> OpError:
    """The error with what to do about it."""
    hint = (hints.get(error.errno) or _HINTS.get(error.errno)) if error.errno else None
    if hint is None:
        return error
    better = OpError(error.op, OSError(error.errno, f"{error.strerror}: {hint}"))
    better.message, better.offset, better.sequence = error.message, error.offset, error.sequence
    return better


@contextmanager
def explained(hints: Mapping[int, str]) -> Generator[None]:
    """Errors of the block as `hinted` makes them."""
    try:
        yield
    except OpError as error:
        better = hinted(error, hints)
        if better is error:
            raise
        raise better from error
