"""Selection of records: `Match`, and `Criteria`, the base of the filters of families.

    class Links(Criteria[Link], declaration=Link):
        index: OneNumber = number("header.index")
        mtu: ManyNumbers = numbers("mtu", 0xFFFF)
        flags: SomeBits = bits("header.flags", IFF)
        flags_mask: SomeBits = mask(IFF)

    conn.dump(request, Link, match=Links(mtu=range(1280, 1500), flags=IFF.UP).match())

A match is compiled once. It runs in C, without the GIL, on each decoded record.
"""

from __future__ import annotations

import ipaddress as _ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar, dataclass_transform, overload

from netlink._engine.match import Condition, Match
from netlink._engine.record import NL_K_EVENT, Field, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from enum import IntFlag
    from typing import Never, Self

    from netlink._io.source import Kind
    from netlink.bpf import Instruction

__all__ = [
    "Condition",
    "Criteria",
    "Criterion",
    "ManyNetworks",
    "ManyNumbers",
    "Match",
    "OneNumber",
    "SomeBits",
    "bits",
    "excluded",
    "fields",
    "mask",
    "networks",
    "number",
    "numbers",
    "one_of",
]

Network: TypeAlias = IPv4Network | IPv6Network
_Address: TypeAlias = str | IPv4Address | IPv6Address | Network
_In = TypeVar("_In")
_Out = TypeVar("_Out")
_C = TypeVar("_C", bound="Criteria[Any]")
_F = TypeVar("_F", bound="IntFlag")
_R = TypeVar("_R", bound=Record)

_ALL_BITS = 0xFFFFFFFF


class Criterion(Generic[_In, _Out]):
    """An argument of a filter: its valid values, and its conditions on a record. Made by the functions below."""

    def __init__(
        self,
        check: Callable[[str, Any], _Out],
        conditions: Callable[[str, Any, Criteria[Any]], Iterable[Condition]] | None = None,
        *,
        absent: Any = None,
        default_mask: Callable[[Any], int] | None = None,
        excludes: bool = False,
    ) -> None:
        self.check = check
        self.conditions = conditions
        self.absent = absent
        self.default_mask = default_mask
        self.excludes = excludes

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, instance: Criteria[Any], owner: Any) -> _Out: ...
    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else instance.given.get(self.name, self.absent)

    if TYPE_CHECKING:

        def __set__(self, instance: Criteria[Any], value: _In) -> None: ...


OneNumber: TypeAlias = Criterion[int | None, int | None]
"""The type of a `number`."""
SomeBits: TypeAlias = OneNumber
"""The type of `bits` and of their `mask`."""
ManyNumbers: TypeAlias = Criterion[int | range | Iterable[int | range] | None, tuple[int | range, ...]]
"""The type of `numbers`."""
ManyNetworks: TypeAlias = Criterion[_Address | Iterable[_Address] | None, tuple[Network, ...]]
"""The type of `networks`."""


def number(*paths: str, most: int = _ALL_BITS) -> OneNumber:
    """A criterion: the number that a field equals. paths: such as "orig.zone"; of several, the first present.

    An absent field counts as 0.
    """
    found = tuple(map(_path, paths))

    def conditions(name: str, value: int, of: Criteria[Any]) -> Iterable[Condition]:
        return [Condition(found, ((value, value),), None, True)]

    return Criterion(lambda name, value: _number(name, value, most), conditions)


def numbers(path: str, most: int = _ALL_BITS) -> ManyNumbers:
    """A criterion: the numbers that a field may equal: a number, a range (without its end), or several."""

    def conditions(name: str, value: Any, of: Criteria[Any]) -> Iterable[Condition]:
        return [Condition((_path(path),), _ranges(value))]

    return Criterion(lambda name, value: _numbers(name, value, most), conditions, absent=())


def networks(path: str) -> ManyNetworks:
    """A criterion: the addresses and networks that may contain a field: one or several, as text or of `ipaddress`."""

    def conditions(name: str, value: Any, of: Criteria[Any]) -> Iterable[Condition]:
        return [Condition((_path(path),), _collapsed(value))]

    return Criterion(_networks, conditions, absent=())


