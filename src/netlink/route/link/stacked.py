"""Links over other links, and those with a property or two: linux/if_link.h, linux/if_vlan.h and kin."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.schema import (
    AttributeSet,
    Field,
    Int,
    Items,
    Member,
    Str,
    Struct,
    be16,
    be64,
    mac,
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
    "Batadv",
    "Dsa",
    "Hsr",
    "HsrProtocol",
    "IPoIB",
    "IPoIBMode",
    "IPvlan",
    "IPvlanFlags",
    "IPvlanMode",
    "Macsec",
    "MacsecOffload",
    "MacsecValidation",
    "Macvlan",
    "MacvlanFlags",
    "MacvlanMode",
    "MacvlanSources",
    "Ovpn",
    "Ppp",
    "Rmnet",
    "RmnetFlags",
    "RmnetFlagsMask",
    "Tun",
    "TunType",
    "Vlan",
    "VlanFlags",
    "VlanFlagsMask",
    "VlanProtocol",
    "VlanQos",
    "Vrf",
    "VrfPort",
    "Wwan",
]


class VlanProtocol(IntEnum):
    """EtherTypes of vlan tags (ETH_P_*, linux/if_ether.h)."""

    Q = 0x8100  # ETH_P_8021Q
    AD = 0x88A8  # ETH_P_8021AD, the outer tag of two


class VlanFlags(IntFlag):
    """Flags of a vlan link (VLAN_FLAG_*)."""

    REORDER_HDR = 0x1  # VLAN_FLAG_REORDER_HDR
    GVRP = 0x2  # VLAN_FLAG_GVRP
    LOOSE_BINDING = 0x4  # VLAN_FLAG_LOOSE_BINDING, its state does not follow that of the link below
    MVRP = 0x8  # VLAN_FLAG_MVRP
    BRIDGE_BINDING = 0x10  # VLAN_FLAG_BRIDGE_BINDING, its state follows the ports of the bridge that are in the vlan


class VlanFlagsMask(Struct):
    """struct ifla_vlan_flags: flags, and the mask of those that a request changes."""

    flags: Member[VlanFlags] = u32(enum=VlanFlags)
    mask: Member[VlanFlags] = u32(enum=VlanFlags)


class VlanQos(Struct):
    """struct ifla_vlan_qos_mapping: from a priority of packets to one of tags, or back."""

    source: Int = u32()
    target: Int = u32()


class Vlan(AttributeSet, lenient=True):
    """The data of a link of the kind "vlan" (IFLA_VLAN_*)."""

    id: Int = u16(1)  # IFLA_VLAN_ID
    flags: Field[VlanFlagsMask | None] = struct(2, VlanFlagsMask)  # IFLA_VLAN_FLAGS
    egress_qos: Items[VlanQos] = repeated((3, 1), VlanQos)  # IFLA_VLAN_EGRESS_QOS, IFLA_VLAN_QOS_MAPPING
    ingress_qos: Items[VlanQos] = repeated((4, 1), VlanQos)  # IFLA_VLAN_INGRESS_QOS, IFLA_VLAN_QOS_MAPPING
    protocol: Member[VlanProtocol] = be16(5, enum=VlanProtocol)  # IFLA_VLAN_PROTOCOL


class MacvlanMode(IntFlag):
    """What links of one link below see of each other (MACVLAN_MODE_*)."""

    PRIVATE = 0x1  # MACVLAN_MODE_PRIVATE
    VEPA = 0x2  # MACVLAN_MODE_VEPA
    BRIDGE = 0x4  # MACVLAN_MODE_BRIDGE
    PASSTHRU = 0x8  # MACVLAN_MODE_PASSTHRU
    SOURCE = 0x10  # MACVLAN_MODE_SOURCE, packets of the source addresses in its list


class MacvlanFlags(IntFlag):
    """Flags of a macvlan link (MACVLAN_FLAG_*)."""

    NOPROMISC = 0x1  # MACVLAN_FLAG_NOPROMISC
    NODST = 0x2  # MACVLAN_FLAG_NODST


class MacvlanSources(IntEnum):
    """What a request does with the list of source addresses (MACVLAN_MACADDR_*)."""

    ADD = 0  # MACVLAN_MACADDR_ADD
    DEL = 1  # MACVLAN_MACADDR_DEL
    FLUSH = 2  # MACVLAN_MACADDR_FLUSH
    SET = 3  # MACVLAN_MACADDR_SET


class Macvlan(AttributeSet, lenient=True):
    """The data of links of the kinds "macvlan" and "macvtap" (IFLA_MACVLAN_*)."""

    mode: Member[MacvlanMode] = u32(1, enum=MacvlanMode)  # IFLA_MACVLAN_MODE
    flags: Member[MacvlanFlags] = u16(2, enum=MacvlanFlags)  # IFLA_MACVLAN_FLAGS
    macaddr_mode: Member[MacvlanSources] = u32(3, enum=MacvlanSources)  # IFLA_MACVLAN_MACADDR_MODE
    macaddr: Str = mac(4)  # IFLA_MACVLAN_MACADDR, one source address, for ADD and DEL
    macaddr_data: Items[str] = repeated((5, 4), mac)  # IFLA_MACVLAN_MACADDR_DATA, IFLA_MACVLAN_MACADDR
    macaddr_count: Int = u32(6)  # IFLA_MACVLAN_MACADDR_COUNT
    bc_queue_len: Int = u32(7)  # IFLA_MACVLAN_BC_QUEUE_LEN
    bc_queue_len_used: Int = u32(8)  # IFLA_MACVLAN_BC_QUEUE_LEN_USED
    bc_cutoff: Int = s32(9)  # IFLA_MACVLAN_BC_CUTOFF


class IPvlanMode(IntEnum):
    """At which layer an ipvlan link works (IPVLAN_MODE_*)."""

    L2 = 0  # IPVLAN_MODE_L2
    L3 = 1  # IPVLAN_MODE_L3
    L3S = 2  # IPVLAN_MODE_L3S


class IPvlanFlags(IntFlag):
    """Flags of an ipvlan link (IPVLAN_F_*)."""

    PRIVATE = 0x1  # IPVLAN_F_PRIVATE
    VEPA = 0x2  # IPVLAN_F_VEPA


class IPvlan(AttributeSet, lenient=True):
    """The data of links of the kinds "ipvlan" and "ipvtap" (IFLA_IPVLAN_*)."""

    mode: Member[IPvlanMode] = u16(1, enum=IPvlanMode)  # IFLA_IPVLAN_MODE
    flags: Member[IPvlanFlags] = u16(2, enum=IPvlanFlags)  # IFLA_IPVLAN_FLAGS


class Vrf(AttributeSet, lenient=True):
    """The data of a link of the kind "vrf" (IFLA_VRF_*)."""

    table: Int = u32(1)  # IFLA_VRF_TABLE, the number of the routing table


class VrfPort(AttributeSet, lenient=True):
    """What a vrf keeps for a link in it (IFLA_VRF_PORT_*): `Link.port_data`."""

    table: Int = u32(1)  # IFLA_VRF_PORT_TABLE


class MacsecValidation(IntEnum):
    """What happens to frames that are not valid (MACSEC_VALIDATE_*)."""

    DISABLED = 0  # MACSEC_VALIDATE_DISABLED
    CHECK = 1  # MACSEC_VALIDATE_CHECK, they are counted
    STRICT = 2  # MACSEC_VALIDATE_STRICT, they are dropped


class MacsecOffload(IntEnum):
    """Where frames are encrypted (MACSEC_OFFLOAD_*)."""

    OFF = 0  # MACSEC_OFFLOAD_OFF
    PHY = 1  # MACSEC_OFFLOAD_PHY
    MAC = 2  # MACSEC_OFFLOAD_MAC


class Macsec(AttributeSet, lenient=True, ignore=(14,)):
    """The data of a link of the kind "macsec" (IFLA_MACSEC_*). Numbers without a comment are 1 for on and 0 for off."""

    sci: Int = be64(1)  # IFLA_MACSEC_SCI, the secure channel: 6 bytes of an address and 2 of a port
    port: Int = be16(2)  # IFLA_MACSEC_PORT
    icv_len: Int = u8(3)  # IFLA_MACSEC_ICV_LEN
    cipher_suite: Int = u64(4)  # IFLA_MACSEC_CIPHER_SUITE, MACSEC_CIPHER_ID_*
    window: Int = u32(5)  # IFLA_MACSEC_WINDOW
    encoding_sa: Int = u8(6)  # IFLA_MACSEC_ENCODING_SA, the number of the association that sends
    encrypt: Int = u8(7)  # IFLA_MACSEC_ENCRYPT
    protect: Int = u8(8)  # IFLA_MACSEC_PROTECT
    inc_sci: Int = u8(9)  # IFLA_MACSEC_INC_SCI
    es: Int = u8(10)  # IFLA_MACSEC_ES
    scb: Int = u8(11)  # IFLA_MACSEC_SCB
    replay_protect: Int = u8(12)  # IFLA_MACSEC_REPLAY_PROTECT
    validation: Member[MacsecValidation] = u8(13, enum=MacsecValidation)  # IFLA_MACSEC_VALIDATION
    offload: Member[MacsecOffload] = u8(15, enum=MacsecOffload)  # IFLA_MACSEC_OFFLOAD


class HsrProtocol(IntEnum):
    """Protocols of redundancy (HSR_PROTOCOL_*)."""

    HSR = 0  # HSR_PROTOCOL_HSR
    PRP = 1  # HSR_PROTOCOL_PRP


class Hsr(AttributeSet, lenient=True):
    """The data of a link of the kind "hsr" (IFLA_HSR_*). slave1, slave2, interlink: indexes of links."""

    slave1: Int = u32(1)  # IFLA_HSR_SLAVE1
    slave2: Int = u32(2)  # IFLA_HSR_SLAVE2
    multicast_spec: Int = u8(3)  # IFLA_HSR_MULTICAST_SPEC, the last byte of the supervision address
    supervision_addr: Str = mac(4)  # IFLA_HSR_SUPERVISION_ADDR
    seq_nr: Int = u16(5)  # IFLA_HSR_SEQ_NR
    version: Int = u8(6)  # IFLA_HSR_VERSION
    protocol: Member[HsrProtocol] = u8(7, enum=HsrProtocol)  # IFLA_HSR_PROTOCOL
    interlink: Int = u32(8)  # IFLA_HSR_INTERLINK


class TunType(IntEnum):
    """Whether a link of /dev/net/tun has packets or frames (IFF_TUN, IFF_TAP)."""

    TUN = 1  # IFF_TUN
    TAP = 2  # IFF_TAP


class Tun(AttributeSet, lenient=True):
    """The data of a link of the kind "tun" (IFLA_TUN_*), read only. Such links are made by /dev/net/tun."""

    owner: Int = u32(1)  # IFLA_TUN_OWNER, a user id
    group: Int = u32(2)  # IFLA_TUN_GROUP, a group id
    type: Member[TunType] = u8(3, enum=TunType)  # IFLA_TUN_TYPE
    pi: Int = u8(4)  # IFLA_TUN_PI
    vnet_hdr: Int = u8(5)  # IFLA_TUN_VNET_HDR
    persist: Int = u8(6)  # IFLA_TUN_PERSIST
    multi_queue: Int = u8(7)  # IFLA_TUN_MULTI_QUEUE
    num_queues: Int = u32(8)  # IFLA_TUN_NUM_QUEUES
    num_disabled_queues: Int = u32(9)  # IFLA_TUN_NUM_DISABLED_QUEUES


class IPoIBMode(IntEnum):
    """Transports of IP over InfiniBand (IPOIB_MODE_*)."""

    DATAGRAM = 0  # IPOIB_MODE_DATAGRAM
    CONNECTED = 1  # IPOIB_MODE_CONNECTED


class IPoIB(AttributeSet, lenient=True):
    """The data of a link of the kind "ipoib" (IFLA_IPOIB_*)."""

    pkey: Int = u16(1)  # IFLA_IPOIB_PKEY
    mode: Member[IPoIBMode] = u16(2, enum=IPoIBMode)  # IFLA_IPOIB_MODE
    umcast: Int = u16(3)  # IFLA_IPOIB_UMCAST


class RmnetFlags(IntFlag):
    """What is done with packets of a modem (RMNET_FLAGS_*)."""

    INGRESS_DEAGGREGATION = 0x1  # RMNET_FLAGS_INGRESS_DEAGGREGATION
    INGRESS_MAP_COMMANDS = 0x2  # RMNET_FLAGS_INGRESS_MAP_COMMANDS
    INGRESS_MAP_CKSUMV4 = 0x4  # RMNET_FLAGS_INGRESS_MAP_CKSUMV4
    EGRESS_MAP_CKSUMV4 = 0x8  # RMNET_FLAGS_EGRESS_MAP_CKSUMV4
    INGRESS_MAP_CKSUMV5 = 0x10  # RMNET_FLAGS_INGRESS_MAP_CKSUMV5
    EGRESS_MAP_CKSUMV5 = 0x20  # RMNET_FLAGS_EGRESS_MAP_CKSUMV5


class RmnetFlagsMask(Struct):
    """struct ifla_rmnet_flags: flags, and the mask of those that a request changes."""

    flags: Member[RmnetFlags] = u32(enum=RmnetFlags)
    mask: Member[RmnetFlags] = u32(enum=RmnetFlags)


class Rmnet(AttributeSet, lenient=True):
    """The data of a link of the kind "rmnet" (IFLA_RMNET_*)."""

    mux_id: Int = u16(1)  # IFLA_RMNET_MUX_ID
    flags: Field[RmnetFlagsMask | None] = struct(2, RmnetFlagsMask)  # IFLA_RMNET_FLAGS


class Batadv(AttributeSet, lenient=True):
    """The data of a link of the kind "batadv" (IFLA_BATADV_*, linux/batman_adv.h). The kernel does not report it."""

    algo_name: Str = string(1)  # IFLA_BATADV_ALGO_NAME, such as "BATMAN_IV"


class Dsa(AttributeSet, lenient=True):
    """The data of a link of the kind "dsa" (IFLA_DSA_*)."""

    conduit: Int = u32(1)  # IFLA_DSA_CONDUIT, the index of the link to the switch


class Wwan(AttributeSet, lenient=True):
    """The data of a link of the kind "wwan" (IFLA_WWAN_*, linux/wwan.h)."""

    link_id: Int = u32(1)  # IFLA_WWAN_LINK_ID


class Ppp(AttributeSet, lenient=True):
    """The data of a link of the kind "ppp" (IFLA_PPP_*). The kernel does not report it."""

    dev_fd: Int = s32(1)  # IFLA_PPP_DEV_FD, a file of /dev/ppp


class Ovpn(AttributeSet, lenient=True):
    """The data of a link of the kind "ovpn" (IFLA_OVPN_*)."""

    mode: Int = u8(1)  # IFLA_OVPN_MODE, 0 for one peer, 1 for many
