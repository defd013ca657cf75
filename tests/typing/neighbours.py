# The module of docs/schema.md, word for word, as tests/kernel/test_docs.py makes sure. Behind it is what type checkers
# must know of it. Checked by mypy and pyright, never run.
# ruff: noqa: I001
from __future__ import annotations

import errno
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from netlink import HeaderFlags, OpError
from netlink.consts import Family as Protocol
from netlink.consts import RouteGroup
from netlink.family import C, Deferred, Do, Dump, Family, Listen, Steps, verb
from netlink.schema import IP, AttributeSet, Field, Int, Member, Str, Struct
from netlink.schema import event, ip, lladdr, s32, struct, u8, u16, u32
from netlink.stream import Kind


class RTM(IntEnum):
    NEWNEIGH = 28  # RTM_NEWNEIGH
    DELNEIGH = 29  # RTM_DELNEIGH
    GETNEIGH = 30  # RTM_GETNEIGH


class State(IntFlag):
    REACHABLE = 0x02  # NUD_REACHABLE
    FAILED = 0x20  # NUD_FAILED
    PERMANENT = 0x80  # NUD_PERMANENT


class Event(IntFlag):
    NEW = 1
    DEL = 2


class NdMsg(Struct):  # struct ndmsg
    family: Int = u8()
    pad1: Int = u8()
    pad2: Int = u16()
    index: Int = s32()
    state: Member[State] = u16(enum=State)
    flags: Int = u8()
    type: Int = u8()


class CacheInfo(Struct):  # struct nda_cacheinfo
    confirmed: Int = u32()
    used: Int = u32()
    updated: Int = u32()
    users: Int = u32()


class Neighbour(AttributeSet, header=NdMsg):  # NDA_*
    family: Int = NdMsg.family
    index: Int = NdMsg.index
    state: Member[State] = NdMsg.state
    dst: IP = ip(1)  # NDA_DST
    lladdr: Str = lladdr(2)  # NDA_LLADDR
    cache: Field[CacheInfo | None] = struct(3, CacheInfo)  # NDA_CACHEINFO
    event: Member[Event] = event(Event)


class Neighbours(Family[C], protocol=Protocol.ROUTE):
    if TYPE_CHECKING:

        @property
        def calls(self) -> Neighbours[Deferred]: ...

    dump = Dump(RTM.GETNEIGH, Neighbour)
    get = Do(RTM.GETNEIGH, Neighbour, Neighbour)
    add = Do(RTM.NEWNEIGH, Neighbour, flags=HeaderFlags.CREATE | HeaderFlags.EXCL)
    delete = Do(RTM.DELNEIGH, Neighbour, hints={errno.ENOENT: "there is no such neighbour on that link"})
    kinds = Kind(RTM.NEWNEIGH, Neighbour, Event.NEW), Kind(RTM.DELNEIGH, Neighbour, Event.DEL)
    listen = Listen(kinds, groups=[RouteGroup.NEIGH], state=dump)

    @verb
    def flush(self: Neighbours[Deferred], index: int) -> Steps[int]:
        """Delete the neighbours of a link, and return how many there were."""
        table = yield self.dump()
        answers = yield [self.delete(one) for one in table if one.index == index]
        return sum(not isinstance(answer, OpError) for answer in answers)


def synchronous() -> None:
    from typing import assert_type

    from netlink import Conn, Overrun, family, nltest
    from netlink.family import Call
    from netlink.schema import Batch
    from netlink.stream import Resync, Stream

    with family.dial(Neighbours, netns="blue") as neighbours:
        assert_type(neighbours, Neighbours[Conn])
        assert_type(neighbours.dump(), Batch[Neighbour])
        assert_type(neighbours.get(index=7, family=2, dst="192.0.2.1"), Neighbour)
        assert_type(neighbours.add(Neighbour(index=7)), None)
        assert_type(neighbours.flush(7), int)
        assert_type(neighbours.calls.flush(7), Call[int])
        assert_type(neighbours.conn.execute_all([neighbours.calls.delete(index=7)]), list[OpError | None])
        assert_type(neighbours.listen(on_overrun="mark"), Stream[Neighbour, Overrun])
        assert_type(neighbours.listen(on_overrun="resync"), Stream[Neighbour, Resync])
        assert_type(neighbours.get(index=7).index, int | None)
        neighbours.add(lladr="")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
        neighbours.flush("7")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        Neighbour(index="7")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        neighbours.get(index=7).index = 8  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    assert_type(nltest.serve(Neighbours, {"flush": list}), Neighbours[Conn])


async def asynchronous() -> None:
    from typing import assert_type

    from netlink import family
    from netlink.aio import AsyncConn
    from netlink.schema import Batch

    async with family.dial_async(Neighbours) as neighbours:
        assert_type(neighbours, Neighbours[AsyncConn])
        assert_type(await neighbours.dump(), Batch[Neighbour])
        assert_type(await neighbours.flush(7), int)
        async for batch in neighbours.iterate(neighbours.calls.dump()):
            assert_type(batch, Batch[Neighbour])
