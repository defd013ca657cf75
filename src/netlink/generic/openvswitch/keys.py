"""Keys of flows, and their masks: linux/openvswitch.h."""

from __future__ import annotations

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
    be16,
    be32,
    be64,
    binary,
    flag,
    ip,
    ipv4,
    ipv6,
    mac,
    nested,
    packed,
    struct,
    u8,
    u16,
    u32,
)

__all__ = [
    "ARPKey",
    "ConntrackState",
    "EtherType",
    "EthernetKey",
    "FragType",
    "ICMPKey",
    "IPv4Key",
    "IPv6ExtensionHeaders",
    "IPv6Key",
    "Key",
    "MaskedKey",
    "MaskedNSHKey",
    "NDKey",
    "NSHBase",
    "NSHContext",
    "NSHKey",
    "PortsKey",
    "TunnelKey",
    "TupleIPv4",
    "TupleIPv6",
    "VXLANOptions",
]


class EtherType(IntEnum):
    """What a packet of Ethernet has inside, linux/if_ether.h (ETH_P_*)."""

    IP = 0x0800  # ETH_P_IP
    ARP = 0x0806  # ETH_P_ARP
    RARP = 0x8035  # ETH_P_RARP
    VLAN = 0x8100  # ETH_P_8021Q
    QINQ = 0x88A8  # ETH_P_8021AD, a tag of VLAN and another one inside
    IPV6 = 0x86DD  # ETH_P_IPV6
    MPLS_UC = 0x8847  # ETH_P_MPLS_UC
    MPLS_MC = 0x8848  # ETH_P_MPLS_MC
    NSH = 0x894F  # ETH_P_NSH


class FragType(IntEnum):
    """Fragments of an IP packet (OVS_FRAG_TYPE_*)."""

    NONE = 0  # OVS_FRAG_TYPE_NONE, no fragment
    FIRST = 1  # OVS_FRAG_TYPE_FIRST, at offset 0
    LATER = 2  # OVS_FRAG_TYPE_LATER, the others: they have no ports


class ConntrackState(IntFlag):
    """What conntrack has found out about a packet (OVS_CS_F_*)."""

    NEW = 0x01  # OVS_CS_F_NEW, of a new connection
    ESTABLISHED = 0x02  # OVS_CS_F_ESTABLISHED
    RELATED = 0x04  # OVS_CS_F_RELATED
    REPLY_DIR = 0x08  # OVS_CS_F_REPLY_DIR, in the direction of replies
    INVALID = 0x10  # OVS_CS_F_INVALID, of no connection that can be tracked
    TRACKED = 0x20  # OVS_CS_F_TRACKED, conntrack has seen it
    SRC_NAT = 0x40  # OVS_CS_F_SRC_NAT, its source was translated
    DST_NAT = 0x80  # OVS_CS_F_DST_NAT, its destination was translated


class EthernetKey(Struct):
    """Addresses of Ethernet (struct ovs_key_ethernet)."""

    src: Str = mac()
    dst: Str = mac()


class IPv4Key(Struct):
    """A header of IPv4 (struct ovs_key_ipv4). proto: such as IPPROTO_TCP."""

    src: IPv4 = ipv4()
    dst: IPv4 = ipv4()
    proto: Int = u8()
    tos: Int = u8()
    ttl: Int = u8()
    frag: Member[FragType] = u8(enum=FragType)


class IPv6Key(Struct):
    """A header of IPv6 (struct ovs_key_ipv6). label: of the flow, 20 bits. proto: that behind the extension headers."""

    src: IPv6 = ipv6()
    dst: IPv6 = ipv6()
    label: Int = be32()
    proto: Int = u8()
    tclass: Int = u8()
    hlimit: Int = u8()
    frag: Member[FragType] = u8(enum=FragType)


class IPv6ExtensionHeaders(IntFlag):
    """Extension headers of a packet of IPv6, as the kernel finds them (struct ovs_key_ipv6_exthdrs)."""

    NONEXT = 0x01
    AUTH = 0x02
    DEST = 0x04
    ESP = 0x08
    FRAG = 0x10
    HOP = 0x20
    ROUTER = 0x40
    UNREP = 0x80  # one of them several times
    UNSEQ = 0x100  # not in the order that RFC 8200 recommends


class PortsKey(Struct):
    """Ports of TCP, UDP or SCTP (struct ovs_key_tcp, ovs_key_udp, ovs_key_sctp)."""

    src: Int = be16()
    dst: Int = be16()


class ICMPKey(Struct):
    """A message of ICMP or ICMPv6 (struct ovs_key_icmp, ovs_key_icmpv6)."""

    type: Int = u8()
    code: Int = u8()


class ARPKey(Struct, aligned=True):
    """A packet of ARP (struct ovs_key_arp): addresses of sender and target; op: 1 for a request, 2 for a reply."""

    sip: IPv4 = ipv4()
    tip: IPv4 = ipv4()
    op: Int = be16()
    sha: Str = mac()
    tha: Str = mac()


