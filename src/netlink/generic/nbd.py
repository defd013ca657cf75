"""Network block devices: disks whose blocks a server has, which the kernel asks over a socket.

    from netlink.generic import nbd

    with nbd.dial() as devices:
        index = devices.connect([sock], 1 << 30, timeout=30)  # sock: connected, and past the handshake with the server
        for device in devices.devices():
            print(device.index, device.connected)
        devices.disconnect(index=index)

The device of the index 3 is /dev/nbd3. The kernel speaks the transmission phase of the protocol alone: the handshake is
done before, by nbd-client or by your program. It needs CAP_SYS_ADMIN in the machine's first user namespace, except for
reading. Older kernels, such as Linux 6.1, have it in the machine's first network namespace alone.
"""

from __future__ import annotations

import errno
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Protocol

from netlink import family as _family
from netlink.errors import OpError
from netlink.family import C, Call, Deferred, Do, Listen, Steps, verb
from netlink.generic.genetlink import Family
from netlink.schema import AttributeSet, Int, Items, Member, Str, repeated, string, u8, u32, u64

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

__all__ = [
    "ClientFlags",
    "Command",
    "Conn",
    "Device",
    "Index",
    "ServerFlags",
    "Setup",
    "Sock",
    "Status",
    "dial",
    "dial_async",
]


class Command(IntEnum):
    """Commands (NBD_CMD_*)."""

    CONNECT = 1  # NBD_CMD_CONNECT
    DISCONNECT = 2  # NBD_CMD_DISCONNECT
    RECONFIGURE = 3  # NBD_CMD_RECONFIGURE
    LINK_DEAD = 4  # NBD_CMD_LINK_DEAD
    STATUS = 5  # NBD_CMD_STATUS


class ServerFlags(IntFlag):
    """What the server said in the handshake that it can do (NBD_FLAG_*)."""

    HAS_FLAGS = 1 << 0  # NBD_FLAG_HAS_FLAGS
    READ_ONLY = 1 << 1  # NBD_FLAG_READ_ONLY
    SEND_FLUSH = 1 << 2  # NBD_FLAG_SEND_FLUSH
    SEND_FUA = 1 << 3  # NBD_FLAG_SEND_FUA, writes that are flushed before their answer
    ROTATIONAL = 1 << 4  # NBD_FLAG_ROTATIONAL
    SEND_TRIM = 1 << 5  # NBD_FLAG_SEND_TRIM
    SEND_WRITE_ZEROES = 1 << 6  # NBD_FLAG_SEND_WRITE_ZEROES
    CAN_MULTI_CONN = 1 << 8  # NBD_FLAG_CAN_MULTI_CONN, several sockets for one device


class ClientFlags(IntFlag):
    """What the kernel does with a device (NBD_CFLAG_*)."""

    DESTROY_ON_DISCONNECT = 1 << 0  # NBD_CFLAG_DESTROY_ON_DISCONNECT
    DISCONNECT_ON_CLOSE = 1 << 1  # NBD_CFLAG_DISCONNECT_ON_CLOSE, by the last program that has it open


class Sock(AttributeSet):
    """A socket (NBD_SOCK_*)."""

    fd: Int = u32(1)  # NBD_SOCK_FD


class Setup(AttributeSet):
    """A device, in a request (NBD_ATTR_*).

    size_bytes: bytes of the device. block_size_bytes: a power of 2 from 512 to the size of a page.
    timeout: seconds that an answer of the server may take; 0 for 30 seconds, after which the kernel goes on waiting and
    says so in its log.
    dead_conn_timeout: seconds that requests wait for another socket, by `Conn.reconfigure`, after all are dead.
    backend_identifier: a text that names what is behind the sockets; a reconfiguration must repeat it.
    """

    index: Int = u32(1)  # NBD_ATTR_INDEX
    size_bytes: Int = u64(2)  # NBD_ATTR_SIZE_BYTES
    block_size_bytes: Int = u64(3)  # NBD_ATTR_BLOCK_SIZE_BYTES
    timeout: Int = u64(4)  # NBD_ATTR_TIMEOUT
    dead_conn_timeout: Int = u64(8)  # NBD_ATTR_DEAD_CONN_TIMEOUT
    server_flags: Member[ServerFlags] = u64(5, enum=ServerFlags)  # NBD_ATTR_SERVER_FLAGS
    client_flags: Member[ClientFlags] = u64(6, enum=ClientFlags)  # NBD_ATTR_CLIENT_FLAGS
    sockets: Items[Sock] = repeated((7, 1), Sock)  # NBD_ATTR_SOCKETS, NBD_SOCK_ITEM
    backend_identifier: Str = string(10)  # NBD_ATTR_BACKEND_IDENTIFIER


class Index(AttributeSet):
    """The index of a device, in requests and in events (NBD_ATTR_*)."""

    index: Int = u32(1)  # NBD_ATTR_INDEX


class Device(AttributeSet):
    """A device, and whether it is connected: 1 or 0 (NBD_DEVICE_*)."""

    index: Int = u32(1)  # NBD_DEVICE_INDEX
    connected: Int = u8(2)  # NBD_DEVICE_CONNECTED


class Status(AttributeSet):
    """Devices (NBD_ATTR_*)."""

    devices: Items[Device] = repeated((9, 1), Device)  # NBD_ATTR_DEVICE_LIST, NBD_DEVICE_ITEM


class HasFileno(Protocol):
    """A socket."""

    def fileno(self) -> int: ...


