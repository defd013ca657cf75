"""devlink on the real kernel, with the simulated card netdevsim: what it has, as iproute2 shows it, changes, events.

Its module is in no kernel of Debian's, so it is built, and loaded in a guest alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernel.tools import eventually, unprivileged
from netlink import Conn, OpError, route
from netlink.generic import devlink
from netlink.generic.devlink import (
    Command,
    Device,
    EswitchMode,
    FlashStatus,
    Param,
    ParamMode,
    Port,
    PortFlavour,
    PortType,
    RateType,
    Region,
    ReloadAction,
    ReloadActions,
    Reporter,
    ReporterState,
    TrapAction,
    TrapType,
    VarType,
)
from netlink.route import Link

EXAMPLE = Path(__file__).parents[2] / "examples/cards.py"
BUS = Path("/sys/bus/netdevsim")
CARD = "netdevsim/netdevsim7"
DEBUG = Path("/sys/kernel/debug")


def require_netdevsim() -> None:
    if os.environ.get("NETLINK_TEST_MODULES") != "1":
        pytest.skip("no module may be loaded here: NETLINK_TEST_MODULES=1 allows it, for a guest")
    if not shutil.which("modprobe"):
        pytest.skip("there is no modprobe")
    run = subprocess.run(["modprobe", "netdevsim"], capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip(f"modprobe netdevsim: {run.stderr.strip()}")


@contextlib.contextmanager
def simulated() -> Iterator[str]:
    """A card with two ports in this network namespace."""
    (BUS / "new_device").write_text("7 2")
    try:
        yield CARD
    finally:
        (BUS / "del_device").write_text("7")


def debug(name: str) -> Path:
    """A file of the card, by which tests say how it behaves."""
    if not (DEBUG / "netdevsim").exists():
        subprocess.run(["mount", "-t", "debugfs", "none", str(DEBUG)], check=False)
    return DEBUG / "netdevsim/netdevsim7" / name


def bring_back(there: devlink.Conn[Conn]) -> None:
    """Move the card here: Linux 6.1 may hang if it goes while its network namespace does."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there.reload(CARD, netns_fd=own)
    finally:
        os.close(own)


@pytest.fixture
def card(netns: Any) -> Iterator[str]:
    require_netdevsim()
    with simulated() as handle:
        yield handle


@pytest.fixture
def cards(card: str) -> Iterator[devlink.Conn[Conn]]:
    with devlink.dial() as cards:
        yield cards


def shown(*arguments: str) -> Any:
    """What devlink of iproute2 prints."""
    if not shutil.which("devlink"):
        pytest.skip("there is no devlink of iproute2")
    run = subprocess.run(["devlink", "-j", *arguments], capture_output=True, text=True, check=True)
    (content,) = json.loads(run.stdout).values()
    return content


def test_a_kernel_without_it_says_what_it_needs(netns: Any) -> None:
    with devlink.dial() as cards:
        try:
            cards.devices()
        except FileNotFoundError:
            pass
        else:
            pytest.skip("this kernel has devlink")
        with pytest.raises(FileNotFoundError, match=r"'devlink'.*CONFIG_NET_DEVLINK"):
            cards.devices()


def test_what_a_card_is(cards: devlink.Conn[Conn]) -> None:
    (device,) = cards.devices()
    assert device == cards.get(CARD)
    assert (device.handle, device.reload_failed) == (CARD, 0)
    (info,) = cards.infos()
    assert info == cards.info(CARD)
    said = shown("dev", "info")[CARD]
    assert info.driver == said["driver"] == "netdevsim"
    for kind, versions in said.get("versions", {}).items():
        assert {each.name: each.value for each in getattr(info, kind)} == versions
    assert [*cards.selftests()] == []
    assert cards.eswitch(CARD).mode == EswitchMode.LEGACY


def test_ports(cards: devlink.Conn[Conn]) -> None:
    ports = cards.ports()
    said = shown("port", "show")
    assert {port.handle for port in ports} == said.keys() == {f"{CARD}/0", f"{CARD}/1"}
    with route.dial() as rt:
        for port in ports:
            assert port == cards.get_port(port.handle)
            assert port.netdev_name == said[port.handle]["netdev"]
            assert port.number == said[port.handle]["port"]
            assert (port.type, port.flavour) == (PortType.ETH, PortFlavour.PHYSICAL)
            assert rt.get(Link(index=port.netdev_ifindex)).name == port.netdev_name
            assert cards.find_port(str(port.netdev_name)) == port
    with pytest.raises(OpError, match="no port of a device is the link 'nothing'") as info:
        cards.find_port("nothing")
    assert info.value.errno == errno.ENODEV
    assert [*cards.linecards()] == []


