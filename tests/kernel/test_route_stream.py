"""`netlink.stream.open` on rtnetlink: links, addresses and routes in one stream, as a user's own family would do it."""

from __future__ import annotations

import asyncio
import os
import resource
import select
import socket
import warnings
from collections.abc import Callable, Iterator
from enum import IntFlag
from typing import Any

import pytest

import netlink.stream
import netns
from kernel.links import IfInfo
from kernel.tools import Worker, in_child, unprivileged
from netlink import Config, Conn, Family, Header, Message, NetlinkWarning, OpError, Overrun, dial
from netlink.consts import RouteGroup
from netlink.schema import AttributeSet, Batch, Struct, event, ipv4, string, u8, u32
from netlink.stream import Kind, Resync, ResyncBegin, ResyncEnd, Stream

LINK, ADDRESS, ROUTE = RouteGroup.LINK, RouteGroup.IPV4_IFADDR, RouteGroup.IPV4_ROUTE


class Event(IntFlag):
    NEW = 1
    DEL = 2


class Link(AttributeSet, header=IfInfo):
    name = string(3)  # IFLA_IFNAME
    event = event(Event)


class IfAddr(Struct):
    family = u8()
    prefix = u8()
    flags = u8()
    scope = u8()
    index = u32()


class Address(AttributeSet, header=IfAddr):
    local = ipv4(2)  # IFA_LOCAL
    event = event(Event)


KINDS: dict[int, Any] = {
    netns.RTM_NEWLINK: (Link, Event.NEW),
    netns.RTM_DELLINK: (Link, Event.DEL),
    netns.RTM_NEWADDR: (Address, Event.NEW),
    netns.RTM_DELADDR: (Address, Event.DEL),
}
# Holds a few dozen messages.
SMALL = 16384


def monitor(**options: Any) -> Stream[Any, Any]:
    return netlink.stream.open(Family.ROUTE, KINDS, groups=[LINK, ADDRESS], **options)


def brief(item: Any) -> tuple[str, Any, Any]:
    name = item.name if isinstance(item, Link) else int(item.local or 0) & 0xFFFF
    return type(item).__name__, name, item.event


@pytest.fixture
def flood(conn: Conn) -> Callable[[int], None]:
    def add(count: int) -> None:
        """Addresses that come and go."""
        for number in range(1, count + 1):
            netns.commit(conn, [netns.address(number)])
            netns.commit(conn, [netns.address(number, netns.RTM_DELADDR, netns.ACK)])

    return add


def test_links_and_addresses_in_order(conn: Conn) -> None:
    with monitor() as stream:
        index = netns.add_link(conn, "first")
        netns.commit(conn, [netns.address(1), netns.address(2)])
        netns.delete_link(conn, index)
        netns.commit(conn, [netns.address(1, netns.RTM_DELADDR, netns.ACK)])
        batches = list(stream.batches(idle=0))
        assert [{type(item) for item in batch} for batch in batches] == [{Link}, {Address}, {Link}, {Address}]
        seen = [brief(item) for batch in batches for item in batch]
        assert seen[0] == ("Link", "first", Event.NEW)
        assert [item for item in seen if item[0] == "Address"] == [
            ("Address", 1, Event.NEW),
            ("Address", 2, Event.NEW),
            ("Address", 1, Event.DEL),
        ]
        assert seen[-2] == ("Link", "first", Event.DEL)
        assert stream.lost == 0
        assert repr(stream) == "<netlink.stream.Stream of Link, Address>"


def test_no_other_process_can_send_to_it(conn: Conn) -> None:
    with monitor() as stream, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.ROUTE) as other:
        with socket.socket(fileno=os.dup(stream.fileno())) as copy:
            port: int = copy.getsockname()[0]
        with pytest.raises(ConnectionRefusedError):
            other.sendto(Message(Header(length=32, type=netns.RTM_NEWLINK), bytes(16)).marshal_binary(), (port, 0))
        netns.add_link(conn, "first")
        assert brief(next(stream)) == ("Link", "first", Event.NEW)


