"""Payloads whose attributes are as those of others before them: what is decoded by shape is what is decoded alone."""

from __future__ import annotations

import copy
import random
import struct as cstruct
from collections.abc import Iterator
from typing import Any

import pytest

import recorded
from netlink import NESTED, AttributeEncoder, DecodeError
from netlink.netfilter.conntrack import Flow
from netlink.netfilter.nflog import Packet
from netlink.schema import (
    AttributeSet,
    Struct,
    array,
    be32,
    binary,
    flag,
    ip,
    key,
    nested,
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

TIMES = 12  # enough for a shape


class Head(Struct):
    number = u16()
    letter = s8()


class Fixed(Struct):
    """11 bytes of text, more than a single move copies."""

    text = binary(size=11)
    end = u32()


class Inner(AttributeSet):
    one = u8(1)
    name = string(2)


class Rare(AttributeSet):
    value = be32(1)
    inner = nested(2, Inner, rare=True)
    text = string(3)


class Bonded(AttributeSet):
    mode = u8(1)


class Option(Struct):
    code = u16()
    value = u32()


class Headed(AttributeSet, header=Head):
    inner = nested(1, Inner)


class Part(AttributeSet):
    """As the expressions of nftables: a text chooses what the data are."""

    name = string(1)
    data = submessage(2, on="name", cases={"one": Inner, "rare": Rare, "head": Headed, "word": Option})
    parts: Any = repeated((3, 1), lambda: Part)


class Parts(AttributeSet, header=Head):
    id = be32(1)
    parts = repeated((2, 1), Part)
    others = repeated(3, Part)
    short = binary(4)


class All(AttributeSet, header=Head):
    number = u32(1)
    big = be32(2)
    wide = u64(3)
    any_width = uint(4)
    set_ = flag(5)
    fixed = struct(6, Fixed)
    inner = nested(7, Inner)
    rare = nested(8, Rare, rare=True)
    address = ip((9, 1), (9, 2))
    names = repeated(10, string)
    kind = string(11)
    data = submessage(12, on="kind", cases={"bond": Bonded})
    payload = view(13)


def head(number: int = 7) -> bytes:
    return cstruct.pack("=Hbx", number, -3)


def attr(type_: int, payload: bytes) -> bytes:
    return cstruct.pack("=HH", 4 + len(payload), type_) + payload + bytes(-len(payload) % 4)


def agrees(cls: Any, payloads: list[bytes]) -> None:
    """Decoded together they are what each is on its own."""
    batch = cls.decode_many(payloads)
    assert len(batch) == len(payloads)
    for record, payload in zip(batch, payloads, strict=True):
        alone = cls.decode(payload)
        assert record == alone
        assert record.unknown == alone.unknown
        assert record.encode() == alone.encode()


@pytest.mark.parametrize("name", ["conntrack_flows", "conntrack_events", "nflog_packets"])
def test_recorded_messages(name: str) -> None:
    payloads = recorded.payloads(name) * 3
    random.Random(name).shuffle(payloads)
    agrees(Packet if name == "nflog_packets" else Flow, payloads)


ATTRIBUTES = {
    "u32": lambda n: attr(1, cstruct.pack("=I", n)),
    "be32": lambda n: attr(2, cstruct.pack(">I", n)),
    "u64": lambda n: attr(3, cstruct.pack("=Q", n << 33)),
    "uint": lambda n: attr(4, cstruct.pack("=H", n)),
    "flag": lambda _: attr(5, b""),
    "struct": lambda n: attr(6, bytes(range(n, n + 11)) + cstruct.pack("=xI", n)),
    "short struct": lambda n: attr(6, bytes(range(n, n + 11))),
    "nested": lambda n: attr(7 | NESTED, attr(1, bytes([n])) + attr(2, b"x%02d" % n)),
    "empty nested": lambda _: attr(7, b""),
    "rare": lambda n: attr(8, attr(1, cstruct.pack(">I", n)) + attr(2, attr(1, bytes([n]))) + attr(3, b"%03d" % n)),
    "IPv4": lambda n: attr(9, attr(1, bytes([10, 0, 0, n]))),
    "IPv6": lambda n: attr(9, attr(2, bytes(15) + bytes([n]))),
    "repeated": lambda n: attr(10, b"%02d" % n) + attr(10, b"b\0"),
    "trailing NULs": lambda n: attr(11, b"ab\0" if n % 2 else b"a\0\0"),
    "submessage": lambda n: attr(11, b"bond" if n % 2 else b"team") + attr(12, attr(1, bytes([n]))),
    "unknown": lambda n: attr(99, bytes([n])) + attr(7, attr(98, bytes([n, n]))) + attr(97, b""),
    "duplicate": lambda n: attr(1, cstruct.pack("=I", n)) + attr(1, cstruct.pack("=I", n + 1)),
    "duplicate nested": lambda n: attr(7, attr(1, bytes([n]))) + attr(7, attr(2, b"%02d" % n)),
    "both addresses": lambda n: attr(9, attr(1, bytes([10, 0, 0, n])) + attr(2, bytes(16))),
    "length 0": lambda n: bytes(4) + attr(1, cstruct.pack("=I", n)) + bytes(8),
    "view": lambda n: attr(13, bytes(n)),
    "behind a view": lambda n: attr(13, bytes(n)) + attr(1, cstruct.pack("=I", n)) + attr(99, b"a" * n),
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_each_kind(kind: str) -> None:
    agrees(All, [head(n) + ATTRIBUTES[kind](n) for n in range(TIMES)])


def test_kinds_together_and_one_after_another() -> None:
    choice = random.Random(5)
    order = [name for name in ATTRIBUTES if name not in ("view", "behind a view")] + ["behind a view"]
    mixes = [[name for name in order if choice.random() < 0.4] for _ in range(6)]
    payloads = [head(n) + b"".join(ATTRIBUTES[name](n) for name in mixes[n % 6]) for n in range(8 * TIMES)]
    agrees(All, payloads)


def test_more_shapes_than_are_remembered() -> None:
    """New ones replace others, in rotation."""
    payloads = [head() + attr(11, bytes([65 + n % 26]) * size) for size in range(1, 60) for n in range(150)]
    agrees(All, payloads)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 900, 1000, 1012, 1013, 1014, 1015, 1016, 1017, 1020, 1030, 5000])
