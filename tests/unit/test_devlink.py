"""devlink without a kernel: what reporters say, values, records from bytes, and what verbs ask for."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from netlink import OpError
from netlink.errors import DecodeError
from netlink.generic import devlink
from netlink.generic.devlink import (
    DpipeEntry,
    DpipeTable,
    Eswitch,
    FlashOverwrite,
    Linecard,
    Param,
    ParamMode,
    PoolType,
    Port,
    PortFlavour,
    PortFunction,
    Rate,
    RateTcBw,
    Region,
    ReloadAction,
    ReloadActions,
    ReloadLimits,
    ReporterState,
    Resource,
    SelftestId,
    SelftestResult,
    SelftestStatus,
    ThresholdType,
    Trap,
    TrapAction,
    VarType,
)
from netlink.generic.devlink.fmsg import FmsgItem, joined
from netlink.generic.devlink.records import (
    Chunk,
    Chunks,
    Dpipe,
    FlashRequest,
    Fmsg,
    OfDevice,
    OfPort,
    ParamRequest,
    ParamValue,
    RegionRequest,
    Reloaded,
    ReloadRequest,
    ReporterRequest,
    Resources,
    SelftestResults,
    Selftests,
)
from netlink.generic.devlink.values import decoded, encoded
from netlink.nltest import serve
from netlink.schema import AttributeSet
from unit.test_generic_families import NESTED, attribute, u32, u64

CARD = "pci/0000:01:00.0"
DEVICE = {"bus_name": "pci", "dev_name": "0000:01:00.0"}
PORT = {**DEVICE, "port_index": 3}


# What health reporters say


def items(text: str) -> list[FmsgItem]:
    """Items by letters: o, p, a begin an object, pair, array; e ends one; names and values are words."""
    found: list[FmsgItem] = []
    for word in text.split():
        match word:
            case "o":
                found.append(FmsgItem(obj=True))
            case "p":
                found.append(FmsgItem(pair=True))
            case "a":
                found.append(FmsgItem(array=True))
            case "e":
                found.append(FmsgItem(end=True))
            case number if number.isdigit():
                found += [FmsgItem(type=VarType.U32), FmsgItem(data=u32(int(number)))]
            case data if data.startswith("0x"):
                found += [FmsgItem(type=VarType.BINARY), FmsgItem(data=bytes.fromhex(data[2:]))]
            case name:
                found.append(FmsgItem(name=name))
    return found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", None),
        ("o e", None),
        ("1", 1),
        ("1 2", [1, 2]),
        ("o p x 1 e p y a 2 3 e e e", {"x": 1, "y": [2, 3]}),
        ("o p x o p y 1 e e e e", {"x": {"y": 1}}),
        ("o p x a o p y 1 e e o p y 2 e e e e e", {"x": [{"y": 1}, {"y": 2}]}),
        ("o p x a 0x0102 0x03 e e e", {"x": b"\1\2\3"}),
        ("o p x a e e e", {"x": []}),
        ("o p x 1 e p x 2 e p x 3 e e", {"x": [1, 2, 3]}),
        ("o p x a 1 e e p x a 2 e e e", {"x": [[1], [2]]}),
        ("o p x 1 e e o p y 2 e e", {"x": 1, "y": 2}),
        # Drivers end more than they began, or less.
        ("o p x 1 e e e e p y 2 e", {"x": 1, "y": 2}),
        ("o p x o p y 1", {"x": {"y": 1}}),
        ("e e", None),
    ],
)
def test_what_a_reporter_says(text: str, said: Any) -> None:
    assert joined(items(text)) == said


def test_parts_in_parts_without_end() -> None:
    depth = 100_000
    said: Any = joined(items("a " * depth + "1 " + "e " * depth))
    for _ in range(depth):
        (said,) = said
    assert said == 1


def test_a_message_of_a_reporter_from_bytes() -> None:
    data = attribute(
        106 | NESTED,
        attribute(107, b"")
        + attribute(108, b"")
        + attribute(111, b"name\0")
        + attribute(112, b"\x0a")
        + attribute(113, b"text\0")
        + attribute(110, b"")
        + attribute(110, b""),
    )
    assert joined(Fmsg.decode(data).items or ()) == {"name": "text"}


# Values


@pytest.mark.parametrize(
    ("kind", "value", "data"),
    [
        (VarType.U8, 5, b"\5"),
        (VarType.U16, 0x102, (0x102).to_bytes(2, sys.byteorder)),
        (VarType.U32, 7, u32(7)),
        (VarType.U64, 1 << 40, u64(1 << 40)),
        (VarType.STRING, "text", b"text\0"),
        (VarType.NUL_STRING, "text", b"text\0"),
        (VarType.FLAG, True, b""),
        (VarType.FLAG, False, None),
    ],
)
def test_values(kind: VarType, value: Any, data: bytes | None) -> None:
    assert encoded(kind, value) == data
    param = Param(name="x", type=kind, values=[ParamValue(data=data, mode=ParamMode.PERMANENT)])
    again = Param.decode(param.encode())
    assert again.permanent == value
    assert type(again.permanent) is type(value)
    assert (again.runtime, again.driverinit) == (None, None)


def test_a_value_without_data() -> None:
    values = [ParamValue(mode=ParamMode.RUNTIME)]
    assert Param(type=VarType.FLAG, values=values).runtime is False
    assert Param(type=VarType.U8, values=values).runtime is None
    assert Param(values=values).runtime is None
    assert Param().runtime is None


def test_values_that_have_no_type_are_bytes() -> None:
    assert decoded(99, b"\1\2") == b"\1\2"
    assert decoded(VarType.BINARY, b"\1\2") == b"\1\2"
    assert decoded(None, b"\1") == b"\1"
    assert decoded(VarType.STRING, b"\xff\0") == "\udcff"


def test_values_that_do_not_fit() -> None:
    with pytest.raises(DecodeError, match="a U32 has 4 bytes, not 3"):
        decoded(VarType.U32, b"abc")
    for kind, value, words in [
        (VarType.U8, 256, "from 0 to 255, not 256"),
        (VarType.U8, -1, "from 0 to 255, not -1"),
        (VarType.U8, True, "must be an int, not True"),
        (VarType.U8, "1", "must be an int, not '1'"),
        (VarType.FLAG, 1, "must be True or False, not 1"),
        (VarType.STRING, 1, "must be a str, not 1"),
        (VarType.STRING, "a\0b", "no NUL"),
        (99, 1, "the type 99, which this library does not know"),
        (None, 1, "the type None"),
    ]:
        with pytest.raises((TypeError, ValueError), match=words):
            encoded(kind, value)  # type: ignore[arg-type]


# Records


def test_records_from_bytes() -> None:
    head = attribute(1, b"pci\0") + attribute(2, b"0000:01:00.0\0")
    port = Port.decode(
        head
        + attribute(3, u32(3))
        + attribute(77, b"\x07\0")
        + attribute(164, u32(88))
        + attribute(145 | NESTED, attribute(1, bytes(range(6))) + attribute(2, b"\1") + attribute(4, u32(5) + u32(7)))
    )
    assert port.handle == f"{CARD}/3"
    assert (port.flavour, port.sf) == (PortFlavour.PCI_SF, 88)
    assert port.function
    assert port.function.hw_addr == "00:01:02:03:04:05"
    assert port.function.caps == (5, 7)
    trap = Trap.decode(
        head + attribute(130, b"x\0") + attribute(129 | NESTED, attribute(0, u64(1)) + attribute(1, u64(2)))
    )
    assert (trap.handle, trap.rx_packets, trap.rx_bytes, trap.rx_dropped) == (CARD, 1, 2, None)
    rate = Rate.decode(head + attribute(180 | NESTED, attribute(1, b"\2") + attribute(2, u32(50))))
    assert rate.tc_bws == (RateTcBw(index=2, bw=50),)
    card = Linecard.decode(head + attribute(174 | NESTED, attribute(173, b"16x100G\0") + attribute(173, b"8x200G\0")))
    assert card.supported_types == ("16x100G", "8x200G")


def test_resources_in_resources_are_bounded() -> None:
    data = b""
    for _ in range(500):
        data = attribute(63 | NESTED, attribute(64 | NESTED, data))
    with pytest.raises(DecodeError):
        Resources.decode(data)


RECORDS = [
    found
    for found in (getattr(devlink, name) for name in devlink.__all__)
    if isinstance(found, type) and issubclass(found, AttributeSet)
]


@pytest.mark.parametrize("declaration", RECORDS, ids=lambda each: each.__name__)
def test_broken_attributes(declaration: type[AttributeSet]) -> None:
    """Attributes of any width, none at all, and cut at any byte: a record, or a DecodeError."""
    types = sorted({path[0] for field in declaration.__fields__.values() for path, _ in field.types if path})
    refused = 0
    for type_ in types:
        for flags in (0, NESTED):
            for size in (*range(10), 4000):
                whole = attribute(type_ | flags, b"\xff" * size)
                for payload in {whole, whole[:-1], whole[: len(whole) // 2], whole * 3}:
                    try:
                        record = declaration.decode(payload)
                    except DecodeError:
                        refused += 1
                    else:
                        repr(record)
                        getattr(record, "handle", None)
    assert refused > len(types)


# Verbs


def test_handles() -> None:
    with serve(devlink.Conn, {}) as cards:
        for handle in ("", "pci", "pci/", "/x", "pci/x/y", "pci/x/-1", "pci/x/1/2", "pci/x/²", 5, None):
            with pytest.raises(ValueError, match="a handle is 'bus/device' or 'bus/device/port'"):
                cards.get_reporter(handle, "x")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="it needs the handle of a device"):
            cards.get("pci/x/1")
        with pytest.raises(ValueError, match="it needs the handle of a port"):
            cards.get_port("pci/x")


class Asked:
    """Functions for `serve` that keep the requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any]] = []

    def __call__(self, name: str, answer: Any = None) -> Any:
        def function(request: Any) -> Any:
            self.requests.append((name, request))
            return answer

        return function

    def take(self) -> tuple[str, Any]:
        (request,) = self.requests
        self.requests.clear()
        return request


