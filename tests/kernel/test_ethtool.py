"""netlink.generic.ethtool and netlink.generic.netdev on the real kernel, against ethtool, ip, /sys and /proc."""

from __future__ import annotations

import asyncio
import errno
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import netns
from kernel.tools import unprivileged
from netlink import OpError
from netlink import schema as s
from netlink.consts import PolicyType
from netlink.family import Do, Operation
from netlink.generic import ethtool, netdev, nlctrl
from netlink.generic.ethtool import Bitset, Duplex, Event, Header, HeaderFlags, StringSet
from netlink.schema import Record
from pace import SLOWNESS
from unit.test_ethtool import unknown

V0 = Header(dev_name="v0")


def tool(*arguments: str) -> str:
    """What a program prints, in this thread's namespace."""
    if shutil.which(arguments[0]) is None:
        pytest.skip(f"there is no {arguments[0]}")
    run = subprocess.run(arguments, capture_output=True, text=True, timeout=20 * SLOWNESS, check=False)
    if run.returncode:
        pytest.skip(f"{' '.join(arguments)}: {run.stderr.strip()}")
    return run.stdout


@pytest.fixture(autouse=True)
def devices() -> None:
    """A pair of virtual Ethernet devices: v0 with 4 queues of each kind, v1 with 2."""
    tool("ip", "link", "set", "lo", "up")
    queues = ("numrxqueues", "4", "numtxqueues", "4")
    peer = ("numrxqueues", "2", "numtxqueues", "2")
    tool(
        "ip", "link", "add", "v0", "address", "02:00:00:00:00:01", *queues, "type", "veth", "peer", "name", "v1", *peer
    )
    tool("ip", "link", "set", "v0", "up")
    tool("ip", "link", "set", "v1", "up")


@pytest.fixture
def eth(devices: None) -> Iterator[ethtool.Conn]:
    with ethtool.dial() as found:
        try:
            found.get_link_state(header=V0)
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield found


@pytest.fixture
def net(devices: None) -> Iterator[netdev.Conn]:
    with netdev.dial() as found:
        try:
            found.dump_devices()
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield found


@pytest.fixture
def tap(devices: None) -> str:
    """A device whose driver has messages to log, and interrupts to put off."""
    tool("ip", "tuntap", "add", "mode", "tap", "name", "t0")
    return "t0"


def needs(family: str, *commands: int) -> None:
    """Skip the test if the kernel's family does not have these commands."""
    with nlctrl.dial() as ctrl:
        there = {operation.id for operation in ctrl.get_family(family).operations or ()}
    if missing := [repr(command) for command in commands if command not in there]:
        pytest.skip(f"this kernel's {family} has no {', '.join(missing)}")


@pytest.fixture
def channels(eth: ethtool.Conn) -> ethtool.Channels:
    """The channels of v0, which can be changed."""
    try:
        eth.set_channels(header=V0, rx_count=4)
    except OpError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("this kernel's veth has a fixed number of channels")
    return eth.get_channels(header=V0)


def index_of(name: str) -> int:
    return int(json.loads(tool("ip", "-j", "link", "show", name))[0]["ifindex"])


# ethtool against the program ethtool


def test_links_are_those_of_ethtool(eth: ethtool.Conn) -> None:
    (known,) = json.loads(tool("ethtool", "--json", "v0"))
    modes, info, state = eth.get_link_modes(header=V0), eth.get_link_info(header=V0), eth.get_link_state(header=V0)
    assert (modes.speed, modes.duplex) == (known["speed"], Duplex[known["duplex"].upper()])
    assert bool(modes.autoneg) == known["auto-negotiation"]
    assert modes.ours is not None
    assert [*modes.ours.on] == known["advertised-link-modes"]
    assert (info.port, info.phyaddr) == (ethtool.Port.TP, known["phyad"])
    assert known["port"] == "Twisted Pair"
    assert info.transceiver == ethtool.Transceiver[known["transceiver"].upper()]
    assert bool(state.link) == known["link-detected"]
    tool("ip", "link", "set", "v1", "down")
    assert eth.get_link_state(header=V0).link == 0


