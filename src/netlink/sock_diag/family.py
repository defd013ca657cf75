"""Requests of sock_diag: `Conn`, `dial` and `dial_async`."""

from __future__ import annotations

import errno
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from netlink import family as _family
from netlink.consts import Family as _Protocol
from netlink.errors import OpError
from netlink.family import C, Call, Deferred, Do, Dump, Steps, verb
from netlink.sock_diag.filter import Filter, bytecode
from netlink.sock_diag.processes import Connection, Search, inet_rows, kinds_of, unix_rows
from netlink.sock_diag.records import (
    BothRequest,
    Command,
    Endpoint,
    Include,
    InetRequest,
    InetSocket,
    MPTCPSocket,
    NetlinkInclude,
    NetlinkRequest,
    NetlinkSocket,
    PacketInclude,
    PacketRequest,
    PacketSocket,
    Protocol,
    RawSocket,
    SCTPSocket,
    State,
    States,
    TCPSocket,
    UDPSocket,
    UnixInclude,
    UnixRequest,
    UnixSocket,
    VsockRequest,
    VsockSocket,
    XDPInclude,
    XDPRequest,
    XDPSocket,
)

if TYPE_CHECKING:
    from typing import Literal, TypeVar, Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.schema import Batch

    _S = TypeVar("_S", bound=InetSocket)

__all__ = ["Conn", "dial", "dial_async"]

_INCLUDE = Include.INFO | Include.MEMORY
_ANY_COOKIE = (1 << 64) - 1
_ALL_PROTOCOLS = 255
_AF_XDP = 44
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_NUMBERS: dict[type[InetSocket], Protocol] = {
    TCPSocket: Protocol.TCP,
    UDPSocket: Protocol.UDP,
    MPTCPSocket: Protocol.MPTCP,
    RawSocket: Protocol.RAW,
    SCTPSocket: Protocol.SCTP,
}


def _needs(option: str) -> dict[int, str]:
    return {errno.ENOENT: f"the kernel does not report sockets of this protocol: it needs {option}"}


_GONE = {
    errno.ENOENT: "there is no such socket (any more), or the kernel does not report sockets of this protocol",
    errno.ESTALE: "the socket is gone: another socket has this inode now",
    errno.EOPNOTSUPP: "the kernel cannot do this with sockets of this protocol: ending them needs "
    "CONFIG_INET_DIAG_DESTROY",
}


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to sock_diag. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to sock_diag for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)


