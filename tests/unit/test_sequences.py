"""Lists in one attribute: attributes whose order counts, and records with a length of their own."""

from __future__ import annotations

import copy
import pickle
import struct as cstruct
from collections.abc import Callable
from typing import Any

import pytest

from netlink import NESTED, DecodeError, EncodeError
from netlink._engine.paths import attribute_path
from netlink.schema import (
    IP,
    AttributeSet,
    Flag,
    Int,
    Items,
    Str,
    Struct,
    be16,
    binary,
    chain,
    flag,
    ip,
    nested,
    repeated,
    s32,
    sequence,
    string,
    u8,
    u16,
    u32,
)

DEPTH = 32
TIMES = 12  # so many that the last ones are decoded by shape


def attr(kind: int, *inner: bytes) -> bytes:
    data = b"".join(inner)
    return cstruct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


class Sample(AttributeSet):
    probability: Int = u32(1)
    actions: Items[Action] = sequence(2, lambda: Action)


class Action(AttributeSet):
    output: Int = u32(1)
    pop: Flag = flag(2)
    sample = nested(3, Sample)
    note: Str = string(4)
    ports: Items[int] = repeated(5, u16)
    clone: Items[Action] = sequence(6, lambda: Action)


class NextHopHeader(Struct):  # struct rtnexthop
    len: Int = u16()
    flags: Int = u8()
    hops: Int = u8()
    ifindex: Int = s32()


class NextHop(AttributeSet, header=NextHopHeader):
    ifindex: Int = NextHopHeader.ifindex
    gateway: IP = ip(5)
    via: Str = string(6)


class Route(AttributeSet):
    multipath: Items[NextHop] = chain(9, NextHop)
    actions: Items[Action] = sequence(10, Action)
    table: Int = u32(15)


def hop(index: int, *attributes: bytes) -> bytes:
    data = b"".join(attributes)
    return cstruct.pack("=HBBi", 8 + len(data), 0, 0, index) + data


def agrees(payload: bytes, **values: Any) -> Route:
    """The record of a payload, which is the one that is made of values, however it is looked at."""
    read = Route.decode(payload)
    made = Route(**values)
    assert repr(read) == repr(made)
    batch = Route.decode_many([payload] * TIMES)
    for record in (
        made,
        copy.copy(read),
        pickle.loads(pickle.dumps(made)),
        read.replace(),
        batch[-1],
        (batch + batch)[-1],
    ):
        assert record == read
        assert hash(record) == hash(read)
        assert record.to_dict() == read.to_dict()
        assert record.encode() == payload
    assert pickle.loads(pickle.dumps(batch)) == batch
    return read


def test_attributes_in_order() -> None:
    parts = (
        attr(1, b"\1\0\0\0"),
        attr(2),
        attr(1, b"\2\0\0\0"),
        attr(4, b"x\0"),
        attr(5, b"\7\0"),
        attr(3 | NESTED, attr(1, b"\5\0\0\0") + attr(2 | NESTED, attr(2) + attr(1, b"\3\0\0\0"))),
        attr(2),
    )
    inner = Sample(probability=5, actions=[Action(pop=True), Action(output=3)])
    read = agrees(
        attr(10 | NESTED, *parts),
        actions=[
            Action(output=1),
            Action(pop=True),
            Action(output=2),
            Action(note="x"),
            Action(ports=[7]),
            Action(sample=inner),
            Action(pop=True),
        ],
    )
    assert read.actions is not None
    assert [next(iter(action.to_dict())) for action in read.actions] == [
        "output", "pop", "output", "note", "ports", "sample", "pop",
    ]  # fmt: skip
    assert agrees(attr(10 | NESTED), actions=()).actions == ()


def test_unknown_ones_keep_their_place() -> None:
    read = Route.decode(attr(10, attr(1, b"\1\0\0\0"), attr(77, b"x"), attr(2)))
    assert read.actions is not None
    assert [action.unknown for action in read.actions] == [(), ((77, b"x"),), ()]
    assert Route.decode(read.encode()).actions == (Action(output=1), Action(pop=True))


@pytest.mark.parametrize("wrong", [Action(), Action(output=1, pop=True), Action(ports=[1, 2])])
def test_a_record_of_a_sequence_has_one_field(wrong: Action) -> None:
    with pytest.raises(EncodeError, match=r"^actions: a record of a sequence has one field, not as Action\("):
        Route(actions=[wrong])


def test_sequences_in_sequences_are_limited() -> None:
    payload = attr(1, b"\1\0\0\0")
    record = Action(output=1)
    for _ in range(DEPTH):
        payload = attr(6 | NESTED, payload)
        record = Action(clone=[record])
    assert Action.decode(payload) == record
    assert record.encode() == payload
    with pytest.raises(DecodeError, match="nested more than 32 deep"):
        Action.decode(attr(6, payload))
    with pytest.raises(EncodeError, match="nested more than 32 deep"):
        Action(clone=[record])


