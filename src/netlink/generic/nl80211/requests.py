"""What is asked of the kernel: declarations alone."""

from __future__ import annotations

from netlink.generic.nl80211.enums import (
    AkmSuite,
    AuthType,
    ChannelType,
    ChannelWidth,
    CipherSuite,
    HiddenSsid,
    IfType,
    KeyType,
    Mfp,
    PlinkState,
    RegHintType,
    ScanFlags,
    TxPowerSetting,
    WpaVersions,
)
from netlink.generic.nl80211.records import KeyInfo, StationFlagUpdate
from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Flag,
    Int,
    Items,
    Member,
    Str,
    array,
    binary,
    flag,
    nested,
    packed,
    s8,
    s32,
    string,
    struct,
    u8,
    u16,
    u32,
    u64,
)
from netlink.schema import (
    mac as ether,
)


class WiphyKey(AttributeSet):
    """A wiphy, in a request: by its number, or by an interface of it (NL80211_ATTR_*).

    split_wiphy_dump: the kernel may use several messages, which some wiphys need.
    """

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    split_wiphy_dump: Flag = flag(174)  # NL80211_ATTR_SPLIT_WIPHY_DUMP


class InterfaceKey(AttributeSet):
    """An interface, in a request: by the number of its link, or by its number in this family (NL80211_ATTR_*)."""

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY


class StationKey(AttributeSet):
    """A station of an interface, in a request (NL80211_ATTR_*)."""

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    mac: Str = ether(6)  # NL80211_ATTR_MAC


