"""Links: network interfaces, struct ifinfomsg and IFLA_* of linux/if_link.h."""

from __future__ import annotations

from netlink.route.link.records import LINK, ExtMask, IfInfoMsg, Link, LinkFlags, OperState

__all__ = ["LINK", "ExtMask", "IfInfoMsg", "Link", "LinkFlags", "OperState"]
