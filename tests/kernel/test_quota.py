"""Warnings of disk quotas on the real kernel: a tmpfs of our own with a small limit."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
from collections.abc import Iterator
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


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Path]:
    """A file system in which a user may have a megabyte."""
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"usrquota,usrquota_block_hardlimit={LIMIT},mode=1777".encode()
    if libc.mount(b"tmpfs", os.fsencode(tmp_path), b"tmpfs", 0, options):
        number = ctypes.get_errno()
        if number in (errno.EPERM, errno.EACCES):
            pytest.skip(f"a tmpfs cannot be mounted: {os.strerror(number)}")
        pytest.skip("this kernel has no quotas in tmpfs: want CONFIG_TMPFS_QUOTA, of Linux 6.6")
    yield tmp_path
    assert not libc.umount2(os.fsencode(tmp_path), netns.MNT_DETACH), os.strerror(ctypes.get_errno())


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
    (limited / "file").unlink()
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
