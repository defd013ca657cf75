"""Builds netdevsim, the simulated network card of the kernel's own tests, which Debian's kernels are without.

It is the one driver of devlink that needs no hardware. Its source comes from Debian's package of the kernel's, and is
compiled with the headers of the guest's kernel by the compiler that is here. Only the module is kept.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from guest import CACHE, GuestError, Kernel, fetch, locked, run, say

# What the compiler that built the kernel, and pahole, can do and others cannot.
WITHOUT = ("CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=", "CONFIG_DEBUG_INFO_BTF_MODULES=")
COMMANDS = {"make": "make", "gcc": "gcc", "strip": "binutils"}


def packages(version: str) -> list[str]:
    """The packages that a module for a kernel is built from: 6.1.0-50-amd64, or 6.12.118+deb13-amd64 since 6.11."""
    release = version.removesuffix("-amd64")
    series = ".".join(version.split(".")[:2])
    tools = release if "+" in release else series
    return [
        *(f"linux-headers-{each}" for each in (version, f"{release}-common")),
        f"linux-kbuild-{tools}",
        f"linux-source-{series}",
    ]


def build(kernel: Kernel) -> None:
    """Build the module for a kernel that is set up, unless that has been done. GuestError says why it cannot be."""
    folder = kernel.modules / "lib/modules" / kernel.version / "updates"
    module = folder / "netdevsim.ko"
    with locked():
        if module.exists():
            return
        if missing := [package for command, package in COMMANDS.items() if not shutil.which(command)]:
            raise GuestError(f"no netdevsim: {', '.join(missing)} missing")
        say(f"building netdevsim for Linux {kernel.version}")
        with tempfile.TemporaryDirectory(prefix="netdevsim-", dir=CACHE) as name:
            root = Path(name)
            fetch(root, *packages(kernel.version))
            built = _compile(root, kernel.version)
            folder.mkdir(exist_ok=True)
            shutil.copy(built, module)
        run(["depmod", "-b", kernel.modules, kernel.version])


def _compile(root: Path, version: str) -> Path:
    (source,) = (root / "usr/src").glob("linux-source-*.tar.xz")
    inside = "drivers/net/netdevsim"
    run(["tar", "-xf", source, "-C", root, "--strip-components=1", "--wildcards", f"*/{inside}"])
    headers = root / "usr/src" / f"linux-headers-{version}"
    makefile = headers / "Makefile"
    makefile.write_text(re.sub(r"(?m)^include /usr/src/", f"include {root}/usr/src/", makefile.read_text()))
    folder = root / inside
    run(["make", "-C", headers, f"M={folder}", "CC=gcc", "CONFIG_NETDEVSIM=m", *WITHOUT, "modules"])
    run(["strip", "-g", folder / "netdevsim.ko"])
    return folder / "netdevsim.ko"
