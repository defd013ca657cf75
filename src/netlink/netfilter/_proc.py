"""Counters that netfilter shows in /proc alone."""

from __future__ import annotations

import errno

from netlink._transport import Namespace, Socket, read_in_netns
from netlink.errors import OpError

__all__ = ["ProcFile"]


class ProcFile:
    """A file of /proc/net/netfilter, of the network namespace of a socket.

    The namespace stays the same, whatever the calling thread or a `close` of the socket in another one does.
    """

    def __init__(self, sock: Socket, name: str) -> None:
        # /proc/net itself is that of the process, whose first thread may be in another namespace.
        self._path = f"/proc/thread-self/net/netfilter/{name}"
        self._namespace: Namespace | None = Namespace(sock)

    @property
    def namespace(self) -> Namespace:
        """The network namespace: its descriptor stays open as long as the object does. OpError once closed."""
        namespace = self._namespace
        if namespace is None:
            raise OpError("stats", errno.EBADF)
        return namespace

    def rows(self) -> list[list[int]]:
        """The numbers of each line. OSError if the file cannot be read."""
        namespace = self.namespace  # not closed meanwhile
        text = read_in_netns(namespace.fd, self._path).decode("ascii")
        return [[int(word) for word in line.split()] for line in text.splitlines()]

    def close(self) -> None:
        """Let the namespace go, as soon as no other thread reads."""
        self._namespace = None
