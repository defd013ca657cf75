"""Records, events and the state of the audit system, as linux/audit.h has them."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.audit.text import fields_of
from netlink.schema import (
    AttributeSet,
    Bytes,
    Flag,
    Int,
    Items,
    Member,
    Str,
    Struct,
    flag,
    repeated,
    rest,
    string,
    u16,
    u32,
    u64,
)


class Command(IntEnum):
    """Message types of requests."""

    GET = 1000  # AUDIT_GET


class RecordType(IntEnum):
    """Types of records (AUDIT_*): those of programs are in audit-records.h of the audit package."""

    LOGIN = 1006  # AUDIT_LOGIN
    USER_AUTH = 1100  # AUDIT_USER_AUTH
    USER_ACCT = 1101  # AUDIT_USER_ACCT
    USER_MGMT = 1102  # AUDIT_USER_MGMT
    CRED_ACQ = 1103  # AUDIT_CRED_ACQ
    CRED_DISP = 1104  # AUDIT_CRED_DISP
    USER_START = 1105  # AUDIT_USER_START
    USER_END = 1106  # AUDIT_USER_END
    USER_AVC = 1107  # AUDIT_USER_AVC
    USER_CHAUTHTOK = 1108  # AUDIT_USER_CHAUTHTOK
    USER_ERR = 1109  # AUDIT_USER_ERR
    CRED_REFR = 1110  # AUDIT_CRED_REFR
    USYS_CONFIG = 1111  # AUDIT_USYS_CONFIG
    USER_LOGIN = 1112  # AUDIT_USER_LOGIN
    USER_LOGOUT = 1113  # AUDIT_USER_LOGOUT
    ADD_USER = 1114  # AUDIT_ADD_USER
    DEL_USER = 1115  # AUDIT_DEL_USER
    ADD_GROUP = 1116  # AUDIT_ADD_GROUP
    DEL_GROUP = 1117  # AUDIT_DEL_GROUP
    DAC_CHECK = 1118  # AUDIT_DAC_CHECK
    CHGRP_ID = 1119  # AUDIT_CHGRP_ID
    TEST = 1120  # AUDIT_TEST
    TRUSTED_APP = 1121  # AUDIT_TRUSTED_APP
    USER_SELINUX_ERR = 1122  # AUDIT_USER_SELINUX_ERR
    USER_CMD = 1123  # AUDIT_USER_CMD
    USER_TTY = 1124  # AUDIT_USER_TTY
    CHUSER_ID = 1125  # AUDIT_CHUSER_ID
    GRP_AUTH = 1126  # AUDIT_GRP_AUTH
    SYSTEM_BOOT = 1127  # AUDIT_SYSTEM_BOOT
    SYSTEM_SHUTDOWN = 1128  # AUDIT_SYSTEM_SHUTDOWN
    SYSTEM_RUNLEVEL = 1129  # AUDIT_SYSTEM_RUNLEVEL
    SERVICE_START = 1130  # AUDIT_SERVICE_START
    SERVICE_STOP = 1131  # AUDIT_SERVICE_STOP
    GRP_MGMT = 1132  # AUDIT_GRP_MGMT
    GRP_CHAUTHTOK = 1133  # AUDIT_GRP_CHAUTHTOK
    MAC_CHECK = 1134  # AUDIT_MAC_CHECK
    ACCT_LOCK = 1135  # AUDIT_ACCT_LOCK
    ACCT_UNLOCK = 1136  # AUDIT_ACCT_UNLOCK
    USER_DEVICE = 1137  # AUDIT_USER_DEVICE
    SOFTWARE_UPDATE = 1138  # AUDIT_SOFTWARE_UPDATE
    DAEMON_START = 1200  # AUDIT_DAEMON_START
    DAEMON_END = 1201  # AUDIT_DAEMON_END
    DAEMON_ABORT = 1202  # AUDIT_DAEMON_ABORT
    DAEMON_CONFIG = 1203  # AUDIT_DAEMON_CONFIG
    SYSCALL = 1300  # AUDIT_SYSCALL
    PATH = 1302  # AUDIT_PATH
    IPC = 1303  # AUDIT_IPC
    SOCKETCALL = 1304  # AUDIT_SOCKETCALL
    CONFIG_CHANGE = 1305  # AUDIT_CONFIG_CHANGE
    SOCKADDR = 1306  # AUDIT_SOCKADDR
    CWD = 1307  # AUDIT_CWD
    EXECVE = 1309  # AUDIT_EXECVE
    IPC_SET_PERM = 1311  # AUDIT_IPC_SET_PERM
    MQ_OPEN = 1312  # AUDIT_MQ_OPEN
    MQ_SENDRECV = 1313  # AUDIT_MQ_SENDRECV
    MQ_NOTIFY = 1314  # AUDIT_MQ_NOTIFY
    MQ_GETSETATTR = 1315  # AUDIT_MQ_GETSETATTR
    KERNEL_OTHER = 1316  # AUDIT_KERNEL_OTHER
    FD_PAIR = 1317  # AUDIT_FD_PAIR
    OBJ_PID = 1318  # AUDIT_OBJ_PID
    TTY = 1319  # AUDIT_TTY
    EOE = 1320  # AUDIT_EOE
    BPRM_FCAPS = 1321  # AUDIT_BPRM_FCAPS
    CAPSET = 1322  # AUDIT_CAPSET
    MMAP = 1323  # AUDIT_MMAP
    NETFILTER_PKT = 1324  # AUDIT_NETFILTER_PKT
    NETFILTER_CFG = 1325  # AUDIT_NETFILTER_CFG
    SECCOMP = 1326  # AUDIT_SECCOMP
    PROCTITLE = 1327  # AUDIT_PROCTITLE
    FEATURE_CHANGE = 1328  # AUDIT_FEATURE_CHANGE
    REPLACE = 1329  # AUDIT_REPLACE
    KERN_MODULE = 1330  # AUDIT_KERN_MODULE
    FANOTIFY = 1331  # AUDIT_FANOTIFY
    TIME_INJOFFSET = 1332  # AUDIT_TIME_INJOFFSET
    TIME_ADJNTPVAL = 1333  # AUDIT_TIME_ADJNTPVAL
    BPF = 1334  # AUDIT_BPF
    EVENT_LISTENER = 1335  # AUDIT_EVENT_LISTENER
    URINGOP = 1336  # AUDIT_URINGOP
    OPENAT2 = 1337  # AUDIT_OPENAT2
    DM_CTRL = 1338  # AUDIT_DM_CTRL
    DM_EVENT = 1339  # AUDIT_DM_EVENT
    AVC = 1400  # AUDIT_AVC
    SELINUX_ERR = 1401  # AUDIT_SELINUX_ERR
    AVC_PATH = 1402  # AUDIT_AVC_PATH
    MAC_POLICY_LOAD = 1403  # AUDIT_MAC_POLICY_LOAD
    MAC_STATUS = 1404  # AUDIT_MAC_STATUS
    MAC_CONFIG_CHANGE = 1405  # AUDIT_MAC_CONFIG_CHANGE
    MAC_UNLBL_ALLOW = 1406  # AUDIT_MAC_UNLBL_ALLOW
    MAC_CIPSOV4_ADD = 1407  # AUDIT_MAC_CIPSOV4_ADD
    MAC_CIPSOV4_DEL = 1408  # AUDIT_MAC_CIPSOV4_DEL
    MAC_MAP_ADD = 1409  # AUDIT_MAC_MAP_ADD
    MAC_MAP_DEL = 1410  # AUDIT_MAC_MAP_DEL
    MAC_IPSEC_ADDSA = 1411  # AUDIT_MAC_IPSEC_ADDSA
    MAC_IPSEC_DELSA = 1412  # AUDIT_MAC_IPSEC_DELSA
    MAC_IPSEC_ADDSPD = 1413  # AUDIT_MAC_IPSEC_ADDSPD
    MAC_IPSEC_DELSPD = 1414  # AUDIT_MAC_IPSEC_DELSPD
    MAC_IPSEC_EVENT = 1415  # AUDIT_MAC_IPSEC_EVENT
    MAC_UNLBL_STCADD = 1416  # AUDIT_MAC_UNLBL_STCADD
    MAC_UNLBL_STCDEL = 1417  # AUDIT_MAC_UNLBL_STCDEL
    MAC_CALIPSO_ADD = 1418  # AUDIT_MAC_CALIPSO_ADD
    MAC_CALIPSO_DEL = 1419  # AUDIT_MAC_CALIPSO_DEL
    IPE_ACCESS = 1420  # AUDIT_IPE_ACCESS
    IPE_CONFIG_CHANGE = 1421  # AUDIT_IPE_CONFIG_CHANGE
    IPE_POLICY_LOAD = 1422  # AUDIT_IPE_POLICY_LOAD
    LANDLOCK_ACCESS = 1423  # AUDIT_LANDLOCK_ACCESS
    LANDLOCK_DOMAIN = 1424  # AUDIT_LANDLOCK_DOMAIN
    APPARMOR_AUDIT = 1501  # AUDIT_APPARMOR_AUDIT
    APPARMOR_ALLOWED = 1502  # AUDIT_APPARMOR_ALLOWED
    APPARMOR_DENIED = 1503  # AUDIT_APPARMOR_DENIED
    APPARMOR_HINT = 1504  # AUDIT_APPARMOR_HINT
    APPARMOR_STATUS = 1505  # AUDIT_APPARMOR_STATUS
    APPARMOR_ERROR = 1506  # AUDIT_APPARMOR_ERROR
    APPARMOR_KILL = 1507  # AUDIT_APPARMOR_KILL
    ANOM_PROMISCUOUS = 1700  # AUDIT_ANOM_PROMISCUOUS
    ANOM_ABEND = 1701  # AUDIT_ANOM_ABEND
    ANOM_LINK = 1702  # AUDIT_ANOM_LINK
    ANOM_CREAT = 1703  # AUDIT_ANOM_CREAT
    INTEGRITY_DATA = 1800  # AUDIT_INTEGRITY_DATA
    INTEGRITY_METADATA = 1801  # AUDIT_INTEGRITY_METADATA
    INTEGRITY_STATUS = 1802  # AUDIT_INTEGRITY_STATUS
    INTEGRITY_HASH = 1803  # AUDIT_INTEGRITY_HASH
    INTEGRITY_PCR = 1804  # AUDIT_INTEGRITY_PCR
    INTEGRITY_RULE = 1805  # AUDIT_INTEGRITY_RULE
    INTEGRITY_EVM_XATTR = 1806  # AUDIT_INTEGRITY_EVM_XATTR
    INTEGRITY_POLICY_RULE = 1807  # AUDIT_INTEGRITY_POLICY_RULE
    KERNEL = 2000  # AUDIT_KERNEL
    MESSAGE_TEXT_MAX = 8560  # AUDIT_MESSAGE_TEXT_MAX


class StatusMask(IntFlag):
    """What of a status is set by a request (AUDIT_STATUS_*)."""

    ENABLED = 0x0001  # AUDIT_STATUS_ENABLED
    FAILURE = 0x0002  # AUDIT_STATUS_FAILURE
    PID = 0x0004  # AUDIT_STATUS_PID
    RATE_LIMIT = 0x0008  # AUDIT_STATUS_RATE_LIMIT
    BACKLOG_LIMIT = 0x0010  # AUDIT_STATUS_BACKLOG_LIMIT
    BACKLOG_WAIT_TIME = 0x0020  # AUDIT_STATUS_BACKLOG_WAIT_TIME
    LOST = 0x0040  # AUDIT_STATUS_LOST
    BACKLOG_WAIT_TIME_ACTUAL = 0x0080  # AUDIT_STATUS_BACKLOG_WAIT_TIME_ACTUAL


class Features(IntFlag):
    """What the kernel's audit system can do (AUDIT_FEATURE_BITMAP_*)."""

    BACKLOG_LIMIT = 0x00000001  # AUDIT_FEATURE_BITMAP_BACKLOG_LIMIT
    BACKLOG_WAIT_TIME = 0x00000002  # AUDIT_FEATURE_BITMAP_BACKLOG_WAIT_TIME
    EXECUTABLE_PATH = 0x00000004  # AUDIT_FEATURE_BITMAP_EXECUTABLE_PATH
    EXCLUDE_EXTEND = 0x00000008  # AUDIT_FEATURE_BITMAP_EXCLUDE_EXTEND
    SESSIONID_FILTER = 0x00000010  # AUDIT_FEATURE_BITMAP_SESSIONID_FILTER
    LOST_RESET = 0x00000020  # AUDIT_FEATURE_BITMAP_LOST_RESET
    FILTER_FS = 0x00000040  # AUDIT_FEATURE_BITMAP_FILTER_FS


