"""nfqueue where packets pass through: routers, bridges, several queues, and consumers that do not keep up."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import netns
import tshark
from kernel.hosts import Host, bridge, introduce
from kernel.queues import FORWARD, NUMBER, PORT, Pair, count, data, require_rewriting, rule, to_queue
from kernel.tools import NEVER, Child, Worker, eventually, run
from netlink.netfilter import nfqueue

SO_TIMESTAMPNS = 35  # SO_TIMESTAMPNS_OLD, asm-generic/socket.h
ETH_P_ALL = 3
GOOD = "1"  # PROTO_CHECKSUM_E_GOOD, what tshark says


def received(sink: socket.socket, count: int) -> list[bytes]:
    """The next datagrams. Between namespaces they may arrive after the send of their verdict has returned."""
    sink.settimeout(NEVER)
    return [sink.recv(70_000) for _ in range(count)]


@pytest.fixture
def routed(opened: contextlib.ExitStack) -> tuple[Host, Host]:
    """Two hosts, between which this namespace is the router."""
    hosts = []
    for number in (1, 2):
        peer = f"port{number}"
        hosts.append(Host(opened.enter_context(netns.another()), opened, peer, f"10.0.{number}.1/24"))
        run("ip", "addr", "add", f"10.0.{number}.254/24", "dev", peer)
        with hosts[-1].inside():
            run("ip", "route", "add", "default", "via", f"10.0.{number}.254")
    netns.sysctl("net.ipv4.ip_forward", 1)
    introduce(hosts[0], hosts[1])
    return hosts[0], hosts[1]


@pytest.fixture
def bridged(opened: contextlib.ExitStack) -> tuple[Host, Host]:
    """Two hosts at a bridge of this namespace."""
    return bridge(opened)


def index(name: str) -> int:
    return socket.if_nametoindex(name)


# Forwarded packets


def test_forwarded_packets(routed: tuple[Host, Host]) -> None:
    """Q9: they have both interfaces, the address of the sender, and a time of arrival where some socket wants it."""
    left, right = routed
    to_queue(chain="FORWARD")
    sink, sender = right.sink(), left.sender(right)
    with socket.socket(type=socket.SOCK_DGRAM) as clock, nfqueue.listen(NUMBER) as queue:
        clock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

        def has_time() -> bool:
            sender.send(b"timed?")
            packet = next(queue)
            queue.drop(packet)
            return packet.timestamp is not None

        eventually(has_time, "the kernel reads the clock, as a work queue has it do")
        for text in (b"kept", b"gone", b"made"):
            sender.send(text)
        packets = [next(queue) for _ in range(3)]
        for packet in packets:
            assert (packet.hook, packet.family, packet.hw_protocol) == (FORWARD, socket.AF_INET, 0x0800)
            assert (packet.indev, packet.outdev) == (index("port1"), index("port2"))
            assert (packet.physindev, packet.physoutdev) == (None, None)
            assert packet.hwaddr == left.mac
            assert (str(packet.src), str(packet.dst)) == (left.address, right.address)
            assert packet.timestamp
        queue.accept(packets[0])
        queue.drop(packets[1])
        require_rewriting()
        queue.accept(packets[2], payload=bytes(packets[2].payload or b"") + b" longer", checksums=True)
        assert received(sink, 2) == [b"kept", b"made longer"]
        assert (queue.lost, queue.pending, queue.refused) == (0, 0, {})


@pytest.mark.parametrize("gso", [True, False])
def test_a_forwarded_tcp_connection(routed: tuple[Host, Host], gso: bool) -> None:
    """Q10: large packets come whole, or as the wire has them; and arrive."""
    left, right = routed
    run("iptables", "-w", "-A", "FORWARD", "-p", "tcp", "-j", "NFQUEUE", "--queue-num", str(NUMBER))
    sent = random.Random(4).randbytes(300_000)
    sizes: list[int] = []
    server = right.open(socket.AF_INET, socket.SOCK_STREAM)
    server.bind((right.address, PORT))
    server.listen()
    client = left.open(socket.AF_INET, socket.SOCK_STREAM)
    with nfqueue.listen(NUMBER, gso=gso) as queue:

        def decide() -> None:
            for batch in queue.batches():
                sizes.extend(packet.length or 0 for packet in batch)
                queue.accept(batch)

        def send() -> None:
            client.settimeout(NEVER)
            client.connect((right.address, PORT))
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        def receive() -> bytes:
            server.settimeout(NEVER)
            peer, _ = server.accept()
            with peer, peer.makefile("rb") as stream:
                return stream.read()

        decider, receiver, feeder = Worker(decide), Worker(receive), Worker(send)
        assert receiver.result() == sent
        feeder.result()
        queue.stop()
        decider.result()
        assert (queue.lost, queue.refused) == (0, {})
    assert (max(sizes) > 1500) == gso


def test_checksums_of_rewritten_packets_as_tshark_sees_them(routed: tuple[Host, Host], tmp_path: Path) -> None:
    require_rewriting()
    left, right = routed
    to_queue(chain="FORWARD")
    chance = random.Random(6)
    sink, sender = right.sink(), left.sender(right)
    wire = right.open(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.bind(("wire", ETH_P_ALL))
    sizes = (0, 1, 2, 3, 99, 1400)
    with nfqueue.listen(NUMBER) as queue:
        for size in sizes:
            sender.send(b"old text")
            packet = next(queue)
            new = bytes(packet.payload or b"")[:28] + chance.randbytes(size)
            queue.accept(packet, payload=new, checksums=True)
    assert [len(text) for text in received(sink, len(sizes))] == list(sizes)
    path = tmp_path / "wire.pcap"
    write_pcap(path, [frame for frame in queued(wire) if is_udp(frame)])
    check = ("-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    rows = tshark.fields(path, "ip.checksum.status", "udp.checksum.status", "udp.length", options=check)
    assert [row["udp.length"] for row in rows] == [[str(size + 8)] for size in sizes]
    for row in rows:
        assert (row["ip.checksum.status"], row["udp.checksum.status"]) == ([GOOD], [GOOD])


def queued(wire: socket.socket) -> Iterator[bytes]:
    """The frames of a packet socket, which has them before the sink."""
    with contextlib.suppress(BlockingIOError):
        while True:
            yield wire.recv(70_000)


def is_udp(frame: bytes) -> bool:
    """Whether an Ethernet frame has IPv4, and UDP to PORT."""
    return frame[12:14] == b"\x08\0" and frame[23] == socket.IPPROTO_UDP and frame[36:38] == struct.pack(">H", PORT)


def write_pcap(path: Path, frames: list[bytes]) -> None:
    """A file of Ethernet frames: LINKTYPE_ETHERNET."""
    head = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)
    path.write_bytes(head + b"".join(struct.pack("=IIII", 0, 0, len(f), len(f)) + f for f in frames))


# Bridges


def test_a_bridge_with_iptables(bridged: tuple[Host, Host]) -> None:
    """br_netfilter: the ports are the physical interfaces."""
    left, right = bridged
    netns.sysctl("net.bridge.bridge-nf-call-iptables", 1)
    to_queue("-m", "physdev", "--physdev-is-bridged", chain="FORWARD")
    sink, sender = right.sink(), left.sender(right)
    with nfqueue.listen(NUMBER) as queue:
        sender.send(b"bridged")
        packet = next(queue)
        assert (packet.hook, packet.family, packet.hwaddr) == (FORWARD, socket.AF_INET, left.mac)
        assert (packet.indev, packet.outdev) == (index("br0"), index("br0"))
        assert (packet.physindev, packet.physoutdev) == (index("port1"), index("port2"))
        require_rewriting()
        queue.accept(packet, payload=bytes(packet.payload or b"") + b"!", checksums=True)
        assert received(sink, 1) == [b"bridged!"]


# Several queues


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


def consumer(number: int, ready: int) -> dict[str, int]:
    """In a child: accept what comes to a queue, marked with its number, until SIGTERM. Addresses, and how often."""
    seen: dict[str, int] = {}
    with nfqueue.listen(number) as queue:
        signal.signal(signal.SIGTERM, lambda *_: queue.stop())
        os.write(ready, b"x")
        for batch in queue.batches():
            for packet in batch:
                seen[str(packet.src)] = seen.get(str(packet.src), 0) + 1
            queue.accept(batch, mark=number)
        assert (queue.lost, queue.refused, queue.pending) == (0, {}, 0)
    return seen


@contextlib.contextmanager
def consumers(numbers: range) -> Iterator[list[Child]]:
    """A process for each queue, all of which listen."""
    read, write = os.pipe()
    try:
        children = [Child(partial(consumer, number, write)) for number in numbers]
        for _ in children:
            os.read(read, 1)
        yield children
    finally:
        os.close(read)
        os.close(write)


def test_a_process_for_each_queue(pair: Pair) -> None:
    """Q27: addresses choose the queue, and both directions of a flow have the same."""
    numbers = range(20, 24)
    rule("INPUT", "-j", "NFQUEUE", "--queue-balance", "20:23", table="mangle")
    for number in numbers:
        rule("INPUT", "-m", "mark", "--mark", str(number))
    addresses = [f"127.0.1.{i}" for i in range(40)]
    with consumers(numbers) as children:
        for address in addresses:
            with socket.socket(type=socket.SOCK_DGRAM) as sock:
                sock.bind((address, 0))
                for text in (b"1", b"2", b"3"):
                    sock.sendto(text, ("127.0.0.1", PORT))
        pair.sink.setblocking(True)
        got = [pair.sink.recv(10) for _ in range(3 * len(addresses))]
        for child in children:
            os.kill(child.pid, signal.SIGTERM)
        seen = [child.result() for child in children]
    assert len(got) == 120
    assert sorted(address for each in seen for address in each) == sorted(addresses)
    assert {times for each in seen for times in each.values()} == {3}
    assert sum(1 for each in seen if each) > 1
    assert [count(at=i) for i in range(4)] == [sum(each.values()) for each in seen]


def test_a_queue_for_each_processor(pair: Pair) -> None:
    """Q27: with --queue-cpu-fanout."""
    processors = sorted(os.sched_getaffinity(0))
    if processors[:2] != [0, 1]:
        pytest.skip("processors 0 and 1 are not both ours")
    rule("INPUT", "-j", "NFQUEUE", "--queue-balance", "30:31", "--queue-cpu-fanout", table="mangle")
    try:
        with consumers(range(30, 32)) as children:
            for processor, times in ((0, 5), (1, 3)):
                os.sched_setaffinity(0, {processor})
                pair.many(times)
            pair.sink.setblocking(True)
            for _ in range(8):
                pair.sink.recv(10)
            for child in children:
                os.kill(child.pid, signal.SIGTERM)
            assert [child.result() for child in children] == [{"127.0.0.1": 5}, {"127.0.0.1": 3}]
    finally:
        os.sched_setaffinity(0, processors)


# Consumers that stop


def all_of(stats: nfqueue.Stats, total: int) -> nfqueue.Stats | None:
    """The counters, once they have that many packets."""
    return stats if stats.queued + stats.full_dropped + stats.user_dropped == total else None


@pytest.mark.parametrize("limit", ["queue", "buffer"])
def test_a_stopped_process(pair: Pair, limit: str) -> None:
    """What a stopped process does not take is dropped and counted; then it goes on, and knows what it has lost."""
    to_queue(table="mangle")
    rule("INPUT", "-j", "DROP")
    options: dict[str, Any] = {"max_length": 50} if limit == "queue" else {"read_buffer": 20_000}
    with nfqueue.listen(NUMBER, **options) as queue:

        def consume() -> tuple[int, int]:
            for seen, packet in enumerate(queue, 1):
                queue.accept(packet)
                if data(packet) == b"last":
                    return seen, queue.lost
            raise AssertionError("the stream ended")

        child = Child(consume)
        try:
            pair.send(b"first")
            while queue.stats().last_id == 0 or queue.stats().queued:
                os.sched_yield()
            os.kill(child.pid, signal.SIGSTOP)
            _, status = os.waitpid(child.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            pair.many(300)
            # The last ones may arrive after they were sent.
            stopped = eventually(lambda: all_of(queue.stats(), 300), "300 packets were queued or dropped")
        finally:
            os.kill(child.pid, signal.SIGCONT)
        while queue.stats().queued:
            os.sched_yield()
        pair.send(b"last")
        seen, lost = child.result()
        stats = queue.stats()
        if limit == "queue":
            assert (stopped.queued, stopped.full_dropped, lost) == (50, 250, 0)
        else:
            assert 0 < stopped.queued < 300
            assert (stopped.full_dropped, stopped.user_dropped) == (0, 300 - stopped.queued)
            assert lost == stopped.user_dropped
        assert seen == 2 + stopped.queued
        assert (stats.queued, seen + lost + stats.full_dropped) == (0, 302)
        assert (count(table="mangle"), count()) == (302, seen)
