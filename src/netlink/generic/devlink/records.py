"""The objects of devlink as records: linux/devlink.h."""

from __future__ import annotations

from netlink.generic.devlink.enums import (
    Command,
    DpipeActionType,
    DpipeFieldMapping,
    DpipeMatchType,
    EswitchEncap,
    EswitchInline,
    EswitchMode,
    FlashOverwrite,
    FunctionCap,
    FunctionOpstate,
    FunctionState,
    LinecardState,
    ParamMode,
    PoolType,
    PortFlavour,
    PortType,
    RateType,
    ReloadAction,
    ReloadActions,
    ReloadLimit,
    ReloadLimits,
    ReporterState,
    ResourceUnit,
    SelftestId,
    SelftestStatus,
    ThresholdType,
    TrapAction,
    TrapType,
    VarType,
)
from netlink.generic.devlink.fmsg import FmsgItem
from netlink.generic.devlink.values import Value, decoded
from netlink.schema import (
    AttributeSet,
    Bits,
    Bytes,
    Field,
    Flag,
    Int,
    Items,
    Member,
    Str,
    binary,
    bitfield32,
    event,
    flag,
    lladdr,
    nested,
    repeated,
    sequence,
    string,
    u8,
    u16,
    u32,
    u64,
)

__all__ = [
    "Chunk",
    "Chunks",
    "Device",
    "Dpipe",
    "DpipeAction",
    "DpipeActionValue",
    "DpipeEntry",
    "DpipeField",
    "DpipeHeader",
    "DpipeMatch",
    "DpipeMatchValue",
    "DpipeTable",
    "Eswitch",
    "FlashRequest",
    "FlashStatus",
    "Fmsg",
    "Info",
    "InfoVersion",
    "Linecard",
    "NestedDevice",
    "OfDevice",
    "OfPort",
    "Param",
    "ParamRequest",
    "ParamValue",
    "Pool",
    "Port",
    "PortFunction",
    "PortPool",
    "Rate",
    "RateTcBw",
    "Region",
    "RegionRequest",
    "ReloadInfo",
    "ReloadRequest",
    "ReloadStat",
    "Reloaded",
    "Reporter",
    "ReporterRequest",
    "Resource",
    "ResourceRequest",
    "Resources",
    "SelftestResult",
    "SelftestResults",
    "Selftests",
    "SharedBuffer",
    "Snapshot",
    "TcBind",
    "Trap",
    "TrapGroup",
    "TrapPolicer",
]


class OfDevice(AttributeSet):
    """What belongs to a device: the base of records, and by itself a request for a device."""

    bus_name: Str = string(1)  # DEVLINK_ATTR_BUS_NAME
    dev_name: Str = string(2)  # DEVLINK_ATTR_DEV_NAME

    @property
    def handle(self) -> str:
        """The name of the device, or of its port: "pci/0000:01:00.0", "pci/0000:01:00.0/1"."""
        return f"{self.bus_name}/{self.dev_name}"


class OfPort(OfDevice):
    """What belongs to a port: the base of records, and by itself a request for a port.

    port_index: its number in the device. None for what belongs to the device as a whole.
    """

    port_index: Int = u32(3)  # DEVLINK_ATTR_PORT_INDEX

    @property
    def handle(self) -> str:
        """The name of the port: "pci/0000:01:00.0/1". That of the device if port_index is None."""
        device = super().handle
        return device if self.port_index is None else f"{device}/{self.port_index}"


# Devices


class ReloadStat(AttributeSet):
    """A count of reloads (DEVLINK_ATTR_RELOAD_STATS_*). limit: under which they were. value: how many."""

    limit: Member[ReloadLimit] = u8(159, enum=ReloadLimit)  # DEVLINK_ATTR_RELOAD_STATS_LIMIT
    value: Int = u32(160)  # DEVLINK_ATTR_RELOAD_STATS_VALUE


class ReloadInfo(AttributeSet):
    """How often an action of reloads was done (DEVLINK_ATTR_RELOAD_ACTION_INFO)."""

    action: Member[ReloadAction] = u8(153, enum=ReloadAction)  # DEVLINK_ATTR_RELOAD_ACTION
    stats: Items[ReloadStat] = repeated(
        (163, 158), ReloadStat
    )  # DEVLINK_ATTR_RELOAD_ACTION_STATS, DEVLINK_ATTR_RELOAD_STATS_ENTRY


class Device(OfDevice):
    """A device (DEVLINK_ATTR_*).

    reload_failed: 1 if the last reload failed: the device does not work until one succeeds. reloads: those of this
    host. remote_reloads: those of other hosts that have a function of the card. event: NEW or DEL, of a stream.
    """

    reload_failed: Int = u8(136)  # DEVLINK_ATTR_RELOAD_FAILED
    reloads: Items[ReloadInfo] = repeated((156, 157, 162), ReloadInfo)
    remote_reloads: Items[ReloadInfo] = repeated((156, 161, 162), ReloadInfo)
    event: Member[Command] = event(Command)


class InfoVersion(AttributeSet):
    """The version of a component (DEVLINK_ATTR_INFO_VERSION_*). name: such as "fw" or "fw.mgmt"."""

    name: Str = string(103)  # DEVLINK_ATTR_INFO_VERSION_NAME
    value: Str = string(104)  # DEVLINK_ATTR_INFO_VERSION_VALUE


