"""netlink.netfilter.nftables without a kernel: numbers, records, expressions, requests."""

from __future__ import annotations

import errno
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from netlink import DecodeError, EncodeError, Header, Message, OpError, Overrun, nltest
from netlink._io.source import ItemSource
from netlink.family import Call, Operation
from netlink.netfilter import nftables
from netlink.netfilter.nftables import Element, ElementList, Family, Rule, Set, Table, expr, records
from netlink.schema import AttributeSet, array, repeated
from netlink.stream import Stream
from probe import c_names, c_values

HEADERS = [
    "linux/netfilter.h",
    "linux/netfilter/nfnetlink.h",
    "linux/netfilter_arp.h",
    "linux/netfilter/nf_tables.h",
    "linux/netfilter/nf_tables_compat.h",
    "linux/netfilter/nf_conntrack_common.h",
    "linux/netfilter/nf_conntrack_tuple_common.h",
    "linux/netfilter/nf_nat.h",
    "linux/netfilter/nf_log.h",
    "linux/netfilter/nf_synproxy.h",
    "linux/netfilter/nfnetlink_cttimeout.h",
    "linux/xfrm.h",
]
NOT_DECLARED = re.compile(
    r".*_(UNSPEC|MAX|PAD|MASK|FLAGS|RESERVED_MASK|MAXLEN|MAXNAMELEN|MAXGENRELEN|SIZE|COUNT|IIFTYPE|BOOL)"
    r"|NFTA_(HASH|NG)_SET_(NAME|ID)|NFT_(DATA|LIMIT|CONNLIMIT|RULE_COMPAT|NAME|CHAIN_FLAGS)_?\w*|NFT_REG32?_MAX"
    r"|NFTA_COMPAT_(NAME|REV|TYPE)|NFTA_DEVICE_PREFIX|NFT_META_BRI_IIFHWADDR"
)
# Containers that fields reach into, and fields of a path that others have already.
CONTAINERS = re.compile(
    r"NFTA_(CT_TIMEOUT_DATA|TUNNEL_KEY_(IP6?|OPTS\w*)|SET_DESC\w*|HOOK_DEVS|FLOWTABLE_HOOK_DEVS|(CHAIN|FLOWTABLE)_HOOK)"
)

AT_REST: dict[str, Any] = {"get_generation": lambda request: nftables.Generation(id=7)}


def declared_numbers(module: ModuleType) -> Iterator[tuple[str, int]]:
    """The UAPI names beside fields and members of enums, and their numbers."""
    assert module.__file__ is not None
    scope: Any = None
    for line in Path(module.__file__).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"class (\w+)", line):
            scope = getattr(module, match[1])
        if match := re.match(r"    (\w+)(?:: .*)? = .*?  # ((?:[A-Z][A-Z0-9_]+(?:, )?)+)(?:,|$)", line):
            names = match[2].rstrip(", ").split(", ")
            if issubclass(scope, AttributeSet):
                (first, _), *others = scope.__fields__[match[1]].types
                numbers = [*first, *(path[-1] for path, _ in others)]
                yield from zip(names, numbers, strict=True)
            else:
                (name,) = names
                yield name, int(scope[match[1]])


def test_numbers_are_the_headers() -> None:
    found = [*declared_numbers(expr), *declared_numbers(records)]
    wanted = {name: number & 0xFFFFFFFF for name, number in found}
    assert all(wanted[name] == number & 0xFFFFFFFF for name, number in found)
    known = c_names(HEADERS, r"NFT_\w+|NFTA_\w+")
    missing = {name for name in known - wanted.keys() if not NOT_DECLARED.fullmatch(name)}
    assert {name for name in missing if not CONTAINERS.fullmatch(name)} == set()
    there = sorted(c_names(HEADERS, "|".join(wanted)) & wanted.keys())
    assert len(there) > 0.9 * len(wanted)
    values = c_values(HEADERS, there)
    subsystem = {name: 0xA00 if name.startswith("NFT_MSG_") else 0 for name in there}
    assert {name: (value | subsystem[name]) & 0xFFFFFFFF for name, value in values.items()} == {
        name: wanted[name] for name in there
    }


