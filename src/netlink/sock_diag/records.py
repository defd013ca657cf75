"""The declarations of sock_diag: linux/sock_diag.h, inet_diag.h, unix_diag.h, packet_diag.h, netlink_diag.h,
vm_sockets_diag.h, xdp_diag.h, and struct tcp_info of linux/tcp.h."""

from __future__ import annotations

import os
import sys
from enum import IntEnum, IntFlag

from netlink.schema import (
    IP,
    AttributeSet,
    Bytes,
    Field,
    Flag,
    Int,
    IPv4,
    IPv6,
    Items,
    Member,
    Str,
    Struct,
    array,
    be16,
    binary,
    flag,
    ip,
    ipv4,
    ipv6,
    nested,
    packed,
    pad,
    repeated,
    s32,
    string,
    struct,
    u8,
    u16,
    u32,
    u64,
)

__all__ = [
    "BBR",
    "DCTCP",
    "TLS",
    "ULP",
    "VFS",
    "BPFStorage",
    "BPFStorageRequest",
    "BothRequest",
    "CAState",
    "Command",
    "EndedSocket",
    "Endpoint",
    "Include",
    "InetDiagMsg",
    "InetRequest",
    "InetSocket",
    "MD5Key",
    "MPTCPFlags",
    "MPTCPInfo",
    "MPTCPSocket",
    "MPTCPSubflow",
    "MemInfo",
    "NetlinkFlags",
    "NetlinkInclude",
    "NetlinkRequest",
    "NetlinkRing",
    "NetlinkSocket",
    "PacketFlags",
    "PacketInclude",
    "PacketInfo",
    "PacketMembership",
    "PacketRequest",
    "PacketRing",
    "PacketSocket",
    "Protocol",
    "Queues",
    "RawSocket",
    "SCTPInfo",
    "SCTPSocket",
    "SockOption",
    "SockOptions",
    "SockaddrStorage",
    "SocketMemory",
    "State",
    "States",
    "SubflowFlags",
    "TCPInfo",
    "TCPOptions",
    "TCPSocket",
    "Timer",
    "UDPSocket",
    "UnixInclude",
    "UnixRequest",
    "UnixSocket",
    "Vegas",
    "VsockRequest",
    "VsockSocket",
    "XDPInclude",
    "XDPInfo",
    "XDPRequest",
    "XDPRing",
    "XDPSocket",
    "XDPStats",
    "XDPUmem",
]

_BIG = sys.byteorder == "big"


class Command(IntEnum):
    """Message types."""

    TCP_GET = 18  # TCPDIAG_GETSOCK, TCP sockets of both address families
    BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
    DESTROY = 21  # SOCK_DESTROY


class Protocol(IntEnum):
    """Protocols of AF_INET and AF_INET6: IPPROTO_* of linux/in.h."""

    TCP = 6  # IPPROTO_TCP
    UDP = 17  # IPPROTO_UDP
    SCTP = 132  # IPPROTO_SCTP
    RAW = 255  # IPPROTO_RAW
    MPTCP = 262  # IPPROTO_MPTCP


class State(IntEnum):
    """States of sockets, named as those of TCP. A UDP socket is ESTABLISHED if it is connected, else CLOSE."""

    ESTABLISHED = 1  # TCP_ESTABLISHED
    SYN_SENT = 2  # TCP_SYN_SENT
    SYN_RECV = 3  # TCP_SYN_RECV
    FIN_WAIT1 = 4  # TCP_FIN_WAIT1
    FIN_WAIT2 = 5  # TCP_FIN_WAIT2
    TIME_WAIT = 6  # TCP_TIME_WAIT
    CLOSE = 7  # TCP_CLOSE
    CLOSE_WAIT = 8  # TCP_CLOSE_WAIT
    LAST_ACK = 9  # TCP_LAST_ACK
    LISTEN = 10  # TCP_LISTEN
    CLOSING = 11  # TCP_CLOSING
    NEW_SYN_RECV = 12  # of the kernel alone, which reports SYN_RECV
    BOUND_INACTIVE = 13  # bound, and neither listening nor connected


class States(IntFlag):
    """States to dump: 1 << `State`."""

    ESTABLISHED = 1 << State.ESTABLISHED
    SYN_SENT = 1 << State.SYN_SENT
    SYN_RECV = 1 << State.SYN_RECV
    FIN_WAIT1 = 1 << State.FIN_WAIT1
    FIN_WAIT2 = 1 << State.FIN_WAIT2
    TIME_WAIT = 1 << State.TIME_WAIT
    CLOSE = 1 << State.CLOSE
    CLOSE_WAIT = 1 << State.CLOSE_WAIT
    LAST_ACK = 1 << State.LAST_ACK
    LISTEN = 1 << State.LISTEN
    CLOSING = 1 << State.CLOSING
    NEW_SYN_RECV = 1 << State.NEW_SYN_RECV
    BOUND_INACTIVE = 1 << State.BOUND_INACTIVE
    ALL = (1 << 14) - 2  # all of them
    CONNECTED = ALL & ~(LISTEN | CLOSE | BOUND_INACTIVE)  # all that have a peer


class Timer(IntEnum):
    """The timer that runs: `idiag_timer` of struct inet_diag_msg."""

    OFF = 0  # none
    RETRANSMIT = 1  # retransmission, or a probe for a lost segment
    KEEPALIVE = 2
    TIME_WAIT = 3
    PROBE = 4  # of a window of 0


class Include(IntFlag):
    """What to report of a socket of an internet protocol: 1 << (INET_DIAG_* - 1).

    The kernel always reports the shutdown, the cgroup and the socket options, and for those who have CAP_NET_ADMIN the
    mark and, with INFO, keys and upper layers.
    """

    NONE = 0
    MEMINFO = 0x01  # of INET_DIAG_MEMINFO: `meminfo`, four of the numbers of `memory`
    INFO = 0x02  # of INET_DIAG_INFO: `info`
    CONGESTION_INFO = 0x04  # of INET_DIAG_VEGASINFO: `vegas`, `dctcp` or `bbr`
    CONGESTION = 0x08  # of INET_DIAG_CONG: `congestion`
    TOS = 0x10  # of INET_DIAG_TOS: `tos`
    TCLASS = 0x20  # of INET_DIAG_TCLASS: `tclass`, `class_id`
    MEMORY = 0x40  # of INET_DIAG_SKMEMINFO: `memory`
    ALL = 0x7F


# Socket addresses and memory


