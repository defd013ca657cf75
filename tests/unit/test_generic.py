"""Generic netlink over doubles: the header behind nlmsghdr, numbers that are looked up, and messages to any family."""

from __future__ import annotations

import asyncio
import errno
import io
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from enum import IntFlag
from pathlib import Path
from typing import Any

import pytest

from kernel.tools import Peer
from netlink import (
    Config,
    DecodeError,
    Header,
    HeaderFlags,
    HeaderType,
    Message,
    OpError,
    Overrun,
    bpf,
    generic,
    nltest,
)
from netlink import Family as Protocol
from netlink._engine.bpf_filter import program
from netlink._engine.match import Condition, Match
from netlink._engine.receive import Reader, StreamReader
from netlink._transport import Socket
from netlink.consts import GenericID, PolicyType
from netlink.debug import Debugger
from netlink.family import Address, C, Call, Deferred, Do, Dump, Listen, Steps, verb
from netlink.generic import FamilyInfo, genetlink, nlctrl
from netlink.generic.genetlink import GroupInfo, lookup
from netlink.schema import AttributeSet, Batch, Field, Int, Member, Str, be16, event, nested, string, u32
from netlink.stream import Kind
from probe import c_names, c_values
from unit.test_filter import run as run_program

REQUEST, ACK, DUMP, MULTI = HeaderFlags.REQUEST, HeaderFlags.ACKNOWLEDGE, HeaderFlags.DUMP, HeaderFlags.MULTI
GET, SET, ALL, NEWS, GOES = 1, 2, 3, 4, 5


class What(IntFlag):
    """An event of a device."""

    NEWS = 1
    GOES = 2


class Key(AttributeSet):
    """The contents of a device."""

    text: Str = string(1)


class Device(AttributeSet):
    """A device. Its field `header` is an attribute."""

    number: Int = u32(1)
    header: Field[Key | None] = nested(2, Key)
    what: Member[What] = event(What)


class Port(AttributeSet):
    """Another declaration."""

    name: Str = string(1)


class Devices(generic.Family[C], name="devices", version=3, needs="CONFIG_DEVICES"):
    """Devices."""

    hints = {errno.ENOENT: "no such device"}  # noqa: RUF012

    get = Do(GET, Device, Device)
    set = Do(SET, Device, doc="Change a device.")
    dump = Dump(ALL, Device)
    picky = Do(GET, Device, Device, answer=NEWS)
    picky_dump = Dump(ALL, Device, answer=NEWS)
    listen = Listen({NEWS: (Device, What.NEWS), GOES: (Device, What.GOES)}, groups=["monitor"], state=dump)
    mixed = Listen([Kind[Device | Port](NEWS, Device), Kind[Device | Port](GOES, Port)], groups=["monitor"])

    @verb
    def twice(self: Devices[Deferred], number: int) -> Steps[list[Any]]:
        first = yield self.get(number=number)
        second = yield [self.get(number=number), self.set(number=number)]
        return [first, *second]


class Kernel:
    """A double of the kernel: the controller, and devices under a number that may change."""

    def __init__(self, number: int = 40, *devices: int) -> None:
        self.number: int | None = number
        self.devices = set(devices or (1, 2, 3))
        self.sent: list[Message] = []
        self.lookups = 0
        self.reply_to = GET

    def __call__(self, requests: list[Message]) -> list[Message]:
        self.sent += requests
        return [reply for request in requests for reply in self.answer(request)]

    def answer(self, m: Message) -> list[Message]:
        command, version, *reserved = m.data[:4]
        assert reserved == [0, 0]
        if m.header.type == GenericID.CTRL:
            self.lookups += 1
            assert (command, FamilyInfo.decode(m.data[4:])) == (3, FamilyInfo(name="devices"))
            if self.number is None:
                return nltest.error(errno.ENOENT, [m])
            found = FamilyInfo(id=self.number, name="devices", groups=(GroupInfo(name="monitor", id=99),))
            return [m.replace(length=0, flags=0, data=b"\1\2\0\0" + found.encode())]
        if m.header.type != self.number:
            return nltest.error(errno.ENOENT, [m])
        assert version == 3
        wanted = Device.decode(m.data[4:])
        if m.header.flags & DUMP == DUMP:
            parts = [self.device(m, number) for number in sorted(self.devices)]
            return nltest.multipart([*parts, m.replace(length=0, data=bytes(4))])
        if wanted.number not in self.devices:
            return nltest.error(errno.ENOENT, [m])
        replies = [self.device(m, wanted.number or 0)] if command == GET else []
        return replies + (nltest.error(0, [m]) if m.header.flags & ACK else [])

    def device(self, m: Message, number: int) -> Message:
        return m.replace(length=0, flags=0, data=bytes([self.reply_to, 3, 0, 0]) + Device(number=number).encode())


