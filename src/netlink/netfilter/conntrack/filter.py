"""Which flows: `Filter`, and what of it the kernel is asked to do."""

from __future__ import annotations

import errno as _errno
import ipaddress as _ipaddress
import socket as _socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, dataclass_transform, overload

from netlink._engine.match import Condition, Match
from netlink.errors import OpError
from netlink.family import Call
from netlink.netfilter.conntrack.records import (
    Command,
    Event,
    FilterFlags,
    Flow,
    Part,
    Probe,
    Status,
    Tuple,
    TupleFlags,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Generator, Iterable, Iterator
    from typing import Never, Self

    from netlink.family import Steps
    from netlink.schema import Record

__all__ = ["ABILITIES", "Filter", "abilities", "address_family", "check_flush", "part_of"]

Network: TypeAlias = IPv4Network | IPv6Network
Networks: TypeAlias = "str | IPv4Address | IPv6Address | Network | Iterable[str | IPv4Address | IPv6Address | Network]"
Numbers: TypeAlias = "int | range | Iterable[int | range]"
_In = TypeVar("_In")
_Out = TypeVar("_Out")

_ALL_BITS = 0xFFFFFFFF
_EVENTS = int(Event.NEW | Event.UPDATE | Event.DESTROY)


class _Criterion(Generic[_In, _Out]):
    """One argument of a filter.

    check: makes the value from its name and what was given. conditions: what a record is asked, from the name, the
    value and the filter. kernel: whether a kernel may be able to tell.
    """

    def __init__(
        self,
        check: Callable[[str, Any], _Out],
        conditions: Callable[[str, Any, Filter], Iterable[Condition]] | None = None,
        *,
        absent: Any = None,
        kernel: bool = False,
    ) -> None:
        self.check = check
        self.conditions = conditions
        self.absent = absent
        self.kernel = kernel

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name
        _CRITERIA[name] = self

    @overload
    def __get__(self, instance: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, instance: Filter, owner: Any) -> _Out: ...
    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else instance.given.get(self.name, self.absent)

    if TYPE_CHECKING:

        def __set__(self, instance: Filter, value: _In) -> None: ...


_CRITERIA: dict[str, _Criterion[Any, Any]] = {}


# What is allowed


def _number(name: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int from 0 to {most}, not {value!r}")
    if not 0 <= value <= most:
        raise ValueError(f"{name} must be from 0 to {most}, not {value}")
    return int(value)


def _tuple(name: str, value: Any) -> Tuple | None:
    if not isinstance(value, Tuple):
        raise TypeError(f"{name} must be a Tuple, not {value!r}")
    if not value.to_dict():
        raise ValueError(f"{name} is a Tuple without a field that is set")
    return value


def _numbers(name: str, value: Any, most: int) -> tuple[int | range, ...]:
    found: list[int | range] = []
    for item in _several(name, (value,) if isinstance(value, (int, range)) else value):
        if isinstance(item, range):
            if item.step != 1 or not item:
                raise ValueError(f"{name}: a range must have numbers, and all between its ends, unlike {item!r}")
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
        raise ValueError(f"{name} is empty, which no flow is: None is any")
    return items


def _event(name: str, value: Any) -> Event | None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"event must be one or more of NEW, UPDATE and DESTROY, not {value!r}")
    if not value or value & ~_EVENTS:
        raise ValueError(f"event must be one or more of NEW, UPDATE and DESTROY, not {value!r}")
    return Event(value)


def _bits(name: str, value: Any) -> int | None:
    return _number(name, value, _ALL_BITS)


def _status(name: str, value: Any) -> Status | None:
    return Status(_number(name, value, _ALL_BITS))


def _zone(name: str, value: Any) -> int | None:
    return _number(name, value, 0xFFFF)


def _protocols(name: str, value: Any) -> tuple[int | range, ...]:
    return _numbers(name, value, 0xFF)


def _ports(name: str, value: Any) -> tuple[int | range, ...]:
    return _numbers(name, value, 0xFFFF)


def _excluded(name: str, value: Any) -> tuple[Filter, ...]:
    excluded = (value,) if isinstance(value, Filter) else tuple(value)
    for other in excluded:
        if not isinstance(other, Filter):
            raise TypeError(f"{name} takes a Filter or several, not {other!r}")
        if other.exclude:
            raise ValueError(f"{name}: a Filter that is excluded has no exclude of its own")
    return excluded


def _check_mask(given: dict[str, Any], name: str, default: object) -> None:
    """Complete a value and the mask of its bits that count."""
    value, mask = given.get(name), given.get(f"{name}_mask")
    if value is None:
        if mask is not None:
            raise ValueError(f"{name}_mask says which bits of {name} count: give {name} too")
        return
    if mask is None:
        mask = default
        if not mask:
            raise ValueError(f"{name}=0 needs a {name}_mask: the bits that must not be set")
    if not mask:
        raise ValueError(f"{name}_mask must have a bit that counts, and is 0")
    if value & ~mask:
        raise ValueError(
            f"{name} {int(value):#x} has bits that {name}_mask {int(mask):#x} leaves out: no flow is like that"
        )
    given[f"{name}_mask"] = mask


# What is checked of every record


def _of_event(name: str, value: Event, of: Filter) -> Iterator[Condition]:
    yield Condition((("event",),), tuple((int(event), int(event)) for event in value))


def _of_numbers(name: str, value: tuple[int | range, ...], of: Filter) -> Iterator[Condition]:
    yield Condition((("orig", name),), _ranges(value))


def _of_networks(name: str, value: tuple[Network, ...], of: Filter) -> Iterator[Condition]:
    yield Condition((("orig", name),), _collapsed(value))


def _of_tuple(name: str, value: Tuple, of: Filter) -> Iterator[Condition]:
    for field in Tuple.__fields__:
        part = getattr(value, field)
        if isinstance(part, int):
            yield Condition(((name, field),), ((part, part),), None, field == "zone")
        elif part is not None:
            yield Condition(((name, field),), (_ipaddress.ip_network(part),))


def _of_bits(name: str, value: int, of: Filter) -> Iterator[Condition]:
    yield Condition(((name,),), ((int(value),) * 2,), int(of.given[f"{name}_mask"]), True)


def _of_zone(name: str, value: int, of: Filter) -> Iterator[Condition]:
    # A zone of one direction alone is told in that one's tuple.
    yield Condition(((name,), ("orig", name), ("reply", name)), ((value,) * 2,), None, True)


def _ranges(given: tuple[int | range, ...]) -> tuple[tuple[int, int], ...]:
    """In order, and none that touches another."""
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


# The filter


@dataclass_transform(kw_only_default=True, frozen_default=True)
class _Criteria:
    """The base by which type checkers know the arguments of a filter."""

    def __init__(self, **given: Any) -> None:
        raise NotImplementedError


class Filter(_Criteria):
    """Which flows are meant: those of which all that is given holds. Immutable.

    mark, mark_mask: flow.mark & mark_mask == mark; without a mask all bits count.
    status, status_mask: the same of the status; without a mask the bits of `status` must be set, whatever the others.
    zone: the conntrack zone; 0 is the one of flows that are in no other.
    orig, reply: a `Tuple`, of which the fields that are set must be the same.

    And of the original direction, where a connection is opened by its source:

    proto: the protocol's number, such as socket.IPPROTO_TCP, or several.
    src, dst: an address or a network, as text or of `ipaddress`, or several.
    src_port, dst_port: a port, a range (whose end is not in it, as ever), or several.

    event: of a stream, NEW, UPDATE, DESTROY or several (NEW | DESTROY).
    exclude: a Filter, or several: what one of them means is left out. They have no `exclude` of their own.

    What the kernel left out reads as 0 for mark, status and zone; other fields match only where they are there.
    Raises ValueError and TypeError for what cannot be.
    """

    __slots__ = ("_clauses", "_matches", "given")

    given: dict[str, Any]
    _clauses: dict[bool, list[list[Condition]]]
    _matches: dict[bool, Match[Flow]]

    # In the order in which a record is asked: what tells most apart comes first.
    event: _Criterion[Event | None, Event | None] = _Criterion(_event, _of_event)
    proto: _Criterion[Numbers | None, tuple[int | range, ...]] = _Criterion(_protocols, _of_numbers, absent=())
    src_port: _Criterion[Numbers | None, tuple[int | range, ...]] = _Criterion(_ports, _of_numbers, absent=())
    dst_port: _Criterion[Numbers | None, tuple[int | range, ...]] = _Criterion(_ports, _of_numbers, absent=())
    src: _Criterion[Networks | None, tuple[Network, ...]] = _Criterion(_networks, _of_networks, absent=())
    dst: _Criterion[Networks | None, tuple[Network, ...]] = _Criterion(_networks, _of_networks, absent=())
    orig: _Criterion[Tuple | None, Tuple | None] = _Criterion(_tuple, _of_tuple, kernel=True)
    reply: _Criterion[Tuple | None, Tuple | None] = _Criterion(_tuple, _of_tuple, kernel=True)
    mark: _Criterion[int | None, int | None] = _Criterion(_bits, _of_bits, kernel=True)
    mark_mask: _Criterion[int | None, int | None] = _Criterion(_bits, kernel=True)
    status: _Criterion[int | None, Status | None] = _Criterion(_status, _of_bits, kernel=True)
    status_mask: _Criterion[int | None, Status | None] = _Criterion(_status, kernel=True)
    zone: _Criterion[int | None, int | None] = _Criterion(_zone, _of_zone, kernel=True)
    exclude: _Criterion[Filter | Iterable[Filter], tuple[Filter, ...]] = _Criterion(_excluded, absent=())

    if not TYPE_CHECKING:

        def __init__(self, **given: Any) -> None:
            if hasattr(self, "given"):
                raise AttributeError("a Filter is immutable")
            for name in given:
                if name not in _CRITERIA:
                    raise TypeError(f"Filter has no {name!r}; it has {', '.join(_CRITERIA)}")
            checked = {
                name: criterion.check(name, given[name])
                for name, criterion in _CRITERIA.items()
                if given.get(name) is not None
            }
            _check_mask(checked, "mark", _ALL_BITS)
            _check_mask(checked, "status", checked.get("status"))
            found = {name: checked[name] for name in _CRITERIA if name in checked and checked[name] != ()}
            object.__setattr__(self, "given", found)
            object.__setattr__(self, "_clauses", {})
            object.__setattr__(self, "_matches", {})
            address_family(self)

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"a Filter is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"a Filter is immutable: cannot delete {name!r}")

    def clauses(self, events: bool = False) -> list[list[Condition]]:
        """The conditions of the filter, and behind them those of each filter that it excludes.

        events: whether the records are of a stream. A flow of a dump has no event: the filter's does not count there,
        and what excludes an event excludes nothing.
        """
        if events not in self._clauses:
            self._clauses[events] = [self._conditions(events), *(other._conditions(True) for other in self.exclude)]
        return self._clauses[events]

    def _conditions(self, events: bool) -> list[Condition]:
        found: list[Condition] = []
        for name, value in self.given.items():
            conditions = _CRITERIA[name].conditions
            if conditions is not None and (events or name != "event"):
                found += conditions(name, value, self)
        return found

    def match(self, events: bool = False) -> Match[Flow]:
        """What a reader leaves records out by, compiled once. events: as of `clauses`."""
        events = events and self.event is not None
        if events not in self._matches:
            self._matches[events] = Match(Flow, self.clauses(events))
        return self._matches[events]

    def without_event(self) -> Filter:
        """The same filter for dumps."""
        return Filter(**{**self.given, "event": None}) if self.event is not None else self

    @property
    def needs_abilities(self) -> bool:
        """Whether it matters what the kernel can do."""
        return any(_CRITERIA[name].kernel for name in self.given)

    def __eq__(self, other: object) -> bool:
        return self.given == other.given if isinstance(other, Filter) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.given.items()))

    def __repr__(self) -> str:
        parts: list[str] = []
        for name, value in self.given.items():
            if (name == "mark_mask" and value == _ALL_BITS) or (name == "status_mask" and value == self.status):
                continue
            if isinstance(value, tuple):
                texts = [repr(str(item)) if name in ("src", "dst") else repr(item) for item in value]
                parts.append(f"{name}={texts[0] if len(texts) == 1 else '(' + ', '.join(texts) + ')'}")
            else:
                parts.append(f"{name}={value!r}")
        return f"Filter({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self.given,)


