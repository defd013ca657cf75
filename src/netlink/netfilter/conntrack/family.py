"""Requests to conntrack: `Conn`, `dial` and `dial_async`."""

from __future__ import annotations

import errno
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, overload

from netlink import family as _family
from netlink.consts import HeaderFlags
from netlink.family import C, Call, Deferred, Do, Dump, Steps, verb
from netlink.netfilter._sysctl import warn_of_zero
from netlink.netfilter.conntrack.filter import ABILITIES, KERNELS, abilities, address_family, check_flush, part_of
from netlink.netfilter.conntrack.records import (
    Command,
    Expect,
    Flow,
    Part,
    ProtoInfo,
    Stats,
    StatsExpect,
    StatsGlobal,
    Status,
    TCPFlag,
    TCPFlags,
    TCPInfo,
    Tuple,
)
from netlink.netfilter.nfnetlink import Family, NfGenMsg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.netfilter.conntrack.filter import Filter
    from netlink.schema import Batch

__all__ = ["Conn", "dial", "dial_async"]

_CREATE = HeaderFlags.CREATE | HeaderFlags.EXCL
_EXPECT_HINTS = {
    errno.ENOENT: "there is no such expectation in that zone (any more), or no such master in the table",
    errno.EOPNOTSUPP: "the master has no helper: create it with helper=, such as ftp",
    errno.EEXIST: "there is such an expectation already",
    errno.EBUSY: "an expectation overlaps with it, or an iter_dump of this connection is still to be read",
}


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to conntrack. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to conntrack for asyncio, whose methods are awaited. A plain call, which does not wait."""
    return _family.dial_async(Conn, config, **options)


class Conn(Family[C]):
    """Requests to conntrack over a `netlink.Conn` or a `netlink.aio.AsyncConn`, whose rules for threads, tasks,
    closing and errors hold.

    Every method raises OpError: PermissionError without CAP_NET_ADMIN, FileNotFoundError where there is no such flow,
    FileExistsError where there is one already.
    """

    hints = {  # noqa: RUF012
        errno.ENOENT: "there is no such flow in that zone (any more), or no such master or helper",
        errno.EEXIST: "there is such a flow already, or one with its reply tuple: update changes it",
        errno.EBUSY: "the flow has another helper, or an iter_dump of this connection is still to be read or closed",
        errno.ENOBUFS: "the read buffer is full: set a larger one with conn.set_read_buffer, and look what was done",
        errno.EOPNOTSUPP: "the kernel has not, or has not loaded, what this needs, such as the helper or NAT",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    # The operations that the verbs below are made of.

    dump_part = Dump(Command.GET, Part, Flow, doc="The flows of a part of the table.")
    dump_part_zero = Dump(Command.GET_CTRZERO, Part, Flow, doc="The same, whose counters are set to 0.")
    delete_part = Do(Command.DELETE, Part, doc="Delete the flows of a part of the table.")
    get_flow = Do(Command.GET, Flow, Flow, doc="One flow.")
    create_flow = Do(Command.NEW, Flow, flags=_CREATE, doc="Add a flow.")
    update_flow = Do(Command.NEW, Flow, doc="Change a flow.")
    delete_flow = Do(Command.DELETE, Flow, doc="Delete a flow.")
    dump_expectations = Dump(Command.EXP_GET, NfGenMsg, Expect, hints=_EXPECT_HINTS, doc="The expectations.")
    get_expectation = Do(Command.EXP_GET, Expect, Expect, hints=_EXPECT_HINTS, doc="One expectation.")
    create_expectation = Do(Command.EXP_NEW, Expect, flags=_CREATE, hints=_EXPECT_HINTS, doc="Add an expectation.")
    delete_expectation = Do(Command.EXP_DELETE, Expect, hints=_EXPECT_HINTS, doc="Delete expectations.")

    dump_dying = Dump(
        Command.GET_DYING,
        NfGenMsg,
        Flow,
        doc="The flows that are on their way out and wait for their DESTROY event to be delivered.",
    )
    dump_unconfirmed = Dump(
        Command.GET_UNCONFIRMED,
        NfGenMsg,
        Flow,
        doc="The flows whose first packet is still on its way. Kernels since 6.4 answer with none.",
    )
    stats = Dump(Command.GET_STATS_CPU, NfGenMsg, Stats, doc="What each CPU has counted in this network namespace.")
    stats_expect = Dump(
        Command.EXP_GET_STATS_CPU,
        NfGenMsg,
        StatsExpect,
        doc="What each CPU has counted of expectations in this network namespace.",
    )
    stats_global = Do(Command.GET_STATS, NfGenMsg, StatsGlobal, doc="How many flows there are and may be.")

    _able: frozenset[str] | None = None

    @verb
    def dump(
        self: Conn[Deferred], filter: Filter | None = None, *, family: int | None = None, zero: bool = False
    ) -> Call[Batch[Flow]]:
        """The flows of the table, all or those that filter means.

        filter: the kernel leaves out what it can tell by mark, status, zone and the tuples' protocol, IPv4 addresses,
        TCP and UDP ports; everything is checked here, so that the answer is the same on every kernel. ValueError where
        it asks for an event.
        family: AF_INET or AF_INET6 alone. zero: set the counters to 0 with the same look at them; where the dump is
        cut short then, what it had read of them is lost. ValueError with a filter that is not the kernel's to do alone.

        The kernel walks a table that changes meanwhile and does not tell: a flow may come twice or not at all. Where
        that matters tell flows apart by zone, `id` and `orig`.
        """
        if filter is not None and filter.event is not None:
            raise ValueError("a dump has no events: a filter with an event is for listen")
        if zero:
            _refuse_zero(part_of(filter, family, ABILITIES)[1])
        address_family(filter, family)
        return Call.of_steps(partial(self._dump, filter, family, zero), self.protocol)

    def _dump(self: Conn[Deferred], filter: Filter | None, family: int | None, zero: bool) -> Steps[Batch[Flow]]:
        part, left = part_of(filter, family, (yield from self._abilities(filter)))
        if zero:
            _refuse_zero(left)
            yield self.stats_global()  # which raises where nothing is permitted, before anything is warned of
            warn_of_zero(self.conn.config)
        call = self.dump_part_zero(part) if zero else self.dump_part(part)
        return call if filter is None else call.matching(filter.match())

    def _abilities(self: Conn[Deferred], filter: Filter | None) -> Generator[Any, Any, frozenset[str]]:
        """What the kernel can do of a filter; it is asked once for each connection, where that matters."""
        if filter is None or KERNELS.isdisjoint(filter.given):
            return frozenset()
        if self.conn.config is None:
            # A test double answers its operations alone; without a connection nobody knows whom the calls will ask.
            return frozenset()
        if self._able is None:
            self._able = yield from abilities(self.protocol)
        return self._able

    @overload
    def iter_dump(
        self: Conn[NetlinkConn], filter: Filter | None = ..., *, family: int | None = ..., zero: bool = ...
    ) -> Iterator[Batch[Flow]]: ...
    @overload
    def iter_dump(
        self: Conn[AsyncConn], filter: Filter | None = ..., *, family: int | None = ..., zero: bool = ...
    ) -> AsyncIterator[Batch[Flow]]: ...
    def iter_dump(self, filter: Filter | None = None, *, family: int | None = None, zero: bool = False) -> Any:
        """`dump` in batches of some thousand flows: memory does not grow with the table."""
        call: Any = self.calls.dump(filter, family=family, zero=zero)
        return self.iterate(call)  # type: ignore[misc]

    @verb
    def get(self: Conn[Deferred], flow: Flow) -> Call[Flow]:
        """The flow with flow's `orig` tuple, or where it has none its `reply`, in its zone."""
        return self.get_flow(_with_family(Flow(**_key(flow))))

    @verb
    def create(self: Conn[Deferred], flow: Flow) -> Call[None]:
        """Add a flow. It needs `orig`, `reply` and `timeout`; what the kernel insists on beyond that is added.

        Its status is confirmed, and where window scales are given the flag that makes them count. ValueError where it
        lacks one of them, or what a tuple needs, and where they are of two address families.
        """
        for name in ("orig", "reply", "timeout"):
            if getattr(flow, name, None) is None:
                raise ValueError(f"a flow to be created needs {name}")
        for name, tuple_ in (("orig", flow.orig), ("reply", flow.reply)):
            _check_whole(name, tuple_)
        flow = flow.replace(status=int(flow.status or 0) | int(Status.CONFIRMED))
        tcp = flow.protoinfo.tcp if flow.protoinfo else None
        if tcp is not None:
            flow = flow.replace(protoinfo=ProtoInfo(tcp=_with_scales(tcp)))
        return self.create_flow(_with_family(flow))

    @verb
    def update(self: Conn[Deferred], flow: Flow) -> Call[None]:
        """Change a flow, found by its tuple, to what the other fields say; those that are None stay."""
        _key(flow)
        return self.update_flow(_with_family(flow))

    @verb
    def delete(self: Conn[Deferred], flow: Flow) -> Call[None]:
        """Delete the flow with flow's tuple in its zone, and where flow has an `id` only if that is still the same.

        ValueError where it has no tuple: for the kernel that would be all flows, which is `flush`.
        """
        return self.delete_flow(_with_family(Flow(**_key(flow), id=flow.id)))

    @verb
    def flush(self: Conn[Deferred], filter: Filter | None = None, *, family: int | None = None) -> Call[None]:
        """Delete all flows, or those that filter means; with family, AF_INET or AF_INET6, of that alone.

        filter: by mark, status, zone, orig and reply; ValueError for any other, and for one that means every flow.
        Where the kernel cannot tell them all apart (tuples and zones before Linux 6.12, ports of other protocols than
        TCP and UDP, IPv6 addresses) what a dump finds is deleted flow by flow, each by its tuple, zone and id: no other
        one goes.
        """
        if filter is not None:
            check_flush(filter)
        address_family(filter, family)
        return Call.of_steps(partial(self._flush, filter, family), self.protocol)

    def _flush(self: Conn[Deferred], filter: Filter | None, family: int | None) -> Steps[None]:
        part, left = part_of(filter, family, (yield from self._abilities(filter)), flush=True)
        if not left:
            return self.delete_part(part)
        found: Batch[Flow] = yield self.dump(filter, family=family)
        answers = yield [self.delete(flow) for flow in found]
        for answer in answers:
            if answer is not None and not isinstance(answer, FileNotFoundError):  # it has ended meanwhile
                raise answer
        return None

    @verb
    def dump_expect(self: Conn[Deferred], *, family: int | None = None) -> Call[Batch[Expect]]:
        """The expectations: flows that helpers have announced; family: of AF_INET or AF_INET6 alone."""
        return self.dump_expectations(family=address_family(None, family))

    @verb
    def get_expect(self: Conn[Deferred], expect: Expect) -> Call[Expect]:
        """The expectation with expect's `tuple`, in its zone, and where it has an `id` only if that is the same."""
        return self.get_expectation(_expect_key(expect))

    @verb
    def create_expect(self: Conn[Deferred], expect: Expect) -> Call[None]:
        """Add an expectation. It needs `master`, the original tuple of a flow in the table that has a helper, `tuple`,
        `mask` and `timeout`.

        In the place of the timeout the kernel takes that of its helper's policy, where there is one. ValueError where
        it lacks one of them, or what a tuple needs, and where they are of two address families.
        """
        for name in ("master", "tuple", "mask", "timeout"):
            if getattr(expect, name, None) is None:
                raise ValueError(f"an expectation to be created needs {name}")
        for name, tuple_ in (("master", expect.master), ("tuple", expect.tuple)):
            _check_whole(name, tuple_)
        _family_of(expect.tuple, expect.master, expect.mask)
        return self.create_expectation(expect.replace(family=_family_of(getattr(expect, "tuple", None))))

    @verb
    def delete_expect(self: Conn[Deferred], expect: Expect) -> Steps[None]:
        """Delete the expectation with expect's `tuple`, in its zone, and where it has an `id` only if that is the same.

        ValueError where it has no tuple: for the kernel that would be all, which is `flush_expect`.
        """
        key = _expect_key(expect)
        try:
            yield self.delete_expectation(key)
        except FileNotFoundError:
            if expect.id is None:
                raise
            # The deletes of older kernels compare the id with another number than the one that they give out.
            yield self.get_expectation(key)
            yield self.delete_expectation(key.replace(id=None))
        return None

    @verb
    def flush_expect(self: Conn[Deferred], helper: str | None = None) -> Call[None]:
        """Delete all expectations, or those that the helper of this name has made."""
        return self.delete_expectation(helper=helper)


