"""netlink.netfilter.nflog without a kernel: every NFULA_* attribute from bytes made by other means, and its options."""

from __future__ import annotations

import ipaddress
import pickle
import re
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink import DecodeError
from netlink.netfilter import _packet, nflog
from netlink.netfilter.nflog import VLAN, CtInfo, HwAddr, Packet, PacketHdr, Timestamp, records
from netlink.netfilter.nfnetlink import NfGenMsg
from packets import udp4
from probe import c_layout, c_names, c_values

HEADER = struct.pack(">BBH", 2, 0, 5)
NESTED = 0x8000
MISFIT = "Packet{}: an attribute's length does not fit the {} remaining bytes, at byte {}"
NFNETLINK_LOG_H = "linux/netfilter/nfnetlink_log.h"


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def be16(value: int) -> bytes:
    return struct.pack(">H", value)


def be32(value: int) -> bytes:
    return struct.pack(">I", value)


def flow() -> bytes:
    """CTA_* of a UDP flow, as the kernel nests them in NFULA_CT: without nfgenmsg."""

    def direction(type_: int, a: bytes, b: bytes, ports: tuple[int, int]) -> bytes:
        addresses = attribute(NESTED | 1, attribute(1, a) + attribute(2, b))
        proto = attribute(1, b"\x11") + attribute(2, be16(ports[0])) + attribute(3, be16(ports[1]))
        return attribute(NESTED | type_, addresses + attribute(NESTED | 2, proto))

    a, b = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
    return (
        direction(1, a, b, (1024, 9)) + direction(2, b, a, (9, 1024)) + attribute(3, be32(0x8)) + attribute(8, be32(7))
    )


# Attribute type, its bytes as the kernel writes them, and what each name reads.
ATTRIBUTES: list[tuple[int, bytes, dict[str, Any]]] = [
    (
        1,
        be16(0x0800) + bytes([3, 0]),
        {"packet_hdr": PacketHdr(hw_protocol=0x0800, hook=3, pad=0), "hw_protocol": 0x0800, "hook": 3},
    ),
    (2, be32(0xDEADBEEF), {"mark": 0xDEADBEEF}),
    (
        3,
        struct.pack(">QQ", 1_795_557_432, 999_999),
        {"time": Timestamp(sec=1_795_557_432, usec=999_999), "timestamp": 1_795_557_432_999_999_000},
    ),
    (4, be32(3), {"indev": 3}),
    (5, be32(4), {"outdev": 4}),
    (6, be32(5), {"physindev": 5}),
    (7, be32(6), {"physoutdev": 6}),
    (8, be16(6) + bytes(2) + bytes.fromhex("0200000000aa0000"), {"hwaddr": bytes.fromhex("0200000000aa")}),
    (9, udp4(), {"payload": udp4()}),
    (10, b"in: \0", {"prefix": "in: "}),
    (11, be32(1000), {"uid": 1000}),
    (12, be32(0xFFFFFFFF), {"seq": 0xFFFFFFFF}),
    (13, be32(17), {"seq_global": 17}),
    (14, be32(100), {"gid": 100}),
    (15, be16(772), {"hwtype": 772}),
    (16, bytes(range(14)), {"hwheader": bytes(range(14))}),
    (17, be16(14), {"hwlen": 14}),
    (19, be32(2), {"ct_info": CtInfo.NEW}),
    (NESTED | 20, attribute(1, be16(0x8100)) + attribute(2, be16(0x6005)), {"vlan": VLAN(proto=0x8100, tci=0x6005)}),
    (21, bytes(range(18)), {"l2hdr": bytes(range(18))}),
]
NAMES = [name for _, _, fields in ATTRIBUTES for name in fields]


@pytest.mark.parametrize(
    ("type_", "data", "fields"), ATTRIBUTES, ids=[str(type_ & 0x3FFF) for type_, _, _ in ATTRIBUTES]
)
def test_an_attribute(type_: int, data: bytes, fields: dict[str, Any]) -> None:
    packet = Packet.decode(HEADER + attribute(type_, data))
    assert packet.header == NfGenMsg(family=2, version=0, res_id=5)
    for name in NAMES:
        assert getattr(packet, name) == fields.get(name), name
    assert packet.unknown == ()
    assert Packet.decode(packet.encode()) == packet


def test_all_attributes_at_once_and_in_any_order() -> None:
    parts = [attribute(type_, data) for type_, data, _ in ATTRIBUTES]
    packet = Packet.decode(HEADER + b"".join(parts))
    assert packet == Packet.decode(HEADER + b"".join(reversed(parts)))
    for _, _, fields in ATTRIBUTES:
        for name, value in fields.items():
            assert getattr(packet, name) == value
    assert pickle.loads(pickle.dumps(packet)) == packet


