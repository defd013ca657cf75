"""The codec alone, no kernel: python -m pytest bench/test_micro.py, or python -m bench micro.

extra_info["items"] is of how many attributes or messages each figure is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import netlink
from bench import traffic
from netlink import AttributeDecoder, AttributeEncoder, Header, HeaderFlags, Message, nltest
from netlink.netfilter.conntrack import Flow
from netlink.netfilter.nflog import Packet
from tests import recorded

Measure = Callable[..., Any]

COUNTS = [0, 1, 8, 64, 512]


@pytest.fixture
def measure(benchmark: Any) -> Measure:
    """measure(n, fn, *args): benchmark fn(*args), which does n of something."""

    def run(n: int, fn: Callable[..., object], *args: object) -> object:
        benchmark.extra_info["items"] = n or 1
        return benchmark(fn, *args)

    return run


def attributes(n: int) -> bytes:
    e = AttributeEncoder()
    for i in range(n):
        e.uint32(i & 0xFF, i)
    return e.encode()


@pytest.mark.parametrize("n", COUNTS)
def test_decode(measure: Measure, n: int) -> None:
    def decode(b: bytes) -> object:
        total = 0
        for a in AttributeDecoder(b):
            total += a.uint32()
        return total

    assert measure(n, decode, attributes(n)) == sum(range(n))


@pytest.mark.parametrize("n", COUNTS)
def test_decode_type_and_value(measure: Measure, n: int) -> None:
    """As a caller does it, who needs to know which attribute this is."""

    def decode(b: bytes) -> object:
        out = {}
        for a in AttributeDecoder(b):
            out[a.type] = a.uint32()
        return out

    assert len(measure(n, decode, attributes(n))) == min(n, 256)


@pytest.mark.parametrize("n", COUNTS)
def test_encode(measure: Measure, n: int) -> None:
    assert len(measure(n, attributes, n)) == 8 * n


@pytest.mark.parametrize("n", COUNTS)
def test_unmarshal_attributes(measure: Measure, n: int) -> None:
    assert len(measure(n, netlink.unmarshal_attributes, attributes(n))) == n


def test_encode_flow(measure: Measure) -> None:
    """A typed flow to the attributes that create it: 25 of them, nests included."""
    assert len(measure(1, traffic.flow(0).encode)) > 150


# What a kernel has sent


@pytest.mark.parametrize("name", ["conntrack_flows", "conntrack_events"])
def test_decode_flows(measure: Measure, name: str) -> None:
    """To a Batch."""
    payloads = recorded.payloads(name)
    assert len(measure(len(payloads), Flow.decode_many, payloads)) == len(payloads)


def test_decode_packets(measure: Measure) -> None:
    payloads = recorded.payloads("nflog_packets")
    assert len(measure(len(payloads), Packet.decode_many, payloads)) == len(payloads)


def test_encode_flows(measure: Measure) -> None:
    flows = Flow.decode_many(recorded.payloads("conntrack_flows"))
    assert all(measure(len(flows), lambda: [flow.encode() for flow in flows]))


def test_read_3_fields(measure: Measure) -> None:
    flows = Flow.decode_many(recorded.payloads("conntrack_flows"))
    assert measure(len(flows), lambda: [(flow.orig.src_port, flow.status, flow.mark) for flow in flows])


def test_flows_to_numpy(measure: Measure) -> None:
    """However many there are."""
    flows = Flow.decode_many(recorded.payloads("conntrack_flows"))
    assert len(measure(1, flows.to_numpy)) == len(flows)


@pytest.mark.parametrize("name", ["conntrack_flows", "nflog_packets", "routes", "links", "addresses", "families"])
def test_unmarshal_messages(measure: Measure, name: str) -> None:
    datagrams = recorded.datagrams(name)

    def unmarshal() -> int:
        return sum(len(netlink.unmarshal_messages(datagram)) for datagram in datagrams)

    n = unmarshal()
    assert measure(n, unmarshal) == n


@pytest.mark.parametrize("name", ["routes", "links", "addresses"])
def test_attributes_of(measure: Measure, name: str) -> None:
    """Type and bytes of each, the header of the message aside."""
    header = {"routes": 12, "links": 16, "addresses": 8}[name]
    payloads = [payload[header:] for payload in recorded.payloads(name)]

    def decode() -> int:
        return sum(len(a.data) > 0 for payload in payloads for a in AttributeDecoder(payload))

    assert measure(sum(len(AttributeDecoder(payload)) for payload in payloads), decode)


def test_message_header_fields(measure: Measure) -> None:
    """Reading type and flags of every message of a datagram."""
    messages = netlink.unmarshal_messages(recorded.datagrams("conntrack_flows")[1])

    def read() -> int:
        return sum(m.header.type == 0x100 and m.header.flags == HeaderFlags.MULTI for m in messages)

    assert measure(len(messages), read)


def test_marshal_binary(measure: Measure) -> None:
    message = netlink.unmarshal_messages(recorded.datagrams("conntrack_flows")[0])[0]
    assert len(measure(1, message.marshal_binary)) == message.header.length


def test_execute_over_nltest(measure: Measure) -> None:
    """Conn.execute with an acknowledgement, without a kernel."""
    request = Message(Header(type=16, flags=HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE))
    with nltest.dial(lambda requests: nltest.error(0, requests)) as conn:
        assert len(measure(1, conn.execute, request)) == 1


def test_execute_dump_over_nltest(measure: Measure) -> None:
    """Conn.execute of a dump: what a reply costs per message beside parsing."""
    parts = [m for d in recorded.datagrams("conntrack_flows") for m in netlink.unmarshal_messages(d)]

    def answer(requests: list[Message]) -> list[Message]:
        sequence = requests[0].header.sequence
        return [m.replace(sequence=sequence, pid=nltest.PID) for m in parts]

    request = Message(Header(type=0x101, flags=HeaderFlags.REQUEST | HeaderFlags.DUMP), bytes(4))
    with nltest.dial(answer) as conn:
        assert len(measure(len(parts) - 1, conn.execute, request)) == len(parts) - 1