def dialled(kernel: Kernel) -> Devices:
    return Devices(nltest.dial(kernel))


def numbers(batch: Any) -> list[int]:
    return [record.number for record in batch]


# Requests and replies


def test_a_request_has_the_command_and_the_version_before_its_record() -> None:
    kernel = Kernel()
    devices = dialled(kernel)
    assert devices.set(number=2, header=Key(text="x")) is None
    lookup, request = kernel.sent
    assert (lookup.header.type, lookup.header.flags) == (GenericID.CTRL, REQUEST)
    assert (request.header.type, request.header.flags) == (40, REQUEST | ACK)
    assert request.data[:4] == bytes([SET, 3, 0, 0])
    assert Device.decode(request.data[4:]) == Device(number=2, header=Key(text="x"))


def test_the_number_is_looked_up_once_a_connection() -> None:
    kernel = Kernel()
    devices = dialled(kernel)
    for _ in range(3):
        assert devices.get(number=1) == Device(number=1)
        assert numbers(devices.dump()) == [1, 2, 3]
        assert [numbers(part) for part in devices.iterate(devices.calls.dump(), rows=2)] == [[1, 2], [3]]
        assert devices.twice(2) == [Device(number=2), Device(number=2), None]
        assert devices.conn.execute_all([devices.calls.get(number=n) for n in (1, 2)]) == [
            Device(number=1),
            Device(number=2),
        ]
    assert kernel.lookups == 1
    # Another family object over the same connection.
    assert Devices(devices.conn).get(number=1) == Device(number=1)
    assert kernel.lookups == 1
    assert dialled(kernel).get(number=1) == Device(number=1)
    assert kernel.lookups == 2


@pytest.mark.parametrize(
    "first",
    [
        lambda of: of.get(number=1),
        lambda of: of.dump(),
        lambda of: list(of.iterate(of.calls.dump())),
        lambda of: of.twice(1),
        lambda of: of.conn.execute_all([of.calls.set(number=1), of.calls.dump(), of.calls.twice(1)]),
    ],
)
def test_whichever_call_comes_first_looks_it_up(first: Callable[[Any], Any]) -> None:
    kernel = Kernel()
    first(dialled(kernel))
    assert kernel.lookups == 1
    assert {m.header.type for m in kernel.sent[1:]} == {40}


def test_in_an_event_loop() -> None:
    async def main() -> None:
        kernel = Kernel()
        async with Devices(nltest.dial_async(kernel)) as devices:
            assert await devices.get(number=1) == Device(number=1)
            assert numbers(await devices.dump()) == [1, 2, 3]
            assert [numbers(part) async for part in devices.iterate(devices.calls.dump(), rows=2)] == [[1, 2], [3]]
            assert await devices.twice(2) == [Device(number=2), Device(number=2), None]
            assert await devices.conn.execute_all([devices.calls.get(number=3)]) == [Device(number=3)]
            kernel.number = 41
            assert await devices.get(number=1) == Device(number=1)
            kernel.number = None
            with pytest.raises(FileNotFoundError, match="needs CONFIG_DEVICES"):
                await devices.get(number=1)
        assert kernel.lookups == 3

    asyncio.run(main())


