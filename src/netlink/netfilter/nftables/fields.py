"""Fields of packets, as rules match them: `tcp.dport(22)`. `build` has them all, and the rest of a rule."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Any, NamedTuple, TypeAlias

from netlink.netfilter.nftables import expr
from netlink.netfilter.nftables.expr import CmpOp, CtKey, MetaKey, PayloadBase
from netlink.netfilter.nftables.records import Family, Set
from netlink.netfilter.nftables.sets import (
    KEY_FORMS,
    Key,
    KeyRange,
    KeyType,
    key_bytes,
    key_span,
)

__all__ = [
    "Field",
    "Guard",
    "Part",
    "Value",
    "concat",
    "ct",
    "ether",
    "icmp",
    "icmpv6",
    "ip",
    "ip6",
    "meta",
    "tcp",
    "th",
    "udp",
]

Value: TypeAlias = Key | Set | Iterable[Key]
"""What a field is compared with: a key, network or range; a named `Set`; a list or set of keys."""

_WORD, _REGISTER = 4, 16  # bytes of registers


class Part(tuple[Any, ...]):
    """A part of a rule, for `Transaction.add_rule`."""

    __slots__ = ()


class Equal(NamedTuple):
    """A field that has a value. Neighbours in a header are compared at once."""

    load: Any
    data: bytes

    def meets(self, after: Equal) -> bool:
        """Whether the other one is right behind it, and both fit a register and are not faster one by one."""
        one, other = self.load, after.load
        if not (isinstance(one, expr.Payload) and isinstance(other, expr.Payload) and one.base == other.base):
            return False
        size, longer = len(self.data + after.data), max(len(self.data), len(after.data))
        return (one.offset or 0) + len(self.data) == other.offset and size <= (_WORD if longer <= _WORD else _REGISTER)

    def joined(self, after: Equal) -> Equal:
        data = self.data + after.data
        return Equal(self.load.replace(len=len(data)), data)


class Guard(NamedTuple):
    """What a field needs of the packet. family: of the field, if it is one of IP."""

    load: Any
    data: bytes
    family: int = 0

    def of(self, family: int) -> Equal | None:
        """The guard in a table of a family, if it needs one there."""
        if not self.family or family == Family.INET:
            inherent = family == Family.BRIDGE and self.load.key == MetaKey.IFTYPE
            return None if inherent else Equal(self.load, self.data)
        if family in {Family.BRIDGE, Family.NETDEV}:
            return Equal(expr.Meta(key=MetaKey.PROTOCOL), b"\x08\0" if self.family == Family.IPV4 else b"\x86\xdd")
        if family != self.family:
            raise ValueError(f"a table of {Family(family).name} has no packets of {Family(self.family).name}")
        return None


class Lookup(NamedTuple):
    """Fields that are looked up in a set or map. to: the register of a map's value. negate: of a set."""

    field: Field
    keys: Any
    to: int | None = None
    negate: bool = False


