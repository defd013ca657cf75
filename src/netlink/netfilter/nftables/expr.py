"""Expressions: what rules and elements of sets are made of. linux/netfilter/nf_tables.h, nf_tables_compat.h.

    from netlink.netfilter.nftables import expr

    expr.Meta(key=expr.MetaKey.L4PROTO, dreg=1), expr.Cmp(sreg=1, op=expr.CmpOp.EQ, data=bytes([6])), expr.Counter()

An expression reads registers (`sreg`), writes registers (`dreg`), or decides. `data` and the like are the bytes of a
register: fields of packets in network byte order; `Meta` and `Ct` values, such as a mark, in host byte order.

An `Expression` is one of these with its name, as in a rule: `wrap` makes it. Expressions that are not declared here
keep their bytes.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TypeAlias

from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Int,
    Items,
    Member,
    Str,
    be16,
    be32,
    be64,
    binary,
    nested,
    repeated,
    sbe32,
    string,
    submessage,
    u8,
)

__all__ = [
    "AnyExpression",
    "Bitwise",
    "BitwiseOp",
    "Byteorder",
    "ByteorderOp",
    "ChecksumFlags",
    "ChecksumType",
    "Cmp",
    "CmpOp",
    "Connlimit",
    "Counter",
    "Ct",
    "CtDirection",
    "CtKey",
    "CtState",
    "Dup",
    "Dynset",
    "DynsetFlags",
    "DynsetOp",
    "Expression",
    "Exthdr",
    "ExthdrFlags",
    "ExthdrOp",
    "Fib",
    "FibFlags",
    "FibResult",
    "FlowOffload",
    "Fwd",
    "Hash",
    "HashType",
    "Immediate",
    "Inner",
    "InnerFlags",
    "InnerType",
    "InvertFlags",
    "Last",
    "Limit",
    "LimitType",
    "Log",
    "LogFlags",
    "LogLevel",
    "Lookup",
    "Masq",
    "Match",
    "Meta",
    "MetaKey",
    "Nat",
    "NatFlags",
    "NatType",
    "Numgen",
    "NumgenType",
    "ObjectType",
    "Objref",
    "Osf",
    "OsfFlags",
    "Payload",
    "PayloadBase",
    "Queue",
    "QueueFlags",
    "Quota",
    "QuotaFlags",
    "Range",
    "RangeOp",
    "Redir",
    "Register",
    "Reject",
    "RejectCode",
    "RejectType",
    "Rt",
    "RtKey",
    "Socket",
    "SocketKey",
    "Synproxy",
    "SynproxyFlags",
    "Target",
    "Tproxy",
    "Tunnel",
    "TunnelKey",
    "TunnelMode",
    "Verdict",
    "VerdictCode",
    "Xfrm",
    "XfrmDirection",
    "XfrmKey",
    "wrap",
]


class Register(IntEnum):
    """enum nft_registers: the verdict, and 64 bytes as 4 registers of 16 bytes or as 16 registers of 4 bytes."""

    VERDICT = 0  # NFT_REG_VERDICT
    REG_1 = 1  # NFT_REG_1
    REG_2 = 2  # NFT_REG_2
    REG_3 = 3  # NFT_REG_3
    REG_4 = 4  # NFT_REG_4
    REG32_00 = 8  # NFT_REG32_00, the first 4 bytes of REG_1
    REG32_01 = 9  # NFT_REG32_01
    REG32_02 = 10  # NFT_REG32_02
    REG32_03 = 11  # NFT_REG32_03
    REG32_04 = 12  # NFT_REG32_04
    REG32_05 = 13  # NFT_REG32_05
    REG32_06 = 14  # NFT_REG32_06
    REG32_07 = 15  # NFT_REG32_07
    REG32_08 = 16  # NFT_REG32_08
    REG32_09 = 17  # NFT_REG32_09
    REG32_10 = 18  # NFT_REG32_10
    REG32_11 = 19  # NFT_REG32_11
    REG32_12 = 20  # NFT_REG32_12
    REG32_13 = 21  # NFT_REG32_13
    REG32_14 = 22  # NFT_REG32_14
    REG32_15 = 23  # NFT_REG32_15


class VerdictCode(IntEnum):
    """Verdicts: enum nft_verdicts, and NF_* of linux/netfilter.h."""

    CONTINUE = -1  # NFT_CONTINUE, with the next expression
    BREAK = -2  # NFT_BREAK, the rule does not match
    JUMP = -3  # NFT_JUMP, to a chain that may return
    GOTO = -4  # NFT_GOTO, to a chain that does not
    RETURN = -5  # NFT_RETURN
    DROP = 0  # NF_DROP
    ACCEPT = 1  # NF_ACCEPT
    STOLEN = 2  # NF_STOLEN
    QUEUE = 3  # NF_QUEUE, its number in the upper 16 bits
    REPEAT = 4  # NF_REPEAT


class BitwiseOp(IntEnum):
    """enum nft_bitwise_ops."""

    MASK_XOR = 0  # NFT_BITWISE_MASK_XOR
    LSHIFT = 1  # NFT_BITWISE_LSHIFT
    RSHIFT = 2  # NFT_BITWISE_RSHIFT
    AND = 3  # NFT_BITWISE_AND, of two registers
    OR = 4  # NFT_BITWISE_OR
    XOR = 5  # NFT_BITWISE_XOR


class ByteorderOp(IntEnum):
    """enum nft_byteorder_ops."""

    NTOH = 0  # NFT_BYTEORDER_NTOH
    HTON = 1  # NFT_BYTEORDER_HTON


class CmpOp(IntEnum):
    """enum nft_cmp_ops. The order of values is that of their bytes."""

    EQ = 0  # NFT_CMP_EQ
    NEQ = 1  # NFT_CMP_NEQ
    LT = 2  # NFT_CMP_LT
    LTE = 3  # NFT_CMP_LTE
    GT = 4  # NFT_CMP_GT
    GTE = 5  # NFT_CMP_GTE


class RangeOp(IntEnum):
    """enum nft_range_ops."""

    EQ = 0  # NFT_RANGE_EQ
    NEQ = 1  # NFT_RANGE_NEQ


class InvertFlags(IntFlag):
    """The flag of `Lookup`, `Limit` and `Connlimit`: it matches if the rest does not."""

    INV = 1 << 0  # NFT_LOOKUP_F_INV


class DynsetOp(IntEnum):
    """enum nft_dynset_ops."""

    ADD = 0  # NFT_DYNSET_OP_ADD
    UPDATE = 1  # NFT_DYNSET_OP_UPDATE, also of an element's timeout
    DELETE = 2  # NFT_DYNSET_OP_DELETE


class DynsetFlags(IntFlag):
    """enum nft_dynset_flags."""

    INV = 1 << 0  # NFT_DYNSET_F_INV
    EXPR = 1 << 1  # NFT_DYNSET_F_EXPR, it has several expressions


class PayloadBase(IntEnum):
    """enum nft_payload_bases."""

    LL_HEADER = 0  # NFT_PAYLOAD_LL_HEADER
    NETWORK_HEADER = 1  # NFT_PAYLOAD_NETWORK_HEADER
    TRANSPORT_HEADER = 2  # NFT_PAYLOAD_TRANSPORT_HEADER
    INNER_HEADER = 3  # NFT_PAYLOAD_INNER_HEADER, behind the transport header
    TUN_HEADER = 4  # NFT_PAYLOAD_TUN_HEADER, of a tunnel, in `Inner`


class ChecksumType(IntEnum):
    """enum nft_payload_csum_types."""

    NONE = 0  # NFT_PAYLOAD_CSUM_NONE
    INET = 1  # NFT_PAYLOAD_CSUM_INET
    SCTP = 2  # NFT_PAYLOAD_CSUM_SCTP


class ChecksumFlags(IntFlag):
    """enum nft_payload_csum_flags."""

    L4_PSEUDOHDR = 1 << 0  # NFT_PAYLOAD_L4CSUM_PSEUDOHDR


class InnerType(IntEnum):
    """enum nft_inner_type."""

    UNSPEC = 0  # NFT_INNER_UNSPEC
    VXLAN = 1  # NFT_INNER_VXLAN
    GENEVE = 2  # NFT_INNER_GENEVE


class InnerFlags(IntFlag):
    """enum nft_inner_flags: the headers in a tunnel."""

    HDRSIZE = 1 << 0  # NFT_INNER_HDRSIZE
    LL = 1 << 1  # NFT_INNER_LL
    NH = 1 << 2  # NFT_INNER_NH
    TH = 1 << 3  # NFT_INNER_TH


class ExthdrOp(IntEnum):
    """enum nft_exthdr_op: where an extension header is."""

    IPV6 = 0  # NFT_EXTHDR_OP_IPV6
    TCPOPT = 1  # NFT_EXTHDR_OP_TCPOPT
    IPV4 = 2  # NFT_EXTHDR_OP_IPV4
    SCTP = 3  # NFT_EXTHDR_OP_SCTP, a chunk
    DCCP = 4  # NFT_EXTHDR_OP_DCCP, an option


class ExthdrFlags(IntFlag):
    """enum nft_exthdr_flags."""

    PRESENT = 1 << 0  # NFT_EXTHDR_F_PRESENT, 1 if it is there, else 0


class MetaKey(IntEnum):
    """enum nft_meta_keys."""

    LEN = 0  # NFT_META_LEN
    PROTOCOL = 1  # NFT_META_PROTOCOL, ETH_P_* in network byte order
    PRIORITY = 2  # NFT_META_PRIORITY
    MARK = 3  # NFT_META_MARK
    IIF = 4  # NFT_META_IIF
    OIF = 5  # NFT_META_OIF
    IIFNAME = 6  # NFT_META_IIFNAME
    OIFNAME = 7  # NFT_META_OIFNAME
    IFTYPE = 8  # NFT_META_IFTYPE
    OIFTYPE = 9  # NFT_META_OIFTYPE
    SKUID = 10  # NFT_META_SKUID
    SKGID = 11  # NFT_META_SKGID
    NFTRACE = 12  # NFT_META_NFTRACE
    RTCLASSID = 13  # NFT_META_RTCLASSID
    SECMARK = 14  # NFT_META_SECMARK
    NFPROTO = 15  # NFT_META_NFPROTO
    L4PROTO = 16  # NFT_META_L4PROTO
    BRI_IIFNAME = 17  # NFT_META_BRI_IIFNAME
    BRI_OIFNAME = 18  # NFT_META_BRI_OIFNAME
    PKTTYPE = 19  # NFT_META_PKTTYPE
    CPU = 20  # NFT_META_CPU
    IIFGROUP = 21  # NFT_META_IIFGROUP
    OIFGROUP = 22  # NFT_META_OIFGROUP
    CGROUP = 23  # NFT_META_CGROUP
    PRANDOM = 24  # NFT_META_PRANDOM
    SECPATH = 25  # NFT_META_SECPATH
    IIFKIND = 26  # NFT_META_IIFKIND
    OIFKIND = 27  # NFT_META_OIFKIND
    BRI_IIFPVID = 28  # NFT_META_BRI_IIFPVID
    BRI_IIFVPROTO = 29  # NFT_META_BRI_IIFVPROTO
    TIME_NS = 30  # NFT_META_TIME_NS
    TIME_DAY = 31  # NFT_META_TIME_DAY
    TIME_HOUR = 32  # NFT_META_TIME_HOUR
    SDIF = 33  # NFT_META_SDIF
    SDIFNAME = 34  # NFT_META_SDIFNAME
    BRI_BROUTE = 35  # NFT_META_BRI_BROUTE


class RtKey(IntEnum):
    """enum nft_rt_keys: of the route of a packet."""

    CLASSID = 0  # NFT_RT_CLASSID
    NEXTHOP4 = 1  # NFT_RT_NEXTHOP4
    NEXTHOP6 = 2  # NFT_RT_NEXTHOP6
    TCPMSS = 3  # NFT_RT_TCPMSS
    XFRM = 4  # NFT_RT_XFRM


class HashType(IntEnum):
    """enum nft_hash_types."""

    JENKINS = 0  # NFT_HASH_JENKINS
    SYM = 1  # NFT_HASH_SYM


class SocketKey(IntEnum):
    """enum nft_socket_keys."""

    TRANSPARENT = 0  # NFT_SOCKET_TRANSPARENT
    MARK = 1  # NFT_SOCKET_MARK
    WILDCARD = 2  # NFT_SOCKET_WILDCARD
    CGROUPV2 = 3  # NFT_SOCKET_CGROUPV2


class CtKey(IntEnum):
    """enum nft_ct_keys: of the flow of a packet."""

    STATE = 0  # NFT_CT_STATE, `CtState`
    DIRECTION = 1  # NFT_CT_DIRECTION
    STATUS = 2  # NFT_CT_STATUS
    MARK = 3  # NFT_CT_MARK
    SECMARK = 4  # NFT_CT_SECMARK
    EXPIRATION = 5  # NFT_CT_EXPIRATION
    HELPER = 6  # NFT_CT_HELPER
    L3PROTOCOL = 7  # NFT_CT_L3PROTOCOL
    SRC = 8  # NFT_CT_SRC
    DST = 9  # NFT_CT_DST
    PROTOCOL = 10  # NFT_CT_PROTOCOL
    PROTO_SRC = 11  # NFT_CT_PROTO_SRC
    PROTO_DST = 12  # NFT_CT_PROTO_DST
    LABELS = 13  # NFT_CT_LABELS
    PKTS = 14  # NFT_CT_PKTS
    BYTES = 15  # NFT_CT_BYTES
    AVGPKT = 16  # NFT_CT_AVGPKT
    ZONE = 17  # NFT_CT_ZONE
    EVENTMASK = 18  # NFT_CT_EVENTMASK
    SRC_IP = 19  # NFT_CT_SRC_IP
    DST_IP = 20  # NFT_CT_DST_IP
    SRC_IP6 = 21  # NFT_CT_SRC_IP6
    DST_IP6 = 22  # NFT_CT_DST_IP6
    ID = 23  # NFT_CT_ID


class CtState(IntFlag):
    """The value of `CtKey.STATE`: NF_CT_STATE_BIT of linux/netfilter/nf_conntrack_common.h."""

    INVALID = 1
    ESTABLISHED = 2
    RELATED = 4
    NEW = 8
    UNTRACKED = 64


class CtDirection(IntEnum):
    """enum ip_conntrack_dir, linux/netfilter/nf_conntrack_tuple_common.h."""

    ORIGINAL = 0  # IP_CT_DIR_ORIGINAL
    REPLY = 1  # IP_CT_DIR_REPLY


class LimitType(IntEnum):
    """enum nft_limit_type."""

    PKTS = 0  # NFT_LIMIT_PKTS
    PKT_BYTES = 1  # NFT_LIMIT_PKT_BYTES


class LogLevel(IntEnum):
    """enum nft_log_level."""

    EMERG = 0  # NFT_LOGLEVEL_EMERG
    ALERT = 1  # NFT_LOGLEVEL_ALERT
    CRIT = 2  # NFT_LOGLEVEL_CRIT
    ERR = 3  # NFT_LOGLEVEL_ERR
    WARNING = 4  # NFT_LOGLEVEL_WARNING
    NOTICE = 5  # NFT_LOGLEVEL_NOTICE
    INFO = 6  # NFT_LOGLEVEL_INFO
    DEBUG = 7  # NFT_LOGLEVEL_DEBUG
    AUDIT = 8  # NFT_LOGLEVEL_AUDIT


class LogFlags(IntFlag):
    """What the kernel's log has of a packet: linux/netfilter/nf_log.h."""

    TCPSEQ = 0x01  # NF_LOG_TCPSEQ
    TCPOPT = 0x02  # NF_LOG_TCPOPT
    IPOPT = 0x04  # NF_LOG_IPOPT
    UID = 0x08  # NF_LOG_UID
    MACDECODE = 0x20  # NF_LOG_MACDECODE


