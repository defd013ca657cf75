"""Sets and maps of nftables by keys as they are written, with nft(8) as the oracle."""

from __future__ import annotations

import errno
import json
import random
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network, IPv6Network, collapse_addresses
from typing import Any

import pytest

from kernel import rulesets
from netlink.netfilter import nftables
from netlink.netfilter.nftables import (
    Element,
    ElementFlags,
    ElementList,
    Family,
    KeyRange,
    KeyType,
    Object,
    Set,
    Table,
    TransactionError,
    build,
    expr,
    make_set,
)

INET = Family.INET
T = Table(family=INET, name="t")
ACCEPT, DROP = expr.Verdict(code=expr.VerdictCode.ACCEPT), expr.Verdict(code=expr.VerdictCode.DROP)
LIMIT = expr.Limit(rate=5, unit=1, burst=5, type=expr.LimitType.PKTS)


def listed(name: str, kind: str = "set") -> dict[str, Any]:
    """A set by `nft -j list`."""
    run = subprocess.run(["nft", "-j", "list", kind, "inet", "t", name], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)["nftables"][1][kind]
    return found


def filled(nft: nftables.Conn, of: Set, keys: Any, **options: Any) -> Set:
    """A set of the kernel with elements: its whole record."""
    with nft.transaction() as tx:
        tx.add(T)
        tx.add(Object(family=INET, table="t", name="c", type=expr.ObjectType.COUNTER, data=expr.Counter()))
        tx.add(of)
        tx.add_elements(of, keys, **options)
    return nft.get(of)


def keys(nft: nftables.Conn, of: Set) -> list[Any]:
    return [entry.key for entry in nft.entries(of)]


NET, FROM_TO = "10.0.0.0/8", "192.0.2.1-192.0.2.9"
PREFIX = {"prefix": {"addr": "10.0.0.0", "len": 8}}
PLAIN: list[tuple[KeyType, list[Any], list[Any], list[Any]]] = [
    (KeyType.IPV4_ADDR, ["10.0.0.1", IPv4Address("10.0.0.2")], ["10.0.0.1", "10.0.0.2"], []),
    (KeyType.IPV6_ADDR, ["2001:db8::1"], ["2001:db8::1"], []),
    (KeyType.INET_SERVICE, [22, 80], [22, 80], []),
    (KeyType.INET_PROTO, [6], ["tcp"], [6]),
    (KeyType.MARK, [5, 0x10000], ["0x00000005", "0x00010000"], [5, 0x10000]),
    (KeyType.IFNAME, ["lo", "eth0"], ["eth0", "lo"], []),
    (KeyType.ETHER_ADDR, ["02:00:00:00:00:01"], ["02:00:00:00:00:01"], []),
    (KeyType.UID, [1000], [1000], []),
    (KeyType.ETHER_TYPE, [0x0800], ["ip"], [0x0800]),
]


@pytest.mark.parametrize(("type_", "given", "shown", "read"), PLAIN, ids=lambda one: getattr(one, "name", ""))
def test_keys_of_each_type(nft: nftables.Conn, type_: KeyType, given: list[Any], shown: list[Any], read: Any) -> None:
    of = filled(nft, make_set(INET, "t", "s", type_), given)
    found = listed("s")
    assert found["type"] == type_.name.lower()
    elements = [hex_of(one) for one in found["elem"]]
    assert sorted(elements, key=str) == sorted(map(hex_of, shown), key=str)
    assert {str(one) for one in keys(nft, of)} == {str(one) for one in read or given}


def hex_of(one: Any) -> Any:
    """Marks, which nft(8) prints as numbers or as text."""
    return int(one, 16) if isinstance(one, str) and one.startswith("0x") else one


def test_networks_and_ranges(nft: nftables.Conn) -> None:
    four = make_set(INET, "t", "four", KeyType.IPV4_ADDR, interval=True)
    given = [NET, FROM_TO, "255.255.255.0/24", IPv4Network("172.16.0.0/12"), IPv4Address("0.0.0.0")]
    of = filled(nft, four, given)
    assert listed("four")["elem"] == [
        "0.0.0.0",
        PREFIX,
        {"prefix": {"addr": "172.16.0.0", "len": 12}},
        {"range": ["192.0.2.1", "192.0.2.9"]},
        {"prefix": {"addr": "255.255.255.0", "len": 24}},
    ]
    assert keys(nft, of) == [
        IPv4Address("0.0.0.0"),
        IPv4Network(NET),
        IPv4Network("172.16.0.0/12"),
        KeyRange(IPv4Address("192.0.2.1"), IPv4Address("192.0.2.9")),
        IPv4Network("255.255.255.0/24"),
    ]
    assert str(keys(nft, of)[3]) == FROM_TO
    six = make_set(INET, "t", "six", KeyType.IPV6_ADDR, interval=True)
    of = filled(nft, six, ["2001:db8::/32", "::/128", "ffff::/16"])
    assert keys(nft, of)[1:] == [IPv6Network("2001:db8::/32"), IPv6Network("ffff::/16")]
    ports = make_set(INET, "t", "ports", KeyType.INET_SERVICE, interval=True)
    of = filled(nft, ports, [80, "90-99", KeyRange(65000, 65535)])
    assert listed("ports")["elem"] == [80, {"range": [90, 99]}, {"range": [65000, 65535]}]
    assert keys(nft, of) == [80, KeyRange(90, 99), KeyRange(65000, 65535)]


