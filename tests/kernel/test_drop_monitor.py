"""The drop monitor on the real kernel: as many packets as rules count, as dropwatch shows them, and its errors.

It is one for the machine, so it is tested in a guest alone. It reports drops of the test's network namespace to the
machine's first one.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

import netns
from kernel.test_devlink import require_netdevsim, simulated
from kernel.tools import eventually, run, unprivileged
from netlink import OpError, Overrun, route
from netlink.generic import devlink, drop_monitor, nlctrl
from netlink.generic.devlink import TrapAction
from netlink.generic.drop_monitor import AlertMode, Origin, Packet, Summary
from pace import SLOWNESS

EXAMPLE = Path(__file__).parents[2] / "examples/drops.py"
LOOPBACK = ip_address("127.0.0.1")
CLOSED, REFUSED = 9, 10  # ports: without a socket, and in a rule that drops
IDLE = 0.5 * SLOWNESS


def require_monitor() -> int:
    """The machine's first network namespace, if its drop monitor is ours."""
    if os.environ.get("NETLINK_TEST_MODULES") != "1":
        pytest.skip("the drop monitor is one for the machine, so it is tested in a guest alone: NETLINK_TEST_MODULES=1")
    first = netns.first()
    with nlctrl.dial(netns=first) as ctrl:
        try:
            ctrl.get_family("NET_DM")
        except FileNotFoundError:
            pytest.skip("this kernel has no drop monitor")
    return first


@pytest.fixture
def first(netns: Any) -> Iterator[int]:
    first = require_monitor()
    yield first
    with drop_monitor.dial(netns=first) as monitor:
        monitor.stop()
        monitor.configure(alert_mode=AlertMode.SUMMARY, trunc_len=0, queue_len=1000)


