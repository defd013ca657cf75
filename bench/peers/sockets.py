"""This library's sock_diag.

dump batch|fields|iter [loops=N]       TCP sockets of IPv4, with their info and memory
connections processes|alone [loops=N]  those of IPv4 in the shape of psutil's, with or without the processes
"""

from __future__ import annotations

import socket
import sys

from bench.peers.peer import Result, option
from netlink import sock_diag


def dump(how: str, loops: int) -> Result:
    with sock_diag.dial() as diag:
        result = Result()
        for _ in range(loops):
            if how == "iter":
                call = diag.calls.tcp(family=socket.AF_INET)
                result.items += sum(len(part) for part in diag.iterate(call))
                continue
            batch = diag.tcp(family=socket.AF_INET)
            result.items += len(batch)
            if how == "fields":
                for each in batch:
                    result.sum += (each.src_port or 0) + (each.inode or 0)
                    result.sum += (each.info.bytes_acked or 0) if each.info else 0
            del batch
        result.stop()
    return result


def connections(how: str, loops: int) -> Result:
    with sock_diag.dial() as diag:
        result = Result()
        for _ in range(loops):
            for each in diag.connections("tcp4", processes=how == "processes"):
                result.items += 1
                result.sum += each.laddr[1] if isinstance(each.laddr, sock_diag.Address) else 0
        result.stop()
    return result


def main() -> None:
    work, how = sys.argv[1:3]
    loops = option("loops", 1)
    if work == "dump":
        dump(how, loops).finish(loops)
    elif work == "connections":
        connections(how, loops).finish(loops)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
