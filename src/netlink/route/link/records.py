"""The record of links."""

from __future__ import annotations

import errno
from enum import IntEnum, IntFlag
from typing import Any

from netlink.consts import HeaderFlags, RouteGroup
from netlink.route.command import Command
from netlink.route.event import Event
from netlink.route.object import Object
from netlink.schema import (
    AttributeSet,
    Int,
    Member,
    Str,
    Struct,
    event,
    lladdr,
    pad,
    s32,
    string,
    u8,
    u16,
    u32,
)

__all__ = ["LINK", "ExtMask", "IfInfoMsg", "Link", "LinkFlags", "OperState", "link_of"]


class LinkFlags(IntFlag):
    """Flags of a link (IFF_*, linux/if.h)."""

    UP = 0x1  # IFF_UP, an administrator has brought it up
    BROADCAST = 0x2  # IFF_BROADCAST
    DEBUG = 0x4  # IFF_DEBUG
    LOOPBACK = 0x8  # IFF_LOOPBACK
    POINTOPOINT = 0x10  # IFF_POINTOPOINT
    NOTRAILERS = 0x20  # IFF_NOTRAILERS
    RUNNING = 0x40  # IFF_RUNNING, it can send and receive
    NOARP = 0x80  # IFF_NOARP
    PROMISC = 0x100  # IFF_PROMISC
    ALLMULTI = 0x200  # IFF_ALLMULTI
    MASTER = 0x400  # IFF_MASTER
    SLAVE = 0x800  # IFF_SLAVE
    MULTICAST = 0x1000  # IFF_MULTICAST
    PORTSEL = 0x2000  # IFF_PORTSEL
    AUTOMEDIA = 0x4000  # IFF_AUTOMEDIA
    DYNAMIC = 0x8000  # IFF_DYNAMIC
    LOWER_UP = 0x10000  # IFF_LOWER_UP, it has a carrier
    DORMANT = 0x20000  # IFF_DORMANT
    ECHO = 0x40000  # IFF_ECHO


class OperState(IntEnum):
    """What a link can do now (IF_OPER_*, linux/if.h)."""

    UNKNOWN = 0  # IF_OPER_UNKNOWN
    NOTPRESENT = 1  # IF_OPER_NOTPRESENT
    DOWN = 2  # IF_OPER_DOWN
    LOWERLAYERDOWN = 3  # IF_OPER_LOWERLAYERDOWN
    TESTING = 4  # IF_OPER_TESTING
    DORMANT = 5  # IF_OPER_DORMANT
    UP = 6  # IF_OPER_UP


class ExtMask(IntFlag):
    """What a request for links asks for in addition, or leaves out (RTEXT_FILTER_*, linux/rtnetlink.h)."""

    VF = 0x01  # RTEXT_FILTER_VF, virtual functions
    BRVLAN = 0x02  # RTEXT_FILTER_BRVLAN
    BRVLAN_COMPRESSED = 0x04  # RTEXT_FILTER_BRVLAN_COMPRESSED
    SKIP_STATS = 0x08  # RTEXT_FILTER_SKIP_STATS, no statistics
    MRP = 0x10  # RTEXT_FILTER_MRP
    CFM_CONFIG = 0x20  # RTEXT_FILTER_CFM_CONFIG
    CFM_STATUS = 0x40  # RTEXT_FILTER_CFM_STATUS
    MST = 0x80  # RTEXT_FILTER_MST


class IfInfoMsg(Struct):
    """struct ifinfomsg: the header of links. change: the flags that a request changes."""

    family: Int = u8()
    pad1 = pad(1)
    type: Int = u16()
    index: Int = s32()
    flags: Member[LinkFlags] = u32(enum=LinkFlags)
    change: Int = u32()


class Link(AttributeSet, header=IfInfoMsg):
    """A link (IFLA_*)."""

    family: Int = IfInfoMsg.family
    type: Int = IfInfoMsg.type
    index: Int = IfInfoMsg.index
    flags: Member[LinkFlags] = IfInfoMsg.flags
    change: Int = IfInfoMsg.change
    address: Str = lladdr(1)  # IFLA_ADDRESS
    broadcast: Str = lladdr(2)  # IFLA_BROADCAST
    name: Str = string(3)  # IFLA_IFNAME
    mtu: Int = u32(4)  # IFLA_MTU
    link: Int = u32(5)  # IFLA_LINK
    qdisc: Str = string(6)  # IFLA_QDISC
    master: Int = u32(10)  # IFLA_MASTER
    txqlen: Int = u32(13)  # IFLA_TXQLEN
    operstate: Member[OperState] = u8(16, enum=OperState)  # IFLA_OPERSTATE
    kind: Str = string((18, 1))  # IFLA_LINKINFO, IFLA_INFO_KIND
    net_ns_pid: Int = u32(19)  # IFLA_NET_NS_PID
    alias: Str = string(20)  # IFLA_IFALIAS
    group: Int = u32(27)  # IFLA_GROUP
    net_ns_fd: Int = u32(28)  # IFLA_NET_NS_FD
    ext_mask: Member[ExtMask] = u32(29, enum=ExtMask)  # IFLA_EXT_MASK
    target_netnsid: Int = s32(46)  # IFLA_TARGET_NETNSID
    alt_name: Str = string(53)  # IFLA_ALT_IFNAME
    event: Member[Event] = event(Event)


_NAME_MAX, _ALT_NAME_MAX = 15, 127  # bytes


def link_of(link: str | int, **fields: Any) -> Link:
    """A link by its name, an alternative name of it, or its index. ValueError for a name that no link can have."""
    if not isinstance(link, str):
        return Link(index=link, **fields)
    return Link(**_named(link), **fields)


def _named(name: str) -> dict[str, Any]:
    """The field of a request that finds a link by its name."""
    size = len(name.encode("utf-8", "surrogateescape"))
    if not 0 < size <= _ALT_NAME_MAX or "\0" in name:
        raise ValueError(f"the name of a link has 1 to {_ALT_NAME_MAX} bytes, not {size}: {name!r}")
    return {"name": name} if size <= _NAME_MAX else {"alt_name": name}


def _checked(verb: str, record: Link) -> Link:
    if verb in ("get", "delete"):
        if not record.index and record.name is None and record.alt_name is None:
            raise ValueError(f"to {verb} a link needs its index or name")
        key: dict[str, Any] = {"alt_name": record.alt_name} if record.name is None else _named(record.name)
        return Link(
            index=record.index or None,
            **key,
            ext_mask=record.ext_mask if verb == "get" else None,
            target_netnsid=record.target_netnsid,
        )
    if record.name is not None and len(record.name.encode("utf-8", "surrogateescape")) > _NAME_MAX:
        raise ValueError(f"the name of a link has at most {_NAME_MAX} bytes: {record.name!r}")
    header = record.header or IfInfoMsg()
    if header.flags and not header.change:
        record = record.replace(header=header.replace(change=int(header.flags)))
    return record


LINK = Object(
    Link,
    "link",
    new=Command.NEWLINK,
    delete=Command.DELLINK,
    get=Command.GETLINK,
    replace=HeaderFlags.CREATE,
    update=HeaderFlags(0),
    echo=True,
    groups=[RouteGroup.LINK],
    filters={"master": "master", "kind": "kind"},
    options=["ext_mask", "target_netnsid"],
    check=_checked,
    hints={
        errno.ENODEV: "there is no such link",
        errno.EEXIST: "there is a link of that name",
        errno.EOPNOTSUPP: "the kernel has no such kind of link, or lacks its module",
    },
)