class SocketMemory(Struct):
    """SK_MEMINFO_*: memory of a socket in bytes, and drops."""

    rmem_alloc: Int = u32()  # SK_MEMINFO_RMEM_ALLOC, of received data
    rcvbuf: Int = u32()  # SK_MEMINFO_RCVBUF, its limit
    wmem_alloc: Int = u32()  # SK_MEMINFO_WMEM_ALLOC, of data that is sent
    sndbuf: Int = u32()  # SK_MEMINFO_SNDBUF, its limit
    fwd_alloc: Int = u32()  # SK_MEMINFO_FWD_ALLOC, set aside for later
    wmem_queued: Int = u32()  # SK_MEMINFO_WMEM_QUEUED, of data that was sent and is not acknowledged, or not sent yet
    optmem: Int = u32()  # SK_MEMINFO_OPTMEM, of options and filters
    backlog: Int = u32()  # SK_MEMINFO_BACKLOG, of packets that wait while the socket is in use
    drops: Int = u32()  # SK_MEMINFO_DROPS, packets that were dropped


class MemInfo(Struct):
    """struct inet_diag_meminfo: memory of a socket in bytes."""

    rmem: Int = u32()  # idiag_rmem, of received data
    wmem: Int = u32()  # idiag_wmem, of data that was sent and is not acknowledged, or not sent yet
    fmem: Int = u32()  # idiag_fmem, set aside for later
    tmem: Int = u32()  # idiag_tmem, of data that is sent


class SockaddrStorage(Struct):
    """struct sockaddr_storage with an IPv4 or IPv6 address."""

    family: Int = u16()
    port: Int = be16()
    v4: IPv4 = ipv4()  # of AF_INET; sin6_flowinfo else
    v6: IPv6 = ipv6()  # of AF_INET6
    scope_id: Int = u32()  # of AF_INET6
    _pad = pad(100)


# TCP


class CAState(IntEnum):
    """States of congestion avoidance: enum tcp_ca_state, linux/tcp.h."""

    OPEN = 0  # TCP_CA_Open, nothing unusual
    DISORDER = 1  # TCP_CA_Disorder, duplicate acknowledgements
    CWR = 2  # TCP_CA_CWR, the window shrinks after a notification
    RECOVERY = 3  # TCP_CA_Recovery, fast retransmission
    LOSS = 4  # TCP_CA_Loss, after a timeout


class TCPOptions(IntFlag):
    """Options and features of a connection (TCPI_OPT_*)."""

    TIMESTAMPS = 1  # TCPI_OPT_TIMESTAMPS
    SACK = 2  # TCPI_OPT_SACK
    WSCALE = 4  # TCPI_OPT_WSCALE
    ECN = 8  # TCPI_OPT_ECN, negotiated
    ECN_SEEN = 16  # TCPI_OPT_ECN_SEEN, a packet with it was received
    SYN_DATA = 32  # TCPI_OPT_SYN_DATA, data of the SYN was acknowledged or received
    USEC_TS = 64  # TCPI_OPT_USEC_TS, timestamps are microseconds
    TFO_CHILD = 128  # TCPI_OPT_TFO_CHILD, accepted with TCP Fast Open


class TCPInfo(Struct, aligned=True):
    """struct tcp_info: the state and the counters of a TCP connection.

    Times are microseconds, those of `last_*`, `rto_time` and of a listener aside. Fields that a kernel does not have
    are None, and those of later kernels are left out. Of a listener, `unacked` is the number of connections that wait
    for accept(2), and `sacked` is their limit.
    """

    state: Member[State] = u8(enum=State)  # tcpi_state
    ca_state: Member[CAState] = u8(enum=CAState)  # tcpi_ca_state
    retransmits: Int = u8()  # tcpi_retransmits, timeouts without an acknowledgement since
    probes: Int = u8()  # tcpi_probes, probes of a window of 0 or of an idle connection, without an answer
    backoff: Int = u8()  # tcpi_backoff, doublings of the timeout
    options: Member[TCPOptions] = u8(enum=TCPOptions)  # tcpi_options
    wscale: Int = u8()  # tcpi_snd_wscale and tcpi_rcv_wscale: see the properties
    app_limited: Int = u8()  # tcpi_delivery_rate_app_limited and tcpi_fastopen_client_fail: see the properties
    rto: Int = u32()  # tcpi_rto, the timeout of retransmission
    ato: Int = u32()  # tcpi_ato, the timeout of delayed acknowledgements
    snd_mss: Int = u32()  # tcpi_snd_mss, bytes
    rcv_mss: Int = u32()  # tcpi_rcv_mss, bytes
    unacked: Int = u32()  # tcpi_unacked, segments in flight
    sacked: Int = u32()  # tcpi_sacked, segments
    lost: Int = u32()  # tcpi_lost, segments that are taken for lost
    retrans: Int = u32()  # tcpi_retrans, retransmitted segments in flight
    fackets: Int = u32()  # tcpi_fackets, 0 since Linux 4.15
    last_data_sent: Int = u32()  # tcpi_last_data_sent, milliseconds ago
    last_ack_sent: Int = u32()  # tcpi_last_ack_sent, always 0
    last_data_recv: Int = u32()  # tcpi_last_data_recv, milliseconds ago
    last_ack_recv: Int = u32()  # tcpi_last_ack_recv, milliseconds ago
    pmtu: Int = u32()  # tcpi_pmtu, bytes
    rcv_ssthresh: Int = u32()  # tcpi_rcv_ssthresh, bytes
    rtt: Int = u32()  # tcpi_rtt, the smoothed round-trip time
    rttvar: Int = u32()  # tcpi_rttvar, its variation
    snd_ssthresh: Int = u32()  # tcpi_snd_ssthresh, segments
    snd_cwnd: Int = u32()  # tcpi_snd_cwnd, segments
    advmss: Int = u32()  # tcpi_advmss, bytes
    reordering: Int = u32()  # tcpi_reordering, segments
    rcv_rtt: Int = u32()  # tcpi_rcv_rtt, the round-trip time as the receiver estimates it
    rcv_space: Int = u32()  # tcpi_rcv_space, bytes
    total_retrans: Int = u32()  # tcpi_total_retrans, retransmitted segments since the connection began
    pacing_rate: Int = u64()  # tcpi_pacing_rate, bytes per second
    max_pacing_rate: Int = u64()  # tcpi_max_pacing_rate, bytes per second; all bits set for no limit
    bytes_acked: Int = u64()  # tcpi_bytes_acked
    bytes_received: Int = u64()  # tcpi_bytes_received
    segs_out: Int = u32()  # tcpi_segs_out
    segs_in: Int = u32()  # tcpi_segs_in
    notsent_bytes: Int = u32()  # tcpi_notsent_bytes
    min_rtt: Int = u32()  # tcpi_min_rtt; all bits set if there is none yet
    data_segs_in: Int = u32()  # tcpi_data_segs_in
    data_segs_out: Int = u32()  # tcpi_data_segs_out
    delivery_rate: Int = u64()  # tcpi_delivery_rate, bytes per second
    busy_time: Int = u64()  # tcpi_busy_time, with data to send
    rwnd_limited: Int = u64()  # tcpi_rwnd_limited, limited by the receiver's window
    sndbuf_limited: Int = u64()  # tcpi_sndbuf_limited, limited by the send buffer
    delivered: Int = u32()  # tcpi_delivered, segments
    delivered_ce: Int = u32()  # tcpi_delivered_ce, segments that met congestion
    bytes_sent: Int = u64()  # tcpi_bytes_sent, with retransmissions
    bytes_retrans: Int = u64()  # tcpi_bytes_retrans
    dsack_dups: Int = u32()  # tcpi_dsack_dups, duplicates that the peer reported
    reord_seen: Int = u32()  # tcpi_reord_seen, times that segments were reordered
    rcv_ooopack: Int = u32()  # tcpi_rcv_ooopack, segments received out of order
    snd_wnd: Int = u32()  # tcpi_snd_wnd, bytes, the peer's window
    rcv_wnd: Int = u32()  # tcpi_rcv_wnd, bytes; Linux 6.2
    rehash: Int = u32()  # tcpi_rehash, new hashes to find another path; Linux 6.2
    total_rto: Int = u16()  # tcpi_total_rto, timeouts of retransmission; Linux 6.7
    total_rto_recoveries: Int = u16()  # tcpi_total_rto_recoveries, recoveries from them; Linux 6.7
    total_rto_time: Int = u32()  # tcpi_total_rto_time, milliseconds in them; Linux 6.7
    received_ce: Int = u32()  # tcpi_received_ce, segments that met congestion; this and all below: Linux 6.18
    delivered_e1_bytes: Int = u32()  # tcpi_delivered_e1_bytes
    delivered_e0_bytes: Int = u32()  # tcpi_delivered_e0_bytes
    delivered_ce_bytes: Int = u32()  # tcpi_delivered_ce_bytes
    received_e1_bytes: Int = u32()  # tcpi_received_e1_bytes
    received_e0_bytes: Int = u32()  # tcpi_received_e0_bytes
    received_ce_bytes: Int = u32()  # tcpi_received_ce_bytes
    accecn: Int = u32()  # tcpi_accecn_*, whose bits 6.18 and 7.0 give other meanings, which nothing tells apart

    @property
    def snd_wscale(self) -> int | None:
        """The window scale of what this side sends, tcpi_snd_wscale."""
        return None if self.wscale is None else self.wscale >> 4 if _BIG else self.wscale & 15

    @property
    def rcv_wscale(self) -> int | None:
        """The window scale of what this side receives, tcpi_rcv_wscale."""
        return None if self.wscale is None else self.wscale & 15 if _BIG else self.wscale >> 4

    @property
    def delivery_rate_app_limited(self) -> bool | None:
        """Whether the application sent too little to measure `delivery_rate`, tcpi_delivery_rate_app_limited."""
        return None if self.app_limited is None else bool(self.app_limited & (0x80 if _BIG else 0x01))

    @property
    def fastopen_client_fail(self) -> int | None:
        """Why TCP Fast Open failed, tcpi_fastopen_client_fail: TFO_* of linux/tcp.h."""
        return None if self.app_limited is None else self.app_limited >> (5 if _BIG else 1) & 3


