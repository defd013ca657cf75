"""This library's rtnetlink.

dump route|neigh|link batch|fields|iter [loops=N]    routes and neighbours of IPv4, and links
create many|made|batch|each count=N                  routes: of records, of records that are made then, of a batch; each
get verb|index|execute count=N                       the link v0, by its name
memory dump|iter                                     of a dump of routes, beyond what importing takes
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import Any

from bench.peers.peer import Result, option, peak_rss
from netlink import AttributeEncoder, Header, HeaderFlags, Message, route
from netlink.route import Link, Neighbour, Route

FIRST_ROUTE = 0x0A000001
LOOPBACK = 1
DECLARATIONS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "route": (Route, {"family": socket.AF_INET}),
    "neigh": (Neighbour, {"family": socket.AF_INET}),
    "link": (Link, {}),
}


def sum_routes(routes: Iterable[Route]) -> int:
    """Three fields of each, read as any user would."""
    total = 0
    for each in routes:
        total += (each.dst_len or 0) + (int(each.dst or 0) & 0xFFFFFF) + (each.oif or 0)
    return total


def sum_neighbours(neighbours: Iterable[Neighbour]) -> int:
    total = 0
    for each in neighbours:
        total += (each.index or 0) + (each.state or 0) + (int(each.dst or 0) & 0xFFFFFF)
    return total


def sum_links(links: Iterable[Link]) -> int:
    total = 0
    for each in links:
        total += (each.index or 0) + (each.mtu or 0) + len(each.name or "")
    return total


SUMS: dict[str, Callable[[Any], int]] = {"route": sum_routes, "neigh": sum_neighbours, "link": sum_links}


def dump(what: str, how: str, loops: int) -> Result:
    declaration, fields = DECLARATIONS[what]
    with route.dial() as rt:
        rt.get(Link(index=LOOPBACK))  # imports the kinds of links
        result = Result()
        for _ in range(loops):
            if how == "iter":
                result.items += sum(len(part) for part in rt.iter_dump(declaration, **fields))
                continue
            batch = rt.dump(declaration, **fields)
            result.items += len(batch)
            if how == "fields":
                result.sum += SUMS[what](batch)
            del batch
    return result


def routes(count: int) -> list[Route]:
    return [Route(dst=IPv4Address(FIRST_ROUTE + i), oif=LOOPBACK) for i in range(count)]


def create(how: str, count: int) -> Result:
    records: Any = [] if how == "made" else routes(count)
    if how == "batch":
        records = Route.decode_many([record.encode() for record in records])
    with route.dial() as rt:
        result = Result()
        if how == "each":
            for record in records:
                rt.create(record)
        elif failures := rt.create_many(routes(count) if how == "made" else records):
            raise failures[0].error
        result.items = count
        result.stop()
    return result


def get(how: str, count: int) -> Result:
    name = "v0"
    e = AttributeEncoder()
    e.string(3, name)  # IFLA_IFNAME
    message = Message(Header(type=18, flags=HeaderFlags.REQUEST), bytes(16) + e.encode())  # RTM_GETLINK; ifinfomsg
    with route.dial() as rt:
        rt.get(Link(name=name))  # imports the kinds of links
        result = Result()
        for _ in range(count):
            if how == "verb":
                rt.get(Link(name=name))
            elif how == "index":
                rt.index(name)
            else:
                rt.conn.execute(message)
        result.items = count
        result.stop()
    return result


def memory(how: str) -> Result:
    fields: dict[str, Any] = {"family": socket.AF_INET, "table": route.RouteTable.MAIN}
    with route.dial() as rt:
        before = peak_rss()
        result = Result()
        kept = 0
        if how == "iter":
            result.items = sum(len(part) for part in rt.iter_dump(Route, **fields))
        else:
            batch = rt.dump(Route, **fields)
            result.items, kept = len(batch), batch.nbytes
        result.extra = {"peak": peak_rss() - before, "kept": kept}
    return result


def main() -> None:
    work, what = sys.argv[1:3]
    loops, count = option("loops", 1), option("count")
    if work == "dump":
        dump(what, sys.argv[3], loops).finish(loops)
    elif work == "create":
        create(what, count).finish()
    elif work == "get":
        get(what, count).finish()
    elif work == "memory":
        memory(what).finish()
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
