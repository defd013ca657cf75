"""Filters of flows: `Filter`, and its part for the kernel."""

from __future__ import annotations

import errno as _errno
import socket as _socket
from typing import TYPE_CHECKING, Any

from netlink.errors import OpError
from netlink.family import Call
from netlink.match import (
    Criteria,
    Criterion,
    ManyNetworks,
    ManyNumbers,
    OneNumber,
    SomeBits,
    bits,
    excluded,
    fields,
    mask,
    networks,
    number,
    numbers,
    one_of,
)
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
from netlink.parts import split

if TYPE_CHECKING:
    from collections.abc import Container, Generator, Iterable

    from netlink.schema import Batch, Record

__all__ = [
    "ABILITIES",
    "Filter",
    "abilities",
    "address_family",
    "check_filter",
    "check_flush",
    "part_of",
    "parts_of",
]


class Filter(Criteria[Flow], declaration=Flow, event="event"):
    """A filter of flows. A flow matches if all given criteria hold. Immutable.

    mark, mark_mask: flow.mark & mark_mask == mark; without a mask all bits count.
    status, status_mask: the same for the status; without a mask the bits of `status` must be set, and others may be.
    zone: the conntrack zone; 0 is the default zone.
    orig, reply: a `Tuple`. The fields that are set in it must equal those of the flow.

    For the original direction, from the source that opened the connection:

    proto: the number of a protocol, such as socket.IPPROTO_TCP, or several.
    src, dst: an address or a network, as text or of `ipaddress`, or several.
    src_port, dst_port: a port, a range (without its end), or several.

    event: for streams: NEW, UPDATE, DESTROY or several (NEW | DESTROY).
    exclude: a Filter, or several: the flows that match one of them are left out. They cannot have `exclude` themselves.

    An absent mark, status or zone counts as 0. A criterion of any other field needs the field to be present.
    ValueError and TypeError for invalid arguments.
    """

    __slots__ = ()

    event: Criterion[Event | None, Event | None] = one_of("event", Event)
    proto: ManyNumbers = numbers("orig.proto", 0xFF)
    src_port: ManyNumbers = numbers("orig.src_port", 0xFFFF)
    dst_port: ManyNumbers = numbers("orig.dst_port", 0xFFFF)
    src: ManyNetworks = networks("orig.src")
    dst: ManyNetworks = networks("orig.dst")
    orig: Criterion[Tuple | None, Tuple | None] = fields("orig", Tuple, absent_is_zero=["zone"])
    reply: Criterion[Tuple | None, Tuple | None] = fields("reply", Tuple, absent_is_zero=["zone"])
    mark: SomeBits = bits("mark")
    mark_mask: SomeBits = mask()
    status: Criterion[int | None, Status | None] = bits("status", Status)
    status_mask: Criterion[int | None, Status | None] = mask(Status)
    # The zone of a single direction is in the tuple of that direction.
    zone: OneNumber = number("zone", "orig.zone", "reply.zone", most=0xFFFF)
    exclude: Criterion[Filter | Iterable[Filter], tuple[Filter, ...]] = excluded(lambda: Filter)

    if not TYPE_CHECKING:

        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            address_family(self)


def check_filter(given: object) -> None:
    """TypeError for an argument that is neither a Filter nor None."""
    if given is not None and not isinstance(given, Filter):
        raise TypeError(f"filter must be a conntrack.Filter or None, not {given!r}")


# The criteria by which a kernel may filter.
KERNELS = frozenset({"mark", "mark_mask", "status", "status_mask", "zone", "orig", "reply"})


def address_family(wanted: Filter | None, family: int | None = None) -> int:
    """The address family of the tuples and of family; AF_UNSPEC if none is given. ValueError for two."""
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
        raise ValueError("family and the addresses of orig and reply must have one address family")
    return found.pop() if found else int(_socket.AF_UNSPEC)


# The part for the kernel

_REFUSALS = (_errno.ERANGE, _errno.EINVAL, _errno.ENOENT, _errno.EOPNOTSUPP)
_ALL_BITS = 0xFFFFFFFF
_V6_ALONE = _socket.AF_INET6 & ~_socket.AF_INET  # a bit that tells the two families
ABILITIES = frozenset({"mark", "status", "zone", "orig", "reply", "flush"})  # all of them
_VERSION_FAMILY = 1  # nfgenmsg.version from which a flush heeds nfgenmsg.nfgen_family


