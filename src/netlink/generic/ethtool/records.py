"""The declarations of ethtool: linux/ethtool.h, linux/ethtool_netlink.h and linux/ethtool_netlink_generated.h."""

from __future__ import annotations

import sys
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Final

from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Flag,
    Int,
    Items,
    Member,
    Str,
    be16,
    binary,
    event,
    flag,
    nested,
    packed,
    repeated,
    s16,
    s32,
    string,
    u8,
    u16,
    u32,
    u64,
    uint,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "EEE",
    "FEC",
    "MDI",
    "MM",
    "MSE",
    "PHY",
    "PLCA",
    "PSE",
    "RSS",
    "Autoneg",
    "AutonegSubstate",
    "BadSignalSubstate",
    "Bit",
    "Bits",
    "Bitset",
    "CableAmplitude",
    "CableCode",
    "CableFaultLength",
    "CablePair",
    "CablePulse",
    "CableResult",
    "CableResults",
    "CableSource",
    "CableStep",
    "CableSubstate",
    "CableTDRResults",
    "CableTest",
    "CableTestEvent",
    "CableTestStatus",
    "CableTestTDR",
    "CableTestTDRConfig",
    "CableTestTDREvent",
    "Channels",
    "Coalesce",
    "Command",
    "Debug",
    "DetectTEDSubstate",
    "DeviceMessage",
    "Duplex",
    "ErrorConditionSubstate",
    "EthCtrlStat",
    "EthMACStat",
    "EthPHYStat",
    "Event",
    "FECHistogram",
    "FECMode",
    "FECStats",
    "Features",
    "FlashStatus",
    "FlowHash",
    "HashFields",
    "Header",
    "HeaderFlags",
    "IRQModeration",
    "IRQProfile",
    "IndexedString",
    "LinkExtState",
    "LinkInfo",
    "LinkModes",
    "LinkState",
    "LinkTrainingSubstate",
    "LogicalMismatchSubstate",
    "MACStatsSource",
    "MMStats",
    "MPSValidSubstate",
    "MSECapabilities",
    "MSESnapshot",
    "Module",
    "ModuleEEPROM",
    "ModuleFirmwareFlash",
    "ModuleSubstate",
    "OverloadSubstate",
    "PHCVclocks",
    "PHYStat",
    "PHYUpstream",
    "PSEAdminState",
    "PSEAlert",
    "PSEEnableSubstate",
    "PSEEvent",
    "PSEExtState",
    "PSEPowerRange",
    "PSEStatus",
    "Pause",
    "PauseStats",
    "PoDLAdminState",
    "PoDLStatus",
    "Port",
    "PortVoltageSubstate",
    "PowerMode",
    "PowerModePolicy",
    "PowerNotAvailableSubstate",
    "PrivFlags",
    "RMONStat",
    "RSSInput",
    "RateMatching",
    "Reply",
    "Rings",
    "RoleConfig",
    "RoleState",
    "ShortSubstate",
    "Speed",
    "Stat",
    "Stats",
    "StatsBucket",
    "StatsGroup",
    "StatsGroupID",
    "StringList",
    "StringSet",
    "StringSetInfo",
    "StringSetList",
    "StringSets",
    "TCPDataSplit",
    "Transceiver",
    "TsConfig",
    "TsInfo",
    "TsProvider",
    "TsQualifier",
    "TsSource",
    "TsStats",
    "TunnelInfo",
    "TunnelUDP",
    "TunnelUDPEntry",
    "TunnelUDPTable",
    "UDPTunnelType",
    "VerifyStatus",
    "WakeOnLAN",
]


class Command(IntEnum):
    """Requests (ETHTOOL_MSG_*)."""

    STRSET_GET = 1  # ETHTOOL_MSG_STRSET_GET
    LINKINFO_GET = 2  # ETHTOOL_MSG_LINKINFO_GET
    LINKINFO_SET = 3  # ETHTOOL_MSG_LINKINFO_SET
    LINKMODES_GET = 4  # ETHTOOL_MSG_LINKMODES_GET
    LINKMODES_SET = 5  # ETHTOOL_MSG_LINKMODES_SET
    LINKSTATE_GET = 6  # ETHTOOL_MSG_LINKSTATE_GET
    DEBUG_GET = 7  # ETHTOOL_MSG_DEBUG_GET
    DEBUG_SET = 8  # ETHTOOL_MSG_DEBUG_SET
    WOL_GET = 9  # ETHTOOL_MSG_WOL_GET
    WOL_SET = 10  # ETHTOOL_MSG_WOL_SET
    FEATURES_GET = 11  # ETHTOOL_MSG_FEATURES_GET
    FEATURES_SET = 12  # ETHTOOL_MSG_FEATURES_SET
    PRIVFLAGS_GET = 13  # ETHTOOL_MSG_PRIVFLAGS_GET
    PRIVFLAGS_SET = 14  # ETHTOOL_MSG_PRIVFLAGS_SET
    RINGS_GET = 15  # ETHTOOL_MSG_RINGS_GET
    RINGS_SET = 16  # ETHTOOL_MSG_RINGS_SET
    CHANNELS_GET = 17  # ETHTOOL_MSG_CHANNELS_GET
    CHANNELS_SET = 18  # ETHTOOL_MSG_CHANNELS_SET
    COALESCE_GET = 19  # ETHTOOL_MSG_COALESCE_GET
    COALESCE_SET = 20  # ETHTOOL_MSG_COALESCE_SET
    PAUSE_GET = 21  # ETHTOOL_MSG_PAUSE_GET
    PAUSE_SET = 22  # ETHTOOL_MSG_PAUSE_SET
    EEE_GET = 23  # ETHTOOL_MSG_EEE_GET
    EEE_SET = 24  # ETHTOOL_MSG_EEE_SET
    TSINFO_GET = 25  # ETHTOOL_MSG_TSINFO_GET
    CABLE_TEST_ACT = 26  # ETHTOOL_MSG_CABLE_TEST_ACT
    CABLE_TEST_TDR_ACT = 27  # ETHTOOL_MSG_CABLE_TEST_TDR_ACT
    TUNNEL_INFO_GET = 28  # ETHTOOL_MSG_TUNNEL_INFO_GET
    FEC_GET = 29  # ETHTOOL_MSG_FEC_GET
    FEC_SET = 30  # ETHTOOL_MSG_FEC_SET
    MODULE_EEPROM_GET = 31  # ETHTOOL_MSG_MODULE_EEPROM_GET
    STATS_GET = 32  # ETHTOOL_MSG_STATS_GET
    PHC_VCLOCKS_GET = 33  # ETHTOOL_MSG_PHC_VCLOCKS_GET
    MODULE_GET = 34  # ETHTOOL_MSG_MODULE_GET
    MODULE_SET = 35  # ETHTOOL_MSG_MODULE_SET
    PSE_GET = 36  # ETHTOOL_MSG_PSE_GET
    PSE_SET = 37  # ETHTOOL_MSG_PSE_SET
    RSS_GET = 38  # ETHTOOL_MSG_RSS_GET
    PLCA_GET_CFG = 39  # ETHTOOL_MSG_PLCA_GET_CFG
    PLCA_SET_CFG = 40  # ETHTOOL_MSG_PLCA_SET_CFG
    PLCA_GET_STATUS = 41  # ETHTOOL_MSG_PLCA_GET_STATUS
    MM_GET = 42  # ETHTOOL_MSG_MM_GET
    MM_SET = 43  # ETHTOOL_MSG_MM_SET
    MODULE_FW_FLASH_ACT = 44  # ETHTOOL_MSG_MODULE_FW_FLASH_ACT
    PHY_GET = 45  # ETHTOOL_MSG_PHY_GET
    TSCONFIG_GET = 46  # ETHTOOL_MSG_TSCONFIG_GET
    TSCONFIG_SET = 47  # ETHTOOL_MSG_TSCONFIG_SET
    RSS_SET = 48  # ETHTOOL_MSG_RSS_SET
    RSS_CREATE_ACT = 49  # ETHTOOL_MSG_RSS_CREATE_ACT
    RSS_DELETE_ACT = 50  # ETHTOOL_MSG_RSS_DELETE_ACT
    MSE_GET = 51  # ETHTOOL_MSG_MSE_GET


class Reply(IntEnum):
    """Replies (ETHTOOL_MSG_*_REPLY)."""

    STRSET_GET = 1  # ETHTOOL_MSG_STRSET_GET_REPLY
    LINKINFO_GET = 2  # ETHTOOL_MSG_LINKINFO_GET_REPLY
    LINKMODES_GET = 4  # ETHTOOL_MSG_LINKMODES_GET_REPLY
    LINKSTATE_GET = 6  # ETHTOOL_MSG_LINKSTATE_GET_REPLY
    DEBUG_GET = 7  # ETHTOOL_MSG_DEBUG_GET_REPLY
    WOL_GET = 9  # ETHTOOL_MSG_WOL_GET_REPLY
    FEATURES_GET = 11  # ETHTOOL_MSG_FEATURES_GET_REPLY
    FEATURES_SET = 12  # ETHTOOL_MSG_FEATURES_SET_REPLY
    PRIVFLAGS_GET = 14  # ETHTOOL_MSG_PRIVFLAGS_GET_REPLY
    RINGS_GET = 16  # ETHTOOL_MSG_RINGS_GET_REPLY
    CHANNELS_GET = 18  # ETHTOOL_MSG_CHANNELS_GET_REPLY
    COALESCE_GET = 20  # ETHTOOL_MSG_COALESCE_GET_REPLY
    PAUSE_GET = 22  # ETHTOOL_MSG_PAUSE_GET_REPLY
    EEE_GET = 24  # ETHTOOL_MSG_EEE_GET_REPLY
    TSINFO_GET = 26  # ETHTOOL_MSG_TSINFO_GET_REPLY
    TUNNEL_INFO_GET = 29  # ETHTOOL_MSG_TUNNEL_INFO_GET_REPLY
    FEC_GET = 30  # ETHTOOL_MSG_FEC_GET_REPLY
    MODULE_EEPROM_GET = 32  # ETHTOOL_MSG_MODULE_EEPROM_GET_REPLY
    STATS_GET = 33  # ETHTOOL_MSG_STATS_GET_REPLY
    PHC_VCLOCKS_GET = 34  # ETHTOOL_MSG_PHC_VCLOCKS_GET_REPLY
    MODULE_GET = 35  # ETHTOOL_MSG_MODULE_GET_REPLY
    PSE_GET = 37  # ETHTOOL_MSG_PSE_GET_REPLY
    RSS_GET = 38  # ETHTOOL_MSG_RSS_GET_REPLY
    PLCA_GET_CFG = 39  # ETHTOOL_MSG_PLCA_GET_CFG_REPLY
    PLCA_GET_STATUS = 40  # ETHTOOL_MSG_PLCA_GET_STATUS_REPLY
    MM_GET = 42  # ETHTOOL_MSG_MM_GET_REPLY
    PHY_GET = 45  # ETHTOOL_MSG_PHY_GET_REPLY
    TSCONFIG_GET = 47  # ETHTOOL_MSG_TSCONFIG_GET_REPLY
    TSCONFIG_SET = 48  # ETHTOOL_MSG_TSCONFIG_SET_REPLY
    RSS_CREATE_ACT = 51  # ETHTOOL_MSG_RSS_CREATE_ACT_REPLY
    MSE_GET = 54  # ETHTOOL_MSG_MSE_GET_REPLY


class Event(IntEnum):
    """Notifications (ETHTOOL_MSG_*_NTF)."""

    LINKINFO = 3  # ETHTOOL_MSG_LINKINFO_NTF
    LINKMODES = 5  # ETHTOOL_MSG_LINKMODES_NTF
    DEBUG = 8  # ETHTOOL_MSG_DEBUG_NTF
    WOL = 10  # ETHTOOL_MSG_WOL_NTF
    FEATURES = 13  # ETHTOOL_MSG_FEATURES_NTF
    PRIVFLAGS = 15  # ETHTOOL_MSG_PRIVFLAGS_NTF
    RINGS = 17  # ETHTOOL_MSG_RINGS_NTF
    CHANNELS = 19  # ETHTOOL_MSG_CHANNELS_NTF
    COALESCE = 21  # ETHTOOL_MSG_COALESCE_NTF
    PAUSE = 23  # ETHTOOL_MSG_PAUSE_NTF
    EEE = 25  # ETHTOOL_MSG_EEE_NTF
    CABLE_TEST = 27  # ETHTOOL_MSG_CABLE_TEST_NTF
    CABLE_TEST_TDR = 28  # ETHTOOL_MSG_CABLE_TEST_TDR_NTF
    FEC = 31  # ETHTOOL_MSG_FEC_NTF
    MODULE = 36  # ETHTOOL_MSG_MODULE_NTF
    PLCA = 41  # ETHTOOL_MSG_PLCA_NTF
    MM = 43  # ETHTOOL_MSG_MM_NTF
    MODULE_FW_FLASH = 44  # ETHTOOL_MSG_MODULE_FW_FLASH_NTF
    PHY = 46  # ETHTOOL_MSG_PHY_NTF
    PSE = 49  # ETHTOOL_MSG_PSE_NTF
    RSS = 50  # ETHTOOL_MSG_RSS_NTF
    RSS_CREATE = 52  # ETHTOOL_MSG_RSS_CREATE_NTF
    RSS_DELETE = 53  # ETHTOOL_MSG_RSS_DELETE_NTF


