"""What is measured, and who takes part in it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from bench import traffic
from bench.programs import PROGRAMS, ROOT, call
from bench.runner import Contender, MissingError, Round, Workload
from netlink import Family

Scene = AbstractContextManager[object]

RAW = "C recv"
READ_BUFFER = 16 << 20  # of streams, their default
STORM_BUFFER = 4 << 20  # as the kernel counts it, for 5,461 events of processes

# What contenders do and do not do.
BATCH = "every attribute decoded, into one Batch"
BATCHES = "every attribute decoded, into Batches"
FIELDS = "and 3 fields of each read in Python"
MESSAGES = "Message objects, their attributes not looked at"
MNL = "mnl_attr_parse of every level, 3 fields read, nothing kept"
NFCT = "nfct_nlmsg_parse over libmnl, 3 fields read, nothing kept"
GO = "a struct of each by AttributeDecoder, all kept, 3 fields read"
RUST = "a struct of each by NetlinkMessage::deserialize, 3 fields read, nothing kept"
STRUCT = "3 fields unpacked, nothing else decoded, nothing kept"


def nanoseconds(result: dict[str, Any], items: int) -> Round:
    """Per item, of a run that has to have seen them all."""
    if result["items"] not in (0, items):
        raise MissingError(f"failed: it saw {result['items']} of {items}")
    return Round(*(result[key] / items * 1e9 for key in ("seconds", "user", "sys")))


class Sums:
    """Sees to it that all that read the same fields read the same values."""

    def __init__(self) -> None:
        self._first: tuple[str, int] | None = None

    def check(self, contender: Contender, result: dict[str, Any]) -> None:
        if not result["sum"]:
            return
        if self._first is None:
            self._first = contender.label, result["sum"]
        elif self._first[1] != result["sum"]:
            raise MissingError(f"failed: the fields it read sum up to {result['sum']}, those of {self._first}")


# Dumps of conntrack

DUMP = (
    Contender(RAW, "raw", ("dump", "conntrack"), "recv() into one buffer of 32 KiB, nothing looked at"),
    Contender("fastnetlink dump", "fastnetlink", ("dump", "batch"), BATCH),
    Contender("fastnetlink dump, 3 fields", "fastnetlink", ("dump", "fields"), FIELDS),
    Contender("fastnetlink dump, 3 NumPy columns", "fastnetlink-numpy", ("dump", "numpy"), "and 3 columns summed up"),
    Contender("fastnetlink dump, 3 Arrow columns", "fastnetlink-arrow", ("dump", "arrow"), "all exported, 3 summed up"),
    Contender("fastnetlink iter_dump", "fastnetlink", ("dump", "iter"), "Batches of 4,096 flows, one at a time"),
    Contender("fastnetlink receive_iter", "fastnetlink", ("dump", "messages"), MESSAGES),
    Contender("fastnetlink Conn.execute", "fastnetlink", ("dump", "execute"), "a list of all Message objects"),
    Contender("C libmnl", "mnl", ("dump", "conntrack"), MNL),
    Contender("C libnetfilter_conntrack", "nfct", ("dump", "parse"), NFCT),
    Contender("C nfct_query", "nfct", ("dump", "query"), "libnetfilter_conntrack with a callback, 3 fields read"),
    Contender("Go mdlayher/netlink", "go", ("dump", "conntrack"), "Conn.Execute: raw messages"),
    Contender("Go mdlayher/netlink, typed", "go", ("dump", "flows"), GO),
    Contender("Rust netlink-packet", "rust", ("dump", "conntrack"), RUST),
    Contender("Python socket", "plain", ("dump", "receive"), "recv_into one buffer, nothing looked at"),
    Contender("Python socket and struct", "plain", ("dump", "conntrack"), STRUCT),
    Contender("pyroute2", "pyroute2", ("dump", "conntrack"), "Conntrack.dump_entries, 3 fields read"),
)  # fmt: skip


def dump(flows: int) -> Workload:
    """The whole table."""
    # The kernel walks through all of its buckets, however few flows there are: that takes some 10 ms.
    loops = max(1, min(5, 50_000 // flows))

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        sums = Sums()

        def run(contender: Contender) -> Round:
            times = 1 if contender.program == "pyroute2" else loops
            result = call(contender.program, *contender.arguments, f"loops={times}")
            sums.check(contender, result)
            return nanoseconds(result, flows)

        with traffic.table(flows):
            yield run

    return Workload(f"dump-{flows}", f"Dump of {flows:,} flows", "ns per flow", RAW, DUMP, prepare)


PARALLEL = (
    Contender(RAW, "raw", ("dump", "conntrack"), "recv() into one buffer of 32 KiB, nothing looked at, one socket"),
    Contender("fastnetlink iter_dump", "fastnetlink", ("dump", "iter"), BATCHES),
    Contender(
        "fastnetlink iter_dump, parallel=2", "fastnetlink-parallel", ("dump", "iter-parallel"), "doubles left out"
    ),
    Contender("fastnetlink dump", "fastnetlink", ("dump", "batch"), BATCH),
    Contender("fastnetlink dump, parallel=2", "fastnetlink-parallel", ("dump", "parallel"), "doubles left out"),
    Contender("fastnetlink dump, again", "fastnetlink", ("dump", "batch", "loops=4"), "4 times, the last one dropped"),
    Contender("fastnetlink dump, 3 fields, again", "fastnetlink", ("dump", "fields", "loops=4"), FIELDS),
    Contender(
        "fastnetlink dump, parallel=2, again",
        "fastnetlink-parallel",
        ("dump", "parallel", "loops=4"),
        "4 times, the last one dropped",
    ),
)


def parallel(flows: int, marks: int) -> Workload:
    """The whole table by several sockets, if it splits."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        with traffic.table(flows, marks):
            yield lambda contender: nanoseconds(call(contender.program, *contender.arguments), flows)

    name, which = ("one", "with one mark and one status") if marks == 1 else ("even", f"with {marks:,} marks")
    title = f"Dump of {flows:,} flows {which}, in two parts"
    return Workload(f"parallel-{name}", title, "ns per flow", RAW, PARALLEL, prepare)


# Memory

MEMORY = (
    Contender("fastnetlink iter_dump, peak", "fastnetlink", ("memory", "iter", "peak"), "resident, less imports"),
    Contender("fastnetlink dump, peak", "fastnetlink", ("memory", "dump", "peak"), "the same, of one Batch"),
    Contender("fastnetlink dump, Batch", "fastnetlink", ("memory", "dump", "kept"), "Batch.nbytes"),
    Contender("fastnetlink dump, Arrow columns", "fastnetlink-arrow", ("memory", "arrow", "kept"), "addresses as text"),
)  # fmt: skip


ROUTE_MEMORY = tuple(
    Contender(each.label, "fastnetlink-routing", each.arguments, each.what)
    for each in MEMORY
    if each.program == "fastnetlink"
)


