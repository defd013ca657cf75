"""Wi-Fi on the real kernel, with radios of mac80211_hwsim: what `iw` shows, scans that find the other radio, events."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import netns as netns_
from kernel.tools import Worker, eventually, run, soon, unprivileged
from netlink import Conn, OpError, route
from netlink.family import Listen
from netlink.generic import nl80211
from netlink.generic.genetlink import Command as Control
from netlink.generic.genetlink import Family, FamilyInfo
from netlink.generic.nl80211 import (
    ApSettings,
    AuthType,
    Bss,
    ChannelWidth,
    CipherSuite,
    Command,
    Connection,
    IbssRequest,
    IfType,
    Interface,
    KeyInfo,
    LinkEvent,
    MonitorFlags,
    PowerSave,
    ScanFlags,
    ScanInfo,
    ScanRequest,
    Station,
    StationFlags,
    StationFlagUpdate,
    TxPowerSetting,
    Wiphy,
)
from netlink.stream import Kind
from pace import SLOWNESS

EXAMPLE = Path(__file__).parents[2] / "examples/wifi_scan.py"
FREQ = 2437
TYPES = {IfType.STATION: "managed", IfType.ADHOC: "IBSS", IfType.AP: "AP", IfType.MONITOR: "monitor"}


def modprobe(*arguments: str) -> bool:
    return subprocess.run(["modprobe", *arguments], capture_output=True, check=False).returncode == 0


@dataclass
class Radios:
    """Two radios in a network namespace of their own: one that scans, and one to be found."""

    wifi: nl80211.Conn[Conn]
    rt: route.Conn[Conn]
    first: Interface
    second: Interface

    def up(self, interface: Interface, iftype: IfType) -> int:
        """The number of its link, which is up, and of that type."""
        assert interface.ifname is not None
        self.rt.down(interface.ifname)
        self.wifi.set_interface(ifindex=interface.ifindex, iftype=iftype)
        self.rt.up(interface.ifname)
        assert interface.ifindex is not None
        return interface.ifindex

    def start_ap(self, ssid: bytes = b"openap", freq: int = FREQ, elements: bytes = b"", privacy: bool = False) -> int:
        """Make an access point of the second radio."""
        index = self.up(self.second, IfType.AP)
        self.wifi.start_ap(access_point(self.second, index, ssid, freq, elements, privacy))
        return index


def access_point(
    interface: Interface, index: int, ssid: bytes, freq: int, elements: bytes, privacy: bool
) -> ApSettings:
    address = bytes.fromhex((interface.mac or "").replace(":", ""))
    head = bytes.fromhex("80000000") + b"\xff" * 6 + address + address + b"\0\0"  # of the frame
    head += bytes(8) + (100).to_bytes(2, "little") + (0x11 if privacy else 0x01).to_bytes(2, "little")
    head += bytes([0, len(ssid)]) + ssid + b"\1\x08\x82\x84\x8b\x96\x0c\x12\x18\x24" + b"\3\1\x06"
    return ApSettings(
        ifindex=index,
        ssid=ssid,
        freq=freq,
        channel_width=ChannelWidth.MHZ_20_NOHT,
        beacon_interval=100,
        dtim_period=2,
        beacon_head=head,
        beacon_tail=elements,
        auth_type=AuthType.OPEN_SYSTEM,
    )


def bring_radios() -> None:
    """Move two new radios into the calling thread's network namespace."""
    if os.environ.get("NETLINK_TEST_MODULES") != "1" or not shutil.which("modprobe"):
        pytest.skip("no module may be loaded here: NETLINK_TEST_MODULES=1 allows it, for a guest")
    remove_radios()
    if not modprobe("mac80211_hwsim", "radios=2"):
        pytest.skip("this kernel has no mac80211_hwsim")
    with nl80211.dial(netns="/proc/1/ns/net") as wifi, open("/proc/thread-self/ns/net") as here:
        eventually(lambda: len(wifi.interfaces()) == 2, "there are two radios")
        for each in wifi.wiphys():
            wifi.set_wiphy_netns(wiphy=each.wiphy, netns_fd=here.fileno())


def remove_radios() -> None:
    eventually(lambda: modprobe("-r", "mac80211_hwsim"), "removed: mac80211_hwsim", 20)


@contextlib.contextmanager
def opened_radios() -> Iterator[Radios]:
    with nl80211.dial() as wifi, route.dial() as rt:
        first, second = sorted(wifi.interfaces(), key=lambda each: each.wiphy or 0)
        yield Radios(wifi, rt, first, second)


