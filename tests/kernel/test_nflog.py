"""nflog on the real kernel: what rules log is what was sent, and what is missing is counted."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import random
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import netns
import tshark
from kernel.tools import (
    NEVER,
    Child,
    Worker,
    drop_capabilities,
    eventually,
    in_child,
    on_signal,
    run,
    unprivileged,
    wait_blocked,
)
from netlink import OpError
from netlink._io import source
from netlink.netfilter import nflog, pcapng
from netlink.netfilter.nflog import Log, Packet
from netlink.packet import IPFlag, TCPFlag
from pace import fewer

GROUP, PORT = 5, 9
PRE_ROUTING, LOCAL_IN, LOCAL_OUT = 0, 1, 3  # NF_INET_*, linux/netfilter.h; of bridges as well
MAC = "02:00:00:00:00:aa"


def chain(family: str, hook: str, *rules: str, device: str = "") -> None:
    """A chain of a table of its own."""
    at = f"hook {hook} device {device}" if device else f"hook {hook}"
    lines = [f"table {family} {hook} {{", "chain rules {", f"type filter {at} priority 0", *rules, "}", "}"]
    run("nft", "-f", "-", text="\n".join(lines) + "\n")


def log_output(group: int = GROUP, options: str = "") -> None:
    """Log UDP packets to PORT on their way out."""
    chain("inet", "output", f'udp dport {PORT} log group {group} prefix "out: " {options}')


SO_TIMESTAMPNS = 35  # SO_TIMESTAMPNS_OLD, asm-generic/socket.h


class Sender:
    """A UDP socket that sends to PORT on this machine, where nobody reads.

    Older kernels give packets a time of arrival where some socket asks for it, as this one does.
    """

    def __init__(self, family: int = socket.AF_INET) -> None:
        self.here = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.sink = socket.socket(family, socket.SOCK_DGRAM)
        self.sink.bind((self.here, PORT))
        self.sink.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.connect((self.here, PORT))

    def send(self, *datas: bytes) -> None:
        for data in datas:
            self.sock.send(data)

    def many(self, count: int) -> None:
        for i in range(count):
            self.sock.send(struct.pack("=I", i))

    def close(self) -> None:
        self.sink.close()
        self.sock.close()


@pytest.fixture
def sender() -> Iterator[Sender]:
    sender = Sender()
    yield sender
    sender.close()


def take(log: Log, count: int) -> list[Packet]:
    """The next so many packets."""
    return [next(log) for _ in range(count)]


def data(packet: Packet) -> bytes:
    """What is in a UDP packet."""
    assert packet.payload is not None
    return bytes(packet.payload)[28 if packet.payload[0] >> 4 == 4 else 48 :]


def queued(log: Log) -> int:
    """Bytes of the datagram that is to be read next, 0 where there is none."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12, fileno=os.dup(log.fileno())) as sock:
        try:
            return sock.recv_into(bytearray(1), 1, socket.MSG_PEEK | socket.MSG_TRUNC | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0


# What is in a packet


def test_payloads_are_those_on_the_wire(sender: Sender) -> None:
    chain("inet", "input", f"udp dport {PORT} log group {GROUP}")
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
    wire.bind(("lo", 3))
    with wire, nflog.listen(GROUP, timeout=0.01) as log:
        rng = random.Random(5)
        datas = [rng.randbytes(size) for size in (0, 1, 2, 3, 4, 5, 100, 1471, 1472, 9000, 65000 - 28)]
        for sent in datas:
            sender.send(sent)
            seen, address = wire.recvfrom(70_000)
            while address[2] != 4:  # PACKET_OUTGOING; the copy that comes in is of PACKET_HOST
                seen, address = wire.recvfrom(70_000)
            packet = next(log)
            assert packet.payload is not None
            assert bytes(packet.payload) == seen
            assert data(packet) == sent


def test_the_fields_of_a_sent_packet(sender: Sender) -> None:
    chain("inet", "output", f'udp dport {PORT} meta mark set 0xdeadbeef log group {GROUP} prefix "rule one"')
    with nflog.listen(GROUP, timeout=0.01) as log:
        sender.send(b"hello")
        packet = next(log)
    assert packet.header.family == socket.AF_INET
    assert packet.header.res_id == GROUP
    assert packet.prefix == "rule one"
    assert packet.mark == 0xDEADBEEF
    assert (packet.indev, packet.outdev) == (None, netns.LOOPBACK)
    assert packet.hook == LOCAL_OUT
    assert packet.hw_protocol == 0x0800
    assert (packet.uid, packet.gid) == (os.geteuid(), os.getegid())
    assert packet.seq == 0
    assert (packet.seq_global, packet.timestamp, packet.hwaddr, packet.vlan, packet.ct) == (None,) * 5
    assert packet.unknown == ()
    assert packet.payload is not None
    assert bytes(packet.payload[12:20]) == socket.inet_aton("127.0.0.1") * 2


def test_the_fields_of_a_received_packet(sender: Sender) -> None:
    chain("inet", "input", f"log group {GROUP}")
    before = time.time_ns()
    with nflog.listen(GROUP, timeout=0.01) as log:
        sender.send(b"hello")
        packet = next(log)
    assert packet.timestamp is not None
    # The kernel's clock and ours may differ by the microsecond that it rounds down.
    assert before - 1000 <= packet.timestamp <= time.time_ns()
    assert packet.hook == LOCAL_IN
    assert (packet.indev, packet.outdev) == (netns.LOOPBACK, None)
    assert packet.hwtype == 772  # ARPHRD_LOOPBACK
    assert packet.hwlen == 14
    assert packet.hwheader == bytes(12) + b"\x08\0"
    assert packet.hwaddr == bytes(6)
    assert (packet.uid, packet.gid, packet.mark) == (None, None, None)
    assert packet.prefix in (None, "")


def test_ipv6(sender: Sender) -> None:
    log_output()
    six = Sender(socket.AF_INET6)
    with contextlib.closing(six), nflog.listen(GROUP, timeout=0.01) as log:
        six.send(b"six")
        packet = next(log)
    assert packet.header.family == socket.AF_INET6
    assert packet.hw_protocol == 0x86DD
    assert data(packet) == b"six"
    assert (str(packet.src), packet.dport, packet.proto, packet.udp_length) == ("::1", PORT, 17, 11)


def raw(family: int, protocol: int, data: bytes, destination: str, *options: tuple[int, int, bytes]) -> None:
    """Send a header of the transport layer and its data; the kernel makes the header of IP."""
    with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
        for level, name, value in options:
            sock.setsockopt(level, name, value)
        sock.sendto(data, (destination, 0))


def test_headers_of_tcp_and_icmp() -> None:
    chain("inet", "output", f"meta l4proto {{ tcp, icmp, icmpv6, sctp }} log group {GROUP}")
    with nflog.listen(GROUP, timeout=0.01) as log, socket.socket(socket.AF_INET) as sock:
        with pytest.raises(ConnectionRefusedError):
            sock.connect(("127.0.0.1", PORT))
        syn, reset = take(log, 2)
        raw(socket.AF_INET, 1, struct.pack(">BBHHH", 8, 0, 0xF7FF - 0x1234 - 9, 0x1234, 9), "127.0.0.1")
        echo, reply = take(log, 2)
        raw(socket.AF_INET6, 58, struct.pack(">BBHHH", 128, 0, 0, 5, 6), "::1")
        echo6, reply6 = take(log, 2)
        raw(socket.AF_INET, 132, struct.pack(">HHII", 7, 8, 0, 0), "127.0.0.2")
        sctp = next(log)
    assert (str(syn.src), str(syn.dst), syn.proto, syn.dport) == ("127.0.0.1", "127.0.0.1", 6, PORT)
    assert (syn.tcp_flags, reset.tcp_flags) == (TCPFlag.SYN, TCPFlag.RST | TCPFlag.ACK)
    assert (reset.sport, reset.dport, syn.tcp_ack) == (PORT, syn.sport, 0)
    assert syn.tcp_seq is not None
    assert reset.tcp_ack == (syn.tcp_seq + 1) % (1 << 32)
    assert syn.payload is not None
    assert syn.length == len(syn.payload)
    assert syn.tcp_window
    assert (echo.icmp_type, reply.icmp_type, echo.icmp_code, echo.sport) == (8, 0, 0, None)
    assert (echo.icmp_id, echo.icmp_seq, reply.icmp_id, reply.icmp_seq) == (0x1234, 9, 0x1234, 9)
    assert (echo6.icmp_type, reply6.icmp_type, echo6.icmp_id, reply6.icmp_seq) == (128, 129, 5, 6)
    assert (echo6.proto, str(echo6.src), echo6.ttl, echo6.length) == (58, "::1", 64, 48)
    assert (sctp.proto, sctp.sport, sctp.dport, str(sctp.dst)) == (132, 7, 8, "127.0.0.2")


IPV6_HOPOPTS, IPV6_DSTOPTS = 54, 59  # linux/in6.h


def test_headers_behind_extension_headers_and_of_fragments() -> None:
    # Fragments are made behind this hook: raw sockets send some themselves.
    chain("inet", "output", f"ip6 daddr ::1 log group {GROUP}")
    padding = bytes([0, 0, 1, 4, 0, 0, 0, 0])
    options = [(socket.IPPROTO_IPV6, IPV6_HOPOPTS, padding), (socket.IPPROTO_IPV6, IPV6_DSTOPTS, padding)]
    ports = struct.pack(">HHHH", 5, 6, 8, 0)
    with nflog.listen(GROUP, timeout=0.01) as log:
        raw(socket.AF_INET6, 17, ports, "::1", *options)
        extended = next(log)
        raw(socket.AF_INET6, 44, struct.pack(">BBHI", 17, 0, 1, 77) + ports, "::1")
        first = next(log)
        raw(socket.AF_INET6, 44, struct.pack(">BBHI", 17, 0, 16 | 1, 77) + ports, "::1")
        later = next(log)
    assert extended.payload is not None
    assert extended.payload[6] == 0  # hop-by-hop options
    assert (extended.proto, extended.sport, extended.dport, extended.frag_offset) == (17, 5, 6, 0)
    assert (first.proto, first.sport, first.frag_offset, first.ip_flags, first.ip_id) == (17, 5, 0, IPFlag.MF, 77)
    assert (later.proto, later.sport, later.frag_offset, later.ip_flags) == (17, None, 16, IPFlag.MF)


def test_a_prefix_as_long_as_it_may_be(sender: Sender) -> None:
    prefix = "ü" + "x" * 125  # NF_LOG_PREFIXLEN is 128, with a NUL
    chain("inet", "output", f'udp dport {PORT} log group {GROUP} prefix "{prefix}"')
    with nflog.listen(GROUP, timeout=0.01) as log:
        sender.send(b"")
        assert next(log).prefix == prefix


class Wire:
    """A pair of interfaces: near, where rules are, and the other end, where Ethernet frames are put in."""

    def __init__(self) -> None:
        run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
        for name in ("near", "far"):
            netns.sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 1)
            run("ip", "link", "set", name, "up")
        self.near = socket.if_nametoindex("near")
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.sock.bind(("far", 0))
        eventually(lambda: "LOWER_UP" in run("ip", "link", "show", "near"), "the link is up")

    IP = bytes.fromhex("4500001c00004000401100000a0000010a0000020001000200080000")
    ARP = bytes.fromhex("0001080006040001") + bytes(20)

    @staticmethod
    def frame(kind: int, payload: bytes, vlan: int | None = None) -> bytes:
        tag = b"" if vlan is None else struct.pack(">HH", 0x8100, vlan)
        return b"\xff" * 6 + bytes.fromhex(MAC.replace(":", "")) + tag + struct.pack(">H", kind) + payload


