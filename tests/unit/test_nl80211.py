"""Wi-Fi without a kernel: numbers, records from bytes made otherwise, elements, wiphys of several messages, scans."""

from __future__ import annotations

import asyncio
import copy
import errno
import pickle
import re
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from netlink import OpError
from netlink.family import Listen
from netlink.generic import nl80211
from netlink.generic.nl80211 import (
    AkmSuite,
    Band,
    Bss,
    BssStatus,
    ChannelWidth,
    CipherSuite,
    Command,
    ConnectRequest,
    Elements,
    ExtFeature,
    IfType,
    Interface,
    KeyInfo,
    MeshConfig,
    MonitorFlags,
    NewInterface,
    NewKey,
    RegDomain,
    RegRuleFlags,
    ScanFlags,
    ScanInfo,
    ScanRequest,
    Station,
    StationFlags,
    Survey,
    Wiphy,
    capabilities,
    channel_number,
    enums,
    records,
    requests,
)
from netlink.nltest import serve, serve_async
from netlink.schema import AttributeSet
from probe import c_names, c_values

HEADER = ["linux/nl80211.h"]
# Of these names all are declared. The other objects have what the kernel sends of NL80211_ATTR_*.
WHOLE = re.compile(
    r"NL80211_(CMD|IFTYPE|BAND|CHAN_WIDTH|BSS|STA_INFO|RATE_INFO|SURVEY_INFO|TXQ_STATS|TID_STATS|STA_BSS_PARAM|KEY"
    r"|FREQUENCY_ATTR|BITRATE_ATTR|IFACE_COMB|IFACE_LIMIT|MPATH_INFO|MESHCONF|WMMR|RRF|SCAN_FLAG|FEATURE|EXT_FEATURE"
    r"|PMSR_FTM_CAPA_ATTR|WIPHY_RADIO|MNTR_FLAG|SCHED_SCAN_PLAN|SAR_ATTR|ATTR_CQM|WPA_VERSION|AUTHTYPE)_\w+"
)
NOT_DECLARED = re.compile(
    r".*_(MAX|PAD|INVALID|UNSPEC|UNSPECIFIED)"
    r"|NL80211_RRF_(NO_HT40|NO_IR_ALL)"  # of two bits
    r"|NL80211_KEY_DEFAULT_TYPE\w*|NL80211_BSS_(SELECT|COLOR|SCAN_WIDTH|WIDTH)_\w+"  # of requests that are not declared
)


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def u8(value: int) -> bytes:
    return struct.pack("=B", value)


def u16(value: int) -> bytes:
    return struct.pack("=H", value)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def s32(value: int) -> bytes:
    return struct.pack("=i", value)


def u64(value: int) -> bytes:
    return struct.pack("=Q", value)


# Numbers


def declared(module: ModuleType) -> list[tuple[str, int]]:
    """The UAPI names beside fields and members of enums, and their numbers."""
    assert module.__file__ is not None
    found: list[tuple[str, int]] = []
    scope: Any = None
    field = ""
    for line in Path(module.__file__).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"class (\w+)", line):
            scope = getattr(module, match[1])
        if match := re.match(r"    (\w+)(?:: .*)? = ", line):
            field = match[1]
        if match := re.search(r"  # (_{0,2}NL80211_\w+)", line):
            if issubclass(scope, AttributeSet):
                (path, _), *_ = scope.__fields__[field].types
                found.append((match[1], path[-1]))
            else:
                found.append((match[1], int(scope[field])))
    return found


def test_numbers_are_those_of_the_header() -> None:
    found = [each for module in (enums, capabilities, records, requests) for each in declared(module)]
    wanted = dict(found)
    assert len(wanted) > 700
    assert all(wanted[name] == number for name, number in found)
    known = c_names(HEADER, r"_{0,2}NL80211_\w+")
    names = sorted(known & wanted.keys())
    assert len(names) > 0.6 * len(wanted)
    assert c_values(HEADER, names) == {name: wanted[name] for name in names}
    missing = sorted(n for n in known - wanted.keys() if WHOLE.fullmatch(n) and not NOT_DECLARED.fullmatch(n))
    # Other names of what is declared.
    there = {(kind(name), number) for name, number in wanted.items() if WHOLE.fullmatch(name)}
    assert [name for name, number in c_values(HEADER, missing).items() if (kind(name), number) not in there] == []


def kind(name: str) -> str:
    found = WHOLE.fullmatch(name)
    assert found is not None
    return found[1]


# Records


