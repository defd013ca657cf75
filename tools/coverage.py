#!/usr/bin/env python3
"""Run tests and say which lines of Python, Cython and C they reach: `coverage.py [PYTEST ARGUMENT ...]`.

The extension modules are built for gcov, in build/coverage, beside those that are in use. What a test runs in a child
that ends with os._exit is not counted. Tests of interrupts at any moment are left out: one that hits coverage.py's own
code leaves its lock taken.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tokenize
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/coverage"


def spans(lines: list[int]) -> str:
    """Lines as `3, 7-9`."""
    found: list[list[int]] = []
    for line in lines:
        if found and line == found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in found)


def without_code(source: Path) -> set[int]:
    """Lines of a Cython file that have no code of their own, and that Cython names for what it adds elsewhere: those
    of comments, docstrings, imports and declarations without a value, and those that are empty."""
    found = set(range(1, source.read_bytes().count(b"\n") + 1))
    line: list[tokenize.TokenInfo] = []
    with tokenize.open(source) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type not in (tokenize.NEWLINE, tokenize.ENDMARKER):
                if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
                    line.append(token)
                continue
            names = [part.string for part in line]
            declares = names[:1] == ["cdef"] and "=" not in names and "(" not in names
            if line and not (line[0].type == tokenize.STRING or declares or "cimport" in names or "import" in names):
                found.difference_update(range(line[0].start[0], line[-1].end[0] + 1))
            line = []
    return found


def counts() -> dict[Path, dict[int, int]]:
    """How often each line of each file of ours ran, over all extension modules that have it."""
    sources = {path.name: path for path in (ROOT / "src/netlink").rglob("*") if path.suffix in {".pyx", ".c", ".h"}}
    found: dict[Path, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for notes in BUILD.rglob("*.gcda"):
        command = ["gcov", "--json-format", "--stdout", str(notes)]
        told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for file in (file for line in told.splitlines() for file in json.loads(line)["files"]):
            # Cython copies headers into its build folder.
            if source := sources.get(Path(file["file"]).name):
                for line in file["lines"]:
                    found[source][line["line_number"]] += line["count"]
    for source, lines in found.items():
        # What Cython makes of other files may bear the name of this one.
        end = source.read_bytes().count(b"\n")
        empty = without_code(source) if source.suffix == ".pyx" else set()
        for line in [line for line in lines if line > end or line in empty]:
            del lines[line]
    return found


def main(arguments: list[str]) -> int:
    for tool in ("gcov", os.environ.get("CC", "gcc")):
        if shutil.which(tool) is None:
            print(f"{tool} is missing. Debian, Ubuntu: apt-get install gcc", file=sys.stderr)
            return 1
    for old in BUILD.rglob("*.gcda"):
        old.unlink()
    build = [sys.executable, "setup.py", "--quiet", "build"]
    subprocess.run(build, cwd=ROOT, env={**os.environ, "NETLINK_COVERAGE": "1"}, check=True)
    (library,) = BUILD.glob(f"lib.*-cpython-{sys.version_info[0]}{sys.version_info[1]}*")
    env = {**os.environ, "PYTHONPATH": str(library), "COVERAGE_FILE": str(BUILD / "python")}
    run = [sys.executable, "-m", "coverage", "run", "--source=netlink", "-m", "pytest"]
    run += ["-k", "not at_any_moment", *(arguments or ["tests"])]
    status = subprocess.run(run, cwd=ROOT, env=env).returncode
    subprocess.run([sys.executable, "-m", "coverage", "report", "--skip-covered", "-m"], cwd=ROOT, env=env)
    for source, lines in sorted(counts().items()):
        missed = sorted(line for line, count in lines.items() if not count)
        print(f"{source.relative_to(ROOT)}: {1 - len(missed) / len(lines):.0%} of {len(lines)} lines; {spans(missed)}")
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
