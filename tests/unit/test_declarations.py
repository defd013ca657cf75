"""Options of declarations, declarations from declarations, structs as C lays them out, and the forms of submessages."""

from __future__ import annotations

import copy
import pickle
import struct as cstruct
from enum import IntFlag
from typing import Any

import pytest

from netlink import NESTED, AttributeEncoder, DecodeError, EncodeError
from netlink._engine.paths import attribute_path
from netlink.packet import Headers, Source
from netlink.schema import (
    AttributeSet,
    Field,
    Int,
    Record,
    Struct,
    array,
    be16,
    be32,
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

MANY = 12  # so many that the last ones are decoded by shape


def attr(kind: int, data: bytes = b"") -> bytes:
    return cstruct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def same(record: Record) -> None:
    """What holds for every record that is whole."""
    cls = type(record)
    payload = record.encode()
    again = cls.decode(payload)
    assert again == record
    assert hash(again) == hash(record)
    assert repr(again) == repr(record)
    assert again.to_dict() == record.to_dict()
    assert again.encode() == payload
    assert copy.copy(record) == copy.deepcopy(record) == record
    assert cls(**{name: getattr(record, name) for name in cls.__fields__}) == record
    assert record.replace() == record
    batch = cls.decode_many([payload] * MANY)
    assert batch[0] == batch[-1] == record
    assert repr(batch[-1]) == repr(record)
    assert batch[-1].to_dict() == record.to_dict()
    if "<locals>" not in cls.__qualname__:
        assert pickle.loads(pickle.dumps(record)) == record
        assert pickle.loads(pickle.dumps(batch)) == batch
    assert copy.copy(batch) == batch


# Options


class Inside(AttributeSet):
    number = u32(1)


class Lenient(AttributeSet, lenient=True):
    a_u8 = u8(1)
    a_u16 = u16(2)
    a_be16 = be16(3)
    a_u32 = u32(4)
    a_be32 = be32(5)
    a_u64 = u64(6)
    a_uint = uint(7)
    on = flag(8)
    fixed = binary(9, size=6)
    v4 = ipv4(10)
    v6 = ipv6(11)
    either = ip(12)
    two = ip((13, 1), (13, 2))
    numbers = repeated(14, u32)
    listed = array(15, u32)
    pack = packed(16, u32)
    inside = nested(17, Inside)
    rare = nested(18, Inside, rare=True)
    kind = u8(19)
    data = submessage(20, on="kind", cases={1: Inside})


WRONG = {
    "a_u8": attr(1), "a_u16": attr(2, b"123"), "a_be16": attr(3, b"1"), "a_u32": attr(4, b"12"),
    "a_be32": attr(5, bytes(8)), "a_u64": attr(6, bytes(4)), "a_uint": attr(7, bytes(3)), "on": attr(8, b"\0"),
    "fixed": attr(9, bytes(5)), "v4": attr(10, bytes(16)), "v6": attr(11, bytes(4)), "either": attr(12, bytes(5)),
    "numbers": attr(14, bytes(5)), "listed": attr(15, attr(1, bytes(4)) + attr(2, bytes(5))),
    "pack": attr(16, bytes(6)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("rare", [False, True])
def test_a_lenient_set_keeps_what_has_another_width(name: str, rare: bool) -> None:
    payload = WRONG[name]
    cls: Any = Lenient
    if rare:
        cls = type(AttributeSet)("Rare", (Lenient,), {}, rare=(name,))
    type_ = cstruct.unpack_from("=H", payload, 2)[0]
    raw = payload[4 : cstruct.unpack_from("=H", payload)[0]]
    for one in cls.decode_many([payload + attr(19, b"\7")] * MANY):
        assert one.unknown == ((type_, raw),)
        assert one.to_dict() == {"kind": 7}
        assert one.encode() == attr(19, b"\7")
        assert copy.copy(one).unknown == one.unknown
    strict = type(AttributeSet)("Strict", (Lenient,), {}, lenient=False)
    with pytest.raises(DecodeError, match=rf"^Strict\.{name}: want "):
        strict.decode(payload)


def test_a_lenient_set_keeps_those_in_containers() -> None:
    record = Lenient.decode(attr(13, attr(1, bytes(16))) + attr(1, b"\1"))
    assert record.unknown == ((1, bytes(16)),)
    assert (record.two, record.a_u8) == (None, 1)


def test_what_lies_within_a_lenient_set_is_as_strict_as_its_own_declaration() -> None:
    for payload in (attr(17, attr(1, b"1")), attr(18, attr(1, b"1")), attr(19, b"\1") + attr(20, attr(1, b"1"))):
        with pytest.raises(DecodeError, match=r"\.number: want 4 bytes, got 1"):
            Lenient.decode(payload)
    with pytest.raises(DecodeError, match=r"^Lenient\.inside: an attribute's length"):
        Lenient.decode(attr(17, b"\1\0\0\0"))


def test_of_attributes_that_come_again_the_last_one_counts_in_a_lenient_set_too() -> None:
    good, bad = attr(15, attr(1, b"1234")), attr(15, attr(1, b"1234") + attr(2, b"1"))
    assert Lenient.decode(bad + good).listed == (int.from_bytes(b"1234", "little"),)
    assert Lenient.decode(bad + good).unknown == ()
    assert Lenient.decode(good + bad).listed is None
    assert Lenient.decode(good + bad).unknown == ((15, bad[4:]),)
    assert Lenient.decode(attr(4, b"1234") + attr(4, b"1")).unknown == ((4, b"1"),)


def test_the_constructor_of_a_lenient_set_is_strict() -> None:
    with pytest.raises(EncodeError, match="fixed"):
        Lenient(fixed=b"1")


class Narrow(AttributeSet, unknown=False):
    number = u32(1)
    inside = nested(2, Inside)


def test_a_narrow_set_ignores_unknown_attributes() -> None:
    payload = attr(9, b"what") + attr(1, b"1234") + attr(2, attr(7, b"kept") + attr(1, b"5678")) + attr(10)
    for record in Narrow.decode_many([payload] * MANY):
        assert record.unknown == ()
        assert record.inside is not None
        assert record.inside.unknown == ((7, b"kept"),)
        assert (record.number, record.inside.number) == tuple(cstruct.unpack("=II", b"12345678"))
    narrow = Narrow.decode_many([attr(9, bytes(500)) + attr(1, b"1234")] * 10)
    assert narrow.nbytes <= 10 * 40
    both: Any = type(AttributeSet)("Both", (Lenient,), {}, unknown=False)
    assert both.decode(attr(1) + attr(8, b"x")).unknown == ()


class Ignoring(AttributeSet, ignore=(3, 300)):
    number = u32(1)
    total = u64(4)


def test_ignored_attributes_are_no_unknown_ones() -> None:
    payload = attr(3) + attr(1, b"1234") + attr(300, b"xyz") + attr(3, b"1") + attr(5, b"?") + attr(4, bytes(8))
    for record in Ignoring.decode_many([payload] * MANY):
        assert record.unknown == ((5, b"?"),)
        assert record.to_dict() == {"number": int.from_bytes(b"1234", "little"), "total": 0}
        assert record.encode() == attr(1, b"1234") + attr(4, bytes(8))
    same(Ignoring(number=1, total=2))
    with pytest.raises(TypeError, match="number and ignore= both have attribute type 1"):
        type(AttributeSet)("Twice", (AttributeSet,), {"number": u32(1)}, ignore=[1])
    for wrong in ((-1,), (0x4000,), ("1",), "12"):
        with pytest.raises(TypeError, match="ignore="):
            type(AttributeSet)("Wrong", (AttributeSet,), {"number": u32(1)}, ignore=wrong)


# Sets without fields


class Nothing(AttributeSet):
    pass


class TwoOfNothing(AttributeSet):
    one = nested(1, Nothing)
    two = nested(2, Nothing)
    many = repeated(3, Nothing)
    rare = nested(4, Nothing, rare=True)


def test_a_set_without_fields() -> None:
    assert Nothing().encode() == b""
    assert Nothing.decode(b"").to_dict() == {}
    assert Nothing.decode(attr(1, b"ab")).unknown == ((1, b"ab"),)
    assert repr(Nothing()) == "Nothing()"
    same(Nothing())
    same(TwoOfNothing(one=Nothing(), many=[Nothing(), Nothing()], rare=Nothing()))
    payload = attr(1, attr(5, b"a")) + attr(2, attr(6, b"b")) + attr(4, attr(7, b"c"))
    for record in TwoOfNothing.decode_many([payload] * MANY):
        assert record.one is not None
        assert record.two is not None
        assert record.rare is not None
        assert record.unknown == ()
        assert [part.unknown for part in (record.one, record.two, record.rare)] == [
            ((5, b"a"),), ((6, b"b"),), ((7, b"c"),)
        ]  # fmt: skip
        assert copy.copy(record).two.unknown == ((6, b"b"),)
    with pytest.raises(TypeError, match="Nothing has no field 'x'"):
        Nothing(x=1)


class Head(Struct):
    family = u8()
    kind = be16()


class HeadAlone(AttributeSet, header=Head):
    pass


def test_a_set_with_a_header_alone() -> None:
    record = HeadAlone(family=2, kind=0x1234)
    assert record.encode() == b"\2\x12\x34\0"
    same(record)
    with pytest.raises(DecodeError, match="want a header of 3 bytes"):
        HeadAlone.decode(b"12")


def test_empty_sets_in_numpy_and_arrow() -> None:
    pytest.importorskip("numpy")
    pa = pytest.importorskip("pyarrow")
    assert Nothing.decode_many([b""] * 3).to_numpy().shape == (3,)
    table = pa.record_batch(HeadAlone.decode_many([b"\2\x12\x34\0"] * 3).arrow())
    assert table.column_names == ["header_family", "header_kind"]
    listed = pa.record_batch(TwoOfNothing.decode_many([TwoOfNothing(many=[Nothing()]).encode()]).arrow())
    assert listed.to_pylist() == [{"many": [{}]}]


# Declarations from declarations


class Flags(IntFlag):
    UP = 1


class Base(AttributeSet, header=Head, rare=("label",), lenient=True, unknown=False, ignore=(9,)):
    family: Int = Head.family
    number: Int = u32(1)
    label = string(2)
    names = repeated(3, string)

    def doubled(self) -> int:
        return 2 * (self.number or 0)


class Derived(Base, rare=("extra",), ignore=(10,)):
    extra = string(4)
    flags = u8(5, enum=Flags)


class Strict(Derived, lenient=False, unknown=True):
    number = u64(1)  # anew


def test_a_declaration_from_another_one() -> None:
    assert list(Derived.__fields__) == ["number", "label", "names", "extra", "flags", "header"]
    record = Derived(family=2, kind=5, number=7, label="x", names=["a", "b"], extra="y", flags=1)
    assert (record.family, record.kind, record.number, record.extra) == (2, 5, 7, "y")
    assert record.flags is Flags.UP
    assert record.doubled() == 14
    assert isinstance(record, Base)
    same(record)
    same(Base(family=2, number=7, label="x"))
    payload = Base(family=2, kind=5, number=7, label="x", names=["a", "b"]).encode()
    assert Derived.decode(payload).to_dict() == Base.decode(payload).to_dict()
    assert Derived.number is not Base.number
    with pytest.raises(TypeError, match="is not a field of Derived"):
        Base.number.__get__(record)  # type: ignore[call-overload]


def test_options_are_inherited() -> None:
    payload = bytes(4) + attr(1, b"1") + attr(9, b"a") + attr(10, b"b") + attr(99, b"c")
    assert Base.decode(payload).unknown == Derived.decode(payload).unknown == ()
    assert Strict.decode(payload.replace(attr(1, b"1"), b"")).unknown == ((99, b"c"),)
    with pytest.raises(DecodeError, match=r"^Strict\.number: want 8 bytes"):
        Strict.decode(payload)
    assert list(Strict.__fields__) == list(Derived.__fields__)
    assert {name for name, field in Strict.__fields__.items() if field.annex is not None} == {"label", "extra"}
    same(Strict(family=2, number=1 << 40, label="x", extra="y"))


def test_a_record_of_a_derived_declaration_is_another_one() -> None:
    outer: Any = type(AttributeSet)("Outer", (AttributeSet,), {"one": nested(1, Inside), "many": repeated(2, Inside)})
    derived: Any = type(AttributeSet)("MoreInside", (Inside,), {"more": u32(2)})
    assert derived(number=1) != Inside(number=1)
    for wrong in ({"one": derived(number=1)}, {"many": [derived(number=1)]}):
        with pytest.raises(TypeError, match="want a Inside, got MoreInside"):
            outer(**wrong)


def test_submessages_and_types_beside_an_address_are_inherited() -> None:
    class First(AttributeSet):
        kind = string(1)
        data = submessage(2, on="kind", cases={"a": Inside})
        src = ip(3, 4)
        icmp = be16(5, type6=6, of="src")
        event = event(Flags)

    class Second(First):
        more = u8(7)

    record = Second(kind="a", data=Inside(number=1), src="::1", icmp=4, more=1)
    same(record)
    assert record.encode()[-12:] == attr(6, b"\0\4") + attr(7, b"\1")[:4] or record.icmp == 4
    assert Second(event=1).event is Flags.UP


def test_a_header_comes_with_the_derived_declaration() -> None:
    class Links(Inside, header=Head):
        kind: Int = u8(4)

    class Renamed(Links):
        which: Int = u8(5)

    record = Renamed(family=3, number=1, kind=9, which=7)
    assert record.header == Head(family=3, kind=0)
    assert (record.family, record.kind) == (3, 9)
    same(record)
    with pytest.raises(TypeError, match="two names"):
        type(AttributeSet)("Twice", (Links,), {"other": Head.family})


def test_a_packet_is_inherited() -> None:
    class Logged(AttributeSet, Headers, packet=Source("payload", family="header.family"), header=Head):
        payload = view(1)

    class More(Logged):
        mark = u32(2)

    packet = bytes.fromhex("4500002000010000401100000a0000010a0000020035003500080000") + bytes(4)
    for cls in (Logged, More):
        record: Any = cls(family=2, payload=packet)
        assert str(record.src) == "10.0.0.1"
        assert record.dport == 53
        assert str(next(iter(cls.decode_many([record.encode()])["src"]))) == "10.0.0.1"


# Structs


class Point(Struct):
    x = u16()
    y = be16()


class Line(Struct):
    kind = u8()
    gap = pad(3)
    begin = struct(None, Point)
    end = struct(None, Point)
    weight = u64()
    tail = pad(2)


class Aligned(Struct, aligned=True):
    """struct { __u8 a; __u32 b; __u8 c; __u64 d; struct { __u8; __u32 } e; __u8 f[3]; struct in_addr g; __s8 h; }"""

    a = u8()
    b = u32()
    c = u8()
    d = u64()
    e = struct(None, type(Struct)("Inner", (Struct,), {"one": u8(), "two": u32()}, aligned=True))
    f = binary(size=3)
    g = ipv4()
    h = s8()


class WithStructs(AttributeSet):
    line = struct(1, Line)
    aligned = struct(2, Aligned)


LINE = cstruct.pack("=B3xHHHHQ2x", 1, 2, 0x0300, 4, 0x0500, 6)


def test_padding_and_structs_in_structs() -> None:
    line = Line.decode(LINE)
    assert line.to_dict() == {"kind": 1, "begin": {"x": 2, "y": 3}, "end": {"x": 4, "y": 5}, "weight": 6}
    assert Line.__table__.wire_size == len(LINE) == 22  # type: ignore[attr-defined]
    assert line.encode() == LINE
    made = Line(kind=1, begin=Point(x=2, y=3), end=Point(x=4, y=5), weight=6)
    assert made == line
    same(made)
    assert Line(end=Point(y=1)).to_dict() == {
        "kind": 0, "begin": {"x": 0, "y": 0}, "end": {"x": 0, "y": 1}, "weight": 0
    }  # fmt: skip
    assert line.end is not None
    assert line.end.y == 5
    same(line.end)
    noisy = bytes(b | 0xFF if i in (1, 2, 3, 20, 21) else b for i, b in enumerate(LINE))
    assert Line.decode(noisy) == line
    assert Line.decode(noisy).encode() == LINE
    assert not hasattr(Line, "gap")
    assert not hasattr(line, "tail")
    assert list(Line.__fields__) == ["kind", "begin", "end", "weight"]
    for wrong in (Line(), b"1234", Point, 1):
        with pytest.raises(TypeError, match="begin: want a Point"):
            Line(begin=wrong)


@pytest.mark.parametrize("size", range(len(LINE) + 1))
def test_structs_of_older_kernels(size: int) -> None:
    payload = LINE[:size]
    record = Line.decode(payload)
    begin, end = record.begin, record.end
    assert (begin is not None) == (size >= 6)
    assert (end is not None) == (size >= 10)
    if size in (10, 11):
        assert end is not None
        assert (end.x, end.y) == (4, None)
    encoded = record.encode()
    want = max((n for n in (1, 6, 8, 10, 12, 20) if n <= size), default=0)
    assert encoded == LINE[: 22 if want == 20 else want]
    assert Line.decode(encoded) == record
    assert repr(Line.decode(encoded)) == repr(record)
    for one in WithStructs.decode_many([attr(1, payload) + attr(2, bytes(48))] * MANY):
        assert one.line is not None
        assert one.line.to_dict() == record.to_dict()
        assert one.line == record
    assert pickle.loads(pickle.dumps(record)) == record


def test_absent_parts_of_a_struct() -> None:
    short = Line(weight=None, end=None)
    assert short.encode() == bytes(8)
    assert short.end is None
    same(short)


def test_structs_laid_out_as_c_does() -> None:
    layout = {name: Aligned.__fields__[name].at for name in Aligned.__fields__}
    assert layout == {"a": 0, "b": 4, "c": 8, "d": 16, "e": 24, "f": 32, "g": 36, "h": 40}
    assert Aligned.__table__.wire_size == 48  # type: ignore[attr-defined]
    native = cstruct.Struct("@BIBQBI3sx4Bb0Q")
    payload = native.pack(1, 2, 3, 4, 5, 6, b"abc", 192, 0, 2, 1, -1)
    assert native.size == 48
    record = Aligned.decode(payload)
    assert record.to_dict() | {"g": str(record.g)} == {
        "a": 1, "b": 2, "c": 3, "d": 4, "e": {"one": 5, "two": 6}, "f": b"abc", "g": "192.0.2.1", "h": -1
    }  # fmt: skip
    assert record.encode() == payload
    same(record)
    same(WithStructs(line=Line.decode(LINE), aligned=record))


def test_a_struct_from_another_one() -> None:
    class Older(Struct, aligned=True):
        a = u32()
        b = u8()
        gap = pad(1)

    class Newer(Older):
        c = u8()
        d = u64()

    assert Older.__table__.wire_size == 8  # type: ignore[attr-defined]
    assert {n: f.at for n, f in Newer.__fields__.items()} == {"a": 0, "b": 4, "c": 6, "d": 8}
    assert Newer.decode(Older(a=1, b=2).encode()).to_dict() == {"a": 1, "b": 2, "c": 0}
    same(Newer(a=1, b=2, c=3, d=4))
    packed_: Any = type(Struct)("Packed", (Newer,), {}, aligned=False)
    assert packed_.__table__.wire_size == 15


def test_structs_in_structs_in_numpy_arrow_and_filters() -> None:
    np = pytest.importorskip("numpy")
    pa = pytest.importorskip("pyarrow")
    batch = WithStructs.decode_many([attr(1, LINE)] * 3 + [attr(1, LINE[:6])])
    rows = batch.to_numpy("line.end.y", "line_weight", "line.begin.x")
    assert rows["line_end_y"].tolist() == [5, 5, 5, 0]
    assert rows["line_begin_x"].dtype == np.uint16
    table = pa.record_batch(batch.select("line_begin_x", "line_end_y"))
    assert table.to_pylist()[-1] == {"line_begin_x": 2, "line_end_y": None}
    assert list(batch["line_end_y"]) == [5, 5, 5, None]
    own = Line.decode_many([LINE])
    assert own.to_numpy("end.y").tolist() == [(5,)]
    from netlink.match import Criteria, numbers

    class Wanted(Criteria[WithStructs], declaration=WithStructs):
        y: Any = numbers("line.end.y")

    match = Wanted(y=5).match()
    assert match is not None
    assert [match(record) for record in batch] == [True] * 3 + [False]


# Submessages


class Policy(Struct):
    limit = u32()
    rate = be16()
    tail = pad(2)


class WithHead(AttributeSet, header=Policy):
    name = string(1)
    hw = mac(2)


class Options(AttributeSet):
    kind = string(1)
    data = submessage(
        2, on="kind", cases={"struct": Policy, "head": WithHead, "set": Inside, "nothing": Nothing, "alone": HeadAlone}
    )


class LenientOptions(Options, lenient=True):
    pass


CASES: dict[str, Any] = {
    "struct": (Policy(limit=7, rate=8), b"\7\0\0\0\0\x08\0\0", False),
    "head": (WithHead(limit=7, rate=8, name="x"), b"\7\0\0\0\0\x08\0\0" + attr(1, b"x\0"), False),
    "set": (Inside(number=9), attr(1, b"\x09\0\0\0"), True),
    "nothing": (Nothing(), b"", True),
    "alone": (HeadAlone(family=1, kind=2), b"\1\0\2\0", False),
}


@pytest.mark.parametrize("kind", CASES)
def test_cases_of_any_form(kind: str) -> None:
    data, payload, nest = CASES[kind]
    record = Options(kind=kind, data=data)
    assert record.data == data
    assert type(record.data) is type(data)
    assert record.encode() == attr(1, kind.encode() + b"\0") + attr(2 | (NESTED if nest else 0), payload)
    same(record)
    # The selector may come behind it.
    for one in Options.decode_many([attr(2, payload) + attr(1, kind.encode())] * MANY):
        assert one.data == data
    assert Options.decode_many([record.encode()])[0].to_dict(json=True) == record.to_dict(json=True)


def test_cases_that_are_cut_off() -> None:
    short = Options.decode(attr(1, b"struct\0") + attr(2, b"\7\0\0\0"))
    assert short.data == Policy(limit=7, rate=None)
    same(short)
    payload = attr(1, b"head\0") + attr(2, b"\7\0\0\0")
    with pytest.raises(DecodeError, match=r"^Options.data: want a header of 8 bytes, got 4, at byte 16$"):
        Options.decode(payload)
    lenient = LenientOptions.decode(payload)
    assert lenient.data == b"\7\0\0\0"
    same(lenient)
    again = LenientOptions.decode(attr(2, bytes(12)) + payload)
    assert again.data == b"\7\0\0\0"
    with pytest.raises(DecodeError, match=r"^LenientOptions.data.hw: want 6 bytes, got 1, at byte 28$"):
        LenientOptions.decode(attr(1, b"head\0") + attr(2, bytes(8) + attr(2, b"1")))


def test_unknown_attributes_in_cases() -> None:
    payload = attr(1, b"head\0") + attr(2, bytes(8) + attr(77, b"x"))
    record = Options.decode(payload)
    assert isinstance(record.data, WithHead)
    assert record.data.unknown == ((77, b"x"),)
    assert copy.copy(record).data.unknown == ((77, b"x"),)


def test_cases_in_arrow() -> None:
    pa = pytest.importorskip("pyarrow")
    records = [Options(kind=kind, data=data) for kind, (data, _, _) in CASES.items()]
    records += [Options(kind="other", data=b"raw"), Options()]
    rows = pa.record_batch(Options.decode_many([record.encode() for record in records]).arrow()).to_pylist()
    assert [row["data_struct_rate"] for row in rows] == [8, None, None, None, None, None, None]
    assert [row["data_head_header_limit"] for row in rows] == [None, 7, None, None, None, None, None]
    assert [row["data_head_name"] for row in rows] == [None, "x", None, None, None, None, None]
    assert [row["data_set_number"] for row in rows] == [None, None, 9, None, None, None, None]
    assert [row["data_alone_header_family"] for row in rows] == [None, None, None, None, 1, None, None]
    assert [row["data"] for row in rows] == [None, None, None, None, None, b"raw", None]


def test_paths_into_cases_and_structs() -> None:
    encoder = AttributeEncoder()
    encoder.string(1, "head")
    encoder.bytes(2, bytes(8) + attr(2, bytes(6)))
    payload = encoder.encode()
    assert attribute_path(Options, payload, 16 + 16) == "data.header.limit"
    assert attribute_path(Options, payload, 16 + 20) == "data.header.rate"
    assert attribute_path(Options, payload, 16 + 22) == "data.header"
    assert attribute_path(Options, payload, 16 + 24) == "data.hw"
    struct_case = attr(1, b"struct\0") + attr(2, bytes(8))
    assert attribute_path(Options, struct_case, 16 + 16 + 4) == "data.rate"
    line = attr(1, LINE)
    assert attribute_path(WithStructs, line, 16 + 4) == "line.kind"
    assert attribute_path(WithStructs, line, 16 + 5) == "line"
    assert attribute_path(WithStructs, line, 16 + 4 + 10) == "line.end.y"
    assert attribute_path(Line, LINE, 16 + 10) == "end.y"


def test_nothing_of_a_declaration_is_shared_with_its_base() -> None:
    fields: list[Field[Any]] = [*Base.__fields__.values(), *Derived.__fields__.values(), *Strict.__fields__.values()]
    assert len({id(field) for field in fields}) == len(fields)
    assert lladdr is not mac