def test_a_reply_that_is_shorter_than_the_header_is_malformed() -> None:
    def answer(requests: list[Message]) -> list[Message]:
        (m,) = requests
        if m.header.type == GenericID.CTRL:
            return Kernel().answer(m)
        return [m.replace(length=0, flags=0, data=b"\1\2\0"), *nltest.error(0, [m])][: 1 + bool(m.header.flags & ACK)]

    devices = Devices(nltest.dial(answer))
    for ask in (lambda: devices.get(number=1), devices.dump, lambda: list(devices.iterate(devices.calls.dump()))):
        with pytest.raises(DecodeError, match="shorter than the header of its protocol"):
            ask()
    (error,) = devices.conn.execute_all([devices.calls.get(number=1)])
    assert isinstance(error, OpError)
    assert "shorter than the header" in str(error)


def test_messages_of_another_command_are_no_answer() -> None:
    kernel = Kernel()
    devices = dialled(kernel)
    kernel.reply_to = NEWS
    assert devices.picky(number=1) == Device(number=1)
    assert numbers(devices.picky_dump()) == [1, 2, 3]
    kernel.reply_to = GOES
    assert numbers(devices.picky_dump()) == []
    with pytest.raises(OpError, match="want one message in the reply, got 0"):
        devices.picky(number=1)
    assert devices.get(number=1) == Device(number=1)


@pytest.mark.parametrize("options", [{"answer": 1}, {"skip": 4, "answer": 256}, {"skip": 4, "answer": -1}])
def test_an_answer_is_a_byte_of_a_header(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="answer needs skip, and is a byte"):
        Call(1, b"", Device, **options)  # type: ignore[call-overload]


def test_a_family_without_a_name_makes_no_calls() -> None:
    class Nameless(generic.Family[C]):
        ping = Do(1)

    with pytest.raises(TypeError, match="Nameless has no name: the class statement needs name="):
        Nameless(Deferred()).ping()

    class Named(Nameless[C], name="named"):
        pass

    class More(Named[C]):
        pass

    for cls in (Named, More):
        call = cls(Deferred()).ping()
        assert call.address is not None
        assert call.address.name == "named"
        assert repr(call) == "<Call of named>"
    assert (More.version, Devices.version) == (1, 3)


# Errors


def test_a_family_that_is_not_there_is_named_with_what_provides_it() -> None:
    kernel = Kernel()
    kernel.number = None
    devices = dialled(kernel)
    asks: list[Callable[[], Any]] = [
        lambda: devices.get(number=1),
        devices.dump,
        lambda: list(devices.iterate(devices.calls.dump())),
        lambda: devices.twice(1),
    ]
    for ask in asks:
        with pytest.raises(
            FileNotFoundError, match="no generic netlink family 'devices' here, which needs CONFIG_DEVI"
        ):
            ask()
    answers = devices.conn.execute_all([devices.calls.get(number=1), devices.calls.dump(), devices.calls.twice(2)])
    for error in answers:
        assert isinstance(error, FileNotFoundError)
        assert isinstance(error, OpError)
        assert "needs CONFIG_DEVICES" in error.hint
    kernel.number = 40
    assert devices.get(number=1) == Device(number=1)


def test_a_family_that_is_not_there_hides_no_other_answers() -> None:
    class Others(generic.Family[C], name="others"):
        ping = Do(1)

    def answer(requests: list[Message]) -> list[Message]:
        return [
            reply
            for m in requests
            for reply in (nltest.error(errno.ENOENT, [m]) if b"others" in m.data else kernel.answer(m))
        ]

    kernel = Kernel()
    devices = Devices(nltest.dial(answer))
    pings = [Others(Deferred()).ping() for _ in range(2)]
    found, missing, gone, other, done = devices.conn.execute_all(
        [devices.calls.get(number=1), pings[0], devices.calls.get(number=7), pings[1], devices.calls.set(number=2)]
    )
    assert (found, done) == (Device(number=1), None)
    assert [error.hint[:36] for error in (missing, other)] == ["the kernel has no generic netlink fa"] * 2
    assert gone.hint == "no such device"


