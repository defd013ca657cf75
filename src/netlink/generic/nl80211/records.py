"""What the kernel tells of interfaces, networks, stations, channels and rules: declarations alone."""

from __future__ import annotations

from netlink.generic.nl80211.capabilities import Frequency, TxqStats
from netlink.generic.nl80211.elements import Elements, channel_number
from netlink.generic.nl80211.enums import (
    BssCannotUse,
    BssStatus,
    BssUseFor,
    ChannelType,
    ChannelWidth,
    CipherSuite,
    Command,
    ConnFailedReason,
    DfsRegion,
    EhtGi,
    EhtRu,
    HeGi,
    HeRu,
    IfType,
    KeyMode,
    KeyType,
    MeshPowerMode,
    PlinkState,
    PowerSave,
    ProtocolFeatures,
    RadarEvent,
    RegHintType,
    RegInitiator,
    RegRuleFlags,
    RegType,
    RssiEvent,
    ScanFlags,
    SmpsMode,
    StationFlags,
    TimeoutReason,
)
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
    array,
    binary,
    event,
    flag,
    key,
    nested,
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


class Channel(AttributeSet, lenient=True):
    """A channel: base of the records that have one (NL80211_ATTR_*).

    freq: MHz of its primary channel of 20 MHz, and freq_offset: kHz above it. center_freq1, center_freq2: MHz of the
    middle of the whole. punct_bitmap: parts of 20 MHz that are not used.
    """

    freq: Int = u32(38)  # NL80211_ATTR_WIPHY_FREQ
    freq_offset: Int = u32(290)  # NL80211_ATTR_WIPHY_FREQ_OFFSET
    channel_type: Member[ChannelType] = u32(39, enum=ChannelType)  # NL80211_ATTR_WIPHY_CHANNEL_TYPE
    channel_width: Member[ChannelWidth] = u32(159, enum=ChannelWidth)  # NL80211_ATTR_CHANNEL_WIDTH
    center_freq1: Int = u32(160)  # NL80211_ATTR_CENTER_FREQ1
    center_freq1_offset: Int = u32(291)  # NL80211_ATTR_CENTER_FREQ1_OFFSET
    center_freq2: Int = u32(161)  # NL80211_ATTR_CENTER_FREQ2
    punct_bitmap: Int = u32(322)  # NL80211_ATTR_PUNCT_BITMAP
    edmg_channels: Int = u8(280)  # NL80211_ATTR_WIPHY_EDMG_CHANNELS
    edmg_bw_config: Int = u8(281)  # NL80211_ATTR_WIPHY_EDMG_BW_CONFIG


class MloLink(Channel):
    """A link of an interface that has several, as of 802.11be (NL80211_ATTR_MLO_LINK*)."""

    index: Int = key()
    link_id: Int = u8(313)  # NL80211_ATTR_MLO_LINK_ID
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    ssid: Bytes = binary(52)  # NL80211_ATTR_SSID
    disabled: Flag = flag(326)  # NL80211_ATTR_MLO_LINK_DISABLED
    tx_power_level: Int = u32(98)  # NL80211_ATTR_WIPHY_TX_POWER_LEVEL
    bssid: Str = ether(245)  # NL80211_ATTR_BSSID
    status_code: Int = u16(72)  # NL80211_ATTR_STATUS_CODE


