"""netlink at work: the connection table, its events and a firewall log, in a private network namespace.

Everything happens in a new user and network namespace that ends with this program: nothing of the host is
read or changed. The firewall rule, the traffic and all that is shown are the program's own. No privilege is
needed where unprivileged user namespaces are allowed.
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
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import netlink
from netlink import AttributeDecoder, AttributeEncoder, AttributeView, Conn, Family, Header, HeaderFlags, Message
from netlink.consts import NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NetfilterSubsystem

Fields = list[tuple[int, Any]]  # attributes to send: type and value
Record = dict[str, Any]  # what a message says; what the kernel left out is absent

STARTED = time.monotonic()
TIME_LIMIT = 19  # seconds
LOG_GROUP, LOG_LINES = 7, 6
FORGET = 2  # seconds until the kernel forgets a connection that is over
NF_CONNTRACK = "/proc/sys/net/netfilter/nf_conntrack_"
WEB, DNS, CLOSED = ("127.0.0.1", 80), ("127.0.0.1", 53), ("127.0.0.1", 81)
ICMP, TCP, UDP = socket.IPPROTO_ICMP, socket.IPPROTO_TCP, socket.IPPROTO_UDP
ACK, CREATE = HeaderFlags.ACKNOWLEDGE, HeaderFlags.CREATE
CT_NEW, CT_GET, CT_DELETE = 0, 1, 2  # IPCTNL_MSG_CT_*, linux/netfilter/nfnetlink_conntrack.h


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


def connect(family: Family = Family.NETFILTER) -> Conn:
    conn = netlink.dial(family, netlink.Config(strict=True))  # strict: errors say what the kernel objects to
    conn.set_read_buffer(4 << 20)
    conn.set_deadline(STARTED + TIME_LIMIT - 1)
    return conn


def encode(fields: Fields, e: AttributeEncoder) -> bytes:
    """Attributes by the type of the value: a list is nested, an int has 32 bits, a str gets its NUL."""
    for kind, value in fields:
        if isinstance(value, list):
            with e.nested(kind) as inner:
                encode(value, inner)
        elif isinstance(value, int):
            e.uint32(kind, value)
        elif isinstance(value, str):
            e.string(kind, value)
        else:
            e.bytes(kind, value)
    return e.encode()


def request(subsystem: int, kind: int, fields: Fields, flags: int = ACK, family: int = 0, res: int = 0) -> Message:
    """A netfilter request: subsystem and kind make its type, and a struct nfgenmsg comes first."""
    attributes = encode(fields, AttributeEncoder(byte_order="big"))
    header = Header(type=subsystem << 8 | kind, flags=HeaderFlags.REQUEST | flags)
    return Message(header, struct.pack(">BBH", family, 0, res) + attributes)


def loopback_up() -> None:
    """`ip link set lo up`: in a new namespace it is down, and always has index 1."""
    ifinfomsg = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 1, 1, 1)  # index, flags: IFF_UP, flags to change
    with connect(Family.ROUTE) as conn:
        conn.execute(Message(Header(type=16, flags=HeaderFlags.REQUEST | ACK), ifinfomsg))  # RTM_NEWLINK


def install_rule(conn: Conn) -> None:
    """`ct state new log prefix "demo: " group 7` in a chain on the input hook (linux/netfilter/nf_tables.h).

    That a rule looks at `ct state` is what makes the kernel track connections in this namespace.
    """
    register = 1  # NFT_REG_1; what is in it has the host's byte order
    new, zero = struct.pack("=I", 1 << 3), bytes(4)  # NF_CT_STATE_BIT(IP_CT_NEW)
    group = struct.pack(">H", LOG_GROUP)
    expressions: list[tuple[str, Fields]] = [
        ("ct", [(1, register), (2, 0)]),  # NFTA_CT_DREG, _KEY: NFT_CT_STATE
        # NFTA_BITWISE_SREG, _DREG, _LEN, _MASK, _XOR
        ("bitwise", [(1, register), (2, register), (3, 4), (4, [(1, new)]), (5, [(1, zero)])]),
        ("cmp", [(1, register), (2, 1), (3, [(1, zero)])]),  # NFTA_CMP_SREG, _OP: NFT_CMP_NEQ, _DATA
        ("log", [(1, group), (2, "demo: "), (3, 128)]),  # NFTA_LOG_GROUP, _PREFIX, _SNAPLEN
    ]
    elements = [(1, [(1, name), (2, data)]) for name, data in expressions]  # NFTA_LIST_ELEM, NFTA_EXPR_*
    hook = [(1, 1), (2, 0)]  # NFTA_HOOK_HOOKNUM: NF_INET_LOCAL_IN, NFTA_HOOK_PRIORITY
    table = [(1, "demo")]  # NFTA_TABLE_NAME
    chain = [(1, "demo"), (3, "input"), (4, hook), (7, "filter")]  # NFTA_CHAIN_TABLE, _NAME, _HOOK, _TYPE
    rule = [(1, "demo"), (2, "input"), (4, elements)]  # NFTA_RULE_TABLE, _CHAIN, _EXPRESSIONS
    nft, flags = NetfilterSubsystem.NFTABLES, ACK | CREATE | HeaderFlags.APPEND
    kinds = (0, table), (3, chain), (6, rule)  # NFT_MSG_NEWTABLE, _NEWCHAIN, _NEWRULE
    changes = [request(nft, kind, fields, flags, socket.AF_INET) for kind, fields in kinds]
    # A transaction: the kernel does all of it or nothing.
    begin, end = (request(0, kind, [], 0, res=nft) for kind in (NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END))
    conn.send_messages([begin, *changes, end])
    for _ in changes:
        conn.receive()  # its acknowledgement; an error is raised


def bind_log_group(conn: Conn) -> None:
    """Ask for the packets of LOG_GROUP (linux/netfilter/nfnetlink_log.h)."""
    # NFULNL_CFG_CMD_BIND; NFULNL_COPY_PACKET, all of it; NFULNL_CFG_F_SEQ
    bind, packet_mode, numbered = b"\1", struct.pack(">IBx", 0xFFFF, 2), struct.pack(">H", 1)
    # NFULA_CFG_CMD, _MODE, _TIMEOUT: at most 10/100 s late, _QTHRESH: at most 64 in a datagram, _FLAGS
    config: Fields = [(1, bind), (2, packet_mode), (4, 10), (5, 64), (6, numbered)]
    conn.execute(request(NetfilterSubsystem.ULOG, 1, config, res=LOG_GROUP))  # NFULNL_MSG_CONFIG


# Decoding. In the tables an attribute's type leads to its name and kind, or to the table of what it contains.

U8, U16, U32, U64 = AttributeView.uint8, AttributeView.uint16, AttributeView.uint32, AttributeView.uint64
BYTES, STRING = AttributeView.bytes, AttributeView.string
FLOW_IP = {1: ("source", BYTES), 2: ("destination", BYTES)}  # CTA_IP_V4_SRC, CTA_IP_V4_DST
FLOW_PROTO = {1: ("protocol", U8), 2: ("port", U16), 3: ("to_port", U16), 4: ("port", U16)}  # CTA_PROTO_*
FLOW: dict[int, Any] = {
    1: {1: FLOW_IP, 2: FLOW_PROTO},  # CTA_TUPLE_ORIG
    3: ("status", U32),  # CTA_STATUS
    4: {1: {1: ("tcp", U8)}},  # CTA_PROTOINFO, CTA_PROTOINFO_TCP
    7: ("timeout", U32),  # CTA_TIMEOUT
    9: {1: ("packets", U64), 2: ("bytes", U64)},  # CTA_COUNTERS_ORIG
    10: {1: ("back_packets", U64), 2: ("back_bytes", U64)},  # CTA_COUNTERS_REPLY
    20: {1: ("start", U64), 2: ("stop", U64)},  # CTA_TIMESTAMP, in ns
}
PACKET: dict[int, Any] = {3: ("timestamp", BYTES), 4: ("in", U32), 5: ("out", U32)}  # NFULA_*
PACKET |= {9: ("payload", BYTES), 10: ("prefix", STRING), 12: ("number", U32)}
TCP_STATES = "NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE SYN_SENT2"


def decode(source: Message | AttributeDecoder, table: dict[int, Any]) -> Record:
    if isinstance(source, Message):
        source = AttributeDecoder(source.data[4:], byte_order="big")  # behind struct nfgenmsg
    record: Record = {}
    for a in source:
        field = table.get(a.type)
        if isinstance(field, dict):
            record |= decode(a.nested(), field)
        elif field:
            record[field[0]] = field[1](a)
    return record


def state(flow: Record) -> str:
    if "tcp" in flow:
        return TCP_STATES.split()[flow["tcp"]]
    return "REPLIED" if flow.get("status", 0) & 2 else "UNREPLIED"  # IPS_SEEN_REPLY


def both_ways(flow: Record, what: str) -> str:
    return f"{flow[what] + flow['back_' + what]:,}" if what in flow else "-"


def route(flow: Record) -> str:
    """Protocol, source and destination in columns."""
    name = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}.get(flow["protocol"], flow["protocol"])
    source, destination = socket.inet_ntoa(flow["source"]), socket.inet_ntoa(flow["destination"])
    if flow["protocol"] != ICMP:
        source, destination = f"{source}:{flow['port']}", f"{destination}:{flow['to_port']}"
    return f"{name:<5} {source:<16} -> {destination:<15}"


def read(conn: Conn, handle: Callable[[Message], None]) -> None:
    """Read until another thread closes the connection, which wakes this one."""
    while not conn.closed:
        try:
            for message in conn.receive():
                handle(message)
        except netlink.OpError as error:
            # EBADF: closed. ENOBUFS: the kernel dropped some; conn.drops tells how many.
            if error.errno not in (errno.EBADF, errno.ENOBUFS):
                raise


class Live:
    """All is counted, some of it shown: the first connection to each port, the first packets logged."""

    def __init__(self, screen: Screen) -> None:
        self.counts = Counter(NEW=0, UPDATE=0, DESTROY=0, LOG=0)
        self.missing = 0  # log packets, by the kernel's numbers
        self._screen = screen
        self._followed: dict[Any, int] = {}

    def _show(self, what: str, flow: Record, text: str) -> None:
        self._screen.line(f"   {self._screen.paint(f'{what:<8}', what)} {route(flow)} {text}")

    def event(self, message: Message) -> None:
        """A conntrack event."""
        event = "NEW" if message.header.flags & CREATE else "UPDATE"  # one message type, told apart by the flag
        if message.header.type & 0xFF == CT_DELETE:
            event = "DESTROY"
        self.counts[event] += 1
        flow = decode(message, FLOW)
        if self._followed.setdefault((flow["protocol"], flow.get("to_port")), flow["port"]) != flow["port"]:
            return
        text = state(flow)
        if event == "DESTROY":
            text = f"{both_ways(flow, 'packets')} packets, {both_ways(flow, 'bytes')} bytes"
        if "stop" in flow:
            text += f", lasted {(flow['stop'] - flow['start']) / 1e9:.3f} s"
        self._show(event, flow, text)

    def packet(self, message: Message) -> None:
        """A packet of the log group."""
        if message.header.type == netlink.HeaderType.DONE:
            return  # the end of a batch, which is no multi-part reply and says nothing more
        packet = decode(message, PACKET)
        self.missing = packet["number"] - self.counts["LOG"]
        self.counts["LOG"] += 1
        if self.counts["LOG"] > LOG_LINES:
            return
        ip = packet["payload"]
        port, to_port = struct.unpack_from(">HH", ip, (ip[0] & 0xF) * 4)
        flow = {"protocol": ip[9], "source": ip[12:16], "destination": ip[16:20], "port": port, "to_port": to_port}
        what = {ICMP: "ping", TCP: "SYN"}.get(ip[9], "datagram")
        seconds, micros = struct.unpack(">QQ", packet.get("timestamp", bytes(16)))
        clock = f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{micros // 1000:03}"
        devices = f"in {packet.get('in', '-')} out {packet.get('out', '-')}"
        self._show("LOG", flow, f"{what}, {len(ip)} bytes  [{packet['prefix']}{clock} {devices}]")


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


def dump(conn: Conn) -> Iterator[Message]:
    """All flows, one message each, one by one."""
    conn.send(request(NetfilterSubsystem.CTNETLINK, CT_GET, [], HeaderFlags.DUMP))
    return conn.receive_iter()


def show_table(flows: Iterable[Record], screen: Screen) -> None:
    """Three flows of each protocol and state."""
    row = "   {:<41} {:<12} {:>8} {:>8} {:>12}"
    titles = "proto source              destination", "state", "packets", "bytes", "forgotten in"
    lines = [screen.paint(row.format(*titles), "heading")]
    seen: Counter[Any] = Counter()
    for flow in sorted(flows, key=lambda flow: (flow["protocol"], state(flow))):
        kind = flow["protocol"], state(flow)
        seen[kind] += 1
        if seen[kind] <= 3 and len(lines) <= 12:
            counters = both_ways(flow, "packets"), both_ways(flow, "bytes")
            lines.append(row.format(route(flow), state(flow), *counters, f"{flow.get('timeout', 0):,} s"))
    screen.line("\n".join(lines) + f"\n   ... and {seen.total() - len(lines) + 1} more")


def create_flows(conn: Conn, count: int) -> None:
    """Put invented UDP flows into the table, 250 requests in a datagram. Only its last is acknowledged."""
    server, https, udp = socket.inet_aton("203.0.113.5"), struct.pack(">H", 443), bytes([UDP])
    batch: list[Message] = []
    for i in range(count):
        client, port = struct.pack(">I", 0xC6120000 + i // 50000), struct.pack(">H", 10000 + i % 50000)
        there = [(1, [(1, client), (2, server)]), (2, [(1, udp), (2, port), (3, https)])]  # as FLOW_IP, FLOW_PROTO
        back = [(1, [(1, server), (2, client)]), (2, [(1, udp), (2, https), (3, port)])]
        last = len(batch) == 249 or i == count - 1
        # CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_TIMEOUT
        fields, flags = [(1, there), (2, back), (7, 600)], CREATE | (ACK if last else 0)
        batch.append(request(NetfilterSubsystem.CTNETLINK, CT_NEW, fields, flags, socket.AF_INET))
        if last:
            conn.send_messages(batch)
            conn.receive()
            batch.clear()


def run(flow_count: int, connections: int, screen: Screen) -> None:
    screen.heading("A private network namespace")
    screen.line(f"   in {enter_namespaces()}")
    loopback_up()
    live = Live(screen)
    # The connections close first, which ends the threads.
    with ThreadPoolExecutor() as pool, connect() as conn, connect() as events, connect() as log:
        install_rule(conn)
        screen.line('   a firewall rule, set over netlink: input, ct state new, log prefix "demo: " group 7')
        screen.line(f"   {set_sysctls()}")
        for group in (1, 2, 3):  # NFNLGRP_CONNTRACK_NEW, _UPDATE, _DESTROY
            events.join_group(group)
        bind_log_group(log)
        threads = [pool.submit(read, events, live.event), pool.submit(read, log, live.packet)]
        screen.heading("Connections open and close: the kernel's events and the firewall's log, live")
        began = time.monotonic()
        made, still_open = make_traffic(connections, screen)
        screen.heading("The connection table, while the last few are open")
        show_table([decode(message, FLOW) for message in dump(conn)], screen)
        screen.heading("All are closed, and the kernel forgets them")
        for end in still_open:
            end.close()
        time.sleep(FORGET + 0.1)
        list(dump(conn))  # the kernel drops what it finds timed out
        conn.execute(request(NetfilterSubsystem.CTNETLINK, CT_DELETE, []))  # no flow named: all that is left
        give_up = time.monotonic() + 2
        while min(live.counts["DESTROY"], live.counts["LOG"]) < made.total() and time.monotonic() < give_up:
            time.sleep(0.01)
        busy = time.monotonic() - began
        drops = events.drops + log.drops
        events.close()
        log.close()
        for thread in threads:
            thread.result()
        flow_count = min(flow_count, int(Path(NF_CONNTRACK + "max").read_text()) // 2)
        screen.heading(f"A large table: {flow_count:,} invented flows are added")
        create_flows(conn, flow_count)
        began = time.monotonic()
        dumped = sum(1 for _ in dump(conn))
        half = time.monotonic()
        for message in dump(conn):
            decode(message, FLOW)
        received, decoded = half - began, time.monotonic() - half
        screen.line("   dumped twice: messages alone, then with their attributes decoded in Python")

    n = live.counts
    summary = {
        "made": f"{', '.join(f'{count} {kind}' for kind, count in made.items())}: {made.total()} flows",
        "events": f"{n['NEW']} NEW, {n['UPDATE']} UPDATE, {n['DESTROY']} DESTROY",
        "nflog": f"{n['LOG']} packets, {live.missing} missing",
        "rate": f"{n.total() / busy:,.0f} of these a second, as the traffic made them",
        "dump": f"{dumped} flows ({dumped / received:,.0f} a second received, {dumped / decoded:,.0f} decoded)",
        "dropped": f"{drops} datagrams",
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
