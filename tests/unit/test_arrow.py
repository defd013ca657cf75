"""Batches as Arrow columns, read by those who read them: pyarrow, Polars and DuckDB."""

from __future__ import annotations

import ipaddress
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_schema_properties import (
    Everything,
    Stats,
    Status,
    all_stats,
    attributes,
    integers,
    lladdrs,
    macs,
    optional,
    values,
)

from netlink import DecodeError
from netlink._engine.arrow import Column, Columns
from netlink.netfilter.conntrack import Flow
from netlink.netfilter.nflog import Packet
from netlink.schema import (
    AttributeSet,
    Bitfield32,
    Record,
    SocketAddress,
    Struct,
    array,
    be16,
    be32,
    be64,
    binary,
    bitfield32,
    event,
    flag,
    ip,
    ipv4,
    ipv6,
    key,
    lladdr,
    mac,
    nested,
    packed,
    repeated,
    s8,
    s64,
    string,
    submessage,
    u8,
    u32,
    u64,
    view,
)

pa = pytest.importorskip("pyarrow")

some = settings(deadline=None, max_examples=60)


class Kind(IntEnum):
    FIRST = 1
    SECOND = 2


class Signed(IntEnum):
    BELOW = -1
    HIGH = 1 << 40


class What(IntFlag):
    NEW = 1
    GONE = 4


class Leaf(AttributeSet):
    kind = u8(1, enum=Kind)
    bits = bitfield32(2)


class Vlan(AttributeSet):
    id = u32(1)


class Via(Struct):
    kind = u8(enum=Kind)
    via = ipv4()


class Step(AttributeSet):
    number = key()
    kind = u8(1, enum=Kind)


class Rest(AttributeSet):
    """What `Everything` has not."""

    signed = s8(1, enum=Signed)
    wide = s64(2, enum=Signed)
    bits = bitfield32(3)
    flags = array(4, flag)
    macs = array(5, mac)
    links = array(14, lladdr)
    ips = array(6, ip)
    bitfields = array(7, bitfield32)
    leaves = repeated(8, Leaf)
    blobs = repeated(9, binary)
    payload = view(10)
    what = event(What)
    kind = event(Kind)
    chosen = u8(11, enum=Kind)
    by_kind = submessage(12, on="chosen", cases={Kind.FIRST: Vlan, 7: Leaf})
    numbers = packed(13, u64)
    kinds = repeated(15, u8(enum=Kind))
    hops = packed(16, Via)
    steps = array(17, Step, depth=2)


bitfields = st.builds(Bitfield32, integers(4), integers(4))
hops = st.builds(Via, kind=integers(1), via=st.ip_addresses(v=4))
leaves = optional(kind=integers(1), bits=bitfields).map(lambda v: Leaf(**v))
rests = st.builds(
    lambda a, b: {**a, **b},
    optional(
        signed=integers(1, True), wide=integers(8, True) | st.sampled_from(Signed), bits=bitfields,
        flags=st.lists(st.just(True), max_size=3), macs=st.lists(macs, max_size=3), links=st.lists(lladdrs, max_size=3),
        ips=st.lists(st.ip_addresses(), max_size=3), bitfields=st.lists(bitfields, max_size=3),
        leaves=st.lists(leaves, min_size=1, max_size=3), blobs=st.lists(st.binary(max_size=5), min_size=1, max_size=3),
        kinds=st.lists(integers(1), min_size=1, max_size=3), hops=st.lists(hops, max_size=3),
        steps=st.lists(st.builds(Step, kind=st.none() | integers(1), number=integers(1)), max_size=3),
        payload=st.binary(max_size=40), numbers=st.lists(integers(8), max_size=4),
    ),
    st.sampled_from([{}, {"chosen": 1, "by_kind": Vlan(id=9)}, {"chosen": 7, "by_kind": Leaf(kind=3)},
                     {"chosen": 2, "by_kind": b"raw"}, {"chosen": 9}]),
)  # fmt: skip


def text_of(address: Any) -> str:
    mapped = getattr(address, "ipv4_mapped", None)  # whose text depends on Python's version
    return f"::ffff:{mapped}" if mapped else str(address)


