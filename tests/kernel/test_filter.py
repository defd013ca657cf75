"""Filters of conntrack: what the kernel does of them is what they say."""

from __future__ import annotations

import errno
import socket
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import netns
from filters import means
from kernel.flows import ICMP, SCTP, TCP, UDP, accounting, datagrams, track, tuples, varied
from netlink import Header, HeaderFlags, Message, NetlinkWarning, OpError
from netlink.family import Call, Steps
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import Event, Filter, Flow, Overrun, Status, Tuple
from netlink.netfilter.conntrack import family as family_
from netlink.netfilter.conntrack.filter import abilities, part_of
from netlink.netfilter.conntrack.records import Command
from netlink.schema import Batch

NEW, UPDATE, DESTROY = Event.NEW, Event.UPDATE, Event.DESTROY


@pytest.fixture
def ct() -> Iterator[conntrack.Conn]:
    netns.require_conntrack()
    with conntrack.dial() as ct:
        yield ct


@pytest.fixture
def table(ct: conntrack.Conn) -> list[Flow]:
    """Flows of all protocols, states, marks and zones, as the table has them."""
    for flow in varied():
        ct.create(flow)
    for number, zone in ((5000, None), (5001, 1), (5001, 2)):
        ct.create(Flow(**tuples(number, TCP), timeout=60, mark=0xF0 + number % 2, zone=zone))
    return list(ct.dump())


V4, V6 = tuples(3, TCP)["orig"], tuples(60, TCP, 6)["orig"]

# What the kernel is asked for, if it is of a kind that does it.
ASKED: list[tuple[Filter, int | None]] = [
    (Filter(), None),
    (Filter(mark=1), None),
    (Filter(mark=0), None),
    (Filter(mark=0xFFFFFFFF), None),
    (Filter(mark=0xF0, mark_mask=0xF0), None),
    (Filter(mark=1), socket.AF_INET6),
    (Filter(status=Status.ASSURED), None),
    (Filter(status=Status.ASSURED | Status.SEEN_REPLY), None),
    (Filter(status=0, status_mask=Status.SEEN_REPLY), None),
    (Filter(status=Status.SEEN_REPLY, status_mask=Status.SEEN_REPLY | Status.ASSURED), None),
    (Filter(zone=0), None),
    (Filter(zone=1), None),
    (Filter(zone=6), None),
    (Filter(zone=65000), None),
    (Filter(orig=Tuple(src=V4.src)), None),
    (Filter(orig=Tuple(dst="192.0.2.1")), None),
    (Filter(reply=Tuple(src="192.0.2.1")), None),
    (Filter(orig=Tuple(src=V4.src, dst=V4.dst, proto=TCP, src_port=V4.src_port, dst_port=443)), None),
    (Filter(orig=Tuple(proto=TCP)), socket.AF_INET),
    (Filter(orig=Tuple(proto=UDP, dst_port=443)), socket.AF_INET6),
    (Filter(orig=Tuple(proto=UDP, dst_port=444)), socket.AF_INET),
    (Filter(reply=Tuple(proto=TCP, src_port=443)), socket.AF_INET),
    (Filter(orig=Tuple(proto=SCTP)), socket.AF_INET6),
    (Filter(orig=Tuple(src="10.0.19.137"), reply=Tuple(proto=TCP), mark=0xF1, zone=2), None),
]
# What it has only a part in, or none.
LEFT: list[tuple[Filter, int | None]] = [
    (Filter(orig=Tuple(src=V6.src)), None),
    (Filter(orig=Tuple(dst="2001:db8::1", proto=UDP)), None),
    (Filter(reply=Tuple(src="2001:db8::1")), socket.AF_INET6),
    (Filter(orig=Tuple(proto=SCTP, dst_port=443)), None),
    (Filter(orig=Tuple(proto=SCTP, dst_port=444)), socket.AF_INET),
    (Filter(orig=Tuple(src_port=V4.src_port)), socket.AF_INET),
    (Filter(orig=Tuple(proto=TCP)), None),
    (Filter(orig=Tuple(proto=ICMP, icmp_type=8)), socket.AF_INET),
    (Filter(orig=Tuple(icmp_type=128)), None),
    (Filter(reply=Tuple(icmp_code=0, icmp_id=98)), None),
]
HERE: list[tuple[Filter, int | None]] = [
    (Filter(proto=(TCP, UDP)), None),
    (Filter(src="10.0.0.0/28"), None),
    (Filter(src=["fd00::/120", "10.0.0.7"], mark=1), None),
    (Filter(dst="2001:db8::/32", proto=range(200)), socket.AF_INET6),
    (Filter(dst="0.0.0.0/0"), None),
    (Filter(src_port=range(1030, 1050), dst_port=443), None),
    (Filter(exclude=Filter(proto=TCP)), None),
    (Filter(mark=0, exclude=(Filter(zone=0), Filter(src="fd00::/8"))), None),
    (Filter(proto=UDP, exclude=Filter(event=NEW)), None),
]