def test_a_dump_of_one_device(cards: devlink.Conn[Conn]) -> None:
    bus, name = CARD.split("/")
    assert len(cards.ports(bus_name=bus, dev_name=name)) == 2
    try:
        other = len(cards.ports(bus_name=bus, dev_name="netdevsim70"))
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        other = 2
    assert other == 2  # what older kernels, such as Linux 6.1, have: the ports of all devices


def test_what_is_not_there(cards: devlink.Conn[Conn]) -> None:
    with pytest.raises(OpError, match="no such device or port") as info:
        cards.get("netdevsim/netdevsim70")
    assert info.value.errno == errno.ENODEV
    with pytest.raises(OpError) as info:
        cards.get_port(f"{CARD}/9")
    assert info.value.errno == errno.ENODEV
    with pytest.raises(OpError) as info:
        cards.split_port(f"{CARD}/0", 2)
    assert info.value.errno == errno.EOPNOTSUPP
    assert "the driver or the kernel does not have this" in str(info.value)
    for ask in (
        lambda: cards.run_selftests(CARD),
        lambda: cards.dpipe_headers(CARD),
        lambda: cards.test_reporter(CARD, "dummy"),
        lambda: cards.add_port(CARD, PortFlavour.PCI_SF, 0, sf=1),
        lambda: cards.snapshot_occupancy(CARD),
        lambda: cards.set_pool(CARD, 0, 4096, devlink.ThresholdType.STATIC),
        lambda: cards.get_linecard(CARD, 0),
    ):
        with pytest.raises(OSError, match="netlink receive"):
            ask()
    for dump in (cards.shared_buffers, cards.pools, cards.port_pools, cards.tc_binds):
        assert [*dump()] == []
    assert cards.dpipe_tables(CARD) == []


def test_reading_needs_no_privilege_and_changing_does(card: str) -> None:
    def ask() -> None:
        with devlink.dial() as cards:
            assert cards.get(CARD).handle == CARD
            assert len(cards.ports()) == 2
            assert cards.get_param(CARD, "max_macs").driverinit == 32
            assert cards.get_reporter(CARD, "dummy").error_count == 0
            assert cards.info(CARD).driver == "netdevsim"
            assert cards.resources(CARD)
            assert cards.get_trap(CARD, "blackhole_route").group == "l3_drops"
            for privileged in (
                lambda: cards.reload(CARD),
                lambda: cards.read_region(CARD, "dummy", 0),
                lambda: cards.diagnose(CARD, "dummy"),
                lambda: cards.get_dump(CARD, "dummy"),
            ):
                with pytest.raises(PermissionError, match="CAP_NET_ADMIN"):
                    privileged()

    unprivileged(ask)


def test_parameters(cards: devlink.Conn[Conn]) -> None:
    names = {param.name: param for param in cards.params()}
    assert names.keys() == {each["name"] for each in shown("dev", "param")[CARD]} == {"max_macs", "test1"}
    assert names["max_macs"].type == VarType.U32
    assert (names["max_macs"].driverinit, names["max_macs"].runtime, names["max_macs"].generic) == (32, None, True)
    assert (names["test1"].driverinit, names["test1"].type, names["test1"].generic) == (True, VarType.FLAG, None)
    cards.set_param(CARD, "max_macs", 17, ParamMode.DRIVERINIT)
    cards.set_param(CARD, "test1", False, ParamMode.DRIVERINIT)
    assert cards.get_param(CARD, "max_macs").driverinit == 17
    assert cards.get_param(CARD, "test1").driverinit is False
    (values,) = (each["values"] for each in shown("dev", "param")[CARD] if each["name"] == "max_macs")
    assert values[0]["value"] == 17
    cards.set_param(CARD, "test1", True, ParamMode.DRIVERINIT)
    assert cards.get_param(CARD, "test1").driverinit is True
    with pytest.raises(TypeError, match="must be True or False, not 1"):
        cards.set_param(CARD, "test1", 1, ParamMode.DRIVERINIT)
    with pytest.raises(ValueError, match="from 0 to 4294967295"):
        cards.set_param(CARD, "max_macs", 1 << 32, ParamMode.DRIVERINIT)
    with pytest.raises(OSError, match="there is no such parameter"):
        cards.get_param(CARD, "nothing")
    with pytest.raises(OSError, match="the parameter does not have the mode"):
        cards.set_param(CARD, "max_macs", 17, ParamMode.PERMANENT)


