"""Socket addresses, addresses whose family another field tells, payloads that are no attributes, and enums in them."""

from __future__ import annotations

import copy
import json
import pickle
import socket
import struct as cstruct
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from filters import run
from netlink import DecodeError, EncodeError
from netlink.match import Criteria, ManyNetworks, OneNumber, networks, number
from netlink.schema import (
    AttributeSet,
    Bitfield32,
    Record,
    SocketAddress,
    Struct,
    array,
    be16,
    be32,
    bitfield32,
    ip,
    nested,
    packed,
    pad,
    repeated,
    rest,
    s8,
    sbe16,
    sbe32,
    sbe64,
    sockaddr,
    string,
    struct,
    submessage,
    u8,
    u16,
    u32,
    uint,
)
from netlink.stream import Kind

MANY = 12  # so many that the last ones are decoded by shape
V4, V6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")


def attr(kind: int, data: bytes = b"") -> bytes:
    return cstruct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def same(record: Record) -> None:
    """What holds for every record that is whole."""
    cls = type(record)
    payload = record.encode()
    again = cls.decode(payload)
    assert again == record
    assert repr(again) == repr(record)
    assert again.to_dict() == record.to_dict()
    assert cls(**{name: getattr(record, name) for name in cls.__fields__}) == record
    batch = cls.decode_many([payload] * MANY)
    assert batch[0] == batch[-1] == record
    assert repr(batch[-1]) == repr(record)
    assert repr(copy.copy(record)) == repr(copy.copy(batch)[-1]) == repr(record)
    assert repr(pickle.loads(pickle.dumps(record))) == repr(record)
    json.dumps(record.to_dict(json=True))
    assert batch._repr_html_()


class Ends(Struct):
    family = u8()
    gap = pad(1)
    port = be16()
    src = ip(size=16, family="family")


class Behind(AttributeSet, header=Ends):
    header: Ends | None
    mark = u32(1)


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, IPv4Address(0)), (socket.AF_INET6, IPv6Address(0))])
def test_an_address_that_is_not_given_is_of_the_family(family: int, address: Any) -> None:
    """Alone, and in a header whose members lie beside the attributes."""
    ends = Ends(family=family, port=9)
    assert ends.src == address
    assert Ends.decode(ends.encode()) == ends == ends.replace(port=9)
    behind = Behind(family=family, port=9)
    assert behind.src == behind.header.src == address  # type: ignore[union-attr]
    assert Behind.decode(behind.encode()) == behind == behind.replace(mark=None)


# Socket addresses


class Peer(AttributeSet):
    endpoint = sockaddr(1)
    others = repeated(2, sockaddr)
    listed = array(3, sockaddr)
    mark = u32(4)


class RarePeer(Peer, rare=("endpoint",), lenient=True):
    pass


def sockaddr_in(address: str, port: int) -> bytes:
    return cstruct.pack("=H", socket.AF_INET) + port.to_bytes(2, "big") + IPv4Address(address).packed + bytes(8)


def sockaddr_in6(address: str, port: int, flow_info: int = 0, scope_id: int = 0) -> bytes:
    head = cstruct.pack("=H", socket.AF_INET6) + port.to_bytes(2, "big") + flow_info.to_bytes(4, "big")
    return head + IPv6Address(address).packed + cstruct.pack("=I", scope_id)