def sixteen(address: Any) -> bytes:
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def expected(record: Record, address: Any, prefix: str = "") -> dict[str, Any]:
    """The columns that a record has values in, by what its fields read as."""
    out: dict[str, Any] = {}
    for field in type(record).__fields__.values():
        value = getattr(record, field.name)
        name = prefix + field.name
        if value is None:
            continue
        if isinstance(value, Record):
            for key, cls in field.cases or ():
                if type(value) is cls:
                    name += f"_{key.name.lower() if isinstance(key, IntEnum) else key}"
            out |= expected(value, address, f"{name}_")
        elif isinstance(value, (Bitfield32, SocketAddress)):
            out |= {f"{name}_{part}": item(one, address) for part, one in value._asdict().items()}
        elif isinstance(value, tuple):
            names = (field if field.item is None else field.item).enum is not None
            out[name] = [named(part) if names else item(part, address) for part in value]
        elif field.enum is not None and issubclass(field.enum, IntEnum):
            out[name] = named(value)
        else:
            out[name] = item(value, address)
    return out


def named(value: int) -> str:
    return value.name if isinstance(value, IntEnum) else str(value)


def item(value: Any, address: Any) -> Any:
    if isinstance(value, Record):
        return expected(value, address)
    if isinstance(value, (Bitfield32, SocketAddress)):
        return {part: item(one, address) for part, one in value._asdict().items()}
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return address(value)
    return bytes(value) if isinstance(value, memoryview) else value


def present(value: Any) -> Any:
    """A row without its nulls."""
    if isinstance(value, dict):
        return {name: present(part) for name, part in value.items() if part is not None}
    return [present(part) for part in value] if isinstance(value, list) else value


def table(source: Any) -> Any:
    out = pa.table(source)
    out.validate(full=True)
    return out


def rows(source: Any) -> list[Any]:
    return [present(row) for row in table(source).to_pylist()]


def check(cls: Any, payloads: list[bytes]) -> None:
    batch = cls.decode_many(payloads)
    for address, columns in ((text_of, batch), (sixteen, batch.arrow("binary"))):
        want = [expected(record, address) for record in batch]
        assert rows(columns) == want
        one = pa.record_batch(columns)
        one.validate(full=True)
        assert [present(row) for row in one.to_pylist()] == want
    assert rows(batch[::-2]) == [expected(record, text_of) for record in batch[::-2]]
    assert table(batch[1:1]).schema == table(batch).schema


@some
@given(st.lists(values, max_size=4))
def test_columns_are_what_records_say(given_: list[dict[str, Any]]) -> None:
    check(Everything, [Everything(**one).encode() for one in given_])


@some
@given(st.lists(rests, max_size=4))
def test_columns_of_the_other_kinds(given_: list[dict[str, Any]]) -> None:
    check(Rest, [Rest(**one).encode() for one in given_])


@some
@given(st.lists(all_stats | st.none(), max_size=4))
def test_columns_of_structs(given_: list[Any]) -> None:
    check(Stats, [one.encode() if one else b"" for one in given_])


@some
@given(attributes(3))
def test_columns_of_any_attributes(payload: bytes) -> None:
    try:
        batch = Everything.decode_many([bytes(8) + payload] * 2)
    except DecodeError:
        return
    table(batch)


def test_types() -> None:
    schema = table(Rest.decode_many([])).schema
    assert {name: str(type_) for name, type_ in zip(schema.names, schema.types, strict=True)} == {
        "signed": "dictionary<values=string, indices=int32, ordered=0>",
        "wide": "dictionary<values=string, indices=int32, ordered=0>",
        "bits_value": "uint32",
        "bits_selector": "uint32",
        "flags": "list<item: bool>",
        "macs": "list<item: string>",
        "links": "list<item: string>",
        "ips": "list<item: string>",
        "bitfields": "list<item: struct<value: uint32, selector: uint32>>",
        "leaves": "list<item: struct<kind: dictionary<values=string, indices=int32, ordered=0>, "
        "bits_value: uint32, bits_selector: uint32>>",
        "blobs": "list<item: binary>",
        "payload": "binary",
        "kinds": "list<item: dictionary<values=string, indices=int32, ordered=0>>",
        "hops": "list<item: struct<kind: dictionary<values=string, indices=int32, ordered=0>, via: string>>",
        "steps": "list<item: struct<number: uint16, kind: dictionary<values=string, indices=int32, ordered=0>>>",
        "what": "uint8",
        "kind": "dictionary<values=string, indices=int32, ordered=0>",
        "chosen": "dictionary<values=string, indices=int32, ordered=0>",
        "by_kind": "binary",
        "by_kind_first_id": "uint32",
        "by_kind_7_kind": "dictionary<values=string, indices=int32, ordered=0>",
        "by_kind_7_bits_value": "uint32",
        "by_kind_7_bits_selector": "uint32",
        "numbers": "list<item: uint64>",
    }
    binary_ = table(Rest.decode_many([]).arrow("binary")).schema
    assert str(binary_.field("ips").type) == "list<item: fixed_size_binary[16]>"
    assert all(field.nullable for field in schema)


