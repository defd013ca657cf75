"""Memory that grows while the kernel refuses: under the sanitizers, and under valgrind."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pace import SLOWNESS


def test_refusals(build: Callable[..., Path], corpus: Callable[[str], list[str]]) -> None:
    command = [str(build("fuzz_area.c")), str(round(3000 / SLOWNESS)), *corpus("fuzz_area")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_refusals_under_valgrind(build: Callable[..., Path], corpus: Callable[[str], list[str]]) -> None:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip("valgrind is missing")
    program = str(build("fuzz_area.c", sanitized=False))
    command = [valgrind, "--quiet", "--error-exitcode=99", "--leak-check=full", program, "50", *corpus("fuzz_area")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