class KeyKey(AttributeSet):
    """A key of an interface, in a request (NL80211_ATTR_*).

    mac: of the station whose key it is, None for that of the group.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    idx: Int = u8(8)  # NL80211_ATTR_KEY_IDX
    type: Member[KeyType] = u32(55, enum=KeyType)  # NL80211_ATTR_KEY_TYPE
    mlo_link_id: Int = u8(313)  # NL80211_ATTR_MLO_LINK_ID


class NewKey(AttributeSet):
    """A key to be added, or to be the default (NL80211_ATTR_KEY). `repr` has no secret."""

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    key: Field[KeyInfo | None] = nested(80, KeyInfo)  # NL80211_ATTR_KEY
    mlo_link_id: Int = u8(313)  # NL80211_ATTR_MLO_LINK_ID


class MonitorFlags(AttributeSet):
    """What an interface of the kind MONITOR gets (NL80211_MNTR_FLAG_*).

    active: it confirms frames to its own address.
    """

    fcsfail: Flag = flag(1)  # NL80211_MNTR_FLAG_FCSFAIL
    plcpfail: Flag = flag(2)  # NL80211_MNTR_FLAG_PLCPFAIL
    control: Flag = flag(3)  # NL80211_MNTR_FLAG_CONTROL
    other_bss: Flag = flag(4)  # NL80211_MNTR_FLAG_OTHER_BSS
    cook_frames: Flag = flag(5)  # NL80211_MNTR_FLAG_COOK_FRAMES
    active: Flag = flag(6)  # NL80211_MNTR_FLAG_ACTIVE


class NewInterface(AttributeSet):
    """An interface to be made or changed (NL80211_ATTR_*).

    wiphy: of a new interface, ifindex: of one to be changed. use_4addr: 1 for frames with four addresses. mac: its
    address. mesh_id: of the kind MESH_POINT. socket_owner: it ends with the connection. radio_mask: bits of the radios
    that it may use.
    """

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    ifname: Str = string(4)  # NL80211_ATTR_IFNAME
    iftype: Member[IfType] = u32(5, enum=IfType)  # NL80211_ATTR_IFTYPE
    use_4addr: Int = u8(83)  # NL80211_ATTR_4ADDR
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    monitor_flags: Field[MonitorFlags | None] = nested(23, MonitorFlags)  # NL80211_ATTR_MNTR_FLAGS
    mesh_id: Bytes = binary(24)  # NL80211_ATTR_MESH_ID
    socket_owner: Flag = flag(204)  # NL80211_ATTR_SOCKET_OWNER
    radio_mask: Int = u32(333)  # NL80211_ATTR_VIF_RADIO_MASK


class WiphySettings(AttributeSet):
    """Settings of a wiphy, or of an interface (NL80211_ATTR_WIPHY_*). What is None stays as it is.

    wiphy_name: a new name. freq: MHz. tx_power_level: mBm, with tx_power_setting. rts_threshold, frag_threshold: bytes,
    4294967295 for none. antenna_tx, antenna_rx: bits. txq_limit: packets.
    """

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    wiphy_name: Str = string(2)  # NL80211_ATTR_WIPHY_NAME
    freq: Int = u32(38)  # NL80211_ATTR_WIPHY_FREQ
    freq_offset: Int = u32(290)  # NL80211_ATTR_WIPHY_FREQ_OFFSET
    channel_type: Member[ChannelType] = u32(39, enum=ChannelType)  # NL80211_ATTR_WIPHY_CHANNEL_TYPE
    channel_width: Member[ChannelWidth] = u32(159, enum=ChannelWidth)  # NL80211_ATTR_CHANNEL_WIDTH
    center_freq1: Int = u32(160)  # NL80211_ATTR_CENTER_FREQ1
    center_freq2: Int = u32(161)  # NL80211_ATTR_CENTER_FREQ2
    tx_power_setting: Member[TxPowerSetting] = u32(97, enum=TxPowerSetting)  # NL80211_ATTR_WIPHY_TX_POWER_SETTING
    tx_power_level: Int = s32(98)  # NL80211_ATTR_WIPHY_TX_POWER_LEVEL
    retry_short: Int = u8(61)  # NL80211_ATTR_WIPHY_RETRY_SHORT
    retry_long: Int = u8(62)  # NL80211_ATTR_WIPHY_RETRY_LONG
    frag_threshold: Int = u32(63)  # NL80211_ATTR_WIPHY_FRAG_THRESHOLD
    rts_threshold: Int = u32(64)  # NL80211_ATTR_WIPHY_RTS_THRESHOLD
    coverage_class: Int = u8(89)  # NL80211_ATTR_WIPHY_COVERAGE_CLASS
    dyn_ack: Flag = flag(209)  # NL80211_ATTR_WIPHY_DYN_ACK
    antenna_tx: Int = u32(105)  # NL80211_ATTR_WIPHY_ANTENNA_TX
    antenna_rx: Int = u32(106)  # NL80211_ATTR_WIPHY_ANTENNA_RX
    txq_limit: Int = u32(266)  # NL80211_ATTR_TXQ_LIMIT
    txq_memory_limit: Int = u32(267)  # NL80211_ATTR_TXQ_MEMORY_LIMIT
    txq_quantum: Int = u32(268)  # NL80211_ATTR_TXQ_QUANTUM


class WiphyNetns(AttributeSet):
    """A wiphy, and the network namespace to move it to: of a file descriptor, or of a process (NL80211_ATTR_*)."""

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    netns_fd: Int = u32(219)  # NL80211_ATTR_NETNS_FD
    pid: Int = u32(82)  # NL80211_ATTR_PID


class RegHint(AttributeSet):
    """A country whose rules are to count (NL80211_ATTR_REG_*).

    alpha2: such as "DE", "00" for the world. hint_type: USER by default. indoor: the machine is indoors, in the place
    of a country, with hint_type INDOOR. socket_owner: only while the connection is open.
    """

    alpha2: Str = string(33)  # NL80211_ATTR_REG_ALPHA2
    hint_type: Member[RegHintType] = u32(154, enum=RegHintType)  # NL80211_ATTR_USER_REG_HINT_TYPE
    indoor: Flag = flag(221)  # NL80211_ATTR_REG_INDOOR
    socket_owner: Flag = flag(204)  # NL80211_ATTR_SOCKET_OWNER


class RegKey(AttributeSet):
    """A wiphy whose regulatory domain is meant, None for that of all (NL80211_ATTR_WIPHY)."""

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY


class ScanRequest(AttributeSet):
    """A scan to be made (NL80211_ATTR_SCAN_*).

    ssids: networks to ask for, b"" for any; None for a passive scan, which only listens. frequencies: MHz, None for all
    channels. frequencies_khz: in their place, with the flag FREQ_KHZ. ie: elements of its probe requests.
    bssid: the only access point to look for. mac, mac_mask: of a random sender, with the flag RANDOM_ADDR.
    measurement_duration: units of 1024 microseconds on each channel. tx_no_cck_rate: for peers of Wi-Fi Direct.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    ssids: Items[bytes] = array(45, binary)  # NL80211_ATTR_SCAN_SSIDS
    frequencies: Items[int] = array(44, u32)  # NL80211_ATTR_SCAN_FREQUENCIES
    frequencies_khz: Items[int] = array(292, u32)  # NL80211_ATTR_SCAN_FREQ_KHZ
    flags: Member[ScanFlags] = u32(158, enum=ScanFlags)  # NL80211_ATTR_SCAN_FLAGS
    ie: Bytes = binary(42)  # NL80211_ATTR_IE
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    mac_mask: Str = ether(215)  # NL80211_ATTR_MAC_MASK
    bssid: Str = ether(245)  # NL80211_ATTR_BSSID
    measurement_duration: Int = u16(235)  # NL80211_ATTR_MEASUREMENT_DURATION
    measurement_duration_mandatory: Flag = flag(236)  # NL80211_ATTR_MEASUREMENT_DURATION_MANDATORY
    tx_no_cck_rate: Flag = flag(135)  # NL80211_ATTR_TX_NO_CCK_RATE