class QueueFlags(IntFlag):
    """NFT_QUEUE_FLAG_*."""

    BYPASS = 0x01  # NFT_QUEUE_FLAG_BYPASS, packets pass if nobody reads the queue
    CPU_FANOUT = 0x02  # NFT_QUEUE_FLAG_CPU_FANOUT, the CPU chooses the queue


class QuotaFlags(IntFlag):
    """enum nft_quota_flags."""

    INV = 1 << 0  # NFT_QUOTA_F_INV, it matches when the quota is used up
    DEPLETED = 1 << 1  # NFT_QUOTA_F_DEPLETED


class RejectType(IntEnum):
    """enum nft_reject_types."""

    ICMP_UNREACH = 0  # NFT_REJECT_ICMP_UNREACH
    TCP_RST = 1  # NFT_REJECT_TCP_RST
    ICMPX_UNREACH = 2  # NFT_REJECT_ICMPX_UNREACH, of the packet's own family


class RejectCode(IntEnum):
    """enum nft_reject_inet_code: codes of ICMPX_UNREACH."""

    NO_ROUTE = 0  # NFT_REJECT_ICMPX_NO_ROUTE
    PORT_UNREACH = 1  # NFT_REJECT_ICMPX_PORT_UNREACH
    HOST_UNREACH = 2  # NFT_REJECT_ICMPX_HOST_UNREACH
    ADMIN_PROHIBITED = 3  # NFT_REJECT_ICMPX_ADMIN_PROHIBITED

    @property
    def unreachable(self) -> tuple[int, int]:
        """The codes of ICMP and of ICMPv6 for it: ICMP_UNREACH of linux/icmp.h, ICMPV6_DEST_UNREACH of icmpv6.h."""
        return ((0, 0), (3, 4), (1, 3), (13, 1))[self]


