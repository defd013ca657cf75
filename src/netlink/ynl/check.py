"""Checking the content of a spec, before anything is made of it."""

# The content of a spec has no types.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from netlink._io.warn import warn
from netlink.ynl.errors import SpecError, SpecWarning, near

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["INTEGERS", "check"]

INTEGERS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "s8": 1, "s16": 2, "s32": 4, "s64": 8}
"""The integers of fixed width, and their bytes."""
_NUMBERS = {*INTEGERS, "uint", "sint"}
_ATTRIBUTES = {
    *_NUMBERS,
    *("binary", "string", "flag", "pad", "unused", "bitfield32"),
    *("nest", "indexed-array", "array-nest", "nest-type-value", "sub-message"),
}
_ITEMS = {*_NUMBERS, "nest", "binary", "string"}
# Most attributes and members are of such a type, with such keys, and need no further check. Lists: what is in a spec
# may have no hash.
_PLAIN_KEYS = {"name", "type", "doc"}
_PLAIN_NUMBERED = _PLAIN_KEYS | {"value"}
_PLAIN_MEMBERS = list(INTEGERS)
_PLAIN_ATTRIBUTES = ["u32", "u8", "u16", "u64", "flag", "string", "binary", "s32", "uint", "pad", "unused"]
_SEVERAL = "multi-object"  # of a `do` with any number of messages as its reply
_PROTOCOLS = ("genetlink", "genetlink-c", "genetlink-legacy", "netlink-raw")
_TYPE_MAX = 0x3FFF  # NLA_TYPE_MASK
# The keys that are known, those without an effect here among them.
_KEYS = {
    "spec": {
        *("name", "doc", "protocol", "protonum", "version", "uapi-header", "c-family-name", "c-version-name"),
        *("max-by-define", "cmd-max-name", "cmd-cnt-name", "kernel-policy", "kernel-family", "definitions"),
        *("attribute-sets", "sub-messages", "operations", "mcast-groups"),
    },
    "definition": {
        *("name", "type", "doc", "value", "value-start", "entries", "members", "header", "enum-name", "name-prefix"),
        *("enum-cnt-name", "render-max", "scope"),
    },
    "member": {"name", "type", "doc", "len", "byte-order", "display-hint", "enum", "enum-as-flags", "struct"},
    "set": {
        *("name", "attributes", "doc", "subset-of", "name-prefix", "enum-name", "attr-cnt-name", "attr-max-name"),
        "header",
    },
    "attribute": {
        *("name", "type", "doc", "value", "byte-order", "checks", "display-hint", "enum", "enum-as-flags", "len"),
        *("multi-attr", "name-prefix", "nested-attributes", "selector", "struct", "sub-message", "sub-type"),
        "type-value",
    },
    "operation": {
        *("name", "doc", "value", "attribute-set", "fixed-header", "do", "dump", "notify", "event", "mcgrp", "flags"),
        *("dont-validate", "config-cond"),
    },
    "format": {"value", "attribute-set", "fixed-header"},
}


def check(content: Mapping[str, Any], file: str) -> set[tuple[str, str]]:
    """Check the content of a spec. SpecError names the first wrong key.

    Returns the attributes that stay bytes, as pairs of set and attribute: each has something that is not known here,
    which a SpecWarning says.
    """
    return _Checker(content, file).run()


