"""Connection tracking: the kernel's table of flows.

    from netlink.netfilter import conntrack

    with conntrack.dial() as ct:
        for flow in ct.dump():
            print(flow.orig.src, flow.orig.dst, flow.status)

Reading the table needs CAP_NET_ADMIN in the user namespace of the network namespace.
"""

from __future__ import annotations

import errno as _errno
import socket as _socket
from contextlib import suppress

from netlink import conn as _conn
from netlink._dump import dump, iter_dump
from netlink.consts import Family, HeaderFlags, NetfilterSubsystem
from netlink.errors import Overrun
from netlink.netfilter import _sysctl
from netlink.netfilter._nfnetlink import NfGenMsg, explained, request
from netlink.netfilter.conntrack.events import listen
from netlink.netfilter.conntrack.filter import Filter, abilities, address_family, check_flush, kernel_payload, match
from netlink.netfilter.conntrack.mirror import Change, Changes, FlowKey, Mirror
from netlink.netfilter.conntrack.records import (
    NAT,
    Counters,
    DCCPInfo,
    Event,
    Expect,
    ExpectFlags,
    ExpectNAT,
    Flow,
    ProtoInfo,
    SCTPInfo,
    SCTPState,
    SeqAdj,
    Stats,
    StatsExpect,
    StatsGlobal,
    Status,
    SynProxy,
    TCPFlags,
    TCPInfo,
    TCPState,
    Timestamp,
    Tuple,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from netlink._codec import Message
    from netlink._engine.match import Match
    from netlink.config import Config
    from netlink.netfilter._sysctl import Netns
    from netlink.schema import Batch

__all__ = [
    "NAT",
    "Change",
    "Changes",
    "Conn",
    "Counters",
    "DCCPInfo",
    "Event",
    "Expect",
    "ExpectFlags",
    "ExpectNAT",
    "Filter",
    "Flow",
    "FlowKey",
    "Mirror",
    "Overrun",
    "ProtoInfo",
    "SCTPInfo",
    "SCTPState",
    "SeqAdj",
    "Stats",
    "StatsExpect",
    "StatsGlobal",
    "Status",
    "SynProxy",
    "TCPFlags",
    "TCPInfo",
    "TCPState",
    "Timestamp",
    "Tuple",
    "dial",
    "listen",
]

# enum cntl_msg_types, linux/netfilter/nfnetlink_conntrack.h
_NEW = 0  # IPCTNL_MSG_CT_NEW
_GET = 1  # IPCTNL_MSG_CT_GET
_DELETE = 2  # IPCTNL_MSG_CT_DELETE
_GET_CTRZERO = 3  # IPCTNL_MSG_CT_GET_CTRZERO
_GET_STATS_CPU = 4  # IPCTNL_MSG_CT_GET_STATS_CPU
_GET_STATS = 5  # IPCTNL_MSG_CT_GET_STATS
_GET_DYING = 6  # IPCTNL_MSG_CT_GET_DYING
_GET_UNCONFIRMED = 7  # IPCTNL_MSG_CT_GET_UNCONFIRMED
# enum ctnl_exp_msg_types
_EXP_NEW = 0  # IPCTNL_MSG_EXP_NEW
_EXP_GET = 1  # IPCTNL_MSG_EXP_GET
_EXP_DELETE = 2  # IPCTNL_MSG_EXP_DELETE
_EXP_GET_STATS_CPU = 3  # IPCTNL_MSG_EXP_GET_STATS_CPU

_REQUEST = int(HeaderFlags.REQUEST)
_ACK = _REQUEST | int(HeaderFlags.ACKNOWLEDGE)
_DUMP = _REQUEST | int(HeaderFlags.DUMP)
_CREATE = _ACK | int(HeaderFlags.CREATE) | int(HeaderFlags.EXCL)

_ROWS = 4096
_HINTS = {
    _errno.ENOENT: "there is no such flow in that zone (any more), or no such master or helper",
    _errno.EEXIST: "there is such a flow already, or one with its reply tuple: update changes it",
    _errno.EBUSY: "the flow has another helper, or an iter_dump of this connection is still to be read or closed",
    _errno.ENOBUFS: "the read buffer is full: set a larger one with conn.set_read_buffer, and look what was done",
    _errno.EOPNOTSUPP: "the kernel has not, or has not loaded, what this needs, such as the helper or NAT",
}
_EXPECT_HINTS = _HINTS | {
    _errno.ENOENT: "there is no such expectation in that zone (any more), or no such master in the table",
    _errno.EOPNOTSUPP: "the master has no helper: create it with helper=, such as ftp",
    _errno.EEXIST: "there is such an expectation already",
    _errno.EBUSY: "an expectation overlaps with it, or an iter_dump of this connection is still to be read",
}


def dial(config: Config | None = None) -> Conn:
    """Open a connection to conntrack. Errors are those of `netlink.dial`."""
    return Conn(_conn.dial(Family.NETFILTER, config), config.netns if config else None)


class Conn:
    """Requests to conntrack over a `netlink.Conn`, whose rules for threads, closing and errors hold.

    Every method raises OpError: PermissionError without CAP_NET_ADMIN, FileNotFoundError where there is no such flow,
    FileExistsError where there is one already.
    """

    def __init__(self, conn: _conn.Conn, netns: Netns = None) -> None:
        """netns: which one conn is in, as in `netlink.Config`: to warn of its sysctls."""
        self.conn = conn
        self._netns = netns
        self._able: frozenset[str] | None = None

    def dump(self, filter: Filter | None = None, *, family: int | None = None, zero: bool = False) -> Batch[Flow]:
        """The flows of the table, all or those that filter means.

        filter: the kernel leaves out what it can tell by mark, status, zone and the tuples' protocol, IPv4 addresses,
        TCP and UDP ports; everything is checked here, so that the answer is the same on every kernel. ValueError where
        it asks for an event.
        family: AF_INET or AF_INET6 alone. zero: set the counters to 0 with the same look at them; where the dump is
        cut short then, what it had read of them is lost. ValueError with a filter that is not the kernel's to do alone.

        The kernel walks a table that changes meanwhile and does not tell: a flow may come twice or not at all. Where
        that matters tell flows apart by `id` and `orig`.
        """
        wanted, message = match(filter), self._dump_request(filter, family, zero)
        if zero:
            _sysctl.warn_of_zero(self._netns, self.stats_global)
        with explained(_HINTS):
            return dump(self.conn, message, Flow, wanted)

    def iter_dump(
        self,
        filter: Filter | None = None,
        *,
        family: int | None = None,
        zero: bool = False,
    ) -> Iterator[Batch[Flow]]:
        """`dump` in batches of some thousand flows: memory does not grow with the table."""
        wanted, message = match(filter), self._dump_request(filter, family, zero)
        if zero:
            _sysctl.warn_of_zero(self._netns, self.stats_global)
        return self._parts(message, wanted)

    def _parts(self, message: Message, wanted: Match[Flow] | None) -> Iterator[Batch[Flow]]:
        with explained(_HINTS):
            yield from iter_dump(self.conn, message, Flow, _ROWS, wanted)

    def _dump_request(self, filter: Filter | None, family: int | None, zero: bool) -> Message:
        if filter is not None and filter.event is not None:
            raise ValueError("a dump has no events: a filter with an event is for listen")
        payload, left = kernel_payload(filter, family, self._abilities)
        if zero and left:
            raise ValueError(
                f"this kernel does not tell flows apart by the filter's {', '.join(left)}: zero=True would set the "
                "counters of other flows to 0 too"
            )
        return request(NetfilterSubsystem.CTNETLINK, _GET_CTRZERO if zero else _GET, _DUMP, payload)

    def _abilities(self) -> frozenset[str]:
        """What the kernel can do of a filter; it is asked once for each connection."""
        if self._able is None:
            with explained(_HINTS):
                self._able = abilities(self.conn.execute)
        return self._able

    def dump_dying(self) -> Batch[Flow]:
        """The flows that are on their way out and wait for their DESTROY event to be delivered."""
        with explained(_HINTS):
            return dump(self.conn, _whole(_GET_DYING), Flow)

    def dump_unconfirmed(self) -> Batch[Flow]:
        """The flows whose first packet is still on its way. Kernels since 6.4 answer with none."""
        with explained(_HINTS):
            return dump(self.conn, _whole(_GET_UNCONFIRMED), Flow)

    def get(self, flow: Flow) -> Flow:
        """The flow with flow's `orig` tuple, or where it has none its `reply`, in its zone."""
        wanted = _with_header(Flow(**_key(flow)))
        with explained(_HINTS):
            (message,) = self.conn.execute(request(NetfilterSubsystem.CTNETLINK, _GET, _REQUEST, wanted.encode()))
        return Flow.decode(message.data)

    def create(self, flow: Flow) -> None:
        """Add a flow. It needs `orig`, `reply` and `timeout`; what the kernel insists on beyond that is added.

        Its status is confirmed, and where window scales are given the flag that makes them count.
        """
        flow = flow.replace(status=int(flow.status or 0) | int(Status.CONFIRMED))
        tcp = flow.protoinfo.tcp if flow.protoinfo else None
        if tcp is not None:
            flow = flow.replace(protoinfo=ProtoInfo(tcp=_with_scales(tcp)))
        self._change(_NEW, _CREATE, flow)

    def update(self, flow: Flow) -> None:
        """Change a flow, found by its tuple, to what the other fields say; those that are None stay."""
        self._change(_NEW, _ACK, flow)

    def delete(self, flow: Flow) -> None:
        """Delete the flow with flow's tuple in its zone, and where flow has an `id` only if that is still the same.

        ValueError where it has no tuple: for the kernel that would be all flows, which is `flush`.
        """
        values = _key(flow)
        if flow.id is not None:
            values["id"] = flow.id
        self._change(_DELETE, _ACK, Flow(**values))

    def flush(self, filter: Filter | None = None, *, family: int | None = None) -> None:
        """Delete all flows, or those that filter means; with family, AF_INET or AF_INET6, of that alone.

        filter: by mark, status, zone, orig and reply; ValueError for any other, and for one that means every flow.
        Where the kernel cannot tell them all apart (tuples and zones before Linux 6.12, ports of other protocols than
        TCP and UDP, IPv6 addresses) what a dump finds is deleted flow by flow, each by its tuple, zone and id: no other
        one goes.
        """
        if filter is not None:
            check_flush(filter)
        payload, left = kernel_payload(filter, family, self._abilities, flush=True)
        if not left:
            with explained(_HINTS):
                self.conn.execute(request(NetfilterSubsystem.CTNETLINK, _DELETE, _ACK, payload))
            return
        for flow in self.dump(filter, family=family):
            with suppress(FileNotFoundError):  # it has ended meanwhile
                self.delete(flow)

    def dump_expect(self, *, family: int | None = None) -> Batch[Expect]:
        """The expectations: flows that helpers have announced; family: of AF_INET or AF_INET6 alone."""
        message = _whole(_EXP_GET, NetfilterSubsystem.CTNETLINK_EXP, address_family(None, family))
        with explained(_EXPECT_HINTS):
            return dump(self.conn, message, Expect)

    def get_expect(self, expect: Expect) -> Expect:
        """The expectation with expect's `tuple`, in its zone, and where it has an `id` only if that is the same."""
        with explained(_EXPECT_HINTS):
            (message,) = self.conn.execute(_expect_request(_EXP_GET, _REQUEST, _expect_key(expect)))
        return Expect.decode(message.data)

    def create_expect(self, expect: Expect) -> None:
        """Add an expectation. It needs `master`, the original tuple of a flow in the table that has a helper, `tuple`,
        `mask` and `timeout`.

        In the place of the timeout the kernel takes that of its helper's policy, where there is one.
        """
        self._change_expect(_EXP_NEW, _CREATE, {name: getattr(expect, name, None) for name in Expect.__fields__})

    def delete_expect(self, expect: Expect) -> None:
        """Delete the expectation with expect's `tuple`, in its zone, and where it has an `id` only if that is the same.

        ValueError where it has no tuple: for the kernel that would be all, which is `flush_expect`.
        """
        key = _expect_key(expect)
        try:
            self._change_expect(_EXP_DELETE, _ACK, key)
        except FileNotFoundError:
            if expect.id is None:
                raise
            # The deletes of older kernels compare the id with another number than the one that they give out.
            self.get_expect(expect)
            self._change_expect(_EXP_DELETE, _ACK, key | {"id": None})

    def flush_expect(self, helper: str | None = None) -> None:
        """Delete all expectations, or those that the helper of this name has made."""
        with explained(_EXPECT_HINTS):
            payload = Expect(header=NfGenMsg(), helper=helper).encode()
            self.conn.execute(request(NetfilterSubsystem.CTNETLINK_EXP, _EXP_DELETE, _ACK, payload))

    def stats(self) -> Batch[Stats]:
        """What each CPU has counted in this network namespace."""
        with explained({}):
            return dump(self.conn, _whole(_GET_STATS_CPU), Stats)

    def stats_expect(self) -> Batch[StatsExpect]:
        """What each CPU has counted of expectations in this network namespace."""
        with explained({}):
            return dump(self.conn, _whole(_EXP_GET_STATS_CPU, NetfilterSubsystem.CTNETLINK_EXP), StatsExpect)

    def stats_global(self) -> StatsGlobal:
        """How many flows there are and may be."""
        with explained({}):
            (message,) = self.conn.execute(
                request(NetfilterSubsystem.CTNETLINK, _GET_STATS, _REQUEST, NfGenMsg().encode())
            )
        return StatsGlobal.decode(message.data)

    def _change_expect(self, message: int, flags: int, values: dict[str, object]) -> None:
        with explained(_EXPECT_HINTS):
            self.conn.execute(_expect_request(message, flags, values))

    def _change(self, message: int, flags: int, flow: Flow) -> None:
        _key(flow)
        with explained(_HINTS):
            self.conn.execute(request(NetfilterSubsystem.CTNETLINK, message, flags, _with_header(flow).encode()))

    def close(self) -> None:
        """Close the connection."""
        self.conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _whole(message: int, subsystem: int = NetfilterSubsystem.CTNETLINK, family: int = _socket.AF_UNSPEC) -> Message:
    return request(subsystem, message, _DUMP, NfGenMsg(family=family).encode())


def _expect_key(expect: Expect) -> dict[str, object]:
    """What the kernel finds an expectation by."""
    return {name: getattr(expect, name, None) for name in ("tuple", "id", "zone")}


def _expect_request(message: int, flags: int, values: dict[str, object]) -> Message:
    address = getattr(values.get("tuple"), "src", None)
    if address is None:
        raise ValueError("the expectation has no tuple with addresses to be found by")
    header = NfGenMsg(family=_socket.AF_INET if address.version == 4 else _socket.AF_INET6)
    payload = Expect(**(values | {"header": header})).encode()
    return request(NetfilterSubsystem.CTNETLINK_EXP, message, flags, payload)


def _key(flow: Flow) -> dict[str, object]:
    """What the kernel finds a flow by."""
    for direction in ("orig", "reply"):
        tuple_ = getattr(flow, direction, None)  # which raises where it is absent
        if tuple_ is not None:
            return {direction: tuple_} if flow.zone is None else {direction: tuple_, "zone": flow.zone}
    raise ValueError("the flow has neither an orig nor a reply tuple to be found by")


def _with_header(flow: Flow) -> Flow:
    """The flow with the address family of its tuple in the header."""
    address = getattr(getattr(flow, "orig", None) or getattr(flow, "reply", None), "src", None)
    if address is None:
        raise ValueError("the flow's tuple has no addresses")
    return flow.replace(header=NfGenMsg(family=_socket.AF_INET if address.version == 4 else _socket.AF_INET6))


def _with_scales(tcp: TCPInfo) -> TCPInfo:
    for scale, name in (("wscale_original", "flags_original"), ("wscale_reply", "flags_reply")):
        if getattr(tcp, scale) is not None:
            window_scale = 0x01  # IP_CT_TCP_FLAG_WINDOW_SCALE, linux/netfilter/nf_conntrack_tcp.h
            given = getattr(tcp, name) or TCPFlags()
            flags = TCPFlags(flags=(given.flags or 0) | window_scale, mask=(given.mask or 0) | window_scale)
            tcp = tcp.replace(**{name: flags})
    return tcp
