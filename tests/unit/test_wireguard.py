"""WireGuard without a kernel: keys, networks, and requests and replies of several messages."""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network
from socket import AF_INET, AF_INET6
from types import SimpleNamespace
from typing import Any

import pytest

from netlink import EncodeError, OpError
from netlink.generic import wireguard
from netlink.generic.wireguard import AllowedIP, Device, DeviceFlags, DeviceRequest, Peer, PeerFlags, Timespec
from netlink.nltest import serve

NESTED = 0x8000
KEY = bytes(range(32))
TEXT = base64.b64encode(KEY).decode()


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def test_a_device_is_what_the_kernel_sends() -> None:
    network = attribute(1, struct.pack("=H", AF_INET)) + attribute(3, b"\x18") + attribute(2, bytes([10, 0, 0, 0]))
    peer = (
        attribute(1, KEY)
        + attribute(2, bytes(32))
        + attribute(6, struct.pack("=qq", 1700000000, 250000000))
        + attribute(5, struct.pack("=H", 25))
        + attribute(8, struct.pack("=Q", 2))
        + attribute(7, struct.pack("=Q", 1 << 40))
        + attribute(10, struct.pack("=I", 1))
        + attribute(4, struct.pack("=H", AF_INET) + b"\xca\x6c" + bytes([192, 0, 2, 1]) + bytes(8))
        + attribute(NESTED | 9, attribute(NESTED, network))
    )
    payload = (
        attribute(6, struct.pack("=H", 51820))
        + attribute(7, struct.pack("=I", 0))
        + attribute(1, struct.pack("=I", 5))
        + attribute(2, b"wg0\0")
        + attribute(3, KEY)
        + attribute(4, KEY[::-1])
        + attribute(NESTED | 8, attribute(NESTED, peer))
    )
    device = Device.decode(payload)
    assert (device.ifindex, device.ifname, device.listen_port, device.fwmark) == (5, "wg0", 51820, 0)
    assert (device.private_key, device.public_key) == (TEXT, base64.b64encode(KEY[::-1]).decode())
    (found,) = device.peers or ()
    assert found == Peer(
        public_key=TEXT,
        preshared_key=bytes(32),
        endpoint="192.0.2.1:51820",
        persistent_keepalive_interval=25,
        last_handshake_time=Timespec(sec=1700000000, nsec=250000000),
        rx_bytes=1 << 40,
        tx_bytes=2,
        allowed_ips=["10.0.0.0/24"],
        protocol_version=1,
    )
    assert found.last_handshake == 1700000000.25
    assert Peer(last_handshake_time=Timespec(sec=0, nsec=0)).last_handshake is None
    assert Device.decode(device.encode()) == device


def test_keys_are_text_and_bytes() -> None:
    for key in (KEY, bytearray(KEY), memoryview(KEY), TEXT):
        assert Device(private_key=key).encode() == attribute(3, KEY)
        assert Peer(public_key=key).public_key == TEXT
    secret = "c2VjcmV0"
    texts = (secret, TEXT[:-1], TEXT + "\n", "\u00e9" * 44, TEXT.replace("A", "*"), TEXT[:43] + "==")
    for wrong in (KEY[1:], b"", *texts):
        with pytest.raises(EncodeError, match=r"^private_key: want 32 bytes, ") as info:
            Device(private_key=wrong)
        assert secret not in str(info.value)
    for other in (1, None.__class__, 1.5):
        with pytest.raises(TypeError, match=r"^public_key: want bytes"):
            Peer(public_key=other)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_secrets_are_not_in_a_repr() -> None:
    peer = Peer(public_key=KEY, preshared_key=KEY[::-1])
    device = Device(ifname="wg0", private_key=KEY[::-1], peers=[peer])
    assert TEXT in repr(device)
    assert "private" not in repr(device)
    assert peer.preshared_key is not None
    assert peer.preshared_key not in repr(device) + repr(peer)
    assert repr(Peer(rx_bytes=1)) == "Peer(rx_bytes=1)"


def test_generated_keys_are_of_x25519() -> None:
    keys = {wireguard.generate_key() for _ in range(50)}
    assert len(keys) == 50
    for key in keys:
        raw = base64.b64decode(key)
        assert len(raw) == 32
        assert not raw[0] & 7
        assert raw[31] & 0xC0 == 0x40