def objecting(offset: int) -> Callable[[Message], list[Message]]:
    """Refuses requests for the attribute at an offset from nlmsghdr."""

    def answer(m: Message) -> list[Message]:
        h = m.header
        echo = struct.pack("=IHHII", h.length, h.type, h.flags, h.sequence, h.pid)
        flags = HeaderFlags.CAPPED | HeaderFlags.ACKNOWLEDGE_TLVS
        data = struct.pack("=i", -errno.EINVAL) + echo + struct.pack("=HHI", 8, 2, offset)
        return [m.replace(length=0, type=HeaderType.ERROR, flags=flags, data=data)]

    return answer


def test_offsets_of_extended_acknowledgements_count_from_nlmsghdr() -> None:
    for offset, attribute in ((20, "number"), (28, "header"), (32, "header.text"), (16, ""), (19, "")):
        kernel = Kernel()
        devices = dialled(kernel)
        devices.get(number=1)
        vars(kernel)["answer"] = objecting(offset)
        with pytest.raises(OpError) as caught:
            devices.set(number=1, header=Key(text="x"))
        assert caught.value.attribute == attribute
        with pytest.raises(OpError) as caught:
            devices.dump(number=1, header=Key(text="x"))
        assert caught.value.attribute == attribute
        (error,) = devices.conn.execute_all([devices.calls.set(number=1, header=Key(text="x"))])
        assert error.attribute == attribute


def test_a_look_up_without_a_number_is_refused() -> None:
    devices = Devices(nltest.dial(lambda requests: [m.replace(length=0, flags=0, data=b"\1\2\0\0") for m in requests]))
    with pytest.raises(OpError, match="the reply about devices has no number"):
        devices.get(number=1)


# Numbers that change


def test_a_number_that_has_changed_is_looked_up_again() -> None:
    kernel = Kernel()
    devices = dialled(kernel)
    asks: list[Callable[[], Any]] = [
        lambda: devices.get(number=1),
        lambda: numbers(devices.dump()),
        lambda: [numbers(part) for part in devices.iterate(devices.calls.dump())],
        lambda: devices.twice(1),
        lambda: devices.conn.execute_all([devices.calls.get(number=n) for n in (1, 2)]),
        lambda: [*map(numbers, devices.conn.execute_all([devices.calls.dump(), devices.calls.dump()]))],
    ]
    expected = [ask() for ask in asks]
    for number, ask in enumerate(asks):
        kernel.lookups = 0
        kernel.number = 50 + number
        assert ask() == expected[number]
        assert kernel.lookups == 1


def test_an_object_that_is_not_there_is_looked_up_no_more_than_once() -> None:
    kernel = Kernel()
    devices = dialled(kernel)
    with pytest.raises(FileNotFoundError, match="no such device"):
        devices.get(number=9)
    assert kernel.lookups == 2
    kernel.lookups = 0
    answers = devices.conn.execute_all([devices.calls.set(number=n) for n in (8, 1, 9)])
    assert [None if answer is None else answer.hint for answer in answers] == ["no such device", None, "no such device"]
    assert kernel.lookups == 1


def test_a_family_that_is_gone_is_named() -> None:
    kernel = Kernel()
    devices = dialled(kernel)
    devices.get(number=1)
    kernel.number = None
    with pytest.raises(FileNotFoundError, match="no generic netlink family 'devices'"):
        devices.get(number=1)
    kernel.number = 44
    assert devices.get(number=1) == Device(number=1)
    kernel.number = None
    for error in devices.conn.execute_all([devices.calls.get(number=1), devices.calls.set(number=1)]):
        assert isinstance(error, FileNotFoundError)
        assert "no generic netlink family" in error.hint


