"""Dumps of conntrack in parts: the same as those of one socket, and nothing left behind, whatever goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import random
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import netns
from kernel.flows import varied
from kernel.tools import Worker, eventually, in_child, interrupted_at_random, on_signal, passed, soon
from netlink import Conn, OpError, nltest
from netlink._io import parts
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import Filter, Flow, Status, Tuple
from netlink.netfilter.conntrack.records import Part

Work = Callable[..., Worker]
COUNT = 40_000


@pytest.fixture
def ct() -> Iterator[conntrack.Conn]:
    netns.require_conntrack()
    with conntrack.dial() as ct:
        yield ct


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tables are worth parts too."""
    monkeypatch.setattr(conntrack.family, "ROWS_MIN", 1)
    monkeypatch.setattr(parts, "_WALK_ROWS", 0)


@pytest.fixture
def large(ct: conntrack.Conn) -> conntrack.Conn:
    """A table that splits, as its halves have two marks."""
    netns.require_conntrack(COUNT)
    netns.add_flows(ct.conn, COUNT // 2)
    able(ct, {"mark"})
    ct.conn.execute_all(ct.calls.update(Flow(orig=flow.orig, mark=1)) for flow in ct.dump())
    netns.add_flows(ct.conn, COUNT // 2, COUNT)
    return ct


def able(ct: conntrack.Conn, names: set[str]) -> None:
    """Skip if the kernel cannot filter by these criteria."""
    ct.dump(Filter(mark=1))  # probes them
    assert ct.calls._able is not None
    if names - ct.calls._able:
        pytest.skip(f"this kernel does not filter by {names - ct.calls._able}")


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of parts of each dump that was in parts."""
    found: list[int] = []
    start = parts._Work.start

    def counted(work: Any, threads: int) -> None:
        found.append(len(work.calls))
        start(work, threads)

    monkeypatch.setattr(parts._Work, "start", counted)
    return found


def add(ct: conntrack.Conn, flows: Iterable[Flow]) -> None:
    for answer in ct.conn.execute_all(ct.calls.create(flow) for flow in flows):
        assert answer is None


def flow(number: int, version: int = 4, **values: Any) -> Flow:
    low, high = number & 0xFF, number >> 8
    src, dst = (f"10.1.{high}.{low}", "192.0.2.1") if version == 4 else (f"fd00::{number:x}", "2001:db8::1")
    return Flow(
        orig=Tuple(src=src, dst=dst, proto=17, src_port=1024, dst_port=53),
        reply=Tuple(src=dst, dst=src, proto=17, src_port=53, dst_port=1024),
        timeout=10_000,
        **values,
    )


def key(flow: Flow) -> tuple[object, ...]:
    return flow.id, flow.zone, str(flow.orig), flow.mark, flow.status, flow.family


def keys(batches: Iterable[Iterable[Flow]]) -> list[tuple[object, ...]]:
    return sorted((key(flow) for batch in batches for flow in batch), key=str)


def status(n: int) -> Status:
    return (Status(0), Status.SEEN_REPLY, Status.SEEN_REPLY | Status.ASSURED)[n % 3]


TABLES: dict[str, Callable[[], Iterable[Flow]]] = {
    "empty": list,
    "one flow": lambda: [flow(1)],
    "of all kinds": lambda: varied(3),
    "v4 and v6, no marks": lambda: [flow(n, 4 + 2 * (n % 2)) for n in range(600)],
    "random marks": lambda: [flow(n, mark=random.Random(n).getrandbits(32)) for n in range(600)],
    "few marks": lambda: [flow(n, mark=1 << n % 4) for n in range(600)],
    "one mark": lambda: [flow(n, mark=0xFFFFFFFF) for n in range(600)],
    "mixed statuses": lambda: [flow(n, status=status(n)) for n in range(600)],
    "zones": lambda: [flow(n, zone=n % 3, mark=n % 2) for n in range(600)],
    "does not split": lambda: [flow(n) for n in range(600)],
}
SPLIT = {"v4 and v6, no marks", "random marks", "few marks", "mixed statuses", "zones", "of all kinds"}
FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "mark": {"filter": Filter(mark=1, mark_mask=1)},
    "status": {"filter": Filter(status=0, status_mask=Status.SEEN_REPLY)},
    "zone": {"filter": Filter(zone=1)},
    "orig": {"filter": Filter(orig=Tuple(proto=17)), "family": socket.AF_INET},
    "proto": {"filter": Filter(proto=17)},
    "mark and exclude": {"filter": Filter(mark=0, mark_mask=1, exclude=Filter(zone=2))},
    "v4": {"family": socket.AF_INET},
    "v6": {"family": socket.AF_INET6},
}


@pytest.mark.parametrize("table", TABLES)
def test_the_same_flows(ct: conntrack.Conn, small: None, used: list[int], table: str) -> None:
    add(ct, TABLES[table]())
    for name, options in FILTERS.items():
        want = keys([ct.dump(**options)])
        for parallel in (1, 2, 5):
            assert keys([ct.dump(**options, parallel=parallel)]) == want, (name, parallel)
            assert keys(ct.iter_dump(**options, parallel=parallel)) == want, (name, parallel)
    if ct.calls._able and {"mark", "status"} <= ct.calls._able:
        assert bool(used) == (table in SPLIT)


def test_a_large_table(large: conntrack.Conn, used: list[int]) -> None:
    assert {flow.mark for flow in large.dump()} == {0, 1}
    want = keys([large.dump()])
    assert len(want) == COUNT
    assert keys([large.dump(parallel=2)]) == want
    assert keys(large.iter_dump(parallel=2)) == want
    assert used == [2, 2]


def test_a_small_table_is_received_by_the_connection(ct: conntrack.Conn, used: list[int]) -> None:
    add(ct, [flow(n, mark=n) for n in range(300)])
    assert len(ct.dump(parallel=8)) == 300
    assert used == []


def test_calls(ct: conntrack.Conn, small: None, used: list[int]) -> None:
    add(ct, [flow(n, mark=n) for n in range(300)])
    call = ct.calls.dump(parallel=2)
    assert len(ct.conn.execute(call)) == 300
    stats, found, again = ct.conn.execute_all([ct.calls.stats_global(), call, call])
    assert (stats.entries, len(found), len(again)) == (300, 300, 300)  # type: ignore[union-attr, arg-type]
    assert len(used) == 3


def test_over_a_double_of_the_kernel() -> None:
    def serve(*_: Any) -> list[Flow]:
        return [flow(1), flow(2)]

    with nltest.serve(conntrack.Conn, {"dump_part": serve}) as ct:  # pyright: ignore[reportArgumentType]
        assert len(ct.dump(parallel=4)) == 2


def test_in_another_namespace(ct: conntrack.Conn, small: None, used: list[int]) -> None:
    add(ct, [flow(n, mark=n) for n in range(300)])
    with netns.fresh() as there:
        # A connection stays in its namespace, whatever thread uses it.
        assert len(ct.dump(parallel=2)) == 300
        with conntrack.dial() as here:
            add(here, [flow(n, mark=n) for n in range(200)])
        fd = os.dup(there.fd)
    with conntrack.dial(netns=fd) as other:
        os.close(fd)
        assert len(other.dump(parallel=2)) == 200
    assert len(used) == 2


def test_zero(ct: conntrack.Conn, small: None, used: list[int]) -> None:
    path = Path("/proc/sys/net/netfilter/nf_conntrack_acct")
    if not os.access(path, os.W_OK):
        pytest.skip("nf_conntrack_acct cannot be set in this namespace")
    path.write_text("1")
    add(ct, [flow(n, mark=n) for n in range(300)])
    flows = ct.dump(zero=True, parallel=2)
    assert sorted(one.mark or 0 for one in flows) == list(range(300))
    assert used
    with pytest.raises(ValueError, match="cannot filter by proto"):
        ct.dump(Filter(proto=6), zero=True, parallel=2)


def test_with_nldebug(
    ct: conntrack.Conn, small: None, used: list[int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    add(ct, [flow(n, mark=n) for n in range(300)])
    monkeypatch.setenv("NLDEBUG", "level=1")
    with conntrack.dial() as debugged:
        assert len(debugged.dump(parallel=2)) == 300
    assert used
    assert "mark_mask" in capfd.readouterr().err


# Doubles


def test_a_flow_that_changes_sides(ct: conntrack.Conn, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    add(ct, [flow(n, mark=n % 2) for n in range(300)])
    able(ct, {"mark"})
    turns = threading.Barrier(2)
    real = Conn.iter_dump

    def one_after_the_other(conn: Any, call: Any, *args: Any, **options: Any) -> Any:
        if threading.current_thread().name != "netlink dump":
            yield from real(conn, call, *args, **options)
            return
        mine = [*real(conn, call, *args, **options)] if call is first[0] else []
        # All flows of the first part get the mark of the second one.
        for batch in mine:
            other.conn.execute_all(other.calls.update(Flow(orig=one.orig, mark=1)) for one in batch)
        turns.wait()
        yield from mine or real(conn, call, *args, **options)

    first: list[Any] = []
    start = parts._Work.start

    def noted(work: Any, count: int) -> None:
        first.append(work.calls[0] if Part.decode(work.calls[0].message.data).mark == 0 else work.calls[1])
        start(work, count)

    def marks_of(zero: bool) -> list[tuple[int, int]]:
        first.clear()
        for one in other.dump():
            other.update(Flow(orig=one.orig, mark=int(one.orig.src) % 2))
        return sorted((int(one.orig.src), one.mark or 0) for one in ct.dump(parallel=2, zero=zero))

    monkeypatch.setattr(parts._Work, "start", noted)
    monkeypatch.setattr(Conn, "iter_dump", one_after_the_other)
    with conntrack.dial() as other:
        found = marks_of(zero=False)
        assert len(found) == 300
        assert len({number for number, _ in found}) == 300
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the flows have no counters
            assert len(marks_of(zero=True)) == 450


# What goes wrong


class BrokenError(Exception):
    pass


@pytest.mark.parametrize("parallel", [2, 4])
def test_an_error_of_one_part(large: conntrack.Conn, monkeypatch: pytest.MonkeyPatch, parallel: int) -> None:
    calls = 0
    real = parts.Doubles

    class Failing:
        def __init__(self, *args: Any) -> None:
            self.real = real(*args)

        def remove(self, batch: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == 5:
                raise BrokenError
            self.real.remove(batch)

    monkeypatch.setattr(parts, "Doubles", Failing)
    with pytest.raises(BrokenError):
        large.dump(parallel=parallel)
    calls = 0
    with pytest.raises(BrokenError):
        for _ in large.iter_dump(parallel=parallel):
            pass
    monkeypatch.undo()
    assert len(large.dump(parallel=parallel)) == COUNT


def test_a_socket_that_cannot_be_opened(ct: conntrack.Conn, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    add(ct, [flow(n, mark=n) for n in range(300)])

    def refuse() -> None:
        raise OpError("dial", errno.EMFILE)

    beside = ct.conn._exchange.beside
    ct.conn._exchange.attach(ct.conn._locks, refuse)
    with pytest.raises(OpError) as caught:
        ct.dump(parallel=2)
    assert caught.value.errno == errno.EMFILE
    opened: list[Any] = []

    def few() -> Any:
        if len(opened) == 2:
            raise OpError("dial", errno.EMFILE)
        assert beside is not None
        opened.append(beside())
        return opened[-1]

    ct.conn._exchange.attach(ct.conn._locks, few)
    with pytest.raises(OpError) as caught:
        ct.dump(parallel=2)
    assert caught.value.errno == errno.EMFILE
    assert len(opened) == 2
    assert all(conn.closed for conn in opened)
    ct.conn._exchange.attach(ct.conn._locks, beside)
    assert len(ct.dump(parallel=2)) == 300


def begun() -> bool:
    return any(thread.name == "netlink dump" for thread in threading.enumerate())


def in_the_middle(ct: conntrack.Conn, work: Work, act: Callable[[], object]) -> Worker:
    for _ in range(50):
        worker = work(lambda: ct.dump(parallel=2))
        eventually(lambda worker=worker: worker.done or begun(), "the threads have begun")
        if not worker.done:
            act()
            return worker
        assert len(worker.result()) == COUNT
    raise AssertionError("no dump was seen in its middle")


def test_close_from_another_thread(large: conntrack.Conn, work: Work) -> None:
    worker = in_the_middle(large, work, large.close)
    with pytest.raises(OpError) as caught:
        worker.result()
    assert (caught.value.op, caught.value.errno) == ("receive", errno.EBADF)
    assert not begun()


def test_a_deadline_that_passes(large: conntrack.Conn, work: Work) -> None:
    worker = in_the_middle(large, work, lambda: large.conn.set_read_deadline(passed()))
    with pytest.raises(TimeoutError):
        worker.result()
    assert not begun()
    large.conn.set_read_deadline(soon())
    assert len(large.dump(parallel=2)) == COUNT


def test_an_iterator_that_is_left(large: conntrack.Conn) -> None:
    batches = large.iter_dump(parallel=2)
    next(batches)
    assert begun()
    batches.close()  # type: ignore[attr-defined]
    assert not begun()
    batches = large.iter_dump(parallel=2)
    next(batches)
    del batches
    gc.collect()
    assert not begun()
    assert len(large.dump(parallel=2)) == COUNT


def test_an_iterator_in_a_forked_child(large: conntrack.Conn) -> None:
    batches = large.iterate(large.calls.dump(parallel=2), rows=100)
    next(batches)
    # The threads wait, so that none of them holds a lock.
    eventually(lambda: waiting() == 2, "the threads are ahead")

    def run() -> int | None:
        with pytest.raises(OpError) as caught:
            for _ in batches:
                pass
        return caught.value.errno

    assert in_child(run) == errno.ECANCELED
    assert sum(map(len, batches)) == COUNT - 100


def waiting() -> int:
    """The threads of a dump that wait for somebody to take what they have."""
    frames = sys._current_frames()
    ids = [thread.ident for thread in threading.enumerate() if thread.name == "netlink dump"]
    return sum(frames[number].f_code.co_name == "wait" for number in ids if number in frames)


def test_a_slow_reader_bounds_what_is_read(large: conntrack.Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    given = 0
    give = parts._Work._give

    def counted(work: Any, batch: Any) -> None:
        nonlocal given
        give(work, batch)
        given += 1

    monkeypatch.setattr(parts._Work, "_give", counted)
    batches = large.iterate(large.calls.dump(parallel=2), rows=100)
    next(batches)
    eventually(lambda: given >= 4, "the threads are ahead")
    taken = 1 + sum(1 for _ in zip(batches, range(50), strict=False))
    assert taken <= given <= taken + 6
    assert 100 * taken < COUNT
    del batches


# An interrupt in the finalizer of a part's connection ends nothing: Python prints it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment(ct: conntrack.Conn, small: None) -> None:
    add(ct, [flow(n, mark=n) for n in range(500)])
    for _ in interrupted_at_random(lambda: ct.dump(parallel=2), 30):
        eventually(lambda: not begun(), "all threads have ended")
        ct.conn.set_deadline(soon())
        assert len(ct.dump(parallel=2)) == 500


def test_an_interrupt_while_it_waits(large: conntrack.Conn) -> None:
    def shoot() -> None:
        eventually(begun, "the threads have begun")
        signal.pthread_kill(main, signal.SIGINT)

    main = threading.get_ident()
    # Python has no such handler of its own if SIGINT was ignored at its start, as in a shell's background.
    with on_signal(signal.SIGINT, signal.default_int_handler):
        for _ in range(50):
            shooter = Worker(shoot)
            try:
                large.dump(parallel=2)
            except KeyboardInterrupt:
                shooter.result()
                break
            finally:
                with contextlib.suppress(KeyboardInterrupt):
                    shooter.join()
        else:
            raise AssertionError("no interrupt")
    eventually(lambda: not begun(), "all threads have ended")
    assert len(large.dump(parallel=2)) == COUNT


# Asynchronous


def test_asynchronous(ct: conntrack.Conn, small: None, used: list[int]) -> None:
    add(ct, [flow(n, mark=n) for n in range(600)])

    async def run() -> None:
        async with conntrack.dial_async() as own:
            assert keys([await own.dump(parallel=3)]) == keys([ct.dump()])
            assert keys([batch async for batch in own.iter_dump(parallel=3)]) == keys([ct.dump()])

    asyncio.run(run())
    assert len(used) == 2


def test_asynchronous_cancellation_and_close(large: conntrack.Conn) -> None:
    async def until_begun(task: asyncio.Task[Any]) -> bool:
        while not begun() and not task.done():
            await asyncio.sleep(0)
        return not task.done()

    async def run() -> None:
        async with conntrack.dial_async() as own:
            for _ in range(50):
                task = asyncio.ensure_future(own.dump(parallel=2))
                if await until_begun(task):
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    break
            assert not begun()
            batches = own.iter_dump(parallel=2)
            async for _batch in batches:
                break
            await batches.aclose()  # type: ignore[attr-defined]
            assert not begun()
            own.conn.set_deadline(passed())
            with pytest.raises(TimeoutError):
                await own.dump(parallel=2)
            own.conn.set_deadline(None)
            assert len(await own.dump(parallel=2)) == COUNT
            for _ in range(50):
                task = asyncio.ensure_future(own.dump(parallel=2))
                if await until_begun(task):
                    own.close()
                    with pytest.raises(OpError) as caught:
                        await task
                    assert caught.value.errno == errno.EBADF
                    break
            assert not begun()

    asyncio.run(run())


def test_the_loop_runs_on(large: conntrack.Conn) -> None:
    async def run() -> int:
        ticks = 0
        async with conntrack.dial_async() as own:
            task = asyncio.ensure_future(own.dump(parallel=2))
            while not task.done():
                ticks += 1
                await asyncio.sleep(0)
            assert len(await task) == COUNT
        return ticks

    assert asyncio.run(run()) > 10
