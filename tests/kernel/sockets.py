"""Sockets to report, what of them a kernel may lack, and what ss of iproute2 shows."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from netlink import OpError, sock_diag

V4, V6 = "127.0.0.1", "::1"
# What socket(2) says of what the kernel does not have, and of Multipath TCP that net.mptcp.enabled forbids.
_LACKING = {errno.EAFNOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EPROTONOSUPPORT, errno.ENOPROTOOPT}


@contextlib.contextmanager
def or_skip() -> Iterator[None]:
    """Skip where the kernel was built without what this asks for, which the hint of the error names."""
    try:
        yield
    except OpError as error:
        if error.errno not in (errno.ENOENT, errno.EOPNOTSUPP) or "CONFIG_" not in error.hint:
            raise
        pytest.skip(error.hint)


def made(opened: contextlib.ExitStack, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket; skip where the kernel has no such ones."""
    try:
        return opened.enter_context(socket.socket(family, kind, protocol))
    except OSError as error:
        if error.errno not in _LACKING:
            raise
        pytest.skip(f"the kernel has no sockets of family {family}, type {kind}, protocol {protocol}: {error}")


class Pair:
    """A listener, a connection to it, and what it accepted."""

    def __init__(self, opened: contextlib.ExitStack, address: str = V4, to: str | None = None) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.server = opened.enter_context(socket.create_server((address, 0), family=family, backlog=7))
        self.port: int = self.server.getsockname()[1]
        self.client = opened.enter_context(socket.create_connection((to or address, self.port)))
        self.accepted = opened.enter_context(self.server.accept()[0])
        self.own: int = self.client.getsockname()[1]


def connected(opened: contextlib.ExitStack, protocol: int) -> tuple[socket.socket, socket.socket, socket.socket]:
    """A listener of a protocol with connections, a client of it, and what it accepted."""
    server = made(opened, socket.AF_INET, socket.SOCK_STREAM, protocol)
    server.bind((V4, 0))
    server.listen()
    client = made(opened, socket.AF_INET, socket.SOCK_STREAM, protocol)
    client.connect(server.getsockname())
    return server, client, opened.enter_context(server.accept()[0])


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def multipath(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> socket.socket:
    """The client of a connection of Multipath TCP, which the kernel reports."""
    _, client, _ = connected(opened, socket.IPPROTO_MPTCP)
    with or_skip():
        diag.mptcp()
    return client


def ss(*arguments: str) -> list[str]:
    """The lines of ss. Skip where there is none, or it is older than an option."""
    if not shutil.which("ss"):
        pytest.skip("ss is missing (Debian: iproute2)")
    run = subprocess.run(["ss", "-HOn", *arguments], capture_output=True, text=True)
    if "unrecognized option" in run.stderr or "invalid option" in run.stderr:
        pytest.skip(f"ss {' '.join(arguments)}: {run.stderr.splitlines()[0]}")
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def by_cookie(lines: list[str]) -> dict[int, str]:
    """Lines of ss -e, by the cookies of their sockets."""
    return {int(found[1], 16): line for line in lines if (found := re.search(r"\bsk:(\w+)", line))}
