"""IPVS on the real kernel: services as ipvsadm(8) shows them, and connections that it balances."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from socket import AF_INET, AF_INET6, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP
from typing import Any

import pytest

import netns
from kernel.tools import eventually, unprivileged
from netlink import Conn, OpError, route
from netlink.generic import ipvs, nlctrl
from netlink.generic.ipvs import Daemon, DaemonState, Destination, ForwardMethod, Service, ServiceFlags, Timeouts
from netlink.route import Address, Link, Route
from netlink.route.link import Veth
from pace import SLOWNESS

EXAMPLE = Path(__file__).parents[2] / "examples/load_balancer.py"
WEB = Service(protocol=IPPROTO_TCP, addr="192.0.2.1", port=80)
DNS = Service(protocol=IPPROTO_UDP, addr="2001:db8::1", port=53)
MARKED = Service(af=AF_INET, fwmark=7)
KINDS = {IPPROTO_TCP: "-t", IPPROTO_UDP: "-u", IPPROTO_SCTP: "--sctp-service"}
WAYS = {ForwardMethod.MASQ: "-m", ForwardMethod.TUNNEL: "-i", ForwardMethod.DROUTE: "-g"}


def require_ipvs() -> None:
    with nlctrl.dial() as ctrl, ipvs.dial() as vs:
        try:
            ctrl.get_family("IPVS")
            vs.info()
        except FileNotFoundError:
            pytest.skip("this kernel has no IPVS")
        except PermissionError as error:
            pytest.skip(f"IPVS: {error.hint}")


@pytest.fixture
def vs(netns: Any) -> Iterator[ipvs.Conn[Conn]]:
    require_ipvs()
    with ipvs.dial(strict=True) as vs:
        yield vs


def by_ipvsadm(*arguments: str, text: str | None = None) -> str:
    if not shutil.which("ipvsadm"):
        pytest.skip("there is no ipvsadm on this machine")
    run = subprocess.run(["ipvsadm", *arguments], input=text, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def saved() -> set[str]:
    """All rules, as ipvsadm saves them."""
    return {" ".join(line.split()) for line in by_ipvsadm("-S", "-n").splitlines()}


def where(address: Any, port: int | None) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def rules(vs: ipvs.Conn[Conn]) -> set[str]:
    """The same of the library's records."""
    found = set()
    for service in vs.services():
        assert service.flags is not None
        assert service.unknown == ()
        place = f"-f {service.fwmark}" if service.fwmark else ""
        place = place or f"{KINDS[service.protocol or 0]} {where(service.addr, service.port)}"  # type: ignore[index]
        place += " -6" if service.fwmark and service.af == AF_INET6 else ""
        rule = f"-A {place} -s {service.sched_name}"
        if service.flags.value & ServiceFlags.PERSISTENT:
            rule += f" -p {service.timeout}"
            if service.af == AF_INET and service.netmask != ipvs.netmask(32):
                rule += f" -M {ip_address((service.netmask or 0).to_bytes(4, sys.byteorder))}"
            elif service.af == AF_INET6 and service.netmask != 128:
                rule += f" -M {service.netmask}"
        if service.flags.value & ServiceFlags.ONEPACKET:
            rule += " -o"
        found.add(rule)
        for each in vs.destinations(service):
            assert each.unknown == ()
            assert each.fwd_method is not None
            rule = f"-a {place} -r {where(each.addr, each.port)} {WAYS[each.fwd_method]} -w {each.weight}"
            found.add(rule + (" --tun-type ipip" if each.fwd_method == ForwardMethod.TUNNEL else ""))
    return found


def test_a_kernel_without_it_says_what_to_do() -> None:
    with ipvs.dial() as vs:
        try:
            vs.info()
        except FileNotFoundError as error:
            message = str(error)
        except PermissionError as error:
            pytest.skip(f"IPVS: {error.hint}")
        else:
            pytest.skip("this kernel has IPVS")
    assert "'IPVS'" in message
    assert "CONFIG_IP_VS: `modprobe ip_vs` loads its module" in message


