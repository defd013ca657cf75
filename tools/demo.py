"""netlink at work: the connection table, its events and a firewall log, in a private network namespace.

Everything happens in a new user and network namespace that ends with this program: nothing of the host is
read or changed. The firewall rule, the traffic and all that is shown are the program's own. No privilege is
needed where unprivileged user namespaces are allowed. Where DuckDB or Polars is installed, it queries the flows.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import signal
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import netlink
import netlink.route
from netlink.netfilter import conntrack, nflog, nftables
from netlink.netfilter.conntrack import Event, Flow, Tuple
from netlink.netfilter.nftables import Chain, Family, Hook, Table, build
from netlink.netfilter.nftables.expr import CtState
from netlink.schema import Batch

STARTED = time.monotonic()
TIME_LIMIT = 19  # seconds
LOG_GROUP, LOG_LINES = 7, 6
FORGET = 2  # seconds until the kernel forgets a connection that is over
NF_CONNTRACK = "/proc/sys/net/netfilter/nf_conntrack_"
WEB, DNS, CLOSED = ("127.0.0.1", 80), ("127.0.0.1", 53), ("127.0.0.1", 81)
ICMP, TCP, UDP = socket.IPPROTO_ICMP, socket.IPPROTO_TCP, socket.IPPROTO_UDP
PROTOCOLS = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}


class Screen:
    """Lines for people, each in one write since threads print too. `step` is what fails, if something does."""

    def __init__(self, colour: bool) -> None:
        self._colours = {"NEW": 32, "UPDATE": 33, "DESTROY": 31, "LOG": 36, "heading": 1} if colour else {}
        self.step = "start"

    def paint(self, text: str, style: str) -> str:
        return f"\x1b[{self._colours[style]}m{text}\x1b[0m" if style in self._colours else text

    def line(self, text: str, style: str = "") -> None:
        print(self.paint(text, style) + "\n", end="", flush=True)

    def heading(self, title: str) -> None:
        self.step = title
        self.line(f"\n== {title}", "heading")


def unshare(flags: int) -> None:
    if sys.version_info >= (3, 12):
        os.unshare(flags)
    elif ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter_namespaces() -> str:
    """Go into a new user and network namespace, as root there. Returns what was entered."""
    new_user, new_net = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET of linux/sched.h
    uid, gid = os.geteuid(), os.getegid()
    try:
        try:
            unshare(new_user | new_net)
        except OSError:
            unshare(new_net)  # root may
            return "a network namespace, since user namespaces are not permitted here"
        # An unprivileged process may map its group only once it has given setgroups() up.
        for name, text in {"setgroups": "deny", "uid_map": f"0 {uid} 1", "gid_map": f"0 {gid} 1"}.items():
            Path("/proc/self", name).write_text(text)
    except OSError as error:
        raise SystemExit(
            f"demo: uid {uid} may make no user and network namespace here ({error.strerror}). Run this as root, in a\n"
            "container with CAP_SYS_ADMIN and CAP_NET_ADMIN; or allow them: sysctl user.max_user_namespaces=15000,\n"
            "kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)"
        ) from error
    return f"a user and a network namespace; uid {uid} outside is root inside"


def set_sysctls() -> str:
    """Let conntrack record what it can, and forget soon enough to be watched. Returns how that went."""
    values = dict.fromkeys(("acct", "timestamp", "events"), "1")
    values |= dict.fromkeys(("tcp_timeout_time_wait", "udp_timeout", "icmp_timeout"), str(FORGET))
    refused: list[str] = []
    for name, value in (values | {"/proc/sys/net/ipv4/ping_group_range": "0 0"}).items():
        try:
            Path(name if name[0] == "/" else NF_CONNTRACK + name).write_text(value)
        except OSError:
            refused.append(Path(name).name)
    return f"not writable: {', '.join(refused)}" if refused else "conntrack set to count and to keep times"


def loopback_up() -> None:
    """`ip link set lo up`: in a new namespace it is down."""
    with netlink.route.dial() as rt:
        rt.up("lo")


def install_rule() -> None:
    """`ct state new log prefix "demo: " group 7` in a chain on the input hook.

    That a rule looks at `ct state` is what makes the kernel track connections in this namespace.
    """
    chain = Chain(family=Family.IPV4, table="demo", name="input", type="filter", hook=Hook.INPUT, priority=0)
    with nftables.dial() as nft, nft.transaction() as tx:
        tx.add(Table(family=Family.IPV4, name="demo"))
        tx.add(chain)
        tx.add_rule(chain, build.ct.state(CtState.NEW), build.log("demo: ", group=LOG_GROUP, snaplen=128))


# What is shown


def state(flow: Flow) -> str:
    if flow.protoinfo and flow.protoinfo.tcp and flow.protoinfo.tcp.state is not None:
        return getattr(flow.protoinfo.tcp.state, "name", "") or str(flow.protoinfo.tcp.state)
    return "REPLIED" if (flow.status or 0) & conntrack.Status.SEEN_REPLY else "UNREPLIED"


def both_ways(flow: Flow, what: str) -> str:
    counters = flow.counters_orig, flow.counters_reply
    return f"{sum(getattr(c, what) for c in counters):,}" if all(counters) else "-"


def route(proto: int, source: object, port: int | None, destination: object, to_port: int | None) -> str:
    """Protocol, source and destination in columns."""
    ends = [
        f"{address}:{number}" if number is not None else str(address)
        for address, number in ((source, port), (destination, to_port))
    ]
    return f"{PROTOCOLS.get(proto, proto):<5} {ends[0]:<16} -> {ends[1]:<15}"


def flow_route(flow: Flow) -> str:
    orig = flow.orig
    return route(orig.proto or 0, orig.src, orig.src_port, orig.dst, orig.dst_port)


class Live:
    """All is counted, some of it shown: the first connection to each port, the first packets logged."""

    def __init__(self, screen: Screen) -> None:
        self.counts = Counter(NEW=0, UPDATE=0, DESTROY=0, LOG=0)
        self._screen = screen
        self._followed: dict[Any, int | None] = {}

    def _show(self, what: str, where: str, text: str) -> None:
        self._screen.line(f"   {self._screen.paint(f'{what:<8}', what)} {where} {text}")

    def event(self, flow: Flow) -> None:
        what = flow.event.name or "" if flow.event else ""
        self.counts[what] += 1
        orig = flow.orig
        number = orig.icmp_id if orig.proto == ICMP else orig.src_port
        if self._followed.setdefault((orig.proto, orig.dst_port), number) != number:
            return
        text = state(flow)
        if flow.event == Event.DESTROY:
            text = f"{both_ways(flow, 'packets')} packets, {both_ways(flow, 'bytes')} bytes"
        if flow.timestamp and flow.timestamp.start is not None and flow.timestamp.stop is not None:
            text += f", lasted {(flow.timestamp.stop - flow.timestamp.start) / 1e9:.3f} s"
        self._show(what, flow_route(flow), text)

    def packet(self, packet: nflog.Packet) -> None:
        self.counts["LOG"] += 1
        ip = packet.payload
        if self.counts["LOG"] > LOG_LINES or ip is None:
            return
        ports: tuple[int | None, int | None] = (None, None)
        if ip[9] != ICMP:
            ports = struct.unpack_from(">HH", ip, (ip[0] & 0xF) * 4)
        where = route(ip[9], ip_address(bytes(ip[12:16])), ports[0], ip_address(bytes(ip[16:20])), ports[1])
        what = {ICMP: "ping", TCP: "SYN"}.get(ip[9], "datagram")
        seconds, nanos = divmod(packet.timestamp or 0, 1_000_000_000)
        clock = f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{nanos // 1_000_000:03}"
        devices = f"in {packet.indev or '-'} out {packet.outdev or '-'}"
        self._show("LOG", where, f"{what}, {len(ip)} bytes  [{packet.prefix}{clock} {devices}]")


def read(stream: Any, handle: Callable[[Any], None]) -> None:
    """Handle what comes until another thread closes the stream, which wakes this one."""
    try:
        for record in stream:
            handle(record)
    except netlink.OpError as error:
        if error.errno != errno.EBADF:
            raise


# The traffic


def talk(client: socket.socket, server: socket.socket) -> None:
    client.sendall(b"hello")
    data, address = server.recvfrom(64)
    server.sendto(data, address) if address else server.sendall(data)
    client.recv(64)


def make_traffic(connections: int, screen: Screen) -> tuple[Counter[str], list[socket.socket]]:
    """Flows (pings where the sysctl permits them). Returns how many of each kind, and the last, still open."""
    made = Counter(tcp=0, udp=0, ping=0, refused=0)
    still_open: list[socket.socket] = []
    with socket.create_server(WEB) as web, socket.socket(type=socket.SOCK_DGRAM) as dns:
        dns.bind(DNS)
        for i in range(connections):
            still_open += [socket.create_connection(WEB), web.accept()[0]]
            talk(*still_open[-2:])
            made["tcp"] += 1
            while len(still_open) > 6:
                still_open.pop(0).close()
            if i % 5 == 0:
                with socket.socket(type=socket.SOCK_DGRAM) as client:
                    client.bind(("127.0.0.1", 20000 + i))  # a port that is chosen may be of an earlier flow
                    client.connect(DNS)
                    talk(client, dns)
                made["udp"] += 1
            if i % 25 == 0:
                with suppress(ConnectionRefusedError):
                    socket.create_connection(CLOSED)
                made["refused"] += 1
                with suppress(PermissionError), socket.socket(type=socket.SOCK_DGRAM, proto=ICMP) as client:
                    client.sendto(struct.pack(">BBHHH", 8, 0, 0, 0, 1) + bytes(48), ("127.0.0.1", 0))
                    client.recv(64)
                    made["ping"] += 1
            if (i + 1) % 100 == 0:
                screen.line(f"   {i + 1} of {connections} connections")
            time.sleep(0.003)
    return made, still_open


def show_table(flows: Batch[Flow], screen: Screen) -> None:
    """Three flows of each protocol and state."""
    row = "   {:<41} {:<12} {:>8} {:>8} {:>12}"
    titles = "proto source              destination", "state", "packets", "bytes", "forgotten in"
    lines = [screen.paint(row.format(*titles), "heading")]
    seen: Counter[Any] = Counter()
    for flow in sorted(flows, key=lambda flow: (flow.orig.proto or 0, state(flow))):
        kind = flow.orig.proto, state(flow)
        seen[kind] += 1
        if seen[kind] <= 3 and len(lines) <= 12:
            counters = both_ways(flow, "packets"), both_ways(flow, "bytes")
            lines.append(row.format(flow_route(flow), state(flow), *counters, f"{flow.timeout or 0:,} s"))
    screen.line("\n".join(lines) + f"\n   ... and {len(flows) - len(lines) + 1} more")


def create_flows(ct: conntrack.Conn, count: int, screen: Screen) -> None:
    """Put invented UDP flows into the table."""
    server = ip_address("203.0.113.5")
    for i in range(count):
        client, port, service = ip_address(0xC6120000 + i % 253), 10000 + i // 253 % 50000, (443, 53, 123)[i % 3]
        orig = Tuple(src=client, dst=server, proto=UDP, src_port=port, dst_port=service)
        reply = Tuple(src=server, dst=client, proto=UDP, src_port=service, dst_port=port)
        ct.create(Flow(orig=orig, reply=reply, timeout=600, mark=i % 7))
        if (i + 1) % 10_000 == 0:
            screen.line(f"   {i + 1:,} of {count:,} flows")


def query(flows: Batch[Flow], screen: Screen) -> str:
    """Count the flows by service, with the best that is installed. Returns what was used."""
    if find_spec("duckdb"):
        import duckdb

        sql = "select orig_dst_port as port, count(*) as flows, count(distinct orig_src) as clients from flows"
        screen.line(f"   {sql} group by port order by port")
        screen.line(str(duckdb.sql(f"{sql} group by port order by port")))
        return "DuckDB"
    if find_spec("polars"):
        import polars as pl

        table = pl.DataFrame(flows).group_by("orig_dst_port")
        screen.line(str(table.agg(pl.len().alias("flows"), pl.n_unique("orig_src").alias("clients"))))
        return "Polars"
    clients: dict[int, list[Any]] = {}
    for flow in flows:
        clients.setdefault(flow.orig.dst_port or 0, []).append(flow.orig.src)
    for port, sources in sorted(clients.items()):
        screen.line(f"   port {port:<4}{len(sources):>7,} flows of {len(set(sources)):,} clients")
    return "a loop; DuckDB and Polars query a batch as it is, where one is installed"


def run(flow_count: int, connections: int, screen: Screen) -> None:
    screen.heading("A private network namespace")
    screen.line(f"   in {enter_namespaces()}")
    loopback_up()
    install_rule()
    screen.line('   a firewall rule, set over netlink: input, ct state new, log prefix "demo: " group 7')
    screen.line(f"   {set_sysctls()}")
    live = Live(screen)
    # The streams close first, which ends the threads.
    with (
        ThreadPoolExecutor() as pool,
        conntrack.dial() as ct,
        conntrack.listen() as events,
        nflog.listen(LOG_GROUP, queue_threshold=64) as log,
    ):
        threads = [pool.submit(read, events, live.event), pool.submit(read, log, live.packet)]
        screen.heading("Connections open and close: the kernel's events and the firewall's log, live")
        began = time.monotonic()
        made, still_open = make_traffic(connections, screen)
        screen.heading("The connection table, while the last few are open")
        show_table(ct.dump(), screen)
        screen.heading("All are closed, and the kernel forgets them")
        for end in still_open:
            end.close()
        time.sleep(FORGET + 0.1)
        ct.dump()  # the kernel drops what it finds timed out
        ct.flush()
        give_up = time.monotonic() + 2
        while min(live.counts["DESTROY"], live.counts["LOG"]) < made.total() and time.monotonic() < give_up:
            time.sleep(0.01)
        busy = time.monotonic() - began
        events.close()
        log.close()
        for thread in threads:
            thread.result()
        flow_count = min(flow_count, int(Path(NF_CONNTRACK + "max").read_text()) // 2)
        screen.heading(f"A large table: {flow_count:,} invented flows are added")
        create_flows(ct, flow_count, screen)
        began = time.monotonic()
        flows = ct.dump()
        half = time.monotonic()
        marked = sum(1 for flow in flows if flow.mark)
        received, looked_at = half - began, time.monotonic() - half
        screen.line(f"   dumped: {flows.nbytes / 1e6:.1f} MB, decoded as they came; {marked:,} have a mark")
        screen.heading("The same flows, queried in place")
        used = query(flows, screen)

    n = live.counts
    summary = {
        "made": f"{', '.join(f'{count} {kind}' for kind, count in made.items())}: {made.total()} flows",
        "events": f"{n['NEW']} NEW, {n['UPDATE']} UPDATE, {n['DESTROY']} DESTROY, {events.lost} lost",
        "nflog": f"{n['LOG']} packets, {log.lost} lost",
        "rate": f"{n.total() / busy:,.0f} of these a second, as the traffic made them",
        "dump": f"{len(flows)} flows ({len(flows) / received:,.0f} a second; "
        f"{len(flows) / looked_at:,.0f} a second looked at one by one in Python)",
        "queried": f"with {used}",
        "elapsed": f"{time.monotonic() - STARTED:.1f} s",
    }
    screen.heading("Summary")
    for name, text in summary.items():
        screen.line(f"   {name:<9} {text}")
    if not (n["NEW"] and n["DESTROY"] and n["LOG"]):
        raise SystemExit("demo: the kernel sent no events, or no packets")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=20_000, help="flows in the large table (20000)")
    parser.add_argument("--connections", type=int, default=300, help="TCP connections (300)")
    parser.add_argument("--no-color", action="store_true", help="no colour, as when the output is no terminal")
    options = parser.parse_args()
    if not (1 <= options.flows <= 100_000 and 1 <= options.connections <= 1500):
        parser.error("--flows is from 1 to 100000, --connections from 1 to 1500")
    screen = Screen(sys.stdout.isatty() and not options.no_color and "NO_COLOR" not in os.environ)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(TIME_LIMIT)
    socket.setdefaulttimeout(5)
    try:
        run(options.flows, options.connections, screen)
    except (OSError, ValueError, KeyboardInterrupt) as error:
        raise SystemExit(f"demo: {screen.step}: {str(error) or 'interrupted, or out of time'}") from error


if __name__ == "__main__":
    main()