def test_a_reload(cards: devlink.Conn[Conn]) -> None:
    cards.set_param(CARD, "max_macs", 40, ParamMode.DRIVERINIT)
    assert int(debug("max_macs").read_text()) == 32
    assert cards.reload(CARD) is None
    assert int(debug("max_macs").read_text()) == 40
    assert cards.reload(CARD, ReloadAction.DRIVER_REINIT) == ReloadActions.DRIVER_REINIT
    (done,) = cards.get(CARD).reloads or ()
    assert (done.action, (done.stats or ())[0].value) == (ReloadAction.DRIVER_REINIT, 2)
    with pytest.raises(OpError, match="the driver has no reload, or not this action or limit"):
        cards.reload(CARD, ReloadAction.FW_ACTIVATE)
    debug("fail_reload").write_text("1")
    with pytest.raises(OSError, match="netlink receive"):
        cards.reload(CARD)
    assert cards.get(CARD).reload_failed == 1
    debug("fail_reload").write_text("0")
    cards.reload(CARD)
    assert cards.get(CARD).reload_failed == 0


def test_a_card_moves_to_another_namespace(cards: devlink.Conn[Conn]) -> None:
    with subprocess.Popen(["unshare", "-n", "sleep", "infinity"]) as other:
        own = os.stat("/proc/self/ns/net").st_ino
        eventually(lambda: os.stat(f"/proc/{other.pid}/ns/net").st_ino != own, "a namespace")
        fd = os.open(f"/proc/{other.pid}/ns/net", os.O_RDONLY)
        try:
            cards.reload(CARD, netns_fd=fd)
            assert [*cards.devices()] == []
            with devlink.dial(netns=fd) as there:
                assert [device.handle for device in there.devices()] == [CARD]
                bring_back(there)
            assert [device.handle for device in cards.devices()] == [CARD]
        finally:
            os.close(fd)
            other.kill()


def test_root_of_a_container_may_read_alone(cards: devlink.Conn[Conn]) -> None:
    """CAP_NET_ADMIN counts in the machine's first user namespace, also for a card that the container has."""
    code = f"""
from netlink.generic import devlink
with devlink.dial() as cards:
    print(cards.get({CARD!r}).handle)
    try:
        cards.recover({CARD!r}, "dummy")
    except PermissionError as error:
        print(error)
"""
    with subprocess.Popen(["unshare", "-Urn", "sleep", "infinity"]) as container:
        uids = Path(f"/proc/{container.pid}/uid_map")
        eventually(lambda: uids.read_text().split()[:1] == ["0"] and uids.read_text().split()[2] == "1", "a container")
        fd = os.open(f"/proc/{container.pid}/ns/net", os.O_RDONLY)
        try:
            cards.reload(CARD, netns_fd=fd)
            enter = ["nsenter", f"--target={container.pid}", "--user", "--net", "--preserve-credentials"]
            run = subprocess.run([*enter, sys.executable, "-c", code], capture_output=True, text=True, check=True)
            with devlink.dial(netns=fd) as there:
                there.recover(CARD, "dummy")  # of this process, which has the capability
                bring_back(there)
        finally:
            os.close(fd)
            container.kill()
    handle, refused = run.stdout.splitlines()
    assert handle == CARD
    assert "CAP_NET_ADMIN in the machine's first user namespace" in refused


def test_asyncio(card: str) -> None:
    async def main() -> None:
        async with devlink.dial_async() as cards:
            assert len(await cards.ports()) == 2
            assert (await cards.find_port(str((await cards.get_port(f"{CARD}/1")).netdev_name))).port_index == 1
            async with cards.listen() as events:
                snapshot = await cards.add_snapshot(CARD, "dummy")
                async for event in events:
                    if isinstance(event, Region) and event.snapshot == snapshot:
                        break
            assert len(await cards.read_region(CARD, "dummy", snapshot)) == 32768
            report: Any = await cards.diagnose(CARD, "dummy")
            assert report["test_string"] == "somestring"
            await cards.set_param(CARD, "max_macs", 9, ParamMode.DRIVERINIT)
            assert (await cards.get_param(CARD, "max_macs")).driverinit == 9
            with pytest.raises(OpError, match="no such device or port"):
                await cards.get("netdevsim/netdevsim70")

    asyncio.run(main())


