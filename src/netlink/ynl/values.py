"""Records from mappings, and mappings from records, with the names and texts of a spec."""

# The content of a spec has no types.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Flag
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from netlink._engine import record as engine
from netlink.errors import EncodeError
from netlink.schema import Bitfield32, Record
from netlink.ynl.errors import near
from netlink.ynl.names import normal

if TYPE_CHECKING:
    from netlink.schema import Field
    from netlink.ynl.declarations import Declarations

__all__ = ["Values"]

_LISTS = (engine.NL_K_REPEATED, engine.NL_K_ARRAY)


Plan: TypeAlias = "dict[str, tuple[str, Field[Any], Any, type[Any] | None]]"
"""For each name that an attribute may have, the name of the field, the field, the conversion of its values, and the
type of those that need none."""

Path: TypeAlias = "tuple[Path, str | int, Mapping[Any, Any] | None, Plan] | None"
"""The place of a value in a request: that of what is around it, its name or index, and the mapping that it is in, with
the plan of that; None for a list."""


def _at(path: Path, default: str = "") -> str:
    """A path as text: "linkinfo.data.id" or "prices[1].amount"."""
    text = ""
    while path is not None:
        path, name = path[:2]
        text = f"[{name}]{text}" if isinstance(name, int) else f".{name}{text}"
    return text.removeprefix(".") or default


