"""The model of a spec: its sets, enums, structs and operations by name, with the numbers that are only counted."""

# The content of a spec has no types.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from netlink.ynl.check import check
from netlink.ynl.corrections import corrected, merged
from netlink.ynl.names import class_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Attribute", "Entry", "Operation", "Spec"]


class Attribute(NamedTuple):
    """An attribute of a set: its number, and what the spec says of it."""

    name: str
    number: int
    keys: Mapping[str, Any]


class Entry(NamedTuple):
    """An entry of an enum or of flags. value: of the member, so for flags one bit."""

    name: str
    value: int
    doc: str


class Operation(NamedTuple):
    """An operation, or an event that the kernel sends unasked.

    request, reply: types of messages, or commands of a generic family; None if it has none.
    set, header: names of the attributes and of the struct before them; None for none.
    do, dump: what the spec says of the two ways; None for neither.
    notify: for an event the operation whose reply it is like. group: the multicast group, if the spec says one.
    """

    name: str
    doc: str
    request: int | None
    reply: int | None
    set: str | None
    header: str | None
    do: Mapping[str, Any] | None
    dump: Mapping[str, Any] | None
    is_event: bool
    notify: str | None
    group: str | None


class Spec:
    """A spec that is checked and corrected.

    content: as read from a file. file: its path, for errors. overrides: changes to the content, see `merged`.
    """

    def __init__(self, content: Mapping[str, Any], file: str, overrides: Mapping[str, Any] | None = None) -> None:
        content = corrected(content)
        if overrides:
            content = merged(content, overrides, file)
        opaque = check(content, file)
        self.file = file
        self.content = content
        self.name: str = content["name"]
        self.doc: str = " ".join(str(content.get("doc", "")).split())
        self.is_raw: bool = content.get("protocol") == "netlink-raw"
        self.protocol: int = content["protonum"] if self.is_raw else 16  # NETLINK_GENERIC
        self.version: int = content.get("version", 1)
        operations = content["operations"]
        self.is_directional: bool = operations.get("enum-model", "unified") == "directional"
        self.definitions: dict[str, dict[str, Any]] = {one["name"]: one for one in content.get("definitions") or ()}
        self.sets: dict[str, dict[str, Any]] = {one["name"]: one for one in content["attribute-sets"]}
        self.messages: dict[str, list[dict[str, Any]]] = {
            one["name"]: one["formats"] for one in content.get("sub-messages") or ()
        }
        groups = (content.get("mcast-groups") or {}).get("list") or ()
        self.groups: dict[str, int | None] = {one["name"]: one.get("value") for one in groups}
        self.operations = _numbered(operations, self.is_directional)
        self._opaque = opaque
        self._attributes: dict[str, dict[str, Attribute]] = {}
        self._names: dict[tuple[str, str], str] = {}

    def attributes(self, of: str) -> dict[str, Attribute]:
        """The attributes of a set by name, with those keys that a subset has from its base."""
        if of not in self._attributes:
            one = self.sets[of]
            found: dict[str, Attribute] = {}
            base = self.attributes(one["subset-of"]) if "subset-of" in one else None
            number = 1
            for keys in one.get("attributes") or ():
                name = keys["name"]
                if base is not None:
                    number, keys = base[name].number, {**base[name].keys, **keys}
                else:
                    number = keys.get("value", number)
                if (of, name) in self._opaque:
                    keys = {"type": "binary", "doc": keys.get("doc", "")}
                found[name] = Attribute(name, number, keys)
                number += 1
            self._attributes[of] = found
        return self._attributes[of]

    def entries(self, of: str, as_flags: bool = False) -> list[Entry]:
        """The entries of an enum or of flags. as_flags: use the values of an enum as numbers of bits."""
        definition = self.definitions[of]
        is_flags = as_flags or definition["type"] == "flags"
        found: list[Entry] = []
        value = definition.get("value-start", 0)
        for one in definition.get("entries") or ():
            entry: Mapping[str, Any] = one if isinstance(one, dict) else {"name": str(one)}
            value = entry.get("value", value)
            doc = " ".join(str(entry.get("doc", "")).split())
            found.append(Entry(entry["name"], 1 << value if is_flags else value, doc))
            value += 1
        return found

    @cached_property
    def unasked(self) -> dict[int, Operation]:
        """The messages that the kernel sends to multicast groups, by type or command.

        A raw family's are also those of the operations that it acknowledges: RTM_NEWADDR is a request and an event.
        """
        found: dict[int, Operation] = {}
        if self.groups:
            for operation in self.operations.values():
                if operation.is_event and operation.reply is not None and operation.set is not None:
                    found.setdefault(operation.reply, operation)
            for operation in self.operations.values() if self.is_raw else ():
                if operation.do is not None and "reply" not in operation.do and operation.set is not None:
                    found.setdefault(operation.request or 0, operation)
        return found

    @cached_property
    def with_event(self) -> set[str | None]:
        """The sets of messages that come unasked."""
        return {operation.set for operation in self.unasked.values()}

    @cached_property
    def on_top(self) -> set[str | None]:
        """The sets whose messages have more than their attributes."""
        return self.with_event | {op.set for op in self.operations.values() if op.header is not None}

    def class_name(self, kind: str, name: str) -> str:
        """The name of a class, unique in the spec. kind: "definitions" or "sets"."""
        if not self._names:
            taken: set[str] = set()
            for what, names in (("definitions", self.definitions), ("sets", self.sets)):
                for each in names:
                    found = class_name(each)
                    if found in taken:
                        found = class_name(f"{each}-set" if what == "sets" else f"{each}-type")
                    while found in taken:
                        found += "_"
                    taken.add(found)
                    self._names[what, each] = found
        return self._names[kind, name]


def _numbered(operations: Mapping[str, Any], is_directional: bool) -> dict[str, Operation]:
    """The operations by name, with their numbers: those without one count on from the operation before."""
    found: dict[str, Operation] = {}
    request = reply = 1
    header = operations.get("fixed-header")
    by_name = {one["name"]: one for one in operations["list"]}
    for one in operations["list"]:
        is_event = "notify" in one or "event" in one
        mode = one.get("do") or one.get("dump") or {}
        numbers: tuple[int | None, int | None]
        if not is_directional:
            request = reply = one.get("value", request)
            numbers = (None if is_event else request), reply
            request = reply = request + 1
        elif is_event:
            reply = one.get("value", reply)
            numbers = None, reply
            reply += 1
        else:
            request = (mode.get("request") or {}).get("value", request)
            reply = (mode.get("reply") or {}).get("value", reply)
            numbers = request, reply if "reply" in mode else None
            request += 1
            reply += "reply" in mode
        like: Mapping[str, Any] = by_name.get(one.get("notify", ""), {})
        found[one["name"]] = Operation(
            name=one["name"],
            doc=" ".join(str(one.get("doc", "")).split()),
            request=numbers[0],
            reply=numbers[1],
            set=one.get("attribute-set") or like.get("attribute-set"),
            header=one.get("fixed-header") or like.get("fixed-header") or header,
            do=(one["do"] or {}) if "do" in one else None,
            dump=(one["dump"] or {}) if "dump" in one else None,
            is_event=is_event,
            notify=one.get("notify"),
            group=one.get("mcgrp"),
        )
    return found
