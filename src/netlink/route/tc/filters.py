"""Options of filters, by kind: linux/pkt_cls.h. Those of flower are in their own module.

classid is the class that a packet goes to. actions are done in their order, to packets that fit. police is the action
police in an old form.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from netlink.route.tc.actions import Action, Police, SockFilter
from netlink.route.tc.ematch import EmatchTree
from netlink.route.tc.handle import Handle
from netlink.route.tc.kinds import FilterFlags, HandleField, WithHandles, by_handle
from netlink.route.tc.tails import head_of, size_of, tail_of, with_tail
from netlink.schema import (
    Bytes,
    Field,
    Int,
    Items,
    Member,
    Str,
    Struct,
    array,
    be16,
    be32,
    binary,
    nested,
    packed,
    s16,
    s32,
    string,
    struct,
    u8,
    u16,
    u32,
    u64,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "U32",
    "Basic",
    "BasicCounters",
    "Bpf",
    "BpfFlags",
    "Cgroup",
    "Flow",
    "FlowKeys",
    "FlowMode",
    "Fw",
    "Matchall",
    "MatchallCounters",
    "Route4",
    "U32Flags",
    "U32Key",
    "U32Mark",
    "U32Selector",
]


class U32Key(Struct):
    """32 bits of a packet (struct tc_u32_key): they fit if (bits & mask) == val.

    mask, val: in network byte order, as they lie in the packet. off: bytes from the network header, a multiple of 4.
    offmask: -1 to add the offset that an earlier filter computed, else 0.
    """

    mask: Int = be32()
    val: Int = be32()
    off: Int = s32()
    offmask: Int = s32()


class U32Flags(IntFlag):
    """What a selector does (TC_U32_*)."""

    TERMINAL = 1  # TC_U32_TERMINAL, it ends with its class
    OFFSET = 2  # TC_U32_OFFSET
    VAROFFSET = 4  # TC_U32_VAROFFSET, it computes an offset for the next filters
    EAT = 8  # TC_U32_EAT, it adds the offset for good


class U32Selector(Struct, aligned=True):
    """A selector of u32 (struct tc_u32_sel), before its keys.

    off, offoff, offmask, offshift: how an offset is computed. hoff, hmask: where the hash of a link is.
    """

    flags: Member[U32Flags] = u8(enum=U32Flags)
    offshift: Int = u8()
    nkeys: Int = u8()
    offmask: Int = be16()
    off: Int = u16()
    offoff: Int = s16()
    hoff: Int = s16()
    hmask: Int = be32()


class U32Mark(Struct):
    """The mark of a packet (struct tc_u32_mark). success: reported, how often it was right."""

    val: Int = u32()
    mask: Int = u32()
    success: Int = u32()


class U32(WithHandles, ignore=(12,)):
    """Options of u32 (TCA_U32_*): it compares bits of packets.

    sel: a `U32Selector`, and a `U32Key` for each of its nkeys. `U32.of` makes it, and `selector` and `keys` read it.
    divisor: makes a hash table of so many buckets, a power of two, instead of a filter. hash: the table and bucket that
    the filter lies in. link: the table to go on with. Both are as `u32_handle` makes them. counters: reported, how
    often a packet came, how often it did fit, and how often each key did.
    """

    classid: HandleField = by_handle(u32(1, enum=Handle))  # TCA_U32_CLASSID
    hash: Int = u32(2)  # TCA_U32_HASH
    link: Int = u32(3)  # TCA_U32_LINK
    divisor: Int = u32(4)  # TCA_U32_DIVISOR
    sel: Bytes = binary(5)  # TCA_U32_SEL
    police: Field[Police | None] = nested(6, Police, rare=True)  # TCA_U32_POLICE
    actions: Items[Action] = array(7, Action)  # TCA_U32_ACT
    indev: Str = string(8)  # TCA_U32_INDEV
    counters: Items[int] = packed(9, u64)  # TCA_U32_PCNT
    mark: Field[U32Mark | None] = struct(10, U32Mark)  # TCA_U32_MARK
    flags: Member[FilterFlags] = u32(11, enum=FilterFlags)  # TCA_U32_FLAGS

    @classmethod
    def of(
        cls,
        keys: Iterable[U32Key],
        *,
        selector: U32Selector | None = None,
        classid: int | str | None = None,
        actions: Iterable[Action] | None = None,
        hash: int | None = None,  # noqa: A002 - the kernel's name
        link: int | None = None,
    ) -> U32:
        """The options of keys, all of which must fit. None: every packet fits.

        selector: more of it; its nkeys is set. Without one the filter ends with its classid, if it has one.
        """
        keys = list(keys) or [U32Key()]
        if selector is None:
            selector = U32Selector(flags=0 if classid is None else U32Flags.TERMINAL)
        sel = with_tail(selector.replace(nkeys=len(keys)), keys)
        return cls(sel=sel, classid=classid, actions=actions, hash=hash, link=link)

    @property
    def selector(self) -> U32Selector | None:
        """The selector without its keys."""
        return head_of(U32Selector, self.sel)

    @property
    def keys(self) -> tuple[U32Key, ...]:
        """The keys of the selector."""
        return tail_of(U32Key, self.sel, size_of(U32Selector))


class MatchallCounters(Struct):
    """How often a packet came (struct tc_matchall_pcnt)."""

    rhit: Int = u64()


class Matchall(WithHandles, ignore=(5,)):
    """Options of matchall (TCA_MATCHALL_*): all packets fit."""

    classid: HandleField = by_handle(u32(1, enum=Handle))  # TCA_MATCHALL_CLASSID
    actions: Items[Action] = array(2, Action)  # TCA_MATCHALL_ACT
    flags: Member[FilterFlags] = u32(3, enum=FilterFlags)  # TCA_MATCHALL_FLAGS
    counters: Field[MatchallCounters | None] = struct(4, MatchallCounters)  # TCA_MATCHALL_PCNT


class Fw(WithHandles):
    """Options of fw (TCA_FW_*): packets with a mark, `Filter.handle`. mask: the bits of it that count.

    Without options the mark of a packet is its class.
    """

    classid: HandleField = by_handle(u32(1, enum=Handle))  # TCA_FW_CLASSID
    police: Field[Police | None] = nested(2, Police, rare=True)  # TCA_FW_POLICE
    indev: Str = string(3)  # TCA_FW_INDEV
    actions: Items[Action] = array(4, Action)  # TCA_FW_ACT
    mask: Int = u32(5)  # TCA_FW_MASK


class Route4(WithHandles):
    """Options of route (TCA_ROUTE4_*): packets by the realms of their route, or the device that they came by.

    `Filter.handle` is required: to, and from in the upper 16 bits.
    """

    classid: HandleField = by_handle(u32(1, enum=Handle))  # TCA_ROUTE4_CLASSID
    to: Int = u32(2)  # TCA_ROUTE4_TO
    from_: Int = u32(3)  # TCA_ROUTE4_FROM
    iif: Int = u32(4)  # TCA_ROUTE4_IIF
    police: Field[Police | None] = nested(5, Police, rare=True)  # TCA_ROUTE4_POLICE
    actions: Items[Action] = array(6, Action)  # TCA_ROUTE4_ACT


class FlowKeys(IntFlag):
    """What a flow is told by: bits of the numbers FLOW_KEY_*."""

    SRC = 1 << 0  # FLOW_KEY_SRC
    DST = 1 << 1  # FLOW_KEY_DST
    PROTO = 1 << 2  # FLOW_KEY_PROTO
    PROTO_SRC = 1 << 3  # FLOW_KEY_PROTO_SRC
    PROTO_DST = 1 << 4  # FLOW_KEY_PROTO_DST
    IIF = 1 << 5  # FLOW_KEY_IIF
    PRIORITY = 1 << 6  # FLOW_KEY_PRIORITY
    MARK = 1 << 7  # FLOW_KEY_MARK
    NFCT = 1 << 8  # FLOW_KEY_NFCT
    NFCT_SRC = 1 << 9  # FLOW_KEY_NFCT_SRC
    NFCT_DST = 1 << 10  # FLOW_KEY_NFCT_DST
    NFCT_PROTO_SRC = 1 << 11  # FLOW_KEY_NFCT_PROTO_SRC
    NFCT_PROTO_DST = 1 << 12  # FLOW_KEY_NFCT_PROTO_DST
    RTCLASSID = 1 << 13  # FLOW_KEY_RTCLASSID
    SKUID = 1 << 14  # FLOW_KEY_SKUID
    SKGID = 1 << 15  # FLOW_KEY_SKGID
    VLAN_TAG = 1 << 16  # FLOW_KEY_VLAN_TAG
    RXHASH = 1 << 17  # FLOW_KEY_RXHASH


class FlowMode(IntEnum):
    """How keys give a class (FLOW_MODE_*)."""

    MAP = 0  # FLOW_MODE_MAP, one key as a number
    HASH = 1  # FLOW_MODE_HASH, all of them by a hash


class Flow(WithHandles):
    """Options of flow (TCA_FLOW_*): the class is computed from keys, and counted from baseclass.

    For `FlowMode.MAP` it is ((key & mask) ^ xor) + addend, shifted right by rshift; then the rest by divisor. perturb:
    seconds between changes of the hash, in a request; milliseconds in a report.
    """

    keys: Member[FlowKeys] = u32(1, enum=FlowKeys)  # TCA_FLOW_KEYS
    mode: Member[FlowMode] = u32(2, enum=FlowMode)  # TCA_FLOW_MODE
    baseclass: HandleField = by_handle(u32(3, enum=Handle))  # TCA_FLOW_BASECLASS
    rshift: Int = u32(4)  # TCA_FLOW_RSHIFT
    addend: Int = u32(5)  # TCA_FLOW_ADDEND
    mask: Int = u32(6)  # TCA_FLOW_MASK
    xor: Int = u32(7)  # TCA_FLOW_XOR
    divisor: Int = u32(8)  # TCA_FLOW_DIVISOR
    actions: Items[Action] = array(9, Action)  # TCA_FLOW_ACT
    police: Field[Police | None] = nested(10, Police, rare=True)  # TCA_FLOW_POLICE
    ematches: Field[EmatchTree | None] = nested(11, EmatchTree)  # TCA_FLOW_EMATCHES
    perturb: Int = u32(12)  # TCA_FLOW_PERTURB


class BasicCounters(Struct):
    """How often a packet came, and how often it did fit (struct tc_basic_pcnt)."""

    rcnt: Int = u64()
    rhit: Int = u64()


class Basic(WithHandles, ignore=(6,)):
    """Options of basic (TCA_BASIC_*): extended matches."""

    classid: HandleField = by_handle(u32(1, enum=Handle))  # TCA_BASIC_CLASSID
    ematches: Field[EmatchTree | None] = nested(2, EmatchTree)  # TCA_BASIC_EMATCHES
    actions: Items[Action] = array(3, Action)  # TCA_BASIC_ACT
    police: Field[Police | None] = nested(4, Police, rare=True)  # TCA_BASIC_POLICE
    counters: Field[BasicCounters | None] = struct(5, BasicCounters)  # TCA_BASIC_PCNT


class Cgroup(WithHandles):
    """Options of cgroup (TCA_CGROUP_*): the class of a packet is that of the sender's control group (net_cls).

    It has a `Filter.handle` of 1 or more, and is deleted with 0.
    """

    actions: Items[Action] = array(1, Action)  # TCA_CGROUP_ACT
    police: Field[Police | None] = nested(2, Police, rare=True)  # TCA_CGROUP_POLICE
    ematches: Field[EmatchTree | None] = nested(3, EmatchTree)  # TCA_CGROUP_EMATCHES


class BpfFlags(IntFlag):
    """What the value of a program is (TCA_BPF_FLAG_*)."""

    ACT_DIRECT = 1  # TCA_BPF_FLAG_ACT_DIRECT, a verdict, no class


class Bpf(WithHandles):
    """Options of bpf (TCA_BPF_*): a program decides.

    ops: instructions of classic BPF, and ops_len their count. fd: of an eBPF program, with its name; tag and id of that
    are reported. flags_gen: where the filter works.
    """

    actions: Items[Action] = array(1, Action)  # TCA_BPF_ACT
    police: Field[Police | None] = nested(2, Police, rare=True)  # TCA_BPF_POLICE
    classid: HandleField = by_handle(u32(3, enum=Handle))  # TCA_BPF_CLASSID
    ops_len: Int = u16(4)  # TCA_BPF_OPS_LEN
    ops: Items[SockFilter] = packed(5, SockFilter)  # TCA_BPF_OPS
    fd: Int = u32(6)  # TCA_BPF_FD
    name: Str = string(7)  # TCA_BPF_NAME
    flags: Member[BpfFlags] = u32(8, enum=BpfFlags)  # TCA_BPF_FLAGS
    flags_gen: Member[FilterFlags] = u32(9, enum=FilterFlags)  # TCA_BPF_FLAGS_GEN
    tag: Bytes = binary(10)  # TCA_BPF_TAG
    id: Int = u32(11)  # TCA_BPF_ID
