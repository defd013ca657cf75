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
from netlink.netfilter.conntrack.filter import (
    ABILITIES,
    KERNELS,
    abilities,
    address_family,
    check_filter,
    check_flush,
    part_of,
    parts_of,
)
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
from netlink.parts import ROWS_MIN, Parts, check_parallel

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
# What identifies a flow.
_KEY = [("id",), ("zone",), *(("orig", name) for name in Tuple.__fields__)]
_EXPECT_HINTS = {
    errno.ENOENT: "there is no such expectation in that zone (any more), or no such master in the table",
    errno.EOPNOTSUPP: "the master has no helper: create it with helper=, such as ftp",
    errno.EEXIST: "the expectation exists already",
    errno.EBUSY: "an expectation overlaps with it",
}


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to conntrack. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to conntrack for asyncio, with coroutine methods. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)


class Conn(Family[C]):
    """Requests to conntrack over a `netlink.Conn` or a `netlink.aio.AsyncConn`, with their rules for threads, tasks,
    closing and errors.

    Every method raises OpError: PermissionError without CAP_NET_ADMIN, FileNotFoundError if there is no such flow,
    FileExistsError if the flow exists already.
    """

    hints = {  # noqa: RUF012
        errno.ENOENT: "there is no such flow in that zone (any more), or no such master or helper",
        errno.EEXIST: "the flow or its reply tuple exists already: update changes a flow",
        errno.EBUSY: "the flow has another helper",
        errno.ENOBUFS: "the read buffer is full: set a larger one with conn.set_read_buffer, and check what was done",
        errno.EOPNOTSUPP: "the kernel lacks a module that this needs, such as the helper or NAT",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    # The operations of the verbs below.

    dump_part = Dump(Command.GET, Part, Flow, doc="The flows of a part of the table.")
    dump_part_zero = Dump(Command.GET_CTRZERO, Part, Flow, doc="`dump_part`, which sets the counters to 0.")
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
        doc="The deleted flows that wait for the delivery of their DESTROY event.",
    )
    dump_unconfirmed = Dump(
        Command.GET_UNCONFIRMED,
        NfGenMsg,
        Flow,
        doc="The flows of first packets still in transit. Kernels since 6.4 report none.",
    )
    stats = Dump(Command.GET_STATS_CPU, NfGenMsg, Stats, doc="The counters of each CPU in this network namespace.")
    stats_expect = Dump(
        Command.EXP_GET_STATS_CPU,
        NfGenMsg,
        StatsExpect,
        doc="The counters of each CPU for expectations in this network namespace.",
    )
    stats_global = Do(Command.GET_STATS, NfGenMsg, StatsGlobal, doc="The number of flows and its limit.")

    _able: frozenset[str] | None = None

    @verb
    def dump(
        self: Conn[Deferred],
        filter: Filter | None = None,
        *,
        family: int | None = None,
        zero: bool = False,
        parallel: int = 1,
    ) -> Call[Batch[Flow]]:
        """The flows of the table that match filter; None for all.

        filter: the kernel filters by mark, status, zone and the protocol, IPv4 addresses, TCP and UDP ports of the
        tuples, as far as it can. The entire filter is then applied here: the result is the same on every kernel.
        ValueError if it has an event.
        family: AF_INET or AF_INET6 alone. zero: set the counters to 0 in the same step. If such a dump does not finish,
        the counters that it has read are lost. ValueError if the kernel cannot apply the entire filter.
        parallel: at most so many threads receive the table in parts, each over a socket of its own, for the length of
        the call: the kernel then works on several CPUs. The parts differ by bits of mark or status or by the address
        family, as a sample of the table says; if none splits it well, or if it is small, this connection receives it
        alone. ValueError if it is not from 1 to 64.

        The table changes during the dump, and the kernel does not report that: a flow may be reported twice or not at
        all. Zone, `id` and `orig` identify a flow. So may a flow whose mark or status changes during a dump in parts;
        there a flow that is reported twice is left out once, except with zero, as each report has its own counters. The
        flows of a dump in parts have no order.
        """
        check_filter(filter)
        check_parallel(parallel)
        if filter is not None and filter.event is not None:
            raise ValueError("a dump has no events: use a filter with an event for listen")
        if zero:
            _refuse_zero(part_of(filter, family, ABILITIES)[1])
        address_family(filter, family)
        return Call.of_steps(partial(self._dump, filter, family, zero, parallel), self.protocol)

    def _dump(
        self: Conn[Deferred], filter: Filter | None, family: int | None, zero: bool, parallel: int
    ) -> Steps[Batch[Flow]]:
        in_parts = parallel > 1 and self.conn.config is not None
        able = yield from self._abilities(filter, always=in_parts)
        part, left = part_of(filter, family, able)
        if zero:
            _refuse_zero(left)
            yield self.stats_global()  # raises without permission, before the warning
            warn_of_zero(self.conn.config)

        def call_of(part: Part) -> Call[Batch[Flow]]:
            call = self.dump_part_zero(part) if zero else self.dump_part(part)
            return call if filter is None else call.matching(filter.match())

        whole = call_of(part)
        if not in_parts:
            return whole
        total = (yield self.stats_global()).entries or 0
        if total < ROWS_MIN:
            return whole

        def plan(sample: Batch[Flow]) -> tuple[list[Call[Batch[Flow]]], int]:
            seen = filter
            for name in left:  # the kernel formats what it cannot filter
                seen = None if seen is None else seen.without(name)
            parts, share = parts_of(part, sample, seen, able, parallel, total)
            return [call_of(one) for one in parts], int(share * total * 9 / 8)

        key = () if zero else _KEY
        return Call.of_parts(Parts(whole, self.dump_part(), plan, parallel, key), self.protocol)

    def _abilities(
        self: Conn[Deferred], filter: Filter | None, always: bool = False
    ) -> Generator[Any, Any, frozenset[str]]:
        """The criteria that the kernel can filter by, probed once for each connection if a filter needs them."""
        if not always and (filter is None or KERNELS.isdisjoint(filter.given)):
            return frozenset()
        if self.conn.config is None:
            # A test double has only its operations. Without a connection, the kernel of the calls is unknown.
            return frozenset()
        if self._able is None:
            self._able = yield from abilities(self.protocol)
        return self._able

    @overload
    def iter_dump(
        self: Conn[NetlinkConn],
        filter: Filter | None = ...,
        *,
        family: int | None = ...,
        zero: bool = ...,
        parallel: int = ...,
    ) -> Iterator[Batch[Flow]]: ...
    @overload
    def iter_dump(
        self: Conn[AsyncConn],
        filter: Filter | None = ...,
        *,
        family: int | None = ...,
        zero: bool = ...,
        parallel: int = ...,
    ) -> AsyncIterator[Batch[Flow]]: ...
    def iter_dump(
        self, filter: Filter | None = None, *, family: int | None = None, zero: bool = False, parallel: int = 1
    ) -> Any:
        """`dump` in batches of some thousand flows: memory does not grow with the table.

        parallel: as of `dump`. To leave out doubles, it remembers 10 to 22 bytes of each flow.
        """
        call: Any = self.calls.dump(filter, family=family, zero=zero, parallel=parallel)
        return self.iterate(call)  # type: ignore[misc]

    @verb
    def get(self: Conn[Deferred], flow: Flow) -> Call[Flow]:
        """The flow with the `orig` tuple of the given flow, or with its `reply` if it has no `orig`, in its zone."""
        return self.get_flow(_with_family(Flow(**_key(flow))))

    @verb
    def create(self: Conn[Deferred], flow: Flow) -> Call[None]:
        """Add a flow. It needs `orig`, `reply` and `timeout`.

        Two flags are set: CONFIRMED in the status, which the kernel requires, and WINDOW_SCALE if the flow has window
        scales. ValueError if a required field or a field of a tuple is absent, or if the tuples have two address
        families.
        """
        for name in ("orig", "reply", "timeout"):
            if getattr(flow, name, None) is None:
                raise ValueError(f"a new flow needs {name}")
        for name, tuple_ in (("orig", flow.orig), ("reply", flow.reply)):
            _check_whole(name, tuple_)
        flow = flow.replace(status=int(flow.status or 0) | int(Status.CONFIRMED))
        tcp = flow.protoinfo.tcp if flow.protoinfo else None
        if tcp is not None:
            flow = flow.replace(protoinfo=ProtoInfo(tcp=_with_scales(tcp)))
        return self.create_flow(_with_family(flow))

    @verb
    def update(self: Conn[Deferred], flow: Flow) -> Call[None]:
        """Change the flow with the tuple of the given flow: set all fields that are not None."""
        _key(flow)
        return self.update_flow(_with_family(flow))

    @verb
    def delete(self: Conn[Deferred], flow: Flow) -> Call[None]:
        """Delete the flow with the tuple of the given flow, in its zone, and with its `id` if it has one.

        ValueError if it has no tuple: the kernel would delete all flows, as `flush` does.
        """
        return self.delete_flow(_with_family(Flow(**_key(flow), id=flow.id)))

    @verb
    def flush(self: Conn[Deferred], filter: Filter | None = None, *, family: int | None = None) -> Call[None]:
        """Delete the flows that match filter, None for all. family: AF_INET or AF_INET6 alone.

        filter: by mark, status, zone, orig and reply. ValueError for any other criterion, and for a filter that every
        flow matches. If the kernel cannot apply all of it (tuples and zones before Linux 6.12, ports of protocols other
        than TCP and UDP, IPv6 addresses), the flows of a dump are deleted one by one, each by its tuple, zone and id:
        no other flow is deleted.
        """
        check_filter(filter)
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
        """The expectations: flows that helpers expect. family: AF_INET or AF_INET6 alone."""
        return self.dump_expectations(family=address_family(None, family))

    @verb
    def get_expect(self: Conn[Deferred], expect: Expect) -> Call[Expect]:
        """The expectation with the given `tuple`, in its zone, and with its `id` if it has one."""
        return self.get_expectation(_expect_key(expect))

    @verb
    def create_expect(self: Conn[Deferred], expect: Expect) -> Call[None]:
        """Add an expectation. It needs `master`, the original tuple of a flow with a helper, `tuple`, `mask` and
        `timeout`.

        The kernel uses the timeout of the helper's policy instead, if there is one. ValueError if a required field or a
        field of a tuple is absent, or if the tuples have two address families.
        """
        for name in ("master", "tuple", "mask", "timeout"):
            if getattr(expect, name, None) is None:
                raise ValueError(f"a new expectation needs {name}")
        for name, tuple_ in (("master", expect.master), ("tuple", expect.tuple)):
            _check_whole(name, tuple_)
        _family_of(expect.tuple, expect.master, expect.mask)
        return self.create_expectation(expect.replace(family=_family_of(getattr(expect, "tuple", None))))

    @verb
    def delete_expect(self: Conn[Deferred], expect: Expect) -> Steps[None]:
        """Delete the expectation with the given `tuple`, in its zone, and with its `id` if it has one.

        ValueError if it has no tuple: the kernel would delete all expectations, as `flush_expect` does.
        """
        key = _expect_key(expect)
        try:
            yield self.delete_expectation(key)
        except FileNotFoundError:
            if expect.id is None:
                raise
            # In a delete, older kernels compare the id with another number than the one that they report.
            yield self.get_expectation(key)
            yield self.delete_expectation(key.replace(id=None))
        return None

    @verb
    def flush_expect(self: Conn[Deferred], helper: str | None = None) -> Call[None]:
        """Delete all expectations, or those of the helper with this name."""
        return self.delete_expectation(helper=helper)


