#!/usr/bin/env python3
"""The packets that the kernel drops, as a table: how many, why, where in the kernel, and of which flow.

    drops.py [--interval 2] [--rows 20]

Each table is of the seconds since the one before, of all network namespaces. A line at its end tells of drops that the
kernel did not report, since the program began. Run it in the machine's first network namespace; it needs CAP_NET_ADMIN
and CAP_SYS_ADMIN. SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
import time
from collections import Counter

from netlink import Overrun
from netlink.generic import drop_monitor
from netlink.generic.drop_monitor import Packet

PROTOCOLS = {
    number: name.removeprefix("IPPROTO_") for name, number in vars(socket).items() if name.startswith("IPPROTO_")
}
HEADERS = 128  # bytes of a packet, enough for those


def flow(packet: Packet) -> str:
    """Text of a packet's addresses, without those of packets that are not of IP."""
    if packet.src is None:
        return f"protocol {packet.hw_protocol or 0:#06x}"
    ends = [(packet.src, packet.sport), (packet.dst, packet.dport)]
    texts = [str(ip) if port is None else f"[{ip}]:{port}" if ":" in str(ip) else f"{ip}:{port}" for ip, port in ends]
    return f"{PROTOCOLS.get(packet.proto or 0, packet.proto)} {' > '.join(texts)}"


def show(drops: Counter[tuple[str, str, str]], rows: int, lost: int) -> None:
    print(f"{'DROPS':>8}  {'REASON':<24} {'PLACE':<28} FLOW")
    for (reason, place, of), count in drops.most_common(rows):
        print(f"{count:>8}  {reason:<24} {place:<28} {of}")
    if lost:
        print(f"{lost:>8}  were not reported")
    print(flush=True)


def run(interval: float, rows: int) -> None:
    stop = threading.Event()
    with drop_monitor.listen(trunc_len=HEADERS, on_overrun="mark") as packets:

        def end(number: int, frame: object) -> None:
            stop.set()
            packets.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        print("drops are monitored", flush=True)
        while not stop.is_set():
            drops: Counter[tuple[str, str, str]] = Counter()
            due = time.monotonic() + interval
            while not stop.is_set() and (left := due - time.monotonic()) > 0:
                item = packets.read(left)
                for packet in () if isinstance(item, Overrun) else item:
                    place = (packet.symbol or packet.trap or "?").partition("+")[0]
                    drops[packet.reason or "?", place, flow(packet)] += 1
            show(drops, rows, packets.lost)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--interval", type=float, default=2, help="seconds between two tables (2)")
    parser.add_argument("--rows", type=int, default=20, help="rows of a table, those of the most drops (20)")
    try:
        run(**vars(parser.parse_args()))
    except OSError as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
