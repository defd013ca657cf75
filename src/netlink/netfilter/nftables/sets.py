"""Sets and maps as they are written: `make_set`, and keys of elements as addresses, networks, ranges and numbers.

blocked = make_set(Family.INET, "t", "blocked", KeyType.IPV4_ADDR, interval=True)
with nft.transaction() as tx:
    tx.add(blocked)
    tx.add_elements(blocked, ["10.0.0.0/8", "192.0.2.1-192.0.2.9"])
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from netlink.netfilter.nftables._elements import Payloads
from netlink.netfilter.nftables.expr import AnyExpression, ObjectType, Verdict, wrap
from netlink.netfilter.nftables.keys import (
    KEY_FORMS,
    Key,
    KeyRange,
    KeyType,
    is_interval,
    key_bytes,
    key_length,
    key_of_bytes,
    key_of_span,
    key_span,
)
from netlink.netfilter.nftables.records import Chain, ConcatField, Element, ElementFlags, ElementList, Set, SetFlags
from netlink.schema import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from typing_extensions import Buffer

__all__ = ["Entry", "Keys", "anonymous_set", "comment", "entries_of", "has_keys_of", "make_set"]
__all__ += ["milliseconds", "payloads_of"]


Keys: TypeAlias = "Iterable[Key | Element] | Mapping[Any, Any] | Batch[Element] | Buffer"
"""Keys of a set, or keys and values of a map; or elements, such as `Conn.elements` reads. An array, such as one of
NumPy, has integers, in any byte order that its type tells, or a row of the bytes of each key, as the kernel has it."""


class Entry(NamedTuple):
    """An element as it is written. key: an address, number or name; a network or a `KeyRange`; a tuple of these for a
    concatenation; None for the element of all other keys. value: in a map, an address, number, name of an object or
    `Verdict`. element: the record, of the first key of an interval, with timeout, expiration and counters.
    """

    key: Any
    value: Any
    element: Element


_SINGLE = (str, bytes, bytearray, KeyRange, IPv4Network, IPv6Network)  # keys that can be iterated over
_END = int(ElementFlags.INTERVAL_END)
_VERDICT = 0xFFFFFF00  # the data type of verdicts, linux/netfilter/nf_tables.h
_ADDRESSES = {KeyType.IPV4_ADDR: "4", KeyType.IPV6_ADDR: "6"}
_TYPE_BITS = 6  # of a field's type in that of a concatenation
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
    """
    types: list[KeyType] = [key] if isinstance(key, KeyType) else list(key)
    concat = len(types) > 1
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
        key_len=key_length(types),
        fields=[ConcatField(len=KEY_FORMS[one].length) for one in types] if concat and interval else None,
        data_type=data if isinstance(data, KeyType) else _VERDICT if data is Verdict else None,
        data_len=KEY_FORMS[data].length if isinstance(data, KeyType) else None,
        obj_type=data if isinstance(data, ObjectType) else None,
        timeout=milliseconds(timeout) or None,
        size=size,
        expression=wrapped[0] if len(wrapped) == 1 else None,
        expressions=wrapped if len(wrapped) > 1 else None,
        userdata=_userdata(None if concat else types[0], data, remark),
    )


def has_keys_of(of: Set, types: list[KeyType]) -> None:
    """Check that fields of rules have the type of a set's keys, as far as its record says. ValueError if they do not.

    The kernel compares no types, and would take bytes for what they are not. It has no name for the type of some keys.
    """
    known = _numbers_of(of.key_type or 0)
    if known and known != types and KeyType.INTEGER not in known:
        names = [KeyType(one).name if one in KEY_FORMS else str(one) for one in known]
        wanted = " . ".join(one.name for one in types)
        raise ValueError(f"the keys of the set {of.name} are {' . '.join(names)}, and those of the rule {wanted}")


def anonymous_set(chain: Chain, types: list[KeyType], keys: Any) -> Set:
    """The record of the set of a rule in a chain, for its keys, or of the map for a mapping of keys to verdicts.

    ValueError without keys: no packet would match.
    """
    if not keys:
        raise ValueError("a set of a rule has keys: without any, no packet would match")
    rows: list[Any] = [key if len(types) > 1 and isinstance(key, tuple) else (key,) for key in keys]
    interval = any(is_interval(type_, key) for row in rows for type_, key in zip(types, row, strict=False))
    name, data = ("__map%d", Verdict) if isinstance(keys, Mapping) else ("__set%d", None)
    of = make_set(chain.family or 0, chain.table or "", name, types, data=data, interval=interval)
    return of.replace(flags=SetFlags(_flags(of)) | SetFlags.ANONYMOUS | SetFlags.CONSTANT)


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
    """The payloads of requests about elements of a set: for keys, for keys and values of a map, or for records of
    elements. Intervals are merged where they meet or overlap, if they have the same value. ValueError for intervals of
    a map that overlap with different values.
    """
    if isinstance(keys, _SINGLE):
        raise TypeError(f"want a list of keys or the like, not one key, {keys!r}")
    made = Payloads(
        ElementList.elements, ElementList(family=of.family, table=of.table, set=of.name, set_id=of.id).encode()
    )
    if isinstance(keys, Batch) or (isinstance(keys, (list, tuple)) and keys and isinstance(keys[0], Element)):
        if timeout is not None or remark is not None:
            raise TypeError("Element records have timeouts and comments of their own")
        made.add_records(cast("Iterable[Element]", keys))
        return made.payloads()
    types = _types_of(of)
    flags = _flags(of)
    is_map = bool(flags & (SetFlags.MAP | SetFlags.OBJECT))
    if is_map != isinstance(keys, Mapping):
        raise TypeError(f"the set {of.name} takes {'a mapping of keys to values' if is_map else 'keys without values'}")
    options: dict[str, Any] = {"key": bytes(key_length(types))}
    if timeout is not None:
        options["timeout"] = milliseconds(timeout)
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
        tuple(_part(one, interval) for one in types),
        _ends,
        template,
        value=None if data is None else _part(data, False),
        end=Element(key=options["key"], flags=ElementFlags.INTERVAL_END).encode() if interval and merged else None,
        spans=interval,
        is_map=is_map,
        name=of.name,
    )
    return made.payloads()


