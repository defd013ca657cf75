"""Keys of sets, values of fields and of maps: as they are written, and as the kernel has them."""

from __future__ import annotations

import operator
import re
import socket
import sys
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "KEY_FORMS",
    "Key",
    "KeyForm",
    "KeyRange",
    "KeyType",
    "address_type",
    "ends_of",
    "is_interval",
    "key_bytes",
    "key_length",
    "key_of_bytes",
    "key_of_span",
    "key_span",
    "prefix_of",
]


class KeyType(IntEnum):
    """What a field of a key or a value is: numbers of nft(8), by which it prints sets. The kernel ignores them."""

    NFPROTO = 2
    INTEGER = 4
    IPV4_ADDR = 7
    IPV6_ADDR = 8
    ETHER_ADDR = 9
    ETHER_TYPE = 10
    INET_PROTO = 12
    INET_SERVICE = 13
    ICMP_TYPE = 14
    TCP_FLAG = 15
    MARK = 19
    IFINDEX = 20
    UID = 24
    GID = 25
    CT_STATE = 26
    CT_DIR = 27
    CT_STATUS = 28
    ICMPV6_TYPE = 29
    PKTTYPE = 31
    ICMP_CODE = 32
    ICMPV6_CODE = 33
    IFNAME = 41


class KeyRange(NamedTuple):
    """A range of keys, both ends included. `str` has it as nft(8) writes it."""

    first: Any
    last: Any

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


Key: TypeAlias = str | int | IPv4Address | IPv6Address | IPv4Network | IPv6Network | KeyRange | tuple[Any, ...]
"""A key. As text: an address, a network, a range "first-last", a name, or a number. A tuple is a concatenation. Among
the keys of interval sets, and in matches, "eth*" stands for all names of interfaces that begin so."""


class KeyForm(NamedTuple):
    """length: bytes. host: whether values are in host byte order; numbers are in that of the network where there are
    intervals, to which rules convert what they read of a packet."""

    length: int
    host: bool = False


KEY_FORMS = {
    KeyType.NFPROTO: KeyForm(1),
    KeyType.INTEGER: KeyForm(4),
    KeyType.IPV4_ADDR: KeyForm(4),
    KeyType.IPV6_ADDR: KeyForm(16),
    KeyType.ETHER_ADDR: KeyForm(6),
    KeyType.ETHER_TYPE: KeyForm(2),
    KeyType.INET_PROTO: KeyForm(1),
    KeyType.INET_SERVICE: KeyForm(2),
    KeyType.ICMP_TYPE: KeyForm(1),
    KeyType.TCP_FLAG: KeyForm(1),
    KeyType.MARK: KeyForm(4, True),
    KeyType.IFINDEX: KeyForm(4, True),
    KeyType.UID: KeyForm(4, True),
    KeyType.GID: KeyForm(4, True),
    KeyType.CT_STATE: KeyForm(4, True),
    KeyType.CT_DIR: KeyForm(1),
    KeyType.CT_STATUS: KeyForm(4, True),
    KeyType.ICMPV6_TYPE: KeyForm(1),
    KeyType.PKTTYPE: KeyForm(1),
    KeyType.ICMP_CODE: KeyForm(1),
    KeyType.ICMPV6_CODE: KeyForm(1),
    KeyType.IFNAME: KeyForm(16, True),
}
_ETHER = re.compile("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_ADDRESSES: dict[int, tuple[Any, Any, int]] = {
    KeyType.IPV4_ADDR: (IPv4Address, IPv4Network, socket.AF_INET),
    KeyType.IPV6_ADDR: (IPv6Address, IPv6Network, socket.AF_INET6),
}
_NO_RANGES = {KeyType.IFNAME, KeyType.ETHER_ADDR}  # as text: names may have what stands between the ends of a range


def key_length(types: list[KeyType]) -> int:
    """The bytes of a key: the fields of a concatenation are padded."""
    return sum((KEY_FORMS[one].length + 3) & ~3 for one in types) if len(types) > 1 else KEY_FORMS[types[0]].length


# Writing


def key_bytes(type_: KeyType, value: Any, *, interval: bool = False) -> bytes:
    """A value as bytes of its type. interval: in the byte order of intervals. ValueError for what is no such value."""
    length, host = KEY_FORMS[type_]
    address = _ADDRESSES.get(type_)
    try:
        if address is not None:
            return socket.inet_pton(address[2], value) if isinstance(value, str) else _packed(address[0], value)
        if isinstance(value, bytes):
            return value if len(value) == length else _wrong(type_, value)
        if type_ is KeyType.ETHER_ADDR and isinstance(value, str):
            return bytes.fromhex(value.replace(":", "")) if _ETHER.fullmatch(value) else _wrong(type_, value)
        if type_ is KeyType.IFNAME:
            name = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else b""
            return name.ljust(length, b"\0") if 0 < len(name) < length else _wrong(type_, value)
        return _number(value).to_bytes(length, sys.byteorder if host and not interval else "big")
    except (OSError, ValueError, OverflowError, TypeError):
        return _wrong(type_, value)


