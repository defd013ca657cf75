"""Many threads on the same objects. On a free-threaded interpreter they really run at once, and the GIL stays off."""

from __future__ import annotations

import errno
import hashlib
import ipaddress
import pickle
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import netns
from kernel.conftest import PATIENCE
from kernel.tools import Worker
from netlink import AttributeDecoder, AttributeEncoder, Family, Header, HeaderFlags, Message, OpError, dial
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import Event, Flow, Tuple
from netlink.schema import Batch

Work = Callable[..., Worker]

THREADS = 8
UDP = 17


@pytest.fixture(scope="module", autouse=True)
def numpy() -> None:
    """NumPy, imported before the tests, which look for threads, and behind `enter_private`, as it starts some."""
    pytest.importorskip("numpy")


def gil_enabled() -> bool:
    return getattr(sys, "_is_gil_enabled", lambda: True)()


@pytest.fixture(autouse=True)
def gil_stays_as_it_is() -> Iterator[None]:
    before = gil_enabled()
    yield
    assert gil_enabled() == before


@pytest.fixture
def ct() -> Iterator[conntrack.Conn]:
    netns.require_conntrack()
    for name in ("acct", "timestamp", "events"):
        Path(f"/proc/sys/net/netfilter/nf_conntrack_{name}").write_text("1")
    with conntrack.dial() as ct:
        yield ct


def flow(number: int) -> Flow:
    client, server = ipaddress.ip_address(0x0A000000 + number), ipaddress.ip_address("192.0.2.1")
    there = Tuple(src=client, dst=server, proto=UDP, src_port=1024 + number % 60000, dst_port=53)
    back = Tuple(src=server, dst=client, proto=UDP, src_port=53, dst_port=1024 + number % 60000)
    return Flow(orig=there, reply=back, timeout=600, mark=number)


def together(work: Work, *jobs: Callable[[], Any]) -> list[Any]:
    """What the jobs give, each in a thread, all started at the same moment."""
    barrier = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        barrier.wait()
        return job()

    return [worker.result(PATIENCE) for worker in [work(run, job) for job in jobs]]


def test_this_interpreter_runs_as_it_was_built() -> None:
    assert gil_enabled() != bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def test_one_connection_for_all_threads(ct: conntrack.Conn, work: Work) -> None:
    count = 40

    def job(first: int) -> Callable[[], int]:
        def run() -> int:
            for number in range(first, first + count):
                ct.create(flow(number))
                assert ct.get(flow(number)).mark == number
                if number % 10 == 0:
                    before = {1_000_000 + n for n in range(first, number) if n % 2 == 0}
                    assert {f.mark for f in ct.dump()} >= before
                    next(ct.iter_dump()).to_numpy()  # and left early
                ct.update(Flow(orig=flow(number).orig, mark=number + 1_000_000))
                if number % 2:
                    ct.delete(flow(number))
            return count // 2

        return run

    created = together(work, *(job(1 + i * count) for i in range(THREADS)))
    assert len(ct.dump()) == sum(created)


def test_a_connection_for_each_thread(ct: conntrack.Conn, work: Work) -> None:
    for number in range(2000):
        ct.create(flow(number + 1))

    def run() -> list[int]:
        with conntrack.dial() as mine:
            return sorted(f.mark or 0 for _ in range(3) for f in mine.dump())

    results = together(work, *[run] * THREADS)
    assert all(result == sorted(list(range(1, 2001)) * 3) for result in results)


def everything(batch: Batch[Flow]) -> str:
    """A digest of all that a batch says, in every way that it can be asked."""
    digest = hashlib.sha256()
    for record in batch:
        digest.update(repr(record.to_dict()).encode())
    digest.update(repr([hash(record.orig) for record in batch[10:500:3]]).encode())
    digest.update(repr(batch[-1] == batch[len(batch) - 1]).encode())
    digest.update(pickle.dumps(batch[7]))
    digest.update(batch[7].encode())
    digest.update(repr(batch[100:200].to_numpy()["mark"].tolist()).encode())
    return digest.hexdigest()


