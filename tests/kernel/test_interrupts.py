"""Exceptions of signal handlers at any moment of a read: no record and no loss is missing afterwards."""

from __future__ import annotations

import gc
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import netns
from kernel.flows import UDP, tuples
from kernel.tools import Child, Peer, on_signal, soon, wait_blocked
from netlink import Family, Header, Message, Overrun, dial
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import Event, Flow, Mirror, listen
from netlink.schema import Batch
from pace import SLOWNESS

ROUNDS = int(os.environ.get("INTERRUPT_ROUNDS", "2"))
EVENTS = 300
# Seconds between interrupts: calls end in between, also if a sanitizer makes them slower.
SOON, LATE = 20e-6, 800e-6 * (20 if {"ASAN_OPTIONS", "TSAN_OPTIONS"} & set(os.environ) else SLOWNESS)
# Bytes of the read buffer. The smaller one loses events.
SIZES = [20_000, 1 << 20]


class InterruptError(Exception):
    pass


class Alarm:
    """A signal handler that raises at random moments, once at most after it is armed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.armed = False
        self.twice = False  # again, in the cleanup behind the first one
        self.ended = False

    def __call__(self, number: int, frame: object) -> None:
        if self.ended:
            return
        again = self.armed and self.twice
        # And again: a signal that the kernel gives to a thread of another library does not end the main thread's wait.
        signal.setitimer(signal.ITIMER_REAL, SOON if again else self.chance.uniform(SOON, LATE), LATE)
        if self.armed:
            self.armed, self.twice = again, False
            raise InterruptError


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    alarm = Alarm(7)
    # A collection would run other people's finalizers, where an interrupt is lost.
    gc.collect()
    gc.disable()
    with on_signal(signal.SIGALRM, alarm):
        signal.setitimer(signal.ITIMER_REAL, 1e-3, LATE)
        yield alarm
        alarm.ended = True  # a signal that is on its way begins no timer
        signal.setitimer(signal.ITIMER_REAL, 0)
    gc.enable()


@pytest.fixture
def ct() -> Iterator[conntrack.Conn]:
    netns.require_conntrack()
    with conntrack.dial() as ct:
        yield ct


def number_of(flow: Flow) -> int:
    assert flow.orig.src is not None
    return int(flow.orig.src) - 0x0A000000


def create() -> Child:
    """A child that makes events, one by one."""

    def run() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        with conntrack.dial() as ct:
            for number in range(EVENTS):
                ct.create(Flow(**tuples(number, UDP), timeout=600))

    return Child(run)


def ended(child: Child) -> bool:
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


# Each takes one item. list.extend takes it from these iterators in C: between the stream's code and the list no signal
# handler runs, which would lose an item of the test's.
WAYS: dict[str, Callable[[Any, random.Random], Iterator[Any]]] = {
    "next": lambda stream, chance: itertools.islice(stream, 1),
    "batches": lambda stream, chance: itertools.islice(stream.batches(chance.choice([1, 7, 4096]), idle=0.01), 1),
    "read": lambda stream, chance: map(stream.read, [0.01], [chance.choice([1, 7, 4096])]),
    "changes": lambda mirror, chance: itertools.islice(mirror.changes(idle=0.01), 1),
    "read_changes": lambda mirror, chance: map(mirror.read, [0.01]),
}


def taken(of: Any, ways: list[str], last: str, alarm: Alarm) -> list[Any]:
    """All items, taken with interrupts while a child makes events, then by the last way until that gives none."""
    got: list[Any] = []
    child = create()
    made = False
    end = time.monotonic() + 60 * SLOWNESS
    while True:
        assert time.monotonic() < end, "no item comes through between the interrupts"
        made = made or ended(child)
        taking = WAYS[last if made else alarm.chance.choice(ways)](of, alarm.chance)
        try:
            alarm.armed = not made
            got.extend(taking)
            alarm.armed = False
        except InterruptError:
            continue
        except Overrun as overrun:
            alarm.armed = False
            got.append(overrun)
            continue
        if made and isinstance(got[-1], (list, Batch)) and not len(got[-1]):
            child.result()
            return got


@pytest.mark.parametrize("policy", ["raise", "mark"])
@pytest.mark.parametrize("ways", [["batches"], ["read"], ["next", "batches", "read"]], ids="-".join)
def test_a_stream_loses_nothing(ct: conntrack.Conn, alarm: Alarm, policy: Any, ways: list[str]) -> None:
    for size in SIZES * ROUNDS:
        with listen(Event.NEW, on_overrun=policy, read_buffer=size) as stream:
            got = taken(stream, ways, "read", alarm)
            lost = stream.lost
        numbers: list[int] = []
        for item in got:
            if not isinstance(item, Overrun):
                numbers += [number_of(item)] if isinstance(item, Flow) else map(number_of, item)
        assert numbers == sorted(set(numbers))
        assert len(numbers) + lost == EVENTS
        assert sum(item.lost for item in got if isinstance(item, Overrun)) == lost
        ct.flush()


@pytest.mark.parametrize("ways", [["changes"], ["read_changes"]], ids="-".join)
def test_a_mirror_reports_each_change_once(ct: conntrack.Conn, alarm: Alarm, ways: list[str]) -> None:
    for size in SIZES * ROUNDS:
        with Mirror(read_buffer=size) as mirror:
            numbers: list[int] = []
            for item in taken(mirror, ways, "read_changes", alarm):
                changes = item if isinstance(item, list) else [item]
                numbers += [number_of(change.flow) for change in changes if change.event == Event.NEW]
            assert sorted(numbers) == list(range(EVENTS))
            assert len(mirror) == EVENTS
        ct.flush()


def test_a_connection_stays_in_step(ct: conntrack.Conn, alarm: Alarm) -> None:
    create().result()
    flows = [Flow(**tuples(number, UDP)) for number in range(EVENTS)]
    for _ in range(50 * ROUNDS):
        number = alarm.chance.randrange(EVENTS)
        call: Callable[[], Any] = alarm.chance.choice(
            [
                lambda number=number: ct.get(flows[number]),
                ct.dump,
                lambda: next(ct.iter_dump()),
                lambda number=number: ct.update(Flow(orig=flows[number].orig, mark=number)),
            ]
        )
        try:
            alarm.armed = alarm.twice = True
            call()
            alarm.armed = alarm.twice = False
        except InterruptError:
            alarm.armed = alarm.twice = False
        assert number_of(ct.get(flows[number])) == number
    assert len(ct.dump()) == EVENTS


def test_messages_without_a_request_are_all_received(alarm: Alarm) -> None:
    with dial(Family.USERSOCK) as conn, Peer(conn.pid) as peer:
        conn.set_read_deadline(soon(60))
        got: list[list[Message]] = []
        count = 0
        for _ in range(500 * ROUNDS):
            for _ in range(10):
                peer.send(Message(Header(type=16, pid=count)))
                count += 1
            while len(got) < count:
                taking = itertools.islice(iter(conn.receive, None), 1)
                try:
                    alarm.armed = True
                    got.extend(taking)
                    alarm.armed = False
                except InterruptError:
                    pass
        assert [m.header.pid for messages in got for m in messages] == list(range(count))


def test_a_signal_that_another_thread_gets() -> None:
    netns.require_conntrack()
    main = threading.get_native_id()

    def signalled() -> None:
        wait_blocked(main, "ppoll")
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)  # Python's handler is left to the main thread

    with listen() as stream, on_signal(signal.SIGUSR1, lambda *_: stream.stop()):
        helper = threading.Thread(target=signalled)
        helper.start()
        assert list(stream) == []
        helper.join()


def test_an_exception_of_a_signal_that_another_thread_gets() -> None:
    main = threading.get_native_id()
    seen: list[int] = []

    def handler(number: int, frame: object) -> None:
        seen.append(number)
        raise InterruptError

    def signalled() -> None:
        wait_blocked(main, "ppoll")
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    with dial(Family.ROUTE) as conn, on_signal(signal.SIGUSR1, handler):
        helper = threading.Thread(target=signalled)
        helper.start()
        with pytest.raises(InterruptError):
            conn.receive()
        helper.join()
    assert seen == [signal.SIGUSR1]
