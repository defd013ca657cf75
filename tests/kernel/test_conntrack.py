"""conntrack on the real table, with conntrack(8) as the oracle."""

from __future__ import annotations

import errno
import ipaddress
import re
import shutil
import socket
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest

import netns
from netlink import HeaderFlags, OpError
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import NAT, Flow, ProtoInfo, SCTPInfo, Status, TCPInfo, TCPState, Tuple

TCP, UDP, ICMP, ICMPV6, SCTP, GRE = 6, 17, 1, 58, 132, 47


@pytest.fixture
def ct() -> Iterator[conntrack.Conn]:
    netns.require_conntrack()
    with conntrack.dial() as ct:
        yield ct


def tuples(number: int, proto: int, version: int = 4, zone: int | None = None) -> dict[str, Tuple]:
    """Both directions of a flow that has number in its addresses and ports."""
    if version == 4:
        a, b = ipaddress.ip_address(0x0A000000 + number), ipaddress.ip_address("192.0.2.1")
    else:
        a, b = ipaddress.ip_address((0xFD << 120) + number), ipaddress.ip_address("2001:db8::1")
    there: dict[str, Any] = {"proto": proto}
    back: dict[str, Any] = {"proto": proto}
    if proto in (ICMP, ICMPV6):
        there.update(icmp_id=number % 65536, icmp_type=8 if proto == ICMP else 128, icmp_code=0)
        back.update(icmp_id=number % 65536, icmp_type=0 if proto == ICMP else 129, icmp_code=0)
    elif proto in (TCP, UDP, SCTP):
        there.update(src_port=1024 + number % 60000, dst_port=443)
        back.update(src_port=443, dst_port=1024 + number % 60000)
    return {"orig": Tuple(src=a, dst=b, **there), "reply": Tuple(src=b, dst=a, **back)}


def varied() -> list[Flow]:
    flows: list[Flow] = []
    for i, state in enumerate(s for s in TCPState if TCPState.SYN_SENT <= s <= TCPState.CLOSE):
        for version in (4, 6):
            tcp = TCPInfo(state=state, wscale_original=i, wscale_reply=14 - i)
            flows.append(
                Flow(
                    **tuples(100 + i, TCP, version),
                    timeout=1000 + i,
                    mark=i,
                    status=Status.SEEN_REPLY | Status.ASSURED,
                    protoinfo=ProtoInfo(tcp=tcp),
                )
            )
    for version, icmp in ((4, ICMP), (6, ICMPV6)):
        flows += [Flow(**tuples(200 + i, UDP, version), timeout=600, mark=0xFFFFFFFF - i) for i in range(20)]
        flows += [Flow(**tuples(300 + i, icmp, version), timeout=600) for i in range(20)]
        flows += [Flow(**tuples(400 + i, UDP, version), timeout=600, zone=i + 1) for i in range(5)]
        info = ProtoInfo(sctp=SCTPInfo(state=3, vtag_original=1, vtag_reply=2))
        flows += [Flow(**tuples(500 + i, SCTP, version), timeout=600, protoinfo=info) for i in range(5)]
    return flows


def key(flow: Flow) -> tuple[Any, ...]:
    """What conntrack(8) prints of a flow, as its XML is read below."""

    def direction(t: Tuple) -> tuple[Any, ...]:
        return (str(t.src), str(t.dst), t.proto, None if t.src_port is None else (t.src_port, t.dst_port))

    tcp = flow.protoinfo.tcp if flow.protoinfo else None
    status = flow.status or Status(0)
    return (
        direction(flow.orig),
        direction(flow.reply),
        flow.mark,
        flow.zone,
        flow.use,
        flow.id,
        tcp.state.name if tcp and tcp.state is not None else None,
        bool(status & Status.ASSURED),
        not status & Status.SEEN_REPLY,
    )


def icmp(t: Tuple) -> tuple[str, str, str]:
    return str(t.icmp_type), str(t.icmp_code), str(t.icmp_id)


