"""Dumps: what the kernel selects, and what is selected here, in C."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import TYPE_CHECKING, Any, TypeVar

from netlink.match import Condition, Match
from netlink.schema import Record

if TYPE_CHECKING:
    from netlink.route.object import Object

__all__ = ["selection"]

_R = TypeVar("_R", bound=Record)
# An address of a prefix, and the field with the length of the prefix.
_LENGTHS = {"dst": "dst_len", "src": "src_len"}


def selection(of: Object[_R], fields: dict[str, Any]) -> tuple[_R, Match[_R] | None]:
    """The request of a dump of the records that have these fields, and the match for all that it asks for.

    The kernel selects by few fields, and older ones by fewer. The match repeats all of it.
    TypeError for a field that neither the kernel nor a match compares.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    wanted = of.declaration(**given)
    request: dict[str, Any] = {name: getattr(wanted, name) for name in of.options if name in given}
    conditions: list[Condition] = []
    for name in given:
        if name in of.options:
            continue
        value = getattr(wanted, name)
        asked = of.filters.get(name)
        if asked is not None:
            to, mask = asked if isinstance(asked, tuple) else (asked, None)
            if mask is None or not int(value) & ~mask:
                request[to] = value
        conditions += _conditions(of, name, value, wanted, known=asked is not None)
    return of.request(**request), Match(of.declaration, [conditions]) if conditions else None


def _conditions(of: Object[Any], name: str, value: Any, wanted: Any, *, known: bool) -> list[Condition]:
    """The conditions of a field: known, if the kernel selects by it."""
    path = _path(of.declaration, name)
    if isinstance(value, (IPv4Address, IPv6Address)):
        length = _LENGTHS.get(name)
        if length is None or not hasattr(of.declaration, length):
            return [Condition((path,), (ip_network(value),))]
        bits = getattr(wanted, length)
        found = _conditions(of, length, bits, wanted, known=True)
        # A prefix of no bits, such as the default route's, has no address.
        if bits:
            return [*found, Condition((path,), (ip_network(value),))]
        return [*found, *_conditions(of, "family", wanted.family, wanted, known=True)]
    if known and _is_rare(of.declaration, name):
        return []  # such a field lies apart, and is not compared
    if isinstance(value, int) and not isinstance(value, bool):
        return [Condition((path,), ((int(value), int(value)),), None, value == 0)]
    if known:
        return []
    raise TypeError(f"a dump of {of.declaration.__name__} selects by numbers and addresses, not by {name}")


def _is_rare(declaration: type[Record], name: str) -> bool:
    field = declaration.__fields__.get(name)
    return field is not None and field.annex is not None


def _path(declaration: type[Record], name: str) -> tuple[str, ...]:
    """Where a record has a field: in itself, or in its header."""
    if name in declaration.__fields__:
        return (name,)
    field = declaration.__header_fields__[name]
    return ("header", field.name)
