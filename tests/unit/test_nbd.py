"""Network block devices without a kernel: records from bytes made otherwise, and what verbs ask and refuse."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

import pytest

from netlink import OpError
from netlink.generic import nbd
from netlink.generic.nbd import ClientFlags, Device, Index, ServerFlags, Setup, Sock, Status
from netlink.nltest import serve


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def u64(value: int) -> bytes:
    return struct.pack("=Q", value)


def device(index: int, connected: int) -> bytes:
    return attribute(1, attribute(1, u32(index)) + attribute(2, bytes([connected])))


def test_devices_are_what_the_kernel_sends() -> None:
    status = Status.decode(attribute(9, device(0, 1) + device(1, 0)))
    assert status == Status(devices=[Device(index=0, connected=1), Device(index=1, connected=0)])
    assert status.unknown == ()
    assert Status.decode(attribute(9, b"")).devices is None


def test_a_setup_is_what_the_kernel_reads() -> None:
    setup = Setup(
        index=3,
        size_bytes=1 << 40,
        block_size_bytes=4096,
        timeout=30,
        dead_conn_timeout=60,
        server_flags=ServerFlags.HAS_FLAGS | ServerFlags.CAN_MULTI_CONN,
        client_flags=ClientFlags.DISCONNECT_ON_CLOSE,
        sockets=[Sock(fd=5), Sock(fd=6)],
        backend_identifier="image",
    )
    nested = 0x8000
    socks = b"".join(attribute(1 | nested, attribute(1, u32(fd))) for fd in (5, 6))
    assert setup.encode() == b"".join(
        (
            attribute(1, u32(3)),
            attribute(2, u64(1 << 40)),
            attribute(3, u64(4096)),
            attribute(4, u64(30)),
            attribute(8, u64(60)),
            attribute(5, u64(0x101)),
            attribute(6, u64(2)),
            attribute(7 | nested, socks),
            attribute(10, b"image\0"),
        )
    )


def test_verbs_ask_for_what_they_are_given() -> None:
    asked: list[Setup] = []

    def connected(setup: Setup) -> Index:
        asked.append(setup)
        return Index(index=7)

    functions: dict[str, Any] = {"connect_device": connected, "reconfigure_device": asked.append}
    with serve(nbd.Conn, functions) as devices, socket.socket() as sock:
        assert devices.connect([sock], 512) == 7
        flags = ServerFlags.CAN_MULTI_CONN
        assert devices.connect([sock, 9], 512, server_flags=flags, index=7, timeout=3, backend="x") == 7
        devices.reconfigure(7, timeout=5)
        devices.reconfigure(7, sockets=[9], backend="x")
        fd = Sock(fd=sock.fileno())
        assert asked == [
            Setup(size_bytes=512, server_flags=ServerFlags.HAS_FLAGS, client_flags=0, sockets=[fd]),
            Setup(
                index=7,
                size_bytes=512,
                timeout=3,
                server_flags=flags,
                client_flags=0,
                sockets=[fd, Sock(fd=9)],
                backend_identifier="x",
            ),
            Setup(index=7, timeout=5),
            Setup(index=7, sockets=[Sock(fd=9)], backend_identifier="x"),
        ]
        with pytest.raises(ValueError, match="a device needs at least one socket"):
            devices.connect([], 512)
        with pytest.raises(ValueError, match="a device needs a size of at least one byte, not 0"):
            devices.connect([sock], 0)
        with pytest.raises(ValueError, match=r"several sockets need a server that has ServerFlags\.CAN_MULTI_CONN"):
            devices.connect([sock, 9], 512)
        sock.close()
        for ask in (lambda: devices.connect([sock], 512), lambda: devices.reconfigure(7, sockets=[sock])):
            with pytest.raises(ValueError, match="a socket is closed"):
                ask()
    assert len(asked) == 4


def test_a_device_by_its_index() -> None:
    known = {3: Device(index=3, connected=1)}

    def status(wanted: Index) -> Status:
        found = [each for index, each in known.items() if wanted.index in (None, index)]
        return Status(devices=found or None)

    with serve(nbd.Conn, {"get_status": status}) as devices:
        assert devices.device(3) == known[3]
        assert devices.devices() == (known[3],)
        with pytest.raises(OpError, match="there is no /dev/nbd4") as info:
            devices.device(4)
        assert info.value.errno == errno.ENODEV
        known.clear()
        assert devices.devices() == ()


def test_dead_sockets_are_reported() -> None:
    with serve(nbd.Conn, {"listen": lambda: [Index(index=3)]}) as devices, devices.listen() as events:
        assert [event.index for event in events] == [3]