def bits(path: str, enum: type[IntFlag] | None = None) -> Any:
    """A criterion: the bits of a field. Its `mask` of the bits that count is declared after it, named with `_mask`.

    Without a value for the mask, all bits count, or the given bits of an IntFlag. An absent field counts as 0.
    """

    def conditions(name: str, value: int, of: Criteria[Any]) -> Iterable[Condition]:
        return [Condition((_path(path),), ((int(value),) * 2,), int(of.given[f"{name}_mask"]), True)]

    criterion: Criterion[Any, Any] = Criterion(
        _bits(enum), conditions, default_mask=lambda value: value if enum else _ALL_BITS
    )
    return criterion


def mask(enum: type[IntFlag] | None = None) -> Any:
    """The mask of the `bits` before it."""
    criterion: Criterion[Any, Any] = Criterion(_bits(enum))
    return criterion


def fields(path: str, cls: type[_R], *, absent_is_zero: Iterable[str] = ()) -> Criterion[_R | None, _R | None]:
    """A criterion: a nested record. The fields that are set in it must equal those of the record.

    absent_is_zero: names of fields that count as 0 if they are absent.
    """
    zero = frozenset(absent_is_zero)

    def check(name: str, value: Any) -> _R:
        if not isinstance(value, cls):
            raise TypeError(f"{name} must be a {cls.__name__}, not {value!r}")
        if not value.to_dict():
            raise ValueError(f"{name} is a {cls.__name__} without a field that is set")
        for field in cls.__fields__:
            part = getattr(value, field, None)
            if part is not None and not isinstance(part, (int, IPv4Address, IPv6Address)):
                raise TypeError(f"{name}: {field} is neither a number nor an address, and cannot be compared")
        return value

    def conditions(name: str, value: Any, of: Criteria[Any]) -> Iterable[Condition]:
        for field in cls.__fields__:
            part = getattr(value, field, None)
            where = ((*_path(path), field),)
            if isinstance(part, int):
                yield Condition(where, ((part, part),), None, field in zero)
            elif part is not None:
                yield Condition(where, (_ipaddress.ip_network(part),))

    return Criterion(check, conditions)


def one_of(path: str, enum: type[_F]) -> Criterion[_F | None, _F | None]:
    """A criterion: the flags that a field may equal, such as the event of a record in a stream."""
    every = " and ".join(", ".join(str(member.name) for member in enum).rsplit(", ", 1))

    def check(name: str, value: Any) -> _F:
        wrong = f"{name} must be one or more of {every}, not {value!r}"
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(wrong)
        if not value or value & ~sum(map(int, enum)):
            raise ValueError(wrong)
        return enum(value)

    def conditions(name: str, value: Any, of: Criteria[Any]) -> Iterable[Condition]:
        return [Condition((_path(path),), tuple((int(member), int(member)) for member in value))]

    return Criterion(check, conditions)


