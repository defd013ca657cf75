"""The declarations of all families, by the numbers of their messages: `tables`."""

from __future__ import annotations

import pkgutil
import socket
from enum import IntEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import netlink
from netlink.consts import Family as Protocol
from netlink.consts import HeaderFlags
from netlink.family import Family, Listen, Operation
from netlink.generic import genetlink
from netlink.generic.genetlink import HEADER_SIZE
from netlink.netfilter.conntrack import records as conntrack
from netlink.netfilter.nflog import records as nflog
from netlink.netfilter.nfnetlink import BatchBound
from netlink.netfilter.nfqueue import records as nfqueue
from netlink.netfilter.nftables import records as nftables
from netlink.route import objects
from netlink.route.tc.objects import OBJECTS as TRAFFIC_CONTROL
from netlink.sock_diag import records as sockets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netlink.schema import Record

__all__ = ["Key", "Reading", "Tables", "tables"]

Key: TypeAlias = tuple[int, int] | tuple[int, str, int]
"""A protocol and a message type; of generic netlink the protocol, the name of the family and a command."""

_DUMP = int(HeaderFlags.DUMP)
_APART = ("ynl", "nlmon")  # they have no family of their own


class _Bound(IntEnum):
    BATCH_BEGIN = 0x10  # NFNL_MSG_BATCH_BEGIN
    BATCH_END = 0x11  # NFNL_MSG_BATCH_END


class Reading(NamedTuple):
    """A way to read a message: the declaration, behind so many bytes."""

    declaration: type[Record]
    skip: int = 0


class Tables:
    """The declarations of messages: of requests by whether they are dumps, of replies by the request, of events."""

    def __init__(self) -> None:
        self._requests: dict[Key, dict[bool, list[Reading]]] = {}
        self._replies: dict[Key, dict[bool, list[Reading]]] = {}
        self._events: dict[Key, list[Reading]] = {}
        self._names: dict[Key, str] = {}
        self._families: dict[Key, str] = {}

    def requests(self, key: Key, data: bytes, flags: int) -> list[Reading]:
        """What a request may be: first that of its kind."""
        if key[:2] == (Protocol.SOCK_DIAG, sockets.Command.BY_FAMILY):
            return [each.request for each in _sockets_of(data)]
        dump = flags & _DUMP == _DUMP
        found = self._requests.get(key, {})
        return [*found.get(dump, ()), *found.get(not dump, ()), *self._events.get(key, ())]

    def replies(self, key: Key, data: bytes, asked: tuple[Key, bytes] | None) -> list[Reading]:
        """What a message of the kernel may be. asked: the request that it answers, if one was captured."""
        if key[:2] == (Protocol.SOCK_DIAG, sockets.Command.BY_FAMILY):
            return [each.reply for each in _sockets_of(asked[1] if asked else data)]
        found = self._replies.get(asked[0], {}) if asked else {}
        return [*found.get(True, ()), *found.get(False, ()), *self._events.get(key, ())]

    def name(self, key: Key) -> str:
        """The kernel's name of a command; its number if there is none; "" for no command."""
        return self._names.get(key) or (str(key[-1]) if key[-1] >= 0 else "")

    def family(self, key: Key | None) -> str:
        """The name of the family of a message; "" if there is none."""
        return self._families.get(key, "") if key else ""

    def add_operation(self, family: str, key: Key, operation: Operation[Any, ..., Any], skip: int) -> None:
        """Add the request of an operation and its reply."""
        self._named(family, key, operation.command)
        for table, declaration in ((self._requests, operation.request), (self._replies, operation.reply)):
            if declaration is not None:
                _put(table.setdefault(key, {}).setdefault(operation.many, []), Reading(declaration, skip))

    def add_event(self, family: str, key: Key, command: int, declaration: type[Record], skip: int = 0) -> None:
        """Add a message that the kernel sends unasked."""
        self._named(family, key, command)
        _put(self._events.setdefault(key, []), Reading(declaration, skip))

    def _named(self, family: str, key: Key, command: int) -> None:
        self._families.setdefault(key, family)
        if isinstance(command, IntEnum):
            self._names.setdefault(key, command.name)


def _load() -> None:
    """Import all modules of the package that may declare families."""
    for found in pkgutil.walk_packages(netlink.__path__, "netlink.", onerror=lambda name: None):
        parts = found.name.split(".")[1:]
        if parts[0] not in _APART and not any(part.startswith("_") for part in parts):
            import_module(found.name)


def tables() -> Tables:
    """The tables of all families that are declared by now, those of this package included."""
    _load()
    found = Tables()
    for cls in _families(Family):
        _add_family(found, cls)
    for each in (*objects.OBJECTS, *TRAFFIC_CONTROL):
        for operation in each.operations.values():
            found.add_operation("route", (Protocol.ROUTE, operation.command), operation, 0)
        for event in filter(None, (each.new, each.gone)):
            found.add_event("route", (Protocol.ROUTE, event), event, each.declaration)
    for family, pairs in _NETFILTER.items():
        for command, declaration in pairs:
            found.add_event(family, (Protocol.NETFILTER, command), command, declaration)
    for bound in _Bound:
        found.add_event("netfilter", (Protocol.NETFILTER, bound), bound, BatchBound)
    return found


