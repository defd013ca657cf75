"""Actions of filters, by kind: linux/pkt_cls.h and linux/tc_act/*.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any

from netlink.route.tc.kinds import Kinded
from netlink.route.tc.rates import LinkLayer, RateSpec, large, rate_table, ticks
from netlink.route.tc.stats import ActionTimes, BasicStats, QueueStats, RateStats, RateStats64
from netlink.route.tc.tails import head_of, size_of, tail_of, with_tail
from netlink.schema import (
    AttributeSet,
    Bits,
    Bytes,
    Field,
    Flag,
    Int,
    IPv4,
    IPv6,
    Items,
    Member,
    Str,
    Struct,
    be16,
    be32,
    binary,
    bitfield32,
    flag,
    ipv4,
    ipv6,
    key,
    mac,
    nested,
    packed,
    repeated,
    s32,
    string,
    struct,
    submessage,
    u8,
    u16,
    u32,
    u64,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ActBpf",
    "Action",
    "ActionStats",
    "Connmark",
    "ConnmarkParms",
    "Csum",
    "CsumFlags",
    "CsumParms",
    "Ct",
    "CtFlags",
    "Ctinfo",
    "Gact",
    "GactProb",
    "GactRandom",
    "Gate",
    "GateEntry",
    "HwStats",
    "Ife",
    "IfeFlags",
    "IfeMeta",
    "IfeParms",
    "Mirred",
    "MirredAction",
    "MirredParms",
    "Mpls",
    "MplsAction",
    "MplsParms",
    "Nat",
    "NatFlags",
    "NatParms",
    "Parms",
    "Pedit",
    "PeditCommand",
    "PeditHeader",
    "PeditKey",
    "PeditKeyEx",
    "PeditSelector",
    "Police",
    "PoliceParms",
    "Sample",
    "Simple",
    "Skbedit",
    "SkbeditFlags",
    "Skbmod",
    "SkbmodFlags",
    "SkbmodParms",
    "SockFilter",
    "TunnelKey",
    "TunnelKeyAction",
    "TunnelKeyErspan",
    "TunnelKeyGeneve",
    "TunnelKeyOptions",
    "TunnelKeyParms",
    "TunnelKeyVxlan",
    "Verdict",
    "Vlan",
    "VlanAction",
    "VlanParms",
    "goto_chain",
    "jump",
]


class Verdict(IntEnum):
    """What becomes of a packet after an action (TC_ACT_*). `goto_chain` and `jump` make others."""

    UNSPEC = -1  # TC_ACT_UNSPEC, go on with the next filter
    OK = 0  # TC_ACT_OK, accept it
    RECLASSIFY = 1  # TC_ACT_RECLASSIFY, begin again with the first filter
    SHOT = 2  # TC_ACT_SHOT, drop it
    PIPE = 3  # TC_ACT_PIPE, go on with the next action
    STOLEN = 4  # TC_ACT_STOLEN, drop it without counting it as dropped
    QUEUED = 5  # TC_ACT_QUEUED
    REPEAT = 6  # TC_ACT_REPEAT, do the action again
    REDIRECT = 7  # TC_ACT_REDIRECT
    TRAP = 8  # TC_ACT_TRAP, from hardware to the CPU


class _Extended(IntEnum):
    JUMP = 0x10000000  # TC_ACT_JUMP
    GOTO_CHAIN = 0x20000000  # TC_ACT_GOTO_CHAIN


def goto_chain(chain: int) -> int:
    """The verdict to go on with the filters of a chain (TC_ACT_GOTO_CHAIN)."""
    return _extended(_Extended.GOTO_CHAIN, chain)


def jump(count: int) -> int:
    """The verdict to leave out a number of actions (TC_ACT_JUMP)."""
    return _extended(_Extended.JUMP, count)


def _extended(opcode: _Extended, value: int) -> int:
    if not 0 <= value < _Extended.JUMP:
        raise ValueError(f"such a verdict has 28 bits for its value, not {value}")
    return opcode | value


class Parms(Struct):
    """What all kinds have (tc_gen of linux/pkt_cls.h).

    index: the number of the action, 0 for a new one. action: a `Verdict`. refcnt, bindcnt: reported, who uses it.
    """

    index: Int = u32()
    capab: Int = u32()
    action: Member[Verdict] = s32(enum=Verdict)
    refcnt: Int = s32()
    bindcnt: Int = s32()


class SockFilter(Struct):
    """An instruction of classic BPF (struct sock_filter), as `netlink.bpf.Instruction`."""

    code: Int = u16()
    jt: Int = u8()
    jf: Int = u8()
    k: Int = u32()


class ActBpf(AttributeSet, ignore=(7,)):
    """Options of bpf (TCA_ACT_BPF_*): a program that decides. fd: of an eBPF program, with its name. id: reported."""

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_ACT_BPF_TM
    parms: Field[Parms | None] = struct(2, Parms)  # TCA_ACT_BPF_PARMS
    ops_len: Int = u16(3)  # TCA_ACT_BPF_OPS_LEN
    ops: Items[SockFilter] = packed(4, SockFilter)  # TCA_ACT_BPF_OPS
    fd: Int = u32(5)  # TCA_ACT_BPF_FD
    name: Str = string(6)  # TCA_ACT_BPF_NAME
    tag: Bytes = binary(8)  # TCA_ACT_BPF_TAG
    id: Int = u32(9)  # TCA_ACT_BPF_ID


class ConnmarkParms(Parms, aligned=True):
    """The parameters of connmark (struct tc_connmark). zone: of conntrack."""

    zone: Int = u16()


class Connmark(AttributeSet, ignore=(3,)):
    """Options of connmark (TCA_CONNMARK_*): it marks a packet as its flow."""

    parms: Field[ConnmarkParms | None] = struct(1, ConnmarkParms)  # TCA_CONNMARK_PARMS
    tm: Field[ActionTimes | None] = struct(2, ActionTimes)  # TCA_CONNMARK_TM


class CsumFlags(IntFlag):
    """The checksums to compute (TCA_CSUM_UPDATE_FLAG_*)."""

    IPV4HDR = 1  # TCA_CSUM_UPDATE_FLAG_IPV4HDR
    ICMP = 2  # TCA_CSUM_UPDATE_FLAG_ICMP
    IGMP = 4  # TCA_CSUM_UPDATE_FLAG_IGMP
    TCP = 8  # TCA_CSUM_UPDATE_FLAG_TCP
    UDP = 16  # TCA_CSUM_UPDATE_FLAG_UDP
    UDPLITE = 32  # TCA_CSUM_UPDATE_FLAG_UDPLITE
    SCTP = 64  # TCA_CSUM_UPDATE_FLAG_SCTP


class CsumParms(Parms):
    """The parameters of csum (struct tc_csum)."""

    update_flags: Member[CsumFlags] = u32(enum=CsumFlags)


class Csum(AttributeSet, ignore=(3,)):
    """Options of csum (TCA_CSUM_*): it computes checksums anew."""

    parms: Field[CsumParms | None] = struct(1, CsumParms)  # TCA_CSUM_PARMS
    tm: Field[ActionTimes | None] = struct(2, ActionTimes)  # TCA_CSUM_TM


class CtFlags(IntFlag):
    """What ct does (TCA_CT_ACT_*)."""

    COMMIT = 1  # TCA_CT_ACT_COMMIT, confirm the flow
    FORCE = 2  # TCA_CT_ACT_FORCE, make a new flow for the other direction
    CLEAR = 4  # TCA_CT_ACT_CLEAR, forget the flow of the packet
    NAT = 8  # TCA_CT_ACT_NAT
    NAT_SRC = 16  # TCA_CT_ACT_NAT_SRC
    NAT_DST = 32  # TCA_CT_ACT_NAT_DST


class Ct(AttributeSet, ignore=(15,)):
    """Options of ct (TCA_CT_*): it looks a packet up in conntrack. labels, labels_mask: 16 bytes."""

    parms: Field[Parms | None] = struct(1, Parms)  # TCA_CT_PARMS
    tm: Field[ActionTimes | None] = struct(2, ActionTimes)  # TCA_CT_TM
    action: Member[CtFlags] = u16(3, enum=CtFlags)  # TCA_CT_ACTION
    zone: Int = u16(4)  # TCA_CT_ZONE
    mark: Int = u32(5)  # TCA_CT_MARK
    mark_mask: Int = u32(6)  # TCA_CT_MARK_MASK
    labels: Bytes = binary(7)  # TCA_CT_LABELS
    labels_mask: Bytes = binary(8)  # TCA_CT_LABELS_MASK
    nat_ipv4_min: IPv4 = ipv4(9)  # TCA_CT_NAT_IPV4_MIN
    nat_ipv4_max: IPv4 = ipv4(10)  # TCA_CT_NAT_IPV4_MAX
    nat_ipv6_min: IPv6 = ipv6(11)  # TCA_CT_NAT_IPV6_MIN
    nat_ipv6_max: IPv6 = ipv6(12)  # TCA_CT_NAT_IPV6_MAX
    nat_port_min: Int = be16(13)  # TCA_CT_NAT_PORT_MIN
    nat_port_max: Int = be16(14)  # TCA_CT_NAT_PORT_MAX
    helper_name: Str = string(16)  # TCA_CT_HELPER_NAME
    helper_family: Int = u8(17)  # TCA_CT_HELPER_FAMILY
    helper_proto: Int = u8(18)  # TCA_CT_HELPER_PROTO


class Ctinfo(AttributeSet, ignore=(1,)):
    """Options of ctinfo (TCA_CTINFO_*): it takes the DSCP or the mark of a packet from the mark of its flow."""

    tm: Field[ActionTimes | None] = struct(2, ActionTimes)  # TCA_CTINFO_TM
    parms: Field[Parms | None] = struct(3, Parms)  # TCA_CTINFO_ACT
    zone: Int = u16(4)  # TCA_CTINFO_ZONE
    dscp_mask: Int = u32(5)  # TCA_CTINFO_PARMS_DSCP_MASK
    dscp_statemask: Int = u32(6)  # TCA_CTINFO_PARMS_DSCP_STATEMASK
    cpmark_mask: Int = u32(7)  # TCA_CTINFO_PARMS_CPMARK_MASK
    stats_dscp_set: Int = u64(8)  # TCA_CTINFO_STATS_DSCP_SET
    stats_dscp_error: Int = u64(9)  # TCA_CTINFO_STATS_DSCP_ERROR
    stats_cpmark_set: Int = u64(10)  # TCA_CTINFO_STATS_CPMARK_SET


class GactRandom(IntEnum):
    """Which packets get the other verdict (PGACT_*)."""

    NONE = 0  # PGACT_NONE
    NETRAND = 1  # PGACT_NETRAND, one of pval at random
    DETERM = 2  # PGACT_DETERM, every pval-th


class GactProb(Struct):
    """A second verdict for one of pval packets (struct tc_gact_p)."""

    ptype: Member[GactRandom] = u16(enum=GactRandom)
    pval: Int = u16()
    paction: Member[Verdict] = s32(enum=Verdict)


class Gact(AttributeSet, ignore=(4,)):
    """Options of gact (TCA_GACT_*): it is a verdict alone, as drop or pass."""

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_GACT_TM
    parms: Field[Parms | None] = struct(2, Parms)  # TCA_GACT_PARMS
    prob: Field[GactProb | None] = struct(3, GactProb)  # TCA_GACT_PROB


class GateEntry(AttributeSet):
    """An entry of a gate's schedule (TCA_GATE_ENTRY_*). gate: open. interval: nanoseconds. ipv, max_octets: or -1."""

    index: Int = u32(1)  # TCA_GATE_ENTRY_INDEX
    gate: Flag = flag(2)  # TCA_GATE_ENTRY_GATE
    interval: Int = u32(3)  # TCA_GATE_ENTRY_INTERVAL
    ipv: Int = s32(4)  # TCA_GATE_ENTRY_IPV
    max_octets: Int = s32(5)  # TCA_GATE_ENTRY_MAX_OCTETS