class Field:
    """A field of packets, or of what the kernel knows of them: `tcp.dport(22)` is a part that matches it.

    type: of its values. load: the expression that reads it. flags: whether values are bits, of which one suffices.
    """

    def __init__(self, type: KeyType, load: expr.AnyExpression, *guards: Guard, flags: bool = False) -> None:  # noqa: A002
        self.fields: tuple[tuple[KeyType, Any], ...] = ((type, load),)
        self.guards = guards
        self._flags = flags

    def __call__(self, value: Value, *, mask: int | None = None) -> Part:
        """Packets with a value, or one of several. The name of an interface may end with `*`. mask: bits that count.

        ValueError for a value that the field cannot have.
        """
        return self._matched(CmpOp.EQ, value, mask)

    def ne(self, value: Value, *, mask: int | None = None) -> Part:
        """Packets without a value, or with none of several."""
        return self._matched(CmpOp.NEQ, value, mask)

    def vmap(self, verdicts: Set | Mapping[Any, Part]) -> Part:
        """A verdict for each key: a named map, or a mapping of keys to `accept()`, `jump("chain")` and the like."""
        if isinstance(verdicts, Mapping):
            verdicts = {key: part[0].verdict for key, part in verdicts.items()}
        return Part((*self.guards, Lookup(self, verdicts, expr.Register.VERDICT)))

    def map(self, of: Set) -> Part:
        """The value that a named map has for the packet: for `set`, `dnat` and `snat`."""
        return Part((*self.guards, Lookup(self, of, expr.Register.REG_1)))

    def set(self, value: Key | Field | Part) -> Part:
        """Set a value of the packet or of its flow: to a key, to that of another field, or to that of a map."""
        ((type_, load),) = self.fields
        if not isinstance(load, (expr.Meta, expr.Ct)):
            raise TypeError(f"fields of meta and ct can be set, not {load!r}")
        if isinstance(value, Field):
            value = Part((*value.guards, *value.loads(False)))
        elif not isinstance(value, Part):
            value = Part((expr.Immediate(dreg=1, data=key_bytes(type_, value)),))
        return Part((*value, load.replace(dreg=None, sreg=1)))

    def loads(self, swap: bool) -> list[Any]:
        """Read the fields into registers of 4 bytes. swap: to the byte order of intervals."""
        made: list[Any] = []
        at = 0
        for type_, load in self.fields:
            length, host = KEY_FORMS[type_]
            register = 8 + at if at % 4 else 1 + at // 4
            made.append(load.replace(dreg=register))
            if swap and host and length == 4:
                order = expr.ByteorderOp.HTON
                made.append(expr.Byteorder(sreg=register, dreg=register, op=order, len=length, size=length))
            at += (length + 3) // 4
        return made

    def _matched(self, op: CmpOp, value: Any, mask: int | None) -> Part:
        single = len(self.fields) == 1
        several = issubclass(type(value), (set, frozenset, list))
        if several and single and len(value) == 1:
            return self._matched(op, next(iter(value)), mask)
        if several or isinstance(value, Set):
            return Part((*self.guards, Lookup(self, value, negate=op == CmpOp.NEQ)))
        if not single:
            raise ValueError(f"a concatenation is compared with a Set, or with a list of tuples, not {value!r}")
        return Part((*self.guards, *self._compared(op, value, mask)))

    def _compared(self, op: CmpOp, value: Any, mask: int | None) -> list[Any]:
        """Compare one field with a key, network or range."""
        ((type_, load),) = self.fields
        length = KEY_FORMS[type_].length
        read = load.replace(dreg=1)
        if mask is not None or (self._flags and op == CmpOp.EQ):
            masked = _masked(key_bytes(type_, value if mask is None else mask))
            if mask is None:
                return [read, masked, expr.Cmp(sreg=1, op=CmpOp.NEQ, data=bytes(length))]
            masked = masked.replace(op=expr.BitwiseOp.MASK_XOR)
            return [read, masked, expr.Cmp(sreg=1, op=op, data=key_bytes(type_, value))]
        if type_ is KeyType.IFNAME and isinstance(value, str) and value[1:].endswith("*"):
            return [read, expr.Cmp(sreg=1, op=op, data=key_bytes(type_, value[:-1]).rstrip(b"\0"))]
        if is_interval(type_, value):
            network = isinstance(value, (IPv4Network, IPv6Network)) or (isinstance(value, str) and "/" in value)
            if network:
                return self._network(op, *key_span(type_, value))
            first, last = (key_bytes(type_, end) for end in ends_of(value))
            if KEY_FORMS[type_].host and sys.byteorder == "little":
                first, last = first[::-1], last[::-1]
            if first > last:
                raise ValueError(f"{value} is no range: its end is before its begin")
            return [*self.loads(True), expr.Range(sreg=1, op=expr.RangeOp(op), from_data=first, to_data=last)]
        data = key_bytes(type_, value)
        return [Equal(load, data)] if op == CmpOp.EQ else [read, expr.Cmp(sreg=1, op=op, data=data)]

    def _network(self, op: CmpOp, first: int, last: int) -> list[Any]:
        ((type_, load),) = self.fields
        length = KEY_FORMS[type_].length
        size, data = length * 8 - (last - first).bit_length(), first.to_bytes(length, "big")
        if size == length * 8:
            return self._compared(op, data, None)
        if size and size % 8 == 0:  # some of the address is read
            return [load.replace(dreg=1, len=size // 8), expr.Cmp(sreg=1, op=op, data=data[: size // 8])]
        mask = ((1 << length * 8) - 1 ^ (last - first)).to_bytes(length, "big")
        return [load.replace(dreg=1), _masked(mask), expr.Cmp(sreg=1, op=op, data=data)]


def concat(*fields: Field) -> Field:
    """Several fields as one, such as `concat(ip.saddr, tcp.dport)`, whose keys are tuples."""
    joint = Field(KeyType.INTEGER, expr.Meta(), *[guard for field in fields for guard in field.guards])
    joint.fields = tuple(one for field in fields for one in field.fields)
    return joint


def _masked(mask: bytes) -> expr.Bitwise:
    return expr.Bitwise(sreg=1, dreg=1, len=len(mask), mask=mask, xor=bytes(len(mask)))


def is_interval(type_: KeyType, key: Any) -> bool:
    text = isinstance(key, str) and type_ not in {KeyType.IFNAME, KeyType.ETHER_ADDR} and ("/" in key or "-" in key)
    return text or isinstance(key, (KeyRange, IPv4Network, IPv6Network))


def ends_of(value: Any) -> tuple[Any, ...]:
    """Both ends of a range, or the one key."""
    if isinstance(value, str) and "-" in value:
        return tuple(value.split("-", 1))
    return value if isinstance(value, KeyRange) else (value,)


def protocol(number: int) -> Guard:
    return Guard(expr.Meta(key=MetaKey.L4PROTO), bytes([number]))


def _meta(type_: KeyType, key: MetaKey) -> Field:
    return Field(type_, expr.Meta(key=key))


def _ct(type_: KeyType, key: CtKey, *, flags: bool = False) -> Field:
    return Field(type_, expr.Ct(key=key), flags=flags)


def _header(base: PayloadBase, *guards: Guard) -> Callable[..., Field]:
    def field(type_: KeyType, offset: int, *, flags: bool = False) -> Field:
        return Field(type_, expr.Payload(base=base, offset=offset, len=KEY_FORMS[type_].length), *guards, flags=flags)

    return field


_IP4, _IP6 = (Guard(expr.Meta(key=MetaKey.NFPROTO), bytes([one]), one) for one in (Family.IPV4, Family.IPV6))
_ethernet = _header(PayloadBase.LL_HEADER, Guard(expr.Meta(key=MetaKey.IFTYPE), (1).to_bytes(2, sys.byteorder)))
_network4, _network6 = (_header(PayloadBase.NETWORK_HEADER, guard) for guard in (_IP4, _IP6))
_any = _header(PayloadBase.TRANSPORT_HEADER)
_tcp, _udp = (_header(PayloadBase.TRANSPORT_HEADER, protocol(n)) for n in (socket.IPPROTO_TCP, socket.IPPROTO_UDP))
_icmp = _header(PayloadBase.TRANSPORT_HEADER, _IP4, protocol(socket.IPPROTO_ICMP))
_icmpv6 = _header(PayloadBase.TRANSPORT_HEADER, _IP6, protocol(socket.IPPROTO_ICMPV6))


class meta:  # noqa: N801
    """What the kernel knows of a packet. protocol: ETH_P_*, l4proto: IPPROTO_*, iif, oif: indexes of interfaces."""

    mark = _meta(KeyType.MARK, MetaKey.MARK)
    iif = _meta(KeyType.IFINDEX, MetaKey.IIF)
    oif = _meta(KeyType.IFINDEX, MetaKey.OIF)
    iifname = _meta(KeyType.IFNAME, MetaKey.IIFNAME)
    oifname = _meta(KeyType.IFNAME, MetaKey.OIFNAME)
    nfproto = _meta(KeyType.NFPROTO, MetaKey.NFPROTO)
    protocol = _meta(KeyType.ETHER_TYPE, MetaKey.PROTOCOL)
    l4proto = _meta(KeyType.INET_PROTO, MetaKey.L4PROTO)
    skuid = _meta(KeyType.UID, MetaKey.SKUID)
    skgid = _meta(KeyType.GID, MetaKey.SKGID)
    pkttype = _meta(KeyType.PKTTYPE, MetaKey.PKTTYPE)
    nftrace = _meta(KeyType.PKTTYPE, MetaKey.NFTRACE)


class ct:  # noqa: N801
    """The flow of a packet. state: `expr.CtState`; status: `conntrack.Status`; direction: `expr.CtDirection`."""

    state = _ct(KeyType.CT_STATE, CtKey.STATE, flags=True)
    status = _ct(KeyType.CT_STATUS, CtKey.STATUS, flags=True)
    direction = _ct(KeyType.CT_DIR, CtKey.DIRECTION)
    mark = _ct(KeyType.MARK, CtKey.MARK)


class ether:  # noqa: N801
    """The Ethernet header."""

    daddr = _ethernet(KeyType.ETHER_ADDR, 0)
    saddr = _ethernet(KeyType.ETHER_ADDR, 6)
    type = _ethernet(KeyType.ETHER_TYPE, 12)


class ip:  # noqa: N801
    """The header of IPv4."""

    protocol = _network4(KeyType.INET_PROTO, 9)
    saddr = _network4(KeyType.IPV4_ADDR, 12)
    daddr = _network4(KeyType.IPV4_ADDR, 16)


class ip6:  # noqa: N801
    """The header of IPv6."""

    nexthdr = _network6(KeyType.INET_PROTO, 6)
    saddr = _network6(KeyType.IPV6_ADDR, 8)
    daddr = _network6(KeyType.IPV6_ADDR, 24)


class tcp:  # noqa: N801
    """The header of TCP. flags: its bits, such as 0x02 for SYN; with a mask, exactly these."""

    sport = _tcp(KeyType.INET_SERVICE, 0)
    dport = _tcp(KeyType.INET_SERVICE, 2)
    flags = _tcp(KeyType.TCP_FLAG, 13, flags=True)


class udp:  # noqa: N801
    """The header of UDP."""

    sport = _udp(KeyType.INET_SERVICE, 0)
    dport = _udp(KeyType.INET_SERVICE, 2)


class th:  # noqa: N801
    """Ports of any protocol that has them where TCP and UDP do: match `meta.l4proto` first."""

    sport = _any(KeyType.INET_SERVICE, 0)
    dport = _any(KeyType.INET_SERVICE, 2)


class icmp:  # noqa: N801
    """The header of ICMP."""

    type = _icmp(KeyType.ICMP_TYPE, 0)
    code = _icmp(KeyType.ICMP_CODE, 1)


class icmpv6:  # noqa: N801
    """The header of ICMPv6."""

    type = _icmpv6(KeyType.ICMPV6_TYPE, 0)
    code = _icmpv6(KeyType.ICMPV6_CODE, 1)
