"""1-Wire: the masters of the kernel, the slaves on their buses, and commands to them.

    from netlink.connector import w1
    from netlink.connector.w1 import Cmd

    with w1.dial() as bus:
        for master in bus.masters():
            print(master, bus.reset(master), [slave.name for slave in bus.slaves(master)])
        temperature = bus.transact("28-0000075cd8a1", [Cmd.write(b"\\xbe"), Cmd.read(9)])[0]

A master is the number N of w1_bus_masterN in /sys/bus/w1/devices. A slave is a `SlaveID`, or its name there. The kernel
asks for no privilege. It has 1-Wire in the machine's first network namespace alone.
"""

from __future__ import annotations

import errno
import os
import re
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self, overload

from netlink import Message
from netlink import family as _family
from netlink.connector import Packet, request
from netlink.connector import listen as _listen
from netlink.consts import ConnectorIndex, Family
from netlink.errors import DecodeError, OpError
from netlink.family import C, Deferred, Dialogue, Steps, verb
from netlink.schema import AttributeSet, Bytes, Int, Member, Struct, binary, rest, u8, u16, u32

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from os import PathLike
    from typing import Literal, Never, Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.errors import Overrun
    from netlink.stream import Stream

__all__ = [
    "Cmd",
    "CmdHeader",
    "Command",
    "Conn",
    "Event",
    "EventHeader",
    "MessageType",
    "Msg",
    "MsgHeader",
    "SlaveID",
    "dial",
    "dial_async",
    "listen",
]


# drivers/w1/w1_netlink.h of the kernel


class MessageType(IntEnum):
    """Types of messages: enum w1_netlink_message_types. The first four are events."""

    SLAVE_ADD = 0  # W1_SLAVE_ADD
    SLAVE_REMOVE = 1  # W1_SLAVE_REMOVE
    MASTER_ADD = 2  # W1_MASTER_ADD
    MASTER_REMOVE = 3  # W1_MASTER_REMOVE
    MASTER_CMD = 4  # W1_MASTER_CMD
    SLAVE_CMD = 5  # W1_SLAVE_CMD
    LIST_MASTERS = 6  # W1_LIST_MASTERS


class Command(IntEnum):
    """Commands: enum w1_commands. A slave takes READ, WRITE and TOUCH, a master all of them."""

    READ = 0  # W1_CMD_READ
    WRITE = 1  # W1_CMD_WRITE
    SEARCH = 2  # W1_CMD_SEARCH
    ALARM_SEARCH = 3  # W1_CMD_ALARM_SEARCH
    TOUCH = 4  # W1_CMD_TOUCH
    RESET = 5  # W1_CMD_RESET
    SLAVE_ADD = 6  # W1_CMD_SLAVE_ADD
    SLAVE_REMOVE = 7  # W1_CMD_SLAVE_REMOVE
    LIST_SLAVES = 8  # W1_CMD_LIST_SLAVES


class MsgHeader(Struct):
    """struct w1_netlink_msg. status: an errno. len: bytes that follow. id: a `SlaveID`, or a master's number."""

    type: Member[MessageType] = u8(enum=MessageType)
    status: Int = u8()
    len: Int = u16()
    id: Bytes = binary(size=8)


class Msg(AttributeSet, header=MsgHeader):
    """A message to or from a master or a slave, with any content."""

    header: MsgHeader | None = None
    type: Member[MessageType] = MsgHeader.type
    status: Int = MsgHeader.status
    len: Int = MsgHeader.len
    id: Bytes = MsgHeader.id
    data: Bytes = rest()


class CmdHeader(Struct):
    """struct w1_netlink_cmd. len: bytes that follow."""

    cmd: Member[Command] = u8(enum=Command)
    res: Int = u8()
    len: Int = u16()


