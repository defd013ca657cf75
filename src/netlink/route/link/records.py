"""Links, with the data of each kind: linux/if_link.h."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netlink.route.event import Event
from netlink.route.link.header import ExtMask, IfInfoMsg, LinkEvent, LinkFlags, LinkMode, LinkType, OperState
from netlink.route.link.stats import LinkMap, LinkStats32
from netlink.route.stats import LinkStats64
from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Int,
    Items,
    Member,
    Str,
    binary,
    event,
    lladdr,
    nested,
    repeated,
    s32,
    string,
    struct,
    submessage,
    u8,
    u16,
    u32,
    uint,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from netlink.route.link.kinds import (
        VF,
        AfSpec,
        BondPort,
        BridgePort,
        BridgeSpec,
        CanStats,
        Inet6,
        VFPort,
        VrfPort,
        Xdp,
    )

__all__ = ["Link", "LinkProperties"]

# The keys of `kinds.KINDS` and `kinds.PORT_KINDS`.
_DATA = (
    "amt",
    "bareudp",
    "batadv",
    "bond",
    "bridge",
    "can",
    "dsa",
    "erspan",
    "geneve",
    "gre",
    "gretap",
    "gtp",
    "hsr",
    "ip6erspan",
    "ip6gre",
    "ip6gretap",
    "ip6tnl",
    "ipip",
    "ipoib",
    "ipvlan",
    "ipvtap",
    "macsec",
    "macvlan",
    "macvtap",
    "netkit",
    "ovpn",
    "ppp",
    "rmnet",
    "sit",
    "tun",
    "veth",
    "vlan",
    "vrf",
    "vti",
    "vti6",
    "vxcan",
    "vxlan",
    "wwan",
    "xfrm",
)
_PORT_DATA = ("bond", "bridge", "vrf")


def _later(name: str, key: str | None = None) -> Callable[[], Any]:
    """A declaration of `kinds`, by its name or its key in a table there, which is imported with the first link."""

    def declaration() -> Any:
        from netlink.route.link import kinds

        found = getattr(kinds, name)
        return found if key is None else found[key]

    return declaration


class Link(
    AttributeSet,
    header=IfInfoMsg,
    lenient=True,
    ignore=(42,),
    rare=(
        "alias",
        "alt_names",
        "cost",
        "devlink_bus",
        "devlink_dev",
        "devlink_port",
        "dpll_pin",
        "link_event",
        "new_ifindex",
        "new_netnsid",
        "phys_port_id",
        "phys_port_name",
        "phys_switch_id",
        "priority",
        "proto_down_mask",
        "proto_down_reasons",
        "vf_ports",
        "vfs",
        "wireless",
    ),
):
    """A link: a network interface (IFLA_*).

    A request has what it sets. It names an existing link by index, name or alt_name. name together with index is a new
    name.

    kind, data: "vlan" and `Vlan(id=5)`; `KINDS` has all. port_kind, port_data: what the master keeps for the link, and
    what kind of a master that is. flags: a request changes those in change, too.
    link: the index of the link below, or of the other end of a pair, in the namespace link_netnsid if it has that.
    net_ns_fd, net_ns_pid: a request moves the link there. target_netnsid: that of the namespace a request is for.
    af_spec: an `AfSpec`; of the family AF_BRIDGE a `BridgeSpec`. protinfo: of AF_BRIDGE a `BridgePort`, of AF_INET6 an
    `Inet6`.
    """

    header: IfInfoMsg | None = None
    family: Int = IfInfoMsg.family
    type: Member[LinkType] = IfInfoMsg.type
    index: Int = IfInfoMsg.index
    flags: Member[LinkFlags] = IfInfoMsg.flags
    change: Member[LinkFlags] = IfInfoMsg.change
    name: Str = string(3)  # IFLA_IFNAME
    kind: Str = string((18, 1))  # IFLA_LINKINFO, IFLA_INFO_KIND
    # IFLA_LINKINFO, IFLA_INFO_DATA
    data: Field[Any] = submessage((18, 2), on="kind", cases={kind: _later("KINDS", kind) for kind in _DATA})
    # IFLA_LINKINFO, IFLA_INFO_XSTATS
    xstats: Field[CanStats | bytes | None] = submessage((18, 3), on="kind", cases={"can": _later("CanStats")})
    port_kind: Str = string((18, 4))  # IFLA_LINKINFO, IFLA_INFO_SLAVE_KIND
    # IFLA_LINKINFO, IFLA_INFO_SLAVE_DATA
    port_data: Field[BridgePort | BondPort | VrfPort | bytes | None] = submessage(
        (18, 5), on="port_kind", cases={kind: _later("PORT_KINDS", kind) for kind in _PORT_DATA}
    )
    address: Str = lladdr(1)  # IFLA_ADDRESS
    broadcast: Str = lladdr(2)  # IFLA_BROADCAST
    mtu: Int = u32(4)  # IFLA_MTU
    link: Int = u32(5)  # IFLA_LINK
    # IFLA_MASTER, the index of the bridge, bond or vrf that it is a port of; 0 in a request for none
    master: Int = u32(10)
    operstate: Member[OperState] = u8(16, enum=OperState)  # IFLA_OPERSTATE
    linkmode: Member[LinkMode] = u8(17, enum=LinkMode)  # IFLA_LINKMODE
    qdisc: Str = string(6)  # IFLA_QDISC
    txqlen: Int = u32(13)  # IFLA_TXQLEN, packets
    group: Int = u32(27)  # IFLA_GROUP
    carrier: Int = u8(33)  # IFLA_CARRIER
    carrier_changes: Int = u32(35)  # IFLA_CARRIER_CHANGES
    carrier_up_count: Int = u32(47)  # IFLA_CARRIER_UP_COUNT
    carrier_down_count: Int = u32(48)  # IFLA_CARRIER_DOWN_COUNT
    promiscuity: Int = u32(30)  # IFLA_PROMISCUITY, how many users want it promiscuous
    allmulti: Int = u32(61)  # IFLA_ALLMULTI, how many users want all multicast packets
    num_tx_queues: Int = u32(31)  # IFLA_NUM_TX_QUEUES
    num_rx_queues: Int = u32(32)  # IFLA_NUM_RX_QUEUES
    min_mtu: Int = u32(50)  # IFLA_MIN_MTU
    max_mtu: Int = u32(51)  # IFLA_MAX_MTU
    gso_max_segs: Int = u32(40)  # IFLA_GSO_MAX_SEGS
    gso_max_size: Int = u32(41)  # IFLA_GSO_MAX_SIZE
    gro_max_size: Int = u32(58)  # IFLA_GRO_MAX_SIZE
    tso_max_size: Int = u32(59)  # IFLA_TSO_MAX_SIZE
    tso_max_segs: Int = u32(60)  # IFLA_TSO_MAX_SEGS
    gso_ipv4_max_size: Int = u32(63)  # IFLA_GSO_IPV4_MAX_SIZE
    gro_ipv4_max_size: Int = u32(64)  # IFLA_GRO_IPV4_MAX_SIZE
    proto_down: Int = u8(39)  # IFLA_PROTO_DOWN, 1: a protocol keeps it without carrier
    # IFLA_PROTO_DOWN_REASON, IFLA_PROTO_DOWN_REASON_MASK, of the reasons that a request changes
    proto_down_mask: Int = u32((55, 1))
    # IFLA_PROTO_DOWN_REASON, IFLA_PROTO_DOWN_REASON_VALUE, bits of the administrator's own
    proto_down_reasons: Int = u32((55, 2))
    stats: Field[LinkStats64 | None] = struct(23, LinkStats64)  # IFLA_STATS64
    stats32: Field[LinkStats32 | None] = struct(7, LinkStats32)  # IFLA_STATS
    map: Field[LinkMap | None] = struct(14, LinkMap)  # IFLA_MAP
    alias: Str = string(20)  # IFLA_IFALIAS, a description
    # IFLA_PROP_LIST, IFLA_ALT_IFNAME, further names, up to 127 bytes each
    alt_names: Items[str] = repeated((52, 53), string)
    alt_name: Str = string(53)  # IFLA_ALT_IFNAME, names the link in a request
    perm_address: Str = lladdr(54)  # IFLA_PERM_ADDRESS, of hardware
    parent_dev_name: Str = string(56)  # IFLA_PARENT_DEV_NAME
    parent_dev_bus_name: Str = string(57)  # IFLA_PARENT_DEV_BUS_NAME
    net_ns_pid: Int = u32(19)  # IFLA_NET_NS_PID
    net_ns_fd: Int = u32(28)  # IFLA_NET_NS_FD
    link_netnsid: Int = s32(37)  # IFLA_LINK_NETNSID
    target_netnsid: Int = s32(46)  # IFLA_TARGET_NETNSID
    new_netnsid: Int = s32(45)  # IFLA_NEW_NETNSID, where a link has gone, in events
    new_ifindex: Int = s32(49)  # IFLA_NEW_IFINDEX, its index there, also in a request
    ext_mask: Member[ExtMask] = u32(29, enum=ExtMask)  # IFLA_EXT_MASK
    # IFLA_AF_SPEC
    af_spec: Field[AfSpec | BridgeSpec | bytes | None] = submessage(
        26, on="header.family", cases={0: _later("AfSpec"), 7: _later("BridgeSpec")}
    )
    # IFLA_PROTINFO
    protinfo: Field[BridgePort | Inet6 | bytes | None] = submessage(
        12, on="header.family", cases={7: _later("BridgePort"), 10: _later("Inet6")}
    )
    num_vf: Int = u32(21)  # IFLA_NUM_VF
    vfs: Items[VF] = repeated((22, 1), _later("VF"))  # IFLA_VFINFO_LIST, IFLA_VF_INFO
    vf_ports: Items[VFPort] = repeated((24, 1), _later("VFPort"))  # IFLA_VF_PORTS, IFLA_VF_PORT
    port_self: Field[VFPort | None] = nested(25, _later("VFPort"))  # IFLA_PORT_SELF
    xdp: Field[Xdp | None] = nested(43, _later("Xdp"))  # IFLA_XDP
    phys_port_id: Bytes = binary(34)  # IFLA_PHYS_PORT_ID
    phys_port_name: Str = string(38)  # IFLA_PHYS_PORT_NAME
    phys_switch_id: Bytes = binary(36)  # IFLA_PHYS_SWITCH_ID
    devlink_bus: Str = string((62, 1))  # IFLA_DEVLINK_PORT, DEVLINK_ATTR_BUS_NAME, of its devlink port
    devlink_dev: Str = string((62, 2))  # IFLA_DEVLINK_PORT, DEVLINK_ATTR_DEV_NAME
    devlink_port: Int = u32((62, 3))  # IFLA_DEVLINK_PORT, DEVLINK_ATTR_PORT_INDEX
    dpll_pin: Int = u32((65, 1))  # IFLA_DPLL_PIN, DPLL_A_PIN_ID, the id of its clock pin
    link_event: Member[LinkEvent] = u32(44, enum=LinkEvent)  # IFLA_EVENT, why an event came
    wireless: Bytes = binary(11)  # IFLA_WIRELESS
    cost: Int = u32(8)  # IFLA_COST
    priority: Int = u32(9)  # IFLA_PRIORITY
    weight: Int = u32(15)  # IFLA_WEIGHT
    max_pacing_offload_horizon: Int = uint(66)  # IFLA_MAX_PACING_OFFLOAD_HORIZON, nanoseconds
    netns_immutable: Int = u8(67)  # IFLA_NETNS_IMMUTABLE, 1: it cannot move to another namespace
    headroom: Int = u16(68)  # IFLA_HEADROOM, bytes
    tailroom: Int = u16(69)  # IFLA_TAILROOM, bytes
    event: Member[Event] = event(Event)


class LinkProperties(AttributeSet, header=IfInfoMsg):
    """Further names of a link, to add to it or to remove (RTM_NEWLINKPROP). `Link.alt_names` has all of them.

    The link is named by index, name or alt_name.
    """

    index: Int = IfInfoMsg.index
    name: Str = string(3)  # IFLA_IFNAME
    alt_names: Items[str] = repeated((52, 53), string)  # IFLA_PROP_LIST, IFLA_ALT_IFNAME, up to 127 bytes each
    alt_name: Str = string(53)  # IFLA_ALT_IFNAME
