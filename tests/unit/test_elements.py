"""Elements of lists: integers with an enum, structs, and records with the number that an array gives them."""

from __future__ import annotations

import copy
import pickle
import struct as cstruct
from collections.abc import Callable
from enum import IntEnum, IntFlag
from typing import Any

import pytest

from netlink import NESTED, DecodeError, EncodeError
from netlink._engine.paths import attribute_path
from netlink.schema import (
    AttributeSet,
    Int,
    Items,
    Struct,
    array,
    be16,
    binary,
    flag,
    ip,
    ipv4,
    key,
    mac,
    nested,
    packed,
    repeated,
    s8,
    string,
    u8,
    u16,
    u32,
    u64,
)

TIMES = 12  # so many that the last ones are decoded by shape


def attr(kind: int, *inner: bytes) -> bytes:
    data = b"".join(inner)
    return cstruct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


class Mode(IntEnum):
    MANUAL = 1
    AUTOMATIC = 2


class Can(IntFlag):
    ROUTE = 1
    FILTER = 4


class Vlan(Struct):
    """12 bytes of struct ifla_vf_vlan_info, without the padding behind them."""

    vf: Int = u32()
    vlan: Int = u32()
    qos: Int = u16()
    protocol: Int = be16()


class Action(AttributeSet):
    order: Int = key()
    kind = string(1)
    index = u32(2)


class Policy(AttributeSet):
    attribute: Int = key(1)
    policy: Int = key()
    type = u32(1)


class All(AttributeSet):
    modes = repeated(1, u32(enum=Mode))
    abilities = array(2, be16(enum=Can))
    times = array(3, u64(time="s"))
    vlans = repeated(4, Vlan)
    listed = array(5, Vlan)
    table: Items[Vlan] = packed(6, Vlan)
    actions = array(7, Action)
    policies = array(8, Policy, depth=2)
    addresses = array(9, ipv4())
    links = repeated(10, mac())
    blobs = repeated(11, binary(size=3))
    numbers = array(12, s8, depth=3)
    single = nested(13, Action)
    several = repeated(14, Action)


def vlan(n: int) -> bytes:
    return cstruct.pack("=IIH", n, n + 1, n + 2) + cstruct.pack(">H", 0x8100)


def agrees(payload: bytes, **values: Any) -> All:
    """The record of a payload, which is the one that is made of values, however it is looked at."""
    read = All.decode(payload)
    made = All(**values)
    for record in (read, made):
        for name, value in values.items():
            assert getattr(record, name) == value
        assert record.encode() == payload
        assert pickle.loads(pickle.dumps(record)) == record
        assert copy.copy(record) == record
        assert repr(record) == repr(read)
        assert All(**{name: getattr(record, name) for name in All.__fields__}) == record
    assert read == made
    assert hash(read) == hash(made)
    batch = All.decode_many([payload] * TIMES)
    assert batch[-1] == read
    assert pickle.loads(pickle.dumps(batch)) == batch
    assert (batch + batch)[-1].encode() == payload
    return read


def test_integers_with_an_enum() -> None:
    read = agrees(
        attr(1, cstruct.pack("=I", 2)) + attr(1, cstruct.pack("=I", 7)),
        modes=(Mode.AUTOMATIC, 7),
    )
    assert read.modes is not None
    assert [type(mode) for mode in read.modes] == [Mode, int]
    read = agrees(attr(2 | NESTED, attr(1, b"\0\5"), attr(2, b"\0\0")), abilities=(Can.ROUTE | Can.FILTER, Can(0)))
    assert read.to_dict(json=True) == {"abilities": [5, 0]}
    assert All(modes=[1]).to_dict(json=True) == {"modes": ["MANUAL"]}


def test_addresses_and_bytes_of_a_fixed_size() -> None:
    agrees(attr(9 | NESTED, attr(1, bytes([192, 0, 2, 1]))), addresses=All(addresses=["192.0.2.1"]).addresses)
    agrees(attr(10, bytes([2, 0, 0, 0, 0, 1])), links=("02:00:00:00:00:01",))
    agrees(attr(11, b"abc") + attr(11, b"def"), blobs=(b"abc", b"def"))


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("vlans", attr(4, vlan(1)) + attr(4, vlan(2))),
        ("listed", attr(5 | NESTED, attr(1, vlan(1)), attr(2, vlan(2)))),
        ("table", attr(6, vlan(1), vlan(2))),
    ],
    ids=["repeated", "array", "packed"],
)
def test_structs(name: str, payload: bytes) -> None:
    one, two = Vlan(vf=1, vlan=2, qos=3, protocol=0x8100), Vlan(vf=2, vlan=3, qos=4, protocol=0x8100)
    read = agrees(payload, **{name: (one, two)})
    found = getattr(read, name)
    assert found[1].vlan == 3
    assert found[1].unknown == ()
    assert pickle.loads(pickle.dumps(found)) == (one, two)
    assert copy.copy(found[0]) == one
    assert read.to_dict()[name] == [{"vf": n, "vlan": n + 1, "qos": n + 2, "protocol": 0x8100} for n in (1, 2)]
    with pytest.raises(TypeError, match=f"{name}: want a Vlan, got Action"):
        All(**{name: [Action()]})


