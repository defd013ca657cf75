"""Rules that queue UDP packets, and sockets that send and receive these."""

from __future__ import annotations

import contextlib
import errno
import functools
import socket
from collections.abc import Callable

import pytest

import netns
from kernel.tools import eventually, run
from netlink import OpError
from netlink.netfilter import nfqueue
from netlink.netfilter.nfqueue import Packet, Queue
from netlink.schema import Batch

NUMBER, PORT = 5, 9
REWRITING = "the network namespace of queue"  # how the warning begins, in user namespaces
LOCAL_IN, FORWARD, LOCAL_OUT = 1, 2, 3  # NF_INET_*, linux/netfilter.h


def rule(chain: str, *what: str, table: str = "filter", tool: str = "iptables") -> None:
    run(tool, "-w", "-t", table, "-A", chain, "-p", "udp", "--dport", str(PORT), *what)


def to_queue(*options: str, chain: str = "INPUT", number: int = NUMBER, table: str = "filter") -> None:
    """Queue UDP packets to PORT."""
    rule(chain, "-j", "NFQUEUE", "--queue-num", str(number), *options, table=table)


def count(chain: str = "INPUT", table: str = "filter", at: int = -1) -> int:
    """Packets that a rule has seen."""
    lines = run("iptables", "-w", "-t", table, "-nvxL", chain).splitlines()[2:]
    return int(lines[at].split()[0])


class Pair:
    """A UDP socket that sends to PORT, and one that receives there."""

    def __init__(self, family: int = socket.AF_INET, here: str = "127.0.0.1") -> None:
        self.sink = socket.socket(family, socket.SOCK_DGRAM)
        self.sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.sink.bind((here, PORT))
        self.sink.setblocking(False)
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.connect((here, PORT))

    def send(self, *datas: bytes) -> None:
        for data in datas:
            self.sock.send(data)

    def many(self, number: int) -> None:
        for i in range(number):
            self.sock.send(b"%d" % i)

    def got(self) -> list[bytes]:
        """What has arrived. Packets are delivered within the send of their verdict."""
        found: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.sink.recv(70_000))
        return found

    def close(self) -> None:
        self.sink.close()
        self.sock.close()


def waiting(queue: Queue, number: int, held: int = 0) -> Batch[Packet]:
    """So many packets of the queue, beside those held without a verdict: a busy kernel queues them after their send."""
    eventually(lambda: queue.stats().queued == number + held, f"{number} packets are queued")
    return queue.read()


def data(packet: Packet) -> bytes:
    """What is in a UDP packet."""
    assert packet.payload is not None
    return bytes(packet.payload)[28 if packet.payload[0] >> 4 == 4 else 48 :]


def refusal(call: Callable[[], object], hint: str) -> bool:
    """Whether the kernel cannot do it, and the hint says why."""
    try:
        call()
    except OpError as error:
        if error.errno != errno.EOPNOTSUPP or hint not in error.hint:
            raise
        return True
    return False


def id_of(packet: Packet) -> int:
    assert packet.id is not None
    return packet.id


@functools.cache
def rewrites() -> bool:
    """Whether the kernel lets packets pass that got another payload."""
    if not netns.in_user_namespace():
        return True
    with netns.fresh(), contextlib.closing(Pair()) as pair:
        to_queue()
        with nfqueue.listen(NUMBER) as queue:
            pair.send(b"old")
            packet = next(queue)
            queue.accept(packet, payload=bytes(packet.payload or b"")[:28] + b"new", checksums=True)
            pair.send(b"end")
            queue.accept(next(queue))
        return pair.got() == [b"new", b"end"]


def require_rewriting() -> None:
    """Skip where the kernel drops packets that got another payload."""
    netns.require_queues()
    if not rewrites():
        pytest.skip("this kernel rewrites packets for the machine's first user namespace alone")
