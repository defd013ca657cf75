"""The link that captures, and the socket that reads from it: `listen`."""

from __future__ import annotations

import errno
import itertools
import os
import select
import socket
import struct
import time
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Never, TypeVar, overload

from netlink import route
from netlink._io.outlet import Items, QueueOutlet
from netlink._io.readiness import Readiness, run_in
from netlink._io.warn import warn
from netlink.errors import OpError, Overrun
from netlink.nlmon.datagram import Datagram
from netlink.route import Link

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType
    from typing import Self


__all__ = ["Tap", "listen"]

_KIND = "nlmon"
_SNAPLEN = 262_144  # the most that Wireshark reads
_READ_BUFFER, _READ_BUFFER_MAX = 16 << 20, (1 << 30) - 1
_ROUND = 256  # datagrams that are read before any is given
# linux/socket.h, linux/if_packet.h, linux/if_ether.h, asm-generic/socket.h
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_AUXDATA = 263, 6, 8
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33
_ETH_P_ALL = 3
_TIMESPEC = struct.Struct("@ll")
_AUXDATA = struct.Struct("=III")  # the begin of struct tpacket_auxdata: status, length, length of what is captured
_STATISTICS = struct.Struct("=II")  # struct tpacket_stats
_NEEDED = "capturing netlink needs CAP_NET_ADMIN and CAP_NET_RAW in the user namespace of the network namespace"


_O = TypeVar("_O", bound=Overrun)  # the marks of a tap, or Never


