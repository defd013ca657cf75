"""Options of the filter flower: linux/pkt_cls.h."""

from __future__ import annotations

from enum import IntFlag

from netlink.route.tc.actions import Action
from netlink.route.tc.handle import Handle
from netlink.route.tc.kinds import FilterFlags, HandleField, WithHandles, by_handle
from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Int,
    IPv4,
    IPv6,
    Items,
    Member,
    Str,
    array,
    be16,
    be32,
    be64,
    binary,
    ipv4,
    ipv6,
    mac,
    nested,
    repeated,
    string,
    u8,
    u16,
    u32,
)

__all__ = [
    "Flower",
    "FlowerCfm",
    "FlowerCtState",
    "FlowerErspan",
    "FlowerFlags",
    "FlowerGeneve",
    "FlowerGtp",
    "FlowerMplsEntry",
    "FlowerPfcp",
    "FlowerTunnelOptions",
    "FlowerVxlan",
]


class FlowerFlags(IntFlag):
    """What a packet is (TCA_FLOWER_KEY_FLAGS_*)."""

    IS_FRAGMENT = 0x1  # TCA_FLOWER_KEY_FLAGS_IS_FRAGMENT
    FRAG_IS_FIRST = 0x2  # TCA_FLOWER_KEY_FLAGS_FRAG_IS_FIRST
    TUNNEL_CSUM = 0x4  # TCA_FLOWER_KEY_FLAGS_TUNNEL_CSUM
    TUNNEL_DONT_FRAGMENT = 0x8  # TCA_FLOWER_KEY_FLAGS_TUNNEL_DONT_FRAGMENT
    TUNNEL_OAM = 0x10  # TCA_FLOWER_KEY_FLAGS_TUNNEL_OAM
    TUNNEL_CRIT_OPT = 0x20  # TCA_FLOWER_KEY_FLAGS_TUNNEL_CRIT_OPT


class FlowerCtState(IntFlag):
    """The state of a packet in conntrack (TCA_FLOWER_KEY_CT_FLAGS_*)."""

    NEW = 0x1  # TCA_FLOWER_KEY_CT_FLAGS_NEW
    ESTABLISHED = 0x2  # TCA_FLOWER_KEY_CT_FLAGS_ESTABLISHED
    RELATED = 0x4  # TCA_FLOWER_KEY_CT_FLAGS_RELATED
    TRACKED = 0x8  # TCA_FLOWER_KEY_CT_FLAGS_TRACKED
    INVALID = 0x10  # TCA_FLOWER_KEY_CT_FLAGS_INVALID
    REPLY = 0x20  # TCA_FLOWER_KEY_CT_FLAGS_REPLY


class FlowerGeneve(AttributeSet):
    """An option of geneve, or its mask (TCA_FLOWER_KEY_ENC_OPT_GENEVE_*). data: a multiple of 4 bytes."""

    opt_class: Int = be16(1)  # TCA_FLOWER_KEY_ENC_OPT_GENEVE_CLASS
    type: Int = u8(2)  # TCA_FLOWER_KEY_ENC_OPT_GENEVE_TYPE
    data: Bytes = binary(3)  # TCA_FLOWER_KEY_ENC_OPT_GENEVE_DATA


class FlowerVxlan(AttributeSet):
    """The option of vxlan, or its mask (TCA_FLOWER_KEY_ENC_OPT_VXLAN_*)."""

    gbp: Int = u32(1)  # TCA_FLOWER_KEY_ENC_OPT_VXLAN_GBP


class FlowerErspan(AttributeSet):
    """The options of erspan, or their masks (TCA_FLOWER_KEY_ENC_OPT_ERSPAN_*)."""

    ver: Int = u8(1)  # TCA_FLOWER_KEY_ENC_OPT_ERSPAN_VER
    index: Int = be32(2)  # TCA_FLOWER_KEY_ENC_OPT_ERSPAN_INDEX
    dir: Int = u8(3)  # TCA_FLOWER_KEY_ENC_OPT_ERSPAN_DIR
    hwid: Int = u8(4)  # TCA_FLOWER_KEY_ENC_OPT_ERSPAN_HWID