class Interface(Channel, ignore=(229,)):
    """An interface of a wiphy (NL80211_ATTR_*).

    wdev: its number in this family, also if it is no link. ssid: of the network that it is connected to or makes.
    tx_power_level: mBm, that is, a hundredth of dBm. use_4addr: 1 if its frames have four addresses, as a port of a
    bridge needs. radio_mask: bits of the wiphy's radios. event: what a stream reports.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    ifname: Str = string(4)  # NL80211_ATTR_IFNAME
    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    iftype: Member[IfType] = u32(5, enum=IfType)  # NL80211_ATTR_IFTYPE
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    generation: Int = u32(46)  # NL80211_ATTR_GENERATION
    use_4addr: Int = u8(83)  # NL80211_ATTR_4ADDR
    ssid: Bytes = binary(52)  # NL80211_ATTR_SSID
    tx_power_level: Int = s32(98)  # NL80211_ATTR_WIPHY_TX_POWER_LEVEL
    txq_stats: Field[TxqStats | None] = nested(265, TxqStats)  # NL80211_ATTR_TXQ_STATS
    mlo_links: Items[MloLink] = array(312, MloLink)  # NL80211_ATTR_MLO_LINKS
    radio_mask: Int = u32(333)  # NL80211_ATTR_VIF_RADIO_MASK
    event: Member[Command] = event(Command)


class Bss(AttributeSet, lenient=True, ignore=(229,)):
    """A network that a scan found: a basic service set (NL80211_BSS_*).

    ifindex, wdev: of the interface that scanned. frequency: MHz, and frequency_offset: kHz above it. tsf: microseconds
    of its clock. beacon_interval: units of 1024 microseconds. capability: the field of IEEE 802.11. signal_mbm: a
    hundredth of dBm. signal_unspec: from 0 to 100, of drivers without signal_mbm. seen_ms_ago: milliseconds.
    last_seen_boottime: nanoseconds of CLOCK_BOOTTIME. information_elements: of its last probe response or beacon,
    beacon_ies: of its last beacon; `elements` reads them. status: None if the interface does not use it.
    event: what a stream reports.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    generation: Int = u32(46)  # NL80211_ATTR_GENERATION
    bssid: Str = ether((47, 1))  # NL80211_BSS_BSSID
    frequency: Int = u32((47, 2))  # NL80211_BSS_FREQUENCY
    frequency_offset: Int = u32((47, 20))  # NL80211_BSS_FREQUENCY_OFFSET
    signal_mbm: Int = s32((47, 7))  # NL80211_BSS_SIGNAL_MBM
    signal_unspec: Int = u8((47, 8))  # NL80211_BSS_SIGNAL_UNSPEC
    status: Member[BssStatus] = u32((47, 9), enum=BssStatus)  # NL80211_BSS_STATUS
    seen_ms_ago: Int = u32((47, 10))  # NL80211_BSS_SEEN_MS_AGO
    last_seen_boottime: Int = u64((47, 15))  # NL80211_BSS_LAST_SEEN_BOOTTIME
    beacon_interval: Int = u16((47, 4))  # NL80211_BSS_BEACON_INTERVAL
    capability: Int = u16((47, 5))  # NL80211_BSS_CAPABILITY
    tsf: Int = u64((47, 3))  # NL80211_BSS_TSF
    beacon_tsf: Int = u64((47, 13))  # NL80211_BSS_BEACON_TSF
    parent_tsf: Int = u64((47, 17))  # NL80211_BSS_PARENT_TSF
    parent_bssid: Str = ether((47, 18))  # NL80211_BSS_PARENT_BSSID
    information_elements: Bytes = binary((47, 6))  # NL80211_BSS_INFORMATION_ELEMENTS
    beacon_ies: Bytes = binary((47, 11))  # NL80211_BSS_BEACON_IES
    presp_data: Flag = flag((47, 14))  # NL80211_BSS_PRESP_DATA
    chan_width: Int = u32((47, 12))  # NL80211_BSS_CHAN_WIDTH
    chain_signal: Items[int] = array((47, 19), s8)  # NL80211_BSS_CHAIN_SIGNAL
    mlo_link_id: Int = u8((47, 21))  # NL80211_BSS_MLO_LINK_ID
    mld_addr: Str = ether((47, 22))  # NL80211_BSS_MLD_ADDR
    use_for: Member[BssUseFor] = u32((47, 23), enum=BssUseFor)  # NL80211_BSS_USE_FOR
    cannot_use_reasons: Member[BssCannotUse] = u64((47, 24), enum=BssCannotUse)  # NL80211_BSS_CANNOT_USE_REASONS
    event: Member[Command] = event(Command)

    @property
    def elements(self) -> Elements:
        """What the network says about itself. They are read each time."""
        return Elements(self.information_elements or self.beacon_ies or b"")

    @property
    def ssid(self) -> bytes | None:
        """The name of the network: up to 32 bytes of any kind. b"" or zeros if it is hidden."""
        return self.elements.ssid

    @property
    def signal(self) -> float | None:
        """The strength of the signal in dBm. None if the driver does not know it."""
        return None if self.signal_mbm is None else self.signal_mbm / 100

    @property
    def channel(self) -> int | None:
        """The number of the channel that the network was heard on."""
        return None if self.frequency is None else channel_number(self.frequency)

    @property
    def security(self) -> str:
        """How the network is protected, for people: "open", "WEP", "WPA2-PSK", "WPA2-PSK/WPA3-SAE"."""
        return self.elements.security(self.capability or 0)


class StationFlagUpdate(Struct):  # struct nl80211_sta_flag_update
    """Flags of a station. mask: those that are known, or to be changed. set: those of them that are on."""

    mask: Member[StationFlags] = u32(enum=StationFlags)
    set: Member[StationFlags] = u32(enum=StationFlags)


class Rate(AttributeSet, lenient=True):
    """A rate of transmission (NL80211_RATE_INFO_*).

    bitrate32: hundreds of kbit/s, and bitrate the same up to 65535. mcs: of 802.11n, vht_mcs and vht_nss: of 802.11ac,
    he_: of 802.11ax, eht_: of 802.11be, s1g_: of 802.11ah; nss: streams. short_gi: the short guard interval.
    `mbit` is the rate in Mbit/s.
    """

    bitrate: Int = u16(1)  # NL80211_RATE_INFO_BITRATE
    bitrate32: Int = u32(5)  # NL80211_RATE_INFO_BITRATE32
    mcs: Int = u8(2)  # NL80211_RATE_INFO_MCS
    short_gi: Flag = flag(4)  # NL80211_RATE_INFO_SHORT_GI
    vht_mcs: Int = u8(6)  # NL80211_RATE_INFO_VHT_MCS
    vht_nss: Int = u8(7)  # NL80211_RATE_INFO_VHT_NSS
    he_mcs: Int = u8(13)  # NL80211_RATE_INFO_HE_MCS
    he_nss: Int = u8(14)  # NL80211_RATE_INFO_HE_NSS
    he_gi: Member[HeGi] = u8(15, enum=HeGi)  # NL80211_RATE_INFO_HE_GI
    he_dcm: Int = u8(16)  # NL80211_RATE_INFO_HE_DCM
    he_ru_alloc: Member[HeRu] = u8(17, enum=HeRu)  # NL80211_RATE_INFO_HE_RU_ALLOC
    eht_mcs: Int = u8(19)  # NL80211_RATE_INFO_EHT_MCS
    eht_nss: Int = u8(20)  # NL80211_RATE_INFO_EHT_NSS
    eht_gi: Member[EhtGi] = u8(21, enum=EhtGi)  # NL80211_RATE_INFO_EHT_GI
    eht_ru_alloc: Member[EhtRu] = u8(22, enum=EhtRu)  # NL80211_RATE_INFO_EHT_RU_ALLOC
    s1g_mcs: Int = u8(23)  # NL80211_RATE_INFO_S1G_MCS
    s1g_nss: Int = u8(24)  # NL80211_RATE_INFO_S1G_NSS
    width_1: Flag = flag(25)  # NL80211_RATE_INFO_1_MHZ_WIDTH
    width_2: Flag = flag(26)  # NL80211_RATE_INFO_2_MHZ_WIDTH
    width_4: Flag = flag(27)  # NL80211_RATE_INFO_4_MHZ_WIDTH
    width_5: Flag = flag(12)  # NL80211_RATE_INFO_5_MHZ_WIDTH
    width_8: Flag = flag(28)  # NL80211_RATE_INFO_8_MHZ_WIDTH
    width_10: Flag = flag(11)  # NL80211_RATE_INFO_10_MHZ_WIDTH
    width_16: Flag = flag(29)  # NL80211_RATE_INFO_16_MHZ_WIDTH
    width_40: Flag = flag(3)  # NL80211_RATE_INFO_40_MHZ_WIDTH
    width_80: Flag = flag(8)  # NL80211_RATE_INFO_80_MHZ_WIDTH
    width_80p80: Flag = flag(9)  # NL80211_RATE_INFO_80P80_MHZ_WIDTH
    width_160: Flag = flag(10)  # NL80211_RATE_INFO_160_MHZ_WIDTH
    width_320: Flag = flag(18)  # NL80211_RATE_INFO_320_MHZ_WIDTH

    @property
    def mbit(self) -> float | None:
        """The rate in Mbit/s. None if the kernel does not know it."""
        rate = self.bitrate32 if self.bitrate32 is not None else self.bitrate
        return None if rate is None else rate / 10