def memory(name: str, n: int, contenders: Sequence[Contender], scene: Callable[[int], Scene], unit: str) -> Workload:
    """What a dump takes."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        def run(contender: Contender) -> Round:
            *arguments, which = contender.arguments
            result = call(contender.program, *arguments)
            if result["items"] != n:
                raise MissingError(f"failed: it saw {result['items']} of {n}")
            taken = result[which]
            return Round(taken / 2**20, extra={f"bytes/{unit}": taken / n})

        with scene(n):
            yield run

    return Workload(name, f"Memory of a dump of {n:,} {unit}s", "MiB", None, contenders, prepare)


# Events

RECVMMSG = "C recvmmsg"
EVENTS = (
    Contender(RECVMMSG, "raw", ("events", "recvmmsg"), "64 datagrams a call, nothing looked at"),
    Contender("C recv", "raw", ("events", "recv"), "a datagram a call, nothing looked at"),
    Contender("fastnetlink batches", "fastnetlink", ("events", "batch"), BATCHES),
    Contender("fastnetlink batches, 3 fields", "fastnetlink", ("events", "fields"), FIELDS),
    Contender("C libmnl", "mnl", ("events", "-"), MNL),
    Contender("C libnetfilter_conntrack", "nfct", ("events", "parse"), NFCT),
    Contender("C nfct_catch", "nfct", ("events", "query"), "libnetfilter_conntrack with a callback, 3 fields read"),
    Contender("Go mdlayher/netlink", "go", ("events", "conntrack"), "Conn.Receive: raw messages"),
    Contender("Go mdlayher/netlink, typed", "go", ("events", "flows"), GO),
    Contender("Rust netlink-packet", "rust", ("events", "-"), RUST),
    Contender("Python socket and struct", "plain", ("events", "-"), STRUCT),
)  # fmt: skip
PACED = (
    Contender("C recvmmsg, 10 ms apart", "raw", ("events", "recvmmsg", "pause=10"), "the same, asleep between"),
    Contender("fastnetlink batches, 10 ms apart", "fastnetlink", ("events", "batch", "pause=10"), BATCHES),
)  # fmt: skip


def drain(events: int) -> Workload:
    """What is queued, as fast as it can be taken: each contender has a queue of its own, filled before it begins."""
    # An event is charged 1,280 bytes, and the kernel allows twice what is asked for.
    options = (f"count={events}", f"read_buffer={events * 1280}")

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        traffic.enter_private_netns()
        flows = traffic.Flows(events)
        sums = Sums()

        def run(contender: Contender) -> Round:
            try:
                result = call(contender.program, *contender.arguments, *options, fill=flows.create)
            finally:
                flows.delete()
            if result["lost"]:
                raise MissingError(f"failed: {result['lost']} events did not fit its read buffer")
            sums.check(contender, result)
            return nanoseconds(result, events)

        yield run

    title = f"Backlog of {events:,} conntrack events"
    return Workload("events", title, "ns per event", RECVMMSG, EVENTS, prepare)


def beside(command: Sequence[str], contender: Contender, seconds: int, read_buffer: int) -> Round:
    """What a contender receives of the events that a producer in another process makes for so many seconds.

    read_buffer: as it asks for it; the kernel doubles it.
    """
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as producer:
        assert producer.stdout is not None
        producer.stdout.readline()

        def begin() -> None:
            assert producer.stdin is not None
            producer.stdin.write("go\n")
            producer.stdin.flush()

        # It listens on until all that was queued has been read.
        options = (f"seconds={seconds + 1}", f"read_buffer={read_buffer}")
        result = call(contender.program, *contender.arguments, *options, fill=begin, goes_on=True)
        produced = json.loads(producer.communicate()[0])["produced"]
    received = result["items"]
    if not received:
        raise MissingError("failed: it received nothing")
    user, kernel = (result[key] / received * 1e9 for key in ("user", "sys"))
    return Round(
        user + kernel,
        user,
        kernel,
        {
            "produced/s": produced / seconds,
            "received/s": received / seconds,
            # Of processes, others than the producer make some, too.
            "missing %": max(0, 1 - received / produced) * 100,
            "told lost %": result["lost"] / produced * 100,
        },
    )


def stream(seconds: int) -> Workload:
    """Events as fast as a producer on another core makes them: what is lost, and the CPU time of what is not."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        traffic.enter_private_netns()

        command = [sys.executable, "-m", "bench.traffic", f"--seconds={seconds}"]

        def run(contender: Contender) -> Round:
            return beside(command, contender, seconds, READ_BUFFER)

        yield run

    title = f"Stream of conntrack events, {seconds} s at the producer's full speed"
    contenders = (*EVENTS[:4], *PACED, *EVENTS[4:])
    return Workload("stream", title, "ns of CPU per event received", RECVMMSG, contenders, prepare)


# Logged packets

NFLOG = (
    Contender(RAW, "raw", ("nflog", "-"), "recv(), and a walk from header to header"),
    Contender("fastnetlink batches", "fastnetlink", ("nflog", "batch"), BATCHES),
    Contender("fastnetlink batches, 4 fields", "fastnetlink", ("nflog", "fields"), "and 4 fields read in Python"),
    Contender("C libmnl", "mnl", ("nflog", "-"), "mnl_attr_parse, 4 fields read"),
    Contender("C libnetfilter_log", "nflog", ("nflog", "-"), "nflog_handle_packet with a callback, 4 fields read"),
)  # fmt: skip


def nflog(threshold: int, size: int, packets: int) -> Workload:
    """A backlog of logged packets, so many in a datagram."""
    # The kernel allocates this much for each datagram, however little it puts in.
    buffer = 4096 if threshold == 1 else 65536 if threshold * (size + 136) < 65536 else 131072
    options = (
        f"group={traffic.GROUP}",
        f"count={packets}",
        f"threshold={threshold}",
        f"size={buffer}",
        f"read_buffer={1 << 30}",
    )

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        logged = traffic.Logged(size)
        sums = Sums()

        def run(contender: Contender) -> Round:
            result = call(contender.program, *contender.arguments, *options, fill=lambda: logged.send(packets))
            if result["lost"]:
                raise MissingError(f"failed: it lost {result['lost']}")
            sums.check(contender, result)
            return nanoseconds(result, packets)

        try:
            yield run
        finally:
            logged.close()

    title = f"Backlog of {packets:,} logged packets of {size} bytes, threshold {threshold}"
    return Workload(f"nflog-{threshold}-{size}", title, "ns per packet", RAW, NFLOG, prepare)


# Queued packets

