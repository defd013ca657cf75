"""The objects of traffic control: qdiscs, classes, filters, chains and tables of actions (linux/rtnetlink.h)."""

from __future__ import annotations

import sys
from enum import IntEnum, IntFlag
from typing import Any

from netlink.route.event import Event
from netlink.route.tc.actions import Action
from netlink.route.tc.filters import U32, Basic, Bpf, Cgroup, Flow, Fw, Matchall, Route4
from netlink.route.tc.flower import Flower
from netlink.route.tc.handle import Handle
from netlink.route.tc.kinds import HandleField, Kinded, by_handle
from netlink.route.tc.qdiscs import (
    Cake,
    Cbs,
    Choke,
    Codel,
    DrrClass,
    DualPI2,
    Etf,
    Ets,
    EtsClass,
    Fifo,
    Fq,
    FqCodel,
    FqPie,
    Gred,
    Hfsc,
    HfscClass,
    Hhf,
    Htb,
    Mqprio,
    Multiq,
    Netem,
    NoOptions,
    Pie,
    Plug,
    Prio,
    QfqClass,
    Red,
    Sfb,
    Sfq,
    Skbprio,
    Taprio,
    Tbf,
)
from netlink.route.tc.stats import (
    BasicStats,
    CakeStats,
    ChokeStats,
    CodelStats,
    DrrStats,
    DualPI2Stats,
    Estimator,
    FqCodelClassStats,
    FqCodelStats,
    FqPieStats,
    FqStats,
    HfscStats,
    HhfStats,
    HtbStats,
    OldStats,
    PieStats,
    QfqStats,
    QueueStats,
    RateStats,
    RateStats64,
    RedStats,
    SfbStats,
    SfqStats,
    TaprioStats,
)
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
    Struct,
    array,
    be16,
    binary,
    bitfield32,
    event,
    flag,
    nested,
    outer,
    pad,
    s16,
    s32,
    string,
    struct,
    submessage,
    u8,
    u16,
    u32,
    u64,
)

__all__ = [
    "ActionMsg",
    "ActionTable",
    "ActionTableFlags",
    "Chain",
    "ChainMsg",
    "Class",
    "ClassMsg",
    "ClassStats",
    "DumpFlags",
    "Filter",
    "FilterMsg",
    "Index",
    "Qdisc",
    "QdiscMsg",
    "QdiscStats",
    "SizeSpec",
    "SizeTable",
]


class Index(IntEnum):
    """An interface index that stands for something else."""

    BLOCK = -1  # TCM_IFINDEX_MAGIC_BLOCK, the parent is the number of a block


class DumpFlags(IntFlag):
    """What a dump of filters leaves out (TCA_DUMP_FLAGS_*)."""

    TERSE = 1  # TCA_DUMP_FLAGS_TERSE, all but what identifies a filter, and counters


# What all have


class QdiscMsg(Struct):
    """The header of a qdisc (struct tcmsg). index: of the interface. refcount: reported, how many use it."""

    family: Int = u8()
    padding = pad(3)
    index: Int = s32()
    handle: Member[Handle] = u32(enum=Handle)
    parent: Member[Handle] = u32(enum=Handle)
    refcount: Int = u32()


class ClassMsg(Struct):
    """The header of a class (struct tcmsg). leaf: reported, the handle of the qdisc in it."""

    family: Int = u8()
    padding = pad(3)
    index: Int = s32()
    handle: Member[Handle] = u32(enum=Handle)
    parent: Member[Handle] = u32(enum=Handle)
    leaf: Member[Handle] = u32(enum=Handle)


class ChainMsg(Struct):
    """The header of a chain (struct tcmsg)."""

    family: Int = u8()
    padding = pad(3)
    index: Int = s32()
    handle: Int = u32()
    parent: Member[Handle] = u32(enum=Handle)
    info: Int = u32()


if sys.byteorder == "little":

    class FilterMsg(Struct):  # pyright: ignore[reportRedeclaration]
        """The header of a filter (struct tcmsg): tcm_info is the priority, and the Ethertype in network byte order."""

        family: Int = u8()
        padding = pad(3)
        index: Int = s32()
        handle: Int = u32()
        parent: Member[Handle] = u32(enum=Handle)
        protocol: Int = be16()
        priority: Int = u16()

