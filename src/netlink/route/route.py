"""Routes: struct rtmsg and RTA_* of linux/rtnetlink.h."""

from __future__ import annotations

import errno
import socket
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

from netlink.consts import RouteGroup
from netlink.route.command import Command
from netlink.route.encap import CASES, EncapType, labels_of, stack_of, with_type
from netlink.route.event import Event
from netlink.route.object import APPEND, CHANGE, REPLACE, Object
from netlink.route.prefix import Prefix, check_host_bits, family_of, length_of, network_of, prefix, split
from netlink.route.scope import Scope
from netlink.schema import (
    IP,
    AttributeSet,
    Bytes,
    Field,
    Int,
    Items,
    Member,
    Str,
    Struct,
    be16,
    be32,
    binary,
    chain,
    event,
    ip,
    nested,
    packed,
    s32,
    string,
    struct,
    submessage,
    u8,
    u16,
    u32,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "AF_MPLS",
    "ROUTE",
    "Hop",
    "HopFlags",
    "Metrics",
    "Preference",
    "Route",
    "RouteCacheInfo",
    "RouteFlags",
    "RouteProtocol",
    "RouteTable",
    "RouteType",
    "RtMsg",
    "RtNextHop",
    "Via",
]

AF_MPLS = 28  # of linux/socket.h


class RouteType(IntEnum):
    """What a route does with its packets (RTN_*)."""

    UNSPEC = 0  # RTN_UNSPEC, in a request the usual type, or any
    UNICAST = 1  # RTN_UNICAST, sends them to a gateway or link
    LOCAL = 2  # RTN_LOCAL, accepts them
    BROADCAST = 3  # RTN_BROADCAST, accepts and sends them as broadcasts
    ANYCAST = 4  # RTN_ANYCAST
    MULTICAST = 5  # RTN_MULTICAST
    BLACKHOLE = 6  # RTN_BLACKHOLE, drops them
    UNREACHABLE = 7  # RTN_UNREACHABLE, drops them and tells the sender
    PROHIBIT = 8  # RTN_PROHIBIT, drops them and tells the sender that it is not permitted
    THROW = 9  # RTN_THROW, leaves them to the next rule
    NAT = 10  # RTN_NAT
    XRESOLVE = 11  # RTN_XRESOLVE


class RouteProtocol(IntEnum):
    """Who has made a route (RTPROT_*). Other numbers are those of programs."""

    UNSPEC = 0  # RTPROT_UNSPEC
    REDIRECT = 1  # RTPROT_REDIRECT
    KERNEL = 2  # RTPROT_KERNEL
    BOOT = 3  # RTPROT_BOOT
    STATIC = 4  # RTPROT_STATIC, the administrator
    GATED = 8  # RTPROT_GATED
    RA = 9  # RTPROT_RA, router advertisements
    MRT = 10  # RTPROT_MRT
    ZEBRA = 11  # RTPROT_ZEBRA
    BIRD = 12  # RTPROT_BIRD
    DNROUTED = 13  # RTPROT_DNROUTED
    XORP = 14  # RTPROT_XORP
    NTK = 15  # RTPROT_NTK
    DHCP = 16  # RTPROT_DHCP
    MROUTED = 17  # RTPROT_MROUTED
    KEEPALIVED = 18  # RTPROT_KEEPALIVED
    BABEL = 42  # RTPROT_BABEL
    OPENR = 99  # RTPROT_OPENR
    BGP = 186  # RTPROT_BGP
    ISIS = 187  # RTPROT_ISIS
    OSPF = 188  # RTPROT_OSPF
    RIP = 189  # RTPROT_RIP
    EIGRP = 192  # RTPROT_EIGRP


class RouteTable(IntEnum):
    """Tables of routes with a name (RT_TABLE_*). There are 2**32."""

    UNSPEC = 0  # RT_TABLE_UNSPEC
    COMPAT = 252  # RT_TABLE_COMPAT, in the header: see the attribute
    DEFAULT = 253  # RT_TABLE_DEFAULT
    MAIN = 254  # RT_TABLE_MAIN
    LOCAL = 255  # RT_TABLE_LOCAL


