"""Virtual functions, port profiles and XDP programs of links: linux/if_link.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Int,
    Items,
    Member,
    Str,
    Struct,
    be16,
    binary,
    nested,
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
    "VF",
    "PortRequest",
    "VFBroadcast",
    "VFGuid",
    "VFLinkState",
    "VFLinkStateSetting",
    "VFMac",
    "VFPort",
    "VFRate",
    "VFSetting",
    "VFStats",
    "VFTxRate",
    "VFVlan",
    "VFVlanInfo",
    "Xdp",
    "XdpAttached",
    "XdpFlags",
]


class VFLinkState(IntEnum):
    """The state of a virtual function's link (IFLA_VF_LINK_STATE_*)."""

    AUTO = 0  # IFLA_VF_LINK_STATE_AUTO, that of the physical link
    ENABLE = 1  # IFLA_VF_LINK_STATE_ENABLE
    DISABLE = 2  # IFLA_VF_LINK_STATE_DISABLE


class VFMac(Struct):
    """struct ifla_vf_mac: a link-layer address, and behind it zeros."""

    vf: Int = u32()
    mac: Bytes = binary(size=32)


class VFBroadcast(Struct):
    """struct ifla_vf_broadcast: a broadcast address, and behind it zeros."""

    broadcast: Bytes = binary(size=32)


class VFVlan(Struct):
    """struct ifla_vf_vlan: a vlan and its priority; vlan 0 for none."""

    vf: Int = u32()
    vlan: Int = u32()
    qos: Int = u32()


class VFVlanInfo(Struct, aligned=True):
    """struct ifla_vf_vlan_info: a vlan, its priority and its EtherType."""

    vf: Int = u32()
    vlan: Int = u32()
    qos: Int = u32()
    vlan_proto: Int = be16()


class VFTxRate(Struct):
    """struct ifla_vf_tx_rate: Mbit/s, 0 for no limit."""

    vf: Int = u32()
    rate: Int = u32()


class VFRate(Struct):
    """struct ifla_vf_rate: Mbit/s, 0 for no limit."""

    vf: Int = u32()
    min_tx_rate: Int = u32()
    max_tx_rate: Int = u32()


class VFSetting(Struct):
    """struct ifla_vf_spoofchk, ifla_vf_trust, ifla_vf_rss_query_en: 1 for on, 0 for off."""

    vf: Int = u32()
    setting: Int = u32()


class VFLinkStateSetting(Struct):
    """struct ifla_vf_link_state."""

    vf: Int = u32()
    link_state: Member[VFLinkState] = u32(enum=VFLinkState)


class VFGuid(Struct, aligned=True):
    """struct ifla_vf_guid: an InfiniBand identifier."""

    vf: Int = u32()
    guid: Int = u64()


class VFStats(AttributeSet, lenient=True, ignore=(6,)):
    """Counters of a virtual function (IFLA_VF_STATS_*)."""

    rx_packets: Int = u64(0)  # IFLA_VF_STATS_RX_PACKETS
    tx_packets: Int = u64(1)  # IFLA_VF_STATS_TX_PACKETS
    rx_bytes: Int = u64(2)  # IFLA_VF_STATS_RX_BYTES
    tx_bytes: Int = u64(3)  # IFLA_VF_STATS_TX_BYTES
    broadcast: Int = u64(4)  # IFLA_VF_STATS_BROADCAST
    multicast: Int = u64(5)  # IFLA_VF_STATS_MULTICAST
    rx_dropped: Int = u64(7)  # IFLA_VF_STATS_RX_DROPPED
    tx_dropped: Int = u64(8)  # IFLA_VF_STATS_TX_DROPPED


