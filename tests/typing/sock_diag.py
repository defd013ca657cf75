"""What type checkers must know of sock_diag. Checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import Never, assert_type

from netlink import Conn, Overrun, sock_diag
from netlink.aio import AsyncConn
from netlink.family import Call
from netlink.schema import Batch
from netlink.sock_diag import Connection, EndedSocket, Filter, States, TCPInfo, TCPSocket, UDPSocket, UnixSocket
from netlink.stream import Stream


def sockets() -> None:
    with sock_diag.dial(netns="blue") as diag:
        assert_type(diag, sock_diag.Conn[Conn])
        assert_type(diag.tcp(States.LISTEN, filter=Filter(src_port=22)), Batch[TCPSocket])
        assert_type(diag.udp(), Batch[UDPSocket])
        assert_type(diag.unix(), Batch[UnixSocket])
        assert_type(diag.calls.tcp(), Call[Batch[TCPSocket]])
        assert_type(diag.connections("inet4", processes=False), list[Connection])
        one = diag.tcp()[0]
        assert_type(diag.destroy(one), None)
        diag.tcp(colour=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        diag.connections("tcp5")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(one.info, TCPInfo | None)
    assert_type(sock_diag.owners([1]), dict[int, list[tuple[int, int]]])


async def sockets_async() -> None:
    async with sock_diag.dial_async() as diag:
        assert_type(diag, sock_diag.Conn[AsyncConn])
        assert_type(await diag.tcp(), Batch[TCPSocket])
        assert_type(await diag.connections(), list[Connection])


def ended() -> None:
    assert_type(sock_diag.listen(), Stream[EndedSocket, Never])
    assert_type(sock_diag.listen(udp=True, on_overrun="mark"), Stream[EndedSocket, Overrun])
    for one in sock_diag.listen(filter=Filter(dst="10.0.0.0/8")):
        assert_type(one.info, TCPInfo | None)
        assert_type(one.protocol, int | None)
