"""Rounds: contenders take turns, A B C A B C, and what they took is summed up beside the limit.

Nothing here knows what is measured; `workloads` does.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

# A contender that has had so many seconds has no further round: some peers take minutes for what takes others one.
PATIENCE = 30.0


class MissingError(Exception):
    """Why a contender cannot take part, and what to install so that it can."""


@dataclass
class Round:
    """One run: the value, of which less is better, in the workload's unit; nanoseconds of CPU per item."""

    value: float
    user: float = 0.0
    sys: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Contender:
    """One way to do the work: a program and its arguments.

    what: what it does and does not do, in a few words. limit: whose figures its own are compared with, if it is not
    the workload's limit.
    """

    label: str
    program: str
    arguments: tuple[str, ...]
    what: str = ""
    limit: str | None = None


@dataclass(frozen=True)
class Workload:
    """What is to be done, and by whom. prepare: sets the scene and gives what lets a contender do it once."""

    name: str
    title: str
    unit: str
    limit: str | None
    contenders: Sequence[Contender]
    prepare: Callable[[], AbstractContextManager[Callable[[Contender], Round]]]

    def only(self, text: str) -> Workload:
        """The same with those contenders whose labels contain a text, and with what they are compared with."""
        kept = [c for c in self.contenders if text in c.label]
        wanted = {self.limit, *(c.label for c in kept), *(c.limit for c in kept)}
        return replace(self, contenders=[c for c in self.contenders if c.label in wanted])


