"""What type checkers must know of netlink.netfilter.nftables. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from netlink import Conn, Overrun
from netlink.aio import AsyncConn
from netlink.family import Call
from netlink.netfilter import nftables
from netlink.netfilter.nftables import Chain, Element, Family, KeyType, Policy, Rule, Ruleset, Set, Table, build, expr
from netlink.schema import Batch, Record
from netlink.stream import Resync


def reading() -> None:
    with nftables.dial(netns="blue") as nft:
        assert_type(nft, nftables.Conn[Conn])
        assert_type(nft.tables(), Batch[Table])
        assert_type(nft.rules(table="t", chain="c", family=Family.INET), Batch[Rule])
        assert_type(nft.elements(Set(family=1, table="t", name="s")), Batch[Element])
        assert_type(nft.iter_elements(Set()), Iterator[Batch[Element]])
        assert_type(nft.ruleset(), Ruleset)
        assert_type(nft.ruleset().chains, Batch[Chain])
        assert_type(nft.get(Chain(name="c")), Chain)
        assert_type(nft.reset(Rule(handle=1)), Rule)
        assert_type(nft.calls.tables(), Call[Batch[Table]])
        assert_type(nft.reset_elements(Set()), Batch[Element])
        nft.rules(chains="c")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        chain = nft.chains()[0]
    assert_type(chain.policy, Policy | None)
    assert_type(chain.family, Family | None)
    assert_type(chain.devices, tuple[str, ...] | None)
    assert_type(Rule().expressions, tuple[expr.Expression, ...] | None)
    for part in Rule().expressions or ():
        assert_type(part.data, expr.AnyExpression | bytes | None)
        if isinstance(part.data, expr.Cmp):
            assert_type(part.data.op, expr.CmpOp | None)
    expr.Counter(packages=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    expr.wrap(Rule())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def changing() -> None:
    with nftables.dial() as nft:
        with nft.transaction(echo=True) as tx:
            assert_type(tx, nftables.Transaction[Conn])
            assert_type(tx.add(Rule(chain="c")), Rule)
            assert_type(tx.add(Set(name="s")), Set)
            assert_type(tx.insert(Rule(), before=Rule()), Rule)
            assert_type(tx.check(), None)
            tx.delete(Element())  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
            tx.flush(Rule())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        assert_type(tx.commit(), None)
        assert_type(tx.results, list[Record | None])
        assert_type(nft.update(lambda state, tx: tx.add(Rule(position=state.generation))), None)
    try:
        tx.commit()
    except nftables.TransactionError as error:
        assert_type(error.failures, list[nftables.Failure])
        assert_type(error.failures[0].record, Record | None)


def sets() -> None:
    of = nftables.make_set(Family.INET, "t", "s", KeyType.IPV4_ADDR, interval=True, timeout=1.5)
    assert_type(of, Set)
    nftables.make_set(Family.INET, "t", "m", (KeyType.MARK, KeyType.UID), data=expr.Verdict)
    with nftables.dial() as nft, nft.transaction() as tx:
        assert_type(tx.add_elements(of, ["10.0.0.0/8", 7], timeout=3), None)
        tx.add_elements(of, {22: expr.Verdict()})
        tx.delete_elements(of, [("10.0.0.1", 80)])
        tx.add_elements(of, [b"raw"])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
        assert_type(nft.entries(of), list[nftables.Entry])


def building() -> None:
    chain = Chain(family=Family.INET, table="t", name="c")
    assert_type(build.tcp.dport({22, "80-90"}), build.Part)
    assert_type(build.concat(build.ip.saddr, build.tcp.dport), build.Field)
    assert_type(build.ct.state.vmap({2: build.accept(), 1: build.drop()}), build.Part)
    build.meta.mark.set(build.ct.mark)
    build.limit(5, "fortnight")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    build.ip.saddr(1.5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with nftables.dial() as nft, nft.transaction() as tx:
        rule = tx.add_rule(chain, build.ip.saddr("10.0.0.0/8"), expr.Counter(), build.accept(), remark="x")
        assert_type(rule, Rule)
        assert_type(tx.insert_rule(chain, build.drop(), before=rule), Rule)
        tx.add_rule("c", build.drop())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        tx.add_rule(chain, "drop")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def streams() -> None:
    for change in nftables.listen():
        assert_type(change, nftables.AnyChange)
    for commit in nftables.Commits(nftables.listen()):
        assert_type(commit, nftables.Commit)
    for each in nftables.Commits(nftables.listen(on_overrun="mark")):
        assert_type(each, nftables.Commit | Overrun)
    for one in nftables.Commits(nftables.listen(on_overrun="resync")):
        assert_type(one, nftables.Commit | Resync)
    for step in nftables.TraceSteps(nftables.trace()):
        assert_type(step, nftables.Trace)


async def changing_async() -> None:
    async with nftables.dial_async() as nft:
        async with nft.transaction() as tx:
            assert_type(tx, nftables.Transaction[AsyncConn])
            assert_type(tx.flush(Chain(name="c")), None)
            await tx.check()
        await tx.commit()


async def reading_async() -> None:
    async with nftables.dial_async() as nft:
        assert_type(nft, nftables.Conn[AsyncConn])
        assert_type(await nft.tables(), Batch[Table])
        assert_type(nft.iter_elements(Set()), AsyncIterator[Batch[Element]])