class RouteFlags(IntFlag):
    """Flags of a route (RTM_F_*), and of its only hop (RTNH_F_*)."""

    DEAD = 0x1  # RTNH_F_DEAD
    PERVASIVE = 0x2  # RTNH_F_PERVASIVE
    ONLINK = 0x4  # RTNH_F_ONLINK
    HOP_OFFLOAD = 0x8  # RTNH_F_OFFLOAD
    LINKDOWN = 0x10  # RTNH_F_LINKDOWN
    UNRESOLVED = 0x20  # RTNH_F_UNRESOLVED
    HOP_TRAP = 0x40  # RTNH_F_TRAP
    NOTIFY = 0x100  # RTM_F_NOTIFY
    CLONED = 0x200  # RTM_F_CLONED, an exception that the kernel has learned
    EQUALIZE = 0x400  # RTM_F_EQUALIZE
    PREFIX = 0x800  # RTM_F_PREFIX
    LOOKUP_TABLE = 0x1000  # RTM_F_LOOKUP_TABLE
    FIB_MATCH = 0x2000  # RTM_F_FIB_MATCH, `get` returns the route as it is in its table
    OFFLOAD = 0x4000  # RTM_F_OFFLOAD
    TRAP = 0x8000  # RTM_F_TRAP
    OFFLOAD_FAILED = 0x20000000  # RTM_F_OFFLOAD_FAILED


class HopFlags(IntFlag):
    """Flags of a hop (RTNH_F_*)."""

    DEAD = 0x1  # RTNH_F_DEAD, unusable
    PERVASIVE = 0x2  # RTNH_F_PERVASIVE
    ONLINK = 0x4  # RTNH_F_ONLINK, the gateway is on the link, whatever its address is
    OFFLOAD = 0x8  # RTNH_F_OFFLOAD
    LINKDOWN = 0x10  # RTNH_F_LINKDOWN, the link has no carrier
    UNRESOLVED = 0x20  # RTNH_F_UNRESOLVED
    TRAP = 0x40  # RTNH_F_TRAP


class Preference(IntEnum):
    """The preference of an IPv6 router (ICMPV6_ROUTER_PREF_*, linux/icmpv6.h)."""

    MEDIUM = 0  # ICMPV6_ROUTER_PREF_MEDIUM
    HIGH = 1  # ICMPV6_ROUTER_PREF_HIGH
    LOW = 3  # ICMPV6_ROUTER_PREF_LOW


class RtMsg(Struct):
    """struct rtmsg: the header of routes. table: the low 8 bits; the field `Route.table` has all."""

    family: Int = u8()
    dst_len: Int = u8()
    src_len: Int = u8()
    tos: Int = u8()
    table: Int = u8()
    protocol: Member[RouteProtocol] = u8(enum=RouteProtocol)
    scope: Member[Scope] = u8(enum=Scope)
    type: Member[RouteType] = u8(enum=RouteType)
    flags: Member[RouteFlags] = u32(enum=RouteFlags)


class RouteCacheInfo(Struct):
    """struct rta_cacheinfo: use and life of a route. Times in ticks of USER_HZ, 1/100 s on most machines."""

    clntref: Int = u32()
    lastuse: Int = u32()
    expires: Int = s32()
    error: Int = u32()
    used: Int = u32()
    id: Int = u32()
    ts: Int = u32()
    tsage: Int = u32()


class Metrics(AttributeSet):
    """What connections over a route begin with (RTAX_*)."""

    lock: Int = u32(1)  # RTAX_LOCK, a bit for each metric, by its number, that the kernel must not change
    mtu: Int = u32(2)  # RTAX_MTU, bytes
    window: Int = u32(3)  # RTAX_WINDOW, bytes
    rtt: Int = u32(4)  # RTAX_RTT, eighths of milliseconds
    rttvar: Int = u32(5)  # RTAX_RTTVAR, quarters of milliseconds
    ssthresh: Int = u32(6)  # RTAX_SSTHRESH, packets
    cwnd: Int = u32(7)  # RTAX_CWND, packets
    advmss: Int = u32(8)  # RTAX_ADVMSS, bytes
    reordering: Int = u32(9)  # RTAX_REORDERING, packets
    hoplimit: Int = u32(10)  # RTAX_HOPLIMIT
    initcwnd: Int = u32(11)  # RTAX_INITCWND, packets
    features: Int = u32(12)  # RTAX_FEATURES, RTAX_FEATURE_*
    rto_min: Int = u32(13)  # RTAX_RTO_MIN, milliseconds
    initrwnd: Int = u32(14)  # RTAX_INITRWND, packets
    quickack: Int = u32(15)  # RTAX_QUICKACK
    cc_algo: Str = string(16)  # RTAX_CC_ALGO, the congestion control
    fastopen_no_cookie: Int = u32(17)  # RTAX_FASTOPEN_NO_COOKIE