def test_health(cards: devlink.Conn[Conn]) -> None:
    reporters = {each.name: each for each in cards.reporters()}
    assert reporters.keys() == {"dummy", "empty"}
    dummy = cards.get_reporter(CARD, "dummy")
    assert dummy == reporters["dummy"]
    assert (dummy.state, dummy.error_count, dummy.auto_recover) == (ReporterState.HEALTHY, 0, 1)
    cards.set_reporter(CARD, "dummy", grace_period=5000, auto_recover=False)
    dummy = cards.get_reporter(CARD, "dummy")
    assert (dummy.grace_period, dummy.auto_recover) == (5000, 0)
    debug("health/break_health").write_text("an error of a test")
    dummy = cards.get_reporter(CARD, "dummy")
    assert (dummy.state, dummy.error_count, dummy.recover_count) == (ReporterState.ERROR, 1, 0)
    assert dummy.dump_time
    dump: Any = cards.get_dump(CARD, "dummy")
    assert dump["break_message"] == "an error of a test"
    cards.clear_dump(CARD, "dummy")
    with cards.listen() as events:
        cards.recover(CARD, "dummy")
        event = next(each for each in events if isinstance(each, Reporter) and each.state == ReporterState.HEALTHY)
        assert (event.name, event.event) == ("dummy", Command.HEALTH_REPORTER_RECOVER)
    dummy = cards.get_reporter(CARD, "dummy")
    assert (dummy.state, dummy.recover_count) == (ReporterState.HEALTHY, 1)
    with pytest.raises(OSError, match="no such health reporter"):
        cards.diagnose(CARD, "nothing")


def test_what_a_reporter_says(cards: devlink.Conn[Conn]) -> None:
    said: Any = cards.diagnose(CARD, "dummy")
    data = said.pop("test_binary")
    assert isinstance(data, bytes)
    # netdevsim ends more than it began, after which devlink of iproute2 shows nothing.
    assert said == {
        "test_bool": True,
        "test_u8": 1,
        "test_u32": 3,
        "test_u64": 4,
        "test_string": "somestring",
        "test_nest": {"nested_test_bool": False, "nested_test_u8": 0},
        "test_u32_array": [*range(10)],
        "test_array_of_objects": [
            {"in_array_nested_test_bool": False, "in_array_nested_test_u8": number} for number in range(10)
        ],
    }
    theirs = shown_report("dummy")
    assert theirs.items() <= (said | {"test_binary": theirs["test_binary"]}).items()
    assert cards.diagnose(CARD, "empty") is None
    # What takes several messages.
    debug("health/binary_len").write_text("3000")
    said = cards.diagnose(CARD, "dummy")
    assert len(said["test_binary"]) == 3000
    assert said["test_u32_array"] == [*range(10)]
    debug("health/binary_len").write_text(str(64 << 10))
    dump: Any = cards.get_dump(CARD, "dummy")
    assert len(dump["test_binary"]) == 64 << 10


def shown_report(name: str) -> Any:
    if not shutil.which("devlink"):
        pytest.skip("there is no devlink of iproute2")
    command = ["devlink", "-j", "health", "diagnose", CARD, "reporter", name]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def test_regions(cards: devlink.Conn[Conn]) -> None:
    (region,) = cards.regions()
    assert region == cards.get_region(CARD, "dummy")
    assert (region.name, region.size, region.snapshots) == ("dummy", 32768, None)
    with cards.listen() as events:
        first = cards.add_snapshot(CARD, "dummy")
        assert cards.add_snapshot(CARD, "dummy", 77) == 77
        event = next(each for each in events if isinstance(each, Region) and each.snapshot == 77)
        assert event.event == Command.REGION_NEW
    assert {each.id for each in cards.get_region(CARD, "dummy").snapshots or ()} == {first, 77}
    with pytest.raises(FileExistsError, match="there is a snapshot of that number"):
        cards.add_snapshot(CARD, "dummy", 77)
    data = cards.read_region(CARD, "dummy", 77)
    assert len(data) == region.size
    assert cards.read_region(CARD, "dummy", 77, address=100, length=1000) == data[100:1100]
    assert cards.read_region(CARD, "dummy", 77, address=32000) == data[32000:]
    lines = shown("region", "read", f"{CARD}/dummy", "snapshot", "77", "address", "256", "length", "64")
    assert (lines["address"], bytes(lines["data"])) == (256, data[256:320])
    with pytest.raises(OSError, match="netlink receive"):
        cards.read_region(CARD, "dummy")
    cards.delete_snapshot(CARD, "dummy", 77)
    with pytest.raises(OSError, match="netlink receive"):
        cards.read_region(CARD, "dummy", 77)
    for _ in range((cards.get_region(CARD, "dummy").max_snapshots or 16) - 1):
        cards.add_snapshot(CARD, "dummy")
    with pytest.raises(OSError, match="as many snapshots as it can"):
        cards.add_snapshot(CARD, "dummy")