class NatType(IntEnum):
    """enum nft_nat_types."""

    SNAT = 0  # NFT_NAT_SNAT
    DNAT = 1  # NFT_NAT_DNAT


class NatFlags(IntFlag):
    """NF_NAT_RANGE_* of linux/netfilter/nf_nat.h. The kernel sets MAP_IPS and PROTO_SPECIFIED itself."""

    MAP_IPS = 1 << 0  # NF_NAT_RANGE_MAP_IPS
    PROTO_SPECIFIED = 1 << 1  # NF_NAT_RANGE_PROTO_SPECIFIED
    PROTO_RANDOM = 1 << 2  # NF_NAT_RANGE_PROTO_RANDOM
    PERSISTENT = 1 << 3  # NF_NAT_RANGE_PERSISTENT
    PROTO_RANDOM_FULLY = 1 << 4  # NF_NAT_RANGE_PROTO_RANDOM_FULLY
    PROTO_OFFSET = 1 << 5  # NF_NAT_RANGE_PROTO_OFFSET
    NETMAP = 1 << 6  # NF_NAT_RANGE_NETMAP


class FibResult(IntEnum):
    """enum nft_fib_result."""

    UNSPEC = 0  # NFT_FIB_RESULT_UNSPEC
    OIF = 1  # NFT_FIB_RESULT_OIF
    OIFNAME = 2  # NFT_FIB_RESULT_OIFNAME
    ADDRTYPE = 3  # NFT_FIB_RESULT_ADDRTYPE


