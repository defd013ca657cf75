"""Warnings of disk quotas on the real kernel: file systems of our own with a small limit."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import netns
from kernel.tools import Child
from netlink import OpError
from netlink.generic import quota
from netlink.generic.quota import QuotaType, QuotaWarning, WarningType
from netlink.stream import Stream
from pace import SLOWNESS

# Of <linux/quota.h>
Q_SETQUOTA, USRQUOTA, QIF_BLIMITS = 0x800008, 0, 1
USER = 12345
LIMIT = 1 << 20


@pytest.fixture
def warnings_() -> Iterator[Stream[QuotaWarning, Any]]:
    with quota.dial(netns=netns.first()) as quotas:
        try:
            stream = quotas.listen()
        except FileNotFoundError as error:
            pytest.skip(error.hint)
        with stream:
            yield stream


def tmpfs(folder: Path, image: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"usrquota,usrquota_block_hardlimit={LIMIT},mode=1777".encode()
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options):
        number = ctypes.get_errno()
        if number in (errno.EPERM, errno.EACCES):
            pytest.skip(f"a tmpfs cannot be mounted: {os.strerror(number)}")
        pytest.skip("this kernel has no quotas in tmpfs: want CONFIG_TMPFS_QUOTA, of Linux 6.6")


def ext4(folder: Path, image: Path) -> None:
    """An ext4 of an image, on a loop device, as old kernels have quotas too."""
    if os.environ.get("NETLINK_TEST_MODULES") != "1":
        pytest.skip("loop devices are the machine's: in a guest alone, with NETLINK_TEST_MODULES=1")
    for program in ("modprobe", "mkfs.ext4", "mount"):
        if not shutil.which(program):
            pytest.skip(f"there is no {program}")
    image.write_bytes(b"")
    os.truncate(image, 16 << 20)
    subprocess.run(["modprobe", "-a", "loop", "ext4", "quota_v2"], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-O", "quota", "-E", "quotatype=usrquota", image], check=True)
    subprocess.run(["mount", "-o", "loop,usrquota", image, folder], check=True)
    folder.chmod(0o1777)
    major, minor = os.major(folder.stat().st_dev), os.minor(folder.stat().st_dev)
    device = Path(f"/sys/dev/block/{major}:{minor}").resolve().name
    libc = ctypes.CDLL(None, use_errno=True)
    limits = struct.pack("=8QI4x", LIMIT >> 10, 0, 0, 0, 0, 0, 0, 0, QIF_BLIMITS)
    assert not libc.quotactl(Q_SETQUOTA << 8 | USRQUOTA, f"/dev/{device}".encode(), USER, limits), ctypes.get_errno()


@pytest.fixture(params=[tmpfs, ext4])
def limited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system in which a user may have a megabyte."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    mount: Callable[[Path, Path], None] = request.param
    mount(folder, tmp_path / "image")
    yield folder
    libc = ctypes.CDLL(None, use_errno=True)
    assert not libc.umount2(os.fsencode(folder), netns.MNT_DETACH), os.strerror(ctypes.get_errno())


def exceed(folder: Path) -> os.stat_result:
    """Write as a user until the limit, and return what is of the folder."""

    def write() -> None:
        here = os.open(folder, os.O_DIRECTORY)  # its parents are closed to others
        os.setuid(USER)
        file = os.open("file", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=here)
        while True:
            os.write(file, bytes(1 << 16))

    with pytest.raises(OSError, match=r"(?i)quota exceeded") as info:
        Child(write).result()
    assert info.value.errno == errno.EDQUOT
    return folder.stat()


def test_a_limit_that_is_reached(warnings_: Stream[QuotaWarning, Any], limited: Path) -> None:
    found = exceed(limited)
    warning = next(one for one in warnings_ if one.id == USER)
    assert warning == QuotaWarning(
        type=QuotaType.USER,
        id=USER,
        warning=WarningType.BHARDWARN,
        dev_major=os.major(found.st_dev),
        dev_minor=os.minor(found.st_dev),
        caused_id=USER,
    )
    with (limited / "file").open("ab") as file:  # root may have more than the limit
        file.write(bytes(1 << 16))
        file.flush()
        os.fsync(file.fileno())
        os.truncate(file.fileno(), LIMIT // 2)
    below = next(one for one in warnings_ if one.id == USER and one.warning == WarningType.BHARDBELOW)
    assert below.caused_id == os.getuid()


def test_a_stream_that_ends(warnings_: Stream[QuotaWarning, Any]) -> None:
    warnings_.stop()
    assert all(isinstance(one, QuotaWarning) for one in warnings_)


def test_warnings_in_an_event_loop(warnings_: Stream[QuotaWarning, Any]) -> None:
    async def main() -> int:
        asyncio.get_running_loop().call_later(0.05, warnings_.stop)
        return len([one async for one in warnings_ if one.id == USER])

    assert asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS)) == 0


def test_the_family_is_in_one_network_namespace_alone() -> None:
    with quota.dial() as quotas, pytest.raises(OpError, match="in the machine's first network namespace") as info:
        quotas.listen()
    assert isinstance(info.value, FileNotFoundError)
