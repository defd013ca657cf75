"""Rules that choose the table of a route: linux/fib_rules.h."""

from __future__ import annotations

import errno
import socket
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from netlink.consts import RouteGroup
from netlink.route.command import Command
from netlink.route.event import Event
from netlink.route.object import Object
from netlink.route.prefix import Prefix, check_host_bits, family_of, length_of, prefix, split
from netlink.route.route import RouteProtocol, RouteTable
from netlink.schema import (
    AttributeSet,
    Field,
    Int,
    Member,
    Str,
    Struct,
    be32,
    be64,
    event,
    pad,
    s32,
    string,
    struct,
    u8,
    u16,
    u32,
)

__all__ = ["RULE", "FibRuleHdr", "PortRange", "Rule", "RuleAction", "RuleFlags", "UidRange"]


class RuleAction(IntEnum):
    """What a rule does (FR_ACT_*)."""

    UNSPEC = 0  # FR_ACT_UNSPEC
    TO_TBL = 1  # FR_ACT_TO_TBL, looks into a table
    GOTO = 2  # FR_ACT_GOTO, goes on with another rule
    NOP = 3  # FR_ACT_NOP
    BLACKHOLE = 6  # FR_ACT_BLACKHOLE
    UNREACHABLE = 7  # FR_ACT_UNREACHABLE
    PROHIBIT = 8  # FR_ACT_PROHIBIT


class RuleFlags(IntFlag):
    """Flags of a rule (FIB_RULE_*)."""

    PERMANENT = 0x1  # FIB_RULE_PERMANENT, cannot be deleted
    INVERT = 0x2  # FIB_RULE_INVERT, for packets that do not match
    UNRESOLVED = 0x4  # FIB_RULE_UNRESOLVED, the rule to go to is not there
    IIF_DETACHED = 0x8  # FIB_RULE_IIF_DETACHED, there is no link of that name
    OIF_DETACHED = 0x10  # FIB_RULE_OIF_DETACHED
    FIND_SADDR = 0x10000  # FIB_RULE_FIND_SADDR


class FibRuleHdr(Struct):
    """struct fib_rule_hdr: the header of rules. table: the low 8 bits; the field `Rule.table` has all."""

    family: Int = u8()
    dst_len: Int = u8()
    src_len: Int = u8()
    tos: Int = u8()
    table: Int = u8()
    reserved = pad(2)
    action: Member[RuleAction] = u8(enum=RuleAction)
    flags: Member[RuleFlags] = u32(enum=RuleFlags)


class UidRange(Struct):
    """struct fib_rule_uid_range: both ends are in it."""

    start: Int = u32()
    end: Int = u32()


class PortRange(Struct):
    """struct fib_rule_port_range: both ends are in it."""

    start: Int = u16()
    end: Int = u16()


class Rule(AttributeSet, header=FibRuleHdr, ignore=(18,)):  # FRA_PAD
    """A rule (FRA_*). Rules are tried in the order of priority, 0 first.

    suppress_prefixlen, suppress_ifgroup: -1 for none. goto: the priority of a rule.

    The constructor takes a prefix for dst and src, and sets family (AF_INET without an address), dst_len and src_len,
    unless they are given. ValueError for an address with bits behind the length of its prefix.
    """

    family: Int = FibRuleHdr.family
    dst_len: Int = FibRuleHdr.dst_len
    src_len: Int = FibRuleHdr.src_len
    tos: Int = FibRuleHdr.tos
    action: Member[RuleAction] = FibRuleHdr.action
    flags: Member[RuleFlags] = FibRuleHdr.flags
    dst: Prefix = prefix(1)  # FRA_DST
    src: Prefix = prefix(2)  # FRA_SRC
    iifname: Str = string(3)  # FRA_IIFNAME
    goto: Int = u32(4)  # FRA_GOTO
    priority: Int = u32(6)  # FRA_PRIORITY
    fwmark: Int = u32(10)  # FRA_FWMARK
    flow: Int = u32(11)  # FRA_FLOW
    tun_id: Int = be64(12)  # FRA_TUN_ID
    suppress_ifgroup: Int = s32(13)  # FRA_SUPPRESS_IFGROUP
    suppress_prefixlen: Int = s32(14)  # FRA_SUPPRESS_PREFIXLEN
    table: Int = u32(15)  # FRA_TABLE
    fwmask: Int = u32(16)  # FRA_FWMASK
    oifname: Str = string(17)  # FRA_OIFNAME
    l3mdev: Int = u8(19)  # FRA_L3MDEV, 1 for the table of the VRF of the link
    uid_range: Field[UidRange | None] = struct(20, UidRange)  # FRA_UID_RANGE
    protocol: Member[RouteProtocol] = u8(21, enum=RouteProtocol)  # FRA_PROTOCOL
    ip_proto: Int = u8(22)  # FRA_IP_PROTO
    sport_range: Field[PortRange | None] = struct(23, PortRange)  # FRA_SPORT_RANGE
    dport_range: Field[PortRange | None] = struct(24, PortRange)  # FRA_DPORT_RANGE
    dscp: Int = u8(25)  # FRA_DSCP
    flowlabel: Int = be32(26)  # FRA_FLOWLABEL
    flowlabel_mask: Int = be32(27)  # FRA_FLOWLABEL_MASK
    sport_mask: Int = u16(28)  # FRA_SPORT_MASK
    dport_mask: Int = u16(29)  # FRA_DPORT_MASK
    dscp_mask: Int = u8(30)  # FRA_DSCP_MASK
    event: Member[Event] = event(Event)

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            super().__init__(**_completed(values))


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor, with those that follow from others."""
    header = values.get("header")
    family = values.get("family") or (header.family if header is not None else 0)
    for name in ("dst", "src"):
        if values.get(name) is None:
            continue
        address, length = split(values[name])
        values[name] = address
        field = f"{name}_len"
        if length is None:
            length = values.get(field) or (getattr(header, field) if header is not None else length_of(address))
        values[field] = length
        check_host_bits(name, address, length)
        if family and family != family_of(address) and isinstance(address, (str, IPv4Address, IPv6Address)):
            raise ValueError(f"{name} {address} is of another address family than the rule")
        family = family or family_of(address)
    if header is None:
        values["family"] = family or socket.AF_INET
    return values


_NOTHING = ("suppress_ifgroup", "suppress_prefixlen", "event", "header")


def _checked(verb: str, record: Rule) -> Rule:
    header = record.header
    if header is None:
        raise ValueError("a rule needs family")
    if verb == "delete":
        named = any(getattr(record, name) is not None for name in Rule.__fields__ if name not in _NOTHING)
        if not named and not (header.action or header.tos or header.flags):
            raise ValueError(
                "a rule to delete needs a field by which it is found, such as priority: "
                "the kernel would delete the first rule, which looks into the local table"
            )
        return record
    action = header.action or (RuleAction.TO_TBL if record.goto is None else RuleAction.GOTO)
    table = record.table
    if action == RuleAction.TO_TBL and not table and not record.l3mdev:
        table = RouteTable.MAIN  # without one the kernel takes the first table that is empty
    return record.replace(header=header.replace(action=action, table=0), table=table)


RULE = Object(
    Rule,
    "rule",
    new=Command.NEWRULE,
    delete=Command.DELRULE,
    get=Command.GETRULE,
    can_get=False,
    groups=[RouteGroup.IPV4_RULE, RouteGroup.IPV6_RULE],
    filters={"family": "family"},
    check=_checked,
    hints={
        errno.ENOENT: "there is no such rule",
        errno.EEXIST: "there is such a rule",
    },
)
