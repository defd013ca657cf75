"""The numbers of devlink: linux/devlink.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag

__all__ = [
    "Command",
    "DpipeActionType",
    "DpipeFieldMapping",
    "DpipeHeaderId",
    "DpipeMatchType",
    "EswitchEncap",
    "EswitchInline",
    "EswitchMode",
    "FirmwareLoadPolicy",
    "FlashOverwrite",
    "FunctionCap",
    "FunctionOpstate",
    "FunctionState",
    "LinecardState",
    "ParamMode",
    "PoolType",
    "PortFlavour",
    "PortType",
    "ProbeReset",
    "RateType",
    "ReloadAction",
    "ReloadActions",
    "ReloadLimit",
    "ReloadLimits",
    "ReporterState",
    "ResourceUnit",
    "SelftestId",
    "SelftestStatus",
    "ThresholdType",
    "TrapAction",
    "TrapType",
    "VarType",
]


class Command(IntEnum):
    """Commands, and the events of a stream (DEVLINK_CMD_*)."""

    GET = 1  # DEVLINK_CMD_GET
    SET = 2  # DEVLINK_CMD_SET
    NEW = 3  # DEVLINK_CMD_NEW
    DEL = 4  # DEVLINK_CMD_DEL
    PORT_GET = 5  # DEVLINK_CMD_PORT_GET
    PORT_SET = 6  # DEVLINK_CMD_PORT_SET
    PORT_NEW = 7  # DEVLINK_CMD_PORT_NEW
    PORT_DEL = 8  # DEVLINK_CMD_PORT_DEL
    PORT_SPLIT = 9  # DEVLINK_CMD_PORT_SPLIT
    PORT_UNSPLIT = 10  # DEVLINK_CMD_PORT_UNSPLIT
    SB_GET = 11  # DEVLINK_CMD_SB_GET
    SB_SET = 12  # DEVLINK_CMD_SB_SET
    SB_NEW = 13  # DEVLINK_CMD_SB_NEW
    SB_DEL = 14  # DEVLINK_CMD_SB_DEL
    SB_POOL_GET = 15  # DEVLINK_CMD_SB_POOL_GET
    SB_POOL_SET = 16  # DEVLINK_CMD_SB_POOL_SET
    SB_POOL_NEW = 17  # DEVLINK_CMD_SB_POOL_NEW
    SB_POOL_DEL = 18  # DEVLINK_CMD_SB_POOL_DEL
    SB_PORT_POOL_GET = 19  # DEVLINK_CMD_SB_PORT_POOL_GET
    SB_PORT_POOL_SET = 20  # DEVLINK_CMD_SB_PORT_POOL_SET
    SB_PORT_POOL_NEW = 21  # DEVLINK_CMD_SB_PORT_POOL_NEW
    SB_PORT_POOL_DEL = 22  # DEVLINK_CMD_SB_PORT_POOL_DEL
    SB_TC_POOL_BIND_GET = 23  # DEVLINK_CMD_SB_TC_POOL_BIND_GET
    SB_TC_POOL_BIND_SET = 24  # DEVLINK_CMD_SB_TC_POOL_BIND_SET
    SB_TC_POOL_BIND_NEW = 25  # DEVLINK_CMD_SB_TC_POOL_BIND_NEW
    SB_TC_POOL_BIND_DEL = 26  # DEVLINK_CMD_SB_TC_POOL_BIND_DEL
    SB_OCC_SNAPSHOT = 27  # DEVLINK_CMD_SB_OCC_SNAPSHOT
    SB_OCC_MAX_CLEAR = 28  # DEVLINK_CMD_SB_OCC_MAX_CLEAR
    ESWITCH_GET = 29  # DEVLINK_CMD_ESWITCH_GET
    ESWITCH_SET = 30  # DEVLINK_CMD_ESWITCH_SET
    DPIPE_TABLE_GET = 31  # DEVLINK_CMD_DPIPE_TABLE_GET
    DPIPE_ENTRIES_GET = 32  # DEVLINK_CMD_DPIPE_ENTRIES_GET
    DPIPE_HEADERS_GET = 33  # DEVLINK_CMD_DPIPE_HEADERS_GET
    DPIPE_TABLE_COUNTERS_SET = 34  # DEVLINK_CMD_DPIPE_TABLE_COUNTERS_SET
    RESOURCE_SET = 35  # DEVLINK_CMD_RESOURCE_SET
    RESOURCE_DUMP = 36  # DEVLINK_CMD_RESOURCE_DUMP
    RELOAD = 37  # DEVLINK_CMD_RELOAD
    PARAM_GET = 38  # DEVLINK_CMD_PARAM_GET
    PARAM_SET = 39  # DEVLINK_CMD_PARAM_SET
    PARAM_NEW = 40  # DEVLINK_CMD_PARAM_NEW
    PARAM_DEL = 41  # DEVLINK_CMD_PARAM_DEL
    REGION_GET = 42  # DEVLINK_CMD_REGION_GET
    REGION_SET = 43  # DEVLINK_CMD_REGION_SET
    REGION_NEW = 44  # DEVLINK_CMD_REGION_NEW
    REGION_DEL = 45  # DEVLINK_CMD_REGION_DEL
    REGION_READ = 46  # DEVLINK_CMD_REGION_READ
    PORT_PARAM_GET = 47  # DEVLINK_CMD_PORT_PARAM_GET
    PORT_PARAM_SET = 48  # DEVLINK_CMD_PORT_PARAM_SET
    PORT_PARAM_NEW = 49  # DEVLINK_CMD_PORT_PARAM_NEW
    PORT_PARAM_DEL = 50  # DEVLINK_CMD_PORT_PARAM_DEL
    INFO_GET = 51  # DEVLINK_CMD_INFO_GET
    HEALTH_REPORTER_GET = 52  # DEVLINK_CMD_HEALTH_REPORTER_GET
    HEALTH_REPORTER_SET = 53  # DEVLINK_CMD_HEALTH_REPORTER_SET
    HEALTH_REPORTER_RECOVER = 54  # DEVLINK_CMD_HEALTH_REPORTER_RECOVER
    HEALTH_REPORTER_DIAGNOSE = 55  # DEVLINK_CMD_HEALTH_REPORTER_DIAGNOSE
    HEALTH_REPORTER_DUMP_GET = 56  # DEVLINK_CMD_HEALTH_REPORTER_DUMP_GET
    HEALTH_REPORTER_DUMP_CLEAR = 57  # DEVLINK_CMD_HEALTH_REPORTER_DUMP_CLEAR
    FLASH_UPDATE = 58  # DEVLINK_CMD_FLASH_UPDATE
    FLASH_UPDATE_END = 59  # DEVLINK_CMD_FLASH_UPDATE_END
    FLASH_UPDATE_STATUS = 60  # DEVLINK_CMD_FLASH_UPDATE_STATUS
    TRAP_GET = 61  # DEVLINK_CMD_TRAP_GET
    TRAP_SET = 62  # DEVLINK_CMD_TRAP_SET
    TRAP_NEW = 63  # DEVLINK_CMD_TRAP_NEW
    TRAP_DEL = 64  # DEVLINK_CMD_TRAP_DEL
    TRAP_GROUP_GET = 65  # DEVLINK_CMD_TRAP_GROUP_GET
    TRAP_GROUP_SET = 66  # DEVLINK_CMD_TRAP_GROUP_SET
    TRAP_GROUP_NEW = 67  # DEVLINK_CMD_TRAP_GROUP_NEW
    TRAP_GROUP_DEL = 68  # DEVLINK_CMD_TRAP_GROUP_DEL
    TRAP_POLICER_GET = 69  # DEVLINK_CMD_TRAP_POLICER_GET
    TRAP_POLICER_SET = 70  # DEVLINK_CMD_TRAP_POLICER_SET
    TRAP_POLICER_NEW = 71  # DEVLINK_CMD_TRAP_POLICER_NEW
    TRAP_POLICER_DEL = 72  # DEVLINK_CMD_TRAP_POLICER_DEL
    HEALTH_REPORTER_TEST = 73  # DEVLINK_CMD_HEALTH_REPORTER_TEST
    RATE_GET = 74  # DEVLINK_CMD_RATE_GET
    RATE_SET = 75  # DEVLINK_CMD_RATE_SET
    RATE_NEW = 76  # DEVLINK_CMD_RATE_NEW
    RATE_DEL = 77  # DEVLINK_CMD_RATE_DEL
    LINECARD_GET = 78  # DEVLINK_CMD_LINECARD_GET
    LINECARD_SET = 79  # DEVLINK_CMD_LINECARD_SET
    LINECARD_NEW = 80  # DEVLINK_CMD_LINECARD_NEW
    LINECARD_DEL = 81  # DEVLINK_CMD_LINECARD_DEL
    SELFTESTS_GET = 82  # DEVLINK_CMD_SELFTESTS_GET
    SELFTESTS_RUN = 83  # DEVLINK_CMD_SELFTESTS_RUN
    NOTIFY_FILTER_SET = 84  # DEVLINK_CMD_NOTIFY_FILTER_SET


class PortType(IntEnum):
    """What a port is on the wire (DEVLINK_PORT_TYPE_*)."""

    NOTSET = 0  # DEVLINK_PORT_TYPE_NOTSET
    AUTO = 1  # DEVLINK_PORT_TYPE_AUTO
    ETH = 2  # DEVLINK_PORT_TYPE_ETH
    IB = 3  # DEVLINK_PORT_TYPE_IB, InfiniBand


class PortFlavour(IntEnum):
    """What a port stands for (DEVLINK_PORT_FLAVOUR_*)."""

    PHYSICAL = 0  # DEVLINK_PORT_FLAVOUR_PHYSICAL
    CPU = 1  # DEVLINK_PORT_FLAVOUR_CPU
    DSA = 2  # DEVLINK_PORT_FLAVOUR_DSA, between the chips of a switch
    PCI_PF = 3  # DEVLINK_PORT_FLAVOUR_PCI_PF, towards a physical function
    PCI_VF = 4  # DEVLINK_PORT_FLAVOUR_PCI_VF, towards a virtual function
    VIRTUAL = 5  # DEVLINK_PORT_FLAVOUR_VIRTUAL
    UNUSED = 6  # DEVLINK_PORT_FLAVOUR_UNUSED
    PCI_SF = 7  # DEVLINK_PORT_FLAVOUR_PCI_SF, towards a subfunction


class FunctionState(IntEnum):
    """What a function shall be (DEVLINK_PORT_FN_STATE_*)."""

    INACTIVE = 0  # DEVLINK_PORT_FN_STATE_INACTIVE
    ACTIVE = 1  # DEVLINK_PORT_FN_STATE_ACTIVE


class FunctionOpstate(IntEnum):
    """Whether a driver has a function (DEVLINK_PORT_FN_OPSTATE_*)."""

    DETACHED = 0  # DEVLINK_PORT_FN_OPSTATE_DETACHED
    ATTACHED = 1  # DEVLINK_PORT_FN_OPSTATE_ATTACHED


class FunctionCap(IntFlag):
    """What a function may do (DEVLINK_PORT_FN_CAP_*)."""

    ROCE = 1  # DEVLINK_PORT_FN_CAP_ROCE
    MIGRATABLE = 2  # DEVLINK_PORT_FN_CAP_MIGRATABLE
    IPSEC_CRYPTO = 4  # DEVLINK_PORT_FN_CAP_IPSEC_CRYPTO
    IPSEC_PACKET = 8  # DEVLINK_PORT_FN_CAP_IPSEC_PACKET


class VarType(IntEnum):
    """The type of a value that a driver chooses: numbers of NLA_* (DEVLINK_VAR_ATTR_TYPE_*, Linux 6.16)."""

    U8 = 1  # DEVLINK_VAR_ATTR_TYPE_U8
    U16 = 2  # DEVLINK_VAR_ATTR_TYPE_U16
    U32 = 3  # DEVLINK_VAR_ATTR_TYPE_U32
    U64 = 4  # DEVLINK_VAR_ATTR_TYPE_U64
    STRING = 5  # DEVLINK_VAR_ATTR_TYPE_STRING
    FLAG = 6  # DEVLINK_VAR_ATTR_TYPE_FLAG
    NUL_STRING = 10  # DEVLINK_VAR_ATTR_TYPE_NUL_STRING
    BINARY = 11  # DEVLINK_VAR_ATTR_TYPE_BINARY


class ParamMode(IntEnum):
    """When the value of a parameter counts (DEVLINK_PARAM_CMODE_*)."""

    RUNTIME = 0  # DEVLINK_PARAM_CMODE_RUNTIME, at once
    DRIVERINIT = 1  # DEVLINK_PARAM_CMODE_DRIVERINIT, from the next reload on
    PERMANENT = 2  # DEVLINK_PARAM_CMODE_PERMANENT, in the device's memory, from the next reset on


class FirmwareLoadPolicy(IntEnum):
    """Values of the parameter "fw_load_policy": whose firmware runs (DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_*)."""

    DRIVER = 0  # DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_DRIVER, the version that the driver prefers
    FLASH = 1  # DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_FLASH
    DISK = 2  # DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_DISK
    UNKNOWN = 3  # DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_UNKNOWN


class ProbeReset(IntEnum):
    """Values of the parameter "reset_dev_on_drv_probe" (DEVLINK_PARAM_RESET_DEV_ON_DRV_PROBE_VALUE_*)."""

    UNKNOWN = 0  # DEVLINK_PARAM_RESET_DEV_ON_DRV_PROBE_VALUE_UNKNOWN
    ALWAYS = 1  # DEVLINK_PARAM_RESET_DEV_ON_DRV_PROBE_VALUE_ALWAYS
    NEVER = 2  # DEVLINK_PARAM_RESET_DEV_ON_DRV_PROBE_VALUE_NEVER
    DISK = 3  # DEVLINK_PARAM_RESET_DEV_ON_DRV_PROBE_VALUE_DISK, if the firmware is from there


class ReporterState(IntEnum):
    """Whether a reporter has an error (DEVLINK_HEALTH_REPORTER_STATE_*)."""

    HEALTHY = 0
    ERROR = 1


class ReloadAction(IntEnum):
    """What a reload does (DEVLINK_RELOAD_ACTION_*)."""

    DRIVER_REINIT = 1  # DEVLINK_RELOAD_ACTION_DRIVER_REINIT
    FW_ACTIVATE = 2  # DEVLINK_RELOAD_ACTION_FW_ACTIVATE, of the firmware that was flashed


class ReloadActions(IntFlag):
    """Several of `ReloadAction`."""

    DRIVER_REINIT = 1 << ReloadAction.DRIVER_REINIT
    FW_ACTIVATE = 1 << ReloadAction.FW_ACTIVATE


class ReloadLimit(IntEnum):
    """What a reload must not do (DEVLINK_RELOAD_LIMIT_*)."""

    UNSPEC = 0  # DEVLINK_RELOAD_LIMIT_UNSPEC, there is no limit
    NO_RESET = 1  # DEVLINK_RELOAD_LIMIT_NO_RESET, no time without service


class ReloadLimits(IntFlag):
    """Several of `ReloadLimit`."""

    NO_RESET = 1 << ReloadLimit.NO_RESET


class FlashOverwrite(IntFlag):
    """What a flash may overwrite beside the firmware (DEVLINK_FLASH_OVERWRITE_*)."""

    SETTINGS = 1  # DEVLINK_FLASH_OVERWRITE_SETTINGS
    IDENTIFIERS = 2  # DEVLINK_FLASH_OVERWRITE_IDENTIFIERS


class TrapAction(IntEnum):
    """What becomes of a trapped packet (DEVLINK_TRAP_ACTION_*)."""

    DROP = 0  # DEVLINK_TRAP_ACTION_DROP
    TRAP = 1  # DEVLINK_TRAP_ACTION_TRAP, to the processor, and nowhere else
    MIRROR = 2  # DEVLINK_TRAP_ACTION_MIRROR, on its way, and a copy to the processor


class TrapType(IntEnum):
    """Why packets are trapped (DEVLINK_TRAP_TYPE_*)."""

    DROP = 0  # DEVLINK_TRAP_TYPE_DROP, the device drops them
    EXCEPTION = 1  # DEVLINK_TRAP_TYPE_EXCEPTION, the device cannot forward them as it should
    CONTROL = 2  # DEVLINK_TRAP_TYPE_CONTROL, the system needs them, such as ARP


class PoolType(IntEnum):
    """The direction of a buffer's pool (DEVLINK_SB_POOL_TYPE_*)."""

    INGRESS = 0  # DEVLINK_SB_POOL_TYPE_INGRESS
    EGRESS = 1  # DEVLINK_SB_POOL_TYPE_EGRESS