def _made(values: dict[str, Any]) -> Filter:
    return Filter(**values)


def address_family(wanted: Filter | None, family: int | None = None) -> int:
    """The one that the tuples' addresses and family are of, AF_UNSPEC where there is none. ValueError for two."""
    if family not in (None, _socket.AF_INET, _socket.AF_INET6):
        raise ValueError(
            f"family must be AF_INET ({_socket.AF_INET:d}), AF_INET6 ({_socket.AF_INET6:d}) or None, not {family!r}"
        )
    found: set[int] = set() if family is None else {int(family)}
    for one in (wanted.orig, wanted.reply) if wanted is not None else ():
        for address in (one.src, one.dst) if one is not None else ():
            if address is not None:
                found.add(int(_socket.AF_INET if address.version == 4 else _socket.AF_INET6))
    if len(found) > 1:
        raise ValueError("family and the addresses of orig and reply must be of one address family")
    return found.pop() if found else int(_socket.AF_UNSPEC)


# What the kernel does

_REFUSALS = (_errno.ERANGE, _errno.EINVAL, _errno.ENOENT, _errno.EOPNOTSUPP)
ABILITIES = frozenset({"mark", "status", "zone", "orig", "reply", "flush"})  # all of them
_VERSION_FAMILY = 1  # nfgenmsg.version from which nfgenmsg.nfgen_family counts for a flush


