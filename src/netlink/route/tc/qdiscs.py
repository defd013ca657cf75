"""Options of qdiscs and classes, by kind: linux/pkt_sched.h.

Times are in microseconds, sizes in bytes and limits in packets, if nothing else is said. Zero or an absent field is the
kernel's default, if it has one.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from netlink.route.tc.rates import LinkLayer, RateSpec, bytes_per_second, large, ticks
from netlink.schema import (
    AttributeSet,
    Bits,
    Bytes,
    Field,
    Flag,
    Int,
    Items,
    Member,
    Struct,
    binary,
    bitfield32,
    flag,
    nested,
    packed,
    pad,
    repeated,
    s16,
    s32,
    s64,
    struct,
    u8,
    u16,
    u32,
    u64,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Cake",
    "CakeAckFilter",
    "CakeAtm",
    "CakeDiffserv",
    "CakeFlowMode",
    "Cbs",
    "CbsParms",
    "Choke",
    "Codel",
    "DrrClass",
    "DualPI2",
    "DualPI2DropEarly",
    "DualPI2DropOverload",
    "DualPI2EcnMask",
    "Etf",
    "EtfFlags",
    "EtfParms",
    "Ets",
    "EtsClass",
    "Fifo",
    "Fq",
    "FqCodel",
    "FqPie",
    "Gred",
    "GredParms",
    "GredQueue",
    "GredSetup",
    "Hfsc",
    "HfscClass",
    "Hhf",
    "Htb",
    "HtbGlob",
    "HtbParms",
    "Mqprio",
    "MqprioEntry",
    "MqprioMap",
    "MqprioMode",
    "MqprioShaper",
    "Multiq",
    "Netem",
    "NetemCorr",
    "NetemCorrupt",
    "NetemGEModel",
    "NetemGIModel",
    "NetemParms",
    "NetemRate",
    "NetemReorder",
    "NetemSlot",
    "NoOptions",
    "Pie",
    "Plug",
    "PlugAction",
    "Preemption",
    "Prio",
    "QfqClass",
    "Red",
    "RedFlags",
    "RedParms",
    "ServiceCurve",
    "Sfb",
    "SfbParms",
    "Sfq",
    "SfqRedStats",
    "Skbprio",
    "Taprio",
    "TaprioCommand",
    "TaprioEntry",
    "TaprioFlags",
    "TaprioSchedule",
    "TaprioTrafficClass",
    "Tbf",
    "TbfParms",
]

_QUEUES = 16  # the most of traffic classes
_MTU = 1600  # bytes of the burst that a packet of Ethernet needs at least


class NoOptions(AttributeSet):
    """The options of the kinds that have none: ingress and clsact."""


class Fifo(Struct):
    """Options of pfifo and pfifo_head_drop, a limit in packets, and of bfifo, one in bytes (struct tc_fifo_qopt)."""

    limit: Int = u32()


class Skbprio(Struct):
    """Options of skbprio (struct tc_skbprio_qopt)."""

    limit: Int = u32()


class Prio(Struct):
    """Options of prio and pfifo_fast (struct tc_prio_qopt).

    bands: how many there are. priomap: 16 bytes, the band of each priority (TC_PRIO_*) of packets.
    """

    bands: Int = s32()
    priomap: Bytes = binary(size=16)


class Multiq(Struct):
    """Options of multiq (struct tc_multiq_qopt), which the kernel sets: a band for each queue of the device."""

    bands: Int = u16()
    max_bands: Int = u16()


class PlugAction(IntEnum):
    """What a plug does (TCQ_PLUG_*)."""

    BUFFER = 0  # TCQ_PLUG_BUFFER, keep packets
    RELEASE_ONE = 1  # TCQ_PLUG_RELEASE_ONE, let go those up to the next plug
    RELEASE_INDEFINITE = 2  # TCQ_PLUG_RELEASE_INDEFINITE, let all go until the next BUFFER
    LIMIT = 3  # TCQ_PLUG_LIMIT, set the limit


class Plug(Struct):
    """Options of plug (struct tc_plug_qopt), which the kernel does not report. limit: bytes."""

    action: Member[PlugAction] = s32(enum=PlugAction)
    limit: Int = u32()


# tbf, htb, hfsc, drr, qfq, ets: shapers and schedulers of classes


class TbfParms(Struct, aligned=True):
    """Rates, limit and burst of tbf (struct tc_tbf_qopt). buffer, mtu: bursts in `ticks` of rate and of peakrate."""

    rate: Field[RateSpec | None] = struct(None, RateSpec)
    peakrate: Field[RateSpec | None] = struct(None, RateSpec)
    limit: Int = u32()
    buffer: Int = u32()
    mtu: Int = u32()


class Tbf(AttributeSet, ignore=(8,)):
    """Options of tbf, a token bucket (TCA_TBF_*).

    rate64, prate64: rates in bytes a second that 32 bits do not hold. burst, pburst: bytes, for requests, instead of
    the ticks in parms. rtab, ptab: rate tables, for a struct with `LinkLayer.UNAWARE`.
    """

    parms: Field[TbfParms | None] = struct(1, TbfParms)  # TCA_TBF_PARMS
    rtab: Bytes = binary(2)  # TCA_TBF_RTAB
    ptab: Bytes = binary(3)  # TCA_TBF_PTAB
    rate64: Int = u64(4)  # TCA_TBF_RATE64
    prate64: Int = u64(5)  # TCA_TBF_PRATE64
    burst: Int = u32(6)  # TCA_TBF_BURST
    pburst: Int = u32(7)  # TCA_TBF_PBURST

    @classmethod
    def of(
        cls,
        rate: int | str,
        burst: int,
        *,
        limit: int | None = None,
        latency_us: int | None = None,
        peakrate: int | str | None = None,
        mtu: int = 0,
        overhead: int = 0,
        mpu: int = 0,
        linklayer: LinkLayer = LinkLayer.ETHERNET,
    ) -> Tbf:
        """The options of a rate.

        rate, peakrate: bytes a second, or text such as "10mbit". burst: bytes that may be sent at once. mtu: the same
        at the peakrate. limit: bytes in the queue; latency_us: the limit as the longest wait at the rate. ValueError
        unless it is one of both, or if a peakrate has no mtu.
        """
        if (limit is None) == (latency_us is None):
            raise ValueError("want either limit= or latency_us=")
        if (peakrate is None) != (mtu == 0):
            raise ValueError("want peakrate= and mtu= together: the burst in bytes at the peakrate")
        if limit is None:
            assert latency_us is not None
            limit = bytes_per_second(rate) * latency_us // 1_000_000 + burst
            if peakrate is not None:
                limit = min(limit, bytes_per_second(peakrate) * latency_us // 1_000_000 + mtu)
        spec = RateSpec.of(rate, overhead=overhead, mpu=mpu, linklayer=linklayer)
        peak = None if peakrate is None else RateSpec.of(peakrate, overhead=overhead, mpu=mpu, linklayer=linklayer)
        return cls(
            parms=TbfParms(
                rate=spec,
                peakrate=peak,
                limit=limit,
                buffer=ticks(burst, rate),
                mtu=0 if peakrate is None else ticks(mtu, peakrate),
            ),
            rate64=large(rate),
            prate64=None if peakrate is None else large(peakrate),
            burst=burst,
            pburst=None if peakrate is None else mtu,
        )


class HtbParms(Struct, aligned=True):
    """A class of htb (struct tc_htb_opt).

    rate, ceil: what it is given, and the most that it may borrow. buffer, cbuffer: their bursts in `ticks`. quantum:
    bytes that it sends in turn. prio: 0 to 7, lower ones borrow first. level: reported, 0 for one without children.
    """

    rate: Field[RateSpec | None] = struct(None, RateSpec)
    ceil: Field[RateSpec | None] = struct(None, RateSpec)
    buffer: Int = u32()
    cbuffer: Int = u32()
    quantum: Int = u32()
    level: Int = u32()
    prio: Int = u32()


class HtbGlob(Struct):
    """A qdisc of htb (struct tc_htb_glob).

    version: 3, required. rate2quantum: the divisor of a class's rate for its quantum. defcls: the minor number of the
    class for packets that no filter classifies; 0: they are sent at once. direct_pkts: reported, how many were.
    """

    version: Int = u32()
    rate2quantum: Int = u32()
    defcls: Int = u32()
    debug: Int = u32()
    direct_pkts: Int = u32()


class Htb(AttributeSet, ignore=(8,)):
    """Options of htb, a hierarchy of token buckets (TCA_HTB_*): of a qdisc, `Htb.qdisc`, or a class, `Htb.of`.

    rate64, ceil64: rates in bytes a second that 32 bits do not hold. direct_qlen: packets in the queue of those without
    a class. ctab, rtab: rate tables, for a struct with `LinkLayer.UNAWARE`.
    """

    parms: Field[HtbParms | None] = struct(1, HtbParms)  # TCA_HTB_PARMS
    init: Field[HtbGlob | None] = struct(2, HtbGlob)  # TCA_HTB_INIT
    ctab: Bytes = binary(3)  # TCA_HTB_CTAB
    rtab: Bytes = binary(4)  # TCA_HTB_RTAB
    direct_qlen: Int = u32(5)  # TCA_HTB_DIRECT_QLEN
    rate64: Int = u64(6)  # TCA_HTB_RATE64
    ceil64: Int = u64(7)  # TCA_HTB_CEIL64
    offload: Flag = flag(9)  # TCA_HTB_OFFLOAD

    @classmethod
    def qdisc(cls, default: int = 0, *, r2q: int = 10, direct_qlen: int | None = None, offload: bool = False) -> Htb:
        """The options of a qdisc. default: the minor number of a class. r2q: `HtbGlob.rate2quantum`."""
        return cls(
            init=HtbGlob(version=3, rate2quantum=r2q, defcls=default),
            direct_qlen=direct_qlen,
            offload=True if offload else None,
        )

    @classmethod
    def of(
        cls,
        rate: int | str,
        ceil: int | str | None = None,
        *,
        burst: int = _MTU,
        cburst: int = _MTU,
        prio: int = 0,
        quantum: int = 0,
        overhead: int = 0,
        mpu: int = 0,
        linklayer: LinkLayer = LinkLayer.ETHERNET,
    ) -> Htb:
        """The options of a class. rate, ceil: bytes a second, or text such as "10mbit". burst, cburst: bytes."""
        ceil = rate if ceil is None else ceil
        return cls(
            parms=HtbParms(
                rate=RateSpec.of(rate, overhead=overhead, mpu=mpu, linklayer=linklayer),
                ceil=RateSpec.of(ceil, overhead=overhead, mpu=mpu, linklayer=linklayer),
                buffer=ticks(burst, rate),
                cbuffer=ticks(cburst, ceil),
                prio=prio,
                quantum=quantum,
            ),
            rate64=large(rate),
            ceil64=large(ceil),
        )


class Hfsc(Struct):
    """Options of a qdisc of hfsc (struct tc_hfsc_qopt): the minor number of the class for what is not classified."""

    defcls: Int = u16()


class ServiceCurve(Struct):
    """A service curve of hfsc (struct tc_service_curve): m1 bytes a second for d microseconds, then m2."""

    m1: Int = u32()
    d: Int = u32()
    m2: Int = u32()


class HfscClass(AttributeSet):
    """Options of a class of hfsc (TCA_HFSC_*): curves of real time, of link sharing, and of the upper limit."""

    rsc: Field[ServiceCurve | None] = struct(1, ServiceCurve)  # TCA_HFSC_RSC
    fsc: Field[ServiceCurve | None] = struct(2, ServiceCurve)  # TCA_HFSC_FSC
    usc: Field[ServiceCurve | None] = struct(3, ServiceCurve)  # TCA_HFSC_USC


class DrrClass(AttributeSet):
    """Options of a class of drr (TCA_DRR_*). quantum: bytes that it sends in turn."""

    quantum: Int = u32(1)  # TCA_DRR_QUANTUM


class QfqClass(AttributeSet):
    """Options of a class of qfq (TCA_QFQ_*). weight: 1 to 1023. lmax: bytes of its largest packet."""

    weight: Int = u32(1)  # TCA_QFQ_WEIGHT
    lmax: Int = u32(2)  # TCA_QFQ_LMAX


class Ets(AttributeSet):
    """Options of a qdisc of ets, enhanced transmission selection (TCA_ETS_*).

    nbands: how many bands, of which the first nstrict go before the others, which share by quanta in bytes. priomap:
    the band of each priority of packets.
    """

    nbands: Int = u8(1)  # TCA_ETS_NBANDS
    nstrict: Int = u8(2)  # TCA_ETS_NSTRICT
    quanta: Items[int] = repeated((3, 4), u32)  # TCA_ETS_QUANTA, TCA_ETS_QUANTA_BAND
    priomap: Items[int] = repeated((5, 6), u8)  # TCA_ETS_PRIOMAP, TCA_ETS_PRIOMAP_BAND


class EtsClass(AttributeSet):
    """Options of a class of ets (TCA_ETS_*). quantum: bytes that the band sends in turn."""

    quantum: Int = u32(4)  # TCA_ETS_QUANTA_BAND


# Queues of flows, and managed ones


class SfqRedStats(Struct):
    """Counts of packets that sfq dropped or marked early (struct tc_sfqred_stats)."""

    prob_drop: Int = u32()
    forced_drop: Int = u32()
    prob_mark: Int = u32()
    forced_mark: Int = u32()
    prob_mark_head: Int = u32()
    forced_mark_head: Int = u32()


class Sfq(Struct, aligned=True):
    """Options of sfq (struct tc_sfq_qopt_v1).

    quantum: bytes of a flow in turn. perturb_period: seconds between changes of the hash. limit: packets. depth:
    packets of a flow. headdrop: whether the oldest packet is dropped. The fields behind that are of its RED, which is
    off if qth_min is 0: flow_limit, qth_min, qth_max in bytes, max_p a `probability`.
    """

    quantum: Int = u32()
    perturb_period: Int = s32()
    limit: Int = u32()
    divisor: Int = u32()
    flows: Int = u32()
    depth: Int = u32()
    headdrop: Int = u32()
    flow_limit: Int = u32()
    qth_min: Int = u32()
    qth_max: Int = u32()
    wlog: Int = u8()
    plog: Int = u8()
    scell_log: Int = u8()
    flags: Int = u8()
    max_p: Int = u32()
    stats: Field[SfqRedStats | None] = struct(None, SfqRedStats)


class SfbParms(Struct):
    """The parameters of sfb (struct tc_sfb_qopt): times in milliseconds, probabilities in 1/65535, packets."""

    rehash_interval: Int = u32()
    warmup_time: Int = u32()
    max: Int = u32()
    bin_size: Int = u32()
    increment: Int = u32()
    decrement: Int = u32()
    limit: Int = u32()
    penalty_rate: Int = u32()
    penalty_burst: Int = u32()


class Sfb(AttributeSet):
    """Options of sfb, stochastic fair blue (TCA_SFB_*)."""

    parms: Field[SfbParms | None] = struct(1, SfbParms)  # TCA_SFB_PARMS


class RedFlags(IntFlag):
    """How RED and its kin mark and drop (TC_RED_*)."""

    ECN = 1  # TC_RED_ECN, mark packets instead of dropping them
    HARDDROP = 2  # TC_RED_HARDDROP, drop above qth_max even if ECN marks
    ADAPTATIVE = 4  # TC_RED_ADAPTATIVE, adapt the probability
    NODROP = 8  # TC_RED_NODROP, do not drop what cannot be marked


class RedParms(Struct):
    """Parameters of red in bytes (struct tc_red_qopt), and of choke in packets (struct tc_choke_qopt).

    limit: of the queue. qth_min, qth_max: thresholds of the average. wlog: -log2 of the weight of the average. plog:
    -log2 of the probability for a byte between the thresholds. scell_log: log2 of the microseconds of a cell of stab.
    """

    limit: Int = u32()
    qth_min: Int = u32()
    qth_max: Int = u32()
    wlog: Int = u8()
    plog: Int = u8()
    scell_log: Int = u8()
    flags: Member[RedFlags] = u8(enum=RedFlags)


class Red(AttributeSet):
    """Options of red, random early detection (TCA_RED_*).

    parms and stab, a table of 256 bytes, are required: `netlink.route.tc.red_table` makes both. max_p: the
    `probability` at qth_max. flags: those of parms, and newer ones. early_drop_block, mark_block: blocks of filters
    that see packets which are dropped or marked.
    """

    parms: Field[RedParms | None] = struct(1, RedParms)  # TCA_RED_PARMS
    stab: Bytes = binary(2)  # TCA_RED_STAB
    max_p: Int = u32(3)  # TCA_RED_MAX_P
    flags: Bits = bitfield32(4, enum=RedFlags)  # TCA_RED_FLAGS
    early_drop_block: Int = u32(5)  # TCA_RED_EARLY_DROP_BLOCK
    mark_block: Int = u32(6)  # TCA_RED_MARK_BLOCK


class Choke(AttributeSet):
    """Options of choke (TCA_CHOKE_*): as `Red`, in packets instead of bytes."""

    parms: Field[RedParms | None] = struct(1, RedParms)  # TCA_CHOKE_PARMS
    stab: Bytes = binary(2)  # TCA_CHOKE_STAB
    max_p: Int = u32(3)  # TCA_CHOKE_MAX_P


class GredParms(Struct, aligned=True):
    """A virtual queue of gred (struct tc_gred_qopt): as `RedParms`, with its number and its statistics."""

    limit: Int = u32()
    qth_min: Int = u32()
    qth_max: Int = u32()
    dp: Int = u32()
    backlog: Int = u32()
    qave: Int = u32()
    forced: Int = u32()
    early: Int = u32()
    other: Int = u32()
    pdrop: Int = u32()
    wlog: Int = u8()
    plog: Int = u8()
    scell_log: Int = u8()
    prio: Int = u8()
    packets: Int = u32()
    bytesin: Int = u32()


class GredSetup(Struct):
    """The virtual queues of gred (struct tc_gred_sopt): how many, the default, and whether their priorities count."""

    dps: Int = u32()
    default_dp: Int = u32()
    grio: Int = u8()
    flags: Member[RedFlags] = u8(enum=RedFlags)
    padding = pad(2)


class GredQueue(AttributeSet, ignore=(1,)):
    """Statistics and flags of a virtual queue of gred (TCA_GRED_VQ_*)."""

    dp: Int = u32(2)  # TCA_GRED_VQ_DP
    bytes: Int = u64(3)  # TCA_GRED_VQ_STAT_BYTES
    packets: Int = u32(4)  # TCA_GRED_VQ_STAT_PACKETS
    backlog: Int = u32(5)  # TCA_GRED_VQ_STAT_BACKLOG
    prob_drop: Int = u32(6)  # TCA_GRED_VQ_STAT_PROB_DROP
    prob_mark: Int = u32(7)  # TCA_GRED_VQ_STAT_PROB_MARK
    forced_drop: Int = u32(8)  # TCA_GRED_VQ_STAT_FORCED_DROP
    forced_mark: Int = u32(9)  # TCA_GRED_VQ_STAT_FORCED_MARK
    pdrop: Int = u32(10)  # TCA_GRED_VQ_STAT_PDROP
    other: Int = u32(11)  # TCA_GRED_VQ_STAT_OTHER
    flags: Member[RedFlags] = u32(12, enum=RedFlags)  # TCA_GRED_VQ_FLAGS


class Gred(AttributeSet):
    """Options of gred, a RED of virtual queues (TCA_GRED_*).

    It is created with setup alone; then each change sets one queue, by parms, stab and max_p. Reports have all 16 in
    parms and max_p. limit: bytes of the whole.
    """

    parms: Items[GredParms] = packed(1, GredParms)  # TCA_GRED_PARMS
    stab: Bytes = binary(2)  # TCA_GRED_STAB
    setup: Field[GredSetup | None] = struct(3, GredSetup)  # TCA_GRED_DPS
    max_p: Items[int] = packed(4, u32)  # TCA_GRED_MAX_P
    limit: Int = u32(5)  # TCA_GRED_LIMIT
    queues: Items[GredQueue] = repeated((6, 1), GredQueue)  # TCA_GRED_VQ_LIST, TCA_GRED_VQ_ENTRY


class Codel(AttributeSet):
    """Options of codel (TCA_CODEL_*). ce_threshold: mark packets that waited longer. ecn: 1 to mark, 0 to drop."""

    target: Int = u32(1)  # TCA_CODEL_TARGET
    limit: Int = u32(2)  # TCA_CODEL_LIMIT
    interval: Int = u32(3)  # TCA_CODEL_INTERVAL
    ecn: Int = u32(4)  # TCA_CODEL_ECN
    ce_threshold: Int = u32(5)  # TCA_CODEL_CE_THRESHOLD


class FqCodel(AttributeSet):
    """Options of fq_codel (TCA_FQ_CODEL_*): as `Codel`, for each of flows. quantum, memory_limit: bytes."""

    target: Int = u32(1)  # TCA_FQ_CODEL_TARGET
    limit: Int = u32(2)  # TCA_FQ_CODEL_LIMIT
    interval: Int = u32(3)  # TCA_FQ_CODEL_INTERVAL
    ecn: Int = u32(4)  # TCA_FQ_CODEL_ECN
    flows: Int = u32(5)  # TCA_FQ_CODEL_FLOWS
    quantum: Int = u32(6)  # TCA_FQ_CODEL_QUANTUM
    ce_threshold: Int = u32(7)  # TCA_FQ_CODEL_CE_THRESHOLD
    drop_batch_size: Int = u32(8)  # TCA_FQ_CODEL_DROP_BATCH_SIZE
    memory_limit: Int = u32(9)  # TCA_FQ_CODEL_MEMORY_LIMIT
    ce_threshold_selector: Int = u8(10)  # TCA_FQ_CODEL_CE_THRESHOLD_SELECTOR
    ce_threshold_mask: Int = u8(11)  # TCA_FQ_CODEL_CE_THRESHOLD_MASK


class Fq(AttributeSet):
    """Options of fq, fair queue with pacing (TCA_FQ_*).

    plimit, flow_plimit: packets of the whole and of a flow. Rates are in bytes a second, quanta in bytes, timer_slack
    in nanoseconds. priomap, weights: the band of each priority, and the bytes that each of three bands sends in turn.
    """

    plimit: Int = u32(1)  # TCA_FQ_PLIMIT
    flow_plimit: Int = u32(2)  # TCA_FQ_FLOW_PLIMIT
    quantum: Int = u32(3)  # TCA_FQ_QUANTUM
    initial_quantum: Int = u32(4)  # TCA_FQ_INITIAL_QUANTUM
    rate_enable: Int = u32(5)  # TCA_FQ_RATE_ENABLE
    flow_default_rate: Int = u32(6)  # TCA_FQ_FLOW_DEFAULT_RATE
    flow_max_rate: Int = u32(7)  # TCA_FQ_FLOW_MAX_RATE
    buckets_log: Int = u32(8)  # TCA_FQ_BUCKETS_LOG
    flow_refill_delay: Int = u32(9)  # TCA_FQ_FLOW_REFILL_DELAY
    orphan_mask: Int = u32(10)  # TCA_FQ_ORPHAN_MASK
    low_rate_threshold: Int = u32(11)  # TCA_FQ_LOW_RATE_THRESHOLD
    ce_threshold: Int = u32(12)  # TCA_FQ_CE_THRESHOLD
    timer_slack: Int = u32(13)  # TCA_FQ_TIMER_SLACK
    horizon: Int = u32(14)  # TCA_FQ_HORIZON
    horizon_drop: Int = u8(15)  # TCA_FQ_HORIZON_DROP
    priomap: Field[Prio | None] = struct(16, Prio)  # TCA_FQ_PRIOMAP
    weights: Items[int] = packed(17, s32)  # TCA_FQ_WEIGHTS
    offload_horizon: Int = u32(18)  # TCA_FQ_OFFLOAD_HORIZON


class Hhf(AttributeSet):
    """Options of hhf, a heavy-hitter filter (TCA_HHF_*). quantum, admit_bytes: bytes."""

    backlog_limit: Int = u32(1)  # TCA_HHF_BACKLOG_LIMIT
    quantum: Int = u32(2)  # TCA_HHF_QUANTUM
    hh_flows_limit: Int = u32(3)  # TCA_HHF_HH_FLOWS_LIMIT
    reset_timeout: Int = u32(4)  # TCA_HHF_RESET_TIMEOUT
    admit_bytes: Int = u32(5)  # TCA_HHF_ADMIT_BYTES
    evict_timeout: Int = u32(6)  # TCA_HHF_EVICT_TIMEOUT
    non_hh_weight: Int = u32(7)  # TCA_HHF_NON_HH_WEIGHT


class Pie(AttributeSet):
    """Options of pie (TCA_PIE_*). alpha, beta: parameters of its control, 0 to 32."""

    target: Int = u32(1)  # TCA_PIE_TARGET
    limit: Int = u32(2)  # TCA_PIE_LIMIT
    tupdate: Int = u32(3)  # TCA_PIE_TUPDATE
    alpha: Int = u32(4)  # TCA_PIE_ALPHA
    beta: Int = u32(5)  # TCA_PIE_BETA
    ecn: Int = u32(6)  # TCA_PIE_ECN
    bytemode: Int = u32(7)  # TCA_PIE_BYTEMODE
    dq_rate_estimator: Int = u32(8)  # TCA_PIE_DQ_RATE_ESTIMATOR


class FqPie(AttributeSet):
    """Options of fq_pie (TCA_FQ_PIE_*): as `Pie`, for each of flows. ecn_prob: percent. memory_limit: bytes."""

    limit: Int = u32(1)  # TCA_FQ_PIE_LIMIT
    flows: Int = u32(2)  # TCA_FQ_PIE_FLOWS
    target: Int = u32(3)  # TCA_FQ_PIE_TARGET
    tupdate: Int = u32(4)  # TCA_FQ_PIE_TUPDATE
    alpha: Int = u32(5)  # TCA_FQ_PIE_ALPHA
    beta: Int = u32(6)  # TCA_FQ_PIE_BETA
    quantum: Int = u32(7)  # TCA_FQ_PIE_QUANTUM
    memory_limit: Int = u32(8)  # TCA_FQ_PIE_MEMORY_LIMIT
    ecn_prob: Int = u32(9)  # TCA_FQ_PIE_ECN_PROB
    ecn: Int = u32(10)  # TCA_FQ_PIE_ECN
    bytemode: Int = u32(11)  # TCA_FQ_PIE_BYTEMODE
    dq_rate_estimator: Int = u32(12)  # TCA_FQ_PIE_DQ_RATE_ESTIMATOR


class DualPI2DropOverload(IntEnum):
    """What happens under overload (TC_DUALPI2_DROP_OVERLOAD_*)."""

    OVERFLOW = 0  # TC_DUALPI2_DROP_OVERLOAD_OVERFLOW
    DROP = 1  # TC_DUALPI2_DROP_OVERLOAD_DROP


class DualPI2DropEarly(IntEnum):
    """When packets are dropped (TC_DUALPI2_DROP_EARLY_DROP_*)."""

    DEQUEUE = 0  # TC_DUALPI2_DROP_EARLY_DROP_DEQUEUE
    ENQUEUE = 1  # TC_DUALPI2_DROP_EARLY_DROP_ENQUEUE


class DualPI2EcnMask(IntEnum):
    """Which packets are of the low-latency queue (TC_DUALPI2_ECN_MASK_*)."""

    L4S_ECT = 1  # TC_DUALPI2_ECN_MASK_L4S_ECT
    CLA_ECT = 2  # TC_DUALPI2_ECN_MASK_CLA_ECT
    ANY_ECT = 3  # TC_DUALPI2_ECN_MASK_ANY_ECT


class DualPI2(AttributeSet, ignore=(16,)):
    """Options of dualpi2, a queue for L4S and one for other packets (TCA_DUALPI2_*): Linux 6.17.

    alpha, beta: Hz, scaled up by 256. step_thresh_pkts, step_thresh_us: where the low-latency queue marks, in packets
    or microseconds. c_protection: percent for the classic queue. split_gso: 1 to split large packets.
    """

    limit: Int = u32(1)  # TCA_DUALPI2_LIMIT
    memory_limit: Int = u32(2)  # TCA_DUALPI2_MEMORY_LIMIT
    target: Int = u32(3)  # TCA_DUALPI2_TARGET
    tupdate: Int = u32(4)  # TCA_DUALPI2_TUPDATE
    alpha: Int = u32(5)  # TCA_DUALPI2_ALPHA
    beta: Int = u32(6)  # TCA_DUALPI2_BETA
    step_thresh_pkts: Int = u32(7)  # TCA_DUALPI2_STEP_THRESH_PKTS
    step_thresh_us: Int = u32(8)  # TCA_DUALPI2_STEP_THRESH_US
    min_qlen_step: Int = u32(9)  # TCA_DUALPI2_MIN_QLEN_STEP
    coupling: Int = u8(10)  # TCA_DUALPI2_COUPLING
    drop_overload: Member[DualPI2DropOverload] = u8(11, enum=DualPI2DropOverload)  # TCA_DUALPI2_DROP_OVERLOAD
    drop_early: Member[DualPI2DropEarly] = u8(12, enum=DualPI2DropEarly)  # TCA_DUALPI2_DROP_EARLY
    c_protection: Int = u8(13)  # TCA_DUALPI2_C_PROTECTION
    ecn_mask: Member[DualPI2EcnMask] = u8(14, enum=DualPI2EcnMask)  # TCA_DUALPI2_ECN_MASK
    split_gso: Int = u8(15)  # TCA_DUALPI2_SPLIT_GSO


class CakeDiffserv(IntEnum):
    """How cake sorts packets into tins (CAKE_DIFFSERV_*)."""

    DIFFSERV3 = 0  # CAKE_DIFFSERV_DIFFSERV3
    DIFFSERV4 = 1  # CAKE_DIFFSERV_DIFFSERV4
    DIFFSERV8 = 2  # CAKE_DIFFSERV_DIFFSERV8
    BESTEFFORT = 3  # CAKE_DIFFSERV_BESTEFFORT
    PRECEDENCE = 4  # CAKE_DIFFSERV_PRECEDENCE


class CakeFlowMode(IntEnum):
    """What is a flow to cake (CAKE_FLOW_*)."""

    NONE = 0  # CAKE_FLOW_NONE
    SRC_IP = 1  # CAKE_FLOW_SRC_IP
    DST_IP = 2  # CAKE_FLOW_DST_IP
    HOSTS = 3  # CAKE_FLOW_HOSTS
    FLOWS = 4  # CAKE_FLOW_FLOWS
    DUAL_SRC = 5  # CAKE_FLOW_DUAL_SRC
    DUAL_DST = 6  # CAKE_FLOW_DUAL_DST
    TRIPLE = 7  # CAKE_FLOW_TRIPLE


class CakeAckFilter(IntEnum):
    """Whether cake drops redundant acknowledgements of TCP (CAKE_ACK_*)."""

    NONE = 0  # CAKE_ACK_NONE
    FILTER = 1  # CAKE_ACK_FILTER
    AGGRESSIVE = 2  # CAKE_ACK_AGGRESSIVE


class CakeAtm(IntEnum):
    """How cake counts the bytes of a packet (CAKE_ATM_*)."""

    NONE = 0  # CAKE_ATM_NONE
    ATM = 1  # CAKE_ATM_ATM
    PTM = 2  # CAKE_ATM_PTM


class Cake(AttributeSet, ignore=(1,)):
    """Options of cake (TCA_CAKE_*).

    base_rate: bytes a second, 0 for no limit. overhead: bytes added to each packet, also negative; mpu: the fewest that
    one counts as; raw: 0, present if there is no overhead. rtt, target: microseconds. memory: bytes. fwmark: a mask of
    the mark that chooses the tin. nat, wash, ingress, split_gso, autorate: 1 or 0.
    """

    base_rate: Int = u64(2)  # TCA_CAKE_BASE_RATE64
    diffserv_mode: Member[CakeDiffserv] = u32(3, enum=CakeDiffserv)  # TCA_CAKE_DIFFSERV_MODE
    atm: Member[CakeAtm] = u32(4, enum=CakeAtm)  # TCA_CAKE_ATM
    flow_mode: Member[CakeFlowMode] = u32(5, enum=CakeFlowMode)  # TCA_CAKE_FLOW_MODE
    overhead: Int = s32(6)  # TCA_CAKE_OVERHEAD
    rtt: Int = u32(7)  # TCA_CAKE_RTT
    target: Int = u32(8)  # TCA_CAKE_TARGET
    autorate: Int = u32(9)  # TCA_CAKE_AUTORATE
    memory: Int = u32(10)  # TCA_CAKE_MEMORY
    nat: Int = u32(11)  # TCA_CAKE_NAT
    raw: Int = u32(12)  # TCA_CAKE_RAW
    wash: Int = u32(13)  # TCA_CAKE_WASH
    mpu: Int = u32(14)  # TCA_CAKE_MPU
    ingress: Int = u32(15)  # TCA_CAKE_INGRESS
    ack_filter: Member[CakeAckFilter] = u32(16, enum=CakeAckFilter)  # TCA_CAKE_ACK_FILTER
    split_gso: Int = u32(17)  # TCA_CAKE_SPLIT_GSO
    fwmark: Int = u32(18)  # TCA_CAKE_FWMARK


# netem


class NetemParms(Struct):
    """The beginning of netem's options (struct tc_netem_qopt).

    latency, jitter: in `ticks` of 64 ns; `Netem.latency64` and `jitter64` go before them. limit: packets. loss,
    duplicate: each a `probability`. gap: every which packet is not delayed.
    """

    latency: Int = u32()
    limit: Int = u32()
    loss: Int = u32()
    gap: Int = u32()
    duplicate: Int = u32()
    jitter: Int = u32()


class NetemCorr(Struct):
    """How far a packet's fate follows that of the last one (struct tc_netem_corr): each a `probability`."""

    delay_corr: Int = u32()
    loss_corr: Int = u32()
    dup_corr: Int = u32()


