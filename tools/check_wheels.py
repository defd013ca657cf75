#!/usr/bin/env python3
"""Runs the tests on the wheels that `make wheels` built, installed where there is no compiler and no source.

Each wheel for glibc and this machine's processor: unit and kernel tests, on every CPython at hand of the wheel's ABI.
Those of a free-threaded CPython of which there were only headers are not run, but told.
Each wheel for musl: every symbol that it asks of libc is one that musl has. The one of the CPython that
tools/musl-python builds runs the unit and kernel tests too.
Wheels for aarch64: those of Debian's CPythons run the unit tests of all that decodes and encodes, by qemu-user with
Debian's arm64 packages as root folder. Few netlink families are known to qemu-user, so that what wants a socket is left
out. The others differ from them by their CPython only, and have been checked for processor and libraries when built.

`make test-wheels` runs this; PYTHONS=... names the CPythons for the first kind.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename
from wheels import ROOT, Interpreter, WheelError, debian, interpreters, require_tools, run, unpack, virtual_environment

COMPILER = re.compile(r"(.*-)?(cc|c\+\+|c89|c99|cpp|gcc|g\+\+|clang|clang\+\+|tcc|zig)(-[\d.]+)?")
SUITES = ["tests/unit", "tests/kernel"]
# Under qemu-user: what needs no socket.
UNITS = ("attributes", "bpf", "config", "conntrack_names", "encoder", "errors", "filter", "messages", "nlenc")
UNITS += ("pcapng", "recorded", "schema", "shapes", "validate", "verdict")
MUSL = "cp313"  # what tools/musl-python builds
ARM = ("cp313", "cp314")  # Debian's, this release's and testing's
EMULATED = [f"tests/unit/test_{unit}.py" for unit in UNITS]


@dataclass(frozen=True)
class Wheel:
    path: Path
    abi: str
    platforms: frozenset[str]

    @property
    def processor(self) -> str:
        return "aarch64" if self.is_for("", "aarch64") else "x86_64"

    def is_for(self, prefix: str, processor: str) -> bool:
        return any(one.startswith(prefix) and one.endswith(processor) for one in self.platforms)


def program(abi: str) -> str:
    """What the CPython of an ABI is called: python3.13 for cp313."""
    return f"python3.{abi.removeprefix('cp3')}"


def wheels_in(directory: Path) -> tuple[Path, list[Wheel]]:
    """The sdist and the wheels of a folder."""
    sdists = list(directory.glob("*.tar.gz"))
    found = [
        Wheel(path, next(iter(tags)).abi, frozenset(tag.platform for tag in tags))
        for path in sorted(directory.glob("*.whl"))
        for tags in [parse_wheel_filename(path.name)[3]]
    ]
    if len(sdists) != 1 or not found:
        raise WheelError(f"{directory} holds no sdist with wheels. `make wheels` makes them.")
    return sdists[0], found


def without_compilers(directory: Path) -> Path:
    """A folder for PATH with all the programs of this machine, less those that compile C."""
    directory.mkdir()
    for folder in os.get_exec_path():
        if Path(folder).is_dir():
            for program in Path(folder).iterdir():
                link = directory / program.name
                if not COMPILER.fullmatch(program.name) and not os.path.lexists(link):
                    link.symlink_to(program)
    return directory


@contextmanager
def sources(sdist: Path) -> Iterator[Path]:
    """A folder with what [tool.cibuildwheel] names of the project for the tests of a wheel, and no more."""
    with tempfile.TemporaryDirectory() as temporary:
        tree = unpack(sdist, Path(temporary))
        settings = tomllib.loads((tree / "pyproject.toml").read_text())["tool"]["cibuildwheel"]
        for entry in tree.iterdir():
            if entry.name not in settings["test-sources"]:
                (shutil.rmtree if entry.is_dir() else os.unlink)(entry)
        yield tree


def pytest(python: Path, tree: Path, env: dict[str, str], where: Path, tests: list[str]) -> None:
    """Run tests with a Python; the package has to be the one that was installed."""
    found = run([python, "-P", "-c", "import netlink; print(netlink.__file__)"], cwd=tree, env=env).strip()
    if not Path(found).is_relative_to(where):
        raise WheelError(f"not the wheel's package but {found} would be tested")
    if subprocess.run([python, "-P", "-m", "pytest", "-q", *tests], cwd=tree, env=env, check=False).returncode != 0:
        raise WheelError("the tests failed")


def environment(path: Path) -> dict[str, str]:
    """This process's environment without what could lead to the sources or to a compiler."""
    unwanted = ("PYTHON", "NETLINK_", "CC", "CXX")
    return {key: value for key, value in os.environ.items() if not key.startswith(unwanted)} | {"PATH": str(path)}


