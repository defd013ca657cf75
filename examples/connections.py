"""Shows the processes that use the network, as a live table: their TCP connections, and what goes in and out a second.

    sudo python connections.py [--every 2] [--rows 20]

Without root it shows the processes of the user by name, and all others as one.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

from netlink import sock_diag
from netlink.sock_diag import States

Totals = dict[int, tuple[int, int]]  # bytes in and out of a connection, by its cookie


def program(pid: int) -> str:
    try:
        return Path("/proc", str(pid), "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # it has ended
        return "?"


def readable(rate: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if rate < 1000:
            return f"{rate:.0f} {unit}/s"
        rate /= 1024
    return f"{rate:.1f} GiB/s"


class Table:
    """The connections with their totals, as they were when it was last shown."""

    def __init__(self, diag: sock_diag.Conn) -> None:
        self.diag = diag
        self.before: Totals = {}

    def lines(self, seconds: float, rows: int) -> list[str]:
        sockets, owners = self.diag.tcp(States.CONNECTED), sock_diag.owners()
        now: Totals = {}
        connections: Counter[int] = Counter()
        received: Counter[int] = Counter()
        sent: Counter[int] = Counter()
        for one in sockets:
            if one.info is None or one.cookie is None:  # one in TIME_WAIT belongs to no process
                continue
            # A socket that processes share counts for the first of them.
            pid = owners.get(one.inode or 0, [(0, 0)])[0][0]
            now[one.cookie] = one.info.bytes_received or 0, one.info.bytes_acked or 0
            was = self.before.get(one.cookie, now[one.cookie] if not self.before else (0, 0))
            connections[pid] += 1
            received[pid] += now[one.cookie][0] - was[0]
            sent[pid] += now[one.cookie][1] - was[1]
        self.before = now
        busiest = sorted(connections, key=lambda pid: (received[pid] + sent[pid], connections[pid]), reverse=True)
        return [f"{'pid':>8} {'connections':>12} {'in':>12} {'out':>12}  program"] + [
            f"{pid or '-':>8} {connections[pid]:12} {readable(received[pid] / seconds):>12}"
            f" {readable(sent[pid] / seconds):>12}  {program(pid) if pid else '(others)'}"
            for pid in busiest[:rows]
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Show the processes that use the network.")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS")
    parser.add_argument("--rows", type=int, default=20)
    options = parser.parse_args()
    done = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        done.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    clear = "\33[H\33[J" if sys.stdout.isatty() else ""
    with sock_diag.dial() as diag:
        table = Table(diag)
        while True:
            print(clear + "\n".join(table.lines(options.every, options.rows)), flush=True)
            if done.wait(options.every):
                break


if __name__ == "__main__":
    main()
