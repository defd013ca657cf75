"""nfqueue on the real kernel: packets get the verdict that was meant, and what is missing is counted."""

from __future__ import annotations

import array
import asyncio
import contextlib
import errno
import itertools
import os
import random
import re
import select
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import netns
from kernel.queues import (
    LOCAL_IN,
    LOCAL_OUT,
    NUMBER,
    PORT,
    REWRITING,
    Pair,
    count,
    data,
    id_of,
    refusal,
    require_rewriting,
    rewrites,
    rule,
    to_queue,
    waiting,
)
from kernel.tools import (
    NEVER,
    Child,
    Script,
    Worker,
    drop_capabilities,
    eventually,
    in_child,
    interrupted_at_random,
    run,
    unprivileged,
)
from netlink import Header, NetlinkWarning, OpError
from netlink.netfilter import nfqueue
from netlink.netfilter.conntrack import Expect, Flow
from netlink.netfilter.nfnetlink import NfGenMsg
from netlink.netfilter.nfqueue import (
    VLAN,
    ConfigCmd,
    ConfigCommand,
    ConfigFlags,
    ConfigParams,
    CopyMode,
    Packet,
    PacketHdr,
    Queue,
    SkbInfo,
    Verdict,
)
from netlink.netfilter.nfqueue.records import Command

UDP_SEGMENT = 103  # linux/udp.h
SMALL = 2304  # bytes of a read buffer, which the kernel raises to its minimum


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


@pytest.fixture
def queue(pair: Pair) -> Iterator[Queue]:
    """Packets on their way in to PORT."""
    to_queue()
    with nfqueue.listen(NUMBER) as queue:
        yield queue


# What is in a packet (Q9)


def test_the_fields_of_a_received_packet(pair: Pair, queue: Queue) -> None:
    pair.send(b"hello")
    packet = next(queue)
    assert (packet.id, packet.number, packet.family) == (1, NUMBER, socket.AF_INET)
    assert (packet.hook, packet.hw_protocol) == (LOCAL_IN, 0x0800)
    assert (packet.indev, packet.outdev, packet.physindev) == (netns.LOOPBACK, None, None)
    assert packet.hwaddr == bytes(6)
    assert (packet.uid, packet.gid, packet.mark, packet.priority) == (None,) * 4
    assert (str(packet.src), packet.dport, packet.proto, packet.udp_length) == ("127.0.0.1", PORT, 17, 13)
    assert (data(packet), packet.cap_len, packet.truncated) == (b"hello", None, False)
    assert (packet.vlan, packet.l2hdr, packet.ct, packet.ct_info, packet.secctx) == (None,) * 5
    assert packet.unknown == ()
    queue.accept(packet)
    assert pair.got() == [b"hello"]


def test_the_fields_of_a_sent_packet(pair: Pair) -> None:
    rule("OUTPUT", "-j", "MARK", "--set-mark", "0xdeadbeef", table="mangle")
    to_queue(chain="OUTPUT")
    pair.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 3)
    with nfqueue.listen(NUMBER, uid_gid=True) as queue:
        pair.send(b"out")
        packet = next(queue)
        queue.drop(packet)
    assert (packet.hook, packet.indev, packet.outdev) == (LOCAL_OUT, None, netns.LOOPBACK)
    assert (packet.mark, packet.hwaddr, packet.timestamp) == (0xDEADBEEF, None, None)
    assert packet.priority in (3, None)  # kernels before 5.18 do not send it
    with open("/proc/self/uid_map", encoding="ascii") as lines:
        outside = [line.split() for line in lines]
    of_first = {int(there) + os.geteuid() - int(here) for here, there, _ in outside}
    assert packet.uid in of_first


def test_ipv6(pair: Pair) -> None:
    rule("INPUT", "-j", "NFQUEUE", "--queue-num", "6", tool="ip6tables")
    six = Pair(socket.AF_INET6, "::1")
    with contextlib.closing(six), nfqueue.listen(6) as queue:
        six.send(b"six")
        packet = next(queue)
        assert (packet.family, packet.hw_protocol, str(packet.src)) == (socket.AF_INET6, 0x86DD, "::1")
        require_rewriting()
        queue.accept(packet, payload=bytes(packet.payload or b"") + b"ty", checksums=True)
        assert six.got() == [b"sixty"]


def test_a_packet_has_a_datagram_of_its_own(pair: Pair) -> None:
    """Q6: without flags and numbers, and as long as what is in it: the payload comes last, and has no padding."""
    to_queue()
    with nfqueue.dial() as conn:
        conn.configure(
            number=NUMBER,
            cmd=ConfigCmd(command=ConfigCommand.BIND),
            params=ConfigParams(copy_range=0xFFFF, copy_mode=CopyMode.PACKET),
        )
        for size in (1, 2, 3, 4):
            pair.send(bytes(size))
        for size in (1, 2, 3, 4):
            (message,) = conn.conn.receive()
            header = message.header
            assert header == Header(16 + len(message.data), Command.PACKET)
            assert header.length % 4 == size % 4
            assert Packet.decode(message.data).udp_length == 8 + size


def test_copy_ranges(pair: Pair, queue: Queue) -> None:
    pair.send(b"x" * 100)
    queue.configure(copy_range=40)
    pair.send(b"y" * 100)
    queue.configure(copy_range=0)
    pair.send(b"z" * 100)
    whole, cut, none = waiting(queue, 3)
    assert (len(whole.payload or b""), whole.cap_len) == (128, None)
    assert (len(cut.payload or b""), cut.cap_len, cut.truncated) == (40, 128, True)
    assert (cut.dport, cut.length) == (PORT, 128)
    assert (none.payload, none.dport) == (None, None)
    queue.accept([whole, cut, none])
    assert [len(each) for each in pair.got()] == [100] * 3


def test_large_and_small_packets_in_turn(pair: Pair, queue: Queue) -> None:
    chance = random.Random(5)
    sent = [chance.randbytes(size) for size in (0, 1, 2, 3, 4, 5, 1472, 1473, 2000, 2048, 9000, 65000) for _ in (1, 2)]
    chance.shuffle(sent)
    pair.send(*sent)
    got: list[bytes] = []
    while len(got) < len(sent):
        batch = queue.read(NEVER, 7)
        got += map(data, batch)
        queue.accept(batch)
    assert got == sent == pair.got()


# Verdicts