def test_dumps_are_what_single_requests_say(eth: ethtool.Conn) -> None:
    assert {"v0", "v1"} <= {each.device for each in eth.dump_link_state()}
    for dump, get in ((eth.dump_link_modes, eth.get_link_modes), (eth.dump_features, eth.get_features)):
        found = {each.device: each for each in dump()}
        assert {"v0", "v1"} <= found.keys()
        for name, each in found.items():
            assert get(header=Header(dev_name=name)) == each
    assert eth.get_channels(header=Header(dev_index=index_of("v0"))).device == "v0"


def features_of(name: str) -> Any:
    return json.loads(tool("ethtool", "--json", "-k", name))[0]


def test_features_are_those_of_ethtool(eth: ethtool.Conn) -> None:
    known = features_of("v0")
    found = eth.get_features(header=V0)
    assert found.hw
    assert found.wanted
    assert found.active
    assert found.nochange
    # ethtool has groups and older names of features beside the kernel's.
    names = {*found.hw.on, *found.hw.off} & known.keys()
    assert len(names) > 20
    assert {*found.active.on} & names == {name for name in names if known[name]["active"]}
    assert ({*found.hw.on} - {*found.nochange.on}) & names == {name for name in names if not known[name]["fixed"]}
    assert {*found.wanted.on} & names == {name for name in names if known[name]["requested"]}


def test_compact_bitsets_are_the_same_bits(eth: ethtool.Conn) -> None:
    names = eth.list_strings(StringSet.FEATURES)
    long = eth.get_features(header=V0)
    short = eth.get_features(header=V0.replace(flags=HeaderFlags.COMPACT_BITSETS))
    for part in ("hw", "wanted", "active", "nochange"):
        one, other = getattr(long, part), getattr(short, part)
        assert one.numbers == other.numbers
        assert {*one.on} == {names[number] for number in other.numbers} - {""}


def test_features_change_and_are_told(eth: ethtool.Conn) -> None:
    assert features_of("v0")["tx-tcp-segmentation"]["active"]
    with eth.listen() as events:
        reply = eth.set_features(header=V0, wanted=Bitset.change(off=["tx-tcp-segmentation"]))
        event = next(events)
    assert not features_of("v0")["tx-tcp-segmentation"]["active"]
    assert reply.active
    assert "tx-tcp-segmentation" in reply.active.off
    assert isinstance(event, ethtool.Features)
    assert (event.event, event.device) == (Event.FEATURES, "v0")
    assert event.active
    names = eth.list_strings(StringSet.FEATURES)
    assert "tx-tcp-segmentation" not in [names[number] for number in event.active.numbers]
    with pytest.raises(OpError) as refused:
        eth.set_features(header=V0, wanted=Bitset.change(on=["warp-drive"]))
    assert "bit name not found" in str(refused.value)


def test_channels_are_those_of_ethtool_and_change(eth: ethtool.Conn, channels: ethtool.Channels) -> None:
    def known() -> list[int]:
        text = tool("ethtool", "-l", "v0").partition("Current")[2]
        return [int(re.search(rf"{name}:\s+(\d+)", text)[1]) for name in ("RX", "TX")]  # type: ignore[index]

    assert (channels.rx_max, channels.tx_max) == (4, 4)
    assert [channels.rx_count, channels.tx_count] == known()
    with eth.listen() as events:
        eth.set_channels(header=V0, rx_count=2, tx_count=2)
        event = next(events)
    assert known() == [2, 2]
    assert isinstance(event, ethtool.Channels)
    assert (event.event, event.device, event.rx_count) == (Event.CHANNELS, "v0", 2)
    with pytest.raises(OpError) as refused:
        eth.set_channels(header=V0, rx_count=9)
    assert refused.value.attribute == "rx_count"


def test_timestamps_are_those_of_ethtool(eth: ethtool.Conn) -> None:
    text = tool("ethtool", "-T", "v0")
    found = eth.get_ts_info(header=V0)
    assert found.timestamping
    known = re.findall(r"^\t([a-z-]+)", text.partition("PTP")[0], re.MULTILINE)
    assert [*found.timestamping.on] == known
    assert found.phc_index is None


