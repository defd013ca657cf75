"""What type checkers must know of nfqueue. Checked by mypy and pyright, never run."""

import array
from ipaddress import IPv4Address, IPv6Address
from typing import assert_type

from netlink.netfilter import nfqueue
from netlink.netfilter.conntrack import Flow
from netlink.netfilter.nfqueue import Packet, Queue, SkbInfo, Stats, Verdict
from netlink.schema import Batch


def packets(queue: Queue, packet: Packet) -> None:
    assert_type(nfqueue.listen(5, gso=False), Queue)
    assert_type(next(queue), Packet)
    assert_type(packet.id, int | None)
    assert_type(packet.payload, memoryview | None)
    assert_type(packet.skb_info, SkbInfo | None)
    assert_type(packet.ct, Flow | None)
    assert_type(packet.truncated, bool)
    assert_type(packet.src, IPv4Address | IPv6Address | None)
    assert_type(queue.stats(), Stats)
    assert_type(queue.stats().queued, int)
    assert_type(queue.refused, dict[int, int])
    assert_type(queue.pending, int)
    assert_type(queue.lost, int)
    assert_type(nfqueue.fix_checksums(bytearray(20)), bytes)


def verdicts(queue: Queue, packet: Packet, batch: Batch[Packet]) -> None:
    queue.accept(packet, mark=1, payload=packet.payload, checksums=True)
    queue.accept(5, ct=Flow(mark=1))
    queue.drop(batch)
    queue.repeat([packet, 7], mark=1)
    queue.requeue(packet, 6, bypass=True)
    queue.verdict(batch, Verdict.DROP)
    queue.verdict(batch, [Verdict.DROP, Verdict.ACCEPT])
    queue.verdict(batch, array.array("I", [0, 1]))
    queue.accept_upto(packet)
    queue.accept(packet, marc=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    queue.accept(None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def asynchronous(queue: Queue) -> None:
    async for packet in queue:
        assert_type(packet, Packet)
    assert_type(await queue.aread(), Batch[Packet])
