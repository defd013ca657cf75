"""Transactions of nftables on the real kernel, with nft(8) as the oracle."""

from __future__ import annotations

import asyncio
import errno
import json
import pickle
import socket
import subprocess
from typing import Any

import pytest

from kernel import rulesets
from kernel.tools import interrupted_at_random, unprivileged
from netlink import Header, HeaderFlags, Message, OpError
from netlink.aio import AsyncConn
from netlink.consts import NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END
from netlink.family import Deferred, Steps, verb
from netlink.netfilter import nftables
from netlink.netfilter.nfnetlink import BatchBound
from netlink.netfilter.nftables import (
    Chain,
    ChainFlags,
    Command,
    Element,
    ElementFlags,
    ElementList,
    Family,
    Hook,
    Object,
    Policy,
    Rule,
    Ruleset,
    Set,
    SetFlags,
    Table,
    TableFlags,
    Transaction,
    TransactionError,
    expr,
)
from pace import SLOWNESS

T = Table(family=Family.INET, name="t")
IN = Chain(family=Family.INET, table="t", name="in", type="filter", hook=Hook.INPUT, priority=0, policy=Policy.ACCEPT)
PORTS = Set(family=Family.INET, table="t", name="ports", key_type=13, key_len=2)  # inet_service


def rule(number: int, chain: str = "in") -> Rule:
    """A rule that is told from others by its counter."""
    counter = expr.wrap(expr.Counter(packets=number, bytes=0))
    return Rule(family=Family.INET, table="t", chain=chain, expressions=[counter])


def numbers(nft: nftables.Conn) -> list[int]:
    """The rules of a chain, by their counters, as nft(8) has them."""
    found = [one["expr"][0]["counter"]["packets"] for kind, one in rulesets.listed() if kind == "rule"]
    assert found == [each.expressions[0].data.packets for each in nft.rules()]  # type: ignore[index, union-attr]
    return found


def elements(*keys: bytes, of: str = "ports") -> ElementList:
    return ElementList(family=Family.INET, table="t", set=of, elements=[Element(key=key) for key in keys])


def prepare(nft: nftables.Conn) -> None:
    with nft.transaction() as tx:
        tx.add(T)
        tx.add(IN)
        tx.add(PORTS)
        tx.add(elements(b"\0\x16", b"\0\x50"))
        for number in range(3):
            tx.add(rule(number))


def test_a_ruleset_is_made_at_once(nft: nftables.Conn) -> None:
    before = nft.generation().id
    prepare(nft)
    assert nft.generation().id == (before or 0) + 1
    kinds = [(kind, one.get("name")) for kind, one in rulesets.listed()]
    rules = [("rule", None)] * 3
    assert kinds == [("table", "t"), ("chain", "in"), ("set", "ports"), *rules]
    run = subprocess.run(["nft", "-j", "list", "set", "inet", "t", "ports"], capture_output=True, check=True)
    assert json.loads(run.stdout)["nftables"][1]["set"]["elem"] == [22, 80]
    assert numbers(nft) == [0, 1, 2]
    with nft.transaction() as tx:  # what is there is no failure
        tx.add(T)
        tx.add(IN)


def test_an_exception_changes_nothing(nft: nftables.Conn) -> None:
    def interrupted() -> None:
        with nft.transaction() as tx:
            tx.add(T)
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert len(nft.tables()) == 0
    with nft.transaction() as tx:
        tx.add(T)
    for late in (lambda: tx.add(T), tx.commit):
        with pytest.raises(ValueError, match="was committed"):
            late()
    with nft.transaction():
        pass  # of no changes