class TidStats(AttributeSet, lenient=True, ignore=(5,)):
    """Counters of frames of a traffic identifier (NL80211_TID_STATS_*)."""

    tid: Int = key()
    rx_msdu: Int = u64(1)  # NL80211_TID_STATS_RX_MSDU
    tx_msdu: Int = u64(2)  # NL80211_TID_STATS_TX_MSDU
    tx_msdu_retries: Int = u64(3)  # NL80211_TID_STATS_TX_MSDU_RETRIES
    tx_msdu_failed: Int = u64(4)  # NL80211_TID_STATS_TX_MSDU_FAILED
    txq_stats: Field[TxqStats | None] = nested(6, TxqStats)  # NL80211_TID_STATS_TXQ_STATS


class BssParameters(AttributeSet, lenient=True):
    """What a station knows of its network (NL80211_STA_BSS_PARAM_*)."""

    cts_prot: Flag = flag(1)  # NL80211_STA_BSS_PARAM_CTS_PROT
    short_preamble: Flag = flag(2)  # NL80211_STA_BSS_PARAM_SHORT_PREAMBLE
    short_slot_time: Flag = flag(3)  # NL80211_STA_BSS_PARAM_SHORT_SLOT_TIME
    dtim_period: Int = u8(4)  # NL80211_STA_BSS_PARAM_DTIM_PERIOD
    beacon_interval: Int = u16(5)  # NL80211_STA_BSS_PARAM_BEACON_INTERVAL