def test_the_flow_in_a_packet() -> None:
    packet = Packet.decode(HEADER + attribute(NESTED | 18, flow()) + attribute(19, be32(3)))
    assert packet.ct is not None
    assert packet.ct.orig.src == ipaddress.ip_address("192.0.2.1")
    assert (packet.ct.orig.src_port, packet.ct.orig.dst_port, packet.ct.orig.proto) == (1024, 9, 17)
    assert packet.ct.reply.dst == ipaddress.ip_address("192.0.2.1")
    assert packet.ct.status == 8
    assert packet.ct.mark == 7
    assert packet.ct_info is CtInfo.ESTABLISHED_REPLY
    assert Packet.decode(packet.encode()) == packet


def test_nothing_at_all() -> None:
    packet = Packet.decode(HEADER)
    for name in [*NAMES, "ct"]:
        assert getattr(packet, name) is None
    assert Packet().timestamp is None
    assert Packet().hwaddr is None


def test_empty_attributes() -> None:
    """As of a packet without data or a rule without a prefix."""
    empty = b"".join(attribute(type_, b"") for type_ in (9, 10, 16, 21))
    packet = Packet.decode(HEADER + empty)
    assert packet.payload == b""
    assert packet.prefix == ""
    assert packet.hwheader == b""
    assert packet.l2hdr == b""
    assert Packet.decode(HEADER + attribute(10, b"\0")).prefix == ""
    # An empty struct is present, without values.
    packet = Packet.decode(HEADER + b"".join(attribute(type_, b"") for type_ in (1, 3, 8, NESTED | 20)))
    assert packet.packet_hdr is not None
    assert (packet.hw_protocol, packet.hook, packet.timestamp, packet.hwaddr) == (None, None, None, None)
    assert packet.vlan == VLAN()


def test_structs_of_other_kernels() -> None:
    packet = Packet.decode(HEADER + attribute(1, be16(0x86DD)) + attribute(3, struct.pack(">QQQ", 1, 2, 3)))
    assert (packet.hw_protocol, packet.hook) == (0x86DD, None)
    assert packet.timestamp == 1_000_002_000
    assert Packet.decode(HEADER + attribute(3, struct.pack(">Q", 1))).timestamp is None
    assert Packet.decode(HEADER + attribute(8, be16(6))).hwaddr is None


@pytest.mark.parametrize(("length", "found"), [(0, b""), (6, b"abcdef"), (8, b"abcdefgh"), (20, b"abcdefgh")])
def test_the_length_of_an_address(length: int, found: bytes) -> None:
    assert Packet.decode(HEADER + attribute(8, be16(length) + bytes(2) + b"abcdefgh")).hwaddr == found


def test_a_value_that_is_newer_than_its_enum() -> None:
    assert Packet.decode(HEADER + attribute(19, be32(99))).ct_info == 99


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "Packet: want a header of 4 bytes, got 0, at byte 0"),
        (HEADER[:3], "Packet: want a header of 4 bytes, got 3, at byte 0"),
        (HEADER + attribute(2, b"\0\0"), "Packet.mark: want 4 bytes, got 2, at byte 8"),
        (HEADER + attribute(2, be32(1)) + attribute(12, bytes(8)), "Packet.seq: want 4 bytes, got 8, at byte 16"),
        (HEADER + attribute(2, b""), "Packet.mark: want 4 bytes, got 0, at byte 8"),
        (HEADER + attribute(15, be32(1)), "Packet.hwtype: want 2 bytes, got 4, at byte 8"),
        (HEADER + attribute(NESTED | 20, attribute(2, b"\0")), "Packet.vlan.tci: want 2 bytes, got 1, at byte 12"),
        (
            HEADER + attribute(NESTED | 18, attribute(NESTED | 1, attribute(NESTED | 2, attribute(2, b"\0")))),
            "Packet.ct.orig.src_port: want 2 bytes, got 1, at byte 20",
        ),
        (HEADER + struct.pack("=HH", 3, 9), MISFIT.format("", 4, 4)),
        (HEADER + struct.pack("=HH", 40, 9) + b"short", MISFIT.format("", 9, 4)),
        (
            HEADER + attribute(NESTED | 20, struct.pack("=HH", 9, 1)),
            MISFIT.format(".vlan", 4, 8),
        ),
    ],
)
def test_malformed(data: bytes, error: str) -> None:
    with pytest.raises(DecodeError) as raised:
        Packet.decode(data)
    assert str(raised.value) == error


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    try:
        packet = Packet.decode(HEADER + data)
    except DecodeError:
        return
    for name in [*NAMES, "ct", "unknown"]:
        getattr(packet, name)
    repr(packet)


