"""L2TP on the real kernel: tunnels and sessions as `ip l2tp` shows them, their events, a link that carries packets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

import netns
from kernel.tools import eventually, unprivileged
from netlink import Conn, OpError, route
from netlink.generic import l2tp, nlctrl
from netlink.generic.l2tp import Command, EncapType, L2SpecType, PwType, Session, Tunnel
from netlink.route import Address, Link, OperState
from netlink.route.link import Veth
from pace import SLOWNESS

EXAMPLE = Path(__file__).parents[2] / "examples/l2tp_link.py"
PORT = 9
SOFTLY = Tunnel(conn_id=1, peer_conn_id=2, saddr="127.0.0.1", daddr="127.0.0.2", udp_sport=1701, udp_dport=1702)
WIRE = Session(conn_id=1, session_id=10, peer_session_id=20, ifname="wire0")


def modprobe(*arguments: str) -> bool:
    return subprocess.run(["modprobe", *arguments], capture_output=True, check=False).returncode == 0


def require_l2tp() -> None:
    with nlctrl.dial() as ctrl:
        try:
            ctrl.get_family("l2tp")
        except FileNotFoundError:
            pytest.skip("this kernel has no L2TP")


@pytest.fixture(scope="module", autouse=True)
def removable() -> Iterator[None]:
    """Leave no module of pseudowires loaded, since other tests remove the one below them."""
    yield
    if os.environ.get("NETLINK_TEST_MODULES") == "1" and shutil.which("modprobe"):
        for module in ("l2tp_eth", "l2tp_ip6", "l2tp_ip"):
            eventually(lambda module=module: modprobe("-r", module), f"removed: {module}", 20)


@pytest.fixture
def l2(netns: Any) -> Iterator[l2tp.Conn[Conn]]:
    require_l2tp()
    with l2tp.dial() as l2:
        yield l2
        for tunnel in l2.tunnels():
            l2.delete_tunnel(conn_id=tunnel.conn_id)


def by_ip(what: str) -> list[dict[str, Any]]:
    if not shutil.which("ip"):
        pytest.skip("there is no ip on this machine")
    run = subprocess.run(["ip", "-j", "l2tp", "show", what], capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(run.stdout or "[]")
    return sorted(found, key=lambda each: (each["tunnel_id"], each.get("session_id", 0)))


def as_ip(record: Tunnel | Session) -> dict[str, Any]:
    """What `ip -j l2tp show` has of a record."""
    if isinstance(record, Session):
        return {
            "tunnel_id": record.conn_id,
            "peer_tunnel_id": record.peer_conn_id,
            "session_id": record.session_id,
            "peer_session_id": record.peer_session_id,
            "interface": record.ifname,
        }
    assert record.encap_type is not None
    found = {
        "tunnel_id": record.conn_id,
        "peer_tunnel": record.peer_conn_id,
        "encap": record.encap_type.name,
        "local": str(record.saddr),
        "peer": str(record.daddr),
    }
    if record.encap_type == EncapType.UDP:
        found |= {"local_port": record.udp_sport, "peer_port": record.udp_dport}
    return found


def agreed(ours: Tunnel | Session, theirs: dict[str, Any]) -> None:
    theirs = {{"remote": "peer"}.get(name, name): value for name, value in theirs.items()}  # by another version
    mine = as_ip(ours)
    assert mine.items() <= theirs.items()
    assert ours.unknown == ()


def test_a_kernel_without_it_says_what_to_do() -> None:
    with l2tp.dial() as l2, pytest.raises(OSError) as info:  # noqa: PT011
        l2.get_tunnel(conn_id=99)
    if not isinstance(info.value, FileNotFoundError):
        pytest.skip("this kernel has L2TP")
    assert "'l2tp'" in str(info.value)
    assert "CONFIG_L2TP: `modprobe l2tp_netlink` loads its module" in str(info.value)


def test_tunnels_and_sessions_are_as_ip_shows_them(l2: l2tp.Conn[Conn]) -> None:
    l2.create_tunnel(SOFTLY.replace(udp_csum=1))
    l2.create_tunnel(Tunnel(conn_id=3, peer_conn_id=3, saddr="::1", daddr="::1", udp_sport=5, udp_dport=6))
    l2.create_tunnel(Tunnel(conn_id=4, peer_conn_id=5, saddr="127.0.0.1", daddr="127.0.0.9", encap_type=EncapType.IP))
    there = sorted(l2.tunnels(), key=lambda each: each.conn_id or 0)
    assert [tunnel.conn_id for tunnel in there] == [1, 3, 4]
    for ours, theirs in zip(there, by_ip("tunnel"), strict=True):
        agreed(ours, theirs)
        assert l2.get_tunnel(conn_id=ours.conn_id) == ours
        assert (ours.proto_version, ours.stats and ours.stats.tx_packets) == (3, 0)
    assert [tunnel.udp_csum for tunnel in there] == [1, None, None]

    l2.create_session(WIRE.replace(cookie=b"1234", peer_cookie=b"12345678", send_seq=1, recv_seq=1, recv_timeout=50))
    l2.create_session(
        Session(conn_id=1, session_id=11, peer_session_id=21, pw_type=PwType.ETH, l2spec_type=L2SpecType.NONE)
    )
    l2.create_session(Session(conn_id=4, session_id=12, peer_session_id=22))
    sessions = sorted(l2.sessions(), key=lambda each: each.session_id or 0)
    for session, theirs in zip(sessions, by_ip("session"), strict=True):
        agreed(session, theirs)
        assert l2.get_session(conn_id=session.conn_id, session_id=session.session_id) == session
        assert l2.get_session(ifname=session.ifname) == session
    wire, plain, _ = sessions
    assert (wire.cookie, wire.peer_cookie, wire.pw_type) == (b"1234", b"12345678", PwType.ETH)
    assert (wire.send_seq, wire.recv_seq, wire.ifname) == (1, 1, "wire0")
    assert abs((wire.recv_timeout or 0) - 50) <= 10  # in ticks of the kernel's clock
    assert (plain.cookie, plain.send_seq, plain.ifname) == (None, 0, "l2tpeth0")
    l2.modify_session(conn_id=1, session_id=10, send_seq=0)
    assert (l2.get_session(ifname="wire0").send_seq, l2.get_session(ifname="wire0").recv_seq) == (0, 1)
    l2.delete_session(ifname="wire0")
    assert {session.session_id for session in l2.sessions()} == {11, 12}
    l2.delete_tunnel(conn_id=1)
    # A kernel of 6.1 ends it a moment later.
    eventually(lambda: {tunnel.conn_id for tunnel in l2.tunnels()} == {3, 4}, "the tunnel is gone")


def test_a_tunnel_of_a_socket(l2: l2tp.Conn[Conn]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(("127.0.0.1", 1701))
        l2.create_tunnel(Tunnel(conn_id=7, peer_conn_id=8, fd=sock.fileno(), proto_version=2))
        tunnel = l2.get_tunnel(conn_id=7)
        assert (tunnel.proto_version, tunnel.udp_sport, tunnel.udp_dport) == (2, sock.getsockname()[1], 1701)
        with pytest.raises(OpError, match="proto_version=2, which is for PPP alone") as info:
            l2.create_session(Session(conn_id=7, session_id=1, peer_session_id=1))
        assert info.value.errno == errno.EPROTONOSUPPORT
        l2.delete_tunnel(conn_id=7)


def test_errors_say_what_to_do(l2: l2tp.Conn[Conn]) -> None:
    for ask in (l2.get_tunnel, l2.delete_tunnel, l2.modify_tunnel):
        with pytest.raises(OpError, match="there is no such tunnel") as info:
            ask(conn_id=77)
        assert info.value.errno == errno.ENODEV
    with pytest.raises(OpError, match="there is no such tunnel"):
        l2.create_session(WIRE)
    l2.create_tunnel(SOFTLY)
    for wanted in (l2.get_session, l2.delete_session, l2.modify_session):
        with pytest.raises(OpError, match="there is no such session"):
            wanted(conn_id=1, session_id=5)
    with pytest.raises(FileExistsError, match="there is a tunnel with this conn_id"):
        l2.create_tunnel(SOFTLY.replace(udp_sport=9))
    with pytest.raises(OpError, match=r"saddr is no address of this machine"):
        l2.create_tunnel(SOFTLY.replace(conn_id=9, saddr="192.0.2.1"))
    l2.create_session(WIRE)
    with pytest.raises(FileExistsError, match="or a link has this ifname"):
        l2.create_session(WIRE.replace(session_id=11))
    with pytest.raises(OpError) as info:
        l2.create_session(WIRE.replace(session_id=11, cookie=bytes(9)))
    assert info.value.errno in (errno.EINVAL, errno.ERANGE)
    with pytest.raises(ValueError, match="a tunnel needs peer_conn_id=, daddr="):
        l2.create_tunnel(Tunnel(conn_id=1, saddr="::1"))
    with pytest.raises(ValueError, match="a session needs peer_session_id="):
        l2.create_session(Session(conn_id=1, session_id=1))

    def refused() -> str:
        with l2tp.dial() as own:
            try:
                list(own.tunnels())
            except PermissionError as error:
                return str(error)
        return ""

    assert "it needs CAP_NET_ADMIN in the user namespace" in unprivileged(refused)


def test_events(l2: l2tp.Conn[Conn]) -> None:
    with l2.listen() as events:
        l2.create_tunnel(SOFTLY)
        l2.create_session(WIRE)
        l2.modify_session(conn_id=1, session_id=10, send_seq=1)
        l2.modify_tunnel(conn_id=1)
        l2.delete_session(conn_id=1, session_id=10)
        l2.delete_tunnel(conn_id=1)
        events.stop()
        found = [event for event in events if event.conn_id == 1]
    assert [event.event for event in found] == [
        Command.TUNNEL_CREATE,
        Command.SESSION_CREATE,
        Command.SESSION_MODIFY,
        Command.TUNNEL_MODIFY,
        Command.SESSION_DELETE,
        Command.TUNNEL_DELETE,
    ]
    assert [type(event).__name__ for event in found] == ["Tunnel", "Session", "Session", "Tunnel", "Session", "Tunnel"]
    changed = found[2]
    assert isinstance(changed, Session)
    assert (changed.session_id, changed.send_seq, changed.ifname) == (10, 1, "wire0")

    async def main() -> Tunnel | Session:
        async with l2tp.dial_async() as own, own.listen() as events:
            await own.create_tunnel(SOFTLY)
            assert len(await own.tunnels()) == 1
            async for event in events:
                return event
        raise AssertionError("the stream ended")

    event = asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS))
    assert (event.event, event.conn_id) == (Command.TUNNEL_CREATE, 1)


def test_a_link_between_two_namespaces(l2: l2tp.Conn[Conn]) -> None:
    with contextlib.ExitStack() as stack:
        far = stack.enter_context(netns.another())
        rt, there = stack.enter_context(route.dial()), stack.enter_context(route.dial(netns=far.fd))
        other = stack.enter_context(l2tp.dial(netns=far.fd))
        rt.create(Link(name="wire", kind="veth", data=Veth(peer=Link(name="wire", net_ns_fd=far.fd))))
        sides = ((rt, l2, 1), (there, other, 2))
        for links, _, number in sides:
            links.create(Address(index=links.index("wire"), address=f"192.0.2.{number}/24"))
            links.up("wire")
        for links, _, _ in sides:
            eventually(lambda links=links: links.get(Link(name="wire")).operstate == OperState.UP, "the wire is up")
        for links, tunnels, number in sides:
            peer = 3 - number
            tunnels.create_tunnel(
                Tunnel(
                    conn_id=number,
                    peer_conn_id=peer,
                    saddr=f"192.0.2.{number}",
                    daddr=f"192.0.2.{peer}",
                    udp_sport=1701,
                    udp_dport=1701,
                )
            )
            cookies = {"cookie": bytes([number] * 4), "peer_cookie": bytes([peer] * 4)}
            tunnels.create_session(
                Session(conn_id=number, session_id=number, peer_session_id=peer, ifname="l2tp0", **cookies)
            )
            links.create(Address(index=links.index("l2tp0"), address=f"10.99.0.{number}/24"))
            links.up("l2tp0")
        with netns.inside(far.fd):
            server = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        client = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        server.bind(("10.99.0.2", PORT))
        server.settimeout(20 * SLOWNESS)
        client.connect(("10.99.0.2", PORT))
        client.send(b"over Ethernet")
        got, source = server.recvfrom(100)
        assert (got, ip_address(source[0])) == (b"over Ethernet", ip_address("10.99.0.1"))
        stats = other.get_session(ifname="l2tp0").stats
        assert stats is not None
        assert (stats.rx_packets or 0) >= 2  # a question for the address, and the packet
        assert (stats.rx_errors, stats.rx_cookie_discards or 0) == (0, 0)
        sent = l2.get_tunnel(conn_id=1).stats
        assert sent is not None
        assert (sent.tx_bytes or 0) > len(got)
        other.delete_tunnel(conn_id=2)


def test_the_example_makes_a_link(l2: l2tp.Conn[Conn]) -> None:
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    python = [sys.executable, "-X", "dev", "-W", "error"]
    command = [*python, str(EXAMPLE), "--address", "10.99.0.1/24", "127.0.0.1", "127.0.0.2"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as program, route.dial() as rt:
        assert program.stdout is not None
        assert program.stderr is not None
        try:
            assert program.stdout.readline() == "l2tp0 is up\n"
            assert "10.99.0.1/24" in {str(each.ip) for each in rt.dump(Address)}
            assert [program.stdout.readline() for _ in range(2)] == ["TUNNEL_CREATE 1\n", "SESSION_CREATE 1 l2tp0\n"]
            l2.create_tunnel(SOFTLY.replace(conn_id=5, udp_sport=5))
            assert program.stdout.readline() == "TUNNEL_CREATE 5\n"
        finally:
            program.send_signal(signal.SIGTERM)
        assert (program.stdout.read(), program.stderr.read(), program.wait()) == ("", "", 0)
        assert [tunnel.conn_id for tunnel in l2.tunnels()] == [5]