class NetemReorder(Struct):
    """How many packets are sent at once (struct tc_netem_reorder): each a `probability`."""

    probability: Int = u32()
    correlation: Int = u32()


class NetemCorrupt(Struct):
    """How many packets get a wrong bit (struct tc_netem_corrupt): each a `probability`."""

    probability: Int = u32()
    correlation: Int = u32()


class NetemGIModel(Struct):
    """Loss by a chain of four states (struct tc_netem_gimodel): each a `probability`."""

    p13: Int = u32()
    p31: Int = u32()
    p32: Int = u32()
    p14: Int = u32()
    p23: Int = u32()


class NetemGEModel(Struct):
    """Loss by the model of Gilbert and Elliott (struct tc_netem_gemodel): each a `probability`."""

    p: Int = u32()
    r: Int = u32()
    h: Int = u32()
    k1: Int = u32()


class NetemRate(Struct):
    """A delay by the size of packets (struct tc_netem_rate): bytes a second, and bytes."""

    rate: Int = u32()
    packet_overhead: Int = s32()
    cell_size: Int = u32()
    cell_overhead: Int = s32()


class NetemSlot(Struct):
    """Sending in slots (struct tc_netem_slot): delays in nanoseconds, and the most packets and bytes in one."""

    min_delay: Int = s64()
    max_delay: Int = s64()
    max_packets: Int = s32()
    max_bytes: Int = s32()
    dist_delay: Int = s64()
    dist_jitter: Int = s64()