def test_every_command_that_reads_has_its_operations() -> None:
    commands = {value.command for value in vars(nftables.Conn).values() if isinstance(value, Operation)}
    assert commands == {one for one in records.Command if one.name.startswith("GET")}


@pytest.mark.parametrize("kind", expr._NAMES, ids=lambda kind: str(kind.__name__))
def test_every_expression_in_a_rule(kind: type[expr.AnyExpression]) -> None:
    assert kind.__doc__
    values: dict[str, Any] = {}
    for name, field in kind.__fields__.items():
        for value in (
            1,
            b"\1\2\3\4",
            "name",
            expr.Verdict(code=-1),
            expr.Expression(name="counter"),
            [expr.Expression()],
        ):
            try:
                kind(**{name: value})
            except (TypeError, ValueError):
                continue
            values[name] = value
            break
        assert name in values, field
    whole = kind(**values)
    rule = Rule(family=Family.INET, table="t", chain="c", expressions=[expr.wrap(whole), expr.wrap(kind())])
    again = Rule.decode(rule.encode())
    assert again == rule
    assert again.expressions is not None
    assert [one.data for one in again.expressions] == [whole, kind()]
    assert again.expressions[0].name == expr._NAMES[kind]


def test_an_unknown_expression_keeps_its_bytes() -> None:
    rule = Rule(expressions=[expr.Expression(name="newer", data=b"\x08\x00\x01\x00abcd"), expr.wrap(expr.Counter())])
    again = Rule.decode(rule.encode())
    assert again.expressions is not None
    assert [one.data for one in again.expressions] == [b"\x08\x00\x01\x00abcd", expr.Counter()]
    with pytest.raises(TypeError, match="want an expression"):
        expr.wrap(rule)  # type: ignore[arg-type]


def test_integers_are_in_network_byte_order() -> None:
    payload = nftables.Chain(family=Family.NETDEV, hook=1, priority=-300, policy=1, devices=["lo", "eth0"]).encode()
    assert payload[:4] == bytes([5, 0, 0, 0])
    assert bytes.fromhex("08000200 fffffed4") in payload
    again = nftables.Chain.decode(payload)
    assert (again.family, again.priority, again.devices) == (Family.NETDEV, -300, ("lo", "eth0"))
    assert expr.Verdict(code=expr.VerdictCode.JUMP, chain="c").encode()[:8] == bytes.fromhex("08000100 fffffffd")


def test_elements_of_a_double_are_rows() -> None:
    rows = [Element(key=bytes([n])) for n in range(5)]

    def dump(request: ElementList) -> list[Element]:
        assert (request.family, request.table, request.set) == (Family.IPV4, "t", "s")
        return rows

    of = Set(family=Family.IPV4, table="t", name="s")
    with nltest.serve(nftables.Conn, {"dump_elements": dump, **AT_REST}) as nft:
        assert list(nft.elements(of)) == rows
        rows.append(rows[0].replace(flags=nftables.ElementFlags.INTERVAL_END))
        assert len(nft.elements(of)) == 6
        rows[5] = rows[0]
        with pytest.raises(OpError, match="busy"):
            nft.elements(of)
        del rows[5]
        assert [len(batch) for batch in nft.iter_elements(of, 2)] == [2, 2, 1]
        for wrong in (Set(table="t", name="s"), Set(family=1, name="s"), Set(family=1, table="t")):
            with pytest.raises(ValueError, match="identified by family, table and name"):
                nft.elements(wrong)
        with pytest.raises(TypeError, match="want a Set"):
            nft.elements(Table(name="t"))  # type: ignore[arg-type]


