"""Requests to nfnetlink_queue: `Conn`, `dial` and `dial_async`."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from netlink import family as _family
from netlink.errors import OpError
from netlink.family import C, Do
from netlink.netfilter.nfnetlink import Family
from netlink.netfilter.nfqueue.records import (
    Command,
    Config,
    ConfigFlags,
    PriorityProbe,
    Verdict,
    VerdictHdr,
)

if TYPE_CHECKING:
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config as NetlinkConfig
    from netlink.config import ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.family import Deferred

__all__ = ["Conn", "dial", "dial_async", "may_set", "sets_priority"]


class Conn(Family[C]):
    """Requests to nfnetlink_queue, beyond those of `listen`.

    A queue belongs to the socket that has bound it, such as that of `listen`: others are refused with EPERM.
    """

    hints = {  # noqa: RUF012
        errno.EOPNOTSUPP: "conntrack=True and ct= need a kernel with CONFIG_NETFILTER_NETLINK_GLUE_CT and ctnetlink, "
        "secctx=True one with CONFIG_NETWORK_SECMARK",
        errno.ENODEV: "nobody has bound a queue of that number",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    configure = Do(Command.CONFIG, Config, doc="Bind a queue, or change its configuration.")
    probe_priority = Do(
        Command.VERDICT, PriorityProbe, doc="A verdict that the kernel refuses: with ERANGE if it knows priorities."
    )


def dial(config: NetlinkConfig | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to nfnetlink_queue. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: NetlinkConfig | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to nfnetlink_queue for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)


def may_set(config: NetlinkConfig | None, number: int, flags: ConfigFlags) -> bool:
    """Whether this process may configure queues: the kernel reports ENODEV for an unbound queue if it may.

    OpError: EOPNOTSUPP if the kernel does not support one of the flags.
    """
    with dial(config) as conn:
        for i in range(1, 5):
            try:
                conn.configure(number=(number + i) % 0x10000, mask=flags, flags=flags)
            except OpError as error:
                if error.errno == errno.ENODEV:
                    return True
                if error.errno != errno.EPERM:
                    raise
    return False


def sets_priority(config: NetlinkConfig | None, number: int) -> bool:
    """Whether the kernel knows the priority in a verdict."""
    with dial(config) as conn:
        try:
            # Of another socket's queue: the kernel would refuse a good one, too.
            conn.probe_priority(number=number, verdict_hdr=VerdictHdr(verdict=Verdict.ACCEPT, id=0), priority=0)
        except OpError as error:
            return error.errno == errno.ERANGE
    return False
