"""tests/soak/soak.py for some seconds: it decodes, and nothing is left behind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import netns
from kernel.flows import nft
from pace import SLOWNESS

SOAK = Path(__file__).parents[1] / "soak" / "soak.py"


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(SOAK), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=35 * SLOWNESS)


def test_a_short_soak() -> None:
    netns.require_conntrack(1000)
    nft("add table inet probe")
    done = soak("--minutes", "0.01", "--messages", "5000", "--flows", "110")
    assert done.returncode == 0, done.stderr
    summary = done.stdout[done.stdout.index("messages decoded in") :]
    counts = re.findall(r"(dumps|events|packets|messages) ([\d,]+)", summary.splitlines()[0])
    assert [name for name, count in counts if int(count.replace(",", ""))] == ["dumps", "events", "packets", "messages"]
    assert re.search(r"^descriptors \d+, threads \d+: the same in each$", summary, re.MULTILINE)


def test_unsupported_requests_are_refused() -> None:
    done = soak("--flows", "1")
    assert done.returncode == 2
    assert "--flows 110 or more" in done.stderr
