"""The interface of the package NetfilterQueue 1.1 on netlink: beside this file, its programs run as they are.

There is no libnetfilter_queue and no compiler in it. It differs where the original loses something: packets longer than
4,016 bytes are whole, and `run` returns when the queue is unbound. A missing capability is reported by `bind`, which
opens the socket, so `get_fd` needs a bound queue.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import warnings
from collections import deque
from collections.abc import Callable

from netlink import NetlinkWarning, OpError
from netlink.netfilter import nfqueue
from netlink.netfilter.nfqueue import Verdict

__all__ = ["COPY_META", "COPY_NONE", "COPY_PACKET", "PROTOCOLS", "NetfilterQueue", "Packet"]

COPY_NONE, COPY_META, COPY_PACKET = 0, 1, 2
PROTOCOLS = {int(value): name[8:] for name, value in vars(socket).items() if name.startswith("IPPROTO_")}
PROTOCOLS |= {0: "HOPOPT", 4: "IP", 41: "IPv6", 47: "GRE", 58: "IPv6-ICMP"}
SIOCGSKNS = 0x894C  # linux/sockios.h: the network namespace of a socket
SOCK_LEN = 1024 * (4016 + 780) // 2


class Packet:
    """A queued packet, which waits for its verdict."""

    def __init__(self, queue: nfqueue.Queue, packet: nfqueue.Packet) -> None:
        self.id, self.hook, self.hw_protocol = packet.id or 0, packet.hook or 0, packet.hw_protocol or 0
        self.mark, self.indev, self.outdev = packet.mark or 0, packet.indev or 0, packet.outdev or 0
        self.physindev, self.physoutdev = packet.physindev or 0, packet.physoutdev or 0
        self._hw = packet.hw.address if packet.hw else None
        self._timestamp = (packet.timestamp or 0) / 1e9
        self._queue = queue
        self._payload: memoryview | bytes | None = packet.payload
        self._length = len(packet.payload or b"")
        self._new_payload: bytes | None = None
        self._new_mark: int | None = None
        self._decided = False

    def __str__(self) -> str:
        if self._payload is None:
            return f"{self._length} byte packet, contents unretained"
        return f"{PROTOCOLS.get(self._payload[9], 'Unknown protocol')} packet, {self._length} bytes"

    def get_hw(self) -> bytes | None:
        return self._hw

    def get_payload(self) -> bytes:
        if self._new_payload:
            return self._new_payload
        if not self._length:
            raise RuntimeError("Packet has no payload -- perhaps you're using COPY_META mode?")
        if self._payload is None:
            raise RuntimeError("Payload data is no longer available: call retain() in the callback to keep it")
        return bytes(self._payload)

    def get_payload_len(self) -> int:
        return self._length

    def get_timestamp(self) -> float:
        return self._timestamp

    def get_mark(self) -> int:
        return self.mark if self._new_mark is None else self._new_mark

    def set_payload(self, payload: bytes) -> None:
        self._new_payload = payload

    def set_mark(self, mark: int) -> None:
        self._new_mark = mark

    def retain(self) -> None:
        self._payload = self.get_payload()

    def accept(self) -> None:
        self._decide(Verdict.ACCEPT)

    def drop(self) -> None:
        self._decide(Verdict.DROP)

    def repeat(self) -> None:
        self._decide(Verdict.REPEAT)

    def _decide(self, verdict: Verdict) -> None:
        if self._decided:
            raise RuntimeError("Verdict already given for this packet")
        if self._queue.closed:
            raise RuntimeError("Parent queue has already been unbound")
        self._queue.verdict(self.id, verdict, mark=self._new_mark, payload=self._new_payload or None)
        self._decided = True

    def _leave(self) -> None:
        """The callback has returned: only a copy of the payload stays."""
        if not isinstance(self._payload, bytes):
            self._payload = None


class NetfilterQueue:
    """A queue, from `bind` to `unbind`."""

    def __init__(self, *, af: int = socket.AF_INET, sockfd: int = -1) -> None:
        """sockfd: a netlink socket of the network namespace to bind in. af: means nothing to the kernel."""
        self._queue: nfqueue.Queue | None = None
        self._waiting: deque[nfqueue.Packet] = deque()
        self._netns: int | None = None
        if sockfd >= 0:
            self._netns = fcntl.ioctl(sockfd, SIOCGSKNS)

    def __del__(self) -> None:
        self.unbind()
        if self._netns is not None:
            os.close(self._netns)

    def bind(
        self,
        queue_num: int,
        user_callback: Callable[[Packet], object],
        max_len: int = 1024,
        mode: int = COPY_PACKET,
        range: int = 0xFFFF,  # noqa: A002 - its name there
        sock_len: int = SOCK_LEN,
    ) -> None:
        if self._queue is not None:
            raise RuntimeError("A queue is already bound; use unbind() first")
        if mode not in (COPY_META, COPY_PACKET):
            raise ValueError("a queue without a copy mode drops its packets")
        copy_range = (range or 0xFFFF) if mode == COPY_PACKET else 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NetlinkWarning)  # below, as the original does
                self._queue = nfqueue.listen(
                    queue_num,
                    copy_range=copy_range,
                    max_length=max_len,
                    gso=False,
                    read_buffer=sock_len,
                    netns=self._netns,
                )
        except OpError as error:
            raise OSError(error.errno, f"Failed to create queue {queue_num}: {error}") from error
        self._callback = user_callback
        if (size := self._queue.read_buffer()) != sock_len * 2:
            warnings.warn(f"Socket rcvbuf limit is now {size}, requested {sock_len}.", RuntimeWarning, stacklevel=2)

    def unbind(self) -> None:
        if self._queue is not None:
            self._queue.close()
        self._queue = None
        self._waiting.clear()

    def get_fd(self) -> int:
        if self._queue is None:
            raise RuntimeError("There is no socket: use bind() first")
        return self._queue.fileno()

    def run(self, block: bool = True) -> None:
        while self._waiting or self._read(None if block else 0):
            self._call()

    def run_socket(self, s: socket.socket) -> None:
        """Wait as this socket does: gevent's lets other greenlets run meanwhile."""
        while self._queue is not None:
            try:
                s.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                break
            self._read(0)
            while self._waiting:
                self._call()

    def _read(self, timeout: float | None) -> bool:
        """Whether there are packets for the callback."""
        if self._queue is None:
            return False
        try:
            self._waiting.extend(self._queue.read(timeout))
        except OpError as error:
            if error.errno != errno.EBADF:  # unbound in another thread
                raise
        return bool(self._waiting)

    def _call(self) -> None:
        assert self._queue is not None
        packet = Packet(self._queue, self._waiting.popleft())
        try:
            self._callback(packet)
        finally:
            packet._leave()
