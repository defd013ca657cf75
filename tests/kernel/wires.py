"""A 1-Wire bus for tests in a guest: the kernel's driver of the chip DS2482 over the kernel's stub of such a chip.

The stub has registers and no bus. It numbers them by what was written last, so that the answers of the chip to each
command are what the test puts into a register.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kernel.tools import eventually

CHIP = 0x18
# linux/i2c-dev.h, linux/i2c.h
_I2C_SLAVE_FORCE, _I2C_SMBUS = 0x0706, 0x0720
_WRITE, _READ, _BYTE_DATA = 0, 1, 2
# Commands of the DS2482, and the bits of its status
_DEVICE_RESET, _BUS_RESET = 0xF0, 0xB4
_AFTER_WRITE_BYTE = 0xA5
_AFTER_TRIPLET = 0x79  # behind the command's own register
_AFTER_READ_POINTER = 0xE2
_STATUS_RESET = 0x18
_PRESENCE = 0x02
ONES, ZEROS = 0xA0, 0x40
MODULES = ("wire", "i2c-dev", "i2c-stub", "ds2482")


class _Data(ctypes.Union):
    _fields_ = (("byte", ctypes.c_uint8), ("block", ctypes.c_uint8 * 34))


class _Request(ctypes.Structure):
    _fields_ = (
        ("read", ctypes.c_uint8),
        ("command", ctypes.c_uint8),
        ("size", ctypes.c_uint32),
        ("data", ctypes.POINTER(_Data)),
    )


_libc = ctypes.CDLL(None, use_errno=True)


class Wire:
    """The bus of a master. master: its number."""

    def __init__(self, fd: int, folder: Path) -> None:
        self._fd = fd
        self._folder = folder
        self.master = 0

    def _register(self, read: int, number: int, value: int = 0) -> int:
        data = _Data(byte=value)
        request = _Request(read, number, _BYTE_DATA, ctypes.pointer(data))
        if _libc.ioctl(self._fd, _I2C_SMBUS, ctypes.byref(request)) < 0:
            raise OSError(ctypes.get_errno(), "I2C_SMBUS")
        return int(data.byte)

    def begin(self) -> None:
        """Make the master."""
        self._register(_WRITE, _DEVICE_RESET, _STATUS_RESET)
        before = set(masters())
        (self._folder / "new_device").write_text(f"ds2482 {CHIP:#x}")
        (self.master,) = eventually(lambda: set(masters()) - before, "a master")

    def end(self) -> None:
        """Remove the master."""
        (self._folder / "delete_device").write_text(f"{CHIP:#x}")

    def present(self, there: bool) -> None:
        """Whether somebody answers to a reset."""
        self._register(_WRITE, _BUS_RESET, _PRESENCE if there else 0)

    def reads(self, byte: int) -> None:
        """What every byte that is read is."""
        self._register(_WRITE, _AFTER_READ_POINTER, byte)

    def finds(self, bits: int) -> None:
        """What a search finds: one slave, whose number is `ONES` or `ZEROS`."""
        self._register(_WRITE, _AFTER_TRIPLET, bits)

    @property
    def written(self) -> int:
        """The last byte that was written to the bus."""
        return self._register(_READ, _AFTER_WRITE_BYTE)


def masters() -> list[int]:
    """The numbers of masters, as sysfs has them."""
    return sorted(int(path.name[len("w1_bus_master") :]) for path in Path("/sys/bus/w1/devices").glob("w1_bus_master*"))


def slaves(master: int) -> list[str]:
    """The names of a master's slaves, as sysfs has them."""
    return sorted(path.name for path in Path(f"/sys/bus/w1/devices/w1_bus_master{master}").glob("??-????????????"))


def modprobe(*arguments: str) -> None:
    done = subprocess.run(["modprobe", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"modprobe {' '.join(arguments)}: {done.stderr.strip()}")


def require_guest() -> None:
    if os.environ.get("NETLINK_TEST_MODULES") != "1":
        pytest.skip("modules are loaded in a guest alone: NETLINK_TEST_MODULES=1")
    if shutil.which("modprobe") is None:
        pytest.skip("modprobe is missing (Debian: kmod)")


@contextmanager
def wire() -> Iterator[Wire]:
    """A bus whose master does not search by itself. Its modules are removed at the end."""
    require_guest()
    modprobe("wire", "search_count=0")
    modprobe("i2c-dev")
    modprobe("i2c-stub", f"chip_addr={CHIP:#x}")
    modprobe("ds2482")
    try:
        (folder,) = (
            path.parent for path in Path("/sys/bus/i2c/devices").glob("i2c-*/name") if "stub" in path.read_text()
        )
        fd = os.open(eventually(lambda: _node(folder.name), "a node of the bus"), os.O_RDWR)
        try:
            fcntl.ioctl(fd, _I2C_SLAVE_FORCE, CHIP)
            bus = Wire(fd, folder)
            bus.begin()
            try:
                yield bus
            finally:
                bus.end()
        finally:
            os.close(fd)
    finally:
        for module in ("w1_therm", *reversed(MODULES)):
            subprocess.run(["modprobe", "-r", module], capture_output=True, check=False)


def _node(name: str) -> str:
    """The device of a bus, made where no udev makes it; "" if it is not there yet."""
    path = Path("/dev") / name
    number = Path(f"/sys/class/i2c-dev/{name}/dev")
    if path.exists() or not number.exists():
        return str(path) if path.exists() else ""
    major, minor = map(int, number.read_text().split(":"))
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(major, minor))
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
    return str(path)
