"""What the benchmarks share: private namespaces, interleaved rounds, and the report."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parent
PEERS = BENCH / "peers"
BIN = PEERS / "bin"

CLONE_NEWNET = 0x40000000  # linux/sched.h

RAW = "raw C recv"


# Namespaces


_private: int | None = None  # the inode of the namespace that enter_private_netns made


def _netns() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def enter_private_netns() -> None:
    """Move this process, and those it starts from now on, to a network namespace of its own."""
    global _private
    libc = ctypes.CDLL(None, use_errno=True)
    before = _netns()
    if libc.unshare(CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET), which needs root")
    if _netns() == before:
        raise SystemExit("unshare(CLONE_NEWNET) left this thread where it was")
    _private = _netns()


def require_private_netns() -> None:
    """Refuse to change anything in a namespace that enter_private_netns did not make."""
    if _private is None or _netns() != _private:
        raise SystemExit("this is no private network namespace: call enter_private_netns() first")


# Rounds


@dataclass
class Round:
    """One timed run.

    user, sys: CPU seconds of the thread (of the process, for a peer) in the timed part. Where the kernel
    accounts by ticks they mean something only over many rounds.
    """

    seconds: float
    user: float
    sys: float
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One way to do the work: run() sets up, times only the work, and tears down."""

    name: str
    run: Callable[[], Round]


class Watch:
    """What a `timed` block took."""

    round: Round


@contextmanager
def timed() -> Iterator[Watch]:
    watch = Watch()
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_THREAD)
    start = time.perf_counter()
    yield watch
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_THREAD)
    watch.round = Round(seconds, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime)


def run_peer(*command: str | Path) -> Round:
    """A peer program prints {"seconds", "user", "sys", ...} as JSON."""
    out = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
    result = json.loads(out)
    return Round(result.pop("seconds"), result.pop("user"), result.pop("sys"), result)


def interleave(cases: list[Case], rounds: int) -> dict[str, list[Round]]:
    """A B C A B C ...: what disturbs the machine disturbs all of them. One round before does not count."""
    taken: dict[str, list[Round]] = {case.name: [] for case in cases}
    for i in range(rounds + 1):
        for case in cases:
            result = case.run()
            if i:
                taken[case.name].append(result)
    return taken


# Reports


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarise(taken: dict[str, list[Round]], items: int, base: str) -> dict[str, Any]:
    """Per case: seconds, ns an item, mean CPU, and the ratio to base, of the medians and round by round."""
    out: dict[str, Any] = {}
    for name, rounds in taken.items():
        seconds = spread([r.seconds for r in rounds])
        out[name] = {
            "seconds": seconds,
            "ns_per_item": seconds["median"] / items * 1e9,
            "user": statistics.fmean(r.user for r in rounds),
            "sys": statistics.fmean(r.sys for r in rounds),
            "extra": rounds[-1].extra,
            "all_seconds": [r.seconds for r in rounds],
        }
    if base in out:
        for name, row in out.items():
            row["ratio"] = row["seconds"]["median"] / out[base]["seconds"]["median"]
            pairs = zip(taken[name], taken[base], strict=True)
            row["ratio_paired"] = spread([mine.seconds / theirs.seconds for mine, theirs in pairs])
    return out


def print_summary(summary: dict[str, Any], unit: str, scale: float = 1e3, scaled: str = "ms") -> None:
    print(
        f"{'':34}{'median':>10}{'min':>10}{'max':>10}  {scaled:<3}{'ns/' + unit:>11}{'ratio':>8}"
        f"{'paired min..max':>17}{'user':>9}{'sys':>9}  {scaled}"
    )
    for name, row in summary.items():
        s = row["seconds"]
        paired = row.get("ratio_paired")
        print(
            f"{name:34}{s['median'] * scale:10.2f}{s['min'] * scale:10.2f}{s['max'] * scale:10.2f}     "
            f"{row['ns_per_item']:11.1f}{row.get('ratio', float('nan')):8.3f}"
            + (f"{paired['min']:9.2f}..{paired['max']:<6.2f}" if paired else " " * 17)
            + f"{row['user'] * scale:9.2f}{row['sys'] * scale:9.2f}"
        )


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "load": os.getloadavg()[0],
        "fastnetlink": installed("fastnetlink"),
        "gcc": first_line("gcc", "--version"),
        "go": first_line("go", "version"),
        "go_netlink": first_line("dpkg-query", "-W", "golang-github-mdlayher-netlink-dev"),
        "mitigations": {
            path.name: path.read_text().strip()
            for path in sorted(Path("/sys/devices/system/cpu/vulnerabilities").glob("*"))
            if "Mitigation" in path.read_text()
        },
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def print_machine(m: dict[str, Any]) -> None:
    print(
        f"{m['cpu']}, {m['cores']} cores, Linux {m['kernel']}, load {m['load']:.2f}; Python {m['python']}, "
        f"fastnetlink {m['fastnetlink']}; {m['gcc']}; {m['go']}; {m['go_netlink']}"
    )


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def first_line(*command: str) -> str | None:
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return " ".join(out.splitlines()[0].split()) if out else None


def write_json(path: str | None, document: dict[str, Any]) -> None:
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(document, indent=1) + "\n")