def test_a_network_of_a_scan() -> None:
    elements = b"\0\4home" + b"\1\4\x82\x84\x0b\x16" + b"\3\1\6"
    bss = attribute(1, bytes.fromhex("020000000100")) + attribute(2, u32(2437)) + attribute(7, s32(-3050))
    bss += attribute(4, u16(100)) + attribute(5, u16(0x11)) + attribute(6, elements) + attribute(9, u32(1))
    bss += attribute(10, u32(40)) + attribute(3, u64(5)) + attribute(15, u64(6)) + attribute(19, attribute(0, b"\xe2"))
    found = Bss.decode(attribute(46, u32(3)) + attribute(3, u32(2)) + attribute(153, u64(1)) + attribute(47, bss))
    assert found == Bss(
        generation=3,
        ifindex=2,
        wdev=1,
        bssid="02:00:00:00:01:00",
        frequency=2437,
        signal_mbm=-3050,
        beacon_interval=100,
        capability=0x11,
        information_elements=elements,
        status=BssStatus.ASSOCIATED,
        seen_ms_ago=40,
        tsf=5,
        last_seen_boottime=6,
        chain_signal=[-30],
    )
    assert found.unknown == ()
    assert (found.ssid, found.signal, found.channel, found.security) == (b"home", -30.5, 6, "WEP")
    assert found.elements.rates == (1.0, 2.0, 5.5, 11.0)
    assert found.elements.basic_rates == (1.0, 2.0)
    nothing = Bss()
    assert (nothing.ssid, nothing.signal, nothing.channel, nothing.security) == (None, None, None, "open")


def test_a_station_and_its_rates() -> None:
    rate = attribute(5, u32(8667)) + attribute(1, u16(8667)) + attribute(6, u8(9)) + attribute(7, u8(2))
    rate += attribute(8, b"") + attribute(4, b"")
    info = attribute(1, u32(20)) + attribute(7, u8(256 - 40)) + attribute(8, rate) + attribute(23, u64(1 << 40))
    info += attribute(17, u32(0xFE) + u32(0x22)) + attribute(25, attribute(0, u8(226)) + attribute(1, u8(225)))
    info += attribute(31, attribute(1, attribute(1, u64(7)) + attribute(6, attribute(10, u32(3)))))
    info += attribute(15, attribute(2, b"") + attribute(4, u8(2)) + attribute(5, u16(100)))
    payload = attribute(3, u32(2)) + attribute(6, bytes.fromhex("020000000100")) + attribute(21, info)
    station = Station.decode(payload)
    assert station.unknown == ()
    assert (station.mac, station.ifindex, station.inactive_time, station.signal) == ("02:00:00:00:01:00", 2, 20, -40)
    assert station.chain_signal == (-30, -31)
    assert station.rx_bytes64 == 1 << 40
    assert station.flags is not None
    assert station.flags.set == StationFlags.AUTHORIZED | StationFlags.AUTHENTICATED
    tx = station.tx_bitrate
    assert tx is not None
    assert (tx.mbit, tx.vht_mcs, tx.vht_nss, tx.width_80, tx.short_gi, tx.he_mcs) == (866.7, 9, 2, True, True, None)
    assert records.Rate(bitrate=540).mbit == 54.0
    assert records.Rate().mbit is None
    (tid,) = station.tid_stats or ()
    assert (tid.tid, tid.rx_msdu, tid.txq_stats and tid.txq_stats.tx_packets) == (1, 7, 3)
    assert station.bss_parameters == records.BssParameters(short_preamble=True, dtim_period=2, beacon_interval=100)
    assert Station.decode(station.encode()) == station


def test_channels_and_rules() -> None:
    survey = Survey.decode(
        attribute(3, u32(2))
        + attribute(
            84, attribute(1, u32(2412)) + attribute(2, u8(256 - 92)) + attribute(3, b"") + attribute(4, u64(64))
        )
    )
    assert survey == Survey(ifindex=2, frequency=2412, noise=-92, in_use=True, time=64)
    rule = attribute(1, u32(1 << 7 | 1 << 11)) + attribute(2, u32(2402000)) + attribute(3, u32(2472000))
    rule += attribute(4, u32(40000)) + attribute(5, u32(600)) + attribute(6, u32(2000)) + attribute(7, u32(0))
    domain = RegDomain.decode(attribute(33, b"DE\0") + attribute(146, u8(2)) + attribute(34, attribute(0, rule)))
    assert (domain.alpha2, domain.dfs_region, domain.wiphy) == ("DE", enums.DfsRegion.ETSI, None)
    (only,) = domain.rules or ()
    assert only.flags == RegRuleFlags.NO_IR | RegRuleFlags.AUTO_BW
    assert (only.freq_range_start, only.freq_range_max_bw, only.max_eirp) == (2402000, 40000, 2000)
    mesh = MeshConfig.decode(attribute(35, attribute(1, u16(100)) + attribute(20, s32(-80))))
    assert (mesh.retry_timeout, mesh.rssi_threshold) == (100, -80)


