"""A capture of netlink on the real kernel: what programs ask, what the kernel answers, and what was lost."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Never

import pytest

import netns as namespaces
import tshark
from kernel.tools import Child, eventually, unprivileged
from netlink import Family, OpError, Overrun, nlmon, route, sock_diag
from netlink.generic import ethtool, nlctrl
from netlink.generic.ethtool import Header
from netlink.nlmon import Datagram, Decoder, Direction, Seen, Tap
from netlink.route import Address, Link
from netlink.route.link import Veth
from pace import SLOWNESS


def has_nlmon() -> bool:
    with route.dial() as rt:
        try:
            rt.delete(Link(index=rt.create(Link(name="probe0", kind="nlmon")).index))
        except OpError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            return False
    return True


def require_nlmon() -> None:
    if not has_nlmon():
        pytest.skip("the kernel has no nlmon: want CONFIG_NLMON")


@pytest.fixture
def tap(netns: Any) -> Iterator[Tap[Never]]:
    require_nlmon()
    with nlmon.listen() as tap:
        yield tap


def passed(tap: Tap[Never]) -> list[Datagram]:
    """What is queued."""
    return list(tap.datagrams(idle=0))


def seen(datagrams: list[Datagram]) -> list[Seen]:
    with nlctrl.dial() as ctrl:
        decoder = Decoder({info.id or 0: info.name or "" for info in ctrl.list_families()})
    return [one for datagram in datagrams for one in decoder.decode(datagram)]


def test_a_kernel_without_it_says_what_to_do(netns: Any) -> None:
    with pytest.raises(OpError) if not has_nlmon() else nullcontext() as info:
        nlmon.listen().close()
    if info is None:
        pytest.skip("this kernel has nlmon")
    assert info.value.errno == errno.EOPNOTSUPP
    assert "`modprobe nlmon`" in str(info.value)


def test_requests_and_replies_are_read_back(tap: Tap[Never]) -> None:
    with route.dial() as rt:
        rt.create(Link(name="v0", kind="veth", data=Veth(peer=Link(name="v1"))))
        rt.create(Address(index=rt.index("v0"), address="10.0.0.1/24"))
        links = rt.dump(Link)
        with pytest.raises(FileExistsError):
            rt.create(Link(name="v0", kind="veth", data=Veth(peer=Link(name="v1"))))
    with ethtool.dial() as eth:
        state = eth.get_link_state(header=Header(dev_name="v0"))
    with sock_diag.dial() as diag:
        diag.udp()
    messages = seen(passed(tap))
    assert tap.lost == 0
    assert all(one.error == "" or one.operation == "ERROR" for one in messages)
    made = [one for one in messages if one.operation == "NEWLINK" and one.direction is Direction.REQUEST]
    assert [one.record.name for one in made if isinstance(one.record, Link)] == ["v0", "v0"]
    dumped = {one.record.name for one in messages if isinstance(one.record, Link) and one.direction is Direction.REPLY}
    assert dumped >= {link.name for link in links}
    assert [one.error for one in messages if one.operation == "ERROR" and one.error] == ["File exists"]
    states = [one for one in messages if one.family == "ethtool" and one.operation == "LINKSTATE_GET"]
    assert [(one.direction, one.record) for one in states][-1] == (Direction.REPLY, state)
    assert {one.direction for one in messages if one.family == "sock_diag"} == {Direction.REQUEST, Direction.REPLY}
    assert {one.operation for one in messages if isinstance(one.record, Address)} == {"NEWADDR"}


def test_events_pass_once_for_each_listener(tap: Tap[Never]) -> None:
    with route.listen(Link), route.listen(Link), route.dial() as rt:
        rt.create(Link(name="v0", kind="veth", data=Veth(peer=Link(name="v1"))))
    events = Counter(
        one.record.name
        for one in seen(passed(tap))
        if one.operation == "NEWLINK" and one.direction is not Direction.REQUEST and isinstance(one.record, Link)
    )
    assert events["v1"] == 2


def test_other_programs_are_seen(tap: Tap[Never]) -> None:
    if not shutil.which("ip"):
        pytest.skip("there is no ip on this machine")
    subprocess.run(["ip", "link", "add", "v5", "type", "veth"], check=True)
    subprocess.run(["ip", "-j", "link", "show"], check=True, capture_output=True)
    messages = seen(passed(tap))
    assert any(
        one.operation == "NEWLINK" and isinstance(one.record, Link) and one.record.name == "v5" for one in messages
    )
    assert any(one.operation == "GETLINK" and one.direction is Direction.REQUEST for one in messages)


def test_tshark_reads_the_same(tap: Tap[Never], tmp_path: Path) -> None:
    with route.dial() as rt, sock_diag.dial() as diag, nlctrl.dial() as ctrl:
        rt.dump(Link)
        diag.unix()
        ctrl.get_family("nlctrl")
    datagrams = passed(tap)
    path = tmp_path / "netlink.pcap"
    with nlmon.Writer(path) as out:
        for one in datagrams:
            out.write(one)
    assert list(nlmon.read(path)) == datagrams
    theirs = tshark.fields(path, "netlink.hdr_seq", "netlink.hdr_pid")
    sequences = [int(value) for packet in theirs for value in packet.get("netlink.hdr_seq", [])]
    ours = [one.message.header.sequence for one in seen(datagrams) if one.message is not None]
    # An acknowledgement has the header of its request inside, which tshark shows, too.
    assert set(sequences) == set(ours)
    assert len(theirs) == len(datagrams)


def test_times_and_protocols(tap: Tap[Never]) -> None:
    with route.dial() as rt, nlctrl.dial() as ctrl:
        rt.dump(Link)
        ctrl.get_family("nlctrl")
    datagrams = passed(tap)
    assert {one.protocol for one in datagrams} == {Family.ROUTE, Family.GENERIC}
    assert [one.timestamp for one in datagrams] == sorted(one.timestamp for one in datagrams)
    assert not any(one.is_cut for one in datagrams)


def test_a_short_snaplen_says_what_is_missing(netns: Any) -> None:
    require_nlmon()
    with nlmon.listen(snaplen=40) as tap, route.dial() as rt:
        rt.dump(Link)
        cut = [one for one in passed(tap) if one.is_cut]
    assert cut
    assert all(len(one.data) == 40 < one.length for one in cut)
    assert "cut off by the capture" in seen(cut)[-1].error


def flood(rt: Any, count: int = 400) -> None:
    for _ in range(count):
        rt.dump(Link)


@pytest.mark.parametrize("policy", ["raise", "mark"])
def test_losses_are_reported(netns: Any, policy: Any) -> None:
    require_nlmon()
    with nlmon.listen(read_buffer=1, on_overrun=policy) as tap, route.dial() as rt:
        flood(rt, 100)
        kept = 0
        marks = []
        items = tap.datagrams(idle=0)
        while True:
            try:
                one = next(items)
            except StopIteration:
                break
            except Overrun as overrun:
                one = overrun
                assert policy == "raise"
            if isinstance(one, Overrun):
                marks.append(one.lost)
            else:
                kept += 1
        assert kept
        assert sum(marks) == tap.lost > 0
        # A request, links, and the end.
        assert kept + tap.lost >= 300


def test_in_an_event_loop(netns: Any) -> None:
    require_nlmon()

    async def main() -> list[Datagram]:
        found: list[Datagram] = []
        async with nlmon.listen() as tap:
            with route.dial() as rt:
                asyncio.get_running_loop().call_later(0.05, lambda: rt.dump(Link))
                async for one in tap:
                    found.append(one)
                    if len(found) == 3:
                        tap.stop()
            assert await tap.aread(timeout=0) == []
        return found

    assert len(asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS))) >= 3


def test_stop_and_close_end_a_read(netns: Any) -> None:
    require_nlmon()
    tap = nlmon.listen()
    ended = threading.Event()

    def read() -> None:
        for _ in tap:
            pass
        ended.set()

    thread = threading.Thread(target=read)
    thread.start()
    tap.stop()
    assert ended.wait(20 * SLOWNESS)
    thread.join()
    tap.close()
    with pytest.raises(OpError) as info:
        tap.read(timeout=0)
    assert info.value.errno == errno.EBADF

    other = nlmon.listen()
    failed: list[OpError] = []

    def wait() -> None:
        try:
            while True:
                other.read()
        except OpError as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    other.close()
    thread.join()
    assert [error.errno for error in failed] == [errno.EBADF]
    assert other.fileno() == -1


def test_the_link_goes_with_the_tap(netns: Any) -> None:
    require_nlmon()
    with nlmon.listen() as tap:
        name = tap.link
        assert name is not None
    with route.dial() as rt:
        assert name not in {link.name for link in rt.dump(Link)}


def test_a_forked_child_leaves_the_link(netns: Any) -> None:
    require_nlmon()
    with nlmon.listen() as tap:
        Child(tap.close).result()
        with route.dial() as rt:
            assert tap.link in {link.name for link in rt.dump(Link)}


def test_a_tap_is_closed_from_another_namespace(netns: Any) -> None:
    require_nlmon()
    tap = nlmon.listen()
    with namespaces.another() as other, namespaces.inside(other.fd):
        tap.close()
    with route.dial() as rt:
        assert not any(link.kind == "nlmon" for link in rt.dump(Link))


def test_links_of_others(netns: Any) -> None:
    require_nlmon()
    with route.dial() as rt:
        rt.create(Link(name="mon0", kind="nlmon"))
        with pytest.raises(OpError, match="`ip link set mon0 up`") as info:
            nlmon.listen("mon0")
        assert info.value.errno == errno.ENETDOWN
        rt.up("mon0")
        with nlmon.listen("mon0") as tap:
            assert tap.link is None
            rt.dump(Link)
            assert passed(tap)
            rt.delete(Link(name="mon0"))
            with pytest.raises(OpError, match="the link was deleted or set down"):
                list(tap)
        with pytest.raises(ValueError, match="'lo' is a link of hardware, and only one of nlmon"):
            nlmon.listen("lo")
        with pytest.raises(OpError) as missing:
            nlmon.listen("none0")
        assert missing.value.errno == errno.ENODEV


def test_without_privilege(netns: Any) -> None:
    require_nlmon()

    def listen() -> None:
        with pytest.raises(PermissionError, match="CAP_NET_ADMIN and CAP_NET_RAW"):
            nlmon.listen()

    unprivileged(listen)


def test_the_command(netns: Any, tmp_path: Path) -> None:
    require_nlmon()
    path = tmp_path / "netlink.pcap"
    command = [sys.executable, "-m", "netlink.nlmon", "--json", "--write", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith("capturing on nlmon")
        with route.dial() as rt:
            rt.dump(Link)
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(20 * SLOWNESS) == 0
    assert [line["operation"] for line in lines] == ["GETLINK", "NEWLINK"]
    assert len(list(nlmon.read(path))) >= 2
    with route.dial() as rt:
        assert not any(link.kind == "nlmon" for link in rt.dump(Link))
    eventually(lambda: not os.path.exists(f"/proc/{process.pid}"), "the process is gone")