ACKNOWLEDGED = [
    ("set_port", (CARD + "/3",), {"function": PortFunction(hw_addr="00:00:00:00:00:01")}, "port_set"),
    ("split_port", (CARD + "/3", 4), {}, "port_split"),
    ("unsplit_port", (CARD + "/3",), {}, "port_unsplit"),
    ("delete_port", (CARD + "/3",), {}, "port_del"),
    ("set_linecard", (CARD, 2, ""), {}, "linecard_set"),
    ("flash", (CARD, "x.bin", "fw", FlashOverwrite.SETTINGS), {}, "flash_update"),
    ("set_eswitch", (CARD,), {"encap_mode": devlink.EswitchEncap.BASIC}, "eswitch_set"),
    ("set_reporter", (CARD, "fw"), {"auto_dump": False}, "health_reporter_set"),
    ("recover", (CARD + "/3", "tx"), {}, "health_reporter_recover"),
    ("clear_dump", (CARD, "fw"), {}, "health_reporter_dump_clear"),
    ("test_reporter", (CARD, "fw"), {}, "health_reporter_test"),
    ("delete_snapshot", (CARD, "cr", 7), {}, "region_del"),
    ("set_trap", (CARD, "x", TrapAction.MIRROR), {}, "trap_set"),
    ("set_trap_group", (CARD, "x"), {"policer": 0}, "trap_group_set"),
    ("set_trap_policer", (CARD, 1), {"rate": 5}, "trap_policer_set"),
    ("set_rate", (CARD + "/3",), {"parent": ""}, "rate_set"),
    ("add_rate", (CARD, "node"), {"tc_bws": [RateTcBw(index=0, bw=1)]}, "rate_new"),
    ("delete_rate", (CARD, "node"), {}, "rate_del"),
    ("set_pool", (CARD, 4, 4096, ThresholdType.DYNAMIC), {}, "sb_pool_set"),
    ("set_port_pool", (CARD + "/3", 4, 10), {"sb": 1}, "sb_port_pool_set"),
    ("set_tc_bind", (CARD + "/3", 2, PoolType.EGRESS, 4, 10), {}, "sb_tc_pool_bind_set"),
    ("snapshot_occupancy", (CARD,), {}, "sb_occ_snapshot"),
    ("clear_max_occupancy", (CARD, 1), {}, "sb_occ_max_clear"),
    ("set_resource", (CARD, 2, 77), {}, "resource_set"),
    ("set_dpipe_counters", (CARD, "host4", True), {}, "dpipe_table_counters_set"),
]
REQUESTS: dict[str, Any] = {
    "port_set": Port(**PORT, function=PortFunction(hw_addr="00:00:00:00:00:01")),
    "port_split": Port(**PORT, split_count=4),
    "port_unsplit": OfPort(**PORT),
    "port_del": OfPort(**PORT),
    "linecard_set": Linecard(**DEVICE, index=2, type=""),
    "flash_update": FlashRequest(**DEVICE, file_name="x.bin", component="fw", overwrite=(1, 1)),
    "eswitch_set": Eswitch(**DEVICE, encap_mode=1),
    "health_reporter_set": ReporterRequest(**DEVICE, name="fw", auto_dump=0),
    "health_reporter_recover": ReporterRequest(**PORT, name="tx"),
    "health_reporter_dump_clear": ReporterRequest(**DEVICE, name="fw"),
    "health_reporter_test": ReporterRequest(**DEVICE, name="fw"),
    "region_del": RegionRequest(**DEVICE, name="cr", snapshot=7),
    "trap_set": Trap(**DEVICE, name="x", action=TrapAction.MIRROR),
    "trap_group_set": devlink.TrapGroup(**DEVICE, name="x", policer=0),
    "trap_policer_set": devlink.TrapPolicer(**DEVICE, id=1, rate=5),
    "rate_set": Rate(**PORT, parent=""),
    "rate_new": Rate(**DEVICE, node_name="node", tc_bws=[RateTcBw(index=0, bw=1)]),
    "rate_del": Rate(**DEVICE, node_name="node"),
    "sb_pool_set": devlink.Pool(**DEVICE, sb=0, index=4, size=4096, threshold_type=ThresholdType.DYNAMIC),
    "sb_port_pool_set": devlink.PortPool(**PORT, sb=1, pool=4, threshold=10),
    "sb_tc_pool_bind_set": devlink.TcBind(**PORT, sb=0, tc=2, type=PoolType.EGRESS, pool=4, threshold=10),
    "sb_occ_snapshot": devlink.SharedBuffer(**DEVICE, index=0),
    "sb_occ_max_clear": devlink.SharedBuffer(**DEVICE, index=1),
    "resource_set": devlink.records.ResourceRequest(**DEVICE, id=2, size=77),
    "dpipe_table_counters_set": Dpipe(**DEVICE, table_name="host4", counters_enabled=1),
}


