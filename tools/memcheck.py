#!/usr/bin/env python3
"""Run tests under valgrind's memcheck: `memcheck.py [PYTEST ARGUMENT ...]`, tests/unit without more.

What CPython and other extensions do is theirs. An error counts where an extension module of netlink did it, or called
what did without Python code in between; a leak where such a module itself allocated the block. Tests of Hypothesis are
left out: for these, `make sanitize` is fast enough.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = f"{ROOT}/src/netlink/"


def ours(frame: ElementTree.Element) -> bool:
    """Whether a frame is in an extension module of netlink."""
    return (frame.findtext("obj") or "").startswith(PACKAGE)


def counts(error: ElementTree.Element) -> bool:
    """Whether an error is one of netlink."""
    frames = error.findall("stack/frame")
    if (error.findtext("kind") or "").startswith("Leak_"):
        # The first is valgrind's malloc.
        return len(frames) > 1 and ours(frames[1])
    above = itertools.takewhile(lambda frame: not (frame.findtext("fn") or "").startswith("_PyEval_Eval"), frames)
    return any(map(ours, above))


def shown(error: ElementTree.Element) -> str:
    lines = [error.findtext("what") or error.findtext("xwhat/text") or error.findtext("kind") or "?"]
    for frame in error.findall("stack/frame"):
        where = frame.findtext("file") or Path(frame.findtext("obj") or "?").name
        lines.append(f"    {frame.findtext('fn') or '?'} ({where}:{frame.findtext('line') or '?'})")
    return "\n".join(lines)


def errors(report: Path) -> Iterator[ElementTree.Element]:
    """The errors of netlink in one process's report, which is cut short where it was killed or ran another program."""
    with contextlib.suppress(ElementTree.ParseError):
        for _, element in ElementTree.iterparse(report):
            if element.tag == "error":
                if counts(element):
                    yield element
                else:
                    element.clear()


def main(arguments: list[str]) -> int:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        print("valgrind is missing. Debian, Ubuntu: apt-get install valgrind", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="netlink-memcheck-") as folder:
        command = [valgrind, "--quiet", "--xml=yes", f"--xml-file={folder}/%p.xml", "--num-callers=30"]
        command += ["--error-limit=no", "--leak-check=full", "--show-leak-kinds=definite"]
        command += [sys.executable, "-m", "pytest", "-m", "not hypothesis", *(arguments or ["tests/unit"])]
        status = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONMALLOC": "malloc"}).returncode
        found = [error for report in sorted(Path(folder).iterdir()) for error in errors(report)]
    for error in found:
        print(shown(error), end="\n\n")
    print(f"memcheck: {len(found)} errors in netlink's extension modules")
    return status or bool(found)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
