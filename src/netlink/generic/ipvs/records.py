"""Declarations of IPVS: linux/ip_vs.h."""

from __future__ import annotations

import sys
from enum import IntEnum, IntFlag
from ipaddress import IPv4Network, ip_address
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING, Any, TypeAlias

from netlink.schema import (
    IP,
    AttributeSet,
    Bitfield32,
    Field,
    Int,
    Items,
    Member,
    Str,
    be16,
    bitfield32,
    ip,
    nested,
    repeated,
    string,
    u8,
    u16,
    u32,
    uint,
)

__all__ = [
    "Answer",
    "Command",
    "Daemon",
    "DaemonState",
    "Destination",
    "ForwardMethod",
    "Info",
    "Request",
    "Service",
    "ServiceFlags",
    "Stats",
    "Timeouts",
    "TunnelFlags",
    "TunnelType",
    "netmask",
]


class Command(IntEnum):
    """Commands (IPVS_CMD_*)."""

    NEW_SERVICE = 1  # IPVS_CMD_NEW_SERVICE
    SET_SERVICE = 2  # IPVS_CMD_SET_SERVICE
    DEL_SERVICE = 3  # IPVS_CMD_DEL_SERVICE
    GET_SERVICE = 4  # IPVS_CMD_GET_SERVICE
    NEW_DEST = 5  # IPVS_CMD_NEW_DEST
    SET_DEST = 6  # IPVS_CMD_SET_DEST
    DEL_DEST = 7  # IPVS_CMD_DEL_DEST
    GET_DEST = 8  # IPVS_CMD_GET_DEST
    NEW_DAEMON = 9  # IPVS_CMD_NEW_DAEMON
    DEL_DAEMON = 10  # IPVS_CMD_DEL_DAEMON
    GET_DAEMON = 11  # IPVS_CMD_GET_DAEMON
    SET_CONFIG = 12  # IPVS_CMD_SET_CONFIG
    GET_CONFIG = 13  # IPVS_CMD_GET_CONFIG
    SET_INFO = 14  # IPVS_CMD_SET_INFO
    GET_INFO = 15  # IPVS_CMD_GET_INFO
    ZERO = 16  # IPVS_CMD_ZERO
    FLUSH = 17  # IPVS_CMD_FLUSH


class ServiceFlags(IntFlag):
    """Flags of a service (IP_VS_SVC_F_*). The three of schedulers mean something else to each."""

    PERSISTENT = 0x0001  # IP_VS_SVC_F_PERSISTENT, connections of a client go to the same destination
    HASHED = 0x0002  # IP_VS_SVC_F_HASHED, set by the kernel
    ONEPACKET = 0x0004  # IP_VS_SVC_F_ONEPACKET, each packet of UDP is scheduled for itself
    SCHED1 = 0x0008  # IP_VS_SVC_F_SCHED1, of sh, mh: another destination if the chosen one is not available
    SCHED2 = 0x0010  # IP_VS_SVC_F_SCHED2, of sh, mh: the port counts, too
    SCHED3 = 0x0020  # IP_VS_SVC_F_SCHED3


class ForwardMethod(IntEnum):
    """How packets get to a destination (IP_VS_CONN_F_*)."""

    MASQ = 0  # IP_VS_CONN_F_MASQ, their address is translated
    LOCALNODE = 1  # IP_VS_CONN_F_LOCALNODE, it is this machine
    TUNNEL = 2  # IP_VS_CONN_F_TUNNEL, in a tunnel
    DROUTE = 3  # IP_VS_CONN_F_DROUTE, as they are, to its link-layer address
    BYPASS = 4  # IP_VS_CONN_F_BYPASS, set by the kernel for transparent caches


class TunnelType(IntEnum):
    """Kinds of tunnels to a destination (IP_VS_CONN_F_TUNNEL_TYPE_*)."""

    IPIP = 0  # IP_VS_CONN_F_TUNNEL_TYPE_IPIP
    GUE = 1  # IP_VS_CONN_F_TUNNEL_TYPE_GUE, in UDP
    GRE = 2  # IP_VS_CONN_F_TUNNEL_TYPE_GRE


class TunnelFlags(IntFlag):
    """Checksums of a tunnel (IP_VS_TUNNEL_ENCAP_FLAG_*); without a flag there is none."""

    CSUM = 1  # IP_VS_TUNNEL_ENCAP_FLAG_CSUM
    REMCSUM = 2  # IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM, remote checksum offload


class DaemonState(IntEnum):
    """What a daemon does (IP_VS_STATE_*)."""

    NONE = 0  # IP_VS_STATE_NONE
    MASTER = 1  # IP_VS_STATE_MASTER, it sends connections to others
    BACKUP = 2  # IP_VS_STATE_BACKUP, it takes those of others


