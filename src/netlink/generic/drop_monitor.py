"""Dropped packets: which ones the kernel drops, where, and why.

    from netlink.generic import drop_monitor

    with drop_monitor.listen() as drops:
        for packet in drops:
            print(packet.reason, packet.symbol, packet.src, packet.dst, packet.dport)

There is one drop monitor in a machine. It reports drops of all network namespaces, to the first one. It needs
CAP_NET_ADMIN and, to listen, CAP_SYS_ADMIN, both in the machine's first user namespace.
"""

from __future__ import annotations

import errno
import os
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Never, overload

from netlink import family as _family
from netlink.config import Config as NetlinkConfig
from netlink.errors import OpError
from netlink.family import C, Deferred, Do, Listen
from netlink.generic.genetlink import Family
from netlink.packet import Headers, Source
from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Flag,
    Int,
    Items,
    Member,
    Str,
    Struct,
    View,
    binary,
    flag,
    nested,
    packed,
    repeated,
    string,
    u8,
    u16,
    u32,
    u64,
    view,
)
from netlink.stream import Kind, SocketSource, Stream

if TYPE_CHECKING:
    from os import PathLike
    from typing import Literal, Unpack

    from netlink.aio import AsyncConn
    from netlink.config import ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.errors import Overrun

__all__ = [
    "AlertMode",
    "Command",
    "Config",
    "Conn",
    "Counters",
    "DropPoint",
    "Drops",
    "HwEntry",
    "Origin",
    "Packet",
    "Stats",
    "Summary",
    "dial",
    "dial_async",
    "listen",
    "listen_summary",
]


class Command(IntEnum):
    """Commands (NET_DM_CMD_*)."""

    ALERT = 1  # NET_DM_CMD_ALERT
    CONFIG = 2  # NET_DM_CMD_CONFIG
    START = 3  # NET_DM_CMD_START
    STOP = 4  # NET_DM_CMD_STOP
    PACKET_ALERT = 5  # NET_DM_CMD_PACKET_ALERT
    CONFIG_GET = 6  # NET_DM_CMD_CONFIG_GET
    CONFIG_NEW = 7  # NET_DM_CMD_CONFIG_NEW
    STATS_GET = 8  # NET_DM_CMD_STATS_GET
    STATS_NEW = 9  # NET_DM_CMD_STATS_NEW


class AlertMode(IntEnum):
    """What is reported (NET_DM_ALERT_MODE_*)."""

    SUMMARY = 0  # NET_DM_ALERT_MODE_SUMMARY, numbers of drops
    PACKET = 1  # NET_DM_ALERT_MODE_PACKET, each packet


class Origin(IntEnum):
    """Who dropped a packet (NET_DM_ORIGIN_*)."""

    SW = 0  # NET_DM_ORIGIN_SW, the kernel
    HW = 1  # NET_DM_ORIGIN_HW, a device such as a switch


class Config(AttributeSet):
    """The configuration (NET_DM_ATTR_*). It is the machine's, and outlasts the monitoring.

    trunc_len: bytes of each packet to copy; 0 for all. queue_len: how many packets each CPU queues, from 1 on.
    """

    alert_mode: Member[AlertMode] = u8(1, enum=AlertMode)  # NET_DM_ATTR_ALERT_MODE
    trunc_len: Int = u32(9)  # NET_DM_ATTR_TRUNC_LEN
    queue_len: Int = u32(11)  # NET_DM_ATTR_QUEUE_LEN


class Drops(AttributeSet):
    """Whose drops to monitor, in a request (NET_DM_ATTR_*): of the kernel, of hardware. By default the kernel's."""

    sw_drops: Flag = flag(20)  # NET_DM_ATTR_SW_DROPS
    hw_drops: Flag = flag(21)  # NET_DM_ATTR_HW_DROPS


class Counters(AttributeSet, ignore=(8,)):  # NET_DM_ATTR_PAD
    """Counters (NET_DM_ATTR_STATS_*).

    dropped: drops that were not reported since a CPU's queue was full, since the module was loaded.
    """

    dropped: Int = u64(0)  # NET_DM_ATTR_STATS_DROPPED