@pytest.mark.parametrize("threshold", [1, 4])
def test_brief_and_long_datagrams_in_turn(sender: Sender, threshold: int) -> None:
    """Brief ones are received many at a time, and copied; all come in order, whole, and in batches of any size."""
    log_output()
    sizes = [size for size in (4, 10_000, 8, 12, 1400, 30_000, 2_000, 2_001, 4) for _ in range(4)]
    sent = [bytes([i]) * size for i, size in enumerate(sizes)]
    with nflog.listen(GROUP, queue_threshold=threshold, timeout=0.01, read_buffer=4 << 20) as log:
        kept = []
        for rows in ((1, 7, 20, 3), (1000,), (2, 5)):
            sender.send(*sent)
            got: list[bytes] = []
            for limit in (*rows, *[100] * len(sent)):
                if len(got) == len(sent):
                    break
                kept.append(log.read(NEVER, limit))
                got += map(data, kept[-1])
            assert got == sent
        assert log.lost == 0
        assert [data(packet) for batch in kept for packet in batch] == sent * 3


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.sock.close()


LINK = b"\xff" * 6 + bytes.fromhex(MAC.replace(":", ""))


def test_the_netdev_family(wire: Wire) -> None:
    chain("netdev", "ingress", f'ether saddr {MAC} log group {GROUP} prefix "in"', device="near")
    with nflog.listen(GROUP, timeout=0.01) as log:
        wire.sock.send(wire.frame(0x0800, wire.IP))
        wire.sock.send(wire.frame(0x0800, wire.IP, vlan=0x6005))
        wire.sock.send(wire.frame(0x0806, wire.ARP))
        plain, tagged, arp = take(log, 3)
    for packet in (plain, tagged, arp):
        assert packet.header.family == 5  # NFPROTO_NETDEV
        assert packet.indev == wire.near
        assert packet.hwaddr is not None
        assert packet.hwaddr.hex(":") == MAC
    assert (plain.payload, plain.l2hdr, plain.vlan) == (wire.IP, LINK + b"\x08\0", None)
    assert (tagged.payload, tagged.hw_protocol) == (wire.IP, 0x0800)
    assert [(str(p.src), p.sport, p.dport, p.udp_length) for p in (plain, tagged)] == [("10.0.0.1", 1, 2, 8)] * 2
    assert (arp.src, arp.length, arp.sport) == (None, None, None)
    assert tagged.vlan is not None
    assert (tagged.vlan.proto, tagged.vlan.tci) == (0x8100, 0x6005)
    assert (arp.payload, arp.hw_protocol, arp.l2hdr) == (wire.ARP, 0x0806, LINK + b"\x08\x06")


