"""Datapaths, vports, flows, packets, meters and limits of conntrack: linux/openvswitch.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.generic.openvswitch.actions import Action
from netlink.generic.openvswitch.keys import Key, TunnelKey
from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Flag,
    Int,
    Items,
    Member,
    Str,
    Struct,
    View,
    array,
    binary,
    event,
    flag,
    nested,
    packed,
    pad,
    s32,
    sequence,
    string,
    struct,
    u8,
    u16,
    u32,
    u64,
    view,
)

__all__ = [
    "Band",
    "BandType",
    "Datapath",
    "DatapathCommand",
    "DatapathFeatures",
    "DatapathStats",
    "Flow",
    "FlowCommand",
    "FlowStats",
    "Header",
    "Limit",
    "LimitCommand",
    "Limits",
    "MegaflowStats",
    "Meter",
    "MeterCommand",
    "Packet",
    "PacketCommand",
    "UfidFlags",
    "UpcallStats",
    "VXLANExtensions",
    "Vport",
    "VportCommand",
    "VportOptions",
    "VportStats",
    "VportType",
    "Zone",
]


class Header(Struct):
    """The header of all messages (struct ovs_header). dp_ifindex: the index of the datapath's link."""

    dp_ifindex: Int = s32()


# Datapaths


class DatapathCommand(IntEnum):
    """Commands about datapaths (OVS_DP_CMD_*)."""

    NEW = 1  # OVS_DP_CMD_NEW
    DEL = 2  # OVS_DP_CMD_DEL
    GET = 3  # OVS_DP_CMD_GET
    SET = 4  # OVS_DP_CMD_SET


class DatapathFeatures(IntFlag):
    """What the user of a datapath can handle (OVS_DP_F_*)."""

    UNALIGNED = 0x1  # OVS_DP_F_UNALIGNED, messages whose last attribute has no padding
    VPORT_PIDS = 0x2  # OVS_DP_F_VPORT_PIDS, several sockets for a port
    TC_RECIRC_SHARING = 0x4  # OVS_DP_F_TC_RECIRC_SHARING, network cards that continue at a recirc_id
    DISPATCH_UPCALL_PER_CPU = 0x8  # OVS_DP_F_DISPATCH_UPCALL_PER_CPU, a socket for each processor


class DatapathStats(Struct):
    """Counters of packets and flows (struct ovs_dp_stats).

    n_hit: packets that match a flow. n_missed: others. n_lost: those of them that no socket has got. n_flows: flows.
    """

    n_hit: Int = u64()
    n_missed: Int = u64()
    n_lost: Int = u64()
    n_flows: Int = u64()


class MegaflowStats(Struct):
    """Counters of the flow table (struct ovs_dp_megaflow_stats).

    n_mask_hit: masks that were tried. n_masks: masks. n_cache_hit: packets that the cache knew the mask of.
    """

    n_mask_hit: Int = u64()
    n_masks: Int = u32()
    pad0 = pad(4)
    n_cache_hit: Int = u64()
    pad1 = pad(8)


class Datapath(AttributeSet, header=Header, ignore=(6,)):  # OVS_DP_ATTR_PAD
    """A datapath: a switch in the kernel (OVS_DP_ATTR_*).

    dp_ifindex, name: of its link, which is its port 0, `VportType.INTERNAL`. upcall_pid: the port id of the stream that
    gets the upcalls of port 0, 0 for none; in requests alone. per_cpu_pids: port ids by processor, for
    `DatapathFeatures.DISPATCH_UPCALL_PER_CPU`. masks_cache_size: entries, 0 for none. ifindex: for a new one, the index
    that its link shall have. event: what a stream reports.
    """

    dp_ifindex: Int = Header.dp_ifindex
    name: Str = string(1)  # OVS_DP_ATTR_NAME
    upcall_pid: Int = u32(2)  # OVS_DP_ATTR_UPCALL_PID
    stats: Field[DatapathStats | None] = struct(3, DatapathStats)  # OVS_DP_ATTR_STATS
    megaflow_stats: Field[MegaflowStats | None] = struct(4, MegaflowStats)  # OVS_DP_ATTR_MEGAFLOW_STATS
    user_features: Member[DatapathFeatures] = u32(5, enum=DatapathFeatures)  # OVS_DP_ATTR_USER_FEATURES
    masks_cache_size: Int = u32(7)  # OVS_DP_ATTR_MASKS_CACHE_SIZE
    per_cpu_pids: Items[int] = packed(8, u32)  # OVS_DP_ATTR_PER_CPU_PIDS
    ifindex: Int = u32(9)  # OVS_DP_ATTR_IFINDEX
    event: Member[DatapathCommand] = event(DatapathCommand)


