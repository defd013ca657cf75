"""VLANs of bridges and their ports: BRIDGE_VLANDB_* of linux/if_bridge.h."""

from __future__ import annotations

import errno
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any

from netlink.consts import RouteGroup
from netlink.route.command import Command
from netlink.route.event import Event
from netlink.route.neigh import AF_BRIDGE
from netlink.route.object import Object
from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Int,
    Items,
    Member,
    Struct,
    binary,
    event,
    nested,
    pad,
    repeated,
    struct,
    u8,
    u16,
    u32,
    u64,
)

__all__ = [
    "BRIDGE_VLAN",
    "BridgePortState",
    "BridgeVlan",
    "BridgeVlanFlags",
    "BridgeVlanInfo",
    "BridgeVlanMsg",
    "VlanDump",
    "VlanEntry",
    "VlanOptions",
    "VlanStats",
    "VlanTunnel",
]


class BridgePortState(IntEnum):
    """States of a port, or of a vlan at it, in the spanning tree (BR_STATE_*)."""

    DISABLED = 0  # BR_STATE_DISABLED
    LISTENING = 1  # BR_STATE_LISTENING
    LEARNING = 2  # BR_STATE_LEARNING
    FORWARDING = 3  # BR_STATE_FORWARDING
    BLOCKING = 4  # BR_STATE_BLOCKING


class BridgeVlanFlags(IntFlag):
    """Flags of a vlan of a bridge or a port (BRIDGE_VLAN_INFO_*)."""

    MASTER = 0x1  # BRIDGE_VLAN_INFO_MASTER, of the bridge, too
    PVID = 0x2  # BRIDGE_VLAN_INFO_PVID, that of frames that come in without a tag
    UNTAGGED = 0x4  # BRIDGE_VLAN_INFO_UNTAGGED, its frames leave without a tag
    RANGE_BEGIN = 0x8  # BRIDGE_VLAN_INFO_RANGE_BEGIN, the first of a range of vlans
    RANGE_END = 0x10  # BRIDGE_VLAN_INFO_RANGE_END, the last of a range of vlans
    BRENTRY = 0x20  # BRIDGE_VLAN_INFO_BRENTRY, an entry of the bridge itself
    ONLY_OPTS = 0x40  # BRIDGE_VLAN_INFO_ONLY_OPTS, in a request: change options of a vlan alone


class VlanDump(IntFlag):
    """What a dump reports (BRIDGE_VLANDB_DUMPF_*)."""

    STATS = 0x1  # BRIDGE_VLANDB_DUMPF_STATS, statistics, too
    GLOBAL = 0x2  # BRIDGE_VLANDB_DUMPF_GLOBAL, the options of bridges alone


class BridgeVlanMsg(Struct):
    """struct br_vlan_msg: the header of VLANs of bridges."""

    family: Int = u8()
    reserved = pad(3)
    index: Int = u32()


class BridgeVlanInfo(Struct):
    """struct bridge_vlan_info: a vlan by its number, or one end of a range."""

    flags: Member[BridgeVlanFlags] = u16(enum=BridgeVlanFlags)
    vid: Int = u16()


class VlanTunnel(AttributeSet):
    """The tunnel of a VLAN (BRIDGE_VLANDB_TINFO_*)."""

    id: Int = u32(1)  # BRIDGE_VLANDB_TINFO_ID
    command: Int = u32(2)  # BRIDGE_VLANDB_TINFO_CMD


class VlanStats(AttributeSet, ignore=(5,)):  # BRIDGE_VLANDB_STATS_PAD
    """Statistics of a VLAN at a port (BRIDGE_VLANDB_STATS_*)."""

    rx_bytes: Int = u64(1)  # BRIDGE_VLANDB_STATS_RX_BYTES
    rx_packets: Int = u64(2)  # BRIDGE_VLANDB_STATS_RX_PACKETS
    tx_bytes: Int = u64(3)  # BRIDGE_VLANDB_STATS_TX_BYTES
    tx_packets: Int = u64(4)  # BRIDGE_VLANDB_STATS_TX_PACKETS


class VlanEntry(AttributeSet):
    """A VLAN of a port, or several of the same kind (BRIDGE_VLANDB_ENTRY_*).

    range: the last VLAN of several; None for one. The constructor takes vid and flags instead of info.
    """

    info: Field[BridgeVlanInfo | None] = struct(1, BridgeVlanInfo)  # BRIDGE_VLANDB_ENTRY_INFO
    range: Int = u16(2)  # BRIDGE_VLANDB_ENTRY_RANGE
    state: Member[BridgePortState] = u8(3, enum=BridgePortState)  # BRIDGE_VLANDB_ENTRY_STATE
    tunnel: Field[VlanTunnel | None] = nested(4, VlanTunnel)  # BRIDGE_VLANDB_ENTRY_TUNNEL_INFO
    stats: Field[VlanStats | None] = nested(5, VlanStats)  # BRIDGE_VLANDB_ENTRY_STATS
    mcast_router: Int = u8(6)  # BRIDGE_VLANDB_ENTRY_MCAST_ROUTER
    mcast_n_groups: Int = u32(7)  # BRIDGE_VLANDB_ENTRY_MCAST_N_GROUPS
    mcast_max_groups: Int = u32(8)  # BRIDGE_VLANDB_ENTRY_MCAST_MAX_GROUPS
    neigh_suppress: Int = u8(9)  # BRIDGE_VLANDB_ENTRY_NEIGH_SUPPRESS

    def __init__(self, *, vid: int | None = None, flags: int = 0, **values: Any) -> None:
        if vid is not None:
            values["info"] = BridgeVlanInfo(vid=vid, flags=flags)
        super().__init__(**values)

    @property
    def vid(self) -> int | None:
        """The number of the VLAN, or of the first one."""
        return self.info.vid if self.info else None

    @property
    def flags(self) -> BridgeVlanFlags | None:
        """The flags of the VLAN."""
        return self.info.flags if self.info else None


