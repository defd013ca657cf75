"""L2TP: tunnels between two machines, and the sessions in them.

    from netlink.generic import l2tp
    from netlink.generic.l2tp import Session, Tunnel

    with l2tp.dial() as l2:
        l2.create_tunnel(Tunnel(conn_id=1, peer_conn_id=2, saddr="192.0.2.1", daddr="192.0.2.2", udp_sport=1701,
                                udp_dport=1701))
        l2.create_session(Session(conn_id=1, session_id=10, peer_session_id=20, ifname="l2tp0"))
        for session in l2.sessions():
            print(session.ifname, session.stats.rx_packets)

A session of the pseudowire ETH is a link, as an Ethernet cable between both machines. The kernel has no control
protocol: both sides are told the same numbers, here or by a daemon. It needs CAP_NET_ADMIN in the user namespace of the
network namespace, also for reading.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import TYPE_CHECKING

from netlink import family as _family
from netlink.family import C, Call, Deferred, Do, Dump, Listen, verb
from netlink.generic.genetlink import Family
from netlink.schema import (
    IP,
    AttributeSet,
    Bytes,
    Field,
    Flag,
    Int,
    Member,
    Record,
    Str,
    binary,
    event,
    flag,
    ip,
    nested,
    s32,
    string,
    u8,
    u16,
    u32,
    u64,
)
from netlink.stream import Kind

if TYPE_CHECKING:
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

__all__ = [
    "Command",
    "Conn",
    "EncapType",
    "L2SpecType",
    "PwType",
    "Session",
    "SessionKey",
    "Stats",
    "Tunnel",
    "TunnelKey",
    "dial",
    "dial_async",
]


class Command(IntEnum):
    """Commands, and what happened in events (L2TP_CMD_*)."""

    NOOP = 0  # L2TP_CMD_NOOP
    TUNNEL_CREATE = 1  # L2TP_CMD_TUNNEL_CREATE
    TUNNEL_DELETE = 2  # L2TP_CMD_TUNNEL_DELETE
    TUNNEL_MODIFY = 3  # L2TP_CMD_TUNNEL_MODIFY
    TUNNEL_GET = 4  # L2TP_CMD_TUNNEL_GET
    SESSION_CREATE = 5  # L2TP_CMD_SESSION_CREATE
    SESSION_DELETE = 6  # L2TP_CMD_SESSION_DELETE
    SESSION_MODIFY = 7  # L2TP_CMD_SESSION_MODIFY
    SESSION_GET = 8  # L2TP_CMD_SESSION_GET


class EncapType(IntEnum):
    """What a tunnel is in (L2TP_ENCAPTYPE_*)."""

    UDP = 0  # L2TP_ENCAPTYPE_UDP
    IP = 1  # L2TP_ENCAPTYPE_IP, protocol 115


class PwType(IntEnum):
    """Pseudowires: what a session transports (L2TP_PWTYPE_*). The kernel has ETH and PPP."""

    NONE = 0x0000  # L2TP_PWTYPE_NONE
    ETH_VLAN = 0x0004  # L2TP_PWTYPE_ETH_VLAN
    ETH = 0x0005  # L2TP_PWTYPE_ETH
    PPP = 0x0007  # L2TP_PWTYPE_PPP
    PPP_AC = 0x0008  # L2TP_PWTYPE_PPP_AC
    IP = 0x000B  # L2TP_PWTYPE_IP


class L2SpecType(IntEnum):
    """What is between the header of L2TP and the frame (L2TP_L2SPECTYPE_*): room for sequence numbers, or nothing."""

    NONE = 0  # L2TP_L2SPECTYPE_NONE
    DEFAULT = 1  # L2TP_L2SPECTYPE_DEFAULT


class Stats(AttributeSet, ignore=(9,)):  # L2TP_ATTR_STATS_PAD
    """Counters of a tunnel or a session (L2TP_ATTR_*)."""

    tx_packets: Int = u64(1)  # L2TP_ATTR_TX_PACKETS
    tx_bytes: Int = u64(2)  # L2TP_ATTR_TX_BYTES
    tx_errors: Int = u64(3)  # L2TP_ATTR_TX_ERRORS
    rx_packets: Int = u64(4)  # L2TP_ATTR_RX_PACKETS
    rx_bytes: Int = u64(5)  # L2TP_ATTR_RX_BYTES
    rx_seq_discards: Int = u64(6)  # L2TP_ATTR_RX_SEQ_DISCARDS, for their sequence number
    rx_oos_packets: Int = u64(7)  # L2TP_ATTR_RX_OOS_PACKETS, out of sequence
    rx_errors: Int = u64(8)  # L2TP_ATTR_RX_ERRORS
    rx_cookie_discards: Int = u64(10)  # L2TP_ATTR_RX_COOKIE_DISCARDS, for their cookie
    rx_invalid: Int = u64(11)  # L2TP_ATTR_RX_INVALID


class TunnelKey(AttributeSet):
    """The number of a tunnel, in a request (L2TP_ATTR_*)."""

    conn_id: Int = u32(9)  # L2TP_ATTR_CONN_ID


class Tunnel(AttributeSet):
    """A tunnel (L2TP_ATTR_*).

    conn_id: its number here, peer_conn_id: that of the other side, from 1 on. proto_version: 2 or 3. saddr, daddr: the
    addresses of this and of the other side. udp_sport, udp_dport: their ports, with `EncapType.UDP`. udp_csum: 1 for
    checksums of UDP over IPv4. udp_zero_csum6_tx, udp_zero_csum6_rx: none over IPv6, and whether such packets are
    accepted. debug: no longer used by the kernel. fd: a socket of this process that the tunnel uses, in the place of
    addresses and ports; the tunnel ends with it.
    event: what a stream reports.
    """

    conn_id: Int = u32(9)  # L2TP_ATTR_CONN_ID
    peer_conn_id: Int = u32(10)  # L2TP_ATTR_PEER_CONN_ID
    proto_version: Int = u8(7)  # L2TP_ATTR_PROTO_VERSION
    encap_type: Member[EncapType] = u16(2, enum=EncapType)  # L2TP_ATTR_ENCAP_TYPE
    saddr: IP = ip(24, 31)  # L2TP_ATTR_IP_SADDR, L2TP_ATTR_IP6_SADDR
    daddr: IP = ip(25, 32)  # L2TP_ATTR_IP_DADDR, L2TP_ATTR_IP6_DADDR
    udp_sport: Int = u16(26)  # L2TP_ATTR_UDP_SPORT
    udp_dport: Int = u16(27)  # L2TP_ATTR_UDP_DPORT
    udp_csum: Int = u8(13)  # L2TP_ATTR_UDP_CSUM
    udp_zero_csum6_tx: Flag = flag(33)  # L2TP_ATTR_UDP_ZERO_CSUM6_TX
    udp_zero_csum6_rx: Flag = flag(34)  # L2TP_ATTR_UDP_ZERO_CSUM6_RX
    debug: Int = u32(17)  # L2TP_ATTR_DEBUG
    fd: Int = s32(23)  # L2TP_ATTR_FD
    stats: Field[Stats | None] = nested(30, Stats)  # L2TP_ATTR_STATS
    event: Member[Command] = event(Command)


class SessionKey(AttributeSet):
    """The numbers of a tunnel and of a session in it, or the name of the session's link, in a request (L2TP_ATTR_*)."""

    conn_id: Int = u32(9)  # L2TP_ATTR_CONN_ID
    session_id: Int = u32(11)  # L2TP_ATTR_SESSION_ID
    ifname: Str = string(8)  # L2TP_ATTR_IFNAME