class Netem(AttributeSet, header=NetemParms, ignore=(9,)):
    """Options of netem, which emulates a network (struct tc_netem_qopt, TCA_NETEM_*).

    latency64, jitter64: nanoseconds. delay_dist, slot_dist: a table of the distribution, whose values are in 1/8192 of
    the jitter. loss_gi, loss_ge: models of losses instead of `loss`. ecn: 1 to mark instead of losing. rate64: bytes a
    second that 32 bits do not hold. A request has all that is to be: what it lacks is off. limit: at least 1.
    """

    header: NetemParms | None = None
    latency: Int = NetemParms.latency
    limit: Int = NetemParms.limit
    loss: Int = NetemParms.loss
    gap: Int = NetemParms.gap
    duplicate: Int = NetemParms.duplicate
    jitter: Int = NetemParms.jitter
    corr: Field[NetemCorr | None] = struct(1, NetemCorr)  # TCA_NETEM_CORR
    delay_dist: Items[int] = packed(2, s16)  # TCA_NETEM_DELAY_DIST
    reorder: Field[NetemReorder | None] = struct(3, NetemReorder)  # TCA_NETEM_REORDER
    corrupt: Field[NetemCorrupt | None] = struct(4, NetemCorrupt)  # TCA_NETEM_CORRUPT
    loss_gi: Field[NetemGIModel | None] = struct((5, 1), NetemGIModel)  # TCA_NETEM_LOSS, NETEM_LOSS_GI
    loss_ge: Field[NetemGEModel | None] = struct((5, 2), NetemGEModel)  # TCA_NETEM_LOSS, NETEM_LOSS_GE
    rate: Field[NetemRate | None] = struct(6, NetemRate)  # TCA_NETEM_RATE
    ecn: Int = u32(7)  # TCA_NETEM_ECN
    rate64: Int = u64(8)  # TCA_NETEM_RATE64
    latency64: Int = s64(10)  # TCA_NETEM_LATENCY64
    jitter64: Int = s64(11)  # TCA_NETEM_JITTER64
    slot: Field[NetemSlot | None] = struct(12, NetemSlot)  # TCA_NETEM_SLOT
    slot_dist: Items[int] = packed(13, s16)  # TCA_NETEM_SLOT_DIST
    prng_seed: Int = u64(14)  # TCA_NETEM_PRNG_SEED


