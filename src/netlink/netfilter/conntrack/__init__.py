"""Connection tracking: the kernel's table of flows.

    from netlink.netfilter import conntrack

    with conntrack.dial() as ct:
        for flow in ct.dump():
            print(flow.orig.src, flow.orig.dst, flow.status)

Reading the table needs CAP_NET_ADMIN in the user namespace of the network namespace.
"""

from __future__ import annotations

from netlink.errors import Overrun
from netlink.netfilter.conntrack.events import listen
from netlink.netfilter.conntrack.family import Conn, dial, dial_async
from netlink.netfilter.conntrack.filter import Filter
from netlink.netfilter.conntrack.mirror import Change, Changes, FlowKey, Mirror
from netlink.netfilter.conntrack.records import (
    NAT,
    Counters,
    DCCPInfo,
    Event,
    Expect,
    ExpectFlags,
    ExpectNAT,
    FilterFlags,
    Flow,
    Part,
    ProtoInfo,
    SCTPInfo,
    SCTPState,
    SeqAdj,
    Stats,
    StatsExpect,
    StatsGlobal,
    Status,
    SynProxy,
    TCPFlag,
    TCPFlags,
    TCPInfo,
    TCPState,
    Timestamp,
    Tuple,
    TupleFlags,
)

__all__ = [
    "NAT",
    "Change",
    "Changes",
    "Conn",
    "Counters",
    "DCCPInfo",
    "Event",
    "Expect",
    "ExpectFlags",
    "ExpectNAT",
    "Filter",
    "FilterFlags",
    "Flow",
    "FlowKey",
    "Mirror",
    "Overrun",
    "Part",
    "ProtoInfo",
    "SCTPInfo",
    "SCTPState",
    "SeqAdj",
    "Stats",
    "StatsExpect",
    "StatsGlobal",
    "Status",
    "SynProxy",
    "TCPFlag",
    "TCPFlags",
    "TCPInfo",
    "TCPState",
    "Timestamp",
    "Tuple",
    "TupleFlags",
    "dial",
    "dial_async",
    "listen",
]
