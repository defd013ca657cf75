"""Dumps in parts: how a table is split, what comes twice, and how the parts become one batch."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable

import pytest

from netlink._engine.parts import Doubles, Whole
from netlink._io import parts
from netlink._io.parts import check_parallel, split
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import Flow, Status, Tuple
from netlink.schema import Batch

KEY = [("id",), ("zone",), ("orig", "src"), ("orig", "src_port")]
ALL = 0xFFFFFFFF
TOTAL = 1_000_000


def flow(number: int, **values: object) -> Flow:
    given = {"id": number, "mark": 0} | values
    return Flow(
        orig=Tuple(src="192.0.2.1", dst="192.0.2.2", proto=17, src_port=number % 65536, dst_port=53),
        reply=Tuple(src="192.0.2.2", dst="192.0.2.1", proto=17, src_port=53, dst_port=number % 65536),
        **given,
    )


def batch(flows: Iterable[Flow]) -> Batch[Flow]:
    return Flow.decode_many([one.encode() for one in flows])


# Splitting


def leaf_of(leaves: list[parts.Leaf], values: tuple[int, ...]) -> list[int]:
    """The parts that have an object."""
    return [
        i
        for i, leaf in enumerate(leaves)
        if all(value & mask == bits for value, mask, bits in zip(values, leaf.masks, leaf.bits, strict=True))
    ]


@pytest.mark.parametrize("threads", [2, 3, 4, 7, 64])
@pytest.mark.parametrize(
    "make",
    [
        lambda chance: (2, chance.getrandbits(32), 0),
        lambda chance: (chance.choice((2, 10)), chance.randrange(3), chance.choice((8, 10, 14, 14))),
        lambda chance: (2, 0, chance.choice((8, 14, 14, 14, 14))),
        lambda chance: (2, 1 << chance.randrange(4), 14),
    ],
)
def test_every_object_is_in_one_part(threads: int, make: object) -> None:
    chance = random.Random(threads)
    sample = [make(chance) for _ in range(500)]  # type: ignore[operator]
    leaves = split(sample, (8, ALL, ALL), threads, TOTAL, len(sample))
    assert 1 <= len(leaves) <= 2 * threads
    assert [leaf.share for leaf in leaves] == sorted((leaf.share for leaf in leaves), reverse=True)
    assert sum(leaf.share for leaf in leaves) == pytest.approx(1)
    # Not only those of the sample.
    others = [(chance.choice((2, 10)), chance.getrandbits(32), chance.getrandbits(16)) for _ in range(500)]
    for values in sample + others:
        assert len(leaf_of(leaves, values)) == 1


def test_the_most_even_split_is_chosen() -> None:
    sample = [(2, n & 0x10 | int(n % 10 == 0), 14) for n in range(512)]
    leaves = split(sample, (8, ALL, ALL), 2, TOTAL, len(sample))
    assert [leaf.masks for leaf in leaves] == [(0, 0x10, 0)] * 2


def test_bits_that_change_less_are_preferred() -> None:
    sample = [(2, n % 2, 8 + 4 * (n % 2)) for n in range(512)]
    assert {leaf.masks for leaf in split(sample, (8, ALL, ALL), 2, TOTAL, 512)} == {(0, 1, 0)}
    # Unless they cannot be used.
    assert {leaf.masks for leaf in split(sample, (8, 0, ALL), 2, TOTAL, 512)} == {(0, 0, 4)}


def test_an_uneven_table_is_split_again() -> None:
    # No bit has more than a quarter, but two of them have a half.
    sample = [(2, 1 << n % 4, 14) for n in range(512)]
    leaves = split(sample, (8, ALL, ALL), 2, TOTAL, 512)
    assert [leaf.share for leaf in leaves] == [0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    "sample",
    [
        [],
        [(2, 0, 14)] * 512,
        [(2, 0, 14)] * 500 + [(2, 1, 14)] * 12,
    ],
)
def test_a_table_that_does_not_split(sample: list[tuple[int, ...]]) -> None:
    assert len(split(sample, (8, ALL, ALL), 4, TOTAL, 512)) <= 1


def test_few_selected_objects_are_no_faster_in_parts() -> None:
    sample = [(2, n, 14) for n in range(10)]
    assert len(split(sample, (8, ALL, ALL), 2, TOTAL, 512)) == 1


@pytest.mark.parametrize(("wrong", "error"), [(0, ValueError), (65, ValueError), (True, TypeError), (2.0, TypeError)])
def test_a_wrong_number_of_parts(wrong: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="parallel must be"):
        check_parallel(wrong)
    with conntrack.dial() as ct:
        for call in (ct.dump, ct.iter_dump, ct.calls.dump):
            with pytest.raises(error, match="parallel must be"):
                call(parallel=wrong)


# Doubles


def test_doubles_are_removed() -> None:
    doubles = Doubles(Flow, KEY)
    first, second = batch(flow(n) for n in range(100)), batch(flow(n, mark=1) for n in range(50, 150))
    doubles.remove(first)
    doubles.remove(second)
    assert [one.id for one in first] == list(range(100))
    assert [(one.id, one.mark, one.orig.src_port) for one in second] == [(n, 1, n) for n in range(100, 150)]
    doubles.remove(second)
    assert len(second) == 0
    assert list(second) == []


def test_only_the_whole_key_makes_a_double() -> None:
    doubles = Doubles(Flow, KEY)
    others = [flow(1), flow(1, zone=3), flow(1, zone=4), flow(65537), flow(1).replace(orig=flow(2).orig)]
    got = batch(others)
    doubles.remove(got)
    assert len(got) == len(others)
    # Neither the mark nor the status is part of it.
    again = batch(one.replace(mark=7, status=Status.ASSURED) for one in others)
    doubles.remove(again)
    assert len(again) == 0


@pytest.mark.parametrize("rows", [0, 10, 20_000])
def test_many_records(rows: int) -> None:
    doubles = Doubles(Flow, KEY, rows)
    for start in range(0, 20_000, 1000):
        got = batch(flow(n) for n in range(start, start + 1000))
        doubles.remove(got)
        assert len(got) == 1000
    for start in range(0, 20_000, 1000):
        got = batch(flow(n) for n in range(start, start + 1000))
        doubles.remove(got)
        assert len(got) == 0


def test_what_a_record_refers_to_stays_with_it() -> None:
    doubles = Doubles(Flow, KEY)
    doubles.remove(batch([flow(1, helper="ftp")]))
    got = batch([flow(1, helper="ftp"), flow(2, helper="sip"), flow(3), flow(4, helper="irc")])
    doubles.remove(got)
    assert [one.helper for one in got] == ["sip", None, "irc"]


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="has no field"):
        Doubles(Flow, [("ids",)])
    with pytest.raises(ValueError, match="at most 128 bytes"):
        Doubles(Flow, [("id",)] * 33)
    for add in (Doubles(Flow, KEY).remove, Whole(Flow).add):
        with pytest.raises(TypeError, match="not a batch of the declaration"):
            add(Tuple.decode_many([]))  # type: ignore[arg-type]


# One batch


@pytest.mark.parametrize("rows", [0, 150, 1000])
def test_one_batch_of_many(rows: int) -> None:
    whole = Whole(Flow, rows)
    for start in range(0, 1000, 100):
        whole.add(batch(flow(n, helper="ftp" if n % 250 == 3 else None) for n in range(start, start + 100)))
    whole.add(batch([]))
    got = whole.finish()
    assert {one.id: one.helper for one in got} == {n: "ftp" if n % 250 == 3 else None for n in range(1000)}
    assert sorted(got, key=lambda one: one.id) == [flow(n, helper="ftp" if n % 250 == 3 else None) for n in range(1000)]
    assert got.interrupted is False


def test_no_batch_at_all() -> None:
    got = Whole(Flow, 100).finish()
    assert len(got) == 0
    assert got == batch([])


def test_threads_that_add(request: pytest.FixtureRequest) -> None:
    whole = Whole(Flow, 20_000)
    doubles = Doubles(Flow, KEY, 10)

    def run(first: int) -> None:
        for start in range(first, first + 5000, 50):
            got = batch(flow(n) for n in range(start, start + 50))
            doubles.remove(got)
            whole.add(got)

    # Each second one overlaps with the one before.
    threads = [threading.Thread(target=run, args=(first,)) for first in (0, 2500, 10_000, 12_500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = whole.finish()
    assert sorted(one.id for one in got) == [*range(7500), *range(10_000, 17_500)]
