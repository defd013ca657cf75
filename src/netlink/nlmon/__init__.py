"""Capture netlink itself: what the programs of a network namespace ask the kernel, and what it answers.

    from netlink import nlmon

    decoder = nlmon.Decoder()
    with nlmon.listen() as tap:
        for datagram in tap:
            for seen in decoder.decode(datagram):
                print(seen.direction.name, seen.family, seen.operation, seen.record)

It needs CAP_NET_ADMIN for the link that captures, CAP_NET_RAW to read from it, and a kernel with CONFIG_NLMON.
`python -m netlink.nlmon` prints messages as they pass. `Writer` writes files that Wireshark and tshark read, and `read`
reads them, which needs no privilege.
"""

from __future__ import annotations

from netlink.nlmon.datagram import Datagram
from netlink.nlmon.decoder import Decoder, Direction, Seen
from netlink.nlmon.pcap import CaptureError, Writer, read
from netlink.nlmon.tap import Tap, listen

__all__ = ["CaptureError", "Datagram", "Decoder", "Direction", "Seen", "Tap", "Writer", "listen", "read"]