def test_requests_about_one_object_have_its_key_alone() -> None:
    asked: list[Any] = []

    def answer(request: Any) -> Any:
        asked.append(request)
        return request

    names = ["get_table", "get_rule", "get_set", "get_rule_reset"]
    with nltest.serve(nftables.Conn, dict.fromkeys(names, answer)) as nft:
        nft.get(Table(family=1, name="t", use=3, handle=7))
        rule = Rule(family=1, table="t", chain="c", handle=5, userdata=b"x")
        nft.get(rule)
        nft.reset(rule)
        nft.get(Set(family=1, table="t", name="s", flags=4, handle=9))
        with pytest.raises(TypeError, match="get takes"):
            nft.get(Element())
        with pytest.raises(TypeError, match="reset takes"):
            nft.reset(Table(name="t"))
        with pytest.raises(ValueError, match="needs table"):
            nft.rules(chain="c")
        with pytest.raises(ValueError, match="needs table"):
            nft.reset_rules(chain="c")
    key = Rule(family=1, table="t", chain="c", handle=5)
    assert asked == [Table(family=1, name="t"), key, key, Set(family=1, table="t", name="s")]


def test_records_of_a_table() -> None:
    chains = [nftables.Chain(family=1, table=name, name="c") for name in "abab"]
    with nltest.serve(nftables.Conn, {"dump_chains": lambda request: chains, **AT_REST}) as nft:
        assert [chain.table for chain in nft.chains(table="a")] == ["a", "a"]
        assert len(nft.chains()) == 4
        assert len(nft.chains(table="z")) == 0


def test_a_ruleset_that_never_rests_is_an_error() -> None:
    ids = iter(range(1000))
    operations: dict[str, Any] = {
        f"dump_{name}": lambda request: [] for name in ("tables", "chains", "rules", "sets", "objects", "flowtables")
    }
    operations["get_generation"] = lambda request: nftables.Generation(id=next(ids))
    with nltest.serve(nftables.Conn, operations) as nft, pytest.raises(OpError, match="busy") as caught:
        nft.ruleset()
    assert "changed during each attempt" in caught.value.hint
    operations["get_generation"] = lambda request: nftables.Generation(id=7)
    with nltest.serve(nftables.Conn, operations) as nft:
        assert nft.ruleset().generation == 7


def test_a_list_that_does_not_fit_its_message() -> None:
    good = ElementList(family=1, table="t", set="s", elements=[Element(key=b"abcd")]).encode()
    at = good.index(b"abcd") - 12  # the item in the list
    of = ElementList(family=1, table="t", set="s")
    for cut in (b"\xff\x7f", b"\x03\x00", b"\x12\x00"):
        wrong = good[:at] + cut + good[at + 2 :]

        def answer(requests: list[Message], payload: bytes = wrong) -> list[Message]:
            if not requests:
                return []
            header = requests[0].header
            return nltest.multipart(
                [
                    Message(
                        Header(type=0xA0C, flags=2, sequence=header.sequence, pid=header.pid, length=16 + len(payload)),
                        payload,
                    )
                ]
                * 2
            )

        nft = nftables.Conn(nltest.dial(answer))
        with nft, pytest.raises(DecodeError, match="Element"):
            nft.dump_elements(of)
    with (
        nftables.Conn(
            nltest.dial(lambda requests: [requests[0].replace(data=b"ab", length=18, flags=0)] if requests else [])
        ) as nft,
        pytest.raises(DecodeError, match=r"shorter than .*header"),
    ):
        nft.dump_elements(of)


def transaction(**options: Any) -> nftables.Transaction[Any]:
    """One that is never committed."""
    return nftables.Conn(nltest.dial(lambda requests: [])).transaction(**options)