def test_what_a_driver_logs_is_that_of_ethtool(eth: ethtool.Conn, tap: str) -> None:
    header = Header(dev_name=tap)
    eth.set_debug(header=header, msgmask=Bitset.exactly("drv", "link"))
    assert re.search(r"0x0*5 \(5\)\s+drv link", tool("ethtool", tap))
    found = eth.get_debug(header=header).msgmask
    assert found
    assert {*found.on} == {"drv", "link"}
    eth.set_debug(header=header, msgmask=Bitset.change(on=["probe"], off=["drv"]))
    found = eth.get_debug(header=header).msgmask
    assert found
    assert {*found.on} == {"probe", "link"}


def test_coalescing_is_that_of_ethtool(eth: ethtool.Conn, tap: str) -> None:
    header = Header(dev_name=tap)
    with eth.listen() as events:
        eth.set_coalesce(header=header, rx_max_frames=64)
        event = next(events)
    assert json.loads(tool("ethtool", "--json", "-c", tap)) == [{"ifname": tap, "rx-frames": 64}]
    assert eth.get_coalesce(header=header).rx_max_frames == 64
    assert [each.device for each in eth.dump_coalesce()] == [tap]
    assert isinstance(event, ethtool.Coalesce)
    assert (event.event, event.rx_max_frames) == (Event.COALESCE, 64)


def test_statistics_of_standards(eth: ethtool.Conn) -> None:
    needs("ethtool", ethtool.Command.STATS_GET)
    names = eth.list_strings(StringSet.STATS_STD)
    (known,) = json.loads(tool("ethtool", "--json", "-S", "v0", "--all-groups"))
    found = eth.get_stats(header=V0, groups=Bitset.exactly(*names))
    assert found.device == known["ifname"] == "v0"
    assert {names[each.id or 0]: len(each.values) for each in found.results or ()} == {
        name: len(values) for name, values in known.items() if name != "ifname"
    }
    assert {"v0", "v1"} <= {each.device for each in eth.dump_stats(groups=Bitset.exactly("eth-mac"))}
    with pytest.raises(OpError) as refused:
        eth.dump_stats()
    assert "it needs groups" in refused.value.hint


def test_strings_of_a_driver(eth: ethtool.Conn) -> None:
    known = re.findall(r"^ {5}(\S+):", tool("ethtool", "-S", "v0"), re.MULTILINE)
    assert known
    assert eth.list_strings(StringSet.STATS, "v0") == known
    assert eth.list_strings(StringSet.PRIV_FLAGS, "v0") == []
    needs("ethtool", ethtool.Command.STATS_GET)
    sets = ethtool.StringSetList(sets=[ethtool.StringSetInfo(id=StringSet.STATS_ETH_MAC)])
    counted = eth.get_strings(header=Header(), sets=sets, counts_only=True)
    assert counted.sets
    assert counted.sets.sets
    assert counted.sets.sets[0].count == len(ethtool.EthMACStat)


@pytest.mark.parametrize(
    ("stats", "string_set"),
    [
        (ethtool.EthPHYStat, StringSet.STATS_ETH_PHY),
        (ethtool.EthMACStat, StringSet.STATS_ETH_MAC),
        (ethtool.EthCtrlStat, StringSet.STATS_ETH_CTRL),
        (ethtool.RMONStat, StringSet.STATS_RMON),
        (ethtool.UDPTunnelType, StringSet.UDP_TUNNEL_TYPES),
    ],
)
def test_the_kernel_has_as_many_names(eth: ethtool.Conn, stats: Any, string_set: StringSet) -> None:
    needs("ethtool", ethtool.Command.STATS_GET)
    assert len(eth.list_strings(string_set)) == len(stats)


READS = sorted(name for name in vars(ethtool.Conn) if name.startswith("get_"))


@pytest.mark.parametrize("name", READS)
def test_every_read_answers_or_says_why_not(eth: ethtool.Conn, name: str) -> None:
    """And every dump has the devices whose single request is answered."""
    fields: dict[str, Any] = {}
    if name == "get_stats":
        fields = {"groups": Bitset.exactly("eth-mac")}
    elif name == "get_module_eeprom":
        fields = {"offset": 0, "length": 1, "page": 0, "i2c_address": 0x50}
    answers = {}
    for device in ("v0", "v1"):
        try:
            answers[device] = getattr(eth, name)(header=Header(dev_name=device), **fields)
            assert answers[device].device == device
            assert type(answers[device]).decode(answers[device].encode()) == answers[device]
            assert unknown(answers[device]) == []
        except OpError as error:
            if error.errno != errno.EOPNOTSUPP or not error.hint:
                raise
    try:
        found = {each.device for each in getattr(eth, name.replace("get_", "dump_"))(**fields)}
    except OpError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        found = set()
    assert found >= answers.keys()