class ScanMatch(AttributeSet):
    """A network that a scheduled scan reports (NL80211_SCHED_SCAN_MATCH_ATTR_*). rssi: dBm, from which on."""

    ssid: Bytes = binary(1)  # NL80211_SCHED_SCAN_MATCH_ATTR_SSID
    bssid: Str = ether(5)  # NL80211_SCHED_SCAN_MATCH_ATTR_BSSID
    rssi: Int = s32(2)  # NL80211_SCHED_SCAN_MATCH_ATTR_RSSI
    relative_rssi: Int = s8(3)  # NL80211_SCHED_SCAN_MATCH_ATTR_RELATIVE_RSSI


class ScanPlan(AttributeSet):
    """How often a scheduled scan is made (NL80211_SCHED_SCAN_PLAN_*). interval: seconds. iterations: None for ever."""

    interval: Int = u32(1)  # NL80211_SCHED_SCAN_PLAN_INTERVAL
    iterations: Int = u32(2)  # NL80211_SCHED_SCAN_PLAN_ITERATIONS


class SchedScanRequest(AttributeSet):
    """A scan to be made again and again by the radio itself (NL80211_ATTR_SCHED_SCAN_*).

    interval: milliseconds, or plans in its place. delay: seconds before the first. match: what to report, None for all.
    Others are as of `ScanRequest`.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    ssids: Items[bytes] = array(45, binary)  # NL80211_ATTR_SCAN_SSIDS
    frequencies: Items[int] = array(44, u32)  # NL80211_ATTR_SCAN_FREQUENCIES
    frequencies_khz: Items[int] = array(292, u32)  # NL80211_ATTR_SCAN_FREQ_KHZ
    flags: Member[ScanFlags] = u32(158, enum=ScanFlags)  # NL80211_ATTR_SCAN_FLAGS
    ie: Bytes = binary(42)  # NL80211_ATTR_IE
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    mac_mask: Str = ether(215)  # NL80211_ATTR_MAC_MASK
    interval: Int = u32(119)  # NL80211_ATTR_SCHED_SCAN_INTERVAL
    plans: Items[ScanPlan] = array(225, ScanPlan)  # NL80211_ATTR_SCHED_SCAN_PLANS
    delay: Int = u32(220)  # NL80211_ATTR_SCHED_SCAN_DELAY
    match: Items[ScanMatch] = array(132, ScanMatch)  # NL80211_ATTR_SCHED_SCAN_MATCH
    multi: Flag = flag(255)  # NL80211_ATTR_SCHED_SCAN_MULTI
    socket_owner: Flag = flag(204)  # NL80211_ATTR_SOCKET_OWNER


class ConnectRequest(AttributeSet):
    """A network to connect to, by the kernel or the card itself (NL80211_CMD_CONNECT).

    ssid: its name as bytes. mac: its only access point, None for any. freq: its only channel, in MHz. auth_type: None
    for the kernel's choice. privacy: it encrypts. wpa_versions, cipher_suites_pairwise, cipher_suite_group, akm_suites:
    how. mfp: protection of management frames. ie: elements of the association request, which has the RSN element
    of an encrypted network. control_port: packets wait until the station is authorized. pmk: the key of 32 bytes, of a
    card that does the handshake itself (`ExtFeature.STA_PSK_4WAY_HANDSHAKE`); others need a program such as
    wpa_supplicant for it. want_1x_4way_hs: the card does the handshake of 802.1X. prev_bssid: to move from there.
    socket_owner: the connection ends with this one. `repr` has no secret.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    ssid: Bytes = binary(52)  # NL80211_ATTR_SSID
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    mac_hint: Str = ether(200)  # NL80211_ATTR_MAC_HINT
    freq: Int = u32(38)  # NL80211_ATTR_WIPHY_FREQ
    freq_hint: Int = u32(201)  # NL80211_ATTR_WIPHY_FREQ_HINT
    auth_type: Member[AuthType] = u32(53, enum=AuthType)  # NL80211_ATTR_AUTH_TYPE
    privacy: Flag = flag(70)  # NL80211_ATTR_PRIVACY
    wpa_versions: Member[WpaVersions] = u32(75, enum=WpaVersions)  # NL80211_ATTR_WPA_VERSIONS
    cipher_suites_pairwise: Items[CipherSuite] = packed(
        73, u32, enum=CipherSuite
    )  # NL80211_ATTR_CIPHER_SUITES_PAIRWISE
    cipher_suite_group: Member[CipherSuite] = u32(74, enum=CipherSuite)  # NL80211_ATTR_CIPHER_SUITE_GROUP
    akm_suites: Items[AkmSuite] = packed(76, u32, enum=AkmSuite)  # NL80211_ATTR_AKM_SUITES
    mfp: Member[Mfp] = u32(66, enum=Mfp)  # NL80211_ATTR_USE_MFP
    ie: Bytes = binary(42)  # NL80211_ATTR_IE
    control_port: Flag = flag(68)  # NL80211_ATTR_CONTROL_PORT
    pmk: Bytes = binary(254)  # NL80211_ATTR_PMK
    sae_password: Bytes = binary(277)  # NL80211_ATTR_SAE_PASSWORD
    want_1x_4way_hs: Flag = flag(257)  # NL80211_ATTR_WANT_1X_4WAY_HS
    prev_bssid: Str = ether(79)  # NL80211_ATTR_PREV_BSSID
    bg_scan_period: Int = u16(152)  # NL80211_ATTR_BG_SCAN_PERIOD
    socket_owner: Flag = flag(204)  # NL80211_ATTR_SOCKET_OWNER

    def __repr__(self) -> str:
        if self.pmk is None and self.sae_password is None:
            return super().__repr__()
        return repr(self.replace(pmk=None, sae_password=None))


