"""A typed dump is the same by every way: socket, NLDEBUG, test doubles, threads and tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

import netlink
import netlink.aio
import netns
from driven import Drivers
from kernel.tools import readable
from netlink import Conn, Family
from netlink._engine.match import Condition, Match
from netlink._transport import Socket
from netlink.aio import AsyncConn
from netlink.schema import AttributeSet, Struct, ipv4, u8, u32

ROUTES = 5_000


class Asking:
    """The real socket with send and receive alone."""

    def __init__(self, sock: Socket) -> None:
        self.send, self.send_messages, self.receive, self.close = (
            sock.send,
            sock.send_messages,
            sock.receive,
            sock.close,
        )


class Looking(Asking):
    """The same, with receive_nowait."""

    def __init__(self, sock: Socket) -> None:
        super().__init__(sock)
        self.receive_nowait = sock.receive_nowait


@pytest.fixture(params=["socket", "nldebug", "asking", "looking"])
def way(
    netns: netns.Namespace,
    drivers: Drivers,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Conn]:
    """A connection to rtnetlink, by one of the ways."""
    if request.param == "nldebug":
        monkeypatch.setenv("NLDEBUG", "level=1")
    if request.param in {"socket", "nldebug"}:
        with drivers.of((netlink.aio if drivers.tasks else netlink).dial(Family.ROUTE)) as conn:
            yield conn
        return
    with netlink.dial(Family.ROUTE) as real:
        sock = (Asking if request.param == "asking" else Looking)(real._sock)
        with drivers.of((AsyncConn if drivers.tasks else Conn)(sock, real.pid)) as conn:
            conn.fileno = real.fileno  # type: ignore[method-assign]
            yield conn


class Head(Struct):
    """struct rtmsg."""

    addresses = u32()
    table = u8()
    protocol = u8()
    scope = u8()
    type = u8()
    flags = u32()


class Route(AttributeSet, header=Head):
    dst = ipv4(1)


def numbers(batch: Any) -> list[int]:
    return [int(route.dst) - (10 << 24) for route in batch if route.dst is not None]


def test_of_the_kernel(way: Conn) -> None:
    with netlink.dial(Family.ROUTE) as other:
        netns.add_routes(other, ROUTES)
    want = set(range(1, ROUTES + 1))
    for _ in range(2):
        batch = way.dump(netns.routes_request(), Route)
        assert want <= set(numbers(batch))
        assert not batch.interrupted
        parts = list(way.iter_dump(netns.routes_request(), Route, 1_000))
        assert [len(part) for part in parts[:-1]] == [1_000] * (len(batch) // 1_000)
        assert sum(map(len, parts)) == len(batch)
        assert set().union(*map(numbers, parts)) == set(numbers(batch))
    wanted = Match(Route, [[Condition((("dst",),), (ip_network("10.0.0.8/29"),))]])
    some = way.dump(netns.routes_request(), Route, match=wanted)
    assert sorted(numbers(some)) == list(range(8, 16))
    parts = list(way.iter_dump(netns.routes_request(), Route, 3, match=wanted))
    assert [len(part) for part in parts] == [3, 3, 2]
    assert [n for part in parts for n in numbers(part)] == numbers(some)
    if not hasattr(way._sock, "receive_nowait"):
        return
    # Left early: the rest is dropped, where it can be seen.
    parts_left = way.iter_dump(netns.routes_request(), Route, 100)
    next(parts_left)
    parts_left.close()  # type: ignore[attr-defined]
    assert len(way.execute(netns.routes_request())) == len(way.dump(netns.routes_request(), Route))
    assert not readable(way)


@pytest.mark.parametrize("verb", ["dump", "execute", "receive"])
@pytest.mark.parametrize("debug", [False, True], ids=["", "nldebug"])
def test_a_long_reply_lets_other_tasks_run(
    conn: Conn, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], verb: str, debug: bool
) -> None:
    netns.add_routes(conn, 20_000)
    if debug:
        monkeypatch.setenv("NLDEBUG", "level=1")
        monkeypatch.setattr("netlink.debug.Debugger.received", lambda *args: None)

    async def main() -> None:
        async with netlink.aio.dial(Family.ROUTE) as own:
            slices = 0
            ended = False

            async def other() -> None:
                nonlocal slices
                while not ended:
                    slices += 1
                    await asyncio.sleep(0)

            beside = asyncio.create_task(other())
            for abandoned in (False, True)[: 1 if verb == "receive" else 2]:
                if abandoned:  # its rest is read before the next request
                    await own.send(netns.routes_request())
                    own._exchange.inbox.abandon(own._exchange.sequence)
                before = slices
                if verb == "dump":
                    assert len(await own.dump(netns.routes_request(), Route)) >= 20_000
                elif verb == "execute":
                    assert len(await own.execute(netns.routes_request())) >= 20_000
                else:
                    await own.send(netns.routes_request())
                    assert len(await own.receive()) >= 20_000
                # Some 600 routes of 60 bytes are a datagram of 32 KiB, and 16 datagrams a slice.
                datagrams = 20_000 // 600 * (2 if abandoned else 1)
                assert slices - before >= datagrams // 16
            ended = True
            await beside

    asyncio.run(main())
