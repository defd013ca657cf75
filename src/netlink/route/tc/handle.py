"""Handles: the numbers of qdiscs and classes, which tc writes as "1:10"."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Any

__all__ = ["Handle", "u32_handle", "u32_handle_text"]

_TEXT = re.compile(r"([0-9a-fA-F]{0,4}):([0-9a-fA-F]{0,4})")
_U32_TEXT = re.compile(r"([0-9a-fA-F]{1,3}):([0-9a-fA-F]{0,2})(?::([0-9a-fA-F]{0,3}))?")
_MINOR_BITS = 16
_NODE_BITS, _BUCKET_BITS = 12, 8  # of a handle of a u32 filter, below the hash table


class Handle(IntEnum):
    """A handle: the number of a qdisc or class, 16 bits of major number and 16 bits of minor number.

    A qdisc has the minor number 0; a class has the major number of its qdisc. `Handle("1:10")` and `Handle(0x10010)`
    are the same: both parts are hexadecimal, and an empty part is 0. `str()` is the text again, or the name of a member
    in lower case. ValueError for text or a number that is no handle.
    """

    NONE = 0  # TC_H_UNSPEC
    ROOT = 0xFFFFFFFF  # TC_H_ROOT, parent: the qdisc of the link
    INGRESS = 0xFFFFFFF1  # TC_H_INGRESS, parent: a qdisc ingress or clsact
    CLSACT = 0xFFFFFFF1  # TC_H_CLSACT
    CLSACT_INGRESS = 0xFFFFFFF2  # parent: filters for received packets; TC_H_CLSACT with TC_H_MIN_INGRESS
    CLSACT_EGRESS = 0xFFFFFFF3  # parent: filters for packets to be sent; TC_H_CLSACT with TC_H_MIN_EGRESS

    @classmethod
    def _missing_(cls, value: object) -> Handle | None:
        if isinstance(value, str):
            named = cls.__members__.get(value.upper())
            found = _TEXT.fullmatch(value)
            if named is not None:
                return named
            if found is None or value == ":":
                return None
            return cls((int(found[1] or "0", 16) << _MINOR_BITS) | int(found[2] or "0", 16))
        if not isinstance(value, int) or not 0 <= value <= 0xFFFFFFFF:
            return None
        # Not stored among the members: there are four billion.
        handle = int.__new__(cls, value)
        vars(handle).update(_name_=_text(value), _value_=int(value), __objclass__=cls)
        return handle

    @property
    def major(self) -> int:
        """The upper 16 bits (TC_H_MAJ): the number of the qdisc."""
        return int(self) >> _MINOR_BITS

    @property
    def minor(self) -> int:
        """The lower 16 bits (TC_H_MIN): the number of the class in its qdisc."""
        return int(self) & 0xFFFF

    def __str__(self) -> str:
        return self._name_.lower() if self._name_ in type(self).__members__ else _text(int(self))

    def __repr__(self) -> str:
        return f"<Handle {self}>"

    # By value: a handle that is no member has no name to find it by.
    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return Handle, (int(self),)


def _text(number: int) -> str:
    minor = number & 0xFFFF
    return f"{number >> _MINOR_BITS:x}:{minor:x}" if minor else f"{number >> _MINOR_BITS:x}:"


def u32_handle(text: str) -> int:
    """The number of a u32 filter or of its hash table, from text as "800:", "800:5" or "800::801".

    The parts are the hash table, the bucket in it, and the filter in that (TC_U32_HTID, TC_U32_HASH, TC_U32_NODE), all
    hexadecimal. ValueError for other text.
    """
    found = _U32_TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"a handle of a u32 filter is such as '800:' or '800::801', not {text!r}")
    table, bucket, node = (int(part or "0", 16) for part in found.groups())
    return table << (_NODE_BITS + _BUCKET_BITS) | bucket << _NODE_BITS | node


def u32_handle_text(handle: int) -> str:
    """The text of the number of a u32 filter, as `u32_handle` takes it."""
    table, bucket, node = handle >> (_NODE_BITS + _BUCKET_BITS), handle >> _NODE_BITS & 0xFF, handle & 0xFFF
    text = f"{table:x}:" + (f"{bucket:x}" if bucket else "")
    return f"{text}:{node:x}" if node else text