def test_each_verdict_is_for_its_packet(pair: Pair, queue: Queue) -> None:
    pair.many(200)
    batch = waiting(queue, 200)
    assert len(batch) == 200
    chance = random.Random(3)
    kinds = [chance.choice((Verdict.ACCEPT, Verdict.DROP)) for _ in batch]
    queue.verdict(batch, kinds)
    assert pair.got() == [b"%d" % i for i, kind in enumerate(kinds) if kind]
    assert (queue.pending, queue.refused, queue.stats().queued) == (0, {}, 0)


@pytest.mark.parametrize("code", "bBhHiIlLqQ")
def test_arrays_of_verdicts(pair: Pair, queue: Queue, code: str) -> None:
    pair.many(5)
    queue.verdict(waiting(queue, 5), array.array(code, [1, 0, 1, 0, 1]))
    assert pair.got() == [b"0", b"2", b"4"]


@pytest.fixture(scope="module")
def numpy() -> Any:
    """NumPy, whose threads stay from its import on."""
    return pytest.importorskip("numpy")


def test_arrays_of_numpy(numpy: Any, pair: Pair, queue: Queue) -> None:
    pair.many(5)
    batch = waiting(queue, 5)
    queue.verdict(batch, numpy.where(numpy.arange(len(batch)) % 2 == 0, Verdict.ACCEPT, Verdict.DROP))
    assert pair.got() == [b"0", b"2", b"4"]
    pair.many(1)
    queue.verdict(queue.read(), numpy.array([Verdict.ACCEPT]))
    assert pair.got() == [b"0"]
    # Every other one, from the last one on; a member of a struct, which lies at odd addresses.
    pair.many(3)
    queue.verdict(waiting(queue, 3), numpy.array([9, 0, 9, 1, 9, 1])[::-2])
    assert pair.got() == [b"0", b"1"]
    pair.many(2)
    queue.verdict(waiting(queue, 2), numpy.array([(9, 1), (9, 0)], dtype=[("x", "u1"), ("verdict", "i4")])["verdict"])
    assert pair.got() == [b"0"]
    pair.many(3)
    ids = numpy.array([id_of(packet) for packet in waiting(queue, 3)])
    queue.accept(ids[::2])
    queue.accept(ids[1])
    assert pair.got() == [b"0", b"2", b"1"]


def test_packets_ids_and_parts_of_batches_in_any_order(pair: Pair, queue: Queue) -> None:
    pair.many(10)
    batch = waiting(queue, 10)
    queue.accept(batch[::-2])
    queue.accept(id_of(batch[0]))
    queue.accept([batch[4], id_of(batch[2])])
    queue.verdict((packet for packet in (batch[8], batch[6])), bytes([0, 1]))
    assert pair.got() == [b"9", b"7", b"5", b"3", b"1", b"0", b"4", b"2", b"6"]
    assert queue.pending == 0
    queue.accept([])
    queue.accept(batch[:0])


def test_what_is_no_verdict(pair: Pair, queue: Queue) -> None:
    """Nothing of a refused call is sent."""
    pair.many(2)
    batch = waiting(queue, 2)
    packet, flow = batch[0], Flow(mark=1)
    wrong: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (ValueError, "upper bits", lambda: queue.verdict(packet, 0x10001)),
        (ValueError, "upper bits", lambda: queue.verdict(batch, [1, 0x8001])),
        (ValueError, "want one of", lambda: queue.verdict(packet, 2)),
        (ValueError, "want one of", lambda: queue.verdict(batch, array.array("i", [1, -1]))),
        (ValueError, "want one of", lambda: queue.verdict(batch, [1, 6])),
        (ValueError, "requeue", lambda: queue.verdict(packet, 0x103)),
        (ValueError, "need 2 verdicts", lambda: queue.verdict(batch, [1])),
        (ValueError, "need 2 verdicts", lambda: queue.verdict(batch, b"\1\1\1")),
        (TypeError, "True", lambda: queue.verdict(batch, [True, False])),
        (ValueError, "upper bits", lambda: queue.verdict(packet, 1 << 70)),
        (ValueError, "want one of", lambda: queue.verdict(batch, [1, -(1 << 70)])),
        (TypeError, "a verdict must be an int", lambda: queue.verdict(batch, [1, "1"])),  # type: ignore[list-item]
        (TypeError, "integers", lambda: queue.verdict(batch, array.array("d", [1, 1]))),
        (TypeError, "one dimension", lambda: queue.verdict(batch, memoryview(bytes(4)).cast("B", (2, 2)))),
        (ValueError, "upper bits", lambda: queue.verdict(batch, array.array("Q", [1, 1 << 32]))),
        (TypeError, "one for each", lambda: queue.verdict(batch, "11")),  # type: ignore[arg-type]
        (TypeError, "one for each", lambda: queue.verdict(batch, None)),  # type: ignore[arg-type]
        (TypeError, "one verdict", lambda: queue.verdict(packet, [1])),
        (TypeError, "'one'", lambda: queue.accept("one")),  # type: ignore[arg-type]
        (TypeError, "b'\\x01'", lambda: queue.accept(b"\1")),
        (TypeError, "not for None", lambda: queue.accept(None)),  # type: ignore[arg-type]
        (TypeError, "not for True", lambda: queue.accept(True)),
        (TypeError, "1.5", lambda: queue.accept([1.5])),  # type: ignore[list-item]
        (TypeError, "not for a Flow", lambda: queue.accept(flow)),  # type: ignore[arg-type]
        (TypeError, "batch of Flow", lambda: queue.accept(Flow.decode_many([]))),  # type: ignore[arg-type]
        (ValueError, "packet's id", lambda: queue.accept(1 << 32)),
        (ValueError, "packet's id", lambda: queue.accept(-1)),
        (ValueError, "packet's id", lambda: queue.accept([1 << 70])),
        (ValueError, "no id", lambda: queue.accept(Packet())),
        (ValueError, "of queue 7", lambda: queue.accept(packet.replace(header=NfGenMsg(res_id=7)))),
        (TypeError, "mark", lambda: queue.accept(packet, mark="1")),  # type: ignore[arg-type]
        (ValueError, "mark", lambda: queue.accept(packet, mark=-1)),
        (ValueError, "priority", lambda: queue.accept(packet, priority=1 << 32)),
        (ValueError, "one packet", lambda: queue.accept(batch, payload=b"x")),
        (ValueError, "from 1 to 65531", lambda: queue.accept(packet, payload=b"")),
        (ValueError, "from 1 to 65531", lambda: queue.accept(packet, payload=bytes(65532))),
        (TypeError, "bytes-like", lambda: queue.accept(packet, payload="x")),  # type: ignore[arg-type]
        (ValueError, "neither IPv4", lambda: queue.accept(packet, payload=b"x", checksums=True)),
        (ValueError, "needs a payload", lambda: queue.accept(packet, checksums=True)),
        (TypeError, "ct must be a Flow", lambda: queue.accept(packet, ct=packet)),  # type: ignore[arg-type]
        (ValueError, "without ct", lambda: queue.accept(packet, expect=Expect(timeout=1))),
        (ValueError, "bridge", lambda: queue.accept(packet, vlan=VLAN(proto=0x8100, tci=1))),
        (ValueError, "bridge", lambda: queue.accept(packet, l2hdr=bytes(14))),
        (ValueError, "both proto and tci", lambda: queue.accept(id_of(packet), vlan=VLAN(tci=1))),
        (ValueError, "0 to 65535", lambda: queue.requeue(packet, 1 << 16)),
        (ValueError, "one packet", lambda: queue.accept(batch, acknowledge=True)),
        (ValueError, "copy_range", lambda: queue.configure(copy_range=1 << 16)),
        (ValueError, "max_length", lambda: queue.configure(max_length=0)),
    ]
    for kind, text, call in wrong:
        with pytest.raises(kind, match=re.escape(text)):
            call()
    assert (queue.pending, queue.stats().queued, pair.got()) == (2, 2, [])
    queue.accept(batch)
    assert pair.got() == [b"0", b"1"]