@pytest.mark.parametrize(("verb", "args", "options", "operation"), ACKNOWLEDGED, ids=lambda each: str(each)[:20])
def test_what_verbs_ask_for(verb: str, args: tuple[Any, ...], options: dict[str, Any], operation: str) -> None:
    asked = Asked()
    with serve(devlink.Conn, {operation: asked(operation)}) as cards:
        assert getattr(cards, verb)(*args, **options) is None
    assert asked.take() == (operation, REQUESTS[operation])


def test_a_parameter_has_the_type_that_the_kernel_says() -> None:
    asked = Asked()
    there = Param(**DEVICE, name="x", type=VarType.U16)
    functions = {"param_get": lambda _: there, "param_set": asked("param_set")}
    with serve(devlink.Conn, functions) as cards:
        cards.set_param(CARD, "x", 5, ParamMode.PERMANENT)
        wanted = ParamRequest(**DEVICE, name="x", type=VarType.U16, data=encoded(VarType.U16, 5), mode=2)
        assert asked.take() == ("param_set", wanted)
        with pytest.raises(ValueError, match="from 0 to 65535"):
            cards.set_param(CARD, "x", 65536)
        there = Param(**DEVICE, name="x", type=77)
        with pytest.raises(ValueError, match="the type 77"):
            cards.set_param(CARD, "x", 1)
    assert asked.requests == []


