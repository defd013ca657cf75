"""Open vSwitch's datapath on the real kernel: flows that forward, upcalls, meters, and what ovs-dpctl shows."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import netns
from kernel.hosts import Host, introduce
from kernel.tools import eventually, unprivileged
from netlink import Conn, OpError
from netlink.generic import nlctrl, openvswitch
from netlink.generic.openvswitch import (
    Action,
    Band,
    BandType,
    Datapath,
    EthernetKey,
    Flow,
    Key,
    Meter,
    Vport,
)
from pace import SLOWNESS

EXAMPLE = Path(__file__).parents[2] / "examples/learning_switch.py"
ANY = Key(in_port=0xFFFFFFFF)


def require_openvswitch() -> None:
    with nlctrl.dial() as ctrl:
        try:
            ctrl.get_family("ovs_datapath")
        except FileNotFoundError:
            pytest.skip("this kernel has no Open vSwitch")


@pytest.fixture
def ovs(netns: Any) -> Iterator[openvswitch.Conn[Conn]]:
    require_openvswitch()
    with openvswitch.dial() as ovs:
        yield ovs
        for datapath in ovs.datapaths():
            ovs.delete_datapath(dp_ifindex=datapath.dp_ifindex)


class Switch:
    """A datapath with two hosts."""

    def __init__(self, ovs: openvswitch.Conn[Conn], opened: contextlib.ExitStack) -> None:
        self.ovs = ovs
        self.index = ovs.add_datapath(Datapath(name="switch")).dp_ifindex or 0
        self.hosts = []
        self.ports = []
        for number in (1, 2):
            self.hosts.append(Host(opened.enter_context(netns.another()), opened, f"v{number}", f"10.0.0.{number}/24"))
            port = ovs.add_vport(Vport(dp_ifindex=self.index, name=f"v{number}")).port_no
            assert port is not None
            self.ports.append(port)

    def forward(self, actions: tuple[Action, ...] = ()) -> None:
        """Forward what one host sends to the other. actions: before that."""
        for one, other in (self.ports, self.ports[::-1]):
            key = Key(in_port=one, ethernet=EthernetKey())
            self.ovs.add_flow(Flow(dp_ifindex=self.index, key=key, mask=ANY, actions=[*actions, Action(output=other)]))

    def upcalls_to(self, pid: int) -> None:
        for port in self.ports:
            self.ovs.set_vport(dp_ifindex=self.index, port_no=port, upcall_pid=[pid])


@pytest.fixture
def switch(ovs: openvswitch.Conn[Conn]) -> Iterator[Switch]:
    with contextlib.ExitStack() as opened:
        yield Switch(ovs, opened)


def by_dpctl(*arguments: str) -> list[str]:
    if not shutil.which("ovs-dpctl"):
        pytest.skip("ovs-dpctl is missing (Debian: openvswitch-switch)")
    run = subprocess.run(["ovs-dpctl", *arguments], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_a_kernel_without_it_says_what_to_do() -> None:
    with openvswitch.dial() as ovs, pytest.raises(OSError) as info:  # noqa: PT011
        ovs.get_datapath(name="none")
    if not isinstance(info.value, FileNotFoundError):
        pytest.skip("this kernel has Open vSwitch")
    assert "modprobe openvswitch" in str(info.value)


def test_flows_forward_between_two_hosts(switch: Switch) -> None:
    switch.forward()
    introduce(*switch.hosts)
    flows = switch.ovs.flows(dp_ifindex=switch.index)
    assert {flow.key.in_port for flow in flows if flow.key} == set(switch.ports)
    assert all(flow.stats and flow.stats.n_packets for flow in flows)
    assert all(flow.unknown == () for flow in flows)
    switch.ovs.flush_flows(switch.index)
    assert len(switch.ovs.flows(dp_ifindex=switch.index)) == 0


def test_a_program_learns_and_forwards(switch: Switch) -> None:
    ovs = switch.ovs
    with ovs.upcalls() as upcalls:
        switch.upcalls_to(upcalls.pid)

        def decide() -> None:
            for upcall in upcalls:
                assert upcall.key is not None
                other = switch.ports[upcall.key.in_port == switch.ports[0]]
                ovs.execute(upcall.replace(actions=[Action(output=other)]))
                with contextlib.suppress(FileExistsError):
                    ovs.add_flow(Flow(dp_ifindex=switch.index, key=upcall.key, actions=[Action(output=other)]))

        thread = threading.Thread(target=decide)
        thread.start()
        try:
            introduce(*switch.hosts)
        finally:
            upcalls.stop()
            thread.join()
        assert upcalls.lost == 0
    protocols = {flow.key.ethertype for flow in ovs.flows(dp_ifindex=switch.index) if flow.key}
    assert openvswitch.EtherType.ARP in protocols
    assert openvswitch.EtherType.IP in protocols


def test_the_example_learns_addresses(ovs: openvswitch.Conn[Conn]) -> None:
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    with contextlib.ExitStack() as opened:
        hosts = []
        for number in (1, 2):
            hosts.append(Host(opened.enter_context(netns.another()), opened, f"v{number}", f"10.0.0.{number}/24"))
        command = [sys.executable, "-X", "dev", "-W", "error", str(EXAMPLE), "v1", "v2"]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        program = opened.enter_context(subprocess.Popen(command, **pipes))
        assert program.stdout is not None
        assert program.stderr is not None
        try:
            assert program.stdout.readline() == "switch0 is up\n"
            introduce(*hosts)
            (switch,) = ovs.datapaths()
            # A packet passes before its flow is there.
            eventually(lambda: len(ovs.flows(dp_ifindex=switch.dp_ifindex)) == 2, "flows both ways")
        finally:
            program.send_signal(signal.SIGTERM)
        lines = program.stdout.read().splitlines()
        assert set(lines) == {f"{host.mac.hex(':')} is at v{number}" for number, host in enumerate(hosts, 1)}
        assert (program.stderr.read(), program.wait()) == ("", 0)
    assert len(ovs.datapaths()) == 0


def frames(switch: Switch, count: int) -> None:
    with switch.hosts[0].inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(("wire", 0))
        for _ in range(count):
            sock.send(b"\x02" + bytes(11) + b"\x88\xb5" + bytes(500))


def test_losses_of_upcalls_are_counted(switch: Switch) -> None:
    switch.forward()
    introduce(*switch.hosts)
    switch.ovs.flush_flows(switch.index)
    with switch.ovs.upcalls(read_buffer=2048, on_overrun="mark") as upcalls:
        switch.upcalls_to(upcalls.pid)
        frames(switch, 50)
        found = 0
        while True:
            item = upcalls.read(timeout=1)
            if isinstance(item, OpError):
                continue
            if not len(item):
                break
            found += sum(1 for each in item if each.packet and each.packet[12:14] == b"\x88\xb5")
        assert 0 < found < 50
        assert found + upcalls.lost >= 50


def test_a_meter_drops_what_is_beyond_its_rate(switch: Switch) -> None:
    ovs = switch.ovs
    switch.forward()
    introduce(*switch.hosts)
    ovs.flush_flows(switch.index)
    band = Band(type=BandType.DROP, rate=1, burst=1)
    ovs.set_meter(Meter(dp_ifindex=switch.index, id=1, bands=[band]))
    switch.forward((Action(meter=1),))
    frames(switch, 100)
    meter = ovs.get_meter(dp_ifindex=switch.index, id=1)
    assert meter.stats is not None
    assert meter.bands
    dropped = meter.bands[0].stats
    assert dropped is not None
    assert (meter.stats.n_packets or 0) >= 100
    assert 50 < (dropped.n_packets or 0) < (meter.stats.n_packets or 0)
    ovs.delete_meter(switch.index, 1)


def test_ovs_dpctl_shows_the_same(switch: Switch) -> None:
    switch.forward()
    assert len([line for line in by_dpctl("dump-flows", "switch") if "in_port" in line]) == 2
    shown = " ".join(by_dpctl("show", "switch"))
    assert all(f"port {port}: v{number}" in shown for number, port in enumerate(switch.ports, 1))
    switch.ovs.flush_flows(switch.index)
    by_dpctl("add-flow", "switch", f"in_port({switch.ports[0]}),eth(),eth_type(0x806),arp()", str(switch.ports[1]))
    (flow,) = switch.ovs.flows(dp_ifindex=switch.index)
    assert flow.key is not None
    assert (flow.key.in_port, flow.key.ethertype) == (switch.ports[0], openvswitch.EtherType.ARP)
    assert [action.output for action in flow.actions or ()] == [switch.ports[1]]
    by_dpctl("add-dp", "other")
    assert {each.name for each in switch.ovs.datapaths()} == {"switch", "other"}


def test_events(ovs: openvswitch.Conn[Conn]) -> None:
    with ovs.listen_datapaths() as events:
        made = ovs.add_datapath(Datapath(name="switch"))
        ovs.delete_datapath(dp_ifindex=made.dp_ifindex)
        found = [next(events) for _ in range(2)]
    assert [(each.name, each.event) for each in found] == [
        ("switch", openvswitch.DatapathCommand.NEW),
        ("switch", openvswitch.DatapathCommand.DEL),
    ]


def test_what_the_kernel_refuses(ovs: openvswitch.Conn[Conn]) -> None:
    index = ovs.add_datapath(Datapath(name="switch")).dp_ifindex
    with pytest.raises(FileExistsError):
        ovs.add_datapath(Datapath(name="switch"))
    with pytest.raises(OpError, match="no such datapath") as info:
        ovs.vports(dp_ifindex=99_999)
    assert info.value.errno == errno.ENODEV
    with pytest.raises(OpError) as info:
        ovs.add_vport(Vport(dp_ifindex=index, name="none0"))
    assert info.value.errno == errno.ENODEV
    with pytest.raises(ValueError, match="ethernet"):
        ovs.add_flow(Flow(dp_ifindex=index, key=Key(in_port=1), actions=[]))
    with pytest.raises(FileNotFoundError):
        ovs.delete_flow(Flow(dp_ifindex=index, key=Key(in_port=1, ethernet=EthernetKey()), actions=[]))


def test_without_privilege(ovs: openvswitch.Conn[Conn]) -> None:
    def refused() -> None:
        with openvswitch.dial() as other, pytest.raises(PermissionError, match="CAP_NET_ADMIN"):
            other.add_datapath(Datapath(name="switch"))

    unprivileged(refused)


def test_in_an_event_loop(ovs: openvswitch.Conn[Conn]) -> None:
    async def main() -> list[str | None]:
        async with openvswitch.dial_async() as other:
            await other.add_datapath(Datapath(name="switch"))
            return [each.name for each in await other.datapaths()]

    assert asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS)) == ["switch"]