class FlowerGtp(AttributeSet):
    """The options of GTP, or their masks (TCA_FLOWER_KEY_ENC_OPT_GTP_*)."""

    pdu_type: Int = u8(1)  # TCA_FLOWER_KEY_ENC_OPT_GTP_PDU_TYPE
    qfi: Int = u8(2)  # TCA_FLOWER_KEY_ENC_OPT_GTP_QFI


class FlowerPfcp(AttributeSet):
    """The options of PFCP, or their masks (TCA_FLOWER_KEY_ENC_OPT_PFCP_*)."""

    type: Int = u8(1)  # TCA_FLOWER_KEY_ENC_OPT_PFCP_TYPE
    seid: Int = be64(2)  # TCA_FLOWER_KEY_ENC_OPT_PFCP_SEID


class FlowerTunnelOptions(AttributeSet):
    """Options of the tunnel that a packet came by, of one kind, or their masks (TCA_FLOWER_KEY_ENC_OPTS_*)."""

    geneve: Items[FlowerGeneve] = repeated(1, FlowerGeneve)  # TCA_FLOWER_KEY_ENC_OPTS_GENEVE
    vxlan: Field[FlowerVxlan | None] = nested(2, FlowerVxlan)  # TCA_FLOWER_KEY_ENC_OPTS_VXLAN
    erspan: Field[FlowerErspan | None] = nested(3, FlowerErspan)  # TCA_FLOWER_KEY_ENC_OPTS_ERSPAN
    gtp: Field[FlowerGtp | None] = nested(4, FlowerGtp)  # TCA_FLOWER_KEY_ENC_OPTS_GTP
    pfcp: Field[FlowerPfcp | None] = nested(5, FlowerPfcp)  # TCA_FLOWER_KEY_ENC_OPTS_PFCP


class FlowerMplsEntry(AttributeSet):
    """An entry of the label stack (TCA_FLOWER_KEY_MPLS_OPT_LSE_*). depth: its number, from 1 on."""

    depth: Int = u8(1)  # TCA_FLOWER_KEY_MPLS_OPT_LSE_DEPTH
    ttl: Int = u8(2)  # TCA_FLOWER_KEY_MPLS_OPT_LSE_TTL
    bos: Int = u8(3)  # TCA_FLOWER_KEY_MPLS_OPT_LSE_BOS
    tc: Int = u8(4)  # TCA_FLOWER_KEY_MPLS_OPT_LSE_TC
    label: Int = u32(5)  # TCA_FLOWER_KEY_MPLS_OPT_LSE_LABEL


class FlowerCfm(AttributeSet):
    """Connectivity fault management (TCA_FLOWER_KEY_CFM_*)."""

    md_level: Int = u8(1)  # TCA_FLOWER_KEY_CFM_MD_LEVEL
    opcode: Int = u8(2)  # TCA_FLOWER_KEY_CFM_OPCODE


