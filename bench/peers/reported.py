"""This library's streams of processes, devices and the audit log.

processes batch|fields|each count=N [seconds=S] [read_buffer=B]
uevents batch|fields|each count=N [seconds=S] [read_buffer=B]
audit batch|fields|each count=N [read_buffer=B]     records
events batch|fields|each count=N [read_buffer=B]    those of the audit log
"""

from __future__ import annotations

import sys
import time
from typing import Any

from bench.peers.peer import Result, await_backlog, option
from netlink import Overrun, audit, connector, kobject_uevent
from netlink.connector import ProcEvent
from netlink.kobject_uevent import Uevent
from netlink.stream import Stream

IDLE = 1.0  # seconds until nothing more is expected


def sum_of(event: ProcEvent | Uevent | audit.Record | audit.Event) -> int:
    """Three fields, read as any user would."""
    if isinstance(event, audit.Event):
        return sum(sum_of(record) for record in event.records or ())
    if isinstance(event, audit.Record):
        return int(event.type or 0) + (event.serial is not None) + len(event.text or "")
    if isinstance(event, ProcEvent):
        return (event.what or 0) + (event.tgid or event.child_tgid or 0) + (event.exit_code or 0)
    return len(event.action or "") + len(event.devpath or "") + (event.ifindex or 0)


def follow(stream: Stream[Any, Any], how: str, count: int, seconds: int) -> Result:
    await_backlog()
    result = Result()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end if seconds else result.items < count:
        batch = stream.read(timeout=IDLE)
        if isinstance(batch, Overrun):  # counted by the stream
            continue
        if not batch and not seconds:
            break
        result.items += len(batch)
        if how == "fields":
            for event in batch:
                result.sum += sum_of(event)
    result.stop()
    return result


def follow_each(stream: Stream[Any, Any], count: int) -> Result:
    await_backlog()
    result = Result()
    for event in stream:
        if isinstance(event, Overrun):
            continue
        result.sum += sum_of(event)
        result.items += 1
        if result.items == count:
            break
    result.stop()
    return result


def main() -> None:
    work, how = sys.argv[1:3]
    read_buffer = option("read_buffer")
    if work == "processes":
        stream: Stream[Any, Any] = connector.processes(read_buffer=read_buffer, on_overrun="mark")
    elif work == "uevents":
        stream = kobject_uevent.listen(read_buffer=read_buffer, on_overrun="mark")
    elif work in ("audit", "events"):
        options: dict[str, Any] = {"reassemble": work == "events", "read_buffer": read_buffer, "on_overrun": "mark"}
        stream = audit.listen(**options)
    else:
        raise SystemExit(__doc__)
    with stream:
        if how == "each":
            result = follow_each(stream, option("count"))
        else:
            result = follow(stream, how, option("count"), option("seconds"))
        result.lost = stream.lost
    result.finish()


if __name__ == "__main__":
    main()
