"""Nexthops: objects that routes share, linux/nexthop.h."""

from __future__ import annotations

import errno
import socket
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any

from netlink.consts import RouteGroup
from netlink.route.command import Command
from netlink.route.encap import CASES, EncapType, with_type
from netlink.route.event import Event
from netlink.route.object import CHANGE, REPLACE, Object
from netlink.route.prefix import family_of
from netlink.route.route import HopFlags, RouteProtocol
from netlink.route.scope import Scope
from netlink.schema import (
    IP,
    AttributeSet,
    Field,
    Flag,
    Int,
    Items,
    Member,
    Struct,
    event,
    flag,
    ip,
    nested,
    packed,
    pad,
    repeated,
    submessage,
    u8,
    u16,
    u32,
    u64,
    uint,
)

__all__ = [
    "NEXTHOP",
    "GroupMember",
    "GroupMemberStats",
    "GroupType",
    "NextHopOpFlags",
    "Nexthop",
    "NexthopBucket",
    "NhMsg",
    "ResilientGroup",
]


class GroupType(IntEnum):
    """How a group chooses a nexthop for a packet (NEXTHOP_GRP_TYPE_*)."""

    MPATH = 0  # NEXTHOP_GRP_TYPE_MPATH, by a hash: few flows move if the group changes
    RES = 1  # NEXTHOP_GRP_TYPE_RES, by buckets: flows move only if they are idle


class NextHopOpFlags(IntFlag):
    """What a dump or get reports in addition (NHA_OP_FLAG_*)."""

    DUMP_STATS = 0x1  # NHA_OP_FLAG_DUMP_STATS, packets of each member of a group
    DUMP_HW_STATS = 0x2  # NHA_OP_FLAG_DUMP_HW_STATS, those that hardware forwarded


class NhMsg(Struct):
    """struct nhmsg: the header of nexthops."""

    family: Int = u8()
    scope: Member[Scope] = u8(enum=Scope)
    protocol: Member[RouteProtocol] = u8(enum=RouteProtocol)
    reserved = pad(1)
    flags: Member[HopFlags] = u32(enum=HopFlags)


_WEIGHT_MAX = 0xFFFF


class GroupMember(Struct):
    """struct nexthop_grp: a member of a group, by the id of a nexthop.

    The constructor takes weight, from 1 to 65,535. Kernels before Linux 6.12 refuse one over 255.
    """

    id: Int = u32()
    weight_low: Int = u8()
    weight_high: Int = u8()
    reserved = pad(2)

    def __init__(self, *, id: int, weight: int | None = None, **values: Any) -> None:  # noqa: A002
        if weight is not None:
            if not 1 <= weight <= _WEIGHT_MAX:
                raise ValueError(f"the weight of a nexthop is from 1 to {_WEIGHT_MAX}, not {weight}")
            values |= {"weight_low": (weight - 1) & 0xFF, "weight_high": (weight - 1) >> 8}
        super().__init__(**{"id": id, **values})

    @property
    def weight(self) -> int:
        """The share of the flows that the member gets."""
        return ((self.weight_high or 0) << 8 | (self.weight_low or 0)) + 1


class ResilientGroup(AttributeSet, ignore=(0,)):  # NHA_RES_GROUP_PAD
    """What a group of type RES has (NHA_RES_GROUP_*). Times in ticks of USER_HZ, 1/100 s on most machines."""

    buckets: Int = u16(1)  # NHA_RES_GROUP_BUCKETS
    idle_timer: Int = u32(2)  # NHA_RES_GROUP_IDLE_TIMER
    unbalanced_timer: Int = u32(3)  # NHA_RES_GROUP_UNBALANCED_TIMER
    unbalanced_time: Int = u64(4)  # NHA_RES_GROUP_UNBALANCED_TIME


class NexthopBucket(AttributeSet, ignore=(0,)):  # NHA_RES_BUCKET_PAD
    """A bucket of a group of type RES (NHA_RES_BUCKET_*)."""

    index: Int = u16(1)  # NHA_RES_BUCKET_INDEX
    idle_time: Int = u64(2)  # NHA_RES_BUCKET_IDLE_TIME
    nh_id: Int = u32(3)  # NHA_RES_BUCKET_NH_ID


class GroupMemberStats(AttributeSet):
    """Packets that a member of a group has got (NHA_GROUP_STATS_ENTRY_*)."""

    id: Int = u32(1)  # NHA_GROUP_STATS_ENTRY_ID
    packets: Int = uint(2)  # NHA_GROUP_STATS_ENTRY_PACKETS
    packets_hw: Int = uint(3)  # NHA_GROUP_STATS_ENTRY_PACKETS_HW


