"""Numbers of the netlink core, from the kernel's UAPI headers.

Each group names its header; each line ends with the number's name in that header. Everything is an ``int``:
members compare and pack as plain numbers. A number without a member can be used in place of one.
"""

from __future__ import annotations

from enum import KEEP, IntEnum, IntFlag

__all__ = [
    "NESTED",
    "NET_BYTE_ORDER",
    "NFNL_MSG_BATCH_BEGIN",
    "NFNL_MSG_BATCH_END",
    "SOL_NETLINK",
    "AuditGroup",
    "ConnOption",
    "ConnectorIndex",
    "ErrorAttribute",
    "Family",
    "GenericID",
    "HeaderFlags",
    "HeaderType",
    "NetfilterGroup",
    "NetfilterSubsystem",
    "PolicyType",
    "RouteGroup",
    "SockDiagGroup",
    "XfrmGroup",
]


# linux/netlink.h
class Family(IntEnum):
    """Netlink protocols: the ``family`` of `netlink.dial` (``NETLINK_*``, linux/netlink.h)."""

    ROUTE = 0  # NETLINK_ROUTE
    UNUSED = 1  # NETLINK_UNUSED
    USERSOCK = 2  # NETLINK_USERSOCK
    FIREWALL = 3  # NETLINK_FIREWALL
    SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
    INET_DIAG = 4  # NETLINK_INET_DIAG
    NFLOG = 5  # NETLINK_NFLOG
    XFRM = 6  # NETLINK_XFRM
    SELINUX = 7  # NETLINK_SELINUX
    ISCSI = 8  # NETLINK_ISCSI
    AUDIT = 9  # NETLINK_AUDIT
    FIB_LOOKUP = 10  # NETLINK_FIB_LOOKUP
    CONNECTOR = 11  # NETLINK_CONNECTOR
    NETFILTER = 12  # NETLINK_NETFILTER
    IP6_FW = 13  # NETLINK_IP6_FW
    DNRTMSG = 14  # NETLINK_DNRTMSG
    KOBJECT_UEVENT = 15  # NETLINK_KOBJECT_UEVENT
    GENERIC = 16  # NETLINK_GENERIC
    SCSITRANSPORT = 18  # NETLINK_SCSITRANSPORT
    ECRYPTFS = 19  # NETLINK_ECRYPTFS
    RDMA = 20  # NETLINK_RDMA
    CRYPTO = 21  # NETLINK_CRYPTO
    SMC = 22  # NETLINK_SMC


# linux/netlink.h
class HeaderType(IntEnum):
    """Message types with the same meaning in every family (``NLMSG_*``, linux/netlink.h).

    A family numbers its own messages from 16 up. ``HeaderType(n)`` takes every 16-bit number: one without a
    name here gives an unnamed member, always the same object for the same number. Other values raise
    ValueError. ``str()`` gives ``"error"`` or ``"unknown(16)"``.
    """

    NOOP = 0x1  # NLMSG_NOOP
    ERROR = 0x2  # NLMSG_ERROR
    DONE = 0x3  # NLMSG_DONE
    OVERRUN = 0x4  # NLMSG_OVERRUN

    @classmethod
    def _missing_(cls, value: object) -> HeaderType | None:
        if not isinstance(value, int) or not 0 <= value <= 0xFFFF:
            return None
        number = int(value)
        member = int.__new__(cls, number)
        # As for members that enum makes; _name_ is None, as for an unnamed value of a Flag.
        vars(member).update(_name_=None, _value_=number, __objclass__=cls)
        # setdefault is atomic: threads that race here all get the member that was stored first. The map has at most
        # 65,536 members.
        return cls._value2member_map_.setdefault(number, member)  # type: ignore[return-value]

    def __str__(self) -> str:
        return _TYPE_NAMES.get(self._value_) or f"unknown({self._value_})"

    def __repr__(self) -> str:
        if self._value_ in _TYPE_NAMES:
            return f"<HeaderType.{self._name_}: {self._value_}>"
        return f"<HeaderType: {self._value_}>"

    def __format__(self, format_spec: str) -> str:
        return format(self._value_, format_spec) if format_spec else str(self)

    # By value: some 3.11 releases of enum pickle by name, and unnamed members have none.
    def __reduce_ex__(self, protocol: object) -> tuple[type[HeaderType], tuple[int]]:
        return HeaderType, (self._value_,)