# Vports


class VportCommand(IntEnum):
    """Commands about vports (OVS_VPORT_CMD_*)."""

    NEW = 1  # OVS_VPORT_CMD_NEW
    DEL = 2  # OVS_VPORT_CMD_DEL
    GET = 3  # OVS_VPORT_CMD_GET
    SET = 4  # OVS_VPORT_CMD_SET


class VportType(IntEnum):
    """Kinds of vports (OVS_VPORT_TYPE_*)."""

    NETDEV = 1  # OVS_VPORT_TYPE_NETDEV, a link that is there
    INTERNAL = 2  # OVS_VPORT_TYPE_INTERNAL, a link that the datapath makes
    GRE = 3  # OVS_VPORT_TYPE_GRE
    VXLAN = 4  # OVS_VPORT_TYPE_VXLAN
    GENEVE = 5  # OVS_VPORT_TYPE_GENEVE


class VportStats(Struct):
    """Counters of a vport (struct ovs_vport_stats). rx: what the datapath received from it. tx: what it sent to it."""

    rx_packets: Int = u64()
    tx_packets: Int = u64()
    rx_bytes: Int = u64()
    tx_bytes: Int = u64()
    rx_errors: Int = u64()
    tx_errors: Int = u64()
    rx_dropped: Int = u64()
    tx_dropped: Int = u64()


class UpcallStats(AttributeSet, ignore=(7,)):  # OVS_VPORT_ATTR_PAD
    """Counters of a vport's upcalls (OVS_VPORT_UPCALL_ATTR_*): those that a socket got, and those that none did."""

    success: Int = u64(0)  # OVS_VPORT_UPCALL_ATTR_SUCCESS
    fail: Int = u64(1)  # OVS_VPORT_UPCALL_ATTR_FAIL


class VXLANExtensions(AttributeSet):
    """Extensions of a tunnel of VXLAN (OVS_VXLAN_EXT_*). gbp: its packets have a group policy."""

    gbp: Flag = flag(1)  # OVS_VXLAN_EXT_GBP


class VportOptions(AttributeSet):
    """Options of a tunnel (OVS_TUNNEL_ATTR_*). dst_port: of UDP."""

    dst_port: Int = u16(1)  # OVS_TUNNEL_ATTR_DST_PORT
    extension: Field[VXLANExtensions | None] = nested(2, VXLANExtensions)  # OVS_TUNNEL_ATTR_EXTENSION


class Vport(AttributeSet, header=Header, ignore=(7,)):  # OVS_VPORT_ATTR_PAD
    """A vport: a port of a datapath (OVS_VPORT_ATTR_*).

    dp_ifindex: of the datapath. port_no: the number in keys and actions, which the kernel chooses if it is None.
    name: of the link. upcall_pid: port ids of the streams that get its upcalls, (0,) for none; more than one needs
    `DatapathFeatures.VPORT_PIDS`. ifindex: of the link. netnsid: the id of the link's network namespace, if it is in
    another one. event: what a stream reports.
    """

    dp_ifindex: Int = Header.dp_ifindex
    port_no: Int = u32(1)  # OVS_VPORT_ATTR_PORT_NO
    type: Member[VportType] = u32(2, enum=VportType)  # OVS_VPORT_ATTR_TYPE
    name: Str = string(3)  # OVS_VPORT_ATTR_NAME
    options: Field[VportOptions | None] = nested(4, VportOptions)  # OVS_VPORT_ATTR_OPTIONS
    upcall_pid: Items[int] = packed(5, u32)  # OVS_VPORT_ATTR_UPCALL_PID
    stats: Field[VportStats | None] = struct(6, VportStats)  # OVS_VPORT_ATTR_STATS
    ifindex: Int = u32(8)  # OVS_VPORT_ATTR_IFINDEX
    netnsid: Int = s32(9)  # OVS_VPORT_ATTR_NETNSID
    upcall_stats: Field[UpcallStats | None] = nested(10, UpcallStats)  # OVS_VPORT_ATTR_UPCALL_STATS
    event: Member[VportCommand] = event(VportCommand)