class HeaderFlags(IntFlag):
    """Flags of a request: enum ethtool_header_flags."""

    COMPACT_BITSETS = 0x1  # ETHTOOL_FLAG_COMPACT_BITSETS
    OMIT_REPLY = 0x2  # ETHTOOL_FLAG_OMIT_REPLY
    STATS = 0x4  # ETHTOOL_FLAG_STATS


class StringSet(IntEnum):
    """Sets of strings: enum ethtool_stringset."""

    TEST = 0  # ETH_SS_TEST
    STATS = 1  # ETH_SS_STATS
    PRIV_FLAGS = 2  # ETH_SS_PRIV_FLAGS
    NTUPLE_FILTERS = 3  # ETH_SS_NTUPLE_FILTERS
    FEATURES = 4  # ETH_SS_FEATURES
    RSS_HASH_FUNCS = 5  # ETH_SS_RSS_HASH_FUNCS
    TUNABLES = 6  # ETH_SS_TUNABLES
    PHY_STATS = 7  # ETH_SS_PHY_STATS
    PHY_TUNABLES = 8  # ETH_SS_PHY_TUNABLES
    LINK_MODES = 9  # ETH_SS_LINK_MODES
    MSG_CLASSES = 10  # ETH_SS_MSG_CLASSES
    WOL_MODES = 11  # ETH_SS_WOL_MODES
    SOF_TIMESTAMPING = 12  # ETH_SS_SOF_TIMESTAMPING
    TS_TX_TYPES = 13  # ETH_SS_TS_TX_TYPES
    TS_RX_FILTERS = 14  # ETH_SS_TS_RX_FILTERS
    UDP_TUNNEL_TYPES = 15  # ETH_SS_UDP_TUNNEL_TYPES
    STATS_STD = 16  # ETH_SS_STATS_STD
    STATS_ETH_PHY = 17  # ETH_SS_STATS_ETH_PHY
    STATS_ETH_MAC = 18  # ETH_SS_STATS_ETH_MAC
    STATS_ETH_CTRL = 19  # ETH_SS_STATS_ETH_CTRL
    STATS_RMON = 20  # ETH_SS_STATS_RMON
    STATS_PHY = 21  # ETH_SS_STATS_PHY
    TS_FLAGS = 22  # ETH_SS_TS_FLAGS


class Port(IntEnum):
    """Connectors (PORT_*)."""

    TP = 0  # PORT_TP, twisted pair
    AUI = 1  # PORT_AUI
    MII = 2  # PORT_MII
    FIBRE = 3  # PORT_FIBRE
    BNC = 4  # PORT_BNC
    DA = 5  # PORT_DA, direct attach
    NONE = 0xEF  # PORT_NONE
    OTHER = 0xFF  # PORT_OTHER


class MDI(IntEnum):
    """The crossover of a twisted pair (ETH_TP_MDI*)."""

    INVALID = 0  # ETH_TP_MDI_INVALID
    MDI = 1  # ETH_TP_MDI
    MDI_X = 2  # ETH_TP_MDI_X
    AUTO = 3  # ETH_TP_MDI_AUTO


class Transceiver(IntEnum):
    """Where the transceiver is (XCVR_*)."""

    INTERNAL = 0  # XCVR_INTERNAL
    EXTERNAL = 1  # XCVR_EXTERNAL


class Speed(IntEnum):
    """A speed that is no number (SPEED_*)."""

    UNKNOWN = 0xFFFFFFFF  # SPEED_UNKNOWN


class Duplex(IntEnum):
    """Duplex modes (DUPLEX_*)."""

    HALF = 0  # DUPLEX_HALF
    FULL = 1  # DUPLEX_FULL
    UNKNOWN = 0xFF  # DUPLEX_UNKNOWN


class Autoneg(IntEnum):
    """Autonegotiation (AUTONEG_*)."""

    DISABLE = 0  # AUTONEG_DISABLE
    ENABLE = 1  # AUTONEG_ENABLE


class RoleConfig(IntEnum):
    """Which end gives the clock, as it is set (MASTER_SLAVE_CFG_*)."""

    UNSUPPORTED = 0  # MASTER_SLAVE_CFG_UNSUPPORTED
    UNKNOWN = 1  # MASTER_SLAVE_CFG_UNKNOWN
    MASTER_PREFERRED = 2  # MASTER_SLAVE_CFG_MASTER_PREFERRED
    SLAVE_PREFERRED = 3  # MASTER_SLAVE_CFG_SLAVE_PREFERRED
    MASTER_FORCE = 4  # MASTER_SLAVE_CFG_MASTER_FORCE
    SLAVE_FORCE = 5  # MASTER_SLAVE_CFG_SLAVE_FORCE


class RoleState(IntEnum):
    """Which end gives the clock (MASTER_SLAVE_STATE_*)."""

    UNSUPPORTED = 0  # MASTER_SLAVE_STATE_UNSUPPORTED
    UNKNOWN = 1  # MASTER_SLAVE_STATE_UNKNOWN
    MASTER = 2  # MASTER_SLAVE_STATE_MASTER
    SLAVE = 3  # MASTER_SLAVE_STATE_SLAVE
    ERR = 4  # MASTER_SLAVE_STATE_ERR


class RateMatching(IntEnum):
    """How a PHY adapts the rate of its line to that of the MAC (RATE_MATCH_*)."""

    NONE = 0  # RATE_MATCH_NONE
    PAUSE = 1  # RATE_MATCH_PAUSE
    CRS = 2  # RATE_MATCH_CRS
    OPEN_LOOP = 3  # RATE_MATCH_OPEN_LOOP


class LinkExtState(IntEnum):
    """Why there is no link: enum ethtool_link_ext_state."""

    AUTONEG = 0  # ETHTOOL_LINK_EXT_STATE_AUTONEG
    LINK_TRAINING_FAILURE = 1  # ETHTOOL_LINK_EXT_STATE_LINK_TRAINING_FAILURE
    LINK_LOGICAL_MISMATCH = 2  # ETHTOOL_LINK_EXT_STATE_LINK_LOGICAL_MISMATCH
    BAD_SIGNAL_INTEGRITY = 3  # ETHTOOL_LINK_EXT_STATE_BAD_SIGNAL_INTEGRITY
    NO_CABLE = 4  # ETHTOOL_LINK_EXT_STATE_NO_CABLE
    CABLE_ISSUE = 5  # ETHTOOL_LINK_EXT_STATE_CABLE_ISSUE
    EEPROM_ISSUE = 6  # ETHTOOL_LINK_EXT_STATE_EEPROM_ISSUE
    CALIBRATION_FAILURE = 7  # ETHTOOL_LINK_EXT_STATE_CALIBRATION_FAILURE
    POWER_BUDGET_EXCEEDED = 8  # ETHTOOL_LINK_EXT_STATE_POWER_BUDGET_EXCEEDED
    OVERHEAT = 9  # ETHTOOL_LINK_EXT_STATE_OVERHEAT
    MODULE = 10  # ETHTOOL_LINK_EXT_STATE_MODULE


class AutonegSubstate(IntEnum):
    """What is wrong about autonegotiation: enum ethtool_link_ext_substate_autoneg."""

    NO_PARTNER_DETECTED = 1  # ETHTOOL_LINK_EXT_SUBSTATE_AN_NO_PARTNER_DETECTED
    ACK_NOT_RECEIVED = 2  # ETHTOOL_LINK_EXT_SUBSTATE_AN_ACK_NOT_RECEIVED
    NEXT_PAGE_EXCHANGE_FAILED = 3  # ETHTOOL_LINK_EXT_SUBSTATE_AN_NEXT_PAGE_EXCHANGE_FAILED
    NO_PARTNER_DETECTED_FORCE_MODE = 4  # ETHTOOL_LINK_EXT_SUBSTATE_AN_NO_PARTNER_DETECTED_FORCE_MODE
    FEC_MISMATCH_DURING_OVERRIDE = 5  # ETHTOOL_LINK_EXT_SUBSTATE_AN_FEC_MISMATCH_DURING_OVERRIDE
    NO_HCD = 6  # ETHTOOL_LINK_EXT_SUBSTATE_AN_NO_HCD


class LinkTrainingSubstate(IntEnum):
    """What is wrong about link training: enum ethtool_link_ext_substate_link_training."""

    KR_FRAME_LOCK_NOT_ACQUIRED = 1  # ETHTOOL_LINK_EXT_SUBSTATE_LT_KR_FRAME_LOCK_NOT_ACQUIRED
    KR_LINK_INHIBIT_TIMEOUT = 2  # ETHTOOL_LINK_EXT_SUBSTATE_LT_KR_LINK_INHIBIT_TIMEOUT
    KR_PARTNER_DID_NOT_SET_READY = 3  # ETHTOOL_LINK_EXT_SUBSTATE_LT_KR_LINK_PARTNER_DID_NOT_SET_RECEIVER_READY
    REMOTE_FAULT = 4  # ETHTOOL_LINK_EXT_SUBSTATE_LT_REMOTE_FAULT


class LogicalMismatchSubstate(IntEnum):
    """What is wrong about a logical mismatch: enum ethtool_link_ext_substate_link_logical_mismatch."""

    PCS_DID_NOT_ACQUIRE_BLOCK_LOCK = 1  # ETHTOOL_LINK_EXT_SUBSTATE_LLM_PCS_DID_NOT_ACQUIRE_BLOCK_LOCK
    PCS_DID_NOT_ACQUIRE_AM_LOCK = 2  # ETHTOOL_LINK_EXT_SUBSTATE_LLM_PCS_DID_NOT_ACQUIRE_AM_LOCK
    PCS_DID_NOT_GET_ALIGN_STATUS = 3  # ETHTOOL_LINK_EXT_SUBSTATE_LLM_PCS_DID_NOT_GET_ALIGN_STATUS
    FC_FEC_IS_NOT_LOCKED = 4  # ETHTOOL_LINK_EXT_SUBSTATE_LLM_FC_FEC_IS_NOT_LOCKED
    RS_FEC_IS_NOT_LOCKED = 5  # ETHTOOL_LINK_EXT_SUBSTATE_LLM_RS_FEC_IS_NOT_LOCKED


class BadSignalSubstate(IntEnum):
    """What is wrong about a bad signal: enum ethtool_link_ext_substate_bad_signal_integrity."""

    LARGE_NUMBER_OF_PHYSICAL_ERRORS = 1  # ETHTOOL_LINK_EXT_SUBSTATE_BSI_LARGE_NUMBER_OF_PHYSICAL_ERRORS
    UNSUPPORTED_RATE = 2  # ETHTOOL_LINK_EXT_SUBSTATE_BSI_UNSUPPORTED_RATE
    SERDES_REFERENCE_CLOCK_LOST = 3  # ETHTOOL_LINK_EXT_SUBSTATE_BSI_SERDES_REFERENCE_CLOCK_LOST
    SERDES_ALOS = 4  # ETHTOOL_LINK_EXT_SUBSTATE_BSI_SERDES_ALOS


class CableSubstate(IntEnum):
    """What is wrong about the cable: enum ethtool_link_ext_substate_cable_issue."""

    UNSUPPORTED_CABLE = 1  # ETHTOOL_LINK_EXT_SUBSTATE_CI_UNSUPPORTED_CABLE
    CABLE_TEST_FAILURE = 2  # ETHTOOL_LINK_EXT_SUBSTATE_CI_CABLE_TEST_FAILURE


class ModuleSubstate(IntEnum):
    """What is wrong about the module: enum ethtool_link_ext_substate_module."""

    CMIS_NOT_READY = 1  # ETHTOOL_LINK_EXT_SUBSTATE_MODULE_CMIS_NOT_READY


class TCPDataSplit(IntEnum):
    """Whether headers and data of TCP go to buffers of their own: enum ethtool_tcp_data_split."""

    UNKNOWN = 0  # ETHTOOL_TCP_DATA_SPLIT_UNKNOWN
    DISABLED = 1  # ETHTOOL_TCP_DATA_SPLIT_DISABLED
    ENABLED = 2  # ETHTOOL_TCP_DATA_SPLIT_ENABLED