def send(count: int, port: int = CLOSED, host: str = "127.0.0.1", size: int = 20) -> int:
    """Send UDP packets, and return the port that they are from."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        for _ in range(count):
            sock.sendto(bytes(size), (host, port))
        own: int = sock.getsockname()[1]
        return own


def rule(text: str, chain: str = "in", hook: str = "input", priority: int = 0) -> None:
    run("nft", "add", "table", "inet", "drops")
    run("nft", "add", "chain", "inet", "drops", chain, f"{{ type filter hook {hook} priority {priority}; }}")
    run("nft", "add", "rule", "inet", "drops", chain, *text.split())


def counted() -> int:
    """Packets that the rules dropped."""
    found = run("nft", "list", "table", "inet", "drops")
    return sum(map(int, re.findall(r"counter packets (\d+)", found)))


def test_a_kernel_without_it_says_what_to_do() -> None:
    # The test's namespace is not the machine's first one.
    with pytest.raises(FileNotFoundError) as info:
        drop_monitor.listen()
    assert "'NET_DM'" in str(info.value)
    assert "`modprobe drop_monitor` loads its module; it is in the machine's first network namespace" in str(info.value)


def test_each_dropped_packet_is_reported_with_its_reason(first: int) -> None:
    rule(f"udp dport {REFUSED} counter drop")
    begin = time.time_ns()
    with drop_monitor.listen(netns=first) as drops:
        senders = {send(7), send(5, REFUSED), send(3, host="::1")}
        found = [packet for batch in drops.batches(idle=IDLE) for packet in batch if packet.sport in senders]
        assert drops.lost == 0
    packets = [packet for packet in found if packet.proto == socket.IPPROTO_UDP]
    reasons = Counter((packet.reason, packet.dport, packet.src) for packet in packets)
    assert reasons == {
        ("NO_SOCKET", CLOSED, LOOPBACK): 7,
        ("NETFILTER_DROP", REFUSED, LOOPBACK): 5,
        ("NO_SOCKET", CLOSED, ip_address("::1")): 3,
    }
    assert counted() == 5
    for packet in packets:
        assert packet.unknown == ()
        assert (packet.origin, packet.ifindex, packet.ifname, packet.trap) == (Origin.SW, 1, None, None)
        assert packet.pc
        assert re.match(r"\w+\+0x", packet.symbol or "")
        assert begin <= (packet.timestamp or 0) <= time.time_ns()
        assert packet.payload is not None
        assert packet.orig_len == len(packet.payload) == (packet.length or 0) + 14
        assert packet.hw_protocol == (0x0800 if packet.src == LOOPBACK else 0x86DD)


def test_packets_are_cut(first: int) -> None:
    with drop_monitor.listen(trunc_len=40, netns=first) as drops:
        sender = send(1)
        packet = next(packet for packet in drops if packet.orig_len == 14 + 20 + 8 + 20)
        assert packet.payload is not None
        assert (len(packet.payload), packet.sport, packet.dport, packet.udp_length) == (40, sender, CLOSED, 28)
    with drop_monitor.dial(netns=first) as monitor:
        config = monitor.get_config()
        assert (config.alert_mode, config.trunc_len, config.queue_len) == (AlertMode.PACKET, 40, 1000)


def total(summaries: list[Summary], pc: int) -> int:
    return sum(point.count or 0 for each in summaries for point in each.points or () if point.pc == pc)


def test_summaries_count_what_packets_are_reported_of(first: int) -> None:
    with drop_monitor.listen(netns=first) as drops:
        sender = send(1)
        where = next(packet.pc for packet in drops if packet.sport == sender) or 0
    with drop_monitor.listen_summary(netns=first) as counts:
        send(12)
        summaries: list[Summary] = []
        while total(summaries, where) < 12:
            summaries += counts.read()
        assert counts.lost == 0
    assert total(summaries, where) == 12
    assert all(summary.unknown == () for summary in summaries)


def test_drops_of_a_simulated_card(first: int) -> None:
    """A simulated card drops packets, for a route that none leaves by, and reports them."""
    require_netdevsim()
    with simulated() as card, devlink.dial() as cards, route.dial() as rt:
        cards.set_trap(card, "blackhole_route", TrapAction.TRAP)
        port = cards.get_port(f"{card}/0")
        rt.up(str(port.netdev_name))
        with drop_monitor.listen(software=False, hardware=True, netns=first) as drops:
            packet = next(packet for packet in drops if packet.trap == "blackhole_route")
        assert (packet.origin, packet.trap_group, packet.pc, packet.reason) == (Origin.HW, "l3_drops", None, None)
        assert (packet.ifindex, packet.ifname) == (port.netdev_ifindex, port.netdev_name)
        assert packet.payload
        assert packet.unknown == ()
        with drop_monitor.listen_summary(software=False, hardware=True, netns=first) as counts:
            entries = [entry for entry in next(counts).hw_entries or () if entry.name == "blackhole_route"]
        assert [entry.count > 0 for entry in entries if entry.count is not None] == [True]


def test_losses_of_the_queue_are_counted(first: int) -> None:
    """A packet in many fragments is faster than the kernel's worker that sends reports."""
    run("ip", "link", "set", "lo", "mtu", "1500")
    rule("ip daddr 127.0.0.2 counter drop", "early", "prerouting", -450)
    with drop_monitor.dial(netns=first) as monitor, drop_monitor.listen(queue_len=2, netns=first) as drops:
        before = monitor.get_stats().dropped
        send(1, host="127.0.0.2", size=60_000)
        found, lost = 0, 0
        while True:
            try:
                for batch in drops.batches(idle=IDLE):
                    found += sum(packet.dst == ip_address("127.0.0.2") for packet in batch)
                break
            except Overrun as overrun:
                lost += overrun.lost
        assert counted() == 41
        if not lost:
            pytest.skip("the kernel reported all fragments in time")
        assert lost == drops.lost == monitor.get_stats().dropped - before
        assert found + lost >= 41  # other packets may be lost, too
        assert monitor.get_stats().hw_stats is not None


def test_one_program_monitors(first: int) -> None:
    on = "drops are monitored already, by another program such as dropwatch, or by one that was killed: `stop` ends"
    with drop_monitor.dial(netns=first) as monitor:
        with drop_monitor.listen(netns=first):
            for refused in (drop_monitor.listen, drop_monitor.listen_summary):
                with pytest.raises(OpError, match=on) as info:
                    refused(netns=first)
                assert info.value.errno == errno.EBUSY
            with pytest.raises(OpError, match=on) as info:
                monitor.start()
            assert info.value.errno == errno.EAGAIN
            with pytest.raises(OpError, match=on):
                monitor.configure(trunc_len=1)
        monitor.start()  # since the stream ended it
        monitor.stop()
        monitor.stop()
        with pytest.raises(OpError, match="alert_mode is one of `AlertMode`") as info:
            monitor.configure(alert_mode=9)
        assert info.value.errno == errno.EINVAL

    def refusals() -> list[str]:
        found = []
        with drop_monitor.dial() as monitor:
            for ask in (monitor.start, monitor.listen, drop_monitor.listen):
                with pytest.raises(PermissionError) as info:
                    ask()
                found.append(str(info.value))
        return found

    with netns.inside(first):
        said = unprivileged(refusals)
    assert len(said) == 3
    assert all("it needs CAP_NET_ADMIN and, to listen, CAP_SYS_ADMIN" in text for text in said)