@overload
def listen(
    link: str | None = ...,
    *,
    read_buffer: int | None = ...,
    snaplen: int = ...,
    on_overrun: Literal["raise"] = ...,
) -> Tap[Never]: ...
@overload
def listen(
    link: str | None = ...,
    *,
    read_buffer: int | None = ...,
    snaplen: int = ...,
    on_overrun: Literal["mark"],
) -> Tap[Overrun]: ...
def listen(
    link: str | None = None,
    *,
    read_buffer: int | None = None,
    snaplen: int = _SNAPLEN,
    on_overrun: Literal["raise", "mark"] = "raise",
) -> Tap[Any]:
    """Capture the netlink datagrams of this network namespace: a `Tap`.

    link: the name of an nlmon link that is there and up. None: a new link, which is deleted with the tap. It stays
        behind if the process is killed.
    read_buffer: bytes to queue; None for 16,777,216, or as much of it as the kernel permits.
    snaplen: bytes to read of a datagram; the rest is cut off, which `Datagram.is_cut` reports.
    on_overrun: the policy for losses: datagrams that the kernel dropped because the read buffer was full. `Tap.lost`
        counts them under every policy.
        "raise": Overrun is raised after the datagrams before the loss; the next read continues.
        "mark": the Overrun is an item of the iteration.

    OpError: PermissionError without the capabilities, EOPNOTSUPP if the kernel has no nlmon, ENODEV if the link is not
    there, ENETDOWN if it is not up. ValueError for a link of another kind.
    """
    if on_overrun not in ("raise", "mark"):
        raise ValueError(f"on_overrun must be 'raise' or 'mark', not {on_overrun!r}")
    for name, value in (("snaplen", snaplen), ("read_buffer", read_buffer)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{name} must be an int of at least 1, not {value!r}")
    try:
        if link is not None:
            return Tap(_opened(_checked(link), read_buffer), None, snaplen, on_overrun)
        own = _OwnLink()
        try:
            return Tap(_opened(own.name, read_buffer), own, snaplen, on_overrun)
        except BaseException:
            own.close()
            raise
    except OpError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            error.hint = _NEEDED  # of both: the link's own refusal names one
        raise


class _OwnLink:
    """A new link that captures, which is up: `close` deletes it.

    It has a connection of its own: whoever closes it may be in another network namespace by then. A forked child leaves
    it to the parent.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._route = route.dial()
        try:
            made = self._made()
            self.name, self._index = made.name or "", made.index
            try:
                self._route.up(self.name)
            except BaseException:
                self._delete()
                raise
        except BaseException:
            self._route.close()
            raise

    def _made(self) -> Link:
        """A link of a free name. The kernel finds one for nlmon%d, too, but old ones do not say which."""
        for number in itertools.count():
            with suppress(FileExistsError):
                try:
                    return self._route.create(Link(name=f"nlmon{number}", kind=_KIND))
                except OpError as error:
                    if error.errno == errno.EOPNOTSUPP:
                        error.hint = "the kernel has no nlmon: `modprobe nlmon` loads its module, CONFIG_NLMON"
                    raise
        raise AssertionError("unreachable")

    def _delete(self) -> None:
        try:
            self._route.delete(Link(index=self._index))
        except OpError as error:
            if error.errno != errno.ENODEV:  # somebody has deleted it
                raise

    def close(self) -> None:
        try:
            if self._process == os.getpid():
                self._delete()
        finally:
            self._route.close()


def _checked(name: str) -> str:
    """The name itself. Errors as of `listen`."""
    with route.dial() as rt:
        found = rt.get(Link(name=name))
    if found.kind != _KIND:
        raise ValueError(f"{name!r} is a link of {found.kind or 'hardware'}, and only one of nlmon captures netlink")
    if not (found.flags or 0) & route.LinkFlags.UP:
        raise OpError("listen", errno.ENETDOWN, hint=f"`ip link set {name} up` lets it capture")
    return name


def _opened(link: str, read_buffer: int | None) -> socket.socket:
    """A socket that receives what the link captures. Nothing is queued before it is bound."""
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            wanted = _READ_BUFFER if read_buffer is None else min(read_buffer, _READ_BUFFER_MAX)
            try:
                sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, wanted)
            except PermissionError:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
            got = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            if read_buffer is not None and got < 2 * wanted:
                warn(
                    f"read_buffer: {read_buffer} bytes requested, but only {got // 2} permitted: raise the sysctl "
                    "net.core.rmem_max, or use CAP_NET_ADMIN in the machine's first user namespace"
                )
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            sock.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            sock.bind((link, _ETH_P_ALL))
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        raise OpError("listen", error.errno or errno.EIO) from None
    return sock


class Tap(QueueOutlet[Datagram | _O]):
    """An iterator and an asynchronous iterator of `Datagram`: of all that pass on netlink in the network namespace.

    Threads may share a tap, or the tasks of one event loop. Each datagram goes to one of them. `stop` ends the
    iteration after the datagrams that are queued. `close` from any thread ends waiting reads at once with OpError
    (errno EBADF), which every later read raises too.

    A multicast message is captured once for each of its listeners. The kernel does not say who sent or received a
    datagram: the headers of its messages may.
    """

    def __init__(self, sock: socket.socket, own: _OwnLink | None, snaplen: int, on_overrun: str) -> None:
        super().__init__()
        self._sock = sock
        self._own = own
        self._buffer = memoryview(bytearray(snaplen))
        self._policy = on_overrun
        self._readiness = Readiness(self.fileno)
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)
        self._reading = Lock()
        self._stopped = self._ended = self._closed = False
        self._lost = self._reported = 0

    def __iter__(self) -> Items[Datagram | _O]:
        return Items(self, 0, None)

    def __aiter__(self) -> Items[Datagram | _O]:
        return Items(self, 0, None)

    def datagrams(self, *, idle: float | None = None) -> Items[Datagram | _O]:
        """The datagrams: an iterator and an asynchronous iterator.

        idle: seconds without a datagram after which the iteration ends; 0 ends it if nothing is queued.
        """
        return Items(self, 0, idle)

    @property
    def lost(self) -> int:
        """The number of datagrams that the kernel dropped because the read buffer was full."""
        return self._lost

    @property
    def closed(self) -> bool:
        """Whether the tap is closed."""
        return self._closed

    @property
    def link(self) -> str | None:
        """The name of the link that was made for the tap; None for one that was there."""
        return None if self._own is None else self._own.name

    def read_buffer(self) -> int:
        """The size of the read buffer in bytes (SO_RCVBUF): twice the size requested, or less if not permitted."""
        return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def fileno(self) -> int:
        """The socket's file descriptor, -1 once closed: for select and the like, not for reading."""
        return -1 if self._closed else self._sock.fileno()

    def stop(self) -> None:
        """End the iteration after the datagrams that are queued. From any thread or signal handler."""
        self._stopped = True
        self._wake()

    def close(self) -> None:
        """Close the tap, and delete the link that was made for it: not in a forked child, as that is the parent's."""
        if self._closed:
            return
        run_in(self._readiness.loop, self._readiness.forget)
        self._closed = True
        self._wake()
        self._release()
        if self._own is not None:
            self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wake(self) -> None:
        with suppress(OSError):  # full: a wake-up is there; closed: nobody waits
            self._waker.send(b"\0")
        self._readiness.wake_soon()

    def _release(self) -> None:
        """Close the sockets once nobody reads: a number of a descriptor may have another owner after that."""
        if self._closed and self._reading.acquire(blocking=False):
            try:
                for sock in (self._sock, self._waker, self._wakened):
                    sock.close()
            finally:
                self._reading.release()

    # Reading: of `QueueOutlet`

    def _make(self, timeout: float | None) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        with self._held():
            found = self._drain()
            while not found and not self._ended:
                left = None if end is None else max(0.0, end - time.monotonic())
                if left == 0.0:
                    break
                self._wait(left)
                found = self._drain()
        return found

    async def _amake(self, timeout: float | None) -> bool:
        self._readiness.bind()
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._held():
                found = self._drain()
            if found or self._ended or (end is not None and time.monotonic() >= end):
                return found
            await self._readiness.wait(readable=True, until=end)

    @contextmanager
    def _held(self) -> Generator[None]:
        """Keep the sockets open meanwhile."""
        try:
            with self._reading:
                yield
        finally:
            self._release()

    def _wait(self, timeout: float | None) -> None:
        poll = select.poll()
        for sock in (self._sock, self._wakened):
            poll.register(sock, select.POLLIN)
        poll.poll(None if timeout is None else timeout * 1000)

    def _drain(self) -> bool:
        """Queue what the socket has, at most `_ROUND` datagrams, and report losses. Whether anything was there."""
        if self._closed:
            raise OpError("receive", errno.EBADF)
        stopped = self._stopped
        if self._reported < self._lost and not self._queue:
            overrun: Any = Overrun(self._lost - self._reported)
            self._reported = self._lost
            if self._policy == "raise":
                raise overrun
            self._queue.append(overrun)
            return True
        for _ in range(_ROUND):
            try:
                self._queue.append(self._received())
            except BlockingIOError:
                self._ended = stopped
                break
            except OSError as error:
                if self._closed:  # its link is gone, too
                    raise OpError("receive", errno.EBADF) from None
                hint = "the link was deleted or set down" if error.errno == errno.ENETDOWN else ""
                raise OpError("receive", error.errno or errno.EIO, hint=hint) from None
        # Reading them sets them to 0.
        _, drops = _STATISTICS.unpack(self._sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _STATISTICS.size))
        self._lost += drops
        return bool(self._queue) or (bool(drops) and self._drain())

    def _received(self) -> Datagram:
        size, controls, _, sender = self._sock.recvmsg_into([self._buffer], 256)
        timestamp, length = time.time_ns(), size
        for level, kind, data in controls:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(data)
                timestamp = seconds * 1_000_000_000 + nanoseconds
            elif level == _SOL_PACKET and kind == _PACKET_AUXDATA:
                length = _AUXDATA.unpack_from(data)[1]
        return Datagram(timestamp, sender[1], bytes(self._buffer[:size]), length)