def test_a_reload() -> None:
    asked = Asked()
    done = Reloaded(**DEVICE, performed=(6, 6))
    with serve(devlink.Conn, {"reload_device": asked("reload", done)}) as cards:
        limits = ReloadLimits.NO_RESET
        assert cards.reload(CARD, ReloadAction.FW_ACTIVATE, limits=limits, netns_fd=9) == ReloadActions(6)
        assert asked.take()[1] == ReloadRequest(**DEVICE, action=ReloadAction.FW_ACTIVATE, limits=(2, 2), netns_fd=9)
    with serve(devlink.Conn, {"reload_device": asked("reload")}) as cards:
        assert cards.reload(CARD) is None
        assert asked.take()[1] == ReloadRequest(**DEVICE)


def test_snapshots() -> None:
    with serve(devlink.Conn, {"region_new": lambda _: Region(**DEVICE, name="cr", snapshot=5)}) as cards:
        assert cards.add_snapshot(CARD, "cr") == 5
    with serve(devlink.Conn, {"region_new": lambda _: None}) as cards:
        assert cards.add_snapshot(CARD, "cr", 7) == 7
        with pytest.raises(OpError, match="does not say the number"):
            cards.add_snapshot(CARD, "cr")


def test_a_region_is_read_in_chunks() -> None:
    asked: list[RegionRequest] = []
    content = b"abcdef"

    def read(request: RegionRequest) -> list[Chunks]:
        asked.append(request)
        at = request.address or 0
        end = len(content) if request.length is None else at + request.length
        chunks = [Chunk(data=content[place : min(place + 2, end)], address=place) for place in range(at, end, 2)]
        return [Chunks(chunks=chunks[:2]), Chunks(), *([Chunks(chunks=chunks[2:])] if chunks[2:] else [])]

    functions = {"region_read": read, "region_get": lambda _: Region(size=6)}
    with serve(devlink.Conn, functions) as cards:
        assert cards.read_region(CARD, "cr", 1) == content
        assert cards.read_region(CARD, "cr") == content
        assert cards.read_region(CARD, "cr", 1, address=2) == b"cdef"
        assert cards.read_region(CARD, "cr", 1, length=3) == b"abc"
    assert asked == [
        RegionRequest(**DEVICE, name="cr", snapshot=1),
        RegionRequest(**DEVICE, name="cr", direct=True),
        RegionRequest(**DEVICE, name="cr", snapshot=1, address=2, length=4),
        RegionRequest(**DEVICE, name="cr", snapshot=1, address=0, length=3),
    ]


