#!/usr/bin/env python3
"""Traffic of each source address: sums over all connections, every few seconds.

Needs CAP_NET_ADMIN, and net.netfilter.nf_conntrack_acct=1 before the connections begin. Every report reads the table;
a connection that ends between two reports tells its last counters by an event. If events are lost, the next report
says so, and leaves out what these connections sent since the report before. SIGTERM ends with a last report.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from netlink import Overrun
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import Event, Flow
from netlink.stream import Stream


class Accounts:
    """The sums, and for each connection what of its counters is in them. Both survive in the state file."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        state: dict[str, Any] = json.loads(path.read_text()) if path and path.exists() else {}
        self.sums: dict[str, list[int]] = state.get("sums", {})
        self.counted: dict[str, list[int]] = state.get("counted", {})

    def count(self, flow: Flow) -> str:
        """Add what is new in the counters of a connection. Returns its key."""
        key = f"{flow.zone or 0} {flow.id} {flow.orig.src} {flow.orig.src_port} {flow.orig.dst} {flow.orig.dst_port}"
        both = [c for c in (flow.counters_orig, flow.counters_reply) if c is not None]
        now = [sum(c.packets or 0 for c in both), sum(c.bytes or 0 for c in both)]
        last = self.counted.get(key, [0, 0])
        if now < last:  # another connection with the same key
            last = [0, 0]
        total = self.sums.setdefault(str(flow.orig.src), [0, 0])
        for i in range(2):
            total[i] += now[i] - last[i]
        self.counted[key] = now
        return key

    def end(self, flows: Iterable[Flow]) -> None:
        """Count connections for the last time."""
        for flow in flows:
            del self.counted[self.count(flow)]

    def report(self, lost: int) -> None:
        """Print the sums, and write the state."""
        print(time.strftime("%Y-%m-%dT%H:%M:%S%z"), f"{len(self.sums)} sources, {lost} events lost")
        for source, (packets, size) in sorted(self.sums.items(), key=lambda item: -item[1][1]):
            print(f"  {source} {packets} packets {size} bytes")
        sys.stdout.flush()
        if self.path is not None:
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps({"sums": self.sums, "counted": self.counted}))
            os.replace(new, self.path)


def take_ends(accounts: Accounts, events: Stream[Flow, Overrun], timeout: float) -> None:
    """Count the connections that end, until none has for so many seconds."""
    while item := events.read(timeout):
        if isinstance(item, Overrun):
            print(f"events were lost: {item}", file=sys.stderr)
        else:
            accounts.end(item)
        timeout = 0


def run(interval: float, path: Path | None, read_buffer: int | None) -> None:
    accounts, stop = Accounts(path), threading.Event()
    listening = conntrack.listen(Event.DESTROY, on_overrun="mark", read_buffer=read_buffer)
    with listening as events, conntrack.dial() as table:

        def end(number: int, frame: object) -> None:
            stop.set()
            events.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        last = False
        while not last:
            last = stop.is_set()
            # The ends of connections that this dump no longer has are in the queue.
            alive = {accounts.count(flow) for batch in table.iter_dump() for flow in batch}
            take_ends(accounts, events, 0)
            accounts.counted = {key: n for key, n in accounts.counted.items() if key in alive}
            accounts.report(events.lost)
            due = time.monotonic() + interval
            while not stop.is_set() and (left := due - time.monotonic()) > 0:
                take_ends(accounts, events, left)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--interval", type=float, default=10, metavar="SECONDS", help="between reports (10)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep the sums here over restarts")
    parser.add_argument("--read-buffer", type=int, metavar="BYTES", help="for events; more survives longer bursts")
    arguments = parser.parse_args()
    try:
        run(arguments.interval, arguments.state, arguments.read_buffer)
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