class Conn(_family.Family[C], protocol=_Protocol.SOCK_DIAG):
    """Requests for the sockets of a network namespace. Reading needs no privilege.

    The kernel walks through its tables in pieces and reports no change meanwhile: a socket may be reported twice or not
    at all. A `cookie` identifies a socket.
    OpError of every method: FileNotFoundError if the kernel does not report sockets of the protocol.
    """

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the user namespace that owns the network namespace",
        errno.EINVAL: "the kernel cannot filter so: a cgroup needs CONFIG_SOCK_CGROUP_DATA",
        errno.ENOENT: "the kernel does not report sockets of this family",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    # The operations of the verbs below.

    dump_tcp = Dump(
        Command.BY_FAMILY,
        InetRequest,
        TCPSocket,
        hints=_needs("CONFIG_INET_TCP_DIAG"),
        doc="Sockets of TCP, of one address family.",
    )
    dump_tcp_both = Dump(
        Command.TCP_GET,
        BothRequest,
        TCPSocket,
        hints=_needs("CONFIG_INET_TCP_DIAG"),
        doc="Sockets of TCP, of both address families.",
    )
    dump_udp = Dump(
        Command.BY_FAMILY,
        InetRequest,
        UDPSocket,
        hints=_needs("CONFIG_INET_UDP_DIAG"),
        doc="Sockets of UDP, of one address family.",
    )
    dump_mptcp = Dump(
        Command.BY_FAMILY,
        InetRequest,
        MPTCPSocket,
        hints=_needs("CONFIG_INET_MPTCP_DIAG"),
        doc="Sockets of Multipath TCP, of one address family.",
    )
    dump_raw = Dump(
        Command.BY_FAMILY,
        InetRequest,
        RawSocket,
        hints=_needs("CONFIG_INET_RAW_DIAG"),
        doc="Raw sockets, of one address family.",
    )
    dump_sctp = Dump(
        Command.BY_FAMILY,
        InetRequest,
        SCTPSocket,
        hints=_needs("CONFIG_INET_SCTP_DIAG"),
        doc="Sockets of SCTP, of one address family.",
    )
    dump_endpoints = Dump(
        Command.BY_FAMILY, InetRequest, Endpoint, hints=_GONE, doc="Addresses and states of sockets, for `connections`."
    )
    dump_tcp_endpoints = Dump(
        Command.TCP_GET,
        BothRequest,
        Endpoint,
        hints=_needs("CONFIG_INET_TCP_DIAG"),
        doc="Addresses and states of sockets of TCP, for `connections`.",
    )
    get_tcp = Do(Command.BY_FAMILY, InetRequest, TCPSocket, hints=_GONE, doc="One socket of TCP.")
    get_udp = Do(Command.BY_FAMILY, InetRequest, UDPSocket, hints=_GONE, doc="One socket of UDP.")
    get_mptcp = Do(Command.BY_FAMILY, InetRequest, MPTCPSocket, hints=_GONE, doc="One socket of Multipath TCP.")
    get_raw = Do(Command.BY_FAMILY, InetRequest, RawSocket, hints=_GONE, doc="One raw socket.")
    get_sctp = Do(Command.BY_FAMILY, InetRequest, SCTPSocket, hints=_GONE, doc="One association of SCTP.")
    end_socket = Do(Command.DESTROY, InetRequest, hints=_GONE, doc="End a socket: the operation of `destroy`.")
    dump_unix = Dump(Command.BY_FAMILY, UnixRequest, UnixSocket, hints=_needs("CONFIG_UNIX_DIAG"), doc="Unix sockets.")
    get_unix = Do(Command.BY_FAMILY, UnixRequest, UnixSocket, hints=_GONE, doc="One Unix socket, by its inode.")
    dump_packet = Dump(
        Command.BY_FAMILY, PacketRequest, PacketSocket, hints=_needs("CONFIG_PACKET_DIAG"), doc="Packet sockets."
    )
    dump_netlink = Dump(
        Command.BY_FAMILY, NetlinkRequest, NetlinkSocket, hints=_needs("CONFIG_NETLINK_DIAG"), doc="Netlink sockets."
    )
    dump_vsock = Dump(
        Command.BY_FAMILY, VsockRequest, VsockSocket, hints=_needs("CONFIG_VSOCKETS_DIAG"), doc="Sockets of AF_VSOCK."
    )
    dump_xdp = Dump(
        Command.BY_FAMILY, XDPRequest, XDPSocket, hints=_needs("CONFIG_XDP_SOCKETS_DIAG"), doc="Sockets of AF_XDP."
    )

    # Internet protocols

    @verb
    def tcp(
        self: Conn[Deferred],
        states: int = States.ALL,
        *,
        family: int | None = None,
        include: int = _INCLUDE,
        filter: Filter | None = None,
    ) -> Call[Batch[TCPSocket]]:
        """The sockets of TCP.

        states: `States` to report. LISTEN alone is much faster than with others: the kernel keeps listeners apart.
        family: AF_INET or AF_INET6 alone. include: what to report of each, an `Include`.
        filter: the kernel filters, as far as it can. The entire filter is then applied here.
        """
        program = _checked(states, family, include, filter)
        if family is None:
            call = self.dump_tcp_both(states=states, include=include, bytecode=program)
        else:
            call = self.dump_tcp(_request(Protocol.TCP, states, family, include, program))
        return _matching(call, filter, TCPSocket)

    @verb
    def udp(
        self: Conn[Deferred],
        states: int = States.ALL,
        *,
        family: int | None = None,
        include: int = _INCLUDE,
        filter: Filter | None = None,
    ) -> Call[Batch[UDPSocket]]:
        """The sockets of UDP. A socket without a peer is CLOSE, one with a peer ESTABLISHED. The rest as of `tcp`."""
        return self._of(self.dump_udp, UDPSocket, states, family, include, filter)

    @verb
    def mptcp(
        self: Conn[Deferred],
        states: int = States.ALL,
        *,
        family: int | None = None,
        include: int = _INCLUDE,
        filter: Filter | None = None,
    ) -> Call[Batch[MPTCPSocket]]:
        """The sockets of Multipath TCP. Their subflows are sockets of `tcp`. The rest as of `tcp`."""
        return self._of(self.dump_mptcp, MPTCPSocket, states, family, include, filter)

    @verb
    def raw(
        self: Conn[Deferred],
        states: int = States.ALL,
        *,
        family: int | None = None,
        include: int = _INCLUDE,
        filter: Filter | None = None,
    ) -> Call[Batch[RawSocket]]:
        """The raw sockets, of all internet protocols. The rest as of `tcp`."""
        return self._of(self.dump_raw, RawSocket, states, family, include, filter)

    @verb
    def sctp(
        self: Conn[Deferred],
        states: int = States.ALL,
        *,
        family: int | None = None,
        include: int = _INCLUDE,
        filter: Filter | None = None,
    ) -> Call[Batch[SCTPSocket]]:
        """The sockets and associations of SCTP. The rest as of `tcp`."""
        return self._of(self.dump_sctp, SCTPSocket, states, family, include, filter)

    def _of(
        self: Conn[Deferred],
        dump: Any,
        kind: type[_S],
        states: int,
        family: int | None,
        include: int,
        filter: Filter | None,
    ) -> Call[Batch[_S]]:
        program = _checked(states, family, include, filter)
        families = _FAMILIES if family is None else (family,)
        calls = [
            _matching(dump(_request(_NUMBERS[kind], states, one, include, program)), filter, kind) for one in families
        ]
        return calls[0] if len(calls) == 1 else Call.of_steps(partial(_joined, calls), self.protocol)

    @verb
    def get(self: Conn[Deferred], socket: Any, include: int = Include.ALL) -> Steps[Any]:
        """The socket with the addresses and ports of the given one, and with its cookie if that has one.

        socket: a `TCPSocket`, `UDPSocket`, `MPTCPSocket`, `RawSocket` or `SCTPSocket`. FileNotFoundError, which is an
        OpError, if there is no socket with exactly these addresses and ports: the kernel's own search finds the
        listener then. It finds one of Multipath TCP by `info.token`, ValueError without that, and of several raw
        sockets of one protocol and the same addresses only one.
        """
        kind = _kind_of(socket)
        gets: dict[type[InetSocket], Any] = {
            TCPSocket: self.get_tcp,
            UDPSocket: self.get_udp,
            MPTCPSocket: self.get_mptcp,
            RawSocket: self.get_raw,
            SCTPSocket: self.get_sctp,
        }
        # The kernel takes the addresses of one request for UDP the other way round.
        found: InetSocket = yield gets[kind](_request_of(socket, include, swapped=kind is UDPSocket))
        if _ends_of(found) != _ends_of(socket) or _other(found.cookie, socket.cookie):
            hint = f"there is no such socket; the kernel found another one: {_ends_text(found)}"
            raise OpError("execute", errno.ENOENT, hint=hint)
        return found

    @verb
    def destroy(self: Conn[Deferred], socket: InetSocket, *, listener: bool = False) -> Call[None]:
        """End a socket, whose process gets ECONNABORTED. It needs CAP_NET_ADMIN and CONFIG_INET_DIAG_DESTROY.

        socket: one that was reported, with its `cookie`: no other socket is ended, and FileNotFoundError is raised if
        it is gone. ValueError without a cookie: the kernel would end the listener if there is no such connection.
        listener: whether to end a socket without a peer, too; ValueError without it.
        TypeError for a raw socket: the kernel does not look at its cookie, and may end another one.
        """
        if _kind_of(socket) is RawSocket:
            raise TypeError("a raw socket cannot be ended: the kernel takes any of its protocol and addresses for it")
        if socket.cookie in (None, 0, _ANY_COOKIE):
            raise ValueError("destroy needs a socket with its cookie, as dumps and get return it")
        if not (listener or (socket.dst_port and socket.state != State.LISTEN)):
            raise ValueError("the socket has no peer, and may be a listener: listener=True ends it nevertheless")
        return self.end_socket(_request_of(socket, 0))

    # Other families

    @verb
    def unix(
        self: Conn[Deferred], states: int = States.ALL, *, include: int = UnixInclude.ALL
    ) -> Call[Batch[UnixSocket]]:
        """The Unix sockets. states: `States`; ESTABLISHED, LISTEN and CLOSE. include: a `UnixInclude`."""
        _number("states", states, States.ALL)
        _number("include", include, UnixInclude.ALL)
        return self.dump_unix(family=socket.AF_UNIX, states=states, include=include)

    @verb
    def get_unix_socket(
        self: Conn[Deferred], inode: int, cookie: int | None = None, *, include: int = UnixInclude.ALL
    ) -> Call[UnixSocket]:
        """The Unix socket of an inode. cookie: None for any.

        FileNotFoundError, which is an OpError, if it is gone; OpError (ESTALE) if another socket has its inode now.
        """
        _number("include", include, UnixInclude.ALL)
        if not inode:
            raise ValueError("a Unix socket is found by an inode, which is not 0")
        cookie = _ANY_COOKIE if cookie is None else cookie
        return self.get_unix(family=socket.AF_UNIX, states=States.ALL, inode=inode, include=include, cookie=cookie)

    @verb
    def packet(self: Conn[Deferred], *, include: int = PacketInclude.ALL) -> Call[Batch[PacketSocket]]:
        """The packet sockets. include: a `PacketInclude`."""
        _number("include", include, PacketInclude.ALL)
        return self.dump_packet(family=socket.AF_PACKET, include=include)

    @verb
    def netlink(
        self: Conn[Deferred], protocol: int | None = None, *, include: int = NetlinkInclude.ALL
    ) -> Call[Batch[NetlinkSocket]]:
        """The netlink sockets. protocol: one alone, such as `Family.ROUTE`. include: a `NetlinkInclude`.

        The kernel reports a socket that has joined groups twice.
        """
        _number("include", include, NetlinkInclude.ALL)
        protocol = _ALL_PROTOCOLS if protocol is None else int(protocol)
        return self.dump_netlink(family=socket.AF_NETLINK, protocol=protocol, include=include)

    @verb
    def vsock(self: Conn[Deferred], states: int = States.ALL) -> Call[Batch[VsockSocket]]:
        """The sockets of AF_VSOCK. states: `States`."""
        _number("states", states, States.ALL)
        return self.dump_vsock(family=socket.AF_VSOCK, states=states)

    @verb
    def xdp(self: Conn[Deferred], *, include: int = XDPInclude.ALL) -> Call[Batch[XDPSocket]]:
        """The sockets of AF_XDP. include: an `XDPInclude`."""
        _number("include", include, XDPInclude.ALL)
        return self.dump_xdp(family=_AF_XDP, include=include)

    # Processes

    @verb
    def connections(
        self: Conn[Deferred],
        kind: Literal["all", "inet", "inet4", "inet6", "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix"] = "inet",
        *,
        processes: bool = True,
    ) -> Steps[list[Connection]]:
        """The connections with the processes that have them, as psutil.net_connections returns them, but for the order.

        kind: which of TCP, UDP and Unix sockets, of which address families. ValueError for an unknown one.
        processes: whether to look for them, which takes most of the time: threads do it beside the dump. They are
        those of the PID namespace of /proc that this user may look into: root sees all of them. pid is None and fd is
        -1 without one. Of several processes it is the last one, and of its descriptors the first; a Unix socket comes
        with each descriptor.
        """
        found: list[Connection] = []
        wanted = kinds_of(kind)
        search = Search() if processes else None
        listed = States.ALL & ~States.BOUND_INACTIVE  # as /proc/net/tcp
        batches: list[tuple[Batch[Endpoint], socket.SocketKind]] = []
        if wanted[socket.SOCK_STREAM] == _FAMILIES:
            batches.append(((yield self.dump_tcp_endpoints(states=listed)), socket.SOCK_STREAM))
        else:
            for family in wanted[socket.SOCK_STREAM]:
                request = _request(Protocol.TCP, listed, family, 0, None)
                batches.append(((yield self.dump_endpoints(request)), socket.SOCK_STREAM))
        for family in wanted[socket.SOCK_DGRAM]:
            request = _request(Protocol.UDP, listed, family, 0, None)
            batches.append(((yield self.dump_endpoints(request)), socket.SOCK_DGRAM))
        unix = (yield self.unix(include=UnixInclude.NAME)) if wanted[None] else None
        owners = None if search is None else search.owners()
        for batch, type_ in batches:
            inet_rows(batch, type_, owners, found)
        if unix is not None:
            unix_rows(unix, owners, found)
        return found