class Gate(AttributeSet, ignore=(3,)):
    """Options of gate (TCA_GATE_*): it lets packets pass by time, in nanoseconds."""

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_GATE_TM
    parms: Field[Parms | None] = struct(2, Parms)  # TCA_GATE_PARMS
    priority: Int = s32(4)  # TCA_GATE_PRIORITY
    entries: Items[GateEntry] = repeated((5, 1), GateEntry)  # TCA_GATE_ENTRY_LIST, TCA_GATE_ONE_ENTRY
    base_time: Int = u64(6)  # TCA_GATE_BASE_TIME
    cycle_time: Int = u64(7)  # TCA_GATE_CYCLE_TIME
    cycle_time_ext: Int = u64(8)  # TCA_GATE_CYCLE_TIME_EXT
    flags: Int = u32(9)  # TCA_GATE_FLAGS
    clockid: Int = s32(10)  # TCA_GATE_CLOCKID


class IfeFlags(IntFlag):
    """What ife does (IFE_*): without a flag it decodes."""

    ENCODE = 1  # IFE_ENCODE


class IfeParms(Parms, aligned=True):
    """The parameters of ife (struct tc_ife)."""

    flags: Member[IfeFlags] = u16(enum=IfeFlags)


class IfeMeta(AttributeSet):
    """What travels with a packet (IFE_META_* of linux/ife.h): b"" for its own value, or the bytes of a fixed one."""

    skbmark: Bytes = binary(1)  # IFE_META_SKBMARK
    hashid: Bytes = binary(2)  # IFE_META_HASHID
    prio: Bytes = binary(3)  # IFE_META_PRIO
    qmap: Bytes = binary(4)  # IFE_META_QMAP
    tcindex: Bytes = binary(5)  # IFE_META_TCINDEX


