"""Families from specs: small ones of the tests' own, over doubles."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import errno
import gzip
import inspect
import io
import json
import pickle
import pydoc
import runpy
import sys
from collections.abc import Callable, Iterator
from enum import IntEnum, IntFlag
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from netlink import EncodeError, HeaderFlags, Message, OpError, nltest, ynl
from netlink.family import Deferred, Do
from netlink.schema import Bitfield32
from netlink.ynl import __main__ as command
from netlink.ynl import files, names

SHOP: dict[str, Any] = {
    "name": "my-shop",
    "doc": "Goods and  their\nprices.",
    "protocol": "netlink-raw",
    "protonum": 12,
    "definitions": [
        {"name": "colour", "type": "enum", "entries": ["red", {"name": "dark-blue", "value": 5}, "4-green"]},
        {"name": "late", "type": "enum", "value-start": 7, "entries": ["seven", "eight"]},
        {"name": "marks", "type": "flags", "entries": ["new", "old", {"name": "gone", "value": 5}]},
        {"name": "name-size", "type": "const", "value": 3},
        {"name": "version", "type": "const", "value": "one"},
        {
            "name": "shop-header",
            "type": "struct",
            "members": [
                {"name": "family", "type": "u8"},
                {"name": "class", "type": "u32", "byte-order": "big-endian"},
                {"name": "res", "type": "pad", "len": 2},
                {"name": "colour", "type": "u16", "enum": "colour"},
            ],
        },
        {
            "name": "label",
            "type": "struct",
            "members": [
                {"name": "code", "type": "binary", "len": "name-size"},
                {"name": "weight", "type": "u16"},
                {"name": "mac", "type": "binary", "len": 6, "display-hint": "mac"},
                {"name": "address", "type": "u32", "byte-order": "big-endian", "display-hint": "ipv4"},
            ],
        },
    ],
    "attribute-sets": [
        {
            "name": "good-attrs",
            "attributes": [
                {"name": "number", "type": "u32"},
                {"name": "kind", "type": "string"},
                {"name": "data", "type": "sub-message", "sub-message": "good-data", "selector": "kind"},
                {"name": "colour", "type": "u16", "enum": "colour", "byte-order": "big-endian"},
                {"name": "padding", "type": "pad"},
                {"name": "marks", "type": "u32", "enum": "marks"},
                {"name": "colours", "type": "u8", "enum": "colour", "enum-as-flags": True},
                {"name": "2nd-price", "type": "nest", "nested-attributes": "price"},
                {"name": "reserved", "type": "unused"},
                {"name": "prices", "type": "nest", "multi-attr": True, "nested-attributes": "price"},
                {"name": "label", "type": "binary", "struct": "label"},
                {"name": "encode", "type": "u8", "value": 20},
                {"name": "address", "type": "binary", "display-hint": "ipv4"},
                {"name": "is new", "type": "flag"},
                {"name": "blob", "type": "binary"},
                {"name": "numbers", "type": "binary", "sub-type": "u16"},
                {"name": "bits", "type": "bitfield32", "enum": "marks"},
                {"name": "hardware", "type": "binary", "display-hint": "mac"},
            ],
        },
        {
            "name": "price",
            "attributes": [
                {"name": "amount", "type": "uint"},
                {"name": "change", "type": "sint"},
                {"name": "late", "type": "u8", "enum": "late"},
            ],
        },
        {"name": "cheap", "subset-of": "price", "attributes": [{"name": "amount"}]},
        {"name": "tree", "attributes": [{"name": "leaves", "type": "u8", "value": 3}]},
    ],
    "sub-messages": [
        {
            "name": "good-data",
            "formats": [
                {"value": "tree", "attribute-set": "tree"},
                {"value": "labelled", "fixed-header": "label"},
                {"value": "both", "fixed-header": "label", "attribute-set": "cheap"},
                {"value": "bare"},
            ],
        }
    ],
    "operations": {
        "enum-model": "directional",
        "fixed-header": "shop-header",
        "list": [
            {"name": "new-good", "attribute-set": "good-attrs", "do": {"request": {"value": 16}}},
            {"name": "del-good", "attribute-set": "good-attrs", "do": {"request": {}}},
            {
                "name": "get-good",
                "doc": "Ask for a\ngood.",
                "attribute-set": "good-attrs",
                "do": {"request": {"attributes": ["number"]}, "reply": {"value": 16, "attributes": ["number", "data"]}},
                "dump": {"reply": {"value": 16}},
            },
            {"name": "import", "attribute-set": "price", "do": {"request": {"value": 30}, "reply": {}}},
            {"name": "good-ntf", "notify": "get-good", "value": 16, "mcgrp": "goods"},
        ],
    },
    "mcast-groups": {"list": [{"name": "goods", "value": 3}, {"name": "other-goods", "value": 9}]},
}


def changed(change: Callable[[Any], Any]) -> dict[str, Any]:
    """The spec of the shop with a change."""
    content: dict[str, Any] = json.loads(json.dumps(SHOP))
    change(content)
    return content


def nest(name: str, of: str) -> dict[str, Any]:
    """A nested attribute."""
    return {"name": name, "type": "nest", "nested-attributes": of}


Shop = ynl.load(SHOP)
Good: Any = Shop.types["good-attrs"]


def over(answer: Callable[[Message], list[Any]]) -> Any:
    """The shop over a double. answer: the records of the reply to a request."""

    def replies(requests: list[Message]) -> list[Message]:
        (request,) = requests
        found = [request.replace(type=16, data=record.encode()) for record in answer(request)]
        if request.header.flags & HeaderFlags.DUMP == HeaderFlags.DUMP:
            return nltest.multipart([*found, request.replace(data=b"")])
        return [*found, *nltest.error(0, requests)]

    return Shop(nltest.dial(replies))


# Names


def test_names_of_specs_are_names_of_python() -> None:
    for name, wanted in (
        ("dev-name", "dev_name"),
        ("set id", "set_id"),
        ("4addr", "_4addr"),
        ("class", "class_"),
        ("encode", "encode_"),
        ("-x", "x"),
        ("-", "_"),
    ):
        assert names.identifier(name, {"encode"}) == wanted
    assert names.constant("802.1q") == "_802_1Q"
    assert names.constant("old", {"OLD", "OLD_2"}) == "OLD_3"
    assert names.constant("4-", {"_4"}) == "_4_2"
    assert names.constant("mro") == "MRO_2"  # MRO is an enum's own
    assert [names.class_name(name) for name in ("link-attrs", "if_stats msg", "4addr", "none")] == [
        "Link",
        "IfStatsMsg",
        "_4addr",
        "None_",
    ]


def test_members_that_mean_something_else_are_renamed() -> None:
    assert {"_2nd_price", "encode_", "is_new"} < Good.__fields__.keys()
    assert Shop.types["shop-header"].__fields__.keys() == {"family", "class_", "colour"}
    assert Shop.operations["import"].__name__ == "import_"
    assert hasattr(Shop, "import_")


def test_two_things_of_one_name_have_two_classes() -> None:
    spec = changed(lambda content: content["attribute-sets"][1].update(name="label"))
    spec["attribute-sets"][0]["attributes"][7]["nested-attributes"] = "label"
    spec["attribute-sets"][0]["attributes"][9]["nested-attributes"] = "label"
    spec["attribute-sets"][2]["subset-of"] = "label"
    spec["operations"]["list"][3]["attribute-set"] = "label"
    family = ynl.load(spec)
    assert family.types.Label.__fields__.keys() == {"code", "weight", "mac", "address"}
    assert family.types.LabelSetNest.__fields__.keys() == {"amount", "change", "late"}


# Declarations


def test_enums_have_the_values_of_the_spec() -> None:
    assert {m.name: m.value for m in Shop.enums.Colour} == {"RED": 0, "DARK_BLUE": 5, "_4_GREEN": 6}
    assert [*Shop.enums["late"]] == [7, 8]
    assert {m.name: m.value for m in Shop.enums.Marks} == {"NEW": 1, "OLD": 2, "GONE": 32}
    assert issubclass(Shop.enums.Colour, IntEnum)
    assert issubclass(Good.colours.enum, IntFlag)
    assert [*Good.colours.enum] == [1, 32, 64]
    assert dict(Shop.consts) == {"name-size": 3, "version": "one"}


def test_numbers_are_counted_and_given() -> None:
    numbers = {name: field.types[0][0][0] for name, field in Good.__fields__.items() if field.types}
    assert list(numbers.items())[:5] == [("number", 1), ("kind", 2), ("data", 3), ("colour", 4), ("marks", 6)]
    assert (numbers["prices"], numbers["encode_"], numbers["address"]) == (10, 20, 21)
    assert Shop.types.Cheap.amount.types == Shop.types.Price.amount.types
    assert [Shop.spec.operations[name].request for name in Shop.operations] == [16, 17, 18, 30, None]
    assert [Shop.spec.operations[name].reply for name in Shop.operations] == [None, None, 16, 17, 16]


def test_operations_are_numbered_together_or_by_direction() -> None:
    def numbers(content: dict[str, Any]) -> list[tuple[int | None, int | None]]:
        content["attribute-sets"] = [{"name": "set", "attributes": []}]
        content["protocol"], content["protonum"], content["name"] = "netlink-raw", 0, "numbers"
        return [(op.request, op.reply) for op in ynl.load(content).spec.operations.values()]

    listed: list[dict[str, Any]] = [
        {"name": "a", "do": {"request": {}, "reply": {}}},
        {"name": "b", "do": {"request": {}}},
        {"name": "n", "notify": "a"},
        {"name": "c", "dump": {"request": {"value": 9}, "reply": {"value": 20}}},
        {"name": "e", "event": {}, "value": 30},
        {"name": "d", "do": {"reply": {}}},
    ]
    assert numbers({"operations": {"enum-model": "directional", "list": listed}}) == [
        (1, 1),
        (2, None),
        (None, 2),
        (9, 20),
        (None, 30),
        (10, 31),
    ]
    assert numbers({"operations": {"list": listed}}) == [(1, 1), (2, 2), (None, 3), (4, 4), (None, 30), (31, 31)]


def test_a_struct_lies_as_a_compiler_lays_it() -> None:
    header = Shop.types["shop-header"](family=1, class_=2, colour=5)
    assert header.encode() == bytes([1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 5, 0])
    label = Shop.types.Label(code=b"abc", weight=1, mac="02:00:00:00:00:01", address="192.0.2.1")
    assert label.encode() == b"abc\0\1\0\2\0\0\0\0\1\xc0\0\2\1"


def test_a_set_within_itself_is_declared() -> None:
    spec = changed(lambda c: c["attribute-sets"][3]["attributes"].append(nest("tree", "tree")))
    tree: Any = ynl.load(spec).types.Tree
    value = tree(leaves=1, tree=tree(leaves=2))
    assert tree.decode(value.encode()) == value


def test_arrays_number_their_elements() -> None:
    def change(content: Any) -> None:
        content["attribute-sets"][3]["attributes"] += [
            {"name": "list", "type": "indexed-array", "sub-type": "nest", "nested-attributes": "price"},
            {"name": "table", "type": "nest-type-value", "type-value": ["row", "late"], "nested-attributes": "price"},
            {"name": "plain", "type": "indexed-array", "sub-type": "u32", "enum": "colour"},
        ]

    family = ynl.load(changed(change))
    content = {
        "list": [{"index": 7, "amount": 1}, {"index": 2}],
        # An attribute of the element has the name of one of its numbers.
        "table": [{"row": 3, "late_": 4, "late": "seven"}, {"row": 3, "late_": 9}],
        "plain": ["red", 99],
    }
    record: Any = family.values.record(family.types.Tree, content)
    assert [each.index for each in record.list] == [7, 2]
    assert [(each.row, each.late_) for each in record.table] == [(3, 4), (3, 9)]
    assert family.to_dict(type(record).decode(record.encode())) == content


# Requests and replies


def test_an_operation_takes_mappings_and_keywords() -> None:
    asked: list[Any] = []

    def answer(request: Message) -> list[Any]:
        asked.append((request.header.type, Good.decode(request.data)))
        return [Good(number=1)]

    with over(answer) as shop:
        found = shop.get_good.do(number=7, is_new=True, _2nd_price={"amount": 3})
        assert found == Good(number=1)
        wanted = Good(number=7, is_new=True, _2nd_price=Shop.types.PriceNest(amount=3), header=Shop.types.ShopHeader())
        shop.do("get-good", {"number": 7, "is new": True, "2nd-price": {"amount": 3}})
        shop["get_good"].do({"number": 7, "is-new": True}, **{"2nd_price": {"amount": 3}})
        shop.get_good.do(wanted)
        shop.get_good.do({"header": {}, "number": 7, "is-new": 1 == 1, "2nd-price": Shop.types.Price(amount=3)})
    assert asked == [(18, wanted)] * 5


def test_members_of_the_header_lie_beside_the_attributes() -> None:
    asked: list[Any] = []
    with over(lambda request: asked.append(Good.decode(request.data)) or []) as shop:
        shop.new_good.do(class_=3, colour="red")
        shop.new_good.do({"class": 3, "header": {"colour": "4-green"}})
        shop.new_good.do({"class": 3, "header": Shop.types.ShopHeader(family=1)})
    assert [(one.header.class_, one.header.colour, one.colour) for one in asked] == [
        (3, 0, 0),
        (3, 6, None),
        (3, 0, None),
    ]
    assert asked[2].header.family == 1
    assert Shop.to_dict(asked[0]) == {"family": 0, "class": 3, "header": {"colour": "red"}, "colour": "red"}
    assert Shop.values.record(Good, Shop.to_dict(asked[0])) == asked[0]


def test_an_acknowledged_operation_returns_none() -> None:
    with over(lambda request: []) as shop:
        assert shop.new_good.do(number=1) is None
        assert shop.new_good.do(number=1, nlmsg_flags=HeaderFlags.CREATE | HeaderFlags.EXCL) is None


def test_an_operation_with_a_reply_may_be_acknowledged_alone() -> None:
    """The kernel sends the reply of a change for HeaderFlags.ECHO alone."""
    sent: list[int] = []
    with over(lambda request: sent.append(request.header.flags) or []) as shop:
        assert shop.get_good.do(number=1) is None
    assert sent == [HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE]


def test_an_operation_has_as_many_replies_as_the_spec_says() -> None:
    def change(content: Any) -> None:
        content["operations"]["list"][2]["do"]["dumps"] = "multi-object"

    family = ynl.load(changed(change))
    goods: Any = family.types["good-attrs"]

    def answer(requests: list[Message]) -> list[Message]:
        number = goods.decode(requests[0].data).number
        return [requests[0].replace(type=16, data=goods(number=n).encode()) for n in range(number)] + nltest.error(
            0, requests
        )

    with family(nltest.dial(answer)) as shop:
        for count in (0, 1, 3):
            assert [good.number for good in shop.get_good.do(number=count)] == [*range(count)]
        assert [good.number for good in shop.conn.execute(shop.calls.get_good.do(number=2))] == [0, 1]


@pytest.mark.parametrize("count", [3, 4])
def test_many_attributes_of_bytes_take_no_room_in_records_without_them(count: int) -> None:
    attributes = [{"name": f"b{number}", "type": "binary"} for number in range(1, count + 1)]
    attributes.append({"name": "mac", "type": "binary", "display-hint": "mac"})
    operation = {"name": "get", "value": 1, "attribute-set": "all", "do": {"request": {"attributes": ["b1"]}}}
    content = {"name": "bytes", "protocol": "netlink-raw", "protonum": 12, "operations": {"list": [operation]}}
    content["attribute-sets"] = [{"name": "all", "attributes": attributes}]
    one = ynl.load(content).types["all"]
    many = one.decode_many([one(mac="02:00:00:00:00:01").encode()] * 1000)
    assert (many.nbytes < 30_000) == (count == 4)
    for number in range(1, count + 1):
        assert getattr(one.decode(one(**{f"b{number}": b"x"}).encode()), f"b{number}") == b"x"


def test_flags_of_the_message_are_sent() -> None:
    sent: list[int] = []
    with over(lambda request: sent.append(request.header.flags) or []) as shop:
        shop.new_good.do(nlmsg_flags=HeaderFlags.CREATE | HeaderFlags.EXCL)
        shop.new_good.do()
        for flags in (-1, 1 << 16, 1 << 40):
            with pytest.raises(ValueError, match="nlmsg_flags must be of 16 bits"):
                shop.new_good.do(nlmsg_flags=flags)
        with pytest.raises(TypeError, match="nlmsg_flags must be HeaderFlags or a number of them, not 'x'"):
            shop.new_good.dump(nlmsg_flags="x")
    ack = HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE
    assert sent == [ack | HeaderFlags.CREATE | HeaderFlags.EXCL, ack]


def test_a_dump_is_a_batch_also_where_the_spec_lists_none() -> None:
    with over(lambda request: [Good(number=n) for n in range(5)]) as shop:
        assert [good.number for good in shop.get_good.dump()] == [*range(5)]
        assert [good.number for good in shop.dump("del-good")] == [*range(5)]
        assert [[good.number for good in batch] for batch in shop.get_good.iter_dump(rows=3)] == [[0, 1, 2], [3, 4]]
        assert shop.get_good.dump().to_numpy("number")["number"].tolist() == [*range(5)]


def test_calls_are_values() -> None:
    with over(lambda request: [Good(number=4)]) as shop:
        call = shop.calls.get_good.do(number=1)
        assert shop.conn.execute(call).number == 4
        assert shop.calls["get-good"].dump().dump
    assert Good.decode(Shop(Deferred()).get_good.do(number=3).message.data).number == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"number": 7},
        {"kind": "price", "number": 7},
        {"number": 7, "kind": "price"},
        {"colour": 5},
        {"colour": "dark-blue"},
        {"number": 7, "family": 2, "class": 3},
        {"class_": 3},
        {"is-new": True},
        {"is_new": True, "number": 1},
        {"number": True},
        {"number": None},
        {"kind": ""},
        {"kind": "s\u00e9"},
        {"2nd-price": {"amount": 3}},
    ],
)
def test_keywords_and_a_mapping_make_the_same_request(fields: dict[str, Any]) -> None:
    shop: Any = Shop(Deferred())
    of_mapping = shop.get_good.do(dict(fields)).message
    for _ in range(2):
        assert shop.get_good.do(**fields).message == of_mapping
    assert shop.get_good.dump(**fields).message.data == of_mapping.data
    assert shop["get-good"].do(**fields).message == of_mapping


@pytest.mark.parametrize(
    "fields", [{"number": 1 << 70}, {"number": -1}, {"number": 1.5}, {"numberx": 1}, {"colour": "grey"}, {"kind": 3}]
)
def test_wrong_keywords_are_named_as_in_a_mapping(fields: dict[str, Any]) -> None:
    shop: Any = Shop(Deferred())
    shop.get_good.do(number=1)
    with pytest.raises((TypeError, EncodeError)) as of_mapping:
        shop.get_good.do(dict(fields))
    with pytest.raises(type(of_mapping.value)) as of_keywords:
        shop.get_good.do(**fields)
    assert str(of_keywords.value) == str(of_mapping.value)


def test_the_ways_of_an_operation_are_methods() -> None:
    shop: Any = Shop(Deferred())
    ask = shop.get_good.do
    assert ask(number=7).message == shop.get_good.do(number=7).message
    assert list(inspect.signature(ask).parameters) == ["request", "nlmsg_flags", "fields"]
    assert list(inspect.signature(ynl.BoundOperation.dump).parameters) == ["self", "request", "nlmsg_flags", "fields"]
    assert "Send a request" in pydoc.render_doc(ask, renderer=pydoc.plaintext)
    assert inspect.isfunction(ynl.BoundOperation.do)
    with pytest.raises(TypeError, match="positional"):
        shop.get_good.do({}, {})
    with pytest.raises(TypeError):
        ynl.BoundOperation.do(number=7)  # type: ignore[call-arg, misc]


def test_operations_are_awaited_in_an_event_loop() -> None:
    def answer(requests: list[Message]) -> list[Message]:
        return [requests[0].replace(type=16, data=Good(number=5).encode()), *nltest.error(0, requests)]

    async def main() -> None:
        async with Shop(nltest.dial_async(answer)) as shop:
            assert (await shop.get_good.do()).number == 5

    asyncio.run(main())


VALUES: list[tuple[str, Any, Any]] = [
    ("colour", "dark-blue", 5),
    ("colour", "dark_BLUE", 5),
    ("colour", 77, 77),
    ("colour", Shop.enums.Colour.RED, 0),
    ("marks", ["new", "gone"], 33),
    ("marks", "old", 2),
    ("marks", [], 0),
    ("marks", ["old", 64], 66),
    ("marks", {"new"}, 1),
    ("colours", ["red", "4-green"], 65),
    ("address", "2001:db8::1", ip_address("2001:db8::1")),
    ("address", ip_address("192.0.2.1"), ip_address("192.0.2.1")),
    ("blob", "00ff:10", b"\0\xff\x10"),
    ("blob", bytearray(b"ab"), b"ab"),
    ("numbers", [1, 65535], (1, 65535)),
    ("bits", {"value": ["new"], "selector": 3}, Bitfield32(1, 3)),
    ("bits", (1, ["old"]), Bitfield32(1, 2)),
    ("hardware", "02:00", "02:00"),
    ("is new", False, None),
    ("number", None, None),
    ("prices", [{"amount": 1}, {"late": "eight"}], None),
]


@pytest.mark.parametrize(("name", "given", "wanted"), VALUES, ids=[f"{name}-{given}" for name, given, _ in VALUES])
def test_values_are_taken_as_text(name: str, given: Any, wanted: Any) -> None:
    record = Shop.values.record(Good, {name: given})
    found = getattr(record, names.identifier(name))
    if name == "prices":
        assert [price.amount for price in found] == [1, None]
        assert found[1].late == 8
    else:
        assert found == wanted
    assert Shop.values.record(Good, Shop.to_dict(record)) == record


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("tree", {"leaves": 3}),
        ("labelled", {"code": "616263", "weight": 1, "mac": "02:00:00:00:00:01", "address": "192.0.2.1"}),
        ("both", {"code": "616263", "weight": 1, "mac": "02:00:00:00:00:01", "address": "192.0.2.1", "amount": 2}),
        ("bare", {}),
    ],
)
def test_a_submessage_is_what_the_field_beside_it_says(kind: str, data: dict[str, Any]) -> None:
    for content in ({"kind": kind, "data": data}, {"data": data, "kind": kind}):
        record = Shop.values.record(Good, content)
        found = Good.decode(record.encode())
        assert Shop.to_dict(found.replace(header=None)) == content
    raw = Good.decode(Good(kind="other", data=b"\1\2").encode())
    assert Shop.to_dict(raw.replace(header=None)) == {"kind": "other", "data": "0102"}
    assert Shop.values.record(Good, Shop.to_dict(raw)) == raw


def test_records_are_mappings_for_json() -> None:
    record = Good(
        marks=0b1100001,
        address=ip_address("192.0.2.1"),
        blob=b"\0\xff",
        bits=(1, 3),
        prices=[Shop.types.PriceNest(amount=1 << 40, change=-1)],
        label=Shop.types.Label(code=b"abc"),
        hardware="02:00",
    )
    found = Shop.to_dict(record)
    assert json.loads(json.dumps(found)) == found
    assert found == {
        "marks": ["new", "gone", 64],
        "address": "192.0.2.1",
        "blob": "00ff",
        "bits": {"value": ["new"], "selector": ["new", "old"]},
        "prices": [{"amount": 1 << 40, "change": -1}],
        "label": {"code": "616263", "weight": 0, "mac": "00:00:00:00:00:00", "address": "0.0.0.0"},
        "hardware": "02:00",
    }


def test_unknown_and_unfit_attributes_are_kept_apart() -> None:
    unfit = nltest.must_marshal_attributes  # an attribute of another width, and one that the spec lacks
    from netlink import Attribute

    record = Good.decode(bytes(12) + unfit([Attribute(1, b"\1"), Attribute(99, b"\2")]))
    assert record.number is None
    found = Shop.to_dict(record)
    assert found["unknown"] == [[1, "01"], [99, "02"]]
    assert Shop.values.record(Good, found).header == record.header  # and nobody sends them


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"num-ber": 1}, TypeError, "num-ber: there is no such attribute; did you mean number"),
    ({"2nd-price": {"amuont": 1}}, TypeError, "2nd-price.amuont: there is no such attribute; did you mean amount"),
    (
        {"prices": [{}, {"x": 1}]},
        TypeError,
        r"prices\[1\].x: there is no such attribute; there are amount, change, late",
    ),
    ({"prices": {"amount": 1}}, TypeError, "prices: want a list, not"),
    ({"2nd-price": 5}, TypeError, "2nd-price: want a mapping, not 5"),
    ({"2nd-price": Shop.types.Tree()}, TypeError, "2nd-price: want a PriceNest, not a Tree"),
    ({"number": "7"}, TypeError, "number: want a number, not '7'"),
    ({"number": 1 << 32}, EncodeError, "number: 4294967296 does not fit 4 bytes"),
    ({"2nd-price": {"late": 256}}, EncodeError, "2nd-price.late: 256 does not fit 1 bytes"),
    ({"colour": "gren"}, EncodeError, "colour: there is no 'gren'; did you mean 4-green"),
    ({"colour": 1.5}, TypeError, "colour: want a number or a text of Colour, not 1.5"),
    ({"marks": ["nw"]}, EncodeError, "marks: there is no 'nw'; did you mean new"),
    ({"marks": [None]}, EncodeError, "marks: there is no None"),
    ({"blob": "xyz"}, EncodeError, "blob: want hexadecimal digits, not 'xyz'"),
    ({"blob": 5}, TypeError, "blob: want bytes or hexadecimal digits, not 5"),
    ({"numbers": "12"}, TypeError, "numbers: want a list of numbers, not '12'"),
    ({"numbers": [1, "2"]}, TypeError, r"numbers\[1\]: want a number, not '2'"),
    ({"kind": 5}, TypeError, "kind: want text, not 5"),
    ({"is new": 1}, TypeError, "is new: want true or false, not 1"),
    ({"bits": 3}, TypeError, "bits: want value and selector, not 3"),
    ({"bits": {"value": 3}}, TypeError, "bits: want value and selector, not value"),
    ({"address": "192.0.2"}, EncodeError, "address: '192.0.2' does not appear"),
    ({"data": {"leaves": 1}}, EncodeError, "data: it needs kind beside it"),
    (
        {"kind": "wood", "data": {}},
        EncodeError,
        "data: kind 'wood' has no such part; there are tree, labelled, both, bare",
    ),
    ({"kind": "tree", "data": {"levs": 1}}, TypeError, "data.levs: there is no such attribute; did you mean leaves"),
    ({"kind": "tree", "data": {"leaves": 300}}, EncodeError, "data.leaves: 300 does not fit"),
    ({"label": {"code": "01"}}, EncodeError, "label.code: want 3 bytes, got 1"),
]


@pytest.mark.parametrize(("content", "kind", "text"), WRONG, ids=[str(content) for content, _, _ in WRONG])
def test_a_wrong_request_names_the_path(content: dict[str, Any], kind: type[Exception], text: str) -> None:
    with over(lambda request: []) as shop, pytest.raises(kind, match=text):
        shop.new_good.do(content)


def test_wrong_names_list_near_ones() -> None:
    with over(lambda request: []) as shop:
        with pytest.raises(KeyError, match="my-shop has no operation 'get-god'; did you mean get-good"):
            shop["get-god"]
        with pytest.raises(AttributeError, match="my-shop has no operation 'get_god'; did you mean get_good"):
            assert shop.get_god
        assert not hasattr(shop, "_private")
        with pytest.raises(KeyError, match="has no group 'gods'; did you mean goods"):
            shop.listen("gods")
        with pytest.raises(KeyError, match="goods of my-shop has no event 'godntf'; did you mean good-ntf"):
            shop.listen("goods", only=["godntf"])
        with pytest.raises(TypeError, match="good-ntf is an event: listen"):
            shop.good_ntf.do()
        with pytest.raises(TypeError, match="takes a record or its fields"):
            shop.new_good.do(Good(number=1), number=2)
    with pytest.raises(KeyError, match="'tre-e'; did you mean tree"):
        Shop.types["tre-e"]
    with pytest.raises(AttributeError, match="'Colors'; did you mean Colour"):
        assert Shop.enums.Colors
    assert {"Label", "Tree", "Good"} < set(dir(Shop.types))
    assert set(Shop.types) >= {"label", "tree", "good-attrs"}
    assert len(Shop.enums) == 3
    assert "Colour" in repr(Shop.enums)


def test_what_is_no_spec_is_refused() -> None:
    with pytest.raises(TypeError, match="a spec is a name, a path or a mapping, not 5"):
        ynl.load(5)  # type: ignore[arg-type]


def test_a_family_without_events_has_nothing_to_listen_to() -> None:
    content = changed(put("mcast-groups", {"list": []}))
    for one in content["operations"]["list"]:
        one.pop("mcgrp", None)
    with (
        ynl.load(content)(nltest.dial(lambda requests: [])) as shop,
        pytest.raises(TypeError, match="my-shop has no events to listen to"),
    ):
        shop.listen("goods")


def test_an_error_names_the_attribute() -> None:
    def refuse(requests: list[Message]) -> list[Message]:
        raise OSError(errno.EINVAL, "no")

    with Shop(nltest.dial(refuse)) as shop, pytest.raises(OpError):
        shop.new_good.do(number=1)


# Help


def test_help_is_from_the_spec() -> None:
    text = pydoc.plain(pydoc.render_doc(Shop.operations["get-good"]))
    for part in (
        "get-good: Ask for a good.",
        "do reply: number, data",
        "Header, struct shop-header:",
        "colour: u16, one of red",
    ):
        assert part in text
    assert "colour: u16, one of red | dark-blue | 4-green" in text
    text = pydoc.plain(pydoc.render_doc(Shop))
    assert "my-shop: Goods and their prices." in text
    assert "Groups: goods, other-goods" in text
    assert repr(Shop.operations["get-good"]) == "<Operation get-good of my-shop>"
    with over(lambda request: []) as shop:
        assert repr(shop.get_good) == f"<get-good of {shop!r}>"


# Wrong specs


def put(path: str, value: Any) -> Callable[[Any], Any]:
    """A change that sets what a path leads to: numbers are places of lists."""

    def change(content: Any) -> None:
        *parts, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        for part in parts:
            content = content[part]
        if value is ...:
            del content[last]
        else:
            content[last] = value

    return change


SETS, OPS = "attribute-sets/0/attributes/0", "operations/list/0"
WRONG_SPECS: list[tuple[str, Any, str, str]] = [
    ("name", ..., "name", "name is missing"),
    ("name", 5, "name", "want text, not 5"),
    ("protocol", "netlink", "protocol", "want one of genetlink"),
    ("protonum", ..., "protonum", "protonum is missing"),
    ("operations/list/2/do/dumps", "combine", "operations.get-good.do.dumps", "want multi-object, not 'combine'"),
    ("protonum", "0", "protonum", "want a number from 0 to 255, not '0'"),
    ("attribute-sets", ..., "attribute-sets", "attribute-sets is missing"),
    ("attribute-sets", {}, "attribute-sets", "want a list"),
    ("attribute-sets/0", "x", "attribute-sets.0", "want a mapping"),
    ("attribute-sets/1/name", "good-attrs", "attribute-sets.good-attrs", "comes again"),
    ("attribute-sets/2/subset-of", "prize", "attribute-sets.cheap.subset-of", "no 'prize'; did you mean price"),
    ("attribute-sets/2/attributes/0/name", "mount", "attribute-sets.cheap.mount", "did you mean amount"),
    (f"{SETS}/name", "kind", "attribute-sets.good-attrs.attributes.kind", "comes again"),
    (f"{SETS}/type", ..., "attribute-sets.good-attrs.number.type", "type is missing"),
    (f"{SETS}/value", 99999, "attribute-sets.good-attrs.number.value", "want a number from 0 to 16383"),
    (f"{SETS}/value", 19, "attribute-sets.good-attrs.encode", "kind has the number 20 too"),
    (f"{SETS}/enum", "color", "attribute-sets.good-attrs.number.enum", "did you mean colour"),
    (f"{SETS}/byte-order", "big", "attribute-sets.good-attrs.number.byte-order", "want big-endian or"),
    (f"{SETS}/type", "nest", "attribute-sets.good-attrs.number.nested-attributes", "is missing"),
    (f"{SETS}/type", "indexed-array", "attribute-sets.good-attrs.number.sub-type", "is missing"),
    ("attribute-sets/0/attributes/2/selector", ..., "attribute-sets.good-attrs.data.selector", "is missing"),
    ("attribute-sets/0/attributes/10/struct", "labels", "attribute-sets.good-attrs.label.struct", "did you mean label"),
    ("definitions/0/type", "enumeration", "definitions.colour.type", "want const, enum, flags or struct"),
    ("definitions/0/entries/1/value", "5", "definitions.colour.entries.dark-blue.value", "want a number"),
    ("definitions/3/value", None, "definitions.name-size.value", "want a number or text"),
    ("definitions/5/members", [], "definitions.shop-header.members", "members are missing"),
    ("definitions/5/members/0/type", "u24", "definitions.shop-header.family.type", "did you mean u"),
    ("definitions/5/members/2/len", ..., "definitions.shop-header.res.len", "want a number from 1 to 65531"),
    ("definitions/6/members/0/len", "name-siz", "definitions.label.code.len", "did you mean name-size"),
    (
        "definitions/6/members/1",
        {"name": "in", "type": "binary", "struct": "label"},
        "definitions.label",
        "within itself",
    ),
    ("sub-messages/0/formats/0/attribute-set", "three", "sub-messages.good-data.tree.attribute-set", "mean tree"),
    ("sub-messages/0/formats", [], "sub-messages.good-data.formats", "formats are missing"),
    ("operations", ..., "operations.list", "list is missing"),
    ("operations/enum-model", "both", "operations.enum-model", "want unified or directional"),
    (f"{OPS}/attribute-set", "good-attr", "operations.new-good.attribute-set", "did you mean good-attrs"),
    (f"{OPS}/do/request/value", 70000, "operations.new-good.do.request.value", "from 0 to 65535"),
    ("operations/list/4/notify", "get-god", "operations.good-ntf.notify", "did you mean get-good"),
    ("operations/list/4/mcgrp", "gods", "operations.good-ntf.mcgrp", "did you mean goods"),
    ("mcast-groups/list/0/value", -1, "mcast-groups.goods.value", "want a number"),
]


@pytest.mark.parametrize(
    ("path", "value", "key", "reason"), WRONG_SPECS, ids=[f"{path}={value}" for path, value, _, _ in WRONG_SPECS]
)
def test_a_wrong_spec_is_an_error_with_its_key(path: str, value: Any, key: str, reason: str) -> None:
    with pytest.raises(ynl.SpecError, match=reason) as caught:
        ynl.load(changed(put(path, value)))
    assert (caught.value.file, caught.value.key) == ("mapping", key)
    assert str(caught.value).startswith(f"mapping: {key}: ")


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all things in a spec."""
    parts: Any = content.items() if isinstance(content, dict) else enumerate(content)
    for name, value in parts:
        yield (*path, name)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, name))


