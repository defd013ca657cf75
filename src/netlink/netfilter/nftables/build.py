"""Rules as they are written: what nft(8) makes of the words that people use daily.

    from netlink.netfilter.nftables.build import accept, counter, ct, drop, ip, tcp

    with nft.transaction() as tx:
        tx.add_rule(chain, ct.state(CtState.ESTABLISHED | CtState.RELATED), accept())
        tx.add_rule(chain, ip.saddr("10.0.0.0/8"), tcp.dport({22, 80}), counter(), accept())
        tx.add_rule(chain, ip.saddr(blocked), drop())

A rule has parts, in order: fields that match a value, and statements. What a field needs to be there, such as TCP for
its ports, is added. Whatever is missing here is an expression of `expr`, which may stand between the parts.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal, TypeAlias

from netlink.netfilter.nftables import expr
from netlink.netfilter.nftables.expr import NatFlags, NatType, RejectCode, VerdictCode
from netlink.netfilter.nftables.fields import ct, ether, icmp, icmpv6, ip, ip6, meta, protocol, tcp, th, udp
from netlink.netfilter.nftables.keys import KeyRange, KeyType, address_type, key_span
from netlink.netfilter.nftables.records import Chain, Family, Set, SetFlags
from netlink.netfilter.nftables.rule import Field, Lookup, Part, Rejected, Value, concat, expressions_of
from netlink.netfilter.nftables.sets import has_keys_of, milliseconds

__all__ = ["Field", "Part", "Value", "accept", "add", "concat", "continue_", "counter", "ct", "delete", "dnat", "drop"]
__all__ += ["ether", "expressions_of", "goto", "icmp", "icmpv6", "ip", "ip6", "jump", "limit", "log", "masquerade"]
__all__ += ["meta", "notrack", "queue", "quota", "redirect", "reject", "return_", "snat", "tcp", "th", "udp", "update"]

Address: TypeAlias = str | IPv4Address | IPv6Address | KeyRange
Ports: TypeAlias = int | str | KeyRange

_FROM_ZERO = Part((expr.wrap(expr.Counter()),))
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


@lru_cache
def _verdict(code: VerdictCode, chain: str | None = None) -> Part:
    verdict = expr.Verdict(code=code, chain=chain)
    return Part((expr.wrap(expr.Immediate(dreg=expr.Register.VERDICT, verdict=verdict)),))


def _name_of(chain: Chain | str) -> str:
    name = chain.name if isinstance(chain, Chain) else chain
    if not isinstance(name, str) or not name:
        raise TypeError(f"want a Chain with a name, or its name, not {chain!r}")
    return name


def accept() -> Part:
    """Let the packet pass this hook."""
    return _verdict(VerdictCode.ACCEPT)


def drop() -> Part:
    """Drop the packet."""
    return _verdict(VerdictCode.DROP)


def continue_() -> Part:
    """Go on with the next rule."""
    return _verdict(VerdictCode.CONTINUE)


def return_() -> Part:
    """Go back to the chain that jumped here, or to the policy."""
    return _verdict(VerdictCode.RETURN)


def jump(chain: Chain | str) -> Part:
    """Go on in a chain of the table, and come back from its end."""
    return _verdict(VerdictCode.JUMP, _name_of(chain))


def goto(chain: Chain | str) -> Part:
    """Go on in a chain of the table, and do not come back."""
    return _verdict(VerdictCode.GOTO, _name_of(chain))


def reject(code: RejectCode = RejectCode.PORT_UNREACH, *, reset: bool = False) -> Part:
    """Drop the packet and tell its sender, by ICMP. reset: by TCP, for packets of TCP."""
    if not reset:
        return Part((Rejected(code),))
    return Part((protocol(socket.IPPROTO_TCP), expr.Reject(type=expr.RejectType.TCP_RST, icmp_code=0)))


def counter(packets: int = 0, bytes: int = 0) -> Part:  # noqa: A002
    """Count packets and bytes, from these on."""
    return (
        _FROM_ZERO if not packets and not bytes else Part((expr.Counter(bytes=bytes or None, packets=packets or None),))
    )


def log(
    prefix: str | None = None,
    *,
    group: int | None = None,
    level: expr.LogLevel | None = None,
    snaplen: int | None = None,
    queue_threshold: int | None = None,
) -> Part:
    """Log the packet to the kernel's log, by a level, or to a group of `nflog`, with up to snaplen bytes of it."""
    return Part((expr.Log(prefix=prefix, group=group, level=level, snaplen=snaplen, qthreshold=queue_threshold),))


def limit(
    rate: int,
    per: Literal["second", "minute", "hour", "day", "week"] = "second",
    *,
    burst: int | None = None,
    over: bool = False,
    bytes: bool = False,  # noqa: A002
) -> Part:
    """Match up to rate packets, or bytes, in a time. burst: what may exceed it at once, 5 packets unless given.

    over: match those beyond it instead.
    """
    if per not in _SECONDS:
        raise ValueError(f"per must be one of {', '.join(_SECONDS)}, not {per!r}")
    kind = expr.LimitType.PKT_BYTES if bytes else expr.LimitType.PKTS
    if burst is None and not bytes:
        burst = 5
    flags = expr.InvertFlags(over)
    return Part((expr.Limit(rate=rate, unit=_SECONDS[per], burst=burst, type=kind, flags=flags),))


def quota(bytes: int, *, over: bool = False) -> Part:  # noqa: A002
    """Match until so many bytes have passed. over: from then on instead."""
    return Part((expr.Quota(bytes=bytes, consumed=0, flags=expr.QuotaFlags(over)),))