ADDRESSES = [
    ("192.0.2.1:51820", SocketAddress(V4, 51820), sockaddr_in("192.0.2.1", 51820)),
    ("0.0.0.0:0", SocketAddress(IPv4Address(0), 0), sockaddr_in("0.0.0.0", 0)),
    ("[2001:db8::1]:65535", SocketAddress(V6, 65535), sockaddr_in6("2001:db8::1", 65535)),
    ("[fe80::1%7]:80", SocketAddress(IPv6Address("fe80::1"), 80, 0, 7), sockaddr_in6("fe80::1", 80, 0, 7)),
    ("[::ffff:192.0.2.1]:80", SocketAddress(IPv6Address("::ffff:192.0.2.1"), 80),
     sockaddr_in6("::ffff:192.0.2.1", 80)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value", "wire"), ADDRESSES, ids=[text for text, _, _ in ADDRESSES])
def test_socket_addresses(text: str, value: SocketAddress, wire: bytes) -> None:
    record = Peer.decode(attr(1, wire))
    assert record.endpoint == value
    assert type(record.endpoint) is SocketAddress
    if value.address.version == 4 or "ffff" not in text:
        assert str(record.endpoint) == text
    assert record.encode() == attr(1, wire)
    assert record.to_dict() == {"endpoint": value}
    assert record.to_dict(json=True) == {"endpoint": str(value)}
    for given in (text, value, tuple(value), (str(value.address), *value[1:])):
        for cls in (Peer, RarePeer):
            assert cls(endpoint=given).encode() == attr(1, wire)
            assert cls(endpoint=given).endpoint == value
    assert Peer(endpoint=str(value)).endpoint == value
    same(record)
    same(Peer(others=[text, value], listed=[text], mark=1))
    same(RarePeer(endpoint=text))
    longer = Peer.decode(attr(1, wire + bytes(100)))  # struct sockaddr_storage
    assert longer == record
    assert longer.encode() == attr(1, wire)
    assert pickle.loads(pickle.dumps(value)) == value


def test_flow_info() -> None:
    value = SocketAddress(V6, 1, flow_info=0x12345, scope_id=3)
    record = Peer(endpoint=value)
    assert record.endpoint == value
    assert record.encode() == attr(1, sockaddr_in6(str(V6), 1, 0x12345, 3))


def test_socket_addresses_of_the_standard_library() -> None:
    with socket.socket(socket.AF_INET6) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            pytest.skip("there is no IPv6 loopback address")
        name = sock.getsockname()
    assert Peer(endpoint=name).endpoint == SocketAddress(IPv6Address("::1"), name[1])


@pytest.mark.parametrize("size", [*range(16), 28])
def test_socket_addresses_that_are_cut_off(size: int) -> None:
    v4, v6 = sockaddr_in("192.0.2.1", 1)[:size], sockaddr_in6("::1", 1)[:size]
    for wire in (v4, v6):
        payload = attr(1, wire)
        if (wire is v4 and size >= 16) or size >= 28:
            assert Peer.decode(payload).endpoint is not None
            continue
        with pytest.raises(DecodeError, match=rf"^Peer\.endpoint: want (16|28) bytes, got {size}, at byte 4$"):
            Peer.decode(payload)
        assert RarePeer.decode(payload).unknown == ((1, wire),)


def test_socket_addresses_of_another_family() -> None:
    payload = attr(1, cstruct.pack("=H", socket.AF_UNIX) + b"/run/x" + bytes(20))
    text = "want a socket address of AF_INET or AF_INET6, got address family 1, at byte 4"
    with pytest.raises(DecodeError, match=rf"^Peer\.endpoint: {text}$"):
        Peer.decode(payload)
    with pytest.raises(DecodeError, match=r"^Peer\.others: want a socket"):
        Peer.decode(attr(2, payload[4:]))
    assert RarePeer.decode(payload).unknown == ((1, payload[4:]),)


@pytest.mark.parametrize(
    "bad", ["192.0.2.1", "192.0.2.1:", ":80", "192.0.2.1:x", "::1:80", "[192.0.2.1:80", "[::1]", "192.0.2.1:65536",
            "host:80", "[fe80::1%eth0]:80", "192.0.2.1:-1", "192.0.2.1:²", ("192.0.2.1", 65536), ("192.0.2.1", -1),
            ("192.0.2.1", 1, 2), ("192.0.2.1", 1, 0, 2), ("::1", 1, 1 << 32), ("::1", 1, 0, -1), ("x", 1)]
)  # fmt: skip
def test_values_that_are_no_socket_addresses(bad: Any) -> None:
    with pytest.raises(EncodeError, match="endpoint"):
        Peer(endpoint=bad)


@pytest.mark.parametrize("bad", [80, b"192.0.2.1:80", (V4,), (V4, 1, 2, 3, 4), (V4, "80"), None.__class__, (1.5, 1)])
def test_values_of_other_types(bad: Any) -> None:
    with pytest.raises(TypeError, match="endpoint"):
        Peer(endpoint=bad)


def test_socket_addresses_in_numpy_and_arrow() -> None:
    np = pytest.importorskip("numpy")
    pa = pytest.importorskip("pyarrow")
    records = [Peer(endpoint="192.0.2.1:7", others=["[::1]:8"]), Peer(), Peer(endpoint=("fe80::1", 9, 3, 4))]
    batch = Peer.decode_many([record.encode() for record in records])
    assert pa.record_batch(batch.arrow()).to_pylist()[0] == {
        "endpoint_address": "192.0.2.1", "endpoint_port": 7, "endpoint_flow_info": 0, "endpoint_scope_id": 0,
        "others": [{"address": "::1", "port": 8, "flow_info": 0, "scope_id": 0}], "listed": None, "mark": None,
    }  # fmt: skip
    assert list(batch["endpoint_address"]) == [V4, None, IPv6Address("fe80::1")]
    assert list(batch["endpoint_port"]) == [7, None, 9]
    rows = batch.to_numpy()
    assert rows["endpoint_port"].tolist() == [7, 0, 9]
    assert rows["endpoint_port"].dtype == np.uint16
    assert rows["endpoint_scope_id"].tolist() == [0, 0, 4]
    assert bytes(rows["endpoint_address"][0]) == IPv6Address("::ffff:192.0.2.1").packed
    assert np.asarray(batch["endpoint_port"]).tolist() == [7, 0, 9]
    binary = pa.record_batch(batch.arrow("binary"))["endpoint_address"]
    assert binary.to_pylist() == [IPv6Address("::ffff:192.0.2.1").packed, None, IPv6Address("fe80::1").packed]


# Addresses whose family another field tells


class Selector(Struct, aligned=True):
    """The beginning of struct xfrm_selector: two xfrm_address_t, ports and masks, the family."""

    dst = ip(size=16, family="family")
    src = ip(size=16, family="family")
    port = be16()
    family = u16()


class Head(Struct):
    family = u8()
    gap = pad(3)


class Policy(AttributeSet, header=Head):
    selector = struct(1, Selector)
    first = ip(2, size=16, family="own")
    own = u16(3)
    of_header = ip(4, size=16, family="header.family")
    inside = ip((5, 1), size=16, family="header.family")


def test_addresses_in_a_struct() -> None:
    v4 = V4.packed + bytes(12) + bytes([198, 51, 100, 1]) + bytes(12) + b"\0\x50" + cstruct.pack("=H", 2)
    v6 = V6.packed + bytes(16) + b"\0\x50" + cstruct.pack("=H", 10)
    for record in Selector.decode_many([v4] * MANY):
        assert (record.dst, record.src, record.port) == (V4, IPv4Address("198.51.100.1"), 80)
        assert record.encode() == v4
        same(record)
    record = Selector.decode(v6)
    assert (record.dst, record.src) == (V6, IPv6Address("::"))
    assert record.encode() == v6
    same(record)
    assert Selector(dst=str(V4), src="198.51.100.1", port=80, family=2).encode() == v4
    assert Selector(dst=V6, src="::", port=80, family=10).encode() == v6
    assert Selector().dst == IPv6Address("::")
    # What an IPv4 address leaves of the 16 bytes means nothing.
    assert Selector.decode(V4.packed + b"?" * 12 + v4[16:]).encode() == v4
    short = Selector.decode(v4[:20])
    assert (short.dst, short.src, short.family) == (IPv6Address(v4[:16]), None, None)
    assert Selector.decode(short.encode()) == short
    for family, value, want in ((2, V6, 4), (10, V4, 6), (0, V4, 6)):
        with pytest.raises(EncodeError, match=rf"^dst: family is {family}, so want an IPv{want} address, got {value}$"):
            Selector(family=family, dst=value)


class Addressed(Criteria[Policy], declaration=Policy):
    first: ManyNetworks = networks("first")
    inside: ManyNetworks = networks("inside")
    dst: ManyNetworks = networks("selector.dst")
    family: OneNumber = number("header.family", most=0xFF)


def test_filters_by_addresses_whose_family_another_field_tells() -> None:
    def packet(family: int, value: Any) -> Policy:
        selector = Selector(dst=value, family=family)
        return Policy(header=Head(family=family), selector=selector, first=value, own=family, inside=value)

    records = [packet(2, V4), packet(10, V6), packet(2, "198.51.100.1"), packet(10, "::ffff:192.0.2.1"), Policy()]
    payloads = [record.encode() for record in records]
    for name in ("first", "inside", "dst"):
        for given, want in (
            ("192.0.2.0/24", [0]),
            (["198.51.100.0/24", V6], [1, 2]),
            ("::/0", [1, 3]),
            ("0.0.0.0/0", [0, 2]),
            ("10.0.0.0/8", []),
        ):
            match = Addressed(**{name: given}).match()
            assert [i for i, record in enumerate(records) if match(record)] == want
    match = Addressed(family=10, dst="::/0").match()
    assert [i for i, record in enumerate(records) if match(record)] == [1, 3]
    # The kernel's own filter leaves them to the match: it does not know whose address 16 bytes are.
    messages = [cstruct.pack("=IHHII", 16 + len(payload), 16, 0, 0, 0) + payload for payload in payloads]
    for given in ({"first": V4}, {"dst": V4}, {"inside": V4}, {"family": 2, "first": V6}):
        program = Addressed(**given).bpf([Kind(16, Policy)], always=Policy.own)
        assert all(run(program, message) for message in messages)


@pytest.mark.parametrize(("family", "value"), [(2, V4), (10, V6), (0, V6), (1, IPv6Address("::ffff:192.0.2.1"))])
def test_addresses_in_attributes(family: int, value: Any) -> None:
    wire = value.packed + bytes(16 - len(value.packed))
    payload = bytes([family, 0, 0, 0]) + attr(2, wire) + attr(3, cstruct.pack("=H", family)) + attr(4, wire)
    payload += attr(5 | 0x8000, attr(1, wire))
    for record in Policy.decode_many([payload] * MANY):
        assert record.first == record.of_header == record.inside == value
        assert type(record.first) is type(value)
        assert record.encode() == payload
    made = Policy(first=value, own=family, of_header=value, inside=value, family=family)
    assert made.encode() == payload
    same(made)
    twice = bytes([family, 0, 0, 0]) + attr(4, bytes(16)) + attr(4, wire)
    assert Policy.decode(twice).of_header == value
    same(Policy(header=Head(family=family), selector=Selector(family=family, dst=value, src=value)))


def test_addresses_of_another_width() -> None:
    for type_, name in ((2, "first"), (4, "of_header")):
        with pytest.raises(DecodeError, match=rf"^Policy\.{name}: want 16 bytes, got 4, at byte 8$"):
            Policy.decode(bytes(4) + attr(type_, V4.packed))
    lenient: Any = type(AttributeSet)("Lenient", (Policy,), {}, lenient=True)
    for _ in range(2):
        for record in lenient.decode_many([b"\2\0\0\0" + attr(4, V4.packed) + attr(2, b"")] * MANY):
            assert record.unknown == ((4, V4.packed), (2, b""))
            assert record.of_header is None


def test_addresses_in_numpy_and_arrow() -> None:
    pytest.importorskip("numpy")
    pa = pytest.importorskip("pyarrow")
    records = [Policy(family=2, of_header=V4), Policy(family=10, of_header=V6), Policy(family=0)]
    batch = Policy.decode_many([record.encode() for record in records])
    assert pa.record_batch(batch.select("of_header")).to_pydict() == {"of_header": [str(V4), str(V6), None]}
    rows = batch.to_numpy("of_header")
    assert [bytes(row) for row in rows["of_header"]] == [IPv6Address(f"::ffff:{V4}").packed, V6.packed, bytes(16)]
    assert list(batch["of_header"]) == [V4, V6, None]


@pytest.mark.parametrize(
    "fields",
    [{"a": ip(1, size=16, family="b")}, {"a": ip(1, size=16, family="b"), "b": uint(2)},
     {"a": ip(1, size=16, family="header.family")}, {"a": ip((1, 2), size=16, family="b"), "b": u8(2)},
     {"a": ip(1, size=16, family="b"), "b": string(2)}],
)  # fmt: skip
def test_families_that_are_not_there(fields: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"Wrong\.a: family="):
        type(AttributeSet)("Wrong", (AttributeSet,), fields)


def test_mistakes_in_a_call() -> None:
    for wrong in (
        lambda: ip(1, size=4, family="x"),
        lambda: ip(1, size=16),
        lambda: ip(1, family="x"),
        lambda: ip(1, 2, size=16, family="x"),
        lambda: ip(),
        lambda: packed(1, Head, enum=State),
    ):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError, match="not rare"):
        type(AttributeSet)("A", (AttributeSet,), {"a": ip(1, size=16, family="b"), "b": u8(2)}, rare=("b",))
    with pytest.raises(TypeError, match="cannot be rare"):
        type(AttributeSet)("A", (AttributeSet,), {"a": ip(1, size=16, family="b"), "b": u8(2)}, rare=("a",))


# Payloads that are no attributes


class Uevent(AttributeSet):
    texts = rest(texts=True)


class Raw(AttributeSet, header=Head):
    data = rest()


UEVENT = b"add@/devices/virtual/net/x\0ACTION=add\0SUBSYSTEM=net\0"


def test_texts_behind_one_another() -> None:
    for record in Uevent.decode_many([UEVENT] * MANY):
        assert record.texts == ("add@/devices/virtual/net/x", "ACTION=add", "SUBSYSTEM=net")
        assert record.encode() == UEVENT
        assert record.unknown == ()
    same(Uevent.decode(UEVENT))
    assert Uevent(texts=["add@/devices/virtual/net/x", "ACTION=add", "SUBSYSTEM=net"]).encode() == UEVENT
    assert Uevent.decode(UEVENT[:-1]).texts == Uevent.decode(UEVENT).texts
    assert Uevent.decode(b"\0").texts == ("",)
    assert Uevent.decode(b"a\0\0").texts == ("a", "")
    assert Uevent.decode(b"\xff\0").texts == ("\udcff",)
    for empty in (Uevent.decode(b""), Uevent(texts=()), Uevent()):
        assert empty.texts is None
        assert empty.encode() == b""
        same(empty)
    for bad, error in ((["a\0b"], EncodeError), ([1], TypeError), (1, TypeError), ([b"x"], TypeError)):
        with pytest.raises(error, match="texts"):
            Uevent(texts=bad)


def test_all_bytes_behind_the_header() -> None:
    for record in Raw.decode_many([b"\7\0\0\0" + b"anything"] * MANY):
        assert (record.family, record.data) == (7, b"anything")
        assert record.encode() == b"\7\0\0\0anything"
    same(Raw(family=1, data=bytearray(b"\0\1\0")))
    same(Raw(family=1))
    assert Raw(family=1, data=b"") == Raw(family=1)
    assert repr(Raw(family=1, data=b"")) == repr(Raw(family=1))
    with pytest.raises(DecodeError, match="want a header of 4 bytes"):
        Raw.decode(b"123")
    assert Raw.decode(bytes(4) + bytes(70000)).data == bytes(70000)
    with pytest.raises(TypeError, match="data"):
        Raw(data="text")


def test_a_rest_in_a_submessage() -> None:
    class Options(AttributeSet):
        kind = string(1)
        data = submessage(2, on="kind", cases={"raw": Raw, "texts": Uevent})

    record = Options(kind="raw", data=Raw(family=1, data=b"keys"))
    assert record.encode() == attr(1, b"raw\0") + attr(2, b"\1\0\0\0keys")
    assert Options.decode(record.encode()) == record
    assert copy.copy(Options.decode(record.encode())).data == Raw(family=1, data=b"keys")
    texts = Options(kind="texts", data=Uevent(texts=["a"]))
    assert Options.decode(texts.encode()).data == Uevent(texts=["a"])


def test_rests_in_arrow() -> None:
    pytest.importorskip("numpy")
    pa = pytest.importorskip("pyarrow")
    batch = Uevent.decode_many([UEVENT, b"", b"\0", b"a\0\0b", b"\xff"])
    column = pa.record_batch(batch.arrow())["texts"]
    assert column.to_pylist() == [UEVENT[:-1].decode().split("\0"), None, [""], ["a", "", "b"], ["\ufffd"]]
    assert list(batch["texts"])[2:4] == [("",), ("a", "", "b")]
    raw = pa.record_batch(Raw.decode_many([bytes(4) + b"xy", bytes(4)]).arrow())
    assert raw["data"].to_pylist() == [b"xy", None]
    assert Raw.decode_many([bytes(4) + b"xy"]).to_numpy().dtype.names == ("header_family",)


@pytest.mark.parametrize("other", [{"b": u8(1)}, {"b": rest()}, {"b": nested(1, Peer)}])
def test_a_rest_is_alone(other: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="so there is no b"):
        type(AttributeSet)("Wrong", (AttributeSet,), {"a": rest(), **other})


def test_a_rest_is_in_no_nest() -> None:
    for make in (nested, repeated, array):
        with pytest.raises(TypeError, match="Uevent has a rest"):
            make(1, Uevent)
        later: Any = type(AttributeSet)("Later", (AttributeSet,), {"field": make(1, lambda: Uevent)})
        with pytest.raises(TypeError, match="Uevent has a rest"):
            later.decode(b"")
    for wrong in (rest(), ip(size=16, family="x")):
        with pytest.raises(TypeError, match="repeated takes"):
            repeated(1, wrong)


# Enums and signed integers in network byte order


class State(IntEnum):
    DOWN = 0
    UP = 1


class Flags(IntFlag):
    A = 1
    B = 2


class Numbers(AttributeSet):
    bits = bitfield32(1, enum=Flags)
    states = packed(2, u16, enum=State)
    flags = packed(3, be32, enum=Flags)
    two = sbe16(4)
    four = sbe32(5)
    eight = sbe64(6)
    many = packed(7, sbe16)
    letters = packed(8, s8, enum=State)


class Signed(Struct):
    two = sbe16()
    four = sbe32()


def test_enums_of_a_bitfield() -> None:
    record = Numbers(bits=(Flags.A, 3))
    assert record.bits == Bitfield32(1, 3)
    assert record.bits is not None
    assert record.bits.value is Flags.A
    assert record.bits.selector == Flags.A | Flags.B
    assert isinstance(record.bits.selector, Flags)
    assert record.encode() == attr(1, cstruct.pack("=II", 1, 3))
    assert record.to_dict(json=True) == {"bits": [1, 3]}
    same(record)


def test_enums_of_packed_integers() -> None:
    record = Numbers(states=[State.UP, 0, 77], flags=[3], letters=[-1, 1])
    assert record.states == (State.UP, State.DOWN, 77)
    assert [type(state) for state in record.states or ()] == [State, State, int]
    assert record.flags == (Flags.A | Flags.B,)
    assert record.letters == (-1, State.UP)
    assert record.encode() == attr(2, cstruct.pack("=HHH", 1, 0, 77)) + attr(3, b"\0\0\0\3") + attr(8, b"\xff\1")
    assert record.to_dict(json=True)["states"] == ["UP", "DOWN", 77]
    same(record)


def test_enums_of_packed_integers_in_arrow() -> None:
    pytest.importorskip("numpy")
    pa = pytest.importorskip("pyarrow")
    records = [Numbers(states=range(600)), Numbers(), Numbers(states=[], flags=[1]), Numbers(letters=[-1])]
    table = pa.record_batch(Numbers.decode_many([record.encode() for record in records]).arrow())
    names = ["DOWN", "UP", *map(str, range(2, 600))]
    assert table["states"].to_pylist() == [names, None, [], None]
    assert table["flags"].to_pylist() == [None, None, [1], None]
    assert table["letters"].to_pylist()[3] == ["-1"]
    assert Numbers.decode_many([records[0].encode()])["bits_value"].__array__().tolist() == [0]


def test_signed_integers_in_network_byte_order() -> None:
    for name, type_, code in (("two", 4, ">h"), ("four", 5, ">i"), ("eight", 6, ">q")):
        width = cstruct.calcsize(code)
        low, high = -1 << 8 * width - 1, (1 << 8 * width - 1) - 1
        for value in (low, -2, -1, 0, 1, high):
            record = Numbers(**{name: value})
            assert record.encode() == attr(type_, cstruct.pack(code, value))
            assert getattr(record, name) == value
            same(record)
        for value in (low - 1, high + 1):
            with pytest.raises(EncodeError, match=name):
                Numbers(**{name: value})
        with pytest.raises(DecodeError, match=rf"^Numbers\.{name}: want {width} bytes, got 1"):
            Numbers.decode(attr(type_, b"1"))
    assert Numbers(many=[-2, 5]).encode() == attr(7, b"\xff\xfe\0\5")
    same(Numbers(many=[-2, 5]))
    same(Signed(two=-2, four=-3))
    assert Signed(two=-2, four=-3).encode() == cstruct.pack(">hi", -2, -3)


def test_signed_integers_in_numpy_and_filters() -> None:
    np = pytest.importorskip("numpy")
    batch = Numbers.decode_many([Numbers(four=-300).encode(), Numbers(four=300).encode()])
    assert batch.to_numpy("four")["four"].tolist() == [-300, 300]
    assert batch.to_numpy("four")["four"].dtype == np.int32
    from netlink.match import Criteria, numbers

    class Wanted(Criteria[Numbers], declaration=Numbers):
        four: Any = numbers("four")

    match = Wanted(four=300).match()
    assert match is not None
    assert [match(record) for record in batch] == [False, True]