def test_accept_leaves_its_chain_and_stop_leaves_the_hook(pair: Pair) -> None:
    """Q19: rules behind that of the queue do not see the packet. Those of later chains do, unless it is stopped."""
    to_queue(table="mangle")
    rule("INPUT", "-j", "DROP", table="mangle")
    rule("INPUT", "-j", "DROP", table="filter")
    with nfqueue.listen(NUMBER) as queue:
        pair.many(2)
        accepted, stopped = waiting(queue, 2)
        queue.accept(accepted)
        assert (count(table="mangle"), count(table="filter")) == (0, 1)
        queue.verdict(stopped, Verdict.STOP)
        assert (count(table="mangle"), count(table="filter"), pair.got()) == (0, 1, [b"1"])


def test_a_repeated_packet_has_a_new_id(pair: Pair) -> None:
    """Q19. A mark ends it."""
    rule("INPUT", "-m", "mark", "--mark", "7", "-j", "ACCEPT")
    to_queue()
    with nfqueue.listen(NUMBER) as queue:
        pair.send(b"again")
        first = next(queue)
        queue.repeat(first)
        second = next(queue)
        assert (id_of(first), id_of(second), data(second)) == (1, 2, b"again")
        queue.repeat(second, mark=7)
        assert pair.got() == [b"again"]
        assert (queue.pending, queue.lost) == (0, 0)


def test_packets_go_to_another_queue(pair: Pair, queue: Queue) -> None:
    """Q12: to one that nobody has they are dropped, or pass."""
    with nfqueue.listen(1000) as other:
        pair.many(3)
        packets = waiting(queue, 3)
        queue.requeue(packets[0], 1000)
        assert data(next(other)) == b"0"
        queue.requeue(packets[1], 1001)
        queue.requeue(packets[2], 1001, bypass=True)
        assert pair.got() == [b"2"]
        other.accept(1)
        assert pair.got() == [b"0"]


def test_marks_reach_later_rules(pair: Pair) -> None:
    to_queue(table="mangle")
    rule("INPUT", "-m", "mark", "--mark", "0x90000001", "-j", "DROP")
    with nfqueue.listen(NUMBER) as queue:
        pair.many(4)
        packets = waiting(queue, 4)
        queue.accept(packets[:2], mark=0x90000001)
        queue.accept(packets[2], mark=1)
        queue.accept_upto(packets[3], mark=0x90000001)
        assert (pair.got(), count()) == ([b"2"], 3)


def test_priorities(pair: Pair) -> None:
    """An older kernel ignores them, and that is an error."""
    to_queue(table="mangle")
    rule("INPUT", "-j", "NFQUEUE", "--queue-num", "1000")
    with nfqueue.listen(NUMBER) as queue, nfqueue.listen(1000) as later:
        pair.send(b"urgent")
        packet = next(queue)
        if refusal(lambda: queue.accept(packet, priority=6), "5.18"):
            assert queue.stats().queued == 1
            queue.accept(packet)
            assert next(later).priority is None
        else:
            assert next(later).priority == 6


def test_all_up_to_a_packet(pair: Pair, queue: Queue) -> None:
    """Q15: also those that nobody has read."""
    pair.many(10)
    batch = queue.read(NEVER, 4)
    queue.accept_upto(batch[1])
    assert (pair.got(), queue.stats().queued) == ([b"0", b"1"], 8)
    queue.drop_upto(6)
    assert (pair.got(), queue.stats().queued) == ([], 4)
    queue.accept_upto((1 << 31) - 1)
    assert pair.got() == [b"6", b"7", b"8", b"9"]
    while queue.read(0):
        pass
    queue.accept_upto((1 << 31) - 1)
    assert len(queue.read(0)) == 0
    assert queue.refused == {errno.ENOENT: 1}


def test_verdicts_of_a_batch_spare_other_packets(pair: Pair, queue: Queue) -> None:
    """Only where a batch is all that waits, "up to the last one" means it."""
    pair.many(3)
    first = waiting(queue, 3)
    pair.many(6)
    second = waiting(queue, 6, held=3)
    queue.drop(second)
    assert (queue.stats().queued, queue.pending) == (3, 3)
    queue.accept(first[1])
    # Twice the same: as many as wait, and not those that wait.
    pair.many(1)
    queue.read()
    queue.accept([first[1]] * 3)
    assert queue.stats().queued == 3
    queue.accept(first[::2])
    assert pair.got() == [b"1", b"0", b"2"]
    assert queue.stats().queued == 1


