"""The controller of generic netlink, which knows all families: their numbers, operations, groups and policies.

from netlink.generic import nlctrl

with nlctrl.dial() as ctrl:
    for family in ctrl.list_families():
        print(family.id, family.name, [group.name for group in family.groups or ()])
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from netlink import family as _family
from netlink.consts import GenericID
from netlink.family import C, Call, Deferred, Do, Dump, Listen, verb
from netlink.generic.genetlink import Command, Family, FamilyInfo, GroupInfo, OperationFlags, OperationInfo, lookup

if TYPE_CHECKING:
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

__all__ = [
    "Command",
    "Conn",
    "FamilyInfo",
    "GroupInfo",
    "OperationFlags",
    "OperationInfo",
    "dial",
    "dial_async",
]


class Conn(Family[C], name="nlctrl", version=2, id=GenericID.CTRL):
    """Requests to the controller. They need no privilege."""

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    get = Do(
        Command.GETFAMILY,
        FamilyInfo,
        FamilyInfo,
        answer=Command.NEWFAMILY,
        hints={errno.ENOENT: "there is no generic netlink family of that name or number here"},
        doc="A family, by its `id` or `name`: the operation of `get_family`.",
    )
    list_families = Dump(Command.GETFAMILY, None, FamilyInfo, doc="All families of the network namespace.")
    listen = Listen(
        {
            Command.NEWFAMILY: (FamilyInfo, Command.NEWFAMILY),
            Command.DELFAMILY: (FamilyInfo, Command.DELFAMILY),
            Command.NEWMCAST_GRP: (FamilyInfo, Command.NEWMCAST_GRP),
            Command.DELMCAST_GRP: (FamilyInfo, Command.DELMCAST_GRP),
        },
        groups=["notify"],
        state=list_families,
        doc="Families and groups that come and go, as modules are loaded and removed.",
    )

    @verb
    def get_family(self: Conn[Deferred], name: str | int) -> Call[FamilyInfo]:
        """The family of a name or number. FileNotFoundError if there is none: the kernel tries to load its module."""
        return self.get(id=name) if isinstance(name, int) else lookup(name)


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to the controller. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to the controller for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
