"""Uevents of the real kernel, for links in private network namespaces, beside udevadm; and forged ones."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import netns as netns_
from kernel.tools import Child, Worker, eventually
from netlink import AttributeEncoder, Conn, DecodeError, Family, Message, OpError, Overrun, dial, kobject_uevent
from netlink.kobject_uevent import Uevent, parse
from netlink.stream import Stream
from pace import SLOWNESS, fewer

MANY = fewer(10_000)
# The least and the most that the kernel charges the read buffer for a uevent of a link.
CHARGE_MIN, CHARGE_MAX = 512, 2048
UDEV = struct.pack("=8s", b"libudev") + b"\xfe\xed\xca\xfe"


@pytest.fixture
def stream(netns: netns_.Namespace) -> Iterator[Stream[Uevent, Any]]:
    with kobject_uevent.listen() as stream:
        yield stream


def rename(conn: Conn, index: int, names: list[str]) -> None:
    """Rename a link: a uevent "move" for each name."""
    requests: list[Message] = []
    for name in names:
        e = AttributeEncoder()
        e.string(3, name)  # IFLA_IFNAME
        request = netns_.link_request(netns_.RTM_NEWLINK, index=index)
        requests.append(request.replace(data=request.data + e.encode()))
    for start in range(0, len(requests), 100):  # whose answers fit any read buffer
        netns_.commit(conn, requests[start : start + 100])


def of_link(stream: Stream[Uevent, Any], count: int) -> list[Uevent]:
    found: list[Uevent] = []
    for batch in stream.batches(idle=10 * SLOWNESS):
        found += [event for event in batch if event.subsystem == "net"]
        if len(found) >= count:
            return found
    raise AssertionError(f"{len(found)} events of {count}: {found}")


def test_a_link_that_comes_moves_and_goes(stream: Stream[Uevent, Any], conn: Conn) -> None:
    index = netns_.add_link(conn, "before")
    rename(conn, index, ["after"])
    netns_.delete_link(conn, index)
    events = [event for event in of_link(stream, 3) if event.ifindex == index]
    add, move, remove = events
    assert (add.action, add.devpath, add.interface) == ("add", "/devices/virtual/net/before", "before")
    assert (move.action, move.devpath, move.devpath_old) == (
        "move",
        "/devices/virtual/net/after",
        "/devices/virtual/net/before",
    )
    assert (remove.action, remove.interface) == ("remove", "after")
    numbers = [event.seqnum or 0 for event in events]
    assert numbers == sorted(set(numbers))
    assert move.properties["INTERFACE"] == "after"
    assert move.properties["SEQNUM"] == str(move.seqnum)


def test_only_some_subsystems(netns: netns_.Namespace, conn: Conn) -> None:
    with kobject_uevent.listen(subsystems=["queues"]) as queues, kobject_uevent.listen(subsystems=["net"]) as links:
        index = netns_.add_link(conn, "link")
        rename(conn, index, ["renamed"])
        assert [event.action for event in of_link(links, 2)] == ["add", "move"]
        batch = queues.read(timeout=0)
        assert {event.subsystem for event in batch} <= {"queues"}
        assert links.lost == queues.lost == 0


def test_another_network_namespace(netns: netns_.Namespace, conn: Conn) -> None:
    with netns_.another() as other, kobject_uevent.listen(netns=other.fd) as there, kobject_uevent.listen() as here:
        netns_.add_link(conn, "link")
        assert of_link(here, 1)[0].interface == "link"
        assert not there.read(timeout=0)


def test_events_of_no_namespace_are_for_those_of_the_first_user_namespace(stream: Stream[Uevent, Any]) -> None:
    """All network namespaces that it owns have them. Those of another one have the events of their links alone."""
    if os.environ.get("NETLINK_TEST_MODULES") != "1":
        pytest.skip("udev of this machine would hear it: it is done in guests alone")
    heard, begin = os.pipe()
    waits, end = os.pipe()

    def inside() -> tuple[int, str | None]:
        netns_.unshare(netns_.CLONE_NEWUSER | netns_.CLONE_NEWNET)
        with kobject_uevent.listen() as there, dial(Family.ROUTE) as conn:
            os.write(begin, b"1")
            os.read(waits, 1)
            early = len(there.read(timeout=0))
            netns_.add_link(conn, "link")
            return early, of_link(there, 1)[0].interface

    child = Child(inside)
    os.read(heard, 1)
    Path("/sys/class/mem/null/uevent").write_text("change")
    event = next(one for one in stream if one.subsystem == "mem")
    assert (event.action, event.properties["DEVNAME"]) == ("change", "null")
    os.write(end, b"1")
    assert child.result() == (0, "link")
    for fd in (heard, begin, waits, end):
        os.close(fd)


def test_a_burst_without_a_loss(stream: Stream[Uevent, Any], conn: Conn, work: Callable[..., Worker]) -> None:
    if stream.read_buffer() < MANY * CHARGE_MIN:
        pytest.skip(f"net.core.rmem_max permits a read buffer of {stream.read_buffer()} bytes only")
    index = netns_.add_link(conn, "first")
    of_link(stream, 1)
    names = [f"n{i}" for i in range(MANY)]
    # Enough for all of them at once where a reader is not needed; else one reads meanwhile.
    reader = work(of_link, stream, MANY) if stream.read_buffer() < MANY * CHARGE_MAX else None
    rename(conn, index, names)
    events = of_link(stream, MANY) if reader is None else reader.result()
    assert [event.interface for event in events] == names
    assert stream.lost == 0


@pytest.mark.parametrize("policy", ["raise", "mark"])
def test_losses_are_reported(netns: netns_.Namespace, conn: Conn, policy: Any) -> None:
    index = netns_.add_link(conn, "first")
    with kobject_uevent.listen(read_buffer=8192, on_overrun=policy) as stream:
        rename(conn, index, [f"n{i}" for i in range(100)])
        read, told = 0, 0
        while read + told < 100:
            try:
                item = next(stream)
            except Overrun as overrun:
                item = overrun
                assert policy == "raise"
            if isinstance(item, Overrun):
                told += item.lost
            else:
                read += 1
        assert told == stream.lost > 0
        assert read + told == 100
        rename(conn, index, ["again"])
        assert next(stream).interface == "again"


def test_events_in_an_event_loop(stream: Stream[Uevent, Any], conn: Conn) -> None:
    async def main() -> str | None:
        asyncio.get_running_loop().call_soon(netns_.add_link, conn, "link")
        async for event in stream:
            if event.subsystem == "net":
                return event.interface
        return None

    assert asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS)) == "link"


def test_a_stream_that_ends(stream: Stream[Uevent, Any], conn: Conn) -> None:
    netns_.add_link(conn, "link")
    stream.stop()
    assert {event.subsystem for event in stream} >= {"net"}
    stream.close()
    with pytest.raises(OpError, match=r"(?i)bad file descriptor"):
        stream.read(timeout=0)


# Forged events


class Forger:
    """A process with CAP_NET_ADMIN that sends to the groups of uevents."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.KOBJECT_UEVENT)

    def send(self, group: int, datagram: bytes, uid: int | None = None) -> None:
        credentials = []
        if uid is not None:
            credentials = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("=iII", os.getpid(), uid, 0))]
        self.sock.sendmsg([datagram], credentials, 0, (0, 1 << (group - 1)))