def test_requests_are_what_the_kernel_reads() -> None:
    scan = ScanRequest(ifindex=2, ssids=[b"", b"home"], frequencies=[2412], flags=ScanFlags.FLUSH)
    wanted = attribute(3, u32(2)) + attribute(158, u32(2))
    wanted += attribute(0x8000 | 45, attribute(1, b"") + attribute(2, b"home"))
    wanted += attribute(0x8000 | 44, attribute(1, u32(2412)))
    assert sorted(split(scan.encode())) == sorted(split(wanted))
    made = NewInterface(
        wiphy=0, ifname="mon0", iftype=IfType.MONITOR, use_4addr=1, monitor_flags=MonitorFlags(control=True)
    )
    assert attribute(0x8000 | 23, attribute(3, b"")) in made.encode()
    assert attribute(83, b"\1") in made.encode()
    connect = ConnectRequest(ssid=b"home", akm_suites=[AkmSuite.PSK], cipher_suites_pairwise=[CipherSuite.CCMP])
    assert attribute(76, u32(0x000FAC02)) in connect.encode()
    assert attribute(73, u32(0x000FAC04)) in connect.encode()


def split(payload: bytes) -> list[bytes]:
    found = []
    while payload:
        (length,) = struct.unpack_from("=H", payload)
        found.append(payload[: length + -length % 4])
        payload = payload[length + -length % 4 :]
    return found


def test_no_secret_is_shown() -> None:
    secret = b"secretsecretsecretsecretsecrets!"
    for record in (
        ConnectRequest(ssid=b"home", pmk=secret),
        ConnectRequest(ssid=b"home", sae_password=secret),
        NewKey(ifindex=1, key=KeyInfo(idx=1, data=secret)),
        nl80211.Key(idx=1, data=secret),
    ):
        assert "secret" not in repr(record)
        assert secret in record.encode()
    assert "b'home'" in repr(ConnectRequest(ssid=b"home", pmk=secret))


# Elements

RSN_PSK_SAE = bytes.fromhex("0100000fac040100000fac040200000fac02000fac088000")
WPA = bytes.fromhex("0050f20101000050f20201000050f20201000050f202")


def element(id_: int, data: bytes) -> bytes:
    return bytes([id_, len(data)]) + data


def test_elements_of_a_network() -> None:
    data = element(0, b"z\xc3\xbcrich") + element(48, RSN_PSK_SAE) + element(7, b"DE ") + element(221, WPA)
    data += element(45, bytes(26)) + element(255, b"\x23" + bytes(20)) + element(221, bytes.fromhex("0050f20410"))
    found = Elements(data)
    assert (found.ssid, found.country, found.has_wps, found.generation) == (b"z\xc3\xbcrich", "DE", True, 6)
    rsn = found.rsn
    assert rsn is not None
    assert (rsn.version, rsn.group, rsn.pairwise) == (1, CipherSuite.CCMP, (CipherSuite.CCMP,))
    assert rsn.akms == (AkmSuite.PSK, AkmSuite.SAE)
    assert (rsn.mfp_capable, rsn.mfp_required, rsn.pmkids, rsn.group_management) == (True, False, (), None)
    assert found.wpa is not None
    assert (found.wpa.pairwise, found.wpa.akms) == ((CipherSuite.WPA_TKIP,), (AkmSuite.WPA_PSK,))
    assert found.security(0x10) == "WPA-PSK/WPA2-PSK/WPA3-SAE"
    assert found.rest == b""
    assert found == copy.copy(found) == pickle.loads(pickle.dumps(found))
    assert repr(found).startswith("<Elements SSID, RSN, COUNTRY, VENDOR")


@pytest.mark.parametrize(
    ("data", "capability", "security"),
    [
        (b"", 0, "open"),
        (b"", 0x10, "WEP"),
        (element(48, b"\1\0"), 0x10, "WPA2-802.1X"),
        (element(48, b""), 0x10, "WPA2-802.1X"),
        (element(48, bytes.fromhex("0100000fac040100000fac040100000fac12")), 0x10, "OWE"),
        (element(48, bytes.fromhex("0100000fac040100000fac040100000fac01")), 0x10, "WPA2-802.1X"),
        (element(48, bytes.fromhex("0100000fac040100000fac040100aabbcc09")), 0x10, "WPA2-?"),
        (element(48, bytes.fromhex("0100000fac04ffff000fac04")), 0x10, "WPA2-802.1X"),
    ],
)
def test_how_a_network_is_protected(data: bytes, capability: int, security: str) -> None:
    assert Elements(data).security(capability) == security


