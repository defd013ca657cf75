"""What the kernel sent once: the files of tests/data, which tools/record.py writes.

A file holds datagrams as they were received, one after the other, each behind its length: 4 bytes, little-endian.
"""

from __future__ import annotations

import struct
from pathlib import Path

DATA = Path(__file__).parent / "data"


def datagrams(name: str) -> list[bytes]:
    """The datagrams of a file."""
    whole = (DATA / name).read_bytes()
    found: list[bytes] = []
    at = 0
    while at < len(whole):
        (size,) = struct.unpack_from("<I", whole, at)
        found.append(whole[at + 4 : at + 4 + size])
        at += 4 + size
    assert at == len(whole), f"{name} is cut short"
    return found


def payloads(name: str) -> list[bytes]:
    """What follows nlmsghdr in the messages of a file, netlink's own messages left out."""
    found: list[bytes] = []
    for datagram in datagrams(name):
        at = 0
        while at + 16 <= len(datagram):
            length, type_ = struct.unpack_from("=IH", datagram, at)
            if type_ >= 16:  # NLMSG_MIN_TYPE
                found.append(datagram[at + 16 : at + length])
            at += length + -length % 4
    return found


def write(name: str, datagrams: list[bytes]) -> None:
    """Make a file of datagrams."""
    (DATA / name).write_bytes(b"".join(struct.pack("<I", len(datagram)) + datagram for datagram in datagrams))