else:

    class FilterMsg(Struct):  # type: ignore[no-redef]
        """The header of a filter (struct tcmsg): tcm_info is the priority, and the Ethertype in network byte order."""

        family: Int = u8()
        padding = pad(3)
        index: Int = s32()
        handle: Int = u32()
        parent: Member[Handle] = u32(enum=Handle)
        priority: Int = u16()
        protocol: Int = be16()


class SizeSpec(Struct, aligned=True):
    """How sizes of packets are computed (struct tc_sizespec), in bytes."""

    cell_log: Int = u8()
    size_log: Int = u8()
    cell_align: Int = s16()
    overhead: Int = s32()
    linklayer: Int = u32()
    mpu: Int = u32()
    mtu: Int = u32()
    tsize: Int = u32()


class SizeTable(AttributeSet):
    """A table of sizes (TCA_STAB_*). data: tsize numbers of 16 bits in host byte order."""

    base: Field[SizeSpec | None] = struct(1, SizeSpec)  # TCA_STAB_BASE
    data: Bytes = binary(2)  # TCA_STAB_DATA


# Statistics

_QDISC_STATS: dict[str, type[Any]] = {
    "cake": CakeStats,
    "choke": ChokeStats,
    "codel": CodelStats,
    "dualpi2": DualPI2Stats,
    "fq": FqStats,
    "fq_codel": FqCodelStats,
    "fq_pie": FqPieStats,
    "hhf": HhfStats,
    "pie": PieStats,
    "red": RedStats,
    "sfb": SfbStats,
    "taprio": TaprioStats,
}
_CLASS_STATS: dict[str, type[Any]] = {
    "cake": CakeStats,
    "drr": DrrStats,
    "fq_codel": FqCodelClassStats,
    "hfsc": HfscStats,
    "htb": HtbStats,
    "qfq": QfqStats,
    "sfq": SfqStats,
}


class _Stats(AttributeSet, ignore=(6,)):
    """Statistics without those of a kind (TCA_STATS2, TCA_STATS_*)."""

    basic: Field[BasicStats | None] = struct(1, BasicStats)  # TCA_STATS_BASIC
    rate_est: Field[RateStats | None] = struct(2, RateStats)  # TCA_STATS_RATE_EST
    queue: Field[QueueStats | None] = struct(3, QueueStats)  # TCA_STATS_QUEUE
    rate_est64: Field[RateStats64 | None] = struct(5, RateStats64)  # TCA_STATS_RATE_EST64
    basic_hw: Field[BasicStats | None] = struct(7, BasicStats)  # TCA_STATS_BASIC_HW
    pkt64: Int = u64(8)  # TCA_STATS_PKT64


class QdiscStats(_Stats):
    """Statistics of a qdisc (TCA_STATS2, TCA_STATS_*). app: those of its kind. pkt64: packets, if they are many."""

    app: Field[
        CakeStats
        | ChokeStats
        | CodelStats
        | DualPI2Stats
        | FqStats
        | FqCodelStats
        | FqPieStats
        | HhfStats
        | PieStats
        | RedStats
        | SfbStats
        | TaprioStats
        | bytes
        | None
    ] = submessage(4, on=outer(1), cases=_QDISC_STATS)  # TCA_STATS_APP


class ClassStats(_Stats):
    """Statistics of a class (TCA_STATS2, TCA_STATS_*). app: those of its kind. pkt64: packets, if they are many."""

    app: Field[CakeStats | DrrStats | FqCodelClassStats | HfscStats | HtbStats | QfqStats | SfqStats | bytes | None] = (
        submessage(4, on=outer(1), cases=_CLASS_STATS)
    )  # TCA_STATS_APP


# Qdiscs and classes

_QDISCS: dict[str, type[Any]] = {
    "bfifo": Fifo,
    "cake": Cake,
    "cbs": Cbs,
    "choke": Choke,
    "clsact": NoOptions,
    "codel": Codel,
    "dualpi2": DualPI2,
    "etf": Etf,
    "ets": Ets,
    "fq": Fq,
    "fq_codel": FqCodel,
    "fq_pie": FqPie,
    "gred": Gred,
    "hfsc": Hfsc,
    "hhf": Hhf,
    "htb": Htb,
    "ingress": NoOptions,
    "mqprio": Mqprio,
    "multiq": Multiq,
    "netem": Netem,
    "pfifo": Fifo,
    "pfifo_fast": Prio,
    "pfifo_head_drop": Fifo,
    "pie": Pie,
    "plug": Plug,
    "prio": Prio,
    "red": Red,
    "sfb": Sfb,
    "sfq": Sfq,
    "skbprio": Skbprio,
    "taprio": Taprio,
    "tbf": Tbf,
}
_CLASSES: dict[str, type[Any]] = {
    "drr": DrrClass,
    "ets": EtsClass,
    "hfsc": HfscClass,
    "htb": Htb,
    "qfq": QfqClass,
}


