"""Python source that declares the family of a spec, for a person to go on from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netlink.consts import Family as Protocol
from netlink.schema import Record, Struct
from netlink.ynl.declarations import Later, Recipe
from netlink.ynl.names import constant, identifier
from netlink.ynl.uapi import entry_name, member_name, operation_prefix, prefix, struct_name, upper

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netlink.ynl.family import SpecFamily
    from netlink.ynl.spec import Entry, Operation

__all__ = ["source"]

_WIDTH = 120
_TUPLE_WIDTH = 100  # on one line
_CASES_WIDTH = 60  # of the types of a submessage on one line
_ANNOTATIONS = {
    **dict.fromkeys(("string", "mac", "lladdr"), ("Str", "str")),
    "binary": ("Bytes", "bytes"),
    "flag": ("Flag", "bool"),
    "ipv4": ("IPv4", "IPv4Address"),
    "ipv6": ("IPv6", "IPv6Address"),
    "ip": ("IP", "IPv4Address | IPv6Address"),
    "bitfield32": ("Bits", "Bitfield32"),
}


def source(family: type[SpecFamily[Any]]) -> str:
    """The source of a module: enums, structs, sets, commands and the family with its operations and groups.

    It has the names and numbers of the spec. Each line has the name of the kernel's headers, if they have one.
    """
    return _Writer(family).module()


class _Writer:
    def __init__(self, family: type[SpecFamily[Any]]) -> None:
        self.family = family
        self.spec = family.spec
        self.declarations = family.declarations
        self.imports: dict[str, set[str]] = {}
        self.fields: set[str] = set()  # of the class that is being written: they hide names of the vocabulary
        self.asked: dict[str, Any] = {}
        for name, operation in self.spec.operations.items():
            made = self.declarations.message(operation.set, operation.header)
            if not operation.is_event:
                self.asked[name] = made

    def use(self, name: str, module: str = "netlink.schema") -> str:
        """A name of a module, which is imported."""
        self.imports.setdefault(module, set()).add(name)
        return name.rpartition(" as ")[2]

    def kind(self, name: str) -> str:
        """The name of a function of the vocabulary in the class that is being written."""
        if name in self.fields:
            self.use("schema", "netlink")
            return f"schema.{name}"
        return self.use(name)

    def module(self) -> str:
        enums = [self.enum(made, entries) for made, entries in self.declarations.entries.items()]
        classes = [self.declared(made, fields) for made, fields in self.declarations.recipes.items()]
        numbers = [*self.numbers()]
        family = self.family_class()
        parts = [self.head(), *enums, *classes, *numbers, family]
        return "\n\n\n".join(parts) + "\n"

    def head(self) -> str:
        lines = [f'"""The family {self.spec.name}, declared from its specification."""', "", _FUTURE, ""]
        groups: list[list[str]] = [[], []]
        for module in sorted(self.imports):
            names = sorted(self.imports[module], key=_import_order)
            line = f"from {module} import {', '.join(names)}"
            if len(line) > _WIDTH:
                line = f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"
            groups[module.startswith("netlink")].append(line)
        return "\n".join([*lines, "\n\n".join("\n".join(group) for group in groups if group)])

    # Enums

    def enum(self, made: type[Any], entries: list[Entry]) -> str:
        base = self.use(made.__mro__[1].__name__, "enum")
        of = self.declarations.definition_of(made)
        lines = [f"class {made.__name__}({base}):"]
        values = {entry.value: entry.name for entry in reversed(entries)}
        for name, member in made.__members__.items():
            value = f"{member.value:#x}" if base == "IntFlag" else str(member.value)
            known = self.message_name(values[member.value]) if of is None else self.entry(of, values[member.value])
            lines.append(f"    {name} = {value}{_comment(known)}")
        if not entries:
            lines.append("    pass")
        return "\n".join(lines)

    def entry(self, of: str, name: str) -> str:
        """The kernel's name of an entry of an enum."""
        own = f"{of}-" if self.spec.is_raw else f"{self.spec.name}-{of}-"
        return self.kernel_name(of, name, self.spec.definitions[of].get("name-prefix", own))

    def kernel_name(self, of: str, name: str, otherwise: str) -> str:
        """A name of the kernel's headers; "" without one. otherwise: the prefix, unless the headers have another."""
        found = entry_name(self.spec.name, of, name)
        return upper((prefix(self.spec.name, of) or otherwise) + name) if found is None else found

    def message_name(self, name: str) -> str:
        """The kernel's name of an operation or event. That of a raw family is that of its messages."""
        operations: Mapping[str, Any] = self.spec.content["operations"]
        own = "rtm-" if self.spec.protocol == Protocol.ROUTE else "" if self.spec.is_raw else f"{self.spec.name}-cmd-"
        found = entry_name(self.spec.name, "operations", name)
        before = operation_prefix(self.spec.name) or operations.get("name-prefix", own)
        return upper(before + (name.removesuffix("-ntf") if self.spec.is_raw else name)) if found is None else found

    def numbers(self) -> Iterator[str]:
        """The enums of commands and of groups."""
        members: dict[str, str] = {}
        lines = [f"class Command({self.use('IntEnum', 'enum')}):"]
        for name in self.asked:
            member = constant(name, members)
            members[member] = name
            lines.append(f"    {member} = {self.spec.operations[name].request}{_comment(self.message_name(name))}")
        if len(lines) > 1:
            yield "\n".join(lines)
        numbered = {name: number for name, number in self.spec.groups.items() if number is not None}
        if numbered and self.spec.is_raw:
            lines = ["class Group(IntEnum):"]
            for name, number in numbered.items():
                found = entry_name(self.spec.name, "groups", name)
                lines.append(f"    {constant(name)} = {number}{_comment(upper(name) if found is None else found)}")
            yield "\n".join(lines)

    # Structs and sets

    def declared(self, made: type[Any], fields: Mapping[str, Recipe]) -> str:
        options = [f"{name}={self.text(value)}" for name, value in self.declarations.options[made].items()]
        bases = [self.use(made.__mro__[1].__name__), *options]
        struct, comments = self.comments(made)
        lines = [f"class {made.__name__}({', '.join(bases)}):{_comment(struct)}"]
        if len(lines[0]) > _WIDTH:
            lines = [f"class {made.__name__}(", *(f"    {one}," for one in bases), f"):{_comment(struct)}"]
        header = made.__fields__.get("header")
        if header is not None and not header.types and header.cls is not None:
            lines.append(f"    header: {header.cls.__name__} | None = None")
        self.fields = fields.keys() - {"event"}
        for name, recipe in fields.items():
            left = f"    {name}"
            if recipe.kind != "pad":
                left += f": {self.annotation(recipe)}"
            width = len(left.rpartition("\n")[2])
            comment = _comment(comments.get(name, ""))
            lines.append(f"{left} = {self.call(recipe, width + len(comment))}{comment}")
        if len(lines) == 1:
            lines.append("    pass")
        return "\n".join(lines)

    def comments(self, made: type[Any]) -> tuple[str, dict[str, str]]:
        """The struct of the kernel's headers that a class is, or "", and the names of its fields there."""
        names = self.declarations.names[made]
        if issubclass(made, Struct):
            name, patterns = struct_name(self.spec.name, self.declarations.definition_of(made) or "")
            return (f"struct {name}", {f: member_name(patterns, n) for f, n in names.items()}) if name else ("", {})
        variant = self.declarations.variant_of(made)
        if variant is None:
            return "", {}
        one = self.spec.sets[variant.set]
        base = one.get("subset-of", variant.set)
        named: Mapping[str, Any] = self.spec.sets[base]
        known = named.get("name-prefix")
        if known is None:
            known = f"{base.removesuffix('-attrs')}-" if self.spec.is_raw else f"{self.spec.name}-a-"
            siblings = self.spec.attributes(base)
            if self.spec.is_raw and len(siblings) > 1 and len({name.partition("-")[0] for name in siblings}) == 1:
                known = ""  # all have the kernel's: "rta-dst"
            if not self.spec.is_raw and base != self.spec.name:
                known += f"{base}-"
        found: dict[str, str] = {}
        attributes = self.spec.attributes(variant.set)
        for field, name in names.items():
            if name in attributes and field not in variant.keys:
                found[field] = self.kernel_name(base, name, attributes[name].keys.get("name-prefix", known))
        return "", found

    def annotation(self, recipe: Recipe) -> str:
        kind = recipe.kind
        if kind in ("nested", "struct"):
            return f"{self.use('Field')}[{self.name(recipe.args[1])} | None]"
        if kind in ("repeated", "array", "packed"):
            item = recipe.args[1]
            if kind == "packed" and isinstance(item, Recipe) and recipe.options:
                item = Recipe(item.kind, (), recipe.options)
            return f"{self.use('Items')}[{self.item(item)}]"
        if kind == "submessage":
            cases = [*dict.fromkeys(self.name(case) for case in recipe.options["cases"].values()), "bytes", "None"]
            short = " | ".join(cases)
            return f"{self.use('Field')}[{short if len(short) < _CASES_WIDTH else _rows(cases)}]"
        if kind in _ANNOTATIONS:
            return self.use(_ANNOTATIONS[kind][0])
        enum = recipe.args[0] if kind == "event" else recipe.options.get("enum")
        return self.use("Int") if enum is None else f"{self.use('Member')}[{enum.__name__}]"

    def item(self, item: Any) -> str:
        """The type of an item of a list."""
        if not isinstance(item, Recipe):
            return self.name(item)
        if item.kind in _ANNOTATIONS:
            name = _ANNOTATIONS[item.kind][1]
            for address in ("IPv4Address", "IPv6Address"):
                if address in name:
                    self.use(address, "ipaddress")
            return self.use(name) if name == "Bitfield32" else name
        enum = item.options.get("enum")
        return "int" if enum is None else str(enum.__name__)

    @staticmethod
    def name(declaration: Any) -> str:
        return declaration.name if isinstance(declaration, Later) else str(declaration.__name__)

    def call(self, recipe: Recipe, beside: int) -> str:
        """The source of a recipe. beside: the width of the rest of its line."""
        arguments = [self.text(arg) for arg in recipe.args]
        if recipe.kind == "submessage":
            on, cases = recipe.options["on"], recipe.options["cases"]
            rows = "".join(f"            {self.key(key)}: {self.text(case)},\n" for key, case in cases.items())
            head = ",\n        ".join([*arguments, f"on={self.text(on)}"])
            return f"{self.kind('submessage')}(\n        {head},\n        cases={{\n{rows}        }},\n    )"
        arguments += [f"{name}={self.text(value)}" for name, value in recipe.options.items()]
        kind = self.kind(recipe.kind)
        text = f"{kind}({', '.join(arguments)})"
        if len(text) + beside + 3 <= _WIDTH:
            return text
        return f"{kind}(\n        {', '.join(arguments)}\n    )"

    def key(self, value: Any) -> str:
        return _quoted(value) if isinstance(value, str) else repr(value)

    def text(self, value: Any) -> str:
        if isinstance(value, Recipe):
            return self.call(value, 0) if value.args or value.options else self.kind(value.kind)
        if isinstance(value, Later):
            return f"lambda: {value.name}"
        if isinstance(value, type):
            return str(value.__name__)
        if isinstance(value, tuple):
            many: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
            items = [self.text(one) for one in many]
            line = f"({', '.join(items)}{',' if len(items) == 1 else ''})"
            return line if len(line) < _TUPLE_WIDTH else "(\n" + "".join(f"        {one},\n" for one in items) + "    )"
        return _quoted(value) if isinstance(value, str) else repr(value)

    # The family

    def family_class(self) -> str:
        spec = self.spec
        name = self.family.__name__
        if name in self.declarations.class_names:
            name += "Family"
        if spec.is_raw:
            base = self.use("Family", "netlink.family")
            known = spec.protocol in set(Protocol)
            protocol = f"Protocol.{Protocol(spec.protocol).name}" if known else str(spec.protocol)
            if known:
                self.use("Family as Protocol", "netlink.consts")
            options = f"protocol={protocol}"
        else:
            base = "generic." + "Family"
            self.use("generic", "netlink")
            options = f"name={_quoted(spec.name)}, version={spec.version}"
        self.use("TYPE_CHECKING", "typing")
        lines = [f"class {name}({base}[{self.use('C', 'netlink.family')}], {options}):"]
        lines += [
            "    if TYPE_CHECKING:",
            "",
            "        @property",
            f"        def calls(self) -> {name}[{self.use('Deferred', 'netlink.family')}]: ...",
            "",
        ]
        taken = set(dir(self.family.__mro__[2])) | {"calls"}
        commands: dict[str, str] = {}
        for name, made in self.asked.items():
            member = constant(name, commands)
            commands[member] = name
            lines += [f"    {line}" for line in self.operation(self.spec.operations[name], member, made, taken)]
        lines += self.groups(taken)
        return "\n".join(lines)

    def operation(self, operation: Operation, member: str, made: type[Record] | None, taken: set[str]) -> Iterator[str]:
        name = identifier(operation.name, taken)
        taken.add(name)
        request = "" if made is None else f", {made.__name__}"
        if operation.do is not None:
            reply = request if "reply" in operation.do else ""
            kind = self.use("DoMany" if "dumps" in operation.do else "Do", "netlink.family")
            yield f"{name} = {kind}(Command.{member}{request}{reply})"
        if operation.dump is not None and made is not None:
            if operation.do is not None:
                name = identifier(f"{operation.name}-dump", taken)
                taken.add(name)
            yield f"{name} = {self.use('Dump', 'netlink.family')}(Command.{member}{request})"

    def groups(self, taken: set[str]) -> Iterator[str]:
        for group, number in self.spec.groups.items():
            events = {n: op for n, op in self.spec.unasked.items() if op.group in (None, group)}
            if not events or (self.spec.is_raw and number is None):
                continue
            name = identifier(group, taken)
            taken.add(name)
            where = f"Group.{constant(group)}" if self.spec.is_raw else _quoted(group)
            listen, kind = self.use("Listen", "netlink.family"), self.use("Kind", "netlink.stream")
            event = {number: name for name, number in self.declarations.event.__members__.items()}
            yield f"    {name} = {listen}("
            yield "        ["
            for value, operation in events.items():
                made: Any = self.declarations.message(operation.set, operation.header)
                of = f"Event.{event[value & 0xFF]}"
                yield f"            {kind}({of if value < 256 else value}, {made.__name__}, {of}),"
            yield "        ],"
            yield f"        groups=[{where}],"
            yield "    )"


_FUTURE = "from __future__ import annotations"


def _rows(cases: list[str]) -> str:
    return "\n        " + "\n        | ".join(cases) + "\n    "


def _import_order(name: str) -> tuple[bool, bool, list[tuple[int, str]]]:
    """Constants, classes and functions, by name and number: the order of ruff."""
    parts = [(int(part), "") if part.isdigit() else (-1, part.lower()) for part in re.split(r"(\d+)", name)]
    return not name.isupper(), name.islower(), parts


def _quoted(text: str) -> str:
    return '"' + repr(text)[1:-1].replace('"', '\\"') + '"'


def _comment(text: str) -> str:
    return f"  # {text}" if text else ""
