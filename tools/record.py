"""Records what this machine's kernel sends into tests/data: flows, events, logged packets of a private namespace.

    sudo .venv/bin/python tools/record.py

Needs nft(8), and a kernel with ctnetlink and nfnetlink_log. All addresses are made up. Tests, fuzzers and benchmarks
read the files by tests/recorded.py, which says what is in them. They have the byte order of the machine that wrote
them: a little-endian one.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import netns
import recorded
from kernel import flows
from netlink import Header, HeaderFlags, Message
from netlink.netfilter import conntrack, nflog
from netlink.netfilter.conntrack import NAT, Flow, Tuple

GROUP = 5
CT_GET_DUMP = Message(Header(type=0x101, flags=HeaderFlags.REQUEST | HeaderFlags.DUMP), bytes(4))


def receive(fileno: int, until_done: bool = False) -> list[bytes]:
    """The datagrams that are queued, or those of a reply."""
    found: list[bytes] = []
    with socket.socket(fileno=os.dup(fileno)) as sock:
        while True:
            try:
                datagram = sock.recv(1 << 20, 0 if until_done else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            found.append(datagram)
            if until_done and datagram[4:6] == b"\3\0":  # NLMSG_DONE
                return found


def fill(ct: conntrack.Conn) -> None:
    """Flows of all sorts, by hand and by packets."""
    for flow in flows.varied():
        ct.create(flow)
    master = Flow(**flows.tuples(9000, flows.TCP), timeout=600, helper="ftp", labels=bytes([6, *bytes(15)]))
    ct.create(master)
    child = flows.tuples(9001, flows.UDP)
    of = master.orig
    ct.create(
        Flow(**child, timeout=600, master=Tuple(src=of.src, dst=of.dst, proto=6, src_port=of.src_port, dst_port=443))
    )
    to = NAT(min_ip="198.51.100.7", max_ip="198.51.100.7", min_port=5000, max_port=5000)
    ct.create(Flow(**flows.tuples(9002, flows.UDP), timeout=600, nat_src=to))
    for address in ("127.0.0.1", "::1"):
        flows.datagrams([10, 1000, 0], address)
        flows.connection(address)


def main() -> None:
    netns.enter_private()
    recorded.DATA.mkdir(exist_ok=True)
    with netns.fresh(), conntrack.dial() as ct:
        flows.accounting()
        flows.track()
        flows.nft("add rule inet t in udp dport 9 ct label set 3")
        with conntrack.listen() as stream:
            fill(ct)
            ct.conn.send(CT_GET_DUMP)
            recorded.write("conntrack_flows", receive(ct.conn.fileno(), until_done=True))
            for flow in ct.dump():
                ct.update(Flow(orig=flow.orig, zone=flow.zone, mark=7))
                ct.delete(flow)
            recorded.write("conntrack_events", receive(stream.fileno()))
        with nflog.listen(GROUP, queue_threshold=4, timeout=100, copy_range=200) as log:
            flows.nft(f'add rule inet t in log group {GROUP} prefix "recorded: "')
            for address in ("127.0.0.1", "::1"):
                flows.datagrams([0, 1, 10, 1000], address)
                flows.connection(address)
            recorded.write("nflog_packets", receive(log.fileno()))
    for path in sorted(recorded.DATA.iterdir()):
        print(path.name, path.stat().st_size, "bytes", len(recorded.datagrams(path.name)), "datagrams")


if __name__ == "__main__":
    main()