def test_the_netdev_family_on_the_way_out(wire: Wire) -> None:
    chain("netdev", "egress", f'log group {GROUP} prefix "out"', device="far")
    with nflog.listen(GROUP, timeout=0.01) as log:
        wire.sock.send(wire.frame(0x0800, wire.IP))
        packet = next(log)
    assert packet.l2hdr == LINK + b"\x08\0"
    assert packet.payload == packet.l2hdr + wire.IP
    assert (str(packet.dst), packet.dport) == ("10.0.0.2", 2)
    assert (packet.indev, packet.outdev) == (None, socket.if_nametoindex("far"))


def test_a_bridge(wire: Wire) -> None:
    run("ip", "link", "add", "br0", "type", "bridge")
    netns.sysctl("net.ipv6.conf.br0.disable_ipv6", 1)
    run("ip", "link", "set", "near", "master", "br0")
    run("ip", "link", "set", "br0", "up")
    chain("bridge", "prerouting", f"ether saddr {MAC} meta mark set 9 log group {GROUP}")
    with nflog.listen(GROUP, timeout=0.01) as log:
        wire.sock.send(wire.frame(0x0800, wire.IP, vlan=5))
        wire.sock.send(wire.frame(0x0806, wire.ARP))
        ip, arp = take(log, 2)
    for packet in (ip, arp):
        assert packet.header.family == 7  # NFPROTO_BRIDGE
        assert packet.hook == PRE_ROUTING
        assert packet.mark == 9
        # A kernel with CONFIG_BRIDGE_NETFILTER reports both.
        if packet.physindev is None:
            assert packet.indev == wire.near
        else:
            assert (packet.physindev, packet.indev) == (wire.near, socket.if_nametoindex("br0"))
    assert ip.vlan is not None
    assert (ip.vlan.proto, ip.vlan.tci, ip.payload) == (0x8100, 5, wire.IP)
    assert (arp.vlan, arp.payload, arp.l2hdr) == (None, wire.ARP, LINK + b"\x08\x06")
    assert (str(ip.src), ip.sport, arp.src) == ("10.0.0.1", 1, None)


