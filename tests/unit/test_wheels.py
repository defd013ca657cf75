"""The logic of the tools for wheels. The wheels themselves are for `make wheels` and `make test-wheels`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
try:
    import check_wheels
    import wheels
    from wheels import NoHeadersError, Target, WheelError
finally:
    sys.path.remove(str(TOOLS))

FOUND = {
    "version": "3.13.5",
    "number": [3, 13],
    "fit": True,
    "abi": "cp313",
    "name": "cpython-313",
    "sysconfig": "_sysconfigdata__linux_x86_64-linux-gnu",
}


@pytest.fixture
def python(tmp_path):
    """Makes a program that says of itself what it is told to, as a Python with the headers that are there."""
    include = tmp_path / "include"
    include.mkdir()
    for header in ("Python.h", "pyconfig.h"):
        (include / header).touch()

    def make(**changes):
        program = tmp_path / "python"
        answer = FOUND | {"include": str(include), "pyconfig": str(include / "pyconfig.h")} | changes
        program.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
        program.chmod(0o755)
        return program

    return make


def test_a_python_that_does(python):
    found = wheels.interpreter(python())
    assert (found.version, found.abi, found.name) == ("3.13.5", "cp313", "cpython-313")


def test_this_python_is_read_right():
    script = subprocess.run([sys.executable, "-I", "-c", wheels.PROBE], capture_output=True, check=True)
    answer = json.loads(script.stdout)
    assert sysconfig.get_config_var("EXT_SUFFIX").startswith(f".{answer['name']}-")
    assert tuple(answer["number"]) == sys.version_info[:2]
    assert answer["abi"].removeprefix("cp").startswith(f"{sys.version_info[0]}{sys.version_info[1]}")


def test_headers_are_missed_by_name(python, tmp_path):
    program = python()
    (tmp_path / "include" / "Python.h").unlink()
    with pytest.raises(NoHeadersError, match=r"Python\.h\. Debian, Ubuntu: apt-get install python3\.13-dev"):
        wheels.interpreter(program)


@pytest.mark.parametrize("changes", [{"fit": False}, {"number": [3, 10], "version": "3.10.1"}])
def test_other_pythons_do_not(python, changes):
    with pytest.raises(WheelError, match="no CPython 3"):
        wheels.interpreter(python(**changes))


@pytest.mark.parametrize("script", [None, "#!/bin/sh\nexit 3\n", "#!/bin/sh\necho hello\n"])
def test_what_is_no_python(tmp_path, script):
    program = tmp_path / "python"
    if script is not None:
        program.write_text(script)
        program.chmod(0o755)
    with pytest.raises(WheelError, match="does not run as a Python"):
        wheels.interpreter(program)


def test_a_python_that_is_named_has_to_do(tmp_path):
    with pytest.raises(WheelError, match="does not run"):
        wheels.interpreters([tmp_path / "python3.13"])


@pytest.mark.parametrize("target", wheels.TARGETS, ids=lambda target: target.platform)
def test_setuptools_is_told_of_the_target(target, tmp_path):
    this = wheels.Interpreter(
        Path(sys.executable), "3", "cp3", "cpython-3", sysconfig._get_sysconfigdata_name(), tmp_path, tmp_path
    )
    env = wheels.sysconfig_module(this, target, tmp_path / "include", tmp_path / "module")
    ask = """import json, sysconfig
from sysconfig import get_config_var as var
print(json.dumps([sysconfig.get_platform(), var("EXT_SUFFIX"), var("CC").partition("-target ")[2], var("INCLUDEPY")]))
"""
    out = subprocess.run([sys.executable, "-c", ask], env=env, capture_output=True, check=True).stdout
    platform, suffix, compiler, include = json.loads(out)
    assert platform == f"linux-{target.processor}"
    assert suffix == f".cpython-3-{target.processor}-linux-{target.libc}.so"
    assert compiler == target.zig
    assert include == str(tmp_path / "include")


def test_what_the_caller_compiles_with_stays_out(tmp_path, monkeypatch):
    monkeypatch.setenv("CFLAGS", "-O0")
    monkeypatch.setenv("NETLINK_SANITIZE", "1")
    this = wheels.Interpreter(Path(), "3", "cp3", "cpython-3", "module", tmp_path, tmp_path)
    env = wheels.sysconfig_module(this, Target("x86_64", "gnu"), tmp_path, tmp_path / "module")
    assert not env.keys() & {"CFLAGS", "NETLINK_SANITIZE"}
    assert env["PATH"] == os.environ["PATH"]


def test_what_a_wheel_has_to_hold(tmp_path):
    package = tmp_path / "src" / "netlink"
    (package / "netfilter").mkdir(parents=True)
    for name in ("__init__.py", "_c.pyx", "_c.pyi", "_c.pxd", "_c.h", "_sock.c", "py.typed", "netfilter/flow.py"):
        (package / name).touch()
    assert wheels.expected(tmp_path, ".cpython-313-x86_64-linux-gnu.so") == {
        "netlink/__init__.py",
        "netlink/_c.pyi",
        "netlink/_c.cpython-313-x86_64-linux-gnu.so",
        "netlink/py.typed",
        "netlink/netfilter/flow.py",
    }


def test_programs_without_compilers(tmp_path, monkeypatch):
    programs = tmp_path / "programs"
    programs.mkdir()
    compilers = ["cc", "gcc", "gcc-14", "x86_64-linux-gnu-gcc-14", "c++", "clang", "clang-19", "c99-gcc", "tcc"]
    others = ["nft", "ip", "ld", "gccgo-notes", "ccache-stats", "python3.13"]
    for name in compilers + others:
        (programs / name).touch()
    monkeypatch.setenv("PATH", f"{programs}:{tmp_path / 'absent'}")
    folder = check_wheels.without_compilers(tmp_path / "bin")
    assert sorted(os.listdir(folder)) == sorted(others)


def test_wheels_are_told_apart(tmp_path):
    names = ["manylinux2014_x86_64.manylinux_2_17_x86_64", "manylinux2014_aarch64.manylinux_2_17_aarch64"]
    names.append("musllinux_1_2_x86_64")
    for name in names:
        (tmp_path / f"fastnetlink-0.1.0-cp313-cp313t-{name}.whl").touch()
    with pytest.raises(WheelError, match="make wheels"):
        check_wheels.wheels_in(tmp_path)
    (tmp_path / "fastnetlink-0.1.0.tar.gz").touch()
    _, found = check_wheels.wheels_in(tmp_path)
    assert {wheel.abi for wheel in found} == {"cp313t"}
    kinds = [("manylinux", "x86_64"), ("manylinux", "aarch64"), ("musllinux", "x86_64"), ("musllinux", "aarch64")]
    assert [sum(wheel.is_for(*kind) for wheel in found) for kind in kinds] == [1, 1, 1, 0]