def test_every_refused_change_is_named_with_its_attribute(nft: nftables.Conn) -> None:
    with nft.transaction() as tx:
        tx.add(T)
    tx = nft.transaction()
    tx.create(T)
    tx.add(Table(family=Family.INET, name="u"))
    tx.add(Chain(family=Family.INET, table="none", name="in"))
    tx.delete(Set(family=Family.INET, table="t", name="missing"))
    tx.add(Rule(family=Family.INET, table="t", chain="missing", expressions=[expr.wrap(expr.Counter())]))
    with pytest.raises(TransactionError) as caught:
        tx.commit()
    found = [(one.row, one.command, one.error.errno, one.error.attribute) for one in caught.value.failures]
    assert found == [
        (0, Command.NEWTABLE, errno.EEXIST, "name"),
        (2, Command.NEWCHAIN, errno.ENOENT, "table"),
        (3, Command.DELSET, errno.ENOENT, "name"),
        (4, Command.NEWRULE, errno.ENOENT, "chain"),
    ]
    assert caught.value.failures[2].record == Set(family=Family.INET, table="t", name="missing")
    assert caught.value.errno == errno.EEXIST
    assert isinstance(caught.value, FileExistsError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), again.failures[0].row, str(again)) == (type(caught.value), 0, str(caught.value))
    assert "change 0, NEWTABLE t, and 3 more of 5: it is there already" in str(caught.value)
    assert [table.name for table in nft.tables()] == ["t"]
    broken = expr.wrap(expr.Cmp(sreg=99, op=expr.CmpOp.EQ, data=b"\1"))
    tx = nft.transaction()
    tx.add(IN)
    tx.add(Rule(family=Family.INET, table="t", chain="in", expressions=[expr.wrap(expr.Counter()), broken]))
    with pytest.raises(TransactionError) as caught:
        tx.commit()
    ((row, _, _, error),) = caught.value.failures
    assert row == 1
    assert error.errno in {errno.ERANGE, errno.EINVAL}
    assert len(nft.chains()) == 0


def test_a_failure_of_the_whole_is_told_from_one_of_the_first_change(nft: nftables.Conn) -> None:
    with nft.transaction() as tx:
        tx.add(T)
    unused = Set(family=Family.INET, table="t", name="__set%d", flags=SetFlags.ANONYMOUS | SetFlags.CONSTANT, key_len=4)
    tx = nft.transaction()
    tx.add(unused)  # no rule of the transaction uses it: the kernel sees it at the end
    tx.add(IN)
    with pytest.raises(TransactionError) as caught:
        tx.commit()
    ((row, command, record, error),) = caught.value.failures
    assert (row, command, record, error.errno) == (None, None, None, errno.EINVAL)
    assert "as a whole" in str(caught.value)
    tx = nft.transaction()
    tx.add(unused.replace(key_len=0))
    tx.add(IN)
    with pytest.raises(TransactionError) as caught:
        tx.commit()
    ((row, command, _, error),) = caught.value.failures
    assert (row, command, error.errno) == (0, Command.NEWSET, errno.EINVAL)
    assert len(nft.sets()) == len(nft.chains()) == 0


def test_chains_in_a_circle_are_refused(nft: nftables.Conn) -> None:
    prepare(nft)
    jump = expr.Immediate(dreg=0, verdict=expr.Verdict(code=expr.VerdictCode.JUMP, chain="in"))
    tx = nft.transaction()
    tx.add(Chain(family=Family.INET, table="t", name="a"))
    for chain, target in (("in", "a"), ("a", "in")):
        to = jump.replace(verdict=expr.Verdict(code=expr.VerdictCode.JUMP, chain=target))
        tx.add(Rule(family=Family.INET, table="t", chain=chain, expressions=[expr.wrap(to)]))
    with pytest.raises(TransactionError) as caught:
        tx.commit()
    assert caught.value.errno in {errno.ELOOP, errno.EMLINK, errno.EOPNOTSUPP}
    assert [chain.name for chain in nft.chains()] == ["in"]


def test_check_asks_and_changes_nothing(nft: nftables.Conn) -> None:
    before = nft.generation().id
    tx = nft.transaction()
    tx.add(T)
    tx.check()
    tx.create(T)
    with pytest.raises(TransactionError) as caught:
        tx.check()
    assert [(one.row, one.error.errno) for one in caught.value.failures] == [(1, errno.EEXIST)]
    assert caught.value.op == "check"
    assert len(nft.tables()) == 0
    assert nft.generation().id == before
    with nft.transaction() as tx:
        tx.add(T)
        tx.check()
    assert len(nft.tables()) == 1


