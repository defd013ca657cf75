"""Statistics of tasks: their delays, CPU time, memory and I/O, while they run and when they end.

    from netlink.generic import taskstats

    with taskstats.dial(delays=False) as tasks:
        print(tasks.get(pid=42).read_bytes)
    with taskstats.listen(delays=False) as ended:
        for task in ended:
            print(task.pid, task.task.comm, task.task.exit_code)

Needs CAP_NET_ADMIN in the machine's first user namespace.
"""

from netlink.generic.taskstats.family import Conn, dial, dial_async, listen
from netlink.generic.taskstats.records import (
    Answer,
    Command,
    Flags,
    Registration,
    Request,
    Stats,
    TaskStats,
    Timespec,
)

__all__ = [
    "Answer",
    "Command",
    "Conn",
    "Flags",
    "Registration",
    "Request",
    "Stats",
    "TaskStats",
    "Timespec",
    "dial",
    "dial_async",
    "listen",
]