def test_services_are_as_ipvsadm_shows_them(vs: ipvs.Conn[Conn]) -> None:
    vs.add(WEB.replace(sched_name="rr"))
    vs.add(DNS.replace(flags=ServiceFlags.PERSISTENT, timeout=120, netmask=64))
    vs.add(MARKED.replace(sched_name="wrr", flags=ServiceFlags.PERSISTENT, timeout=300, netmask=ipvs.netmask(24)))
    vs.add(Service(af=AF_INET6, fwmark=8))
    vs.add(Service(protocol=IPPROTO_UDP, addr="192.0.2.1", port=53, flags=ServiceFlags.ONEPACKET))
    vs.add(Service(protocol=IPPROTO_SCTP, addr="192.0.2.1", port=9))
    vs.add_destination(WEB, Destination(addr="10.0.0.2", port=8080))
    vs.add_destination(WEB, Destination(addr="10.0.0.3", port=80, weight=5, fwd_method=ForwardMethod.DROUTE))
    vs.add_destination(WEB, Destination(addr="10.0.0.4", port=80, weight=0, fwd_method=ForwardMethod.TUNNEL))
    vs.add_destination(DNS, Destination(addr="2001:db8::2", port=53))
    vs.add_destination(MARKED, Destination(addr="10.0.0.5", port=0, u_thresh=20, l_thresh=10))
    assert len(vs.services()) == 6
    assert rules(vs) == saved()
    (limited,) = vs.destinations(MARKED)
    assert (limited.u_thresh, limited.l_thresh, limited.addr_family) == (20, 10, AF_INET)
    service = vs.get(WEB)
    assert (service.sched_name, service.port, service.addr) == ("rr", 80, ip_address("192.0.2.1"))
    assert service in list(vs.services())
    # What was read finds itself.
    assert vs.get(service) == service
    vs.delete(service)
    assert rules(vs) == saved()
    with pytest.raises(ProcessLookupError, match="there is no such service"):
        vs.get(WEB)
    vs.flush()
    assert len(vs.services()) == 0
    assert saved() == set()


def test_services_made_by_ipvsadm_are_read_and_changed(vs: ipvs.Conn[Conn]) -> None:
    by_ipvsadm("-A", "-t", "192.0.2.1:80", "-s", "wlc", "-p", "60")
    by_ipvsadm("-a", "-t", "192.0.2.1:80", "-r", "10.0.0.2:80", "-m", "-w", "3", "-x", "9", "-y", "4")
    assert rules(vs) == saved()
    vs.update(WEB.replace(sched_name="rr"))
    service = vs.get(WEB)
    assert service.flags is not None
    assert (service.sched_name, service.timeout) == ("rr", 60)
    assert service.flags.value & ServiceFlags.PERSISTENT
    vs.update(WEB.replace(flags=ServiceFlags(0)))
    changed = vs.get(WEB).flags
    assert changed is not None
    assert not changed.value & ServiceFlags.PERSISTENT
    there = Destination(addr="10.0.0.2", port=80)
    vs.update_destination(WEB, there.replace(weight=0))
    (found,) = vs.destinations(WEB)
    assert (found.weight, found.u_thresh, found.l_thresh, found.fwd_method) == (0, 9, 4, ForwardMethod.MASQ)
    assert rules(vs) == saved()
    vs.delete_destination(WEB, found)
    assert len(vs.destinations(WEB)) == 0
    assert rules(vs) == saved()


