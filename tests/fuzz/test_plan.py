"""The C fuzz target of the schema engine under the sanitizers, over a fixed number of inputs that it makes itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INPUTS = 30_000


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("neither gcc nor clang is installed")
    folder = tmp_path_factory.mktemp("plan")
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    empty = folder / "empty.c"
    empty.write_text("int main(void) { return 0; }")
    probe = subprocess.run(
        [compiler, *sanitize, str(empty), "-o", str(folder / "empty")], capture_output=True, text=True
    )
    if probe.returncode:
        pytest.skip(f"{compiler} cannot link the sanitizers: {probe.stderr.strip()}")
    program = folder / "fuzz_plan"
    subprocess.run(
        [compiler, "-std=c11", "-D_GNU_SOURCE", "-DSTANDALONE", "-Wall", "-Wextra", "-Werror", "-g", "-O1", *sanitize,
         str(HERE / "fuzz_plan.c"), "-o", str(program)],
        check=True,
    )  # fmt: skip
    return program


def test_mutations_of_seeds(target: Path) -> None:
    run = subprocess.run([str(target), str(INPUTS)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    inputs, decoded = map(int, run.stdout.split())
    assert inputs == INPUTS
    assert decoded >= INPUTS // 4  # else it tests errors alone
