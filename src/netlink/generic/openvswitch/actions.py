"""Actions, what a datapath does with a packet: linux/openvswitch.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.generic.openvswitch.keys import EthernetKey, EtherType, Key, MaskedKey
from netlink.schema import (
    IP,
    AttributeSet,
    Bytes,
    Field,
    Flag,
    Int,
    Items,
    Member,
    Str,
    Struct,
    be16,
    be32,
    binary,
    flag,
    ip,
    nested,
    sequence,
    string,
    struct,
    u16,
    u32,
)

__all__ = [
    "NAT",
    "Action",
    "AddMPLS",
    "CheckLength",
    "Conntrack",
    "DecTTL",
    "Hash",
    "HashAlgorithm",
    "MPLSFlags",
    "MaskedLabels",
    "MaskedMark",
    "PSample",
    "PushMPLS",
    "PushVLAN",
    "Sample",
    "Userspace",
]


class HashAlgorithm(IntEnum):
    """How a packet's hash is computed (OVS_HASH_ALG_*)."""

    L4 = 0  # OVS_HASH_ALG_L4, of addresses and ports
    SYM_L4 = 1  # OVS_HASH_ALG_SYM_L4, the same in both directions


class MPLSFlags(IntFlag):
    """Where a label goes (OVS_MPLS_L3_TUNNEL_FLAG_MASK)."""

    L3_TUNNEL = 1  # OVS_MPLS_L3_TUNNEL_FLAG_MASK, before the network header; without it, before all


class PushVLAN(Struct):
    """A tag (struct ovs_action_push_vlan).

    tpid: `EtherType.VLAN` or `EtherType.QINQ`. tci: 3 bits of priority, the bit 0x1000, and 12 bits, the VLAN's id.
    """

    tpid: Member[EtherType] = be16(enum=EtherType)
    tci: Int = be16()


class PushMPLS(Struct, aligned=True):
    """A label stack entry (struct ovs_action_push_mpls). ethertype: `EtherType.MPLS_UC` or `EtherType.MPLS_MC`."""

    lse: Int = be32()
    ethertype: Member[EtherType] = be16(enum=EtherType)


class AddMPLS(Struct):
    """A label stack entry, and where it goes (struct ovs_action_add_mpls)."""

    lse: Int = be32()
    ethertype: Member[EtherType] = be16(enum=EtherType)
    flags: Member[MPLSFlags] = u16(enum=MPLSFlags)


class Hash(Struct):
    """The hash that `Key.dp_hash` then has (struct ovs_action_hash)."""

    algorithm: Member[HashAlgorithm] = u32(enum=HashAlgorithm)
    basis: Int = u32()


class Userspace(AttributeSet):
    """A packet's way to a program (OVS_USERSPACE_ATTR_*).

    pid: the port id of the program's stream. userdata: what the upcall then has. egress_tun_port: a port whose tunnel
    the upcall then has. actions: whether the upcall has the flow's actions.
    """

    pid: Int = u32(1)  # OVS_USERSPACE_ATTR_PID
    userdata: Bytes = binary(2)  # OVS_USERSPACE_ATTR_USERDATA
    egress_tun_port: Int = u32(3)  # OVS_USERSPACE_ATTR_EGRESS_TUN_PORT
    actions: Flag = flag(4)  # OVS_USERSPACE_ATTR_ACTIONS


class Sample(AttributeSet):
    """Actions for some of the packets (OVS_SAMPLE_ATTR_*). probability: of 0xFFFFFFFF, which is all of them."""

    probability: Int = u32(1)  # OVS_SAMPLE_ATTR_PROBABILITY
    actions: Items[Action] = sequence(2, lambda: Action)  # OVS_SAMPLE_ATTR_ACTIONS


class MaskedMark(Struct):
    """A connection's mark, and its bits that change."""

    value: Int = u32()
    mask: Int = u32()


class MaskedLabels(Struct):
    """A connection's labels, and their bits that change."""

    value: Bytes = binary(size=16)
    mask: Bytes = binary(size=16)


class NAT(AttributeSet):
    """Translation of addresses (OVS_NAT_ATTR_*).

    src, dst: which one; none of them for connections that are translated already. ip_min, ip_max, proto_min, proto_max:
    ranges of addresses and ports. persistent: the same address for a client over restarts. proto_hash, proto_random:
    how ports are chosen.
    """

    src: Flag = flag(1)  # OVS_NAT_ATTR_SRC
    dst: Flag = flag(2)  # OVS_NAT_ATTR_DST
    ip_min: IP = ip(3)  # OVS_NAT_ATTR_IP_MIN
    ip_max: IP = ip(4)  # OVS_NAT_ATTR_IP_MAX
    proto_min: Int = u16(5)  # OVS_NAT_ATTR_PROTO_MIN
    proto_max: Int = u16(6)  # OVS_NAT_ATTR_PROTO_MAX
    persistent: Flag = flag(7)  # OVS_NAT_ATTR_PERSISTENT
    proto_hash: Flag = flag(8)  # OVS_NAT_ATTR_PROTO_HASH
    proto_random: Flag = flag(9)  # OVS_NAT_ATTR_PROTO_RANDOM


