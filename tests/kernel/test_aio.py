"""AsyncConn: the same verbs, in an event loop."""

from __future__ import annotations

import asyncio
import errno
import gc
import math
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

import netlink.aio
import netns
from kernel.tools import Deny, Peer, Worker, passed, readable, sandboxed, soon, wait_blocked
from netlink import (
    Config,
    ConnOption,
    Family,
    Header,
    HeaderFlags,
    HeaderType,
    Message,
    OpError,
    validate,
)
from netlink.aio import AsyncConn, dial
from netlink.bpf import BPF_K, BPF_RET, stmt
from netns import ACK, RTM_GETLINK
from pace import SLOWNESS

Work = Callable[..., Worker]
NOTHING_PASSES = [stmt(BPF_RET | BPF_K, 0)]
MULTI = HeaderFlags.MULTI


def get_link(flags: int = HeaderFlags.REQUEST, index: int = netns.LOOPBACK) -> Message:
    return netns.link_request(RTM_GETLINK, flags, index)


def message(kind: int = 16, flags: int = 0, data: bytes = b"") -> Message:
    return Message(Header(type=kind, flags=flags), data)


def done() -> Message:
    return message(HeaderType.DONE, MULTI, bytes(4))


def types(messages: list[Message]) -> list[int]:
    return [int(m.header.type) for m in messages]


def ours(messages: list[Message]) -> int:
    return sum(map(netns.is_ours, messages))


def run(main: Callable[[], Coroutine[Any, Any, Any]], seconds: float = 20 * SLOWNESS) -> Any:
    """asyncio.run, for no longer than that."""

    async def bounded() -> Any:
        return await asyncio.wait_for(main(), seconds)

    return asyncio.run(bounded())