# Queues of devices, and times


class Preemption(IntEnum):
    """Whether frames of a traffic class may be preempted (TC_FP_*)."""

    EXPRESS = 1  # TC_FP_EXPRESS
    PREEMPTIBLE = 2  # TC_FP_PREEMPTIBLE


class MqprioMap(Struct):
    """Traffic classes and their queues (struct tc_mqprio_qopt).

    num_tc: how many classes. prio_tc_map: 16 bytes, the class of each priority of packets. hw: 1 if the device makes
    the queues. count, offset: how many queues each class has, and the first of them, 16 numbers of 16 bits each:
    `MqprioMap.of` makes them, and `queues` reads them.
    """

    num_tc: Int = u8()
    prio_tc_map: Bytes = binary(size=16)
    hw: Int = u8()
    count: Bytes = binary(size=32)
    offset: Bytes = binary(size=32)
    padding = pad(2)

    @classmethod
    def of(cls, priorities: Sequence[int], queues: Iterable[tuple[int, int]], *, hw: int = 0) -> MqprioMap:
        """The map of priorities to classes, and of each class to queues: how many, and the first of them.

        ValueError for more than 16 of them, or a class that there is not.
        """
        pairs = list(queues)
        if not (len(priorities) <= _QUEUES and 1 <= len(pairs) <= _QUEUES and all(p < len(pairs) for p in priorities)):
            raise ValueError(f"want up to 16 priorities with numbers of up to 16 classes, not {priorities} of {pairs}")
        columns = [memoryview(bytearray(2 * _QUEUES)).cast("H") for _ in range(2)]
        for number, pair in enumerate(pairs):
            columns[0][number], columns[1][number] = pair
        return cls(
            num_tc=len(pairs),
            prio_tc_map=bytes(priorities).ljust(_QUEUES, b"\0"),
            hw=hw,
            count=columns[0].tobytes(),
            offset=columns[1].tobytes(),
        )

    @property
    def queues(self) -> tuple[tuple[int, int], ...]:
        """How many queues each class has, and the first of them."""
        columns = (memoryview(column or b"").cast("H").tolist() for column in (self.count, self.offset))
        return tuple(zip(*columns, strict=True))[: self.num_tc or 0]