class Conntrack(AttributeSet):
    """Connection tracking of a packet (OVS_CT_ATTR_*).

    commit: a new connection is kept. force_commit: also if one in the other direction is known. eventmask: the
    events, 1 << IPCT_*, that conntrack reports of it. timeout: the name of a timeout policy.
    """

    commit: Flag = flag(1)  # OVS_CT_ATTR_COMMIT
    zone: Int = u16(2)  # OVS_CT_ATTR_ZONE
    mark: Field[MaskedMark | None] = struct(3, MaskedMark)  # OVS_CT_ATTR_MARK
    labels: Field[MaskedLabels | None] = struct(4, MaskedLabels)  # OVS_CT_ATTR_LABELS
    helper: Str = string(5)  # OVS_CT_ATTR_HELPER
    nat: Field[NAT | None] = nested(6, NAT)  # OVS_CT_ATTR_NAT
    force_commit: Flag = flag(7)  # OVS_CT_ATTR_FORCE_COMMIT
    eventmask: Int = u32(8)  # OVS_CT_ATTR_EVENTMASK
    timeout: Str = string(9)  # OVS_CT_ATTR_TIMEOUT


class CheckLength(AttributeSet):
    """Actions by a packet's length in bytes, with its Ethernet header (OVS_CHECK_PKT_LEN_ATTR_*)."""

    pkt_len: Int = u16(1)  # OVS_CHECK_PKT_LEN_ATTR_PKT_LEN
    if_greater: Items[Action] = sequence(2, lambda: Action)  # OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER
    if_less_equal: Items[Action] = sequence(3, lambda: Action)  # OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL


class DecTTL(AttributeSet):
    """Actions for a packet whose TTL is used up (OVS_DEC_TTL_ATTR_*)."""

    actions: Items[Action] = sequence(1, lambda: Action)  # OVS_DEC_TTL_ATTR_ACTION


class PSample(AttributeSet):
    """A sample for listeners to the family psample (OVS_PSAMPLE_ATTR_*). cookie: at most 16 bytes."""

    group: Int = u32(1)  # OVS_PSAMPLE_ATTR_GROUP
    cookie: Bytes = binary(2)  # OVS_PSAMPLE_ATTR_COOKIE


class Action(AttributeSet):
    """One action (OVS_ACTION_ATTR_*): a record with one field.

    output: to the port of this number. set: one field of a key. set_masked: bits of it. pop_mpls: the Ethernet type of
    what follows. recirc: once more through the flow table, with this recirc_id. trunc: bytes at most of the next
    output. push_nsh: a key with nsh alone. meter: the number of one, whose band may drop the packet. clone: actions for
    a copy. drop: a reason, 0 for none, which tools that watch the kernel see.
    """

    output: Int = u32(1)  # OVS_ACTION_ATTR_OUTPUT
    userspace: Field[Userspace | None] = nested(2, Userspace)  # OVS_ACTION_ATTR_USERSPACE
    set: Field[Key | None] = nested(3, lambda: Key)  # OVS_ACTION_ATTR_SET
    push_vlan: Field[PushVLAN | None] = struct(4, PushVLAN)  # OVS_ACTION_ATTR_PUSH_VLAN
    pop_vlan: Flag = flag(5)  # OVS_ACTION_ATTR_POP_VLAN
    sample: Field[Sample | None] = nested(6, lambda: Sample)  # OVS_ACTION_ATTR_SAMPLE
    recirc: Int = u32(7)  # OVS_ACTION_ATTR_RECIRC
    hash: Field[Hash | None] = struct(8, Hash)  # OVS_ACTION_ATTR_HASH
    push_mpls: Field[PushMPLS | None] = struct(9, PushMPLS)  # OVS_ACTION_ATTR_PUSH_MPLS
    pop_mpls: Member[EtherType] = be16(10, enum=EtherType)  # OVS_ACTION_ATTR_POP_MPLS
    set_masked: Field[MaskedKey | None] = nested(11, lambda: MaskedKey)  # OVS_ACTION_ATTR_SET_MASKED
    ct: Field[Conntrack | None] = nested(12, lambda: Conntrack)  # OVS_ACTION_ATTR_CT
    trunc: Int = u32(13)  # OVS_ACTION_ATTR_TRUNC
    push_eth: Field[EthernetKey | None] = struct(14, EthernetKey)  # OVS_ACTION_ATTR_PUSH_ETH
    pop_eth: Flag = flag(15)  # OVS_ACTION_ATTR_POP_ETH
    ct_clear: Flag = flag(16)  # OVS_ACTION_ATTR_CT_CLEAR
    push_nsh: Field[Key | None] = nested(17, lambda: Key)  # OVS_ACTION_ATTR_PUSH_NSH
    pop_nsh: Flag = flag(18)  # OVS_ACTION_ATTR_POP_NSH
    meter: Int = u32(19)  # OVS_ACTION_ATTR_METER
    clone: Items[Action] = sequence(20, lambda: Action)  # OVS_ACTION_ATTR_CLONE
    check_pkt_len: Field[CheckLength | None] = nested(21, lambda: CheckLength)  # OVS_ACTION_ATTR_CHECK_PKT_LEN
    add_mpls: Field[AddMPLS | None] = struct(22, AddMPLS)  # OVS_ACTION_ATTR_ADD_MPLS
    dec_ttl: Field[DecTTL | None] = nested(23, lambda: DecTTL)  # OVS_ACTION_ATTR_DEC_TTL
    drop: Int = u32(24)  # OVS_ACTION_ATTR_DROP
    psample: Field[PSample | None] = nested(25, lambda: PSample)  # OVS_ACTION_ATTR_PSAMPLE
