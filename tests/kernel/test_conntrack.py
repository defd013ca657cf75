"""conntrack on the real table, with conntrack(8) as the oracle."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

import netns
from kernel.flows import (
    TCP,
    UDP,
    accounting,
    beyond_xml,
    by_identity,
    connection,
    datagrams,
    fields_of,
    listed,
    listed_beyond_xml,
    nft,
    track,
    tuples,
    varied,
)
from kernel.tools import Worker, unprivileged
from netlink import HeaderFlags, OpError
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import NAT, Flow, ProtoInfo, Status, TCPInfo, Tuple


@pytest.fixture
def ct() -> Iterator[conntrack.Conn]:
    netns.require_conntrack()
    with conntrack.dial() as ct:
        yield ct


def test_a_dump_is_what_conntrack_prints(ct: conntrack.Conn) -> None:
    accounting()
    flows = varied(30)
    netns.require_conntrack(len(flows))
    for flow in flows:
        ct.create(flow)
    batch = ct.dump()
    assert len(batch) == len(flows) >= 3000
    ours, theirs = by_identity(map(fields_of, batch)), by_identity(listed())
    assert ours.keys() == theirs.keys()
    for key, flow in ours.items():
        # Seconds that passed between the two.
        assert 0 <= flow["timeout"] - theirs[key]["timeout"] < 60
        theirs[key]["timeout"] = flow["timeout"]
        # Older kernels hold one more reference while they print a flow.
        assert abs(flow["use"] - theirs[key]["use"]) <= 1
        theirs[key]["use"] = flow["use"]
        assert flow == theirs[key]
    assert beyond_xml(batch) == listed_beyond_xml()
    assert len(beyond_xml(batch)) == 30 * 2 * (3 + 8)


def test_a_dump_is_what_was_created(ct: conntrack.Conn) -> None:
    """What conntrack(8) does not print, too."""
    flows = {(flow.orig, flow.zone): flow for flow in varied(20)}
    for flow in flows.values():
        ct.create(flow)
    batch = ct.dump()
    assert len(batch) == len(flows)
    for got in batch:
        flow = flows[got.orig, got.zone]
        assert (got.reply, got.mark) == (flow.reply, flow.mark)
        assert got.status == (flow.status or Status(0)) | Status.CONFIRMED
        assert got.timeout is not None
        assert flow.timeout is not None
        assert flow.timeout - 60 < got.timeout <= flow.timeout
        if flow.protoinfo is None:
            assert got.protoinfo is None
        elif flow.protoinfo.sctp:
            assert got.protoinfo is not None
            assert got.protoinfo.sctp == flow.protoinfo.sctp
        else:
            assert got.protoinfo is not None
            tcp, wanted = got.protoinfo.tcp, flow.protoinfo.tcp
            assert tcp is not None
            assert wanted is not None
            for name in ("state", "wscale_original", "wscale_reply"):
                assert getattr(tcp, name) == getattr(wanted, name)


def test_real_packets_are_counted_and_timed_as_conntrack_prints(ct: conntrack.Conn) -> None:
    accounting()
    track()
    addresses = ("127.0.0.1", "::1")
    sizes = {}
    for n in range(1, 11):
        for address in addresses:
            sizes[UDP, datagrams([100] * n, address)] = (n, n * (100 + (28 if address == "127.0.0.1" else 48)))
    connections = {(TCP, connection(address)) for address in addresses}
    batch = ct.dump()
    ours, theirs = by_identity(map(fields_of, batch)), by_identity(listed())
    for flow in (*ours.values(), *theirs.values()):
        assert flow.pop("timeout") is not None
        assert flow.pop("use") in (1, 2)  # older kernels hold one more reference while they print a flow
        assert flow["start"] > 1_700_000_000_000_000_000
    assert ours == theirs
    # One port alone may be taken twice, by another protocol or after it was closed.
    counted = {(flow["orig"]["proto"], flow["orig"]["ports"]): flow for flow in ours.values()}
    assert counted.keys() == sizes.keys() | connections
    for key, counters in sizes.items():
        assert counted[key]["orig"]["counters"] == counters
        assert counted[key]["reply"]["counters"] == (0, 0)
    for key in connections:
        assert counted[key]["orig"]["counters"][1] > 1000
        assert counted[key]["state"] in ("TIME_WAIT", "CLOSE", "LAST_ACK")


def test_helpers(ct: conntrack.Conn) -> None:
    flow = Flow(**tuples(1, TCP), timeout=60, helper="ftp", protoinfo=ProtoInfo(tcp=TCPInfo(state=3)))
    try:
        ct.create(flow)
    except OpError as error:
        if error.errno == errno.EOPNOTSUPP:
            pytest.skip("the kernel has no nf_conntrack_ftp")
        raise
    got = ct.get(flow)
    assert got.helper == "ftp"
    assert got.status is not None
    assert got.status & Status.HELPER
    assert [flow["helper"] for flow in listed()] == ["ftp"]
    with pytest.raises(OpError):
        ct.create(Flow(**tuples(2, TCP), timeout=60, helper="no-such-helper"))


def test_labels_are_words_in_host_order_and_none_where_all_are_zero(ct: conntrack.Conn) -> None:
    track()
    nft("add rule inet t in udp dport 9 ct label set 3")  # for their memory
    one = bytes([0b1000, 0, 0, 0, *range(1, 13)])
    ct.create(Flow(**tuples(1, UDP), timeout=60, labels=one))
    ct.create(Flow(**tuples(2, UDP), timeout=60, labels=bytes(16)))
    ct.create(Flow(**tuples(3, UDP), timeout=60))
    found = {int(flow.orig.src) - 0x0A000000: flow.labels for flow in ct.dump() if flow.orig.src}
    assert found == {1: one, 2: None, 3: None}
    # With a mask it changes what the mask names.
    ct.update(Flow(**tuples(1, UDP), labels=bytes([0b0100, *bytes(15)]), labels_mask=bytes([0b1100, *bytes(15)])))
    assert ct.get(Flow(**tuples(1, UDP))).labels == bytes([0b0100, *one[1:]])


@pytest.mark.parametrize("version", [4, 6])
def test_what_is_created_is_there(ct: conntrack.Conn, version: int) -> None:
    for flow in (flow for flow in varied() if flow.orig.src is not None and flow.orig.src.version == version):
        ct.create(flow)
        got = ct.get(flow)
        assert (got.orig, got.reply) == (flow.orig, flow.reply)
        assert (got.mark, got.zone) == (flow.mark or 0, flow.zone)
        assert flow.timeout is not None
        assert got.timeout is not None
        assert flow.timeout - 5 <= got.timeout <= flow.timeout
        assert got.status is not None
        assert got.status & Status.CONFIRMED
        if flow.protoinfo and flow.protoinfo.tcp:
            assert got.protoinfo is not None
            assert got.protoinfo.tcp is not None
            for name in ("state", "wscale_original", "wscale_reply"):
                assert getattr(got.protoinfo.tcp, name) == getattr(flow.protoinfo.tcp, name)
        with pytest.raises(FileExistsError):
            ct.create(flow)


def test_nat_is_set_up_on_create(ct: conntrack.Conn) -> None:
    flow = Flow(
        **tuples(1, UDP),
        timeout=60,
        nat_src=NAT(min_ip="198.51.100.7", max_ip="198.51.100.7", min_port=5000, max_port=5000),
    )
    try:
        ct.create(flow)
    except OpError as error:
        if error.errno == errno.EOPNOTSUPP:
            pytest.skip("the kernel has no nf_nat")
        raise
    (got,) = ct.dump()
    assert got.status is not None
    assert got.status & Status.SRC_NAT
    assert (str(got.reply.dst), got.reply.dst_port) == ("198.51.100.7", 5000)


def test_update_changes_what_it_names(ct: conntrack.Conn) -> None:
    flow = Flow(**tuples(1, UDP), timeout=600, mark=5)
    ct.create(flow)
    ct.update(Flow(orig=flow.orig, mark=77))
    got = ct.get(flow)
    assert got.mark == 77
    assert got.timeout is not None
    assert got.timeout > 500
    ct.update(Flow(reply=flow.reply, timeout=30))
    assert (ct.get(flow).timeout or 0) <= 30


def test_accounting_and_timestamps(ct: conntrack.Conn) -> None:
    netns.sysctl("net.netfilter.nf_conntrack_acct", 1)
    netns.sysctl("net.netfilter.nf_conntrack_timestamp", 1)
    ct.create(Flow(**tuples(1, UDP), timeout=60))
    (flow,) = ct.dump(zero=True)
    assert flow.counters_orig is not None
    assert (flow.counters_orig.packets, flow.counters_orig.bytes) == (0, 0)
    assert flow.timestamp is not None
    assert flow.timestamp.start is not None
    assert flow.timestamp.start > 1_700_000_000_000_000_000
    netns.sysctl("net.netfilter.nf_conntrack_acct", 0)
    ct.create(Flow(**tuples(2, UDP), timeout=60))
    assert ct.get(Flow(**tuples(2, UDP))).counters_orig is None


def test_delete(ct: conntrack.Conn) -> None:
    one, two = Flow(**tuples(1, UDP), timeout=60), Flow(**tuples(2, UDP), timeout=60)
    ct.create(one)
    ct.create(two)
    ct.delete(Flow(orig=one.orig))
    assert [flow.orig for flow in ct.dump()] == [two.orig]
    with pytest.raises(FileNotFoundError):
        ct.delete(one)
    with pytest.raises(FileNotFoundError):
        ct.get(one)
    # CTA_ID: not a flow that took the tuple over.
    with pytest.raises(FileNotFoundError):
        ct.delete(Flow(orig=two.orig, id=(ct.get(two).id or 0) ^ 1))
    ct.delete(ct.get(two))
    assert len(ct.dump()) == 0


def test_delete_refuses_a_flow_without_a_tuple(ct: conntrack.Conn) -> None:
    ct.create(Flow(**tuples(1, UDP), timeout=60))
    for flow in (Flow(), Flow(mark=1), Flow(zone=3), Flow(orig=Tuple())):
        with pytest.raises(ValueError, match="tuple"):
            ct.delete(flow)
    assert len(ct.dump()) == 1


def test_delete_goes_to_the_flow_s_own_zone(ct: conntrack.Conn) -> None:
    here, there = Flow(**tuples(1, UDP), timeout=60), Flow(**tuples(1, UDP), timeout=60, zone=7)
    ct.create(here)
    ct.create(there)
    ct.delete(next(flow for flow in ct.dump() if flow.zone == 7))
    assert [flow.zone for flow in ct.dump()] == [None]


def test_flush_of_one_family_leaves_the_other_alone(ct: conntrack.Conn) -> None:
    for number in range(50):
        ct.create(Flow(**tuples(number, UDP, 4), timeout=60))
        ct.create(Flow(**tuples(number, UDP, 6), timeout=60))
    ct.flush(family=socket.AF_INET6)
    assert {flow.header.family for flow in ct.dump() if flow.header} == {socket.AF_INET}
    assert len(ct.dump()) == len(ct.dump(family=socket.AF_INET)) == 50
    assert len(ct.dump(family=socket.AF_INET6)) == 0
    ct.flush()
    assert len(ct.dump()) == 0
    with pytest.raises(ValueError, match="AF_INET"):
        ct.flush(family=1)


def test_iter_dump_is_the_dump_in_parts(ct: conntrack.Conn) -> None:
    netns.require_conntrack(10_000)
    netns.add_flows(ct.conn, 10_000)
    whole = {flow.orig for flow in ct.dump()}
    parts = list(ct.iter_dump())
    assert [len(part) for part in parts] == [4096, 4096, 1808]
    assert {flow.orig for part in parts for flow in part} == whole
    assert len(whole) == 10_000


def test_an_iter_dump_left_early_leaves_the_connection_usable(ct: conntrack.Conn) -> None:
    netns.require_conntrack(10_000)
    netns.add_flows(ct.conn, 10_000)
    for _ in range(3):
        for part in ct.iter_dump():
            with pytest.raises(OpError) as caught:
                ct.dump()
            assert str(caught.value).endswith(
                ": this thread is in the middle of the connection's iter_dump: "
                "read it to its end or close it first, or use a second connection"
            )
            assert (caught.value.errno, caught.value.hint) == (errno.EBUSY, "")
            assert len(part) == 4096
            break
        assert len(ct.dump()) == 10_000


def added(number: int) -> Tuple:
    """Of a flow of `netns.add_flows`."""
    source = ipaddress.ip_address(0x0A000000 + number)
    return Tuple(src=source, dst="192.0.2.1", proto=UDP, src_port=1024, dst_port=53)


def test_a_dump_of_a_table_that_changes_is_not_marked_interrupted(
    ct: conntrack.Conn, work: Callable[..., Worker]
) -> None:
    lasting, passing = 5_000, 1_000
    netns.require_conntrack(lasting + passing)
    netns.add_flows(ct.conn, lasting)
    over = threading.Event()

    def churn() -> None:
        with conntrack.dial() as other:
            while not over.is_set():
                netns.add_flows(other.conn, passing, 100_000)
                for number in range(100_000, 100_000 + passing):
                    other.delete(Flow(orig=added(number)))

    worker = work(churn)
    try:
        for _ in range(10):
            batch = ct.dump()
            assert not batch.interrupted
            # The identity of a flow, by the documentation of dump.
            found = {(flow.id, flow.orig) for flow in batch}
            assert lasting - passing < len(found) <= lasting + passing
    finally:
        over.set()
        worker.result(30)


def test_a_dump_that_sets_counters_to_0_has_what_they_were(ct: conntrack.Conn) -> None:
    accounting()
    track()
    packets = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 0))
        for _ in range(5):
            for _ in range(3):
                client.sendto(b"x", server.getsockname())
            (flow,) = ct.dump(zero=True)
            assert flow.counters_orig is not None
            packets += flow.counters_orig.packets or 0
        (flow,) = ct.dump()
    assert flow.counters_orig is not None
    assert (packets, flow.counters_orig.packets, flow.counters_orig.bytes) == (15, 0, 0)


def test_dumps_that_are_empty(ct: conntrack.Conn) -> None:
    assert len(ct.dump()) == len(ct.dump_dying()) == len(ct.dump_unconfirmed()) == 0
    assert [len(part) for part in ct.iter_dump()] == [0]


def test_a_dump_over_what_is_in_hand_already_is_the_same(ct: conntrack.Conn) -> None:
    ct.create(Flow(**tuples(1, UDP), timeout=60))
    event = ct.conn.execute(netns.ct_request(netns.IPCTNL_MSG_CT_GET, HeaderFlags.REQUEST | HeaderFlags.DUMP))
    (flow,) = ct.dump()
    assert Flow.decode(event[0].data).orig == flow.orig


def test_closed_and_deadline(ct: conntrack.Conn) -> None:
    ct.conn.set_deadline(0)
    with pytest.raises(TimeoutError):
        ct.dump()
    ct.conn.set_deadline(None)
    assert len(ct.dump()) == 0
    ct.close()
    with pytest.raises(OpError) as caught:
        ct.dump()
    assert caught.value.errno == errno.EBADF


def test_closing_an_iter_dump_behind_close_or_a_deadline_is_silent(ct: conntrack.Conn) -> None:
    netns.require_conntrack(10_000)
    netns.add_flows(ct.conn, 10_000)
    parts = ct.iter_dump()
    next(parts)
    ct.conn.set_deadline(0)
    parts.close()  # type: ignore[attr-defined]
    ct.conn.set_deadline(None)
    assert len(ct.dump()) == 10_000
    parts = ct.iter_dump()
    next(parts)
    ct.close()
    parts.close()  # type: ignore[attr-defined]


def test_a_dump_cut_by_a_deadline_leaves_the_connection_usable(ct: conntrack.Conn) -> None:
    netns.require_conntrack(10_000)
    netns.add_flows(ct.conn, 10_000)
    parts = ct.iter_dump()
    next(parts)
    ct.conn.set_deadline(0)
    with pytest.raises(TimeoutError):
        list(parts)
    ct.conn.set_deadline(None)
    assert len(ct.dump()) == 10_000


def test_the_late_answer_to_an_abandoned_request_is_dropped_from_a_dump(
    ct: conntrack.Conn,
) -> None:
    netns.add_flows(ct.conn, 10)
    inbox = ct.conn._exchange.inbox
    for dump in (ct.dump, lambda: next(iter(ct.iter_dump()))):
        replies = ct.conn.execute(netns.ct_request(netns.IPCTNL_MSG_CT_GET_STATS, HeaderFlags.REQUEST))
        # As if it had not been queued yet when the dump was asked for.
        inbox.pending.append(replies)
        inbox.abandon(replies[0].header.sequence)
        assert len(dump()) == 10


@pytest.mark.parametrize("verb", ["dump", "get", "create", "delete", "flush", "dump_expect", "stats_global"])
def test_without_the_capability_the_error_says_which(ct: conntrack.Conn, verb: str) -> None:
    flow = Flow(**tuples(1, UDP), timeout=600)
    arguments = (flow,) if verb in ("get", "create", "delete") else ()
    with pytest.raises(PermissionError, match="CAP_NET_ADMIN") as caught:
        unprivileged(lambda: getattr(ct, verb)(*arguments))
    assert isinstance(caught.value, OpError)
    assert "CAP_NET_ADMIN" in caught.value.hint
    assert caught.value.strerror == os.strerror(errno.EPERM)