@pytest.fixture
def radios(netns: netns_.Namespace) -> Iterator[Radios]:
    bring_radios()
    try:
        with opened_radios() as radios:
            yield radios
    finally:
        remove_radios()


def network_nearby() -> None:
    """An access point of one radio, for wlan0, the other one."""
    bring_radios()
    with opened_radios() as radios:
        assert radios.first.ifname == "wlan0"
        radios.start_ap()


def iw(*arguments: str) -> str:
    return run("iw", *arguments)


def known(record: Any) -> bool:
    """Whether a record has nothing that is not declared, nor has one in it."""
    if record.unknown:
        raise AssertionError(f"{type(record).__name__}: {record.unknown}")
    for name in type(record).__fields__:
        value = getattr(record, name)
        for each in value if isinstance(value, tuple) else (value,):
            if hasattr(each, "__fields__"):
                known(each)
    return True


def until(events: Any, wanted: Callable[[Any], bool]) -> Any:
    """The first event that is wanted."""
    end = soon(60)
    while True:
        for event in events.read(1):
            assert known(event)
            if wanted(event):
                return event
        assert soon(0) < end, "the event did not come"


def test_a_kernel_without_it_says_what_to_do(netns: netns_.Namespace) -> None:
    said = ""
    with nl80211.dial() as wifi:
        try:
            wifi.features()
        except FileNotFoundError as error:
            said = str(error)
        else:
            pytest.skip("this kernel has Wi-Fi")
    assert "CONFIG_CFG80211: `modprobe cfg80211` loads its module" in said


def test_a_group_that_the_kernel_lacks_may_be_optional(netns: netns_.Namespace) -> None:
    kinds = [Kind(Control.NEWFAMILY, FamilyInfo, Control.NEWFAMILY)]

    class Controller(Family[Any], name="nlctrl", id=16):
        required = Listen(kinds, groups=["notify", "nosuch"])
        possible = Listen(kinds, groups=["notify"], optional=["nosuch"])

    from netlink.family import dial

    with dial(Controller) as controller:
        with pytest.raises(FileNotFoundError, match="no multicast group 'nosuch'; it has notify"):
            controller.required()
        with controller.possible() as events:
            assert len(events.read(0)) == 0


def test_wiphys_are_as_iw_shows_them(radios: Radios) -> None:
    wifi = radios.wifi
    messages = wifi.wiphy_messages(split_wiphy_dump=True)
    assert len(messages) > 20  # in many parts
    assert all(known(message) for message in messages)
    for wiphy in wifi.wiphys():
        again = wifi.wiphy(wiphy.wiphy or 0)
        different = {name for name in Wiphy.__fields__ if getattr(again, name) != getattr(wiphy, name)}
        assert different <= {"bands", "txq_stats"}  # for how long a channel was not used, and counters
        assert [each.freq for each in again.frequencies] == [each.freq for each in wiphy.frequencies]
        assert wiphy.wiphy_name is not None
        text = iw(f"phy#{wiphy.wiphy}", "info")
        shown = re.findall(r"\* (\d+)(?:\.(\d))? MHz \[\d+\] \((disabled|[\d.]+ dBm)", text)
        ours = [
            (each.freq, "disabled" if each.disabled else f"{(each.max_tx_power or 0) / 100:.1f} dBm")
            for each in wiphy.frequencies
        ]
        assert len(ours) > 30
        assert {(int(freq), power) for freq, _, power in shown} <= {*ours}
        assert len({freq for freq, *_ in shown}) > 30
        modes = re.search(r"Supported interface modes:\n((?:\t\t \* .*\n)+)", text)
        assert modes is not None
        assert wiphy.supported_iftypes is not None
        assert len(wiphy.supported_iftypes.names) == modes[1].count("*")
        ciphers = re.search(r"Supported Ciphers:\n((?:\t\t\* .*\n)+)", text)
        assert ciphers is not None
        assert len(wiphy.cipher_suites or ()) == ciphers[1].count("*")
        assert wiphy.max_num_scan_ssids == int(re.findall(r"max # scan SSIDs: (\d+)", text)[0])
        assert len(wiphy.interface_combinations or ()) >= 1
        assert Command.START_AP in (wiphy.supported_commands or ())
    features = wifi.features().protocol_features
    assert features is not None
    assert nl80211.ProtocolFeatures.SPLIT_WIPHY_DUMP in features
    with pytest.raises(OSError, match="there is no such wiphy") as info:
        wifi.wiphy(4000)
    assert info.value.errno == errno.ENODEV


