"""Rulesets in the language of nft(8) that have every expression, and what the kernel says of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

PREPARED = """
table inet t {
  chain other { comment "a chain"; }
  counter c { }
  quota q { over 10 mbytes }
  limit l { rate 5/second }
  ct helper ftp { type "ftp" protocol tcp; }
  ct timeout patient { protocol tcp; policy = { established: 100, close: 4 }; }
  ct expectation e { protocol udp; dport 9876; timeout 10s; size 4; l3proto ip; }
  synproxy s { mss 1460; wscale 7; timestamp sack-perm; }
  set four { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.1-192.0.2.9 }; }
  set six { type ipv6_addr; timeout 1h; elements = { 2001:db8::1 timeout 30m comment "one", 2001:db8::2 }; }
  set seen { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 1m; size 1000; }
  set ranges { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/24 . 80-90, 192.0.2.1 . 443 }; }
  set counted { type inet_service; counter; elements = { 22, 80 }; }
  map ports { type inet_service : ipv4_addr; elements = { 80 : 192.0.2.1, 443 : 192.0.2.2 }; }
  map objects { type ipv4_addr : counter; elements = { 192.0.2.1 : "c" }; }
  map verdicts { type inet_service : verdict; elements = { 22 : accept, 23 : jump other, 24 : drop }; }
  chain in { type filter hook input priority 0; policy accept; }
  chain out { type filter hook output priority mangle; }
  chain pre { type nat hook prerouting priority dstnat; }
  chain post { type nat hook postrouting priority srcnat; }
  chain raw { type filter hook prerouting priority raw; }
}
table netdev n {
  chain in { type filter hook ingress device "lo" priority 0; }
  chain out { type filter hook egress device "lo" priority 5; }
}
table bridge b {
  chain in { type filter hook input priority filter; }
}
table arp a {
  chain in { type filter hook input priority filter; policy drop; }
}
"""

# Rules by the expressions that they bring: a chain, and the text.
RULES: dict[str, list[tuple[str, str]]] = {
    "bitwise": [("inet t in", "meta mark and 0xff == 0x10"), ("inet t in", "meta mark set meta mark << 8")],
    "byteorder": [("inet t in", "meta mark 1-9"), ("inet t in", "ct mark > 5")],
    "cmp": [("inet t in", "tcp dport 22"), ("inet t in", "ip ttl < 5"), ("inet t in", 'iifname "eth*" drop')],
    "connlimit": [("inet t in", "ct count over 10 drop")],
    "counter": [("inet t in", 'counter packets 3 bytes 400 comment "three"')],
    "ct": [
        ("inet t in", "ct state established,related accept"),
        ("inet t in", "ct original ip saddr 10.0.0.1"),
        ("inet t in", "ct mark set 5"),
        ("inet t raw", "ct zone set 7"),
    ],
    "dup": [("netdev n in", 'dup to "lo"')],
    "dynset": [
        ("inet t in", "add @seen { ip saddr . tcp dport timeout 10s limit rate 3/minute }"),
        ("inet t in", "update @seen { ip saddr . tcp dport counter }"),
    ],
    "exthdr": [
        ("inet t in", "tcp option maxseg size 1-500"),
        ("inet t in", "exthdr frag exists"),
        ("inet t out", "tcp option maxseg size set 1400"),
    ],
    "fib": [("inet t raw", "fib saddr . iif oif missing drop"), ("inet t raw", "fib daddr type local")],
    "flow_offload": [("inet t in", "flow add @f")],
    "fwd": [("netdev n in", 'fwd to "lo"')],
    "hash": [
        ("inet t in", "meta mark set jhash ip saddr mod 4 seed 0xdeadbeef offset 2"),
        ("inet t in", "meta mark set symhash mod 2"),
    ],
    "immediate": [("inet t in", "meta mark set 7"), ("inet t in", "jump other"), ("inet t other", "return")],
    "inner": [("inet t in", "udp dport 4789 vxlan ip saddr 10.0.0.1")],
    "last": [("inet t in", "last")],
    "limit": [("inet t in", "limit rate over 10 mbytes/second burst 20 mbytes drop"), ("inet t in", 'limit name "l"')],
    "log": [
        ("inet t in", 'log prefix "in: " group 5 snaplen 100 queue-threshold 3'),
        ("inet t in", 'log prefix "k: " level debug flags tcp sequence,options'),
    ],
    "lookup": [
        ("inet t in", "ip saddr @four drop"),
        ("inet t in", "tcp dport != { 22, 80 } drop"),
        ("inet t in", "tcp dport vmap @verdicts"),
        ("inet t in", "ip saddr . tcp dport @ranges accept"),
    ],
    "masq": [("inet t post", "meta l4proto tcp masquerade to :1024-2048 random")],
    "meta": [
        ("inet t in", "meta l4proto icmp"),
        ("inet t in", "meta nftrace set 1"),
        ("inet t in", 'meta hour "01:00"-"02:00"'),
        ("inet t in", "meta skuid 1000"),
    ],
    "nat": [
        ("inet t pre", "dnat ip to tcp dport map @ports"),
        ("inet t post", "snat ip to 192.0.2.1-192.0.2.9 persistent"),
    ],
    "notrack": [("inet t raw", "udp dport 53 notrack")],
    "numgen": [
        ("inet t in", "meta mark set numgen inc mod 2"),
        ("inet t in", "meta mark set numgen random mod 5 offset 1"),
    ],
    "objref": [
        ("inet t in", 'counter name "c"'),
        ("inet t in", 'quota name "q" drop'),
        ("inet t in", "counter name ip saddr map @objects"),
        ("inet t in", 'ct helper set "ftp"'),
        ("inet t in", 'ct timeout set "patient"'),
        ("inet t in", 'ct expectation set "e"'),
        ("inet t in", 'synproxy name "s"'),
    ],
    "osf": [("inet t in", 'osf ttl skip name "Linux"')],
    "payload": [
        ("inet t in", "ip dscp set cs1"),
        ("inet t in", "@th,16,16 53"),
        ("inet t in", "ether saddr 02:00:00:00:00:01"),
    ],
    "queue": [("inet t in", "queue num 1-3 bypass,fanout"), ("inet t in", "queue to symhash mod 2")],
    "quota": [("inet t in", "quota over 25 mbytes used 1 mbytes drop")],
    "range": [("inet t in", "tcp dport != 10-20")],
    "redir": [("inet t pre", "tcp dport 80 redirect to :8080")],
    "reject": [
        ("inet t in", "reject with icmpx admin-prohibited"),
        ("inet t in", "meta l4proto tcp reject with tcp reset"),
    ],
    "rt": [("inet t out", "rt ip nexthop 192.0.2.1"), ("inet t out", "tcp option maxseg size set rt mtu")],
    "socket": [("inet t in", "socket transparent 1"), ("inet t in", "socket mark 7")],
    "synproxy": [("inet t in", "synproxy mss 1460 wscale 7 timestamp sack-perm")],
    "tproxy": [("inet t raw", "meta l4proto tcp tproxy ip to 127.0.0.1:5000")],
    "xfrm": [("inet t in", "ipsec in reqid 1")],
}

# Rules as firewalls, container engines and captive portals write them.
FIREWALLS: list[tuple[str, str]] = [
    ("inet t in", "ct state vmap { invalid : drop, established : accept, related : accept }"),
    ("inet t in", "iifname . ip saddr . tcp dport { lo . 10.0.0.1 . 22, eth0 . 10.0.0.2 . 80 } accept"),
    ("inet t in", "ip saddr . tcp dport vmap { 10.0.0.1 . 80 : accept, 10.0.0.2 . 443 : jump other }"),
    ("inet t in", "icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept"),
    ("inet t in", "tcp flags & (fin | syn | rst | ack) == syn ct state new limit rate 5/second burst 9 packets accept"),
    ("inet t in", "ip saddr != { 10.0.0.0/8, 192.168.0.0/16, 172.16.0.0-172.31.255.255 } counter drop"),
    ("inet t in", "meta mark & 0x4000 == 0x4000 meta mark set meta mark ^ 0x4000"),
    ("inet t in", "ct status dnat accept"),
    ("inet t in", "ct mark set meta mark | 0x100"),
    ("inet t in", "meta pkttype { broadcast, multicast } drop"),
    ("inet t in", 'ether saddr { 02:00:00:00:00:01, 02:00:00:00:00:02 } meta mark set 1 comment "guests"'),
    ("inet t in", "ip protocol . th dport { tcp . 53, udp . 53 } accept"),
    ("inet t in", "fib daddr type != { local, broadcast } drop"),
    ("inet t in", "delete @seen { ip saddr . tcp dport }"),
    ("inet t in", "ip6 saddr @six update @six { ip6 saddr timeout 10m }"),
    ("inet t in", "meter flood { ip saddr timeout 60s limit rate over 10/second burst 5 packets } drop"),
    ("inet t pre", "fib daddr type local tcp dport { 80, 443 } redirect to :8000-8100 fully-random"),
    ("inet t pre", "dnat ip to numgen random mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }"),
    ("inet t pre", "dnat ip to ip daddr . tcp dport map { 192.0.2.1 . 80 : 10.0.0.1 . 8080 }"),
    ("inet t pre", "dnat ip prefix to ip daddr map { 192.0.2.0/24 : 10.0.0.0/24 }"),
    ("inet t post", "snat ip6 to 2001:db8::1-2001:db8::9 random,persistent"),
    ("inet t post", "meta mark & 0x4000 != 0 masquerade fully-random"),
    ("inet t raw", "tcp dport 80 notrack"),
    ("inet t out", "meta skuid { 0, 1000-1999 } meta skgid 5 accept"),
    ("inet t out", "meta priority set 0x10002"),
    ("inet t out", 'ip6 nexthdr icmpv6 log level info prefix "out " flags all'),
    ("netdev n in", "vlan id 5 vlan pcp 3 ip saddr 10.0.0.1 drop"),
    ("netdev n in", "arp operation request arp saddr ip 10.0.0.1 accept"),
    ("bridge b in", "ether type vlan drop"),
    ("bridge b in", 'meta ibrname "br0" arp htype 1 accept'),
    ("arp a in", "arp operation { request, reply } arp daddr ip 10.0.0.1 accept"),
]


def nft(text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Commands by nft(8)."""
    if shutil.which("nft") is None:
        pytest.skip("nft(8) is missing (Debian: nftables)")
    return subprocess.run(["nft", *options, "-f", "-"], input=text, capture_output=True, text=True, check=False)


def load(text: str) -> None:
    """A ruleset that this kernel has all of."""
    run = nft(text)
    assert not run.returncode, run.stderr


def prepare() -> set[str]:
    """Load `PREPARED` without the statements that this kernel lacks: the first words of these."""
    lacking: set[str] = set()
    for table in re.findall(r"table .*?\n}\n", PREPARED, re.DOTALL):
        head, *lines = table.strip().removesuffix("}").splitlines()
        for line in lines:
            if nft(f"{head}\n{line}\n}}\n").returncode:
                lacking.add(" ".join(line.split()[:3]))
    return lacking


def listed() -> list[tuple[str, dict[str, Any]]]:
    """The ruleset by `nft -j list ruleset`: kinds and objects."""
    run = subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, text=True, check=True)
    found = [next(iter(one.items())) for one in json.loads(run.stdout)["nftables"]]
    return [one for one in found if one[0] != "metainfo"]