u8, u16, u32, u64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 64))
HEADERS = st.builds(NfGenMsg, family=u8, version=u8, res_id=u16)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "packet_hdr": st.builds(PacketHdr, hw_protocol=u16, hook=u8, pad=u8),
    "mark": u32,
    "time": st.builds(Timestamp, sec=u64, usec=u64),
    "indev": u32,
    "outdev": u32,
    "physindev": u32,
    "physoutdev": u32,
    "hw": st.builds(HwAddr, length=u16, pad=u16, address=st.binary(min_size=8, max_size=8)),
    "prefix": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=127),
    "uid": u32,
    "seq": u32,
    "seq_global": u32,
    "gid": u32,
    "hwtype": u16,
    "hwheader": st.binary(max_size=40),
    "hwlen": u16,
    "ct_info": st.sampled_from(CtInfo),
    "vlan": st.builds(VLAN, proto=u16, tci=u16),
    "l2hdr": st.binary(max_size=40),
    "payload": st.binary(max_size=300),
}


@given(st.fixed_dictionaries({"header": HEADERS}, optional=VALUES))
def test_encoded_packets_decode_to_equal_ones(values: dict[str, Any]) -> None:
    packet = Packet(**values)
    again = Packet.decode(packet.encode())
    assert again == packet
    assert again.to_dict() == packet.to_dict()
    for name, value in values.items():
        assert getattr(again, name) == value


def test_the_attributes_are_those_of_the_header() -> None:
    """Every NFULA_* that the installed header has is declared, under its number; and structs have their sizes."""
    sources = [Path(records.__file__), Path(_packet.__file__)]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    declared = {name: int(number) for number, name in re.findall(r"= \w+\((\d+)[^#\n]*# (NFULA_\w+)", text)}
    known = c_names([NFNETLINK_LOG_H], r"NFULA_(?!CFG_|VLAN_)\w+") - {"NFULA_UNSPEC", "NFULA_MAX"}
    vlan = c_names([NFNETLINK_LOG_H], r"NFULA_VLAN_\w+") - {"NFULA_VLAN_UNSPEC", "NFULA_VLAN_MAX"}
    assert known | vlan <= declared.keys()
    assert c_values([NFNETLINK_LOG_H], sorted(known | vlan)) == {name: declared[name] for name in known | vlan}
    layout = c_layout(
        [NFNETLINK_LOG_H],
        {
            "struct nfulnl_msg_packet_hdr": ["hw_protocol", "hook"],
            "struct nfulnl_msg_packet_hw": ["hw_addrlen", "hw_addr"],
            "struct nfulnl_msg_packet_timestamp": ["sec", "usec"],
        },
    )
    assert [found.size for found in layout.values()] == [
        len(PacketHdr(hw_protocol=0, hook=0, pad=0).encode()),
        len(HwAddr(length=0, pad=0, address=bytes(8)).encode()),
        len(Timestamp(sec=0, usec=0).encode()),
    ]


# Options


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"group": -1}, "group must be an int from 0 to 65535, not -1"),
        ({"group": 65536}, "group must be an int from 0 to 65535, not 65536"),
        ({"group": "5"}, "group must be an int from 0 to 65535, not '5'"),
        ({"group": True}, "group must be an int"),
        ({"copy_range": -1}, "copy_range must be an int from 0 to 65535, not -1"),
        ({"copy_range": 65536}, "copy_range must be an int from 0 to 65535"),
        ({"queue_threshold": 0}, "queue_threshold must be an int from 1 to 4294967295, not 0"),
        ({"queue_threshold": 1 << 32}, "queue_threshold must be an int"),
        ({"timeout": -0.1}, "timeout must be a number from 0 to 42949 seconds, not -0.1"),
        ({"timeout": 42950}, "timeout must be a number from 0 to 42949 seconds, not 42950"),
        ({"timeout": float("nan")}, "timeout must be a number"),
        ({"timeout": None}, "timeout must be a number"),
        ({"buffer_size": 1000}, r"buffer_size must be an int from \d+ to 131072, not 1000"),
        ({"buffer_size": 131073}, r"buffer_size must be an int from \d+ to 131072, not 131073"),
        ({"read_buffer": -1}, "read buffer|buffer"),
    ],
    ids=str,
)
def test_options_out_of_range(options: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        nflog.listen(**{"group": 5, **options})