def _number(value: Any) -> int:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() else -1
    return -1 if isinstance(value, bool) else operator.index(value)


def _packed(address: Any, value: Any) -> bytes:
    if isinstance(value, bool) or not isinstance(value, (int, bytes, address)):
        raise TypeError
    packed: bytes = (value if isinstance(value, address) else address(value)).packed
    return packed


def _wrong(type_: KeyType, value: Any) -> bytes:
    raise ValueError(f"{value!r} is no {type_.name}") from None


def is_interval(type_: KeyType, key: Any) -> bool:
    """Whether a key is a network, a range, or the begin of names."""
    if isinstance(key, str):
        return _is_begin(type_, key) or (type_ not in _NO_RANGES and ("/" in key or "-" in key))
    return isinstance(key, (KeyRange, IPv4Network, IPv6Network))


def _is_begin(type_: KeyType, key: str) -> bool:
    return type_ is KeyType.IFNAME and key[1:].endswith("*")


def ends_of(key: Any) -> tuple[Any, ...]:
    """Both ends of a range, or the one key."""
    if isinstance(key, str) and "-" in key:
        return tuple(key.split("-", 1))
    return key if isinstance(key, KeyRange) else (key,)


def key_span(type_: KeyType, key: Any) -> tuple[bytes, bytes]:
    """The first and the last key of an interval, in network byte order. ValueError for what is no key of the type."""
    if isinstance(key, str):
        if "/" in key and type_ in _ADDRESSES:
            return _network(type_, key)
        if _is_begin(type_, key):
            begin = key_bytes(type_, key[:-1])
            return begin, begin.rstrip(b"\0").ljust(len(begin), b"\xff")
        if type_ not in _NO_RANGES and "-" in key:
            key = KeyRange(*ends_of(key))
    elif isinstance(key, (IPv4Network, IPv6Network)):
        key = KeyRange(key.network_address, key.broadcast_address)
    if not isinstance(key, KeyRange):
        data = key_bytes(type_, key, interval=True)
        return data, data
    first, last = (key_bytes(type_, end, interval=True) for end in key)
    if first > last:
        raise ValueError(f"{key} is no range: its end is before its begin")
    return first, last


def prefix_of(first: bytes, last: bytes) -> int:
    """The bits that the first and the last address of a network begin with."""
    return len(first) * 8 - (int.from_bytes(first, "big") ^ int.from_bytes(last, "big")).bit_length()


def address_type(key: Any) -> KeyType:
    """The type of an address, or of the first one of a range. ValueError for what is none."""
    return KeyType.IPV6_ADDR if ip_address(ends_of(key)[0]).version == 6 else KeyType.IPV4_ADDR


def _network(type_: KeyType, key: str) -> tuple[bytes, bytes]:
    text, _, bits = key.partition("/")
    data = key_bytes(type_, text)
    if not (bits.isascii() and bits.isdecimal()) or int(bits) > len(data) * 8:
        raise ValueError(f"{key!r} is no network")
    first, rest = int.from_bytes(data, "big"), (1 << len(data) * 8 - int(bits)) - 1
    if first & rest:
        raise ValueError(f"{key!r} is no network: it has bits behind its prefix")
    return data, (first | rest).to_bytes(len(data), "big")


# Reading


def key_of_bytes(type_: KeyType, data: bytes, *, interval: bool = False) -> Any:
    """What is written for a key or a value. interval: whether it is in the byte order of intervals."""
    address = _ADDRESSES.get(type_)
    if address is not None:
        return address[0](data)
    if type_ is KeyType.IFNAME:
        return data.rstrip(b"\0").decode(errors="surrogateescape")
    if type_ is KeyType.ETHER_ADDR:
        return data.hex(":")
    return int.from_bytes(data, sys.byteorder if KEY_FORMS[type_].host and not interval else "big")


def key_of_span(type_: KeyType, first: bytes, last: bytes) -> Any:
    """What is written for an interval: a key, network, range, or the begin of names."""
    if first == last:
        return key_of_bytes(type_, first, interval=True)
    if type_ in _ADDRESSES:
        begin = int.from_bytes(first, "big")
        size = int.from_bytes(last, "big") - begin + 1
        if size & (size - 1) == 0 and begin % size == 0:
            return _ADDRESSES[type_][1]((begin, len(first) * 8 - size.bit_length() + 1))
    if type_ is KeyType.IFNAME and key_span(type_, name := key_of_bytes(type_, first) + "*") == (first, last):
        return name
    return KeyRange(*(key_of_bytes(type_, end, interval=True) for end in (first, last)))
