"""The operations of nl80211, its verbs, and the wait for a scan."""

from __future__ import annotations

import errno
import time
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any, overload

from netlink import family as _family
from netlink.conn import Conn as NetlinkConn
from netlink.errors import OpError
from netlink.family import C, Call, Deferred, Do, Dump, Listen, Steps, verb
from netlink.generic.genetlink import Family, kinds
from netlink.generic.nl80211.capabilities import BandInfo, Wiphy
from netlink.generic.nl80211.enums import Command
from netlink.generic.nl80211.records import (
    BeaconHint,
    Bss,
    Connection,
    Features,
    Frame,
    Interface,
    Key,
    LinkEvent,
    MeshConfig,
    MeshPath,
    NanEvent,
    PowerSaveState,
    RegChange,
    RegDomain,
    ScanInfo,
    Station,
    Survey,
    TestEvent,
    VendorEvent,
)
from netlink.generic.nl80211.requests import (
    ApSettings,
    AssocRequest,
    AuthRequest,
    ConnectRequest,
    Cookie,
    DelStation,
    DisconnectRequest,
    IbssRequest,
    InterfaceKey,
    KeyKey,
    LeaveRequest,
    MeshRequest,
    NewInterface,
    NewKey,
    RegHint,
    RegKey,
    RemainRequest,
    ScanRequest,
    SchedScanRequest,
    SignalWatch,
    StationKey,
    StationSettings,
    WiphyKey,
    WiphyNetns,
    WiphySettings,
)
from netlink.stream import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.schema import Batch

_ATTEMPTS = 16
_SSID_SIZE = 32
_NEEDS = "CONFIG_CFG80211: `modprobe cfg80211` loads its module, and the driver of a radio does"
_INTERFACE = {errno.EINVAL: "it needs ifindex= of a Wi-Fi interface, or wdev="}
_BUSY_TYPE = {errno.EBUSY: "the interface is up: set its link down first"}
_CONNECTING = {
    errno.EALREADY: "the interface is connected, or connecting, already: disconnect it first",
    errno.EBUSY: "another program, such as wpa_supplicant or NetworkManager, is connecting the interface",
    errno.EINVAL: "it needs ifindex= and ssid=, and what the ciphers need",
    errno.EOPNOTSUPP: "the interface is no STATION, or the driver does not connect by itself",
}
_NETWORK = {
    errno.EALREADY: "the interface is in a network already: leave that first",
    errno.EBUSY: "another interface of the radio has it on another channel",
    errno.EINVAL: "it needs ifindex=, a name and freq=, and the channel must be allowed: see `Wiphy.frequencies`",
    errno.EOPNOTSUPP: "the interface is of another type, which `set_interface` changes",
}