@pytest.mark.filterwarnings("ignore::netlink.ynl.SpecWarning")
@pytest.mark.parametrize(
    "junk", [None, -1, 1 << 70, "", "number", "4-green", [], ["a"], {}, {"name": "x"}, True], ids=repr
)
def test_any_wrong_thing_in_a_spec_is_one_kind_of_error(junk: Any) -> None:
    from netlink.ynl.declare import source

    for path in places(SHOP):
        content = changed(put("/".join(map(str, path)), junk))
        with contextlib.suppress(ynl.SpecError):
            family = ynl.load(content)
            assert len([*family.types.values(), *family.enums.values()]) > 5
            assert all(operation.__doc__ for operation in family.operations.values())
            assert source(family)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (f"{SETS}/type", "u128", "number: the type 'u128' is not known: the attribute stays bytes"),
        (f"{SETS}/scale", 3, "number: a key of it is not known: the attribute stays bytes"),
        ("attribute-sets/0/attributes/15/sub-type", "u128", "numbers: the sub-type 'u128' is not known"),
    ],
)
def test_what_is_not_known_stays_bytes(path: str, value: Any, text: str) -> None:
    with pytest.warns(ynl.SpecWarning) as warned:
        family = ynl.load(changed(put(path, value)))
    assert any(text in str(warning.message) for warning in warned)
    assert all(warning.filename == __file__ for warning in warned)
    name = text.partition(":")[0]
    record = family.values.record(family.types.Good, {name: "0102"})
    assert getattr(record, name) == b"\1\2"