class Via(Struct):
    """struct rtvia: a gateway of another family than the route's. Its address is in head, middle and tail.

    The constructor takes address instead: of IPv4 or IPv6, or of a link, "02:00:00:00:00:01", for MPLS.
    """

    family: Int = u16()
    head: Bytes = binary(size=4)
    middle: Bytes = binary(size=2)
    tail: Bytes = binary(size=10)

    def __init__(self, address: IPv4Address | IPv6Address | str | None = None, **values: Any) -> None:
        if address is not None:
            values |= _via_parts(address)
        super().__init__(**values)

    @property
    def address(self) -> IPv4Address | IPv6Address | str | None:
        """The address: text for one of a link. None if it is none of these."""
        raw = b"".join(part or b"" for part in (self.head, self.middle, self.tail))
        if self.family in (socket.AF_INET, socket.AF_INET6) and len(raw) in (4, 16):
            return ip_address(raw)
        return raw.hex(":") if len(raw) == 6 else None

    def __repr__(self) -> str:
        return f"Via({str(self.address)!r})"


def _via_parts(address: IPv4Address | IPv6Address | str) -> dict[str, Any]:
    if isinstance(address, str) and address.count(":") == 5 and len(address) == 17:
        family, raw = int(socket.AF_PACKET), bytes.fromhex(address.replace(":", ""))
    else:
        parsed = ip_address(address)
        family, raw = family_of(parsed), parsed.packed
    parts = {"head": raw[:4], "middle": raw[4:6], "tail": raw[6:]}
    return {"family": family} | {name: part for name, part in parts.items() if part}


class RtNextHop(Struct):
    """struct rtnexthop: the header of a hop. hops: its weight less 1."""

    len: Int = u16()
    flags: Member[HopFlags] = u8(enum=HopFlags)
    hops: Int = u8()
    oif: Int = s32()


_WEIGHT_MAX = 256


class Hop(AttributeSet, header=RtNextHop, rare=("flow", "via")):
    """One of several hops of a route (RTA_*). The constructor takes weight, from 1 to 256."""

    flags: Member[HopFlags] = RtNextHop.flags
    oif: Int = RtNextHop.oif
    gateway: IP = ip(5)  # RTA_GATEWAY
    flow: Int = u32(11)  # RTA_FLOW
    via: Field[Via | None] = struct(18, Via)  # RTA_VIA
    newdst: Items[int] = packed(19, be32)  # RTA_NEWDST
    encap_type: Member[EncapType] = u16(21, enum=EncapType)  # RTA_ENCAP_TYPE
    encap: Field[Any] = submessage(22, on="encap_type", cases=CASES)  # RTA_ENCAP

    def __init__(
        self,
        *,
        oif: int | None = None,
        gateway: IPv4Address | IPv6Address | str | None = None,
        weight: int | None = None,
        **values: Any,
    ) -> None:
        if weight is not None:
            if not 1 <= weight <= _WEIGHT_MAX:
                raise ValueError(f"the weight of a hop is from 1 to {_WEIGHT_MAX}, not {weight}")
            values["hops"] = weight - 1
        super().__init__(**with_type(values | {"oif": oif, "gateway": gateway}))

    @property
    def weight(self) -> int:
        """The share of the packets that the hop gets."""
        return (self.header.hops or 0) + 1 if self.header else 1


