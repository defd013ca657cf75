#!/usr/bin/env python3
"""A network for containers on this machine: a bridge, a pair of links to each container, and NAT.

    container_network.py [--out eth0] NAME...

NAME is a network namespace, as `ip netns` has them. Each gets an interface eth0, an address and a default route over
the bridge, and its packets leave by --out with this machine's address. Nothing is forwarded unless
net.ipv4.ip_forward is 1. Needs CAP_NET_ADMIN, here and there. SIGTERM ends it, and removes all that it has made.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from netlink import Conn, route
from netlink.netfilter import nftables
from netlink.netfilter.nftables import Chain, Family, Hook, Table, build
from netlink.route import Address, Link, LinkFlags, Route
from netlink.route.link import Veth

TABLE = Table(family=Family.IPV4, name="container_network")
LEAVE = Chain(family=Family.IPV4, table=TABLE.name, name="leave", type="nat", hook=Hook.POSTROUTING, priority=100)


def masquerade_from(network: IPv4Network, out: build.Part) -> None:
    """Have packets that leave to others leave with this machine's address."""
    with nftables.dial() as nft, nft.transaction() as tx:
        tx.create(TABLE)
        tx.add(LEAVE)
        tx.add_rule(LEAVE, build.ip.saddr(network), out, build.masquerade())


def end_masquerade() -> None:
    with nftables.dial() as nft, nft.transaction() as tx:
        tx.delete(TABLE)


def connect(rt: route.Conn[Conn], bridge: Link, container: str, own: IPv4Interface, gateway: IPv4Interface) -> None:
    """A pair of links: one end is a port of the bridge, the other is the container's eth0."""
    with Path("/run/netns", container).open() as namespace:
        far = Link(name="eth0", net_ns_fd=namespace.fileno())
        # The names of links are short. The kernel numbers those with %d.
        near = rt.create(Link(name="port%d", kind="veth", master=bridge.index, data=Veth(peer=far)))
    rt.update(Link(index=near.index, alias=container, flags=LinkFlags.UP))
    with route.dial(netns=container) as inside:
        index = inside.index("eth0")
        inside.create(Address(index=index, address=own))
        inside.up("lo")
        inside.up(index)
        inside.create(Route(gateway=gateway.ip, oif=index))
    print(f"{container} has {own} on {near.name}", flush=True)


def remove(rt: route.Conn[Conn], bridge: Link) -> None:
    """The bridge and its ports, and with each port the other end."""
    for port in rt.dump(Link, master=bridge.index):
        rt.delete(Link(index=port.index))
    rt.delete(Link(index=bridge.index))


def run(bridge: str, network: IPv4Network, out: str | None, containers: Sequence[str]) -> None:
    if len(containers) > network.num_addresses - 3:
        raise ValueError(f"{network} has no addresses for {len(containers)} containers")
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # until all is there, so that all can be removed
    addresses = (IPv4Interface((host, network.prefixlen)) for host in network.hosts())
    with route.dial() as rt, ExitStack() as made:
        gateway = next(addresses)
        link = rt.create(Link(name=bridge, kind="bridge"))
        made.callback(remove, rt, link)
        rt.create(Address(index=link.index, address=gateway))
        rt.up(bridge)
        for container in containers:
            connect(rt, link, container, next(addresses), gateway)
        masquerade_from(network, build.meta.oifname(out) if out else build.meta.oifname.ne(bridge))
        made.callback(end_masquerade)
        print(f"{len(containers)} containers on {bridge}", flush=True)
        signal.sigwait(stop)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("containers", nargs="*", metavar="NAME", help="names of network namespaces")
    parser.add_argument("--bridge", default="containers0", help="the name of the bridge (containers0)")
    parser.add_argument("--network", type=IPv4Network, default="172.30.0.0/24", help="its addresses (172.30.0.0/24)")
    parser.add_argument("--out", metavar="LINK", help="the link by which packets leave (any)")
    arguments = parser.parse_args()
    try:
        run(arguments.bridge, arguments.network, arguments.out, arguments.containers)
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
