"""Paths in a declaration of what the kernel objects to: from an offset in a request to "linkinfo.data.id"."""

from __future__ import annotations

import enum
import errno
import struct as c_struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink import AttributeEncoder, OpError
from netlink._engine.paths import attribute_path, explain, missing_name
from netlink.schema import (
    AttributeSet,
    Struct,
    array,
    be16,
    binary,
    event,
    ip,
    nested,
    packed,
    repeated,
    string,
    struct,
    submessage,
    u8,
    u16,
    u32,
)


class Header(Struct):
    family = u8()
    pad = binary(size=1)
    type = u16()
    index = u32()
    flags = u8()  # 9 bytes: the attributes begin at 12


class Vlan(AttributeSet):
    id = u16(1)
    protocol = be16(5)


class Peer(AttributeSet):
    key = u32(1)


class Info(AttributeSet):
    kind = string(1)
    data = submessage(2, "kind", {"vlan": Vlan})


class Op(enum.IntEnum):
    VLAN = 7


class Chosen(AttributeSet):
    which = be16((4, 1), enum=Op)
    body = submessage((4, 2), "which", {Op.VLAN: Vlan})


class Made(enum.IntEnum):
    NEW = 0


class Link(AttributeSet, header=Header):
    made = event(Made)
    name = string(3)
    mtu = u32(4)
    stats = struct(7, Header)
    rate = u32((8, 2))
    burst = u32((8, 3, 1))
    ports = packed(9, u16)
    linkinfo = nested(18, Info)
    peers = repeated(20, Peer)
    names = repeated(21, string)
    list = array(22, Peer)
    numbers = array(23, u32)
    chosen = nested(24, Chosen)
    rare = nested(25, Peer, rare=True)
    address = ip(26, 27)


FRONT = 16 + 12  # nlmsghdr, and Header with its padding


def made(*attributes: bytes) -> bytes:
    return Header(family=1).encode().ljust(12, b"\0") + b"".join(attributes)


def a(type_: int, *inner: bytes) -> bytes:
    data = b"".join(inner)
    return c_struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


NAME = a(3, b"lo\0")  # 8 bytes
KIND = a(1, b"vlan\0")  # 12 bytes