class DisconnectRequest(AttributeSet):
    """A connection to be ended (NL80211_CMD_DISCONNECT). reason_code: of IEEE 802.11, None for 3, leaving."""

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    reason_code: Int = u16(54)  # NL80211_ATTR_REASON_CODE


class SignalWatch(AttributeSet):
    """What is to be told of the signal of a connection (NL80211_CMD_SET_CQM).

    rssi_thold: dBm, 0 to be told no more. rssi_hyst: dB that the signal has to change before it is told again.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    rssi_thold: Int = s32((94, 1))  # NL80211_ATTR_CQM_RSSI_THOLD
    rssi_hyst: Int = u32((94, 2))  # NL80211_ATTR_CQM_RSSI_HYST


class AuthRequest(AttributeSet):
    """An authentication to be made: the first step of a connection by a program (NL80211_CMD_AUTHENTICATE).

    mac, ssid, freq: of an access point that a scan found. auth_data: elements of SAE and FILS.
    local_state_change: only forget it, without a frame. The answer is an event of `Frame`.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    ssid: Bytes = binary(52)  # NL80211_ATTR_SSID
    freq: Int = u32(38)  # NL80211_ATTR_WIPHY_FREQ
    auth_type: Member[AuthType] = u32(53, enum=AuthType)  # NL80211_ATTR_AUTH_TYPE
    auth_data: Bytes = binary(156)  # NL80211_ATTR_AUTH_DATA
    ie: Bytes = binary(42)  # NL80211_ATTR_IE
    local_state_change: Flag = flag(95)  # NL80211_ATTR_LOCAL_STATE_CHANGE