def test_payloads_about_as_long_as_a_shape_may_be(size: int) -> None:
    agrees(All, [head(n) + attr(11, bytes([65 + n]) * size) for n in range(TIMES)])
    agrees(All, [(head(n) + attr(11, bytes([65 + n]) * size))[: 8 + size] for n in range(TIMES)])  # no padding


def test_a_header_alone() -> None:
    agrees(All, [head(n) for n in range(TIMES)])


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (head() + attr(1, b"123"), "All.number"),
        (head() + attr(8, attr(2, attr(1, b""))), "All.rare.inner.one"),
        (head()[:2], "All"),
        (head() + attr(1, b"1234")[:6], "All"),
        (head() + attr(8, attr(1, b"1234") + b"\1\0\0\0"), "All.rare"),
        (head() + attr(13, b"") + attr(1, b"12"), "All.number"),
    ],
)
def test_a_malformed_one_among_many_is_reported_as_if_alone(bad: bytes, text: str) -> None:
    good = [head() + attr(1, b"1234"), head() + attr(13, b"abc"), head() + attr(8, attr(2, attr(1, b"1")))] * TIMES
    with pytest.raises(DecodeError) as alone:
        All.decode(bad)
    assert text in str(alone.value)
    with pytest.raises(DecodeError) as among:
        All.decode_many([*good, bad, *good])
    assert str(among.value) == str(alone.value)


def part(name: bytes, data: bytes, *inside: bytes) -> bytes:
    return attr(1, name) + attr(2, data) + (attr(3, b"".join(attr(1, one) for one in inside)) if inside else b"")


DATA = {
    "attributes": lambda n: part(b"one\0", attr(1, bytes([n])) + attr(2, b"x%02d\0" % n)),
    "annex": lambda n: part(b"rare", attr(1, cstruct.pack(">I", n)) + attr(2, attr(1, bytes([n])))),
    "header": lambda n: part(b"head\0\0", head(n) + attr(1, attr(1, bytes([n])))),
    "struct": lambda n: part(b"word\0", cstruct.pack("=HxxI", n, n)),
    "no case": lambda n: part(b"none\0", attr(1, bytes([n]))),
    "no name": lambda n: attr(2, attr(1, bytes([n]))),
    "empty name": lambda n: part(b"\0", attr(1, bytes([n]))),
    "two names": lambda n: attr(1, b"rare") + part(b"one\0", attr(1, bytes([n]))),
    "name behind": lambda n: attr(2, attr(1, bytes([n]))) + attr(1, b"one\0"),
    "unknown": lambda n: part(b"one\0", attr(1, bytes([n])) + attr(9, bytes([n]))) + attr(7, bytes([n])),
    "parts in it": lambda n: part(b"one\0", attr(1, bytes([n])), part(b"rare", b""), part(b"one", attr(2, b"%d" % n))),
}