def _socks(sockets: Iterable[HasFileno | int]) -> list[Sock]:
    """The sockets of a request. ValueError for one that is closed."""
    fds = [each if isinstance(each, int) else each.fileno() for each in sockets]
    if any(fd < 0 for fd in fds):
        raise ValueError("a socket is closed")
    return [Sock(fd=fd) for fd in fds]


_BAD_SOCKET = {
    errno.EBADF: "a file descriptor is not open",
    errno.ENOTSOCK: "a file descriptor is no socket",
}


class Conn(
    Family[C],
    name="nbd",
    needs="CONFIG_BLK_DEV_NBD: `modprobe nbd` loads its module; older "
    "kernels have it in the machine's first network namespace alone",
):
    """Requests for network block devices."""

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_SYS_ADMIN in the machine's first user namespace",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    connect_device = Do(
        Command.CONNECT,
        Setup,
        Index,
        answer=Command.CONNECT,
        hints=_BAD_SOCKET
        | {
            errno.EBUSY: "the device is connected already: leave out index= for a free one",
            errno.EINVAL: "the index is too large, the device is about to go, block_size_bytes is no power of 2 from "
            "512 to the size of a page, or a file descriptor is no socket with a connection",
        },
        doc="Connect a device that the request has as a whole: the operation of `connect`.",
    )
    reconfigure_device = Do(
        Command.RECONFIGURE,
        Setup,
        hints=_BAD_SOCKET
        | {errno.EINVAL: "the device is not connected, or its backend_identifier is another one, or is missing here"},
        doc="Change a device: the operation of `reconfigure`.",
    )
    disconnect = Do(
        Command.DISCONNECT,
        Index,
        hints={errno.EINVAL: "it needs index=, of a device that there is"},
        doc="Disconnect a device. Its requests that wait fail. OSError (EINVAL) if there is no such device. No error "
        "if it is not connected.",
    )
    get_status = Do(
        Command.STATUS,
        Index,
        Status,
        answer=Command.STATUS,
        doc="All devices, or that of the index: the operation of `devices`.",
    )
    listen = Listen(
        {Command.LINK_DEAD: Index},
        groups=["nbd_mc_group"],
        doc="Devices one of whose sockets is dead. The kernel sends it to the machine's first network namespace, once "
        "for each socket, and not for those that `disconnect` ends.",
    )

    @verb
    def connect(
        self: Conn[Deferred],
        sockets: Iterable[HasFileno | int],
        size: int,
        *,
        index: int | None = None,
        block_size: int | None = None,
        timeout: int | None = None,
        dead_conn_timeout: int | None = None,
        server_flags: int = ServerFlags.HAS_FLAGS,
        client_flags: int = 0,
        backend: str | None = None,
    ) -> Steps[int]:
        """Connect a device, and return its index.

        sockets: sockets or file descriptors, connected to the server and past the handshake. The kernel holds them: you
        may close yours. index: None for a free device, or a new one. The rest is as of `Setup`, with size in bytes.

        OSError: EBUSY if the device is connected, EBADF or ENOTSOCK for a bad file descriptor. ValueError without a
        socket or a size, and for several sockets if server_flags do not have `ServerFlags.CAN_MULTI_CONN`.
        """
        socks = _socks(sockets)
        if not socks:
            raise ValueError("a device needs at least one socket")
        if size <= 0:
            raise ValueError(f"a device needs a size of at least one byte, not {size}")
        if len(socks) > 1 and not server_flags & ServerFlags.CAN_MULTI_CONN:
            raise ValueError("several sockets need a server that has ServerFlags.CAN_MULTI_CONN")
        answer: Index = yield self.connect_device(
            index=index,
            size_bytes=size,
            block_size_bytes=block_size,
            timeout=timeout,
            dead_conn_timeout=dead_conn_timeout,
            server_flags=server_flags,
            client_flags=client_flags,
            sockets=socks,
            backend_identifier=backend,
        )
        assert answer.index is not None
        return answer.index

    @verb
    def reconfigure(
        self: Conn[Deferred],
        index: int,
        *,
        sockets: Iterable[HasFileno | int] = (),
        size: int | None = None,
        block_size: int | None = None,
        timeout: int | None = None,
        dead_conn_timeout: int | None = None,
        client_flags: int | None = None,
        backend: str | None = None,
    ) -> Call[None]:
        """Change a device that is connected: what is not None.

        sockets: each takes the place of a dead one. The kernel ignores those for which there is none, and what a
        request has behind them. backend: must be that of `connect`, if the device has one.
        OSError (EINVAL) if the device is not connected, or has another backend.
        """
        return self.reconfigure_device(
            index=index,
            size_bytes=size,
            block_size_bytes=block_size,
            timeout=timeout,
            dead_conn_timeout=dead_conn_timeout,
            client_flags=client_flags,
            sockets=_socks(sockets) or None,
            backend_identifier=backend,
        )

    @verb
    def devices(self: Conn[Deferred]) -> Steps[tuple[Device, ...]]:
        """All devices, connected or not."""
        status: Status = yield self.get_status()
        return status.devices or ()

    @verb
    def device(self: Conn[Deferred], index: int) -> Steps[Device]:
        """A device, by its index. OSError (ENODEV) if there is none."""
        status: Status = yield self.get_status(index=index)
        if not status.devices:
            raise OpError("device", errno.ENODEV, hint=f"there is no /dev/nbd{index}")
        return status.devices[0]


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to nbd. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to nbd for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
