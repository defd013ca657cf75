"""The codec alone, no kernel: python -m pytest bench/test_codec.py

extra_info (in --benchmark-json, and printed at the end) has nanoseconds per attribute or message.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import netlink
from netlink import AttributeDecoder, AttributeEncoder, Header, HeaderFlags, Message, nltest

sys.path.insert(0, str(Path(__file__).parent))
from flows import dump_request, flow

COUNTS = [0, 1, 8, 64, 512]
MESSAGES = 109  # of 300 bytes in 32 KiB: a chunk of a conntrack dump
PAYLOAD = 284

_report: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def report() -> Iterator[None]:
    yield
    print("\n" + "\n".join(_report))


@pytest.fixture
def measure(benchmark, request) -> Callable[..., object]:
    """measure(unit, n, fn, *args): benchmark fn(*args), which does n of unit."""

    def run(unit: str, n: int, fn: Callable[..., object], *args: object) -> object:
        result = benchmark(fn, *args)
        if benchmark.stats is None:  # --benchmark-disable
            return result
        ns = benchmark.stats.stats.median * 1e9
        benchmark.extra_info[f"ns_per_{unit}"] = ns / n if n else None
        per = f"{ns / n:10.1f} ns per {unit}" if n else ""
        _report.append(f"{request.node.name:34}{ns:12.0f} ns{per}")
        return result

    return run


def attributes(n: int) -> bytes:
    e = AttributeEncoder()
    for i in range(n):
        e.uint32(i & 0xFF, i)
    return e.encode()


@pytest.mark.parametrize("n", COUNTS)
def test_decode(measure, n):
    def decode(b):
        total = 0
        for a in AttributeDecoder(b):
            total += a.uint32()
        return total

    assert measure("attribute", n, decode, attributes(n)) == sum(range(n))


@pytest.mark.parametrize("n", COUNTS)
def test_decode_type_and_value(measure, n):
    """As a caller does it, who needs to know which attribute this is."""

    def decode(b):
        out = {}
        for a in AttributeDecoder(b):
            out[a.type] = a.uint32()
        return out

    assert len(measure("attribute", n, decode, attributes(n))) == min(n, 256)


@pytest.mark.parametrize("n", COUNTS)
def test_encode(measure, n):
    assert len(measure("attribute", n, attributes, n)) == 8 * n


@pytest.mark.parametrize("n", COUNTS)
def test_unmarshal_attributes(measure, n):
    assert len(measure("attribute", n, netlink.unmarshal_attributes, attributes(n))) == n


def test_encode_flow(measure):
    """The 25 attributes, nests included, that create a TCP flow."""
    assert len(measure("flow", 1, flow, 0)) > 150


def datagram() -> bytes:
    """What a dump's receive brings: messages of 300 bytes."""
    header = Header(16 + PAYLOAD, 256, HeaderFlags.MULTI, 1, 2)
    return Message(header, bytes(PAYLOAD)).marshal_binary() * MESSAGES


def test_unmarshal_messages(measure):
    assert len(measure("message", MESSAGES, netlink.unmarshal_messages, datagram())) == MESSAGES


def test_message_header_fields(measure):
    """Reading type and flags of every message of a datagram."""
    messages = netlink.unmarshal_messages(datagram())

    def read():
        n = 0
        for m in messages:
            header = m.header
            n += header.type == 256 and header.flags == 2
        return n

    assert measure("message", MESSAGES, read) == MESSAGES


def test_marshal_binary(measure):
    m = Message(Header(16 + PAYLOAD, 256, HeaderFlags.MULTI, 1, 2), bytes(PAYLOAD))
    assert len(measure("message", 1, m.marshal_binary)) == 16 + PAYLOAD


def test_execute_over_nltest(measure):
    """Conn.execute with an acknowledgement, without a kernel."""
    request = Message(Header(type=16, flags=HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE))
    with nltest.dial(lambda requests: nltest.error(0, requests)) as conn:
        assert len(measure("call", 1, conn.execute, request)) == 1


def test_execute_dump_over_nltest(measure):
    """Conn.execute of a dump of one datagram's messages: what a reply costs per message beside parsing."""
    parts = netlink.unmarshal_messages(datagram())

    def answer(requests):
        sequence = requests[0].header.sequence
        return [m.replace(sequence=sequence, pid=nltest.PID) for m in parts] + [done.replace(sequence=sequence)]

    done = Message(Header(20, 3, HeaderFlags.MULTI, 0, nltest.PID), b"\0\0\0\0")
    with nltest.dial(answer) as conn:
        assert len(measure("message", MESSAGES, conn.execute, dump_request())) == MESSAGES
