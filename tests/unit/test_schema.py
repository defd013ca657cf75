"""The schema engine: each kind decoded from bytes made by other means, read, made from keywords and encoded again."""

from __future__ import annotations

import collections.abc
import copy
import gc
import itertools
import json
import operator
import pickle
import queue
import re
import signal
import struct as cstruct
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from netlink import NESTED, AttributeEncoder, DecodeError, EncodeError, schema
from netlink._engine.record import restored_batch
from netlink.schema import (
    AttributeSet,
    Batch,
    Field,
    Int,
    IPv4,
    MissingAttribute,
    Record,
    Struct,
    array,
    base64,
    be16,
    be32,
    be64,
    binary,
    event,
    flag,
    ip,
    ipv4,
    ipv6,
    lladdr,
    mac,
    nested,
    packed,
    pad,
    repeated,
    s8,
    s16,
    s32,
    s64,
    sint,
    string,
    struct,
    submessage,
    u8,
    u16,
    u32,
    u64,
    uint,
    view,
)

Build = Callable[[AttributeEncoder], Any]


class Pair(AttributeSet):
    one = u8(1)
    two = u8(2)


def wire(build: Build) -> bytes:
    encoder = AttributeEncoder()
    build(encoder)
    return encoder.encode()


def attr(kind: int, data: bytes = b"") -> bytes:
    return cstruct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


class State(IntEnum):
    NONE = 0
    SYN_SENT = 1
    ESTABLISHED = 3


class Status(IntFlag):
    EXPECTED = 1
    SEEN_REPLY = 2
    ASSURED = 4


class NfGenMsg(Struct):
    family = u8()
    version = u8()
    res_id = be16()


class Scalars(AttributeSet):
    a_u8 = u8(1)
    a_u16 = u16(2)
    a_u32 = u32(3)
    a_u64 = u64(4)
    a_s8 = s8(5)
    a_s16 = s16(6)
    a_s32 = s32(7)
    a_s64 = s64(8)
    a_be16 = be16(9)
    a_be32 = be32(10)
    a_be64 = be64(11)
    a_uint = uint(12)
    a_sint = sint(13)


class Kinds(AttributeSet):
    on = flag(1)
    text = string(2)
    data = binary(3)
    fixed = binary(4, size=6)
    hw = mac(5)
    v4 = ipv4(6)
    v6 = ipv6(7)
    one = ip(8)
    two = ip(9, 10)
    state = u8(11, enum=State)
    status = be32(12, enum=Status)
    plain_flags = u64(13, enum=Status)
    link = lladdr(14)


class Port(AttributeSet):
    number = be16(1)
    name = string(2)


class Inner(AttributeSet):
    x = u32(1)
    port = nested(2, Port)
    need = u16(3, required=True)


class Stats(Struct):
    count = u32()
    delta = s16()
    port = be16()
    hw = mac()
    pad = binary(size=2)
    total = be64()
    addr = ipv4()
    addr6 = ipv6()


class Eth(AttributeSet):
    speed = u32(1)


class Vlan(AttributeSet):
    vid = u16(1)
    label = string(2)


class Flow(AttributeSet, header=NfGenMsg):
    status = be32(3, enum=Status)
    orig = nested(1, Inner)
    reply = nested(2, Inner)
    seldom = nested(4, Inner, rare=True)
    mark = u32(5, required=True)
    numbers = repeated(6, u32)
    ports = repeated(7, Port)
    names = array(8, string)
    parts = array(9, Inner)
    pack = packed(10, be16)
    stats = struct(11, Stats)
    kind = u16(12)
    by_int = submessage(13, on="kind", cases={1: Eth, 2: Vlan})
    kind_name = string(14)
    by_name = submessage(15, on="kind_name", cases={"eth": Eth, "vlan": Vlan})


class Contained(AttributeSet):
    """A tuple of linux/netfilter/nfnetlink_conntrack.h: (1, 1) CTA_IP_V4_SRC, (1, 3) CTA_IP_V6_SRC."""

    src = ip((1, 1), (1, 3))
    dst = ip((1, 2), (1, 4))
    protocol = u8((2, 1))
    src_port = be16((2, 2))
    icmp_id = be16((2, 4), type6=(2, 7), of="src")
    label = string((2, 20))
    deep = u32((3, 1, 2))
    plain = u8(4)


def check(record: Record, payload: bytes | None = None) -> None:
    """What holds for every record."""
    cls = type(record)
    if payload is not None:
        assert record.encode() == payload
    again = cls.decode(record.encode())
    assert again == record
    assert (again != record) is False
    assert hash(again) == hash(record)
    assert repr(again).startswith(f"{cls.__name__}(")
    if "<locals>" not in cls.__qualname__:  # pickle finds classes by name
        assert pickle.loads(pickle.dumps(record)) == record
    assert copy.deepcopy(record) == record
    assert cls.decode_many([record.encode()])[0] == record
    assert again.to_dict().keys() <= cls.__fields__.keys()


# Integers

INTEGERS = [
    ("a_u8", 1, "B"), ("a_u16", 2, "=H"), ("a_u32", 3, "=I"), ("a_u64", 4, "=Q"), ("a_s8", 5, "b"), ("a_s16", 6, "=h"),
    ("a_s32", 7, "=i"), ("a_s64", 8, "=q"), ("a_be16", 9, ">H"), ("a_be32", 10, ">I"), ("a_be64", 11, ">Q"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "type_", "code"), INTEGERS)
def test_integers(name: str, type_: int, code: str) -> None:
    width = cstruct.calcsize(code)
    signed = code[-1].islower()
    low, high = (-1 << 8 * width - 1, (1 << 8 * width - 1) - 1) if signed else (0, (1 << 8 * width) - 1)
    for value in {low, high, 0, 1, -1 if signed else 2, low + 1, high - 1, 0x12 % high}:
        payload = attr(type_, cstruct.pack(code, value))
        record = Scalars.decode(payload)
        assert getattr(record, name) == value
        assert record.to_dict() == {name: value}
        assert repr(record) == f"Scalars({name}={value})"
        made = Scalars(**{name: value})
        assert made == record
        check(made, payload)
    for wrong in (low - 1, high + 1, 1 << 70, -1 << 70):
        with pytest.raises(EncodeError, match=name):
            Scalars(**{name: wrong})
    for bad in ("1", 1.5, b"1", [1]):
        with pytest.raises(TypeError, match=name):
            Scalars(**{name: bad})
    for size in {0, 1, 2, 3, 4, 5, 8, 9, 16} - {width}:
        with pytest.raises(DecodeError) as caught:
            Scalars.decode(attr(99, b"abcde") + attr(type_, bytes(size)))
        assert str(caught.value) == f"Scalars.{name}: want {width} bytes, got {size}, at byte 16"


@pytest.mark.parametrize(("name", "type_", "codes"), [("a_uint", 12, "BHIQ"), ("a_sint", 13, "bhiq")])
def test_variable_integers(name: str, type_: int, codes: str) -> None:
    for code in codes:
        width = cstruct.calcsize("=" + code)
        values = [0, 1, 127] if code.isupper() else [0, -1, -128, 127]
        if width == 8:
            values.append(1 << 40)
        for value in values:
            record = Scalars.decode(attr(type_, cstruct.pack("=" + code, value)))
            assert getattr(record, name) == value
            made = Scalars(**{name: value})
            assert made == record
            want = 4 if abs(value) < 1 << 31 else 8
            check(made, attr(type_, cstruct.pack("=" + codes[2 if want == 4 else 3], value)))
    for value in (-1, 1 << 64) if codes == "BHIQ" else (-1 << 64, 1 << 63):
        with pytest.raises(EncodeError, match=name):
            Scalars(**{name: value})
    for size in (0, 3, 5, 7, 9):
        with pytest.raises(DecodeError, match=rf"^Scalars\.{name}: want .*got {size}, at byte 4$"):
            Scalars.decode(attr(type_, bytes(size)))


@pytest.mark.parametrize("value", [0xFFFFFFFF, 0x80000000, 0x100000000, (1 << 64) - 1])
def test_uint_edges(value: int) -> None:
    check(Scalars(a_uint=value), attr(12, cstruct.pack("=I" if value < 1 << 32 else "=Q", value)))


@pytest.mark.parametrize("value", [-1 << 31, (1 << 31) - 1, 1 << 31, (-1 << 31) - 1, -1 << 63])
def test_sint_edges(value: int) -> None:
    code = "=i" if -1 << 31 <= value < 1 << 31 else "=q"
    check(Scalars(a_sint=value), attr(13, cstruct.pack(code, value)))


# The other plain kinds

PLAIN: list[tuple[str, Any, Any, bytes]] = [
    ("on", True, True, attr(1)),
    ("text", "eth0", "eth0", attr(2, b"eth0\0")),
    ("text", "", "", attr(2, b"\0")),
    ("text", "\u00e9\u4e2d", "\u00e9\u4e2d", attr(2, "\u00e9\u4e2d".encode() + b"\0")),
    ("text", "\udcff", "\udcff", attr(2, b"\xff\0")),
    ("text", "a\0b", "a\0b", attr(2, b"a\0b\0")),
    ("data", b"", b"", attr(3)),
    ("data", bytearray(b"\0\1\0"), b"\0\1\0", attr(3, b"\0\1\0")),
    ("data", memoryview(bytes(65531)), bytes(65531), attr(3, bytes(65531))),
    ("fixed", b"\0\1\2\3\4\5", b"\0\1\2\3\4\5", attr(4, b"\0\1\2\3\4\5")),
    ("hw", "02:00:00:ab:cd:ef", "02:00:00:ab:cd:ef", attr(5, bytes.fromhex("020000abcdef"))),
    ("v4", "10.0.0.255", IPv4Address("10.0.0.255"), attr(6, b"\n\0\0\xff")),
    ("v4", IPv4Address("255.255.255.255"), IPv4Address("255.255.255.255"), attr(6, b"\xff" * 4)),
    ("v6", "2001:db8::1", IPv6Address("2001:db8::1"), attr(7, IPv6Address("2001:db8::1").packed)),
    ("v6", "::ffff:1.2.3.4", IPv6Address("::ffff:1.2.3.4"), attr(7, IPv6Address("::ffff:1.2.3.4").packed)),
    ("one", "1.2.3.4", IPv4Address("1.2.3.4"), attr(8, b"\1\2\3\4")),
    ("one", "::1", IPv6Address("::1"), attr(8, IPv6Address("::1").packed)),
    ("one", "::ffff:1.2.3.4", IPv6Address("::ffff:1.2.3.4"), attr(8, IPv6Address("::ffff:1.2.3.4").packed)),
    ("two", "1.2.3.4", IPv4Address("1.2.3.4"), attr(9, b"\1\2\3\4")),
    ("two", "::", IPv6Address("::"), attr(10, bytes(16))),
    ("state", State.ESTABLISHED, State.ESTABLISHED, attr(11, b"\3")),
    ("state", 77, 77, attr(11, b"\x4d")),
    ("status", 6, Status.SEEN_REPLY | Status.ASSURED, attr(12, b"\0\0\0\6")),
    ("status", 0, Status(0), attr(12, b"\0\0\0\0")),
    ("status", 1 << 31 | 1, Status(1 << 31 | 1), attr(12, b"\x80\0\0\1")),
    ("plain_flags", 1 << 63, Status(1 << 63), attr(13, cstruct.pack("=Q", 1 << 63))),
]


@pytest.mark.parametrize(
    ("name", "given", "read", "payload"), PLAIN, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(PLAIN)]
)
def test_plain_kinds(name: str, given: Any, read: Any, payload: bytes) -> None:
    record = Kinds.decode(payload)
    value = getattr(record, name)
    assert value == read
    assert type(value) is type(read)
    assert record.to_dict() == {name: read}
    assert repr(record) == f"Kinds({name}={read!r})"
    assert record.unknown == ()
    made = Kinds(**{name: given})
    assert made == record
    check(made, payload)
    for other in Kinds.__fields__:
        assert other == name or getattr(record, other) is None


def test_enum_types() -> None:
    assert isinstance(Kinds.decode(attr(11, b"\1")).state, State)
    assert type(Kinds.decode(attr(11, b"\2")).state) is int
    assert isinstance(Kinds.decode(attr(12, b"\0\1\0\1")).status, Status)


