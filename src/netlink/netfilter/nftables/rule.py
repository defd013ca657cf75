"""Rules of parts: fields of packets that match values, what they need to be there, and the sets that they look up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any, NamedTuple, TypeAlias

from netlink.netfilter.nftables import expr
from netlink.netfilter.nftables.expr import CmpOp, MetaKey
from netlink.netfilter.nftables.keys import KEY_FORMS, Key, KeyType, is_interval, key_bytes, key_span, prefix_of
from netlink.netfilter.nftables.records import Chain, Family, Set, SetFlags
from netlink.netfilter.nftables.sets import anonymous_set, has_keys_of

__all__ = ["Adder", "Equal", "Field", "Guard", "Lookup", "Part", "Rejected", "Value", "concat", "expressions_of"]

Value: TypeAlias = Key | Set | Iterable[Key]
"""What a field is compared with: a key, network or range; a named `Set`; a list or set of keys."""
Adder: TypeAlias = Callable[[Set, Any], Set]
"""Adds a set with its elements to a transaction, and returns it with its id."""

_WORD, _REGISTER = 4, 16  # bytes of registers


class Part(tuple[Any, ...]):
    """A part of a rule, for `Transaction.add_rule`: expressions, and what becomes some in the rule of a chain."""

    __slots__ = ()


class Equal(NamedTuple):
    """A field that has a value. Neighbours in a header are compared at once. read: load, into a register."""

    load: Any
    data: bytes
    read: expr.Expression

    def put(self, rule: list[Any], chain: Chain, added: Adder) -> None:
        if rule and isinstance(rule[-1], Equal) and rule[-1].meets(self):
            data = rule[-1].data + self.data
            rule[-1] = equal(rule[-1].load.replace(len=len(data)), data)
        else:
            rule.append(self)

    def meets(self, after: Equal) -> bool:
        """Whether the other one is right behind it, and both fit a register and are not faster one by one."""
        one, other = self.load, after.load
        if not (isinstance(one, expr.Payload) and isinstance(other, expr.Payload) and one.base == other.base):
            return False
        size, longer = len(self.data + after.data), max(len(self.data), len(after.data))
        return (one.offset or 0) + len(self.data) == other.offset and size <= (_WORD if longer <= _WORD else _REGISTER)


def equal(load: Any, data: bytes) -> Equal:
    """A field that has a value, by the expression that reads it."""
    return Equal(load, data, expr.wrap(load.replace(dreg=1)))


# What tells the packets of IP in tables of the link layer.
_PROTOCOLS = {
    Family.IPV4: equal(expr.Meta(key=MetaKey.PROTOCOL), b"\x08\0"),
    Family.IPV6: equal(expr.Meta(key=MetaKey.PROTOCOL), b"\x86\xdd"),
}


class Guard:
    """What a field needs of the packet. family: of the field, if it is one of IP."""

    def __init__(self, load: expr.Meta, data: bytes, family: int = 0) -> None:
        self._wanted = equal(load, data)
        self._family = family

    def put(self, rule: list[Any], chain: Chain, added: Adder) -> None:
        wanted = self._of(chain.family or 0)
        if wanted is None:
            return
        said = [one for one in rule if isinstance(one, Equal) and one.load == wanted.load]
        if any(one.data != wanted.data for one in said):
            raise ValueError(f"no packet has what the rule matches before, and {wanted.load!r} of {wanted.data!r}")
        if not said:
            rule.append(wanted)

    def _of(self, family: int) -> Equal | None:
        """The guard in a table of a family, if it needs one there."""
        if not self._family or family == Family.INET:
            inherent = family == Family.BRIDGE and self._wanted.load.key == MetaKey.IFTYPE
            return None if inherent else self._wanted
        if family in {Family.BRIDGE, Family.NETDEV}:
            return _PROTOCOLS[Family(self._family)]
        if family != self._family:
            raise ValueError(f"a table of {Family(family).name} has no packets of {Family(self._family).name}")
        return None


class Rejected(NamedTuple):
    """A refusal, by ICMP of the table's family."""

    code: expr.RejectCode

    def put(self, rule: list[Any], chain: Chain, added: Adder) -> None:
        type_, code = expr.RejectType.ICMPX_UNREACH, int(self.code)
        if chain.family in {Family.IPV4, Family.IPV6}:
            type_, code = expr.RejectType.ICMP_UNREACH, self.code.unreachable[chain.family == Family.IPV6]
        rule.append(expr.Reject(type=type_, icmp_code=code))


class Lookup(NamedTuple):
    """Fields that are looked up in a set or map. to: the register of a map's value. negate: of a set."""

    field: Field
    keys: Any
    to: int | None = None
    negate: bool = False

    def put(self, rule: list[Any], chain: Chain, added: Adder) -> None:
        named, types = isinstance(self.keys, Set), self.field.types
        if named:
            has_keys_of(self.keys, types)
        of = self.keys if named else added(anonymous_set(chain, types, self.keys), self.keys)
        negate = expr.InvertFlags.INV if self.negate else None
        rule += self.field.loads(interval=bool((of.flags or 0) & SetFlags.INTERVAL))
        rule.append(expr.Lookup(set=of.name, sreg=1, dreg=self.to, set_id=None if named else of.id, flags=negate))


