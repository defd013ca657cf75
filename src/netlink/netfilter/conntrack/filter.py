"""Which flows: `Filter`, and what of it the kernel is asked to do."""

from __future__ import annotations

import errno as _errno
import ipaddress as _ipaddress
import socket as _socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from netlink._codec import Attribute, marshal_attributes
from netlink._engine.match import Condition, Match
from netlink.consts import HeaderFlags, NetfilterSubsystem
from netlink.errors import OpError
from netlink.netfilter._nfnetlink import NfGenMsg, request
from netlink.netfilter.conntrack.records import Event, Flow, Status, Tuple
from netlink.schema import AttributeSet, Field, Int, be16, be32, nested, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator
    from typing import Any, Never

    from netlink._codec import Message

    Network = IPv4Network | IPv6Network
    Networks = str | IPv4Address | IPv6Address | Network | Iterable[str | IPv4Address | IPv6Address | Network]
    Numbers = int | range | Iterable[int | range]

__all__ = ["Filter", "abilities", "address_family", "check_flush", "clauses", "kernel_payload", "match"]

_ALL_BITS = 0xFFFFFFFF
_EVENTS = int(Event.NEW | Event.UPDATE | Event.DESTROY)


class Filter:
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

    __slots__ = (
        "dst",
        "dst_port",
        "event",
        "exclude",
        "mark",
        "mark_mask",
        "orig",
        "proto",
        "reply",
        "src",
        "src_port",
        "status",
        "status_mask",
        "zone",
    )

    mark: int | None
    mark_mask: int | None
    status: Status | None
    status_mask: Status | None
    zone: int | None
    orig: Tuple | None
    reply: Tuple | None
    proto: tuple[int | range, ...]
    src: tuple[Network, ...]
    dst: tuple[Network, ...]
    src_port: tuple[int | range, ...]
    dst_port: tuple[int | range, ...]
    event: Event | None
    exclude: tuple[Filter, ...]

    def __init__(
        self,
        *,
        mark: int | None = None,
        mark_mask: int | None = None,
        status: int | None = None,
        status_mask: int | None = None,
        zone: int | None = None,
        orig: Tuple | None = None,
        reply: Tuple | None = None,
        proto: Numbers | None = None,
        src: Networks | None = None,
        dst: Networks | None = None,
        src_port: Numbers | None = None,
        dst_port: Numbers | None = None,
        event: Event | None = None,
        exclude: Filter | Iterable[Filter] = (),
    ) -> None:
        if hasattr(self, "exclude"):
            raise AttributeError("a Filter is immutable")
        mark, mark_mask = _masked("mark", mark, mark_mask, _ALL_BITS)
        status, status_mask = _masked("status", status, status_mask, status)
        excluded = (exclude,) if isinstance(exclude, Filter) else tuple(exclude)
        for other in excluded:
            if not isinstance(other, Filter):
                raise TypeError(f"exclude takes a Filter or several, not {other!r}")
            if other.exclude:
                raise ValueError("exclude: a Filter that is excluded has no exclude of its own")
        values: dict[str, Any] = {
            "mark": mark,
            "mark_mask": mark_mask,
            "status": None if status is None else Status(status),
            "status_mask": None if status_mask is None else Status(status_mask),
            "zone": None if zone is None else _number("zone", zone, 0xFFFF),
            "orig": _tuple("orig", orig),
            "reply": _tuple("reply", reply),
            "proto": _numbers("proto", proto, 0xFF),
            "src": _networks("src", src),
            "dst": _networks("dst", dst),
            "src_port": _numbers("src_port", src_port, 0xFFFF),
            "dst_port": _numbers("dst_port", dst_port, 0xFFFF),
            "event": _event(event),
            "exclude": excluded,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        address_family(self)

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"a Filter is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"a Filter is immutable: cannot delete {name!r}")

    def given(self) -> dict[str, Any]:
        """What is asked for, by name."""
        found = {name: getattr(self, name) for name in Filter.__annotations__}
        return {name: value for name, value in found.items() if value is not None and value != ()}

    def __eq__(self, other: object) -> bool:
        return self.given() == other.given() if isinstance(other, Filter) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.given().items()))

    def __repr__(self) -> str:
        parts: list[str] = []
        for name, value in self.given().items():
            if (name == "mark_mask" and value == _ALL_BITS) or (name == "status_mask" and value == self.status):
                continue
            if name in ("proto", "src", "dst", "src_port", "dst_port", "exclude"):
                texts = [repr(str(item)) if name in ("src", "dst") else repr(item) for item in value]
                parts.append(f"{name}={texts[0] if len(texts) == 1 else '(' + ', '.join(texts) + ')'}")
            else:
                parts.append(f"{name}={value!r}")
        return f"Filter({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self.given(),)


def _made(values: dict[str, Any]) -> Filter:
    return Filter(**values)