_TYPE_NAMES = {1: "noop", 2: "error", 3: "done", 4: "overrun"}


# linux/netlink.h
class HeaderFlags(IntFlag, boundary=KEEP):
    """Flags of a message header, 16 bits (``NLM_F_*``, linux/netlink.h).

    The low bits have the same meaning everywhere. The meaning of bits 8 to 11 depends on the message: a request to
    get, to create or to delete, or an acknowledgement. Several names therefore share a number. Unknown bits are
    preserved. ``str()`` gives ``"request|acknowledge"``; it shows bits from 6 up together as one hexadecimal
    number: ``"request|0x300"``.
    """

    REQUEST = 0x01  # NLM_F_REQUEST
    MULTI = 0x02  # NLM_F_MULTI
    ACKNOWLEDGE = 0x04  # NLM_F_ACK
    ECHO = 0x08  # NLM_F_ECHO
    DUMP_INTERRUPTED = 0x10  # NLM_F_DUMP_INTR
    DUMP_FILTERED = 0x20  # NLM_F_DUMP_FILTERED

    # Requests to get.
    ROOT = 0x100  # NLM_F_ROOT
    MATCH = 0x200  # NLM_F_MATCH
    ATOMIC = 0x400  # NLM_F_ATOMIC
    DUMP = 0x300  # NLM_F_DUMP

    # Requests to create.
    REPLACE = 0x100  # NLM_F_REPLACE
    EXCL = 0x200  # NLM_F_EXCL
    CREATE = 0x400  # NLM_F_CREATE
    APPEND = 0x800  # NLM_F_APPEND

    # Requests to delete.
    NONREC = 0x100  # NLM_F_NONREC
    BULK = 0x200  # NLM_F_BULK

    # Acknowledgements.
    CAPPED = 0x100  # NLM_F_CAPPED
    ACKNOWLEDGE_TLVS = 0x200  # NLM_F_ACK_TLVS

    def __str__(self) -> str:
        value = self._value_
        parts = [name for bit, name in _FLAG_NAMES if value & bit]
        rest = value & ~0x3F
        if rest or not parts:
            parts.append(f"{rest:#x}" if rest else "0")
        return "|".join(parts)

    def __format__(self, format_spec: str) -> str:
        return format(self._value_, format_spec) if format_spec else str(self)

    # The field has 16 bits. enum inverts only up to the highest named bit: `flags & ~REQUEST` would also clear the
    # unknown bits above.
    def __invert__(self) -> HeaderFlags:
        return HeaderFlags(self._value_ ^ 0xFFFF)

    # By value: some 3.11 releases of enum fail to pickle unknown bits.
    def __reduce_ex__(self, protocol: object) -> tuple[type[HeaderFlags], tuple[int]]:
        return HeaderFlags, (self._value_,)


_FLAG_NAMES = (
    (0x01, "request"),
    (0x02, "multi"),
    (0x04, "acknowledge"),
    (0x08, "echo"),
    (0x10, "dumpinterrupted"),
    (0x20, "dumpfiltered"),
)

# linux/netlink.h: the two high bits of an attribute's type, mutually exclusive
NESTED = 0x8000  # NLA_F_NESTED
NET_BYTE_ORDER = 0x4000  # NLA_F_NET_BYTEORDER

# linux/socket.h in the kernel, sys/socket.h in libc: the level of the socket options below
SOL_NETLINK = 270  # SOL_NETLINK


