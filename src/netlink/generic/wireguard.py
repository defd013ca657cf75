"""WireGuard: devices, their peers, and the networks that a peer may use.

    from netlink.generic import wireguard
    from netlink.generic.wireguard import Device, Peer

    with wireguard.dial() as wg:
        peer = Peer(public_key=key, endpoint="192.0.2.1:51820", allowed_ips=["10.0.0.0/24"])
        wg.set(Device(ifname="wg0", private_key=wireguard.generate_key(), listen_port=51820, peers=[peer]))
        for peer in wg.get("wg0").peers or ():
            print(peer.public_key, peer.endpoint, peer.rx_bytes, peer.last_handshake)

A device is a link of the kind "wireguard", which `netlink.route` makes. Reading needs CAP_NET_ADMIN in the user
namespace of the network namespace, as changing does, since it shows the keys.
"""

from __future__ import annotations

import base64 as _base64
import errno
import os
from enum import IntEnum, IntFlag
from ipaddress import ip_interface, ip_network
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING, Any, TypeAlias

from netlink import family as _family
from netlink.errors import OpError
from netlink.family import C, Deferred, Do, Dump, Steps, verb
from netlink.generic.genetlink import Family
from netlink.schema import (
    AttributeSet,
    Base64,
    Field,
    Int,
    Items,
    Member,
    Sockaddr,
    Str,
    Struct,
    array,
    base64,
    ip,
    s64,
    sockaddr,
    string,
    struct,
    u8,
    u16,
    u32,
    u64,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.schema import Batch

__all__ = [
    "AllowedIP",
    "AllowedIPFlags",
    "Command",
    "Conn",
    "Device",
    "DeviceFlags",
    "DeviceRequest",
    "Peer",
    "PeerFlags",
    "Timespec",
    "dial",
    "dial_async",
    "generate_key",
]

KEY_SIZE = 32
"""The size of all keys in bytes."""


class Command(IntEnum):
    """Commands (WG_CMD_*)."""

    GET_DEVICE = 0  # WG_CMD_GET_DEVICE
    SET_DEVICE = 1  # WG_CMD_SET_DEVICE


class DeviceFlags(IntFlag):
    """What a request does with a device (WGDEVICE_F_*)."""

    REPLACE_PEERS = 1  # WGDEVICE_F_REPLACE_PEERS, delete all peers first


class PeerFlags(IntFlag):
    """What a request does with a peer (WGPEER_F_*)."""

    REMOVE_ME = 1  # WGPEER_F_REMOVE_ME, delete it
    REPLACE_ALLOWEDIPS = 2  # WGPEER_F_REPLACE_ALLOWEDIPS, delete all networks of it first
    UPDATE_ONLY = 4  # WGPEER_F_UPDATE_ONLY, only change it if it is there


class AllowedIPFlags(IntFlag):
    """What a request does with a network of a peer (WGALLOWEDIP_F_*)."""

    REMOVE_ME = 1  # WGALLOWEDIP_F_REMOVE_ME, delete it; since Linux 6.16


class Timespec(Struct):
    """struct __kernel_timespec: seconds since 1970, and nanoseconds."""

    sec: Int = s64()
    nsec: Int = s64()


_Network: TypeAlias = "IPv4Address | IPv6Address | IPv4Network | IPv6Network | IPv4Interface | IPv6Interface | str"


_IPAddr: TypeAlias = Field["IPv4Address | IPv6Address | None", "_Network | None"]


def _network(type: int) -> Any:  # noqa: A002
    """An address, to which the constructor of its declaration takes the length of its prefix."""
    return ip(type)


class AllowedIP(AttributeSet):
    """A network of a peer: it may send from there, and what goes there is sent to it (WGALLOWEDIP_A_*).

    family: AF_INET or AF_INET6. cidr_mask: the length of the prefix. `network` has all of it.

    The constructor takes a network for ipaddr, `AllowedIP(ipaddr="10.0.0.0/24")`, and sets family and cidr_mask, unless
    they are given. The kernel clears the bits behind the prefix. ValueError for a text that is no network.
    """

    family: Int = u16(1)  # WGALLOWEDIP_A_FAMILY
    ipaddr: _IPAddr = _network(2)  # WGALLOWEDIP_A_IPADDR
    cidr_mask: Int = u8(3)  # WGALLOWEDIP_A_CIDR_MASK
    flags: Member[AllowedIPFlags] = u32(4, enum=AllowedIPFlags)  # WGALLOWEDIP_A_FLAGS

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            super().__init__(**_with_length(values))

    @property
    def network(self) -> IPv4Network | IPv6Network | None:
        """The network. None without an address."""
        if self.ipaddr is None:
            return None
        return ip_network((self.ipaddr, self.ipaddr.max_prefixlen if self.cidr_mask is None else self.cidr_mask), False)


def _with_length(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor, with those that follow from the network."""
    if values.get("ipaddr") is None:
        return values
    found = ip_interface(values["ipaddr"])
    family = AF_INET if found.version == 4 else AF_INET6
    return {"family": family, "cidr_mask": found.network.prefixlen} | values | {"ipaddr": found.ip}


_Networks: TypeAlias = Field[tuple[AllowedIP, ...] | None, "Iterable[AllowedIP | _Network] | None"]


def _networks(type: int) -> Any:  # noqa: A002
    """Networks, which the constructor of its declaration makes of what it is given."""
    return array(type, AllowedIP)


class Peer(AttributeSet):
    """A peer (WGPEER_A_*). In a request, what is None stays as it is; a key of zeros, `bytes(32)`, deletes a key.

    public_key: by which a device knows it. preshared_key: a secret of both sides in addition. Keys read as text in
    base64, and the constructor takes 32 bytes, too. endpoint: where it is, such as "192.0.2.1:51820". flags: of a
    request. persistent_keepalive_interval: seconds, 0 for none. rx_bytes, tx_bytes: bytes from it and to it.
    allowed_ips: its networks; the constructor takes networks as text and as objects of `ipaddress`, too. A peer with
    more than a record can have (1300 in a request, 1600 in a reply) is several records with the same public_key, one
    after the other. protocol_version: 1, the only one.

    `repr` has no secret.
    """

    public_key: Base64 = base64(1, KEY_SIZE)  # WGPEER_A_PUBLIC_KEY
    preshared_key: Base64 = base64(2, KEY_SIZE)  # WGPEER_A_PRESHARED_KEY
    flags: Member[PeerFlags] = u32(3, enum=PeerFlags)  # WGPEER_A_FLAGS
    endpoint: Sockaddr = sockaddr(4)  # WGPEER_A_ENDPOINT
    persistent_keepalive_interval: Int = u16(5)  # WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL
    last_handshake_time: Field[Timespec | None] = struct(6, Timespec)  # WGPEER_A_LAST_HANDSHAKE_TIME
    rx_bytes: Int = u64(7)  # WGPEER_A_RX_BYTES
    tx_bytes: Int = u64(8)  # WGPEER_A_TX_BYTES
    allowed_ips: _Networks = _networks(9)  # WGPEER_A_ALLOWEDIPS
    protocol_version: Int = u32(10)  # WGPEER_A_PROTOCOL_VERSION

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            given = values.get("allowed_ips")
            if isinstance(given, (str, bytes)) or not (given is None or hasattr(given, "__iter__")):
                raise TypeError(f"allowed_ips takes an iterable of networks, not {given!r}")
            if given is not None:
                values["allowed_ips"] = [
                    each if isinstance(each, AllowedIP) else AllowedIP(ipaddr=each) for each in given
                ]
            super().__init__(**values)

    @property
    def last_handshake(self) -> float | None:
        """When the last handshake was, in seconds since 1970 as of `time.time`. None if there was none."""
        when = self.last_handshake_time
        if when is None or not (when.sec or when.nsec):
            return None
        return (when.sec or 0) + (when.nsec or 0) / 1e9

    def __repr__(self) -> str:
        return super().__repr__() if self.preshared_key is None else repr(self.replace(preshared_key=None))


class Device(AttributeSet):
    """A device and its peers (WGDEVICE_A_*). In a request, what is None stays as it is.

    ifindex, ifname: of the link. private_key: a key of zeros, `bytes(32)`, deletes it. public_key: the kernel has it
    from the private key. Keys read as text in base64, and the constructor takes 32 bytes, too. flags: of a request.
    listen_port: of UDP, 0 for any. fwmark: the mark of the packets that it sends, 0 for none.
    peers: None if there are none.

    `repr` has no secret.
    """

    ifindex: Int = u32(1)  # WGDEVICE_A_IFINDEX
    ifname: Str = string(2)  # WGDEVICE_A_IFNAME
    private_key: Base64 = base64(3, KEY_SIZE)  # WGDEVICE_A_PRIVATE_KEY
    public_key: Base64 = base64(4, KEY_SIZE)  # WGDEVICE_A_PUBLIC_KEY
    flags: Member[DeviceFlags] = u32(5, enum=DeviceFlags)  # WGDEVICE_A_FLAGS
    listen_port: Int = u16(6)  # WGDEVICE_A_LISTEN_PORT
    fwmark: Int = u32(7)  # WGDEVICE_A_FWMARK
    peers: Items[Peer] = array(8, Peer)  # WGDEVICE_A_PEERS

    def __repr__(self) -> str:
        return super().__repr__() if self.private_key is None else repr(self.replace(private_key=None))


class DeviceRequest(AttributeSet):
    """A request for a device, by the number of its link or by its name (WGDEVICE_A_*)."""

    ifindex: Int = u32(1)  # WGDEVICE_A_IFINDEX
    ifname: Str = string(2)  # WGDEVICE_A_IFNAME


def generate_key() -> str:
    """A new private key, in base64."""
    key = bytearray(os.urandom(KEY_SIZE))
    # What X25519 does with every private key (RFC 7748, section 5).
    key[0] &= 248
    key[-1] = key[-1] & 127 | 64
    return _base64.b64encode(key).decode()


# Requests and replies of several messages

# An attribute has less than 65536 bytes, also the one that all peers of a message are in. In bytes: more than any peer
# has without its networks, and than any network.
_PEER_SIZE, _NETWORK_SIZE, _PEERS_SIZE = 256, 64, 60_000
_NETWORKS = 512  # of a peer in a message of a request
_NETWORKS_MOST = 1600  # that fit the attribute which all networks of a peer are in


def _messages(device: Device) -> Iterator[Device]:
    """The messages of a request: flags to replace something are in the first one alone that is about it."""
    name = DeviceRequest(ifname=device.ifname) if device.ifindex is None else DeviceRequest(ifindex=device.ifindex)
    first = Device(
        ifindex=name.ifindex,
        ifname=name.ifname,
        private_key=device.private_key,
        flags=device.flags,
        listen_port=device.listen_port,
        fwmark=device.fwmark,
    )
    peers: list[Peer] = []
    size = 0
    for peer in device.peers or ():
        for part in _parts(peer):
            more = _PEER_SIZE + _NETWORK_SIZE * len(part.allowed_ips or ())
            if size + more > _PEERS_SIZE:
                yield first.replace(peers=peers)
                first = Device(ifindex=name.ifindex, ifname=name.ifname)
                peers, size = [], 0
            peers.append(part)
            size += more
    yield first.replace(peers=peers) if peers else first


def _parts(peer: Peer) -> Iterator[Peer]:
    """A peer for requests, without what only replies have: once for each part of its networks."""
    networks = peer.allowed_ips
    yield peer.replace(
        last_handshake_time=None,
        rx_bytes=None,
        tx_bytes=None,
        allowed_ips=None if networks is None else networks[:_NETWORKS],
    )
    flags = None if peer.flags is None else peer.flags & ~PeerFlags.REPLACE_ALLOWEDIPS
    for at in range(_NETWORKS, len(networks or ()), _NETWORKS):
        yield Peer(public_key=peer.public_key, flags=flags, allowed_ips=(networks or ())[at : at + _NETWORKS])


def _joined(messages: Batch[Device]) -> Device:
    """The device of a reply. A peer goes on in the next message if it has more networks."""
    if len(messages) == 1:
        return messages[0]
    peers: list[Peer] = []
    networks: dict[int, list[AllowedIP]] = {}
    for message in messages:
        for peer in message.peers or ():
            more, last = peer.allowed_ips or (), len(peers) - 1
            if peers and peers[last].public_key == peer.public_key:
                there = networks.setdefault(last, [*(peers[last].allowed_ips or ())])
                if len(there) + len(more) <= _NETWORKS_MOST:
                    there += more
                    continue
            peers.append(peer)
    for at, whole in networks.items():
        peers[at] = peers[at].replace(allowed_ips=whole)
    return messages[0].replace(peers=peers)


_ATTEMPTS = 16
_NEEDS = "CONFIG_WIREGUARD: `modprobe wireguard` loads its module"


class Conn(Family[C], name="wireguard", needs=_NEEDS):
    """Requests to WireGuard devices."""

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the user namespace of the network namespace",
        errno.ENODEV: "there is no such link in the network namespace",
        errno.EOPNOTSUPP: "the link is no WireGuard device",
        errno.EBADR: "a request needs either ifname= or ifindex=",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    get_messages = Dump(
        Command.GET_DEVICE,
        DeviceRequest,
        Device,
        doc="The messages about a device, each with some of its peers: the operation of `get`.",
    )
    set_message = Do(
        Command.SET_DEVICE,
        Device,
        hints={
            errno.EADDRINUSE: "another socket of the network namespace has that listen_port",
            errno.EINVAL: "a peer needs its public_key, and a network the length of a prefix that its addresses have",
        },
        doc="A request that is one message, and has no more than 65535 bytes of peers: the operation of `set`.",
    )

    @verb
    def get(self: Conn[Deferred], ifname: str | None = None, *, ifindex: int | None = None) -> Steps[Device]:
        """A device with all of its peers.

        It is read again if it changes meanwhile. OpError (EINTR) if that happens every time. ValueError unless it is
        either ifname or ifindex. OSError (ENODEV) if there is no such link, OpError (EOPNOTSUPP) if it is of another
        kind, PermissionError without CAP_NET_ADMIN.
        """
        if (ifname is None) == (ifindex is None):
            raise ValueError("want either ifname or ifindex=")
        for _ in range(_ATTEMPTS):
            messages: Batch[Device] = yield self.get_messages(ifname=ifname, ifindex=ifindex)
            if not messages.interrupted:
                return _joined(messages)
        raise OpError("receive", errno.EINTR, hint="another program changed the device each time that it was read")

    @verb
    def set(self: Conn[Deferred], device: Device) -> Steps[None]:
        """Change a device: the link that its ifindex or else its ifname names, and the peers that it has.

        What is None stays as it is, and so do peers that it does not have, unless its flags are REPLACE_PEERS. What
        only replies have is not sent. Many peers or networks take several messages, which the kernel carries out one
        after the other; the first that it refuses raises its OpError, and those before it stay done.

        ValueError for a device without ifindex and ifname, and for a peer without public_key; TypeError for what is no
        Device. Other errors are those of `get`.
        """
        if not isinstance(device, Device):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"set takes a Device, not {device!r}")
        if device.ifindex is None and device.ifname is None:
            raise ValueError("a device needs ifname= or ifindex=")
        for number, peer in enumerate(device.peers or ()):
            if peer.public_key is None:
                raise ValueError(f"peers[{number}] needs public_key=")
        for message in _messages(device):
            yield self.set_message(message)
        return None


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to WireGuard. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to WireGuard for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