class MACStatsSource(IntEnum):
    """Whose statistics these are: enum ethtool_mac_stats_src."""

    AGGREGATE = 0  # ETHTOOL_MAC_STATS_SRC_AGGREGATE
    EMAC = 1  # ETHTOOL_MAC_STATS_SRC_EMAC
    PMAC = 2  # ETHTOOL_MAC_STATS_SRC_PMAC


class TsSource(IntEnum):
    """What takes timestamps: enum hwtstamp_source."""

    NETDEV = 1  # HWTSTAMP_SOURCE_NETDEV
    PHYLIB = 2  # HWTSTAMP_SOURCE_PHYLIB


class TsQualifier(IntEnum):
    """How good a clock is: enum hwtstamp_provider_qualifier."""

    PRECISE = 0  # HWTSTAMP_PROVIDER_QUALIFIER_PRECISE
    APPROX = 1  # HWTSTAMP_PROVIDER_QUALIFIER_APPROX


class CableTestStatus(IntEnum):
    """The progress of a test (ETHTOOL_A_CABLE_TEST_NTF_STATUS_*)."""

    UNSPEC = 0  # ETHTOOL_A_CABLE_TEST_NTF_STATUS_UNSPEC
    STARTED = 1  # ETHTOOL_A_CABLE_TEST_NTF_STATUS_STARTED
    COMPLETED = 2  # ETHTOOL_A_CABLE_TEST_NTF_STATUS_COMPLETED


class CablePair(IntEnum):
    """Pairs of a cable (ETHTOOL_A_CABLE_PAIR_*)."""

    A = 0  # ETHTOOL_A_CABLE_PAIR_A
    B = 1  # ETHTOOL_A_CABLE_PAIR_B
    C = 2  # ETHTOOL_A_CABLE_PAIR_C
    D = 3  # ETHTOOL_A_CABLE_PAIR_D


class CableCode(IntEnum):
    """How a pair is (ETHTOOL_A_CABLE_RESULT_CODE_*)."""

    UNSPEC = 0  # ETHTOOL_A_CABLE_RESULT_CODE_UNSPEC
    OK = 1  # ETHTOOL_A_CABLE_RESULT_CODE_OK
    OPEN = 2  # ETHTOOL_A_CABLE_RESULT_CODE_OPEN
    SAME_SHORT = 3  # ETHTOOL_A_CABLE_RESULT_CODE_SAME_SHORT
    CROSS_SHORT = 4  # ETHTOOL_A_CABLE_RESULT_CODE_CROSS_SHORT
    IMPEDANCE_MISMATCH = 5  # ETHTOOL_A_CABLE_RESULT_CODE_IMPEDANCE_MISMATCH
    NOISE = 6  # ETHTOOL_A_CABLE_RESULT_CODE_NOISE
    RESOLUTION_NOT_POSSIBLE = 7  # ETHTOOL_A_CABLE_RESULT_CODE_RESOLUTION_NOT_POSSIBLE


class CableSource(IntEnum):
    """How a result was found (ETHTOOL_A_CABLE_INF_SRC_*)."""

    UNSPEC = 0  # ETHTOOL_A_CABLE_INF_SRC_UNSPEC
    TDR = 1  # ETHTOOL_A_CABLE_INF_SRC_TDR
    ALCD = 2  # ETHTOOL_A_CABLE_INF_SRC_ALCD


class UDPTunnelType(IntEnum):
    """Tunnels over UDP (ETHTOOL_UDP_TUNNEL_TYPE_*)."""

    VXLAN = 0  # ETHTOOL_UDP_TUNNEL_TYPE_VXLAN
    GENEVE = 1  # ETHTOOL_UDP_TUNNEL_TYPE_GENEVE
    VXLAN_GPE = 2  # ETHTOOL_UDP_TUNNEL_TYPE_VXLAN_GPE


class FECMode(IntEnum):
    """Error correction, as numbers of link modes: enum ethtool_link_mode_bit_indices."""

    NONE = 49  # ETHTOOL_LINK_MODE_FEC_NONE_BIT
    RS = 50  # ETHTOOL_LINK_MODE_FEC_RS_BIT
    BASER = 51  # ETHTOOL_LINK_MODE_FEC_BASER_BIT
    LLRS = 74  # ETHTOOL_LINK_MODE_FEC_LLRS_BIT


class StatsGroupID(IntEnum):
    """Groups of statistics (ETHTOOL_STATS_*)."""

    ETH_PHY = 0  # ETHTOOL_STATS_ETH_PHY
    ETH_MAC = 1  # ETHTOOL_STATS_ETH_MAC
    ETH_CTRL = 2  # ETHTOOL_STATS_ETH_CTRL
    RMON = 3  # ETHTOOL_STATS_RMON
    PHY = 4  # ETHTOOL_STATS_PHY


class EthPHYStat(IntEnum):
    """Statistics of the group ETH_PHY (ETHTOOL_A_STATS_ETH_PHY_*)."""

    SYM_ERR = 0  # ETHTOOL_A_STATS_ETH_PHY_5_SYM_ERR


class EthMACStat(IntEnum):
    """Statistics of the group ETH_MAC (ETHTOOL_A_STATS_ETH_MAC_*)."""

    TX_PKT = 0  # ETHTOOL_A_STATS_ETH_MAC_2_TX_PKT
    SINGLE_COL = 1  # ETHTOOL_A_STATS_ETH_MAC_3_SINGLE_COL
    MULTI_COL = 2  # ETHTOOL_A_STATS_ETH_MAC_4_MULTI_COL
    RX_PKT = 3  # ETHTOOL_A_STATS_ETH_MAC_5_RX_PKT
    FCS_ERR = 4  # ETHTOOL_A_STATS_ETH_MAC_6_FCS_ERR
    ALIGN_ERR = 5  # ETHTOOL_A_STATS_ETH_MAC_7_ALIGN_ERR
    TX_BYTES = 6  # ETHTOOL_A_STATS_ETH_MAC_8_TX_BYTES
    TX_DEFER = 7  # ETHTOOL_A_STATS_ETH_MAC_9_TX_DEFER
    LATE_COL = 8  # ETHTOOL_A_STATS_ETH_MAC_10_LATE_COL
    XS_COL = 9  # ETHTOOL_A_STATS_ETH_MAC_11_XS_COL
    TX_INT_ERR = 10  # ETHTOOL_A_STATS_ETH_MAC_12_TX_INT_ERR
    CS_ERR = 11  # ETHTOOL_A_STATS_ETH_MAC_13_CS_ERR
    RX_BYTES = 12  # ETHTOOL_A_STATS_ETH_MAC_14_RX_BYTES
    RX_INT_ERR = 13  # ETHTOOL_A_STATS_ETH_MAC_15_RX_INT_ERR
    TX_MCAST = 14  # ETHTOOL_A_STATS_ETH_MAC_18_TX_MCAST
    TX_BCAST = 15  # ETHTOOL_A_STATS_ETH_MAC_19_TX_BCAST
    XS_DEFER = 16  # ETHTOOL_A_STATS_ETH_MAC_20_XS_DEFER
    RX_MCAST = 17  # ETHTOOL_A_STATS_ETH_MAC_21_RX_MCAST
    RX_BCAST = 18  # ETHTOOL_A_STATS_ETH_MAC_22_RX_BCAST
    IR_LEN_ERR = 19  # ETHTOOL_A_STATS_ETH_MAC_23_IR_LEN_ERR
    OOR_LEN = 20  # ETHTOOL_A_STATS_ETH_MAC_24_OOR_LEN
    TOO_LONG_ERR = 21  # ETHTOOL_A_STATS_ETH_MAC_25_TOO_LONG_ERR


class EthCtrlStat(IntEnum):
    """Statistics of the group ETH_CTRL (ETHTOOL_A_STATS_ETH_CTRL_*)."""

    TX = 0  # ETHTOOL_A_STATS_ETH_CTRL_3_TX
    RX = 1  # ETHTOOL_A_STATS_ETH_CTRL_4_RX
    RX_UNSUP = 2  # ETHTOOL_A_STATS_ETH_CTRL_5_RX_UNSUP


class RMONStat(IntEnum):
    """Statistics of the group RMON (ETHTOOL_A_STATS_RMON_*)."""

    UNDERSIZE = 0  # ETHTOOL_A_STATS_RMON_UNDERSIZE
    OVERSIZE = 1  # ETHTOOL_A_STATS_RMON_OVERSIZE
    FRAG = 2  # ETHTOOL_A_STATS_RMON_FRAG
    JABBER = 3  # ETHTOOL_A_STATS_RMON_JABBER


class PHYStat(IntEnum):
    """Statistics of the group PHY (ETHTOOL_A_STATS_PHY_*)."""

    RX_PKTS = 0  # ETHTOOL_A_STATS_PHY_RX_PKTS
    RX_BYTES = 1  # ETHTOOL_A_STATS_PHY_RX_BYTES
    RX_ERRORS = 2  # ETHTOOL_A_STATS_PHY_RX_ERRORS
    TX_PKTS = 3  # ETHTOOL_A_STATS_PHY_TX_PKTS
    TX_BYTES = 4  # ETHTOOL_A_STATS_PHY_TX_BYTES
    TX_ERRORS = 5  # ETHTOOL_A_STATS_PHY_TX_ERRORS


class PowerModePolicy(IntEnum):
    """What decides about the power of a module: enum ethtool_module_power_mode_policy."""

    HIGH = 1  # ETHTOOL_MODULE_POWER_MODE_POLICY_HIGH
    AUTO = 2  # ETHTOOL_MODULE_POWER_MODE_POLICY_AUTO


class PowerMode(IntEnum):
    """The power of a module: enum ethtool_module_power_mode."""

    LOW = 1  # ETHTOOL_MODULE_POWER_MODE_LOW
    HIGH = 2  # ETHTOOL_MODULE_POWER_MODE_HIGH


class PoDLAdminState(IntEnum):
    """Whether power over data lines is on: enum ethtool_podl_pse_admin_state."""

    UNKNOWN = 1  # ETHTOOL_PODL_PSE_ADMIN_STATE_UNKNOWN
    DISABLED = 2  # ETHTOOL_PODL_PSE_ADMIN_STATE_DISABLED
    ENABLED = 3  # ETHTOOL_PODL_PSE_ADMIN_STATE_ENABLED


class PoDLStatus(IntEnum):
    """The detection of a powered device: enum ethtool_podl_pse_pw_d_status."""

    UNKNOWN = 1  # ETHTOOL_PODL_PSE_PW_D_STATUS_UNKNOWN
    DISABLED = 2  # ETHTOOL_PODL_PSE_PW_D_STATUS_DISABLED
    SEARCHING = 3  # ETHTOOL_PODL_PSE_PW_D_STATUS_SEARCHING
    DELIVERING = 4  # ETHTOOL_PODL_PSE_PW_D_STATUS_DELIVERING
    SLEEP = 5  # ETHTOOL_PODL_PSE_PW_D_STATUS_SLEEP
    IDLE = 6  # ETHTOOL_PODL_PSE_PW_D_STATUS_IDLE
    ERROR = 7  # ETHTOOL_PODL_PSE_PW_D_STATUS_ERROR


class PSEAdminState(IntEnum):
    """Whether power is on: enum ethtool_c33_pse_admin_state."""

    UNKNOWN = 1  # ETHTOOL_C33_PSE_ADMIN_STATE_UNKNOWN
    DISABLED = 2  # ETHTOOL_C33_PSE_ADMIN_STATE_DISABLED
    ENABLED = 3  # ETHTOOL_C33_PSE_ADMIN_STATE_ENABLED


class PSEStatus(IntEnum):
    """The detection of a powered device: enum ethtool_c33_pse_pw_d_status."""

    UNKNOWN = 1  # ETHTOOL_C33_PSE_PW_D_STATUS_UNKNOWN
    DISABLED = 2  # ETHTOOL_C33_PSE_PW_D_STATUS_DISABLED
    SEARCHING = 3  # ETHTOOL_C33_PSE_PW_D_STATUS_SEARCHING
    DELIVERING = 4  # ETHTOOL_C33_PSE_PW_D_STATUS_DELIVERING
    TEST = 5  # ETHTOOL_C33_PSE_PW_D_STATUS_TEST
    FAULT = 6  # ETHTOOL_C33_PSE_PW_D_STATUS_FAULT
    OTHERFAULT = 7  # ETHTOOL_C33_PSE_PW_D_STATUS_OTHERFAULT