def _refuse_zero(left: list[str]) -> None:
    """ValueError for a dump that sets counters to 0, where not the kernel alone decides whose."""
    if left:
        raise ValueError(
            f"this kernel does not tell flows apart by the filter's {', '.join(left)}: zero=True would set the "
            "counters of other flows to 0 too"
        )


def _family_of(tuple_: Tuple | None, *others: Tuple | None) -> int:
    """The address family of a tuple, and of others. ValueError where it has no addresses, or they are of two."""
    if tuple_ is None or tuple_.src is None:
        raise ValueError("there is no tuple with addresses to be found by")
    addresses = [address for one in (tuple_, *others) if one for address in (one.src, one.dst) if address is not None]
    for address in addresses:
        if address.version != tuple_.src.version:
            raise ValueError(f"the tuples' addresses {tuple_.src} and {address} are of two address families")
    return socket.AF_INET if tuple_.src.version == 4 else socket.AF_INET6


_PORTS = ("src_port", "dst_port")
_ICMP = ("icmp_type", "icmp_code", "icmp_id")
_PARTS = {
    socket.IPPROTO_TCP: _PORTS,
    socket.IPPROTO_UDP: _PORTS,
    socket.IPPROTO_ICMP: _ICMP,
    socket.IPPROTO_ICMPV6: _ICMP,
}


