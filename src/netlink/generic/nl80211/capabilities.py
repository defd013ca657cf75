"""Wiphys, and what they can do: declarations alone."""

from __future__ import annotations

from netlink.generic.nl80211.enums import (
    AkmSuite,
    CipherSuite,
    Command,
    DfsState,
    ExtFeature,
    FeatureFlags,
    HtCapability,
    IfType,
    VhtCapability,
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
    packed,
    repeated,
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


class IfTypes(AttributeSet, lenient=True):
    """A set of kinds of interface (NL80211_IFTYPE_*): True for each that is in it.

    `names` lists them.
    """

    adhoc: Flag = flag(1)  # NL80211_IFTYPE_ADHOC
    station: Flag = flag(2)  # NL80211_IFTYPE_STATION
    ap: Flag = flag(3)  # NL80211_IFTYPE_AP
    ap_vlan: Flag = flag(4)  # NL80211_IFTYPE_AP_VLAN
    wds: Flag = flag(5)  # NL80211_IFTYPE_WDS
    monitor: Flag = flag(6)  # NL80211_IFTYPE_MONITOR
    mesh_point: Flag = flag(7)  # NL80211_IFTYPE_MESH_POINT
    p2p_client: Flag = flag(8)  # NL80211_IFTYPE_P2P_CLIENT
    p2p_go: Flag = flag(9)  # NL80211_IFTYPE_P2P_GO
    p2p_device: Flag = flag(10)  # NL80211_IFTYPE_P2P_DEVICE
    ocb: Flag = flag(11)  # NL80211_IFTYPE_OCB
    nan: Flag = flag(12)  # NL80211_IFTYPE_NAN

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the kinds in the set, such as "station"."""
        return tuple(name for name in self.__fields__ if getattr(self, name))


class WmmRule(AttributeSet, lenient=True):
    """Limits of an access category on a frequency (NL80211_WMMR_*).

    index: the category. cw_min, cw_max, aifsn: of its contention. txop: in microseconds.
    """

    index: Int = key()
    cw_min: Int = u16(1)  # NL80211_WMMR_CW_MIN
    cw_max: Int = u16(2)  # NL80211_WMMR_CW_MAX
    aifsn: Int = u8(3)  # NL80211_WMMR_AIFSN
    txop: Int = u16(4)  # NL80211_WMMR_TXOP


class Frequency(AttributeSet, lenient=True):
    """A channel of a band, and what is allowed there (NL80211_FREQUENCY_ATTR_*).

    freq: MHz, and offset: kHz above it. max_tx_power: mBm, that is, a hundredth of dBm. no_ir: nothing may be sent
    first, as if passive. dfs_time: milliseconds that dfs_state has lasted. dfs_cac_time: milliseconds of listening for
    radar before use. psd: mBm per MHz.
    """

    index: Int = key()
    freq: Int = u32(1)  # NL80211_FREQUENCY_ATTR_FREQ
    offset: Int = u32(20)  # NL80211_FREQUENCY_ATTR_OFFSET
    disabled: Flag = flag(2)  # NL80211_FREQUENCY_ATTR_DISABLED
    no_ir: Flag = flag(3)  # NL80211_FREQUENCY_ATTR_NO_IR
    no_ibss: Flag = flag(4)  # __NL80211_FREQUENCY_ATTR_NO_IBSS
    radar: Flag = flag(5)  # NL80211_FREQUENCY_ATTR_RADAR
    max_tx_power: Int = u32(6)  # NL80211_FREQUENCY_ATTR_MAX_TX_POWER
    dfs_state: Member[DfsState] = u32(7, enum=DfsState)  # NL80211_FREQUENCY_ATTR_DFS_STATE
    dfs_time: Int = u32(8)  # NL80211_FREQUENCY_ATTR_DFS_TIME
    dfs_cac_time: Int = u32(13)  # NL80211_FREQUENCY_ATTR_DFS_CAC_TIME
    no_ht40_minus: Flag = flag(9)  # NL80211_FREQUENCY_ATTR_NO_HT40_MINUS
    no_ht40_plus: Flag = flag(10)  # NL80211_FREQUENCY_ATTR_NO_HT40_PLUS
    no_80mhz: Flag = flag(11)  # NL80211_FREQUENCY_ATTR_NO_80MHZ
    no_160mhz: Flag = flag(12)  # NL80211_FREQUENCY_ATTR_NO_160MHZ
    no_320mhz: Flag = flag(26)  # NL80211_FREQUENCY_ATTR_NO_320MHZ
    no_20mhz: Flag = flag(16)  # NL80211_FREQUENCY_ATTR_NO_20MHZ
    no_10mhz: Flag = flag(17)  # NL80211_FREQUENCY_ATTR_NO_10MHZ
    no_he: Flag = flag(19)  # NL80211_FREQUENCY_ATTR_NO_HE
    no_eht: Flag = flag(27)  # NL80211_FREQUENCY_ATTR_NO_EHT
    indoor_only: Flag = flag(14)  # NL80211_FREQUENCY_ATTR_INDOOR_ONLY
    ir_concurrent: Flag = flag(15)  # NL80211_FREQUENCY_ATTR_IR_CONCURRENT
    wmm: Items[WmmRule] = array(18, WmmRule)  # NL80211_FREQUENCY_ATTR_WMM
    s1g_1mhz: Flag = flag(21)  # NL80211_FREQUENCY_ATTR_1MHZ
    s1g_2mhz: Flag = flag(22)  # NL80211_FREQUENCY_ATTR_2MHZ
    s1g_4mhz: Flag = flag(23)  # NL80211_FREQUENCY_ATTR_4MHZ
    s1g_8mhz: Flag = flag(24)  # NL80211_FREQUENCY_ATTR_8MHZ
    s1g_16mhz: Flag = flag(25)  # NL80211_FREQUENCY_ATTR_16MHZ
    psd: Int = s8(28)  # NL80211_FREQUENCY_ATTR_PSD
    dfs_concurrent: Flag = flag(29)  # NL80211_FREQUENCY_ATTR_DFS_CONCURRENT
    no_6ghz_vlp_client: Flag = flag(30)  # NL80211_FREQUENCY_ATTR_NO_6GHZ_VLP_CLIENT
    no_6ghz_afc_client: Flag = flag(31)  # NL80211_FREQUENCY_ATTR_NO_6GHZ_AFC_CLIENT
    can_monitor: Flag = flag(32)  # NL80211_FREQUENCY_ATTR_CAN_MONITOR
    allow_6ghz_vlp_ap: Flag = flag(33)  # NL80211_FREQUENCY_ATTR_ALLOW_6GHZ_VLP_AP
    allow_20mhz_activity: Flag = flag(34)  # NL80211_FREQUENCY_ATTR_ALLOW_20MHZ_ACTIVITY


class Bitrate(AttributeSet, lenient=True):
    """A rate of a band (NL80211_BITRATE_ATTR_*). rate: hundreds of kbit/s."""

    index: Int = key()
    rate: Int = u32(1)  # NL80211_BITRATE_ATTR_RATE
    short_preamble: Flag = flag(2)  # NL80211_BITRATE_ATTR_2GHZ_SHORTPREAMBLE


class BandIfType(AttributeSet, lenient=True):
    """What 802.11ax and 802.11be a band has for some kinds of interface (NL80211_BAND_IFTYPE_ATTR_*).

    Bytes are the fields of IEEE 802.11 of these names.
    """

    index: Int = key()
    iftypes: Field[IfTypes | None] = nested(1, IfTypes)  # NL80211_BAND_IFTYPE_ATTR_IFTYPES
    he_cap_mac: Bytes = binary(2)  # NL80211_BAND_IFTYPE_ATTR_HE_CAP_MAC
    he_cap_phy: Bytes = binary(3)  # NL80211_BAND_IFTYPE_ATTR_HE_CAP_PHY
    he_cap_mcs_set: Bytes = binary(4)  # NL80211_BAND_IFTYPE_ATTR_HE_CAP_MCS_SET
    he_cap_ppe: Bytes = binary(5)  # NL80211_BAND_IFTYPE_ATTR_HE_CAP_PPE
    he_6ghz_capa: Int = u16(6)  # NL80211_BAND_IFTYPE_ATTR_HE_6GHZ_CAPA
    vendor_elems: Bytes = binary(7)  # NL80211_BAND_IFTYPE_ATTR_VENDOR_ELEMS
    eht_cap_mac: Bytes = binary(8)  # NL80211_BAND_IFTYPE_ATTR_EHT_CAP_MAC
    eht_cap_phy: Bytes = binary(9)  # NL80211_BAND_IFTYPE_ATTR_EHT_CAP_PHY
    eht_cap_mcs_set: Bytes = binary(10)  # NL80211_BAND_IFTYPE_ATTR_EHT_CAP_MCS_SET
    eht_cap_ppe: Bytes = binary(11)  # NL80211_BAND_IFTYPE_ATTR_EHT_CAP_PPE


class BandInfo(AttributeSet, lenient=True):
    """A band of a wiphy (NL80211_BAND_ATTR_*).

    band: a number of `Band`. ht_mcs_set, vht_mcs_set: the fields of IEEE 802.11. ht_ampdu_factor, ht_ampdu_density: of
    aggregates of 802.11n. edmg_channels, edmg_bw_config: of 60 GHz.
    """

    band: Int = key()
    freqs: Items[Frequency] = array(1, Frequency)  # NL80211_BAND_ATTR_FREQS
    rates: Items[Bitrate] = array(2, Bitrate)  # NL80211_BAND_ATTR_RATES
    ht_mcs_set: Bytes = binary(3)  # NL80211_BAND_ATTR_HT_MCS_SET
    ht_capa: Member[HtCapability] = u16(4, enum=HtCapability)  # NL80211_BAND_ATTR_HT_CAPA
    ht_ampdu_factor: Int = u8(5)  # NL80211_BAND_ATTR_HT_AMPDU_FACTOR
    ht_ampdu_density: Int = u8(6)  # NL80211_BAND_ATTR_HT_AMPDU_DENSITY
    vht_mcs_set: Bytes = binary(7)  # NL80211_BAND_ATTR_VHT_MCS_SET
    vht_capa: Member[VhtCapability] = u32(8, enum=VhtCapability)  # NL80211_BAND_ATTR_VHT_CAPA
    iftype_data: Items[BandIfType] = array(9, BandIfType)  # NL80211_BAND_ATTR_IFTYPE_DATA
    edmg_channels: Int = u8(10)  # NL80211_BAND_ATTR_EDMG_CHANNELS
    edmg_bw_config: Int = u8(11)  # NL80211_BAND_ATTR_EDMG_BW_CONFIG
    s1g_mcs_nss_set: Bytes = binary(12)  # NL80211_BAND_ATTR_S1G_MCS_NSS_SET
    s1g_capa: Bytes = binary(13)  # NL80211_BAND_ATTR_S1G_CAPA


class FrameTypes(AttributeSet, lenient=True):
    """Management frames that an interface of a kind can send, or can be told of (NL80211_ATTR_FRAME_TYPE).

    iftype: a number of `IfType`. types: frame controls, of type and subtype.
    """

    iftype: Int = key()
    types: Items[int] = repeated(101, u16)  # NL80211_ATTR_FRAME_TYPE


class PatternSupport(Struct):  # struct nl80211_pattern_support
    """Limits of patterns of packets: how many, their lengths, and where they may begin, in bytes."""

    max_patterns: Int = u32()
    min_pattern_len: Int = u32()
    max_pattern_len: Int = u32()
    max_pkt_offset: Int = u32()


class CoalesceSupport(Struct):  # struct nl80211_coalesce_rule_support
    """Limits of rules that collect packets: how many, of their patterns, and milliseconds of delay."""

    max_rules: Int = u32()
    pattern: Field[PatternSupport | None] = struct(None, PatternSupport)
    max_delay: Int = u32()


class VendorCommand(Struct):  # struct nl80211_vendor_cmd_info
    """A command or an event of a vendor. vendor_id: an OUI, or a number with bit 31 for one that is no OUI."""

    vendor_id: Int = u32()
    subcmd: Int = u32()


class WowlanTcpSupport(AttributeSet, lenient=True):
    """Limits of a TCP connection that wakes (NL80211_WOWLAN_TCP_*), in bytes and seconds."""

    data_payload: Int = u32(6)  # NL80211_WOWLAN_TCP_DATA_PAYLOAD
    data_payload_seq: Flag = flag(7)  # NL80211_WOWLAN_TCP_DATA_PAYLOAD_SEQ
    data_payload_token: Bytes = binary(8)  # NL80211_WOWLAN_TCP_DATA_PAYLOAD_TOKEN
    data_interval: Int = u32(9)  # NL80211_WOWLAN_TCP_DATA_INTERVAL
    wake_payload: Int = u32(10)  # NL80211_WOWLAN_TCP_WAKE_PAYLOAD


class WowlanSupport(AttributeSet, lenient=True):
    """What can wake the machine (NL80211_WOWLAN_TRIG_*).

    net_detect: the number of networks that it can look for.
    """

    any: Flag = flag(1)  # NL80211_WOWLAN_TRIG_ANY
    disconnect: Flag = flag(2)  # NL80211_WOWLAN_TRIG_DISCONNECT
    magic_pkt: Flag = flag(3)  # NL80211_WOWLAN_TRIG_MAGIC_PKT
    pkt_pattern: Field[PatternSupport | None] = struct(4, PatternSupport)  # NL80211_WOWLAN_TRIG_PKT_PATTERN
    gtk_rekey_supported: Flag = flag(5)  # NL80211_WOWLAN_TRIG_GTK_REKEY_SUPPORTED
    gtk_rekey_failure: Flag = flag(6)  # NL80211_WOWLAN_TRIG_GTK_REKEY_FAILURE
    eap_ident_request: Flag = flag(7)  # NL80211_WOWLAN_TRIG_EAP_IDENT_REQUEST
    four_way_handshake: Flag = flag(8)  # NL80211_WOWLAN_TRIG_4WAY_HANDSHAKE
    rfkill_release: Flag = flag(9)  # NL80211_WOWLAN_TRIG_RFKILL_RELEASE
    tcp_connection: Field[WowlanTcpSupport | None] = nested(14, WowlanTcpSupport)  # NL80211_WOWLAN_TRIG_TCP_CONNECTION
    net_detect: Int = u32(18)  # NL80211_WOWLAN_TRIG_NET_DETECT


class InterfaceLimit(AttributeSet, lenient=True):
    """How many interfaces of some kinds there may be (NL80211_IFACE_LIMIT_*)."""

    index: Int = key()
    max: Int = u32(1)  # NL80211_IFACE_LIMIT_MAX
    types: Field[IfTypes | None] = nested(2, IfTypes)  # NL80211_IFACE_LIMIT_TYPES


class InterfaceCombination(AttributeSet, lenient=True):
    """Interfaces that may be up at once (NL80211_IFACE_COMB_*).

    maxnum: of all limits together. num_channels: of different channels. radar_detect_widths: bits of `ChannelWidth`.
    radar_detect_regions: bits of `DfsRegion`. bi_min_gcd: of the beacon intervals.
    """

    index: Int = key()
    limits: Items[InterfaceLimit] = array(1, InterfaceLimit)  # NL80211_IFACE_COMB_LIMITS
    maxnum: Int = u32(2)  # NL80211_IFACE_COMB_MAXNUM
    sta_ap_bi_match: Flag = flag(3)  # NL80211_IFACE_COMB_STA_AP_BI_MATCH
    num_channels: Int = u32(4)  # NL80211_IFACE_COMB_NUM_CHANNELS
    radar_detect_widths: Int = u32(5)  # NL80211_IFACE_COMB_RADAR_DETECT_WIDTHS
    radar_detect_regions: Int = u32(6)  # NL80211_IFACE_COMB_RADAR_DETECT_REGIONS
    bi_min_gcd: Int = u32(7)  # NL80211_IFACE_COMB_BI_MIN_GCD


class IfTypeCapability(AttributeSet, lenient=True):
    """Extended capabilities of a kind of interface, as fields of IEEE 802.11 (NL80211_ATTR_*)."""

    index: Int = key()
    iftype: Member[IfType] = u32(5, enum=IfType)  # NL80211_ATTR_IFTYPE
    ext_capa: Bytes = binary(169)  # NL80211_ATTR_EXT_CAPA
    ext_capa_mask: Bytes = binary(170)  # NL80211_ATTR_EXT_CAPA_MASK
    eml_capability: Int = u16(317)  # NL80211_ATTR_EML_CAPABILITY
    mld_capa_and_ops: Int = u16(318)  # NL80211_ATTR_MLD_CAPA_AND_OPS


class IfTypeAkms(AttributeSet, lenient=True):
    """How some kinds of interface can agree on keys (NL80211_IFTYPE_AKM_ATTR_*)."""

    index: Int = key()
    iftypes: Field[IfTypes | None] = nested(1, IfTypes)  # NL80211_IFTYPE_AKM_ATTR_IFTYPES
    suites: Items[AkmSuite] = packed(2, u32, enum=AkmSuite)  # NL80211_IFTYPE_AKM_ATTR_SUITES


class SarRange(AttributeSet, lenient=True):
    """Frequencies whose power can be limited, in kHz (NL80211_SAR_ATTR_SPECS_*).

    power: of a request, in a quarter of dBm.
    """

    index: Int = key()
    power: Int = s32(1)  # NL80211_SAR_ATTR_SPECS_POWER
    range_index: Int = u32(2)  # NL80211_SAR_ATTR_SPECS_RANGE_INDEX
    start_freq: Int = u32(3)  # NL80211_SAR_ATTR_SPECS_START_FREQ
    end_freq: Int = u32(4)  # NL80211_SAR_ATTR_SPECS_END_FREQ


class Sar(AttributeSet, lenient=True):
    """Limits of the power that a body absorbs (NL80211_SAR_ATTR_*)."""

    type: Int = u32(1)  # NL80211_SAR_ATTR_TYPE
    specs: Items[SarRange] = array(2, SarRange)  # NL80211_SAR_ATTR_SPECS


class FtmSupport(AttributeSet, lenient=True):
    """What measurements of distance a wiphy can make (NL80211_PMSR_FTM_CAPA_ATTR_*)."""

    asap: Flag = flag(1)  # NL80211_PMSR_FTM_CAPA_ATTR_ASAP
    non_asap: Flag = flag(2)  # NL80211_PMSR_FTM_CAPA_ATTR_NON_ASAP
    req_lci: Flag = flag(3)  # NL80211_PMSR_FTM_CAPA_ATTR_REQ_LCI
    req_civicloc: Flag = flag(4)  # NL80211_PMSR_FTM_CAPA_ATTR_REQ_CIVICLOC
    preambles: Int = u32(5)  # NL80211_PMSR_FTM_CAPA_ATTR_PREAMBLES
    bandwidths: Int = u32(6)  # NL80211_PMSR_FTM_CAPA_ATTR_BANDWIDTHS
    max_bursts_exponent: Int = u8(7)  # NL80211_PMSR_FTM_CAPA_ATTR_MAX_BURSTS_EXPONENT
    max_ftms_per_burst: Int = u8(8)  # NL80211_PMSR_FTM_CAPA_ATTR_MAX_FTMS_PER_BURST
    trigger_based: Flag = flag(9)  # NL80211_PMSR_FTM_CAPA_ATTR_TRIGGER_BASED
    non_trigger_based: Flag = flag(10)  # NL80211_PMSR_FTM_CAPA_ATTR_NON_TRIGGER_BASED


class MeasurementTypes(AttributeSet, lenient=True):
    """What measurements of peers there are (NL80211_PMSR_TYPE_*)."""

    ftm: Field[FtmSupport | None] = nested(1, FtmSupport)  # NL80211_PMSR_TYPE_FTM


class MeasurementSupport(AttributeSet, lenient=True):
    """What a wiphy can measure of peers (NL80211_PMSR_ATTR_*)."""

    max_peers: Int = u32(1)  # NL80211_PMSR_ATTR_MAX_PEERS
    report_ap_tsf: Flag = flag(2)  # NL80211_PMSR_ATTR_REPORT_AP_TSF
    randomize_mac_addr: Flag = flag(3)  # NL80211_PMSR_ATTR_RANDOMIZE_MAC_ADDR
    type_capa: Field[MeasurementTypes | None] = nested(4, MeasurementTypes)  # NL80211_PMSR_ATTR_TYPE_CAPA


class TidConfigSupport(AttributeSet, lenient=True, ignore=(1,)):
    """What a wiphy can set for single traffic identifiers (NL80211_TID_CONFIG_ATTR_*).

    bits of numbers of attributes.
    """

    vif_supp: Int = u64(2)  # NL80211_TID_CONFIG_ATTR_VIF_SUPP
    peer_supp: Int = u64(3)  # NL80211_TID_CONFIG_ATTR_PEER_SUPP
    retry_short: Int = u8(7)  # NL80211_TID_CONFIG_ATTR_RETRY_SHORT
    retry_long: Int = u8(8)  # NL80211_TID_CONFIG_ATTR_RETRY_LONG


class MbssidSupport(AttributeSet, lenient=True):
    """How many networks an access point can have in one beacon (NL80211_MBSSID_CONFIG_ATTR_*)."""

    max_interfaces: Int = u8(1)  # NL80211_MBSSID_CONFIG_ATTR_MAX_INTERFACES
    max_ema_profile_periodicity: Int = u8(2)  # NL80211_MBSSID_CONFIG_ATTR_MAX_EMA_PROFILE_PERIODICITY


class RadioRange(AttributeSet, lenient=True):
    """Frequencies of a radio, in kHz (NL80211_WIPHY_RADIO_FREQ_ATTR_*)."""

    start: Int = u32(1)  # NL80211_WIPHY_RADIO_FREQ_ATTR_START
    end: Int = u32(2)  # NL80211_WIPHY_RADIO_FREQ_ATTR_END


class Radio(AttributeSet, lenient=True):
    """A radio of a wiphy that has several (NL80211_WIPHY_RADIO_ATTR_*)."""

    order: Int = key()
    index: Int = u32(1)  # NL80211_WIPHY_RADIO_ATTR_INDEX
    freq_ranges: Items[RadioRange] = repeated(2, RadioRange)  # NL80211_WIPHY_RADIO_ATTR_FREQ_RANGE
    interface_combinations: Items[InterfaceCombination] = repeated(
        3, InterfaceCombination
    )  # NL80211_WIPHY_RADIO_ATTR_INTERFACE_COMBINATION


class TxqStats(AttributeSet, lenient=True):
    """Counters of queues of packets to be sent (NL80211_TXQ_STATS_*)."""

    backlog_bytes: Int = u32(1)  # NL80211_TXQ_STATS_BACKLOG_BYTES
    backlog_packets: Int = u32(2)  # NL80211_TXQ_STATS_BACKLOG_PACKETS
    flows: Int = u32(3)  # NL80211_TXQ_STATS_FLOWS
    drops: Int = u32(4)  # NL80211_TXQ_STATS_DROPS
    ecn_marks: Int = u32(5)  # NL80211_TXQ_STATS_ECN_MARKS
    overlimit: Int = u32(6)  # NL80211_TXQ_STATS_OVERLIMIT
    overmemory: Int = u32(7)  # NL80211_TXQ_STATS_OVERMEMORY
    collisions: Int = u32(8)  # NL80211_TXQ_STATS_COLLISIONS
    tx_bytes: Int = u32(9)  # NL80211_TXQ_STATS_TX_BYTES
    tx_packets: Int = u32(10)  # NL80211_TXQ_STATS_TX_PACKETS
    max_flows: Int = u32(11)  # NL80211_TXQ_STATS_MAX_FLOWS


class Wiphy(AttributeSet, lenient=True):
    """A wiphy: a radio of the machine, and what it can do (NL80211_ATTR_*).

    retry_short, retry_long: attempts to send. frag_threshold, rts_threshold: bytes, 4294967295 for none.
    coverage_class: 450 m of distance each. cipher_suites, akm_suites: how it can encrypt, and agree on keys.
    max_remain_on_channel_duration: milliseconds. antenna_tx, antenna_rx and what is available of them: bits.
    ext_features: bits, which `extended_features` names. self_managed_reg: its driver has regulatory domains of its own.
    txq_limit: packets, and txq_memory_limit, txq_quantum: bytes. bss_select: bytes, which the kernel describes.
    Lengths of information elements, ie_len, are bytes. The interval of scheduled scans is in seconds.
    event: what a stream reports.
    """

    wiphy: Int = u32(1)  # NL80211_ATTR_WIPHY
    wiphy_name: Str = string(2)  # NL80211_ATTR_WIPHY_NAME
    generation: Int = u32(46)  # NL80211_ATTR_GENERATION
    retry_short: Int = u8(61)  # NL80211_ATTR_WIPHY_RETRY_SHORT
    retry_long: Int = u8(62)  # NL80211_ATTR_WIPHY_RETRY_LONG
    frag_threshold: Int = u32(63)  # NL80211_ATTR_WIPHY_FRAG_THRESHOLD
    rts_threshold: Int = u32(64)  # NL80211_ATTR_WIPHY_RTS_THRESHOLD
    coverage_class: Int = u8(89)  # NL80211_ATTR_WIPHY_COVERAGE_CLASS
    dyn_ack: Flag = flag(209)  # NL80211_ATTR_WIPHY_DYN_ACK
    max_num_scan_ssids: Int = u8(43)  # NL80211_ATTR_MAX_NUM_SCAN_SSIDS
    max_num_sched_scan_ssids: Int = u8(123)  # NL80211_ATTR_MAX_NUM_SCHED_SCAN_SSIDS
    max_scan_ie_len: Int = u16(56)  # NL80211_ATTR_MAX_SCAN_IE_LEN
    max_sched_scan_ie_len: Int = u16(124)  # NL80211_ATTR_MAX_SCHED_SCAN_IE_LEN
    max_match_sets: Int = u8(133)  # NL80211_ATTR_MAX_MATCH_SETS
    max_num_sched_scan_plans: Int = u32(222)  # NL80211_ATTR_MAX_NUM_SCHED_SCAN_PLANS
    max_scan_plan_interval: Int = u32(223)  # NL80211_ATTR_MAX_SCAN_PLAN_INTERVAL
    max_scan_plan_iterations: Int = u32(224)  # NL80211_ATTR_MAX_SCAN_PLAN_ITERATIONS
    sched_scan_max_reqs: Int = u32(256)  # NL80211_ATTR_SCHED_SCAN_MAX_REQS
    support_ibss_rsn: Flag = flag(104)  # NL80211_ATTR_SUPPORT_IBSS_RSN
    support_mesh_auth: Flag = flag(115)  # NL80211_ATTR_SUPPORT_MESH_AUTH
    support_ap_uapsd: Flag = flag(130)  # NL80211_ATTR_SUPPORT_AP_UAPSD
    roam_support: Flag = flag(131)  # NL80211_ATTR_ROAM_SUPPORT
    tdls_support: Flag = flag(139)  # NL80211_ATTR_TDLS_SUPPORT
    tdls_external_setup: Flag = flag(140)  # NL80211_ATTR_TDLS_EXTERNAL_SETUP
    support_5_mhz: Flag = flag(192)  # NL80211_ATTR_SUPPORT_5_MHZ
    support_10_mhz: Flag = flag(193)  # NL80211_ATTR_SUPPORT_10_MHZ
    cipher_suites: Items[CipherSuite] = packed(57, u32, enum=CipherSuite)  # NL80211_ATTR_CIPHER_SUITES
    akm_suites: Items[AkmSuite] = packed(76, u32, enum=AkmSuite)  # NL80211_ATTR_AKM_SUITES
    iftype_akm_suites: Items[IfTypeAkms] = array(284, IfTypeAkms)  # NL80211_ATTR_IFTYPE_AKM_SUITES
    max_num_akm_suites: Int = u16(316)  # NL80211_ATTR_MAX_NUM_AKM_SUITES
    max_num_pmkids: Int = u8(86)  # NL80211_ATTR_MAX_NUM_PMKIDS
    control_port_ethertype: Flag = flag(102)  # NL80211_ATTR_CONTROL_PORT_ETHERTYPE
    antenna_avail_tx: Int = u32(113)  # NL80211_ATTR_WIPHY_ANTENNA_AVAIL_TX
    antenna_avail_rx: Int = u32(114)  # NL80211_ATTR_WIPHY_ANTENNA_AVAIL_RX
    antenna_tx: Int = u32(105)  # NL80211_ATTR_WIPHY_ANTENNA_TX
    antenna_rx: Int = u32(106)  # NL80211_ATTR_WIPHY_ANTENNA_RX
    probe_resp_offload: Int = u32(144)  # NL80211_ATTR_PROBE_RESP_OFFLOAD
    supported_iftypes: Field[IfTypes | None] = nested(32, IfTypes)  # NL80211_ATTR_SUPPORTED_IFTYPES
    software_iftypes: Field[IfTypes | None] = nested(121, IfTypes)  # NL80211_ATTR_SOFTWARE_IFTYPES
    bands: Items[BandInfo] = array(22, BandInfo)  # NL80211_ATTR_WIPHY_BANDS
    supported_commands: Items[Command] = array(50, u32(enum=Command))  # NL80211_ATTR_SUPPORTED_COMMANDS
    max_remain_on_channel_duration: Int = u32(111)  # NL80211_ATTR_MAX_REMAIN_ON_CHANNEL_DURATION
    offchannel_tx_ok: Flag = flag(108)  # NL80211_ATTR_OFFCHANNEL_TX_OK
    tx_frame_types: Items[FrameTypes] = array(99, FrameTypes)  # NL80211_ATTR_TX_FRAME_TYPES
    rx_frame_types: Items[FrameTypes] = array(100, FrameTypes)  # NL80211_ATTR_RX_FRAME_TYPES
    wowlan: Field[WowlanSupport | None] = nested(118, WowlanSupport)  # NL80211_ATTR_WOWLAN_TRIGGERS_SUPPORTED
    interface_combinations: Items[InterfaceCombination] = array(
        120, InterfaceCombination
    )  # NL80211_ATTR_INTERFACE_COMBINATIONS
    device_ap_sme: Int = u32(141)  # NL80211_ATTR_DEVICE_AP_SME
    feature_flags: Member[FeatureFlags] = u32(143, enum=FeatureFlags)  # NL80211_ATTR_FEATURE_FLAGS
    ext_features: Bytes = binary(217)  # NL80211_ATTR_EXT_FEATURES
    ht_capability_mask: Bytes = binary(148)  # NL80211_ATTR_HT_CAPABILITY_MASK
    vht_capability_mask: Bytes = binary(176)  # NL80211_ATTR_VHT_CAPABILITY_MASK
    mac_acl_max: Int = u32(167)  # NL80211_ATTR_MAC_ACL_MAX
    mac: Str = ether(6)  # NL80211_ATTR_MAC
    mac_mask: Str = ether(215)  # NL80211_ATTR_MAC_MASK
    mac_addrs: Items[str] = array(166, ether)  # NL80211_ATTR_MAC_ADDRS
    ext_capa: Bytes = binary(169)  # NL80211_ATTR_EXT_CAPA
    ext_capa_mask: Bytes = binary(170)  # NL80211_ATTR_EXT_CAPA_MASK
    iftype_ext_capa: Items[IfTypeCapability] = array(230, IfTypeCapability)  # NL80211_ATTR_IFTYPE_EXT_CAPA
    coalesce: Field[CoalesceSupport | None] = struct(182, CoalesceSupport)  # NL80211_ATTR_COALESCE_RULE
    vendor_commands: Items[VendorCommand] = array(197, VendorCommand)  # NL80211_ATTR_VENDOR_DATA
    vendor_events: Items[VendorCommand] = array(198, VendorCommand)  # NL80211_ATTR_VENDOR_EVENTS
    max_csa_counters: Int = u8(206)  # NL80211_ATTR_MAX_CSA_COUNTERS
    max_ap_assoc_sta: Int = u32(202)  # NL80211_ATTR_MAX_AP_ASSOC_STA
    self_managed_reg: Flag = flag(216)  # NL80211_ATTR_WIPHY_SELF_MANAGED_REG
    bss_select: Bytes = binary(227)  # NL80211_ATTR_BSS_SELECT
    nan_bands: Int = u32(239)  # NL80211_ATTR_BANDS
    txq_stats: Field[TxqStats | None] = nested(265, TxqStats)  # NL80211_ATTR_TXQ_STATS
    txq_limit: Int = u32(266)  # NL80211_ATTR_TXQ_LIMIT
    txq_memory_limit: Int = u32(267)  # NL80211_ATTR_TXQ_MEMORY_LIMIT
    txq_quantum: Int = u32(268)  # NL80211_ATTR_TXQ_QUANTUM
    measurements: Field[MeasurementSupport | None] = nested(273, MeasurementSupport)  # NL80211_ATTR_PEER_MEASUREMENTS
    airtime_weight: Int = u16(274)  # NL80211_ATTR_AIRTIME_WEIGHT
    tid_config: Field[TidConfigSupport | None] = nested(285, TidConfigSupport)  # NL80211_ATTR_TID_CONFIG
    sar_spec: Field[Sar | None] = nested(300, Sar)  # NL80211_ATTR_SAR_SPEC
    mbssid_config: Field[MbssidSupport | None] = nested(306, MbssidSupport)  # NL80211_ATTR_MBSSID_CONFIG
    eml_capability: Int = u16(317)  # NL80211_ATTR_EML_CAPABILITY
    mld_capa_and_ops: Int = u16(318)  # NL80211_ATTR_MLD_CAPA_AND_OPS
    mlo_support: Flag = flag(315)  # NL80211_ATTR_MLO_SUPPORT
    max_hw_timestamp_peers: Int = u16(323)  # NL80211_ATTR_MAX_HW_TIMESTAMP_PEERS
    radar_background: Flag = flag(308)  # NL80211_ATTR_RADAR_BACKGROUND
    ap_settings_flags: Int = u32(309)  # NL80211_ATTR_AP_SETTINGS_FLAGS
    radios: Items[Radio] = array(331, Radio)  # NL80211_ATTR_WIPHY_RADIOS
    radio_interface_combinations: Items[InterfaceCombination] = array(
        332, InterfaceCombination
    )  # NL80211_ATTR_WIPHY_INTERFACE_COMBINATIONS
    event: Member[Command] = event(Command)

    @property
    def extended_features(self) -> frozenset[ExtFeature]:
        """The bits of `ext_features` that have a name."""
        bits = int.from_bytes(self.ext_features or b"", "little")
        return frozenset(feature for feature in ExtFeature if bits >> feature & 1)

    @property
    def frequencies(self) -> tuple[Frequency, ...]:
        """The channels of all bands."""
        return tuple(each for band in self.bands or () for each in band.freqs or ())