class Station(AttributeSet, lenient=True, ignore=(229,)):
    """Another station that an interface talks to (NL80211_STA_INFO_*).

    mac: its address. rx_, tx_: what it sent to us and we to it. inactive_time: milliseconds since its last frame.
    connected_time: seconds. signal, signal_avg, beacon_signal_avg, ack_signal, chain_signal: dBm.
    expected_throughput: kbit/s. rx_duration, tx_duration: microseconds of airtime. assoc_at_boottime: nanoseconds of
    CLOCK_BOOTTIME. t_offset: microseconds between both clocks. llid, plid, plink_state and the power modes: of a mesh.
    assoc_req_ies: its association request, in an event of an access point.
    event: what a stream reports.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    generation: Int = u32(46)  # NL80211_ATTR_GENERATION
    assoc_req_ies: Bytes = binary(42)  # NL80211_ATTR_IE
    assoc_resp_ies: Bytes = binary(78)  # NL80211_ATTR_RESP_IE
    mlo_link_id: Int = u8(313)  # NL80211_ATTR_MLO_LINK_ID
    mld_addr: Str = ether(314)  # NL80211_ATTR_MLD_ADDR
    reason_code: Int = u16(54)  # NL80211_ATTR_REASON_CODE
    inactive_time: Int = u32((21, 1))  # NL80211_STA_INFO_INACTIVE_TIME
    connected_time: Int = u32((21, 16))  # NL80211_STA_INFO_CONNECTED_TIME
    rx_bytes: Int = u32((21, 2))  # NL80211_STA_INFO_RX_BYTES, , the low 32 bits
    tx_bytes: Int = u32((21, 3))  # NL80211_STA_INFO_TX_BYTES, , the low 32 bits
    rx_bytes64: Int = u64((21, 23))  # NL80211_STA_INFO_RX_BYTES64
    tx_bytes64: Int = u64((21, 24))  # NL80211_STA_INFO_TX_BYTES64
    rx_packets: Int = u32((21, 9))  # NL80211_STA_INFO_RX_PACKETS
    tx_packets: Int = u32((21, 10))  # NL80211_STA_INFO_TX_PACKETS
    tx_retries: Int = u32((21, 11))  # NL80211_STA_INFO_TX_RETRIES
    tx_failed: Int = u32((21, 12))  # NL80211_STA_INFO_TX_FAILED
    rx_drop_misc: Int = u64((21, 28))  # NL80211_STA_INFO_RX_DROP_MISC
    rx_mpdus: Int = u32((21, 36))  # NL80211_STA_INFO_RX_MPDUS
    fcs_error_count: Int = u32((21, 37))  # NL80211_STA_INFO_FCS_ERROR_COUNT
    signal: Int = s8((21, 7))  # NL80211_STA_INFO_SIGNAL
    signal_avg: Int = s8((21, 13))  # NL80211_STA_INFO_SIGNAL_AVG
    chain_signal: Items[int] = array((21, 25), s8)  # NL80211_STA_INFO_CHAIN_SIGNAL
    chain_signal_avg: Items[int] = array((21, 26), s8)  # NL80211_STA_INFO_CHAIN_SIGNAL_AVG
    beacon_signal_avg: Int = s8((21, 30))  # NL80211_STA_INFO_BEACON_SIGNAL_AVG
    ack_signal: Int = s8((21, 34))  # NL80211_STA_INFO_ACK_SIGNAL
    ack_signal_avg: Int = s8((21, 35))  # NL80211_STA_INFO_ACK_SIGNAL_AVG
    tx_bitrate: Field[Rate | None] = nested((21, 8), Rate)  # NL80211_STA_INFO_TX_BITRATE
    rx_bitrate: Field[Rate | None] = nested((21, 14), Rate)  # NL80211_STA_INFO_RX_BITRATE
    expected_throughput: Int = u32((21, 27))  # NL80211_STA_INFO_EXPECTED_THROUGHPUT
    flags: Field[StationFlagUpdate | None] = struct((21, 17), StationFlagUpdate)  # NL80211_STA_INFO_STA_FLAGS
    bss_parameters: Field[BssParameters | None] = nested((21, 15), BssParameters)  # NL80211_STA_INFO_BSS_PARAM
    beacon_loss: Int = u32((21, 18))  # NL80211_STA_INFO_BEACON_LOSS
    beacon_rx: Int = u64((21, 29))  # NL80211_STA_INFO_BEACON_RX
    tid_stats: Items[TidStats] = array((21, 31), TidStats)  # NL80211_STA_INFO_TID_STATS
    rx_duration: Int = u64((21, 32))  # NL80211_STA_INFO_RX_DURATION
    tx_duration: Int = u64((21, 39))  # NL80211_STA_INFO_TX_DURATION
    airtime_weight: Int = u16((21, 40))  # NL80211_STA_INFO_AIRTIME_WEIGHT
    airtime_link_metric: Int = u32((21, 41))  # NL80211_STA_INFO_AIRTIME_LINK_METRIC
    assoc_at_boottime: Int = u64((21, 42))  # NL80211_STA_INFO_ASSOC_AT_BOOTTIME
    t_offset: Int = u64((21, 19))  # NL80211_STA_INFO_T_OFFSET
    llid: Int = u16((21, 4))  # NL80211_STA_INFO_LLID
    plid: Int = u16((21, 5))  # NL80211_STA_INFO_PLID
    plink_state: Member[PlinkState] = u8((21, 6), enum=PlinkState)  # NL80211_STA_INFO_PLINK_STATE
    local_pm: Member[MeshPowerMode] = u32((21, 20), enum=MeshPowerMode)  # NL80211_STA_INFO_LOCAL_PM
    peer_pm: Member[MeshPowerMode] = u32((21, 21), enum=MeshPowerMode)  # NL80211_STA_INFO_PEER_PM
    nonpeer_pm: Member[MeshPowerMode] = u32((21, 22), enum=MeshPowerMode)  # NL80211_STA_INFO_NONPEER_PM
    connected_to_gate: Int = u8((21, 38))  # NL80211_STA_INFO_CONNECTED_TO_GATE
    connected_to_as: Int = u8((21, 43))  # NL80211_STA_INFO_CONNECTED_TO_AS
    event: Member[Command] = event(Command)


class Survey(AttributeSet, lenient=True, ignore=(229,)):
    """What a radio knows of a channel (NL80211_SURVEY_INFO_*).

    frequency: MHz, and frequency_offset: kHz above it. noise: dBm. in_use: it is the channel in use. time: milliseconds
    on the channel, and of these those that it was busy, received, sent and scanned.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    frequency: Int = u32((84, 1))  # NL80211_SURVEY_INFO_FREQUENCY
    frequency_offset: Int = u32((84, 12))  # NL80211_SURVEY_INFO_FREQUENCY_OFFSET
    noise: Int = s8((84, 2))  # NL80211_SURVEY_INFO_NOISE
    in_use: Flag = flag((84, 3))  # NL80211_SURVEY_INFO_IN_USE
    time: Int = u64((84, 4))  # NL80211_SURVEY_INFO_TIME
    time_busy: Int = u64((84, 5))  # NL80211_SURVEY_INFO_TIME_BUSY
    time_ext_busy: Int = u64((84, 6))  # NL80211_SURVEY_INFO_TIME_EXT_BUSY
    time_rx: Int = u64((84, 7))  # NL80211_SURVEY_INFO_TIME_RX
    time_tx: Int = u64((84, 8))  # NL80211_SURVEY_INFO_TIME_TX
    time_scan: Int = u64((84, 9))  # NL80211_SURVEY_INFO_TIME_SCAN
    time_bss_rx: Int = u64((84, 11))  # NL80211_SURVEY_INFO_TIME_BSS_RX