# Options


@pytest.mark.parametrize(("copy_range", "size"), [(0, None), (1, 1), (20, 20), (40, 40), (0xFFFF, 1028)])
def test_copy_range(sender: Sender, copy_range: int, size: int | None) -> None:
    log_output()
    with nflog.listen(GROUP, timeout=0.01, copy_range=copy_range) as log:
        sender.send(bytes(1000))
        packet = next(log)
    assert packet.prefix == "out: "
    if size is None:
        assert packet.payload is None
    else:
        assert packet.payload is not None
        assert len(packet.payload) == size


def test_a_rule_cuts_shorter(sender: Sender) -> None:
    log_output(options="snaplen 24")
    with nflog.listen(GROUP, timeout=0.01, copy_range=100) as log:
        sender.send(bytes(1000))
        packet = next(log)
        assert packet.payload is not None
        assert len(packet.payload) == 24


def test_queue_threshold(sender: Sender) -> None:
    log_output()
    with nflog.listen(GROUP, queue_threshold=5, timeout=NEVER) as log:
        sender.many(4)
        assert not queued(log)
        sender.many(1)
        assert queued(log)
        assert len(log.read()) == 5
    with nflog.listen(GROUP, queue_threshold=1, timeout=NEVER) as log:
        sender.many(1)
        assert queued(log)