@pytest.mark.parametrize("name", sorted(name for name in vars(ethtool.Conn) if name.startswith("set_")))
def test_every_change_reaches_the_kernel(eth: ethtool.Conn, name: str) -> None:
    fields = {"wanted": Bitset.change()} if name == "set_features" else {}
    with pytest.raises(OpError) as refused:
        getattr(eth, name)(header=Header(dev_name="none"), **fields)
    assert (refused.value.errno, refused.value.hint) in [
        (errno.ENODEV, "there is no such device in this network namespace"),
        (errno.EOPNOTSUPP, "the device's driver does not have this, or the kernel is older"),
    ]


def test_actions_that_no_virtual_device_has(eth: ethtool.Conn) -> None:
    for act in (
        lambda: eth.test_cable(header=V0),
        lambda: eth.test_cable_tdr(header=V0, config=ethtool.CableTestTDRConfig(first=100, last=200, step=100)),
        lambda: eth.flash_module(header=V0, file_name="none.bin"),
        lambda: eth.create_rss(header=V0),
        lambda: eth.delete_rss(header=V0, context=1),
    ):
        with pytest.raises(OpError) as refused:
            act()
        assert refused.value.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOENT)


def test_a_request_without_a_device(eth: ethtool.Conn) -> None:
    with pytest.raises(OpError) as refused:
        eth.get_rings()
    assert (refused.value.errno, refused.value.missing) == (errno.EINVAL, 1)


def test_changes_and_some_reads_need_a_capability(eth: ethtool.Conn) -> None:
    def act() -> tuple[int | None, str, bool]:
        with ethtool.dial() as mine:
            modes = mine.get_link_modes(header=V0)
            try:
                mine.set_channels(header=V0, rx_count=1)
            except PermissionError as error:
                return error.errno, getattr(error, "hint", ""), modes.speed is not None
        return None, "", False

    number, hint, read = unprivileged(act)
    assert (number, read) == (errno.EPERM, True)
    assert "CAP_NET_ADMIN" in hint
    needs("ethtool", ethtool.Command.MODULE_EEPROM_GET)
    with nlctrl.dial() as ctrl:
        operations = ctrl.get_family("ethtool").operations or ()
    admin = {op.id for op in operations if op.flags and nlctrl.OperationFlags.UNS_ADMIN_PERM in op.flags}
    reads = {ethtool.Command(op.id or 0) for op in operations if op.flags and nlctrl.OperationFlags.DUMP in op.flags}
    assert reads & admin == {ethtool.Command.WOL_GET, ethtool.Command.MODULE_EEPROM_GET}


def test_asyncio(eth: ethtool.Conn, channels: ethtool.Channels) -> None:
    async def main() -> None:
        async with ethtool.dial_async() as mine:
            assert (await mine.get_link_modes(header=V0)).device == "v0"
            assert await mine.list_strings(StringSet.FEATURES)
            assert {"v0", "v1"} <= {each.device for each in await mine.dump_link_state()}
            async with mine.listen() as events:
                await mine.set_channels(header=V0, rx_count=1)
                assert (await anext(events)).device == "v0"

    asyncio.run(main())


# netdev


def test_devices_are_those_of_ip(net: netdev.Conn) -> None:
    known = {link["ifindex"] for link in json.loads(tool("ip", "-j", "link"))}
    found = {device.ifindex: device for device in net.dump_devices()}
    assert found.keys() == known
    one = net.get_device(ifindex=index_of("v0"))
    assert one == found[one.ifindex]
    assert one.xdp_features is not None
    assert netdev.XDPFeatures.BASIC | netdev.XDPFeatures.REDIRECT in one.xdp_features


