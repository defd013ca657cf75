"""Sockets as the real kernel reports, filters and ends them: what ss, /proc and getsockopt say, too."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import re
import resource
import socket
import subprocess
import threading
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from kernel.sockets import V4, V6, Pair, by_cookie, inode, multipath, or_skip, ss
from kernel.tools import Deny, Worker, eventually, in_child, sandboxed, unprivileged
from netlink import Config, ConnOption, Family, OpError, dial, sock_diag
from netlink.bpf import BPF_K, BPF_RET, stmt
from netlink.sock_diag import (
    Filter,
    Include,
    NetlinkFlags,
    PacketFlags,
    State,
    States,
    TCPInfo,
    TCPSocket,
    Timer,
    UDPSocket,
)
from netlink.sock_diag.filter import bytecode


def of_ss(address: str) -> tuple[Any, int]:
    host, _, port = address.rpartition(":")
    host = re.sub(r"%.*", "", host.strip("[]"))
    plain = ip_address("::" if host == "*" else host)
    return getattr(plain, "ipv4_mapped", None) or plain, 0 if port == "*" else int(port)


def ends(one: sock_diag.InetSocket) -> tuple[Any, int, Any, int]:
    def plain(address: Any) -> Any:
        return getattr(address, "ipv4_mapped", None) or address

    return plain(one.src), one.src_port or 0, plain(one.dst), one.dst_port or 0


# What there is


def test_sockets_are_those_of_ss_and_of_proc(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    for address in (V4, V6):
        Pair(opened, address)
    mapped = opened.enter_context(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True))
    opened.enter_context(socket.create_connection((V4, mapped.getsockname()[1])))
    for kind in (socket.AF_INET, socket.AF_INET6):
        opened.enter_context(socket.socket(kind, socket.SOCK_DGRAM)).bind(("", 0))
    names = {State.ESTABLISHED: "ESTAB", State.LISTEN: "LISTEN", State.CLOSE: "UNCONN"}
    for option, batch in (("-t", diag.tcp()), ("-u", diag.udp())):
        ours = sorted((names[one.state or State.CLOSE], *map(str, ends(one))) for one in batch)
        theirs = [(line[0], *of_ss(line[3]), *of_ss(line[4])) for line in map(str.split, ss(option, "-a"))]
        # ss writes [::] and 0.0.0.0 as * where a socket has both.
        assert sorted((state, str(port), str(other)) for state, _, port, _, other in theirs) == sorted(
            (state, port, other) for state, _, port, _, other in ours
        )
        assert all(one.unknown == () for one in batch)
    found = {}
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/self/net", name).read_text().splitlines()[1:]:
            fields = line.split()
            found[int(fields[9])] = (int(fields[3], 16), int(fields[1][-4:], 16), int(fields[2][-4:], 16))
    assert {one.inode: (one.state, one.src_port, one.dst_port) for one in diag.tcp()} == found
    assert len(found) == 9


def test_each_address_family_alone(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    Pair(opened)
    Pair(opened, V6)
    v4, v6 = diag.tcp(family=socket.AF_INET), diag.tcp(family=socket.AF_INET6)
    assert {one.family for one in v4} == {socket.AF_INET}
    assert {one.family for one in v6} == {socket.AF_INET6}
    assert {one.cookie for one in v4 + v6} == {one.cookie for one in diag.tcp()}
    parts = [*diag.iterate(diag.calls.tcp(), rows=2)]
    assert [len(part) for part in parts if len(part)] == [2, 2, 2]


def test_tcp_info_is_that_of_getsockopt_byte_for_byte(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    pair = Pair(opened)
    pair.client.sendall(bytes(100_000))
    pair.accepted.recv(100_000, socket.MSG_WAITALL)
    pair.accepted.sendall(b"x")
    pair.client.recv(1)
    quiet = {"last_data_sent": 0, "last_data_recv": 0, "last_ack_recv": 0, "busy_time": 0}

    def same() -> bool:
        for sock in (pair.client, pair.accepted, pair.server):
            (one,) = (one for one in diag.tcp() if one.inode == inode(sock))
            raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1024)
            want = TCPInfo.decode(raw)
            assert one.info is not None
            assert set(one.info.to_dict()) == set(want.to_dict())
            if one.info.replace(**quiet).encode() != want.replace(**quiet).encode():
                return False
            assert TCPInfo.decode(one.info.encode()) == one.info
            assert len(raw) >= len(one.info.encode()) >= min(len(raw), 280)
        return True

    eventually(same, "nothing changes between the two")
    (client,) = diag.tcp(filter=Filter(src_port=pair.own))
    assert client.info is not None
    assert client.info.bytes_acked == 100_001  # and the SYN
    assert client.info.snd_wscale is not None
    assert client.info.state == State.ESTABLISHED


def test_what_to_report_is_chosen(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    pair = Pair(opened)
    pair.client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
    mine = Filter(src_port=pair.own)
    (bare,) = diag.tcp(include=Include.NONE, filter=mine)
    (full,) = diag.tcp(include=Include.ALL, filter=mine)
    for name in ("info", "memory", "meminfo", "congestion", "tos"):
        assert getattr(bare, name) is None
        assert getattr(full, name) is not None
    assert full.tos == 0x10
    name = pair.client.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")
    assert full.congestion == name.decode()
    assert full.memory is not None
    assert full.memory.sndbuf == pair.client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert full.memory.rcvbuf == pair.client.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert (full.uid, full.inode) == (os.getuid(), inode(pair.client))


def test_queues_of_a_listener_are_those_of_accept(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    pair = Pair(opened)
    for _ in range(3):
        opened.enter_context(socket.create_connection((V4, pair.port)))
    (listener,) = diag.tcp(States.LISTEN)
    assert (listener.recv_queue, listener.send_queue) == (3, 7)
    assert listener.info is not None
    assert (listener.info.unacked, listener.info.sacked) == (3, 7)


def test_a_socket_in_time_wait_has_nothing_but_its_addresses(
    diag: sock_diag.Conn, opened: contextlib.ExitStack
) -> None:
    pair = Pair(opened)
    pair.client.close()
    pair.accepted.close()
    found = eventually(lambda: [*diag.tcp(States.TIME_WAIT)], "a socket in TIME_WAIT")
    assert [(one.inode, one.uid, one.info, one.timer) for one in found] == [(0, 0, None, Timer.TIME_WAIT)]
    assert 0 < (found[0].expires or 0) <= 60_000
    with or_skip():
        diag.destroy(found[0])
    assert len(diag.tcp(States.TIME_WAIT)) == 0


def test_multipath_tcp_is_not_tcp(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    client = multipath(diag, opened)
    Pair(opened)
    found = [*diag.mptcp(States.ESTABLISHED)]
    assert {one.inode for one in found} >= {inode(client)}
    assert all(one.info is not None and one.info.token for one in found)
    assert [diag.get(one).cookie for one in found] == [one.cookie for one in found]
    subflows = [one for one in diag.tcp() if one.ulp and one.ulp.mptcp]
    tokens = {one.info.token for one in found if one.info}
    assert {one.ulp.mptcp.token_loc for one in subflows if one.ulp and one.ulp.mptcp} & tokens


# Filters

EXPRESSIONS: list[tuple[str, dict[str, Any]]] = [
    ("sport = :{port}", {"src_port": "port"}),
    ("dport = :{port}", {"dst_port": "port"}),
    ("sport = :{port} or sport = :{own}", {"src_port": ["port", "own"]}),
    ("sport >= :1 and sport <= :65534", {"src_port": range(1, 65535)}),
    ("dst 127.0.0.0/8", {"dst": "127.0.0.0/8"}),
    ("src 127.0.0.1", {"src": V4}),
    ("src [::1]", {"src": V6}),
    ("dst 10.0.0.0/8 or dst 127.0.0.0/8", {"dst": ["10.0.0.0/8", "127.0.0.0/8"]}),
    ("src 127.0.0.1 and dport = :{port}", {"src": V4, "dst_port": "port"}),
    ("not sport = :{port}", {"exclude": {"src_port": "port"}}),
    ("not ( sport = :{port} and src 127.0.0.1 )", {"exclude": {"src_port": "port", "src": V4}}),
    ("dst 127.0.0.1 and not dport = :{own}", {"dst": V4, "exclude": {"dst_port": "own"}}),
]


@pytest.mark.parametrize(("expression", "criteria"), EXPRESSIONS, ids=[one for one, _ in EXPRESSIONS])
def test_filters_are_those_of_ss(
    diag: sock_diag.Conn, opened: contextlib.ExitStack, expression: str, criteria: dict[str, Any]
) -> None:
    pair = Pair(opened)
    Pair(opened, V6)
    mapped = opened.enter_context(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True))
    opened.enter_context(socket.create_connection((V4, mapped.getsockname()[1])))
    ports = {"port": pair.port, "own": pair.own}

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return Filter(**{name: filled(one) for name, one in value.items()})
        return [filled(one) for one in value] if isinstance(value, list) else ports.get(str(value), value)

    of = Filter(**{name: filled(value) for name, value in criteria.items()})
    kernels = {one.cookie for one in diag.dump_tcp_both(states=States.ALL, bytecode=bytecode(of))}
    ours = {one.cookie for one in diag.tcp() if of.matches(one)}
    assert kernels == ours == {one.cookie for one in diag.tcp(filter=of)}
    assert {*by_cookie(ss("-tae", expression.format(**ports)))} == ours
    assert ours


def test_a_filter_by_mark_interface_user_and_cgroup(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    pair = Pair(opened)
    pair.client.setsockopt(socket.SOL_SOCKET, 36, 0x12)  # SO_MARK
    (mine,) = diag.tcp(filter=Filter(mark=0x10, mark_mask=0xF0))
    assert (mine.inode, mine.mark) == (inode(pair.client), 0x12)
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        bound.bind((V4, 0))
        bound.listen()
        assert [one.inode for one in diag.tcp(filter=Filter(interface=1))] == [inode(bound)]
    assert len(diag.tcp(filter=Filter(uid=os.getuid()))) == 3
    assert len(diag.tcp(filter=Filter(uid=range(1 << 30, 1 << 31)))) == 0
    if mine.cgroup_id is not None:
        assert len(diag.tcp(filter=Filter(cgroup=mine.cgroup_id))) == 3
        assert len(diag.tcp(filter=Filter(exclude=Filter(cgroup=mine.cgroup_id)))) == 0


# One socket


def test_get_finds_that_socket_and_no_other(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    for address in (V4, V6):
        pair = Pair(opened, address)
        for one in diag.tcp(filter=Filter(src_port=[pair.own, pair.port])):
            assert diag.get(one).cookie == one.cookie
        family = pair.client.family
        ours = TCPSocket(family=family, src=address, src_port=pair.own, dst=address, dst_port=pair.port)
        assert diag.get(ours).inode == inode(pair.client)
        # The kernel's own search would return the listener.
        with pytest.raises(FileNotFoundError, match="found another one"):
            diag.get(ours.replace(src_port=pair.port, dst_port=1))
        with pytest.raises(FileNotFoundError):
            diag.get(ours.replace(cookie=1 << 60))


def test_get_of_udp(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    server = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind((V4, 0))
    client = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client.connect(server.getsockname())
    sockets = [*diag.udp()]
    assert {one.state for one in sockets} == {State.CLOSE, State.ESTABLISHED}
    for one in sockets:
        assert diag.get(one).cookie == one.cookie
    port = client.getsockname()[1]
    with pytest.raises(FileNotFoundError, match="found another one"):
        diag.get(UDPSocket(family=2, src=V4, src_port=server.getsockname()[1], dst=V4, dst_port=port))


def test_destroy_never_ends_a_listener_by_accident(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    pair = Pair(opened)
    (one,) = diag.tcp(filter=Filter(src_port=pair.own))
    with or_skip():
        diag.destroy(one)
    with pytest.raises(ConnectionAbortedError):
        pair.client.send(b"x")
    # It is gone: with its addresses the kernel would find the listener.
    with pytest.raises(FileNotFoundError, match="there is no such socket"):
        diag.destroy(one)
    (listener,) = diag.tcp(States.LISTEN)
    gone = listener.replace(dst=V4, dst_port=1, cookie=one.cookie, state=State.ESTABLISHED)
    with pytest.raises(FileNotFoundError):
        diag.destroy(gone)
    with pytest.raises(ValueError, match="listener=True"):
        diag.destroy(listener)
    opened.enter_context(socket.create_connection((V4, pair.port)))
    pair.server.accept()[0].close()
    diag.destroy(listener, listener=True)
    with pytest.raises(OSError, match="Invalid argument"):
        pair.server.accept()


def test_destroy_of_udp_keeps_the_server(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    server = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind((V4, 0))
    client = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client.connect(server.getsockname())
    (one,) = diag.udp(States.ESTABLISHED)
    with or_skip():
        diag.destroy(one)
    with pytest.raises(ConnectionAbortedError):
        client.recv(1, socket.MSG_DONTWAIT)
    with pytest.raises(FileNotFoundError):
        diag.destroy(one)
    assert [other.inode for other in diag.udp()] == [inode(server)]


def test_what_needs_a_capability(opened: contextlib.ExitStack) -> None:
    pair = Pair(opened)

    def run() -> tuple[Any, ...]:
        with sock_diag.dial() as own:
            sockets = [*own.tcp()]
            errors = []
            for refused in (lambda: own.destroy(sockets[-1], listener=True), lambda: own.tcp(filter=Filter(mark=1))):
                try:
                    refused()
                except PermissionError as error:
                    errors.append(str(error))
            return len(sockets), {one.mark for one in sockets}, errors

    count, marks, errors = unprivileged(run)
    assert (count, marks) == (3, {None})
    assert len(errors) == 2
    assert all("CAP_NET_ADMIN" in error for error in errors)
    assert pair.server.fileno() > 0


# Sockets that end


def test_connections_that_end_are_counted_without_privileges(opened: contextlib.ExitStack) -> None:
    stream = opened.enter_context(unprivileged(lambda: sock_diag.listen(udp=True)))
    sizes = (10, 1000, 100_000)
    for address in (V4, V6):
        for size in sizes:
            with contextlib.ExitStack() as each:
                pair = Pair(each, address)
                pair.client.sendall(bytes(size))
                pair.accepted.recv(size, socket.MSG_WAITALL)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((V4, 0))
    found: list[sock_diag.EndedSocket] = []
    while sum(one.protocol == socket.IPPROTO_UDP for one in found) < 1 or len(found) < 13:
        found.append(next(stream))
    assert stream.lost == 0
    sent = sorted(one.info.bytes_acked or 0 for one in found if one.info and (one.info.bytes_acked or 0) > 2)
    assert [size - sent[i] for i, size in enumerate(sorted(2 * sizes))] == [-1] * 6 or all(
        size <= got <= size + 2 for size, got in zip(sorted(2 * sizes), sent, strict=True)
    )
    assert {one.inode for one in found} == {0}
    (last,) = (one for one in found if one.protocol == socket.IPPROTO_UDP)
    assert last.info is None


def test_a_filter_of_sockets_that_end(opened: contextlib.ExitStack) -> None:
    with contextlib.ExitStack() as first:
        pair = Pair(first)
        stream = opened.enter_context(sock_diag.listen(filter=Filter(dst_port=pair.port)))
        Pair(first)
    ended = next(stream)
    assert ended.src_port == pair.own
    assert [*stream.batches(idle=0)] == []


def test_a_full_read_buffer_is_a_loss(opened: contextlib.ExitStack) -> None:
    stream = opened.enter_context(sock_diag.listen(tcp=False, udp=True, read_buffer=2048, on_overrun="mark"))
    for _ in range(200):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((V4, 0))

    def all_of_them() -> bool:
        found.extend(one for one in stream.batches(idle=0))
        return stream.lost + sum(len(one) for one in found if not isinstance(one, Exception)) == 200

    found: list[Any] = []
    eventually(all_of_them, "each socket is either reported or lost")
    assert stream.lost > 100
    assert sum(one.lost for one in found if isinstance(one, Exception)) == stream.lost


# Other families


def test_unix_sockets_and_their_peers(diag: sock_diag.Conn, opened: contextlib.ExitStack, tmp_path: Path) -> None:
    listener = opened.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(tmp_path / "s"))
    listener.listen(5)
    client = opened.enter_context(socket.socket(socket.AF_UNIX))
    client.connect(str(tmp_path / "s"))
    abstract = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    abstract.bind("\0netlink test")
    one, other = socket.socketpair()
    opened.enter_context(one)
    opened.enter_context(other)
    one.send(b"abc")
    found = {each.inode: each for each in diag.unix()}
    of = found[inode(listener)]
    assert (of.state, of.path, of.type) == (State.LISTEN, str(tmp_path / "s"), socket.SOCK_STREAM)
    assert of.vfs is not None
    assert of.vfs.inode == (tmp_path / "s").stat().st_ino & 0xFFFFFFFF
    assert of.icons == (inode(client),)
    assert of.queues is not None
    assert (of.queues.recv_queue, of.queues.send_queue) == (1, 5)
    assert found[inode(abstract)].path == "@netlink test"
    assert found[inode(one)].peer == inode(other)
    assert found[inode(other)].peer == inode(one)
    queues = found[inode(other)].queues
    assert queues is not None
    assert queues.recv_queue == 3
    assert found[inode(one)].uid in (None, os.getuid())  # absent before Linux 5.3
    text = Path("/proc/self/net/unix").read_text()
    proc = {int(line.split()[6]) for line in text.splitlines()[1:]}
    assert proc - {0} == {*found}
    assert diag.get_unix_socket(inode(one), found[inode(one)].cookie).peer == inode(other)
    with pytest.raises(OpError, match="another socket has this inode now") as info:
        diag.get_unix_socket(inode(one), 1)
    assert info.value.errno == errno.ESTALE
    one.close()
    with pytest.raises(FileNotFoundError, match="there is no such socket"):
        diag.get_unix_socket(found[inode(other)].peer or 0)
    assert {each.inode for each in diag.unix(States.LISTEN)} == {inode(listener)}


def test_netlink_sockets_say_what_they_are_set_to(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    conn = opened.enter_context(dial(Family.ROUTE, Config(groups=0b101)))
    conn.join_group(33)
    conn.set_option(ConnOption.NO_ENOBUFS, True)
    conn.set_option(ConnOption.CAP_ACKNOWLEDGE, True)
    mine, *again = (one for one in diag.netlink(Family.ROUTE) if one.portid == conn.pid)
    assert all(one == mine for one in again)  # the kernel reports members of groups twice
    assert mine.groups == (1, 3, 33)
    assert mine.flags is not None
    assert mine.flags & NetlinkFlags.NO_ENOBUFS
    assert mine.flags & NetlinkFlags.CAP_ACK
    assert not mine.flags & NetlinkFlags.CB_RUNNING
    assert mine.memory is not None
    text = Path("/proc/self/net/netlink").read_text()
    proc = {(int(line.split()[1]), int(line.split()[2])) for line in text.splitlines()[1:]}
    assert {(one.protocol, one.portid) for one in diag.netlink()} == proc
    assert {one.protocol for one in diag.netlink(Family.ROUTE)} == {Family.ROUTE}


def test_packet_sockets(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    packets = opened.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)))
    packets.bind(("lo", 0x0800))
    packets.setsockopt(
        263, 1, (1).to_bytes(4, "little") + (1).to_bytes(2, "little") + bytes(10)
    )  # PACKET_ADD_MEMBERSHIP
    program = [stmt(BPF_RET | BPF_K, 0)]
    code = ctypes.create_string_buffer(b"".join(bytes([i.code & 255, i.code >> 8, 0, 0, 0, 0, 0, 0]) for i in program))
    packets.setsockopt(
        socket.SOL_SOCKET,
        26,
        (1).to_bytes(8, "little") + ctypes.addressof(code).to_bytes(8, "little"),  # SO_ATTACH_FILTER
    )
    with or_skip():
        (mine,) = diag.packet()
    assert (mine.inode, mine.type, mine.protocol) == (inode(packets), socket.SOCK_RAW, 0x0800)
    assert mine.info is not None
    assert mine.info.interface == 1
    assert mine.info.flags is not None
    assert mine.info.flags & PacketFlags.RUNNING
    assert mine.memberships is not None
    assert [(one.interface, one.type) for one in mine.memberships] == [(1, 1)]
    assert mine.filter == bytes([6, 0, 0, 0, 0, 0, 0, 0])
    assert mine.uid == os.getuid()


@pytest.mark.parametrize("name", ["raw", "sctp", "vsock", "xdp"])
def test_what_a_kernel_may_lack(diag: sock_diag.Conn, name: str) -> None:
    said = ""
    try:
        assert len(getattr(diag, name)()) == 0
    except FileNotFoundError as error:
        said = str(error)
    assert not said or "it needs CONFIG_" in said


# Processes


def test_owners_are_all_that_have_a_socket(opened: contextlib.ExitStack) -> None:
    pair = Pair(opened)
    copy = opened.enter_context(pair.client.dup())
    here = sorted([(os.getpid(), pair.client.fileno()), (os.getpid(), copy.fileno())])
    assert sock_diag.owners()[inode(pair.client)] == here
    assert sock_diag.owners([os.getpid()])[inode(pair.client)] == here
    assert sock_diag.owners([1 << 30]) == {}
    child = subprocess.Popen(
        ["sleep", "60"], stdin=pair.accepted.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert (child.pid, 0) in sock_diag.owners()[inode(pair.accepted)]
    finally:
        child.kill()
        child.wait()


def test_owners_without_more_threads(opened: contextlib.ExitStack) -> None:
    """The walk is done by the thread that asks for it, if there are no others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2500:
        pytest.skip(f"a process may have {hard} open files alone")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2500), hard))
    opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    for _ in range(2000):
        opened.enter_context(socket.socket())

    def run() -> int:
        with pytest.raises(RuntimeError, match="thread"):
            threading.Thread(target=int).start()
        return len(sock_diag.owners([os.getpid()]))

    assert in_child(sandboxed([Deny("clone", errno.EAGAIN), Deny("clone3", errno.EAGAIN)], run)) >= 2000


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="AddressSanitizer's malloc has no locks that survive a fork")
def test_a_process_may_fork_beside_a_search(opened: contextlib.ExitStack, work: Any) -> None:
    sock = opened.enter_context(socket.socket())
    done: list[bool] = []

    def search() -> int:
        rounds = 0
        while not done:
            rounds += bool(sock_diag.owners())
        return rounds

    worker: Worker = work(search)
    for _ in range(20):
        assert in_child(lambda: inode(sock) in sock_diag.owners([os.getpid()]))
    done.append(True)
    assert worker.result() > 0