class Vegas(Struct):
    """struct tcpvegas_info: of the algorithms vegas, veno, westwood, illinois and others."""

    enabled: Int = u32()  # tcpv_enabled
    rttcnt: Int = u32()  # tcpv_rttcnt, round trips measured
    rtt: Int = u32()  # tcpv_rtt, microseconds
    minrtt: Int = u32()  # tcpv_minrtt, microseconds


class DCTCP(Struct):
    """struct tcp_dctcp_info: of the algorithm dctcp."""

    enabled: Int = u16()  # dctcp_enabled
    ce_state: Int = u16()  # dctcp_ce_state
    alpha: Int = u32()  # dctcp_alpha, of 1024
    ab_ecn: Int = u32()  # dctcp_ab_ecn, bytes acknowledged with a mark
    ab_tot: Int = u32()  # dctcp_ab_tot, bytes acknowledged


class BBR(Struct):
    """struct tcp_bbr_info: of the algorithm bbr."""

    bw_lo: Int = u32()  # bbr_bw_lo
    bw_hi: Int = u32()  # bbr_bw_hi
    min_rtt: Int = u32()  # bbr_min_rtt, microseconds
    pacing_gain: Int = u32()  # bbr_pacing_gain, of 256
    cwnd_gain: Int = u32()  # bbr_cwnd_gain, of 256

    @property
    def bw(self) -> int | None:
        """The estimated bandwidth in bytes per second."""
        return None if self.bw_lo is None or self.bw_hi is None else self.bw_hi << 32 | self.bw_lo


class MD5Key(Struct):
    """struct tcp_diag_md5sig: a key of RFC 2385, for the peers in a network."""

    family: Int = u8()  # tcpm_family
    prefixlen: Int = u8()  # tcpm_prefixlen
    keylen: Int = u16()  # tcpm_keylen, bytes of key
    addr: IP = ip(size=16, family="family")  # tcpm_addr
    key: Bytes = binary(size=80)  # tcpm_key, with zeros


class TLS(AttributeSet):
    """TLS_INFO_*: TLS in the kernel, linux/tls.h."""

    version: Int = u16(1)  # TLS_INFO_VERSION, 0x0303 for 1.2
    cipher: Int = u16(2)  # TLS_INFO_CIPHER, TLS_CIPHER_*
    txconf: Int = u16(3)  # TLS_INFO_TXCONF, TLS_CONF_*
    rxconf: Int = u16(4)  # TLS_INFO_RXCONF, TLS_CONF_*
    zc_ro_tx: Flag = flag(5)  # TLS_INFO_ZC_RO_TX
    rx_no_pad: Flag = flag(6)  # TLS_INFO_RX_NO_PAD


class SubflowFlags(IntFlag):
    """MPTCP_SUBFLOW_FLAG_*: of a subflow, linux/mptcp.h."""

    MCAP_REM = 1 << 0  # MPTCP_SUBFLOW_FLAG_MCAP_REM
    MCAP_LOC = 1 << 1  # MPTCP_SUBFLOW_FLAG_MCAP_LOC
    JOIN_REM = 1 << 2  # MPTCP_SUBFLOW_FLAG_JOIN_REM
    JOIN_LOC = 1 << 3  # MPTCP_SUBFLOW_FLAG_JOIN_LOC
    BKUP_REM = 1 << 4  # MPTCP_SUBFLOW_FLAG_BKUP_REM
    BKUP_LOC = 1 << 5  # MPTCP_SUBFLOW_FLAG_BKUP_LOC
    FULLY_ESTABLISHED = 1 << 6  # MPTCP_SUBFLOW_FLAG_FULLY_ESTABLISHED
    CONNECTED = 1 << 7  # MPTCP_SUBFLOW_FLAG_CONNECTED
    MAPVALID = 1 << 8  # MPTCP_SUBFLOW_FLAG_MAPVALID


