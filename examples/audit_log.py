"""Prints a line for each login and each system call that a sandbox refuses: what the kernel's audit log says of them.

    python audit_log.py [--all]

It needs CAP_AUDIT_READ, in the machine's first network namespace. With --all it prints every event. Programs such as
login and sshd report to the kernel only if auditing is on; seccomp always does.
"""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import datetime
from types import FrameType

from netlink import OpError, Overrun, audit
from netlink.audit import Event, RecordType

SHOWN = {
    RecordType.USER_AUTH: ("acct", "op", "exe", "addr", "res"),
    RecordType.USER_LOGIN: ("acct", "id", "op", "exe", "addr", "res"),
    RecordType.USER_LOGOUT: ("acct", "id", "exe", "addr", "res"),
    RecordType.LOGIN: ("pid", "old-auid", "auid", "ses", "res"),
    RecordType.SECCOMP: ("pid", "comm", "exe", "sig", "syscall", "code"),
}


def lines(event: Event, everything: bool) -> list[str]:
    at = datetime.fromtimestamp((event.time or 0) / 1000).isoformat(" ", "milliseconds")
    found: list[str] = []
    for record in event.records or ():
        fields = record.fields
        if everything:
            names = tuple(fields)
        elif record.type is not None and record.type in SHOWN:
            names = SHOWN[record.type]
        else:
            continue
        kind = getattr(record.type, "name", record.type)
        values = " ".join(f"{name}={fields[name]!r}" for name in names if name in fields)
        found.append(f"{at} {event.serial} {kind} {values}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Print logins and refused system calls of the audit log.")
    parser.add_argument("--all", action="store_true", help="print every event")
    options = parser.parse_args()
    try:
        stream = audit.listen(on_overrun="mark", hold=0.5)
    except OpError as error:
        sys.exit(f"audit_log.py: {error}")
    with stream:

        def end(number: int, frame: FrameType | None) -> None:
            stream.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        print("listening", file=sys.stderr, flush=True)
        for item in stream:
            if isinstance(item, Overrun):
                print(f"{item.lost} records are lost", file=sys.stderr, flush=True)
                continue
            for line in lines(item, options.all):
                print(line, flush=True)


if __name__ == "__main__":
    main()