def test_interfaces_are_as_iw_shows_them(radios: Radios) -> None:
    wifi, index = radios.wifi, radios.first.ifindex
    made = wifi.new_interface(
        wiphy=radios.first.wiphy, ifname="mon0", iftype=IfType.MONITOR, monitor_flags=MonitorFlags(control=True)
    )
    assert (made.ifname, made.iftype) == ("mon0", IfType.MONITOR)
    radios.rt.up("mon0")
    wifi.set_channel(ifindex=made.ifindex, freq=2462, channel_width=ChannelWidth.MHZ_20)
    wifi.set_wiphy(wiphy=radios.first.wiphy, wiphy_name="radio0", rts_threshold=1000)
    wiphy = wifi.wiphy(radios.first.wiphy or 0)
    assert (wiphy.wiphy_name, wiphy.rts_threshold) == ("radio0", 1000)
    there = wifi.interfaces()
    assert len(there) == 3
    assert {each.ifname for each in wifi.interfaces(wiphy=radios.first.wiphy)} == {"mon0", radios.first.ifname}
    for each in there:
        assert known(each)
        assert each.ifname is not None
        text = iw("dev", each.ifname, "info")
        assert f"ifindex {each.ifindex}\n" in text
        assert f"wdev 0x{each.wdev:x}\n" in text
        assert f"addr {each.mac}\n" in text
        assert f"type {TYPES[IfType(each.iftype or 0)]}\n" in text
        assert (f"channel 11 ({each.freq} MHz)" in text) == (each.ifname == "mon0")
        assert wifi.get_interface(ifindex=each.ifindex).mac == each.mac
    with pytest.raises(OpError, match="a link has that ifname"):
        wifi.new_interface(wiphy=radios.first.wiphy, ifname="mon0", iftype=IfType.MONITOR)
    wifi.del_interface(ifindex=made.ifindex)
    assert len(wifi.interfaces()) == 2
    radios.up(radios.first, IfType.STATION)
    wifi.set_power_save(ifindex=index, ps_state=PowerSave.ENABLED)
    assert wifi.get_power_save(ifindex=index).ps_state == PowerSave.ENABLED
    assert "Power save: on" in iw("dev", radios.first.ifname or "", "get", "power_save")
    wifi.set_wiphy(ifindex=index, tx_power_setting=TxPowerSetting.FIXED, tx_power_level=1000)
    for wrong in (1, 4000):
        with pytest.raises(OpError, match="no such wiphy or Wi-Fi interface") as info:
            wifi.get_interface(ifindex=wrong)
        assert info.value.errno == errno.ENODEV


def test_a_scan_finds_the_other_radio(radios: Radios) -> None:
    wifi, index = radios.wifi, radios.first.ifindex
    with pytest.raises(OpError, match="the interface is down: set its link up first") as info:
        wifi.scan(ScanRequest(ifindex=index))
    assert info.value.errno == errno.ENETDOWN
    radios.up(radios.first, IfType.STATION)
    rsn = bytes.fromhex("30140100000fac040100000fac040100000fac020000")
    radios.start_ap(elements=rsn, privacy=True)
    active = ScanRequest(ifindex=index, ssids=[b"openap"], frequencies=[2412, FREQ])
    passive = ScanRequest(ifindex=index, frequencies=[FREQ], flags=ScanFlags.FLUSH)

    def found(networks: Any) -> Bss:
        (network,) = networks
        assert known(network)
        return network  # type: ignore[no-any-return]

    network = found(wifi.scan(passive))
    assert (network.ssid, network.frequency, network.channel) == (b"openap", FREQ, 6)
    assert (network.bssid, network.ifindex, network.security) == (radios.second.mac, index, "WPA2-PSK")
    assert network.elements.rates == (1.0, 2.0, 5.5, 11.0, 6.0, 9.0, 12.0, 18.0)
    assert network.status is None
    text = iw("dev", radios.first.ifname or "", "scan", "dump")
    assert f"BSS {network.bssid}" in text
    assert f"signal: {network.signal:.2f} dBm" in text
    assert "SSID: openap\n" in text
    assert "Authentication suites: PSK" in text

    async def main() -> Bss:
        async with nl80211.dial_async() as own:
            return found(await own.scan(active, timeout=20 * SLOWNESS))

    assert asyncio.run(main()).ssid == b"openap"
    with pytest.raises(TimeoutError, match="has not ended within 0 seconds"):
        wifi.scan(ScanRequest(ifindex=index), timeout=0)
    with pytest.raises(OpError, match="a scan is running") as info:
        wifi.trigger_scan(ifindex=index)
    assert info.value.errno == errno.EBUSY
    wifi.abort_scan(ifindex=index)


