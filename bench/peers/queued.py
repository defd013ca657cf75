"""This library's nfqueue.

batch|fields|accept|verdicts|decide|each|each-fields queue=N count=N [read_buffer=B]
    Batches without verdicts: nothing read, or 3 fields of each packet; accept(batch); verdict(batch, a list), with 3
    fields of each packet read or without; accept(packet) of each packet, with and without them
"""

from __future__ import annotations

import sys

from bench.peers.peer import Result, await_backlog, option
from netlink.netfilter import nfqueue
from netlink.netfilter.nfqueue import Packet, Queue, Verdict
from netlink.schema import Batch

ROWS = 256  # packets of a batch: with more, the first ones have left the caches when their verdict goes out


def look_away(queue: Queue, batch: Batch[Packet], result: Result) -> None:
    pass


def read_fields(queue: Queue, batch: Batch[Packet], result: Result) -> None:
    for packet in batch:
        result.sum += len(packet.payload or b"") + (packet.mark or 0) + (packet.hook or 0)


def accept(queue: Queue, batch: Batch[Packet], result: Result) -> None:
    queue.accept(batch)


def verdicts(queue: Queue, batch: Batch[Packet], result: Result) -> None:
    queue.verdict(batch, [Verdict.ACCEPT] * len(batch))


def read_and_decide(queue: Queue, batch: Batch[Packet], result: Result) -> None:
    decisions = []
    for packet in batch:
        result.sum += len(packet.payload or b"") + (packet.mark or 0) + (packet.hook or 0)
        decisions.append(Verdict.ACCEPT)
    queue.verdict(batch, decisions)


OF_BATCHES = {
    "batch": look_away,
    "fields": read_fields,
    "accept": accept,
    "verdicts": verdicts,
    "decide": read_and_decide,
}


def of_batches(queue: Queue, what: str, result: Result, count: int) -> None:
    work = OF_BATCHES[what]
    for batch in queue.batches(ROWS, idle=1):
        work(queue, batch, result)
        result.items += len(batch)
        if result.items >= count:
            break


def of_packets(queue: Queue, what: str, result: Result, count: int) -> None:
    fields, items = what == "each-fields", 0
    for packet in queue:
        if fields:
            result.sum += len(packet.payload or b"") + (packet.mark or 0) + (packet.hook or 0)
        queue.accept(packet)
        items += 1
        if items == count:
            break
    result.items = items


def main() -> None:
    what, count = sys.argv[1], option("count")
    work = of_packets if what.startswith("each") else of_batches
    with nfqueue.listen(option("queue"), max_length=count, read_buffer=option("read_buffer")) as queue:
        await_backlog()
        result = Result()
        work(queue, what, result, count)
        result.stop()
        result.lost = queue.lost
    result.finish()


if __name__ == "__main__":
    main()