class Stats(AttributeSet, ignore=(11,)):  # IPVS_STATS_ATTR_PAD
    """Counters and rates of a service or a destination, which the kernel sums up every 2 seconds (IPVS_STATS_ATTR_*).

    In: from clients. Out: to clients, which the kernel sees only with `ForwardMethod.MASQ`.
    """

    conns: Int = uint(1)  # IPVS_STATS_ATTR_CONNS, connections
    inpkts: Int = uint(2)  # IPVS_STATS_ATTR_INPKTS
    outpkts: Int = uint(3)  # IPVS_STATS_ATTR_OUTPKTS
    inbytes: Int = uint(4)  # IPVS_STATS_ATTR_INBYTES
    outbytes: Int = uint(5)  # IPVS_STATS_ATTR_OUTBYTES
    cps: Int = uint(6)  # IPVS_STATS_ATTR_CPS, connections a second
    inpps: Int = uint(7)  # IPVS_STATS_ATTR_INPPS, packets a second
    outpps: Int = uint(8)  # IPVS_STATS_ATTR_OUTPPS
    inbps: Int = uint(9)  # IPVS_STATS_ATTR_INBPS, bytes a second
    outbps: Int = uint(10)  # IPVS_STATS_ATTR_OUTBPS


_Flags: TypeAlias = Field["Bitfield32 | None", "Bitfield32 | tuple[int, int] | int | None"]
_ALL_BITS = 0xFFFFFFFF


def _flags(type: int) -> Any:  # noqa: A002
    """struct ip_vs_flags: flags, and the bits of them that count. The constructor takes the flags alone, too."""
    return bitfield32(type, enum=ServiceFlags)


def family_of(address: Any) -> int:
    """AF_INET or AF_INET6 of an address or its text."""
    return AF_INET if ip_address(address).version == 4 else AF_INET6


def netmask(prefixlen: int) -> int:
    """The netmask of a service for IPv4: the clients in a network of that length of its prefix count as one.

    ValueError for a length that is not from 1 to 32.
    """
    if prefixlen == 0:
        raise ValueError("a netmask has from 1 to 32 bits, not 0")
    return int.from_bytes(IPv4Network((0, prefixlen)).netmask.packed, sys.byteorder)


class Service(AttributeSet):
    """A service (IPVS_SVC_ATTR_*): by protocol, addr and port, or by af and fwmark.

    af: AF_INET or AF_INET6. protocol: IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP. port: 0 for all, which needs
    PERSISTENT. fwmark: of packets that a firewall has marked. sched_name: the scheduler, such as "wlc" or "rr"; "none"
    for none. flags: with the bits that count, which are all in what is read; the constructor takes `ServiceFlags`, too.
    timeout: seconds that a client stays with its destination, with PERSISTENT. netmask: of the clients that count as
    one then, as `netmask` returns it for IPv4, and a number of bits for IPv6. pe_name: the persistence engine, "sip".
    stats: counters of 32 bits. stats64: counters of 64 bits.

    The constructor sets af by addr.
    """

    af: Int = u16(1)  # IPVS_SVC_ATTR_AF
    protocol: Int = u16(2)  # IPVS_SVC_ATTR_PROTOCOL
    addr: IP = ip(3, size=16, family="af")  # IPVS_SVC_ATTR_ADDR
    port: Int = be16(4)  # IPVS_SVC_ATTR_PORT
    fwmark: Int = u32(5)  # IPVS_SVC_ATTR_FWMARK
    sched_name: Str = string(6)  # IPVS_SVC_ATTR_SCHED_NAME
    flags: _Flags = _flags(7)  # IPVS_SVC_ATTR_FLAGS
    timeout: Int = u32(8)  # IPVS_SVC_ATTR_TIMEOUT
    netmask: Int = u32(9)  # IPVS_SVC_ATTR_NETMASK
    stats: Field[Stats | None] = nested(10, Stats)  # IPVS_SVC_ATTR_STATS
    pe_name: Str = string(11)  # IPVS_SVC_ATTR_PE_NAME
    stats64: Field[Stats | None] = nested(12, Stats)  # IPVS_SVC_ATTR_STATS64

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            if values.get("addr") is not None and values.get("af") is None:
                values["af"] = family_of(values["addr"])
            if isinstance(values.get("flags"), int):
                values["flags"] = (values["flags"], _ALL_BITS)
            super().__init__(**values)


