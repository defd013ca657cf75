"""Statistics of qdiscs, classes, filters and actions: linux/gen_stats.h and the *_xstats of linux/pkt_sched.h."""

from __future__ import annotations

from enum import IntEnum

from netlink.schema import AttributeSet, Int, Items, Member, Struct, array, key, s8, s32, s64, u8, u32, u64

__all__ = [
    "ActionTimes",
    "BasicStats",
    "CakeStats",
    "CakeTin",
    "ChokeStats",
    "CodelStats",
    "DrrStats",
    "DualPI2Stats",
    "Estimator",
    "FqCodelClassStats",
    "FqCodelStats",
    "FqCodelStatsType",
    "FqPieStats",
    "FqStats",
    "HfscStats",
    "HhfStats",
    "HtbStats",
    "OldStats",
    "PieStats",
    "QfqStats",
    "QueueStats",
    "RateStats",
    "RateStats64",
    "RedStats",
    "SfbStats",
    "SfqStats",
    "TaprioStats",
]


class BasicStats(Struct, aligned=True):
    """Packets that passed (struct gnet_stats_basic): bytes, and packets modulo 2^32."""

    bytes: Int = u64()
    packets: Int = u32()


class RateStats(Struct):
    """What an estimator measured (struct gnet_stats_rate_est): bytes and packets a second."""

    bps: Int = u32()
    pps: Int = u32()


class RateStats64(Struct):
    """What an estimator measured (struct gnet_stats_rate_est64): bytes and packets a second."""

    bps: Int = u64()
    pps: Int = u64()


class QueueStats(Struct):
    """A queue (struct gnet_stats_queue): packets and bytes in it, and the counts of what happened to packets."""

    qlen: Int = u32()
    backlog: Int = u32()
    drops: Int = u32()
    requeues: Int = u32()
    overlimits: Int = u32()


class OldStats(Struct, aligned=True):
    """The statistics of TCA_STATS (struct tc_stats), which TCA_STATS2 has in parts."""

    bytes: Int = u64()
    packets: Int = u32()
    drops: Int = u32()
    overlimits: Int = u32()
    bps: Int = u32()
    pps: Int = u32()
    qlen: Int = u32()
    backlog: Int = u32()


class Estimator(Struct):
    """A request for measured rates (struct gnet_estimator).

    interval: the logarithm of the time between samples in quarters of a second, from -2 to 3. ewma_log: the logarithm
    of the weight of old samples.
    """

    interval: Int = s8()
    ewma_log: Int = u8()


class ActionTimes(Struct):
    """Ages of an action (struct tcf_t) in 1/100 s: since it was made, used last, and used first; and its life."""

    install: Int = u64()
    lastuse: Int = u64()
    expires: Int = u64()
    firstuse: Int = u64()


# Of kinds of qdiscs and classes


class RedStats(Struct):
    """Counts of packets of the kind red (struct tc_red_xstats)."""

    early: Int = u32()
    pdrop: Int = u32()
    other: Int = u32()
    marked: Int = u32()


class ChokeStats(RedStats):
    """Counts of packets of the kind choke (struct tc_choke_xstats)."""

    matched: Int = u32()


class SfqStats(Struct):
    """The bytes that a flow of the kind sfq may still send in this round (struct tc_sfq_xstats)."""

    allot: Int = s32()


class SfbStats(Struct):
    """Counts of packets, and marking probabilities in 1/65535, of the kind sfb (struct tc_sfb_xstats)."""

    earlydrop: Int = u32()
    penaltydrop: Int = u32()
    bucketdrop: Int = u32()
    queuedrop: Int = u32()
    childdrop: Int = u32()
    marked: Int = u32()
    maxqlen: Int = u32()
    maxprob: Int = u32()
    avgprob: Int = u32()


class HtbStats(Struct):
    """A class of the kind htb (struct tc_htb_xstats): packets lent and borrowed, and tokens in ticks of 64 ns."""

    lends: Int = u32()
    borrows: Int = u32()
    giants: Int = u32()
    tokens: Int = s32()
    ctokens: Int = s32()


class HfscStats(Struct):
    """A class of the kind hfsc (struct tc_hfsc_stats): bytes of work, all and by real time."""

    work: Int = u64()
    rtwork: Int = u64()
    period: Int = u32()
    level: Int = u32()


class DrrStats(Struct):
    """A class of the kind drr (struct tc_drr_stats)."""

    deficit: Int = u32()


class QfqStats(Struct):
    """A class of the kind qfq (struct tc_qfq_stats)."""

    weight: Int = u32()
    lmax: Int = u32()


class CodelStats(Struct):
    """The kind codel (struct tc_codel_xstats): bytes, counts of packets, and microseconds of ldelay and drop_next."""

    maxpacket: Int = u32()
    count: Int = u32()
    lastcount: Int = u32()
    ldelay: Int = u32()
    drop_next: Int = s32()
    drop_overlimit: Int = u32()
    ecn_mark: Int = u32()
    dropping: Int = u32()
    ce_mark: Int = u32()


