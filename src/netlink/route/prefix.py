"""Prefixes in arguments of constructors: an address and its length in one, as 192.0.2.0/24."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any, TypeAlias

from netlink.schema import Field, ip

if TYPE_CHECKING:
    from ipaddress import IPv4Interface, IPv6Interface

__all__ = ["Prefix", "check_host_bits", "family_of", "length_of", "network_of", "prefix", "split"]

_IPV4, _IPV6 = int(socket.AF_INET), int(socket.AF_INET6)  # numbers are compared faster than enums
_ADDRESSES = (IPv4Address, IPv6Address)

Prefix: TypeAlias = Field[
    "IPv4Address | IPv6Address | None",
    "IPv4Address | IPv6Address | IPv4Network | IPv6Network | IPv4Interface | IPv6Interface | str | None",
]
"""The annotation of an address that takes a prefix, too: as text, "192.0.2.0/24", or of `ipaddress`."""


def prefix(type: int) -> Any:  # noqa: A002
    """An address, to which the constructor of its declaration takes the length of its prefix."""
    return ip(type)


def family_of(address: Any) -> int:
    """AF_INET or AF_INET6 of an address; 0 for None."""
    if address is None:
        return 0
    if isinstance(address, str):
        return _IPV6 if ":" in address else _IPV4
    return _IPV4 if getattr(address, "version", 0) == 4 else _IPV6


def split(value: Any) -> tuple[Any, int | None]:
    """The address and the length of a prefix; None for an address without a length.

    ValueError for a length that is none.
    """
    if type(value) in _ADDRESSES:  # no interface, which is derived from it
        return value, None
    if isinstance(value, str):
        address, slash, length = value.partition("/")
        if not slash:
            return value, None
        most = 128 if ":" in address else 32
        if not (length.isascii() and length.isdigit() and int(length) <= most):
            raise ValueError(f"{value!r} is no prefix: the length must be from 0 to {most}")
        return address, int(length)
    network = getattr(value, "network", value)
    if isinstance(network, (IPv4Network, IPv6Network)):
        return getattr(value, "ip", network.network_address), network.prefixlen
    return value, None


def length_of(address: Any) -> int:
    """The number of bits of an address."""
    return 32 if family_of(address) == _IPV4 else 128


def check_host_bits(name: str, address: Any, length: int) -> None:
    """ValueError if an address has bits behind the length of its prefix."""
    if isinstance(address, str):
        try:
            packed = socket.inet_pton(family_of(address), address)
        except OSError:
            return  # the field refuses it, and says so
        address = ip_address(packed)
    elif not isinstance(address, _ADDRESSES):
        return
    bits = address.max_prefixlen
    if length > bits:
        raise ValueError(f"{name} {address} has {bits} bits, not {length}")
    if length < bits and int(address) & ((1 << bits - length) - 1):
        network = network_of(address, length)
        raise ValueError(f"{name} {address}/{length} has bits behind its length: {network} has not")


def network_of(address: IPv4Address | IPv6Address, length: int) -> IPv4Network | IPv6Network:
    """The network of an address, whose other bits are cleared."""
    if isinstance(address, IPv4Address):
        return IPv4Network((int(address), length), strict=False)
    return IPv6Network((int(address), length), strict=False)