def test_records_with_a_length() -> None:
    gateway = attr(5, bytes([192, 0, 2, 1]))
    payload = attr(9, hop(3, gateway), hop(4), hop(5, gateway, attr(6, b"ab\0")))
    read = agrees(
        payload,
        multipath=[
            NextHop(ifindex=3, gateway="192.0.2.1"),
            NextHop(ifindex=4),
            NextHop(ifindex=5, gateway="192.0.2.1", via="ab"),
        ],
    )
    assert read.multipath is not None
    assert [one.header and one.header.len for one in read.multipath] == [16, 8, 24]
    assert [one.ifindex for one in read.multipath] == [3, 4, 5]
    assert agrees(attr(9), multipath=()).multipath == ()
    assert Route(multipath=[NextHop(header=NextHopHeader(len=999, ifindex=4))]).encode() == attr(9, hop(4))
    assert Route(multipath=[NextHop(via="x")]).encode() == attr(9, hop(0, attr(6, b"x\0")))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (hop(3)[:7], r"want a header of 8 bytes, got 7, at byte 4"),
        (hop(3) + b"\0", r"want a header of 8 bytes, got 1, at byte 12"),
        (b"\7\0" + hop(3)[2:], r"does not fit the 8 remaining bytes, at byte 4"),
        (b"\0\0" + hop(3)[2:], r"does not fit the 8 remaining bytes, at byte 4"),
        (b"\x09\0" + hop(3)[2:], r"does not fit the 8 remaining bytes, at byte 4"),
        (hop(3, attr(5, b"12")), r"\.gateway: want 16 bytes, got 2, at byte 16"),
        (hop(3, b"\xff\0\5\0"), r"does not fit the 4 remaining bytes, at byte 12"),
    ],
)
def test_wrong_lengths(data: bytes, text: str) -> None:
    payload = attr(9, data)
    for call in (lambda: Route.decode(payload), lambda: Route.decode_many([attr(9, hop(1))] * TIMES + [payload])):
        with pytest.raises(DecodeError, match=rf"^Route\.multipath.*{text}$"):
            call()


def test_a_last_record_needs_no_padding() -> None:
    read = Route.decode(attr(9, hop(3) + cstruct.pack("=HBBi", 15, 0, 0, 4) + attr(6, b"abc")[:7]))
    assert read.multipath == (NextHop(header=NextHopHeader(len=8, ifindex=3)),
                              NextHop(header=NextHopHeader(len=15, ifindex=4), via="abc"))  # fmt: skip


def test_of_attributes_that_come_again_the_last_counts() -> None:
    read = Route.decode(attr(9, hop(3)) + attr(10, attr(2)) + attr(9, hop(4)) + attr(10))
    assert read.multipath is not None
    assert [one.ifindex for one in read.multipath] == [4]
    assert read.actions == ()


def test_what_is_too_long() -> None:
    with pytest.raises(EncodeError):
        Route(multipath=[NextHop(via="x" * 40000), NextHop(via="x" * 40000)]).encode()
    with pytest.raises((EncodeError, TypeError)):
        Route(multipath=[Action()])
    with pytest.raises(TypeError, match="multipath: want a NextHop, got Action"):
        Route(multipath=[Action()])
    with pytest.raises(TypeError, match="actions: want a Action, got int"):
        Route(actions=[3])


def test_columns() -> None:
    pa = pytest.importorskip("pyarrow")
    record = Route(
        multipath=[NextHop(ifindex=3, gateway="::1")], actions=[Action(output=1), Action(clone=[Action(pop=True)])]
    )
    (row,) = pa.table(Route.decode_many([record.encode()])).to_pylist()
    assert row["multipath"] == [
        {"gateway": "::1", "via": None, "header_len": 28, "header_flags": 0, "header_hops": 0, "header_ifindex": 3}
    ]
    assert [action["output"] for action in row["actions"]] == [1, None]
    assert row["actions"][1]["clone"] == [attr(2)]
    numpy = pytest.importorskip("numpy")
    assert numpy.asarray(Route.decode_many([record.encode()])["actions"])[0] == record.actions


def test_paths() -> None:
    mark = 0x01020304

    def at(record: Route) -> str:
        payload = record.encode()
        return attribute_path(Route, payload, 16 + payload.index(cstruct.pack("=I", mark)))

    assert at(Route(actions=[Action(pop=True), Action(output=mark)])) == "actions[1].output"
    assert at(Route(actions=[Action(pop=True), Action(clone=[Action(output=mark)])])) == "actions[1].clone[0].output"
    assert at(Route(actions=[Action(sample=Sample(probability=mark))])) == "actions[0].sample.probability"
    assert at(Route(multipath=[NextHop(), NextHop(ifindex=mark)])) == "multipath[1].header.ifindex"
    assert at(Route(multipath=[NextHop(), NextHop(gateway="4.3.2.1"), NextHop()])) == "multipath[1].gateway"
    assert at(Route(table=mark, multipath=[NextHop()])) == "table"


class Odd(Struct):
    length: Int = be16()


class NoLength(AttributeSet, header=Odd):
    number: Int = u8(1)


class Bytes(Struct):
    data = binary(size=2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sequence(1, u32),
        lambda: sequence(1, NextHopHeader),
        lambda: chain(1, Action),
        lambda: chain(1, NextHopHeader),
        lambda: chain(1, NoLength),
        lambda: chain(1, u32),
        lambda: chain(1, type("Of", (AttributeSet,), {"number": u8(1)}, header=Bytes)),
    ],
)
def test_mistakes_in_a_call(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        make()