class Qdisc(Kinded, header=QdiscMsg, ignore=(9,)):
    """A queueing discipline: a queue, or a tree of classes with queues, of an interface (TCA_*).

    parent: `Handle.ROOT`, `Handle.INGRESS`, or the class that it is in. kind: such as "fq_codel"; that of the class of
    its options, if those are given alone. options: a record, or bytes for a kind that is not declared. rate: a request
    for measured rates. stab: a table of sizes. ingress_block, egress_block: blocks of filters that it shares.
    stats2: statistics; stats and xstats have parts of them for old programs. dump_invisible: in a request for a dump,
    those that the kernel made itself, too. hw_offload: 1 if a device does it.
    """

    header: QdiscMsg | None = None
    index: Int = QdiscMsg.index
    handle: HandleField = by_handle(QdiscMsg.handle)
    parent: HandleField = by_handle(QdiscMsg.parent)
    refcount: Int = QdiscMsg.refcount
    kind: Str = string(1)  # TCA_KIND
    options: Field[
        Cake
        | Cbs
        | Choke
        | Codel
        | DualPI2
        | Etf
        | Ets
        | Fifo
        | Fq
        | FqCodel
        | FqPie
        | Gred
        | Hfsc
        | Hhf
        | Htb
        | Mqprio
        | Multiq
        | Netem
        | NoOptions
        | Pie
        | Plug
        | Prio
        | Red
        | Sfb
        | Sfq
        | Skbprio
        | Taprio
        | Tbf
        | bytes
        | None
    ] = submessage(2, on="kind", cases=_QDISCS)  # TCA_OPTIONS
    stats: Field[OldStats | None] = struct(3, OldStats)  # TCA_STATS
    xstats: Field[
        ChokeStats
        | CodelStats
        | DualPI2Stats
        | FqStats
        | FqCodelStats
        | FqPieStats
        | HhfStats
        | PieStats
        | RedStats
        | SfbStats
        | bytes
        | None
    ] = submessage(4, on="kind", cases=_QDISC_STATS)  # TCA_XSTATS
    rate: Field[Estimator | None] = struct(5, Estimator)  # TCA_RATE
    stats2: Field[QdiscStats | None] = nested(7, QdiscStats)  # TCA_STATS2
    stab: Field[SizeTable | None] = nested(8, SizeTable)  # TCA_STAB
    dump_invisible: Flag = flag(10)  # TCA_DUMP_INVISIBLE
    hw_offload: Int = u8(12)  # TCA_HW_OFFLOAD
    ingress_block: Int = u32(13)  # TCA_INGRESS_BLOCK
    egress_block: Int = u32(14)  # TCA_EGRESS_BLOCK
    ext_warn_msg: Str = string(16)  # TCA_EXT_WARN_MSG
    event: Member[Event] = event(Event)


class Class(Kinded, header=ClassMsg, ignore=(9,)):
    """A class of a qdisc (TCA_*).

    handle: with the major number of the qdisc. parent: the qdisc or the class that it is in. kind, options, rate,
    stats2: as of `Qdisc`.
    """

    header: ClassMsg | None = None
    index: Int = ClassMsg.index
    handle: HandleField = by_handle(ClassMsg.handle)
    parent: HandleField = by_handle(ClassMsg.parent)
    leaf: HandleField = by_handle(ClassMsg.leaf)
    kind: Str = string(1)  # TCA_KIND
    options: Field[DrrClass | EtsClass | HfscClass | Htb | QfqClass | bytes | None] = submessage(
        2, on="kind", cases=_CLASSES
    )  # TCA_OPTIONS
    stats: Field[OldStats | None] = struct(3, OldStats)  # TCA_STATS
    xstats: Field[DrrStats | FqCodelClassStats | HfscStats | HtbStats | QfqStats | SfqStats | bytes | None] = (
        submessage(4, on="kind", cases=_CLASS_STATS)
    )  # TCA_XSTATS
    rate: Field[Estimator | None] = struct(5, Estimator)  # TCA_RATE
    stats2: Field[ClassStats | None] = nested(7, ClassStats)  # TCA_STATS2
    stab: Field[SizeTable | None] = nested(8, SizeTable)  # TCA_STAB
    ext_warn_msg: Str = string(16)  # TCA_EXT_WARN_MSG
    event: Member[Event] = event(Event)


