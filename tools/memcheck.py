#!/usr/bin/env python3
"""Run tests under valgrind's memcheck: `memcheck.py [PYTEST ARGUMENT ...]`, tests/unit without more.

What CPython and other extensions do is theirs. An error counts where an extension module of netlink did it, or called
what did without Python code in between; a leak, of memory or of a reference, where such a module allocated the block or
called what did. Tests of Hypothesis are left out: for these, `make sanitize` is fast enough.
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


# Who allocates memory that is read before it is written, and that is right: what an error of such a value is not.
THEIRS = {
    # CPython 3.11: a zero has no digit, but the small integer that stands in for it is found by the number of digits
    # times the first one. That is 0 whatever is there, which memcheck does not know. From then on the address of that
    # 0 is undefined for it wherever it is used, as in what lets go of IPv6Address(bytes(16)).
    "_PyLong_New",
}


def ours(frame: ElementTree.Element) -> bool:
    """Whether a frame is in an extension module of netlink."""
    return (frame.findtext("obj") or "").startswith(PACKAGE)


def counts(error: ElementTree.Element) -> bool:
    """Whether an error is one of netlink."""
    stack, *others = error.findall("stack")
    if (error.findtext("kind") or "").startswith("Uninit") and others:
        # Where the value comes from. The first is valgrind's malloc.
        origin = others[0].findall("frame")
        if len(origin) > 1 and origin[1].findtext("fn") in THEIRS:
            return False
    frames = stack.findall("frame")
    above = itertools.takewhile(lambda frame: not (frame.findtext("fn") or "").startswith("_PyEval_Eval"), frames)
    return any(map(ours, above))


def shown(error: ElementTree.Element) -> str:
    lines: list[str] = []
    for part in error:
        if part.tag in ("what", "xwhat", "auxwhat", "xauxwhat"):
            lines.append(part.findtext("text") or part.text or "?")
        for frame in part.findall("frame"):
            where = frame.findtext("file") or Path(frame.findtext("obj") or "?").name
            lines.append(f"    {frame.findtext('fn') or '?'} ({where}:{frame.findtext('line') or '?'})")
    return "\n".join(lines)


def errors(report: Path) -> Iterator[ElementTree.Element]:
    """The errors of netlink in one process's report, which is cut short where it was killed or ran another program."""
    with report.open("rb") as stream, contextlib.suppress(ElementTree.ParseError):
        for _, element in ElementTree.iterparse(stream):
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
        command = [valgrind, "--quiet", "--xml=yes", f"--xml-file={folder}/%p.xml", "--num-callers=40"]
        command += ["--error-limit=no", "--track-origins=yes", "--leak-check=full", "--show-leak-kinds=definite"]
        command += [sys.executable, "-m", "pytest", "-m", "not hypothesis", *(arguments or ["tests/unit"])]
        status = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONMALLOC": "malloc"}).returncode
        found = [error for report in sorted(Path(folder).iterdir()) for error in errors(report)]
    for error in found:
        print(shown(error), end="\n\n")
    print(f"memcheck: {len(found)} errors in netlink's extension modules")
    return status or bool(found)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