class Ife(AttributeSet, ignore=(7,)):
    """Options of ife (TCA_IFE_*): it sends metadata with a packet. type: an Ethertype, in host byte order."""

    parms: Field[IfeParms | None] = struct(1, IfeParms)  # TCA_IFE_PARMS
    tm: Field[ActionTimes | None] = struct(2, ActionTimes)  # TCA_IFE_TM
    dmac: Str = mac(3)  # TCA_IFE_DMAC
    smac: Str = mac(4)  # TCA_IFE_SMAC
    type: Int = u16(5)  # TCA_IFE_TYPE
    metalist: Field[IfeMeta | None] = nested(6, IfeMeta)  # TCA_IFE_METALST


class MirredAction(IntEnum):
    """Where a packet or its copy goes (TCA_*GRESS_REDIR, TCA_*GRESS_MIRROR)."""

    EGRESS_REDIR = 1  # TCA_EGRESS_REDIR
    EGRESS_MIRROR = 2  # TCA_EGRESS_MIRROR
    INGRESS_REDIR = 3  # TCA_INGRESS_REDIR
    INGRESS_MIRROR = 4  # TCA_INGRESS_MIRROR


class MirredParms(Parms):
    """The parameters of mirred (struct tc_mirred). ifindex: of the device."""

    eaction: Member[MirredAction] = s32(enum=MirredAction)
    ifindex: Int = u32()


