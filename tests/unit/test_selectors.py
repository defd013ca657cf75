"""Submessages that fields of the header, or of the record around them, decide about; and their shapes."""

from __future__ import annotations

import copy
import itertools
import pickle
import struct as cstruct
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import pytest

from netlink import NESTED, DecodeError, EncodeError
from netlink._engine.paths import attribute_path
from netlink.schema import (
    AttributeSet,
    Batch,
    Field,
    Int,
    Items,
    Str,
    Struct,
    array,
    nested,
    outer,
    repeated,
    string,
    struct,
    submessage,
    u8,
    u16,
    u32,
)

TIMES = 24  # enough for shapes


def attr(kind: int, *inner: bytes) -> bytes:
    data = b"".join(inner)
    return cstruct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


class Family(IntEnum):
    BRIDGE = 7
    INET6 = 10


class Head(Struct):
    family: Int = u8(enum=Family)
    pad: Int = u8()
    type: Int = u16()
    index: Int = u32()


class Bridge(AttributeSet):
    flags: Int = u16(1)
    mode: Int = u16(2)


class Gact(Struct):
    dropped: Int = u32()
    refused: Int = u32()


class Qdisc(AttributeSet):
    delay: Int = u32(1)
    name: Str = string(2)


class Stats(AttributeSet):
    basic: Int = u32(1)
    app: Field[Any] = submessage(4, on=outer(1), cases={"gact": Gact, "fq": Qdisc})


class PerFamily(AttributeSet):
    which: Field[Any] = submessage(1, on=outer(Head.family), cases={Family.BRIDGE: Bridge, Family.INET6: Qdisc})


class Deep(AttributeSet):
    kind: Str = string(1)
    stats: Field[Stats | None] = nested(7, Stats)


class Message(AttributeSet, header=Head, rare=("seldom", "other")):
    kind: Str = string(1)
    options: Field[Any] = submessage(2, on="kind", cases={"gact": Bridge, "fq": Qdisc})
    stats: Field[Stats | None] = nested(7, Stats)
    apart: Field[Stats | None] = nested(8, Stats, rare=True)
    several: Items[Stats] = repeated(9, Stats)
    listed: Items[Stats] = array(10, Stats)
    af_spec: Field[Any] = submessage(26, on="header.family", cases={Family.BRIDGE: Bridge, Family.INET6: Head})
    families: Field[PerFamily | None] = nested(27, PerFamily)
    deep: Field[Deep | None] = nested(28, Deep)
    seldom: Field[Stats | None] = nested(29, Stats)
    forward: Field[Stats | None] = nested(30, lambda: Stats)
    other: Items[Stats] = repeated(31, Stats)
    name: Str = string(32)
    mtu: Int = u32(33)


GACT = attr(4, cstruct.pack("=II", 5, 6))
FQ = attr(4 | NESTED, attr(1, bytes([9, 0, 0, 0])))
KINDS = {"gact": (attr(1, b"gact\0"), GACT, Gact(dropped=5, refused=6)), "fq": (attr(1, b"fq\0"), FQ, Qdisc(delay=9))}
FIELDS: dict[str, tuple[Callable[[bytes], bytes], Callable[[Any], Any]]] = {
    "stats": (lambda p: attr(7 | NESTED, p), lambda v: v),
    "apart": (lambda p: attr(8 | NESTED, p), lambda v: v),
    "several": (lambda p: attr(9 | NESTED, p), lambda v: (v,)),
    "listed": (lambda p: attr(10 | NESTED, attr(1 | NESTED, p)), lambda v: (v,)),
    "seldom": (lambda p: attr(29 | NESTED, p), lambda v: v),
    "forward": (lambda p: attr(30 | NESTED, p), lambda v: v),
    "other": (lambda p: attr(31 | NESTED, p), lambda v: (v,)),
}  # fmt: skip


def head(family: int = 0) -> bytes:
    return cstruct.pack("=BBHI", family, 0, 0, 3)


