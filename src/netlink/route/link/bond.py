"""Bonds, and the links in them: linux/if_link.h, linux/if_bonding.h."""

from __future__ import annotations

from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

from netlink.schema import (
    AttributeSet,
    Field,
    Int,
    Items,
    Member,
    Str,
    array,
    ipv4,
    ipv6,
    lladdr,
    mac,
    nested,
    s32,
    u8,
    u16,
    u32,
)

__all__ = [
    "Bond",
    "BondADInfo",
    "BondADSelect",
    "BondARPAllTargets",
    "BondARPValidate",
    "BondFailOverMAC",
    "BondLACPRate",
    "BondMode",
    "BondPort",
    "BondPortState",
    "BondPrimaryReselect",
    "BondXmitHashPolicy",
    "MIIStatus",
]


class BondMode(IntEnum):
    """How a bond chooses a port (BOND_MODE_*)."""

    ROUNDROBIN = 0  # BOND_MODE_ROUNDROBIN
    ACTIVEBACKUP = 1  # BOND_MODE_ACTIVEBACKUP
    XOR = 2  # BOND_MODE_XOR
    BROADCAST = 3  # BOND_MODE_BROADCAST
    LACP = 4  # BOND_MODE_8023AD, link aggregation
    TLB = 5  # BOND_MODE_TLB
    ALB = 6  # BOND_MODE_ALB


class BondXmitHashPolicy(IntEnum):
    """What of a packet chooses the port (BOND_XMIT_POLICY_*)."""

    LAYER2 = 0  # BOND_XMIT_POLICY_LAYER2
    LAYER34 = 1  # BOND_XMIT_POLICY_LAYER34
    LAYER23 = 2  # BOND_XMIT_POLICY_LAYER23
    ENCAP23 = 3  # BOND_XMIT_POLICY_ENCAP23
    ENCAP34 = 4  # BOND_XMIT_POLICY_ENCAP34
    VLAN_SRCMAC = 5  # BOND_XMIT_POLICY_VLAN_SRCMAC


class BondPrimaryReselect(IntEnum):
    """When the primary port becomes the active one (BOND_PRI_RESELECT_*, net/bonding.h of the kernel)."""

    ALWAYS = 0  # BOND_PRI_RESELECT_ALWAYS
    BETTER = 1  # BOND_PRI_RESELECT_BETTER, if it is faster
    FAILURE = 2  # BOND_PRI_RESELECT_FAILURE, if the active one fails


class BondFailOverMAC(IntEnum):
    """Whose address the bond has (BOND_FOM_*, net/bonding.h of the kernel)."""

    NONE = 0  # BOND_FOM_NONE, all ports have that of the bond
    ACTIVE = 1  # BOND_FOM_ACTIVE, it has that of the active port
    FOLLOW = 2  # BOND_FOM_FOLLOW, the active port has that of the bond


class BondARPValidate(IntEnum):
    """Which ARP packets count for monitoring (BOND_ARP_*, net/bonding.h of the kernel)."""

    NONE = 0  # BOND_ARP_VALIDATE_NONE
    ACTIVE = 1  # BOND_ARP_VALIDATE_ACTIVE, valid ones, on the active port
    BACKUP = 2  # BOND_ARP_VALIDATE_BACKUP, valid ones, on the others
    ALL = 3  # BOND_ARP_VALIDATE_ALL, valid ones
    FILTER = 4  # BOND_ARP_FILTER, only ARP
    FILTER_ACTIVE = 5  # BOND_ARP_FILTER_ACTIVE
    FILTER_BACKUP = 6  # BOND_ARP_FILTER_BACKUP


class BondARPAllTargets(IntEnum):
    """How many targets must answer (BOND_ARP_TARGETS_*, net/bonding.h of the kernel)."""

    ANY = 0  # BOND_ARP_TARGETS_ANY
    ALL = 1  # BOND_ARP_TARGETS_ALL