class Destination(AttributeSet):
    """A destination of a service, a server (IPVS_DEST_ATTR_*).

    addr, port: where it is; the port is that of the service, unless packets are translated. weight: its part of the
    connections, 0 for no new ones. u_thresh: connections with which it takes no new ones, 0 for no limit; l_thresh:
    those with which it takes some again. active_conns: established ones, inact_conns: others, persist_conns: persistent
    clients. addr_family: AF_INET or AF_INET6. tun_type, tun_port, tun_flags: of `ForwardMethod.TUNNEL`.
    stats: counters of 32 bits. stats64: counters of 64 bits.

    The constructor sets addr_family by addr.
    """

    addr: IP = ip(1, size=16, family="addr_family")  # IPVS_DEST_ATTR_ADDR
    port: Int = be16(2)  # IPVS_DEST_ATTR_PORT
    fwd_method: Member[ForwardMethod] = u32(3, enum=ForwardMethod)  # IPVS_DEST_ATTR_FWD_METHOD
    weight: Int = u32(4)  # IPVS_DEST_ATTR_WEIGHT
    u_thresh: Int = u32(5)  # IPVS_DEST_ATTR_U_THRESH
    l_thresh: Int = u32(6)  # IPVS_DEST_ATTR_L_THRESH
    active_conns: Int = u32(7)  # IPVS_DEST_ATTR_ACTIVE_CONNS
    inact_conns: Int = u32(8)  # IPVS_DEST_ATTR_INACT_CONNS
    persist_conns: Int = u32(9)  # IPVS_DEST_ATTR_PERSIST_CONNS
    stats: Field[Stats | None] = nested(10, Stats)  # IPVS_DEST_ATTR_STATS
    addr_family: Int = u16(11)  # IPVS_DEST_ATTR_ADDR_FAMILY
    stats64: Field[Stats | None] = nested(12, Stats)  # IPVS_DEST_ATTR_STATS64
    tun_type: Member[TunnelType] = u8(13, enum=TunnelType)  # IPVS_DEST_ATTR_TUN_TYPE
    tun_port: Int = be16(14)  # IPVS_DEST_ATTR_TUN_PORT
    tun_flags: Member[TunnelFlags] = u16(15, enum=TunnelFlags)  # IPVS_DEST_ATTR_TUN_FLAGS

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            if values.get("addr") is not None and values.get("addr_family") is None:
                values["addr_family"] = family_of(values["addr"])
            super().__init__(**values)


class Daemon(AttributeSet):
    """A daemon, a thread of the kernel that shares connections with other machines (IPVS_DAEMON_ATTR_*).

    mcast_ifn: the name of a link. sync_id: from 0 to 255, of those that share. sync_maxlen: bytes of a packet at most.
    mcast_group, mcast_port, mcast_ttl: where to. Those that are None are the kernel's own: 224.0.0.81, 8848, 1.
    """

    state: Member[DaemonState] = u32(1, enum=DaemonState)  # IPVS_DAEMON_ATTR_STATE
    mcast_ifn: Str = string(2)  # IPVS_DAEMON_ATTR_MCAST_IFN
    sync_id: Int = u32(3)  # IPVS_DAEMON_ATTR_SYNC_ID
    sync_maxlen: Int = u16(4)  # IPVS_DAEMON_ATTR_SYNC_MAXLEN
    mcast_group: IP = ip(5, 6)  # IPVS_DAEMON_ATTR_MCAST_GROUP, IPVS_DAEMON_ATTR_MCAST_GROUP6
    mcast_port: Int = u16(7)  # IPVS_DAEMON_ATTR_MCAST_PORT
    mcast_ttl: Int = u8(8)  # IPVS_DAEMON_ATTR_MCAST_TTL


class Request(AttributeSet):
    """A request about a service, its destination or a daemon (IPVS_CMD_ATTR_*)."""

    service: Field[Service | None] = nested(1, Service)  # IPVS_CMD_ATTR_SERVICE
    dest: Field[Destination | None] = nested(2, Destination)  # IPVS_CMD_ATTR_DEST
    daemon: Field[Daemon | None] = nested(3, Daemon)  # IPVS_CMD_ATTR_DAEMON


class Answer(AttributeSet):
    """A message of a dump: one service, destination or daemon."""

    services: Items[Service] = repeated(1, Service)  # IPVS_CMD_ATTR_SERVICE
    dests: Items[Destination] = repeated(2, Destination)  # IPVS_CMD_ATTR_DEST
    daemons: Items[Daemon] = repeated(3, Daemon)  # IPVS_CMD_ATTR_DAEMON


class Timeouts(AttributeSet):
    """Seconds after which the kernel forgets an idle connection (IPVS_CMD_ATTR_TIMEOUT_*). A change of 0 is none."""

    tcp: Int = u32(4)  # IPVS_CMD_ATTR_TIMEOUT_TCP
    tcp_fin: Int = u32(5)  # IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, after a FIN
    udp: Int = u32(6)  # IPVS_CMD_ATTR_TIMEOUT_UDP


class Info(AttributeSet):
    """The kernel's IPVS (IPVS_INFO_ATTR_*). version: 0x010201 for 1.2.1. conn_tab_size: of the table of connections."""

    version: Int = u32(1)  # IPVS_INFO_ATTR_VERSION
    conn_tab_size: Int = u32(2)  # IPVS_INFO_ATTR_CONN_TAB_SIZE
