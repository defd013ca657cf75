"""Header and Message: values, immutability, and bytes both ways (struct nlmsghdr of linux/netlink.h)."""

from __future__ import annotations

import array
import copy
import ctypes
import mmap
import pickle
import struct
from collections.abc import Callable
from typing import Any

import pytest

from netlink import DecodeError, EncodeError, Header, HeaderFlags, HeaderType, Message, unmarshal_messages

U16 = 0xFFFF
U32 = 0xFFFF_FFFF
FIELDS = {"length": U32, "type": U16, "flags": U16, "sequence": U32, "pid": U32}
HEADER = Header(length=20, type=16, flags=0x301, sequence=7, pid=9)
MESSAGE = Message(HEADER, b"\x01\x02\x03\x04")

each_field = pytest.mark.parametrize(("field", "most"), FIELDS.items())


def wire(length: int, kind: int = 16, flags: int = 0, sequence: int = 1, pid: int = 2) -> bytes:
    return struct.pack("=IHHII", length, kind, flags, sequence, pid)


def anonymous_map(data: bytes) -> mmap.mmap:
    area = mmap.mmap(-1, len(data))
    area[:] = data
    return area


class Bytes(bytes):
    """A subclass, which must not be stored unchanged."""


# Every kind of contiguous buffer, made from bytes whose number is a multiple of 8.
BUFFERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytes-subclass": Bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "memoryview-slice": lambda b: memoryview(b"x" + b + b"x")[1:-1],
    "memoryview-2d": lambda b: memoryview(b).cast("B", (2, len(b) // 2)),
    "array-u32": lambda b: array.array("I", b),
    "array-double": lambda b: array.array("d", b),
    "ctypes": lambda b: (ctypes.c_uint16 * (len(b) // 2)).from_buffer_copy(b),
    "mmap": anonymous_map,
}
each_buffer = pytest.mark.parametrize("make", BUFFERS.values(), ids=BUFFERS.keys())

NOT_BUFFERS = [
    pytest.param(memoryview(bytes(64))[::2], BufferError, id="strided"),
    pytest.param(memoryview(bytes(32))[::-1], BufferError, id="reversed"),
    pytest.param("text", TypeError, id="str"),
    pytest.param(16, TypeError, id="int"),
    pytest.param(None, TypeError, id="None"),
    pytest.param([0] * 16, TypeError, id="list"),
]


# Values


def test_defaults() -> None:
    assert Header() == Header(0, 0, 0, 0, 0)
    assert Message() == Message(Header(), b"")
    assert Message(None).header == Header()


def test_header_positional_and_keyword() -> None:
    assert Header(20, 16, 0x301, 7, 9) == HEADER
    assert [getattr(HEADER, name) for name in FIELDS] == [20, 16, 0x301, 7, 9]


@each_field
def test_header_range(field: str, most: int) -> None:
    for value in (0, most):
        assert getattr(Header(**{field: value}), field) == value
    for value in (-1, most + 1, 1 << 64, -1 << 64):
        with pytest.raises((ValueError, OverflowError)):
            Header(**{field: value})
        with pytest.raises((ValueError, OverflowError)):
            MESSAGE.replace(**{field: value})


@each_field
@pytest.mark.parametrize("value", ["1", b"1", 1.5], ids=repr)
def test_header_refuses_what_is_no_integer(field: str, most: int, value: Any) -> None:
    with pytest.raises(TypeError):
        Header(**{field: value})
    with pytest.raises(TypeError):
        MESSAGE.replace(**{field: value})


@pytest.mark.parametrize("value", [0, 1, 2, 3, 4, 5, 16, U16])
def test_type_and_flags_are_enums_and_equal_ints(value: int) -> None:
    header = Header(type=value, flags=value)
    assert header.type == value == header.flags
    assert isinstance(header.type, HeaderType)
    assert isinstance(header.flags, HeaderFlags)
    assert Header(type=header.type, flags=header.flags) == header


@pytest.mark.parametrize("argument", ["header", 1, MESSAGE], ids=["str", "int", "Message"])
def test_message_needs_a_header(argument: Any) -> None:
    with pytest.raises(TypeError):
        Message(argument)


@each_buffer
def test_data_is_any_contiguous_buffer(make: Callable[[bytes], Any]) -> None:
    raw = bytes(range(16))
    for message in (Message(HEADER, make(raw)), MESSAGE.replace(data=make(raw))):
        assert message.data == raw
        assert type(message.data) is bytes


@pytest.mark.parametrize(("data", "error"), NOT_BUFFERS)
def test_data_refuses_the_rest(data: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Message(HEADER, data)


def test_data_does_not_follow_its_source() -> None:
    source = bytearray(b"before")
    message = Message(HEADER, source)
    source[:] = b"after!"
    assert message.data == b"before"


# Immutability, equality and copies


@pytest.mark.parametrize(
    ("thing", "name"),
    [(HEADER, name) for name in (*FIELDS, "other")] + [(MESSAGE, name) for name in ("header", "data", "other")],
)
def test_attributes_cannot_be_set(thing: Any, name: str) -> None:
    before = repr(thing)
    with pytest.raises(AttributeError):
        setattr(thing, name, 1)
    with pytest.raises(AttributeError):
        delattr(thing, name)
    assert repr(thing) == before


def unmarshalled() -> Message:
    return Message.unmarshal_binary(MESSAGE.marshal_binary())


@pytest.mark.parametrize(
    "thing",
    [
        Header(),
        HEADER,
        MESSAGE.header,
        Message(),
        MESSAGE,
        MESSAGE.replace(pid=1),
        unmarshalled(),
        pickle.loads(pickle.dumps(MESSAGE)),
    ],
    ids=["Header()", "Header", ".header", "Message()", "Message", "replace", "unmarshal", "unpickled"],
)
def test_init_again_changes_nothing(thing: Any) -> None:
    before = repr(thing)
    for arguments in ((), (HEADER, b"other") if isinstance(thing, Message) else (1, 2, 3, 4, 5)):
        with pytest.raises(AttributeError):
            thing.__init__(*arguments)
    assert repr(thing) == before


def test_init_that_failed_leaves_nothing_behind() -> None:
    header = Header.__new__(Header)
    with pytest.raises(OverflowError):
        header.__init__(1, 2, 3, 4, 1 << 32)
    assert header == Header()


@pytest.mark.parametrize("cls", [Header, Message])
def test_final(cls: type) -> None:
    with pytest.raises(TypeError):
        type("Sub", (cls,), {})


@each_field
def test_equality_sees_every_field(field: str, most: int) -> None:
    other = MESSAGE.replace(**{field: most - 1})
    assert other != MESSAGE
    assert other.header != HEADER


def test_equality_sees_the_data() -> None:
    assert MESSAGE.replace(data=b"\x01\x02\x03\x05") != MESSAGE


@pytest.mark.parametrize(
    ("thing", "other"), [(HEADER, (20, 16, 0x301, 7, 9)), (MESSAGE, HEADER), (MESSAGE, None), (HEADER, "")]
)
def test_equality_with_other_types(thing: Any, other: Any) -> None:
    assert (thing == other, thing != other) == (False, True)
    with pytest.raises(TypeError):
        thing < thing  # noqa: B015


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HEADER, Header(20, 16, 0x301, 7, 9)),
        (MESSAGE, Message(HEADER, bytearray(MESSAGE.data))),
        (MESSAGE, unmarshalled()),
        (Header(), Header.__new__(Header)),
        (Message(), Message.__new__(Message)),
    ],
    ids=["Header", "Message", "unmarshalled", "Header.__new__", "Message.__new__"],
)
def test_equal_things_hash_equal(one: Any, other: Any) -> None:
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other}) == 1