class MPTCPSubflow(AttributeSet, ignore=(11,)):  # MPTCP_SUBFLOW_ATTR_PAD
    """MPTCP_SUBFLOW_ATTR_*: a TCP socket that is a subflow of Multipath TCP."""

    token_rem: Int = u32(1)  # MPTCP_SUBFLOW_ATTR_TOKEN_REM, of the connection at the peer
    token_loc: Int = u32(2)  # MPTCP_SUBFLOW_ATTR_TOKEN_LOC, of the connection
    relwrite_seq: Int = u32(3)  # MPTCP_SUBFLOW_ATTR_RELWRITE_SEQ
    map_seq: Int = u64(4)  # MPTCP_SUBFLOW_ATTR_MAP_SEQ
    map_sfseq: Int = u32(5)  # MPTCP_SUBFLOW_ATTR_MAP_SFSEQ
    ssn_offset: Int = u32(6)  # MPTCP_SUBFLOW_ATTR_SSN_OFFSET
    map_datalen: Int = u16(7)  # MPTCP_SUBFLOW_ATTR_MAP_DATALEN
    flags: Member[SubflowFlags] = u32(8, enum=SubflowFlags)  # MPTCP_SUBFLOW_ATTR_FLAGS
    id_rem: Int = u8(9)  # MPTCP_SUBFLOW_ATTR_ID_REM, of the peer's address
    id_loc: Int = u8(10)  # MPTCP_SUBFLOW_ATTR_ID_LOC, of the own address


class ULP(AttributeSet):
    """INET_ULP_INFO_*: the upper layer protocol of a TCP socket."""

    name: Str = string(1)  # INET_ULP_INFO_NAME, such as tls
    tls: Field[TLS | None] = nested(2, TLS)  # INET_ULP_INFO_TLS
    mptcp: Field[MPTCPSubflow | None] = nested(3, MPTCPSubflow)  # INET_ULP_INFO_MPTCP


# Multipath TCP and SCTP


class MPTCPFlags(IntFlag):
    """MPTCP_INFO_FLAG_*: linux/mptcp.h."""

    FALLBACK = 1 << 0  # MPTCP_INFO_FLAG_FALLBACK, the connection is one of plain TCP
    REMOTE_KEY_RECEIVED = 1 << 1  # MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED


class MPTCPInfo(Struct, aligned=True):
    """struct mptcp_info: a connection of Multipath TCP."""

    subflows: Int = u8()  # mptcpi_subflows, beyond the first
    add_addr_signal: Int = u8()  # mptcpi_add_addr_signal, addresses announced
    add_addr_accepted: Int = u8()  # mptcpi_add_addr_accepted, addresses accepted
    subflows_max: Int = u8()  # mptcpi_subflows_max
    add_addr_signal_max: Int = u8()  # mptcpi_add_addr_signal_max
    add_addr_accepted_max: Int = u8()  # mptcpi_add_addr_accepted_max
    flags: Member[MPTCPFlags] = u32(enum=MPTCPFlags)  # mptcpi_flags
    token: Int = u32()  # mptcpi_token, as in `netlink.generic.mptcp_pm`
    write_seq: Int = u64()  # mptcpi_write_seq
    snd_una: Int = u64()  # mptcpi_snd_una
    rcv_nxt: Int = u64()  # mptcpi_rcv_nxt
    local_addr_used: Int = u8()  # mptcpi_local_addr_used
    local_addr_max: Int = u8()  # mptcpi_local_addr_max
    csum_enabled: Int = u8()  # mptcpi_csum_enabled
    retransmits: Int = u32()  # mptcpi_retransmits
    bytes_retrans: Int = u64()  # mptcpi_bytes_retrans
    bytes_sent: Int = u64()  # mptcpi_bytes_sent
    bytes_received: Int = u64()  # mptcpi_bytes_received
    bytes_acked: Int = u64()  # mptcpi_bytes_acked
    subflows_total: Int = u8()  # mptcpi_subflows_total
    _reserved = pad(3)
    last_data_sent: Int = u32()  # mptcpi_last_data_sent, milliseconds ago
    last_data_recv: Int = u32()  # mptcpi_last_data_recv, milliseconds ago
    last_ack_recv: Int = u32()  # mptcpi_last_ack_recv, milliseconds ago


class SCTPInfo(Struct, aligned=True):
    """struct sctp_info: an association, or a socket without one; linux/sctp.h."""

    tag: Int = u32()  # sctpi_tag
    state: Int = u32()  # sctpi_state
    rwnd: Int = u32()  # sctpi_rwnd
    unackdata: Int = u16()  # sctpi_unackdata
    penddata: Int = u16()  # sctpi_penddata
    instrms: Int = u16()  # sctpi_instrms
    outstrms: Int = u16()  # sctpi_outstrms
    fragmentation_point: Int = u32()  # sctpi_fragmentation_point
    inqueue: Int = u32()  # sctpi_inqueue
    outqueue: Int = u32()  # sctpi_outqueue
    overall_error: Int = u32()  # sctpi_overall_error
    max_burst: Int = u32()  # sctpi_max_burst
    maxseg: Int = u32()  # sctpi_maxseg
    peer_rwnd: Int = u32()  # sctpi_peer_rwnd
    peer_tag: Int = u32()  # sctpi_peer_tag
    peer_capable: Int = u8()  # sctpi_peer_capable
    peer_sack: Int = u8()  # sctpi_peer_sack
    _reserved1 = pad(2)
    isacks: Int = u64()  # sctpi_isacks
    osacks: Int = u64()  # sctpi_osacks
    opackets: Int = u64()  # sctpi_opackets
    ipackets: Int = u64()  # sctpi_ipackets
    rtxchunks: Int = u64()  # sctpi_rtxchunks
    outofseqtsns: Int = u64()  # sctpi_outofseqtsns
    idupchunks: Int = u64()  # sctpi_idupchunks
    gapcnt: Int = u64()  # sctpi_gapcnt
    ouodchunks: Int = u64()  # sctpi_ouodchunks
    iuodchunks: Int = u64()  # sctpi_iuodchunks
    oodchunks: Int = u64()  # sctpi_oodchunks
    iodchunks: Int = u64()  # sctpi_iodchunks
    octrlchunks: Int = u64()  # sctpi_octrlchunks
    ictrlchunks: Int = u64()  # sctpi_ictrlchunks
    p_address: Field[SockaddrStorage | None] = struct(None, SockaddrStorage)  # sctpi_p_address, of the primary path
    p_state: Int = s32()  # sctpi_p_state
    p_cwnd: Int = u32()  # sctpi_p_cwnd
    p_srtt: Int = u32()  # sctpi_p_srtt
    p_rto: Int = u32()  # sctpi_p_rto
    p_hbinterval: Int = u32()  # sctpi_p_hbinterval
    p_pathmaxrxt: Int = u32()  # sctpi_p_pathmaxrxt
    p_sackdelay: Int = u32()  # sctpi_p_sackdelay
    p_sackfreq: Int = u32()  # sctpi_p_sackfreq
    p_ssthresh: Int = u32()  # sctpi_p_ssthresh
    p_partial_bytes_acked: Int = u32()  # sctpi_p_partial_bytes_acked
    p_flight_size: Int = u32()  # sctpi_p_flight_size
    p_error: Int = u16()  # sctpi_p_error
    _reserved2 = pad(2)
    s_autoclose: Int = u32()  # sctpi_s_autoclose
    s_adaptation_ind: Int = u32()  # sctpi_s_adaptation_ind
    s_pd_point: Int = u32()  # sctpi_s_pd_point
    s_nodelay: Int = u8()  # sctpi_s_nodelay
    s_disable_fragments: Int = u8()  # sctpi_s_disable_fragments
    s_v4mapped: Int = u8()  # sctpi_s_v4mapped
    s_frag_interleave: Int = u8()  # sctpi_s_frag_interleave
    s_type: Int = u32()  # sctpi_s_type