CALLBACK = "nfq_handle_packet with a callback, 3 fields read"
GO_CALLBACK = "RegisterWithErrorFunc, 3 fields read"
NETFILTERQUEUE = "run() with a callback, 3 fields read; no GSO flag, so the kernel completes checksums"
QUEUED = (
    Contender(RECVMMSG, "raw", ("nfqueue", "recvmmsg"), "64 packets a call, nothing looked at"),
    Contender("C recv", "raw", ("nfqueue", "recv"), "a packet a call, nothing looked at"),
    Contender("fastnetlink batches", "fastnetlink-nfqueue", ("batch",), BATCHES),
    Contender("fastnetlink batches, 3 fields", "fastnetlink-nfqueue", ("fields",), FIELDS),
    Contender("C libnetfilter_queue", "nfqueue", ("recv",), CALLBACK),
    Contender("Go go-nfqueue", "go-nfqueue", ("recv",), GO_CALLBACK),
    Contender("Python socket and struct", "plain", ("nfqueue", "recv"), STRUCT),
    Contender("fnfqueue", "fnfqueue", ("recv",), "a loop over the Connection, 3 fields read"),
    Contender("NetfilterQueue", "netfilterqueue", ("recv",), NETFILTERQUEUE),
)  # fmt: skip
ACCEPTED_TOGETHER = (
    Contender("C recvmmsg, 64 verdicts a send", "raw", ("nfqueue", "many"), "the id of each looked at"),
    Contender("C recvmmsg, batch verdicts", "raw", ("nfqueue", "batch"), "NFQNL_MSG_VERDICT_BATCH to the last of 64"),
    Contender("fastnetlink accept(batch)", "fastnetlink-nfqueue", ("accept",), "every attribute decoded"),
    Contender("fastnetlink verdict(batch, list)", "fastnetlink-nfqueue", ("verdicts",), "every attribute decoded"),
    Contender("fastnetlink verdict(batch, list), 3 fields", "fastnetlink-nfqueue", ("decide",), FIELDS),
    Contender("C libnetfilter_queue", "nfqueue", ("batch",), f"{CALLBACK}, nfq_set_verdict_batch of 64"),
    Contender("Go go-nfqueue", "go-nfqueue", ("batch",), f"{GO_CALLBACK}, SetVerdictBatch of 64"),
)  # fmt: skip
ACCEPTED_EACH = (
    Contender("C recv and send", "raw", ("nfqueue", "each"), "the id looked at"),
    Contender("fastnetlink accept(packet)", "fastnetlink-nfqueue", ("each",), "an object of each"),
    Contender("fastnetlink accept(packet), 3 fields", "fastnetlink-nfqueue", ("each-fields",), FIELDS),
    Contender("C libnetfilter_queue", "nfqueue", ("each",), f"{CALLBACK}, nfq_set_verdict"),
    Contender("Go go-nfqueue", "go-nfqueue", ("each",), f"{GO_CALLBACK}, SetVerdict"),
    Contender("Python socket and struct", "plain", ("nfqueue", "each"), "3 fields unpacked, send() of a verdict"),
    Contender("fnfqueue", "fnfqueue", ("each",), "a loop over the Connection, 3 fields read, accept()"),
    Contender("NetfilterQueue", "netfilterqueue", ("each",), f"{NETFILTERQUEUE}; accept()"),
)  # fmt: skip


def nfqueue(name: str, title: str, contenders: Sequence[Contender], packets: int, accepted: bool) -> Workload:
    """A backlog of queued packets, and the verdicts on all of them if they are to be accepted."""
    options = (f"queue={traffic.QUEUE}", f"count={packets}", f"read_buffer={1 << 30}")

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        queued = traffic.Queued(64)
        sums = Sums()

        def run(contender: Contender) -> Round:
            result = call(contender.program, *contender.arguments, *options, fill=lambda: queued.send(packets))
            if result["lost"]:
                raise MissingError(f"failed: it lost {result['lost']}")
            if accepted and queued.accepted() != packets:
                raise MissingError(f"failed: {queued.accepted()} of {packets} went on")
            sums.check(contender, result)
            return nanoseconds(result, packets)

        try:
            yield run
        finally:
            queued.close()

    title = f"Backlog of {packets:,} queued packets of 64 bytes, {title}"
    return Workload(f"nfqueue-{name}", title, "ns per packet", contenders[0].label, contenders, prepare)


# Requests

REQUEST = (
    Contender(RAW, "raw", (), "send() and recv(), nothing looked at"),
    Contender("fastnetlink Conn.execute", "fastnetlink", ("threads=1",), "one thread"),
    Contender("fastnetlink, 8 threads, 1 Conn", "fastnetlink", ("threads=8", "connections=1"), "they take turns"),
    Contender("fastnetlink, 8 threads, 8 Conns", "fastnetlink", ("threads=8", "connections=8"), "a Conn each"),
    Contender("fastnetlink AsyncConn.execute", "fastnetlink", ("threads=0",), "one task of an event loop"),
    Contender("C libmnl", "mnl", (), "mnl_cb_run checks sequence and port"),
    Contender("Go mdlayher/netlink", "go", (), "Conn.Execute"),
    Contender("Python socket and struct", "plain", (), "checks sequence, port and errno by hand"),
    Contender("pyroute2", "pyroute2", (), "IPRoute.get_links, which decodes all of the link"),
)


def request(kind: str, requests: int) -> Workload:
    """A request and its answer."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        traffic.enter_private_netns()

        def run(contender: Contender) -> Round:
            if contender.program == "pyroute2" and kind != "getlink":
                raise MissingError("has no such request")
            n = requests // 10 if contender.program == "pyroute2" else requests
            result = call(contender.program, "request", kind, f"count={n}", *contender.arguments)
            return nanoseconds(result, n)

        yield run

    title = {"noop": "NLMSG_NOOP and its acknowledgement", "getlink": "RTM_GETLINK of lo and its answer"}[kind]
    return Workload(f"request-{kind}", title, "ns per request", RAW, REQUEST, prepare)


BULK = (
    Contender("C sendmmsg, packed", "raw", ("packed",), "128 requests in a datagram, recvmmsg(), errors looked at"),
    Contender("C sendmmsg", "raw", ("single",), "a request in a datagram, 128 a call, recvmmsg(), errors looked at"),
    Contender("C send and recv", "raw", ("one",), "one after the other's acknowledgement"),
    Contender("fastnetlink Conn.execute_all", "fastnetlink-bulk", ("execute_all",), "an answer to each in a list"),
    Contender("fastnetlink Conn.execute", "fastnetlink-requests", ("execute",), "one by one"),
    Contender("Python socket and struct", "plain", (), "one by one, checks sequence, port and errno by hand"),
)


def bulk(kind: str, requests: int) -> Workload:
    """Many requests that are acknowledged each, all there before the clock is read."""
    family = {"noop": Family.ROUTE, "conntrack": Family.NETFILTER}[kind]

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        traffic.enter_private_netns()
        flows = traffic.Flows(0) if kind == "conntrack" else None
        with tempfile.NamedTemporaryFile(prefix="bench-requests-") as file:
            file.write(traffic.bulk_requests(kind, requests))
            file.flush()

            def run(contender: Contender) -> Round:
                arguments = (*contender.arguments, file.name, f"family={int(family)}")
                try:
                    result = call(contender.program, "bulk", *arguments)
                    if flows and traffic.count() != requests:
                        raise MissingError(f"failed: it made {traffic.count()} of {requests} flows")
                finally:
                    if flows:
                        flows.delete()
                return nanoseconds(result, requests)

            yield run

    what = {"noop": "NLMSG_NOOP", "conntrack": "IPCTNL_MSG_CT_NEW"}[kind]
    title = f"{requests:,} requests {what} at once, each acknowledged"
    return Workload(f"execute-all-{kind}", title, "ns per request", BULK[0].label, BULK, prepare)


VERB = (
    Contender("fastnetlink Conn.execute", "fastnetlink-requests", ("verb", "execute"), "a Message"),
    Contender("fastnetlink Do", "fastnetlink-family", ("verb", "do"), "a verb of a declared family"),
    Contender("fastnetlink Do, async", "fastnetlink-family", ("verb", "do-async"), "the same, awaited"),
)


def verb(requests: int) -> Workload:
    """What a typed verb adds to the message that it sends."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        traffic.enter_private_netns()

        def run(contender: Contender) -> Round:
            return nanoseconds(call(contender.program, *contender.arguments, f"count={requests}"), requests)

        yield run

    title = "NLMSG_NOOP and its acknowledgement, typed"
    return Workload("verb", title, "ns per request", VERB[0].label, VERB, prepare)