def test_another_error_of_the_look_up_ends_the_call() -> None:
    devices = Devices(nltest.dial(lambda requests: nltest.error(errno.EPERM, requests)))
    with pytest.raises(PermissionError):
        devices.get(number=1)
    (error,) = devices.conn.execute_all([devices.calls.get(number=1)])
    assert isinstance(error, PermissionError)


# Doubles and NLDEBUG


def functions() -> dict[str, Callable[..., Any]]:
    def get(device: Device) -> Device:
        if device.number == 9:
            raise OSError(errno.ENOENT, "")
        return Device(number=device.number, header=Key(text="got"))

    return {
        "get": get,
        "set": lambda device: None,
        "dump": lambda device: [Device(number=n) for n in (1, 2)],
        "picky": lambda device: Device(number=5),
        "picky_dump": lambda device: [Device(number=6)],
        "listen": lambda: [Device(number=1), Overrun(2)],
    }


def test_a_double_of_a_family() -> None:
    devices = nltest.serve(Devices, functions())
    assert devices.get(number=1) == Device(number=1, header=Key(text="got"))
    assert devices.set(number=1) is None
    assert numbers(devices.dump()) == [1, 2]
    assert devices.picky(number=1) == Device(number=5)
    assert numbers(devices.picky_dump()) == [6]
    assert devices.twice(1)[2] is None
    with pytest.raises(FileNotFoundError, match="no such device"):
        devices.get(number=9)
    assert devices.conn.execute_all([devices.calls.get(number=1), devices.calls.set(number=1)])[1] is None
    # Calls of another object of the family.
    assert devices.conn.execute(Devices(Deferred()).get(number=1)).number == 1
    assert devices.conn.execute(Devices(Deferred()).set(number=1)) is None
    with devices.listen(on_overrun="mark") as stream:
        assert next(stream) == Device(number=1)
        assert isinstance(next(stream), Overrun)


def test_a_double_in_an_event_loop() -> None:
    async def main() -> None:
        async with nltest.serve_async(Devices, functions()) as devices:
            assert (await devices.get(number=1)).number == 1
            assert numbers(await devices.dump()) == [1, 2]

    asyncio.run(main())


def test_an_operation_without_a_function_is_named() -> None:
    devices = nltest.serve(Devices, {"get": functions()["get"]})
    with pytest.raises(AssertionError, match="no function for set"):
        devices.set(number=1)


@pytest.mark.parametrize("fmt", ["text", "mnl"])
def test_the_debugger_prints_the_records_behind_the_header(fmt: Any) -> None:
    printed = io.StringIO()
    debugger = Debugger(Protocol.GENERIC, fmt=fmt, stream=printed)
    message = Message(Header(type=40), b"\1\3\0\0" + Device(number=7).encode())
    debugger.sent([message], Device, 4)
    debugger.received([message], Device, 4)
    lines = printed.getvalue().splitlines()
    assert f"nl: send: {Device(number=7)!r}" in lines
    assert f"nl: recv: {Device(number=7)!r}" in lines


# Streams


SLOT = 4096
NUMBER = 0x1F


def told(command: int, record: AttributeSet, *, type_: int = NUMBER) -> Message:
    return Message(Header(type=type_), bytes([command, 1, 0, 0]) + record.encode())


@pytest.fixture
def sock() -> Iterator[Socket]:
    with closing(Socket(Protocol.USERSOCK, Config())) as sock:
        yield sock


@pytest.fixture
def peer(sock: Socket) -> Iterator[Peer]:
    with Peer(sock.pid) as peer:
        peer.sock.bind((0, 0))
        yield peer


def reader(sock: Socket, peer: Peer, *kinds: Kind[Any], **options: Any) -> StreamReader[Any]:
    return StreamReader(sock, kinds, slot=SLOT, sender=peer.sock.getsockname()[0], **options)