class RegRule(AttributeSet, lenient=True):
    """A rule of a regulatory domain (NL80211_ATTR_*). Frequencies are in kHz.

    max_ant_gain: a hundredth of dBi. max_eirp: mBm. dfs_cac_time: milliseconds of listening for radar before use.
    psd: dBm per MHz.
    """

    index: Int = key()
    flags: Member[RegRuleFlags] = u32(1, enum=RegRuleFlags)  # NL80211_ATTR_REG_RULE_FLAGS
    freq_range_start: Int = u32(2)  # NL80211_ATTR_FREQ_RANGE_START
    freq_range_end: Int = u32(3)  # NL80211_ATTR_FREQ_RANGE_END
    freq_range_max_bw: Int = u32(4)  # NL80211_ATTR_FREQ_RANGE_MAX_BW
    max_ant_gain: Int = u32(5)  # NL80211_ATTR_POWER_RULE_MAX_ANT_GAIN
    max_eirp: Int = u32(6)  # NL80211_ATTR_POWER_RULE_MAX_EIRP
    dfs_cac_time: Int = u32(7)  # NL80211_ATTR_DFS_CAC_TIME
    psd: Int = s8(8)  # NL80211_ATTR_POWER_RULE_PSD


class RegDomain(AttributeSet, lenient=True):
    """A regulatory domain: what a country allows (NL80211_ATTR_REG_*).

    alpha2: the country, "00" for the world, "99" for rules of a driver. wiphy: of the radio that has it for itself,
    None for the domain of all others. self_managed: that radio's driver keeps it.
    """

    alpha2: Str = string(33)  # NL80211_ATTR_REG_ALPHA2
    dfs_region: Member[DfsRegion] = u8(146, enum=DfsRegion)  # NL80211_ATTR_DFS_REGION
    rules: Items[RegRule] = array(34, RegRule)  # NL80211_ATTR_REG_RULES
    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    self_managed: Flag = flag(216)  # NL80211_ATTR_WIPHY_SELF_MANAGED_REG
    hint_type: Member[RegHintType] = u32(154, enum=RegHintType)  # NL80211_ATTR_USER_REG_HINT_TYPE


class RegChange(AttributeSet, lenient=True):
    """A regulatory domain that was set (NL80211_ATTR_REG_*). event: what a stream reports."""

    initiator: Member[RegInitiator] = u8(48, enum=RegInitiator)  # NL80211_ATTR_REG_INITIATOR
    type: Member[RegType] = u8(49, enum=RegType)  # NL80211_ATTR_REG_TYPE
    alpha2: Str = string(33)  # NL80211_ATTR_REG_ALPHA2
    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    event: Member[Command] = event(Command)


class BeaconHint(AttributeSet, lenient=True):
    """A channel on which a beacon was heard, before and after that (NL80211_ATTR_FREQ_*).

    event: what a stream reports.
    """

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    before: Field[Frequency | None] = nested(58, Frequency)  # NL80211_ATTR_FREQ_BEFORE
    after: Field[Frequency | None] = nested(59, Frequency)  # NL80211_ATTR_FREQ_AFTER
    event: Member[Command] = event(Command)


class KeyInfo(AttributeSet, lenient=True):
    """A key of an interface (NL80211_KEY_*). The kernel returns data only to requests with CAP_NET_ADMIN, if at all.

    idx: its number. seq: its counter, little-endian.
    """

    data: Bytes = binary(1)  # NL80211_KEY_DATA
    idx: Int = u8(2)  # NL80211_KEY_IDX
    cipher: Member[CipherSuite] = u32(3, enum=CipherSuite)  # NL80211_KEY_CIPHER
    seq: Bytes = binary(4)  # NL80211_KEY_SEQ
    default: Flag = flag(5)  # NL80211_KEY_DEFAULT
    default_mgmt: Flag = flag(6)  # NL80211_KEY_DEFAULT_MGMT
    default_beacon: Flag = flag(10)  # NL80211_KEY_DEFAULT_BEACON
    type: Member[KeyType] = u32(7, enum=KeyType)  # NL80211_KEY_TYPE
    mode: Member[KeyMode] = u8(9, enum=KeyMode)  # NL80211_KEY_MODE

    def __repr__(self) -> str:
        return super().__repr__() if self.data is None else repr(self.replace(data=None))


class Key(AttributeSet, lenient=True):
    """A key of an interface, and whose it is (NL80211_ATTR_KEY*). `repr` has no secret."""

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    idx: Int = u8(8)  # NL80211_ATTR_KEY_IDX
    mlo_link_id: Int = u8(313)  # NL80211_ATTR_MLO_LINK_ID
    key: Field[KeyInfo | None] = nested(80, KeyInfo)  # NL80211_ATTR_KEY
    data: Bytes = binary(7)  # NL80211_ATTR_KEY_DATA
    cipher: Member[CipherSuite] = u32(9, enum=CipherSuite)  # NL80211_ATTR_KEY_CIPHER
    seq: Bytes = binary(10)  # NL80211_ATTR_KEY_SEQ
    type: Member[KeyType] = u32(55, enum=KeyType)  # NL80211_ATTR_KEY_TYPE

    def __repr__(self) -> str:
        return super().__repr__() if self.data is None else repr(self.replace(data=None))


class PowerSaveState(AttributeSet, lenient=True):
    """Whether an interface saves power (NL80211_ATTR_PS_STATE)."""

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    ps_state: Member[PowerSave] = u32(93, enum=PowerSave)  # NL80211_ATTR_PS_STATE


class Features(AttributeSet, lenient=True):
    """What the kernel's protocol can do (NL80211_ATTR_PROTOCOL_FEATURES)."""

    protocol_features: Member[ProtocolFeatures] = u32(173, enum=ProtocolFeatures)  # NL80211_ATTR_PROTOCOL_FEATURES