def test_echo_has_the_handles(nft: nftables.Conn) -> None:
    with nft.transaction(echo=True) as tx:
        tx.add(T)
        tx.add(IN)
        tx.add(PORTS)
        tx.add(elements(b"\0\x16"))
        tx.add(rule(5))
        tx.add(rule(6))
    listed = {kind: one for kind, one in rulesets.listed() if kind != "rule"}
    table, chain, ports, none, first, second = tx.results
    assert none is None
    assert isinstance(table, Table)
    assert isinstance(chain, Chain)
    assert isinstance(ports, Set)
    assert isinstance(first, Rule)
    assert isinstance(second, Rule)
    assert table.handle == listed["table"]["handle"]
    assert chain.handle == listed["chain"]["handle"]
    assert ports.handle == listed["set"]["handle"]
    assert [first.handle, second.handle] == [one["handle"] for kind, one in rulesets.listed() if kind == "rule"]
    with nft.transaction() as tx:
        tx.delete(first)
        tx.replace(second.replace(expressions=rule(7).expressions))
    assert numbers(nft) == [7]


def test_rules_go_where_they_belong(nft: nftables.Conn) -> None:
    prepare(nft)
    with nft.transaction() as tx:
        mine = tx.add(rule(10))
        tx.add(rule(12))
        tx.insert(rule(9), before=mine)
        tx.add(rule(11), after=mine)
        tx.insert(rule(100))
        gone = tx.add(rule(13))
        tx.delete(gone)
    assert numbers(nft) == [100, 0, 1, 2, 9, 10, 11, 12]
    found = nft.rules()
    with nft.transaction() as tx:
        tx.add(rule(101), after=found[0])
        tx.insert(rule(99), before=found[0].handle)
        tx.delete(found[1])
    assert numbers(nft) == [99, 100, 101, 1, 2, 9, 10, 11, 12]


def test_flush_and_delete(nft: nftables.Conn) -> None:
    prepare(nft)
    with nft.transaction() as tx:
        tx.flush(PORTS)
        tx.flush(IN)
    assert numbers(nft) == []
    assert len(nft.elements(PORTS)) == 0
    with nft.transaction() as tx:
        tx.add(rule(1))
        tx.add(elements(b"\0\1", b"\0\2"))
        tx.delete(elements(b"\0\1"))
    assert [one.key for one in nft.elements(PORTS)] == [b"\0\2"]
    with nft.transaction() as tx:
        tx.flush(T)
    assert numbers(nft) == []
    with nft.transaction() as tx:
        tx.delete(IN)
        tx.delete(PORTS)
        tx.add(Object(family=Family.INET, table="t", name="c", type=expr.ObjectType.COUNTER, data=expr.Counter()))
        tx.add(Table(family=Family.IPV4, name="u"))
    assert [kind for kind, _ in rulesets.listed()] == ["table", "counter", "table"]
    with nft.transaction() as tx:
        tx.flush_ruleset(family=Family.IPV4)
    assert [table.name for table in nft.tables()] == ["t"]
    with nft.transaction() as tx:
        tx.flush_ruleset()
    assert rulesets.listed() == []


def test_destroy_of_what_is_not_there(nft: nftables.Conn) -> None:
    prepare(nft)
    tx = nft.transaction()
    tx.destroy(Table(family=Family.INET, name="missing"))
    try:
        tx.commit()
    except TransactionError as error:
        pytest.skip(f"this kernel is older than the requests to destroy: {error}")
    with nft.transaction() as tx:
        tx.destroy(PORTS)
        tx.destroy(IN)
        tx.destroy(IN)
    assert [kind for kind, _ in rulesets.listed()] == ["table"]


def test_a_set_of_a_rule_is_made_with_it(nft: nftables.Conn) -> None:
    with nft.transaction() as tx:
        tx.add(T)
        tx.add(IN)
        both = SetFlags.ANONYMOUS | SetFlags.CONSTANT
        made = tx.add(Set(family=Family.INET, table="t", name="__set%d", flags=both, key_type=13, key_len=2))
        tx.add(elements(b"\0\x16", b"\0\x50", of="__set%d").replace(set_id=made.id))
        parts: list[Any] = [
            expr.Meta(key=expr.MetaKey.L4PROTO, dreg=1),
            expr.Cmp(sreg=1, op=expr.CmpOp.EQ, data=b"\6"),
            expr.Payload(dreg=1, base=expr.PayloadBase.TRANSPORT_HEADER, offset=2, len=2),
            expr.Lookup(set="__set%d", set_id=made.id, sreg=1),
        ]
        tx.add(Rule(family=Family.INET, table="t", chain="in", expressions=[expr.wrap(part) for part in parts]))
    assert "tcp dport { 22, 80 }" in rulesets.nft("list ruleset").stdout


