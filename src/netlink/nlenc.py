"""Integers and strings in the encoding of netlink: native byte order, strings with a NUL at their end.

For single values, such as the fields of a fixed header. For attributes see `netlink.AttributeEncoder` and
`netlink.AttributeDecoder`. A buffer is bytes or any object with a contiguous buffer. A buffer of another width than the
integer's and a value out of its range raise ValueError.
"""

from __future__ import annotations

import builtins  # a function of this module is named bytes
import struct
from operator import index
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "bytes",
    "int32",
    "int32_bytes",
    "put_int32",
    "put_uint8",
    "put_uint16",
    "put_uint32",
    "put_uint64",
    "string",
    "uint8",
    "uint8_bytes",
    "uint16",
    "uint16_bytes",
    "uint32",
    "uint32_bytes",
    "uint64",
    "uint64_bytes",
]

_UINT8 = Struct("=B")
_UINT16 = Struct("=H")
_UINT32 = Struct("=I")
_UINT64 = Struct("=Q")
_INT32 = Struct("=i")


def _bad_width(codec: Struct, b: Buffer) -> ValueError:
    want = codec.size
    return ValueError(f"want {want} byte{'s'[: want > 1]}, got {memoryview(b).nbytes}")


def _unpack(codec: Struct, b: Buffer) -> int:
    try:
        (value,) = codec.unpack(b)
    except struct.error:
        raise _bad_width(codec, b) from None
    number: int = value
    return number


def _pack(codec: Struct, v: int) -> builtins.bytes:
    try:
        return codec.pack(v)
    except (struct.error, OverflowError):
        # struct raises the same errors if v is not an integer: index() raises TypeError for it.
        number = index(v)
    bits = 8 * codec.size
    low, high = (-1 << bits - 1, (1 << bits - 1) - 1) if codec is _INT32 else (0, (1 << bits) - 1)
    raise ValueError(f"want {low} to {high}, got {number}")


def _put(codec: Struct, b: Buffer, v: int) -> None:
    _pack(codec, v)  # raises before pack_into(), which clears the bytes even if the value does not fit
    if memoryview(b).nbytes != codec.size:
        raise _bad_width(codec, b)
    codec.pack_into(b, 0, v)


def uint8(b: Buffer) -> int:
    """Return the unsigned integer in the one byte of ``b``.

    Raises ValueError for any other width.
    """
    return _unpack(_UINT8, b)


def uint16(b: Buffer) -> int:
    """Return the unsigned integer in the two bytes of ``b``, native order.

    Raises ValueError for any other width.
    """
    return _unpack(_UINT16, b)


def uint32(b: Buffer) -> int:
    """Return the unsigned integer in the four bytes of ``b``, native order.

    Raises ValueError for any other width.
    """
    return _unpack(_UINT32, b)


def uint64(b: Buffer) -> int:
    """Return the unsigned integer in the eight bytes of ``b``, native order.

    Raises ValueError for any other width.
    """
    return _unpack(_UINT64, b)


def int32(b: Buffer) -> int:
    """Return the signed integer in the four bytes of ``b``, native order.

    Raises ValueError for any other width.
    """
    return _unpack(_INT32, b)


def put_uint8(b: Buffer, v: int) -> None:
    """Write ``v`` as a uint8 to the one byte of the writable buffer ``b``.

    Raises ValueError for any other width, or if ``v`` does not fit, and leaves ``b`` as it was.
    """
    _put(_UINT8, b, v)


def put_uint16(b: Buffer, v: int) -> None:
    """Write ``v`` as a uint16 to the two bytes of the writable buffer ``b``, native order.

    Raises ValueError for any other width, or if ``v`` does not fit, and leaves ``b`` as it was.
    """
    _put(_UINT16, b, v)


def put_uint32(b: Buffer, v: int) -> None:
    """Write ``v`` as a uint32 to the four bytes of the writable buffer ``b``, native order.

    Raises ValueError for any other width, or if ``v`` does not fit, and leaves ``b`` as it was.
    """
    _put(_UINT32, b, v)


def put_uint64(b: Buffer, v: int) -> None:
    """Write ``v`` as a uint64 to the eight bytes of the writable buffer ``b``, native order.

    Raises ValueError for any other width, or if ``v`` does not fit, and leaves ``b`` as it was.
    """
    _put(_UINT64, b, v)


def put_int32(b: Buffer, v: int) -> None:
    """Write ``v`` as an int32 to the four bytes of the writable buffer ``b``, native order.

    Raises ValueError for any other width, or if ``v`` does not fit, and leaves ``b`` as it was.
    """
    _put(_INT32, b, v)


def uint8_bytes(v: int) -> builtins.bytes:
    """Return ``v`` as a uint8 in one byte.

    Raises ValueError if it does not fit.
    """
    return _pack(_UINT8, v)


def uint16_bytes(v: int) -> builtins.bytes:
    """Return ``v`` as a uint16 in two bytes, native order.

    Raises ValueError if it does not fit.
    """
    return _pack(_UINT16, v)


def uint32_bytes(v: int) -> builtins.bytes:
    """Return ``v`` as a uint32 in four bytes, native order.

    Raises ValueError if it does not fit.
    """
    return _pack(_UINT32, v)


def uint64_bytes(v: int) -> builtins.bytes:
    """Return ``v`` as a uint64 in eight bytes, native order.

    Raises ValueError if it does not fit.
    """
    return _pack(_UINT64, v)


def int32_bytes(v: int) -> builtins.bytes:
    """Return ``v`` as an int32 in four bytes, native order.

    Raises ValueError if it does not fit.
    """
    return _pack(_INT32, v)


def bytes(s: str) -> builtins.bytes:  # noqa: A001
    """Return ``s`` in UTF-8 with one NUL at its end.

    Lone surrogates, as from `string`, become the bytes that they stand for (surrogateescape).
    """
    return s.encode("utf-8", "surrogateescape") + b"\0"


def string(b: Buffer) -> str:
    """Return the text in ``b`` without the NULs at its end.

    It is UTF-8; malformed bytes become lone surrogates (surrogateescape).
    """
    return memoryview(b).tobytes().rstrip(b"\0").decode("utf-8", "surrogateescape")