def test_structs_side_by_side_are_whole() -> None:
    assert agrees(attr(6), table=()).table == ()
    short = Vlan(vf=1, qos=None, protocol=None)
    assert short.encode() == cstruct.pack("=II", 1, 0)
    assert All(table=[short, Vlan()]).encode() == attr(6, vlan_bytes(1), bytes(12))
    assert All.decode(attr(4, vlan(1)[:8])).vlans == (Vlan(vf=1, vlan=2, qos=None, protocol=None),)
    with pytest.raises(DecodeError, match=r"^All\.table: want 24 bytes, got 23, at byte 4$"):
        All.decode(attr(6, vlan(1), vlan(2)[:11]))
    assert All.decode(attr(6, vlan(1)) + attr(6, vlan(2))).table == (Vlan.decode(vlan(2)),)  # the last one counts


def vlan_bytes(vf: int) -> bytes:
    return cstruct.pack("=IIHH", vf, 0, 0, 0)


def test_keys() -> None:
    actions = Action(order=3, kind="gact"), Action(order=1, kind="mirred"), Action(order=3, index=7)
    parts = (
        attr(3 | NESTED, attr(1, b"gact\0")),
        attr(1 | NESTED, attr(1, b"mirred\0")),
        attr(3 | NESTED, attr(2, cstruct.pack("=I", 7))),
    )
    read = agrees(attr(7 | NESTED, *parts), actions=actions)
    assert read.actions is not None
    assert [action.order for action in read.actions] == [3, 1, 3]
    first = read.actions[0]
    assert repr(first) == "Action(order=3, kind='gact')"
    assert first.to_dict() == {"order": 3, "kind": "gact"}
    assert pickle.loads(pickle.dumps(first)) == copy.copy(first) == first.replace() == first
    assert first != first.replace(order=4)
    assert hash(first) == hash(Action(order=3, kind="gact"))
    assert first.encode() == Action(kind="gact").encode()


def test_records_without_a_key_are_numbered() -> None:
    made = All(actions=[Action(kind="a"), Action(order=0, kind="b"), Action(kind="c")])
    assert made.actions is not None
    assert [action.order for action in made.actions] == [1, 0, 3]
    assert All.decode(made.encode()) == made


def test_a_record_that_is_in_no_array_has_no_key() -> None:
    assert Action(kind="a").order is None
    assert Action.decode(attr(1, b"a\0")).order is None
    record = All(single=Action(order=3, kind="a"), several=[Action(order=3)])
    assert record.single is not None
    assert record.several is not None
    assert record.single.order is record.several[0].order is None


def test_keys_of_several_levels() -> None:
    one, two, three = (
        Policy(policy=7, attribute=1, type=1),
        Policy(policy=7, attribute=2, type=2),
        Policy(policy=3, attribute=9, type=3),
    )
    inner = [attr(n | NESTED, attr(1, cstruct.pack("=I", t))) for n, t in ((1, 1), (2, 2), (9, 3))]
    payload = attr(8 | NESTED, attr(7 | NESTED, inner[0], inner[1]), attr(3 | NESTED, inner[2]))
    agrees(payload, policies=(one, two, three))
    # Those apart from each other do not share an attribute.
    agrees(
        attr(8 | NESTED, attr(7 | NESTED, inner[0]), attr(3 | NESTED, inner[2]), attr(7 | NESTED, inner[1])),
        policies=(one, three, two),
    )
    made = All(policies=[Policy(type=1), Policy(attribute=5), Policy(policy=2)])
    assert made.policies is not None
    assert [(one.policy, one.attribute) for one in made.policies] == [(1, 1), (1, 5), (2, 3)]
    assert All.decode(attr(8, attr(1), attr(2))).policies == ()
    with pytest.raises(DecodeError, match=r"^All\.policies: an attribute's length does not fit"):
        All.decode(attr(8, attr(1, b"\xff\0\1\0")))