def check_native(wheel: Wheel, python: Interpreter, tree: Path, env: dict[str, str]) -> None:
    """The wheel in a virtual environment of a CPython of this machine."""
    print(f"{wheel.path.name}: {python.path} {python.version}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        group = ROOT / "pyproject.toml:test"
        venv = virtual_environment(python, Path(temporary, "venv"), wheel.path, "--group", group, env=env)
        pytest(venv, tree, env, Path(temporary), SUITES)


def check_foreign(wheel: Wheel, python: list[str | Path], tree: Path, env: dict[str, str], tests: list[str]) -> None:
    """The wheel in a folder beside a CPython of its ABI that runs by a command."""
    print(f"{wheel.path.name}: {' '.join(map(str, python))}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        site = Path(temporary)
        # The tests start Python by sys.executable, which the kernel has to be able to run.
        launcher = site / "launcher"
        launcher.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, python))} "$@"\n')
        launcher.chmod(0o755)
        (site / "sitecustomize.py").write_text(f"import sys\n\nsys.executable = {str(launcher)!r}\n")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        pip += ["--only-binary", ":all:", "--implementation", "cp", "--abi", wheel.abi]
        pip += ["--python-version", program(wheel.abi).removeprefix("python")]
        # What the tests need may ask for a newer libc than the wheel.
        glibc = ["manylinux2014", *(f"manylinux_2_{minor}" for minor in range(17, 42))]
        for libc in glibc if wheel.is_for("manylinux", "") else ["musllinux_1_2"]:
            pip += ["--platform", f"{libc}_{wheel.processor}"]
        run([*pip, "--target", site, wheel.path, "--group", ROOT / "pyproject.toml:test"])
        pytest(launcher, tree, env | {"PYTHONPATH": temporary}, site, tests)


def check_symbols(wheel: Wheel, libc: Path) -> None:
    """Every symbol that the wheel's modules need is musl's or Python's."""
    from elftools.elf.elffile import ELFFile

    with libc.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".dynsym")
        known = {symbol.name for symbol in table.iter_symbols() if symbol["st_shndx"] != "SHN_UNDEF"}
    with zipfile.ZipFile(wheel.path) as archive:
        for name in archive.namelist():
            if name.endswith(".so"):
                with archive.open(name) as stream:
                    table = ELFFile(stream).get_section_by_name(".dynsym")
                    wanted = {
                        symbol.name
                        for symbol in table.iter_symbols()
                        if symbol["st_shndx"] == "SHN_UNDEF" and symbol["st_info"]["bind"] == "STB_GLOBAL"
                    }
                unknown = {symbol for symbol in wanted - known if not symbol.startswith(("Py", "_Py"))}
                if unknown:
                    raise WheelError(
                        f"{wheel.path.name}: {name} needs what musl does not have: {', '.join(sorted(unknown))}"
                    )


def runnable(wheels: list[Wheel], named: list[str]) -> list[Interpreter]:
    """The CPythons to test on; WheelError if one of them has no wheel, or, of those not named, a wheel has none."""
    found = interpreters(named)
    pythons = [python for python in found if not python.derived]
    headers = {python.abi for python in found if python.derived}
    if named and headers:
        raise WheelError(f"{', '.join(sorted(headers))}: these are headers, with no CPython to run tests on")
    built = {wheel.abi for wheel in wheels}
    if useless := [python for python in pythons if python.abi not in built]:
        raise WheelError(f"there is no wheel for {useless[0].path}, {useless[0].abi}. `make wheels` makes them.")
    lacking = built - {python.abi for python in pythons}
    if lacking - headers and not named:
        raise WheelError(
            f"No CPython here to test wheels of {', '.join(sorted(lacking))}. PYTHONS=... names what to test"
        )
    for abi in sorted(lacking):
        print(f"{abi}: not run, " + ("for there is no such CPython here" if abi in headers else "as it is not named"))
    return pythons


def check_all(directory: Path, named: list[str]) -> None:
    sdist, wheels = wheels_in(directory)
    pythons = runnable(wheels, named)
    # First all that may be missing, then tests, which take long.
    here = debian("amd64", "musl", "qemu-user")
    arm = {abi: debian("arm64", "base-files", "libstdc++6", "musl", program(abi)) for abi in ARM}
    musl = run([ROOT / "tools/musl-python", sys.executable]).splitlines()[-1]
    for processor, root in (("x86_64", here), ("aarch64", arm[ARM[0]])):
        for wheel in wheels:
            if wheel.is_for("musllinux", processor):
                print(f"{wheel.path.name}: symbols", flush=True)
                check_symbols(wheel, root / f"usr/lib/{processor}-linux-musl/libc.so")
    with sources(sdist) as tree, tempfile.TemporaryDirectory() as temporary:
        env = environment(without_compilers(Path(temporary, "bin")))
        for wheel in wheels:
            if wheel.is_for("manylinux", "x86_64"):
                for python in pythons:
                    if python.abi == wheel.abi:
                        check_native(wheel, python, tree, env)
            elif wheel.is_for("musllinux", "x86_64") and wheel.abi == MUSL:
                check_foreign(wheel, [musl], tree, env, SUITES)
            elif wheel.is_for("manylinux", "aarch64") and wheel.abi in ARM:
                root = arm[wheel.abi]
                qemu = [here / "usr/bin/qemu-aarch64", "-L", root, root / "usr/bin" / program(wheel.abi)]
                check_foreign(wheel, qemu, tree, env, EMULATED)


def main() -> None:
    usage = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usage.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PROGRAM|VERSION",
        help="a CPython to test on, or which one of Debian's; may be repeated",
    )
    usage.add_argument("--dir", type=Path, default=ROOT / "wheelhouse", help="the folder of the wheels (%(default)s)")
    args = usage.parse_args()
    try:
        require_tools()
        check_all(args.dir, args.python)
    except WheelError as problem:
        sys.exit(f"{usage.prog}: {problem}")


if __name__ == "__main__":
    main()
