"""Warnings of disk quotas: the family VFS_DQUOT.

    from netlink.generic import quota

    with quota.dial() as quotas, quotas.listen() as warnings:
        for warning in warnings:
            print(warning.warning.name, warning.type.name, warning.id, warning.dev_major, warning.dev_minor)

File systems send one when a user, group or project passes a limit, in either direction. The family is in the machine's
first network namespace alone. It needs no privilege.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from netlink import family as _family
from netlink.family import C, Deferred, Listen
from netlink.generic.genetlink import Family
from netlink.schema import AttributeSet, Int, Member, u32, u64

if TYPE_CHECKING:
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

__all__ = ["Command", "Conn", "QuotaType", "QuotaWarning", "WarningType", "dial", "dial_async"]


class Command(IntEnum):
    """Commands (QUOTA_NL_C_*)."""

    WARNING = 1  # QUOTA_NL_C_WARNING


class QuotaType(IntEnum):
    """Whose quota it is: linux/quota.h."""

    USER = 0  # USRQUOTA
    GROUP = 1  # GRPQUOTA
    PROJECT = 2  # PRJQUOTA


class WarningType(IntEnum):
    """What happened: linux/quota.h. I is of inodes, B is of blocks."""

    NOWARN = 0  # QUOTA_NL_NOWARN
    IHARDWARN = 1  # QUOTA_NL_IHARDWARN, the hard limit was reached
    ISOFTLONGWARN = 2  # QUOTA_NL_ISOFTLONGWARN, above the soft limit for longer than permitted
    ISOFTWARN = 3  # QUOTA_NL_ISOFTWARN, the soft limit was reached
    BHARDWARN = 4  # QUOTA_NL_BHARDWARN
    BSOFTLONGWARN = 5  # QUOTA_NL_BSOFTLONGWARN
    BSOFTWARN = 6  # QUOTA_NL_BSOFTWARN
    IHARDBELOW = 7  # QUOTA_NL_IHARDBELOW, below the hard limit again
    ISOFTBELOW = 8  # QUOTA_NL_ISOFTBELOW, below the soft limit again
    BHARDBELOW = 9  # QUOTA_NL_BHARDBELOW
    BSOFTBELOW = 10  # QUOTA_NL_BSOFTBELOW


class QuotaWarning(AttributeSet, ignore=(7,)):  # QUOTA_NL_A_PAD
    """A warning (QUOTA_NL_A_*).

    id: the number of the user, group or project, as in the machine's first user namespace. caused_id: the user whose
    process caused the warning. dev_major, dev_minor: the device of the file system.
    """

    type: Member[QuotaType] = u32(1, enum=QuotaType)  # QUOTA_NL_A_QTYPE
    id: Int = u64(2)  # QUOTA_NL_A_EXCESS_ID
    warning: Member[WarningType] = u32(3, enum=WarningType)  # QUOTA_NL_A_WARNING
    dev_major: Int = u32(4)  # QUOTA_NL_A_DEV_MAJOR
    dev_minor: Int = u32(5)  # QUOTA_NL_A_DEV_MINOR
    caused_id: Int = u64(6)  # QUOTA_NL_A_CAUSED_ID


class Conn(
    Family[C], name="VFS_DQUOT", needs="CONFIG_QUOTA_NETLINK_INTERFACE, in the machine's first network namespace"
):
    """Warnings of disk quotas. The family has no requests."""

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    listen = Listen(
        {Command.WARNING: QuotaWarning}, groups=["events"], doc="Warnings of all file systems of the machine."
    )


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to VFS_DQUOT. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to VFS_DQUOT for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
