"""The table of rtnetlink's objects, by the class of their records. Traffic control adds its own when it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from netlink.route.addr import ADDRESS
from netlink.route.link.objects import LINK, LINK_PROPERTIES
from netlink.route.neigh import NEIGHBOUR, NEIGHBOUR_TABLE
from netlink.route.nexthop import NEXTHOP
from netlink.route.nsid import NETNS_ID
from netlink.route.route import ROUTE
from netlink.route.rule import RULE
from netlink.route.stats import LINK_STATS
from netlink.route.vlan import BRIDGE_VLAN
from netlink.schema import Record

if TYPE_CHECKING:
    from netlink.family import Operation, Preparation
    from netlink.route.object import Object

__all__ = ["OBJECTS", "add", "object_of", "verb_of"]

_R = TypeVar("_R", bound=Record)

OBJECTS: tuple[Object[Any], ...] = (
    LINK,
    ADDRESS,
    ROUTE,
    NEIGHBOUR,
    RULE,
    NEXTHOP,
    NETNS_ID,
    BRIDGE_VLAN,
    LINK_STATS,
    LINK_PROPERTIES,
    NEIGHBOUR_TABLE,
)
"""Those that every program has."""

_BY_CLASS: dict[Any, Object[Any]] = {}


def add(each: Object[Any]) -> None:
    """Add an object to the table."""
    _BY_CLASS[each.declaration] = each


def object_of(declaration: type[_R]) -> Object[_R]:
    """The object of a class of records. TypeError if rtnetlink has none."""
    try:
        return _BY_CLASS[declaration]
    except (KeyError, TypeError):
        names = ", ".join(each.declaration.__name__ for each in _BY_CLASS.values())
        raise TypeError(f"rtnetlink has objects of {names}, not {declaration!r}") from None


def verb_of(declaration: type[_R], verb: str) -> tuple[Operation[Any, ..., Any], Preparation[_R]]:
    """`Object.verb` of the object of a class of records. TypeError if rtnetlink has none, or it has no such verb."""
    try:
        return _BY_CLASS[declaration].verbs[verb]
    except (KeyError, TypeError):
        return object_of(declaration).verb(verb)
