"""Lengths and checksums of packets, against a plain computation."""

from __future__ import annotations

import random
import struct

import pytest

from netlink.packet import fix_checksums
from packets import udp4, udp6

ADDRESS = bytes(range(0x20, 0x30))
OTHER = bytes(range(0xE0, 0xF0))
CARRIED = {6: (16, 20), 17: (6, 8), 1: (2, 4), 58: (2, 4)}  # where the checksum is, and the least length


def folded(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ip4(proto: int, body: bytes, *, options: bytes = b"", fragment: int = 0) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, 0, 1, 7, fragment, 64, proto, 0xABCD)
    return head + ADDRESS[:4] + OTHER[:4] + options + body


def ip6(proto: int, body: bytes) -> bytes:
    return struct.pack(">IHBB", 6 << 28, 1, proto, 64) + ADDRESS + OTHER + body


def pseudo(version: int, proto: int, size: int, to: bytes = OTHER) -> bytes:
    if version == 4:
        return ADDRESS[:4] + to[:4] + struct.pack(">HH", proto, size)
    return ADDRESS + to + struct.pack(">II", size, proto)


@pytest.mark.parametrize(("version", "proto"), [(4, 6), (4, 17), (4, 1), (6, 6), (6, 17), (6, 58)])
def test_lengths_and_checksums(version: int, proto: int) -> None:
    chance = random.Random(proto)
    at, least = CARRIED[proto]
    for size in (least, least + 1, 100, 1479, 1480, 65_000):
        body = chance.randbytes(size)
        packet = ip4(proto, body) if version == 4 else ip6(proto, body)
        fixed = fix_checksums(packet)
        head, new = (fixed[:20], fixed[20:]) if version == 4 else (fixed[:40], fixed[40:])
        if version == 4:
            assert folded(head) == 0xFFFF
            assert struct.unpack_from(">H", head, 2) == (20 + size,)
        else:
            assert struct.unpack_from(">H", head, 4) == (size,)
        assert folded((b"" if proto == 1 else pseudo(version, proto, size)) + new) == 0xFFFF
        kept = bytearray(body)
        kept[at : at + 2] = new[at : at + 2]
        if proto == 17:
            assert struct.unpack_from(">H", new, 4) == (size,)
            kept[4:6] = new[4:6]
        assert new == kept
        assert fix_checksums(memoryview(fixed)) == fix_checksums(bytearray(fixed)) == fixed


def test_a_udp_checksum_of_zero_is_sent_as_all_ones() -> None:
    packet = bytearray(fix_checksums(udp4(b"\0\0")))
    packet[28:30] = packet[26:28]
    assert bytes(fix_checksums(packet)[26:28]) == b"\xff\xff"


def test_behind_options_and_extension_headers() -> None:
    body = bytes(6) + bytes(20)
    with_options = fix_checksums(ip4(17, body, options=b"\1\1\1\0"))
    assert folded(with_options[:24]) == 0xFFFF
    assert folded(pseudo(4, 17, 26) + with_options[24:]) == 0xFFFF
    extended = fix_checksums(ip6(0, bytes([60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0]) + body))
    assert folded(pseudo(6, 17, 26) + extended[56:]) == 0xFFFF


@pytest.mark.parametrize("kind", [0, 4])
def test_the_destination_is_the_last_of_a_route(kind: int) -> None:
    last, first = bytes(range(16)), bytes(16)
    addresses = last + first if kind == 4 else first + last
    fixed = fix_checksums(ip6(43, bytes([17, 4, kind, 1, 0, 0, 0, 0]) + addresses + bytes(10)))
    assert folded(pseudo(6, 17, 10, last) + fixed[80:]) == 0xFFFF


def test_fragments_and_other_protocols_keep_what_they_carry() -> None:
    for packet in (ip4(17, b"x" * 9, fragment=0x2000), ip4(6, b"x" * 9, fragment=1), ip4(132, b"x" * 9), ip4(58, b"x")):
        fixed = fix_checksums(packet)
        assert (folded(fixed[:20]), fixed[20:]) == (0xFFFF, packet[20:])
    for body in (bytes([17, 0, 0, 1, 0, 0, 0, 9]) + b"x" * 9, bytes([17, 0, 0, 8, 0, 0, 0, 9]) + b"x" * 3):
        assert fix_checksums(ip6(44, body))[40:] == body


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"", "0 bytes"),
        (b"x", "neither"),
        (b"\x45", "header"),
        (b"\x44" + bytes(30), "header"),
        (b"\x4f" + bytes(30), "header"),
        (b"\x60", "header"),
        (ip6(0, b"\x11\1" + bytes(8)), "header"),
        (ip6(44, b"\x11"), "header"),
        (ip6(0, bytes(8) * 40), "header"),
        (ip4(6, bytes(19)), "TCP"),
        (ip4(17, bytes(7)), "UDP"),
        (udp6()[:41], "UDP"),
        (ip4(1, bytes(3)), "ICMP"),
        (ip4(17, bytes(65_516)), "length field"),
        (ip6(17, bytes(65_536)), "length field"),
    ],
)
def test_packets_without_checksums(packet: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        fix_checksums(packet)


def test_any_bytes() -> None:
    chance = random.Random(9)
    for _ in range(3000):
        data = bytearray(chance.choice((udp4(), udp6(), ip6(43, bytes(60)))))
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            fixed = fix_checksums(data[: chance.randrange(len(data) + 1)])
        except ValueError:
            continue
        assert fix_checksums(fixed) == fixed


def test_no_bytes() -> None:
    for wrong in ("x", 3, None):
        with pytest.raises(TypeError):
            fix_checksums(wrong)  # type: ignore[arg-type]