class FibFlags(IntFlag):
    """enum nft_fib_flags: what is looked up."""

    SADDR = 1 << 0  # NFTA_FIB_F_SADDR
    DADDR = 1 << 1  # NFTA_FIB_F_DADDR
    MARK = 1 << 2  # NFTA_FIB_F_MARK
    IIF = 1 << 3  # NFTA_FIB_F_IIF
    OIF = 1 << 4  # NFTA_FIB_F_OIF
    PRESENT = 1 << 5  # NFTA_FIB_F_PRESENT


class ObjectType(IntEnum):
    """Types of objects: NFT_OBJECT_*."""

    UNSPEC = 0  # NFT_OBJECT_UNSPEC
    COUNTER = 1  # NFT_OBJECT_COUNTER
    QUOTA = 2  # NFT_OBJECT_QUOTA
    CT_HELPER = 3  # NFT_OBJECT_CT_HELPER
    LIMIT = 4  # NFT_OBJECT_LIMIT
    CONNLIMIT = 5  # NFT_OBJECT_CONNLIMIT
    TUNNEL = 6  # NFT_OBJECT_TUNNEL
    CT_TIMEOUT = 7  # NFT_OBJECT_CT_TIMEOUT
    SECMARK = 8  # NFT_OBJECT_SECMARK
    CT_EXPECT = 9  # NFT_OBJECT_CT_EXPECT
    SYNPROXY = 10  # NFT_OBJECT_SYNPROXY


class OsfFlags(IntFlag):
    """enum nft_osf_flags."""

    VERSION = 1 << 0  # NFT_OSF_F_VERSION


class SynproxyFlags(IntFlag):
    """NF_SYNPROXY_OPT_* of linux/netfilter/nf_synproxy.h."""

    MSS = 0x01  # NF_SYNPROXY_OPT_MSS
    WSCALE = 0x02  # NF_SYNPROXY_OPT_WSCALE
    SACK_PERM = 0x04  # NF_SYNPROXY_OPT_SACK_PERM
    TIMESTAMP = 0x08  # NF_SYNPROXY_OPT_TIMESTAMP
    ECN = 0x10  # NF_SYNPROXY_OPT_ECN


class NumgenType(IntEnum):
    """enum nft_ng_types."""

    INCREMENTAL = 0  # NFT_NG_INCREMENTAL
    RANDOM = 1  # NFT_NG_RANDOM


class TunnelKey(IntEnum):
    """enum nft_tunnel_keys."""

    PATH = 0  # NFT_TUNNEL_PATH, whether the packet came through a tunnel
    ID = 1  # NFT_TUNNEL_ID


class TunnelMode(IntEnum):
    """enum nft_tunnel_mode."""

    NONE = 0  # NFT_TUNNEL_MODE_NONE
    RX = 1  # NFT_TUNNEL_MODE_RX
    TX = 2  # NFT_TUNNEL_MODE_TX


class XfrmKey(IntEnum):
    """enum nft_xfrm_keys."""

    UNSPEC = 0  # NFT_XFRM_KEY_UNSPEC
    DADDR_IP4 = 1  # NFT_XFRM_KEY_DADDR_IP4
    DADDR_IP6 = 2  # NFT_XFRM_KEY_DADDR_IP6
    SADDR_IP4 = 3  # NFT_XFRM_KEY_SADDR_IP4
    SADDR_IP6 = 4  # NFT_XFRM_KEY_SADDR_IP6
    REQID = 5  # NFT_XFRM_KEY_REQID
    SPI = 6  # NFT_XFRM_KEY_SPI