class Stats(AttributeSet):
    """Losses of the monitor itself (NET_DM_ATTR_*): among the drops of the kernel, and among those of hardware."""

    stats: Field[Counters | None] = nested(12, Counters)  # NET_DM_ATTR_STATS
    hw_stats: Field[Counters | None] = nested(13, Counters)  # NET_DM_ATTR_HW_STATS

    @property
    def dropped(self) -> int:
        """Both together."""
        return sum(each.dropped or 0 for each in (self.stats, self.hw_stats) if each is not None)


class DropPoint(Struct):
    """struct net_dm_drop_point: a place in the kernel, and how often a packet was dropped there.

    pc: the address of an instruction, which /proc/kallsyms has the function of; 0 for drops that a network card
    counted.
    """

    pc: Int = u64()
    count: Int = u32()


class HwEntry(AttributeSet):
    """A trap of hardware, and how often a packet was dropped there (NET_DM_ATTR_*)."""

    name: Str = string(16)  # NET_DM_ATTR_HW_TRAP_NAME
    count: Int = u32(19)  # NET_DM_ATTR_HW_TRAP_COUNT


class Summary(AttributeSet):
    """Numbers of drops on one CPU, of about a second (struct net_dm_alert_msg, NET_DM_ATTR_*).

    Either points, of drops by the kernel, or hw_entries, of drops by hardware. The kernel counts at most 64 places; it
    ignores drops elsewhere in that second.
    """

    points: Items[DropPoint] = packed(0, DropPoint, count=u32)  # NET_DM_ATTR_UNSPEC
    hw_entries: Items[HwEntry] = repeated((17, 18), HwEntry)  # NET_DM_ATTR_HW_ENTRIES, NET_DM_ATTR_HW_ENTRY


class Packet(
    AttributeSet,
    Headers,
    packet=Source("payload", protocol="hw_protocol", framed=True),
    ignore=(8,),  # NET_DM_ATTR_PAD
):
    """A dropped packet (NET_DM_ATTR_*).

    The kernel reports origin, pc, reason and symbol; hardware origin, trap_group, trap and cookie. Every field may be
    None. `src`, `dst`, `sport` and the other parts of the packet's headers are those of `netlink.packet.Headers`.

    pc, symbol: where it was dropped: an address, and that as a function with an offset, such as "nf_hook_slow+0x9d".
    reason: why, such as "NO_SOCKET" or "NETFILTER_DROP"; "NOT_SPECIFIED" if that place does not say so.
    ifindex: of the link that it was received by, in a network namespace that is not reported. ifname: its name, for
    drops of hardware.
    timestamp: nanoseconds since 1970.
    hw_protocol: the network protocol, ETH_P_* of linux/if_ether.h.
    orig_len: bytes of the packet with its link-layer header, of which payload may have fewer: see `Config.trunc_len`.
    cookie: of the rule of tc that dropped it.
    payload: from the link-layer header on.
    """

    origin: Member[Origin] = u16(14, enum=Origin)  # NET_DM_ATTR_ORIGIN
    pc: Int = u64(2)  # NET_DM_ATTR_PC
    reason: Str = string(23)  # NET_DM_ATTR_REASON
    symbol: Str = string(3)  # NET_DM_ATTR_SYMBOL
    trap_group: Str = string(15)  # NET_DM_ATTR_HW_TRAP_GROUP_NAME
    trap: Str = string(16)  # NET_DM_ATTR_HW_TRAP_NAME
    ifindex: Int = u32((4, 0))  # NET_DM_ATTR_IN_PORT, NET_DM_ATTR_PORT_NETDEV_IFINDEX
    ifname: Str = string((4, 1))  # NET_DM_ATTR_IN_PORT, NET_DM_ATTR_PORT_NETDEV_NAME
    cookie: Bytes = binary(22)  # NET_DM_ATTR_FLOW_ACTION_COOKIE
    timestamp: Int = u64(5, time="ns")  # NET_DM_ATTR_TIMESTAMP
    orig_len: Int = u32(10)  # NET_DM_ATTR_ORIG_LEN
    hw_protocol: Int = u16(6)  # NET_DM_ATTR_PROTO
    payload: View = view(7)  # NET_DM_ATTR_PAYLOAD


