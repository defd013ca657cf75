"""Packets logged by firewall rules: nfnetlink_log.

    from netlink.netfilter import nflog

    # nft add rule inet filter input counter log group 5 prefix "in: "
    with nflog.listen(5) as log:
        for packet in log:
            print(packet.timestamp, packet.prefix, bytes(packet.payload or b""))

Needs CAP_NET_ADMIN in the user namespace of the network namespace.
"""

from __future__ import annotations

import errno as _errno
import os as _os
from typing import TYPE_CHECKING, Never

from netlink import family as _family
from netlink.config import Config as _NetlinkConfig
from netlink.errors import OpError as _OpError
from netlink.netfilter.nflog.records import (
    VLAN,
    Command,
    Config,
    ConfigCommand,
    ConfigFlags,
    ConfigMode,
    CopyMode,
    CtInfo,
    HwAddr,
    Packet,
    PacketHdr,
    Timestamp,
)
from netlink.netfilter.nfnetlink import Family as _Family
from netlink.stream import Kind as _Kind
from netlink.stream import Stream as _Stream
from netlink.stream import open_source as _open_source

if TYPE_CHECKING:
    from os import PathLike
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.family import Deferred
    from netlink.stream import Source

__all__ = [
    "VLAN",
    "Config",
    "ConfigCommand",
    "ConfigFlags",
    "ConfigMode",
    "Conn",
    "CopyMode",
    "CtInfo",
    "HwAddr",
    "Log",
    "Packet",
    "PacketHdr",
    "Timestamp",
    "dial",
    "dial_async",
    "listen",
]

_KINDS = (_Kind(Command.PACKET, Packet),)
# Bytes. The kernel rounds its buffer up to a size of its allocator, and fills it: twice the largest size. And no power
# of 2: adjacent slots would share lines of the cache.
_SLOT = (256 << 10) + 64
# Bytes. NLMSG_GOODSIZE is slightly less than the minimum; the kernel fixes the maximum.
_BUFFER_MIN, _BUFFER_MAX = min(_os.sysconf("SC_PAGE_SIZE"), 8192), 131072
_U32_MAX = 0xFFFFFFFF
# Seconds. The kernel multiplies hundredths by its ticks per second, at most 1000, in 32 bits.
_TIMEOUT_MAX = _U32_MAX // 1000 // 100


class Conn(_Family[_family.C]):
    """Requests to nfnetlink_log, beyond those of `listen`.

    The packets of a group go to the socket that has bound it, such as that of `listen`.
    """

    hints = {  # noqa: RUF012
        _errno.EOPNOTSUPP: "conntrack=True needs a kernel with CONFIG_NETFILTER_NETLINK_GLUE_CT and ctnetlink",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    configure = _family.Do(Command.CONFIG, Config, doc="Bind a group, or change its configuration.")


def dial(config: _NetlinkConfig | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to nfnetlink_log. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: _NetlinkConfig | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to nfnetlink_log for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)


_requests = Conn(_family.Deferred())


class Log(_Stream[Packet, Never]):
    """A `netlink.stream.Stream` of `Packet`, from `listen`.

    `lost` counts the gaps in the sequence numbers: the exact number of lost packets before the last received one.
    Without sequence numbers it counts datagrams that the kernel dropped at the socket, of one or more packets each.
    `stop` ends the logging: the stream ends after the packets that the kernel has collected.
    """

    def __init__(self, source: Source[Packet], group: int) -> None:
        super().__init__(source)
        self._group = group

    @property
    def group(self) -> int:
        """The number of the log group."""
        return self._group


def listen(
    group: int,
    *,
    copy_range: int = 0xFFFF,
    queue_threshold: int = 100,
    timeout: float = 0.1,
    buffer_size: int = 65536,
    read_buffer: int | None = None,
    sequence: bool = True,
    sequence_global: bool = False,
    conntrack: bool = False,
    netns: int | str | PathLike[str] | None = None,
) -> Log:
    """Open a stream of the packets that rules log to a group.

    group: 0 to 65535, of `log group` in nft or `--nflog-group` in iptables; it can have one listener.
    copy_range: bytes of each packet to copy, from its network header on; 0 for none. The kernel copies at most 65,531.
    queue_threshold: packets that the kernel collects before it sends them. A rule's own threshold can only lower it.
    timeout: seconds until it sends the packets collected so far, in steps of 0.01.
    buffer_size: bytes of the buffer for collected packets. A datagram may have twice as many.
    read_buffer: bytes to queue. The kernel doubles the value, and charges the allocated size of each datagram.
        NetlinkWarning if the kernel permits less; `Log.read_buffer` returns the size in effect. None: 16,777,216, or as
        much of it as the kernel permits.
    sequence, sequence_global: number the packets of the group (`seq`) and of all groups (`seq_global`).
    conntrack: add its flow to each packet (`ct`, `ct_info`).
    netns: the network namespace, as in `netlink.Config`.

    OpError: EBUSY if the group has another listener; PermissionError without CAP_NET_ADMIN; EOPNOTSUPP if the kernel
    does not support conntrack=True; ENOBUFS if packets filled the read buffer before the kernel's answer.
    ValueError for invalid arguments, which the kernel might ignore silently.
    """
    _check("group", group, 0, 0xFFFF)
    _check("copy_range", copy_range, 0, 0xFFFF)
    _check("queue_threshold", queue_threshold, 1, _U32_MAX)
    _check("buffer_size", buffer_size, _BUFFER_MIN, _BUFFER_MAX)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 <= timeout <= _TIMEOUT_MAX:
        raise ValueError(f"timeout must be a number from 0 to {_TIMEOUT_MAX} seconds, not {timeout!r}")
    # A single message: no packet is logged with the kernel's defaults.
    bind = _requests.configure(
        group=group,
        cmd=ConfigCommand.BIND,
        mode=ConfigMode(copy_range=copy_range, copy_mode=CopyMode.PACKET if copy_range else CopyMode.META),
        nlbufsiz=buffer_size,
        timeout=max(round(timeout * 100), int(timeout > 0)),
        qthresh=queue_threshold,
        flags=ConfigFlags.SEQ * bool(sequence)
        | ConfigFlags.SEQ_GLOBAL * bool(sequence_global)
        | ConfigFlags.CONNTRACK * bool(conntrack),
    )
    config = _NetlinkConfig(netns=netns)
    try:
        source = _open_source(
            _Family.protocol,
            _KINDS,
            config=config,
            read_buffer=read_buffer,
            counter=Packet.seq if sequence else None,
            slot=_SLOT,
            start=bind,
            stop=_requests.configure(group=group, cmd=ConfigCommand.UNBIND),
        )
    except _OpError as error:
        # The kernel also reports EPERM for the group of another socket.
        if error.errno != _errno.EPERM or not _may_bind(config, group):
            raise
        taken = _OpError(error.op, OSError(_errno.EBUSY, _os.strerror(_errno.EBUSY)))
        taken.hint = f"another socket of this network namespace listens to group {group}; choose another group"
        raise taken from error
    return Log(source, group)


def _check(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} must be an int from {least} to {most}, not {value!r}")


def _may_bind(config: _NetlinkConfig, group: int) -> bool:
    """Whether this process may configure groups: the kernel reports ENODEV for an unbound group if it may."""
    with dial(config) as conn:
        for i in range(1, 5):
            try:
                conn.configure(group=(group + i) % 0x10000)
            except _OpError as error:
                if error.errno == _errno.ENODEV:
                    return True
    return False