class ThresholdType(IntEnum):
    """What a threshold in a pool is (DEVLINK_SB_THRESHOLD_TYPE_*)."""

    STATIC = 0  # DEVLINK_SB_THRESHOLD_TYPE_STATIC, bytes
    DYNAMIC = 1  # DEVLINK_SB_THRESHOLD_TYPE_DYNAMIC, 0 to 20 for 2 ** (n - 10) = alpha of the free buffer


class EswitchMode(IntEnum):
    """How a card forwards between its functions (DEVLINK_ESWITCH_MODE_*)."""

    LEGACY = 0  # DEVLINK_ESWITCH_MODE_LEGACY, by MAC addresses and VLANs
    SWITCHDEV = 1  # DEVLINK_ESWITCH_MODE_SWITCHDEV, with a network device for each function


class EswitchInline(IntEnum):
    """Headers that a driver puts into descriptors (DEVLINK_ESWITCH_INLINE_MODE_*)."""

    NONE = 0  # DEVLINK_ESWITCH_INLINE_MODE_NONE
    LINK = 1  # DEVLINK_ESWITCH_INLINE_MODE_LINK
    NETWORK = 2  # DEVLINK_ESWITCH_INLINE_MODE_NETWORK
    TRANSPORT = 3  # DEVLINK_ESWITCH_INLINE_MODE_TRANSPORT


