"""Sockets beside ss of iproute2, in all of its forms, and beside /proc/net."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kernel.sockets import V4, V6, Pair, by_cookie, connected, inode, made, multipath, or_skip, ss
from kernel.tools import eventually, readable
from netlink import Family, dial, sock_diag
from netlink.sock_diag import Filter, Include, State, States, Timer
from netlink.sock_diag.filter import bytecode

TIMERS = {Timer.RETRANSMIT: "on", Timer.KEEPALIVE: "keepalive", Timer.TIME_WAIT: "timewait", Timer.PROBE: "persist"}
NAMES = {State.ESTABLISHED: "ESTAB", State.CLOSE: "UNCONN"}


def number(line: str, pattern: str) -> Any:
    """What a line has in a group, as a number of its kind; None if it does not match."""
    found = re.search(pattern, line)
    return None if found is None else float(found[1]) if "." in found[1] else int(found[1])


def state(one: Any) -> str:
    return NAMES.get(one.state, one.state.name.replace("_", "-"))


def busy(opened: contextlib.ExitStack, address: str = V4) -> Pair:
    """A connection whose peer does not read, so that data is queued on both sides."""
    pair = Pair(opened, address)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    pair.client.sendall(bytes(10_000))
    pair.accepted.recv(3000, socket.MSG_WAITALL)
    return pair


def info_of(one: sock_diag.TCPSocket) -> dict[str, Any]:
    """What ss -i prints of a connection that is quiet. It leaves out what is 0."""
    info = one.info
    assert info is not None

    def some(value: int | None) -> int | None:
        return value or None

    return {
        r"\bwscale:(\d+),": info.snd_wscale,
        r"\bwscale:\d+,(\d+)": info.rcv_wscale,
        r"\brto:([\d.]+)": (info.rto or 0) / 1000,
        r"\brtt:([\d.]+)/": (info.rtt or 0) / 1000,
        r"\brtt:[\d.]+/([\d.]+)": (info.rttvar or 0) / 1000,
        r"\bmss:(\d+)": info.snd_mss,
        r"\bpmtu:(\d+)": info.pmtu,
        r"\brcvmss:(\d+)": info.rcv_mss,
        r"\badvmss:(\d+)": info.advmss,
        r"\bcwnd:(\d+)": info.snd_cwnd,
        r"\bbytes_sent:(\d+)": some(info.bytes_sent),
        r"\bbytes_retrans:(\d+)": some(info.bytes_retrans),
        r"\bbytes_acked:(\d+)": some(info.bytes_acked),
        r"\bbytes_received:(\d+)": some(info.bytes_received),
        r"\bsegs_out:(\d+)": some(info.segs_out),
        r"\bsegs_in:(\d+)": some(info.segs_in),
        r"\bdata_segs_out:(\d+)": some(info.data_segs_out),
        r"\bdata_segs_in:(\d+)": some(info.data_segs_in),
        r"\bdelivered:(\d+)": some(info.delivered),
        r"\brcv_space:(\d+)": some(info.rcv_space),
        r"\brcv_ssthresh:(\d+)": some(info.rcv_ssthresh),
        r"\bminrtt:([\d.]+)": (info.min_rtt or 0) / 1000,
        r"\bsnd_wnd:(\d+)": some(info.snd_wnd),
        r"\brcv_wnd:(\d+)": some(info.rcv_wnd),
        r"\bunacked:(\d+)": some(info.unacked),
        r"\bpacing_rate (\d+)bps": 8 * (info.pacing_rate or 0),
        r"\bdelivery_rate (\d+)bps": some(8 * (info.delivery_rate or 0)),
        r"\b(app_limited)": None,
    }


@pytest.mark.parametrize("address", [V4, V6])
def test_information_is_that_of_ss(diag: sock_diag.Conn, opened: contextlib.ExitStack, address: str) -> None:
    """ss -t -aiemo --tos: every figure of a connection, of a listener and of the peer."""
    pair = busy(opened, address)

    def same() -> bool:
        shown = by_cookie(ss("-t", "-aiemo", "--tos"))
        sockets = [*diag.tcp(include=Include.ALL)]
        assert {one.cookie for one in sockets} == {*shown}
        for one in sockets:
            line = shown[one.cookie or 0]
            found = line.split()
            memory = one.memory
            assert memory is not None
            skmem = re.search(r"skmem:\(r(\d+),rb(\d+),t(\d+),tb(\d+),f(\d+),w(\d+),o(\d+),bl(\d+),d(\d+)\)", line)
            assert skmem is not None
            timer = re.search(r"timer:\((\w+)", line)
            theirs = found[0], int(found[1]), int(found[2]), timer and timer[1], *map(int, skmem.groups())
            name = TIMERS.get(one.timer or Timer.OFF)
            # The peer may acknowledge something between the two, and a rate that is measured anew has other figures.
            if theirs != (state(one), one.recv_queue, one.send_queue, name, *memory.to_dict().values()):
                return False
            assert number(line, r"\bino:(\d+)") == one.inode
            assert (number(line, r"\buid:(\d+)") or 0) == one.uid
            assert number(line, r"\btos:(?:0x)?(\d+)") == one.tos
            assert f" {one.congestion} " in line
            if one.state == State.LISTEN:
                continue
            assert one.info is not None
            for pattern, value in info_of(one).items():
                if value is not None and number(line, pattern) != pytest.approx(value, abs=0.0011):
                    return False
            assert ("app_limited" in line) == one.info.delivery_rate_app_limited
        return True

    eventually(same, "nothing changes between the two")
    (mine,) = diag.tcp(filter=Filter(src_port=pair.port, dst_port=pair.own))
    assert mine.recv_queue == 7000


def test_udp_is_that_of_ss_and_of_proc(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    server = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind((V4, 0))
    client = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client.connect(server.getsockname())
    client.send(bytes(100))
    eventually(lambda: readable(server), "it arrives")
    opened.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)).bind((V6, 0))
    shown = by_cookie(ss("-u", "-aem"))
    sockets = [*diag.udp()]
    assert {one.cookie for one in sockets} == {*shown}
    for one in sockets:
        found = shown[one.cookie or 0].split()
        assert (found[0], int(found[1]), int(found[2])) == (state(one), one.recv_queue, one.send_queue)
        assert one.memory is not None
        assert f"skmem:(r{one.memory.rmem_alloc},rb{one.memory.rcvbuf}," in shown[one.cookie or 0]
    of_proc = {}
    for name in ("udp", "udp6"):
        for line in Path("/proc/self/net", name).read_text().splitlines()[1:]:
            fields = line.split()
            of_proc[int(fields[9])] = (int(fields[3], 16), int(fields[1][-4:], 16), int(fields[4][-8:], 16))
    assert {one.inode: (one.state, one.src_port, one.recv_queue) for one in sockets} == of_proc


def test_processes_are_those_of_ss(opened: contextlib.ExitStack) -> None:
    """ss -tp, ss -xp."""
    Pair(opened)
    for sock in socket.socketpair():
        opened.enter_context(sock)
    owners = sock_diag.owners()
    for options in ("-tape", "-xape"):
        for line in ss(options):
            ino = number(line, r"\bino:(\d+)") or int(line.split()[5])
            shown = {(int(pid), int(fd)) for pid, fd in re.findall(r"pid=(\d+),fd=(\d+)", line)}
            assert shown == {*owners[ino]}


def test_unix_sockets_are_those_of_ss(diag: sock_diag.Conn, opened: contextlib.ExitStack, tmp_path: Path) -> None:
    """ss -xae: the types, the states, the queues, the inodes and the peers."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        for sock in socket.socketpair(socket.AF_UNIX, kind):
            opened.enter_context(sock).send(b"abc")
    listener = opened.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(tmp_path / "listener"))
    listener.listen(3)
    client = opened.enter_context(socket.socket(socket.AF_UNIX))
    client.connect(str(tmp_path / "listener"))
    kinds = {socket.SOCK_STREAM: "u_str", socket.SOCK_DGRAM: "u_dgr", socket.SOCK_SEQPACKET: "u_seq"}
    shown = {}
    for line in ss("-xae"):
        kind, of, recv, send, path, ino, _, peer = line.split()[:8]
        shown[int(ino)] = (kind, of, int(recv), int(send), path, int(peer))
    ours = {}
    for one in diag.unix():
        assert one.queues is not None
        queues = one.queues.recv_queue, one.queues.send_queue
        of = "ESTAB" if one.state == State.ESTABLISHED else state(one)
        ours[one.inode] = (kinds[socket.SocketKind(one.type or 0)], of, *queues, one.path or "*", one.peer or 0)
    assert ours == shown
    assert len(ours) == 8