class BondLACPRate(IntEnum):
    """How often partners send LACPDUs (AD_LACP_*, net/bond_3ad.h of the kernel)."""

    SLOW = 0  # AD_LACP_SLOW, every 30 seconds
    FAST = 1  # AD_LACP_FAST, every second


class BondADSelect(IntEnum):
    """How link aggregation chooses the aggregator (BOND_AD_*, net/bond_3ad.h of the kernel)."""

    STABLE = 0  # BOND_AD_STABLE
    BANDWIDTH = 1  # BOND_AD_BANDWIDTH
    COUNT = 2  # BOND_AD_COUNT
    PRIO = 3  # BOND_AD_PRIO


class BondPortState(IntEnum):
    """Whether a port carries traffic (BOND_STATE_*)."""

    ACTIVE = 0  # BOND_STATE_ACTIVE
    BACKUP = 1  # BOND_STATE_BACKUP


class MIIStatus(IntEnum):
    """Whether monitoring finds a port up (BOND_LINK_*, linux/if_bonding.h)."""

    UP = 0  # BOND_LINK_UP
    FAIL = 1  # BOND_LINK_FAIL, going down
    DOWN = 2  # BOND_LINK_DOWN
    BACK = 3  # BOND_LINK_BACK, coming up


class BondADInfo(AttributeSet, lenient=True):
    """The active aggregator (IFLA_BOND_AD_INFO_*)."""

    aggregator: Int = u16(1)  # IFLA_BOND_AD_INFO_AGGREGATOR
    num_ports: Int = u16(2)  # IFLA_BOND_AD_INFO_NUM_PORTS
    actor_key: Int = u16(3)  # IFLA_BOND_AD_INFO_ACTOR_KEY
    partner_key: Int = u16(4)  # IFLA_BOND_AD_INFO_PARTNER_KEY
    partner_mac: Str = mac(5)  # IFLA_BOND_AD_INFO_PARTNER_MAC


