"""Attributes from bytes and as values: struct nlattr of linux/netlink.h."""

from __future__ import annotations

import array
import copy
import gc
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from netlink import (
    NESTED,
    NET_BYTE_ORDER,
    Attribute,
    AttributeDecoder,
    AttributeView,
    DecodeError,
    EncodeError,
    Family,
    marshal_attributes,
    unmarshal_attributes,
)

ORDERS = {"native": sys.byteorder, "little": "little", "big": "big"}
INTEGERS = [(f"{sign}int{8 * width}", width, sign == "") for width in (1, 2, 4, 8) for sign in ("u", "")]

each_order = pytest.mark.parametrize("order", ORDERS)
each_integer = pytest.mark.parametrize(("name", "width", "signed"), INTEGERS, ids=[i[0] for i in INTEGERS])


def wire(kind: int, data: bytes = b"", length: int | None = None) -> bytes:
    header = struct.pack("=HH", 4 + len(data) if length is None else length, kind)
    return header + data + bytes(-len(data) % 4)


def view(data: bytes, kind: int = 5, order: str = "native") -> AttributeView:
    (only,) = AttributeDecoder(wire(kind, data), order)
    return only


# Attribute


@pytest.mark.parametrize("field", ["type", "length"])
def test_range(field: str) -> None:
    for value in (0, 0xFFFF):
        assert getattr(Attribute(**{field: value}), field) == value
    for value in (-1, 0x1_0000, 1 << 64):
        with pytest.raises((ValueError, OverflowError)):
            Attribute(**{field: value})


@pytest.mark.parametrize("field", ["type", "length"])
@pytest.mark.parametrize("value", ["1", 1.5], ids=repr)
def test_refuses_what_is_no_integer(field: str, value: Any) -> None:
    with pytest.raises(TypeError):
        Attribute(**{field: value})


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda b: array.array("H", b)])
def test_data_is_any_contiguous_buffer(make: Callable[[bytes], Any]) -> None:
    attribute = Attribute(1, make(b"abcd"))
    assert attribute.data == b"abcd"
    assert type(attribute.data) is bytes
    assert [a.data for a in AttributeDecoder(make(wire(1, b"abcd")))] == [b"abcd"]
    assert unmarshal_attributes(make(wire(1, b"abcd"))) == [Attribute(1, b"abcd", 8)]