_SCANS: list[Kind[ScanInfo]] = kinds(
    ScanInfo,
    Command.TRIGGER_SCAN,
    Command.NEW_SCAN_RESULTS,
    Command.SCAN_ABORTED,
    Command.START_SCHED_SCAN,
    Command.SCHED_SCAN_RESULTS,
    Command.SCHED_SCAN_STOPPED,
)
_KINDS: list[Kind[Any]] = [
    *kinds(Wiphy, Command.NEW_WIPHY, Command.DEL_WIPHY),
    *kinds(Interface, Command.NEW_INTERFACE, Command.SET_INTERFACE, Command.DEL_INTERFACE),
    *_SCANS,
    *kinds(RegChange, Command.REG_CHANGE, Command.WIPHY_REG_CHANGE),
    *kinds(BeaconHint, Command.REG_BEACON_HINT),
    *kinds(Station, Command.NEW_STATION, Command.DEL_STATION),
    *kinds(
        Connection,
        Command.CONNECT,
        Command.ROAM,
        Command.DISCONNECT,
        Command.JOIN_IBSS,
        Command.PORT_AUTHORIZED,
    ),
    *kinds(
        Frame,
        Command.AUTHENTICATE,
        Command.ASSOCIATE,
        Command.DEAUTHENTICATE,
        Command.DISASSOCIATE,
        Command.UNPROT_DEAUTHENTICATE,
        Command.UNPROT_DISASSOCIATE,
        Command.UNPROT_BEACON,
        Command.FRAME,
        Command.FRAME_TX_STATUS,
        Command.CONTROL_PORT_FRAME_TX_STATUS,
    ),
    *kinds(
        LinkEvent,
        Command.REMAIN_ON_CHANNEL,
        Command.CANCEL_REMAIN_ON_CHANNEL,
        Command.FRAME_WAIT_CANCEL,
        Command.MICHAEL_MIC_FAILURE,
        Command.NOTIFY_CQM,
        Command.PMKSA_CANDIDATE,
        Command.SET_REKEY_OFFLOAD,
        Command.NEW_PEER_CANDIDATE,
        Command.CONN_FAILED,
        Command.CH_SWITCH_STARTED_NOTIFY,
        Command.CH_SWITCH_NOTIFY,
        Command.RADAR_DETECT,
        Command.PROBE_CLIENT,
        Command.TDLS_OPER,
        Command.FT_EVENT,
        Command.STA_OPMODE_CHANGED,
        Command.STOP_AP,
        Command.OBSS_COLOR_COLLISION,
        Command.COLOR_CHANGE_STARTED,
        Command.COLOR_CHANGE_ABORTED,
        Command.COLOR_CHANGE_COMPLETED,
        Command.LINKS_REMOVED,
        Command.CRIT_PROTOCOL_STOP,
        Command.ADD_TX_TS,
    ),
    *kinds(VendorEvent, Command.VENDOR),
    *kinds(TestEvent, Command.TESTMODE),
    *kinds(NanEvent, Command.NAN_MATCH, Command.ADD_NAN_FUNCTION, Command.DEL_NAN_FUNCTION),
]


def _joined(messages: Iterable[Wiphy]) -> list[Wiphy]:
    """The wiphys of a dump, each of its messages together. A band goes on in the next message with more channels."""
    found: dict[int | None, Wiphy] = {}
    for message in messages:
        wiphy = found.get(message.wiphy)
        if wiphy is not None:
            values: dict[str, Any] = {
                name: value for name in Wiphy.__fields__ if (value := getattr(message, name)) is not None
            }
            bands = {band.band: band for band in wiphy.bands or ()}
            for band in message.bands or ():
                bands[band.band] = _joined_band(bands.get(band.band), band)
            values["bands"] = [*bands.values()] or None
            message = wiphy.replace(**values)
        found[message.wiphy] = message
    return [*found.values()]


def _joined_band(first: BandInfo | None, more: BandInfo) -> BandInfo:
    if first is None:
        return more
    values = {name: value for name in BandInfo.__fields__ if (value := getattr(more, name)) is not None}
    return first.replace(**values | {"freqs": [*(first.freqs or ()), *(more.freqs or ())]})


