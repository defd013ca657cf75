"""Packets that firewall rules queue for a verdict of a program: nfnetlink_queue.

    from netlink.netfilter import nfqueue

    # nft add rule inet filter input udp dport 53 queue to 5 bypass
    with nfqueue.listen(5) as queue:
        for packet in queue:
            queue.accept(packet)

Needs CAP_NET_ADMIN in the user namespace of the network namespace.
"""

from __future__ import annotations

from netlink.netfilter.nfqueue.family import Conn, dial, dial_async
from netlink.netfilter.nfqueue.queue import Queue, Stats, listen
from netlink.netfilter.nfqueue.records import (
    VLAN,
    Config,
    ConfigCmd,
    ConfigCommand,
    ConfigFlags,
    ConfigParams,
    CopyMode,
    CtInfo,
    Decision,
    HwAddr,
    Packet,
    PacketHdr,
    SkbInfo,
    Timestamp,
    Verdict,
    VerdictHdr,
)
from netlink.packet import fix_checksums

__all__ = [
    "VLAN",
    "Config",
    "ConfigCmd",
    "ConfigCommand",
    "ConfigFlags",
    "ConfigParams",
    "Conn",
    "CopyMode",
    "CtInfo",
    "Decision",
    "HwAddr",
    "Packet",
    "PacketHdr",
    "Queue",
    "SkbInfo",
    "Stats",
    "Timestamp",
    "Verdict",
    "VerdictHdr",
    "dial",
    "dial_async",
    "fix_checksums",
    "listen",
]