def test_bitfield32() -> None:
    """struct nla_bitfield32 of linux/netlink.h: value, selector, both in host byte order."""

    class Bits(AttributeSet):
        bits = schema.bitfield32(1)
        many = repeated(2, schema.bitfield32)

    payload = attr(1, cstruct.pack("=II", 5, 0xFFFFFFFF))
    record: Any = Bits.decode(payload)
    assert record.bits == schema.Bitfield32(value=5, selector=0xFFFFFFFF)
    assert (record.bits.value, record.bits.selector) == (5, 0xFFFFFFFF)
    check(Bits(bits=record.bits), payload)
    check(Bits(bits=(5, 0xFFFFFFFF)), payload)
    assert Bits(many=[(1, 2), (3, 4)]).many == ((1, 2), (3, 4))
    for bad in (5, (1,), (1, 2, 3), ("a", 1), "ab"):
        with pytest.raises(TypeError, match="bits"):
            Bits(bits=bad)
    for wrong in ((1 << 32, 1), (0, -1)):
        with pytest.raises(EncodeError, match="bits"):
            Bits(bits=wrong)
    with pytest.raises(DecodeError, match=r"^Bits\.bits: want 8 bytes, got 4, at byte 4$"):
        Bits.decode(attr(1, bytes(4)))


def test_flag_false_is_absent() -> None:
    assert Kinds(on=False).on is None
    assert Kinds(on=False).encode() == b""


@pytest.mark.parametrize("text", [b"lo", b"lo\0", b"lo\0\0\0", b"\0\0", b""])
def test_strings_lose_trailing_nuls(text: bytes) -> None:
    assert Kinds.decode(attr(2, text)).text == text.rstrip(b"\0").decode()


@pytest.mark.parametrize(
    ("name", "type_", "sizes"),
    [("on", 1, [1, 4]), ("fixed", 4, [0, 5, 7]), ("hw", 5, [0, 5, 7, 8]), ("v4", 6, [0, 3, 5, 16]),
     ("v6", 7, [0, 4, 15, 17]), ("one", 8, [0, 3, 5, 8, 15, 17]), ("two", 9, [0, 16]), ("two", 10, [0, 4]),
     ("state", 11, [0, 2, 4]), ("status", 12, [0, 2, 8])],
)  # fmt: skip
def test_wrong_widths(name: str, type_: int, sizes: list[int]) -> None:
    for size in sizes:
        with pytest.raises(DecodeError, match=rf"^Kinds\.{name}: want \d+ bytes, got {size}, at byte 12$"):
            Kinds.decode(attr(200, b"ab") + attr(type_, bytes(size)))


@pytest.mark.parametrize(
    ("name", "value"),
    [("text", b"x"), ("text", 1), ("data", "x"), ("data", 1), ("fixed", "abcdef"), ("fixed", 6), ("hw", 5),
     ("hw", b"abcdef"), ("v4", []), ("v4", 1.5), ("state", "x"), ("status", 1.0)],
)  # fmt: skip
def test_wrong_types(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{name}: want "):
        Kinds(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("fixed", b"12345"), ("fixed", b"1234567"), ("hw", "02:00:00:00:00"), ("hw", "02:00:00:00:00:00:01"),
     ("hw", "zz:00:00:00:00:00"), ("v4", "::1"), ("v6", "1.2.3.4"), ("v4", IPv6Address("::1")), ("v4", "1.2.3"),
     ("one", "what"), ("state", 256), ("state", -1), ("status", 1 << 32), ("text", "\ud800")],
)  # fmt: skip
def test_values_that_do_not_fit(name: str, value: Any) -> None:
    with pytest.raises(EncodeError, match=name):
        Kinds(**{name: value})


@pytest.mark.parametrize("name", ["text", "data"])
def test_too_long_to_encode(name: str) -> None:
    value = bytes(65532) if name == "data" else "x" * 65531
    with pytest.raises(EncodeError):
        Kinds(**{name: value}).encode()
    with pytest.raises(EncodeError):
        Outer(inner=Kinds(**{name: value}))


class Outer(AttributeSet):
    inner = nested(1, Kinds)


def test_encode_of_a_nest_too_long() -> None:
    record = Outer(inner=Kinds(data=bytes(40000)))
    assert record.inner is not None
    with pytest.raises(EncodeError):
        Outer(inner=Kinds(data=bytes(40000), text="x" * 40000)).encode()


# Nesting


def test_nested() -> None:
    payload = NfGenMsg(family=2, res_id=0x1234).encode() + wire(
        lambda e: (
            e.bytes(3, b"\0\0\0\4"),
            e.nested(1, lambda n: (n.uint32(1, 7), n.nested(2, lambda p: (p.bytes(1, b"\0\x50"), p.string(2, "web"))))),
        )
    )
    flow = Flow.decode(payload)
    assert flow.header.family == 2
    assert flow.header.version == 0
    assert flow.header.res_id == 0x1234
    assert flow.status is Status.ASSURED
    assert flow.orig.x == 7
    assert flow.orig.port == Port(number=80, name="web")
    assert flow.reply is None
    assert flow.to_dict() == {
        "header": {"family": 2, "version": 0, "res_id": 0x1234},
        "status": Status.ASSURED,
        "orig": {"x": 7, "port": {"number": 80, "name": "web"}},
    }
    assert repr(flow.orig) == "Inner(x=7, port=Port(number=80, name='web'))"
    made = Flow(orig=Inner(x=7, port=Port(name="web", number=80)), header=NfGenMsg(family=2, res_id=0x1234), status=4)
    check(made, payload)
    port = flow.orig.port
    del flow
    gc.collect()
    assert port.name == "web"


def test_header_bytes() -> None:
    assert Flow(header=NfGenMsg(family=10, version=1, res_id=2), mark=0).encode() == b"\n\1\0\2" + attr(5, bytes(4))
    assert Flow(mark=1).encode()[:4] == bytes(4)
    for size in range(4):
        with pytest.raises(DecodeError, match=f"^Flow.*4 bytes, got {size}, at byte 0$"):
            Flow.decode(bytes(size))
    assert Flow.decode(bytes(4)).to_dict() == {"header": {"family": 0, "version": 0, "res_id": 0}}


def test_header_of_odd_size_is_aligned() -> None:
    class Odd(Struct):
        a = u8()
        b = u16()
        c = binary(size=2)

    class Message(AttributeSet, header=Odd):
        x = u8(1)

    payload = b"\1" + cstruct.pack("=H", 2) + b"ab" + bytes(3) + attr(1, b"\7")
    record = Message.decode(payload)
    assert (record.header.a, record.header.b, record.header.c, record.x) == (1, 2, b"ab", 7)
    check(Message(x=7, header=Odd(a=1, b=2, c=b"ab")), payload)
    assert Message.decode(payload[:5]).to_dict() == {"header": {"a": 1, "b": 2, "c": b"ab"}}
    with pytest.raises(DecodeError, match="at byte 0"):
        Message.decode(payload[:4])
    with pytest.raises(DecodeError, match=r"^Message\.x: want 1 bytes, got 2, at byte 12$"):
        Message.decode(payload[:8] + attr(1, b"ab"))


def test_rare() -> None:
    inner = wire(lambda n: (n.uint32(1, 9), n.nested(2, lambda p: p.string(2, "n")), n.bytes(77, b"unknown")))
    flow = Flow.decode(bytes(4) + attr(4 | NESTED, inner))
    assert flow.seldom.x == 9
    assert flow.seldom.port.name == "n"
    assert flow.seldom.unknown == ((77, b"unknown"),)
    assert flow.unknown == ()
    check(flow)
    check(Flow(seldom=Inner(x=9, port=Port(name="n")), mark=1))
    with pytest.raises(TypeError, match="seldom"):
        Flow(seldom=Port())
    with pytest.raises(DecodeError, match=r"^Flow\.seldom\.x: want 4 bytes, got 2, at byte 12$"):
        Flow.decode(bytes(4) + attr(4, attr(1, b"ab")))


def test_required() -> None:
    flow = Flow.decode(bytes(4))
    with pytest.raises(MissingAttribute, match=r"Flow\.mark"):
        _ = flow.mark
    with pytest.raises(AttributeError):
        _ = flow.mark
    assert not hasattr(flow, "mark")
    assert issubclass(MissingAttribute, AttributeError)
    assert flow.to_dict().keys() == {"header"}
    assert "mark" not in repr(flow)
    check(flow)
    assert Flow.decode(bytes(4) + attr(5, bytes(4))).mark == 0


# Lists


def test_repeated() -> None:
    payload = bytes(4) + wire(
        lambda e: (
            e.uint32(6, 1),
            e.nested(7, lambda n: n.bytes(1, b"\0\1")),
            e.uint32(6, 2),
            e.nested(7, lambda n: (n.string(2, "two"), n.bytes(50, b"?"))),
            e.uint32(6, 3),
        )
    )
    flow = Flow.decode(payload)
    assert flow.numbers == (1, 2, 3)
    assert flow.ports == (Port(number=1), Port(name="two"))
    assert flow.ports[1].unknown == ((50, b"?"),)
    assert flow.ports[0].unknown == flow.unknown == ()
    assert flow.to_dict()["ports"] == [{"number": 1}, {"name": "two"}]
    made = Flow(numbers=[1, 2, 3], ports=(Port(number=1), Port(name="two")))
    check(made)
    assert made == flow
    with pytest.raises(TypeError, match="ports"):
        Flow(ports=[Port(), Inner()])
    with pytest.raises(EncodeError, match="numbers"):
        Flow(numbers=[1 << 32])
    with pytest.raises(TypeError):
        Flow(numbers=1)
    with pytest.raises(DecodeError, match=r"^Flow\.ports\.number: want 2 bytes, got 4, at byte 20$"):
        Flow.decode(bytes(4) + attr(6, bytes(4)) + attr(7, attr(1, bytes(4))))
    with pytest.raises(DecodeError, match=r"^Flow\.numbers: want 4 bytes, got 2, at byte 16$"):
        Flow.decode(bytes(4) + attr(6, bytes(4)) + attr(6, bytes(2)))


def test_array() -> None:
    payload = bytes(4) + wire(
        lambda e: (
            e.nested(8, lambda n: (n.string(1, "a"), n.string(2, ""), n.string(3, "c" * 100))),
            e.nested(9, lambda n: (n.nested(1, lambda i: i.uint32(1, 5)), n.nested(2, lambda i: None))),
        )
    )
    flow = Flow.decode(payload)
    assert flow.names == ("a", "", "c" * 100)
    assert flow.parts == (Inner(x=5), Inner())
    check(flow, payload)
    check(Flow(names=flow.names, parts=flow.parts), payload)
    assert Flow.decode(bytes(4) + attr(8)).names == ()
    assert Flow(names=[]).names == ()
    for types in ((0, 0), (9, 3)):
        elements = b"".join(attr(t, b"x") for t in types)
        assert Flow.decode(bytes(4) + attr(8, elements)).names == ("x", "x")
    with pytest.raises(DecodeError, match=r"^Flow\.parts\.x: want 4 bytes, got 1, at byte 16$"):
        Flow.decode(bytes(4) + attr(9, attr(1, attr(1, b"a"))))
    with pytest.raises(DecodeError, match=r"^Flow\.names: .*at byte 8$"):
        Flow.decode(bytes(4) + attr(8, b"\x09\0\0\0"))


def test_a_batch_of_more_than_its_offsets_reach() -> None:
    available = int(re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())[1]) >> 20  # type: ignore[index]
    if available < 6:
        pytest.skip(f"6 GiB of memory are needed, {available} are free")
    payload = attr(3, bytes(60_000))
    with pytest.raises(OverflowError, match=r"at most 4 GiB of variable-length data: decode in parts, as iter_dump"):
        Kinds.decode_many(itertools.repeat(payload, 80_000))


def test_replace() -> None:
    port = Port(number=80, name="web")
    inner = Inner(x=1, port=port, need=2)
    other = inner.replace(x=5, port=port.replace(name=None))
    assert other == Inner(x=5, port=Port(number=80), need=2)
    assert inner == Inner(x=1, port=port, need=2)
    assert inner.replace() == inner
    assert inner.replace(x=None).x is None
    with pytest.raises(TypeError, match="Inner has no field 'y'"):
        inner.replace(y=1)
    with pytest.raises(EncodeError):
        port.replace(number=1 << 16)
    newer = Port.decode(attr(1, b"\0\7") + attr(99, b"later"))
    assert newer.unknown
    assert newer.replace(name="x") == Port(number=7, name="x")
    # What is required and absent stays so.
    assert Inner(x=1).replace(x=2).encode() == attr(1, cstruct.pack("=I", 2))


@pytest.mark.skipif(not hasattr(copy, "replace"), reason="copy.replace is of Python 3.13")
def test_copy_replace() -> None:
    assert copy.replace(Port(number=80), name="web") == Port(number=80, name="web")  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [0, 1, 4, 6, 8, 16, 20, 32])
