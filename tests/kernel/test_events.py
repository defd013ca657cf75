"""conntrack's events as streams, on the real table, with `conntrack -E` as the oracle."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import signal
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import netns
from kernel.flows import (
    TCP,
    UDP,
    Fields,
    accounting,
    connection,
    datagrams,
    events_printed,
    fields_of,
    track,
    tuples,
    varied,
)
from kernel.tools import Worker, eventually, in_child, on_signal, unprivileged, wait_blocked
from netlink import NetlinkWarning, OpError, Overrun
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import Event, Flow, ProtoInfo, Status, TCPInfo, listen
from netlink.schema import Batch
from netlink.stream import Resync, ResyncBegin, ResyncEnd, Stream

# Holds some 160 events.
SMALL = 106496

Events = Stream[Flow, Any]


@pytest.fixture
def ct() -> Iterator[conntrack.Conn]:
    netns.require_conntrack()
    accounting()
    with conntrack.dial() as ct:
        yield ct


def udp(number: int) -> Flow:
    return Flow(**tuples(number, UDP), timeout=600)


def number_of(flow: Flow) -> int:
    """Which of the flows of `udp` or `netns.add_flows` it is."""
    assert flow.orig.src is not None
    return int(flow.orig.src) - 0x0A000000


def queued(stream: Events) -> list[Any]:
    """All that is there to be read."""
    found: list[Any] = []
    for item in stream.batches(idle=0):
        if isinstance(item, Batch):
            found += item
        else:
            found.append(item)
    return found


def numbers(stream: Events) -> list[int]:
    return [number_of(item) for item in queued(stream) if isinstance(item, Flow)]


# What comes


def test_new_update_and_destroy_are_events_of_their_own(ct: conntrack.Conn) -> None:
    flow = Flow(**tuples(1, TCP), timeout=600, protoinfo=ProtoInfo(tcp=TCPInfo(state=1)))
    with listen() as stream:
        ct.create(flow)
        new = next(stream)
        ct.update(Flow(orig=flow.orig, mark=5))
        update = next(stream)
        ct.delete(flow)
        destroy = next(stream)
        assert queued(stream) == []
        assert stream.lost == 0
    assert [event.event for event in (new, update, destroy)] == [Event.NEW, Event.UPDATE, Event.DESTROY]
    for event in (new, update, destroy):
        assert (event.orig, event.reply) == (flow.orig, flow.reply)
        assert event.id == new.id
    assert (new.mark, update.mark) == (0, 5)
    assert new.timeout in (599, 600)  # a second may have passed
    assert new.status is not None
    assert new.status & Status.CONFIRMED


def test_only_destroy_has_counters_and_timestamps(ct: conntrack.Conn) -> None:
    track()
    with listen() as stream:
        datagrams([100, 200])
        ct.flush()
        *before, last = queued(stream)
    assert before
    for flow in before:
        assert isinstance(flow, Flow)
        assert (flow.counters_orig, flow.counters_reply, flow.timestamp) == (None, None, None)
    assert isinstance(last, Flow)
    assert last.event is Event.DESTROY
    assert last.counters_orig is not None
    assert (last.counters_orig.packets, last.counters_orig.bytes) == (2, 300 + 2 * 28)
    assert last.timestamp is not None
    assert last.timestamp.start is not None
    assert last.timestamp.stop is not None
    assert last.timestamp.start <= last.timestamp.stop


def test_events_are_what_conntrack_prints(ct: conntrack.Conn) -> None:
    track()
    ours: list[Fields] = []
    with listen() as stream, events_printed() as printed:

        def keep_pace() -> None:
            # All events were reported before the last reply.
            ours.extend(fields_of(flow) for flow in queued(stream) if isinstance(flow, Flow))
            printed(len(ours))

        for number, flow in enumerate(varied(3)):
            ct.create(flow)
            ct.update(Flow(orig=flow.orig, zone=flow.zone, mark=77))
            if number % 30 == 0:
                keep_pace()
        for address in ("127.0.0.1", "::1"):
            for size in range(10):
                datagrams([size] * size, address)
                connection(address, size)
                keep_pace()
        for number, flow in enumerate(ct.dump()):
            with contextlib.suppress(FileNotFoundError):  # a closed connection, which has ended of itself
                ct.delete(flow)
            if number % 60 == 0:
                keep_pace()
        keep_pace()
        theirs = printed(len(ours))
        assert stream.lost == 0
    assert len(ours) > 3 * 330 + 40 * 2
    # Those of two processors may change places between two listeners, but those of one flow do not.
    assert by_flow(ours) == by_flow(theirs)
    assert {flow["type"] for flow in ours} == {"new", "update", "destroy"}


def by_flow(events: list[Fields]) -> dict[Any, list[Fields]]:
    found: dict[Any, list[Fields]] = defaultdict(list)
    for event in events:
        found[event["id"], event["orig"]["src"], event["orig"]["ports"]].append(event)
    return found


@pytest.mark.parametrize("events", [Event(n) for n in range(1, 8)], ids=str)
def test_only_the_groups_that_were_asked_for(ct: conntrack.Conn, events: Event) -> None:
    with listen(events) as stream:
        ct.create(udp(1))
        ct.update(Flow(orig=udp(1).orig, mark=5))
        ct.delete(udp(1))
        assert [flow.event for flow in queued(stream) if isinstance(flow, Flow)] == list(events)


def test_errors_are_reported_before_anything_is_opened() -> None:
    with pytest.raises(ValueError, match="'raise', 'mark', 'resync', not 'ignore'"):
        listen(on_overrun="ignore")  # type: ignore[call-overload]
    for events in (0, 8, 9, 1 << 40):
        with pytest.raises(ValueError, match=r"Event\.NEW, Event\.UPDATE and Event\.DESTROY"):
            listen(events)  # type: ignore[call-overload]
    for events in ("NEW", None, True, 1.0, (Event.NEW, Event.DESTROY)):
        with pytest.raises(TypeError, match=r"Event\.NEW, Event\.UPDATE and Event\.DESTROY"):
            listen(events)  # type: ignore[call-overload]
    for asked, needs in ((Event.DESTROY, ["bytes"]), (Event.DESTROY, "counters"), (Event.NEW, ["counters"])):
        with pytest.raises(ValueError, match='needs has "counters" or "timestamp" of DESTROY events'):
            listen(asked, needs=needs)


# What is lost


def test_overrun_is_raised_with_the_exact_number_of_lost_events(ct: conntrack.Conn) -> None:
    total = 2000
    with listen(read_buffer=SMALL) as stream:
        netns.add_flows(ct.conn, total)
        got: list[int] = []
        losses: list[int] = []
        while True:
            try:
                batch = stream.read(0)
            except Overrun as overrun:
                losses.append(overrun.lost)
                continue
            if not len(batch):
                break
            got += map(number_of, batch)
        assert len(losses) == 1
        assert losses[0] == stream.lost == stream._source.sock.drops == total - len(got)
        assert 0 < len(got) < 400
        # All events that were queued before the loss precede its report.
        assert got == list(range(1, len(got) + 1))
        ct.create(udp(5000))
        assert number_of(next(stream)) == 5000
        assert stream.lost == losses[0]


def test_every_loss_is_reported_once(ct: conntrack.Conn) -> None:
    rounds, total = 4, 1000
    with listen(Event.NEW, read_buffer=SMALL, on_overrun="mark") as stream:
        items: list[Flow | Overrun] = []
        for n in range(rounds):
            netns.add_flows(ct.conn, total, 1 + n * total)
            items += queued(stream)
        marks = [item.lost for item in items if isinstance(item, Overrun)]
        got = [number_of(item) for item in items if isinstance(item, Flow)]
        assert len(marks) == rounds
        assert sum(marks) == stream.lost == stream._source.sock.drops == rounds * total - len(got)
        assert got == sorted(set(got))


def test_a_mark_follows_the_events_queued_before_the_loss(ct: conntrack.Conn) -> None:
    with listen(Event.NEW, read_buffer=SMALL, on_overrun="mark") as stream:
        netns.add_flows(ct.conn, 500)
        items: list[Any] = []
        while not items or not isinstance(items[-1], Overrun):
            items.append(next(stream))
        before = [number_of(flow) for flow in items[:-1]]
        assert before == list(range(1, len(before) + 1))
        assert items[-1].lost == 500 - len(before)
        ct.create(udp(1000))
        assert number_of(next(stream)) == 1000


def test_a_loss_is_seen_while_reading_goes_on(ct: conntrack.Conn, work: Callable[..., Worker]) -> None:
    total = 20_000
    netns.require_conntrack(total)
    with listen(Event.NEW, read_buffer=SMALL, on_overrun="mark") as stream:
        worker = work(netns.add_flows, ct.conn, total)
        got: list[int] = []
        marked = 0
        while not worker.done or select.select([stream], [], [], 0)[0]:
            for item in queued(stream):
                if isinstance(item, Overrun):
                    marked += item.lost
                else:
                    got.append(number_of(item))
        worker.result()
        for item in queued(stream):
            assert isinstance(item, Overrun)
            marked += item.lost
        assert got == sorted(set(got))
        assert marked == stream.lost == stream._source.sock.drops == total - len(got)


def test_resync_has_the_entire_table_and_then_later_events(ct: conntrack.Conn) -> None:
    total = 6000
    netns.require_conntrack(total)
    with listen(Event.NEW, read_buffer=SMALL, on_overrun="resync") as stream:
        netns.add_flows(ct.conn, total)
        told_of: list[Any] = []
        marks: list[tuple[int, Resync]] = []
        for batch in stream.batches(idle=0):
            if isinstance(batch, Batch):
                assert len({flow.event for flow in batch}) == 1
                told_of += batch
            else:
                marks.append((len(told_of), batch))
        events = [number_of(flow) for flow in told_of if flow.event is Event.NEW]
        table = [number_of(flow) for flow in told_of if flow.event is None]
        assert len(told_of) == len(events) + total
        # The backlog first: the table is later than all of it.
        assert [number_of(flow) for flow in told_of] == events + table
        assert sorted(table) == list(range(1, total + 1))
        assert stream.lost == total - len(events)
        assert marks == [(len(events), ResyncBegin(stream.lost)), (len(told_of), ResyncEnd())]
        ct.create(udp(7000))
        flow = next(stream)
        assert (flow.event, number_of(flow)) == (Event.NEW, 7000)


def test_resync_of_an_empty_table(ct: conntrack.Conn) -> None:
    with listen(Event.NEW, read_buffer=SMALL, on_overrun="resync") as stream:
        netns.add_flows(ct.conn, 500)
        ct.flush()
        *events, begin, end = queued(stream)
        assert len(events) == 500 - stream.lost < 500
        assert (begin, end) == (ResyncBegin(stream.lost), ResyncEnd())
        ct.create(udp(1000))
        assert number_of(next(stream)) == 1000


def test_resync_in_an_event_loop_and_close_in_the_middle(ct: conntrack.Conn) -> None:
    total = 10_000
    netns.require_conntrack(total)

    async def main() -> list[Flow]:
        seen: list[Flow] = []
        async with listen(Event.NEW, read_buffer=SMALL, on_overrun="resync") as stream:
            netns.add_flows(ct.conn, total)
            async for batch in stream.batches():
                if isinstance(batch, Batch):
                    seen += batch
                    if seen[-1].event is None:
                        break
        return seen

    seen = asyncio.run(main())
    assert 0 < sum(flow.event is None for flow in seen) < total


def test_a_half_drained_socket_takes_all_later_events(ct: conntrack.Conn) -> None:
    # More than a stream receives at once.
    with listen(Event.NEW, read_buffer=4 * SMALL, on_overrun="mark") as stream:
        netns.add_flows(ct.conn, 2000)
        first = stream.read(max_rows=64)
        assert len(first) == 64
        dropped = stream._source.sock.drops
        assert dropped > 0
        assert select.select([stream], [], [], 0)[0], "it is not empty"
        netns.add_flows(ct.conn, 50, 5001)
        assert stream._source.sock.drops == dropped
        later = [number_of(item) for item in queued(stream) if isinstance(item, Flow)]
        assert later[-50:] == list(range(5001, 5051))
        assert stream.lost == dropped


def test_an_event_takes_about_1280_bytes_of_the_buffer(ct: conntrack.Conn) -> None:
    # What the documentation of read_buffer reckons with; another kernel may take less or more, but not by much.
    with listen(Event.NEW, read_buffer=SMALL) as stream:
        netns.add_flows(ct.conn, 500)
        held = 500 - stream._source.sock.drops
        assert stream.read_buffer() == 2 * SMALL
        assert 640 <= stream.read_buffer() / held <= 2560


def test_a_reliable_stream_loses_no_destroy_without_a_reader(ct: conntrack.Conn) -> None:
    total = 5000
    netns.require_conntrack(total)
    with listen(Event.DESTROY, reliable=True, read_buffer=SMALL) as stream:
        netns.add_flows(ct.conn, total)
        ct.flush()
        assert stream._source.sock.drops > 0, "the buffer was large enough: nothing is tested"
        # They wait where dump_dying shows them.
        assert len(ct.dump_dying()) > 0
        gone: list[int] = []
        for batch in stream.batches(idle=10):
            gone += map(number_of, batch)
            if len(gone) >= total:
                break
        assert sorted(gone) == list(range(1, total + 1))
        # The kernel counts its tries as drops.
        assert (stream.lost, stream._source.sock.drops > 0) == (0, True)
    eventually(lambda: not len(ct.dump_dying()), "they are gone")


# What the kernel is not set to do


def warned(**options: Any) -> list[str]:
    """What a listen warns of, at the line that calls it."""
    with pytest.warns(NetlinkWarning) as record:
        listen(**options).close()
    assert {warning.filename for warning in record} == {__file__}
    return [str(warning.message).split(":")[0] for warning in record]


@pytest.mark.parametrize("name", ["nf_conntrack_acct", "nf_conntrack_timestamp"])
def test_a_sysctl_that_leaves_destroy_without_values_is_a_warning(ct: conntrack.Conn, name: str) -> None:
    netns.sysctl(f"net.netfilter.{name}", 0)
    assert warned(events=Event.DESTROY) == [f"net.netfilter.{name} is 0"]
    # Who asks for more has not asked for that.
    listen().close()
    listen(Event.NEW | Event.UPDATE).close()


def test_only_what_is_needed_is_warned_of(ct: conntrack.Conn) -> None:
    acct, timestamp = "net.netfilter.nf_conntrack_acct is 0", "net.netfilter.nf_conntrack_timestamp is 0"
    for name in ("acct", "timestamp"):
        netns.sysctl(f"net.netfilter.nf_conntrack_{name}", 0)
    assert warned(events=Event.DESTROY) == [acct, timestamp]
    assert warned(needs=["timestamp", "counters"]) == [acct, timestamp]
    assert warned(events=Event.DESTROY, needs=["counters"]) == [acct]
    # As docs/errors.md recommends.
    with warnings.catch_warnings():
        warnings.simplefilter("error", NetlinkWarning)
        listen(Event.DESTROY, needs=()).close()
        netns.sysctl("net.netfilter.nf_conntrack_acct", 1)
        listen(Event.DESTROY, needs=["counters"]).close()


def test_a_refusal_has_no_warning_before_it(ct: conntrack.Conn) -> None:
    for name in ("events", "acct", "timestamp"):
        netns.sysctl(f"net.netfilter.nf_conntrack_{name}", 0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for call in (lambda: listen(Event.DESTROY), lambda: ct.dump(zero=True)):
            with pytest.raises(PermissionError):
                unprivileged(call)
    assert seen == []


def test_a_warning_that_is_an_error_leaves_nothing_open(ct: conntrack.Conn) -> None:
    netns.sysctl("net.netfilter.nf_conntrack_events", 0)
    before = len(os.listdir("/proc/self/fd"))
    for policy in ("raise", "resync"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(NetlinkWarning):
                listen(on_overrun=policy)  # type: ignore[call-overload]
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("events", [Event.NEW, Event.DESTROY, Event.NEW | Event.UPDATE])
def test_no_events_at_all_is_reported(ct: conntrack.Conn, events: Event) -> None:
    netns.sysctl("net.netfilter.nf_conntrack_events", 0)
    assert warned(events=events) == ["net.netfilter.nf_conntrack_events is 0"]


def test_flows_that_began_before_and_make_no_events_are_a_warning(ct: conntrack.Conn) -> None:
    # As if nobody listened yet: one who does in any namespace of the machine would count.
    netns.sysctl("net.netfilter.nf_conntrack_events", 0)
    netns.add_flows(ct.conn, 10)
    netns.sysctl("net.netfilter.nf_conntrack_events", 2)
    assert warned() == ["net.netfilter.nf_conntrack_events is 2"]
    listen(Event.NEW).close()  # nothing of flows that began
    with pytest.warns(NetlinkWarning, match="never send events, whatever you set now: dump them"):
        stream = listen()
    with stream:
        netns.add_flows(ct.conn, 10, 11)
        ct.flush()
        gone = [number_of(flow) for flow in queued(stream) if isinstance(flow, Flow) and flow.event is Event.DESTROY]
        assert sorted(gone) == list(range(11, 21))
    listen().close()
    netns.sysctl("net.netfilter.nf_conntrack_events", 1)
    netns.add_flows(ct.conn, 10)
    with listen(Event.DESTROY) as stream:
        ct.flush()
        assert sorted(numbers(stream)) == list(range(1, 11))


# Where, and with what rights


def test_netns(ct: conntrack.Conn) -> None:
    here = netns.current()
    with netns.another() as other:
        with netns.inside(other.fd):
            accounting()
        with netns.named(other) as name:
            for where in (other.fd, other.path, name):
                with listen(netns=where) as stream:
                    assert netns.current() == here
                    ct.create(udp(1))  # here
                    with netns.inside(other.fd), conntrack.dial() as there:
                        there.create(udp(2))
                        there.flush()
                    assert numbers(stream) == [2, 2]
                ct.flush()


def test_netns_is_where_the_sysctls_are_looked_at(ct: conntrack.Conn) -> None:
    with netns.another() as other:
        with netns.inside(other.fd):
            accounting()
            netns.sysctl("net.netfilter.nf_conntrack_events", 0)
        assert warned(netns=other.fd) == ["net.netfilter.nf_conntrack_events is 0"]
        listen().close()


def test_resync_is_of_the_same_namespace(ct: conntrack.Conn) -> None:
    ct.create(udp(5000))
    with netns.another() as other:
        with netns.inside(other.fd):
            accounting()
        with (
            listen(Event.NEW, read_buffer=SMALL, on_overrun="resync", netns=other.fd) as stream,
            netns.inside(other.fd),
            conntrack.dial() as there,
        ):
            netns.add_flows(there.conn, 500)
            assert set(numbers(stream)) == set(range(1, 501))


def test_a_netns_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        listen(netns="no-such-namespace")


def test_without_the_capability_it_names_what_is_needed(ct: conntrack.Conn) -> None:
    for policy in ("raise", "mark", "resync"):
        with pytest.raises(PermissionError, match="CAP_NET_ADMIN") as caught:
            unprivileged(lambda policy=policy: listen(on_overrun=policy))
        assert isinstance(caught.value, OpError)
        assert caught.value.op == "join-group"
        assert "CAP_NET_ADMIN" in caught.value.hint
        assert caught.value.__cause__ is None
    # With a filter the kernel is asked what it can do first.
    with pytest.raises(PermissionError, match="CAP_NET_ADMIN"):
        unprivileged(lambda: listen(on_overrun="resync", filter=conntrack.Filter(mark=1)))


@pytest.mark.parametrize("size", [0, 4096, 1 << 20])
def test_read_buffer_is_what_was_permitted(ct: conntrack.Conn, size: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NetlinkWarning)
        stream = listen(read_buffer=size)
    with stream:
        got = stream.read_buffer()
        permitted = min(size, netns.limit("rmem_max")) if netns.in_user_namespace() else size
        assert got == max(2 * permitted, got if not size or size == 4096 else 0)
        ct.create(udp(1))
        assert numbers(stream) == [1]


def test_a_read_buffer_beyond_rmem_max(ct: conntrack.Conn) -> None:
    limit = netns.limit("rmem_max")
    capped = netns.in_user_namespace()
    with pytest.warns(NetlinkWarning, match="net.core.rmem_max") if capped else contextlib.nullcontext():
        stream = listen(read_buffer=2 * limit)
    with stream:
        assert stream.read_buffer() == (2 * limit if capped else 4 * limit)


@pytest.mark.parametrize("size", [-1, 1 << 31])
def test_no_such_read_buffer(ct: conntrack.Conn, size: int) -> None:
    with pytest.raises(ValueError, match="buffer size"):
        listen(read_buffer=size)


# In an event loop


def test_two_streams_in_one_event_loop(ct: conntrack.Conn) -> None:
    async def first(stream: Events, count: int) -> list[int]:
        got: list[int] = []
        async for flow in stream:
            got.append(number_of(flow))
            if len(got) == count:
                break
        return got

    async def by_batches(stream: Events, count: int) -> list[int]:
        got: list[int] = []
        async for batch in stream.batches(10):
            got += map(number_of, batch)
            if len(got) >= count:
                break
        return got

    async def produce() -> None:
        for n in range(100):
            ct.create(udp(n))
            ct.delete(udp(n))
            await asyncio.sleep(0)

    async def main() -> list[Any]:
        async with asyncio.timeout(20), listen(Event.NEW) as new, listen(Event.DESTROY) as gone:
            return list(await asyncio.gather(first(new, 100), by_batches(gone, 100), produce()))

    new, gone, _ = asyncio.run(main())
    assert new == gone == list(range(100))


def test_cancelled_in_an_event_loop(ct: conntrack.Conn) -> None:
    async def main() -> None:
        async with listen() as stream:
            for n in range(50):
                task = asyncio.ensure_future(anext(stream))
                for _ in range(n % 5):
                    await asyncio.sleep(0)
                ct.create(udp(n))
                task.cancel()
                flow = (await asyncio.gather(task, return_exceptions=True))[0]
                if isinstance(flow, BaseException):
                    flow = await anext(stream)
                assert number_of(flow) == n

    asyncio.run(main())


# Other threads, signals, processes


def assert_closed(worker: Worker) -> None:
    """A worker ends since the stream was closed."""
    with pytest.raises(OpError) as caught:
        worker.result()
    assert caught.value.errno == errno.EBADF


def test_close_ends_a_wait_in_another_thread(ct: conntrack.Conn, work: Callable[..., Worker]) -> None:
    for policy in ("raise", "resync"):
        stream = listen(on_overrun=policy)  # type: ignore[call-overload]
        worker = work(next, stream)
        worker.wait_receiving()
        stream.close()
        assert_closed(worker)


def test_a_signal_ends_a_wait_and_the_stream_goes_on(ct: conntrack.Conn, work: Callable[..., Worker]) -> None:
    def interrupt() -> None:
        wait_blocked(threading.main_thread().native_id or 0, "ppoll")
        os.kill(os.getpid(), signal.SIGUSR1)

    def handler(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    with listen() as stream, on_signal(signal.SIGUSR1, handler):
        for call in (lambda: next(stream), lambda: stream.read(), lambda: stream.read(30)):
            worker = work(interrupt)
            with pytest.raises(KeyboardInterrupt):
                call()
            worker.result()
            ct.create(udp(1))
            ct.delete(udp(1))
            assert [next(stream).event for _ in range(2)] == [Event.NEW, Event.DESTROY]


def test_a_signal_that_is_handled_does_not_end_a_wait(ct: conntrack.Conn, work: Callable[..., Worker]) -> None:
    def interrupt() -> None:
        wait_blocked(threading.main_thread().native_id or 0, "ppoll")
        os.kill(os.getpid(), signal.SIGUSR1)
        eventually(lambda: seen, "it is handled")
        wait_blocked(threading.main_thread().native_id or 0, "ppoll")
        ct.create(udp(1))

    seen: list[int] = []
    with listen() as stream, on_signal(signal.SIGUSR1, lambda number, frame: seen.append(number)):
        worker = work(interrupt)
        assert number_of(next(stream)) == 1
        worker.result()
        assert seen == [signal.SIGUSR1]


def test_a_forked_child_can_read_and_close_and_leaves_the_parent_s_stream_alone(
    ct: conntrack.Conn, work: Callable[..., Worker]
) -> None:
    with listen() as stream:
        worker = work(next, stream)
        worker.wait_receiving()

        def child() -> list[int]:
            # The thread that reads is not here.
            assert len(stream.read(0)) == 0
            assert len(stream.read(0.001)) == 0
            stream.close()
            with pytest.raises(OpError):
                next(stream)
            return [stream.fileno()]

        assert in_child(child) == [-1]
        ct.create(udp(1))
        assert number_of(worker.result()) == 1


def test_threads_share_a_stream_while_others_make_flows(ct: conntrack.Conn, work: Callable[..., Worker]) -> None:
    makers, each, readers = 3, 700, 6
    got: list[list[tuple[int, Event]]] = [[] for _ in range(readers)]
    stream = listen(Event.NEW | Event.DESTROY)

    def make(index: int) -> None:
        with conntrack.dial() as mine:
            for n in range(index * each, (index + 1) * each):
                mine.create(udp(n))
                mine.delete(udp(n))

    def read(index: int) -> None:
        mine = got[index]
        if index % 2:
            while True:
                batch = stream.read((None, 0.001)[index % 4 // 2], max_rows=1 + index)
                mine.extend((number_of(flow), flow.event) for flow in batch if flow.event)
        else:
            for flow in stream:
                assert flow.event
                mine.append((number_of(flow), flow.event))

    reading = [work(read, index) for index in range(readers)]
    making = [work(make, index) for index in range(makers)]
    for worker in making:
        worker.result(30)
    expected = {(n, event) for n in range(makers * each) for event in (Event.NEW, Event.DESTROY)}
    eventually(lambda: sum(map(len, got)) >= len(expected), "all have been read", 30)
    stream.close()
    for worker in reading:
        assert_closed(worker)
    assert stream.lost == 0
    assert sum(map(len, got)) == len(expected)
    assert {item for part in got for item in part} == expected


def test_close_while_threads_read_and_flows_begin(ct: conntrack.Conn, work: Callable[..., Worker]) -> None:
    for _ in range(20):
        stream = listen(read_buffer=SMALL, on_overrun="mark")

        readers = [work(list, stream) for _ in range(4)]
        maker = work(netns.add_flows, ct.conn, 500)
        work(stream.close).result()
        maker.result()
        for worker in readers:
            assert_closed(worker)
        ct.flush()
