"""What holds of the schema engine for every value and for any bytes at all."""

from __future__ import annotations

import copy
import json
import pickle
import struct as cstruct
from enum import IntEnum, IntFlag
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netlink import DecodeError, schema
from netlink.schema import (
    AttributeSet,
    Record,
    Struct,
    array,
    be16,
    be32,
    be64,
    binary,
    flag,
    ip,
    ipv4,
    ipv6,
    key,
    lladdr,
    mac,
    nested,
    packed,
    repeated,
    s8,
    s16,
    s32,
    s64,
    sbe32,
    sint,
    sockaddr,
    string,
    struct,
    submessage,
    u8,
    u16,
    u32,
    u64,
    uint,
)

many = settings(deadline=None, max_examples=200)
MANY = 6  # so many that the last ones are decoded by shape
some = settings(deadline=None, max_examples=100)


class State(IntEnum):
    NONE = 0
    OPEN = 1


class Status(IntFlag):
    SEEN = 1
    ASSURED = 4


class Head(Struct):
    family = u8()
    res_id = be16()
    pad = binary(size=2)


class Stats(Struct):
    a = u32()
    b = s16()
    c = be64()
    addr = ipv4()
    hw = mac()


class Both(Struct, aligned=True):
    one = u8()
    told = ip(size=16, family="end")
    head = struct(None, Head)
    wide = u64()
    end = u16()


class Headed(AttributeSet, header=Head, lenient=True):
    number = be32(1)
    text = string(2)


# Of most kinds one field lies in the record itself, and one in its annex.
RARE = (
    *("i_u64", "i_s32", "i_be16", "i_be32", "i_sint", "text", "fixed", "v6", "any_ip", "note", "stats", "middles"),
    *("names", "leaves", "pack", "seldom", "link"),
)


class Leaf(AttributeSet):
    name = string(1)
    number = be32(2)


class Numbered(AttributeSet):
    inner = key(1)
    number = u16(1)
    outer = key()


class Middle(AttributeSet, rare=("leaf",), unknown=False, ignore=(9,)):
    leaf = nested(1, Leaf)
    rare_leaf = nested(2, Leaf, rare=True)
    leaves = repeated(3, Leaf)
    text = string(4)


class Everything(AttributeSet, header=Head, rare=RARE):
    middle = nested(1, Middle)
    i_u8 = u8(2, enum=State)
    i_u16 = u16(3)
    i_u32 = u32(4)
    i_u64 = u64(5)
    i_s8 = s8(6)
    i_s16 = s16(7)
    i_s32 = s32(8)
    i_s64 = s64(9)
    i_be16 = be16(10)
    i_be32 = be32(11, enum=Status)
    i_be64 = be64(12)
    i_uint = uint(13)
    i_sint = sint(14)
    on = flag(15)
    text = string(16)
    data = binary(17)
    fixed = binary(18, size=3)
    hw = mac(19)
    v4 = ipv4(20)
    v6 = ipv6(21)
    any_ip = ip(22)
    two = ip((23, 1), (23, 3))
    icmp = be16((24, 1), type6=(24, 2), of="two")
    note = string((24, 5))
    stats = struct(25, Stats)
    numbers = repeated(26, sint)
    middles = repeated(27, Middle)
    names = array(28, string)
    leaves = array(29, Leaf)
    pack = packed(30, be16)
    kind = u16(31)
    by_number = submessage(32, on="kind", cases={1: Leaf, 2: Middle, 4: Both})
    name = string(33)
    by_name = submessage(34, on="name", cases={"leaf": Leaf, "middle": Middle, "headed": Headed})
    seldom = nested(35, Middle, rare=True)
    link = lladdr(36)
    states = repeated(37, u16(enum=State))
    statistics = packed(38, Stats)
    measured = array(39, Stats)
    table = array(40, Numbered, depth=2)
    both = struct(41, Both)
    peer = sockaddr(42)
    peers = repeated(43, sockaddr)
    told = ip(44, size=16, family="i_u16")
    i_sbe = sbe32(45)
    states_packed = packed(46, u16, enum=State)


def integers(width: int, signed: bool = False) -> st.SearchStrategy[int]:
    low, high = (-1 << 8 * width - 1, (1 << 8 * width - 1) - 1) if signed else (0, (1 << 8 * width) - 1)
    return st.integers(low, high)


def optional(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=parts)


