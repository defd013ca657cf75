"""tools/demo.py as people run it: it ends in time, and its summary adds up."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pace import SLOWNESS

DEMO = Path(__file__).parents[2] / "tools" / "demo.py"
CONNECTIONS, FLOWS = 60, 2000

PROBE = """
import ctypes, os
unshare = ctypes.CDLL(None, use_errno=True).unshare
uid = os.geteuid()
if unshare(0x50000000) == 0:  # CLONE_NEWUSER | CLONE_NEWNET
    with open("/proc/self/uid_map", "w") as f:
        f.write(f"0 {uid} 1")
elif unshare(0x40000000) != 0:
    raise SystemExit(os.strerror(ctypes.get_errno()))
"""


@functools.cache
def require_namespaces() -> None:
    probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=20 * SLOWNESS)
    if probe.returncode != 0:
        reason = (probe.stderr.strip().splitlines() or ["?"])[-1]
        pytest.skip(f"neither a user and network namespace nor, as root, a network namespace: {reason}")


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "dev", "-W", "error", str(DEMO), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30 * SLOWNESS)


def numbers(summary: str, name: str) -> dict[str, int]:
    """The counts of a line, such as {"NEW": 76, "UPDATE": 310} of `events    76 NEW, 310 UPDATE`."""
    line = re.search(rf"^ +{name} +(.*)$", summary, re.MULTILINE)
    assert line, f"no line {name!r} in:\n{summary}"
    return {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", line[1])}


def test_demo_shows_all_that_it_made() -> None:
    require_namespaces()
    started = time.monotonic()
    result = demo("--connections", str(CONNECTIONS), "--flows", str(FLOWS), "--no-color")
    elapsed = time.monotonic() - started
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert elapsed < 20 * SLOWNESS

    shown, _, summary = result.stdout.partition("== Summary")
    made, events = numbers(summary, "made"), numbers(summary, "events")
    assert made["tcp"] == CONNECTIONS
    assert made["tcp"] + made["udp"] + made["ping"] + made["refused"] == made["flows"]
    assert events["NEW"] >= made["flows"]
    assert events["UPDATE"] >= made["tcp"]
    assert events["DESTROY"] == events["NEW"]
    assert events["lost"] == 0
    assert numbers(summary, "nflog") == {"packets": made["flows"], "lost": 0}
    assert numbers(summary, "dump")["flows"] == FLOWS

    for event in ("NEW", "UPDATE", "DESTROY", "LOG"):
        assert re.search(rf"^ +{event} +tcp +127\.0\.0\.1:\d+ +-> 127\.0\.0\.1:80 ", shown, re.MULTILINE)
    assert re.search(r"^ +tcp .* ESTABLISHED ", shown, re.MULTILINE)
    assert "\x1b" not in result.stdout


def test_demo_leaves_the_settings_of_this_namespace_alone() -> None:
    require_namespaces()
    files = sorted(Path("/proc/sys/net/netfilter").glob("nf_conntrack_*"))
    settings = {file: file.read_text() for file in files if file.name != "nf_conntrack_count"}
    assert demo("--connections", "1", "--flows", "1").returncode == 0
    assert {file: file.read_text() for file in settings} == settings


def test_demo_refuses_what_it_has_no_time_for() -> None:
    result = demo("--flows", "1000000")
    assert result.returncode == 2
    assert "--flows is from 1 to 100000" in result.stderr