class PSEExtState(IntEnum):
    """Why a port gives no power: enum ethtool_c33_pse_ext_state."""

    ERROR_CONDITION = 1  # ETHTOOL_C33_PSE_EXT_STATE_ERROR_CONDITION
    MR_MPS_VALID = 2  # ETHTOOL_C33_PSE_EXT_STATE_MR_MPS_VALID
    MR_PSE_ENABLE = 3  # ETHTOOL_C33_PSE_EXT_STATE_MR_PSE_ENABLE
    OPTION_DETECT_TED = 4  # ETHTOOL_C33_PSE_EXT_STATE_OPTION_DETECT_TED
    OPTION_VPORT_LIM = 5  # ETHTOOL_C33_PSE_EXT_STATE_OPTION_VPORT_LIM
    OVLD_DETECTED = 6  # ETHTOOL_C33_PSE_EXT_STATE_OVLD_DETECTED
    PD_DLL_POWER_TYPE = 7  # ETHTOOL_C33_PSE_EXT_STATE_PD_DLL_POWER_TYPE
    POWER_NOT_AVAILABLE = 8  # ETHTOOL_C33_PSE_EXT_STATE_POWER_NOT_AVAILABLE
    SHORT_DETECTED = 9  # ETHTOOL_C33_PSE_EXT_STATE_SHORT_DETECTED


class ErrorConditionSubstate(IntEnum):
    """Details of ERROR_CONDITION: enum ethtool_c33_pse_ext_substate_error_condition."""

    NON_EXISTING_PORT = 1  # ETHTOOL_C33_PSE_EXT_SUBSTATE_ERROR_CONDITION_NON_EXISTING_PORT
    UNDEFINED_PORT = 2  # ETHTOOL_C33_PSE_EXT_SUBSTATE_ERROR_CONDITION_UNDEFINED_PORT
    INTERNAL_HW_FAULT = 3  # ETHTOOL_C33_PSE_EXT_SUBSTATE_ERROR_CONDITION_INTERNAL_HW_FAULT
    COMM_ERROR_AFTER_FORCE_ON = 4  # ETHTOOL_C33_PSE_EXT_SUBSTATE_ERROR_CONDITION_COMM_ERROR_AFTER_FORCE_ON
    UNKNOWN_PORT_STATUS = 5  # ETHTOOL_C33_PSE_EXT_SUBSTATE_ERROR_CONDITION_UNKNOWN_PORT_STATUS
    HOST_CRASH_TURN_OFF = 6  # ETHTOOL_C33_PSE_EXT_SUBSTATE_ERROR_CONDITION_HOST_CRASH_TURN_OFF
    HOST_CRASH_FORCE_SHUTDOWN = 7  # ETHTOOL_C33_PSE_EXT_SUBSTATE_ERROR_CONDITION_HOST_CRASH_FORCE_SHUTDOWN
    CONFIG_CHANGE = 8  # ETHTOOL_C33_PSE_EXT_SUBSTATE_ERROR_CONDITION_CONFIG_CHANGE
    DETECTED_OVER_TEMP = 9  # ETHTOOL_C33_PSE_EXT_SUBSTATE_ERROR_CONDITION_DETECTED_OVER_TEMP


class MPSValidSubstate(IntEnum):
    """Details of MR_MPS_VALID: enum ethtool_c33_pse_ext_substate_mr_mps_valid."""

    DETECTED_UNDERLOAD = 1  # ETHTOOL_C33_PSE_EXT_SUBSTATE_MR_MPS_VALID_DETECTED_UNDERLOAD
    CONNECTION_OPEN = 2  # ETHTOOL_C33_PSE_EXT_SUBSTATE_MR_MPS_VALID_CONNECTION_OPEN


class PSEEnableSubstate(IntEnum):
    """Details of MR_PSE_ENABLE: enum ethtool_c33_pse_ext_substate_mr_pse_enable."""

    DISABLE_PIN_ACTIVE = 1  # ETHTOOL_C33_PSE_EXT_SUBSTATE_MR_PSE_ENABLE_DISABLE_PIN_ACTIVE


class DetectTEDSubstate(IntEnum):
    """Details of OPTION_DETECT_TED: enum ethtool_c33_pse_ext_substate_option_detect_ted."""

    DET_IN_PROCESS = 1  # ETHTOOL_C33_PSE_EXT_SUBSTATE_OPTION_DETECT_TED_DET_IN_PROCESS
    CONNECTION_CHECK_ERROR = 2  # ETHTOOL_C33_PSE_EXT_SUBSTATE_OPTION_DETECT_TED_CONNECTION_CHECK_ERROR


class PortVoltageSubstate(IntEnum):
    """Details of OPTION_VPORT_LIM: enum ethtool_c33_pse_ext_substate_option_vport_lim."""

    HIGH_VOLTAGE = 1  # ETHTOOL_C33_PSE_EXT_SUBSTATE_OPTION_VPORT_LIM_HIGH_VOLTAGE
    LOW_VOLTAGE = 2  # ETHTOOL_C33_PSE_EXT_SUBSTATE_OPTION_VPORT_LIM_LOW_VOLTAGE
    VOLTAGE_INJECTION = 3  # ETHTOOL_C33_PSE_EXT_SUBSTATE_OPTION_VPORT_LIM_VOLTAGE_INJECTION


class OverloadSubstate(IntEnum):
    """Details of OVLD_DETECTED: enum ethtool_c33_pse_ext_substate_ovld_detected."""

    OVERLOAD = 1  # ETHTOOL_C33_PSE_EXT_SUBSTATE_OVLD_DETECTED_OVERLOAD


class PowerNotAvailableSubstate(IntEnum):
    """Details of POWER_NOT_AVAILABLE: enum ethtool_c33_pse_ext_substate_power_not_available."""

    BUDGET_EXCEEDED = 1  # ETHTOOL_C33_PSE_EXT_SUBSTATE_POWER_NOT_AVAILABLE_BUDGET_EXCEEDED
    LIMIT_OVER_BUDGET = 2  # ETHTOOL_C33_PSE_EXT_SUBSTATE_POWER_NOT_AVAILABLE_PORT_PW_LIMIT_EXCEEDS_CONTROLLER_BUDGET
    PD_REQUEST_EXCEEDS_PORT_LIMIT = 3  # ETHTOOL_C33_PSE_EXT_SUBSTATE_POWER_NOT_AVAILABLE_PD_REQUEST_EXCEEDS_PORT_LIMIT
    HW_PW_LIMIT = 4  # ETHTOOL_C33_PSE_EXT_SUBSTATE_POWER_NOT_AVAILABLE_HW_PW_LIMIT


class ShortSubstate(IntEnum):
    """Details of SHORT_DETECTED: enum ethtool_c33_pse_ext_substate_short_detected."""

    SHORT_CONDITION = 1  # ETHTOOL_C33_PSE_EXT_SUBSTATE_SHORT_DETECTED_SHORT_CONDITION


class PSEEvent(IntFlag):
    """What happened to a power supply: enum ethtool_pse_event."""

    OVER_CURRENT = 0x1  # ETHTOOL_PSE_EVENT_OVER_CURRENT
    OVER_TEMP = 0x2  # ETHTOOL_PSE_EVENT_OVER_TEMP
    C33_DETECTION = 0x4  # ETHTOOL_C33_PSE_EVENT_DETECTION
    C33_CLASSIFICATION = 0x8  # ETHTOOL_C33_PSE_EVENT_CLASSIFICATION
    C33_DISCONNECTION = 0x10  # ETHTOOL_C33_PSE_EVENT_DISCONNECTION
    OVER_BUDGET = 0x20  # ETHTOOL_PSE_EVENT_OVER_BUDGET
    SW_PW_CONTROL_ERROR = 0x40  # ETHTOOL_PSE_EVENT_SW_PW_CONTROL_ERROR


class HashFields(IntFlag):
    """The fields of a packet that are hashed (RXH_*)."""

    L2DA = 0x2  # RXH_L2DA
    VLAN = 0x4  # RXH_VLAN
    L3_PROTO = 0x8  # RXH_L3_PROTO
    IP_SRC = 0x10  # RXH_IP_SRC
    IP_DST = 0x20  # RXH_IP_DST
    L4_B_0_1 = 0x40  # RXH_L4_B_0_1
    L4_B_2_3 = 0x80  # RXH_L4_B_2_3
    GTP_TEID = 0x100  # RXH_GTP_TEID
    IP6_FL = 0x200  # RXH_IP6_FL
    DISCARD = 0x80000000  # RXH_DISCARD


class RSSInput(IntFlag):
    """How the input of the hash is made symmetric (RXH_XFRM_*)."""

    SYM_XOR = 0x1  # RXH_XFRM_SYM_XOR
    SYM_OR_XOR = 0x2  # RXH_XFRM_SYM_OR_XOR


class VerifyStatus(IntEnum):
    """The verification of the MAC merge layer: enum ethtool_mm_verify_status."""

    UNKNOWN = 0  # ETHTOOL_MM_VERIFY_STATUS_UNKNOWN
    INITIAL = 1  # ETHTOOL_MM_VERIFY_STATUS_INITIAL
    VERIFYING = 2  # ETHTOOL_MM_VERIFY_STATUS_VERIFYING
    SUCCEEDED = 3  # ETHTOOL_MM_VERIFY_STATUS_SUCCEEDED
    FAILED = 4  # ETHTOOL_MM_VERIFY_STATUS_FAILED
    DISABLED = 5  # ETHTOOL_MM_VERIFY_STATUS_DISABLED


class FlashStatus(IntEnum):
    """The progress of writing firmware: enum ethtool_module_fw_flash_status."""

    STARTED = 1  # ETHTOOL_MODULE_FW_FLASH_STATUS_STARTED
    IN_PROGRESS = 2  # ETHTOOL_MODULE_FW_FLASH_STATUS_IN_PROGRESS
    COMPLETED = 3  # ETHTOOL_MODULE_FW_FLASH_STATUS_COMPLETED
    ERROR = 4  # ETHTOOL_MODULE_FW_FLASH_STATUS_ERROR


class PHYUpstream(IntEnum):
    """What a PHY is connected to: enum phy_upstream."""

    MAC = 0  # PHY_UPSTREAM_MAC
    PHY = 1  # PHY_UPSTREAM_PHY


_SUBSTATES: Final[dict[int, type[IntEnum]]] = {
    LinkExtState.AUTONEG: AutonegSubstate,
    LinkExtState.LINK_TRAINING_FAILURE: LinkTrainingSubstate,
    LinkExtState.LINK_LOGICAL_MISMATCH: LogicalMismatchSubstate,
    LinkExtState.BAD_SIGNAL_INTEGRITY: BadSignalSubstate,
    LinkExtState.CABLE_ISSUE: CableSubstate,
    LinkExtState.MODULE: ModuleSubstate,
}
_PSE_SUBSTATES: Final[dict[int, type[IntEnum]]] = {
    PSEExtState.ERROR_CONDITION: ErrorConditionSubstate,
    PSEExtState.MR_MPS_VALID: MPSValidSubstate,
    PSEExtState.MR_PSE_ENABLE: PSEEnableSubstate,
    PSEExtState.OPTION_DETECT_TED: DetectTEDSubstate,
    PSEExtState.OPTION_VPORT_LIM: PortVoltageSubstate,
    PSEExtState.OVLD_DETECTED: OverloadSubstate,
    PSEExtState.POWER_NOT_AVAILABLE: PowerNotAvailableSubstate,
    PSEExtState.SHORT_DETECTED: ShortSubstate,
}
_STATS: Final[dict[int, dict[int, IntEnum]]] = {
    group: {member.value: member for member in of}
    for group, of in (
        (StatsGroupID.ETH_PHY, EthPHYStat),
        (StatsGroupID.ETH_MAC, EthMACStat),
        (StatsGroupID.ETH_CTRL, EthCtrlStat),
        (StatsGroupID.RMON, RMONStat),
        (StatsGroupID.PHY, PHYStat),
    )
}


def _member(enums: dict[int, type[IntEnum]], of: int | None, number: int | None) -> IntEnum | int | None:
    enum = enums.get(of) if of is not None else None
    if enum is None or number is None or number not in enum.__members__.values():
        return number
    return enum(number)


class Header(AttributeSet):
    """The device that a message is of, and flags of a request (ETHTOOL_A_HEADER_*).

    A request needs its index or its name. phy_index: of one of its PHYs.
    """

    dev_index: Int = u32(1)  # ETHTOOL_A_HEADER_DEV_INDEX
    dev_name: Str = string(2)  # ETHTOOL_A_HEADER_DEV_NAME
    flags: Member[HeaderFlags] = u32(3, enum=HeaderFlags)  # ETHTOOL_A_HEADER_FLAGS
    phy_index: Int = u32(4)  # ETHTOOL_A_HEADER_PHY_INDEX


class DeviceMessage(AttributeSet):
    """What every message but `Stats` begins with."""

    header: Field[Header | None] = nested(1, Header)  # ETHTOOL_A_*_HEADER

    @property
    def device(self) -> str | None:
        """The name of the device."""
        return self.header.dev_name if self.header else None


