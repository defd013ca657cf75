"""The path manager of Multipath TCP: endpoints, limits, subflows, and events of connections.

    from socket import AF_INET

    from netlink.generic import mptcp_pm
    from netlink.generic.mptcp_pm import AddressFlags

    with mptcp_pm.dial() as pm:
        pm.add(family=AF_INET, addr="192.0.2.1", flags=AddressFlags.SUBFLOW)
        pm.set_limits(subflows=4)

Reading endpoints and limits needs no privilege; changes and events need CAP_NET_ADMIN in the user namespace of the
network namespace.
"""

from __future__ import annotations

import errno
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from netlink import family as _family
from netlink.family import C, Deferred, Do, Dump, Listen
from netlink.generic.genetlink import Family
from netlink.schema import IP, AttributeSet, Field, Int, Member, be16, event, ip, nested, s32, u8, u16, u32

if TYPE_CHECKING:
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

__all__ = [
    "Address",
    "AddressFlags",
    "Command",
    "Conn",
    "Endpoint",
    "Event",
    "EventFlags",
    "EventType",
    "Limits",
    "Subflow",
    "dial",
    "dial_async",
]


class Command(IntEnum):
    """Commands (MPTCP_PM_CMD_*)."""

    ADD_ADDR = 1  # MPTCP_PM_CMD_ADD_ADDR
    DEL_ADDR = 2  # MPTCP_PM_CMD_DEL_ADDR
    GET_ADDR = 3  # MPTCP_PM_CMD_GET_ADDR
    FLUSH_ADDRS = 4  # MPTCP_PM_CMD_FLUSH_ADDRS
    SET_LIMITS = 5  # MPTCP_PM_CMD_SET_LIMITS
    GET_LIMITS = 6  # MPTCP_PM_CMD_GET_LIMITS
    SET_FLAGS = 7  # MPTCP_PM_CMD_SET_FLAGS
    ANNOUNCE = 8  # MPTCP_PM_CMD_ANNOUNCE
    REMOVE = 9  # MPTCP_PM_CMD_REMOVE
    SUBFLOW_CREATE = 10  # MPTCP_PM_CMD_SUBFLOW_CREATE
    SUBFLOW_DESTROY = 11  # MPTCP_PM_CMD_SUBFLOW_DESTROY


class EventType(IntEnum):
    """Kinds of events: enum mptcp_event_type."""

    CREATED = 1  # MPTCP_EVENT_CREATED, a connection
    ESTABLISHED = 2  # MPTCP_EVENT_ESTABLISHED, a connection may have more subflows
    CLOSED = 3  # MPTCP_EVENT_CLOSED, a connection
    ANNOUNCED = 6  # MPTCP_EVENT_ANNOUNCED, the peer has another address
    REMOVED = 7  # MPTCP_EVENT_REMOVED, the peer has lost an address
    SUB_ESTABLISHED = 10  # MPTCP_EVENT_SUB_ESTABLISHED, a subflow
    SUB_CLOSED = 11  # MPTCP_EVENT_SUB_CLOSED, a subflow
    SUB_PRIORITY = 13  # MPTCP_EVENT_SUB_PRIORITY, of a subflow
    LISTENER_CREATED = 15  # MPTCP_EVENT_LISTENER_CREATED, a socket listens
    LISTENER_CLOSED = 16  # MPTCP_EVENT_LISTENER_CLOSED


class AddressFlags(IntFlag):
    """What the kernel does with an endpoint: linux/mptcp.h."""

    SIGNAL = 1  # MPTCP_PM_ADDR_FLAG_SIGNAL, it announces it to peers
    SUBFLOW = 2  # MPTCP_PM_ADDR_FLAG_SUBFLOW, it begins subflows from it
    BACKUP = 4  # MPTCP_PM_ADDR_FLAG_BACKUP, its subflows are for when no others work
    FULLMESH = 8  # MPTCP_PM_ADDR_FLAG_FULLMESH, it begins subflows to each address of the peer
    IMPLICIT = 16  # MPTCP_PM_ADDR_FLAG_IMPLICIT, the kernel has made it itself
    LAMINAR = 32  # MPTCP_PM_ADDR_FLAG_LAMINAR, it begins one subflow to an announced address of the peer


