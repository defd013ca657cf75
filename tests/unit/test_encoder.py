"""AttributeEncoder: what it writes, byte by byte, and what it refuses."""

from __future__ import annotations

import array
import copy
import enum
import pickle
import struct
import sys
from collections.abc import Callable
from typing import Any

import pytest

from netlink import NESTED, NET_BYTE_ORDER, AttributeEncoder, EncodeError

ORDERS = {"native": sys.byteorder, "little": "little", "big": "big"}
# name, width in bytes, lowest, highest
INTEGERS = [(f"uint{8 * width}", width, 0, (1 << 8 * width) - 1) for width in (1, 2, 4, 8)] + [
    (f"int{8 * width}", width, -1 << 8 * width - 1, (1 << 8 * width - 1) - 1) for width in (1, 2, 4, 8)
]
MOST = 65531  # bytes of payload that fit: nla_len has 16 bits and counts its header
BEFORE = struct.pack("=HH4s", 6, 9, b"\xab\xab")

Add = Callable[[AttributeEncoder, Any], Any]
Nest = Callable[[AttributeEncoder, int, Callable[[AttributeEncoder], Any]], None]

names = [name for name, *_ in INTEGERS]
each_order = pytest.mark.parametrize("order", ORDERS)
each_integer = pytest.mark.parametrize(("name", "width", "low", "high"), INTEGERS, ids=names)


def wire(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


class Index:
    def __index__(self) -> int:
        return 5


class Name(enum.StrEnum):
    LOOPBACK = "lo"


@pytest.fixture
def e() -> AttributeEncoder:
    """An encoder that holds BEFORE, so that a failed call can be seen to have left it alone."""
    encoder = AttributeEncoder()
    encoder.bytes(9, b"\xab\xab")
    return encoder


def refuses(e: AttributeEncoder, call: Callable[[], Any], match: str | None = None) -> None:
    with pytest.raises(EncodeError, match=match):
        call()
    assert e.encode() == BEFORE
    assert len(e) == len(BEFORE)


def test_empty() -> None:
    e = AttributeEncoder()
    assert (e.encode(), len(e)) == (b"", 0)


@each_integer
@each_order
def test_integers(name: str, width: int, low: int, high: int, order: str) -> None:
    e = AttributeEncoder(order)
    want = b""
    # 0xdead is a value like any other, though the C code marks errors with it.
    for value in {low, max(low, -1), 0, min(0xDEAD, high), 0x0102030405060708 & high, high}:
        getattr(e, name)(7, value)
        want += wire(7, value.to_bytes(width, ORDERS[order], signed=low < 0))
        assert len(e) == len(want)
    assert e.encode() == want


@each_integer
def test_integers_out_of_range(e: AttributeEncoder, name: str, width: int, low: int, high: int) -> None:
    for value in (low - 1, high + 1, 1 << 64, -1 << 63, -1 << 64, 1 << 200):
        if not low <= value <= high:
            refuses(e, lambda value=value: getattr(e, name)(3, value), rf"type 3\b.*{value}\b.*\b{name}\b")


@each_integer
def test_integers_take_an_index_and_nothing_else(
    e: AttributeEncoder, name: str, width: int, low: int, high: int
) -> None:
    put = getattr(e, name)
    for value in ("1", b"1", 1.0, None):
        with pytest.raises(TypeError):
            put(1, value)
    assert e.encode() == BEFORE
    put(1, Index())
    put(1, True)
    assert e.encode() == BEFORE + b"".join(wire(1, v.to_bytes(width, sys.byteorder)) for v in (5, 1))


ADDERS: dict[str, tuple[Add, bytes]] = {
    **{n: (lambda e, kind, n=n: getattr(e, n)(kind, 0), bytes(width)) for n, width, *_ in INTEGERS},
    "flag": (lambda e, kind: e.flag(kind, True), b""),
    "string": (lambda e, kind: e.string(kind, "a"), b"a\0"),
    "bytes": (lambda e, kind: e.bytes(kind, b"abc"), b"abc"),
    "do": (lambda e, kind: e.do(kind, lambda: b"abc"), b"abc"),
}
EVERY: dict[str, Add] = {
    **{name: add for name, (add, _) in ADDERS.items()},
    "flag(False)": lambda e, kind: e.flag(kind, False),
    "nested(fn)": lambda e, kind: e.nested(kind, lambda n: None),
    "with nested": lambda e, kind: e.nested(kind).__enter__(),
}
each_method = pytest.mark.parametrize("add", EVERY.values(), ids=EVERY.keys())


@pytest.mark.parametrize(("add", "data"), ADDERS.values(), ids=ADDERS.keys())
@pytest.mark.parametrize("kind", [0, 1, 0x3FFF, NET_BYTE_ORDER | 2, NESTED | 2, 0xFFFF])
def test_type_is_written_raw(add: Add, data: bytes, kind: int) -> None:
    e = AttributeEncoder()
    assert add(e, kind) is None
    assert e.encode() == wire(kind, data)


@each_method
def test_type_out_of_range(e: AttributeEncoder, add: Add) -> None:
    for kind in (-1, 0x1_0000, 1 << 64):
        refuses(e, lambda kind=kind: add(e, kind), f"type.*{kind}")


@each_method
def test_type_is_an_integer(e: AttributeEncoder, add: Add) -> None:
    for kind in ("1", 1.0, None):
        with pytest.raises(TypeError):
            add(e, kind)
    assert e.encode() == BEFORE


@pytest.mark.parametrize(("kind", "value"), [(1 << 20_000, 0), (1, 1 << 20_000)], ids=["type", "value"])
@pytest.mark.parametrize("name", ["uint8", "int64"])
def test_numbers_too_long_to_print(e: AttributeEncoder, name: str, kind: int, value: int) -> None:
    refuses(e, lambda: getattr(e, name)(kind, value))


def test_flag_false_adds_nothing(e: AttributeEncoder) -> None:
    for value in (False, 0, "", None):
        e.flag(1, value)
    assert e.encode() == BEFORE
    e.flag(1, "true enough")
    assert e.encode() == BEFORE + wire(1)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", b"\0"),
        ("lo", b"lo\0"),
        ("eth", b"eth\0"),
        ("a\0b", b"a\0b\0"),
        ("a\0", b"a\0\0"),
        ("müß €", "müß €\0".encode()),
        ("\udcff", b"\xff\0"),
        (Name.LOOPBACK, b"lo\0"),
    ],
)
def test_string(text: str, want: bytes) -> None:
    e = AttributeEncoder()
    e.string(4, text)
    assert e.encode() == wire(4, want)