# Flows


class FlowCommand(IntEnum):
    """Commands about flows (OVS_FLOW_CMD_*)."""

    NEW = 1  # OVS_FLOW_CMD_NEW
    DEL = 2  # OVS_FLOW_CMD_DEL
    GET = 3  # OVS_FLOW_CMD_GET
    SET = 4  # OVS_FLOW_CMD_SET


class UfidFlags(IntFlag):
    """What a reply about a flow with a ufid leaves out (OVS_UFID_F_*)."""

    OMIT_KEY = 1  # OVS_UFID_F_OMIT_KEY
    OMIT_MASK = 2  # OVS_UFID_F_OMIT_MASK
    OMIT_ACTIONS = 4  # OVS_UFID_F_OMIT_ACTIONS


class FlowStats(Struct):
    """Packets and bytes of a flow, a meter or a band (struct ovs_flow_stats)."""

    n_packets: Int = u64()
    n_bytes: Int = u64()


class Flow(AttributeSet, header=Header, ignore=(11,)):  # OVS_FLOW_ATTR_PAD
    """A flow: what packets it is for, and what happens to them (OVS_FLOW_ATTR_*).

    dp_ifindex: of the datapath. key: what packets have. mask: the bits of the key that count; None for all. actions: in
    their order; an empty tuple drops packets. tcp_flags: all flags that were in its packets. used: the time of the last
    packet, milliseconds of time.CLOCK_MONOTONIC. clear: in a request, counters begin at 0. probe: in a request, a
    refusal has no reason in the kernel's log. ufid: a name of at most 16 bytes, in the place of the key. ufid_flags: in
    a request. event: what a stream reports.
    """

    dp_ifindex: Int = Header.dp_ifindex
    key: Field[Key | None] = nested(1, lambda: Key)  # OVS_FLOW_ATTR_KEY
    actions: Items[Action] = sequence(2, lambda: Action)  # OVS_FLOW_ATTR_ACTIONS
    stats: Field[FlowStats | None] = struct(3, FlowStats)  # OVS_FLOW_ATTR_STATS
    tcp_flags: Int = u8(4)  # OVS_FLOW_ATTR_TCP_FLAGS
    used: Int = u64(5)  # OVS_FLOW_ATTR_USED
    clear: Flag = flag(6)  # OVS_FLOW_ATTR_CLEAR
    mask: Field[Key | None] = nested(7, lambda: Key)  # OVS_FLOW_ATTR_MASK
    probe: Flag = flag(8)  # OVS_FLOW_ATTR_PROBE
    ufid: Bytes = binary(9)  # OVS_FLOW_ATTR_UFID
    ufid_flags: Member[UfidFlags] = u32(10, enum=UfidFlags)  # OVS_FLOW_ATTR_UFID_FLAGS
    event: Member[FlowCommand] = event(FlowCommand)


# Packets


class PacketCommand(IntEnum):
    """Commands about packets (OVS_PACKET_CMD_*)."""

    MISS = 1  # OVS_PACKET_CMD_MISS, no flow matches
    ACTION = 2  # OVS_PACKET_CMD_ACTION, by the action `userspace`
    EXECUTE = 3  # OVS_PACKET_CMD_EXECUTE


class Packet(AttributeSet, header=Header):
    """A packet: an upcall, or one to execute actions on (OVS_PACKET_ATTR_*).

    dp_ifindex: of the datapath. packet: from the Ethernet header on. key: what the kernel found in it, and beside it.
    actions: those to execute; in an upcall, those of the flow. userdata, egress_tun_key: by the action `userspace`.
    probe: a refusal has no reason in the kernel's log. mru: the length of its longest fragment. len: its length before
    it was cut. hash: of the packet, which a program hands back with it. event: why it is there.
    """

    dp_ifindex: Int = Header.dp_ifindex
    packet: View = view(1)  # OVS_PACKET_ATTR_PACKET
    key: Field[Key | None] = nested(2, lambda: Key)  # OVS_PACKET_ATTR_KEY
    actions: Items[Action] = sequence(3, lambda: Action)  # OVS_PACKET_ATTR_ACTIONS
    userdata: Bytes = binary(4)  # OVS_PACKET_ATTR_USERDATA
    egress_tun_key: Field[TunnelKey | None] = nested(5, lambda: TunnelKey)  # OVS_PACKET_ATTR_EGRESS_TUN_KEY
    probe: Flag = flag(8)  # OVS_PACKET_ATTR_PROBE
    mru: Int = u16(9)  # OVS_PACKET_ATTR_MRU
    len: Int = u32(10)  # OVS_PACKET_ATTR_LEN
    hash: Int = u64(11)  # OVS_PACKET_ATTR_HASH
    event: Member[PacketCommand] = event(PacketCommand)


