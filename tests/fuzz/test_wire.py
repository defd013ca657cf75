"""The C fuzz target under the sanitizers, over a fixed number of mutations of the corpus."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MUTATIONS = 200_000


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("neither gcc nor clang is installed")
    program = tmp_path_factory.mktemp("fuzz") / "fuzz_wire"
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    source = tmp_path_factory.mktemp("probe") / "empty.c"
    source.write_text("int main(void) { return 0; }")
    probe = subprocess.run(
        [compiler, *sanitize, str(source), "-o", str(source.with_suffix(""))], capture_output=True, text=True
    )
    if probe.returncode:
        pytest.skip(f"{compiler} cannot link the sanitizers: {probe.stderr.strip()}")
    subprocess.run(
        [compiler, "-std=c11", "-D_GNU_SOURCE", "-DSTANDALONE", "-Wall", "-Wextra", "-Werror", "-g", "-O1", *sanitize,
         "-pthread", str(HERE / "fuzz_wire.c"), "-o", str(program)],
        check=True,
    )  # fmt: skip
    return program


def test_mutations_of_the_corpus(target: Path) -> None:
    corpus = sorted(str(path) for path in (HERE / "corpus").iterdir())
    assert len(corpus) >= 5
    run = subprocess.run([str(target), str(MUTATIONS), *corpus], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) >= MUTATIONS - len(corpus)