@pytest.mark.parametrize(
    "kind", ["all", "inet", "inet4", "inet6", "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix"]
)
def test_connections_are_those_of_psutil(diag: sock_diag.Conn, opened: contextlib.ExitStack, kind: Any) -> None:
    psutil = pytest.importorskip("psutil")
    for address in (V4, V6):
        Pair(opened, address)
    assert set(diag.connections(kind)) == set(map(tuple, psutil.net_connections(kind)))


def test_connections_say_who_has_them(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    pair = Pair(opened)
    by_fd = {one.fd: one for one in diag.connections("tcp")}
    mine = by_fd[pair.client.fileno()]
    assert (mine.laddr, mine.raddr) == (pair.client.getsockname(), pair.client.getpeername())
    assert (mine.status, mine.pid, mine.type) == ("ESTABLISHED", os.getpid(), socket.SOCK_STREAM)
    assert by_fd[pair.server.fileno()].status == "LISTEN"
    assert {one.pid for one in diag.connections("tcp", processes=False)} == {None}


def test_sock_diag_in_an_event_loop(opened: contextlib.ExitStack) -> None:
    pair = Pair(opened)

    async def main() -> None:
        async with sock_diag.dial_async() as diag, sock_diag.listen() as ended:
            batch, udp, found = await asyncio.gather(diag.tcp(), diag.udp(), diag.connections())
            assert (len(batch), len(udp), len(found)) == (3, 0, 3)
            (one,) = await diag.tcp(filter=Filter(src_port=pair.own))
            assert (await diag.get(one)).cookie == one.cookie
            pair.client.close()
            pair.accepted.close()
            async for each in ended:
                if each.src_port == pair.own:
                    break

    asyncio.run(main())
