"""Tunnels over IP: linux/if_tunnel.h, linux/ip6_tunnel.h, linux/if_link.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.schema import (
    IP,
    AttributeSet,
    Flag,
    Int,
    IPv4,
    IPv6,
    Member,
    be16,
    be32,
    flag,
    ip,
    ipv4,
    ipv6,
    u8,
    u16,
    u32,
)

__all__ = [
    "Gre",
    "GreFlags",
    "IP6Tunnel",
    "IP6TunnelFlags",
    "IPTunnel",
    "Sit",
    "TunnelEncap",
    "TunnelEncapFlags",
    "Vti",
    "Xfrm",
]


class TunnelEncap(IntEnum):
    """What a tunnel's packets are in besides (TUNNEL_ENCAP_*)."""

    NONE = 0  # TUNNEL_ENCAP_NONE
    FOU = 1  # TUNNEL_ENCAP_FOU
    GUE = 2  # TUNNEL_ENCAP_GUE
    MPLS = 3  # TUNNEL_ENCAP_MPLS


class TunnelEncapFlags(IntFlag):
    """Checksums of what a tunnel's packets are in besides (TUNNEL_ENCAP_FLAG_*)."""

    CSUM = 0x1  # TUNNEL_ENCAP_FLAG_CSUM
    CSUM6 = 0x2  # TUNNEL_ENCAP_FLAG_CSUM6
    REMCSUM = 0x4  # TUNNEL_ENCAP_FLAG_REMCSUM


class GreFlags(IntFlag):
    """Optional fields of the GRE header (GRE_*), as numbers of host byte order."""

    CSUM = 0x8000  # GRE_CSUM
    ROUTING = 0x4000  # GRE_ROUTING
    KEY = 0x2000  # GRE_KEY
    SEQ = 0x1000  # GRE_SEQ
    STRICT = 0x0800  # GRE_STRICT
    ACK = 0x0080  # GRE_ACK


class IP6TunnelFlags(IntFlag):
    """Flags of a tunnel over IPv6 (IP6_TNL_F_*)."""

    IGN_ENCAP_LIMIT = 0x1  # IP6_TNL_F_IGN_ENCAP_LIMIT, without a limit of tunnels in tunnels
    USE_ORIG_TCLASS = 0x2  # IP6_TNL_F_USE_ORIG_TCLASS, the traffic class of the packet inside
    USE_ORIG_FLOWLABEL = 0x4  # IP6_TNL_F_USE_ORIG_FLOWLABEL, the flow label of the packet inside
    MIP6_DEV = 0x8  # IP6_TNL_F_MIP6_DEV
    RCV_DSCP_COPY = 0x10  # IP6_TNL_F_RCV_DSCP_COPY
    USE_ORIG_FWMARK = 0x20  # IP6_TNL_F_USE_ORIG_FWMARK
    ALLOW_LOCAL_REMOTE = 0x40  # IP6_TNL_F_ALLOW_LOCAL_REMOTE, the remote address may be of this machine


class IPTunnel(AttributeSet, lenient=True):
    """The data of links of the kinds "ipip", "ip6tnl" and "sit" (IFLA_IPTUN_*): what they share.

    link: the index of the link that packets leave by. ttl, tos: 0 or 1 for those of the packet inside.
    """

    link: Int = u32(1)  # IFLA_IPTUN_LINK
    local: IP = ip(2)  # IFLA_IPTUN_LOCAL
    remote: IP = ip(3)  # IFLA_IPTUN_REMOTE
    ttl: Int = u8(4)  # IFLA_IPTUN_TTL
    tos: Int = u8(5)  # IFLA_IPTUN_TOS
    proto: Int = u8(9)  # IFLA_IPTUN_PROTO, IPPROTO_IPIP, IPPROTO_IPV6, IPPROTO_MPLS, or 0 for any
    pmtudisc: Int = u8(10)  # IFLA_IPTUN_PMTUDISC
    encap_type: Member[TunnelEncap] = u16(15, enum=TunnelEncap)  # IFLA_IPTUN_ENCAP_TYPE
    encap_flags: Member[TunnelEncapFlags] = u16(16, enum=TunnelEncapFlags)  # IFLA_IPTUN_ENCAP_FLAGS
    encap_sport: Int = be16(17)  # IFLA_IPTUN_ENCAP_SPORT
    encap_dport: Int = be16(18)  # IFLA_IPTUN_ENCAP_DPORT
    collect_metadata: Flag = flag(19)  # IFLA_IPTUN_COLLECT_METADATA, packets bring their addresses: `external`
    fwmark: Int = u32(20)  # IFLA_IPTUN_FWMARK


