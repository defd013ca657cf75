"""The rows of links in the table of rtnetlink's objects."""

from __future__ import annotations

import errno

from netlink.consts import HeaderFlags, RouteGroup
from netlink.route.command import Command
from netlink.route.link.check import NAME_MAX, check_link, check_properties
from netlink.route.link.records import Link, LinkProperties
from netlink.route.object import Object

__all__ = ["LINK", "LINK_PROPERTIES"]

_NOT_THERE = "there is no such link"

LINK = Object(
    Link,
    "link",
    new=Command.NEWLINK,
    delete=Command.DELLINK,
    get=Command.GETLINK,
    replace=HeaderFlags.CREATE,
    update=HeaderFlags(0),
    echo=True,
    groups=[RouteGroup.LINK],
    filters={"family": "family", "master": "master", "kind": "kind"},
    options=["ext_mask", "target_netnsid"],
    check=check_link,
    by_shape=("get", "delete"),
    text=("name", NAME_MAX),
    hints={
        errno.ENODEV: _NOT_THERE,
        errno.EEXIST: "there is a link of that name",
        errno.EOPNOTSUPP: "the kernel has no such kind of link, lacks its module, or cannot do what is set",
    },
)
LINK_PROPERTIES = Object(
    LinkProperties,
    "link_properties",
    new=Command.NEWLINKPROP,
    delete=Command.DELLINKPROP,
    check=check_properties,
    hints={errno.ENODEV: _NOT_THERE, errno.EEXIST: "there is a link of that name"},
)