def entries_of(of: Set, elements: Iterable[Element]) -> list[Entry]:
    """The elements of a set as they are written. Intervals are in their order, others in that of the elements."""
    types, interval = _types_of(of), bool(_flags(of) & SetFlags.INTERVAL)
    if len(types) == 1:
        found = _joined(types[0], elements) if interval else _read(types[0], elements)
    else:
        found = ((_key_in(types, one, interval), one) for one in elements)
    if _flags(of) & (SetFlags.MAP | SetFlags.OBJECT):
        return [Entry(key, _value_in(of, one), one) for key, one in found]
    return [Entry(key, None, one) for key, one in found]


def milliseconds(timeout: float | None) -> int | None:
    """A time in seconds as the kernel has it. ValueError for what is none."""
    if timeout is None:
        return None
    if not isinstance(timeout, (int, float)) or not 0 <= timeout < 1 << 53:
        raise ValueError(f"timeout must be seconds, from 0 on, not {timeout!r}")
    return round(timeout * 1000)


def _flags(of: Set) -> int:
    return int(of.flags or 0)


def _numbers_of(key_type: int) -> list[int]:
    """The types of the fields of a concatenation."""
    numbers: list[int] = []
    while key_type:
        numbers.insert(0, key_type & ((1 << _TYPE_BITS) - 1))
        key_type >>= _TYPE_BITS
    return numbers


def _types_of(of: Set) -> list[KeyType]:
    """The types of the fields of a set's keys. ValueError if the record does not have them, or they are not known."""
    if of.key_type is None:
        raise ValueError(f"{of!r} has only its names: read it with get(), or make it with make_set()")
    try:
        return [KeyType(number) for number in _numbers_of(of.key_type)]
    except ValueError:
        raise ValueError(f"the keys of {of.name} have another type than those of KeyType: use Element") from None


def _part(type_: KeyType, interval: bool) -> tuple[KeyType, int, str]:
    """A type, as `Payloads` wants it."""
    length, host = KEY_FORMS[type_]
    return type_, length, _ADDRESSES.get(type_) or ("" if length > 8 else "h" if host and not interval else "b")


def _ends(type_: KeyType, key: Any, interval: bool) -> tuple[bytes, bytes]:
    """The first and the last key of what may be an interval. ValueError for what is no key of the type."""
    if interval:
        return key_span(type_, key)
    data = key_bytes(type_, key)
    return data, data


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


def _read(type_: KeyType, elements: Iterable[Element]) -> Iterator[tuple[Any, Element]]:
    for one in elements:
        key = one.key
        yield None if key is None else key_of_bytes(type_, key), one


def _joined(type_: KeyType, elements: Iterable[Element]) -> Iterator[tuple[Any, Element]]:
    """The intervals between elements. The end of one may have the key of the next one's begin."""
    length = KEY_FORMS[type_].length
    ends: list[tuple[bytes, bool, Element]] = []
    for one in elements:
        key, flags = one.key, one.flags
        if key is not None:
            ends.append((key, not int(flags or 0) & _END, one))
    ends.sort(key=itemgetter(0, 1))
    begun: tuple[bytes, bool, Element] | None = None
    for end in ends:
        if begun is not None:
            last = (int.from_bytes(end[0], "big") - 1).to_bytes(length, "big")
            yield key_of_span(type_, begun[0], last), begun[2]
        begun = end if end[1] else None
    if begun is not None:
        yield key_of_span(type_, begun[0], b"\xff" * length), begun[2]


def _key_in(types: list[KeyType], one: Element, interval: bool) -> Any:
    if one.key is None:
        return None
    found: list[Any] = []
    at = 0
    for type_ in types:
        end = at + KEY_FORMS[type_].length
        first, last = one.key[at:end], (one.key if one.key_end is None else one.key_end)[at:end]
        found.append(key_of_span(type_, first, last) if interval else key_of_bytes(type_, first))
        at = (end + 3) & ~3
    return found[0] if len(types) == 1 else tuple(found)


def _value_in(of: Set, one: Element) -> Any:
    if one.objref is not None or one.verdict is not None:
        return one.objref if one.objref is not None else one.verdict
    if one.data is None:
        return None
    try:
        return key_of_bytes(KeyType(of.data_type or 0), one.data)
    except ValueError:
        return one.data
