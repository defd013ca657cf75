"""nftables on the real kernel, with nft(8) as the oracle."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from kernel import rulesets
from kernel.rulesets import RULES
from kernel.tools import unprivileged
from netlink import Header, HeaderFlags, Message, OpError
from netlink.netfilter import nftables
from netlink.netfilter.nftables import (
    Chain,
    Element,
    ElementFlags,
    ElementList,
    Family,
    Object,
    Rule,
    Ruleset,
    Set,
    SetFlags,
    Table,
    expr,
)
from netlink.schema import Record


def unknown(record: Record, path: str = "") -> list[tuple[str, Any]]:
    """What is not declared in a record and in the records in it."""
    found = [(path, record.unknown)] if record.unknown else []
    for name in type(record).__fields__:
        value = getattr(record, name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Record):
                found += unknown(each, f"{path}.{name}")
    return found


def test_every_object_and_expression_of_this_kernel(nft: nftables.Conn) -> None:
    rulesets.prepare()
    wanted: set[str] = set()
    for name, rules in RULES.items():
        for chain, text in rules:
            if not rulesets.nft(f"add rule {chain} {text}").returncode:
                wanted.add(name)
    assert len(wanted) > 20
    found = nft.ruleset()
    names: set[str] = set()
    for batch in found[1:]:
        for record in batch:
            assert unknown(record) == []
            assert type(record).decode(record.encode()) == record
            for part in getattr(record, "expressions", None) or ():
                assert not isinstance(part.data, bytes), part
                names.add(part.name)
    assert wanted <= names
    listed = rulesets.listed()
    kinds = [kind for kind, _ in listed]
    assert len(found.tables) == kinds.count("table")
    assert [(c.table, c.name, c.handle) for c in found.chains] == [
        (one["table"], one["name"], one["handle"]) for kind, one in listed if kind == "chain"
    ]
    assert [(r.table, r.chain, r.handle) for r in found.rules] == [
        (one["table"], one["chain"], one["handle"]) for kind, one in listed if kind == "rule"
    ]
    named = {(s.name, s.handle) for s in found.sets if not (s.flags or 0) & SetFlags.ANONYMOUS}
    assert named == {(one["name"], one["handle"]) for kind, one in listed if kind in {"set", "map"}}
    others = {(o.name, o.handle) for o in found.objects}
    assert others == {
        (one["name"], one["handle"]) for kind, one in listed if kind not in {"table", "chain", "rule", "set", "map"}
    }
    for one in found.sets:
        for element in nft.elements(one):
            assert unknown(element) == []


def test_the_same_ruleset_is_read_as_one_loads_it_again(nft: nftables.Conn) -> None:
    rulesets.prepare()
    before = nft.ruleset()
    text = rulesets.nft("list ruleset").stdout
    rulesets.load("flush ruleset\n" + text)
    after = nft.ruleset()
    assert after.generation > before.generation
    for old, new in zip(before[1:], after[1:], strict=True):
        strip = [one.replace(handle=None, header=None) for one in old]
        assert [one.replace(handle=None, header=None) for one in new] == strip


def without_handles(listed: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    return [(kind, {name: value for name, value in one.items() if name != "handle"}) for kind, one in listed]


def without_expiries(listed: Any, found: list[int]) -> Any:
    """A listing without the seconds that elements have left, which go to found in their order."""
    if isinstance(listed, dict):
        if "expires" in listed:
            found.append(listed["expires"])
        return {name: without_expiries(value, found) for name, value in listed.items() if name != "expires"}
    if isinstance(listed, (list, tuple)):
        return [without_expiries(value, found) for value in listed]
    return listed


def restore(nft: nftables.Conn, found: Ruleset, elements: dict[tuple[str, str], list[Element]]) -> None:
    """Write a ruleset as it was read. Sets without a name of their own are found by their ids again."""
    ids = {(one.table, one.name): n for n, one in enumerate(found.sets, 1)}
    anonymous = {(s.table, s.name) for s in found.sets if (s.flags or 0) & SetFlags.ANONYMOUS}

    def named(one: Rule, part: expr.Expression) -> expr.Expression:
        key = (one.table, getattr(part.data, "set", None))
        if key not in anonymous:
            return part
        return part.replace(data=part.data.replace(set="__set%d", set_id=ids[key]))  # type: ignore[union-attr]

    with nft.transaction() as tx:
        for batch in (found.tables, found.chains, found.objects, found.flowtables):
            for record in batch:
                tx.add(record.replace(handle=None))
        for one in found.sets:
            key = (one.table, one.name)
            name = "__set%d" if key in anonymous else one.name
            tx.add(one.replace(handle=None, name=name, id=ids[key]))
            if elements[key]:
                tx.add(
                    ElementList(family=one.family, table=one.table, set=name, set_id=ids[key], elements=elements[key])
                )
        for rule in found.rules:
            parts = [named(rule, part) for part in rule.expressions or ()]
            tx.add(rule.replace(handle=None, position=None, expressions=parts))


def test_what_is_read_is_written_again(nft: nftables.Conn) -> None:
    rulesets.prepare()
    for rules in (*RULES.values(), rulesets.FIREWALLS):
        for chain, text in rules:
            rulesets.nft(f"add rule {chain} {text}")
    begin = time.monotonic()
    before = rulesets.listed()
    assert sum(kind == "rule" for kind, _ in before) > 60
    found = nft.ruleset()
    elements = {(one.table, one.name): list(nft.elements(one)) for one in found.sets}
    with nft.transaction() as tx:
        tx.flush_ruleset()
    assert rulesets.listed() == []
    restore(nft, found, elements)
    left: tuple[list[int], list[int]] = ([], [])
    after = without_expiries(without_handles(rulesets.listed()), left[1])
    assert after == without_expiries(without_handles(before), left[0])
    passed = time.monotonic() - begin
    assert len(left[0]) >= 2
    assert all(0 <= one - other <= passed + 1 for one, other in zip(*left, strict=True))


def test_elements_are_rows(nft: nftables.Conn) -> None:
    rulesets.prepare()

    def elements(name: str) -> list[nftables.Element]:
        return list(nft.elements(Set(family=Family.INET, table="t", name=name)))

    ends = [(one.key, bool((one.flags or 0) & ElementFlags.INTERVAL_END)) for one in elements("four")]
    assert ends == [  # from the last to the first, and the end of what is before the first
        (bytes([192, 0, 2, 10]), True),
        (bytes([192, 0, 2, 1]), False),
        (bytes([11, 0, 0, 0]), True),
        (bytes([10, 0, 0, 0]), False),
        (bytes(4), True),
    ]
    ranges = {one.key: one.key_end for one in elements("ranges")}
    assert ranges[bytes([10, 0, 0, 0, 0, 80, 0, 0])] == bytes([10, 0, 0, 255, 0, 90, 0, 0])
    six = {one.key: one for one in elements("six")}
    first = six[bytes.fromhex("20010db8") + bytes(11) + b"\1"]
    assert first.timeout == 1800_000
    assert 0 < (first.expiration or 0) <= 1800_000
    assert first.userdata == b"\0\4one\0"
    verdicts = {one.key: one.verdict for one in elements("verdicts")}
    assert verdicts[b"\0\x17"] == expr.Verdict(code=expr.VerdictCode.JUMP, chain="other")
    assert {one.key: one.data for one in elements("ports")}[b"\0\x50"] == bytes([192, 0, 2, 1])
    assert elements("objects")[0].objref == "c"
    counted = elements("counted")[0].expression
    assert counted is not None
    assert counted.data == expr.Counter(packets=0, bytes=0)


def test_a_large_set_has_all_of_its_elements(nft: nftables.Conn) -> None:
    addresses = [f"10.{n >> 8}.{n & 255}.1" for n in range(5000)]
    rulesets.load(f"table ip t {{ set s {{ type ipv4_addr; elements = {{ {', '.join(addresses)} }}; }}; }}")
    of = Set(family=Family.IPV4, table="t", name="s")
    whole = nft.elements(of)
    assert {".".join(map(str, one.key or b"")) for one in whole} == set(addresses)
    parts = list(nft.iter_elements(of, 100))
    assert sum(map(len, parts)) == 5000
    assert len(parts) > 2
    request = ElementList(family=Family.IPV4, table="t", set="s").encode()
    header = Header(type=nftables.Command.GETSETELEM, flags=HeaderFlags.REQUEST | HeaderFlags.DUMP)
    messages = nft.conn.execute(Message(header, request))
    assert [len(ElementList.decode(one.data).elements or ()) > 100 for one in messages[:-1]].count(False) == 0
    got = nft.get(
        ElementList(family=Family.IPV4, table="t", set="s", elements=[nftables.Element(key=bytes([10, 0, 0, 1]))])
    )
    assert got.elements == (nftables.Element(key=bytes([10, 0, 0, 1])),)


def test_a_dump_tells_of_a_change_meanwhile(nft: nftables.Conn) -> None:
    addresses = ", ".join(f"10.{n >> 8}.{n & 255}.1" for n in range(20_000))
    rulesets.load(f"table ip t {{ set s {{ type ipv4_addr; elements = {{ {addresses} }}; }}; }}")
    of = Set(family=Family.IPV4, table="t", name="s")
    assert not any(batch.interrupted for batch in nft.iter_elements(of, 1000))
    parts = nft.iter_elements(of, 1000)
    first = next(parts)  # the kernel has not read all of the set yet
    rulesets.load("add table ip other")
    *_, last = list(parts)
    assert not first.interrupted
    assert last.interrupted  # the kernel flags such dumps of rules, and of elements only tells the generation


def test_each_rule_is_a_message(nft: nftables.Conn) -> None:
    rules = "\n".join(f"add rule inet t in tcp dport {port} accept" for port in range(1, 400))
    rulesets.load("add table inet t; add chain inet t in\n" + rules)
    request = Rule(family=Family.INET, table="t").encode()
    header = Header(type=nftables.Command.GETRULE, flags=HeaderFlags.REQUEST | HeaderFlags.DUMP)
    messages = nft.conn.execute(Message(header, request))
    assert [Rule.decode(one.data).handle for one in messages] == [one.handle for one in nft.rules()]
    assert len(messages) == 399


def test_one_object_and_its_counters(nft: nftables.Conn) -> None:
    rulesets.load("add table inet t; add chain inet t in; add counter inet t c { packets 3 bytes 400 ; }")
    rulesets.load("add rule inet t in counter packets 5 bytes 60")
    (rule,) = nft.rules(table="t", chain="in", family=Family.INET)
    assert nft.get(rule).replace(header=None) == rule.replace(header=None)
    assert nft.get(Chain(family=Family.INET, table="t", name="in")).handle == nft.chains()[0].handle
    assert nft.get(Table(family=Family.INET, name="t")).use == 2
    counter = Object(family=Family.INET, table="t", name="c", type=expr.ObjectType.COUNTER)
    assert nft.get(counter).data == expr.Counter(packets=3, bytes=400)
    assert nft.reset(counter).data == expr.Counter(packets=3, bytes=400)
    assert nft.get(counter).data == expr.Counter(packets=0, bytes=0)
    try:
        (before,) = nft.reset(rule).expressions or ()
    except OpError as error:
        pytest.skip(f"this kernel cannot reset the counters of one rule: {error}")
    assert before.data == expr.Counter(packets=5, bytes=60)
    (after,) = nft.get(rule).expressions or ()
    assert after.data == expr.Counter(packets=0, bytes=0)
    assert len(nft.reset_rules(family=Family.INET, table="t", chain="in")) == 1
    assert len(nft.reset_objects(expr.ObjectType.COUNTER)) == 1
    assert nft.objects(expr.ObjectType.QUOTA) != nft.objects()
    for missing in (Table(family=1, name="no"), Rule(family=1, table="t", chain="in", handle=999)):
        with pytest.raises(FileNotFoundError) as caught:
            nft.get(missing)
        assert "no such object" in caught.value.hint  # type: ignore[attr-defined]


def test_dumps_are_of_one_generation_while_the_ruleset_changes(nft: nftables.Conn, work: Any) -> None:
    rules = "\n".join(f"add rule inet t in tcp dport {port} accept" for port in range(1, 300))
    rulesets.load("add table inet t; add chain inet t in\n" + rules)

    def change() -> None:
        for _ in range(5):
            rulesets.load("flush chain inet t in\n" + rules)

    changer = work(change)
    seen = 0
    while not changer.done:
        found = nft.ruleset()
        assert len(found.rules) == 299
        assert len(nft.rules(table="t", family=Family.INET)) == 299
        seen += 1
    assert seen
    changer.result()


def test_asyncio(nft: nftables.Conn) -> None:
    rulesets.load("table ip t { set s { type inet_service; elements = { 1, 2, 3 }; }; }")

    async def main() -> tuple[int, int]:
        async with nftables.dial_async() as nft:
            (one,) = await nft.sets(table="t")
            counts = [len(batch) async for batch in nft.iter_elements(one, 1)]
            return len(await nft.elements(one)), sum(counts)

    assert asyncio.run(main()) == (3, 3)


def test_without_permission() -> None:
    def read() -> None:
        with nftables.dial() as nft:
            nft.tables()

    with pytest.raises(PermissionError) as caught:
        unprivileged(read)
    assert "CAP_NET_ADMIN" in caught.value.hint  # type: ignore[attr-defined]
