"""Expectations and counters of conntrack, with conntrack(8) as the oracle."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

import netns
from kernel.flows import TCP, UDP, datagrams, track, tuples
from netlink import OpError
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import Expect, ExpectFlags, ExpectNAT, Flow, ProtoInfo, TCPInfo, Tuple

MASKS = {4: "255.255.255.255", 6: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}


@pytest.fixture
def ct() -> Iterator[conntrack.Conn]:
    netns.require_conntrack()
    with conntrack.dial() as ct:
        yield ct


def master(ct: conntrack.Conn, number: int, version: int = 4, **values: Any) -> Tuple:
    """The original tuple of a flow that FTP's helper looks after."""
    flow = Flow(**tuples(number, TCP, version), timeout=600, protoinfo=ProtoInfo(tcp=TCPInfo(state=3)), **values)
    try:
        ct.create(Flow(**{name: getattr(flow, name) for name in Flow.__fields__} | {"helper": "ftp"}))
    except OpError as error:
        if error.errno == errno.EOPNOTSUPP:
            pytest.skip("the kernel has no nf_conntrack_ftp")
        raise
    return flow.orig


def announced(of: Tuple, port: int, version: int = 4, **values: Any) -> Expect:
    """A data connection back from the server."""
    mask = MASKS[version]
    return Expect(
        master=of,
        tuple=Tuple(src=of.dst, dst=of.src, proto=TCP, src_port=0, dst_port=port),
        mask=Tuple(src=mask, dst=mask, proto=255, src_port=0, dst_port=0xFFFF),
        **{"timeout": 60} | values,
    )