class FqCodelStatsType(IntEnum):
    """Whose statistics these are (TCA_FQ_CODEL_XSTATS_*)."""

    QDISC = 0  # TCA_FQ_CODEL_XSTATS_QDISC
    CLASS = 1  # TCA_FQ_CODEL_XSTATS_CLASS


class FqCodelStats(Struct):
    """A qdisc of the kind fq_codel (struct tc_fq_codel_xstats with tc_fq_codel_qd_stats)."""

    type: Member[FqCodelStatsType] = u32(enum=FqCodelStatsType)
    maxpacket: Int = u32()
    drop_overlimit: Int = u32()
    ecn_mark: Int = u32()
    new_flow_count: Int = u32()
    new_flows_len: Int = u32()
    old_flows_len: Int = u32()
    ce_mark: Int = u32()
    memory_usage: Int = u32()
    drop_overmemory: Int = u32()


class FqCodelClassStats(Struct):
    """A flow of the kind fq_codel (struct tc_fq_codel_xstats with tc_fq_codel_cl_stats), times in microseconds."""

    type: Member[FqCodelStatsType] = u32(enum=FqCodelStatsType)
    deficit: Int = s32()
    ldelay: Int = u32()
    count: Int = u32()
    lastcount: Int = u32()
    dropping: Int = u32()
    drop_next: Int = s32()


class FqStats(Struct, aligned=True):
    """The kind fq (struct tc_fq_qd_stats): flows, and counts of packets; times in nanoseconds.

    Packets of the three bands are at the end; kernels before 6.7 have none, and they are 0 then.
    """

    gc_flows: Int = u64()
    highprio_packets: Int = u64()
    tcp_retrans: Int = u64()
    throttled: Int = u64()
    flows_plimit: Int = u64()
    pkts_too_long: Int = u64()
    allocation_errors: Int = u64()
    time_next_delayed_flow: Int = s64()
    flows: Int = u32()
    inactive_flows: Int = u32()
    throttled_flows: Int = u32()
    unthrottle_latency_ns: Int = u32()
    ce_mark: Int = u64()
    horizon_drops: Int = u64()
    horizon_caps: Int = u64()
    fastpath_packets: Int = u64()
    band0_drops: Int = u64()
    band1_drops: Int = u64()
    band2_drops: Int = u64()
    band0_packets: Int = u32()
    band1_packets: Int = u32()
    band2_packets: Int = u32()


class HhfStats(Struct):
    """Counts of heavy hitters of the kind hhf (struct tc_hhf_xstats)."""

    drop_overlimit: Int = u32()
    hh_overlimit: Int = u32()
    hh_tot_count: Int = u32()
    hh_cur_count: Int = u32()


class PieStats(Struct):
    """The kind pie (struct tc_pie_xstats): the drop probability in 2^-64, a delay in ms, counts of packets."""

    prob: Int = u64()
    delay: Int = u32()
    avg_dq_rate: Int = u32()
    dq_rate_estimating: Int = u32()
    packets_in: Int = u32()
    dropped: Int = u32()
    overlimit: Int = u32()
    maxq: Int = u32()
    ecn_mark: Int = u32()


class FqPieStats(Struct):
    """The kind fq_pie (struct tc_fq_pie_xstats): counts of packets and flows, and bytes of memory."""

    packets_in: Int = u32()
    dropped: Int = u32()
    overlimit: Int = u32()
    overmemory: Int = u32()
    ecn_mark: Int = u32()
    new_flow_count: Int = u32()
    new_flows_len: Int = u32()
    old_flows_len: Int = u32()
    memory_usage: Int = u32()


class DualPI2Stats(Struct):
    """The kind dualpi2 (struct tc_dualpi2_xstats): delays of the two queues in microseconds, and counts of packets."""

    prob: Int = u32()
    delay_c: Int = u32()
    delay_l: Int = u32()
    credit: Int = s32()
    packets_in_c: Int = u32()
    packets_in_l: Int = u32()
    maxq: Int = u32()
    ecn_mark: Int = u32()
    step_marks: Int = u32()
    memory_used: Int = u32()
    max_memory_used: Int = u32()
    memory_limit: Int = u32()


class TaprioStats(AttributeSet, ignore=(1,)):
    """Packets of the kind taprio that a device dropped or sent too long (TCA_TAPRIO_OFFLOAD_STATS_*)."""

    window_drops: Int = u64(2)  # TCA_TAPRIO_OFFLOAD_STATS_WINDOW_DROPS
    tx_overruns: Int = u64(3)  # TCA_TAPRIO_OFFLOAD_STATS_TX_OVERRUNS


