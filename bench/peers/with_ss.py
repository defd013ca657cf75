"""ss of iproute2, the whole process, which prints text that nothing reads.

dump [loops=N]                          ss -tan4 with information and memory
connections processes|alone [loops=N]   ss -tan4 with or without the processes
"""

from __future__ import annotations

import sys
import tempfile

from bench.peers.peer import option
from bench.peers.with_ip import run

OPTIONS = {"dump": "-HOtan4im", "processes": "-HOtan4p", "alone": "-HOtan4"}


def main() -> None:
    work = sys.argv[1]
    loops = option("loops", 1)
    how = sys.argv[2] if work == "connections" else work
    with tempfile.TemporaryFile() as out:
        result = run(loops, ["ss", OPTIONS[how]], out)
        out.seek(0)
        result.items = out.read().count(b"\n") * loops
        result.finish(loops)


if __name__ == "__main__":
    main()