HOLD = (
    Contender("fastnetlink Conn.dump", "fastnetlink-requests", ("hold", "sync"), "called on the event loop"),
    Contender("fastnetlink Conn.dump, to_thread", "fastnetlink-requests", ("hold", "thread"), "in another thread"),
    Contender("fastnetlink AsyncConn.dump", "fastnetlink-async-dump", ("hold", "async"), "awaited"),
)


def hold(flows: int) -> Workload:
    """A dump beside an event loop that has other things to do, and for how long those had to wait at most."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        def run(contender: Contender) -> Round:
            result = call(contender.program, *contender.arguments)
            round_ = nanoseconds(result, flows)
            round_.extra = {"loop held, ms": result["held"] * 1e3}
            return round_

        with traffic.table(flows):
            yield run

    title = f"Dump of {flows:,} flows beside an event loop that ticks every millisecond"
    return Workload("async-dump", title, "ns per flow", HOLD[0].label, HOLD, prepare)


# rtnetlink


# A program that dumps once meets cold memory, its own and the kernel's. Who goes on does not: these are compared.
AGAIN, WARM, MEAN = "loops=16", "C recv, again", "the mean of 16"


def dumped(what: str, everything: str, *others: Contender) -> tuple[Contender, ...]:
    """Who dumps routes, neighbours or links."""
    go, crate = ("RouteListFiltered", "Route.List") if what == "route" else ("NeighList", "Neigh.List")
    if what == "link":
        go, crate = "LinkList", "Link.List"
    return (
        Contender(RAW, "raw", ("dump", what), "recv() into one buffer of 32 KiB, nothing looked at"),
        Contender("fastnetlink dump", "fastnetlink-routing", ("dump", what, "batch"), BATCH),
        Contender(WARM, "raw", ("dump", what, AGAIN), MEAN, limit=WARM),
        Contender("fastnetlink dump, again", "fastnetlink-routing", ("dump", what, "batch", AGAIN), MEAN, limit=WARM),
        Contender("fastnetlink dump, 3 fields", "fastnetlink-routing", ("dump", what, "fields"), FIELDS),
        Contender("fastnetlink iter_dump", "fastnetlink-routing", ("dump", what, "iter"), BATCHES),
        Contender("C libmnl", "mnl", ("dump", what), "mnl_attr_parse, 3 fields read"),
        *others,
        Contender("Go vishvananda/netlink", "go-vishvananda", ("dump", what), f"{go}, 3 fields read"),
        Contender("Go jsimonetti/rtnetlink", "go-jsimonetti", ("dump", what), f"{crate}, 3 fields read"),
        Contender("Rust netlink-packet-route", "rust", ("dump", what), "NetlinkMessage::deserialize, 3 fields read"),
        Contender("Rust rtnetlink", "rust-rtnetlink", ("dump", what), "get().execute(), 3 fields read"),
        Contender("ip -j", "ip", ("dump", what), f"the whole process, which prints {everything}, nothing read"),
        Contender("pyroute2", "pyroute2", ("dump", what), f"IPRoute.get_{everything}, 3 fields read"),
    )


ROUTES = dumped(
    "route",
    "routes",
    Contender("fastnetlink declared", "fastnetlink", ("dump", "routes"), "8 attributes, into one Batch"),
    Contender("fastnetlink receive_iter", "fastnetlink", ("dump", "route-messages"), MESSAGES),
    Contender("fastnetlink Conn.execute", "fastnetlink", ("dump", "route-execute"), "a list of all Message objects"),
    Contender("Go mdlayher/netlink", "go", ("dump", "route"), "Conn.Execute and AttributeDecoder, 3 fields read"),
    Contender("Python socket and struct", "plain", ("dump", "route"), STRUCT),
)  # fmt: skip


ROUTES_BY_SPEC = dumped(
    "route",
    "routes",
    Contender("fastnetlink ynl dump", "fastnetlink-by-spec", ("dump", "batch"), f"{BATCH}, by the spec rt-route"),
    Contender("fastnetlink ynl dump, again", "fastnetlink-by-spec", ("dump", "batch", AGAIN), MEAN, limit=WARM),
    Contender("fastnetlink ynl dump, 3 fields", "fastnetlink-by-spec", ("dump", "fields"), FIELDS),
    Contender("Python socket and struct", "plain", ("dump", "route"), STRUCT),
)  # fmt: skip
NEIGHBOURS = dumped("neigh", "neighbours")
LINKS = dumped("link", "links")


def rtnetlink(unit: str, name: str, contenders: Sequence[Contender], scene: Callable[[int], Scene], n: int) -> Workload:
    """A dump of n routes, neighbours or links, and of what the kernel has beside them."""
    loops = max(1, 30_000 // n)

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        sums = Sums()
        found = 0

        def run(contender: Contender) -> Round:
            nonlocal found
            times = 1 if contender.program in ("pyroute2", "ip") else loops
            arguments = (
                contender.arguments if AGAIN in contender.arguments else (*contender.arguments, f"loops={times}")
            )
            result = call(contender.program, *arguments)
            sums.check(contender, result)
            # With what the kernel has beside those that were made.
            found = found or result["items"]
            return nanoseconds(result, found or n)

        with scene(n):
            yield run

    title = f"Dump of {n:,} {name.replace('-', ' ')}"
    return Workload(name, title, f"ns per {unit}", RAW, contenders, prepare)


CREATE = (
    Contender("C send, packed", "raw", ("bulk", "last"), "made before; 1,024 in a datagram, its last one acknowledged"),
    Contender("C send and recv", "raw", ("bulk", "one"), "made before; one after the other's acknowledgement"),
    Contender("fastnetlink create_many", "fastnetlink-routing", ("create", "many"), "of Route objects"),
    Contender("fastnetlink create_many, made", "fastnetlink-routing", ("create", "made"), "which are made meanwhile"),
    Contender("fastnetlink create_many, Batch", "fastnetlink-routing", ("create", "batch"), "of a Batch"),
    Contender("fastnetlink create", "fastnetlink-routing", ("create", "each"), "one by one"),
    Contender("C libmnl", "mnl", ("create", "-"), "mnl_nlmsg_batch, the last one of a datagram acknowledged"),
    Contender("ip -batch", "ip", ("create", "-"), "the whole process, which reads a file"),
    Contender("Go vishvananda/netlink", "go-vishvananda", ("create", "-"), "RouteAdd"),
    Contender("Go jsimonetti/rtnetlink", "go-jsimonetti", ("create", "-"), "Route.Add"),
    Contender("Rust rtnetlink", "rust-rtnetlink", ("create", "-"), "add().execute()"),
    Contender("pyroute2", "pyroute2", ("create", "-"), 'IPRoute.route("add"), a tenth of them'),
)


def create(n: int) -> Workload:
    """Routes to single addresses; they are removed behind each contender."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        traffic.enter_private_netns()
        with tempfile.NamedTemporaryFile(prefix="bench-requests-") as file:
            file.write(traffic.bulk_requests("route", n))
            file.flush()

            def run(contender: Contender) -> Round:
                wanted = n // 10 if contender.program == "pyroute2" else n
                # Who does not make them has them from the file.
                of_file = (file.name, f"family={int(Family.ROUTE)}", "window=1024")
                options = of_file if contender.program == "raw" else (f"count={wanted}",)
                try:
                    result = call(contender.program, *contender.arguments, *options)
                finally:
                    made = traffic.remove_routes()
                if made != wanted:
                    raise MissingError(f"failed: it made {made} of {wanted} routes")
                return nanoseconds(result, wanted)

            yield run

    return Workload("create-routes", f"{n:,} routes made", "ns per route", CREATE[0].label, CREATE, prepare)