class Session(AttributeSet, ignore=(35,)):  # L2TP_ATTR_PAD
    """A session of a tunnel (L2TP_ATTR_*).

    conn_id, peer_conn_id: of its tunnel. session_id, peer_session_id: its numbers here and on the other side, from 1
    on. ifname: of its link; the kernel names it l2tpeth0 and so on, if a request does not. cookie: 4 or 8 bytes that
    packets to the other side have, peer_cookie: that packets from there must have. recv_seq, send_seq: 1 for sequence
    numbers in packets from and to the other side. recv_timeout: milliseconds that packets wait for others before them.
    l2spec_type: the same on both sides; only in requests. lns_mode: 1 for the server of L2TP, which decides about
    sequence numbers. using_ipsec: 1 if IPsec protects the tunnel. debug: no longer used by the kernel.
    event: what a stream reports.
    """

    conn_id: Int = u32(9)  # L2TP_ATTR_CONN_ID
    peer_conn_id: Int = u32(10)  # L2TP_ATTR_PEER_CONN_ID
    session_id: Int = u32(11)  # L2TP_ATTR_SESSION_ID
    peer_session_id: Int = u32(12)  # L2TP_ATTR_PEER_SESSION_ID
    pw_type: Member[PwType] = u16(1, enum=PwType)  # L2TP_ATTR_PW_TYPE
    l2spec_type: Member[L2SpecType] = u8(5, enum=L2SpecType)  # L2TP_ATTR_L2SPEC_TYPE
    ifname: Str = string(8)  # L2TP_ATTR_IFNAME
    cookie: Bytes = binary(15)  # L2TP_ATTR_COOKIE
    peer_cookie: Bytes = binary(16)  # L2TP_ATTR_PEER_COOKIE
    debug: Int = u32(17)  # L2TP_ATTR_DEBUG
    recv_seq: Int = u8(18)  # L2TP_ATTR_RECV_SEQ
    send_seq: Int = u8(19)  # L2TP_ATTR_SEND_SEQ
    lns_mode: Int = u8(20)  # L2TP_ATTR_LNS_MODE
    using_ipsec: Int = u8(21)  # L2TP_ATTR_USING_IPSEC
    recv_timeout: Int = u64(22)  # L2TP_ATTR_RECV_TIMEOUT
    stats: Field[Stats | None] = nested(30, Stats)  # L2TP_ATTR_STATS
    event: Member[Command] = event(Command)


