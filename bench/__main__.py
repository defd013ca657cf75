"""Run the benchmarks and write what they took as JSON."""

from __future__ import annotations

import argparse
import os
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from bench import traffic
from bench.programs import PROGRAMS, ROOT
from bench.runner import MissingError, Progress, machine, run_workload, table, write
from bench.workloads import micro, suite

MICRO = "micro"


def main() -> int:
    workloads = {quick: suite(quick) for quick in (False, True)}
    names = [workload.name for workload in workloads[False]] + [MICRO]
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure fastnetlink beside its peers, in private network namespaces. Needs root.",
        epilog=f"Workloads: {', '.join(names)}. Compare two results with bench/compare.",
    )
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="names or patterns, 'nflog-*' (default: all)")
    parser.add_argument("--rounds", type=int, help="rounds that count, of each contender (default: 7, quick: 3)")
    parser.add_argument("--quick", action="store_true", help="small tables and few rounds: does it all work?")
    parser.add_argument("--only", metavar="TEXT", help="contenders whose label contains this, and the limit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write here (default: bench/results/TIME.json)")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 7)
    if rounds < 1:
        parser.error("--rounds must be at least 1")
    patterns = options.workloads or ["*"]
    chosen = [w for w in workloads[options.quick] if any(fnmatch(w.name, pattern) for pattern in patterns)]
    with_micro = any(fnmatch(MICRO, pattern) for pattern in patterns) and not options.only
    if not chosen and not with_micro:
        parser.error(f"no workload is named so; there are {', '.join(names)}")
    if os.geteuid() != 0:
        parser.error("namespaces, read buffers and firewall rules need root")

    about = machine()
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    print(
        f"{about['cpu']}, {about['cores']} cores, {about['memory']}, Linux {about['kernel']}, load {about['load']:.2f}"
    )
    print(versions)
    missing: dict[str, str] = {}
    for name, program in PROGRAMS.items():
        try:
            _ = program.command
        except MissingError as reason:
            missing[name] = str(reason)
            print(f"without {name}: {reason}")
    if traffic.limit() < 1_000_000:
        print(f"nf_conntrack_max is {traffic.limit():,}: there is no table of 1,000,000 flows on this machine")

    results: dict[str, Any] = {}
    document = {
        "machine": about,
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "rounds": rounds,
        "missing": missing,
        "workloads": results,
    }
    path = options.json or ROOT / "bench" / "results" / time.strftime("%Y%m%d-%H%M%S.json")
    for i, workload in enumerate(chosen, 1):
        say = Progress(f"[{i}/{len(chosen)}] {workload.name}")
        if options.only:
            workload = workload.only(options.only)
        try:
            result = run_workload(workload, rounds, say)
        except MissingError as reason:
            say.end()
            print(f"\n{workload.title}: {reason}")
            continue
        say.end()
        results[workload.name] = result
        print(f"\n{workload.title}")
        for line in table(result["cases"], workload.unit):
            print(line, flush=True)
        for label, why in result["skipped"].items():
            print(f"  without {label}: {why}")
        write(path, document)
    if with_micro:
        print("\nmicro-benchmarks", flush=True)
        results[MICRO] = micro(rounds)
        for line in table(results[MICRO]["cases"], results[MICRO]["unit"]):
            print(line)
        write(path, document)
    print(f"\n{path}")
    failed = [f"{w}: {label}" for w, r in results.items() for label, why in r["skipped"].items() if "failed" in why]
    if failed:
        print("failed:", "; ".join(failed))
    return bool(failed)


if __name__ == "__main__":
    raise SystemExit(main())
