"""Other kernels: Debian's, each booted in a guest of qemu that sees this machine's files and runs one command.

Neither KVM nor a disk image is needed: qemu emulates the processor, and the guest's root is this machine's over 9p,
with an overlay in memory, so that what the guest writes goes nowhere. The current directory alone is shared for
writing. A boot takes five to seven seconds. Kernels are fetched once and kept in ~/.cache/fastnetlink/kernels.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "fastnetlink", "kernels")
# Where Debian has kernels, old to new.
SUITES = "bullseye bookworm bookworm-backports trixie trixie-backports forky sid"
# What "all" stands for: the oldest that is tested, those of Debian's releases, and the newest.
ALL = ("5.10", "6.1", "6.12", "6.18", "newest")
NEWEST = "newest"
# The commands that this needs, and Debian's packages that have them.
COMMANDS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "depmod": "kmod",
    "modprobe": "kmod",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "zstd": "zstd",
    "xz": "xz-utils",
}
# What the root file system is made of; the rest a guest loads from there.
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
NO_RESULT = 125
TIMED_OUT = 124


class GuestError(Exception):
    """Why there is no guest; its text says what to do."""


def say(text: str) -> None:
    print(f"guest: {text}", file=sys.stderr, flush=True)


def run(command: list[str | Path], **kwargs: object) -> subprocess.CompletedProcess[str]:
    """The output of a command that has to go well."""
    result = subprocess.run(command, capture_output=True, text=True, **kwargs)  # type: ignore[call-overload]
    if result.returncode:
        raise GuestError(f"{shlex.join(map(str, command))} failed:\n{result.stderr.strip()[-2000:]}")
    return result  # type: ignore[no-any-return]


# ---- what has to be there ----


def found(command: str) -> bool:
    """Whether a command is there; busybox as one that needs no library, since a guest begins without any."""
    path = shutil.which(command)
    return path is not None and (command != "busybox" or b"ld-linux" not in Path(path).read_bytes()[:4096])


def require_tools() -> None:
    """See that the commands are there; root of a Debian has them installed."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.uname().machine != "x86_64":
        raise GuestError(f"guests are for x86_64 machines; here is {os.uname().machine}")
    missing = sorted({package for command, package in COMMANDS.items() if not found(command)})
    if not missing:
        return
    install = f"apt-get install {' '.join(missing)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise GuestError(f"missing for guests: {', '.join(missing)}. Debian, Ubuntu: {install}")
    say(f"installing {' '.join(missing)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=quiet, capture_output=True, check=False)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], env=quiet)


def has_card() -> bool:
    """Whether qemu has a network card with virtual functions: igb, since qemu 8.0."""
    return 'name "igb"' in run(["qemu-system-x86_64", "-device", "help"]).stdout


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One process sets up, others wait for it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def version_key(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def versions_in(listed: str) -> list[str]:
    """The versions of the plain kernels among the names of packages, old to new."""
    versions = sorted(re.findall(r"^linux-image-(\d[\d.]*[\d.+a-z-]*-amd64)$", listed, re.M), key=version_key)
    return [v for v in versions if not re.search(r"-(cloud|rt)-amd64$|^\d+\.\d+-amd64$|\.deb\d+\.", v)]


def newest_of(name: str, versions: list[str]) -> str:
    """The newest version that a name stands for."""
    if not versions:
        raise GuestError(
            "Debian's archive names no kernels: is it reachable, and one of this system's package sources?"
        )
    fit = [v for v in versions if name == NEWEST or re.match(re.escape(name) + r"\b", v)]
    if not fit:
        some = ", ".join(sorted({".".join(v.split(".")[:2]) for v in versions}, key=version_key))
        raise GuestError(f"Debian has no kernel {name}; it has {some}")
    return fit[-1]


def resolve(names: Iterable[str]) -> dict[str, str]:
    """The version of Debian's kernel that each name stands for, kept from the first time on: 6.12 is a prefix."""
    known = CACHE / "names.json"
    names = list(names)
    with locked():
        pinned: dict[str, str] = json.loads(known.read_text()) if known.exists() else {}
        if any(name not in pinned for name in names):
            say("asking Debian's archive for kernels")
            listed = run(
                [ROOT / "tools/debian", "names", "amd64", "linux-image-"], env={**os.environ, "SUITES": SUITES}
            ).stdout
            versions = versions_in(listed)
            for name in names:
                pinned.setdefault(name, newest_of(name, versions))
            known.write_text(json.dumps(pinned, indent=1))
    return {name: pinned[name] for name in names}


def fetch(folder: Path, *packages: str) -> None:
    """Unpack packages of Debian's archive to a folder, without what they depend on."""
    run([ROOT / "tools/debian", "alone", "amd64", folder, *packages], env={**os.environ, "SUITES": SUITES})


# ---- a kernel ----


@dataclass(frozen=True)
class Kernel:
    """A kernel of Debian's that is fetched and can be booted."""

    version: str  # as in uname -r

    @property
    def folder(self) -> Path:
        return CACHE / self.version

    @property
    def modules(self) -> Path:
        """The folder that lib/modules lies in."""
        usr = self.folder / "usr"
        return usr if (usr / "lib/modules").exists() else self.folder

    def set_up(self) -> None:
        """Fetch and unpack it, where that has not been done."""
        with locked():
            if not (self.folder / "ready").exists():
                shutil.rmtree(self.folder, ignore_errors=True)
                say(f"fetching Linux {self.version}")
                fetch(self.folder, f"linux-image-{self.version}")
                if not self._image.exists():  # from 7.3 on the package only names these
                    fetch(self.folder, *(f"linux-{part}-{self.version}" for part in ("base", "binary", "modules")))
                run(["depmod", "-b", self.modules, self.version])
                self._unpack_kernel()
                (self.folder / "ready").touch()
            made = self.folder / "initrd"
            if not made.exists() or made.stat().st_mtime < (HERE / "init").stat().st_mtime:
                self._make_initrd(made)

    @property
    def _image(self) -> Path:
        old = self.folder / f"boot/vmlinuz-{self.version}"
        return old if old.exists() else self.folder / f"usr/lib/modules/{self.version}/vmlinuz"

    def _unpack_kernel(self) -> None:
        """Make an ELF image of the compressed one, where that is possible: it boots 3 s sooner."""
        image = self._image.read_bytes()
        for found in re.finditer(re.escape(b"\x28\xb5\x2f\xfd"), image):
            out = subprocess.run(["zstd", "-dcq"], input=image[found.start() :], capture_output=True, check=False)
            if out.stdout.startswith(b"\x7fELF"):
                (self.folder / "vmlinux").write_bytes(out.stdout)
                return

    def _make_initrd(self, made: Path) -> None:
        shown = [
            run(["modprobe", "-d", self.modules, "-S", self.version, "--show-depends", module]).stdout
            for module in BOOT_MODULES
        ]
        paths = dict.fromkeys(re.findall(r"^insmod (\S+)", "\n".join(shown), re.M))
        busybox = shutil.which("busybox")
        assert busybox
        with tempfile.TemporaryDirectory(dir=CACHE) as root:
            for name in ("bin", "m", "proc", "sys", "dev", "ro", "ov", "new"):
                Path(root, name).mkdir()
            shutil.copy(busybox, Path(root, "bin/busybox"))
            order = []
            for path in map(Path, paths):
                order.append(path.name.removesuffix(".xz"))
                content = run_bytes("xz", "-dc", path) if path.suffix == ".xz" else path.read_bytes()
                Path(root, "m", order[-1]).write_bytes(content)  # busybox's insmod wants them unpacked
            Path(root, "m/order").write_text("".join(f"{name}\n" for name in order))
            shutil.copy(HERE / "init", Path(root, "init"))
            files = "\n".join(str(path.relative_to(root)) for path in Path(root).rglob("*"))
            archive = subprocess.run(
                ["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=files.encode(), capture_output=True, check=True
            ).stdout
        made.write_bytes(archive)

    def execute(
        self,
        command: list[str],
        *,
        limit: float,
        modules: Iterable[str] = (),
        cpus: int = 1,
        memory: str = "2G",
        card: bool = False,
        console: bool = False,
        out: BinaryIO = sys.stdout.buffer,
    ) -> int:
        """Run a command as root in a guest and return its status, as timeout(1): 124 where limit seconds did not do.

        modules: to be loaded first. card: whether there is a network card with virtual functions, for the module igb.
        out: where both streams of output go, as they come. console: show the kernel's own messages, too. A guest that
        ends without running the command to its end is status 125.
        """
        here = Path.cwd()
        if here == Path("/"):
            raise GuestError("not from /: a guest may write to the current directory")
        with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as name:
            folder = Path(name)
            (folder / "modules").write_text("".join(f"{module}\n" for module in modules))
            (folder / "command").write_text(_script(command, here))
            where = {"here": here, "lib": self.modules, "tools": HERE}
            lines = [f"export guest_{name}={shlex.quote(str(path))}\n" for name, path in where.items()]
            (folder / "where").write_text("".join(lines))
            for file in ("out", "status", "console"):
                (folder / file).touch()
            qemu = subprocess.Popen(
                ["timeout", "-k", "5", str(limit), *self._qemu(folder, here, cpus, memory, card)],
                stdin=subprocess.DEVNULL,
                stdout=(folder / "qemu").open("wb"),
                stderr=subprocess.STDOUT,
            )
            try:
                with (folder / "out").open("rb") as stream:
                    while qemu.poll() is None:
                        _pass_on(stream, out)
                        time.sleep(0.1)
                    _pass_on(stream, out)
            finally:
                if qemu.poll() is None:
                    qemu.terminate()
                    qemu.wait()
            status = (folder / "status").read_text()
            if console or not status:
                lines = (folder / "console").read_text(errors="replace").splitlines()
                for line in lines if console else lines[-40:]:
                    say(line)
            if status:
                return int(status)
            if qemu.returncode in (124, 137):
                say(f"the limit of {limit:.0f} s was reached")
                return TIMED_OUT
            say(f"it ended before the command did; qemu: {(folder / 'qemu').read_text(errors='replace').strip()}")
            return NO_RESULT

    def _qemu(self, folder: Path, here: Path, cpus: int, memory: str, card: bool) -> list[str]:
        image = self.folder / "vmlinux"
        if not image.exists():
            image = self._image
        append = "console=ttyS0 panic=-1 loglevel=4 mitigations=off nokaslr lsm= random.trust_cpu=on tsc=reliable"
        append += " no_timer_check"
        # Not KVM, which is there on many a virtual machine and does not work. The processor has a source of random
        # numbers, which Python waits for.
        arguments = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        arguments += ["-accel", "tcg,thread=multi", "-M", "q35" if card else "pc", "-cpu", "max,la57=off"]
        arguments += ["-smp", str(cpus), "-m", memory, "-kernel", str(image), "-initrd", str(self.folder / "initrd")]
        if card:
            arguments += ["-device", "pcie-root-port,id=card", "-device", "igb,bus=card"]
        arguments += ["-append", append, "-serial", f"file:{folder}/console"]
        for tag, path, read_only in (("root", Path("/"), "on"), ("run", folder, "off"), ("here", here, "off")):
            share = f"local,id={tag},path={str(path).replace(',', ',,')},security_model=none,readonly={read_only}"
            arguments += ["-fsdev", f"{share},multidevs=remap"]
            arguments += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        return arguments


def run_bytes(*command: str | Path) -> bytes:
    return subprocess.run(command, capture_output=True, check=True).stdout


def _pass_on(stream: BinaryIO, out: BinaryIO) -> None:
    while part := stream.read(1 << 16):
        out.write(part)
        out.flush()


def _script(command: list[str], here: Path) -> str:
    """A shell script that runs the command with this process's environment."""
    lines = []
    for name, value in os.environ.items():
        if re.fullmatch(r"[A-Za-z_]\w*", name) and name not in {"PWD", "OLDPWD", "SHLVL", "_"}:
            lines.append(f"export {name}={shlex.quote(value)}")
    lines.append("export NETLINK_TEST_MODULES=1\n")  # a guest's own, so that tests may load and remove them
    return "\n".join([*lines, f"cd {shlex.quote(str(here))} || exit {NO_RESULT}", f"exec {shlex.join(command)}"]) + "\n"


def kernels(names: Iterable[str]) -> dict[str, Kernel]:
    """The kernels of these names, such as 6.12, newest, or a whole version, set up. GuestError says why not."""
    require_tools()
    found = {name: Kernel(version) for name, version in resolve(names).items()}
    for kernel in found.values():
        kernel.set_up()
    return found