class EventFlags(IntFlag):
    """MPTCP_PM_EV_FLAG_*."""

    DENY_JOIN_ID0 = 1  # MPTCP_PM_EV_FLAG_DENY_JOIN_ID0, the peer takes no subflows to its first address
    SERVER_SIDE = 2  # MPTCP_PM_EV_FLAG_SERVER_SIDE, this side has accepted the connection


class Address(AttributeSet):
    """An address in a request about a subflow (MPTCP_PM_ADDR_ATTR_*).

    family: AF_INET or AF_INET6, which an addr needs. port: 0 or None for that of the connection.
    """

    family: Int = u16(1)  # MPTCP_PM_ADDR_ATTR_FAMILY
    id: Int = u8(2)  # MPTCP_PM_ADDR_ATTR_ID
    addr: IP = ip(3, 4)  # MPTCP_PM_ADDR_ATTR_ADDR4, MPTCP_PM_ADDR_ATTR_ADDR6
    port: Int = u16(5)  # MPTCP_PM_ADDR_ATTR_PORT
    flags: Member[AddressFlags] = u32(6, enum=AddressFlags)  # MPTCP_PM_ADDR_ATTR_FLAGS
    if_idx: Int = s32(7)  # MPTCP_PM_ADDR_ATTR_IF_IDX, an interface index


class Endpoint(AttributeSet):
    """An endpoint: an address of this machine that connections may use (MPTCP_PM_ATTR_ADDR, MPTCP_PM_ADDR_ATTR_*).

    family: AF_INET or AF_INET6, which a request with an addr needs.
    """

    family: Int = u16((1, 1))  # MPTCP_PM_ATTR_ADDR, MPTCP_PM_ADDR_ATTR_FAMILY
    id: Int = u8((1, 2))  # MPTCP_PM_ATTR_ADDR, MPTCP_PM_ADDR_ATTR_ID
    addr: IP = ip((1, 3), (1, 4))  # MPTCP_PM_ATTR_ADDR, MPTCP_PM_ADDR_ATTR_ADDR4, MPTCP_PM_ADDR_ATTR_ADDR6
    port: Int = u16((1, 5))  # MPTCP_PM_ATTR_ADDR, MPTCP_PM_ADDR_ATTR_PORT
    flags: Member[AddressFlags] = u32((1, 6), enum=AddressFlags)  # MPTCP_PM_ATTR_ADDR, MPTCP_PM_ADDR_ATTR_FLAGS
    if_idx: Int = s32((1, 7))  # MPTCP_PM_ATTR_ADDR, MPTCP_PM_ADDR_ATTR_IF_IDX, an interface index


class Limits(AttributeSet):
    """Limits of each connection (MPTCP_PM_ATTR_*). A request changes those that it has."""

    add_addr_accepted: Int = u32(2)  # MPTCP_PM_ATTR_RCV_ADD_ADDRS, announced addresses that it accepts
    subflows: Int = u32(3)  # MPTCP_PM_ATTR_SUBFLOWS, in addition to the first


class Subflow(AttributeSet):
    """A request about one connection, which a program manages instead of the kernel (MPTCP_PM_ATTR_*).

    token: of the connection, as in its events. local, remote: the addresses of both sides.
    loc_id: the number of an announced address.
    """

    local: Field[Address | None] = nested(1, Address)  # MPTCP_PM_ATTR_ADDR
    token: Int = u32(4)  # MPTCP_PM_ATTR_TOKEN
    loc_id: Int = u8(5)  # MPTCP_PM_ATTR_LOC_ID
    remote: Field[Address | None] = nested(6, Address)  # MPTCP_PM_ATTR_ADDR_REMOTE