def interleave(
    contenders: Sequence[Contender],
    run: Callable[[Contender], Round],
    rounds: int,
    say: Callable[[str], None] = lambda text: None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[dict[str, list[Round]], dict[str, str]]:
    """The rounds of each contender that can take part, by label, and why the others cannot.

    What disturbs the machine disturbs all of them alike. The first round does not count, but for who takes all of its
    patience for that one.
    """
    taken: dict[str, list[Round]] = {}
    skipped: dict[str, str] = {}
    spent: dict[str, float] = {}
    for i in range(rounds + 1):
        for contender in contenders:
            label = contender.label
            if label in skipped or spent.get(label, 0.0) > PATIENCE:
                continue
            say(f"round {i} of {rounds}: {label}")
            start = clock()
            try:
                result = run(contender)
            except MissingError as reason:
                skipped[label] = str(reason)
                continue
            spent[label] = spent.get(label, 0.0) + clock() - start
            if i or spent[label] > PATIENCE:
                taken.setdefault(label, []).append(result)
    return {c.label: taken[c.label] for c in contenders if c.label in taken}, skipped


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, least and most."""
    known = list(values)
    return {"median": statistics.median(known), "min": min(known), "max": max(known)}


def summarise(
    taken: dict[str, list[Round]], limit: str | None, limits: Mapping[str, str] = MappingProxyType({})
) -> dict[str, dict[str, Any]]:
    """By label: the values' spread, mean CPU times, and how many times the limit's they are. limits: others, by label.

    The ratio is the median of those of each round to the limit's run of the same round, so that what is slow for a
    while is slow on both sides. That of CPU time, of all rounds, is the one to look at where others use the machine.
    """
    rows: dict[str, dict[str, Any]] = {}
    for label, rounds in taken.items():
        rows[label] = {
            "value": spread(r.value for r in rounds),
            "user": statistics.fmean(r.user for r in rounds),
            "sys": statistics.fmean(r.sys for r in rounds),
            "rounds": len(rounds),
            "extra": {name: statistics.median(r.extra[name] for r in rounds) for name in rounds[-1].extra},
        }
        least = taken.get(limits.get(label, limit or ""))
        if least is not None:
            pairs = zip(rounds, least, strict=False)
            rows[label]["ratio"] = spread(mine.value / theirs.value for mine, theirs in pairs)
            if floor := statistics.fmean(r.user + r.sys for r in least):
                rows[label]["cpu_ratio"] = (rows[label]["user"] + rows[label]["sys"]) / floor
    return rows


def table(rows: dict[str, dict[str, Any]], unit: str) -> Iterator[str]:
    """The rows as text."""
    extras = list(dict.fromkeys(name for row in rows.values() for name in row["extra"]))
    columns = ("median", "min", "max", "user", "kernel")
    head = f"{unit:34}" + "".join(f"{name:>11}" for name in columns) + f"{'ratio':>8}{'of CPU':>8}{'rounds':>8}"
    yield head + "".join(f"{name:>14}" for name in extras)
    for label, row in rows.items():
        figures = [*(row["value"][key] for key in ("median", "min", "max")), row["user"], row["sys"]]
        numbers = "".join(f"{figure:11.{1 if row['value']['median'] >= 10 else 3}f}" for figure in figures)
        ratios = (row["ratio"]["median"] if "ratio" in row else None), row.get("cpu_ratio")
        numbers += "".join(f"{ratio:8.2f}" if ratio else " " * 8 for ratio in ratios)
        shown = (f"{row['extra'][name]:14,.6g}" if name in row["extra"] else " " * 14 for name in extras)
        yield f"{label:34}{numbers}{row['rounds']:8}" + "".join(shown)


def run_workload(workload: Workload, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """All rounds of a workload, as they are kept in the JSON."""
    say("preparing")
    with workload.prepare() as run:
        taken, skipped = interleave(workload.contenders, run, rounds, say)
    return {
        "title": workload.title,
        "unit": workload.unit,
        "limit": workload.limit if workload.limit in taken else None,
        "cases": summarise(taken, workload.limit, {c.label: c.limit for c in workload.contenders if c.limit}),
        "skipped": skipped,
        "what": {c.label: c.what for c in workload.contenders if c.what and c.label in taken},
    }


class Progress:
    """What is going on, on one line of the terminal, or nowhere."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __call__(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\33[K{self._prefix}: {text}"[:120], end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if sys.stderr.isatty():
            print("\r\33[K", end="", file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) >> 20
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory": f"{memory} GiB",
        "kernel": f"{platform.release()} {platform.machine()}",
        "load": os.getloadavg()[0],
        "scheduler": {os.SCHED_OTHER: "other", os.SCHED_FIFO: "fifo"}.get(os.sched_getscheduler(0), "another"),
        "mitigations": {
            path.name: path.read_text().strip()
            for path in sorted(Path("/sys/devices/system/cpu/vulnerabilities").glob("*"))
            if "Mitigation" in path.read_text()
        },
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of what takes part, as far as it is here."""
    found = {
        "python": platform.python_version(),
        "revision": first_line("git", "describe", "--always", "--dirty"),
        "gcc": first_line("gcc", "-dumpfullversion"),
        "go": first_line("go", "env", "GOVERSION"),
        "rustc": first_line("rustc", "--version"),
        **{
            name: installed(name)
            for name in (
                "fastnetlink",
                "cython",
                "numpy",
                "pyarrow",
                "pyyaml",
                "pyroute2",
                "psutil",
                "fnfqueue",
                "netfilterqueue",
            )
        },
    }
    for package in (
        "libmnl0",
        "libnetfilter-conntrack3",
        "libnetfilter-log1",
        "libnetfilter-queue1",
        "libnftnl11",
        "golang-github-mdlayher-netlink-dev",
        "golang-github-mdlayher-genetlink-dev",
        "golang-github-florianl-go-nfqueue-dev",
        "golang-github-vishvananda-netlink-dev",
        "golang-github-jsimonetti-rtnetlink-dev",
        "librust-genetlink-dev",
        "librust-netlink-packet-core-dev",
        "librust-netlink-packet-generic-dev",
        "librust-netlink-packet-route-dev",
        "librust-rtnetlink-dev",
        "golang-github-google-nftables-dev",
        "python3-nftables",
        "nftables",
        "iproute2",
        "linux-doc-6.12",
    ):
        found[package] = first_line("dpkg-query", "-W", "-f", "${Version}", package)
    return {name: found_version for name, found_version in found.items() if found_version}


def installed(name: str) -> str | None:
    """The version of a Python distribution."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def first_line(*command: str) -> str | None:
    """What a command says first, None where it fails or says nothing."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n", 1)[0]
    except (OSError, subprocess.CalledProcessError):
        return None
    return out.strip() or None


def write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
