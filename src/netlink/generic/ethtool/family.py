"""The operations of ethtool."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from netlink import family as _family
from netlink.family import C, Deferred, Do, Dump, Listen, Steps, verb
from netlink.generic.ethtool.records import (
    EEE,
    FEC,
    MM,
    MSE,
    PHY,
    PLCA,
    PSE,
    RSS,
    CableTest,
    CableTestEvent,
    CableTestTDR,
    CableTestTDREvent,
    Channels,
    Coalesce,
    Command,
    Debug,
    DeviceMessage,
    Event,
    Features,
    Header,
    LinkInfo,
    LinkModes,
    LinkState,
    Module,
    ModuleEEPROM,
    ModuleFirmwareFlash,
    Pause,
    PHCVclocks,
    PrivFlags,
    PSEAlert,
    Reply,
    Rings,
    Stats,
    StringSetInfo,
    StringSetList,
    StringSets,
    TsConfig,
    TsInfo,
    TunnelInfo,
    WakeOnLAN,
)
from netlink.generic.genetlink import Family
from netlink.stream import Kind

if TYPE_CHECKING:
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

__all__ = ["Conn", "dial", "dial_async"]


class Conn(Family[C], name="ethtool", needs="CONFIG_ETHTOOL_NETLINK, Linux 5.6 or later"):
    """Requests to ethtool. A dump has the devices that have what it asks for, and no others.

    Changes, Wake-on-LAN and the memory of modules need CAP_NET_ADMIN in the user namespace of the network namespace.
    """

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the user namespace of the network namespace",
        errno.EOPNOTSUPP: "the device's driver does not have this, or the kernel is older",
        errno.ENODEV: "there is no such device in this network namespace",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    get_strings = Do(
        Command.STRSET_GET,
        StringSets,
        StringSets,
        answer=Reply.STRSET_GET,
        doc="Sets of strings by their numbers, of a device or of the kernel.",
    )
    dump_strings = Dump(Command.STRSET_GET, StringSets, answer=Reply.STRSET_GET, doc="Sets of strings, of all devices.")
    get_link_info = Do(
        Command.LINKINFO_GET,
        LinkInfo,
        LinkInfo,
        answer=Reply.LINKINFO_GET,
        doc="The port and its transceiver, of one device.",
    )
    dump_link_info = Dump(
        Command.LINKINFO_GET,
        LinkInfo,
        answer=Reply.LINKINFO_GET,
        doc="The port and its transceiver, of all devices that have it.",
    )
    set_link_info = Do(Command.LINKINFO_SET, LinkInfo, doc="Change the port.")
    get_link_modes = Do(
        Command.LINKMODES_GET,
        LinkModes,
        LinkModes,
        answer=Reply.LINKMODES_GET,
        doc="Speed, duplex and autonegotiation, of one device.",
    )
    dump_link_modes = Dump(
        Command.LINKMODES_GET,
        LinkModes,
        answer=Reply.LINKMODES_GET,
        doc="Speed, duplex and autonegotiation, of all devices that have it.",
    )
    set_link_modes = Do(Command.LINKMODES_SET, LinkModes, doc="Change speed, duplex and autonegotiation.")
    get_link_state = Do(
        Command.LINKSTATE_GET,
        LinkState,
        LinkState,
        answer=Reply.LINKSTATE_GET,
        doc="Whether there is a link, of one device.",
    )
    dump_link_state = Dump(
        Command.LINKSTATE_GET, LinkState, answer=Reply.LINKSTATE_GET, doc="Whether there is a link, of all devices."
    )
    get_debug = Do(
        Command.DEBUG_GET, Debug, Debug, answer=Reply.DEBUG_GET, doc="The messages that a driver logs, of one device."
    )
    dump_debug = Dump(
        Command.DEBUG_GET,
        Debug,
        answer=Reply.DEBUG_GET,
        doc="The messages that a driver logs, of all devices that have them.",
    )
    set_debug = Do(Command.DEBUG_SET, Debug, doc="Change what a driver logs.")
    get_wake_on_lan = Do(
        Command.WOL_GET, WakeOnLAN, WakeOnLAN, answer=Reply.WOL_GET, doc="What wakes the machine, of one device."
    )
    dump_wake_on_lan = Dump(
        Command.WOL_GET, WakeOnLAN, answer=Reply.WOL_GET, doc="What wakes the machine, of all devices that can."
    )
    set_wake_on_lan = Do(Command.WOL_SET, WakeOnLAN, doc="Change what wakes the machine.")
    get_features = Do(
        Command.FEATURES_GET, Features, Features, answer=Reply.FEATURES_GET, doc="Offloads, of one device."
    )
    dump_features = Dump(Command.FEATURES_GET, Features, answer=Reply.FEATURES_GET, doc="Offloads, of all devices.")
    set_features = Do(
        Command.FEATURES_SET,
        Features,
        Features,
        answer=Reply.FEATURES_SET,
        doc="Change offloads: `wanted`. The reply has what changed in `active`, and what was refused in `wanted`.",
    )
    get_priv_flags = Do(
        Command.PRIVFLAGS_GET,
        PrivFlags,
        PrivFlags,
        answer=Reply.PRIVFLAGS_GET,
        doc="A driver's own flags, of one device.",
    )
    dump_priv_flags = Dump(
        Command.PRIVFLAGS_GET,
        PrivFlags,
        answer=Reply.PRIVFLAGS_GET,
        doc="A driver's own flags, of all devices that have them.",
    )
    set_priv_flags = Do(Command.PRIVFLAGS_SET, PrivFlags, doc="Change a driver's own flags.")
    get_rings = Do(Command.RINGS_GET, Rings, Rings, answer=Reply.RINGS_GET, doc="The sizes of rings, of one device.")
    dump_rings = Dump(
        Command.RINGS_GET, Rings, answer=Reply.RINGS_GET, doc="The sizes of rings, of all devices that have them."
    )
    set_rings = Do(Command.RINGS_SET, Rings, doc="Change sizes of rings.")
    get_channels = Do(
        Command.CHANNELS_GET,
        Channels,
        Channels,
        answer=Reply.CHANNELS_GET,
        doc="The numbers of channels, of one device.",
    )
    dump_channels = Dump(
        Command.CHANNELS_GET,
        Channels,
        answer=Reply.CHANNELS_GET,
        doc="The numbers of channels, of all devices that have them.",
    )
    set_channels = Do(Command.CHANNELS_SET, Channels, doc="Change numbers of channels.")
    get_coalesce = Do(
        Command.COALESCE_GET,
        Coalesce,
        Coalesce,
        answer=Reply.COALESCE_GET,
        doc="When the device raises an interrupt, of one device.",
    )
    dump_coalesce = Dump(
        Command.COALESCE_GET,
        Coalesce,
        answer=Reply.COALESCE_GET,
        doc="When the device raises an interrupt, of all devices that have it.",
    )
    set_coalesce = Do(Command.COALESCE_SET, Coalesce, doc="Change when the device raises an interrupt.")
    get_pause = Do(Command.PAUSE_GET, Pause, Pause, answer=Reply.PAUSE_GET, doc="Flow control, of one device.")
    dump_pause = Dump(
        Command.PAUSE_GET, Pause, answer=Reply.PAUSE_GET, doc="Flow control, of all devices that have it."
    )
    set_pause = Do(Command.PAUSE_SET, Pause, doc="Change flow control.")
    get_eee = Do(Command.EEE_GET, EEE, EEE, answer=Reply.EEE_GET, doc="Energy-Efficient Ethernet, of one device.")
    dump_eee = Dump(
        Command.EEE_GET, EEE, answer=Reply.EEE_GET, doc="Energy-Efficient Ethernet, of all devices that have it."
    )
    set_eee = Do(Command.EEE_SET, EEE, doc="Change Energy-Efficient Ethernet.")
    get_ts_info = Do(
        Command.TSINFO_GET,
        TsInfo,
        TsInfo,
        answer=Reply.TSINFO_GET,
        doc="What a device can do about timestamps, of one device.",
    )
    dump_ts_info = Dump(
        Command.TSINFO_GET,
        TsInfo,
        answer=Reply.TSINFO_GET,
        doc="What devices can do about timestamps, of all devices.",
    )
    get_ts_config = Do(
        Command.TSCONFIG_GET,
        TsConfig,
        TsConfig,
        answer=Reply.TSCONFIG_GET,
        doc="The timestamps that a device takes, of one device.",
    )
    dump_ts_config = Dump(
        Command.TSCONFIG_GET,
        TsConfig,
        answer=Reply.TSCONFIG_GET,
        doc="The timestamps that a device takes, of all devices that have them.",
    )
    set_ts_config = Do(
        Command.TSCONFIG_SET,
        TsConfig,
        TsConfig,
        answer=Reply.TSCONFIG_SET,
        doc="Change the timestamps that a device takes. The reply has what it takes now.",
    )
    get_phc_vclocks = Do(
        Command.PHC_VCLOCKS_GET,
        PHCVclocks,
        PHCVclocks,
        answer=Reply.PHC_VCLOCKS_GET,
        doc="Virtual clocks, of one device.",
    )
    dump_phc_vclocks = Dump(
        Command.PHC_VCLOCKS_GET,
        PHCVclocks,
        answer=Reply.PHC_VCLOCKS_GET,
        doc="Virtual clocks, of all devices that have them.",
    )
    get_tunnel_info = Do(
        Command.TUNNEL_INFO_GET,
        TunnelInfo,
        TunnelInfo,
        answer=Reply.TUNNEL_INFO_GET,
        doc="The tunnels that a device knows, of one device.",
    )
    dump_tunnel_info = Dump(
        Command.TUNNEL_INFO_GET,
        TunnelInfo,
        answer=Reply.TUNNEL_INFO_GET,
        doc="The tunnels that devices know. OpError: EOPNOTSUPP if there is no device that knows any.",
    )
    get_fec = Do(Command.FEC_GET, FEC, FEC, answer=Reply.FEC_GET, doc="Forward error correction, of one device.")
    dump_fec = Dump(
        Command.FEC_GET, FEC, answer=Reply.FEC_GET, doc="Forward error correction, of all devices that have it."
    )
    set_fec = Do(Command.FEC_SET, FEC, doc="Change forward error correction.")
    get_module_eeprom = Do(
        Command.MODULE_EEPROM_GET,
        ModuleEEPROM,
        ModuleEEPROM,
        answer=Reply.MODULE_EEPROM_GET,
        hints={errno.EINVAL: "it needs offset, length, page and i2c_address"},
        doc="Bytes of the memory of a plug-in module, of one device.",
    )
    dump_module_eeprom = Dump(
        Command.MODULE_EEPROM_GET,
        ModuleEEPROM,
        answer=Reply.MODULE_EEPROM_GET,
        hints={errno.EINVAL: "it needs offset, length, page and i2c_address"},
        doc="The same bytes of the plug-in modules of all devices.",
    )
    get_module = Do(
        Command.MODULE_GET, Module, Module, answer=Reply.MODULE_GET, doc="The power of a plug-in module, of one device."
    )
    dump_module = Dump(
        Command.MODULE_GET,
        Module,
        answer=Reply.MODULE_GET,
        doc="The power of a plug-in module, of all devices that have it.",
    )
    set_module = Do(Command.MODULE_SET, Module, doc="Change the power of a plug-in module.")
    get_stats = Do(
        Command.STATS_GET,
        Stats,
        Stats,
        answer=Reply.STATS_GET,
        hints={errno.EINVAL: "no statistics are asked for: it needs groups"},
        doc="Statistics that standards define, of one device.",
    )
    dump_stats = Dump(
        Command.STATS_GET,
        Stats,
        answer=Reply.STATS_GET,
        hints={errno.EINVAL: "no statistics are asked for: it needs groups"},
        doc="Statistics that standards define, of all devices that have them.",
    )
    get_pse = Do(Command.PSE_GET, PSE, PSE, answer=Reply.PSE_GET, doc="Power over Ethernet, of one device.")
    dump_pse = Dump(Command.PSE_GET, PSE, answer=Reply.PSE_GET, doc="Power over Ethernet, of all devices that have it.")
    set_pse = Do(Command.PSE_SET, PSE, doc="Change power over Ethernet.")
    get_rss = Do(
        Command.RSS_GET, RSS, RSS, answer=Reply.RSS_GET, doc="How packets are spread over queues, of one device."
    )
    dump_rss = Dump(
        Command.RSS_GET,
        RSS,
        answer=Reply.RSS_GET,
        doc="How packets are spread over queues, of all devices: one record for each context.",
    )
    set_rss = Do(Command.RSS_SET, RSS, doc="Change how packets are spread over queues.")
    get_plca = Do(
        Command.PLCA_GET_CFG,
        PLCA,
        PLCA,
        answer=Reply.PLCA_GET_CFG,
        doc="Collision avoidance of 10BASE-T1S, of one device.",
    )
    dump_plca = Dump(
        Command.PLCA_GET_CFG,
        PLCA,
        answer=Reply.PLCA_GET_CFG,
        doc="Collision avoidance of 10BASE-T1S, of all devices that have it.",
    )
    set_plca = Do(Command.PLCA_SET_CFG, PLCA, doc="Change collision avoidance.")
    get_plca_status = Do(
        Command.PLCA_GET_STATUS,
        PLCA,
        PLCA,
        answer=Reply.PLCA_GET_STATUS,
        doc="Whether collision avoidance works, of one device.",
    )
    dump_plca_status = Dump(
        Command.PLCA_GET_STATUS,
        PLCA,
        answer=Reply.PLCA_GET_STATUS,
        doc="Whether collision avoidance works, of all devices that have it.",
    )
    get_mm = Do(Command.MM_GET, MM, MM, answer=Reply.MM_GET, doc="The MAC merge layer, of one device.")
    dump_mm = Dump(Command.MM_GET, MM, answer=Reply.MM_GET, doc="The MAC merge layer, of all devices that have it.")
    set_mm = Do(Command.MM_SET, MM, doc="Change the MAC merge layer.")
    get_phy = Do(Command.PHY_GET, PHY, PHY, answer=Reply.PHY_GET, doc="A PHY of a device.")
    dump_phy = Dump(Command.PHY_GET, PHY, answer=Reply.PHY_GET, doc="All PHYs, of one or of all devices.")
    get_mse = Do(Command.MSE_GET, MSE, MSE, answer=Reply.MSE_GET, doc="The mean square error of a PHY, of one device.")
    dump_mse = Dump(
        Command.MSE_GET, MSE, answer=Reply.MSE_GET, doc="The mean square error of a PHY, of all devices that have it."
    )
    create_rss = Do(
        Command.RSS_CREATE_ACT,
        RSS,
        RSS,
        answer=Reply.RSS_CREATE_ACT,
        doc="Add a context, and return it with its number.",
    )
    delete_rss = Do(Command.RSS_DELETE_ACT, RSS, doc="Remove a context.")
    test_cable = Do(
        Command.CABLE_TEST_ACT,
        CableTest,
        doc="Begin a test of a cable, which interrupts the link. Results come to `listen`.",
    )
    test_cable_tdr = Do(
        Command.CABLE_TEST_TDR_ACT,
        CableTestTDR,
        doc="Begin a measurement of reflections in a cable. Results come to `listen`.",
    )
    flash_module = Do(
        Command.MODULE_FW_FLASH_ACT,
        ModuleFirmwareFlash,
        doc="Begin to write firmware to a plug-in module, over a connection of its own. Progress comes to that alone: "
        "`ModuleFirmwareFlash.decode(message.data[4:])` of the messages that its `conn.receive` returns.",
    )
    listen = Listen[DeviceMessage](
        [
            Kind(Event.LINKINFO, LinkInfo, Event.LINKINFO),
            Kind(Event.LINKMODES, LinkModes, Event.LINKMODES),
            Kind(Event.DEBUG, Debug, Event.DEBUG),
            Kind(Event.WOL, WakeOnLAN, Event.WOL),
            Kind(Event.FEATURES, Features, Event.FEATURES),
            Kind(Event.PRIVFLAGS, PrivFlags, Event.PRIVFLAGS),
            Kind(Event.RINGS, Rings, Event.RINGS),
            Kind(Event.CHANNELS, Channels, Event.CHANNELS),
            Kind(Event.COALESCE, Coalesce, Event.COALESCE),
            Kind(Event.PAUSE, Pause, Event.PAUSE),
            Kind(Event.EEE, EEE, Event.EEE),
            Kind(Event.CABLE_TEST, CableTestEvent, Event.CABLE_TEST),
            Kind(Event.CABLE_TEST_TDR, CableTestTDREvent, Event.CABLE_TEST_TDR),
            Kind(Event.FEC, FEC, Event.FEC),
            Kind(Event.MODULE, Module, Event.MODULE),
            Kind(Event.PLCA, PLCA, Event.PLCA),
            Kind(Event.MM, MM, Event.MM),
            Kind(Event.MODULE_FW_FLASH, ModuleFirmwareFlash, Event.MODULE_FW_FLASH),
            Kind(Event.PHY, PHY, Event.PHY),
            Kind(Event.PSE, PSEAlert, Event.PSE),
            Kind(Event.RSS, RSS, Event.RSS),
            Kind(Event.RSS_CREATE, RSS, Event.RSS_CREATE),
            Kind(Event.RSS_DELETE, RSS, Event.RSS_DELETE),
        ],
        groups=["monitor"],
        doc="Changes of devices, results of cable tests, alerts of power supplies. Bitsets are compact: see `Bitset`.",
    )

    @verb
    def list_strings(self: Conn[Deferred], id: int, device: str | None = None) -> Steps[list[str]]:  # noqa: A002
        """The strings of a set, in the order of their numbers.

        id: of `StringSet`. device: the name of a device, for the strings of its driver. [] if it has none.
        """
        header = Header(dev_name=device)
        sets = StringSetList(sets=[StringSetInfo(id=id)])
        found: StringSets = yield self.get_strings(header=header, sets=sets)
        return [
            string.value or ""
            for one in (found.sets.sets if found.sets else None) or ()
            for string in (one.strings.strings if one.strings else None) or ()
        ]


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to ethtool. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to ethtool for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