# What is allowed


def _number(name: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int from 0 to {most}, not {value!r}")
    if not 0 <= value <= most:
        raise ValueError(f"{name} must be from 0 to {most}, not {value}")
    return int(value)


def _masked(name: str, value: object, mask: object, default: object) -> tuple[int | None, int | None]:
    if value is None:
        if mask is not None:
            raise ValueError(f"{name}_mask says which bits of {name} count: give {name} too")
        return None, None
    number = _number(name, value, _ALL_BITS)
    bits = _number(f"{name}_mask", default if mask is None else mask, _ALL_BITS)
    if not bits:
        if mask is None:
            raise ValueError(f"{name}=0 needs a {name}_mask: the bits that must not be set")
        raise ValueError(f"{name}_mask must have a bit that counts, and is 0")
    if number & ~bits:
        raise ValueError(f"{name} {number:#x} has bits that {name}_mask {bits:#x} leaves out: no flow is like that")
    return number, bits


def _tuple(name: str, value: Tuple | None) -> Tuple | None:
    if value is None:
        return None
    if not isinstance(value, Tuple):
        raise TypeError(f"{name} must be a Tuple, not {value!r}")
    if not value.to_dict():
        raise ValueError(f"{name} is a Tuple without a field that is set")
    return value


def _numbers(name: str, value: Numbers | None, most: int) -> tuple[int | range, ...]:
    if value is None:
        return ()
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


def _networks(name: str, value: Networks | None) -> tuple[Network, ...]:
    if value is None:
        return ()
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


def _event(value: Event | None) -> Event | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"event must be one or more of NEW, UPDATE and DESTROY, not {value!r}")
    if not value or value & ~_EVENTS:
        raise ValueError(f"event must be one or more of NEW, UPDATE and DESTROY, not {value!r}")
    return Event(value)


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


# What is checked of every record


def match(wanted: Filter | None, events: bool = False) -> Match[Flow] | None:
    """What a reader leaves records out by; None for nothing. events: whether the records are of a stream."""
    return None if wanted is None else Match(Flow, clauses(wanted, events))


def clauses(wanted: Filter, events: bool) -> list[list[Condition]]:
    """The conditions of a filter, and behind them those of each filter that it excludes. A flow of a dump has no event:
    the filter's does not count there, and what excludes an event excludes nothing."""
    return [_tests(wanted, events), *(_tests(other, True) for other in wanted.exclude)]


def _tests(wanted: Filter, events: bool) -> list[Condition]:
    tests: list[Condition] = []
    # What tells most apart comes first.
    if events and wanted.event is not None:
        tests.append(Condition((("event",),), tuple((int(event), int(event)) for event in wanted.event)))
    for numbers in ("proto", "src_port", "dst_port"):
        given: tuple[int | range, ...] = getattr(wanted, numbers)
        if given:
            tests.append(Condition((("orig", numbers),), _ranges(given)))
    for addresses in ("src", "dst"):
        networks: tuple[Network, ...] = getattr(wanted, addresses)
        if networks:
            tests.append(Condition((("orig", addresses),), _collapsed(networks)))
    for direction in ("orig", "reply"):
        one: Tuple | None = getattr(wanted, direction)
        if one is not None:
            tests.extend(_tuple_tests(direction, one))
    if wanted.mark is not None:
        tests.append(Condition((("mark",),), ((wanted.mark, wanted.mark),), wanted.mark_mask, True))
    if wanted.status is not None and wanted.status_mask is not None:
        tests.append(Condition((("status",),), ((int(wanted.status),) * 2,), int(wanted.status_mask), True))
    if wanted.zone is not None:
        # A zone of one direction alone is told in that one's tuple.
        tests.append(Condition((("zone",), ("orig", "zone"), ("reply", "zone")), ((wanted.zone,) * 2,), None, True))
    return tests


def _tuple_tests(direction: str, one: Tuple) -> Iterator[Condition]:
    for name in Tuple.__fields__:
        value = getattr(one, name)
        if isinstance(value, int):
            yield Condition(((direction, name),), ((value, value),), None, name == "zone")
        elif value is not None:
            yield Condition(((direction, name),), (_ipaddress.ip_network(value),))


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


# What the kernel does


class FilterFlags(AttributeSet):
    """CTA_FILTER_*: which fields of the tuples count, in host byte order."""

    orig_flags: Int = u32(1)  # CTA_FILTER_ORIG_FLAGS
    reply_flags: Int = u32(2)  # CTA_FILTER_REPLY_FLAGS