def abilities(protocol: int) -> Steps[frozenset[str]]:
    """What this kernel's ctnetlink can do of a filter: names of `Filter`, and "flush".

    Asked of the kernel, which ignores what it does not know. An attribute of a wrong width is ERANGE where it is known,
    before anything else is looked at. Every request names a tuple of no address family, which no flow can have, so that
    nothing is ever found, or deleted. OpError for whatever is no answer to that.

    "mark" and "status" hold for dumps and flushes alike; "orig", "reply" for dumps; "flush" says that flushes heed the
    tuples, too, and with that came "zone".
    """
    nobody = Tuple(src="0.0.0.0", dst="0.0.0.0", proto=255)

    def answer(command: Command, request: Record) -> Generator[Call[None], None, int | None]:
        try:
            yield Call(command, request.encode(), protocol=protocol)
        except OpError as error:
            if error.errno not in _REFUSALS:
                raise
            return error.errno
        return None

    found: set[str] = set()
    if (yield from answer(Command.GET, Probe(orig=nobody, filter=b"?"))) == _errno.ERANGE:
        found |= {"mark", "orig"}
        # A kernel whose flushes heed CTA_FILTER misses the tuple that the flags are of; any other looks for the flow.
        refused = Part(orig=nobody, filter=FilterFlags(reply_flags=TupleFlags.src))
        if (yield from answer(Command.DELETE, refused)) == _errno.EINVAL:
            found |= {"zone", "flush"}
    if (yield from answer(Command.GET, Probe(orig=nobody, status_mask=b"?"))) == _errno.ERANGE:
        found |= {"status", "reply"}  # older ones read the reply tuple by the flags of the other one
    return frozenset(found)