def test_changes_say_what_they_are_of() -> None:
    tx = transaction()
    of = {"family": Family.INET, "table": "t"}
    for wrong in (Rule(**of, chain="c"), Set(**of), Table(family=1), ElementList(**of, set="s")):
        for way in (tx.delete, tx.destroy):
            with pytest.raises(ValueError, match=r"flush deletes all|the name or the handle"):
                way(wrong)  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
    for unnamed in (Set(**of), Table(name="t"), nftables.Chain(family=1, name="c")):
        with pytest.raises(ValueError, match="flush needs family, table and name"):
            tx.flush(unnamed)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    other: Any = Element(key=b"a")
    for call in (tx.add, tx.create, tx.delete, tx.destroy, tx.insert, tx.replace, tx.flush):
        with pytest.raises(TypeError, match=r"takes a|changes records"):
            call(other)
    rule = Rule(**of, chain="c")
    with pytest.raises(ValueError, match="needs a rule with the handle"):
        tx.replace(rule)
    with pytest.raises(ValueError, match="a place is another rule"):
        tx.insert(rule, before=rule)
    other = Table(family=1, name="t")
    with pytest.raises(TypeError, match="after= is for a rule"):
        tx.add(other, after=3)
    assert len(tx) == 0
    assert tx.add(rule).id != tx.add(Set(**of, name="s")).id
    assert tx.add(rule.replace(id=77)).id == 77
    assert len(tx) == 3
    assert "of 3 changes" in repr(tx)
    with pytest.raises(ValueError, match="from 1 on"):
        transaction(generation=0)


def sent(tx: nftables.Transaction[Any]) -> list[Message]:
    """The messages of a transaction."""
    found: list[Message] = []

    def answer(requests: list[Message]) -> list[Message]:
        found.extend(requests)
        return nltest.error(0, requests[1:2]) if requests else []

    tx._nft = nftables.Conn(nltest.dial(answer))
    tx.commit()
    return found


def test_what_only_the_kernel_says_is_not_sent() -> None:
    tx = transaction()
    of = {"family": Family.INET, "table": "t"}
    tx.add(Set(**of, name="s", key_len=4, backend="hash", count=3))
    osf, set_option = expr.Osf(dreg=1, flags=expr.OsfFlags(0)), expr.Exthdr(sreg=1, flags=expr.ExthdrFlags(0))
    present = expr.Exthdr(dreg=1, flags=expr.ExthdrFlags.PRESENT)
    rule = Rule(**of, chain="c", handle=5, expressions=[expr.wrap(one) for one in (osf, set_option, present)])
    for change in (tx.add, tx.insert, tx.replace):
        change(rule)
    _, made, *rules, _ = sent(tx)
    read = Set.decode(made.data)
    assert (read.key_len, read.backend, read.count) == (4, None, None)
    for message in rules:
        parts = Rule.decode(message.data).expressions or ()
        assert [part.data.flags for part in parts] == [None, None, expr.ExthdrFlags.PRESENT]  # type: ignore[union-attr]


@pytest.mark.parametrize("lengths", [[4], [4, 4, 16], [200, 1]])
def test_lists_of_elements_are_split_where_an_attribute_ends(lengths: list[int]) -> None:
    keys = [number.to_bytes(4, "big").ljust(lengths[number % len(lengths)], b"\1") for number in range(9000)]
    tx = transaction()
    tx.add(ElementList(family=1, table="t", set="s", elements=[Element(key=key) for key in keys]))
    begin, *lists, end = sent(tx)
    assert (begin.header.type, end.header.type) == (0x10, 0x11)
    assert len(lists) > 2
    decoded = [ElementList.decode(one.data) for one in lists]
    assert [element.key for one in decoded for element in one.elements or ()] == keys
    assert {(one.family, one.table, one.set) for one in decoded} == {(1, "t", "s")}
    assert all(len(one.data) < 0xFFFF + 100 for one in lists)


def test_an_element_that_no_list_has_room_for() -> None:
    huge = [Element(key=b"k"), Element(key=b"k", userdata=bytes(65_500), objref="o" * 100)]
    with pytest.raises(EncodeError, match="longer than 65531 bytes"):
        transaction().add(ElementList(family=1, table="t", set="s", elements=huge))


