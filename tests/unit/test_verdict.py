"""ERROR and DONE messages: struct nlmsgerr, a DONE's int, and the extended acknowledgement behind them.

Documentation/userspace-api/netlink/intro.rst "Ext ACK"; NLMSGERR_ATTR_* of linux/netlink.h.
"""

from __future__ import annotations

import errno
import struct

import pytest

from netlink import DecodeError, Header, HeaderFlags, HeaderType, Message, OpError, Policy
from netlink._codec import verdict
from netlink.consts import PolicyType

MULTI = HeaderFlags.MULTI
CAPPED = HeaderFlags.CAPPED
TLVS = HeaderFlags.ACKNOWLEDGE_TLVS

MSG, OFFS, COOKIE, POLICY, MISS_TYPE, MISS_NEST = 1, 2, 3, 4, 5, 6


def code(value: int) -> bytes:
    return struct.pack("=i", value)


def echo(payload: bytes = b"", length: int | None = None) -> bytes:
    """The request as an ERROR echoes it."""
    length = 16 + len(payload) if length is None else length
    return struct.pack("=IHHII", length, 16, 1, 7, 9) + payload


def tlv(kind: int, data: bytes, length: int | None = None) -> bytes:
    length = 4 + len(data) if length is None else length
    return struct.pack("=HH", length, kind) + data + bytes(-len(data) % 4)


def said(kind: int, flags: int, data: bytes) -> OpError | DecodeError | None:
    """What the verdict holds; the sequence number is checked on the way."""
    found = verdict(Message(Header(16 + len(data), kind, flags, 7, 9), data))
    assert found is not None
    sequence, error = found
    assert sequence == 7
    return error


EINVAL = code(-errno.EINVAL)
OFFSET_8 = tlv(OFFS, struct.pack("=I", 8))
TEXT = tlv(MSG, b"no way\0")
BOTH = TEXT + OFFSET_8
MISSING_3 = tlv(MISS_TYPE, struct.pack("=I", 3))
NEST_20 = tlv(MISS_NEST, struct.pack("=I", 20))


def u32(kind: int, value: int) -> bytes:
    return tlv(kind, struct.pack("=I", value))


def u64(kind: int, value: int) -> bytes:
    return tlv(kind, struct.pack("=Q", value))


# No verdict


@pytest.mark.parametrize(
    ("kind", "flags", "data"),
    [
        (0, MULTI, EINVAL),
        (HeaderType.NOOP, MULTI, EINVAL),
        (HeaderType.OVERRUN, MULTI, EINVAL),
        (16, MULTI, EINVAL),
        (HeaderType.DONE, 0, EINVAL),
        (HeaderType.DONE, 0, b""),
        (HeaderType.DONE, TLVS, EINVAL + BOTH),
        (HeaderType.DONE, 0, bytes.fromhex("000000c8")),  # nfnetlink_log of group 200
    ],
)
def test_data(kind: int, flags: int, data: bytes) -> None:
    assert verdict(Message(Header(16 + len(data), kind, flags, 7, 9), data)) is None


# Good news


@pytest.mark.parametrize(
    ("kind", "flags", "data"),
    [
        (HeaderType.ERROR, 0, code(0)),
        (HeaderType.ERROR, 0, code(0) + echo()),
        (HeaderType.ERROR, MULTI, code(0) + echo(b"abcd")),
        (HeaderType.ERROR, CAPPED | TLVS, code(0) + echo() + TEXT),
        (HeaderType.DONE, MULTI, b""),
        (HeaderType.DONE, MULTI, code(0)),
        (HeaderType.DONE, MULTI, code(1)),
        (HeaderType.DONE, MULTI | TLVS, code(0) + TEXT),
    ],
)
def test_acknowledgement_or_end(kind: int, flags: int, data: bytes) -> None:
    assert said(kind, flags, data) is None


# Bad news


@pytest.mark.parametrize("number", [1, errno.ENOENT, 524, (1 << 31) - 1, 1 << 31])
@pytest.mark.parametrize(
    ("kind", "flags", "tail"),
    [(HeaderType.ERROR, 0, b""), (HeaderType.ERROR, CAPPED, echo()), (HeaderType.DONE, MULTI, b"")],
    ids=["ERROR", "ERROR-echo", "DONE"],
)
def test_errno(kind: int, flags: int, tail: bytes, number: int) -> None:
    error = said(kind, flags, code(-number) + tail)  # -(1 << 31) is INT32_MIN, which has no positive int32
    assert isinstance(error, OpError)
    assert (error.op, error.errno, error.sequence) == ("receive", number, 7)
    assert (error.message, error.offset) == ("", 0)


