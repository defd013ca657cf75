"""The base of all netfilter subsystems: linux/netfilter/nfnetlink.h."""

from __future__ import annotations

import errno as _errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netlink import family as _family
from netlink.consts import Family as _Protocol
from netlink.errors import OpError
from netlink.schema import AttributeSet, Int, Struct, be16, be32, u8

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

__all__ = ["BatchBound", "Family", "NfGenMsg", "hints_given"]


class NfGenMsg(Struct):
    """struct nfgenmsg: the header of every message, between nlmsghdr and the attributes."""

    family: Int = u8()
    version: Int = u8()
    res_id: Int = be16()


class BatchBound(AttributeSet, header=NfGenMsg):
    """The begin or the end of a batch of changes. res_id: their subsystem. generation: the one that they are for."""

    res_id: Int = NfGenMsg.res_id
    generation: Int = be32(1)  # NFNL_BATCH_GENID


class Family(_family.Family[_family.C], protocol=_Protocol.NETFILTER):
    """The base of the families of NETLINK_NETFILTER. The upper byte of a message type is the subsystem."""

    hints = {_errno.EPERM: "it needs CAP_NET_ADMIN in the user namespace that owns the network namespace"}  # noqa: RUF012


@contextmanager
def hints_given(hints: Mapping[int, str]) -> Generator[None]:
    """Add hints to the errors of a block that calls no operation."""
    try:
        yield
    except OpError as error:
        if error.errno and not error.hint:
            error.hint = {**Family.hints, **hints}.get(error.errno, "")
        raise
