"""1-Wire on the real kernel, in a guest, beside sysfs: a master over a stub of its chip, slaves, commands, events."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import netns as netns_
from kernel import test_docs, wires
from kernel.tools import passed, soon, unprivileged
from kernel.wires import ONES, ZEROS, Wire
from netlink import Conn, OpError
from netlink.connector import w1
from netlink.connector.w1 import Cmd, Command, Event, MessageType, SlaveID
from pace import SLOWNESS

EXAMPLE = Path(__file__).parents[2] / "examples/w1.py"
NAME = "28-000000000001"


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with wires.wire() as wire:
        yield wire


@pytest.fixture
def bus(netns: netns_.Namespace, wire: Wire) -> Iterator[w1.Conn[Conn]]:
    wire.present(True)
    with w1.dial(netns=netns_.first()) as bus:
        bus.conn.set_deadline(soon(30 * SLOWNESS))
        for slave in bus.slaves(wire.master):
            bus.remove_slave(wire.master, slave)
        yield bus


def test_nobody_answers(netns: netns_.Namespace) -> None:
    if Path("/sys/bus/w1").exists():
        pytest.skip("this kernel has 1-Wire now")
    with w1.dial(netns=netns_.first()) as bus:
        bus.conn.set_deadline(soon())
        for ask in (bus.masters, lambda: bus.reset(1), lambda: bus.read(NAME, 9)):
            with pytest.raises(FileNotFoundError, match="`modprobe wire` loads its module"):
                ask()

    async def main() -> None:
        async with w1.dial_async(netns=netns_.first()) as own:
            await own.masters()

    with pytest.raises(FileNotFoundError, match="modprobe wire"):
        asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS))


def test_another_network_namespace(netns: netns_.Namespace) -> None:
    with w1.dial() as bus, pytest.raises(ConnectionRefusedError, match="use netns="):
        bus.masters()


def test_masters_and_slaves_are_those_of_sysfs(bus: w1.Conn[Conn], wire: Wire) -> None:
    assert bus.masters() == wires.masters() == [wire.master]
    assert bus.slaves(wire.master) == []
    names = [f"28-{number:012x}" for number in (1, 0xFFFFFFFFFFFF, 0x75CD8A1)]
    for name in names:
        bus.add_slave(wire.master, name)
    found = bus.slaves(wire.master)
    assert [slave.name for slave in found] == names
    assert all(slave.valid for slave in found)
    assert wires.slaves(wire.master) == sorted(names)
    for slave in found:
        sysfs = Path(f"/sys/bus/w1/devices/{slave.name}/id")
        assert sysfs.read_bytes() == slave.encode()
    bus.remove_slave(wire.master, found[1])
    assert wires.slaves(wire.master) == sorted([names[0], names[2]])
    for number in range(40):
        bus.add_slave(wire.master, f"81-{number:012x}")
    assert [slave.name for slave in bus.slaves(wire.master)] == [
        *(names[0], names[2]),
        *(f"81-{number:012x}" for number in range(40)),
    ]


def test_a_slave_is_the_one_of_udevadm(bus: w1.Conn[Conn], wire: Wire) -> None:
    if not shutil.which("udevadm"):
        pytest.skip("udevadm is missing (Debian: udev)")
    bus.add_slave(wire.master, "28-00000a5b1c2d")
    (slave,) = bus.slaves(wire.master)
    command = ["udevadm", "info", "--query=property", f"--path=/sys/bus/w1/devices/{slave.name}"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    properties = dict(line.partition("=")[::2] for line in printed.splitlines())
    assert int(properties["W1_FID"], 16) == slave.family == 0x28
    assert slave.id is not None
    assert int(properties["W1_SLAVE_ID"], 16) == int.from_bytes(slave.id, "little") == 0x0A5B1C2D


def test_a_reset_and_searches(bus: w1.Conn[Conn], wire: Wire) -> None:
    assert bus.reset(wire.master) is True
    wire.present(False)
    assert bus.reset(wire.master) is False
    wire.present(True)
    for bits, number in ((ONES, b"\xff" * 8), (ZEROS, bytes(8))):
        wire.finds(bits)
        for alarm in (False, True):
            assert [slave.encode() for slave in bus.search(wire.master, alarm=alarm)] == [number]


def test_bytes_on_the_bus(bus: w1.Conn[Conn], wire: Wire) -> None:
    wire.reads(0x42)
    assert bus.read(wire.master, 3) == b"BBB"
    bus.write(wire.master, b"\x11\x77")
    assert wire.written == 0x77
    assert len(bus.touch(wire.master, b"\xff\x55")) == 2
    assert bus.read(wire.master, 2000) == b"B" * 2000
    assert bus.transact(wire.master, []) == []


def test_commands_to_a_slave(bus: w1.Conn[Conn], wire: Wire) -> None:
    bus.add_slave(wire.master, NAME)
    slave = SlaveID.of(NAME)
    wire.reads(0x55)
    assert bus.read(slave, 9) == bus.read(NAME, 9) == b"\x55" * 9
    assert bus.transact(slave, [Cmd.write(b"\xbe"), Cmd.read(9), Cmd.write(b"\x44"), Cmd.read(1)]) == [
        b"\x55" * 9,
        b"\x55",
    ]
    assert wire.written == 0x44
    wire.present(False)
    with pytest.raises(OpError, match="nothing answers on its bus") as info:
        bus.transact(slave, [Cmd.write(b"\xbe"), Cmd.read(9)])
    assert info.value.errno == errno.ENODEV


def test_errors_say_what_to_do(bus: w1.Conn[Conn], wire: Wire) -> None:
    for ask in (bus.slaves, bus.search, bus.reset, lambda master: bus.read(master, 1)):
        with pytest.raises(OpError, match="the kernel knows no master 99") as info:
            ask(99)
        assert info.value.errno == errno.ENODEV
    with pytest.raises(OpError, match="knows no slave 28-000000000001"):
        bus.read(NAME, 1)
    bus.add_slave(wire.master, NAME)
    with pytest.raises(OpError, match="has this slave already") as info:
        bus.add_slave(wire.master, NAME)
    assert info.value.errno == errno.EINVAL
    with pytest.raises(FileExistsError, match="a slave of this name"):
        bus.add_slave(wire.master, SlaveID.of(NAME).replace(crc=0))
    with pytest.raises(OpError, match="a slave takes READ, WRITE and TOUCH alone"):
        bus.transact(NAME, [Cmd.of(Command.RESET)])
    bus.remove_slave(wire.master, NAME)
    with pytest.raises(OpError, match="has no such slave"):
        bus.remove_slave(wire.master, NAME)


def test_what_a_deadline_ends_does_not_answer_the_next_request(bus: w1.Conn[Conn], wire: Wire) -> None:
    wire.reads(0x11)
    bus.conn.set_read_deadline(passed())
    with pytest.raises(TimeoutError):
        bus.read(wire.master, 16000)
    bus.conn.set_deadline(soon(30 * SLOWNESS))
    wire.reads(0x22)
    assert bus.read(wire.master, 2) == b"\x22\x22"
    assert bus.reset(wire.master) is True
    assert bus.masters() == [wire.master]


def test_many_calls_and_asyncio(bus: w1.Conn[Conn], wire: Wire) -> None:
    names = [f"28-{number:012x}" for number in range(5)]
    results = bus.conn.execute_all(bus.calls.add_slave(wire.master, name) for name in [*names, names[0]])
    assert results[:5] == [None] * 5
    assert isinstance(results[5], OpError)

    async def main() -> tuple[Any, ...]:
        async with w1.dial_async(netns=netns_.first()) as own:
            return await asyncio.gather(own.masters(), own.slaves(wire.master), own.reset(wire.master))

    masters, slaves, present = asyncio.run(asyncio.wait_for(main(), 30 * SLOWNESS))
    assert (masters, [slave.name for slave in slaves], present) == ([wire.master], names, True)


def test_the_kernel_asks_for_no_privilege(bus: w1.Conn[Conn], wire: Wire) -> None:
    with w1.dial(netns=netns_.first()) as own:
        assert unprivileged(own.masters) == [wire.master]


def test_events(bus: w1.Conn[Conn], wire: Wire) -> None:
    with w1.listen(netns=netns_.first()) as events:
        bus.add_slave(wire.master, NAME)
        bus.remove_slave(wire.master, NAME)
        wire.end()
        wire.begin()
        events.stop()
        found = [(event.type, event.master, event.slave and event.slave.name) for event in events]
    assert [each for each in found if each[0] != MessageType.MASTER_REMOVE] == [
        (MessageType.SLAVE_ADD, None, NAME),
        (MessageType.SLAVE_REMOVE, None, NAME),
        (MessageType.MASTER_ADD, wire.master, None),
    ]
    assert (MessageType.MASTER_REMOVE, wire.master, None) in found


def test_events_with_asyncio(bus: w1.Conn[Conn], wire: Wire) -> None:
    async def main() -> Event:
        async with w1.listen(netns=netns_.first()) as events, w1.dial_async(netns=netns_.first()) as own:
            await own.add_slave(wire.master, NAME)
            async for event in events:
                return event
        raise AssertionError("the stream ended")

    event = asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS))
    assert (event.type, event.slave) == (MessageType.SLAVE_ADD, SlaveID.of(NAME))


def test_the_example(bus: w1.Conn[Conn], wire: Wire) -> None:
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    bus.add_slave(wire.master, NAME)
    wire.reads(0)

    command = [
        sys.executable,
        "-X",
        "dev",
        "-W",
        "error",
        str(EXAMPLE),
        "--netns",
        f"/proc/{os.getpid()}/fd/{netns_.first()}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"master {wire.master}: 1 slaves\n  {NAME}  thermometer  0.0 degrees\n"


def test_the_page(bus: w1.Conn[Conn], wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bus.add_slave(wire.master, NAME)
    wire.reads(0)
    test_docs.test_page("w1.md", tmp_path, monkeypatch)
