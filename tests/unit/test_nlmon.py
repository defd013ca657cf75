"""Captured netlink without a kernel: what messages mean, files, and the command."""

from __future__ import annotations

import errno
import io
import json
import random
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tshark
from netlink import Family, Header, HeaderFlags, HeaderType, Message, nlmon
from netlink.generic import openvswitch as ovs
from netlink.generic.genetlink import FamilyInfo
from netlink.generic.genetlink import Message as GenericMessage
from netlink.generic.wireguard import Device
from netlink.kobject_uevent import Uevent
from netlink.netfilter.conntrack.records import Command as CtCommand
from netlink.netfilter.conntrack.records import Flow
from netlink.nlmon import CaptureError, Datagram, Decoder, Direction, Writer
from netlink.nlmon.__main__ import main
from netlink.route import Link, Route
from netlink.route.command import Command
from netlink.sock_diag.records import UDPSocket

REQUEST, DUMP, MULTI = HeaderFlags.REQUEST, HeaderFlags.DUMP, HeaderFlags.MULTI
TIME = 1_700_000_000_123_456_789


def message(type_: int, data: bytes, flags: int = 0, sequence: int = 1, pid: int = 0) -> bytes:
    data += bytes(-len(data) % 4)
    return Message(Header(16 + len(data), type_, flags, sequence, pid), data).marshal_binary()


def datagram(*messages: bytes, protocol: int = Family.ROUTE) -> Datagram:
    data = b"".join(messages)
    return Datagram(TIME, protocol, data, len(data))


def error(number: int, sequence: int = 1) -> bytes:
    return message(HeaderType.ERROR, struct.pack("=i", -number) + bytes(16), sequence=sequence, pid=5)


def test_a_request_and_its_replies() -> None:
    decoder = Decoder()
    (asked,) = decoder.decode(datagram(message(Command.GETLINK, Link().encode(), REQUEST | DUMP)))
    assert (asked.direction, asked.family, asked.operation) == (Direction.REQUEST, "route", "GETLINK")
    lo = Link(index=1, name="lo")
    done = message(HeaderType.DONE, bytes(4), MULTI, pid=5)
    reply, end = decoder.decode(datagram(message(Command.NEWLINK, lo.encode(), MULTI, pid=5), done))
    assert (reply.direction, reply.operation, reply.record, reply.error) == (Direction.REPLY, "NEWLINK", lo, "")
    assert (end.direction, end.family, end.operation, end.record) == (Direction.REPLY, "route", "DONE", None)
    (event,) = decoder.decode(datagram(message(Command.DELLINK, lo.encode(), sequence=0)))
    assert (event.direction, event.operation, event.record) == (Direction.EVENT, "DELLINK", lo)


def test_acknowledgements_and_refusals() -> None:
    decoder = Decoder()
    decoder.decode(datagram(message(Command.DELROUTE, Route(dst="10.0.0.0/8").encode(), REQUEST)))
    (done,) = decoder.decode(datagram(error(0)))
    assert done.is_acknowledgement
    assert (done.family, done.operation, done.error) == ("route", "ERROR", "")
    (refused,) = decoder.decode(datagram(error(errno.ESRCH)))
    assert not refused.is_acknowledgement
    assert refused.error == "No such process"
    (unasked,) = decoder.decode(datagram(error(errno.ESRCH, 99)))
    assert (unasked.family, unasked.error) == ("route", "No such process")


def test_numbers_of_generic_families_are_learned() -> None:
    decoder = Decoder()
    asked = GenericMessage(0, 1, Device(ifname="wg0").encode()).marshal()
    (unknown,) = decoder.decode(datagram(message(31, asked, REQUEST), protocol=Family.GENERIC))
    assert (unknown.family, unknown.operation, unknown.record) == ("generic-31", "0", None)
    named = GenericMessage(1, 2, FamilyInfo(id=31, name="wireguard").encode()).marshal()
    (told,) = decoder.decode(datagram(message(16, named, sequence=2, pid=5), protocol=Family.GENERIC))
    assert (told.family, told.operation) == ("nlctrl", "NEWFAMILY")
    for made in (decoder, Decoder({31: "wireguard"})):
        (known,) = made.decode(datagram(message(31, asked, REQUEST | DUMP, 3), protocol=Family.GENERIC))
        assert (known.family, known.operation) == ("wireguard", "GET_DEVICE")
        assert known.record is not None
        assert known.record.to_dict()["ifname"] == "wg0"
    (short,) = decoder.decode(datagram(message(31, b""), protocol=Family.GENERIC))
    assert (short.operation, short.record) == ("", None)


