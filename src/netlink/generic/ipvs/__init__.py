"""IPVS, the kernel's load balancer: services, destinations, their counters, daemons, timeouts.

    from socket import IPPROTO_TCP

    from netlink.generic import ipvs
    from netlink.generic.ipvs import Destination, Service

    web = Service(protocol=IPPROTO_TCP, addr="192.0.2.1", port=80)
    with ipvs.dial() as vs:
        vs.add(web.replace(sched_name="rr"))
        vs.add_destination(web, Destination(addr="10.0.0.2", port=8080))
        for each in vs.destinations(web):
            print(each.addr, each.port, each.weight, each.active_conns)

A service is an address that clients connect to; its destinations are the servers that the connections go to. Each
network namespace has its own. All requests need CAP_NET_ADMIN in the machine's first user namespace, also those that
read.
"""

from __future__ import annotations

from netlink.generic.ipvs.family import Conn, dial, dial_async
from netlink.generic.ipvs.records import (
    Command,
    Daemon,
    DaemonState,
    Destination,
    ForwardMethod,
    Info,
    Request,
    Service,
    ServiceFlags,
    Stats,
    Timeouts,
    TunnelFlags,
    TunnelType,
    netmask,
)

__all__ = [
    "Command",
    "Conn",
    "Daemon",
    "DaemonState",
    "Destination",
    "ForwardMethod",
    "Info",
    "Request",
    "Service",
    "ServiceFlags",
    "Stats",
    "Timeouts",
    "TunnelFlags",
    "TunnelType",
    "dial",
    "dial_async",
    "netmask",
]
