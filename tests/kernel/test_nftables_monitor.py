"""Streams of nftables on the real kernel: changes and traces, with nft(8) as the oracle."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
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
        way(on_overrun="resync")