def test_names_are_limited(nft: nftables.Conn) -> None:
    with nft.transaction() as tx:
        tx.add(Table(family=Family.INET, name="n" * 255))
    assert nft.tables()[0].name == "n" * 255
    tx = nft.transaction()
    tx.add(Table(family=Family.INET, name="n" * 256))
    with pytest.raises(TransactionError) as caught:
        tx.commit()
    assert caught.value.errno in {errno.ERANGE, errno.EINVAL, errno.ENAMETOOLONG}
    assert caught.value.failures[0].error.attribute in {"name", ""}  # not told by Linux 6.12


def test_another_generation_is_refused(nft: nftables.Conn) -> None:
    now = nft.ruleset().generation
    prepare(nft)
    tx = nft.transaction(generation=now)
    tx.add(rule(5))
    with pytest.raises(OpError) as caught:
        tx.commit()
    assert caught.value.errno == errno.ERESTART
    assert not isinstance(caught.value, TransactionError)
    assert "read it again" in caught.value.hint
    with nft.transaction(generation=nft.generation().id) as tx:
        tx.add(rule(3))
    assert numbers(nft) == [0, 1, 2, 3]


def test_update_decides_again_if_the_ruleset_changes(nft: nftables.Conn) -> None:
    prepare(nft)
    seen: list[int] = []

    def decide(state: Ruleset, tx: Transaction[Any]) -> None:
        seen.append(len(state.rules))
        if len(seen) == 1:  # another program is faster
            with nftables.dial() as other, other.transaction() as faster:
                faster.add(rule(3))
        tx.add(rule(len(state.rules)))

    nft.update(decide)
    assert seen == [3, 4]
    assert numbers(nft) == [0, 1, 2, 3, 4]

    def fail(state: Ruleset, tx: Transaction[Any]) -> None:
        tx.create(T)

    with pytest.raises(TransactionError):
        nft.update(fail)


def test_a_table_with_an_owner_goes_with_it(nft: nftables.Conn) -> None:
    with nftables.dial() as owner:
        with owner.transaction() as tx:
            tx.add(Table(family=Family.INET, name="owned", flags=TableFlags.OWNER))
        (table,) = nft.tables()
        assert table.owner == owner.conn.pid
        tx = nft.transaction()
        tx.add(Chain(family=Family.INET, table="owned", name="c"))
        with pytest.raises(TransactionError) as caught:
            tx.commit()
        assert caught.value.errno == errno.EPERM
    assert len(nft.tables()) == 0


def test_a_table_that_persists_stays_behind_its_owner(nft: nftables.Conn) -> None:
    kept = Table(family=Family.INET, name="kept", flags=TableFlags.OWNER | TableFlags.PERSIST)
    with nftables.dial() as owner:
        try:
            with owner.transaction() as tx:
                tx.add(kept)
        except TransactionError as error:
            pytest.skip(f"tables do not persist in this kernel: {error}")
        with pytest.raises(TransactionError), nft.transaction() as tx:
            tx.delete(kept)
    (table,) = nft.tables()
    assert (table.flags, table.owner) == (TableFlags.PERSIST, None)
    with nftables.dial() as owner:  # the next owner takes it
        with owner.transaction() as tx:
            tx.add(kept)
        assert nft.tables()[0].owner == owner.conn.pid


def test_many_elements_in_one_transaction(nft: nftables.Conn) -> None:
    count = round(100_000 / SLOWNESS)
    keys = [bytes([10, *number.to_bytes(3, "big")]) for number in range(count)]
    before = nft.generation().id
    tx = nft.transaction()
    tx.add(T)
    tx.add(Set(family=Family.INET, table="t", name="many", key_type=7, key_len=4))
    tx.add(elements(*keys, of="many"))
    try:
        tx.commit()
    except OpError as error:
        if error.errno != errno.EMSGSIZE or "net.core.wmem_max" not in error.hint:
            raise
        pytest.skip(f"too much for the write buffer that is permitted here: {nft.conn.write_buffer()} bytes")
    assert nft.generation().id == (before or 0) + 1
    assert {one.key for one in nft.elements(Set(family=Family.INET, table="t", name="many"))} == set(keys)
    assert numbers(nft) == []  # nft(8) reads the ruleset, too