def _families(base: type[Any]) -> Iterator[type[Any]]:
    for cls in base.__subclasses__():
        if not cls.__module__.startswith("netlink.ynl"):
            yield cls
            yield from _families(cls)


def _add_family(found: Tables, cls: type[Any]) -> None:
    generic = genetlink.Family in cls.__mro__
    # A class without a name of its own is one of several families, which come by themselves.
    if cls.protocol < 0 or (generic and not vars(cls).get("name")):
        return
    skip = HEADER_SIZE if generic else 0
    name = cls.name if generic else cls.__module__.split(".")[-2 if cls.__module__.endswith(".family") else -1]
    members: list[Any] = [cls.member(each) for each in dir(cls)]
    for member in members:
        if issubclass(type(member), Operation):
            key = (cls.protocol, cls.name, member.command) if generic else (cls.protocol, member.command)
            found.add_operation(name, key, member, skip)
            if generic and member.reply is not None:  # replies have the command of the request, or the answer's
                command = member.command if member.answer is None else member.answer
                found.add_event(name, (cls.protocol, cls.name, command), command, member.reply, skip)
        elif issubclass(type(member), Listen):
            for kind in member.kinds:
                key = (cls.protocol, cls.name, kind.type) if generic else (cls.protocol, kind.type)
                found.add_event(name, key, kind.type, kind.declaration, skip)


def _put(readings: list[Reading], reading: Reading) -> None:
    if reading not in readings:
        readings.append(reading)


# What no operation has: verdicts and changes that are encoded in C or sent in batches, and the events of streams.


def _of_nftables() -> Iterable[tuple[int, type[Record]]]:
    by_noun: dict[str, type[Record]] = {
        "TABLE": nftables.Table,
        "CHAIN": nftables.Chain,
        "RULE": nftables.Rule,
        "SET": nftables.Set,
        "SETELEM": nftables.ElementList,
        "OBJ": nftables.Object,
        "FLOWTABLE": nftables.Flowtable,
        "GEN": nftables.Generation,
        "TRACE": nftables.Trace,
    }
    for command in nftables.Command:
        noun = command.name.removesuffix("_RESET")
        for verb in ("NEW", "GET", "DEL", "DESTROY"):
            noun = noun.removeprefix(verb)
        yield command, by_noun[noun]


_CT, _QUEUE = conntrack.Command, nfqueue.Command
_NETFILTER: dict[str, list[tuple[int, type[Record]]]] = {
    "conntrack": [
        *((command, conntrack.Flow) for command in (_CT.NEW, _CT.GET, _CT.DELETE)),
        *((command, conntrack.Expect) for command in (_CT.EXP_NEW, _CT.EXP_GET, _CT.EXP_DELETE)),
    ],
    "nflog": [(nflog.Command.PACKET, nflog.Packet)],
    "nfqueue": [
        (_QUEUE.PACKET, nfqueue.Packet),
        (_QUEUE.VERDICT, nfqueue.Decision),
        (_QUEUE.VERDICT_BATCH, nfqueue.Decision),
    ],
    "nftables": list(_of_nftables()),
}


class _Sockets(NamedTuple):
    """What sock_diag has of a family of sockets: all have the same number."""

    request: Reading
    reply: Reading


_INET: dict[int, type[Record]] = {
    sockets.Protocol.TCP: sockets.TCPSocket,
    sockets.Protocol.UDP: sockets.UDPSocket,
    sockets.Protocol.SCTP: sockets.SCTPSocket,
    sockets.Protocol.RAW: sockets.RawSocket,
    sockets.Protocol.MPTCP & 0xFF: sockets.MPTCPSocket,
}
_OTHERS: dict[int, tuple[type[Record], type[Record]]] = {
    socket.AF_UNIX: (sockets.UnixRequest, sockets.UnixSocket),
    socket.AF_PACKET: (sockets.PacketRequest, sockets.PacketSocket),
    socket.AF_NETLINK: (sockets.NetlinkRequest, sockets.NetlinkSocket),
    socket.AF_VSOCK: (sockets.VsockRequest, sockets.VsockSocket),
    44: (sockets.XDPRequest, sockets.XDPSocket),  # AF_XDP
}


def _sockets_of(data: bytes) -> list[_Sockets]:
    """By the family and protocol that a request begins with, or the family of a socket."""
    family = data[0] if data else 0
    if family in (socket.AF_INET, socket.AF_INET6):
        declaration = _INET.get(data[1] if len(data) > 1 else 0, sockets.TCPSocket)
        return [_Sockets(Reading(sockets.InetRequest), Reading(declaration))]
    if family in _OTHERS:
        request, reply = _OTHERS[family]
        return [_Sockets(Reading(request), Reading(reply))]
    return []
