"""nfqueue by rules of nft, and verdicts that change flows, tags and link-layer headers, on kernels that can."""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

import netns
from kernel.hosts import Host, bridge
from kernel.queues import FORWARD, NUMBER, PORT, Pair, data
from kernel.tools import NEVER, Worker, run
from netlink import OpError
from netlink.netfilter import conntrack, nfqueue
from netlink.netfilter.conntrack import Expect, Flow, Status, Tuple
from netlink.netfilter.nfqueue import VLAN, CtInfo, Queue

BRIDGE = 7  # NFPROTO_BRIDGE, linux/netfilter.h
UDP = socket.IPPROTO_UDP
ETH_P_ALL, ETH_P_8021Q = 3, 0x8100
SOL_PACKET, PACKET_AUXDATA = 263, 8  # linux/if_packet.h


def nft(rules: str) -> str:
    """What nft(8) says of a ruleset; "" if it is made."""
    if shutil.which("nft") is None:
        pytest.skip("nft is missing (Debian: nftables)")
    return subprocess.run(["nft", "-f", "-"], input=rules, capture_output=True, text=True).stderr


@pytest.fixture(autouse=True)
def can_queue() -> None:
    """A kernel whose nf_tables can queue."""
    refusal = nft("table ip probe {\nchain c {\nqueue num 0\n}\n}\n")
    if refusal:
        pytest.skip(f"nf_tables has no queue here: {refusal.splitlines()[0]}")
    run("nft", "delete", "table", "ip", "probe")


def chain(hook: str, *rules: str, priority: int = 0, kind: str = "filter") -> str:
    lines = (f"chain c{priority + 1000} {{", f"type {kind} hook {hook} priority {priority}", *rules, "}")
    return "\n".join(lines)


def table(*parts: str, family: str = "inet") -> str:
    return "\n".join((f"table {family} t {{", *parts, "}", ""))


def make(*parts: str, family: str = "inet") -> None:
    refusal = nft(table(*parts, family=family))
    assert not refusal, refusal


def make_helper(name: str, protocol: str) -> None:
    """A helper of conntrack, h, in the table."""
    if refusal := nft(table(f'ct helper h {{\ntype "{name}" protocol {protocol}\n}}')):
        pytest.skip(f"the kernel has no helper for {name}: {refusal.splitlines()[0]}")


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


@pytest.mark.parametrize(
    ("family", "hook", "can"),
    [
        ("ip", "input", True),
        ("ip6", "input", True),
        ("inet", "input", True),
        ("bridge", "forward", True),
        ("arp", "input", False),
        ("netdev", 'ingress device "lo"', False),
    ],
)
def test_families_that_queue(family: str, hook: str, can: bool) -> None:
    """Q11."""
    refusal = nft(table(chain(hook, "queue num 5"), family=family))
    assert bool(refusal) != can
    assert can or "not supported" in refusal


def test_a_rule_of_nft(pair: Pair) -> None:
    """With a range of queues, and bypass: without a listener the packets go on."""
    make(chain("input", f"udp dport {PORT} queue num 5-6 bypass"))
    pair.send(b"bypass")
    with nfqueue.listen(5) as one, nfqueue.listen(6) as other:
        pair.send(b"queued")
        (packet,) = [*one.read(0), *other.read(0)]
        assert (packet.family, data(packet)) == (socket.AF_INET, b"queued")
        (one if packet.number == 5 else other).accept(packet)
    assert pair.got() == [b"bypass", b"queued"]


# Flows (Q16, Q17)


@contextlib.contextmanager
def with_flows(number: int = NUMBER) -> Iterator[Queue]:
    try:
        queue = nfqueue.listen(number, conntrack=True)
    except OpError as error:
        if "GLUE_CT" not in error.hint:
            raise
        pytest.skip("the kernel has no CONFIG_NETFILTER_NETLINK_GLUE_CT")
    with queue:
        yield queue


def flow_to(port: int) -> Flow:
    with conntrack.dial() as ct:
        (flow,) = [flow for flow in ct.dump() if flow.orig.dst_port == port]
    return flow


