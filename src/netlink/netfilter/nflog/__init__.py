"""The packets that firewall rules log: nfnetlink_log.

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
import struct as _struct
from typing import TYPE_CHECKING, Never

from netlink._codec import AttributeEncoder as _AttributeEncoder
from netlink._sources import open_socket as _open_socket
from netlink.config import Config as _Config
from netlink.conn import dial as _dial
from netlink.consts import Family as _Family
from netlink.consts import NetfilterSubsystem as _NetfilterSubsystem
from netlink.errors import OpError as _OpError
from netlink.netfilter._nfnetlink import NfGenMsg as _NfGenMsg
from netlink.netfilter._nfnetlink import hinted as _hinted
from netlink.netfilter._nfnetlink import request as _request
from netlink.netfilter.nflog.records import VLAN, CtInfo, HwAddr, Packet, PacketHdr, Timestamp
from netlink.stream import Kind as _Kind
from netlink.stream import Stream as _Stream

if TYPE_CHECKING:
    from os import PathLike

    from netlink._codec import Message
    from netlink._sources import SocketSource

__all__ = ["VLAN", "CtInfo", "HwAddr", "Log", "Packet", "PacketHdr", "Timestamp", "listen"]

# enum nfulnl_msg_types, nfulnl_msg_config_cmds, copy modes and flags of linux/netfilter/nfnetlink_log.h
_PACKET, _CONFIG = 0, 1
_BIND, _UNBIND = 1, 2
_COPY_META, _COPY_PACKET = 1, 2
_F_SEQ, _F_SEQ_GLOBAL, _F_CONNTRACK = 1, 2, 4
_CMD, _MODE, _NLBUFSIZ, _TIMEOUT, _QTHRESH, _FLAGS = 1, 2, 3, 4, 5, 6
_ACK = 0x5  # NLM_F_REQUEST, NLM_F_ACK

_KINDS = (_Kind(_NetfilterSubsystem.ULOG << 8 | _PACKET, Packet),)
# The kernel rounds its buffer up to a piece of its allocator and fills all of that: twice the largest size.
_SLOT = 256 << 10
# NLMSG_GOODSIZE is a little less than this; the most is fixed.
_BUFFER_MIN, _BUFFER_MAX = min(_os.sysconf("SC_PAGE_SIZE"), 8192), 131072
_U32_MAX = 0xFFFFFFFF
# The kernel multiplies hundredths by its ticks a second, 1000 at most, in 32 bits.
_TIMEOUT_MAX = _U32_MAX // 1000 // 100


class Log(_Stream[Packet, Never]):
    """A `netlink.stream.Stream` of `Packet`, from `listen`.

    `lost` counts packets that are missing in the sequence numbers: exact, as soon as a later packet has come. Without
    sequence numbers it counts datagrams that the kernel dropped at the socket, of as many packets each as it put in.
    `stop` ends the logging: what the kernel has is still read, and then the stream ends.
    """

    def __init__(self, source: SocketSource[Packet], group: int) -> None:
        super().__init__(source)
        self._group = group

    @property
    def group(self) -> int:
        """The group that is listened to."""
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
    """The packets that rules log to a group, from now on.

    group: 0 to 65535, of `log group` in nft or `--nflog-group` in iptables; one listener has it.
    copy_range: bytes of each packet, from its network header on; 0 for none of them. The kernel copies 65531 at most.
    queue_threshold: packets that the kernel collects before it sends them. A rule's own threshold can only lower it.
    timeout: seconds after which it sends what it has collected, in hundredths.
    buffer_size: bytes that it collects them in. Datagrams may have twice as many.
    read_buffer: bytes that may be queued. The kernel doubles what is set; a datagram takes what it is allocated with.
        NetlinkWarning where less was permitted; `Log.read_buffer` tells how much. None: 16 MiB, or what of that is
        permitted.
    sequence, sequence_global: number the packets, those of the group (`seq`) and of all groups (`seq_global`).
    conntrack: with each packet its flow (`ct`, `ct_info`).
    netns: of which network namespace, as in `netlink.Config`.

    OpError: EBUSY where another listener has the group; PermissionError without CAP_NET_ADMIN; EOPNOTSUPP where
    conntrack is asked of a kernel without the glue for it. ValueError for what the kernel would quietly ignore.
    """
    _check("group", group, 0, 0xFFFF)
    _check("copy_range", copy_range, 0, 0xFFFF)
    _check("queue_threshold", queue_threshold, 1, _U32_MAX)
    _check("buffer_size", buffer_size, _BUFFER_MIN, _BUFFER_MAX)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 <= timeout <= _TIMEOUT_MAX:
        raise ValueError(f"timeout must be a number from 0 to {_TIMEOUT_MAX} seconds, not {timeout!r}")
    flags = _F_SEQ * bool(sequence) | _F_SEQ_GLOBAL * bool(sequence_global) | _F_CONNTRACK * bool(conntrack)
    # One message, so that no packet is logged with the kernel's defaults.
    options = [
        (_CMD, bytes([_BIND])),
        (_MODE, _struct.pack(">IBx", copy_range, _COPY_PACKET if copy_range else _COPY_META)),
        (_NLBUFSIZ, _struct.pack(">I", buffer_size)),
        (_TIMEOUT, _struct.pack(">I", max(round(timeout * 100), timeout > 0))),
        (_QTHRESH, _struct.pack(">I", queue_threshold)),
        (_FLAGS, _struct.pack(">H", flags)),
    ]
    config = _Config(netns=netns)
    try:
        source = _open_socket(
            _Family.NETFILTER,
            _KINDS,
            config=config,
            read_buffer=read_buffer,
            counter=Packet.seq if sequence else None,
            slot=_SLOT,
            start=_config(group, options),
            stop=_config(group, [(_CMD, bytes([_UNBIND]))]),
        )
    except _OpError as error:
        raise _explained(error, config, group) from error
    return Log(source, group)


def _check(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} must be an int from {least} to {most}, not {value!r}")


def _config(group: int, options: list[tuple[int, bytes]]) -> Message:
    """A request about a group."""
    encoder = _AttributeEncoder()
    for type_, value in options:
        encoder.bytes(type_, value)
    payload = _NfGenMsg(res_id=group).encode() + encoder.encode()
    return _request(_NetfilterSubsystem.ULOG, _CONFIG, _ACK, payload)


def _explained(error: _OpError, config: _Config, group: int) -> _OpError:
    """The error of a bind. The kernel says EPERM for a group of somebody else, too."""
    if error.errno == _errno.EPERM and _may_bind(config, group):
        error = _OpError(error.op, OSError(_errno.EBUSY, _os.strerror(_errno.EBUSY)))
    return _hinted(
        error,
        {
            _errno.EBUSY: f"another socket of this network namespace listens to group {group}; choose another group",
            _errno.EOPNOTSUPP: "conntrack=True needs a kernel with CONFIG_NETFILTER_NETLINK_GLUE_CT and ctnetlink",
        },
    )


def _may_bind(config: _Config, group: int) -> bool:
    """Whether the kernel lets this process ask for groups: of one that nobody has it says ENODEV then."""
    with _dial(_Family.NETFILTER, config) as conn:
        for i in range(1, 5):
            try:
                conn.execute(_config((group + i) % 0x10000, []))
            except _OpError as error:
                if error.errno == _errno.ENODEV:
                    return True
    return False
