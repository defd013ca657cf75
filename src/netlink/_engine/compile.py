"""The compiler of declarations: it gives each field its place in a record, and fills the table for the decoder."""

from __future__ import annotations

from types import MappingProxyType
from weakref import WeakKeyDictionary

from netlink._engine import record as _record
from netlink._engine.record import Record, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from netlink._engine.record import Field

__all__ = ["Outer", "Pad", "compile_attributes", "compile_struct", "struct_width"]

_DEPTH_MAX = 16
_REFERENCE = 4  # bytes of a reference into the heap
_ADDRESS_FAMILY = 4  # offset of the family of an address that may have either
_NEVER_RARE = (_record.NL_K_REST, _record.NL_K_SUBMESSAGE, _record.NL_K_VIEW, _record.NL_K_EVENT, _record.NL_K_KEY)


class Outer:
    """A field that chooses the case of a submessage, in the record around that of the submessage.

    selector: its attribute type, or a field of the header there.
    """

    def __init__(self, selector: int | Field[Any]) -> None:
        self.selector = selector

    def __repr__(self) -> str:
        return f"outer({getattr(self.selector, 'name', self.selector)})"


class Pad:
    """Bytes between the fields of a struct. No attribute of the class."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        raise AttributeError(f"{self.name} is padding")


def compile_attributes(
    cls: Any, fields: dict[str, Field[Any]], header: Field[Any] | None, options: Mapping[str, Any]
) -> None:
    """Compile a class of attributes. TypeError for a wrong declaration.

    header: the field of the struct before them. options: as for the class.
    """
    rare = options["rare"]
    annex = _Annex(cls, {name: fields[name] for name in fields if name in rare}) if rare else None
    presence, size = _lay_out(cls, {name: field for name, field in fields.items() if name not in rare}, annex)
    level = _Level(cls, fields, "", annex)
    for field in fields.values():
        for i, (path, width) in enumerate(field.types):
            level.add(field, path, width, 6 if i else 4)
        if field.kind == _record.NL_K_REST:
            level.ops.append(_op(field, 0, 0))
    for type_ in options["ignore"]:
        level.claim(type_, "ignore=")
    if annex is not None:
        annex.finish()
    last = {"header": None if header is None else _op(header, 0, 0), "annex": None if annex is None else annex.op()}
    _finish(cls, fields, size, level.table(size, presence, options, **last, keys=_keys(cls, fields)))
    if _depth(cls) > _DEPTH_MAX:
        raise TypeError(f"{cls.__name__} is nested more than {_DEPTH_MAX} deep")


def compile_struct(cls: Any, members: dict[str, Field[Any] | Pad], *, aligned: bool) -> None:
    """Compile a class of a C struct.

    aligned: whether the members, and the end, have the alignment that a C compiler gives them.
    """
    fields = {name: field for name, field in members.items() if not isinstance(field, Pad)}
    presence, size = _lay_out(cls, fields)
    ops: list[dict[str, Any]] = []
    at = 0
    for member in members.values():
        if isinstance(member, Pad):
            at += member.size
            continue
        if aligned:
            at = _align(at, _alignment(member))
        ops.append({**_op(member, 0, 0), "at": at})
        at += struct_width(member)
    for op in ops:
        if op["kind"] == _record.NL_K_ADDRESS_BY:
            op["sibling"] = list(fields).index(_family(cls, fields, fields[op["name"]]).name)
    if aligned:
        at = _align(at, max(map(_alignment, fields.values())))
    _finish(cls, fields, size, Table().fill(ops, {}, -1, at, size, presence))


def _align(at: int, alignment: int) -> int:
    return -(-at // alignment) * alignment


def struct_width(field: Field[Any]) -> int:
    """Bytes of a struct's field on the wire."""
    if field.cls is not None:
        return field.cls.__table__.wire_size
    return field.size if field.kind == _record.NL_K_FIXED else field.width


def _family(cls: type[Record], fields: Mapping[str, Field[Any]], address: Field[Any]) -> Field[Any]:
    """The field that tells the family of an address."""
    name = str(address.on)
    found = fields.get(name.removeprefix("header."))
    if name.startswith("header."):
        header = fields.get("header")
        found = None if header is None or header.cls is None else header.cls.__fields__.get(name[7:])
    if found is None or found.kind != _record.NL_K_INT or not found.width:
        raise TypeError(f"{cls.__name__}.{address.name}: family={name!r} is not the name of an integer beside it")
    return found


def _alignment(field: Field[Any]) -> int:
    if field.cls is not None:
        return max(map(_alignment, field.cls.__fields__.values()))
    if field.kind == _record.NL_K_INT:
        return field.width
    # struct in_addr and in6_addr begin with integers of 32 bits; other bytes are those of an array.
    return 4 if field.kind in (_record.NL_K_ADDRESS, _record.NL_K_ADDRESS_BY) else 1