class Nexthop(AttributeSet, header=NhMsg):
    """A nexthop: a gateway, a link, a blackhole, or a group of other nexthops (NHA_*).

    id: its number, by which routes refer to it. A request without one lets the kernel choose.
    The constructor sets family by the gateway (else AF_INET; 0 for a group) and encap_type, unless they are given.
    """

    family: Int = NhMsg.family
    scope: Member[Scope] = NhMsg.scope
    protocol: Member[RouteProtocol] = NhMsg.protocol
    flags: Member[HopFlags] = NhMsg.flags
    id: Int = u32(1)  # NHA_ID
    group: Items[GroupMember] = packed(2, GroupMember)  # NHA_GROUP
    group_type: Member[GroupType] = u16(3, enum=GroupType)  # NHA_GROUP_TYPE
    blackhole: Flag = flag(4)  # NHA_BLACKHOLE
    oif: Int = u32(5)  # NHA_OIF
    gateway: IP = ip(6)  # NHA_GATEWAY
    encap_type: Member[EncapType] = u16(7, enum=EncapType)  # NHA_ENCAP_TYPE
    encap: Field[Any] = submessage(8, on="encap_type", cases=CASES)  # NHA_ENCAP
    groups: Flag = flag(9)  # NHA_GROUPS, in a dump: groups alone
    master: Int = u32(10)  # NHA_MASTER, in a dump: of links with that master
    fdb: Flag = flag(11)  # NHA_FDB, of a bridge's forwarding database
    res_group: Field[ResilientGroup | None] = nested(12, ResilientGroup)  # NHA_RES_GROUP
    res_bucket: Field[NexthopBucket | None] = nested(13, NexthopBucket)  # NHA_RES_BUCKET
    op_flags: Member[NextHopOpFlags] = u32(14, enum=NextHopOpFlags)  # NHA_OP_FLAGS
    group_stats: Items[GroupMemberStats] = repeated((15, 1), GroupMemberStats)  # NHA_GROUP_STATS, NHA_GROUP_STATS_ENTRY
    hw_stats_enable: Int = u32(16)  # NHA_HW_STATS_ENABLE
    hw_stats_used: Int = u32(17)  # NHA_HW_STATS_USED
    event: Member[Event] = event(Event)

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            with_type(values)
            if values.get("header") is None and values.get("family") is None and values.get("group") is None:
                found = family_of(values.get("gateway"))
                if found or values.get("blackhole") or values.get("oif") is not None:
                    values["family"] = found or socket.AF_INET
            super().__init__(**values)


_ALONE = ("blackhole", "oif", "gateway", "encap")


def _checked(verb: str, record: Nexthop) -> Nexthop:
    if verb in ("get", "delete"):
        if record.id is None:
            raise ValueError(f"{verb} needs id, that of the nexthop")
        return Nexthop(id=record.id, op_flags=record.op_flags if verb == "get" else None)
    beside = [name for name in _ALONE if getattr(record, name) is not None]
    if record.group is not None and beside:
        raise ValueError(f"a group of nexthops has no {', '.join(beside)} of its own")
    if record.blackhole and len(beside) > 1:
        raise ValueError(f"a blackhole has no {', '.join(name for name in beside if name != 'blackhole')}")
    if record.group is None and not beside and not record.fdb:
        raise ValueError("a nexthop needs a gateway, oif, blackhole or group")
    header = record.header or NhMsg()
    # Both are the kernel's in what it reports.
    return record.replace(
        header=header.replace(scope=0, flags=int(header.flags or 0) & HopFlags.ONLINK),
        hw_stats_used=None,
        op_flags=None,
    )


NEXTHOP = Object(
    Nexthop,
    "nexthop",
    new=Command.NEWNEXTHOP,
    delete=Command.DELNEXTHOP,
    get=Command.GETNEXTHOP,
    replace=REPLACE,
    update=CHANGE,
    groups=[RouteGroup.NEXTHOP],
    filters={"family": "family", "oif": "oif", "master": "master", "fdb": "fdb"},
    options=["op_flags", "groups"],
    check=_checked,
    hints={
        errno.ENOENT: "there is no nexthop of that id",
        errno.EEXIST: "there is a nexthop of that id: replace changes it",
    },
)