def records(cls: type[Record], **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return optional(**parts).map(lambda values: cls(**values))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda t: not t.endswith("\0"))
macs = st.binary(min_size=6, max_size=6).map(lambda b: b.hex(":"))
lladdrs = st.binary(max_size=40).map(lambda b: b.hex(":"))
v4s, v6s = st.ip_addresses(v=4), st.ip_addresses(v=6)
heads = st.fixed_dictionaries(
    {"family": integers(1), "res_id": integers(2), "pad": st.binary(min_size=2, max_size=2)}
).map(lambda values: Head(**values))
all_stats = st.fixed_dictionaries(
    {"a": integers(4), "b": integers(2, True), "c": integers(8), "addr": v4s, "hw": macs}
).map(lambda values: Stats(**values))
leaves = records(Leaf, name=texts, number=integers(4))
middles = records(
    Middle, leaf=leaves, rare_leaf=leaves, text=texts, leaves=st.lists(leaves, min_size=1, max_size=3).map(tuple)
)
numbered = st.builds(Numbered, inner=integers(1), outer=integers(1), number=st.none() | integers(2))
wholes = st.fixed_dictionaries({"one": integers(1), "head": heads, "wide": integers(8), "told": st.ip_addresses()}).map(
    lambda values: Both(**values, end=2 if values["told"].version == 4 else 10)
)
peers = st.one_of(
    st.builds(schema.SocketAddress, v4s, integers(2)),
    st.builds(schema.SocketAddress, v6s, integers(2), integers(4), integers(4)),
)
headed = records(Headed, header=heads, number=integers(4), text=texts).map(
    lambda r: r if r.header is not None else r.replace(family=0, res_id=0, pad=bytes(2))
)
told = st.one_of(
    st.just({}),
    v6s.map(lambda a: {"told": a}),
    v4s.map(lambda a: {"told": a, "i_u16": 2}),
    v6s.map(lambda a: {"told": a, "i_u16": 10}),
)
cases = st.one_of(
    st.just({}),
    leaves.map(lambda r: {"kind": 1, "by_number": r}),
    middles.map(lambda r: {"kind": 2, "by_number": r, "name": "middle", "by_name": r}),
    leaves.map(lambda r: {"name": "leaf", "by_name": r}),
    st.tuples(wholes, headed).map(lambda r: {"kind": 4, "by_number": r[0], "name": "headed", "by_name": r[1]}),
    st.binary(max_size=9).map(lambda b: {"kind": 3, "by_number": b, "name": "other", "by_name": b}),
)
scalars = optional(
    header=heads, middle=middles, i_u8=integers(1), i_u16=integers(2), i_u32=integers(4), i_u64=integers(8),
    i_s8=integers(1, True), i_s16=integers(2, True), i_s32=integers(4, True), i_s64=integers(8, True),
    i_be16=integers(2), i_be32=integers(4), i_be64=integers(8), i_uint=integers(8), i_sint=integers(8, True),
    on=st.just(True), text=texts, data=st.binary(max_size=20), fixed=st.binary(min_size=3, max_size=3), hw=macs,
    link=lladdrs,
    v4=v4s, v6=v6s, any_ip=st.ip_addresses(), two=st.ip_addresses(), icmp=integers(2), note=texts, stats=all_stats,
    numbers=st.lists(integers(8, True), min_size=1, max_size=4).map(tuple),
    middles=st.lists(middles, min_size=1, max_size=3).map(tuple), names=st.lists(texts, max_size=4).map(tuple),
    leaves=st.lists(leaves, max_size=3).map(tuple), pack=st.lists(integers(2), max_size=5).map(tuple), seldom=middles,
    states=st.lists(integers(2), min_size=1, max_size=3).map(tuple),
    statistics=st.lists(all_stats, max_size=3).map(tuple), measured=st.lists(all_stats, max_size=3).map(tuple),
    table=st.lists(numbered, max_size=4).map(tuple),
    both=wholes, peer=peers, peers=st.lists(peers, min_size=1, max_size=3).map(tuple), i_sbe=integers(4, True),
    states_packed=st.lists(integers(2), max_size=4).map(tuple),
)  # fmt: skip
values = st.builds(lambda a, b, c: {**a, **b, **c} if c else {**a, **b}, scalars, cases, told).map(
    lambda v: {**v, "i_u16": 10} if v.get("i_u16") == 2 and "told" in v and v["told"].version == 6 else v
)


@many
@given(values)
def test_what_is_made_is_read_back(given_: dict[str, Any]) -> None:
    made = Everything(**given_)
    payload = made.encode()
    read = Everything.decode(payload)
    for record in (made, read):
        for name in Everything.__fields__:
            if name in given_:
                assert getattr(record, name) == given_[name], name
            elif name != "header":
                assert getattr(record, name) is None, name
    assert read == made
    assert hash(read) == hash(made)
    assert read.encode() == payload
    assert Everything(**{n: getattr(read, n) for n in Everything.__fields__}) == made
    batch = Everything.decode_many([payload] * MANY)
    assert batch[::-1][1] == made
    assert batch.count(made) == MANY
    repr(read)


