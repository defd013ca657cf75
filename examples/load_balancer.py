#!/usr/bin/env python3
"""A load balancer: connections to one address go to the servers that answer.

    load_balancer.py [--scheduler rr] [--interval 2] ADDRESS:PORT SERVER:PORT...

The kernel forwards (IPVS); this program asks each server for a connection, every few seconds. One that refuses gets no
new connections until it answers again. ADDRESS has to be this machine's, net.ipv4.ip_forward 1 unless the clients are
here, and the way back from the servers has to lead through here. Needs CAP_NET_ADMIN. SIGTERM ends it, and removes the
service.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from netlink import Conn
from netlink.generic import ipvs
from netlink.generic.ipvs import Destination, Service


def place(text: str) -> tuple[str, int]:
    """The address and the port of 192.0.2.1:80 or [2001:db8::1]:80."""
    host, colon, port = text.rpartition(":")
    if not (colon and port.isdigit()):
        raise ValueError(f"want ADDRESS:PORT, not {text!r}")
    return host.strip("[]"), int(port)


def answers(server: tuple[str, int], patience: float) -> bool:
    try:
        socket.create_connection(server, timeout=patience).close()
    except OSError:
        return False
    return True


class Balancer:
    """A service, and which of its servers answer."""

    def __init__(self, vs: ipvs.Conn[Conn], service: Service, servers: Sequence[tuple[str, int]]) -> None:
        self.vs, self.service = vs, service
        self.up = dict.fromkeys(servers, False)
        for address, port in servers:
            vs.add_destination(service, Destination(addr=address, port=port, weight=0))

    def look(self, patience: float) -> None:
        """Ask all servers at once, and give those that have changed a new weight."""
        with ThreadPoolExecutor(len(self.up)) as pool:
            found = dict(zip(self.up, pool.map(lambda server: answers(server, patience), self.up), strict=True))
        for server, up in found.items():
            if up != self.up[server]:
                weight = Destination(addr=server[0], port=server[1], weight=int(up))
                self.vs.update_destination(self.service, weight)
                self.up[server] = up
                print(f"{server[0]}:{server[1]} {'answers' if up else 'does not answer'}", flush=True)

    def report(self) -> None:
        for each in self.vs.destinations(self.service):
            print(f"{each.addr}:{each.port} has {each.active_conns} connections", flush=True)


def run(address: str, servers: Sequence[str], scheduler: str, interval: float) -> None:
    addr, port = place(address)
    service = Service(protocol=socket.IPPROTO_TCP, addr=addr, port=port, sched_name=scheduler)
    places = [place(server) for server in servers]
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # until all is there, so that all can be removed
    with ipvs.dial() as vs:
        vs.add(service)
        try:
            balancer = Balancer(vs, service, places)
            print(f"{address} is balanced by {scheduler}", flush=True)
            balancer.look(interval)
            while signal.sigtimedwait(stop, interval) is None:
                balancer.look(interval)
            balancer.report()
        finally:
            vs.delete(service)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("address", metavar="ADDRESS:PORT", help="where clients connect to")
    parser.add_argument("servers", metavar="SERVER:PORT", nargs="+", help="where their connections go")
    parser.add_argument("--scheduler", default="wlc", help="such as rr, wrr, lc, wlc, sh, mh (wlc)")
    parser.add_argument("--interval", type=float, default=2, help="seconds between two looks at the servers (2)")
    try:
        run(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
