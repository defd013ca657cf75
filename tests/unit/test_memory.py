"""The memory of records: rare fields that lie apart, and the pool of what large batches leave behind."""

from __future__ import annotations

import copy
import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import pytest

from netlink import DecodeError
from netlink.match import Condition, Match
from netlink.netfilter.conntrack import Flow, ProtoInfo, SCTPInfo, Tuple
from netlink.netfilter.nfnetlink import NfGenMsg
from netlink.schema import (
    AttributeSet,
    Struct,
    array,
    event,
    ip,
    nested,
    release_memory,
    repeated,
    string,
    struct,
    submessage,
    u8,
    u16,
    u32,
    view,
)


class Kind(IntEnum):
    NEW = 1


class Pair(Struct):
    a = u8()
    b = u8()


class Leaf(AttributeSet):
    number = u32(1)


RARE = ("text", "address", "leaf", "pair", "leaves", "numbers", "inside")


class Row(AttributeSet, header=NfGenMsg, rare=RARE):
    number = u32(1)
    text = string(2)
    address = ip(3)
    leaf = nested(4, Leaf)
    pair = struct(5, Pair)
    leaves = array(6, Leaf)
    numbers = repeated(7, u16)
    inside = u32((8, 1))
    outside = u32((8, 2))


FULL = {
    "number": 1, "text": "x", "address": "2001:db8::1", "leaf": Leaf(number=7), "pair": Pair(a=1, b=2),
    "leaves": (Leaf(number=1), Leaf()), "numbers": (3, 4), "inside": 5, "outside": 6,
}  # fmt: skip


def test_a_flow_without_rare_fields_is_small() -> None:
    flow = Flow(orig=Tuple(src="192.0.2.1", dst="198.51.100.1", proto=17, src_port=1, dst_port=2), mark=1)
    batch = Flow.decode_many([flow.encode()] * 1000)
    assert batch.nbytes <= 170 * 1000
    with_labels = Flow.decode_many([flow.replace(labels=bytes(16)).encode()] * 1000)
    assert with_labels.nbytes > batch.nbytes + 16 * 1000


@pytest.mark.parametrize("name", RARE)
def test_each_rare_field_alone(name: str) -> None:
    row = Row(**{name: FULL[name]})
    for other in (
        row,
        Row.decode(row.encode()),
        copy.copy(row),
        pickle.loads(pickle.dumps(row)),
        row.replace(number=2),
    ):
        assert getattr(other, name) == getattr(row, name)
        assert [n for n in RARE if getattr(other, n) is not None] == [name]
    batch = Row.decode_many([row.encode(), Row(number=1).encode()] * 5)
    assert [getattr(each, name) for each in batch[:2]] == [getattr(row, name), None]
    assert batch[0] == Row.decode(row.encode())


def test_all_rare_fields() -> None:
    row = Row(**FULL)
    read = Row.decode(row.encode())
    for made in (row, read):
        assert str(made.address) == "2001:db8::1"
        assert (made.leaf, made.pair, made.leaves) == (FULL["leaf"], FULL["pair"], FULL["leaves"])
        assert (made.text, made.numbers, made.inside, made.outside) == ("x", (3, 4), 5, 6)
    assert Row.decode_many([row.encode()] * 20)[19] == read
    assert read.to_dict() == Row(**FULL, header=NfGenMsg(family=0, version=0, res_id=0)).to_dict()


def test_unknown_attributes_within_a_rare_field() -> None:
    inner = Leaf(number=7).encode() + b"\x05\x00\x63\x00z\0\0\0"
    payload = bytes(4) + (4 + len(inner)).to_bytes(2, "little") + b"\x04\x00" + inner + b"\x05\x00\x62\x00y\0\0\0"
    for row in (Row.decode(payload), copy.copy(Row.decode(payload)), Row.decode_many([payload] * 9)[8]):
        assert row.unknown == ((0x62, b"y"),)
        assert row.leaf.unknown == ((0x63, b"z"),)
        assert copy.copy(row.leaf).unknown == ((0x63, b"z"),)


def test_the_last_of_several_rare_attributes_counts() -> None:
    first, last = Row(**FULL), Row(leaf=Leaf(), leaves=(), text="last", pair=Pair(a=9, b=9))
    row = Row.decode(first.encode() + last.encode()[4:])
    assert (row.leaf, row.leaves, row.text, row.pair) == (Leaf(), (), "last", Pair(a=9, b=9))
    assert row.number == 1
    many = Row.decode(bytes(4) + Row(leaf=Leaf(number=1)).encode()[4:] * 5000)
    assert many.leaf == Leaf(number=1)
    batch = Row.decode_many([bytes(4) + Row(leaf=Leaf(number=1)).encode()[4:] * 5000])
    assert batch.nbytes < 1000


def test_a_fault_in_a_rare_field_names_it() -> None:
    payload = bytes(4) + b"\x0a\x00\x04\x00" + b"\x06\x00\x01\x00" + b"ab" + bytes(2)
    with pytest.raises(DecodeError, match=r"Row\.leaf\.number: want 4 bytes, got 2"):
        Row.decode(payload)