class EswitchEncap(IntEnum):
    """Whether a card can put packets into tunnels (DEVLINK_ESWITCH_ENCAP_MODE_*)."""

    NONE = 0  # DEVLINK_ESWITCH_ENCAP_MODE_NONE
    BASIC = 1  # DEVLINK_ESWITCH_ENCAP_MODE_BASIC


class ResourceUnit(IntEnum):
    """What a resource counts (DEVLINK_RESOURCE_UNIT_*)."""

    ENTRY = 0  # DEVLINK_RESOURCE_UNIT_ENTRY


class RateType(IntEnum):
    """What a limit of rates is for (DEVLINK_RATE_TYPE_*)."""

    LEAF = 0  # DEVLINK_RATE_TYPE_LEAF, a port
    NODE = 1  # DEVLINK_RATE_TYPE_NODE, a group of ports and nodes


class LinecardState(IntEnum):
    """States of a line card (DEVLINK_LINECARD_STATE_*)."""

    UNPROVISIONED = 1  # DEVLINK_LINECARD_STATE_UNPROVISIONED
    UNPROVISIONING = 2  # DEVLINK_LINECARD_STATE_UNPROVISIONING
    PROVISIONING = 3  # DEVLINK_LINECARD_STATE_PROVISIONING
    PROVISIONING_FAILED = 4  # DEVLINK_LINECARD_STATE_PROVISIONING_FAILED
    PROVISIONED = 5  # DEVLINK_LINECARD_STATE_PROVISIONED
    ACTIVE = 6  # DEVLINK_LINECARD_STATE_ACTIVE


