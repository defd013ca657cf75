"""psutil: net_connections("tcp4"), which reads /proc/net and the descriptors of all processes.

connections [loops=N]
"""

from __future__ import annotations

import psutil

from bench.peers.peer import Result, option


def main() -> None:
    loops = option("loops", 1)
    result = Result()
    for _ in range(loops):
        for each in psutil.net_connections("tcp4"):
            result.items += 1
            result.sum += each.laddr.port
    result.finish(loops)


if __name__ == "__main__":
    main()
