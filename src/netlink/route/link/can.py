"""CAN controllers: linux/can/netlink.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Int,
    Items,
    Member,
    Struct,
    binary,
    nested,
    packed,
    struct,
    u16,
    u32,
)

__all__ = [
    "Can",
    "CanBerrCounter",
    "CanBittiming",
    "CanBittimingConst",
    "CanClock",
    "CanCtrlMode",
    "CanCtrlModeMask",
    "CanState",
    "CanStats",
    "CanTdc",
]


class CanState(IntEnum):
    """States of a controller (CAN_STATE_*)."""

    ERROR_ACTIVE = 0  # CAN_STATE_ERROR_ACTIVE
    ERROR_WARNING = 1  # CAN_STATE_ERROR_WARNING
    ERROR_PASSIVE = 2  # CAN_STATE_ERROR_PASSIVE
    BUS_OFF = 3  # CAN_STATE_BUS_OFF
    STOPPED = 4  # CAN_STATE_STOPPED
    SLEEPING = 5  # CAN_STATE_SLEEPING


class CanCtrlMode(IntFlag):
    """Modes of a controller (CAN_CTRLMODE_*)."""

    LOOPBACK = 0x1  # CAN_CTRLMODE_LOOPBACK
    LISTENONLY = 0x2  # CAN_CTRLMODE_LISTENONLY
    SAMPLES_3 = 0x4  # CAN_CTRLMODE_3_SAMPLES
    ONE_SHOT = 0x8  # CAN_CTRLMODE_ONE_SHOT
    BERR_REPORTING = 0x10  # CAN_CTRLMODE_BERR_REPORTING
    FD = 0x20  # CAN_CTRLMODE_FD
    PRESUME_ACK = 0x40  # CAN_CTRLMODE_PRESUME_ACK
    FD_NON_ISO = 0x80  # CAN_CTRLMODE_FD_NON_ISO
    CC_LEN8_DLC = 0x100  # CAN_CTRLMODE_CC_LEN8_DLC
    TDC_AUTO = 0x200  # CAN_CTRLMODE_TDC_AUTO
    TDC_MANUAL = 0x400  # CAN_CTRLMODE_TDC_MANUAL


class CanBittiming(Struct):
    """struct can_bittiming: bits per second, and the times of a bit. A request with bitrate alone is enough.

    sample_point: 1/10 percent. tq: nanoseconds.
    """

    bitrate: Int = u32()
    sample_point: Int = u32()
    tq: Int = u32()
    prop_seg: Int = u32()
    phase_seg1: Int = u32()
    phase_seg2: Int = u32()
    sjw: Int = u32()
    brp: Int = u32()


class CanBittimingConst(Struct):
    """struct can_bittiming_const: limits of a controller. name: with zeros behind it."""

    name: Bytes = binary(size=16)
    tseg1_min: Int = u32()
    tseg1_max: Int = u32()
    tseg2_min: Int = u32()
    tseg2_max: Int = u32()
    sjw_max: Int = u32()
    brp_min: Int = u32()
    brp_max: Int = u32()
    brp_inc: Int = u32()


class CanClock(Struct):
    """struct can_clock: Hz."""

    freq: Int = u32()


class CanBerrCounter(Struct):
    """struct can_berr_counter: errors of the bus."""

    txerr: Int = u16()
    rxerr: Int = u16()


class CanCtrlModeMask(Struct):
    """struct can_ctrlmode: modes, and the mask of those that a request changes. flags: those that are on."""

    mask: Member[CanCtrlMode] = u32(enum=CanCtrlMode)
    flags: Member[CanCtrlMode] = u32(enum=CanCtrlMode)


class CanStats(Struct):
    """struct can_device_stats: `Link.xstats` of a CAN controller."""

    bus_error: Int = u32()
    error_warning: Int = u32()
    error_passive: Int = u32()
    bus_off: Int = u32()
    arbitration_lost: Int = u32()
    restarts: Int = u32()


class CanTdc(AttributeSet, lenient=True):
    """Compensation of the transmitter's delay (IFLA_CAN_TDC_*)."""

    tdcv_min: Int = u32(1)  # IFLA_CAN_TDC_TDCV_MIN
    tdcv_max: Int = u32(2)  # IFLA_CAN_TDC_TDCV_MAX
    tdco_min: Int = u32(3)  # IFLA_CAN_TDC_TDCO_MIN
    tdco_max: Int = u32(4)  # IFLA_CAN_TDC_TDCO_MAX
    tdcf_min: Int = u32(5)  # IFLA_CAN_TDC_TDCF_MIN
    tdcf_max: Int = u32(6)  # IFLA_CAN_TDC_TDCF_MAX
    tdcv: Int = u32(7)  # IFLA_CAN_TDC_TDCV
    tdco: Int = u32(8)  # IFLA_CAN_TDC_TDCO
    tdcf: Int = u32(9)  # IFLA_CAN_TDC_TDCF


