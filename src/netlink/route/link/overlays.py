"""Tunnels over UDP: linux/if_link.h, linux/amt.h."""

from __future__ import annotations

from enum import IntEnum

from netlink.schema import (
    IP,
    AttributeSet,
    Bytes,
    Field,
    Flag,
    Int,
    IPv4,
    Member,
    Struct,
    be16,
    be32,
    binary,
    flag,
    ip,
    ipv4,
    struct,
    u8,
    u16,
    u32,
)

__all__ = [
    "Amt",
    "AmtMode",
    "Bareudp",
    "Geneve",
    "Gtp",
    "GtpRole",
    "TunnelDF",
    "TunnelPortRange",
    "Vxlan",
    "VxlanLabelPolicy",
]


class TunnelDF(IntEnum):
    """Whether packets of the tunnel may be fragmented (VXLAN_DF_*, GENEVE_DF_*)."""

    UNSET = 0  # VXLAN_DF_UNSET
    SET = 1  # VXLAN_DF_SET
    INHERIT = 2  # VXLAN_DF_INHERIT, as the packet inside


class VxlanLabelPolicy(IntEnum):
    """Where the flow label comes from (VXLAN_LABEL_*)."""

    FIXED = 0  # VXLAN_LABEL_FIXED
    INHERIT = 1  # VXLAN_LABEL_INHERIT


class TunnelPortRange(Struct):
    """struct ifla_vxlan_port_range: UDP source ports."""

    low: Int = be16()
    high: Int = be16()


class Vxlan(AttributeSet, lenient=True):
    """The data of a link of the kind "vxlan" (IFLA_VXLAN_*). Numbers without a comment are 1 for on and 0 for off."""

    id: Int = u32(1)  # IFLA_VXLAN_ID, the VNI, 24 bits
    group: IP = ip(2, 16)  # IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6, the multicast group, or the remote address
    link: Int = u32(3)  # IFLA_VXLAN_LINK, the index of the link that packets leave by
    local: IP = ip(4, 17)  # IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6
    ttl: Int = u8(5)  # IFLA_VXLAN_TTL
    tos: Int = u8(6)  # IFLA_VXLAN_TOS
    learning: Int = u8(7)  # IFLA_VXLAN_LEARNING
    ageing: Int = u32(8)  # IFLA_VXLAN_AGEING, seconds
    limit: Int = u32(9)  # IFLA_VXLAN_LIMIT, of learned addresses, 0 for none
    port_range: Field[TunnelPortRange | None] = struct(10, TunnelPortRange)  # IFLA_VXLAN_PORT_RANGE
    proxy: Int = u8(11)  # IFLA_VXLAN_PROXY
    rsc: Int = u8(12)  # IFLA_VXLAN_RSC
    l2miss: Int = u8(13)  # IFLA_VXLAN_L2MISS
    l3miss: Int = u8(14)  # IFLA_VXLAN_L3MISS
    port: Int = be16(15)  # IFLA_VXLAN_PORT, the UDP destination port
    udp_csum: Int = u8(18)  # IFLA_VXLAN_UDP_CSUM
    udp_zero_csum6_tx: Int = u8(19)  # IFLA_VXLAN_UDP_ZERO_CSUM6_TX
    udp_zero_csum6_rx: Int = u8(20)  # IFLA_VXLAN_UDP_ZERO_CSUM6_RX
    remcsum_tx: Int = u8(21)  # IFLA_VXLAN_REMCSUM_TX
    remcsum_rx: Int = u8(22)  # IFLA_VXLAN_REMCSUM_RX
    gbp: Flag = flag(23)  # IFLA_VXLAN_GBP
    remcsum_nopartial: Flag = flag(24)  # IFLA_VXLAN_REMCSUM_NOPARTIAL
    collect_metadata: Int = u8(25)  # IFLA_VXLAN_COLLECT_METADATA, packets bring their VNI and addresses: `external`
    label: Int = be32(26)  # IFLA_VXLAN_LABEL
    gpe: Flag = flag(27)  # IFLA_VXLAN_GPE
    ttl_inherit: Bytes = binary(28)  # IFLA_VXLAN_TTL_INHERIT, b"" in a request, a byte 0 or 1 in replies
    df: Member[TunnelDF] = u8(29, enum=TunnelDF)  # IFLA_VXLAN_DF
    vnifilter: Int = u8(30)  # IFLA_VXLAN_VNIFILTER
    localbypass: Int = u8(31)  # IFLA_VXLAN_LOCALBYPASS
    label_policy: Member[VxlanLabelPolicy] = u32(32, enum=VxlanLabelPolicy)  # IFLA_VXLAN_LABEL_POLICY
    reserved_bits: Bytes = binary(33, size=8)  # IFLA_VXLAN_RESERVED_BITS
    mc_route: Int = u8(34)  # IFLA_VXLAN_MC_ROUTE