class XfrmDirection(IntEnum):
    """XFRM_POLICY_* of linux/xfrm.h."""

    IN = 0  # XFRM_POLICY_IN
    OUT = 1  # XFRM_POLICY_OUT


class Verdict(AttributeSet):
    """A verdict (NFTA_VERDICT_*). chain: of JUMP and GOTO. code: a number beyond `VerdictCode` for a numbered queue."""

    code: Member[VerdictCode] = sbe32(1, enum=VerdictCode)  # NFTA_VERDICT_CODE
    chain: Str = string(2)  # NFTA_VERDICT_CHAIN
    chain_id: Int = be32(3)  # NFTA_VERDICT_CHAIN_ID, of a chain of the same transaction


class Bitwise(AttributeSet):
    """dreg = (sreg & mask) ^ xor, or a shift by data: 4 bytes in host byte order (NFTA_BITWISE_*)."""

    sreg: Int = be32(1)  # NFTA_BITWISE_SREG
    dreg: Int = be32(2)  # NFTA_BITWISE_DREG
    len: Int = be32(3)  # NFTA_BITWISE_LEN
    mask: Bytes = binary((4, 1))  # NFTA_BITWISE_MASK, NFTA_DATA_VALUE
    xor: Bytes = binary((5, 1))  # NFTA_BITWISE_XOR, NFTA_DATA_VALUE
    op: Member[BitwiseOp] = be32(6, enum=BitwiseOp)  # NFTA_BITWISE_OP
    data: Bytes = binary((7, 1))  # NFTA_BITWISE_DATA, NFTA_DATA_VALUE
    sreg2: Int = be32(8)  # NFTA_BITWISE_SREG2


class Byteorder(AttributeSet):
    """Swap the bytes of len bytes in units of size (NFTA_BYTEORDER_*)."""

    sreg: Int = be32(1)  # NFTA_BYTEORDER_SREG
    dreg: Int = be32(2)  # NFTA_BYTEORDER_DREG
    op: Member[ByteorderOp] = be32(3, enum=ByteorderOp)  # NFTA_BYTEORDER_OP
    len: Int = be32(4)  # NFTA_BYTEORDER_LEN
    size: Int = be32(5)  # NFTA_BYTEORDER_SIZE


class Cmp(AttributeSet):
    """Compare a register with data (NFTA_CMP_*)."""

    sreg: Int = be32(1)  # NFTA_CMP_SREG
    op: Member[CmpOp] = be32(2, enum=CmpOp)  # NFTA_CMP_OP
    data: Bytes = binary((3, 1))  # NFTA_CMP_DATA, NFTA_DATA_VALUE


class Connlimit(AttributeSet):
    """Match up to count flows (NFTA_CONNLIMIT_*)."""

    count: Int = be32(1)  # NFTA_CONNLIMIT_COUNT
    flags: Member[InvertFlags] = be32(2, enum=InvertFlags)  # NFTA_CONNLIMIT_FLAGS


class Counter(AttributeSet, ignore=(3,)):
    """Count packets and bytes (NFTA_COUNTER_*)."""

    bytes: Int = be64(1)  # NFTA_COUNTER_BYTES
    packets: Int = be64(2)  # NFTA_COUNTER_PACKETS


class Ct(AttributeSet):
    """Read or set a value of the packet's flow (NFTA_CT_*). direction: for keys that depend on it."""

    dreg: Int = be32(1)  # NFTA_CT_DREG
    key: Member[CtKey] = be32(2, enum=CtKey)  # NFTA_CT_KEY
    direction: Member[CtDirection] = u8(3, enum=CtDirection)  # NFTA_CT_DIRECTION
    sreg: Int = be32(4)  # NFTA_CT_SREG


class Dup(AttributeSet):
    """Send a copy to an address or a device (NFTA_DUP_*)."""

    sreg_addr: Int = be32(1)  # NFTA_DUP_SREG_ADDR
    sreg_dev: Int = be32(2)  # NFTA_DUP_SREG_DEV


class Dynset(AttributeSet, ignore=(8,)):
    """Add, update or delete an element of a set for a packet (NFTA_DYNSET_*).

    timeout: milliseconds. expression: of the element; expressions: if it has several.
    """

    set_name: Str = string(1)  # NFTA_DYNSET_SET_NAME
    set_id: Int = be32(2)  # NFTA_DYNSET_SET_ID
    op: Member[DynsetOp] = be32(3, enum=DynsetOp)  # NFTA_DYNSET_OP
    sreg_key: Int = be32(4)  # NFTA_DYNSET_SREG_KEY
    sreg_data: Int = be32(5)  # NFTA_DYNSET_SREG_DATA
    timeout: Int = be64(6)  # NFTA_DYNSET_TIMEOUT
    expression: Field[Expression | None] = nested(7, lambda: Expression)  # NFTA_DYNSET_EXPR
    flags: Member[DynsetFlags] = be32(9, enum=DynsetFlags)  # NFTA_DYNSET_FLAGS
    expressions: Items[Expression] = repeated((10, 1), lambda: Expression)  # NFTA_DYNSET_EXPRESSIONS, NFTA_LIST_ELEM