class Route(
    AttributeSet,
    header=RtMsg,
    rare=(
        "src",
        "iif",
        "metrics",
        "flow",
        "mark",
        "mfc_stats",
        "via",
        "newdst",
        "expires",
        "uid",
        "ttl_propagate",
        "ip_proto",
        "sport",
        "dport",
        "flowlabel",
    ),
    ignore=(24,),  # RTA_PAD
):
    """A route (RTA_*).

    dst: the destination; None for the default route. dst_len: the length of its prefix. `network` has both.
    gateway, oif: where its packets go. via: a gateway of the other address family. multipath: several hops.
    nh_id: a `Nexthop`, instead of all these; the kernel reports what it consists of as well.

    The constructor takes a prefix for dst and src, `Route(dst="192.0.2.0/24", gateway="198.51.100.1")`. It sets family,
    dst_len, src_len, scope (LINK for IPv4 without a gateway) and encap_type, unless they are given. A gateway of IPv6
    for a destination of IPv4 becomes a via. ValueError for an address with bits behind the length of its prefix.
    """

    family: Int = RtMsg.family
    dst_len: Int = RtMsg.dst_len
    src_len: Int = RtMsg.src_len
    tos: Int = RtMsg.tos
    protocol: Member[RouteProtocol] = RtMsg.protocol
    scope: Member[Scope] = RtMsg.scope
    type: Member[RouteType] = RtMsg.type
    flags: Member[RouteFlags] = RtMsg.flags
    dst: Prefix = prefix(1)  # RTA_DST
    src: Prefix = prefix(2)  # RTA_SRC
    iif: Int = u32(3)  # RTA_IIF
    oif: Int = u32(4)  # RTA_OIF
    gateway: IP = ip(5)  # RTA_GATEWAY
    priority: Int = u32(6)  # RTA_PRIORITY
    prefsrc: IP = ip(7)  # RTA_PREFSRC
    metrics: Field[Metrics | None] = nested(8, Metrics)  # RTA_METRICS
    multipath: Items[Hop] = chain(9, Hop)  # RTA_MULTIPATH
    flow: Int = u32(11)  # RTA_FLOW
    cache: Field[RouteCacheInfo | None] = struct(12, RouteCacheInfo)  # RTA_CACHEINFO
    table: Int = u32(15)  # RTA_TABLE
    mark: Int = u32(16)  # RTA_MARK
    mfc_stats: Bytes = binary(17)  # RTA_MFC_STATS
    via: Field[Via | None] = struct(18, Via)  # RTA_VIA
    newdst: Items[int] = packed(19, be32)  # RTA_NEWDST
    pref: Member[Preference] = u8(20, enum=Preference)  # RTA_PREF
    encap_type: Member[EncapType] = u16(21, enum=EncapType)  # RTA_ENCAP_TYPE
    encap: Field[Any] = submessage(22, on="encap_type", cases=CASES)  # RTA_ENCAP
    expires: Int = u32(23)  # RTA_EXPIRES, seconds
    uid: Int = u32(25)  # RTA_UID
    ttl_propagate: Int = u8(26)  # RTA_TTL_PROPAGATE
    ip_proto: Int = u8(27)  # RTA_IP_PROTO
    sport: Int = be16(28)  # RTA_SPORT
    dport: Int = be16(29)  # RTA_DPORT
    nh_id: Int = u32(30)  # RTA_NH_ID
    flowlabel: Int = be32(31)  # RTA_FLOWLABEL
    event: Member[Event] = event(Event)

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            super().__init__(**_completed(values))

    @property
    def network(self) -> IPv4Network | IPv6Network | None:
        """The destination: the address with the length of its prefix. None for a route that has no such."""
        if self.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        default = IPv4Address(0) if self.family == _IPV4 else IPv6Address(0)
        return network_of(self.dst or default, self.dst_len or 0)

    @property
    def labels(self) -> tuple[int, ...]:
        """The MPLS labels that take the place of the one of the packet."""
        return labels_of(self.newdst or ())

    @property
    def label(self) -> int | None:
        """The MPLS label that a route of AF_MPLS is for."""
        return labels_of([int(self.dst)])[0] if self.dst is not None and self.family == AF_MPLS else None


