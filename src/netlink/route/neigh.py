"""Neighbours, the forwarding database of bridges, and the tables of neighbours: linux/neighbour.h."""

from __future__ import annotations

import errno
from enum import IntFlag
from typing import TYPE_CHECKING, Any

from netlink.consts import RouteGroup
from netlink.route.command import Command
from netlink.route.event import Event
from netlink.route.object import APPEND, CHANGE, REPLACE, Object
from netlink.route.prefix import family_of
from netlink.route.route import RouteProtocol, RouteType
from netlink.schema import (
    IP,
    AttributeSet,
    Field,
    Flag,
    Int,
    Member,
    Str,
    Struct,
    be16,
    event,
    flag,
    ip,
    lladdr,
    nested,
    pad,
    s32,
    string,
    struct,
    u8,
    u16,
    u32,
    u64,
)

__all__ = [
    "AF_BRIDGE",
    "NEIGHBOUR",
    "NEIGHBOUR_TABLE",
    "FDBActivity",
    "FDBAttributes",
    "NdMsg",
    "NdtMsg",
    "Neighbour",
    "NeighbourCacheInfo",
    "NeighbourConfig",
    "NeighbourExtFlags",
    "NeighbourFlags",
    "NeighbourParameters",
    "NeighbourState",
    "NeighbourStats",
    "NeighbourTable",
]

AF_BRIDGE = 7  # of linux/socket.h


class NeighbourState(IntFlag):
    """What the kernel knows of a neighbour (NUD_*)."""

    NONE = 0x00  # NUD_NONE
    INCOMPLETE = 0x01  # NUD_INCOMPLETE, it has asked for it
    REACHABLE = 0x02  # NUD_REACHABLE
    STALE = 0x04  # NUD_STALE, to be confirmed when it is used
    DELAY = 0x08  # NUD_DELAY, in use, and not confirmed yet
    PROBE = 0x10  # NUD_PROBE, it asks it
    FAILED = 0x20  # NUD_FAILED, it has not answered
    NOARP = 0x40  # NUD_NOARP, needs no confirmation
    PERMANENT = 0x80  # NUD_PERMANENT, as an administrator has set it


class NeighbourFlags(IntFlag):
    """Flags of a neighbour (NTF_*)."""

    USE = 0x01  # NTF_USE, in a request: resolve it now
    SELF = 0x02  # NTF_SELF, of the link itself
    MASTER = 0x04  # NTF_MASTER, of the bridge that the link is a port of
    PROXY = 0x08  # NTF_PROXY, an address that this machine answers for
    EXT_LEARNED = 0x10  # NTF_EXT_LEARNED, a program has learned it
    OFFLOADED = 0x20  # NTF_OFFLOADED
    STICKY = 0x40  # NTF_STICKY, it does not move to another port
    ROUTER = 0x80  # NTF_ROUTER


class NeighbourExtFlags(IntFlag):
    """More flags (NTF_EXT_*)."""

    MANAGED = 0x1  # NTF_EXT_MANAGED, the kernel keeps it resolved
    LOCKED = 0x2  # NTF_EXT_LOCKED, of a locked port of a bridge
    EXT_VALIDATED = 0x4  # NTF_EXT_EXT_VALIDATED


class NdMsg(Struct):
    """struct ndmsg: the header of neighbours."""

    family: Int = u8()
    pad1 = pad(3)
    index: Int = s32()
    state: Member[NeighbourState] = u16(enum=NeighbourState)
    flags: Member[NeighbourFlags] = u8(enum=NeighbourFlags)
    type: Member[RouteType] = u8(enum=RouteType)


class NeighbourCacheInfo(Struct):
    """struct nda_cacheinfo: times since these events in ticks of USER_HZ, 1/100 s on most machines."""

    confirmed: Int = u32()
    used: Int = u32()
    updated: Int = u32()
    refcnt: Int = u32()


class FDBActivity(IntFlag):
    """Notifications of the activity of an entry (FDB_NOTIFY_*)."""

    NOTIFY = 0x1  # FDB_NOTIFY_BIT
    NOTIFY_INACTIVE = 0x2  # FDB_NOTIFY_INACTIVE_BIT


class FDBAttributes(AttributeSet):
    """What an entry of a bridge's forwarding database has in addition (NFEA_*)."""

    activity_notify: Member[FDBActivity] = u8(1, enum=FDBActivity)  # NFEA_ACTIVITY_NOTIFY
    dont_refresh: Flag = flag(2)  # NFEA_DONT_REFRESH