@pytest.mark.parametrize("function", [lambda b: Attribute(1, b), AttributeDecoder, unmarshal_attributes])
@pytest.mark.parametrize(
    ("data", "error"),
    [("abcd", TypeError), (None, TypeError), (4, TypeError), (memoryview(bytes(8))[::2], BufferError)],
)
def test_data_refuses_the_rest(function: Callable[[Any], Any], data: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        function(data)


@pytest.mark.parametrize("name", ["type", "data", "length", "other"])
@pytest.mark.parametrize("attribute", [Attribute(1, b"a", 5), unmarshal_attributes(wire(1, b"a"))[0]])
def test_immutable(attribute: Attribute, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(attribute, name, 2)
    with pytest.raises(AttributeError):
        attribute.__init__(2, b"b", 6)
    assert attribute == Attribute(1, b"a", 5)


def test_equality() -> None:
    one = Attribute(1, b"a", 5)
    for other in (Attribute(2, b"a", 5), Attribute(1, b"b", 5), Attribute(1, b"a", 0), (1, b"a", 5), None):
        assert one != other
    assert one == Attribute(type=1, data=bytearray(b"a"), length=5)


@pytest.mark.parametrize("make", [Attribute, lambda: Attribute.__new__(Attribute)], ids=["call", "__new__"])
def test_equal_attributes_hash_equal(make: Callable[[], Attribute]) -> None:
    assert make() == Attribute(0, b"", 0)
    assert hash(make()) == hash(Attribute(0, b"", 0))


@pytest.mark.parametrize("attribute", [Attribute(), Attribute(0xFFFF, b"\x00'\"\xff", 8)])
def test_copies_and_repr(attribute: Attribute) -> None:
    pickles = [pickle.loads(pickle.dumps(attribute, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    for again in (*pickles, copy.copy(attribute), copy.deepcopy(attribute), eval(repr(attribute))):
        assert again == attribute


@pytest.mark.parametrize("cls", [Attribute, AttributeView, AttributeDecoder])
def test_final(cls: type) -> None:
    with pytest.raises(TypeError):
        type("Sub", (cls,), {})


# Lists of attributes


@pytest.mark.parametrize(
    ("attributes", "want"),
    [
        ([], b""),
        ([Attribute(1)], wire(1)),
        ([Attribute(1, b"a", 0)], wire(1, b"a")),
        ([Attribute(1, b"a", 5)], wire(1, b"a")),
        ([Attribute(1, b"abc"), Attribute(2, b"abcd", 8)], wire(1, b"abc") + wire(2, b"abcd")),
        ([Attribute(NESTED | 3, wire(1, b"a"))], wire(NESTED | 3, wire(1, b"a"))),
        ([Attribute(1, bytes(65531))], wire(1, bytes(65531))),
        (iter([Attribute(1), Attribute(2)]), wire(1) + wire(2)),
    ],
)
def test_marshal(attributes: Any, want: bytes) -> None:
    assert marshal_attributes(attributes) == want


@pytest.mark.parametrize(
    "wrong",
    [
        *(Attribute(1, b"", length) for length in (1, 2, 3, 5)),
        Attribute(1, b"ab", 5),
        Attribute(1, b"ab", 7),
        Attribute(1, bytes(65532)),
    ],
    ids=lambda a: f"{a.length}-{len(a.data)}",
)
def test_marshal_refuses_a_wrong_length(wrong: Attribute) -> None:
    with pytest.raises(EncodeError, match="attribute type 1"):
        marshal_attributes([Attribute(2), wrong])


@pytest.mark.parametrize("item", [None, (1, b"a"), b"abcd"])
def test_marshal_takes_attributes_alone(item: Any) -> None:
    with pytest.raises(TypeError):
        marshal_attributes([item])


# Framing. What every reader must find: the attributes before the first wrong one, whether there is a wrong
# one, and whether that is known at once since a header does not fit.

ZERO = wire(9, length=0)
FRAMES = {
    "nothing": (b"", [], None),
    "empty": (wire(1), [(1, b"")], None),
    "padded": (wire(1, b"a") + wire(2, b"bc"), [(1, b"a"), (2, b"bc")], None),
    "padding is not read": (wire(1, b"a")[:5] + b"XYZ" + wire(2), [(1, b"a"), (2, b"")], None),
    "last unpadded": (wire(1, b"a") + wire(2, b"b")[:5], [(1, b"a"), (2, b"b")], None),
    "last half padded": (wire(2, b"b")[:7], [(2, b"b")], None),
    "raw type": (wire(0xFFFF, b"a"), [(0xFFFF, b"a")], None),
    "zero between": (wire(1) + ZERO + ZERO + wire(2), [(1, b""), (2, b"")], None),
    "zero first": (ZERO + wire(1), [(1, b"")], None),
    "zero last": (wire(1) + ZERO, [(1, b"")], None),
    "zero alone": (ZERO, [], None),
    "64 KiB": (wire(1, bytes(65531)) + wire(2), [(1, bytes(65531)), (2, b"")], None),
    "length 1": (wire(1) + wire(2, length=1) + wire(3), [(1, b"")], "late"),
    "length 2": (wire(2, length=2), [], "late"),
    "length 3": (wire(1) + wire(2, length=3), [(1, b"")], "late"),
    "past the end by 1": (wire(1) + wire(2, b"abcd", length=9), [(1, b"")], "late"),
    "past the end": (wire(1) + wire(2, length=0xFFFF), [(1, b"")], "late"),
    "1 byte": (b"\x04", [], "at once"),
    "3 bytes behind": (wire(1) + bytes(3), [(1, b"")], "at once"),
    "3 bytes behind zero": (ZERO + bytes(3), [], "at once"),
    "3 bytes behind length 2": (wire(1, length=2) + bytes(3), [], "at once"),
}
each_frame = pytest.mark.parametrize(("raw", "found", "wrong"), FRAMES.values(), ids=FRAMES.keys())


def drain(attributes: Iterator[AttributeView]) -> tuple[list[tuple[int, bytes]], bool]:
    found = []
    try:
        for a in attributes:
            found.append((a.type | a.type_flags, a.data))
    except DecodeError:
        return found, True
    return found, False


@each_frame
def test_unmarshal(raw: bytes, found: list[tuple[int, bytes]], wrong: str | None) -> None:
    if wrong:
        with pytest.raises(DecodeError):
            unmarshal_attributes(raw)
    else:
        assert unmarshal_attributes(raw) == [Attribute(kind, data, 4 + len(data)) for kind, data in found]


@each_frame
def test_decoder(raw: bytes, found: list[tuple[int, bytes]], wrong: str | None) -> None:
    if wrong == "at once":
        with pytest.raises(DecodeError, match="header"):
            AttributeDecoder(raw)
        return
    decoder = AttributeDecoder(raw)
    for _ in range(2):
        assert drain(iter(decoder)) == (found, wrong == "late")
    if wrong is None:
        assert len(decoder) == len(found)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 0xFFFF])
def test_wrong_length_is_reported(length: int) -> None:
    raw = wire(1, b"a") + wire(NESTED | 7, length=length)
    attributes = iter(AttributeDecoder(raw))
    assert next(attributes).type == 1
    text = rf"type 7\b.*byte 8\b.*\b{length}\b"
    with pytest.raises(DecodeError, match=text):
        next(attributes)
    assert list(attributes) == []  # an iterator that has raised is at its end
    with pytest.raises(DecodeError, match=text):
        unmarshal_attributes(raw)


def test_iterations_do_not_disturb_each_other() -> None:
    decoder = AttributeDecoder(wire(1) + wire(2))
    assert [(a.type, b.type) for a in decoder for b in decoder] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_an_attribute_by_its_type() -> None:
    raw = marshal_attributes(
        [Attribute(1, b"a"), Attribute(2 | NESTED, b"b"), Attribute(1, b"last"), Attribute(0, b"")]
    )
    decoder = AttributeDecoder(raw)
    assert decoder[1].data == b"last"
    assert (decoder[2].data, decoder[2].type, decoder[2].type_flags) == (b"b", 2, NESTED)
    assert decoder[Family.ROUTE].data == b""
    assert [kind in decoder for kind in (0, 1, 2, 3)] == [True, True, True, False]
    for kind in (3, -1, 2 | NESTED, 1 << 70):
        assert kind not in decoder
        with pytest.raises(KeyError) as caught:
            decoder[kind]
        assert caught.value.args == (kind,)
    for wrong in ("1", None, 1.0):
        with pytest.raises(TypeError):
            decoder[wrong]  # type: ignore[index]
    broken = AttributeDecoder(raw + b"\3\0\1\0")
    with pytest.raises(DecodeError):
        broken[1]
    with pytest.raises(DecodeError):
        assert 9 in broken


def test_input_is_copied() -> None:
    source = bytearray(wire(1, b"abcd"))
    decoder = AttributeDecoder(source)
    source[:] = bytes(8)
    source.append(0)  # no buffer is held any more
    assert [a.data for a in decoder] == [b"abcd"]


def test_views_outlive_decoder_and_loop() -> None:
    inner = wire(1, b"first") + wire(2, b"second")
    views = [b for a in AttributeDecoder(bytearray(wire(NESTED | 3, inner))) for b in a.nested()]
    gc.collect()
    assert [bytes(100) for _ in range(100)]  # take what was freed
    assert [v.data for v in views] == [b"first", b"second"]


@each_order
def test_init_again(order: str) -> None:
    decoder = AttributeDecoder(wire(1, b"ab"), order)
    with pytest.raises(AttributeError):
        decoder.__init__(wire(2), "native")
    assert [a.uint16() for a in decoder] == [int.from_bytes(b"ab", ORDERS[order])]


@pytest.mark.parametrize("order", ["", "Big", "network", None, 1, b"big"])
def test_unknown_byte_order(order: Any) -> None:
    with pytest.raises(ValueError, match="byte_order"):
        AttributeDecoder(b"", byte_order=order)


def test_view_is_not_made_by_hand() -> None:
    with pytest.raises(TypeError, match="AttributeDecoder"):
        AttributeView()


@pytest.mark.parametrize("thing", [AttributeDecoder(wire(1)), view(b""), iter(AttributeDecoder(wire(1)))])
def test_what_points_into_a_buffer_is_not_copied(thing: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(thing, protocol)
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="pickle"):
            duplicate(thing)


@pytest.mark.parametrize(
    "code",
    [
        "list(AttributeDecoder.__new__(AttributeDecoder))",
        "v = AttributeView.__new__(AttributeView); v.string(), v.data, v.do(len), list(v.nested()), repr(v)",
        "i = iter(AttributeDecoder(b'')); next(type(i).__new__(type(i)))",
        "i = iter(AttributeDecoder(b'')); i.__setstate_cython__((1 << 45, AttributeDecoder(b''))); next(i)",
        "n = AttributeEncoder().nested(1); type(n)().__exit__(None, None, None)",
        "n = AttributeEncoder().nested(1); type(n).__new__(type(n)).__exit__(None, None, None)",
        "n = AttributeEncoder().nested(1); type(n)(None, AttributeEncoder(), 1).__exit__(None, None, None)",
    ],
    ids=["decoder", "view", "iterator", "iterator-state", "nested", "nested.__new__", "nested-None"],
)
def test_objects_made_the_wrong_way_do_not_crash(code: str) -> None:
    program = f"from netlink import *\ntry: {code}\nexcept Exception: pass\nprint('alive')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


# Views


@pytest.mark.parametrize("flags", [0, NESTED, NET_BYTE_ORDER, NESTED | NET_BYTE_ORDER])
@pytest.mark.parametrize("kind", [0, 1, 0x3FFF])
def test_type_and_its_flags(kind: int, flags: int) -> None:
    a = view(b"", kind | flags)
    assert (a.type, a.type_flags) == (kind, flags)


def test_view_is_read_only() -> None:
    a = view(b"a")
    for name in ("type", "type_flags", "data", "other"):
        with pytest.raises(AttributeError):
            setattr(a, name, 1)


@each_integer
@each_order
def test_integers(name: str, width: int, signed: bool, order: str) -> None:
    for data in (
        bytes(width),
        b"\xff" * width,
        b"\x80" + bytes(width - 1),
        bytes(width - 1) + b"\x80",
        bytes(range(1, width + 1)),
        bytes(range(0xFF, 0xFF - width, -1)),
    ):
        want = int.from_bytes(data, ORDERS[order], signed=signed)
        assert getattr(view(data, order=order), name)() == want
        # The next byte is not read, and where the payload lies does not matter.
        _, second = AttributeDecoder(wire(1, b"x") + wire(2, data)[: 4 + width], order)
        assert getattr(second, name)() == want


@each_integer
def test_integers_of_another_width(name: str, width: int, signed: bool) -> None:
    for found in {0, 1, 2, 3, 4, 5, 7, 8, 9, 16} - {width}:
        with pytest.raises(DecodeError, match=rf"type 5\b.*\b{width} bytes\b.*\b{name}\b.*\b{found}\b"):
            getattr(view(bytes(found), NET_BYTE_ORDER | 5), name)()


def test_flag() -> None:
    assert view(b"").flag() is True
    for found in (1, 4):
        with pytest.raises(DecodeError, match=rf"type 5\b.*\b0 bytes\b.*\b{found}\b"):
            view(bytes(found)).flag()


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b"", ""),
        (b"\0", ""),
        (b"\0\0\0", ""),
        (b"eth0", "eth0"),
        (b"eth0\0", "eth0"),
        (b"eth0\0\0\0\0", "eth0"),
        (b"a\0b\0", "a\0b"),
        (b"\0a", "\0a"),
        ("müß €\0".encode(), "müß €"),
        (b"\xff\xfe\0", "\udcff\udcfe"),
        (b"\xe2\x82\0", "\udce2\udc82"),
    ],
)
def test_string(data: bytes, want: str) -> None:
    assert view(data).string() == want


