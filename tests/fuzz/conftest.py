"""What the fuzz targets are run with: their C built under the sanitizers, and their corpora."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function from the name of a source file to the program made of it, without sanitizers if requested."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("neither gcc nor clang is installed")
    folder = tmp_path_factory.mktemp("sanitized")
    empty = folder / "empty.c"
    empty.write_text("int main(void) { return 0; }")
    probe = subprocess.run(
        [compiler, *SANITIZE, str(empty), "-o", str(folder / "empty")], capture_output=True, text=True
    )
    if probe.returncode:
        pytest.skip(f"{compiler} cannot link the sanitizers: {probe.stderr.strip()}")

    def build_one(source: str, sanitized: bool = True) -> Path:
        program = folder / (source.removesuffix(".c") + ("" if sanitized else "-plain"))
        flags = SANITIZE if sanitized else []
        subprocess.run(
            [compiler, "-std=c11", "-D_GNU_SOURCE", "-DSTANDALONE", "-Wall", "-Wextra", "-Werror", "-g", "-O1",
             "-Wno-unused-function", "-pthread", *flags, str(HERE / source), "-o", str(program)],
            check=True,
        )  # fmt: skip
        return program

    return build_one


@pytest.fixture(scope="session")
def corpus() -> Callable[[str], list[str]]:
    """A function from the name of a fuzz target to the paths of its stored inputs."""

    def paths(target: str) -> list[str]:
        found = sorted(str(path) for path in (HERE / "corpus" / target).iterdir())
        assert found
        return found

    return paths