class VlanOptions(AttributeSet, ignore=(9,)):  # BRIDGE_VLANDB_GOPTS_PAD
    """Options of a VLAN of a bridge, or of several (BRIDGE_VLANDB_GOPTS_*). Intervals in ticks of USER_HZ."""

    id: Int = u16(1)  # BRIDGE_VLANDB_GOPTS_ID
    range: Int = u16(2)  # BRIDGE_VLANDB_GOPTS_RANGE
    mcast_snooping: Int = u8(3)  # BRIDGE_VLANDB_GOPTS_MCAST_SNOOPING
    mcast_igmp_version: Int = u8(4)  # BRIDGE_VLANDB_GOPTS_MCAST_IGMP_VERSION
    mcast_mld_version: Int = u8(5)  # BRIDGE_VLANDB_GOPTS_MCAST_MLD_VERSION
    mcast_last_member_count: Int = u32(6)  # BRIDGE_VLANDB_GOPTS_MCAST_LAST_MEMBER_CNT
    mcast_startup_query_count: Int = u32(7)  # BRIDGE_VLANDB_GOPTS_MCAST_STARTUP_QUERY_CNT
    mcast_last_member_interval: Int = u64(8)  # BRIDGE_VLANDB_GOPTS_MCAST_LAST_MEMBER_INTVL
    mcast_membership_interval: Int = u64(10)  # BRIDGE_VLANDB_GOPTS_MCAST_MEMBERSHIP_INTVL
    mcast_querier_interval: Int = u64(11)  # BRIDGE_VLANDB_GOPTS_MCAST_QUERIER_INTVL
    mcast_query_interval: Int = u64(12)  # BRIDGE_VLANDB_GOPTS_MCAST_QUERY_INTVL
    mcast_query_response_interval: Int = u64(13)  # BRIDGE_VLANDB_GOPTS_MCAST_QUERY_RESPONSE_INTVL
    mcast_startup_query_interval: Int = u64(14)  # BRIDGE_VLANDB_GOPTS_MCAST_STARTUP_QUERY_INTVL
    mcast_querier: Int = u8(15)  # BRIDGE_VLANDB_GOPTS_MCAST_QUERIER
    mcast_router_ports: Bytes = binary(16)  # BRIDGE_VLANDB_GOPTS_MCAST_ROUTER_PORTS
    mcast_querier_state: Bytes = binary(17)  # BRIDGE_VLANDB_GOPTS_MCAST_QUERIER_STATE
    msti: Int = u16(18)  # BRIDGE_VLANDB_GOPTS_MSTI


class BridgeVlan(AttributeSet, header=BridgeVlanMsg):
    """The VLANs of a bridge or of one of its ports (BRIDGE_VLANDB_*).

    index: of the link. entries: its VLANs. options: of those of a bridge, in a dump with GLOBAL.
    dump_flags: in a request. The constructor sets family, AF_BRIDGE.
    """

    family: Int = BridgeVlanMsg.family
    index: Int = BridgeVlanMsg.index
    entries: Items[VlanEntry] = repeated(1, VlanEntry)  # BRIDGE_VLANDB_ENTRY
    options: Items[VlanOptions] = repeated(2, VlanOptions)  # BRIDGE_VLANDB_GLOBAL_OPTIONS
    event: Member[Event] = event(Event)

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            if values.get("header") is None and values.get("family") is None:
                values["family"] = AF_BRIDGE
            super().__init__(**values)


def _checked(verb: str, record: BridgeVlan) -> BridgeVlan:
    if not record.index:
        raise ValueError(f"to {verb} VLANs needs index, that of a bridge or port")
    if not record.entries and not record.options:
        raise ValueError(f"there are no VLANs to {verb}: entries is empty")
    return record


BRIDGE_VLAN = Object(
    BridgeVlan,
    "bridge_vlan",
    new=Command.NEWVLAN,
    delete=Command.DELVLAN,
    get=Command.GETVLAN,
    can_get=False,
    groups=[RouteGroup.BRVLAN],
    filters={"index": "index"},
    always={"family": AF_BRIDGE},
    check=_checked,
    hints={errno.EOPNOTSUPP: "the link is neither a bridge with VLANs nor one of its ports"},
)