class Exthdr(AttributeSet):
    """Read or set bytes of an extension header or option (NFTA_EXTHDR_*)."""

    dreg: Int = be32(1)  # NFTA_EXTHDR_DREG
    type: Int = u8(2)  # NFTA_EXTHDR_TYPE
    offset: Int = be32(3)  # NFTA_EXTHDR_OFFSET
    len: Int = be32(4)  # NFTA_EXTHDR_LEN
    flags: Member[ExthdrFlags] = be32(5, enum=ExthdrFlags)  # NFTA_EXTHDR_FLAGS
    op: Member[ExthdrOp] = be32(6, enum=ExthdrOp)  # NFTA_EXTHDR_OP
    sreg: Int = be32(7)  # NFTA_EXTHDR_SREG


class Fib(AttributeSet):
    """Look a packet up in the routing table (NFTA_FIB_*)."""

    dreg: Int = be32(1)  # NFTA_FIB_DREG
    result: Member[FibResult] = be32(2, enum=FibResult)  # NFTA_FIB_RESULT
    flags: Member[FibFlags] = be32(3, enum=FibFlags)  # NFTA_FIB_FLAGS


class FlowOffload(AttributeSet):
    """Add the flow to a flowtable (NFTA_FLOW_*)."""

    table_name: Str = string(1)  # NFTA_FLOW_TABLE_NAME, the flowtable


class Fwd(AttributeSet):
    """Send the packet out of a device (NFTA_FWD_*)."""

    sreg_dev: Int = be32(1)  # NFTA_FWD_SREG_DEV
    sreg_addr: Int = be32(2)  # NFTA_FWD_SREG_ADDR
    nfproto: Int = be32(3)  # NFTA_FWD_NFPROTO


class Hash(AttributeSet):
    """Hash a register, or the flow's addresses and ports (NFTA_HASH_*)."""

    sreg: Int = be32(1)  # NFTA_HASH_SREG
    dreg: Int = be32(2)  # NFTA_HASH_DREG
    len: Int = be32(3)  # NFTA_HASH_LEN
    modulus: Int = be32(4)  # NFTA_HASH_MODULUS
    seed: Int = be32(5)  # NFTA_HASH_SEED
    offset: Int = be32(6)  # NFTA_HASH_OFFSET
    type: Member[HashType] = be32(7, enum=HashType)  # NFTA_HASH_TYPE


class Immediate(AttributeSet):
    """Write data to a register, or give a verdict, in the register VERDICT (NFTA_IMMEDIATE_*)."""

    dreg: Int = be32(1)  # NFTA_IMMEDIATE_DREG
    data: Bytes = binary((2, 1))  # NFTA_IMMEDIATE_DATA, NFTA_DATA_VALUE
    verdict: Field[Verdict | None] = nested((2, 2), Verdict)  # NFTA_IMMEDIATE_DATA, NFTA_DATA_VERDICT


class Inner(AttributeSet):
    """An expression about the packet in a tunnel (NFTA_INNER_*)."""

    num: Int = be32(1)  # NFTA_INNER_NUM
    type: Member[InnerType] = be32(2, enum=InnerType)  # NFTA_INNER_TYPE
    flags: Member[InnerFlags] = be32(3, enum=InnerFlags)  # NFTA_INNER_FLAGS
    hdrsize: Int = be32(4)  # NFTA_INNER_HDRSIZE
    expression: Field[Expression | None] = nested(5, lambda: Expression)  # NFTA_INNER_EXPR


class Last(AttributeSet, ignore=(3,)):
    """Note the time of the last packet (NFTA_LAST_*). set: 1 if there was one; msecs: milliseconds ago."""

    set: Int = be32(1)  # NFTA_LAST_SET
    msecs: Int = be64(2)  # NFTA_LAST_MSECS


class Limit(AttributeSet, ignore=(6,)):
    """Match at most rate packets or bytes in unit seconds, beyond a burst (NFTA_LIMIT_*)."""

    rate: Int = be64(1)  # NFTA_LIMIT_RATE
    unit: Int = be64(2)  # NFTA_LIMIT_UNIT, seconds
    burst: Int = be32(3)  # NFTA_LIMIT_BURST
    type: Member[LimitType] = be32(4, enum=LimitType)  # NFTA_LIMIT_TYPE
    flags: Member[InvertFlags] = be32(5, enum=InvertFlags)  # NFTA_LIMIT_FLAGS


class Log(AttributeSet):
    """Log a packet to a group of nflog, or to the kernel's log (NFTA_LOG_*)."""

    group: Int = be16(1)  # NFTA_LOG_GROUP
    prefix: Str = string(2)  # NFTA_LOG_PREFIX
    snaplen: Int = be32(3)  # NFTA_LOG_SNAPLEN
    qthreshold: Int = be16(4)  # NFTA_LOG_QTHRESHOLD
    level: Member[LogLevel] = be32(5, enum=LogLevel)  # NFTA_LOG_LEVEL
    flags: Member[LogFlags] = be32(6, enum=LogFlags)  # NFTA_LOG_FLAGS


class Lookup(AttributeSet):
    """Look a register up in a set or, with dreg, in a map (NFTA_LOOKUP_*)."""

    set: Str = string(1)  # NFTA_LOOKUP_SET
    sreg: Int = be32(2)  # NFTA_LOOKUP_SREG
    dreg: Int = be32(3)  # NFTA_LOOKUP_DREG
    set_id: Int = be32(4)  # NFTA_LOOKUP_SET_ID, of a set of the same transaction
    flags: Member[InvertFlags] = be32(5, enum=InvertFlags)  # NFTA_LOOKUP_FLAGS


class Masq(AttributeSet):
    """Translate the source to an address of the outgoing device (NFTA_MASQ_*)."""

    flags: Member[NatFlags] = be32(1, enum=NatFlags)  # NFTA_MASQ_FLAGS
    reg_proto_min: Int = be32(2)  # NFTA_MASQ_REG_PROTO_MIN
    reg_proto_max: Int = be32(3)  # NFTA_MASQ_REG_PROTO_MAX