def test_many_rules_and_as_many_refusals(nft: nftables.Conn) -> None:
    prepare(nft)
    with nft.transaction(echo=True) as tx:
        for number in range(3, 500):
            tx.add(rule(number))
    assert all(isinstance(one, Rule) and one.handle for one in tx.results)
    assert numbers(nft) == list(range(500))
    tx = nft.transaction()
    for number in range(500):
        tx.add(rule(number, chain="missing"))
    with pytest.raises(TransactionError) as caught:
        tx.commit()
    assert [one.row for one in caught.value.failures] == list(range(500))


def test_an_interrupt_at_any_moment(nft: nftables.Conn) -> None:
    made = [Table(family=Family.INET, name=f"t{i}") for i in range(200)]

    def change() -> None:
        tx = nft.transaction(echo=True)
        for table in made:
            tx.add(table)
            tx.delete(Table(family=Family.INET, name="nothing"))
        with pytest.raises(TransactionError) as caught:
            tx.commit()
        assert len(caught.value.failures) == len(made)

    hits = 0
    for interrupt in interrupted_at_random(change):
        hits += interrupt is not None
        assert len(nft.tables()) == 0  # no answer of before is taken for one of this
        assert not nft.conn._exchange.inbox.abandoned
    assert hits


def test_transactions_over_asyncio(nft: nftables.Conn) -> None:
    async def twice(other: nftables.Conn[AsyncConn]) -> None:
        async with other.transaction() as tx:
            tx.create(T)

    async def interrupted(other: nftables.Conn[AsyncConn]) -> None:
        async with other.transaction() as tx:
            tx.delete(T)
            raise KeyError

    async def main() -> None:
        async with nftables.dial_async() as other:
            async with other.transaction(echo=True) as tx:
                tx.add(T)
                await tx.check()
            assert isinstance(tx.results[0], Table)
            with pytest.raises(TransactionError):
                await twice(other)
            with pytest.raises(KeyError):
                await interrupted(other)
            await other.update(lambda state, tx: tx.add(IN))

    asyncio.run(main())
    assert [kind for kind, _ in rulesets.listed()] == ["table", "chain"]


def test_without_permission() -> None:
    def change() -> None:
        with nftables.dial() as nft, nft.transaction() as tx:
            tx.add(T)

    with pytest.raises(PermissionError) as caught:
        unprivileged(change)
    assert "CAP_NET_ADMIN" in caught.value.hint  # type: ignore[attr-defined]


# What the kernel does with batches, of which transactions are made


def request(command: Command, one: Any, flags: int = 0) -> Message:
    return Message(Header(type=command, flags=HeaderFlags.REQUEST | HeaderFlags.CREATE | flags), one.encode())


def bound(kind: int, flags: int = 0, generation: int | None = None, subsystem: int = 10) -> Message:
    payload = BatchBound(res_id=subsystem, generation=generation).encode()
    return Message(Header(type=kind, flags=HeaderFlags.REQUEST | flags), payload)


class Batches(nftables.Conn):
    """Messages in one datagram."""

    @verb
    def send(self: nftables.Conn[Deferred], *messages: Message) -> Steps[list[Any]]:
        """Pairs of a message's number, and the errno or the message that answers it."""
        answers = yield messages
        return [(n, getattr(one, "errno", 0) if not isinstance(one, Message) else one) for n, one in answers]


BEGIN, END = bound(NFNL_MSG_BATCH_BEGIN), bound(NFNL_MSG_BATCH_END)
ACK = HeaderFlags.ACKNOWLEDGE


def test_a_change_outside_of_a_batch_is_refused(nft: nftables.Conn) -> None:
    with pytest.raises(OpError) as caught:
        nft.conn.execute(request(Command.NEWTABLE, T, ACK))
    assert caught.value.errno == errno.EINVAL
    assert Batches(nft.conn).send(BEGIN, request(Command.NEWTABLE, T), END) == []  # success is silent
    assert len(nft.tables()) == 1