class Can(AttributeSet, lenient=True):
    """The data of a link of the kind "can" (IFLA_CAN_*)."""

    bittiming: Field[CanBittiming | None] = struct(1, CanBittiming)  # IFLA_CAN_BITTIMING
    bittiming_const: Field[CanBittimingConst | None] = struct(2, CanBittimingConst)  # IFLA_CAN_BITTIMING_CONST
    clock: Field[CanClock | None] = struct(3, CanClock)  # IFLA_CAN_CLOCK
    state: Member[CanState] = u32(4, enum=CanState)  # IFLA_CAN_STATE
    ctrlmode: Field[CanCtrlModeMask | None] = struct(5, CanCtrlModeMask)  # IFLA_CAN_CTRLMODE
    restart_ms: Int = u32(6)  # IFLA_CAN_RESTART_MS
    restart: Int = u32(7)  # IFLA_CAN_RESTART
    berr_counter: Field[CanBerrCounter | None] = struct(8, CanBerrCounter)  # IFLA_CAN_BERR_COUNTER
    data_bittiming: Field[CanBittiming | None] = struct(9, CanBittiming)  # IFLA_CAN_DATA_BITTIMING
    data_bittiming_const: Field[CanBittimingConst | None] = struct(
        10, CanBittimingConst
    )  # IFLA_CAN_DATA_BITTIMING_CONST
    termination: Int = u16(11)  # IFLA_CAN_TERMINATION, ohms, 0 for none
    termination_const: Items[int] = packed(12, u16)  # IFLA_CAN_TERMINATION_CONST
    bitrate_const: Items[int] = packed(13, u32)  # IFLA_CAN_BITRATE_CONST
    data_bitrate_const: Items[int] = packed(14, u32)  # IFLA_CAN_DATA_BITRATE_CONST
    bitrate_max: Int = u32(15)  # IFLA_CAN_BITRATE_MAX
    tdc: Field[CanTdc | None] = nested(16, CanTdc, rare=True)  # IFLA_CAN_TDC
    ctrlmode_supported: Member[CanCtrlMode] = u32(
        (17, 1), enum=CanCtrlMode
    )  # IFLA_CAN_CTRLMODE_EXT, IFLA_CAN_CTRLMODE_SUPPORTED
    xl_data_bittiming: Field[CanBittiming | None] = struct(18, CanBittiming)  # IFLA_CAN_XL_DATA_BITTIMING
    xl_data_bittiming_const: Field[CanBittimingConst | None] = struct(
        19, CanBittimingConst
    )  # IFLA_CAN_XL_DATA_BITTIMING_CONST
    xl_data_bitrate_const: Items[int] = packed(20, u32)  # IFLA_CAN_XL_DATA_BITRATE_CONST
    xl_tdc: Field[CanTdc | None] = nested(21, CanTdc, rare=True)  # IFLA_CAN_XL_TDC