def test_errors_say_what_to_do(vs: ipvs.Conn[Conn]) -> None:
    there = Destination(addr="10.0.0.2", port=80)
    missing = (vs.get, vs.update, vs.delete, vs.destinations, vs.zero)
    for ask in missing:
        with pytest.raises(ProcessLookupError, match="there is no such service in the network namespace"):
            ask(WEB)
    for change in (vs.add_destination, vs.update_destination, vs.delete_destination):
        with pytest.raises(ProcessLookupError, match="there is no such service"):
            change(WEB, there)
    with pytest.raises(FileNotFoundError, match="no such scheduler or persistence engine"):
        vs.add(WEB.replace(sched_name="nosuch"))
    vs.add(WEB)
    with pytest.raises(FileExistsError, match="there is such a service: update changes it"):
        vs.add(WEB)
    for change in (vs.update_destination, vs.delete_destination):
        with pytest.raises(FileNotFoundError, match="the service has no such destination"):
            change(WEB, there)
    vs.add_destination(WEB, there)
    with pytest.raises(FileExistsError, match="update_destination changes it"):
        vs.add_destination(WEB, there)
    with pytest.raises(OpError, match="l_thresh is at most its u_thresh") as info:
        vs.update_destination(WEB, there.replace(u_thresh=1, l_thresh=2))
    assert info.value.errno == errno.ERANGE
    for service in (Service(), WEB.replace(port=None), Service(fwmark=3)):
        with pytest.raises(ValueError, match="a service "):
            vs.add(service)
    with pytest.raises(ValueError, match="a destination needs addr= and port="):
        vs.add_destination(WEB, Destination(port=80))
    with pytest.raises(ProcessLookupError, match="no daemon of that state runs"):
        vs.stop_daemon(DaemonState.MASTER)
    with pytest.raises(OpError, match="there is no link of the name mcast_ifn"):
        vs.start_daemon(Daemon(state=DaemonState.MASTER, mcast_ifn="nosuch", sync_id=1))
    with pytest.raises(OpError, match="a daemon needs state=, mcast_ifn= and sync_id="):
        vs.start_daemon(Daemon(state=DaemonState.MASTER))

    def refused() -> str:
        with ipvs.dial() as own:
            try:
                list(own.services())
            except PermissionError as error:
                return str(error)
        return ""

    assert "it needs CAP_NET_ADMIN in the machine's first user namespace" in unprivileged(refused)


def test_timeouts_and_the_version(vs: ipvs.Conn[Conn]) -> None:
    vs.set_timeouts(tcp=1000, udp=77)
    found = vs.timeouts()
    assert by_ipvsadm("-L", "--timeout").split()[-3:] == [str(each) for each in (found.tcp, found.tcp_fin, found.udp)]
    assert (found.tcp, found.udp) == (1000, 77)
    vs.set_timeouts(Timeouts(tcp_fin=5))
    assert vs.timeouts() == found.replace(tcp_fin=5)
    with pytest.raises(OpError, match="a timeout is a number of seconds"):
        vs.set_timeouts(tcp=0x7FFFFFFF)
    info = vs.info()
    assert info.version is not None
    version = ".".join(str(info.version >> shift & 255) for shift in (16, 8, 0))
    assert f"version {version} (size={info.conn_tab_size})" in by_ipvsadm("-L", "-n")


def test_daemons(vs: ipvs.Conn[Conn]) -> None:
    with route.dial() as rt:
        link = rt.create(Link(name="sync0", kind="veth", data=Veth(peer=Link(name="sync1"))))
        rt.create(Address(index=link.index, address="192.0.2.9/24"))
        rt.up("sync0")
        rt.up("sync1")
    vs.start_daemon(Daemon(state=DaemonState.MASTER, mcast_ifn="sync0", sync_id=5, sync_maxlen=1000, mcast_ttl=3))
    with pytest.raises(FileExistsError, match="stop_daemon ends it"):
        vs.start_daemon(Daemon(state=DaemonState.MASTER, mcast_ifn="sync0", sync_id=6))
    vs.start_daemon(Daemon(state=DaemonState.BACKUP, mcast_ifn="sync0", sync_id=7, mcast_group="224.0.0.99"))
    found = {daemon.state: daemon for daemon in vs.daemons()}
    assert found.keys() == {DaemonState.MASTER, DaemonState.BACKUP}
    master, backup = found[DaemonState.MASTER], found[DaemonState.BACKUP]
    assert (master.mcast_ifn, master.sync_id, master.sync_maxlen, master.mcast_ttl) == ("sync0", 5, 1000, 3)
    assert (str(master.mcast_group), master.mcast_port) == ("224.0.0.81", 8848)
    assert (str(backup.mcast_group), backup.sync_id) == ("224.0.0.99", 7)
    assert master.unknown == () == backup.unknown
    shown = by_ipvsadm("-L", "--daemon")
    for daemon, name in ((master, "master"), (backup, "backup")):
        assert f"{name} sync daemon (mcast={daemon.mcast_ifn}, syncid={daemon.sync_id}" in shown
        assert f"maxlen={daemon.sync_maxlen}, group={daemon.mcast_group}, port={daemon.mcast_port}" in shown
    vs.stop_daemon(DaemonState.MASTER)
    assert [daemon.state for daemon in vs.daemons()] == [DaemonState.BACKUP]
    vs.stop_daemon(DaemonState.BACKUP)
    assert len(vs.daemons()) == 0