def test_levels_of_attributes_that_only_number() -> None:
    payload = attr(12 | NESTED, attr(1 | NESTED, attr(1 | NESTED, attr(1, b"\x05"), attr(2, b"\xff"))))
    agrees(payload, numbers=(5, -1))
    payload = attr(12, attr(9, attr(8, attr(7, b"\x05")), attr(7)), attr(3, attr(4, attr(5, b"\6"))))
    assert All.decode(payload).numbers == (5, 6)


@pytest.mark.parametrize("value", [-1, 0x4000, 1 << 40])
def test_a_key_is_an_attribute_type(value: int) -> None:
    with pytest.raises(EncodeError, match=r"^order: "):
        Action(order=value)
    with pytest.raises(TypeError, match="order: want an int"):
        Action(order="1")  # type: ignore[arg-type]


def test_an_array_of_more_records_than_there_are_types() -> None:
    made = All(actions=[Action()] * 16380)
    assert made.actions is not None
    assert made.actions[-1].order == 16380
    assert All.decode(made.encode()) == made


def test_columns() -> None:
    pa = pytest.importorskip("pyarrow")
    record = All(
        modes=[1, 9], abilities=[4], times=[0], vlans=[Vlan(vf=1)], table=[Vlan(vf=2), Vlan(vf=3)],
        actions=[Action(order=7, kind="gact")], policies=[Policy(policy=1, attribute=2, type=3)],
    )  # fmt: skip
    (row,) = pa.table(All.decode_many([record.encode()])).to_pylist()
    assert row["modes"] == ["MANUAL", "9"]
    assert row["abilities"] == [4]
    assert row["times"][0].year == 1970
    assert row["vlans"] == [{"vf": 1, "vlan": 0, "qos": 0, "protocol": 0}]
    assert [vlan["vf"] for vlan in row["table"]] == [2, 3]
    assert row["actions"] == [{"order": 7, "kind": "gact", "index": None}]
    assert row["policies"] == [{"attribute": 2, "policy": 1, "type": 3}]
    numpy = pytest.importorskip("numpy")
    batch = All.decode_many([record.encode()])
    assert batch.to_numpy().dtype.names == ("single_order", "single_index")
    assert numpy.asarray(batch["table"])[0] == record.table
    assert Action.decode_many([b""]).to_numpy()["order"].dtype == "u2"


def test_paths() -> None:
    def at(record: All, value: bytes) -> str:
        return attribute_path(All, record.encode(), 16 + record.encode().index(value))

    assert at(All(table=[Vlan(), Vlan(vlan=0x01020304)]), cstruct.pack("=I", 0x01020304)) == "table[1].vlan"
    assert at(All(listed=[Vlan(), Vlan(qos=0x0102)]), cstruct.pack("=H", 0x0102)) == "listed[1].qos"
    assert at(All(vlans=[Vlan(), Vlan(qos=0x0102)]), cstruct.pack("=H", 0x0102)) == "vlans[1].qos"
    policies = [Policy(policy=2), Policy(policy=3), Policy(policy=3, attribute=9, type=0x01020304)]
    assert at(All(policies=policies), cstruct.pack("=I", 0x01020304)) == "policies[1][1].type"


class Twice(AttributeSet):
    ports = packed(1, Vlan)


@pytest.mark.parametrize(
    "make",
    [
        lambda: repeated(1, u32(2)),
        lambda: repeated(1, u32(enum=Mode, required=True)),
        lambda: repeated(1, flag(1)),
        lambda: repeated(1, ip(1)),
        lambda: repeated(1, Twice.ports),
        lambda: repeated(1, key()),
        lambda: packed(1, u32(enum=Mode)),
        lambda: packed(1, Struct),
        lambda: packed(1, Action),
        lambda: array(1, u32, depth=0),
        lambda: array(1, u32, depth=5),
        lambda: array(1, u32, depth="2"),
        lambda: key(-1),
        lambda: key(4),
        lambda: key("0"),
    ],
)
def test_mistakes_in_a_call(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        make()


def test_mistakes_in_a_declaration() -> None:
    with pytest.raises(TypeError, match="Both: one and two are both keys of level 0"):
        type("Both", (AttributeSet,), {"one": key(), "two": key()})
    with pytest.raises(TypeError, match=r"Rare\.one: a field of this kind cannot be rare"):
        type("Rare", (AttributeSet,), {"one": key(), "two": u8(1)}, rare=("one",))
    with pytest.raises(TypeError, match=r"InStruct\.one: a Struct has"):
        type("InStruct", (Struct,), {"one": key()})
    element = u32(enum=Mode)
    with pytest.raises(TypeError, match="used in two places"):
        type("Shared", (AttributeSet,), {"one": repeated(1, element), "two": repeated(2, element)})
