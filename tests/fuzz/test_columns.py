"""The C of the Arrow columns under the sanitizers: at its limits, and with parts that a consumer takes away."""

import subprocess
from collections.abc import Callable
from pathlib import Path


def test_columns(build: Callable[[str], Path]) -> None:
    run = subprocess.run([str(build("columns.c"))], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