@pytest.mark.parametrize(
    ("given", "network", "family"),
    [
        ("10.1.2.3/8", "10.0.0.0/8", AF_INET),
        ("10.1.2.3", "10.1.2.3/32", AF_INET),
        ("2001:db8::/32", "2001:db8::/32", AF_INET6),
        (ip_address("::1"), "::1/128", AF_INET6),
        (ip_network("10.0.0.0/9"), "10.0.0.0/9", AF_INET),
        (ip_interface("10.0.0.1/9"), "10.0.0.0/9", AF_INET),
    ],
)
def test_networks(given: Any, network: str, family: int) -> None:
    allowed = AllowedIP(ipaddr=given)
    assert (str(allowed.network), allowed.family) == (network, family)
    assert Peer(allowed_ips=[given]).allowed_ips == (allowed,)
    assert Peer(allowed_ips=[allowed]) == Peer(allowed_ips=iter([given]))


def test_what_is_no_network() -> None:
    for wrong in ("10.0.0.0/33", "wg0", "10.0.0.0/-1", ""):
        with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6"):
            Peer(allowed_ips=[wrong])
    with pytest.raises(TypeError, match="allowed_ips takes an iterable of networks, not '10"):
        Peer(allowed_ips="10.0.0.0/8")
    with pytest.raises(TypeError, match="allowed_ips takes an iterable of networks, not 5"):
        Peer(allowed_ips=5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert AllowedIP().network is None
    assert str(AllowedIP.decode(attribute(2, bytes([10, 0, 0, 1]))).network) == "10.0.0.1/32"


class Kernel:
    """What the kernel has of one device, by the messages of requests."""

    def __init__(self) -> None:
        self.messages: list[Device] = []

    def set_message(self, message: Device) -> None:
        message.encode()  # EncodeError if it is too long
        self.messages.append(message)

    @property
    def peers(self) -> dict[str | None, set[str]]:
        found: dict[str | None, set[str]] = {}
        for message in self.messages:
            if (message.flags or 0) & DeviceFlags.REPLACE_PEERS:
                found.clear()
            for peer in message.peers or ():
                networks = found.setdefault(peer.public_key, set())
                if (peer.flags or 0) & PeerFlags.REPLACE_ALLOWEDIPS:
                    networks.clear()
                networks |= {str(each.network) for each in peer.allowed_ips or ()}
        return found


def test_a_request_of_several_messages() -> None:
    kernel = Kernel()
    networks = [f"2001:db8:{number:x}::/48" for number in range(1, 3001)]
    long = Peer(public_key=KEY, flags=PeerFlags.REPLACE_ALLOWEDIPS, allowed_ips=networks[:1300], endpoint="[::1]:1")
    rest_of_it = [Peer(public_key=KEY, allowed_ips=networks[at : at + 1300]) for at in (1300, 2600)]
    others = [Peer(public_key=os.urandom(32), preshared_key=KEY, allowed_ips=["::/0"]) for _ in range(900)]
    device = Device(
        ifindex=5,
        ifname="wg0",
        private_key=KEY,
        public_key=KEY,
        flags=DeviceFlags.REPLACE_PEERS,
        listen_port=7,
        fwmark=9,
        peers=[*others[:450], long, *rest_of_it, *others[450:]],
    )
    with serve(wireguard.Conn, {"set_message": kernel.set_message}) as wg:
        wg.set(device)
    assert len(kernel.messages) > 5
    first, *rest = kernel.messages
    assert first.replace(peers=None) == Device(ifindex=5, private_key=KEY, flags=1, listen_port=7, fwmark=9)
    assert all(message.replace(peers=None) == Device(ifindex=5) for message in rest)
    assert kernel.peers == {TEXT: set(networks), **{each.public_key: {"::/0"} for each in others}}
    assert [p.endpoint for m in kernel.messages for p in m.peers or () if p.public_key == TEXT and p.endpoint]


def test_a_request_has_nothing_that_only_replies_have() -> None:
    kernel = Kernel()
    peer = Peer(public_key=KEY, rx_bytes=1, tx_bytes=2, last_handshake_time=Timespec(sec=1, nsec=2))
    with serve(wireguard.Conn, {"set_message": kernel.set_message}) as wg:
        wg.set(Device(ifname="wg0", public_key=KEY, peers=[peer, peer]))
        wg.set(Device(ifname="wg0"))
        wg.set(Device(ifname="wg0", peers=[]))
    both = Device(ifname="wg0", peers=[Peer(public_key=KEY)] * 2)
    assert kernel.messages == [both, Device(ifname="wg0"), Device(ifname="wg0")]


def test_what_cannot_be_set() -> None:
    with serve(wireguard.Conn, {}) as wg:
        with pytest.raises(ValueError, match="a device needs ifname= or ifindex="):
            wg.set(Device(listen_port=1))
        with pytest.raises(ValueError, match=r"peers\[1\] needs public_key="):
            wg.set(Device(ifname="wg0", peers=[Peer(public_key=KEY), Peer()]))
        with pytest.raises(TypeError, match="set takes a Device, not 5"):
            wg.set(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        for names in ({}, {"ifname": "wg0", "ifindex": 1}):
            with pytest.raises(ValueError, match="want either ifname or ifindex="):
                wg.get(**names)  # type: ignore[arg-type]


def test_a_reply_of_several_messages() -> None:
    keys = [bytes([number]) * 32 for number in range(4)]
    messages = [
        Device(
            ifindex=5, ifname="wg0", private_key=KEY, peers=[Peer(public_key=keys[0], rx_bytes=1, allowed_ips=["::1"])]
        ),
        Device(ifname="wg0", peers=[Peer(public_key=keys[1], rx_bytes=2, allowed_ips=["::2"])]),
        Device(ifname="wg0", peers=[Peer(public_key=keys[1], allowed_ips=["::3"])]),
        Device(ifname="wg0", peers=[Peer(public_key=keys[1], allowed_ips=["::4"]), Peer(public_key=keys[2])]),
        Device(ifname="wg0"),
    ]
    asked: list[DeviceRequest] = []

    def get_messages(request: DeviceRequest) -> list[Device]:
        asked.append(request)
        return messages

    with serve(wireguard.Conn, {"get_messages": get_messages}) as wg:
        device = wg.get("wg0")
        assert wg.get(ifindex=5) == device
        for wrong in ({}, {"ifname": "wg0", "ifindex": 5}):
            with pytest.raises(ValueError, match="want either ifname or ifindex="):
                wg.get(**wrong)  # type: ignore[arg-type]
    assert asked == [DeviceRequest(ifname="wg0"), DeviceRequest(ifindex=5)]
    assert device == messages[0].replace(
        peers=[
            Peer(public_key=keys[0], rx_bytes=1, allowed_ips=["::1"]),
            Peer(public_key=keys[1], rx_bytes=2, allowed_ips=["::2", "::3", "::4"]),
            Peer(public_key=keys[2]),
        ]
    )


def test_a_device_that_changes_is_read_again() -> None:
    def steps() -> Iterator[Any]:
        with serve(wireguard.Conn, {}) as wg:
            made: Iterator[Any] = wireguard.Conn.get.__wrapped__(wg.calls, "wg0")  # type: ignore[attr-defined]
            yield from made

    changed: Any = SimpleNamespace(interrupted=True)
    reading: Any = steps()
    next(reading)
    for _ in range(3):
        reading.send(changed)
    with pytest.raises(StopIteration):
        reading.send(Device.decode_many([Device(ifname="wg0").encode()]))
    reading = steps()
    next(reading)
    for _ in range(15):
        reading.send(changed)
    with pytest.raises(OpError, match="another program changed the device each time"):
        reading.send(changed)


def test_a_peer_with_more_networks_than_a_record_has() -> None:
    networks = [f"2001:db8:{number:x}::/48" for number in range(1, 4001)]
    messages = [
        Device(ifname="wg0", peers=[Peer(public_key=KEY, allowed_ips=networks[at : at + 100])])
        for at in range(0, 4000, 100)
    ]
    with serve(wireguard.Conn, {"get_messages": lambda request: messages}) as wg:
        device = wg.get("wg0")
    assert [len(peer.allowed_ips or ()) for peer in device.peers or ()] == [1600, 1600, 800]
    assert {peer.public_key for peer in device.peers or ()} == {TEXT}
    assert [str(each.network) for peer in device.peers or () for each in peer.allowed_ips or ()] == networks