class Info(OfDevice):
    """What a device is (DEVLINK_ATTR_INFO_*).

    driver: its name. serial_number, board_serial_number: of the device and of its board. fixed: versions that never
    change. running: what runs. stored: what is in the flash, and runs after a reset.
    """

    driver: Str = string(98)  # DEVLINK_ATTR_INFO_DRIVER_NAME
    serial_number: Str = string(99)  # DEVLINK_ATTR_INFO_SERIAL_NUMBER
    board_serial_number: Str = string(146)  # DEVLINK_ATTR_INFO_BOARD_SERIAL_NUMBER
    fixed: Items[InfoVersion] = repeated(100, InfoVersion)  # DEVLINK_ATTR_INFO_VERSION_FIXED
    running: Items[InfoVersion] = repeated(101, InfoVersion)  # DEVLINK_ATTR_INFO_VERSION_RUNNING
    stored: Items[InfoVersion] = repeated(102, InfoVersion)  # DEVLINK_ATTR_INFO_VERSION_STORED


class ReloadRequest(OfDevice):
    """A request for a reload. netns_fd, netns_pid, netns_id: of the network namespace to move to."""

    action: Member[ReloadAction] = u8(153, enum=ReloadAction)  # DEVLINK_ATTR_RELOAD_ACTION
    limits: Bits = bitfield32(155, enum=ReloadLimits)  # DEVLINK_ATTR_RELOAD_LIMITS
    netns_fd: Int = u32(138)  # DEVLINK_ATTR_NETNS_FD
    netns_pid: Int = u32(139)  # DEVLINK_ATTR_NETNS_PID
    netns_id: Int = u32(140)  # DEVLINK_ATTR_NETNS_ID


class Reloaded(OfDevice):
    """The answer to a request for a reload."""

    performed: Bits = bitfield32(154, enum=ReloadActions)  # DEVLINK_ATTR_RELOAD_ACTIONS_PERFORMED


class FlashRequest(OfDevice):
    """A request to write the flash. file_name: relative to /lib/firmware. component: of the versions of `Info`."""

    file_name: Str = string(122)  # DEVLINK_ATTR_FLASH_UPDATE_FILE_NAME
    component: Str = string(123)  # DEVLINK_ATTR_FLASH_UPDATE_COMPONENT
    overwrite: Bits = bitfield32(152, enum=FlashOverwrite)  # DEVLINK_ATTR_FLASH_UPDATE_OVERWRITE_MASK


class FlashStatus(OfDevice):
    """How far a flash is, from a stream (DEVLINK_ATTR_FLASH_UPDATE_STATUS_*).

    file_name: at the begin. component: what is written now. message: what is done. done, total: how much of it, often
    in bytes; 0 if the driver does not say. timeout: seconds that the step may take. event: FLASH_UPDATE at the begin,
    FLASH_UPDATE_STATUS, or FLASH_UPDATE_END.
    """

    file_name: Str = string(122)  # DEVLINK_ATTR_FLASH_UPDATE_FILE_NAME
    component: Str = string(123)  # DEVLINK_ATTR_FLASH_UPDATE_COMPONENT
    message: Str = string(124)  # DEVLINK_ATTR_FLASH_UPDATE_STATUS_MSG
    done: Int = u64(125)  # DEVLINK_ATTR_FLASH_UPDATE_STATUS_DONE
    total: Int = u64(126)  # DEVLINK_ATTR_FLASH_UPDATE_STATUS_TOTAL
    timeout: Int = u64(151)  # DEVLINK_ATTR_FLASH_UPDATE_STATUS_TIMEOUT
    event: Member[Command] = event(Command)


class SelftestResult(AttributeSet):
    """The result of a test (DEVLINK_ATTR_SELFTEST_RESULT_*)."""

    id: Member[SelftestId] = u32(2, enum=SelftestId)  # DEVLINK_ATTR_SELFTEST_RESULT_ID
    status: Member[SelftestStatus] = u8(3, enum=SelftestStatus)  # DEVLINK_ATTR_SELFTEST_RESULT_STATUS


class Selftests(OfDevice):
    """The tests that a device has, or that a request asks for."""

    flash: Flag = flag((176, 1))  # DEVLINK_ATTR_SELFTESTS, DEVLINK_ATTR_SELFTEST_ID_FLASH


class SelftestResults(OfDevice):
    """What tests found."""

    results: Items[SelftestResult] = repeated(
        (176, 1), SelftestResult
    )  # DEVLINK_ATTR_SELFTESTS, DEVLINK_ATTR_SELFTEST_RESULT


class Eswitch(OfDevice):
    """How a card forwards between its functions (DEVLINK_ATTR_ESWITCH_*)."""

    mode: Member[EswitchMode] = u16(25, enum=EswitchMode)  # DEVLINK_ATTR_ESWITCH_MODE
    inline_mode: Member[EswitchInline] = u8(26, enum=EswitchInline)  # DEVLINK_ATTR_ESWITCH_INLINE_MODE
    encap_mode: Member[EswitchEncap] = u8(62, enum=EswitchEncap)  # DEVLINK_ATTR_ESWITCH_ENCAP_MODE


class NestedDevice(AttributeSet):
    """A device in another one, such as that of a line card.

    netns_id: of its network namespace, if that is another one.
    """

    bus_name: Str = string(1)  # DEVLINK_ATTR_BUS_NAME
    dev_name: Str = string(2)  # DEVLINK_ATTR_DEV_NAME
    netns_id: Int = u32(140)  # DEVLINK_ATTR_NETNS_ID


