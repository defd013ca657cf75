"""How slow this machine is: what tests wait for at most is multiplied by it."""

from __future__ import annotations

import os
import time

# Seconds that the loop below takes on the machines for which the tests' limits were chosen, with a large margin.
REFERENCE = 0.02


def _loop() -> float:
    begin = time.perf_counter()
    total = 0
    for number in range(200_000):
        total += number & 3
    return time.perf_counter() - begin


# ThreadSanitizer makes what waits for other threads slower than this loop.
SLOWNESS = 10.0 if "TSAN_OPTIONS" in os.environ else max(1.0, min(10.0, min(_loop() for _ in range(3)) / REFERENCE))


def fewer(count: int) -> int:
    """A number of repetitions, less where each takes longer."""
    return max(1, round(count / SLOWNESS))
