#!/usr/bin/env python3
"""A NAT log: who had which address and port, from when to when.

Needs CAP_NET_ADMIN. A line when a translated connection begins, and one when it ends; START for those that are there
already. If events are lost, the table is read again: no line is missing but the exact time of it. SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import UTC, datetime

from netlink.netfilter.conntrack import Event, Flow, Mirror, Status, Tuple

PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}


def end_point(address: object, port: int | None) -> str:
    return f"[{address}]:{port}" if port is not None else str(address)


def line(word: str, flow: Flow) -> str:
    """A connection as one line: its end points, and what they are translated to."""
    orig, reply = flow.orig, flow.reply or Tuple()
    times = flow.timestamp  # if net.netfilter.nf_conntrack_timestamp is 1
    nanoseconds = None if times is None else times.stop if word == "END" else times.start
    when = datetime.fromtimestamp(nanoseconds / 1e9, UTC) if nanoseconds else datetime.now(UTC)
    parts = [when.isoformat(timespec="milliseconds"), word, PROTOCOLS.get(orig.proto or 0, str(orig.proto))]
    parts.append(end_point(orig.src, orig.src_port))
    if (reply.dst, reply.dst_port) != (orig.src, orig.src_port):
        parts += ["as", end_point(reply.dst, reply.dst_port)]
    parts += ["to", end_point(orig.dst, orig.dst_port)]
    if (reply.src, reply.src_port) != (orig.dst, orig.dst_port):
        parts += ["at", end_point(reply.src, reply.src_port)]
    for name, counters in (("sent", flow.counters_orig), ("received", flow.counters_reply)):
        if word == "END" and counters is not None:
            parts.append(f"{name}={counters.bytes}")
    return " ".join(parts)


def is_translated(flow: Flow) -> bool:
    return bool(flow.status is not None and flow.status & (Status.SRC_NAT | Status.DST_NAT))


def run() -> None:
    with Mirror() as mirror:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: mirror.stop())
        for flow in filter(is_translated, mirror.copy().values()):
            print(line("START", flow))
        print(f"# {len(mirror)} connections", flush=True)
        lost = 0
        for change in mirror.changes():
            flow = change.flow
            if mirror.lost != lost:
                print(f"# {mirror.lost - lost} events lost, the table was read again")
                lost = mirror.lost
            if not is_translated(flow):
                continue
            if change.event == Event.NEW:
                print(line("START", flow), flush=True)
            elif change.event == Event.DESTROY:
                print(line("END", flow), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.parse_args()
    try:
        run()
    except OSError as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
