"""Elements of sets by their keys, against what `ipaddress` and a plain merge in Python say."""

from __future__ import annotations

import array
import random
import sys
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest

from netlink import EncodeError
from netlink.netfilter.nftables import (
    Element,
    ElementFlags,
    ElementList,
    Family,
    KeyRange,
    KeyType,
    Set,
    expr,
    make_set,
)
from netlink.netfilter.nftables._elements import repeats
from netlink.netfilter.nftables.sets import entries_of, payloads_of
from netlink.schema import Batch

INET = Family.INET
IPV4, IPV6, PORT, MARK = KeyType.IPV4_ADDR, KeyType.IPV6_ADDR, KeyType.INET_SERVICE, KeyType.MARK
Span = tuple[int, int]


def a_set(key: Any, **options: Any) -> Set:
    return make_set(INET, "t", "s", key, **options)


def made(of: Set, keys: Any, **options: Any) -> list[Element]:
    lists = [ElementList.decode(payload) for payload in payloads_of(of, keys, **options)]
    assert {(one.family, one.table, one.set) for one in lists} <= {(INET, "t", "s")}
    return [element for one in lists for element in one.elements or ()]


def numbers(elements: Iterable[Element]) -> list[tuple[int, bool]]:
    """Keys as numbers, and whether they are ends."""
    return [(int.from_bytes(one.key or b"", "big"), one.flags == ElementFlags.INTERVAL_END) for one in elements]


