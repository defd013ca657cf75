"""netlink.generic.ethtool and netlink.generic.netdev without a kernel: numbers, bitsets, rare messages."""

from __future__ import annotations

import asyncio
import errno
import inspect
import re
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import recorded
from netlink import DecodeError, OpError, nltest
from netlink.family import Deferred, Operation
from netlink.generic import ethtool, netdev
from netlink.generic.ethtool import Bitset, Event, Header, HeaderFlags, LinkExtState, PSEExtState, StringSet, records
from netlink.schema import Record
from probe import c_names, c_values

NESTED = 0x8000
HEADERS = {
    records: ["linux/ethtool.h", "linux/ethtool_netlink.h", "linux/net_tstamp.h"],
    netdev: ["linux/netdev.h"],
}
LINE = re.compile(r"    (\w+)(?:: .*)? = (?:\w+\()?(\w+)\b.*  # ([A-Z]\w+)", re.MULTILINE)
# What is no attribute of its own: counts, ends and padding, and what every message has.
NO_FIELD = re.compile(r"\w+_(UNSPEC|PAD|MAX|MAX_MASK|CNT|MASK_NAME|HEADER|NONE|COUNT|LAST)|__\w+")

WITHOUT_USE = {"ETHTOOL_FLAG_ALL", "NETDEV_XDP_ACT_MASK", "RXH_XFRM_NO_CHANGE"}


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def unknown(record: Record) -> list[tuple[int, bytes]]:
    """The unknown attributes of a record and of the records in it."""
    if isinstance(record, ethtool.Stat):  # its only attribute has the number of a statistic
        return []
    found = [*record.unknown]
    for name in type(record).__fields__:
        value = getattr(record, name)
        for each in value if isinstance(value, tuple) else (value,):
            found += unknown(each) if isinstance(each, Record) else []
    return found


def u32(type_: int, value: int) -> bytes:
    return attribute(type_, struct.pack("=I", value))


def nest(type_: int, *attributes: bytes) -> bytes:
    return attribute(type_ | NESTED, b"".join(attributes))


HEADER = nest(1, u32(1, 7), attribute(2, b"eth0\0"))


# Against the installed headers


@pytest.mark.parametrize("module", HEADERS, ids=lambda module: module.__name__)
def test_numbers_are_the_headers(module: ModuleType) -> None:
    numbers = {name: int(value, 0) for _, value, name in LINE.findall(inspect.getsource(module))}
    headers = [name for name in HEADERS[module] if Path("/usr/include", name).exists()]
    known = c_names(headers, "|".join(numbers)) & numbers.keys()
    assert len(known) > 0.8 * len(numbers)
    found = c_values(headers, sorted(known))
    assert {name: value & 0xFFFFFFFF for name, value in found.items()} == {name: numbers[name] for name in known}


@pytest.mark.parametrize(
    ("module", "pattern"),
    [
        (records, r"ETHTOOL_(A|MSG|STATS|FLAG|LINK_EXT|C33_PSE|PODL_PSE|MM|MODULE|MAC_STATS)_\w+|ETH_SS_\w+|RXH_\w+"),
        (records, r"(MASTER_SLAVE|RATE_MATCH|DUPLEX|PORT|ETH_TP|AUTONEG|PHY_UPSTREAM)_\w+"),
        (netdev, r"NETDEV_(A|CMD|XDP|XSK|QUEUE|QSTATS|NAPI)_\w+"),
    ],
)
def test_nothing_of_the_headers_is_missing(module: ModuleType, pattern: str) -> None:
    source = inspect.getsource(module)
    names = {name for name in c_names(HEADERS[module], pattern) if not NO_FIELD.fullmatch(name)}
    assert len(names) > 20
    there = {*re.findall(r"# ([A-Z]\w+)", source)}
    assert {name for name in names - there if not name.endswith("_BIT")} <= WITHOUT_USE


def test_every_message_but_one_has_its_header_first() -> None:
    names = c_names(HEADERS[records], r"ETHTOOL_A_\w+_HEADER")
    headers = c_values(HEADERS[records], sorted(names))
    assert {name for name, value in headers.items() if value != 1} == {"ETHTOOL_A_STATS_HEADER"}
    assert headers["ETHTOOL_A_STATS_HEADER"] == 2


@pytest.mark.parametrize("family", [ethtool.Conn, netdev.Conn])
def test_every_command_has_its_operations(family: Any) -> None:
    commands = ethtool.Command if family is ethtool.Conn else netdev.Command
    operations = [value for value in vars(family).values() if isinstance(value, Operation)]
    assert {operation.command for operation in operations} == {*commands}
    for operation in operations:
        assert operation.__doc__
        assert operation.reply is None or operation.answer is not None