def test_a_verdict_changes_the_flow(pair: Pair) -> None:
    netns.require_conntrack()
    make(chain("input", f"ct state new,established udp dport {PORT} queue num {NUMBER}"))
    with with_flows() as queue:
        pair.send(b"first")
        packet = next(queue)
        assert packet.ct is not None
        assert (packet.ct.orig.dst_port, packet.ct.mark or 0, packet.ct_info) == (PORT, 0, CtInfo.NEW)
        queue.accept(packet, ct=Flow(mark=0x5A))
        assert flow_to(PORT).mark == 0x5A
        pair.send(b"second")
        packet = next(queue)
        assert packet.ct is not None
        assert packet.ct.mark == 0x5A
        assert packet.ct.status is not None
        assert not packet.ct.status & Status.ASSURED
        queue.verdict(
            packet,
            nfqueue.Verdict.ACCEPT,
            ct=Flow(mark=0x0F, mark_mask=0xFF, timeout=5000, status=packet.ct.status | Status.ASSURED),
        )
        flow = flow_to(PORT)
        assert flow.mark == 0x0F
        assert flow.status is not None
        assert flow.status & Status.ASSURED
        assert flow.timeout is not None
        assert 4900 < flow.timeout <= 5000
        pair.send(b"third")
        queue.drop(next(queue), ct=Flow(mark=7))
        assert (flow_to(PORT).mark, queue.refused) == (7, {})
    assert pair.got() == [b"first", b"second"]


def labels(*bits: int) -> bytes:
    return sum(1 << bit for bit in bits).to_bytes(16, "little")


@pytest.mark.skipif(sys.byteorder != "little", reason="labels are words in host byte order")
def test_a_verdict_labels_the_flow(pair: Pair) -> None:
    netns.require_conntrack()
    make(chain("input", f"udp dport {PORT} ct label set 1", f"udp dport {PORT} queue num {NUMBER}"))
    with with_flows() as queue:
        pair.send(b"first")
        packet = next(queue)
        assert packet.ct is not None
        assert packet.ct.labels == labels(1)
        queue.accept(packet, ct=Flow(labels=labels(2, 100), labels_mask=labels(1, 2, 3, 100)))
        assert flow_to(PORT).labels == labels(2, 100)
        pair.send(b"second")
        packet = next(queue)
        assert packet.ct is not None
        assert packet.ct.labels == labels(1, 2, 100)
        queue.accept(packet, ct=Flow(labels=labels(3)))
        assert flow_to(PORT).labels == labels(3)
        assert queue.refused == {}
    assert pair.got() == [b"first", b"second"]


def test_a_verdict_takes_a_helper_away(pair: Pair) -> None:
    """And cannot set another one: the kernel would ignore it, and the mark with it."""
    netns.require_conntrack()
    make_helper("tftp", "udp")
    make(
        chain("output", f'udp dport {PORT} ct helper set "h"'),
        chain("output", f"udp dport {PORT} queue num {NUMBER}", priority=10),
    )
    with with_flows() as queue:
        pair.send(b"first")
        packet = next(queue)
        assert packet.ct is not None
        assert packet.ct.helper == "tftp"
        for which in (packet, packet.id or 0):
            with pytest.raises(ValueError, match="cannot get the helper 'ftp'"):
                queue.accept(which, ct=Flow(helper="ftp", mark=1))
        queue.accept(packet, ct=Flow(helper="tftp", mark=1))
        flow = flow_to(PORT)
        assert (flow.helper, flow.mark) == ("tftp", 1)
        pair.send(b"second")
        queue.accept(next(queue), ct=Flow(helper="", mark=2))
        flow = flow_to(PORT)
        assert (flow.helper, flow.mark, queue.refused) == (None, 2, {})
    assert pair.got() == [b"first", b"second"]


def test_a_verdict_announces_a_flow(pair: Pair) -> None:
    """An expectation for the flow of the packet, which has a helper: the server's answer from elsewhere is related."""
    netns.require_conntrack()
    make_helper("tftp", "udp")
    make(
        chain("output", f'udp dport {PORT} ct helper set "h"'),
        chain("output", f"udp dport {PORT} queue num {NUMBER}", priority=10),
    )
    port = pair.sock.getsockname()[1]
    any_port = Tuple(src="127.0.0.1", dst="127.0.0.1", proto=UDP, src_port=0, dst_port=port)
    mask = Tuple(src="255.255.255.255", dst="255.255.255.255", proto=255, src_port=0, dst_port=0xFFFF)
    with with_flows() as queue:
        pair.send(b"hello")
        packet = next(queue)
        assert packet.ct is not None
        assert packet.ct.helper == "tftp"
        expect = Expect(master=packet.ct.orig, tuple=any_port, mask=mask, timeout=60)
        queue.accept(packet, ct=Flow(), expect=expect)
        with conntrack.dial() as ct:
            (found,) = ct.dump_expect()
            assert (found.tuple.dst_port, found.master.dst_port) == (port, PORT)
        with socket.socket(type=socket.SOCK_DGRAM) as elsewhere:
            elsewhere.sendto(b"data", ("127.0.0.1", port))
            flow = flow_to(port)
        assert flow.status is not None
        assert flow.status & Status.EXPECTED
        assert flow.master is not None
        assert flow.master.dst_port == PORT
    assert pair.got() == [b"hello"]