def bounds(spans: Iterable[Span], bits: int) -> list[tuple[int, bool]]:
    """What intervals become: those that meet or overlap are one."""
    merged: list[list[int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    found: list[tuple[int, bool]] = []
    for first, last in merged:
        found.append((first, False))
        if last + 1 < 1 << bits:
            found.append((last + 1, True))
    return found


@pytest.mark.parametrize("bits", [32, 128])
def test_intervals_are_those_of_a_plain_merge(bits: int) -> None:
    rng = random.Random(bits)
    address, network = (IPv4Address, IPv4Network) if bits == 32 else (IPv6Address, IPv6Network)
    of = a_set(IPV4 if bits == 32 else IPV6, interval=True)
    top = (1 << bits) - 1
    for _ in range(200):
        base = rng.choice([0, rng.getrandbits(bits) & ~0xFFF, top - 0xFFF])
        keys: list[Any] = []
        spans: list[Span] = []
        for _ in range(rng.randrange(12)):
            first = base + rng.randrange(0x1000)
            kind = rng.randrange(6)
            if kind < 2:
                prefix = rng.randrange(bits - 12, bits + 1)
                net = network((first, prefix), strict=False)
                spans.append((int(net[0]), int(net[-1])))
                keys.append(net if kind else str(net))
            elif kind < 4:
                last = rng.randrange(first, base + 0x1000)
                spans.append((first, last))
                ends = address(first), address(last)
                keys.append(KeyRange(*ends) if kind == 2 else f"{ends[0]}-{ends[1]}")
            else:
                spans.append((first, first))
                keys.append(address(first) if kind == 4 else str(address(first)))
        assert numbers(made(of, keys)) == bounds(spans, bits)


def test_intervals_of_a_map_keep_their_values_apart() -> None:
    of = a_set(IPV4, interval=True, data=MARK)
    found = made(of, {"10.0.0.4-10.0.0.7": 1, "10.0.0.0/30": 1, "10.0.0.8/29": 2})
    marks = [one.data and int.from_bytes(one.data, sys.byteorder) for one in found]
    assert list(zip([str(IPv4Address(one.key or b"")) for one in found], marks, strict=True)) == [
        ("10.0.0.0", 1),
        ("10.0.0.8", None),
        ("10.0.0.8", 2),
        ("10.0.0.16", None),
    ]
    for other in ("10.0.0.3", "10.0.0.0/8", "10.0.0.0"):
        with pytest.raises(ValueError, match=r"intervals of s overlap, with the values (1 and 2|2 and 1)"):
            made(of, {"10.0.0.0/30": 1, other: 2})
    assert len(made(of, {"0.0.0.0/0": 1, "255.255.255.255": 1})) == 1
    with pytest.raises(ValueError, match="overlap"):
        made(of, {"0.0.0.0/0": 1, "255.255.255.255": 2})


TEXTS = [
    "1.2.3.4", "0.0.0.0", "255.255.255.255", "256.1.1.1", "01.2.3.4", "1.2.3", "1.2.3.4.", ".1.2.3", "1..2.3", "",
    "1.2.3.4 ", "1.2.3.1234", "1.2.3.4\0", "1.2.3.٤", "::", "::1", "2001:db8::1", "1::2::3", "::ffff:1.2.3.4", ":",
    "fe80::1%lo", "::1\0", "12345::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "x" * 100, "1.2.3.4/32", "1-2",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_texts_are_addresses_as_ipaddress_says(text: str) -> None:
    for type_, kind in ((IPV4, IPv4Address), (IPV6, IPv6Address)):
        try:
            wanted = kind(text).packed if "%" not in text else None
        except ValueError:
            wanted = None
        if wanted is None:
            with pytest.raises(ValueError, match=f"is no {type_.name}"):
                made(a_set(type_), [text])
        else:
            assert [one.key for one in made(a_set(type_), [text])] == [wanted]


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/0008x", "9.0.0.9-9.0.0.8", "1.1.1.1-", "/8"],
)
def test_texts_that_are_no_intervals(text: str) -> None:
    with pytest.raises(ValueError, match="is no "):
        made(a_set(IPV4, interval=True), [text])


def test_numbers_have_the_width_of_their_type() -> None:
    assert [one.key for one in made(a_set(PORT), [0, 80, 65535, "443"])] == [b"\0\0", b"\0P", b"\xff\xff", b"\1\xbb"]
    assert [one.key for one in made(a_set(MARK), [1, 0xFFFFFFFF])] == [(1).to_bytes(4, sys.byteorder), b"\xff" * 4]
    assert [one.key for one in made(a_set(KeyType.ETHER_ADDR), [1, "02:00:00:00:00:01"])] == [
        b"\0\0\0\0\0\1",
        b"\2\0\0\0\0\1",
    ]
    for wrong in (-1, 65536, 1 << 70, True, 1.5, None, "x", b"abc", object()):
        with pytest.raises(ValueError, match="is no INET_SERVICE"):
            made(a_set(PORT), [wrong])


def test_concatenations() -> None:
    plain, ranged = a_set([IPV4, PORT]), a_set([IPV4, PORT], interval=True)
    assert [one.key for one in made(plain, [("1.2.3.4", 80), (IPv4Address("1.2.3.5"), "81")])] == [
        b"\1\2\3\4\0\x50\0\0",
        b"\1\2\3\5\0\x51\0\0",
    ]
    (one,) = made(ranged, [("1.2.0.0/16", KeyRange(80, 90))], timeout=None)
    assert (one.key, one.key_end) == (b"\1\2\0\0\0\x50\0\0", b"\1\2\xff\xff\0\x5a\0\0")
    for wrong in ("1.2.3.4", ("1.2.3.4",), ("1.2.3.4", 80, 1), ["1.2.3.4", 80]):
        with pytest.raises(ValueError, match=r"is no key of s: want 2 fields"):
            made(plain, [wrong])


def test_values_of_maps() -> None:
    accept, jump = expr.Verdict(code=expr.VerdictCode.ACCEPT), expr.Verdict(code=expr.VerdictCode.JUMP, chain="c")
    found = made(a_set(PORT, data=expr.Verdict), {22: accept, 80: jump, 81: accept})
    assert [(one.key, one.verdict) for one in found] == [(b"\0\x16", accept), (b"\0P", jump), (b"\0Q", accept)]
    found = made(a_set(PORT, data=expr.ObjectType.COUNTER), {22: "a", 80: "b"}, remark="why")
    assert [(one.objref, one.userdata) for one in found] == [("a", b"\0\4why\0"), ("b", b"\0\4why\0")]
    found = made(a_set(IPV4, data=IPV6, timeout=0), {"1.2.3.4": "::1", "1.2.3.5": IPv6Address("::2")}, timeout=1.5)
    assert [(one.data, one.timeout) for one in found] == [(bytes(15) + b"\1", 1500), (bytes(15) + b"\2", 1500)]
    with pytest.raises(ValueError, match="is no IPV6_ADDR"):
        made(a_set(IPV4, data=IPV6), {"1.2.3.4": "1.2.3.4"})
    with pytest.raises(TypeError, match="keys without values"):
        made(a_set(IPV4), {"1.2.3.4": 1})
    with pytest.raises(TypeError, match="a mapping of keys to values"):
        made(a_set(IPV4, data=IPV6), ["1.2.3.4"])


@pytest.mark.parametrize("code", "BHILQbhilq")
def test_arrays_of_integers(code: str) -> None:
    given = array.array(code, [0, 1, 80, 127])
    for type_ in (IPV4, PORT, MARK, KeyType.INET_PROTO, KeyType.ETHER_ADDR):
        for order in (list(given), list(given)[::-1]):
            assert made(a_set(type_), array.array(code, order)) == made(a_set(type_), order if type_ is not IPV4 else
                                                                        [IPv4Address(n) for n in order])  # fmt: skip
    assert made(a_set(PORT), memoryview(given)[::2]) == made(a_set(PORT), [0, 80])
    ranges = a_set(IPV4, interval=True)
    assert numbers(made(ranges, given)) == [(0, False), (2, True), (80, False), (81, True), (127, False), (128, True)]
    if code.islower():
        with pytest.raises(ValueError, match="-1 is no INET_SERVICE"):
            made(a_set(PORT), array.array(code, [-1]))
    if code in "IL":
        with pytest.raises(ValueError, match="65536 is no INET_SERVICE"):
            made(a_set(PORT), array.array(code, [65536]))


def test_arrays_of_bytes() -> None:
    rows = b"".join(IPv6Address(n).packed for n in (1, 2, 3))
    view = memoryview(rows).cast("B", (3, 16))
    assert [one.key for one in made(a_set(IPV6), view)] == [IPv6Address(n).packed for n in (1, 2, 3)]
    assert len(made(a_set(IPV6, interval=True), view)) == 2
    both = memoryview(b"\1\2\3\4\0\x50\0\0").cast("B", (1, 8))
    assert made(a_set([IPV4, PORT]), both) == made(a_set([IPV4, PORT]), [("1.2.3.4", 80)])
    assert made(a_set([IPV4, PORT], interval=True), both) == made(a_set([IPV4, PORT], interval=True), [("1.2.3.4", 80)])
    with pytest.raises(TypeError, match="not one key"):  # bytes are one
        made(a_set(PORT), b"\1\2")


def test_arrays_that_have_no_keys() -> None:
    floats, doubles = array.array("f", [1.0]), memoryview(bytes(16)).cast("B", (2, 8))
    with pytest.raises(TypeError, match="has integers, not the format 'f'"):
        made(a_set(PORT), floats)
    with pytest.raises(TypeError, match="bytes with 16 columns, not"):
        made(a_set(IPV6), array.array("I", [1]))
    with pytest.raises(TypeError, match="bytes with 4 columns, or one of integers"):
        made(a_set(IPV4), doubles)
    with pytest.raises(TypeError, match="bytes with 8 columns, not"):
        made(a_set([IPV4, PORT]), array.array("I", [1]))


def test_arrays_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    addresses = numpy.array([0x0A000001, 0xFFFFFFFF], dtype=numpy.uint32)
    wanted = made(a_set(IPV4), ["10.0.0.1", "255.255.255.255"])
    for order in ("<u4", ">u4", "<u8", ">i8"):
        assert made(a_set(IPV4), addresses.astype(order)) == wanted
    assert made(a_set(IPV4), addresses.astype(">u4").view("u1").reshape(-1, 4)) == wanted
    assert made(a_set(IPV4), numpy.repeat(addresses, 3)[::3]) == wanted
    assert made(a_set(IPV4), addresses[:0]) == []
    with pytest.raises(ValueError, match="18446744073709551615 is no IPV4_ADDR"):
        made(a_set(IPV4), numpy.array([2**64 - 1], dtype="u8"))
    with pytest.raises(TypeError, match="not the format"):
        made(a_set(IPV4), addresses.astype("f8"))


def test_batches_are_taken_as_they_are() -> None:
    elements = [
        Element(key=b"\0P", timeout=5, expression=expr.wrap(expr.Counter(packets=1, bytes=2)), userdata=b"\0\2a\0"),
        Element(key=b"\0Q", flags=ElementFlags.INTERVAL_END),
        Element(key=b"\0R", key_end=b"\0S", verdict=expr.Verdict(code=expr.VerdictCode.GOTO, chain="c")),
        Element(),
    ]
    batch = Element.decode_many([one.encode() for one in elements] * 3000)
    assert made(a_set(PORT), batch) == elements * 3000
    assert made(a_set(PORT), batch[::-4]) == elements[-1:] * 3000
    with pytest.raises(TypeError, match="of their own"):
        made(a_set(PORT), batch, timeout=5)
    other: Batch[Any] = Set.decode_many([])
    with pytest.raises(TypeError, match="want a batch of Element"):
        made(a_set(PORT), other)
    with pytest.raises(EncodeError, match="longer than 65531 bytes"):
        made(a_set(PORT), Element.decode_many([Element(key=bytes(65_510), userdata=bytes(100)).encode()]))


def test_many_lists_have_room_for_all() -> None:
    for key, keys in ((PORT, range(65536)), (IPV4, [IPv4Address(n) for n in range(30_000)])):
        payloads = payloads_of(a_set(key, interval=False), keys)
        assert len(payloads) > 5
        assert all(len(one) <= 65_535 + 100 for one in payloads)
        assert [one for one, _ in numbers(made(a_set(key), keys))] == [int(one) for one in keys]
    assert payloads_of(a_set(PORT), []) == []


def test_what_is_added_is_read_again() -> None:
    for of, keys in (
        (a_set(IPV4, interval=True), [IPv4Network("10.0.0.0/8"), IPv4Address("192.0.2.1"), IPv4Network("255.0.0.0/8")]),
        (a_set([IPV4, PORT], interval=True), [(IPv4Network("10.0.0.0/8"), 80), (IPv4Address(1), KeyRange(1, 9))]),
        (a_set(MARK), [1, 5]),
    ):
        assert [one.key for one in entries_of(of, made(of, keys))] == keys


def test_what_iteration_raises_comes_through() -> None:
    def keys() -> Iterable[str]:
        yield "10.0.0.1"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        made(a_set(IPV4), keys())
    with pytest.raises(TypeError):
        made(a_set(IPV4), 5)


def test_repeats_are_found() -> None:
    def of(*keys: tuple[bytes | None, int | None]) -> Batch[Element]:
        return Element.decode_many([Element(key=key, flags=flags).encode() for key, flags in keys])

    def repeat(batch: Batch[Element]) -> bool:
        return repeats(batch, Element.key, Element.flags)

    assert not repeat(of())
    assert not repeat(of((b"a", None), (b"a", 1), (b"b", None), (b"", None)))
    assert repeat(of((b"a", None), (b"b", None), (b"a", None)))
    assert repeat(of((None, None), (None, None)))
    rng = random.Random(5)
    for _ in range(50):
        keys = [bytes(rng.randbytes(rng.randrange(1, 9))) for _ in range(2000)]
        pairs = [(key, None) for key in set(keys)]
        assert not repeat(of(*pairs))
        assert repeat(of(*pairs, rng.choice(pairs)))
    with pytest.raises(TypeError, match="fields of the records"):
        repeats(of(), Set.name, Element.flags)


class Raising:
    """An iterator that ends with an error, after some keys."""

    def __init__(self, *keys: Any) -> None:
        self.keys = list(keys)

    def __iter__(self) -> Raising:
        return self

    def __next__(self) -> Any:
        if not self.keys:
            raise RuntimeError("no more")
        return self.keys.pop(0)


class Changing(list[Any]):
    """A list that shrinks while it is read."""

    def __iter__(self) -> Any:
        for key in self[:]:
            self.clear()
            yield key


class Odd:
    """What calls itself a number, and is none."""

    def __index__(self) -> int:
        raise RuntimeError("no number")


def test_iterables_that_fail_or_change() -> None:
    for of in (a_set(PORT), a_set(PORT, interval=True), a_set((PORT, PORT))):
        key: Any = (1, 2) if of.key_len == 8 else 1
        with pytest.raises(RuntimeError, match="no more"):
            made(of, Raising(key, key))
        assert made(of, Changing([key])) == made(of, [key])
        with pytest.raises(RuntimeError, match="no number"):
            made(of, [(1, Odd()) if of.key_len == 8 else Odd()])
    keys: list[Any] = [1]

    class Clearing:
        def __index__(self) -> int:
            keys.clear()
            return 7

    keys += [Clearing(), 9]
    assert [one.key for one in made(a_set(PORT), keys)] == [b"\0\1", b"\0\7"]


def test_records_of_elements_in_a_list() -> None:
    elements = made(a_set(PORT), range(3000))
    assert made(a_set(PORT), elements) == made(a_set(PORT), tuple(elements)) == elements
    with pytest.raises(TypeError, match="want records of Element"):
        made(a_set(PORT), [*elements, 5])
    with pytest.raises(ValueError, match="is no INET_SERVICE"):
        made(a_set(PORT), [5, *elements])
    with pytest.raises(TypeError, match="of their own"):
        made(a_set(PORT), elements, timeout=5)
    assert made(a_set(PORT), []) == []
    too_long = Element(key=b"1234", userdata=bytes(65000), key_end=bytes(600))
    with pytest.raises(EncodeError, match="row 1: an attribute is longer"):
        made(a_set(PORT), [elements[0], too_long])


def test_arrays_of_other_layouts() -> None:
    numpy = pytest.importorskip("numpy")
    numbers_ = numpy.arange(1, 9, dtype=numpy.uint16)
    wanted = made(a_set(PORT), range(1, 9))
    for each in (
        numbers_.astype(">u2"),
        numbers_.astype("<u2"),
        numbers_.astype(">i8"),
        numpy.stack([numbers_, numbers_], axis=1)[:, 0],  # every second
        numpy.repeat(numbers_, 3)[::3],
    ):
        assert made(a_set(PORT), each) == wanted
    assert made(a_set(PORT), numbers_[::-1]) == wanted[::-1]
    assert made(a_set(PORT, interval=True), numbers_[::-1]) == made(a_set(PORT, interval=True), ["1-8"])
    rows = numpy.frombuffer(b"".join(one.key or b"" for one in wanted), dtype=numpy.uint8).reshape(8, 2)
    for each in (rows, numpy.asfortranarray(rows), numpy.repeat(rows, 2, axis=0)[::2]):
        assert made(a_set(PORT), each) == wanted
    assert made(a_set(PORT), numpy.zeros(0, dtype=numpy.uint16)) == []
    for wrong, error in (
        (numpy.array(5, dtype=numpy.uint16), TypeError),
        (numpy.zeros((2, 2, 2), dtype=numpy.uint8), TypeError),
        (numpy.zeros((2, 3), dtype=numpy.uint8), TypeError),
        (numpy.zeros(3), TypeError),
        (numpy.zeros(3, dtype=bool), TypeError),
        (numpy.zeros(3, dtype=[("a", "u1"), ("b", "u2")]), TypeError),
        (numpy.array(["1"], dtype=object), (TypeError, ValueError, BufferError)),
        (numpy.array([1, 65536], dtype=numpy.uint32), ValueError),
        (numpy.array([-1], dtype=numpy.int8), ValueError),
    ):
        with pytest.raises(error):
            made(a_set(PORT), wrong)
    with pytest.raises(TypeError, match="an array of bytes with 8 columns"):
        made(a_set((PORT, PORT)), numbers_)


def test_intervals_of_host_order_keys_are_in_network_order() -> None:
    numpy = pytest.importorskip("numpy")
    of = a_set(MARK, interval=True)
    wanted = [(1, False), (10, True), (256, False), (257, True)]
    assert numbers(made(of, ["1-9", 256])) == wanted
    assert numbers(made(of, numpy.array([256, *range(1, 10)], dtype=numpy.uint32))) == wanted
    assert [one.key for one in entries_of(of, made(of, ["1-9", 256]))] == [KeyRange(1, 9), 256]
    pairs = a_set((MARK, PORT), interval=True)
    (one,) = made(pairs, [("1-9", 80)])
    assert (one.key, one.key_end) == (b"\0\0\0\1\0\x50\0\0", b"\0\0\0\x09\0\x50\0\0")
    assert [each.key for each in entries_of(pairs, [one])] == [(KeyRange(1, 9), 80)]
    names = a_set(KeyType.IFNAME, interval=True)
    assert [each.key for each in entries_of(names, made(names, ["lo", "eth*", "eth0"]))] == ["eth*", "lo"]


ONES = [5, None, object(), 1.5, "10.0.0.1", b"\1\2", bytearray(2), {"a": 1}, {1: 2}, IPv4Network("10.0.0.0/30")]


@pytest.mark.parametrize("keys", [*ONES, KeyRange("10.0.0.1", "10.0.0.2")])
def test_what_is_no_collection_of_keys(keys: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        made(a_set(IPV4), keys)