def test_a_link_layer_address_is_of_any_length(size: int) -> None:
    octets = bytes(range(0xF0 - size, 0xF0))
    text = ":".join(f"{octet:02x}" for octet in octets)
    got = Kinds.decode(attr(14, octets))
    assert got.link == text
    assert got == Kinds(link=text)
    assert got.encode() == attr(14, octets)
    assert Kinds(link=text.upper()) == got


def test_what_is_no_link_layer_address() -> None:
    for text in ("eth0", "02:00:0", "02:00:00:00:00:0g"):
        with pytest.raises(EncodeError, match=rf"link: '{text}' is not a link-layer address such as 02:"):
            Kinds(link=text)
    for value in (b"\x02", 2):
        with pytest.raises(TypeError, match="link: want a str, got"):
            Kinds(link=value)


def test_bytes_that_read_as_base64() -> None:
    class Keyed(AttributeSet):
        key = base64(1, 5)
        keys = repeated(2, base64(None, 2))
        after = u8(3)

    record = Keyed(key=b"\xfb\xff\0\1\2", keys=["+/8=", b"ab"], after=1)
    assert (record.key, record.keys) == ("+/8AAQI=", ("+/8=", "YWI="))
    assert record.encode() == attr(1, b"\xfb\xff\0\1\2") + attr(2, b"\xfb\xff") + attr(2, b"ab") + attr(3, b"\1")
    check(record)
    assert Keyed(key=memoryview(b"12345")) == Keyed(key="MTIzNDU=")
    for wrong in ("MTIzNA==", "MTIzNDU", "-_8AAQI=", "MTIz\nNDU=", b"1234"):
        with pytest.raises(EncodeError, match=r"^key: want 5 bytes, "):
            Keyed(key=wrong)
    with pytest.raises(TypeError, match=r"^key: want bytes, got int"):
        Keyed(key=1)
    with pytest.raises(DecodeError, match=r"Keyed\.key: .*5"):
        Keyed.decode(attr(1, b"1234"))
    with pytest.raises(TypeError, match="a fixed size must be from 1 to 65531 bytes, not 0"):
        base64(1, 0)
    columns = Keyed.decode_many([record.encode()] * 2).to_numpy()
    assert columns["key"][0].tobytes() == b"\xfb\xff\0\1\2"


LISTS: list[tuple[Any, list[Any]]] = [
    (u8, [0, 255]), (s16, [-1, 5]), (be32, [1, 2]), (uint, [1, 1 << 40]), (sint, [-1, -1 << 40]), (string, ["", "ab"]),
    (binary, [b"", b"xyz"]), (mac, ["02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff"]),
    (lladdr, ["", "0a:00:00:01", "02:00:00:00:00:01"]), (ipv4, [IPv4Address("1.2.3.4")]),
    (ipv6, [IPv6Address("::1")]), (ip, [IPv4Address("1.2.3.4"), IPv6Address("::2")]), (flag, [True, True]),
]  # fmt: skip


@pytest.mark.parametrize("make", [repeated, array])
@pytest.mark.parametrize(("kind", "values"), LISTS, ids=[repr(getattr(k, "name", k)) for k, _ in LISTS])
def test_lists_of_every_kind(make: Any, kind: Any, values: list[Any]) -> None:
    class Listed(AttributeSet):
        items = make(1, kind)
        after = u8(2)

    class Alone(AttributeSet):
        item = kind(1)

    record = Listed(items=values, after=1)
    assert record.items == tuple(values)
    assert Listed.decode(record.encode()).items == tuple(values)
    if make is repeated:
        assert record.encode() == b"".join(Alone(item=v).encode() for v in values) + attr(2, b"\1")


@pytest.mark.parametrize("make", [repeated, array])
@pytest.mark.parametrize("kind", [u32, binary])
def test_lists_name_the_field_of_a_wrong_type(make: Any, kind: Any) -> None:
    class Listed(AttributeSet):
        items = make(1, kind)

    for wrong in (1.5, [1.5], ["x"], [None]):
        with pytest.raises(TypeError, match=r"^items: want "):
            Listed(items=wrong)
    with pytest.raises(TypeError, match=r"^pack: want an iterable, got float"):
        Flow(pack=1.5)


@pytest.mark.parametrize("bad", [1, b"a", None])
def test_lists_refuse_wrong_types(bad: Any) -> None:
    with pytest.raises(TypeError, match="names"):
        Flow(names=["a", bad])


def test_packed() -> None:
    payload = bytes(4) + attr(10, b"\0\1\xff\xff\1\0")
    flow = Flow.decode(payload)
    assert flow.pack == (1, 65535, 256)
    check(Flow(pack=range(256, 260)))
    check(Flow(pack=flow.pack), payload)
    assert Flow.decode(bytes(4) + attr(10)).pack == ()
    check(Flow(pack=[]), bytes(4) + attr(10))
    with pytest.raises(DecodeError, match=r"^Flow\.pack: .*got 3, at byte 8$"):
        Flow.decode(bytes(4) + attr(10, b"abc"))
    with pytest.raises(EncodeError, match="pack"):
        Flow(pack=[65536])
    with pytest.raises(TypeError, match="pack"):
        Flow(pack=["1"])


@pytest.mark.parametrize(("kind", "code"), [(u8, "B"), (s8, "b"), (s32, "i"), (u64, "Q"), (s64, "q"), (u16, "H")])
def test_packed_kinds(kind: Any, code: str) -> None:
    class Packed(AttributeSet):
        items = packed(1, kind)

    values = (0, 1, -1 if code.islower() else 200)
    payload = attr(1, cstruct.pack(f"=3{code}", *values))
    assert Packed.decode(payload).items == values
    check(Packed(items=values), payload)


