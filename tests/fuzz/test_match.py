"""The C fuzz target of conditions on records under the sanitizers, over its corpus and a fixed number of inputs."""

import subprocess
from collections.abc import Callable
from pathlib import Path

INPUTS = 50_000


def test_conditions_mean_what_they_say(build: Callable[[str], Path], corpus: Callable[[str], list[str]]) -> None:
    command = [str(build("fuzz_match.c")), str(INPUTS), *corpus("fuzz_match")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert INPUTS // 10 < int(run.stdout) < INPUTS // 2  # else it tests one outcome alone