class Failure(IntEnum):
    """What the kernel does if it loses a record (AUDIT_FAIL_*)."""

    SILENT = 0  # AUDIT_FAIL_SILENT
    PRINTK = 1  # AUDIT_FAIL_PRINTK
    PANIC = 2  # AUDIT_FAIL_PANIC


class AuditStatus(Struct):
    """struct audit_status."""

    mask: Member[StatusMask] = u32(enum=StatusMask)
    enabled: Int = u32()
    failure: Member[Failure] = u32(enum=Failure)
    pid: Int = u32()
    rate_limit: Int = u32()
    backlog_limit: Int = u32()
    lost: Int = u32()
    backlog: Int = u32()
    feature_bitmap: Member[Features] = u32(enum=Features)
    backlog_wait_time: Int = u32()
    backlog_wait_time_actual: Int = u32()


class Status(AttributeSet, header=AuditStatus):
    """The state of the audit system.

    enabled: 0 for off, 1 for on, 2 for on until the next boot. failure: what happens if a record is lost.
    pid: of the audit daemon; 0 for none. rate_limit: records a second; 0 for no limit.
    backlog_limit, backlog: records that may wait, and that wait. lost: records that the kernel has lost before it sent
    them, since the boot or the last reset.
    backlog_wait_time, backlog_wait_time_actual: how long processes may wait for room, and have waited, in jiffies.
    more: what a newer kernel has behind these.
    """

    header: AuditStatus | None = None
    mask: Member[StatusMask] = AuditStatus.mask
    enabled: Int = AuditStatus.enabled
    failure: Member[Failure] = AuditStatus.failure
    pid: Int = AuditStatus.pid
    rate_limit: Int = AuditStatus.rate_limit
    backlog_limit: Int = AuditStatus.backlog_limit
    lost: Int = AuditStatus.lost
    backlog: Int = AuditStatus.backlog
    feature_bitmap: Member[Features] = AuditStatus.feature_bitmap
    backlog_wait_time: Int = AuditStatus.backlog_wait_time
    backlog_wait_time_actual: Int = AuditStatus.backlog_wait_time_actual
    more: Bytes = rest()