class VF(AttributeSet, lenient=True):
    """A virtual function of a network card (IFLA_VF_*). Each field has the number of the function, `vf`."""

    mac: Field[VFMac | None] = struct(1, VFMac)  # IFLA_VF_MAC
    vlan: Field[VFVlan | None] = struct(2, VFVlan)  # IFLA_VF_VLAN
    tx_rate: Field[VFTxRate | None] = struct(3, VFTxRate)  # IFLA_VF_TX_RATE
    spoofchk: Field[VFSetting | None] = struct(4, VFSetting)  # IFLA_VF_SPOOFCHK
    link_state: Field[VFLinkStateSetting | None] = struct(5, VFLinkStateSetting)  # IFLA_VF_LINK_STATE
    rate: Field[VFRate | None] = struct(6, VFRate)  # IFLA_VF_RATE
    rss_query_en: Field[VFSetting | None] = struct(7, VFSetting)  # IFLA_VF_RSS_QUERY_EN
    stats: Field[VFStats | None] = nested(8, VFStats, rare=True)  # IFLA_VF_STATS
    trust: Field[VFSetting | None] = struct(9, VFSetting)  # IFLA_VF_TRUST
    ib_node_guid: Field[VFGuid | None] = struct(10, VFGuid)  # IFLA_VF_IB_NODE_GUID
    ib_port_guid: Field[VFGuid | None] = struct(11, VFGuid)  # IFLA_VF_IB_PORT_GUID
    vlan_list: Items[VFVlanInfo] = repeated((12, 1), VFVlanInfo)  # IFLA_VF_VLAN_LIST, IFLA_VF_VLAN_INFO
    broadcast: Field[VFBroadcast | None] = struct(13, VFBroadcast)  # IFLA_VF_BROADCAST


class PortRequest(IntEnum):
    """What a switch is asked for (PORT_REQUEST_*)."""

    PREASSOCIATE = 0  # PORT_REQUEST_PREASSOCIATE
    PREASSOCIATE_RR = 1  # PORT_REQUEST_PREASSOCIATE_RR
    ASSOCIATE = 2  # PORT_REQUEST_ASSOCIATE
    DISASSOCIATE = 3  # PORT_REQUEST_DISASSOCIATE


class VFPort(AttributeSet, lenient=True):
    """The profile of a virtual function's port of a switch (IFLA_PORT_*)."""

    vf: Int = u32(1)  # IFLA_PORT_VF, 0xffffffff for the link itself
    profile: Str = string(2)  # IFLA_PORT_PROFILE
    vsi_type: Bytes = binary(3)  # IFLA_PORT_VSI_TYPE
    instance_uuid: Bytes = binary(4)  # IFLA_PORT_INSTANCE_UUID
    host_uuid: Bytes = binary(5)  # IFLA_PORT_HOST_UUID
    request: Member[PortRequest] = u8(6, enum=PortRequest)  # IFLA_PORT_REQUEST
    response: Int = u16(7)  # IFLA_PORT_RESPONSE, PORT_VDP_RESPONSE_*, PORT_PROFILE_RESPONSE_*


class XdpAttached(IntEnum):
    """Where an XDP program runs (XDP_ATTACHED_*)."""

    NONE = 0  # XDP_ATTACHED_NONE
    DRV = 1  # XDP_ATTACHED_DRV, in the driver
    SKB = 2  # XDP_ATTACHED_SKB, behind it: generic XDP
    HW = 3  # XDP_ATTACHED_HW, in hardware
    MULTI = 4  # XDP_ATTACHED_MULTI, several


class XdpFlags(IntFlag):
    """How a request attaches an XDP program (XDP_FLAGS_*)."""

    UPDATE_IF_NOEXIST = 0x1  # XDP_FLAGS_UPDATE_IF_NOEXIST
    SKB_MODE = 0x2  # XDP_FLAGS_SKB_MODE
    DRV_MODE = 0x4  # XDP_FLAGS_DRV_MODE
    HW_MODE = 0x8  # XDP_FLAGS_HW_MODE
    REPLACE = 0x10  # XDP_FLAGS_REPLACE, only in the place of expected_fd


class Xdp(AttributeSet, lenient=True):
    """The XDP programs of a link (IFLA_XDP_*). A request has fd and flags; fd -1 detaches. Replies have the others."""

    fd: Int = s32(1)  # IFLA_XDP_FD
    attached: Member[XdpAttached] = u8(2, enum=XdpAttached)  # IFLA_XDP_ATTACHED
    flags: Member[XdpFlags] = u32(3, enum=XdpFlags)  # IFLA_XDP_FLAGS
    prog_id: Int = u32(4)  # IFLA_XDP_PROG_ID
    drv_prog_id: Int = u32(5)  # IFLA_XDP_DRV_PROG_ID
    skb_prog_id: Int = u32(6)  # IFLA_XDP_SKB_PROG_ID
    hw_prog_id: Int = u32(7)  # IFLA_XDP_HW_PROG_ID
    expected_fd: Int = s32(8)  # IFLA_XDP_EXPECTED_FD
