"""This library's requests in bulk, its typed verbs, and its dumps beside an event loop.

bulk execute|execute_all FILE family=N    the requests of a file, one by one or all at once
verb execute|do|do-async count=N          NLMSG_NOOP and its acknowledgement
hold sync|thread|async                    a dump of conntrack, and how long the event loop was held by it
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import netlink
from bench.peers.fastnetlink import FLOWS, REQUESTS
from bench.peers.peer import Result, option
from netlink import Conn, Family, Message, OpError, aio
from netlink.netfilter.conntrack import Flow
from netlink.schema import Batch

TICK = 0.001  # seconds between two looks at the clock

# What there is of the library's interface, in one place each.


def calls(messages: Sequence[Message]) -> list[Any]:
    """Requests as `netlink.family.Call`, made before the clock is read."""
    from netlink.family import Call

    return [Call(int(m.header.type), m.data, flags=int(m.header.flags)) for m in messages]


def execute_all(conn: Conn, all_calls: list[Any]) -> int:
    """How many requests were answered without an error."""
    answers = conn.execute_all(all_calls)
    return sum(not isinstance(answer, OpError) for answer in answers)


def dialled(asynchronous: bool = False) -> Any:
    """The family whose operation is measured: it has the method `noop`."""
    from netlink import family

    class Noop(family.Family[family.C], protocol=Family.ROUTE):
        """rtnetlink, which acknowledges NLMSG_NOOP as every protocol does."""

        noop = family.Do(1)  # NLMSG_NOOP

    return (family.dial_async if asynchronous else family.dial)(Noop)


def dump(conn: Conn) -> Batch[Flow]:
    """The table of conntrack, of a `Conn`."""
    return conn.dump(FLOWS, Flow)


async def dump_async(conn: Any) -> Batch[Flow]:
    """The table of conntrack, of an `AsyncConn`."""
    batch: Batch[Flow] = await conn.dump(FLOWS, Flow)
    return batch


# Bulk


def requests(path: str) -> list[Message]:
    """The requests of a file, whose sequence numbers the connection chooses."""
    return [message.replace(sequence=0, pid=0) for message in netlink.unmarshal_messages(Path(path).read_bytes())]


def bulk(how: str, path: str) -> Result:
    messages = requests(path)
    with netlink.dial(option("family")) as conn:
        if how == "execute_all":
            made = calls(messages)
            result = Result()
            result.items = execute_all(conn, made)
        else:
            result = Result()
            for message in messages:
                conn.execute(message)
            result.items = len(messages)
        result.stop()
    return result


# A verb


def verb(count: int) -> Result:
    with dialled() as family:
        result = Result()
        for _ in range(count):
            family.noop()
        result.items = count
    return result


async def verb_async(count: int) -> Result:
    async with dialled(asynchronous=True) as family:
        result = Result()
        for _ in range(count):
            await family.noop()
        result.items = count
    return result


def execute(count: int) -> Result:
    with netlink.dial(Family.ROUTE) as conn:
        result = Result()
        for _ in range(count):
            conn.execute(REQUESTS["noop"])
        result.items = count
    return result


# An event loop that has other things to do


class Ticker:
    """A task that wakes every TICK seconds. held: the longest that it was late, in seconds."""

    def __init__(self) -> None:
        self.held = 0.0
        self._stopped = False

    async def run(self) -> None:
        last = time.perf_counter()
        while not self._stopped:
            await asyncio.sleep(TICK)
            now = time.perf_counter()
            self.held = max(self.held, now - last - TICK)
            last = now

    def stop(self) -> None:
        self._stopped = True


async def hold(how: str) -> Result:
    ticker = Ticker()
    ticking = asyncio.create_task(ticker.run())
    with netlink.dial(Family.NETFILTER) as conn:
        async with aio.dial(Family.NETFILTER) as async_conn:
            await asyncio.sleep(10 * TICK)
            ticker.held = 0.0
            result = Result()
            if how == "sync":
                batch = dump(conn)
            elif how == "thread":
                batch = await asyncio.to_thread(dump, conn)
            else:
                batch = await dump_async(async_conn)
            result.items = len(batch)
            result.stop()
            await asyncio.sleep(2 * TICK)  # what has held the loop last shows at the next tick
            ticker.stop()
            await ticking
    result.extra = {"held": ticker.held}
    return result


def main() -> None:
    work, what = sys.argv[1:3]
    count = option("count")
    works: dict[str, Callable[[], Result]] = {
        "bulk": lambda: bulk(what, sys.argv[3]),
        "verb": lambda: {
            "execute": lambda: execute(count),
            "do": lambda: verb(count),
            "do-async": lambda: asyncio.run(verb_async(count)),
        }[what](),
        "hold": lambda: asyncio.run(hold(what)),
    }
    if work not in works:
        raise SystemExit(__doc__)
    works[work]().finish()


if __name__ == "__main__":
    main()