class Record(AttributeSet):
    """A record: a line of the audit log.

    type: what it is about. serial, time: of its event; time is in milliseconds since 1970.
    text: what is behind that. Bytes that are not UTF-8 are lone surrogates. `fields` has its parts.
    """

    type: Member[RecordType] = u16(1, enum=RecordType)
    time: Int = u64(2, time="ms")
    serial: Int = u64(3)
    text: Str = string(4)

    @property
    def fields(self) -> dict[str, str]:
        """The values of its text by their keys, without quotes, and decoded if the kernel has encoded them.

        The kernel and programs encode texts that others choose, such as the names of files, in hexadecimal digits if
        they have a space, a quote or a control character. Arguments in `proctitle` have a NUL between them. What stands
        in the quotes of a program's `msg` is among the values. Of a key that comes again the first value counts.
        """
        return fields_of(self.text or "", executed=self.type == RecordType.EXECVE)


class Event(AttributeSet):
    """An event: records of one serial number, such as a system call with its paths and arguments.

    time: in milliseconds since 1970. records: in the order in which they came, without the EOE at the end.
    complete: True if the end came, or if the event has one record by its type. Without, it is the only record of an
    event, which the kernel does not end, or others were lost.
    """

    serial: Int = u64(1)
    time: Int = u64(2, time="ms")
    complete: Flag = flag(3)
    records: Items[Record] = repeated(4, Record)