@pytest.mark.parametrize(("kind", "code"), [(u32, "=I"), (u8, "=B"), (be16, ">H"), (u64, "=Q")])
def test_structs_behind_their_number(kind: Any, code: str) -> None:
    class Point(Struct):
        pc = u64()
        count = u32()

    class Points(AttributeSet):
        points = packed(0, Point, count=kind)
        other = u8(1)

    def payload(count: int, *points: tuple[int, int]) -> bytes:
        return attr(0, cstruct.pack(code, count) + b"".join(cstruct.pack("=QI", *point) for point in points))

    two = Points(points=[Point(pc=1 << 63, count=2), Point(pc=5, count=1)], other=7)
    check(two, payload(2, (1 << 63, 2), (5, 1)) + attr(1, b"\7"))
    assert [(point.pc, point.count) for point in two.points] == [(1 << 63, 2), (5, 1)]
    assert Points.decode(payload(0)).points == ()
    check(Points(points=[]), payload(0))
    for wrong in (payload(1), payload(0, (1, 1)), payload(2, (1, 1)), payload(1, (1, 1), (2, 2)), attr(0)):
        with pytest.raises(DecodeError, match=r"^Points\.points: want \d+ bytes, got \d+, at byte 4$"):
            Points.decode(wrong)
    if kind is u64:  # as many structs of 12 bytes have 4, modulo 2**64
        wraps = attr(0, cstruct.pack(code, (4 + 2 * (1 << 64)) // 12) + bytes(4))
        with pytest.raises(DecodeError, match=r"^Points\.points: want \d+ bytes, got 12, at byte 4$"):
            Points.decode(wraps)
    if kind is u8:
        with pytest.raises(EncodeError, match=r"points: 256 does not fit"):
            Points(points=[Point()] * 256)


def test_wrong_numbers_of_structs() -> None:
    class Point(Struct):
        pc = u64()

    for count in (uint, 4, string):
        with pytest.raises(TypeError, match="count takes an integer kind of fixed width such as u32"):
            packed(1, Point, count=count)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="count is for structs"):
        packed(1, u32, count=u32)  # type: ignore[call-overload]


# Structs


def stats_bytes() -> bytes:
    return (
        cstruct.pack("=Ih", 7, -2) + b"\0\x50" + bytes.fromhex("020000000001") + b"zz" + (9).to_bytes(8, "big")
        + b"\1\2\3\4" + IPv6Address("::5").packed
    )  # fmt: skip


def test_struct() -> None:
    whole = stats_bytes()
    want = {
        "count": 7, "delta": -2, "port": 80, "hw": "02:00:00:00:00:01", "pad": b"zz", "total": 9,
        "addr": IPv4Address("1.2.3.4"), "addr6": IPv6Address("::5"),
    }  # fmt: skip
    ends = [4, 6, 8, 14, 16, 24, 28, 44]
    assert len(whole) == ends[-1]
    for size in range(len(whole) + 1):
        found = dict(list(want.items())[: sum(end <= size for end in ends)])
        assert Stats.decode(whole[:size]).to_dict() == found
        inside = Flow.decode(bytes(4) + attr(11, whole[:size])).stats
        assert inside.to_dict() == found
    newer = Flow.decode(bytes(4) + attr(11, whole + b"newer fields")).stats
    assert newer.to_dict() == want
    made = Stats(**want)
    check(made, whole)
    check(Flow(stats=made, mark=3), bytes(4) + attr(5, cstruct.pack("=I", 3)) + attr(11, whole))
    assert Stats(addr="1.2.3.4").encode()[24:28] == b"\1\2\3\4"
    assert Stats().encode() == bytes(44)
    with pytest.raises(EncodeError, match="delta"):
        Stats(delta=40000)
    with pytest.raises(TypeError, match="stats"):
        Flow(stats=NfGenMsg())


def test_batch_of_structs() -> None:
    batch = Stats.decode_many([stats_bytes(), stats_bytes()[:4], b""])
    assert [record.count for record in batch] == [7, 7, None]


# Sub-messages


def test_submessage_by_int() -> None:
    kind, sub = attr(12, cstruct.pack("=H", 2)), attr(13 | NESTED, wire(lambda n: (n.uint16(1, 100), n.string(2, "l"))))
    for payload in (kind + sub, sub + kind, sub + attr(6, bytes(4)) + kind):
        flow = Flow.decode(bytes(4) + payload)
        assert flow.by_int == Vlan(vid=100, label="l")
        assert isinstance(flow.by_int, Vlan)
        check(flow)
    check(Flow(kind=2, by_int=Vlan(vid=100, label="l")), bytes(4) + kind + sub)
    eth = Flow.decode(bytes(4) + attr(12, cstruct.pack("=H", 1)) + attr(13, attr(1, cstruct.pack("=I", 10))))
    assert eth.by_int == Eth(speed=10)
    assert eth.to_dict()["by_int"] == {"speed": 10}


def test_submessage_by_string() -> None:
    sub = attr(15 | NESTED, attr(1, cstruct.pack("=H", 100)))
    for name in (b"vlan\0", b"vlan"):
        for payload in (attr(14, name) + sub, sub + attr(14, name)):
            flow = Flow.decode(bytes(4) + payload)
            assert flow.by_name == Vlan(vid=100)
            check(flow)
    check(Flow(kind_name="vlan", by_name=Vlan(vid=100)), bytes(4) + attr(14, b"vlan\0") + sub)


def test_submessage_of_unknown_case() -> None:
    raw = b"\1\2\3"
    for before in (b"", attr(14, b"bridge\0"), attr(14, b"vlanx"), attr(14, b"vla"), attr(14, b"")):
        flow = Flow.decode(bytes(4) + before + attr(15, raw))
        assert flow.by_name == raw
        check(flow)
    assert Flow.decode(bytes(4) + attr(12, cstruct.pack("=H", 3)) + attr(13)).by_int == b""
    check(Flow(kind=9, by_int=b"abc"))
    assert Flow(kind=9, by_int=b"abc").by_int == b"abc"


def test_submessage_errors() -> None:
    with pytest.raises(DecodeError, match=r"^Flow\.by_int\.vid: want 2 bytes, got 1, at byte 12$"):
        Flow.decode(bytes(4) + attr(13, attr(1, b"x")) + attr(12, cstruct.pack("=H", 2)))
    with pytest.raises(TypeError, match="by_int"):
        Flow(kind=1, by_int=Port())
    with pytest.raises(TypeError):
        Flow(kind=1, by_int=5)


def test_submessage_keywords_in_any_order() -> None:
    made = Flow(by_int=Vlan(vid=1), kind=2, by_name=Eth(speed=2), kind_name="eth")
    assert made.by_int == Vlan(vid=1)
    assert made.by_name == Eth(speed=2)


def test_submessage_of_another_case_than_its_sibling_says() -> None:
    """Else it would be read back as a record of another class."""
    for values in ({"kind": 1, "by_int": Vlan(vid=1)}, {"kind": 1, "by_int": Vlan(label="x")}, {"by_int": Vlan(vid=1)}):
        with pytest.raises((TypeError, EncodeError), match="by_int"):
            Flow(**values)


# Paths


def test_containers() -> None:
    v4 = wire(
        lambda e: (
            e.nested(1, lambda n: (n.bytes(1, b"\1\2\3\4"), n.bytes(2, b"\5\6\7\x08"))),
            e.nested(2, lambda n: (n.uint8(1, 6), n.bytes(2, b"\0\x16"), n.bytes(4, b"\0\1"), n.string(20, "ssh"))),
            e.nested(3, lambda n: n.nested(1, lambda m: m.uint32(2, 42))),
            e.uint8(4, 1),
        )
    )
    record = Contained.decode(v4)
    want = {
        "src": IPv4Address("1.2.3.4"), "dst": IPv4Address("5.6.7.8"), "protocol": 6, "src_port": 22, "icmp_id": 1,
        "label": "ssh", "deep": 42, "plain": 1,
    }  # fmt: skip
    assert record.to_dict() == want
    check(record, v4)
    check(Contained(**want), v4)
    v6 = wire(
        lambda e: (
            e.nested(1, lambda n: n.bytes(3, IPv6Address("::1").packed)),
            e.nested(2, lambda n: n.bytes(7, b"\0\7")),
        )
    )
    record = Contained.decode(v6)
    assert record.to_dict() == {"src": IPv6Address("::1"), "icmp_id": 7}
    check(Contained(src="::1", icmp_id=7), v6)
    assert Contained(icmp_id=7).encode() == wire(lambda e: e.nested(2, lambda n: n.bytes(4, b"\0\7")))
    assert Contained().encode() == b""
    assert Contained(plain=1).encode() == attr(4, b"\1")


def test_errors_in_containers() -> None:
    with pytest.raises(DecodeError, match=r"^Contained\.src_port: want 2 bytes, got 4, at byte 16$"):
        Contained.decode(attr(4, b"\1") + attr(2, attr(2, bytes(4))))
    with pytest.raises(DecodeError, match=r"^Contained\.deep: want 4 bytes, got 1, at byte 12$"):
        Contained.decode(attr(3, attr(1, attr(2, b"a"))))
    with pytest.raises(DecodeError, match=r"^Contained: .*at byte 4$"):
        Contained.decode(attr(2, b"\1\0\0\0"))


def test_heap_kinds_in_deep_containers() -> None:
    class Deep(AttributeSet):
        text = string((1, 2, 3))
        items = repeated((1, 2, 4), u16)
        part = nested((1, 2, 5), Port)

    payload = attr(1 | NESTED, attr(2 | NESTED, attr(3, b"x\0") + attr(4, b"\0\0")))
    assert Deep.decode(payload).to_dict() == {"text": "x", "items": [0]}
    check(Deep.decode(payload), payload)
    check(Deep(text="x", items=[0]), payload)
    check(Deep(part=Port(name="p")))


def test_unknown_in_containers_belongs_to_the_record() -> None:
    record = Contained.decode(attr(1, attr(60, b"ab")) + attr(70, b"c"))
    assert sorted(record.unknown) == [(60, b"ab"), (70, b"c")]


# Unknown attributes


def test_unknown() -> None:
    flow = Flow.decode(
        bytes(4) + attr(100, b"abc") + attr(5, bytes(4)) + attr(0) + attr(100 | NESTED | 0x4000, b"again")
        + attr(0x3FFF, b"z" * 1000)
    )  # fmt: skip
    assert flow.unknown == ((100, b"abc"), (0, b""), (100, b"again"), (0x3FFF, b"z" * 1000))
    assert flow.mark == 0
    assert flow.encode() == bytes(4) + attr(5, bytes(4))
    assert flow.header.unknown == ()


def test_unknown_in_nests() -> None:
    """Each record has its own, wherever it lies."""

    class First(AttributeSet):
        port = nested(1, Port)
        b = u8(2)

    class Second(AttributeSet):
        first = nested(1, First)
        stats = struct(2, NfGenMsg)
        c = nested(3, First)

    payload = (
        attr(1, attr(1, attr(30, b"port") + attr(1, b"\0\1")) + attr(40, b"first"))
        + attr(50, b"second") + attr(2, bytes(4)) + attr(3, attr(41, b"c"))
    )  # fmt: skip
    record = Second.decode(payload)
    assert record.unknown == ((50, b"second"),)
    assert record.first.unknown == ((40, b"first"),)
    assert record.first.port.unknown == ((30, b"port"),)
    assert record.c.unknown == ((41, b"c"),)
    assert record.stats.unknown == ()


def test_unknown_of_a_struct_that_lies_first() -> None:
    class Only(AttributeSet):
        stats = struct(1, NfGenMsg)

    record = Only.decode(attr(1, bytes(4)) + attr(2, b"u"))
    assert record.unknown == ((2, b"u"),)
    assert record.stats.unknown == ()


def test_type_flags_are_ignored() -> None:
    for bits in (0, 0x8000, 0x4000, 0xC000):
        assert Scalars.decode(attr(1 | bits, b"\5")).a_u8 == 5


# Malformed


@pytest.mark.parametrize(
    ("tail", "at"),
    [(b"\x05\0\1\0", 12), (b"\1\0\0\0", 12), (b"\2\0\0\0", 12), (b"\3\0\1\0abcd", 12), (b"\xff\xff\1\0abcd", 12),
     (b"\4", 12), (b"\4\0\1", 12), (attr(99, b"a") + b"\x08\0\1\0abc", 20)],
)  # fmt: skip
def test_malformed_lengths(tail: bytes, at: int) -> None:
    with pytest.raises(DecodeError, match=f"^Scalars: .*at byte {at}$"):
        Scalars.decode(attr(3, b"abcd") + attr(99) + tail)
    with pytest.raises(DecodeError, match=rf"^Flow\.orig\.port: .*at byte {at + 12}$"):
        Flow.decode(bytes(4) + attr(1, attr(2, attr(90, b"abcd") + attr(99) + tail)))


def test_missing_padding_at_the_end_is_taken() -> None:
    assert Scalars.decode(attr(1, b"\5")[:5]).a_u8 == 5


def test_a_batch_is_iterated_as_often_as_wanted() -> None:
    batch = Scalars.decode_many([attr(1, bytes([n])) for n in range(5)])
    records = iter(batch)
    assert iter(records) is records
    assert operator.length_hint(records) == 5
    assert [next(records).a_u8, next(iter(batch)).a_u8, next(records).a_u8] == [0, 0, 1]
    assert operator.length_hint(records) == 3
    assert [record.a_u8 for record in records] == [2, 3, 4]
    assert list(records) == []
    assert list(type(records)()) == []


def test_last_of_duplicates_wins() -> None:
    assert Scalars.decode(attr(1, b"\5") + attr(1, b"\6")).a_u8 == 6
    assert Kinds.decode(attr(2, b"ab") + attr(2, b"c")).text == "c"
    assert Kinds.decode(attr(9, b"\1\2\3\4") + attr(10, bytes(16))).two == IPv6Address("::")


@pytest.mark.parametrize("before", [0, 63, 64, 70])
def test_last_of_duplicate_sets_counts_alone(before: int) -> None:
    fields: dict[str, Any] = {f"f{n}": u8(n + 1) for n in range(before)}
    cls: Any = type("Wide", (AttributeSet,), {**fields, "pair": nested(before + 1, Pair)})
    twice = cls.decode(attr(before + 1, attr(1, b"\5")) + attr(before + 1, attr(2, b"\6")))
    assert (twice.pair.one, twice.pair.two) == (None, 6)


@pytest.mark.parametrize("bad", [None, 5, "text", [1]])
def test_decode_wants_a_buffer(bad: Any) -> None:
    with pytest.raises(TypeError):
        Flow.decode(bad)
    with pytest.raises(TypeError):
        Flow.decode_many([bad])


def test_decode_takes_any_buffer() -> None:
    payload = attr(1, b"\7")
    for buffer in (payload, bytearray(payload), memoryview(payload), memoryview(bytearray(b"x" + payload))[1:]):
        assert Scalars.decode(buffer).a_u8 == 7


# Records


def test_unknown_keyword() -> None:
    with pytest.raises(TypeError, match="nonsense"):
        Flow(nonsense=1)
    with pytest.raises(TypeError):
        Flow(1)


def test_none_is_absent() -> None:
    assert Flow(status=None, orig=None, mark=None, numbers=None).encode() == bytes(4)


def test_absent_is_none() -> None:
    flow = Flow()
    for name in Flow.__fields__:
        if name != "mark":
            assert getattr(flow, name) is None
    assert flow.to_dict() == {}
    assert repr(flow) == "Flow()"


@pytest.mark.parametrize(
    "record", [Flow(mark=1), Flow.decode(bytes(4)), Stats(count=1)], ids=["made", "decoded", "struct"]
)
def test_immutable(record: Any) -> None:
    name = "mark" if isinstance(record, Flow) else "count"
    before = record.encode()
    for change in (
        lambda: setattr(record, name, 5),
        lambda: setattr(record, "other", 5),
        lambda: delattr(record, name),
        lambda: setattr(record, "unknown", ()),
        lambda: record.__init__(**{name: 5}),
    ):
        with pytest.raises(AttributeError):
            change()
    assert record.encode() == before
    assert not hasattr(record, "__dict__")


def test_equality() -> None:
    assert Port(number=1) != Port(number=2)
    assert Port(number=1) != Port(number=1, name="")
    assert Port(number=1) != Eth(speed=1)
    assert Port() != Eth()
    assert Port(number=1) != 1
    assert Port(number=1) is not None
    assert {Port(number=1), Port(number=1), Port(number=2)} == {Port(number=2), Port(number=1)}


def test_pickle_of_every_protocol() -> None:
    flow = Flow(mark=1, ports=[Port(number=5)], names=["a"])
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(flow, protocol)) == flow
    assert pickle.loads(pickle.dumps(flow.ports[0])) == Port(number=5)


def test_bare_instances_raise() -> None:
    for cls in (Flow, Stats):
        bare: Any = cls.__new__(cls)
        for use in (
            lambda r: r.encode(), lambda r: r.to_dict(), lambda r: r.unknown, repr, hash, pickle.dumps, copy.copy,
            lambda r: r == type(r)(), lambda r: type(r)() == r, lambda r: [getattr(r, n) for n in type(r).__fields__],
        ):  # fmt: skip
            with pytest.raises(TypeError):
                use(bare)
        bare.__init__()
        assert bare == cls()
    for base in (Record, AttributeSet, Struct):
        for use in (lambda b: b(), lambda b: b.decode(b""), lambda b: b.decode_many([])):
            with pytest.raises(TypeError):
                use(base)


def run(code: str) -> None:
    """In a process of its own, since what it guards against is a crash."""
    program = (
        "from netlink.schema import *\nfrom netlink import schema\nfrom netlink._engine import record\n"
        + textwrap.dedent(code)
    )
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_descriptors_on_foreign_instances() -> None:
    field: Any = vars(Flow)["mark"]
    for foreign in (Port(), object(), 5, Flow, "text", NfGenMsg()):
        with pytest.raises(TypeError):
            field.__get__(foreign, type(foreign))
        with pytest.raises((AttributeError, TypeError)):
            field.__set__(foreign, 1)
    assert field.__get__(None, Flow) is field
    assert Flow.mark is field
    assert isinstance(Flow.mark, Field)


def test_field_of_a_list_is_no_descriptor_of_records() -> None:
    run("""
        class A(AttributeSet):
            first = binary(1, size=64)
            texts = repeated(2, string)
        record = A(first=b"\\xff" * 64)
        try:
            A.texts.item.__get__(record, A)
        except TypeError:
            pass
        else:
            raise SystemExit("read")
    """)


def test_descriptor_on_an_object_that_lies_about_its_class() -> None:
    """As unittest.mock.Mock(spec=Flow) does."""
    run("""
        class A(AttributeSet):
            a = string(1)
        class Liar:
            __slots__ = ()
            __class__ = property(lambda self: A)
        for liar in (Liar(), Liar()):
            try:
                A.__dict__["a"].__get__(liar, A)
            except TypeError:
                pass
            else:
                raise SystemExit("read")
    """)


def test_class_assignment() -> None:
    run("""
        class A(AttributeSet):
            a = u8(1)
        class B(AttributeSet):
            first = binary(1, size=60000)
            text = string(2)
        record = A(a=1)
        try:
            record.__class__ = B
        except (TypeError, AttributeError):
            raise SystemExit
        raise SystemExit("a record took another class's layout")
    """)