def test_a_rules_threshold_only_lowers(sender: Sender) -> None:
    log_output(options="queue-threshold 3")
    with nflog.listen(GROUP, queue_threshold=100, timeout=NEVER) as log:
        sender.many(3)
        assert len(log.read()) == 3
    with nflog.listen(GROUP, queue_threshold=2, timeout=NEVER) as log:
        sender.many(2)
        assert len(log.read()) == 2


@pytest.mark.parametrize("timeout", [0, 0.001, 0.03])
def test_timeout(sender: Sender, timeout: float) -> None:
    log_output()
    with nflog.listen(GROUP, queue_threshold=1000, timeout=timeout) as log:
        sender.send(b"one")
        assert data(next(log)) == b"one"


@pytest.mark.parametrize("size", [8192, 131072])
def test_buffer_size(sender: Sender, size: int) -> None:
    log_output()
    with nflog.listen(GROUP, queue_threshold=1 << 20, timeout=0.01, buffer_size=size) as log:
        sender.send(bytes(3000), bytes(3000), bytes(3000))
        found = take(log, 3)
    assert [data(packet) for packet in found] == [bytes(3000)] * 3


def test_datagrams_that_are_larger_than_the_buffer_asked_for(sender: Sender) -> None:
    log_output()
    with nflog.listen(GROUP, queue_threshold=1 << 20, timeout=NEVER, buffer_size=65536) as log:
        sent: list[bytes] = []
        while not (size := queued(log)):
            sent.append(struct.pack("=I", len(sent)) * 300)
            sender.send(sent[-1])
        # The last one did not fit.
        assert size > 65536
        assert [data(packet) for packet in take(log, len(sent) - 1)] == sent[:-1]
        assert log.lost == 0


def test_numbers(sender: Sender) -> None:
    chain("inet", "output", *(f"udp dport {PORT} log group {group}" for group in (1, 2, 1)))
    with (
        nflog.listen(1, timeout=0.01, sequence_global=True) as one,
        nflog.listen(2, timeout=0.01, sequence=False, sequence_global=True) as two,
    ):
        sender.many(2)
        first, second = take(one, 4), take(two, 2)
    assert [packet.seq for packet in first] == [0, 1, 2, 3]
    assert [packet.seq for packet in second] == [None, None]
    assert sorted(p.seq_global for p in first + second if p.seq_global is not None) == list(range(1, 7))


def test_conntrack(sender: Sender) -> None:
    try:
        log = nflog.listen(GROUP, timeout=0.01, conntrack=True)
    except OpError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.errno == errno.EOPNOTSUPP
        assert "CONFIG_NETFILTER_NETLINK_GLUE_CT" in str(refused)
        # Nothing is left of the attempt.
        nflog.listen(GROUP).close()
        return
    chain("inet", "output", f"ct state new udp dport {PORT} log group {GROUP}")
    with log:
        sender.send(b"new")
        packet = next(log)
    assert packet.ct is not None
    assert packet.ct.orig.dst_port == PORT
    assert packet.ct_info is nflog.CtInfo.NEW


def test_one_listener_has_a_group() -> None:
    with nflog.listen(GROUP) as log:
        assert log.group == GROUP
        with pytest.raises(OpError, match=f"another socket.*listens to group {GROUP}") as raised:
            nflog.listen(GROUP)
        assert raised.value.errno == errno.EBUSY
        nflog.listen(GROUP + 1).close()
    nflog.listen(GROUP).close()


def test_without_the_capability() -> None:
    def listen() -> None:
        nflog.listen(GROUP)

    with pytest.raises(PermissionError, match="CAP_NET_ADMIN") as raised:
        unprivileged(listen)
    assert raised.value.errno == errno.EPERM
    assert isinstance(raised.value, OpError)
    assert "CAP_NET_ADMIN" in raised.value.hint
    assert raised.value.__cause__ is None
    # Neither where the group is taken, too.
    with nflog.listen(GROUP), pytest.raises(PermissionError, match="CAP_NET_ADMIN"):
        unprivileged(listen)