# linux/netlink.h
class ConnOption(IntEnum):
    """Switches of a netlink socket, for `Conn.set_option` (``NETLINK_*``, linux/netlink.h).

    They are socket options at the level `SOL_NETLINK`.
    """

    PACKET_INFO = 3  # NETLINK_PKTINFO
    BROADCAST_ERROR = 4  # NETLINK_BROADCAST_ERROR
    NO_ENOBUFS = 5  # NETLINK_NO_ENOBUFS
    LISTEN_ALL_NSID = 8  # NETLINK_LISTEN_ALL_NSID
    CAP_ACKNOWLEDGE = 10  # NETLINK_CAP_ACK
    EXTENDED_ACKNOWLEDGE = 11  # NETLINK_EXT_ACK
    GET_STRICT_CHECK = 12  # NETLINK_GET_STRICT_CHK


# linux/netlink.h
class ErrorAttribute(IntEnum):
    """Attributes of an extended acknowledgement (``NLMSGERR_ATTR_*``, linux/netlink.h).

    They follow the error message if it has the flag `HeaderFlags.ACKNOWLEDGE_TLVS`.
    """

    MSG = 1  # NLMSGERR_ATTR_MSG
    OFFS = 2  # NLMSGERR_ATTR_OFFS
    COOKIE = 3  # NLMSGERR_ATTR_COOKIE
    POLICY = 4  # NLMSGERR_ATTR_POLICY
    MISS_TYPE = 5  # NLMSGERR_ATTR_MISS_TYPE
    MISS_NEST = 6  # NLMSGERR_ATTR_MISS_NEST


# linux/netlink.h
class PolicyType(IntEnum):
    """Types of attributes in a policy of the kernel (``NL_ATTR_TYPE_*``, linux/netlink.h)."""

    INVALID = 0  # NL_ATTR_TYPE_INVALID
    FLAG = 1  # NL_ATTR_TYPE_FLAG
    U8 = 2  # NL_ATTR_TYPE_U8
    U16 = 3  # NL_ATTR_TYPE_U16
    U32 = 4  # NL_ATTR_TYPE_U32
    U64 = 5  # NL_ATTR_TYPE_U64
    S8 = 6  # NL_ATTR_TYPE_S8
    S16 = 7  # NL_ATTR_TYPE_S16
    S32 = 8  # NL_ATTR_TYPE_S32
    S64 = 9  # NL_ATTR_TYPE_S64
    BINARY = 10  # NL_ATTR_TYPE_BINARY
    STRING = 11  # NL_ATTR_TYPE_STRING
    NUL_STRING = 12  # NL_ATTR_TYPE_NUL_STRING
    NESTED = 13  # NL_ATTR_TYPE_NESTED
    NESTED_ARRAY = 14  # NL_ATTR_TYPE_NESTED_ARRAY
    BITFIELD32 = 15  # NL_ATTR_TYPE_BITFIELD32
    SINT = 16  # NL_ATTR_TYPE_SINT
    UINT = 17  # NL_ATTR_TYPE_UINT