BY_NAME = (
    Contender(RAW, "raw", ("request", "getname"), "send() and recv(), nothing looked at"),
    Contender("fastnetlink Conn.execute", "fastnetlink-routing", ("get", "execute"), "a Message"),
    Contender("fastnetlink get(Link(name=))", "fastnetlink-routing", ("get", "verb"), "a Link"),
    Contender("fastnetlink index(name)", "fastnetlink-routing", ("get", "index"), "without statistics"),
    Contender("C libmnl", "mnl", ("request", "getname"), "mnl_cb_run checks sequence and port"),
    Contender("Go vishvananda/netlink", "go-vishvananda", ("get", "-"), "LinkByName"),
    Contender("Rust rtnetlink", "rust-rtnetlink", ("get", "-"), "get().match_name()"),
    Contender("ip -j", "ip", ("get", "-"), "the whole process"),
    Contender("pyroute2", "pyroute2", ("request", "getname"), "link_lookup"),
)


def by_name(n: int, requests: int) -> Workload:
    """A link of n, by its name."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        def run(contender: Contender) -> Round:
            times = requests // {"pyroute2": 100, "ip": 100}.get(contender.program, 1)
            return nanoseconds(call(contender.program, *contender.arguments, f"count={times}"), times)

        with traffic.links(n):
            yield run

    return Workload("link-by-name", f"One of {n:,} links, by its name", "ns per request", RAW, BY_NAME, prepare)


# Sockets

TCP = (
    Contender(RAW, "raw", ("dump", "tcp-info"), "recv() into one buffer of 32 KiB, nothing looked at"),
    Contender("fastnetlink tcp()", "fastnetlink-sockets", ("dump", "batch"), BATCH),
    Contender("fastnetlink tcp(), 3 fields", "fastnetlink-sockets", ("dump", "fields"), FIELDS),
    Contender("fastnetlink iterate", "fastnetlink-sockets", ("dump", "iter"), BATCHES),
    Contender("Go vishvananda/netlink", "go-vishvananda", ("dump", "tcp"), "SocketDiagTCPInfo, 3 fields read"),
    Contender("ss -tanim", "ss", ("dump",), "the whole process, which prints text, nothing read"),
    Contender("pyroute2", "pyroute2", ("dump", "tcp"), "DiagSocket.get_sock_stats, 3 fields read"),
)  # fmt: skip
CONNECTIONS = (
    Contender(
        "C recv and readlink", "raw", ("connections",), "a dump, and all of /proc/*/fd; nothing put together"
    ),
    Contender(RAW, "raw", ("dump", "tcp"), "the dump alone"),
    Contender(
        "fastnetlink connections()", "fastnetlink-sockets", ("connections", "processes"), "a list, 1 field of each read"
    ),
    Contender("ss -tanp", "ss", ("connections", "processes"), "the whole process, which prints text, nothing read"),
    Contender("psutil.net_connections", "psutil", ("connections",), "a list, 1 field of each read"),
    Contender(
        "fastnetlink connections(), no processes",
        "fastnetlink-sockets",
        ("connections", "alone"),
        "processes=False: a list, 1 field of each read",
    ),
    Contender("ss -tan", "ss", ("connections", "alone"), "the whole process, which prints text, nothing read"),
)  # fmt: skip


def sockets(name: str, title: str, contenders: Sequence[Contender], n: int) -> Workload:
    """A dump of n TCP sockets, and of the listeners of the processes that have them."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        sums = Sums()
        found = 0

        def run(contender: Contender) -> Round:
            nonlocal found
            times = {"pyroute2": 1, "psutil": 2, "ss": 2}.get(contender.program, 10)
            result = call(contender.program, *contender.arguments, f"loops={times}")
            sums.check(contender, result)
            found = found or result["items"]
            return nanoseconds(result, found or n)

        with traffic.sockets(n):
            yield run

    return Workload(name, f"{title} of {n:,} TCP sockets", "ns per socket", contenders[0].label, contenders, prepare)


# Processes and devices

STORM = (
    Contender(RECVMMSG, "raw", ("processes", "recvmmsg"), "64 datagrams a call, nothing looked at"),
    Contender("C recv", "raw", ("processes", "recv"), "a datagram a call, nothing looked at"),
    Contender("fastnetlink batches", "fastnetlink-reported", ("processes", "batch"), BATCHES),
    Contender("fastnetlink batches, 3 fields", "fastnetlink-reported", ("processes", "fields"), FIELDS),
)  # fmt: skip


def storm(rate: int, seconds: int) -> Workload:
    """So many events of processes a second: what is lost, and the CPU time of what is not."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        command = [*PROGRAMS["storm"].command, f"rate={rate}", f"seconds={seconds}"]

        def run(contender: Contender) -> Round:
            return beside(command, contender, seconds, STORM_BUFFER // 2)

        with traffic.host_netns():
            yield run

    title = f"Storm of {rate:,} events of processes a second for {seconds} s, a read buffer of 4 MiB"
    return Workload("processes", title, "ns of CPU per event received", RECVMMSG, STORM, prepare)


UEVENTS = (
    Contender(RECVMMSG, "raw", ("uevents", "recvmmsg"), "64 datagrams a call, nothing looked at"),
    Contender("C recv", "raw", ("uevents", "recv"), "a datagram a call, nothing looked at"),
    Contender("fastnetlink batches", "fastnetlink-reported", ("uevents", "batch"), "senders checked, into Batches"),
    Contender("fastnetlink batches, 3 fields", "fastnetlink-reported", ("uevents", "fields"), FIELDS),
    Contender("fastnetlink, one by one", "fastnetlink-reported", ("uevents", "each"), FIELDS),
    Contender("pyroute2", "pyroute2", ("uevents", "-"), "UeventSocket.get, nothing checked, nothing read"),
)  # fmt: skip


def uevents(n: int) -> Workload:
    """A burst of uevents, which each contender finds in its queue."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        renamed = traffic.Renamed(n)
        sums = Sums()

        def run(contender: Contender) -> Round:
            options = (f"count={n}", f"read_buffer={READ_BUFFER}")
            result = call(contender.program, *contender.arguments, *options, fill=renamed.rename)
            if result["lost"]:
                raise MissingError(f"failed: it lost {result['lost']}")
            sums.check(contender, result)
            return nanoseconds(result, n)

        yield run

    title = f"Burst of {n:,} uevents"
    return Workload("uevents", title, "ns per event", RECVMMSG, UEVENTS, prepare)


