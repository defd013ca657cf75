"""Numbers of network namespaces: linux/net_namespace.h."""

from __future__ import annotations

import errno

from netlink.consts import RouteGroup
from netlink.route.command import Command
from netlink.route.event import Event
from netlink.route.object import Object
from netlink.schema import AttributeSet, Int, Member, Struct, event, s32, u8, u32

__all__ = ["NETNS_ID", "NetnsID", "RtGenMsg"]


class RtGenMsg(Struct):
    """struct rtgenmsg: the header of messages that have nothing but an address family there."""

    family: Int = u8()


class NetnsID(AttributeSet, header=RtGenMsg):
    """The number by which this network namespace knows another one (NETNSA_*).

    nsid: the number; -1 if there is none. fd, pid: the other namespace, by a descriptor of it or a process in it.
    """

    nsid: Int = s32(1)  # NETNSA_NSID
    pid: Int = u32(2)  # NETNSA_PID
    fd: Int = u32(3)  # NETNSA_FD
    target_nsid: Int = s32(4)  # NETNSA_TARGET_NSID, the namespace whose numbers are meant
    current_nsid: Int = s32(5)  # NETNSA_CURRENT_NSID, the number of the same in this namespace
    event: Member[Event] = event(Event)


def _checked(verb: str, record: NetnsID) -> NetnsID:
    given = [name for name in ("fd", "pid") if getattr(record, name) is not None]
    if verb == "get":
        if len(given) + (record.nsid is not None) != 1:
            raise ValueError("get needs one of fd, pid and nsid, to find the network namespace")
        return record
    if len(given) != 1:
        raise ValueError("the number of a network namespace needs fd or pid, to find the namespace")
    return record if record.nsid is not None else record.replace(nsid=-1)  # the kernel chooses


NETNS_ID = Object(
    NetnsID,
    "netns_id",
    new=Command.NEWNSID,
    get=Command.GETNSID,
    gone=Command.DELNSID,
    groups=[RouteGroup.NSID],
    options=["target_nsid"],
    check=_checked,
    hints={errno.EEXIST: "the network namespace has a number, or the number is in use"},
)