@pytest.mark.parametrize(
    ("payload", "offset", "want"),
    [
        # The outermost attributes.
        (made(NAME), FRONT, "name"),
        (made(NAME), FRONT + 3, "name"),
        (made(NAME), FRONT + 4, "name"),
        (made(NAME), FRONT + 7, "name"),  # its padding
        (made(NAME), FRONT + 8, ""),
        (made(NAME, a(4, bytes(4))), FRONT + 8, "mtu"),
        (made(NAME, a(0x8004, bytes(4))), FRONT + 8, "mtu"),
        (made(a(27, bytes(16))), FRONT, "address"),
        (made(a(9, bytes(4))), FRONT + 6, "ports"),
        # What is before them.
        (made(NAME), 0, ""),
        (made(NAME), 15, ""),
        (made(NAME), -5, ""),
        (made(NAME), 16, "header.family"),
        (made(NAME), 18, "header.type"),
        (made(NAME), 23, "header.index"),
        (made(NAME), 25, "header"),
        (made(NAME), 27, "header"),
        # Nested ones.
        (made(NAME, a(18, KIND)), FRONT + 8, "linkinfo"),
        (made(NAME, a(18, KIND)), FRONT + 12, "linkinfo.kind"),
        (made(NAME, a(0x8012, KIND)), FRONT + 12, "linkinfo.kind"),
        (made(a(25, a(1, bytes(4)))), FRONT + 4, "rare.key"),
        # Submessages.
        (made(a(18, KIND, a(2, a(1, b"\1\0")))), FRONT + 4 + 12, "linkinfo.data"),
        (made(a(18, KIND, a(2, a(1, b"\1\0")))), FRONT + 4 + 16, "linkinfo.data.id"),
        (made(a(18, KIND, a(2, a(1, b"\1\0"), a(5, b"\1\0")))), FRONT + 4 + 24, "linkinfo.data.protocol"),
        (made(a(18, a(2, a(1, b"\1\0")), KIND)), FRONT + 8, "linkinfo.data.id"),  # its selector is behind it
        (made(a(18, a(1, b"veth"), a(2, a(1, b"\1\0")))), FRONT + 4 + 12, "linkinfo.data"),  # no such case
        (made(a(18, a(2, a(1, b"\1\0")))), FRONT + 8, "linkinfo.data"),  # nothing chooses
        (made(a(24, a(4, a(1, b"\0\7"), a(2, a(1, b"\1\0"))))), FRONT + 20, "chosen.body.id"),
        (made(a(24, a(4, a(1, b"\0\x08"), a(2, a(1, b"\1\0"))))), FRONT + 20, "chosen.body"),
        # Lists.
        (made(NAME, a(20, a(1, bytes(4)))), FRONT + 8, "peers[0]"),
        (made(a(20, a(1, bytes(4))), NAME, a(20, a(1, bytes(4)))), FRONT + 12 + 8, "peers[1]"),
        (made(a(20, a(1, bytes(4))), NAME, a(20, a(1, bytes(4)))), FRONT + 12 + 8 + 4, "peers[1].key"),
        (made(a(21, b"a\0"), a(21, b"b\0")), FRONT + 8, "names[1]"),
        (made(a(22, a(0, a(1, bytes(4))))), FRONT, "list"),
        (made(a(22, a(7, a(1, bytes(4))), a(7, a(1, bytes(4))))), FRONT + 4 + 12, "list[1]"),
        (made(a(22, a(7, a(1, bytes(4))), a(7, a(1, bytes(4))))), FRONT + 4 + 12 + 4, "list[1].key"),
        (made(a(23, a(1, bytes(4)), a(2, bytes(4)))), FRONT + 12, "numbers[1]"),
        # Structs.
        (made(a(7, bytes(9))), FRONT, "stats"),
        (made(a(7, bytes(9))), FRONT + 4 + 4, "stats.index"),
        (made(a(7, bytes(20))), FRONT + 4 + 12, "stats"),  # longer than declared
        # Containers have no name of their own.
        (made(a(8, a(2, bytes(4)))), FRONT + 4, "rate"),
        (made(a(8, a(3, a(1, bytes(4))))), FRONT + 8, "burst"),
        (made(a(8, a(3, a(1, bytes(4))))), FRONT, ""),
        # What is not declared.
        (made(a(99, bytes(4))), FRONT, "99"),
        (made(a(99, a(1, bytes(4)))), FRONT + 4, "99"),
        (made(a(18, a(17, bytes(4)))), FRONT + 4, "linkinfo.17"),
        (made(a(8, a(9, bytes(4)))), FRONT + 4, "9"),
        # Malformed: what is good before it counts.
        (made(NAME, b"\3\0\4\0"), FRONT + 8, ""),
        (made(NAME, b"\xff\0\4\0"), FRONT + 8, ""),
        (made(a(0, b""), NAME), FRONT + 4, "name"),
        (made(b"\0\0\0\0", NAME), FRONT + 4, "name"),
        (made(a(18, b"\xff\0\1\0")), FRONT + 4, "linkinfo"),
        (made(NAME)[:5], 19, "header.type"),
        (b"", FRONT, ""),
    ],
)
def test_attribute_path(payload: bytes, offset: int, want: str) -> None:
    assert attribute_path(Link, payload, offset) == want


@pytest.mark.parametrize(
    ("payload", "nest", "type_", "want"),
    [
        (made(), 0, 4, "mtu"),
        (made(), 0, 99, "99"),
        (made(), 0, 26, "address"),
        (made(), 0, 27, "address"),
        (made(), 0, 20, "peers[0]"),
        (made(NAME, a(18)), FRONT + 8, 1, "linkinfo.kind"),
        (made(NAME, a(18)), FRONT + 8, 17, "linkinfo.17"),
        (made(a(18, KIND, a(2))), FRONT + 16, 1, "linkinfo.data.id"),
        (made(a(22, a(0))), FRONT + 4, 1, "list[0].key"),
        (made(a(8)), FRONT, 2, "rate"),
        # An offset that is not where an attribute with others inside begins.
        (made(a(18, KIND)), FRONT + 1, 1, ""),
        (made(NAME), FRONT + 8, 1, ""),
        (made(NAME), 16, 1, ""),
        (made(a(22, a(0))), FRONT, 1, ""),
        (b"", 5, 1, ""),
    ],
)
def test_missing_name(payload: bytes, nest: int, type_: int, want: str) -> None:
    assert missing_name(Link, payload, nest, type_) == want