class Mirred(AttributeSet, ignore=(3,)):
    """Options of mirred (TCA_MIRRED_*): it redirects packets or copies them. blockid: to all devices of a block."""

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_MIRRED_TM
    parms: Field[MirredParms | None] = struct(2, MirredParms)  # TCA_MIRRED_PARMS
    blockid: Int = u32(4)  # TCA_MIRRED_BLOCKID


class MplsAction(IntEnum):
    """What mpls does (TCA_MPLS_ACT_*)."""

    POP = 1  # TCA_MPLS_ACT_POP
    PUSH = 2  # TCA_MPLS_ACT_PUSH
    MODIFY = 3  # TCA_MPLS_ACT_MODIFY
    DEC_TTL = 4  # TCA_MPLS_ACT_DEC_TTL
    MAC_PUSH = 5  # TCA_MPLS_ACT_MAC_PUSH


class MplsParms(Parms):
    """The parameters of mpls (struct tc_mpls)."""

    m_action: Member[MplsAction] = s32(enum=MplsAction)


class Mpls(AttributeSet, ignore=(3,)):
    """Options of mpls (TCA_MPLS_*): it changes the label stack. proto: an Ethertype."""

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_MPLS_TM
    parms: Field[MplsParms | None] = struct(2, MplsParms)  # TCA_MPLS_PARMS
    proto: Int = be16(4)  # TCA_MPLS_PROTO
    label: Int = u32(5)  # TCA_MPLS_LABEL
    tc: Int = u8(6)  # TCA_MPLS_TC
    ttl: Int = u8(7)  # TCA_MPLS_TTL
    bos: Int = u8(8)  # TCA_MPLS_BOS


class NatFlags(IntFlag):
    """How nat works (TCA_NAT_FLAG_*): without a flag on the destination of packets."""

    EGRESS = 1  # TCA_NAT_FLAG_EGRESS, on the source


class NatParms(Parms):
    """The parameters of nat (struct tc_nat)."""

    old_addr: IPv4 = ipv4()
    new_addr: IPv4 = ipv4()
    mask: IPv4 = ipv4()
    flags: Member[NatFlags] = u32(enum=NatFlags)


class Nat(AttributeSet, ignore=(3,)):
    """Options of nat (TCA_NAT_*): it translates addresses without conntrack."""

    parms: Field[NatParms | None] = struct(1, NatParms)  # TCA_NAT_PARMS
    tm: Field[ActionTimes | None] = struct(2, ActionTimes)  # TCA_NAT_TM


class PeditKey(Struct):
    """A change of 4 bytes of a packet (struct tc_pedit_key): their new value is (old & mask) ^ val.

    mask, val: in network byte order, as they lie in the packet. off: the offset from the header, a multiple of 4. at,
    offmask, shift: where the packet has a number that is added to off.
    """

    mask: Int = be32()
    val: Int = be32()
    off: Int = u32()
    at: Int = u32()
    offmask: Int = u32()
    shift: Int = u32()


class PeditHeader(IntEnum):
    """Where the offset of a key begins (TCA_PEDIT_KEY_EX_HDR_TYPE_*)."""

    NETWORK = 0  # TCA_PEDIT_KEY_EX_HDR_TYPE_NETWORK
    ETH = 1  # TCA_PEDIT_KEY_EX_HDR_TYPE_ETH
    IP4 = 2  # TCA_PEDIT_KEY_EX_HDR_TYPE_IP4
    IP6 = 3  # TCA_PEDIT_KEY_EX_HDR_TYPE_IP6
    TCP = 4  # TCA_PEDIT_KEY_EX_HDR_TYPE_TCP
    UDP = 5  # TCA_PEDIT_KEY_EX_HDR_TYPE_UDP


class PeditCommand(IntEnum):
    """Whether a key sets or adds (TCA_PEDIT_KEY_EX_CMD_*)."""

    SET = 0  # TCA_PEDIT_KEY_EX_CMD_SET
    ADD = 1  # TCA_PEDIT_KEY_EX_CMD_ADD


