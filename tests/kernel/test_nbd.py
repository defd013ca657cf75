"""Network block devices on the real kernel, with a server in memory: what is written is read, as sysfs shows it, and
events. Devices are the machine's, so it is tested in a guest alone."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import netns
from kernel.tools import eventually, unprivileged
from netlink import Conn, OpError
from netlink.generic import nbd
from netlink.generic.nbd import ClientFlags, Device, ServerFlags
from pace import SLOWNESS

EXAMPLE = Path(__file__).parents[2] / "examples/nbd_ramdisk.py"
SIZE = 1 << 20
REQUEST, REPLY = struct.Struct(">IHHQQI"), struct.Struct(">IIQ")
READ, WRITE, DISCONNECT, FLUSH = range(4)


def modprobe(*arguments: str) -> str:
    """What modprobe says if it fails, else nothing."""
    run = subprocess.run(["modprobe", *arguments], capture_output=True, text=True, check=False)
    return run.stderr.strip() or "it failed" if run.returncode else ""


def require_nbd() -> int:
    """The machine's first network namespace, since older kernels have nbd there alone. The module is loaded."""
    if os.environ.get("NETLINK_TEST_MODULES") != "1":
        pytest.skip("block devices are the machine's, so they are made in a guest alone: NETLINK_TEST_MODULES=1")
    if not shutil.which("modprobe"):
        pytest.skip("there is no modprobe")
    refused = modprobe("nbd", "nbds_max=2")
    if refused:
        pytest.skip(f"modprobe nbd: {refused}")
    return netns.first()


