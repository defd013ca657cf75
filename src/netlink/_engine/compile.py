"""The compiler of declarations: it gives each field its place in a record, and fills the table for the decoder."""

from __future__ import annotations

from types import MappingProxyType

from netlink._engine import record as _record
from netlink._engine.record import Record, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from netlink._engine.record import Field

__all__ = ["compile_attributes", "compile_struct", "dtype"]

_DEPTH_MAX = 16


def compile_attributes(cls: Any, fields: dict[str, Field[Any]], header: Field[Any] | None) -> None:
    """Compile a class of attributes. header: the field of the struct before them. TypeError for a wrong declaration."""
    presence = _lay_out(cls, fields)
    level = _Level(cls, "")
    for field in fields.values():
        for i, (path, width) in enumerate(field.types):
            level.add(field, path, width, 6 if i else 4)
    head = None if header is None else _op(header, 0, 0)
    _finish(cls, level.table(cls.__size__, presence, head))
    if _depth(cls) > _DEPTH_MAX:
        raise TypeError(f"{cls.__name__} is nested more than {_DEPTH_MAX} deep")


def compile_struct(cls: Any, fields: dict[str, Field[Any]]) -> None:
    """Compile a class of a C struct."""
    presence = _lay_out(cls, fields)
    ops: list[dict[str, Any]] = []
    at = 0
    for field in fields.values():
        ops.append({**_op(field, 0, 0), "at": at})
        at += field.size if field.kind == _record.NL_K_FIXED else field.width
    _finish(cls, Table().fill(ops, {}, -1, at, cls.__size__, presence))