class PeditKeyEx(AttributeSet):
    """The header and the command of a key (TCA_PEDIT_KEY_EX_*)."""

    htype: Member[PeditHeader] = u16(1, enum=PeditHeader)  # TCA_PEDIT_KEY_EX_HTYPE
    cmd: Member[PeditCommand] = u16(2, enum=PeditCommand)  # TCA_PEDIT_KEY_EX_CMD


class PeditSelector(Parms, aligned=True):
    """The parameters of pedit (struct tc_pedit_sel), before its keys."""

    nkeys: Int = u8()
    flags: Int = u8()


class Pedit(AttributeSet, ignore=(3,)):
    """Options of pedit (TCA_PEDIT_*): it changes bytes of packets.

    parms, parms_ex: a `PeditSelector`, and a `PeditKey` for each of its nkeys. `Pedit.of` makes them, `selector` and
    `keys` read them. keys_ex: one for each key, with parms_ex.
    """

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_PEDIT_TM
    parms: Bytes = binary(2)  # TCA_PEDIT_PARMS
    parms_ex: Bytes = binary(4)  # TCA_PEDIT_PARMS_EX
    keys_ex: Items[PeditKeyEx] = repeated((5, 6), PeditKeyEx)  # TCA_PEDIT_KEYS_EX, TCA_PEDIT_KEY_EX

    @classmethod
    def of(
        cls,
        keys: Iterable[PeditKey],
        keys_ex: Iterable[PeditKeyEx] | None = None,
        *,
        action: int = Verdict.PIPE,
        index: int = 0,
    ) -> Pedit:
        """The options of keys, and of their headers and commands. ValueError if these are not as many."""
        keys = list(keys)
        extended = None if keys_ex is None else list(keys_ex)
        if extended is not None and len(extended) != len(keys):
            raise ValueError(f"want a PeditKeyEx for each of {len(keys)} keys, not {len(extended)}")
        payload = with_tail(PeditSelector(index=index, action=action, nkeys=len(keys)), keys)
        return cls(parms=payload) if extended is None else cls(parms_ex=payload, keys_ex=extended)

    @property
    def selector(self) -> PeditSelector | None:
        """The parameters, from parms_ex or parms."""
        return head_of(PeditSelector, self.parms_ex or self.parms)

    @property
    def keys(self) -> tuple[PeditKey, ...]:
        """The keys behind the parameters."""
        return tail_of(PeditKey, self.parms_ex or self.parms, size_of(PeditSelector))


class PoliceParms(Struct, aligned=True):
    """The parameters of police (struct tc_police).

    action: a `Verdict` for packets above the rate. burst: in `ticks` of rate. mtu: bytes of the largest packet.
    """

    index: Int = u32()
    action: Member[Verdict] = s32(enum=Verdict)
    limit: Int = u32()
    burst: Int = u32()
    mtu: Int = u32()
    rate: Field[RateSpec | None] = struct(None, RateSpec)
    peakrate: Field[RateSpec | None] = struct(None, RateSpec)
    refcnt: Int = s32()
    bindcnt: Int = s32()
    capab: Int = u32()


class Police(AttributeSet, ignore=(7,)):
    """Options of police (TCA_POLICE_*): it limits a rate. `Police.of` makes them.

    rate, peakrate: rate tables, required with a rate in parms. avrate: bytes a second, as the estimator of the action
    measures them. result: the `Verdict` for packets within the rate. rate64, peakrate64: bytes a second that 32 bits do
    not hold. pktrate64, pktburst64: packets a second, and their burst in `ticks`.
    """

    parms: Field[PoliceParms | None] = struct(1, PoliceParms)  # TCA_POLICE_TBF
    rate: Bytes = binary(2)  # TCA_POLICE_RATE
    peakrate: Bytes = binary(3)  # TCA_POLICE_PEAKRATE
    avrate: Int = u32(4)  # TCA_POLICE_AVRATE
    result: Member[Verdict] = u32(5, enum=Verdict)  # TCA_POLICE_RESULT
    tm: Field[ActionTimes | None] = struct(6, ActionTimes)  # TCA_POLICE_TM
    rate64: Int = u64(8)  # TCA_POLICE_RATE64
    peakrate64: Int = u64(9)  # TCA_POLICE_PEAKRATE64
    pktrate64: Int = u64(10)  # TCA_POLICE_PKTRATE64
    pktburst64: Int = u64(11)  # TCA_POLICE_PKTBURST64

    @classmethod
    def of(
        cls,
        rate: int | str | None = None,
        burst: int = 0,
        *,
        packets: int | None = None,
        packet_burst: int = 0,
        action: int = Verdict.RECLASSIFY,
        result: int | None = None,
        mtu: int = 0,
        overhead: int = 0,
        mpu: int = 0,
        linklayer: LinkLayer = LinkLayer.ETHERNET,
    ) -> Police:
        """The options of a rate in bytes or in packets.

        rate: bytes a second, or text such as "10mbit"; burst: bytes. packets: packets a second; packet_burst: packets.
        action: for packets above it. result: for those within it. ValueError unless it is one of both rates, with a
        burst of at least 1.
        """
        if (rate is None) == (packets is None):
            raise ValueError("want either rate= or packets=")
        if (burst if packets is None else packet_burst) < 1:
            raise ValueError("want a burst of at least 1 with a rate")
        if rate is None:
            assert packets is not None
            return cls(
                parms=PoliceParms(action=action, mtu=mtu),
                result=result,
                pktrate64=packets,
                pktburst64=ticks(packet_burst, packets),
            )
        spec = RateSpec.of(rate, overhead=overhead, mpu=mpu, mtu=mtu or _POLICE_MTU, linklayer=linklayer)
        return cls(
            parms=PoliceParms(action=action, burst=ticks(burst, rate), mtu=mtu, rate=spec),
            rate=rate_table(spec, rate),
            result=result,
            rate64=large(rate),
        )