def ids(flows: Any) -> set[int]:
    return {flow.id for flow in flows}


def able(ct: conntrack.Conn) -> frozenset[str]:
    """What the kernel can do of a filter."""
    return ct.conn.execute(Call.of_steps(partial(abilities, ct.protocol)))


def nothing(protocol: int) -> Steps[frozenset[str]]:
    """The same of a kernel that can do nothing."""
    yield from ()
    return frozenset()


def chosen(table: list[Flow], filter_: Filter, family: int | None) -> set[int]:
    return {
        flow.id
        for flow in table
        if flow.id is not None
        and means(filter_, flow, events=False)
        and family in (None, flow.header.family if flow.header else None)
    }


def test_the_table_has_flows_that_match_and_flows_that_do_not(table: list[Flow]) -> None:
    """Else the tests below could not fail."""
    for filter_, family in ASKED[1:] + LEFT + HERE:
        found = chosen(table, filter_, family)
        none = filter_ in (Filter(zone=65000), Filter(orig=Tuple(proto=UDP, dst_port=444))) or "444" in repr(filter_)
        assert bool(found) != none, filter_
        assert len(found) < len(table), filter_


@pytest.mark.parametrize(("filter_", "family"), ASKED + LEFT + HERE, ids=str)
def test_a_filtered_dump_is_the_dump_filtered(
    ct: conntrack.Conn, table: list[Flow], filter_: Filter, family: int | None
) -> None:
    batch = ct.dump(filter_, family=family)
    assert ids(batch) == chosen(table, filter_, family)
    assert len(batch) == len(ids(batch))
    parts = list(ct.iter_dump(filter_, family=family))
    assert ids(flow for part in parts for flow in part) == ids(batch)


@pytest.mark.parametrize(("filter_", "family"), ASKED, ids=str)
def test_a_dump_filtered_by_the_kernel_alone_is_the_dump_filtered(
    ct: conntrack.Conn, table: list[Flow], filter_: Filter, family: int | None
) -> None:
    part, left = part_of(filter_, family, able(ct))
    if left:
        pytest.skip(f"this kernel does not filter by {', '.join(left)}")
    messages = ct.conn.execute(Message(Header(type=Command.GET, flags=netns.DUMP), part.encode()))
    assert ids(Flow.decode(message.data) for message in messages) == chosen(table, filter_, family)
    if filter_ != Filter():
        assert all(message.header.flags & HeaderFlags.DUMP_FILTERED for message in messages)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(("filter_", "family"), ASKED[1:] + LEFT, ids=str)