@pytest.mark.parametrize("module", [ethtool, netdev])
def test_the_facade_is_whole(module: Any) -> None:
    public = {name for name, value in vars(module).items() if not name.startswith("_") and isinstance(value, type)}
    if module is ethtool:
        assert {*records.__all__} <= {*module.__all__}
        assert public == {name for name in module.__all__ if not name.startswith("dial")}
    for name in module.__all__:
        assert getattr(module, name).__doc__, name


# Bitsets


def bits(*states: tuple[int, str | None, bool]) -> bytes:
    found = []
    for number, name, on in states:
        parts = [u32(1, number)]
        if name is not None:
            parts.append(attribute(2, name.encode() + b"\0"))
        if on:
            parts.append(attribute(3, b""))
        found.append(nest(1, *parts))
    return nest(3, *found)


def test_a_bitset_with_a_mask() -> None:
    found = Bitset.decode(u32(2, 64) + bits((0, "a", True), (5, "b", False), (6, "", True), (33, "c", True)))
    assert (found.on, found.off, found.numbers) == (("a", "c"), ("b",), (0, 6, 33))


def test_a_bitset_without_a_mask() -> None:
    found = Bitset.decode(attribute(1, b"") + u32(2, 64) + bits((0, "a", False), (33, "c", False), (34, None, False)))
    assert (found.on, found.off, found.numbers) == (("a", "c"), (), (0, 33, 34))


def test_a_compact_bitset_has_numbers_alone() -> None:
    words = struct.pack("=II", 1 << 31 | 1, 2)
    found = Bitset.decode(u32(2, 64) + attribute(4, words) + attribute(5, words))
    assert found.numbers == (0, 31, 33)
    for names in ("on", "off"):
        with pytest.raises(ValueError, match="a compact bitset has no names"):
            getattr(found, names)


def test_an_empty_bitset() -> None:
    assert (Bitset().on, Bitset().off, Bitset().numbers) == ((), (), ())


def test_bitsets_of_requests() -> None:
    on, off = nest(1, attribute(2, b"a\0"), attribute(3, b"")), nest(1, attribute(2, b"b\0"))
    assert Bitset.change(on=["a"], off=["b"]).encode() == nest(3, on, off)
    assert Bitset.exactly("b").encode() == attribute(1, b"") + nest(3, off)
    assert Bitset.exactly().encode() == attribute(1, b"") + nest(3)
    assert Bitset.change(on=["a"], off=["b"]).on == Bitset.exactly("a").on == ("a",)


# What no driver of virtual devices has


def u64(type_: int, value: int) -> bytes:
    return attribute(type_, struct.pack("=Q", value))


def test_statistics_have_the_names_of_their_group() -> None:
    def bucket(low: int, high: int, value: int) -> list[bytes]:
        return [u32(7, low), u32(8, high), attribute(1, b""), u64(9, value)]

    rmon = nest(4, u32(2, 3), u32(3, 20), nest(4, u64(0, 4)), *(nest(5, *bucket(0, 64, n)) for n in (1, 2)))
    mac = nest(4, u32(2, 1), u32(3, 18), nest(4, u64(0, 1 << 40)), attribute(1, b""), nest(4, u64(3, 9)))
    new = nest(4, u32(2, 77), nest(4, u64(2, 8)))
    found = ethtool.Stats.decode(nest(2, attribute(2, b"eth0\0")) + mac + rmon + new + u32(5, 2))
    assert (found.device, found.src) == ("eth0", ethtool.MACStatsSource.PMAC)
    first, second, third = found.results or ()
    assert (first.id, first.string_set) == (ethtool.StatsGroupID.ETH_MAC, StringSet.STATS_ETH_MAC)
    assert first.values == {ethtool.EthMACStat.TX_PKT: 1 << 40, ethtool.EthMACStat.RX_PKT: 9}
    assert [type(each) for each in first.values] == [ethtool.EthMACStat] * 2
    assert second.values == {ethtool.RMONStat.UNDERSIZE: 4}
    assert [(each.low, each.high, each.value) for each in second.hist_rx or ()] == [(0, 64, 1), (0, 64, 2)]
    assert third.values == {2: 8}
    assert ethtool.StatsGroup().values == {}


def test_a_cable_test_has_the_results_of_all_pairs() -> None:
    results = [nest(1, attribute(1, bytes([pair])), attribute(2, bytes([code]))) for pair, code in ((0, 1), (1, 2))]
    length = nest(2, attribute(1, b"\1"), u32(2, 1234), u32(3, 1))
    found = ethtool.CableTestEvent.decode(HEADER + attribute(2, b"\2") + nest(3, *results, length))
    assert (found.device, found.status) == ("eth0", ethtool.CableTestStatus.COMPLETED)
    assert found.results is not None
    assert [(each.pair, each.code) for each in found.results.results or ()] == [
        (ethtool.CablePair.A, ethtool.CableCode.OK),
        (ethtool.CablePair.B, ethtool.CableCode.OPEN),
    ]
    (fault,) = found.results.fault_lengths or ()
    assert (fault.pair, fault.cm, fault.src) == (ethtool.CablePair.B, 1234, ethtool.CableSource.TDR)


