"""mdlayher/genetlink's tests of its connection over doubles, as they read in Go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from netlink import Attribute, DecodeError, Header, HeaderFlags, Message, generic, marshal_attributes, nlenc, nltest
from netlink.consts import GenericID
from netlink.generic import FamilyInfo
from netlink.generic.genetlink import GroupInfo

REQUEST, DUMP = HeaderFlags.REQUEST, HeaderFlags.DUMP
# linux/genetlink.h
CTRL_CMD_NEWFAMILY, CTRL_CMD_GETFAMILY = 1, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_ATTR_VERSION, CTRL_ATTR_MCAST_GROUPS = 1, 2, 3, 7
CTRL_ATTR_MCAST_GRP_NAME, CTRL_ATTR_MCAST_GRP_ID = 1, 2

Func = Callable[[generic.Message, Message], list[generic.Message]]


def dial(fn: Func) -> generic.Conn:
    """genltest.Dial: fn has the generic message and the one that it came in."""

    def adapted(requests: list[Message]) -> list[Message]:
        request = requests[0] if requests else Message()
        message = generic.Message.unmarshal(request.data) if request.data else generic.Message(0, 0)
        header = request.header
        return [
            # The type of a reply is its family's, as the kernel has it.
            Message(Header(type=header.type or 16, sequence=header.sequence, pid=header.pid), reply.marshal())
            for reply in fn(message, request)
        ]

    return generic.Conn(nltest.dial(adapted))


def without_sequence(message: Message) -> Message:
    return message.replace(sequence=0)


def test_conn_execute() -> None:
    req = generic.Message(command=1, version=1)
    want_nl = Message(Header(length=20, type=GenericID.CTRL, flags=REQUEST, pid=nltest.PID), req.marshal())
    want_genl = [generic.Message(command=1, version=1, data=b"\x01\x02\x03\x04")]

    def fn(_: generic.Message, nreq: Message) -> list[generic.Message]:
        assert without_sequence(nreq) == want_nl
        return want_genl

    c = dial(fn)
    msgs = c.execute(req, GenericID.CTRL, REQUEST)
    assert msgs == want_genl


def test_conn_send() -> None:
    req = generic.Message(command=1, version=1, data=b"\x00\x01\x02\x03")
    want = Message(Header(length=24, type=GenericID.CTRL, flags=REQUEST, pid=nltest.PID), req.marshal())

    def fn(_: generic.Message, nreq: Message) -> list[generic.Message]:
        assert without_sequence(nreq) == want
        return []

    c = dial(fn)
    nlreq = c.send(req, GenericID.CTRL, REQUEST)
    assert without_sequence(nlreq) == want


def test_conn_receive() -> None:
    gmsgs = [
        generic.Message(command=1, version=1, data=b""),
        generic.Message(command=2, version=1, data=b"\x01\x02\x03\x04"),
    ]
    c = dial(lambda greq, nreq: gmsgs)
    msgs, replies = c.receive()
    assert msgs == gmsgs
    assert [reply.data for reply in replies] == [gmsg.marshal() for gmsg in gmsgs]


def attributes(*attrs: tuple[int, bytes]) -> bytes:
    return marshal_attributes([Attribute(type_, data) for type_, data in attrs])


def test_conn_get_family() -> None:
    name = "nlctrl"
    # Version 2 is that of nlctrl.
    want_genl = generic.Message(
        command=CTRL_CMD_GETFAMILY, version=2, data=attributes((CTRL_ATTR_FAMILY_NAME, b"nlctrl\0"))
    )

    def fn(greq: generic.Message, nreq: Message) -> list[generic.Message]:
        assert nreq.header.flags == REQUEST
        assert greq == want_genl
        data = attributes(
            (CTRL_ATTR_FAMILY_NAME, b"nlctrl\0"),
            (CTRL_ATTR_FAMILY_ID, nlenc.uint16_bytes(16)),
            (CTRL_ATTR_VERSION, nlenc.uint32_bytes(2)),
        )
        return [generic.Message(command=CTRL_CMD_NEWFAMILY, version=1, data=data)]

    c = dial(fn)
    family = c.get_family(name)
    assert family == FamilyInfo(id=16, version=2, name=name)


def test_conn_family_list() -> None:
    want_genl = generic.Message(command=CTRL_CMD_GETFAMILY, version=2, data=b"")

    def fn(greq: generic.Message, nreq: Message) -> list[generic.Message]:
        assert nreq.header.flags == REQUEST | DUMP
        assert greq == want_genl
        return [
            generic.Message(
                command=CTRL_CMD_NEWFAMILY,
                version=1,
                data=attributes(
                    (CTRL_ATTR_FAMILY_NAME, name),
                    (CTRL_ATTR_FAMILY_ID, nlenc.uint16_bytes(number)),
                    (CTRL_ATTR_VERSION, nlenc.uint32_bytes(version)),
                ),
            )
            for name, number, version in ((b"nlctrl\0", 16, 2), (b"nl80211\0", 26, 1))
        ]

    c = dial(fn)
    families = c.list_families()
    want_families = [FamilyInfo(id=16, version=2, name="nlctrl"), FamilyInfo(id=26, version=1, name="nl80211")]
    assert list(families) == want_families


def group(number: int, name: bytes) -> bytes:
    return attributes((CTRL_ATTR_MCAST_GRP_ID, nlenc.uint32_bytes(number)), (CTRL_ATTR_MCAST_GRP_NAME, name))


@pytest.mark.parametrize(
    ("attrs", "family"),
    [
        # A version of 32 bits is no error here: FamilyInfo has what the kernel sends.
        pytest.param(
            [(CTRL_ATTR_VERSION, b"\xff\x01\x00\x00")], FamilyInfo(version=511), id="version larger than a byte"
        ),
        pytest.param(
            [(CTRL_ATTR_MCAST_GROUPS, attributes((1, b"abc"), (3, b"")))], None, id="bad multicast group array"
        ),
        pytest.param(
            [
                (CTRL_ATTR_FAMILY_ID, b"\x10\x00"),
                (CTRL_ATTR_FAMILY_NAME, b"nlctrl\0"),
                (CTRL_ATTR_VERSION, b"\x02\x00\x00\x00"),
                (CTRL_ATTR_MCAST_GROUPS, attributes((1, group(16, b"notify\0")), (2, group(17, b"foobar\0")))),
            ],
            FamilyInfo(
                id=16,
                version=2,
                name="nlctrl",
                groups=(GroupInfo(id=16, name="notify"), GroupInfo(id=17, name="foobar")),
            ),
            id="OK",
        ),
    ],
)
def test_family_parse_attributes(attrs: list[tuple[int, bytes]], family: Any) -> None:
    c = dial(lambda greq, nreq: [generic.Message(command=CTRL_CMD_NEWFAMILY, version=0, data=attributes(*attrs))])
    if family is None:
        with pytest.raises(DecodeError):
            c.get_family("")
    else:
        assert c.get_family("") == family