def test_lost_answers_do_not_pass_for_success() -> None:
    def lose(requests: list[Message]) -> list[Message]:
        raise OSError(errno.ENOBUFS, "lost")

    tx = transaction()
    tx.add(Table(family=1, name="t"))
    tx._nft = nftables.Conn(nltest.dial(lambda requests: lose(requests) if requests else []))
    with pytest.raises(OpError, match="not known whether") as caught:
        tx.commit()
    assert caught.value.errno == errno.ENOBUFS
    tx = transaction()
    tx.add(Table(family=1, name="t"))
    with pytest.raises(OpError, match="did not answer"):
        tx.commit()


def test_a_failed_transaction_is_a_value() -> None:
    def refuse(requests: list[Message]) -> list[Message]:
        return nltest.error(errno.EEXIST, requests[1:2]) + nltest.error(errno.ENOENT, requests[2:3])

    tx = transaction()
    tx.create(Table(family=1, name="t"))
    tx.delete(Rule(family=1, table="t", chain="c", handle=7))
    tx._nft = nftables.Conn(nltest.dial(lambda requests: refuse(requests) if requests else []))
    with pytest.raises(nftables.TransactionError) as caught:
        tx.commit()
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert [one.row for one in again.failures] == [0, 1]
    assert again.failures[1].record == Rule(family=1, table="t", chain="c", handle=7)
    assert "change 0, NEWTABLE t, and 1 more of 2" in str(again)


def test_rows_of_lists_need_a_field_with_them() -> None:
    with pytest.raises(TypeError, match="within= is that of a Dump"):
        Operation(1, ElementList, Element, within=ElementList.elements)
    for within in (ElementList.table, ElementList.elements, Rule.expressions):
        with pytest.raises(TypeError, match="within needs a dump"):
            Call(1, b"", Rule, dump=True, within=within)

    class Lists(AttributeSet):
        alone = repeated(1, Rule)
        numbered = array(2, Rule)
        deep = repeated((3, 4, 5), Rule)

    assert Call(1, b"", Rule, dump=True, within=Lists.alone).within is Lists.alone
    for within in (Lists.numbered, Lists.deep):
        with pytest.raises(TypeError, match="within needs a dump"):
            Call(1, b"", Rule, dump=True, within=within)
    with pytest.raises(TypeError, match="within needs a dump"):
        Call(1, b"", Element, within=ElementList.elements)
    assert Call(1, b"", Element, dump=True, within=ElementList.elements).within is ElementList.elements


@pytest.mark.parametrize("mark", [True, False])
def test_a_commit_that_a_loss_divides_is_left_out(mark: bool) -> None:
    """Its rest, which is behind the Overrun, too; that of another generation is whole."""

    def change(generation: int, name: str) -> Table:
        return Table(header=records.Header(family=Family.INET, res_id=generation & 0xFFFF), name=name)

    def end(generation: int) -> nftables.Generation:
        return nftables.Generation(id=generation)

    first, second = 0x1FFFF, 0x20000
    items: list[Any] = [change(first, "whole"), end(first), change(second, "begin"), Overrun(3)]
    behind: list[Any] = [change(second, "rest"), end(second)], [change(second + 1, "next"), end(second + 1)]
    for rest in (behind[0] + behind[1], behind[1]):
        source: Any = ItemSource([*items, *rest], Table, nftables.Generation)
        with Stream(source, on_overrun="mark" if mark else "raise") as stream:
            commits = nftables.Commits(stream)
            assert [one.name for one in next(commits).changes] == ["whole"]
            if mark:
                assert isinstance(next(commits), Overrun)
            else:
                with pytest.raises(Overrun):
                    next(commits)
            assert [[one.name for one in commit.changes] for commit in commits] == [["next"]]