def test_positive_errno_of_an_error() -> None:
    error = said(HeaderType.ERROR, 0, code(errno.ENOENT) + echo())
    assert isinstance(error, OpError)
    assert error.errno == errno.ENOENT


def test_is_the_builtin() -> None:
    assert isinstance(said(HeaderType.ERROR, 0, code(-errno.ENOENT) + echo()), FileNotFoundError)


@pytest.mark.parametrize(
    ("kind", "flags", "size"),
    [
        *((HeaderType.ERROR, flags, size) for flags in (0, CAPPED | TLVS) for size in (0, 1, 2, 3)),
        *((HeaderType.DONE, MULTI, size) for size in (1, 2, 3)),  # an empty one is a good end
    ],
)
def test_too_short_for_an_errno(kind: int, flags: int, size: int) -> None:
    error = said(kind, flags, b"\xff" * size)
    assert isinstance(error, DecodeError)
    assert f"{size} bytes" in str(error)


# The extended acknowledgement

ERROR_TLVS = HeaderType.ERROR, TLVS
CAPPED_TLVS = HeaderType.ERROR, CAPPED | TLVS
DONE_TLVS = HeaderType.DONE, MULTI | TLVS

# What stands before the attributes: an ERROR echoes the request, wholly or capped; a DONE does not.
PLACES = {
    "whole": (ERROR_TLVS, EINVAL + echo(b"abcdefgh")),
    "whole-unaligned": (ERROR_TLVS, EINVAL + echo(b"abcde") + bytes(3)),
    "capped": (CAPPED_TLVS, EINVAL + echo()),
    "capped-long": (CAPPED_TLVS, EINVAL + echo(length=2000)),  # the length is still the request's
    "done": (DONE_TLVS, EINVAL),
}
each_place = pytest.mark.parametrize(("head", "front"), PLACES.values(), ids=PLACES.keys())


@each_place
@pytest.mark.parametrize(
    ("attributes", "message", "offset"),
    [
        (b"", "", 0),
        (TEXT, "no way", 0),
        (OFFSET_8, "", 8),
        (BOTH, "no way", 8),
        (OFFSET_8 + TEXT, "no way", 8),
        (tlv(COOKIE, b"cookie") + BOTH + tlv(99, b""), "no way", 8),
        (tlv(0x8000 | MSG, b"flagged\0") + tlv(0x4000 | OFFS, struct.pack("=I", 20)), "flagged", 20),
        (tlv(MSG, b"no NUL"), "no NUL", 0),
        (tlv(MSG, b"cut\0off\0"), "cut", 0),
        (tlv(MSG, b""), "", 0),
        (tlv(MSG, b"\xff\0"), "\udcff", 0),
        (tlv(OFFS, struct.pack("=I", 0xFFFF_FFFF)), "", 0xFFFF_FFFF),
        (TEXT[:-1], "no way", 0),  # the last one may lack its padding
        # Malformed: what was good before it counts, and so does the errno.
        (tlv(OFFS, b"\x08" * 2) + TEXT, "no way", 0),
        (tlv(OFFS, b"\x08" * 8) + TEXT, "no way", 0),
        (TEXT + b"\x01", "no way", 0),
        (TEXT + tlv(OFFS, b"", length=8), "no way", 0),
        (TEXT + tlv(OFFS, b"", length=3) + OFFSET_8, "no way", 0),
        (tlv(MSG, b"abcd", length=0xFFFF) + OFFSET_8, "", 0),
        (tlv(MSG, b"", length=0) + OFFSET_8, "", 8),
    ],
)
def test_attributes(head: tuple[int, int], front: bytes, attributes: bytes, message: str, offset: int) -> None:
    error = said(*head, front + attributes)
    assert isinstance(error, OpError)
    assert (error.errno, error.message, error.offset) == (errno.EINVAL, message, offset)


@each_place
@pytest.mark.parametrize(
    ("attributes", "missing", "nest"),
    [
        (BOTH, None, 0),
        (MISSING_3, 3, 0),
        (MISSING_3 + NEST_20, 3, 20),
        (NEST_20 + BOTH + MISSING_3, 3, 20),
        (u32(MISS_TYPE, 0xFFFF_FFFF), 0xFFFF_FFFF, 0),
        (u32(MISS_TYPE, 0), None, 0),
        (u32(0x8000 | MISS_TYPE, 3) + u32(0x4000 | MISS_NEST, 20), 3, 20),
        # Malformed: what was good before it counts.
        (tlv(MISS_TYPE, b"\3") + NEST_20, None, 20),
        (MISSING_3 + tlv(MISS_NEST, b"\3" * 8), 3, 0),
        (MISSING_3 + tlv(MISS_NEST, b"", length=8), 3, 0),
    ],
)
def test_missing(head: tuple[int, int], front: bytes, attributes: bytes, missing: int | None, nest: int) -> None:
    error = said(*head, front + attributes)
    assert isinstance(error, OpError)
    assert (error.errno, error.missing, error.nest) == (errno.EINVAL, missing, nest)


