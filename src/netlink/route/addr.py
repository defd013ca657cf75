"""Addresses of links: linux/if_addr.h."""

from __future__ import annotations

import errno
from enum import IntEnum, IntFlag
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import TYPE_CHECKING, Any

from netlink.consts import RouteGroup
from netlink.route.command import Command
from netlink.route.event import Event
from netlink.route.object import CHANGE, REPLACE, Object
from netlink.route.prefix import Prefix, family_of, length_of, prefix, split
from netlink.route.scope import Scope
from netlink.schema import (
    IP,
    AttributeSet,
    Field,
    Int,
    Member,
    Str,
    Struct,
    event,
    ip,
    s32,
    string,
    struct,
    u8,
    u32,
)

__all__ = ["ADDRESS", "Address", "AddressCacheInfo", "AddressFlags", "AddressOrigin", "IfAddrMsg"]


class AddressFlags(IntFlag):
    """Flags of an address (IFA_F_*)."""

    SECONDARY = 0x01  # IFA_F_SECONDARY, a further one of its prefix; of IPv6 a temporary one (IFA_F_TEMPORARY)
    NODAD = 0x02  # IFA_F_NODAD, without duplicate address detection
    OPTIMISTIC = 0x04  # IFA_F_OPTIMISTIC, usable during duplicate address detection
    DADFAILED = 0x08  # IFA_F_DADFAILED, another machine has it
    HOMEADDRESS = 0x10  # IFA_F_HOMEADDRESS, of Mobile IPv6
    DEPRECATED = 0x20  # IFA_F_DEPRECATED, not for new connections
    TENTATIVE = 0x40  # IFA_F_TENTATIVE, duplicate address detection is not done yet
    PERMANENT = 0x80  # IFA_F_PERMANENT, without an end of its life
    MANAGETEMPADDR = 0x100  # IFA_F_MANAGETEMPADDR, the kernel makes temporary addresses of it
    NOPREFIXROUTE = 0x200  # IFA_F_NOPREFIXROUTE, without the route of its prefix
    MCAUTOJOIN = 0x400  # IFA_F_MCAUTOJOIN, of a multicast group that the kernel joins
    STABLE_PRIVACY = 0x800  # IFA_F_STABLE_PRIVACY, made as by RFC 7217


class AddressOrigin(IntEnum):
    """What an address comes from (IFAPROT_*). Numbers from 4 on are those of programs."""

    UNSPEC = 0  # IFAPROT_UNSPEC
    KERNEL_LO = 1  # IFAPROT_KERNEL_LO, the loopback link
    KERNEL_RA = 2  # IFAPROT_KERNEL_RA, a router advertisement
    KERNEL_LL = 3  # IFAPROT_KERNEL_LL, a link-local address


class IfAddrMsg(Struct):
    """struct ifaddrmsg: the header of addresses. flags: the low 8 bits; the field `Address.flags` has all."""

    family: Int = u8()
    prefixlen: Int = u8()
    flags: Int = u8()
    scope: Member[Scope] = u8(enum=Scope)
    index: Int = u32()


class AddressCacheInfo(Struct):
    """struct ifa_cacheinfo: the life of an address in seconds, 0xffffffff for ever; times in 1/100 s since boot."""

    preferred: Int = u32()
    valid: Int = u32()
    created: Int = u32()
    updated: Int = u32()


class Address(AttributeSet, header=IfAddrMsg, rare=("anycast", "multicast", "target_netnsid")):
    """An address of a link (IFA_*).

    address: that of the link; of a link to a peer, that of the peer. local: that of the link itself; None of IPv6
    without a peer. `ip` has the link's in any case. prefixlen: bits of the prefix that the link reaches.

    The constructor takes a prefix for address and for local, `Address(index=3, address="192.0.2.1/24")`. It sets
    family, prefixlen, and for IPv4 local, unless they are given. ValueError for a length that is none.
    """

    family: Int = IfAddrMsg.family
    prefixlen: Int = IfAddrMsg.prefixlen
    scope: Member[Scope] = IfAddrMsg.scope
    index: Int = IfAddrMsg.index
    address: Prefix = prefix(1)  # IFA_ADDRESS
    local: Prefix = prefix(2)  # IFA_LOCAL
    label: Str = string(3)  # IFA_LABEL, of IPv4
    broadcast: IP = ip(4)  # IFA_BROADCAST
    anycast: IP = ip(5)  # IFA_ANYCAST
    cache: Field[AddressCacheInfo | None] = struct(6, AddressCacheInfo)  # IFA_CACHEINFO
    multicast: IP = ip(7)  # IFA_MULTICAST
    flags: Member[AddressFlags] = u32(8, enum=AddressFlags)  # IFA_FLAGS
    priority: Int = u32(9)  # IFA_RT_PRIORITY, of the route of the prefix
    target_netnsid: Int = s32(10)  # IFA_TARGET_NETNSID, the network namespace that a request is about
    origin: Member[AddressOrigin] = u8(11, enum=AddressOrigin)  # IFA_PROTO
    event: Member[Event] = event(Event)

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            super().__init__(**_completed(values))

    @property
    def ip(self) -> IPv4Interface | IPv6Interface | None:
        """The address of the link with the length of its prefix."""
        own = self.local or self.address
        return (
            None
            if own is None
            else ip_interface((int(own), self.prefixlen or 0))
            if own.version == 4
            else (IPv6Interface((int(own), self.prefixlen or 0)))
        )


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor, with those that follow from others."""
    found: int | None = None
    for name in ("local", "address"):  # with a peer, its prefix counts
        if values.get(name) is not None:
            values[name], length = split(values[name])
            found = found if length is None else length
    own = values.get("address") or values.get("local")
    if own is None:
        return values
    if found is not None:
        if values.get("prefixlen", found) != found:
            raise ValueError(f"the prefix has the length {found}, but prefixlen is {values['prefixlen']}")
        values["prefixlen"] = found
    if values.get("header") is None:
        values.setdefault("family", family_of(own))
        values.setdefault("prefixlen", length_of(own))
        if values["family"] == family_of("0.0.0.0"):
            values.setdefault("local", own)
    return values


def _checked(verb: str, record: Address) -> Address:
    if verb != "get" and not record.index:
        raise ValueError(f"to {verb} an address needs index, that of its link")
    if record.address is None and record.local is None:
        raise ValueError(f"to {verb} an address needs address")
    if not record.family:
        raise ValueError("the address has no family: make it by its class")
    return record


ADDRESS = Object(
    Address,
    "address",
    new=Command.NEWADDR,
    delete=Command.DELADDR,
    get=Command.GETADDR,
    replace=REPLACE,
    update=CHANGE,
    groups=[RouteGroup.IPV4_IFADDR, RouteGroup.IPV6_IFADDR],
    filters={"family": "family", "index": "index"},
    options=["target_netnsid"],
    check=_checked,
    by_shape=True,
    hints={
        errno.EADDRNOTAVAIL: "the link does not have that address, with that length of its prefix",
        errno.EEXIST: "the link has that address: replace changes it",
        errno.ENODEV: "there is no link of that index",
    },
)
