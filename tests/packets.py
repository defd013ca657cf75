"""Logged packets that no kernel has seen."""

from __future__ import annotations

import struct
from typing import Any

from netlink.netfilter.nflog import HwAddr, Packet, PacketHdr, Timestamp
from netlink.netfilter.nfnetlink import NfGenMsg

IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
SECOND = 1_795_557_432


def udp4(data: bytes = b"hello", source: int = 1024, destination: int = 9) -> bytes:
    """An IPv4 packet from 192.0.2.1 to 192.0.2.2."""
    udp = struct.pack(">HHHH", source, destination, 8 + len(data), 0) + data
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 7, 0x4000, 64, 17, 0)
    return ip + bytes([192, 0, 2, 1, 192, 0, 2, 2]) + udp


def udp6(data: bytes = b"hello", source: int = 1024, destination: int = 9) -> bytes:
    """An IPv6 packet from 2001:db8::1 to 2001:db8::2."""
    udp = struct.pack(">HHHH", source, destination, 8 + len(data), 0) + data
    prefix = bytes.fromhex("20010db8") + bytes(11)
    return struct.pack(">IHBB", 6 << 28, len(udp), 17, 64) + prefix + b"\x01" + prefix + b"\x02" + udp


def packet(payload: bytes | None, protocol: int = IPV4, *, group: int = 5, **values: Any) -> Packet:
    """A packet received on interface 3, in the second SECOND."""
    fields: dict[str, Any] = {
        "header": NfGenMsg(family=10 if protocol == IPV6 else 2, res_id=group),
        "packet_hdr": PacketHdr(hw_protocol=protocol, hook=1),
        "time": Timestamp(sec=SECOND, usec=123_456),
        "indev": 3,
        "hw": HwAddr(length=6, address=bytes.fromhex("0200000000aa0000")),
        "prefix": "in: ",
        "payload": payload,
    }
    return Packet(**(fields | values))