def test_messages_of_one_type_are_told_apart_by_the_command(sock: Socket, peer: Peer) -> None:
    stream = reader(
        sock,
        peer,
        Kind(NUMBER, Device, What.NEWS, command=NEWS),
        Kind(NUMBER, Device, What.GOES, command=GOES),
        Kind(NUMBER, Port, command=GET),
    )
    peer.send(
        told(NEWS, Device(number=1)),
        told(GOES, Device(number=2)),
        told(SET, Device(number=3)),  # of no kind
        told(NEWS, Device(number=4), type_=NUMBER + 1),
        told(GET, Port(name="a")),
        told(GET, Port(name="b")),
        told(NEWS, Device(number=5, header=Key(text="x"))),
    )
    seen: list[Any] = []
    while len(seen) < 5:
        seen += stream.read(100, True)
    assert [type(record) for record in seen] == [Device, Device, Port, Port, Device]
    assert [(seen[i].number, seen[i].what) for i in (0, 1, 4)] == [(1, What.NEWS), (2, What.GOES), (5, What.NEWS)]
    assert [seen[i].name for i in (2, 3)] == ["a", "b"]
    assert seen[4].header == Key(text="x")


def test_kinds_with_and_without_a_header(sock: Socket, peer: Peer) -> None:
    stream = reader(sock, peer, Kind(NUMBER, Device, command=NEWS), Kind(NUMBER, Port))
    peer.send(told(NEWS, Device(number=1)))
    assert numbers(stream.read(9, True)) == [1]
    # Attributes of a length of 8, whose first byte is no command of a kind.
    peer.send(Message(Header(type=NUMBER), Port(name="abc").encode()))
    (port,) = stream.read(9, True)
    assert port == Port(name="abc")


def test_an_event_that_is_shorter_than_the_header_is_malformed(sock: Socket, peer: Peer) -> None:
    stream = reader(sock, peer, Kind(NUMBER, Device, command=NEWS))
    peer.send(told(NEWS, Device(number=1)), Message(Header(type=NUMBER), b"\4\1\0"))
    peer.send(told(NEWS, Device(number=2)))
    assert numbers(stream.read(9, True)) == [1]
    with pytest.raises(DecodeError, match="shorter than the header of its protocol"):
        stream.read(9, True)
    assert numbers(stream.read(9, True)) == [2]


def of_controller(command: int, **fields: Any) -> Message:
    return told(command, FamilyInfo(**fields), type_=16)


def test_a_stream_reports_that_its_family_is_removed(sock: Socket, peer: Peer) -> None:
    stream = reader(sock, peer, Kind(NUMBER, Device, What.NEWS, command=NEWS), family=NUMBER)
    for other in (
        of_controller(1, name="mine", id=NUMBER),
        of_controller(2, name="other", id=NUMBER + 1),
        of_controller(2, name="mine"),
        Message(Header(type=16), b"\2\2"),
        Message(Header(type=16), bytes([2, 2, 0, 0]) + b"\x09\0\1\0"),
        told(2, FamilyInfo(id=NUMBER), type_=NUMBER),
    ):
        peer.send(other, told(NEWS, Device(number=1)))
        assert numbers(stream.read(9, True)) == [1]
    peer.send(told(NEWS, Device(number=2)), of_controller(2, name="mine", id=NUMBER), told(NEWS, Device(number=3)))
    assert numbers(stream.read(9, True)) == [2]
    with pytest.raises(FileNotFoundError, match="the kernel has removed the family"):
        stream.read(9, True)
    assert numbers(stream.read(9, True)) == [3]
    for wait in (True, False, True):
        with pytest.raises(FileNotFoundError, match="the kernel has removed the family"):
            stream.read(9, wait)
    stream.end_when_empty()
    with pytest.raises(FileNotFoundError):
        stream.read(9, True)


@pytest.mark.parametrize("command", [-1, 256])
def test_a_command_is_a_byte(sock: Socket, peer: Peer, command: int) -> None:
    with pytest.raises(OverflowError):
        reader(sock, peer, Kind(NUMBER, Device, command=command))