class Network:
    """A client and two servers, each in a namespace of its own, at wires to this one, which forwards."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.stack = stack
        netns.sysctl("net.ipv4.ip_forward", 1)
        self.spaces = [stack.enter_context(netns.another()) for _ in range(3)]
        with route.dial() as rt:
            rt.create(Address(index=rt.index("lo"), address="192.0.2.1/32"))
            for number, space in enumerate(self.spaces):
                name = f"wire{number}"
                peer = Link(name="eth0", net_ns_fd=space.fd)
                rt.create(Link(name=name, kind="veth", data=Veth(peer=peer)))
                rt.create(Address(index=rt.index(name), address=f"10.0.{number}.1/24"))
                rt.up(name)
                with route.dial(netns=space.fd) as there:
                    index = there.index("eth0")
                    there.create(Address(index=index, address=f"10.0.{number}.2/24"))
                    there.up(index)
                    there.create(Route(gateway=f"10.0.{number}.1", oif=index))
                    eventually(lambda there=there: there.get(Link(name="eth0")).operstate == 6, "the wire is up")

    def socket(self, number: int) -> socket.socket:
        with netns.inside(self.spaces[number].fd):
            made = self.stack.enter_context(socket.socket())
        made.settimeout(20 * SLOWNESS)
        return made

    def server(self, number: int) -> socket.socket:
        made = self.socket(number)
        made.bind((f"10.0.{number}.2", 8080))
        made.listen()
        return made

    def connect(self, servers: dict[int, socket.socket]) -> tuple[int, socket.socket]:
        """A connection of the client to the service: the number of its server, and the client's socket."""
        client = self.socket(0)
        client.connect(("192.0.2.1", 80))
        client.sendall(b"question")
        for server in servers.values():
            server.setblocking(False)

        def accepted() -> tuple[int, socket.socket] | None:
            for number, server in servers.items():
                with contextlib.suppress(BlockingIOError):
                    return number, self.stack.enter_context(server.accept()[0])
            return None

        number, peer = eventually(accepted, "a server has the connection")
        peer.settimeout(20 * SLOWNESS)
        assert peer.recv(100) == b"question"
        peer.sendall(str(number).encode())
        assert client.recv(100) == str(number).encode()
        return number, client


def counted(vs: ipvs.Conn[Conn]) -> list[int]:
    """Connections, packets in and out, bytes in and out of the service."""
    stats = vs.get(WEB).stats64
    assert stats is not None
    return [each or 0 for each in (stats.conns, stats.inpkts, stats.outpkts, stats.inbytes, stats.outbytes)]


def counted_by_ipvsadm() -> list[int]:
    (line,) = [line for line in by_ipvsadm("-L", "-n", "--stats", "--exact").splitlines() if "192.0.2.1:80" in line]
    return [int(each) for each in line.split()[2:]]