class Flower(WithHandles):
    """Options of flower (TCA_FLOWER_*): it compares fields of packets, each if it is given.

    eth_type: the Ethertype of packets, required for fields of its protocol; the same as `Filter.protocol`. A mask says
    which bits count; without one all do. enc_ fields are of the tunnel that a packet came by; c in cvlan is for the
    inner tag. port_src_min and the next three are ranges. indev: the name of the device that a packet came by. Reports
    have masks also where a request had none.
    """

    classid: HandleField = by_handle(u32(1, enum=Handle))  # TCA_FLOWER_CLASSID
    indev: Str = string(2)  # TCA_FLOWER_INDEV
    actions: Items[Action] = array(3, Action)  # TCA_FLOWER_ACT
    eth_dst: Str = mac(4)  # TCA_FLOWER_KEY_ETH_DST
    eth_dst_mask: Str = mac(5)  # TCA_FLOWER_KEY_ETH_DST_MASK
    eth_src: Str = mac(6)  # TCA_FLOWER_KEY_ETH_SRC
    eth_src_mask: Str = mac(7)  # TCA_FLOWER_KEY_ETH_SRC_MASK
    eth_type: Int = be16(8)  # TCA_FLOWER_KEY_ETH_TYPE
    ip_proto: Int = u8(9)  # TCA_FLOWER_KEY_IP_PROTO
    ipv4_src: IPv4 = ipv4(10)  # TCA_FLOWER_KEY_IPV4_SRC
    ipv4_src_mask: IPv4 = ipv4(11)  # TCA_FLOWER_KEY_IPV4_SRC_MASK
    ipv4_dst: IPv4 = ipv4(12)  # TCA_FLOWER_KEY_IPV4_DST
    ipv4_dst_mask: IPv4 = ipv4(13)  # TCA_FLOWER_KEY_IPV4_DST_MASK
    ipv6_src: IPv6 = ipv6(14)  # TCA_FLOWER_KEY_IPV6_SRC
    ipv6_src_mask: IPv6 = ipv6(15)  # TCA_FLOWER_KEY_IPV6_SRC_MASK
    ipv6_dst: IPv6 = ipv6(16)  # TCA_FLOWER_KEY_IPV6_DST
    ipv6_dst_mask: IPv6 = ipv6(17)  # TCA_FLOWER_KEY_IPV6_DST_MASK
    tcp_src: Int = be16(18)  # TCA_FLOWER_KEY_TCP_SRC
    tcp_dst: Int = be16(19)  # TCA_FLOWER_KEY_TCP_DST
    udp_src: Int = be16(20)  # TCA_FLOWER_KEY_UDP_SRC
    udp_dst: Int = be16(21)  # TCA_FLOWER_KEY_UDP_DST
    flags: Member[FilterFlags] = u32(22, enum=FilterFlags)  # TCA_FLOWER_FLAGS
    vlan_id: Int = u16(23)  # TCA_FLOWER_KEY_VLAN_ID
    vlan_prio: Int = u8(24)  # TCA_FLOWER_KEY_VLAN_PRIO
    vlan_eth_type: Int = be16(25)  # TCA_FLOWER_KEY_VLAN_ETH_TYPE
    enc_key_id: Int = be32(26)  # TCA_FLOWER_KEY_ENC_KEY_ID
    enc_ipv4_src: IPv4 = ipv4(27)  # TCA_FLOWER_KEY_ENC_IPV4_SRC
    enc_ipv4_src_mask: IPv4 = ipv4(28)  # TCA_FLOWER_KEY_ENC_IPV4_SRC_MASK
    enc_ipv4_dst: IPv4 = ipv4(29)  # TCA_FLOWER_KEY_ENC_IPV4_DST
    enc_ipv4_dst_mask: IPv4 = ipv4(30)  # TCA_FLOWER_KEY_ENC_IPV4_DST_MASK
    enc_ipv6_src: IPv6 = ipv6(31)  # TCA_FLOWER_KEY_ENC_IPV6_SRC
    enc_ipv6_src_mask: IPv6 = ipv6(32)  # TCA_FLOWER_KEY_ENC_IPV6_SRC_MASK
    enc_ipv6_dst: IPv6 = ipv6(33)  # TCA_FLOWER_KEY_ENC_IPV6_DST
    enc_ipv6_dst_mask: IPv6 = ipv6(34)  # TCA_FLOWER_KEY_ENC_IPV6_DST_MASK
    tcp_src_mask: Int = be16(35)  # TCA_FLOWER_KEY_TCP_SRC_MASK
    tcp_dst_mask: Int = be16(36)  # TCA_FLOWER_KEY_TCP_DST_MASK
    udp_src_mask: Int = be16(37)  # TCA_FLOWER_KEY_UDP_SRC_MASK
    udp_dst_mask: Int = be16(38)  # TCA_FLOWER_KEY_UDP_DST_MASK
    sctp_src_mask: Int = be16(39)  # TCA_FLOWER_KEY_SCTP_SRC_MASK
    sctp_dst_mask: Int = be16(40)  # TCA_FLOWER_KEY_SCTP_DST_MASK
    sctp_src: Int = be16(41)  # TCA_FLOWER_KEY_SCTP_SRC
    sctp_dst: Int = be16(42)  # TCA_FLOWER_KEY_SCTP_DST
    enc_udp_src_port: Int = be16(43)  # TCA_FLOWER_KEY_ENC_UDP_SRC_PORT
    enc_udp_src_port_mask: Int = be16(44)  # TCA_FLOWER_KEY_ENC_UDP_SRC_PORT_MASK
    enc_udp_dst_port: Int = be16(45)  # TCA_FLOWER_KEY_ENC_UDP_DST_PORT
    enc_udp_dst_port_mask: Int = be16(46)  # TCA_FLOWER_KEY_ENC_UDP_DST_PORT_MASK
    key_flags: Member[FlowerFlags] = be32(47, enum=FlowerFlags)  # TCA_FLOWER_KEY_FLAGS
    key_flags_mask: Member[FlowerFlags] = be32(48, enum=FlowerFlags)  # TCA_FLOWER_KEY_FLAGS_MASK
    icmpv4_code: Int = u8(49)  # TCA_FLOWER_KEY_ICMPV4_CODE
    icmpv4_code_mask: Int = u8(50)  # TCA_FLOWER_KEY_ICMPV4_CODE_MASK
    icmpv4_type: Int = u8(51)  # TCA_FLOWER_KEY_ICMPV4_TYPE
    icmpv4_type_mask: Int = u8(52)  # TCA_FLOWER_KEY_ICMPV4_TYPE_MASK
    icmpv6_code: Int = u8(53)  # TCA_FLOWER_KEY_ICMPV6_CODE
    icmpv6_code_mask: Int = u8(54)  # TCA_FLOWER_KEY_ICMPV6_CODE_MASK
    icmpv6_type: Int = u8(55)  # TCA_FLOWER_KEY_ICMPV6_TYPE
    icmpv6_type_mask: Int = u8(56)  # TCA_FLOWER_KEY_ICMPV6_TYPE_MASK
    arp_sip: IPv4 = ipv4(57)  # TCA_FLOWER_KEY_ARP_SIP
    arp_sip_mask: IPv4 = ipv4(58)  # TCA_FLOWER_KEY_ARP_SIP_MASK
    arp_tip: IPv4 = ipv4(59)  # TCA_FLOWER_KEY_ARP_TIP
    arp_tip_mask: IPv4 = ipv4(60)  # TCA_FLOWER_KEY_ARP_TIP_MASK
    arp_op: Int = u8(61)  # TCA_FLOWER_KEY_ARP_OP
    arp_op_mask: Int = u8(62)  # TCA_FLOWER_KEY_ARP_OP_MASK
    arp_sha: Str = mac(63)  # TCA_FLOWER_KEY_ARP_SHA
    arp_sha_mask: Str = mac(64)  # TCA_FLOWER_KEY_ARP_SHA_MASK
    arp_tha: Str = mac(65)  # TCA_FLOWER_KEY_ARP_THA
    arp_tha_mask: Str = mac(66)  # TCA_FLOWER_KEY_ARP_THA_MASK
    mpls_ttl: Int = u8(67)  # TCA_FLOWER_KEY_MPLS_TTL
    mpls_bos: Int = u8(68)  # TCA_FLOWER_KEY_MPLS_BOS
    mpls_tc: Int = u8(69)  # TCA_FLOWER_KEY_MPLS_TC
    mpls_label: Int = u32(70)  # TCA_FLOWER_KEY_MPLS_LABEL
    tcp_flags: Int = be16(71)  # TCA_FLOWER_KEY_TCP_FLAGS
    tcp_flags_mask: Int = be16(72)  # TCA_FLOWER_KEY_TCP_FLAGS_MASK
    ip_tos: Int = u8(73)  # TCA_FLOWER_KEY_IP_TOS
    ip_tos_mask: Int = u8(74)  # TCA_FLOWER_KEY_IP_TOS_MASK
    ip_ttl: Int = u8(75)  # TCA_FLOWER_KEY_IP_TTL
    ip_ttl_mask: Int = u8(76)  # TCA_FLOWER_KEY_IP_TTL_MASK
    cvlan_id: Int = u16(77)  # TCA_FLOWER_KEY_CVLAN_ID
    cvlan_prio: Int = u8(78)  # TCA_FLOWER_KEY_CVLAN_PRIO
    cvlan_eth_type: Int = be16(79)  # TCA_FLOWER_KEY_CVLAN_ETH_TYPE
    enc_ip_tos: Int = u8(80)  # TCA_FLOWER_KEY_ENC_IP_TOS
    enc_ip_tos_mask: Int = u8(81)  # TCA_FLOWER_KEY_ENC_IP_TOS_MASK
    enc_ip_ttl: Int = u8(82)  # TCA_FLOWER_KEY_ENC_IP_TTL
    enc_ip_ttl_mask: Int = u8(83)  # TCA_FLOWER_KEY_ENC_IP_TTL_MASK
    enc_opts: Field[FlowerTunnelOptions | None] = nested(84, FlowerTunnelOptions)  # TCA_FLOWER_KEY_ENC_OPTS
    enc_opts_mask: Field[FlowerTunnelOptions | None] = nested(85, FlowerTunnelOptions)  # TCA_FLOWER_KEY_ENC_OPTS_MASK
    in_hw_count: Int = u32(86)  # TCA_FLOWER_IN_HW_COUNT
    port_src_min: Int = be16(87)  # TCA_FLOWER_KEY_PORT_SRC_MIN
    port_src_max: Int = be16(88)  # TCA_FLOWER_KEY_PORT_SRC_MAX
    port_dst_min: Int = be16(89)  # TCA_FLOWER_KEY_PORT_DST_MIN
    port_dst_max: Int = be16(90)  # TCA_FLOWER_KEY_PORT_DST_MAX
    ct_state: Member[FlowerCtState] = u16(91, enum=FlowerCtState)  # TCA_FLOWER_KEY_CT_STATE
    ct_state_mask: Member[FlowerCtState] = u16(92, enum=FlowerCtState)  # TCA_FLOWER_KEY_CT_STATE_MASK
    ct_zone: Int = u16(93)  # TCA_FLOWER_KEY_CT_ZONE
    ct_zone_mask: Int = u16(94)  # TCA_FLOWER_KEY_CT_ZONE_MASK
    ct_mark: Int = u32(95)  # TCA_FLOWER_KEY_CT_MARK
    ct_mark_mask: Int = u32(96)  # TCA_FLOWER_KEY_CT_MARK_MASK
    ct_labels: Bytes = binary(97)  # TCA_FLOWER_KEY_CT_LABELS
    ct_labels_mask: Bytes = binary(98)  # TCA_FLOWER_KEY_CT_LABELS_MASK
    mpls_opts: Items[FlowerMplsEntry] = repeated(
        (99, 1), FlowerMplsEntry
    )  # TCA_FLOWER_KEY_MPLS_OPTS, TCA_FLOWER_KEY_MPLS_OPTS_LSE
    hash: Int = u32(100)  # TCA_FLOWER_KEY_HASH
    hash_mask: Int = u32(101)  # TCA_FLOWER_KEY_HASH_MASK
    num_of_vlans: Int = u8(102)  # TCA_FLOWER_KEY_NUM_OF_VLANS
    pppoe_sid: Int = be16(103)  # TCA_FLOWER_KEY_PPPOE_SID
    ppp_proto: Int = be16(104)  # TCA_FLOWER_KEY_PPP_PROTO
    l2tpv3_sid: Int = be32(105)  # TCA_FLOWER_KEY_L2TPV3_SID
    l2_miss: Int = u8(106)  # TCA_FLOWER_L2_MISS
    cfm: Field[FlowerCfm | None] = nested(107, FlowerCfm)  # TCA_FLOWER_KEY_CFM
    spi: Int = be32(108)  # TCA_FLOWER_KEY_SPI
    spi_mask: Int = be32(109)  # TCA_FLOWER_KEY_SPI_MASK
    enc_flags: Member[FlowerFlags] = be32(110, enum=FlowerFlags)  # TCA_FLOWER_KEY_ENC_FLAGS
    enc_flags_mask: Member[FlowerFlags] = be32(111, enum=FlowerFlags)  # TCA_FLOWER_KEY_ENC_FLAGS_MASK