def _check(kind: type[Record], record: Record, names: str) -> None:
    """ValueError if one of the fields is None, TypeError for a record of another kind."""
    if not isinstance(record, kind):
        raise TypeError(f"want a {kind.__name__}, not {record!r}")
    missing = [f"{name}=" for name in names.split() if getattr(record, name) is None]
    if missing:
        raise ValueError(f"a {kind.__name__.lower()} needs {', '.join(missing)}")


_NO_TUNNEL = {errno.ENODEV: "there is no such tunnel in the network namespace"}
_NO_SESSION = {errno.ENODEV: "there is no such session in the network namespace"}


class Conn(Family[C], name="l2tp", needs="CONFIG_L2TP: `modprobe l2tp_netlink` loads its module"):
    """Requests to L2TP."""

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the user namespace of the network namespace",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    tunnels = Dump(Command.TUNNEL_GET, None, Tunnel, doc="All tunnels of the network namespace.")
    sessions = Dump(Command.SESSION_GET, None, Session, doc="All sessions of all tunnels of the network namespace.")
    get_tunnel = Do(
        Command.TUNNEL_GET,
        TunnelKey,
        Tunnel,
        answer=Command.TUNNEL_GET,
        hints=_NO_TUNNEL | {errno.EINVAL: "it needs conn_id="},
        doc="A tunnel, by its number. OSError (ENODEV) if there is none.",
    )
    get_session = Do(
        Command.SESSION_GET,
        SessionKey,
        Session,
        answer=Command.SESSION_GET,
        hints=_NO_SESSION,
        doc="A session, by the numbers of its tunnel and its own, or by the name of its link. OSError (ENODEV) if "
        "there is none.",
    )
    new_tunnel = Do(
        Command.TUNNEL_CREATE,
        Tunnel,
        hints={
            errno.EEXIST: "there is a tunnel with this conn_id, or one that uses this socket",
            errno.EADDRNOTAVAIL: "saddr is no address of this machine",
            errno.EADDRINUSE: "another socket has this saddr and udp_sport",
            errno.EPROTONOSUPPORT: "the tunnel's proto_version is 2 or 3, and 2 is in UDP",
            errno.EBADF: "fd is no open socket",
            errno.EINVAL: "saddr and daddr are of the same address family, and fd is a socket of UDP, or one of "
            "IPPROTO_L2TP for `EncapType.IP`",
        },
        doc="Make a tunnel that the request has as a whole: the operation of `create_tunnel`.",
    )
    modify_tunnel = Do(Command.TUNNEL_MODIFY, Tunnel, hints=_NO_TUNNEL, doc="Change a tunnel: only `debug` can change.")
    delete_tunnel = Do(
        Command.TUNNEL_DELETE,
        TunnelKey,
        hints=_NO_TUNNEL | {errno.EINVAL: "it needs conn_id="},
        doc="Delete a tunnel, by its number, and its sessions. OSError (ENODEV) if there is none.",
    )
    new_session = Do(
        Command.SESSION_CREATE,
        Session,
        hints=_NO_TUNNEL
        | {
            errno.EEXIST: "the tunnel has a session with this session_id, or a link has this ifname",
            errno.EPROTONOSUPPORT: "the kernel does not have this pw_type, which is in a module such as l2tp_eth, or "
            "the tunnel has proto_version=2, which is for PPP alone",
            errno.EINVAL: "a cookie has 4 or 8 bytes",
        },
        doc="Make a session that the request has as a whole: the operation of `create_session`.",
    )
    modify_session = Do(
        Command.SESSION_MODIFY,
        Session,
        hints=_NO_SESSION,
        doc="Change `recv_seq`, `send_seq`, `lns_mode` and `recv_timeout` of a session: those that the request has.",
    )
    delete_session = Do(
        Command.SESSION_DELETE,
        SessionKey,
        hints=_NO_SESSION,
        doc="Delete a session, by the numbers of its tunnel and its own, or by the name of its link. OSError (ENODEV) "
        "if there is none.",
    )
    listen = Listen[Tunnel | Session](
        [
            Kind(Command.TUNNEL_CREATE, Tunnel, Command.TUNNEL_CREATE),
            Kind(Command.TUNNEL_MODIFY, Tunnel, Command.TUNNEL_MODIFY),
            Kind(Command.TUNNEL_DELETE, Tunnel, Command.TUNNEL_DELETE),
            Kind(Command.SESSION_CREATE, Session, Command.SESSION_CREATE),
            Kind(Command.SESSION_MODIFY, Session, Command.SESSION_MODIFY),
            Kind(Command.SESSION_DELETE, Session, Command.SESSION_DELETE),
        ],
        groups=["l2tp"],
        doc="Tunnels and sessions that requests make, change and delete, of all network namespaces of the machine. "
        "A session that ends with its tunnel is not reported, nor is a tunnel that ends with its socket.",
    )

    @verb
    def create_tunnel(self: Conn[Deferred], tunnel: Tunnel) -> Call[None]:
        """Make a tunnel. By default it is one of version 3 in UDP.

        ValueError without conn_id, peer_conn_id, and either saddr and daddr or fd. FileExistsError, which is an
        OpError, if there is one with this conn_id.
        """
        addressed = isinstance(tunnel, Tunnel) and tunnel.fd is None
        _check(Tunnel, tunnel, f"conn_id peer_conn_id {'saddr daddr' if addressed else ''}")
        if tunnel.proto_version is None:
            tunnel = tunnel.replace(proto_version=3)
        if tunnel.encap_type is None:
            tunnel = tunnel.replace(encap_type=EncapType.UDP)
        if not tunnel.udp_csum:
            tunnel = tunnel.replace(udp_csum=None)  # the kernel looks at whether it is there
        return self.new_tunnel(tunnel)

    @verb
    def create_session(self: Conn[Deferred], session: Session) -> Call[None]:
        """Make a session of a tunnel. By default it is of the pseudowire ETH.

        ValueError without conn_id, session_id and peer_session_id. OSError (ENODEV) if there is no such tunnel,
        FileExistsError if a link has this ifname, or if the kernel does not accept a second session of this number,
        as Linux 6.12 does.
        """
        _check(Session, session, "conn_id session_id peer_session_id")
        return self.new_session(session if session.pw_type is not None else session.replace(pw_type=PwType.ETH))


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to L2TP. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to L2TP for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
