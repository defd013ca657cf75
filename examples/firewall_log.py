#!/usr/bin/env python3
"""A firewall log as JSON lines: one object for each logged packet, as a SIEM takes it.

Needs CAP_NET_ADMIN, and a rule that logs to the group, such as

    nft add rule inet filter input ct state invalid log group 5 prefix "invalid"

SIGTERM ends it behind the packets that the kernel has collected.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
from datetime import UTC, datetime
from typing import Any

from netlink.netfilter import nflog
from netlink.netfilter.nflog import Packet
from netlink.packet import IPFlag, TCPFlag

# Those that a packet does not have are left out.
NAMES = ("prefix", "mark", "uid", "gid", "src", "dst", "proto", "sport", "dport", "icmp_type", "icmp_code", "tcp_flags",
         "length", "ttl", "tos", "ip_id", "ip_flags", "frag_offset")  # fmt: skip


def interface(index: int | None) -> str | None:
    try:
        return None if index is None else socket.if_indextoname(index)
    except OSError:  # it is gone
        return f"#{index}"


def plain(value: Any) -> Any:
    if isinstance(value, (IPFlag, TCPFlag)):
        return [flag.name for flag in value]
    return value if isinstance(value, (int, str, type(None))) else str(value)


def entry(packet: Packet) -> dict[str, Any]:
    """A packet as plain values. The library reads its headers."""
    when = datetime.now(UTC) if packet.timestamp is None else datetime.fromtimestamp(packet.timestamp / 1e9, UTC)
    fields = {"time": when.isoformat(), "in": interface(packet.indev), "out": interface(packet.outdev)}
    fields["mac"] = packet.hwaddr.hex(":") if packet.hwaddr else None
    fields |= {name: plain(getattr(packet, name)) for name in NAMES}
    return {name: value for name, value in fields.items() if value is not None}


def run(group: int) -> None:
    lost = 0
    with nflog.listen(group, copy_range=128) as log:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: log.stop())
        print(f"listening to group {group}", file=sys.stderr, flush=True)
        for batch in log.batches():
            for packet in batch:
                print(json.dumps(entry(packet)))
            if log.lost != lost:
                print(json.dumps({"lost": log.lost - lost}))
                lost = log.lost
            sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("group", type=int, help="of the rules' `log group`")
    arguments = parser.parse_args()
    try:
        run(arguments.group)
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