class NDKey(Struct):
    """A neighbour solicitation or advertisement (struct ovs_key_nd). sll, tll: options; all zero for none."""

    target: IPv6 = ipv6()
    sll: Str = mac()
    tll: Str = mac()


class TupleIPv4(Struct, aligned=True):
    """A connection in its original direction (struct ovs_key_ct_tuple_ipv4)."""

    src: IPv4 = ipv4()
    dst: IPv4 = ipv4()
    src_port: Int = be16()
    dst_port: Int = be16()
    proto: Int = u8()


class TupleIPv6(Struct, aligned=True):
    """A connection in its original direction (struct ovs_key_ct_tuple_ipv6)."""

    src: IPv6 = ipv6()
    dst: IPv6 = ipv6()
    src_port: Int = be16()
    dst_port: Int = be16()
    proto: Int = u8()


class NSHBase(Struct):
    """The first words of a network service header (struct ovs_nsh_key_base).

    mdtype: 1 for `NSHKey.md1`, 2 for `NSHKey.md2`. np: the next protocol. path_hdr: 24 bits of the path, 8 of the
    index.
    """

    flags: Int = u8()
    ttl: Int = u8()
    mdtype: Int = u8()
    np: Int = u8()
    path_hdr: Int = be32()


class NSHContext(Struct):
    """Metadata of type 1 (struct ovs_nsh_key_md1)."""

    c1: Int = be32()
    c2: Int = be32()
    c3: Int = be32()
    c4: Int = be32()


class NSHKey(AttributeSet):
    """A network service header (OVS_NSH_KEY_ATTR_*)."""

    base: Field[NSHBase | None] = struct(1, NSHBase)  # OVS_NSH_KEY_ATTR_BASE
    md1: Field[NSHContext | None] = struct(2, NSHContext)  # OVS_NSH_KEY_ATTR_MD1
    md2: Bytes = binary(3)  # OVS_NSH_KEY_ATTR_MD2


class VXLANOptions(AttributeSet):
    """Options of VXLAN in a packet (OVS_VXLAN_EXT_*). gbp: the group policy."""

    gbp: Int = u32(1)  # OVS_VXLAN_EXT_GBP


class TunnelKey(AttributeSet, ignore=(14,)):  # OVS_TUNNEL_KEY_ATTR_PAD
    """The tunnel that a packet came by, or goes to (OVS_TUNNEL_KEY_ATTR_*).

    id: of the tunnel, such as a VNI. geneve_opts: options of Geneve as in the packet. erspan_opts: struct
    erspan_metadata. ipv4_info_bridge: the packet goes to the device as a bridge's would, without a destination.
    """

    id: Int = be64(0)  # OVS_TUNNEL_KEY_ATTR_ID
    src: IP = ip(1, 12)  # OVS_TUNNEL_KEY_ATTR_IPV4_SRC, OVS_TUNNEL_KEY_ATTR_IPV6_SRC
    dst: IP = ip(2, 13)  # OVS_TUNNEL_KEY_ATTR_IPV4_DST, OVS_TUNNEL_KEY_ATTR_IPV6_DST
    tos: Int = u8(3)  # OVS_TUNNEL_KEY_ATTR_TOS
    ttl: Int = u8(4)  # OVS_TUNNEL_KEY_ATTR_TTL
    dont_fragment: Flag = flag(5)  # OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT
    csum: Flag = flag(6)  # OVS_TUNNEL_KEY_ATTR_CSUM
    oam: Flag = flag(7)  # OVS_TUNNEL_KEY_ATTR_OAM
    geneve_opts: Bytes = binary(8)  # OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS
    tp_src: Int = be16(9)  # OVS_TUNNEL_KEY_ATTR_TP_SRC
    tp_dst: Int = be16(10)  # OVS_TUNNEL_KEY_ATTR_TP_DST
    vxlan_opts: Field[VXLANOptions | None] = nested(11, VXLANOptions)  # OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS
    erspan_opts: Bytes = binary(15)  # OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS
    ipv4_info_bridge: Flag = flag(16)  # OVS_TUNNEL_KEY_ATTR_IPV4_INFO_BRIDGE


