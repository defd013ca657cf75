"""This library.

dump batch|fields|numpy|arrow|iter|messages|execute [loops=N]    the table of conntrack
dump parallel|iter-parallel [loops=N parts=N]
dump routes|route-messages|route-execute [loops=N]
events batch|fields count=N [seconds=S pause=MS] [read_buffer=B]
nflog batch|fields group=N count=N threshold=N size=N [read_buffer=B]
request noop|getlink count=N [threads=N connections=N]           threads=0: asyncio
decode FILE [loops=N times=N]             messages of conntrack, one behind the other, all of them so many times
memory dump|iter|arrow                                           of a dump, beyond what importing takes
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import netlink
from bench.peers.peer import Result, await_backlog, option, peak_rss
from netlink import Family, Header, HeaderFlags, HeaderType, Message, aio
from netlink.netfilter import conntrack, nflog
from netlink.netfilter.conntrack import Flow
from netlink.netfilter.nflog import Packet
from netlink.schema import AttributeSet, Batch, Struct, ipv4, u8, u32

DUMP = HeaderFlags.REQUEST | HeaderFlags.DUMP
FLOWS = Message(Header(type=0x101, flags=DUMP), bytes(4))  # IPCTNL_MSG_CT_GET; struct nfgenmsg
ROUTES = Message(Header(type=26, flags=DUMP), struct.pack("=8BI", socket.AF_INET, *bytes(8)))  # RTM_GETROUTE; rtmsg
REQUESTS = {
    "noop": Message(Header(type=HeaderType.NOOP, flags=HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE)),
    "getlink": Message(Header(type=18, flags=HeaderFlags.REQUEST), struct.pack("=BxHiII", 0, 0, 1, 0, 0)),
}


class RtMsg(Struct):
    """struct rtmsg, linux/rtnetlink.h."""

    family = u8()
    dst_len = u8()
    src_len = u8()
    tos = u8()
    table = u8()
    protocol = u8()
    scope = u8()
    kind = u8()
    flags = u32()


class Route(AttributeSet, header=RtMsg):
    """RTA_* of IPv4, as a user would declare what is needed of it."""

    dst = ipv4(1)
    src = ipv4(2)
    oif = u32(4)
    gateway = ipv4(5)
    priority = u32(6)
    prefsrc = ipv4(7)
    table = u32(15)
    mark = u32(16)


def sum_flows(flows: Iterable[Flow]) -> int:
    """Three fields of each, read as any user would."""
    total = 0
    for flow in flows:
        total += (flow.orig.src_port or 0) + (flow.status or 0) + (flow.mark or 0)
    return total


def sum_packets(packets: Iterable[Packet]) -> int:
    total = 0
    for packet in packets:
        total += len(packet.payload or b"") + len(packet.prefix or "") + (packet.mark or 0) + (packet.outdev or 0)
    return total


# Dumps


def of_batch(loops: int) -> Result:
    with conntrack.dial() as ct:
        result = Result()
        for _ in range(loops):
            result.items += len(ct.dump())
    return result


def of_fields(loops: int) -> Result:
    with conntrack.dial() as ct:
        result = Result()
        for _ in range(loops):
            flows = ct.dump()
            result.sum += sum_flows(flows)
            result.items += len(flows)
            del flows
    return result


def of_numpy(loops: int) -> Result:
    import numpy as np

    with conntrack.dial() as ct:
        result = Result()
        for _ in range(loops):
            names = ("orig_src_port", "status", "mark")
            columns = ct.dump().to_numpy(*names)
            for name in names:
                result.sum += int(columns[name].sum(dtype=np.uint64))
            result.items += len(columns)
            del columns
    return result


def of_arrow(loops: int) -> Result:
    import pyarrow
    import pyarrow.compute

    with conntrack.dial() as ct:
        result = Result()
        for _ in range(loops):
            table = pyarrow.RecordBatchReader.from_stream(ct.dump()).read_all()
            for name in ("orig_src_port", "status", "mark"):
                result.sum += pyarrow.compute.sum(table[name]).as_py() or 0
            result.items += len(table)
            del table
    return result


def of_iter(loops: int) -> Result:
    with conntrack.dial() as ct:
        result = Result()
        for _ in range(loops):
            for part in ct.iter_dump():
                result.items += len(part)
    return result


def of_parallel(loops: int) -> Result:
    with conntrack.dial() as ct:
        result = Result()
        for _ in range(loops):
            result.items += len(ct.dump(parallel=option("parts", 2)))
    return result


def of_iter_parallel(loops: int) -> Result:
    with conntrack.dial() as ct:
        result = Result()
        for _ in range(loops):
            for part in ct.iter_dump(parallel=option("parts", 2)):
                result.items += len(part)
    return result


def messages(family: int, request: Message) -> Callable[[int], Result]:
    def run(loops: int) -> Result:
        with netlink.dial(family) as conn:
            result = Result()
            for _ in range(loops):
                conn.send(request)
                for _message in conn.receive_iter():
                    result.items += 1
        return result

    return run


def execute(family: int, request: Message) -> Callable[[int], Result]:
    def run(loops: int) -> Result:
        with netlink.dial(family) as conn:
            result = Result()
            for _ in range(loops):
                result.items += len(conn.execute(request))
        return result

    return run


def of_routes(loops: int) -> Result:
    with netlink.dial(Family.ROUTE) as conn:
        result = Result()
        for _ in range(loops):
            result.items += len(conn.dump(ROUTES, Route))
    return result


def of_route_fields(loops: int) -> Result:
    with netlink.dial(Family.ROUTE) as conn:
        result = Result()
        for _ in range(loops):
            routes = conn.dump(ROUTES, Route)
            for route in routes:
                dst = int(route.dst) & 0xFFFFFF if route.dst is not None else 0
                result.sum += (route.header.dst_len or 0) + dst + (route.oif or 0)
            result.items += len(routes)
            del routes
    return result


DUMPS = {
    "batch": of_batch,
    "fields": of_fields,
    "numpy": of_numpy,
    "arrow": of_arrow,
    "iter": of_iter,
    "parallel": of_parallel,
    "iter-parallel": of_iter_parallel,
    "messages": messages(Family.NETFILTER, FLOWS),
    "execute": execute(Family.NETFILTER, FLOWS),
    "routes": of_routes,
    "route-fields": of_route_fields,
    "route-messages": messages(Family.ROUTE, ROUTES),
    "route-execute": execute(Family.ROUTE, ROUTES),
}


# Streams


def events(fields: bool, count: int, seconds: int, read_buffer: int, pause: int) -> Result:
    with conntrack.listen(read_buffer=read_buffer, on_overrun="mark") as stream:
        await_backlog()
        result = Result()
        end = time.perf_counter() + seconds if seconds else 0.0
        while True:
            batch = stream.read(0 if pause else 1)
            if isinstance(batch, Batch):
                if fields:
                    result.sum += sum_flows(batch)
                result.items += len(batch)
                if pause and not batch:
                    time.sleep(pause / 1000)
            if (not end and (result.items >= count or not batch)) or (end and time.perf_counter() >= end):
                break
        result.lost = stream.lost
    return result


def packets(fields: bool, count: int, read_buffer: int) -> Result:
    with nflog.listen(
        option("group"),
        queue_threshold=option("threshold", 100),
        buffer_size=option("size", 65536),
        timeout=0.1,
        read_buffer=read_buffer,
    ) as log:
        await_backlog()
        result = Result()
        for batch in log.batches(idle=1):
            if fields:
                result.sum += sum_packets(batch)
            result.items += len(batch)
            if result.items >= count:
                break
        result.lost = log.lost
    return result


# Requests


def in_threads(request: Message, count: int, threads: int, connections: int) -> Result:
    conns = [netlink.dial(Family.ROUTE) for _ in range(connections)]
    start = threading.Barrier(threads + 1)

    def work(conn: netlink.Conn, n: int) -> None:
        start.wait()
        for _ in range(n):
            conn.execute(request)

    workers = [threading.Thread(target=work, args=(conns[i % connections], count // threads)) for i in range(threads)]
    for worker in workers:
        worker.start()
    result = Result()
    start.wait()
    for worker in workers:
        worker.join()
    result.items = count // threads * threads
    for conn in conns:
        conn.close()
    return result


def in_one_thread(request: Message, count: int) -> Result:
    with netlink.dial(Family.ROUTE) as conn:
        result = Result()
        for _ in range(count):
            conn.execute(request)
        result.items = count
    return result


async def in_event_loop(request: Message, count: int) -> Result:
    async with aio.dial(Family.ROUTE) as conn:
        result = Result()
        for _ in range(count):
            await conn.execute(request)
        result.items = count
    return result


def requests(request: Message, count: int, threads: int) -> Result:
    if threads == 0:
        return asyncio.run(in_event_loop(request, count))
    if threads == 1:
        return in_one_thread(request, count)
    return in_threads(request, count, threads, option("connections", 1))


# Without a kernel


def decode(path: str, loops: int) -> Result:
    data = Path(path).read_bytes()
    payloads = [message.data for message in netlink.unmarshal_messages(data)] * option("times", 1)
    total = sum_flows(Flow.decode_many(payloads))
    result = Result()
    for _ in range(loops):
        result.items += len(Flow.decode_many(payloads))
    result.sum = total * loops
    return result


# Memory


def memory(what: str) -> Result:
    if what == "arrow":
        import pyarrow
    with conntrack.dial() as ct:
        before = peak_rss()
        result = Result()
        if what == "iter":
            result.items = sum(len(part) for part in ct.iter_dump())
            kept = 0
        else:
            flows = ct.dump()
            result.items, kept = len(flows), flows.nbytes
            if what == "arrow":
                # Not nbytes, which counts anew what empty columns share.
                kept = pyarrow.RecordBatchReader.from_stream(flows).read_all().get_total_buffer_size()
        result.extra = {"peak": peak_rss() - before, "kept": kept}
    return result


def main() -> None:
    work, what = sys.argv[1:3]
    loops, count, read_buffer = option("loops", 1), option("count"), option("read_buffer", 4 << 20)
    if work == "dump":
        DUMPS[what](loops).finish(loops)
    elif work == "events":
        events(what == "fields", count, option("seconds"), read_buffer, option("pause")).finish()
    elif work == "nflog":
        packets(what == "fields", count, read_buffer).finish()
    elif work == "request":
        requests(REQUESTS[what], count, option("threads", 1)).finish()
    elif work == "decode":
        decode(what, loops).finish(loops)
    elif work == "memory":
        memory(what).finish()
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