@pytest.mark.parametrize("adjusted", [True, False])
def test_sequence_numbers_of_tcp_with_nat(adjusted: bool) -> None:
    """Q17: they are adjusted behind a longer payload if the verdict has a flow, be it empty."""
    netns.require_conntrack()
    make_helper("ftp", "tcp")
    make(
        chain("output", 'tcp dport 7000 ct helper set "h"', priority=-150),
        chain("output", f"tcp dport 7000 redirect to :{PORT}", priority=-100, kind="nat"),
        chain("input", f"tcp dport {PORT} queue num {NUMBER}"),
    )
    with with_flows() as queue, socket.create_server(("127.0.0.1", PORT)) as server:

        def decide() -> None:
            for packet in queue:
                text = bytes(packet.payload or b"")
                if text.endswith(b"hello"):
                    flow = Flow() if adjusted else None
                    queue.accept(packet, payload=text + b", world", checksums=True, ct=flow)
                else:
                    queue.accept(packet)

        decider = Worker(decide)
        with socket.create_connection(("127.0.0.1", 7000)) as client:
            peer, _ = server.accept()
            with peer:
                peer.settimeout(NEVER)
                client.sendall(b"hello")
                assert peer.recv(100) == b"hello, world"
                client.sendall(b" again, and again")
                rest = b""
                # Else the client is told of bytes that it has not sent, and the server has its numbers already.
                with contextlib.suppress(ConnectionResetError):
                    rest = peer.recv(100)
                assert (rest == b" again, and again") == adjusted
        queue.stop()
        decider.result()


# Bridges (Q18)


@pytest.fixture
def ends() -> Iterator[tuple[Host, Host]]:
    """Two hosts at a bridge, whose queue has what goes from the first to PORT of the second."""
    with contextlib.ExitStack() as opened:
        left, right = bridge(opened)
        make(
            chain(
                "forward",
                f"ether saddr {left.mac.hex(':')} vlan id 7 queue num {NUMBER}",
                f"ether saddr {left.mac.hex(':')} udp dport {PORT} queue num {NUMBER}",
            ),
            family="bridge",
        )
        yield left, right


def captured(wire: socket.socket) -> tuple[bytes, int | None]:
    """The next frame with UDP, and the tag that the kernel has taken out of it."""
    while True:
        frame, parts, _, _ = wire.recvmsg(2000, 200)
        if frame[12:14] == b"\x08\0" and frame[23] == UDP and frame[36:38] == struct.pack(">H", PORT):
            break
    for level, kind, value in parts:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, _ = struct.unpack("=IIIHHHH", value)
            return frame, tci if status & 0x10 else None  # TP_STATUS_VLAN_VALID
    raise AssertionError("no PACKET_AUXDATA")


def tap(host: Host) -> socket.socket:
    wire = host.open(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    wire.bind(("wire", ETH_P_ALL))
    wire.settimeout(NEVER)
    return wire


def test_link_layer_headers(ends: tuple[Host, Host]) -> None:
    left, right = ends
    wire, sender = tap(right), left.sender(right)
    with nfqueue.listen(NUMBER) as queue:
        sender.send(b"bridged")
        packet = next(queue)
        assert (packet.family, packet.hook, packet.vlan) == (BRIDGE, FORWARD, None)
        assert packet.l2hdr == right.mac + left.mac + b"\x08\0"
        new = right.mac + bytes.fromhex("020000000077") + b"\x08\0"
        with pytest.raises(ValueError, match="14 bytes"):
            queue.accept(packet, l2hdr=new[:-1])
        queue.accept(packet, l2hdr=new)
        frame, tci = captured(wire)
        assert (frame[:14], frame[42:], tci) == (new, b"bridged", None)
        assert queue.refused == {}


def test_vlan_tags(ends: tuple[Host, Host]) -> None:
    left, right = ends
    wire, raw = tap(right), left.open(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(("wire", 0))
    with nfqueue.listen(NUMBER) as queue:
        left.sender(right).send(b"plain")
        plain = next(queue)
        queue.accept(plain, vlan=VLAN(proto=ETH_P_8021Q, tci=0x2009))
        frame, tci = captured(wire)
        assert (frame[42:], tci) == (b"plain", 0x2009)
        raw.send(frame[:12] + struct.pack(">HH", ETH_P_8021Q, 7) + frame[12:])
        tagged = next(queue)
        assert tagged.vlan is not None
        assert (tagged.vlan.proto, tagged.vlan.tci, tagged.family) == (ETH_P_8021Q, 7, BRIDGE)
        queue.accept(tagged, vlan=VLAN(proto=ETH_P_8021Q, tci=8), mark=1)
        frame, tci = captured(wire)
        assert (frame[42:], tci, queue.refused) == (b"plain", 8, {})