class Cmd(AttributeSet, header=CmdHeader):
    """A command: `read`, `write` or `touch` make one for `Conn.transact`."""

    header: CmdHeader | None = None
    cmd: Member[Command] = CmdHeader.cmd
    len: Int = CmdHeader.len
    data: Bytes = rest()

    @classmethod
    def of(cls, command: Command, data: bytes = b"") -> Self:
        """The command with its data. ValueError if it has more than 65,535 bytes."""
        if len(data) > 0xFFFF:
            raise ValueError(f"a command has at most 65,535 bytes, not {len(data)}")
        return cls(cmd=command, len=len(data), data=data)

    @classmethod
    def read(cls, size: int) -> Self:
        """Read so many bytes."""
        if not 0 < size <= _DATA_MAX:
            raise ValueError(f"size must be from 1 to {_DATA_MAX:,} bytes, not {size}")
        return cls.of(Command.READ, bytes(size))

    @classmethod
    def write(cls, data: bytes) -> Self:
        """Write bytes."""
        return cls.of(Command.WRITE, bytes(data))

    @classmethod
    def touch(cls, data: bytes) -> Self:
        """Write bytes, and read the bus meanwhile: a bit of 1 lets a slave answer."""
        return cls.of(Command.TOUCH, bytes(data))


class SlaveID(Struct):
    """struct w1_reg_num: the number that a slave has from its factory.

    family: its kind, such as 0x28 of the thermometer DS18B20. id: 6 bytes, the lowest first. crc: of the bytes before.
    """

    family: Int = u8()
    id: Bytes = binary(size=6)
    crc: Int = u8()

    @classmethod
    def of(cls, name: str) -> Self:
        """The number with a name as in /sys/bus/w1/devices, such as "28-0000075cd8a1", and its checksum."""
        found = re.fullmatch(r"([0-9a-f]{2})-([0-9a-f]{12})", name, re.ASCII | re.IGNORECASE)
        if not found:
            raise ValueError(f'the name of a slave is such as "28-0000075cd8a1", not {name!r}')
        data = bytes.fromhex(found[1]) + bytes.fromhex(found[2])[::-1]
        return cls(family=data[0], id=data[1:], crc=_crc(data))

    @property
    def name(self) -> str:
        """Its name in /sys/bus/w1/devices, such as "28-0000075cd8a1"."""
        return f"{self.family or 0:02x}-{(self.id or bytes(6))[::-1].hex()}"

    @property
    def valid(self) -> bool:
        """Whether the checksum is right. If not, the bus was disturbed."""
        return self.crc == _crc(self.encode()[:-1])


class EventHeader(Struct):
    """struct cn_msg, and struct w1_netlink_msg behind it. seq: a number of the master's, one higher each time."""

    idx: Int = u32()
    val: Int = u32()
    seq: Int = u32()
    ack: Int = u32()
    len: Int = u16()
    flags: Int = u16()
    type: Member[MessageType] = u8(enum=MessageType)
    status: Int = u8()
    size: Int = u16()
    id: Bytes = binary(size=8)


class Event(AttributeSet, header=EventHeader):
    """A master or a slave that comes or goes: `type` tells which. seq: a number of the master's."""

    header: EventHeader | None = None
    type: Member[MessageType] = EventHeader.type
    seq: Int = EventHeader.seq
    id: Bytes = EventHeader.id

    @property
    def master(self) -> int | None:
        """The number of the master that comes or goes; None of a slave."""
        if self.type not in (MessageType.MASTER_ADD, MessageType.MASTER_REMOVE):
            return None
        return _Master.decode(self.id or bytes(8)).id

    @property
    def slave(self) -> SlaveID | None:
        """The slave that comes or goes; None of a master."""
        if self.type not in (MessageType.SLAVE_ADD, MessageType.SLAVE_REMOVE):
            return None
        return SlaveID.decode(self.id or bytes(8))


class _Master(Struct):
    """struct w1_mst: what a `MsgHeader.id` is of a master."""

    id: Int = u32()
    res: Int = u32()