def test_any_bytes_are_elements() -> None:
    whole = element(0, b"home") + element(48, RSN_PSK_SAE) + element(221, WPA) + element(1, b"\x82\xff")
    for end in range(len(whole) + 1):
        found = Elements(whole[:end])
        assert b"".join(element(*each) for each in found) + found.rest == whole[:end]
        _ = found.security(), found.rsn, found.wpa, found.rates, found.channel, found.generation, repr(found)
    assert Elements(whole).rates == (1.0,)
    for size in range(len(RSN_PSK_SAE)):
        assert Elements(element(48, RSN_PSK_SAE[:size])).rsn is not None
    assert Elements(b"\0").rest == b"\0"


def test_numbers_of_channels() -> None:
    wanted = {2412: 1, 2437: 6, 2484: 14, 5180: 36, 5825: 165, 5955: 1, 5935: 2, 58320: 1, 2413: None, 100: None}
    assert {frequency: channel_number(frequency) for frequency in wanted} == wanted


# Wiphys of several messages


def test_messages_about_a_wiphy_are_joined() -> None:
    def channel(number: int, freq: int) -> bytes:
        return attribute(number, attribute(1, u32(freq)))

    head = attribute(1, u32(0)) + attribute(2, b"phy0\0") + attribute(46, u32(1))
    band = attribute(2, attribute(0, attribute(1, u32(10)))) + attribute(4, u16(0x62)) + attribute(8, u32(0x20))
    payloads = [
        head + attribute(43, u8(4)) + attribute(217, b"\x02\x01"),
        head + attribute(22, attribute(0, band)),
        head + attribute(22, attribute(0, attribute(1, channel(0, 2412)))),
        head + attribute(22, attribute(0, attribute(1, channel(1, 2417)))),
        head + attribute(22, attribute(1, attribute(1, channel(0, 5180)))),
        head + attribute(22, attribute(1, attribute(1, b"") + attribute(4, u16(0x02)))),
        head + attribute(50, attribute(1, u32(1)) + attribute(2, u32(6))) + attribute(32, attribute(2, b"")),
        attribute(1, u32(1)) + attribute(2, b"phy1\0"),
    ]
    with serve(nl80211.Conn, {"wiphy_messages": lambda _: [Wiphy.decode(each) for each in payloads]}) as wifi:
        first, second = wifi.wiphys()
        assert wifi.wiphy(1) == second == Wiphy(wiphy=1, wiphy_name="phy1")
        assert wifi.wiphy(0) == first
        with pytest.raises(OSError, match="there is no such wiphy") as info:
            wifi.wiphy(2)
        assert info.value.errno == errno.ENODEV
    assert (first.wiphy_name, first.max_num_scan_ssids) == ("phy0", 4)
    assert first.supported_commands == (Command.GET_WIPHY, Command.SET_INTERFACE)
    assert first.supported_iftypes is not None
    assert first.supported_iftypes.names == ("station",)
    assert [band.band for band in first.bands or ()] == [Band.GHZ_2, Band.GHZ_5]
    assert [each.freq for each in first.frequencies] == [2412, 2417, 5180]
    assert (first.bands or ())[0].ht_capa == enums.HtCapability.MHZ_40 | enums.HtCapability.SHORT_GI_20 | 0x40
    assert first.extended_features == {ExtFeature.RRM, ExtFeature(8)}


def test_wiphys_are_asked_for_in_parts() -> None:
    asked: list[Any] = []

    def messages(request: Any) -> list[Wiphy]:
        asked.append(request)
        return [Wiphy(wiphy=3)]

    with serve(nl80211.Conn, {"wiphy_messages": messages}) as wifi:
        assert (wifi.wiphys(), wifi.wiphy(3)) == ([Wiphy(wiphy=3)], Wiphy(wiphy=3))
    assert [(request.split_wiphy_dump, request.wiphy) for request in asked] == [(True, None), (True, 3)]


# Scans

BEGIN = ScanInfo(ifindex=2, event=Command.TRIGGER_SCAN)
END = ScanInfo(ifindex=2, event=Command.NEW_SCAN_RESULTS)
ABORT = ScanInfo(ifindex=2, event=Command.SCAN_ABORTED)
OTHER = ScanInfo(ifindex=3, event=Command.NEW_SCAN_RESULTS)
FOUND = Bss(ifindex=2, bssid="02:00:00:00:00:01")


