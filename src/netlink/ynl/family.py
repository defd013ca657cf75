"""Families from specs: their classes, operations and streams."""

from __future__ import annotations

import os
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from netlink._io.exchange import Bindable, Bound, way
from netlink.conn import ROWS
from netlink.family import C, Do, DoMany, Dump, Family, Listen
from netlink.stream import Kind
from netlink.ynl.declarations import Declarations, Variant
from netlink.ynl.describe import family_lines, operation_lines
from netlink.ynl.errors import SpecError, near
from netlink.ynl.files import find, read
from netlink.ynl.names import class_name, identifier, normal
from netlink.ynl.spec import Spec
from netlink.ynl.values import Values

if TYPE_CHECKING:
    from netlink.schema import Record
    from netlink.stream import Stream

__all__ = ["BoundOperation", "Names", "Operation", "SpecFamily", "load"]


def load(
    source: str | os.PathLike[str] | Mapping[str, Any], *, overrides: Mapping[str, Any] | None = None
) -> type[SpecFamily[Any]]:
    """The class of a family, from its spec.

    source: a name, "ethtool", of a spec of $YNL_SPECS (folders), /usr/share/ynl/specs or Debian's package
        linux-doc-6.12; a path with a slash or an ending such as ".yaml"; or the content as a mapping, as `json.loads`
        gives it. A file is YAML, which needs PyYAML, or JSON, and may be compressed by gzip.
    overrides: changes to the content, in its form, with mappings by name for lists of named things:
        {"attribute-sets": {"link-attrs": {"attributes": {"mtu": {"type": "u32"}}}}}. Known mistakes of the kernel's
        specs are corrected before.

    Declarations are made when an operation first needs them.

    FileNotFoundError without such a spec lists near names; SpecError for a wrong one has file and key. A SpecWarning
    names what is not known and stays bytes.
    """
    if isinstance(source, Mapping):
        content, file = source, "mapping"
    elif isinstance(source, (str, os.PathLike)):
        path = find(source)
        content, file = read(path), str(path)
    else:
        raise TypeError(f"a spec is a name, a path or a mapping, not {source!r}")
    spec = Spec(content, file, overrides)
    bases: tuple[Any, ...] = (SpecFamily,)
    options: dict[str, Any] = {"protocol": spec.protocol}
    if not spec.is_raw:
        from netlink import generic

        bases = SpecFamily, generic.Family
        options = {"name": spec.name, "version": spec.version}
    namespace: dict[str, Any] = {
        "__module__": "netlink.ynl",
        "__doc__": "\n".join(family_lines(spec)),
        "spec": spec,
    }
    namespace |= _members(spec)
    name = class_name(spec.name)
    taken = {*namespace, *(name for base in bases for name in dir(base))}
    operations: dict[str, Operation] = {}
    for one in spec.operations.values():
        member = identifier(one.name, taken)
        taken.add(member)
        operations[one.name] = namespace[member] = Operation(namespace["declarations"], namespace["values"], one.name)
    namespace["operations"] = types.MappingProxyType(operations)
    return cast("type[SpecFamily[Any]]", types.new_class(name, bases, options, lambda ns: ns.update(namespace)))


def _members(spec: Spec) -> dict[str, Any]:
    declarations = Declarations(spec)
    types_: dict[str, Callable[[], Any]] = {}
    enums: dict[str, Callable[[], Any]] = {}
    consts: dict[str, int | str] = {}
    names: dict[str, Callable[[], Any]] = {}
    for name, definition in spec.definitions.items():
        if definition["type"] == "const":
            consts[name] = definition["value"]
        elif definition["type"] == "struct":
            types_[name] = names[spec.class_name("definitions", name)] = partial(declarations.struct, name)
        else:
            enums[name] = partial(declarations.enum, name)
    for name in spec.sets:
        types_[name] = names[spec.class_name("sets", name)] = partial(declarations.top, name)
        if name in spec.on_top:
            names[declarations.name_of(Variant(name))] = partial(declarations.set, Variant(name))
    return {
        "declarations": declarations,
        "values": Values(declarations),
        "types": Names(types_, names),
        "enums": Names(enums, {spec.class_name("definitions", name): make for name, make in enums.items()}),
        "consts": types.MappingProxyType(consts),
        "groups": tuple(spec.groups),
    }