def test_bare_batch_and_field() -> None:
    run("""
        batch = Batch.__new__(Batch)
        for use in (len, repr, list, lambda b: b.nbytes, lambda b: b.to_numpy(), lambda b: b[0], lambda b: b[:],
                    lambda b: b[::-1].nbytes, lambda b: 1 in b, lambda b: b.interrupted):
            try:
                use(batch)
            except (TypeError, AttributeError, IndexError):
                pass
        field = Field.__new__(Field)
        for use in (repr, lambda f: f.__get__(u8, None), lambda f: f.__set__(u8, 1), lambda f: f.kind):
            try:
                use(field)
            except (TypeError, AttributeError):
                pass
        record.Store()
        class A(AttributeSet):
            a = u8(1)
        A.__new__(A).__reduce_ex__
    """)


def test_batch_has_no_constructor() -> None:
    with pytest.raises(TypeError):
        Batch()


# Declarations


def declared(**fields: Any) -> type[AttributeSet]:
    options = {name[:-1]: fields.pop(name) for name in ("header_", "ignore_") if name in fields}
    return type(AttributeSet)("Declared", (AttributeSet,), fields, **options)


def structure(**fields: Any) -> type[Struct]:
    return type(Struct)("Declared", (Struct,), fields)


class WithHeader(AttributeSet, header=NfGenMsg):
    a = u8(1)


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "empty struct": (lambda: structure(), "Declared"),
    "padding alone": (lambda: structure(rest=pad(4)), "Declared"),
    "padding among attributes": (lambda: declared(rest=pad(4), field=u8(1)), "rest"),
    "an ignored field": (lambda: declared(field=u8(1), ignore_=(1,)), "field"),
    "uncalled integer": (lambda: declared(field=u32), "field"),
    "uncalled kind": (lambda: declared(field=string), "field"),
    "no type": (lambda: declared(field=u32()), "field"),
    "no type, named header": (lambda: declared(header=u32(), other=u8(1)), "header"),
    "same type": (lambda: declared(field=u32(1), second=u8(1)), "field.*second|second.*field"),
    "same type of an address": (lambda: declared(field=ip(1, 1)), "field"),
    "container is a field": (lambda: declared(other=u32(1), field=u8((1, 2))), "field"),
    "field is a container": (lambda: declared(field=u8((1, 2)), other=u32(1)), "field|other"),
    "same path": (lambda: declared(field=u8((1, 2)), second=u8((1, 2))), "field.*second|second.*field"),
    "name of a method": (lambda: declared(encode=u8(1)), "encode"),
    "name of a property": (lambda: declared(unknown=u8(1)), "unknown"),
    "header twice": (lambda: declared(header=u8(1), header_=NfGenMsg), "header"),
    "header is a set": (lambda: declared(field=u8(1), header_=Port), "header"),
    "one declaration twice": (lambda: (lambda f: declared(field=f, second=f))(u8(1)), "field|second"),
    "field of another": (lambda: declared(field=Port.number), "field"),
    "no sibling": (lambda: declared(field=submessage(1, on="x", cases={1: Eth})), "field"),
    "sibling is a record": (
        lambda: declared(x=nested(2, Port), field=submessage(1, on="x", cases={1: Eth})), "field"),
    "sibling elsewhere": (
        lambda: declared(x=u8((2, 1)), field=submessage(1, on="x", cases={1: Eth})), "field"),
    "cases are no ints": (lambda: declared(x=u8(2), field=submessage(1, on="x", cases={"a": Eth})), "field"),
    "cases are no strings": (lambda: declared(x=string(2), field=submessage(1, on="x", cases={1: Eth})), "field"),
    "of a missing field": (lambda: declared(field=u8(1, type6=2, of="x")), "field"),
    "of no address": (lambda: declared(x=u8(3), field=u8(1, type6=2, of="x")), "field"),
    "typed in a struct": (lambda: structure(field=u8(1)), "field"),
    "string in a struct": (lambda: structure(field=string(1)), "field"),
    "uint in a struct": (lambda: structure(field=uint()), "field"),
    "uncalled in a struct": (lambda: structure(field=u8), "field"),
    "two bases": (lambda: type(AttributeSet)("Declared", (Port, Eth), {"field": u8(3)}), "Declared"),
    "a set from a struct": (lambda: type(AttributeSet)("Declared", (AttributeSet, NfGenMsg), {}), "Declared"),
    "the base has a header": (lambda: type(AttributeSet)("Declared", (WithHeader,), {}, header=Stats), "NfGenMsg"),
    "the base has the field": (lambda: type(AttributeSet)("Declared", (Port,), {"number": None}), "number"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_declaration_mistakes(mistake: str) -> None:
    make, names = MISTAKES[mistake]
    with pytest.raises(TypeError, match=names):
        make()


@pytest.mark.parametrize(
    "make",
    [lambda: u8(-1), lambda: u8(0x4000), lambda: u8(()), lambda: u8("1"), lambda: u8((1, "2")), lambda: u8((1, -1)),
     lambda: u8(1.0), lambda: binary(), lambda: binary(1, size=0), lambda: binary(1, size=65532),
     lambda: nested(1, int), lambda: nested(1, AttributeSet), lambda: nested(1, NfGenMsg), lambda: nested(1, None),
     lambda: struct(1, Port), lambda: struct(1, Struct), lambda: repeated(1, int), lambda: repeated(1, Struct),
     lambda: repeated(1, "u8"), lambda: array(1, None), lambda: packed(1, string), lambda: packed(1, uint),
     lambda: packed(1, Port), lambda: submessage(1, on="x", cases={}),
     lambda: submessage(1, on="x", cases={1: int}), lambda: submessage(1, on="x", cases={1: AttributeSet}),
     lambda: pad(0), lambda: pad(65532),
     lambda: u8(1, type6=2), lambda: u8(1, of="x"), lambda: u8(1, enum=int), lambda: u8(1, enum=State.NONE),
     lambda: repeated(1, view), lambda: event(int),
     lambda: event(State.NONE)],
)  # fmt: skip
def test_mistakes_in_a_call(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        make()


def test_more_than_64_fields() -> None:
    fields: dict[str, Any] = {f"f{i}": u16(i) for i in range(1, 100)}
    fields |= {f"t{i}": string(i) for i in range(100, 140)}
    fields |= {"part": nested(200, Port), "other": repeated(201, u8), "be": be32(202), "hw": mac(203)}
    cls = declared(**fields)
    values: dict[str, Any] = {f"f{i}": i for i in range(1, 100)} | {f"t{i}": f"text {i}" for i in range(100, 140)}
    values |= {"part": Port(name="p"), "other": (1, 2), "be": 7, "hw": "00:00:00:00:00:01"}
    record = cls(**values)
    assert {name: getattr(record, name) for name in fields} == values
    again = cls.decode(record.encode())
    assert again == record
    assert {name: getattr(again, name) for name in fields} == values
    for name, value in values.items():
        one = cls.decode(cls(**{name: value}).encode())
        assert [other for other in fields if getattr(one, other) is not None] == [name]
        assert getattr(one, name) == value
    holder = declared(inner=nested(1, cls), x=u8(2))
    check_local = holder.decode(holder(inner=record, x=1).encode())
    assert check_local.inner == record


def test_deep_nesting() -> None:
    cls = declared(x=string(1), y=u8(2))
    value = cls(x="deep")
    for _ in range(15):
        outer = declared(inner=nested(1, cls), y=u8(2))
        cls, value = outer, outer(inner=value)
    again = cls.decode(value.encode())
    assert again == value
    for _ in range(15):
        again = again.inner
    assert again.x == "deep"
    with pytest.raises(TypeError, match="Declared"):
        declared(inner=nested(1, cls))
    with pytest.raises(TypeError, match="Declared"):
        declared(x=u8(tuple(range(1, 19))))
    bad = attr(2)
    for _ in range(15):
        bad = attr(1, bad)
    with pytest.raises(DecodeError, match=r"^Declared" + r"\.inner" * 15 + r"\.y: want 1 bytes, got 0, at byte 64$"):
        cls.decode(bad)


def test_vocabulary_of_the_design() -> None:
    assert hasattr(schema, "bitfield32")
    for name in schema.__all__:
        assert hasattr(schema, name)


# Batches


class Row(AttributeSet, header=NfGenMsg):
    number = u32(1)
    orig = nested(2, Port)
    addr = ip(3, 4)
    seldom = nested(5, Port, rare=True)
    counters = nested(6, Scalars)
    hw = mac(7)
    on = flag(8)
    text = string(9)
    state = u8(10, enum=State)
    stats = struct(11, Stats)


def rows(count: int) -> Batch[Row]:
    return Row.decode_many(
        Row(number=i, orig=Port(number=i % 65536, name=f"p{i}"), addr=f"10.0.{i // 256 % 256}.{i % 256}").encode()
        for i in range(count)
    )


def test_batch_is_like_a_sequence() -> None:
    batch = rows(10)
    assert len(batch) == 10
    assert batch[0].number == 0
    assert batch[-1].number == 9
    assert batch[-10].number == 0
    assert batch[True].number == 1
    for index in (10, -11, 1 << 70, -1 << 70):
        with pytest.raises(IndexError):
            batch[index]
    for bad in (b"1", 1.0, None):
        with pytest.raises(TypeError):
            batch[bad]
    assert [row.number for row in batch] == list(range(10))
    assert [row.number for row in reversed(batch)] == list(range(9, -1, -1))
    assert batch[3] == batch[3]
    assert batch[3] in batch
    assert batch[3].encode() not in batch
    assert Row() not in batch
    assert None not in batch
    assert batch.index(batch[7]) == 7
    assert batch.count(batch[7]) == 1
    assert batch.count(5) == 0
    with pytest.raises(ValueError, match="not in"):
        batch.index(Row())
    assert batch.interrupted is False
    assert "10" in repr(batch)
    assert "Row" in repr(batch)


def test_batch_index_has_the_bounds_of_a_sequence() -> None:
    """The design: all the methods of a Sequence."""
    batch: Any = Row.decode_many([Row(number=n).encode() for n in (1, 2, 1)])
    assert batch.index(Row(number=1), 1) == 2
    with pytest.raises(ValueError, match="not in"):
        batch.index(Row(number=1), 1, 2)


SLICES = [
    slice(None), slice(2, 8), slice(None, None, 2), slice(None, None, -1), slice(8, 2, -3), slice(-3, None),
    slice(5, 5), slice(8, 2), slice(-100, 100), slice(None, None, 100), slice(100, None, -100), slice(1, 2),
    slice(None, 0), slice(0, None, -1), slice(-1, None, -4),
]  # fmt: skip


@pytest.mark.parametrize("first", SLICES)
def test_slices_of_slices(first: slice) -> None:
    pytest.importorskip("numpy")
    batch, model = rows(10), list(range(10))
    for second in SLICES:
        for third in SLICES:
            part, want = batch[first][second][third], model[first][second][third]
            assert [row.number for row in part] == want
            assert len(part) == len(want)
            assert part.to_numpy()["number"].tolist() == want
            if want:
                assert part[-1].number == want[-1]


@pytest.mark.parametrize("step", [1 << 40, 1 << 62, -1 << 62, 1 << 70, -1 << 70])
def test_slices_with_huge_steps(step: int) -> None:
    batch, model = rows(5), list(range(5))
    for part, want in (
        (batch[::step], model[::step]), (batch[1:2:step], model[1:2:step]),
        (batch[::step][::step], model[::step][::step]),
        (batch[::2][::step], model[::2][::step]), (batch[::-1][::step], model[::-1][::step]),
    ):  # fmt: skip
        assert [row.number for row in part] == want
        assert part.to_numpy()["number"].tolist() == want


def test_slice_step_zero() -> None:
    with pytest.raises(ValueError, match="zero"):
        rows(2)[::0]


def test_memory_stays_alive() -> None:
    pytest.importorskip("numpy")
    batch = rows(1000)
    row, part, array_, nest = batch[500], batch[10:20], batch.to_numpy(), batch[3].orig
    iterator = iter(batch)
    del batch
    gc.collect()
    junk = [bytes(4096) for _ in range(2000)]
    assert (row.number, row.orig.name, row.addr) == (500, "p500", ip_address("10.0.1.244"))
    assert part[0].number == 10
    assert array_["number"].tolist() == list(range(1000))
    assert nest.name == "p3"
    assert next(iterator).number == 0
    del junk


def test_large_batch() -> None:
    """Its memory is a mapping that grows."""
    batch = rows(20000)
    assert batch.nbytes > 1 << 20
    assert batch[19999].orig.name == "p19999"
    assert batch[0].orig.name == "p0"
    assert [row.number for row in batch] == list(range(20000))


def test_nbytes() -> None:
    batch = rows(10)
    assert batch.nbytes > sum(len(f"p{i}") for i in range(10))
    assert batch[:2].nbytes == batch.nbytes
    assert Row.decode_many([]).nbytes == 0


def test_decode_many_stops_at_the_first_malformed() -> None:
    good = Row(number=1).encode()
    with pytest.raises(DecodeError, match=r"^Row\.number: want 4 bytes, got 2, at byte 8$"):
        Row.decode_many([good, bytes(4) + attr(1, b"ab"), good])

    def failing() -> Any:
        yield good
        raise KeyError("mine")

    with pytest.raises(KeyError):
        Row.decode_many(failing())


def test_batch_is_no_registered_sequence() -> None:
    assert not isinstance(rows(1), collections.abc.Sequence)
    assert not issubclass(Batch, collections.abc.Sequence)


def test_batch_is_immutable() -> None:
    batch: Any = rows(2)
    with pytest.raises(TypeError):
        batch[0] = batch[1]
    with pytest.raises(TypeError):
        del batch[0]
    with pytest.raises(AttributeError):
        batch.interrupted = True


def test_to_numpy() -> None:
    np = pytest.importorskip("numpy")
    full = Row(
        header=NfGenMsg(family=2, version=1, res_id=3), number=7, orig=Port(number=80), addr="::1",
        counters=Scalars(a_s8=-1, a_be64=1 << 60, a_uint=1 << 40, a_sint=-5, a_u16=9), hw="02:00:00:00:00:01", on=True,
        text="t", state=State.ESTABLISHED, stats=Stats(count=5, delta=-3, addr="1.2.3.4", pad=b"ab"),
    )  # fmt: skip
    batch = Row.decode_many([full.encode(), bytes(4), Row(addr="10.0.0.1").encode()])
    out = batch.to_numpy()
    assert out.shape == (3,)
    assert out.dtype.names is not None
    names = set(out.dtype.names)
    assert {"number", "orig_number", "addr", "hw", "on", "state", "header_family", "header_res_id"} <= names
    assert {f"counters_{name}" for name in Scalars.__fields__} <= names
    assert {f"stats_{name}" for name in Stats.__fields__} <= names
    assert not names & {"text", "seldom", "orig_name", "orig", "counters", "seldom_number"}
    kinds = {
        "number": "u4", "orig_number": "u2", "on": "?", "state": "u1", "header_res_id": "u2", "counters_a_s8": "i1",
        "counters_a_s64": "i8", "counters_a_be64": "u8", "counters_a_uint": "u8", "counters_a_sint": "i8",
        "stats_delta": "i2",
    }  # fmt: skip
    for name, kind in kinds.items():
        assert out.dtype[name] == np.dtype(kind), name
    assert out["addr"].dtype == np.uint8
    assert out["addr"].shape == (3, 16)
    assert out["hw"].shape == (3, 6)
    assert out["number"].tolist() == [7, 0, 0]
    assert out["orig_number"].tolist() == [80, 0, 0]
    assert out["counters_a_s8"].tolist() == [-1, 0, 0]
    assert out["counters_a_be64"].tolist() == [1 << 60, 0, 0]
    assert out["counters_a_uint"][0] == 1 << 40
    assert out["counters_a_sint"][0] == -5
    assert out["on"].tolist() == [True, False, False]
    assert out["state"].tolist() == [3, 0, 0]
    assert out["header_res_id"].tolist() == [3, 0, 0]
    assert out["stats_delta"].tolist() == [-3, 0, 0]
    assert out["hw"][0].tobytes() == bytes.fromhex("020000000001")
    assert out["addr"][0].tobytes() == IPv6Address("::1").packed
    assert out["addr"][1].tobytes() == bytes(16)
    assert out["addr"][2].tobytes() == IPv6Address("::ffff:10.0.0.1").packed
    out["number"][0] = 5  # a copy
    assert batch[0].number == 7
    assert batch[::-1].to_numpy()["number"].tolist() == [0, 0, 7]
    assert batch[:0].to_numpy().shape == (0,)
    assert Row.decode_many([]).to_numpy().dtype == out.dtype


def test_to_numpy_of_structs() -> None:
    pytest.importorskip("numpy")
    out = Stats.decode_many([stats_bytes(), b""]).to_numpy()
    assert out["count"].tolist() == [7, 0]
    assert out["delta"].tolist() == [-2, 0]


def test_to_numpy_without_columns() -> None:
    pytest.importorskip("numpy")

    class Texts(AttributeSet):
        text = string(1)

    assert Texts.decode_many([b"", b""]).to_numpy().shape == (2,)


# Of attributes that come again the last one counts


class Stamp(Struct):
    sec = u32()
    usec = u32()


class Deep(AttributeSet):
    pair = nested(1, Pair)
    seldom = nested(2, Pair, rare=True)


class Again(AttributeSet):
    number = u8(1)
    pair = nested(2, Pair)
    seldom = nested(3, Deep, rare=True)
    deep = nested(4, Deep)
    stamp = struct(5, Stamp)
    pairs = array(6, Pair)
    numbers = array(7, u8)
    each = repeated(8, Pair)
    kind = string(9)
    data = submessage(10, on="kind", cases={"pair": Pair, "deep": Deep})
    inside = u8((11, 1))
    text = string((11, 2))
    further = nested((11, 3, 1), Pair)
    list_ = array((11, 4), u8)


FIRST, SECOND = attr(1, b"\1") + attr(70, b"old"), attr(2, b"\2") + attr(71, b"new")
AGAIN: dict[str, tuple[bytes, bytes]] = {
    "nested": (attr(2, FIRST), attr(2, SECOND)),
    "rare": (attr(3, attr(1, FIRST) + attr(72, b"")), attr(3, attr(2, SECOND))),
    "nested in nested": (attr(4, attr(1, FIRST) + attr(2, FIRST)), attr(4, attr(1, SECOND))),
    "again inside": (attr(4, attr(1, FIRST) + attr(2, FIRST)), attr(4, attr(1, SECOND) + attr(2, SECOND))),
    "struct": (attr(5, bytes(range(8))), attr(5, bytes(range(10, 14)))),
    "array": (attr(6, attr(1, FIRST) + attr(2, FIRST)), attr(6, attr(1, SECOND))),
    "array of numbers": (attr(7, attr(1, b"\1") * 3), attr(7, attr(1, b"\2"))),
    "submessage": (attr(10, FIRST), attr(10, SECOND)),
    "container": (
        attr(11, attr(1, b"\1") + attr(2, b"x") + attr(3, attr(1, FIRST)) + attr(4, attr(1, b"\1")) + attr(73, b"old")),
        attr(11, attr(2, b"y") + attr(74, b"new")),
    ),
    "container in container": (
        attr(11, attr(1, b"\1") + attr(3, attr(1, FIRST) + attr(75, b""))),
        attr(11, attr(3, attr(1, SECOND))),
    ),
}
BESIDE = attr(9, b"pair") + attr(1, b"\7") + attr(76, b"beside") + attr(8, FIRST) + attr(8, SECOND)


def everything(record: Any) -> Any:
    """What a record reads as, with the attributes of unknown types at every depth."""
    if isinstance(record, tuple):
        return [everything(item) for item in record]
    if not isinstance(record, Record):
        return record
    return record.unknown, {name: everything(getattr(record, name)) for name in type(record).__fields__}


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("kind", AGAIN)
def test_of_attributes_that_come_again_the_last_counts(kind: str, times: int) -> None:
    first, last = AGAIN[kind]
    once = Again.decode_many([BESIDE + last])
    for before in (first * times, (first + last) * times, (last + first) * times):
        payload = before + BESIDE + last
        for batch in (Again.decode_many([payload]), Again.decode_many([payload] * 12)[-1:]):
            assert everything(batch[0]) == everything(once[0])
            assert batch[0].encode() == once[0].encode()
        assert Again.decode_many([payload]).nbytes == once.nbytes


@pytest.mark.parametrize("kind", AGAIN)
def test_of_attributes_that_come_again_each_has_to_be_well_formed(kind: str) -> None:
    if kind == "struct":
        return  # of any length
    _, last = AGAIN[kind]
    (type_,) = cstruct.unpack_from("=H", last, 2)
    malformed = attr(type_, b"\x09\0\1\0abcd")
    for payload in (malformed + last, last + malformed + last, last * 2 + malformed + last, last * 2 + malformed):
        with pytest.raises(DecodeError, match="does not fit"):
            Again.decode(BESIDE + payload)


def test_a_replaced_set_leaves_its_neighbours_attributes_alone() -> None:
    record = Again.decode(
        attr(80, b"a") + attr(2, attr(81, b"b")) + attr(82, b"c") + attr(4, attr(83, b"d") + attr(1, attr(84, b"e")))
        + attr(2, attr(85, b"f")) + attr(86, b"g")
    )  # fmt: skip
    assert record.pair is not None
    assert record.deep is not None
    assert record.deep.pair is not None
    assert record.unknown == ((80, b"a"), (82, b"c"), (86, b"g"))
    assert record.pair.unknown == ((85, b"f"),)
    assert record.deep.unknown == ((83, b"d"),)
    assert record.deep.pair.unknown == ((84, b"e"),)


@pytest.mark.parametrize(
    ("type_", "insides"),
    [
        (2, [b"", attr(99)]),
        (3, [b"", attr(99), attr(1) + attr(2)]),
        (4, [b"", attr(99), attr(1) + attr(2)]),
        (6, [b"", attr(1), attr(1, attr(99))]),
        (10, [b"", attr(99), attr(1) + attr(2)]),
        (11, [b"", attr(99), attr(3, attr(1)) + attr(4, attr(1, b"1"))]),
    ],
)
def test_attributes_that_come_again_take_no_memory(type_: int, insides: list[bytes]) -> None:
    kind = attr(9, b"deep")
    for inside in insides:
        one = attr(type_, inside)
        many = Again.decode_many([kind + one * (65536 // len(one))])
        assert many.nbytes == Again.decode_many([kind + one]).nbytes


def test_a_packet_of_nothing_but_flows() -> None:
    """NFULA_CT is rare: 4 bytes each, of which the last counts."""
    from netlink.netfilter.nflog import Packet

    many = Packet.decode_many([bytes(4) + attr(18) * 16384])
    assert many[0].ct is not None
    assert many.nbytes == Packet.decode_many([bytes(4) + attr(18)]).nbytes


# A struct of an older kernel is shorter: its last fields are absent, and stay so


@pytest.mark.parametrize("size", [0, 3, 4, 7])
def test_absent_fields_of_a_short_struct_stay_absent(size: int) -> None:
    record = Again.decode(attr(5, bytes(range(1, size + 1))))
    assert record.stamp is not None
    assert record.stamp.usec is None
    twins = [copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record)), record.replace(number=None)]
    batch = Again.decode_many([record.encode()])
    twins += [batch[0], pickle.loads(pickle.dumps(batch))[0], (batch + batch)[1]]
    for twin in twins:
        assert twin == record
        assert hash(twin) == hash(record)
        assert everything(twin) == everything(record)
    stamp = pickle.loads(pickle.dumps(record.stamp))
    assert (stamp.sec, stamp.usec) == (record.stamp.sec, None)
    assert stamp == record.stamp == record.stamp.replace()
    whole = Again.decode(attr(5, bytes(range(1, size + 1)).ljust(8, b"\0")))
    assert whole != record
    assert whole.stamp != record.stamp
    assert batch != Again.decode_many([whole.encode()])


def test_a_struct_that_is_made_is_whole() -> None:
    stamp = Stamp(usec=5)
    assert (stamp.sec, stamp.usec) == (0, 5)
    assert Stamp().encode() == bytes(8)
    assert Stamp(sec=1, usec=None).encode() == b"\1\0\0\0"
    assert (Stamp(sec=None, usec=1).sec, Stamp(sec=None, usec=None).encode()) == (0, b"")

    class Addresses(Struct):
        four = ipv4()
        six = ipv6()

    assert Addresses() == Addresses.decode(bytes(20))
    assert Addresses().four == IPv4Address(0)


def test_a_header_is_whole_or_missing() -> None:
    class Outer(AttributeSet):
        flow = nested(1, Flow)

    flow = Outer.decode(attr(1, attr(4))).flow
    assert flow is not None
    for twin in (copy.copy(flow), pickle.loads(pickle.dumps(flow))):
        assert twin == flow
        assert twin.header is None
    assert Flow(header=NfGenMsg(family=None, version=None, res_id=None)).encode() == bytes(4)


# What Python may do to a declaration never leads to memory that is not the record's


def test_fields_are_not_to_be_changed() -> None:
    for fields in (Pair.__fields__, Flow.__header_fields__):
        with pytest.raises(TypeError):
            fields["x"] = "text"  # type: ignore[index]


def test_replace_of_numbers_is_what_a_new_record_has() -> None:
    class Inner(AttributeSet):
        text = string(1)
        number = u32(2)

    class Outer(AttributeSet):
        number = u32(1)
        other = u16(2)
        small = u8(3)
        text = string(4)
        inner = nested(5, Inner)
        items = repeated((6, 1), Inner)

    outer: Any = Outer
    inner: Any = Inner
    whole = {"number": 1, "text": "x", "inner": inner(text="y", number=3), "items": [inner(number=4), inner(text="z")]}
    for values in ({}, {"number": 5}, {"other": 7}, whole):
        for extra in (b"", (8).to_bytes(2, sys.byteorder) + (99).to_bytes(2, sys.byteorder) + b"lost"):
            one = outer.decode(outer(**values).encode() + extra)
            for changes in (
                {},
                {"number": 9},
                {"number": None},
                {"number": 0, "other": 65535},
                {"other": None, "small": 3},
            ):
                found = one.replace(**changes)
                assert found == outer(**{**values, **changes})
                assert found.to_dict() == outer(**{**values, **changes}).to_dict()
                assert found.unknown == ()
                assert one == outer(**values)  # as before
    part = outer(**whole).items[1]  # a view into another record
    assert part.replace(number=6) == inner(text="z", number=6)
    assert part == inner(text="z")
    for wrong in (1 << 32, -1, "1", 1.5):
        with pytest.raises((EncodeError, TypeError)):
            one.replace(number=wrong)
    with pytest.raises(TypeError):
        one.replace(nothing=1)
    with pytest.raises(EncodeError):
        one.replace(number=1, small=256)


def test_fields_of_another_class_are_refused() -> None:
    class Big(AttributeSet):
        one = u8(1)
        z = binary(2, size=60000)

    class Small(AttributeSet):
        one = u8(1)

    cls: Any = Small
    small = cls(one=1)
    for fields in (Big.__fields__, {"one": "text"}, {"z": Big.z}):
        cls.__fields__ = fields
        for use in (repr, cls.to_dict, lambda r: r.replace(other=2), lambda _: cls(z=b"A" * 60000)):
            with pytest.raises((TypeError, KeyError)):
                use(small)


def test_the_size_of_a_declaration_is_that_of_its_table() -> None:
    for base, inner, outer in ((AttributeSet, {"a": u32(1)}, nested), (Struct, {"a": u32()}, struct)):
        part: Any = type(AttributeSet)("Part", (base,), inner)
        part.__size__ = 1
        with pytest.raises(TypeError, match="size"):
            type(AttributeSet)("Whole", (AttributeSet,), {"part": outer(1, part)})


def test_a_declaration_makes_its_records_itself() -> None:
    with pytest.raises(TypeError, match="__new__"):
        type(AttributeSet)("Odd", (AttributeSet,), {"a": u8(1), "__new__": lambda cls: "text"})

    class Late(AttributeSet):
        a = u8(1)

    cls: Any = Late
    cls.__new__ = lambda cls, *args, **kwargs: "text"
    assert type(cls.decode(attr(1, b"\1"))) is Late
    assert cls.decode(attr(1, b"\1")).a == 1


def test_a_place_is_that_of_a_table() -> None:
    field: Any = u32(1)
    for owner in (int, "text", None):
        with pytest.raises(TypeError, match="is not a class of records"):
            field.place(owner, "x", 0, 0, 0)
    field.place(Pair, "x", 1 << 20, 0, 1 << 20)
    with pytest.raises(TypeError, match="two places"):
        field.place(Pair, "x", 0, 0, 0)
    with pytest.raises(TypeError, match="not in the table"):
        field.set_layout(Pair.__table__)
    with pytest.raises(TypeError):
        field.__get__(Pair(one=1), Pair)


@pytest.mark.parametrize("name", ["a b", "", "a\0b", "\ud800", "1a"])
def test_a_field_has_an_identifier_for_a_name(name: str) -> None:
    for base, kind in ((AttributeSet, u8(1)), (Struct, u8())):
        with pytest.raises(TypeError, match="is not an identifier"):
            type(AttributeSet)("Odd", (base,), {name: kind})


def test_an_array_has_a_number_for_each_item() -> None:
    with pytest.raises(EncodeError, match="at most 65535 items"):
        Again(numbers=[1] * 65536)


def test_to_numpy_is_a_copy_without_rows_too() -> None:
    pytest.importorskip("numpy")
    for batch in (Pair.decode_many([]), Pair.decode_many([b""])[:0], Pair.decode_many([b""])):
        assert batch.to_numpy().flags.writeable


# What is beside the attributes, and what stays in the datagram


class Happening(IntFlag):
    NEW = 1
    GONE = 4


class Packet(AttributeSet, header=NfGenMsg):
    happening = event(Happening)
    payload = view(9)
    flow = nested(18, WithHeader, rare=True)
    flows = repeated(19, WithHeader)


def test_a_view_is_the_memory_of_its_batch() -> None:
    payloads = [Packet(payload=bytes([n]) * n).encode() for n in range(50)]
    batch = Packet.decode_many(payloads)
    views = [packet.payload for packet in batch]
    assert batch.nbytes > sum(range(50))
    del batch
    gc.collect()
    for n, seen in enumerate(views):
        assert isinstance(seen, memoryview)
        assert seen.readonly
        assert (seen.format, seen.ndim, seen.nbytes) == ("B", 1, n)
        assert seen == bytes([n]) * n


def test_a_view_reads_as_bytes_where_it_is_copied() -> None:
    packet = Packet(payload=b"abc")
    assert packet.to_dict() == {"payload": b"abc"}
    assert repr(packet) == "Packet(payload=b'abc')"
    assert Packet.decode(packet.encode()) == packet
    assert pickle.loads(pickle.dumps(packet)) == packet
    assert Packet(payload=memoryview(bytearray(b"abc"))) == packet
    assert Packet(payload=b"").payload == b""
    assert Packet().payload is None


def test_an_event_is_beside_the_attributes() -> None:
    packet = Packet(happening=Happening.GONE, payload=b"x")
    assert packet.happening is Happening.GONE
    assert packet.to_dict() == {"happening": Happening.GONE, "payload": b"x"}
    assert packet.encode() == Packet(payload=b"x").encode()
    assert Packet.decode(packet.encode()).happening is None
    assert packet != Packet(payload=b"x")
    assert packet != Packet(happening=Happening.NEW, payload=b"x")
    again = pickle.loads(pickle.dumps(packet))
    assert again == packet
    assert hash(again) == hash(packet)
    assert again.happening is Happening.GONE
    with pytest.raises(EncodeError):
        Packet(happening=256)


def test_an_inner_set_has_no_header() -> None:
    inner = WithHeader(header=NfGenMsg(family=2), a=7)
    packet = Packet(flow=inner, flows=[inner, inner])
    for seen in (packet, Packet.decode(packet.encode())):
        assert seen.flow is not None
        assert seen.flow.a == 7
        assert seen.flow.header is None
        assert [flow.a for flow in seen.flows or ()] == [7, 7]


# What is made once stays as it was made


def test_what_is_declared_stays_as_it_is() -> None:
    class Only(AttributeSet):
        number = u8(1)

    table = Only.__table__  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="filled once"):
        table.fill([], {}, -1, 0, 1, 0)
    with pytest.raises(TypeError, match="declared once"):
        Only.number.__init__(0, (2,))
    assert Only.decode(Only(number=5).encode()).number == 5


def test_columns_are_of_one_batch() -> None:
    batch = Port.decode_many([Port(number=1).encode()])
    columns = batch.arrow()
    with pytest.raises(TypeError, match="one batch"):
        columns.__init__(Port.decode_many([]), "binary")


# Lists at their limits


class Lists(AttributeSet):
    blobs = array(1, binary)
    flags = repeated(2, flag)
    parts = array(3, Kinds)
    again = repeated(4, Kinds)


@pytest.mark.parametrize("name", ["blobs", "parts"])
def test_an_element_that_does_not_fit_is_refused(name: str) -> None:
    def made(size: int) -> Any:
        return bytes(size) if name == "blobs" else Kinds(data=bytes(size - 4))

    # An array is an attribute itself: of 65531 bytes, of which the element's header takes 4.
    (fits,) = getattr(Lists.decode(Lists(**{name: [made(65524)]}).encode()), name)
    assert (fits if name == "blobs" else fits.encode()[4:])[-1:] == b"\0"
    for size in (65532, 70_000):
        with pytest.raises(EncodeError, match="65531"):
            Lists(**{name: [made(size)]}).encode()
    with pytest.raises(EncodeError, match="65531"):
        Lists(**{name: [made(65528)]}).encode()


def test_a_flag_in_a_list_is_true() -> None:
    assert Lists.decode(Lists(flags=[True, True]).encode()).flags == (True, True)
    for wrong in (False, 1, None):
        with pytest.raises(TypeError, match=r"flags: a flag in a list is True"):
            Lists(flags=[True, wrong])


def test_an_element_of_what_is_repeated_does_not_fit_either() -> None:
    (fits,) = Lists.decode(Lists(again=[Kinds(data=bytes(65524))]).encode()).again or ()
    assert fits.data == bytes(65524)
    for again in ([Kinds(data=bytes(65531))], [Kinds(), Kinds(data=bytes(65529))]):
        record = Lists(again=again)
        with pytest.raises(EncodeError, match="65531"):
            record.encode()


# Fields of the header, on the record


class InfoMsg(Struct):
    family = u8()
    state = u8(enum=State)
    index = s32()
    addr = ipv4()
    mark = u32()


class Link(AttributeSet, header=InfoMsg):
    header: InfoMsg | None = None
    address_: IPv4 = InfoMsg.addr
    index: Int = InfoMsg.index
    mark: Int = u32(5)
    mtu: Int = u32(4)

    @property
    def family(self) -> str:
        return "the class's own"


def test_fields_of_the_header_read_on_the_record() -> None:
    payload = InfoMsg(family=2, state=3, index=-4, addr="192.0.2.1", mark=7).encode() + bytes(2) + attr(5, bytes(4))
    for link in (Link.decode(payload), Link.decode_many([b"", payload][1:])[0]):
        assert (link.index, link.state, link.address_) == (-4, State.ESTABLISHED, IPv4Address("192.0.2.1"))
        # The class's own names stay its own.
        assert (link.mark, link.family) == (0, "the class's own")
        assert link.header is not None
        assert link.header.mark == 7
        assert not hasattr(link, "addr")  # it has another name
    assert Link.index is InfoMsg.index
    assert list(Link.__fields__) == ["mark", "mtu", "header"]
    assert Link(mtu=1).index is None
    assert Link.__header_fields__ == {"address_": InfoMsg.addr, "index": InfoMsg.index, "state": InfoMsg.state}


def test_fields_of_the_header_construct_it() -> None:
    header = InfoMsg(index=3, state=1)
    assert Link(index=3, state=State.SYN_SENT, mtu=9000) == Link(header=header, mtu=9000)
    assert Link(mtu=9000).encode() == bytes(16) + attr(4, cstruct.pack("=I", 9000))
    # The name wins.
    assert Link(header=header, index=5).header == InfoMsg(index=5, state=1)
    assert Link(header=header, index=None).header == InfoMsg(state=1)
    assert Link(index=None, header=None).header is None
    link = Link(index=3, state=1, mtu=9000)
    assert link.replace(index=4) == Link(index=4, state=1, mtu=9000)
    assert link.replace(header=None, index=4) == Link(index=4, mtu=9000)
    assert link.replace(address_="192.0.2.1").address_ == IPv4Address("192.0.2.1")
    assert link.to_dict() == {"mtu": 9000, "header": InfoMsg.decode(header.encode()).to_dict()}
    assert pickle.loads(pickle.dumps(link)) == link
    for values in ({"index": 1 << 31}, {"address_": "::1"}):
        with pytest.raises(EncodeError):
            Link(**values)
    with pytest.raises(TypeError, match="index: want an int, got str"):
        Link(index="3")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="header: want a InfoMsg, got str"):
        Link(header="x", index=3)  # type: ignore[arg-type]
    for wrong in ("addr", "nonsense"):
        with pytest.raises(TypeError, match=f"no field '{wrong}'; it has mark, mtu, header, address_, index, state"):
            Link(**{wrong: 3})
    with pytest.raises(TypeError, match="no field 'nonsense'"):
        link.replace(nonsense=3)
    with pytest.raises(AttributeError):
        link.index = 3  # type: ignore[misc]


def test_header_fields_of_foreign_instances() -> None:
    run("""
        from netlink._engine.record import HeaderField
        class H(Struct):
            a = u32()
        class Other(Struct):
            big = binary(size=60000)
        class A(AttributeSet, header=H):
            b = u8(1)
        class B(AttributeSet, header=Other):
            b = u8(1)
        read = vars(A)["a"]
        for use in (
            lambda: read.__get__(B(big=bytes(60000)), B), lambda: read.__get__(object(), A), lambda: read.__get__(5, A),
            lambda: HeaderField(A.header, Other.big), lambda: HeaderField(A.b, H.a), lambda: HeaderField(None, H.a),
            lambda: HeaderField.__new__(HeaderField).__get__(A(), A), lambda: read.__init__(B.header, Other.big),
            lambda: read.__get__(A.__new__(A), A),
        ):
            try:
                use()
            except TypeError:
                pass
            else:
                raise SystemExit("read")
        type.__setattr__(A, "__header_fields__", {"big": Other.big})
        try:
            A(big=b"x")
        except TypeError:
            raise SystemExit
        raise SystemExit("stored")
    """)


def test_mistakes_in_names_of_the_header() -> None:
    def declare(head: type[Struct] | None, **fields: Any) -> None:
        options = {"header": head} if head else {}
        type(AttributeSet)("Declared", (AttributeSet,), {"a": u8(1), **fields}, **options)

    for header, fields, message in (
        (None, {"header": None}, "which header= declares"),
        (InfoMsg, {"header": u8(2)}, "which header= declares"),
        (NfGenMsg, {"index": InfoMsg.index}, "a field of InfoMsg, not of the header"),
        (None, {"index": InfoMsg.index}, "a field of InfoMsg, not of the header"),
        (InfoMsg, {"encode": InfoMsg.index}, "choose another name"),
        (InfoMsg, {"one": InfoMsg.index, "two": InfoMsg.index}, "two names"),
    ):
        with pytest.raises(TypeError, match=message):
            declare(header, **fields)
    declare(None, header=u8(2))  # an attribute of that name
    declare(InfoMsg, header=None)


# Copies, pickles, and batches that are put together


class Hostile(AttributeSet):
    a = u8(1)

    def encode(self) -> bytes:
        return attr(1, b"\xff")

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 7


def happened(count: int = 6) -> Batch[Packet]:
    """Records with events, views, and attributes of unknown types."""
    payloads = [Packet(payload=bytes([n]) * n).encode() + attr(500 + n, bytes([n])) for n in range(count)]
    events = [Happening(n) if n % 3 else None for n in range(count)]
    return restored_batch(Packet, payloads, {"happening": events}, True)


def test_a_batch_is_pickled_and_copied_by_value() -> None:
    batch = happened()
    assert [packet.happening for packet in batch] == [None, 1, 2, None, 4, 5]
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(batch, protocol))
        assert again == batch
        assert hash(again) == hash(batch)
        assert again.interrupted
        assert [packet.happening for packet in again] == [packet.happening for packet in batch]
        assert [packet.unknown for packet in again] == [()] * 6
    for twin in (copy.copy(batch), copy.deepcopy(batch)):
        assert twin == batch
        assert twin.interrupted
        assert [packet.happening for packet in twin] == [packet.happening for packet in batch]
        assert [packet.unknown for packet in twin] == [((500 + n, bytes([n])),) for n in range(6)]
    empty = pickle.loads(pickle.dumps(Packet.decode_many([])))
    assert empty == Packet.decode_many([])
    assert not empty.interrupted
    stats = Stats.decode_many([Stats(count=n).encode() for n in range(3)])
    assert pickle.loads(pickle.dumps(stats)) == stats == copy.copy(stats)


