"""The C fuzz target of the schema engine under the sanitizers, over a fixed number of inputs that it makes itself."""

import subprocess
from collections.abc import Callable
from pathlib import Path

INPUTS = 30_000


def test_mutations_of_seeds(build: Callable[[str], Path]) -> None:
    run = subprocess.run([str(build("fuzz_plan.c")), str(INPUTS)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    inputs, decoded = map(int, run.stdout.split())
    assert inputs == INPUTS
    assert decoded >= INPUTS // 4  # else it tests errors alone
