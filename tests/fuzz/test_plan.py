"""The C fuzz target of the schema engine under the sanitizers, over its corpus and a fixed number of inputs."""

import subprocess
from collections.abc import Callable
from pathlib import Path

INPUTS = 30_000


def test_mutations_of_seeds(build: Callable[[str], Path], corpus: Callable[[str], list[str]]) -> None:
    command = [str(build("fuzz_plan.c")), str(INPUTS), *corpus("fuzz_plan")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    inputs, decoded = map(int, run.stdout.split())
    assert inputs == INPUTS
    assert decoded >= INPUTS // 4  # else it tests errors alone