@pytest.mark.parametrize(
    ("type_", "given", "shown"),
    [
        (KeyType.MARK, ["1-9", 256, KeyRange(0xFFFFFF00, 0xFFFFFFFF)], [1, 9, 256, 0xFFFFFF00, 0xFFFFFFFF]),
        (KeyType.IFINDEX, [1, "5-7"], ["lo", "5", "7"]),
        (KeyType.UID, ["1000-2000", 0], [0, 1000, 2000]),
        (KeyType.IFNAME, ["eth*", "lo", "br-lan"], ["br-lan", "eth*", "lo"]),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_intervals_of_what_is_in_host_byte_order(
    nft: nftables.Conn, type_: KeyType, given: list[Any], shown: list[Any]
) -> None:
    of = filled(nft, make_set(INET, "t", "s", type_, interval=True), given)
    found = [end for one in listed("s")["elem"] for end in (one["range"] if isinstance(one, dict) else [one])]
    assert list(map(hex_of, found)) == shown
    read = keys(nft, of)
    assert sorted(map(str, read)) == sorted(map(str, given))
    with nft.transaction() as tx:
        tx.delete_elements(of, read)
        tx.add_elements(of, given)
    pairs = make_set(INET, "t", "pairs", (type_, KeyType.INET_SERVICE), interval=True)
    of = filled(nft, pairs, [(one, "80-90") for one in given])
    assert {str(key[0]) for key in keys(nft, of)} == set(map(str, given))


def test_a_range_up_to_the_maximum_has_no_end(nft: nftables.Conn) -> None:
    of = filled(nft, make_set(INET, "t", "s", KeyType.IPV4_ADDR, interval=True), ["255.0.0.0/8", "10.0.0.0/24"])
    ends = [(one.key, bool((one.flags or 0) & ElementFlags.INTERVAL_END)) for one in nft.elements(of)]
    # Dumps go from the last to the first. nft(8) adds an end of what is before the first, which is not needed.
    assert ends == [(bytes([255, 0, 0, 0]), False), (bytes([10, 0, 1, 0]), True), (bytes([10, 0, 0, 0]), False)]
    filled(nft, make_set(INET, "t", "all", KeyType.IPV4_ADDR, interval=True), ["0.0.0.0/0"])
    assert keys(nft, nft.get(Set(family=INET, table="t", name="all"))) == [IPv4Network("0.0.0.0/0")]


def test_intervals_that_meet_or_overlap_are_merged(nft: nftables.Conn) -> None:
    chosen = random.Random(7)
    networks = [
        IPv4Network((chosen.randrange(1 << 16) << 16, chosen.randint(12, 24)), strict=False) for _ in range(300)
    ]
    of = filled(nft, make_set(INET, "t", "s", KeyType.IPV4_ADDR, interval=True), map(str, networks))
    ranges = [(one, one) if isinstance(one, IPv4Address) else (one[0], one[-1]) for one in keys(nft, of)]
    merged: list[list[int]] = []
    for one in collapse_addresses(networks):
        if merged and merged[-1][1] + 1 == int(one[0]):
            merged[-1][1] = int(one[-1])
        else:
            merged.append([int(one[0]), int(one[-1])])
    assert [[int(first), int(last)] for first, last in ranges] == merged


def test_an_interval_that_overlaps_the_set_is_refused(nft: nftables.Conn) -> None:
    of = filled(nft, make_set(INET, "t", "s", KeyType.IPV4_ADDR, interval=True), [NET])
    tx = nft.transaction()
    tx.add_elements(of, ["10.1.0.0/16"])
    with pytest.raises(TransactionError, match="may overlap an interval") as caught:
        tx.commit()
    assert caught.value.errno == errno.EEXIST
    assert "NEWSETELEM t s" in str(caught.value)
    with nft.transaction() as tx:  # what meets it is not merged with it
        tx.add_elements(of, ["11.0.0.0/8"])
    assert keys(nft, of) == [IPv4Network(NET), IPv4Network("11.0.0.0/8")]
    with nft.transaction() as tx:
        tx.delete_elements(of, [IPv4Network(NET)])
    assert keys(nft, of) == [IPv4Network("11.0.0.0/8")]


def test_concatenations(nft: nftables.Conn) -> None:
    plain = make_set(INET, "t", "plain", (KeyType.IPV4_ADDR, KeyType.INET_SERVICE))
    of = filled(nft, plain, [("10.0.0.1", 80), (IPv4Address("10.0.0.2"), 443)])
    assert sorted(one["concat"] for one in listed("plain")["elem"]) == [["10.0.0.1", 80], ["10.0.0.2", 443]]
    assert listed("plain")["type"] == ["ipv4_addr", "inet_service"]
    assert set(keys(nft, of)) == {(IPv4Address("10.0.0.1"), 80), (IPv4Address("10.0.0.2"), 443)}
    ranges = make_set(INET, "t", "ranges", (KeyType.IPV4_ADDR, KeyType.INET_SERVICE), interval=True)
    of = filled(nft, ranges, [("1.2.3.0/24", "80-90"), ("192.0.2.1", 443)])
    pair = [{"prefix": {"addr": "1.2.3.0", "len": 24}}, {"range": [80, 90]}]
    assert sorted((one["concat"] for one in listed("ranges")["elem"]), key=str) == [["192.0.2.1", 443], pair]
    assert set(keys(nft, of)) == {(IPv4Network("1.2.3.0/24"), KeyRange(80, 90)), (IPv4Address("192.0.2.1"), 443)}
    (first,) = [one for one in nft.elements(of) if one.key and one.key[0] == 1]
    # Each field has 4 bytes, and the end is included.
    assert (first.key, first.key_end) == (bytes.fromhex("0102030000500000"), bytes.fromhex("010203ff005a0000"))
    with nft.transaction() as tx:
        tx.delete_elements(of, [("1.2.3.0/24", KeyRange(80, 90))])
    assert keys(nft, of) == [(IPv4Address("192.0.2.1"), 443)]


def test_maps(nft: nftables.Conn) -> None:
    verdicts = make_set(INET, "t", "v", KeyType.INET_SERVICE, data=expr.Verdict)
    of = filled(nft, verdicts, {22: ACCEPT, 23: DROP})
    assert listed("v", "map")["elem"] == [[22, {"accept": None}], [23, {"drop": None}]]
    assert {entry.key: entry.value for entry in nft.entries(of)} == {22: ACCEPT, 23: DROP}
    to = make_set(INET, "t", "m", KeyType.INET_SERVICE, data=KeyType.IPV4_ADDR)
    of = filled(nft, to, {80: "192.0.2.1"})
    assert listed("m", "map")["elem"] == [[80, "192.0.2.1"]]
    assert [entry[:2] for entry in nft.entries(of)] == [(80, IPv4Address("192.0.2.1"))]
    objects = make_set(INET, "t", "o", KeyType.IPV4_ADDR, data=expr.ObjectType.COUNTER)
    of = filled(nft, objects, {"10.0.0.1": "c"})
    assert listed("o", "map")["elem"] == [["10.0.0.1", "c"]]
    assert [entry[:2] for entry in nft.entries(of)] == [(IPv4Address("10.0.0.1"), "c")]


def test_intervals_of_a_map(nft: nftables.Conn) -> None:
    of = make_set(INET, "t", "m", KeyType.IPV4_ADDR, data=KeyType.INET_SERVICE, interval=True)
    of = filled(nft, of, {"10.0.0.0/24": 5, "10.0.1.0/24": 6, "10.0.2.0/24": 6})
    first, second = {"prefix": {"addr": "10.0.0.0", "len": 24}}, {"range": ["10.0.1.0", "10.0.2.255"]}
    assert listed("m", "map")["elem"] == [[first, 5], [second, 6]]
    with nft.transaction() as tx:
        tx.delete_elements(of, {"10.0.0.0/24": 5})
    (entry,) = nft.entries(of)
    assert entry[:2] == (KeyRange(IPv4Address("10.0.1.0"), IPv4Address("10.0.2.255")), 6)
    with pytest.raises(ValueError, match="overlap, with the values 7 and 5"):
        nft.transaction().add_elements(of, {"10.0.0.0/24": 5, "10.0.0.0/25": 7})


def test_timeouts_and_comments(nft: nftables.Conn) -> None:
    of = make_set(INET, "t", "s", KeyType.IPV4_ADDR, timeout=3600, remark="a set")
    of = filled(nft, of, ["10.0.0.1"], timeout=1800.5, remark="one")
    found = listed("s")
    assert (found["timeout"], found["flags"], found["comment"]) == (3600, ["timeout"], "a set")
    assert (found["elem"][0]["elem"]["timeout"], found["elem"][0]["elem"]["comment"]) == (1800, "one")
    (entry,) = nft.entries(of)
    assert entry.element.timeout == 1_800_500
    with nft.transaction() as tx:
        tx.add_elements(of, ["10.0.0.2"])  # with the timeout of the set
    assert {entry.element.timeout or 0 for entry in nft.entries(of)} <= {1_800_500, 0, 3_600_000}
    fixed = filled(nft, make_set(INET, "t", "fixed", KeyType.IPV4_ADDR), [])
    tx = nft.transaction()
    tx.add_elements(fixed, ["10.0.0.1"], timeout=3)
    with pytest.raises(TransactionError) as caught:
        tx.commit()
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), 1e300, "3"])
def test_times_that_are_none(nft: nftables.Conn, wrong: Any) -> None:
    of = make_set(INET, "t", "s", KeyType.IPV4_ADDR, timeout=1)
    for make in (
        lambda: make_set(INET, "t", "s", KeyType.IPV4_ADDR, timeout=wrong),
        lambda: nft.transaction().add_elements(of, ["10.0.0.1"], timeout=wrong),
        lambda: build.add(of, build.ip.saddr, timeout=wrong),
    ):
        with pytest.raises(ValueError, match="timeout must be seconds, from 0 on, not"):
            make()