def wanted(declaration: Any, *values: int) -> Match[Any]:
    return Match(declaration, [[Condition((("number",),), tuple((n, n) for n in values), absent_is_zero=False)]])


def test_a_match_sees_the_record_behind_the_header(sock: Socket, peer: Peer) -> None:
    stream = reader(sock, peer, Kind(NUMBER, Device, command=NEWS), matches=[wanted(Device, 1, 3)])
    peer.send(*(told(NEWS, Device(number=n)) for n in range(5)))
    assert numbers(stream.read(9, True)) == [1, 3]


def test_a_dump_behind_a_header_with_a_match(sock: Socket, peer: Peer) -> None:
    reading = Reader(Device, wanted(Device, 2), 4, NEWS)
    reading.begin(Message(Header(type=NUMBER, flags=DUMP, sequence=7)))

    def part(command: int, number: int) -> Message:
        data = bytes([command, 1, 0, 0]) + Device(number=number).encode()
        return Message(Header(type=NUMBER, flags=MULTI, sequence=7), data)

    peer.send(part(NEWS, 1), part(NEWS, 2), part(GET, 2))
    peer.send(Message(Header(type=HeaderType.DONE, flags=MULTI, sequence=7), bytes(4)))
    batch = reading.read(sock, 100, 64)
    assert isinstance(batch, Batch)
    assert numbers(batch) == [2]


def test_the_program_of_a_filter_looks_behind_the_header() -> None:
    class Wide(AttributeSet):
        always: Str = string(9)
        number: Field[Any] = u32(1)
        small: Int = be16(2)
        what: Member[What] = event(What)

    kinds = [
        Kind(NUMBER, Wide, What.NEWS, command=NEWS),
        Kind(NUMBER, Wide, What.GOES, command=GOES),
        Kind(NUMBER, Port, command=GET),
    ]

    def passes(clauses: Any, message: Message) -> bool:
        h = message.header
        datagram = struct.pack("=IHHII", 16 + len(message.data), h.type, h.flags, 0, 0) + message.data
        return bool(run_program(program(clauses, Wide, kinds, 9), datagram))

    small = [[Condition((("small",),), ((5, 6),), absent_is_zero=False)]]
    news = [[Condition((("what",),), ((What.NEWS, What.NEWS),), absent_is_zero=False)]]
    five, seven = Wide(always="x", small=5), Wide(always="x", small=7)
    assert [passes(small, told(NEWS, record)) for record in (five, seven)] == [True, False]
    assert [passes(news, told(command, five)) for command in (NEWS, GOES)] == [True, False]
    # Messages that are none of its own.
    for other in (told(GET, Port(name="x")), told(SET, seven), told(NEWS, seven, type_=NUMBER + 1)):
        assert passes(small, other)
        assert passes(news, other)
    assert len(program(small, Wide, kinds, 9)) <= bpf.BPF_MAXINSNS


# Messages to any family


def test_a_verb_may_yield_a_message() -> None:
    class Raw(generic.Family[C], name="devices", version=3):
        @verb
        def get(self: Raw[Deferred], number: int) -> Steps[list[int]]:
            found = yield lookup("devices")
            data = generic.Message(GET, 3, Device(number=number).encode()).marshal()
            replies = yield Message(Header(type=found.id, flags=REQUEST), data)
            try:
                yield Message(Header(type=found.id + 1, flags=REQUEST), data)
            except FileNotFoundError:
                return [Device.decode(reply.data[4:]).number or 0 for reply in replies]
            return []

    raw = Raw(nltest.dial(Kernel()))
    assert raw.get(3) == [3]
    assert raw.conn.execute_all([raw.calls.get(2)]) == [[2]]