def test_a_slice_has_its_records_alone() -> None:
    batch = rows(1000)
    part = batch[500:10:-100]
    assert part.nbytes == batch.nbytes
    whole, some = len(pickle.dumps(batch)), len(pickle.dumps(part))
    assert some < whole / 50
    for own in (pickle.loads(pickle.dumps(part)), copy.copy(part), Batch.concat([part])):
        assert own == part
        assert [row.number for row in own] == [500, 400, 300, 200, 100]
        assert own.nbytes < batch.nbytes / 50


def test_a_record_is_copied_by_value() -> None:
    batch = happened()
    held = sys.getrefcount(batch)
    for packet in batch:
        for twin in (copy.copy(packet), copy.deepcopy(packet)):
            assert twin is not packet
            assert (twin, twin.happening, twin.unknown) == (packet, packet.happening, packet.unknown)
        assert pickle.loads(pickle.dumps(packet)).happening == packet.happening
    assert sys.getrefcount(batch) == held
    # Of a record within another, what belongs to it.
    outer = Flow.decode(bytes(4) + attr(1, attr(1, bytes(4)) + attr(77, b"in")) + attr(99, b"out") + attr(5, bytes(4)))
    assert outer.orig is not None
    assert copy.copy(outer.orig).unknown == ((77, b"in"),)
    assert copy.copy(outer).unknown == ((99, b"out"),)
    assert copy.copy(outer).orig.unknown == ((77, b"in"),)  # type: ignore[union-attr]
    with pytest.raises(TypeError):
        copy.copy(Flow.__new__(Flow))


