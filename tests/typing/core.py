"""What type checkers must know of the core. Checked by mypy and pyright, never run."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager
from typing import assert_type

import netlink
import netlink.aio
from netlink import (
    AttributeDecoder,
    AttributeEncoder,
    AttributeView,
    Config,
    Conn,
    Family,
    Header,
    HeaderFlags,
    HeaderType,
    Message,
    OpError,
    Policy,
    nltest,
)
from netlink.bpf import Instruction
from netlink.consts import PolicyType


def core(conn: Conn, message: Message) -> None:
    assert_type(netlink.dial(Family.ROUTE, Config(strict=True)), Conn)
    assert_type(conn.execute(message), list[Message])
    assert_type(conn.send(message), Message)
    assert_type(conn.send_messages([message]), list[Message])
    assert_type(conn.receive_iter(), Iterator[Message])
    assert_type(message.header, Header)
    assert_type(message.header.type, HeaderType)
    assert_type(message.header.flags, HeaderFlags)
    assert_type(message.data, bytes)
    assert_type(message.replace(length=0, data=bytearray(4)), Message)
    assert_type(conn.drops, int)
    assert_type(conn.closed, bool)
    conn.set_bpf([Instruction(6, 0, 0, 0xFFFF), (6, 0, 0, 0)])
    with netlink.dial(Family.GENERIC) as opened:
        assert_type(opened, Conn)


def lazy() -> None:
    assert_type(netlink.aio.dial(Family.ROUTE), netlink.aio.AsyncConn)
    assert_type(netlink.stream.ResyncBegin().lost, int)
    assert_type(netlink.nlenc.uint32_bytes(1), bytes)
    assert_type(netlink.RouteGroup(1), netlink.RouteGroup)


def attributes(data: memoryview) -> None:
    decoder = AttributeDecoder(data, byte_order="big")
    assert_type(decoder[1], AttributeView)
    assert_type(1 in decoder, bool)
    for a in decoder:
        assert_type(a.type, int)
        assert_type(a.uint32(), int)
        assert_type(a.string(), str)
        assert_type(a.bytes(), bytes)
        assert_type(a.nested(), AttributeDecoder)
        assert_type(a.nested(len), int)
        assert_type(a.do(bytes.hex), str)
    encoder = AttributeEncoder("little")
    encoder.uint16(1, HeaderType.DONE)
    assert_type(encoder.nested(1), AbstractContextManager[AttributeEncoder, None])
    with encoder.nested(1) as inner:
        assert_type(inner, AttributeEncoder)
    assert_type(encoder.encode(), bytes)


def errors(error: OpError) -> None:
    assert_type(error.op, str)
    assert_type(error.offset, int)
    assert_type(error.timeout, bool)
    assert_type(error.missing, int | None)
    assert_type(error.policy, Policy | None)
    assert_type(error.attribute, str)
    assert_type(error.hint, str)
    if error.policy is not None:
        assert_type(error.policy.type, PolicyType | int | None)
        assert_type(error.policy.max, int | None)


def double(requests: list[Message]) -> list[Message]:
    return requests


assert_type(nltest.dial(double), Conn)


async def asynchronous(message: Message) -> None:
    async with netlink.aio.dial(Family.ROUTE) as conn:
        assert_type(conn, netlink.aio.AsyncConn)
        assert_type(await conn.execute(message), list[Message])
        assert_type(conn.receive_iter(), AsyncGenerator[Message, None])
        async for m in conn.receive_iter():
            assert_type(m, Message)
