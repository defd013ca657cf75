"""Fields of packets, as rules match them: `tcp.dport(22)`. `build` has them all, and the rest of a rule."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

from netlink.netfilter.nftables import expr
from netlink.netfilter.nftables.expr import CtKey, MetaKey, PayloadBase
from netlink.netfilter.nftables.keys import KEY_FORMS, KeyType
from netlink.netfilter.nftables.records import Family
from netlink.netfilter.nftables.rule import Field, Guard

__all__ = ["ct", "ether", "icmp", "icmpv6", "ip", "ip6", "meta", "protocol", "tcp", "th", "udp"]


def protocol(number: int) -> Guard:
    """What fields of a protocol need: packets of it."""
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
