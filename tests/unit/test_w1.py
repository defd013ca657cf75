"""netlink.connector.w1 without a kernel: names of slaves, requests as bytes, replies from bytes made otherwise."""

from __future__ import annotations

import errno
import struct
from typing import Any

import pytest

from netlink import DecodeError, Header, Message, OpError, nltest
from netlink.connector import w1
from netlink.connector.w1 import Cmd, Command, Event, Msg, SlaveID
from netlink.family import Dialogue

NUMBER = bytes.fromhex("28a1d85c070000")
MASTER = struct.pack("=II", 1, 0)
LIST, MASTER_CMD, SLAVE_CMD = 6, 4, 5


def command(number: int, data: bytes = b"") -> bytes:
    return struct.pack("=BBH", number, 0, len(data)) + data


def msg(kind: int, who: bytes = bytes(8), data: bytes = b"", status: int = 0) -> bytes:
    return struct.pack("=BBH8s", kind, status, len(data), who) + data


def cn(sequence: int, ack: int, data: bytes) -> Message:
    return Message(Header(type=3, sequence=sequence), struct.pack("=IIIIHH", 3, 1, sequence, ack, len(data), 0) + data)


class Kernel:
    """Answers with what a function makes of the bytes behind the question for masters."""

    def __init__(self, *answers: bytes | tuple[int, bytes], masters: tuple[int, ...] = (1,)) -> None:
        """answers: statuses as bytes, data with 1 before. masters: an empty tuple for a kernel without 1-Wire."""
        self.answers = answers
        self.masters = masters
        self.asked: list[bytes] = []

    def __call__(self, requests: list[Message]) -> list[Message]:
        found: list[Message] = []
        for request in requests:
            idx, val, sequence, ack, size, flags = struct.unpack_from("=IIIIHH", request.data)
            assert (idx, val, ack, flags, size) == (3, 1, 0, 0, len(request.data) - 20)
            assert request.header.sequence == sequence != 0
            assert request.data[20:32] == msg(LIST)
            self.asked.append(request.data[32:])
            if self.masters:
                listed = struct.pack(f"={len(self.masters)}I", *self.masters)
                found += [cn(0, 0, b""), cn(sequence, sequence + 1, msg(LIST, data=listed))]
                for answer in self.answers:
                    here = (sequence + answer[0], answer[1]) if isinstance(answer, tuple) else (0, answer)
                    found.append(cn(sequence, *here))
        return found


def over(kernel: Kernel) -> w1.Conn[Any]:
    return w1.Conn(nltest.dial(kernel))


# Slaves


def test_names_and_checksums() -> None:
    slave = SlaveID.of("28-0000075cd8a1")
    # The checksum of an example of Maxim's Application Note 27.
    assert SlaveID.of("02-0000000001b8").valid
    assert (slave.family, slave.id, slave.name) == (0x28, NUMBER[1:], "28-0000075cd8a1")
    assert SlaveID.of("28-000000000001").encode() == bytes.fromhex("2801000000000029")
    assert SlaveID.of("02-00000001B81C").encode() == bytes.fromhex("021cb801000000a2")
    assert slave == SlaveID.decode(slave.encode())
    assert not slave.replace(crc=0).valid


@pytest.mark.parametrize(
    "name",
    ["", "28", "28-", "28-123", "28-00000000000g", "2-8000000000001", "28-0000000000001", "28-\uff10000000000001"],
)
def test_no_names(name: str) -> None:
    with pytest.raises(ValueError, match="the name of a slave is such as"):
        SlaveID.of(name)


# Requests and replies


def test_masters() -> None:
    for masters in ((1,), (1, 2, 7)):
        kernel = Kernel(masters=masters)
        with over(kernel) as bus:
            assert bus.masters() == [*masters]
        assert kernel.asked == [b""]