def test_a_batch_spares_packets_that_a_child_has_read(pair: Pair, queue: Queue) -> None:
    pair.many(2)
    ready, go = os.pipe(), os.pipe()

    def child() -> int:
        held = waiting(queue, 2)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        queue.drop(held)
        return len(held)

    other = Child(child)
    os.read(ready[0], 1)
    pair.many(4)
    batch = waiting(queue, 4, held=2)
    assert (len(batch), queue.pending) == (4, 4)
    queue.accept(batch)
    assert (pair.got(), queue.stats().queued) == ([b"0", b"1", b"2", b"3"], 2)
    os.write(go[1], b"x")
    assert other.result() == 2
    assert (pair.got(), queue.stats().queued, queue.refused) == ([], 0, {})
    for fd in (*ready, *go):
        os.close(fd)


def test_a_batch_spares_packets_whose_verdict_had_no_permission(pair: Pair, queue: Queue) -> None:
    pair.many(5)
    first = waiting(queue, 5)
    unprivileged(lambda: queue.drop(first))
    assert len(queue.read(0)) == 0
    assert queue.refused == {errno.EPERM: 5}
    pair.many(4)
    eventually(lambda: queue.stats().queued == 9, "queued")
    queue.accept(queue.read())
    assert (pair.got(), queue.stats().queued) == ([b"0", b"1", b"2", b"3"], 5)
    queue.drop(first)
    assert (pair.got(), queue.stats().queued) == ([], 0)


@pytest.mark.parametrize("backwards", [False, True])
def test_many_verdicts_in_any_order(pair: Pair, backwards: bool) -> None:
    """Q26: the kernel looks each up by its id."""
    to_queue(table="mangle")
    rule("INPUT", "-j", "DROP")
    with nfqueue.listen(NUMBER) as queue:
        pair.many(4000)
        batch = queue.read(NEVER, 4000)
        queue.verdict(batch[:: -1 if backwards else 1], bytes([Verdict.ACCEPT, Verdict.DROP]) * 2000)
        assert len(queue.read(0)) == 0
        assert (count(), queue.stats().queued, queue.pending, queue.refused) == (2000, 0, 0, {})


@pytest.mark.parametrize(
    ("decide", "sends"),
    [
        (lambda queue, batch: queue.accept(batch), 1),
        (lambda queue, batch: queue.accept(batch, mark=1), 1),
        (lambda queue, batch: queue.verdict(batch, [Verdict.ACCEPT] * len(batch)), 2),
        (lambda queue, batch: queue.verdict(batch, bytes([Verdict.ACCEPT]) * len(batch)), 2),
        (lambda queue, batch: queue.accept([*batch][::-1]), 2),
        (lambda queue, batch: [queue.accept(packet) for packet in batch], 128),
    ],
    ids=["all", "all-marked", "list", "array", "backwards", "each"],
)
def test_packets_share_system_calls(decide: Any, sends: int, pair: Pair, queue: Queue) -> None:
    """Q24: 60 packets a receive, 64 verdicts a send, or one for all that wait; the rest is the kernel's work."""
    pair.many(128)
    reads, verdicts = (Script(recvmmsg=[], recvmsg=[], recvfrom=[], sendto=[], sendmsg=[]) for _ in range(2))
    batch = reads.run(lambda: queue.read(0, 128))
    assert (len(batch), reads.calls) == (128, {"recvmmsg": 3})
    verdicts.run(lambda: decide(queue, batch))
    assert verdicts.calls == {"sendto": sends}
    assert (len(pair.got()), queue.stats().queued, queue.pending, queue.refused) == (128, 0, 0, {})


def test_packets_one_by_one_are_received_together(pair: Pair, queue: Queue) -> None:
    """Q24."""
    pair.many(128)
    script = Script(recvmmsg=[], recvmsg=[], recvfrom=[])
    packets = script.run(lambda: [*itertools.islice(queue, 128)])
    assert (len(packets), script.calls) == (128, {"recvmmsg": 3})
    queue.accept(packets)
    assert len(pair.got()) == 128


# Packets that are received together, and handed out one by one


def test_each_packet_comes_once_however_it_is_read(pair: Pair, queue: Queue) -> None:
    """Whoever reads next has the rest: behind a break, an exception, and the end of reading."""
    pair.many(100)
    seen = [next(queue)]
    assert 1 < queue.pending < 100
    for packet in queue:
        seen.append(packet)
        break
    with contextlib.suppress(KeyError):
        for packet in queue:
            seen.append(packet)
            raise KeyError
    seen += queue.read(0, 5)
    seen += next(queue.batches(7))
    queue.stop()
    seen += queue
    assert [data(packet) for packet in seen] == [b"%d" % i for i in range(100)]
    assert (queue.pending, queue.stats().queued) == (100, 100)
    queue.accept(seen)
    assert (len(pair.got()), queue.pending, queue.stats().queued) == (100, 0, 0)


def test_a_batch_spares_packets_that_nobody_has_taken_yet(pair: Pair, queue: Queue) -> None:
    pair.many(10)
    first = next(queue)
    assert queue.pending == 10
    queue.accept(queue.read(0, 4))
    assert (pair.got(), queue.stats().queued) == ([b"1", b"2", b"3", b"4"], 6)
    queue.drop(queue.read(0))
    assert (pair.got(), queue.stats().queued) == ([], 1)
    queue.accept(first)
    assert (pair.got(), queue.pending) == ([b"0"], 0)


def test_a_close_in_a_loop_drops_what_was_received_with_its_packet(pair: Pair) -> None:
    to_queue("--queue-bypass")
    with nfqueue.listen(NUMBER) as queue:
        pair.many(10)
        for packet in queue:
            queue.accept(packet)
            break
    assert queue.pending == 9
    with pytest.raises(OpError) as caught:
        next(queue)
    assert caught.value.errno == errno.EBADF
    pair.send(b"bypass")
    assert pair.got() == [b"0", b"bypass"]


def test_an_interrupt_of_a_loop_loses_no_packet(pair: Pair, queue: Queue) -> None:
    taken: list[Packet] = []
    ids: list[int] = []

    def settle() -> None:
        queue.accept(taken)
        ids.extend(map(id_of, taken))
        taken.clear()
        pair.got()  # before its read buffer is full

    count = 600  # long enough to be hit, and six times as many may wait
    pair.many(6 * count)
    for _ in interrupted_at_random(lambda: taken.extend(itertools.islice(queue, count))):
        settle()
        pair.many(count)
    while rest := queue.read(0):
        taken.extend(rest)
    settle()
    assert ids == [*range(1, queue.stats().last_id + 1)]
    assert (queue.pending, queue.refused, queue.lost, queue.stats().queued) == (0, {}, 0, 0)


# Payloads (Q18)


