"""setup.py: what is in the extension modules that it builds. One of them is built, the smallest, in a copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import probe

ROOT = Path(__file__).parents[2]
MODULE = "netlink._io.locks"
SETUP = f"""
import runpy
import Cython.Build

cythonize = Cython.Build.cythonize
Cython.Build.cythonize = lambda modules, **how: cythonize([one for one in modules if one.name == {MODULE!r}], **how)
runpy.run_path("setup.py", run_name="__main__")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what is built, or a skip where it cannot be."""
    if not (ROOT / "setup.py").exists():
        pytest.skip("setup.py is not here: these are the tests of a wheel")
    for name in ("setuptools", "Cython"):
        pytest.importorskip(name)
    probe.compiler()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "variables", "debugged"),
    [
        (["bdist_wheel"], {}, False),
        (["bdist_wheel"], {"CFLAGS": "-O0 -g"}, True),
        (["build_ext", "--inplace"], {}, True),
        (["build"], {"NETLINK_SANITIZE": "1"}, True),
        (["build"], {"NETLINK_COVERAGE": "1"}, True),
    ],
    ids=["wheel", "wheel of a packager", "in place", "sanitizer", "coverage"],
)
def test_debugging_information(project: Path, arguments: list[str], variables: dict[str, str], debugged: bool) -> None:
    """A wheel is stripped; what tools look into is not."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("CFLAGS", "LDFLAGS", "NETLINK_"))}
    env["CFLAGS"] = "-O0"  # for speed
    command = [sys.executable, "-c", SETUP, "--quiet", *arguments]
    build = subprocess.run(command, cwd=project, env=env | variables, capture_output=True, text=True)
    if "cannot find" in build.stderr:
        pytest.skip(build.stderr[build.stderr.index("cannot find") :].splitlines()[0])
    assert build.returncode == 0, build.stderr
    file = MODULE.replace(".", "/") + ".*.so"
    built = {path.read_bytes() for path in project.rglob(file)}
    assert built
    for module in built:
        assert (b".debug_line" in module) == debugged
        assert (b".debug_info" in module) == debugged
        assert debugged or b".symtab" not in module