def test_reflections_are_in_their_order() -> None:
    step = nest(1, u32(1, 100), u32(2, 200), u32(3, 100))
    values = [-5, 300, -32768]
    amplitudes = [nest(2, attribute(1, b"\0"), attribute(2, struct.pack("=h", value))) for value in values]
    pulse = nest(3, attribute(1, struct.pack("=h", 1000)))
    found = ethtool.CableTestTDREvent.decode(HEADER + attribute(2, b"\2") + nest(3, step, *amplitudes, pulse)).results
    assert found is not None
    assert found.step == ethtool.CableStep(first=100, last=200, step=100)
    assert found.pulse == ethtool.CablePulse(millivolts=1000)
    assert [each.millivolts for each in found.amplitudes or ()] == values


def test_a_device_has_several_tables_of_tunnels() -> None:
    entry = nest(3, attribute(1, struct.pack(">H", 4789)), u32(2, 0))
    tables = [nest(1, u32(1, size), nest(2, u32(2, 3)), *entries) for size, entries in ((4, []), (1, [entry]))]
    found = ethtool.TunnelInfo.decode(HEADER + nest(2, *tables)).udp_ports
    assert found is not None
    sizes = [(table.size, table.entries) for table in found.tables or ()]
    vxlan = ethtool.TunnelUDPEntry(port=4789, type=ethtool.UDPTunnelType.VXLAN)
    assert sizes == [(4, None), (1, (vxlan,))]


def test_error_correction_of_each_lane() -> None:
    stats = nest(5, attribute(2, struct.pack("=3Q", 30, 10, 20)), attribute(1, b""), attribute(3, struct.pack("=Q", 1)))
    found = ethtool.FEC.decode(HEADER + attribute(3, b"\1") + u32(4, 50) + stats)
    assert (found.auto, found.active) == (1, ethtool.FECMode.RS)
    assert found.stats is not None
    assert (found.stats.corrected, found.stats.uncorr) == ((30, 10, 20), (1,))


def test_clocks_are_signed() -> None:
    found = ethtool.PHCVclocks.decode(HEADER + u32(2, 2) + attribute(3, struct.pack("=2i", 3, -1)))
    assert (found.num, found.indices) == (2, (3, -1))


@pytest.mark.parametrize(
    ("state", "number", "expected"),
    [
        (LinkExtState.AUTONEG, 1, ethtool.AutonegSubstate.NO_PARTNER_DETECTED),
        (LinkExtState.LINK_TRAINING_FAILURE, 4, ethtool.LinkTrainingSubstate.REMOTE_FAULT),
        (LinkExtState.LINK_LOGICAL_MISMATCH, 5, ethtool.LogicalMismatchSubstate.RS_FEC_IS_NOT_LOCKED),
        (LinkExtState.BAD_SIGNAL_INTEGRITY, 2, ethtool.BadSignalSubstate.UNSUPPORTED_RATE),
        (LinkExtState.CABLE_ISSUE, 1, ethtool.CableSubstate.UNSUPPORTED_CABLE),
        (LinkExtState.MODULE, 1, ethtool.ModuleSubstate.CMIS_NOT_READY),
        (LinkExtState.AUTONEG, 99, 99),
        (LinkExtState.NO_CABLE, 1, 1),
        (99, 1, 1),
        (LinkExtState.AUTONEG, None, None),
        (None, None, None),
    ],
)
def test_why_there_is_no_link(state: int | None, number: int | None, expected: int | None) -> None:
    found = ethtool.LinkState(ext_state=state, ext_substate=number).substate
    assert (found, type(found)) == (expected, type(expected))


def test_why_there_is_no_power() -> None:
    for state, substate in records._PSE_SUBSTATES.items():
        for each in substate:
            found = ethtool.PSE(c33_ext_state=state, c33_ext_substate=each.value).ext_substate
            assert (found, type(found)) == (each, substate)
    assert len(records._PSE_SUBSTATES) == len(PSEExtState) - 1  # PD_DLL_POWER_TYPE has none
    assert ethtool.PSE(c33_ext_state=PSEExtState.PD_DLL_POWER_TYPE, c33_ext_substate=3).ext_substate == 3


# All declarations

