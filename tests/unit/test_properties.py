"""What holds for every input: round trips, and agreement with a reader in plain Python on any bytes at all."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from netlink import (
    Attribute,
    AttributeDecoder,
    AttributeEncoder,
    AttributeView,
    DecodeError,
    Header,
    Message,
    OpError,
    marshal_attributes,
    unmarshal_attributes,
    unmarshal_messages,
)
from netlink._codec import verdict

many = settings(deadline=None, max_examples=300)
some = settings(deadline=None, max_examples=150)

ORDERS = {"native": sys.byteorder, "little": "little", "big": "big"}
WIDTHS = {f"{sign}int{8 * width}": width for sign in ("u", "") for width in (1, 2, 4, 8)}


# The reference: written from linux/netlink.h, by other means than the code under test


class MalformedError(Exception):
    pass


def up(n: int) -> int:
    return -(-n // 4) * 4


def ref_messages(b: bytes) -> list[tuple[tuple[int, ...], bytes]]:
    found = []
    while len(b) >= 16:
        header = struct.unpack_from("=IHHII", b)
        if not 16 <= header[0] <= len(b):
            raise MalformedError
        found.append((header, b[16 : header[0]]))
        b = b[up(header[0]) :]
    return found


def ref_message(b: bytes) -> tuple[tuple[int, ...], bytes]:
    """The first message of b, which holds whole words; what lies behind it does not matter."""
    if len(b) < 16 or len(b) % 4 or not 16 <= struct.unpack_from("=I", b)[0] <= len(b):
        raise MalformedError
    return ref_messages(b[: up(struct.unpack_from("=I", b)[0])])[0]


def ref_attributes(b: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """The attributes before the first malformed one, and whether there is one."""
    found = []
    while b:
        length, kind = struct.unpack_from("=HH", b + bytes(4))
        if len(b) < 4 or 1 <= length <= 3 or length > len(b):
            return found, True
        if length:
            found.append((kind, b[4:length]))
        b = b[up(length) or 4 :]
    return found, False


def ref_count(b: bytes) -> int:
    """The attributes that AttributeDecoder counts, which does not look at lengths; MalformedError with a cut header."""
    count = at = 0
    while at < len(b):
        if len(b) - at < 4:
            raise MalformedError
        (length,) = struct.unpack_from("=H", b, at)
        count += length > 0
        at += max(up(length), 4)
    return count


def ref_verdict(kind: int, flags: int, data: bytes) -> Any:
    """None for data, True for good news, MalformedError where the errno is cut, else (errno, message, offset)."""
    if kind not in {2, 3} or (kind == 3 and not flags & 2):
        return None
    if kind == 3 and not data:
        return True
    if len(data) < 4:
        return MalformedError
    (code,) = struct.unpack_from("=i", data)
    if code == 0 or (kind == 3 and code > 0):
        return True
    attributes: list[tuple[int, bytes]] = []
    if flags & 0x200 and kind == 3:
        attributes, _ = ref_attributes(data[4:])
    elif flags & 0x200 and len(data) >= 20:
        (echoed,) = struct.unpack_from("=I", data, 4)
        echoed = 16 if flags & 0x100 else echoed
        if 16 <= echoed <= len(data) - 4:
            attributes, _ = ref_attributes(data[4 + up(echoed) :])
    message, offset = b"", 0
    for attribute, value in attributes:
        if attribute & 0x3FFF == 1:
            message = value.split(b"\0")[0]
        elif attribute & 0x3FFF == 2 and len(value) == 4:
            (offset,) = struct.unpack("=I", value)
    return abs(code), message.decode("utf-8", "surrogateescape"), offset


def ref_value(name: str, data: bytes, order: str) -> Any:
    if name in WIDTHS:
        if len(data) != WIDTHS[name]:
            return MalformedError
        return int.from_bytes(data, ORDERS[order], signed=name[0] == "i")
    if name == "flag":
        return MalformedError if data else True
    return data.rstrip(b"\0").decode("utf-8", "surrogateescape") if name == "string" else data


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (DecodeError, MalformedError):
        return MalformedError


# Inputs

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFF_FFFF)
orders = st.sampled_from(sorted(ORDERS))
payloads = st.binary(max_size=40)
attributes = st.builds(Attribute, u16, payloads)

# Mostly what makes a difference: netlink's own types and flags.
types = st.sampled_from([0, 1, 2, 3, 4, 16]) | u16
flags = st.sampled_from([0x202, 0x302, 0x200, 0x300, 2, 0]) | u16


@st.composite
def messages(draw: st.DrawFn) -> Message:
    data = draw(payloads)
    return Message(Header(16 + up(len(data)), draw(types), draw(flags), draw(u32), draw(u32)), data)


def padded(b: bytes) -> bytes:
    return b + bytes(-len(b) % 4)


def trees() -> st.SearchStrategy[bytes]:
    """Attributes, some of them with attributes inside."""
    leaf = st.lists(attributes, max_size=3).map(marshal_attributes)
    nest = st.builds(lambda kind, inner: Attribute(kind, inner), u16, st.deferred(lambda: tree))
    tree = leaf | st.lists(attributes | nest, max_size=3).map(marshal_attributes)
    return tree


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """Valid bytes with a few changed, preferably where a length stands, and perhaps cut or with more behind."""
    b = bytearray(draw(valid))
    for _ in range(draw(st.integers(0, 3))):
        if b:
            at = draw(st.integers(0, len(b) - 1))
            at -= draw(st.sampled_from([0, at % 4]))
            b[at] = draw(st.integers(0, 255) | st.integers(0, 24))
    return bytes(b[: draw(st.integers(0, len(b)) | st.just(len(b)))]) + draw(st.just(b"") | st.binary(max_size=20))


datagrams = st.lists(messages(), max_size=4).map(lambda ms: b"".join(m.marshal_binary() for m in ms))
any_datagram = st.binary(max_size=80) | mutated(datagrams)
any_attributes = st.binary(max_size=60) | mutated(trees())


@st.composite
def verdicts(draw: st.DrawFn) -> bytes:
    """The payload of an ERROR or DONE, by and large."""
    code = draw(st.sampled_from([-1, -2, 1, -1 << 31, 0]))
    body = struct.pack("=i", code)
    if draw(st.sampled_from([True, True, False])):
        echoed = draw(payloads)
        body += struct.pack("=IHHII", draw(st.just(16 + len(echoed)) | u32), 16, 1, 1, 1) + padded(echoed)
    kinds = st.sampled_from([1, 2, 0x8001, 0x4002, 3])
    values = st.binary(min_size=4, max_size=4) | payloads
    return body + marshal_attributes(draw(st.lists(st.builds(Attribute, kinds, values), max_size=3)))


# Round trips


@many
@given(messages())
def test_message(m: Message) -> None:
    b = m.marshal_binary()
    again = Message.unmarshal_binary(b)
    assert again == m.replace(data=padded(m.data))
    assert again.marshal_binary() == b


@some
@given(st.lists(messages(), max_size=5), st.binary(max_size=15))
def test_messages_of_a_datagram(ms: list[Message], behind: bytes) -> None:
    b = b"".join(m.marshal_binary() for m in ms)
    assert unmarshal_messages(b + behind) == [m.replace(data=padded(m.data)) for m in ms]


@many
@given(st.lists(attributes, max_size=6))
def test_attributes(attrs: list[Attribute]) -> None:
    b = marshal_attributes(attrs)
    again = unmarshal_attributes(b)
    assert [(a.type, a.data) for a in again] == [(a.type, a.data) for a in attrs]
    assert marshal_attributes(again) == b


def items() -> st.SearchStrategy[list[tuple[str, int, Any]]]:
    """Calls of an encoder: method, type, value; "nested" holds such a list."""
    kind = st.integers(0, 0x3FFF)
    choices = [
        st.tuples(st.just(name), kind, st.integers(0, (1 << 8 * width) - 1))
        if name[0] == "u"
        else st.tuples(st.just(name), kind, st.integers(-1 << 8 * width - 1, (1 << 8 * width - 1) - 1))
        for name, width in WIDTHS.items()
    ]
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=10).map(lambda s: s.rstrip("\0"))
    choices += [
        st.tuples(st.just("flag"), kind, st.just(True)),
        st.tuples(st.just("string"), kind, text),
        st.tuples(st.just("bytes"), kind, payloads),
    ]
    flat = st.one_of(choices)
    return st.lists(
        st.recursive(
            flat, lambda inner: st.tuples(st.just("nested"), kind, st.lists(inner, max_size=4)), max_leaves=12
        ),
        max_size=6,
    )


def encode(e: AttributeEncoder, calls: list[tuple[str, int, Any]], by_with: bool) -> None:
    for name, kind, value in calls:
        if name != "nested":
            getattr(e, name)(kind, value)
        elif by_with:
            with e.nested(kind) as n:
                encode(n, value, by_with)
        else:
            e.nested(kind, lambda n, value=value: encode(n, value, by_with))


def decode(d: AttributeDecoder, calls: list[tuple[str, int, Any]]) -> list[tuple[str, int, Any]]:
    return [
        (name, a.type, decode(a.nested(), value) if name == "nested" else getattr(a, name)())
        for a, (name, _, value) in zip(d, calls, strict=True)
    ]


@many
@given(items(), orders, st.booleans())
def test_encoder_to_decoder(calls: list[tuple[str, int, Any]], order: str, by_with: bool) -> None:
    e = AttributeEncoder(order)
    encode(e, calls, by_with)
    d = AttributeDecoder(e.encode(), order)
    assert len(e.encode()) == len(e)
    assert len(d) == len(calls)
    assert decode(d, calls) == calls


@some
@given(st.sampled_from(sorted(WIDTHS)), st.data())
def test_little_is_big_backwards(name: str, data: st.DataObject) -> None:
    raw = data.draw(st.binary(min_size=WIDTHS[name], max_size=WIDTHS[name]))
    b, backwards = (marshal_attributes([Attribute(1, d)]) for d in (raw, raw[::-1]))
    (little,), (big,) = AttributeDecoder(b, "little"), AttributeDecoder(backwards, "big")
    assert getattr(little, name)() == getattr(big, name)()


# Any bytes: a DecodeError, or what the reference reads


def fields(m: Message) -> tuple[tuple[int, ...], bytes]:
    h = m.header
    return (h.length, h.type, h.flags, h.sequence, h.pid), m.data


@many
@given(any_datagram)
def test_reading_messages(b: bytes) -> None:
    assert outcome(lambda: [fields(m) for m in unmarshal_messages(b)]) == outcome(lambda: ref_messages(b))
    assert outcome(lambda: fields(Message.unmarshal_binary(b))) == outcome(lambda: ref_message(b))


@many
@given(any_attributes)
def test_reading_attributes(b: bytes) -> None:
    found, wrong = ref_attributes(b)
    want = MalformedError if wrong else [(kind, data, 4 + len(data)) for kind, data in found]
    assert outcome(lambda: [(a.type, a.data, a.length) for a in unmarshal_attributes(b)]) == want


def drain(d: AttributeDecoder) -> tuple[list[AttributeView], bool]:
    views = []
    try:
        for a in d:
            views.append(a)
    except DecodeError:
        return views, True
    return views, False


def check_decoder(d: AttributeDecoder, b: bytes, order: str, depth: int = 3) -> None:
    """d, which is to read b, says what the reference says."""
    assert len(d) == ref_count(b)
    views, wrong = drain(d)
    assert ([(a.type | a.type_flags, a.data) for a in views], wrong) == ref_attributes(b)
    for a in views:
        for name in (*WIDTHS, "flag", "string", "bytes"):
            assert outcome(getattr(a, name)) == ref_value(name, a.data, order)
        inner = outcome(a.nested)
        if outcome(lambda a=a: ref_count(a.data)) is MalformedError:
            assert inner is MalformedError
        elif depth:
            check_decoder(inner, a.data, order, depth - 1)


@many
@given(any_attributes, orders)
def test_reading_with_a_decoder(b: bytes, order: str) -> None:
    d = outcome(lambda: AttributeDecoder(b, order))
    if outcome(lambda: ref_count(b)) is MalformedError:
        assert d is MalformedError
    else:
        check_decoder(d, b, order)


@many
@given(st.sampled_from([2, 2, 3, 16]), flags, u32, verdicts() | mutated(verdicts()) | st.binary(max_size=60))
def test_reading_verdicts(kind: int, flags: int, sequence: int, data: bytes) -> None:
    found = verdict(Message(Header(16 + len(data), kind, flags, sequence), data))
    want = ref_verdict(kind, flags, data)
    if want is None:
        assert found is None
        return
    assert found is not None
    assert found[0] == sequence
    if want is True:
        assert found[1] is None
    elif want is MalformedError:
        assert isinstance(found[1], DecodeError)
    else:
        error = found[1]
        assert isinstance(error, OpError)
        assert (error.errno, error.message, error.offset, error.sequence) == (*want, sequence)
