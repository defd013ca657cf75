"""WireGuard on the real kernel: devices as wg(8) shows them, thousands of peers, and a tunnel that carries traffic."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import netns
from kernel.tools import eventually, unprivileged
from netlink import Conn, OpError, route
from netlink.generic import nlctrl, wireguard
from netlink.generic.wireguard import AllowedIP, Device, DeviceFlags, DeviceRequest, Peer, PeerFlags
from netlink.route import Address, Link, OperState, Route
from netlink.route.link import Veth
from pace import SLOWNESS

PORT = 9
EXAMPLE = Path(__file__).parents[2] / "examples/wireguard_up.py"


def require_wireguard() -> None:
    with nlctrl.dial() as ctrl:
        try:
            ctrl.get_family("wireguard")
        except FileNotFoundError:
            pytest.skip("this kernel has no WireGuard")


@pytest.fixture
def rt(netns: Any) -> Iterator[route.Conn[Conn]]:
    with route.dial() as rt:
        yield rt


@pytest.fixture
def wg(rt: route.Conn[Conn]) -> Iterator[wireguard.Conn[Conn]]:
    """A connection, and a device wg0."""
    require_wireguard()
    rt.create(Link(name="wg0", kind="wireguard"))
    with wireguard.dial(strict=True) as wg:
        yield wg


def by_wg(*arguments: str, text: str | None = None) -> str:
    if not shutil.which("wg"):
        pytest.skip("there is no wg on this machine (Debian: wireguard-tools)")
    run = subprocess.run(["wg", *arguments], input=text, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def shown(device: Device) -> list[list[str]]:
    """A device as `wg show wg0 dump` has it."""
    own = [
        device.private_key or "(none)",
        device.public_key or "(none)",
        device.listen_port,
        f"{device.fwmark:#x}" if device.fwmark else "off",
    ]
    lines: list[list[Any]] = [own]
    for peer in device.peers or ():
        networks = ",".join(str(each.network) for each in peer.allowed_ips or ())
        if lines[-1][0] == peer.public_key:  # more networks of it
            lines[-1][3] = f"{lines[-1][3]},{networks}"
            continue
        key = "(none)" if peer.preshared_key == Peer(preshared_key=bytes(32)).preshared_key else peer.preshared_key
        handshake = int(peer.last_handshake or 0)
        keepalive = peer.persistent_keepalive_interval or "off"
        counters = [handshake, peer.rx_bytes, peer.tx_bytes, keepalive]
        lines.append([peer.public_key, key, peer.endpoint or "(none)", networks or "(none)", *counters])
    return [[*map(str, line)] for line in lines]


def dumped(name: str = "wg0") -> list[list[str]]:
    return [line.split("\t") for line in by_wg("show", name, "dump").splitlines()]


def public(private: str | None) -> str:
    return by_wg("pubkey", text=f"{private}\n")


def test_a_kernel_without_it_says_what_to_do() -> None:
    with wireguard.dial() as wg, pytest.raises(OSError) as info:  # noqa: PT011
        wg.get("wg0")
    if not isinstance(info.value, FileNotFoundError):
        pytest.skip("this kernel has WireGuard")
    assert "'wireguard'" in str(info.value)
    assert "CONFIG_WIREGUARD: `modprobe wireguard` loads its module" in str(info.value)


def test_a_device_is_as_wg_shows_it(wg: wireguard.Conn[Conn]) -> None:
    key, secret = wireguard.generate_key(), os.urandom(32)
    keys = [wireguard.generate_key() for _ in range(4)]
    peers = [
        Peer(public_key=keys[0], endpoint="192.0.2.7:4711", allowed_ips=["10.0.0.0/24", "2001:db8:7::/48", "10.9.9.9"]),
        Peer(
            public_key=keys[1], preshared_key=secret, endpoint="[2001:db8::1]:51820", persistent_keepalive_interval=25
        ),
        Peer(public_key=keys[2], endpoint=("fe80::1", 5, 0, 1)),
        Peer(public_key=keys[3], allowed_ips=[AllowedIP(ipaddr="0.0.0.0/0"), AllowedIP(ipaddr="::/0")]),
    ]
    wg.set(Device(ifname="wg0", private_key=key, listen_port=51820, fwmark=0x1234, peers=peers))
    device = wg.get("wg0")
    assert (device.private_key, device.public_key) == (key, public(key))
    assert (device.listen_port, device.fwmark, device.ifname) == (51820, 0x1234, "wg0")
    found = {peer.public_key: peer for peer in device.peers or ()}
    assert found.keys() == set(keys)
    one = found[keys[0]]
    assert {str(each.network) for each in one.allowed_ips or ()} == {"10.0.0.0/24", "2001:db8:7::/48", "10.9.9.9/32"}
    assert (one.last_handshake, one.rx_bytes, one.tx_bytes, one.protocol_version) == (None, 0, 0, 1)
    assert Peer(preshared_key=secret).preshared_key == found[keys[1]].preshared_key
    assert found[keys[2]].endpoint is not None
    assert found[keys[2]].endpoint.scope_id == 1
    assert device.unknown == () == one.unknown
    assert wg.get(ifindex=device.ifindex) == device
    ours = shown(device)
    # wg(8) shows the scope of an address by the name of its link.
    assert [[each.replace("%lo]", "%1]") for each in line] for line in dumped()] == ours
    assert key not in repr(device)
    assert str(found[keys[1]].preshared_key) not in repr(device)


def test_a_device_made_by_wg_is_read(wg: wireguard.Conn[Conn]) -> None:
    key, peer = wireguard.generate_key(), wireguard.generate_key()
    config = f"[Interface]\nPrivateKey = {key}\nListenPort = 7\n[Peer]\nPublicKey = {peer}\nAllowedIPs = 10.0.0.0/8\n"
    by_wg("setconf", "wg0", "/dev/stdin", text=config)
    device = wg.get("wg0")
    assert shown(device) == dumped()
    assert (device.private_key, device.listen_port) == (key, 7)
    # What was read is what can be set.
    wg.set(device.replace(listen_port=8, flags=DeviceFlags.REPLACE_PEERS))
    assert shown(wg.get("wg0")) == dumped() == shown(device.replace(listen_port=8))


def networks_of(device: Device, key: str | None) -> list[str]:
    """The networks of a peer, also of one that is several records."""
    return [
        str(each.network) for peer in device.peers or () for each in peer.allowed_ips or () if peer.public_key == key
    ]


def test_thousands_of_peers_and_networks(wg: wireguard.Conn[Conn]) -> None:
    count = 1500
    keys = [number.to_bytes(32, "big") for number in range(1, count + 1)]
    peers = [Peer(public_key=key, allowed_ips=[f"10.0.{n >> 8}.{n & 255}/32"]) for n, key in enumerate(keys)]
    names = [peer.public_key for peer in peers]
    networks = [f"2001:db8:{number:x}::/48" for number in range(1, 2001)]
    more = [Peer(public_key=keys[700], allowed_ips=networks[at : at + 1000]) for at in (0, 1000)]
    wg.set(Device(ifname="wg0", private_key=wireguard.generate_key(), peers=[*peers, *more]))
    assert len(wg.get_messages(ifname="wg0")) > 10
    device = wg.get("wg0")
    found = [peer.public_key for peer in device.peers or ()]
    assert len(found) == count + 1  # one is two records
    assert set(found) == set(names)
    assert set(networks_of(device, names[700])) == {"10.0.2.188/32", *networks}
    assert len(networks_of(device, names[700])) == 2001
    assert shown(device) == dumped()
    # In parts, with flat memory.
    parts = wg.iterate(wg.calls.get_messages(ifname="wg0"), 4)
    assert {peer.public_key for batch in parts for part in batch for peer in part.peers or ()} == set(names)

    # Flags to replace something are about the request as a whole, however many messages it takes.
    half = [peer.replace(allowed_ips=None) for peer in peers[600:]]
    half[100] = Peer(public_key=keys[700], flags=PeerFlags.REPLACE_ALLOWEDIPS, allowed_ips=networks[:1200])
    wg.set(Device(ifindex=device.ifindex, flags=DeviceFlags.REPLACE_PEERS, peers=half))
    device = wg.get("wg0")
    assert [peer.public_key for peer in device.peers or ()] == names[600:]
    assert sorted(networks_of(device, names[700])) == sorted(networks[:1200])
    assert shown(device) == dumped()

    # A change between two messages of a reply is seen.
    parts = wg.iterate(wg.calls.get_messages(ifname="wg0"), 1)
    assert not next(parts).interrupted
    with wireguard.dial() as other:
        other.set(Device(ifname="wg0", peers=[Peer(public_key=keys[-1], flags=PeerFlags.REMOVE_ME)]))
    assert sum(part.interrupted for part in parts)
    wg.set(Device(ifname="wg0", flags=DeviceFlags.REPLACE_PEERS))
    assert not wg.get("wg0").peers


def test_changes_of_a_peer(wg: wireguard.Conn[Conn]) -> None:
    key, other = wireguard.generate_key(), wireguard.generate_key()

    def change(**fields: Any) -> Peer | None:
        wg.set(Device(ifname="wg0", peers=[Peer(public_key=key, **fields)]))
        peers = wg.get("wg0").peers or ()
        assert len(peers) < 2
        return peers[0] if peers else None

    def networks(peer: Peer | None) -> set[str]:
        assert peer is not None
        return {str(each.network) for each in peer.allowed_ips or ()}

    assert change(flags=PeerFlags.UPDATE_ONLY) is None
    assert networks(change(allowed_ips=["10.0.0.0/8"], persistent_keepalive_interval=5)) == {"10.0.0.0/8"}
    both = change(allowed_ips=["192.168.0.0/16"])
    assert networks(both) == {"10.0.0.0/8", "192.168.0.0/16"}
    assert both is not None
    assert both.persistent_keepalive_interval == 5
    assert networks(change(flags=PeerFlags.REPLACE_ALLOWEDIPS, allowed_ips=["10.1.2.3/16"])) == {"10.1.0.0/16"}
    secret = wireguard.generate_key()
    found = change(preshared_key=secret, persistent_keepalive_interval=0)
    assert found is not None
    assert (found.preshared_key, found.persistent_keepalive_interval) == (secret, 0)
    found = change(preshared_key=bytes(32))
    assert found is not None
    assert found.preshared_key == Peer(preshared_key=bytes(32)).preshared_key
    # A network is of one peer: another one takes it.
    wg.set(Device(ifname="wg0", peers=[Peer(public_key=other, allowed_ips=["10.1.0.0/16"])]))
    peers = {peer.public_key: peer for peer in wg.get("wg0").peers or ()}
    assert (networks(peers[key]), networks(peers[other])) == (set(), {"10.1.0.0/16"})
    wg.set(Device(ifname="wg0", peers=[Peer(public_key=other, flags=PeerFlags.REMOVE_ME)]))
    assert change(flags=PeerFlags.REMOVE_ME) is None
    assert shown(wg.get("wg0")) == dumped()


def test_errors_say_what_to_do(wg: wireguard.Conn[Conn], rt: route.Conn[Conn]) -> None:
    with pytest.raises(OpError, match="there is no such link") as info:
        wg.get("nosuch")
    assert info.value.errno == errno.ENODEV
    with pytest.raises(OpError, match="the link is no WireGuard device") as info:
        wg.set(Device(ifname="lo", listen_port=1))
    assert info.value.errno == errno.EOPNOTSUPP
    with pytest.raises(OpError) as info:
        wg.get("a-name-that-no-link-may-have")
    assert info.value.errno in (errno.ERANGE, errno.EINVAL)
    for device in (Device(listen_port=1), Device(ifname="wg0", peers=[Peer(allowed_ips=["::/0"])])):
        with pytest.raises(ValueError, match=r"a device needs ifname= or ifindex=|peers\[0\] needs public_key="):
            wg.set(device)
    wrong = AllowedIP(ipaddr="10.0.0.0", cidr_mask=33)
    with pytest.raises(OpError, match="a network the length of a prefix") as info:
        wg.set(Device(ifname="wg0", peers=[Peer(public_key=bytes(32)[:-1] + b"\1", allowed_ips=[wrong])]))
    assert info.value.errno == errno.EINVAL
    rt.up("wg0")
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        with pytest.raises(OpError, match="another socket of the network namespace has that listen_port") as info:
            wg.set(Device(ifname="wg0", listen_port=taken.getsockname()[1]))
    assert info.value.errno == errno.EADDRINUSE

    def refused() -> str:
        with wireguard.dial() as own:
            try:
                own.get("wg0")
            except PermissionError as error:
                return str(error)
        return ""

    assert "it needs CAP_NET_ADMIN in the user namespace" in unprivileged(refused)


def test_the_kernel_takes_what_requests_have(wg: wireguard.Conn[Conn]) -> None:
    with nlctrl.dial() as ctrl:
        policies = ctrl.policies("wireguard")
    ours = {path[0] for field in Device.__fields__.values() for path, _ in field.types}
    assert policies.of(wireguard.Command.SET_DEVICE).keys() <= ours
    asked = {path[0] for field in DeviceRequest.__fields__.values() for path, _ in field.types}
    assert asked <= policies.of(wireguard.Command.GET_DEVICE, dump=True).keys()


@contextlib.contextmanager
def wired(rt: route.Conn[Conn]) -> Iterator[netns.Namespace]:
    """Another namespace, at a wire: here is 192.0.2.1, there 192.0.2.2."""
    with netns.another() as far, route.dial(netns=far.fd) as there:
        rt.create(Link(name="wire", kind="veth", data=Veth(peer=Link(name="wire", net_ns_fd=far.fd))))
        for side, address in ((rt, "192.0.2.1/24"), (there, "192.0.2.2/24")):
            side.create(Address(index=side.index("wire"), address=address))
            side.up("wire")
        # Before that the kernel drops packets, and a handshake is repeated after five seconds.
        for side in (rt, there):
            eventually(lambda side=side: side.get(Link(name="wire")).operstate == OperState.UP, "the wire is up")
        yield far


def exchange(far: netns.Namespace, there: str) -> None:
    """A packet to an address of the other namespace, and back."""
    with contextlib.ExitStack() as stack:
        with netns.inside(far.fd):
            server = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        client = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        for sock in (server, client):
            sock.settimeout(15 * SLOWNESS)
        server.bind((there, PORT))
        client.connect((there, PORT))
        client.send(b"there")
        got, source = server.recvfrom(100)
        server.sendto(b"back", source)
        assert (got, client.recv(100)) == (b"there", b"back")


def test_a_tunnel_between_two_namespaces(wg: wireguard.Conn[Conn], rt: route.Conn[Conn]) -> None:
    keys = [wireguard.generate_key() for _ in range(2)]
    began = time.time()
    with wired(rt) as far, route.dial(netns=far.fd) as rt_there, wireguard.dial(netns=far.fd) as wg_there:
        rt_there.create(Link(name="wg0", kind="wireguard"))
        secret = os.urandom(32)
        publics = []
        for side, key, port in ((wg, keys[0], None), (wg_there, keys[1], 51820)):
            side.set(Device(ifname="wg0", private_key=key, listen_port=port))
            publics.append(side.get("wg0").public_key)
        to_there = Peer(
            public_key=publics[1], preshared_key=secret, endpoint="192.0.2.2:51820", allowed_ips=["10.99.0.2/32"]
        )
        to_here = Peer(public_key=publics[0], preshared_key=secret, allowed_ips=["10.99.0.1/32"])
        wg.set(Device(ifname="wg0", peers=[to_there]))
        wg_there.set(Device(ifname="wg0", peers=[to_here]))
        for connection, address in ((rt, "10.99.0.1/24"), (rt_there, "10.99.0.2/24")):
            connection.create(Address(index=connection.index("wg0"), address=address))
            connection.up("wg0")
        exchange(far, "10.99.0.2")
        here, there = ((side.get("wg0").peers or ())[0] for side in (wg, wg_there))
        for peer in (here, there):
            assert peer.last_handshake is not None
            assert int(began) <= peer.last_handshake <= time.time()
            assert min(peer.rx_bytes or 0, peer.tx_bytes or 0) > 100
        assert there.endpoint is not None
        assert (str(there.endpoint.address), there.endpoint.port) == ("192.0.2.1", wg.get("wg0").listen_port)
        assert shown(wg.get("wg0")) == dumped()
        # What passes the tunnel is counted on both sides.
        before = (wg_there.get("wg0").peers or ())[0]
        exchange(far, "10.99.0.2")
        after = (wg_there.get("wg0").peers or ())[0]
        assert (after.rx_bytes or 0) > (before.rx_bytes or 0)
        assert after.last_handshake == before.last_handshake


def test_requests_in_an_event_loop(wg: wireguard.Conn[Conn]) -> None:
    async def main() -> Device:
        async with wireguard.dial_async() as own:
            await own.set(Device(ifname="wg0", fwmark=7, peers=[Peer(public_key=wireguard.generate_key())]))
            with pytest.raises(OpError, match="there is no such link"):
                await own.get("nosuch")
            return await own.get("wg0")

    assert asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS)) == wg.get("wg0")


def test_the_example_makes_a_tunnel(rt: route.Conn[Conn], tmp_path: Path) -> None:
    require_wireguard()
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    keys = [wireguard.generate_key() for _ in range(2)]
    publics = [public(key) for key in keys]

    def config(own: int, other: int, rest: str) -> str:
        path = tmp_path / f"{own}.conf"
        lines = [
            *("[Interface]  # of this side", f"PrivateKey = {keys[own]}", f"ListenPort = 5182{own}"),
            *(f"Address = 10.99.{own}.1/32, 2001:db8:99:{own}::1/128", "", "[Peer]", f"PublicKey = {publics[other]}"),
            *(f"AllowedIPs = 10.99.{other}.0/24", f"AllowedIPs = 2001:db8:99:{other}::/64", rest, ""),
        ]
        path.write_text("\n".join(lines))
        return str(path)

    with wired(rt) as far, contextlib.ExitStack() as stack:

        def start(path: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-X", "dev", "-W", "error", str(EXAMPLE), "--interval", "0.05", path]
            return stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )

        with netns.inside(far.fd):
            there = start(config(1, 0, ""))
        here = start(config(0, 1, "Endpoint = 192.0.2.2:51821\nPersistentKeepalive = off"))
        try:
            for program, key in ((there, publics[1]), (here, publics[0])):
                assert program.stdout is not None
                assert program.stdout.readline() == f"wg0 is up, its public key is {key}\n"
            exchange(far, "10.99.1.1")
            assert here.stdout is not None
            assert here.stdout.readline() == f"handshake with {publics[1]} at 192.0.2.2:51821\n"
            index = rt.index("wg0")
            assert "10.99.1.0/24" in {str(each.network) for each in rt.dump(Route) if each.oif == index}
        finally:
            for program in (here, there):
                program.send_signal(signal.SIGTERM)
        for program in (here, there):
            assert program.stderr is not None
            assert (program.wait(), program.stderr.read()) == (0, "")
    assert "wg0" not in {link.name for link in rt.dump(Link)}


def example() -> Any:
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    spec = importlib.util.spec_from_file_location("wireguard_up", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_reads_files() -> None:
    module = example()
    lines = ["[Interface]", "FwMark = 0x10", "ListenPort=7", "[Peer]", "AllowedIPs = ::/0, 10.0.0.0/8 # all"]
    device = module.device_of("wg1", module.sections([*lines, "", "Endpoint = [::1]:5", "[Peer]"]))
    assert (device.ifname, device.fwmark, device.listen_port) == ("wg1", 16, 7)
    first, second = device.peers
    assert [str(each.network) for each in first.allowed_ips] == ["::/0", "10.0.0.0/8"]
    assert str(first.endpoint) == "[::1]:5"
    assert second.allowed_ips == ()
    with pytest.raises(ValueError, match="line 2 is neither"):
        module.sections(["[Peer]", "nonsense"])