DECLARATIONS = [
    value
    for module in (records, netdev)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, Record) and value.__module__ == module.__name__
]


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda declaration: declaration.__name__)
def test_an_empty_message_and_its_round_trip(declaration: Any) -> None:
    assert declaration.decode(b"") == declaration()
    numbers = {
        name: 200 if field.width == 1 else 1 << 8 * field.width - 2
        for name, field in declaration.__fields__.items()
        if field.kind == 0 and field.width and field.enum is None
    }
    record = declaration(**numbers)
    assert declaration.decode(record.encode()) == record
    for name in numbers:
        with pytest.raises(DecodeError):
            declaration.decode(attribute(declaration.__fields__[name].types[0][0][-1], bytes(3)))


# As the kernel sent it


@pytest.mark.parametrize(
    ("name", "declaration"), [("ethtool_features", ethtool.Features), ("ethtool_link_modes", ethtool.LinkModes)]
)
def test_nothing_recorded_is_unknown_and_all_of_it_encodes_again(name: str, declaration: Any) -> None:
    batch = declaration.decode_many([payload[4:] for payload in recorded.payloads(name)])
    assert {"v0", "v1", "br0"} <= {record.device for record in batch}
    for record in batch:
        assert unknown(record) == []
        assert declaration.decode(record.encode()) == record


def test_what_is_unknown_is_found() -> None:
    odd = nest(1, u32(99, 7))
    assert unknown(ethtool.Features.decode(nest(2, nest(3, odd)) + odd)) == [(99, u32(0, 7)[4:]), (99, u32(0, 7)[4:])]


def test_recorded_features_have_names() -> None:
    features = ethtool.Features.decode_many([payload[4:] for payload in recorded.payloads("ethtool_features")])
    by_name = {each.device: each for each in features}
    veth = by_name["v0"]
    assert veth.hw
    assert veth.active
    assert veth.nochange
    assert "tx-tcp-segmentation" in veth.active.on
    assert "vlan-challenged" in veth.nochange.on
    assert {*veth.active.on} <= {*veth.hw.on, *veth.hw.off}


# Over a double


def test_strings_of_a_set() -> None:
    asked: list[Any] = []

    def strings(request: ethtool.StringSets) -> ethtool.StringSets:
        asked.append(request)
        values = [ethtool.IndexedString(index=i, value=name) for i, name in enumerate(("a", "", "c"))]
        one = ethtool.StringSetInfo(id=4, count=3, strings=ethtool.StringList(strings=values))
        return ethtool.StringSets(sets=ethtool.StringSetList(sets=[one]))

    with nltest.serve(ethtool.Conn, {"get_strings": strings}) as eth:
        assert eth.list_strings(StringSet.FEATURES) == ["a", "", "c"]
        assert eth.list_strings(1, "eth0") == ["a", "", "c"]
    wanted = [request.sets.sets[0].id for request in asked]
    assert (wanted, [request.device for request in asked]) == ([StringSet.FEATURES, StringSet.STATS], [None, "eth0"])

    with nltest.serve(ethtool.Conn, {"get_strings": lambda request: ethtool.StringSets()}) as eth:
        assert eth.list_strings(StringSet.PRIV_FLAGS) == []

    async def main() -> None:
        async with nltest.serve_async(ethtool.Conn, {"get_strings": strings}) as eth:
            assert await eth.list_strings(StringSet.FEATURES) == ["a", "", "c"]

    asyncio.run(main())


def test_a_stream_has_records_of_several_declarations() -> None:
    items = [ethtool.Rings(rx=5, event=Event.RINGS), ethtool.Features(event=Event.FEATURES)]
    with nltest.serve(ethtool.Conn, {"listen": lambda: items}) as eth, eth.listen() as stream:
        assert [*stream] == items
    assert {kind.type for kind in ethtool.Conn.listen.kinds} == {*Event}


def test_a_refusal_says_what_to_do() -> None:
    def refuse(request: Any = None) -> Any:
        raise OSError(errno.EOPNOTSUPP, "")

    with nltest.serve(ethtool.Conn, {"get_rings": refuse}) as eth, pytest.raises(OpError) as refused:
        eth.get_rings(header=Header(dev_name="eth0"))
    assert refused.value.hint == "the device's driver does not have this, or the kernel is older"
    with nltest.serve(netdev.Conn, {"dump_page_pool_stats": refuse}) as conn, pytest.raises(OpError) as refused:
        conn.dump_page_pool_stats()
    assert refused.value.hint == "it needs CONFIG_PAGE_POOL_STATS"


def test_requests_are_calls() -> None:
    calls = ethtool.Conn(Deferred())
    header = Header(dev_index=2, flags=HeaderFlags.STATS)
    call = calls.get_pause(header=header)
    assert call.message.data[:4] == bytes([ethtool.Command.PAUSE_GET, 1, 0, 0])
    assert ethtool.Pause.decode(call.message.data[4:]).header == header