# The audit log

AUDIT = (
    Contender(RECVMMSG, "raw", ("audit", "recvmmsg"), "64 datagrams a call, nothing looked at"),
    Contender("C recv", "raw", ("audit", "recv"), "a datagram a call, nothing looked at"),
    Contender("fastnetlink records", "fastnetlink-reported", ("audit", "batch"), BATCHES),
    Contender("fastnetlink records, 3 fields", "fastnetlink-reported", ("audit", "fields"), FIELDS),
    Contender("fastnetlink events", "fastnetlink-reported", ("events", "batch"), "gathered, into Batches"),
    Contender("fastnetlink events, 3 fields", "fastnetlink-reported", ("events", "fields"), "of each record"),
)  # fmt: skip


def audited(n: int) -> Workload:
    """A burst of records of programs, each an event, which each contender finds in its queue."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        sums = Sums()

        def run(contender: Contender) -> Round:
            options = (f"count={n}", f"read_buffer={READ_BUFFER}")
            result = call(contender.program, *contender.arguments, *options, fill=lambda: traffic.log(n))
            if result["lost"]:
                raise MissingError(f"failed: it lost {result['lost']}")
            sums.check(contender, result)
            return nanoseconds(result, n)

        with traffic.host_netns():
            yield run

    return Workload("audit", f"Burst of {n:,} records of the audit log", "ns per record", RECVMMSG, AUDIT, prepare)


# IPsec

POLICIES = (
    Contender(RAW, "raw", ("dump", "policies"), "recv() into one buffer of 32 KiB, nothing looked at"),
    Contender("fastnetlink policies()", "fastnetlink-ipsec", ("dump", "batch"), BATCH),
    Contender("fastnetlink policies(), 3 fields", "fastnetlink-ipsec", ("dump", "fields"), FIELDS),
    Contender("fastnetlink iterate", "fastnetlink-ipsec", ("dump", "iter"), BATCHES),
    Contender("ip xfrm policy", "ip", ("policies",), "the whole process, which prints text, nothing read"),
)  # fmt: skip


def policies(n: int) -> Workload:
    """A dump of n policies of xfrm."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        sums = Sums()

        def run(contender: Contender) -> Round:
            times = 1 if contender.program == "ip" else 5
            result = call(contender.program, *contender.arguments, f"loops={times}")
            sums.check(contender, result)
            return nanoseconds(result, n)

        with traffic.policies(n):
            yield run

    return Workload("policies", f"Dump of {n:,} policies of xfrm", "ns per policy", RAW, POLICIES, prepare)


# nftables

PREPARED = "a datagram made before, one acknowledgement"
ADD = (
    Contender("C send", "raw", ("batch",), PREPARED),
    Contender("fastnetlink add_elements, NumPy", "fastnetlink-ruleset-numpy", ("add", "numpy"), "uint32"),
    Contender("fastnetlink add_elements, text", "fastnetlink-ruleset", ("add", "text"), "str"),
    Contender("fastnetlink add_elements, IPv4Address", "fastnetlink-ruleset", ("add", "address"), "made before"),
    Contender("fastnetlink add_elements, Batch", "fastnetlink-ruleset", ("add", "batch"), "of Element"),
    Contender("fastnetlink add_elements, Element", "fastnetlink-ruleset", ("add", "record"), "a list of records"),
    Contender("C libnftnl", "nftnl", ("add",), "objects of all, then one batch"),
    Contender("nft -f", "nft", ("add",), "the whole process, which reads a file"),
    Contender("Go google/nftables", "go-nftables", ("add",), "SetAddElements, a Flush for each 6,000"),
    Contender("libnftables JSON", "libnftables", ("add",), "Python, json_cmd"),
)  # fmt: skip
ADD_NETWORKS = (
    Contender("C send", "raw", ("batch",), PREPARED),
    Contender("fastnetlink add_elements, Batch", "fastnetlink-ruleset", ("add", "network-batch"), "of both ends"),
    Contender("fastnetlink add_elements, text", "fastnetlink-ruleset", ("add", "networks"), "str, merged"),
    Contender("fastnetlink add_elements, IPv4Network", "fastnetlink-ruleset", ("add", "network-objects"), "merged"),
    Contender("nft -f", "nft", ("networks",), "the whole process, which reads a file"),
    Contender("libnftables JSON", "libnftables", ("networks",), "Python, json_cmd"),
)  # fmt: skip
LOAD_RULES = (
    Contender("C send", "raw", ("batch",), PREPARED),
    Contender("fastnetlink transaction", "fastnetlink-ruleset", ("load", "records"), "of Rule records"),
    Contender("fastnetlink transaction, made", "fastnetlink-ruleset", ("load", "made"), "which are made meanwhile"),
    Contender("fastnetlink add_rule", "fastnetlink-ruleset", ("load", "built"), "by the builder"),
    Contender("nft -f", "nft", ("load",), "the whole process, which reads a file"),
    Contender("Go google/nftables", "go-nftables", ("load",), "AddRule, a Flush for each 100"),
    Contender("libnftables JSON", "libnftables", ("load",), "Python, json_cmd"),
)  # fmt: skip


def change(
    name: str, title: str, contenders: Sequence[Contender], *, elements: int = 0, rules: int = 0, networks: int = 0
) -> Workload:
    """Elements, rules or networks added in a transaction; they are removed behind each contender."""
    n = elements or rules or networks
    wanted = elements, rules, networks

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        with traffic.ruleset(), tempfile.NamedTemporaryFile(prefix="bench-requests-") as file:
            file.write(traffic.batch(*wanted))
            file.flush()

            def run(contender: Contender) -> Round:
                options = (file.name,) if contender.program == "raw" else (f"count={n}",)
                try:
                    result = call(contender.program, *contender.arguments, *options)
                    if (made := traffic.made_in_ruleset()) != wanted:
                        raise MissingError(f"failed: it made {made} of {wanted} elements, rules and networks")
                finally:
                    traffic.empty_ruleset()
                return nanoseconds(result, n)

            yield run

    unit = "ns per element" if elements else "ns per rule" if rules else "ns per network"
    return Workload(name, title, unit, contenders[0].label, contenders, prepare)


def listed(what: str, ours: Sequence[Contender]) -> tuple[Contender, ...]:
    """Who lists elements or rules."""
    parse, get = "nftnl_rule_nlmsg_parse", "GetRules"
    if what == "elements":
        parse, get = "nftnl_set_elems_nlmsg_parse", "GetSetElements"
    return (
        Contender(RAW, "raw", ("dump", what), "recv() into one buffer of 32 KiB, nothing looked at"),
        *ours,
        Contender("C libnftnl", "nftnl", ("dump", what), f"{parse}, one field read"),
        Contender("nft -j list", "nft", ("dump", what), "the whole process, nothing read"),
        Contender("Go google/nftables", "go-nftables", ("dump", what), f"{get}, one field read"),
        Contender("libnftables JSON", "libnftables", ("dump", what), "Python, json.loads, one field read"),
    )