class Neighbour(
    AttributeSet,
    header=NdMsg,
    rare=(
        "vlan",
        "port",
        "vni",
        "ifindex",
        "master",
        "link_netnsid",
        "src_vni",
        "nh_id",
        "fdb",
        "flags_ext",
        "state_mask",
        "flags_mask",
    ),
):
    """A neighbour: an IP address on a link and its link-layer address (NDA_*).

    Of AF_BRIDGE an entry of a forwarding database: a link-layer address, and the port or tunnel that reaches it.

    The constructor sets family by dst (AF_BRIDGE without one), unless it is given.
    """

    family: Int = NdMsg.family
    index: Int = NdMsg.index
    state: Member[NeighbourState] = NdMsg.state
    flags: Member[NeighbourFlags] = NdMsg.flags
    type: Member[RouteType] = NdMsg.type
    dst: IP = ip(1)  # NDA_DST
    lladdr: Str = lladdr(2)  # NDA_LLADDR
    cache: Field[NeighbourCacheInfo | None] = struct(3, NeighbourCacheInfo)  # NDA_CACHEINFO
    probes: Int = u32(4)  # NDA_PROBES
    vlan: Int = u16(5)  # NDA_VLAN
    port: Int = be16(6)  # NDA_PORT, of a tunnel
    vni: Int = u32(7)  # NDA_VNI
    ifindex: Int = u32(8)  # NDA_IFINDEX, the link of a tunnel
    master: Int = u32(9)  # NDA_MASTER
    link_netnsid: Int = s32(10)  # NDA_LINK_NETNSID
    src_vni: Int = u32(11)  # NDA_SRC_VNI
    protocol: Member[RouteProtocol] = u8(12, enum=RouteProtocol)  # NDA_PROTOCOL
    nh_id: Int = u32(13)  # NDA_NH_ID
    fdb: Field[FDBAttributes | None] = nested(14, FDBAttributes)  # NDA_FDB_EXT_ATTRS
    flags_ext: Member[NeighbourExtFlags] = u32(15, enum=NeighbourExtFlags)  # NDA_FLAGS_EXT
    state_mask: Int = u16(16)  # NDA_NDM_STATE_MASK, of a deletion of many entries
    flags_mask: Int = u8(17)  # NDA_NDM_FLAGS_MASK
    event: Member[Event] = event(Event)

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            if values.get("family") is None and values.get("header") is None:
                found = family_of(values.get("dst"))
                if found or values.get("lladdr") is not None:
                    values["family"] = found or AF_BRIDGE
            super().__init__(**values)


def _checked(verb: str, record: Neighbour) -> Neighbour:
    header = record.header
    if header is None or not header.family:
        raise ValueError("a neighbour needs dst, or family")
    is_entry = header.family == AF_BRIDGE
    if not header.index and not (is_entry and verb == "get"):
        raise ValueError(f"to {verb} a neighbour needs index, that of its link")
    if is_entry and record.lladdr is None:
        raise ValueError("an entry of a forwarding database needs lladdr")
    if not is_entry and record.dst is None:
        raise ValueError("a neighbour needs dst, its address")
    flags = int(header.flags or 0)
    if verb == "get":
        key: dict[str, Any] = (
            {"dst": record.dst} if not is_entry else {"lladdr": record.lladdr, "vlan": record.vlan, "vni": record.vni}
        )
        flags &= NeighbourFlags.SELF | NeighbourFlags.MASTER if is_entry else NeighbourFlags.PROXY
        return Neighbour(family=header.family, index=header.index, flags=flags, **key)
    if is_entry and not flags & (NeighbourFlags.SELF | NeighbourFlags.MASTER):
        flags |= NeighbourFlags.SELF
    state = int(header.state or 0)
    if verb != "delete":
        if not state and not flags & (NeighbourFlags.PROXY | NeighbourFlags.USE):
            state = NeighbourState.PERMANENT
        if not is_entry and state & NeighbourState.PERMANENT and record.lladdr is None and not flags & 8:
            raise ValueError("a neighbour needs lladdr, its link-layer address, unless its state says that it has none")
    return record.replace(header=header.replace(state=state, flags=flags))


NEIGHBOUR = Object(
    Neighbour,
    "neighbour",
    new=Command.NEWNEIGH,
    delete=Command.DELNEIGH,
    get=Command.GETNEIGH,
    replace=REPLACE,
    append=APPEND,
    update=CHANGE,
    groups=[RouteGroup.NEIGH],
    filters={
        "family": "family",
        "index": "ifindex",
        "master": "master",
        "flags": ("flags", NeighbourFlags.PROXY),
    },
    check=_checked,
    by_shape=True,
    hints={
        errno.ENOENT: "there is no such neighbour on that link",
        errno.EEXIST: "there is a neighbour of that address: replace changes it",
        errno.ENODEV: "there is no link of that index",
    },
)