def test_connections_are_balanced(vs: ipvs.Conn[Conn]) -> None:
    with contextlib.ExitStack() as stack:
        network = Network(stack)
        servers = {number: network.server(number) for number in (1, 2)}
        vs.add(WEB.replace(sched_name="rr"))
        for number in servers:
            vs.add_destination(WEB, Destination(addr=f"10.0.{number}.2", port=8080))
        clients = [network.connect(servers) for _ in range(6)]
        assert Counter(number for number, _ in clients) == {1: 3, 2: 3}
        for each in vs.destinations(WEB):
            assert (each.active_conns, each.inact_conns) == (3, 0)
        # The kernel sums the counters up every two seconds.
        eventually(lambda: counted(vs)[0] == 6, "the service had 6 connections")
        assert {each.stats64 and each.stats64.conns for each in vs.destinations(WEB)} == {3}
        assert min(counted(vs)[1:]) >= 12
        stats = vs.get(WEB).stats
        assert stats is not None
        assert stats.conns == 6
        eventually(lambda: counted_by_ipvsadm() == counted(vs), "ipvsadm has the same counters")

        # One that gets no weight keeps its connections, and gets no new ones.
        vs.update_destination(WEB, Destination(addr="10.0.1.2", port=8080, weight=0))
        assert [network.connect(servers)[0] for _ in range(3)] == [2, 2, 2]
        vs.zero(WEB)
        assert counted(vs)[0] < 6
        vs.zero()
        for _, client in clients:
            client.close()


def test_clients_stay_with_their_server(vs: ipvs.Conn[Conn]) -> None:
    with contextlib.ExitStack() as stack:
        network = Network(stack)
        servers = {number: network.server(number) for number in (1, 2)}
        vs.add(WEB.replace(sched_name="rr", flags=ServiceFlags.PERSISTENT, timeout=60))
        for number in servers:
            vs.add_destination(WEB, Destination(addr=f"10.0.{number}.2", port=8080))
        assert len({network.connect(servers)[0] for _ in range(4)}) == 1
        assert sum(each.persist_conns or 0 for each in vs.destinations(WEB)) == 1


def test_requests_in_an_event_loop(vs: ipvs.Conn[Conn]) -> None:
    async def main() -> list[Destination]:
        async with ipvs.dial_async() as own:
            await own.add(WEB)
            await own.add_destination(WEB, Destination(addr="10.0.0.2", port=1))
            with pytest.raises(FileExistsError, match="there is such a service"):
                await own.add(WEB)
            return list(await own.destinations(WEB))

    assert asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS)) == list(vs.destinations(WEB))
    answers = vs.conn.execute_all(
        [vs.calls.add_destination(WEB, Destination(addr=f"10.0.0.{n}", port=1)) for n in (2, 3, 4)]
    )
    assert isinstance(answers[0], OpError)
    assert (answers[0].errno, answers[1:]) == (errno.EEXIST, [None, None])
    assert len(vs.destinations(WEB)) == 3


def test_the_example_balances(vs: ipvs.Conn[Conn]) -> None:
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    with contextlib.ExitStack() as stack:
        network = Network(stack)
        servers = {1: network.server(1)}
        command = [sys.executable, "-X", "dev", "-W", "error", str(EXAMPLE), "--scheduler", "rr", "--interval", "0.2"]
        program = stack.enter_context(
            subprocess.Popen(
                [*command, "192.0.2.1:80", "10.0.1.2:8080", "10.0.2.2:8080"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        assert program.stdout is not None
        assert program.stderr is not None
        try:
            assert program.stdout.readline() == "192.0.2.1:80 is balanced by rr\n"
            assert program.stdout.readline() == "10.0.1.2:8080 answers\n"
            second = network.server(2)
            assert program.stdout.readline() == "10.0.2.2:8080 answers\n"
            servers[1].close()
            assert program.stdout.readline() == "10.0.1.2:8080 does not answer\n"
            client = network.socket(0)
            client.connect(("192.0.2.1", 80))
            peer = second.accept()[0]
        finally:
            program.send_signal(signal.SIGTERM)
        lines = sorted(program.stdout.read().splitlines())
        peer.close()
        assert (program.wait(), program.stderr.read()) == (0, "")
        assert lines == ["10.0.1.2:8080 has 0 connections", "10.0.2.2:8080 has 1 connections"]
    assert len(vs.services()) == 0