def oracle(family: str) -> dict[int, tuple[Any, ...]]:
    if shutil.which("conntrack") is None:
        pytest.skip("conntrack(8) is missing (Debian: conntrack)")
    run = subprocess.run(["conntrack", "-L", "-f", family, "-o", "xml,id"], capture_output=True, text=True, check=True)
    if not run.stdout.strip():
        return {}

    def direction(meta: ET.Element) -> tuple[Any, ...]:
        layer3, layer4 = meta.find("layer3"), meta.find("layer4")
        assert layer3 is not None
        assert layer4 is not None
        get = layer4.findtext
        ports: tuple[Any, ...] | None = None
        if layer4.find("sport") is not None:
            ports = (int(get("sport", "")), int(get("dport", "")))
        address = [str(ipaddress.ip_address(layer3.findtext(name, ""))) for name in ("src", "dst")]
        return (*address, int(layer4.get("protonum", "")), ports)

    found: dict[int, tuple[Any, ...]] = {}
    for element in ET.fromstring(run.stdout).findall("flow"):
        metas = {meta.get("direction"): meta for meta in element.findall("meta")}
        about = metas["independent"]
        number = int(about.findtext("id", ""))
        zone = about.findtext("zone")
        found[number] = (
            direction(metas["original"]),
            direction(metas["reply"]),
            int(about.findtext("mark", "0")),
            None if zone is None else int(zone),
            int(about.findtext("use", "")),
            number,
            about.findtext("state") if direction(metas["original"])[2] == TCP else None,
            about.find("assured") is not None,
            about.find("unreplied") is not None,
        )
    return found


def test_a_dump_is_what_conntrack_prints(ct: conntrack.Conn) -> None:
    flows = varied()
    for flow in flows:
        ct.create(flow)
    batch = ct.dump()
    assert len(batch) == len(flows)
    ours = {flow.id: key(flow) for flow in batch}
    assert ours == oracle("ipv4") | oracle("ipv6")
    # Its XML leaves out what ICMP has instead of ports.
    text = "".join(
        subprocess.run(["conntrack", "-L", "-f", family, "-o", "id"], capture_output=True, text=True, check=True).stdout
        for family in ("ipv4", "ipv6")
    )
    theirs = re.findall(
        r"^icmp.*?type=(\d+) code=(\d+) id=(\d+).*?type=(\d+) code=(\d+) id=(\d+).* id=(\d+)", text, re.M
    )
    ours_icmp = [
        (*icmp(flow.orig), *icmp(flow.reply), str(flow.id)) for flow in batch if flow.orig.proto in (ICMP, ICMPV6)
    ]
    assert sorted(theirs) == sorted(ours_icmp)
    assert len(theirs) == 40


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


def test_g25_delete_without_a_tuple_refuses(ct: conntrack.Conn) -> None:
    ct.create(Flow(**tuples(1, UDP), timeout=60))
    for flow in (Flow(), Flow(mark=1), Flow(zone=3), Flow(orig=Tuple())):
        with pytest.raises(ValueError, match="tuple"):
            ct.delete(flow)
    assert len(ct.dump()) == 1


def test_g25_delete_goes_to_the_flow_s_own_zone(ct: conntrack.Conn) -> None:
    here, there = Flow(**tuples(1, UDP), timeout=60), Flow(**tuples(1, UDP), timeout=60, zone=7)
    ct.create(here)
    ct.create(there)
    ct.delete(next(flow for flow in ct.dump() if flow.zone == 7))
    assert [flow.zone for flow in ct.dump()] == [None]


def test_g25_flush_of_one_family_leaves_the_other_alone(ct: conntrack.Conn) -> None:
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
    whole = {flow.id for flow in ct.dump()}
    parts = list(ct.iter_dump())
    assert [len(part) for part in parts] == [4096, 4096, 1808]
    assert {flow.id for part in parts for flow in part} == whole
    assert len(whole) == 10_000


def test_g8_an_iter_dump_left_early_leaves_the_connection_usable(ct: conntrack.Conn) -> None:
    netns.require_conntrack(10_000)
    netns.add_flows(ct.conn, 10_000)
    for _ in range(3):
        for part in ct.iter_dump():
            with pytest.raises(OpError) as caught:
                ct.dump()
            assert caught.value.errno == errno.EBUSY
            assert len(part) == 4096
            break
        assert len(ct.dump()) == 10_000


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
    ct: conntrack.Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    netns.add_flows(ct.conn, 10)
    # As if it were not queued yet when the dump is asked for.
    monkeypatch.setattr(ct.conn, "_drop_abandoned", lambda: None)
    for dump in (ct.dump, lambda: next(iter(ct.iter_dump()))):
        sent = ct.conn.send(netns.ct_request(netns.IPCTNL_MSG_CT_GET_STATS, HeaderFlags.REQUEST))
        ct.conn._inbox.abandon(sent.header.sequence)
        assert len(dump()) == 10
