"""Requests of IPVS."""

from __future__ import annotations

import errno
from socket import AF_INET
from typing import TYPE_CHECKING, Any

from netlink import family as _family
from netlink.family import C, Call, Deferred, Do, Dump, Steps, verb
from netlink.generic.genetlink import Family
from netlink.generic.ipvs.records import (
    Answer,
    Command,
    Daemon,
    DaemonState,
    Destination,
    ForwardMethod,
    Info,
    Request,
    Service,
    ServiceFlags,
    Timeouts,
    netmask,
)

if TYPE_CHECKING:
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.schema import Batch

__all__ = ["Conn", "dial", "dial_async"]


# What requests need


def _key(service: Service) -> Service:
    """What identifies a service. ValueError if it does not, TypeError for what is no Service."""
    if not isinstance(service, Service):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"want a Service, not {service!r}")
    if service.fwmark:
        if service.af is None:
            raise ValueError("a service by fwmark needs af=, AF_INET or AF_INET6")
        return Service(af=service.af, fwmark=service.fwmark)
    if service.protocol is None or service.addr is None or service.port is None:
        raise ValueError("a service needs protocol=, addr= and port=, or af= and fwmark=")
    return Service(af=service.af, protocol=service.protocol, addr=service.addr, port=service.port)


def _set(service: Service, before: Service) -> Service:
    """A request for a service as a whole: what is None is as before."""

    key = _key(service)

    def one(name: str) -> Any:
        value = getattr(service, name)
        return getattr(before, name) if value is None else value

    names = ("sched_name", "flags", "timeout", "netmask", "pe_name")
    return key.replace(**{name: one(name) for name in names})


def _new(service: Service) -> Service:
    """What a new service has if a request does not say."""
    wide = netmask(32) if service.af == AF_INET else 128
    return Service(sched_name="wlc", flags=ServiceFlags(0), timeout=0, netmask=wide)


_NEW_DESTINATION = Destination(fwd_method=ForwardMethod.MASQ, weight=1, u_thresh=0, l_thresh=0)
_PLACE = ("addr", "port", "addr_family")
_SETTINGS = ("fwd_method", "weight", "u_thresh", "l_thresh", "tun_type", "tun_port", "tun_flags")


def _place(destination: Destination) -> Destination:
    """What identifies a destination. ValueError if it does not, TypeError for what is no Destination."""
    if not isinstance(destination, Destination):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"want a Destination, not {destination!r}")
    if destination.addr is None or destination.port is None:
        raise ValueError("a destination needs addr= and port=")
    return Destination(**{name: getattr(destination, name) for name in _PLACE})


def _set_destination(destination: Destination, before: Destination) -> Destination:
    """A request for a destination as a whole: what is None is as before."""
    place = _place(destination)
    found = {name: getattr(destination, name) for name in _SETTINGS}
    rest = {name: getattr(before, name) for name, value in found.items() if value is None}
    return place.replace(**(found | rest))


_MISSING = {errno.ESRCH: "there is no such service in the network namespace"}
_RANGE = {errno.ERANGE: "a destination's l_thresh is at most its u_thresh, and its weight less than 1 << 31"}
_NOT_THERE = {errno.ENOENT: "the service has no such destination"}
_SCHEDULER = {
    errno.ENOENT: "the kernel has no such scheduler or persistence engine: it may be in a module such as ip_vs_rr",
    errno.EINVAL: "the scheduler, flags, netmask and address do not go together",
}