class MeshConfig(AttributeSet, lenient=True):
    """How a mesh works (NL80211_MESHCONF_*). Times are in milliseconds; those of HWMP in units of 1024 microseconds.

    `unknown` has the number of the interface, which the kernel puts among these with the type of holding_timeout.
    """

    retry_timeout: Int = u16((35, 1))  # NL80211_MESHCONF_RETRY_TIMEOUT
    confirm_timeout: Int = u16((35, 2))  # NL80211_MESHCONF_CONFIRM_TIMEOUT
    holding_timeout: Int = u16((35, 3))  # NL80211_MESHCONF_HOLDING_TIMEOUT
    max_peer_links: Int = u16((35, 4))  # NL80211_MESHCONF_MAX_PEER_LINKS
    max_retries: Int = u8((35, 5))  # NL80211_MESHCONF_MAX_RETRIES
    ttl: Int = u8((35, 6))  # NL80211_MESHCONF_TTL
    element_ttl: Int = u8((35, 15))  # NL80211_MESHCONF_ELEMENT_TTL
    auto_open_plinks: Int = u8((35, 7))  # NL80211_MESHCONF_AUTO_OPEN_PLINKS
    hwmp_max_preq_retries: Int = u8((35, 8))  # NL80211_MESHCONF_HWMP_MAX_PREQ_RETRIES
    path_refresh_time: Int = u32((35, 9))  # NL80211_MESHCONF_PATH_REFRESH_TIME
    min_discovery_timeout: Int = u16((35, 10))  # NL80211_MESHCONF_MIN_DISCOVERY_TIMEOUT
    hwmp_active_path_timeout: Int = u32((35, 11))  # NL80211_MESHCONF_HWMP_ACTIVE_PATH_TIMEOUT
    hwmp_preq_min_interval: Int = u16((35, 12))  # NL80211_MESHCONF_HWMP_PREQ_MIN_INTERVAL
    hwmp_perr_min_interval: Int = u16((35, 18))  # NL80211_MESHCONF_HWMP_PERR_MIN_INTERVAL
    hwmp_net_diam_trvs_time: Int = u16((35, 13))  # NL80211_MESHCONF_HWMP_NET_DIAM_TRVS_TIME
    hwmp_rootmode: Int = u8((35, 14))  # NL80211_MESHCONF_HWMP_ROOTMODE
    hwmp_rann_interval: Int = u16((35, 16))  # NL80211_MESHCONF_HWMP_RANN_INTERVAL
    hwmp_path_to_root_timeout: Int = u32((35, 23))  # NL80211_MESHCONF_HWMP_PATH_TO_ROOT_TIMEOUT
    hwmp_root_interval: Int = u16((35, 24))  # NL80211_MESHCONF_HWMP_ROOT_INTERVAL
    hwmp_confirmation_interval: Int = u16((35, 25))  # NL80211_MESHCONF_HWMP_CONFIRMATION_INTERVAL
    gate_announcements: Int = u8((35, 17))  # NL80211_MESHCONF_GATE_ANNOUNCEMENTS
    forwarding: Int = u8((35, 19))  # NL80211_MESHCONF_FORWARDING
    rssi_threshold: Int = s32((35, 20))  # NL80211_MESHCONF_RSSI_THRESHOLD
    sync_offset_max_neighbor: Int = u32((35, 21))  # NL80211_MESHCONF_SYNC_OFFSET_MAX_NEIGHBOR
    ht_opmode: Int = u32((35, 22))  # NL80211_MESHCONF_HT_OPMODE
    power_mode: Member[MeshPowerMode] = u32((35, 26), enum=MeshPowerMode)  # NL80211_MESHCONF_POWER_MODE
    awake_window: Int = u16((35, 27))  # NL80211_MESHCONF_AWAKE_WINDOW
    plink_timeout: Int = u32((35, 28))  # NL80211_MESHCONF_PLINK_TIMEOUT
    connected_to_gate: Int = u8((35, 29))  # NL80211_MESHCONF_CONNECTED_TO_GATE
    connected_to_as: Int = u8((35, 31))  # NL80211_MESHCONF_CONNECTED_TO_AS
    nolearn: Int = u8((35, 30))  # NL80211_MESHCONF_NOLEARN


class MeshPath(AttributeSet, lenient=True):
    """A path of a mesh to a station (NL80211_MPATH_INFO_*).

    mac: of the station. exptime: milliseconds until it expires. flags: bits of NL80211_MPATH_FLAG_*.
    """

    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    next_hop: Str = ether(26)  # NL80211_ATTR_MPATH_NEXT_HOP
    generation: Int = u32(46)  # NL80211_ATTR_GENERATION
    frame_qlen: Int = u32((27, 1))  # NL80211_MPATH_INFO_FRAME_QLEN
    sn: Int = u32((27, 2))  # NL80211_MPATH_INFO_SN
    metric: Int = u32((27, 3))  # NL80211_MPATH_INFO_METRIC
    exptime: Int = u32((27, 4))  # NL80211_MPATH_INFO_EXPTIME
    flags: Int = u8((27, 5))  # NL80211_MPATH_INFO_FLAGS
    discovery_timeout: Int = u32((27, 6))  # NL80211_MPATH_INFO_DISCOVERY_TIMEOUT
    discovery_retries: Int = u8((27, 7))  # NL80211_MPATH_INFO_DISCOVERY_RETRIES
    hop_count: Int = u8((27, 8))  # NL80211_MPATH_INFO_HOP_COUNT
    path_change: Int = u32((27, 9))  # NL80211_MPATH_INFO_PATH_CHANGE