def test_commands_of_a_master_as_bytes() -> None:
    slave = SlaveID.of("28-000000000001")
    for ask, number, data in (
        (lambda bus: bus.add_slave(1, slave), 6, slave.encode()),
        (lambda bus: bus.remove_slave(1, "28-000000000001"), 7, slave.encode()),
        (lambda bus: bus.write(1, b"\x44\x45"), 1, b"\x44\x45"),
    ):
        kernel = Kernel(msg(MASTER_CMD, MASTER, command(number)))
        with over(kernel) as bus:
            assert ask(bus) is None
        assert kernel.asked == [msg(MASTER_CMD, MASTER, command(number, data))]


def test_slaves_in_several_messages() -> None:
    numbers = [SlaveID.of(f"28-{number:012x}").encode() for number in range(3)]
    for ask, number in (
        (lambda bus: bus.slaves(1), 8),
        (lambda bus: bus.search(1), 2),
        (lambda bus: bus.search(1, alarm=True), 3),
    ):
        kernel = Kernel(
            (1, msg(MASTER_CMD, MASTER, command(number, numbers[0] + numbers[1]))),
            (1, msg(MASTER_CMD, MASTER, command(number, numbers[2]))),
            msg(MASTER_CMD, MASTER, command(number)),
        )
        with over(kernel) as bus:
            assert [slave.encode() for slave in ask(bus)] == numbers
        assert kernel.asked == [msg(MASTER_CMD, MASTER, command(number))]


def test_commands_of_a_slave() -> None:
    slave = SlaveID.of("28-000000000001")
    who = slave.encode()
    kernel = Kernel(
        msg(SLAVE_CMD, who, command(1)),
        (1, msg(SLAVE_CMD, who, command(0, b"123456789"))),
        msg(SLAVE_CMD, who, command(0)),
        (1, msg(SLAVE_CMD, who, command(4, b"\x55"))),
        msg(SLAVE_CMD, who, command(4)),
    )
    with over(kernel) as bus:
        found = bus.transact(slave, [Cmd.write(b"\xbe"), Cmd.read(9), Cmd.touch(b"\xff")])
    assert found == [b"123456789", b"\x55"]
    assert kernel.asked == [msg(SLAVE_CMD, who, command(1, b"\xbe") + command(0, bytes(9)) + command(4, b"\xff"))]


def test_several_messages_of_the_connector_in_one() -> None:
    """As the kernel bundles them."""
    who = SlaveID.of("28-000000000001").encode()

    def bundled(requests: list[Message]) -> list[Message]:
        sequence = requests[0].header.sequence
        one = cn(sequence, sequence + 1, msg(SLAVE_CMD, who, command(0, b"1")))
        two = cn(sequence, 0, msg(SLAVE_CMD, who, command(0)))
        return [cn(sequence, sequence + 1, msg(LIST)), one.replace(data=one.data + two.data)]

    with w1.Conn(nltest.dial(bundled)) as bus:
        assert bus.read("28-000000000001", 1) == b"1"


def test_nobody_answers() -> None:
    with over(Kernel(masters=())) as bus:
        for ask in (bus.masters, lambda: bus.reset(1), lambda: bus.read("28-000000000001", 1)):
            with pytest.raises(FileNotFoundError, match="`modprobe wire` loads its module"):
                ask()


@pytest.mark.parametrize(
    ("answer", "number", "message"),
    [
        (msg(MASTER_CMD, MASTER, status=19), errno.ENODEV, "knows no master 1"),
        (msg(MASTER_CMD, MASTER, command(6), 22), errno.EINVAL, "has this slave already"),
        (msg(MASTER_CMD, MASTER, command(6), 17), errno.EEXIST, "of another master"),
        (msg(MASTER_CMD, MASTER, status=12), errno.ENOMEM, "memory"),
    ],
)
def test_refusals(answer: bytes, number: int, message: str) -> None:
    with over(Kernel(answer)) as bus, pytest.raises(OpError, match=message) as info:
        bus.add_slave(1, "28-000000000001")
    assert info.value.errno == number