# Ports


class PortFunction(AttributeSet):
    """The function that a port leads to (DEVLINK_PORT_FN_ATTR_*).

    hw_addr: its link-layer address. state: INACTIVE or ACTIVE. opstate: whether a driver has it. caps: what it may do.
    device: its own devlink device. max_io_eqs: the number of its event queues.
    """

    hw_addr: Str = lladdr(1)  # DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR
    state: Member[FunctionState] = u8(2, enum=FunctionState)  # DEVLINK_PORT_FN_ATTR_STATE
    opstate: Member[FunctionOpstate] = u8(3, enum=FunctionOpstate)  # DEVLINK_PORT_FN_ATTR_OPSTATE
    caps: Bits = bitfield32(4, enum=FunctionCap)  # DEVLINK_PORT_FN_ATTR_CAPS
    device: Field[NestedDevice | None] = nested(5, NestedDevice)  # DEVLINK_PORT_FN_ATTR_DEVLINK
    max_io_eqs: Int = u32(6)  # DEVLINK_PORT_FN_ATTR_MAX_IO_EQS


class Port(OfPort):
    """A port (DEVLINK_ATTR_PORT_*).

    type: what it is. desired_type: what it shall be. netdev_ifindex, netdev_name: of its link; None if that is in
    another network namespace. ibdev_name: of its InfiniBand device. split_count: into how many ports it is to be split.
    split_group: of the ports that were one. flavour: what it stands for. number, subport: as on the front panel.
    pf, vf, sf, controller: numbers of the function and of the PCI controller that it leads to. lanes: how many it has.
    splittable, external: 1 or 0. function: what it leads to. linecard: the number of its line card.
    event: PORT_NEW or PORT_DEL, of a stream.
    """

    type: Member[PortType] = u16(4, enum=PortType)  # DEVLINK_ATTR_PORT_TYPE
    desired_type: Member[PortType] = u16(5, enum=PortType)  # DEVLINK_ATTR_PORT_DESIRED_TYPE
    netdev_ifindex: Int = u32(6)  # DEVLINK_ATTR_PORT_NETDEV_IFINDEX
    netdev_name: Str = string(7)  # DEVLINK_ATTR_PORT_NETDEV_NAME
    ibdev_name: Str = string(8)  # DEVLINK_ATTR_PORT_IBDEV_NAME
    split_count: Int = u32(9)  # DEVLINK_ATTR_PORT_SPLIT_COUNT
    split_group: Int = u32(10)  # DEVLINK_ATTR_PORT_SPLIT_GROUP
    flavour: Member[PortFlavour] = u16(77, enum=PortFlavour)  # DEVLINK_ATTR_PORT_FLAVOUR
    number: Int = u32(78)  # DEVLINK_ATTR_PORT_NUMBER
    subport: Int = u32(79)  # DEVLINK_ATTR_PORT_SPLIT_SUBPORT_NUMBER
    pf: Int = u16(127)  # DEVLINK_ATTR_PORT_PCI_PF_NUMBER
    vf: Int = u16(128)  # DEVLINK_ATTR_PORT_PCI_VF_NUMBER
    sf: Int = u32(164)  # DEVLINK_ATTR_PORT_PCI_SF_NUMBER
    controller: Int = u32(150)  # DEVLINK_ATTR_PORT_CONTROLLER_NUMBER
    lanes: Int = u32(147)  # DEVLINK_ATTR_PORT_LANES
    splittable: Int = u8(148)  # DEVLINK_ATTR_PORT_SPLITTABLE
    external: Int = u8(149)  # DEVLINK_ATTR_PORT_EXTERNAL
    function: Field[PortFunction | None] = nested(145, PortFunction)  # DEVLINK_ATTR_PORT_FUNCTION
    linecard: Int = u32(171)  # DEVLINK_ATTR_LINECARD_INDEX
    event: Member[Command] = event(Command)


class Linecard(OfDevice):
    """A line card (DEVLINK_ATTR_LINECARD_*).

    index: its number. type: what it is provisioned as, "" for nothing in a request. supported_types: what it can be.
    device: its own devlink device. event: LINECARD_NEW or LINECARD_DEL, of a stream.
    """

    index: Int = u32(171)  # DEVLINK_ATTR_LINECARD_INDEX
    state: Member[LinecardState] = u8(172, enum=LinecardState)  # DEVLINK_ATTR_LINECARD_STATE
    type: Str = string(173)  # DEVLINK_ATTR_LINECARD_TYPE
    supported_types: Items[str] = repeated(
        (174, 173), string
    )  # DEVLINK_ATTR_LINECARD_SUPPORTED_TYPES, DEVLINK_ATTR_LINECARD_TYPE
    device: Field[NestedDevice | None] = nested(175, NestedDevice)  # DEVLINK_ATTR_NESTED_DEVLINK
    event: Member[Command] = event(Command)


class RateTcBw(AttributeSet):
    """The share of a traffic class in a rate, Linux 6.17 (DEVLINK_RATE_TC_ATTR_*). bw: parts of all of them."""

    index: Int = u8(1)  # DEVLINK_RATE_TC_ATTR_INDEX
    bw: Int = u32(2)  # DEVLINK_RATE_TC_ATTR_BW