def test_netlink_and_packet_sockets_are_those_of_ss_and_of_proc(
    diag: sock_diag.Conn, opened: contextlib.ExitStack
) -> None:
    """ss -A netlink, ss -0."""
    packets = opened.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0806)))
    packets.bind(("lo", 0x0806))
    route = opened.enter_context(dial(Family.ROUTE))
    assert {one.portid for one in diag.netlink(Family.ROUTE)} == {0, route.pid}
    # ss has a connection of its own, and dumps by it as this one does.
    shown = {tuple(map(int, line.split()[3].split(":"))) for line in ss("-A", "netlink", "-a")}
    ours = {(one.protocol, one.portid) for one in diag.netlink()}
    assert {one for one in shown if one[0] != Family.SOCK_DIAG} == {one for one in ours if one[0] != Family.SOCK_DIAG}
    with or_skip():
        found = [*diag.packet()]
    assert {one.cookie for one in found} == {*by_cookie(ss("-0", "-ae"))}
    lines = [line.split() for line in Path("/proc/self/net/packet").read_text().splitlines()[1:]]
    assert {(one.inode, one.type, one.protocol) for one in found} == {
        (int(line[8]), int(line[2]), int(line[3], 16)) for line in lines
    }
    assert {one.inode for one in found} == {inode(packets)}