class SelftestId(IntEnum):
    """Tests of a device (DEVLINK_ATTR_SELFTEST_ID_*)."""

    FLASH = 1  # DEVLINK_ATTR_SELFTEST_ID_FLASH


class SelftestStatus(IntEnum):
    """Results of a test (DEVLINK_SELFTEST_STATUS_*)."""

    SKIP = 0  # DEVLINK_SELFTEST_STATUS_SKIP
    PASS = 1  # DEVLINK_SELFTEST_STATUS_PASS
    FAIL = 2  # DEVLINK_SELFTEST_STATUS_FAIL


class DpipeMatchType(IntEnum):
    """How a table of the pipeline compares (DEVLINK_DPIPE_MATCH_TYPE_*)."""

    FIELD_EXACT = 0  # DEVLINK_DPIPE_MATCH_TYPE_FIELD_EXACT


class DpipeActionType(IntEnum):
    """What a table of the pipeline does (DEVLINK_DPIPE_ACTION_TYPE_*)."""

    FIELD_MODIFY = 0  # DEVLINK_DPIPE_ACTION_TYPE_FIELD_MODIFY


class DpipeFieldMapping(IntEnum):
    """What the value of a field is for the system (DEVLINK_DPIPE_FIELD_MAPPING_TYPE_*)."""

    NONE = 0  # DEVLINK_DPIPE_FIELD_MAPPING_TYPE_NONE
    IFINDEX = 1  # DEVLINK_DPIPE_FIELD_MAPPING_TYPE_IFINDEX


class DpipeHeaderId(IntEnum):
    """Headers that all drivers know: those that are global (DEVLINK_DPIPE_HEADER_*)."""

    ETHERNET = 0  # DEVLINK_DPIPE_HEADER_ETHERNET
    IPV4 = 1  # DEVLINK_DPIPE_HEADER_IPV4
    IPV6 = 2  # DEVLINK_DPIPE_HEADER_IPV6