_SCOPES = {
    RouteType.LOCAL: Scope.HOST,
    RouteType.NAT: Scope.HOST,
    RouteType.BROADCAST: Scope.LINK,
    RouteType.MULTICAST: Scope.LINK,
    RouteType.ANYCAST: Scope.LINK,
}
_LABEL_BITS = 20
_IPV4 = int(socket.AF_INET)  # numbers are compared faster than enums
_HOPS = ("gateway", "oif", "via", "multipath", "encap")


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor, with those that follow from others."""
    label = values.pop("label", None)
    if label is not None:
        values |= {"family": AF_MPLS, "dst": IPv4Address(stack_of([label])[0]), "dst_len": _LABEL_BITS}
    labels = values.pop("labels", None)
    if labels is not None:
        values["newdst"] = stack_of(labels)
    header = values.get("header")
    family = values.get("family") or (header.family if header is not None else 0)
    for name in ("dst", "src"):
        if values.get(name) is not None:
            family = _set_prefix(values, name, header, family)
    if values.get("encap") is not None:
        with_type(values)
    gateway = values.get("gateway")
    if not family:
        family = family_of(gateway) or family_of(values.get("prefsrc")) or _family_of_hops(values.get("multipath"))
    elif gateway is not None and family == _IPV4 and family_of(gateway) != family:
        values |= {"gateway": None, "via": Via(gateway)}
    if header is None:
        values["family"] = family
        if family == _IPV4 and values.get("scope") is None:
            values["scope"] = _scope_of(values)
    return values


def _set_prefix(values: dict[str, Any], name: str, header: RtMsg | None, family: int) -> int:
    """Set an address, its length and the family. Returns the family."""
    address, length = split(values[name])
    values[name] = address
    field = f"{name}_len"
    found = family_of(address)
    if family and family != AF_MPLS and family != found and isinstance(address, (str, IPv4Address, IPv6Address)):
        raise ValueError(f"{name} {address} is of another address family than the route")
    given = values.get(field)
    if length is None:
        length = given if given is not None else getattr(header, field) if header is not None else length_of(address)
    elif given is not None and given != length:
        raise ValueError(f"the prefix has the length {length}, but {field} is {given}")
    values[field] = length
    if family != AF_MPLS:
        check_host_bits(name, address, length)
    return family or found


def _family_of_hops(hops: Iterable[Hop] | None) -> int:
    """The address family of the first gateway of some hops; 0 if there is none."""
    for hop in hops or ():
        if hop.gateway is not None:
            return family_of(hop.gateway)
    return 0


def _scope_of(values: dict[str, Any]) -> int:
    """The scope of an IPv4 route: how far its gateway is."""
    type_ = values.get("type") or RouteType.UNICAST
    if type_ != RouteType.UNICAST:
        return _SCOPES.get(type_, Scope.UNIVERSE)
    for name in ("gateway", "via", "nh_id"):
        if values.get(name) is not None:
            return Scope.UNIVERSE
    hops = values.get("multipath")
    if hops:
        return Scope.UNIVERSE if any(hop.gateway or hop.via for hop in hops) else Scope.LINK
    return Scope.UNIVERSE if values.get("oif") is None else Scope.LINK


_LOOKUP = ("dst", "src", "oif", "iif", "mark", "uid", "ip_proto", "sport", "dport", "flowlabel")
_WITHOUT_HOPS = (RouteType.BLACKHOLE, RouteType.UNREACHABLE, RouteType.PROHIBIT, RouteType.THROW)


def _checked(verb: str, record: Route) -> Route:
    header = record.header
    if header is None or not header.family:
        raise ValueError("a route needs family, or an address of which it follows")
    if verb == "get":
        return _lookup(record)
    if verb == "delete":
        # Of a route by nexthop, the type and all hops are those of the nexthop, as is the type of a blackhole.
        without: dict[str, Any] = dict.fromkeys(_HOPS) if record.nh_id is not None else {}
        type_ = RouteType.UNSPEC if record.nh_id is not None else header.type
        scope = Scope.NOWHERE if header.family == _IPV4 else header.scope
        return record.replace(**without, header=header.replace(type=type_, scope=scope))
    if record.nh_id is not None:
        beside = [name for name in _HOPS if getattr(record, name) is not None]
        if beside:
            raise ValueError(f"a route by nexthop, nh_id, has no {', '.join(beside)} of its own")
    elif record.multipath is not None and (record.gateway is not None or record.via is not None):
        raise ValueError("a route has either multipath or a gateway")
    if header.type in _WITHOUT_HOPS and (record.gateway is not None or record.via is not None):
        raise ValueError(f"a route of type {RouteType(header.type).name} drops its packets, and has no gateway")
    return record.replace(
        header=header.replace(type=header.type or RouteType.UNICAST, protocol=header.protocol or RouteProtocol.STATIC)
    )


def _lookup(record: Route) -> Route:
    """The request for the route that the kernel takes to an address."""
    address = record.dst
    if address is None:
        raise ValueError("get asks for the route to an address: it needs dst")
    if record.family != AF_MPLS and record.dst_len != length_of(address):
        raise ValueError(f"get asks for the route to an address, not to {address}/{record.dst_len}: dump has prefixes")
    values = {name: getattr(record, name) for name in _LOOKUP}
    flags = int(record.flags or 0)
    if record.family == _IPV4:
        flags |= RouteFlags.LOOKUP_TABLE  # the table of the route, which IPv6 reports in any case
    return Route(**values, family=record.family, dst_len=record.dst_len, tos=record.tos, flags=flags, scope=0)


ROUTE = Object(
    Route,
    "route",
    new=Command.NEWROUTE,
    delete=Command.DELROUTE,
    get=Command.GETROUTE,
    replace=REPLACE,
    append=APPEND,
    update=CHANGE,
    reports_replaced=True,
    groups=[RouteGroup.IPV4_ROUTE, RouteGroup.IPV6_ROUTE, RouteGroup.MPLS_ROUTE],
    filters={
        "family": "family",
        "table": "table",
        "oif": "oif",
        "protocol": "protocol",
        "type": "type",
        "flags": ("flags", RouteFlags.CLONED),
    },
    check=_checked,
    by_shape=True,
    hints={
        errno.ESRCH: "there is no such route in that table",
        errno.EEXIST: "there is a route to that destination, with that priority: replace changes it, append adds to it",
        errno.ENETUNREACH: "the gateway is on no link that is up, or there is no route to that address",
        errno.ENETDOWN: "the link is down",
    },
)