_ON = "drops are monitored already, by another program such as dropwatch, or by one that was killed: `stop` ends that"


class Conn(
    Family[C],
    name="NET_DM",
    version=2,
    needs="CONFIG_NET_DROP_MONITOR: `modprobe drop_monitor` loads its module; it is in the machine's first network "
    "namespace alone",
):
    """Requests to the drop monitor, beyond those of `netlink.generic.drop_monitor.listen`."""

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN and, to listen, CAP_SYS_ADMIN in the machine's first user namespace",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    get_config = Do(Command.CONFIG_GET, None, Config, answer=Command.CONFIG_NEW, doc="The configuration.")
    configure = Do(
        Command.CONFIG,
        Config,
        hints={errno.EBUSY: _ON, errno.EINVAL: "alert_mode is one of `AlertMode`"},
        doc="Change what the request has of the configuration. OSError (EBUSY) while drops are monitored.",
    )
    get_stats = Do(Command.STATS_GET, None, Stats, answer=Command.STATS_NEW, doc="Losses of the monitor itself.")
    start = Do(
        Command.START,
        Drops,
        hints={
            errno.EAGAIN: _ON,
            errno.EINPROGRESS: "the kernel could not begin it",
            errno.EOPNOTSUPP: "drops of hardware need a kernel with CONFIG_NET_DEVLINK",
        },
        doc="Begin to monitor drops. OSError (EAGAIN) if they are monitored already.",
    )
    stop = Do(
        Command.STOP,
        Drops,
        doc="End that, whoever began it. Drops that are queued are not reported. No error if none are monitored.",
    )
    listen = Listen[Packet | Summary](
        [Kind(Command.PACKET_ALERT, Packet), Kind(Command.ALERT, Summary)],
        groups=["events"],
        doc="Drops that are reported, to whoever listens, while another program monitors them: each a `Packet`, or "
        "a `Summary`, as its configuration says.",
    )


def dial(config: NetlinkConfig | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to the drop monitor. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: NetlinkConfig | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to the drop monitor for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)


@overload
def listen(
    *,
    trunc_len: int = ...,
    queue_len: int = ...,
    software: bool = ...,
    hardware: bool = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Packet, Never]: ...
@overload
def listen(
    *,
    trunc_len: int = ...,
    queue_len: int = ...,
    software: bool = ...,
    hardware: bool = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Packet, Overrun]: ...
def listen(
    *,
    trunc_len: int = 0,
    queue_len: int = 1000,
    software: bool = True,
    hardware: bool = False,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Packet, Any]:
    """Monitor drops: a `netlink.stream.Stream` of `Packet`. The monitoring ends when it is closed.

    The kernel leaves out packets that it drops before they have a link-layer header, such as those that a rule of the
    output hook drops: `listen_summary` counts them.

    trunc_len: bytes of each packet to copy, from its link-layer header on; 0 for all.
    queue_len: how many packets each CPU queues until the kernel sends them.
    software, hardware: whose drops: of the kernel, of hardware such as a switch that traps them (devlink).
    read_buffer: bytes to queue. The kernel doubles the value, and charges the allocated size of each packet.
        NetlinkWarning if the kernel permits less. None: 16,777,216, or as much of it as the kernel permits.
    on_overrun: the policy for losses: packets that the kernel did not report since a CPU's queue or the read buffer was
        full. `Stream.lost` counts them under every policy.
        "raise": Overrun is raised after the packets before the loss; the next read continues.
        "mark": the Overrun is an item of the iteration, between packets or batches.
    netns: the network namespace, as in `netlink.Config`. It must be the machine's first one.

    OpError: EBUSY if drops are monitored already; PermissionError without the capabilities; FileNotFoundError if the
    kernel has no drop monitor, or in another network namespace. ValueError for invalid arguments.
    """
    _check("trunc_len", trunc_len, 0)
    _check("queue_len", queue_len, 1)
    config = Config(alert_mode=AlertMode.PACKET, trunc_len=trunc_len, queue_len=queue_len)
    drops = Drops(sw_drops=software or None, hw_drops=hardware or None)
    return _monitor(config, drops, read_buffer, on_overrun, netns)


