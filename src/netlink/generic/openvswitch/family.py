"""Requests to Open vSwitch's datapath, upcalls and events."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from netlink import HeaderFlags
from netlink import family as _family
from netlink.family import C, Call, Deferred, Do, Dump, Listen, Steps, verb
from netlink.generic.genetlink import Family
from netlink.generic.openvswitch.records import (
    Datapath,
    DatapathCommand,
    Flow,
    FlowCommand,
    Limit,
    LimitCommand,
    Limits,
    Meter,
    MeterCommand,
    Packet,
    PacketCommand,
    Vport,
    VportCommand,
    VportType,
    Zone,
)
from netlink.generic.openvswitch.requirements import check

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

__all__ = ["Conn", "ConntrackLimits", "Datapaths", "Flows", "Meters", "Packets", "Vports", "dial", "dial_async"]

_NEEDS = "CONFIG_OPENVSWITCH: `modprobe openvswitch` loads its module"
_NO_DATAPATH = {errno.ENODEV: "there is no such datapath in the network namespace"}
_NO_VPORT = {errno.ENODEV: "there is no such vport, or no such datapath, in the network namespace"}
_NO_FLOW = {errno.ENOENT: "there is no flow with exactly this key, or with this ufid"}
_WRONG = {
    errno.EINVAL: "the kernel's log has the reason: `dmesg | grep openvswitch`",
    errno.EOVERFLOW: "the kernel has actions inside each other 16 deep at most",
    errno.EMSGSIZE: "the actions are too long",
}
_ZONE_MAX = 0xFFFF
_NO_METER = {errno.ENOENT: "the datapath has no meter of this id"}


def _require(record: Any, kind: type[Any], *names: str) -> None:
    """TypeError for what is no record of the kind, ValueError for one without the fields."""
    if not isinstance(record, kind):
        raise TypeError(f"want a {kind.__name__}, not {record!r}")
    missing = [f"{name}=" for name in names if getattr(record, name) is None]
    if missing:
        raise ValueError(f"a {kind.__name__} needs {', '.join(missing)} here")


class Datapaths(Family[C], name="ovs_datapath", version=2, needs=_NEEDS):
    """Requests about datapaths."""

    hints = _NO_DATAPATH

    datapaths = Dump(DatapathCommand.GET, Datapath, doc="All datapaths of the network namespace.")
    get_datapath = Do(DatapathCommand.GET, Datapath, Datapath, doc="A datapath, by dp_ifindex= or name=.")
    new_datapath = Do(
        DatapathCommand.NEW,
        Datapath,
        Datapath,
        flags=HeaderFlags.ECHO,
        hints={errno.EEXIST: "there is a link of this name"},
        doc="Make a datapath: the operation of `add_datapath`, which needs name= and upcall_pid=.",
    )
    put_datapath = Do(
        DatapathCommand.SET,
        Datapath,
        Datapath,
        flags=HeaderFlags.ECHO,
        hints={
            errno.EOPNOTSUPP: "this kernel does not have one of the user_features",
            errno.EINVAL: "masks_cache_size is 0 or a power of 2",
            errno.ERANGE: "masks_cache_size is larger than the kernel's memory for each processor",
        },
        doc="Set a datapath's user_features, those that are not in the request to 0: the operation of `set_datapath`.",
    )
    delete_datapath = Do(
        DatapathCommand.DEL, Datapath, doc="Delete a datapath, by dp_ifindex= or name=, with its vports and flows."
    )
    listen_datapaths = Listen(
        {command: (Datapath, command) for command in (DatapathCommand.NEW, DatapathCommand.SET, DatapathCommand.DEL)},
        groups=["ovs_datapath"],
        state=datapaths,
        doc="A stream of the datapaths that requests make, change and delete. A loss is that of one message.",
    )

    @verb
    def add_datapath(self: Datapaths[Deferred], datapath: Datapath) -> Call[Datapath]:
        """Make a datapath, and return it: dp_ifindex is in all requests about its vports and flows.

        It needs name, that of a new link. By default no stream gets upcalls of that link.
        FileExistsError, which is an OpError, if there is a link of this name.
        """
        _require(datapath, Datapath, "name")
        return self.new_datapath(datapath if datapath.upcall_pid is not None else datapath.replace(upcall_pid=0))

    @verb
    def set_datapath(self: Datapaths[Deferred], datapath: Datapath) -> Steps[Datapath]:
        """Change a datapath's user_features, masks_cache_size or per_cpu_pids, and return it. None stays as it is.

        It is named by dp_ifindex or name.
        """
        if datapath.user_features is None:  # the kernel would take it for 0
            before = yield self.get_datapath(dp_ifindex=datapath.dp_ifindex, name=datapath.name)
            datapath = datapath.replace(user_features=before.user_features)
        return self.put_datapath(datapath)


class Vports(Family[C], name="ovs_vport", needs=_NEEDS):
    """Requests about vports."""

    vports = Dump(VportCommand.GET, Vport, hints=_NO_DATAPATH, doc="All vports of a datapath, by dp_ifindex=.")
    get_vport = Do(
        VportCommand.GET, Vport, Vport, hints=_NO_VPORT, doc="A vport, by name=, or by dp_ifindex= and port_no=."
    )
    new_vport = Do(
        VportCommand.NEW,
        Vport,
        Vport,
        flags=HeaderFlags.ECHO,
        hints={
            errno.ENODEV: "there is no such datapath, or no link of this name, in the network namespace",
            errno.EBUSY: "port_no is in use, or the link is a port already, of a datapath, a bridge or a bond",
            errno.EEXIST: "there is a vport or a link of this name, or the same tunnel",
            errno.EFBIG: "port_no is too large: a datapath has 65535 vports at most",
            errno.EINVAL: "the link is no Ethernet device, or the loopback device, or options= are wrong for the type",
            errno.EAFNOSUPPORT: "the kernel does not have this type: it may be in a module such as vport_vxlan",
        },
        doc="Add a vport: the operation of `add_vport`, which needs name=, type= and upcall_pid=.",
    )
    set_vport = Do(
        VportCommand.SET,
        Vport,
        Vport,
        flags=HeaderFlags.ECHO,
        hints=_NO_VPORT
        | {
            errno.EINVAL: "a vport's type does not change",
            errno.EOPNOTSUPP: "only tunnels have options=, and few of them change",
        },
        doc="Change a vport's upcall_pid or options; it returns the vport.",
    )
    delete_vport = Do(
        VportCommand.DEL,
        Vport,
        hints=_NO_VPORT | {errno.EINVAL: "port 0 goes with its datapath: delete_datapath does that"},
        doc="Take a vport from its datapath, by name=, or by dp_ifindex= and port_no=.",
    )
    listen_vports = Listen(
        {command: (Vport, command) for command in (VportCommand.NEW, VportCommand.SET, VportCommand.DEL)},
        groups=["ovs_vport"],
        doc="A stream of the vports that come, change and go, also with their links. A loss is that of one message.",
    )

    @verb
    def add_vport(self: Vports[Deferred], vport: Vport) -> Call[Vport]:
        """Add a vport to a datapath, and return it, with its port_no.

        It needs dp_ifindex, and name: that of a link, or of a new one for types other than NETDEV, which is the
        default. By default no stream gets its upcalls.
        """
        _require(vport, Vport, "dp_ifindex", "name")
        type_ = VportType.NETDEV if vport.type is None else vport.type
        return self.new_vport(vport.replace(type=type_, upcall_pid=vport.upcall_pid or (0,)))


class Flows(Family[C], name="ovs_flow", needs=_NEEDS):
    """Requests about flows."""

    flows = Dump(FlowCommand.GET, Flow, hints=_NO_DATAPATH, doc="All flows of a datapath, by dp_ifindex=.")
    get_flow = Do(
        FlowCommand.GET,
        Flow,
        Flow,
        hints=_NO_DATAPATH | _NO_FLOW | _WRONG,
        doc="A flow, by dp_ifindex= and its whole key= or its ufid=.",
    )
    new_flow = Do(
        FlowCommand.NEW,
        Flow,
        flags=HeaderFlags.CREATE,
        hints=_NO_DATAPATH | _WRONG | {errno.EEXIST: "there is a flow for these packets: replace_flow changes it"},
        doc="Add a flow: the operation of `add_flow`.",
    )
    put_flow = Do(
        FlowCommand.NEW,
        Flow,
        hints=_NO_DATAPATH | _WRONG | {errno.ENOENT: "another flow overlaps with this one"},
        doc="Add a flow, or change its actions: the operation of `replace_flow`.",
    )
    set_flow = Do(
        FlowCommand.SET,
        Flow,
        hints=_NO_DATAPATH | _NO_FLOW | _WRONG,
        doc="Change a flow's actions=, or begin its counters at 0 with clear=True; the flow is named as in `get_flow`.",
    )
    del_flow = Do(
        FlowCommand.DEL,
        Flow,
        Flow,
        flags=HeaderFlags.ECHO,
        optional=True,
        hints=_NO_DATAPATH | _NO_FLOW | _WRONG,
        doc="Delete a flow, or all if the request names none: the operation of `delete_flow` and `flush_flows`.",
    )
    listen_flows = Listen(
        {command: (Flow, command) for command in (FlowCommand.NEW, FlowCommand.SET, FlowCommand.DEL)},
        groups=["ovs_flow"],
        doc="A stream of the flows that requests add, change and delete one by one. A loss is that of one message.",
    )

    @verb
    def add_flow(self: Flows[Deferred], flow: Flow) -> Call[None]:
        """Add a flow. It needs dp_ifindex, key and actions.

        FileExistsError, which is an OpError, if there is one. ValueError for a key or a mask that the kernel refuses.
        """
        return self.new_flow(_whole(flow))

    @verb
    def replace_flow(self: Flows[Deferred], flow: Flow) -> Call[None]:
        """Add a flow, or change the actions of the flow with the same key. Errors otherwise as `add_flow`."""
        return self.put_flow(_whole(flow))

    @verb
    def delete_flow(self: Flows[Deferred], flow: Flow) -> Steps[Flow]:
        """Delete a flow, by its dp_ifindex and its ufid, or its key, and return it, with its last counters.

        FileNotFoundError, which is an OpError, if there is none.
        """
        _require(flow, Flow, "dp_ifindex", *(["key"] if flow.ufid is None else []))
        name = Flow(dp_ifindex=flow.dp_ifindex, ufid=flow.ufid, key=flow.key if flow.ufid is None else None)
        found: Flow | None = yield self.del_flow(name)
        assert found is not None
        return found

    @verb
    def flush_flows(self: Flows[Deferred], dp_ifindex: int) -> Steps[None]:
        """Delete all flows of a datapath."""
        yield self.del_flow(dp_ifindex=dp_ifindex)
        return None


def _whole(flow: Flow) -> Flow:
    """The flow itself. ValueError if the kernel would refuse it."""
    _require(flow, Flow, "dp_ifindex", "key", "actions")
    if flow.key is not None:
        check(flow.key, flow.mask)
    return flow


class Packets(Family[C], name="ovs_packet", needs=_NEEDS):
    """Upcalls, and packets that come back."""

    execute_packet = Do(
        PacketCommand.EXECUTE, Packet, hints=_NO_DATAPATH | _WRONG, doc="Execute actions: the operation of `execute`."
    )
    upcalls = Listen(
        {command: (Packet, command) for command in (PacketCommand.MISS, PacketCommand.ACTION)},
        groups=(),
        doc="A stream of upcalls: the packets that the kernel sends to its `Stream.pid`, which is the upcall_pid of a "
        "vport or a datapath, or the pid of an action `userspace`. A loss is that of one packet.",
    )

    @verb
    def execute(self: Packets[Deferred], packet: Packet) -> Call[None]:
        """Execute actions on a packet. It needs dp_ifindex, packet, key and actions.

        An upcall with other actions is one: `upcall.replace(actions=[...])`. in_port of its key is where it came from.
        """
        _require(packet, Packet, "dp_ifindex", "packet", "key", "actions")
        return self.execute_packet(packet)


class Meters(Family[C], name="ovs_meter", needs=_NEEDS):
    """Requests about meters."""

    meter_features = Do(
        MeterCommand.FEATURES, Meter, Meter, hints=_NO_DATAPATH, doc="How many meters a datapath can have: dp_ifindex=."
    )
    get_meter = Do(
        MeterCommand.GET, Meter, Meter, hints=_NO_DATAPATH | _NO_METER, doc="A meter, by dp_ifindex= and id=."
    )
    put_meter = Do(
        MeterCommand.SET,
        Meter,
        Meter,
        hints=_NO_DATAPATH | {errno.EINVAL: "a meter has one band, of type DROP, with a rate= above 0"},
        doc="Add or change a meter: the operation of `set_meter`. It returns what there was.",
    )
    del_meter = Do(
        MeterCommand.DEL,
        Meter,
        Meter,
        hints=_NO_DATAPATH,
        doc="Delete a meter: the operation of `delete_meter`. It returns what there was.",
    )

    @verb
    def set_meter(self: Meters[Deferred], meter: Meter) -> Steps[None]:
        """Add a meter, or change the one with its id. It needs dp_ifindex, id and bands."""
        _require(meter, Meter, "dp_ifindex", "id", "bands")
        yield self.put_meter(meter)
        return None

    @verb
    def delete_meter(self: Meters[Deferred], dp_ifindex: int, id: int) -> Steps[None]:  # noqa: A002
        """Delete a meter. Nothing happens if there is none."""
        yield self.del_meter(dp_ifindex=dp_ifindex, id=id)
        return None


class ConntrackLimits(Family[C], name="ovs_ct_limit", needs=f"CONFIG_NETFILTER_CONNCOUNT, beside {_NEEDS}"):
    """Requests about limits of conntrack."""

    get_limits = Do(LimitCommand.GET, Limits, Limits, doc="The limits of zones: the operation of `limits`.")
    put_limits = Do(LimitCommand.SET, Limits, Limits, doc="Set the limits of zones: the operation of `set_limits`.")
    del_limits = Do(LimitCommand.DEL, Limits, Limits, doc="Delete them: the operation of `delete_limits`.")

    @verb
    def limits(self: ConntrackLimits[Deferred], zones: Iterable[int] = ()) -> Steps[tuple[Limit, ...]]:
        """The limits of zones in the network namespace. Without zones: of all that have one, the default's first.

        The limit of a zone that has none is that of the default.
        """
        asked = [Limit(zone_id=_zone(zone)) for zone in zones]
        found: Limits = yield self.get_limits(zone_limit=asked or None)
        return found.zone_limit or ()

    @verb
    def set_limits(self: ConntrackLimits[Deferred], limits: Iterable[Limit]) -> Steps[None]:
        """Set the limits of zones. Beyond a limit, packets of new connections that `Conntrack.commit` has are dropped.

        ValueError for a zone_id that is no zone.
        """
        limits = tuple(limits)
        for limit in limits:
            _require(limit, Limit, "zone_id", "limit")
            _zone(limit.zone_id)
        yield self.put_limits(zone_limit=limits)
        return None

    @verb
    def delete_limits(self: ConntrackLimits[Deferred], zones: Iterable[int]) -> Steps[None]:
        """Delete the limits of zones. That of the default, -1, is 0 then. Nothing happens for a zone without one."""
        yield self.del_limits(zone_limit=[Limit(zone_id=_zone(zone)) for zone in zones])
        return None


def _zone(zone: int | None) -> int:
    """The number itself. ValueError if it is no zone: the kernel would skip it."""
    if zone is None or not Zone.DEFAULT <= zone <= _ZONE_MAX:
        raise ValueError(f"a zone is from 0 to {_ZONE_MAX}, or {Zone.DEFAULT:d} for the default, not {zone}")
    return zone


class Conn(Datapaths[C], Vports[C], Flows[C], Packets[C], Meters[C], ConntrackLimits[C]):
    """Requests to Open vSwitch's datapath, which is six families in the kernel, over one connection."""

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to Open vSwitch's datapath. options: those of `netlink.Config`. Errors are those of
    `netlink.dial`.
    """
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to Open vSwitch's datapath for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