class Geneve(AttributeSet, lenient=True):
    """The data of a link of the kind "geneve" (IFLA_GENEVE_*)."""

    id: Int = u32(1)  # IFLA_GENEVE_ID, the VNI, 24 bits
    remote: IP = ip(2, 7)  # IFLA_GENEVE_REMOTE, IFLA_GENEVE_REMOTE6
    ttl: Int = u8(3)  # IFLA_GENEVE_TTL
    tos: Int = u8(4)  # IFLA_GENEVE_TOS
    port: Int = be16(5)  # IFLA_GENEVE_PORT, the UDP destination port
    collect_metadata: Flag = flag(6)  # IFLA_GENEVE_COLLECT_METADATA, packets bring their VNI and addresses: `external`
    udp_csum: Int = u8(8)  # IFLA_GENEVE_UDP_CSUM
    udp_zero_csum6_tx: Int = u8(9)  # IFLA_GENEVE_UDP_ZERO_CSUM6_TX
    udp_zero_csum6_rx: Int = u8(10)  # IFLA_GENEVE_UDP_ZERO_CSUM6_RX
    label: Int = be32(11)  # IFLA_GENEVE_LABEL
    ttl_inherit: Int = u8(12)  # IFLA_GENEVE_TTL_INHERIT
    df: Member[TunnelDF] = u8(13, enum=TunnelDF)  # IFLA_GENEVE_DF
    inner_proto_inherit: Flag = flag(14)  # IFLA_GENEVE_INNER_PROTO_INHERIT
    port_range: Field[TunnelPortRange | None] = struct(15, TunnelPortRange)  # IFLA_GENEVE_PORT_RANGE


class Bareudp(AttributeSet, lenient=True):
    """The data of a link of the kind "bareudp" (IFLA_BAREUDP_*)."""

    port: Int = be16(1)  # IFLA_BAREUDP_PORT, the UDP destination port
    ethertype: Int = be16(2)  # IFLA_BAREUDP_ETHERTYPE, of the packets inside
    srcport_min: Int = u16(3)  # IFLA_BAREUDP_SRCPORT_MIN
    multiproto_mode: Flag = flag(4)  # IFLA_BAREUDP_MULTIPROTO_MODE


class AmtMode(IntEnum):
    """Sides of automatic multicast tunnels (AMT_MODE_*)."""

    GATEWAY = 0  # AMT_MODE_GATEWAY
    RELAY = 1  # AMT_MODE_RELAY


class Amt(AttributeSet, lenient=True):
    """The data of a link of the kind "amt" (IFLA_AMT_*): automatic multicast tunnels, RFC 7450."""

    mode: Member[AmtMode] = u32(1, enum=AmtMode)  # IFLA_AMT_MODE
    relay_port: Int = be16(2)  # IFLA_AMT_RELAY_PORT
    gateway_port: Int = be16(3)  # IFLA_AMT_GATEWAY_PORT
    link: Int = u32(4)  # IFLA_AMT_LINK, the index of the link that packets leave by
    local_ip: IPv4 = ipv4(5)  # IFLA_AMT_LOCAL_IP
    remote_ip: IPv4 = ipv4(6)  # IFLA_AMT_REMOTE_IP
    discovery_ip: IPv4 = ipv4(7)  # IFLA_AMT_DISCOVERY_IP
    max_tunnels: Int = u32(8)  # IFLA_AMT_MAX_TUNNELS


class GtpRole(IntEnum):
    """Sides of GTP (GTP_ROLE_*)."""

    GGSN = 0  # GTP_ROLE_GGSN
    SGSN = 1  # GTP_ROLE_SGSN


class Gtp(AttributeSet, lenient=True):
    """The data of a link of the kind "gtp" (IFLA_GTP_*). The kernel reports role and restart_count."""

    fd0: Int = u32(1)  # IFLA_GTP_FD0, a UDP socket of version 0
    fd1: Int = u32(2)  # IFLA_GTP_FD1, a UDP socket of version 1
    pdp_hashsize: Int = u32(3)  # IFLA_GTP_PDP_HASHSIZE
    role: Member[GtpRole] = u32(4, enum=GtpRole)  # IFLA_GTP_ROLE
    create_sockets: Int = u8(5)  # IFLA_GTP_CREATE_SOCKETS, 1: the kernel makes the sockets
    restart_count: Int = u8(6)  # IFLA_GTP_RESTART_COUNT
    local: IP = ip(7, 8)  # IFLA_GTP_LOCAL, IFLA_GTP_LOCAL6