def _joined(calls: list[Call[Batch[_S]]]) -> Steps[Batch[_S]]:
    first: Batch[_S] = yield calls[0]
    second: Batch[_S] = yield calls[1]
    return first + second


def _matching(call: Call[Batch[_S]], filter: Filter | None, kind: type[_S]) -> Call[Batch[_S]]:
    return call if filter is None else call.matching(filter.match_of(kind))


def _number(name: str, value: object, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be flags, not {value!r}")
    if not 0 <= value <= most:
        raise ValueError(f"{name} has bits that the kernel does not have: {value:#x}, of {int(most):#x}")


def _checked(states: int, family: int | None, include: int, filter: Filter | None) -> bytes | None:
    """The bytecode of a filter, after a check of all arguments."""
    _number("states", states, States.ALL)
    _number("include", include, Include.ALL)
    if family is not None and family not in _FAMILIES:
        raise ValueError(f"family must be AF_INET, AF_INET6 or None, not {family!r}")
    if filter is None:
        return None
    if not isinstance(filter, Filter):
        raise TypeError(f"filter must be a sock_diag.Filter or None, not {filter!r}")
    return bytecode(filter)


def _request(protocol: int, states: int, family: int, include: int, program: bytes | None) -> InetRequest:
    # struct inet_diag_req_v2 has 8 bits for the protocol, which would be those of another one.
    wide = protocol if protocol > Protocol.RAW else None
    number = Protocol.RAW if wide else protocol
    return InetRequest(
        family=family, protocol=number, states=states, include=include, bytecode=program, wide_protocol=wide
    )


def _kind_of(socket: Any) -> type[InetSocket]:
    for kind in _NUMBERS:
        if type(socket) is kind:
            return kind
    names = ", ".join(kind.__name__ for kind in _NUMBERS)
    raise TypeError(f"want one of {names}, which the protocol is known of, not {socket!r}")


def _request_of(socket: InetSocket, include: int, swapped: bool = False) -> InetRequest:
    """The request for one socket. ValueError if it has no address family or no own port."""
    _number("include", include, Include.ALL)
    family = socket.family
    if family is None or family not in _FAMILIES:
        raise ValueError(f"a socket has the family AF_INET or AF_INET6, not {family!r}")
    base = _request(_NUMBERS[type(socket)], 0, family, include, None)
    own, other = (socket.src, socket.src_port), (socket.dst, socket.dst_port)
    (src, src_port), (dst, dst_port) = (other, own) if swapped else (own, other)
    cookie, raw_protocol = socket.cookie, None
    if isinstance(socket, RawSocket):
        raw_protocol = socket.protocol
    elif isinstance(socket, MPTCPSocket):
        cookie = socket.info.token if socket.info else None
        if not cookie:
            raise ValueError("a socket of Multipath TCP is found by its info.token, which this one does not have")
    return base.replace(
        src=src,
        src_port=src_port,
        dst=dst,
        dst_port=dst_port,
        interface=socket.interface or 0,
        cookie=cookie or _ANY_COOKIE,  # no socket has 0
        raw_protocol=raw_protocol or 0,
    )


def _other(cookie: int | None, wanted: int | None) -> bool:
    return wanted not in (None, 0, _ANY_COOKIE) and cookie != wanted


def _ends_of(socket: InetSocket) -> tuple[Any, ...]:
    return tuple(str(one or 0) for one in (socket.src_port, socket.dst_port, _plain(socket.src), _plain(socket.dst)))


def _plain(address: Any) -> int:
    """The number of an address, 0 for none; a mapped one is as good as one of IPv4."""
    return 0 if address is None else int(getattr(address, "ipv4_mapped", None) or address)


def _ends_text(socket: InetSocket) -> str:
    return f"{socket.src} port {socket.src_port} to {socket.dst} port {socket.dst_port}"