def first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def same(record: Message, payload: bytes) -> None:
    """The record of a payload stays what it is on all ways."""
    batch = Message.decode_many([payload] * TIMES)
    joined: Batch[Any] = batch + batch
    for twin in (batch[-1], joined[-1], copy.copy(record), pickle.loads(pickle.dumps(record)), record.replace(),
                 Message(**{name: getattr(record, name) for name in Message.__fields__})):  # fmt: skip
        assert twin == record
        assert repr(twin) == repr(record)
        assert twin.to_dict() == record.to_dict()
        assert twin.encode() == record.encode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("behind", [False, True])
def test_a_field_of_the_record_around(field: str, kind: str, behind: bool) -> None:
    selector, app, value = KINDS[kind]
    wrap, many = FIELDS[field]
    parts = (selector, wrap(attr(1, bytes([1, 0, 0, 0])) + app))
    payload = head() + b"".join(reversed(parts) if behind else parts)
    read = Message.decode(payload)
    stats = first(getattr(read, field))
    assert stats.basic == 1
    assert stats.app == value
    assert read.encode() == head() + b"".join(parts)
    made = Message(index=3, kind=kind, **{field: many(Stats(basic=1, app=value))})
    assert made.encode() == read.encode()
    assert first(getattr(made, field)).app == value
    same(read, payload)
    same(made, payload)


def test_without_a_record_around_it_is_bytes() -> None:
    made = Stats(app=Gact(dropped=5, refused=6))
    assert made.app == cstruct.pack("=II", 5, 6)
    assert Stats.decode(GACT).app == made.app
    assert Message(kind="gact", stats=made).stats.app == Gact(dropped=5, refused=6)  # type: ignore[union-attr]
    read = Message(kind="gact", stats=made).stats
    assert pickle.loads(pickle.dumps(read)).app == made.app
    for payload in (head() + attr(7, GACT), head() + attr(1, b"prio\0") + attr(7, GACT)):
        read_ = Message.decode(payload)
        assert read_.stats is not None
        assert read_.stats.app == cstruct.pack("=II", 5, 6)
        same(read_, payload)
    with pytest.raises(EncodeError, match=r"^stats: "):
        Message(kind="fq", stats=Stats(app=Gact(dropped=1)))


def test_only_the_record_directly_around_counts() -> None:
    payload = head() + attr(1, b"gact\0") + attr(28, attr(7, FQ) + attr(1, b"fq\0")) + attr(7, GACT)
    read = Message.decode(payload)
    assert read.deep is not None
    assert read.deep.stats is not None
    assert read.stats is not None
    assert read.deep.stats.app == Qdisc(delay=9)
    assert read.stats.app == Gact(dropped=5, refused=6)
    same(read, payload)
    inner = Message.decode(head() + attr(1, b"gact\0") + attr(28, attr(7, GACT))).deep
    assert inner is not None
    assert inner.stats is not None
    assert inner.stats.app == cstruct.pack("=II", 5, 6)


@pytest.mark.parametrize("family", [0, 7, 10])
def test_fields_of_the_header(family: int) -> None:
    inside = attr(1, b"\1\0") if family == 7 else head(3) if family == 10 else b"raw"
    want: Any = {0: b"raw", 7: Bridge(flags=1), 10: Head(family=3, index=3)}[family]
    payload = head(family) + attr(26 | (NESTED if family != 10 else 0), inside)
    read = Message.decode(payload)
    assert read.af_spec == want
    same(read, payload)
    made = Message(header=Head(family=family, index=3), af_spec=want)
    assert made == read
    assert made.af_spec == want
    assert Message(header=Head(family=family, index=3), af_spec=inside) == read
    inside = attr(1, b"\1\0") if family == 7 else attr(1, b"\1\0\0\0")
    payload = head(family) + attr(27 | NESTED, attr(1 | NESTED, inside))
    read = Message.decode(payload)
    assert read.families is not None
    assert read.families.which == {0: inside, 7: Bridge(flags=1), 10: Qdisc(delay=1)}[family]
    same(read, payload)
    value: Any = {0: inside, 7: Bridge(flags=1), 10: Qdisc(delay=1)}[family]
    assert Message(header=Head(family=family, index=3), families=PerFamily(which=value)) == read