@pytest.mark.parametrize("data", [b"", b"a", b"\0\xff\0"])
def test_raw_bytes(data: bytes) -> None:
    a = view(data)
    assert a.bytes() == a.data == a.do(lambda b: b) == data
    assert a.do(type) is bytes
    assert a.do(len) == len(data)


@pytest.mark.parametrize("method", ["do", "nested"])
def test_what_a_callback_raises_goes_through(method: str) -> None:
    def fail(_: object) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        getattr(view(b""), method)(fail)


@each_order
@pytest.mark.parametrize("flags", [0, NESTED])
def test_nested_inherits_the_byte_order(order: str, flags: int) -> None:
    data = wire(flags | 2, wire(flags | 3, b"\x01\x02"))
    outer = view(data, 1, order)
    want = int.from_bytes(b"\x01\x02", ORDERS[order])
    assert [c.uint16() for b in outer.nested() for c in b.nested()] == [want]
    assert outer.nested(lambda d: [b.nested(lambda e: [c.uint16() for c in e]) for b in d]) == [[want]]


def test_nested_stays_in_its_payload() -> None:
    first, _ = AttributeDecoder(wire(1, wire(2, b"ab")[:6]) + wire(3, b"cd"))
    assert drain(iter(first.nested())) == ([(2, b"ab")], False)
    first, _ = AttributeDecoder(wire(1, wire(2, b"", length=8)) + wire(3, b"cd"))
    assert drain(iter(first.nested())) == ([], True)


@pytest.mark.parametrize("fn", [None, len])
def test_nested_in_too_few_bytes(fn: Any) -> None:
    assert len(view(b"").nested()) == 0
    for size in (1, 2, 3):
        with pytest.raises(DecodeError, match="header"):
            view(bytes(size)).nested(fn)


def test_deep_nesting() -> None:
    data = wire(1, b"\x07")
    for _ in range(5000):
        data = wire(1, data)
    a = view(data)
    for _ in range(5001):
        (a,) = a.nested()
    assert a.uint8() == 7