class IndexedString(AttributeSet):
    """A string and its number (ETHTOOL_A_STRING_*)."""

    index: Int = u32(1)  # ETHTOOL_A_STRING_INDEX
    value: Str = string(2)  # ETHTOOL_A_STRING_VALUE


class StringList(AttributeSet):
    """The strings of a set (ETHTOOL_A_STRINGS_*)."""

    strings: Items[IndexedString] = repeated(1, IndexedString)  # ETHTOOL_A_STRINGS_STRING


class StringSetInfo(AttributeSet):
    """A set of strings (ETHTOOL_A_STRINGSET_*)."""

    id: Member[StringSet] = u32(1, enum=StringSet)  # ETHTOOL_A_STRINGSET_ID
    count: Int = u32(2)  # ETHTOOL_A_STRINGSET_COUNT
    strings: Field[StringList | None] = nested(3, StringList)  # ETHTOOL_A_STRINGSET_STRINGS


class StringSetList(AttributeSet):
    """Sets of strings (ETHTOOL_A_STRINGSETS_*)."""

    sets: Items[StringSetInfo] = repeated(1, StringSetInfo)  # ETHTOOL_A_STRINGSETS_STRINGSET


class StringSets(DeviceMessage):
    """Names that the kernel or a driver gives to numbers (ETHTOOL_A_STRSET_*).

    A request for those of a driver has a device in its header, any other an empty header.
    """

    sets: Field[StringSetList | None] = nested(2, StringSetList)  # ETHTOOL_A_STRSET_STRINGSETS
    counts_only: Flag = flag(3)  # ETHTOOL_A_STRSET_COUNTS_ONLY


class LinkInfo(DeviceMessage):
    """The port and its transceiver (ETHTOOL_A_LINKINFO_*)."""

    port: Member[Port] = u8(2, enum=Port)  # ETHTOOL_A_LINKINFO_PORT
    phyaddr: Int = u8(3)  # ETHTOOL_A_LINKINFO_PHYADDR
    tp_mdix: Member[MDI] = u8(4, enum=MDI)  # ETHTOOL_A_LINKINFO_TP_MDIX
    tp_mdix_ctrl: Member[MDI] = u8(5, enum=MDI)  # ETHTOOL_A_LINKINFO_TP_MDIX_CTRL
    transceiver: Member[Transceiver] = u8(6, enum=Transceiver)  # ETHTOOL_A_LINKINFO_TRANSCEIVER
    event: Member[Event] = event(Event)


class Bit(AttributeSet):
    """A bit of a bitset (ETHTOOL_A_BITSET_BIT_*)."""

    index: Int = u32(1)  # ETHTOOL_A_BITSET_BIT_INDEX
    name: Str = string(2)  # ETHTOOL_A_BITSET_BIT_NAME
    value: Flag = flag(3)  # ETHTOOL_A_BITSET_BIT_VALUE


class Bits(AttributeSet):
    """The bits of a bitset (ETHTOOL_A_BITSET_BITS_*)."""

    bits: Items[Bit] = repeated(1, Bit)  # ETHTOOL_A_BITSET_BITS_BIT