class Rate(OfPort):
    """The limits of what a port, or a node as a group of them, sends (DEVLINK_ATTR_RATE_*).

    port_index: of a leaf. node_name: of a node. parent: the name of the node that it is in, "" for none in a request.
    tx_share: bytes a second that it has in any case. tx_max: bytes a second at most, 0 for no limit. priority: among
    the siblings. weight: among those of the same priority. tc_bws: of its traffic classes.
    event: RATE_NEW or RATE_DEL, of a stream.
    """

    type: Member[RateType] = u16(165, enum=RateType)  # DEVLINK_ATTR_RATE_TYPE
    node_name: Str = string(168)  # DEVLINK_ATTR_RATE_NODE_NAME
    parent: Str = string(169)  # DEVLINK_ATTR_RATE_PARENT_NODE_NAME
    tx_share: Int = u64(166)  # DEVLINK_ATTR_RATE_TX_SHARE
    tx_max: Int = u64(167)  # DEVLINK_ATTR_RATE_TX_MAX
    priority: Int = u32(177)  # DEVLINK_ATTR_RATE_TX_PRIORITY
    weight: Int = u32(178)  # DEVLINK_ATTR_RATE_TX_WEIGHT
    tc_bws: Items[RateTcBw] = repeated(180, RateTcBw)  # DEVLINK_ATTR_RATE_TC_BWS
    event: Member[Command] = event(Command)


# Parameters


class ParamValue(AttributeSet):
    """A value of a parameter, as bytes (DEVLINK_ATTR_PARAM_VALUE_*). data: None for a flag that is off."""

    data: Bytes = binary(86)  # DEVLINK_ATTR_PARAM_VALUE_DATA
    mode: Member[ParamMode] = u8(87, enum=ParamMode)  # DEVLINK_ATTR_PARAM_VALUE_CMODE


class Param(OfPort):
    """A parameter of a device or a port (DEVLINK_ATTR_PARAM_*).

    generic: whether drivers share the parameter. type: of its values. values: as bytes, one for each mode that it has.
    `runtime`, `driverinit` and `permanent` are the values. event: PARAM_NEW, PARAM_DEL, or PORT_PARAM_NEW,
    PORT_PARAM_DEL, of a stream.
    """

    name: Str = string((80, 81))  # DEVLINK_ATTR_PARAM, DEVLINK_ATTR_PARAM_NAME
    generic: Flag = flag((80, 82))  # DEVLINK_ATTR_PARAM, DEVLINK_ATTR_PARAM_GENERIC
    type: Member[VarType] = u8((80, 83), enum=VarType)  # DEVLINK_ATTR_PARAM, DEVLINK_ATTR_PARAM_TYPE
    values: Items[ParamValue] = repeated((80, 84, 85), ParamValue)
    event: Member[Command] = event(Command)

    def value(self, mode: ParamMode) -> Value | None:
        """The value in a mode: an int, bool or str. None if the parameter is not in that mode."""
        for each in self.values or ():
            if each.mode == mode:
                if each.data is None:
                    return False if self.type == VarType.FLAG else None
                return decoded(self.type, each.data)
        return None

    @property
    def runtime(self) -> Value | None:
        """The value that counts at once. None if there is none."""
        return self.value(ParamMode.RUNTIME)

    @property
    def driverinit(self) -> Value | None:
        """The value that counts from the next reload on. None if there is none."""
        return self.value(ParamMode.DRIVERINIT)

    @property
    def permanent(self) -> Value | None:
        """The value in the device's memory. None if there is none."""
        return self.value(ParamMode.PERMANENT)


class ParamRequest(OfPort):
    """A request for a parameter, or to change it."""

    name: Str = string(81)  # DEVLINK_ATTR_PARAM_NAME
    type: Member[VarType] = u8(83, enum=VarType)  # DEVLINK_ATTR_PARAM_TYPE
    data: Bytes = binary(86)  # DEVLINK_ATTR_PARAM_VALUE_DATA
    mode: Member[ParamMode] = u8(87, enum=ParamMode)  # DEVLINK_ATTR_PARAM_VALUE_CMODE


# Health