# Sockets of internet protocols


class SockOption(IntFlag):
    """Options of a socket: struct inet_diag_sockopt."""

    RECVERR = 1 << 0
    IS_ICSK = 1 << 1  # of a protocol with connections
    FREEBIND = 1 << 2
    HDRINCL = 1 << 3
    MC_LOOP = 1 << 4
    TRANSPARENT = 1 << 5
    MC_ALL = 1 << 6
    NODEFRAG = 1 << 7
    BIND_ADDRESS_NO_PORT = 1 << 8
    RECVERR_RFC4884 = 1 << 9
    DEFER_CONNECT = 1 << 10


class SockOptions(Struct):
    """struct inet_diag_sockopt: bits, in the order of the machine's C compiler."""

    first: Int = u8()
    second: Int = u8()

    @property
    def flags(self) -> SockOption:
        """The options that are set."""
        first, second = self.first or 0, self.second or 0
        if _BIG:
            first, second = (int(f"{byte:08b}"[::-1], 2) for byte in (first, second))
        return SockOption(first | second << 8)


class BPFStorage(AttributeSet, ignore=(1,)):  # SK_DIAG_BPF_STORAGE_PAD
    """SK_DIAG_BPF_STORAGE_*: the value that a BPF map has for a socket."""

    map_id: Int = u32(2)  # SK_DIAG_BPF_STORAGE_MAP_ID
    value: Bytes = binary(3)  # SK_DIAG_BPF_STORAGE_MAP_VALUE


class InetDiagMsg(Struct):
    """struct inet_diag_msg, with struct inet_diag_sockid in it."""

    family: Int = u8()
    state: Member[State] = u8(enum=State)
    timer: Member[Timer] = u8(enum=Timer)
    retrans: Int = u8()
    src_port: Int = be16()
    dst_port: Int = be16()
    src: IP = ip(size=16, family="family")
    dst: IP = ip(size=16, family="family")
    interface: Int = u32()
    cookie: Int = u64()
    expires: Int = u32()
    recv_queue: Int = u32()
    send_queue: Int = u32()
    uid: Int = u32()
    inode: Int = u32()


class InetSocket(
    AttributeSet,
    header=InetDiagMsg,
    ignore=(14,),  # INET_DIAG_PAD
    rare=("md5sig", "ulp", "vegas", "dctcp", "bbr", "bpf_storages"),
):
    """A socket of an internet protocol (INET_DIAG_*).

    Sockets in the states TIME_WAIT and SYN_RECV have an inode and uid of 0 and no attributes. A socket of AF_INET6 may
    have IPv4 addresses, as ::ffff:192.0.2.1.
    """

    header: InetDiagMsg | None = None
    family: Int = InetDiagMsg.family  # AF_INET or AF_INET6
    state: Member[State] = InetDiagMsg.state
    timer: Member[Timer] = InetDiagMsg.timer
    retrans: Int = InetDiagMsg.retrans  # retransmissions, or probes
    src_port: Int = InetDiagMsg.src_port
    dst_port: Int = InetDiagMsg.dst_port
    src: IP = InetDiagMsg.src
    dst: IP = InetDiagMsg.dst
    interface: Int = InetDiagMsg.interface  # the index of the one that it is bound to, 0 for none
    cookie: Int = InetDiagMsg.cookie  # no other socket ever has it, until the machine restarts
    expires: Int = InetDiagMsg.expires  # milliseconds until the timer
    recv_queue: Int = InetDiagMsg.recv_queue  # bytes; of a listener connections that wait for accept(2)
    send_queue: Int = InetDiagMsg.send_queue  # bytes; of a listener the limit of these
    uid: Int = InetDiagMsg.uid  # the user's number
    inode: Int = InetDiagMsg.inode  # as in /proc/PID/fd; 0 if no process has the socket
    meminfo: Field[MemInfo | None] = struct(1, MemInfo)  # INET_DIAG_MEMINFO
    vegas: Field[Vegas | None] = struct(3, Vegas)  # INET_DIAG_VEGASINFO
    congestion: Str = string(4)  # INET_DIAG_CONG, the algorithm, such as cubic
    tos: Int = u8(5)  # INET_DIAG_TOS
    tclass: Int = u8(6)  # INET_DIAG_TCLASS
    memory: Field[SocketMemory | None] = struct(7, SocketMemory)  # INET_DIAG_SKMEMINFO
    shutdown: Int = u8(8)  # INET_DIAG_SHUTDOWN, 1: receives no more, 2: sends no more
    dctcp: Field[DCTCP | None] = struct(9, DCTCP)  # INET_DIAG_DCTCPINFO
    protocol: Int = u8(10)  # INET_DIAG_PROTOCOL, of raw sockets, and of sockets that have ended
    v6only: Int = u8(11)  # INET_DIAG_SKV6ONLY, of sockets that are not connected
    mark: Int = u32(15)  # INET_DIAG_MARK, for those who have CAP_NET_ADMIN
    bbr: Field[BBR | None] = struct(16, BBR)  # INET_DIAG_BBRINFO
    class_id: Int = u32(17)  # INET_DIAG_CLASS_ID, of net_cls or of SO_PRIORITY
    md5sig: Items[MD5Key] = packed(18, MD5Key)  # INET_DIAG_MD5SIG, for those who have CAP_NET_ADMIN
    ulp: Field[ULP | None] = nested(19, ULP)  # INET_DIAG_ULP_INFO, of TLS for those who have CAP_NET_ADMIN alone
    bpf_storages: Items[BPFStorage] = array(20, BPFStorage)  # INET_DIAG_SK_BPF_STORAGES
    cgroup_id: Int = u64(21)  # INET_DIAG_CGROUP_ID, of cgroup 2
    sockopt: Field[SockOptions | None] = struct(22, SockOptions)  # INET_DIAG_SOCKOPT


class TCPSocket(InetSocket):
    """A socket of TCP, or a subflow of Multipath TCP."""

    info: Field[TCPInfo | None] = struct(2, TCPInfo)  # INET_DIAG_INFO


class EndedSocket(TCPSocket):
    """A socket of TCP or UDP that has ended: its `protocol` says which. One of UDP has no `info`.

    Its state is CLOSE, or that of a connection that was reset. It has no inode and no uid any more.
    """


class UDPSocket(InetSocket):
    """A socket of UDP."""


