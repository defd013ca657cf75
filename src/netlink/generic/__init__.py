"""Generic netlink: families by name, and messages to any of them.

    from netlink import generic

    with generic.dial() as conn:
        family = conn.get_family("nlctrl")
        replies = conn.execute(generic.Message(command=3, version=1), family.id, HeaderFlags.REQUEST | HeaderFlags.DUMP)

`Family` is the base of declared families, whose operations take and give records.
"""

from __future__ import annotations

from functools import partial as _partial
from typing import TYPE_CHECKING, Any, overload

from netlink import Conn as _Conn
from netlink import Header as _Header
from netlink import Message as _NetlinkMessage
from netlink import family as _family
from netlink.consts import HeaderFlags as _HeaderFlags
from netlink.family import C as _C
from netlink.family import Call as _Call
from netlink.family import Deferred as _Deferred
from netlink.family import Steps as _Steps
from netlink.generic import nlctrl
from netlink.generic.genetlink import Family, FamilyInfo, Message

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

__all__ = ["Conn", "Family", "FamilyInfo", "Message", "dial", "dial_async", "nlctrl"]

_MIN_TYPE = 16


class Conn(nlctrl.Conn[_C]):
    """A connection to generic netlink: messages to any family, and the operations of the controller.

    `conn` is the `netlink.Conn` or `netlink.aio.AsyncConn` below it, with groups, BPF programs, options, buffers and
    deadlines.
    """

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[_Deferred]: ...

    @overload
    def execute(self: Conn[NetlinkConn], message: Message, family: int, flags: int = ...) -> list[Message]: ...
    @overload
    def execute(self: Conn[AsyncConn], message: Message, family: int, flags: int = ...) -> Awaitable[list[Message]]: ...
    @overload
    def execute(self: Conn[_Deferred], message: Message, family: int, flags: int = ...) -> _Call[list[Message]]: ...
    def execute(self: Conn[Any], message: Message, family: int, flags: int = _HeaderFlags.REQUEST) -> Any:
        """Send a message, and receive its reply, without acknowledgements.

        family: its number, as of `get_family`. flags: of nlmsghdr. All else as `netlink.Conn.execute`.
        """
        packed = _packed(message, family, flags)
        if isinstance(self.conn, _Conn):
            return _unpacked(self.conn.execute(packed))[0]
        return self.conn.execute(_Call.of_steps(_partial(_steps, packed), self.protocol))

    @overload
    def send(self: Conn[NetlinkConn], message: Message, family: int, flags: int = ...) -> _NetlinkMessage: ...
    @overload
    def send(self: Conn[AsyncConn], message: Message, family: int, flags: int = ...) -> Awaitable[_NetlinkMessage]: ...
    def send(self: Conn[Any], message: Message, family: int, flags: int = _HeaderFlags.REQUEST) -> Any:
        """Send a message, and return it as sent, for `netlink.validate`. All else as `netlink.Conn.send`."""
        return self.conn.send(_packed(message, family, flags))

    @overload
    def receive(self: Conn[NetlinkConn]) -> tuple[list[Message], list[_NetlinkMessage]]: ...
    @overload
    def receive(self: Conn[AsyncConn]) -> Awaitable[tuple[list[Message], list[_NetlinkMessage]]]: ...
    def receive(self: Conn[Any]) -> Any:
        """Receive one reply, as `netlink.Conn.receive`: the messages, and those of netlink that they came in.

        An acknowledgement is only in the latter. DecodeError for a message that has no genlmsghdr.
        """
        if isinstance(self.conn, _Conn):
            return _unpacked(self.conn.receive())
        return _unpacked_later(self.conn.receive())


def _packed(message: Message, family: int, flags: int) -> _NetlinkMessage:
    return _NetlinkMessage(_Header(type=family, flags=flags), message.marshal())


def _steps(packed: _NetlinkMessage) -> _Steps[list[Message]]:
    replies: list[_NetlinkMessage] = yield packed
    return _unpacked(replies)[0]


def _unpacked(received: list[_NetlinkMessage]) -> tuple[list[Message], list[_NetlinkMessage]]:
    return [Message.unmarshal(each.data) for each in received if each.header.type >= _MIN_TYPE], received


async def _unpacked_later(
    received: Awaitable[list[_NetlinkMessage]],
) -> tuple[list[Message], list[_NetlinkMessage]]:
    return _unpacked(await received)


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to generic netlink. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to generic netlink for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
