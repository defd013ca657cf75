"""Parts of rules: what they need of packets, and values that fields do not have. nft(8) is compared in tests/kernel."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from netlink import EncodeError, nltest
from netlink.netfilter import nftables
from netlink.netfilter.nftables import Chain, Family, KeyRange, KeyType, Set, build, expr, make_set
from netlink.netfilter.nftables.build import Part, accept, concat, ct, dnat, icmp, ip, ip6, jump, meta, reject, tcp, udp


def names(family: Family, *parts: Any) -> list[str]:
    chain = Chain(family=family, table="t", name="c")

    def added(of: Set, keys: Any) -> Set:
        return of.replace(id=7)

    return [str(one.name) for one in build.expressions_of(chain, parts, added)]


GUARD = ["meta", "cmp"]
FIELD = ["payload", "cmp"]


@pytest.mark.parametrize(
    ("family", "part", "wanted"),
    [
        (Family.INET, ip.saddr("10.0.0.1"), GUARD + FIELD),
        (Family.IPV4, ip.saddr("10.0.0.1"), FIELD),
        (Family.BRIDGE, ip.saddr("10.0.0.1"), GUARD + FIELD),
        (Family.IPV6, ip6.saddr("::1"), FIELD),
        (Family.IPV4, tcp.dport(22), GUARD + FIELD),
        (Family.IPV4, icmp.type(8), GUARD + FIELD),
        (Family.INET, icmp.type(8), GUARD + GUARD + FIELD),
    ],
)
def test_what_a_field_needs_is_added(family: Family, part: Part, wanted: list[str]) -> None:
    assert names(family, part) == wanted
    assert names(family, part, part) == wanted + FIELD  # once
    chain = Chain(family=Family.NETDEV, table="t", name="c")
    (protocol, *_) = build.expressions_of(chain, [ip6.saddr("::1")], lambda of, keys: of)
    assert protocol.data == expr.Meta(dreg=1, key=expr.MetaKey.PROTOCOL)


def test_fields_that_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="IPV4 has no packets of IPV6"):
        names(Family.IPV4, ip6.saddr("::1"))
    for parts in ((tcp.dport(1), udp.dport(2)), (ip.saddr("10.0.0.1"), ip6.saddr("::1"))):
        with pytest.raises(ValueError, match="no packet has"):
            names(Family.INET, *parts)


def test_reject_follows_the_family() -> None:
    def code(family: Family) -> Any:
        chain = Chain(family=family, table="t", name="c")
        (made,) = build.expressions_of(chain, [reject(expr.RejectCode.NO_ROUTE)], lambda of, keys: of)
        assert isinstance(made.data, expr.Reject)
        return made.data.type, made.data.icmp_code

    assert code(Family.INET) == (expr.RejectType.ICMPX_UNREACH, 0)
    assert code(Family.IPV4) == (expr.RejectType.ICMP_UNREACH, 0)
    assert code(Family.IPV6) == (expr.RejectType.ICMP_UNREACH, 0)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (ip.saddr, "10.0.0.300", "10.0.0.300' is no IPV4_ADDR"),
        (ip.saddr, "10.0.0.1/8", "bits behind its prefix"),
        (ip.saddr, "10.0.0.9-10.0.0.1", "its end is before its begin"),
        (ip.saddr, IPv4Network("10.0.0.0/8"), None),
        (ip6.saddr, "10.0.0.1", "is no IPV6_ADDR"),
        (tcp.dport, 65536, "65536 is no INET_SERVICE"),
        (tcp.dport, -1, "-1 is no INET_SERVICE"),
        (tcp.dport, 2.5, "2.5 is no INET_SERVICE"),
        (tcp.dport, None, "None is no INET_SERVICE"),
        (tcp.dport, KeyRange(2, 1), "its end is before its begin"),
        (tcp.dport, "1-", "'' is no INET_SERVICE"),
        (meta.iifname, "a-name-of-16-byt", "is no IFNAME"),
        (meta.iifname, "", "is no IFNAME"),
        (meta.mark, 1 << 32, "is no MARK"),
        (concat(ip.saddr, tcp.dport), "10.0.0.1", "compared with a Set, or with a list of tuples"),
    ],
)
def test_values(field: build.Field, value: Any, message: str | None) -> None:
    if message is None:
        assert len(field(value)) == 3
        return
    with pytest.raises(ValueError, match=message):
        field(value)


def test_what_cannot_be_set() -> None:
    with pytest.raises(TypeError, match="fields of meta and ct can be set"):
        tcp.dport.set(1)
    with pytest.raises(ValueError, match="is no MARK"):
        ct.mark.set("x")
    with pytest.raises(ValueError, match="does not appear to be"):
        dnat("nowhere")


def test_sets_of_a_rule_are_changes_before_it() -> None:
    chain = Chain(family=Family.INET, table="t", name="c")
    tx = nftables.Conn(nltest.dial(lambda requests: [])).transaction()
    rule = tx.add_rule(chain, tcp.dport({22, 80}), accept())
    assert len(tx) == 3
    (lookup,) = [one.data for one in rule.expressions or () if isinstance(one.data, expr.Lookup)]
    assert (lookup.set, lookup.set_id) == ("__set%d", 1)
    tx.insert_rule(chain, tcp.dport.vmap({22: jump("x")}))
    assert len(tx) == 6
    for wrong in (Chain(name="c"), "c"):
        with pytest.raises(ValueError, match="family, table and name"):
            tx.add_rule(wrong, accept())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="want an expression"):
        tx.add_rule(chain, "accept")  # type: ignore[arg-type]


def test_a_named_set_is_looked_up_by_its_name() -> None:
    chain = Chain(family=Family.INET, table="t", name="c")
    of = make_set(Family.INET, "t", "s", (KeyType.IPV4_ADDR, KeyType.INET_SERVICE)).replace(id=3)
    *_, lookup = build.expressions_of(chain, [concat(ip.saddr, tcp.dport)(of)], lambda of, keys: of)
    assert lookup.data == expr.Lookup(set="s", sreg=1)


CHAIN = Chain(family=Family.INET, table="t", name="c")
NUMBERS = make_set(Family.INET, "t", "s", KeyType.INET_SERVICE)


def broken() -> Any:
    yield 22
    raise RuntimeError("no more")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: dnat("10.0.0.1-::1"), ValueError, "'::1' is no IPV4_ADDR"),
        (lambda: dnat(KeyRange("10.0.0.9", "10.0.0.1")), ValueError, "its end is before its begin"),
        (lambda: dnat("10.0.0.0/24"), ValueError, "does not appear to be"),
        (lambda: dnat(None), ValueError, "does not appear to be"),
        (lambda: dnat("10.0.0.1", 70000), ValueError, "70000 is no INET_SERVICE"),
        (lambda: dnat("10.0.0.1", "9-8"), ValueError, "its end is before its begin"),
        (lambda: dnat("10.0.0.1", True), ValueError, "True is no INET_SERVICE"),
        (lambda: dnat(accept()), TypeError, r"want an address, or a part of Field\.map"),
        (lambda: build.masquerade("x"), ValueError, "'x' is no INET_SERVICE"),
        (lambda: jump(None), TypeError, "want a Chain with a name"),
        (lambda: jump(Chain(table="t")), TypeError, "want a Chain with a name"),
        (lambda: build.goto(""), TypeError, "want a Chain with a name"),
        (lambda: build.limit(1, "year"), ValueError, "per must be one of second, minute"),
        (lambda: build.limit(-1), EncodeError, "rate"),
        (lambda: build.quota(1 << 64), EncodeError, "bytes"),
        (lambda: build.queue(3, 2), ValueError, "the last queue, 2, is before the first, 3"),
        (lambda: build.queue(1 << 16), EncodeError, "num"),
        (lambda: build.log(group=1 << 16), EncodeError, "group"),
        (lambda: build.add("s", ip.saddr), TypeError, "want a Set and a Field"),
        (lambda: build.add(NUMBERS, "tcp dport"), TypeError, "want a Set and a Field"),
        (lambda: build.add(NUMBERS, tcp.dport, tcp.dport(1)), TypeError, "want an expression"),
        (lambda: build.add(NUMBERS, tcp.dport, 5), TypeError, r"parts, such as counter\(\), not \(5,\)"),
        (lambda: build.add(NUMBERS, ip.saddr), ValueError, "keys of the set s are INET_SERVICE, .* rule IPV4_ADDR"),
        (lambda: build.delete(NUMBERS, concat(tcp.dport, ip.saddr)), ValueError, r"INET_SERVICE \. IPV4_ADDR"),
        (lambda: build.update(NUMBERS, tcp.dport, timeout=5), ValueError, "has no timeouts"),
        (lambda: build.add(NUMBERS.replace(key_type=63), tcp.dport), ValueError, "are 63, and"),
        (lambda: build.add(Set(name="any"), ip.saddr, timeout=5), None, ""),
        (lambda: build.add(NUMBERS.replace(key_type=KeyType.INTEGER), tcp.dport), None, ""),
        (lambda: tcp.dport.vmap({22: build.counter()}), TypeError, "a map of verdicts has"),
        (lambda: tcp.dport.vmap({22: "accept"}), TypeError, "a map of verdicts has"),
        (lambda: tcp.dport.map("ports"), TypeError, "takes the Set of a named map"),
        (lambda: tcp.dport(broken()), ValueError, "is no INET_SERVICE"),
        (lambda: meta.mark(1, mask="x"), ValueError, "'x' is no MARK"),
        (lambda: meta.iifname("*"), None, ""),
        (lambda: meta.iifname("a" * 15 + "*"), None, ""),
        (lambda: meta.iifname("a" * 16 + "*"), ValueError, "is no IFNAME"),
        (lambda: meta.iif("5-"), ValueError, "'' is no IFINDEX"),
        (lambda: meta.mark("0-4294967296"), ValueError, "is no MARK"),
    ],
)
def test_parts_that_cannot_be(make: Any, error: Any, message: str) -> None:
    if error is None:
        make()
        return
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("part", "error", "message"),
    [
        (ip.saddr(NUMBERS), ValueError, "keys of the set s are INET_SERVICE, and those of the rule IPV4_ADDR"),
        (meta.mark.vmap(NUMBERS), ValueError, "keys of the set"),
        (tcp.dport([]), ValueError, "a set of a rule has keys"),
        (tcp.dport.vmap({}), ValueError, "a set of a rule has keys"),
        (tcp.dport([22, "ssh"]), ValueError, "'ssh' is no INET_SERVICE"),
        (ip.saddr(["10.0.0.1", "::1"]), ValueError, "'::1' is no IPV4_ADDR"),
        (ip.saddr(["10.0.0.0/8", None]), ValueError, "None is no IPV4_ADDR"),
        (concat(ip.saddr, tcp.dport)([("10.0.0.1",)]), ValueError, "want 2 fields"),
        (concat(ip.saddr, tcp.dport)(["10.0.0.1", 22]), ValueError, "want 2 fields"),
        (tcp.dport.vmap({22: accept(), "20-30": build.drop()}), ValueError, "overlap"),
        (object(), TypeError, "want an expression"),
        ([accept()], TypeError, "want an expression"),
    ],
)
def test_rules_that_cannot_be(part: Any, error: Any, message: str) -> None:
    tx = nftables.Conn(nltest.dial(lambda requests: [])).transaction()
    with pytest.raises(error, match=message):
        tx.add_rule(CHAIN, tcp.dport({1, 2}), part)
    assert len(tx) == 0  # sets without their rule would be refused by the kernel
    with pytest.raises(ValueError, match="a place is another rule"):
        tx.insert_rule(CHAIN, tcp.dport({1, 2}), before="first")  # type: ignore[arg-type]
    assert len(tx) == 0
