"""ip(8) as scripts run it: the time is that of the process, to its end. Nothing that it prints is read.

dump route|neigh|link [loops=N]    ip -j
policies [loops=N]                 ip xfrm policy, which has no -j
create count=N                     ip -batch, of routes
get count=N                        ip -j, the link v0
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from ipaddress import IPv4Address
from typing import IO

from bench.peers.peer import Result, option

SHOW = {
    "route": ["-4", "route", "show", "table", "all"],
    "neigh": ["-4", "neigh", "show"],
    "link": ["link", "show"],
}
FIRST_ROUTE = 0x0A000001


def run(times: int, command: list[str], out: IO[bytes]) -> Result:
    """A command, so many times, whose output of the last time is in a file."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = Result()
    for _ in range(times):
        out.seek(0)
        out.truncate()
        subprocess.run(command, stdout=out, check=True)
    result.stop()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result.extra = {
        "user": (after.ru_utime - before.ru_utime) / times,
        "sys": (after.ru_stime - before.ru_stime) / times,
    }
    return result


def main() -> None:
    work = sys.argv[1]
    loops, count = option("loops", 1), option("count")
    with tempfile.TemporaryFile() as out:
        if work == "dump":
            result = run(loops, ["ip", "-j", *SHOW[sys.argv[2]]], out)
            out.seek(0)
            result.items = len(json.load(out)) * loops
            result.finish(loops)
        elif work == "policies":
            result = run(loops, ["ip", "xfrm", "policy"], out)
            out.seek(0)
            result.items = sum(line.startswith(b"src ") for line in out) * loops
            result.finish(loops)
        elif work == "create":
            with tempfile.NamedTemporaryFile("w", prefix="bench-routes-") as lines:
                lines.writelines(f"route add {IPv4Address(FIRST_ROUTE + i)} dev lo\n" for i in range(count))
                lines.flush()
                result = run(1, ["ip", "-batch", lines.name], out)
            result.items = count
            result.finish()
        elif work == "get":
            result = run(count, ["ip", "-j", "link", "show", "v0"], out)
            result.items = count
            result.extra = {name: value * count for name, value in result.extra.items()}
            result.finish()
        else:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
