"""The drop monitor without a kernel: records from bytes made otherwise, streams, and refused arguments."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any

import pytest

from netlink import Overrun
from netlink.generic import drop_monitor
from netlink.generic.drop_monitor import (
    AlertMode,
    Config,
    Counters,
    DropPoint,
    Drops,
    HwEntry,
    Origin,
    Packet,
    Stats,
    Summary,
)
from netlink.nltest import serve
from packets import udp4

FRAME = bytes(12) + b"\x08\x00" + udp4()


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def u16(value: int) -> bytes:
    return struct.pack("=H", value)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def u64(value: int) -> bytes:
    return struct.pack("=Q", value)


def test_a_packet_that_the_kernel_dropped() -> None:
    payload = attribute(14, u16(0)) + attribute(2, u64(0xFFFFFFFF81000000)) + attribute(23, b"NO_SOCKET\0")
    payload += attribute(3, b"__udp4_lib_rcv+0x9a2/0xc30\0") + attribute(4, attribute(0, u32(1)))
    payload += attribute(8, b"") + attribute(5, u64(1_796_308_493_545_015_500)) + attribute(10, u32(162))
    payload += attribute(6, u16(0x0800)) + attribute(7, FRAME)
    packet = Packet.decode(payload)
    assert packet == Packet(
        origin=Origin.SW,
        pc=0xFFFFFFFF81000000,
        reason="NO_SOCKET",
        symbol="__udp4_lib_rcv+0x9a2/0xc30",
        ifindex=1,
        timestamp=1_796_308_493_545_015_500,
        orig_len=162,
        hw_protocol=0x0800,
        payload=FRAME,
    )
    assert packet.unknown == ()
    assert (packet.src, packet.sport, packet.dport) == (ip_address("192.0.2.1"), 1024, 9)


def test_a_packet_that_hardware_dropped() -> None:
    payload = attribute(14, u16(1)) + attribute(15, b"l2_drops\0") + attribute(16, b"ingress_vlan_filter\0")
    payload += attribute(4, attribute(0, u32(7)) + attribute(1, b"swp1\0")) + attribute(22, b"cookie")
    payload += attribute(5, u64(1)) + attribute(10, u32(0))
    packet = Packet.decode(payload)
    assert packet == Packet(
        origin=Origin.HW,
        trap_group="l2_drops",
        trap="ingress_vlan_filter",
        ifindex=7,
        ifname="swp1",
        cookie=b"cookie",
        timestamp=1,
        orig_len=0,
    )
    assert packet.unknown == ()
    assert packet.src is None


def test_summaries() -> None:
    points = u32(2) + u64(0xFFFFFFFF81000000) + u32(5) + u64(0) + u32(1)
    assert Summary.decode(attribute(0, points)) == Summary(
        points=[DropPoint(pc=0xFFFFFFFF81000000, count=5), DropPoint(pc=0, count=1)]
    )
    entry = attribute(18, attribute(16, b"blackhole_route\0") + attribute(19, u32(3)))
    entries = entry + attribute(18, attribute(16, b"ttl_value_is_too_small\0") + attribute(19, u32(4)))
    hardware = Summary.decode(attribute(0, u32(0)) + attribute(17, entries))
    assert hardware.points == ()
    assert hardware.hw_entries == (
        HwEntry(name="blackhole_route", count=3),
        HwEntry(name="ttl_value_is_too_small", count=4),
    )
    assert hardware.unknown == ()


def test_configuration_and_counters() -> None:
    config = attribute(1, b"\1") + attribute(9, u32(60)) + attribute(11, u32(1000))
    assert Config.decode(config) == Config(alert_mode=AlertMode.PACKET, trunc_len=60, queue_len=1000)
    assert Drops(sw_drops=True).encode() == attribute(20, b"")
    assert Drops(hw_drops=True).encode() == attribute(21, b"")
    stats = Stats.decode(attribute(12, attribute(8, b"") + attribute(0, u64(5))) + attribute(13, attribute(0, u64(2))))
    assert stats == Stats(stats=Counters(dropped=5), hw_stats=Counters(dropped=2))
    assert (stats.dropped, Stats().dropped) == (7, 0)


def test_a_double_of_it() -> None:
    asked: list[Any] = []
    items = [Packet(reason="NO_SOCKET", payload=FRAME, hw_protocol=0x0800), Overrun(3), Summary(points=[])]
    with serve(drop_monitor.Conn, {"configure": asked.append, "start": asked.append, "listen": lambda: items}) as drops:
        drops.configure(trunc_len=60)
        drops.start(hw_drops=True)
        with drops.listen(on_overrun="mark") as events:
            found = list(events)
    assert asked == [Config(trunc_len=60), Drops(hw_drops=True)]
    assert [getattr(each, "reason", None) for each in found] == ["NO_SOCKET", None, None]
    assert isinstance(found[1], Overrun)
    assert found[1].lost == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"queue_len": 0}, "queue_len must be an int from 1 to 4294967295, not 0"),
        ({"trunc_len": -1}, "trunc_len must be an int from 0 to"),
        ({"trunc_len": True}, "trunc_len must be an int"),
        ({"trunc_len": 1 << 32}, "trunc_len must be an int"),
        ({"on_overrun": "resync"}, "on_overrun must be 'raise' or 'mark', not 'resync'"),
        ({"software": False}, "want drops of software=, of hardware=, or of both"),
    ],
)
def test_arguments_are_checked_first(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        drop_monitor.listen(**arguments)
    if arguments.keys() <= {"on_overrun", "software"}:
        with pytest.raises(ValueError, match=message):
            drop_monitor.listen_summary(**arguments)
