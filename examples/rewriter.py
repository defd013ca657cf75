#!/usr/bin/env python3
"""A transparent rewriter: replaces a text in the data of TCP and UDP packets on their way.

Needs CAP_NET_ADMIN, and a rule that queues the packets, such as

    iptables -A FORWARD -p udp --dport 53 -j NFQUEUE --queue-num 0

Headers stay as they are, but for lengths and checksums. A text of another length is for UDP alone: the peers of a TCP
connection count its bytes. Fragments are left alone: their checksum is that of the whole packet. SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from netlink.netfilter import nfqueue
from netlink.netfilter.nfqueue import Packet
from netlink.packet import IPFlag

TCP, UDP = 6, 17


def start_of_data(packet: Packet, payload: bytes) -> int | None:
    """The length of the headers of IP and TCP or UDP; None if the packet has others."""
    if payload[0] >> 4 == 4:
        start = (payload[0] & 15) * 4
    elif payload[6] == packet.proto:
        start = 40
    else:  # IPv6 with extension headers
        return None
    if packet.proto == UDP:
        return start + 8
    if packet.proto == TCP and start + 12 < len(payload):
        return start + (payload[start + 12] >> 4) * 4
    return None


def rewritten(packet: Packet, old: bytes, new: bytes) -> bytes | None:
    """The packet as it goes on; None if that is as it came."""
    if packet.truncated or packet.src is None or packet.frag_offset or (packet.ip_flags or IPFlag(0)) & IPFlag.MF:
        return None
    payload = bytes(packet.payload or b"")
    start = start_of_data(packet, payload)
    if start is None or payload.find(old, start) < 0 or (packet.proto == TCP and len(old) != len(new)):
        return None
    return payload[:start] + payload[start:].replace(old, new)


def run(number: int, old: bytes, new: bytes) -> None:
    changed = 0
    # Segments as they are on the wire: without gso=False, up to 64 KiB of a connection are one packet.
    with nfqueue.listen(number, gso=False) as queue:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: queue.stop())
        print(f"rewriting the packets of queue {number}", flush=True)
        for packet in queue:
            payload = rewritten(packet, old, new)
            if payload is None:
                queue.accept(packet)
            else:
                queue.accept(packet, payload=payload, checksums=True)
                changed += 1
        lost, refused = queue.lost, sum(queue.refused.values())
    print(f"{changed} packets rewritten, {lost} lost, {refused} verdicts refused")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("queue", type=int, help="of the rules' NFQUEUE --queue-num")
    parser.add_argument("old", type=os.fsencode, help="the text to replace")
    parser.add_argument("new", type=os.fsencode, help="the text to put there")
    arguments = parser.parse_args()
    if not arguments.old:
        parser.error("the text to replace is empty")
    try:
        run(arguments.queue, arguments.old, arguments.new)
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