class IP6Tunnel(IPTunnel):
    """The data of a link of the kind "ip6tnl" (IFLA_IPTUN_*)."""

    encap_limit: Int = u8(6)  # IFLA_IPTUN_ENCAP_LIMIT
    flowinfo: Int = be32(7)  # IFLA_IPTUN_FLOWINFO, traffic class and flow label
    flags: Member[IP6TunnelFlags] = u32(8, enum=IP6TunnelFlags)  # IFLA_IPTUN_FLAGS


class Sit(IPTunnel):
    """The data of a link of the kind "sit" (IFLA_IPTUN_*). The prefixes are those of 6rd, RFC 5969."""

    flags: Int = be16(8)  # IFLA_IPTUN_FLAGS, 1 for ISATAP
    prefix: IPv6 = ipv6(11)  # IFLA_IPTUN_6RD_PREFIX
    relay_prefix: IPv4 = ipv4(12)  # IFLA_IPTUN_6RD_RELAY_PREFIX
    prefixlen: Int = u16(13)  # IFLA_IPTUN_6RD_PREFIXLEN
    relay_prefixlen: Int = u16(14)  # IFLA_IPTUN_6RD_RELAY_PREFIXLEN


class Gre(AttributeSet, lenient=True):
    """The data of links of the kinds "gre", "gretap", "ip6gre", "ip6gretap", "erspan", "ip6erspan" (IFLA_GRE_*).

    ikey, okey: of packets in and out; they count if iflags and oflags have KEY.
    """

    link: Int = u32(1)  # IFLA_GRE_LINK
    iflags: Member[GreFlags] = be16(2, enum=GreFlags)  # IFLA_GRE_IFLAGS
    oflags: Member[GreFlags] = be16(3, enum=GreFlags)  # IFLA_GRE_OFLAGS
    ikey: Int = be32(4)  # IFLA_GRE_IKEY
    okey: Int = be32(5)  # IFLA_GRE_OKEY
    local: IP = ip(6)  # IFLA_GRE_LOCAL
    remote: IP = ip(7)  # IFLA_GRE_REMOTE
    ttl: Int = u8(8)  # IFLA_GRE_TTL
    tos: Int = u8(9)  # IFLA_GRE_TOS
    pmtudisc: Int = u8(10)  # IFLA_GRE_PMTUDISC
    encap_limit: Int = u8(11)  # IFLA_GRE_ENCAP_LIMIT
    flowinfo: Int = be32(12)  # IFLA_GRE_FLOWINFO, traffic class and flow label
    flags: Member[IP6TunnelFlags] = u32(13, enum=IP6TunnelFlags)  # IFLA_GRE_FLAGS
    encap_type: Member[TunnelEncap] = u16(14, enum=TunnelEncap)  # IFLA_GRE_ENCAP_TYPE
    encap_flags: Member[TunnelEncapFlags] = u16(15, enum=TunnelEncapFlags)  # IFLA_GRE_ENCAP_FLAGS
    encap_sport: Int = be16(16)  # IFLA_GRE_ENCAP_SPORT
    encap_dport: Int = be16(17)  # IFLA_GRE_ENCAP_DPORT
    collect_metadata: Flag = flag(18)  # IFLA_GRE_COLLECT_METADATA, packets bring their addresses: `external`
    ignore_df: Int = u8(19)  # IFLA_GRE_IGNORE_DF
    fwmark: Int = u32(20)  # IFLA_GRE_FWMARK
    erspan_index: Int = u32(21)  # IFLA_GRE_ERSPAN_INDEX
    erspan_ver: Int = u8(22)  # IFLA_GRE_ERSPAN_VER
    erspan_dir: Int = u8(23)  # IFLA_GRE_ERSPAN_DIR
    erspan_hwid: Int = u16(24)  # IFLA_GRE_ERSPAN_HWID


class Vti(AttributeSet, lenient=True):
    """The data of links of the kinds "vti" and "vti6" (IFLA_VTI_*)."""

    link: Int = u32(1)  # IFLA_VTI_LINK
    ikey: Int = be32(2)  # IFLA_VTI_IKEY
    okey: Int = be32(3)  # IFLA_VTI_OKEY
    local: IP = ip(4)  # IFLA_VTI_LOCAL
    remote: IP = ip(5)  # IFLA_VTI_REMOTE
    fwmark: Int = u32(6)  # IFLA_VTI_FWMARK


class Xfrm(AttributeSet, lenient=True):
    """The data of a link of the kind "xfrm" (IFLA_XFRM_*)."""

    link: Int = u32(1)  # IFLA_XFRM_LINK
    if_id: Int = u32(2)  # IFLA_XFRM_IF_ID, of the policies and states whose packets are in the tunnel
    collect_metadata: Flag = flag(3)  # IFLA_XFRM_COLLECT_METADATA