copies = pytest.mark.parametrize(
    "thing",
    [
        Header(),
        Header(U32, U16, U16, U32, U32),
        Message(),
        MESSAGE,
        Message(HEADER, bytes(range(256))),
        Message.__new__(Message),
    ],
    ids=["Header()", "Header-max", "Message()", "Message", "Message-256", "Message.__new__"],
)


@copies
def test_repr_evaluates_to_the_same(thing: Any) -> None:
    again = eval(repr(thing), {"Header": Header, "Message": Message})
    assert again == thing
    assert type(again) is type(thing)


@copies
def test_copies_are_equal(thing: Any) -> None:
    pickles = [pickle.loads(pickle.dumps(thing, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    for again in (*pickles, copy.copy(thing), copy.deepcopy(thing)):
        assert again == thing
        assert type(again) is type(thing)


@each_field
def test_replace_one_field(field: str, most: int) -> None:
    changed = MESSAGE.replace(**{field: most})
    want = {name: getattr(HEADER, name) for name in FIELDS} | {field: most}
    assert changed == Message(Header(**want), MESSAGE.data)
    assert MESSAGE.header == HEADER


def test_replace_data_keeps_the_header() -> None:
    assert MESSAGE.replace(data=b"longer than before") == Message(HEADER, b"longer than before")
    assert MESSAGE.replace(length=0, data=b"").header.length == 0
    assert MESSAGE.replace() == MESSAGE


@pytest.mark.parametrize("name", ["header", "len", "Length", "seq", "payload"])
def test_replace_refuses_unknown_names(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        MESSAGE.replace(**{name: 1})
    with pytest.raises(TypeError):
        MESSAGE.replace(20)


# One message, to and from bytes


@pytest.mark.parametrize(
    ("message", "want"),
    [
        (Message(Header(length=16)), wire(16, 0, 0, 0, 0)),
        (MESSAGE, wire(20, 16, 0x301, 7, 9) + b"\x01\x02\x03\x04"),
        (Message(Header(20, 2, 3, 4, 5), b"abc"), wire(20, 2, 3, 4, 5) + b"abc\0"),
        (Message(Header(20, 2, 3, 4, 5), b"a"), wire(20, 2, 3, 4, 5) + b"a\0\0\0"),
        (Message(Header(16, U16, U16, U32, U32)), wire(16, U16, U16, U32, U32)),
    ],
    ids=["empty", "aligned", "pad-1", "pad-3", "max"],
)
def test_marshal(message: Message, want: bytes) -> None:
    assert message.marshal_binary() == want
    assert type(message.marshal_binary()) is bytes


@pytest.mark.parametrize(
    ("length", "size"),
    [
        (0, 0),
        (12, 0),
        (15, 0),
        (17, 1),
        (18, 2),
        (19, 3),
        (16, 1),
        (20, 5),
        (20, 0),
        (24, 4),
        (U32 - 3, 4),
        (U32, 0),
    ],
)
def test_marshal_refuses_a_wrong_length(length: int, size: int) -> None:
    with pytest.raises(EncodeError, match=str(length)):
        Message(Header(length=length), bytes(size)).marshal_binary()


@pytest.mark.parametrize(
    ("raw", "length", "data"),
    [
        (wire(16), 16, b""),
        (wire(20) + b"abcd", 20, b"abcd"),
        (wire(17) + b"abcd", 17, b"a"),
        (wire(19) + b"abcd", 19, b"abc"),
        (wire(16) + b"abcd", 16, b""),
    ],
    ids=["empty", "whole", "pad-3", "pad-1", "more-behind"],
)
def test_unmarshal(raw: bytes, length: int, data: bytes) -> None:
    assert Message.unmarshal_binary(raw) == Message(Header(length, 16, 0, 1, 2), data)


@pytest.mark.parametrize("size", [0, 1, 4, 12, 15])
def test_unmarshal_refuses_under_16_bytes(size: int) -> None:
    with pytest.raises(DecodeError, match=f"16.*{size}"):
        Message.unmarshal_binary(bytes(size))


@pytest.mark.parametrize("extra", [1, 2, 3, 5])
def test_unmarshal_refuses_an_unaligned_buffer(extra: int) -> None:
    with pytest.raises(DecodeError, match=str(16 + extra)):
        Message.unmarshal_binary(wire(16 + extra) + bytes(extra))


@pytest.mark.parametrize("length", [0, 1, 15, 21, 24, 0x8000_0000, U32])
def test_unmarshal_refuses_a_wrong_length(length: int) -> None:
    raw = wire(length) + bytes(4)
    with pytest.raises(DecodeError, match=str(length)):
        Message.unmarshal_binary(raw)
    with pytest.raises(DecodeError, match=str(length)):
        unmarshal_messages(raw)


# All messages of a datagram

FIRST = wire(18) + b"abPP"  # PP: padding that need not be zero
LAST = wire(21, sequence=5) + b"fghij"


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (b"", []),
        (FIRST, [b"ab"]),
        (FIRST + LAST, [b"ab", b"fghij"]),  # no padding behind the last
        (FIRST + LAST + bytes(2), [b"ab", b"fghij"]),
        (FIRST + LAST + bytes(3), [b"ab", b"fghij"]),
        (FIRST + LAST + bytes(3) + bytes(15), [b"ab", b"fghij"]),
        (bytes(15), []),
        (FIRST + wire(16)[:15], [b"ab"]),
        (wire(16) * 100, [b""] * 100),
    ],
    ids=[
        "nothing",
        "one",
        "last-unpadded",
        "last-half-padded",
        "last-padded",
        "15-behind",
        "15-alone",
        "header-cut",
        "100",
    ],
)
def test_framing(raw: bytes, want: list[bytes]) -> None:
    messages = unmarshal_messages(raw)
    assert [m.data for m in messages] == want
    assert [m.header.length for m in messages] == [16 + len(data) for data in want]


@pytest.mark.parametrize("length", [0, 15, 22, 32, U32])
def test_framing_refuses_a_wrong_length_behind_a_good_message(length: int) -> None:
    with pytest.raises(DecodeError, match=rf"byte {len(FIRST)}\b.*\b{length}\b.*\b21\b"):
        unmarshal_messages(FIRST + wire(length) + b"fghij")


Decode = Callable[[Any], Message]


@pytest.mark.parametrize("decode", [Message.unmarshal_binary, lambda b: unmarshal_messages(b)[0]])
class TestInput:
    @each_buffer
    def test_is_any_contiguous_buffer(self, decode: Decode, make: Callable[[bytes], Any]) -> None:
        assert decode(make(wire(24) + b"abcdefgh")) == Message(Header(24, 16, 0, 1, 2), b"abcdefgh")

    @pytest.mark.parametrize(("data", "error"), NOT_BUFFERS)
    def test_refuses_the_rest(self, decode: Decode, data: Any, error: type[Exception]) -> None:
        with pytest.raises(error):
            decode(data)

    def test_is_copied(self, decode: Decode) -> None:
        source = bytearray(wire(20) + b"abcd")
        message = decode(source)
        source[:] = bytes(20)
        assert message.data == b"abcd"
        source.append(0)  # no buffer is held any more
