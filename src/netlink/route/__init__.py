"""rtnetlink: links, addresses, routes, neighbours, rules and nexthops.

    from netlink import route
    from netlink.route import Address, Link, Route

    with route.dial() as rt:
        link = rt.create(Link(name="v0", kind="bridge"))
        rt.create(Address(index=link.index, address="192.0.2.1/24"))
        rt.up("v0")
        rt.create(Route(dst="198.51.100.0/24", gateway="192.0.2.2"))
        for each in rt.dump(Route, table=254):
            print(each.network, each.gateway)

One set of verbs is for all objects: the class of a record says which. Reading needs no privilege; changing needs
CAP_NET_ADMIN in the user namespace of the network namespace. `netlink.route.tc` is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netlink.family import Failure
from netlink.route.addr import (
    Address,
    AddressCacheInfo,
    AddressFlags,
    AddressOrigin,
    IfAddrMsg,
)
from netlink.route.command import Command
from netlink.route.encap import (
    BPFEncap,
    BPFProgram,
    EncapType,
    ErspanOptions,
    GeneveOption,
    ILAEncap,
    IOAM6Encap,
    IOAM6Mode,
    IP6Encap,
    IPEncap,
    MPLSEncap,
    RPLEncap,
    Seg6Action,
    Seg6Counters,
    Seg6Encap,
    Seg6Flavors,
    Seg6LocalEncap,
    Seg6Mode,
    SegmentHeader,
    TunnelFlags,
    TunnelOptions,
    VXLANOptions,
    XfrmEncap,
)
from netlink.route.event import Event
from netlink.route.family import Conn, dial, dial_async
from netlink.route.link import (
    ExtMask,
    IfInfoMsg,
    Link,
    LinkFlags,
    LinkProperties,
    OperState,
)
from netlink.route.mirror import Mirror, RouteChange, RouteChanges
from netlink.route.monitor import listen
from netlink.route.neigh import (
    AF_BRIDGE,
    FDBActivity,
    FDBAttributes,
    NdMsg,
    NdtMsg,
    Neighbour,
    NeighbourCacheInfo,
    NeighbourConfig,
    NeighbourExtFlags,
    NeighbourFlags,
    NeighbourParameters,
    NeighbourState,
    NeighbourStats,
    NeighbourTable,
)
from netlink.route.nexthop import (
    GroupMember,
    GroupMemberStats,
    GroupType,
    Nexthop,
    NexthopBucket,
    NextHopOpFlags,
    NhMsg,
    ResilientGroup,
)
from netlink.route.nsid import NetnsID, RtGenMsg
from netlink.route.route import (
    AF_MPLS,
    Hop,
    HopFlags,
    Metrics,
    Preference,
    Route,
    RouteCacheInfo,
    RouteFlags,
    RouteProtocol,
    RouteTable,
    RouteType,
    RtMsg,
    RtNextHop,
    Via,
)
from netlink.route.rule import (
    FibRuleHdr,
    PortRange,
    Rule,
    RuleAction,
    RuleFlags,
    UidRange,
)
from netlink.route.scope import Scope
from netlink.route.stats import (
    IfStatsMsg,
    LinkStats,
    LinkStats64,
    StatsFilter,
)
from netlink.route.vlan import (
    BridgePortState,
    BridgeVlan,
    BridgeVlanFlags,
    BridgeVlanInfo,
    BridgeVlanMsg,
    VlanDump,
    VlanEntry,
    VlanOptions,
    VlanStats,
    VlanTunnel,
)

__all__ = [
    "AF_BRIDGE",
    "AF_MPLS",
    "Address",
    "AddressCacheInfo",
    "AddressFlags",
    "AddressOrigin",
    "BPFEncap",
    "BPFProgram",
    "BridgePortState",
    "BridgeVlan",
    "BridgeVlanFlags",
    "BridgeVlanInfo",
    "BridgeVlanMsg",
    "Command",
    "Conn",
    "EncapType",
    "ErspanOptions",
    "Event",
    "ExtMask",
    "FDBActivity",
    "FDBAttributes",
    "Failure",
    "FibRuleHdr",
    "GeneveOption",
    "GroupMember",
    "GroupMemberStats",
    "GroupType",
    "Hop",
    "HopFlags",
    "ILAEncap",
    "IOAM6Encap",
    "IOAM6Mode",
    "IP6Encap",
    "IPEncap",
    "IfAddrMsg",
    "IfInfoMsg",
    "IfStatsMsg",
    "Link",
    "LinkFlags",
    "LinkProperties",
    "LinkStats",
    "LinkStats64",
    "MPLSEncap",
    "Metrics",
    "Mirror",
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
    "NetnsID",
    "NextHopOpFlags",
    "Nexthop",
    "NexthopBucket",
    "NhMsg",
    "OperState",
    "PortRange",
    "Preference",
    "RPLEncap",
    "ResilientGroup",
    "Route",
    "RouteCacheInfo",
    "RouteChange",
    "RouteChanges",
    "RouteFlags",
    "RouteProtocol",
    "RouteTable",
    "RouteType",
    "RtGenMsg",
    "RtMsg",
    "RtNextHop",
    "Rule",
    "RuleAction",
    "RuleFlags",
    "Scope",
    "Seg6Action",
    "Seg6Counters",
    "Seg6Encap",
    "Seg6Flavors",
    "Seg6LocalEncap",
    "Seg6Mode",
    "SegmentHeader",
    "StatsFilter",
    "TunnelFlags",
    "TunnelOptions",
    "UidRange",
    "VXLANOptions",
    "Via",
    "VlanDump",
    "VlanEntry",
    "VlanOptions",
    "VlanStats",
    "VlanTunnel",
    "XfrmEncap",
    "dial",
    "dial_async",
    "listen",
]

if TYPE_CHECKING:
    from netlink.route import tc as tc
else:

    def __getattr__(name: str) -> Any:
        if name != "tc":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return import_module(f"{__name__}.tc")

    def __dir__() -> list[str]:
        return sorted({"tc", *globals()})