def test_queues_are_those_of_the_device(eth: ethtool.Conn, net: netdev.Conn, channels: ethtool.Channels) -> None:
    needs("netdev", netdev.Command.QUEUE_GET)
    index = index_of("v0")
    queues = net.dump_queues(ifindex=index)
    for kind, count in ((netdev.QueueType.RX, channels.rx_count), (netdev.QueueType.TX, channels.tx_count)):
        assert [queue.id for queue in queues if queue.type == kind] == [*range(count or 0)]
    assert {queue.ifindex for queue in queues} == {index}
    assert net.get_queue(ifindex=index, type=netdev.QueueType.TX, id=1) == next(
        queue for queue in queues if (queue.type, queue.id) == (netdev.QueueType.TX, 1)
    )
    assert {index, index_of("v1")} <= {queue.ifindex for queue in net.dump_queues()}
    eth.set_channels(header=V0, rx_count=1, tx_count=1)
    assert len(net.dump_queues(ifindex=index)) == 2
    with pytest.raises(OpError):
        net.get_queue(ifindex=index, type=netdev.QueueType.TX, id=1)


def settable(setting: int | None) -> None:
    """Skip the test if the settings of NAPI cannot be changed here."""
    if setting is None:
        pytest.skip("this kernel has no such settings of NAPI")
    if netns.in_user_namespace():
        pytest.skip("set_napi needs CAP_NET_ADMIN in the initial user namespace")


def test_napi_polls_the_queues(eth: ethtool.Conn, net: netdev.Conn) -> None:
    needs("netdev", netdev.Command.NAPI_GET)
    index = index_of("v0")
    assert not net.dump_napis(ifindex=index)
    eth.set_features(header=V0, wanted=Bitset.change(on=["rx-gro"]))
    napis = net.dump_napis(ifindex=index)
    if not napis:
        pytest.skip("this kernel's veth has no NAPI without XDP")
    assert len(napis) == eth.get_channels(header=V0).rx_count
    assert {napi.ifindex for napi in napis} == {index}
    first = napis[0]
    assert net.get_napi(id=first.id) == first
    settable(first.defer_hard_irqs)
    net.set_napi(id=first.id, defer_hard_irqs=5, gro_flush_timeout=20_000)
    changed = net.get_napi(id=first.id)
    assert (changed.defer_hard_irqs, changed.gro_flush_timeout) == (5, 20_000)
    assert [napi.defer_hard_irqs for napi in net.dump_napis(ifindex=index)].count(5) == 1
    with pytest.raises(OpError) as refused:
        net.set_napi(id=first.id, defer_hard_irqs=1 << 31)
    assert refused.value.attribute == "defer_hard_irqs"


def test_a_thread_of_napi_is_a_process(eth: ethtool.Conn, net: netdev.Conn) -> None:
    needs("netdev", netdev.Command.NAPI_GET)
    index = index_of("v0")
    eth.set_features(header=V0, wanted=Bitset.change(on=["rx-gro"]))
    napis = net.dump_napis(ifindex=index)
    settable(napis[0].threaded if napis else None)
    net.set_napi(id=napis[0].id, threaded=netdev.NAPIThreaded.ENABLED)
    found = net.get_napi(id=napis[0].id)
    assert found.threaded == netdev.NAPIThreaded.ENABLED
    assert Path(f"/proc/{found.pid}/comm").read_text().startswith("napi/v0")


def test_devices_that_come_and_go(net: netdev.Conn) -> None:
    with net.listen() as events:
        tool("ip", "link", "add", "v2", "type", "veth", "peer", "name", "v3")
        index = index_of("v2")
        tool("ip", "link", "delete", "v2")
        seen = []
        while (netdev.Event.DEV_DEL, index) not in seen:
            event = next(events)
            seen.append((event.event, event.ifindex))
    assert (netdev.Event.DEV_ADD, index) in seen


def test_a_resync_of_devices(net: netdev.Conn) -> None:
    with net.listen(on_overrun="resync") as events:
        events.resync()
        seen: list[Any] = [next(events) for _ in range(len(net.dump_devices()) + 2)]
    assert {item.ifindex for item in seen[1:-1]} == {device.ifindex for device in net.dump_devices()}