def test_rewritten_payloads_arrive(pair: Pair, queue: Queue) -> None:
    require_rewriting()
    chance = random.Random(1)
    for size in (1, 2, 5, 100, 1400, 9000, 65_503):
        pair.send(b"short")
        packet = next(queue)
        new = chance.randbytes(size)
        queue.accept(packet, payload=bytes(packet.payload or b"")[:28] + new, checksums=True)
        assert pair.got() == [new]
    assert queue.refused == {}


def test_wrong_checksums_die_at_the_receiver(pair: Pair, queue: Queue) -> None:
    require_rewriting()
    for fixed in (False, True):
        pair.send(b"hello")
        packet = next(queue)
        new = bytearray(packet.payload or b"")
        new[-1:] = b"p"
        new[26:28] = b"\1\2"
        queue.accept(packet, payload=nfqueue.fix_checksums(new) if fixed else new)
        assert pair.got() == [b"hellp"][: int(fixed)]


def test_the_payload_of_a_truncated_packet_is_refused(pair: Pair, queue: Queue) -> None:
    queue.configure(copy_range=40)
    pair.send(b"x" * 100)
    packet = next(queue)
    with pytest.raises(ValueError, match="truncated"):
        queue.accept(packet, payload=packet.payload)
    assert packet.payload is not None
    require_rewriting()
    whole = bytes(packet.payload) + b"y" * 88
    queue.accept(id_of(packet), payload=whole, checksums=True)
    assert pair.got() == [b"x" * 12 + b"y" * 88]


def test_a_rewriter_in_a_user_namespace_is_warned_once(pair: Pair, queue: Queue) -> None:
    """Newer kernels drop such packets there, and acknowledge."""
    if not netns.in_user_namespace():
        pytest.skip("this is the machine's first user namespace; NETLINK_TEST_USERNS=1 runs this in another")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            pair.send(b"old")
            packet = next(queue)
            queue.accept(packet, payload=bytes(packet.payload or b"")[:-3] + b"new", checksums=True, acknowledge=True)
    assert [str(one.message).startswith(REWRITING) for one in caught] == [True]
    assert (caught[0].category, caught[0].filename) == (NetlinkWarning, __file__)
    assert pair.got() == [b"new"] * 2 * rewrites()


def test_nobody_is_warned_in_the_first_user_namespace(pair: Pair, queue: Queue) -> None:
    if netns.in_user_namespace():
        pytest.skip("this is not the machine's first user namespace")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pair.send(b"old")
        packet = next(queue)
        queue.accept(packet, payload=bytes(packet.payload or b"")[:-3] + b"new", checksums=True)
    assert not caught
    assert pair.got() == [b"new"]


# Losses


@pytest.mark.parametrize("fail_open", [False, True])
def test_losses_are_the_gaps_of_the_ids(pair: Pair, fail_open: bool) -> None:
    """Q7: with fail_open the kernel accepts them unseen, and the gap is the only trace."""
    to_queue()
    with nfqueue.listen(NUMBER, read_buffer=SMALL, fail_open=fail_open) as queue:
        pair.many(300)
        seen = list(queue.read(0, 1000))
        passed = pair.got()
        pair.send(b"last")
        seen += queue.read()
        assert len(seen) < 301
        assert len(seen) + queue.lost == 301
        stats = queue.stats()
        assert (stats.last_id, stats.queued, stats.full_dropped) == (301, len(seen), 0)
        assert (stats.user_dropped, len(passed)) == ((0, queue.lost) if fail_open else (queue.lost, 0))
        assert queue.pending == len(seen)
        queue.accept(seen)
        assert len(pair.got()) == len(seen)
        assert (queue.refused, queue.stats().queued) == ({}, 0)


@pytest.mark.parametrize("size", [36, 72, 1000, 1400])
def test_a_read_buffer_holds_what_its_bytes_promise(pair: Pair, size: int) -> None:
    """Q8: 2,304 bytes for each packet of max_length, as `listen` asks for, are enough. The kernel doubles them."""
    to_queue()
    wanted = 100
    with nfqueue.listen(NUMBER, read_buffer=wanted * 2304) as queue:
        assert queue.read_buffer() == 2 * wanted * 2304
        for _ in range(10 * wanted):
            pair.send(bytes(size))
        seen = len(queue.read(0, 10 * wanted))
        assert wanted <= seen < 10 * wanted
        # What each takes differs from kernel to kernel.
        assert 512 < queue.read_buffer() / seen < 2 * 2304


@pytest.mark.parametrize("fail_open", [False, True])
def test_what_a_full_queue_drops_has_no_id(pair: Pair, fail_open: bool) -> None:
    to_queue()
    with nfqueue.listen(NUMBER, max_length=10, fail_open=fail_open) as queue:
        pair.many(25)
        assert queue.stats() == (10, 0 if fail_open else 15, 0, 10)
        batch = queue.read()
        queue.accept(batch)
        assert (len(batch), queue.lost) == (10, 0)
        assert sorted(pair.got()) == sorted(b"%d" % i for i in range(25 if fail_open else 10))


def test_a_flood_is_accounted_for(pair: Pair) -> None:
    """Every packet that the rule saw was read, was lost, or did not fit."""
    to_queue(table="mangle")
    rule("INPUT", "-j", "DROP")
    with nfqueue.listen(NUMBER, max_length=2000, read_buffer=60_000) as queue:
        sender = Worker(pair.many, (20_000,))
        seen = 0
        while not (sender.done and queue.stats().queued == 0):
            for batch in queue.batches(idle=0):
                seen += len(batch)
                queue.accept(batch)
        sender.result()
        pair.send(b"last")
        queue.accept(queue.read())
        stats = queue.stats()
        assert count(table="mangle") == 20_001
        assert seen + 1 + queue.lost + stats.full_dropped == 20_001
        assert stats.user_dropped == queue.lost
        assert count() == seen + 1
        assert (queue.pending, queue.refused) == (0, {})


# Refusals (Q13, Q14, Q21, Q22)


def test_refused_verdicts_leave_the_stream_alive(pair: Pair, queue: Queue) -> None:
    pair.many(3)
    batch = waiting(queue, 3)
    queue.accept(batch)
    queue.accept(batch[0])
    queue.accept([999, id_of(batch[2]), 1000])
    pair.send(b"alive")
    packet = next(queue)
    assert queue.refused == {errno.ENOENT: 4}
    queue.accept(packet)
    assert pair.got() == [b"0", b"1", b"2", b"alive"]
    assert queue.pending == 0