def test_another_namespace(sender: Sender) -> None:
    log_output()
    with (
        netns.another() as there,
        nflog.listen(GROUP, netns=there.fd) as log,
        nflog.listen(GROUP, timeout=0.01) as ours,
    ):
        sender.send(b"here")
        assert data(next(ours)) == b"here"
        assert not queued(log)


# Losses


@pytest.mark.parametrize("group", [0, 128, 200, 255, 0x80FF, 65535])
def test_the_end_of_a_batch_is_no_error(sender: Sender, group: int) -> None:
    """Its DONE has the group where that of a dump has an errno."""
    log_output(group)
    with nflog.listen(group, queue_threshold=4, timeout=NEVER) as log:
        sender.many(12)
        assert [struct.unpack("=I", data(packet))[0] for packet in take(log, 12)] == list(range(12))


def test_gaps_are_losses(sender: Sender) -> None:
    log_output()
    with nflog.listen(GROUP, queue_threshold=100, timeout=NEVER, read_buffer=50_000) as log:
        sender.many(20_000)
        got: list[int] = []
        for batch in log.batches(idle=0):
            got += [packet.seq for packet in batch if packet.seq is not None]
        assert log.lost == 0  # nothing has come after the gap
        sender.many(100)
        after = [packet.seq for packet in take(log, 100)]
        assert after == list(range(20_000, 20_100))
        assert got == list(range(len(got)))
        assert log.lost == 20_000 - len(got)
        assert log.lost == 100 * log._source.sock.drops  # what the kernel says: in datagrams
        assert log.lost >= 18_800


def test_losses_without_numbers(sender: Sender) -> None:
    log_output()
    with nflog.listen(GROUP, queue_threshold=100, timeout=NEVER, read_buffer=50_000, sequence=False) as log:
        sender.many(20_000)
        got = sum(len(batch) for batch in take_queued(log))
        assert got + 100 * log.lost == 20_000
        assert log.lost == log._source.sock.drops > 0


def take_queued(log: Log) -> Iterator[Any]:
    """The batches of what is queued."""
    return iter(log.batches(idle=0))


# The end


def test_stop(sender: Sender) -> None:
    log_output()
    with nflog.listen(GROUP, queue_threshold=100, timeout=NEVER) as log:
        sender.many(250)
        log.stop()
        sender.many(10)
        assert [packet.seq for packet in log] == list(range(250))
        assert list(log) == []
        assert list(log.batches()) == []
        # Somebody else can have it.
        nflog.listen(GROUP).close()


def test_stop_where_the_answer_is_lost(sender: Sender) -> None:
    log_output()
    with nflog.listen(GROUP, queue_threshold=1, timeout=NEVER, read_buffer=5_000) as log:
        sender.many(1000)
        drops = log._source.sock.drops
        log.stop()
        assert log._source.sock.drops == drops + 2  # both answers
        seqs = [packet.seq for packet in log]
        assert seqs == list(range(len(seqs)))


