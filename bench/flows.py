"""A conntrack table to measure with, in a network namespace of its own.

fill(n) creates n flows in the namespace of this process: TCP and UDP over IPv4, two to one, no two alike in
addresses, ports and timeout, with counters and timestamps, so that the kernel dumps each with about 300
bytes.

net.netfilter.nf_conntrack_max bounds the table. It is the machine's, and read-only in other namespaces, but
compared with each namespace's own count (Linux 6.18: 262,144 in each of two namespaces at once, ENOMEM for
one more). A larger table needs a larger value on the host, which is not for a benchmark to set.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from _common import enter_private_netns, machine, print_machine, require_private_netns

import netlink
from netlink import Family, Header, HeaderFlags, Message

SYSCTL = Path("/proc/sys/net/netfilter")
BATCH = 256

# linux/netfilter/nfnetlink_conntrack.h
CT_NEW = 1 << 8 | 0  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW
CT_GET = 1 << 8 | 1  # IPCTNL_MSG_CT_GET
CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_STATUS, CTA_PROTOINFO, CTA_TIMEOUT, CTA_MARK = 1, 2, 3, 4, 7, 8
CTA_TUPLE_IP, CTA_TUPLE_PROTO = 1, 2
CTA_IP_V4_SRC, CTA_IP_V4_DST = 1, 2
CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT = 1, 2, 3
CTA_PROTOINFO_TCP = 1
CTA_PROTOINFO_TCP_STATE, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, CTA_PROTOINFO_TCP_WSCALE_REPLY = 1, 2, 3
CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, CTA_PROTOINFO_TCP_FLAGS_REPLY = 4, 5
WINDOW_SCALE_AND_SACK = b"\3\3"  # struct nf_ct_tcp_flags: flags, mask (linux/netfilter/nf_conntrack_tcp.h)
# linux/netfilter/nf_conntrack_common.h: CONFIRMED is demanded (EBUSY). Without ASSURED, and without a TCP
# state that says the same, the kernel drops flows early when the table is nearly full.
IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED = 2, 4, 8
TCP_CONNTRACK_ESTABLISHED = 3
TCP, UDP = 6, 17
NFGENMSG_IPV4 = b"\2\0\0\0"


def limit() -> int:
    """The most flows that a namespace of this machine can hold."""
    return int((SYSCTL / "nf_conntrack_max").read_text())


def count() -> int:
    return int((SYSCTL / "nf_conntrack_count").read_text())


def dump_request() -> Message:
    """Ask for the whole table, all families."""
    return Message(Header(type=CT_GET, flags=HeaderFlags.REQUEST | HeaderFlags.DUMP), b"\0\0\0\0")


def requests(n: int) -> Iterator[Message]:
    """n flows to create, the same ones every time."""
    header = Header(type=CT_NEW, flags=HeaderFlags.REQUEST | HeaderFlags.CREATE | HeaderFlags.EXCL)
    for i in range(n):
        yield Message(header, NFGENMSG_IPV4 + flow(i))


def flow(i: int) -> bytes:
    """The attributes of the i-th flow."""
    scattered = i * 0x9E3779B1 & 0xFFFFFF  # another value for each i below 2**24: the multiplier is odd
    proto = UDP if i % 3 == 2 else TCP
    client, server = 0x0A000000 | scattered, 0xC6120000 | i * 40503 & 0x1FFFF  # 10/8 to 198.18/15
    client_port, server_port = 1024 + scattered % 64000, (443, 80, 53, 22, 8080, 5432)[i % 6]
    e = netlink.AttributeEncoder("big")
    for type_, (source, destination, source_port, destination_port) in (
        (CTA_TUPLE_ORIG, (client, server, client_port, server_port)),
        (CTA_TUPLE_REPLY, (server, client, server_port, client_port)),
    ):
        with e.nested(type_) as tuple_:
            with tuple_.nested(CTA_TUPLE_IP) as ip:
                ip.uint32(CTA_IP_V4_SRC, source)
                ip.uint32(CTA_IP_V4_DST, destination)
            with tuple_.nested(CTA_TUPLE_PROTO) as ports:
                ports.uint8(CTA_PROTO_NUM, proto)
                ports.uint16(CTA_PROTO_SRC_PORT, source_port)
                ports.uint16(CTA_PROTO_DST_PORT, destination_port)
    e.uint32(CTA_STATUS, IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED)
    e.uint32(CTA_TIMEOUT, 100_000 + i % 300_000)
    e.uint32(CTA_MARK, i % 1000)
    if proto == TCP:
        with e.nested(CTA_PROTOINFO) as info, info.nested(CTA_PROTOINFO_TCP) as tcp:
            tcp.uint8(CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED)
            tcp.uint8(CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, 7)
            tcp.uint8(CTA_PROTOINFO_TCP_WSCALE_REPLY, 10)
            tcp.bytes(CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, WINDOW_SCALE_AND_SACK)
            tcp.bytes(CTA_PROTOINFO_TCP_FLAGS_REPLY, WINDOW_SCALE_AND_SACK)
    return e.encode()


def fill(n: int) -> float:
    """Create n flows in this process's namespace, which must be a private and empty one. Seconds it took.

    SystemExit where the kernel holds another number in the end, with what it said.
    """
    require_private_netns()
    if count():
        raise SystemExit(f"the namespace has {count()} flows already")
    # Before the first flow: extensions are added when a flow is made.
    for name in ("nf_conntrack_acct", "nf_conntrack_timestamp"):
        (SYSCTL / name).write_text("1")
    wanted = requests(n)
    start = time.perf_counter()
    with netlink.dial(Family.NETFILTER) as conn:
        try:
            while batch := list(islice(wanted, BATCH)):
                conn.send_messages(batch)
        except netlink.OpError as error:
            raise SystemExit(f"creating flows: {error}") from error
        seconds = time.perf_counter() - start
        if count() != n:
            said = first_error(conn)
            raise SystemExit(f"{count()} flows, not {n}; nf_conntrack_max is {limit()}; the kernel: {said}")
    return seconds


def first_error(conn: netlink.Conn) -> object:
    """What the kernel refused first: without ACKNOWLEDGE only errors are answered."""
    conn.set_read_deadline(time.monotonic() + 0.1)
    try:
        conn.receive()
    except netlink.OpError as error:
        return error
    return "nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill a private namespace's conntrack table and say what that took.")
    parser.add_argument("--flows", type=int, default=limit(), help="how many (default: the limit, %(default)s)")
    args = parser.parse_args()
    enter_private_netns()
    seconds = fill(args.flows)
    print_machine(machine())
    print(f"{count()} flows in {seconds:.2f} s, {seconds / args.flows * 1e6:.2f} us each; limit {limit()}")


if __name__ == "__main__":
    main()