def test_a_class_of_several_families_is_each_of_them() -> None:
    flow = ovs.Flow(dp_ifindex=5, key=ovs.Key(in_port=1), actions=[])
    data = GenericMessage(ovs.FlowCommand.NEW, 1, flow.encode()).marshal()
    decoder = Decoder({30: "ovs_flow", 31: "ovs_datapath"})
    (found,) = decoder.decode(datagram(message(30, data, REQUEST), protocol=Family.GENERIC))
    assert (found.family, found.record) == ("ovs_flow", flow)
    (other,) = decoder.decode(datagram(message(31, data, REQUEST), protocol=Family.GENERIC))
    assert not isinstance(other.record, ovs.Flow)


def test_sockets_are_told_by_the_request() -> None:
    decoder = Decoder()
    request = struct.pack("=BBBxI48x", 2, 17, 0, 0xFFF)
    (asked,) = decoder.decode(datagram(message(20, request, REQUEST | DUMP, 9), protocol=Family.SOCK_DIAG))
    assert asked.operation == "BY_FAMILY"
    reply = struct.pack("=BBBB68x", 2, 7, 0, 0)
    (found,) = decoder.decode(datagram(message(20, reply, MULTI, 9, 4), protocol=Family.SOCK_DIAG))
    assert isinstance(found.record, UDPSocket)
    (strange,) = decoder.decode(datagram(message(20, b"\xf0\0\0\0", REQUEST, 10), protocol=Family.SOCK_DIAG))
    assert strange.record is None


def test_batches_events_and_families_of_users() -> None:
    flow = Flow(mark=5)
    decoder = Decoder()
    begin, event = decoder.decode(
        datagram(
            message(16, b"\0\0\0\x0a", REQUEST), message(CtCommand.NEW, flow.encode(), 0, 0), protocol=Family.NETFILTER
        )
    )
    assert (begin.family, begin.operation) == ("netfilter", "BATCH_BEGIN")
    assert (event.direction, event.family, event.operation, event.record) == (
        Direction.EVENT,
        "conntrack",
        "NEW",
        flow,
    )
    text = b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=net\0SEQNUM=5\0"
    (uevent,) = decoder.decode(datagram(text, protocol=Family.KOBJECT_UEVENT))
    assert isinstance(uevent.record, Uevent)
    assert (uevent.message, uevent.record.action) == (None, "add")
    (other,) = decoder.decode(datagram(message(77, b"abcd"), protocol=31))
    assert (other.family, other.operation, other.record, other.error) == ("protocol-31", "77", None, "")


def test_what_is_cut_or_malformed_is_said() -> None:
    whole = message(Command.NEWLINK, Link(index=1).encode(), sequence=0)
    cut = Datagram(TIME, 0, (whole + whole)[:-8], 2 * len(whole))
    first, rest = Decoder().decode(cut)
    assert first.record == Link(index=1)
    assert (rest.message, rest.error) == (None, f"{len(whole) - 8} bytes cut off by the capture")
    assert cut.is_cut
    (bad,) = Decoder().decode(datagram(b"\xff" * 20))
    assert bad.error == "20 bytes malformed"
    (short,) = Decoder().decode(datagram(message(Command.NEWLINK, b"\0\0")))
    assert short.record is None
    assert short.error.startswith("no Link: ")
    assert Decoder().decode(datagram()) == []


@given(st.integers(0, 31), st.binary(max_size=200))
def test_any_bytes(protocol: int, data: bytes) -> None:
    found = DECODER.decode(Datagram(TIME, protocol, data, len(data)))
    sizes = [16 + len(seen.message.data) for seen in found if seen.message is not None]
    assert sum(sizes) <= len(data) + 3
    assert found or not data


# Files


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    given_ = [datagram(message(Command.GETLINK, Link().encode(), REQUEST | DUMP)), Datagram(5, 16, b"abc", 70_000)]
    path = tmp_path / "some.pcap"
    with Writer(path) as out:
        for each in given_:
            out.write(each)
        out.flush()
        assert list(nlmon.read(path)) == given_
    buffer = io.BytesIO()
    with Writer(buffer) as out:
        out.write(given_[0])
    assert not buffer.closed
    assert list(nlmon.read(io.BytesIO(buffer.getvalue()))) == given_[:1]


def test_long_datagrams_are_as_long_as_programs_read(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    with Writer(path) as out:
        out.write(Datagram(TIME, 0, bytes(300_000), 300_000))
    (found,) = nlmon.read(path)
    assert (len(found.data), found.length, found.is_cut) == (262_128, 300_000, True)
    assert len(tshark.fields(path, "frame.len")) == 1


def test_tshark_reads_the_messages(tmp_path: Path) -> None:
    path = tmp_path / "messages.pcap"
    with Writer(path) as out:
        out.write(datagram(message(Command.GETLINK, Link().encode(), REQUEST | DUMP, 77, 5)))
    wanted = {"netlink-route.nltype": 18, "netlink.hdr_seq": 77, "netlink.hdr_pid": 5}
    (found,) = tshark.fields(path, *wanted, "frame.time_epoch")
    assert {name: int(found[name][0], 0) for name in wanted} == wanted
    assert "123456789" in found["frame.time_epoch"][0]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_files_of_either_byte_order_and_resolution(order: str, magic: int, unit: int) -> None:
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262_144, 253)
    packet = struct.pack("!HH10xH", 4, 824, 16) + b"data"
    record = struct.pack(f"{order}IIII", 7, 9, len(packet), len(packet) + 2)
    assert list(nlmon.read(io.BytesIO(head + record + packet))) == [Datagram(7_000_000_000 + 9 * unit, 16, b"data", 6)]