def test_an_attribute_around_may_choose_a_submessage() -> None:
    def change(content: Any) -> None:
        content["attribute-sets"][1]["attributes"].append(
            {"name": "part", "type": "sub-message", "sub-message": "good-data", "selector": "kind"}
        )

    family = ynl.load(changed(change))
    good: Any = family.types.Good
    content = {"2nd-price": {"part": {"leaves": 3}}, "prices": [{"part": {"leaves": 4}}], "kind": "tree"}
    record = good.decode(family.values.record(good, content).encode())
    assert record._2nd_price.part.leaves == 3
    assert family.to_dict(record.replace(header=None)) == content
    with pytest.raises(EncodeError, match=r"2nd-price.part: it needs attribute 2 around it"):
        family.values.record(good, {"2nd-price": {"part": {}}})
    with pytest.raises(TypeError, match=r"prices\[0\].part.levs: there is no such attribute; did you mean leaves"):
        family.values.record(good, {"kind": "tree", "prices": [{"part": {"levs": 1}}]})


def test_a_submessage_that_nothing_chooses_stays_bytes() -> None:
    family = ynl.load(changed(put("attribute-sets/0/attributes/2/selector", "sort")))
    with pytest.warns(ynl.SpecWarning, match=r"good-attrs.data.selector: no set around it has one 'sort'"):
        assert family.types.Good.data.cls is None
    with pytest.raises(ynl.SpecError, match=r"sub-messages.good-data.tree: number has no such value"):
        _ = ynl.load(changed(put("attribute-sets/0/attributes/2/selector", "number"))).types.Good