def test_a_scan_that_another_program_aborts(radios: Radios) -> None:
    index = radios.up(radios.first, IfType.STATION)

    def scan() -> tuple[int | None, str]:
        with nl80211.dial() as own, pytest.raises(OpError) as info:
            own.scan(ScanRequest(ifindex=index))
        return info.value.errno, str(info.value)

    with radios.wifi.listen_scans() as events:
        worker = Worker(scan)
        until(events, lambda event: event.event == Command.TRIGGER_SCAN)
        radios.wifi.abort_scan(ifindex=index)
        number, said = worker.result()
        assert number == errno.ECANCELED
        assert "aborted the scan" in said
        with pytest.raises(FileNotFoundError, match="no scan is running"):
            radios.wifi.abort_scan(ifindex=index)


def test_stations_keys_and_channels(radios: Radios) -> None:
    wifi = radios.wifi
    index = radios.start_ap()
    client = "02:00:00:00:09:00"
    both = StationFlags.AUTHENTICATED | StationFlags.ASSOCIATED
    with wifi.listen() as events:
        wifi.new_station(
            ifindex=index,
            mac=client,
            aid=1,
            listen_interval=1,
            supported_rates=b"\x82\x84",
            flags=StationFlagUpdate(mask=both, set=both),
        )
        event = until(events, lambda event: event.event == Command.NEW_STATION)
        assert isinstance(event, Station)
        assert event.mac == client
        authorized = StationFlagUpdate(mask=StationFlags.AUTHORIZED, set=StationFlags.AUTHORIZED)
        wifi.set_station(ifindex=index, mac=client, flags=authorized)
        (station,) = wifi.stations(ifindex=index)
        assert known(station)
        assert station.flags is not None
        assert station.flags.set == both | StationFlags.AUTHORIZED
        text = iw("dev", radios.second.ifname or "", "station", "dump")
        assert f"Station {client} (on {radios.second.ifname})" in text
        assert re.search(r"authorized:\s+yes", text)
        assert re.search(rf"rx bytes:\s+{station.rx_bytes}\n", text)
        assert wifi.get_station(ifindex=index, mac=client).mac == client
        wifi.del_station(ifindex=index, mac=client)
        gone = until(events, lambda event: event.event == Command.DEL_STATION)
        assert gone.mac == client
    for wrong in (wifi.get_station, wifi.del_station):
        with pytest.raises(FileNotFoundError, match="the interface has no such station"):
            wrong(ifindex=index, mac=client)
    wifi.new_key(ifindex=index, key=KeyInfo(idx=1, cipher=CipherSuite.CCMP, data=bytes(16)))
    key = wifi.get_key(ifindex=index, idx=1)
    assert known(key)
    assert (key.cipher, key.seq) == (CipherSuite.CCMP, bytes(6))
    wifi.del_key(ifindex=index, idx=1)
    scanner = radios.up(radios.first, IfType.STATION)
    wifi.scan(ScanRequest(ifindex=scanner, frequencies=[FREQ]))
    surveys = wifi.survey(ifindex=scanner)
    assert all(known(survey) for survey in surveys)
    shown = re.findall(
        r"frequency:\s+(\d+) MHz.*?\n(?:\tnoise|\s+noise):\s+(-?\d+) dBm", iw("dev", "wlan0", "survey", "dump")
    )
    assert {(int(freq), int(noise)) for freq, noise in shown} <= {(s.frequency, s.noise) for s in surveys}
    assert FREQ in {survey.frequency for survey in surveys}
    wifi.stop_ap(ifindex=index)
    with pytest.raises(FileNotFoundError, match="no access point now"):
        wifi.stop_ap(ifindex=index)