@pytest.mark.parametrize(
    ("subsystem", "answers"),
    [
        (10, []),
        (10 << 8, []),  # in the other byte order, as old programs have it
        (1, [(0, errno.EOPNOTSUPP)]),  # conntrack
    ],
)
def test_a_batch_is_of_nf_tables(nft: nftables.Conn, subsystem: int, answers: list[Any]) -> None:
    begin = bound(NFNL_MSG_BATCH_BEGIN, subsystem=subsystem)
    assert Batches(nft.conn).send(begin, request(Command.NEWTABLE, T), END) == answers
    assert len(nft.tables()) == (not answers)


def test_nothing_is_read_in_a_batch(nft: nftables.Conn) -> None:
    batch = (
        request(Command.NEWTABLE, T),
        Message(Header(type=Command.GETTABLE, flags=HeaderFlags.REQUEST), T.encode()),
    )
    assert Batches(nft.conn).send(BEGIN, *batch, END) == [(2, errno.EINVAL)]
    assert len(nft.tables()) == 0


def test_what_is_new_needs_the_flag_to_create_it(nft: nftables.Conn) -> None:
    prepare(nft)
    new = PORTS.replace(name="new", id=1)
    batch = [
        Message(Header(type=command, flags=HeaderFlags.REQUEST), one.encode())
        for command, one in ((Command.NEWSET, new), (Command.NEWRULE, rule(9)))
    ]
    assert Batches(nft.conn).send(BEGIN, *batch, END) == [(1, errno.ENOENT), (2, errno.EINVAL)]
    assert numbers(nft) == [0, 1, 2]


def test_a_chain_of_a_rule_is_referred_to_by_its_id(nft: nftables.Conn) -> None:
    """`jump { counter }`: the chain belongs to the rule, and goes with it."""
    prepare(nft)
    chain = Chain(family=Family.INET, table="t", id=7, flags=ChainFlags.BINDING)
    jump = expr.Verdict(code=expr.VerdictCode.JUMP, chain_id=7)
    inside = rule(5).replace(chain=None, chain_id=7)
    jumping = expr.wrap(expr.Immediate(dreg=expr.Register.VERDICT, verdict=jump))
    with nft.transaction() as tx:
        tx.add(chain)
        tx.add(inside)
        tx.add(Rule(family=Family.INET, table="t", chain="in", expressions=[jumping]))
    (made,) = (one for one in nft.chains() if (one.flags or 0) & ChainFlags.BINDING)
    *_, last = nft.rules(table="t", chain="in", family=Family.INET)
    assert last.expressions[0].data.verdict.chain == made.name  # type: ignore[index, union-attr]
    assert len(nft.rules(table="t", chain=made.name, family=Family.INET)) == 1
    with nft.transaction() as tx:
        tx.delete(last)
    assert [one.name for one in nft.chains()] == ["in"]


