"""What nft(8) sends to the kernel, from what it prints by `--debug=mnl`."""

from __future__ import annotations

import re
import struct

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_TYPE = re.compile(r"\| (\d+) \| \S+ \|\s+\|  type \| flags")
_ATTRIBUTE = re.compile(r"\|(\d+)\|([N-])([B-])\|(\d+)\|\s+\|len \|flags\| type")
_WORD = re.compile(r"\| (..) (..) (..) (..)  \|\s+\|\s+(?:data|extra header)")


def messages(printed: str) -> list[tuple[int, bytes]]:
    """The messages, as types and payloads."""
    found: list[tuple[int, bytearray]] = []
    for line in _COLOURS.sub("", printed).splitlines():
        if match := _TYPE.match(line):
            found.append((int(match[1]), bytearray()))
        elif match := _ATTRIBUTE.match(line):
            kind = int(match[4]) | (0x8000 if match[2] == "N" else 0) | (0x4000 if match[3] == "B" else 0)
            found[-1][1].extend(struct.pack("=HH", int(match[1]), kind))
        elif match := _WORD.match(line):
            found[-1][1].extend(bytes.fromhex("".join(match.groups())))
    return [(kind, bytes(payload)) for kind, payload in found]