# linux/rtnetlink.h
class RouteGroup(IntEnum):
    """Multicast groups of `Family.ROUTE` (``RTNLGRP_*``, linux/rtnetlink.h), for `Conn.join_group`."""

    NONE = 0  # RTNLGRP_NONE
    LINK = 1  # RTNLGRP_LINK
    NOTIFY = 2  # RTNLGRP_NOTIFY
    NEIGH = 3  # RTNLGRP_NEIGH
    TC = 4  # RTNLGRP_TC
    IPV4_IFADDR = 5  # RTNLGRP_IPV4_IFADDR
    IPV4_MROUTE = 6  # RTNLGRP_IPV4_MROUTE
    IPV4_ROUTE = 7  # RTNLGRP_IPV4_ROUTE
    IPV4_RULE = 8  # RTNLGRP_IPV4_RULE
    IPV6_IFADDR = 9  # RTNLGRP_IPV6_IFADDR
    IPV6_MROUTE = 10  # RTNLGRP_IPV6_MROUTE
    IPV6_ROUTE = 11  # RTNLGRP_IPV6_ROUTE
    IPV6_IFINFO = 12  # RTNLGRP_IPV6_IFINFO
    DECNET_IFADDR = 13  # RTNLGRP_DECnet_IFADDR
    NOP2 = 14  # RTNLGRP_NOP2
    DECNET_ROUTE = 15  # RTNLGRP_DECnet_ROUTE
    DECNET_RULE = 16  # RTNLGRP_DECnet_RULE
    NOP4 = 17  # RTNLGRP_NOP4
    IPV6_PREFIX = 18  # RTNLGRP_IPV6_PREFIX
    IPV6_RULE = 19  # RTNLGRP_IPV6_RULE
    ND_USEROPT = 20  # RTNLGRP_ND_USEROPT
    PHONET_IFADDR = 21  # RTNLGRP_PHONET_IFADDR
    PHONET_ROUTE = 22  # RTNLGRP_PHONET_ROUTE
    DCB = 23  # RTNLGRP_DCB
    IPV4_NETCONF = 24  # RTNLGRP_IPV4_NETCONF
    IPV6_NETCONF = 25  # RTNLGRP_IPV6_NETCONF
    MDB = 26  # RTNLGRP_MDB
    MPLS_ROUTE = 27  # RTNLGRP_MPLS_ROUTE
    NSID = 28  # RTNLGRP_NSID
    MPLS_NETCONF = 29  # RTNLGRP_MPLS_NETCONF
    IPV4_MROUTE_R = 30  # RTNLGRP_IPV4_MROUTE_R
    IPV6_MROUTE_R = 31  # RTNLGRP_IPV6_MROUTE_R
    NEXTHOP = 32  # RTNLGRP_NEXTHOP
    BRVLAN = 33  # RTNLGRP_BRVLAN
    MCTP_IFADDR = 34  # RTNLGRP_MCTP_IFADDR
    TUNNEL = 35  # RTNLGRP_TUNNEL
    STATS = 36  # RTNLGRP_STATS
    IPV4_MCADDR = 37  # RTNLGRP_IPV4_MCADDR
    IPV6_MCADDR = 38  # RTNLGRP_IPV6_MCADDR
    IPV6_ACADDR = 39  # RTNLGRP_IPV6_ACADDR


# linux/netfilter/nfnetlink.h
class NetfilterGroup(IntEnum):
    """Multicast groups of `Family.NETFILTER` (``NFNLGRP_*``, linux/netfilter/nfnetlink.h).

    For `Conn.join_group`.
    """

    NONE = 0  # NFNLGRP_NONE
    CONNTRACK_NEW = 1  # NFNLGRP_CONNTRACK_NEW
    CONNTRACK_UPDATE = 2  # NFNLGRP_CONNTRACK_UPDATE
    CONNTRACK_DESTROY = 3  # NFNLGRP_CONNTRACK_DESTROY
    CONNTRACK_EXP_NEW = 4  # NFNLGRP_CONNTRACK_EXP_NEW
    CONNTRACK_EXP_UPDATE = 5  # NFNLGRP_CONNTRACK_EXP_UPDATE
    CONNTRACK_EXP_DESTROY = 6  # NFNLGRP_CONNTRACK_EXP_DESTROY
    NFTABLES = 7  # NFNLGRP_NFTABLES
    ACCT_QUOTA = 8  # NFNLGRP_ACCT_QUOTA
    NFTRACE = 9  # NFNLGRP_NFTRACE


# linux/netfilter/nfnetlink.h
class NetfilterSubsystem(IntEnum):
    """Subsystems of `Family.NETFILTER` (``NFNL_SUBSYS_*``, linux/netfilter/nfnetlink.h).

    The high byte of a message's type is the subsystem, the low byte the message within it.
    """

    NONE = 0  # NFNL_SUBSYS_NONE
    CTNETLINK = 1  # NFNL_SUBSYS_CTNETLINK
    CTNETLINK_EXP = 2  # NFNL_SUBSYS_CTNETLINK_EXP
    QUEUE = 3  # NFNL_SUBSYS_QUEUE
    ULOG = 4  # NFNL_SUBSYS_ULOG
    OSF = 5  # NFNL_SUBSYS_OSF
    IPSET = 6  # NFNL_SUBSYS_IPSET
    ACCT = 7  # NFNL_SUBSYS_ACCT
    CTNETLINK_TIMEOUT = 8  # NFNL_SUBSYS_CTNETLINK_TIMEOUT
    CTHELPER = 9  # NFNL_SUBSYS_CTHELPER
    NFTABLES = 10  # NFNL_SUBSYS_NFTABLES
    NFT_COMPAT = 11  # NFNL_SUBSYS_NFT_COMPAT
    HOOK = 12  # NFNL_SUBSYS_HOOK