class AssocRequest(AttributeSet):
    """An association to be made: the second step of a connection by a program (NL80211_CMD_ASSOCIATE).

    Fields are as of `ConnectRequest`.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    ssid: Bytes = binary(52)  # NL80211_ATTR_SSID
    freq: Int = u32(38)  # NL80211_ATTR_WIPHY_FREQ
    privacy: Flag = flag(70)  # NL80211_ATTR_PRIVACY
    wpa_versions: Member[WpaVersions] = u32(75, enum=WpaVersions)  # NL80211_ATTR_WPA_VERSIONS
    cipher_suites_pairwise: Items[CipherSuite] = packed(
        73, u32, enum=CipherSuite
    )  # NL80211_ATTR_CIPHER_SUITES_PAIRWISE
    cipher_suite_group: Member[CipherSuite] = u32(74, enum=CipherSuite)  # NL80211_ATTR_CIPHER_SUITE_GROUP
    akm_suites: Items[AkmSuite] = packed(76, u32, enum=AkmSuite)  # NL80211_ATTR_AKM_SUITES
    mfp: Member[Mfp] = u32(66, enum=Mfp)  # NL80211_ATTR_USE_MFP
    ie: Bytes = binary(42)  # NL80211_ATTR_IE
    control_port: Flag = flag(68)  # NL80211_ATTR_CONTROL_PORT
    prev_bssid: Str = ether(79)  # NL80211_ATTR_PREV_BSSID


class LeaveRequest(AttributeSet):
    """An authentication or association to be ended (NL80211_CMD_DEAUTHENTICATE, NL80211_CMD_DISASSOCIATE)."""

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    reason_code: Int = u16(54)  # NL80211_ATTR_REASON_CODE
    ie: Bytes = binary(42)  # NL80211_ATTR_IE
    local_state_change: Flag = flag(95)  # NL80211_ATTR_LOCAL_STATE_CHANGE


class IbssRequest(AttributeSet):
    """A network without access point to be joined, or made (NL80211_CMD_JOIN_IBSS).

    freq: MHz. freq_fixed: never another channel. mac: the only network to join. beacon_interval: units of 1024
    microseconds. basic_rates: units of 500 kbit/s. mcast_rate: hundreds of kbit/s.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    ssid: Bytes = binary(52)  # NL80211_ATTR_SSID
    freq: Int = u32(38)  # NL80211_ATTR_WIPHY_FREQ
    channel_type: Member[ChannelType] = u32(39, enum=ChannelType)  # NL80211_ATTR_WIPHY_CHANNEL_TYPE
    channel_width: Member[ChannelWidth] = u32(159, enum=ChannelWidth)  # NL80211_ATTR_CHANNEL_WIDTH
    center_freq1: Int = u32(160)  # NL80211_ATTR_CENTER_FREQ1
    freq_fixed: Flag = flag(60)  # NL80211_ATTR_FREQ_FIXED
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    beacon_interval: Int = u32(12)  # NL80211_ATTR_BEACON_INTERVAL
    basic_rates: Bytes = binary(36)  # NL80211_ATTR_BSS_BASIC_RATES
    mcast_rate: Int = u32(107)  # NL80211_ATTR_MCAST_RATE
    privacy: Flag = flag(70)  # NL80211_ATTR_PRIVACY
    ie: Bytes = binary(42)  # NL80211_ATTR_IE
    control_port: Flag = flag(68)  # NL80211_ATTR_CONTROL_PORT
    socket_owner: Flag = flag(204)  # NL80211_ATTR_SOCKET_OWNER