class ScanInfo(AttributeSet, lenient=True, ignore=(229,)):
    """A scan that began, ended or was aborted (NL80211_ATTR_SCAN_*).

    ssids: that it asked for, b"" for any. frequencies: MHz. frequencies_khz: kHz, if flags have FREQ_KHZ. ie: elements
    that its probe requests had. start_time_tsf: the clock of the network start_time_tsf_bssid as it began.
    event: what a stream reports.
    """

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    ssids: Items[bytes] = array(45, binary)  # NL80211_ATTR_SCAN_SSIDS
    frequencies: Items[int] = array(44, u32)  # NL80211_ATTR_SCAN_FREQUENCIES
    frequencies_khz: Items[int] = array(292, u32)  # NL80211_ATTR_SCAN_FREQ_KHZ
    flags: Member[ScanFlags] = u32(158, enum=ScanFlags)  # NL80211_ATTR_SCAN_FLAGS
    ie: Bytes = binary(42)  # NL80211_ATTR_IE
    start_time_tsf: Int = u64(233)  # NL80211_ATTR_SCAN_START_TIME_TSF
    start_time_tsf_bssid: Str = ether(234)  # NL80211_ATTR_SCAN_START_TIME_TSF_BSSID
    cookie: Int = u64(88)  # NL80211_ATTR_COOKIE
    event: Member[Command] = event(Command)


class Connection(AttributeSet, lenient=True):
    """A connection that was made, moved, refused or ended, or an IBSS that was joined (NL80211_ATTR_*).

    mac: the address of the access point. status_code, reason_code: of IEEE 802.11; status_code 0 is success.
    req_ie, resp_ie: elements of the association. event: what a stream reports.
    """

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    status_code: Int = u16(72)  # NL80211_ATTR_STATUS_CODE
    reason_code: Int = u16(54)  # NL80211_ATTR_REASON_CODE
    disconnected_by_ap: Flag = flag(71)  # NL80211_ATTR_DISCONNECTED_BY_AP
    timed_out: Flag = flag(65)  # NL80211_ATTR_TIMED_OUT
    timeout_reason: Member[TimeoutReason] = u32(248, enum=TimeoutReason)  # NL80211_ATTR_TIMEOUT_REASON
    req_ie: Bytes = binary(77)  # NL80211_ATTR_REQ_IE
    resp_ie: Bytes = binary(78)  # NL80211_ATTR_RESP_IE
    ie: Bytes = binary(42)  # NL80211_ATTR_IE
    port_authorized: Flag = flag(259)  # NL80211_ATTR_PORT_AUTHORIZED
    mld_addr: Str = ether(314)  # NL80211_ATTR_MLD_ADDR
    mlo_links: Items[MloLink] = array(312, MloLink)  # NL80211_ATTR_MLO_LINKS
    td_bitmap: Bytes = binary(321)  # NL80211_ATTR_TD_BITMAP
    freq: Int = u32(38)  # NL80211_ATTR_WIPHY_FREQ
    event: Member[Command] = event(Command)


class Frame(AttributeSet, lenient=True, ignore=(229,)):
    """A management frame that was sent or received, such as of an authentication (NL80211_ATTR_FRAME).

    frame: with its header of IEEE 802.11. timed_out: there was no answer from mac. ack: the other side confirmed it.
    uapsd_queues: a bit for each queue whose packets the access point delivers on request, of an association.
    rx_signal_dbm: dBm. cookie: the number of the request that sent it. event: what a stream reports.
    """

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    frame: Bytes = binary(51)  # NL80211_ATTR_FRAME
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    timed_out: Flag = flag(65)  # NL80211_ATTR_TIMED_OUT
    ack: Flag = flag(92)  # NL80211_ATTR_ACK
    cookie: Int = u64(88)  # NL80211_ATTR_COOKIE
    freq: Int = u32(38)  # NL80211_ATTR_WIPHY_FREQ
    uapsd_queues: Int = u8((129, 1))  # NL80211_STA_WME_UAPSD_QUEUES
    freq_offset: Int = u32(290)  # NL80211_ATTR_WIPHY_FREQ_OFFSET
    rx_signal_dbm: Int = s32(151)  # NL80211_ATTR_RX_SIGNAL_DBM
    rxmgmt_flags: Int = u32(188)  # NL80211_ATTR_RXMGMT_FLAGS
    req_ie: Bytes = binary(77)  # NL80211_ATTR_REQ_IE
    reconnect_requested: Flag = flag(299)  # NL80211_ATTR_RECONNECT_REQUESTED
    mlo_link_id: Int = u8(313)  # NL80211_ATTR_MLO_LINK_ID
    tx_hw_timestamp: Int = u64(319)  # NL80211_ATTR_TX_HW_TIMESTAMP
    rx_hw_timestamp: Int = u64(320)  # NL80211_ATTR_RX_HW_TIMESTAMP
    event: Member[Command] = event(Command)


