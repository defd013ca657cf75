"""Datagrams without attributes, written as attributes in C, under the sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from pace import SLOWNESS


def test_structs_texts_and_stamps(build: Callable[..., Path], corpus: Callable[[str], list[str]]) -> None:
    command = [str(build("fuzz_form.c")), str(round(20_000 / SLOWNESS)), *corpus("fuzz_form")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) >= 8  # stamps that were read
