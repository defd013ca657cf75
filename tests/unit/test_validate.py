"""validate: replies belong to their request by sequence number and port id."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from netlink import Header, Message, OpError, validate


def message(sequence: int, pid: int) -> Message:
    return Message(Header(sequence=sequence, pid=pid))


# sequence and port id of the request, and of the reply
@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ((1, 2), (1, 2)),
        ((0, 0), (0, 0)),
        ((0, 2), (7, 2)),  # a request without a number takes any
        ((1, 0), (1, 9)),
        ((1, 2), (1, 0)),
        ((0, 0), (7, 9)),
        ((0xFFFF_FFFF, 0xFFFF_FFFF), (0xFFFF_FFFF, 0xFFFF_FFFF)),
    ],
)
def test_belongs(request_: tuple[int, int], reply: tuple[int, int]) -> None:
    assert validate(message(*request_), [message(*reply)]) is None
    assert validate(message(*request_), iter([message(*reply)] * 3)) is None


@pytest.mark.parametrize(
    ("request_", "reply", "text"),
    [
        ((1, 2), (3, 2), "sequence number 3 in a reply to 1"),
        ((1, 2), (0, 2), "sequence number 0 in a reply to 1"),
        ((1, 0), (3, 0), "sequence number 3 in a reply to 1"),
        ((1, 2), (3, 4), "sequence number 3 in a reply to 1"),
        ((1, 2), (1, 4), "port id 4 in a reply to 2"),
        ((0, 2), (7, 4), "port id 4 in a reply to 2"),
        ((0x1_0001, 2), (0x0001, 2), "sequence number 1 in a reply to 65537"),
    ],
)
def test_does_not_belong(request_: tuple[int, int], reply: tuple[int, int], text: str) -> None:
    good = message(*request_)
    for replies in ([message(*reply)], [good, message(*reply)], iter([message(*reply), good])):
        with pytest.raises(OpError) as info:
            validate(good, replies)
        err = info.value
        assert (err.op, err.errno, err.sequence) == ("validate", errno.EPROTO, request_[0])
        assert str(err) == f"netlink validate: {text}"


def test_no_replies() -> None:
    assert validate(message(1, 2), []) is None


@pytest.mark.parametrize(
    ("request_", "replies"),
    [
        (None, []),
        (Header(), []),
        (message(1, 2), [None]),
        (message(1, 2), [Header(sequence=1, pid=2)]),
        (message(1, 2), message(1, 2)),
        (message(1, 2), None),
    ],
)
def test_takes_messages_alone(request_: Any, replies: Any) -> None:
    with pytest.raises(TypeError):
        validate(request_, replies)
