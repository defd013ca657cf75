"""The kernel's cache of TCP metrics, by which a new connection begins with what earlier ones to its peer have learned.

    from netlink.generic import tcp_metrics

    with tcp_metrics.dial() as cache:
        for peer in cache.dump():
            print(peer.dst, peer.rtt, peer.cwnd)
        cache.delete("192.0.2.1")

Each network namespace has a cache of its own. Reading it needs no privilege; deleting from it needs
CAP_NET_ADMIN in the machine's first user namespace.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import TYPE_CHECKING

from netlink import family as _family
from netlink.family import C, Call, Deferred, Do, Dump, verb
from netlink.generic.genetlink import Family
from netlink.schema import IP, AttributeSet, Bytes, Int, binary, ip, s32, u16, u32, u64

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

__all__ = ["Command", "Conn", "Metrics", "Peer", "dial", "dial_async"]


class Command(IntEnum):
    """Commands (TCP_METRICS_CMD_*)."""

    GET = 1  # TCP_METRICS_CMD_GET
    DEL = 2  # TCP_METRICS_CMD_DEL


class Peer(AttributeSet):
    """A peer: its address, and the address of this side, which a request may leave out (TCP_METRICS_ATTR_*)."""

    dst: IP = ip(1, 2)  # TCP_METRICS_ATTR_ADDR_IPV4, TCP_METRICS_ATTR_ADDR_IPV6
    src: IP = ip(11, 12)  # TCP_METRICS_ATTR_SADDR_IPV4, TCP_METRICS_ATTR_SADDR_IPV6


class Metrics(AttributeSet, ignore=(13,)):  # TCP_METRICS_ATTR_PAD
    """What the kernel knows of a peer (TCP_METRICS_ATTR_*, TCP_METRICS_A_METRICS_*).

    What it has not learned is None. `rtt` and `rttvar` have the round-trip time and its variation in milliseconds.
    """

    dst: IP = ip(1, 2)  # TCP_METRICS_ATTR_ADDR_IPV4, TCP_METRICS_ATTR_ADDR_IPV6
    src: IP = ip(11, 12)  # TCP_METRICS_ATTR_SADDR_IPV4, TCP_METRICS_ATTR_SADDR_IPV6
    age: Int = u64(3)  # TCP_METRICS_ATTR_AGE, milliseconds since the last update
    tw_tsval: Int = u32(4)  # TCP_METRICS_ATTR_TW_TSVAL
    tw_ts_stamp: Int = s32(5)  # TCP_METRICS_ATTR_TW_TS_STAMP, seconds since the last timestamp
    rtt_ms: Int = u32((6, 1))  # TCP_METRICS_ATTR_VALS, TCP_METRICS_A_METRICS_RTT, eighths of milliseconds
    rttvar_ms: Int = u32((6, 2))  # TCP_METRICS_ATTR_VALS, TCP_METRICS_A_METRICS_RTTVAR, quarters of milliseconds
    ssthresh: Int = u32((6, 3))  # TCP_METRICS_ATTR_VALS, TCP_METRICS_A_METRICS_SSTHRESH, packets
    cwnd: Int = u32((6, 4))  # TCP_METRICS_ATTR_VALS, TCP_METRICS_A_METRICS_CWND, packets
    reordering: Int = u32((6, 5))  # TCP_METRICS_ATTR_VALS, TCP_METRICS_A_METRICS_REODERING, packets
    rtt_us: Int = u32((6, 6))  # TCP_METRICS_ATTR_VALS, TCP_METRICS_A_METRICS_RTT_US, eighths of microseconds
    rttvar_us: Int = u32((6, 7))  # TCP_METRICS_ATTR_VALS, TCP_METRICS_A_METRICS_RTTVAR_US, quarters of microseconds
    fopen_mss: Int = u16(7)  # TCP_METRICS_ATTR_FOPEN_MSS, of TCP Fast Open, as all below
    fopen_syn_drops: Int = u16(8)  # TCP_METRICS_ATTR_FOPEN_SYN_DROPS
    fopen_syn_drop_ts: Int = u64(9)  # TCP_METRICS_ATTR_FOPEN_SYN_DROP_TS, milliseconds since the last drop
    fopen_cookie: Bytes = binary(10)  # TCP_METRICS_ATTR_FOPEN_COOKIE

    @property
    def rtt(self) -> float | None:
        """The smoothed round-trip time in milliseconds."""
        if self.rtt_us is not None:
            return self.rtt_us / 8000
        return None if self.rtt_ms is None else self.rtt_ms / 8

    @property
    def rttvar(self) -> float | None:
        """The variation of the round-trip time in milliseconds."""
        if self.rttvar_us is not None:
            return self.rttvar_us / 4000
        return None if self.rttvar_ms is None else self.rttvar_ms / 4


class Conn(Family[C], name="tcp_metrics", needs="CONFIG_INET"):
    """Requests to the cache of TCP metrics."""

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the machine's first user namespace",
        errno.ESRCH: "the cache has no such peer",
        errno.EAFNOSUPPORT: "the request needs the address of a peer, dst=",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    get = Do(Command.GET, Peer, Metrics, answer=Command.GET, doc="The metrics of a peer.")
    dump = Dump(Command.GET, None, Metrics, doc="The metrics of all peers.")
    remove = Do(Command.DEL, Peer, doc="Delete a peer, or all of them without `dst`: the operation of the two below.")

    @verb
    def delete(
        self: Conn[Deferred], dst: IPv4Address | IPv6Address | str, src: IPv4Address | IPv6Address | str | None = None
    ) -> Call[None]:
        """Delete what the cache has of a peer: for all addresses of this side, or for src. TypeError without a dst."""
        if not dst:
            raise TypeError(f"delete takes an address, not {dst!r}; flush deletes all")
        return self.remove(dst=dst, src=src)

    @verb
    def flush(self: Conn[Deferred]) -> Call[None]:
        """Delete all that the cache of the network namespace has."""
        return self.remove()


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to tcp_metrics. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to tcp_metrics for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