class Values:
    """The conversions of a spec.

    A wrong name is a TypeError that lists near names, a value of a wrong type a TypeError, and any other wrong value an
    EncodeError. Each begins with the path of the attribute, such as "linkinfo.data.id".
    """

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations
        self._plans: dict[type[Any], Plan] = {}
        self._members: dict[type[Any], dict[str, int]] = {}
        self._texts: dict[type[Any], dict[int, str]] = {}

    # To records

    def record(self, cls: type[Record], values: Any, path: Path = None) -> Record:
        """A record of a mapping. Names have dashes or underscores; the header's members may lie beside attributes."""
        if isinstance(values, Record):
            return self._same(cls, values, path)
        made = self.arguments(cls, values, path)
        try:
            return cls(**made)
        except (TypeError, EncodeError) as error:
            raise type(error)(f"{_at(path)}.{error}" if path else str(error)) from None

    def arguments(self, cls: type[Record], values: Any, path: Path = None) -> dict[str, Any]:
        """The arguments of a class's constructor, of a mapping."""
        if type(values) is not dict and not isinstance(values, Mapping):
            raise TypeError(f"{_at(path, cls.__name__)}: want a mapping, not {values!r}")
        plan = self.plan(cls)
        made: dict[str, Any] = {}
        cases: list[tuple[str, Field[Any], Any, Path]] = []
        given: Mapping[Any, Any] = values
        for name, value in given.items():
            entry = plan.get(name)
            if entry is not None and type(value) is entry[3]:
                made[entry[0]] = value
                continue
            entry = entry or plan.get(normal(str(name)))
            if entry is None:
                if name == "unknown":  # attributes without a name, which a dump may have, are not sent
                    continue
                known = near(str(name), self._spelled(cls))
                raise TypeError(f"{_at((path, str(name), given, plan))}: there is no such attribute{known}")
            if value is None:
                continue
            field_name, field, convert, _ = entry
            if convert is None:
                cases.append((field_name, field, value, (path, name, given, plan)))
            else:
                made[field_name] = convert(field, value, (path, name, given, plan))
        # The case of a submessage depends on the field that chooses it.
        for field_name, field, value, where in cases:
            made[field_name] = self._case(field, value, where, made)
        return made

    def _same(self, cls: type[Record], record: Record, path: Path) -> Record:
        """A record as one of a class; a set has several classes, with a header and without."""
        if type(record) is cls:
            return record
        variant_of = self._declarations.variant_of
        wanted, found = variant_of(cls), variant_of(type(record))
        if wanted is None or found is None or wanted.set != found.set:
            raise TypeError(f"{_at(path, cls.__name__)}: want a {cls.__name__}, not a {type(record).__name__}")
        shared = [name for name, field in cls.__fields__.items() if field.types and name in type(record).__fields__]
        return cls(**{name: getattr(record, name) for name in shared})

    def plan(self, cls: type[Record]) -> Plan:
        """The fields of a class, and of its header, by the names that they may have, with their conversions."""
        if cls not in self._plans:
            self._plans[cls] = self._plan(cls)
        return self._plans[cls]

    def _plan(self, cls: type[Record]) -> Plan:
        """Make the plan of a class."""
        names = self._declarations.names
        plan: Plan = {}
        header = self._header(cls)
        if header is not None and header.cls is not None:
            for name, field in cls.__header_fields__.items():
                entry = self._entry(name, field)
                plan[name] = plan[normal(names[header.cls][field.name])] = entry
            plan["header"] = self._entry("header", header)
        for field_name, name in names[cls].items():
            field = cls.__fields__[field_name]
            plan[normal(name)] = self._entry(field_name, field)
        plan |= {name: plan[normal(names[cls][name])] for name in names[cls]}
        # The names as the spec has them are looked up at once.
        plan |= {name: plan[normal(name)] for name in self._spelled(cls)}
        return plan

    def _entry(self, name: str, field: Field[Any]) -> tuple[str, Field[Any], Any, type[Any] | None]:
        convert = self._conversion(field)
        return name, field, convert, {self._number: int, _text: str, _flag: bool}.get(convert)

    @staticmethod
    def _header(declaration: type[Record]) -> Field[Any] | None:
        header = declaration.__fields__.get("header")
        return None if header is None or header.types else header

    def _spelled(self, cls: type[Record]) -> list[str]:
        """The names of a class's fields, and of its header's, in the spec."""
        names = self._declarations.names
        header = self._header(cls)
        beside: Iterable[str] = () if header is None or header.cls is None else names[header.cls].values()
        return [*names[cls].values(), *beside]

    def _conversion(self, field: Field[Any]) -> Any:
        """The function that makes of a value what the constructor takes for a field; None for a submessage."""
        kind = field.kind
        if kind in _LISTS:
            return self._list
        if kind == engine.NL_K_SUBMESSAGE:
            return None
        if kind in (engine.NL_K_NESTED, engine.NL_K_RARE, engine.NL_K_STRUCT):
            return self._nested
        if kind == engine.NL_K_PACKED:
            return self._packed
        if kind in (engine.NL_K_INT, engine.NL_K_EVENT):
            return self._number
        if field.form == engine.FORM_BITFIELD32:
            return self._bits
        if kind in (engine.NL_K_BINARY, engine.NL_K_FIXED) and field.form == engine.FORM_PLAIN:
            return _bytes
        if kind == engine.NL_K_FLAG:
            return _flag
        return _text if kind == engine.NL_K_STRING else _unchanged

    def _nested(self, field: Field[Any], value: Any, path: Path) -> Record:
        return self.record(cast("type[Record]", field.cls), value, path)

    def _list(self, field: Field[Any], value: Any, path: Path) -> list[Any]:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            raise TypeError(f"{_at(path)}: want a list, not {value!r}")
        item = cast("Field[Any]", field.item)
        convert = self._conversion(item)
        many: Iterable[Any] = value
        return [convert(item, one, (path, i, None, {})) for i, one in enumerate(many)]

    def _packed(self, field: Field[Any], value: Any, path: Path) -> list[Any]:
        if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
            raise TypeError(f"{_at(path)}: want a list of numbers, not {value!r}")
        many: Iterable[Any] = value
        return [self._number(field, one, (path, i, None, {})) for i, one in enumerate(many)]

    def _case(self, field: Field[Any], value: Any, path: Path, beside: Mapping[str, Any]) -> Any:
        """What the constructor takes for a submessage. beside: the values of the fields beside it."""
        if isinstance(value, (Record, bytes)):
            return value
        if isinstance(value, str):
            return _bytes(field, value, path)
        cases = dict(field.cases or ())
        on = cast("Any", field.on)
        is_beside = isinstance(on, str)
        if is_beside:
            spelled, chosen = self._declarations.names[cast("Any", field.owner)][on], beside.get(on)
        else:
            spelled, chosen = self._around(on.selector, path)
        if chosen is None:
            place = "beside" if is_beside else "around"
            raise EncodeError(f"{_at(path)}: it needs {spelled} {place} it, which says what it has")
        cls = cases.get(chosen)
        if cls is None:
            known = ", ".join(str(key) for key in cases)
            raise EncodeError(f"{_at(path)}: {spelled} {chosen!r} has no such part; there are {known}")
        record = self.record(_declared(cls), value, path)
        return record if is_beside else record.encode()  # a record on its own does not know what is around it

    def _around(self, number: int, path: Path) -> tuple[str, Any]:
        """Name and value of the attribute of a number in the mapping around that of a path."""
        path = path and path[0]
        while path is not None and path[2] is None:
            path = path[0]
        if path is not None and path[2] is not None:
            for name, value in path[2].items():
                entry = path[3].get(name) or path[3].get(normal(str(name)))
                if entry is not None and entry[1].types[:1] and entry[1].types[0][0] == (number,):
                    return str(name), entry[2](entry[1], value, path)
        return f"attribute {number}", None

    def _number(self, field: Field[Any], value: Any, path: Path) -> Any:
        if isinstance(value, int):
            return value
        enum = field.enum
        if enum is not None:
            if isinstance(value, str):
                return self._member(enum, value, path)
            if issubclass(enum, Flag) and isinstance(value, Iterable):
                total = 0
                flags: Iterable[Any] = value
                for one in flags:
                    total |= one if isinstance(one, int) else self._member(enum, one, path)
                return total
        wanted = "a number" if enum is None else f"a number or a text of {enum.__name__}"
        raise TypeError(f"{_at(path)}: want {wanted}, not {value!r}")

    def _member(self, enum: type[Any], text: Any, path: Path) -> int:
        if enum not in self._members:
            entries = self._declarations.entries[enum]
            self._members[enum] = {normal(entry.name).lower(): entry.value for entry in entries}
        if isinstance(text, str):
            value = self._members[enum].get(normal(text).lower())
            if value is not None:
                return value
        entries = self._declarations.entries[enum]
        raise EncodeError(f"{_at(path)}: there is no {text!r}{near(str(text), (entry.name for entry in entries))}")

    def _bits(self, field: Field[Any], value: Any, path: Path) -> Any:
        if isinstance(value, Mapping):
            given: Mapping[Any, Any] = value
            if set(given) != {"value", "selector"}:
                raise TypeError(f"{_at(path)}: want value and selector, not {', '.join(map(str, given))}")
            value = given["value"], given["selector"]
        if not isinstance(value, (tuple, list)) or len(pair := cast("tuple[Any, ...]", value)) != 2:
            raise TypeError(f"{_at(path)}: want value and selector, not {value!r}")
        return Bitfield32(*(self._number(field, one, path) for one in pair))

    # To mappings

    def mapping(self, record: Record) -> dict[str, Any]:
        """The present attributes of a record by the spec's names, as json.dumps takes them.

        An enum is its text, or a number without one; flags are a list of texts and of the rest of the number. Bytes are
        hexadecimal digits, an address is text. The header's members lie beside the attributes, in "header" those that
        are called like one of them. "unknown" has pairs of type and payload.
        """
        cls = type(record)
        names = self._declarations.names[cls]
        found: dict[str, Any] = {}
        # The header is the last field, and the first bytes.
        for field in sorted(cls.__fields__.values(), key=lambda field: field.name in names):
            if field.kind == engine.NL_K_EVENT:
                continue
            value = getattr(record, field.name)
            if value is None:
                continue
            if field.name not in names:  # the header
                members = self.mapping(value)
                same = {name for name in members if name in names.values()}
                found |= {name: each for name, each in members.items() if name not in same}
                if same:
                    found["header"] = {name: members[name] for name in same}
            else:
                found[names[field.name]] = self._plain(field, value)
        if record.unknown:
            found.setdefault("unknown", [[type_, payload.hex()] for type_, payload in record.unknown])
        return found

    def _plain(self, field: Field[Any], value: Any) -> Any:
        if isinstance(value, Record):
            return self.mapping(value)
        if isinstance(value, Bitfield32):
            bits = value
            return {name: self._shown(field.enum, number) for name, number in bits._asdict().items()}
        if isinstance(value, tuple):
            item = field.item or field
            many: tuple[Any, ...] = value
            return [self._plain(item, one) for one in many]
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, (IPv4Address, IPv6Address)):
            return str(value)
        return self._shown(field.enum, value)

    def _shown(self, enum: type[Any] | None, value: Any) -> Any:
        """A number as its text, or as those of its flags. Other values are returned."""
        if enum is None:
            return value
        if not issubclass(enum, Flag):
            return self._text(enum, value)
        texts: list[Any] = []
        left = int(value)
        for entry in self._declarations.entries[enum]:
            if entry.value & left:
                texts.append(entry.name)
                left &= ~entry.value
        return texts + ([left] if left else [])

    def _text(self, enum: type[Any], value: int) -> Any:
        if enum not in self._texts:
            self._texts[enum] = {entry.value: entry.name for entry in reversed(self._declarations.entries[enum])}
        return self._texts[enum].get(value, int(value))


def _bytes(field: Field[Any], value: Any, path: Path) -> bytes:
    """Bytes, also of hexadecimal digits."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if not isinstance(value, str):
        raise TypeError(f"{_at(path)}: want bytes or hexadecimal digits, not {value!r}")
    try:
        return bytes.fromhex(value.replace(":", ""))
    except ValueError:
        raise EncodeError(f"{_at(path)}: want hexadecimal digits, not {value!r}") from None


def _flag(field: Field[Any], value: Any, path: Path) -> bool:
    if type(value) is not bool:
        raise TypeError(f"{_at(path)}: want true or false, not {value!r}")
    return value


def _text(field: Field[Any], value: Any, path: Path) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{_at(path)}: want text, not {value!r}")
    return value


def _unchanged(field: Field[Any], value: Any, path: Path) -> Any:
    return value


def _declared(case: Any) -> type[Record]:
    """The class of a case, which may be a function that returns it."""
    return case if isinstance(case, type) else case()