class Event(AttributeSet):
    """An event of a connection, a subflow or a listener (MPTCP_ATTR_*).

    event: what happened. Its kind decides which of the others are None.
    """

    token: Int = u32(1)  # MPTCP_ATTR_TOKEN, of the connection
    family: Int = u16(2)  # MPTCP_ATTR_FAMILY
    loc_id: Int = u8(3)  # MPTCP_ATTR_LOC_ID
    rem_id: Int = u8(4)  # MPTCP_ATTR_REM_ID
    src: IP = ip(5, 6)  # MPTCP_ATTR_SADDR4, MPTCP_ATTR_SADDR6
    dst: IP = ip(7, 8)  # MPTCP_ATTR_DADDR4, MPTCP_ATTR_DADDR6
    src_port: Int = be16(9)  # MPTCP_ATTR_SPORT
    dst_port: Int = be16(10)  # MPTCP_ATTR_DPORT
    backup: Int = u8(11)  # MPTCP_ATTR_BACKUP, 1 for a subflow for when no others work
    error: Int = u8(12)  # MPTCP_ATTR_ERROR, an errno
    flags: Member[EventFlags] = u16(13, enum=EventFlags)  # MPTCP_ATTR_FLAGS
    timeout: Int = u32(14)  # MPTCP_ATTR_TIMEOUT
    if_idx: Int = s32(15)  # MPTCP_ATTR_IF_IDX, an interface index
    reset_reason: Int = u32(16)  # MPTCP_ATTR_RESET_REASON, MPTCP_RST_*
    reset_flags: Int = u32(17)  # MPTCP_ATTR_RESET_FLAGS
    server_side: Int = u8(18)  # MPTCP_ATTR_SERVER_SIDE, 1 if this side has accepted it; newer kernels have it in flags
    event: Member[EventType] = event(EventType)


_MISSING = "there is no endpoint of that id"


class Conn(Family[C], name="mptcp_pm", needs="CONFIG_MPTCP"):
    """Requests to the path manager of Multipath TCP."""

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the user namespace of the network namespace",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    add = Do(
        Command.ADD_ADDR,
        Endpoint,
        hints={errno.EINVAL: "an endpoint needs addr= and family=, and differs from those that are there"},
        doc="Add an endpoint. The kernel chooses its `id`, if the request has none.",
    )
    delete = Do(
        Command.DEL_ADDR,
        Endpoint,
        hints={errno.EINVAL: _MISSING},
        doc="Delete an endpoint, by its `id`. Without one, end the first subflows of connections from `addr`.",
    )
    get = Do(
        Command.GET_ADDR,
        Endpoint,
        Endpoint,
        answer=Command.GET_ADDR,
        hints={errno.EINVAL: _MISSING},
        doc="An endpoint, by its `id`.",
    )
    dump = Dump(Command.GET_ADDR, None, Endpoint, doc="All endpoints of the network namespace.")
    flush = Do(Command.FLUSH_ADDRS, doc="Delete all endpoints.")
    set_limits = Do(Command.SET_LIMITS, Limits, doc="Change the limits of connections.")
    get_limits = Do(Command.GET_LIMITS, None, Limits, answer=Command.GET_LIMITS, doc="The limits of connections.")
    set_flags = Do(
        Command.SET_FLAGS,
        Subflow,
        doc="Change `flags` (BACKUP, FULLMESH) of an endpoint, `local`, or, with `token` and `remote`, of a subflow.",
    )
    announce = Do(Command.ANNOUNCE, Subflow, doc="Announce an address, `local`, to the peer of a connection.")
    remove = Do(Command.REMOVE, Subflow, doc="Withdraw an announced address, by its `loc_id`.")
    create = Do(Command.SUBFLOW_CREATE, Subflow, doc="Begin a subflow of a connection.")
    destroy = Do(Command.SUBFLOW_DESTROY, Subflow, doc="End a subflow of a connection.")
    listen = Listen(
        {kind: (Event, kind) for kind in EventType},
        groups=["mptcp_pm_events"],
        doc="Events of the connections of the network namespace.",
    )


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to mptcp_pm. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to mptcp_pm for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