class Match(AttributeSet):
    """A match of xtables (NFTA_MATCH_*)."""

    name: Str = string(1)  # NFTA_MATCH_NAME
    rev: Int = be32(2)  # NFTA_MATCH_REV
    info: Bytes = binary(3)  # NFTA_MATCH_INFO


class Meta(AttributeSet):
    """Read or set a value of the packet (NFTA_META_*)."""

    dreg: Int = be32(1)  # NFTA_META_DREG
    key: Member[MetaKey] = be32(2, enum=MetaKey)  # NFTA_META_KEY
    sreg: Int = be32(3)  # NFTA_META_SREG


class Nat(AttributeSet):
    """Translate the source or destination (NFTA_NAT_*). family: `Family.IPV4` or `IPV6`."""

    type: Member[NatType] = be32(1, enum=NatType)  # NFTA_NAT_TYPE
    family: Int = be32(2)  # NFTA_NAT_FAMILY
    reg_addr_min: Int = be32(3)  # NFTA_NAT_REG_ADDR_MIN
    reg_addr_max: Int = be32(4)  # NFTA_NAT_REG_ADDR_MAX
    reg_proto_min: Int = be32(5)  # NFTA_NAT_REG_PROTO_MIN
    reg_proto_max: Int = be32(6)  # NFTA_NAT_REG_PROTO_MAX
    flags: Member[NatFlags] = be32(7, enum=NatFlags)  # NFTA_NAT_FLAGS


class Numgen(AttributeSet):
    """Write a counting or random number below a modulus (NFTA_NG_*)."""

    dreg: Int = be32(1)  # NFTA_NG_DREG
    modulus: Int = be32(2)  # NFTA_NG_MODULUS
    type: Member[NumgenType] = be32(3, enum=NumgenType)  # NFTA_NG_TYPE
    offset: Int = be32(4)  # NFTA_NG_OFFSET


class Objref(AttributeSet):
    """Use an object, by its name, or by a map of names (NFTA_OBJREF_*)."""

    imm_type: Member[ObjectType] = be32(1, enum=ObjectType)  # NFTA_OBJREF_IMM_TYPE
    imm_name: Str = string(2)  # NFTA_OBJREF_IMM_NAME
    set_sreg: Int = be32(3)  # NFTA_OBJREF_SET_SREG
    set_name: Str = string(4)  # NFTA_OBJREF_SET_NAME
    set_id: Int = be32(5)  # NFTA_OBJREF_SET_ID


class Osf(AttributeSet):
    """Write the name of the sender's operating system (NFTA_OSF_*)."""

    dreg: Int = be32(1)  # NFTA_OSF_DREG
    ttl: Int = u8(2)  # NFTA_OSF_TTL
    flags: Member[OsfFlags] = be32(3, enum=OsfFlags)  # NFTA_OSF_FLAGS


class Payload(AttributeSet):
    """Read or set bytes of the packet (NFTA_PAYLOAD_*). csum_offset: of a checksum to keep right when it is set."""

    dreg: Int = be32(1)  # NFTA_PAYLOAD_DREG
    base: Member[PayloadBase] = be32(2, enum=PayloadBase)  # NFTA_PAYLOAD_BASE
    offset: Int = be32(3)  # NFTA_PAYLOAD_OFFSET
    len: Int = be32(4)  # NFTA_PAYLOAD_LEN
    sreg: Int = be32(5)  # NFTA_PAYLOAD_SREG
    csum_type: Member[ChecksumType] = be32(6, enum=ChecksumType)  # NFTA_PAYLOAD_CSUM_TYPE
    csum_offset: Int = be32(7)  # NFTA_PAYLOAD_CSUM_OFFSET
    csum_flags: Member[ChecksumFlags] = be32(8, enum=ChecksumFlags)  # NFTA_PAYLOAD_CSUM_FLAGS


class Queue(AttributeSet):
    """Give the packet to a queue of nfqueue, one of total (NFTA_QUEUE_*)."""

    num: Int = be16(1)  # NFTA_QUEUE_NUM
    total: Int = be16(2)  # NFTA_QUEUE_TOTAL
    flags: Member[QueueFlags] = be16(3, enum=QueueFlags)  # NFTA_QUEUE_FLAGS
    sreg_qnum: Int = be32(4)  # NFTA_QUEUE_SREG_QNUM


class Quota(AttributeSet, ignore=(3,)):
    """Match until bytes have passed (NFTA_QUOTA_*)."""

    bytes: Int = be64(1)  # NFTA_QUOTA_BYTES
    flags: Member[QuotaFlags] = be32(2, enum=QuotaFlags)  # NFTA_QUOTA_FLAGS
    consumed: Int = be64(4)  # NFTA_QUOTA_CONSUMED


class Range(AttributeSet):
    """Match a register from from_data to to_data, both included (NFTA_RANGE_*)."""

    sreg: Int = be32(1)  # NFTA_RANGE_SREG
    op: Member[RangeOp] = be32(2, enum=RangeOp)  # NFTA_RANGE_OP
    from_data: Bytes = binary((3, 1))  # NFTA_RANGE_FROM_DATA, NFTA_DATA_VALUE
    to_data: Bytes = binary((4, 1))  # NFTA_RANGE_TO_DATA, NFTA_DATA_VALUE


class Redir(AttributeSet):
    """Translate the destination to this machine (NFTA_REDIR_*)."""

    reg_proto_min: Int = be32(1)  # NFTA_REDIR_REG_PROTO_MIN
    reg_proto_max: Int = be32(2)  # NFTA_REDIR_REG_PROTO_MAX
    flags: Member[NatFlags] = be32(3, enum=NatFlags)  # NFTA_REDIR_FLAGS