def doubles(items: list[ScanInfo], asked: list[Any]) -> dict[str, Any]:
    return {
        "trigger_scan": asked.append,
        "scan_results": lambda request: [FOUND] if request.ifindex == 2 else [],
        "listen_scans": lambda: items,
    }


@pytest.mark.parametrize("items", [[BEGIN, END], [BEGIN, OTHER, END], [ABORT, BEGIN, OTHER, END], [END, BEGIN, END]])
def test_a_scan_waits_for_its_own_end(items: list[ScanInfo]) -> None:
    asked: list[Any] = []
    request = ScanRequest(ifindex=2, ssids=[b""])
    with serve(nl80211.Conn, doubles(items, asked)) as wifi:
        assert [*wifi.scan(request)] == [FOUND]

    async def main() -> list[Bss]:
        async with serve_async(nl80211.Conn, doubles(items, asked)) as wifi:
            return [*await wifi.scan(request)]

    assert asyncio.run(main()) == [FOUND]
    assert asked == [request, request]


def test_a_scan_that_is_aborted() -> None:
    with serve(nl80211.Conn, doubles([END, BEGIN, ABORT], [])) as wifi:
        with pytest.raises(OpError, match="aborted the scan") as info:
            wifi.scan(ScanRequest(ifindex=2))
        assert info.value.errno == errno.ECANCELED


def test_a_scan_by_the_number_of_this_family() -> None:
    items = [ScanInfo(wdev=7, event=Command.TRIGGER_SCAN), ScanInfo(wdev=7, event=Command.NEW_SCAN_RESULTS)]
    with serve(nl80211.Conn, doubles(items, [])) as wifi:
        assert [*wifi.scan(ScanRequest(wdev=7))] == []


def test_scans_that_cannot_be() -> None:
    asked: list[Any] = []
    with serve(nl80211.Conn, doubles([], asked)) as wifi:
        with pytest.raises(ValueError, match="a scan needs ifindex= or wdev="):
            wifi.scan(ScanRequest())
        with pytest.raises(ValueError, match=r"at most 32 bytes, and .* has 33"):
            wifi.scan(ScanRequest(ifindex=2, ssids=[bytes(33)]))
        with pytest.raises(ValueError, match="frequencies has 2412 twice"):
            wifi.scan(ScanRequest(ifindex=2, frequencies=[2412, 2437, 2412]))
        with pytest.raises(TypeError, match="scan takes a ScanRequest, not 2"):
            wifi.scan(2)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
        with pytest.raises(TypeError, match="waits for events, which is no call"):
            wifi.calls.scan(ScanRequest(ifindex=2))  # type: ignore[misc] # pyright: ignore
    assert asked == []


# Events


def test_each_event_has_a_declaration() -> None:
    listen = nl80211.Conn.listen
    kinds = {kind.type: kind for kind in listen.kinds}
    assert len(kinds) == len(listen.kinds)
    assert all(kind.event == command for command, kind in kinds.items())
    assert {kind.type for kind in nl80211.Conn.listen_scans.kinds} < kinds.keys()
    assert kinds[Command.NEW_SCAN_RESULTS].declaration is ScanInfo
    items: list[Any] = [Interface(ifname="wlan0", event=Command.NEW_INTERFACE), BEGIN, END]
    with serve(nl80211.Conn, {"listen": lambda: items}) as wifi, wifi.listen() as events:
        assert [*events] == items


def test_an_interface_with_its_channel() -> None:
    payload = attribute(3, u32(2)) + attribute(4, b"wlan0\0") + attribute(5, u32(2)) + attribute(38, u32(5180))
    payload += attribute(159, u32(3)) + attribute(160, u32(5210)) + attribute(98, u32(2000)) + attribute(83, b"\0")
    found = Interface.decode(payload)
    assert (found.iftype, found.freq, found.channel_width) == (IfType.STATION, 5180, ChannelWidth.MHZ_80)
    assert (found.center_freq1, found.tx_power_level, found.use_4addr) == (5210, 2000, 0)
    assert found.unknown == ()


def test_only_generic_families_have_optional_groups() -> None:
    from netlink.consts import Family as Protocol
    from netlink.family import Family, dial

    class Wrong(Family[Any], protocol=Protocol.ROUTE):
        listen = Listen({16: Interface}, groups=[1], optional=["later"])

    with dial(Wrong) as wrong, pytest.raises(TypeError, match="listen has optional groups, which only generic"):
        wrong.listen()