@pytest.mark.parametrize("cls", [Flow, Packet, Everything])
def test_names_are_those_of_numpy(cls: Any) -> None:
    pytest.importorskip("numpy")
    batch = cls.decode_many([])
    names = table(batch).schema.names
    assert [name for name in names if name in batch.to_numpy().dtype.names] == list(batch.to_numpy().dtype.names)
    assert len(names) == len(set(names))


def test_two_columns_of_one_name() -> None:
    class Inner(AttributeSet):
        b = u8(1)

    class Outer(AttributeSet):
        a = nested(1, Inner)
        a_b = u8(2)

    with pytest.raises(ValueError, match="'a_b'"):
        Outer.decode_many([]).__arrow_c_schema__()


def test_addresses_has_two_values() -> None:
    batch = Rest.decode_many([])
    with pytest.raises(ValueError, match='"text" or "binary"'):
        batch.arrow("bytes")
    with pytest.raises(TypeError):
        batch.arrow(None)
    with pytest.raises(TypeError):
        Columns.__new__(Columns).__arrow_c_stream__()
    with pytest.raises(TypeError):
        Columns(None)  # type: ignore[arg-type]
    assert len(batch.arrow()) == 0
    assert repr(batch.arrow()) == "<Columns of <Batch of 0 Rest>>"


class One(AttributeSet):
    text = string(1)
    number = be16(2)
    kind = be32(3, enum=Kind)
    address = ipv6(4)
    items = array(5, u8)
    on = flag(6)
    seldom = nested(7, Vlan, rare=True)


WHOLE = {"text": "x", "number": 5, "kind": Kind.SECOND, "address": "::1", "items": [1, 2], "on": True,
         "seldom": Vlan(id=3)}  # fmt: skip


@pytest.mark.parametrize("count", [1, 7, 8, 9, 255, 256, 257, 511, 512, 513, 1000])
@pytest.mark.parametrize("at", [0, 1, 254, 255, 256, 257, 511, 999])
def test_nulls_before_and_behind(count: int, at: int) -> None:
    full, empty = One(**WHOLE).encode(), b""  # type: ignore[arg-type]
    for other, one in ((full, empty), (empty, full)):
        batch = One.decode_many([one if i == at else other for i in range(count)])
        want = [expected(record, text_of) for record in batch]
        assert rows(batch) == want
        for column in table(batch).columns:
            assert column.null_count == sum(one == {} for one in want)


def test_long_lists() -> None:
    lengths = [0, 255, 256, 257, 1000]
    batch = One.decode_many([One(items=[i % 256 for i in range(length)]).encode() for length in lengths])
    assert table(batch)["items"].to_pylist() == [[i % 256 for i in range(length)] for length in lengths]


def test_numbers_that_an_enum_has_not() -> None:
    numbers = [1, 99, 2, 0xFFFFFFFF, 99, *range(1000, 1100)]
    column = table(One.decode_many([One(kind=n).encode() for n in numbers]))["kind"]
    assert column.to_pylist() == ["FIRST", "99", "SECOND", "4294967295", "99", *map(str, range(1000, 1100))]
    assert column.chunk(0).dictionary.to_pylist()[:4] == ["FIRST", "SECOND", "99", "4294967295"]
    assert table(One.decode_many([]))["kind"].to_pylist() == []