def test_raw_sockets_are_those_of_ss(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    """ss -w."""
    made(opened, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    made(opened, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    with or_skip():
        found = [*diag.raw()]
    shown = by_cookie(ss("-w", "-ae"))
    assert {*shown} == {one.cookie for one in found}
    assert len(shown) == 2
    for one in found:
        line = shown[one.cookie or 0]
        of, recv, send, source = line.split()[:4]
        assert (of, int(recv), int(send)) == (state(one), one.recv_queue, one.send_queue)
        assert source.rpartition(":")[2] == str(one.protocol)
        assert number(line, r"\bino:(\d+)") == one.inode


def test_associations_of_sctp_are_those_of_ss(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    """ss -S, which shows associations below their sockets."""
    connected(opened, socket.IPPROTO_SCTP)
    with or_skip():
        found = [*diag.sctp()]
    lines = ss("-S", "-ae")
    shown = [number(line, r"\bino:(\d+)") for line in lines if "ino:" in line]
    assert sorted(shown) == sorted(one.inode for one in found if one.inode)
    ports = sorted(number(line, r"[\d.]+(?:%\w+)?:(\d+) ") for line in lines)
    assert ports == sorted(one.src_port or 0 for one in found)


def test_vsock_is_that_of_ss(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    """ss --vsock."""
    if not hasattr(socket, "AF_VSOCK"):
        pytest.skip("this Python has no AF_VSOCK")
    server = made(opened, socket.AF_VSOCK, socket.SOCK_STREAM)
    server.bind((socket.VMADDR_CID_ANY, 7771))
    server.listen()
    with or_skip():
        found = [*diag.vsock()]
    kinds = {socket.SOCK_STREAM: "v_str", socket.SOCK_DGRAM: "v_dgr"}

    def end(cid: int | None, port: int | None) -> str:
        return ":".join("*" if one == 0xFFFFFFFF else str(one) for one in (cid, port))

    ours = {(kinds[socket.SocketKind(one.type or 0)], state(one), end(one.src_cid, one.src_port)) for one in found}
    shown = [line.split() for line in ss("--vsock", "-a")]
    assert {(line[0], line[1], line[4]) for line in shown} == ours
    assert ("v_str", "LISTEN", "*:7771") in ours


def test_sockets_of_xdp_are_those_of_ss(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    """ss --xdp."""
    sock = made(opened, 44, socket.SOCK_RAW)  # AF_XDP
    sock.setsockopt(283, 2, 16)  # SOL_XDP, XDP_RX_RING: entries
    with or_skip():
        (one,) = diag.xdp()
    (line,) = ss("--xdp", "-ae")
    assert (number(line, r"\bino:(\d+)"), number(line, r"\brx\(entries:(\d+)")) == (one.inode, 16)
    assert one.rx_ring is not None
    assert one.rx_ring.entries == 16
    assert int(re.search(r"\bsk:(\w+)", line)[1], 16) == one.cookie  # type: ignore[index]


def test_multipath_tcp_is_that_of_ss(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    """ss -M."""
    multipath(diag, opened)
    shown = by_cookie(ss("-M", "-aie"))
    for one in diag.mptcp():
        line = shown.pop(one.cookie or 0)
        assert line.split()[0] == state(one)
        if one.state == State.ESTABLISHED:
            assert one.info is not None
            assert f"token:{one.info.token:x}" in line
    assert shown == {}


def test_what_ends_is_what_ss_shows(opened: contextlib.ExitStack) -> None:
    """ss -E -t: the sockets that end, with their last figures."""
    # It does not empty its buffer by itself.
    command = ["stdbuf", "-oL", "ss", "-HOn", "-E", "-tie"]
    if not shutil.which("stdbuf"):
        pytest.skip("stdbuf is missing (Debian: coreutils)")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as monitor:
        try:
            assert monitor.stdout is not None
            groups = Path("/proc/thread-self/net/netlink")

            def listens() -> bool:
                rows = [line.split() for line in groups.read_text().splitlines()[1:]]
                return any(int(row[1]) == Family.SOCK_DIAG and int(row[3], 16) & 1 for row in rows)

            eventually(listens, "ss listens")
            stream = opened.enter_context(sock_diag.listen())
            with contextlib.ExitStack() as each:
                busy(each)
            ours = {}
            for one in stream:
                ours[one.cookie or 0] = one
                if len(ours) == 3:
                    break
            lines = by_cookie([monitor.stdout.readline() for _ in ours])
            assert len(lines) == 3
        finally:
            monitor.kill()
    assert {*lines} == {*ours}
    for cookie, one in ours.items():
        assert one.info is not None
        for name in ("bytes_sent", "bytes_acked", "bytes_received", "segs_out", "segs_in"):
            assert (number(lines[cookie], rf"\b{name}:(\d+)") or 0) == getattr(one.info, name)


def test_what_ss_ends_is_gone(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    """ss -K, and that its victim and ours end alike."""
    pair, other = Pair(opened), Pair(opened)
    (one,) = diag.tcp(filter=Filter(src_port=other.own))
    with or_skip():
        diag.destroy(one)
    assert len(ss("-K", "-t", f"sport = :{pair.own}")) == 1
    for client in (pair.client, other.client):
        with pytest.raises(ConnectionAbortedError):
            client.send(b"x")
    assert {each.inode for each in diag.tcp(States.LISTEN)} == {inode(pair.server), inode(other.server)}


# More filters: an expression of ss, and ours.
EXPRESSIONS: list[tuple[str, dict[str, Any]]] = [
    ("sport != :{port}", {"exclude": {"src_port": "port"}}),
    ("dport >= :{port} and dport <= :{port}", {"dst_port": "port"}),
    ("sport < :1024", {"src_port": range(1024)}),
    ("sport >= :1024", {"src_port": range(1024, 65536)}),
    ("sport = :{port} or dport = :{port}", {"either": [{"src_port": "port"}, {"dst_port": "port"}]}),
    ("src 127.0.0.0/31", {"src": "127.0.0.0/31"}),
    ("src 127.0.0.1 or src [::1]", {"src": [V4, V6]}),
    ("dst 0.0.0.0/0", {"dst": "0.0.0.0/0"}),
    ("not dst 127.0.0.0/8", {"exclude": {"dst": "127.0.0.0/8"}}),
    ("not ( dst 127.0.0.0/8 or dst [::1] )", {"exclude": {"dst": ["127.0.0.0/8", V6]}}),
    (
        "not sport = :{port} and not dport = :{port}",
        {"exclude": [{"src_port": "port"}, {"dst_port": "port"}]},
    ),
    (
        "( src 127.0.0.1 or src [::1] ) and ( sport = :{own} or sport = :{port} )",
        {"src": [V4, V6], "src_port": ["own", "port"]},
    ),
    (
        "sport >= :1 and not ( dport = :{port} and dst 127.0.0.1 )",
        {"src_port": range(1, 65536), "exclude": {"dst_port": "port", "dst": V4}},
    ),
    ("dev lo", {"interface": 1}),
    ("not dev lo", {"exclude": {"interface": 1}}),
    ("fwmark = 0x12", {"mark": 0x12}),
    ("fwmark = 0x10/0xf0", {"mark": 0x10, "mark_mask": 0xF0}),
]


@pytest.mark.parametrize(("expression", "criteria"), EXPRESSIONS, ids=[one for one, _ in EXPRESSIONS])
def test_more_filters_are_those_of_ss(
    diag: sock_diag.Conn, opened: contextlib.ExitStack, expression: str, criteria: dict[str, Any]
) -> None:
    pair = Pair(opened)
    Pair(opened, V6)
    mapped = opened.enter_context(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True))
    opened.enter_context(socket.create_connection((V4, mapped.getsockname()[1])))
    pair.client.setsockopt(socket.SOL_SOCKET, 36, 0x12)  # SO_MARK
    bound = opened.enter_context(socket.socket())
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    bound.bind((V4, 0))
    bound.listen()
    ports = {"port": pair.port, "own": pair.own}

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return Filter(**{name: filled(one) for name, one in value.items()})
        return [filled(one) for one in value] if isinstance(value, list) else ports.get(str(value), value)

    theirs = {*by_cookie(ss("-tae", expression.format(**ports)))}
    either = criteria.get("either")
    filters = [filled(one) for one in either] if either else [filled(criteria)]
    kernels, ours = set(), set()
    for of in filters:
        program = bytecode(of)
        assert program is not None
        kernels |= {one.cookie for one in diag.dump_tcp_both(states=States.ALL, bytecode=program)}
        ours |= {one.cookie for one in diag.tcp(filter=of)}
    assert kernels == ours == theirs


def test_what_the_machine_lists_elsewhere(diag: sock_diag.Conn, opened: contextlib.ExitStack) -> None:
    """/proc/net/tcp in full: the timers, the queues and the users, too."""
    busy(opened)
    of_proc = {}
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        send, recv = (int(one, 16) for one in fields[4].split(":"))
        timer = int(fields[5].split(":")[0], 16)
        of_proc[int(fields[9])] = (int(fields[3], 16), send, recv, timer, int(fields[7]))
    for one in diag.tcp(family=socket.AF_INET):
        of, send, recv, timer, uid = of_proc.pop(one.inode or 0)
        assert (of, timer, uid) == (one.state, one.timer, one.uid)
        if one.state != State.LISTEN:  # whose limit /proc does not have
            assert (send, recv) == (one.send_queue, one.recv_queue)
    assert of_proc == {}
    assert os.getuid() in {one.uid for one in diag.tcp()}