_POLICE_MTU = 2047


class Sample(AttributeSet, ignore=(6,)):
    """Options of sample (TCA_SAMPLE_*): one of rate packets goes to a group of the family psample."""

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_SAMPLE_TM
    parms: Field[Parms | None] = struct(2, Parms)  # TCA_SAMPLE_PARMS
    rate: Int = u32(3)  # TCA_SAMPLE_RATE
    trunc_size: Int = u32(4)  # TCA_SAMPLE_TRUNC_SIZE
    psample_group: Int = u32(5)  # TCA_SAMPLE_PSAMPLE_GROUP


class Simple(AttributeSet, ignore=(4,)):
    """Options of simple (TCA_DEF_*): it prints a text to the kernel's log."""

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_DEF_TM
    parms: Field[Parms | None] = struct(2, Parms)  # TCA_DEF_PARMS
    data: Str = string(3)  # TCA_DEF_DATA


class SkbeditFlags(IntFlag):
    """What else skbedit sets (SKBEDIT_F_*)."""

    PRIORITY = 0x1  # SKBEDIT_F_PRIORITY
    QUEUE_MAPPING = 0x2  # SKBEDIT_F_QUEUE_MAPPING
    MARK = 0x4  # SKBEDIT_F_MARK
    PTYPE = 0x8  # SKBEDIT_F_PTYPE
    MASK = 0x10  # SKBEDIT_F_MASK
    INHERITDSFIELD = 0x20  # SKBEDIT_F_INHERITDSFIELD, the priority is the DSCP
    TXQ_SKBHASH = 0x40  # SKBEDIT_F_TXQ_SKBHASH, the queue is chosen by hash from a range


class Skbedit(AttributeSet, ignore=(6,)):
    """Options of skbedit (TCA_SKBEDIT_*): it sets metadata of a packet. priority: as a class, or 0 to 15."""

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_SKBEDIT_TM
    parms: Field[Parms | None] = struct(2, Parms)  # TCA_SKBEDIT_PARMS
    priority: Int = u32(3)  # TCA_SKBEDIT_PRIORITY
    queue_mapping: Int = u16(4)  # TCA_SKBEDIT_QUEUE_MAPPING
    mark: Int = u32(5)  # TCA_SKBEDIT_MARK
    ptype: Int = u16(7)  # TCA_SKBEDIT_PTYPE
    mask: Int = u32(8)  # TCA_SKBEDIT_MASK
    flags: Member[SkbeditFlags] = u64(9, enum=SkbeditFlags)  # TCA_SKBEDIT_FLAGS
    queue_mapping_max: Int = u16(10)  # TCA_SKBEDIT_QUEUE_MAPPING_MAX


class SkbmodFlags(IntFlag):
    """What skbmod changes (SKBMOD_F_*)."""

    DMAC = 0x1  # SKBMOD_F_DMAC
    SMAC = 0x2  # SKBMOD_F_SMAC
    ETYPE = 0x4  # SKBMOD_F_ETYPE
    SWAPMAC = 0x8  # SKBMOD_F_SWAPMAC
    ECN = 0x10  # SKBMOD_F_ECN, mark congestion


class SkbmodParms(Parms, aligned=True):
    """The parameters of skbmod (struct tc_skbmod)."""

    flags: Member[SkbmodFlags] = u64(enum=SkbmodFlags)


class Skbmod(AttributeSet, ignore=(6,)):
    """Options of skbmod (TCA_SKBMOD_*): it changes the Ethernet header. etype: in host byte order."""

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_SKBMOD_TM
    parms: Field[SkbmodParms | None] = struct(2, SkbmodParms)  # TCA_SKBMOD_PARMS
    dmac: Str = mac(3)  # TCA_SKBMOD_DMAC
    smac: Str = mac(4)  # TCA_SKBMOD_SMAC
    etype: Int = u16(5)  # TCA_SKBMOD_ETYPE