class RemainRequest(AttributeSet):
    """A time to be on a channel (NL80211_CMD_REMAIN_ON_CHANNEL). freq: MHz. duration: milliseconds."""

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    freq: Int = u32(38)  # NL80211_ATTR_WIPHY_FREQ
    duration: Int = u32(87)  # NL80211_ATTR_DURATION


class Cookie(AttributeSet, ignore=(229,)):
    """The number of a request that goes on (NL80211_ATTR_COOKIE)."""

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    cookie: Int = u64(88)  # NL80211_ATTR_COOKIE


class ApSettings(AttributeSet):
    """An access point to be started, or its beacon to be changed (NL80211_CMD_START_AP, NL80211_CMD_SET_BEACON).

    beacon_head: the beacon up to its TIM element, beacon_tail: what follows that. beacon_interval: units of 1024
    microseconds. dtim_period: beacons between those with broadcast packets. ssid: its name as bytes. freq: MHz.
    inactivity_timeout: seconds. probe_resp: a probe response of the card. socket_owner: it ends with the connection.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    ssid: Bytes = binary(52)  # NL80211_ATTR_SSID
    freq: Int = u32(38)  # NL80211_ATTR_WIPHY_FREQ
    channel_type: Member[ChannelType] = u32(39, enum=ChannelType)  # NL80211_ATTR_WIPHY_CHANNEL_TYPE
    channel_width: Member[ChannelWidth] = u32(159, enum=ChannelWidth)  # NL80211_ATTR_CHANNEL_WIDTH
    center_freq1: Int = u32(160)  # NL80211_ATTR_CENTER_FREQ1
    center_freq2: Int = u32(161)  # NL80211_ATTR_CENTER_FREQ2
    beacon_interval: Int = u32(12)  # NL80211_ATTR_BEACON_INTERVAL
    dtim_period: Int = u32(13)  # NL80211_ATTR_DTIM_PERIOD
    beacon_head: Bytes = binary(14)  # NL80211_ATTR_BEACON_HEAD
    beacon_tail: Bytes = binary(15)  # NL80211_ATTR_BEACON_TAIL
    hidden_ssid: Member[HiddenSsid] = u32(126, enum=HiddenSsid)  # NL80211_ATTR_HIDDEN_SSID
    auth_type: Member[AuthType] = u32(53, enum=AuthType)  # NL80211_ATTR_AUTH_TYPE
    privacy: Flag = flag(70)  # NL80211_ATTR_PRIVACY
    wpa_versions: Member[WpaVersions] = u32(75, enum=WpaVersions)  # NL80211_ATTR_WPA_VERSIONS
    cipher_suites_pairwise: Items[CipherSuite] = packed(
        73, u32, enum=CipherSuite
    )  # NL80211_ATTR_CIPHER_SUITES_PAIRWISE
    cipher_suite_group: Member[CipherSuite] = u32(74, enum=CipherSuite)  # NL80211_ATTR_CIPHER_SUITE_GROUP
    akm_suites: Items[AkmSuite] = packed(76, u32, enum=AkmSuite)  # NL80211_ATTR_AKM_SUITES
    ie: Bytes = binary(42)  # NL80211_ATTR_IE
    ie_probe_resp: Bytes = binary(127)  # NL80211_ATTR_IE_PROBE_RESP
    ie_assoc_resp: Bytes = binary(128)  # NL80211_ATTR_IE_ASSOC_RESP
    probe_resp: Bytes = binary(145)  # NL80211_ATTR_PROBE_RESP
    inactivity_timeout: Int = u16(150)  # NL80211_ATTR_INACTIVITY_TIMEOUT
    socket_owner: Flag = flag(204)  # NL80211_ATTR_SOCKET_OWNER
    mlo_link_id: Int = u8(313)  # NL80211_ATTR_MLO_LINK_ID


class StationSettings(AttributeSet):
    """A station to be added to an access point, or to be changed (NL80211_ATTR_STA_*).

    aid: its association identifier. supported_rates: units of 500 kbit/s. flags: what of it is on. listen_interval:
    beacons. vlan: the link of the kind AP_VLAN that it is moved to. plink_state: of a mesh.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    aid: Int = u16(16)  # NL80211_ATTR_STA_AID
    flags: Field[StationFlagUpdate | None] = struct(67, StationFlagUpdate)  # NL80211_ATTR_STA_FLAGS2
    supported_rates: Bytes = binary(19)  # NL80211_ATTR_STA_SUPPORTED_RATES
    listen_interval: Int = u16(18)  # NL80211_ATTR_STA_LISTEN_INTERVAL
    capability: Int = u16(171)  # NL80211_ATTR_STA_CAPABILITY
    vlan: Int = u32(20)  # NL80211_ATTR_STA_VLAN
    ht_capability: Bytes = binary(31)  # NL80211_ATTR_HT_CAPABILITY
    vht_capability: Bytes = binary(157)  # NL80211_ATTR_VHT_CAPABILITY
    he_capability: Bytes = binary(269)  # NL80211_ATTR_HE_CAPABILITY
    plink_state: Member[PlinkState] = u8(116, enum=PlinkState)  # NL80211_ATTR_STA_PLINK_STATE
    airtime_weight: Int = u16(274)  # NL80211_ATTR_AIRTIME_WEIGHT