class MqprioMode(IntEnum):
    """Who chooses the class of a packet (TC_MQPRIO_MODE_*)."""

    DCB = 0  # TC_MQPRIO_MODE_DCB
    CHANNEL = 1  # TC_MQPRIO_MODE_CHANNEL


class MqprioShaper(IntEnum):
    """Who shapes a class (TC_MQPRIO_SHAPER_*)."""

    DCB = 0  # TC_MQPRIO_SHAPER_DCB
    BW_RATE = 1  # TC_MQPRIO_SHAPER_BW_RATE


class MqprioEntry(AttributeSet):
    """A traffic class of mqprio (TCA_MQPRIO_TC_ENTRY_*)."""

    index: Int = u32(1)  # TCA_MQPRIO_TC_ENTRY_INDEX
    fp: Member[Preemption] = u32(2, enum=Preemption)  # TCA_MQPRIO_TC_ENTRY_FP


class Mqprio(AttributeSet, header=MqprioMap):
    """Options of mqprio (struct tc_mqprio_qopt, TCA_MQPRIO_*). Rates: bytes a second, one for each class."""

    header: MqprioMap | None = None
    mode: Member[MqprioMode] = u16(1, enum=MqprioMode)  # TCA_MQPRIO_MODE
    shaper: Member[MqprioShaper] = u16(2, enum=MqprioShaper)  # TCA_MQPRIO_SHAPER
    min_rates: Items[int] = repeated((3, 3), u64)  # TCA_MQPRIO_MIN_RATE64, TCA_MQPRIO_MIN_RATE64
    max_rates: Items[int] = repeated((4, 4), u64)  # TCA_MQPRIO_MAX_RATE64, TCA_MQPRIO_MAX_RATE64
    entries: Items[MqprioEntry] = repeated(5, MqprioEntry)  # TCA_MQPRIO_TC_ENTRY


