"""Sets and maps as they are written: `make_set`, and keys of elements as addresses, networks, ranges and numbers.

blocked = make_set(Family.INET, "t", "blocked", KeyType.IPV4_ADDR, interval=True)
with nft.transaction() as tx:
    tx.add(blocked)
    tx.add_elements(blocked, ["10.0.0.0/8", "192.0.2.1-192.0.2.9"])
"""

from __future__ import annotations

import operator
import re
import socket
import sys
from collections.abc import Mapping
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from netlink.netfilter.nftables._elements import Payloads
from netlink.netfilter.nftables.expr import AnyExpression, ObjectType, Verdict, wrap
from netlink.netfilter.nftables.records import ConcatField, Element, ElementFlags, ElementList, Set, SetFlags
from netlink.schema import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from typing_extensions import Buffer

__all__ = ["Entry", "Key", "KeyRange", "KeyType", "Keys", "comment", "entries_of", "make_set", "payloads_of"]


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
"""A key. As text: an address, a network, a range "first-last", a name, or a number. A tuple is a concatenation."""

Keys: TypeAlias = "Iterable[Key] | Mapping[Any, Any] | Batch[Element] | Buffer"
"""Keys of a set, or keys and values of a map; or elements, as `Conn.elements` reads them. An array, such as one of
NumPy, has integers, in any byte order that its type tells, or a row of the bytes of each key, as the kernel has it."""


class Entry(NamedTuple):
    """An element as it is written. key: an address, number or name; a network or a `KeyRange`; a tuple of these for a
    concatenation; None for the element of all other keys. value: in a map, an address, number, name of an object or
    `Verdict`. element: the record, of the first key of an interval, with timeout, expiration and counters.
    """

    key: Any
    value: Any
    element: Element


class _Type(NamedTuple):
    """length: bytes. host: whether values are in host byte order."""

    length: int
    host: bool = False