class Bond(AttributeSet, lenient=True):
    """The data of a link of the kind "bond" (IFLA_BOND_*). Times are in milliseconds if nothing else is said.

    Numbers without a comment are 1 for on and 0 for off. A bond is monitored by miimon or by arp_interval.
    """

    mode: Member[BondMode] = u8(1, enum=BondMode)  # IFLA_BOND_MODE
    active_slave: Int = u32(2)  # IFLA_BOND_ACTIVE_SLAVE, an index
    miimon: Int = u32(3)  # IFLA_BOND_MIIMON
    updelay: Int = u32(4)  # IFLA_BOND_UPDELAY
    downdelay: Int = u32(5)  # IFLA_BOND_DOWNDELAY
    use_carrier: Int = u8(6)  # IFLA_BOND_USE_CARRIER
    arp_interval: Int = u32(7)  # IFLA_BOND_ARP_INTERVAL
    arp_ip_target: Items[IPv4Address] = array(8, ipv4)  # IFLA_BOND_ARP_IP_TARGET
    arp_validate: Member[BondARPValidate] = u32(9, enum=BondARPValidate)  # IFLA_BOND_ARP_VALIDATE
    arp_all_targets: Member[BondARPAllTargets] = u32(10, enum=BondARPAllTargets)  # IFLA_BOND_ARP_ALL_TARGETS
    primary: Int = u32(11)  # IFLA_BOND_PRIMARY, an index
    primary_reselect: Member[BondPrimaryReselect] = u8(12, enum=BondPrimaryReselect)  # IFLA_BOND_PRIMARY_RESELECT
    fail_over_mac: Member[BondFailOverMAC] = u8(13, enum=BondFailOverMAC)  # IFLA_BOND_FAIL_OVER_MAC
    xmit_hash_policy: Member[BondXmitHashPolicy] = u8(14, enum=BondXmitHashPolicy)  # IFLA_BOND_XMIT_HASH_POLICY
    resend_igmp: Int = u32(15)  # IFLA_BOND_RESEND_IGMP, how often
    num_peer_notif: Int = u8(16)  # IFLA_BOND_NUM_PEER_NOTIF, how often
    all_slaves_active: Int = u8(17)  # IFLA_BOND_ALL_SLAVES_ACTIVE
    min_links: Int = u32(18)  # IFLA_BOND_MIN_LINKS
    lp_interval: Int = u32(19)  # IFLA_BOND_LP_INTERVAL, seconds between learning packets
    packets_per_slave: Int = u32(20)  # IFLA_BOND_PACKETS_PER_SLAVE
    ad_lacp_rate: Member[BondLACPRate] = u8(21, enum=BondLACPRate)  # IFLA_BOND_AD_LACP_RATE
    ad_select: Member[BondADSelect] = u8(22, enum=BondADSelect)  # IFLA_BOND_AD_SELECT
    ad_info: Field[BondADInfo | None] = nested(23, BondADInfo)  # IFLA_BOND_AD_INFO
    ad_actor_sys_prio: Int = u16(24)  # IFLA_BOND_AD_ACTOR_SYS_PRIO
    ad_user_port_key: Int = u16(25)  # IFLA_BOND_AD_USER_PORT_KEY
    ad_actor_system: Str = mac(26)  # IFLA_BOND_AD_ACTOR_SYSTEM
    tlb_dynamic_lb: Int = u8(27)  # IFLA_BOND_TLB_DYNAMIC_LB
    peer_notif_delay: Int = u32(28)  # IFLA_BOND_PEER_NOTIF_DELAY
    ad_lacp_active: Int = u8(29)  # IFLA_BOND_AD_LACP_ACTIVE
    missed_max: Int = u8(30)  # IFLA_BOND_MISSED_MAX, how often ARP monitoring fails before a port is down
    ns_ip6_target: Items[IPv6Address] = array(31, ipv6)  # IFLA_BOND_NS_IP6_TARGET
    coupled_control: Int = u8(32)  # IFLA_BOND_COUPLED_CONTROL
    broadcast_neigh: Int = u8(33)  # IFLA_BOND_BROADCAST_NEIGH


class BondPort(AttributeSet, lenient=True):
    """What a bond keeps for a link in it (IFLA_BOND_SLAVE_*): `Link.port_data`. A request changes queue_id and prio."""

    state: Member[BondPortState] = u8(1, enum=BondPortState)  # IFLA_BOND_SLAVE_STATE
    mii_status: Member[MIIStatus] = u8(2, enum=MIIStatus)  # IFLA_BOND_SLAVE_MII_STATUS
    link_failure_count: Int = u32(3)  # IFLA_BOND_SLAVE_LINK_FAILURE_COUNT
    perm_hwaddr: Str = lladdr(4)  # IFLA_BOND_SLAVE_PERM_HWADDR
    queue_id: Int = u16(5)  # IFLA_BOND_SLAVE_QUEUE_ID
    ad_aggregator_id: Int = u16(6)  # IFLA_BOND_SLAVE_AD_AGGREGATOR_ID
    ad_actor_oper_port_state: Int = u8(7)  # IFLA_BOND_SLAVE_AD_ACTOR_OPER_PORT_STATE
    ad_partner_oper_port_state: Int = u16(8)  # IFLA_BOND_SLAVE_AD_PARTNER_OPER_PORT_STATE
    prio: Int = s32(9)  # IFLA_BOND_SLAVE_PRIO
    actor_port_prio: Int = u16(10)  # IFLA_BOND_SLAVE_ACTOR_PORT_PRIO
    ad_churn_actor_state: Int = u8(11)  # IFLA_BOND_SLAVE_AD_CHURN_ACTOR_STATE
    ad_churn_partner_state: Int = u8(12)  # IFLA_BOND_SLAVE_AD_CHURN_PARTNER_STATE
