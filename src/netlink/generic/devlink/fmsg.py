"""What health reporters say: values with names, as drivers put them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from netlink.generic.devlink.enums import VarType
from netlink.generic.devlink.values import Value, decoded
from netlink.schema import AttributeSet, Bytes, Flag, Member, Str, binary, flag, string, u8

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FmsgItem", "Report", "joined"]

Report: TypeAlias = Value | list[Any] | dict[str, Any]
"""What a reporter says: a value, a list, or a dict by names, of such."""


class FmsgItem(AttributeSet):
    """A piece of what a reporter says, one of these (DEVLINK_ATTR_FMSG_*).

    An object, pair or array goes on up to its end. A pair has a name and one thing; a value a type before its data.
    """

    obj: Flag = flag(107)  # DEVLINK_ATTR_FMSG_OBJ_NEST_START
    pair: Flag = flag(108)  # DEVLINK_ATTR_FMSG_PAIR_NEST_START
    array: Flag = flag(109)  # DEVLINK_ATTR_FMSG_ARR_NEST_START
    end: Flag = flag(110)  # DEVLINK_ATTR_FMSG_NEST_END
    name: Str = string(111)  # DEVLINK_ATTR_FMSG_OBJ_NAME
    type: Member[VarType] = u8(112, enum=VarType)  # DEVLINK_ATTR_FMSG_OBJ_VALUE_TYPE
    data: Bytes = binary(113)  # DEVLINK_ATTR_FMSG_OBJ_VALUE_DATA


class _Part:
    """What has begun and not ended: what is in it so far, with the names that it has there.

    kind: "obj", "pair" or "array"; "all" for what is around them.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.names: list[str] = []
        self.values: list[Any] = []
        self.name = ""

    def add(self, value: Any) -> None:
        self.names.append(self.name)
        self.values.append(value)

    def take(self, part: _Part) -> None:
        """Add what has ended."""
        if part.kind == "pair":  # its name becomes one of this part
            self.names += [part.name] * len(part.values)
            self.values += part.values
        elif self.kind == "all" and part.kind == "obj":
            self.names += part.names
            self.values += part.values
        else:
            self.add(part.whole())

    def said(self) -> Report | None:
        """All that was said. None if that is nothing."""
        if any(self.names):
            return self.whole()
        return self.values[0] if len(self.values) == 1 else self.values or None

    def whole(self) -> Report:
        if self.kind == "array":
            # Drivers send long bytes in several values.
            if self.values and all(isinstance(each, bytes) for each in self.values):
                return b"".join(self.values)
            return self.values
        found: dict[str, Any] = {}
        repeated: set[str] = set()
        for name, value in zip(self.names, self.values, strict=True):
            if name not in found:
                found[name] = value
            elif name in repeated:
                found[name].append(value)
            else:
                repeated.add(name)
                found[name] = [found[name], value]
        return found


def joined(items: Iterable[FmsgItem]) -> Report | None:
    """What the items of all messages say. None if there are none.

    The values of a name that an object has several times are a list. Some drivers end more than they began, netdevsim
    for one, or less: nothing is lost by that, and what follows is in the outermost object.
    """
    parts = [_Part("all")]
    type_: int | None = None
    for item in items:
        if item.obj or item.pair or item.array:
            parts.append(_Part("obj" if item.obj else "pair" if item.pair else "array"))
        elif item.end:
            if len(parts) > 1:
                part = parts.pop()
                parts[-1].take(part)
        elif item.name is not None:
            parts[-1].name = item.name
        elif item.type is not None:
            type_ = item.type
        elif item.data is not None:
            parts[-1].add(decoded(type_, item.data))
    while len(parts) > 1:
        part = parts.pop()
        parts[-1].take(part)
    return parts[0].said()