def printed() -> list[str]:
    if shutil.which("conntrack") is None:
        pytest.skip("conntrack(8) is missing (Debian: conntrack)")
    command = ["conntrack", "-L", "expect"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("version", [4, 6])
def test_a_created_expectation_is_printed_by_conntrack(ct: conntrack.Conn, version: int) -> None:
    of = master(ct, 1, version)
    wanted = announced(of, 4000, version)
    ct.create_expect(wanted)
    got = ct.get_expect(wanted)
    assert got.master == wanted.master
    assert got.tuple == wanted.tuple
    # Of the destination all bits count, whatever was asked for.
    assert (got.mask.src, got.mask.src_port) == (wanted.mask.src, 0)
    assert (got.helper, got.class_, got.zone, got.nat) == ("ftp", 0, None, None)
    assert got.timeout is not None
    assert 50 < got.timeout <= 300  # of the helper's policy, where it has one
    assert got.id
    assert [(expect.id, expect.tuple) for expect in ct.dump_expect()] == [(got.id, got.tuple)]
    family, other = (socket.AF_INET, socket.AF_INET6) if version == 4 else (socket.AF_INET6, socket.AF_INET)
    assert len(ct.dump_expect(family=family)) == 1
    assert len(ct.dump_expect(family=other)) == 0
    if version == 4:
        (line,) = printed()
        assert re.search(
            rf"proto=6 src={got.tuple.src} dst={got.tuple.dst} sport=0 dport=4000 .*"
            rf"master-src={of.src} master-dst={of.dst} sport={of.src_port} dport=443 .*helper=ftp",
            line,
        )
    with pytest.raises(OpError) as caught:
        ct.create_expect(wanted)
    assert caught.value.errno in (errno.EEXIST, errno.EBUSY)
    assert "expectation" in str(caught.value)


def test_all_fields(ct: conntrack.Conn) -> None:
    of = master(ct, 1, zone=5)
    nat = ExpectNAT(dir=1, tuple=Tuple(src="198.51.100.1", dst="198.51.100.2", proto=TCP, src_port=7, dst_port=0))
    wanted = announced(of, 4000, zone=5, flags=ExpectFlags.PERMANENT, helper="ftp", nat=nat)
    ct.create_expect(wanted)
    got = ct.get_expect(wanted)
    assert got.zone is None
    assert got.flags is not None
    assert got.flags & ExpectFlags.PERMANENT
    assert got.nat is not None
    assert got.nat.dir == 1
    assert got.nat.tuple is not None
    assert (str(got.nat.tuple.src), got.nat.tuple.src_port) == ("198.51.100.1", 7)
    # In its zone alone.
    with pytest.raises(FileNotFoundError, match="in that zone"):
        ct.get_expect(announced(of, 4000))
    with pytest.raises(FileNotFoundError):
        ct.delete_expect(announced(of, 4000))
    ct.delete_expect(wanted)
    assert len(ct.dump_expect()) == 0


def test_delete_and_flush(ct: conntrack.Conn) -> None:
    of = master(ct, 1)
    expects = [announced(of, port) for port in range(4000, 4008)]
    for expect in expects[:1]:
        ct.create_expect(expect)
    (got,) = ct.dump_expect()
    with pytest.raises(FileNotFoundError):
        ct.delete_expect(Expect(tuple=got.tuple, id=(got.id or 0) ^ 1))
    for nothing in (Expect(), Expect(master=of), Expect(id=got.id), Expect(tuple=Tuple())):
        with pytest.raises(ValueError, match="no tuple"):
            ct.delete_expect(nothing)
        with pytest.raises(ValueError, match="no tuple"):
            ct.get_expect(nothing)
    assert len(ct.dump_expect()) == 1
    ct.delete_expect(got)
    assert len(ct.dump_expect()) == 0
    ct.create_expect(expects[1])
    ct.flush_expect(helper="tftp")
    assert len(ct.dump_expect()) == 1
    ct.flush_expect(helper="ftp")
    assert len(ct.dump_expect()) == 0
    ct.create_expect(expects[2])
    ct.flush_expect()
    assert len(ct.dump_expect()) == 0
    assert len(ct.dump()) == 1


def test_an_expectation_without_its_master_is_refused_with_a_hint(ct: conntrack.Conn) -> None:
    with pytest.raises(FileNotFoundError, match="no such master"):
        ct.create_expect(announced(tuples(9, TCP)["orig"], 4000))
    ct.create(Flow(**tuples(9, TCP), timeout=60))
    with pytest.raises(OpError, match="the master has no helper"):
        ct.create_expect(announced(tuples(9, TCP)["orig"], 4000))


# Counters


def test_counters_of_the_cpus_as_conntrack_prints_them(ct: conntrack.Conn) -> None:
    track()
    for _ in range(5):
        datagrams([100])
    if shutil.which("conntrack") is None:
        pytest.skip("conntrack(8) is missing (Debian: conntrack)")
    text = subprocess.run(["conntrack", "-S"], capture_output=True, text=True, check=True).stdout
    theirs = [{k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)} for line in text.splitlines()]
    ours = [{"cpu": s.cpu} | {k: v for k, v in s.to_dict().items() if k != "header"} for s in ct.stats()]
    assert len(ours) == len(theirs) > 0
    names = {"clashres": "clash_resolve", "chaintoolong": "chain_toolong"}
    for mine, other in zip(ours, theirs, strict=True):
        counters = {names.get(name, name): value for name, value in other.items()}
        assert {name: mine.get(name) for name in counters} == counters
    assert sum(s.insert_failed or 0 for s in ct.stats()) == 0
    assert {s.cpu for s in ct.stats()} <= set(range(os.cpu_count() or 1))


def test_counters_of_the_table(ct: conntrack.Conn) -> None:
    assert ct.stats_global().entries == 0
    netns.add_flows(ct.conn, 7)
    stats = ct.stats_global()
    assert stats.entries == 7
    assert stats.max_entries is None or stats.max_entries > 7  # since Linux 5.9


def test_counters_of_expectations(ct: conntrack.Conn) -> None:
    def total(name: str) -> int:
        return sum(getattr(s, name) or 0 for s in ct.stats_expect())

    of = master(ct, 1)
    before = total("create"), total("delete")
    ct.create_expect(announced(of, 4000))
    ct.flush_expect()
    assert (total("create"), total("delete")) == (before[0] + 1, before[1] + 1)
    assert [s.cpu for s in ct.stats_expect()] == [s.cpu for s in ct.stats()]


def test_errors_have_hints(ct: conntrack.Conn) -> None:
    flow = Flow(**tuples(1, UDP), timeout=60)
    ct.create(flow)
    with pytest.raises(FileExistsError, match="update changes a flow"):
        ct.create(flow)
    with pytest.raises(FileNotFoundError, match="no such flow in that zone"):
        ct.delete(Flow(orig=flow.orig, zone=3))
    with pytest.raises(OpError, match="helper or NAT"):
        ct.create(Flow(**tuples(2, UDP), timeout=60, helper="no-such-helper"))
    netns.add_flows(ct.conn, 10_000)
    parts = ct.iter_dump()
    next(parts)
    with pytest.raises(OpError, match="iter_dump"):
        ct.dump()
    del parts