def test_counters_of_elements(nft: nftables.Conn) -> None:
    filled(nft, make_set(INET, "t", "one", KeyType.INET_SERVICE, each=[expr.Counter()]), [22])
    of = Set(family=INET, table="t", name="one")
    (entry,) = nft.entries(of)
    assert entry.element.expression == expr.wrap(expr.Counter(packets=0, bytes=0))
    assert "counter" in rulesets.nft("list set inet t one").stdout
    try:
        filled(nft, make_set(INET, "t", "two", KeyType.INET_SERVICE, each=[expr.Counter(), LIMIT]), [22])
    except TransactionError as error:
        pytest.skip(f"this kernel has one expression an element at most: {error}")
    (entry,) = nft.entries(of.replace(name="two"))
    assert [one.name for one in entry.element.expressions or ()] == ["counter", "limit"]
    with pytest.raises(TransactionError) as caught:
        filled(nft, make_set(INET, "t", "three", KeyType.INET_SERVICE, each=[expr.Counter(), LIMIT, expr.Last()]), [])
    assert caught.value.errno == errno.E2BIG


def test_a_full_set_is_named(nft: nftables.Conn) -> None:
    of = filled(nft, make_set(INET, "t", "s", KeyType.IPV4_ADDR, size=2), ["10.0.0.1"])
    tx = nft.transaction()
    tx.add_elements(of, ["10.0.0.2", "10.0.0.3"])
    with pytest.raises(TransactionError, match="the set is full") as caught:
        tx.commit()
    assert caught.value.errno == errno.ENFILE
    assert keys(nft, of) == [IPv4Address("10.0.0.1")]


