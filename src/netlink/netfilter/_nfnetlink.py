"""What all netfilter subsystems share: linux/netfilter/nfnetlink.h."""

from __future__ import annotations

import errno as _errno
from contextlib import contextmanager

from netlink._codec import Header, Message
from netlink._transport import Socket
from netlink.consts import ConnOption, Family
from netlink.errors import OpError
from netlink.schema import Int, Struct, be16, u8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from netlink.config import Config

__all__ = ["NfGenMsg", "explained", "hinted", "listening_socket", "request"]

_HINTS = {_errno.EPERM: "it needs CAP_NET_ADMIN in the user namespace that owns the network namespace"}


class NfGenMsg(Struct):
    """struct nfgenmsg: between nlmsghdr and the attributes of every message."""

    family: Int = u8()
    version: Int = u8()
    res_id: Int = be16()


def request(subsystem: int, message: int, flags: int, payload: bytes) -> Message:
    """A request to a subsystem. payload: nfgenmsg and attributes."""
    return Message(Header(type=subsystem << 8 | message, flags=flags), payload)


def listening_socket(config: Config, read_buffer: int) -> Socket:
    """A socket for a stream: one that the kernel does not starve after an overrun."""
    sock = Socket(Family.NETFILTER, config)
    try:
        # Without it the kernel drops all that comes after an overrun until the queue is empty, and tells nothing more.
        sock.set_option(ConnOption.NO_ENOBUFS, True)
        sock.set_read_buffer(read_buffer)
    except BaseException:
        sock.close()
        raise
    return sock


def hinted(error: OpError, hints: Mapping[int, str] = _HINTS) -> OpError:
    """The error with what to do about it."""
    hint = (hints.get(error.errno) or _HINTS.get(error.errno)) if error.errno else None
    if hint is None:
        return error
    told = OpError(error.op, OSError(error.errno, f"{error.strerror}: {hint}"))
    told.message, told.offset, told.sequence = error.message, error.offset, error.sequence
    return told


@contextmanager
def explained(hints: Mapping[int, str]) -> Generator[None]:
    """Errors of the block as `hinted` makes them."""
    try:
        yield
    except OpError as error:
        told = hinted(error, hints)
        if told is error:
            raise
        raise told from error