class Request(AttributeSet, header=NfGenMsg):
    """What a request for a dump or a flush is limited by."""

    header: NfGenMsg | None = None
    orig: Field[Tuple | None] = nested(1, Tuple)  # CTA_TUPLE_ORIG
    reply: Field[Tuple | None] = nested(2, Tuple)  # CTA_TUPLE_REPLY
    status: Int = be32(3)  # CTA_STATUS
    mark: Int = be32(8)  # CTA_MARK
    zone: Int = be16(18)  # CTA_ZONE
    mark_mask: Int = be32(21)  # CTA_MARK_MASK
    filter: Field[FilterFlags | None] = nested(25, FilterFlags)  # CTA_FILTER
    status_mask: Int = be32(26)  # CTA_STATUS_MASK


# CTA_FILTER_F_*, net/netfilter/nf_internals.h
_FLAGS = {"src": 1 << 0, "dst": 1 << 1, "proto": 1 << 3, "src_port": 1 << 4, "dst_port": 1 << 5}
# What the kernel can be asked for, if it is of a kind that does it.
_KERNELS = {"mark", "mark_mask", "status", "status_mask", "zone", "orig", "reply"}
_ACK = int(HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE)
_GET, _DELETE = 1, 2  # IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE
_FILTER, _STATUS_MASK = 25, 26  # CTA_FILTER, CTA_STATUS_MASK
_VERSION_FAMILY = 1  # nfgenmsg.version from which nfgenmsg.nfgen_family counts for a flush


def abilities(execute: Callable[[Message], object]) -> frozenset[str]:
    """What this kernel's ctnetlink can do of a filter: names of `Filter`, and "flush".

    Asked of the kernel, which ignores what it does not know. An attribute of a wrong width is ERANGE where it is known,
    before anything else is looked at. Every request names a tuple of no address family, which no flow can have, so that
    nothing is ever found, or deleted. execute: of a connection. OpError for whatever is no answer to that.

    "mark" and "status" hold for dumps and flushes alike; "orig", "reply" for dumps; "flush" says that flushes heed the
    tuples, too, and with that came "zone".
    """
    nobody = Request(header=NfGenMsg(), orig=Tuple(src="0.0.0.0", dst="0.0.0.0", proto=255))

    def answer(message: int, payload: bytes) -> int | None:
        try:
            execute(request(NetfilterSubsystem.CTNETLINK, message, _ACK, payload))
        except OpError as error:
            if error.errno not in (_errno.ERANGE, _errno.EINVAL, _errno.ENOENT, _errno.EOPNOTSUPP):
                raise
            return error.errno
        return None

    def knows(kind: int) -> bool:
        return answer(_GET, nobody.encode() + marshal_attributes([Attribute(kind, b"?")])) == _errno.ERANGE

    found: set[str] = set()
    if knows(_FILTER):
        found |= {"mark", "orig"}
        # A kernel whose flushes heed CTA_FILTER misses the tuple that the flags are of; any other looks for the flow.
        refused = Request(header=NfGenMsg(), orig=nobody.orig, filter=FilterFlags(reply_flags=_FLAGS["src"]))
        if answer(_DELETE, refused.encode()) == _errno.EINVAL:
            found |= {"zone", "flush"}
    if knows(_STATUS_MASK):
        found |= {"status", "reply"}  # older ones read the reply tuple by the flags of the other one
    return frozenset(found)


def kernel_payload(
    wanted: Filter | None, family: int | None, ask: Callable[[], Container[str]], flush: bool = False
) -> tuple[bytes, list[str]]:
    """The payload of a request that asks the kernel for what it can do of the filter, and what it leaves to do.

    ask: gives its `abilities`, called where they matter. flush: the request is for a flush and not for a dump.
    """
    number = address_family(wanted, family)
    values: dict[str, Any] = {"header": NfGenMsg(family=number, version=_VERSION_FAMILY if number else 0)}
    left: set[str] = set()
    if wanted is not None:
        asked = wanted.given()
        able = ask() if asked.keys() & _KERNELS else ()
        for name in ("mark", "status", "zone"):
            if name in asked:
                if name in able:
                    values |= {key: asked[key] for key in (name, f"{name}_mask") if key in asked}
                else:
                    left.add(name)
        flags: dict[str, int] = {}
        for name in ("orig", "reply"):
            if name in asked:
                can = name in able and (not flush or "flush" in able)
                fields = _comparable(asked[name], number) if can else {}
                if fields:
                    values[name] = Tuple(**fields)
                    flags[f"{name}_flags"] = sum(_FLAGS[field] for field in fields)
                if fields.keys() != asked[name].to_dict().keys():
                    left.add(name)
        if flags:
            values["filter"] = FilterFlags(**flags)
        left |= asked.keys() - _KERNELS
    return Request(**values).encode(), sorted(left)


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
    asked = wanted.given()
    beyond = asked.keys() - _KERNELS
    if beyond:
        raise ValueError(
            f"a flush is limited by mark, status, zone, orig and reply, not by {', '.join(sorted(beyond))}"
        )
    if not asked:
        raise ValueError("the filter means every flow: call flush() without one for that")