class RawSocket(InetSocket):
    """A raw socket of an internet protocol, its `protocol`. Its ports are no ports."""


class MPTCPSocket(InetSocket):
    """A socket of Multipath TCP. Its subflows are sockets of TCP."""

    info: Field[MPTCPInfo | None] = struct(2, MPTCPInfo)  # INET_DIAG_INFO


class SCTPSocket(InetSocket, rare=("info", "locals", "peers")):
    """An association or a socket of SCTP."""

    info: Field[SCTPInfo | None] = struct(2, SCTPInfo)  # INET_DIAG_INFO
    locals: Items[SockaddrStorage] = packed(12, SockaddrStorage)  # INET_DIAG_LOCALS
    peers: Items[SockaddrStorage] = packed(13, SockaddrStorage)  # INET_DIAG_PEERS


class Endpoint(AttributeSet, header=InetDiagMsg, unknown=False):
    """A socket of an internet protocol without what is behind struct inet_diag_msg: the records of `connections`."""

    header: InetDiagMsg | None = None


# Requests about them


class BPFStorageRequest(AttributeSet):
    """SK_DIAG_BPF_STORAGE_REQ_*: whose values to report; none for all maps."""

    map_fds: Items[int] = repeated(1, u32)  # SK_DIAG_BPF_STORAGE_REQ_MAP_FD


class InetDiagReq(Struct):
    """struct inet_diag_req_v2."""

    family: Int = u8()
    protocol: Int = u8()
    include: Int = u8()
    raw_protocol: Int = u8()
    states: Int = u32()
    src_port: Int = be16()
    dst_port: Int = be16()
    src: IP = ip(size=16, family="family")
    dst: IP = ip(size=16, family="family")
    interface: Int = u32()
    cookie: Int = u64()


class InetRequest(AttributeSet, header=InetDiagReq):
    """A request about sockets of an internet protocol (INET_DIAG_REQ_*)."""

    header: InetDiagReq | None = None
    family: Int = InetDiagReq.family
    protocol: Int = InetDiagReq.protocol
    include: Int = InetDiagReq.include  # idiag_ext
    raw_protocol: Int = InetDiagReq.raw_protocol  # sdiag_raw_protocol of struct inet_diag_req_raw, of one raw socket
    states: Int = InetDiagReq.states
    src_port: Int = InetDiagReq.src_port
    dst_port: Int = InetDiagReq.dst_port
    src: IP = InetDiagReq.src
    dst: IP = InetDiagReq.dst
    interface: Int = InetDiagReq.interface
    cookie: Int = InetDiagReq.cookie
    bytecode: Bytes = binary(1)  # INET_DIAG_REQ_BYTECODE
    bpf_storages: Field[BPFStorageRequest | None] = nested(2, BPFStorageRequest)  # INET_DIAG_REQ_SK_BPF_STORAGES
    wide_protocol: Int = u32(3)  # INET_DIAG_REQ_PROTOCOL, one beyond 255


class InetDiagReqBoth(Struct):
    """struct inet_diag_req."""

    family: Int = u8()
    src_len: Int = u8()
    dst_len: Int = u8()
    include: Int = u8()
    src_port: Int = be16()
    dst_port: Int = be16()
    src: IP = ip(size=16, family="family")
    dst: IP = ip(size=16, family="family")
    interface: Int = u32()
    cookie: Int = u64()
    states: Int = u32()
    dbs: Int = u32()


class BothRequest(AttributeSet, header=InetDiagReqBoth):
    """A request for the sockets of TCP of both address families, in one walk through the kernel's table."""

    header: InetDiagReqBoth | None = None
    include: Int = InetDiagReqBoth.include  # idiag_ext
    states: Int = InetDiagReqBoth.states
    bytecode: Bytes = binary(1)  # INET_DIAG_REQ_BYTECODE


# Unix


class UnixInclude(IntFlag):
    """What to report of a Unix socket (UDIAG_SHOW_*)."""

    NONE = 0
    NAME = 0x01  # UDIAG_SHOW_NAME
    VFS = 0x02  # UDIAG_SHOW_VFS
    PEER = 0x04  # UDIAG_SHOW_PEER
    ICONS = 0x08  # UDIAG_SHOW_ICONS
    RQLEN = 0x10  # UDIAG_SHOW_RQLEN
    MEMINFO = 0x20  # UDIAG_SHOW_MEMINFO
    UID = 0x40  # UDIAG_SHOW_UID
    ALL = 0x7F


class UnixDiagMsg(Struct):
    """struct unix_diag_msg."""

    family: Int = u8()
    type: Int = u8()
    state: Member[State] = u8(enum=State)
    _pad = pad(1)
    inode: Int = u32()
    cookie: Int = u64()


class VFS(Struct):
    """struct unix_diag_vfs: the file of a bound socket."""

    inode: Int = u32()  # udiag_vfs_ino
    device: Int = u32()  # udiag_vfs_dev, as the kernel has it: the minor number in the low 20 bits


class Queues(Struct):
    """struct unix_diag_rqlen."""

    recv_queue: Int = u32()  # udiag_rqueue, bytes; of a listener connections that wait for accept(2)
    send_queue: Int = u32()  # udiag_wqueue, bytes; of a listener the limit of these


class UnixSocket(AttributeSet, header=UnixDiagMsg):
    """A Unix socket (UNIX_DIAG_*)."""

    header: UnixDiagMsg | None = None
    type: Int = UnixDiagMsg.type  # SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET
    state: Member[State] = UnixDiagMsg.state
    inode: Int = UnixDiagMsg.inode
    cookie: Int = UnixDiagMsg.cookie
    name: Bytes = binary(0)  # UNIX_DIAG_NAME, as in struct sockaddr_un; an abstract one begins with a NUL
    vfs: Field[VFS | None] = struct(1, VFS)  # UNIX_DIAG_VFS
    peer: Int = u32(2)  # UNIX_DIAG_PEER, the inode of the connected socket
    icons: Items[int] = packed(3, u32)  # UNIX_DIAG_ICONS, inodes of sockets that wait for accept(2); 0 if closed
    queues: Field[Queues | None] = struct(4, Queues)  # UNIX_DIAG_RQLEN
    memory: Field[SocketMemory | None] = struct(5, SocketMemory)  # UNIX_DIAG_MEMINFO
    shutdown: Int = u8(6)  # UNIX_DIAG_SHUTDOWN, 1: receives no more, 2: sends no more
    uid: Int = u32(7)  # UNIX_DIAG_UID

    @property
    def path(self) -> str | None:
        """The name as text, with "@" for a NUL; None if the socket has no name."""
        return None if self.name is None else os.fsdecode(self.name.rstrip(b"\0")).replace("\0", "@")


class UnixDiagReq(Struct):
    """struct unix_diag_req."""

    family: Int = u8()
    protocol: Int = u8()
    _pad = pad(2)
    states: Int = u32()
    inode: Int = u32()
    include: Int = u32()
    cookie: Int = u64()


