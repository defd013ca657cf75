"""Links that come in pairs: linux/veth.h, linux/can/vxcan.h, and IFLA_NETKIT_* of linux/if_link.h."""

from __future__ import annotations

from enum import IntEnum

from netlink.route.link.records import Link
from netlink.schema import AttributeSet, Field, Int, Member, outer, submessage, u8, u16, u32

__all__ = ["Netkit", "NetkitMode", "NetkitPolicy", "NetkitScrub", "Veth", "Vxcan"]


class Veth(AttributeSet, lenient=True):
    """The data of a link of the kind "veth" (VETH_INFO_*). The kernel does not report it: see `Link.link`.

    peer: what the other end is made of. Its `index` is used only if the link has one, too.
    """

    peer: Field[Link | bytes | None] = submessage(1, on=outer(1), cases={"veth": Link})  # VETH_INFO_PEER


class Vxcan(AttributeSet, lenient=True):
    """The data of a link of the kind "vxcan" (VXCAN_INFO_*), as `Veth`."""

    peer: Field[Link | bytes | None] = submessage(1, on=outer(1), cases={"vxcan": Link})  # VXCAN_INFO_PEER


class NetkitMode(IntEnum):
    """At which layer a netkit pair works (enum netkit_mode)."""

    L2 = 0  # NETKIT_L2
    L3 = 1  # NETKIT_L3


class NetkitPolicy(IntEnum):
    """What happens to packets without a program (NETKIT_PASS, NETKIT_DROP)."""

    PASS = 0  # NETKIT_PASS
    DROP = 2  # NETKIT_DROP


class NetkitScrub(IntEnum):
    """Whether mark and priority of a packet are cleared on the way (NETKIT_SCRUB_*)."""

    NONE = 0  # NETKIT_SCRUB_NONE
    DEFAULT = 1  # NETKIT_SCRUB_DEFAULT


class Netkit(AttributeSet, lenient=True):
    """The data of a link of the kind "netkit" (IFLA_NETKIT_*). peer: what the other end is made of, as for `Veth`."""

    # IFLA_NETKIT_PEER_INFO
    peer: Field[Link | bytes | None] = submessage(1, on=outer(1), cases={"netkit": Link})
    primary: Int = u8(2)  # IFLA_NETKIT_PRIMARY
    policy: Member[NetkitPolicy] = u32(3, enum=NetkitPolicy)  # IFLA_NETKIT_POLICY
    peer_policy: Member[NetkitPolicy] = u32(4, enum=NetkitPolicy)  # IFLA_NETKIT_PEER_POLICY
    mode: Member[NetkitMode] = u32(5, enum=NetkitMode)  # IFLA_NETKIT_MODE
    scrub: Member[NetkitScrub] = u32(6, enum=NetkitScrub)  # IFLA_NETKIT_SCRUB
    peer_scrub: Member[NetkitScrub] = u32(7, enum=NetkitScrub)  # IFLA_NETKIT_PEER_SCRUB
    headroom: Int = u16(8)  # IFLA_NETKIT_HEADROOM
    tailroom: Int = u16(9)  # IFLA_NETKIT_TAILROOM