class Reporter(OfPort):
    """A health reporter: what watches a part of a device or port (DEVLINK_ATTR_HEALTH_REPORTER_*).

    state: HEALTHY or ERROR. error_count, recover_count: since the driver began. dump_time: when its dump was taken, in
    nanoseconds since 1970; None if it has none. dump_jiffies: the same in the kernel's own count. grace_period,
    burst_period: milliseconds after a recovery without, and with, another one by itself. auto_recover, auto_dump: 1 if
    it recovers, and takes a dump, by itself. event: HEALTH_REPORTER_RECOVER, of a stream.
    """

    name: Str = string((114, 115))  # DEVLINK_ATTR_HEALTH_REPORTER, DEVLINK_ATTR_HEALTH_REPORTER_NAME
    state: Member[ReporterState] = u8(
        (114, 116), enum=ReporterState
    )  # DEVLINK_ATTR_HEALTH_REPORTER, DEVLINK_ATTR_HEALTH_REPORTER_STATE
    error_count: Int = u64((114, 117))  # DEVLINK_ATTR_HEALTH_REPORTER, DEVLINK_ATTR_HEALTH_REPORTER_ERR_COUNT
    recover_count: Int = u64((114, 118))  # DEVLINK_ATTR_HEALTH_REPORTER, DEVLINK_ATTR_HEALTH_REPORTER_RECOVER_COUNT
    dump_jiffies: Int = u64((114, 119))  # DEVLINK_ATTR_HEALTH_REPORTER, DEVLINK_ATTR_HEALTH_REPORTER_DUMP_TS
    dump_time: Int = u64((114, 137))  # DEVLINK_ATTR_HEALTH_REPORTER, DEVLINK_ATTR_HEALTH_REPORTER_DUMP_TS_NS
    grace_period: Int = u64((114, 120))  # DEVLINK_ATTR_HEALTH_REPORTER, DEVLINK_ATTR_HEALTH_REPORTER_GRACEFUL_PERIOD
    burst_period: Int = u64((114, 181))  # DEVLINK_ATTR_HEALTH_REPORTER, DEVLINK_ATTR_HEALTH_REPORTER_BURST_PERIOD
    auto_recover: Int = u8((114, 121))  # DEVLINK_ATTR_HEALTH_REPORTER, DEVLINK_ATTR_HEALTH_REPORTER_AUTO_RECOVER
    auto_dump: Int = u8((114, 141))  # DEVLINK_ATTR_HEALTH_REPORTER, DEVLINK_ATTR_HEALTH_REPORTER_AUTO_DUMP
    event: Member[Command] = event(Command)


class ReporterRequest(OfPort):
    """A request for a health reporter, or to change it."""

    name: Str = string(115)  # DEVLINK_ATTR_HEALTH_REPORTER_NAME
    grace_period: Int = u64(120)  # DEVLINK_ATTR_HEALTH_REPORTER_GRACEFUL_PERIOD
    burst_period: Int = u64(181)  # DEVLINK_ATTR_HEALTH_REPORTER_BURST_PERIOD
    auto_recover: Int = u8(121)  # DEVLINK_ATTR_HEALTH_REPORTER_AUTO_RECOVER
    auto_dump: Int = u8(141)  # DEVLINK_ATTR_HEALTH_REPORTER_AUTO_DUMP


class Fmsg(AttributeSet):
    """A message of what a reporter says, with some of its items."""

    items: Items[FmsgItem] = sequence(106, FmsgItem)  # DEVLINK_ATTR_FMSG


# Regions


class Snapshot(AttributeSet):
    """A snapshot of a region, by its number."""

    id: Int = u32(92)  # DEVLINK_ATTR_REGION_SNAPSHOT_ID


class Region(OfPort):
    """Memory of a device that can be read (DEVLINK_ATTR_REGION_*).

    size: bytes. snapshots: copies of it. max_snapshots: how many there can be. snapshot: of an event alone, the
    snapshot that is new or gone. event: REGION_NEW or REGION_DEL, of a stream.
    """

    name: Str = string(88)  # DEVLINK_ATTR_REGION_NAME
    size: Int = u64(89)  # DEVLINK_ATTR_REGION_SIZE
    snapshots: Items[Snapshot] = repeated(
        (90, 91), Snapshot
    )  # DEVLINK_ATTR_REGION_SNAPSHOTS, DEVLINK_ATTR_REGION_SNAPSHOT
    max_snapshots: Int = u32(170)  # DEVLINK_ATTR_REGION_MAX_SNAPSHOTS
    snapshot: Int = u32(92)  # DEVLINK_ATTR_REGION_SNAPSHOT_ID
    event: Member[Command] = event(Command)


class RegionRequest(OfPort):
    """A request for a region, a snapshot of it, or what is in them."""

    name: Str = string(88)  # DEVLINK_ATTR_REGION_NAME
    snapshot: Int = u32(92)  # DEVLINK_ATTR_REGION_SNAPSHOT_ID
    direct: Flag = flag(179)  # DEVLINK_ATTR_REGION_DIRECT
    address: Int = u64(96)  # DEVLINK_ATTR_REGION_CHUNK_ADDR
    length: Int = u64(97)  # DEVLINK_ATTR_REGION_CHUNK_LEN


class Chunk(AttributeSet):
    """A part of what is in a region."""

    data: Bytes = binary(95)  # DEVLINK_ATTR_REGION_CHUNK_DATA
    address: Int = u64(96)  # DEVLINK_ATTR_REGION_CHUNK_ADDR


class Chunks(OfPort):
    """A message of what is in a region."""

    chunks: Items[Chunk] = repeated((93, 94), Chunk)  # DEVLINK_ATTR_REGION_CHUNKS, DEVLINK_ATTR_REGION_CHUNK


# Traps