def excluded(cls: Callable[[], type[_C]]) -> Criterion[_C | Iterable[_C], tuple[_C, ...]]:
    """A criterion: filters of records to leave out. cls: returns their class, which may still be undefined."""

    def check(name: str, value: Any) -> tuple[_C, ...]:
        of = cls()
        try:
            others: tuple[_C, ...] = (value,) if isinstance(value, of) else tuple(value)
        except TypeError:
            raise TypeError(f"{name} takes a {of.__name__} or several, not {value!r}") from None
        for other in others:
            if not isinstance(other, of):
                raise TypeError(f"{name} takes a {of.__name__} or several, not {other!r}")
            if other.given.get(name):
                raise ValueError(f"{name}: a {of.__name__} that is excluded cannot have {name} itself")
        return others

    return Criterion(check, absent=(), excludes=True)


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Criteria(Generic[_R]):
    """The base of filters. A record matches if all given criteria hold. Immutable.

    Criteria are declared by the functions of this module. They are tested in the order of their declaration, the most
    selective one best first. A subclass of a filter inherits its criteria and adds its own after them.

    declaration, in the class statement: that of the records. event: the name of the criterion that applies only to
    records of a stream.
    """

    criteria: ClassVar[dict[str, Criterion[Any, Any]]]
    _events: ClassVar[tuple[str, ...]]  # the fields of the declaration that a stream sets
    declaration: ClassVar[type[Any]]
    event_name: ClassVar[str]

    if TYPE_CHECKING:

        @property
        def given(self) -> dict[str, Any]:
            """The given arguments by name, checked and converted, without those that have no effect."""
            ...

        @property
        def _clauses(self) -> dict[bool, list[list[Condition]]]: ...
        @property
        def _matches(self) -> dict[bool, Match[_R]]: ...

    else:
        __slots__ = ("_clauses", "_matches", "given")

    def __init_subclass__(cls, *, declaration: type[Record] | None = None, event: str = "") -> None:
        cls.criteria = getattr(cls, "criteria", {}) | {
            name: value for name, value in vars(cls).items() if isinstance(value, Criterion)
        }
        if declaration is None and not hasattr(cls, "declaration"):
            raise TypeError(f"{cls.__name__} needs declaration=, the class of the records to filter")
        if declaration is not None:
            cls.declaration = declaration
            fields = declaration.__fields__.items()
            cls._events = tuple(name for name, field in fields if field.kind == NL_K_EVENT)
        cls.event_name = event or getattr(cls, "event_name", "")
        if cls.event_name and cls.event_name not in cls.criteria:
            raise TypeError(f"{cls.__name__} has no criterion {cls.event_name!r} for its event")
        for name, criterion in cls.criteria.items():
            if criterion.default_mask is not None and f"{name}_mask" not in cls.criteria:
                raise TypeError(f"{cls.__name__}.{name} needs {name}_mask = mask() after it")

    def __init__(self, **given: Any) -> None:
        if hasattr(self, "given"):
            raise AttributeError(f"a {type(self).__name__} is immutable")
        for name in given:
            if name not in self.criteria:
                raise TypeError(f"{type(self).__name__} has no {name!r}; it has {', '.join(self.criteria)}")
        checked = {
            name: criterion.check(name, given[name])
            for name, criterion in self.criteria.items()
            if given.get(name) is not None
        }
        for name, criterion in self.criteria.items():
            if criterion.default_mask is not None:
                _check_mask(checked, name, criterion.default_mask)
        found = {name: checked[name] for name in self.criteria if name in checked and checked[name] != ()}
        for name, value in (("given", found), ("_clauses", {}), ("_matches", {})):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"a {type(self).__name__} is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"a {type(self).__name__} is immutable: cannot delete {name!r}")

    def clauses(self, events: bool = False) -> list[list[Condition]]:
        """The conditions of the filter, followed by those of each filter that it excludes.

        events: whether the records are of a stream. Records of a dump have no event: the event of the filter does not
        apply to them, and an excluded filter with an event excludes none of them.
        """
        if events not in self._clauses:
            found = [self._conditions(events)]
            for name, value in self.given.items():
                if self.criteria[name].excludes:
                    found += [other._conditions(True) for other in value]
            self._clauses[events] = found
        return self._clauses[events]

    def _conditions(self, events: bool) -> list[Condition]:
        found: list[Condition] = []
        for name, value in self.given.items():
            conditions = self.criteria[name].conditions
            if conditions is not None and (events or name != self.event_name):
                found += conditions(name, value, self)
        return found

    def match(self, events: bool = False) -> Match[_R]:
        """The filter as a match, compiled once. events: as of `clauses`."""
        events = events and self.event_name in self.given
        if events not in self._matches:
            self._matches[events] = Match(self.declaration, self.clauses(events))
        return self._matches[events]

    def matches(self, record: _R) -> bool:
        """Whether a record matches: of a stream with its event, of a dump as in a dump. TypeError for other records."""
        if type(record) is not self.declaration:
            raise TypeError(f"{type(self).__name__} filters {self.declaration.__name__} records, not {record!r}")
        return self.match(events=any(getattr(record, name) is not None for name in self._events))(record)

    def bpf(self, kinds: Collection[Kind[Any]], *, always: object) -> list[Instruction]:
        """A program by which the kernel drops the messages of a stream that do not match.

        kinds: the messages of the stream, as of `netlink.stream.open`; all others pass. always: a field of the
        declaration that every message has, such as `Flow.orig`. Messages that the program cannot decide pass, for the
        match. ValueError if the program is too long for the kernel.
        """
        from netlink._engine.bpf_filter import program

        if not isinstance(always, Field) or not always.types:
            raise TypeError(f"always must be an attribute field of {self.declaration.__name__}, not {always!r}")
        types, _ = always.types[0]
        return program(self.clauses(events=True), self.declaration, kinds, types[0])

    def without(self, name: str) -> Self:
        """The same filter without one of its criteria and its mask."""
        left = {key: value for key, value in self.given.items() if key not in (name, f"{name}_mask")}
        return type(self)(**left) if name in self.given else self

    def __eq__(self, other: object) -> bool:
        return self.given == other.given if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.given.items()))

    def __repr__(self) -> str:
        parts: list[str] = []
        for name, value in self.given.items():
            of = self.criteria.get(name.removesuffix("_mask")) if name.endswith("_mask") else None
            if of and of.default_mask and value == of.default_mask(self.given[of.name]):
                continue
            if name in self.criteria and self.criteria[name].absent == ():
                items: tuple[Any, ...] = value
                texts = [repr(str(item)) if isinstance(item, Network) else repr(item) for item in items]
                parts.append(f"{name}={texts[0] if len(texts) == 1 else '(' + ', '.join(texts) + ')'}")
            else:
                parts.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), self.given)