def _check_whole(name: str, tuple_: Tuple) -> None:
    """ValueError for a tuple that lacks what the kernel would miss in it without a word."""
    for part in ("src", "dst", "proto", *_PARTS.get(tuple_.proto or 0, ())):
        if getattr(tuple_, part) is None:
            raise ValueError(f"{name} needs {part}")


def _expect_key(expect: Expect) -> Expect:
    """What the kernel finds an expectation by."""
    family = _family_of(getattr(expect, "tuple", None))
    return Expect(family=family, tuple=expect.tuple, id=expect.id, zone=expect.zone)


def _key(flow: Flow) -> dict[str, Any]:
    """What the kernel finds a flow by."""
    for direction in ("orig", "reply"):
        tuple_ = getattr(flow, direction, None)  # which raises where it is absent
        if tuple_ is not None:
            return {direction: tuple_, "zone": flow.zone}
    raise ValueError("the flow has neither an orig nor a reply tuple to be found by")


def _with_family(flow: Flow) -> Flow:
    """The flow with the address family of its tuples in the header."""
    orig, reply = getattr(flow, "orig", None), getattr(flow, "reply", None)
    return flow.replace(family=_family_of(orig or reply, reply))


def _with_scales(tcp: TCPInfo) -> TCPInfo:
    """The state with the flag that makes window scales count, where there are some."""
    for scale, name in (("wscale_original", "flags_original"), ("wscale_reply", "flags_reply")):
        if getattr(tcp, scale) is not None:
            given = getattr(tcp, name) or TCPFlags()
            used = TCPFlag.WINDOW_SCALE
            flags = TCPFlags(flags=(given.flags or 0) | used, mask=(given.mask or 0) | used)
            tcp = tcp.replace(**{name: flags})
    return tcp
