"""Requests of devlink."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from netlink import family as _family
from netlink.errors import DecodeError, OpError
from netlink.family import C, Call, Deferred, Do, DoMany, Dump, Listen, Steps, verb
from netlink.generic.devlink.enums import (
    Command,
    EswitchEncap,
    EswitchInline,
    EswitchMode,
    FlashOverwrite,
    ParamMode,
    PoolType,
    PortFlavour,
    PortType,
    ReloadAction,
    ReloadActions,
    ReloadLimits,
    ThresholdType,
    TrapAction,
)
from netlink.generic.devlink.fmsg import Report, joined
from netlink.generic.devlink.records import (
    Chunk,
    Chunks,
    Device,
    Dpipe,
    DpipeEntry,
    DpipeHeader,
    DpipeTable,
    Eswitch,
    FlashRequest,
    FlashStatus,
    Fmsg,
    Info,
    Linecard,
    OfDevice,
    OfPort,
    Param,
    ParamRequest,
    Pool,
    Port,
    PortFunction,
    PortPool,
    Rate,
    RateTcBw,
    Region,
    RegionRequest,
    Reloaded,
    ReloadRequest,
    Reporter,
    ReporterRequest,
    Resource,
    ResourceRequest,
    Resources,
    SelftestResult,
    SelftestResults,
    Selftests,
    SharedBuffer,
    TcBind,
    Trap,
    TrapGroup,
    TrapPolicer,
)
from netlink.generic.devlink.values import encoded
from netlink.generic.genetlink import Family, kinds
from netlink.stream import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypedDict, Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.schema import Batch

    class RateOptions(TypedDict, total=False):
        """What a rate can be set to: fields of `Rate`."""

        tx_share: int
        tx_max: int
        priority: int
        weight: int
        tc_bws: list[RateTcBw]
        parent: str


__all__ = ["Conn", "dial", "dial_async"]


# Handles


def _either(handle: str) -> dict[str, Any]:
    """The fields of a request for a device or a port."""
    parts = handle.split("/") if isinstance(handle, str) else []  # pyright: ignore[reportUnnecessaryIsInstance]
    if len(parts) in {2, 3} and all(parts):
        key: dict[str, Any] = {"bus_name": parts[0], "dev_name": parts[1]}
        if len(parts) == 2:
            return key
        if parts[2].isascii() and parts[2].isdigit():
            return key | {"port_index": int(parts[2])}
    raise ValueError(f"a handle is 'bus/device' or 'bus/device/port', such as 'pci/0000:01:00.0', not {handle!r}")


def _device(handle: str) -> dict[str, Any]:
    """The fields of a request for a device."""
    key = _either(handle)
    if "port_index" in key:
        raise ValueError(f"it needs the handle of a device, 'bus/device', not that of its port {handle!r}")
    return key


def _port(handle: str) -> dict[str, Any]:
    """The fields of a request for a port."""
    key = _either(handle)
    if "port_index" not in key:
        raise ValueError(f"it needs the handle of a port, 'bus/device/port', not {handle!r}")
    return key


def _rate(handle: str, node: str | None) -> dict[str, Any]:
    """The fields of a request for a rate."""
    return _port(handle) if node is None else _device(handle) | {"node_name": node}


def _bits(flags: ReloadLimits | FlashOverwrite | None) -> tuple[int, int] | None:
    """Flags as a struct nla_bitfield32 that says nothing of the others."""
    return None if flags is None else (int(flags), int(flags))


# Events


_KINDS: list[Kind[Any]] = [
    *kinds(Device, Command.NEW, Command.DEL),
    *kinds(Port, Command.PORT_NEW, Command.PORT_DEL),
    *kinds(Param, Command.PARAM_NEW, Command.PARAM_DEL, Command.PORT_PARAM_NEW, Command.PORT_PARAM_DEL),
    *kinds(Region, Command.REGION_NEW, Command.REGION_DEL),
    *kinds(Reporter, Command.HEALTH_REPORTER_RECOVER),
    *kinds(FlashStatus, Command.FLASH_UPDATE, Command.FLASH_UPDATE_STATUS, Command.FLASH_UPDATE_END),
    *kinds(Trap, Command.TRAP_NEW, Command.TRAP_DEL),
    *kinds(TrapGroup, Command.TRAP_GROUP_NEW, Command.TRAP_GROUP_DEL),
    *kinds(TrapPolicer, Command.TRAP_POLICER_NEW, Command.TRAP_POLICER_DEL),
    *kinds(Rate, Command.RATE_NEW, Command.RATE_DEL),
    *kinds(Linecard, Command.LINECARD_NEW, Command.LINECARD_DEL),
]


def _report(messages: Iterable[Fmsg]) -> Report | None:
    return joined(item for message in messages for item in message.items or ())


def _content(address: int, chunks: Iterable[Chunk]) -> bytes:
    """The bytes of chunks that follow each other from an address on. DecodeError for a gap."""
    content = bytearray()
    for chunk in chunks:
        if chunk.address != address + len(content):
            raise DecodeError(f"a region goes on at {address + len(content)}, and the kernel sends {chunk.address}")
        content += chunk.data or b""
    return bytes(content)


_OF_ONE = "of all devices, or of one: older kernels, such as Linux 6.1, have those of all in any case"
_NO_REPORTER = {errno.EINVAL: "there is no such health reporter, or the request has what the driver does not take"}
_NO_DUMP = {errno.EOPNOTSUPP: "the reporter takes no dumps"}
_PARAM = {
    errno.EINVAL: "there is no such parameter, or it does not take the value",
    errno.EOPNOTSUPP: "the parameter does not have the mode, or the driver has no parameters",
}


class Conn(Family[C], name="devlink", needs="CONFIG_NET_DEVLINK, which the drivers of some network cards bring"):
    """Requests about network cards and what is on them."""

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the machine's first user namespace",
        errno.ENODEV: "the network namespace has no such device or port, or that has no such part: see ports()",
        errno.EOPNOTSUPP: "the driver or the kernel does not have this",
        errno.EBUSY: "the device is busy: another program changes it, or its reload failed",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    listen = Listen[Any](_KINDS, groups=["config"], doc="Changes of devices and of what is on them.")

    # Devices

    devices = Dump(Command.GET, None, Device, doc="All devices of the network namespace.")
    infos = Dump(Command.INFO_GET, None, Info, doc="What all devices are that can tell.")
    selftests = Dump(Command.SELFTESTS_GET, None, Selftests, doc="The tests that all devices have.")
    device_get = Do(Command.GET, OfDevice, Device, doc="A device: the operation of `get`.")
    info_get = Do(Command.INFO_GET, OfDevice, Info, doc="What a device is: the operation of `info`.")
    reload_device = Do(
        Command.RELOAD,
        ReloadRequest,
        Reloaded,
        optional=True,
        hints={
            errno.EOPNOTSUPP: "the driver has no reload, or not this action or limit",
            errno.EINVAL: "the limit does not go with the action, or there is no such network namespace",
        },
        doc="Begin anew: the operation of `reload`.",
    )
    flash_update = Do(
        Command.FLASH_UPDATE,
        FlashRequest,
        hints={errno.ENOENT: "the file is not in /lib/firmware, or the device has no such component"},
        doc="Write the flash: the operation of `flash`.",
    )
    selftests_run = Do(
        Command.SELFTESTS_RUN, Selftests, SelftestResults, doc="Test a device: the operation of `run_selftests`."
    )
    eswitch_get = Do(Command.ESWITCH_GET, OfDevice, Eswitch, doc="How a card forwards: the operation of `eswitch`.")
    eswitch_set = Do(Command.ESWITCH_SET, Eswitch, doc="Change how a card forwards: the operation of `set_eswitch`.")

    @verb
    def get(self: Conn[Deferred], device: str) -> Call[Device]:
        """A device. OSError (ENODEV) if there is none."""
        return self.device_get(**_device(device))

    @verb
    def info(self: Conn[Deferred], device: str) -> Call[Info]:
        """What a device is: its driver, serial numbers, and the versions of its firmware."""
        return self.info_get(**_device(device))

    @verb
    def reload(
        self: Conn[Deferred],
        device: str,
        action: ReloadAction | None = None,
        *,
        limits: ReloadLimits | None = None,
        netns_fd: int | None = None,
    ) -> Steps[ReloadActions | None]:
        """Begin anew with a device: parameters of the mode DRIVERINIT and sizes of resources count from then on.

        action: by default DRIVER_REINIT. limits: what it must not do. netns_fd: the device's network namespace from
        then on.
        Returns what was done, which may be more than the action; None if neither action nor limits is given.
        """
        done: Reloaded | None = yield self.reload_device(
            **_device(device), action=action, limits=_bits(limits), netns_fd=netns_fd
        )
        return None if done is None or done.performed is None else ReloadActions(done.performed.value)

    @verb
    def flash(
        self: Conn[Deferred],
        device: str,
        file_name: str,
        component: str | None = None,
        overwrite: FlashOverwrite | None = None,
    ) -> Call[None]:
        """Write firmware to a device, and return when that is done. Progress comes to `listen` as `FlashStatus`.

        file_name: relative to /lib/firmware. component: a name of a version of `info`; None for the whole. overwrite:
        what else to overwrite.
        """
        return self.flash_update(
            **_device(device), file_name=file_name, component=component, overwrite=_bits(overwrite)
        )

    @verb
    def run_selftests(self: Conn[Deferred], device: str, *, flash: bool = True) -> Steps[list[SelftestResult]]:
        """Let a device test itself. flash: whether it tests its flash."""
        found: SelftestResults = yield self.selftests_run(**_device(device), flash=flash)
        return [*(found.results or ())]

    @verb
    def eswitch(self: Conn[Deferred], device: str) -> Call[Eswitch]:
        """How a card forwards between its functions."""
        return self.eswitch_get(**_device(device))

    @verb
    def set_eswitch(
        self: Conn[Deferred],
        device: str,
        mode: EswitchMode | None = None,
        *,
        inline_mode: EswitchInline | None = None,
        encap_mode: EswitchEncap | None = None,
    ) -> Call[None]:
        """Change how a card forwards between its functions. What is None stays as it is."""
        return self.eswitch_set(**_device(device), mode=mode, inline_mode=inline_mode, encap_mode=encap_mode)

    # Ports

    ports = Dump(Command.PORT_GET, OfDevice, Port, doc=f"The ports {_OF_ONE}.")
    linecards = Dump(Command.LINECARD_GET, OfDevice, Linecard, doc=f"The line cards {_OF_ONE}.")
    port_get = Do(Command.PORT_GET, OfPort, Port, doc="A port: the operation of `get_port`.")
    port_set = Do(Command.PORT_SET, Port, doc="Change a port: the operation of `set_port`.")
    port_new = Do(
        Command.PORT_NEW,
        Port,
        Port,
        hints={errno.EINVAL: "it needs a flavour and the number of the function, and some drivers more"},
        doc="Add a port: the operation of `add_port`.",
    )
    port_del = Do(Command.PORT_DEL, OfPort, doc="Remove a port: the operation of `delete_port`.")
    port_split = Do(Command.PORT_SPLIT, Port, doc="Split a port: the operation of `split_port`.")
    port_unsplit = Do(Command.PORT_UNSPLIT, OfPort, doc="Make one of the ports of a split: that of `unsplit_port`.")
    linecard_get = Do(Command.LINECARD_GET, Linecard, Linecard, doc="A line card: the operation of `get_linecard`.")
    linecard_set = Do(Command.LINECARD_SET, Linecard, doc="Provision a line card: the operation of `set_linecard`.")

    @verb
    def get_port(self: Conn[Deferred], port: str) -> Call[Port]:
        """A port. OSError (ENODEV) if there is none."""
        return self.port_get(**_port(port))

    @verb
    def find_port(self: Conn[Deferred], name: str) -> Steps[Port]:
        """The port of a link, by the link's name such as "eth0". OSError (ENODEV) if no port has it."""
        for port in (yield self.ports()):
            if port.netdev_name == name:
                found: Port = port
                return found
        raise OpError("find-port", errno.ENODEV, hint=f"no port of a device is the link {name!r}")

    @verb
    def set_port(
        self: Conn[Deferred],
        port: str,
        *,
        type: PortType | None = None,  # noqa: A002
        function: PortFunction | None = None,
    ) -> Call[None]:
        """Change a port: what it is, or fields of the function that it leads to. What is None stays as it is."""
        return self.port_set(**_port(port), type=type, function=function)

    @verb
    def add_port(
        self: Conn[Deferred],
        handle: str,
        flavour: PortFlavour,
        pf: int,
        *,
        sf: int | None = None,
        controller: int | None = None,
    ) -> Call[Port]:
        """Add a port that leads to a new function, and return it.

        handle: of a device, or of a port with the number that it shall have. pf, sf, controller: numbers of the
        physical function, of the subfunction (None: the driver chooses), of the PCI controller.
        """
        return self.port_new(**_either(handle), flavour=flavour, pf=pf, sf=sf, controller=controller)

    @verb
    def delete_port(self: Conn[Deferred], port: str) -> Call[None]:
        """Remove a port that `add_port` added."""
        return self.port_del(**_port(port))

    @verb
    def split_port(self: Conn[Deferred], port: str, count: int) -> Call[None]:
        """Split a port into several ports."""
        return self.port_split(**_port(port), split_count=count)

    @verb
    def unsplit_port(self: Conn[Deferred], port: str) -> Call[None]:
        """Make one port of those that a port was split into."""
        return self.port_unsplit(**_port(port))

    @verb
    def get_linecard(self: Conn[Deferred], device: str, index: int) -> Call[Linecard]:
        """A line card, by its number."""
        return self.linecard_get(**_device(device), index=index)

    @verb
    def set_linecard(self: Conn[Deferred], device: str, index: int, type: str) -> Call[None]:  # noqa: A002
        """Provision a line card as one of its supported types, "" for nothing."""
        return self.linecard_set(**_device(device), index=index, type=type)

    # Parameters

    params = Dump(Command.PARAM_GET, OfDevice, Param, doc=f"The parameters {_OF_ONE}.")
    param_get = Do(Command.PARAM_GET, ParamRequest, Param, hints=_PARAM, doc="A parameter: that of `get_param`.")
    param_set = Do(Command.PARAM_SET, ParamRequest, hints=_PARAM, doc="Change a parameter: that of `set_param`.")

    @verb
    def get_param(self: Conn[Deferred], device: str, name: str) -> Call[Param]:
        """A parameter of a device, by its name such as "max_macs"."""
        return self.param_get(**_device(device), name=name)

    @verb
    def set_param(
        self: Conn[Deferred], device: str, name: str, value: int | str | bool, mode: ParamMode = ParamMode.RUNTIME
    ) -> Steps[None]:
        """Change a parameter of a device in a mode: at once, or from the next reload or reset on.

        TypeError and ValueError for a value that is not of the parameter's type, which the kernel is asked for.
        """
        key: dict[str, Any] = _device(device) | {"name": name}
        there: Param = yield self.param_get(**key)
        return self.param_set(**key, type=there.type, data=encoded(there.type, value), mode=mode)

    # Health

    reporters = Dump(Command.HEALTH_REPORTER_GET, OfPort, Reporter, doc=f"The health reporters {_OF_ONE}.")
    health_reporter_get = Do(
        Command.HEALTH_REPORTER_GET,
        ReporterRequest,
        Reporter,
        hints=_NO_REPORTER,
        doc="A health reporter: the operation of `get_reporter`.",
    )
    health_reporter_set = Do(
        Command.HEALTH_REPORTER_SET,
        ReporterRequest,
        hints=_NO_REPORTER,
        doc="Change a health reporter: the operation of `set_reporter`.",
    )
    health_reporter_recover = Do(
        Command.HEALTH_REPORTER_RECOVER,
        ReporterRequest,
        hints=_NO_REPORTER,
        doc="Recover: the operation of `recover`.",
    )
    health_reporter_diagnose = DoMany(
        Command.HEALTH_REPORTER_DIAGNOSE,
        ReporterRequest,
        Fmsg,
        hints=_NO_REPORTER,
        doc="The messages of a diagnosis: the operation of `diagnose`.",
    )
    health_reporter_dump_get = Dump(
        Command.HEALTH_REPORTER_DUMP_GET,
        ReporterRequest,
        Fmsg,
        hints=_NO_REPORTER | _NO_DUMP,
        doc="The messages of a dump: the operation of `get_dump`.",
    )
    health_reporter_dump_clear = Do(
        Command.HEALTH_REPORTER_DUMP_CLEAR,
        ReporterRequest,
        hints=_NO_REPORTER | _NO_DUMP,
        doc="Remove a dump: the operation of `clear_dump`.",
    )
    health_reporter_test = Do(
        Command.HEALTH_REPORTER_TEST,
        ReporterRequest,
        hints=_NO_REPORTER,
        doc="Test: the operation of `test_reporter`.",
    )

    @verb
    def get_reporter(self: Conn[Deferred], handle: str, name: str) -> Call[Reporter]:
        """A health reporter of a device or a port, by its name such as "fw_fatal"."""
        return self.health_reporter_get(**_either(handle), name=name)

    @verb
    def set_reporter(
        self: Conn[Deferred],
        handle: str,
        name: str,
        *,
        grace_period: int | None = None,
        burst_period: int | None = None,
        auto_recover: bool | None = None,
        auto_dump: bool | None = None,
    ) -> Call[None]:
        """Change a health reporter: fields of `Reporter`. What is None stays as it is."""
        return self.health_reporter_set(
            **_either(handle),
            name=name,
            grace_period=grace_period,
            burst_period=burst_period,
            auto_recover=auto_recover,
            auto_dump=auto_dump,
        )

    @verb
    def recover(self: Conn[Deferred], handle: str, name: str) -> Call[None]:
        """Let a health reporter recover what it watches."""
        return self.health_reporter_recover(**_either(handle), name=name)

    @verb
    def diagnose(self: Conn[Deferred], handle: str, name: str) -> Steps[Report | None]:
        """What a health reporter says of the present state, in the driver's own terms. None if that is nothing."""
        messages: Batch[Fmsg] = yield self.health_reporter_diagnose(**_either(handle), name=name)
        return _report(messages)

    @verb
    def get_dump(self: Conn[Deferred], handle: str, name: str) -> Steps[Report | None]:
        """What a health reporter kept of its last error; if that is nothing, of now. It stays until `clear_dump`."""
        messages: Batch[Fmsg] = yield self.health_reporter_dump_get(**_either(handle), name=name)
        return _report(messages)

    @verb
    def clear_dump(self: Conn[Deferred], handle: str, name: str) -> Call[None]:
        """Remove what a health reporter kept, so that the next error is kept."""
        return self.health_reporter_dump_clear(**_either(handle), name=name)

    @verb
    def test_reporter(self: Conn[Deferred], handle: str, name: str) -> Call[None]:
        """Let a health reporter find an error that is none."""
        return self.health_reporter_test(**_either(handle), name=name)

    # Regions

    regions = Dump(Command.REGION_GET, OfDevice, Region, doc=f"The regions {_OF_ONE}.")
    region_get = Do(Command.REGION_GET, RegionRequest, Region, doc="A region: the operation of `get_region`.")
    region_new = Do(
        Command.REGION_NEW,
        RegionRequest,
        Region,
        optional=True,
        hints={
            errno.EEXIST: "there is a snapshot of that number",
            errno.ENOSPC: "the region has as many snapshots as it can: delete_snapshot makes room",
        },
        doc="Take a snapshot: the operation of `add_snapshot`.",
    )
    region_del = Do(Command.REGION_DEL, RegionRequest, doc="Remove a snapshot: the operation of `delete_snapshot`.")
    region_read = Dump(
        Command.REGION_READ, RegionRequest, Chunks, doc="The messages of a region: the operation of `read_region`."
    )

    @verb
    def get_region(self: Conn[Deferred], handle: str, name: str) -> Call[Region]:
        """A region of a device or a port, by its name such as "cr-space"."""
        return self.region_get(**_either(handle), name=name)

    @verb
    def add_snapshot(self: Conn[Deferred], handle: str, name: str, snapshot: int | None = None) -> Steps[int]:
        """Take a snapshot of a region, and return its number. snapshot: that number; None: the kernel chooses it."""
        made: Region | None = yield self.region_new(**_either(handle), name=name, snapshot=snapshot)
        number = snapshot if made is None else made.snapshot
        if number is None:
            raise OpError("receive", errno.EPROTO, hint="the kernel does not say the number of the snapshot")
        return number

    @verb
    def delete_snapshot(self: Conn[Deferred], handle: str, name: str, snapshot: int) -> Call[None]:
        """Remove a snapshot of a region."""
        return self.region_del(**_either(handle), name=name, snapshot=snapshot)

    @verb
    def read_region(
        self: Conn[Deferred],
        handle: str,
        name: str,
        snapshot: int | None = None,
        *,
        address: int = 0,
        length: int | None = None,
    ) -> Steps[bytes]:
        """The bytes of a snapshot of a region.

        snapshot: its number; None for the region itself, which older kernels, such as Linux 6.1, do not read. address:
        where to begin. length: bytes; None for all up to the end.
        DecodeError if the driver leaves out bytes between others.
        """
        key: dict[str, Any] = _either(handle) | {"name": name}
        if length is None and address:
            region: Region = yield self.region_get(**key)
            length = max((region.size or 0) - address, 0)
        if length is not None:
            key |= {"address": address, "length": length}
        messages: Batch[Chunks] = yield self.region_read(**key, snapshot=snapshot, direct=snapshot is None)
        return _content(address, (chunk for message in messages for chunk in message.chunks or ()))

    # Traps

    traps = Dump(Command.TRAP_GET, OfDevice, Trap, doc=f"The traps {_OF_ONE}.")
    trap_groups = Dump(Command.TRAP_GROUP_GET, OfDevice, TrapGroup, doc=f"The groups of traps {_OF_ONE}.")
    trap_policers = Dump(Command.TRAP_POLICER_GET, OfDevice, TrapPolicer, doc=f"The policers of traps {_OF_ONE}.")
    trap_get = Do(Command.TRAP_GET, Trap, Trap, doc="A trap: the operation of `get_trap`.")
    trap_set = Do(Command.TRAP_SET, Trap, doc="Change a trap: the operation of `set_trap`.")
    trap_group_get = Do(
        Command.TRAP_GROUP_GET, TrapGroup, TrapGroup, doc="A group of traps: the operation of `get_trap_group`."
    )
    trap_group_set = Do(
        Command.TRAP_GROUP_SET, TrapGroup, doc="Change a group of traps: the operation of `set_trap_group`."
    )
    trap_policer_get = Do(
        Command.TRAP_POLICER_GET, TrapPolicer, TrapPolicer, doc="A policer: the operation of `get_trap_policer`."
    )
    trap_policer_set = Do(
        Command.TRAP_POLICER_SET, TrapPolicer, doc="Change a policer: the operation of `set_trap_policer`."
    )

    @verb
    def get_trap(self: Conn[Deferred], device: str, name: str) -> Call[Trap]:
        """A trap of a device, with its counters."""
        return self.trap_get(**_device(device), name=name)

    @verb
    def set_trap(self: Conn[Deferred], device: str, name: str, action: TrapAction) -> Call[None]:
        """Change what becomes of the packets of a trap. Only traps of the type DROP can change."""
        return self.trap_set(**_device(device), name=name, action=action)

    @verb
    def get_trap_group(self: Conn[Deferred], device: str, name: str) -> Call[TrapGroup]:
        """A group of traps, with its counters."""
        return self.trap_group_get(**_device(device), name=name)

    @verb
    def set_trap_group(
        self: Conn[Deferred], device: str, name: str, *, action: TrapAction | None = None, policer: int | None = None
    ) -> Call[None]:
        """Change a group of traps: the action of all its traps, or the policer, 0 for none. What is None stays."""
        return self.trap_group_set(**_device(device), name=name, action=action, policer=policer)

    @verb
    def get_trap_policer(self: Conn[Deferred], device: str, policer: int) -> Call[TrapPolicer]:
        """A policer of trapped packets, with its counter."""
        return self.trap_policer_get(**_device(device), id=policer)

    @verb
    def set_trap_policer(
        self: Conn[Deferred], device: str, policer: int, *, rate: int | None = None, burst: int | None = None
    ) -> Call[None]:
        """Change a policer: packets a second, and at once. What is None stays as it is."""
        return self.trap_policer_set(**_device(device), id=policer, rate=rate, burst=burst)

    # Rates

    rates = Dump(Command.RATE_GET, OfDevice, Rate, doc=f"The rates {_OF_ONE}.")
    rate_get = Do(Command.RATE_GET, Rate, Rate, doc="A rate: the operation of `get_rate`.")
    rate_set = Do(Command.RATE_SET, Rate, doc="Change a rate: the operation of `set_rate`.")
    rate_new = Do(
        Command.RATE_NEW,
        Rate,
        hints={errno.EEXIST: "there is a node of that name: set_rate changes it"},
        doc="Add a node: the operation of `add_rate`.",
    )
    rate_del = Do(
        Command.RATE_DEL,
        Rate,
        hints={errno.EBUSY: "ports or nodes are in the node: give them another parent first"},
        doc="Remove a node: the operation of `delete_rate`.",
    )

    @verb
    def get_rate(self: Conn[Deferred], handle: str, node: str | None = None) -> Call[Rate]:
        """The rate of a port, or that of a node of a device if node is given."""
        return self.rate_get(**_rate(handle, node))

    @verb
    def set_rate(
        self: Conn[Deferred], handle: str, node: str | None = None, **settings: Unpack[RateOptions]
    ) -> Call[None]:
        """Change the rate of a port, or that of a node of a device if node is given.

        settings: fields of `Rate`; parent "" takes it out of its node. What is not given stays as it is.
        """
        return self.rate_set(**_rate(handle, node), **settings)

    @verb
    def add_rate(self: Conn[Deferred], device: str, node: str, **settings: Unpack[RateOptions]) -> Call[None]:
        """Add a node, which ports and nodes can have as their parent. settings: as `set_rate`."""
        return self.rate_new(**_rate(device, node), **settings)

    @verb
    def delete_rate(self: Conn[Deferred], device: str, node: str) -> Call[None]:
        """Remove a node that nothing has as its parent."""
        return self.rate_del(**_rate(device, node))

    # Shared buffers

    shared_buffers = Dump(Command.SB_GET, OfDevice, SharedBuffer, doc=f"The shared buffers {_OF_ONE}.")
    pools = Dump(Command.SB_POOL_GET, OfDevice, Pool, doc=f"The pools of shared buffers {_OF_ONE}.")
    port_pools = Dump(Command.SB_PORT_POOL_GET, OfDevice, PortPool, doc=f"What ports may have of pools {_OF_ONE}.")
    tc_binds = Dump(Command.SB_TC_POOL_BIND_GET, OfDevice, TcBind, doc=f"What pools traffic classes have {_OF_ONE}.")
    sb_pool_set = Do(Command.SB_POOL_SET, Pool, doc="Change a pool: the operation of `set_pool`.")
    sb_port_pool_set = Do(
        Command.SB_PORT_POOL_SET, PortPool, doc="Change what a port may have: the operation of `set_port_pool`."
    )
    sb_tc_pool_bind_set = Do(
        Command.SB_TC_POOL_BIND_SET, TcBind, doc="Give a traffic class a pool: the operation of `set_tc_bind`."
    )
    sb_occ_snapshot = Do(
        Command.SB_OCC_SNAPSHOT, SharedBuffer, doc="Measure a buffer: the operation of `snapshot_occupancy`."
    )
    sb_occ_max_clear = Do(
        Command.SB_OCC_MAX_CLEAR, SharedBuffer, doc="Forget the most: the operation of `clear_max_occupancy`."
    )

    @verb
    def set_pool(
        self: Conn[Deferred], device: str, pool: int, size: int, threshold_type: ThresholdType, sb: int = 0
    ) -> Call[None]:
        """Change a pool of a shared buffer. size: bytes."""
        return self.sb_pool_set(**_device(device), sb=sb, index=pool, size=size, threshold_type=threshold_type)

    @verb
    def set_port_pool(self: Conn[Deferred], port: str, pool: int, threshold: int, sb: int = 0) -> Call[None]:
        """Change what a port may have of a pool. threshold: of the pool's threshold_type."""
        return self.sb_port_pool_set(**_port(port), sb=sb, pool=pool, threshold=threshold)

    @verb
    def set_tc_bind(
        self: Conn[Deferred],
        port: str,
        tc: int,
        type: PoolType,  # noqa: A002
        pool: int,
        threshold: int,
        sb: int = 0,
    ) -> Call[None]:
        """Give a traffic class of a port a pool. threshold: of the pool's threshold_type."""
        return self.sb_tc_pool_bind_set(**_port(port), sb=sb, tc=tc, type=type, pool=pool, threshold=threshold)

    @verb
    def snapshot_occupancy(self: Conn[Deferred], device: str, sb: int = 0) -> Call[None]:
        """Measure how full a shared buffer is: `port_pools` and `tc_binds` have the result."""
        return self.sb_occ_snapshot(**_device(device), index=sb)

    @verb
    def clear_max_occupancy(self: Conn[Deferred], device: str, sb: int = 0) -> Call[None]:
        """Forget how full a shared buffer was at most."""
        return self.sb_occ_max_clear(**_device(device), index=sb)

    # Resources and the pipeline

    resource_dump = DoMany(
        Command.RESOURCE_DUMP, OfDevice, Resources, doc="The messages of resources: the operation of `resources`."
    )
    resource_set = Do(Command.RESOURCE_SET, ResourceRequest, doc="Change a resource: the operation of `set_resource`.")
    dpipe_table_get = DoMany(
        Command.DPIPE_TABLE_GET, Dpipe, Dpipe, doc="The messages of tables: the operation of `dpipe_tables`."
    )
    dpipe_entries_get = DoMany(
        Command.DPIPE_ENTRIES_GET, Dpipe, Dpipe, doc="The messages of entries: the operation of `dpipe_entries`."
    )
    dpipe_headers_get = DoMany(
        Command.DPIPE_HEADERS_GET, OfDevice, Dpipe, doc="The messages of headers: the operation of `dpipe_headers`."
    )
    dpipe_table_counters_set = Do(
        Command.DPIPE_TABLE_COUNTERS_SET, Dpipe, doc="Turn counters on or off: the operation of `set_dpipe_counters`."
    )

    @verb
    def resources(self: Conn[Deferred], device: str) -> Steps[list[Resource]]:
        """The resources of a device, each with its parts."""
        messages: Batch[Resources] = yield self.resource_dump(**_device(device))
        return [resource for message in messages for resource in message.resources or ()]

    @verb
    def set_resource(self: Conn[Deferred], device: str, id: int, size: int) -> Call[None]:  # noqa: A002
        """Change the size of a resource, in its units, from the next reload on."""
        return self.resource_set(**_device(device), id=id, size=size)

    @verb
    def dpipe_tables(self: Conn[Deferred], device: str, name: str | None = None) -> Steps[list[DpipeTable]]:
        """The tables of a device's pipeline, or the one of a name."""
        messages: Batch[Dpipe] = yield self.dpipe_table_get(**_device(device), table_name=name)
        return [table for message in messages for table in message.tables or ()]

    @verb
    def dpipe_entries(self: Conn[Deferred], device: str, table: str) -> Steps[list[DpipeEntry]]:
        """The entries of a table of the pipeline."""
        messages: Batch[Dpipe] = yield self.dpipe_entries_get(**_device(device), table_name=table)
        return [entry for message in messages for entry in message.entries or ()]

    @verb
    def dpipe_headers(self: Conn[Deferred], device: str) -> Steps[list[DpipeHeader]]:
        """The headers that tables of the pipeline compare and change."""
        messages: Batch[Dpipe] = yield self.dpipe_headers_get(**_device(device))
        return [header for message in messages for header in message.headers or ()]

    @verb
    def set_dpipe_counters(self: Conn[Deferred], device: str, table: str, enabled: bool) -> Call[None]:
        """Turn the counters of a table's entries on or off."""
        return self.dpipe_table_counters_set(**_device(device), table_name=table, counters_enabled=enabled)


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to devlink. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to devlink for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
