"""Rules of nftables that the builder makes: nft(8) makes the same of the same words, and lists them as written."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
from typing import Any

import pytest

from kernel import mnl, rulesets
from netlink.netfilter import nftables
from netlink.netfilter.conntrack import Status
from netlink.netfilter.nftables import Chain, Command, Family, Hook, KeyRange, KeyType, Rule, Set, Table, expr, make_set
from netlink.netfilter.nftables import build as b
from netlink.netfilter.nftables.expr import CtState, LogLevel, NatFlags, RejectCode

INET = Family.INET
TCP, UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP
SYN, FIN, RST, ACK = 2, 1, 4, 16

FOUR = make_set(INET, "t", "four", KeyType.IPV4_ADDR, interval=True)
PLAIN = make_set(INET, "t", "plain", KeyType.IPV4_ADDR)
SIX = make_set(INET, "t", "six", KeyType.IPV6_ADDR)
PAIRS = make_set(INET, "t", "pairs", (KeyType.IPV4_ADDR, KeyType.INET_SERVICE))
RANGES = make_set(INET, "t", "ranges", (KeyType.MARK, KeyType.INET_SERVICE), interval=True)
SEEN = make_set(INET, "t", "seen", KeyType.IPV4_ADDR, timeout=60, dynamic=True, size=65535)
MET = make_set(INET, "t", "met", (KeyType.IPV4_ADDR, KeyType.INET_SERVICE), dynamic=True, size=100)
VERDICTS = make_set(INET, "t", "verdicts", KeyType.INET_SERVICE, data=expr.Verdict)
HOSTS = make_set(INET, "t", "hosts", KeyType.INET_SERVICE, data=KeyType.IPV4_ADDR)
MARKS = make_set(INET, "t", "marks", KeyType.IPV4_ADDR, data=KeyType.MARK)
SPAN = make_set(INET, "t", "span", KeyType.MARK, interval=True)
SETS = [SPAN, FOUR, PLAIN, SIX, PAIRS, RANGES, SEEN, MET, VERDICTS, HOSTS, MARKS]

TABLES = [Table(family=family, name="t") for family in (INET, Family.IPV4, Family.IPV6, Family.BRIDGE, Family.NETDEV)]
WORDS = {INET: "inet", Family.IPV4: "ip", Family.IPV6: "ip6", Family.BRIDGE: "bridge", Family.NETDEV: "netdev"}


def base(name: str, type: str, hook: Hook, priority: int, family: Family = INET) -> Chain:  # noqa: A002
    return Chain(family=family, table="t", name=name, type=type, hook=hook, priority=priority)


OTHER = Chain(family=INET, table="t", name="other")
IN = base("in", "filter", Hook.INPUT, 0)
RAW = base("raw", "filter", Hook.PREROUTING, -300)
PRE = base("pre", "nat", Hook.PREROUTING, -100)
POST = base("post", "nat", Hook.POSTROUTING, 100)
IN4 = base("in", "filter", Hook.INPUT, 0, Family.IPV4)
PRE4 = base("pre", "nat", Hook.PREROUTING, -100, Family.IPV4)
IN6 = base("in", "filter", Hook.INPUT, 0, Family.IPV6)
BRIDGE = base("in", "filter", Hook.INPUT, 0, Family.BRIDGE)
NETDEV = Chain(family=Family.NETDEV, table="t", name="in", type="filter", hook=0, priority=0, device="lo")
CHAINS = [OTHER, IN, RAW, PRE, POST, IN4, PRE4, IN6, BRIDGE, NETDEV]

# A chain, the words as nft(8) lists them, and the parts.
CASES: list[tuple[Chain, str, list[Any]]] = [
    (IN, "ip saddr 10.0.0.1", [b.ip.saddr("10.0.0.1")]),
    (IN, "ip saddr != 10.0.0.1", [b.ip.saddr.ne("10.0.0.1")]),
    (IN, "ip saddr 10.0.0.1 ip daddr 10.0.0.2", [b.ip.saddr("10.0.0.1"), b.ip.daddr("10.0.0.2")]),
    (IN, "ip saddr 10.0.0.1 ip daddr 10.0.0.0/16", [b.ip.saddr("10.0.0.1"), b.ip.daddr("10.0.0.0/16")]),
    (IN, "ip saddr 10.0.0.0/8", [b.ip.saddr("10.0.0.0/8")]),
    (IN, "ip saddr 10.0.0.0/12", [b.ip.saddr("10.0.0.0/12")]),
    (IN, "ip saddr != 10.0.0.0/12", [b.ip.saddr.ne("10.0.0.0/12")]),
    (IN, "ip saddr != 10.0.0.0/24", [b.ip.saddr.ne("10.0.0.0/24")]),
    (IN, "ip daddr 192.0.2.1-192.0.2.9", [b.ip.daddr("192.0.2.1-192.0.2.9")]),
    (IN, "ip saddr { 10.0.0.1, 10.0.0.9 }", [b.ip.saddr(["10.0.0.1", "10.0.0.9"])]),
    (IN, "ip saddr { 10.0.0.0/8, 192.0.2.1-192.0.2.9 }", [b.ip.saddr(["10.0.0.0/8", "192.0.2.1-192.0.2.9"])]),
    (IN, "ip saddr != { 10.0.0.0/8, 192.168.0.0/16 }", [b.ip.saddr.ne(["10.0.0.0/8", "192.168.0.0/16"])]),
    (IN, "ip saddr @four drop", [b.ip.saddr(FOUR), b.drop()]),
    (IN, "ip saddr != @plain counter packets 0 bytes 0 drop", [b.ip.saddr.ne(PLAIN), b.counter(), b.drop()]),
    (IN, "ip protocol tcp", [b.ip.protocol(TCP)]),
    (IN, "ip6 saddr 2001:db8::/32 ip6 daddr 2001:db8::1", [b.ip6.saddr("2001:db8::/32"), b.ip6.daddr("2001:db8::1")]),
    (IN, "ip6 saddr 2001:db8::/33", [b.ip6.saddr("2001:db8::/33")]),
    (IN, "ip6 saddr @six accept", [b.ip6.saddr(SIX), b.accept()]),
    (IN, "ip6 nexthdr udp", [b.ip6.nexthdr(UDP)]),
    (IN, "tcp dport 22", [b.tcp.dport(22)]),
    (IN, "tcp dport != 22", [b.tcp.dport.ne(22)]),
    (IN, "tcp sport 1 tcp dport 2", [b.tcp.sport(1), b.tcp.dport(2)]),
    (IN, "tcp sport != 1 tcp dport != 2", [b.tcp.sport.ne(1), b.tcp.dport.ne(2)]),
    (IN, "udp sport 1-1024", [b.udp.sport("1-1024")]),
    (IN, "tcp dport != 1-1024", [b.tcp.dport.ne(KeyRange(1, 1024))]),
    (IN, "tcp dport { 22, 80 }", [b.tcp.dport({22, 80})]),
    (IN, "tcp dport != { 22, 80-90 }", [b.tcp.dport.ne([22, "80-90"])]),
    (IN, "tcp dport 443", [b.tcp.dport({443})]),
    (IN, "ip saddr 10.0.0.1 tcp dport 22 accept", [b.ip.saddr("10.0.0.1"), b.tcp.dport(22), b.accept()]),
    (IN, "meta l4proto { tcp, udp } th dport 53", [b.meta.l4proto([TCP, UDP]), b.th.dport(53)]),
    (IN, "tcp flags syn", [b.tcp.flags(SYN)]),
    (IN, "tcp flags & (fin | syn | rst | ack) == syn", [b.tcp.flags(SYN, mask=FIN | SYN | RST | ACK)]),
    (IN, "tcp flags & (fin | syn | rst | ack) != syn", [b.tcp.flags.ne(SYN, mask=FIN | SYN | RST | ACK)]),
    (IN, "ip saddr . tcp dport @pairs", [b.concat(b.ip.saddr, b.tcp.dport)(PAIRS)]),
    (IN, "meta mark . tcp dport @ranges", [b.concat(b.meta.mark, b.tcp.dport)(RANGES)]),
    (
        IN,
        "ip saddr . tcp dport { 10.0.0.1 . 22, 10.0.0.2 . 80 }",
        [b.concat(b.ip.saddr, b.tcp.dport)([("10.0.0.1", 22), ("10.0.0.2", 80)])],
    ),
    (
        IN,
        "ip saddr . tcp dport { 10.0.0.0/24 . 22-25, 10.0.1.2 . 80 }",
        [b.concat(b.ip.saddr, b.tcp.dport)([("10.0.0.0/24", "22-25"), ("10.0.1.2", 80)])],
    ),
    (
        IN,
        "ip6 saddr . ip6 daddr . tcp dport { 2001:db8::1 . ::2 . 22, 2001:db8::3 . ::2 . 23 }",
        [b.concat(b.ip6.saddr, b.ip6.daddr, b.tcp.dport)([("2001:db8::1", "::2", 22), ("2001:db8::3", "::2", 23)])],
    ),
    (IN, "ct state established,related accept", [b.ct.state(CtState.ESTABLISHED | CtState.RELATED), b.accept()]),
    (IN, "ct state new", [b.ct.state(CtState.NEW)]),
    (IN, "ct state != new", [b.ct.state.ne(CtState.NEW)]),
    (IN, "ct status dnat", [b.ct.status(Status.DST_NAT)]),
    (IN, "ct direction original", [b.ct.direction(expr.CtDirection.ORIGINAL)]),
    (IN, "ct mark 0x00000005", [b.ct.mark(5)]),
    (
        IN,
        "ct state vmap { invalid : drop, established : accept }",
        [b.ct.state.vmap({CtState.INVALID: b.drop(), CtState.ESTABLISHED: b.accept()})],
    ),
    (
        IN,
        'iifname vmap { "eth0" : jump other, "lo" : accept }',
        [b.meta.iifname.vmap({"lo": b.accept(), "eth0": b.jump(OTHER)})],
    ),
    (IN, "tcp dport vmap { 22 : accept, 25-90 : drop }", [b.tcp.dport.vmap({22: b.accept(), "25-90": b.drop()})]),
    (IN, "tcp dport vmap @verdicts", [b.tcp.dport.vmap(VERDICTS)]),
    (IN, "meta mark 0x00000005", [b.meta.mark(5)]),
    (IN, "meta mark 0x00000001-0x00000009", [b.meta.mark("1-9")]),
    (IN, "meta mark != 0x00000001-0x00000009", [b.meta.mark.ne(KeyRange(1, 9))]),
    (IN, "meta mark & 0x000000ff == 0x00000005", [b.meta.mark(5, mask=0xFF)]),
    (IN, "meta mark & 0x000000ff != 0x00000005", [b.meta.mark.ne(5, mask=0xFF)]),
    (IN, "meta mark { 0x00000001, 0x00000005 }", [b.meta.mark([1, 5])]),
    (IN, "meta mark { 0x00000001-0x00000009, 0x00000100 }", [b.meta.mark(["1-9", 256])]),
    (IN, "meta mark @span", [b.meta.mark(SPAN)]),
    (
        IN,
        "meta mark vmap { 0x00000001-0x00000009 : accept, 0x00000100 : drop }",
        [b.meta.mark.vmap({"1-9": b.accept(), 256: b.drop()})],
    ),
    (
        IN,
        "meta mark . tcp dport { 0x00000001-0x00000009 . 80, 0x00000100 . 90-99 }",
        [b.concat(b.meta.mark, b.tcp.dport)([("1-9", 80), (256, "90-99")])],
    ),
    (IN, "iif { 5-7, 9 }", [b.meta.iif(["5-7", 9])]),
    (IN, "meta skuid { 0, 1000-2000 }", [b.meta.skuid([0, "1000-2000"])]),
    (IN, 'iifname { "eth*", "lo" }', [b.meta.iifname(["lo", "eth*"])]),
    (
        IN,
        'iifname . tcp dport { "eth*" . 80, "lo" . 90-99 }',
        [b.concat(b.meta.iifname, b.tcp.dport)([("eth*", 80), ("lo", "90-99")])],
    ),
    (IN, 'iif "lo"', [b.meta.iif(1)]),
    (IN, 'iifname "lo" accept', [b.meta.iifname("lo"), b.accept()]),
    (IN, 'iifname "eth*"', [b.meta.iifname("eth*")]),
    (IN, 'iifname != "eth*"', [b.meta.iifname.ne("eth*")]),
    (IN, 'iifname { "eth-0", "lo" }', [b.meta.iifname(["lo", "eth-0"])]),
    (IN, "meta skuid 1000", [b.meta.skuid(1000)]),
    (IN, "meta skuid 1000-2000", [b.meta.skuid("1000-2000")]),
    (IN, "meta protocol ip", [b.meta.protocol(0x0800)]),
    (IN, "meta pkttype broadcast", [b.meta.pkttype(1)]),
    (IN, "icmp type echo-request accept", [b.icmp.type(8), b.accept()]),
    (IN, "icmp type { echo-reply, echo-request }", [b.icmp.type([0, 8])]),
    (IN, "icmp type destination-unreachable icmp code 4", [b.icmp.type(3), b.icmp.code(4)]),
    (
        IN,
        "icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept",
        [b.icmpv6.type([134, 135, 136]), b.accept()],
    ),
    (IN, "icmpv6 type packet-too-big icmpv6 code 0", [b.icmpv6.type(2), b.icmpv6.code(0)]),
    (IN, "ether saddr 02:00:00:00:00:01", [b.ether.saddr("02:00:00:00:00:01")]),
    (IN, "counter packets 3 bytes 400", [b.counter(3, 400)]),
    (
        IN,
        'log prefix "x: " group 5 snaplen 100 queue-threshold 3',
        [b.log("x: ", group=5, snaplen=100, queue_threshold=3)],
    ),
    (IN, "log", [b.log()]),
    (IN, 'log prefix "x: " level debug', [b.log("x: ", level=LogLevel.DEBUG)]),
    (IN, "limit rate 10/minute burst 5 packets accept", [b.limit(10, "minute"), b.accept()]),
    (IN, "limit rate over 10/second burst 7 packets drop", [b.limit(10, burst=7, over=True), b.drop()]),
    (IN, "limit rate 10 kbytes/hour", [b.limit(10240, "hour", bytes=True)]),
    (IN, "limit rate 10 kbytes/second burst 20 kbytes", [b.limit(10240, burst=20480, bytes=True)]),
    (IN, "quota 25 mbytes accept", [b.quota(25 << 20), b.accept()]),
    (IN, "quota over 25 mbytes drop", [b.quota(25 << 20, over=True), b.drop()]),
    (IN, "reject", [b.reject()]),
    (IN, "reject with icmpx admin-prohibited", [b.reject(RejectCode.ADMIN_PROHIBITED)]),
    (IN, "tcp dport 1 reject with tcp reset", [b.tcp.dport(1), b.reject(reset=True)]),
    (IN, "meta l4proto tcp reject with tcp reset", [b.reject(reset=True)]),
    (IN, "meta mark set 0x00000005", [b.meta.mark.set(5)]),
    (IN, "meta nftrace set 1", [b.meta.nftrace.set(1)]),
    (IN, "ct mark set meta mark", [b.ct.mark.set(b.meta.mark)]),
    (IN, "meta mark set ct mark", [b.meta.mark.set(b.ct.mark)]),
    (IN, "ct mark set 0x00000007", [b.ct.mark.set(7)]),
    (IN, "meta mark set ip saddr map @marks", [b.meta.mark.set(b.ip.saddr.map(MARKS))]),
    (IN, "add @seen { ip saddr }", [b.add(SEEN, b.ip.saddr)]),
    (
        IN,
        "update @seen { ip saddr timeout 10s limit rate over 10/second burst 5 packets } drop",
        [b.update(SEEN, b.ip.saddr, b.limit(10, over=True), timeout=10), b.drop()],
    ),
    (
        IN,
        "tcp dport 22 add @met { ip saddr . tcp dport counter limit rate over 1/minute burst 5 packets }",
        [
            b.tcp.dport(22),
            b.add(MET, b.concat(b.ip.saddr, b.tcp.dport), b.counter(), b.limit(1, "minute", over=True)),
        ],
    ),
    (IN, "delete @seen { ip saddr }", [b.delete(SEEN, b.ip.saddr)]),
    (IN, "jump other", [b.jump(OTHER)]),
    (IN, "goto other", [b.goto("other")]),
    (IN, "return", [b.return_()]),
    (IN, "continue", [b.continue_()]),
    (IN, "queue to 1", [b.queue(1)]),
    (IN, "queue flags bypass,fanout to 1-3", [b.queue(1, 3, bypass=True, fanout=True)]),
    (
        IN,
        "tcp dport 22 ct count over 10 drop",
        [b.tcp.dport(22), expr.Connlimit(count=10, flags=expr.InvertFlags.INV), b.drop()],
    ),
    (RAW, "udp dport 53 notrack", [b.udp.dport(53), b.notrack()]),
    (PRE, "dnat ip to 10.0.0.1", [b.dnat("10.0.0.1")]),
    (PRE, "tcp dport 80 dnat ip to 10.0.0.1:8080", [b.tcp.dport(80), b.dnat("10.0.0.1", 8080)]),
    (
        PRE,
        "tcp dport 80 dnat ip to 10.0.0.1-10.0.0.9:8080-8090",
        [b.tcp.dport(80), b.dnat("10.0.0.1-10.0.0.9", "8080-8090")],
    ),
    (PRE, "dnat ip6 to 2001:db8::1", [b.dnat("2001:db8::1")]),
    (PRE, "tcp dport 80 dnat ip6 to [2001:db8::1]:81", [b.tcp.dport(80), b.dnat("2001:db8::1", 81)]),
    (PRE, "dnat ip to tcp dport map @hosts", [b.dnat(b.tcp.dport.map(HOSTS))]),
    (PRE, "tcp dport 80 redirect to :8080", [b.tcp.dport(80), b.redirect(8080)]),
    (PRE, "tcp dport 80 redirect to :8080-8090", [b.tcp.dport(80), b.redirect(KeyRange(8080, 8090))]),
    (PRE, "redirect", [b.redirect()]),
    (POST, "masquerade", [b.masquerade()]),
    (POST, "masquerade random,persistent", [b.masquerade(flags=NatFlags.PROTO_RANDOM | NatFlags.PERSISTENT)]),
    (POST, 'oifname "eth0" masquerade', [b.meta.oifname("eth0"), b.masquerade()]),
    (POST, "tcp dport 80 masquerade to :1024-2048", [b.tcp.dport(80), b.masquerade("1024-2048")]),
    (POST, "snat ip to 192.0.2.1-192.0.2.9 persistent", [b.snat("192.0.2.1-192.0.2.9", flags=NatFlags.PERSISTENT)]),
    (POST, "snat ip to 192.0.2.1", [b.snat("192.0.2.1")]),
    (IN4, "ip saddr 10.0.0.1 icmp type echo-request reject", [b.ip.saddr("10.0.0.1"), b.icmp.type(8), b.reject()]),
    (IN4, "reject with icmp host-unreachable", [b.reject(RejectCode.HOST_UNREACH)]),
    (IN4, "reject with icmp admin-prohibited", [b.reject(RejectCode.ADMIN_PROHIBITED)]),
    (PRE4, "tcp dport 80 dnat to 10.0.0.1:8080", [b.tcp.dport(80), b.dnat("10.0.0.1", 8080)]),
    (PRE4, "ether saddr 02:00:00:00:00:01", [b.ether.saddr("02:00:00:00:00:01")]),
    (IN6, "ip6 saddr ::1 icmpv6 type echo-request reject", [b.ip6.saddr("::1"), b.icmpv6.type(128), b.reject()]),
    (IN6, "reject with icmpv6 addr-unreachable", [b.reject(RejectCode.HOST_UNREACH)]),
    (BRIDGE, "ip saddr 10.0.0.1 tcp dport 22", [b.ip.saddr("10.0.0.1"), b.tcp.dport(22)]),
    (
        BRIDGE,
        "ether saddr 02:00:00:00:00:01 ip6 saddr ::1",
        [b.ether.saddr("02:00:00:00:00:01"), b.ip6.saddr("::1")],
    ),
    (BRIDGE, "ether type arp drop", [b.ether.type(0x0806), b.drop()]),
    (NETDEV, "ip saddr 10.0.0.1 tcp dport 22", [b.ip.saddr("10.0.0.1"), b.tcp.dport(22)]),
    (NETDEV, "ip6 daddr ::1 drop", [b.ip6.daddr("::1"), b.drop()]),
    (NETDEV, "ether daddr 02:00:00:00:00:01 drop", [b.ether.daddr("02:00:00:00:00:01"), b.drop()]),
]
# What the rule says itself is not added, and nft(8) does not list it.
SAID: list[tuple[Chain, str, list[Any]]] = [
    (IN, "meta l4proto tcp tcp dport 22", [b.meta.l4proto(TCP), b.tcp.dport(22)]),
    (IN, "meta nfproto ipv4 ip saddr 10.0.0.1", [b.meta.nfproto(Family.IPV4), b.ip.saddr("10.0.0.1")]),
]


def script(cases: list[tuple[Chain, str, list[Any]]]) -> str:
    return "".join(f"add rule {WORDS[chain.family]} t {chain.name} {text}\n" for chain, text, _ in cases)  # type: ignore[index]


def prepare(nft: nftables.Conn) -> list[tuple[Chain, str, list[Any]]]:
    """Tables, sets and chains: the cases of the chains that this kernel has."""
    with nft.transaction() as tx:
        for one in (*TABLES, *SETS):
            tx.add(one)
    there: list[Chain] = []
    for chain in CHAINS:
        try:
            with nft.transaction() as tx:
                tx.add(chain)
        except nftables.TransactionError:
            continue
        there.append(chain)
    return [case for case in (*CASES, *SAID) if case[0] in there]


def without_ids(rule: Rule) -> list[bytes]:
    """The bytes of each expression, without the number of a set in its transaction."""
    found: list[bytes] = []
    for one in rule.expressions or ():
        data = one.data
        if isinstance(data, (expr.Lookup, expr.Dynset)):
            data = data.replace(set_id=None)
        found.append(one.replace(data=data).encode())
    return found


def test_nft_sends_the_same_expressions(nft: nftables.Conn) -> None:
    cases = prepare(nft)
    run = rulesets.nft(script(cases), "-c", "--debug=mnl")
    theirs = [Rule.decode(data) for kind, data in mnl.messages(run.stdout + run.stderr) if kind == Command.NEWRULE]
    assert len(theirs) == len(cases) > 100
    wrong: list[str] = []
    for (chain, text, parts), their in zip(cases, theirs, strict=True):
        our = nft.transaction().add_rule(chain, *parts)
        assert (our.table, our.chain) == (their.table, their.chain)
        if without_ids(our) != without_ids(their):
            wrong.append(f"{text}\n  {our.expressions}\n  {their.expressions}")
    assert not wrong, "\n".join(wrong)


def taken(nft: nftables.Conn) -> list[tuple[Chain, str, list[Any]]]:
    """The cases of which this kernel has all."""
    found = [case for case in prepare(nft) if not rulesets.nft(script([case]), "-c").returncode]
    assert len(found) > 90
    return found


def dumped(nft: nftables.Conn, chain: Chain) -> list[list[bytes]]:
    """The expressions of the rules of a chain as the kernel has them, with what is in the sets of the rules."""
    found: list[list[bytes]] = []
    for rule in nft.rules(table=chain.table, chain=chain.name, family=chain.family):
        parts = [one.encode() for one in rule.expressions or ()]
        for number, one in enumerate(rule.expressions or ()):
            if isinstance(one.data, expr.Lookup) and (one.data.set or "").startswith("__"):
                of = nft.get(Set(family=chain.family, table=chain.table, name=one.data.set))
                kept = of.replace(name=None, handle=None, userdata=None, header=None, backend=None, count=None)
                # nft(8) adds the end of what is before the first interval.
                rows = [row.encode() for row in nft.elements(of) if row.key is None or any(row.key) or not row.flags]
                parts[number] = b"".join(
                    [one.replace(data=one.data.replace(set=None)).encode(), kept.encode(), *sorted(rows)]
                )
        found.append(parts)
    return found


def by_chain(cases: list[tuple[Chain, str, list[Any]]]) -> list[tuple[Chain, list[str]]]:
    return [(chain, texts) for chain in CHAINS if (texts := [text for each, text, _ in cases if each is chain])]


def test_the_kernel_has_the_same_rules_and_sets(nft: nftables.Conn) -> None:
    cases = taken(nft)
    rulesets.load(script(cases))
    theirs = [dumped(nft, chain) for chain, _ in by_chain(cases)]
    with nft.transaction() as tx:
        for chain, _ in by_chain(cases):
            tx.flush(chain)
        for chain, _, parts in cases:
            tx.add_rule(chain, *parts)
    for (chain, texts), their in zip(by_chain(cases), theirs, strict=True):
        for text, one, other in zip(texts, dumped(nft, chain), their, strict=True):
            assert one == other, text


def listed(chain: Chain) -> list[str]:
    """The rules of a chain as nft(8) lists them, with the elements of sets in their order."""
    words = [WORDS[Family(chain.family or 0)], "t", str(chain.name)]
    run = subprocess.run(["nft", "list", "chain", *words], capture_output=True, text=True, check=True)
    lines = [line.strip() for line in run.stdout.splitlines()]
    return [in_order(line.removesuffix(' comment "it is"')) for line in lines if line.endswith(' comment "it is"')]


def in_order(text: str) -> str:
    return re.sub(r"\{ (.*?) \}", lambda found: "{ " + ", ".join(sorted(found[1].split(", "))) + " }", text)


def test_nft_lists_rules_as_one_would_have_written_them(nft: nftables.Conn) -> None:
    cases = [case for case in taken(nft) if case not in SAID]
    rulesets.load(script(cases).replace("\n", ' comment "it is"\n'))
    theirs = [listed(chain) for chain, _ in by_chain(cases)]
    with nft.transaction() as tx:
        for chain, _ in by_chain(cases):
            tx.flush(chain)
        for chain, _, parts in cases:
            tx.add_rule(chain, *parts, remark="it is")
    ours = [listed(chain) for chain, _ in by_chain(cases)]
    assert ours == theirs
    # Versions of nft(8) differ in some words.
    written = [in_order(text) for _, texts in by_chain(cases) for text in texts]
    same = [one == other for one, other in zip([one for rules in ours for one in rules], written, strict=True)]
    assert sum(same) > 0.9 * len(written)


def test_rules_have_places_and_comments(nft: nftables.Conn) -> None:
    with nft.transaction(echo=True) as tx:
        tx.add(TABLES[0])
        tx.add(IN)
        last = tx.add_rule(IN, b.tcp.dport({1, 2}), b.drop(), remark="last")
        tx.insert_rule(IN, b.counter())
        tx.insert_rule(IN, b.accept(), before=last)
        tx.add_rule(IN, expr.Counter(), expr.wrap(expr.Last()), after=last)
    assert [type(one).__name__ for one in tx.results[2:]] == ["Set", "NoneType", "Rule", "Rule", "Rule", "Rule"]
    names = [[one.name for one in rule.expressions or ()] for rule in nft.rules()]
    assert names == [["counter"], ["immediate"], ["meta", "cmp", "payload", "lookup", "immediate"], ["counter", "last"]]
    assert nft.rules()[2].userdata == nftables.comment("last")


def test_packets_meet_the_rules(nft: nftables.Conn) -> None:
    """A port opens for who knocked, for a while."""
    with nft.transaction() as tx:
        for one in (TABLES[0], SEEN, IN):
            tx.add(one)
        tx.add_rule(IN, b.udp.dport(7001), b.add(SEEN, b.ip.saddr, timeout=30), b.drop())
        tx.add_rule(IN, b.udp.dport({7002, 7003}), b.ip.saddr(SEEN), b.counter(), b.accept())
        tx.add_rule(IN, b.udp.dport("7000-7009"), b.counter(), b.reject())
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 7002))
        server.settimeout(5)
        client.connect(("127.0.0.1", 7002))
        client.send(b"early")
        with pytest.raises(ConnectionRefusedError):
            client.recv(1)
        client.sendto(b"", ("127.0.0.1", 7001))
        client.send(b"late")
        assert server.recv(9) == b"late"
    (seen,) = nft.entries(SEEN)
    assert str(seen.key) == "127.0.0.1"
    assert seen.element.timeout == 30_000
    counters = [one.data for rule in nft.rules() for one in rule.expressions or () if one.name == "counter"]
    assert [one.packets for one in counters if isinstance(one, expr.Counter)] == [1, 1]


@pytest.mark.parametrize("named", [False, True])
def test_packets_have_values_in_intervals(nft: nftables.Conn, named: bool) -> None:
    """Of what the kernel has in host byte order: 256 is not between 1 and 9 in either order, nor is 0x05000000."""
    pairs = [(f"{number}-{number + 8}", "7001-7002") for number in (1, 256)]
    of = make_set(INET, "t", "joint", (KeyType.MARK, KeyType.INET_SERVICE), interval=True)
    with nft.transaction() as tx:
        for one in (TABLES[0], SPAN, of, IN):
            tx.add(one)
        tx.add_elements(SPAN, ["1-9", 256])
        tx.add_elements(of, pairs)
        tx.add_rule(IN, b.meta.mark(SPAN if named else ["1-9", 256]), b.counter())
        tx.add_rule(IN, b.concat(b.meta.mark, b.udp.dport)(of if named else pairs), b.counter())
        tx.add_rule(IN, b.meta.mark("1-9"), b.counter())
        tx.add_rule(IN, b.meta.iifname(["lo*", "eth0"]), b.meta.iif(["1-9", 99]), b.counter())
    for mark, port in ((5, 7001), (9, 7003), (0x05000000, 7001), (256, 7002), (257, 7001), (0, 7001)):
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            client.sendto(b"", ("127.0.0.1", port))
    found = [one.data for rule in nft.rules() for one in rule.expressions or () if one.name == "counter"]
    counted = [one.packets for one in found if isinstance(one, expr.Counter)]
    # An answer by ICMP passes, too, without a mark.
    assert counted[:3] == [3, 3, 2]
    assert (counted[3] or 0) >= 6


def test_asyncio(nft: nftables.Conn) -> None:
    async def main() -> None:
        async with nftables.dial_async() as nft, nft.transaction() as tx:
            tx.add(TABLES[0])
            tx.add(IN)
            tx.add_rule(IN, b.tcp.dport([22, 80]), b.accept())

    asyncio.run(main())
    assert len(nft.rules()) == 1