class Trap(OfDevice):
    """A reason why a device gives packets to the system, or drops them (DEVLINK_ATTR_TRAP_*).

    name: such as "ttl_value_is_too_small". type: what it is for. action: what becomes of the packets. generic: whether
    drivers share it. group: the name of its `TrapGroup`. in_port, fa_cookie: whether reports have the port, and the
    cookie of the flow. rx_packets, rx_bytes: that the system got. rx_dropped: that the device dropped.
    event: TRAP_NEW or TRAP_DEL, of a stream.
    """

    name: Str = string(130)  # DEVLINK_ATTR_TRAP_NAME
    type: Member[TrapType] = u8(132, enum=TrapType)  # DEVLINK_ATTR_TRAP_TYPE
    action: Member[TrapAction] = u8(131, enum=TrapAction)  # DEVLINK_ATTR_TRAP_ACTION
    generic: Flag = flag(133)  # DEVLINK_ATTR_TRAP_GENERIC
    group: Str = string(135)  # DEVLINK_ATTR_TRAP_GROUP_NAME
    in_port: Flag = flag((134, 0))  # DEVLINK_ATTR_TRAP_METADATA, DEVLINK_ATTR_TRAP_METADATA_TYPE_IN_PORT
    fa_cookie: Flag = flag((134, 1))  # DEVLINK_ATTR_TRAP_METADATA, DEVLINK_ATTR_TRAP_METADATA_TYPE_FA_COOKIE
    rx_packets: Int = u64((129, 0))  # DEVLINK_ATTR_STATS, DEVLINK_ATTR_STATS_RX_PACKETS
    rx_bytes: Int = u64((129, 1))  # DEVLINK_ATTR_STATS, DEVLINK_ATTR_STATS_RX_BYTES
    rx_dropped: Int = u64((129, 2))  # DEVLINK_ATTR_STATS, DEVLINK_ATTR_STATS_RX_DROPPED
    event: Member[Command] = event(Command)


class TrapGroup(OfDevice):
    """Traps that belong together (DEVLINK_ATTR_TRAP_GROUP_NAME).

    policer: the number of the `TrapPolicer` that limits what the system gets of them, 0 for none in a request.
    action: of a request, for all traps of the group whose action can change. rx_packets, rx_bytes: that the system got.
    rx_dropped: that the device dropped. event: TRAP_GROUP_NEW or TRAP_GROUP_DEL, of a stream.
    """

    name: Str = string(135)  # DEVLINK_ATTR_TRAP_GROUP_NAME
    generic: Flag = flag(133)  # DEVLINK_ATTR_TRAP_GENERIC
    policer: Int = u32(142)  # DEVLINK_ATTR_TRAP_POLICER_ID
    action: Member[TrapAction] = u8(131, enum=TrapAction)  # DEVLINK_ATTR_TRAP_ACTION
    rx_packets: Int = u64((129, 0))  # DEVLINK_ATTR_STATS, DEVLINK_ATTR_STATS_RX_PACKETS
    rx_bytes: Int = u64((129, 1))  # DEVLINK_ATTR_STATS, DEVLINK_ATTR_STATS_RX_BYTES
    rx_dropped: Int = u64((129, 2))  # DEVLINK_ATTR_STATS, DEVLINK_ATTR_STATS_RX_DROPPED
    event: Member[Command] = event(Command)


class TrapPolicer(OfDevice):
    """What limits trapped packets (DEVLINK_ATTR_TRAP_POLICER_*).

    rate: packets a second. burst: packets at once. rx_dropped: that it dropped.
    event: TRAP_POLICER_NEW or TRAP_POLICER_DEL, of a stream.
    """

    id: Int = u32(142)  # DEVLINK_ATTR_TRAP_POLICER_ID
    rate: Int = u64(143)  # DEVLINK_ATTR_TRAP_POLICER_RATE
    burst: Int = u64(144)  # DEVLINK_ATTR_TRAP_POLICER_BURST
    rx_dropped: Int = u64((129, 2))  # DEVLINK_ATTR_STATS, DEVLINK_ATTR_STATS_RX_DROPPED
    event: Member[Command] = event(Command)


# Shared buffers


class SharedBuffer(OfDevice):
    """A buffer that ports share (DEVLINK_ATTR_SB_*). size: bytes. The counts are of pools and of traffic classes."""

    index: Int = u32(11)  # DEVLINK_ATTR_SB_INDEX
    size: Int = u32(12)  # DEVLINK_ATTR_SB_SIZE
    ingress_pools: Int = u16(13)  # DEVLINK_ATTR_SB_INGRESS_POOL_COUNT
    egress_pools: Int = u16(14)  # DEVLINK_ATTR_SB_EGRESS_POOL_COUNT
    ingress_tcs: Int = u16(15)  # DEVLINK_ATTR_SB_INGRESS_TC_COUNT
    egress_tcs: Int = u16(16)  # DEVLINK_ATTR_SB_EGRESS_TC_COUNT


class Pool(OfDevice):
    """A part of a shared buffer (DEVLINK_ATTR_SB_POOL_*).

    sb: the number of the buffer. size: bytes. threshold_type: what thresholds in it are. cell_size: bytes of its unit.
    """

    sb: Int = u32(11)  # DEVLINK_ATTR_SB_INDEX
    index: Int = u16(17)  # DEVLINK_ATTR_SB_POOL_INDEX
    type: Member[PoolType] = u8(18, enum=PoolType)  # DEVLINK_ATTR_SB_POOL_TYPE
    size: Int = u32(19)  # DEVLINK_ATTR_SB_POOL_SIZE
    threshold_type: Member[ThresholdType] = u8(20, enum=ThresholdType)  # DEVLINK_ATTR_SB_POOL_THRESHOLD_TYPE
    cell_size: Int = u32(105)  # DEVLINK_ATTR_SB_POOL_CELL_SIZE