# Meters


class MeterCommand(IntEnum):
    """Commands about meters (OVS_METER_CMD_*)."""

    FEATURES = 1  # OVS_METER_CMD_FEATURES
    SET = 2  # OVS_METER_CMD_SET
    DEL = 3  # OVS_METER_CMD_DEL
    GET = 4  # OVS_METER_CMD_GET


class BandType(IntEnum):
    """What a band does with packets beyond its rate (OVS_METER_BAND_TYPE_*)."""

    DROP = 1  # OVS_METER_BAND_TYPE_DROP


class Band(AttributeSet):
    """A band of a meter: a rate, and what happens beyond it (OVS_BAND_ATTR_*).

    rate: kilobits or packets a second. burst: kilobits or packets at once, beyond the rate. type and rate: in requests
    alone.
    """

    type: Member[BandType] = u32(1, enum=BandType)  # OVS_BAND_ATTR_TYPE
    rate: Int = u32(2)  # OVS_BAND_ATTR_RATE
    burst: Int = u32(3)  # OVS_BAND_ATTR_BURST
    stats: Field[FlowStats | None] = struct(4, FlowStats)  # OVS_BAND_ATTR_STATS


class Meter(AttributeSet, header=Header, ignore=(9,)):  # OVS_METER_ATTR_PAD
    """A meter: what limits the rate of packets (OVS_METER_ATTR_*).

    dp_ifindex: of the datapath. kbps: in requests alone, whether the rates of its bands are kilobits a second instead
    of packets. used: the time of the last packet, milliseconds of time.CLOCK_MONOTONIC. clear: in a request, counters
    begin at 0. max_meters, max_bands: in what `Conn.meter_features` returns.
    """

    dp_ifindex: Int = Header.dp_ifindex
    id: Int = u32(1)  # OVS_METER_ATTR_ID
    kbps: Flag = flag(2)  # OVS_METER_ATTR_KBPS
    stats: Field[FlowStats | None] = struct(3, FlowStats)  # OVS_METER_ATTR_STATS
    bands: Items[Band] = array(4, Band)  # OVS_METER_ATTR_BANDS
    used: Int = u64(5)  # OVS_METER_ATTR_USED
    clear: Flag = flag(6)  # OVS_METER_ATTR_CLEAR
    max_meters: Int = u32(7)  # OVS_METER_ATTR_MAX_METERS
    max_bands: Int = u32(8)  # OVS_METER_ATTR_MAX_BANDS


# Limits of conntrack


class Zone(IntEnum):
    """Zones with a meaning of their own (OVS_ZONE_LIMIT_*)."""

    DEFAULT = -1  # OVS_ZONE_LIMIT_DEFAULT_ZONE, all zones that have no limit of their own


class LimitCommand(IntEnum):
    """Commands about limits of conntrack (OVS_CT_LIMIT_CMD_*)."""

    SET = 1  # OVS_CT_LIMIT_CMD_SET
    DEL = 2  # OVS_CT_LIMIT_CMD_DEL
    GET = 3  # OVS_CT_LIMIT_CMD_GET


class Limit(Struct):
    """The limit of a zone (struct ovs_zone_limit).

    zone_id: from 0 to 65535, or `Zone.DEFAULT`. limit: connections, 0 for any number.
    count: connections that are there.
    """

    zone_id: Int = s32()
    limit: Int = u32()
    count: Int = u32()


class Limits(AttributeSet, header=Header):
    """Limits of conntrack (OVS_CT_LIMIT_ATTR_*). They are those of the network namespace: dp_ifindex has no meaning."""

    dp_ifindex: Int = Header.dp_ifindex
    zone_limit: Items[Limit] = packed(1, Limit)  # OVS_CT_LIMIT_ATTR_ZONE_LIMIT