async def until_waiting(*tasks: asyncio.Task[Any]) -> None:
    """Until tasks wait for something: some rounds of the loop."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def fails(awaitable: Awaitable[Any], op: str, number: int) -> OpError:
    with pytest.raises(OpError) as caught:
        await awaitable
    assert (caught.value.op, caught.value.errno) == (op, number)
    return caught.value


async def collect(replies: AsyncIterator[Message]) -> list[Message]:
    return [m async for m in replies]


async def usable(conn: AsyncConn, routes: int) -> None:
    conn.set_deadline(soon())
    assert len(await conn.execute(get_link())) == 1
    assert ours(await conn.execute(netns.routes_request())) == routes
    assert len(await conn.execute(get_link())) == 1
    assert not readable(conn)  # type: ignore[arg-type]


# Verbs


def test_dial_is_a_plain_call() -> None:
    conn = dial(Family.ROUTE)
    assert conn.pid
    assert conn.fileno() >= 0
    assert not conn.closed
    conn.close()
    assert conn.closed
    assert conn.fileno() == -1
    conn.close()


def test_a_long_dump_is_complete(conn: netlink.Conn) -> None:
    netns.add_routes(conn, 20_000)

    async def main() -> None:
        async with dial(Family.ROUTE) as own:
            assert ours(await own.execute(netns.routes_request())) == 20_000
            await own.send(netns.routes_request())
            assert ours(await own.receive()) == 20_000
            await own.send(netns.routes_request())
            assert ours(await collect(own.receive_iter())) == 20_000
            await usable(own, 20_000)

    run(main)


def test_a_reply_whose_parts_are_waited_for() -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK) as conn:
            with Peer(conn.pid) as peer:
                reply = asyncio.create_task(conn.receive())
                for part in (message(22, MULTI), message(23, MULTI), done()):
                    await until_waiting(reply)
                    peer.send(part)
                assert types(await reply) == [22, 23]

    run(main)


def test_message_buffer_size() -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK, Config(message_buffer_size=64)) as conn:
            with Peer(conn.pid) as peer:
                peer.send(message(16, 0, bytes(100)))
                peer.send(message(17))
                await fails(conn.receive(), "receive", errno.EMSGSIZE)
                assert types(await conn.receive()) == [17]

    run(main)


def test_plain_methods(conn: netlink.Conn) -> None:
    async def main() -> None:
        async with dial(Family.ROUTE) as own:
            own.join_group(1)
            own.leave_group(1)
            own.set_option(ConnOption.NO_ENOBUFS, True)
            own.set_read_buffer(100_000)
            own.set_write_buffer(100_000)
            assert (own.read_buffer(), own.write_buffer(), own.drops) == (200_000, 200_000, 0)
            own.set_bpf(NOTHING_PASSES)
            own.remove_bpf()
            await usable(own, 0)
        for op, call in (
            ("join-group", lambda: own.join_group(1)),
            ("set-option", lambda: own.set_option(ConnOption.NO_ENOBUFS, True)),
            ("get-read-buffer", own.read_buffer),
            ("set-deadline", lambda: own.set_deadline(None)),
        ):
            with pytest.raises(OpError) as caught:
                call()
            assert (caught.value.op, caught.value.errno) == (op, errno.EBADF)

    run(main)


def test_an_overrun_is_reported(conn: netlink.Conn) -> None:
    async def main() -> None:
        async with dial(Family.ROUTE) as own:
            own.set_read_buffer(16_384)
            own.join_group(7)
            netns.add_routes(conn, 400)
            drops = own.drops
            assert drops > 0
            assert (await fails(own.receive(), "receive", errno.ENOBUFS)).temporary
            got = 0
            while readable(own):  # type: ignore[arg-type]
                got += len(await own.receive())
            assert got + drops == 400

    run(main)


def test_another_namespace() -> None:
    async def main() -> None:
        before = netns.current()
        with netns.another() as namespace:
            async with dial(Family.ROUTE, Config(netns=namespace.path)) as conn:
                await usable(conn, 0)
        assert netns.current() == before

    run(main)


# Tasks


def test_two_connections_in_one_loop() -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK) as one, dial(Family.USERSOCK) as two:
            with Peer(one.pid) as to_one, Peer(two.pid) as to_two:
                first, second = asyncio.create_task(one.receive()), asyncio.create_task(two.receive())
                await until_waiting(first, second)
                to_two.send(message(17))
                assert types(await second) == [17]
                await until_waiting(first)
                to_one.send(message(16))
                assert types(await first) == [16]

    run(main)


def test_executes_at_once(conn: netlink.Conn) -> None:
    netns.add_routes(conn, 500)

    async def main() -> None:
        async with dial(Family.ROUTE) as own:

            async def one(n: int) -> None:
                replies = await own.execute(get_link([HeaderFlags.REQUEST, ACK][n % 2]).replace(sequence=n + 1))
                assert [m.header.sequence for m in replies] == [n + 1]

            async def dump(n: int) -> None:
                assert ours(await own.execute(netns.routes_request())) == 500

            await asyncio.gather(*(one(n) for n in range(100)), *(dump(n) for n in range(10)))
            await usable(own, 500)

    run(main)


def test_executes_of_several_connections_at_once(conn: netlink.Conn) -> None:
    netns.add_routes(conn, 2_000)

    async def main() -> None:
        async def one() -> int:
            async with dial(Family.ROUTE) as own:
                await own.send(netns.routes_request())
                count = 0
                async for m in own.receive_iter():
                    count += netns.is_ours(m)
                    if count % 100 == 0:
                        await asyncio.sleep(0)
                return count

        assert await asyncio.gather(*(one() for _ in range(8))) == [2_000] * 8

    run(main)


def test_a_receive_that_waits_does_not_block_a_send() -> None:
    async def main() -> None:
        async with dial(Family.ROUTE) as conn:
            reply = asyncio.create_task(conn.receive())
            await until_waiting(reply)
            sent = await conn.send(get_link())
            validate(sent, await reply)

    run(main)


def test_the_lock_to_receive() -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK) as conn:
            with Peer(conn.pid) as peer:
                tasks = [asyncio.create_task(conn.receive()) for _ in range(3)]
                await until_waiting(*tasks)
                for _ in range(2):
                    peer.send(message(16, MULTI))
                    await asyncio.sleep(0.01)
                    assert not any(task.done() for task in tasks)
                peer.send(done())
                for kind in (17, 18):
                    peer.send(message(kind, MULTI), done())
                got = [types(reply) for reply in await asyncio.gather(*tasks)]
                assert sorted(got) == [[16, 16], [17], [18]]

    run(main)


def test_execute_excludes_the_others() -> None:
    async def main() -> None:
        async with dial(Family.ROUTE) as conn:
            conn.set_bpf(NOTHING_PASSES)
            execute = asyncio.create_task(conn.execute(get_link()))
            await until_waiting(execute)
            conn.remove_bpf()
            others = [
                asyncio.create_task(conn.send(get_link())),
                asyncio.create_task(conn.send_messages([get_link()])),
                asyncio.create_task(conn.receive()),
                asyncio.create_task(conn.execute(get_link())),
                asyncio.create_task(collect(conn.receive_iter())),
            ]
            await until_waiting(execute, *others)
            assert not readable(conn)  # type: ignore[arg-type]
            conn.close()
            for task in (execute, *others):
                with pytest.raises(OpError) as caught:
                    await task
                assert caught.value.errno == errno.EBADF

    run(main)


def test_the_same_task_cannot_receive_while_its_iterator_is_suspended() -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK) as conn:
            with Peer(conn.pid) as peer:
                peer.send(message(16, MULTI), message(17, MULTI))
                replies = conn.receive_iter()
                assert (await anext(replies)).header.type == 16
                await fails(conn.receive(), "receive", errno.EBUSY)
                await fails(conn.execute(message()), "execute", errno.EBUSY)
                await fails(anext(conn.receive_iter()), "receive", errno.EBUSY)
                other = asyncio.create_task(conn.receive())
                await until_waiting(other)
                peer.send(done())
                assert types(await collect(replies)) == [17]
                await until_waiting(other)
                peer.send(message(18))
                assert types(await other) == [18]

    run(main)


# Leaving early


@pytest.mark.parametrize("taken", [1, 10, 1_000])
def test_aclose_drains(conn: netlink.Conn, taken: int) -> None:
    netns.add_routes(conn, 2_000)

    async def main() -> None:
        async with dial(Family.ROUTE) as own:
            for _ in range(3):
                await own.send(netns.routes_request())
                replies = own.receive_iter()
                for _ in range(taken):
                    await anext(replies)
                await replies.aclose()
                own.set_deadline(soon())
                await own.send(netns.routes_request())
                assert ours(await own.receive()) == 2_000
                await usable(own, 2_000)

    run(main)


def test_a_loop_left_by_break(conn: netlink.Conn) -> None:
    netns.add_routes(conn, 2_000)

    async def main() -> None:
        async with dial(Family.ROUTE) as own:
            for _ in range(3):
                await own.send(netns.routes_request())
                async for _ in own.receive_iter():
                    break
                gc.collect()
                # The loop closes it in a task of its own; until then this task must wait, not fail.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await usable(own, 2_000)

    run(main)


@pytest.mark.parametrize("how", ["close", "deadline"])
def test_aclose_is_silent(conn: netlink.Conn, how: str) -> None:
    netns.add_routes(conn, 2_000)

    async def main() -> None:
        async with dial(Family.ROUTE) as own:
            await own.send(netns.routes_request())
            replies = own.receive_iter()
            await anext(replies)
            if how == "close":
                own.close()
            else:
                own.set_read_deadline(passed())
            await replies.aclose()
            if how == "deadline":
                own.set_read_deadline(None)
                await usable(own, 2_000)

    run(main)


# Cancellation


def test_a_cancelled_receive_leaves_it_usable() -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK) as conn:
            with Peer(conn.pid) as peer:
                for read in (conn.receive, lambda: collect(conn.receive_iter())):
                    task = asyncio.create_task(read())
                    await until_waiting(task)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    peer.send(message(16))
                    assert types(await conn.receive()) == [16]

    run(main)


def test_a_receive_cancelled_in_the_middle_of_a_reply() -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK) as conn:
            with Peer(conn.pid) as peer:
                sequence = 7
                part = message(16, MULTI).replace(sequence=sequence)
                task = asyncio.create_task(conn.receive())
                await until_waiting(task)
                peer.send(part)
                await until_waiting(task)
                assert not readable(conn)  # type: ignore[arg-type]
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                peer.send(part)
                peer.send(done().replace(sequence=sequence))
                peer.send(message(17))
                assert types(await conn.receive()) == [17]

    run(main)


def test_a_cancelled_execute_leaves_it_usable() -> None:
    async def main() -> None:
        async with dial(Family.ROUTE) as conn:
            conn.set_bpf(NOTHING_PASSES)
            task = asyncio.create_task(conn.execute(get_link()))
            await until_waiting(task)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            conn.remove_bpf()
            await usable(conn, 0)

    run(main)


def test_a_dump_cancelled_in_a_loop_over_it(conn: netlink.Conn) -> None:
    netns.add_routes(conn, 2_000)

    async def main() -> None:
        async with dial(Family.ROUTE) as own:

            async def read() -> None:
                await own.send(netns.routes_request())
                async for _ in own.receive_iter():
                    await asyncio.sleep(0)

            task = asyncio.create_task(read())
            for _ in range(20):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            gc.collect()
            await usable(own, 2_000)

    run(main)


def test_a_cancelled_wait_for_a_lock() -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK) as conn:
            with Peer(conn.pid) as peer:
                first = asyncio.create_task(conn.receive())
                await until_waiting(first)
                second = asyncio.create_task(conn.receive())
                third = asyncio.create_task(conn.receive())
                await until_waiting(second, third)
                second.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await second
                for kind in (16, 17):
                    peer.send(message(kind))
                assert types(await first) + types(await third) == [16, 17]

    run(main)


def test_wait_for(conn: netlink.Conn) -> None:
    netns.add_routes(conn, 2_000)

    async def main() -> None:
        async with dial(Family.ROUTE) as own:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(own.receive(), 0.05)
            own.set_bpf(NOTHING_PASSES)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(own.execute(netns.routes_request()), 0.05)
            own.remove_bpf()
            assert len(await own.execute(get_link())) == 1
            await usable(own, 2_000)

    run(main)


# Deadlines


def test_deadlines_that_have_passed() -> None:
    async def main() -> None:
        async with dial(Family.ROUTE) as conn:
            for past in (passed(), 0.0, -math.inf):
                conn.set_deadline(past)
                error = await fails(conn.receive(), "receive", errno.ETIMEDOUT)
                assert error.timeout
                assert isinstance(error, TimeoutError)
                await fails(collect(conn.receive_iter()), "receive", errno.ETIMEDOUT)
                await fails(conn.send(get_link()), "send", errno.ETIMEDOUT)
                await fails(conn.send_messages([get_link()]), "send-messages", errno.ETIMEDOUT)
                await fails(conn.execute(get_link()), "send", errno.ETIMEDOUT)
            conn.set_deadline(None)
            await usable(conn, 0)
            for bad in (math.nan, "soon"):
                with pytest.raises((ValueError, TypeError)):
                    conn.set_deadline(bad)  # type: ignore[arg-type]
            for far in (1e10, math.inf):
                conn.set_deadline(far)
                assert len(await conn.execute(get_link())) == 1

    run(main)


@pytest.mark.parametrize("far", [1e10, math.inf])
def test_a_deadline_in_the_far_future(far: float) -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK) as conn:
            conn.set_deadline(far)
            with Peer(conn.pid) as peer:
                task = asyncio.create_task(conn.receive())
                await until_waiting(task)
                peer.send(message(16))
                assert types(await task) == [16]

    run(main)


def test_a_deadline_that_passes() -> None:
    async def main() -> None:
        async with dial(Family.ROUTE) as conn:
            at = time.monotonic() + 0.1
            conn.set_read_deadline(at)
            await fails(conn.receive(), "receive", errno.ETIMEDOUT)
            assert at <= time.monotonic() < at + 2

    run(main)


def test_a_deadline_set_meanwhile() -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK) as conn:
            with Peer(conn.pid) as peer:
                task = asyncio.create_task(conn.receive())
                await until_waiting(task)
                conn.set_write_deadline(passed())
                await until_waiting(task)
                conn.set_read_deadline(passed())
                await fails(task, "receive", errno.ETIMEDOUT)
                near = time.monotonic() + 0.1
                conn.set_read_deadline(near)
                task = asyncio.create_task(conn.receive())
                await until_waiting(task)
                conn.set_read_deadline(None)
                while time.monotonic() < near + 0.05:
                    await asyncio.sleep(0.01)
                await until_waiting(task)
                peer.send(message(16))
                assert types(await task) == [16]

    run(main)


def test_a_deadline_for_the_wait_for_a_lock() -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK) as conn:
            with Peer(conn.pid) as peer:
                peer.send(message(16, MULTI), message(17, MULTI))
                replies = conn.receive_iter()
                await anext(replies)
                waiting = [asyncio.create_task(conn.receive()), asyncio.create_task(conn.execute(message()))]
                await until_waiting(*waiting)
                conn.set_read_deadline(passed())
                for task, op in zip(waiting, ("receive", "execute"), strict=True):
                    await fails(task, op, errno.ETIMEDOUT)
                conn.set_read_deadline(None)
                await replies.aclose()

    run(main)


def test_a_send_that_waits(work: Work) -> None:
    # The kernel takes all at once, so a sandbox says that it cannot.
    async def main() -> None:
        async with dial(Family.ROUTE) as conn:
            tasks = [asyncio.create_task(conn.send(get_link())), asyncio.create_task(conn.execute(get_link()))]
            await until_waiting(*tasks)
            conn.set_write_deadline(passed())
            await fails(tasks[0], "send", errno.ETIMEDOUT)
            with pytest.raises(TimeoutError):
                await tasks[1]
            conn.set_write_deadline(None)
            task = asyncio.create_task(conn.send(get_link()))
            await until_waiting(task)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            task = asyncio.create_task(conn.send_messages([get_link()]))
            await until_waiting(task)
            conn.close()
            await fails(task, "send-messages", errno.EBADF)

    work(sandboxed([Deny("sendto", errno.EAGAIN), Deny("sendmsg", errno.EAGAIN)], run, main)).result()


# close


def test_close_ends_all_waiting() -> None:
    async def main() -> None:
        async with dial(Family.ROUTE) as conn:
            tasks = [
                asyncio.create_task(conn.receive()),
                asyncio.create_task(conn.receive()),
                asyncio.create_task(conn.execute(get_link())),
                asyncio.create_task(collect(conn.receive_iter())),
            ]
            await until_waiting(*tasks)
            conn.close()
            conn.close()
            for task in tasks:
                with pytest.raises(OpError) as caught:
                    await task
                assert caught.value.errno == errno.EBADF
            await fails(conn.receive(), "receive", errno.EBADF)
            await fails(conn.send(get_link()), "send", errno.EBADF)
            await fails(conn.send_messages([get_link()]), "send-messages", errno.EBADF)
            await fails(conn.execute(get_link()), "execute", errno.EBADF)
            await fails(anext(conn.receive_iter()), "receive", errno.EBADF)

    run(main)


def test_close_from_a_thread(work: Work) -> None:
    async def main() -> None:
        async with dial(Family.ROUTE) as conn:
            tasks = [asyncio.create_task(conn.receive()) for _ in range(3)]
            await until_waiting(*tasks)
            work(conn.close).result()
            for task in tasks:
                await fails(task, "receive", errno.EBADF)
            assert conn.closed

    run(main)


def test_close_from_a_thread_ends_the_wait_for_a_suspended_iterator(work: Work) -> None:
    def close(conn: AsyncConn, loop_thread: int) -> None:
        wait_blocked(loop_thread, "epoll_wait", "epoll_pwait")
        conn.close()

    async def main() -> None:
        async with dial(Family.USERSOCK) as conn:
            with Peer(conn.pid) as peer:
                # What was queued before is read without waiting for the socket.
                peer.send(message(16, MULTI), message(17, MULTI))
                replies = conn.receive_iter()
                await anext(replies)
                waiting = asyncio.create_task(conn.receive())
                await until_waiting(waiting)
                closer = work(close, conn, threading.get_native_id())
                begin = time.monotonic()
                finished, _ = await asyncio.wait([waiting], timeout=5)
                closer.result()
                assert finished
                assert time.monotonic() - begin < 4
                await fails(waiting, "receive", errno.EBADF)
                with pytest.raises(OpError, match="Bad file descriptor"):
                    await collect(replies)

    run(main)


def test_close_from_a_thread_ends_a_send_that_waits(work: Work) -> None:
    def close(conn: AsyncConn, loop_thread: int) -> None:
        wait_blocked(loop_thread, "epoll_wait", "epoll_pwait")
        conn.close()

    async def main() -> None:
        async with dial(Family.ROUTE) as conn:
            tasks = [asyncio.create_task(conn.send(get_link())) for _ in range(2)]
            await until_waiting(*tasks)
            closer = work(close, conn, threading.get_native_id())
            finished, _ = await asyncio.wait(tasks, timeout=5)
            closer.result()
            assert finished == set(tasks)
            for task in tasks:
                await fails(task, "send", errno.EBADF)

    work(sandboxed([Deny("sendto", errno.EAGAIN), Deny("sendmsg", errno.EAGAIN)], run, main)).result()


def test_close_from_a_thread_holds_for_that_thread_at_once(work: Work) -> None:
    async def main() -> None:
        conn = dial(Family.ROUTE)
        await conn.execute(get_link())

        def close() -> bool:
            conn.close()
            return conn.closed

        assert work(close).result()

    run(main)


def test_close_without_a_loop_or_behind_one() -> None:
    conn = dial(Family.ROUTE)

    async def main() -> None:
        await conn.execute(get_link())
        task = asyncio.create_task(conn.receive())
        await until_waiting(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)
    conn.close()
    assert conn.closed


def test_close_while_the_loop_is_at_rest() -> None:
    loop = asyncio.new_event_loop()
    try:
        conn = dial(Family.ROUTE)
        waiting = loop.create_task(conn.receive())
        loop.run_until_complete(until_waiting(waiting))
        descriptor = conn.fileno()
        conn.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
        with pytest.raises(OpError) as caught:
            loop.run_until_complete(waiting)
        assert caught.value.errno == errno.EBADF
    finally:
        loop.close()


def test_one_loop_after_another() -> None:
    conn = dial(Family.USERSOCK)

    async def main() -> None:
        with Peer(conn.pid) as peer:
            task = asyncio.create_task(conn.receive())
            await until_waiting(task)
            peer.send(message(16))
            assert types(await task) == [16]

    for _ in range(3):
        run(main)
    conn.close()


def test_close_leaves_a_descriptor_of_the_same_number_alone() -> None:
    async def main() -> None:
        async with dial(Family.USERSOCK) as conn:
            task = asyncio.create_task(conn.receive())
            await until_waiting(task)
            number = conn.fileno()
            conn.close()
            async with dial(Family.USERSOCK) as heir:
                assert heir.fileno() == number
                with Peer(heir.pid) as peer:
                    reply = asyncio.create_task(heir.receive())
                    await until_waiting(reply)
                    await fails(task, "receive", errno.EBADF)
                    peer.send(message(16))
                    assert types(await reply) == [16]

    run(main)


def test_no_thread_of_its_own() -> None:
    async def main() -> None:
        before = os.listdir("/proc/self/task")
        async with dial(Family.ROUTE) as conn:
            task = asyncio.create_task(conn.receive())
            await until_waiting(task)
            assert os.listdir("/proc/self/task") == before
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(main)


def let_go(held: list[Any]) -> None:
    held.clear()
    gc.collect()


def test_an_unclosed_connection_in_a_loop_warns() -> None:
    async def main() -> None:
        conn = dial(Family.ROUTE)
        task = asyncio.create_task(conn.receive())
        await until_waiting(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)  # what woke this one holds the task
        del task
        held = [conn]
        del conn
        with pytest.warns(ResourceWarning, match="unclosed"):
            let_go(held)

    run(main)


def test_an_uncancelled_task_ends_with_the_loop() -> None:
    async def main() -> None:
        conn = dial(Family.ROUTE)
        task = asyncio.create_task(conn.receive())
        await until_waiting(task)
        conns.append(conn)

    conns: list[AsyncConn] = []
    run(main)
    conns.pop().close()