def test_nft_sets_are_read_as_they_are_written(nft: nftables.Conn) -> None:
    rulesets.load(
        "table inet t { set a { type ipv4_addr . inet_service . mark; elements = { 10.0.0.1 . 80 . 0x5 }; };"
        " map d { type ipv4_addr : mark; flags interval; elements = { 10.0.0.0/24 : 5, 10.0.1.0/24 : 6 }; };"
        " set i { type ifname; elements = { lo }; }; }"
    )
    found = {one.name: [entry[:2] for entry in nft.entries(one)] for one in nft.sets(table="t")}
    assert found == {
        "a": [((IPv4Address("10.0.0.1"), 80, 5), None)],
        "d": [(IPv4Network("10.0.0.0/24"), 5), (IPv4Network("10.0.1.0/24"), 6)],
        "i": [("lo", None)],
    }


@pytest.mark.parametrize(
    ("type_", "wrong"),
    [
        (KeyType.IPV4_ADDR, ["10.0.0.256", "::1", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.9-10.0.0.1", 3.5, b"abc", None]),
        (KeyType.IPV4_ADDR, ["10.0.0.0/-1", "10.0.0.0/x", "", True, IPv6Network("::/0")]),
        (KeyType.INET_SERVICE, [65536, -1, "http", "80-", ("10.0.0.1", 80), 80.5, True, "8_0", " 80", "\u0663"]),
        (KeyType.ETHER_ADDR, ["2:0:0:0:0:1", "02:00:00:00:00:0g", "02:00:00:00:00", "0x02:00:00:00:00:01"]),
    ],
)
def test_keys_that_are_none(nft: nftables.Conn, type_: KeyType, wrong: list[Any]) -> None:
    of = make_set(INET, "t", "s", type_, interval=True)
    for one in wrong:
        with pytest.raises(ValueError, match="is no "):
            nft.transaction().add_elements(of, [one])


@pytest.mark.parametrize("wrong", ["", "x" * 16, 5, None, b"lo"])
def test_names_that_no_interface_has(nft: nftables.Conn, wrong: Any) -> None:
    with pytest.raises(ValueError, match="is no IFNAME"):
        nft.transaction().add_elements(make_set(INET, "t", "s", KeyType.IFNAME), [wrong])


def test_a_name_with_a_dash_beside_an_interval(nft: nftables.Conn) -> None:
    of = make_set(INET, "t", "s", (KeyType.IFNAME, KeyType.INET_SERVICE), interval=True)
    with nft.transaction() as tx:
        tx.add(Table(family=INET, name="t"))
        tx.add(of)
        tx.add_elements(of, [("br-lan", "80-90")])
    assert [entry.key for entry in nft.entries(of)] == [("br-lan", KeyRange(80, 90))]


def test_sets_that_cannot_be(nft: nftables.Conn) -> None:
    with pytest.raises(ValueError, match="has only its names"):
        nft.transaction().add_elements(Set(family=INET, table="t", name="s"), [1])
    with pytest.raises(ValueError, match="another type"):
        nft.transaction().add_elements(Set(family=INET, table="t", name="s", key_type=63), [1])
    with pytest.raises(ValueError, match="want 2 fields"):
        nft.transaction().add_elements(make_set(INET, "t", "s", (KeyType.MARK, KeyType.UID)), [(1, 2, 3)])
    for of, given in (
        (make_set(INET, "t", "s", KeyType.MARK), {1: 2}),
        (make_set(INET, "t", "s", KeyType.MARK, data=KeyType.MARK), [1]),
    ):
        with pytest.raises(TypeError, match="the set s takes"):
            nft.transaction().add_elements(of, given)
    with pytest.raises(ValueError, match="up to 128 bytes"):
        make_set(INET, "t", "s", KeyType.MARK, remark="x" * 200)


def test_host_byte_order_of_values(nft: nftables.Conn) -> None:
    of = filled(nft, make_set(INET, "t", "s", KeyType.MARK), [1])
    assert [one.key for one in nft.elements(of)] == [(1).to_bytes(4, sys.byteorder)]
    of = filled(nft, make_set(INET, "t", "p", KeyType.INET_SERVICE), [1])
    assert nft.get(ElementList(family=INET, table="t", set="p", elements=[Element(key=b"\0\1")])).elements


def test_elements_that_were_read_are_added_again(nft: nftables.Conn) -> None:
    of = filled(nft, make_set(INET, "t", "s", KeyType.IPV4_ADDR, timeout=0), ["192.0.2.1"], remark="by hand")
    with nft.transaction() as tx:
        tx.add_elements(of, ["192.0.2.2"], timeout=3600)
    before = nft.elements(of)
    with nft.transaction() as tx:
        tx.flush(of)
        tx.add_elements(of, before)
    assert sorted((one.key, one.timeout, one.userdata) for one in nft.elements(of)) == sorted(
        (one.key, one.timeout, one.userdata) for one in before
    )
    with nft.transaction() as tx:
        tx.delete_elements(of, before[:1])
    assert len(nft.elements(of)) == 1


def test_a_failure_has_the_elements_of_its_message(nft: nftables.Conn) -> None:
    of = filled(nft, make_set(INET, "t", "s", KeyType.INET_SERVICE), [1])
    tx = nft.transaction()
    tx.delete_elements(of, [1])
    tx.delete_elements(of, [2])
    with pytest.raises(TransactionError) as caught:
        tx.commit()
    ((row, command, record, error),) = caught.value.failures
    assert (row, command, error.errno) == (1, nftables.Command.DELSETELEM, errno.ENOENT)
    assert record == ElementList(family=INET, table="t", set="s", elements=[Element(key=b"\0\2")])
