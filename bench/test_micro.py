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

Measure = Callable[..., Any]

COUNTS = [0, 1, 8, 64, 512]
MESSAGES = 109  # of 300 bytes in 32 KiB: a chunk of a conntrack dump
PAYLOAD = 284


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


def datagram() -> bytes:
    """What a dump's receive brings: messages of 300 bytes."""
    header = Header(16 + PAYLOAD, 256, HeaderFlags.MULTI, 1, 2)
    return Message(header, bytes(PAYLOAD)).marshal_binary() * MESSAGES


def test_unmarshal_messages(measure: Measure) -> None:
    assert len(measure(MESSAGES, netlink.unmarshal_messages, datagram())) == MESSAGES


def test_message_header_fields(measure: Measure) -> None:
    """Reading type and flags of every message of a datagram."""
    messages = netlink.unmarshal_messages(datagram())

    def read() -> int:
        n = 0
        for m in messages:
            header = m.header
            n += header.type == 256 and header.flags == 2
        return n

    assert measure(MESSAGES, read) == MESSAGES


def test_marshal_binary(measure: Measure) -> None:
    m = Message(Header(16 + PAYLOAD, 256, HeaderFlags.MULTI, 1, 2), bytes(PAYLOAD))
    assert len(measure(1, m.marshal_binary)) == 16 + PAYLOAD


def test_execute_over_nltest(measure: Measure) -> None:
    """Conn.execute with an acknowledgement, without a kernel."""
    request = Message(Header(type=16, flags=HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE))
    with nltest.dial(lambda requests: nltest.error(0, requests)) as conn:
        assert len(measure(1, conn.execute, request)) == 1


def test_execute_dump_over_nltest(measure: Measure) -> None:
    """Conn.execute of a dump of one datagram's messages: what a reply costs per message beside parsing."""
    parts = netlink.unmarshal_messages(datagram())

    def answer(requests: list[Message]) -> list[Message]:
        sequence = requests[0].header.sequence
        return [m.replace(sequence=sequence, pid=nltest.PID) for m in parts] + [done.replace(sequence=sequence)]

    done = Message(Header(20, 3, HeaderFlags.MULTI, 0, nltest.PID), b"\0\0\0\0")
    request = Message(Header(type=0x101, flags=HeaderFlags.REQUEST | HeaderFlags.DUMP), bytes(4))
    with nltest.dial(answer) as conn:
        assert len(measure(MESSAGES, conn.execute, request)) == MESSAGES