class PortPool(OfPort):
    """What a port may have of a pool (DEVLINK_ATTR_SB_*).

    sb, pool: numbers of the buffer and of the pool. threshold: of the pool's threshold_type. occ_cur, occ_max: bytes in
    use at the last `snapshot_occupancy`, and the most that there were.
    """

    sb: Int = u32(11)  # DEVLINK_ATTR_SB_INDEX
    pool: Int = u16(17)  # DEVLINK_ATTR_SB_POOL_INDEX
    threshold: Int = u32(21)  # DEVLINK_ATTR_SB_THRESHOLD
    occ_cur: Int = u32(23)  # DEVLINK_ATTR_SB_OCC_CUR
    occ_max: Int = u32(24)  # DEVLINK_ATTR_SB_OCC_MAX


class TcBind(OfPort):
    """Which pool a traffic class of a port has, and what it may have of it (DEVLINK_ATTR_SB_*).

    tc: the number of the class. type: INGRESS or EGRESS. All else as `PortPool`.
    """

    sb: Int = u32(11)  # DEVLINK_ATTR_SB_INDEX
    tc: Int = u16(22)  # DEVLINK_ATTR_SB_TC_INDEX
    type: Member[PoolType] = u8(18, enum=PoolType)  # DEVLINK_ATTR_SB_POOL_TYPE
    pool: Int = u16(17)  # DEVLINK_ATTR_SB_POOL_INDEX
    threshold: Int = u32(21)  # DEVLINK_ATTR_SB_THRESHOLD
    occ_cur: Int = u32(23)  # DEVLINK_ATTR_SB_OCC_CUR
    occ_max: Int = u32(24)  # DEVLINK_ATTR_SB_OCC_MAX


# Resources and the pipeline


class Resource(AttributeSet):
    """A resource of a device, such as the entries of a table, and those that it is divided into.

    size: how many units, now; 2 ** 64 - 1 for no limit. size_new: after the next reload. size_valid: 1 if the sizes of
    its parts fit in size_new. size_min, size_max: what size can be; size_gran: of which it is a multiple. occ: units in
    use. resources: its parts.
    """

    name: Str = string(65)  # DEVLINK_ATTR_RESOURCE_NAME
    id: Int = u64(66)  # DEVLINK_ATTR_RESOURCE_ID
    size: Int = u64(67)  # DEVLINK_ATTR_RESOURCE_SIZE
    size_new: Int = u64(68)  # DEVLINK_ATTR_RESOURCE_SIZE_NEW
    size_valid: Int = u8(69)  # DEVLINK_ATTR_RESOURCE_SIZE_VALID
    size_min: Int = u64(70)  # DEVLINK_ATTR_RESOURCE_SIZE_MIN
    size_max: Int = u64(71)  # DEVLINK_ATTR_RESOURCE_SIZE_MAX
    size_gran: Int = u64(72)  # DEVLINK_ATTR_RESOURCE_SIZE_GRAN
    unit: Member[ResourceUnit] = u8(73, enum=ResourceUnit)  # DEVLINK_ATTR_RESOURCE_UNIT
    occ: Int = u64(74)  # DEVLINK_ATTR_RESOURCE_OCC
    resources: Items[Resource] = repeated(
        (63, 64), lambda: Resource
    )  # DEVLINK_ATTR_RESOURCE_LIST, DEVLINK_ATTR_RESOURCE


class Resources(OfDevice):
    """A message of resources."""

    resources: Items[Resource] = repeated((63, 64), Resource)  # DEVLINK_ATTR_RESOURCE_LIST, DEVLINK_ATTR_RESOURCE


class ResourceRequest(OfDevice):
    """A request to change the size of a resource."""

    id: Int = u64(66)  # DEVLINK_ATTR_RESOURCE_ID
    size: Int = u64(67)  # DEVLINK_ATTR_RESOURCE_SIZE


class DpipeMatch(AttributeSet):
    """A field of a header that a table compares.

    header_id: of the `DpipeHeader`; of `DpipeHeaderId` if header_global is 1. header_index: which of several such
    headers of a packet. field_id: of the `DpipeField`.
    """

    type: Member[DpipeMatchType] = u32(42, enum=DpipeMatchType)  # DEVLINK_ATTR_DPIPE_MATCH_TYPE
    header_id: Int = u32(52)  # DEVLINK_ATTR_DPIPE_HEADER_ID
    header_global: Int = u8(54)  # DEVLINK_ATTR_DPIPE_HEADER_GLOBAL
    header_index: Int = u32(55)  # DEVLINK_ATTR_DPIPE_HEADER_INDEX
    field_id: Int = u32(58)  # DEVLINK_ATTR_DPIPE_FIELD_ID


class DpipeAction(AttributeSet):
    """A field of a header that a table changes. All else as `DpipeMatch`."""

    type: Member[DpipeActionType] = u32(45, enum=DpipeActionType)  # DEVLINK_ATTR_DPIPE_ACTION_TYPE
    header_id: Int = u32(52)  # DEVLINK_ATTR_DPIPE_HEADER_ID
    header_global: Int = u8(54)  # DEVLINK_ATTR_DPIPE_HEADER_GLOBAL
    header_index: Int = u32(55)  # DEVLINK_ATTR_DPIPE_HEADER_INDEX
    field_id: Int = u32(58)  # DEVLINK_ATTR_DPIPE_FIELD_ID