class SignalEvent(AttributeSet, lenient=True):
    """What happened to the quality of a connection (NL80211_ATTR_CQM_*).

    rssi_level: dBm. pkt_loss: packets that were lost in a row. txe_rate, txe_pkts, txe_intvl: percent of failures, of
    how many packets, in how many seconds.
    """

    rssi_thold: Bytes = binary(1)  # NL80211_ATTR_CQM_RSSI_THOLD
    rssi_hyst: Int = u32(2)  # NL80211_ATTR_CQM_RSSI_HYST
    rssi_event: Member[RssiEvent] = u32(3, enum=RssiEvent)  # NL80211_ATTR_CQM_RSSI_THRESHOLD_EVENT
    rssi_level: Int = s32(9)  # NL80211_ATTR_CQM_RSSI_LEVEL
    pkt_loss: Int = u32(4)  # NL80211_ATTR_CQM_PKT_LOSS_EVENT
    txe_rate: Int = u32(5)  # NL80211_ATTR_CQM_TXE_RATE
    txe_pkts: Int = u32(6)  # NL80211_ATTR_CQM_TXE_PKTS
    txe_intvl: Int = u32(7)  # NL80211_ATTR_CQM_TXE_INTVL
    beacon_loss: Flag = flag(8)  # NL80211_ATTR_CQM_BEACON_LOSS_EVENT


class LinkEvent(Channel, ignore=(229,)):
    """What else happened to an interface: to its channel, its signal, its keys, its peers (NL80211_ATTR_*).

    event says which, and so which fields there are. duration: milliseconds. cookie: the number of a request to remain
    on a channel. mac: of the peer.
    """

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    cookie: Int = u64(88)  # NL80211_ATTR_COOKIE
    duration: Int = u32(87)  # NL80211_ATTR_DURATION
    cqm: Field[SignalEvent | None] = nested(94, SignalEvent)  # NL80211_ATTR_CQM
    key_type: Member[KeyType] = u32(55, enum=KeyType)  # NL80211_ATTR_KEY_TYPE
    key_idx: Int = u8(8)  # NL80211_ATTR_KEY_IDX
    key_seq: Bytes = binary(10)  # NL80211_ATTR_KEY_SEQ
    ie: Bytes = binary(42)  # NL80211_ATTR_IE
    reason_code: Int = u16(54)  # NL80211_ATTR_REASON_CODE
    conn_failed_reason: Member[ConnFailedReason] = u32(155, enum=ConnFailedReason)  # NL80211_ATTR_CONN_FAILED_REASON
    radar_event: Member[RadarEvent] = u32(168, enum=RadarEvent)  # NL80211_ATTR_RADAR_EVENT
    ch_switch_count: Int = u32(183)  # NL80211_ATTR_CH_SWITCH_COUNT
    ch_switch_block_tx: Flag = flag(184)  # NL80211_ATTR_CH_SWITCH_BLOCK_TX
    ack: Flag = flag(92)  # NL80211_ATTR_ACK
    ack_signal: Int = s32(263)  # NL80211_ATTR_ACK_SIGNAL
    rx_signal_dbm: Int = s32(151)  # NL80211_ATTR_RX_SIGNAL_DBM
    tdls_operation: Int = u8(138)  # NL80211_ATTR_TDLS_OPERATION
    smps_mode: Member[SmpsMode] = u8(213, enum=SmpsMode)  # NL80211_ATTR_SMPS_MODE
    nss: Int = u8(262)  # NL80211_ATTR_NSS
    rekey: Bytes = binary(122)  # NL80211_ATTR_REKEY_DATA
    pmksa_candidate: Bytes = binary(134)  # NL80211_ATTR_PMKSA_CANDIDATE
    td_bitmap: Bytes = binary(321)  # NL80211_ATTR_TD_BITMAP
    tsid: Int = u8(210)  # NL80211_ATTR_TSID
    admitted_time: Int = u16(212)  # NL80211_ATTR_ADMITTED_TIME
    obss_color_bitmap: Int = u64(302)  # NL80211_ATTR_OBSS_COLOR_BITMAP
    color_change_count: Int = u8(303)  # NL80211_ATTR_COLOR_CHANGE_COUNT
    color_change_color: Int = u8(304)  # NL80211_ATTR_COLOR_CHANGE_COLOR
    ie_ric: Bytes = binary(178)  # NL80211_ATTR_IE_RIC
    mlo_link_id: Int = u8(313)  # NL80211_ATTR_MLO_LINK_ID
    mld_addr: Str = ether(314)  # NL80211_ATTR_MLD_ADDR
    event: Member[Command] = event(Command)


class VendorEvent(AttributeSet, lenient=True, ignore=(229,)):
    """An event of a driver (NL80211_ATTR_VENDOR_*).

    vendor_id: an OUI. data: as the driver has it. event: what a stream reports.
    """

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    vendor_id: Int = u32(195)  # NL80211_ATTR_VENDOR_ID
    vendor_subcmd: Int = u32(196)  # NL80211_ATTR_VENDOR_SUBCMD
    data: Bytes = binary(197)  # NL80211_ATTR_VENDOR_DATA
    event: Member[Command] = event(Command)


class TestEvent(AttributeSet, lenient=True, ignore=(229,)):
    """An event of a driver's test mode (NL80211_ATTR_TESTDATA). event: what a stream reports."""

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    data: Bytes = binary(69)  # NL80211_ATTR_TESTDATA
    event: Member[Command] = event(Command)


class NanEvent(AttributeSet, lenient=True, ignore=(229,)):
    """A match or an end of a function of neighbour awareness networking (NL80211_ATTR_NAN_*).

    func, match: attributes of NL80211_NAN_*, as bytes. event: what a stream reports.
    """

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    ifindex: Int = u32(3)  # NL80211_ATTR_IFINDEX
    wdev: Int = u64(153)  # NL80211_ATTR_WDEV
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    cookie: Int = u64(88)  # NL80211_ATTR_COOKIE
    func: Bytes = binary(240)  # NL80211_ATTR_NAN_FUNC
    match: Bytes = binary(241)  # NL80211_ATTR_NAN_MATCH
    event: Member[Command] = event(Command)
