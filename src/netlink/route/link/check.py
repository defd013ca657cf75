"""What a request for a link must have, and must not: what the kernel would refuse without a reason, or ignore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netlink.route.link.header import IfInfoMsg
from netlink.route.link.records import Link, LinkProperties
from netlink.route.neigh import AF_BRIDGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["NAME_MAX", "check_link", "check_properties", "named"]

NAME_MAX, _ALT_NAME_MAX, _ALIAS_MAX = 15, 127, 255  # bytes

# Fields that the kernel sets of a link that is there, and ignores in a request for a new one.
_LATER = ("alias", "vfs", "vf_ports", "port_self", "xdp", "af_spec", "port_data", "carrier", "proto_down", "map")
# Kinds that are over another link, `Link.link`.
_OVER = frozenset(("vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "ipoib", "macsec", "rmnet"))
# Fields that the data of a new link has; not of tunnels whose packets bring them.
_NEEDED: dict[str, tuple[str, ...]] = {
    "bareudp": ("port", "ethertype"),
    "geneve": ("id",),
    "hsr": ("slave1", "slave2"),
    "ppp": ("dev_fd",),
    "rmnet": ("mux_id",),
    "vlan": ("id",),
    "vrf": ("table",),
    "vxlan": ("id",),
    "wwan": ("link_id",),
    "xfrm": ("if_id",),
}
# Numbers that have a meaning, which are fewer than those that their attribute has room for.
_VNI = (0, 0xFFFFFF)
_LABEL = (0, 0xFFFFF)
_RANGES: dict[str, dict[str, tuple[int, int]]] = {
    "bond": {
        "mode": (0, 6),
        "packets_per_slave": (0, 65535),
        "resend_igmp": (0, 255),
        "ad_user_port_key": (0, 1023),
        "ad_actor_sys_prio": (1, 65535),
        "lp_interval": (1, 0x7FFFFFFF),
        "missed_max": (1, 255),
    },
    "bridge": {
        "hello_time": (100, 1000),
        "max_age": (600, 4000),
        "stp_state": (0, 2),
        "vlan_default_pvid": (0, 4094),
        "mcast_router": (0, 2),
        "mcast_igmp_version": (2, 3),
        "mcast_mld_version": (1, 2),
    },
    "geneve": {"id": _VNI, "label": _LABEL},
    "ipvlan": {"mode": (0, 2)},
    "ipvtap": {"mode": (0, 2)},
    "macsec": {"encoding_sa": (0, 3)},
    "vlan": {"id": (0, 4094)},
    "vrf": {"table": (1, 0xFFFFFFFF)},
    "vxlan": {"id": _VNI, "label": _LABEL},
    "xfrm": {"if_id": (1, 0xFFFFFFFF)},
}
# The address family of the tunnels that have one. The kernel would take the first bytes of another one's address.
_ADDRESSES = {
    **dict.fromkeys(("gre", "gretap", "erspan", "ipip", "sit", "vti"), 4),
    **dict.fromkeys(("ip6gre", "ip6gretap", "ip6erspan", "ip6tnl", "vti6"), 6),
}

# Those of them that carry Ethernet.
_ETHERNET = ("gretap", "erspan", "ip6gretap", "ip6erspan")


def named(link: str | int) -> dict[str, Any]:
    """The field of a request that finds a link by its name, an alternative name of it, or its index.

    ValueError for a name or an index that no link can have.
    """
    if not isinstance(link, str):
        if isinstance(link, int) and not 0 < link < 1 << 31:  # what is no number is refused by the field
            raise ValueError(f"the index of a link is from 1 to 2147483647, not {link}")
        if link is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise TypeError("a link is found by its name or its index, not by None")
        return {"index": link}
    size = len(_encoded(link))
    if not 0 < size <= _ALT_NAME_MAX or "\0" in link:
        raise ValueError(f"the name of a link has 1 to {_ALT_NAME_MAX} bytes, not {size}: {link!r}")
    return {"name": link} if size <= NAME_MAX else {"alt_name": link}


def check_link(verb: str, record: Link) -> Link:
    """The record of a request, checked and completed, as `Object.check`."""
    if verb in ("get", "delete"):
        return _key(verb, record)
    if verb == "update" and not record.index and record.name is None and record.alt_name is None:
        raise ValueError("to update a link needs its index or name")
    for reason in (*_contradictions(verb, record), *_of_data(verb, record)):
        raise ValueError(reason)
    header = record.header or IfInfoMsg()
    if header.flags and not header.change:
        record = record.replace(header=header.replace(change=int(header.flags)))
    return record


def check_properties(verb: str, record: LinkProperties) -> LinkProperties:
    """The record of a request for properties, as `Object.check`."""
    if not record.index and record.name is None and record.alt_name is None:
        raise ValueError(f"to {verb} properties of a link needs its index or name")
    if not record.alt_names:
        raise ValueError(f"there are no properties to {verb}: alt_names is empty")
    for name in record.alt_names or ():
        _check_name(name, _ALT_NAME_MAX)
    return record


def _key(verb: str, record: Link) -> Link:
    """What finds a link."""
    if not record.index and record.name is None and record.alt_name is None:
        raise ValueError(f"to {verb} a link needs its index or name")
    if verb == "delete" and record.family == AF_BRIDGE:
        raise ValueError(
            "this is a port of a bridge, and to delete it would delete the link: "
            "update(Link(index=..., master=0)) takes it out of the bridge, Link(index=...) is the link"
        )
    name: dict[str, Any] = {"alt_name": record.alt_name} if record.name is None else named(record.name)
    return Link(
        index=record.index or None,
        **name,
        ext_mask=record.ext_mask if verb == "get" else None,
        target_netnsid=record.target_netnsid,
    )


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _check_name(name: str, most: int, where: str = "") -> None:
    """ValueError for a name that the kernel gives to no link."""
    if not 0 < len(_encoded(name)) <= most:
        raise ValueError(f"{where}the name of a link has at most {most} bytes, and one at least: {name!r}")
    if name in (".", "..") or any(each in "/:\0" or (each.isascii() and each.isspace()) for each in name):
        raise ValueError(f"{where}the name of a link has no space, slash or colon, and is not '.' or '..': {name!r}")


def _contradictions(verb: str, record: Link) -> Iterator[str]:
    """What is wrong in a link itself."""
    if record.name is not None:
        _check_name(record.name, NAME_MAX)
    if record.family == AF_BRIDGE:
        yield (
            "what a bridge keeps for a port is changed by port_kind='bridge' and port_data, "
            "vlans by BridgeVlan: a link to change has no family AF_BRIDGE"
        )
    if verb == "create" and record.kind is None:
        yield "a new link needs kind, such as 'dummy' or 'vlan'"
    if verb == "create":
        for name in _LATER:
            if getattr(record, name) is not None:
                yield f"the kernel ignores {name} of a new link: update sets it when the link is there"
    if record.alt_names:
        yield "the kernel ignores alt_names of a Link: create(LinkProperties(...)) adds them, delete removes them"
    if record.alias is not None and len(_encoded(record.alias)) > _ALIAS_MAX:
        yield f"the alias of a link has at most {_ALIAS_MAX} bytes, not {len(_encoded(record.alias))}"
    namespaces = [name for name in ("net_ns_fd", "net_ns_pid", "target_netnsid") if getattr(record, name) is not None]
    if len(namespaces) > 1:
        yield f"{' and '.join(namespaces)} are each a network namespace: a request has one of them"
    for vf in record.vfs or ():
        if vf.rate is not None and 0 < (vf.rate.max_tx_rate or 0) < (vf.rate.min_tx_rate or 0):
            yield f"vfs: min_tx_rate {vf.rate.min_tx_rate} is more than max_tx_rate {vf.rate.max_tx_rate}"
    if record.xdp is not None and record.xdp.fd is None:
        yield "xdp needs fd: that of a program, or -1 to detach it"


def _of_data(verb: str, record: Link) -> Iterator[str]:
    """What is wrong in the data of a link."""
    kind, data = record.kind, record.data
    if kind is None or isinstance(data, bytes):
        return
    if verb == "create":
        if kind in _OVER and not record.link:
            yield f"a new link of the kind {kind!r} needs link, the index of the link that it is over"
        if not getattr(data, "collect_metadata", None):
            for name in _NEEDED.get(kind, ()):
                if getattr(data, name, None) is None:
                    yield f"a new link of the kind {kind!r} needs data with {name}"
    if data is None:
        return
    peer = getattr(data, "peer", None)
    if peer is not None:
        end: Link = Link.decode(peer) if isinstance(peer, bytes) else peer
        if end.name is not None:
            _check_name(end.name, NAME_MAX, "data: peer: ")
    for name, (low, high) in _RANGES.get(kind, {}).items():
        value = getattr(data, name)
        if value is not None and not low <= value <= high:
            yield f"data: {name} of {kind} is from {low} to {high}, not {int(value)}"
    if kind in _ADDRESSES:
        for name in ("local", "remote"):
            address = getattr(data, name)
            if address is not None and address.version != _ADDRESSES[kind]:
                yield f"data: {name} of {kind} is an address of IPv{_ADDRESSES[kind]}, not {address}"
            elif name == "remote" and kind in _ETHERNET and address is not None and address.is_unspecified:
                yield f"data: remote of {kind} is an address, or None for any: {address}, as it is reported, is neither"
    rule = _RULES.get(kind)
    if rule is not None:
        yield from rule(data, verb == "create")


def _bond(data: Any, new: bool) -> Iterator[str]:
    from netlink.route.link.bond import BondMode

    if data.arp_interval:
        if data.miimon:
            yield "data: a bond is monitored by miimon or by arp_interval, not by both"
        if data.mode in (BondMode.LACP, BondMode.TLB, BondMode.ALB):
            yield f"data: a bond of the mode {data.mode.name} is not monitored by arp_interval, but by miimon"
    if not data.miimon and (new or data.miimon is not None):
        for name in ("updelay", "downdelay", "peer_notif_delay"):
            if getattr(data, name) is not None:
                yield f"data: {name} of a bond needs miimon, of which it is a multiple"
    for name in ("arp_ip_target", "ns_ip6_target"):
        if len(getattr(data, name) or ()) > 16:
            yield f"data: a bond has at most 16 addresses in {name}, not {len(getattr(data, name))}"


def _bridge(data: Any, new: bool) -> Iterator[str]:
    if data.group_fwd_mask is not None and data.group_fwd_mask & 7:
        yield "data: group_fwd_mask has a bit of 0, 1 and 2: a bridge does not forward STP, pause frames and LACP"


def _geneve(data: Any, new: bool) -> Iterator[str]:
    if data.ttl and data.ttl_inherit is not None:
        yield "data: ttl has no effect beside ttl_inherit"


def _gre(data: Any, new: bool) -> Iterator[str]:
    from netlink.route.link.tunnels import GreFlags

    for key, flags in (("ikey", "iflags"), ("okey", "oflags")):
        if getattr(data, key) and not (getattr(data, flags) or 0) & GreFlags.KEY:
            yield f"data: {key} has no effect without GreFlags.KEY in {flags}"


def _hsr(data: Any, new: bool) -> Iterator[str]:
    if data.slave1 is not None and data.slave1 == data.slave2:
        yield f"data: slave1 and slave2 are the same link, {data.slave1}"


def _ipvlan(data: Any, new: bool) -> Iterator[str]:
    from netlink.route.link.stacked import IPvlanFlags

    both = IPvlanFlags.PRIVATE | IPvlanFlags.VEPA
    if data.flags is not None and data.flags & both == both:
        yield "data: flags has PRIVATE and VEPA, of which an ipvlan has one at most"


def _macsec(data: Any, new: bool) -> Iterator[str]:
    if (data.inc_sci and (data.es or data.scb)) or (data.es and data.scb):
        yield "data: one of inc_sci, es and scb says how the channel is named, not several"
    if data.replay_protect and data.window is None:
        yield "data: replay_protect needs window"


def _macvlan(data: Any, new: bool) -> Iterator[str]:
    from netlink.route.link.stacked import MacvlanMode

    if data.mode is not None and data.mode not in tuple(MacvlanMode):
        yield f"data: mode is one of MacvlanMode, not {int(data.mode)}"
    if data.macaddr_mode is None and (data.macaddr is not None or data.macaddr_data):
        yield "data: source addresses have no effect without macaddr_mode"
    if data.macaddr_count is not None:
        yield "data: macaddr_count is only in replies"


def _vlan(data: Any, new: bool) -> Iterator[str]:
    if data.flags is not None and data.flags.mask == 0xFFFFFFFF:  # as the kernel reports it, and refuses it
        yield "data: the mask of flags is of the flags to change, each of VlanFlags"
    for name, field in (("egress_qos", "target"), ("ingress_qos", "source")):
        for each in getattr(data, name) or ():
            priority = getattr(each, field)
            if priority is not None and priority > 7:
                yield f"data: {name} has a priority of tags of {priority}: they are from 0 to 7"


def _vxlan(data: Any, new: bool) -> Iterator[str]:
    if data.group is not None and data.local is not None and data.group.version != data.local.version:
        yield f"data: group {data.group} and local {data.local} are of different address families"


_RULES: dict[str, Callable[[Any, bool], Iterator[str]]] = {
    "bond": _bond,
    "bridge": _bridge,
    **dict.fromkeys(("gre", "gretap", "ip6gre", "ip6gretap", "erspan", "ip6erspan"), _gre),
    "geneve": _geneve,
    "hsr": _hsr,
    **dict.fromkeys(("ipvlan", "ipvtap"), _ipvlan),
    "macsec": _macsec,
    **dict.fromkeys(("macvlan", "macvtap"), _macvlan),
    "vlan": _vlan,
    "vxlan": _vxlan,
}
