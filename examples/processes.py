"""Prints a line for each process that ends: how long it ran, how it ended, what it was, and from where.

    python processes.py [--failed]

It needs the machine's first namespaces, and before Linux 6.6 CAP_NET_ADMIN.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from netlink import OpError, Overrun, connector
from netlink.connector import ProcEvent, ProcEvents


class Run(NamedTuple):
    """A process that runs: when it began, by whom, and what /proc said of it."""

    since: int
    parent: int
    command: str = "?"
    folder: str = "?"


def described(pid: int, since: int, parent: int) -> Run:
    """A process with what /proc says of it now, which is nothing if it has ended already."""
    folder = Path("/proc", str(pid))
    try:
        words = folder.joinpath("cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        return Run(since, parent, os.fsdecode(b" ".join(words)) or "?", os.readlink(folder / "cwd"))
    except OSError:
        return Run(since, parent)


def line(pid: int, run: Run, event: ProcEvent) -> str:
    seconds = ((event.timestamp or 0) - run.since) / 1e9
    status = event.exit_status or 0
    end = f"signal {-status}" if status < 0 else f"status {status}"
    return f"{seconds:9.3f} s  {end:10} {pid:7} of {run.parent:<7} {run.command}  in {run.folder}"


def follow(running: dict[int, Run], event: ProcEvent, failed: bool) -> None:
    time = event.timestamp or 0
    if event.what == ProcEvents.FORK and not event.is_thread:
        parent = running.get(event.parent_tgid or 0, Run(0, 0))
        running[event.child_tgid or 0] = parent._replace(since=time, parent=event.parent_tgid or 0)
    elif event.what == ProcEvents.EXEC:
        begun = running.get(event.tgid or 0, Run(time, 0))
        running[event.tgid or 0] = described(event.tgid or 0, begun.since, begun.parent)
    elif event.what == ProcEvents.EXIT and not event.is_thread:
        run = running.pop(event.tgid or 0, None)
        if run is not None and (event.exit_code or not failed):
            print(line(event.tgid or 0, run, event), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the processes that end.")
    parser.add_argument("--failed", action="store_true", help="only those with a status other than 0")
    options = parser.parse_args()
    running: dict[int, Run] = {}
    try:
        stream = connector.processes(on_overrun="mark")
    except OpError as error:
        sys.exit(f"processes.py: {error}")
    with stream:

        def end(number: int, frame: FrameType | None) -> None:
            stream.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        print("listening", file=sys.stderr, flush=True)
        for item in stream:
            if isinstance(item, Overrun):
                running.clear()  # of some the end is lost
                print(f"{item.lost} events are lost", file=sys.stderr, flush=True)
            else:
                follow(running, item, options.failed)


if __name__ == "__main__":
    main()
