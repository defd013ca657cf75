"""The rows of traffic control in the table of rtnetlink's objects."""

from __future__ import annotations

import errno
from typing import TypeVar

from netlink.consts import RouteGroup
from netlink.route.command import Command
from netlink.route.object import CHANGE, REPLACE, Object
from netlink.route.tc.records import ActionTable, Chain, Class, Filter, Qdisc

__all__ = ["OBJECTS"]

_T = TypeVar("_T", Qdisc, Class, Filter, Chain)

_HINTS = {
    errno.ENOENT: "there is no such object or parent, or the kernel has no such kind: its module may be missing",
    errno.ENODEV: "there is no link of that index",
}


def _with_index(verb: str, record: _T) -> _T:
    """The record, which is about a link or a block."""
    if not record.index:
        raise ValueError(f"to {verb} a {type(record).__name__} takes index=, that of its link")
    if verb in ("create", "replace") and record.kind is None and not isinstance(record, Chain):
        raise ValueError(f"to {verb} a {type(record).__name__} takes kind=, or options of a class that has one")
    return record


def _qdisc(verb: str, record: Qdisc) -> Qdisc:
    if not record.parent and not record.handle:
        raise ValueError(f"to {verb} a Qdisc takes parent= or handle=, such as Handle.ROOT")
    return _with_index(verb, record)


def _class(verb: str, record: Class) -> Class:
    if not record.handle and not (verb in ("create", "replace") and record.parent):
        raise ValueError(f"to {verb} a Class takes handle=, such as '1:10'")
    return _with_index(verb, record)


def _filter(verb: str, record: Filter) -> Filter:
    if verb in ("create", "replace") and not record.protocol:
        raise ValueError(f"to {verb} a Filter takes protocol=, an Ethertype: 3 (ETH_P_ALL) is for all packets")
    if verb in ("delete", "get", "update") and not (record.priority and record.protocol):
        # Without a priority the kernel would delete all filters of the parent.
        raise ValueError(f"to {verb} a Filter takes priority= and protocol=, those that it has")
    return _with_index(verb, record)


QDISC = Object(
    Qdisc,
    "qdisc",
    new=Command.NEWQDISC,
    delete=Command.DELQDISC,
    get=Command.GETQDISC,
    replace=REPLACE,
    update=CHANGE,
    groups=[RouteGroup.TC],
    options=("dump_invisible",),
    check=_qdisc,
    hints=_HINTS,
)
CLASS = Object(
    Class,
    "class",
    new=Command.NEWTCLASS,
    delete=Command.DELTCLASS,
    get=Command.GETTCLASS,
    replace=REPLACE,
    update=CHANGE,
    groups=[RouteGroup.TC],
    filters={"index": "index"},
    check=_class,
    hints=_HINTS,
)
FILTER = Object(
    Filter,
    "filter",
    new=Command.NEWTFILTER,
    delete=Command.DELTFILTER,
    get=Command.GETTFILTER,
    replace=REPLACE,
    update=CHANGE,
    groups=[RouteGroup.TC],
    filters={"index": "index", "parent": "parent", "chain": "chain", "priority": "priority", "protocol": "protocol"},
    options=("dump_flags",),
    check=_filter,
    hints=_HINTS,
)
CHAIN = Object(
    Chain,
    "chain",
    new=Command.NEWCHAIN,
    delete=Command.DELCHAIN,
    get=Command.GETCHAIN,
    groups=[RouteGroup.TC],
    filters={"index": "index", "chain": "chain"},
    options=("parent",),  # reports have the qdisc instead
    check=_with_index,
    hints=_HINTS,
)
ACTION_TABLE = Object(
    ActionTable,
    "action_table",
    new=Command.NEWACTION,
    delete=Command.DELACTION,
    get=Command.GETACTION,
    replace=REPLACE,
    groups=[RouteGroup.TC],
    options=("actions", "flags", "time_delta"),
    hints=_HINTS,
)
OBJECTS = (QDISC, CLASS, FILTER, CHAIN, ACTION_TABLE)
