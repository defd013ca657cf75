"""What type checkers must know of netlink.xfrm. Checked by mypy and pyright, never run."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any, Never, assert_type

from netlink import Conn, Overrun, xfrm
from netlink.aio import AsyncConn
from netlink.family import Call
from netlink.schema import Batch
from netlink.stream import Stream
from netlink.xfrm import (
    Acquire,
    AeadAlgo,
    Algo,
    Direction,
    Lifetime,
    Mode,
    Policy,
    PolicyID,
    Selector,
    State,
    StateID,
    Template,
)


def states() -> None:
    with xfrm.dial(netns="blue") as ipsec:
        assert_type(ipsec, xfrm.Conn[Conn])
        assert_type(ipsec.states(), Batch[State])
        assert_type(ipsec.states(proto=50), Batch[State])
        assert_type(ipsec.get_state(daddr="192.0.2.1", spi=1, proto=50), State)
        assert_type(ipsec.create_state(daddr="192.0.2.1", mode=Mode.TUNNEL, alg_aead=AeadAlgo.of("gcm", b"")), None)
        assert_type(ipsec.calls.create_state(State(spi=1, lft=Lifetime(hard_packet_limit=1))), Call[None])
        ipsec.create_state(spi="1")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
        ipsec.delete_state(State())  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
        state = ipsec.get_state(StateID(spi=1))
        ipsec.delete_state(state.id)
    assert_type(state.id, StateID)
    assert_type(state.daddr, IPv4Address | IPv6Address | None)
    assert_type(state.alg_aead, AeadAlgo | bytes | None)
    assert_type(state.alg_crypt, Algo | bytes | None)
    assert_type(state.mode, Mode | None)
    assert_type(Algo.of("cbc(aes)", b"").name, str)


def policies() -> None:
    with xfrm.dial() as ipsec:
        policy = Policy(sel=Selector(daddr="10.0.0.0/8"), dir=Direction.OUT, tmpl=[Template(proto=50)])
        assert_type(ipsec.create_policy(policy), None)
        assert_type(ipsec.policies()[0].tmpl, tuple[Template, ...] | None)
        assert_type(policy.id, PolicyID)
        assert_type(ipsec.acquires(), Stream[Acquire, Never])
        assert_type(ipsec.acquires(on_overrun="mark"), Stream[Acquire, Overrun])
        events: Stream[Any, Never] = ipsec.events()
        events.close()


async def from_a_loop() -> None:
    async with xfrm.dial_async() as ipsec:
        assert_type(ipsec, xfrm.Conn[AsyncConn])
        assert_type(await ipsec.states(), Batch[State])
        assert_type(await ipsec.get_policy(dir=Direction.IN, index=1), Policy)
