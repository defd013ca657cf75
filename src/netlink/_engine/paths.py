"""Paths of attributes in a declaration, such as "linkinfo.data.id", for errors of the kernel.

The kernel names an attribute by its offset in the request. A walk through the request's payload, beside its
declaration, leads to that byte. Payloads may have any bytes, and offsets may be any numbers.
"""

from __future__ import annotations

import sys
from struct import Struct

from netlink._engine import record as _record
from netlink._engine.compile import Outer, struct_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, TypeAlias

    from netlink._engine.record import Field, Record
    from netlink.errors import OpError

    _Fields: TypeAlias = Mapping[str, Field[Any]]

__all__ = ["attribute_path", "explain", "missing_name"]

_HEADER = 16  # sizeof(struct nlmsghdr), linux/netlink.h
_TYPE = 0x3FFF  # NLA_TYPE_MASK
_ATTRIBUTE = Struct("=HH")  # struct nlattr


def explain(error: OpError, declaration: type[Record], payload: bytes, *, skip: int = 0) -> None:
    """Set `attribute` of an error that answers a request, if it is not set and the path is found.

    declaration: the class of the request.
    payload: the bytes behind nlmsghdr in the request.
    skip: bytes of the payload before those of the declaration, such as the 4 of genlmsghdr.
    """
    if error.attribute:
        return
    if error.offset:
        error.attribute = attribute_path(declaration, payload, error.offset, skip=skip)
    elif error.missing is not None:
        error.attribute = missing_name(declaration, payload, error.nest, error.missing, skip=skip)


def attribute_path(declaration: type[Record], payload: bytes, offset: int, *, skip: int = 0) -> str:
    """The path of the innermost field at an offset, "" if there is none.

    offset: counted from nlmsghdr, as NLMSGERR_ATTR_OFFS is. declaration, payload, skip: as for `explain`.
    An attribute that is not declared appears as its type, "linkinfo.17"; an item of a list has its index,
    "peers[1].key".
    """
    walk = _Walk(declaration, payload, skip)
    return walk.path() if walk.to(offset - _HEADER) else ""


def missing_name(declaration: type[Record], payload: bytes, nest: int, missing: int, *, skip: int = 0) -> str:
    """The path of a missing attribute, "" if it is not found.

    missing: its type (NLMSGERR_ATTR_MISS_TYPE).
    nest: the offset of the attribute around it, counted from nlmsghdr (NLMSGERR_ATTR_MISS_NEST); 0 for none.
    declaration, payload, skip: as for `explain`.
    """
    walk = _Walk(declaration, payload, skip)
    if nest:
        begin = nest - _HEADER
        if not walk.to(begin) or walk.start != begin + _ATTRIBUTE.size or walk.item is not None:
            return ""
    walk.step(missing & _TYPE, 0)
    return walk.path()