def _made(cls: type[_C], given: dict[str, Any]) -> _C:
    return cls(**given)


# Checks


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.split("."))


def _number(name: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int from 0 to {most}, not {value!r}")
    if not 0 <= value <= most:
        raise ValueError(f"{name} must be from 0 to {most}, not {value}")
    return int(value)


def _bits(enum: type[Any] | None) -> Callable[[str, Any], Any]:
    def check(name: str, value: Any) -> Any:
        checked = _number(name, value, _ALL_BITS)
        return checked if enum is None else enum(checked)

    return check


def _numbers(name: str, value: Any, most: int) -> tuple[int | range, ...]:
    found: list[int | range] = []
    for item in _several(name, (value,) if isinstance(value, (int, range, str, bytes)) else value):
        if isinstance(item, range):
            if item.step != 1 or not item:
                raise ValueError(f"{name}: a range must not be empty and must have a step of 1, unlike {item!r}")
            _number(name, item[-1], most)
            found.append(range(_number(name, item[0], most), item[-1] + 1))
        else:
            found.append(_number(name, item, most))
    return tuple(found)


def _networks(name: str, value: Any) -> tuple[Network, ...]:
    single = isinstance(value, (str, IPv4Address, IPv6Address, IPv4Network, IPv6Network))
    found: list[Network] = []
    for item in _several(name, (value,) if single else value):
        if not isinstance(item, (str, IPv4Address, IPv6Address, IPv4Network, IPv6Network)):
            raise TypeError(f"{name} takes addresses and networks, as text or of ipaddress, not {item!r}")
        try:
            network = _ipaddress.ip_network(item)
        except ValueError as error:
            raise ValueError(
                f"{name} takes addresses and networks such as 192.0.2.1 and 2001:db8::/32: {error}"
            ) from None
        found.append(network)
    return tuple(found)


def _several(name: str, value: Any) -> tuple[Any, ...]:
    try:
        items = tuple(value)
    except TypeError:
        raise TypeError(f"{name} takes one value or several, not {value!r}") from None
    if not items:
        raise ValueError(f"{name} is empty and matches no record: None matches any")
    return items


def _check_mask(given: dict[str, Any], name: str, default: Callable[[Any], int]) -> None:
    """Check a value against its mask, and set the default of the mask."""
    value, mask = given.get(name), given.get(f"{name}_mask")
    if value is None:
        if mask is not None:
            raise ValueError(f"{name}_mask selects bits of {name}: give {name} too")
        return
    if mask is None:
        mask = default(value)
        if not mask:
            raise ValueError(f"{name}=0 needs a {name}_mask: the bits that must not be set")
    if not mask:
        raise ValueError(f"{name}_mask must not be 0")
    if value & ~mask:
        raise ValueError(
            f"{name} {int(value):#x} has bits that {name}_mask {int(mask):#x} leaves out: no record matches"
        )
    given[f"{name}_mask"] = mask


def _ranges(given: tuple[int | range, ...]) -> tuple[tuple[int, int], ...]:
    """Sorted and merged ranges."""
    found: list[tuple[int, int]] = []
    for low, high in sorted((item[0], item[-1]) if isinstance(item, range) else (item, item) for item in given):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def _collapsed(networks: tuple[Network, ...]) -> tuple[Network, ...]:
    v4 = [network for network in networks if isinstance(network, IPv4Network)]
    v6 = [network for network in networks if isinstance(network, IPv6Network)]
    return (*_ipaddress.collapse_addresses(v4), *_ipaddress.collapse_addresses(v6))