class Reject(AttributeSet):
    """Drop the packet and tell its sender (NFTA_REJECT_*). icmp_code: `RejectCode` with ICMPX_UNREACH."""

    type: Member[RejectType] = be32(1, enum=RejectType)  # NFTA_REJECT_TYPE
    icmp_code: Int = u8(2)  # NFTA_REJECT_ICMP_CODE


class Rt(AttributeSet):
    """Read a value of the packet's route (NFTA_RT_*)."""

    dreg: Int = be32(1)  # NFTA_RT_DREG
    key: Member[RtKey] = be32(2, enum=RtKey)  # NFTA_RT_KEY


class Socket(AttributeSet):
    """Read a value of the packet's socket (NFTA_SOCKET_*). level: of an ancestor with CGROUPV2."""

    key: Member[SocketKey] = be32(1, enum=SocketKey)  # NFTA_SOCKET_KEY
    dreg: Int = be32(2)  # NFTA_SOCKET_DREG
    level: Int = be32(3)  # NFTA_SOCKET_LEVEL


class Synproxy(AttributeSet):
    """Answer TCP's handshake for a server (NFTA_SYNPROXY_*)."""

    mss: Int = be16(1)  # NFTA_SYNPROXY_MSS
    wscale: Int = u8(2)  # NFTA_SYNPROXY_WSCALE
    flags: Member[SynproxyFlags] = be32(3, enum=SynproxyFlags)  # NFTA_SYNPROXY_FLAGS


class Target(AttributeSet):
    """A target of xtables (NFTA_TARGET_*)."""

    name: Str = string(1)  # NFTA_TARGET_NAME
    rev: Int = be32(2)  # NFTA_TARGET_REV
    info: Bytes = binary(3)  # NFTA_TARGET_INFO


class Tproxy(AttributeSet):
    """Give the packet to a local socket without a change of it (NFTA_TPROXY_*)."""

    family: Int = be32(1)  # NFTA_TPROXY_FAMILY
    reg_addr: Int = be32(2)  # NFTA_TPROXY_REG_ADDR
    reg_port: Int = be32(3)  # NFTA_TPROXY_REG_PORT


class Tunnel(AttributeSet):
    """Read a value of the tunnel that the packet came through (NFTA_TUNNEL_*)."""

    key: Member[TunnelKey] = be32(1, enum=TunnelKey)  # NFTA_TUNNEL_KEY
    dreg: Int = be32(2)  # NFTA_TUNNEL_DREG
    mode: Member[TunnelMode] = be32(3, enum=TunnelMode)  # NFTA_TUNNEL_MODE


class Xfrm(AttributeSet):
    """Read a value of IPsec (NFTA_XFRM_*). spnum: the index of the policy."""

    dreg: Int = be32(1)  # NFTA_XFRM_DREG
    key: Member[XfrmKey] = be32(2, enum=XfrmKey)  # NFTA_XFRM_KEY
    dir: Member[XfrmDirection] = u8(3, enum=XfrmDirection)  # NFTA_XFRM_DIR
    spnum: Int = be32(4)  # NFTA_XFRM_SPNUM


AnyExpression: TypeAlias = (
    Bitwise
    | Byteorder
    | Cmp
    | Connlimit
    | Counter
    | Ct
    | Dup
    | Dynset
    | Exthdr
    | Fib
    | FlowOffload
    | Fwd
    | Hash
    | Immediate
    | Inner
    | Last
    | Limit
    | Log
    | Lookup
    | Masq
    | Match
    | Meta
    | Nat
    | Numgen
    | Objref
    | Osf
    | Payload
    | Queue
    | Quota
    | Range
    | Redir
    | Reject
    | Rt
    | Socket
    | Synproxy
    | Target
    | Tproxy
    | Tunnel
    | Xfrm
)
"""Any of the declared expressions."""

_CASES: dict[str, type[AnyExpression]] = {
    "bitwise": Bitwise,
    "byteorder": Byteorder,
    "cmp": Cmp,
    "connlimit": Connlimit,
    "counter": Counter,
    "ct": Ct,
    "dup": Dup,
    "dynset": Dynset,
    "exthdr": Exthdr,
    "fib": Fib,
    "flow_offload": FlowOffload,
    "fwd": Fwd,
    "hash": Hash,
    "immediate": Immediate,
    "inner": Inner,
    "last": Last,
    "limit": Limit,
    "log": Log,
    "lookup": Lookup,
    "masq": Masq,
    "match": Match,
    "meta": Meta,
    "nat": Nat,
    "numgen": Numgen,
    "objref": Objref,
    "osf": Osf,
    "payload": Payload,
    "queue": Queue,
    "quota": Quota,
    "range": Range,
    "redir": Redir,
    "reject": Reject,
    "rt": Rt,
    "socket": Socket,
    "synproxy": Synproxy,
    "target": Target,
    "tproxy": Tproxy,
    "tunnel": Tunnel,
    "xfrm": Xfrm,
}
_NAMES = {kind: name for name, kind in _CASES.items()}


class Expression(AttributeSet):
    """An expression with its name (NFTA_EXPR_*). `notrack` has no data; data of an undeclared name is bytes."""

    name: Str = string(1)  # NFTA_EXPR_NAME
    data: Field[AnyExpression | bytes | None] = submessage(2, on="name", cases=_CASES)  # NFTA_EXPR_DATA


def wrap(part: Expression | AnyExpression) -> Expression:
    """An expression with its name. TypeError for anything else."""
    if isinstance(part, Expression):
        return part
    name = _NAMES.get(type(part))
    if name is None:
        raise TypeError(f"want an expression of netlink.netfilter.nftables.expr, not {part!r}")
    return Expression(name=name, data=part)