class TunnelKeyAction(IntEnum):
    """What tunnel_key does (TCA_TUNNEL_KEY_ACT_*)."""

    SET = 1  # TCA_TUNNEL_KEY_ACT_SET
    RELEASE = 2  # TCA_TUNNEL_KEY_ACT_RELEASE


class TunnelKeyParms(Parms):
    """The parameters of tunnel_key (struct tc_tunnel_key)."""

    t_action: Member[TunnelKeyAction] = s32(enum=TunnelKeyAction)


class TunnelKeyGeneve(AttributeSet):
    """An option of geneve (TCA_TUNNEL_KEY_ENC_OPT_GENEVE_*). data: a multiple of 4 bytes."""

    opt_class: Int = be16(1)  # TCA_TUNNEL_KEY_ENC_OPT_GENEVE_CLASS
    type: Int = u8(2)  # TCA_TUNNEL_KEY_ENC_OPT_GENEVE_TYPE
    data: Bytes = binary(3)  # TCA_TUNNEL_KEY_ENC_OPT_GENEVE_DATA


class TunnelKeyVxlan(AttributeSet):
    """The option of vxlan (TCA_TUNNEL_KEY_ENC_OPT_VXLAN_*)."""

    gbp: Int = u32(1)  # TCA_TUNNEL_KEY_ENC_OPT_VXLAN_GBP


class TunnelKeyErspan(AttributeSet):
    """The options of erspan (TCA_TUNNEL_KEY_ENC_OPT_ERSPAN_*)."""

    ver: Int = u8(1)  # TCA_TUNNEL_KEY_ENC_OPT_ERSPAN_VER
    index: Int = be32(2)  # TCA_TUNNEL_KEY_ENC_OPT_ERSPAN_INDEX
    dir: Int = u8(3)  # TCA_TUNNEL_KEY_ENC_OPT_ERSPAN_DIR
    hwid: Int = u8(4)  # TCA_TUNNEL_KEY_ENC_OPT_ERSPAN_HWID


class TunnelKeyOptions(AttributeSet):
    """Options of a tunnel, of one kind (TCA_TUNNEL_KEY_ENC_OPTS_*)."""

    geneve: Items[TunnelKeyGeneve] = repeated(1, TunnelKeyGeneve)  # TCA_TUNNEL_KEY_ENC_OPTS_GENEVE
    vxlan: Field[TunnelKeyVxlan | None] = nested(2, TunnelKeyVxlan)  # TCA_TUNNEL_KEY_ENC_OPTS_VXLAN
    erspan: Field[TunnelKeyErspan | None] = nested(3, TunnelKeyErspan)  # TCA_TUNNEL_KEY_ENC_OPTS_ERSPAN


class TunnelKey(AttributeSet, ignore=(8,)):
    """Options of tunnel_key (TCA_TUNNEL_KEY_*): it sets what a tunnel device encapsulates a packet with."""

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_TUNNEL_KEY_TM
    parms: Field[TunnelKeyParms | None] = struct(2, TunnelKeyParms)  # TCA_TUNNEL_KEY_PARMS
    ipv4_src: IPv4 = ipv4(3)  # TCA_TUNNEL_KEY_ENC_IPV4_SRC
    ipv4_dst: IPv4 = ipv4(4)  # TCA_TUNNEL_KEY_ENC_IPV4_DST
    ipv6_src: IPv6 = ipv6(5)  # TCA_TUNNEL_KEY_ENC_IPV6_SRC
    ipv6_dst: IPv6 = ipv6(6)  # TCA_TUNNEL_KEY_ENC_IPV6_DST
    key_id: Int = be32(7)  # TCA_TUNNEL_KEY_ENC_KEY_ID
    dst_port: Int = be16(9)  # TCA_TUNNEL_KEY_ENC_DST_PORT
    no_csum: Int = u8(10)  # TCA_TUNNEL_KEY_NO_CSUM
    options: Field[TunnelKeyOptions | None] = nested(11, TunnelKeyOptions)  # TCA_TUNNEL_KEY_ENC_OPTS
    tos: Int = u8(12)  # TCA_TUNNEL_KEY_ENC_TOS
    ttl: Int = u8(13)  # TCA_TUNNEL_KEY_ENC_TTL
    no_frag: Flag = flag(14)  # TCA_TUNNEL_KEY_NO_FRAG


class VlanAction(IntEnum):
    """What vlan does (TCA_VLAN_ACT_*)."""

    POP = 1  # TCA_VLAN_ACT_POP
    PUSH = 2  # TCA_VLAN_ACT_PUSH
    MODIFY = 3  # TCA_VLAN_ACT_MODIFY
    POP_ETH = 4  # TCA_VLAN_ACT_POP_ETH
    PUSH_ETH = 5  # TCA_VLAN_ACT_PUSH_ETH