def test_a_header_that_is_missing_chooses_nothing() -> None:
    assert Message(af_spec=b"abc").af_spec == b"abc"
    with pytest.raises(EncodeError, match=r"af_spec: the value of 'header\.family' does not choose Bridge"):
        Message(af_spec=Bridge())

    class Other(Struct):
        family: Int = u8()
        more: Int = u32()

    class Elsewhere(AttributeSet, header=Other):
        families: Field[PerFamily | None] = nested(27, PerFamily)

    class Nowhere(AttributeSet):
        families: Field[PerFamily | None] = nested(27, PerFamily)

    inside = attr(27, attr(1, attr(1, b"\1\0")))
    assert Elsewhere.decode(b"\7\0\0\0\0\0\0\0" + inside).families.which == attr(1, b"\1\0")  # type: ignore[union-attr]
    assert Nowhere.decode(inside).families.which == attr(1, b"\1\0")  # type: ignore[union-attr]


@pytest.mark.parametrize("field", FIELDS)
def test_of_attributes_that_come_again_the_last_counts(field: str) -> None:
    wrap = FIELDS[field][0]
    twice = wrap(attr(1, bytes(4)) + GACT) + attr(1, b"fq\0") + wrap(GACT) + attr(1, b"gact\0")
    for payload in (head() + twice + wrap(GACT), head() + attr(1, b"x\0") + twice + wrap(GACT)):
        read = Message.decode(payload)
        found = getattr(read, field)
        if field in ("several", "other"):
            assert [one.app for one in found] == [Gact(dropped=5, refused=6)] * 3
            assert [one.basic for one in found] == [0, None, None]
        else:
            assert first(found).app == Gact(dropped=5, refused=6)
            assert first(found).basic is None
        same(read, payload)
    with pytest.raises(DecodeError):
        Message.decode(head() + wrap(attr(1, b"123")) + wrap(GACT))


def test_errors_have_their_path() -> None:
    with pytest.raises(DecodeError, match=r"^Message\.stats\.app\.delay: want 4 bytes, got 1, at byte 20$"):
        Message.decode(head() + attr(7, attr(4, attr(1, b"1"))) + attr(1, b"fq\0"))
    with pytest.raises(DecodeError, match=r"^Message\.listed\.basic: "):
        Message.decode(head() + attr(10, attr(1, attr(1, b"1"))))
    with pytest.raises(DecodeError, match=r"^Message\.seldom\.basic: "):
        Message.decode(head() + attr(29, attr(1, b"1")))


def test_paths() -> None:
    mark = 0x01020304

    def at(record: Message) -> str:
        payload = record.encode()
        return attribute_path(Message, payload, 16 + payload.index(cstruct.pack("=I", mark)))

    assert at(Message(kind="fq", stats=Stats(app=Qdisc(delay=mark)))) == "stats.app.delay"
    assert at(Message(kind="fq", listed=[Stats(), Stats(app=Qdisc(delay=mark))])) == "listed[1].app.delay"
    assert at(Message(kind="gact", several=[Stats(app=Gact(refused=mark))])) == "several[0].app.refused"
    assert at(Message(kind="x", several=[Stats(app=Gact(refused=mark))])) == "several[0].app"
    assert at(Message(family=10, families=PerFamily(which=Qdisc(delay=mark)))) == "families.which.delay"
    assert at(Message(deep=Deep(kind="fq", stats=Stats(app=Qdisc(delay=mark))))) == "deep.stats.app.delay"
    assert at(Message(family=10, af_spec=Head(index=mark))) == "af_spec.index"
    payload = Message(family=7, af_spec=Bridge(mode=0x0102)).encode()
    assert attribute_path(Message, payload, 16 + payload.index(b"\2\1")) == "af_spec.mode"


