"""The C of the Arrow columns under the sanitizers: at its limits, with parts that a consumer takes away, and of any
records.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

INPUTS = 5000


def test_columns(build: Callable[[str], Path]) -> None:
    run = subprocess.run([str(build("columns.c"))], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_columns_hold_what_the_records_do(build: Callable[[str], Path], corpus: Callable[[str], list[str]]) -> None:
    command = [str(build("fuzz_columns.c")), str(INPUTS), *corpus("fuzz_columns")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > INPUTS