def test_pickles_that_say_what_is_not_so() -> None:
    payloads = [Packet(payload=b"x").encode()]
    for events in ({"payload": [1]}, {"happening": [1, 2]}, {"happening": []}):
        with pytest.raises(ValueError, match="not an event"):
            restored_batch(Packet, payloads, events, False)
    with pytest.raises(KeyError):
        restored_batch(Packet, payloads, {"nothing": [1]}, False)
    with pytest.raises(EncodeError):
        restored_batch(Packet, payloads, {"happening": [256]}, False)
    with pytest.raises(DecodeError):
        restored_batch(Packet, [b"x"], {}, False)
    for cls in (Record, int):
        with pytest.raises(TypeError):
            restored_batch(cls, payloads, {}, False)  # type: ignore[type-var]
    with pytest.raises(TypeError):
        restored_batch(Packet, None, {}, False)  # type: ignore[arg-type]


def test_a_class_with_methods_of_its_own_is_pickled_as_any() -> None:
    """Methods that a class overrides are not asked for what the memory of a batch has."""
    batch = Hostile.decode_many([attr(1, bytes([n])) for n in range(4)])
    assert [record.a for record in pickle.loads(pickle.dumps(batch))] == [0, 1, 2, 3]
    assert [record.a for record in batch + batch[::-1]] == [0, 1, 2, 3, 3, 2, 1, 0]
    assert batch == batch[:]
    assert batch != batch[::-1]