class Names(Mapping[str, Any]):
    """Classes of a spec by its names, made when they are first asked for. Under their own names they are attributes."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]], attributes: Mapping[str, Callable[[], Any]]) -> None:
        self._makers = makers
        self._attributes = attributes

    def __getitem__(self, name: str) -> Any:
        if name not in self._makers:
            raise KeyError(f"there is no {name!r}{near(name, self._makers)}")
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __getattr__(self, name: str) -> Any:
        attributes: Mapping[str, Callable[[], Any]] = self.__dict__.get("_attributes", {})
        if name not in attributes:
            raise AttributeError(f"there is no {name!r}{near(name, attributes)}")
        return attributes[name]()

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._attributes]

    def __repr__(self) -> str:
        return f"<{', '.join(self._attributes)}>"


class Operation(Bindable):
    """An operation of a spec, a member of the family's class: `help(Ethtool.rings_get)` says what it takes and gives.

    name: in the spec.
    """

    def __init__(self, declarations: Declarations, values: Values, name: str) -> None:
        super().__init__(BoundOperation, values.arguments)
        self.name = name
        self._declarations = declarations
        self._values = values
        self._others: dict[Any, Any] = {}  # with flags, by kind and flags
        self.__name__ = identifier(name)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        spec = self._declarations.spec
        return "\n".join(operation_lines(spec, spec.operations[self.name], nested=False))

    @property
    def record(self) -> type[Record] | None:
        """The class of its requests and replies; None for messages without content."""
        operation = self._declarations.spec.operations[self.name]
        return self._declarations.message(operation.set, operation.header)

    def run(self, family: Any, kind: type[Any], request: Any, fields: dict[str, Any], flags: int) -> Any:
        """The result of a `Do` or a `Dump` over a family, by the way of its connection."""
        operation = self.declared(kind, flags)
        return family.conn.execute(family.call(operation, self.payload(operation, request, fields)))

    def payload(self, operation: Any, request: Any, fields: dict[str, Any]) -> bytes:
        """The payload of a request by a `Do` or `Dump`."""
        if operation.request is None:
            empty: bytes = operation.payload((), {**(request or {}), **fields})
            return empty
        content: Any = {} if request is None else request
        if fields:
            if not isinstance(content, Mapping):
                raise TypeError(f"{self.name} takes a record or its fields, not both")
            given: Mapping[str, Any] = content  # pyright: ignore[reportUnknownVariableType]
            content = {**given, **fields}
        return self._values.record(operation.request, content).encode()

    def declared(self, kind: Any, flags: int = 0) -> Any:
        """The `Do` or `Dump` of requests with flags. TypeError or ValueError for what are no flags of a header."""
        if not isinstance(flags, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"nlmsg_flags must be HeaderFlags or a number of them, not {flags!r}")
        if not 0 <= flags < 1 << 16:
            raise ValueError(f"nlmsg_flags must be of 16 bits, not {flags}")
        if flags:
            if (kind, flags) not in self._others:
                self._others[kind, flags] = self._declared(kind, flags)
            return self._others[kind, flags]
        if kind not in self.prepared:
            made = self._declared(kind, 0)
            self.prepared[kind] = made, made.request and self._values.plan(made.request)
        return self.prepared[kind][0]

    def _declared(self, kind: Any, flags: int) -> Any:
        declarations = self._declarations
        operation = declarations.spec.operations[self.name]
        if operation.is_event or operation.request is None:
            raise TypeError(f"{self.name} is an event: listen to its group")
        request = declarations.message(operation.set, operation.header)
        way = operation.do or {}
        made: Any
        if kind.many or request is None:
            made = kind(operation.request, request, request, flags=flags)
        elif "dumps" in way:
            made = DoMany(operation.request, request, flags=flags)
        elif operation.do is not None and "reply" not in way:
            made = Do(operation.request, request, flags=flags)
        else:
            made = Do(operation.request, request, request, flags=flags, optional=True)
        made.name = f"{self.__name__}.{'dump' if kind.many else 'do'}"
        return made

    def __repr__(self) -> str:
        return f"<Operation {self.name} of {self._declarations.spec.name}>"


class BoundOperation(Bound):
    """An operation of a family object.

    A request is a record, or a mapping, or keywords, or a mapping and keywords. Names have dashes or underscores. An
    enum is a member, a number or a text of the spec; flags are an IntFlag, a number, or a list of texts; addresses are
    texts; bytes may be hexadecimal digits; nested attributes are mappings. nlmsg_flags: such as `HeaderFlags.CREATE`.

    TypeError for a wrong name, which lists near names, and for a value of a wrong type; EncodeError for another wrong
    value. Both begin with the path of the attribute. OpError as of `netlink.Conn.execute`.
    """

    __slots__ = ()

    @way(Do)
    def do(self, request: Any = None, /, *, nlmsg_flags: int = 0, **fields: Any) -> Any:
        """Send a request with one message as its reply: the record, or None if the kernel only acknowledges it.

        If the spec has `dumps: multi-object` for it, the reply is any number of messages: a `Batch` of records.
        """
        return self.run(Do, request, fields, nlmsg_flags)

    @way(Dump)
    def dump(self, request: Any = None, /, *, nlmsg_flags: int = 0, **fields: Any) -> Any:
        """Request a dump: a `Batch` of records."""
        return self.run(Dump, request, fields, nlmsg_flags)

    def iter_dump(self, request: Any = None, /, *, rows: int = ROWS, nlmsg_flags: int = 0, **fields: Any) -> Any:
        """Request a dump in batches of rows: memory does not grow with the dump."""
        operation = self.operation.declared(Dump, nlmsg_flags)
        payload = self.operation.payload(operation, request, fields)
        return self.family.iterate(self.family.call(operation, payload), rows)

    def __repr__(self) -> str:
        return f"<{self.operation.name} of {self.family!r}>"


class SpecFamily(Family[C]):
    """What families from specs have, besides what all families have.

    spec: the spec as it was read and corrected.
    operations: of the class, by their names in the spec.
    types: classes of sets and structs, `types.Link` or `types["link-attrs"]`. A set of messages that is nested, too,
        has a second class, `types.LinkNest`.
    enums: enums and flags, `enums.RtmType` or `enums["rtm-type"]`. consts: numbers and texts by name.
    groups: names of the multicast groups.
    """

    spec: ClassVar[Spec]
    declarations: ClassVar[Declarations]
    values: ClassVar[Values]
    operations: ClassVar[Mapping[str, Operation]]
    types: ClassVar[Names]
    enums: ClassVar[Names]
    consts: ClassVar[Mapping[str, int | str]]
    groups: ClassVar[tuple[str, ...]]

    def __getattr__(self, name: str) -> BoundOperation:
        """AttributeError for what is no operation lists near ones. Type checkers take every name for an operation."""
        known = [operation.__name__ for operation in self.operations.values()]
        text = f"{self.spec.name} has no operation {name!r}{near(name, known)}"
        raise AttributeError(text, name=name, obj=self)

    def __getitem__(self, name: str) -> BoundOperation:
        """The operation by its name in the spec, with dashes or underscores. KeyError lists near names."""
        found = self.operations.get(name)
        if found is None:
            by_normal = {normal(known): operation for known, operation in self.operations.items()}
            found = by_normal.get(normal(name))
            if found is None:
                raise KeyError(f"{self.spec.name} has no operation {name!r}{near(name, self.operations)}")
        return BoundOperation(found, self)

    def do(self, operation: str, request: Any = None, /, *, nlmsg_flags: int = 0, **fields: Any) -> Any:
        """`family["rings-get"].do(...)`."""
        return self[operation].do(request, nlmsg_flags=nlmsg_flags, **fields)

    def dump(self, operation: str, request: Any = None, /, *, nlmsg_flags: int = 0, **fields: Any) -> Any:
        """`family["rings-get"].dump(...)`."""
        return self[operation].dump(request, nlmsg_flags=nlmsg_flags, **fields)

    @classmethod
    def member(cls, name: str) -> Any:
        """The `Do` of "rings_get.do", the `Dump` of "rings_get.dump", the `Listen` of "listen"; None without one."""
        if name == "listen":
            return cls._listen(cls.groups, None)
        operation, _, way = name.partition(".")
        found = {normal(known): each for known, each in cls.operations.items()}.get(normal(operation))
        kind = {"do": Do, "dump": Dump}.get(way)
        if found is None or kind is None or cls.spec.operations[found.name].request is None:
            return None
        return found.declared(kind)

    def listen(self, *groups: str, only: Iterable[str] | None = None, **options: Any) -> Stream[Any, Any]:
        """The messages of multicast groups, as a `netlink.stream.Stream`. The field `event` of a record names it.

        groups: their names; without one all of them. only: names of events; without it all of the groups' events.
        options: as of `netlink.family.Listen`, such as read_buffer and on_overrun.
        KeyError for an unknown name lists near ones. TypeError if the spec has no group or no event.
        """
        return self.open_stream(self._listen(groups or self.groups, only), **options)

    def open_stream(self, listen: Listen[Any], /, **options: Any) -> Stream[Any, Any]:
        """Open the stream of `listen`; a test double replaces it."""
        return listen(self, **options)

    @classmethod
    def _listen(cls, wanted: tuple[str, ...], only: Iterable[str] | None) -> Listen[Any]:
        spec = cls.spec
        if not spec.unasked:
            raise TypeError(f"{spec.name} has no events to listen to")
        numbers: list[Any] = []
        for group in wanted:
            if group not in spec.groups:
                raise KeyError(f"{spec.name} has no group {group!r}{near(group, spec.groups)}")
            number = spec.groups[group] if spec.is_raw else group
            if number is None:
                raise SpecError(spec.file, f"mcast-groups.{group}.value", "value is missing")
            numbers.append(number)
        events = {o.name: (number, o) for number, o in spec.unasked.items() if o.group is None or o.group in wanted}
        names = events if only is None else only
        kinds: list[Kind[Any]] = []
        for name in names:
            if name not in events:
                raise KeyError(f"{', '.join(wanted)} of {spec.name} has no event {name!r}{near(name, events)}")
            number, operation = events[name]
            declaration = cast("Any", cls.declarations.message(operation.set, operation.header))
            kinds.append(Kind(number, declaration, number & 0xFF))
        if not kinds:
            raise TypeError(f"{spec.name} has no events to listen to")
        listen: Listen[Any] = Listen(kinds, groups=numbers)
        listen.name = "open_stream"
        return listen

    @classmethod
    def to_dict(cls, record: Record) -> dict[str, Any]:
        """A record as a mapping of the spec's names to values that `json.dumps` takes.

        An enum is its text, or a number without one. Flags are a list of texts, and of the number that is left. Bytes
        are hexadecimal digits, addresses are text. Members of the header lie beside the attributes, or in "header" if
        an attribute has their name. "unknown" has pairs of type and payload. A request takes the same mapping.
        """
        return cls.values.mapping(record)