def test_an_attribute_that_is_listed_twice_counts_once() -> None:
    family = ynl.load(changed(lambda c: c["attribute-sets"][2]["attributes"].append({"name": "amount"})))
    assert [*family.types.Cheap.__fields__] == ["amount"]


# Changes


def test_overrides_change_the_spec() -> None:
    overrides = {
        "attribute-sets": {
            "good-attrs": {"attributes": {"number": {"type": "string"}, "colour": {"enum": None}}},
            "price": {"attributes": {"tax": {"type": "u8", "value": 9}}},
        },
        "definitions": {"colour": {"entries": {"red": {"value": 1}, "black": {"value": 60}}}},
        "sub-messages": {"good-data": {"formats": {"tree": {"attribute-set": "price"}}}},
        "operations": {"list": {"get-good": {"doc": "Other."}}},
    }
    family = ynl.load(SHOP, overrides=overrides)
    good: Any = family.types.Good
    assert good(number="one").number == "one"
    assert good.colour.enum is None
    assert [m.value for m in family.enums.Colour] == [1, 5, 6, 60]
    assert family.types.Price(tax=3).tax == 3  # type: ignore[attr-defined]
    assert family.values.record(good, {"kind": "tree", "data": {"amount": 3}}).data.amount == 3  # type: ignore[attr-defined]
    assert family.spec.operations["get-good"].doc == "Other."
    assert ynl.load(SHOP).types.Good(number=1).number == 1, "the spec itself is as it was"