def _lay_out(cls: type[Record], fields: dict[str, Field[Any]], annex: _Annex | None = None) -> tuple[int, int]:
    """Give every field its offset and presence bit. Returns the offset of the presence bits, which end the record, and
    the record's size.

    Fields lie side by side without padding: a large dump costs memory, and unaligned access costs nothing.
    """
    offset = 0
    if annex is not None:
        annex.reference = offset
        offset += _REFERENCE
    presence = offset + sum(field.size for field in fields.values())
    for bit, (name, field) in enumerate(fields.items()):
        field.place(cls, name, offset, bit, presence)
        offset += field.size
    # Not without a byte: two records of one place would share their unknown attributes.
    return presence, presence + max(1, (len(fields) + 7) // 8)


def _finish(cls: Any, fields: dict[str, Field[Any]], size: int, table: Table) -> None:
    """Give a declaration its fields and its table."""
    type.__setattr__(cls, "__fields__", MappingProxyType(fields))
    type.__setattr__(cls, "__size__", size)
    type.__setattr__(cls, "__table__", table)
    for field in fields.values():
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
        "depth": field.depth,
    }
    if field.later:
        op["later"] = field
    elif field.cls is not None:
        op["set"] = field.cls.__table__
    if field.item is not None:
        item = field.item
        item.place(type(None), field.name, 0, 0, item.size)
        op["item"] = (Table().fill([_op(item, 0, item.width)], {}, -1, 0, item.size + 1, item.size), 0)
    if field.choices is not None:
        op["cases"] = [(key, None if field.later else case.__table__) for key, case in field.choices]
    return op


def _keys(cls: type[Record], fields: dict[str, Field[Any]]) -> dict[int, dict[str, Any]]:
    """The ops of the fields that are keys, by their levels."""
    keys: dict[int, dict[str, Any]] = {}
    for name, field in fields.items():
        if field.kind == _record.NL_K_KEY:
            level: Any = field.on
            if level in keys:
                raise TypeError(f"{cls.__name__}: {keys[level]['name']} and {name} are both keys of level {level}")
            keys[level] = _op(field, 0, 0)
    return keys


class _Annex:
    """The record for the rare fields of a class during compilation."""

    def __init__(self, cls: type[Record], fields: dict[str, Field[Any]]) -> None:
        self.fields = fields
        self.reference = 0  # offset of the reference to it
        self.table = Table()
        self.ops: list[dict[str, Any]] = []
        for name, field in fields.items():
            if field.kind in _NEVER_RARE or field.on is not None:
                raise TypeError(f"{cls.__name__}.{name}: a field of this kind cannot be rare")
        self.presence, self.size = _lay_out(cls, fields)

    def add(self, op: dict[str, Any]) -> dict[str, Any]:
        """Add the op of a field. Returns the op for its attribute."""
        self.ops.append(op)
        return {
            "kind": _record.NL_K_ANNEX,
            "name": op["name"],
            "type": op["type"],
            "offset": self.reference,
            "set": self.table,
            "item": (self.table, len(self.ops) - 1),
        }

    def finish(self) -> None:
        self.table.fill(self.ops, {}, -1, 0, self.size, self.presence)
        for field in self.fields.values():
            field.set_annex(self.table, self.reference)

    def op(self) -> dict[str, Any]:
        """The op for the reference."""
        return {"kind": _record.NL_K_RARE, "offset": self.reference, "size": _REFERENCE, "set": self.table}


