"""What the contenders written in Python share: options, clocks, the backlog's hand-shake, and the result as JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

DUMP_BUFFER = 32768


def option(name: str, otherwise: int = 0) -> int:
    """The value of name=value among the arguments."""
    for argument in sys.argv[1:]:
        key, _, value = argument.partition("=")
        if key == name:
            return int(value)
    return otherwise


def await_backlog() -> None:
    """Say that the socket is ready to be filled, and wait until the runner has done that."""
    print("ready", flush=True)
    if not sys.stdin.readline():
        raise SystemExit(1)


class Result:
    """What the work from here to `finish` takes."""

    def __init__(self) -> None:
        self.items = 0
        self.sum = 0
        self.lost = 0
        self.extra: dict[str, float] = {}
        self._taken: tuple[float, float, float] | None = None
        self._cpu = resource.getrusage(resource.RUSAGE_SELF)
        self._start = time.perf_counter()

    def stop(self) -> None:
        """Read the clocks now, and not when it is printed."""
        seconds = time.perf_counter() - self._start
        cpu = resource.getrusage(resource.RUSAGE_SELF)
        self._taken = seconds, cpu.ru_utime - self._cpu.ru_utime, cpu.ru_stime - self._cpu.ru_stime

    def finish(self, loops: int = 1) -> None:
        """Print it, each of `loops` times."""
        if self._taken is None:
            self.stop()
        assert self._taken is not None
        seconds, user, kernel = self._taken
        result = {
            "seconds": seconds / loops,
            "user": user / loops,
            "sys": kernel / loops,
            "items": self.items // loops,
            "sum": self.sum // loops,
            "lost": self.lost,
            **self.extra,
        }
        print(json.dumps(result))


def peak_rss() -> int:
    """The most bytes that this process has had in memory: of getrusage, a parent's would count."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10