class Server(threading.Thread):
    """The transmission phase of a server, over one end of a pair of sockets."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel, self.own = socket.socketpair()
        self.memory = bytearray(SIZE)
        self.commands: list[int] = []

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            got = self.own.recv(size - len(data))
            if not got:
                raise EOFError
            data += got
        return data

    def run(self) -> None:
        with self.own, contextlib.suppress(EOFError, ConnectionError):
            while True:
                magic, _, command, cookie, offset, length = REQUEST.unpack(self.exactly(REQUEST.size))
                assert magic == 0x25609513
                self.commands.append(command)
                data = b""
                if command == READ:
                    data = bytes(self.memory[offset : offset + length])
                elif command == WRITE:
                    self.memory[offset : offset + length] = self.exactly(length)
                elif command == DISCONNECT:
                    return
                self.own.sendall(REPLY.pack(0x67446698, 0, cookie) + data)

    def die(self) -> None:
        """End without a word, as a server that is killed."""
        self.own.shutdown(socket.SHUT_RDWR)
        self.join()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kernel.close()
        with contextlib.suppress(OSError):
            self.own.shutdown(socket.SHUT_RDWR)
        self.join()


@pytest.fixture
def first(netns: Any) -> int:
    return require_nbd()


@pytest.fixture
def devices(first: int) -> Iterator[nbd.Conn[Conn]]:
    with nbd.dial(netns=first) as devices:
        yield devices
        for device in devices.devices():
            devices.disconnect(index=device.index)
        eventually(lambda: not any(each.connected for each in devices.devices()), "disconnected", 20)


def in_sysfs(index: int, name: str) -> str:
    return Path(f"/sys/block/nbd{index}/{name}").read_text().strip()


@contextlib.contextmanager
def opened(index: int) -> Iterator[int]:
    """The descriptor of a device. In a guest udev makes the node a while later."""
    path = f"/dev/nbd{index}"
    eventually(lambda: Path(path).exists(), f"there is {path}", 20)
    fd = os.open(path, os.O_RDWR)
    try:
        yield fd
    finally:
        os.close(fd)


def test_a_kernel_without_it_says_what_to_do() -> None:
    with nbd.dial() as devices, pytest.raises(OSError) as info:  # noqa: PT011
        devices.disconnect(index=1 << 31)
    if not isinstance(info.value, FileNotFoundError):
        pytest.skip("this kernel has nbd in every network namespace")
    assert "'nbd'" in str(info.value)
    assert "CONFIG_BLK_DEV_NBD: `modprobe nbd` loads its module" in str(info.value)


def test_what_is_written_is_read(devices: nbd.Conn[Conn]) -> None:
    with Server() as server:
        flags = ServerFlags.HAS_FLAGS | ServerFlags.SEND_FLUSH
        index = devices.connect([server.kernel], SIZE, block_size=1024, timeout=60, server_flags=flags, backend="mem")
        server.kernel.close()  # the kernel has its own
        assert devices.device(index) == Device(index=index, connected=1)
        assert Device(index=index, connected=1) in devices.devices()
        assert int(in_sysfs(index, "size")) * 512 == SIZE
        assert in_sysfs(index, "queue/logical_block_size") == "1024"
        assert (in_sysfs(index, "pid"), in_sysfs(index, "backend")) == (str(os.getpid()), "mem")
        assert in_sysfs(index, "ro") == "0"
        with opened(index) as fd:
            assert os.pwrite(fd, b"0123456789abcdef" * 256, 8192) == 4096
            os.fsync(fd)
            assert server.memory[8192 : 8192 + 16] == b"0123456789abcdef"
            server.memory[65536 : 65536 + 5] = b"hello"
            assert os.pread(fd, 5, 65536) == b"hello"
        assert {READ, WRITE, FLUSH} <= set(server.commands)
        devices.reconfigure(index, size=SIZE // 2, backend="mem")
        assert int(in_sysfs(index, "size")) * 512 == SIZE // 2
        devices.disconnect(index=index)
        server.join()
        assert server.commands[-1] == DISCONNECT
        eventually(lambda: not devices.device(index).connected, "disconnected", 20)
        devices.disconnect(index=index)


def test_flags(devices: nbd.Conn[Conn]) -> None:
    with Server() as one, Server() as two:
        flags = ServerFlags.HAS_FLAGS | ServerFlags.READ_ONLY | ServerFlags.CAN_MULTI_CONN
        index = devices.connect(
            [one.kernel, two.kernel.fileno()],
            SIZE,
            index=40,
            server_flags=flags,
            client_flags=ClientFlags.DESTROY_ON_DISCONNECT,
        )
        assert index == 40
        assert in_sysfs(index, "ro") == "1"
        devices.disconnect(index=40)
        one.join()
        two.join()
        assert (one.commands[-1], two.commands[-1]) == (DISCONNECT, DISCONNECT)

    def is_gone() -> bool:
        return all(device.index != 40 for device in devices.devices())

    eventually(is_gone, "the device is gone", 20)


def test_another_socket_takes_the_place_of_a_dead_one(devices: nbd.Conn[Conn]) -> None:
    with devices.listen() as events, Server() as server, Server() as next_server:
        index = devices.connect([server.kernel], SIZE, dead_conn_timeout=round(60 * SLOWNESS))
        server.die()
        assert next(events).index == index
        assert devices.device(index).connected == 1
        next_server.memory[4096 : 4096 + 4] = b"next"
        devices.reconfigure(index, sockets=[next_server.kernel])
        with opened(index) as fd:
            assert os.pread(fd, 4, 4096) == b"next"
        devices.disconnect(index=index)


def test_errors_say_what_to_do(devices: nbd.Conn[Conn], first: int, tmp_path: Path) -> None:
    with Server() as server, Server() as other, (tmp_path / "file").open("w") as file:
        index = devices.connect([server.kernel], SIZE, backend="mem")
        with pytest.raises(OpError, match="the device is connected already: leave out index= for a free one") as info:
            devices.connect([other.kernel], SIZE, index=index)
        assert info.value.errno == errno.EBUSY
        for arguments in ({"index": 1 << 21}, {"block_size": 1000}):
            with pytest.raises(OpError, match=r"the index is too large, .* block_size_bytes is no power of 2") as info:
                devices.connect([other.kernel], SIZE, **arguments)
            assert info.value.errno == errno.EINVAL
        with pytest.raises(OpError, match="a file descriptor is no socket") as info:
            devices.connect([file], SIZE)
        assert info.value.errno in (errno.ENOTSOCK, errno.EINVAL)
        with pytest.raises(OpError, match="a file descriptor is not open") as info:
            devices.connect([1 << 20], SIZE)
        assert info.value.errno == errno.EBADF
        for backend in (None, "other"):
            with pytest.raises(OpError, match="its backend_identifier is another one, or is missing here"):
                devices.reconfigure(index, timeout=5, backend=backend)
        with pytest.raises(OpError, match="it needs index=, of a device that there is"):
            devices.disconnect(index=99)
        with pytest.raises(OpError, match="it needs index="):
            devices.disconnect()
        with pytest.raises(OpError, match="there is no /dev/nbd99"):
            devices.device(99)

        def refused() -> str:
            with nbd.dial() as own:
                assert own.device(index).connected == 1  # reading needs no privilege
                for ask in (lambda: own.connect([other.kernel], SIZE), lambda: own.disconnect(index=index)):
                    with pytest.raises(PermissionError) as info:
                        ask()
                return str(info.value)

        with netns.inside(first):
            assert "it needs CAP_SYS_ADMIN in the machine's first user namespace" in unprivileged(refused)
        devices.disconnect(index=index)


def test_tasks(devices: nbd.Conn[Conn], first: int) -> None:
    async def main(server: Server) -> tuple[Device, Device]:
        async with nbd.dial_async(netns=first) as own:
            index = await own.connect([server.kernel], SIZE)
            before = await own.device(index)
            await own.disconnect(index=index)
            return before, await own.device(index)

    with Server() as server:
        before, after = asyncio.run(asyncio.wait_for(main(server), 20 * SLOWNESS))
    assert before.connected == 1
    assert before.index == after.index


def test_nbd_client_sees_and_ends_it(devices: nbd.Conn[Conn], first: int) -> None:
    client = shutil.which("nbd-client") or shutil.which("nbd-client", path="/usr/sbin:/sbin")
    if not client:
        pytest.skip("there is no nbd-client on this machine (Debian: nbd-client)")
    with Server() as server:
        index = devices.connect([server.kernel], SIZE)

        def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{first}", client, *arguments]
            return subprocess.run(command, capture_output=True, text=True, check=False)

        shown = asked("-c", f"/dev/nbd{index}")
        assert (shown.returncode, shown.stdout.strip()) == (0, str(os.getpid()))
        ended = asked("-d", f"/dev/nbd{index}")
        assert ended.returncode == 0, ended.stderr
        server.join()
        assert server.commands[-1] == DISCONNECT
        eventually(lambda: not devices.device(index).connected, "disconnected", 20)
        assert asked("-c", f"/dev/nbd{index}").returncode == 1


def test_the_example_is_a_disk(devices: nbd.Conn[Conn], first: int) -> None:
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    within = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{first}"]
    command = [*within, sys.executable, "-X", "dev", "-W", "error", str(EXAMPLE), "--size", "2"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        try:
            index = int(program.stdout.readline().strip().removeprefix("/dev/nbd"))
            assert int(in_sysfs(index, "size")) * 512 == 2 << 20
            with opened(index) as fd:
                os.pwrite(fd, b"kept in memory", 1 << 20)
                os.fsync(fd)
            with opened(index) as fd:
                assert os.pread(fd, 14, 1 << 20) == b"kept in memory"
        finally:
            program.send_signal(signal.SIGTERM)
        assert (program.stdout.read(), program.stderr.read(), program.wait()) == ("", "", 0)
    eventually(lambda: not devices.device(index).connected, "disconnected", 20)