# Filters and chains

_FILTERS: dict[str, type[Any]] = {
    "basic": Basic,
    "bpf": Bpf,
    "cgroup": Cgroup,
    "flow": Flow,
    "flower": Flower,
    "fw": Fw,
    "matchall": Matchall,
    "route": Route4,
    "u32": U32,
}


class Filter(Kinded, header=FilterMsg, ignore=(9,)):
    """A filter (TCA_*): it classifies packets of a qdisc, and does actions.

    parent: the qdisc or class that it belongs to, or `Handle.CLSACT_INGRESS` or `Handle.CLSACT_EGRESS`; with
    `Index.BLOCK` as index the number of a block. priority: lower ones come first; protocol: the Ethertype of packets, 3
    for all (ETH_P_ALL). Both and the handle identify it. handle: a number as the kind has it, 0 for one that the kernel
    chooses. chain: 0 if it is not given. kind, options: as of `Qdisc`. dump_flags: in a request for a dump.
    """

    header: FilterMsg | None = None
    index: Int = FilterMsg.index
    handle: Int = FilterMsg.handle
    parent: HandleField = by_handle(FilterMsg.parent)
    priority: Int = FilterMsg.priority
    protocol: Int = FilterMsg.protocol
    kind: Str = string(1)  # TCA_KIND
    options: Field[Basic | Bpf | Cgroup | Flow | Flower | Fw | Matchall | Route4 | U32 | bytes | None] = submessage(
        2, on="kind", cases=_FILTERS
    )  # TCA_OPTIONS
    chain: Int = u32(11)  # TCA_CHAIN
    dump_flags: Bits = bitfield32(15, enum=DumpFlags)  # TCA_DUMP_FLAGS
    ext_warn_msg: Str = string(16)  # TCA_EXT_WARN_MSG
    event: Member[Event] = event(Event)

    @property
    def block(self) -> int | None:
        """The number of the block that it belongs to, None for one of a single interface."""
        return None if self.index != Index.BLOCK or self.parent is None else int(self.parent)


class Chain(Kinded, header=ChainMsg, ignore=(9,)):
    """A chain of filters (TCA_*): packets come to it by `goto_chain`.

    index, parent: as of `Filter`. chain: its number. kind, options: a template that its filters must fit, of flower.
    """

    header: ChainMsg | None = None
    index: Int = ChainMsg.index
    parent: HandleField = by_handle(ChainMsg.parent)
    kind: Str = string(1)  # TCA_KIND
    options: Field[Flower | bytes | None] = submessage(2, on="kind", cases={"flower": Flower})  # TCA_OPTIONS
    chain: Int = u32(11)  # TCA_CHAIN
    ext_warn_msg: Str = string(16)  # TCA_EXT_WARN_MSG
    event: Member[Event] = event(Event)

    @property
    def block(self) -> int | None:
        """The number of the block that it belongs to, None for one of a single interface."""
        return None if self.index != Index.BLOCK or self.parent is None else int(self.parent)


# Tables of actions


class ActionMsg(Struct):
    """The header of messages about actions (struct tcamsg)."""

    family: Int = u8()
    padding = pad(3)


class ActionTableFlags(IntFlag):
    """Flags of a request for a dump of actions (TCA_ACT_FLAG_*)."""

    LARGE_DUMP_ON = 1  # TCA_ACT_FLAG_LARGE_DUMP_ON, more than 32 in a message
    TERSE_DUMP = 2  # TCA_ACT_FLAG_TERSE_DUMP, without options


class ActionTable(AttributeSet, header=ActionMsg):
    """Actions that filters share by their index, or all of a kind (TCA_ROOT_*).

    count: how many a message of a dump has. time_delta: in a request for a dump, only those that were used in so many
    milliseconds.
    """

    header: ActionMsg | None = None
    actions: Items[Action] = array(1, Action)  # TCA_ROOT_TAB
    flags: Bits = bitfield32(2, enum=ActionTableFlags)  # TCA_ROOT_FLAGS
    count: Int = u32(3)  # TCA_ROOT_COUNT
    time_delta: Int = u32(4)  # TCA_ROOT_TIME_DELTA
    ext_warn_msg: Str = string(5)  # TCA_ROOT_EXT_WARN_MSG
    event: Member[Event] = event(Event)