class _Number(Struct):
    """The number of a master, in the list of them."""

    id: Int = u32()


def _crc(data: bytes) -> int:
    """The checksum of 1-Wire: x^8 + x^5 + x^4 + 1, the lowest bit first."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


# Requests and replies

# CN_W1_VAL of linux/connector.h
_VAL = 1
# A message of the connector has at most 16,384 bytes (CONNECTOR_MAX_MSG_SIZE), with its headers: struct cn_msg, the
# question for masters, struct w1_netlink_msg, and of each command a struct w1_netlink_cmd.
_SIZE_MAX = 16384 - 20 - 12
_DATA_MAX = _SIZE_MAX - 12 - 4
# The status of a reset without an answer: w1_reset_bus returns 1, which is negated.
_NO_PRESENCE = 255

_HINTS = {
    Command.SLAVE_ADD: {
        errno.EINVAL: "the master has this slave already",
        errno.EEXIST: "the kernel has a slave of this name, of another master or with another checksum",
    },
    Command.SLAVE_REMOVE: {errno.EINVAL: "the master has no such slave"},
}


class _Answer(NamedTuple):
    """The answer to a command. status: an errno. whole: whether it is the answer to all of the request."""

    status: int
    data: bytes = b""
    whole: bool = False


def _split(kind: Any, data: bytes) -> Iterator[tuple[Any, bytes]]:
    """The messages in bytes, each with its content. DecodeError if they are cut off."""
    while data:
        one = kind.decode(data)
        behind = one.data or b""
        if len(behind) < one.len:
            raise DecodeError(f"{kind.__name__}: want {one.len} bytes behind the header, got {len(behind)}")
        yield one, behind[: one.len]
        data = behind[one.len :]


def _messages(replies: list[Message]) -> Iterator[tuple[Packet, Msg, bytes]]:
    for reply in replies:
        for packet, content in _split(Packet, reply.data):
            for message, inner in _split(Msg, content):
                yield packet, message, inner


def _answers(replies: list[Message]) -> list[_Answer]:
    """The answers to the commands of a request, in their order.

    The data of a command comes before its status, in one message or several, which have the sequence number plus 1 as
    their `ack`. An error of the entire request has no command, and one of a slave that does not answer has the first.
    """
    found: list[_Answer] = []
    data = b""
    for packet, message, content in _messages(replies):
        if message.type == MessageType.LIST_MASTERS:
            continue
        status = message.status or 0
        if not packet.ack:
            lost = message.type == MessageType.SLAVE_CMD and status == errno.ENODEV
            found.append(_Answer(status, data, not content or lost or status == errno.E2BIG))
            data = b""
        else:
            data += b"".join(inner for _, inner in _split(Cmd, content))
    return found


def _complete(wanted: int, replies: list[Message]) -> bool:
    found = _answers(replies)
    return len(found) >= wanted or any(answer.whole for answer in found)


def _slave(slave: SlaveID | str) -> SlaveID:
    if isinstance(slave, str):
        return SlaveID.of(slave)
    if not isinstance(slave, SlaveID):
        raise TypeError(f"want a SlaveID or its name, not {slave!r}")
    return slave


def _master(master: int) -> _Master:
    if isinstance(master, bool) or not isinstance(master, int):
        raise TypeError(f"a master is a number, not {master!r}")
    return _Master(id=master)


def _ask(message: bytes, wanted: int) -> Generator[Dialogue, Any, list[Message]]:
    """Send a message of 1-Wire, and return its reply: with so many answers, or an error for all.

    Each request begins with the question for masters. The kernel answers that while it is sent the request, and
    everything else when the bus has done it: so it is certain whether somebody is there.
    """
    sequence = int.from_bytes(os.urandom(4), "little") >> 1 | 1
    question = Msg(type=MessageType.LIST_MASTERS, id=bytes(8)).encode()
    sent = request(ConnectorIndex.W1, _VAL, question + message, seq=sequence)
    try:
        replies: list[Message] = yield Dialogue(sent, partial(_complete, wanted))
    except OpError as error:
        if error.errno == errno.ECONNREFUSED:
            error.hint = "the kernel has 1-Wire in the machine's first network namespace alone: use netns="
        raise
    if not replies:
        hint = "the kernel has no 1-Wire: CONFIG_W1 with CONFIG_W1_CON, `modprobe wire` loads its module"
        raise OpError("receive", errno.ENOENT, hint=hint)
    return replies


def _do(target: int | SlaveID | str, commands: Iterable[Cmd]) -> Generator[Dialogue, Any, list[_Answer]]:
    """Do commands, and return their answers. OpError for the first that fails, but not for a reset."""
    commands = list(commands)
    for command in commands:
        if not isinstance(command, Cmd):
            raise TypeError(f"want commands such as Cmd.read(1), not {command!r}")
    if not commands:
        return []
    of_master = isinstance(target, int)
    who: Any = _master(target) if isinstance(target, int) else _slave(target)
    data = b"".join(command.encode() for command in commands)
    kind = MessageType.MASTER_CMD if of_master else MessageType.SLAVE_CMD
    if len(data) + 12 > _SIZE_MAX:
        raise ValueError(f"the commands have {len(data):,} bytes with their headers, more than {_SIZE_MAX - 12:,}")
    replies = yield from _ask(Msg(type=kind, len=len(data), id=who.encode(), data=data).encode(), len(commands))
    answers = _answers(replies)
    for number, answer in enumerate(answers):
        command = commands[min(number, len(commands) - 1)]
        if not answer.status or (answer.status == _NO_PRESENCE and command.cmd == Command.RESET):
            continue
        hint = _HINTS.get(command.cmd or Command.READ, {}).get(answer.status, "")
        if answer.status == errno.ENODEV:
            name = f"master {target}" if of_master else f"slave {who.name}"
            hint = f"the kernel knows no {name}, or nothing answers on its bus"
        elif answer.status == errno.EINVAL and not of_master and not hint:
            hint = "a slave takes READ, WRITE and TOUCH alone"
        raise OpError("receive", answer.status, hint=hint, sequence=replies[0].header.sequence)
    if len(answers) != len(commands):
        raise DecodeError(f"want the answers to {len(commands)} commands, got {len(answers)}")
    return answers


def _slaves(data: bytes) -> list[SlaveID]:
    size = SlaveID.__table__.wire_size
    return [SlaveID.decode(data[at : at + size]) for at in range(0, len(data), size)]


class Conn(_family.Family[C], protocol=Family.CONNECTOR):
    """Requests to 1-Wire over a `netlink.Conn` or a `netlink.aio.AsyncConn`, with their rules for threads, tasks,
    closing and errors.

    A request returns when the bus has done it, which takes about a millisecond for a byte, and 15 of them and more for
    each slave of a search. FileNotFoundError, which is an OpError, at once if the kernel has no 1-Wire.
    ConnectionRefusedError, which is one, too, in another network namespace than the machine's first one.
    """

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    @verb
    def masters(self: Conn[Deferred]) -> Steps[list[int]]:
        """The numbers of all masters."""
        replies = yield from _ask(b"", 0)
        size = _Number.__table__.wire_size
        found: list[int] = []
        for _, message, data in _messages(replies):
            if message.status:
                raise OpError("receive", message.status)
            found += [_Number.decode(data[at : at + size]).id or 0 for at in range(0, len(data), size)]
        return found

    @verb
    def slaves(self: Conn[Deferred], master: int) -> Steps[list[SlaveID]]:
        """The slaves of a master that the kernel knows, by its last search or by `add_slave`."""
        answers = yield from _do(master, [Cmd.of(Command.LIST_SLAVES)])
        return _slaves(answers[0].data)

    @verb
    def search(self: Conn[Deferred], master: int, *, alarm: bool = False) -> Steps[list[SlaveID]]:
        """The slaves that answer on the bus of a master, which the kernel knows then. alarm: only those with an alarm,
        such as a thermometer beyond its limits.
        """
        answers = yield from _do(master, [Cmd.of(Command.ALARM_SEARCH if alarm else Command.SEARCH)])
        return _slaves(answers[0].data)

    @verb
    def reset(self: Conn[Deferred], master: int) -> Steps[bool]:
        """Reset the bus of a master: whether any slave answers."""
        answers = yield from _do(master, [Cmd.of(Command.RESET)])
        return not answers[0].status

    @verb
    def add_slave(self: Conn[Deferred], master: int, slave: SlaveID | str) -> Steps[None]:
        """Have the kernel know a slave that no search has found. OSError (EINVAL) if it is there."""
        yield from _do(master, [Cmd.of(Command.SLAVE_ADD, _slave(slave).encode())])
        return None

    @verb
    def remove_slave(self: Conn[Deferred], master: int, slave: SlaveID | str) -> Steps[None]:
        """Have the kernel forget a slave, which its next search may find again. OSError (EINVAL) if it has none."""
        yield from _do(master, [Cmd.of(Command.SLAVE_REMOVE, _slave(slave).encode())])
        return None

    @verb
    def transact(self: Conn[Deferred], target: int | SlaveID | str, commands: Iterable[Cmd]) -> Steps[list[bytes]]:
        """Do commands one after the other, with nobody else on the bus meanwhile: what READ and TOUCH have read.

        target: a slave, which is selected first, by a reset and its number; or a master, of which nothing is selected.

        OSError (ENODEV) if the kernel does not know it, or nothing answers on the bus. ValueError if the commands have
        more bytes than a message.
        """
        wanted = list(commands)
        answers = yield from _do(target, wanted)
        both = zip(wanted, answers, strict=True)
        return [answer.data for command, answer in both if command.cmd in (Command.READ, Command.TOUCH)]

    @verb
    def read(self: Conn[Deferred], target: int | SlaveID | str, size: int) -> Steps[bytes]:
        """Read so many bytes from a slave, or from the bus of a master: `transact` with one command."""
        answers = yield from _do(target, [Cmd.read(size)])
        return answers[0].data

    @verb
    def write(self: Conn[Deferred], target: int | SlaveID | str, data: bytes) -> Steps[None]:
        """Write bytes to a slave, or to the bus of a master: `transact` with one command."""
        yield from _do(target, [Cmd.write(data)])
        return None

    @verb
    def touch(self: Conn[Deferred], target: int | SlaveID | str, data: bytes) -> Steps[bytes]:
        """Write bytes, and return what is on the bus meanwhile: `transact` with one command."""
        answers = yield from _do(target, [Cmd.touch(data)])
        return answers[0].data


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to 1-Wire. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to 1-Wire for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)


@overload
def listen(
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["raise"] = ...,
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Event, Never]: ...
@overload
def listen(
    *,
    read_buffer: int | None = ...,
    on_overrun: Literal["mark"],
    netns: int | str | PathLike[str] | None = ...,
) -> Stream[Event, Overrun]: ...
def listen(
    *,
    read_buffer: int | None = None,
    on_overrun: Literal["raise", "mark"] = "raise",
    netns: int | str | PathLike[str] | None = None,
) -> Stream[Event, Any]:
    """Open a stream of masters and slaves that come and go. The arguments are those of `netlink.connector.listen`.

    It is silent while the kernel has no 1-Wire. PermissionError, which is an OpError, of kernels that ask for
    CAP_NET_ADMIN over the network namespace.
    """
    opened: Any = _listen
    stream: Stream[Event, Any] = opened(
        ConnectorIndex.W1, _VAL, Event, read_buffer=read_buffer, on_overrun=on_overrun, netns=netns
    )
    return stream