def test_a_message_as_bytes() -> None:
    message = generic.Message(command=3, version=1, data=b"abc")
    assert message.marshal() == b"\3\1\0\0abc"
    assert generic.Message.unmarshal(b"\3\1\0\0abc") == message
    assert generic.Message(3) == generic.Message(3, 1, b"")
    for data in (b"", b"\3\1\0", b"\3\1\0\1abc", b"\3\1\1\0"):
        with pytest.raises(DecodeError, match="no generic netlink message begins with"):
            generic.Message.unmarshal(data)
    for wrong in (generic.Message(256), generic.Message(1, -1)):
        with pytest.raises(ValueError, match="range"):
            wrong.marshal()


def test_the_controller_over_a_double() -> None:
    found = FamilyInfo(id=40, name="devices", groups=(GroupInfo(name="monitor", id=9),))

    def get(wanted: FamilyInfo) -> FamilyInfo:
        if wanted.name != "devices" and wanted.id != 40:
            raise OSError(errno.ENOENT, "")
        return found

    with nltest.serve(nlctrl.Conn, {"get": get, "list_families": lambda: [found, found]}) as ctrl:
        assert ctrl.get_family("devices") == found
        assert ctrl.get_family(40) == found
        assert list(ctrl.list_families()) == [found, found]
        for name in ("other", 41):
            with pytest.raises(FileNotFoundError, match="no generic netlink family"):
                ctrl.get_family(name)


def test_policies_over_a_double() -> None:
    def dump(wanted: nlctrl.PolicyRequest) -> list[nlctrl.PolicyInfo]:
        assert wanted == nlctrl.PolicyRequest(name="devices", operation=1)
        attributes = [
            nlctrl.AttributePolicy(policy=2, attribute=n, type=PolicyType.U32, min_value=1, max_value=n) for n in (5, 6)
        ]
        return [
            nlctrl.PolicyInfo(operations=(nlctrl.OperationPolicy(operation=1, do=2),)),
            *(nlctrl.PolicyInfo(attributes=(each,)) for each in attributes),
        ]

    with nltest.serve(nlctrl.Conn, {"dump_policies": dump}) as ctrl:
        policies = ctrl.policies("devices", 1)
    assert policies.of(1).keys() == {5, 6}
    assert policies.attributes[2][6].max_value == 6
    assert policies.operations == (nlctrl.OperationPolicy(operation=1, do=2),)
    for wrong in ((1, True), (2, False)):
        with pytest.raises(KeyError):
            policies.of(wrong[0], dump=wrong[1])


# The numbers of linux/genetlink.h

HEADERS = ["linux/genetlink.h", "linux/netlink.h"]


def named() -> Iterator[tuple[str, int]]:
    """The UAPI names beside fields and members of enums, and their numbers."""
    for module in (genetlink, nlctrl):
        assert module.__file__ is not None
        scope: Any = None
        for line in Path(module.__file__).read_text(encoding="utf-8").splitlines():
            if match := re.match(r"class (\w+)", line):
                scope = getattr(module, match[1])
            if match := re.match(r"    (\w+)(?:: .*)? = .*  # ([A-Z]\w+)$", line):
                if issubclass(scope, AttributeSet):
                    ((path, _),) = scope.__fields__[match[1]].types
                    yield match[2], path[-1]
                else:
                    yield match[2], scope[match[1]]


def test_numbers() -> None:
    wanted = dict(named())
    assert len(wanted) > 35
    known = c_names(HEADERS, r"(CTRL|GENL|NL_POLICY)_\w+")
    names = sorted(wanted.keys() & known)
    assert wanted.keys() - known <= {"CTRL_ATTR_OP"}  # Linux 5.10
    assert c_values(HEADERS, names) == {name: wanted[name] for name in names}
    # All commands of the controller, and all that a policy has.
    missing = known - wanted.keys() - {"NL_POLICY_TYPE_ATTR_PAD"}
    assert not {
        name
        for name in missing
        if re.match(r"CTRL_(CMD|ATTR)_|NL_POLICY_", name) and "UNSPEC" not in name and not name.endswith("_MAX")
    }


def test_an_address_is_public() -> None:
    address = Devices.address
    assert isinstance(address, Address)
    assert address.name == "devices"
    assert nlctrl.Conn.address is None
