"""Decode messages for long, and see that the process stays as it is: its memory, descriptors and threads.

Four threads work in rounds: a conntrack table is dumped in each way there is; flows come and go under streams that
keep up and streams that lose; packets are logged and written as pcapng; recorded messages are decoded. Each round
knows how many messages it must get. Namespaces, flows and packets are its own. Every few seconds the rounds halt, and
what the process has is looked at: it fails where descriptors or threads differ from the first look, or where memory
has grown since it was warm.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest

import netlink
import netns
import recorded
from kernel.flows import nft, varied
from netlink import Family
from netlink.netfilter import conntrack, nflog, pcapng
from netlink.netfilter.conntrack import Filter, Flow, Status
from netlink.netfilter.nflog import Packet
from netlink.schema import Batch

EVERY = 5  # seconds from look to look; less where there is little time
PATIENCE = 120  # seconds for a round
GROWTH = 4 << 20  # bytes of memory
GROUP, PORT = 5, 9  # of nflog, and of the packets
CHURN, PACKETS = 2000, 2000  # in a round, at most
LOOKS = 12  # at least

Work = Iterator[int]  # for each round how many messages it decoded


def expect(what: str, got: int, wanted: int) -> int:
    if got != wanted:
        raise AssertionError(f"{what}: {got}, not {wanted}")
    return got


def use(batch: Batch[Flow] | Batch[Packet]) -> int:
    """Look at the columns of a batch, and at some of its records; its length."""
    if batch:
        expect("rows", len(batch.to_numpy()), len(batch))
    for record in batch[:: max(len(batch) // 50, 1)]:
        encoded = record.encode()
        if record.decode(encoded).encode() != encoded or not record.to_dict():
            raise AssertionError(f"{record!r} is not what its own bytes say")
    return len(batch)


def dumps(count: int) -> Work:
    """A table that stays, dumped."""
    with netns.fresh(), conntrack.dial() as ct:
        netns.require_conntrack(count)
        for flow in varied(-(-count // 110))[:count]:
            ct.create(flow)
        assured = Filter(status=Status.ASSURED)
        some = len(ct.dump(assured))
        while True:
            yield expect("a dump", use(ct.dump()), count)
            yield expect("a dump in parts", sum(map(use, ct.iter_dump())), count)
            expect("a filtered dump", sum(map(len, ct.iter_dump(assured))), some)
            yield count
            next(ct.iter_dump())  # and the rest is dropped
            with netlink.dial(Family.NETFILTER) as conn:
                # struct nfgenmsg: any family
                conn.send(netlink.Message(netlink.Header(type=netns.IPCTNL_MSG_CT_GET, flags=netns.DUMP), bytes(4)))
                got = sum(Flow.decode(message.data).orig is not None for message in conn.receive_iter())
            yield expect("receive_iter", got, count)


def events(count: int) -> Work:
    """Flows that come and go."""
    with netns.fresh(), conntrack.dial() as ct:
        for name in ("acct", "timestamp"):
            netns.sysctl(f"net.netfilter.nf_conntrack_{name}", 1)
        yield from changes(ct, count)


def changes(ct: conntrack.Conn, count: int) -> Work:
    with conntrack.listen() as stream:
        for number in itertools.count():
            if number % 4:
                flows_begin_and_end(ct, count)
            else:
                yield loses(ct, count)
            got = 0
            while got < 2 * count:
                got += use(stream.read(PATIENCE))
            yield expect("events", got + stream.lost, 2 * count)


def flows_begin_and_end(ct: conntrack.Conn, count: int) -> None:
    netns.add_flows(ct.conn, count)
    ct.flush()


def loses(ct: conntrack.Conn, count: int) -> int:
    """A stream with room for less: what it reads and what it knows to be lost are all."""
    with conntrack.listen(read_buffer=64 << 10, on_overrun="mark") as stream:
        flows_begin_and_end(ct, count)
        got = 0
        for item in stream.batches(idle=0):
            if isinstance(item, Batch):
                got += use(item)
        expect("read and lost", got + stream.lost, 2 * count)
        return got


def packets(count: int) -> Work:
    """Packets that a rule logs."""
    with (
        netns.fresh(),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        nft("add table inet t; add chain inet t c { type filter hook output priority 0; }")
        nft(f"add rule inet t c udp dport {PORT} log group {GROUP}")
        sink.bind(("127.0.0.1", PORT))
        sender.connect(sink.getsockname())
        with nflog.listen(GROUP) as log:
            while True:
                with pcapng.Writer(os.devnull) as out:
                    for _ in range(count):
                        sender.send(bytes(100))
                    got = 0
                    for batch in log.batches(idle=PATIENCE):
                        out.write_batch(batch)
                        got += use(batch)
                        if got >= count:
                            break
                yield expect("packets", got + log.lost, count)


def messages(count: int) -> Work:
    """What was recorded, again and again."""
    files = (("conntrack_flows", Flow), ("conntrack_events", Flow), ("nflog_packets", Packet))
    payloads = [(declaration, recorded.payloads(name)) for name, declaration in files]
    sets = [(declaration, (found * (count // len(found) + 1))[:count]) for declaration, found in payloads]
    while True:
        for declaration, found in sets:
            yield expect("decode_many", use(declaration.decode_many(found)), count)


class Look(NamedTuple):
    """What the process has."""

    memory: int  # resident, bytes
    descriptors: int
    threads: int

    @classmethod
    def now(cls) -> Look:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        memory = pages * os.sysconf("SC_PAGE_SIZE")
        return cls(memory, len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")))

    def __str__(self) -> str:
        return f"{self.memory / 1e6:.1f} MB, {self.descriptors} descriptors, {self.threads} threads"


class Soak:
    """The threads, and the halts between their rounds."""

    def __init__(self, works: list[tuple[Callable[[int], Work], int]]) -> None:
        self.counts = {work.__name__: 0 for work, _ in works}
        self.halting = self.ending = False
        self.halt = threading.Barrier(len(works) + 1, timeout=PATIENCE)
        self.error: BaseException | None = None
        self.threads = [threading.Thread(target=self.run, args=work, daemon=True) for work in works]

    def run(self, work: Callable[[int], Work], count: int) -> None:
        try:
            rounds = work(count)
            for decoded in rounds:
                self.counts[work.__name__] += decoded
                if self.halting:
                    self.halt.wait()
                    self.halt.wait()
                if self.ending:
                    rounds.close()
        except threading.BrokenBarrierError:
            pass
        except BaseException as error:
            self.error = self.error or error
            self.halt.abort()

    def look(self, end: bool = False) -> Look:
        """What the process has while no round is on the way. end: there is no other one."""
        self.halting = True
        try:
            self.halt.wait()
            look = Look.now()
            self.halting, self.ending = False, end
            self.halt.wait()
        except threading.BrokenBarrierError:
            raise self.error or TimeoutError(f"a round took more than {PATIENCE} seconds") from None
        return look


def soak(minutes: float, wanted: int, flows: int) -> str:
    """Until the minutes are over and so many messages decoded. Returns a summary; AssertionError for what is wrong."""
    run = Soak([(dumps, flows), (events, min(flows, CHURN)), (packets, min(flows, PACKETS)), (messages, flows)])
    every = min(EVERY, minutes * 60 / LOOKS)
    began = time.monotonic()
    for thread in run.threads:
        thread.start()
    looks = [run.look()]
    while True:
        time.sleep(every)
        total, elapsed = sum(run.counts.values()), time.monotonic() - began
        end = elapsed >= minutes * 60 and total >= wanted and len(looks) >= LOOKS
        looks.append(look := run.look(end))
        print(f"{elapsed:7.0f} s {total:13,} messages; {look}", flush=True)
        if look[1:] != looks[0][1:]:
            raise AssertionError(f"descriptors or threads changed: {looks[0]} became {look}")
        if end:
            break
    for thread in run.threads:
        thread.join(PATIENCE)
    if run.error:
        raise run.error
    memory = [look.memory for look in looks]
    n = len(memory)
    warm, last = (int(statistics.median(part)) for part in (memory[n // 3 : n // 2], memory[-(n // 6) :]))
    parts = ", ".join(f"{name} {count:,}" for name, count in run.counts.items())
    summary = (
        f"{sum(run.counts.values()):,} messages decoded in {elapsed:.0f} s: {parts}\n"
        f"memory: {memory[0] / 1e6:.1f} MB at first, {warm / 1e6:.1f} MB warm, {last / 1e6:.1f} MB at the end, "
        f"{max(memory) / 1e6:.1f} MB at most in {len(looks)} looks\n"
        f"descriptors {looks[0].descriptors}, threads {looks[0].threads}: the same in each"
    )
    if last - warm > GROWTH:
        raise AssertionError(f"memory has grown by more than {GROWTH / 1e6:.1f} MB\n{summary}")
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, help="how long at least (30)")
    parser.add_argument("--messages", type=int, default=100_000_000, help="how many at least (100000000)")
    parser.add_argument("--flows", type=int, default=20_000, help="in the table that is dumped (20000)")
    options = parser.parse_args()
    if options.minutes <= 0 or options.messages < 0 or options.flows < 110:
        parser.error("--minutes must be more than 0, --messages 0 or more, --flows 110 or more")
    if shutil.which("nft") is None:
        parser.error("nft(8) is missing. Debian, Ubuntu: apt-get install nftables")
    if refusal := netns.enter_private():
        parser.error(refusal)
    try:
        print(soak(options.minutes, options.messages, options.flows))
    except pytest.skip.Exception as lacks:
        parser.error(str(lacks))
    except (AssertionError, OSError) as error:
        raise SystemExit(f"soak: {error!r}") from error


if __name__ == "__main__":
    main()