def test_wrong_overrides_are_errors_with_their_key() -> None:
    change: Any = {"type": {"a": {}}}
    with pytest.raises(ynl.SpecError, match=r"good-attrs.attributes.number.type: there is no mapping and no list"):
        ynl.load(SHOP, overrides={"attribute-sets": {"good-attrs": {"attributes": {"number": change}}}})
    with pytest.raises(ynl.SpecError, match=r"attribute-sets.good-attrs.num-ber.type: type is missing"):
        ynl.load(SHOP, overrides={"attribute-sets": {"good-attrs": {"attributes": {"num-ber": {"value": 70}}}}})


def test_mistakes_of_the_kernels_specs_are_corrected() -> None:
    spec = changed(put("name", "rt-rule"))
    spec["attribute-sets"][1]["name"] = "fib-rule-attrs"
    spec["attribute-sets"][1]["attributes"] = [{"name": "src", "type": "u32"}]
    spec["attribute-sets"][2] = {"name": "cheap", "attributes": []}
    for one in spec["attribute-sets"][0]["attributes"]:
        one.pop("nested-attributes", None)
        one["type"] = "u8" if one["type"] == "nest" else one["type"]
    spec["operations"]["list"][3]["attribute-set"] = "fib-rule-attrs"
    family = ynl.load(spec)
    assert family.values.record(family.types.FibRule, {"src": "2001:db8::1"}).src == ip_address("2001:db8::1")  # type: ignore[attr-defined]
    assert [*family.types.FibRule.__fields__] == ["src", "header"], "what a spec lacks stays away"


