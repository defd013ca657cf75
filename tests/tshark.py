"""What tshark reads in a capture file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def fields(path: Path, *names: str, options: tuple[str, ...] = ()) -> list[dict[str, list[str]]]:
    """The fields of every packet that have a value: by name, as text."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is missing (Debian: tshark)")
    wanted = [word for name in names for word in ("-e", name)]
    # Under the sanitizers only this process is to be checked.
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    run = subprocess.run(
        ["tshark", "-n", "-r", str(path), *options, "-T", "json", *wanted],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return [packet["_source"]["layers"] for packet in json.loads(run.stdout)]


def blocks(path: Path, *names: str) -> dict[str, list[str]]:
    """Fields of the file itself, which tshark can read as if it were one packet."""
    (found,) = fields(path, *names, options=("-X", "read_format:MIME Files Format"))
    return found
