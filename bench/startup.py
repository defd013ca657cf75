"""What `import netlink` costs: time and memory, in fresh interpreters, a bare one taken off.

The bar is 30 ms and nothing but the standard library. Bytecode is cached, as for anything that is
installed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from typing import Any

from _common import machine, print_machine, spread, write_json

# In the child: its own clock, resident memory, and which modules came.
CHILD = """
import sys, time
before = set(sys.modules)
start = time.perf_counter()
{statement}
seconds = time.perf_counter() - start
rss = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS"))
print(seconds, rss, *sorted(set(sys.modules) - before))
"""


def fresh(statement: str) -> tuple[float, float, int, list[str]]:
    """Seconds of the whole interpreter, of the statement in it, KiB resident, and the modules imported."""
    start = time.perf_counter()
    out = subprocess.run(
        [sys.executable, "-c", CHILD.format(statement=statement)], check=True, capture_output=True, text=True
    ).stdout.split()
    return time.perf_counter() - start, float(out[0]), int(out[1]), out[2:]


def third_party(name: str) -> bool:
    """Cython's two are no files: each extension makes them in memory."""
    top = name.split(".")[0]
    return top not in sys.stdlib_module_names and top != "cython_runtime" and not top.startswith("_cython_")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21, help="fresh interpreters of each kind (default %(default)s)")
    parser.add_argument("--module", action="append", help="what to import (default: netlink, netlink.aio)")
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE")
    args = parser.parse_args()
    about = machine()
    print_machine(about)
    modules = args.module or ["netlink", "netlink.aio"]
    statements = {"": "pass", **{module: f"import {module}" for module in modules}}
    taken: dict[str, list[tuple[float, float, int, list[str]]]] = {name: [] for name in statements}
    for i in range(args.rounds + 1):
        for name, statement in statements.items():
            result = fresh(statement)
            if i:
                taken[name].append(result)
    bare = spread([r[0] for r in taken[""]])
    bare_rss = statistics.median(r[2] for r in taken[""])
    print(
        f"bare interpreter: {bare['median'] * 1e3:.1f} ms, {bare_rss / 1024:.1f} MiB; {args.rounds} of each, "
        "interleaved; medians"
    )
    document: dict[str, Any] = {
        "benchmark": "startup",
        "machine": about,
        "rounds": args.rounds,
        "bare": {"seconds": bare, "rss_kib": bare_rss},
    }
    for module in modules:
        rounds = taken[module]
        whole = spread([r[0] for r in rounds])
        inside = spread([r[1] for r in rounds])
        imported = rounds[0][3]
        own = [name for name in imported if name.split(".")[0] == "netlink"]
        others = [name for name in imported if name not in own and third_party(name)]
        row = {
            "seconds_over_bare": whole["median"] - bare["median"],
            "seconds_in_interpreter": inside,
            "rss_kib_over_bare": statistics.median(r[2] for r in rounds) - bare_rss,
            "modules": imported,
            "third_party": others,
        }
        document[module] = row
        print(
            f"import {module}: {row['seconds_over_bare'] * 1e3:.1f} ms more than bare; by its own clock "
            f"{inside['median'] * 1e3:.1f} ms ({inside['min'] * 1e3:.1f} to {inside['max'] * 1e3:.1f}); "
            f"{row['rss_kib_over_bare'] / 1024:.1f} MiB more; {len(imported)} modules, {len(own)} ours, "
            f"third party: {', '.join(others) or 'none'}"
        )
    write_json(args.json, document)


if __name__ == "__main__":
    main()