def test_networks_are_joined_and_left(radios: Radios) -> None:
    wifi = radios.wifi
    index = radios.up(radios.first, IfType.STATION)
    with wifi.listen() as events:
        radios.start_ap()
        wifi.connect(ifindex=index, ssid=b"openap", freq=FREQ)
        # Nobody answers there: hostapd would.
        event = until(events, lambda event: event.event == Command.CONNECT)
        assert isinstance(event, Connection)
        # The scan before it may have missed the beacon.
        assert event.timed_out
        assert event.timeout_reason in (nl80211.TimeoutReason.AUTH, nl80211.TimeoutReason.UNSPECIFIED)
        wifi.disconnect(ifindex=index)
        cookie = wifi.remain_on_channel(ifindex=index, freq=2412, duration=50)
        over = until(events, lambda event: event.event == Command.CANCEL_REMAIN_ON_CHANNEL)
        assert isinstance(over, LinkEvent)
        assert (over.cookie, over.freq) == (cookie.cookie, 2412)
        with pytest.raises(OpError) as info:
            wifi.join_ibss(ifindex=index, ssid=b"nobody", freq=2412)
        assert info.value.errno == errno.EOPNOTSUPP
        assert "`set_interface` changes" in str(info.value)
        other = radios.up(radios.second, IfType.ADHOC)
        wifi.join_ibss(IbssRequest(ifindex=other, ssid=b"adhoc", freq=FREQ, freq_fixed=True))
        joined = until(events, lambda event: event.event == Command.JOIN_IBSS)
        assert joined.ifindex == other
    (network,) = wifi.scan(ScanRequest(ifindex=index, frequencies=[FREQ], flags=ScanFlags.FLUSH))
    assert (network.ssid, network.bssid) == (b"adhoc", joined.mac)
    (own,) = [each for each in wifi.interfaces() if each.ifindex == other]
    assert (own.ssid, own.iftype) == (b"adhoc", IfType.ADHOC)
    wifi.leave_ibss(ifindex=other)
    with pytest.raises(OpError, match="the interface is in no such network"):
        wifi.leave_ibss(ifindex=other)
    mesh = radios.up(radios.second, IfType.MESH_POINT)
    wifi.join_mesh(ifindex=mesh, mesh_id=b"mesh", freq=FREQ)
    config = wifi.get_mesh_config(ifindex=mesh)
    assert (config.ttl, config.forwarding) == (31, 1)
    assert [type_ for type_, _ in config.unknown] == [3]
    assert "mesh_ttl = 31" in iw("dev", radios.second.ifname or "", "mesh_param", "dump")
    assert list(wifi.mesh_paths(ifindex=mesh)) == []
    wifi.leave_mesh(ifindex=mesh)


@contextlib.contextmanager
def hostapd(radios: Radios, path: Path) -> Iterator[int]:
    """The link of the second radio, an open access point that answers stations."""
    if not shutil.which("hostapd"):
        pytest.skip("hostapd is not installed")
    index = radios.up(radios.second, IfType.AP)
    path.write_text(f"interface={radios.second.ifname}\nssid=openap\nhw_mode=g\nchannel=6\n")
    with subprocess.Popen(["hostapd", str(path)], stdout=subprocess.PIPE, text=True) as daemon:
        try:
            assert daemon.stdout is not None
            assert any("AP-ENABLED" in line for line in daemon.stdout)
            yield index
        finally:
            daemon.terminate()


def test_a_connection_is_made_watched_and_ended(radios: Radios, tmp_path: Path) -> None:
    wifi = radios.wifi
    index = radios.up(radios.first, IfType.STATION)
    with hostapd(radios, tmp_path / "hostapd.conf") as other, wifi.listen() as events:
        wifi.connect(ifindex=index, ssid=b"openap", freq=FREQ)
        event = until(events, lambda event: event.event == Command.CONNECT)
        assert isinstance(event, Connection)
        assert (event.status_code, event.mac, event.timed_out) == (0, radios.second.mac, None)
        (own,) = [each for each in wifi.interfaces() if each.ifindex == index]
        assert (own.ssid, own.freq) == (b"openap", FREQ)
        shown = iw("dev", radios.first.ifname or "", "link")
        assert f"Connected to {radios.second.mac}" in shown
        assert "SSID: openap" in shown
        (network,) = wifi.stations(ifindex=index)
        (client,) = wifi.stations(ifindex=other)
        assert (network.mac, client.mac) == (radios.second.mac, radios.first.mac)
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as raw:
            for _ in range(20):
                raw.sendto(bytes(500), (radios.first.ifname or "", 0x88B5, 0, 0, b"\xff" * 6))

        def received() -> bool:
            (now,) = wifi.stations(ifindex=other)
            return (now.rx_bytes64 or 0) >= (client.rx_bytes64 or 0) + 20 * 500

        eventually(received, "the access point counts what the station sent")
        (network,) = wifi.stations(ifindex=index)
        assert network.signal is not None
        assert network.signal < 0
        assert network.tx_bitrate is not None
        assert network.tx_bitrate.mbit
        assert network.connected_time is not None
        assert network.flags is not None
        assert StationFlags.ASSOCIATED in network.flags.set
        dump = iw("dev", radios.first.ifname or "", "station", "dump")
        assert f"Station {network.mac}" in dump
        assert f"tx bytes:\t{network.tx_bytes}" in dump
        wifi.set_cqm(ifindex=index, rssi_thold=-10, rssi_hyst=2)
        event = until(events, lambda event: event.event == Command.NOTIFY_CQM)
        assert isinstance(event, LinkEvent)
        assert event.cqm is not None
        assert event.cqm.rssi_event == nl80211.RssiEvent.LOW
        assert (event.cqm.rssi_level or 0) < -10
        wifi.disconnect(ifindex=index)
        event = until(events, lambda event: event.event == Command.DISCONNECT)
        assert isinstance(event, Connection)
        assert not event.disconnected_by_ap
        assert list(wifi.stations(ifindex=index)) == []
        with pytest.raises(OpError, match="the interface is no station"):
            wifi.set_cqm(ifindex=other, rssi_thold=-10, rssi_hyst=2)


