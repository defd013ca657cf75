"""Values whose types drivers choose, of parameters and of health reporters."""

from __future__ import annotations

import sys
from typing import TypeAlias

from netlink.errors import DecodeError
from netlink.generic.devlink.enums import VarType

__all__ = ["Value", "decoded", "encoded"]

Value: TypeAlias = int | str | bool | bytes
"""A value: an int, a bool, a str, or bytes."""

_WIDTHS = {VarType.U8: 1, VarType.U16: 2, VarType.U32: 4, VarType.U64: 8}
_TEXTS = (VarType.STRING, VarType.NUL_STRING)


def decoded(type: int | None, data: bytes) -> Value:  # noqa: A002
    """The value in bytes of a type; the bytes, if the type is not known. DecodeError for another width."""
    if type in _TEXTS:
        return data.rstrip(b"\0").decode("utf-8", "surrogateescape")
    if type == VarType.FLAG:  # of parameters it has no bytes, of reporters one
        return data != b"\0"
    if type not in _WIDTHS:
        return data
    if len(data) != _WIDTHS[VarType(type)]:
        raise DecodeError(f"a {VarType(type).name} has {_WIDTHS[VarType(type)]} bytes, not {len(data)}")
    return int.from_bytes(data, sys.byteorder)


def encoded(type: int | None, value: int | str | bool) -> bytes | None:  # noqa: A002
    """The bytes of a parameter's value of a type; None for a flag that is off.

    TypeError and ValueError for a value that is not of the type.
    """
    if type == VarType.FLAG:
        if not isinstance(value, bool):
            raise TypeError(f"the value must be True or False, not {value!r}")
        return b"" if value else None
    if type in _TEXTS:
        if not isinstance(value, str):
            raise TypeError(f"the value must be a str, not {value!r}")
        if "\0" in value:
            raise ValueError("a text for the kernel has no NUL in it")
        return value.encode("utf-8", "surrogateescape") + b"\0"
    if type not in _WIDTHS:
        raise ValueError(f"the parameter has the type {type}, which this library does not know")
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"the value must be an int, not {value!r}")
    width = _WIDTHS[VarType(type)]
    if not 0 <= value < 1 << 8 * width:
        raise ValueError(f"the value must be from 0 to {(1 << 8 * width) - 1}, not {value}")
    return value.to_bytes(width, sys.byteorder)