def queue(number: int, last: int | None = None, *, bypass: bool = False, fanout: bool = False) -> Part:
    """Give the packet to a queue of `nfqueue`, or to one of the queues from number to last.

    bypass: packets pass if nobody reads the queue. fanout: the CPU chooses the queue.
    """
    flags = (expr.QueueFlags.BYPASS if bypass else 0) | (expr.QueueFlags.CPU_FANOUT if fanout else 0)
    total = (number if last is None else last) - number + 1
    if total < 1:
        raise ValueError(f"the last queue, {last}, is before the first, {number}")
    return Part((expr.Queue(num=number, total=total, flags=expr.QueueFlags(flags) if flags else None),))


def notrack() -> Part:
    """Leave the packet out of connection tracking: in chains before it."""
    return Part((expr.Expression(name="notrack"),))


def masquerade(ports: Ports | None = None, *, flags: NatFlags | None = None) -> Part:
    """Translate the source to the address of the interface that the packet leaves by."""
    made, registers, flags = _translated(None, ports, flags)
    return Part((*made, expr.Masq(**registers, flags=flags)))


def redirect(ports: Ports | None = None, *, flags: NatFlags | None = None) -> Part:
    """Translate the destination to this machine, and to a port or to one of a range."""
    made, registers, flags = _translated(None, ports, flags)
    return Part((*made, expr.Redir(**registers, flags=flags)))


def snat(to: Address | Part, ports: Ports | None = None, *, flags: NatFlags | None = None) -> Part:
    """Translate the source to an address, to one of a range, or to that of a `Field.map`."""
    return _nat(NatType.SNAT, to, ports, flags)


def dnat(to: Address | Part, ports: Ports | None = None, *, flags: NatFlags | None = None) -> Part:
    """Translate the destination to an address, to one of a range, or to that of a `Field.map`."""
    return _nat(NatType.DNAT, to, ports, flags)


def _nat(kind: NatType, to: Address | Part, ports: Ports | None, flags: NatFlags | None) -> Part:
    made, registers, flags = _translated(to, ports, flags)
    family = Family.IPV6 if _type_of(to) == KeyType.IPV6_ADDR else Family.IPV4
    return Part((*made, expr.Nat(type=kind, family=family, **registers, flags=flags)))


def _type_of(to: Address | Part) -> KeyType:
    """The type of the addresses. TypeError for a part that is no map."""
    if isinstance(to, Part):
        if not isinstance(to[-1], Lookup) or not isinstance(to[-1].keys, Set):
            raise TypeError(f"want an address, or a part of Field.map, not {to!r}")
        return KeyType(to[-1].keys.data_type or 0)
    return address_type(to)


def _translated(
    to: Address | Part | None, ports: Ports | None, flags: NatFlags | None
) -> tuple[list[Any], dict[str, int], NatFlags | None]:
    """What loads addresses and ports, the registers that these are in, and the flags with that of ports."""
    made: list[Any] = []
    registers: dict[str, int] = {}
    datas: list[tuple[str, tuple[bytes, bytes]]] = []
    if isinstance(to, Part):
        made, registers = list(to), {"reg_addr_min": expr.Register.REG_1}
    elif to is not None:
        datas.append(("reg_addr", key_span(_type_of(to), to)))
    if ports is not None:
        flags = (flags or NatFlags(0)) | NatFlags.PROTO_SPECIFIED
        datas.append(("reg_proto", key_span(KeyType.INET_SERVICE, ports)))
    for name, ends in datas:
        for end, data in zip(("min", "max"), dict.fromkeys(ends), strict=False):
            registers[f"{name}_{end}"] = register = len(registers) + 1
            made.append(expr.Immediate(dreg=register, data=data))
    return made, registers, flags


def add(to: Set, field: Field, *each: Part, timeout: float | None = None) -> Part:
    """Add an element to a dynamic set for the packet, if it is not there. timeout: seconds.

    each: statements of the element, such as `limit(10, over=True)`, with which the set is a meter: the rule goes on
    where these match.
    """
    return _dynamic(expr.DynsetOp.ADD, to, field, each, timeout)


def update(to: Set, field: Field, *each: Part, timeout: float | None = None) -> Part:
    """`add`, which begins the timeout of an element anew if it is there."""
    return _dynamic(expr.DynsetOp.UPDATE, to, field, each, timeout)


def delete(of: Set, field: Field) -> Part:
    """Delete the packet's element of a dynamic set."""
    return _dynamic(expr.DynsetOp.DELETE, of, field, (), None)


def _dynamic(op: expr.DynsetOp, to: Set, field: Field, each: tuple[Part, ...], timeout: float | None) -> Part:
    if not isinstance(to, Set) or not isinstance(field, Field):
        raise TypeError(f"want a Set and a Field, not {to!r} and {field!r}")
    has_keys_of(to, field.types)
    if timeout is not None and to.flags is not None and not to.flags & SetFlags.TIMEOUT:
        raise ValueError(f"the set {to.name} has no timeouts: make_set(..., timeout=0) makes one that has")
    if not all(isinstance(part, Part) for part in each):
        raise TypeError(f"what each element gets is parts, such as counter(), not {each!r}")
    wrapped = [expr.wrap(one) for part in each for one in part]
    several = len(wrapped) > 1
    change = expr.Dynset(
        set_name=to.name,
        op=op,
        sreg_key=expr.Register.REG_1,
        timeout=milliseconds(timeout),
        expression=wrapped[0] if len(wrapped) == 1 else None,
        expressions=wrapped if several else None,
        flags=expr.DynsetFlags.EXPR if several else None,
    )
    return Part((*field.guards, *field.loads(), change))
