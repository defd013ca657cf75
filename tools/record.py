"""Records what this machine's kernel sends into tests/data, of what private namespaces are filled with: flows, events,
logged and queued packets, sockets, links, addresses, routes, the families of generic netlink, features and link
modes, refusals.

    sudo .venv/bin/python tools/record.py

Needs nft(8), iptables(8), ip(8), and a kernel with ctnetlink, nfnetlink_log and nfnetlink_queue. All addresses are made
up. Tests, fuzzers and benchmarks read the files by tests/recorded.py, which says what is in them. They have the byte
order of the machine that wrote them: a little-endian one.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import netlink
import netns
import recorded
from kernel import flows, rulesets
from netlink import ConnOption, Family, Header, HeaderFlags, Message, sock_diag
from netlink.generic import ethtool, nlctrl
from netlink.netfilter import conntrack, nflog, nfqueue, nftables
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
            if until_done and struct.unpack_from("=IH", datagram, len(datagram) - 20) == (20, 3):  # NLMSG_DONE
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


def record_netfilter() -> None:
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


def record_nftables() -> None:
    with netns.fresh(), nftables.dial() as nft:
        rulesets.prepare()
        for rules in rulesets.RULES.values():
            for chain, text in rules:
                rulesets.nft(f"add rule {chain} {text}")
        recorded.write("nftables_rules", dumped(Family.NETFILTER, nftables.Command.GETRULE, bytes(4)))
        recorded.write("nftables_sets", dumped(Family.NETFILTER, nftables.Command.GETSET, bytes(4)))
        found: list[bytes] = []
        for one in nft.sets():
            request = nftables.ElementList(family=one.family, table=one.table, set=one.name)
            found += dumped(Family.NETFILTER, nftables.Command.GETSETELEM, request.encode())
        recorded.write("nftables_elements", found)


def record_queued() -> None:
    """Packets of all sorts in a queue, and a refused verdict."""
    with netns.fresh():
        for tool in ("iptables", "ip6tables"):
            subprocess.run([tool, "-w", "-A", "INPUT", "-j", "NFQUEUE", "--queue-num", "5"], check=True)
        with nfqueue.listen(GROUP, copy_range=200, uid_gid=True) as queue:
            for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                with socket.socket(family, socket.SOCK_DGRAM) as sink, socket.socket(family, socket.SOCK_DGRAM) as sock:
                    sink.bind((address, 9))
                    for size in (0, 1, 2, 3, 10, 1000):
                        sock.sendto(bytes(size), (address, 9))
            queue.accept(77)
            recorded.write("nfqueue_packets", receive(queue.fileno()))


def ip(*commands: str) -> None:
    """By ip(8), which says what this kernel lacks and goes on."""
    subprocess.run(["ip", "-force", "-batch", "-"], input="\n".join(commands), text=True, check=False)


def dumped(family: int, kind: int, payload: bytes) -> list[bytes]:
    """The reply to a dump request."""
    with netlink.dial(family) as conn:
        conn.send(Message(Header(type=kind, flags=HeaderFlags.REQUEST | HeaderFlags.DUMP), payload))
        return receive(conn.fileno(), until_done=True)


def record_route() -> None:
    with netns.fresh():
        ip(
            "link add br0 type bridge",
            "link add v0 type veth peer name v1",
            "link add link v0 name v0.7 type vlan id 7",
            "link add vx0 type vxlan id 42 dev v0 dstport 4789",
            "link set dev v0 mtu 1400 alias uplink",
            "link set v1 master br0",
            *(f"link set {name} up" for name in ("br0", "v0", "v1")),
            "addr add 192.0.2.1/24 dev v0 label v0:one",
            "addr add 198.51.100.1/32 peer 198.51.100.2 dev br0",
            "addr add 2001:db8::1/64 dev v0 nodad",
            *(f"route add 10.{i}.0.0/16 via 192.0.2.{2 + i} dev v0 metric {i}" for i in range(20)),
            "route add 10.100.0.0/16 nexthop via 192.0.2.7 weight 2 nexthop via 192.0.2.8 dev v0",
            "route add 10.101.0.0/16 dev v0 src 192.0.2.1 mtu lock 1300 advmss 1200 rto_min 50ms",
            "route add blackhole 10.102.0.0/16",
            "route add unreachable 10.103.0.0/16 table 1000",
            "route add prohibit 10.104.0.0/16 tos 0x10",
            *(f"route add 2001:db8:{i}::/48 via 2001:db8::{2 + i} dev v0 pref high" for i in range(1, 6)),
        )
        for name, kind, payload in (
            ("links", 18, bytes(16)),  # RTM_GETLINK, struct ifinfomsg
            ("addresses", 22, bytes(8)),  # RTM_GETADDR, struct ifaddrmsg
            ("routes", 26, bytes(12)),  # RTM_GETROUTE, struct rtmsg
        ):
            recorded.write(name, dumped(Family.ROUTE, kind, payload))


def record_families() -> None:
    with netns.fresh():
        recorded.write("families", dumped(Family.GENERIC, 16, bytes([3, 2, 0, 0])))  # CTRL_CMD_GETFAMILY


def record_ethtool() -> None:
    """Features with names, and link modes, of devices of several drivers."""
    with netns.fresh(), nlctrl.dial() as ctrl:
        ip("link add v0 type veth peer name v1", "link add br0 type bridge", "link set v0 up", "link set v1 up")
        number = ctrl.get_family("ethtool").id or 0
        for name, command in (
            ("ethtool_features", ethtool.Command.FEATURES_GET),
            ("ethtool_link_modes", ethtool.Command.LINKMODES_GET),
        ):
            recorded.write(name, dumped(Family.GENERIC, number, bytes([command, 1, 0, 0])))


def record_sockets() -> None:
    """Sockets of TCP, Unix, netlink and packets in the states that programs bring them into."""
    with netns.fresh(), sock_diag.dial() as diag, contextlib.ExitStack() as opened:
        keep = opened.enter_context
        for address in ("127.0.0.1", "::1"):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            server = keep(socket.create_server((address, 0), family=family))
            for _ in range(3):
                client, accepted = keep(socket.create_connection(server.getsockname()[:2])), keep(server.accept()[0])
                client.sendall(bytes(3000))
                accepted.recv(3000, socket.MSG_WAITALL)
            socket.create_connection(server.getsockname()[:2]).close()
            server.accept()[0].close()  # one is in TIME_WAIT now
            keep(socket.create_connection(server.getsockname()[:2])).shutdown(socket.SHUT_WR)
        many = keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP))
        many.bind(("127.0.0.1", 0))
        many.listen()
        keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)).connect(many.getsockname())
        folder = keep(tempfile.TemporaryDirectory())
        for name in (f"{folder}/s", "\0recorded"):
            listener = keep(socket.socket(socket.AF_UNIX))
            listener.bind(name)
            listener.listen()
            keep(socket.socket(socket.AF_UNIX)).connect(name)
        for _ in range(2):
            for one in socket.socketpair():
                keep(one)
        for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
            for _ in range(3):
                packets = keep(socket.socket(socket.AF_PACKET, kind, 0x0300))  # ETH_P_ALL
                packets.bind(("lo", 3))
        keep(netlink.dial(Family.ROUTE, netlink.Config(groups=1)))
        for name, call in (
            ("tcp_sockets", diag.calls.tcp(include=sock_diag.Include.ALL)),
            ("unix_sockets", diag.calls.unix()),
            ("netlink_sockets", diag.calls.netlink()),
            ("packet_sockets", diag.calls.packet()),
        ):
            diag.conn.send(call.message)
            recorded.write(name, receive(diag.conn.fileno(), until_done=True))


def record_errors() -> None:
    """Acknowledgements and refusals, with and without what the kernel says beyond the number."""
    no_link = struct.pack("=BxHiII", 0, 0, 99, 0, 0)
    bad_name = bytes(16) + struct.pack("=HH4s", 8, 3, b"a/b")  # IFLA_IFNAME
    bad_route = struct.pack("=8BI", 2, 33, 0, 0, 254, 4, 253, 1, 0) + struct.pack("=HH4s", 8, 1, bytes(4))
    acknowledged = HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE
    create = acknowledged | HeaderFlags.CREATE | HeaderFlags.EXCL
    requests = [
        Message(Header(type=1, flags=acknowledged)),  # NLMSG_NOOP
        Message(Header(type=18, flags=acknowledged), no_link),  # RTM_GETLINK
        Message(Header(type=16, flags=create), bad_name),  # RTM_NEWLINK
        Message(Header(type=24, flags=create), bad_route),  # RTM_NEWROUTE
        Message(Header(type=26, flags=acknowledged), bytes(12)),  # RTM_GETROUTE of no family
        Message(Header(type=999, flags=acknowledged)),  # what there is not
    ]
    extended = (ConnOption.EXTENDED_ACKNOWLEDGE,)
    found = []
    with netns.fresh():
        for options in ((), extended, (ConnOption.CAP_ACKNOWLEDGE, *extended)):
            with netlink.dial(Family.ROUTE) as conn:
                for option in options:
                    conn.set_option(option, True)
                for request in requests:
                    conn.send(request)
                found += receive(conn.fileno())  # the kernel answers before send returns
    recorded.write("errors", found)


def main() -> None:
    if refusal := netns.enter_private():
        raise SystemExit(refusal)
    recorded.DATA.mkdir(exist_ok=True)
    parts = (
        record_netfilter,
        record_queued,
        record_nftables,
        record_route,
        record_families,
        record_ethtool,
        record_sockets,
        record_errors,
    )
    for record in parts:
        record()
    for path in sorted(recorded.DATA.iterdir()):
        print(path.name, path.stat().st_size, "bytes", len(recorded.datagrams(path.name)), "datagrams")


if __name__ == "__main__":
    main()
