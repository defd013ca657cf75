"""The header of RTM_GETLINK and its replies, for tests that declare links."""

from __future__ import annotations

from netlink.schema import Struct, s32, u8, u16, u32


class IfInfo(Struct):
    """struct ifinfomsg, linux/rtnetlink.h."""

    family = u8()
    pad = u8()
    type = u16()
    index = s32()
    flags = u32()
    change = u32()