def test_a_filtered_flush_deletes_matching_flows_alone(
    ct: conntrack.Conn,
    table: list[Flow],
    filter_: Filter,
    family: int | None,
    old: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if old:
        monkeypatch.setattr(family_, "abilities", nothing)
    ct.flush(filter_, family=family)
    assert ids(ct.dump()) == ids(table) - chosen(table, filter_, family)


def test_a_flush_that_cannot_be_is_refused_and_nothing_goes(ct: conntrack.Conn, table: list[Flow]) -> None:
    for filter_ in (Filter(), Filter(src="10.0.0.0/8"), Filter(event=NEW), Filter(mark=1, exclude=Filter(zone=1))):
        with pytest.raises(ValueError, match=r"flush"):
            ct.flush(filter_)
    with pytest.raises(ValueError, match="one address family"):
        ct.flush(Filter(orig=Tuple(src="10.0.0.1")), family=socket.AF_INET6)
    with pytest.raises(ValueError, match="AF_INET"):
        ct.flush(Filter(mark=1), family=3)
    assert ids(ct.dump()) == ids(table)


def test_a_dump_of_an_event_is_refused(ct: conntrack.Conn) -> None:
    for dump in (ct.dump, ct.iter_dump):
        with pytest.raises(ValueError, match="event"):
            dump(Filter(event=NEW))


def test_a_filter_on_a_dump_of_messages(
    table: list[Flow], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NLDEBUG", "format=text")
    with conntrack.dial() as watched:
        for filter_, family in (*LEFT, *HERE):
            assert ids(watched.dump(filter_, family=family)) == chosen(table, filter_, family)
    assert capsys.readouterr().err.count("recv") > len(table)


def test_counters_are_set_to_0_of_the_flows_that_the_filter_means_alone(ct: conntrack.Conn) -> None:
    accounting()
    track()
    ports = [datagrams([100] * 3) for _ in range(2)]

    def packets() -> list[int | None]:
        of = {(flow.orig.src_port, flow.orig.dst_port): flow.counters_orig for flow in ct.dump()}
        return [counters.packets if (counters := of[port]) else None for port in ports]

    assert packets() == [3, 3]
    for flow in ct.dump():
        if (flow.orig.src_port, flow.orig.dst_port) == ports[0]:
            ct.update(Flow(orig=flow.orig, mark=1))
    if "mark" not in able(ct):
        pytest.skip("this kernel does not filter by mark")
    (flow,) = ct.dump(Filter(mark=1), zero=True)
    assert flow.counters_orig is not None
    assert flow.counters_orig.packets == 3
    assert packets() == [0, 3]


def test_zero_refuses_a_filter_that_would_touch_other_flows(ct: conntrack.Conn) -> None:
    netns.sysctl("net.netfilter.nf_conntrack_acct", 1)
    for filter_ in (Filter(src="10.0.0.0/8"), Filter(orig=Tuple(src="fd00::1")), Filter(exclude=Filter(mark=1))):
        for dump in (ct.dump, ct.iter_dump):
            with pytest.raises(ValueError, match="zero=True would also set the counters of other flows"):
                dump(filter_, zero=True)
    if "mark" in able(ct):
        assert len(ct.dump(Filter(mark=1), zero=True)) == 0


def test_zero_without_counters_is_reported(ct: conntrack.Conn) -> None:
    netns.sysctl("net.netfilter.nf_conntrack_acct", 0)
    for dump in (ct.dump, lambda **options: list(ct.iter_dump(**options))):
        with pytest.warns(NetlinkWarning, match="nf_conntrack_acct is 0") as caught:
            dump(zero=True)
        assert caught[0].filename == __file__


# Events


def change(ct: conntrack.Conn) -> None:
    """NEW, UPDATE and DESTROY of all kinds of flows."""
    flows = varied()
    for flow in flows:
        ct.create(flow)
    for i, flow in enumerate(flows[::3]):
        ct.update(Flow(orig=flow.orig, zone=flow.zone, mark=i % 3))
    for flow in flows[::2]:
        ct.delete(flow)


STREAMED = [
    *(filter_ for filter_, _ in ASKED + LEFT + HERE),
    Filter(event=NEW),
    Filter(event=UPDATE | DESTROY, proto=TCP),
    Filter(exclude=Filter(event=UPDATE)),
    Filter(proto=TCP, exclude=[Filter(event=NEW, mark=1), Filter(event=DESTROY, src="fd00::/8")]),
    Filter(status=Status.CONFIRMED, src=["10.0.0.0/26", "fd00::/122"]),
]


def brief(flow: Flow) -> tuple[Any, ...]:
    return flow.event, flow.id, flow.mark, flow.orig, flow.zone, flow.status


@pytest.fixture
def open_stream() -> Iterator[Callable[..., Any]]:
    netns.sysctl("net.netfilter.nf_conntrack_events", 1)
    opened: list[Any] = []

    def listen(**options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NetlinkWarning)
            opened.append(conntrack.listen(**options))
        return opened[-1]

    yield listen
    for stream in opened:
        stream.close()


def drained(stream: Any) -> list[Any]:
    found: list[Any] = []
    for batch in stream.batches(idle=0):
        if isinstance(batch, Batch):
            found.extend(batch)
    return found


def test_a_filtered_stream_is_the_stream_filtered(ct: conntrack.Conn, open_stream: Callable[..., Any]) -> None:
    everything = open_stream()
    filtered = [(filter_, open_stream(filter=filter_)) for filter_ in STREAMED]
    change(ct)
    whole = drained(everything)
    assert {flow.event for flow in whole} == {NEW, UPDATE, DESTROY}
    for filter_, stream in filtered:
        got = [brief(flow) for flow in drained(stream)]
        assert got == [brief(flow) for flow in whole if means(filter_, flow)], filter_
        assert len(got) < len(whole) or filter_ in (Filter(),), filter_
        assert stream.lost == 0


def test_events_filtered_by_the_kernel_take_no_room(ct: conntrack.Conn, open_stream: Callable[..., Any]) -> None:
    wanted = open_stream(filter=Filter(dst="203.0.113.0/24", exclude=Filter(mark=7)), read_buffer=1)
    netns.add_flows(ct.conn, 2000)
    ct.create(Flow(**tuples(1, TCP), timeout=60))
    assert drained(wanted) == []
    assert wanted.lost == 0
    flow = Flow(
        orig=Tuple(src="10.0.0.1", dst="203.0.113.9", proto=UDP, src_port=1, dst_port=2),
        reply=Tuple(src="203.0.113.9", dst="10.0.0.1", proto=UDP, src_port=2, dst_port=1),
        timeout=60,
    )
    ct.create(flow)
    assert [(got.event, got.orig) for got in drained(wanted)] == [(NEW, flow.orig)]


def test_only_the_groups_of_the_filter_s_events_are_joined(open_stream: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="is not in events"):
        open_stream(events=NEW | UPDATE, filter=Filter(event=DESTROY))


def test_a_resync_has_the_flows_that_match(ct: conntrack.Conn, open_stream: Callable[..., Any]) -> None:
    stream = open_stream(filter=Filter(src="10.0.0.0/21", event=NEW), on_overrun="resync", read_buffer=1)
    netns.add_flows(ct.conn, 4000)
    found = drained(stream)
    assert stream.lost
    resynced = [flow for flow in found if flow.event is None]
    assert {flow.orig.src for flow in resynced} == {flow.orig.src for flow in ct.dump(Filter(src="10.0.0.0/21"))}
    assert len(resynced) == 2047
    assert {flow.event for flow in found} == {None, NEW}


def test_losses_of_a_filtered_stream_are_reported(ct: conntrack.Conn, open_stream: Callable[..., Any]) -> None:
    stream = open_stream(filter=Filter(proto=UDP, exclude=Filter(orig=Tuple(src="10.0.0.1"))), read_buffer=1)
    netns.add_flows(ct.conn, 2000)
    reported = 0
    got = 0
    while got + reported < 1999:
        try:
            got += len(stream.read(0))
        except Overrun as overrun:
            reported += overrun.lost
    assert len(stream.read(0)) == 0
    assert got > 0
    assert stream.lost == reported == 1999 - got > 0


def test_a_filter_as_long_as_a_program_may_be(ct: conntrack.Conn, open_stream: Callable[..., Any]) -> None:
    netns.sysctl("net.core.optmem_max", 1 << 20)
    many = [f"10.{i // 256}.{i % 256}.1" for i in range(2000)]
    stream = open_stream(filter=Filter(src=many))
    for number in (0x0100 + 1, (7 << 16 | 207 << 8) + 1, 2):
        ct.create(Flow(**tuples(number, TCP), timeout=60))
    assert [str(flow.orig.src) for flow in drained(stream)] == ["10.0.1.1", "10.7.207.1"]
    with pytest.raises(ValueError, match="name fewer"):
        open_stream(filter=Filter(src=[f"10.{i // 256}.{i % 256}.1" for i in range(5000)]))
    netns.sysctl("net.core.optmem_max", 2048)
    with pytest.raises(OpError, match=r"net\.core\.optmem_max") as caught:
        open_stream(filter=Filter(src=many))
    assert caught.value.errno == errno.ENOMEM
