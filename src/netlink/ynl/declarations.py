"""Declarations of the vocabulary, made from a spec: enums, structs and sets of attributes."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any, NamedTuple

from netlink import schema
from netlink._io.warn import warn
from netlink.schema import AttributeSet, Record, Struct
from netlink.ynl.check import INTEGERS
from netlink.ynl.errors import SpecError, SpecWarning
from netlink.ynl.names import constant, identifier
from netlink.ynl.spec import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netlink.ynl.spec import Attribute, Spec

__all__ = ["Declarations", "Later", "Recipe"]

# Bytes. A larger record of nested attributes lies in the heap: records of a set with many of them stay small.
_RARE_FROM = 48
# Attributes of bytes that a spec says nothing about. Few messages have them; so many of one set lie in the heap.
_OPAQUE_FROM = 4
_RESERVED = frozenset(dir(Record))
_BIG = {
    "u8": "u8",
    "u16": "be16",
    "u32": "be32",
    "u64": "be64",
    "s8": "s8",
    "s16": "sbe16",
    "s32": "sbe32",
    "s64": "sbe64",
}
_ADDRESSES = ("ipv4", "ipv6", "ipv4-or-v6")


class Recipe(NamedTuple):
    """A call of the vocabulary that makes a field: it is done for a class, and written for source.

    kind: the name of the function. Arguments may be recipes.
    """

    kind: str
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = {}

    def make(self) -> Any:
        """The field."""
        options = {name: _made(value) for name, value in self.options.items()}
        return getattr(schema, self.kind)(*map(_made, self.args), **options)


def _made(value: Any) -> Any:
    """An argument of a recipe. A recipe without arguments is the kind itself: an item of a list has no type."""
    if not isinstance(value, Recipe):
        return value
    return value.make() if value.args or value.options else getattr(schema, value.kind)


class Variant(NamedTuple):
    """What a class of a set has besides its attributes.

    header: the name of the struct before them. keys: names of the numbers of an array around it. event: whether its
    records come unasked.
    """

    set: str
    header: str | None = None
    keys: tuple[str, ...] = ()
    event: bool = False


class Later:
    """A set that is not complete when a field of it is declared: a function that returns it."""

    def __init__(self, declarations: Declarations, variant: Variant) -> None:
        self._declarations = declarations
        self._variant = variant

    @property
    def name(self) -> str:
        return self._declarations.name_of(self._variant)

    def __call__(self) -> type[Record]:
        return self._declarations.set(self._variant)


class Declarations:
    """The declarations of a spec, each made when it is first needed.

    recipes: of the fields of each class, in the order in which the classes are complete. options: of each class.
    names: of the fields of each class, as the spec has them.
    entries: of each enum.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.recipes: dict[type[Any], dict[str, Recipe]] = {}
        self.options: dict[type[Any], dict[str, Any]] = {}
        self.names: dict[type[Any], dict[str, str]] = {}
        self.entries: dict[type[Any], list[Entry]] = {}
        self._enums: dict[tuple[str, bool], type[Any]] = {}
        self._structs: dict[str, type[Any]] = {}
        self._sets: dict[Variant, type[Any]] = {}
        self._variants: dict[type[Any], Variant] = {}
        self._unfinished: list[Variant] = []
        self._around: dict[str, set[str]] = {}
        self._nothing: type[Any] | None = None
        self._event: type[Any] | None = None
        self.class_names: set[str] = set()

    def class_of(self, base: Any, name: str, fields: Mapping[str, Recipe], **options: Any) -> type[Any]:
        """A class of the vocabulary."""
        while name in self.class_names:
            name += "_"
        self.class_names.add(name)
        namespace = {field: recipe.make() for field, recipe in fields.items()}
        namespace |= {"__module__": "netlink.ynl", "__qualname__": name}
        made: type[Any] = type(base)(name, (base,), namespace, **options)
        self.recipes[made] = dict(fields)
        self.options[made] = options
        return made

    def definition_of(self, cls: type[Any]) -> str | None:
        """The name of the definition of an enum or a struct; None for the enum of events."""
        named = [*((name, made) for (name, _), made in self._enums.items()), *self._structs.items()]
        return next((name for name, made in named if made is cls), None)

    def variant_of(self, cls: type[Any]) -> Variant | None:
        """What a class of a set was made for; None for other classes."""
        return self._variants.get(cls)

    # Enums

    def enum(self, name: str, as_flags: bool = False) -> type[Any]:
        """The IntEnum or IntFlag of a definition. as_flags: its entries are numbers of bits."""
        is_flags = as_flags or self.spec.definitions[name]["type"] == "flags"
        key = name, is_flags
        if key not in self._enums:
            entries = self.spec.entries(name, as_flags)
            is_other = is_flags and self.spec.definitions[name]["type"] != "flags"
            self._enums[key] = self.enum_of(
                self.spec.class_name("definitions", name) + ("Flags" if is_other else ""), entries, is_flags
            )
        return self._enums[key]

    def enum_of(self, name: str, entries: list[Entry], is_flags: bool = False) -> type[Any]:
        members: dict[str, int] = {}
        for entry in entries:
            members[constant(entry.name, members)] = entry.value
        kind: Any = IntFlag if is_flags else IntEnum
        made: type[Any] = kind(name, members, module="netlink.ynl")
        self.entries[made] = entries
        return made

    def enum_for(self, keys: Mapping[str, Any]) -> dict[str, Any]:
        """The option enum= of a field."""
        return {"enum": self.enum(keys["enum"], keys.get("enum-as-flags", False))} if "enum" in keys else {}

    @property
    def event(self) -> type[Any]:
        """The enum of the messages that the kernel sends unasked. Its numbers are theirs, modulo 256."""
        if self._event is None:
            entries = [Entry(op.name, number & 0xFF, op.doc) for number, op in self.spec.unasked.items()]
            self._event = self.enum_of("Event", entries)
        return self._event

    # Structs

    def struct(self, name: str) -> type[Any]:
        """The class of a struct, laid out as a C compiler does: specs leave padding out."""
        if name not in self._structs:
            fields: dict[str, Recipe] = {}
            names: dict[str, str] = {}
            for member in self.spec.definitions[name]["members"]:
                field = identifier(member["name"], _RESERVED | fields.keys())
                fields[field] = self.member(member)
                names[field] = member["name"]
            made = self.class_of(Struct, self.spec.class_name("definitions", name), fields, aligned=True)
            self._structs[name] = made
            self.names[made] = {field: names[field] for field in made.__fields__}
        return self._structs[name]

    def member(self, member: Mapping[str, Any]) -> Recipe:
        kind, hint = member["type"], member.get("display-hint")
        if "struct" in member:
            return Recipe("struct", (None, self.struct(member["struct"])))
        if kind in INTEGERS:
            if hint == "ipv4" and kind == "u32":
                return Recipe("ipv4")
            return Recipe(_BIG[kind] if member.get("byte-order") == "big-endian" else kind, (), self.enum_for(member))
        size = member["len"]
        if isinstance(size, str):
            size = self.spec.definitions[size]["value"]
        if kind == "pad":
            return Recipe("pad", (size,))
        for wanted, width, made in (("mac", 6, "mac"), ("ipv4", 4, "ipv4"), ("ipv6", 16, "ipv6")):
            if hint == wanted and size == width:
                return Recipe(made)
        return Recipe("binary", (), {"size": size})

    # Sets

    def set(self, variant: Variant) -> type[Any]:
        """The class of a set."""
        if variant not in self._sets:
            self._unfinished.append(variant)
            try:
                made = self.made_set(variant)
            finally:
                self._unfinished.pop()
            self._sets[variant] = made
            self._variants[made] = variant
        return self._sets[variant]

    def made_set(self, variant: Variant) -> type[Any]:
        taken = set(_RESERVED)
        if variant.header is not None:
            taken.add("header")
        if variant.event:
            taken.add("event")
        fields: dict[str, Recipe] = {}
        names: dict[str, str] = {}
        ignored: list[int] = []
        attributes = self.spec.attributes(variant.set)
        for attribute in attributes.values():
            if attribute.keys["type"] not in ("pad", "unused"):
                field = identifier(attribute.name, taken)
                taken.add(field)
                names[field] = attribute.name
            elif attribute.keys["type"] == "pad":
                ignored.append(attribute.number)
        by_name = {name: field for field, name in names.items()}
        for field, name in names.items():
            fields[field] = self.field(variant.set, attributes[name], by_name)
        for level, key in enumerate(variant.keys):
            field = identifier(key, taken)
            taken.add(field)
            names[field] = field if key in by_name else key
            fields[field] = Recipe("key", (level,) if level else ())
        if variant.event:
            fields["event"] = Recipe("event", (self.event,))
        options: dict[str, Any] = {"lenient": True}
        rare = [field for field, name in names.items() if name in attributes and _is_opaque(attributes[name].keys)]
        if len(rare) >= _OPAQUE_FROM:
            options["rare"] = tuple(rare)
        if ignored:
            options["ignore"] = tuple(ignored)
        if variant.header is not None:
            options["header"] = self.struct(variant.header)
        made = self.class_of(AttributeSet, self.name_of(variant), fields, **options)
        self.names[made] = names
        return made

    def name_of(self, variant: Variant) -> str:
        """The name of a class. A set that is at the top of messages and elsewhere too has two classes."""
        name = self.spec.class_name("sets", variant.set)
        if variant.keys:
            return name + "Item"
        if variant.header is None and not variant.event and variant.set in self.spec.on_top:
            return name + "Nest"
        return name

    def inner(self, of: str, keys: tuple[str, ...] = ()) -> Any:
        """The class of a set within another one; a `Later` if it is around that one, too."""
        variant = Variant(of, None, keys)
        return Later(self, variant) if variant in self._unfinished else self.set(variant)

    def field(self, of: str, attribute: Attribute, by_name: Mapping[str, str]) -> Recipe:
        """The recipe of an attribute. by_name: the names of the fields in its set."""
        keys, number = attribute.keys, attribute.number
        kind, multi = keys["type"], keys.get("multi-attr", False)
        if kind == "nest":
            cls = self.inner(keys["nested-attributes"])
            if multi:
                return Recipe("repeated", (number, cls))
            if isinstance(cls, Later) or cls.__size__ <= _RARE_FROM:
                return Recipe("nested", (number, cls))
            return Recipe("nested", (number, cls), {"rare": True})
        if kind == "array-nest" or (kind == "indexed-array" and keys["sub-type"] == "nest"):
            return Recipe("array", (number, self.inner(keys["nested-attributes"], ("index",))))
        if kind == "nest-type-value":
            levels = tuple(keys["type-value"])
            depth = {"depth": len(levels)} if len(levels) > 1 else {}
            return Recipe("array", (number, self.inner(keys["nested-attributes"], levels)), depth)
        if kind == "indexed-array":
            return Recipe("array", (number, self.scalar(keys["sub-type"], keys)))
        if kind == "sub-message":
            return self.submessage(of, attribute, by_name)
        if kind == "binary" and "struct" in keys:
            struct = self.struct(keys["struct"])
            return Recipe("repeated" if multi else "struct", (number, struct))
        if kind == "binary" and "sub-type" in keys:
            item = self.scalar(keys["sub-type"], keys)
            return Recipe("packed", (number, Recipe(item.kind)), item.options)
        scalar = self.scalar(kind, keys)
        if multi:
            return Recipe("repeated", (number, scalar))
        return Recipe(scalar.kind, (number,), scalar.options)

    def scalar(self, kind: str, keys: Mapping[str, Any]) -> Recipe:
        """The recipe of a value, without its attribute type."""
        hint, is_big = keys.get("display-hint"), keys.get("byte-order") == "big-endian"
        if kind == "binary":
            name = "ip" if hint in _ADDRESSES else "lladdr" if hint == "mac" else "binary"
            return Recipe(name)
        if kind in INTEGERS:
            if kind == "u32" and is_big and hint == "ipv4":
                return Recipe("ipv4")
            return Recipe(_BIG[kind] if is_big else kind, (), self.enum_for(keys))
        if kind in ("uint", "sint", "bitfield32"):
            return Recipe(kind, (), self.enum_for(keys))
        return Recipe(kind)  # flag and string

    def submessage(self, of: str, attribute: Attribute, by_name: Mapping[str, str]) -> Recipe:
        selector = attribute.keys["selector"]
        on: Any = by_name.get(selector)
        beside = self.spec.attributes(of)
        chooser = beside.get(selector) or self.outer(of, selector)
        if chooser is None:
            key = f"attribute-sets.{of}.{attribute.name}.selector"
            warn(f"{self.spec.file}: {key}: no set around it has one {selector!r}: it stays bytes", SpecWarning)
            return Recipe("binary", (attribute.number,))
        values: dict[str, int] = {}
        if "enum" in chooser.keys:
            values = {entry.name: entry.value for entry in self.spec.entries(chooser.keys["enum"])}
        cases: dict[Any, type[Any]] = {}
        for one in self.spec.messages[attribute.keys["sub-message"]]:
            value: Any = one["value"]
            if chooser.keys["type"] != "string":
                value = values[value] if value in values else _number(value)
                if value is None:
                    key = f"sub-messages.{attribute.keys['sub-message']}.{one['value']}"
                    raise SpecError(self.spec.file, key, f"{selector} has no such value")
            cases[value] = self.case(one)
        return Recipe(
            "submessage", (attribute.number,), {"on": on or Recipe("outer", (chooser.number,)), "cases": cases}
        )

    def case(self, one: Mapping[str, Any]) -> Any:
        if "attribute-set" in one:
            header = one.get("fixed-header")
            variant = Variant(one["attribute-set"], header)
            return Later(self, variant) if variant in self._unfinished else self.set(variant)
        if "fixed-header" in one:
            return self.struct(one["fixed-header"])
        if self._nothing is None:
            self._nothing = self.class_of(AttributeSet, "Nothing", {}, lenient=True)
            self.names[self._nothing] = {}
        return self._nothing

    def outer(self, of: str, selector: str) -> Attribute | None:
        """The attribute by which the sets around a set choose; None without one of one number."""
        if not self._around:
            for name in self.spec.sets:
                for attribute in self.spec.attributes(name).values():
                    for inner in self.sets_in(attribute):
                        self._around.setdefault(inner, set()).add(name)
        found: dict[int, Attribute] = {}
        for name in self._around.get(of, ()):
            chooser = self.spec.attributes(name).get(selector)
            if chooser is not None:
                found[chooser.number] = chooser
        return found.popitem()[1] if len(found) == 1 else None

    def sets_in(self, attribute: Attribute) -> list[str]:
        if "nested-attributes" in attribute.keys:
            return [attribute.keys["nested-attributes"]]
        formats = self.spec.messages.get(attribute.keys.get("sub-message", ""), ())
        return [one["attribute-set"] for one in formats if "attribute-set" in one]

    # Messages

    def message(self, of: str | None, header: str | None) -> type[Any] | None:
        """The class of messages; None for those without attributes and header."""
        if of is not None:
            return self.set(Variant(of, header, (), of in self.spec.with_event))
        return None if header is None else self.struct(header)

    def top(self, of: str) -> type[Any]:
        """The class of a set: that of the first operation with it, else that of its attributes alone."""
        for operation in self.spec.operations.values():
            if operation.set == of:
                return self.set(Variant(of, operation.header, (), of in self.spec.with_event))
        return self.set(Variant(of))


def _is_opaque(keys: Mapping[str, Any]) -> bool:
    """Whether an attribute is bytes of which a spec says nothing."""
    return keys["type"] == "binary" and not {"struct", "sub-type", "display-hint", "multi-attr"} & keys.keys()


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None
