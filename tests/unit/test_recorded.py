"""What the kernel once sent, decoded: nothing of it is unknown, and it encodes to what decodes the same."""

from __future__ import annotations

import pytest

import recorded
from netlink.netfilter import nfqueue
from netlink.netfilter.conntrack import Flow, SCTPState, Status, TCPState, Tuple
from netlink.netfilter.nflog import Packet
from netlink.netfilter.nftables import ElementList, Rule, Set, expr
from netlink.schema import Record
from netlink.sock_diag import NetlinkSocket, PacketSocket, State, TCPSocket, UnixSocket

FILES: list[tuple[str, type[Record]]] = [
    ("conntrack_flows", Flow),
    ("conntrack_events", Flow),
    ("nflog_packets", Packet),
    ("nfqueue_packets", nfqueue.Packet),
    ("nftables_rules", Rule),
    ("nftables_sets", Set),
    ("nftables_elements", ElementList),
    ("tcp_sockets", TCPSocket),
    ("unix_sockets", UnixSocket),
    ("netlink_sockets", NetlinkSocket),
    ("packet_sockets", PacketSocket),
]


@pytest.mark.parametrize(("name", "declaration"), FILES, ids=[name for name, _ in FILES])
def test_nothing_is_unknown_and_all_of_it_encodes_again(name: str, declaration: type[Record]) -> None:
    payloads = recorded.payloads(name)
    batch = declaration.decode_many(payloads)
    assert len(batch) == len(payloads) > 5
    for record in batch:
        assert record.unknown == ()
        assert declaration.decode(record.encode()) == record


def test_recorded_flows_have_what_makes_them_differ() -> None:
    flows = list(Flow.decode_many(recorded.payloads("conntrack_flows")))
    tcp = {flow.protoinfo.tcp.state for flow in flows if flow.protoinfo and flow.protoinfo.tcp}
    sctp = {flow.protoinfo.sctp.state for flow in flows if flow.protoinfo and flow.protoinfo.sctp}
    assert tcp >= {state for state in TCPState if TCPState.SYN_SENT <= state <= TCPState.CLOSE}
    assert sctp == set(SCTPState) - {SCTPState.NONE}
    assert {flow.orig.proto for flow in flows} >= {1, 6, 17, 58, 132, 136, 47, 99, 255}
    assert {flow.orig.src.version for flow in flows if flow.orig.src} == {4, 6}
    assert {flow.helper for flow in flows} == {None, "ftp"}
    assert {flow.labels is None for flow in flows} == {True, False}
    assert {flow.master is None for flow in flows} == {True, False}
    assert {flow.zone is None for flow in flows} == {True, False}
    assert any(flow.status is not None and flow.status & Status.SRC_NAT for flow in flows)
    assert any(flow.counters_orig and flow.counters_orig.bytes for flow in flows)
    assert all(flow.timestamp and flow.timestamp.start for flow in flows)


def test_a_value_that_the_kernel_leaves_out_is_none_and_not_0() -> None:
    values = {"orig": Tuple(proto=6), "reply": Tuple(proto=6)}
    offloaded = Flow.decode(Flow(**values, status=Status.OFFLOAD).encode())
    assert (offloaded.timeout, offloaded.labels, offloaded.mark) == (None, None, None)
    assert "timeout" not in offloaded.to_dict()
    at_its_end = Flow.decode(Flow(**values, timeout=0).encode())
    assert at_its_end.timeout == 0
    assert at_its_end != Flow.decode(Flow(**values).encode())


def test_recorded_rules_have_most_expressions() -> None:
    rules = Rule.decode_many(recorded.payloads("nftables_rules"))
    parts = [part for rule in rules for part in rule.expressions or ()]
    assert len({part.name for part in parts}) > 30
    assert all(part.data is None or not isinstance(part.data, bytes) for part in parts)
    assert expr.NatFlags.MAP_IPS | expr.NatFlags.PERSISTENT in [
        part.data.flags for part in parts if isinstance(part.data, expr.Nat)
    ]


def test_recorded_packets_are_of_both_families() -> None:
    packets = list(Packet.decode_many(recorded.payloads("nflog_packets")))
    assert {packet.prefix for packet in packets} == {"recorded: "}
    assert {packet.hw_protocol for packet in packets} == {0x0800, 0x86DD}
    assert max(len(packet.payload or b"") for packet in packets) == 200
    assert [packet.seq for packet in packets] == list(range(len(packets)))


def test_recorded_sockets_are_in_many_states() -> None:
    sockets = [*TCPSocket.decode_many(recorded.payloads("tcp_sockets"))]
    assert {one.state for one in sockets} >= {State.LISTEN, State.ESTABLISHED, State.TIME_WAIT, State.CLOSE_WAIT}
    assert {one.src.version for one in sockets if one.src} == {4, 6}
    assert any(one.ulp and one.ulp.mptcp for one in sockets)
    assert {one.info is None for one in sockets} == {True, False}
    unix = [*UnixSocket.decode_many(recorded.payloads("unix_sockets"))]
    inodes = {one.inode for one in unix}
    assert any(one.peer in inodes for one in unix)
    assert any((one.path or "").startswith("@") for one in unix)
    assert any(one.vfs for one in unix)
    assert any(one.icons for one in unix)