def written() -> bytes:
    buffer = io.BytesIO()
    with Writer(buffer) as out:
        out.write(datagram(message(Command.GETLINK, Link().encode(), REQUEST | DUMP)))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "no pcap file"),
        (b"hello world, this is no capture at all", "no pcap file"),
        (b"\x0a\x0d\x0d\x0a" + bytes(30), "editcap"),
        (struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1), "link type 1, not"),
        (written()[:30], "within the header"),
        (written()[:-1], "within a datagram"),
        (written()[:24] + struct.pack("=IIII", 0, 0, 1 << 30, 1 << 30), "damaged"),
        (written()[:24] + struct.pack("=IIII", 0, 0, 3, 3) + b"abc", "damaged"),
    ],
)
def test_files_that_are_no_captures(data: bytes, text: str) -> None:
    with pytest.raises(CaptureError, match=text):
        list(nlmon.read(io.BytesIO(data)))


def test_mutated_files() -> None:
    whole, chance = written(), random.Random(1)
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            for each in nlmon.read(io.BytesIO(data)):
                DECODER.decode(each)
        except CaptureError:
            pass


DECODER = Decoder()


# The command


def run(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    status = main([*arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.pcap"
    with Writer(path) as out:
        out.write(datagram(message(Command.GETLINK, Link().encode(), REQUEST | DUMP)))
        out.write(datagram(message(Command.NEWLINK, Link(index=1, name="lo").encode(), MULTI, pid=5)))
        out.write(datagram(message(Command.NEWLINK, Link(name="x0").encode(), REQUEST | 0x604, sequence=2)))
        out.write(datagram(error(errno.EPERM, 2)))
        out.write(datagram(message(HeaderType.ERROR, bytes(20), sequence=2)))
        out.write(datagram(message(77, b"abcd"), protocol=Family.XFRM))
    return path


def test_lines(file: Path, capsys: Any) -> None:
    status, out, _ = run(capsys, "--read", str(file))
    lines = [line.split(None, 1)[1] for line in out.splitlines()]
    assert status == 0
    assert lines == [
        'route        > GETLINK dump seq=1 Link type="NETROM"',
        'route        < NEWLINK multi seq=1 Link type="NETROM" index=1 name="lo"',
        'route        > NEWLINK ack+excl+create seq=2 Link type="NETROM" name="x0"',
        "route        < ERROR seq=2 [Operation not permitted]",
        "route        < ERROR seq=2 [done]",
        "xfrm         * 77 seq=1",
    ]
    assert out.startswith("22:13:20.123456 ")
    _, out, _ = run(capsys, "--read", str(file), "--family", "xfrm", "--hex")
    assert out.splitlines()[1] == f"    {message(77, b'abcd').hex(' ', 4)}"
    _, out, _ = run(capsys, "--read", str(file), "--count", "2")
    assert len(out.splitlines()) == 2


def test_json_lines(file: Path, capsys: Any) -> None:
    _, out, _ = run(capsys, "--read", str(file), "--json")
    values = [json.loads(line) for line in out.splitlines()]
    assert len(values) == 6
    assert values[1] | {"record": values[1]["record"]["name"]} == {
        "timestamp": TIME,
        "family": "route",
        "direction": "reply",
        "operation": "NEWLINK",
        "type": 16,
        "flags": 2,
        "seq": 1,
        "pid": 5,
        "record": "lo",
        "error": None,
    }
    assert values[3]["error"] == "Operation not permitted"


def test_what_the_command_refuses(tmp_path: Path, capsys: Any) -> None:
    status, _, err = run(capsys, "--read", str(tmp_path / "none"))
    assert (status, "No such file" in err) == (1, True)
    (tmp_path / "bad").write_text("no capture")
    assert run(capsys, "--read", str(tmp_path / "bad"))[::2] == (2, "error: this is no pcap file\n")
    for wrong in (("--read", "x", "--write", "y"), ("--count", "0"), ("--count", "x")):
        with pytest.raises(SystemExit) as info:
            main([*wrong])
        assert info.value.code == 2
    capsys.readouterr()


def test_bad_options() -> None:
    wrong: Any
    for wrong in ({"on_overrun": "no"}, {"snaplen": 0}, {"read_buffer": True}, {"snaplen": "x"}):
        with pytest.raises(ValueError, match="must be"):
            nlmon.listen(**wrong)


def test_it_is_not_imported_with_the_package() -> None:
    assert "netlink.nlmon" in sys.modules
    assert not hasattr(sys.modules["netlink"], "Tap")
