#!/usr/bin/env python3
"""Shows the way of packets through the rules: which rules match, and what becomes of them.

Packets to an address or network are traced, all of them or those to a port. Needs CAP_NET_ADMIN. The rule that begins
the traces is in a table of its own, which goes with the program.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any

from netlink import Overrun
from netlink.netfilter import nftables
from netlink.netfilter.nftables import Chain, Family, Hook, Table, Trace, TraceType
from netlink.netfilter.nftables.build import ip, ip6, meta, tcp, udp

TABLE = Table(family=Family.INET, name="packet_tracer")
CHAINS = [
    # Before connection tracking and all rules but those of the same priority.
    Chain(family=Family.INET, table=TABLE.name, name=name, type="filter", hook=hook, priority=-400)
    for name, hook in (("in", Hook.PREROUTING), ("out", Hook.OUTPUT))
]


def packet(step: Trace) -> str:
    """The addresses of a packet, and its ports if it has some."""
    network, transport = step.network_header or b"", step.transport_header or b""
    if len(network) >= 20 and network[0] >> 4 == 4:
        protocol, at, size = network[9], 12, 4
    elif len(network) >= 40:
        protocol, at, size = network[6], 8, 16
    else:
        return "a packet"
    ends = [ip_address(network[begin : begin + size]) for begin in (at, at + size)]
    if protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP) and len(transport) >= 4:
        ports = [int.from_bytes(transport[at : at + 2], "big") for at in (0, 2)]
        name = "tcp" if protocol == socket.IPPROTO_TCP else "udp"
        return " > ".join(f"{end}.{port}" for end, port in zip(ends, ports, strict=True)) + f" {name}"
    return f"{ends[0]} > {ends[1]} protocol {protocol}"


def line(step: Trace) -> str:
    where = f"{step.table} {step.chain}"
    verdict = step.verdict
    if step.type == TraceType.RULE and verdict is not None:
        target = f" {verdict.chain}" if verdict.chain else ""
        return f"{where} rule {step.rule_handle}: {getattr(verdict.code, 'name', verdict.code)}{target}"
    if step.type == TraceType.POLICY:
        return f"{where} policy: {getattr(step.policy, 'name', step.policy)}"
    return f"{where}: return"


def run(nft: nftables.Conn, parts: list[Any]) -> None:
    with nftables.trace(on_overrun="mark") as stream:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stream.stop())
        with nft.transaction() as tx:
            tx.create(TABLE)
            for chain in CHAINS:
                tx.add(chain)
                tx.add_rule(chain, *parts, meta.nftrace.set(1))
        print("tracing", file=sys.stderr, flush=True)
        try:
            last = None
            for step in nftables.TraceSteps(stream):
                if isinstance(step, Overrun):
                    print(f"{step.lost} steps were lost", flush=True)
                elif step.table != TABLE.name:
                    if step.id != last:
                        print(packet(step))
                    print(f"  {line(step)}", flush=True)
                    last = step.id
        finally:
            with suppress(FileNotFoundError), nft.transaction() as tx:  # somebody may have deleted it
                tx.delete(TABLE)


def port(text: str) -> int:
    """A port. ValueError for what is none."""
    value = int(text)
    if not 0 <= value < 1 << 16:
        raise ValueError
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("destination", type=ip_network, help="an address or network of IPv4 or IPv6")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--tcp", type=port, metavar="PORT", help="of the destination")
    which.add_argument("--udp", type=port, metavar="PORT", help="of the destination")
    arguments = parser.parse_args()
    parts: list[Any] = [(ip if arguments.destination.version == 4 else ip6).daddr(arguments.destination)]
    if arguments.tcp is not None:
        parts.append(tcp.dport(arguments.tcp))
    if arguments.udp is not None:
        parts.append(udp.dport(arguments.udp))
    try:
        with nftables.dial() as nft:
            run(nft, parts)
    except OSError as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