def test_columns() -> None:
    pa = pytest.importorskip("pyarrow")
    records = [
        Message(kind="gact", stats=Stats(app=Gact(dropped=5))),
        Message(kind="fq", stats=Stats(app=Qdisc(delay=9)), options=Qdisc(delay=1), family=7, af_spec=Bridge(mode=2)),
        Message(stats=Stats(app=b"raw")),
    ]
    rows = pa.table(Message.decode_many([record.encode() for record in records])).to_pylist()
    assert [row["stats_app_gact_dropped"] for row in rows] == [5, None, None]
    assert [row["stats_app_fq_delay"] for row in rows] == [None, 9, None]
    assert [row["stats_app"] for row in rows] == [None, None, b"raw"]
    assert rows[1]["options_fq_delay"] == 1
    assert rows[1]["af_spec_bridge_mode"] == 2


MISTAKES = {
    "no such field": lambda: {"x": submessage(1, on="y", cases={1: Bridge})},
    "no header": lambda: {"x": submessage(1, on="header.family", cases={1: Bridge})},
    "in a container": lambda: {"x": submessage((1, 2), on="header.family", cases={1: Bridge})},
    "keys of two kinds": lambda: {"x": submessage(1, on=outer(1), cases={1: Bridge, "a": Bridge})},
    "text for a header": lambda: {"x": submessage(1, on=outer(Head.family), cases={"a": Bridge})},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str) -> None:
    with pytest.raises(TypeError, match=r"^Wrong\.x: "):
        type("Wrong", (AttributeSet,), MISTAKES[mistake]())


@pytest.mark.parametrize("wrong", [-1, 0x4000, "kind", None, 1.0, Message.kind, Stats.basic, struct(None, Head)])
def test_what_is_no_selector(wrong: Any) -> None:
    with pytest.raises(TypeError, match="outer takes"):
        outer(wrong)


# Shapes


def test_shapes_with_submessages() -> None:
    """Payloads with the same headers and others in between, whose cases differ by values alone."""
    payloads = []
    for n, (kind, behind) in zip(range(200), itertools.cycle([("gact", 0), ("fq", 0), ("abcd", 0), ("gact", 1)])):
        selector = attr(1, kind.encode() + b"\0")
        options = attr(2, attr(1, bytes([n, 0])) if kind == "gact" else attr(1, bytes([n, 0, 0, 0])))
        number = attr(1, bytes([n, 0, 0, 0]))
        parts = [
            selector,
            options,
            attr(7, attr(4, number)),
            attr(33, bytes([n, 0, 0, 0])),
            attr(26, attr(1, bytes([n, 0]))),
            attr(8, attr(4, bytes(8)) + attr(99, b"x")),
            attr(9),
            attr(32, b"n%d" % n),
        ]
        payloads.append(head(7 if n % 3 else 9) + b"".join(reversed(parts) if behind else parts))
    batch = Message.decode_many(payloads)
    for record, payload in zip(batch, payloads, strict=True):
        alone = Message.decode(payload)
        assert record == alone
        assert repr(record) == repr(alone)
        assert record.encode() == alone.encode()
        assert [type(part) for part in (record.options, record.af_spec)] == [
            type(part) for part in (alone.options, alone.af_spec)
        ]
        assert record.apart.unknown == alone.apart.unknown


def test_a_malformed_submessage_among_many() -> None:
    good = head() + attr(1, b"fq\0") + attr(2, attr(1, bytes(4)))
    bad = head() + attr(1, b"fq\0") + attr(2, attr(1, b"123"))
    with pytest.raises(DecodeError) as alone:
        Message.decode(bad)
    with pytest.raises(DecodeError) as among:
        Message.decode_many([*[good] * TIMES, bad])
    assert str(among.value) == str(alone.value)