@pytest.mark.parametrize("number", [1, 2, 3, 100])
def test_a_removed_chain_drops_what_is_queued(pair: Pair, queue: Queue, number: int) -> None:
    """Q21: any base chain of the namespace."""
    run("nft", "-f", "-", text="table ip other {\nchain c {\ntype filter hook output priority 9\n}\n}\n")
    pair.many(number)
    batch = waiting(queue, number)
    run("nft", "delete", "table", "ip", "other")
    assert queue.stats().queued == 0
    queue.accept(batch)
    assert len(queue.read(0)) == 0
    assert (queue.refused, pair.got()) == ({errno.ENOENT: number}, [])


@pytest.mark.parametrize("each", [False, True])
def test_a_removed_chain_in_the_middle_of_a_batch_is_told(pair: Pair, queue: Queue, each: bool) -> None:
    run("nft", "-f", "-", text="table ip other {\nchain c {\ntype filter hook output priority 9\n}\n}\n")
    pair.many(5)
    eventually(lambda: queue.stats().queued == 5, "queued")
    run("nft", "delete", "table", "ip", "other")
    pair.many(5)
    batch = waiting(queue, 5)
    assert len(batch) == 10
    if each:
        queue.verdict(batch, [Verdict.ACCEPT] * 10)
    else:
        queue.accept(batch)
    assert len(queue.read(0)) == 0
    # Those that waited alone were asked for together: of the five that were dropped, the oldest says so.
    assert queue.refused == {errno.ENOENT: 5 if each else 1}
    assert len(pair.got()) == 5


def test_acknowledged_verdicts(pair: Pair, queue: Queue) -> None:
    pair.many(2)
    first = next(queue)
    queue.accept(first, acknowledge=True)
    with pytest.raises(FileNotFoundError, match="not queued") as caught:
        queue.accept(first, acknowledge=True)
    assert isinstance(caught.value, OpError)
    assert caught.value.op == "verdict"
    assert queue.refused == {}
    second = next(queue)
    waiting = Worker(next, (queue,))
    waiting.wait_receiving()
    with pytest.raises(OpError, match="reading") as busy:
        queue.accept(second, acknowledge=True)
    assert busy.value.errno == errno.EBUSY
    queue.accept(second)
    pair.send(b"third")
    queue.accept(waiting.result())
    assert pair.got() == [b"0", b"1", b"third"]


def test_verdicts_without_permission_keep_the_packets(pair: Pair, queue: Queue) -> None:
    """The kernel refuses a whole datagram at once."""
    pair.many(100)
    batch = waiting(queue, 100)
    unprivileged(lambda: queue.verdict(batch[:70], [1] * 70))
    unprivileged(lambda: queue.accept(batch[70]))
    assert len(queue.read(0)) == 0
    assert (queue.refused, queue.stats().queued) == ({errno.EPERM: 71}, 100)
    queue.accept_upto(batch[-1])
    assert len(pair.got()) == 100


# Configuration (Q1 to Q5)


def test_a_queue_that_is_only_bound_drops(pair: Pair) -> None:
    """Q1. So `listen` sends one request with all."""
    to_queue("--queue-bypass")
    pair.send(b"bypass")
    with nfqueue.dial() as conn:
        conn.configure(number=NUMBER, cmd=ConfigCmd(command=ConfigCommand.BIND))
        pair.send(b"bound")
    pair.send(b"again")
    assert pair.got() == [b"bypass", b"again"]


def test_what_the_kernel_refuses_and_ignores() -> None:
    def refusal(**fields: Any) -> int | None:
        try:
            conn.configure(number=NUMBER, **fields)
        except OpError as error:
            return error.errno
        return None

    with nfqueue.dial() as conn:
        bind = ConfigCmd(command=ConfigCommand.BIND)
        assert refusal() == errno.ENODEV
        assert refusal(cmd=bind) is None
        assert refusal(cmd=bind) == errno.EBUSY
        assert refusal(flags=ConfigFlags.GSO) == errno.EINVAL
        assert refusal(flags=32, mask=0) == errno.EOPNOTSUPP
        assert refusal(params=ConfigParams(copy_range=9, copy_mode=7)) is None  # Q4: and nothing changes
        assert refusal(cmd=ConfigCmd(command=3), params=ConfigParams(copy_mode=CopyMode.META)) is None  # PF_BIND


@pytest.mark.parametrize(
    "options",
    [
        {"number": -1},
        {"number": 65536},
        {"number": True},
        {"number": "5"},
        {"copy_range": 65536},
        {"copy_range": -1},
        {"max_length": 0},
        {"max_length": 1 << 32},
        {"max_length": 1.5},
        {"read_buffer": -1},
    ],
)
def test_invalid_options(options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, OverflowError)):
        nfqueue.listen(**({"number": NUMBER} | options))


def test_one_listener_for_each_queue() -> None:
    with nfqueue.listen(NUMBER), nfqueue.listen(NUMBER + 1) as other, nfqueue.listen(65535) as last:
        assert (other.number, last.number) == (NUMBER + 1, 65535)
        for attempt in (lambda: nfqueue.listen(NUMBER), lambda: in_child(lambda: nfqueue.listen(NUMBER))):
            with pytest.raises(OpError) as caught:
                attempt()
            assert (caught.value.errno, "queue 5" in caught.value.hint) == (errno.EBUSY, True)
    nfqueue.listen(NUMBER).close()


def test_without_permission() -> None:
    with pytest.raises(PermissionError) as caught:
        unprivileged(lambda: nfqueue.listen(NUMBER))
    assert isinstance(caught.value, OpError)
    assert "CAP_NET_ADMIN" in caught.value.hint


def test_flags_that_the_kernel_lacks_are_told(pair: Pair, queue: Queue) -> None:
    """Q4, Q16: flows come with the packets, or the kernel cannot, and says so; verdicts with flows likewise."""
    pair.send(b"flow")
    packet = next(queue)
    if refusal(lambda: queue.configure(conntrack=True), "GLUE_CT"):
        with pytest.raises(OpError, match="GLUE_CT"):
            queue.accept(packet, ct=Flow(mark=1))
        with pytest.raises(OpError, match="GLUE_CT"):
            nfqueue.listen(1000, conntrack=True)
        assert queue.stats().queued == 1
    else:
        queue.accept(packet, ct=Flow(mark=1))
        assert queue.stats().queued == 0


