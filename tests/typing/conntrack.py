"""What type checkers must know of conntrack. Checked by mypy and pyright, never run."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Never, assert_type

from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import (
    Change,
    Event,
    Expect,
    ExpectFlags,
    ExpectNAT,
    Filter,
    Flow,
    FlowKey,
    Mirror,
    Overrun,
    Stats,
    StatsExpect,
    StatsGlobal,
    Status,
    Tuple,
)
from netlink.netfilter.nfnetlink import NfGenMsg
from netlink.schema import Batch
from netlink.stream import Resync, Stream


def filters() -> Filter:
    one = Filter(
        mark=1,
        mark_mask=0xFF,
        status=Status.ASSURED,
        zone=0,
        orig=Tuple(proto=6),
        proto=(6, range(17, 20)),
        src="10.0.0.0/8",
        dst=["fd00::/8", IPv4Address("192.0.2.1")],
        src_port=range(1024, 65536),
        dst_port=443,
        event=Event.NEW | Event.DESTROY,
        exclude=Filter(zone=1),
    )
    assert_type(one.mark, int | None)
    assert_type(one.status, Status | None)
    assert_type(one.orig, Tuple | None)
    assert_type(one.proto, tuple[int | range, ...])
    assert_type(one.src, tuple[IPv4Network | IPv6Network, ...])
    assert_type(one.event, Event | None)
    assert_type(one.exclude, tuple[Filter, ...])
    return Filter(exclude=[one])


def requests(ct: conntrack.Conn, chosen: Filter) -> None:
    assert_type(ct.dump(chosen, family=2), Batch[Flow])
    assert_type(ct.iter_dump(chosen, zero=True), Iterator[Batch[Flow]])
    assert_type(ct.dump(parallel=2), Batch[Flow])
    assert_type(ct.iter_dump(parallel=2), Iterator[Batch[Flow]])
    ct.flush(chosen)
    assert_type(chosen.matches(ct.dump()[0]), bool)
    assert_type(conntrack.listen(Event.DESTROY, needs=["counters"]), Stream[Flow, Never])
    assert_type(conntrack.listen(Event.DESTROY, needs=(), on_overrun="mark"), Stream[Flow, Overrun])


def expectations(ct: conntrack.Conn) -> None:
    assert_type(ct.dump_expect(family=2), Batch[Expect])
    expect = ct.get_expect(Expect(tuple=Tuple(proto=6)))
    assert_type(expect.master, Tuple)
    assert_type(expect.mask, Tuple)
    assert_type(expect.flags, ExpectFlags | None)
    assert_type(expect.nat, ExpectNAT | None)
    assert_type(expect.helper, str | None)
    ct.create_expect(expect)
    ct.delete_expect(expect)
    ct.flush_expect(helper="ftp")


def records(flow: Flow) -> None:
    assert_type(Flow(orig=Tuple(src="192.0.2.1", proto=6), mark=3, status=8, family=2, event=Event.NEW), Flow)
    assert_type(flow.header, NfGenMsg | None)
    assert_type(flow.family, int | None)
    assert_type(flow.status, Status | None)
    assert_type(flow.labels, bytes | None)
    Flow(markk=3)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    Flow(mark="3")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Flow(orig=Flow())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Flow(header=Tuple())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    flow.mark = 3  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    flow.markk  # type: ignore[attr-defined] # pyright: ignore # noqa: B018


def counters(ct: conntrack.Conn) -> None:
    assert_type(ct.stats(), Batch[Stats])
    assert_type(ct.stats()[0].cpu, int | None)
    assert_type(ct.stats()[0].insert_failed, int | None)
    assert_type(ct.stats_expect(), Batch[StatsExpect])
    assert_type(ct.stats_global(), StatsGlobal)
    assert_type(ct.stats_global().entries, int | None)


def streams(chosen: Filter) -> None:
    assert_type(conntrack.listen(filter=chosen), Stream[Flow, Never])
    assert_type(conntrack.listen(filter=chosen, on_overrun="mark"), Stream[Flow, Overrun])
    assert_type(conntrack.listen(on_overrun="resync"), Stream[Flow, Resync])


def mirrored(mirror: Mirror, key: FlowKey, flow: Flow) -> None:
    assert_type(mirror[key], Flow)
    assert_type(mirror[flow], Flow)
    assert_type(mirror.get(key), Flow | None)
    assert_type(mirror.copy(), dict[FlowKey, Flow])
    assert_type(mirror.read(1), list[Change])
    for change in mirror.changes(idle=1):
        assert_type(change.event, Event)
        assert_type(change.flow, Flow)
        assert_type(change.before, Flow | None)


async def followed(mirror: Mirror) -> None:
    assert_type(await mirror.aread(), list[Change])
    async for change in mirror.changes():
        assert_type(change, Change)