class Key(AttributeSet):
    """What a flow matches, and what a packet has (OVS_KEY_ATTR_*); as a mask, the bits of it that count.

    priority, skb_mark: of the packet in the kernel. in_port: the number of the port that it came from. vlan: the TCI,
    with the bit 0x1000; 0 for none. encap: what is behind that tag. ethertype: of Ethernet; without it, for packets of
    802.3 that have none. tcp_flags: 12 bits. tunnel: that it came by. recirc_id: of the action that sent it back.
    dp_hash: that of the action `hash`. mpls: label stack entries, outermost first. ct_state, ct_zone, ct_mark,
    ct_labels, ct_orig_tuple_ipv4, ct_orig_tuple_ipv6: of the action `ct`; the labels have 16 bytes.
    """

    encap: Field[Key | None] = nested(1, lambda: Key)  # OVS_KEY_ATTR_ENCAP
    priority: Int = u32(2)  # OVS_KEY_ATTR_PRIORITY
    in_port: Int = u32(3)  # OVS_KEY_ATTR_IN_PORT
    ethernet: Field[EthernetKey | None] = struct(4, EthernetKey)  # OVS_KEY_ATTR_ETHERNET
    vlan: Int = be16(5)  # OVS_KEY_ATTR_VLAN
    ethertype: Member[EtherType] = be16(6, enum=EtherType)  # OVS_KEY_ATTR_ETHERTYPE
    ipv4: Field[IPv4Key | None] = struct(7, IPv4Key)  # OVS_KEY_ATTR_IPV4
    ipv6: Field[IPv6Key | None] = struct(8, IPv6Key)  # OVS_KEY_ATTR_IPV6
    tcp: Field[PortsKey | None] = struct(9, PortsKey)  # OVS_KEY_ATTR_TCP
    udp: Field[PortsKey | None] = struct(10, PortsKey)  # OVS_KEY_ATTR_UDP
    icmp: Field[ICMPKey | None] = struct(11, ICMPKey)  # OVS_KEY_ATTR_ICMP
    icmpv6: Field[ICMPKey | None] = struct(12, ICMPKey)  # OVS_KEY_ATTR_ICMPV6
    arp: Field[ARPKey | None] = struct(13, ARPKey)  # OVS_KEY_ATTR_ARP
    nd: Field[NDKey | None] = struct(14, NDKey)  # OVS_KEY_ATTR_ND
    skb_mark: Int = u32(15)  # OVS_KEY_ATTR_SKB_MARK
    tunnel: Field[TunnelKey | None] = nested(16, TunnelKey, rare=True)  # OVS_KEY_ATTR_TUNNEL
    sctp: Field[PortsKey | None] = struct(17, PortsKey)  # OVS_KEY_ATTR_SCTP
    tcp_flags: Int = be16(18)  # OVS_KEY_ATTR_TCP_FLAGS
    dp_hash: Int = u32(19)  # OVS_KEY_ATTR_DP_HASH
    recirc_id: Int = u32(20)  # OVS_KEY_ATTR_RECIRC_ID
    mpls: Items[int] = packed(21, be32)  # OVS_KEY_ATTR_MPLS
    ct_state: Member[ConntrackState] = u32(22, enum=ConntrackState)  # OVS_KEY_ATTR_CT_STATE
    ct_zone: Int = u16(23)  # OVS_KEY_ATTR_CT_ZONE
    ct_mark: Int = u32(24)  # OVS_KEY_ATTR_CT_MARK
    ct_labels: Bytes = binary(25, size=16)  # OVS_KEY_ATTR_CT_LABELS
    ct_orig_tuple_ipv4: Field[TupleIPv4 | None] = struct(26, TupleIPv4)  # OVS_KEY_ATTR_CT_ORIG_TUPLE_IPV4
    ct_orig_tuple_ipv6: Field[TupleIPv6 | None] = struct(27, TupleIPv6)  # OVS_KEY_ATTR_CT_ORIG_TUPLE_IPV6
    nsh: Field[NSHKey | None] = nested(28, NSHKey, rare=True)  # OVS_KEY_ATTR_NSH
    ipv6_exthdrs: Member[IPv6ExtensionHeaders] = u16(32, enum=IPv6ExtensionHeaders)  # OVS_KEY_ATTR_IPV6_EXTHDRS


class MaskedNSHKey(AttributeSet):
    """A network service header in `MaskedKey`: each field has its value and its mask."""

    base: Items[NSHBase] = packed(1, NSHBase)  # OVS_NSH_KEY_ATTR_BASE
    md1: Items[NSHContext] = packed(2, NSHContext)  # OVS_NSH_KEY_ATTR_MD1


class MaskedKey(AttributeSet):
    """What the action `set_masked` changes: one field, with two items: the value and the mask.

    Bits of the value that the mask does not have must be 0.
    """

    priority: Items[int] = packed(2, u32)  # OVS_KEY_ATTR_PRIORITY
    ethernet: Items[EthernetKey] = packed(4, EthernetKey)  # OVS_KEY_ATTR_ETHERNET
    ipv4: Items[IPv4Key] = packed(7, IPv4Key)  # OVS_KEY_ATTR_IPV4
    ipv6: Items[IPv6Key] = packed(8, IPv6Key)  # OVS_KEY_ATTR_IPV6
    tcp: Items[PortsKey] = packed(9, PortsKey)  # OVS_KEY_ATTR_TCP
    udp: Items[PortsKey] = packed(10, PortsKey)  # OVS_KEY_ATTR_UDP
    skb_mark: Items[int] = packed(15, u32)  # OVS_KEY_ATTR_SKB_MARK
    sctp: Items[PortsKey] = packed(17, PortsKey)  # OVS_KEY_ATTR_SCTP
    mpls: Items[int] = packed(21, be32)  # OVS_KEY_ATTR_MPLS
    nsh: Field[MaskedNSHKey | None] = nested(28, MaskedNSHKey)  # OVS_KEY_ATTR_NSH