@some
@given(values)
def test_numpy_agrees(given_: dict[str, Any]) -> None:
    pytest.importorskip("numpy")
    batch = Everything.decode_many([Everything(**given_).encode(), bytes(8)])
    out = batch.to_numpy()
    assert out.dtype.names is not None
    for name in out.dtype.names:
        assert not out[name][1].any()
        value = given_.get(name)
        if isinstance(value, int):
            assert out[name][0] == value


def inner(record: Any) -> list[Any]:
    """The records that a record has in its fields."""
    read = [getattr(record, name) for name in type(record).__fields__]
    parts = [part for value in read for part in (value if isinstance(value, tuple) else (value,))]
    return [part for part in parts if isinstance(part, Record)]


def unknowns(record: Any) -> Any:
    """The attributes of unknown types, of a record and of all within."""
    return record.unknown, [unknowns(part) for part in inner(record)]


def exercise(record: Any) -> None:
    """Reads all there is to read."""
    record.to_dict()
    repr(record)
    hash(record)
    for type_, payload in record.unknown:
        assert 0 <= type_ <= 0x3FFF
        assert isinstance(payload, bytes)
    json.dumps(record.to_dict(json=True))
    twin = copy.copy(record)
    assert repr(twin) == repr(record)
    assert unknowns(twin) == unknowns(record)
    assert twin.encode() == record.encode()
    for part in inner(record):
        exercise(part)


def decoded(cls: Any, payload: bytes) -> None:
    try:
        record = cls.decode(payload)
    except DecodeError as error:
        assert str(error).startswith(cls.__name__)  # noqa: PT017
        with pytest.raises(DecodeError):
            cls.decode_many([payload])
        return
    exercise(record)
    again = cls.decode(record.encode())
    assert again == record
    assert again.encode() == record.encode()
    exercise(again)
    batch = cls.decode_many([payload] * MANY)
    for one in (batch[0], batch[-1]):
        assert one == record
        assert one.unknown == record.unknown
    joined = batch[:1] + batch[::-2]
    assert joined == cls.decode_many([payload] * len(joined)) == pickle.loads(pickle.dumps(joined))
    assert joined.nbytes <= batch.nbytes
    del batch
    for one in joined:
        assert one.to_dict() == record.to_dict()
        assert unknowns(one) == unknowns(record)


EDGES = st.sampled_from([0, 1, 2, 3, 4, 5, 8, 12, 15, 16, 17, 0x7F, 0x80, 0xFF]) | st.integers(0, 255)


@many
@given(values, st.lists(st.tuples(st.integers(0, 1 << 16), EDGES), max_size=6), st.integers(0, 1 << 16) | st.none())
def test_mutated(given_: dict[str, Any], changes: list[tuple[int, int]], end: int | None) -> None:
    payload = bytearray(Everything(**given_).encode())
    for at, value in changes:
        payload[at % len(payload)] = value
    decoded(Everything, bytes(payload if end is None else payload[: end % (len(payload) + 1)]))


def attributes(depth: int) -> st.SearchStrategy[bytes]:
    """Well-formed lists of attributes of any types and contents."""
    inner = st.binary(max_size=20) | st.sampled_from([b"", b"\0", bytes(2), bytes(4), b"leaf", bytes(8), bytes(16)])
    one = st.tuples(st.integers(0, 40) | st.integers(0, 0xFFFF), inner if depth == 0 else inner | attributes(depth - 1))
    return st.lists(
        one.map(lambda a: cstruct.pack("=HH", 4 + len(a[1]), a[0]) + a[1] + bytes(-len(a[1]) % 4)), max_size=4
    ).map(b"".join)


@many
@given(attributes(3))
def test_any_attributes(payload: bytes) -> None:
    decoded(Everything, bytes(8) + payload)
    decoded(Middle, payload)


@many
@given(st.binary(max_size=200))
def test_any_bytes(payload: bytes) -> None:
    decoded(Everything, payload)
    decoded(Middle, payload)
    record = Stats.decode(payload)
    record.to_dict()
    whole = sum(end <= len(payload) for end in (4, 6, 14, 18, 24))  # fields that are there
    size = (0, 4, 6, 14, 18, 24)[whole]
    assert record.encode() == payload[:size]
