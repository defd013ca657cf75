"""The C fuzz target of the ledger under the sanitizers, over its corpus and a fixed number of inputs."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from pace import SLOWNESS


def test_a_ledger_and_a_list_agree(build: Callable[[str], Path], corpus: Callable[[str], list[str]]) -> None:
    inputs = round(2000 / SLOWNESS)
    run = subprocess.run(
        [str(build("fuzz_ledger.c")), str(inputs), *corpus("fuzz_ledger")], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 10 * inputs