# linux/netfilter/nfnetlink.h: message types around a transaction, which the kernel applies as a whole
NFNL_MSG_BATCH_BEGIN = 0x10  # NFNL_MSG_BATCH_BEGIN
NFNL_MSG_BATCH_END = 0x11  # NFNL_MSG_BATCH_END


# linux/sock_diag.h
class SockDiagGroup(IntEnum):
    """Multicast groups of `Family.SOCK_DIAG` (``SKNLGRP_*``, linux/sock_diag.h), for `Conn.join_group`."""

    NONE = 0  # SKNLGRP_NONE
    INET_TCP_DESTROY = 1  # SKNLGRP_INET_TCP_DESTROY
    INET_UDP_DESTROY = 2  # SKNLGRP_INET_UDP_DESTROY
    INET6_TCP_DESTROY = 3  # SKNLGRP_INET6_TCP_DESTROY
    INET6_UDP_DESTROY = 4  # SKNLGRP_INET6_UDP_DESTROY


# linux/xfrm.h
class XfrmGroup(IntEnum):
    """Multicast groups of `Family.XFRM` (``XFRMNLGRP_*``, linux/xfrm.h), for `Conn.join_group`."""

    NONE = 0  # XFRMNLGRP_NONE
    ACQUIRE = 1  # XFRMNLGRP_ACQUIRE
    EXPIRE = 2  # XFRMNLGRP_EXPIRE
    SA = 3  # XFRMNLGRP_SA
    POLICY = 4  # XFRMNLGRP_POLICY
    AEVENTS = 5  # XFRMNLGRP_AEVENTS
    REPORT = 6  # XFRMNLGRP_REPORT
    MIGRATE = 7  # XFRMNLGRP_MIGRATE
    MAPPING = 8  # XFRMNLGRP_MAPPING


# linux/audit.h
class AuditGroup(IntEnum):
    """Multicast groups of `Family.AUDIT` (``AUDIT_NLGRP_*``, linux/audit.h), for `Conn.join_group`."""

    NONE = 0  # AUDIT_NLGRP_NONE
    READLOG = 1  # AUDIT_NLGRP_READLOG


# linux/connector.h
class ConnectorIndex(IntEnum):
    """Users of `Family.CONNECTOR` (``CN_IDX_*`` and ``CN_*_IDX``, linux/connector.h).

    The index is both the ``idx`` of a message's id and the multicast group for `Conn.join_group`.
    """

    PROC = 0x1  # CN_IDX_PROC
    CIFS = 0x2  # CN_IDX_CIFS
    W1 = 0x3  # CN_W1_IDX
    V86D = 0x4  # CN_IDX_V86D
    BB = 0x5  # CN_IDX_BB
    DST = 0x6  # CN_DST_IDX
    DM = 0x7  # CN_IDX_DM
    DRBD = 0x8  # CN_IDX_DRBD
    KVP = 0x9  # CN_KVP_IDX
    VSS = 0xA  # CN_VSS_IDX


# linux/genetlink.h
class GenericID(IntEnum):
    """The fixed message types of `Family.GENERIC` (``GENL_ID_*``, linux/genetlink.h).

    The kernel assigns all other types when families register. `CTRL`, the controller, reports them.
    """

    CTRL = 0x10  # GENL_ID_CTRL
    VFS_DQUOT = 0x11  # GENL_ID_VFS_DQUOT
    PMCRAID = 0x12  # GENL_ID_PMCRAID
