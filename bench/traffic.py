"""What there is to measure with, in network namespaces of our own: flows, their events, logged and
queued packets, routes, neighbours, links, sockets, renamed devices and specs.

net.netfilter.nf_conntrack_max bounds the table of flows. It is the machine's and read-only in other namespaces, but
compared with each namespace's own count (Linux 6.18). A larger table needs a larger value on the host, which is not
for a benchmark to set.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gzip
import json
import math
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from itertools import islice
from pathlib import Path
from typing import Any

import netlink
from bench.peers import ruleset as ruleset_peer
from bench.programs import ROOT
from bench.runner import MissingError
from netlink import AttributeEncoder, Family, Header, HeaderFlags, HeaderType, Message, nltest, xfrm
from netlink import route as routing
from netlink.netfilter import conntrack, nftables
from netlink.netfilter.conntrack import Flow, ProtoInfo, Status, TCPFlags, TCPInfo, TCPState, Tuple
from netlink.netfilter.nfnetlink import NfGenMsg

CLONE_NEWNET = 0x40000000  # linux/sched.h
CREATE = HeaderFlags.REQUEST | HeaderFlags.CREATE | HeaderFlags.EXCL
SYSCTL = Path("/proc/sys/net/netfilter")
IN_A_DATAGRAM = 256
LOOPBACK = 1
CONNECTIONS_EACH = 5_000  # of a process, whose descriptors are limited
FIRST_ROUTE = 0x0A000001  # 10.0.0.1

PORT = 9  # discard
GROUP = 5
QUEUE = "6"
MARK = 7
PREFIX = "bench: "


def _netns() -> str:
    return os.readlink("/proc/thread-self/ns/net")


# Where the first of our processes was started; the others are told.
HOST = os.environ.setdefault("BENCH_HOST_NETNS", _netns())
_HOST_FD = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def host_netns() -> Iterator[None]:
    """The namespace that the benchmark was started in, for what the kernel reports nowhere else: to listen alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(_HOST_FD, CLONE_NEWNET) < 0:
        raise MissingError(f"setns: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        enter_private_netns()


def enter_private_netns() -> None:
    """Move this process, and those it starts from now on, to a network namespace of its own, where lo is up."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) < 0:
        raise SystemExit(f"unshare(CLONE_NEWNET): {os.strerror(ctypes.get_errno())}; benchmarks need root")
    require_private_netns()
    with netlink.dial(Family.ROUTE) as conn:
        # RTM_NEWLINK, struct ifinfomsg: IFF_UP of lo
        up = Header(type=16, flags=HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE)
        conn.execute(Message(up, struct.pack("=BxHiII", 0, 0, LOOPBACK, 1, 1)))


def require_private_netns() -> None:
    """Refuse to change anything in the namespace that the benchmark was started in."""
    if _netns() == HOST:
        raise SystemExit("this is no private network namespace: call enter_private_netns() first")


# Flows


def limit() -> int:
    """The most flows that a namespace of this machine can hold, 0 where the kernel tracks none."""
    try:
        return int((SYSCTL / "nf_conntrack_max").read_text())
    except FileNotFoundError:
        return 0


def count() -> int:
    """The flows in this namespace's table."""
    return int((SYSCTL / "nf_conntrack_count").read_text())


def flow(i: int, marks: int = 1000) -> Flow:
    """The i-th flow: no two are alike in addresses, ports and timeout. Two of three are TCP, the others UDP. They have
    so many marks."""
    scattered = i * 0x9E3779B1 & 0xFFFFFF  # another value for each i below 2**24: the multiplier is odd
    client, server = IPv4Address(0x0A000000 | scattered), IPv4Address(0xC6120000 | i * 40503 & 0x1FFFF)
    ports = 1024 + scattered % 64000, (443, 80, 53, 22, 8080, 5432)[i % 6]
    proto = socket.IPPROTO_UDP if i % 3 == 2 else socket.IPPROTO_TCP
    window_scale_and_sack = TCPFlags(flags=3, mask=3)
    established = TCPInfo(
        state=TCPState.ESTABLISHED,
        wscale_original=7,
        wscale_reply=10,
        flags_original=window_scale_and_sack,
        flags_reply=window_scale_and_sack,
    )
    return Flow(
        header=NfGenMsg(family=socket.AF_INET),
        orig=Tuple(src=client, dst=server, proto=proto, src_port=ports[0], dst_port=ports[1]),
        reply=Tuple(src=server, dst=client, proto=proto, src_port=ports[1], dst_port=ports[0]),
        # Without ASSURED, and without a TCP state that says the same, the kernel drops flows early when the table is
        # nearly full.
        status=Status.SEEN_REPLY | Status.ASSURED | Status.CONFIRMED,
        timeout=100_000 + i % 300_000,
        mark=i % marks,
        protoinfo=ProtoInfo(tcp=established) if proto == socket.IPPROTO_TCP else None,
    )


def bulk_requests(kind: str, n: int) -> bytes:
    """n requests that ask for an acknowledgement each, one behind the other: kind "noop", "conntrack" or "route"."""
    acknowledged = HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE
    header, payloads = Header(type=HeaderType.NOOP, flags=acknowledged), (b"" for _ in range(n))
    if kind == "conntrack":
        header = Header(type=0x100, flags=CREATE | acknowledged)  # IPCTNL_MSG_CT_NEW
        payloads = (flow(i).encode() for i in range(n))
    elif kind == "route":
        header = Header(type=24, flags=CREATE | acknowledged)  # RTM_NEWROUTE
        payloads = (route(i).data for i in range(n))
    messages = (Message(header, payload) for payload in payloads)
    return b"".join(
        message.replace(length=16 + len(message.data), sequence=i).marshal_binary()
        for i, message in enumerate(messages, 1)
    )


class Flows:
    """n flows to put into the table of a namespace, again and again the same."""

    def __init__(self, n: int, marks: int = 1000) -> None:
        if not limit():
            raise MissingError("needs a kernel that tracks connections (modprobe nf_conntrack_netlink)")
        header = Header(type=0x100, flags=CREATE)  # IPCTNL_MSG_CT_NEW
        requests = (Message(header, flow(i, marks).encode()) for i in range(n))
        self._datagrams = list(datagrams(requests))

    def create(self, until: float = math.inf) -> None:
        """Create them all, or what can be done until then; SystemExit where the kernel has not as many in the end."""
        require_private_netns()
        asked = 0
        with netlink.dial(Family.NETFILTER) as conn:
            try:
                for requests in self._datagrams:
                    conn.send_messages(requests)
                    asked += len(requests)
                    if time.monotonic() >= until:
                        break
            except netlink.OpError as error:
                raise SystemExit(f"creating flows: {error}") from error
            if count() != asked:
                said = first_error(conn)
                raise SystemExit(f"{count()} flows, not {asked}; nf_conntrack_max is {limit()}; the kernel: {said}")

    def delete(self) -> None:
        """Delete all that the namespace has."""
        require_private_netns()
        with conntrack.dial() as ct:
            ct.flush()


def datagrams(requests: Iterable[Message]) -> Iterator[list[Message]]:
    """Requests, so many in a datagram as the kernel takes at once with profit."""
    requests = iter(requests)
    while part := list(islice(requests, IN_A_DATAGRAM)):
        yield part


def first_error(conn: netlink.Conn) -> object:
    """What the kernel refused first: without ACKNOWLEDGE only errors are answered."""
    conn.set_read_deadline(time.monotonic() + 0.1)
    try:
        conn.receive()
    except netlink.OpError as error:
        return error
    return "nothing"


@contextlib.contextmanager
def table(n: int, marks: int = 1000) -> Iterator[Flows]:
    """A private namespace whose table has n flows, with counters and timestamps: about 300 bytes each in a dump."""
    enter_private_netns()
    flows = Flows(n, marks)
    # Before the first flow: extensions are added when a flow is made.
    for name in ("nf_conntrack_acct", "nf_conntrack_timestamp"):
        (SYSCTL / name).write_text("1")
    flows.create()
    try:
        yield flows
        if count() != n:
            raise SystemExit(f"the table changed meanwhile: {count()} flows, not {n}")
    finally:
        # Now, not behind the scenes while something else is measured.
        flows.delete()


def recorded() -> bytes:
    """The messages of a dump of this namespace's table, one behind the other."""
    request = Message(Header(type=0x101, flags=HeaderFlags.REQUEST | HeaderFlags.DUMP), bytes(4))  # IPCTNL_MSG_CT_GET
    with netlink.dial(Family.NETFILTER) as conn:
        return b"".join(message.marshal_binary() for message in conn.execute(request))


# Packets


class _Pair:
    """Who sends packets to this namespace's loopback, and who gets them."""

    def __init__(self, size: int) -> None:
        """size: of each packet, from its network header on."""
        self._payload = bytes(size - 28)  # less the headers of IPv4 and UDP
        # What arrives is dropped there, and nothing is sent back.
        self._sink = socket.socket(type=socket.SOCK_DGRAM)
        self._sink.bind(("127.0.0.1", PORT))
        self._source = socket.socket(type=socket.SOCK_DGRAM)
        self._source.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        self._source.connect(("127.0.0.1", PORT))

    def send(self, n: int) -> None:
        for _ in range(n):
            self._source.send(self._payload)

    def close(self) -> None:
        self._sink.close()
        self._source.close()


class Logged:
    """Packets to this namespace's loopback that a rule logs."""

    def __init__(self, size: int) -> None:
        """size: of each packet, from its network header on."""
        enter_private_netns()
        if not shutil.which("nft"):
            raise MissingError("needs nft (Debian: nftables)")
        rule = f'udp dport {PORT} log prefix "{PREFIX}" group {GROUP}'
        rules = f"table ip bench {{ chain out {{ type filter hook output priority 0; {rule}; }}; }}"
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
        self._pair = _Pair(size)

    def send(self, n: int) -> None:
        """Log n packets, and wait until the kernel has sent the last that it was collecting."""
        self._pair.send(n)
        time.sleep(0.25)  # its timeout is 0.1

    def close(self) -> None:
        self._pair.close()


class Queued:
    """Packets to this namespace's loopback that a rule queues, and a later chain counts."""

    def __init__(self, size: int) -> None:
        """size: of each packet, from its network header on."""
        enter_private_netns()
        if not shutil.which("iptables"):
            raise MissingError("needs iptables (Debian: iptables)")
        for rule in (
            # Where packets come in: one that goes out and waits for its verdict is charged to its sender.
            ("-t", "mangle", "-A", "INPUT", "-p", "udp", "--dport", str(PORT), "-j", "NFQUEUE", "--queue-num", QUEUE),
            ("-t", "filter", "-A", "INPUT", "-p", "udp", "--dport", str(PORT)),
        ):
            done = subprocess.run(["iptables", *rule], capture_output=True, text=True)
            if done.returncode:
                raise MissingError(f"needs a kernel that queues packets (xt_NFQUEUE): {done.stderr.strip()}")
        self._pair = _Pair(size)

    def send(self, n: int) -> None:
        """Queue n packets; all counters of accepted ones begin anew."""
        subprocess.run(["iptables", "-t", "filter", "-Z"], check=True)
        self._pair.send(n)

    def accepted(self) -> int:
        """The packets that went on since they were sent."""
        command = ["iptables", "-t", "filter", "-nvxL", "INPUT"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return int(lines[2].split()[0])

    def close(self) -> None:
        self._pair.close()


# What rtnetlink knows


@contextlib.contextmanager
def routes(n: int) -> Iterator[None]:
    """A private namespace with n routes to single addresses."""
    enter_private_netns()
    create(route(i) for i in range(n))
    yield


@contextlib.contextmanager
def neighbours(n: int) -> Iterator[None]:
    """A private namespace with n neighbours that are there for ever."""
    with links(2):
        create(neighbour(i) for i in range(n))
        yield


@contextlib.contextmanager
def links(n: int) -> Iterator[None]:
    """n links beside lo, pairs of virtual Ethernet that are up: v0, p0, v1, p1 and so on. They are deleted."""
    enter_private_netns()
    if not shutil.which("ip"):
        raise MissingError("needs ip (Debian: iproute2)")
    pairs = range(n // 2)
    added = (f"link add v{i} type veth peer name p{i}\nlink set v{i} up\nlink set p{i} up\n" for i in pairs)
    subprocess.run(["ip", "-batch", "-"], input="".join(added), text=True, check=True)
    try:
        yield
    finally:
        deleted = "".join(f"link del v{i}\n" for i in pairs)
        subprocess.run(["ip", "-batch", "-"], input=deleted, text=True, check=True)


def create(requests: Iterable[Message]) -> None:
    """Have the kernel do many requests; SystemExit where it refuses one."""
    with netlink.dial(Family.ROUTE) as conn:
        for datagram in datagrams(requests):
            conn.send_messages(datagram)
        error = first_error(conn)
        if error != "nothing" and not (isinstance(error, netlink.OpError) and error.timeout):
            raise SystemExit(f"creating: {error}")


def route(i: int) -> Message:
    """The request for the i-th route."""
    # struct rtmsg: 32 bits, table main, protocol static, scope link, type unicast
    header = struct.pack("=8BI", socket.AF_INET, 32, 0, 0, 254, 4, 253, 1, 0)
    e = AttributeEncoder()
    e.bytes(1, struct.pack(">I", FIRST_ROUTE + i))  # RTA_DST
    e.uint32(4, LOOPBACK)  # RTA_OIF
    return Message(Header(type=24, flags=CREATE), header + e.encode())  # RTM_NEWROUTE


def neighbour(i: int) -> Message:
    """The request for the i-th neighbour."""
    # struct ndmsg: NUD_PERMANENT
    header = struct.pack("=BxxxiHBB", socket.AF_INET, socket.if_nametoindex("v0"), 0x80, 0, 0)
    e = AttributeEncoder()
    e.bytes(1, struct.pack(">I", FIRST_ROUTE + i))  # NDA_DST
    e.bytes(2, bytes((2, 0)) + struct.pack(">I", i))  # NDA_LLADDR
    return Message(Header(type=28, flags=CREATE), header + e.encode())  # RTM_NEWNEIGH


def remove_routes() -> int:
    """Remove the routes that were made, and return how many there were."""
    require_private_netns()
    with routing.dial() as rt:
        found = len(rt.dump(routing.Route, family=socket.AF_INET, table=routing.RouteTable.MAIN))
        # The kernel removes the routes of a link that goes down.
        rt.down("lo")
        rt.up("lo")
    return found


# Sockets and devices


@contextlib.contextmanager
def sockets(n: int) -> Iterator[None]:
    """n TCP sockets, the two ends of connections over loopback, and the listeners of the processes that have them."""
    enter_private_netns()
    with contextlib.ExitStack() as opened:
        for first in range(0, n // 2, CONNECTIONS_EACH):
            connections = min(CONNECTIONS_EACH, n // 2 - first)
            command = [sys.executable, "-m", "bench.traffic", f"--connections={connections}"]
            holder = opened.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            assert holder.stdout is not None
            assert holder.stdin is not None
            opened.callback(holder.stdin.close)
            if not holder.stdout.readline():
                raise SystemExit("a process could not open its connections")
        yield


def hold(connections: int) -> None:
    """Have connections to a listener of one's own until the input ends."""
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=16))
        for _ in range(connections):
            for end in (socket.create_connection(server.getsockname()), server.accept()[0]):
                # They end by a reset: none stays in TIME_WAIT.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
                opened.enter_context(end)
        print("ready", flush=True)
        sys.stdin.read()


@contextlib.contextmanager
def policies(n: int) -> Iterator[None]:
    """n policies of xfrm, each with a template."""
    enter_private_netns()
    template = xfrm.Template(saddr="192.0.2.1", daddr="192.0.2.2", proto=50, mode=xfrm.Mode.TUNNEL, reqid=7)
    with xfrm.dial() as ipsec:
        for i in range(n):
            selector = xfrm.Selector(saddr="10.0.0.0/8", daddr=str(IPv4Address(0x0B000000 + i)))
            ipsec.create_policy(sel=selector, dir=xfrm.Direction.OUT, priority=i, tmpl=[template])
    yield


def log(n: int) -> None:
    """n records in the audit log: messages of a program, which the kernel logs also while auditing is off."""
    text = b'op=bench acct="root" exe="/usr/bin/python3" hostname=? addr=? terminal=pts/0 res=success\0'
    text += bytes(-len(text) % 4)
    message = struct.pack("=IHHII", 16 + len(text), 1107, 5, 1, 0) + text  # AUDIT_USER_AVC, with an acknowledgement
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.AUDIT) as sock:
        for _ in range(n):
            sock.send(message)
            (error,) = struct.unpack_from("=i", sock.recv(1024), 16)
            if error:
                raise MissingError(f"the kernel logs no messages of programs: {os.strerror(-error)}")


class Renamed:
    """A link that is renamed, which is one uevent each time."""

    def __init__(self, n: int) -> None:
        enter_private_netns()
        if not shutil.which("ip"):
            raise MissingError("needs ip (Debian: iproute2)")
        subprocess.run(["ip", "link", "add", "first", "type", "bridge"], check=True)
        index = socket.if_nametoindex("first")
        requests = []
        for i in range(n):
            e = AttributeEncoder()
            e.string(3, f"n{i}")  # IFLA_IFNAME
            header = struct.pack("=BxHiII", 0, 0, index, 0, 0)
            requests.append(Message(Header(type=16, flags=HeaderFlags.REQUEST), header + e.encode()))  # RTM_NEWLINK
        self._requests = requests

    def rename(self) -> None:
        create(self._requests)


# Rulesets

BENCH = """flush ruleset
table ip bench {
    set s { type ipv4_addr; }
    set n { type ipv4_addr; flags interval; }
    chain in { type filter hook input priority 0; }
}
"""


@contextlib.contextmanager
def ruleset(*, elements: int = 0, rules: int = 0) -> Iterator[None]:
    """A private namespace with the table "bench", its set and its chain, and so many elements and rules."""
    enter_private_netns()
    if not shutil.which("nft"):
        raise MissingError("needs nft (Debian: nftables)")
    empty_ruleset()
    with nftables.dial() as nft, nft.transaction() as tx:
        changes(tx, elements, rules)
    try:
        yield
    finally:
        subprocess.run(["nft", "flush ruleset"], check=True)


def empty_ruleset() -> None:
    """Make the set and the chain anew."""
    require_private_netns()
    subprocess.run(["nft", "-f", "-"], input=BENCH, text=True, check=True)


def changes(tx: nftables.Transaction[Any], elements: int, rules: int, networks: int = 0) -> None:
    """Add so many elements, rules and networks."""
    tx.add_elements(ruleset_peer.SET, [ruleset_peer.address(i) for i in range(elements)])
    tx.add_elements(ruleset_peer.NETWORKS, [ruleset_peer.network(i) for i in range(networks)])
    for i in range(rules):
        tx.add(ruleset_peer.rule(i))


def batch(elements: int, rules: int, networks: int) -> bytes:
    """The datagram that adds so many elements, rules and networks, one change of which is acknowledged."""
    sent: list[Message] = []

    def answer(requests: list[Message]) -> list[Message]:
        sent.extend(requests)
        return nltest.error(0, requests[1:2]) if requests else []

    with nftables.Conn(nltest.dial(answer)) as nft, nft.transaction() as tx:
        changes(tx, elements, rules, networks)
    return b"".join(message.replace(pid=0).marshal_binary() for message in sent)


def made_in_ruleset() -> tuple[int, int, int]:
    """The elements, the rules and the networks there are."""
    require_private_netns()
    with nftables.dial() as nft:
        ends = len(nft.elements(ruleset_peer.NETWORKS))  # two of each; nft adds one
        return len(nft.elements(ruleset_peer.SET)), len(nft.rules()), ends // 2


# Specs


def largest_spec(folder: Path) -> dict[str, Path]:
    """The largest of this machine's specs, written to a folder as YAML and as JSON: the files by ending."""
    from netlink import ynl
    from netlink.ynl.files import read

    data = {
        path: gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in ynl.available().values()
        if ".yaml" in path.suffixes
    }
    largest = max(data, key=lambda each: len(data[each]))
    found = {ending: folder / f"spec.{ending}" for ending in ("yaml", "json")}
    found["yaml"].write_bytes(data[largest])
    found["json"].write_text(json.dumps(read(largest)))
    return found


# Producers, and those who have connections, in processes of their own


def produce(seconds: float, n: int) -> None:
    """Create up to n flows and flush them, again and again; print how many events that made."""
    flows = Flows(n)
    print("ready", flush=True)
    input()
    end = time.monotonic() + seconds
    produced = 0
    while time.monotonic() < end:
        flows.create(until=end)
        produced += 2 * count()
        flows.delete()
    print(json.dumps({"produced": produced}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Make events of conntrack at full speed, or have connections, in a namespace of a parent."
    )
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--flows", type=int, default=20_000)
    parser.add_argument("--connections", type=int)
    options = parser.parse_args()
    if options.connections:
        hold(options.connections)
    else:
        produce(options.seconds, options.flows)