class _Checker:
    def __init__(self, content: Mapping[str, Any], file: str) -> None:
        self.content = content
        self.file = file
        self.opaque: set[tuple[str, str]] = set()
        self.found: dict[str, dict[str, dict[str, Any]]] = {}

    def fail(self, reason: str, *key: str) -> NoReturn:
        raise SpecError(self.file, ".".join(key), reason)

    def warn(self, reason: str, *key: str) -> None:
        warn(f"{self.file}: {'.'.join(key)}: {reason}", SpecWarning)

    def text(self, one: Mapping[str, Any], what: str, *key: str) -> str:
        value = one.get(what)
        if not isinstance(value, str) or not value:
            self.fail(f"{what} is missing" if value is None else f"want text, not {value!r}", *key, what)
        return value

    def number(self, one: Mapping[str, Any], what: str, most: int, *key: str) -> None:
        value = one.get(what, 0)
        if type(value) is not int or not 0 <= value <= most:
            self.fail(f"want a number from 0 to {most}, not {value!r}", *key, what)

    def refer(self, one: Mapping[str, Any], what: str, known: Iterable[str], *key: str) -> str:
        """Check a key that names something else."""
        value = self.text(one, what, *key)
        if value not in known:
            self.fail(f"there is no {value!r}{near(value, known)}", *key, what)
        return value

    def keys(self, level: str, one: Mapping[str, Any], *key: str) -> bool:
        """Whether all keys are known."""
        if one.keys() <= _KEYS[level]:
            return True
        for unknown in one.keys() - _KEYS[level]:
            self.warn("this key is not known", *key, str(unknown))
        return False

    def named(self, value: Any, *key: str) -> dict[str, dict[str, Any]]:
        """A list of mappings with names, by name."""
        found: dict[str, dict[str, Any]] = {}
        for position, one in enumerate(self.listed(value, *key)):
            if not isinstance(one, dict):
                self.fail("want a mapping", *key, str(position))
            each: dict[str, Any] = one
            name = self.text(each, "name", *key, str(position))
            if name in found:
                self.fail("this name comes again", *key, name)
            found[name] = each
        return found

    def listed(self, value: Any, *key: str) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.fail("want a list", *key)
        return value

    def mapped(self, value: Any, *key: str) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fail("want a mapping", *key)
        return value

    def run(self) -> set[tuple[str, str]]:
        content = self.content
        self.keys("spec", content)
        self.text(content, "name")
        if content.get("protocol", "genetlink") not in _PROTOCOLS:
            self.fail(f"want one of {', '.join(_PROTOCOLS)}, not {content['protocol']!r}", "protocol")
        self.raw = content.get("protocol") == "netlink-raw"
        if self.raw and "protonum" not in content:
            self.fail("protonum is missing", "protonum")
        self.number(content, "protonum", 255)
        self.number(content, "version", 255)
        self.definitions = self.named(content.get("definitions"), "definitions")
        of_type: dict[Any, set[str]] = {}
        for name, each in self.definitions.items():
            of_type.setdefault(self.text(each, "type", "definitions", name), set()).add(name)
        self.constants, self.structs = of_type.get("const", set()), of_type.get("struct", set())
        self.enums = of_type.get("enum", set()) | of_type.get("flags", set())
        for name, each in self.definitions.items():
            self.definition(each, "definitions", name)
        for name in self.definitions:
            self.struct_in_itself(name, ())
        self.messages = self.named(content.get("sub-messages"), "sub-messages")
        if "attribute-sets" not in content:
            self.fail("attribute-sets is missing", "attribute-sets")
        self.sets = self.named(content["attribute-sets"], "attribute-sets")
        for name, each in self.sets.items():
            self.attribute_set(name, each, "attribute-sets", name)
        for name, message in self.messages.items():
            self.sub_message(message, "sub-messages", name)
        groups = self.mapped(content.get("mcast-groups"), "mcast-groups")
        self.groups = self.named(groups.get("list"), "mcast-groups")
        for name, group in self.groups.items():
            self.number(group, "value", (1 << 31) - 1, "mcast-groups", name)
        self.operations()
        return self.opaque

    def definition(self, one: dict[str, Any], *key: str) -> None:
        self.keys("definition", one, *key)
        kind = self.text(one, "type", *key)
        if kind == "const":
            if not isinstance(one.get("value"), (int, str)):
                self.fail(f"want a number or text, not {one.get('value')!r}", *key, "value")
        elif kind in ("enum", "flags"):
            self.number(one, "value-start", (1 << 63) - 1, *key)
            self.entries(one, kind, *key)
        elif kind == "struct":
            members = self.named(one.get("members"), *key)
            if not members:
                self.fail("members are missing", *key, "members")
            for name, member in members.items():
                self.member(member, *key, name)
        else:
            self.fail(f"want const, enum, flags or struct, not {kind!r}", *key, "type")

    def entries(self, one: dict[str, Any], kind: str, *key: str) -> None:
        found = self.listed(one.get("entries"), *key, "entries")
        least, most = (0, 63) if kind == "flags" else (-1 << 63, (1 << 64) - 1)
        for position, entry in enumerate(found):
            if isinstance(entry, dict):
                each: dict[str, Any] = entry
                self.text(each, "name", *key, "entries", str(position))
                value = each.get("value", 0)
                if type(value) is not int or not least <= value <= most:
                    reason = f"want a number from {least} to {most}, not {value!r}"
                    self.fail(reason, *key, "entries", each["name"], "value")
            elif not isinstance(entry, (str, int)):
                self.fail("want a name or a mapping", *key, "entries", str(position))

    def member(self, one: dict[str, Any], *key: str) -> None:
        if one.keys() <= _PLAIN_KEYS and one.get("type") in _PLAIN_MEMBERS:
            return
        self.keys("member", one, *key)
        kind = self.text(one, "type", *key)
        if "struct" in one:
            self.refer(one, "struct", self.structs, *key)
        elif kind in ("binary", "string", "pad"):
            if isinstance(one.get("len"), str):
                self.refer(one, "len", self.constants, *key)
                value = self.definitions[one["len"]].get("value")
            else:
                value = one.get("len")
            if type(value) is not int or not 1 <= value <= 65531:
                self.fail(f"want a number from 1 to 65531, or the name of a const, not {one.get('len')!r}", *key, "len")
        elif kind not in INTEGERS:
            self.fail(f"{kind!r} is no type of a struct's member{near(kind, INTEGERS)}", *key, "type")
        self.byte_order(one, *key)
        self.enum(one, *key)

    def enum(self, one: dict[str, Any], *key: str) -> None:
        """Check the enum of an attribute or a member."""
        for what in ("enum-as-flags", "multi-attr"):
            if type(one.get(what, False)) is not bool:
                self.fail(f"want true or false, not {one[what]!r}", *key, what)
        if "enum" not in one:
            return
        definition = self.definitions[self.refer(one, "enum", self.enums, *key)]
        if one.get("enum-as-flags"):
            entries = self.listed(definition.get("entries"), *key, "enum")
            values = [entry.get("value", 0) for entry in entries if isinstance(entry, dict)]
            if any(type(value) is not int or not 0 <= value < 64 for value in values):
                self.fail("the numbers of its entries are no numbers of bits", *key, "enum")

    def byte_order(self, one: dict[str, Any], *key: str) -> bool:
        """Whether the byte order is that of the host or the network."""
        order = one.get("byte-order", "big-endian")
        if order not in ("big-endian", "little-endian"):
            self.fail(f"want big-endian or little-endian, not {order!r}", *key, "byte-order")
        return order == "big-endian" or sys.byteorder == "little"

    def struct_in_itself(self, name: str, around: tuple[str, ...]) -> None:
        if name in around:
            self.fail("the struct is within itself", "definitions", name)
        for member in self.definitions[name].get("members") or ():
            if "struct" in member:
                self.struct_in_itself(member["struct"], (*around, name))

    def attribute_set(self, of: str, one: dict[str, Any], *key: str) -> None:
        self.keys("set", one, *key)
        base: dict[str, dict[str, Any]] | None = None
        if "subset-of" in one:
            self.refer(one, "subset-of", self.sets, *key)
            if "subset-of" in self.sets[one["subset-of"]]:
                self.fail("a subset of a subset", *key, "subset-of")
            base = self.attributes(one["subset-of"])
        numbers: dict[int, str] = {}
        number = 1
        for name, each in self.attributes(of).items():
            path = (*key, name)
            if base is not None:
                if name not in base:
                    self.fail(f"{one['subset-of']} has no such attribute{near(name, base)}", *path)
                each = base[name] | each
            else:
                self.number(each, "value", _TYPE_MAX, *path)
                number = each.get("value", number)
                if number in numbers:
                    self.fail(f"{numbers[number]} has the number {number} too", *path)
                numbers[number] = name
                number += 1
            self.attribute(of, each, *path)

    def attributes(self, of: str) -> dict[str, dict[str, Any]]:
        """The attributes of a set by name. One that is listed again counts once, if it says the same number."""
        if of not in self.found:
            key = ("attribute-sets", of, "attributes")
            is_subset = "subset-of" in self.sets[of]
            once: dict[Any, Any] = {}
            listed: list[Any] = []
            for one in self.listed(self.sets[of].get("attributes"), *key):
                name = one.get("name") if isinstance(one, dict) else None
                if not isinstance(name, str) or once.setdefault(name, one) is one:
                    listed.append(one)
                elif one != once[name] or not (is_subset or "value" in one):
                    self.fail("this name comes again", *key, name)
            self.found[of] = self.named(listed, *key)
        return self.found[of]

    def attribute(self, of: str, one: dict[str, Any], *key: str) -> None:
        if one.keys() <= _PLAIN_NUMBERED and one.get("type") in _PLAIN_ATTRIBUTES:
            return
        known = self.keys("attribute", one, *key)
        kind = self.text(one, "type", *key)
        reason = "" if known else "a key of it is not known"
        if kind not in _ATTRIBUTES:
            reason = f"the type {kind!r} is not known"
        if not self.byte_order(one, *key):
            reason = "little-endian integers are not known"
        item = self.text(one, "sub-type", *key) if "sub-type" in one else None
        if kind == "indexed-array" and self.text(one, "sub-type", *key) not in _ITEMS:
            reason = f"the sub-type {item!r} is not known"
        if kind == "binary" and item is not None and item not in INTEGERS:
            reason = f"the sub-type {item!r} is not known"
        if kind in ("nest", "array-nest", "nest-type-value") or (kind == "indexed-array" and item == "nest"):
            self.refer(one, "nested-attributes", self.sets, *key)
        if kind == "nest-type-value":
            names = self.listed(one.get("type-value"), *key, "type-value")
            if not names or not all(isinstance(name, str) for name in names):
                self.fail("want a list of names", *key, "type-value")
        if kind == "sub-message":
            self.refer(one, "sub-message", self.messages, *key)
            self.text(one, "selector", *key)
        self.enum(one, *key)
        if kind == "binary" and "struct" in one:
            self.refer(one, "struct", self.structs, *key)
        if reason:
            self.warn(f"{reason}: the attribute stays bytes", *key)
            self.opaque.add((of, one["name"]))

    def sub_message(self, one: dict[str, Any], *key: str) -> None:
        formats = self.listed(one.get("formats"), *key, "formats")
        if not formats:
            self.fail("formats are missing", *key, "formats")
        for position, each in enumerate(formats):
            path = (*key, str(position))
            if not isinstance(each, dict):
                self.fail("want a mapping", *path)
            format_: dict[str, Any] = each
            self.keys("format", format_, *path)
            self.text(format_, "value", *path)
            path = (*key, format_["value"])
            if "attribute-set" in format_:
                self.refer(format_, "attribute-set", self.sets, *path)
            if "fixed-header" in format_:
                self.refer(format_, "fixed-header", self.structs, *path)

    def operations(self) -> None:
        operations = self.mapped(self.content.get("operations"), "operations")
        if operations.get("enum-model", "unified") not in ("unified", "directional"):
            reason = f"want unified or directional, not {operations['enum-model']!r}"
            self.fail(reason, "operations", "enum-model")
        if operations.get("fixed-header") is not None:
            self.refer(operations, "fixed-header", self.structs, "operations")
        most = 0xFFFF if self.raw else 0xFF
        known = self.named(operations.get("list"), "operations")
        if not known:
            self.fail("list is missing", "operations", "list")
        for name, one in known.items():
            key = ("operations", name)
            self.keys("operation", one, *key)
            self.number(one, "value", most, *key)
            if one.get("attribute-set") is not None:
                self.refer(one, "attribute-set", self.sets, *key)
            if one.get("fixed-header") is not None:
                self.refer(one, "fixed-header", self.structs, *key)
            if "notify" in one:
                self.refer(one, "notify", known, *key)
            if "mcgrp" in one:
                self.refer(one, "mcgrp", self.groups, *key)
            for way in ("do", "dump"):
                mode = self.mapped(one.get(way), *key, way)
                if mode.get("dumps", _SEVERAL) != _SEVERAL:
                    self.fail(f"want {_SEVERAL}, not {mode['dumps']!r}", *key, way, "dumps")
                for side in ("request", "reply"):
                    part = self.mapped(mode.get(side), *key, way, side)
                    self.number(part, "value", most, *key, way, side)
                    if not all(isinstance(name, str) for name in self.listed(part.get("attributes"), *key, way, side)):
                        self.fail("want a list of names", *key, way, side, "attributes")