class _Level:
    """The attributes of one set or container during compilation."""

    def __init__(self, cls: type[Record], fields: dict[str, Field[Any]], where: str, annex: _Annex | None) -> None:
        self.cls = cls
        self.fields = fields
        self.where = where
        self.annex = annex
        self.ops: list[dict[str, Any]] = []
        self.index: dict[int, int] = {}
        self.inner: dict[int, _Level] = {}

    def add(self, field: Field[Any], path: tuple[int, ...], width: int, family: int) -> None:
        type_ = path[0]
        if len(path) > 1:
            if type_ not in self.inner:
                self.claim(type_, f"the container of {field.name}")
                self.inner[type_] = _Level(self.cls, self.fields, f"{self.where}{type_}.", self.annex)
                self.ops.append({"kind": _record.NL_K_CONTAINER, "type": type_, "name": None})
            self.inner[type_].add(field, path[1:], width, family)
            return
        self.claim(type_, str(field.name))
        op = _op(field, type_, width)
        if field.kind == _record.NL_K_INT and field.on is not None:
            address = self.fields.get(field.on)
            if address is None or address.kind != _record.NL_K_ADDRESS or address.width:
                raise TypeError(
                    f"{self.cls.__name__}.{field.name}: of={field.on!r} is not the name of an address field, an ip(...)"
                )
            if self.annex is not None and field.on in self.annex.fields:
                raise TypeError(f"{self.cls.__name__}.{field.on}: an address that of= names cannot be rare")
            op.update(family=family, at=address.offset + _ADDRESS_FAMILY)
        if self.annex is not None and field.name in self.annex.fields:
            op = self.annex.add(op)
        self.ops.append(op)

    def claim(self, type_: int, who: str) -> None:
        if type_ in self.index:
            other = self.ops[self.index[type_]]["name"] or "a container"
            raise TypeError(f"{self.cls.__name__}: {other} and {who} both have attribute type {self.where}{type_}")
        self.index[type_] = len(self.ops)

    def table(
        self,
        size: int,
        presence: int,
        options: Mapping[str, Any],
        header: dict[str, Any] | None = None,
        annex: dict[str, Any] | None = None,
        keys: dict[int, dict[str, Any]] | None = None,
    ) -> Table:
        for op in self.ops:
            if op["kind"] == _record.NL_K_CONTAINER:
                op["set"] = self.inner[op["type"]].table(size, presence, options)
            elif "cases" in op:
                op.update(self.selector(op, options["header"]))
        ops = list(self.ops)
        index = dict(self.index)
        places: list[int] = []
        skip = {"kind": _record.NL_K_SKIP} if options["ignore"] and not self.where else None
        for last in (header, annex, skip):
            places.append(-1 if last is None else len(ops))
            ops += [] if last is None else [last]
        if skip is not None:
            index.update(dict.fromkeys(options["ignore"], places[2]))
        numbered = {level: len(ops) + i for i, level in enumerate(keys or ())}
        ops += (keys or {}).values()
        addresses = [op for op in self.ops if op["kind"] == _record.NL_K_ADDRESS_BY]
        for op in addresses:
            op["sibling"] = len(ops)
            ops.append(self.family(self.fields[op["name"]]))
        return Table().fill(
            ops,
            index,
            places[0],
            0,
            size,
            presence,
            annex=places[1],
            skip=places[2],
            keys=numbered,
            rest=next((i for i, op in enumerate(ops) if op["kind"] == _record.NL_K_REST), -1),
            selectors=len(addresses),
            lenient=options["lenient"],
            narrow=not options["unknown"],
        )

    def family(self, address: Field[Any]) -> dict[str, Any]:
        """The op of the field that tells the family of an address: by its place in the record, also of the header."""
        found = _family(self.cls, self.fields, address)
        header = found.owner is not self.cls
        if not header and (self.where or (self.annex is not None and found.name in self.annex.fields)):
            raise TypeError(
                f"{self.cls.__name__}.{address.name}: family={address.on!r} must be beside it, and not rare"
            )
        offset = found.offset + (self.fields["header"].offset if header else 0)
        return {"kind": _record.NL_K_INT, "offset": offset, "size": found.size}

    def selector(self, op: dict[str, Any], header: type[Record] | None) -> dict[str, Any]:
        """The members of a submessage's op for the field that chooses its case."""
        where = f"{self.cls.__name__}.{op['name']}"
        on = self.fields[op["name"]].on
        keys = [key for key, _ in self.fields[op["name"]].choices or ()]
        kinds: tuple[type, ...] = (int,)
        if isinstance(on, Outer):
            out: dict[str, Any] = {"outer": True}
            if isinstance(on.selector, int):
                out["by"] = on.selector
                kinds = (int, str)
            else:
                out["selector"] = _place_in_header(on.selector.owner, on.selector.name)
        elif on.startswith("header."):
            place = None if header is None or self.where else _place_in_header(header, on.removeprefix("header."))
            if place is None:
                raise TypeError(f"{where}: there is no integer {on!r} before it")
            out = {"selector": place}
        else:
            fields = (_record.NL_K_INT, _record.NL_K_STRING)
            found = next((i for i, one in enumerate(self.ops) if one["name"] == on and one["kind"] in fields), None)
            if found is None:
                raise TypeError(f"{where}: no integer or string field {on!r} is beside it")
            out = {"sibling": found}
            kinds = (str if self.ops[found]["kind"] == _record.NL_K_STRING else int,)
        if not any(all(isinstance(key, kind) for key in keys) for kind in kinds):
            raise TypeError(f"{where}: the cases of {on!r} must be {' or '.join(kind.__name__ for kind in kinds)}s")
        return out


def _place_in_header(header: type[Record], name: str) -> tuple[Table, int] | None:
    """The table of a header, and the position in its ops of an integer field."""
    for position, field in enumerate(header.__fields__.values()):
        if field.name == name and field.kind == _record.NL_K_INT:
            return header.__table__, position
    return None


_depths: WeakKeyDictionary[type[Record], int] = WeakKeyDictionary()


def _depth(cls: type[Record]) -> int:
    """Levels of attributes, without those of declarations of later: the decoder counts these."""
    if cls not in _depths:
        _depths[cls] = _depth_of(cls.__fields__)
    return _depths[cls]


def _depth_of(fields: Mapping[str, Any]) -> int:
    inner: list[type[Record]] = []
    for field in fields.values():
        inner += [part.cls for part in (field, field.item) if part and not part.forward and part.cls]
        inner += [case for _, case in field.choices or () if not field.forward]
    paths = max((len(path) for field in fields.values() for path, _ in field.types), default=1)
    return paths + max(map(_depth, inner), default=0)