ELEMENTS = listed(
    "elements",
    (
        Contender("fastnetlink elements", "fastnetlink-ruleset", ("dump", "elements", "batch"), BATCH),
        Contender("fastnetlink elements, key", "fastnetlink-ruleset", ("dump", "elements", "fields"), "and read"),
        Contender("fastnetlink iter_elements", "fastnetlink-ruleset", ("dump", "elements", "iter"), BATCHES),
        Contender("fastnetlink entries", "fastnetlink-ruleset", ("dump", "elements", "entries"), "IPv4Address of each"),
    ),
)
RULES = listed(
    "rules",
    (
        Contender("fastnetlink rules", "fastnetlink-ruleset", ("dump", "rules", "batch"), BATCH),
        Contender("fastnetlink rules, handle", "fastnetlink-ruleset", ("dump", "rules", "fields"), "and read"),
    ),
)  # fmt: skip


def lists(name: str, contenders: Sequence[Contender], n: int) -> Workload:
    """A dump of n elements of a set, or of n rules."""
    what = "elements" if contenders is ELEMENTS else "rules"

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        sums = Sums()

        def run(contender: Contender) -> Round:
            ours = contender.program in ("raw", "fastnetlink-ruleset")
            loops = (f"loops={max(1, 20_000 // n)}",) if ours else ()
            result = call(contender.program, *contender.arguments, *loops)
            sums.check(contender, result)
            return nanoseconds(result, n)

        with traffic.ruleset(**{what: n}):
            yield run

    title = f"Dump of {n:,} {'elements of a set' if what == 'elements' else 'rules'}"
    return Workload(name, title, f"ns per {what[:-1]}", RAW, contenders, prepare)


# Specs, and generic netlink

EXECUTE = "fastnetlink Conn.execute"
TYPED = "2 fields read"
DO = (
    Contender("C send and recv", "raw", ("request", "getfamily"), "nothing looked at"),
    Contender(EXECUTE, "fastnetlink-by-spec", ("do", "execute"), "a Message, its attributes not looked at"),
    Contender(
        "fastnetlink Conn.execute, acknowledged",
        "fastnetlink-by-spec",
        ("do", "execute-acknowledged"),
        "the same with NLM_F_ACK, as by spec: the kernel sends two messages",
    ),
    Contender("fastnetlink generic execute", "fastnetlink-by-spec", ("do", "generic"), "the same of generic netlink"),
    Contender("fastnetlink Do", "fastnetlink-by-spec", ("do", "declared"), f"nlctrl.Conn.get: a record, {TYPED}"),
    Contender("fastnetlink Do, async", "fastnetlink-by-spec", ("do", "declared-async"), "the same, awaited"),
    Contender("fastnetlink ynl do", "fastnetlink-by-spec", ("do", "spec"), f"the spec nlctrl: a record, {TYPED}"),
    Contender("fastnetlink ynl do, async", "fastnetlink-by-spec", ("do", "spec-async"), "the same, awaited"),
    Contender("C libmnl", "mnl", ("request", "getfamily"), f"mnl_attr_parse, {TYPED}"),
    Contender("Go mdlayher/genetlink", "go-genetlink", ("execute",), "Conn.Execute: raw messages"),
    Contender("Go mdlayher/genetlink, typed", "go-genetlink", ("family",), f"Conn.GetFamily, {TYPED}"),
    Contender("Rust genetlink", "rust-genetlink", (), f"GenetlinkHandle::request of a GenlCtrl, {TYPED}"),
    Contender("Python socket and struct", "plain", ("request", "getfamily"), f"{TYPED}, checks by hand"),
    Contender("pyroute2", "pyroute2", ("request", "getfamily"), f"GenericNetlinkSocket.discovery, {TYPED}"),
)  # fmt: skip


def do(requests: int) -> Workload:
    """A request of generic netlink with a typed reply: a family, from its name."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        traffic.enter_private_netns()
        sums = Sums()

        def run(contender: Contender) -> Round:
            n = requests // 10 if contender.program == "pyroute2" else requests
            result = call(contender.program, *contender.arguments, f"count={n}")
            sums.check(contender, {"sum": result["sum"] // n})
            return nanoseconds(result, n)

        yield run

    title = "CTRL_CMD_GETFAMILY and its answer, typed"
    return Workload("do", title, "ns per request", EXECUTE, DO, prepare)


LOAD = (
    Contender("PyYAML", "fastnetlink-by-spec", ("load", "parse-yaml"), "yaml.load with CSafeLoader, nothing checked"),
    Contender("json", "fastnetlink-by-spec", ("load", "parse-json"), "json.loads, nothing checked"),
    Contender("fastnetlink ynl.load, YAML", "fastnetlink-by-spec", ("load", "yaml"), "checked and numbered"),
    Contender("fastnetlink ynl.load, JSON", "fastnetlink-by-spec", ("load", "json"), "checked and numbered"),
    Contender("fastnetlink ynl.load, JSON, all", "fastnetlink-by-spec", ("load", "declare"), "and all declarations"),
)  # fmt: skip


def spec_load() -> Workload:
    """What the largest spec takes, in a process that has loaded none before."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        _ = PROGRAMS["fastnetlink-by-spec"].command  # MissingError without specs
        with tempfile.TemporaryDirectory(prefix="bench-spec-") as folder:
            by_ending = traffic.largest_spec(Path(folder))

            def run(contender: Contender) -> Round:
                work, how = contender.arguments
                path = by_ending["yaml" if "yaml" in how else "json"]
                result = call(contender.program, work, how, str(path))
                return Round(result["seconds"] * 1e3, extra={"KiB": path.stat().st_size / 1024})

            yield run

    return Workload("spec-load", "Loading the largest spec", "ms", None, LOAD, prepare)


# Without a kernel

DECODE = (
    Contender("fastnetlink decode_many", "fastnetlink", ("decode",), "every attribute, into one Batch"),
    Contender("C libmnl", "mnl", ("decode",), MNL),
    Contender("C libnetfilter_conntrack", "nfct", ("decode",), NFCT),
    Contender("Go mdlayher/netlink, typed", "go", ("decode",), GO),
    Contender("Rust netlink-packet", "rust", ("decode",), RUST),
    Contender("Python socket and struct", "plain", ("decode",), STRUCT),
    Contender("pyroute2", "pyroute2", ("decode",), "nfct_msg.decode, 3 fields read"),
)  # fmt: skip


