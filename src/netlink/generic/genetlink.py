"""The base of all generic netlink families: linux/genetlink.h.

    class Conn(Family[C], name="wireguard", version=1, needs="CONFIG_WIREGUARD"):
        devices = Dump(Command.GET_DEVICE, Device)
        set = Do(Command.SET_DEVICE, Device)

The kernel gives a family its number when its module is loaded. Each connection looks the number up by the name, once.
"""

from __future__ import annotations

import errno as _errno
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from netlink import family as _family
from netlink.conn import dial as _dial
from netlink.consts import Family as _Protocol
from netlink.consts import GenericID
from netlink.errors import DecodeError, OpError
from netlink.family import Address, Call
from netlink.schema import AttributeSet, Int, Items, Member, Str, array, event, string, u16, u32
from netlink.stream import Kind as _Kind

if TYPE_CHECKING:
    from typing import Self

    from netlink.family import Listen, Operation
    from netlink.stream import SocketSource

__all__ = [
    "Command",
    "Family",
    "FamilyInfo",
    "GroupInfo",
    "Message",
    "OperationFlags",
    "OperationInfo",
    "kinds",
    "lookup",
]


def kinds(declaration: type[Any], *commands: int) -> list[_Kind[Any]]:
    """The kinds of a `Listen` for events of several commands with one declaration, whose `event` is the command."""
    return [_Kind(command, declaration, command) for command in commands]


class Message(NamedTuple):
    """A message of generic netlink: struct genlmsghdr, and what follows it.

    command, version: numbers from 0 to 255. data: attributes as bytes, or what else the family has there.
    """

    command: int
    version: int = 1
    data: bytes = b""

    def marshal(self) -> bytes:
        """The message as the data of a `netlink.Message`. ValueError for a number out of range."""
        return bytes((self.command, self.version, 0, 0)) + self.data

    @classmethod
    def unmarshal(cls, data: bytes) -> Self:
        """The message in the data of a `netlink.Message`.

        DecodeError if there are fewer than 4 bytes, or if the reserved ones are not 0.
        """
        if len(data) < HEADER_SIZE or data[2:HEADER_SIZE] != b"\0\0":
            raise DecodeError(f"no generic netlink message begins with {data[:HEADER_SIZE].hex(' ') or 'nothing'}")
        return cls(data[0], data[1], data[HEADER_SIZE:])


HEADER_SIZE = 4
"""The size of struct genlmsghdr in bytes."""


# The controller, which has the names of the families


class Command(IntEnum):
    """Commands of the controller (CTRL_CMD_*)."""

    NEWFAMILY = 1  # CTRL_CMD_NEWFAMILY
    DELFAMILY = 2  # CTRL_CMD_DELFAMILY
    GETFAMILY = 3  # CTRL_CMD_GETFAMILY
    NEWOPS = 4  # CTRL_CMD_NEWOPS
    DELOPS = 5  # CTRL_CMD_DELOPS
    GETOPS = 6  # CTRL_CMD_GETOPS
    NEWMCAST_GRP = 7  # CTRL_CMD_NEWMCAST_GRP
    DELMCAST_GRP = 8  # CTRL_CMD_DELMCAST_GRP
    GETMCAST_GRP = 9  # CTRL_CMD_GETMCAST_GRP
    GETPOLICY = 10  # CTRL_CMD_GETPOLICY


class OperationFlags(IntFlag):
    """What an operation can do, and what it needs (GENL_*)."""

    ADMIN_PERM = 0x01  # GENL_ADMIN_PERM
    DO = 0x02  # GENL_CMD_CAP_DO
    DUMP = 0x04  # GENL_CMD_CAP_DUMP
    HAS_POLICY = 0x08  # GENL_CMD_CAP_HASPOL
    UNS_ADMIN_PERM = 0x10  # GENL_UNS_ADMIN_PERM


class OperationInfo(AttributeSet):
    """An operation of a family (CTRL_ATTR_OP_*)."""

    id: Int = u32(1)  # CTRL_ATTR_OP_ID
    flags: Member[OperationFlags] = u32(2, enum=OperationFlags)  # CTRL_ATTR_OP_FLAGS


class GroupInfo(AttributeSet):
    """A multicast group of a family (CTRL_ATTR_MCAST_GRP_*)."""

    name: Str = string(1)  # CTRL_ATTR_MCAST_GRP_NAME
    id: Int = u32(2)  # CTRL_ATTR_MCAST_GRP_ID


class FamilyInfo(AttributeSet):
    """A family (CTRL_ATTR_*).

    header_size: bytes of the family's own header, behind genlmsghdr. event: what a stream reports.
    """

    id: Int = u16(1)  # CTRL_ATTR_FAMILY_ID
    name: Str = string(2)  # CTRL_ATTR_FAMILY_NAME
    version: Int = u32(3)  # CTRL_ATTR_VERSION
    header_size: Int = u32(4)  # CTRL_ATTR_HDRSIZE
    max_attribute: Int = u32(5)  # CTRL_ATTR_MAXATTR
    operations: Items[OperationInfo] = array(6, OperationInfo)  # CTRL_ATTR_OPS
    groups: Items[GroupInfo] = array(7, GroupInfo)  # CTRL_ATTR_MCAST_GROUPS
    event: Member[Command] = event(Command)