class Bitset(AttributeSet):
    """Bits with names, such as link modes and features (ETHTOOL_A_BITSET_*).

    no_mask: the bits of `bits` are on, and all others are off. bits: with names, unless HeaderFlags.COMPACT_BITSETS
    asked for words. size: the number of bits. value, mask: words of 32 bits, from bit 0 on.
    """

    no_mask: Flag = flag(1)  # ETHTOOL_A_BITSET_NOMASK
    size: Int = u32(2)  # ETHTOOL_A_BITSET_SIZE
    bits: Field[Bits | None] = nested(3, Bits)  # ETHTOOL_A_BITSET_BITS
    value: Items[int] = packed(4, u32)  # ETHTOOL_A_BITSET_VALUE
    mask: Items[int] = packed(5, u32)  # ETHTOOL_A_BITSET_MASK

    @classmethod
    def change(cls, *, on: Iterable[str] = (), off: Iterable[str] = ()) -> Bitset:
        """A bitset for a request: switches bits on and off by name, and leaves the others as they are."""
        bits = [Bit(name=name, value=True) for name in on] + [Bit(name=name) for name in off]
        return cls(bits=Bits(bits=bits))

    @classmethod
    def exactly(cls, *names: str) -> Bitset:
        """A bitset for a request: the bits of these names are on, and all others are off."""
        return cls(no_mask=True, bits=Bits(bits=[Bit(name=name) for name in names]))

    @property
    def on(self) -> tuple[str, ...]:
        """The names of the bits that are on. ValueError if there are words instead of names: see `numbers`."""
        return tuple(name for name, on in self._states() if on)

    @property
    def off(self) -> tuple[str, ...]:
        """The names of the bits in the mask that are off. ValueError as `on`."""
        return tuple(name for name, on in self._states() if not on)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the bits that are on: places in the list that `Conn.list_strings` returns."""
        if self.bits is None:
            words = enumerate(self.value or ())
            return tuple(32 * i + bit for i, word in words for bit in range(32) if word >> bit & 1)
        return tuple(bit.index for bit in self.bits.bits or () if bit.index is not None and (self.no_mask or bit.value))

    def _states(self) -> Iterator[tuple[str, bool]]:
        if self.bits is None and self.value is not None:
            raise ValueError("a compact bitset has no names")
        for bit in (self.bits.bits if self.bits else None) or ():
            if bit.name:  # the kernel has bits without a name, of features that are gone
                yield bit.name, bool(self.no_mask or bit.value)


class LinkModes(DeviceMessage):
    """Speed, duplex and autonegotiation (ETHTOOL_A_LINKMODES_*)."""

    autoneg: Member[Autoneg] = u8(2, enum=Autoneg)  # ETHTOOL_A_LINKMODES_AUTONEG
    ours: Field[Bitset | None] = nested(3, Bitset)  # ETHTOOL_A_LINKMODES_OURS, on: advertised; on and off: supported
    peer: Field[Bitset | None] = nested(4, Bitset)  # ETHTOOL_A_LINKMODES_PEER, on: advertised by the other end
    speed: Int = u32(5, enum=Speed)  # ETHTOOL_A_LINKMODES_SPEED, Mbit/s
    duplex: Member[Duplex] = u8(6, enum=Duplex)  # ETHTOOL_A_LINKMODES_DUPLEX
    master_slave_cfg: Member[RoleConfig] = u8(7, enum=RoleConfig)  # ETHTOOL_A_LINKMODES_MASTER_SLAVE_CFG
    master_slave_state: Member[RoleState] = u8(8, enum=RoleState)  # ETHTOOL_A_LINKMODES_MASTER_SLAVE_STATE
    lanes: Int = u32(9)  # ETHTOOL_A_LINKMODES_LANES
    rate_matching: Member[RateMatching] = u8(10, enum=RateMatching)  # ETHTOOL_A_LINKMODES_RATE_MATCHING
    event: Member[Event] = event(Event)


class LinkState(DeviceMessage):
    """Whether there is a link, and why not (ETHTOOL_A_LINKSTATE_*).

    link: 1 if there is one. sqi, sqi_max: signal quality from 0 on, as the PHY defines it. ext_substate: see
    `substate`. down_count: how often the link was lost.
    """

    link: Int = u8(2)  # ETHTOOL_A_LINKSTATE_LINK
    sqi: Int = u32(3)  # ETHTOOL_A_LINKSTATE_SQI
    sqi_max: Int = u32(4)  # ETHTOOL_A_LINKSTATE_SQI_MAX
    ext_state: Member[LinkExtState] = u8(5, enum=LinkExtState)  # ETHTOOL_A_LINKSTATE_EXT_STATE
    ext_substate: Int = u8(6)  # ETHTOOL_A_LINKSTATE_EXT_SUBSTATE
    down_count: Int = u32(7)  # ETHTOOL_A_LINKSTATE_EXT_DOWN_CNT

    @property
    def substate(self) -> IntEnum | int | None:
        """`ext_substate` as a member of the enum that belongs to `ext_state`; a number that it lacks as it is."""
        return _member(_SUBSTATES, self.ext_state, self.ext_substate)


class Debug(DeviceMessage):
    """The messages that a driver logs (ETHTOOL_A_DEBUG_*)."""

    msgmask: Field[Bitset | None] = nested(2, Bitset)  # ETHTOOL_A_DEBUG_MSGMASK
    event: Member[Event] = event(Event)


class WakeOnLAN(DeviceMessage):
    """What wakes the machine (ETHTOOL_A_WOL_*).

    sopass: the password of `magicsecure`.
    """

    modes: Field[Bitset | None] = nested(2, Bitset)  # ETHTOOL_A_WOL_MODES
    sopass: Bytes = binary(3)  # ETHTOOL_A_WOL_SOPASS, 6 bytes
    event: Member[Event] = event(Event)


class Features(DeviceMessage):
    """Offloads (ETHTOOL_A_FEATURES_*). A request for a change only has `wanted`."""

    hw: Field[Bitset | None] = nested(2, Bitset)  # ETHTOOL_A_FEATURES_HW, on: can be changed
    wanted: Field[Bitset | None] = nested(3, Bitset)  # ETHTOOL_A_FEATURES_WANTED, on: asked for
    active: Field[Bitset | None] = nested(4, Bitset)  # ETHTOOL_A_FEATURES_ACTIVE, on: in use
    nochange: Field[Bitset | None] = nested(5, Bitset)  # ETHTOOL_A_FEATURES_NOCHANGE, on: can never be changed
    event: Member[Event] = event(Event)


class PrivFlags(DeviceMessage):
    """Flags of a driver, with names of its own (ETHTOOL_A_PRIVFLAGS_*)."""

    flags: Field[Bitset | None] = nested(2, Bitset)  # ETHTOOL_A_PRIVFLAGS_FLAGS
    event: Member[Event] = event(Event)


class Rings(DeviceMessage):
    """The sizes of rings, in descriptors, and what belongs to them (ETHTOOL_A_RINGS_*).

    tx_push, rx_push: 1 if descriptors are written to the device, and not read by it.
    """

    rx_max: Int = u32(2)  # ETHTOOL_A_RINGS_RX_MAX
    rx_mini_max: Int = u32(3)  # ETHTOOL_A_RINGS_RX_MINI_MAX
    rx_jumbo_max: Int = u32(4)  # ETHTOOL_A_RINGS_RX_JUMBO_MAX
    tx_max: Int = u32(5)  # ETHTOOL_A_RINGS_TX_MAX
    rx: Int = u32(6)  # ETHTOOL_A_RINGS_RX
    rx_mini: Int = u32(7)  # ETHTOOL_A_RINGS_RX_MINI
    rx_jumbo: Int = u32(8)  # ETHTOOL_A_RINGS_RX_JUMBO
    tx: Int = u32(9)  # ETHTOOL_A_RINGS_TX
    rx_buf_len: Int = u32(10)  # ETHTOOL_A_RINGS_RX_BUF_LEN, bytes
    tcp_data_split: Member[TCPDataSplit] = u8(11, enum=TCPDataSplit)  # ETHTOOL_A_RINGS_TCP_DATA_SPLIT
    cqe_size: Int = u32(12)  # ETHTOOL_A_RINGS_CQE_SIZE, bytes
    tx_push: Int = u8(13)  # ETHTOOL_A_RINGS_TX_PUSH
    rx_push: Int = u8(14)  # ETHTOOL_A_RINGS_RX_PUSH
    tx_push_buf_len: Int = u32(15)  # ETHTOOL_A_RINGS_TX_PUSH_BUF_LEN, bytes
    tx_push_buf_len_max: Int = u32(16)  # ETHTOOL_A_RINGS_TX_PUSH_BUF_LEN_MAX, bytes
    hds_thresh: Int = u32(17)  # ETHTOOL_A_RINGS_HDS_THRESH, bytes
    hds_thresh_max: Int = u32(18)  # ETHTOOL_A_RINGS_HDS_THRESH_MAX, bytes
    event: Member[Event] = event(Event)


class Channels(DeviceMessage):
    """Numbers of channels: an interrupt, and the queues that it serves (ETHTOOL_A_CHANNELS_*)."""

    rx_max: Int = u32(2)  # ETHTOOL_A_CHANNELS_RX_MAX
    tx_max: Int = u32(3)  # ETHTOOL_A_CHANNELS_TX_MAX
    other_max: Int = u32(4)  # ETHTOOL_A_CHANNELS_OTHER_MAX
    combined_max: Int = u32(5)  # ETHTOOL_A_CHANNELS_COMBINED_MAX
    rx_count: Int = u32(6)  # ETHTOOL_A_CHANNELS_RX_COUNT
    tx_count: Int = u32(7)  # ETHTOOL_A_CHANNELS_TX_COUNT
    other_count: Int = u32(8)  # ETHTOOL_A_CHANNELS_OTHER_COUNT
    combined_count: Int = u32(9)  # ETHTOOL_A_CHANNELS_COMBINED_COUNT
    event: Member[Event] = event(Event)


class IRQModeration(AttributeSet):
    """A level of interrupt moderation (ETHTOOL_A_IRQ_MODERATION_*)."""

    usec: Int = u32(1)  # ETHTOOL_A_IRQ_MODERATION_USEC
    pkts: Int = u32(2)  # ETHTOOL_A_IRQ_MODERATION_PKTS
    comps: Int = u32(3)  # ETHTOOL_A_IRQ_MODERATION_COMPS


class IRQProfile(AttributeSet):
    """Levels of interrupt moderation (ETHTOOL_A_PROFILE_*)."""

    moderations: Items[IRQModeration] = repeated(1, IRQModeration)  # ETHTOOL_A_PROFILE_IRQ_MODERATION


class Coalesce(DeviceMessage):
    """When the device raises an interrupt (ETHTOOL_A_COALESCE_*).

    *_usecs: microseconds after a packet. *_max_frames: packets. use_*: 1 if on. *_low, *_high: for rates below
    `pkt_rate_low` and above `pkt_rate_high`, packets a second. rate_sample_interval: seconds.
    """

    rx_usecs: Int = u32(2)  # ETHTOOL_A_COALESCE_RX_USECS
    rx_max_frames: Int = u32(3)  # ETHTOOL_A_COALESCE_RX_MAX_FRAMES
    rx_usecs_irq: Int = u32(4)  # ETHTOOL_A_COALESCE_RX_USECS_IRQ
    rx_max_frames_irq: Int = u32(5)  # ETHTOOL_A_COALESCE_RX_MAX_FRAMES_IRQ
    tx_usecs: Int = u32(6)  # ETHTOOL_A_COALESCE_TX_USECS
    tx_max_frames: Int = u32(7)  # ETHTOOL_A_COALESCE_TX_MAX_FRAMES
    tx_usecs_irq: Int = u32(8)  # ETHTOOL_A_COALESCE_TX_USECS_IRQ
    tx_max_frames_irq: Int = u32(9)  # ETHTOOL_A_COALESCE_TX_MAX_FRAMES_IRQ
    stats_block_usecs: Int = u32(10)  # ETHTOOL_A_COALESCE_STATS_BLOCK_USECS
    use_adaptive_rx: Int = u8(11)  # ETHTOOL_A_COALESCE_USE_ADAPTIVE_RX
    use_adaptive_tx: Int = u8(12)  # ETHTOOL_A_COALESCE_USE_ADAPTIVE_TX
    pkt_rate_low: Int = u32(13)  # ETHTOOL_A_COALESCE_PKT_RATE_LOW
    rx_usecs_low: Int = u32(14)  # ETHTOOL_A_COALESCE_RX_USECS_LOW
    rx_max_frames_low: Int = u32(15)  # ETHTOOL_A_COALESCE_RX_MAX_FRAMES_LOW
    tx_usecs_low: Int = u32(16)  # ETHTOOL_A_COALESCE_TX_USECS_LOW
    tx_max_frames_low: Int = u32(17)  # ETHTOOL_A_COALESCE_TX_MAX_FRAMES_LOW
    pkt_rate_high: Int = u32(18)  # ETHTOOL_A_COALESCE_PKT_RATE_HIGH
    rx_usecs_high: Int = u32(19)  # ETHTOOL_A_COALESCE_RX_USECS_HIGH
    rx_max_frames_high: Int = u32(20)  # ETHTOOL_A_COALESCE_RX_MAX_FRAMES_HIGH
    tx_usecs_high: Int = u32(21)  # ETHTOOL_A_COALESCE_TX_USECS_HIGH
    tx_max_frames_high: Int = u32(22)  # ETHTOOL_A_COALESCE_TX_MAX_FRAMES_HIGH
    rate_sample_interval: Int = u32(23)  # ETHTOOL_A_COALESCE_RATE_SAMPLE_INTERVAL
    use_cqe_mode_tx: Int = u8(24)  # ETHTOOL_A_COALESCE_USE_CQE_MODE_TX
    use_cqe_mode_rx: Int = u8(25)  # ETHTOOL_A_COALESCE_USE_CQE_MODE_RX
    tx_aggr_max_bytes: Int = u32(26)  # ETHTOOL_A_COALESCE_TX_AGGR_MAX_BYTES
    tx_aggr_max_frames: Int = u32(27)  # ETHTOOL_A_COALESCE_TX_AGGR_MAX_FRAMES
    tx_aggr_time_usecs: Int = u32(28)  # ETHTOOL_A_COALESCE_TX_AGGR_TIME_USECS
    rx_profile: Field[IRQProfile | None] = nested(29, IRQProfile)  # ETHTOOL_A_COALESCE_RX_PROFILE
    tx_profile: Field[IRQProfile | None] = nested(30, IRQProfile)  # ETHTOOL_A_COALESCE_TX_PROFILE
    event: Member[Event] = event(Event)


class PauseStats(AttributeSet, ignore=(1,)):
    """Pause frames (ETHTOOL_A_PAUSE_STAT_*)."""

    tx_frames: Int = u64(2)  # ETHTOOL_A_PAUSE_STAT_TX_FRAMES
    rx_frames: Int = u64(3)  # ETHTOOL_A_PAUSE_STAT_RX_FRAMES


class Pause(DeviceMessage):
    """Flow control (ETHTOOL_A_PAUSE_*). autoneg, rx, tx: 1 if on. stats: if HeaderFlags.STATS asks for them."""

    autoneg: Int = u8(2)  # ETHTOOL_A_PAUSE_AUTONEG
    rx: Int = u8(3)  # ETHTOOL_A_PAUSE_RX
    tx: Int = u8(4)  # ETHTOOL_A_PAUSE_TX
    stats: Field[PauseStats | None] = nested(5, PauseStats)  # ETHTOOL_A_PAUSE_STATS
    stats_src: Member[MACStatsSource] = u32(6, enum=MACStatsSource)  # ETHTOOL_A_PAUSE_STATS_SRC
    event: Member[Event] = event(Event)


class EEE(DeviceMessage):
    """Energy-Efficient Ethernet (ETHTOOL_A_EEE_*). active, enabled, tx_lpi_enabled: 1 if so."""

    modes_ours: Field[Bitset | None] = nested(2, Bitset)  # ETHTOOL_A_EEE_MODES_OURS
    modes_peer: Field[Bitset | None] = nested(3, Bitset)  # ETHTOOL_A_EEE_MODES_PEER
    active: Int = u8(4)  # ETHTOOL_A_EEE_ACTIVE
    enabled: Int = u8(5)  # ETHTOOL_A_EEE_ENABLED
    tx_lpi_enabled: Int = u8(6)  # ETHTOOL_A_EEE_TX_LPI_ENABLED
    tx_lpi_timer: Int = u32(7)  # ETHTOOL_A_EEE_TX_LPI_TIMER, microseconds
    event: Member[Event] = event(Event)


class TsStats(AttributeSet):
    """Timestamps of sent packets (ETHTOOL_A_TS_STAT_*)."""

    tx_pkts: Int = uint(1)  # ETHTOOL_A_TS_STAT_TX_PKTS
    tx_lost: Int = uint(2)  # ETHTOOL_A_TS_STAT_TX_LOST
    tx_err: Int = uint(3)  # ETHTOOL_A_TS_STAT_TX_ERR
    tx_onestep_pkts_unconfirmed: Int = uint(4)  # ETHTOOL_A_TS_STAT_TX_ONESTEP_PKTS_UNCONFIRMED


class TsProvider(AttributeSet):
    """A clock of a device (ETHTOOL_A_TS_HWTSTAMP_PROVIDER_*)."""

    index: Int = u32(1)  # ETHTOOL_A_TS_HWTSTAMP_PROVIDER_INDEX
    qualifier: Member[TsQualifier] = u32(2, enum=TsQualifier)  # ETHTOOL_A_TS_HWTSTAMP_PROVIDER_QUALIFIER


class TsInfo(DeviceMessage):
    """What a device can do about timestamps (ETHTOOL_A_TSINFO_*).

    phc_index: the number of its clock, /dev/ptp*. stats: if HeaderFlags.STATS asks for them.
    """

    timestamping: Field[Bitset | None] = nested(2, Bitset)  # ETHTOOL_A_TSINFO_TIMESTAMPING
    tx_types: Field[Bitset | None] = nested(3, Bitset)  # ETHTOOL_A_TSINFO_TX_TYPES
    rx_filters: Field[Bitset | None] = nested(4, Bitset)  # ETHTOOL_A_TSINFO_RX_FILTERS
    phc_index: Int = u32(5)  # ETHTOOL_A_TSINFO_PHC_INDEX
    stats: Field[TsStats | None] = nested(6, TsStats)  # ETHTOOL_A_TSINFO_STATS
    provider: Field[TsProvider | None] = nested(7, TsProvider)  # ETHTOOL_A_TSINFO_HWTSTAMP_PROVIDER
    source: Member[TsSource] = u32(8, enum=TsSource)  # ETHTOOL_A_TSINFO_HWTSTAMP_SOURCE
    phy_index: Int = u32(9)  # ETHTOOL_A_TSINFO_HWTSTAMP_PHYINDEX


class CableTest(DeviceMessage):
    """A test of a cable (ETHTOOL_A_CABLE_TEST_*)."""


class CableResult(AttributeSet):
    """How a pair is (ETHTOOL_A_CABLE_RESULT_*)."""

    pair: Member[CablePair] = u8(1, enum=CablePair)  # ETHTOOL_A_CABLE_RESULT_PAIR
    code: Member[CableCode] = u8(2, enum=CableCode)  # ETHTOOL_A_CABLE_RESULT_CODE
    src: Member[CableSource] = u32(3, enum=CableSource)  # ETHTOOL_A_CABLE_RESULT_SRC


class CableFaultLength(AttributeSet):
    """How far away the fault of a pair is (ETHTOOL_A_CABLE_FAULT_LENGTH_*)."""

    pair: Member[CablePair] = u8(1, enum=CablePair)  # ETHTOOL_A_CABLE_FAULT_LENGTH_PAIR
    cm: Int = u32(2)  # ETHTOOL_A_CABLE_FAULT_LENGTH_CM, centimetres
    src: Member[CableSource] = u32(3, enum=CableSource)  # ETHTOOL_A_CABLE_FAULT_LENGTH_SRC


class CableResults(AttributeSet):
    """The results for all pairs (ETHTOOL_A_CABLE_NEST_*)."""

    results: Items[CableResult] = repeated(1, CableResult)  # ETHTOOL_A_CABLE_NEST_RESULT
    fault_lengths: Items[CableFaultLength] = repeated(2, CableFaultLength)  # ETHTOOL_A_CABLE_NEST_FAULT_LENGTH


class CableTestEvent(DeviceMessage):
    """A test of a cable began or has ended (ETHTOOL_A_CABLE_TEST_NTF_*)."""

    status: Member[CableTestStatus] = u8(2, enum=CableTestStatus)  # ETHTOOL_A_CABLE_TEST_NTF_STATUS
    results: Field[CableResults | None] = nested(3, CableResults)  # ETHTOOL_A_CABLE_TEST_NTF_NEST
    event: Member[Event] = event(Event)


class CableTestTDRConfig(AttributeSet):
    """What to measure (ETHTOOL_A_CABLE_TEST_TDR_CFG_*). Without pair: all pairs."""

    first: Int = u32(1)  # ETHTOOL_A_CABLE_TEST_TDR_CFG_FIRST, cm
    last: Int = u32(2)  # ETHTOOL_A_CABLE_TEST_TDR_CFG_LAST, cm
    step: Int = u32(3)  # ETHTOOL_A_CABLE_TEST_TDR_CFG_STEP, cm
    pair: Member[CablePair] = u8(4, enum=CablePair)  # ETHTOOL_A_CABLE_TEST_TDR_CFG_PAIR


class CableTestTDR(DeviceMessage):
    """A measurement of reflections in a cable (ETHTOOL_A_CABLE_TEST_TDR_*)."""

    config: Field[CableTestTDRConfig | None] = nested(2, CableTestTDRConfig)  # ETHTOOL_A_CABLE_TEST_TDR_CFG


class CableAmplitude(AttributeSet):
    """A reflection (ETHTOOL_A_CABLE_AMPLITUDE_*): of one distance after the other, from the first to the last."""

    pair: Member[CablePair] = u8(1, enum=CablePair)  # ETHTOOL_A_CABLE_AMPLITUDE_PAIR
    millivolts: Int = s16(2)  # ETHTOOL_A_CABLE_AMPLITUDE_mV


class CablePulse(AttributeSet):
    """The pulse that was sent (ETHTOOL_A_CABLE_PULSE_*)."""

    millivolts: Int = s16(1)  # ETHTOOL_A_CABLE_PULSE_mV


class CableStep(AttributeSet):
    """The distances that were measured, in cm (ETHTOOL_A_CABLE_STEP_*)."""

    first: Int = u32(1)  # ETHTOOL_A_CABLE_STEP_FIRST_DISTANCE
    last: Int = u32(2)  # ETHTOOL_A_CABLE_STEP_LAST_DISTANCE
    step: Int = u32(3)  # ETHTOOL_A_CABLE_STEP_STEP_DISTANCE


class CableTDRResults(AttributeSet):
    """What was measured (ETHTOOL_A_CABLE_TDR_NEST_*)."""

    step: Field[CableStep | None] = nested(1, CableStep)  # ETHTOOL_A_CABLE_TDR_NEST_STEP
    amplitudes: Items[CableAmplitude] = repeated(2, CableAmplitude)  # ETHTOOL_A_CABLE_TDR_NEST_AMPLITUDE
    pulse: Field[CablePulse | None] = nested(3, CablePulse)  # ETHTOOL_A_CABLE_TDR_NEST_PULSE


class CableTestTDREvent(DeviceMessage):
    """A measurement of reflections began or has ended (ETHTOOL_A_CABLE_TEST_TDR_NTF_*)."""

    status: Member[CableTestStatus] = u8(2, enum=CableTestStatus)  # ETHTOOL_A_CABLE_TEST_TDR_NTF_STATUS
    results: Field[CableTDRResults | None] = nested(3, CableTDRResults)  # ETHTOOL_A_CABLE_TEST_TDR_NTF_NEST
    event: Member[Event] = event(Event)


class TunnelUDPEntry(AttributeSet):
    """A port whose tunnel the device knows (ETHTOOL_A_TUNNEL_UDP_ENTRY_*)."""

    port: Int = be16(1)  # ETHTOOL_A_TUNNEL_UDP_ENTRY_PORT
    type: Member[UDPTunnelType] = u32(2, enum=UDPTunnelType)  # ETHTOOL_A_TUNNEL_UDP_ENTRY_TYPE


class TunnelUDPTable(AttributeSet):
    """A table of ports of a device (ETHTOOL_A_TUNNEL_UDP_TABLE_*).

    size: of its entries. types: those that it can have; none if it is fixed.
    """

    size: Int = u32(1)  # ETHTOOL_A_TUNNEL_UDP_TABLE_SIZE
    types: Field[Bitset | None] = nested(2, Bitset)  # ETHTOOL_A_TUNNEL_UDP_TABLE_TYPES
    entries: Items[TunnelUDPEntry] = repeated(3, TunnelUDPEntry)  # ETHTOOL_A_TUNNEL_UDP_TABLE_ENTRY


class TunnelUDP(AttributeSet):
    """The tables of a device (ETHTOOL_A_TUNNEL_UDP_*)."""

    tables: Items[TunnelUDPTable] = repeated(1, TunnelUDPTable)  # ETHTOOL_A_TUNNEL_UDP_TABLE


class TunnelInfo(DeviceMessage):
    """The tunnels that a device knows (ETHTOOL_A_TUNNEL_INFO_*)."""

    udp_ports: Field[TunnelUDP | None] = nested(2, TunnelUDP)  # ETHTOOL_A_TUNNEL_INFO_UDP_PORTS


class FECHistogram(AttributeSet, ignore=(1,)):
    """Codewords by their number of errors, from low to high (ETHTOOL_A_FEC_HIST_*)."""

    low: Int = u32(2)  # ETHTOOL_A_FEC_HIST_BIN_LOW
    high: Int = u32(3)  # ETHTOOL_A_FEC_HIST_BIN_HIGH
    value: Int = uint(4)  # ETHTOOL_A_FEC_HIST_BIN_VAL
    value_per_lane: Items[int] = packed(5, u64)  # ETHTOOL_A_FEC_HIST_BIN_VAL_PER_LANE


class FECStats(AttributeSet, ignore=(1,)):
    """Error correction (ETHTOOL_A_FEC_STAT_*): the total, and then the number of each lane, if the device has them.

    corrected, uncorr: blocks. corr_bits: bits.
    """

    corrected: Items[int] = packed(2, u64)  # ETHTOOL_A_FEC_STAT_CORRECTED
    uncorr: Items[int] = packed(3, u64)  # ETHTOOL_A_FEC_STAT_UNCORR
    corr_bits: Items[int] = packed(4, u64)  # ETHTOOL_A_FEC_STAT_CORR_BITS
    histogram: Items[FECHistogram] = repeated(5, FECHistogram)  # ETHTOOL_A_FEC_STAT_HIST


class FEC(DeviceMessage):
    """Forward error correction (ETHTOOL_A_FEC_*).

    auto: 1 if the driver chooses. stats: if HeaderFlags.STATS asks for them.
    """

    modes: Field[Bitset | None] = nested(2, Bitset)  # ETHTOOL_A_FEC_MODES
    auto: Int = u8(3)  # ETHTOOL_A_FEC_AUTO
    active: Member[FECMode] = u32(4, enum=FECMode)  # ETHTOOL_A_FEC_ACTIVE
    stats: Field[FECStats | None] = nested(5, FECStats)  # ETHTOOL_A_FEC_STATS
    event: Member[Event] = event(Event)


class ModuleEEPROM(DeviceMessage):
    """Bytes of the memory of a plug-in module (ETHTOOL_A_MODULE_EEPROM_*).

    A request has all but `data`.
    """

    offset: Int = u32(2)  # ETHTOOL_A_MODULE_EEPROM_OFFSET, bytes
    length: Int = u32(3)  # ETHTOOL_A_MODULE_EEPROM_LENGTH, bytes
    page: Int = u8(4)  # ETHTOOL_A_MODULE_EEPROM_PAGE
    bank: Int = u8(5)  # ETHTOOL_A_MODULE_EEPROM_BANK
    i2c_address: Int = u8(6)  # ETHTOOL_A_MODULE_EEPROM_I2C_ADDRESS
    data: Bytes = binary(7)  # ETHTOOL_A_MODULE_EEPROM_DATA


class StatsBucket(AttributeSet, ignore=(1,)):
    """Packets of a range of sizes (ETHTOOL_A_STATS_GRP_HIST_*)."""

    low: Int = u32(7)  # ETHTOOL_A_STATS_GRP_HIST_BKT_LOW, bytes
    high: Int = u32(8)  # ETHTOOL_A_STATS_GRP_HIST_BKT_HI, bytes
    value: Int = u64(9)  # ETHTOOL_A_STATS_GRP_HIST_VAL


class Stat(AttributeSet):
    """A statistic: one attribute, whose type is the number of the statistic in its group."""


class StatsGroup(AttributeSet, ignore=(1,)):
    """The statistics of a group (ETHTOOL_A_STATS_GRP_*).

    string_set: has the names of the statistics. stats: see `values`. hist_rx, hist_tx: packets by size.
    """

    id: Member[StatsGroupID] = u32(2, enum=StatsGroupID)  # ETHTOOL_A_STATS_GRP_ID
    string_set: Member[StringSet] = u32(3, enum=StringSet)  # ETHTOOL_A_STATS_GRP_SS_ID
    stats: Items[Stat] = repeated(4, Stat)  # ETHTOOL_A_STATS_GRP_STAT
    hist_rx: Items[StatsBucket] = repeated(5, StatsBucket)  # ETHTOOL_A_STATS_GRP_HIST_RX
    hist_tx: Items[StatsBucket] = repeated(6, StatsBucket)  # ETHTOOL_A_STATS_GRP_HIST_TX

    @property
    def values(self) -> dict[int, int]:
        """The statistics that the device has, by members of the enum of the group, or by number for a newer one."""
        of = _STATS.get(self.id or 0, {})
        found = (pair for stat in self.stats or () for pair in stat.unknown)
        return {of.get(number, number): int.from_bytes(value, sys.byteorder) for number, value in found}


class Stats(AttributeSet, ignore=(1,)):
    """Statistics that standards define (ETHTOOL_A_STATS_*).

    groups: those that a request asks for. results: one for each of them.
    """

    header: Field[Header | None] = nested(2, Header)  # ETHTOOL_A_STATS_HEADER
    groups: Field[Bitset | None] = nested(3, Bitset)  # ETHTOOL_A_STATS_GROUPS
    results: Items[StatsGroup] = repeated(4, StatsGroup)  # ETHTOOL_A_STATS_GRP
    src: Member[MACStatsSource] = u32(5, enum=MACStatsSource)  # ETHTOOL_A_STATS_SRC

    @property
    def device(self) -> str | None:
        """The name of the device."""
        return self.header.dev_name if self.header else None


class PHCVclocks(DeviceMessage):
    """Virtual clocks of a clock (ETHTOOL_A_PHC_VCLOCKS_*): their number, and that of each, /dev/ptp*."""

    num: Int = u32(2)  # ETHTOOL_A_PHC_VCLOCKS_NUM
    indices: Items[int] = packed(3, s32)  # ETHTOOL_A_PHC_VCLOCKS_INDEX


class Module(DeviceMessage):
    """The power of a plug-in module (ETHTOOL_A_MODULE_*)."""

    power_mode_policy: Member[PowerModePolicy] = u8(2, enum=PowerModePolicy)  # ETHTOOL_A_MODULE_POWER_MODE_POLICY
    power_mode: Member[PowerMode] = u8(3, enum=PowerMode)  # ETHTOOL_A_MODULE_POWER_MODE
    event: Member[Event] = event(Event)


class PSEPowerRange(AttributeSet):
    """A range of limits that can be set (ETHTOOL_A_C33_PSE_PW_LIMIT_*)."""

    min: Int = u32(1)  # ETHTOOL_A_C33_PSE_PW_LIMIT_MIN, mW
    max: Int = u32(2)  # ETHTOOL_A_C33_PSE_PW_LIMIT_MAX, mW


class PSE(DeviceMessage):
    """Power over Ethernet (ETHTOOL_A_PSE_*), over data lines (podl_*) or of clause 33 (c33_*).

    c33_ext_substate: see `ext_substate`. *_admin_control: a state to set.
    """

    podl_admin_state: Member[PoDLAdminState] = u32(2, enum=PoDLAdminState)  # ETHTOOL_A_PODL_PSE_ADMIN_STATE
    podl_admin_control: Member[PoDLAdminState] = u32(3, enum=PoDLAdminState)  # ETHTOOL_A_PODL_PSE_ADMIN_CONTROL
    podl_pd_status: Member[PoDLStatus] = u32(4, enum=PoDLStatus)  # ETHTOOL_A_PODL_PSE_PW_D_STATUS
    c33_admin_state: Member[PSEAdminState] = u32(5, enum=PSEAdminState)  # ETHTOOL_A_C33_PSE_ADMIN_STATE
    c33_admin_control: Member[PSEAdminState] = u32(6, enum=PSEAdminState)  # ETHTOOL_A_C33_PSE_ADMIN_CONTROL
    c33_pd_status: Member[PSEStatus] = u32(7, enum=PSEStatus)  # ETHTOOL_A_C33_PSE_PW_D_STATUS
    c33_class: Int = u32(8)  # ETHTOOL_A_C33_PSE_PW_CLASS
    c33_actual_power: Int = u32(9)  # ETHTOOL_A_C33_PSE_ACTUAL_PW, mW
    c33_ext_state: Member[PSEExtState] = u32(10, enum=PSEExtState)  # ETHTOOL_A_C33_PSE_EXT_STATE
    c33_ext_substate: Int = u32(11)  # ETHTOOL_A_C33_PSE_EXT_SUBSTATE
    c33_power_limit: Int = u32(12)  # ETHTOOL_A_C33_PSE_AVAIL_PW_LIMIT, mW
    c33_power_limit_ranges: Items[PSEPowerRange] = repeated(13, PSEPowerRange)  # ETHTOOL_A_C33_PSE_PW_LIMIT_RANGES
    power_domain: Int = u32(14)  # ETHTOOL_A_PSE_PW_D_ID
    priority_max: Int = u32(15)  # ETHTOOL_A_PSE_PRIO_MAX
    priority: Int = u32(16)  # ETHTOOL_A_PSE_PRIO

    @property
    def ext_substate(self) -> IntEnum | int | None:
        """`c33_ext_substate` as a member of the enum of `c33_ext_state`; a number that it lacks as it is."""
        return _member(_PSE_SUBSTATES, self.c33_ext_state, self.c33_ext_substate)


class FlowHash(AttributeSet):
    """What is hashed of each kind of packet (ETHTOOL_A_FLOW_*)."""

    ether: Member[HashFields] = uint(1, enum=HashFields)  # ETHTOOL_A_FLOW_ETHER
    ip4: Member[HashFields] = uint(2, enum=HashFields)  # ETHTOOL_A_FLOW_IP4
    ip6: Member[HashFields] = uint(3, enum=HashFields)  # ETHTOOL_A_FLOW_IP6
    tcp4: Member[HashFields] = uint(4, enum=HashFields)  # ETHTOOL_A_FLOW_TCP4
    tcp6: Member[HashFields] = uint(5, enum=HashFields)  # ETHTOOL_A_FLOW_TCP6
    udp4: Member[HashFields] = uint(6, enum=HashFields)  # ETHTOOL_A_FLOW_UDP4
    udp6: Member[HashFields] = uint(7, enum=HashFields)  # ETHTOOL_A_FLOW_UDP6
    sctp4: Member[HashFields] = uint(8, enum=HashFields)  # ETHTOOL_A_FLOW_SCTP4
    sctp6: Member[HashFields] = uint(9, enum=HashFields)  # ETHTOOL_A_FLOW_SCTP6
    ah4: Member[HashFields] = uint(10, enum=HashFields)  # ETHTOOL_A_FLOW_AH4
    ah6: Member[HashFields] = uint(11, enum=HashFields)  # ETHTOOL_A_FLOW_AH6
    esp4: Member[HashFields] = uint(12, enum=HashFields)  # ETHTOOL_A_FLOW_ESP4
    esp6: Member[HashFields] = uint(13, enum=HashFields)  # ETHTOOL_A_FLOW_ESP6
    ah_esp4: Member[HashFields] = uint(14, enum=HashFields)  # ETHTOOL_A_FLOW_AH_ESP4
    ah_esp6: Member[HashFields] = uint(15, enum=HashFields)  # ETHTOOL_A_FLOW_AH_ESP6
    gtpu4: Member[HashFields] = uint(16, enum=HashFields)  # ETHTOOL_A_FLOW_GTPU4
    gtpu6: Member[HashFields] = uint(17, enum=HashFields)  # ETHTOOL_A_FLOW_GTPU6
    gtpc4: Member[HashFields] = uint(18, enum=HashFields)  # ETHTOOL_A_FLOW_GTPC4
    gtpc6: Member[HashFields] = uint(19, enum=HashFields)  # ETHTOOL_A_FLOW_GTPC6
    gtpc_teid4: Member[HashFields] = uint(20, enum=HashFields)  # ETHTOOL_A_FLOW_GTPC_TEID4
    gtpc_teid6: Member[HashFields] = uint(21, enum=HashFields)  # ETHTOOL_A_FLOW_GTPC_TEID6
    gtpu_eh4: Member[HashFields] = uint(22, enum=HashFields)  # ETHTOOL_A_FLOW_GTPU_EH4
    gtpu_eh6: Member[HashFields] = uint(23, enum=HashFields)  # ETHTOOL_A_FLOW_GTPU_EH6
    gtpu_ul4: Member[HashFields] = uint(24, enum=HashFields)  # ETHTOOL_A_FLOW_GTPU_UL4
    gtpu_ul6: Member[HashFields] = uint(25, enum=HashFields)  # ETHTOOL_A_FLOW_GTPU_UL6
    gtpu_dl4: Member[HashFields] = uint(26, enum=HashFields)  # ETHTOOL_A_FLOW_GTPU_DL4
    gtpu_dl6: Member[HashFields] = uint(27, enum=HashFields)  # ETHTOOL_A_FLOW_GTPU_DL6


class RSS(DeviceMessage):
    """How packets are spread over queues (ETHTOOL_A_RSS_*).

    hfunc: the names of its bits are in `StringSet.RSS_HASH_FUNCS`.
    context: a number other than 0 for an additional table. indir: queues. hkey: the key.
    start_context: the first of a dump.
    """

    context: Int = u32(2)  # ETHTOOL_A_RSS_CONTEXT
    hfunc: Int = u32(3)  # ETHTOOL_A_RSS_HFUNC, a bit
    indir: Items[int] = packed(4, u32)  # ETHTOOL_A_RSS_INDIR
    hkey: Bytes = binary(5)  # ETHTOOL_A_RSS_HKEY
    input_xfrm: Member[RSSInput] = u32(6, enum=RSSInput)  # ETHTOOL_A_RSS_INPUT_XFRM
    start_context: Int = u32(7)  # ETHTOOL_A_RSS_START_CONTEXT
    flow_hash: Field[FlowHash | None] = nested(8, FlowHash, rare=True)  # ETHTOOL_A_RSS_FLOW_HASH
    event: Member[Event] = event(Event)


class PLCA(DeviceMessage):
    """Collision avoidance of 10BASE-T1S (ETHTOOL_A_PLCA_*). version: of the registers. enabled, status: 1 if so."""

    version: Int = u16(2)  # ETHTOOL_A_PLCA_VERSION
    enabled: Int = u8(3)  # ETHTOOL_A_PLCA_ENABLED
    status: Int = u8(4)  # ETHTOOL_A_PLCA_STATUS
    node_count: Int = u32(5)  # ETHTOOL_A_PLCA_NODE_CNT
    node_id: Int = u32(6)  # ETHTOOL_A_PLCA_NODE_ID
    to_timer: Int = u32(7)  # ETHTOOL_A_PLCA_TO_TMR, bit times
    burst_count: Int = u32(8)  # ETHTOOL_A_PLCA_BURST_CNT
    burst_timer: Int = u32(9)  # ETHTOOL_A_PLCA_BURST_TMR, bit times
    event: Member[Event] = event(Event)


class MMStats(AttributeSet, ignore=(1,)):
    """Counters of the MAC merge layer (ETHTOOL_A_MM_STAT_*)."""

    reassembly_errors: Int = u64(2)  # ETHTOOL_A_MM_STAT_REASSEMBLY_ERRORS
    smd_errors: Int = u64(3)  # ETHTOOL_A_MM_STAT_SMD_ERRORS
    reassembly_ok: Int = u64(4)  # ETHTOOL_A_MM_STAT_REASSEMBLY_OK
    rx_frag_count: Int = u64(5)  # ETHTOOL_A_MM_STAT_RX_FRAG_COUNT
    tx_frag_count: Int = u64(6)  # ETHTOOL_A_MM_STAT_TX_FRAG_COUNT
    hold_count: Int = u64(7)  # ETHTOOL_A_MM_STAT_HOLD_COUNT


class MM(DeviceMessage):
    """The MAC merge layer, for frames that can be interrupted (ETHTOOL_A_MM_*).

    *_enabled, tx_active: 1 if so. stats: if HeaderFlags.STATS asks for them.
    """

    pmac_enabled: Int = u8(2)  # ETHTOOL_A_MM_PMAC_ENABLED
    tx_enabled: Int = u8(3)  # ETHTOOL_A_MM_TX_ENABLED
    tx_active: Int = u8(4)  # ETHTOOL_A_MM_TX_ACTIVE
    tx_min_frag_size: Int = u32(5)  # ETHTOOL_A_MM_TX_MIN_FRAG_SIZE, bytes
    rx_min_frag_size: Int = u32(6)  # ETHTOOL_A_MM_RX_MIN_FRAG_SIZE, bytes
    verify_enabled: Int = u8(7)  # ETHTOOL_A_MM_VERIFY_ENABLED
    verify_status: Member[VerifyStatus] = u8(8, enum=VerifyStatus)  # ETHTOOL_A_MM_VERIFY_STATUS
    verify_time: Int = u32(9)  # ETHTOOL_A_MM_VERIFY_TIME, milliseconds
    max_verify_time: Int = u32(10)  # ETHTOOL_A_MM_MAX_VERIFY_TIME, milliseconds
    stats: Field[MMStats | None] = nested(11, MMStats, rare=True)  # ETHTOOL_A_MM_STATS
    event: Member[Event] = event(Event)


class ModuleFirmwareFlash(DeviceMessage):
    """Firmware for a plug-in module (ETHTOOL_A_MODULE_FW_FLASH_*).

    file_name: below /lib/firmware. A request only has that and password.
    """

    file_name: Str = string(2)  # ETHTOOL_A_MODULE_FW_FLASH_FILE_NAME
    password: Int = u32(3)  # ETHTOOL_A_MODULE_FW_FLASH_PASSWORD
    status: Member[FlashStatus] = u32(4, enum=FlashStatus)  # ETHTOOL_A_MODULE_FW_FLASH_STATUS
    status_msg: Str = string(5)  # ETHTOOL_A_MODULE_FW_FLASH_STATUS_MSG
    done: Int = uint(6)  # ETHTOOL_A_MODULE_FW_FLASH_DONE, bytes
    total: Int = uint(7)  # ETHTOOL_A_MODULE_FW_FLASH_TOTAL, bytes
    event: Member[Event] = event(Event)


class PHY(DeviceMessage):
    """A PHY (ETHTOOL_A_PHY_*)."""

    index: Int = u32(2)  # ETHTOOL_A_PHY_INDEX
    drvname: Str = string(3)  # ETHTOOL_A_PHY_DRVNAME
    name: Str = string(4)  # ETHTOOL_A_PHY_NAME
    upstream_type: Member[PHYUpstream] = u32(5, enum=PHYUpstream)  # ETHTOOL_A_PHY_UPSTREAM_TYPE
    upstream_index: Int = u32(6)  # ETHTOOL_A_PHY_UPSTREAM_INDEX
    upstream_sfp_name: Str = string(7)  # ETHTOOL_A_PHY_UPSTREAM_SFP_NAME
    downstream_sfp_name: Str = string(8)  # ETHTOOL_A_PHY_DOWNSTREAM_SFP_NAME
    event: Member[Event] = event(Event)


class TsConfig(DeviceMessage):
    """The timestamps that a device takes (ETHTOOL_A_TSCONFIG_*)."""

    provider: Field[TsProvider | None] = nested(2, TsProvider)  # ETHTOOL_A_TSCONFIG_HWTSTAMP_PROVIDER
    tx_types: Field[Bitset | None] = nested(3, Bitset)  # ETHTOOL_A_TSCONFIG_TX_TYPES
    rx_filters: Field[Bitset | None] = nested(4, Bitset)  # ETHTOOL_A_TSCONFIG_RX_FILTERS
    flags: Field[Bitset | None] = nested(5, Bitset)  # ETHTOOL_A_TSCONFIG_HWTSTAMP_FLAGS


class PSEAlert(DeviceMessage):
    """Something happened to a power supply (ETHTOOL_A_PSE_NTF_*)."""

    events: Member[PSEEvent] = uint(2, enum=PSEEvent)  # ETHTOOL_A_PSE_NTF_EVENTS
    event: Member[Event] = event(Event)


class MSECapabilities(AttributeSet):
    """What a PHY can measure (ETHTOOL_A_MSE_CAPABILITIES_*)."""

    max_average_mse: Int = uint(1)  # ETHTOOL_A_MSE_CAPABILITIES_MAX_AVERAGE_MSE
    max_peak_mse: Int = uint(2)  # ETHTOOL_A_MSE_CAPABILITIES_MAX_PEAK_MSE
    refresh_rate_ps: Int = uint(3)  # ETHTOOL_A_MSE_CAPABILITIES_REFRESH_RATE_PS, picoseconds
    num_symbols: Int = uint(4)  # ETHTOOL_A_MSE_CAPABILITIES_NUM_SYMBOLS


class MSESnapshot(AttributeSet):
    """The mean square error of a signal (ETHTOOL_A_MSE_SNAPSHOT_*)."""

    average_mse: Int = uint(1)  # ETHTOOL_A_MSE_SNAPSHOT_AVERAGE_MSE
    peak_mse: Int = uint(2)  # ETHTOOL_A_MSE_SNAPSHOT_PEAK_MSE
    worst_peak_mse: Int = uint(3)  # ETHTOOL_A_MSE_SNAPSHOT_WORST_PEAK_MSE


class MSE(DeviceMessage):
    """The mean square error of each channel of a PHY (ETHTOOL_A_MSE_*)."""

    capabilities: Field[MSECapabilities | None] = nested(2, MSECapabilities)  # ETHTOOL_A_MSE_CAPABILITIES
    channel_a: Field[MSESnapshot | None] = nested(3, MSESnapshot)  # ETHTOOL_A_MSE_CHANNEL_A
    channel_b: Field[MSESnapshot | None] = nested(4, MSESnapshot)  # ETHTOOL_A_MSE_CHANNEL_B
    channel_c: Field[MSESnapshot | None] = nested(5, MSESnapshot)  # ETHTOOL_A_MSE_CHANNEL_C
    channel_d: Field[MSESnapshot | None] = nested(6, MSESnapshot)  # ETHTOOL_A_MSE_CHANNEL_D
    worst_channel: Field[MSESnapshot | None] = nested(7, MSESnapshot)  # ETHTOOL_A_MSE_WORST_CHANNEL
    link: Field[MSESnapshot | None] = nested(8, MSESnapshot)  # ETHTOOL_A_MSE_LINK