class Conn(Family[C], name="IPVS", needs="CONFIG_IP_VS: `modprobe ip_vs` loads its module"):
    """Requests to IPVS."""

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the machine's first user namespace",
        errno.EAFNOSUPPORT: "the kernel's IPVS does not have this address family",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    services = Dump(
        Command.GET_SERVICE, None, Service, within=Answer.services, doc="All services of the network namespace."
    )
    daemons = Dump(Command.GET_DAEMON, None, Daemon, within=Answer.daemons, doc="The daemons that run, at most two.")
    info = Do(Command.GET_INFO, None, Info, answer=Command.SET_INFO, doc="The version of IPVS, and its table's size.")
    timeouts = Do(
        Command.GET_CONFIG, None, Timeouts, answer=Command.SET_CONFIG, doc="The timeouts of idle connections."
    )
    set_timeouts = Do(
        Command.SET_CONFIG,
        Timeouts,
        hints={errno.EINVAL: "a timeout is a number of seconds, and no more than fits the kernel's"},
        doc="Change the timeouts that the request has.",
    )
    flush = Do(Command.FLUSH, doc="Delete all services and destinations of the network namespace.")

    get_service = Do(
        Command.GET_SERVICE,
        Request,
        Request,
        answer=Command.NEW_SERVICE,
        hints=_MISSING,
        doc="A service: the operation of `get`.",
    )
    new_service = Do(
        Command.NEW_SERVICE,
        Request,
        hints={errno.EEXIST: "there is such a service: update changes it", **_SCHEDULER},
        doc="Add a service that the request has as a whole: the operation of `add`.",
    )
    set_service = Do(
        Command.SET_SERVICE,
        Request,
        hints=_MISSING | _SCHEDULER,
        doc="Change a service that the request has as a whole: the operation of `update`.",
    )
    del_service = Do(Command.DEL_SERVICE, Request, hints=_MISSING, doc="Delete a service: the operation of `delete`.")
    get_dests = Dump(
        Command.GET_DEST,
        Request,
        Destination,
        within=Answer.dests,
        doc="The destinations of a service, none if there is no such service: the operation of `destinations`.",
    )
    new_dest = Do(
        Command.NEW_DEST,
        Request,
        hints={
            errno.EEXIST: "the service has such a destination: update_destination changes it",
            errno.EINVAL: "no route leads to the destination's address, or its tunnel needs tun_port=",
            **_MISSING,
            **_RANGE,
        },
        doc="Add a destination that the request has as a whole: the operation of `add_destination`.",
    )
    set_dest = Do(
        Command.SET_DEST,
        Request,
        hints=_MISSING | _NOT_THERE | _RANGE,
        doc="Change a destination that the request has as a whole: the operation of `update_destination`.",
    )
    del_dest = Do(
        Command.DEL_DEST,
        Request,
        hints=_MISSING | _NOT_THERE,
        doc="Delete a destination: the operation of `delete_destination`.",
    )
    new_daemon = Do(
        Command.NEW_DAEMON,
        Request,
        hints={
            errno.EEXIST: "a daemon of that state runs: stop_daemon ends it",
            errno.ENODEV: "there is no link of the name mcast_ifn in the network namespace",
            errno.EINVAL: "a daemon needs state=, mcast_ifn= and sync_id=, and mcast_group= is a multicast address",
        },
        doc="Start a daemon: the operation of `start_daemon`.",
    )
    del_daemon = Do(
        Command.DEL_DAEMON,
        Request,
        hints={errno.ESRCH: "no daemon of that state runs", errno.EINVAL: "state= is MASTER or BACKUP"},
        doc="End a daemon: the operation of `stop_daemon`.",
    )
    zero_service = Do(
        Command.ZERO, Request, hints=_MISSING, doc="Set counters to 0, of a service or of all: the operation of `zero`."
    )

    @verb
    def get(self: Conn[Deferred], service: Service) -> Steps[Service]:
        """A service, by its protocol, addr and port, or by its af and fwmark.

        ProcessLookupError, which is an OpError, if there is none. ValueError if one of them is missing.
        """
        answer: Request = yield self.get_service(service=_key(service))
        assert answer.service is not None
        return answer.service

    @verb
    def add(self: Conn[Deferred], service: Service) -> Call[None]:
        """Add a service. By default its scheduler is wlc, and connections of a client are not persistent.

        FileExistsError if there is one, FileNotFoundError if the kernel has no such scheduler.
        """
        return self.new_service(service=_set(service, _new(_key(service))))

    @verb
    def update(self: Conn[Deferred], service: Service) -> Steps[None]:
        """Change a service: its scheduler, flags, timeout, netmask, persistence engine. What is None stays as it is.

        ProcessLookupError if there is none.
        """
        before: Request = yield self.get_service(service=_key(service))
        assert before.service is not None
        return self.set_service(service=_set(service, before.service))

    @verb
    def delete(self: Conn[Deferred], service: Service) -> Call[None]:
        """Delete a service and its destinations. ProcessLookupError if there is none."""
        return self.del_service(service=_key(service))

    @verb
    def destinations(self: Conn[Deferred], service: Service) -> Steps[Batch[Destination]]:
        """The destinations of a service. ProcessLookupError if there is no such service."""
        key = _key(service)
        yield self.get_service(service=key)  # the kernel has an empty list for a service that is not there
        found: Batch[Destination] = yield self.get_dests(service=key)
        return found

    @verb
    def add_destination(self: Conn[Deferred], service: Service, destination: Destination) -> Call[None]:
        """Add a destination to a service. By default its packets are translated, and its weight is 1.

        FileExistsError if the service has it, ProcessLookupError if there is no such service.
        """
        return self.new_dest(service=_key(service), dest=_set_destination(destination, _NEW_DESTINATION))

    @verb
    def update_destination(self: Conn[Deferred], service: Service, destination: Destination) -> Steps[None]:
        """Change a destination: how packets get there, its weight, thresholds, tunnel. What is None stays as it is.

        FileNotFoundError if the service has no such destination, ProcessLookupError if there is no such service.
        """
        key, place = _key(service), _place(destination)
        there: Batch[Destination] = yield self.get_dests(service=key)
        same = [each for each in there if (each.addr, each.port) == (place.addr, place.port)]
        return self.set_dest(service=key, dest=_set_destination(destination, (same or [_NEW_DESTINATION])[0]))

    @verb
    def delete_destination(self: Conn[Deferred], service: Service, destination: Destination) -> Call[None]:
        """Delete a destination. Its connections go on if packets come while it is reachable.

        Errors as `update_destination`.
        """
        return self.del_dest(service=_key(service), dest=_place(destination))

    @verb
    def zero(self: Conn[Deferred], service: Service | None = None) -> Call[None]:
        """Set the counters of a service and its destinations to 0; of all of them, if service is None."""
        return self.zero_service(service=None if service is None else _key(service))

    @verb
    def start_daemon(self: Conn[Deferred], daemon: Daemon) -> Call[None]:
        """Start a daemon. It needs state, mcast_ifn and sync_id. FileExistsError if one of that state runs."""
        return self.new_daemon(daemon=daemon)

    @verb
    def stop_daemon(self: Conn[Deferred], state: DaemonState) -> Call[None]:
        """End a daemon: the one that sends or the one that receives. ProcessLookupError if none of that state runs."""
        return self.del_daemon(daemon=Daemon(state=state))


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to IPVS. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to IPVS for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