# Files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of specs, the only one."""
    monkeypatch.setenv("YNL_SPECS", f"{tmp_path}:{tmp_path / 'none'}")
    monkeypatch.setattr(files, "_INSTALLED", tmp_path / "installed")
    monkeypatch.setattr(files, "_DOCUMENTATION", tmp_path / "doc")
    (tmp_path / "my_shop.json").write_text(json.dumps(SHOP))
    return tmp_path


def test_specs_are_found_by_name_and_by_path(folder: Path) -> None:
    assert ynl.available() == {"my-shop": folder / "my_shop.json"}
    for name in ("my-shop", "my_shop", str(folder / "my_shop.json"), folder / "my_shop.json"):
        assert ynl.load(name).spec.name == "my-shop"
    packed = folder / "doc/linux-doc-6.12/Documentation/netlink/specs"
    packed.mkdir(parents=True)
    (packed / "my_shop.json.gz").write_bytes(gzip.compress(json.dumps(SHOP).encode()))
    (packed / "old_shop.json.gz").write_bytes(gzip.compress(json.dumps(SHOP).encode()))
    newer = folder / "doc/linux-doc-6.100/Documentation/netlink/specs"
    newer.mkdir(parents=True)
    (newer / "old_shop.json.gz").write_bytes(gzip.compress(json.dumps(SHOP).encode()))
    (newer / "Makefile").write_text("")
    assert ynl.available() == {"my-shop": folder / "my_shop.json", "old-shop": newer / "old_shop.json.gz"}
    assert ynl.load("old-shop").spec.file == str(newer / "old_shop.json.gz")