def test_a_child_does_not_end_the_monitoring(first: int) -> None:
    with drop_monitor.listen(netns=first) as drops:
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                drops.close()
            os._exit(0)
        os.waitpid(child, 0)
        sender = send(1)
        assert any(packet.sport == sender for packet in drops)


def test_tasks(first: int) -> None:
    async def main() -> Packet:
        with drop_monitor.listen(netns=first) as drops:
            async with drop_monitor.dial_async(netns=first) as monitor:
                assert (await monitor.get_config()).alert_mode == AlertMode.PACKET
            sender = send(1)
            async for packet in drops:
                if packet.sport == sender:
                    return packet
        raise AssertionError("the stream ended")

    assert asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS)).reason == "NO_SOCKET"


def test_drops_of_hardware(first: int) -> None:
    """There is no such hardware, but the monitor begins and ends."""
    with drop_monitor.listen(software=False, hardware=True, netns=first) as drops:
        sender = send(1)
        assert not any(packet.sport == sender for packet in drops.read(timeout=0.1 * SLOWNESS))
    with drop_monitor.listen(hardware=True, netns=first) as drops:
        sender = send(1)
        assert any(packet.sport == sender for packet in drops)


def test_dropwatch_shows_the_same(first: int) -> None:
    if not shutil.which("dropwatch") or not shutil.which("stdbuf"):
        pytest.skip("there is no dropwatch on this machine (Debian: dropwatch)")
    command = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{first}", "stdbuf", "-oL", "dropwatch", "-l", "kas"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with drop_monitor.dial(netns=first) as monitor, monitor.listen() as events:
        with subprocess.Popen(command, text=True, **pipes) as dropwatch:
            assert dropwatch.stdin is not None
            assert dropwatch.stdout is not None
            try:
                dropwatch.stdin.write("set alertmode packet\nstart\n")
                dropwatch.stdin.flush()
                for line in dropwatch.stdout:
                    if "Kernel monitoring activated" in line:
                        break
                with pytest.raises(OpError) as info:
                    drop_monitor.listen(netns=first)
                assert info.value.errno == errno.EBUSY
                sender = send(1)
                ours = next(each for each in events if isinstance(each, Packet) and each.sport == sender)
                shown: dict[str, str] = {}
                for line in dropwatch.stdout:
                    name, _, value = line.strip().partition(": ")
                    shown[name] = value
                    if not line.strip():
                        if shown.get("drop at", "").startswith((ours.symbol or "").partition("+")[0]):
                            break
                        shown.clear()
            finally:
                dropwatch.kill()  # which leaves the monitoring on
        with pytest.raises(OpError) as info:
            drop_monitor.listen(netns=first)
        assert info.value.errno == errno.EBUSY
        monitor.stop()
    assert shown["drop at"] == f"{ours.symbol} (0x{ours.pc:x})"
    assert shown["origin"] == "software"
    assert shown["input port ifindex"] == str(ours.ifindex)
    assert shown["protocol"] == f"0x{ours.hw_protocol:x}"
    assert shown["original length"] == str(ours.orig_len)


def test_the_example_shows_reasons(first: int) -> None:
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    python = [sys.executable, "-X", "dev", "-W", "error"]
    within = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{first}"]
    command = [*within, *python, str(EXAMPLE), "--interval", "0.2"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        try:
            assert program.stdout.readline() == "drops are monitored\n"
            sender, left = send(3), 3
            flow = f"UDP 127.0.0.1:{sender} > 127.0.0.1:{CLOSED}"
            while left:  # of one table or two
                count, reason, place = next(line for line in program.stdout if flow in line).split()[:3]
                assert (reason, place) == ("NO_SOCKET", "__udp4_lib_rcv")
                left -= int(count)
        finally:
            program.send_signal(signal.SIGTERM)
        rest, errors = program.stdout.read(), program.stderr.read()
        assert (errors, program.wait()) == ("", 0), rest
    # It has ended the monitoring.
    with eventually(lambda: drop_monitor.listen(netns=first), "the monitor is free"):
        pass