class UnixRequest(AttributeSet, header=UnixDiagReq):
    """A request about Unix sockets."""

    header: UnixDiagReq | None = None
    family: Int = UnixDiagReq.family
    states: Int = UnixDiagReq.states
    inode: Int = UnixDiagReq.inode
    include: Int = UnixDiagReq.include  # udiag_show
    cookie: Int = UnixDiagReq.cookie


# Packets


class ShowReq(Struct):
    """struct packet_diag_req, netlink_diag_req and xdp_diag_req, which are the same."""

    family: Int = u8()
    protocol: Int = u8()
    _pad = pad(2)
    inode: Int = u32()
    include: Int = u32()
    cookie: Int = u64()


class PacketInclude(IntFlag):
    """What to report of a packet socket (PACKET_SHOW_*). The kernel always reports the user."""

    NONE = 0
    INFO = 0x01  # PACKET_SHOW_INFO
    MCLIST = 0x02  # PACKET_SHOW_MCLIST
    RING_CFG = 0x04  # PACKET_SHOW_RING_CFG
    FANOUT = 0x08  # PACKET_SHOW_FANOUT
    MEMINFO = 0x10  # PACKET_SHOW_MEMINFO
    FILTER = 0x20  # PACKET_SHOW_FILTER, for those who have CAP_NET_ADMIN
    ALL = 0x3F


class PacketDiagMsg(Struct):
    """struct packet_diag_msg."""

    family: Int = u8()
    type: Int = u8()
    protocol: Int = u16()
    inode: Int = u32()
    cookie: Int = u64()


class PacketFlags(IntFlag):
    """PDI_*."""

    RUNNING = 0x01  # PDI_RUNNING
    AUXDATA = 0x02  # PDI_AUXDATA
    ORIGDEV = 0x04  # PDI_ORIGDEV
    VNETHDR = 0x08  # PDI_VNETHDR
    LOSS = 0x10  # PDI_LOSS


class PacketInfo(Struct):
    """struct packet_diag_info."""

    interface: Int = u32()  # pdi_index, 0 for any
    version: Int = u32()  # pdi_version, TPACKET_*
    reserve: Int = u32()  # pdi_reserve
    copy_thresh: Int = u32()  # pdi_copy_thresh
    tstamp: Int = u32()  # pdi_tstamp
    flags: Member[PacketFlags] = u32(enum=PacketFlags)  # pdi_flags


class PacketMembership(Struct):
    """struct packet_diag_mclist: addresses that a device receives for a socket."""

    interface: Int = u32()  # pdmc_index
    count: Int = u32()  # pdmc_count
    type: Int = u16()  # pdmc_type, PACKET_MR_*
    alen: Int = u16()  # pdmc_alen, bytes of addr
    addr: Bytes = binary(size=32)  # pdmc_addr, with zeros


class PacketRing(Struct):
    """struct packet_diag_ring."""

    block_size: Int = u32()  # pdr_block_size
    block_nr: Int = u32()  # pdr_block_nr
    frame_size: Int = u32()  # pdr_frame_size
    frame_nr: Int = u32()  # pdr_frame_nr
    retire_tmo: Int = u32()  # pdr_retire_tmo, milliseconds
    sizeof_priv: Int = u32()  # pdr_sizeof_priv
    features: Int = u32()  # pdr_features


class PacketSocket(AttributeSet, header=PacketDiagMsg):
    """A packet socket (PACKET_DIAG_*)."""

    header: PacketDiagMsg | None = None
    type: Int = PacketDiagMsg.type  # SOCK_RAW or SOCK_DGRAM
    protocol: Int = PacketDiagMsg.protocol  # ETH_P_* of linux/if_ether.h
    inode: Int = PacketDiagMsg.inode
    cookie: Int = PacketDiagMsg.cookie
    info: Field[PacketInfo | None] = struct(0, PacketInfo)  # PACKET_DIAG_INFO
    memberships: Items[PacketMembership] = packed(1, PacketMembership)  # PACKET_DIAG_MCLIST
    rx_ring: Field[PacketRing | None] = struct(2, PacketRing)  # PACKET_DIAG_RX_RING
    tx_ring: Field[PacketRing | None] = struct(3, PacketRing)  # PACKET_DIAG_TX_RING
    fanout: Int = u32(4)  # PACKET_DIAG_FANOUT, the group, and PACKET_FANOUT_* in the upper 16 bits
    uid: Int = u32(5)  # PACKET_DIAG_UID
    memory: Field[SocketMemory | None] = struct(6, SocketMemory)  # PACKET_DIAG_MEMINFO
    filter: Bytes = binary(7)  # PACKET_DIAG_FILTER, classic BPF, struct sock_filter; empty without CAP_NET_ADMIN


class PacketRequest(AttributeSet, header=ShowReq):
    """A request about packet sockets."""

    header: ShowReq | None = None
    family: Int = ShowReq.family
    include: Int = ShowReq.include  # pdiag_show


# Netlink


class NetlinkInclude(IntFlag):
    """What to report of a netlink socket (NDIAG_SHOW_*)."""

    NONE = 0
    MEMINFO = 0x01  # NDIAG_SHOW_MEMINFO
    GROUPS = 0x02  # NDIAG_SHOW_GROUPS
    RING_CFG = 0x04  # NDIAG_SHOW_RING_CFG, no effect since Linux 4.6
    FLAGS = 0x08  # NDIAG_SHOW_FLAGS
    ALL = 0x0F


class NetlinkFlags(IntFlag):
    """NDIAG_FLAG_*."""

    CB_RUNNING = 0x01  # NDIAG_FLAG_CB_RUNNING, a dump is under way
    PKTINFO = 0x02  # NDIAG_FLAG_PKTINFO
    BROADCAST_ERROR = 0x04  # NDIAG_FLAG_BROADCAST_ERROR
    NO_ENOBUFS = 0x08  # NDIAG_FLAG_NO_ENOBUFS
    LISTEN_ALL_NSID = 0x10  # NDIAG_FLAG_LISTEN_ALL_NSID
    CAP_ACK = 0x20  # NDIAG_FLAG_CAP_ACK


class NetlinkDiagMsg(Struct):
    """struct netlink_diag_msg."""

    family: Int = u8()
    type: Int = u8()
    protocol: Int = u8()
    state: Int = u8()
    portid: Int = u32()
    dst_portid: Int = u32()
    dst_group: Int = u32()
    inode: Int = u32()
    cookie: Int = u64()


class NetlinkRing(Struct):
    """struct netlink_diag_ring: of kernels before 4.6."""

    block_size: Int = u32()  # ndr_block_size
    block_nr: Int = u32()  # ndr_block_nr
    frame_size: Int = u32()  # ndr_frame_size
    frame_nr: Int = u32()  # ndr_frame_nr