def test_a_spec_that_is_not_there_lists_near_names(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"there is no spec 'my-shp' in {folder}, .*; did you mean my-shop?"):
        ynl.load("my-shp")
    with pytest.raises(FileNotFoundError):
        ynl.load(folder / "other.yaml")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b"{", "it is no JSON"),
        ("a.json", b"[]", "it is no mapping"),
        ("a.json.gz", b"{}", "it is no gzip file"),
        ("a.yaml", b"a: [", "line 2: it is no YAML"),
        ("a.yaml", b"", "it is empty"),
        ("a.yaml", b"a: *b", "line 1: there is no anchor b"),
        ("a.yaml", b"a: &b {c: *b}", "line 1: there is no anchor b"),
        ("a.yaml", b"a: 1\nb: 2\na: 3", "line 3: a comes again"),
        ("a.yaml", b"1: 2", "line 1: a key is no text"),
        ("a.yaml", b"- 1", "it is no mapping"),
        ("a.yaml", b"[" * 5000, "it is nested too deep|it is no YAML"),
    ],
)
def test_a_file_that_is_no_spec_is_an_error(folder: Path, name: str, content: bytes, reason: str) -> None:
    if "yaml" in name:
        pytest.importorskip("yaml")
    (folder / name).write_bytes(content)
    with pytest.raises(ynl.SpecError, match=reason) as caught:
        ynl.load(folder / name)
    assert caught.value.file == str(folder / name)


def test_yaml_and_json_say_the_same(folder: Path) -> None:
    yaml = pytest.importorskip("yaml")
    text = yaml.safe_dump(SHOP)
    for path, data in ((folder / "s.yaml", text.encode()), (folder / "s.yaml.gz", gzip.compress(text.encode()))):
        path.write_bytes(data)
        assert files.read(path) == SHOP
    (folder / "t.yaml").write_text('a: &x [1, 0x1f, "1", 1a, -3, True, ~, on, {b: c}]\nd: *x\n? e\n: |\n  f\n  g\n')
    assert files.read(folder / "t.yaml") == (
        {"a": [1, 31, "1", "1a", -3, True, None, "on", {"b": "c"}]}
        | {"d": [1, 31, "1", "1a", -3, True, None, "on", {"b": "c"}], "e": "f\ng\n"}
    )


def test_yaml_needs_pyyaml(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "s.yaml").write_text("{}")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'fastnetlink\[ynl\]'"):
        ynl.load(folder / "s.yaml")


# The command line


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        status = command.main([*arguments])
    except SystemExit as end:
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def test_the_command_lists_and_shows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "list") == (0, f"my-shop\t{folder}/my_shop.json\n", "")
    status, out, _ = run(capsys, "show", "my-shop")
    assert status == 0
    assert "  get-good  do, dump. Ask for a good" in out
    assert "  good-ntf  group goods" in out
    status, out, _ = run(capsys, "show", "my-shop", "get_good")
    assert status == 0
    assert "  prices: list of nest\n    amount: uint\n" in out
    assert "    kind tree:\n      leaves: u8\n" in out
    assert "  bits: bitfield32, some of new | old | gone\n" in out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("show", "my-shp"), "did you mean my-shop"),
        (("show", "my-shop", "get-god"), "did you mean get-good"),
        (("do", "my-shop", "get-good", "{"), "the request is no JSON"),
        (("do", "my-shop", "get-good", "[]"), "the request is no JSON object"),
        (("do", "my-shop"), "usage"),
        (("make", "my-shop"), "usage"),
        ((), "usage"),
    ],
)
def test_a_wrong_command_is_status_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], text: str
) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert text in err


def test_a_warning_of_the_command_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "odd.json").write_text(json.dumps(changed(put(f"{SETS}/type", "u128"))))
    _, _, err = run(capsys, "show", "odd")
    assert err.startswith("warning: ")
    assert err.count("\n") == 1


def test_the_command_helps(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert "$YNL_SPECS" in out
    assert "python -m netlink.ynl dump rt-link getlink | jq" in out
    assert run(capsys, "do", "--help")[0] == 0


def test_the_package_runs_as_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["ynl", "--help"])
    with pytest.raises(SystemExit, match="0"), pytest.warns(RuntimeWarning, match="found in sys.modules"):
        runpy.run_module("netlink.ynl", run_name="__main__")
    assert "COMMAND" in capsys.readouterr().out


def test_a_reader_that_has_enough_ends_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(errno.EPIPE, "closed")

        def fileno(self) -> int:
            return -1

    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr("os.dup2", lambda *fds: None)
    assert command.main(["list"]) == 0


# Doubles, and copies


SERVED: dict[Any, Any] = {
    "get-good.do": lambda good: Good(number=good.number, colour=5),
    "get_good.dump": lambda good: [Good(number=n) for n in (good.number, 8)],
    "new-good.do": lambda good: None,
    "listen": lambda: [Good(number=1), Good(number=2)],
}


def test_a_double_answers_with_records() -> None:
    seen: list[Any] = []

    def refuse(good: Any) -> None:
        seen.append(good.number)
        raise FileExistsError(errno.EEXIST, "there")

    shop: Any = nltest.serve(Shop, SERVED | {"new-good.do": refuse})
    assert Shop.to_dict(shop.get_good.do(number=5))["number"] == 5
    assert [good.number for good in shop.get_good.dump(number=5)] == [5, 8]
    assert [good.number for part in shop.get_good.iter_dump(number=6, rows=1) for good in part] == [6, 8]
    with pytest.raises(OpError) as caught:
        shop.new_good.do(number=7, nlmsg_flags=HeaderFlags.CREATE)
    assert (caught.value.errno, seen) == (errno.EEXIST, [7])
    with pytest.raises(AssertionError, match=r"no function for del_good\.do"):
        shop.del_good.do(number=7)
    with shop.listen() as stream:
        assert [good.number for good in stream] == [1, 2]
    with pytest.raises(KeyError, match="has no group 'gods'"):
        shop.listen("gods")


