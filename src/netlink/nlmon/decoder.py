"""What captured messages mean, by the tables of all families: `Decoder`."""

from __future__ import annotations

import sys
from collections import OrderedDict
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from netlink import unmarshal_messages
from netlink._codec import verdict
from netlink.consts import Family as Protocol
from netlink.consts import GenericID, HeaderFlags, HeaderType
from netlink.errors import DecodeError
from netlink.generic.genetlink import Command as Control
from netlink.generic.genetlink import FamilyInfo
from netlink.kobject_uevent import parse
from netlink.nlmon.tables import Reading, Tables, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netlink._codec import Message
    from netlink.nlmon.datagram import Datagram
    from netlink.schema import Record

__all__ = ["Decoder", "Direction", "Seen"]

_REMEMBERED = 65_536  # requests whose replies may come
_NO_COMMAND = -1  # of a message that is too short to have one
_MIN_TYPE = 16  # NLMSG_MIN_TYPE: numbers below are the same for all families
_LENGTH = 4  # bytes of the length that a message begins with
_CONTROL = {HeaderType.NOOP: "NOOP", HeaderType.ERROR: "ERROR", HeaderType.DONE: "DONE", HeaderType.OVERRUN: "OVERRUN"}


class Direction(Enum):
    """Where a message goes, by its header."""

    REQUEST = "request"  # from a program
    REPLY = "reply"  # to a request that was captured
    EVENT = "event"  # to a multicast group, or to a request that was not captured


class Seen(NamedTuple):
    """A captured message, and what it means.

    direction: `Direction`. message: the message itself; None for bytes that are none, such as those of a uevent.
    family: the name of the family, such as "route" or "wireguard"; of the protocol where the family is not known.
    operation: the kernel's name of the command, such as "GETLINK"; its number if it is not known.
    record: the message by the declaration of the family; None without one. error: the refusal in an `ERROR`, or why
    there is no record; "" for neither.
    """

    direction: Direction
    message: Message | None
    family: str
    operation: str
    record: Record | None
    error: str

    @property
    def is_acknowledgement(self) -> bool:
        """Whether this is the kernel's word that a request was carried out."""
        return self.operation == "ERROR" and not self.error


class Decoder:
    """A decoder of captured datagrams, in their order: replies are read by the requests before them.

    It knows the families that are imported, of this package and of programs that declare their own. The numbers of
    generic families are those that the captured controller reports, and those of generic: a mapping from number to
    name, such as `{info.id: info.name for info in nlctrl.list_families()}`.
    """

    def __init__(self, generic: Mapping[int, str] | None = None) -> None:
        self._tables: Tables = tables()
        self._generic = {int(GenericID.CTRL): "nlctrl", **(generic or {})}
        self._asked: OrderedDict[tuple[int, int], tuple[Any, bytes]] = OrderedDict()

    def decode(self, datagram: Datagram) -> list[Seen]:
        """The messages of a datagram. Bytes that are no message are a `Seen` with an error: nothing is left out."""
        protocol, data = datagram.protocol, datagram.data
        if protocol == Protocol.KOBJECT_UEVENT:
            return [self._uevent(data)]
        messages, left = _split(data)
        found = [self._seen(protocol, message) for message in messages]
        if left or (datagram.is_cut and not found):
            why = "cut off by the capture" if datagram.is_cut else "malformed"
            found.append(Seen(Direction.EVENT, None, self._name(protocol), "", None, f"{len(left)} bytes {why}"))
        return found

    def _seen(self, protocol: int, message: Message) -> Seen:
        header = message.header
        type_, pair = int(header.type), (protocol, header.sequence)
        if type_ < _MIN_TYPE:
            asked = self._asked.get(pair)
            key = asked[0] if asked else None
            return Seen(Direction.REPLY, message, self._family(protocol, key), *_control(message))
        key = self._key(protocol, message)
        if header.flags & HeaderFlags.REQUEST:
            self._asked[pair] = (key, message.data)
            self._asked.move_to_end(pair)
            if len(self._asked) > _REMEMBERED:
                self._asked.popitem(last=False)
            direction = Direction.REQUEST
            readings = self._tables.requests(key, message.data, int(header.flags))
        else:
            # Of events of the kernel's own both are 0.
            asked = self._asked.get(pair) if header.sequence or header.pid else None
            direction = Direction.REPLY if asked else Direction.EVENT
            readings = self._tables.replies(key, message.data, asked)
        record, error = _best(readings, message.data)
        if key == (Protocol.GENERIC, "nlctrl", Control.NEWFAMILY) and isinstance(record, FamilyInfo):
            self._generic[record.id or 0] = record.name or ""
        return Seen(direction, message, self._family(protocol, key), self._tables.name(key), record, error)

    def _key(self, protocol: int, message: Message) -> Any:
        """What the tables have a message by."""
        type_ = int(message.header.type)
        if protocol != Protocol.GENERIC:
            return (protocol, type_)
        command = message.data[0] if message.data else _NO_COMMAND
        return (protocol, self._generic.get(type_, f"generic-{type_}"), command)

    def _family(self, protocol: int, key: Any) -> str:
        if protocol == Protocol.GENERIC:
            return str(key[1]) if key else "generic"
        return self._tables.family(key) or self._name(protocol)

    @staticmethod
    def _name(protocol: int) -> str:
        return Protocol(protocol).name.lower() if protocol in set(Protocol) else f"protocol-{protocol}"

    def _uevent(self, data: bytes) -> Seen:
        try:
            return Seen(Direction.EVENT, None, "kobject_uevent", "", parse(data), "")
        except (ValueError, DecodeError) as error:
            return Seen(Direction.EVENT, None, "kobject_uevent", "", None, str(error))


def _control(message: Message) -> tuple[str, None, str]:
    """The operation, record and error of a message whose number is the same for all families."""
    found = verdict(message)
    name = _CONTROL.get(message.header.type, str(int(message.header.type)))
    if found is None or found[1] is None:
        return name, None, ""
    error = found[1]
    said = getattr(error, "message", "")
    return name, None, f"{getattr(error, 'strerror', None) or error}{f': {said}' if said else ''}"


def _best(readings: Iterable[Reading], data: bytes) -> tuple[Record | None, str]:
    """The record of the declaration that leaves the fewest attributes unread, or why there is none."""
    best: Record | None = None
    least, error = -1, ""
    for reading in readings:
        try:
            record = reading.declaration.decode(data[reading.skip :])
        except DecodeError as failed:
            error = error or f"no {reading.declaration.__name__}: {failed}"
            continue
        left = len(record.unknown)
        if best is None or left < least:
            best, least = record, left
        if not left:
            break
    return best, "" if best is not None else error


def _split(data: bytes) -> tuple[list[Message], bytes]:
    """The messages that a datagram begins with, and the bytes behind them."""
    messages: list[Message] = []
    at = 0
    while len(data) - at >= _LENGTH:
        end = at + (int.from_bytes(data[at : at + _LENGTH], sys.byteorder) + 3 & ~3)
        try:
            found = unmarshal_messages(data[at:end])
        except DecodeError:
            break
        if not found:
            break
        messages += found
        at = end
    return messages, data[at:]