def test_a_slave_that_does_not_answer_ends_all_commands() -> None:
    who = SlaveID.of("28-000000000001").encode()
    kernel = Kernel(msg(SLAVE_CMD, who, command(1), 19))
    with over(kernel) as bus, pytest.raises(OpError, match="nothing answers") as info:
        bus.transact("28-000000000001", [Cmd.write(b"1"), Cmd.read(1)])
    assert info.value.errno == errno.ENODEV


def test_a_reset() -> None:
    for status, there in ((0, True), (255, False)):
        with over(Kernel(msg(MASTER_CMD, MASTER, command(5), status))) as bus:
            assert bus.reset(1) is there


@pytest.mark.parametrize(
    "answer",
    [
        (1, b"12345"),
        (1, msg(MASTER_CMD, MASTER, command(0, b"1"))[:-1]),
        (1, struct.pack("=BBH8s", MASTER_CMD, 0, 99, MASTER)),
        (1, msg(MASTER_CMD, MASTER, struct.pack("=BBH", 0, 0, 7))),
    ],
)
def test_replies_that_are_cut_off(answer: Any) -> None:
    with over(Kernel(answer, msg(MASTER_CMD, MASTER, command(0)))) as bus, pytest.raises(DecodeError):
        bus.read(1, 1)


def test_answers_that_do_not_come() -> None:
    with over(Kernel()) as bus, pytest.raises(DecodeError, match="want the answers to 1 commands, got 0"):
        bus.reset(1)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda bus: bus.read(1, 0), ValueError, "from 1 to"),
        (lambda bus: bus.read(1, 17000), ValueError, "from 1 to 16,336 bytes"),
        (lambda bus: bus.write(1, bytes(70000)), ValueError, "at most 65,535"),
        (lambda bus: bus.write(1, bytes(16337)), ValueError, "more than"),
        (lambda bus: bus.reset("28-000000000001x"), ValueError, "the name of a slave"),
        (lambda bus: bus.slaves(True), TypeError, "a master is a number"),
        (lambda bus: bus.add_slave(1, 28), TypeError, "want a SlaveID or its name"),
        (lambda bus: bus.read(None, 1), TypeError, "want a SlaveID or its name"),
        (lambda bus: bus.transact(1, [b"x"]), TypeError, r"want commands such as Cmd\.read"),
        (lambda bus: bus.reset(-1), ValueError, "id"),
    ],
)
def test_what_is_refused(ask: Any, error: type[Exception], message: str) -> None:
    with over(Kernel()) as bus, pytest.raises(error, match=message):
        ask(bus)


def test_the_largest_request_fits_the_connector() -> None:
    kernel = Kernel((1, msg(MASTER_CMD, MASTER, command(0, bytes(16336)))), msg(MASTER_CMD, MASTER, command(0)))
    with over(kernel) as bus:
        assert bus.read(1, 16336) == bytes(16336)
    assert 20 + 12 + len(kernel.asked[0]) == 16384


# Events


def test_events() -> None:
    slave = SlaveID.of("28-000000000001")
    for number, who, want in (
        (0, slave.encode(), (None, slave)),
        (1, slave.encode(), (None, slave)),
        (2, MASTER, (1, None)),
        (3, MASTER, (1, None)),
    ):
        event = Event.decode(cn(7, 0, msg(number, who)).data)
        assert (event.master, event.slave, event.seq) == (*want, 7)
        assert event.type == number
    with pytest.raises(DecodeError):
        Event.decode(cn(7, 0, msg(2, MASTER)).data[:-1])


# The dialogue


def test_a_dialogue_needs_a_number_and_a_function() -> None:
    with pytest.raises(ValueError, match="needs a sequence number"):
        Dialogue(Message(), bool)
    with pytest.raises(TypeError, match="must be a function"):
        Dialogue(Message(Header(sequence=1)), None)  # type: ignore[arg-type]
    assert Msg(type=w1.MessageType.LIST_MASTERS, id=bytes(8)).encode() == msg(LIST)
    assert Cmd.of(Command.SEARCH).encode() == command(2)