@pytest.mark.parametrize("text", [b"lo", None, 1, ["lo"]], ids=repr)
def test_string_needs_a_str(e: AttributeEncoder, text: Any) -> None:
    with pytest.raises(TypeError):
        e.string(1, text)
    assert e.encode() == BEFORE


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda b: array.array("I", b)])
def test_any_contiguous_buffer(make: Callable[[bytes], Any]) -> None:
    e = AttributeEncoder()
    e.bytes(1, make(b"abcdefgh"))
    e.do(2, lambda: make(b"abcdefgh"))
    assert e.encode() == wire(1, b"abcdefgh") + wire(2, b"abcdefgh")


@pytest.mark.parametrize(
    ("data", "error"),
    [("lo", TypeError), (3, TypeError), (None, TypeError), (memoryview(bytes(8))[::2], BufferError)],
)
def test_no_contiguous_buffer(e: AttributeEncoder, data: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        e.bytes(1, data)
    with pytest.raises(error):
        e.do(1, lambda: data)
    assert e.encode() == BEFORE


SIZED: dict[str, Callable[[AttributeEncoder, int], Any]] = {
    "bytes": lambda e, size: e.bytes(1, b"a" * size),
    "do": lambda e, size: e.do(1, lambda: b"a" * size),
    "string": lambda e, size: e.string(1, "a" * (size - 1)),
}


@pytest.mark.parametrize(("name", "add"), SIZED.items(), ids=SIZED.keys())
def test_largest_payload(e: AttributeEncoder, name: str, add: Callable[[AttributeEncoder, int], Any]) -> None:
    refuses(e, lambda: add(e, MOST + 1), rf"type 1\b.*\b{MOST + 1}\b.*\b{MOST}\b")
    add(e, MOST)
    assert e.encode() == BEFORE + wire(1, b"a" * (MOST - 1) + (b"\0" if name == "string" else b"a"))


def test_padding_and_length() -> None:
    e = AttributeEncoder()
    want = b""
    for size in range(10):
        e.bytes(size, b"\xff" * size)
        want += wire(size, b"\xff" * size)
        assert len(e) == len(want)
        assert e.encode() == want  # and more can be added afterwards


def test_growth() -> None:
    e = AttributeEncoder()
    for i in range(5000):
        e.uint16(i, i)
    assert e.encode() == b"".join(wire(i, struct.pack("=H", i)) for i in range(5000))


# Nesting: by a function and by `with`, which must do the same


def by_function(e: AttributeEncoder, kind: int, fill: Callable[[AttributeEncoder], Any]) -> None:
    assert e.nested(kind, fill) is None


def by_with(e: AttributeEncoder, kind: int, fill: Callable[[AttributeEncoder], Any]) -> None:
    with e.nested(kind) as n:
        fill(n)


each_nesting = pytest.mark.parametrize("nest", [by_function, by_with])


@each_nesting
@each_order
def test_nested_inherits_the_byte_order(nest: Nest, order: str) -> None:
    e = AttributeEncoder(order)
    nest(e, 1, lambda n: nest(n, 2, lambda m: m.uint16(3, 0x0102)))
    e.uint16(4, 0x0102)
    value = (0x0102).to_bytes(2, ORDERS[order])
    assert e.encode() == wire(NESTED | 1, wire(NESTED | 2, wire(3, value))) + wire(4, value)


@each_nesting
def test_nested_empty(e: AttributeEncoder, nest: Nest) -> None:
    nest(e, 1, lambda n: None)
    assert e.encode() == BEFORE + wire(NESTED | 1)


@each_nesting
def test_nested_keeps_other_type_flags(nest: Nest) -> None:
    e = AttributeEncoder()
    nest(e, NET_BYTE_ORDER | NESTED | 1, lambda n: None)
    assert e.encode() == wire(NET_BYTE_ORDER | NESTED | 1)


@each_nesting
def test_nested_is_another_encoder(e: AttributeEncoder, nest: Nest) -> None:
    lengths = []

    def fill(n: AttributeEncoder) -> None:
        lengths.append((len(n), len(e)))
        n.uint8(2, 1)
        lengths.append((len(n), len(e)))

    nest(e, 1, fill)
    assert lengths == [(0, len(BEFORE)), (8, len(BEFORE))]
    assert len(e) == len(BEFORE) + 12


@each_nesting
@pytest.mark.parametrize("error", [LookupError, EncodeError, KeyboardInterrupt, StopIteration])
def test_exception_inside_nested_adds_nothing(e: AttributeEncoder, nest: Nest, error: type[BaseException]) -> None:
    def fail(n: AttributeEncoder) -> None:
        n.uint8(2, 1)
        raise error("mine")

    with pytest.raises(error, match="mine"):
        nest(e, 1, fail)
    with pytest.raises(error, match="mine"):
        nest(e, 1, lambda n: nest(n, 2, fail))
    assert e.encode() == BEFORE
    e.flag(5, True)
    assert e.encode() == BEFORE + wire(5)


def test_exception_inside_do_adds_nothing(e: AttributeEncoder) -> None:
    def fail() -> bytes:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        e.do(1, fail)
    assert e.encode() == BEFORE


@each_nesting
def test_nested_overflow(e: AttributeEncoder, nest: Nest) -> None:
    def fill(size: int) -> Callable[[AttributeEncoder], None]:
        return lambda n: n.bytes(2, bytes(size))

    # The inner attribute is padded: 4 + 65524 = 65528 is the largest multiple of 4 that fits.
    refuses(e, lambda: nest(e, 1, fill(65525)), rf"type 1\b.*\b65532\b.*\b{MOST}\b")
    refuses(e, lambda: nest(e, 1, lambda n: nest(n, 2, fill(65524))), r"type 1\b")
    nest(e, 1, fill(65524))
    assert e.encode() == BEFORE + wire(NESTED | 1, wire(2, bytes(65524)))


@pytest.mark.parametrize("order", ["", "Big", "network", None, 1])
def test_unknown_byte_order(order: Any) -> None:
    with pytest.raises(ValueError, match="byte_order"):
        AttributeEncoder(byte_order=order)


@pytest.mark.parametrize("make", [AttributeEncoder, lambda: AttributeEncoder().nested(1)])
def test_is_not_copied(make: Callable[[], Any]) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(make(), protocol)
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="pickle"):
            duplicate(make())


def test_final() -> None:
    with pytest.raises(TypeError):
        type("Sub", (AttributeEncoder,), {})