class TaprioCommand(IntEnum):
    """What an entry of a schedule does (TC_TAPRIO_CMD_*)."""

    SET_GATES = 0  # TC_TAPRIO_CMD_SET_GATES
    SET_AND_HOLD = 1  # TC_TAPRIO_CMD_SET_AND_HOLD
    SET_AND_RELEASE = 2  # TC_TAPRIO_CMD_SET_AND_RELEASE


class TaprioFlags(IntFlag):
    """Who keeps the times (TCA_TAPRIO_ATTR_FLAG_*)."""

    TXTIME_ASSIST = 1  # TCA_TAPRIO_ATTR_FLAG_TXTIME_ASSIST
    FULL_OFFLOAD = 2  # TCA_TAPRIO_ATTR_FLAG_FULL_OFFLOAD


class TaprioEntry(AttributeSet):
    """An entry of a schedule (TCA_TAPRIO_SCHED_ENTRY_*). gate_mask: open classes. interval: nanoseconds."""

    index: Int = u32(1)  # TCA_TAPRIO_SCHED_ENTRY_INDEX
    cmd: Member[TaprioCommand] = u8(2, enum=TaprioCommand)  # TCA_TAPRIO_SCHED_ENTRY_CMD
    gate_mask: Int = u32(3)  # TCA_TAPRIO_SCHED_ENTRY_GATE_MASK
    interval: Int = u32(4)  # TCA_TAPRIO_SCHED_ENTRY_INTERVAL


