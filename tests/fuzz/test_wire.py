"""The C fuzz target under the sanitizers, over a fixed number of mutations of the corpus."""

import subprocess
from collections.abc import Callable
from pathlib import Path

MUTATIONS = 200_000


def test_mutations_of_the_corpus(build: Callable[[str], Path], corpus: Callable[[str], list[str]]) -> None:
    files = corpus("fuzz_wire")
    run = subprocess.run([str(build("fuzz_wire.c")), str(MUTATIONS), *files], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > MUTATIONS - len(files)