class DpipeTable(AttributeSet):
    """A table of a device's pipeline (DEVLINK_ATTR_DPIPE_TABLE_*).

    size: entries. counters_enabled: 1 or 0. resource_id, resource_units: of the `Resource` that entries take, and how
    much of it.
    """

    name: Str = string(29)  # DEVLINK_ATTR_DPIPE_TABLE_NAME
    size: Int = u64(30)  # DEVLINK_ATTR_DPIPE_TABLE_SIZE
    matches: Items[DpipeMatch] = repeated(
        (31, 40), DpipeMatch
    )  # DEVLINK_ATTR_DPIPE_TABLE_MATCHES, DEVLINK_ATTR_DPIPE_MATCH
    actions: Items[DpipeAction] = repeated(
        (32, 43), DpipeAction
    )  # DEVLINK_ATTR_DPIPE_TABLE_ACTIONS, DEVLINK_ATTR_DPIPE_ACTION
    counters_enabled: Int = u8(33)  # DEVLINK_ATTR_DPIPE_TABLE_COUNTERS_ENABLED
    resource_id: Int = u64(75)  # DEVLINK_ATTR_DPIPE_TABLE_RESOURCE_ID
    resource_units: Int = u64(76)  # DEVLINK_ATTR_DPIPE_TABLE_RESOURCE_UNITS


class DpipeMatchValue(AttributeSet):
    """What an entry of a table compares a field with. mapping: what the value is for the system, such as an ifindex."""

    match: Field[DpipeMatch | None] = nested(40, DpipeMatch)  # DEVLINK_ATTR_DPIPE_MATCH
    value: Bytes = binary(46)  # DEVLINK_ATTR_DPIPE_VALUE
    mask: Bytes = binary(47)  # DEVLINK_ATTR_DPIPE_VALUE_MASK
    mapping: Int = u32(48)  # DEVLINK_ATTR_DPIPE_VALUE_MAPPING


class DpipeActionValue(AttributeSet):
    """What an entry of a table sets a field to. All else as `DpipeMatchValue`."""

    action: Field[DpipeAction | None] = nested(43, DpipeAction)  # DEVLINK_ATTR_DPIPE_ACTION
    value: Bytes = binary(46)  # DEVLINK_ATTR_DPIPE_VALUE
    mask: Bytes = binary(47)  # DEVLINK_ATTR_DPIPE_VALUE_MASK
    mapping: Int = u32(48)  # DEVLINK_ATTR_DPIPE_VALUE_MAPPING


class DpipeEntry(AttributeSet):
    """An entry of a table (DEVLINK_ATTR_DPIPE_ENTRY_*). counter: packets; None if the table does not count."""

    index: Int = u64(36)  # DEVLINK_ATTR_DPIPE_ENTRY_INDEX
    matches: Items[DpipeMatchValue] = repeated(
        (37, 41), DpipeMatchValue
    )  # DEVLINK_ATTR_DPIPE_ENTRY_MATCH_VALUES, DEVLINK_ATTR_DPIPE_MATCH_VALUE
    actions: Items[DpipeActionValue] = repeated(
        (38, 44), DpipeActionValue
    )  # DEVLINK_ATTR_DPIPE_ENTRY_ACTION_VALUES, DEVLINK_ATTR_DPIPE_ACTION_VALUE
    counter: Int = u64(39)  # DEVLINK_ATTR_DPIPE_ENTRY_COUNTER


class DpipeField(AttributeSet):
    """A field of a header (DEVLINK_ATTR_DPIPE_FIELD_*). width: bits."""

    name: Str = string(57)  # DEVLINK_ATTR_DPIPE_FIELD_NAME
    id: Int = u32(58)  # DEVLINK_ATTR_DPIPE_FIELD_ID
    width: Int = u32(59)  # DEVLINK_ATTR_DPIPE_FIELD_BITWIDTH
    mapping: Member[DpipeFieldMapping] = u32(60, enum=DpipeFieldMapping)  # DEVLINK_ATTR_DPIPE_FIELD_MAPPING_TYPE


class DpipeHeader(AttributeSet):
    """A header that tables compare and change fields of (DEVLINK_ATTR_DPIPE_HEADER_*).

    id: of `DpipeHeaderId` if is_global is 1; the driver's own otherwise.
    """

    name: Str = string(51)  # DEVLINK_ATTR_DPIPE_HEADER_NAME
    id: Int = u32(52)  # DEVLINK_ATTR_DPIPE_HEADER_ID
    is_global: Int = u8(54)  # DEVLINK_ATTR_DPIPE_HEADER_GLOBAL
    fields: Items[DpipeField] = repeated(
        (53, 56), DpipeField
    )  # DEVLINK_ATTR_DPIPE_HEADER_FIELDS, DEVLINK_ATTR_DPIPE_FIELD


class Dpipe(OfDevice):
    """A request about the pipeline, and the messages of its answer."""

    table_name: Str = string(29)  # DEVLINK_ATTR_DPIPE_TABLE_NAME
    counters_enabled: Int = u8(33)  # DEVLINK_ATTR_DPIPE_TABLE_COUNTERS_ENABLED
    tables: Items[DpipeTable] = repeated((27, 28), DpipeTable)  # DEVLINK_ATTR_DPIPE_TABLES, DEVLINK_ATTR_DPIPE_TABLE
    entries: Items[DpipeEntry] = repeated((34, 35), DpipeEntry)  # DEVLINK_ATTR_DPIPE_ENTRIES, DEVLINK_ATTR_DPIPE_ENTRY
    headers: Items[DpipeHeader] = repeated(
        (49, 50), DpipeHeader
    )  # DEVLINK_ATTR_DPIPE_HEADERS, DEVLINK_ATTR_DPIPE_HEADER