def test_a_selector_around_the_submessage() -> None:
    class Inner(AttributeSet):
        first = nested(2, Vlan)

    class Outer(AttributeSet):
        kind = string(1)
        inner = nested(3, Inner)

    body = submessage(2, "kind", {"vlan": Vlan})
    body.place(Inner, "body", 0, 0, 0)
    type.__setattr__(Inner, "__fields__", {"body": body})
    payload = KIND + a(3, a(2, a(1, b"\1\0")))
    assert attribute_path(Outer, payload, 16 + 20) == "inner.body.id"


def test_a_protocol_s_header_is_skipped() -> None:
    payload = b"\3\1\0\0" + a(18, KIND)

    class Reply(AttributeSet):
        linkinfo = nested(18, Info)

    assert attribute_path(Reply, payload, 20, skip=4) == "linkinfo"
    assert attribute_path(Reply, payload, 24, skip=4) == "linkinfo.kind"
    assert attribute_path(Reply, payload, 17, skip=4) == ""
    assert missing_name(Reply, payload, 20, 2, skip=4) == "linkinfo.data"


def test_a_request_that_is_a_struct_alone() -> None:
    assert attribute_path(Header, Header().encode(), 18) == "type"
    assert attribute_path(Header, Header().encode(), 16 + 9) == ""


def refused(**more: object) -> OpError:
    return OpError("receive", errno.EINVAL, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "want"),
    [
        (refused(), ""),
        (refused(offset=FRONT + 4), "linkinfo.kind"),
        (refused(offset=9999), ""),
        (refused(missing=4), "mtu"),
        (refused(missing=2, nest=FRONT), "linkinfo.data"),
        (refused(missing=2, nest=FRONT, offset=FRONT), "linkinfo"),
        (refused(missing=2, attribute="known"), "known"),
    ],
)
def test_explain(error: OpError, want: str) -> None:
    explain(error, Link, made(a(18, KIND)))
    assert error.attribute == want


def test_an_explained_error_names_the_missing_attribute() -> None:
    error = refused(missing=2, nest=FRONT)
    explain(error, Link, made(a(18, KIND)))
    assert str(error) == "netlink receive: Invalid argument, missing: linkinfo.data"


def test_paths_of_what_a_record_encodes() -> None:
    """Every attribute of a request, found where the encoder put it."""
    link = Link(
        header=Header(family=1, index=5),
        name="lo",
        mtu=1500,
        linkinfo=Info(kind="vlan", data=Vlan(id=5, protocol=0x8100)),
        peers=(Peer(key=1), Peer(key=2)),
        rate=7,
    )
    payload = link.encode()
    for value, want in ((1500, "mtu"), (2, "peers[1].key"), (7, "rate")):
        at = payload.rindex(c_struct.pack("=I", value), 12)
        assert attribute_path(Link, payload, 16 + at) == want
    assert attribute_path(Link, payload, 16 + payload.index(b"\x81\0", 12)) == "linkinfo.data.protocol"


@given(st.binary(max_size=200), st.integers(-50, 300), st.integers(0, 1 << 32))
def test_any_bytes_and_numbers(data: bytes, offset: int, type_: int) -> None:
    for declaration in (Link, Info, Header, Chosen):
        assert isinstance(attribute_path(declaration, data, offset), str)
        assert isinstance(missing_name(declaration, data, offset, type_), str)


@given(st.data())
def test_any_change_of_a_request(data: st.DataObject) -> None:
    e = AttributeEncoder()
    with e.nested(18) as inner:
        inner.string(1, "vlan")
        inner.nested(2, lambda n: n.uint16(1, 5))
    payload = bytearray(made(e.encode(), a(22, a(0, a(1, bytes(4)))), a(24, a(4, a(1, b"\0\7"), a(2, a(1, b"\1\0"))))))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    for offset in range(len(payload) + 20):
        assert isinstance(attribute_path(Link, bytes(payload), offset), str)
        assert isinstance(missing_name(Link, bytes(payload), offset, 1), str)