@pytest.mark.parametrize("kind", DATA)
def test_lists_of_records_and_what_their_names_choose(kind: str) -> None:
    one = DATA[kind]
    agrees(Parts, [head(n) + attr(2, attr(1, one(n)) + attr(1, one(n + 1))) for n in range(TIMES)])
    agrees(Parts, [head(n) + attr(3, one(n)) + attr(1, bytes([n] * 4)) + attr(3, one(n)) for n in range(TIMES)])


def test_lists_of_several_kinds() -> None:
    choice = random.Random(9)
    orders = [choice.choices(list(DATA), k=choice.randrange(1, 9)) for _ in range(6)]
    payloads = []
    for n in range(8 * TIMES):
        items = [attr(1, DATA[kind](n)) for kind in orders[n % len(orders)]]
        payloads.append(head(n) + attr(2, b"".join(items)) + attr(1, b"1234"))
    agrees(Parts, payloads)


class Chosen(AttributeSet, header=Head):
    """As a link's IFLA_AF_SPEC: a number of the header chooses what the data are."""

    number = Head.number
    letter = Head.letter
    text = string(1)
    data: Any = submessage(2, on="header.number", cases={1: Rare, 2: Headed, 3: Option, 4: lambda: Chosen})
    after = u32(3)


CHOSEN: dict[str, Any] = {
    "value": attr(1, bytes([0, 0, 0, 1])),
    "nested": attr(2, attr(1, b"a") + attr(2, b"name")) + attr(3, b"text"),
    "header": head(9) + attr(1, attr(1, b"b")),
    "struct": bytes(6),
    "chosen": head(1) + attr(2, attr(1, bytes(4))) + attr(3, bytes(4)),
    "twice": attr(1, bytes(4)) + attr(1, b"abcd"),
    "unknown": attr(99, b"a"),
    "nothing": b"",
}


@pytest.mark.parametrize("content", CHOSEN)
@pytest.mark.parametrize("number", range(6))
def test_what_the_header_chooses(content: str, number: int) -> None:
    def payload(chosen: int, n: int) -> bytes:
        last = attr(3, cstruct.pack("=I", n))
        return head(chosen) + attr(1, b"%02d" % n) + attr(2, CHOSEN[content]) + last

    numbers = [number] * TIMES + [n % 6 for n in range(6 * TIMES)]
    good = []
    for n, chosen in enumerate(numbers):
        try:
            Chosen.decode(payload(chosen, n))
        except DecodeError:
            continue  # such as a struct that is too short
        good.append(payload(chosen, n))
    assert len(good) > TIMES
    agrees(Chosen, good)


def test_names_of_one_length_choose_by_their_text() -> None:
    """The headers are those of the shape, and the text is another one."""
    data = attr(1, b"\5\0\0\0")
    names = [b"one\0"] * TIMES + [b"xne\0", b"onx\0", b"one\1", b"one\0", b"\0one"]
    agrees(Parts, [head() + attr(3, part(name, attr(1, b"\5"))) for name in names])
    swapped = [b"rare" if n % 2 else b"none" for n in range(4 * TIMES)]
    agrees(Parts, [head() + attr(3, part(name, data)) for name in swapped])


@pytest.mark.parametrize("count", [1, 12, 25, 30, 60, 200])
def test_lists_longer_than_a_shape_may_be(count: int) -> None:
    items = [b"".join(attr(1, part(b"one\0", attr(1, bytes([n])))) for _ in range(count)) for n in range(TIMES)]
    agrees(Parts, [head(n) + attr(2, one) for n, one in enumerate(items)])
    batch = Parts.decode_many([head(n) + attr(2, one) for n, one in enumerate(items)] * 9)
    assert [one.name for one in batch[-1].parts] == ["one"] * count


@pytest.mark.parametrize("size", [*range(20), 31, 32, 33, 63, 64, 65, 100])
def test_bytes_of_any_size(size: int) -> None:
    agrees(Parts, [head(n) + attr(4, bytes(range(n, n + size))) for n in range(TIMES)])
    agrees(Parts, [head(n) + attr(4, b"a") + attr(4, bytes([n] * size)) for n in range(TIMES)])


def test_records_of_lists_may_change_alone() -> None:
    """Texts that records share stay what they are."""
    batch = Parts.decode_many([head(n) + attr(2, attr(1, DATA["attributes"](n)) * 3) for n in range(TIMES)])
    last = batch[-1]
    changed = last.replace(parts=[last.parts[0].replace(name="other", data=None), *last.parts[1:]])
    assert [one.name for one in changed.parts] == ["other", "one", "one"]
    assert [one.name for one in last.parts] == ["one"] * 3
    assert [one.parts for one in copy.copy(batch[2:4])] == [one.parts for one in batch[2:4]]


