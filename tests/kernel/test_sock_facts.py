"""What the kernel does with requests of sock_diag that a user would not expect, and sockets that few kernels report."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

import pytest

import netns as netns_
from kernel.sockets import V4, V6, Pair, connected, inode, made, or_skip
from kernel.tools import Worker, eventually, unprivileged
from netlink import Family, Header, HeaderFlags, Message, OpError, dial, sock_diag
from netlink.sock_diag import (
    Filter,
    Include,
    InetRequest,
    NetlinkFlags,
    Protocol,
    State,
    States,
    UDPSocket,
)
from netlink.sock_diag.filter import bytecode

TCP_DEFER_ACCEPT = 9
AF_XDP, SOL_XDP = 44, 283
XDP_RX_RING, XDP_UMEM_REG, XDP_FILL_RING, XDP_COMPLETION_RING = 2, 4, 5, 6
XDP_COPY = 2
ALWAYS = {"shutdown", "cgroup_id", "sockopt"}


# Attributes


@pytest.mark.parametrize(
    ("include", "names"),
    [
        (Include.NONE, set()),
        (Include.MEMINFO, {"meminfo"}),
        (Include.INFO, {"info"}),
        (Include.CONGESTION, {"congestion"}),
        (Include.TOS, {"tos"}),
        (Include.TCLASS, {"tclass", "class_id"}),
        (Include.MEMORY, {"memory"}),
    ],
    ids=str,
)
def test_each_bit_asks_for_its_attributes(
    diag: sock_diag.Conn, opened: contextlib.ExitStack, include: Include, names: set[str]
) -> None:
    """Some come unasked, and the mark for those who have CAP_NET_ADMIN."""
    pair = Pair(opened, V6)
    pair.client.setsockopt(socket.SOL_SOCKET, 36, 7)  # SO_MARK
    (one,) = diag.tcp(include=include, filter=Filter(src_port=pair.own))
    assert one.unknown == ()
    header = {"header", "family", "state", "timer", "retrans", "src_port", "dst_port", "src", "dst", "interface"}
    header |= {"cookie", "expires", "recv_queue", "send_queue", "uid", "inode"}
    found = {name for name, value in one.to_dict().items() if value is not None} - header
    assert one.mark == 7
    # class_id comes with the cgroup of net_cls, or with the priority, where the kernel has that.
    assert names - {"class_id"} <= found <= names | ALWAYS | {"mark", "ulp"}
    assert "shutdown" in found


def test_what_congestion_control_says(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    """One bit asks for struct tcpvegas_info, tcp_bbr_info or tcp_dctcp_info, by the algorithm."""
    fields = {"vegas": "vegas", "bbr": "bbr", "dctcp": "dctcp", "westwood": "vegas", "illinois": "vegas"}
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control") as file:
        available = set(file.read().split()) & {*fields}
    if not available:
        pytest.skip("no congestion control here says more: tcp_bbr, tcp_vegas, tcp_dctcp")
    netns_.sysctl("net.ipv4.tcp_ecn", 1)  # without it dctcp is dctcp-reno
    for algorithm in sorted(available):
        pair = Pair(opened)
        pair.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, algorithm.encode())
        pair.client.sendall(bytes(1000))
        pair.accepted.recv(1000, socket.MSG_WAITALL)
        (one,) = diag.tcp(include=Include.ALL, filter=Filter(src_port=pair.own))
        assert one.congestion == algorithm
        said = {name for name in ("vegas", "bbr", "dctcp") if getattr(one, name) is not None}
        assert said == {fields[algorithm]}
        if one.bbr is not None:
            assert one.bbr.bw is not None
            assert 0 < (one.bbr.min_rtt or 0) < 10_000_000


# States


def test_states_that_pass_or_seldom_are(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    server = opened.enter_context(socket.create_server((V4, 0), backlog=0))
    opened.enter_context(socket.create_connection(server.getsockname()))  # the queue is full now
    asking = opened.enter_context(socket.socket())
    asking.setblocking(False)
    assert asking.connect_ex(server.getsockname()) == errno.EINPROGRESS
    found = eventually(lambda: [*diag.tcp(States.SYN_SENT)], "a socket in SYN_SENT")
    assert [one.inode for one in found] == [inode(asking)]

    waiting = opened.enter_context(socket.create_server((V4, 0)))
    waiting.setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 30)
    client = opened.enter_context(socket.create_connection(waiting.getsockname()))
    (half,) = diag.tcp(States.SYN_RECV)
    # The kernel has no socket of it yet, and so no inode, no user and no attributes.
    assert (half.dst_port, half.inode, half.uid, half.info) == (client.getsockname()[1], 0, 0, None)
    client.send(b"x")
    eventually(lambda: not len(diag.tcp(States.SYN_RECV)), "the listener accepts")

    bound = opened.enter_context(socket.socket())
    bound.bind((V4, 0))
    listed = {one.inode: one for one in diag.tcp(States.BOUND_INACTIVE)}
    if inode(bound) in listed:  # from Linux 6.8 on
        assert listed[inode(bound)].src_port == bound.getsockname()[1]
    assert inode(bound) not in {one.inode for one in diag.tcp(States.ALL & ~States.BOUND_INACTIVE)}


# Requests


def request(**fields: Any) -> InetRequest:
    return InetRequest(family=socket.AF_INET, states=States.ALL, **fields)


def test_ports_of_a_dump_are_a_filter(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    pair = Pair(opened)
    own = {one.cookie for one in diag.dump_tcp(request(protocol=Protocol.TCP, src_port=pair.port))}
    assert own == {one.cookie for one in diag.tcp(filter=Filter(src_port=pair.port))}
    assert len(own) == 2
    (peer,) = diag.dump_tcp(request(protocol=Protocol.TCP, dst_port=pair.port))
    assert peer.inode == inode(pair.client)


def test_the_number_of_multipath_tcp_in_8_bits_is_that_of_tcp(
    diag: sock_diag.Conn, opened: contextlib.ExitStack
) -> None:
    Pair(opened)
    assert Protocol.MPTCP & 0xFF == Protocol.TCP
    tcp = {one.cookie for one in diag.dump_tcp(request(protocol=Protocol.MPTCP & 0xFF))}
    assert len(tcp) == 3
    with or_skip():
        assert not tcp & {one.cookie for one in diag.mptcp()}


def test_any_bit_of_dump_makes_a_dump(opened: contextlib.ExitStack) -> None:
    Pair(opened)
    with dial(Family.SOCK_DIAG) as conn:
        for bit in (HeaderFlags.ROOT, HeaderFlags.MATCH):
            header = Header(type=20, flags=HeaderFlags.REQUEST | bit)
            conn.send(Message(header, request(protocol=Protocol.TCP).encode()))
            assert len(conn.receive()) == 3


@pytest.mark.parametrize(
    "program",
    [
        struct.pack("=BBH", 99, 4, 8),  # no such operation
        struct.pack("=BBH", 1, 4, 7),  # a jump to no boundary
        struct.pack("=BBH", 1, 4, 400),  # a jump behind the end
        struct.pack("=BBH", 2, 4, 8),  # a comparison without its argument
    ],
    ids=["operation", "boundary", "end", "argument"],
)
def test_a_program_that_is_wrong_is_refused_at_once(diag: sock_diag.Conn, program: bytes) -> None:
    with pytest.raises(OpError, match="Invalid argument"):
        diag.dump_tcp_both(states=States.ALL, bytecode=program)


def test_marks_are_for_those_who_may_set_them(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    """The kernel tells them nobody else, and runs no filter of theirs either."""
    Pair(opened)
    diag.tcp(filter=Filter(mark=1))

    def run() -> bool:
        with sock_diag.dial() as own:
            assert {one.mark for one in own.tcp()} == {None}
            with pytest.raises(PermissionError):
                own.tcp(filter=Filter(mark=0))
        return True

    assert unprivileged(run)


@pytest.mark.parametrize("many", [100, 10_000])
def test_a_filter_may_be_longer_than_a_program(diag: sock_diag.Conn, opened: contextlib.ExitStack, many: int) -> None:
    """Offsets have 16 bits. What the kernel cannot run is applied here alone, with the same result."""
    pair = Pair(opened)
    wanted = Filter(src=[f"10.{n >> 8}.{n & 255}.0/24" for n in range(many)] + [V4], dst_port=pair.port)
    assert (bytecode(wanted) is None) == (many == 10_000)
    assert [one.inode for one in diag.tcp(filter=wanted)] == [inode(pair.client)]


def test_ends_of_udp_find_the_wildcard_socket(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    """As a packet would: so `get` compares what came, and `destroy` sends the cookie."""
    server = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind(("0.0.0.0", 0))
    port = server.getsockname()[1]
    kernels = diag.get_udp(request(protocol=Protocol.UDP, src=V4, src_port=9, dst=V4, dst_port=port, cookie=2**64 - 1))
    assert kernels.inode == inode(server)
    with pytest.raises(FileNotFoundError, match="found another one"):
        diag.get(UDPSocket(family=socket.AF_INET, src=V4, src_port=port, dst=V4, dst_port=9))


# Dumps beside changes


def test_a_dump_has_all_that_stay(diag: sock_diag.Conn, opened: contextlib.ExitStack, work: Any) -> None:
    """Others come and go meanwhile: the kernel reports no change. A cookie tells which socket it is."""
    stay = {inode(Pair(opened).client): None for _ in range(50)}
    done: list[bool] = []

    def churn() -> int:
        rounds = 0
        while not done:
            with contextlib.ExitStack() as brief:
                Pair(brief).client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
            rounds += 1
        return rounds

    worker: Worker = work(churn)
    cookies: dict[int, int] = {}
    try:
        for _ in range(50):
            found = [one for part in diag.iterate(diag.calls.tcp(), rows=16) for one in part]
            assert {one.inode for one in found} >= {*stay}
            for one in found:
                if one.inode in stay:
                    assert cookies.setdefault(one.inode or 0, one.cookie or 0) == one.cookie
    finally:
        done.append(True)
    assert worker.result() > 0


# Ends


def test_an_end_is_told_before_time_wait_is_over(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    stream = opened.enter_context(sock_diag.listen())
    pair = Pair(opened)
    pair.client.close()
    pair.accepted.close()
    ended = {one.src_port: one for one in (next(stream), next(stream))}
    assert {*ended} == {pair.own, pair.port}
    (waits,) = diag.tcp(States.TIME_WAIT)
    assert waits.src_port == pair.own
    assert ended[pair.own].state == State.CLOSE
    assert ended[pair.own].info is not None
    assert not stream.read(timeout=0)


# Other families


def test_a_dump_that_runs_shows_itself(diag: sock_diag.Conn) -> None:
    with dial(Family.ROUTE) as conn:
        netns_.add_routes(conn, 2000)
        conn.send(netns_.routes_request())
        shown = {one.portid: one.flags for one in diag.netlink(Family.ROUTE)}
        assert (shown[conn.pid] or 0) & NetlinkFlags.CB_RUNNING


def test_filters_of_packet_sockets_are_for_those_who_may(opened: contextlib.ExitStack) -> None:
    packets = opened.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    code = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))
    program = struct.pack("=HxxxxxxQ", 1, ctypes.addressof(code))
    packets.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER

    def run() -> tuple[Any, ...]:
        with sock_diag.dial() as diag:
            return tuple(one.filter for one in diag.packet())

    with or_skip():
        assert run() == (code.raw[:8],)
    assert unprivileged(run) == (b"",)


def reported(sockets: Callable[[], Iterable[Any]]) -> list[Any]:
    with or_skip():
        return [*sockets()]


def test_raw_sockets_of_both_families(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    kinds = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
    ours = {}
    for family, protocol in kinds.items():
        sock = made(opened, family, socket.SOCK_RAW, protocol)
        ours[inode(sock)] = (family, protocol, State.CLOSE)
    found = reported(diag.raw)
    assert {one.inode: (one.family, one.protocol, one.state) for one in found} == ours
    assert all(one.unknown == () and one.memory is not None for one in found)
    for one in found:
        assert diag.get(one).cookie == one.cookie
    # The kernel finds any of the same protocol and addresses, whatever the cookie.
    other = made(opened, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    same = [one for one in diag.raw(family=socket.AF_INET) if one.inode in (inode(other), *ours)]
    assert len(same) == 2
    right = []
    for one in same:
        with contextlib.suppress(FileNotFoundError):
            right.append(diag.get(one).cookie == one.cookie)
    assert right == [True]


def test_sctp(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    server, client, accepted = connected(opened, socket.IPPROTO_SCTP)
    client.send(bytes(1000))
    assert len(accepted.recv(1000)) == 1000
    port = server.getsockname()[1]
    found = reported(lambda: diag.sctp(include=Include.ALL))
    assert {one.inode for one in found} >= {inode(client), inode(accepted), inode(server)}
    # A socket is reported by itself, and again for each of its associations.
    mine = next(one for one in found if one.inode == inode(client) and one.info and one.info.tag)
    assert mine.unknown == ()
    assert mine.info is not None
    assert (mine.info.opackets or 0) > 0
    assert [str(one.v4) for one in mine.peers or ()] == [V4]
    assert {one.port for one in mine.locals or ()} <= {client.getsockname()[1]}
    assert mine.info.p_address is not None
    assert mine.info.p_address.port == port
    (listener,) = (one for one in found if one.state == State.LISTEN)
    assert listener.src_port == port


def test_vsock(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    if not hasattr(socket, "AF_VSOCK"):
        pytest.skip("this Python has no AF_VSOCK")
    server = made(opened, socket.AF_VSOCK, socket.SOCK_STREAM)
    server.bind((socket.VMADDR_CID_ANY, 7777))
    server.listen()
    listeners = [one for one in reported(lambda: diag.vsock(States.LISTEN)) if one.inode == inode(server)]
    (one,) = listeners
    assert (one.type, one.src_cid, one.src_port) == (socket.SOCK_STREAM, socket.VMADDR_CID_ANY, 7777)
    client = made(opened, socket.AF_VSOCK, socket.SOCK_STREAM)
    try:
        client.connect((1, 7777))  # VMADDR_CID_LOCAL
    except OSError:
        return  # without vsock_loopback nobody is there
    opened.enter_context(server.accept()[0])
    both = [each for each in diag.vsock(States.ESTABLISHED) if 7777 in (each.src_port, each.dst_port)]
    assert {each.inode for each in both} >= {inode(client)}


def test_xdp(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    sock = made(opened, AF_XDP, socket.SOCK_RAW)
    memory = mmap.mmap(-1, 16 * 4096)
    at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    sock.setsockopt(SOL_XDP, XDP_UMEM_REG, struct.pack("=QQIII4x", at, len(memory), 4096, 0, 0))
    for ring, entries in ((XDP_FILL_RING, 64), (XDP_COMPLETION_RING, 32), (XDP_RX_RING, 16)):
        sock.setsockopt(SOL_XDP, ring, entries)
    (before,) = reported(diag.xdp)
    assert (before.fill_ring, before.info and before.info.interface) == (None, 0)
    address = struct.pack("=HHIII", AF_XDP, XDP_COPY, 1, 0, 0)  # struct sockaddr_xdp: queue 0 of lo
    assert ctypes.CDLL(None, use_errno=True).bind(sock.fileno(), address, len(address)) == 0, ctypes.get_errno()
    (one,) = diag.xdp()
    assert one.info is not None
    assert (one.info.interface, one.info.queue_id) == (1, 0)
    assert (one.inode, one.uid, one.unknown) == (inode(sock), os.getuid(), ())
    assert one.umem is not None
    assert (one.umem.size, one.umem.chunk_size, one.umem.num_pages) == (len(memory), 4096, 16)
    rings = one.fill_ring, one.completion_ring, one.rx_ring
    assert [ring and ring.entries for ring in rings] == [64, 32, 16]
    assert one.tx_ring is None
    assert one.memory is not None
    assert one.stats is None or one.stats.rx_dropped == 0  # from Linux 5.9 on