def test_configure(pair: Pair, queue: Queue) -> None:
    queue.configure(max_length=2)
    pair.many(4)
    assert queue.stats() == (2, 2, 0, 2)
    queue.configure(fail_open=True)
    pair.send(b"open")
    assert pair.got() == [b"open"]
    queue.configure(fail_open=False, max_length=9)
    pair.send(b"queued")
    assert queue.stats().queued == 3
    assert len(queue.read()) == 3
    with pytest.raises(PermissionError):
        unprivileged(lambda: queue.configure(max_length=1))
    queue.close()
    with pytest.raises(OpError) as caught:
        queue.configure(max_length=1)
    assert caught.value.errno == errno.EBADF


def test_options_keep_each_other(pair: Pair) -> None:
    """Q26: the kernel heeds one attribute of flags, the last: fail_open and gso are both in it."""
    run("ip", "link", "set", "lo", "mtu", "1500")
    rule("INPUT", "-m", "length", "--length", "1501:", "-j", "NFQUEUE", "--queue-num", str(NUMBER))
    pair.sock.setsockopt(socket.SOL_UDP, UDP_SEGMENT, 1000)
    with nfqueue.listen(NUMBER, max_length=1, fail_open=True, gso=True) as queue:
        pair.send(bytes(3000), bytes(3000))
        packet = next(queue)
        assert (packet.length, packet.skb_info) == (3028, SkbInfo.GSO | SkbInfo.CSUM_NOT_READY)
        assert [len(each) for each in pair.got()] == [1000] * 3  # of the second, which found the queue full
        queue.configure(max_length=2)
        pair.send(bytes(2000))
        assert next(queue).length == 2028
        queue.accept([1, 2])
        assert [len(each) for each in pair.got()] == [1000] * 5


def test_counters_of_another_namespace() -> None:
    """Q27: /proc is that of the reader."""
    with nfqueue.listen(NUMBER, max_length=77) as here:
        with netns.another() as other, nfqueue.listen(NUMBER, netns=other.path) as there:
            assert there.stats().queued == here.stats().queued == 0
            assert there.fileno() != here.fileno()
            there.close()
            with pytest.raises(OpError) as caught:
                there.stats()
            assert caught.value.errno == errno.EBADF
        assert here.stats().last_id == 0


def test_counters_of_many_queues() -> None:
    """More than one page of them."""
    with contextlib.ExitStack() as opened:
        queues = [opened.enter_context(nfqueue.listen(i, read_buffer=SMALL)) for i in range(60)]
        assert {queue.stats() for queue in queues} == {(0, 0, 0, 0)}


# Segments (Q10, Q19)


@pytest.mark.parametrize("gso", [True, False])
def test_segments(gso: bool) -> None:
    """Large packets of a TCP connection come whole, or in segments of the MTU; and arrive as they were sent."""
    run("ip", "link", "set", "lo", "mtu", "1500")
    run("iptables", "-w", "-A", "INPUT", "-p", "tcp", "--dport", str(PORT), "-j", "NFQUEUE", "--queue-num", "5")
    sent = random.Random(2).randbytes(400_000)
    sizes: list[int] = []
    infos: set[SkbInfo] = set()
    with nfqueue.listen(NUMBER, gso=gso) as queue, socket.create_server(("127.0.0.1", PORT)) as server:

        def decide() -> None:
            with contextlib.suppress(OpError):
                for packet in queue:
                    sizes.append(len(packet.payload or b""))
                    infos.add(packet.skb_info or SkbInfo(0))
                    queue.accept(packet)

        def receive() -> bytes:
            sock, _ = server.accept()
            with sock, sock.makefile("rb") as stream:
                return stream.read()

        decider, receiver = Worker(decide), Worker(receive)
        with socket.create_connection(("127.0.0.1", PORT)) as client:
            client.sendall(sent)
        assert receiver.result() == sent
        queue.close()
        decider.result()
    if gso:
        assert max(sizes) > 1500
        assert any(info & SkbInfo.GSO and info & SkbInfo.CSUM_NOT_READY for info in infos)
    else:
        assert max(sizes) <= 1500
        assert not any(info & SkbInfo.GSO for info in infos)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_segments_of_a_new_flow_have_to_be_accepted_in_order(pair: Pair, order: tuple[int, ...]) -> None:
    """Q23: without gso the segments of its first packet share a flow, which the verdict on the first one confirms."""
    netns.require_conntrack()
    run("ip", "link", "set", "lo", "mtu", "1500")
    rule("OUTPUT", "-m", "conntrack", "--ctstate", "NEW", "-j", "NFQUEUE", "--queue-num", str(NUMBER))
    pair.sock.setsockopt(socket.SOL_UDP, UDP_SEGMENT, 1000)
    texts = [letter * 1000 for letter in (b"a", b"b", b"c")]
    with nfqueue.listen(NUMBER, gso=False) as queue:
        pair.send(b"".join(texts))
        batch = queue.read(0)
        if not len(batch):
            pytest.skip("this kernel drops all segments of a new flow's first packet")
        assert [data(packet) for packet in batch] == texts
        for place in order:
            queue.accept(batch[place])
        # Those that come before the first one are dropped, and their verdicts are good.
        assert pair.got() == [texts[place] for place in order[order.index(0) :]]
        assert len(queue.read(0)) == 0
        assert (queue.refused, queue.pending, queue.stats().queued) == ({}, 0, 0)


# Closing, threads, tasks, forks


def test_closing_drops_what_is_queued(pair: Pair) -> None:
    """Q5: later packets follow the rule's bypass."""
    to_queue("--queue-bypass")
    with nfqueue.listen(NUMBER) as queue:
        pair.many(3)
        assert queue.stats().queued == 3
    pair.send(b"bypass")
    assert pair.got() == [b"bypass"]
    for call in (lambda: queue.accept(1), lambda: next(queue), lambda: queue.accept([1, 2])):
        with pytest.raises(OpError) as caught:
            call()
        assert caught.value.errno == errno.EBADF


def test_a_close_ends_readers_and_lets_others_read_counters(queue: Queue) -> None:
    reader = Worker(next, (queue,))
    reader.wait_receiving()
    ended: list[int | None] = []

    def look() -> None:
        while not ended:
            try:
                queue.stats()
            except OpError as error:
                ended.append(error.errno)

    looker = Worker(look)
    queue.close()
    with pytest.raises(OpError) as caught:
        reader.result()
    assert caught.value.errno == errno.EBADF
    looker.result()
    assert ended in ([errno.ENODEV], [errno.EBADF])


