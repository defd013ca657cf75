"""This library's nftables: the set and the chain of the table "bench".

add text|address|numpy|batch|record count=N            elements, by keys of these kinds or as records
add networks|network-objects|network-batch count=N     networks: text, IPv4Network, or a batch of records
load records|made|built count=N                        rules: records, records made then, made by the builder
dump elements|rules batch|fields|iter|entries [loops=N]
"""

from __future__ import annotations

import socket
import sys
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from bench.peers.peer import Result, option
from netlink.netfilter import nftables
from netlink.netfilter.nftables import Chain, Element, ElementFlags, Family, KeyType, Rule, expr, make_set
from netlink.netfilter.nftables.build import accept, counter, ip, tcp

TABLE, CHAIN = "bench", "in"
SET = make_set(Family.IPV4, TABLE, "s", KeyType.IPV4_ADDR)
NETWORKS = make_set(Family.IPV4, TABLE, "n", KeyType.IPV4_ADDR, interval=True)
INPUT = Chain(family=Family.IPV4, table=TABLE, name=CHAIN)
ACCEPT = expr.Verdict(code=expr.VerdictCode.ACCEPT)


def address(i: int) -> IPv4Address:
    """The i-th element, another one for each i below 2**24."""
    return IPv4Address(0x0A000000 | i * 0x9E3779B1 & 0xFFFFFF)


def network(i: int) -> IPv4Network:
    """The i-th network, which meets no other one."""
    return IPv4Network((0x0A000000 | i << 7, 26))


def rule(i: int) -> Rule:
    """The i-th rule: ip saddr ADDRESS tcp dport PORT counter accept."""
    loaded = expr.Register.REG_1
    expressions = (
        expr.Payload(dreg=loaded, base=expr.PayloadBase.NETWORK_HEADER, offset=12, len=4),
        expr.Cmp(sreg=loaded, op=expr.CmpOp.EQ, data=address(i).packed),
        expr.Meta(dreg=loaded, key=expr.MetaKey.L4PROTO),
        expr.Cmp(sreg=loaded, op=expr.CmpOp.EQ, data=bytes([socket.IPPROTO_TCP])),
        expr.Payload(dreg=loaded, base=expr.PayloadBase.TRANSPORT_HEADER, offset=2, len=2),
        expr.Cmp(sreg=loaded, op=expr.CmpOp.EQ, data=(1 + i).to_bytes(2, "big")),
        expr.Counter(packets=0, bytes=0),
        expr.Immediate(dreg=expr.Register.VERDICT, verdict=ACCEPT),
    )
    return Rule(family=Family.IPV4, table=TABLE, chain=CHAIN, expressions=[expr.wrap(one) for one in expressions])


def records(count: int) -> list[Element]:
    return [Element(key=address(i).packed) for i in range(count)]


def ends(count: int) -> list[Element]:
    """Networks as the kernel has them: the first key of each, and the key behind the last one."""
    found = []
    for one in map(network, range(count)):
        found.append(Element(key=one.network_address.packed))
        found.append(Element(key=(one.broadcast_address + 1).packed, flags=ElementFlags.INTERVAL_END))
    return found


def networks(how: str, count: int) -> Any:
    if how == "network-batch":
        return Element.decode_many([one.encode() for one in ends(count)])
    found = [network(i) for i in range(count)]
    return found if how == "network-objects" else [str(one) for one in found]


def keys(how: str, count: int) -> Any:
    addresses = [address(i) for i in range(count)]
    if how == "text":
        return [str(one) for one in addresses]
    if how == "numpy":
        import numpy

        return numpy.array([int(one) for one in addresses], dtype=numpy.uint32)
    if how == "batch":
        return Element.decode_many([one.encode() for one in records(count)])
    return addresses


def add(how: str, count: int) -> Result:
    of, make = (NETWORKS, networks) if how.startswith("network") else (SET, keys)
    made: Any = records(count) if how == "record" else make(how, count)
    with nftables.dial() as nft:
        result = Result()
        with nft.transaction() as tx:
            tx.add_elements(of, made)
        result.items = count
        result.stop()
    return result


def load(how: str, count: int) -> Result:
    made = [rule(i) for i in range(count)]
    with nftables.dial() as nft:
        result = Result()
        with nft.transaction() as tx:
            if how == "built":
                for i in range(count):
                    tx.add_rule(INPUT, ip.saddr(address(i)), tcp.dport(1 + i), counter(), accept())
            else:
                for one in made if how == "records" else map(rule, range(count)):
                    tx.add(one)
        result.items = count
        result.stop()
    return result


def dump(what: str, how: str, loops: int) -> Result:
    with nftables.dial() as nft:
        result = Result()
        for _ in range(loops):
            if how == "iter":
                result.items += sum(len(part) for part in nft.iter_elements(SET))
                continue
            found: Any
            if how == "entries":
                found = nft.entries(SET)
                result.sum += sum(int(one.key) & 0xFFFFFF for one in found)
            else:
                found = nft.elements(SET) if what == "elements" else nft.rules(table=TABLE, family=Family.IPV4)
            if how == "fields" and what == "elements":
                result.sum += sum(int.from_bytes(one.key, "big") & 0xFFFFFF for one in found)
            elif how == "fields":
                result.sum += sum(one.handle for one in found)
            result.items += len(found)
            del found
        result.stop()
    return result


def main() -> None:
    work, what = sys.argv[1:3]
    loops, count = option("loops", 1), option("count")
    if work == "add":
        add(what, count).finish()
    elif work == "load":
        load(what, count).finish()
    elif work == "dump":
        dump(what, sys.argv[3], loops).finish(loops)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