class _Walk:
    """A walk from a payload's outermost attributes to an inner one.

    names: the fields on the way.
    start, end: the range of the current attributes in the payload.
    fields, prefix: their declared fields, and the types of the containers around them.
    item, levels: the item that each of them is, instead of fields, if they are those of an array, and how many levels
        of such attributes are left.
    outer: fields, prefix, start and end of the levels around them, to find the field that chooses a submessage.
    """

    def __init__(self, declaration: type[Record], payload: bytes, skip: int) -> None:
        self.payload = payload
        self.names: list[str] = []
        self.skip = skip
        self.start, self.end = skip, len(payload)
        self.declaration = declaration
        self.fields: _Fields = declaration.__fields__
        self.prefix: tuple[int, ...] = ()
        self.item: Field[Any] | None = None
        self.levels = 0
        self.in_sequence = False
        self.outer: list[tuple[_Fields, tuple[int, ...], int, int]] = []

    def path(self) -> str:
        return ".".join(self.names)

    def to(self, offset: int) -> bool:
        """Walk to the innermost attribute at an offset of the payload. False if there is none."""
        if self.into_struct_of(self.declaration, offset):
            return bool(self.names)
        found = False
        while at := self.attribute_at(offset):
            found = True
            type_, index, start, end = at
            inside = self.step(type_, index)
            self.start, self.end = start + _ATTRIBUTE.size, end
            if offset < self.start:
                break
            if isinstance(inside, _record.Field):
                if inside.kind != _record.NL_K_CHAIN:
                    self.into_structs(inside, offset - self.start)
                elif self.into_chain(inside, offset):
                    break
            elif inside is not None and self.into_struct_of(inside, offset):
                break
        return found

    def into_struct_of(self, cls: type[Record], offset: int) -> bool:
        """Whether the offset lies in the struct that a record is, or in that before its attributes. Its field is named
        then, else the attributes begin behind the struct.
        """
        if cls.__table__.wire_size:
            self.into_struct(cls.__fields__, offset - self.start)
            return True
        header = cls.__options__["header"]
        if header is None:
            return False
        start, self.start = self.start, self.start + _aligned(header.__table__.wire_size)
        if not start <= offset < self.start:
            return False
        self.names.append("header")
        self.into_struct(header.__fields__, offset - start)
        return True

    def attribute_at(self, offset: int) -> tuple[int, int, int, int] | None:
        """Type, index, start and end of the current attribute at an offset, padding included."""
        if not self.fields and self.item is None:
            return None
        counts: dict[int, int] = {}
        for position, (type_, start, end) in enumerate(_attributes(self.payload, self.start, self.end)):
            if start <= offset < _aligned(end):
                numbered = self.item is not None or self.in_sequence
                return type_, position if numbered else counts.get(type_, 0), start, end
            counts[type_] = counts.get(type_, 0) + 1
        return None

    def step(self, type_: int, index: int) -> Field[Any] | type[Record] | None:
        """Step into an attribute: the attributes inside it become the current ones. If structs are inside, its field;
        if a struct may be before the attributes, their class.

        index: the number of attributes of its type, or of its array, before it.
        """
        if self.in_sequence:
            self.names[-1] += f"[{index}]"
            index, self.in_sequence = 0, False
        field, self.item = self.item, None
        path = (*self.prefix, type_)
        if field is not None:
            self.names[-1] += f"[{index}]"
            self.levels -= 1
            if self.levels:
                self.item = field
                return None
        else:
            field = next((f for f in self.fields.values() for known, _ in f.types if known == path), None)
            if field is not None:
                self.names.append(field.name)
                if field.kind == _record.NL_K_REPEATED:
                    self.names[-1] += f"[{index}]"
                    field = field.item or field
        self.outer.append((self.fields, self.prefix, self.start, self.end))
        if field is None and any(known[: len(path)] == path for f in self.fields.values() for known, _ in f.types):
            self.prefix = path  # a container, which has no name
            return None
        self.prefix = ()
        if field is None:
            self.names.append(str(type_))
            self.fields = {}
        elif field.kind == _record.NL_K_ARRAY:
            self.fields, self.item, self.levels = {}, field.item, field.depth
        elif field.kind in (_record.NL_K_STRUCT, _record.NL_K_STRUCTS, _record.NL_K_CHAIN):
            self.fields = {}
            return field
        elif field.kind == _record.NL_K_SEQUENCE and field.item is not None and field.item.cls is not None:
            self.fields, self.in_sequence = field.item.cls.__fields__, True
        else:
            chosen = self.chosen(field) if field.kind == _record.NL_K_SUBMESSAGE else None
            cls = chosen or field.cls
            self.fields = {} if cls is None else cls.__fields__
            return chosen
        return None

    def chosen(self, field: Field[Any]) -> type[Record] | None:
        """The case of a submessage. The field that chooses it is on the same level or around it, or in the header."""
        if isinstance(field.on, Outer):
            value = self.value_around(field.on.selector)
        elif field.on.startswith("header."):
            header = self.declaration.__options__["header"]
            value = self.value_in_header(header and header.__fields__.get(field.on.removeprefix("header.")))
        else:
            value = self.value_beside(field.on)
        if value is None:
            return None
        return next((cls for key, cls in field.cases or () if key == value), None)

    def value_beside(self, name: str) -> int | str | None:
        """The value of a field of the current attributes, or of those around them."""
        for fields, prefix, start, end in reversed(self.outer):
            selector = fields.get(name)
            if selector is None:
                continue
            for path, _ in selector.types:
                if path[: len(prefix)] == prefix:
                    value = self.value(selector, path[len(prefix) :], start, end)
                    if value is not None:
                        return value
            break
        return None

    def value_around(self, selector: int | Field[Any]) -> int | str | None:
        """The value of a field of the record around the current attributes."""
        own = self.outer[-1][0]
        around = next((level for level in reversed(self.outer) if level[0] and level[0] is not own), None)
        if around is None:
            return None
        fields, prefix, start, end = around
        if not isinstance(selector, int):
            return self.value_in_header(selector) if fields is self.declaration.__fields__ else None
        path = (*prefix, selector)
        field = next((f for f in fields.values() for known, _ in f.types if known == path), None)
        return None if field is None else self.value(field, (selector,), start, end)

    def value_in_header(self, field: Field[Any] | None) -> int | None:
        """The value of a field of the header before the outermost attributes."""
        header = self.declaration.__options__["header"]
        if field is None or field.owner is not header:
            return None
        start = self.skip + field.at
        return _number(field, self.payload[start : start + field.width])

    def value(self, field: Field[Any], path: tuple[int, ...], start: int, end: int) -> int | str | None:
        """The value of an integer or string field, from the last attribute of its path."""
        for wanted in path:
            found = None
            for type_, inner, after in _attributes(self.payload, start, end):
                if type_ == wanted:
                    found = inner + _ATTRIBUTE.size, after
            if found is None:
                return None
            start, end = found
        data = self.payload[start:end]
        if field.kind == _record.NL_K_STRING:
            return data.rstrip(b"\0").decode("utf-8", "surrogateescape")
        return _number(field, data)

    def into_structs(self, field: Field[Any], offset: int) -> None:
        """Add the name of a field of a struct, or of one of several side by side, at an offset."""
        one = field if field.item is None else field.item
        assert one.cls is not None
        fields = one.cls.__fields__
        if field.kind == _record.NL_K_STRUCTS:
            if offset < field.width:
                return
            index, offset = divmod(offset - field.width, one.cls.__table__.wire_size)
            self.names[-1] += f"[{index}]"
        self.into_struct(fields, offset)

    def into_chain(self, field: Field[Any], offset: int) -> bool:
        """Step into the record of a chain at an offset. Whether the walk ends there, and not at an attribute."""
        assert field.item is not None
        assert field.item.cls is not None
        cls = field.item.cls
        least = cls.__options__["header"].__table__.wire_size
        index = 0
        while self.start < self.end:
            length = int.from_bytes(self.payload[self.start : self.start + 2], sys.byteorder)
            if length < least or self.start + length > self.end:
                break
            if offset < self.start + _aligned(length):
                self.names[-1] += f"[{index}]"
                self.end = self.start + length
                self.fields = cls.__fields__
                return self.into_struct_of(cls, offset)
            self.start += _aligned(length)
            index += 1
        return True

    def into_struct(self, fields: _Fields, offset: int) -> None:
        """Add the name of a struct's field at an offset."""
        for field in fields.values():
            if field.at <= offset < field.at + struct_width(field):
                self.names.append(field.name)
                if field.cls is not None:
                    self.into_struct(field.cls.__fields__, offset - field.at)
                return


def _number(field: Field[Any], data: bytes) -> int:
    order = "big" if field.flags & _record.NL_BIG else sys.byteorder
    return int.from_bytes(data, order, signed=bool(field.flags & _record.NL_SIGNED))


def _attributes(payload: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of each attribute, as far as they are well-formed."""
    while start + _ATTRIBUTE.size <= end:
        length, type_ = _ATTRIBUTE.unpack_from(payload, start)
        if length == 0:
            length = _ATTRIBUTE.size  # the decoder skips it too
        elif length < _ATTRIBUTE.size or start + length > end:
            return
        else:
            yield type_ & _TYPE, start, start + length
        start += _aligned(length)


def _aligned(size: int) -> int:
    return (size + 3) & ~3  # NLA_ALIGN
