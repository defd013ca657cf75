"""What type checkers must know of ethtool and netdev. Checked by mypy and pyright, never run."""

from __future__ import annotations

from enum import IntEnum
from typing import Never, assert_type

from netlink import Conn
from netlink.aio import AsyncConn
from netlink.family import Call
from netlink.generic import ethtool, netdev
from netlink.generic.ethtool import Bitset, DeviceMessage, Header
from netlink.schema import Batch
from netlink.stream import Resync, Stream


def devices() -> None:
    with ethtool.dial(netns="blue") as eth:
        assert_type(eth, ethtool.Conn[Conn])
        eth0 = Header(dev_name="eth0")
        modes = eth.get_link_modes(header=eth0)
        assert_type(modes, ethtool.LinkModes)
        assert_type(modes.speed, int | None)
        assert_type(modes.duplex, ethtool.Duplex | None)
        assert_type(modes.device, str | None)
        assert_type(modes.ours, Bitset | None)
        assert_type(eth.dump_rings(), Batch[ethtool.Rings])
        assert_type(eth.set_rings(header=eth0, rx=512), None)
        changed = eth.set_features(header=eth0, wanted=Bitset.change(on=["rx-gro"], off=["tx-tcp-segmentation"]))
        assert_type(changed, ethtool.Features)
        if changed.active is not None:
            assert_type(changed.active.on, tuple[str, ...])
            assert_type(changed.active.numbers, tuple[int, ...])
        assert_type(eth.get_link_state(header=eth0).substate, IntEnum | int | None)
        assert_type(eth.list_strings(ethtool.StringSet.FEATURES), list[str])
        assert_type(eth.calls.get_rings(header=eth0), Call[ethtool.Rings])
        assert_type(eth.calls.list_strings(4), Call[list[str]])
        assert_type(eth.listen(), Stream[DeviceMessage, Never])
        for change in eth.listen():
            if isinstance(change, ethtool.Rings):
                assert_type(change.rx, int | None)
        for stats in eth.dump_stats(groups=Bitset.exactly("eth-mac")):
            for group in stats.results or ():
                assert_type(group.values, dict[int, int])
        eth.get_rings(colour=1)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]


async def devices_async() -> None:
    async with ethtool.dial_async() as eth:
        assert_type(eth, ethtool.Conn[AsyncConn])
        assert_type(await eth.get_channels(header=Header(dev_index=2)), ethtool.Channels)
        assert_type(await eth.list_strings(4, "eth0"), list[str])


def queues() -> None:
    with netdev.dial() as net:
        assert_type(net, netdev.Conn[Conn])
        assert_type(net.get_device(ifindex=1), netdev.Device)
        assert_type(net.dump_queues(ifindex=1), Batch[netdev.Queue])
        assert_type(net.set_napi(id=5, gro_flush_timeout=20_000), None)
        assert_type(net.listen(on_overrun="resync"), Stream[netdev.Device, Resync])
        assert_type(net.listen_page_pools(), Stream[netdev.PagePool, Never])
        queue = netdev.QueueID(id=0, type=netdev.QueueType.RX)
        assert_type(net.bind_rx(ifindex=1, fd=3, queues=[queue]).id, int | None)


async def queues_async() -> None:
    async with netdev.dial_async() as net:
        assert_type(await net.dump_napis(), Batch[netdev.NAPI])
