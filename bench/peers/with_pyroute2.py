"""pyroute2, as its documentation uses it: Conntrack.dump_entries, IPRoute, GenericNetlinkSocket, DiagSocket
and UeventSocket.

It has no nflog and no listening to conntrack. Its ProcEventSocket does not recover from a loss, and a storm makes one.

dump conntrack|route|neigh|link|tcp [loops=N]
uevents - count=N [read_buffer=B]
request getlink|getname count=N    getname: of v0, by link_lookup
request getfamily count=N          of the generic "nlctrl", by discovery
create count=N                     routes, each with its acknowledgement
decode FILE [loops=N]          messages of conntrack, one behind the other
"""

from __future__ import annotations

import socket
import sys
from ipaddress import IPv4Address
from pathlib import Path

from pyroute2 import Conntrack, DiagSocket, IPRoute, UeventSocket
from pyroute2.netlink import ctrlmsg
from pyroute2.netlink.generic import GenericNetlinkSocket
from pyroute2.netlink.nfnetlink.nfctsocket import nfct_msg

from bench.peers.peer import Result, await_backlog, option

FIRST_ROUTE = 0x0A000001


def dump_flows(loops: int) -> None:
    with Conntrack() as ct:
        result = Result()
        for _ in range(loops):
            for entry in ct.dump_entries():
                result.items += 1
                result.sum += (entry.tuple_orig.sport or 0) + entry.status + (entry.mark or 0)
        result.finish(loops)


def dump_routes(loops: int) -> None:
    with IPRoute() as ipr:
        result = Result()
        for _ in range(loops):
            for route in ipr.get_routes(family=2):
                result.items += 1
                dst = route.get("dst")
                octets = [int(octet) for octet in dst.split(".")[1:]] if dst else [0, 0, 0]
                result.sum += route["dst_len"] + (route.get("oif") or 0)
                result.sum += octets[0] << 16 | octets[1] << 8 | octets[2]
        result.finish(loops)


def dump_neighbours(loops: int) -> None:
    with IPRoute() as ipr:
        result = Result()
        for _ in range(loops):
            for neighbour in ipr.get_neighbours(family=2):
                result.items += 1
                octets = [int(octet) for octet in neighbour.get("dst").split(".")[1:]]
                result.sum += neighbour["ifindex"] + neighbour["state"]
                result.sum += octets[0] << 16 | octets[1] << 8 | octets[2]
        result.finish(loops)


def dump_links(loops: int) -> None:
    with IPRoute() as ipr:
        result = Result()
        for _ in range(loops):
            for link in ipr.get_links():
                result.items += 1
                result.sum += link["index"] + link.get("mtu") + len(link.get("ifname"))
        result.finish(loops)


def dump_sockets(loops: int) -> None:
    info_and_memory = 0x02 | 0x40  # INET_DIAG_INFO, INET_DIAG_SKMEMINFO
    with DiagSocket() as diag:
        diag.bind()
        result = Result()
        for _ in range(loops):
            for each in diag.get_sock_stats(family=socket.AF_INET, extensions=info_and_memory):
                info = each.get_attr("INET_DIAG_INFO")
                result.items += 1
                result.sum += each["idiag_sport"] + each["idiag_inode"] + info["tcpi_bytes_acked"]
        result.finish(loops)


def uevents(count: int) -> None:
    with UeventSocket() as sock:
        size = option("read_buffer").to_bytes(4, sys.byteorder)
        sock.setsockopt(socket.SOL_SOCKET, 33, size)  # SO_RCVBUFFORCE
        sock.bind(groups=1)
        await_backlog()
        result = Result()
        while result.items < count:
            result.items += sum(1 for _ in sock.get())
        result.finish()


def request(what: str, count: int) -> None:
    with IPRoute() as ipr:
        result = Result()
        for _ in range(count):
            if what == "getname":
                ipr.link_lookup(ifname="v0")
            else:
                list(ipr.get_links(1))
        result.items = count
        result.finish()


def request_family(count: int) -> None:
    with GenericNetlinkSocket() as genl:
        genl.bind("nlctrl", ctrlmsg)
        result = Result()
        for _ in range(count):
            family = genl.discovery("nlctrl")
            result.sum += family.get_attr("CTRL_ATTR_FAMILY_ID") + family.get_attr("CTRL_ATTR_VERSION")
        result.items = count
        result.finish()


def create(count: int) -> None:
    with IPRoute() as ipr:
        result = Result()
        for i in range(count):
            ipr.route("add", dst=f"{IPv4Address(FIRST_ROUTE + i)}/32", oif=1)
        result.items = count
        result.finish()


def decode(path: str, loops: int) -> None:
    data = Path(path).read_bytes()
    result = Result()
    for _ in range(loops):
        at = 0
        while at < len(data):
            message = nfct_msg(data, offset=at)
            message.decode()
            ports = message.get_attr("CTA_TUPLE_ORIG").get_attr("CTA_TUPLE_PROTO")
            result.sum += ports.get_attr("CTA_PROTO_SRC_PORT") or 0
            result.sum += (message.get_attr("CTA_STATUS") or 0) + (message.get_attr("CTA_MARK") or 0)
            result.items += 1
            at += (message["header"]["length"] + 3) & ~3
    result.finish(loops)


DUMPS = {
    "conntrack": dump_flows,
    "route": dump_routes,
    "neigh": dump_neighbours,
    "link": dump_links,
    "tcp": dump_sockets,
}


def main() -> None:
    work, what = sys.argv[1:3]
    if work == "uevents":
        uevents(option("count"))
    elif work == "dump":
        DUMPS[what](option("loops", 1))
    elif work == "request":
        if what == "getfamily":
            request_family(option("count"))
        else:
            request(what, option("count"))
    elif work == "create":
        create(option("count"))
    elif work == "decode":
        decode(what, option("loops", 1))
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
