"""The C fuzz target under the sanitizers, over a fixed number of mutations of the corpus."""

import subprocess
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
MUTATIONS = 200_000


def test_mutations_of_the_corpus(build: Callable[[str], Path]) -> None:
    corpus = sorted(str(path) for path in (HERE / "corpus").iterdir())
    assert len(corpus) >= 5
    run = subprocess.run([str(build("fuzz_wire.c")), str(MUTATIONS), *corpus], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) >= MUTATIONS - len(corpus)