class VlanParms(Parms):
    """The parameters of vlan (struct tc_vlan)."""

    v_action: Member[VlanAction] = s32(enum=VlanAction)


class Vlan(AttributeSet, ignore=(5,)):
    """Options of vlan (TCA_VLAN_*): it changes the VLAN tags of a packet. protocol: an Ethertype."""

    tm: Field[ActionTimes | None] = struct(1, ActionTimes)  # TCA_VLAN_TM
    parms: Field[VlanParms | None] = struct(2, VlanParms)  # TCA_VLAN_PARMS
    id: Int = u16(3)  # TCA_VLAN_PUSH_VLAN_ID
    protocol: Int = be16(4)  # TCA_VLAN_PUSH_VLAN_PROTOCOL
    priority: Int = u8(6)  # TCA_VLAN_PUSH_VLAN_PRIORITY
    eth_dst: Str = mac(7)  # TCA_VLAN_PUSH_ETH_DST
    eth_src: Str = mac(8)  # TCA_VLAN_PUSH_ETH_SRC


# The action


class HwStats(IntFlag):
    """How statistics of hardware are read (TCA_ACT_HW_STATS_*)."""

    IMMEDIATE = 1  # TCA_ACT_HW_STATS_IMMEDIATE
    DELAYED = 2  # TCA_ACT_HW_STATS_DELAYED


class ActionFlags(IntFlag):
    """Flags of an action (TCA_ACT_FLAGS_*)."""

    NO_PERCPU_STATS = 1  # TCA_ACT_FLAGS_NO_PERCPU_STATS
    SKIP_HW = 2  # TCA_ACT_FLAGS_SKIP_HW
    SKIP_SW = 4  # TCA_ACT_FLAGS_SKIP_SW


class ActionStats(AttributeSet, ignore=(6,)):
    """Statistics of an action (TCA_ACT_STATS, TCA_STATS_*)."""

    basic: Field[BasicStats | None] = struct(1, BasicStats)  # TCA_STATS_BASIC
    rate_est: Field[RateStats | None] = struct(2, RateStats)  # TCA_STATS_RATE_EST
    queue: Field[QueueStats | None] = struct(3, QueueStats)  # TCA_STATS_QUEUE
    rate_est64: Field[RateStats64 | None] = struct(5, RateStats64)  # TCA_STATS_RATE_EST64
    basic_hw: Field[BasicStats | None] = struct(7, BasicStats)  # TCA_STATS_BASIC_HW
    pkt64: Int = u64(8)  # TCA_STATS_PKT64


_KINDS: dict[str, type[Any]] = {
    "bpf": ActBpf,
    "connmark": Connmark,
    "csum": Csum,
    "ct": Ct,
    "ctinfo": Ctinfo,
    "gact": Gact,
    "gate": Gate,
    "ife": Ife,
    "mirred": Mirred,
    "mpls": Mpls,
    "nat": Nat,
    "pedit": Pedit,
    "police": Police,
    "sample": Sample,
    "simple": Simple,
    "skbedit": Skbedit,
    "skbmod": Skbmod,
    "tunnel_key": TunnelKey,
    "vlan": Vlan,
}


class Action(Kinded, ignore=(5,)):
    """An action (TCA_ACT_*): of a filter, which does its actions in their order, or of an `ActionTable`.

    kind: such as "mirred"; that of the class of its options, if those are given alone. options: a record, or bytes for
    a kind that is not declared. order: its number, from 1 on if it is not given. index: an existing action of the kind,
    alone for a request. cookie: up to 16 bytes of the user's. in_hw_count: devices that do it.
    """

    kind: Str = string(1)  # TCA_ACT_KIND
    options: Field[
        ActBpf
        | Connmark
        | Csum
        | Ct
        | Ctinfo
        | Gact
        | Gate
        | Ife
        | Mirred
        | Mpls
        | Nat
        | Pedit
        | Police
        | Sample
        | Simple
        | Skbedit
        | Skbmod
        | TunnelKey
        | Vlan
        | bytes
        | None
    ] = submessage(2, on="kind", cases=_KINDS)  # TCA_ACT_OPTIONS
    index: Int = u32(3)  # TCA_ACT_INDEX
    stats: Field[ActionStats | None] = nested(4, ActionStats, rare=True)  # TCA_ACT_STATS
    cookie: Bytes = binary(6)  # TCA_ACT_COOKIE
    flags: Bits = bitfield32(7, enum=ActionFlags)  # TCA_ACT_FLAGS
    hw_stats: Bits = bitfield32(8, enum=HwStats)  # TCA_ACT_HW_STATS
    used_hw_stats: Bits = bitfield32(9, enum=HwStats)  # TCA_ACT_USED_HW_STATS
    in_hw_count: Int = u32(10)  # TCA_ACT_IN_HW_COUNT
    order: Int = key()