def test_one_batch_for_all_threads(ct: conntrack.Conn, work: Work) -> None:
    for number in range(1000):
        ct.create(flow(number + 1))
    batch = ct.dump()

    def slices() -> list[Any]:
        # They come and go, and with them references to the memory that all share.
        return [batch[i:].to_numpy() for i in range(0, 1000, 10)]

    assert len(set(together(work, *[lambda: everything(batch[:])] * THREADS))) == 1
    views = together(work, *[slices] * THREADS)
    assert all(int(view["mark"][-1]) == int(views[0][0]["mark"][-1]) for array in views for view in array)


def test_a_stream_for_all_threads_gives_each_record_once_and_ends_for_all(ct: conntrack.Conn, work: Work) -> None:
    count, ahead = 5000, 100  # few enough for the buffer that a user namespace may have
    room = threading.Semaphore(ahead)
    with conntrack.listen(Event.NEW | Event.DESTROY) as stream:
        seen: list[list[tuple[int, int]]] = [[] for _ in range(THREADS)]

        def read(mine: list[tuple[int, int]]) -> int | None:
            try:
                for record in stream:
                    assert record.event is not None
                    mine.append((int(record.event), int(record.orig.src or 0)))
                    room.release()
            except OpError as error:
                return error.errno
            return None

        readers = [work(read, mine) for mine in seen]
        for change in (ct.create, ct.delete):
            for number in range(count):
                assert room.acquire(timeout=PATIENCE)
                change(flow(number + 1))
        for _ in range(ahead):
            assert room.acquire(timeout=PATIENCE)
        stream.close()
        assert [reader.result(10) for reader in readers] == [errno.EBADF] * THREADS
    seen_events = sorted(record for mine in seen for record in mine)
    addresses = [0x0A000001 + i for i in range(count)]
    assert seen_events == [(int(event), a) for event in (Event.NEW, Event.DESTROY) for a in addresses]
    assert stream.lost == 0


def test_streams_are_closed_under_their_readers(ct: conntrack.Conn, work: Work) -> None:
    ends: list[int | None] = []
    for i in range(30):
        stream = conntrack.listen(Event.NEW | Event.DESTROY)

        def read(stream: Any = stream) -> int | None:
            try:
                for batch in stream.batches(max_rows=3):
                    batch.to_numpy()
            except OpError as error:
                return error.errno
            return None

        def churn(i: int = i) -> None:
            for number in range(10 + i):
                ct.create(flow(number + 1))
            ct.flush()

        ends += together(work, read, read, churn, stream.close)[:2]
    assert ends == [errno.EBADF] * 60


def test_one_encoder_and_one_decoder_for_all_threads(work: Work) -> None:
    encoder = AttributeEncoder()

    def encode() -> None:
        for i in range(2000):
            encoder.uint32(1, i)
            with encoder.nested(2) as inner:
                inner.string(3, "x" * (i % 50))

    together(work, encode, encode, encode, encode)
    encoded = encoder.encode()
    decoder = AttributeDecoder(encoded)
    assert [len(list(decoder))] * 4 == together(work, *[lambda: len(list(decoder))] * 4)
    shared = iter(decoder)
    assert sum(together(work, *[lambda: sum(1 for _ in shared)] * 4)) == len(list(decoder))


def test_requests_and_closing_race(work: Work) -> None:
    link = Message(Header(type=18, flags=HeaderFlags.REQUEST | HeaderFlags.DUMP), bytes(16))
    for _ in range(30):
        conn = dial(Family.ROUTE)

        def ask(conn: Any = conn) -> int | None:
            try:
                while True:
                    assert conn.execute(link)
            except OpError as error:
                return error.errno

        results = together(work, ask, ask, ask, ask, conn.close)
        assert results[:4] == [errno.EBADF] * 4