class NetlinkSocket(AttributeSet, header=NetlinkDiagMsg):
    """A netlink socket (NETLINK_DIAG_*)."""

    header: NetlinkDiagMsg | None = None
    type: Int = NetlinkDiagMsg.type  # SOCK_RAW or SOCK_DGRAM
    protocol: Int = NetlinkDiagMsg.protocol  # NETLINK_*: `netlink.Family`
    state: Int = NetlinkDiagMsg.state  # 1: connected, 0: not
    portid: Int = NetlinkDiagMsg.portid  # 0: a socket of the kernel
    dst_portid: Int = NetlinkDiagMsg.dst_portid
    dst_group: Int = NetlinkDiagMsg.dst_group
    inode: Int = NetlinkDiagMsg.inode
    cookie: Int = NetlinkDiagMsg.cookie
    memory: Field[SocketMemory | None] = struct(0, SocketMemory)  # NETLINK_DIAG_MEMINFO
    group_bits: Bytes = binary(1)  # NETLINK_DIAG_GROUPS, words of the kernel: see `groups`
    rx_ring: Field[NetlinkRing | None] = struct(2, NetlinkRing)  # NETLINK_DIAG_RX_RING
    tx_ring: Field[NetlinkRing | None] = struct(3, NetlinkRing)  # NETLINK_DIAG_TX_RING
    flags: Member[NetlinkFlags] = u32(4, enum=NetlinkFlags)  # NETLINK_DIAG_FLAGS

    @property
    def groups(self) -> tuple[int, ...]:
        """The numbers of the multicast groups that the socket has joined."""
        words = self.group_bits or b""
        if _BIG:  # words of 8 bytes, the lowest first
            words = b"".join(words[at : at + 8][::-1] for at in range(0, len(words), 8))
        bits = int.from_bytes(words, "little")
        return tuple(bit + 1 for bit in range(bits.bit_length()) if bits >> bit & 1)


class NetlinkRequest(AttributeSet, header=ShowReq):
    """A request about netlink sockets."""

    header: ShowReq | None = None
    family: Int = ShowReq.family
    protocol: Int = ShowReq.protocol  # 255 for all, NDIAG_PROTO_ALL
    include: Int = ShowReq.include  # ndiag_show


# Virtual machines


class VsockDiagMsg(Struct):
    """struct vsock_diag_msg."""

    family: Int = u8()
    type: Int = u8()
    state: Member[State] = u8(enum=State)
    shutdown: Int = u8()
    src_cid: Int = u32()
    src_port: Int = u32()
    dst_cid: Int = u32()
    dst_port: Int = u32()
    inode: Int = u32()
    cookie: Int = u64()


class VsockSocket(AttributeSet, header=VsockDiagMsg):
    """A socket of AF_VSOCK, between virtual machines and their host."""

    header: VsockDiagMsg | None = None
    type: Int = VsockDiagMsg.type  # SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET
    state: Member[State] = VsockDiagMsg.state
    shutdown: Int = VsockDiagMsg.shutdown  # 1: receives no more, 2: sends no more
    src_cid: Int = VsockDiagMsg.src_cid
    src_port: Int = VsockDiagMsg.src_port
    dst_cid: Int = VsockDiagMsg.dst_cid
    dst_port: Int = VsockDiagMsg.dst_port
    inode: Int = VsockDiagMsg.inode
    cookie: Int = VsockDiagMsg.cookie


class VsockRequest(AttributeSet, header=UnixDiagReq):
    """A request about sockets of AF_VSOCK: struct vsock_diag_req."""

    header: UnixDiagReq | None = None
    family: Int = UnixDiagReq.family
    states: Int = UnixDiagReq.states


# XDP


class XDPInclude(IntFlag):
    """What to report of an XDP socket (XDP_SHOW_*)."""

    NONE = 0
    INFO = 1 << 0  # XDP_SHOW_INFO
    RING_CFG = 1 << 1  # XDP_SHOW_RING_CFG
    UMEM = 1 << 2  # XDP_SHOW_UMEM
    MEMINFO = 1 << 3  # XDP_SHOW_MEMINFO
    STATS = 1 << 4  # XDP_SHOW_STATS
    ALL = 0x1F


class XDPDiagMsg(Struct):
    """struct xdp_diag_msg."""

    family: Int = u8()
    type: Int = u8()
    _pad = pad(2)
    inode: Int = u32()
    cookie: Int = u64()


class XDPInfo(Struct):
    """struct xdp_diag_info."""

    interface: Int = u32()  # ifindex
    queue_id: Int = u32()


class XDPRing(Struct):
    """struct xdp_diag_ring."""

    entries: Int = u32()


class XDPUmem(Struct):
    """struct xdp_diag_umem."""

    size: Int = u64()  # bytes
    id: Int = u32()
    num_pages: Int = u32()
    chunk_size: Int = u32()  # bytes
    headroom: Int = u32()  # bytes
    interface: Int = u32()  # ifindex
    queue_id: Int = u32()
    flags: Int = u32()  # 1: XDP_DU_F_ZEROCOPY
    refs: Int = u32()


class XDPStats(Struct):
    """struct xdp_diag_stats."""

    rx_dropped: Int = u64()  # n_rx_dropped
    rx_invalid: Int = u64()  # n_rx_invalid
    rx_full: Int = u64()  # n_rx_full
    fill_ring_empty: Int = u64()  # n_fill_ring_empty
    tx_invalid: Int = u64()  # n_tx_invalid
    tx_ring_empty: Int = u64()  # n_tx_ring_empty


class XDPSocket(AttributeSet, header=XDPDiagMsg):
    """A socket of AF_XDP (XDP_DIAG_*)."""

    header: XDPDiagMsg | None = None
    type: Int = XDPDiagMsg.type  # SOCK_RAW
    inode: Int = XDPDiagMsg.inode
    cookie: Int = XDPDiagMsg.cookie
    info: Field[XDPInfo | None] = struct(1, XDPInfo)  # XDP_DIAG_INFO
    uid: Int = u32(2)  # XDP_DIAG_UID
    rx_ring: Field[XDPRing | None] = struct(3, XDPRing)  # XDP_DIAG_RX_RING
    tx_ring: Field[XDPRing | None] = struct(4, XDPRing)  # XDP_DIAG_TX_RING
    umem: Field[XDPUmem | None] = struct(5, XDPUmem)  # XDP_DIAG_UMEM
    fill_ring: Field[XDPRing | None] = struct(6, XDPRing)  # XDP_DIAG_UMEM_FILL_RING
    completion_ring: Field[XDPRing | None] = struct(7, XDPRing)  # XDP_DIAG_UMEM_COMPLETION_RING
    memory: Field[SocketMemory | None] = struct(8, SocketMemory)  # XDP_DIAG_MEMINFO
    stats: Field[XDPStats | None] = struct(9, XDPStats)  # XDP_DIAG_STATS


class XDPRequest(AttributeSet, header=ShowReq):
    """A request about XDP sockets."""

    header: ShowReq | None = None
    family: Int = ShowReq.family
    include: Int = ShowReq.include  # xdiag_show