def lookup(name: str, needs: str = "") -> Call[FamilyInfo]:
    """The call for the family of a name. needs: what the kernel has it from, for the error that it is not there."""
    provided = f"needs {needs}" if needs else "may be in a module that is not loaded"
    return Call(
        GenericID.CTRL,
        Message(Command.GETFAMILY, 2, FamilyInfo(name=name).encode()).marshal(),
        FamilyInfo,
        request=FamilyInfo,
        hints={_errno.ENOENT: f"the kernel has no generic netlink family {name!r} here, which {provided}"},
        protocol=_Protocol.GENERIC,
        skip=HEADER_SIZE,
        answer=Command.NEWFAMILY,
    )


class Family(_family.Family[_family.C], protocol=_Protocol.GENERIC):
    """The base of generic netlink families. Commands are those of genlmsghdr, which declarations do not have.

    In the class statement:
    name: the family's name. version: that of its requests, 1 by default.
    needs: what the kernel has the family from, such as "CONFIG_WIREGUARD", for the error that it is not there.
    id: its number, if that is the same in every kernel.

    A class with several families as bases has the operations of all of them, each with its own family's number.
    `Listen` takes commands in the place of message types, and names of groups.
    FileNotFoundError, which is an OpError, from every operation if the kernel has no such family.
    """

    hints = {  # noqa: RUF012
        _errno.EPERM: "it needs CAP_NET_ADMIN",
        _errno.EOPNOTSUPP: "the kernel's family does not have this operation, or not for this object",
    }
    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    id: ClassVar[int | None] = None
    address: ClassVar[Address | None] = None

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        version: int | None = None,
        needs: str = "",
        id: int | None = None,  # noqa: A002
    ) -> None:
        super().__init_subclass__()
        if name is not None:
            cls.name = name
            cls.id = id
            cls.needs = needs
            cls.address = None if id is not None else Address(name, lookup(name, needs))
        if version is not None:
            cls.version = version

    def pattern(self, operation: Operation[Any, ..., Any], **options: Any) -> Call[Any]:
        """The call of an operation with any payload. TypeError if the class has no name."""
        if not self.name:
            raise TypeError(f"{type(self).__qualname__} has no name: the class statement needs name=")
        family = self._family_of(operation)
        options = {
            "payload": Message(operation.command, family.version).marshal(),
            "skip": HEADER_SIZE,
            "answer": operation.answer,
            "address": family.address,
        } | options
        return super().pattern(operation, type=family.id or 0, **options)

    def _family_of(self, member: Operation[Any, ..., Any] | Listen[Any]) -> type[Family[Any]]:
        """The class with the number of a member's family: the one that declares it, or one that derives from that."""
        classes = type(self).__mro__
        declared: Any = next((each for each in classes if vars(each).get(member.name) is member), type(self))
        return next((each for each in classes if issubclass(each, declared) and "address" in vars(each)), declared)

    def source(self, listen: Listen[Any], **options: Any) -> SocketSource[Any]:
        """Open the source of a stream: its numbers are looked up by a connection of their own.

        The source raises FileNotFoundError, which is an OpError, once the kernel removes the family.
        """
        family = self._family_of(listen)
        with _dial(self.protocol, self.conn.config) as conn:
            info = conn.execute(lookup(family.name, family.needs))
            while True:
                source = self._source(listen, family, info, options)
                if family.id is not None:
                    return source
                try:
                    # It may have been removed before the stream heard of it.
                    again = conn.execute(lookup(family.name, family.needs))
                    if again.id == info.id:
                        return source
                except BaseException:
                    source.close()
                    raise
                source.close()
                info = again

    def _source(
        self, listen: Listen[Any], family: type[Family[Any]], info: FamilyInfo, options: dict[str, Any]
    ) -> SocketSource[Any]:
        groups = {group.name: group.id for group in info.groups or ()}
        for name in listen.groups:
            if name not in groups:
                there = ", ".join(str(name) for name in groups) or "none"
                hint = f"the family {family.name!r} of this kernel has no multicast group {name!r}; it has {there}"
                raise OpError("join-group", _errno.ENOENT, hint=hint)
        from netlink.stream import open_source  # slow to import

        number = info.id or 0
        return open_source(
            self.protocol,
            [kind._replace(type=number, command=kind.type) for kind in listen.kinds],
            groups=[groups[name] or 0 for name in (*listen.groups, *listen.optional) if name in groups],
            config=self.conn.config,
            family=0 if family.id is not None else number,
            **options,
        )
