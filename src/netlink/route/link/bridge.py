"""Bridges, their ports and vlans: linux/if_link.h, linux/if_bridge.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.route.link.stacked import VlanProtocol
from netlink.route.vlan import BridgePortState, BridgeVlanFlags, BridgeVlanInfo
from netlink.schema import (
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
    binary,
    flag,
    ipv4,
    ipv6,
    mac,
    nested,
    repeated,
    struct,
    u8,
    u16,
    u32,
    u64,
)

__all__ = [
    "Bridge",
    "BridgeFlags",
    "BridgeID",
    "BridgeMode",
    "BridgeMstEntry",
    "BridgeOptions",
    "BridgeOptionsMask",
    "BridgePort",
    "BridgeQuerier",
    "BridgeSpec",
    "BridgeVlanTunnel",
    "MulticastRouter",
]


class MulticastRouter(IntEnum):
    """Whether there are multicast routers behind a port (MDB_RTR_TYPE_*)."""

    DISABLED = 0  # MDB_RTR_TYPE_DISABLED
    TEMP_QUERY = 1  # MDB_RTR_TYPE_TEMP_QUERY, if there are queries
    PERM = 2  # MDB_RTR_TYPE_PERM
    TEMP = 3  # MDB_RTR_TYPE_TEMP, for a while, without queries


class BridgeOptions(IntFlag):
    """Options of a bridge that are bits (BR_BOOLOPT_*): 1 << the number of the macro."""

    NO_LL_LEARN = 1 << 0  # BR_BOOLOPT_NO_LL_LEARN, it learns nothing from link-local packets
    MCAST_VLAN_SNOOPING = 1 << 1  # BR_BOOLOPT_MCAST_VLAN_SNOOPING, multicast snooping per vlan
    MST_ENABLE = 1 << 2  # BR_BOOLOPT_MST_ENABLE, several spanning trees
    MDB_OFFLOAD_FAIL_NOTIFICATION = 1 << 3  # BR_BOOLOPT_MDB_OFFLOAD_FAIL_NOTIFICATION
    FDB_LOCAL_VLAN_0 = 1 << 4  # BR_BOOLOPT_FDB_LOCAL_VLAN_0, local addresses only in vlan 0


class BridgeID(Struct):
    """struct ifla_bridge_id: the identity of a bridge in the spanning tree."""

    prio: Int = be16()
    addr: Str = mac()


class BridgeOptionsMask(Struct):
    """struct br_boolopt_multi: options, and the mask of those that a request changes."""

    optval: Member[BridgeOptions] = u32(enum=BridgeOptions)
    optmask: Member[BridgeOptions] = u32(enum=BridgeOptions)


class BridgeQuerier(AttributeSet, lenient=True, ignore=(4,)):
    """The multicast queriers that a bridge has seen (BRIDGE_QUERIER_*). Ports are interface indexes.

    ip_other_timer, ipv6_other_timer: until it queries itself, in 1/100 s.
    """

    ip_address: IPv4 = ipv4(1)  # BRIDGE_QUERIER_IP_ADDRESS
    ip_port: Int = u32(2)  # BRIDGE_QUERIER_IP_PORT
    ip_other_timer: Int = u64(3)  # BRIDGE_QUERIER_IP_OTHER_TIMER
    ipv6_address: IPv6 = ipv6(5)  # BRIDGE_QUERIER_IPV6_ADDRESS
    ipv6_port: Int = u32(6)  # BRIDGE_QUERIER_IPV6_PORT
    ipv6_other_timer: Int = u64(7)  # BRIDGE_QUERIER_IPV6_OTHER_TIMER


class Bridge(AttributeSet, lenient=True, ignore=(40,)):
    """The data of a link of the kind "bridge" (IFLA_BR_*). Times are in 1/100 s (USER_HZ).

    root_id to gc_timer, but for group_addr, are read only, as are mcast_querier_state and fdb_n_learned.
    """

    forward_delay: Int = u32(1)  # IFLA_BR_FORWARD_DELAY
    hello_time: Int = u32(2)  # IFLA_BR_HELLO_TIME
    max_age: Int = u32(3)  # IFLA_BR_MAX_AGE
    ageing_time: Int = u32(4)  # IFLA_BR_AGEING_TIME, for how long it remembers an address
    stp_state: Int = u32(5)  # IFLA_BR_STP_STATE, 0 off, 1 by the kernel, 2 by a program
    priority: Int = u16(6)  # IFLA_BR_PRIORITY
    vlan_filtering: Int = u8(7)  # IFLA_BR_VLAN_FILTERING
    vlan_protocol: Member[VlanProtocol] = be16(8, enum=VlanProtocol)  # IFLA_BR_VLAN_PROTOCOL
    group_fwd_mask: Int = u16(9)  # IFLA_BR_GROUP_FWD_MASK, bit n: it forwards frames to 01:80:c2:00:00:0n
    root_id: Field[BridgeID | None] = struct(10, BridgeID)  # IFLA_BR_ROOT_ID
    bridge_id: Field[BridgeID | None] = struct(11, BridgeID)  # IFLA_BR_BRIDGE_ID
    root_port: Int = u16(12)  # IFLA_BR_ROOT_PORT
    root_path_cost: Int = u32(13)  # IFLA_BR_ROOT_PATH_COST
    topology_change: Int = u8(14)  # IFLA_BR_TOPOLOGY_CHANGE
    topology_change_detected: Int = u8(15)  # IFLA_BR_TOPOLOGY_CHANGE_DETECTED
    hello_timer: Int = u64(16)  # IFLA_BR_HELLO_TIMER
    tcn_timer: Int = u64(17)  # IFLA_BR_TCN_TIMER
    topology_change_timer: Int = u64(18)  # IFLA_BR_TOPOLOGY_CHANGE_TIMER
    gc_timer: Int = u64(19)  # IFLA_BR_GC_TIMER
    group_addr: Str = mac(20)  # IFLA_BR_GROUP_ADDR
    fdb_flush: Flag = flag(21)  # IFLA_BR_FDB_FLUSH, a request to forget learned addresses
    mcast_router: Member[MulticastRouter] = u8(22, enum=MulticastRouter)  # IFLA_BR_MCAST_ROUTER
    mcast_snooping: Int = u8(23)  # IFLA_BR_MCAST_SNOOPING
    mcast_query_use_ifaddr: Int = u8(24)  # IFLA_BR_MCAST_QUERY_USE_IFADDR
    mcast_querier: Int = u8(25)  # IFLA_BR_MCAST_QUERIER
    mcast_hash_elasticity: Int = u32(26)  # IFLA_BR_MCAST_HASH_ELASTICITY
    mcast_hash_max: Int = u32(27)  # IFLA_BR_MCAST_HASH_MAX
    mcast_last_member_cnt: Int = u32(28)  # IFLA_BR_MCAST_LAST_MEMBER_CNT
    mcast_startup_query_cnt: Int = u32(29)  # IFLA_BR_MCAST_STARTUP_QUERY_CNT
    mcast_last_member_intvl: Int = u64(30)  # IFLA_BR_MCAST_LAST_MEMBER_INTVL
    mcast_membership_intvl: Int = u64(31)  # IFLA_BR_MCAST_MEMBERSHIP_INTVL
    mcast_querier_intvl: Int = u64(32)  # IFLA_BR_MCAST_QUERIER_INTVL
    mcast_query_intvl: Int = u64(33)  # IFLA_BR_MCAST_QUERY_INTVL
    mcast_query_response_intvl: Int = u64(34)  # IFLA_BR_MCAST_QUERY_RESPONSE_INTVL
    mcast_startup_query_intvl: Int = u64(35)  # IFLA_BR_MCAST_STARTUP_QUERY_INTVL
    nf_call_iptables: Int = u8(36)  # IFLA_BR_NF_CALL_IPTABLES
    nf_call_ip6tables: Int = u8(37)  # IFLA_BR_NF_CALL_IP6TABLES
    nf_call_arptables: Int = u8(38)  # IFLA_BR_NF_CALL_ARPTABLES
    vlan_default_pvid: Int = u16(39)  # IFLA_BR_VLAN_DEFAULT_PVID, the PVID of new ports, 0 for none
    vlan_stats_enabled: Int = u8(41)  # IFLA_BR_VLAN_STATS_ENABLED
    mcast_stats_enabled: Int = u8(42)  # IFLA_BR_MCAST_STATS_ENABLED
    mcast_igmp_version: Int = u8(43)  # IFLA_BR_MCAST_IGMP_VERSION
    mcast_mld_version: Int = u8(44)  # IFLA_BR_MCAST_MLD_VERSION
    vlan_stats_per_port: Int = u8(45)  # IFLA_BR_VLAN_STATS_PER_PORT
    multi_boolopt: Field[BridgeOptionsMask | None] = struct(46, BridgeOptionsMask)  # IFLA_BR_MULTI_BOOLOPT
    mcast_querier_state: Field[BridgeQuerier | None] = nested(47, BridgeQuerier)  # IFLA_BR_MCAST_QUERIER_STATE
    fdb_n_learned: Int = u32(48)  # IFLA_BR_FDB_N_LEARNED
    fdb_max_learned: Int = u32(49)  # IFLA_BR_FDB_MAX_LEARNED, 0 for any number


class BridgePort(AttributeSet, lenient=True, ignore=(26,)):
    """What a bridge keeps for a port (IFLA_BRPORT_*): `Link.port_data` of its links, `Link.protinfo` of AF_BRIDGE.

    Numbers without a comment are 1 for on and 0 for off. root_id to hold_timer are read only. Timers are in 1/100 s.
    """

    state: Member[BridgePortState] = u8(1, enum=BridgePortState)  # IFLA_BRPORT_STATE
    priority: Int = u16(2)  # IFLA_BRPORT_PRIORITY
    cost: Int = u32(3)  # IFLA_BRPORT_COST, of the path in the spanning tree
    mode: Int = u8(4)  # IFLA_BRPORT_MODE, hairpin: a frame may leave by the port that it came by
    guard: Int = u8(5)  # IFLA_BRPORT_GUARD, a BPDU disables the port
    protect: Int = u8(6)  # IFLA_BRPORT_PROTECT, it never is the root port
    fast_leave: Int = u8(7)  # IFLA_BRPORT_FAST_LEAVE
    learning: Int = u8(8)  # IFLA_BRPORT_LEARNING
    unicast_flood: Int = u8(9)  # IFLA_BRPORT_UNICAST_FLOOD
    proxyarp: Int = u8(10)  # IFLA_BRPORT_PROXYARP
    learning_sync: Int = u8(11)  # IFLA_BRPORT_LEARNING_SYNC
    proxyarp_wifi: Int = u8(12)  # IFLA_BRPORT_PROXYARP_WIFI
    root_id: Field[BridgeID | None] = struct(13, BridgeID)  # IFLA_BRPORT_ROOT_ID
    bridge_id: Field[BridgeID | None] = struct(14, BridgeID)  # IFLA_BRPORT_BRIDGE_ID
    designated_port: Int = u16(15)  # IFLA_BRPORT_DESIGNATED_PORT
    designated_cost: Int = u16(16)  # IFLA_BRPORT_DESIGNATED_COST
    id: Int = u16(17)  # IFLA_BRPORT_ID
    no: Int = u16(18)  # IFLA_BRPORT_NO, the number of the port
    topology_change_ack: Int = u8(19)  # IFLA_BRPORT_TOPOLOGY_CHANGE_ACK
    config_pending: Int = u8(20)  # IFLA_BRPORT_CONFIG_PENDING
    message_age_timer: Int = u64(21)  # IFLA_BRPORT_MESSAGE_AGE_TIMER
    forward_delay_timer: Int = u64(22)  # IFLA_BRPORT_FORWARD_DELAY_TIMER
    hold_timer: Int = u64(23)  # IFLA_BRPORT_HOLD_TIMER
    flush: Flag = flag(24)  # IFLA_BRPORT_FLUSH, a request to forget addresses learned at the port
    multicast_router: Member[MulticastRouter] = u8(25, enum=MulticastRouter)  # IFLA_BRPORT_MULTICAST_ROUTER
    mcast_flood: Int = u8(27)  # IFLA_BRPORT_MCAST_FLOOD
    mcast_to_ucast: Int = u8(28)  # IFLA_BRPORT_MCAST_TO_UCAST
    vlan_tunnel: Int = u8(29)  # IFLA_BRPORT_VLAN_TUNNEL
    bcast_flood: Int = u8(30)  # IFLA_BRPORT_BCAST_FLOOD
    group_fwd_mask: Int = u16(31)  # IFLA_BRPORT_GROUP_FWD_MASK, bit n: it forwards frames to 01:80:c2:00:00:0n
    neigh_suppress: Int = u8(32)  # IFLA_BRPORT_NEIGH_SUPPRESS
    isolated: Int = u8(33)  # IFLA_BRPORT_ISOLATED
    backup_port: Int = u32(34)  # IFLA_BRPORT_BACKUP_PORT, takes its packets when it has no carrier: an index
    mrp_ring_open: Int = u8(35)  # IFLA_BRPORT_MRP_RING_OPEN
    mrp_in_open: Int = u8(36)  # IFLA_BRPORT_MRP_IN_OPEN
    mcast_eht_hosts_limit: Int = u32(37)  # IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT
    mcast_eht_hosts_cnt: Int = u32(38)  # IFLA_BRPORT_MCAST_EHT_HOSTS_CNT
    locked: Int = u8(39)  # IFLA_BRPORT_LOCKED
    mab: Int = u8(40)  # IFLA_BRPORT_MAB
    mcast_n_groups: Int = u32(41)  # IFLA_BRPORT_MCAST_N_GROUPS
    mcast_max_groups: Int = u32(42)  # IFLA_BRPORT_MCAST_MAX_GROUPS
    neigh_vlan_suppress: Int = u8(43)  # IFLA_BRPORT_NEIGH_VLAN_SUPPRESS
    backup_nhid: Int = u32(44)  # IFLA_BRPORT_BACKUP_NHID, the id of a nexthop object, for packets to the backup port


class BridgeFlags(IntFlag):
    """Whom a request of AF_BRIDGE is for (BRIDGE_FLAGS_*)."""

    MASTER = 0x1  # BRIDGE_FLAGS_MASTER, the bridge of the port
    SELF = 0x2  # BRIDGE_FLAGS_SELF, the link itself: a bridge, or hardware


class BridgeMode(IntEnum):
    """How hardware forwards between virtual functions (BRIDGE_MODE_*)."""

    VEB = 0  # BRIDGE_MODE_VEB
    VEPA = 1  # BRIDGE_MODE_VEPA, by way of the switch outside
    UNDEF = 65535  # BRIDGE_MODE_UNDEF


class BridgeVlanTunnel(AttributeSet, lenient=True):
    """The tunnel that a vlan of a port belongs to (IFLA_BRIDGE_VLAN_TUNNEL_*)."""

    id: Int = u32(1)  # IFLA_BRIDGE_VLAN_TUNNEL_ID
    vid: Int = u16(2)  # IFLA_BRIDGE_VLAN_TUNNEL_VID
    flags: Member[BridgeVlanFlags] = u16(3, enum=BridgeVlanFlags)  # IFLA_BRIDGE_VLAN_TUNNEL_FLAGS


class BridgeMstEntry(AttributeSet, lenient=True):
    """The state of a port in one of several spanning trees (IFLA_BRIDGE_MST_ENTRY_*)."""

    msti: Int = u16(1)  # IFLA_BRIDGE_MST_ENTRY_MSTI
    state: Member[BridgePortState] = u8(2, enum=BridgePortState)  # IFLA_BRIDGE_MST_ENTRY_STATE


class BridgeSpec(AttributeSet, lenient=True):
    """What a bridge knows of a port, or hardware of itself: `Link.af_spec` of the family AF_BRIDGE (IFLA_BRIDGE_*).

    mrp, cfm: nested attributes as bytes.
    """

    flags: Member[BridgeFlags] = u16(0, enum=BridgeFlags)  # IFLA_BRIDGE_FLAGS
    mode: Member[BridgeMode] = u16(1, enum=BridgeMode)  # IFLA_BRIDGE_MODE
    vlans: Items[BridgeVlanInfo] = repeated(2, BridgeVlanInfo)  # IFLA_BRIDGE_VLAN_INFO
    vlan_tunnels: Items[BridgeVlanTunnel] = repeated(3, BridgeVlanTunnel)  # IFLA_BRIDGE_VLAN_TUNNEL_INFO
    mrp: Bytes = binary(4)  # IFLA_BRIDGE_MRP
    cfm: Bytes = binary(5)  # IFLA_BRIDGE_CFM
    mst: Items[BridgeMstEntry] = repeated((6, 1), BridgeMstEntry)  # IFLA_BRIDGE_MST, IFLA_BRIDGE_MST_ENTRY
