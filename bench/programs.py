"""The contenders' programs: found, built from bench/peers, and run. What one lacks is named with what brings it."""

from __future__ import annotations

import functools
import importlib.util
import json
import mmap
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.runner import MissingError

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "bench" / "peers"
BIN = PEERS / "bin"
GOCODE = Path("/usr/share/gocode")  # where Debian's golang-*-dev packages are
CRATES = Path("/usr/share/cargo/registry")  # where its librust-*-dev packages are

# The most seconds that any run may take: a peer that never ends is not to be waited for.
TIME_LIMIT = 600
BACKED = 512 << 20  # bytes, more than any contender keeps

Need = tuple[str, Callable[[], bool]]


@dataclass(frozen=True)
class Program:
    """What to run, what it needs (each with what brings it), and for those that are built, from what and how."""

    run: tuple[str, ...]
    needs: tuple[Need, ...] = ()
    sources: tuple[Path, ...] = ()
    build: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()

    @functools.cached_property
    def command(self) -> list[str]:
        """The command, built where it has to be. MissingError says what to install."""
        if absent := [what for what, there in self.needs if not there()]:
            raise MissingError(f"needs {', '.join(absent)}")
        if self.build and not self._is_fresh():
            BIN.mkdir(exist_ok=True)
            environment = os.environ | dict(self.environment)
            done = subprocess.run(self.build, cwd=ROOT, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise MissingError(f"does not build: {done.stderr.strip()}")
        return list(self.run)

    def _is_fresh(self) -> bool:
        binary = Path(self.run[0])
        return binary.exists() and all(binary.stat().st_mtime > source.stat().st_mtime for source in self.sources)


def _program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def _file(path: str | Path) -> Callable[[], bool]:
    return lambda: Path(path).exists()


def _glob(folder: Path, pattern: str) -> Callable[[], bool]:
    return lambda: any(folder.glob(pattern))


def _module(name: str) -> Callable[[], bool]:
    return lambda: importlib.util.find_spec(name) is not None


def _specs() -> bool:
    try:
        from netlink import ynl
    except ImportError:
        return False
    return {"nlctrl", "rt-route"} <= ynl.available().keys()


def _has(module: str, cls: str, method: str) -> Callable[[], bool]:
    return lambda: hasattr(getattr(importlib.import_module(module), cls), method)


def _c(name: str, *libraries: str, needs: tuple[Need, ...] = ()) -> Program:
    source = PEERS / f"{name}.c"
    flags = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")
    return Program(
        (str(BIN / name),),
        (
            ("gcc (Debian: gcc, libc6-dev)", _program("gcc")),
            ("linux/netlink.h (Debian: linux-libc-dev)", _file("/usr/include/linux/netlink.h")),
            *needs,
        ),
        (source, PEERS / "peer.h"),
        ("gcc", *flags, str(source), "-o", str(BIN / name), *(f"-l{library}" for library in libraries)),
    )


def _go(name: str, source: str, library: str, package: str) -> Program:
    paths = PEERS / "go" / source, PEERS / "go" / "result.go"
    return Program(
        (str(BIN / name),),
        (
            ("go (Debian: golang-go)", _program("go")),
            (f"{library} (Debian: {package})", _file(GOCODE / "src/github.com" / library)),
        ),
        paths,
        ("go", "build", "-o", str(BIN / name), *map(str, paths)),
        (("GO111MODULE", "off"), ("GOPATH", str(GOCODE)), ("GOFLAGS", "")),
    )


def _rust(folder: str, name: str, *crates: tuple[str, str]) -> Program:
    path = PEERS / folder
    return Program(
        (str(BIN / "cargo/release" / name),),
        (
            ("cargo (Debian: cargo)", _program("cargo")),
            *(
                (f"{crate} (Debian: librust-{crate}-dev)", _glob(CRATES, f"{crate}-{release}.*"))
                for crate, release in crates
            ),
        ),
        (path / "Cargo.toml", path / "src/main.rs"),
        (
            *("cargo", "build", "--quiet", "--release", "--offline"),
            *("--manifest-path", str(path / "Cargo.toml"), "--target-dir", str(BIN / "cargo")),
            *("--config", 'source.crates-io.replace-with="debian"'),
            *("--config", f'source.debian.directory="{CRATES}"'),
        ),
    )


def _python(module: str, needs: tuple[Need, ...] = ()) -> Program:
    return Program((sys.executable, "-m", f"bench.peers.{module}"), needs)


_LIBMNL: Need = ("libmnl (Debian: libmnl-dev)", _file("/usr/include/libmnl/libmnl.h"))
_HEADERS = Path("/usr/include")

PROGRAMS = {
    "raw": _c("raw"),
    "mnl": _c("mnl", "mnl", needs=(_LIBMNL,)),
    "nfct": _c(
        "nfct",
        *("netfilter_conntrack", "nfnetlink", "mnl"),
        needs=(
            _LIBMNL,
            (
                "libnetfilter_conntrack (Debian: libnetfilter-conntrack-dev)",
                _file(_HEADERS / "libnetfilter_conntrack/libnetfilter_conntrack.h"),
            ),
            ("libnfnetlink (Debian: libnfnetlink-dev)", _file(_HEADERS / "libnfnetlink/libnfnetlink.h")),
        ),
    ),
    "nflog": _c(
        "nflog",
        *("netfilter_log", "nfnetlink"),
        needs=(
            (
                "libnetfilter_log (Debian: libnetfilter-log-dev)",
                _file(_HEADERS / "libnetfilter_log/libnetfilter_log.h"),
            ),
        ),
    ),
    "nfqueue": _c(
        "nfqueue",
        *("netfilter_queue", "nfnetlink"),
        needs=(
            (
                "libnetfilter_queue (Debian: libnetfilter-queue-dev)",
                _file(_HEADERS / "libnetfilter_queue/libnetfilter_queue.h"),
            ),
            ("libnfnetlink (Debian: libnfnetlink-dev)", _file(_HEADERS / "libnfnetlink/libnfnetlink.h")),
        ),
    ),
    "nftnl": _c(
        "nftnl",
        *("nftnl", "mnl"),
        needs=(_LIBMNL, ("libnftnl (Debian: libnftnl-dev)", _file(_HEADERS / "libnftnl/set.h"))),
    ),
    "go": _go("go-mdlayher", "mdlayher.go", "mdlayher/netlink", "golang-github-mdlayher-netlink-dev"),
    "go-nfqueue": _go("go-nfqueue", "nfqueue.go", "florianl/go-nfqueue", "golang-github-florianl-go-nfqueue-dev"),
    "go-genetlink": _go("go-genetlink", "genetlink.go", "mdlayher/genetlink", "golang-github-mdlayher-genetlink-dev"),
    "go-nftables": _go("go-nftables", "nftables.go", "google/nftables", "golang-github-google-nftables-dev"),
    "go-vishvananda": _go(
        "go-vishvananda", "vishvananda.go", "vishvananda/netlink", "golang-github-vishvananda-netlink-dev"
    ),
    "go-jsimonetti": _go(
        "go-jsimonetti", "jsimonetti.go", "jsimonetti/rtnetlink", "golang-github-jsimonetti-rtnetlink-dev"
    ),
    "rust": _rust(
        "rust",
        "rust-netlink-packet",
        ("netlink-packet-core", "0.7"),
        ("netlink-packet-route", "0.21"),
        ("netlink-packet-utils", "0.5"),
        ("netlink-sys", "0.8"),
    ),
    "rust-genetlink": _rust(
        "rust-genetlink",
        "rust-genetlink",
        ("futures", "0.3"),
        ("genetlink", "0.2"),
        ("netlink-packet-core", "0.7"),
        ("netlink-packet-generic", "0.3"),
        ("tokio", "1"),
    ),
    "rust-rtnetlink": _rust("rust-rtnetlink", "rust-rtnetlink", ("rtnetlink", "0.14"), ("tokio", "1")),
    "fastnetlink": _python("fastnetlink"),
    "fastnetlink-arrow": _python("fastnetlink", (("pyarrow (pip install pyarrow)", _module("pyarrow")),)),
    "fastnetlink-numpy": _python("fastnetlink", (("numpy (pip install numpy)", _module("numpy")),)),
    "fastnetlink-requests": _python("requests"),
    "fastnetlink-bulk": _python(
        "requests",
        (
            ("netlink.family (a later fastnetlink)", _module("netlink.family")),
            ("Conn.execute_all (a later fastnetlink)", _has("netlink", "Conn", "execute_all")),
        ),
    ),
    "fastnetlink-family": _python("requests", (("netlink.family (a later fastnetlink)", _module("netlink.family")),)),
    "fastnetlink-async-dump": _python(
        "requests", (("AsyncConn.dump (a later fastnetlink)", _has("netlink.aio", "AsyncConn", "dump")),)
    ),
    "fastnetlink-parallel": _python(
        "fastnetlink", (("dump(parallel=) (a later fastnetlink)", _module("netlink._io.parts")),)
    ),
    "fastnetlink-nfqueue": _python(
        "queued", (("netlink.netfilter.nfqueue (a later fastnetlink)", _module("netlink.netfilter.nfqueue")),)
    ),
    "fastnetlink-by-spec": _python(
        "by_spec",
        (
            ("netlink.ynl (a later fastnetlink)", _module("netlink.ynl")),
            ("PyYAML (pip install pyyaml)", _module("yaml")),
            ("specs of the kernel (Debian: linux-doc-6.12)", _specs),
        ),
    ),
    "fastnetlink-routing": _python("routing", (("netlink.route (a later fastnetlink)", _module("netlink.route")),)),
    "fastnetlink-sockets": _python(
        "sockets", (("netlink.sock_diag (a later fastnetlink)", _module("netlink.sock_diag")),)
    ),
    "fastnetlink-reported": _python(
        "reported",
        (
            ("netlink.connector (a later fastnetlink)", _module("netlink.connector")),
            ("netlink.kobject_uevent (a later fastnetlink)", _module("netlink.kobject_uevent")),
            ("netlink.audit (a later fastnetlink)", _module("netlink.audit")),
        ),
    ),
    "fastnetlink-ipsec": _python("ipsec", (("netlink.xfrm (a later fastnetlink)", _module("netlink.xfrm")),)),
    "storm": _c("storm"),
    "ss": _python("with_ss", (("ss (Debian: iproute2)", _program("ss")),)),
    "psutil": _python("with_psutil", (("psutil (pip install psutil)", _module("psutil")),)),
    "fastnetlink-ruleset": _python(
        "ruleset", (("netlink.netfilter.nftables (a later fastnetlink)", _module("netlink.netfilter.nftables")),)
    ),
    "fastnetlink-ruleset-numpy": _python(
        "ruleset",
        (
            ("netlink.netfilter.nftables (a later fastnetlink)", _module("netlink.netfilter.nftables")),
            ("numpy (pip install numpy)", _module("numpy")),
        ),
    ),
    "nft": _python("with_nft", (("nft (Debian: nftables)", _program("nft")),)),
    "libnftables": _python(
        "with_libnftables",
        (("libnftables for Python (Debian: python3-nftables)", _file("/usr/lib/python3/dist-packages/nftables")),),
    ),
    "ip": _python("with_ip", (("ip (Debian: iproute2)", _program("ip")),)),
    "plain": _python("plain"),
    "pyroute2": _python("with_pyroute2", (("pyroute2 (pip install pyroute2)", _module("pyroute2")),)),
    "fnfqueue": _python("with_fnfqueue", (("fnfqueue (pip install fnfqueue)", _module("fnfqueue")),)),
    "netfilterqueue": _python(
        "with_netfilterqueue", (("NetfilterQueue (pip install netfilterqueue)", _module("netfilterqueue")),)
    ),
    "python": Program((sys.executable,)),
}


def back_memory() -> None:
    """Touch and free memory: what the host of a virtual machine took back while nobody used it costs ten times as much
    as other memory when it is touched first, and whether it did depends on what ran before."""
    with mmap.mmap(-1, BACKED) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        for at in range(0, BACKED, mmap.PAGESIZE):
            memory[at] = 1


def call(
    program: str, *arguments: str, fill: Callable[[], object] | None = None, goes_on: bool = False
) -> dict[str, Any]:
    """Run a program and return its result. fill: what to do between its being ready and its beginning; if that goes on
    by itself then, there is nothing in between."""
    if fill is None or goes_on:
        back_memory()
    process = subprocess.Popen(
        [*PROGRAMS[program].command, *arguments],
        cwd=ROOT,
        # The threads of NumPy's linear algebra, which nobody needs here, would spin for a while. What is imported is
        # compiled once, as that of an installed package is.
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if fill is not None:
            assert process.stdout is not None
            if process.stdout.readline().strip() == "ready":
                fill()
                if not goes_on:
                    back_memory()
        out, err = process.communicate("go\n" if fill else "", timeout=TIME_LIMIT)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    if process.returncode:
        said = err.strip().rsplit("\n", 1)[-1]
        raise MissingError(f"failed: {said or f'exit status {process.returncode}'}")
    result: dict[str, Any] = json.loads(out)
    return result