def decode(flows: int) -> Workload:
    """Messages of conntrack, recorded from a dump, from memory."""

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        sums = Sums()
        with tempfile.NamedTemporaryFile(prefix="bench-flows-") as file:
            with traffic.table(flows):
                file.write(traffic.recorded())
                file.flush()

            def run(contender: Contender) -> Round:
                loops = 1 if contender.program == "pyroute2" else 10
                result = call(contender.program, *contender.arguments, file.name, f"loops={loops}")
                sums.check(contender, result)
                return nanoseconds(result, flows)

            yield run

    title = f"Decoding of {flows:,} recorded flows"
    return Workload("decode", title, "ns per flow", "fastnetlink decode_many", DECODE, prepare)


def growth() -> Workload:
    """Whether a flow costs more in a large Batch than in a small one, whatever the kernel's walk through its table."""
    sizes = 1_000, 10_000, 100_000, 1_000_000
    contenders = [Contender(f"fastnetlink, {n:,} flows", "fastnetlink", ("decode", str(n))) for n in sizes]

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        recorded = 1_000
        with tempfile.NamedTemporaryFile(prefix="bench-flows-") as file:
            with traffic.table(recorded):
                file.write(traffic.recorded())
                file.flush()

            def run(contender: Contender) -> Round:
                work, flows = contender.arguments
                n = int(flows)
                options = (f"loops={max(1, 1_000_000 // n)}", f"times={n // recorded}")
                return nanoseconds(call(contender.program, work, file.name, *options), n)

            yield run

    title = "Decoding to Batches of different sizes"
    return Workload("growth", title, "ns per flow", contenders[0].label, contenders, prepare)


# Imports

IMPORT = """
import sys, time, json
before = set(sys.modules)
start = time.perf_counter()
import {module}
seconds = time.perf_counter() - start
new = {{name.split(".")[0] for name in set(sys.modules) - before}}
# Cython's two are no files: each extension makes them in memory.
others = [n for n in new if n not in sys.stdlib_module_names and n not in ("netlink", "cython_runtime")
          and not n.startswith("_cython_")]
print(json.dumps({{"seconds": seconds, "others": len(others), "modules": len(set(sys.modules) - before)}}))
"""


def imports() -> Workload:
    """What importing takes, by a fresh interpreter's own clock; bytecode is cached."""
    modules = (
        "netlink",
        "netlink.aio",
        "netlink.netfilter.conntrack",
        "netlink.netfilter.nflog",
        "netlink.route",
        "netlink.sock_diag",
        "netlink.generic.ethtool",
        "netlink.ynl",
        "pyroute2",
    )
    contenders = [
        Contender(f"import {module}", "pyroute2" if module == "pyroute2" else "python", (module,)) for module in modules
    ]

    @contextmanager
    def prepare() -> Iterator[Callable[[Contender], Round]]:
        def run(contender: Contender) -> Round:
            (module,) = contender.arguments
            _ = PROGRAMS[contender.program].command  # MissingError where it is not installed
            result = call("python", "-c", IMPORT.format(module=module))
            extra = {"modules": result["modules"], "third party": result["others"]}
            return Round(result["seconds"] * 1e3, extra=extra)

        yield run

    return Workload("import", "Importing", "ms", None, contenders, prepare)


def micro(rounds: int) -> dict[str, Any]:
    """The micro-benchmarks of bench/test_micro.py, in the form of a workload's results."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "micro.json")
        command = [sys.executable, "-m", "pytest", "-q", "bench/test_micro.py", f"--benchmark-json={path}"]
        command += ["--benchmark-disable-gc", f"--benchmark-min-rounds={rounds}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
        found = json.loads(path.read_text())["benchmarks"]
    cases = {}
    for one in found:
        per = 1e9 / one["extra_info"]["items"]
        value = {
            "median": one["stats"]["median"] * per,
            "min": one["stats"]["min"] * per,
            "max": one["stats"]["max"] * per,
        }
        extra = {"items": one["extra_info"]["items"]}
        cases[one["name"]] = {"value": value, "user": 0.0, "sys": 0.0, "rounds": one["stats"]["rounds"], "extra": extra}
    title = "Codec, by pytest-benchmark"
    return {"title": title, "unit": "ns per item", "limit": None, "cases": cases, "skipped": {}, "what": {}}


def suite(quick: bool) -> list[Workload]:
    """All that the runner knows, in the order of the report."""
    most = traffic.limit()
    largest = 1_000_000 if most >= 1_000_000 else most // 10_000 * 10_000
    sizes = [1_000, 10_000]
    if not quick:
        sizes += sorted({n for n in (100_000, largest) if 10_000 < n <= most})
    packets = {1: 4_096, 64: 16_384, 1000: 16_000} if quick else {1: 32_768, 64: 131_072, 1000: 131_000}
    queued = 4_096 if quick else 32_768
    elements, rules = (10_000, 100) if quick else (100_000, 1_000)
    return [
        *(dump(n) for n in sizes),
        *(parallel(min(sizes[-1], 250_000), marks) for marks in (1000, 1)),
        memory("memory", sizes[-1], MEMORY, traffic.table, "flow"),
        decode(10_000),
        growth(),
        drain(10_000 if quick else 100_000),
        stream(1 if quick else 10),
        *(nflog(threshold, size, packets[threshold]) for threshold in (1, 64, 1000) for size in (64, 1500)),
        nfqueue("receive", "received", QUEUED, queued, accepted=False),
        nfqueue("together", "received and accepted together", ACCEPTED_TOGETHER, queued, accepted=True),
        nfqueue("each", "received and accepted one by one", ACCEPTED_EACH, queued, accepted=True),
        *(request(kind, 2_000 if quick else 20_000) for kind in ("noop", "getlink")),
        *(bulk(kind, 2_000 if quick else 10_000) for kind in ("noop", "conntrack")),
        verb(2_000 if quick else 20_000),
        hold(sizes[-1] if quick else 100_000 if most >= 100_000 else sizes[-1]),
        rtnetlink("route", "routes", ROUTES, traffic.routes, 10_000 if quick else 100_000),
        rtnetlink("route", "routes-by-spec", ROUTES_BY_SPEC, traffic.routes, 20_000),
        rtnetlink("neighbour", "neighbours", NEIGHBOURS, traffic.neighbours, 3_000 if quick else 30_000),
        rtnetlink("link", "links", LINKS, traffic.links, 100 if quick else 1_000),
        create(2_000 if quick else 100_000),
        by_name(100 if quick else 1_000, 2_000 if quick else 20_000),
        memory("memory-routes", 10_000 if quick else 1_000_000, ROUTE_MEMORY, traffic.routes, "route"),
        sockets("sockets", "Dump", TCP, 2_000 if quick else 20_000),
        sockets("connections", "Connections", CONNECTIONS, 2_000 if quick else 20_000),
        storm(50_000, 1 if quick else 10),
        uevents(1_000 if quick else 10_000),
        audited(1_000 if quick else 10_000),
        policies(1_000 if quick else 10_000),
        change("nft-add", f"{elements:,} elements added to a set", ADD, elements=elements),
        change("nft-networks", f"{elements:,} networks added to a set", ADD_NETWORKS, networks=elements),
        lists("nft-elements", ELEMENTS, elements),
        change("nft-load", f"{rules:,} rules loaded", LOAD_RULES, rules=rules),
        lists("nft-rules", RULES, rules),
        spec_load(),
        do(2_000 if quick else 20_000),
        imports(),
    ]