# Tables of neighbours


class NdtMsg(Struct):
    """struct ndtmsg: the header of tables of neighbours."""

    family: Int = u8()
    pad1 = pad(3)


class NeighbourConfig(Struct):
    """struct ndt_config: a table of neighbours. Times in milliseconds."""

    key_len: Int = u16()
    entry_size: Int = u16()
    entries: Int = u32()
    last_flush: Int = u32()
    last_rand: Int = u32()
    hash_rnd: Int = u32()
    hash_mask: Int = u32()
    hash_chain_gc: Int = u32()
    proxy_qlen: Int = u32()


class NeighbourStats(Struct):
    """struct ndt_stats: counters of a table of neighbours."""

    allocs: Int = u64()
    destroys: Int = u64()
    hash_grows: Int = u64()
    res_failed: Int = u64()
    lookups: Int = u64()
    hits: Int = u64()
    rcv_probes_mcast: Int = u64()
    rcv_probes_ucast: Int = u64()
    periodic_gc_runs: Int = u64()
    forced_gc_runs: Int = u64()
    table_fulls: Int = u64()


class NeighbourParameters(AttributeSet, ignore=(18,)):  # NDTPA_PAD
    """How the kernel keeps neighbours of a link, or of all others (NDTPA_*). Times in milliseconds."""

    ifindex: Int = u32(1)  # NDTPA_IFINDEX
    refcnt: Int = u32(2)  # NDTPA_REFCNT
    reachable_time: Int = u64(3)  # NDTPA_REACHABLE_TIME
    base_reachable_time: Int = u64(4)  # NDTPA_BASE_REACHABLE_TIME
    retrans_time: Int = u64(5)  # NDTPA_RETRANS_TIME
    gc_staletime: Int = u64(6)  # NDTPA_GC_STALETIME
    delay_probe_time: Int = u64(7)  # NDTPA_DELAY_PROBE_TIME
    queue_len: Int = u32(8)  # NDTPA_QUEUE_LEN
    app_probes: Int = u32(9)  # NDTPA_APP_PROBES
    ucast_probes: Int = u32(10)  # NDTPA_UCAST_PROBES
    mcast_probes: Int = u32(11)  # NDTPA_MCAST_PROBES
    anycast_delay: Int = u64(12)  # NDTPA_ANYCAST_DELAY
    proxy_delay: Int = u64(13)  # NDTPA_PROXY_DELAY
    proxy_qlen: Int = u32(14)  # NDTPA_PROXY_QLEN
    locktime: Int = u64(15)  # NDTPA_LOCKTIME
    queue_lenbytes: Int = u32(16)  # NDTPA_QUEUE_LENBYTES
    mcast_reprobes: Int = u32(17)  # NDTPA_MCAST_REPROBES
    interval_probe_time_ms: Int = u64(19)  # NDTPA_INTERVAL_PROBE_TIME_MS


class NeighbourTable(AttributeSet, header=NdtMsg, ignore=(9,)):  # NDTA_PAD
    """A table of neighbours, such as "arp_cache", or the parameters of a link in it (NDTA_*).

    `update` changes thresholds, gc_interval and parms, by name and the ifindex of parms.
    """

    family: Int = NdtMsg.family
    name: Str = string(1)  # NDTA_NAME
    thresh1: Int = u32(2)  # NDTA_THRESH1
    thresh2: Int = u32(3)  # NDTA_THRESH2
    thresh3: Int = u32(4)  # NDTA_THRESH3
    config: Field[NeighbourConfig | None] = struct(5, NeighbourConfig)  # NDTA_CONFIG
    parms: Field[NeighbourParameters | None] = nested(6, NeighbourParameters)  # NDTA_PARMS
    stats: Field[NeighbourStats | None] = struct(7, NeighbourStats)  # NDTA_STATS
    gc_interval: Int = u64(8)  # NDTA_GC_INTERVAL, milliseconds


def _checked_table(verb: str, record: NeighbourTable) -> NeighbourTable:
    if record.name is None:
        raise ValueError(f"to {verb} a table of neighbours needs name, such as 'arp_cache'")
    parms = record.parms
    if parms is not None:
        parms = parms.replace(refcnt=None, reachable_time=None)
    return record.replace(config=None, stats=None, parms=parms)


NEIGHBOUR_TABLE = Object(
    NeighbourTable,
    "neighbour_table",
    new=Command.NEWNEIGHTBL,
    get=Command.GETNEIGHTBL,
    change=Command.SETNEIGHTBL,
    create=None,
    update=CHANGE,
    can_get=False,
    filters={"family": "family"},
    check=_checked_table,
    hints={errno.ENOENT: "there is no such table, or it has no such link"},
)