def _lay_out(cls: type[Record], fields: dict[str, Field[Any]]) -> int:
    """Give every field its offset and presence bit. Returns the offset of the presence bits, which end the record.

    Fields lie side by side without padding: a large dump costs memory, and unaligned access costs nothing.
    """
    presence = sum(field.size for field in fields.values())
    offset = 0
    for bit, (name, field) in enumerate(fields.items()):
        field.place(cls, name, offset, bit, presence)
        offset += field.size
    type.__setattr__(cls, "__fields__", MappingProxyType(fields))
    type.__setattr__(cls, "__size__", presence + (len(fields) + 7) // 8)
    return presence


def _finish(cls: Any, table: Table) -> None:
    """Give a declaration its table."""
    type.__setattr__(cls, "__table__", table)
    for field in cls.__fields__.values():
        field.set_layout(table)


def _op(field: Field[Any], type_: int, width: int) -> dict[str, Any]:
    op: dict[str, Any] = {
        "kind": field.kind,
        "name": field.name,
        "type": type_,
        "width": width or field.width,
        "flags": field.flags,
        "bit": field.bit,
        "offset": field.offset,
        "size": field.size,
    }
    if field.cls is not None:
        op["set"] = field.cls.__table__
    if field.item is not None:
        item = field.item
        item.place(type(None), field.name, 0, 0, item.size)
        op["item"] = Table().fill([_op(item, 0, item.width)], {}, -1, 0, item.size + 1, item.size)
    if field.cases is not None:
        op["cases"] = [(key, case.__table__) for key, case in field.cases]
    return op


class _Level:
    """The attributes of one set or container during compilation."""

    def __init__(self, cls: type[Record], where: str) -> None:
        self.cls = cls
        self.where = where
        self.ops: list[dict[str, Any]] = []
        self.index: dict[int, int] = {}
        self.inner: dict[int, _Level] = {}

    def add(self, field: Field[Any], path: tuple[int, ...], width: int, family: int) -> None:
        type_ = path[0]
        if len(path) > 1:
            if type_ not in self.inner:
                self.claim(type_, f"the container of {field.name}")
                self.inner[type_] = _Level(self.cls, f"{self.where}{type_}.")
                self.ops.append({"kind": _record.NL_K_CONTAINER, "type": type_, "name": None})
            self.inner[type_].add(field, path[1:], width, family)
            return
        self.claim(type_, str(field.name))
        op = _op(field, type_, width)
        if field.kind == _record.NL_K_INT and field.on is not None:
            address = self.cls.__fields__.get(field.on)
            if address is None or address.kind != _record.NL_K_ADDRESS:
                raise TypeError(
                    f"{self.cls.__name__}.{field.name}: of={field.on!r} is not the name of an address field"
                )
            op.update(family=family, at=address.offset)
        self.ops.append(op)

    def claim(self, type_: int, who: str) -> None:
        if type_ in self.index:
            other = self.ops[self.index[type_]]["name"] or "a container"
            raise TypeError(f"{self.cls.__name__}: {other} and {who} both have attribute type {self.where}{type_}")
        self.index[type_] = len(self.ops)

    def table(self, size: int, presence: int, header: dict[str, Any] | None = None) -> Table:
        for op in self.ops:
            if op["kind"] == _record.NL_K_CONTAINER:
                op["set"] = self.inner[op["type"]].table(size, presence)
            elif "cases" in op:
                op["sibling"] = self.sibling(op)
        ops = self.ops if header is None else [*self.ops, header]
        return Table().fill(ops, self.index, -1 if header is None else len(self.ops), 0, size, presence)

    def sibling(self, op: dict[str, Any]) -> int:
        fields = self.cls.__fields__
        on = fields[op["name"]].on
        keys = [key for key, _ in fields[op["name"]].cases or ()]
        for position, other in enumerate(self.ops):
            if other["name"] == on and other["kind"] in (_record.NL_K_INT, _record.NL_K_STRING):
                kind = str if other["kind"] == _record.NL_K_STRING else int
                if not all(isinstance(key, kind) for key in keys):
                    raise TypeError(f"{self.cls.__name__}.{op['name']}: the cases of {on!r} must be {kind.__name__}s")
                return position
        raise TypeError(f"{self.cls.__name__}.{op['name']}: no integer or string field {on!r} is beside it")


def _depth(cls: type[Record]) -> int:
    fields = cls.__fields__
    inner: list[type[Record]] = []
    for field in fields.values():
        inner += [part for part in (field.cls, field.item and field.item.cls) if part]
        inner += [case for _, case in field.cases or ()]
    paths = max((len(path) for field in fields.values() for path, _ in field.types), default=1)
    return paths + max(map(_depth, inner), default=0)


def dtype(cls: type[Record]) -> Any:
    """The NumPy dtype of a declaration's records: see `Batch.to_numpy`."""
    import numpy

    if not hasattr(cls, "__table__"):
        raise TypeError(f"dtype takes a declaration, not {cls!r}")
    names: list[str] = []
    formats: list[Any] = []
    offsets: list[int] = []
    for name, format_, offset in _columns(cls, "", 0):
        names.append(name)
        formats.append(format_)
        offsets.append(offset)
    size = cls.__size__ + 4  # the head of the list of unknown attributes
    return numpy.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


def _columns(cls: type[Record], prefix: str, base: int) -> Iterator[tuple[str, Any, int]]:
    """Name, NumPy format and offset of every field of fixed size in the record itself."""
    for name, field in cls.__fields__.items():
        name, offset = prefix + name, base + field.offset
        if field.kind in (_record.NL_K_INT, _record.NL_K_EVENT):
            yield name, f"{'i' if field.flags & _record.NL_SIGNED else 'u'}{field.size}", offset
        elif field.kind == _record.NL_K_FLAG:
            yield name, "?", offset
        elif field.kind == _record.NL_K_ADDRESS:
            yield name, ("u1", (16,)), offset
        elif field.kind == _record.NL_K_FIXED:
            yield name, ("u1", (field.size,)), offset
        elif field.kind in (_record.NL_K_NESTED, _record.NL_K_STRUCT) and field.cls is not None:
            yield from _columns(field.cls, f"{name}_", offset)