def _refuse_zero(left: list[str]) -> None:
    """ValueError if a dump would set the counters of flows that do not match to 0."""
    if left:
        raise ValueError(
            f"this kernel cannot filter by {', '.join(left)}: zero=True would also set the counters of other flows to 0"
        )


def _family_of(tuple_: Tuple | None, *others: Tuple | None) -> int:
    """The address family of tuples. ValueError if the first has no addresses, or if they have two families."""
    if tuple_ is None or tuple_.src is None:
        raise ValueError("there is no tuple with addresses to identify it")
    addresses = [address for one in (tuple_, *others) if one for address in (one.src, one.dst) if address is not None]
    for address in addresses:
        if address.version != tuple_.src.version:
            raise ValueError(f"the tuples' addresses {tuple_.src} and {address} have two address families")
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
    """ValueError for a tuple without a field that the kernel needs, but whose absence it does not report."""
    for part in ("src", "dst", "proto", *_PARTS.get(tuple_.proto or 0, ())):
        if getattr(tuple_, part) is None:
            raise ValueError(f"{name} needs {part}")


def _expect_key(expect: Expect) -> Expect:
    """The fields by which the kernel finds an expectation."""
    family = _family_of(getattr(expect, "tuple", None))
    return Expect(family=family, tuple=expect.tuple, id=expect.id, zone=expect.zone)


def _key(flow: Flow) -> dict[str, Any]:
    """The fields by which the kernel finds a flow."""
    for direction in ("orig", "reply"):
        tuple_ = getattr(flow, direction, None)  # raises if it is absent
        if tuple_ is not None:
            return {direction: tuple_, "zone": flow.zone}
    raise ValueError("the flow has neither an orig nor a reply tuple to identify it")


def _with_family(flow: Flow) -> Flow:
    """The flow with the address family of its tuples in its header."""
    orig, reply = getattr(flow, "orig", None), getattr(flow, "reply", None)
    return flow.replace(family=_family_of(orig or reply, reply))


def _with_scales(tcp: TCPInfo) -> TCPInfo:
    """The state with the flag WINDOW_SCALE for each direction that has a window scale."""
    for scale, name in (("wscale_original", "flags_original"), ("wscale_reply", "flags_reply")):
        if getattr(tcp, scale) is not None:
            given = getattr(tcp, name) or TCPFlags()
            used = TCPFlag.WINDOW_SCALE
            flags = TCPFlags(flags=(given.flags or 0) | used, mask=(given.mask or 0) | used)
            tcp = tcp.replace(**{name: flags})
    return tcp
