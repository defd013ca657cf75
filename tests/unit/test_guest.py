"""Which kernels the guests of `make test-vm` are of, and what its table says."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tools import guest
from tools.guest import matrix, netdevsim

LISTED = """linux-image-5.10.0-32-amd64
linux-image-6.1-amd64
linux-image-6.1.0-50-amd64
linux-image-6.1.0-9-amd64
linux-image-6.1.0-0.deb11.52-amd64
linux-image-6.1.0-50-cloud-amd64
linux-image-6.1.0-50-rt-amd64
linux-image-6.1.0-50-amd64-dbg
linux-image-6.12.94+deb13-amd64
linux-image-6.12.118+deb13-amd64
linux-image-6.12.118+deb13-amd64-unsigned
linux-image-7.3.4+deb13-amd64
linux-image-amd64
"""


def test_versions() -> None:
    versions = guest.versions_in(LISTED)
    assert versions == [
        "5.10.0-32-amd64",
        "6.1.0-9-amd64",
        "6.1.0-50-amd64",
        "6.12.94+deb13-amd64",
        "6.12.118+deb13-amd64",
        "7.3.4+deb13-amd64",
    ]
    assert guest.newest_of("6.1", versions) == "6.1.0-50-amd64"
    assert guest.newest_of("6.12", versions) == "6.12.118+deb13-amd64"
    assert guest.newest_of("6.12.94", versions) == "6.12.94+deb13-amd64"
    assert guest.newest_of("newest", versions) == "7.3.4+deb13-amd64"
    with pytest.raises(guest.GuestError, match=r"^Debian has no kernel 4\.19; it has 5\.10, 6\.1, 6\.12, 7\.3$"):
        guest.newest_of("4.19", versions)
    with pytest.raises(guest.GuestError, match="is it reachable"):
        guest.newest_of("6.1", [])


def test_packages_of_a_module() -> None:
    assert netdevsim.packages("6.1.0-50-amd64") == [
        *("linux-headers-6.1.0-50-amd64", "linux-headers-6.1.0-50-common"),
        *("linux-kbuild-6.1", "linux-source-6.1"),
    ]
    assert netdevsim.packages("6.12.118+deb13-amd64") == [
        *("linux-headers-6.12.118+deb13-amd64", "linux-headers-6.12.118+deb13-common"),
        *("linux-kbuild-6.12.118+deb13", "linux-source-6.12"),
    ]


def test_a_module_that_cannot_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so; one that has been built needs nothing."""
    monkeypatch.setattr("guest.CACHE", tmp_path)
    monkeypatch.setattr(netdevsim.shutil, "which", lambda command: command if command == "make" else None)
    kernel = netdevsim.Kernel("6.1.0-50-amd64")
    with pytest.raises(netdevsim.GuestError, match=r"^no netdevsim: gcc, binutils missing$"):
        netdevsim.build(kernel)
    folder = tmp_path / kernel.version / "lib/modules" / kernel.version / "updates"
    folder.mkdir(parents=True)
    (folder / "netdevsim.ko").touch()
    netdevsim.build(kernel)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest.shutil, "which", lambda command: None)
    monkeypatch.setattr(guest.os, "uname", lambda: type("Name", (), {"machine": "x86_64"}))
    with pytest.raises(guest.GuestError, match=r"missing for guests: .*qemu-system-x86.*apt-get install"):
        guest.require_tools()
    monkeypatch.setattr(guest.os, "uname", lambda: type("Name", (), {"machine": "aarch64"}))
    with pytest.raises(guest.GuestError, match="aarch64"):
        guest.require_tools()


def test_a_busybox_that_needs_libraries_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "busybox"
    monkeypatch.setattr(guest.shutil, "which", lambda command: str(program))
    program.write_bytes(b"\x7fELF" + bytes(60) + b"/lib64/ld-linux-x86-64.so.2\0")
    assert not guest.found("busybox")
    assert guest.found("qemu-system-x86_64")
    program.write_bytes(b"\x7fELF" + bytes(5000))
    assert guest.found("busybox")


def test_the_command_in_a_guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "a 'quoted' folder, with $HOME"
    there.mkdir()
    monkeypatch.setenv("GUEST_TEST", "line 1\nline '2'")
    script = guest._script(["sh", "-c", 'pwd; printf %s "$GUEST_TEST"; exit 3'], there)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stdout) == (3, f"{there}\nline 1\nline '2'")
    assert shlex.quote(str(there)) in script


def test_the_table() -> None:
    good = matrix.Run("6.1", guest.Kernel("6.1.0-50-amd64"), 0, 81.6, {"passed": 108})
    bad = matrix.Run("6.12", guest.Kernel("6.12.118+deb13-amd64"), 1, 95, {"passed": 106, "failed": 2})
    late = matrix.Run("7.3", guest.Kernel("7.3.4+deb13-amd64"), guest.TIMED_OUT, 480, {})
    lines = [line.split() for line in matrix.table([good, bad, late]).splitlines()]
    assert lines[0] == ["kernel", "version", "passed", "failed", "errors", "skipped", "seconds", "result"]
    assert lines[1] == ["6.1", "6.1.0-50-amd64", "108", "0", "0", "0", "82", "ok"]
    assert lines[2] == ["6.12", "6.12.118+deb13-amd64", "106", "2", "0", "0", "95", "status", "1"]
    assert lines[3][-3:] == ["time", "limit", "reached"]


def test_what_is_run_by_default_is_there() -> None:
    for test in matrix.TESTS:
        path, _, name = test.partition("::")
        assert (guest.ROOT / path).exists(), path
        name = name.partition("[")[0]
        assert not name or f"def {name}(" in (guest.ROOT / path).read_text(), test