@some
@given(st.lists(st.binary(max_size=9) | st.text(max_size=3).map(lambda t: t.encode("utf-8", "surrogatepass"))))
@example([b"\xe0\x9f\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xed\xa0\x80"])  # too long, fits; the last, a surrogate
@example([b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf4\x8f"])
def test_strings_are_utf8_always(texts: list[bytes]) -> None:
    payloads = [(4 + len(t)).to_bytes(2, sys.byteorder) + (1).to_bytes(2, sys.byteorder) + t for t in texts]
    got = table(One.decode_many(payloads))["text"].to_pylist()
    assert got == [text.rstrip(b"\0").decode("utf-8", "replace") for text in texts]


@some
@given(st.lists(st.ip_addresses(v=6) | st.lists(st.sampled_from([0, 0, 1, 0xFFFF]), min_size=8, max_size=8).map(
    lambda words: ipaddress.IPv6Address(b"".join(word.to_bytes(2, "big") for word in words)))))  # fmt: skip
def test_ipv6_text(addresses: list[ipaddress.IPv6Address]) -> None:
    got = table(One.decode_many([One(address=address).encode() for address in addresses]))["address"].to_pylist()
    assert got == [text_of(address) for address in addresses]


def test_address_texts_at_their_ends() -> None:
    class Address(AttributeSet):
        ip = ip(1)

    texts = ["0.0.0.0", "255.255.255.255", "9.10.99.100", "::", "::ffff:1.2.3.4", "1::", "::1", "1:0:0:2::3",
             "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "1:0:2:0:3:0:4:0", "::1.2.3.4"]  # fmt: skip
    batch = Address.decode_many([Address(ip=text).encode() for text in texts])
    assert table(batch)["ip"].to_pylist() == [*texts[:-1], "::102:304"]


def test_streams_of_parts() -> None:
    part = 131_072
    payloads = [One(kind=1).encode()] * part + [One(kind=77).encode()] * part + [One(kind=1, number=4).encode()]
    batch = One.decode_many(payloads)
    out = table(batch)
    assert [chunk.num_rows for chunk in out.to_batches()] == [part, part, 1]
    assert out["kind"].value_counts().to_pylist() == [
        {"values": "FIRST", "counts": part + 1},
        {"values": "77", "counts": part},
    ]
    assert out["number"].null_count == 2 * part
    one = pa.record_batch(batch)
    one.validate(full=True)
    assert one["kind"].cast(pa.string()) == out["kind"].cast(pa.string()).combine_chunks()


def flows() -> Any:
    return Flow.decode_many(
        [
            Flow(
                orig=Flow.orig.cls(src=f"10.0.{i >> 8}.{i & 255}", dst="192.0.2.1", proto=6),
                reply=Flow.reply.cls(src="192.0.2.1", dst=f"10.0.{i >> 8}.{i & 255}", proto=6),
                status=Status(i),
                mark=i if i % 2 else None,
            ).encode()
            for i in range(1000)
        ]
    )


def test_what_is_exported_needs_no_batch() -> None:
    batch = flows()
    held = sys.getrefcount(batch)
    whole = pa.record_batch(batch)
    assert sys.getrefcount(batch) == held
    column = whole.column("orig_src")
    columns = batch.arrow()
    stream = pa.RecordBatchReader.from_stream(columns)
    assert sys.getrefcount(batch) == held + 1
    del columns
    assert sys.getrefcount(batch) == held + 1
    del batch, whole
    assert column[999].as_py() == "10.0.3.231"
    with ThreadPoolExecutor() as pool:
        rest = pool.submit(stream.read_all).result()
    del stream
    assert rest["orig_src"].combine_chunks() == column


def test_streams_let_go_in_any_thread() -> None:
    batch = flows()
    held = sys.getrefcount(batch)
    capsules = [batch.__arrow_c_stream__() for _ in range(50)]
    readers = [pa.RecordBatchReader.from_stream(batch) for _ in range(50)]
    assert sys.getrefcount(batch) == held + 100
    threads = [threading.Thread(target=part.clear) for part in (capsules, readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sys.getrefcount(batch) == held


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_memory_is_given_back() -> None:
    batch = One.decode_many([One(text="x" * 60_000).encode()] * 30)
    size = pa.record_batch(batch).get_total_buffer_size()
    before = resident()
    for _ in range(400):
        batch.__arrow_c_schema__()
        batch.__arrow_c_array__()  # nobody takes what the capsules hold
        batch.__arrow_c_stream__()
        table(batch)
    assert size > 1_800_000
    assert resident() - before < 300 << 20  # of 1.4 GB that went through; sanitizers hold back 256 MB


def test_polars() -> None:
    pl = pytest.importorskip("polars")
    batch = flows()
    frame = pl.DataFrame(batch)
    assert frame.shape == (1000, len(table(batch).schema))
    assert frame.filter(pl.col("orig_src") == "10.0.1.0")["status"].to_list() == [256]
    assert frame["mark"].null_count() == 500
    assert frame["orig_dst"].dtype == pl.String
    assert pl.DataFrame(batch.arrow("binary"))["orig_dst"][0] == sixteen(ipaddress.ip_address("192.0.2.1"))
    assert pl.DataFrame(batch[:0]).shape == (0, frame.width)
    rest = pl.DataFrame(Rest.decode_many([Rest(leaves=[Leaf(kind=1), Leaf(kind=8)], signed=-1).encode(), b""]))
    assert [leaf["kind"] for leaf in rest["leaves"][0]] == ["FIRST", "8"]
    assert rest["signed"].to_list() == ["BELOW", None]


def test_duckdb() -> None:
    duckdb = pytest.importorskip("duckdb")
    batch = flows()
    assert duckdb.sql("from batch").shape == (1000, len(table(batch).schema))
    assert duckdb.sql("select orig_src from batch where mark = 257").fetchall() == [("10.0.1.1",)]
    rest = Rest.decode_many([Rest(leaves=[Leaf(kind=1), Leaf(kind=8)], chosen=2, payload=b"pay").encode(), b""])
    assert len(rest) == 2
    assert duckdb.sql("select chosen, payload, leaves[2].kind from rest").fetchall() == [
        ("SECOND", b"pay", "8"),
        (None, None, None),
    ]
    empty = batch[:0]
    assert len(empty) == 0
    assert duckdb.sql("select count(*) from empty").fetchall() == [(0,)]


def test_without_pyarrow() -> None:
    pytest.importorskip("duckdb")
    pytest.importorskip("polars")
    code = """
import sys
sys.modules["pyarrow"] = None
import duckdb, polars
from netlink.netfilter.conntrack import Flow
batch = Flow.decode_many([Flow(mark=i).encode() for i in range(3)])
print(duckdb.sql("select sum(mark) from batch").fetchall(), polars.DataFrame(batch)["mark"].to_list())
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("[(3,)] [0, 1, 2]\n", "")


# Some of the columns


class Clock(AttributeSet):
    seconds = u64(1, time="s")
    thousandths = u64(2, time="ms")
    millionths = s64(3, time="us")
    at = be64(4, time="ns")


class Hop(AttributeSet):
    clock = nested(1, Clock)
    seldom = nested(2, Leaf, rare=True)
    text = string(3)
    kind = u8(4, enum=Kind)
    number = be32(5)
    by_kind = submessage(6, on="kind", cases={Kind.FIRST: Vlan, 7: Leaf})
    bits = bitfield32(7)
    items = array(8, u8)
    on = flag(9)
    address = ip(10)


def hops() -> Any:
    return Hop.decode_many(
        [
            Hop(text="a", kind=1, by_kind=Vlan(id=9), number=3, on=True, address="192.0.2.1").encode(),
            Hop(seldom=Leaf(kind=2), kind=2, by_kind=b"raw", bits=(1, 3), items=[1, 2]).encode(),
            Hop(kind=7, by_kind=Leaf(kind=1), clock=Clock(at=7), address="::1").encode(),
            b"",
        ]
    )


def test_one_column() -> None:
    batch = hops()
    whole = table(batch)
    for rows_ in (batch, batch[::-1], batch[1:3], batch[:0]):
        whole = pa.record_batch(rows_)
        for name in whole.schema.names:
            column = rows_[name]
            array_ = pa.array(column)
            array_.validate(full=True)
            assert array_ == whole.column(name)
            assert pa.chunked_array(column).combine_chunks() == whole.column(name)
            assert column.name == name
            assert len(column) == len(rows_)
    assert batch["clock.at"].name == "clock_at"
    assert batch["by_kind.first.id"].name == "by_kind_first_id"
    assert repr(batch["number"]) == "<Column 'number' of <Batch of 4 Hop>>"
    assert pa.array(batch.arrow("binary")["address"])[0].as_py() == sixteen(ipaddress.ip_address("192.0.2.1"))


def test_going_through_a_column_gives_what_records_have() -> None:
    batch = hops()
    assert list(batch["number"]) == [3, None, None, None]
    assert list(batch["kind"]) == [Kind.FIRST, Kind.SECOND, 7, None]
    assert list(batch["seldom_kind"]) == [None, Kind.SECOND, None, None]
    assert list(batch["clock_at"]) == [None, None, 7, None]
    assert list(batch["by_kind"]) == [None, b"raw", None, None]
    assert list(batch["by_kind_first_id"]) == [9, None, None, None]
    assert list(batch["by_kind_7_kind"]) == [None, None, Kind.FIRST, None]
    assert list(batch["bits_value"]) == [None, 1, None, None]
    assert list(batch["bits_selector"]) == [None, 3, None, None]
    assert list(batch["items"]) == [None, (1, 2), None, None]
    assert list(batch["address"]) == [ipaddress.ip_address("192.0.2.1"), None, ipaddress.ip_address("::1"), None]
    assert list(batch[::-2]["number"]) == [None, None]


def test_a_column_of_numpy() -> None:
    np = pytest.importorskip("numpy")
    batch = hops()
    whole = batch.to_numpy()
    for name in batch.arrow().names:
        array_ = np.asarray(batch[name])
        assert len(array_) == 4
        if name in whole.dtype.names:
            assert array_.dtype == whole[name].dtype
            assert array_.flags.c_contiguous
            assert (array_ == whole[name]).all()
        elif array_.dtype == object:
            assert array_.tolist() == list(batch[name])
        else:  # of a record that lies apart
            assert array_.tolist() == [value or 0 for value in batch[name]]
    assert np.asarray(batch["number"]).tolist() == [3, 0, 0, 0]
    assert np.asarray(batch[::-1]["number"], dtype="f8").tolist() == [0, 0, 0, 3]
    assert np.asarray(batch["text"]).tolist() == ["a", None, None, None]
    assert np.asarray(batch["items"])[1] == (1, 2)
    assert np.asarray(batch[:0]["text"]).shape == (0,)
    for name, dtype in (("text", None), ("number", None), ("number", "f8")):
        with pytest.raises(ValueError, match="is a copy"):
            batch[name].__array__(dtype, copy=False)
    column = np.asarray(batch["number"])
    del batch, whole
    assert column[0] == 3


def test_chosen_columns() -> None:
    batch = hops()
    whole = table(batch)
    chosen = batch.select("text", "clock.at", "kind", "by_kind.first.id")
    assert chosen.names == ("text", "clock_at", "kind", "by_kind_first_id")
    assert table(chosen) == whole.select(list(chosen.names))
    assert pa.Table.from_batches([pa.record_batch(chosen)]) == whole.select(list(chosen.names))
    assert table(batch[::-1].select("number")) == table(batch[::-1]).select(["number"])
    assert table(chosen.select("kind")) == whole.select(["kind"])
    assert list(chosen["kind"]) == list(batch["kind"])
    assert len(chosen) == 4
    binary_ = table(batch.arrow("binary").select("address"))
    assert str(binary_.schema.field("address").type) == "fixed_size_binary[16]"
    assert chosen.names != batch.arrow().names


def test_other_columns_are_not_made() -> None:
    text = One.decode_many([One(text="x" * 60_000, number=1).encode()] * 100)
    assert pa.record_batch(text.select("number")).get_total_buffer_size() < 1000
    assert pa.array(text["number"]).get_total_buffer_size() < 1000
    assert pa.record_batch(text).get_total_buffer_size() > 6_000_000


def test_names_that_are_no_columns() -> None:
    batch = hops()
    listed = "Hop has no column 'nope'; it has clock_seconds, clock_thousandths"
    for use in (lambda: batch["nope"], lambda: batch.select("text", "nope"), lambda: batch.arrow()["nope"]):
        with pytest.raises(KeyError, match=listed):
            use()
    for name in ("", "clock", "clock.", "clock.at.", "text.", "by_kind.first", "encode"):
        with pytest.raises(KeyError):
            batch[name]
    with pytest.raises(KeyError, match="it has text"):
        batch.select("text")["number"]
    with pytest.raises(ValueError, match="'text'"):
        batch.select("text", "text")
    with pytest.raises(ValueError, match="'clock_at'"):
        batch.select("clock_at", "clock.at")
    with pytest.raises(KeyError):
        batch.select(None)
    for use in (
        Column,
        lambda: Column.__new__(Column).name,
        lambda: list(Column.__new__(Column)),
        lambda: Column.__new__(Column).__arrow_c_array__(),
        lambda: Columns.__new__(Columns).names,
        lambda: Columns.__new__(Columns)["a"],
        lambda: Columns.__new__(Columns).select("a"),
    ):
        with pytest.raises(TypeError):
            use()
    assert len(Column.__new__(Column)) == 0


def test_times_are_timestamps() -> None:
    clock = Clock(seconds=1, thousandths=2, millionths=-3, at=1_700_000_000_000_000_004)
    batch = Clock.decode_many([clock.encode(), b""])
    out = table(batch)
    assert out.schema.types == [pa.timestamp(unit, "UTC") for unit in ("s", "ms", "us", "ns")]
    assert [column.cast(pa.int64()).to_pylist() for column in out.columns] == [
        [1, None], [2, None], [-3, None], [1_700_000_000_000_000_004, None],
    ]  # fmt: skip
    assert batch[0].at == 1_700_000_000_000_000_004
    assert out["seconds"][0].as_py().isoformat() == "1970-01-01T00:00:01+00:00"
    flow = Flow.decode_many([]).arrow()
    for name in ("timestamp_start", "timestamp_stop", "timestamp_event"):
        assert pa.array(flow[name]).type == pa.timestamp("ns", "UTC")


def test_html() -> None:
    batch = hops()
    page = batch._repr_html_()
    assert page.startswith("<table><caption>Batch of 4 Hop</caption>")
    for there in ("<th>text</th>", "<td>a</td>", "<td>FIRST</td>", "<td>192.0.2.1</td>", "<td>726177</td>"):
        assert there in page
    assert "clock_seconds" not in page  # which no row has
    assert "<td>None" not in page
    long = Hop.decode_many([Hop(number=n, text=f"<b>{n}</b>").encode() for n in range(1000)])
    page = long._repr_html_()
    assert "Batch of 1000 Hop" in page
    assert "<b>" not in page
    assert [n for n in range(1000) if f"<td>&lt;b&gt;{n}&lt;/b&gt;</td>" in page] == [0, 1, 2, 3, 4, *range(995, 1000)]
    assert [n for n in range(1000) if f"<tr><th>{n}</th>" in page] == [0, 1, 2, 3, 4, *range(995, 1000)]
    assert page.count("<td colspan=3>") == 1
    assert "<td>999</td>" in long[::-1]._repr_html_()
    assert "\u2026" not in long[:10]._repr_html_()
    assert Hop.decode_many([])._repr_html_().count("<tr>") == 1
    wide = Hop.decode_many([Hop(text="x" * 1000 + "<script>").encode(), Hop(text="\udcff").encode()])._repr_html_()
    assert len(wide) < 500
    wide.encode()


def test_html_of_two_columns_of_one_name() -> None:
    class Inner(AttributeSet):
        b = u8(1)

    class Outer(AttributeSet):
        a = nested(1, Inner)
        a_b = u8(2)

    assert Outer.decode_many([Outer(a=Inner(b=1), a_b=2).encode()])._repr_html_().count("<th>a_b</th>") == 2


def test_pandas() -> None:
    pd = pytest.importorskip("pandas")
    if not hasattr(pd.DataFrame, "from_arrow"):
        pytest.skip("pandas.DataFrame.from_arrow is of pandas 3.0")
    frame = pd.DataFrame.from_arrow(hops().select("number", "text"))
    assert list(frame.columns) == ["number", "text"]
    assert len(frame) == 4


def test_the_way_of_the_guides_does_not_import_pandas() -> None:
    pytest.importorskip("pandas")
    code = """
import sys

import pyarrow as pa

from netlink.netfilter.conntrack import Flow

flows = Flow.decode_many([Flow(mark=1, id=2).encode()])
for source in (flows, flows.select("mark"), flows.arrow("binary")):
    assert pa.RecordBatchReader.from_stream(source).read_all()["mark"][0].as_py() == 1
assert len(pa.record_batch(flows.arrow("binary"))) == len(pa.array(flows["mark"])) == 1
assert "pandas" not in sys.modules
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_guides_make_no_table_by_what_imports_pandas() -> None:
    pages = (Path(__file__).parents[2] / "docs").rglob("*.md")
    blocks = [block for page in pages for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)]
    assert any("RecordBatchReader.from_stream(" in block for block in blocks)
    assert not [block for block in blocks if re.search(r"\b(pa|pyarrow)\.table\(", block)]


def test_a_batch_is_not_taken_for_a_column_of_objects() -> None:
    np = pytest.importorskip("numpy")
    for take in (np.asarray, np.array):
        with pytest.raises(TypeError, match=r"batch\.to_numpy\(\)"):
            take(hops())
    pd = pytest.importorskip("pandas")
    for take in (pd.DataFrame, pd.Series):
        with pytest.raises(TypeError, match=r"pandas\.DataFrame\.from_arrow\(batch\)"):
            take(hops())
