"""`conntrack.Mirror` against dumps of the real table, while events are lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import netns
from kernel.flows import TCP, UDP, accounting, tuples
from kernel.tools import Worker, eventually, unprivileged
from netlink import NetlinkWarning, OpError
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import Change, Event, Filter, Flow, FlowKey, Mirror, ProtoInfo, Status, TCPInfo

# Holds some 160 events.
SMALL = 106496


@pytest.fixture
def ct() -> Iterator[conntrack.Conn]:
    netns.require_conntrack()
    accounting()
    # Flows that are there before anybody listens send events, too.
    netns.sysctl("net.netfilter.nf_conntrack_events", 1)
    with conntrack.dial() as ct:
        yield ct


def udp(number: int, **fields: Any) -> Flow:
    return Flow(**tuples(number, UDP), timeout=600, **fields)


def number_of(flow: Flow) -> int:
    assert flow.orig.src is not None
    return int(flow.orig.src) - 0x0A000000


def key_of(flow: Flow) -> FlowKey:
    return FlowKey(flow.zone or 0, flow.id or 0, flow.orig)


def brief(changes: list[Change]) -> list[tuple[Event, int]]:
    return [(change.event, number_of(change.flow)) for change in changes]


def drain(mirror: Mirror) -> list[Change]:
    return list(mirror.changes(idle=0))


def assert_same_as_dump(mirror: Mirror, ct: conntrack.Conn) -> None:
    """The mirror has the flows of a dump, with what events report of them."""
    dumped = {key_of(flow): flow for flow in ct.dump()}
    assert mirror.keys() == dumped.keys()
    for key, flow in mirror.items():
        there = dumped[key]
        assert (flow.status, flow.mark or 0, flow.reply) == (there.status, there.mark or 0, there.reply)


def test_it_has_the_initial_flows_and_follows(ct: conntrack.Conn) -> None:
    ct.create(udp(1, mark=5))
    with Mirror() as mirror:
        (key,) = mirror
        assert (key.zone, number_of(mirror[key]), mirror[key].mark) == (0, 1, 5)
        assert repr(mirror) == "<Mirror of 1 flows>"
        assert mirror.read(0) == []
        ct.create(udp(2))
        ct.update(Flow(orig=udp(1).orig, mark=6))
        ct.delete(udp(2))
        ct.create(udp(3))
        changes = drain(mirror)
        assert brief(changes) == [(Event.NEW, 2), (Event.UPDATE, 1), (Event.DESTROY, 2), (Event.NEW, 3)]
        assert [change.before.mark if change.before else None for change in changes] == [None, 5, 0, None]
        assert (mirror[key].mark, len(mirror)) == (6, 2)
        gone, there = changes[2].flow, changes[3].flow
        assert gone not in mirror
        assert there in mirror
        assert mirror[there] == there
        with pytest.raises(KeyError):
            mirror[gone]
        assert mirror.get(key) is mirror[key]
        assert mirror.copy() == dict(mirror)
        assert_same_as_dump(mirror, ct)
        assert mirror.lost == 0
    assert (mirror.closed, mirror.fileno(), len(mirror)) == (True, -1, 2)
    assert repr(mirror) == "<Mirror of 2 flows closed>"


def test_an_update_leaves_other_fields_unchanged(ct: conntrack.Conn) -> None:
    flow = Flow(**tuples(1, TCP), timeout=600, protoinfo=ProtoInfo(tcp=TCPInfo(state=3)), mark=1)
    ct.create(flow)
    with Mirror() as mirror:
        ct.update(Flow(orig=flow.orig, mark=7))
        (change,) = mirror.read(10)
        assert change.before is not None
        assert change.before.protoinfo is not None
        now = {name: getattr(change.flow, name) for name in ("timeout", "timestamp_event")}
        assert change.flow == change.before.replace(mark=7, **now)
        assert change.flow.event is None


def test_the_same_tuple_in_two_zones_is_two_flows(ct: conntrack.Conn) -> None:
    with Mirror() as mirror:
        ct.create(udp(1))
        ct.create(udp(1, zone=7))
        assert len(drain(mirror)) == 2
        assert sorted(key.zone for key in mirror) == [0, 7]
        ct.delete(udp(1, zone=7))
        assert brief(drain(mirror)) == [(Event.DESTROY, 1)]
        assert_same_as_dump(mirror, ct)


def test_losses_are_reported_as_changes_of_a_resync(ct: conntrack.Conn) -> None:
    netns.add_flows(ct.conn, 50)
    with Mirror(read_buffer=SMALL) as mirror:
        netns.add_flows(ct.conn, 1000, 101)
        # There is no room for the events of these.
        ct.delete(Flow(orig=mirror_tuple(mirror, 1)))
        ct.update(Flow(orig=mirror_tuple(mirror, 3), mark=8))
        changes = drain(mirror)
        assert mirror.lost > 0
        found = brief(changes)
        assert found.count((Event.DESTROY, 1)) == found.count((Event.UPDATE, 3)) == 1
        assert sorted(n for event, n in found if event is Event.NEW) == list(range(101, 1101))
        assert_same_as_dump(mirror, ct)
        # A table that is empty by then.
        netns.add_flows(ct.conn, 1000, 2001)
        ct.flush()
        drain(mirror)
        assert len(mirror) == 0


def test_it_is_empty_when_the_table_is(ct: conntrack.Conn) -> None:
    with Mirror(read_buffer=4096) as mirror:
        netns.add_flows(ct.conn, 200)
        drain(mirror)
        assert (len(mirror), mirror.lost > 0) == (200, True)
        before = mirror.lost
        ct.flush()
        drain(mirror)
        assert mirror.lost > before
        assert (len(mirror), len(ct.dump())) == (0, 0)


def mirror_tuple(mirror: Mirror, number: int) -> Any:
    """The orig tuple of a flow of `netns.add_flows`."""
    return next(flow.orig for flow in mirror.values() if number_of(flow) == number)


def follow(replica: dict[FlowKey, Flow], changes: list[Change]) -> None:
    for event, flow, before in changes:
        key = key_of(flow)
        if event is Event.DESTROY:
            del replica[key]
        else:
            assert (before is None) == (event is Event.NEW) == (key not in replica)
            replica[key] = flow


def test_changes_add_up_to_the_table_through_floods(ct: conntrack.Conn, work: Callable[..., Worker]) -> None:
    netns.require_conntrack(20_000)
    choice = random.Random(5)
    halt = threading.Event()

    def churn() -> None:
        with conntrack.dial() as mine:
            for n in range(10):
                netns.add_flows(mine.conn, 2000, 1 + 2000 * n)
                for flow in choice.sample(list(mine.dump()), 60):
                    with contextlib.suppress(FileNotFoundError):
                        mine.update(Flow(orig=flow.orig, mark=n + 1))
                for flow in choice.sample(list(mine.dump()), 60):
                    with contextlib.suppress(FileNotFoundError):
                        mine.delete(flow)
                if n % 4 == 3:
                    mine.flush()
        halt.set()

    with Mirror(read_buffer=SMALL) as mirror:
        replica = mirror.copy()
        worker = work(churn)
        while not halt.is_set():
            follow(replica, mirror.read(0.05))
        worker.result(60)
        follow(replica, drain(mirror))
        assert mirror.lost > 0, "nothing is tested"
        assert replica.keys() == mirror.keys()
        assert_same_as_dump(mirror, ct)


def test_an_interrupted_reader_reads_the_table_again(ct: conntrack.Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    with Mirror() as mirror:
        ct.create(udp(1))
        ct.create(udp(2))
        original = mirror._follow

        def interrupted(flow: Flow) -> None:
            if number_of(flow) == 2:
                raise KeyboardInterrupt
            original(flow)

        monkeypatch.setattr(mirror, "_follow", interrupted)
        with pytest.raises(KeyboardInterrupt):
            mirror.read(10)
        monkeypatch.undo()
        # The first was noted already, the second comes from the table.
        assert brief(drain(mirror)) == [(Event.NEW, 1), (Event.NEW, 2)]
        assert_same_as_dump(mirror, ct)


def test_a_flow_that_is_dying_is_not_taken_from_a_dump(ct: conntrack.Conn) -> None:
    ct.create(udp(1))
    (flow,) = ct.dump()
    with Mirror() as mirror:
        mirror._fresh = {}
        mirror._collect(flow.replace(status=Status.DYING))
        assert mirror._fresh == {}
        mirror._collect(flow)
        assert len(mirror._fresh) == 1


def test_in_an_event_loop(ct: conntrack.Conn) -> None:
    async def main() -> None:
        async with Mirror() as mirror:
            seen: list[Change] = []

            async def watch() -> None:
                async for change in mirror.changes():
                    seen.append(change)

            task = asyncio.ensure_future(watch())
            for n in range(1, 6):
                ct.create(udp(n))
                await asyncio.sleep(0)
            async with asyncio.timeout(10):
                while len(seen) < 5:
                    await asyncio.sleep(0.001)
            assert await mirror.aread(0) == []
            assert [change async for change in mirror.changes(idle=0.001)] == []
            mirror.stop()
            async with asyncio.timeout(10):
                await task
            assert len(seen) == len(mirror) == 5

    asyncio.run(main())


def test_cancelled_readers_lose_nothing(ct: conntrack.Conn) -> None:
    async def main() -> None:
        with Mirror() as mirror:
            got: list[Change] = []
            for n in range(1, 60):
                task = asyncio.ensure_future(mirror.aread())
                for _ in range(n % 4):
                    await asyncio.sleep(0)
                ct.create(udp(n))
                for _ in range(n // 4 % 4):
                    await asyncio.sleep(0)
                task.cancel()
                result = (await asyncio.gather(task, return_exceptions=True))[0]
                if not isinstance(result, BaseException):
                    got += result
            while more := await mirror.aread(0):
                got += more
            assert brief(got) == [(Event.NEW, n) for n in range(1, 60)]

    asyncio.run(main())


def test_threads_share_a_mirror(ct: conntrack.Conn, work: Callable[..., Worker]) -> None:
    with Mirror() as mirror:
        got: list[list[Change]] = [[], [], []]

        def read(mine: list[Change]) -> None:
            mine.extend(mirror.changes())

        def read_lists(mine: list[Change]) -> None:
            while changes := mirror.read():
                mine.extend(changes)

        workers = [work(read if i else read_lists, mine) for i, mine in enumerate(got)]
        netns.add_flows(ct.conn, 500)
        eventually(lambda: len(mirror) == 500, "all were seen")
        mirror.stop()
        for worker in workers:
            worker.result()
        assert sorted(n for mine in got for _, n in brief(mine)) == list(range(1, 501))
        assert_same_as_dump(mirror, ct)


def test_a_timeout_holds_while_another_thread_reads(ct: conntrack.Conn, work: Callable[..., Worker]) -> None:
    with Mirror() as mirror:
        reading = work(mirror.read)
        reading.wait_receiving()
        assert mirror.read(0) == mirror.read(0.01) == []
        ct.create(udp(1))
        assert brief(reading.result()) == [(Event.NEW, 1)]


def test_close_ends_waiting_readers(ct: conntrack.Conn, work: Callable[..., Worker]) -> None:
    mirror = Mirror()
    reading = work(mirror.read)
    reading.wait_receiving()
    waiting = work(mirror.read)
    waiting.wait_for_lock()
    mirror.close()
    for worker in (reading, waiting):
        with pytest.raises(OpError):
            worker.result()


def test_a_filter_has_no_changing_fields(ct: conntrack.Conn) -> None:
    marked = Filter(mark=1)
    for chosen in (marked, Filter(status=Status.ASSURED), Filter(event=Event.NEW), Filter(exclude=marked)):
        with pytest.raises(ValueError, match="must not have mark, status or event"):
            Mirror(filter=chosen)
    netns.add_flows(ct.conn, 10)
    with Mirror(filter=Filter(src="10.0.0.0/29")) as mirror:
        assert len(mirror) == 7
        netns.add_flows(ct.conn, 10, 101)
        assert mirror.read(0) == []


def test_a_failed_open_leaves_nothing_open(ct: conntrack.Conn) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with pytest.raises(PermissionError):
            unprivileged(Mirror)
    netns.sysctl("net.netfilter.nf_conntrack_events", 0)
    with pytest.warns(NetlinkWarning) as record:
        Mirror().close()
    assert record[0].filename == __file__