def test_no_page_pool_and_no_dmabuf(net: netdev.Conn) -> None:
    try:
        assert [*net.dump_page_pools()] == []
    except OpError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("this kernel has no page pools to see")
    with pytest.raises(OpError) as refused:
        net.get_page_pool(id=1 << 31)
    assert refused.value.errno == errno.ENOENT
    with pytest.raises(OpError) as refused:
        net.get_page_pool_stats(info=netdev.PagePoolInfo(id=1 << 31))
    assert refused.value.errno in (errno.EOPNOTSUPP, errno.ENOENT)
    if refused.value.errno == errno.ENOENT:
        assert [*net.dump_page_pool_stats()] == []
    for bind in (net.bind_rx, net.bind_tx):
        queues = [netdev.QueueID(id=0, type=netdev.QueueType.RX)] if bind == net.bind_rx else None
        with pytest.raises(OpError) as refused:
            bind(ifindex=index_of("v0"), fd=0, queues=queues)
        assert refused.value.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)
        if refused.value.errno == errno.EPERM:
            assert "initial user namespace" in refused.value.hint
    with net.listen_page_pools(on_overrun="resync"):
        pass


def test_statistics_of_queues(net: netdev.Conn) -> None:
    try:
        assert [*net.dump_stats()] == [*net.dump_stats(scope=netdev.StatsScope.QUEUE)] == []
    except OpError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("this kernel has no statistics of queues")
    with pytest.raises(OpError) as refused:
        net.dump_stats(ifindex=index_of("v0"))
    assert refused.value.errno == errno.EOPNOTSUPP


def test_asyncio_of_netdev(net: netdev.Conn) -> None:
    async def main() -> None:
        async with netdev.dial_async() as mine:
            assert (await mine.get_device(ifindex=1)).ifindex == 1

    asyncio.run(main())


# Requests are what the kernel takes

KINDS: dict[PolicyType, list[s.Field[Any, Any]]] = {
    PolicyType.FLAG: [s.flag(1)],
    PolicyType.U8: [s.u8(1)],
    PolicyType.U16: [s.u16(1)],
    PolicyType.U32: [s.u32(1)],
    PolicyType.U64: [s.u64(1)],
    PolicyType.S32: [s.s32(1)],
    PolicyType.UINT: [s.uint(1), s.u32(1)],
    PolicyType.NUL_STRING: [s.string(1)],
    PolicyType.STRING: [s.string(1)],
    PolicyType.BINARY: [s.binary(1), s.packed(1, s.u32)],
    PolicyType.NESTED: [s.nested(1, Header), s.nested(1, Header, rare=True), s.repeated(1, Header)],
}


def disagreements(declaration: type[Record], policies: nlctrl.Policies, number: int, path: str) -> Iterator[str]:
    """Attributes that the declaration lacks, and those of another kind."""
    wanted = policies.attributes[number]
    there = {field.types[0][0][-1]: field for field in declaration.__fields__.values() if field.types}
    yield from (f"{path} has no attribute {type_}: {wanted[type_]}" for type_ in wanted.keys() - there.keys())
    for type_, policy in wanted.items():
        if type_ not in there:
            continue
        field = there[type_]
        assert policy.type is not None
        if (field.kind, field.width) not in [(each.kind, each.width) for each in KINDS[PolicyType(policy.type)]]:
            yield f"{path}.{field.name} is {policy.type!r}"
        inner = field.cls or (field.item.cls if field.item else None)
        if policy.nested is not None and inner is not None:
            yield from disagreements(inner, policies, policy.nested, f"{path}.{field.name}")


@pytest.mark.parametrize("module", [ethtool, netdev], ids=["ethtool", "netdev"])
def test_requests_are_what_the_kernel_takes(eth: ethtool.Conn, net: netdev.Conn, module: Any) -> None:
    with nlctrl.dial() as ctrl:
        policies = ctrl.policies(module.Conn.name)
    wrong: list[str] = []
    asked = 0
    for name, operation in vars(module.Conn).items():
        if isinstance(operation, Operation) and operation.request is not None:
            for each in policies.operations:
                number = each.do if isinstance(operation, Do) else each.dump
                if each.operation == operation.command and number is not None:
                    asked += 1
                    wrong += disagreements(operation.request, policies, number, name)
    newer = [one for one in wrong if "has no attribute" in one]
    assert wrong == newer
    assert asked > 8
    if newer:
        pytest.skip(f"this kernel is newer than the package: {newer}")
