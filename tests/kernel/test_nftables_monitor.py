"""Streams of nftables on the real kernel: changes and traces, with nft(8) as the oracle."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from kernel import rulesets
from kernel.tools import unprivileged
from netlink import Overrun
from netlink.netfilter import nftables
from netlink.netfilter.nftables import (
    Chain,
    Commit,
    Commits,
    ElementList,
    Family,
    Hook,
    KeyType,
    Rule,
    Table,
    Trace,
    TraceSteps,
    TraceType,
    expr,
    make_set,
)
from netlink.stream import ResyncBegin, ResyncEnd

T = Table(family=Family.INET, name="t")
IN = Chain(family=Family.INET, table="t", name="in", type="filter", hook=Hook.INPUT, priority=0)
PORTS = make_set(Family.INET, "t", "ports", KeyType.INET_SERVICE)


def rule(*parts: expr.AnyExpression, chain: str = "in") -> Rule:
    return Rule(family=Family.INET, table="t", chain=chain, expressions=[expr.wrap(part) for part in parts])


def prepare(nft: nftables.Conn) -> None:
    with nft.transaction() as tx:
        tx.add(T)
        tx.add(PORTS)
        tx.add(IN)
        tx.add_elements(PORTS, [22, 80])
        tx.add(rule(expr.Counter()))


def kinds(changes: Iterable[Any]) -> list[str]:
    """Events and classes. Elements of one change come in one message or in several, by the kernel."""
    found: list[str] = []
    for one in changes:
        kind = f"{one.event.name} {type(one).__name__}"
        if kind != "NEW ElementList" or found[-1:] != [kind]:
            found.append(kind)
    return found


def test_changes_come_by_generation(nft: nftables.Conn) -> None:
    with nftables.listen() as stream:
        prepare(nft)
        with nft.transaction() as tx:
            tx.delete_elements(nft.get(PORTS), [22])
            tx.flush(IN)
            tx.delete(T)
        first, second = (next(Commits(stream)) for _ in range(2))
    assert kinds(first.changes) == ["NEW Table", "NEW Set", "NEW Chain", "NEW ElementList", "NEW Rule"]
    assert isinstance(first.changes[3], ElementList)
    assert {one.key for one in first.changes[3].elements or ()} <= {b"\0\x16", b"\0\x50"}
    assert set(kinds(second.changes)) == {f"DEL {name}" for name in ("Table", "Set", "Chain", "ElementList", "Rule")}
    assert first.generation.pid == os.getpid()
    assert first.generation.name
    assert second.generation.id == nft.generation().id == (first.generation.id or 0) + 1


def test_changes_are_those_of_nft_monitor(nft: nftables.Conn) -> None:
    if rulesets.nft("list ruleset").returncode:
        pytest.skip("nft(8) does not list the ruleset")
    monitor = subprocess.Popen(["nft", "-nn", "monitor"], stdout=subprocess.PIPE, text=True)
    try:
        assert monitor.stdout is not None
        with nftables.listen() as stream:
            lines: list[str] = []
            while not lines:  # until it listens
                rulesets.load("add table ip probe; delete table ip probe")
                os.set_blocking(monitor.stdout.fileno(), False)
                lines = monitor.stdout.readlines()
            os.set_blocking(monitor.stdout.fileno(), True)
            prepare(nft)
            commits = (one.changes for one in Commits(stream))
            ours = next(found for found in commits if isinstance(found[0], Table) and found[0].name == "t")
            theirs: list[str] = []
            while not theirs or theirs[-1] != "rule":
                words = monitor.stdout.readline().split()
                if words[:1] == ["add"] and words[3] == "t":
                    theirs.append(words[1])
    finally:
        monitor.kill()
        monitor.communicate()
    names = {"Table": "table", "Set": "set", "Chain": "chain", "ElementList": "element", "Rule": "rule"}
    assert [names[kind.split()[1]] for kind in kinds(ours)] == list(dict.fromkeys(theirs))


def test_a_loss_is_reported_and_no_commit_is_made_of_its_rest(nft: nftables.Conn) -> None:
    with nft.transaction() as tx:
        tx.add(T)
        tx.add(IN)
    with nftables.listen(read_buffer=4608) as stream:
        with nft.transaction() as tx:
            for number in range(300):
                tx.add(rule(expr.Counter(packets=number, bytes=0)))
        commits = Commits(stream)
        with pytest.raises(Overrun):
            next(commits)
        assert stream.lost
        with nft.transaction() as tx:
            tx.add(Table(family=Family.INET, name="later"))
        found = next(commits)
    assert kinds(found.changes) == ["NEW Table"]


def test_a_generation_behind_a_loss_makes_no_commit(nft: nftables.Conn) -> None:
    """A datagram of changes may be too long for what is left of the read buffer, and that of their generation fit."""
    with nft.transaction() as tx:
        tx.add(T)
        tx.add(IN)
    behind = 0
    for read_buffer in range(2304, 2304 + 8192, 256):
        with (
            nftables.listen(read_buffer=read_buffer, on_overrun="mark") as stream,
            nftables.listen(read_buffer=read_buffer, on_overrun="mark") as joined,
        ):
            with nft.transaction() as tx:
                for number in range(100):
                    tx.add(rule(expr.Counter(packets=number, bytes=0)))
            items: list[Any] = []
            while not isinstance(items[-1] if items else None, Overrun):
                items.append(next(stream))
            behind += any(isinstance(item, nftables.Generation) for item in items)
            assert isinstance(next(Commits(joined)), Overrun)
    if not behind:
        pytest.skip("this kernel drops all that follows a loss, until something is read")


def names(state: Iterable[Any]) -> list[Any]:
    """What is in a ruleset: classes with names, handles of rules, and keys of elements."""
    found: list[Any] = []
    for one in state:
        assert one.event is None
        if isinstance(one, ElementList):
            found += [(one.set, element.key) for element in one.elements or ()]
        else:
            found.append((type(one).__name__, one.handle if isinstance(one, Rule) else one.name))
    return found


def in_kernel(nft: nftables.Conn) -> list[Any]:
    all_of = nft.ruleset()
    found = names(one for part in all_of[1:] for one in part)
    return found + [(of.name, element.key) for of in all_of.sets for element in nft.elements(of)]


def overrun(nft: nftables.Conn, *, first: int = 0) -> None:
    """Changes that no small read buffer has room for."""
    with nft.transaction() as tx:
        for number in range(300):
            tx.add(rule(expr.Counter(packets=first + number, bytes=0)))


def test_a_resync_has_all_of_the_ruleset_and_then_later_changes(nft: nftables.Conn) -> None:
    prepare(nft)
    many = make_set(Family.INET, "t", "many", KeyType.MARK)
    with nft.transaction() as tx:
        tx.add(many)
        tx.add_elements(many, range(10_000))  # several messages of a dump
    with nftables.listen(read_buffer=4608, on_overrun="resync") as stream:
        overrun(nft)
        commits = Commits(stream)
        assert next(commits) == ResyncBegin(stream.lost)
        assert stream.lost
        state = next(commits)
        assert isinstance(state, Commit)
        assert state.generation.id == nft.generation().id
        assert sorted(names(state.changes), key=repr) == sorted(in_kernel(nft), key=repr)
        assert next(commits) == ResyncEnd()
        with nft.transaction() as tx:
            tx.add(Table(family=Family.INET, name="later"))
        later = next(commits)
    assert isinstance(later, Commit)
    assert kinds(later.changes) == ["NEW Table"]
    assert later.generation.id == (state.generation.id or 0) + 1


def test_changes_that_a_resync_has_do_not_come_again(nft: nftables.Conn) -> None:
    """Those that are made between the loss and the state, and during it: the state is of one generation."""
    prepare(nft)
    with nftables.listen(read_buffer=4608, on_overrun="resync") as stream:
        for turn in range(3):
            overrun(nft, first=turn)
            commits = Commits(stream)
            assert isinstance(next(commits), ResyncBegin)
            with nft.transaction() as tx:
                tx.add(Table(family=Family.INET, name=f"between{turn}"))
            state = next(commits)
            assert isinstance(state, Commit)
            assert ("Table", f"between{turn}") in names(state.changes)
            assert next(commits) == ResyncEnd()
            with nft.transaction() as tx:
                tx.add(Table(family=Family.INET, name=f"later{turn}"))
            later = next(commits)
            assert isinstance(later, Commit)
            assert [one.name for one in later.changes if isinstance(one, Table)] == [f"later{turn}"]


ROUNDS = 6


def follow(stream: Any, seen: list[threading.Event]) -> tuple[set[str | None], int]:
    """The tables that the commits of a stream make, and the number of resyncs. seen: the last table of each round."""
    tables: set[str | None] = set()
    in_resync = False
    resyncs = 0
    for item in Commits(stream):
        if isinstance(item, ResyncBegin):
            in_resync = True
        elif isinstance(item, ResyncEnd):
            in_resync = False
            resyncs += 1
        else:
            if in_resync:
                tables.clear()
            for one in item.changes:
                if isinstance(one, Table) and one.event == nftables.Event.DEL:
                    tables.remove(one.name)  # one that is not there is a KeyError
                elif isinstance(one, Table):
                    assert one.name not in tables
                    tables.add(one.name)
        for number, event in enumerate(seen):
            if f"round{number}" in tables:
                event.set()
        if seen[-1].is_set() and not in_resync:
            break
    return tables, resyncs


def test_the_state_of_a_resync_and_the_commits_behind_it_are_the_ruleset(nft: nftables.Conn) -> None:
    """Whatever another thread changes meanwhile, no table comes twice, and none that was not there goes."""
    prepare(nft)
    seen = [threading.Event() for _ in range(ROUNDS)]

    def change() -> None:
        with nftables.dial() as other:
            for turn, event in enumerate(seen):
                overrun(other, first=turn)
                for number in range(turn * 60, turn * 60 + 60):
                    with other.transaction() as tx:
                        tx.add(Table(family=Family.INET, name=f"busy{number}"))
                        if number >= 20:
                            tx.delete(Table(family=Family.INET, name=f"busy{number - 20}"))
                with other.transaction() as tx:
                    tx.add(Table(family=Family.INET, name=f"round{turn}"))
                if not event.wait(30):
                    return

    with nftables.listen(read_buffer=4608, on_overrun="resync") as stream:
        overrun(nft)
        writer = threading.Thread(target=change)
        writer.start()
        try:
            tables, resyncs = follow(stream, seen)
        finally:
            writer.join()
    assert resyncs
    assert tables == {one.name for one in nft.tables()}


def test_a_resync_over_asyncio(nft: nftables.Conn) -> None:
    async def main() -> list[Any]:
        async with nftables.listen(read_buffer=4608, on_overrun="resync") as stream:
            prepare(nft)
            overrun(nft)
            commits = Commits(stream)
            found: list[Any] = [await anext(commits)]
            while found[-1] != ResyncEnd():
                found.append(await anext(commits))
            return found

    *_, begin, state, _ = asyncio.run(main())
    assert isinstance(begin, ResyncBegin)
    assert sorted(names(state.changes), key=repr) == sorted(in_kernel(nft), key=repr)


def test_changes_over_asyncio(nft: nftables.Conn) -> None:
    async def main() -> Commit:
        with nftables.listen() as stream:
            prepare(nft)
            return await anext(Commits(stream))

    assert len(kinds(asyncio.run(main()).changes)) == 5


def send(port: int, payload: bytes = b"traced") -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(payload, ("127.0.0.1", port))


def traced(nft: nftables.Conn) -> tuple[Any, Any, Any]:
    """A ruleset that traces packets to port 9: the rules that trace, jump and drop."""
    jump = expr.Verdict(code=expr.VerdictCode.JUMP, chain="other")
    with nft.transaction(echo=True) as tx:
        tx.add(T)
        tx.add(IN)
        tx.add(Chain(family=Family.INET, table="t", name="other"))
        first = tx.add(
            rule(
                expr.Meta(key=expr.MetaKey.L4PROTO, dreg=1),
                expr.Cmp(sreg=1, op=expr.CmpOp.EQ, data=b"\x11"),
                expr.Payload(dreg=1, base=expr.PayloadBase.TRANSPORT_HEADER, offset=2, len=2),
                expr.Cmp(sreg=1, op=expr.CmpOp.EQ, data=b"\0\x09"),
                expr.Immediate(dreg=1, data=(1).to_bytes(1, "big")),
                expr.Meta(key=expr.MetaKey.NFTRACE, sreg=1),
            )
        )
        assert first.id
        tx.add(rule(expr.Counter(), chain="other"))
        tx.add(rule(expr.Immediate(dreg=0, verdict=jump)))
        tx.add(rule(expr.Immediate(dreg=0, verdict=expr.Verdict(code=expr.VerdictCode.DROP))))
    _, _, _, first_, other, jumping, dropping = tx.results
    return first_, other, (jumping, dropping)


def test_packets_are_followed_through_the_rules(nft: nftables.Conn) -> None:
    first, other, (jumping, dropping) = traced(nft)
    with nftables.trace() as stream:
        send(9, b"one")
        send(10)
        plain = [next(stream) for _ in range(5)]
        send(9, b"two!")
        steps = TraceSteps(stream)
        joined = [next(steps) for _ in range(5)]
    handles = [first.handle, jumping.handle, other.handle, None, dropping.handle]
    for found in (plain, joined):
        assert [one.rule_handle for one in found] == handles
        # The end of a chain is a return, or in newer kernels a rule without a handle.
        assert {one.type for one in found if one.rule_handle} == {TraceType.RULE}
        assert found[3].type in {TraceType.RETURN, TraceType.RULE}
        assert [one.chain for one in found] == ["in", "in", "other", "other", "in"]
        assert len({one.id for one in found}) == 1
        codes = [None if one.verdict is None else one.verdict.code for one in found]
        assert codes[1] == expr.VerdictCode.JUMP
        assert codes[-1] == expr.VerdictCode.DROP
    assert [one.network_header is not None for one in plain] == [True, False, False, False, False]
    assert all(one.network_header and one.network_header[0] == 0x45 for one in joined)
    assert {one.transport_header[2:6] for one in joined if one.transport_header} == {b"\0\x09\0\x0c"}
    assert all(one.iif == 1 for one in plain if one.iif is not None)


def test_an_id_is_used_again_by_another_packet(nft: nftables.Conn) -> None:
    """Steps of the second packet have its own headers, not those of the first."""
    traced(nft)
    seen: dict[int, int] = {}
    with nftables.trace() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        steps = TraceSteps(stream)
        for size in range(1000):
            sender.sendto(bytes(size), ("127.0.0.1", 9))
            found = [next(steps) for _ in range(5)]
            (id_,) = {one.id for one in found}
            lengths = {one.transport_header[4:6] for one in found if one.transport_header}
            assert lengths == {(size + 8).to_bytes(2, "big")}
            assert id_ is not None
            if id_ in seen:
                break
            seen[id_] = size
        else:
            pytest.skip("this kernel gave each of 1,000 packets an id of its own")


def test_a_policy_is_a_step(nft: nftables.Conn) -> None:
    traced(nft)
    with nft.transaction() as tx:
        tx.flush(IN)
        tx.add(rule(expr.Immediate(dreg=1, data=b"\1"), expr.Meta(key=expr.MetaKey.NFTRACE, sreg=1)))
    with nftables.trace() as stream:
        send(9)
        found = next(stream)
        while found.type != TraceType.POLICY:
            found = next(stream)
    assert found.policy == nftables.Policy.ACCEPT


def test_traces_over_asyncio(nft: nftables.Conn) -> None:
    traced(nft)

    async def main() -> list[Trace]:
        with nftables.trace() as stream:
            send(9)
            steps = TraceSteps(stream)
            return [await anext(steps) for _ in range(5)]

    assert all(one.network_header for one in asyncio.run(main()))


@pytest.mark.parametrize("way", [nftables.listen, nftables.trace])
def test_streams_without_permission(way: Any) -> None:
    with pytest.raises(PermissionError) as caught:
        unprivileged(way)
    assert "CAP_NET_ADMIN" in caught.value.hint  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="on_overrun must be"):
        way(on_overrun="ignore")


def test_steps_of_packets_have_no_resync(nft: nftables.Conn) -> None:
    with pytest.raises(ValueError, match="cannot be read again"):
        nftables.trace(on_overrun="resync")  # type: ignore[call-overload]
