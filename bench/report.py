"""The page of benchmarks, docs/benchmarks.md and its plots, from a result of `python -m bench`.

python -m bench.report           run the whole suite first
python -m bench.report FILE...   of a result that there is, or of the results of parts of the suite
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.programs import ROOT
from bench.workloads import suite

PAGE = ROOT / "docs" / "benchmarks.md"
DUMPS = "dump"

INTRODUCTION = """\
# Benchmarks

What this library takes for a piece of work, beside what its peers take for the same: raw C system calls, which are the
limit, C libraries, Go, Rust, and other Python. Less is better everywhere. A peer that is faster is shown as faster.

## How it is measured

- Every contender is a program of its own with the same command line; the sources of all are in `bench/peers`. Each uses
  its library as the library's documentation says, has the same receive and socket buffers, and reads the same fields:
  the sums of what they read are compared. The clock is read in the program, so that starting it does not count.
- Contenders take turns, A B C A B C, with one round before that does not count. The tables have median, least and
  most; a ratio is the median of the ratios of each round to the limit's run in the same round. CPU times are means, in
  nanoseconds for each item; the kernel shares them out between user and kernel by samples, their sum is exact.
- A program that does its work once meets memory that nobody has touched, its own and the kernel's. "Again" is what the
  same takes once that is over; its ratio is to a limit that goes on, too, where the table has one.
- Everything happens in private network namespaces on one machine. The kernel does its part of the work inside the
  receiving call, so the limit has the kernel's time in it, and a ratio says what a contender adds.
- Memory is touched and freed before each round. A virtual machine's host may take back what nobody uses for some
  seconds, and whoever touches it then waits for the host: here half a microsecond for a kept flow instead of 30 ns.
  That does not always help: where the least is far below the median some rounds met such memory all the same.
- A contender that has had more than half a minute has no further round: a column says how many it had.

## What that does not show

- One machine, one kernel, flows and packets that are made up. Yours differ; `make bench` measures there.
- Contenders do different things with what they receive. What each does and does not do is said beside its figures:
  reading three fields and throwing the rest away is less work than keeping typed records of everything.
- The dump of a small table is the kernel's walk through all of its buckets, however few flows are in them.
- A machine with other work to do disturbs everybody. Where the scheduler is said to be "fifo" contenders ran ahead of
  that work (`chrt -f 1`), on a core of their own; caches and memory were still shared with it.
"""


def number(value: float) -> str:
    """With three or four digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def rows_of(workload: dict[str, Any]) -> Iterator[str]:
    """The table of a workload."""
    cases = workload["cases"]
    timed = any(row["user"] or row["sys"] for row in cases.values())
    extras = list(dict.fromkeys(name for row in cases.values() for name in row["extra"]))
    head = ["", f"median, {workload['unit']}", "min", "max"]
    head += ["ratio"] if workload["limit"] else []
    head += ["CPU user", "CPU kernel"] if timed else []
    head += ["CPU ratio"] if timed and workload["limit"] else []
    head += [*extras, "rounds"]
    yield "| " + " | ".join([*head, "what it does"] if workload["what"] else head) + " |"
    yield "|---|" + "---:|" * (len(head) - 1) + ("---|" if workload["what"] else "")
    for label, row in cases.items():
        name = f"**{label}**" if is_ours(label) else label
        cells = [name, *(number(row["value"][key]) for key in ("median", "min", "max"))]
        if workload["limit"]:
            cells.append(f"{row['ratio']['median']:.2f}" if "ratio" in row else "")
        if timed:
            cells += [number(row["user"]), number(row["sys"])]
        if timed and workload["limit"]:
            cells.append(f"{row['cpu_ratio']:.2f}" if "cpu_ratio" in row else "")
        cells += [number(row["extra"][name]) if name in row["extra"] else "" for name in extras]
        cells.append(str(row["rounds"]))
        cells += [workload["what"].get(label, "")] if workload["what"] else []
        yield "| " + " | ".join(cells) + " |"


def is_ours(label: str) -> bool:
    return label.startswith(("fastnetlink", "import netlink"))


def section(name: str, workload: dict[str, Any], plot: str | None) -> str:
    lines = [f"### {workload['title']}", ""]
    if plot:
        lines += [f"![{workload['title']}: ratio to the limit]({plot})", ""]
    lines += rows_of(workload)
    if workload["skipped"]:
        lines += ["", "Not taking part:", ""]
        lines += [f"- {label}: {why}" for label, why in workload["skipped"].items()]
    lines += ["", f"Again: `make bench BENCH={name}`", ""]
    return "\n".join(lines)


def machine(document: dict[str, Any]) -> str:
    about = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        "## Machine and versions",
        "",
        f"- {about['time'][:10]}, by `{document['command']}`: {document['rounds']} rounds that count",
        f"- {about['cpu']}, {about['cores']} cores, {about['memory']}, Linux {about['kernel']}; "
        f"load {about['load']:.1f} at the start, scheduler {about['scheduler']}",
        f"- {versions}",
        f"- mitigations: {', '.join(about['mitigations']) or 'none'}",
    ]
    lines += [f"- without {name}: {why}" for name, why in document["missing"].items()]
    return "\n".join([*lines, ""])


def page(document: dict[str, Any], pictures: dict[str, str]) -> str:
    """The Markdown. pictures: paths of plots by the workload they are of, "dump" for that of all dumps."""
    parts = [INTRODUCTION, machine(document), "## Results\n"]
    if DUMPS in pictures:
        parts.append(f"![Time per flow against the number of flows]({pictures[DUMPS]})\n")
    parts += [section(name, workload, pictures.get(name)) for name, workload in document["workloads"].items()]
    return "\n".join(parts)


def whole(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """One result of those of parts of the suite, in the order of the suite. ValueError if they do not go together."""
    first, *others = documents
    for other in others:
        for name in ("rounds", "missing"):
            if other[name] != first[name]:
                raise ValueError(f"results of parts differ in {name}: {first[name]}, and {other[name]}")
        if other["machine"]["versions"] != first["machine"]["versions"]:
            raise ValueError("results of parts have other versions")
    order = [workload.name for workload in suite(False)]
    workloads = {name: workload for document in documents for name, workload in document["workloads"].items()}
    known = sorted(workloads, key=lambda name: order.index(name) if name in order else len(order))
    result = first | {"workloads": {name: workloads[name] for name in known}}
    if others:
        machines = [document["machine"] for document in documents]
        result["command"] = f"python -m bench --rounds {first['rounds']} WORKLOAD"
        result["machine"] = first["machine"] | {
            "load": max(machine["load"] for machine in machines),
            "scheduler": " or ".join(sorted({machine["scheduler"] for machine in machines})),
        }
    return result


def main() -> None:
    from bench.plots import draw

    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("results", nargs="*", type=Path, metavar="FILE", help="results of python -m bench")
    results = parser.parse_args().results
    if not results:
        results = [ROOT / "bench" / "results" / "report.json"]
        # What fails is in the report as well.
        subprocess.run([sys.executable, "-m", "bench", "--json", str(results[0])], cwd=ROOT, check=False)
    document = whole([json.loads(result.read_text()) for result in results])
    folder = PAGE.with_suffix("")
    pictures = {name: f"{folder.name}/{path.name}" for name, path in draw(document["workloads"], folder).items()}
    PAGE.write_text(page(document, pictures))
    print(PAGE)


if __name__ == "__main__":
    main()
