"""nft(8) as scripts run it: the time is that of the process, to its end. What it prints is read behind the clock.

add count=N             nft -f, of a file with elements
networks count=N        nft -f, of a file with networks
load count=N            nft -f, of a file with rules
dump elements|rules     nft -j list
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from ipaddress import IPv4Address, IPv4Network

from bench.peers.peer import Result, option

LIST = {"elements": ["list", "set", "ip", "bench", "s"], "rules": ["list", "table", "ip", "bench"]}


def address(i: int) -> IPv4Address:
    return IPv4Address(0x0A000000 | i * 0x9E3779B1 & 0xFFFFFF)


def network(i: int) -> IPv4Network:
    return IPv4Network((0x0A000000 | i << 7, 26))


def commands(work: str, count: int) -> str:
    if work == "add":
        return f"add element ip bench s {{ {', '.join(str(address(i)) for i in range(count))} }}\n"
    if work == "networks":
        return f"add element ip bench n {{ {', '.join(str(network(i)) for i in range(count))} }}\n"
    return "".join(
        f"add rule ip bench in ip saddr {address(i)} tcp dport {1 + i} counter accept\n" for i in range(count)
    )


def read(what: str, listed: str) -> tuple[int, int]:
    """How many there are, and the sum of what is read of them."""
    found = json.loads(listed)["nftables"]
    if what == "elements":
        elements = found[1]["set"]["elem"]
        return len(elements), sum(int(IPv4Address(one)) & 0xFFFFFF for one in elements)
    handles = [one["rule"]["handle"] for one in found if "rule" in one]
    return len(handles), sum(handles)


def main() -> None:
    work = sys.argv[1]
    with tempfile.TemporaryFile() as out, tempfile.NamedTemporaryFile("w", prefix="bench-nft-") as file:
        if work in ("add", "networks", "load"):
            file.write(commands(work, option("count")))
            file.flush()
            arguments = ["-f", file.name]
        elif work == "dump":
            arguments = ["-j", *LIST[sys.argv[2]]]
        else:
            raise SystemExit(__doc__)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = Result()
        subprocess.run(["nft", *arguments], stdout=out, check=True)
        result.stop()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        result.extra = {"user": after.ru_utime - before.ru_utime, "sys": after.ru_stime - before.ru_stime}
        result.items = option("count")
        if work == "dump":
            out.seek(0)
            result.items, result.sum = read(sys.argv[2], out.read().decode())
        result.finish()


if __name__ == "__main__":
    main()