def test_a_stopped_stream_still_takes_verdicts(pair: Pair, queue: Queue) -> None:
    pair.many(3)
    queue.stop()
    packets = list(queue)
    assert len(packets) == 3
    queue.accept(packets)
    assert len(pair.got()) == 3


def test_threads_share_a_queue(pair: Pair, queue: Queue) -> None:
    """One reads, others decide, in any order."""
    total, workers = 300, 3  # packets: a read buffer has room for all
    batches: list[Any] = []
    ready = threading.Condition()

    def decide(seed: int) -> None:
        chance = random.Random(seed)
        while True:
            with ready:
                ready.wait_for(lambda: batches)
                batch = batches.pop(chance.randrange(len(batches)))
            if batch is None:
                return
            if chance.random() < 0.5:
                queue.accept(batch)
            else:
                queue.verdict(batch[::-1], [1] * len(batch))

    deciders = [Worker(decide, (seed,)) for seed in range(workers)]
    got = 0
    while got < total:
        pair.many(20)
        batch = queue.read(NEVER, 20)
        got += len(batch)
        with ready:
            batches.append(batch)
            ready.notify()
    eventually(lambda: not batches, "decided")
    with ready:
        batches.extend([None] * workers)
        ready.notify_all()
    for decider in deciders:
        decider.result()
    assert len(queue.read(0)) == 0
    assert (queue.pending, queue.refused, queue.lost) == (0, {}, 0)
    assert len(pair.got()) == got


def test_threads_that_iterate_have_each_packet_once(pair: Pair, queue: Queue) -> None:
    def decide() -> list[int]:
        ids = []
        for packet in queue:
            queue.accept(packet)
            ids.append(id_of(packet))
        return ids

    deciders = [Worker(decide) for _ in range(3)]
    total = 300  # which a read buffer has room for: the threads may decide on all of them together
    for _ in range(6):
        pair.many(total // 6)
    eventually(lambda: not queue.stats().queued, "decided")
    queue.stop()
    ids = [number for decider in deciders for number in decider.result()]
    assert sorted(ids) == [*range(1, total + 1)]
    assert (len(pair.got()), queue.pending, queue.refused, queue.lost) == (total, 0, {}, 0)


@pytest.mark.parametrize("verdicts", [None, [Verdict.ACCEPT] * 100], ids=["accept", "verdict"])
def test_other_threads_run_while_packets_are_delivered(pair: Pair, queue: Queue, verdicts: list[int] | None) -> None:
    """Q20: the kernel delivers packets while their verdicts are sent, and that is done without the GIL."""
    order: list[str] = []
    poll = select.poll()
    poll.register(pair.sink, select.POLLIN)

    def receive() -> None:
        poll.poll()
        order.append("received")

    def overtaken() -> bool:
        order.clear()
        pair.many(100)
        batch = queue.read(max_rows=100)
        receiver = Worker(receive)
        receiver.wait_blocked("poll")
        if verdicts is None:
            queue.accept(batch)
        else:
            queue.verdict(batch, verdicts)
        order.append("decided")
        receiver.result()
        assert len(pair.got()) == 100
        return order == ["received", "decided"]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # seconds: who has the GIL keeps it until it waits, or gives it up
    try:
        # A receiver without a processor at hand comes later.
        eventually(overtaken, "another thread runs before the verdicts are sent")
    finally:
        sys.setswitchinterval(before)


def test_asyncio(pair: Pair, queue: Queue) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(pair.many, 5)
        seen = 0
        async for packet in queue:
            queue.accept(packet)
            seen += 1
            if seen == 5:
                break
        # A cancelled task loses none.
        task = asyncio.create_task(queue.__anext__())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        pair.many(3)
        batch = await queue.aread()
        queue.accept(batch)
        assert len(batch) == 3
        waiting = asyncio.create_task(queue.aread())
        await asyncio.sleep(0)
        queue.close()
        with pytest.raises(OpError):
            await waiting

    asyncio.run(main())
    assert len(pair.got()) == 8


def test_a_child_shares_the_queue(pair: Pair, queue: Queue) -> None:
    """Verdicts of a child count; its close leaves the parent's queue alone."""
    pair.many(2)
    batch = waiting(queue, 2)

    def child() -> int:
        queue.accept(batch[0])
        queue.close()
        return 1

    assert Child(child).result() == 1
    assert pair.got() == [b"0"]
    queue.accept(batch[1])
    assert pair.got() == [b"1"]


def test_a_sender_blocks_where_its_packets_wait(pair: Pair) -> None:
    """Q25: on their way out they are charged to the sender's socket."""
    to_queue(chain="OUTPUT")
    pair.sock.setblocking(False)
    with nfqueue.listen(NUMBER) as queue:
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < 5000:
                pair.send(b"x")
                sent += 1
        assert 0 < sent < 5000
        queue.accept(queue.read(NEVER, 5000))
        pair.send(b"again")
        queue.accept(next(queue))
        assert len(pair.got()) == sent + 1


def test_an_interface_that_goes_down_drops_its_packets(pair: Pair, queue: Queue) -> None:
    """Q22."""
    pair.many(2)
    packet = next(queue)
    run("ip", "link", "set", "lo", "down")
    queue.accept(packet)
    assert len(queue.read(0)) <= 1
    assert len(queue.read(0)) == 0
    assert (queue.refused, pair.got(), queue.stats().queued) == ({errno.ENOENT: 1}, [], 0)


def test_a_queue_without_a_stream() -> None:
    with pytest.raises(TypeError, match="listen"):
        Queue.__new__(Queue).accept(1)


def test_packets_that_no_kernel_sent(queue: Queue) -> None:
    """A record of one's own names a packet, too."""
    queue.accept(Packet(packet_hdr=PacketHdr(packet_id=4)))
    assert len(queue.read(0)) == 0
    assert queue.refused == {errno.ENOENT: 1}


def test_a_process_that_loses_its_capability(pair: Pair, queue: Queue) -> None:
    pair.send(b"x")
    packet = next(queue)

    def give_up() -> dict[int, int]:
        drop_capabilities()
        with pytest.raises(PermissionError):
            queue.accept(packet, acknowledge=True)
        return queue.refused

    assert Worker(give_up).result() == {}
    queue.accept(packet)
    assert pair.got() == [b"x"]