def test_traps(cards: devlink.Conn[Conn]) -> None:
    traps = {each.name: each for each in cards.traps()}
    said = {each["name"]: each for each in shown("trap", "show")[CARD]}
    assert traps.keys() == said.keys()
    for name, trap in traps.items():
        assert str(TrapType(int(trap.type or 0)).name).lower() == said[name]["type"]
        assert str(TrapAction(int(trap.action or 0)).name).lower() == said[name]["action"]
        assert (bool(trap.generic), trap.group) == (said[name]["generic"], said[name]["group"])
    cards.set_trap(CARD, "blackhole_route", TrapAction.TRAP)
    assert cards.get_trap(CARD, "blackhole_route").action == TrapAction.TRAP
    with route.dial() as rt:
        port = cards.get_port(f"{CARD}/0")
        rt.up(int(port.netdev_ifindex or 0))
    # The card simulates packets while it is up.
    eventually(lambda: cards.get_trap(CARD, "blackhole_route").rx_packets or 0, "packets are trapped", 20)
    assert cards.get_trap(CARD, "blackhole_route").rx_bytes
    cards.set_trap_group(CARD, "l2_drops", action=TrapAction.TRAP, policer=2)
    group = cards.get_trap_group(CARD, "l2_drops")
    assert (group.policer, cards.get_trap(CARD, "vlan_tag_mismatch").action) == (2, TrapAction.TRAP)
    cards.set_trap_group(CARD, "l2_drops", policer=0)
    assert cards.get_trap_group(CARD, "l2_drops").policer is None
    cards.set_trap_policer(CARD, 1, rate=1500, burst=64)
    policer = cards.get_trap_policer(CARD, 1)
    assert (policer.rate, policer.burst) == (1500, 64)
    assert {each.name for each in cards.trap_groups()} == {each.group for each in traps.values()}
    assert {each.id for each in cards.trap_policers()} == {1, 2, 3}
    with pytest.raises(OSError, match="netlink receive"):
        cards.get_trap(CARD, "nothing")


def test_resources(cards: devlink.Conn[Conn]) -> None:
    resources = {each.name: each for each in cards.resources(CARD)}
    said = {each["name"]: each for each in shown("resource", "show", CARD)[CARD]}
    assert resources.keys() == said.keys()
    (fib, *_) = resources["IPv4"].resources or ()
    assert {each.name for each in resources["IPv4"].resources or ()} == {
        each["name"] for each in said["IPv4"]["resources"]
    }
    assert (fib.name, fib.size) == ("fib", 2**64 - 1)
    cards.set_resource(CARD, int(fib.id or 0), 1000)
    (fib, *_) = {each.name: each for each in cards.resources(CARD)}["IPv4"].resources or ()
    assert (fib.size, fib.size_new) == (2**64 - 1, 1000)
    cards.reload(CARD)
    (fib, *_) = {each.name: each for each in cards.resources(CARD)}["IPv4"].resources or ()
    assert (fib.size, fib.size_new) == (1000, None)


