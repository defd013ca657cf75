"""What type checkers must know of nflog and pcapng. Checked by mypy and pyright, never run."""

import io
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import assert_type

from netlink._engine.packet import Part
from netlink.netfilter import nflog, pcapng
from netlink.netfilter.conntrack import Flow
from netlink.netfilter.nflog import CtInfo, Log, Packet
from netlink.packet import TCPFlag
from netlink.schema import Batch


def packets(log: Log, packet: Packet) -> None:
    assert_type(nflog.listen(5), Log)
    assert_type(next(log), Packet)
    for batch in log.batches(idle=1):
        assert_type(batch, Batch[Packet])
    assert_type(log.group, int)
    assert_type(log.lost, int)
    assert_type(packet.payload, memoryview | None)
    assert_type(packet.prefix, str | None)
    assert_type(packet.timestamp, int | None)
    assert_type(packet.hwaddr, bytes | None)
    assert_type(packet.hook, int | None)
    assert_type(packet.ct, Flow | None)
    assert_type(packet.ct_info, CtInfo | None)
    assert_type(packet.group, int | None)
    assert_type(packet.src, IPv4Address | IPv6Address | None)
    assert_type(packet.dport, int | None)
    assert_type(packet.tcp_flags, TCPFlag | None)
    assert_type(Packet.sport, Part[int | None])
    assert_type(Packet(payload=b"", ct=Flow(mark=1), group=5), Packet)
    Packet(groupp=5)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


async def asynchronous(log: Log) -> None:
    async for packet in log:
        assert_type(packet, Packet)


def files(log: Log, batch: Batch[Packet], path: Path, buffer: io.BytesIO) -> None:
    with pcapng.Writer(path) as out:
        assert_type(out, pcapng.Writer)
        out.write_batch(batch)
        out.write_batch([batch[0]])
        out.write(batch[0])
        out.write_statistics(log)
    pcapng.Writer(buffer, pcapng.LinkType.NFLOG, snaplen=128).close()
    pcapng.Writer(open(path, "ab")).close()  # noqa: SIM115
    pcapng.Writer(batch)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