def abilities(protocol: int) -> Generator[Call[None], None, frozenset[str]]:
    """Probe the criteria by which ctnetlink of this kernel can filter: names of `Filter`, and "flush".

    The kernel ignores attributes that it does not know. For a known attribute of a wrong width it reports ERANGE,
    before it reads anything else. Every request has a tuple without an address family, which matches no flow: nothing
    is ever found or deleted. OpError for any other error.

    "mark" and "status" apply to dumps and flushes; "orig" and "reply" to dumps. "flush": flushes heed the tuples as
    well; the same kernels have "zone".
    """
    no_flow = Tuple(src="0.0.0.0", dst="0.0.0.0", proto=255)

    def answer(command: Command, request: Record) -> Generator[Call[None], None, int | None]:
        try:
            yield Call(command, request.encode(), protocol=protocol)
        except OpError as error:
            if error.errno not in _REFUSALS:
                raise
            return error.errno
        return None

    found: set[str] = set()
    if (yield from answer(Command.GET, Probe(orig=no_flow, filter=b"?"))) == _errno.ERANGE:
        found |= {"mark", "orig"}
        # A kernel whose flushes heed CTA_FILTER reports the absent tuple of the flags; any other searches for the flow.
        refused = Part(orig=no_flow, filter=FilterFlags(reply_flags=TupleFlags.src))
        if (yield from answer(Command.DELETE, refused)) == _errno.EINVAL:
            found |= {"zone", "flush"}
    if (yield from answer(Command.GET, Probe(orig=no_flow, status_mask=b"?"))) == _errno.ERANGE:
        found |= {"status", "reply"}  # older kernels read the reply tuple by the flags of orig
    return frozenset(found)


def part_of(
    wanted: Filter | None, family: int | None, able: Container[str], flush: bool = False
) -> tuple[Part, list[str]]:
    """The part of a filter that the kernel applies, and the names of the criteria that it cannot apply.

    able: its `abilities`. flush: whether the request is a flush, and not a dump.
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
        left |= asked.keys() - KERNELS
    return Part(**values), sorted(left)


def parts_of(
    part: Part, sample: Batch[Flow], wanted: Filter | None, able: Container[str], threads: int, total: int
) -> tuple[list[Part], float]:
    """Disjoint parts of a part of the table, largest first, for some threads to dump, and their share of the table.

    sample: flows of the table. wanted: which of them the kernel selects. total: flows of the table. No parts if they
    would be no faster.

    Only what the kernel compares under a mask has an exact complement, and the family, of which there are two: a zone
    and the fields of tuples are compared for equality. A bit that the filter compares is the same in all flows.
    """
    match = None if wanted is None else wanted.match()
    seen = [
        (flow.family or 0, flow.mark or 0, int(flow.status or 0))
        for flow in sample
        if part.family in (0, flow.family) and (match is None or match(flow))
    ]
    usable = (_V6_ALONE, _ALL_BITS if "mark" in able else 0, _ALL_BITS if "status" in able else 0)
    found: list[Part] = []
    leaves = split(seen, usable, threads, total, len(sample))
    for leaf in leaves if len(leaves) > 1 else ():
        values: dict[str, int] = {}
        if leaf.masks[0]:
            values["family"] = int(_socket.AF_INET6 if leaf.bits[0] else _socket.AF_INET)
        for name, compared, value in zip(("mark", "status"), leaf.masks[1:], leaf.bits[1:], strict=True):
            if compared:
                values[name] = (getattr(part, name) or 0) | value
                values[f"{name}_mask"] = (getattr(part, f"{name}_mask") or 0) | compared
        found.append(part.replace(**values))
    return found, sum(leaf.share for leaf in leaves)


def _comparable(one: Tuple, family: int) -> dict[str, Any]:
    """The fields of a tuple that ctnetlink_filter_match_tuple compares.

    It needs the family, and the protocol for ports. It compares ports of TCP and UDP only. Its comparison of IPv6
    addresses is inverted: it selects those that differ (still in Linux 6.18).
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
    """ValueError for a filter with criteria that a flush does not have, or without any."""
    asked = wanted.given
    beyond = asked.keys() - KERNELS
    if beyond:
        raise ValueError(f"a flush filters by mark, status, zone, orig and reply, not by {', '.join(sorted(beyond))}")
    if not asked:
        raise ValueError("the filter matches every flow: call flush() without a filter for that")
