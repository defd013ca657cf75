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
    """Makes a program that reports given values, as a Python with given headers."""
    include = tmp_path / "include"
    include.mkdir()
    for header in ("Python.h", "pyconfig.h"):
        (include / header).touch()

    def make(**changes):
        answer = FOUND | {"include": str(include), "pyconfig": str(include / "pyconfig.h")} | changes
        program = tmp_path / answer["name"]
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


def test_a_python_that_does_not_run_says_why(tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'libc.so.6: version GLIBC_2.99 not found' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(WheelError, match=r"GLIBC_2\.99 not found"):
        wheels.interpreter(program)


def test_a_python_that_is_named_has_to_do(tmp_path):
    with pytest.raises(WheelError, match="does not run"):
        wheels.interpreters([str(tmp_path / "python3.13")])


@pytest.fixture
def archive(python, tmp_path, monkeypatch):
    """Debian's archive, which has Python 3.14 alone; a list of what was asked of it."""
    asked = []
    programs = tmp_path / "usr" / "bin"
    programs.mkdir(parents=True)
    (programs / "python3.14").symlink_to(python(version="3.14.8", number=[3, 14], abi="cp314", name="cpython-314"))

    def fetch(architecture, *packages, alone=()):
        asked.append((*packages, *alone))
        if packages != ("python3.14",):
            raise WheelError(f"there is no {packages[0]}")
        return tmp_path

    monkeypatch.setattr(wheels, "debian", fetch)
    return asked


def test_a_version_that_is_named_is_debians(archive):
    (found,) = wheels.interpreters(["3.14"])
    assert archive == [("python3.14", "libpython3.14-dev")]
    assert (found.abi, found.name, found.derived, found.free_threaded) == ("cp314", "cpython-314", False, False)


def test_a_free_threaded_one_is_made_of_the_other(archive):
    (found,) = wheels.interpreters(["3.14t"])
    assert (found.version, found.abi, found.name) == ("3.14.8", "cp314t", "cpython-314t")
    assert found.derived
    assert found.free_threaded


def test_what_debian_does_not_have(archive):
    with pytest.raises(WheelError, match=r"there is no python3\.12\n.*PYTHONS="):
        wheels.interpreters(["3.12"])


def test_what_is_not_found_is_debians_or_left_out(archive, python, monkeypatch, capsys):
    here = python()
    monkeypatch.setattr(wheels, "candidates", lambda: [here, here])
    monkeypatch.setattr(wheels, "supported", lambda: ["cp312", "cp313", "cp314", "cp314t"])
    found = wheels.interpreters([])
    assert [one.abi for one in found] == ["cp313", "cp314", "cp314t"]
    text = capsys.readouterr().err
    assert text.startswith("left out: cp312")
    assert "there is no python3.12" in text


def test_nothing_at_hand_is_an_error(archive, monkeypatch):
    monkeypatch.setattr(wheels, "candidates", list)
    monkeypatch.setattr(wheels, "supported", lambda: ["cp312"])
    with pytest.raises(WheelError, match=r"apt-get install python3-dev\n.*there is no python3\.12"):
        wheels.interpreters([])


def test_what_is_supported():
    assert {"cp311", "cp314", "cp314t"} <= set(wheels.supported())


def test_headers_without_a_gil():
    assert wheels.without_gil("a\n/* #undef Py_GIL_DISABLED */\nb\n") == "a\n#define Py_GIL_DISABLED 1\nb\n"
    with pytest.raises(WheelError, match="Py_GIL_DISABLED"):
        wheels.without_gil("#define Py_GIL_DISABLED 1\n")


def ask(env):
    """What a Python in an environment says of its target."""
    script = """import json, sysconfig
from sysconfig import get_config_var as var
compiler = var("CC").partition("-target ")[2]
print(json.dumps([sysconfig.get_platform(), var("EXT_SUFFIX"), compiler, var("INCLUDEPY"), var("Py_GIL_DISABLED")]))
"""
    return json.loads(subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=True).stdout)


@pytest.mark.parametrize("target", wheels.TARGETS, ids=lambda target: target.platform)
def test_setuptools_gets_the_target(target, tmp_path):
    this = wheels.Interpreter(
        Path(sys.executable), "3", "cp3", "cpython-3", sysconfig._get_sysconfigdata_name(), tmp_path, tmp_path
    )
    env = wheels.sysconfig_module(this, target, tmp_path / "include", tmp_path / "module")
    platform, suffix, compiler, include, free_threaded = ask(env)
    assert platform == f"linux-{target.processor}"
    assert suffix == f".cpython-3-{target.processor}-linux-{target.libc}.so"
    assert compiler == target.zig
    assert include == str(tmp_path / "include")
    assert not free_threaded


def test_setuptools_gets_free_threading(tmp_path):
    this = wheels.Interpreter(
        Path(sys.executable), "3", "cp3t", "cpython-3t", sysconfig._get_sysconfigdata_name(), tmp_path, tmp_path, True
    )
    env = wheels.sysconfig_module(this, Target("x86_64", "gnu"), tmp_path, tmp_path / "module")
    _, suffix, _, _, free_threaded = ask(env)
    assert suffix == ".cpython-3t-x86_64-linux-gnu.so"
    assert free_threaded


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


def test_wheels_are_distinguished(tmp_path):
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


def built(abi):
    return check_wheels.Wheel(Path(f"{abi}.whl"), abi, frozenset({"manylinux_2_17_x86_64"}))


def here(abi, derived=False):
    return wheels.Interpreter(Path(abi), "3", abi, "", "", Path(), Path(), derived)


def test_wheels_of_headers_alone_are_reported_but_not_run(monkeypatch, capsys):
    monkeypatch.setattr(check_wheels, "interpreters", lambda named: [here("cp314"), here("cp314t", derived=True)])
    assert check_wheels.runnable([built("cp314"), built("cp314t")], []) == [here("cp314")]
    assert capsys.readouterr().out.startswith("cp314t: not run, ")


def test_unnamed_versions_are_reported(monkeypatch, capsys):
    monkeypatch.setattr(check_wheels, "interpreters", lambda named: [here("cp314")])
    assert check_wheels.runnable([built("cp313"), built("cp314")], ["3.14"]) == [here("cp314")]
    assert capsys.readouterr().out.startswith("cp313: not run, ")


@pytest.mark.parametrize(
    ("named", "pythons", "problem"),
    [
        ([], [here("cp314")], "No CPython here to test wheels of cp313"),
        ([], [here("cp312"), here("cp313"), here("cp314")], r"no wheel for .*cp312"),
        (["3.14t"], [here("cp314t", derived=True)], "cp314t: these are headers"),
    ],
)
def test_wheels_and_pythons_that_do_not_match(monkeypatch, named, pythons, problem):
    monkeypatch.setattr(check_wheels, "interpreters", lambda _: pythons)
    with pytest.raises(WheelError, match=problem):
        check_wheels.runnable([built("cp313"), built("cp314"), built("cp314t")], named)