def part_of(
    wanted: Filter | None, family: int | None, able: Container[str], flush: bool = False
) -> tuple[Part, list[str]]:
    """What the kernel is asked for of a filter, and the names of what it leaves to do.

    able: its `abilities`. flush: the request is for a flush and not for a dump.
    """
    number = address_family(wanted, family)
    values: dict[str, Any] = {"family": number, "version": _VERSION_FAMILY if number else 0}
    left: set[str] = set()
    if wanted is not None:
        asked = wanted.given
        for name in ("mark", "status", "zone"):
            if name in asked:
                if name in able:
                    values |= {key: asked[key] for key in (name, f"{name}_mask") if key in asked}
                else:
                    left.add(name)
        flags: dict[str, TupleFlags] = {}
        for name in ("orig", "reply"):
            if name in asked:
                can = name in able and (not flush or "flush" in able)
                fields = _comparable(asked[name], number) if can else {}
                if fields:
                    values[name] = Tuple(**fields)
                    flags[f"{name}_flags"] = TupleFlags(sum(TupleFlags[field] for field in fields))
                if fields.keys() != asked[name].to_dict().keys():
                    left.add(name)
        if flags:
            values["filter"] = FilterFlags(**flags)
        left |= {name for name in asked if not _CRITERIA[name].kernel}
    return Part(**values), sorted(left)


def _comparable(one: Tuple, family: int) -> dict[str, Any]:
    """The fields of a tuple that ctnetlink_filter_match_tuple compares.

    It wants the family, and the protocol with ports; it heeds the ports of TCP and UDP alone; and of IPv6 addresses it
    takes those that are not the same (still in Linux 6.18).
    """
    if not family:
        return {}
    names = {"proto"}
    if family == _socket.AF_INET:
        names |= {"src", "dst"}
    if one.proto in (_socket.IPPROTO_TCP, _socket.IPPROTO_UDP):
        names |= {"src_port", "dst_port"}
    return {name: value for name in names if (value := getattr(one, name)) is not None}


def check_flush(wanted: Filter) -> None:
    """ValueError for a filter that means what no flush is limited by."""
    asked = wanted.given
    beyond = {name for name in asked if not _CRITERIA[name].kernel}
    if beyond:
        raise ValueError(
            f"a flush is limited by mark, status, zone, orig and reply, not by {', '.join(sorted(beyond))}"
        )
    if not asked:
        raise ValueError("the filter means every flow: call flush() without one for that")