def test_equality_of_batches() -> None:
    batch = rows(10)
    assert batch == rows(10)
    assert batch == batch[:] == batch[::-1][::-1]
    assert hash(batch) == hash(rows(10))
    for other in (rows(9), rows(11), batch[::-1], batch[1:], Port.decode_many([]), [*batch], None):
        assert batch != other
    assert batch[:0] == batch[5:5] == rows(0)
    assert batch[:0] != Port.decode_many([])
    assert batch[2:5] == rows(5)[2:]
    packets = happened()
    assert packets != Packet.decode_many([packet.encode() for packet in packets])  # which has no events
    assert packets[:1] == Packet.decode_many([packets[0].encode()])
    assert packets != restored_batch(Packet, [p.encode() for p in packets], {"happening": [1] * 6}, True)


def test_batches_are_put_together() -> None:
    batch = rows(10)
    assert batch[:4] + batch[4:] == batch
    assert batch + batch[:0] == batch == batch[:0] + batch
    assert [row.number for row in Batch.concat([batch[::-4], batch[2:3], batch[:0], batch[7::2]])] == [9, 5, 1, 2, 7, 9]
    assert Batch.concat(batch[n : n + 1] for n in range(10)) == batch
    one = Batch.concat([rows(0)])
    assert (len(one), one) == (0, rows(0))
    joined = happened() + happened()[::-1]
    assert joined.interrupted
    assert not (batch + batch).interrupted
    assert (happened()[:0] + Packet.decode_many([])).interrupted
    assert [bytes(packet.payload or b"") for packet in joined[:7]] == [bytes([n]) * n for n in (0, 1, 2, 3, 4, 5, 5)]
    assert [packet.unknown[0][0] for packet in joined] == [500, 501, 502, 503, 504, 505, 505, 504, 503, 502, 501, 500]


def test_what_is_put_together_holds_no_part() -> None:
    parts = [rows(100), rows(100)]
    held = [sys.getrefcount(part) for part in parts]
    joined = Batch.concat(parts)
    assert [sys.getrefcount(part) for part in parts] == held
    del parts
    gc.collect()
    assert joined[150].orig == Port(number=50, name="p50")


def test_batches_that_do_not_go_together() -> None:
    batch: Any = rows(3)
    with pytest.raises(ValueError, match="at least one batch"):
        Batch.concat([])
    for wrong in ([batch, Port.decode_many([])], [batch, [batch[0]]], [None], batch):
        with pytest.raises(TypeError, match="concat takes batches"):
            Batch.concat(wrong)
    with pytest.raises(TypeError):
        batch + Port.decode_many([])
    for other in ([], None, 1):
        with pytest.raises(TypeError):
            batch + other
        with pytest.raises(TypeError):
            other + batch
    with pytest.raises((TypeError, AttributeError)):
        Batch.concat([Batch.__new__(Batch)])
    with pytest.raises((TypeError, AttributeError)):
        pickle.dumps(Batch.__new__(Batch))


def test_to_dict_for_json() -> None:
    record = Kinds(
        on=True, text="a\udcff", data=b"\1\2", hw="02:00:00:00:00:01", v4="192.0.2.1", two="::1", state=1,
        status=Status.ASSURED | Status.EXPECTED, plain_flags=1 << 40,
    )  # fmt: skip
    out = record.to_dict(json=True)
    assert out == {
        "on": True, "text": "a\udcff", "data": "0102", "hw": "02:00:00:00:00:01", "v4": "192.0.2.1", "two": "::1",
        "state": "SYN_SENT", "status": 5, "plain_flags": 1 << 40,
    }  # fmt: skip
    assert type(out["status"]) is int
    assert json.loads(json.dumps(out)) == out
    assert Kinds(state=9).to_dict(json=True) == {"state": 9}
    assert Packet(payload=b"\xff", happening=Happening.GONE).to_dict(json=True) == {"payload": "ff", "happening": 4}
    flow = Flow(parts=[Inner(x=1, port=Port(number=5))], kind=9, by_int=b"raw", stats=Stats(addr="192.0.2.1"))
    out = flow.to_dict(json=True)
    assert out["parts"] == [{"x": 1, "port": {"number": 5}}]
    assert out["by_int"] == "726177"
    assert out["stats"]["addr"] == "192.0.2.1"
    assert flow.to_dict()["by_int"] == b"raw"
    with pytest.raises(TypeError):
        flow.to_dict(True)  # type: ignore[misc]


@pytest.mark.parametrize("make", [
    lambda: u64(1, time="h"), lambda: u32(1, time="s"), lambda: u64(1, time="s", enum=State),  # type: ignore
    lambda: uint(1, time="ns"), lambda: u64(1, time=1),  # type: ignore
])  # fmt: skip
def test_what_is_no_time(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="for 8 bytes without an enum"):
        make()


def test_a_time_reads_as_an_integer() -> None:
    class Moment(AttributeSet):
        at = be64(1, time="ns")

    assert Moment.at.time == "ns"
    assert Pair.one.time is None
    assert Moment.decode(Moment(at=5).encode()).at == 5


class InterruptError(Exception):
    pass


@pytest.mark.parametrize("call", ["decode_many", "__arrow_c_array__"])
def test_work_on_many_records_can_be_interrupted(call: str) -> None:
    """The exception comes out of the call, not after it: its traceback has the call."""

    def interrupt(number: int, frame: object) -> None:
        raise InterruptError

    payloads = [Row(number=1).encode()] * 400_000
    batch = Row.decode_many(payloads)
    run_: Any = batch.__arrow_c_array__ if call == "__arrow_c_array__" else lambda: Row.decode_many(payloads)
    main = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, interrupt)
    ended = False
    go: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def shoot() -> None:
        while go.get():
            time.sleep(0.001)
            signal.pthread_kill(main, signal.SIGUSR1)

    shooter = threading.Thread(target=shoot)
    shooter.start()
    try:
        for _ in range(50):
            try:
                go.put(True)
                run_()
                signal.pause()
            except InterruptError as error:
                frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
                ended = any(name.endswith(call) for name in frames[1:-1])
                if ended:
                    break
    finally:
        go.put(False)
        shooter.join()
        signal.signal(signal.SIGUSR1, before)
    assert ended
