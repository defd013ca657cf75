"""Sockets and the processes that have them open: `owners`, and connections in the shape of psutil's."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from netlink.sock_diag._owners import Owners, rows
from netlink.sock_diag.records import Endpoint, State, UnixSocket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netlink.schema import Batch

__all__ = ["Address", "Connection", "Owners", "Search", "inet_rows", "kinds_of", "owners", "unix_rows"]


class Address(NamedTuple):
    """An address as text, and a port."""

    ip: str
    port: int


class Connection(NamedTuple):
    """A connection, as of psutil.net_connections.

    laddr, raddr: the own address and the peer's, an empty tuple without a port; of Unix sockets the path, and "".
    status: the state of TCP, "NONE" for other sockets.
    """

    fd: int
    family: socket.AddressFamily
    type: socket.SocketKind
    laddr: Address | tuple[()] | str
    raddr: Address | tuple[()] | str
    status: str
    pid: int | None


_NO_STATUS = "NONE"
_STATUSES = {state: state.name for state in State} | {State.NEW_SYN_RECV: State.SYN_RECV.name}
_NO_STATUSES = dict.fromkeys(State, _NO_STATUS)
_FAMILIES = {family: family for family in (socket.AF_INET, socket.AF_INET6)}
_BOTH = tuple(_FAMILIES)
_V4, _V6 = (socket.AF_INET,), (socket.AF_INET6,)
_STREAM, _DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
_KINDS: dict[str, dict[int | None, tuple[int, ...]]] = {
    "all": {_STREAM: _BOTH, _DATAGRAM: _BOTH, None: (socket.AF_UNIX,)},
    "inet": {_STREAM: _BOTH, _DATAGRAM: _BOTH},
    "inet4": {_STREAM: _V4, _DATAGRAM: _V4},
    "inet6": {_STREAM: _V6, _DATAGRAM: _V6},
    "tcp": {_STREAM: _BOTH},
    "tcp4": {_STREAM: _V4},
    "tcp6": {_STREAM: _V6},
    "udp": {_DATAGRAM: _BOTH},
    "udp4": {_DATAGRAM: _V4},
    "udp6": {_DATAGRAM: _V6},
    "unix": {None: (socket.AF_UNIX,)},
}


def owners(pids: Iterable[int] | None = None) -> dict[int, list[tuple[int, int]]]:
    """The sockets that processes have open: from a socket's inode to its (pid, fd) pairs.

    pids: the processes to look into; None for all of them, which is a walk through all of /proc. A process that has
    ended has none, and so has one that this user may not look into. OSError if /proc cannot be read.
    """
    return Owners(pids).by_inode()


class Search(threading.Thread):
    """A search for the owners of all sockets, beside what this thread does until it wants them."""

    def __init__(self) -> None:
        super().__init__(name="owners of sockets")
        self._owners: Owners | None = None
        with contextlib.suppress(RuntimeError):  # the system has no more threads
            self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, MemoryError):
            self._owners = Owners()

    def owners(self) -> Owners:
        """What it has found. What it could not do is done here: it may raise OSError."""
        if self.ident is not None:
            self.join()
        return self._owners or Owners()


def kinds_of(kind: str) -> dict[int | None, tuple[int, ...]]:
    """The address families of a kind of connections, by the type of sockets; None: Unix sockets."""
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}, not {kind!r}")
    return {_STREAM: (), _DATAGRAM: (), None: ()} | _KINDS[kind]


def inet_rows(batch: Batch[Endpoint], kind: socket.SocketKind, of: Owners | None, into: list[Connection]) -> None:
    """Append the connections of TCP or UDP to a list."""
    rows(batch, _FAMILIES, kind, _STATUSES if kind == _STREAM else _NO_STATUSES, of, Connection, Address, into)


def unix_rows(batch: Batch[UnixSocket], of: Owners | None, into: list[Connection]) -> None:
    """Append the Unix sockets to a list, once for each descriptor of the last process that has one."""
    pairs = {} if of is None else of.by_inode()
    nobody: list[tuple[Any, int]] = [(None, -1)]
    for one in batch:
        having: list[tuple[Any, int]] = [*pairs.get(one.inode or 0, nobody)]
        last = having[-1][0]
        kind = socket.SocketKind(one.type or 0)
        path = one.path or ""
        into += [Connection(fd, socket.AF_UNIX, kind, path, "", _NO_STATUS, pid) for pid, fd in having if pid == last]