@pytest.fixture
def forger(netns: netns_.Namespace) -> Iterator[Forger]:
    forger = Forger()
    with forger.sock:
        yield forger


FORGED = b"add@/forged\0ACTION=add\0DEVPATH=/forged\0SUBSYSTEM=net\0"


def processed(properties: bytes) -> bytes:
    return UDEV + struct.pack("=III", 40, 40, len(properties)) + bytes(16) + properties


def test_an_event_of_the_kernel_is_of_the_kernel(stream: Stream[Uevent, Any], forger: Forger, conn: Conn) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.KOBJECT_UEVENT) as plain:
        plain.bind((0, 1))
        forger.send(1, FORGED)
        forger.send(1, FORGED, uid=0)
        assert parse(plain.recv(4096)).devpath == "/forged"  # who does not check, reads it
    netns_.add_link(conn, "link")
    assert [event.devpath for event in of_link(stream, 1)] == ["/devices/virtual/net/link"]
    assert stream.lost == 0


def test_events_of_udev(forger: Forger) -> None:
    with kobject_uevent.listen("udev") as stream, kobject_uevent.listen("udev", subsystems=["block"]) as blocks:
        forger.send(2, processed(b"ACTION=add\0DEVPATH=/devices/a\0SUBSYSTEM=net\0ID_PATH=x\0TAGS=:systemd:\0"))
        forger.send(2, FORGED)  # not in libudev's form
        forger.send(2, processed(b"ACTION=add\0DEVPATH=/devices/b\0SUBSYSTEM=block\0SEQNUM=7\0"))
        forger.send(1, FORGED)
        first, second = stream.read(timeout=10 * SLOWNESS)
        assert first.properties["ID_PATH"] == "x"
        assert (second.devpath, second.seqnum) == ("/devices/b", 7)
        assert [event.devpath for event in blocks.read(timeout=0)] == ["/devices/b"]
        assert stream.lost == 0