def test_to_groups_of_processes_only_the_kernel_counts() -> None:
    kinds = {0x10: Link}
    with (
        netlink.stream.open(Family.USERSOCK, kinds, groups=[1]) as stream,
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.USERSOCK) as other,
    ):
        with pytest.raises(ConnectionRefusedError):  # by the kernel, which has no such socket, after the group
            other.sendto(Message(Header(length=32, type=0x10), bytes(16)).marshal_binary(), (0, 1))
        assert select.select([stream.fileno()], [], [], 0)[0]
        stream.stop()
        assert list(stream) == []
        assert stream.lost == 0


def test_in_an_event_loop(conn: Conn) -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []
        async with monitor() as stream:
            netns.add_link(conn, "first")
            netns.commit(conn, [netns.address(1)])
            asyncio.get_running_loop().call_later(0.01, stream.stop)
            async for item in stream:
                seen.append(brief(item)[:2])
        return seen

    assert {("Link", "first"), ("Address", 1)} <= set(asyncio.run(main()))


def test_a_kind_by_flags_and_one_without_event(conn: Conn) -> None:
    chosen = [Kind(netns.RTM_NEWLINK, Link), Kind(netns.RTM_NEWADDR, Address, Event.NEW, mask=0x100, flags=0x100)]
    with netlink.stream.open(Family.ROUTE, chosen, groups=[LINK, ADDRESS]) as stream:
        netns.add_link(conn, "first")
        netns.commit(conn, [netns.address(1)])
        assert {item.event for batch in stream.batches(idle=0) for item in batch} == {None}


def test_groups_of_the_config_are_joined_and_left_too(conn: Conn) -> None:
    with netlink.stream.open(Family.ROUTE, KINDS, config=Config(groups=1 << (ADDRESS - 1))) as stream:
        netns.commit(conn, [netns.address(1)])
        stream.stop()
        netns.commit(conn, [netns.address(2)])
        assert [brief(item) for item in stream] == [("Address", 1, Event.NEW)]


def test_stop_leaves_the_groups_and_reads_what_is_queued(conn: Conn) -> None:
    with monitor() as stream:
        netns.commit(conn, [netns.address(n) for n in range(1, 4)])
        stream.stop()
        netns.commit(conn, [netns.address(4)])
        assert [brief(item)[1] for item in stream] == [1, 2, 3]


def test_stop_under_a_flood(conn: Conn, flood: Callable[[int], None], work: Callable[..., Worker]) -> None:
    with monitor() as stream:
        worker = work(flood, 300)
        seen = [brief(next(stream)) for _ in range(10)]
        stream.stop()
        seen += map(brief, stream)
        worker.result()
        numbers = [number for _, number, event in seen if event is Event.NEW]
        assert numbers == list(range(1, len(numbers) + 1))


def test_losses_are_raised_marked_and_made_good(conn: Conn, flood: Callable[[int], None]) -> None:
    def table() -> Iterator[Batch[Any]]:
        for kind, declaration in ((netns.RTM_GETLINK, Link), (netns.RTM_GETADDR, Address)):
            with dial(Family.ROUTE) as other:
                yield from other.iter_dump(Message(Header(type=kind, flags=netns.DUMP), bytes(16)), declaration, 100)

    policies = {"raise": {}, "mark": {}, "resync": {"resync": table}}
    for policy, options in policies.items():
        with monitor(read_buffer=SMALL, on_overrun=policy, **options) as stream:
            flood(300)
            got = 0
            marks: list[Any] = []
            state: list[Any] = []
            while True:
                try:
                    item = stream.read(0)
                except Overrun as overrun:
                    marks.append(overrun)
                    continue
                if not isinstance(item, Batch):
                    marks.append(item)
                elif not len(item):
                    break
                elif item[0].event is None:
                    state += map(brief, item)
                else:
                    got += len(item)
            assert got + stream.lost == 600
            if policy == "resync":
                assert marks == [ResyncBegin(stream.lost), ResyncEnd()]
                assert ("Link", "lo", None) in state
                assert all(isinstance(mark, Resync) for mark in marks)
            else:
                assert [mark.lost for mark in marks] == [stream.lost]
                assert state == []