class Field:
    """A field of packets, or of what the kernel knows of them: `tcp.dport(22)` is a part that matches it.

    type: of its values. load: the expression that reads it. flags: whether values are bits, of which one suffices.
    """

    def __init__(self, type: KeyType, load: expr.AnyExpression, *guards: Guard, flags: bool = False) -> None:  # noqa: A002
        self.fields: tuple[tuple[KeyType, Any], ...] = ((type, load),)
        self.guards = guards
        self._flags = flags
        self._read = expr.wrap(load.replace(dreg=1))

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
        of: Any = verdicts
        if isinstance(verdicts, Mapping):
            of = {key: _verdict_of(part) for key, part in verdicts.items()}
        elif not isinstance(verdicts, Set):
            raise TypeError(f"vmap takes the Set of a named map, or a mapping, not {verdicts!r}")
        return Part((*self.guards, Lookup(self, of, expr.Register.VERDICT)))

    def map(self, of: Set) -> Part:
        """The value that a named map has for the packet: for `set`, `dnat` and `snat`."""
        if not isinstance(of, Set):
            raise TypeError(f"map takes the Set of a named map, not {of!r}")
        return Part((*self.guards, Lookup(self, of, expr.Register.REG_1)))

    def set(self, value: Key | Field | Part) -> Part:
        """Set a value of the packet or of its flow: to a key, to that of another field, or to that of a map."""
        ((type_, load),) = self.fields
        if not isinstance(load, (expr.Meta, expr.Ct)):
            raise TypeError(f"fields of meta and ct can be set, not {load!r}")
        if isinstance(value, Field):
            value = Part((*value.guards, *value.loads()))
        elif not isinstance(value, Part):
            value = Part((expr.Immediate(dreg=1, data=key_bytes(type_, value)),))
        return Part((*value, load.replace(dreg=None, sreg=1)))

    @property
    def types(self) -> list[KeyType]:
        """The types of the fields."""
        return [type_ for type_, _ in self.fields]

    def loads(self, *, interval: bool = False) -> list[Any]:
        """Read the fields into registers of 4 bytes. interval: in the byte order of intervals."""
        made: list[Any] = []
        at = 0
        for type_, load in self.fields:
            length, host = KEY_FORMS[type_]
            register = 8 + at if at % 4 else 1 + at // 4
            made.append(load.replace(dreg=register))
            if interval and host and length == _WORD:
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
        if mask is not None:
            masked = _masked(key_bytes(type_, mask)).replace(op=expr.BitwiseOp.MASK_XOR)
            return [self._read, masked, _cmp(op, key_bytes(type_, value))]
        if self._flags and op == CmpOp.EQ:
            data = key_bytes(type_, value)
            return [self._read, _masked(data), _cmp(CmpOp.NEQ, bytes(len(data)))]
        if not is_interval(type_, value):
            data = key_bytes(type_, value)
            return [Equal(load, data, self._read)] if op == CmpOp.EQ else [self._read, _cmp(op, data)]
        first, last = key_span(type_, value)
        if isinstance(value, (IPv4Network, IPv6Network)) or (isinstance(value, str) and "/" in value):
            return self._network(op, first, prefix_of(first, last))
        if type_ is KeyType.IFNAME and isinstance(value, str):  # the begin of names
            return [self._read, _cmp(op, first.rstrip(b"\0"))]
        return [*self.loads(interval=True), expr.Range(sreg=1, op=expr.RangeOp(op), from_data=first, to_data=last)]

    def _network(self, op: CmpOp, first: bytes, prefix: int) -> list[Any]:
        ((_, load),) = self.fields
        bits = len(first) * 8
        if prefix == bits:
            return self._compared(op, first, None)
        if prefix and prefix % 8 == 0:  # some of the address is read
            return [load.replace(dreg=1, len=prefix // 8), _cmp(op, first[: prefix // 8])]
        mask = (1 << bits) - (1 << bits - prefix)
        return [self._read, _masked(mask.to_bytes(len(first), "big")), _cmp(op, first)]


def _verdict_of(part: Any) -> expr.Verdict:
    one = part[0].data if isinstance(part, Part) and isinstance(part[0], expr.Expression) else None
    if not isinstance(one, expr.Immediate) or one.verdict is None:
        raise TypeError(f"a map of verdicts has accept(), drop(), jump() and the like, not {part!r}")
    return one.verdict


def _cmp(op: CmpOp, data: bytes) -> expr.Cmp:
    return expr.Cmp(sreg=1, op=op, data=data)


@lru_cache(1024)
def _is(data: bytes) -> expr.Expression:
    return expr.wrap(_cmp(CmpOp.EQ, data))


def _masked(mask: bytes) -> expr.Bitwise:
    return expr.Bitwise(sreg=1, dreg=1, len=len(mask), mask=mask, xor=bytes(len(mask)))


def concat(*fields: Field) -> Field:
    """Several fields as one, such as `concat(ip.saddr, tcp.dport)`, whose keys are tuples."""
    joint = Field(KeyType.INTEGER, expr.Meta(), *[guard for field in fields for guard in field.guards])
    joint.fields = tuple(one for field in fields for one in field.fields)
    return joint


def expressions_of(chain: Chain, parts: Iterable[Any], added: Adder) -> Iterator[expr.Expression]:
    """The expressions of a rule. added: adds a set with its elements to the transaction, and returns it with its id."""
    rule: list[Any] = []
    for part in parts:
        for one in part if isinstance(part, Part) else (part,):
            if isinstance(one, (Equal, Guard, Lookup, Rejected)):
                one.put(rule, chain, added)
            else:
                rule.append(one)
    for one in rule:
        if isinstance(one, Equal):
            yield one.read
            yield _is(one.data)
        else:
            yield expr.wrap(one)