@each_place
@pytest.mark.parametrize(
    ("attributes", "policy"),
    [
        (b"", None),
        (u32(1, 3) + u64(4, 1) + u64(5, 4094), Policy(PolicyType.U16, min=1, max=4094)),
        (u32(1, 4) + u64(4, 0) + u64(5, 0), Policy(PolicyType.U32, min=0, max=0)),
        (u32(1, 5) + u64(4, 0) + u64(5, (1 << 64) - 1), Policy(PolicyType.U64, min=0, max=(1 << 64) - 1)),
        (u32(1, 9) + u64(2, 1 << 63) + u64(3, (1 << 63) - 1), Policy(PolicyType.S64, -(1 << 63), (1 << 63) - 1)),
        (u32(1, 8) + u64(2, (1 << 64) - 5) + u64(3, 0), Policy(PolicyType.S32, min=-5, max=0)),
        (u32(1, 10) + u32(6, 4) + u32(7, 32), Policy(PolicyType.BINARY, min_length=4, max_length=32)),
        (u32(1, 15) + u32(10, 7), Policy(PolicyType.BITFIELD32, mask=7)),
        (u32(1, 2) + u64(12, 0x81), Policy(PolicyType.U8, mask=0x81)),
        (u32(1, 99), Policy(99)),
        (u64(5, 7), Policy(max=7)),
        (tlv(11, b"") + u32(8, 1) + u32(9, 2) + u32(99, 3), None),  # padding, and attributes of dumps of policies
        # Malformed: what was good before it counts.
        (u32(1, 3) + u32(4, 1) + u64(7, 1), Policy(PolicyType.U16)),
        (u32(1, 3) + tlv(5, b"", length=12), Policy(PolicyType.U16)),
        (u32(1, 3) + b"\1", Policy(PolicyType.U16)),
    ],
)
def test_policy(head: tuple[int, int], front: bytes, attributes: bytes, policy: Policy | None) -> None:
    error = said(*head, front + tlv(0x8000 | POLICY, attributes) + BOTH)
    assert isinstance(error, OpError)
    assert error.policy == policy
    assert policy is None or type(error.policy) is Policy
    assert policy is None or type(error.policy.type) is type(policy.type)  # type: ignore[union-attr]
    assert (error.message, error.offset) == ("no way", 8)


@pytest.mark.parametrize(
    ("head", "data"),
    [
        ((HeaderType.ERROR, CAPPED), EINVAL + echo() + BOTH),
        ((HeaderType.DONE, MULTI), EINVAL + BOTH),
        (ERROR_TLVS, EINVAL),
        (ERROR_TLVS, EINVAL + echo()[:15]),
        (ERROR_TLVS, EINVAL + echo(length=0) + BOTH),
        (ERROR_TLVS, EINVAL + echo(length=15) + BOTH),
        (ERROR_TLVS, EINVAL + echo(length=17 + len(BOTH)) + BOTH),
        (ERROR_TLVS, EINVAL + echo(b"abcde")),
        (ERROR_TLVS, EINVAL + echo(length=0xFFFF_FFFF) + BOTH),
        (ERROR_TLVS, EINVAL + echo(length=0xFFFF_FFFD) + BOTH),
        (CAPPED_TLVS, EINVAL + BOTH[:12]),
    ],
    ids=[
        "no flag",
        "no flag, DONE",
        "no echo",
        "echo cut",
        "echo of 0",
        "echo of 15",
        "echo past the end",
        "echo without its padding",
        "echo of 2**32-1",
        "echo of 2**32-3",
        "capped echo cut",
    ],
)
def test_nothing_to_read(head: tuple[int, int], data: bytes) -> None:
    error = said(*head, data)
    assert isinstance(error, OpError)
    assert (error.errno, error.message, error.offset) == (errno.EINVAL, "", 0)
    assert (error.missing, error.nest, error.policy) == (None, 0, None)


def test_str() -> None:
    error = said(*CAPPED_TLVS, EINVAL + echo() + BOTH)
    assert str(error) == 'netlink receive: Invalid argument, offset: 8, message: "no way"'


def test_needs_a_message() -> None:
    with pytest.raises(TypeError):
        verdict(None)


def test_message_without_payload() -> None:
    assert verdict(Message.__new__(Message)) is None