def test_a_capped_buffer_is_reported(conn: Conn) -> None:
    limit = netns.limit("rmem_max")

    def opened() -> None:
        monitor(read_buffer=4 * limit).close()

    def permitted() -> int:
        with monitor(read_buffer=limit) as stream:
            return stream.read_buffer()

    with pytest.warns(NetlinkWarning, match=rf"^read_buffer: {4 * limit} bytes requested, but only {limit} ") as seen:
        unprivileged(opened)
    assert seen[0].filename == __file__
    assert "net.core.rmem_max" in str(seen[0].message)
    assert "CAP_NET_ADMIN" in str(seen[0].message)
    assert unprivileged(permitted) == 2 * limit

    def by_default() -> int:
        with monitor() as stream:
            return stream.read_buffer()

    # Nobody asked for that.
    assert unprivileged(by_default) == 2 * min(limit, 16 << 20)
    if not netns.in_user_namespace():
        opened()


def test_no_group_that_needs_a_capability_without_it(conn: Conn) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PermissionError) as caught:
            unprivileged(
                lambda: netlink.stream.open(
                    Family.NETFILTER, KINDS, groups=[1], read_buffer=4 * netns.limit("rmem_max")
                )
            )
    assert isinstance(caught.value, OpError)
    assert caught.value.op == "join-group"


def test_a_forked_child_reads_stops_and_closes(conn: Conn) -> None:
    with monitor() as stream:
        netns.commit(conn, [netns.address(1), netns.address(2)])
        assert brief(next(stream))[1] == 1

        def child() -> list[Any]:
            # What was read before the fork is in both.
            first = brief(next(stream))[1]
            stream.close()
            return [first, stream.fileno()]

        assert in_child(child) == [2, -1]
        assert brief(next(stream))[1] == 2
        netns.commit(conn, [netns.address(3)])
        assert brief(next(stream))[1] == 3

        def stops() -> list[Any]:
            stream.stop()
            return [brief(item) for item in stream]

        assert in_child(stops) == []
        # The socket is one: the groups are left here, too.
        netns.commit(conn, [netns.address(4)])
        assert len(stream.read(0)) == 0


def test_a_close_in_the_middle_of_a_resync_of_another_thread(conn: Conn, flood: Any, work: Any) -> None:
    with dial(Family.ROUTE) as other:

        def table() -> Iterator[Batch[Any]]:
            yield Link.decode_many([])
            other.receive()  # which waits
            yield Link.decode_many([])

        stream = monitor(on_overrun="resync", resync=table, owns=(other,))
        stream.resync()
        reading = work(list, stream)
        reading.wait_receiving()
        stream.close()
        with pytest.raises(OpError):
            reading.result()


def test_a_resync_that_is_left_is_closed_with_the_stream(conn: Conn) -> None:
    closed: list[int] = []

    def table() -> Iterator[Batch[Any]]:
        try:
            while True:
                yield Link.decode_many([bytes(16)])
        finally:
            closed.append(1)

    with monitor(on_overrun="resync", resync=table) as stream:
        stream.resync()
        assert [len(item) for item in (stream.read(), stream.read()) if isinstance(item, Batch)] == [1]
        assert not closed
    assert closed


def test_no_descriptor_for_a_socket(conn: Conn) -> None:
    used = len(os.listdir("/proc/self/fd"))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used - 1, before[1]))
    try:
        with pytest.raises(OpError):
            monitor()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
