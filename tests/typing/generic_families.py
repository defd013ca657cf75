"""What type checkers must know of the families of generic netlink. Checked by mypy and pyright, never run."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address
from typing import Never, assert_type

from netlink import Conn, Overrun, nlmon
from netlink.aio import AsyncConn
from netlink.family import Call
from netlink.generic import (
    devlink,
    drop_monitor,
    ipvs,
    l2tp,
    mptcp_pm,
    nbd,
    nl80211,
    openvswitch,
    quota,
    taskstats,
    tcp_metrics,
    wireguard,
)
from netlink.generic.taskstats import Flags, Stats, TaskStats, Timespec
from netlink.schema import Batch
from netlink.stream import Stream


def statistics() -> None:
    with taskstats.dial(delays=False, netns="blue") as tasks:
        assert_type(tasks, taskstats.Conn[Conn])
        assert_type(tasks.get(pid=1), Stats)
        assert_type(tasks.get(tgid=1), Stats)
        assert_type(tasks.get_many([1, 2]), Batch[Stats])
        assert_type(tasks.calls.get(pid=1), Call[Stats])
        assert_type(tasks.get_answer(pid=1), taskstats.Answer)
        assert_type(tasks.register(begin="0-3"), None)
        tasks.get(1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        stats = tasks.get(pid=1)
    assert_type(stats.blkio_delay_total, int | None)
    assert_type(stats.flags, Flags | None)
    assert_type(stats.comm, str | None)
    assert_type(stats.cpu_delay_max_ts, Timespec | None)


async def statistics_async() -> None:
    async with taskstats.dial_async() as tasks:
        assert_type(tasks, taskstats.Conn[AsyncConn])
        assert_type(await tasks.get(pid=1), Stats)
        assert_type(await tasks.get_many([1]), Batch[Stats])


def ended() -> None:
    assert_type(taskstats.listen(), Stream[TaskStats, Never])
    assert_type(taskstats.listen([0, 1], on_overrun="raise"), Stream[TaskStats, Never])
    assert_type(taskstats.listen("0-3", on_overrun="mark"), Stream[TaskStats, Overrun])
    taskstats.listen(on_overrun="resync")  # type: ignore[call-overload] # pyright: ignore
    for task in taskstats.listen():
        assert_type(task.pid, int | None)
        assert_type(task.task, Stats | None)


def quotas() -> None:
    with quota.dial() as connection:
        assert_type(connection, quota.Conn[Conn])
        assert_type(connection.listen(), Stream[quota.QuotaWarning, Never])
        assert_type(connection.listen(on_overrun="mark"), Stream[quota.QuotaWarning, Overrun])
        for warning in connection.listen():
            assert_type(warning.warning, quota.WarningType | None)
            assert_type(warning.type, quota.QuotaType | None)


def cache() -> None:
    with tcp_metrics.dial() as connection:
        assert_type(connection.get(dst="192.0.2.1"), tcp_metrics.Metrics)
        assert_type(connection.dump(), Batch[tcp_metrics.Metrics])
        assert_type(connection.delete("192.0.2.1", src=IPv6Address("::1")), None)
        assert_type(connection.flush(), None)
        assert_type(connection.calls.delete("192.0.2.1"), Call[None])
        connection.delete()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        for peer in connection.dump():
            assert_type(peer.dst, IPv4Address | IPv6Address | None)
            assert_type(peer.rtt, float | None)


async def cache_async() -> None:
    async with tcp_metrics.dial_async() as connection:
        assert_type(await connection.dump(), Batch[tcp_metrics.Metrics])
        assert_type(await connection.delete("192.0.2.1"), None)


def path_manager() -> None:
    with mptcp_pm.dial() as pm:
        assert_type(pm, mptcp_pm.Conn[Conn])
        assert_type(pm.add(family=2, addr="192.0.2.1", flags=mptcp_pm.AddressFlags.SIGNAL), None)
        assert_type(pm.get(id=1), mptcp_pm.Endpoint)
        assert_type(pm.dump(), Batch[mptcp_pm.Endpoint])
        assert_type(pm.get_limits(), mptcp_pm.Limits)
        assert_type(pm.set_limits(subflows=2), None)
        assert_type(pm.set_flags(local=mptcp_pm.Address(id=1)), None)
        assert_type(pm.create(mptcp_pm.Subflow(token=1)), None)
        assert_type(pm.listen(), Stream[mptcp_pm.Event, Never])
        pm.get(colour=1)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
        for event in pm.listen():
            assert_type(event.event, mptcp_pm.EventType | None)
            assert_type(event.src, IPv4Address | IPv6Address | None)


def tunnels() -> None:
    with wireguard.dial(netns="blue") as wg:
        assert_type(wg, wireguard.Conn[Conn])
        device = wg.get("wg0")
        assert_type(device, wireguard.Device)
        assert_type(wg.get(ifindex=5), wireguard.Device)
        assert_type(wg.get_messages(ifname="wg0"), Batch[wireguard.Device])
        network = wireguard.AllowedIP(ipaddr=IPv6Address("::1"))
        peer = wireguard.Peer(public_key=bytes(32), allowed_ips=["10.0.0.0/8", IPv4Address("10.0.0.1"), network])
        assert_type(wg.set(wireguard.Device(ifname="wg0", private_key="base64", peers=[peer])), None)
        assert_type(wg.calls.set(device.replace(fwmark=1)), Call[None])
        wg.set(ifname="wg0")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        wireguard.Peer(allowed_ips=[5])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    assert_type(device.private_key, str | None)
    for each in device.peers or ():
        assert_type(each, wireguard.Peer)
        assert_type(each.last_handshake, float | None)
        assert_type(each.allowed_ips, tuple[wireguard.AllowedIP, ...] | None)
    assert_type(wireguard.generate_key(), str)


async def tunnels_async() -> None:
    async with wireguard.dial_async() as wg:
        assert_type(await wg.get("wg0"), wireguard.Device)
        assert_type(await wg.set(wireguard.Device(ifname="wg0")), None)


def balancer() -> None:
    web = ipvs.Service(protocol=6, addr="192.0.2.1", port=80, flags=ipvs.ServiceFlags.PERSISTENT)
    with ipvs.dial() as vs:
        assert_type(vs, ipvs.Conn[Conn])
        assert_type(vs.services(), Batch[ipvs.Service])
        assert_type(vs.daemons(), Batch[ipvs.Daemon])
        assert_type(vs.get(web), ipvs.Service)
        assert_type(vs.destinations(web), Batch[ipvs.Destination])
        assert_type(vs.add(web), None)
        assert_type(vs.update(web), None)
        assert_type(vs.calls.add_destination(web, ipvs.Destination(addr="::1", port=1)), Call[None])
        assert_type(vs.timeouts(), ipvs.Timeouts)
        assert_type(vs.set_timeouts(tcp=5), None)
        assert_type(vs.zero(), None)
        assert_type(vs.info().version, int | None)
        vs.add(addr="192.0.2.1")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        ipvs.Service(colour=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        for each in vs.destinations(web):
            assert_type(each.fwd_method, ipvs.ForwardMethod | None)
            assert_type(each.addr, IPv4Address | IPv6Address | None)
            assert_type(each.stats64, ipvs.Stats | None)


async def balancer_async() -> None:
    async with ipvs.dial_async() as vs:
        assert_type(await vs.services(), Batch[ipvs.Service])
        assert_type(await vs.destinations(ipvs.Service(af=2, fwmark=1)), Batch[ipvs.Destination])


def links_over_ip() -> None:
    with l2tp.dial() as l2:
        assert_type(l2, l2tp.Conn[Conn])
        assert_type(l2.tunnels(), Batch[l2tp.Tunnel])
        assert_type(l2.sessions(), Batch[l2tp.Session])
        assert_type(l2.get_tunnel(conn_id=1), l2tp.Tunnel)
        assert_type(l2.get_session(ifname="l2tp0"), l2tp.Session)
        assert_type(l2.create_tunnel(l2tp.Tunnel(conn_id=1, saddr="::1")), None)
        assert_type(l2.calls.create_session(l2tp.Session(cookie=b"1234")), Call[None])
        assert_type(l2.delete_tunnel(conn_id=1), None)
        l2.get_tunnel(ifname="l2tp0")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
        for event in l2.listen():
            assert_type(event, l2tp.Tunnel | l2tp.Session)
            assert_type(event.event, l2tp.Command | None)


async def links_over_ip_async() -> None:
    async with l2tp.dial_async() as l2:
        assert_type(await l2.sessions(), Batch[l2tp.Session])
        assert_type(await l2.create_session(l2tp.Session(conn_id=1)), None)


def dropped_packets() -> None:
    with drop_monitor.dial() as monitor:
        assert_type(monitor.get_config(), drop_monitor.Config)
        assert_type(monitor.get_stats().dropped, int)
        assert_type(monitor.calls.start(hw_drops=True), Call[None])
        monitor.configure(trunc_length=1)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
        for event in monitor.listen():
            assert_type(event, drop_monitor.Packet | drop_monitor.Summary)
    with drop_monitor.listen() as drops:
        assert_type(drops, Stream[drop_monitor.Packet, Never])
    with drop_monitor.listen(on_overrun="mark") as marked:
        assert_type(next(marked), drop_monitor.Packet | Overrun)
    with drop_monitor.listen_summary() as counts:
        assert_type(next(counts).points, tuple[drop_monitor.DropPoint, ...] | None)


async def dropped_packets_async() -> None:
    async with drop_monitor.dial_async() as monitor:
        assert_type(await monitor.get_stats(), drop_monitor.Stats)
        assert_type(await monitor.stop(), None)


def switches() -> None:
    with openvswitch.dial() as ovs, ovs.upcalls(on_overrun="mark") as upcalls:
        assert_type(ovs, openvswitch.Conn[Conn])
        assert_type(ovs.datapaths(), Batch[openvswitch.Datapath])
        assert_type(ovs.add_datapath(openvswitch.Datapath(name="switch")), openvswitch.Datapath)
        assert_type(ovs.calls.add_flow(openvswitch.Flow()), Call[None])
        assert_type(ovs.flows(dp_ifindex=1)[0].actions, tuple[openvswitch.Action, ...] | None)
        assert_type(upcalls.pid, int)
        for upcall in upcalls:
            assert_type(upcall, openvswitch.Packet | Overrun)
        openvswitch.Key(in_prot=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


async def switches_async() -> None:
    async with openvswitch.dial_async() as ovs:
        assert_type(await ovs.add_vport(openvswitch.Vport(dp_ifindex=1, name="eth1")), openvswitch.Vport)


def captured() -> None:
    with nlmon.listen() as tap:
        for datagram in tap:
            assert_type(datagram, nlmon.Datagram)
            assert_type(nlmon.Decoder().decode(datagram), list[nlmon.Seen])
    with nlmon.listen(on_overrun="mark") as marked:
        for either in marked.datagrams(idle=1):
            assert_type(either, nlmon.Datagram | Overrun)
    assert_type(next(nlmon.read("file")), nlmon.Datagram)


def networks_around() -> None:
    with nl80211.dial() as wifi:
        assert_type(wifi, nl80211.Conn[Conn])
        assert_type(wifi.wiphys(), list[nl80211.Wiphy])
        assert_type(wifi.wiphy(0), nl80211.Wiphy)
        assert_type(wifi.wiphy(0).bands, tuple[nl80211.BandInfo, ...] | None)
        assert_type(wifi.interfaces(), Batch[nl80211.Interface])
        assert_type(wifi.new_interface(wiphy=0, iftype=nl80211.IfType.MONITOR), nl80211.Interface)
        request = nl80211.ScanRequest(ifindex=1, ssids=[b""], frequencies=[2412])
        assert_type(wifi.scan(request, timeout=5), Batch[nl80211.Bss])
        assert_type(wifi.trigger_scan(request), None)
        assert_type(wifi.calls.trigger_scan(request), Call[None])
        assert_type(wifi.scan_results(ifindex=1)[0].elements.rsn, nl80211.Rsn | None)
        assert_type(wifi.stations(ifindex=1)[0].tx_bitrate, nl80211.Rate | None)
        assert_type(wifi.connect(ifindex=1, ssid=b"home"), None)
        assert_type(wifi.remain_on_channel(ifindex=1, freq=2412, duration=9), nl80211.Cookie)
        wifi.connect(ssid="home")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
        wifi.calls.scan(request)  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
        for event in wifi.listen_scans():
            assert_type(event, nl80211.ScanInfo)
        for each in wifi.listen(on_overrun="mark"):
            if isinstance(each, nl80211.Connection):
                assert_type(each.status_code, int | None)


async def networks_around_async() -> None:
    async with nl80211.dial_async() as wifi:
        assert_type(await wifi.wiphys(), list[nl80211.Wiphy])
        assert_type(await wifi.scan(nl80211.ScanRequest(ifindex=1)), Batch[nl80211.Bss])


def network_cards() -> None:
    with devlink.dial() as cards:
        assert_type(cards.ports(), Batch[devlink.Port])
        assert_type(cards.info("pci/0000:01:00.0"), devlink.Info)
        assert_type(cards.find_port("eth0"), devlink.Port)
        assert_type(cards.set_param("pci/0000:01:00.0", "enable_roce", False, devlink.ParamMode.DRIVERINIT), None)
        assert_type(cards.get_param("pci/0000:01:00.0", "enable_roce").runtime, int | str | bool | bytes | None)
        assert_type(cards.reload("pci/0000:01:00.0"), devlink.ReloadActions | None)
        assert_type(cards.add_snapshot("pci/0000:01:00.0", "cr-space"), int)
        assert_type(cards.read_region("pci/0000:01:00.0", "cr-space", 1), bytes)
        assert_type(cards.resources("pci/0000:01:00.0"), list[devlink.Resource])
        assert_type(cards.calls.recover("pci/0000:01:00.0", "fw"), Call[None])
        cards.set_rate("pci/0000:01:00.0/1", tx_max=1, parent="")
        cards.set_rate("pci/0000:01:00.0/1", tx_most=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


async def network_cards_async() -> None:
    async with devlink.dial_async() as cards:
        assert_type(await cards.ports(), Batch[devlink.Port])
        assert_type(await cards.read_region("pci/0000:01:00.0", "cr-space", 1), bytes)


def disks() -> None:
    with nbd.dial() as devices, socket.socket() as sock:
        assert_type(devices.connect([sock, 5], 1 << 20, backend="image"), int)
        assert_type(devices.reconfigure(0, sockets=[sock]), None)
        assert_type(devices.devices(), tuple[nbd.Device, ...])
        assert_type(devices.device(0).connected, int | None)
        assert_type(devices.calls.disconnect(index=0), Call[None])
        devices.connect(["sock"], 1)  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
        for event in devices.listen():
            assert_type(event, nbd.Index)


async def disks_async() -> None:
    async with nbd.dial_async() as devices:
        assert_type(await devices.connect([5], 1), int)
        assert_type(await devices.disconnect(index=0), None)