@pytest.mark.parametrize("room", [1 << 20, 1])
def test_packets_that_fill_the_buffer_do_not_hold_up_a_bind(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr(source, "_START_BUFFER", room)
    log_output(options="queue-threshold 1")
    read, write = os.pipe()

    def flood() -> None:
        os.close(write)
        with contextlib.closing(Sender()) as sender:
            while not select.select([read], [], [], 0)[0]:
                sender.many(1000)

    child = Child(flood)
    try:
        for _ in range(fewer(1000)):
            # Where there is too little room, the answer may be lost, but is not awaited.
            with (
                contextlib.suppress(OpError) if room == 1 else contextlib.nullcontext(),
                nflog.listen(GROUP, queue_threshold=1, timeout=0, read_buffer=1) as log,
            ):
                assert log.read_buffer() < 10_000
    finally:
        os.close(write)
        os.close(read)
        child.result()


def test_stop_ends_waiting_readers(work: Callable[..., Worker]) -> None:
    with nflog.listen(GROUP) as log:
        reader = work(list, log)
        reader.wait_receiving()
        log.stop()
        assert reader.result() == []


def test_stop_ends_a_task() -> None:
    async def main() -> None:
        async with nflog.listen(GROUP) as log:
            task = asyncio.create_task(collect(log))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            log.stop()
            assert await asyncio.wait_for(task, 10) == []

    asyncio.run(main())


async def collect(log: Log) -> list[Packet]:
    return [packet async for packet in log]


def test_close_from_another_thread(work: Callable[..., Worker]) -> None:
    log = nflog.listen(GROUP)
    reader = work(next, log)
    reader.wait_receiving()
    log.close()
    with pytest.raises(OpError) as raised:
        reader.result()
    assert raised.value.errno == errno.EBADF
    assert log.closed
    assert log.fileno() == -1
    log.stop()
    for call in (lambda: next(log), lambda: log.read(0)):
        with pytest.raises(OpError) as raised:
            call()
        assert raised.value.errno == errno.EBADF
    nflog.listen(GROUP).close()


def test_an_unclosed_log() -> None:
    log = nflog.listen(GROUP)
    held = [log]
    del log
    with pytest.warns(ResourceWarning, match=r"unclosed <netlink\.netfilter\.nflog\.Log"):
        held.clear()
    nflog.listen(GROUP).close()


# Reading


def test_batches(sender: Sender) -> None:
    log_output()
    with nflog.listen(GROUP, queue_threshold=10, timeout=NEVER) as log:
        assert len(log.read(0.001)) == 0
        sender.many(30)
        batches = log.batches(max_rows=8)
        sizes = [len(next(batches)) for _ in range(4)]
        assert sum(sizes) == 30
        assert max(sizes) == 8
        assert len(log.read(0)) == 0


def test_async_for_and_two_logs_in_one_loop(sender: Sender) -> None:
    chain("inet", "output", *(f'udp dport {PORT} log group {group} prefix "{group}"' for group in (1, 2)))

    async def first(log: Log, count: int) -> list[bytes]:
        found: list[bytes] = []
        async for packet in log:
            assert packet.prefix == str(log.group)
            found.append(data(packet))
            if len(found) == count:
                break
        return found

    async def main() -> None:
        async with nflog.listen(1, timeout=0.01) as one, nflog.listen(2, timeout=0.01, queue_threshold=3) as two:
            waiting = asyncio.create_task(first(one, 1))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            tasks = [asyncio.create_task(first(log, 20)) for log in (one, two)]
            await asyncio.sleep(0)
            sender.many(20)
            want = [struct.pack("=I", i) for i in range(20)]
            assert await asyncio.wait_for(asyncio.gather(*tasks), 10) == [want, want]
            assert [batch async for batch in one.batches(idle=0.001)] == []
            assert len(await one.aread(0.001)) == 0

    asyncio.run(main())


def test_payloads_outlive_all_else(sender: Sender) -> None:
    log_output()
    log = nflog.listen(GROUP, queue_threshold=7, timeout=0.01)
    views: list[tuple[memoryview, bytes]] = []
    for i in range(300):
        sent = [bytes([i % 256, j]) * (i + 1) for j in range(7)]
        sender.send(*sent)
        for packet, expected in zip(take(log, 7), sent, strict=True):
            assert packet.payload is not None
            if i % 3 == 0:
                views.append((packet.payload[28:], expected))
    log.close()
    del log, packet
    gc.collect()
    for view, expected in views:
        assert view == expected
        assert view.readonly
    with pytest.raises(TypeError):
        views[0][0][0] = 1


def test_a_signal_while_waiting(sender: Sender, work: Callable[..., Worker]) -> None:
    log_output()
    main, tid = threading.get_ident(), threading.get_native_id()

    class ToldError(Exception):
        pass

    def handler(number: int, frame: Any) -> None:
        raise ToldError

    def interrupt() -> None:
        wait_blocked(tid, "ppoll")
        signal.pthread_kill(main, signal.SIGUSR1)

    with nflog.listen(GROUP, timeout=0.01) as log, on_signal(signal.SIGUSR1, handler):
        worker = work(interrupt)
        with pytest.raises(ToldError):
            next(log)
        worker.result()
        sender.send(b"after")
        assert data(next(log)) == b"after"


def test_a_fork_leaves_the_log_to_its_parent(sender: Sender) -> None:
    log_output()
    with nflog.listen(GROUP, timeout=0.01) as log:
        sender.send(b"before")

        def child() -> bool:
            log.close()
            return log.closed

        assert in_child(child)
        sender.send(b"after")
        assert [data(packet) for packet in take(log, 2)] == [b"before", b"after"]


def test_threads_share_a_log(sender: Sender, work: Callable[..., Worker]) -> None:
    log_output()
    count = 20_000
    with nflog.listen(GROUP, queue_threshold=16, timeout=0.01) as log:

        def one_by_one() -> list[int]:
            return [struct.unpack("=I", data(packet))[0] for packet in log]

        def in_batches() -> list[int]:
            return [struct.unpack("=I", data(packet))[0] for batch in log.batches(50) for packet in batch]

        readers = [work(one_by_one if i % 2 else in_batches) for i in range(4)]
        sending = work(sender.many, count)
        sending.result(30)
        log.stop()
        found = sorted(number for reader in readers for number in reader.result(30))
        assert len(found) + log.lost == count
        assert len(set(found)) == len(found)


def test_capabilities_are_needed_once(sender: Sender, work: Callable[..., Worker]) -> None:
    """A daemon may give them up when it listens."""
    log_output()

    def read() -> bytes:
        with nflog.listen(GROUP, timeout=0.01) as log:
            drop_capabilities()
            sender.send(b"still")
            return data(next(log))

    assert work(read).result() == b"still"


# Files


@pytest.mark.parametrize("link_type", pcapng.LinkType)
def test_a_file_of_logged_packets(sender: Sender, tmp_path: Path, link_type: pcapng.LinkType) -> None:
    chain("inet", "input", f'udp dport {PORT} meta mark set 7 log group {GROUP} prefix "in: "')
    six = Sender(socket.AF_INET6)
    path = tmp_path / "logged.pcapng"
    with (
        contextlib.closing(six),
        nflog.listen(GROUP, timeout=0.01, copy_range=200) as log,
        pcapng.Writer(path, link_type) as out,
    ):
        ports = {s: str(s.sock.getsockname()[1]) for s in (sender, six)}
        sent = [(s, bytes([i]) * (i * 7)) for i in range(40) for s in (sender, six)]
        packets: list[Packet] = []
        for s, datum in sent:
            s.send(datum)
        while len(packets) < len(sent):
            batch = log.read()
            out.write_batch(batch)
            packets += batch
        out.write_statistics(log)
    names = ["ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport", "frame.time_epoch", "frame.len"]
    raw = link_type == pcapng.LinkType.RAW
    names += ["frame.cap_len", "frame.comment"] if raw else ["nflog.prefix", "nflog.ifindex_indev", "nflog.timestamp"]
    found = tshark.fields(path, *names)
    assert len(found) == len(sent)
    for (s, datum), packet, printed in zip(sent, packets, found, strict=True):
        addresses = ("ip.src", "ip.dst") if s is sender else ("ipv6.src", "ipv6.dst")
        assert [printed[name] for name in addresses] == [[s.here], [s.here]]
        assert (printed["udp.srcport"], printed["udp.dstport"]) == ([ports[s]], [str(PORT)])
        assert packet.timestamp is not None
        assert printed["frame.time_epoch"] == [f"{packet.timestamp // 10**9}.{packet.timestamp % 10**9:09}"]
        size = len(datum) + (28 if s is sender else 48)
        if raw:
            assert printed["frame.comment"] == ["in: "]
            assert (printed["frame.len"], printed["frame.cap_len"]) == ([str(size)], [str(min(size, 200))])
        else:
            assert printed["nflog.prefix"] == ["in: "]
            assert printed["nflog.ifindex_indev"] == [str(netns.LOOPBACK)]
            assert f".{packet.timestamp % 10**9:09}" in printed["nflog.timestamp"][0]


def test_a_bridges_packets_in_a_file(wire: Wire, tmp_path: Path) -> None:
    chain("netdev", "ingress", f"ether saddr {MAC} log group {GROUP}", device="near")
    chain("netdev", "egress", f"log group {GROUP}", device="far")
    with nflog.listen(GROUP, timeout=0.01) as log:
        wire.sock.send(wire.frame(0x0800, wire.IP))
        wire.sock.send(wire.frame(0x0806, wire.ARP))
        packets = take(log, 4)
    with pcapng.Writer(tmp_path / "raw.pcapng") as out:
        with pytest.raises(ValueError, match=r"not IP \(protocol 0x0806\)"):
            out.write_batch(packets)
        out.write_batch(p for p in packets if p.hw_protocol == 0x0800)
    assert (
        tshark.fields(tmp_path / "raw.pcapng", "ip.src", "udp.dstport")
        == [{"ip.src": ["10.0.0.1"], "udp.dstport": ["2"]}] * 2
    )
    with pcapng.Writer(tmp_path / "nflog.pcapng", pcapng.LinkType.NFLOG) as out:
        out.write_batch(packets)
    assert len(tshark.fields(tmp_path / "nflog.pcapng", "nflog.family")) == 4
