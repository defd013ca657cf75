"""Build the peers in bench/peers to bench/peers/bin: python bench/build.py

What cannot be built is named with the Debian package that brings it. Exit status 1 only where the C floor,
which every ratio needs, is not there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from _common import BIN, PEERS, RAW

GOPATH = Path("/usr/share/gocode")  # where Debian's golang-*-dev packages are


@dataclass(frozen=True)
class Peer:
    """A program, its source, and what it needs: Debian packages and how to see that each is there."""

    name: str
    source: Path
    needs: tuple[tuple[str, Callable[[], bool]], ...]
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def binary(self) -> Path:
        return BIN / self.name

    @property
    def missing(self) -> list[str]:
        return [package for package, there in self.needs if not there()]

    def build(self) -> str | None:
        """What went wrong, or None."""
        if self.missing:
            return f"missing: apt-get install {' '.join(self.missing)}"
        if self.binary.exists() and self.binary.stat().st_mtime > self.source.stat().st_mtime:
            return None
        BIN.mkdir(exist_ok=True)
        run = subprocess.run(self.command, env=os.environ | dict(self.environment), capture_output=True, text=True)
        return run.stderr.strip() if run.returncode else None


def program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def file(path: str | Path) -> Callable[[], bool]:
    return lambda: Path(path).exists()


def c_peer(name: str, *libraries: str, needs: tuple[tuple[str, Callable[[], bool]], ...] = ()) -> Peer:
    source = PEERS / f"{name}.c"
    return Peer(
        name,
        source,
        (("gcc", program("gcc")), ("linux-libc-dev", file("/usr/include/linux/netlink.h")), *needs),
        (
            "gcc",
            "-std=gnu11",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            str(source),
            "-o",
            str(BIN / name),
            *(f"-l{library}" for library in libraries),
        ),
    )


def go_peer(name: str, package: str, imported: str) -> Peer:
    source = PEERS / name / "main.go"
    return Peer(
        name,
        source,
        (("golang-go", program("go")), (package, file(GOPATH / "src" / imported))),
        ("go", "build", "-o", str(BIN / name), str(source)),
        (("GO111MODULE", "off"), ("GOPATH", str(GOPATH)), ("GOFLAGS", "")),
    )


ALL = [
    c_peer("raw_dump"),
    c_peer("raw_latency"),
    go_peer("go_dump", "golang-github-mdlayher-netlink-dev", "github.com/mdlayher/netlink"),
]


def main() -> int:
    failed = {peer.name: error for peer in ALL if (error := peer.build())}
    for peer in ALL:
        print(f"{peer.name}: {failed.get(peer.name) or peer.binary}")
    if "raw_dump" in failed:
        print(f"without raw_dump there is no {RAW!r} to compare with")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
