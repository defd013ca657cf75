"""The declarations of tables, chains, rules, sets, elements, objects, flowtables, generations and traces:
linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any, TypeAlias

from netlink.consts import NetfilterSubsystem
from netlink.netfilter.nfnetlink import NfGenMsg
from netlink.netfilter.nftables.expr import (
    Connlimit,
    Counter,
    Expression,
    Limit,
    ObjectType,
    Quota,
    Synproxy,
    Verdict,
)
from netlink.schema import (
    IP,
    AttributeSet,
    Bytes,
    Field,
    Int,
    Items,
    Member,
    Record,
    Str,
    be16,
    be32,
    be64,
    binary,
    event,
    ip,
    nested,
    repeated,
    sbe32,
    string,
    submessage,
    u8,
    u32,
)

__all__ = [
    "ArpHook",
    "Chain",
    "ChainFlags",
    "Command",
    "ConcatField",
    "CtExpect",
    "CtHelper",
    "CtTimeout",
    "Element",
    "ElementFlags",
    "ElementList",
    "Erspan",
    "Event",
    "Family",
    "Flowtable",
    "FlowtableFlags",
    "Generation",
    "GeneveOption",
    "Header",
    "Hook",
    "NetdevHook",
    "Object",
    "ObjectData",
    "Policy",
    "Rule",
    "RuleCompat",
    "Secmark",
    "Set",
    "SetFlags",
    "SetPolicy",
    "TCPTimeouts",
    "Table",
    "TableFlags",
    "Trace",
    "TraceType",
    "TunnelFlags",
    "TunnelObject",
    "UDPTimeouts",
    "key_of",
]

_NFT = NetfilterSubsystem.NFTABLES << 8


class Command(IntEnum):
    """Message types: enum nf_tables_msg_types, with the subsystem."""

    NEWTABLE = _NFT | 0  # NFT_MSG_NEWTABLE
    GETTABLE = _NFT | 1  # NFT_MSG_GETTABLE
    DELTABLE = _NFT | 2  # NFT_MSG_DELTABLE
    NEWCHAIN = _NFT | 3  # NFT_MSG_NEWCHAIN
    GETCHAIN = _NFT | 4  # NFT_MSG_GETCHAIN
    DELCHAIN = _NFT | 5  # NFT_MSG_DELCHAIN
    NEWRULE = _NFT | 6  # NFT_MSG_NEWRULE
    GETRULE = _NFT | 7  # NFT_MSG_GETRULE
    DELRULE = _NFT | 8  # NFT_MSG_DELRULE
    NEWSET = _NFT | 9  # NFT_MSG_NEWSET
    GETSET = _NFT | 10  # NFT_MSG_GETSET
    DELSET = _NFT | 11  # NFT_MSG_DELSET
    NEWSETELEM = _NFT | 12  # NFT_MSG_NEWSETELEM
    GETSETELEM = _NFT | 13  # NFT_MSG_GETSETELEM
    DELSETELEM = _NFT | 14  # NFT_MSG_DELSETELEM
    NEWGEN = _NFT | 15  # NFT_MSG_NEWGEN
    GETGEN = _NFT | 16  # NFT_MSG_GETGEN
    TRACE = _NFT | 17  # NFT_MSG_TRACE
    NEWOBJ = _NFT | 18  # NFT_MSG_NEWOBJ
    GETOBJ = _NFT | 19  # NFT_MSG_GETOBJ
    DELOBJ = _NFT | 20  # NFT_MSG_DELOBJ
    GETOBJ_RESET = _NFT | 21  # NFT_MSG_GETOBJ_RESET
    NEWFLOWTABLE = _NFT | 22  # NFT_MSG_NEWFLOWTABLE
    GETFLOWTABLE = _NFT | 23  # NFT_MSG_GETFLOWTABLE
    DELFLOWTABLE = _NFT | 24  # NFT_MSG_DELFLOWTABLE
    GETRULE_RESET = _NFT | 25  # NFT_MSG_GETRULE_RESET
    DESTROYTABLE = _NFT | 26  # NFT_MSG_DESTROYTABLE
    DESTROYCHAIN = _NFT | 27  # NFT_MSG_DESTROYCHAIN
    DESTROYRULE = _NFT | 28  # NFT_MSG_DESTROYRULE
    DESTROYSET = _NFT | 29  # NFT_MSG_DESTROYSET
    DESTROYSETELEM = _NFT | 30  # NFT_MSG_DESTROYSETELEM
    DESTROYOBJ = _NFT | 31  # NFT_MSG_DESTROYOBJ
    DESTROYFLOWTABLE = _NFT | 32  # NFT_MSG_DESTROYFLOWTABLE
    GETSETELEM_RESET = _NFT | 33  # NFT_MSG_GETSETELEM_RESET


class Event(IntEnum):
    """Changes that a stream reports, of the record that has it as `event`."""

    NEW = 1
    DEL = 2


class Family(IntEnum):
    """Families of tables: NFPROTO_* of linux/netfilter.h."""

    UNSPEC = 0  # NFPROTO_UNSPEC, all families in a dump
    INET = 1  # NFPROTO_INET, IPv4 and IPv6
    IPV4 = 2  # NFPROTO_IPV4
    ARP = 3  # NFPROTO_ARP
    NETDEV = 5  # NFPROTO_NETDEV
    BRIDGE = 7  # NFPROTO_BRIDGE
    IPV6 = 10  # NFPROTO_IPV6


class Hook(IntEnum):
    """Hooks of the families INET, IPV4, IPV6 and BRIDGE: enum nf_inet_hooks of linux/netfilter.h."""

    PREROUTING = 0  # NF_INET_PRE_ROUTING
    INPUT = 1  # NF_INET_LOCAL_IN
    FORWARD = 2  # NF_INET_FORWARD
    OUTPUT = 3  # NF_INET_LOCAL_OUT
    POSTROUTING = 4  # NF_INET_POST_ROUTING
    INGRESS = 5  # NF_INET_INGRESS, INET only


class NetdevHook(IntEnum):
    """Hooks of the family NETDEV: enum nf_dev_hooks of linux/netfilter.h."""

    INGRESS = 0  # NF_NETDEV_INGRESS
    EGRESS = 1  # NF_NETDEV_EGRESS


class ArpHook(IntEnum):
    """Hooks of the family ARP: linux/netfilter_arp.h."""

    INPUT = 0  # NF_ARP_IN
    OUTPUT = 1  # NF_ARP_OUT


class Policy(IntEnum):
    """What happens to packets at the end of a base chain: NF_* of linux/netfilter.h."""

    DROP = 0  # NF_DROP
    ACCEPT = 1  # NF_ACCEPT


class TableFlags(IntFlag):
    """enum nft_table_flags."""

    DORMANT = 0x1  # NFT_TABLE_F_DORMANT, its rules are not run
    OWNER = 0x2  # NFT_TABLE_F_OWNER, only this socket may change it, and it goes with the socket
    PERSIST = 0x4  # NFT_TABLE_F_PERSIST, it stays after its owner


class ChainFlags(IntFlag):
    """enum nft_chain_flags."""

    BASE = 1 << 0  # NFT_CHAIN_BASE
    HW_OFFLOAD = 1 << 1  # NFT_CHAIN_HW_OFFLOAD
    BINDING = 1 << 2  # NFT_CHAIN_BINDING, it belongs to a rule


class SetFlags(IntFlag):
    """enum nft_set_flags."""

    ANONYMOUS = 0x1  # NFT_SET_ANONYMOUS
    CONSTANT = 0x2  # NFT_SET_CONSTANT
    INTERVAL = 0x4  # NFT_SET_INTERVAL, of ranges and networks
    MAP = 0x8  # NFT_SET_MAP
    TIMEOUT = 0x10  # NFT_SET_TIMEOUT, elements may have timeouts
    EVAL = 0x20  # NFT_SET_EVAL, rules may change it
    OBJECT = 0x40  # NFT_SET_OBJECT, a map to objects
    CONCAT = 0x80  # NFT_SET_CONCAT, of concatenations with ranges
    EXPR = 0x100  # NFT_SET_EXPR, elements have several expressions


class SetPolicy(IntEnum):
    """enum nft_set_policies."""

    PERFORMANCE = 0  # NFT_SET_POL_PERFORMANCE
    MEMORY = 1  # NFT_SET_POL_MEMORY


class ElementFlags(IntFlag):
    """enum nft_set_elem_flags."""

    INTERVAL_END = 0x1  # NFT_SET_ELEM_INTERVAL_END, the first key behind an interval
    CATCHALL = 0x2  # NFT_SET_ELEM_CATCHALL, all keys that are in no other element


class FlowtableFlags(IntFlag):
    """enum nft_flowtable_flags."""

    HW_OFFLOAD = 0x1  # NFT_FLOWTABLE_HW_OFFLOAD
    COUNTER = 0x2  # NFT_FLOWTABLE_COUNTER


class TraceType(IntEnum):
    """enum nft_trace_types: what a trace is of."""

    UNSPEC = 0  # NFT_TRACETYPE_UNSPEC
    POLICY = 1  # NFT_TRACETYPE_POLICY, the end of a base chain
    RETURN = 2  # NFT_TRACETYPE_RETURN, the end of another chain
    RULE = 3  # NFT_TRACETYPE_RULE, a rule that matched


class TunnelFlags(IntFlag):
    """enum nft_tunnel_flags."""

    ZERO_CSUM_TX = 1 << 0  # NFT_TUNNEL_F_ZERO_CSUM_TX
    DONT_FRAGMENT = 1 << 1  # NFT_TUNNEL_F_DONT_FRAGMENT
    SEQ_NUMBER = 1 << 2  # NFT_TUNNEL_F_SEQ_NUMBER


class Header(NfGenMsg):
    """struct nfgenmsg. res_id: the low 16 bits of the generation, in messages from the kernel."""

    family: Member[Family] = u8(enum=Family)


class Table(AttributeSet, header=Header, ignore=(5,)):
    """A table (NFTA_TABLE_*). use: the number of its chains, sets, objects and flowtables. owner: a port id."""

    family: Member[Family] = Header.family
    name: Str = string(1)  # NFTA_TABLE_NAME
    flags: Member[TableFlags] = be32(2, enum=TableFlags)  # NFTA_TABLE_FLAGS
    use: Int = be32(3)  # NFTA_TABLE_USE
    handle: Int = be64(4)  # NFTA_TABLE_HANDLE
    userdata: Bytes = binary(6)  # NFTA_TABLE_USERDATA
    owner: Int = be32(7)  # NFTA_TABLE_OWNER
    event: Member[Event] = event(Event)


class Chain(AttributeSet, header=Header, ignore=(9,)):
    """A chain (NFTA_CHAIN_*, NFTA_HOOK_*). It is a base chain if it has a hook.

    type: of a base chain, "filter", "nat" or "route". hook: `Hook`, `NetdevHook` or `ArpHook`, by the family.
    device, devices: names, in the families NETDEV and, for INGRESS, INET. counters: of the policy.
    """

    family: Member[Family] = Header.family
    table: Str = string(1)  # NFTA_CHAIN_TABLE
    handle: Int = be64(2)  # NFTA_CHAIN_HANDLE
    name: Str = string(3)  # NFTA_CHAIN_NAME
    hook: Int = be32((4, 1))  # NFTA_CHAIN_HOOK, NFTA_HOOK_HOOKNUM
    priority: Int = sbe32((4, 2))  # NFTA_CHAIN_HOOK, NFTA_HOOK_PRIORITY
    device: Str = string((4, 3))  # NFTA_CHAIN_HOOK, NFTA_HOOK_DEV
    devices: Items[str] = repeated((4, 4, 1), string)  # NFTA_CHAIN_HOOK, NFTA_HOOK_DEVS, NFTA_DEVICE_NAME
    policy: Member[Policy] = be32(5, enum=Policy)  # NFTA_CHAIN_POLICY
    use: Int = be32(6)  # NFTA_CHAIN_USE
    type: Str = string(7)  # NFTA_CHAIN_TYPE
    counters: Field[Counter | None] = nested(8, Counter)  # NFTA_CHAIN_COUNTERS
    flags: Member[ChainFlags] = be32(10, enum=ChainFlags)  # NFTA_CHAIN_FLAGS
    id: Int = be32(11)  # NFTA_CHAIN_ID
    userdata: Bytes = binary(12)  # NFTA_CHAIN_USERDATA
    event: Member[Event] = event(Event)


class RuleCompat(AttributeSet):
    """The protocol of a rule for xtables (NFTA_RULE_COMPAT_*)."""

    proto: Int = be32(1)  # NFTA_RULE_COMPAT_PROTO
    flags: Int = be32(2)  # NFTA_RULE_COMPAT_FLAGS


class Rule(AttributeSet, header=Header, ignore=(8,)):
    """A rule (NFTA_RULE_*). position: the handle of the rule before it."""

    family: Member[Family] = Header.family
    table: Str = string(1)  # NFTA_RULE_TABLE
    chain: Str = string(2)  # NFTA_RULE_CHAIN
    handle: Int = be64(3)  # NFTA_RULE_HANDLE
    expressions: Items[Expression] = repeated((4, 1), Expression)  # NFTA_RULE_EXPRESSIONS, NFTA_LIST_ELEM
    compat: Field[RuleCompat | None] = nested(5, RuleCompat)  # NFTA_RULE_COMPAT
    position: Int = be64(6)  # NFTA_RULE_POSITION
    userdata: Bytes = binary(7)  # NFTA_RULE_USERDATA
    id: Int = be32(9)  # NFTA_RULE_ID
    position_id: Int = be32(10)  # NFTA_RULE_POSITION_ID
    chain_id: Int = be32(11)  # NFTA_RULE_CHAIN_ID
    event: Member[Event] = event(Event)


class ConcatField(AttributeSet):
    """A field of a concatenation (NFTA_SET_FIELD_*). len: in bytes."""

    len: Int = be32(1)  # NFTA_SET_FIELD_LEN


class Set(AttributeSet, header=Header, ignore=(14,)):
    """A set or map (NFTA_SET_*, NFTA_SET_DESC_*).

    key_type, data_type: numbers of nft, by which it prints elements. key_len, data_len: bytes. size: most elements.
    fields: of a concatenation with ranges. timeout: milliseconds, of elements without one of their own.
    gc_interval: milliseconds. expression, expressions: of every element. backend: the kernel's implementation.
    """

    family: Member[Family] = Header.family
    table: Str = string(1)  # NFTA_SET_TABLE
    name: Str = string(2)  # NFTA_SET_NAME
    flags: Member[SetFlags] = be32(3, enum=SetFlags)  # NFTA_SET_FLAGS
    key_type: Int = be32(4)  # NFTA_SET_KEY_TYPE
    key_len: Int = be32(5)  # NFTA_SET_KEY_LEN
    data_type: Int = be32(6)  # NFTA_SET_DATA_TYPE
    data_len: Int = be32(7)  # NFTA_SET_DATA_LEN
    policy: Member[SetPolicy] = be32(8, enum=SetPolicy)  # NFTA_SET_POLICY
    size: Int = be32((9, 1))  # NFTA_SET_DESC, NFTA_SET_DESC_SIZE
    fields: Items[ConcatField] = repeated((9, 2, 1), ConcatField)  # NFTA_SET_DESC, NFTA_SET_DESC_CONCAT, NFTA_LIST_ELEM
    id: Int = be32(10)  # NFTA_SET_ID
    timeout: Int = be64(11)  # NFTA_SET_TIMEOUT
    gc_interval: Int = be32(12)  # NFTA_SET_GC_INTERVAL
    userdata: Bytes = binary(13)  # NFTA_SET_USERDATA
    obj_type: Member[ObjectType] = be32(15, enum=ObjectType)  # NFTA_SET_OBJ_TYPE
    handle: Int = be64(16)  # NFTA_SET_HANDLE
    expression: Field[Expression | None] = nested(17, Expression)  # NFTA_SET_EXPR
    expressions: Items[Expression] = repeated((18, 1), Expression)  # NFTA_SET_EXPRESSIONS, NFTA_LIST_ELEM
    backend: Str = string(19)  # NFTA_SET_TYPE
    count: Int = be32(20)  # NFTA_SET_COUNT, of elements
    event: Member[Event] = event(Event)


# Rows of large sets, most of which have only keys, are short.
_RARE = ("data", "verdict", "userdata", "expression", "objref", "key_end", "expressions")


class Element(AttributeSet, rare=_RARE, ignore=(8,)):
    """An element of a set or map (NFTA_SET_ELEM_*).

    key: bytes, each field of a concatenation padded to 4. key_end: the last key of a range, included, in concatenations
    with ranges. data, verdict, objref: the value in a map. timeout, expiration: milliseconds, in all and left.
    """

    key: Bytes = binary((1, 1))  # NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
    data: Bytes = binary((2, 1))  # NFTA_SET_ELEM_DATA, NFTA_DATA_VALUE
    verdict: Field[Verdict | None] = nested((2, 2), Verdict)  # NFTA_SET_ELEM_DATA, NFTA_DATA_VERDICT
    flags: Member[ElementFlags] = be32(3, enum=ElementFlags)  # NFTA_SET_ELEM_FLAGS
    timeout: Int = be64(4)  # NFTA_SET_ELEM_TIMEOUT
    expiration: Int = be64(5)  # NFTA_SET_ELEM_EXPIRATION
    userdata: Bytes = binary(6)  # NFTA_SET_ELEM_USERDATA
    expression: Field[Expression | None] = nested(7, Expression)  # NFTA_SET_ELEM_EXPR
    objref: Str = string(9)  # NFTA_SET_ELEM_OBJREF
    key_end: Bytes = binary((10, 1))  # NFTA_SET_ELEM_KEY_END, NFTA_DATA_VALUE
    expressions: Items[Expression] = repeated((11, 1), Expression)  # NFTA_SET_ELEM_EXPRESSIONS, NFTA_LIST_ELEM


class ElementList(AttributeSet, header=Header):
    """Elements of one set (NFTA_SET_ELEM_LIST_*): a request, or what a stream reports."""

    family: Member[Family] = Header.family
    table: Str = string(1)  # NFTA_SET_ELEM_LIST_TABLE
    set: Str = string(2)  # NFTA_SET_ELEM_LIST_SET
    elements: Items[Element] = repeated((3, 1), Element)  # NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_LIST_ELEM
    set_id: Int = be32(4)  # NFTA_SET_ELEM_LIST_SET_ID
    event: Member[Event] = event(Event)


class CtHelper(AttributeSet):
    """An object CT_HELPER (NFTA_CT_HELPER_*). l3proto: `Family`; l4proto: IPPROTO_*."""

    name: Str = string(1)  # NFTA_CT_HELPER_NAME
    l3proto: Int = be16(2)  # NFTA_CT_HELPER_L3PROTO
    l4proto: Int = u8(3)  # NFTA_CT_HELPER_L4PROTO


class TCPTimeouts(AttributeSet):
    """Seconds by state of TCP: CTA_TIMEOUT_TCP_* of linux/netfilter/nfnetlink_cttimeout.h."""

    syn_sent: Int = be32(1)  # CTA_TIMEOUT_TCP_SYN_SENT
    syn_recv: Int = be32(2)  # CTA_TIMEOUT_TCP_SYN_RECV
    established: Int = be32(3)  # CTA_TIMEOUT_TCP_ESTABLISHED
    fin_wait: Int = be32(4)  # CTA_TIMEOUT_TCP_FIN_WAIT
    close_wait: Int = be32(5)  # CTA_TIMEOUT_TCP_CLOSE_WAIT
    last_ack: Int = be32(6)  # CTA_TIMEOUT_TCP_LAST_ACK
    time_wait: Int = be32(7)  # CTA_TIMEOUT_TCP_TIME_WAIT
    close: Int = be32(8)  # CTA_TIMEOUT_TCP_CLOSE
    syn_sent2: Int = be32(9)  # CTA_TIMEOUT_TCP_SYN_SENT2
    retrans: Int = be32(10)  # CTA_TIMEOUT_TCP_RETRANS
    unack: Int = be32(11)  # CTA_TIMEOUT_TCP_UNACK


class UDPTimeouts(AttributeSet):
    """Seconds by state of UDP: CTA_TIMEOUT_UDP_* of linux/netfilter/nfnetlink_cttimeout.h."""

    unreplied: Int = be32(1)  # CTA_TIMEOUT_UDP_UNREPLIED
    replied: Int = be32(2)  # CTA_TIMEOUT_UDP_REPLIED


class CtTimeout(AttributeSet):
    """An object CT_TIMEOUT (NFTA_CT_TIMEOUT_*). Timeouts of other protocols than TCP and UDP are bytes."""

    l3proto: Int = be16(1)  # NFTA_CT_TIMEOUT_L3PROTO
    l4proto: Int = u8(2)  # NFTA_CT_TIMEOUT_L4PROTO
    timeouts: Field[TCPTimeouts | UDPTimeouts | bytes | None] = submessage(
        3, on="l4proto", cases={6: TCPTimeouts, 17: UDPTimeouts}
    )  # NFTA_CT_TIMEOUT_DATA


class CtExpect(AttributeSet):
    """An object CT_EXPECT (NFTA_CT_EXPECT_*). timeout: milliseconds."""

    l3proto: Int = be16(1)  # NFTA_CT_EXPECT_L3PROTO
    l4proto: Int = u8(2)  # NFTA_CT_EXPECT_L4PROTO
    dport: Int = be16(3)  # NFTA_CT_EXPECT_DPORT
    timeout: Int = u32(4)  # NFTA_CT_EXPECT_TIMEOUT
    size: Int = u8(5)  # NFTA_CT_EXPECT_SIZE


class Secmark(AttributeSet):
    """An object SECMARK (NFTA_SECMARK_*). ctx: a security context."""

    ctx: Str = string(1)  # NFTA_SECMARK_CTX


class GeneveOption(AttributeSet):
    """An option of Geneve (NFTA_TUNNEL_KEY_GENEVE_*)."""

    class_: Int = be16(1)  # NFTA_TUNNEL_KEY_GENEVE_CLASS
    type: Int = u8(2)  # NFTA_TUNNEL_KEY_GENEVE_TYPE
    data: Bytes = binary(3)  # NFTA_TUNNEL_KEY_GENEVE_DATA


class Erspan(AttributeSet):
    """The header of ERSPAN (NFTA_TUNNEL_KEY_ERSPAN_*)."""

    version: Int = be32(1)  # NFTA_TUNNEL_KEY_ERSPAN_VERSION
    v1_index: Int = be32(2)  # NFTA_TUNNEL_KEY_ERSPAN_V1_INDEX
    v2_hwid: Int = u8(3)  # NFTA_TUNNEL_KEY_ERSPAN_V2_HWID
    v2_dir: Int = u8(4)  # NFTA_TUNNEL_KEY_ERSPAN_V2_DIR


class TunnelObject(AttributeSet):
    """An object TUNNEL (NFTA_TUNNEL_KEY_*): the metadata of packets to a tunnel device."""

    id: Int = be32(1)  # NFTA_TUNNEL_KEY_ID
    src: IP = ip((2, 1), (3, 1))  # NFTA_TUNNEL_KEY_IP, NFTA_TUNNEL_KEY_IP_SRC, NFTA_TUNNEL_KEY_IP6_SRC
    dst: IP = ip((2, 2), (3, 2))  # NFTA_TUNNEL_KEY_IP, NFTA_TUNNEL_KEY_IP_DST, NFTA_TUNNEL_KEY_IP6_DST
    flowlabel: Int = be32((3, 3))  # NFTA_TUNNEL_KEY_IP6, NFTA_TUNNEL_KEY_IP6_FLOWLABEL
    flags: Member[TunnelFlags] = be32(4, enum=TunnelFlags)  # NFTA_TUNNEL_KEY_FLAGS
    tos: Int = u8(5)  # NFTA_TUNNEL_KEY_TOS
    ttl: Int = u8(6)  # NFTA_TUNNEL_KEY_TTL
    sport: Int = be16(7)  # NFTA_TUNNEL_KEY_SPORT
    dport: Int = be16(8)  # NFTA_TUNNEL_KEY_DPORT
    vxlan_gbp: Int = be32((9, 1, 1))  # NFTA_TUNNEL_KEY_OPTS, NFTA_TUNNEL_KEY_OPTS_VXLAN, NFTA_TUNNEL_KEY_VXLAN_GBP
    erspan: Field[Erspan | None] = nested((9, 2), Erspan)  # NFTA_TUNNEL_KEY_OPTS, NFTA_TUNNEL_KEY_OPTS_ERSPAN
    geneve: Items[GeneveOption] = repeated((9, 3), GeneveOption)  # NFTA_TUNNEL_KEY_OPTS, NFTA_TUNNEL_KEY_OPTS_GENEVE


ObjectData: TypeAlias = (
    Counter | Quota | CtHelper | Limit | Connlimit | TunnelObject | CtTimeout | Secmark | CtExpect | Synproxy
)
"""The data of any object."""

_OBJECTS: dict[int, type[ObjectData]] = {
    ObjectType.COUNTER: Counter,
    ObjectType.QUOTA: Quota,
    ObjectType.CT_HELPER: CtHelper,
    ObjectType.LIMIT: Limit,
    ObjectType.CONNLIMIT: Connlimit,
    ObjectType.TUNNEL: TunnelObject,
    ObjectType.CT_TIMEOUT: CtTimeout,
    ObjectType.SECMARK: Secmark,
    ObjectType.CT_EXPECT: CtExpect,
    ObjectType.SYNPROXY: Synproxy,
}


class Object(AttributeSet, header=Header, ignore=(7,)):
    """An object that rules use by its name (NFTA_OBJ_*). use: the number of its users."""

    family: Member[Family] = Header.family
    table: Str = string(1)  # NFTA_OBJ_TABLE
    name: Str = string(2)  # NFTA_OBJ_NAME
    type: Member[ObjectType] = be32(3, enum=ObjectType)  # NFTA_OBJ_TYPE
    data: Field[ObjectData | bytes | None] = submessage(4, on="type", cases=_OBJECTS)  # NFTA_OBJ_DATA
    use: Int = be32(5)  # NFTA_OBJ_USE
    handle: Int = be64(6)  # NFTA_OBJ_HANDLE
    userdata: Bytes = binary(8)  # NFTA_OBJ_USERDATA
    event: Member[Event] = event(Event)


class Flowtable(AttributeSet, header=Header, ignore=(6,)):
    """A flowtable: flows that take the fast path (NFTA_FLOWTABLE_*, NFTA_FLOWTABLE_HOOK_*). devices: names."""

    family: Member[Family] = Header.family
    table: Str = string(1)  # NFTA_FLOWTABLE_TABLE
    name: Str = string(2)  # NFTA_FLOWTABLE_NAME
    hook: Int = be32((3, 1))  # NFTA_FLOWTABLE_HOOK, NFTA_FLOWTABLE_HOOK_NUM
    priority: Int = sbe32((3, 2))  # NFTA_FLOWTABLE_HOOK, NFTA_FLOWTABLE_HOOK_PRIORITY
    devices: Items[str] = repeated((3, 3, 1), string)  # NFTA_FLOWTABLE_HOOK, NFTA_FLOWTABLE_HOOK_DEVS, NFTA_DEVICE_NAME
    use: Int = be32(4)  # NFTA_FLOWTABLE_USE
    handle: Int = be64(5)  # NFTA_FLOWTABLE_HANDLE
    flags: Member[FlowtableFlags] = be32(7, enum=FlowtableFlags)  # NFTA_FLOWTABLE_FLAGS
    event: Member[Event] = event(Event)


class Generation(AttributeSet, header=Header):
    """The generation of the ruleset, which counts its changes (NFTA_GEN_*). pid, name: of the process that asks or, in
    a stream, of the one that made the change.
    """

    id: Int = be32(1)  # NFTA_GEN_ID
    pid: Int = be32(2)  # NFTA_GEN_PROC_PID
    name: Str = string(3)  # NFTA_GEN_PROC_NAME


class Trace(AttributeSet, header=Header, ignore=(17,)):
    """A step of a packet through the rules (NFTA_TRACE_*).

    id: the same in all steps of a packet, and used again later. verdict: None if the step has none. The headers are in
    the first step of a packet in a base chain. iif, oif: interface indexes. ct_*: of its flow, in newer kernels.
    """

    family: Member[Family] = Header.family
    table: Str = string(1)  # NFTA_TRACE_TABLE
    chain: Str = string(2)  # NFTA_TRACE_CHAIN
    rule_handle: Int = be64(3)  # NFTA_TRACE_RULE_HANDLE
    type: Member[TraceType] = be32(4, enum=TraceType)  # NFTA_TRACE_TYPE
    verdict: Field[Verdict | None] = nested(5, Verdict)  # NFTA_TRACE_VERDICT
    id: Int = be32(6)  # NFTA_TRACE_ID
    ll_header: Bytes = binary(7)  # NFTA_TRACE_LL_HEADER
    network_header: Bytes = binary(8)  # NFTA_TRACE_NETWORK_HEADER
    transport_header: Bytes = binary(9)  # NFTA_TRACE_TRANSPORT_HEADER
    iif: Int = be32(10)  # NFTA_TRACE_IIF
    iiftype: Int = be16(11)  # NFTA_TRACE_IIFTYPE
    oif: Int = be32(12)  # NFTA_TRACE_OIF
    oiftype: Int = be16(13)  # NFTA_TRACE_OIFTYPE
    mark: Int = be32(14)  # NFTA_TRACE_MARK
    nfproto: Member[Family] = be32(15, enum=Family)  # NFTA_TRACE_NFPROTO
    policy: Member[Policy] = be32(16, enum=Policy)  # NFTA_TRACE_POLICY
    ct_id: Int = be32(18)  # NFTA_TRACE_CT_ID
    ct_direction: Int = u8(19)  # NFTA_TRACE_CT_DIRECTION
    ct_status: Int = be32(20)  # NFTA_TRACE_CT_STATUS
    ct_state: Int = be32(21)  # NFTA_TRACE_CT_STATE


_KEYS = ("family", "table", "name", "chain", "type", "handle")


def key_of(one: Record) -> Any:
    """A record with nothing but what identifies an object: its names, or its handle."""
    cls = type(one)
    names = [name for name in _KEYS if name in cls.__fields__ or name in cls.__header_fields__]
    if cls is Chain:
        names.remove("type")
    if cls is not Rule and getattr(one, "name", None):
        names.remove("handle")
    return cls(**{name: getattr(one, name) for name in names})