class TaprioTrafficClass(AttributeSet):
    """A traffic class of taprio (TCA_TAPRIO_TC_ENTRY_*). max_sdu: bytes of its largest packet, 0 for no limit."""

    index: Int = u32(1)  # TCA_TAPRIO_TC_ENTRY_INDEX
    max_sdu: Int = u32(2)  # TCA_TAPRIO_TC_ENTRY_MAX_SDU
    fp: Member[Preemption] = u32(3, enum=Preemption)  # TCA_TAPRIO_TC_ENTRY_FP


class TaprioSchedule(AttributeSet):
    """A schedule of taprio (TCA_TAPRIO_ATTR_*): times in nanoseconds."""

    entries: Items[TaprioEntry] = repeated((2, 1), TaprioEntry)  # TCA_TAPRIO_ATTR_SCHED_ENTRY_LIST
    base_time: Int = s64(3)  # TCA_TAPRIO_ATTR_SCHED_BASE_TIME
    cycle_time: Int = s64(8)  # TCA_TAPRIO_ATTR_SCHED_CYCLE_TIME
    cycle_time_extension: Int = s64(9)  # TCA_TAPRIO_ATTR_SCHED_CYCLE_TIME_EXTENSION


class Taprio(TaprioSchedule, ignore=(6,)):
    """Options of taprio, gates by time (TCA_TAPRIO_ATTR_*).

    The schedule of a request is the operational one in a report, once its base_time has come. Before that it is in
    admin. clockid: a clock of clock_gettime(2). txtime_delay: nanoseconds.
    """

    priomap: Field[MqprioMap | None] = struct(1, MqprioMap)  # TCA_TAPRIO_ATTR_PRIOMAP
    single_entry: Field[TaprioEntry | None] = nested(4, TaprioEntry)  # TCA_TAPRIO_ATTR_SCHED_SINGLE_ENTRY
    clockid: Int = s32(5)  # TCA_TAPRIO_ATTR_SCHED_CLOCKID
    admin: Field[TaprioSchedule | None] = nested(7, TaprioSchedule)  # TCA_TAPRIO_ATTR_ADMIN_SCHED
    flags: Member[TaprioFlags] = u32(10, enum=TaprioFlags)  # TCA_TAPRIO_ATTR_FLAGS
    txtime_delay: Int = u32(11)  # TCA_TAPRIO_ATTR_TXTIME_DELAY
    classes: Items[TaprioTrafficClass] = repeated(12, TaprioTrafficClass)  # TCA_TAPRIO_ATTR_TC_ENTRY


