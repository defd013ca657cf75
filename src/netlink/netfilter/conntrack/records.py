"""The declarations of flows, expectations and counters: linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h,
nf_conntrack_tcp.h.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.consts import NetfilterSubsystem
from netlink.netfilter.nfnetlink import NfGenMsg
from netlink.schema import (
    IP,
    AttributeSet,
    Bytes,
    Field,
    Int,
    Member,
    Str,
    Struct,
    be16,
    be32,
    be64,
    binary,
    event,
    ip,
    nested,
    string,
    struct,
    u8,
    u32,
)

__all__ = [
    "NAT",
    "Command",
    "Counters",
    "DCCPInfo",
    "Event",
    "Expect",
    "ExpectFlags",
    "ExpectNAT",
    "FilterFlags",
    "Flow",
    "Part",
    "Probe",
    "ProtoInfo",
    "SCTPInfo",
    "SCTPState",
    "SeqAdj",
    "Stats",
    "StatsExpect",
    "StatsGlobal",
    "Status",
    "SynProxy",
    "TCPFlag",
    "TCPFlags",
    "TCPInfo",
    "TCPState",
    "Timestamp",
    "Tuple",
    "TupleFlags",
]


_CT = NetfilterSubsystem.CTNETLINK << 8
_EXP = NetfilterSubsystem.CTNETLINK_EXP << 8


class Command(IntEnum):
    """Message types: enum cntl_msg_types and enum ctnl_exp_msg_types, each with its subsystem."""

    NEW = _CT | 0  # IPCTNL_MSG_CT_NEW
    GET = _CT | 1  # IPCTNL_MSG_CT_GET
    DELETE = _CT | 2  # IPCTNL_MSG_CT_DELETE
    GET_CTRZERO = _CT | 3  # IPCTNL_MSG_CT_GET_CTRZERO
    GET_STATS_CPU = _CT | 4  # IPCTNL_MSG_CT_GET_STATS_CPU
    GET_STATS = _CT | 5  # IPCTNL_MSG_CT_GET_STATS
    GET_DYING = _CT | 6  # IPCTNL_MSG_CT_GET_DYING
    GET_UNCONFIRMED = _CT | 7  # IPCTNL_MSG_CT_GET_UNCONFIRMED
    EXP_NEW = _EXP | 0  # IPCTNL_MSG_EXP_NEW
    EXP_GET = _EXP | 1  # IPCTNL_MSG_EXP_GET
    EXP_DELETE = _EXP | 2  # IPCTNL_MSG_EXP_DELETE
    EXP_GET_STATS_CPU = _EXP | 3  # IPCTNL_MSG_EXP_GET_STATS_CPU


class Status(IntFlag):
    """enum ip_conntrack_status, linux/netfilter/nf_conntrack_common.h."""

    EXPECTED = 1 << 0  # IPS_EXPECTED
    SEEN_REPLY = 1 << 1  # IPS_SEEN_REPLY
    ASSURED = 1 << 2  # IPS_ASSURED
    CONFIRMED = 1 << 3  # IPS_CONFIRMED
    SRC_NAT = 1 << 4  # IPS_SRC_NAT
    DST_NAT = 1 << 5  # IPS_DST_NAT
    SEQ_ADJUST = 1 << 6  # IPS_SEQ_ADJUST
    SRC_NAT_DONE = 1 << 7  # IPS_SRC_NAT_DONE
    DST_NAT_DONE = 1 << 8  # IPS_DST_NAT_DONE
    DYING = 1 << 9  # IPS_DYING
    FIXED_TIMEOUT = 1 << 10  # IPS_FIXED_TIMEOUT
    TEMPLATE = 1 << 11  # IPS_TEMPLATE
    UNTRACKED = 1 << 12  # IPS_UNTRACKED
    HELPER = 1 << 13  # IPS_HELPER
    OFFLOAD = 1 << 14  # IPS_OFFLOAD
    HW_OFFLOAD = 1 << 15  # IPS_HW_OFFLOAD


class Event(IntFlag):
    """Events of a flow or an expectation."""

    NEW = 1
    UPDATE = 2
    DESTROY = 4


class TCPState(IntEnum):
    """enum tcp_conntrack, linux/netfilter/nf_conntrack_tcp.h."""

    NONE = 0  # TCP_CONNTRACK_NONE
    SYN_SENT = 1  # TCP_CONNTRACK_SYN_SENT
    SYN_RECV = 2  # TCP_CONNTRACK_SYN_RECV
    ESTABLISHED = 3  # TCP_CONNTRACK_ESTABLISHED
    FIN_WAIT = 4  # TCP_CONNTRACK_FIN_WAIT
    CLOSE_WAIT = 5  # TCP_CONNTRACK_CLOSE_WAIT
    LAST_ACK = 6  # TCP_CONNTRACK_LAST_ACK
    TIME_WAIT = 7  # TCP_CONNTRACK_TIME_WAIT
    CLOSE = 8  # TCP_CONNTRACK_CLOSE
    SYN_SENT2 = 9  # TCP_CONNTRACK_SYN_SENT2


class SCTPState(IntEnum):
    """enum sctp_conntrack, linux/netfilter/nf_conntrack_sctp.h."""

    NONE = 0  # SCTP_CONNTRACK_NONE
    CLOSED = 1  # SCTP_CONNTRACK_CLOSED
    COOKIE_WAIT = 2  # SCTP_CONNTRACK_COOKIE_WAIT
    COOKIE_ECHOED = 3  # SCTP_CONNTRACK_COOKIE_ECHOED
    ESTABLISHED = 4  # SCTP_CONNTRACK_ESTABLISHED
    SHUTDOWN_SENT = 5  # SCTP_CONNTRACK_SHUTDOWN_SENT
    SHUTDOWN_RECD = 6  # SCTP_CONNTRACK_SHUTDOWN_RECD
    SHUTDOWN_ACK_SENT = 7  # SCTP_CONNTRACK_SHUTDOWN_ACK_SENT
    HEARTBEAT_SENT = 8  # SCTP_CONNTRACK_HEARTBEAT_SENT


class Tuple(AttributeSet):
    """CTA_TUPLE_*, CTA_IP_*, CTA_PROTO_*: one direction of a flow. Ports and ids are numbers, not bytes."""

    src: IP = ip((1, 1), (1, 3))  # CTA_IP_V4_SRC, CTA_IP_V6_SRC
    dst: IP = ip((1, 2), (1, 4))  # CTA_IP_V4_DST, CTA_IP_V6_DST
    proto: Int = u8((2, 1))  # CTA_PROTO_NUM
    src_port: Int = be16((2, 2))  # CTA_PROTO_SRC_PORT
    dst_port: Int = be16((2, 3))  # CTA_PROTO_DST_PORT
    icmp_id: Int = be16((2, 4), type6=(2, 7), of="src")  # CTA_PROTO_ICMP_ID, CTA_PROTO_ICMPV6_ID
    icmp_type: Int = u8((2, 5), type6=(2, 8), of="src")  # CTA_PROTO_ICMP_TYPE, CTA_PROTO_ICMPV6_TYPE
    icmp_code: Int = u8((2, 6), type6=(2, 9), of="src")  # CTA_PROTO_ICMP_CODE, CTA_PROTO_ICMPV6_CODE
    zone: Int = be16(3)  # CTA_TUPLE_ZONE


class TCPFlag(IntFlag):
    """IP_CT_TCP_FLAG_*, linux/netfilter/nf_conntrack_tcp.h: what `TCPFlags` are of."""

    WINDOW_SCALE = 0x01  # IP_CT_TCP_FLAG_WINDOW_SCALE, the sender uses it
    SACK_PERM = 0x02  # IP_CT_TCP_FLAG_SACK_PERM
    CLOSE_INIT = 0x04  # IP_CT_TCP_FLAG_CLOSE_INIT, the sender closed first
    BE_LIBERAL = 0x08  # IP_CT_TCP_FLAG_BE_LIBERAL, windows are not checked
    DATA_UNACKNOWLEDGED = 0x10  # IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED
    MAXACK_SET = 0x20  # IP_CT_TCP_FLAG_MAXACK_SET


class TCPFlags(Struct):
    """struct nf_ct_tcp_flags."""

    flags: Int = u8()
    mask: Int = u8()


class TCPInfo(AttributeSet):
    """CTA_PROTOINFO_TCP_*."""

    state: Member[TCPState] = u8(1, enum=TCPState)  # CTA_PROTOINFO_TCP_STATE
    wscale_original: Int = u8(2)  # CTA_PROTOINFO_TCP_WSCALE_ORIGINAL
    wscale_reply: Int = u8(3)  # CTA_PROTOINFO_TCP_WSCALE_REPLY
    flags_original: Field[TCPFlags | None] = struct(4, TCPFlags)  # CTA_PROTOINFO_TCP_FLAGS_ORIGINAL
    flags_reply: Field[TCPFlags | None] = struct(5, TCPFlags)  # CTA_PROTOINFO_TCP_FLAGS_REPLY


class DCCPInfo(AttributeSet):
    """CTA_PROTOINFO_DCCP_*."""

    state: Int = u8(1)  # CTA_PROTOINFO_DCCP_STATE
    role: Int = u8(2)  # CTA_PROTOINFO_DCCP_ROLE
    handshake_seq: Int = be64(3)  # CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ


class SCTPInfo(AttributeSet):
    """CTA_PROTOINFO_SCTP_*."""

    state: Member[SCTPState] = u8(1, enum=SCTPState)  # CTA_PROTOINFO_SCTP_STATE
    vtag_original: Int = be32(2)  # CTA_PROTOINFO_SCTP_VTAG_ORIGINAL
    vtag_reply: Int = be32(3)  # CTA_PROTOINFO_SCTP_VTAG_REPLY


class ProtoInfo(AttributeSet, rare=("dccp", "sctp")):
    """CTA_PROTOINFO_*: the state of the protocol."""

    tcp: Field[TCPInfo | None] = nested(1, TCPInfo)  # CTA_PROTOINFO_TCP
    dccp: Field[DCCPInfo | None] = nested(2, DCCPInfo)  # CTA_PROTOINFO_DCCP
    sctp: Field[SCTPInfo | None] = nested(3, SCTPInfo)  # CTA_PROTOINFO_SCTP


class Counters(AttributeSet):
    """CTA_COUNTERS_*. Present only if net.netfilter.nf_conntrack_acct was 1 at the beginning of the flow."""

    packets: Int = be64(1)  # CTA_COUNTERS_PACKETS
    bytes: Int = be64(2)  # CTA_COUNTERS_BYTES


class Timestamp(AttributeSet):
    """CTA_TIMESTAMP_*: nanoseconds since 1970. Present only with net.netfilter.nf_conntrack_timestamp."""

    start: Int = be64(1, time="ns")  # CTA_TIMESTAMP_START
    stop: Int = be64(2, time="ns")  # CTA_TIMESTAMP_STOP


class SeqAdj(AttributeSet):
    """CTA_SEQADJ_*: the shift of sequence numbers."""

    correction_pos: Int = be32(1)  # CTA_SEQADJ_CORRECTION_POS
    offset_before: Int = be32(2)  # CTA_SEQADJ_OFFSET_BEFORE
    offset_after: Int = be32(3)  # CTA_SEQADJ_OFFSET_AFTER


class SynProxy(AttributeSet):
    """CTA_SYNPROXY_*."""

    isn: Int = be32(1)  # CTA_SYNPROXY_ISN
    its: Int = be32(2)  # CTA_SYNPROXY_ITS
    tsoff: Int = be32(3)  # CTA_SYNPROXY_TSOFF


class NAT(AttributeSet):
    """CTA_NAT_*: the target range of a translation, to create a flow. The kernel never reports it."""

    min_ip: IP = ip(1, 4)  # CTA_NAT_V4_MINIP, CTA_NAT_V6_MINIP
    max_ip: IP = ip(2, 5)  # CTA_NAT_V4_MAXIP, CTA_NAT_V6_MAXIP
    min_port: Int = be16((3, 1))  # CTA_PROTONAT_PORT_MIN
    max_port: Int = be16((3, 2))  # CTA_PROTONAT_PORT_MAX


_RARE = (
    *("helper", "helper_info", "nat_src", "nat_dst", "master", "seq_adj_orig", "seq_adj_reply", "secctx"),
    *("labels", "labels_mask", "mark_mask", "status_mask"),
)


class Flow(AttributeSet, header=NfGenMsg, rare=_RARE):
    """CTA_*: an entry of the connection tracking table. Every field but `orig` and `reply` may be None."""

    header: NfGenMsg | None = None
    family: Int = NfGenMsg.family  # AF_*
    orig: Field[Tuple] = nested(1, Tuple, required=True)  # CTA_TUPLE_ORIG
    reply: Field[Tuple] = nested(2, Tuple, required=True)  # CTA_TUPLE_REPLY
    status: Member[Status] = be32(3, enum=Status)  # CTA_STATUS
    protoinfo: Field[ProtoInfo | None] = nested(4, ProtoInfo)  # CTA_PROTOINFO
    helper: Str = string((5, 1))  # CTA_HELP_NAME
    helper_info: Bytes = binary((5, 2))  # CTA_HELP_INFO
    nat_src: Field[NAT | None] = nested(6, NAT, rare=True)  # CTA_NAT_SRC
    timeout: Int = be32(7)  # CTA_TIMEOUT, seconds
    mark: Int = be32(8)  # CTA_MARK
    counters_orig: Field[Counters | None] = nested(9, Counters)  # CTA_COUNTERS_ORIG
    counters_reply: Field[Counters | None] = nested(10, Counters)  # CTA_COUNTERS_REPLY
    use: Int = be32(11)  # CTA_USE
    id: Int = be32(12)  # CTA_ID
    nat_dst: Field[NAT | None] = nested(13, NAT, rare=True)  # CTA_NAT_DST
    master: Field[Tuple | None] = nested(14, Tuple, rare=True)  # CTA_TUPLE_MASTER
    seq_adj_orig: Field[SeqAdj | None] = nested(15, SeqAdj, rare=True)  # CTA_SEQ_ADJ_ORIG
    seq_adj_reply: Field[SeqAdj | None] = nested(16, SeqAdj, rare=True)  # CTA_SEQ_ADJ_REPLY
    zone: Int = be16(18)  # CTA_ZONE
    secctx: Str = string((19, 1))  # CTA_SECCTX_NAME
    timestamp: Field[Timestamp | None] = nested(20, Timestamp)  # CTA_TIMESTAMP
    mark_mask: Int = be32(21)  # CTA_MARK_MASK
    labels: Bytes = binary(22)  # CTA_LABELS, 32-bit words in host byte order
    labels_mask: Bytes = binary(23)  # CTA_LABELS_MASK
    synproxy: Field[SynProxy | None] = nested(24, SynProxy, rare=True)  # CTA_SYNPROXY
    status_mask: Int = be32(26)  # CTA_STATUS_MASK
    event: Member[Event] = event(Event)  # only in records from `listen`
    timestamp_event: Int = be64(27, time="ns")  # CTA_TIMESTAMP_EVENT, nanoseconds since 1970


class TupleFlags(IntFlag):
    """CTA_FILTER_F_*, net/netfilter/nf_internals.h: the fields of a tuple that a filter compares, by name."""

    src = 1 << 0  # CTA_FILTER_F_CTA_IP_SRC
    dst = 1 << 1  # CTA_FILTER_F_CTA_IP_DST
    proto = 1 << 3  # CTA_FILTER_F_CTA_PROTO_NUM
    src_port = 1 << 4  # CTA_FILTER_F_CTA_PROTO_SRC_PORT
    dst_port = 1 << 5  # CTA_FILTER_F_CTA_PROTO_DST_PORT


class FilterFlags(AttributeSet):
    """CTA_FILTER_*: the fields of the tuples that a filter compares, in host byte order."""

    orig_flags: Member[TupleFlags] = u32(1, enum=TupleFlags)  # CTA_FILTER_ORIG_FLAGS
    reply_flags: Member[TupleFlags] = u32(2, enum=TupleFlags)  # CTA_FILTER_REPLY_FLAGS


class Part(AttributeSet, header=NfGenMsg):
    """CTA_*: a part of the conntrack table, which limits a dump or a flush."""

    family: Int = NfGenMsg.family  # AF_*
    version: Int = NfGenMsg.version  # from 1 up the family also limits a flush
    orig: Field[Tuple | None] = nested(1, Tuple)  # CTA_TUPLE_ORIG
    reply: Field[Tuple | None] = nested(2, Tuple)  # CTA_TUPLE_REPLY
    status: Int = be32(3)  # CTA_STATUS
    mark: Int = be32(8)  # CTA_MARK
    zone: Int = be16(18)  # CTA_ZONE
    mark_mask: Int = be32(21)  # CTA_MARK_MASK
    filter: Field[FilterFlags | None] = nested(25, FilterFlags)  # CTA_FILTER
    status_mask: Int = be32(26)  # CTA_STATUS_MASK


class Probe(AttributeSet, header=NfGenMsg):
    """CTA_*: a request with attributes of any width, to find the attributes that a kernel knows."""

    orig: Field[Tuple | None] = nested(1, Tuple)  # CTA_TUPLE_ORIG
    filter: Bytes = binary(25)  # CTA_FILTER
    status_mask: Bytes = binary(26)  # CTA_STATUS_MASK


class ExpectFlags(IntFlag):
    """NF_CT_EXPECT_*, linux/netfilter/nf_conntrack_common.h."""

    PERMANENT = 1  # NF_CT_EXPECT_PERMANENT
    INACTIVE = 2  # NF_CT_EXPECT_INACTIVE
    USERSPACE = 4  # NF_CT_EXPECT_USERSPACE


class ExpectNAT(AttributeSet):
    """CTA_EXPECT_NAT_*: the translation of the expected flow."""

    dir: Int = be32(1)  # CTA_EXPECT_NAT_DIR, enum ip_conntrack_dir: 0 original, 1 reply
    tuple: Field[Tuple | None] = nested(2, Tuple)  # CTA_EXPECT_NAT_TUPLE


class Expect(AttributeSet, header=NfGenMsg):
    """CTA_EXPECT_*: an expected flow, announced by another flow, its master. FTP so announces its data connections.

    A packet matches if it equals `tuple` in the bits of `mask`.
    """

    header: NfGenMsg | None = None
    family: Int = NfGenMsg.family  # AF_*
    master: Field[Tuple] = nested(1, Tuple, required=True)  # CTA_EXPECT_MASTER
    tuple: Field[Tuple] = nested(2, Tuple, required=True)  # CTA_EXPECT_TUPLE
    mask: Field[Tuple] = nested(3, Tuple, required=True)  # CTA_EXPECT_MASK
    timeout: Int = be32(4)  # CTA_EXPECT_TIMEOUT, seconds
    id: Int = be32(5)  # CTA_EXPECT_ID
    helper: Str = string(6)  # CTA_EXPECT_HELP_NAME
    zone: Int = be16(7)  # CTA_EXPECT_ZONE, for requests: the kernel does not report it
    flags: Member[ExpectFlags] = be32(8, enum=ExpectFlags)  # CTA_EXPECT_FLAGS
    class_: Int = be32(9)  # CTA_EXPECT_CLASS
    nat: Field[ExpectNAT | None] = nested(10, ExpectNAT, rare=True)  # CTA_EXPECT_NAT
    function: Str = string(11)  # CTA_EXPECT_FN
    event: Member[Event] = event(Event)


class Stats(AttributeSet, header=NfGenMsg):
    """CTA_STATS_*: counters of one CPU in this network namespace. Kernels leave out those that they no longer have."""

    header: NfGenMsg | None = None
    cpu: Int = NfGenMsg.res_id  # number of the CPU
    searched: Int = be32(1)  # CTA_STATS_SEARCHED
    found: Int = be32(2)  # CTA_STATS_FOUND
    new: Int = be32(3)  # CTA_STATS_NEW
    invalid: Int = be32(4)  # CTA_STATS_INVALID
    ignore: Int = be32(5)  # CTA_STATS_IGNORE
    delete: Int = be32(6)  # CTA_STATS_DELETE
    delete_list: Int = be32(7)  # CTA_STATS_DELETE_LIST
    insert: Int = be32(8)  # CTA_STATS_INSERT
    insert_failed: Int = be32(9)  # CTA_STATS_INSERT_FAILED
    drop: Int = be32(10)  # CTA_STATS_DROP
    early_drop: Int = be32(11)  # CTA_STATS_EARLY_DROP
    error: Int = be32(12)  # CTA_STATS_ERROR
    search_restart: Int = be32(13)  # CTA_STATS_SEARCH_RESTART
    clash_resolve: Int = be32(14)  # CTA_STATS_CLASH_RESOLVE
    chain_toolong: Int = be32(15)  # CTA_STATS_CHAIN_TOOLONG


class StatsExpect(AttributeSet, header=NfGenMsg):
    """CTA_STATS_EXP_*: counters of expectations of one CPU."""

    header: NfGenMsg | None = None
    cpu: Int = NfGenMsg.res_id  # number of the CPU
    new: Int = be32(1)  # CTA_STATS_EXP_NEW
    create: Int = be32(2)  # CTA_STATS_EXP_CREATE
    delete: Int = be32(3)  # CTA_STATS_EXP_DELETE


class StatsGlobal(AttributeSet, header=NfGenMsg):
    """CTA_STATS_GLOBAL_*: the size of the network namespace's conntrack table."""

    header: NfGenMsg | None = None
    entries: Int = be32(1)  # CTA_STATS_GLOBAL_ENTRIES
    max_entries: Int = be32(2)  # CTA_STATS_GLOBAL_MAX_ENTRIES
