"""Keys and lists of nftables' elements in C, under the sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from pace import SLOWNESS


def test_texts_intervals_and_lists(build: Callable[..., Path], corpus: Callable[[str], list[str]]) -> None:
    command = [str(build("fuzz_elements.c")), str(round(20_000 / SLOWNESS)), *corpus("fuzz_elements")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) >= 8  # intervals that were read