@overload
def listen_summary(
    *,
    software: bool = ...,
    hardware: bool = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Summary, Never]: ...
@overload
def listen_summary(
    *,
    software: bool = ...,
    hardware: bool = ...,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Summary, Overrun]: ...
def listen_summary(
    *,
    software: bool = True,
    hardware: bool = False,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Summary, Any]:
    """Count drops by their places: a `netlink.stream.Stream` of `Summary`. It costs less than `listen`.

    Each CPU that drops packets sends one a second after the first of them. The arguments and errors are those of
    `listen`. A loss is of one summary or more, since the read buffer was full.
    """
    drops = Drops(sw_drops=software or None, hw_drops=hardware or None)
    return _monitor(Config(alert_mode=AlertMode.SUMMARY), drops, read_buffer, on_overrun, netns)


def _check(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _U32_MAX:
        raise ValueError(f"{name} must be an int from {least} to {_U32_MAX}, not {value!r}")


def _monitor(
    config: Config,
    drops: Drops,
    read_buffer: int | None,
    on_overrun: str,
    netns: int | str | PathLike[str] | None,
) -> Stream[Any, Any]:
    if on_overrun not in ("raise", "mark"):
        raise ValueError(f"on_overrun must be 'raise' or 'mark', not {on_overrun!r}")
    if drops == Drops():
        raise ValueError("want drops of software=, of hardware=, or of both")
    conn = dial(NetlinkConfig(netns=netns))
    try:
        conn.configure(config)
        # The kernel sends nothing before the start.
        source: SocketSource[Any] = conn.source(Conn.listen, read_buffer=read_buffer)
        try:
            if config.alert_mode == AlertMode.PACKET:
                source = _Source(source, conn, config.queue_len or 0)
            conn.start(drops)
        except BaseException:
            source.close()
            raise
    except OpError as error:
        error.hint = error.hint or Conn.hints.get(error.errno or 0, "")
        conn.close()
        raise
    except BaseException:
        conn.close()
        raise
    return Stream(source, on_overrun=on_overrun, owns=(_Monitoring(conn, drops),))


class _Monitoring:
    """What a stream ends when it is closed. A forked child shares the socket, and leaves the end to the parent."""

    def __init__(self, conn: Conn[NetlinkConn], drops: Drops) -> None:
        self._conn = conn
        self._drops = drops
        self._process = os.getpid()

    def close(self) -> None:
        try:
            if self._process == os.getpid():
                self._conn.stop(self._drops)
        finally:
            self._conn.close()


class _Source(SocketSource[Any]):
    """The source of `listen`: it counts the losses of the queues, too.

    Each loss is of a full queue, so at least that many packets come after it: it is enough to ask as often.
    """

    def __init__(self, source: SocketSource[Any], conn: Conn[NetlinkConn], queue_len: int) -> None:
        super().__init__(source.sock, source.reader, source.declarations, source.groups)
        self._conn = conn
        self._queue_len = queue_len
        self._before = conn.get_stats().dropped
        self._dropped = 0
        self._unasked = 0

    @property
    def lost(self) -> int:
        return self.reader.lost + self._dropped

    def read(self, rows: int, wait: bool, into: list[Any]) -> None:
        start, lost = len(into), self.reader.lost
        super().read(rows, wait, into)
        self._unasked += sum(map(len, into[start:])) + self.reader.lost - lost
        if self._unasked >= self._queue_len:
            self._unasked = 0
            self._dropped = self._conn.get_stats().dropped - self._before


_U32_MAX = 0xFFFFFFFF