class CakeTin(AttributeSet, ignore=(1,)):
    """A tin of the kind cake (TCA_CAKE_TIN_STATS_*): packets, bytes, bytes a second, microseconds."""

    number: Int = key()
    sent_packets: Int = u32(2)  # TCA_CAKE_TIN_STATS_SENT_PACKETS
    sent_bytes: Int = u64(3)  # TCA_CAKE_TIN_STATS_SENT_BYTES64
    dropped_packets: Int = u32(4)  # TCA_CAKE_TIN_STATS_DROPPED_PACKETS
    dropped_bytes: Int = u64(5)  # TCA_CAKE_TIN_STATS_DROPPED_BYTES64
    acks_dropped_packets: Int = u32(6)  # TCA_CAKE_TIN_STATS_ACKS_DROPPED_PACKETS
    acks_dropped_bytes: Int = u64(7)  # TCA_CAKE_TIN_STATS_ACKS_DROPPED_BYTES64
    ecn_marked_packets: Int = u32(8)  # TCA_CAKE_TIN_STATS_ECN_MARKED_PACKETS
    ecn_marked_bytes: Int = u64(9)  # TCA_CAKE_TIN_STATS_ECN_MARKED_BYTES64
    backlog_packets: Int = u32(10)  # TCA_CAKE_TIN_STATS_BACKLOG_PACKETS
    backlog_bytes: Int = u32(11)  # TCA_CAKE_TIN_STATS_BACKLOG_BYTES
    threshold_rate: Int = u64(12)  # TCA_CAKE_TIN_STATS_THRESHOLD_RATE64
    target_us: Int = u32(13)  # TCA_CAKE_TIN_STATS_TARGET_US
    interval_us: Int = u32(14)  # TCA_CAKE_TIN_STATS_INTERVAL_US
    way_indirect_hits: Int = u32(15)  # TCA_CAKE_TIN_STATS_WAY_INDIRECT_HITS
    way_misses: Int = u32(16)  # TCA_CAKE_TIN_STATS_WAY_MISSES
    way_collisions: Int = u32(17)  # TCA_CAKE_TIN_STATS_WAY_COLLISIONS
    peak_delay_us: Int = u32(18)  # TCA_CAKE_TIN_STATS_PEAK_DELAY_US
    avg_delay_us: Int = u32(19)  # TCA_CAKE_TIN_STATS_AVG_DELAY_US
    base_delay_us: Int = u32(20)  # TCA_CAKE_TIN_STATS_BASE_DELAY_US
    sparse_flows: Int = u32(21)  # TCA_CAKE_TIN_STATS_SPARSE_FLOWS
    bulk_flows: Int = u32(22)  # TCA_CAKE_TIN_STATS_BULK_FLOWS
    unresponsive_flows: Int = u32(23)  # TCA_CAKE_TIN_STATS_UNRESPONSIVE_FLOWS
    max_skblen: Int = u32(24)  # TCA_CAKE_TIN_STATS_MAX_SKBLEN
    flow_quantum: Int = u32(25)  # TCA_CAKE_TIN_STATS_FLOW_QUANTUM


class CakeStats(AttributeSet, ignore=(1,)):
    """The kind cake (TCA_CAKE_STATS_*): a qdisc has the fields up to tins, a class those behind; times in us."""

    capacity_estimate: Int = u64(2)  # TCA_CAKE_STATS_CAPACITY_ESTIMATE64
    memory_limit: Int = u32(3)  # TCA_CAKE_STATS_MEMORY_LIMIT
    memory_used: Int = u32(4)  # TCA_CAKE_STATS_MEMORY_USED
    avg_netoff: Int = u32(5)  # TCA_CAKE_STATS_AVG_NETOFF
    min_netlen: Int = u32(6)  # TCA_CAKE_STATS_MIN_NETLEN
    max_netlen: Int = u32(7)  # TCA_CAKE_STATS_MAX_NETLEN
    min_adjlen: Int = u32(8)  # TCA_CAKE_STATS_MIN_ADJLEN
    max_adjlen: Int = u32(9)  # TCA_CAKE_STATS_MAX_ADJLEN
    tins: Items[CakeTin] = array(10, CakeTin)  # TCA_CAKE_STATS_TIN_STATS
    deficit: Int = s32(11)  # TCA_CAKE_STATS_DEFICIT
    cobalt_count: Int = u32(12)  # TCA_CAKE_STATS_COBALT_COUNT
    dropping: Int = u32(13)  # TCA_CAKE_STATS_DROPPING
    drop_next_us: Int = s32(14)  # TCA_CAKE_STATS_DROP_NEXT_US
    p_drop: Int = u32(15)  # TCA_CAKE_STATS_P_DROP
    blue_timer_us: Int = s32(16)  # TCA_CAKE_STATS_BLUE_TIMER_US