def test_rules_of_a_dormant_table_see_no_packets(nft: nftables.Conn) -> None:
    asleep = T.replace(flags=TableFlags.DORMANT)
    with nft.transaction() as tx:
        tx.add(asleep)
        tx.add(IN)
        tx.add(rule(0))

    def counted() -> int:
        with socket.socket(type=socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            one.sendto(b"", one.getsockname())
            one.recv(1)
        return nft.rules()[0].expressions[0].data.packets or 0  # type: ignore[index, union-attr]

    assert counted() == 0
    with nft.transaction() as tx:
        tx.add(T.replace(flags=TableFlags(0)))
    assert counted() == 1


def test_the_bounds_of_a_batch_are_acknowledged_by_newer_kernels_alone(nft: nftables.Conn) -> None:
    begin, end = bound(NFNL_MSG_BATCH_BEGIN, ACK), bound(NFNL_MSG_BATCH_END, ACK)
    answers = Batches(nft.conn).send(begin, request(Command.NEWTABLE, T), end)
    assert answers in ([(0, 0), (2, 0)], [])
    assert len(nft.tables()) == 1


def test_an_error_of_the_end_comes_before_acknowledgements(nft: nftables.Conn) -> None:
    flags = SetFlags.ANONYMOUS | SetFlags.CONSTANT
    unused = Set(family=Family.INET, table="t", name="__set%d", flags=flags, key_len=4, id=1)
    batch = (request(Command.NEWTABLE, T), request(Command.NEWSET, unused, ACK))
    answers = Batches(nft.conn).send(BEGIN, *batch, END)
    assert answers == [(1, errno.EINVAL), (2, 0)]  # the first request has the number of the error
    assert len(nft.tables()) == 0


def test_a_batch_without_an_end_is_only_checked(nft: nftables.Conn) -> None:
    assert Batches(nft.conn).send(BEGIN, request(Command.NEWTABLE, T, ACK)) == [(1, 0)]
    assert len(nft.tables()) == 0


def test_a_batch_for_another_generation(nft: nftables.Conn) -> None:
    begin = bound(NFNL_MSG_BATCH_BEGIN, generation=(nft.generation().id or 0) + 1)
    answers = Batches(nft.conn).send(begin, request(Command.NEWTABLE, T, ACK), END)
    assert answers == [(0, errno.ERESTART)]
    assert len(nft.tables()) == 0


def test_dumps_have_the_generation(nft: nftables.Conn) -> None:
    prepare(nft)
    generation = nft.generation().id or 0
    (table,) = nft.tables()
    assert table.header.res_id == generation & 0xFFFF


def test_an_echo_ends_with_the_generation(nft: nftables.Conn) -> None:
    batch = (request(Command.NEWTABLE, T, HeaderFlags.ECHO), request(Command.NEWCHAIN, IN, HeaderFlags.ECHO))
    answers = Batches(nft.conn).send(BEGIN, *batch, END)
    found = [(n, one.header.type) for n, one in answers]
    assert found == [(1, Command.NEWTABLE), (2, Command.NEWCHAIN), (1, Command.NEWGEN)]
    # Objects keep a flag of their request, so that a reader must not take it for one of an answer.
    assert [one.header.flags for _, one in answers] == [HeaderFlags.CREATE, HeaderFlags.CREATE, 0]
    assert nftables.Generation.decode(answers[2][1].data).id == nft.generation().id


def test_a_datagram_must_fit_the_write_buffer(nft: nftables.Conn) -> None:
    chains = [Chain(family=Family.INET, table="t", name=f"{number:0200}") for number in range(500)]
    nft.conn.set_write_buffer(2304)
    messages = [BEGIN, request(Command.NEWTABLE, T), *(request(Command.NEWCHAIN, one) for one in chains), END]
    with pytest.raises(OpError) as caught:
        nft.conn.send_messages(messages)
    assert caught.value.errno == errno.EMSGSIZE
    small = nft.conn.write_buffer()
    with nft.transaction() as tx:
        tx.add(T)
        for one in chains:
            tx.add(one)
    assert len(nft.chains()) == 500
    assert nft.conn.write_buffer() > small


def test_acknowledgements_are_lost_although_the_batch_is_done(nft: nftables.Conn) -> None:
    nft.conn.set_read_buffer(2304)
    names = [Table(family=Family.INET, name=f"t{number}") for number in range(100)]
    nft.conn.send_messages([BEGIN, *(request(Command.NEWTABLE, one, ACK) for one in names), END])
    # The loss is reported before what was received.
    with pytest.raises(OpError) as caught:
        nft.conn.receive()
    assert caught.value.errno == errno.ENOBUFS
    with nftables.dial() as other:
        assert len(other.tables()) == 100


def test_the_end_of_an_interval_has_no_other_attributes(nft: nftables.Conn) -> None:
    with nft.transaction() as tx:
        tx.add(T)
        flags = SetFlags.INTERVAL | SetFlags.TIMEOUT
        tx.add(Set(family=Family.INET, table="t", name="four", flags=flags, key_type=7, key_len=4))
    end = Element(key=bytes([10, 0, 1, 0]), flags=ElementFlags.INTERVAL_END, timeout=1000)
    listed = ElementList(family=Family.INET, table="t", set="four", elements=[Element(key=bytes([10, 0, 0, 0])), end])
    tx = nft.transaction()
    tx.add(listed)
    with pytest.raises(TransactionError) as caught:
        tx.commit()
    assert caught.value.errno == errno.EINVAL