@pytest.mark.parametrize("addresses", [(0, 4), (2, 4), (0, 0), (2, 0), (0, None)])
def test_a_gap_in_a_region_is_told(addresses: tuple[int | None, ...]) -> None:
    chunks = [Chunks(chunks=[Chunk(data=b"ab", address=address)]) for address in addresses]
    functions = {"region_read": lambda _: chunks}
    with serve(devlink.Conn, functions) as cards, pytest.raises(DecodeError, match="a region goes on at"):
        cards.read_region(CARD, "cr", 1)


def test_replies_of_several_messages() -> None:
    functions: dict[str, Any] = {
        "resource_dump": lambda _: [Resources(resources=[Resource(id=1)]), Resources(resources=[Resource(id=2)])],
        "dpipe_table_get": lambda _: [Dpipe(tables=[DpipeTable(name="a")]), Dpipe(tables=[DpipeTable(name="b")])],
        "dpipe_entries_get": lambda _: [Dpipe(entries=[DpipeEntry(index=1)]), Dpipe()],
        "dpipe_headers_get": lambda _: [Dpipe(headers=[devlink.DpipeHeader(name="ethernet")])],
        "health_reporter_diagnose": lambda _: [Fmsg(items=items("o p x")), Fmsg(items=items("1 e e"))],
        "health_reporter_dump_get": lambda _: [],
        "selftests_run": lambda _: SelftestResults(
            results=[SelftestResult(id=SelftestId.FLASH, status=SelftestStatus.PASS)]
        ),
    }
    with serve(devlink.Conn, functions) as cards:
        assert cards.resources(CARD) == [Resource(id=1), Resource(id=2)]
        assert [each.name for each in cards.dpipe_tables(CARD)] == ["a", "b"]
        assert cards.dpipe_entries(CARD, "a") == [DpipeEntry(index=1)]
        assert cards.dpipe_headers(CARD) == [devlink.DpipeHeader(name="ethernet")]
        assert cards.diagnose(CARD, "fw") == {"x": 1}
        assert cards.get_dump(CARD, "fw") is None
        assert cards.run_selftests(CARD) == [SelftestResult(id=SelftestId.FLASH, status=SelftestStatus.PASS)]


def test_things_by_handles() -> None:
    asked = Asked()
    functions = {
        "port_new": asked("port_new", Port(**PORT)),
        "rate_get": asked("rate_get", Rate()),
        "selftests_run": asked("selftests_run", SelftestResults()),
        "health_reporter_get": asked("get", devlink.Reporter(name="fw", state=ReporterState.ERROR)),
    }
    with serve(devlink.Conn, functions) as cards:
        assert cards.add_port(CARD, PortFlavour.PCI_SF, 0, sf=5) == Port(**PORT)
        assert asked.take()[1] == Port(**DEVICE, flavour=PortFlavour.PCI_SF, pf=0, sf=5)
        cards.get_rate(f"{CARD}/3")
        assert asked.take()[1] == Rate(**PORT)
        cards.get_rate(CARD, "node")
        assert asked.take()[1] == Rate(**DEVICE, node_name="node")
        assert cards.run_selftests(CARD) == []
        assert asked.take()[1] == Selftests(**DEVICE, flash=True)
        assert cards.get_reporter(CARD, "fw").state == ReporterState.ERROR
        assert OfDevice(**DEVICE).handle == OfPort(**DEVICE).handle == CARD