def test_events_of_udev_are_of_root(forger: Forger) -> None:
    with kobject_uevent.listen("udev") as stream:
        try:
            forger.send(2, processed(b"ACTION=add\0DEVPATH=/forged\0"), uid=12345)
        except OSError as error:
            pytest.skip(f"this user namespace has no other user: {error}")
        forger.send(2, processed(b"ACTION=add\0DEVPATH=/devices/c\0"))
        assert [event.devpath for event in stream.read(timeout=10 * SLOWNESS)] == ["/devices/c"]


def test_an_event_that_is_too_long_is_a_loss(forger: Forger) -> None:
    long = processed(b"ACTION=add\0LONG=" + b"x" * 30_000 + b"\0")
    with kobject_uevent.listen("udev", on_overrun="mark") as stream:
        forger.send(2, long)
        lost = next(stream)
        assert isinstance(lost, Overrun)
        assert lost.lost == stream.lost == 1
        forger.send(2, long)
        event = next(stream)
        assert isinstance(event, Uevent)
        assert len(event.properties["LONG"]) == 30_000


def test_a_property_longer_than_an_attribute_is_an_error_and_no_end(forger: Forger) -> None:
    long = processed(b"ACTION=add\0LONG=" + b"x" * 66_000 + b"\0")
    with kobject_uevent.listen("udev", on_overrun="mark") as stream:
        forger.send(2, long)
        assert isinstance(next(stream), Overrun)
        forger.send(2, long)
        forger.send(2, processed(b"ACTION=move\0"))
        with pytest.raises(DecodeError, match="Uevent: the datagram has a text that is too long"):
            next(stream)
        event = next(stream)
        assert isinstance(event, Uevent)
        assert event.action == "move"
        assert stream.lost == 1


# Oracles


@pytest.fixture
def sysfs(tmp_path: Any) -> Callable[[str, str], None]:
    """A function that writes to a file of the devices of this network namespace: in mounts of a process of its own."""

    def write(file: str, text: str) -> None:
        script = f'mount -t sysfs sysfs "{tmp_path}" || exit 77\nprintf %s "{text}" > "{tmp_path}/{file}"'
        run = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
        if run.returncode == 77:
            pytest.skip(f"sysfs cannot be mounted: {run.stderr.strip()}")
        assert run.returncode == 0, run.stderr

    return write


def test_an_event_on_request(stream: Stream[Uevent, Any], conn: Conn, sysfs: Callable[[str, str], None]) -> None:
    netns_.add_link(conn, "link")
    of_link(stream, 1)
    uuid = "12345678-9abc-def0-1234-56789abcdef0"
    sysfs("class/net/link/uevent", f"change {uuid} COLOUR=red SIZE=7")
    (event,) = of_link(stream, 1)
    assert (event.action, event.synth_uuid, event.interface) == ("change", uuid, "link")
    assert (event.properties["SYNTH_ARG_COLOUR"], event.properties["SYNTH_ARG_SIZE"]) == ("red", "7")


def monitored(printed: str) -> list[dict[str, str]]:
    """The properties of the events that `udevadm monitor --property` prints."""
    found: list[dict[str, str]] = []
    for block in printed.split("\n\n"):
        lines = block.strip().splitlines()
        if lines and re.match(r"KERNEL\[", lines[0]):
            found.append(dict(line.split("=", 1) for line in lines[1:]))
    return found


def test_what_udevadm_shows(stream: Stream[Uevent, Any], conn: Conn) -> None:
    if shutil.which("udevadm") is None:
        pytest.skip("udevadm is missing")
    command = ["udevadm", "monitor", "--kernel", "--property"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as monitor:
        try:
            assert monitor.stdout is not None
            # It prints this before it opens its socket.
            assert "KERNEL" in "".join(monitor.stdout.readline() for _ in range(2))
            eventually(lambda: listeners() == 2, "udevadm listens")
            index = netns_.add_link(conn, "link")
            rename(conn, index, ["other"])
            netns_.delete_link(conn, index)
            events: list[Uevent] = []
            while not any(event.action == "remove" and event.subsystem == "net" for event in events):
                events += stream.read(timeout=10 * SLOWNESS)
            printed = ""
            while f"SEQNUM={events[-1].seqnum}\n" not in printed:
                line = monitor.stdout.readline()
                assert line, printed
                printed += line
            printed += monitor.stdout.readline()
        finally:
            monitor.terminate()
            monitor.communicate()
    shown = {one["SEQNUM"]: one for one in monitored(printed + "\n")}
    for event in events:
        # Of its own it adds the names of nodes and times.
        assert event.properties.items() <= shown[str(event.seqnum)].items()


def listeners() -> int:
    """How many sockets of this network namespace are in the kernel's group of uevents."""
    with open("/proc/thread-self/net/netlink") as file:
        rows = [line.split() for line in file][1:]
    return sum(1 for row in rows if int(row[1]) == Family.KOBJECT_UEVENT and int(row[3], 16) & 1)
