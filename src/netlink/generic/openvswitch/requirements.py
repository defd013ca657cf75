"""What the kernel requires of a flow's key and mask. It refuses all else with EINVAL alone."""

from __future__ import annotations

from enum import IntEnum
from socket import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP
from typing import TYPE_CHECKING, Any

from netlink.generic.openvswitch.keys import EtherType, FragType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netlink.generic.openvswitch.keys import Key

__all__ = ["check"]


class Discovery(IntEnum):
    """Messages of ICMPv6 with a target (NDISC_*), net/ndisc.h."""

    SOLICITATION = 135  # NDISC_NEIGHBOUR_SOLICITATION
    ADVERTISEMENT = 136  # NDISC_NEIGHBOUR_ADVERTISEMENT


_EXACT_ETHERTYPE, _EXACT_PROTO, _EXACT_TYPE = 0xFFFF, 0xFF, 0xFF
_NETWORK: dict[int, str] = {
    EtherType.IP: "ipv4",
    EtherType.IPV6: "ipv6",
    EtherType.ARP: "arp",
    EtherType.RARP: "arp",
    EtherType.MPLS_UC: "mpls",
    EtherType.MPLS_MC: "mpls",
    EtherType.NSH: "nsh",
}
_PORTS = {IPPROTO_TCP: ("tcp", "tcp_flags"), IPPROTO_UDP: ("udp",), IPPROTO_SCTP: ("sctp",)}
_TRANSPORT = {
    "ipv4": _PORTS | {IPPROTO_ICMP: ("icmp",)},
    "ipv6": _PORTS | {IPPROTO_ICMPV6: ("icmpv6",)},
}
_LAYERED = {*_NETWORK.values(), "tcp", "tcp_flags", "udp", "sctp", "icmp", "icmpv6", "nd"}
_NEED_NO_KEY = {"tunnel", "in_port", "ethertype"}


def check(key: Key, mask: Key | None) -> None:
    """ValueError for a key without a field that its others make necessary, and for a mask of what does not count."""
    if key.ethernet is None and key.ethertype is None:
        raise ValueError("a key needs ethernet= or ethertype=")
    while key.encap is not None:  # the packet behind a tag of VLAN
        if mask is not None:
            mask = mask.encap
        key = key.encap
    needed = {name: reason for name, reason, _ in _needs(key)}
    for name, reason in needed.items():
        if getattr(key, name) is None:
            raise ValueError(f"a key with {reason} needs {name}=")
    if mask is None:
        return
    for name, _, exact in _needs(key):
        path, wanted = exact
        if _counts(getattr(mask, name)) and _value(mask, path) != wanted:
            raise ValueError(f"a mask with {name}= needs {path}={wanted:#x}")
    for name in mask.__fields__:
        absent = getattr(key, name) is None and name not in _NEED_NO_KEY
        if _counts(getattr(mask, name)) and (absent or (name in _LAYERED and name not in needed)):
            raise ValueError(f"a mask with {name}= needs a key with it, and with an ethertype and proto that have it")


def _needs(key: Key) -> Iterator[tuple[str, str, tuple[str, int]]]:
    """The fields that others make necessary: the name, the reason, and what their mask requires of the mask."""
    network = _NETWORK.get(key.ethertype or 0)
    if network is None:
        return
    yield network, f"ethertype={key.ethertype:#06x}", ("ethertype", _EXACT_ETHERTYPE)
    ip = getattr(key, network)
    transport = _TRANSPORT.get(network)
    if transport is None or ip is None or ip.frag == FragType.LATER:
        return
    for name in transport.get(ip.proto, ()):
        yield name, f"{network}.proto={ip.proto}", (f"{network}.proto", _EXACT_PROTO)
        if name == "icmpv6" and key.icmpv6 is not None and key.icmpv6.type in set(Discovery):
            yield "nd", f"icmpv6.type={key.icmpv6.type}", ("icmpv6.type", _EXACT_TYPE)


def _counts(value: Any) -> bool:
    """Whether a field of a mask has bits: the kernel takes one of zeros for none."""
    return value is not None and value != (0 if isinstance(value, int) else type(value)())


def _value(mask: Key, path: str) -> Any:
    value: Any = mask
    for name in path.split("."):
        value = getattr(value, name, None)
    return value