def test_rates(cards: devlink.Conn[Conn]) -> None:
    (BUS / "devices/netdevsim7/sriov_numvfs").write_text("2")
    cards.set_eswitch(CARD, EswitchMode.SWITCHDEV)
    assert cards.eswitch(CARD).mode == EswitchMode.SWITCHDEV
    cards.add_rate(CARD, "group1", tx_max=10_000_000)
    node = cards.get_rate(CARD, "group1")
    assert (node.type, node.node_name, node.tx_max) == (RateType.NODE, "group1", 10_000_000)
    with pytest.raises(FileExistsError, match="there is a node of that name"):
        cards.add_rate(CARD, "group1")
    leaves = [each for each in cards.rates() if each.type == RateType.LEAF]
    assert len(leaves) == 2
    leaf = leaves[0].handle
    cards.set_rate(leaf, tx_share=1_000_000, tx_max=5_000_000, parent="group1")
    rate = cards.get_rate(leaf)
    assert (rate.tx_share, rate.tx_max, rate.parent) == (1_000_000, 5_000_000, "group1")
    said = shown("port", "function", "rate", "show", leaf)[leaf]
    assert (said["tx_share"], said["tx_max"], said["parent"]) == (1_000_000, 5_000_000, "group1")
    with pytest.raises(OSError, match="give them another parent first"):
        cards.delete_rate(CARD, "group1")
    cards.set_rate(leaf, parent="")
    cards.delete_rate(CARD, "group1")
    with pytest.raises(OSError, match="netlink receive"):
        cards.get_rate(CARD, "group1")
    vf = next(each for each in cards.ports() if each.flavour == PortFlavour.PCI_VF)
    assert vf.vf is not None


def test_a_flash(cards: devlink.Conn[Conn], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not in /lib/firmware"):
        cards.flash(CARD, "nothing.bin")
    folder = Path("/sys/module/firmware_class/parameters/path")
    if not folder.exists():
        pytest.skip("this kernel does not say where firmware is")
    (tmp_path / "card.bin").write_bytes(b"firmware")
    before = folder.read_text()
    folder.write_text(str(tmp_path))
    try:
        with cards.listen() as events:
            try:
                cards.flash(CARD, "card.bin")
            except FileNotFoundError:
                pytest.skip("the kernel does not see the folders of this process")
            steps = []
            for event in events:
                if isinstance(event, FlashStatus):
                    steps.append(event)
                    if event.event == Command.FLASH_UPDATE_END:
                        break
    finally:
        folder.write_text(before.strip() or "\n")
    assert steps[0].event == Command.FLASH_UPDATE
    assert {each.event for each in steps[1:-1]} == {Command.FLASH_UPDATE_STATUS}
    assert any(each.total and each.done == each.total for each in steps)
    assert any(each.message for each in steps)


def test_events(netns: Any) -> None:
    require_netdevsim()
    with devlink.dial() as cards, cards.listen() as events:
        with simulated():
            cards.set_param(CARD, "max_macs", 9, ParamMode.DRIVERINIT)
        seen: list[Any] = []
        for event in events:
            seen.append(event)
            if isinstance(event, Device) and event.event == Command.DEL:
                break
    assert {each.event for each in seen} >= {
        Command.NEW,
        Command.DEL,
        Command.PORT_NEW,
        Command.PORT_DEL,
        Command.PARAM_NEW,
        Command.TRAP_NEW,
        Command.TRAP_GROUP_NEW,
        Command.TRAP_POLICER_NEW,
        Command.REGION_NEW,
    }
    assert {each.handle for each in seen} == {CARD, f"{CARD}/0", f"{CARD}/1"}
    assert any(isinstance(each, Port) and each.netdev_name for each in seen)
    assert any(isinstance(each, Param) and each.driverinit == 9 for each in seen)


def test_the_example(cards: devlink.Conn[Conn]) -> None:
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    command = [sys.executable, "-X", "dev", "-W", "error", str(EXAMPLE)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    head, *ports = run.stdout.splitlines()
    assert head.startswith(f"{CARD} netdevsim: ")
    assert ports == [f"  port {port.port_index} {port.netdev_name} PHYSICAL" for port in cards.ports()]
    cards.set_reporter(CARD, "dummy", auto_recover=False)
    debug("health/break_health").write_text("an error of a test")
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "  dummy has an error: errors 1, recoveries 0" in run.stdout
    with subprocess.Popen([*command, "--watch"], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout
        assert watch.stdout.readline()  # it listens from before that
        cards.set_param(CARD, "max_macs", 9, ParamMode.DRIVERINIT)
        assert any(line == f"{CARD} PARAM_NEW max_macs\n" for line in watch.stdout)
        watch.send_signal(signal.SIGTERM)
        watch.stdout.read()
    assert watch.returncode == 0