class EtfFlags(IntFlag):
    """How etf sends (TC_ETF_*)."""

    DEADLINE_MODE = 1  # TC_ETF_DEADLINE_MODE_ON, at the latest at the time of a packet
    OFFLOAD = 2  # TC_ETF_OFFLOAD_ON
    SKIP_SOCK_CHECK = 4  # TC_ETF_SKIP_SOCK_CHECK


class EtfParms(Struct):
    """The parameters of etf (struct tc_etf_qopt). delta: nanoseconds. clockid: a clock of clock_gettime(2)."""

    delta: Int = s32()
    clockid: Int = s32()
    flags: Member[EtfFlags] = u32(enum=EtfFlags)


class Etf(AttributeSet):
    """Options of etf, earliest time first (TCA_ETF_*)."""

    parms: Field[EtfParms | None] = struct(1, EtfParms)  # TCA_ETF_PARMS


class CbsParms(Struct):
    """The parameters of cbs (struct tc_cbs_qopt): credits in bytes, slopes in kbit a second."""

    offload: Int = u8()
    padding = pad(3)
    hicredit: Int = s32()
    locredit: Int = s32()
    idleslope: Int = s32()
    sendslope: Int = s32()


class Cbs(AttributeSet):
    """Options of cbs, a credit-based shaper (TCA_CBS_*)."""

    parms: Field[CbsParms | None] = struct(1, CbsParms)  # TCA_CBS_PARMS