def test_arrow_and_numpy_have_rare_fields() -> None:
    np = pytest.importorskip("numpy")
    batch = Row.decode_many([Row(**FULL).encode(), Row(number=2).encode()])
    assert "inside" not in batch.to_numpy().dtype.names
    assert "outside" in batch.to_numpy().dtype.names
    chosen = batch.to_numpy("inside", "leaf.number", "address")
    assert chosen.dtype.names == ("inside", "leaf_number", "address")
    assert chosen["inside"].tolist() == [5, 0]
    assert chosen["leaf_number"].tolist() == [7, 0]
    assert chosen["address"][0].tobytes().hex() == "20010db8" + "0" * 23 + "1"
    assert np.asarray(batch["inside"]).tolist() == [5, 0]
    with pytest.raises(TypeError, match="text has no fixed size"):
        batch.to_numpy("text")
    with pytest.raises(KeyError, match="no column 'none'"):
        batch.to_numpy("none")
    with pytest.raises(ValueError, match="number"):
        batch.to_numpy("number", "number")
    pa = pytest.importorskip("pyarrow")
    columns = pa.RecordBatchReader.from_stream(batch).read_all()
    assert columns["text"].to_pylist() == ["x", None]
    assert columns["leaf_number"].to_pylist() == [7, None]
    assert columns["leaves"].to_pylist() == [[{"number": 1}, {"number": None}], None]


def test_what_cannot_be_rare() -> None:
    for fields, name, why in (
        ({"a": u8(1)}, "b", "no field"),
        ({"a": view(1)}, "a", "cannot be rare"),
        ({"a": event(Kind)}, "a", "cannot be rare"),
        ({"a": u8(1), "b": submessage(2, on="a", cases={1: Leaf})}, "b", "cannot be rare"),
        ({"a": u8(1), "b": submessage(2, on="a", cases={1: Leaf})}, "a", "beside it"),
        ({"a": ip(1), "b": u8(2, type6=3, of="a")}, "b", "cannot be rare"),
        ({"a": ip(1), "b": u8(2, type6=3, of="a")}, "a", "cannot be rare"),
    ):
        with pytest.raises(TypeError, match=why):
            type(AttributeSet)("Wrong", (AttributeSet,), dict(fields), rare=(name,))
    for path in (("inside",), ("leaf", "number")):
        with pytest.raises(TypeError, match=r"neither an integer|has no fields"):
            Match(Row, [[Condition([path], [(1, 1)])]])


def test_conntrack_protocols_that_are_rare() -> None:
    flow = Flow(protoinfo=ProtoInfo(sctp=SCTPInfo(state=3, vtag_original=7)))
    read = Flow.decode(flow.encode())
    assert read.protoinfo is not None
    assert read.protoinfo.sctp == SCTPInfo(state=3, vtag_original=7)
    assert read.protoinfo.tcp is None


# The pool


@contextmanager
def an_empty_pool() -> Iterator[None]:
    release_memory()
    yield
    release_memory()


def large(rows: int = 30_000) -> Any:
    return Flow.decode_many([Flow(mark=i, orig=Tuple(src="2001:db8::1")).encode() for i in range(100)] * (rows // 100))


def test_a_large_batch_leaves_its_memory() -> None:
    with an_empty_pool():
        batch = large()
        assert release_memory() <= 8 << 20  # blocks that it outgrew
        assert release_memory() == 0
        size = batch.nbytes
        del batch
        again = large()
        assert [flow.mark for flow in again[::10_000]] == [0, 0, 0]
        del again
        kept = release_memory()
        assert size <= kept <= 136 << 20
        assert release_memory() == 0


def test_a_small_batch_leaves_nothing() -> None:
    with an_empty_pool():
        large(100)
        assert release_memory() == 0


def test_what_is_kept_is_bounded() -> None:
    with an_empty_pool():
        batches = [large() for _ in range(12)]
        del batches
        assert 0 < release_memory() <= 136 << 20


def test_the_pool_in_threads() -> None:
    wrong: list[Any] = []

    def work(mark: int) -> None:
        payloads = [Flow(mark=mark, orig=Tuple(src="2001:db8::1")).encode()] * 30_000
        for _ in range(5):
            batch = Flow.decode_many(payloads)
            wrong.extend(flow.mark for flow in batch[:: len(batch) // 50] if flow.mark != mark)
            wrong.extend(str(f.orig.src) for f in batch[::10_000] if str(f.orig.src) != "2001:db8::1")

    with an_empty_pool():
        threads = [threading.Thread(target=work, args=(mark,)) for mark in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_the_pool_after_a_fork() -> None:
    with an_empty_pool():
        large()
        child = os.fork()
        if not child:
            done = 1
            try:
                flows = large()
                done = 0 if flows[29_999].mark == 99 and str(flows[5].orig.src) == "2001:db8::1" else 2
            finally:
                os._exit(done)
        here = large()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert here[29_999].mark == 99
