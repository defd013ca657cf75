"""Hundreds of objects as ip(8) makes and shows them: what it makes we read, and what we make of that it shows again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from socket import AF_INET, AF_INET6
from typing import Any

import pytest

from kernel.tc import unknown
from netlink import route
from netlink.route import (
    Address,
    AddressFlags,
    Link,
    Neighbour,
    NeighbourFlags,
    NeighbourState,
    Route,
    RouteFlags,
    RouteType,
    Rule,
    RuleAction,
    RuleFlags,
)

FOREVER = 0xFFFFFFFF
# Times that run on, and what the kernel counts.
RUNNING = {"expires", "used", "confirmed", "updated", "probes", "refcnt", "valid_life_time", "preferred_life_time"}


@pytest.fixture
def rt(netns: Any) -> Iterator[route.Conn[Any]]:
    """Two links, v0 and v1, with addresses."""
    with route.dial() as rt:
        for name in ("v0", "v1"):
            rt.create(Link(name=name, kind="bridge"))
            rt.up(name)
        yield rt


def batch(lines: list[str], *options: str) -> None:
    """What ip(8) does with these lines."""
    run = subprocess.run(
        ["ip", *options, "-batch", "-"], input="\n".join(lines), text=True, capture_output=True, check=False
    )
    assert run.returncode == 0, run.stderr


def shown(*args: str) -> list[dict[str, Any]]:
    """What ip(8) shows, with numbers in the place of names, and without times that run on."""
    out = subprocess.run(["ip", "-j", "-d", "-N", *args], check=True, capture_output=True, text=True).stdout
    return [steady(each) for each in json.loads(out or "[]") if each]


def steady(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        key: [steady(item) for item in value] if key == "addr_info" else value
        for key, value in entry.items()
        if key not in RUNNING
    }


def ordered(entries: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(entry, sort_keys=True) for entry in entries)


def known(record: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """These fields, of those that the record has, as JSON has them."""
    values = {name: getattr(record, name) for name in names}
    return {
        name: value if isinstance(value, int) else str(value) for name, value in values.items() if value is not None
    }


# Addresses

ADDRESSES = [
    *(f"addr add 10.{n}.0.1/{16 + n % 15} dev v{n % 2} scope {(n % 3 and 'global') or 'link'}" for n in range(60)),
    *(f"addr add 172.16.{n}.1/24 brd + dev v0 label v0:{n} metric {n + 1}" for n in range(60)),
    *(f"addr add 192.0.2.{n} peer 198.51.100.{n}/32 dev v1" for n in range(1, 40)),
    *(f"addr add 203.0.113.{n}/24 dev v0 valid_lft {1000 + n} preferred_lft {n} noprefixroute" for n in range(1, 60)),
    *(f"addr add 2001:db8:{n:x}::1/64 dev v0 nodad home mngtmpaddr" for n in range(60)),
    *(f"addr add 2001:db8:f::{n:x}/128 dev v1 nodad noprefixroute preferred_lft 0" for n in range(1, 40)),
    *(f"addr add 2001:db8:e::{n:x} peer 2001:db8:d::{n:x}/128 dev v1 nodad" for n in range(1, 20)),
]
_ADDRESS_FLAGS = {
    "secondary": AddressFlags.SECONDARY,
    "nodad": AddressFlags.NODAD,
    "home": AddressFlags.HOMEADDRESS,
    "mngtmpaddr": AddressFlags.MANAGETEMPADDR,
    "noprefixroute": AddressFlags.NOPREFIXROUTE,
    "deprecated": AddressFlags.DEPRECATED,
    "tentative": AddressFlags.TENTATIVE,
}


def address_as_shown(each: Address) -> dict[str, Any]:
    assert each.flags is not None
    assert each.cache is not None
    assert each.scope is not None
    out: dict[str, Any] = {
        "family": "inet" if each.family == AF_INET else "inet6",
        "local": str(each.local or each.address),
        "prefixlen": each.prefixlen,
        "scope": str(int(each.scope)),
    }
    if each.local is not None and each.local != each.address:
        out["address"] = str(each.address)
    out |= {
        {"priority": "metric"}.get(name, name): value
        for name, value in known(each, ("broadcast", "label", "priority")).items()
    }
    out |= {name: True for name, flag in _ADDRESS_FLAGS.items() if flag in each.flags}
    if AddressFlags.PERMANENT not in each.flags:
        out["dynamic"] = True
    return out


def test_addresses(rt: route.Conn[Any]) -> None:
    batch(ADDRESSES)
    for link in ("v0", "v1"):
        (before,) = shown("addr", "show", "dev", link)
        theirs = [each for each in before["addr_info"] if not each["local"].startswith("fe80:")]
        ours = [each for each in rt.dump(Address, index=rt.index(link)) if not str(each.address).startswith("fe80:")]
        assert len(ours) > 100
        assert [unknown(each) for each in ours] == [[]] * len(ours)
        assert ordered([address_as_shown(each) for each in ours]) == ordered(
            [{key: value for key, value in each.items() if key != "protocol"} for each in theirs]
        )
        assert rt.delete_many(ours, ignore=(99,)) == []  # EADDRNOTAVAIL: those of a first address go with it
        assert rt.create_many(ours) == []
        (after,) = shown("addr", "show", "dev", link)
        again = [each for each in after["addr_info"] if not each["local"].startswith("fe80:")]
        assert ordered(again) == ordered(theirs)


# Routes

ROUTES = [
    *(f"route add 10.{n}.0.0/16 via 192.0.2.{n + 2} metric {n} proto {n % 200 + 1}" for n in range(100)),
    *(
        f"route add 172.16.{n}.0/24 dev v{n % 2} table {n % 7 + 300} tos 0x{n % 8 * 4:x} src 192.0.2.1"
        for n in range(100)
    ),
    *(f"route add blackhole 198.51.{n}.0/24" for n in range(20)),
    *(f"route add unreachable 198.52.{n}.0/24 metric {n}" for n in range(20)),
    *(f"route add prohibit 198.53.{n}.0/24 table 9" for n in range(20)),
    *(f"route add 198.54.{n}.0/24 via 192.0.2.9 mtu {1300 + n} advmss {1200 + n} initcwnd {n + 1}" for n in range(40)),
    *(
        f"route add 198.55.{n}.0/24 nexthop via 192.0.2.3 weight {n + 1} nexthop dev v1 weight {256 - n}"
        for n in range(40)
    ),
    *(f"route add 198.56.{n}.0/24 via inet6 2001:db8::{n + 2:x} dev v0 onlink" for n in range(20)),
    *(f"nexthop add id {n} via 192.0.2.{n} dev v0" for n in range(2, 20)),
    *(f"route add 198.57.{n}.0/24 nhid {n}" for n in range(2, 20)),
]
PREFERENCES = ("low", "medium", "high")
ROUTES6 = [
    *(f"route add 2001:db8:{n:x}::/48 via fe80::{n:x} dev v{n % 2} metric {n} proto {n}" for n in range(1, 100)),
    *(
        f"route add 2001:db9:{n:x}::/48 dev v0 pref {('low', 'medium', 'high')[n % 3]} table {n + 500}"
        for n in range(60)
    ),
    *(f"route add unreachable 2001:dba:{n:x}::/48 mtu {1300 + n}" for n in range(20)),
    *(
        f"route add 2001:dbb:{n:x}::/48 nexthop via fe80::1 dev v0 weight {n + 1} nexthop via fe80::2 dev v1"
        for n in range(20)
    ),
]
_METRICS = {"mtu": "mtu", "advmss": "advmss", "initcwnd": "initcwnd"}


def flags_as_shown(flags: Any) -> list[str]:
    names = {"onlink": RouteFlags.ONLINK, "linkdown": RouteFlags.LINKDOWN}
    return [name for name, flag in names.items() if int(flags or 0) & flag]


def route_as_shown(each: Route, names: dict[int, str]) -> dict[str, Any]:
    assert each.type is not None
    assert each.scope is not None
    assert each.protocol is not None
    out: dict[str, Any] = {
        "type": str(int(each.type)),
        "dst": str(each.network) if each.dst is not None else "default",
        "table": str(each.table),
        "protocol": str(int(each.protocol)),
        "scope": str(int(each.scope)),
        "flags": flags_as_shown(each.flags),
    }
    if each.tos:
        out["tos"] = f"0x{each.tos:02x}"
    out |= known(each, ("gateway", "prefsrc"))
    if each.oif is not None:
        out["dev"] = names[each.oif]
    if each.priority is not None:
        out["metric"] = each.priority
    if each.nh_id is not None:
        out["nhid"] = each.nh_id
    if each.via is not None:
        out["via"] = {"family": "inet6", "host": str(each.via.address)}
    if each.family == AF_INET6:
        assert each.pref is not None
        out["pref"] = each.pref.name.lower()
    if each.metrics is not None:
        out["metrics"] = [known(each.metrics, tuple(_METRICS))]
    if each.multipath:
        out["nexthops"] = []
        for hop in each.multipath:
            assert hop.oif is not None
            one = known(hop, ("gateway",)) | {"dev": names[hop.oif], "weight": hop.weight}
            out["nexthops"].append({**one, "flags": flags_as_shown(hop.flags)})
    return out


def made(each: Route) -> bool:
    """Whether it is not one that the kernel made itself."""
    return each.protocol != 2


def test_routes(rt: route.Conn[Any]) -> None:
    batch(["addr add 192.0.2.1/24 dev v0", "addr add 2001:db8::1/64 dev v0 nodad"])
    batch(ROUTES)
    batch(ROUTES6, "-6")
    names = {rt.index(name): name for name in ("lo", "v0", "v1")}
    for family, option in ((AF_INET, "-4"), (AF_INET6, "-6")):
        theirs = [
            {key: value for key, value in each.items() if key != "nh_info"}
            for each in shown(option, "route", "show", "table", "all")
            if each["protocol"] != "2"
        ]
        ours = [each for each in rt.dump(Route, family=family) if made(each)]
        assert len(ours) > 150
        assert [unknown(each) for each in ours] == [[]] * len(ours)
        assert ordered([route_as_shown(each, names) for each in ours]) == ordered(theirs)
        assert rt.delete_many(ours) == []
        assert not [each for each in rt.dump(Route, family=family) if made(each)]
        # The kernel expands a nexthop, and refuses its parts beside it; hops are reported with their state.
        again = [each if each.nh_id is None else each.replace(gateway=None, oif=None, multipath=None) for each in ours]
        assert rt.create_many(again) == []
        after = [
            {key: value for key, value in each.items() if key != "nh_info"}
            for each in shown(option, "route", "show", "table", "all")
            if each["protocol"] != "2"
        ]
        assert ordered(after) == ordered(theirs)


# Neighbours

NEIGHBOURS = [
    *(f"neigh add 192.0.2.{n} lladdr 02:00:00:00:00:{n:02x} nud permanent dev v0" for n in range(2, 100)),
    *(f"neigh add 198.51.100.{n} lladdr 02:00:00:00:01:{n:02x} nud noarp dev v1 protocol {n}" for n in range(2, 100)),
    *(f"neigh add 203.0.113.{n} lladdr 02:00:00:00:02:{n:02x} nud stale extern_learn dev v1" for n in range(2, 60)),
    *(f"neigh add 2001:db8::{n:x} lladdr 02:00:00:00:03:{n:02x} nud permanent router dev v0" for n in range(2, 100)),
]


def neighbour_as_shown(each: Neighbour, names: dict[int, str]) -> dict[str, Any]:
    assert each.state is not None
    assert each.flags is not None
    out: dict[str, Any] = {"dst": str(each.dst), "dev": names[each.index or 0], "state": [each.state.name]}
    out |= known(each, ("lladdr",))
    if each.protocol:
        out["protocol"] = str(int(each.protocol))
    flags = {"router": NeighbourFlags.ROUTER, "extern_learn": NeighbourFlags.EXT_LEARNED}
    return out | {name: None for name, flag in flags.items() if flag in each.flags}


def test_neighbours(rt: route.Conn[Any]) -> None:
    batch(NEIGHBOURS)
    names = {rt.index(name): name for name in ("v0", "v1")}

    def wanted(dst: str) -> bool:
        return dst.startswith(("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8::"))

    def read() -> list[dict[str, Any]]:
        return [each for each in shown("neigh", "show", "nud", "all") if wanted(each["dst"])]

    theirs = read()
    ours = [each for each in rt.dump(Neighbour) if wanted(str(each.dst))]
    assert len(ours) == len(NEIGHBOURS)
    assert [unknown(each) for each in ours] == [[]] * len(ours)
    assert ordered([neighbour_as_shown(each, names) for each in ours]) == ordered(theirs)
    assert rt.delete_many(ours) == []
    assert all(each.state == NeighbourState.FAILED for each in rt.dump(Neighbour) if wanted(str(each.dst)))
    assert rt.create_many(ours, replace=True) == []
    assert ordered(read()) == ordered(theirs)


# Rules

RULES = [
    *(f"rule add from 10.{n}.0.0/16 lookup {n + 300} pref {n + 1000}" for n in range(60)),
    *(f"rule add to 172.16.{n}.0/24 fwmark {n + 1}/0xff lookup 9 pref {n + 2000} protocol {n + 1}" for n in range(60)),
    *(f"rule add iif v0 oif v1 tos 0x{n * 4:x} goto 5000 pref {n + 3000}" for n in range(1, 8)),
    *(f"rule add not from 10.{n}.0.0/16 blackhole pref {n + 4000}" for n in range(20)),
    "rule add lookup main pref 5000",
    *(f"rule add ipproto 6 sport {n + 1}-{n + 9} lookup 9 pref {n + 5100}" for n in range(40)),
    *(f"rule add uidrange 0-0 unreachable pref {n + 6000}" for n in range(5)),
    *(f"rule add tun_id {n + 1} prohibit pref {n + 6100}" for n in range(20)),
    *(f"rule add lookup main suppress_prefixlength {n} suppress_ifgroup {n} pref {n + 6200}" for n in range(20)),
    "rule add l3mdev pref 7000",
]
RULES6 = [
    *(f"rule add from 2001:db8:{n:x}::/48 lookup {n + 300} pref {n + 1000}" for n in range(40)),
]
_ACTIONS = {
    RuleAction.BLACKHOLE: RouteType.BLACKHOLE,
    RuleAction.UNREACHABLE: RouteType.UNREACHABLE,
    RuleAction.PROHIBIT: RouteType.PROHIBIT,
}


def rule_as_shown(each: Rule) -> dict[str, Any]:
    assert each.flags is not None
    assert each.action is not None
    out: dict[str, Any] = {"priority": each.priority or 0, "protocol": str(int(each.protocol or 0))}
    out["src"] = "all" if each.src is None else str(each.src)
    for name in ("src", "dst"):
        address, length = getattr(each, name), getattr(each, f"{name}_len")
        if address is not None:
            out[name] = str(address)
            if length < 8 * len(address.packed):
                out[f"{name}len"] = length
    out |= {
        key: value
        for key, value in {
            "iif": each.iifname,
            "oif": each.oifname,
            "goto": each.goto,
            "tun_id": each.tun_id,
            "ipproto": None if each.ip_proto is None else f"ipproto-{each.ip_proto}",
            "tos": f"0x{each.tos:02x}" if each.tos else None,
            "fwmark": hex(each.fwmark) if each.fwmark else None,
            "fwmask": hex(each.fwmask) if each.fwmask not in (None, FOREVER) else None,
            "suppress_prefixlen": each.suppress_prefixlen if (each.suppress_prefixlen or -1) >= 0 else None,
            "suppress_ifgroup": str(each.suppress_ifgroup) if (each.suppress_ifgroup or -1) >= 0 else None,
        }.items()
        if value is not None
    }
    if each.suppress_prefixlen == 0:
        out |= {"suppress_prefixlen": 0, "suppress_ifgroup": "0"}
    if each.sport_range is not None:
        out |= {"sport_start": each.sport_range.start, "sport_end": each.sport_range.end}
    if each.uid_range is not None:
        out |= {"uid_start": each.uid_range.start, "uid_end": each.uid_range.end}
    if RuleFlags.INVERT in each.flags:
        out["not"] = None
    if each.l3mdev:
        out["l3mdev"] = None
    elif each.action == RuleAction.TO_TBL:
        out["table"] = str(each.table)
    elif each.action in _ACTIONS:
        out["action"] = str(int(_ACTIONS[each.action]))
    return out


def test_rules(rt: route.Conn[Any]) -> None:
    batch(RULES)
    batch(RULES6, "-6")
    for family, option in ((AF_INET, "-4"), (AF_INET6, "-6")):
        theirs = shown(option, "rule", "show")
        ours = list(rt.dump(Rule, family=family))
        assert len(ours) > 40
        assert [unknown(each) for each in ours] == [[]] * len(ours)
        assert ordered([rule_as_shown(each) for each in ours]) == ordered(theirs)
        assert rt.delete_many(ours) == []
        assert len(rt.dump(Rule, family=family)) == 0
        assert rt.create_many(ours) == []
        assert ordered(shown(option, "rule", "show")) == ordered(theirs)


# Links

LINKS = [
    *(f"link add b{n} mtu {1300 + n} txqueuelen {n + 1} address 02:00:00:00:01:{n:02x} type bridge" for n in range(60)),
    *(f"link add e{n} mtu {1400 + n} group {n + 1} type veth peer name f{n} mtu {1500 + n}" for n in range(60)),
    *(f"link set b{n} promisc on allmulticast on alias number-{n}" for n in range(40)),
    *(f"link set e{n} master b{n} up" for n in range(60)),
    *(f"link property add dev f{n} altname another-name-of-f{n}" for n in range(30)),
]


def link_as_shown(each: Link, names: dict[int, str]) -> dict[str, Any]:
    out = known(
        each,
        ("mtu", "txqlen", "address", "broadcast", "qdisc", "promiscuity", "allmulti", "min_mtu", "max_mtu",
         "num_tx_queues", "num_rx_queues", "gso_max_size", "gso_max_segs", "gro_max_size", "tso_max_size",
         "tso_max_segs", "gso_ipv4_max_size", "gro_ipv4_max_size"),
    )  # fmt: skip
    out |= {"ifindex": each.index, "ifname": each.name, "kind": each.kind, "group": str(each.group)}
    out["operstate"] = each.operstate.name if each.operstate is not None else None
    if each.alias is not None:
        out["ifalias"] = each.alias
    if each.alt_names:
        out["altnames"] = [*each.alt_names]
    if each.master:
        out["master"] = names[each.master]
    if each.link:
        out["link"] = names[each.link]
    return out


def test_links(rt: route.Conn[Any]) -> None:
    batch(LINKS)

    def read() -> list[dict[str, Any]]:
        return [
            {**each, "kind": each["linkinfo"]["info_kind"]}
            for each in shown("link", "show")
            if each["ifname"][0] in "bef"
        ]

    theirs = {each["ifname"]: each for each in read()}
    found = [each for each in rt.dump(Link) if each.name in theirs]
    names = {each.index or 0: each.name or "" for each in found}
    assert len(found) == 180
    assert [unknown(each) for each in found] == [[]] * len(found)
    for each in found:
        ours = link_as_shown(each, names)
        other = theirs[each.name or ""]
        assert len(ours.keys() & other.keys()) >= len(ours) - 2  # older programs show less
        assert {name: ours[name] for name in ours.keys() & other.keys()} == {
            name: other[name] for name in ours.keys() & other.keys()
        }
        assert rt.index(each.name or "") == each.index

    bridges = [each for each in found if each.kind == "bridge"]
    assert rt.delete_many(bridges) == []
    made = [
        Link(name=each.name, kind="bridge", mtu=each.mtu, txqlen=each.txqlen, address=each.address) for each in bridges
    ]
    assert rt.create_many(made) == []
    for each in bridges:
        rt.update(Link(name=each.name, alias=each.alias or ""))
    again = {each["ifname"]: each for each in read()}
    kept = ("mtu", "txqlen", "address", "kind", "ifalias")
    for each in bridges:
        before, after = theirs[each.name or ""], again[each.name or ""]
        assert {name: after.get(name) for name in kept} == {name: before.get(name) for name in kept}