def test_rules_of_countries(radios: Radios) -> None:
    wifi = radios.wifi
    domains = wifi.reg_domains()
    assert all(known(domain) for domain in domains)
    text = iw("reg", "get")
    assert re.findall(r"country (\w\w):", text) == [domain.alpha2 for domain in domains]
    rules = [rule for domain in domains for rule in domain.rules or ()]
    assert [(int(low), int(high)) for low, high in re.findall(r"\((\d+) - (\d+) @", text)] == [
        ((rule.freq_range_start or 0) // 1000, (rule.freq_range_end or 0) // 1000) for rule in rules
    ]
    assert wifi.get_reg_domain() == domains[0]
    with pytest.raises(OpError, match="alpha2= of two letters"):
        wifi.request_reg_domain(alpha2="G")
    wifi.request_reg_domain(alpha2="00")  # guests have no database of other countries


def test_a_radio_moves_to_another_namespace(radios: Radios) -> None:
    with netns_.another() as far, radios.wifi.listen() as events:
        radios.wifi.set_wiphy_netns(wiphy=radios.second.wiphy, netns_fd=far.fd)
        gone = until(events, lambda event: event.event == Command.DEL_WIPHY)
        assert isinstance(gone, Wiphy)
        assert gone.wiphy == radios.second.wiphy
        assert [each.wiphy for each in radios.wifi.interfaces()] == [radios.first.wiphy]
        with nl80211.dial(netns=far.fd) as wifi:
            assert [each.wiphy for each in wifi.interfaces()] == [radios.second.wiphy]


def test_events_for_asyncio_and_without_privileges(radios: Radios) -> None:
    index = radios.up(radios.first, IfType.STATION)

    async def main() -> list[Any]:
        found: list[Any] = []
        async with nl80211.dial_async() as wifi, wifi.listen() as events:
            assert [type(each) for each in await wifi.wiphys()] == [Wiphy, Wiphy]
            await wifi.trigger_scan(ifindex=index, frequencies=[2412])
            async for event in events:
                found.append(event)
                if event.event == Command.NEW_SCAN_RESULTS:
                    break
        return found

    events = asyncio.run(asyncio.wait_for(main(), 30 * SLOWNESS))
    assert [event.event for event in events] == [Command.TRIGGER_SCAN, Command.NEW_SCAN_RESULTS]
    assert all(isinstance(event, ScanInfo) and event.frequencies == (2412,) for event in events)

    def refused() -> str:
        with nl80211.dial() as wifi:
            assert len(wifi.interfaces()) == 2
            try:
                wifi.scan(ScanRequest(ifindex=index))
            except PermissionError as error:
                return str(error)
        return ""

    assert "it needs CAP_NET_ADMIN in the user namespace of the radio's" in unprivileged(refused)


def test_the_example_shows_the_other_radio(radios: Radios) -> None:
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    radios.up(radios.first, IfType.STATION)
    radios.start_ap()
    command = [sys.executable, "-X", "dev", "-W", "error", str(EXAMPLE), "--passive", "--channel", str(FREQ)]
    done = subprocess.run([*command, radios.first.ifname or ""], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    _, line = done.stdout.splitlines()
    assert line.split() == ["-30", "dBm", "6", "-", "open", radios.second.mac, "openap"]
    done = subprocess.run([*command, "nosuch0"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "wifi_scan.py: there is no Wi-Fi interface nosuch0\n"