class _Waiting:
    """The wait for the end of a scan that was begun."""

    def __init__(self, request: ScanRequest, timeout: float) -> None:
        self._request = request
        self._end = time.monotonic() + timeout
        self._timeout = timeout

    def _is_own(self, event: ScanInfo) -> bool:
        if self._request.ifindex is not None:
            return event.ifindex == self._request.ifindex
        return event.wdev == self._request.wdev

    def ended_at_once(self, queued: Iterable[ScanInfo]) -> bool:
        """Whether the scan has ended already. queued: the events up to the acknowledgement of the request.

        An earlier scan, of another program, may have begun and ended there, so only what follows the last begin counts.
        """
        own = [event for event in queued if self._is_own(event)]
        begins = [at for at, event in enumerate(own) if event.event == Command.TRIGGER_SCAN]
        return self.ended(own[begins[-1] :]) if begins else False

    def ended(self, events: Iterable[ScanInfo]) -> bool:
        """Whether the scan ended with one of these events. OpError (ECANCELED) if it was aborted."""
        for event in events:
            if self._is_own(event) and event.event == Command.NEW_SCAN_RESULTS:
                return True
            if self._is_own(event) and event.event == Command.SCAN_ABORTED:
                raise OpError("scan", errno.ECANCELED, hint="another program or the driver aborted the scan")
        return False

    def left(self) -> float:
        """Seconds that may still pass. TimeoutError if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"the scan has not ended within {self._timeout} seconds")
        return left


def _check_scan(request: ScanRequest) -> None:
    """TypeError for what is no request, ValueError for what the kernel would only call an invalid argument."""
    if not isinstance(request, ScanRequest):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"scan takes a ScanRequest, not {request!r}")
    if request.ifindex is None and request.wdev is None:
        raise ValueError("a scan needs ifindex= or wdev=")
    for ssid in request.ssids or ():
        if len(ssid) > _SSID_SIZE:
            raise ValueError(f"a name of a network has at most {_SSID_SIZE} bytes, and {ssid!r} has {len(ssid)}")
    for name in ("frequencies", "frequencies_khz"):
        wanted = getattr(request, name) or ()
        twice = [each for each in dict.fromkeys(wanted) if wanted.count(each) > 1]
        if twice:
            raise ValueError(f"{name} has {twice[0]} twice")


class Conn(Family[C], name="nl80211", needs=_NEEDS):
    """Requests about Wi-Fi."""

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the user namespace of the radio's network namespace",
        errno.ENODEV: "there is no such wiphy or Wi-Fi interface in the network namespace",
        errno.ENETDOWN: "the interface is down: set its link up first",
        errno.ERFKILL: "a switch has turned the radio off: `rfkill list` shows it, `rfkill unblock wifi` turns it on",
        errno.EOPNOTSUPP: "the driver does not have this, or not for this type of interface",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    # Wiphys

    wiphy_messages = Dump(
        Command.GET_WIPHY,
        WiphyKey,
        Wiphy,
        answer=Command.NEW_WIPHY,
        doc="The messages about wiphys: the operation of `wiphys`. With `split_wiphy_dump` there are several of each.",
    )
    set_wiphy = Do(
        Command.SET_WIPHY,
        WiphySettings,
        hints={
            errno.EBUSY: "the interface is in use on another channel",
            errno.EINVAL: "it needs wiphy= or ifindex=, and a channel and values that the radio has",
            errno.EEXIST: "another wiphy has that name",
        },
        doc="Change settings of a wiphy, such as its name, thresholds and antennas, or the power of an interface.",
    )
    set_channel = Do(
        Command.SET_CHANNEL,
        WiphySettings,
        hints={
            errno.EBUSY: "another interface of the radio decides about the channel",
            errno.EINVAL: "it needs ifindex=, freq= and a width that the rules allow there: see `Wiphy.frequencies`",
        },
        doc="Set the channel of an interface, such as one of the type MONITOR.",
    )
    set_wiphy_netns = Do(
        Command.SET_WIPHY_NETNS,
        WiphyNetns,
        hints={errno.EINVAL: "it needs wiphy=, and netns_fd= or pid= of a network namespace that there is"},
        doc="Move a wiphy and its interfaces to another network namespace.",
    )
    features = Do(
        Command.GET_PROTOCOL_FEATURES,
        None,
        Features,
        answer=Command.GET_PROTOCOL_FEATURES,
        doc="What the kernel's protocol can do.",
    )

    # Interfaces

    interfaces = Dump(
        Command.GET_INTERFACE,
        InterfaceKey,
        Interface,
        answer=Command.NEW_INTERFACE,
        doc="All Wi-Fi interfaces of the network namespace, or those of a wiphy.",
    )
    get_interface = Do(
        Command.GET_INTERFACE,
        InterfaceKey,
        Interface,
        answer=Command.NEW_INTERFACE,
        hints=_INTERFACE,
        doc="An interface. OSError (ENODEV) if there is none.",
    )
    new_interface = Do(
        Command.NEW_INTERFACE,
        NewInterface,
        Interface,
        answer=Command.NEW_INTERFACE,
        hints={
            errno.ENFILE: "a link has that ifname",
            errno.EINVAL: "it needs wiphy=, ifname= and iftype=",
            errno.EBUSY: "the radio has no combination of interfaces with one more of this type",
            errno.EOPNOTSUPP: "the radio does not have this type: see `Wiphy.supported_iftypes`",
        },
        doc="Make an interface of a wiphy, and return it.",
    )
    set_interface = Do(
        Command.SET_INTERFACE,
        NewInterface,
        hints=_BUSY_TYPE
        | {errno.EOPNOTSUPP: "the radio does not have this type: see `Wiphy.supported_iftypes`"}
        | _INTERFACE,
        doc="Change the type of an interface, its flags of monitoring, or its frames with four addresses.",
    )
    del_interface = Do(Command.DEL_INTERFACE, InterfaceKey, hints=_INTERFACE, doc="Delete an interface.")
    get_power_save = Do(
        Command.GET_POWER_SAVE,
        InterfaceKey,
        PowerSaveState,
        answer=Command.GET_POWER_SAVE,
        hints=_INTERFACE,
        doc="Whether an interface saves power.",
    )
    set_power_save = Do(
        Command.SET_POWER_SAVE,
        PowerSaveState,
        hints={errno.EINVAL: "it needs ifindex= and ps_state="},
        doc="Set whether an interface of the type STATION saves power.",
    )

    # Scans

    trigger_scan = Do(
        Command.TRIGGER_SCAN,
        ScanRequest,
        hints={
            errno.EBUSY: "a scan is running, of this program or of another one such as wpa_supplicant: wait for its "
            "result, which `scan_results` has, or abort it",
            errno.EINVAL: "it needs ifindex=, channels that the radio has and no twice, and no more names and elements "
            "than `Wiphy.max_num_scan_ssids` and `Wiphy.max_scan_ie_len`",
        },
        doc="Begin a scan, and do not wait for its end: the operation of `scan`.",
    )
    abort_scan = Do(
        Command.ABORT_SCAN,
        InterfaceKey,
        hints={errno.ENOENT: "no scan is running"} | _INTERFACE,
        doc="End a scan before its time. FileNotFoundError, which is an OpError, if none is running.",
    )
    scan_results = Dump(
        Command.GET_SCAN,
        InterfaceKey,
        Bss,
        answer=Command.NEW_SCAN_RESULTS,
        hints=_INTERFACE,
        doc="The networks that the last scans found, up to half a minute ago, without a new scan.",
    )
    start_sched_scan = Do(
        Command.START_SCHED_SCAN,
        SchedScanRequest,
        hints={
            errno.EINPROGRESS: "a scheduled scan is running",
            errno.EINVAL: "it needs ifindex=, and interval= or plans=",
            errno.EOPNOTSUPP: "the driver has no scheduled scans: `Wiphy.sched_scan_max_reqs` says so",
        },
        doc="Let the radio scan again and again by itself. Its results are events.",
    )
    stop_sched_scan = Do(
        Command.STOP_SCHED_SCAN,
        Cookie,
        hints={errno.ENOENT: "no scheduled scan is running"},
        doc="End a scheduled scan.",
    )

    # Stations, channels, keys

    stations = Dump(
        Command.GET_STATION,
        InterfaceKey,
        Station,
        answer=Command.NEW_STATION,
        hints=_INTERFACE,
        doc="The stations that an interface talks to: of a STATION its access point, of an AP its clients.",
    )
    get_station = Do(
        Command.GET_STATION,
        StationKey,
        Station,
        answer=Command.NEW_STATION,
        hints={
            errno.ENOENT: "the interface has no such station",
            errno.EINVAL: "it needs ifindex= and mac=",
        },
        doc="A station. FileNotFoundError, which is an OpError, if there is none.",
    )
    new_station = Do(
        Command.NEW_STATION,
        StationSettings,
        hints={
            errno.EEXIST: "there is a station of that address",
            errno.EINVAL: "it needs ifindex= of an AP or a mesh, mac=, aid=, listen_interval= and supported_rates=",
        },
        doc="Add a station to an access point.",
    )
    set_station = Do(
        Command.SET_STATION,
        StationSettings,
        hints={
            errno.ENOENT: "the interface has no such station",
            errno.EINVAL: "it needs ifindex= and mac=, and flags that the type of the interface can set",
        },
        doc="Change a station, such as its flags.",
    )
    del_station = Do(
        Command.DEL_STATION,
        DelStation,
        hints={
            errno.ENOENT: "the interface has no such station",
            errno.EINVAL: "it needs ifindex= of an AP or a mesh",
        },
        doc="Remove a station from an access point, or all of them.",
    )
    survey = Dump(
        Command.GET_SURVEY,
        InterfaceKey,
        Survey,
        answer=Command.NEW_SURVEY_RESULTS,
        hints=_INTERFACE,
        doc="What the radio of an interface knows of its channels.",
    )
    get_key = Do(
        Command.GET_KEY,
        KeyKey,
        Key,
        answer=Command.NEW_KEY,
        hints={
            errno.ENOENT: "there is no such key",
            errno.EINVAL: "it needs ifindex= and idx=",
        },
        doc="A key of an interface: its cipher and its counter.",
    )
    new_key = Do(
        Command.NEW_KEY,
        NewKey,
        hints={
            errno.EINVAL: "it needs ifindex= and a key with idx, cipher and as many bytes of data as that has",
            errno.ENOLINK: "the interface is in no network",
        },
        doc="Add a key.",
    )
    set_key = Do(
        Command.SET_KEY,
        NewKey,
        hints={errno.EINVAL: "it needs ifindex= and a key with idx and what it is to be the default of"},
        doc="Make a key the default.",
    )
    del_key = Do(
        Command.DEL_KEY,
        KeyKey,
        hints={errno.ENOENT: "there is no such key", errno.ENOLINK: "the interface is in no network"},
        doc="Delete a key.",
    )

    # Networks

    connect = Do(
        Command.CONNECT,
        ConnectRequest,
        hints=_CONNECTING,
        doc="Begin to connect to a network. The result is an event of `Connection`.",
    )
    disconnect = Do(
        Command.DISCONNECT,
        DisconnectRequest,
        hints={errno.ENOTCONN: "the interface is not connected"} | _INTERFACE,
        doc="End a connection.",
    )
    set_cqm = Do(
        Command.SET_CQM,
        SignalWatch,
        hints={
            errno.EOPNOTSUPP: "the interface is no station, or its card cannot watch the signal",
            errno.EINVAL: "it needs ifindex=, rssi_thold= below 0 (0 ends it) and rssi_hyst=",
        }
        | _INTERFACE,
        doc="Watch the signal of a connection. An event NOTIFY_CQM of `LinkEvent` says when it passes the threshold.",
    )
    authenticate = Do(
        Command.AUTHENTICATE,
        AuthRequest,
        hints=_CONNECTING
        | {
            errno.ENOENT: "no scan has found that network: scan first",
            errno.EINVAL: "it needs ifindex=, mac=, ssid=, freq= and auth_type=",
        },
        doc="Begin to authenticate with an access point. The result is an event of `Frame`.",
    )
    associate = Do(
        Command.ASSOCIATE,
        AssocRequest,
        hints=_CONNECTING
        | {
            errno.ENOENT: "no scan has found that network, or the interface is not authenticated with it",
            errno.EINVAL: "it needs ifindex=, mac=, ssid= and freq=",
        },
        doc="Begin to associate with an access point. The result is an event of `Frame`.",
    )
    deauthenticate = Do(
        Command.DEAUTHENTICATE,
        LeaveRequest,
        hints={errno.EINVAL: "it needs ifindex=, mac= and reason_code="},
        doc="End an authentication.",
    )
    disassociate = Do(
        Command.DISASSOCIATE,
        LeaveRequest,
        hints={
            errno.EINVAL: "it needs ifindex=, mac= and reason_code=",
            errno.ENOTCONN: "the interface is not associated with that access point",
        },
        doc="End an association.",
    )
    join_ibss = Do(
        Command.JOIN_IBSS,
        IbssRequest,
        hints=_NETWORK,
        doc="Join a network without access point, or make one. An event of `Connection` says when that is done.",
    )
    leave_ibss = Do(
        Command.LEAVE_IBSS,
        InterfaceKey,
        hints={errno.ENOLINK: "the interface is in no such network"} | _INTERFACE,
        doc="Leave a network without access point.",
    )
    start_ap = Do(
        Command.START_AP,
        ApSettings,
        hints=_NETWORK
        | {
            errno.EINVAL: "it needs ifindex=, ssid=, freq=, beacon_head=, beacon_interval= and dtim_period=, and a "
            "channel where one may send first: see `Wiphy.frequencies`",
        },
        doc="Start an access point with a beacon that the request has. "
        "The program answers what stations send, as hostapd does.",
    )
    set_beacon = Do(
        Command.SET_BEACON,
        ApSettings,
        hints={errno.ENOTCONN: "the interface is no access point now"} | _INTERFACE,
        doc="Change the beacon of an access point.",
    )
    stop_ap = Do(
        Command.STOP_AP,
        InterfaceKey,
        hints={errno.ENOENT: "the interface is no access point now"} | _INTERFACE,
        doc="Stop an access point.",
    )
    join_mesh = Do(Command.JOIN_MESH, MeshRequest, hints=_NETWORK, doc="Join a mesh, or make one.")
    leave_mesh = Do(
        Command.LEAVE_MESH,
        InterfaceKey,
        hints={errno.ENOTCONN: "the interface is in no mesh"} | _INTERFACE,
        doc="Leave a mesh.",
    )
    get_mesh_config = Do(
        Command.GET_MESH_CONFIG,
        InterfaceKey,
        MeshConfig,
        answer=Command.GET_MESH_CONFIG,
        hints=_INTERFACE,
        doc="How an interface of the type MESH_POINT works.",
    )
    mesh_paths = Dump(
        Command.GET_MPATH,
        InterfaceKey,
        MeshPath,
        answer=Command.NEW_MPATH,
        hints=_INTERFACE,
        doc="The paths of an interface of the type MESH_POINT.",
    )
    remain_on_channel = Do(
        Command.REMAIN_ON_CHANNEL,
        RemainRequest,
        Cookie,
        answer=Command.REMAIN_ON_CHANNEL,
        hints={
            errno.EINVAL: "it needs ifindex=, freq= of a channel that the radio has, and duration= up to "
            "`Wiphy.max_remain_on_channel_duration`",
            errno.EBUSY: "the radio is on another channel, or scanning",
        },
        doc="Be on a channel for a time, and return the number of this request. Events of `LinkEvent` say when it "
        "begins and ends.",
    )
    cancel_remain_on_channel = Do(
        Command.CANCEL_REMAIN_ON_CHANNEL,
        Cookie,
        hints={errno.ENOENT: "the time on the channel is over", errno.EINVAL: "it needs ifindex= and cookie="},
        doc="End a time on a channel.",
    )

    # Rules of countries

    reg_domains = Dump(
        Command.GET_REG,
        None,
        RegDomain,
        answer=Command.GET_REG,
        doc="The regulatory domain of all wiphys, and those that single wiphys have for themselves.",
    )
    get_reg_domain = Do(
        Command.GET_REG,
        RegKey,
        RegDomain,
        answer=Command.GET_REG,
        doc="The regulatory domain of all wiphys, or that which counts for a wiphy.",
    )
    request_reg_domain = Do(
        Command.REQ_SET_REG,
        RegHint,
        hints={
            errno.EINVAL: "it needs alpha2= of two letters",
            errno.ENODATA: "the kernel has no database of countries: install wireless-regdb",
        },
        doc="Tell the kernel the country. It changes nothing yet: an event of `RegChange` says when the rules of that "
        "country count, which need the database wireless-regdb.",
    )

    listen = Listen[
        Wiphy
        | Interface
        | ScanInfo
        | RegChange
        | BeaconHint
        | Station
        | Connection
        | Frame
        | LinkEvent
        | VendorEvent
        | TestEvent
        | NanEvent
    ](
        _KINDS,
        groups=["config", "scan", "regulatory", "mlme"],
        optional=["vendor", "nan", "testmode"],
        doc="All events of the network namespace, of several declarations in their order: wiphys, interfaces, scans, "
        "regulatory domains, stations, connections, frames, and of drivers those that the kernel has groups for.",
    )
    listen_scans = Listen(_SCANS, groups=["scan"], doc="Scans that begin, end and are aborted.")

    @verb
    def wiphys(self: Conn[Deferred]) -> Steps[list[Wiphy]]:
        """All wiphys of the network namespace, each as one record.

        They are read again if they change meanwhile: OpError (EINTR) if that happens every time. What is not declared
        is in `unknown` of the records of `wiphy_messages` alone.
        """
        return (yield from _read(self, None))

    @verb
    def wiphy(self: Conn[Deferred], wiphy: int) -> Steps[Wiphy]:
        """A wiphy, by its number. OSError (ENODEV) if there is none. Other errors are those of `wiphys`."""
        for each in (yield from _read(self, wiphy)):
            if each.wiphy == wiphy:
                return each
        raise OpError("receive", errno.ENODEV, hint=self.hints[errno.ENODEV])

    @overload
    def scan(self: Conn[NetlinkConn], request: ScanRequest, *, timeout: float = ...) -> Batch[Bss]: ...
    @overload
    def scan(self: Conn[AsyncConn], request: ScanRequest, *, timeout: float = ...) -> Awaitable[Batch[Bss]]: ...
    def scan(self: Conn[Any], request: ScanRequest, *, timeout: float = 30.0) -> Any:
        """Scan, wait for the end, and return the networks that this and recent scans found. Over asyncio: awaited.

        Events are listened to before the scan begins, so none is missed. timeout: seconds for the scan.

        ValueError without ifindex and wdev, for a name of more than 32 bytes, and for a channel twice. TimeoutError if
        the scan has not ended; it goes on then. OpError (ECANCELED) if it was aborted. Other errors are those of
        `trigger_scan`: EBUSY if a scan is running, ENETDOWN if the link is down.
        """
        _check_scan(request)
        if isinstance(self.conn, Deferred):
            raise TypeError("scan waits for events, which is no call: use the family itself")
        key = InterfaceKey(ifindex=request.ifindex, wdev=request.wdev)
        scan = self._scan if isinstance(self.conn, NetlinkConn) else self._scan_async
        return scan(request, key, timeout)

    def _scan(self: Conn[Any], request: ScanRequest, key: InterfaceKey, timeout: float) -> Batch[Bss]:
        with self.listen_scans() as events:
            self.trigger_scan(request)
            waiting = _Waiting(request, timeout)
            ended = waiting.ended_at_once(events.read(0))
            while not ended:
                ended = waiting.ended(events.read(waiting.left()))
        found: Batch[Bss] = self.scan_results(key)
        return found

    async def _scan_async(self: Conn[Any], request: ScanRequest, key: InterfaceKey, timeout: float) -> Batch[Bss]:
        async with self.listen_scans() as events:
            await self.trigger_scan(request)
            waiting = _Waiting(request, timeout)
            ended = waiting.ended_at_once(await events.aread(0))
            while not ended:
                ended = waiting.ended(await events.aread(waiting.left()))
        found: Batch[Bss] = await self.scan_results(key)
        return found


def _read(wifi: Conn[Deferred], wiphy: int | None) -> Generator[Call[Any], Any, list[Wiphy]]:
    """Read the wiphys, or one of them, until nothing changes meanwhile."""
    for _ in range(_ATTEMPTS):
        messages: Batch[Wiphy] = yield wifi.wiphy_messages(wiphy=wiphy, split_wiphy_dump=True)
        if not messages.interrupted:
            return _joined(messages)
    raise OpError("receive", errno.EINTR, hint="the wiphys changed each time that they were read")


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to nl80211. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to nl80211 for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
