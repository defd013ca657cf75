"""netlink.nlenc: integers in native order and NUL-terminated strings, of the exact width or not at all."""

from __future__ import annotations

import array
import mmap
import sys
from collections.abc import Callable
from typing import Any

import pytest

from netlink import nlenc

# name, width in bytes, lowest, highest
KINDS = [
    ("uint8", 1, 0, 0xFF),
    ("uint16", 2, 0, 0xFFFF),
    ("uint32", 4, 0, 0xFFFF_FFFF),
    ("uint64", 8, 0, 0xFFFF_FFFF_FFFF_FFFF),
    ("int32", 4, -0x8000_0000, 0x7FFF_FFFF),
]
kinds = pytest.mark.parametrize(("name", "width", "low", "high"), KINDS, ids=[kind[0] for kind in KINDS])


def reader(name: str) -> Callable[[Any], int]:
    function: Callable[[Any], int] = getattr(nlenc, name)
    return function


def writer(name: str) -> Callable[[Any, Any], None]:
    function: Callable[[Any, Any], None] = getattr(nlenc, f"put_{name}")
    return function


def maker(name: str) -> Callable[[Any], bytes]:
    function: Callable[[Any], bytes] = getattr(nlenc, f"{name}_bytes")
    return function


def values(low: int, high: int) -> list[int]:
    return [low, low + 1, 0, 1, 0x5A, high // 2 + 3, high - 1, high]


@kinds
def test_round_trip(name: str, width: int, low: int, high: int) -> None:
    for value in values(low, high):
        want = value.to_bytes(width, sys.byteorder, signed=low < 0)
        assert maker(name)(value) == want
        assert type(maker(name)(value)) is bytes
        assert reader(name)(want) == value
        target = bytearray(b"\xa5" * width)
        assert writer(name)(target, value) is None
        assert target == want


@kinds
def test_read_refuses_other_widths(name: str, width: int, low: int, high: int) -> None:
    for other in {0, 1, 2, 3, 4, 5, 7, 8, 9, 16} - {width}:
        plural = "" if width == 1 else "s"
        with pytest.raises(ValueError, match=f"^want {width} byte{plural}, got {other}$") as info:
            reader(name)(bytes(other))
        assert info.value.__suppress_context__


@kinds
def test_write_refuses_other_widths(name: str, width: int, low: int, high: int) -> None:
    for other in {0, 1, 2, 3, 4, 5, 7, 8, 9, 16} - {width}:
        target = bytearray(b"\xa5" * other)
        with pytest.raises(ValueError, match=f"^want {width} bytes?, got {other}$"):
            writer(name)(target, 1)
        assert target == b"\xa5" * other


@kinds
def test_values_out_of_range(name: str, width: int, low: int, high: int) -> None:
    for value in (low - 1, high + 1, 1 << 64, -1 << 64, 1 << 200):
        message = f"^want {low} to {high}, got {value}$"
        with pytest.raises(ValueError, match=message):
            maker(name)(value)
        target = bytearray(b"\xa5" * width)
        with pytest.raises(ValueError, match=message):
            writer(name)(target, value)
        assert target == b"\xa5" * width


@kinds
def test_what_is_no_integer(name: str, width: int, low: int, high: int) -> None:
    for value in (1.0, "1", b"1", None):
        with pytest.raises(TypeError):
            maker(name)(value)
        with pytest.raises(TypeError):
            writer(name)(bytearray(width), value)


def test_an_index_will_do() -> None:
    class Seven:
        def __index__(self) -> int:
            return 7

    class Big:
        def __index__(self) -> int:
            return 300

    assert nlenc.uint16_bytes(Seven()) == nlenc.uint16_bytes(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got 300"):
        nlenc.uint8_bytes(Big())  # type: ignore[arg-type]


def test_any_contiguous_buffer() -> None:
    number = 0x01020304
    raw = number.to_bytes(4, sys.byteorder)
    anonymous = mmap.mmap(-1, 4)
    anonymous[:] = raw
    for buffer in (raw, bytearray(raw), memoryview(b"xx" + raw)[2:], array.array("H", raw), anonymous):
        assert nlenc.uint32(buffer) == number
    two_dimensions = memoryview(raw).cast("B", (2, 2))
    assert nlenc.uint32(two_dimensions) == number
    anonymous.close()

    for target in (bytearray(4), array.array("H", bytes(4)), memoryview(bytearray(6))[1:5], mmap.mmap(-1, 4)):
        nlenc.put_uint32(target, number)
        assert bytes(target) == raw


def test_a_view_writes_through() -> None:
    header = bytearray(16)
    nlenc.put_uint16(memoryview(header)[4:6], 0x10)
    assert header == bytes(4) + nlenc.uint16_bytes(0x10) + bytes(10)


def test_the_buffer_is_let_go() -> None:
    target = bytearray(3)
    with pytest.raises(ValueError, match="want 4 bytes, got 3"):
        nlenc.put_uint32(target, 1)
    target.append(0)  # a BufferError where somebody still holds the buffer
    nlenc.put_uint32(target, 1)
    target.append(0)


@pytest.mark.parametrize("buffer", [None, 4, "1234", [1, 2, 3, 4]])
def test_what_is_no_buffer(buffer: Any) -> None:
    with pytest.raises(TypeError):
        nlenc.uint32(buffer)
    with pytest.raises(TypeError):
        nlenc.put_uint32(buffer, 1)
    with pytest.raises(TypeError):
        nlenc.string(buffer)


def test_a_read_only_buffer_is_not_written() -> None:
    target = bytes(4)
    with pytest.raises(TypeError):
        nlenc.put_uint32(target, 1)
    assert target == bytes(4)


def test_a_buffer_with_gaps() -> None:
    for gaps in (memoryview(bytearray(8))[::2], memoryview(bytearray(4))[::-1]):
        with pytest.raises(BufferError):
            nlenc.uint32(gaps)
        with pytest.raises(TypeError):
            nlenc.put_uint32(gaps, 1)
        assert not any(gaps)


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("", b"\0"),
        ("eth0", b"eth0\0"),
        ("naïve", b"na\xc3\xafve\0"),
        ("\U0001f427", b"\xf0\x9f\x90\xa7\0"),
        ("a\udcffb", b"a\xffb\0"),
        ("a\0b", b"a\0b\0"),
    ],
)
def test_strings(text: str, raw: bytes) -> None:
    assert nlenc.bytes(text) == raw
    assert nlenc.string(raw) == text
    assert nlenc.string(raw[:-1]) == text
    assert nlenc.string(raw + bytes(3)) == text


def test_string_takes_any_buffer() -> None:
    assert nlenc.string(b"") == ""
    assert nlenc.string(bytearray(b"lo\0")) == "lo"
    assert nlenc.string(memoryview(b"__lo\0\0")[2:]) == "lo"
    assert nlenc.string(bytes(range(128, 256))) == "".join(chr(0xDC00 + byte) for byte in range(128, 256))


def test_every_byte_survives() -> None:
    raw = bytes(range(1, 256))
    assert nlenc.bytes(nlenc.string(raw)) == raw + b"\0"


def test_a_surrogate_that_no_byte_gave() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        nlenc.bytes("\ud800")


def test_bytes_takes_a_str() -> None:
    with pytest.raises((TypeError, AttributeError)):
        nlenc.bytes(b"eth0")  # type: ignore[arg-type]


def test_all() -> None:
    integers = {name for kind, *_ in KINDS for name in (kind, f"put_{kind}", f"{kind}_bytes")}
    assert set(nlenc.__all__) == integers | {"bytes", "string"}
    assert len(nlenc.__all__) == len(set(nlenc.__all__))