class Keyed(AttributeSet):
    """An entry of arrays."""

    outer = key(0)
    own = key(1)
    value = u16(1)
    text = string(2)
    inner = nested(3, Inner, rare=True)


class Arrays(AttributeSet):
    rows: Any = array(1, Keyed)
    table: Any = array(2, Keyed, depth=2)
    numbers: Any = array(3, u32)
    end = u8(4)


def entry(n: int, kind: str) -> bytes:
    fields = {
        "value": attr(1, cstruct.pack("=H", n)),
        "text": attr(2, f"{n:04}".encode() + b"\0"),
        "inner": attr(3 | NESTED, attr(1, bytes([n % 256]))),
        "unknown": attr(9, bytes(4)),
        "none": b"",
    }
    return fields[kind]


@pytest.mark.parametrize("kinds", [["value"], ["text", "value"], ["inner"], ["unknown", "value"], ["none"], []])
@pytest.mark.parametrize("numbered", [range(1, 4), (5, 5, 0x3FFF)])
def test_arrays(kinds: list[str], numbered: Any) -> None:
    payloads = []
    for n in range(TIMES):
        items = b"".join(
            attr(number | NESTED, b"".join(entry(n + i, kind) for kind in kinds)) for i, number in enumerate(numbered)
        )
        table = b"".join(attr(level | NESTED, items) for level in (2, 9))
        numbers = b"".join(attr(i, cstruct.pack("=I", n * i)) for i in range(3))
        payloads.append(attr(1 | NESTED, items) + attr(2, table) + attr(3, numbers) + attr(4, bytes([n])))
    agrees(Arrays, payloads)
    rows = Arrays.decode_many(payloads)[-1].rows
    assert [row.own for row in Arrays.decode_many(payloads)[-1].table] == [*numbered] * 2
    assert [row.outer for row in rows] == [*numbered]


def test_arrays_that_are_no_part_of_a_shape() -> None:
    """Too many items, keys that differ, an item whose field comes twice, and one that is malformed."""
    many = [
        attr(1, b"".join(attr(i, entry(n + i, "value")) for i in range(150))) + attr(4, bytes([n]))
        for n in range(TIMES)
    ]
    agrees(Arrays, many)
    agrees(Arrays, [attr(1, attr(n + 1, entry(n, "value"))) + attr(4, bytes([n])) for n in range(TIMES * 8)])
    agrees(Arrays, [attr(1, attr(1, entry(n, "value") * 2)) + attr(4, bytes([n])) for n in range(TIMES)])
    good = [attr(1, attr(1, entry(n, "value"))) + attr(4, bytes([n])) for n in range(TIMES)]
    bad = attr(1, attr(1, attr(1, b"x") + bytes(0))) + attr(4, b"\0")
    assert len(bad) == len(good[0])
    with pytest.raises(DecodeError, match="value"):
        Arrays.decode_many([*good, bad])
    agrees(Arrays, good)


def test_an_iterator_may_use_its_buffer_again() -> None:
    buffer = bytearray(64)

    def received() -> Iterator[memoryview]:
        for n in range(TIMES):
            payload = head(n) + attr(1, cstruct.pack("=I", n))
            buffer[: len(payload)] = payload
            yield memoryview(buffer)[: len(payload)]

    assert [record.number for record in All.decode_many(received())] == list(range(TIMES))


def test_a_list_is_released_and_may_be_changed_afterwards() -> None:
    payloads: list[Any] = [bytearray(head() + attr(1, b"1234")) for _ in range(3 * 64)]
    batch = All.decode_many(payloads)
    for payload in payloads:
        payload.clear()  # BufferError where it is still exported
    assert len({record.number for record in batch}) == 1
    with pytest.raises(TypeError):
        All.decode_many([*(bytes(4) for _ in range(70)), "text"])
    broken: list[Any] = [bytearray(head() + attr(1, b"123")), bytearray(4), None]
    with pytest.raises((DecodeError, TypeError)):
        All.decode_many(broken)
    broken[0].clear()
    broken[1].clear()


def test_encoder_and_shape_agree_on_the_widest_record() -> None:
    """As many moves as there may be, and one more."""
    for count in (126, 127, 128, 129):
        cls: Any = type("Wide", (AttributeSet,), {f"f{n}": u8(n + 1) for n in range(count)})
        payloads = []
        for first in range(TIMES):
            encoder = AttributeEncoder()
            for n in range(count):
                encoder.uint8(n + 1, (first + n) % 256)
            payloads.append(encoder.encode())
        agrees(cls, payloads)
        assert cls.decode_many(payloads)[-1].to_dict() == {f"f{n}": (TIMES - 1 + n) % 256 for n in range(count)}
