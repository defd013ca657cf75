#!/usr/bin/env python3
"""A reflector of routes: the kernel has those of a file, and a mirror tells what it has.

    route_reflector.py [--table 100] ROUTES [ADDRESS...]

A line of ROUTES is a prefix and a gateway: "192.0.2.0/24 198.51.100.1". What is new in it is installed, what is gone is
removed, the rest stays; SIGHUP reads it again. The route to each ADDRESS is printed when it changes: by the longest
prefix of the mirror, which asks the kernel nothing. SIGTERM ends it; the routes stay. Needs CAP_NET_ADMIN.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from netlink import Conn, route
from netlink.route import Event, Mirror, Route, RouteChange

PROTOCOL = 200  # says which routes are ours: a number that no other program has
Key = tuple[Any, Any]  # a prefix and a gateway


def key_of(one: Route) -> Key:
    return one.network, one.gateway


def read(path: Path) -> Iterator[Key]:
    """The routes of a file. ValueError names the line that has none."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            if line.strip() and not line.startswith("#"):
                prefix, gateway = line.split()
                yield ip_network(prefix), ip_address(gateway)
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from None


class Reflector:
    def __init__(self, rt: route.Conn[Conn], mirror: Mirror, path: Path, table: int, watched: Sequence[str]) -> None:
        self.rt, self.mirror, self.path, self.table = rt, mirror, path, table
        self.there = {key_of(one): one for one in mirror.routes if one.protocol == PROTOCOL}
        self.said = dict.fromkeys(watched, "")  # of each address

    def install(self) -> None:
        """Make the difference between the file and the kernel, in two calls."""
        while changes := self.mirror.read(0):  # what has happened until now
            self.apply(changes)
        begin = time.monotonic()
        wanted = dict.fromkeys(read(self.path))
        old = [one for key, one in self.there.items() if key not in wanted]
        keys = wanted.keys() - self.there.keys()
        new = [Route(dst=dst, gateway=gateway, table=self.table, protocol=PROTOCOL) for dst, gateway in keys]
        failures = self.rt.delete_many(old) + self.rt.create_many(new)
        for failure in failures[:3]:
            if isinstance(failure.error, PermissionError):
                raise failure.error
            print(f"refused: {failure.error}", file=sys.stderr, flush=True)
        counts = f"{len(new)} routes new, {len(old)} gone, {len(failures)} refused"
        print(f"{counts}, in {time.monotonic() - begin:.2f} s", flush=True)

    def install_again(self) -> None:
        try:
            self.install()
        except (OSError, ValueError) as error:
            print(error, file=sys.stderr, flush=True)

    def apply(self, changes: list[RouteChange]) -> None:
        count = len(self.there)
        for event, one, before in changes:
            if isinstance(one, Route) and one.protocol == PROTOCOL:
                self.there.pop(key_of(before if isinstance(before, Route) else one), None)
                if event != Event.DEL:
                    self.there[key_of(one)] = one
        if len(self.there) != count:
            print(f"the kernel has {len(self.there)} routes", flush=True)
        self.look()

    def look(self) -> None:
        """Say which routes to the addresses have changed."""
        for address, said in self.said.items():
            found = self.mirror.route(address, table=self.table)
            now = f"{found.network} by {found.gateway}" if found else "no route"
            if now != said:
                print(f"{address}: {now}", flush=True)
                self.said[address] = now


async def run(path: Path, table: int, watched: Sequence[str]) -> None:
    with route.dial() as rt, Mirror(tables=[table]) as mirror:
        reflector = Reflector(rt, mirror, path, table, watched)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, mirror.stop)
        loop.add_signal_handler(signal.SIGHUP, reflector.install_again)
        reflector.install()
        while changes := await mirror.aread():
            reflector.apply(changes)
        print(f"the kernel has {len(reflector.there)} routes, {mirror.lost} events lost")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("routes", type=Path, metavar="ROUTES")
    parser.add_argument("addresses", nargs="*", metavar="ADDRESS")
    parser.add_argument("--table", type=int, default=100, help="the number of the table (100)")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments.routes, arguments.table, arguments.addresses), debug=False)  # which reports slowness
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