def test_a_double_is_awaited() -> None:
    async def run() -> None:
        async with nltest.serve_async(Shop, SERVED) as any_shop:
            shop: Any = any_shop
            assert (await shop.get_good.do(number=5)).number == 5
            assert [good.number for good in await shop.get_good.dump(number=5)] == [5, 8]
            assert await shop.new_good.do(number=7) is None
            async with shop.listen() as stream:
                assert [good.number async for good in stream] == [1, 2]

    asyncio.run(run())


@pytest.mark.parametrize(
    "name", ["get-good", "get_good.listen", "no_such.do", "good-ntf.do", Shop.operations["get-good"]]
)
def test_a_double_of_what_is_no_operation(name: Any) -> None:
    with pytest.raises(ValueError, match="MyShop has no operation"):
        nltest.serve(Shop, {name: list})


def test_records_are_copied_and_a_pickle_names_the_class() -> None:
    good = Good(number=3, colour=5)
    assert copy.copy(good) == copy.deepcopy(good) == good
    for value in (good, Good.decode_many([good.encode()])):
        with pytest.raises(pickle.PicklingError, match=r"netlink\.ynl\.Good"):
            pickle.dumps(value)
    assert Shop.values.record(Good, json.loads(json.dumps(Shop.to_dict(good)))) == good


# Source


def declared(family: Any) -> dict[str, Any]:
    """The names of the module that `declare` writes."""
    from netlink.ynl.declare import source

    found: dict[str, Any] = {"__name__": "declared"}
    exec(compile(source(family), "declared.py", "exec", dont_inherit=True), found)
    return found


def same(one: Any, other: Any, seen: set[tuple[Any, Any]]) -> None:
    """Check that two declarations are the same but for their owners."""
    if (one, other) in seen:
        return
    seen.add((one, other))
    assert one.__name__ == other.__name__
    assert one.__size__ == other.__size__
    assert [*one.__fields__] == [*other.__fields__]
    for name, field in one.__fields__.items():
        twin = other.__fields__[name]
        for each, its in ((field, twin), *(() if field.item is None else ((field.item, twin.item),))):
            for what in ("kind", "types", "width", "flags", "size", "form", "on", "offset"):
                assert getattr(each, what) == getattr(its, what), f"{one.__name__}.{name}.{what}"
            assert (each.enum is None) == (its.enum is None)
            if each.enum is not None:
                assert each.enum.__members__ == its.enum.__members__
            if each.cls is not None:
                same(each.cls, its.cls, seen)
            for (key, case), (its_key, its_case) in zip(each.cases or (), its.cases or (), strict=True):
                assert key == its_key
                same(case, its_case, seen)


def test_the_source_declares_what_is_loaded() -> None:
    family = ynl.load(SHOP)
    module = declared(family)
    assert {"MyShop", "Command", "Group", "Event", "Colour", "Good", "ShopHeader"} < module.keys()
    same(family.types.Good, module["Good"], set())
    shop = module["MyShop"]
    assert shop.protocol == 12
    assert (shop.get_good.command, shop.get_good.reply, shop.new_good.reply) == (18, module["Good"], None)
    assert shop.get_good_dump.many
    assert isinstance(shop.import_, Do)
    assert shop.goods.groups == (3,)
    assert [(kind.type, kind.event) for kind in shop.goods.kinds] == [(16, 16), (17, 17)]


def test_lines_of_the_source_have_the_names_of_the_kernel() -> None:
    from netlink.ynl.declare import source

    text = source(ynl.load(changed(put("attribute-sets/0/name-prefix", "shop-a-"))))
    for line in (
        "    number: Int = u32(1)  # SHOP_A_NUMBER",
        "    _2nd_price: Field[PriceNest | None] = nested(8, PriceNest)  # SHOP_A_2ND_PRICE",
        "    prices: Items[PriceNest] = repeated(10, PriceNest)  # SHOP_A_PRICES",
        "    colour: Member[Colour] = be16(4, enum=Colour)  # SHOP_A_COLOUR",
        "    DARK_BLUE = 5  # COLOUR_DARK_BLUE",
        "    GONE = 0x20  # MARKS_GONE",
        "    GET_GOOD = 18  # GET_GOOD",
        "    class_: Int = be32()  # class",
        "class ShopHeader(Struct, aligned=True):  # struct shop_header",
        '            "tree": Tree,',
        "class Good(AttributeSet, lenient=True, ignore=(5,), header=ShopHeader):",
        "    header: ShopHeader | None = None",
    ):
        assert f"{line}\n" in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_prefix_is_not_repeated() -> None:
    from netlink.ynl.declare import source

    def change(content: Any) -> None:
        content["protonum"] = 0
        content["attribute-sets"][3]["attributes"] = [
            {"name": "tra-leaves", "type": "u8"},
            {"name": "tra-root", "type": "u8"},
        ]

    text = source(ynl.load(changed(change)))
    for line in (
        "tra_root: Int = u8(2)  # TRA_ROOT",
        "amount: Int = uint(1)  # PRICE_AMOUNT",
        "GET_GOOD = 18  # RTM_GET_GOOD",
    ):
        assert f"    {line}\n" in text


def test_names_of_headers_that_a_spec_does_not_give() -> None:
    from netlink.ynl import uapi

    assert uapi.prefix("tc", "tc-act-gact-attrs") == "TCA_GACT_"
    assert uapi.prefix("tc", "tc-act-simple-attrs") == "TCA_DEF_"
    assert uapi.prefix("tc", "cake-attrs") is None
    assert uapi.prefix("nobody", "tc-attrs") is None
    assert uapi.entry_name("rt-link", "linkinfo-vlan-attrs", "flag") == "IFLA_VLAN_FLAGS"
    assert uapi.entry_name("rt-link", "linkinfo-vlan-attrs", "id") is None
    struct, members = uapi.struct_name("tc", "tc-fq-codel-xstats")
    assert struct == "tc_fq_codel_xstats"
    assert [uapi.member_name(members, name) for name in ("type", "ce-mark")] == ["type", "qdisc_stats.ce_mark"]
    assert uapi.struct_name("tc", "tc-gen")[0] == ""


def test_a_field_may_have_the_name_of_a_kind() -> None:
    def change(content: Any) -> None:
        content["attribute-sets"][3]["attributes"] = [
            {"name": "u8", "type": "u8"},
            {"name": "string", "type": "u8"},
            {"name": "text", "type": "string"},
            {"name": "more", "type": "u8", "multi-attr": True},
        ]

    family = ynl.load(changed(change))
    same(family.types.Tree, declared(family)["Tree"], set())
