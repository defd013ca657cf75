"""The kernel tests on other kernels: `make test-vm`, `make test-vm KERNELS="5.10 6.12"`, `make test-vm KERNELS=all`.

    matrix.py [--kernels "6.1 6.12"] [--jobs 2] [--limit SECONDS] [PYTEST ARGUMENT ...]

Each kernel boots in a guest and runs pytest there; as many at once as there are processors. What each printed is in
build/vm, and a table of the results comes last. Without arguments pytest runs the tests of what depends most on the
kernel; tests/kernel is all of them.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import io
import os
import re
import shutil
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from guest import ALL, ROOT, TIMED_OUT, GuestError, Kernel, has_card, kernels, netdevsim, say

LOGS = ROOT / "build/vm"
GROWTH = ("memory_that_must_not_be_moved", "memory_that_cannot_grow_where_it_is", "no_free_addresses")
# What depends most on the kernel.
FILES = (
    *("conntrack", "batch_dump", "events", "nflog", "nfqueue", "filter", "conn", "options", "mirror", "execute_all"),
    *("extended_acks", "generic", "sock_diag", "connector", "kobject_uevent", "reload", "tc", "route_stream"),
    *("nfqueue_rules", "wireguard", "ipvs", "l2tp", "audit", "xfrm", "crypto", "ss", "sock_facts", "quota"),
    *("drop_monitor", "nl80211", "w1", "nbd", "nlmon", "openvswitch", "devlink"),
    *(f"nftables{part}" for part in ("", "_build", "_changes", "_sets", "_monitor")),
    *(f"route_{part}" for part in ("family", "monitor", "facts", "oracles", "links", "encap", "cards")),
)
TESTS = [
    *(f"tests/kernel/test_{name}.py" for name in FILES),
    *(f"tests/kernel/test_faults.py::test_{name}" for name in GROWTH),
    "tests/fuzz/test_area.py::test_refusals",
    # Of families that this machine's kernel may not have.
    *(
        f"tests/kernel/test_docs.py::test_page[{name}.md]"
        for name in ("wireguard", "ipvs", "l2tp", "crypto", "drops", "wifi", "nbd", "nlmon", "openvswitch", "devlink")
    ),
]
# Debian's kernels load these when root asks; not where a test asks from a user namespace, or for a sysctl.
MODULES = (
    *("nf_conntrack_netlink", "nfnetlink_log", "nf_tables", "nft_ct", "nft_log", "nfnetlink", "veth", "dummy"),
    "igb",  # of the card
)
COUNTED = ("passed", "failed", "errors", "skipped")
_printing = threading.Lock()


@dataclass
class Run:
    """A run of pytest on one kernel."""

    name: str
    kernel: Kernel
    status: int = 0
    seconds: float = 0
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"

    @property
    def result(self) -> str:
        if self.status == TIMED_OUT:
            return "time limit reached"
        return "ok" if self.status == 0 else f"status {self.status}"

    def go(self, arguments: list[str], limit: float) -> None:
        command = [sys.executable, "-m", "pytest", "-o", "console_output_style=classic", *arguments]
        try:
            netdevsim.build(self.kernel)
        except GuestError as error:  # tests that need it are skipped
            say(str(error))
        begin = time.monotonic()
        with Lines(self.name, self.log) as out:
            self.status = self.kernel.execute(command, limit=limit, modules=MODULES, card=has_card(), out=out)  # type: ignore[arg-type]
        self.seconds = time.monotonic() - begin
        summary = re.findall(r"^=+ (.* in [\d.]+s.*) =+$", self.log.read_text(errors="replace"), re.M)
        for count, what in re.findall(r"(\d+) (\w+)", summary[-1] if summary else ""):
            self.counts["errors" if what == "error" else what] = int(count)


class Lines(io.RawIOBase):
    """Where a guest's output goes: to a file, and line by line to the terminal, where others print, too."""

    def __init__(self, name: str, log: Path) -> None:
        self._name = name
        self._log = log.open("wb")
        self._rest = b""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._log.write(data)
        self._log.flush()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._print(line)
        return len(data)

    def _print(self, line: bytes) -> None:
        with _printing:
            print(f"[{self._name}] {line.decode(errors='replace')}", flush=True)

    def close(self) -> None:
        if not self._log.closed:
            if self._rest:
                self._print(self._rest)
            self._log.close()
        super().close()


def table(runs: list[Run]) -> str:
    rows = [["kernel", "version", *COUNTED, "seconds", "result"]]
    for run in runs:
        counts = [str(run.counts.get(what, 0)) for what in COUNTED]
        rows.append([run.name, run.kernel.version, *counts, f"{run.seconds:.0f}", run.result])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", default="6.1 6.12", help='such as "5.10 newest", or all: ' + " ".join(ALL))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="guests at once (%(default)s)")
    parser.add_argument("--limit", type=float, default=1800, metavar="SECONDS", help="for each kernel (%(default)s)")
    arguments, rest = parser.parse_known_args(argv)
    names = ALL if arguments.kernels == "all" else arguments.kernels.split()
    # Compiled once and by the host: a guest takes many times as long.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir(ROOT)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    try:
        runs = [Run(name, kernel) for name, kernel in kernels(names).items()]
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for future in [pool.submit(run.go, rest or TESTS, arguments.limit) for run in runs]:
                future.result()
    except GuestError as error:
        say(str(error))
        return 1
    print(f"\nOther kernels (all that they printed: {LOGS.relative_to(ROOT)})\n\n{table(runs)}")
    return int(any(run.status for run in runs))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