class DelStation(AttributeSet):
    """A station to be removed from an access point, None for all (NL80211_CMD_DEL_STATION).

    reason_code: of IEEE 802.11.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    reason_code: Int = u16(54)  # NL80211_ATTR_REASON_CODE
    mgmt_subtype: Int = u8(41)  # NL80211_ATTR_MGMT_SUBTYPE


class MeshRequest(AttributeSet):
    """A mesh to be joined, or made (NL80211_CMD_JOIN_MESH). mesh_id: its name as bytes. freq: MHz."""

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    mesh_id: Bytes = binary(24)  # NL80211_ATTR_MESH_ID
    freq: Int = u32(38)  # NL80211_ATTR_WIPHY_FREQ
    channel_type: Member[ChannelType] = u32(39, enum=ChannelType)  # NL80211_ATTR_WIPHY_CHANNEL_TYPE
    channel_width: Member[ChannelWidth] = u32(159, enum=ChannelWidth)  # NL80211_ATTR_CHANNEL_WIDTH
    center_freq1: Int = u32(160)  # NL80211_ATTR_CENTER_FREQ1
    beacon_interval: Int = u32(12)  # NL80211_ATTR_BEACON_INTERVAL
    dtim_period: Int = u32(13)  # NL80211_ATTR_DTIM_PERIOD
    mcast_rate: Int = u32(107)  # NL80211_ATTR_MCAST_RATE
    socket_owner: Flag = flag(204)  # NL80211_ATTR_SOCKET_OWNER