KEY_FORMS = {
    KeyType.NFPROTO: _Type(1),
    KeyType.INTEGER: _Type(4),
    KeyType.IPV4_ADDR: _Type(4),
    KeyType.IPV6_ADDR: _Type(16),
    KeyType.ETHER_ADDR: _Type(6),
    KeyType.ETHER_TYPE: _Type(2),
    KeyType.INET_PROTO: _Type(1),
    KeyType.INET_SERVICE: _Type(2),
    KeyType.ICMP_TYPE: _Type(1),
    KeyType.TCP_FLAG: _Type(1),
    KeyType.MARK: _Type(4, True),
    KeyType.IFINDEX: _Type(4, True),
    KeyType.UID: _Type(4, True),
    KeyType.GID: _Type(4, True),
    KeyType.CT_STATE: _Type(4, True),
    KeyType.CT_DIR: _Type(1),
    KeyType.CT_STATUS: _Type(4, True),
    KeyType.ICMPV6_TYPE: _Type(1),
    KeyType.PKTTYPE: _Type(1),
    KeyType.ICMP_CODE: _Type(1),
    KeyType.ICMPV6_CODE: _Type(1),
    KeyType.IFNAME: _Type(16, True),
}
_ETHER = re.compile("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_VERDICT = 0xFFFFFF00  # the data type of verdicts, linux/netfilter/nf_tables.h
_TYPE_BITS = 6  # of a field's type in that of a concatenation
_ADDRESSES: dict[int, tuple[Any, Any, int]] = {
    KeyType.IPV4_ADDR: (IPv4Address, IPv4Network, socket.AF_INET),
    KeyType.IPV6_ADDR: (IPv6Address, IPv6Network, socket.AF_INET6),
}
# Items of nft's user data of a set.
_KEY_ORDER, _DATA_ORDER, _SET_COMMENT = 0, 1, 7
_HOST_ORDER, _NETWORK_ORDER = 1, 2


def comment(text: str, kind: int = 0) -> bytes:
    """A comment as `userdata` of a table, chain, rule, object or element. ValueError if it exceeds 128 bytes."""
    data = text.encode() + b"\0"
    if len(data) > 129 or "\0" in text:
        raise ValueError(f"a comment has up to 128 bytes and no NUL, not {text!r}")
    return bytes([kind, len(data)]) + data


def make_set(
    family: int,
    table: str,
    name: str,
    key: KeyType | Sequence[KeyType],
    *,
    data: KeyType | type[Verdict] | ObjectType | None = None,
    interval: bool = False,
    timeout: float | None = None,
    dynamic: bool = False,
    size: int | None = None,
    each: Iterable[AnyExpression] = (),
    remark: str | None = None,
) -> Set:
    """Make the record of a set, or of a map.

    key: the type of its keys, or those of the fields of a concatenation. data: for a map, the type of its values:
    `Verdict`, or the type of objects, or that of other data. interval: whether keys may be networks and ranges.
    timeout: seconds, of elements without one of their own; 0 if only some elements have one; None for none at all.
    dynamic: whether rules add elements. size: the most elements. each: what every element gets, such as `Counter()`.
    remark: a comment.

    ValueError for intervals of keys in host byte order, such as marks.
    """
    types: list[KeyType] = [key] if isinstance(key, KeyType) else list(key)
    concat = len(types) > 1
    if interval and not concat and KEY_FORMS[types[0]].host:
        raise ValueError("intervals are of keys in network byte order, such as addresses and ports")
    flags = SetFlags(0)
    for flag, wanted in (
        (SetFlags.INTERVAL, interval),
        (SetFlags.CONCAT, interval and concat),
        (SetFlags.MAP, data is not None and not isinstance(data, ObjectType)),
        (SetFlags.OBJECT, isinstance(data, ObjectType)),
        (SetFlags.TIMEOUT, timeout is not None),
        (SetFlags.EVAL, dynamic),
    ):
        flags |= flag if wanted else 0
    wrapped = [wrap(one) for one in each]
    flags |= SetFlags.EXPR if len(wrapped) > 1 else 0
    number = 0
    for one in types:
        number = number << _TYPE_BITS | one
    return Set(
        family=family,
        table=table,
        name=name,
        flags=flags,
        key_type=number,
        key_len=_key_length(types),
        fields=[ConcatField(len=KEY_FORMS[one].length) for one in types] if concat and interval else None,
        data_type=data if isinstance(data, KeyType) else _VERDICT if data is Verdict else None,
        data_len=KEY_FORMS[data].length if isinstance(data, KeyType) else None,
        obj_type=data if isinstance(data, ObjectType) else None,
        timeout=_milliseconds(timeout) or None,
        size=size,
        expression=wrapped[0] if len(wrapped) == 1 else None,
        expressions=wrapped if len(wrapped) > 1 else None,
        userdata=_userdata(None if concat else types[0], data, remark),
    )


def _userdata(key: KeyType | None, data: Any, remark: str | None) -> bytes:
    """What nft(8) needs to print numbers of the set."""
    made = b""
    for item, type_ in ((_KEY_ORDER, key), (_DATA_ORDER, data)):
        if isinstance(type_, KeyType):
            order = _HOST_ORDER if KEY_FORMS[type_].host else _NETWORK_ORDER
            made += bytes([item, 4]) + order.to_bytes(4, sys.byteorder)
    return made if remark is None else made + comment(remark, _SET_COMMENT)


def payloads_of(
    of: Set,
    keys: Keys,
    *,
    timeout: float | None = None,
    remark: str | None = None,
) -> list[bytes]:
    """The payloads of requests about elements of a set: for keys, for keys and values of a map, or for a batch of
    elements. Intervals are merged where they meet or overlap, if they have the same value. ValueError for intervals of
    a map that overlap with different values.
    """
    made = Payloads(
        ElementList.elements, ElementList(family=of.family, table=of.table, set=of.name, set_id=of.id).encode()
    )
    if isinstance(keys, Batch):
        if timeout is not None or remark is not None:
            raise TypeError("elements of a batch have timeouts and comments of their own")
        made.add_records(cast("Batch[Element]", keys))
        return made.payloads()
    types = _types_of(of)
    flags = _flags(of)
    is_map = bool(flags & (SetFlags.MAP | SetFlags.OBJECT))
    if is_map != isinstance(keys, Mapping):
        raise TypeError(f"the set {of.name} takes {'a mapping of keys to values' if is_map else 'keys without values'}")
    options: dict[str, Any] = {"key": bytes(_key_length(types))}
    if timeout is not None:
        options["timeout"] = _milliseconds(timeout)
    if remark is not None:
        options["userdata"] = comment(remark)
    interval, merged = bool(flags & SetFlags.INTERVAL), len(types) == 1
    data = KeyType(of.data_type or 0) if flags & SetFlags.MAP and of.data_type != _VERDICT else None
    if interval and not merged:
        options["key_end"] = options["key"]

    def template(value: Any) -> bytes:
        return Element(**options, **_value(of, bytes(KEY_FORMS[data].length) if data is not None else value)).encode()

    made.add_keys(
        keys.items() if isinstance(keys, Mapping) else keys,
        tuple(map(_part, types)),
        _ends,
        template,
        value=None if data is None else _part(data),
        end=Element(key=options["key"], flags=ElementFlags.INTERVAL_END).encode() if interval and merged else None,
        spans=interval,
        is_map=is_map,
        name=of.name,
    )
    return made.payloads()


def entries_of(of: Set, elements: Iterable[Element]) -> list[Entry]:
    """The elements of a set as they are written. Intervals are in their order, others in that of the elements."""
    types = _types_of(of)
    if len(types) == 1 and _flags(of) & SetFlags.INTERVAL:
        return list(_joined(of, types[0], elements))
    return [Entry(_key_in(types, one), _value_in(of, one), one) for one in elements]


def _padded(length: int) -> int:
    return (length + 3) & ~3


def _key_length(types: list[KeyType]) -> int:
    """The bytes of a key: the fields of a concatenation are padded."""
    return sum(_padded(KEY_FORMS[one].length) for one in types) if len(types) > 1 else KEY_FORMS[types[0]].length


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _flags(of: Set) -> int:
    return int(of.flags or 0)


def _types_of(of: Set) -> list[KeyType]:
    """The types of the fields of a set's keys. ValueError if the record does not have them, or they are not known."""
    if of.key_type is None:
        raise ValueError(f"{of!r} has only its names: read it with get(), or make it with make_set()")
    numbers: list[int] = []
    rest = of.key_type
    while rest:
        numbers.insert(0, rest & ((1 << _TYPE_BITS) - 1))
        rest >>= _TYPE_BITS
    try:
        return [KeyType(number) for number in numbers]
    except ValueError:
        raise ValueError(f"the keys of {of.name} have another type than those of KeyType: use Element") from None


def key_bytes(type_: KeyType, value: Any) -> bytes:
    """A value as bytes of its type. ValueError for one that the type does not have."""
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
        return _number(value).to_bytes(length, sys.byteorder if host else "big")
    except (OSError, ValueError, OverflowError, TypeError):
        return _wrong(type_, value)


def _number(value: Any) -> int:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() else -1
    return -1 if isinstance(value, bool) else operator.index(value)


def _packed(address: Any, value: Any) -> bytes:
    if isinstance(value, bool) or not isinstance(value, (int, bytes, address)):
        raise TypeError
    packed: bytes = address(value).packed
    return packed


def _wrong(type_: KeyType, value: Any) -> bytes:
    raise ValueError(f"{value!r} is no {type_.name}") from None


def _part(type_: KeyType) -> tuple[KeyType, int, str]:
    """A type, as `Payloads` wants it."""
    length, host = KEY_FORMS[type_]
    if type_ in _ADDRESSES:
        return type_, length, "4" if length == 4 else "6"
    return type_, length, "" if length > 8 else "h" if host else "b"


def _ends(type_: KeyType, key: Any, interval: bool) -> tuple[bytes, bytes]:
    """The first and the last key of what may be an interval. ValueError for what is no key of the type."""
    if not interval:
        data = key_bytes(type_, key)
        return data, data
    length = KEY_FORMS[type_].length
    first, last = key_span(type_, key)
    return first.to_bytes(length, "big"), last.to_bytes(length, "big")


def key_span(type_: KeyType, key: Any) -> tuple[int, int]:
    """The first and the last key of an interval, as numbers in network byte order."""
    if isinstance(key, str):
        if "/" in key and type_ in _ADDRESSES:
            text, _, bits = key.partition("/")
            first = int.from_bytes(key_bytes(type_, text), "big")
            most = KEY_FORMS[type_].length * 8
            if not bits.isdecimal() or int(bits) > most:
                raise ValueError(f"{key!r} is no network")
            rest = (1 << (most - int(bits))) - 1
            if first & rest:
                raise ValueError(f"{key!r} is no network: it has bits behind its prefix")
            return first, first | rest
        if "-" in key and not KEY_FORMS[type_].host:  # a name of an interface may have one
            key = KeyRange(*key.split("-", 1))
    elif isinstance(key, (IPv4Network, IPv6Network)):
        key = KeyRange(key.network_address, key.broadcast_address)
    if isinstance(key, KeyRange):
        if KEY_FORMS[type_].host:
            raise ValueError(f"{key} is no {type_.name}: ranges are of keys in network byte order")
        first, last = (int.from_bytes(key_bytes(type_, end), "big") for end in key)
        if first > last:
            raise ValueError(f"{key} is no range: its end is before its begin")
        return first, last
    first = int.from_bytes(key_bytes(type_, key), "big")
    return first, first


def _value(of: Set, value: Any) -> dict[str, Any]:
    """The value of an element of a map, as fields of the record."""
    if _flags(of) & SetFlags.OBJECT:
        return {"objref": value}
    if not _flags(of) & SetFlags.MAP:
        return {}
    if of.data_type == _VERDICT:
        return {"verdict": value}
    return {"data": value}


# Reading


def _scalar(type_: KeyType, data: bytes) -> Any:
    """A field as a value."""
    address = _ADDRESSES.get(type_)
    if address is not None:
        return address[0](data)
    if type_ is KeyType.IFNAME:
        return data.rstrip(b"\0").decode(errors="surrogateescape")
    if type_ is KeyType.ETHER_ADDR:
        return data.hex(":")
    return int.from_bytes(data, sys.byteorder if KEY_FORMS[type_].host else "big")


def _range(type_: KeyType, first: int, last: int) -> Any:
    """An interval as a value, network or range."""
    length = KEY_FORMS[type_].length
    begin = _scalar(type_, first.to_bytes(length, "big"))
    if first == last:
        return begin
    size = last - first + 1
    if type_ in _ADDRESSES and size & (size - 1) == 0 and first % size == 0:
        return _ADDRESSES[type_][1]((first, length * 8 - size.bit_length() + 1))
    return KeyRange(begin, _scalar(type_, last.to_bytes(length, "big")))


def _joined(of: Set, type_: KeyType, elements: Iterable[Element]) -> Iterator[Entry]:
    """The intervals between elements. The end of one may have the key of the next one's begin."""

    def place(one: Element) -> tuple[int, bool]:
        return int.from_bytes(one.key or b"", "big"), not (one.flags or 0) & ElementFlags.INTERVAL_END

    every = [one for one in elements if one.key is not None]
    begun: Element | None = None
    for one in [*sorted(every, key=place), None]:
        if begun is not None:
            first = int.from_bytes(begun.key or b"", "big")
            end = 1 << KEY_FORMS[type_].length * 8 if one is None else place(one)[0]
            yield Entry(_range(type_, first, end - 1), _value_in(of, begun), begun)
        begun = one if one is not None and place(one)[1] else None


def _key_in(types: list[KeyType], one: Element) -> Any:
    if one.key is None:
        return None
    found: list[Any] = []
    at = 0
    for type_ in types:
        length = KEY_FORMS[type_].length
        first = one.key[at : at + length]
        last = first if one.key_end is None else one.key_end[at : at + length]
        at += _padded(length)
        same = first == last
        found.append(
            _scalar(type_, first) if same else _range(type_, int.from_bytes(first, "big"), int.from_bytes(last, "big"))
        )
    return found[0] if len(types) == 1 else tuple(found)


def _value_in(of: Set, one: Element) -> Any:
    if one.objref is not None or one.verdict is not None:
        return one.objref if one.objref is not None else one.verdict
    if one.data is None:
        return None
    try:
        return _scalar(KeyType(of.data_type or 0), one.data)
    except ValueError:
        return one.data
