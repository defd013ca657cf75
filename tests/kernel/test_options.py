"""Socket options, groups and buffers."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest

import netns
from kernel.tools import Deny, Peer, Worker, datagram, no_peeking, passed, readable, sandboxed, soon, unprivileged
from netlink import Config, Conn, ConnOption, Family, Header, HeaderFlags, HeaderType, Message, OpError, dial
from netns import ACK, DUMP, RTM_GETLINK

Work = Callable[..., Worker]
SOL_NETLINK = 270


def get_link(flags: int = HeaderFlags.REQUEST, index: int = netns.LOOPBACK) -> Message:
    return netns.link_request(RTM_GETLINK, flags, index)


def message(kind: int = 16, flags: int = 0, data: bytes = b"") -> Message:
    return Message(Header(type=kind, flags=flags), data)


def raised(call: Callable[[], Any], op: str, number: int) -> OpError:
    with pytest.raises(OpError) as caught:
        call()
    assert (caught.value.op, caught.value.errno) == (op, number)
    return caught.value


def read_option(conn: Conn, level: int, option: int) -> int | None:
    """None where this kernel can set the option and not read it."""
    with socket.socket(fileno=conn.fileno()) as sock:
        try:
            return sock.getsockopt(level, option)
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT or option != ConnOption.LISTEN_ALL_NSID:
                raise
            return None
        finally:
            sock.detach()


# Groups


def test_join_and_leave(conn: Conn, other: Conn) -> None:
    netns.add_link(other, "probe0")
    assert not readable(conn)
    conn.join_group(1)  # RTNLGRP_LINK
    conn.set_read_deadline(soon())
    index = netns.add_link(other, "probe1")
    assert any(b"probe1\0" in m.data for m in conn.receive())
    conn.leave_group(1)
    while readable(conn):
        conn.receive()
    netns.delete_link(other, index)
    assert not readable(conn)


def test_groups_above_32(conn: Conn, other: Conn) -> None:
    conn.join_group(33)  # RTNLGRP_BRVLAN: no events here; the kernel knows it
    conn.leave_group(33)
    conn.join_group(28)
    conn.join_group(28)  # again is no error
    conn.leave_group(28)
    conn.leave_group(28)


@pytest.mark.parametrize("group", [0, 1_000, 0xFFFF_FFFF])
def test_no_such_group(conn: Conn, group: int) -> None:
    raised(lambda: conn.join_group(group), "join-group", errno.EINVAL)
    raised(lambda: conn.leave_group(group), "leave-group", errno.EINVAL)


@pytest.mark.parametrize("group", [-1, 1 << 32])
def test_a_group_out_of_range(conn: Conn, group: int) -> None:
    with pytest.raises((OverflowError, ValueError)):
        conn.join_group(group)
    with pytest.raises((OverflowError, ValueError)):
        conn.leave_group(group)


def test_groups_that_are_not_permitted() -> None:
    # NETLINK_NETFILTER wants CAP_NET_ADMIN for its groups.
    def run() -> None:
        with dial(Family.NETFILTER) as conn:
            raised(lambda: conn.join_group(1), "join-group", errno.EPERM)
        refusal = raised(lambda: dial(Family.NETFILTER, Config(groups=1)), "dial", errno.EPERM)
        assert refusal.hint.startswith("the groups need CAP_NET_ADMIN")

    unprivileged(run)


# Options


@pytest.mark.parametrize("option", [o for o in ConnOption if o != ConnOption.LISTEN_ALL_NSID])
def test_set_option(conn: Conn, option: ConnOption) -> None:
    for value in (True, False, True, True):
        conn.set_option(option, value)
        assert read_option(conn, SOL_NETLINK, option) == value
    assert len(conn.execute(get_link())) == 1


def test_listen_all_nsid(conn: Conn) -> None:
    unprivileged(lambda: raised(lambda: conn.set_option(ConnOption.LISTEN_ALL_NSID, True), "set-option", errno.EPERM))
    if netns.in_user_namespace():
        pytest.skip("NETLINK_LISTEN_ALL_NSID needs CAP_NET_BROADCAST in the first user namespace")
    conn.set_option(ConnOption.LISTEN_ALL_NSID, True)
    assert read_option(conn, SOL_NETLINK, ConnOption.LISTEN_ALL_NSID) in (1, None)


def test_no_such_option(conn: Conn) -> None:
    with pytest.raises((ValueError, OverflowError)):
        conn.set_option(77, True)  # type: ignore[arg-type]


@pytest.mark.parametrize("option", list(ConnOption))
def test_an_option_that_the_kernel_lacks(conn: Conn, work: Work, option: ConnOption) -> None:
    old_kernel = [Deny("setsockopt", errno.ENOPROTOOPT)]
    worker = work(sandboxed(old_kernel, conn.set_option, option, True))
    raised(worker.result, "set-option", errno.ENOPROTOOPT)


def test_only_requested_options_are_set() -> None:
    def options(conn: Conn) -> set[ConnOption]:
        return {o for o in ConnOption if read_option(conn, SOL_NETLINK, o)}

    with dial(Family.ROUTE) as conn:
        assert options(conn) == set()
    with dial(Family.ROUTE, Config(strict=True)) as conn:
        assert options(conn) == {ConnOption.EXTENDED_ACKNOWLEDGE, ConnOption.GET_STRICT_CHECK}


def test_strict_fails_where_the_kernel_cannot(work: Work) -> None:
    old_kernel = [Deny("setsockopt", errno.ENOPROTOOPT)]
    worker = work(sandboxed(old_kernel, dial, Family.ROUTE, Config(strict=True)))
    raised(worker.result, "dial", errno.ENOPROTOOPT)


def test_cap_ack_leaves_the_request_s_payload_out_of_an_error(conn: Conn) -> None:
    def size_of_error() -> int:
        request = get_link(ACK, 9999)
        conn.send(request.replace(data=request.data + b"\x40\0\xff\x3f" + bytes(60)))
        with socket.socket(fileno=conn.fileno()) as sock:
            try:
                size = len(sock.recv(65536, socket.MSG_PEEK))
            finally:
                sock.detach()
        raised(conn.receive, "receive", errno.ENODEV)
        return size

    long = size_of_error()
    conn.set_option(ConnOption.CAP_ACKNOWLEDGE, True)
    assert (long, size_of_error()) == (16 + 4 + 16 + 80, 16 + 4 + 16)


def test_options_of_a_closed_connection(conn: Conn) -> None:
    conn.close()
    verbs: dict[str, Callable[[], Any]] = {
        "join-group": lambda: conn.join_group(1),
        "leave-group": lambda: conn.leave_group(1),
        "set-bpf": lambda: conn.set_bpf([(6, 0, 0, 0)]),
        "remove-bpf": conn.remove_bpf,
        "set-option": lambda: conn.set_option(ConnOption.NO_ENOBUFS, True),
        "set-read-buffer": lambda: conn.set_read_buffer(1),
        "set-write-buffer": lambda: conn.set_write_buffer(1),
        "get-read-buffer": conn.read_buffer,
        "get-write-buffer": conn.write_buffer,
        "set-deadline": lambda: conn.set_deadline(None),
        "send": lambda: conn.send(get_link()),
        "send-messages": lambda: conn.send_messages([get_link()]),
        "receive": conn.receive,
        "execute": lambda: conn.execute(get_link()),
    }
    for op, verb in verbs.items():
        raised(verb, op, errno.EBADF)
    raised(lambda: next(conn.receive_iter()), "receive", errno.EBADF)
    raised(lambda: conn.drops, "drops", errno.EBADF)
    conn.close()
    assert conn.closed
    assert conn.fileno() == -1
    assert conn.pid
    assert "closed" in repr(conn)


# Buffers


def test_buffers_can_be_read(conn: Conn) -> None:
    for setter, getter, option in (
        (conn.set_read_buffer, conn.read_buffer, socket.SO_RCVBUF),
        (conn.set_write_buffer, conn.write_buffer, socket.SO_SNDBUF),
    ):
        setter(100_000)
        assert getter() == 200_000 == read_option(conn, socket.SOL_SOCKET, option)


def test_buffers_beyond_the_limit_are_forced(conn: Conn) -> None:
    if netns.in_user_namespace():
        pytest.skip("SO_RCVBUFFORCE and SO_SNDBUFFORCE need CAP_NET_ADMIN in the first user namespace")
    conn.set_read_buffer(2 * netns.limit("rmem_max"))
    assert conn.read_buffer() == 4 * netns.limit("rmem_max")
    conn.set_write_buffer(2 * netns.limit("wmem_max"))
    assert conn.write_buffer() == 4 * netns.limit("wmem_max")


def test_without_privilege_buffers_are_capped_and_their_size_can_be_read(conn: Conn) -> None:
    def run() -> None:
        conn.set_read_buffer(2 * netns.limit("rmem_max"))
        assert conn.read_buffer() == 2 * netns.limit("rmem_max")
        conn.set_write_buffer(2 * netns.limit("wmem_max"))
        assert conn.write_buffer() == 2 * netns.limit("wmem_max")
        conn.set_read_buffer(50_000)
        assert conn.read_buffer() == 100_000

    if netns.in_user_namespace():
        run()
    else:
        unprivileged(run)


@pytest.mark.parametrize("size", [-1, 1 << 31, 1 << 64])
def test_a_buffer_out_of_range(conn: Conn, size: int) -> None:
    for setter in (conn.set_read_buffer, conn.set_write_buffer):
        with pytest.raises((ValueError, OverflowError)):
            setter(size)


def test_the_smallest_buffers_work(conn: Conn) -> None:
    conn.set_read_buffer(0)
    conn.set_write_buffer(0)
    assert conn.read_buffer() > 0
    assert len(conn.execute(get_link())) == 1


# message_buffer_size


def test_a_message_buffer_that_is_too_small(netns: netns.Namespace) -> None:
    with dial(Family.USERSOCK, Config(message_buffer_size=64)) as conn, Peer(conn.pid) as peer:
        for read in (conn.receive, lambda: list(conn.receive_iter())):
            peer.send(message(data=bytes(49)))
            peer.send(message(17, data=bytes(48)))
            raised(read, "receive", errno.EMSGSIZE)
            (m,) = read()
            assert (m.header.type, len(m.data)) == (17, 48)
            assert not readable(conn)


def test_a_message_buffer_that_is_too_small_for_a_dump(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    with dial(Family.ROUTE, Config(message_buffer_size=2048)) as small:
        for _ in range(3):
            small.set_deadline(soon())
            raised(lambda: small.execute(netns.routes_request()), "receive", errno.EMSGSIZE)
            assert sum(map(netns.is_ours, conn.execute(netns.routes_request()))) == 2_000
            small.set_deadline(soon())
            # An acknowledgement fits. What is left of the dump is no error of this request.
            (ack,) = small.execute(netns.link_request(netns.RTM_NEWLINK, index=netns.LOOPBACK, up=True))
            assert ack.header.type == HeaderType.ERROR


def test_a_message_buffer_that_is_too_small_for_one_reply() -> None:
    with dial(Family.ROUTE, Config(message_buffer_size=64)) as conn:
        raised(lambda: conn.execute(get_link()), "receive", errno.EMSGSIZE)
        (ack,) = conn.execute(netns.link_request(netns.RTM_NEWLINK, index=netns.LOOPBACK, up=True))
        assert ack.header.type == HeaderType.ERROR


def test_with_a_message_buffer_nothing_peeks(work: Work) -> None:
    def run() -> int:
        with dial(Family.ROUTE, Config(message_buffer_size=65536)) as conn:
            return len(conn.execute(get_link())) + len(conn.execute(get_link(DUMP, 0)))

    assert work(sandboxed(no_peeking(), run)).result() >= 2


def test_data_of_a_reused_message_buffer_stays(netns: netns.Namespace) -> None:
    with dial(Family.USERSOCK, Config(message_buffer_size=4096)) as conn, Peer(conn.pid) as peer:
        messages = []
        for n in range(20):
            peer.send(message(data=bytes([n]) * 1000))
            messages += conn.receive()
        assert [m.data for m in messages] == [bytes([n]) * 1000 for n in range(20)]


# Truncation: never


def allow(sock: socket.socket, size: int) -> None:
    """Let a socket send datagrams of that size."""
    for option in (32, socket.SO_SNDBUF):  # SO_SNDBUFFORCE
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, size)
        except PermissionError:
            continue
        break
    got = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    if got < size + 4096:
        pytest.skip(f"net.core.wmem_max allows datagrams of {got} bytes only, {size} are wanted")


@pytest.mark.parametrize("size", [32 << 10, 1 << 20, (1 << 20) + 4, 3 << 20, 6 << 20])
def test_a_datagram_of_any_size_is_received_whole(user: Conn, peer: Peer, size: int) -> None:
    allow(peer.sock, size)
    data = bytes(range(256)) * (size // 256)
    for read in (user.receive, lambda: list(user.receive_iter())):
        peer.send(message(16, data=b"before"))
        assert [m.data for m in read()] == [b"before"]
        peer.send(message(17, data=data))
        (m,) = read()
        assert m.data == data
        peer.send(message(18, data=b"behind"))
        assert [m.data for m in read()] == [b"behind"]
    assert user.drops == 0


def test_sizes_up_and_down(user: Conn, peer: Peer) -> None:
    allow(peer.sock, 2 << 20)
    for size in (0, 2 << 20, 4, 1 << 16, 1 << 20, 1, (1 << 20) + 1, 0):
        peer.send_bytes(datagram(message(data=b"x" * size)))
        assert [len(m.data) for m in user.receive()] == [size]


@pytest.mark.parametrize("big", [1 << 17, 1 << 21])
def test_a_large_datagram_while_a_dump_is_read(conn: Conn, big: int) -> None:
    # A dump is read without peeking first: what else comes meanwhile is never cut in silence.
    netns.add_routes(conn, 2_000)
    with dial(Family.ROUTE) as reader, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as stranger:
        reader.set_read_buffer(4 << 20)
        if reader.read_buffer() < 2 * big:
            pytest.skip(f"net.core.rmem_max allows {reader.read_buffer()} bytes only")
        allow(stranger, big)
        stranger.setblocking(False)
        reader.set_read_deadline(soon())
        reader.send(netns.routes_request())
        replies = reader.receive_iter()
        next(replies)
        stranger.sendto(datagram(message(99, data=bytes(big))), (reader.pid, 0))
        got: list[Message] = []
        if big > 1 << 20:
            raised(lambda: got.extend(replies), "receive", errno.EMSGSIZE)
        else:
            # It is no part of a reply, and ends this one as such a datagram does.
            got.extend(replies)
            assert len(got.pop().data) == big
            assert 1 + sum(map(netns.is_ours, got + reader.receive())) >= 2_000
        assert sum(map(netns.is_ours, reader.execute(netns.routes_request()))) == 2_000


# Overruns


def overrun(conn: Conn, peer: Peer) -> int:
    """Send until the kernel drops; return how many were dropped at least."""
    conn.set_read_buffer(8192)
    peer.sock.setblocking(False)
    refused = 0
    for _ in range(200):
        try:
            peer.send(message(data=bytes(1000)))
        except BlockingIOError:
            refused += 1
    return refused


def routes_overrun(reader: Conn, writer: Conn, count: int = 400) -> None:
    """Let events about routes overrun a reader that joined their group."""
    reader.set_read_buffer(16_384)
    reader.join_group(7)  # RTNLGRP_IPV4_ROUTE
    netns.add_routes(writer, count)


def test_an_overrun_is_reported_and_the_connection_usable(conn: Conn, other: Conn) -> None:
    routes_overrun(conn, other)
    drops = conn.drops
    assert 0 < drops < 400
    error = raised(conn.receive, "receive", errno.ENOBUFS)
    assert error.temporary
    assert not error.timeout
    # What was queued before is still there, and with the drops it makes up what was sent.
    got = 0
    while readable(conn):
        got += len(conn.receive())
    assert got + drops == 400
    assert conn.drops == drops
    netns.add_routes(other, 5, start=1_000)
    conn.set_read_deadline(soon())
    assert [len(conn.receive()) for _ in range(5)] == [1] * 5
    conn.leave_group(7)
    assert len(conn.execute(get_link())) == 1


def test_an_overrun_is_reported_to_an_iterator(conn: Conn, other: Conn) -> None:
    routes_overrun(conn, other)
    raised(lambda: list(conn.receive_iter()), "receive", errno.ENOBUFS)
    assert len(list(conn.receive_iter())) == 1


def test_an_overrun_ends_a_blocked_receive_that_has_nothing(conn: Conn, other: Conn, work: Work) -> None:
    routes_overrun(conn, other)
    raised(conn.receive, "receive", errno.ENOBUFS)
    while readable(conn):
        conn.receive()
    worker = work(conn.receive)
    worker.wait_receiving()
    netns.add_routes(other, 1, start=1_000)
    assert len(worker.result()) == 1


def test_no_enobufs_counts_in_silence(conn: Conn, other: Conn) -> None:
    conn.set_option(ConnOption.NO_ENOBUFS, True)
    routes_overrun(conn, other)
    drops = conn.drops
    assert drops > 0
    got = 0
    while readable(conn):
        got += len(conn.receive())
    assert got + drops == 400


@pytest.mark.parametrize("no_enobufs", [False, True])
def test_a_half_drained_congested_socket(conn: Conn, other: Conn, no_enobufs: bool) -> None:
    conn.set_option(ConnOption.NO_ENOBUFS, no_enobufs)
    routes_overrun(conn, other)
    if not no_enobufs:
        raised(conn.receive, "receive", errno.ENOBUFS)
    queued = 400 - conn.drops
    assert queued > 4
    # Half of the buffer is free again, room for these.
    for _ in range(queued // 2):
        conn.receive()
    before = conn.drops
    few = queued // 4
    netns.add_routes(other, few, start=1_000)
    assert conn.drops - before == (0 if no_enobufs else few)


def test_a_full_socket_refuses_a_unicast_and_drops_nothing_in_silence(user: Conn, peer: Peer) -> None:
    refused = overrun(user, peer)
    assert 0 < refused < 200
    got = 0
    while readable(user):
        got += len(user.receive())
    assert got + refused == 200


def test_acks_overflow_the_buffer_though_every_request_is_done(conn: Conn, other: Conn) -> None:
    conn.set_read_buffer(8192)
    count = 500
    sent = conn.send_messages(netns.route(n, flags=netns.CREATE | ACK) for n in range(1, count + 1))
    raised(conn.receive, "receive", errno.ENOBUFS)
    assert conn.drops > 0
    assert sum(map(netns.is_ours, other.execute(netns.routes_request()))) == count
    acks = []
    while readable(conn):
        acks += conn.receive()
    assert {m.header.sequence for m in acks} < {m.header.sequence for m in sent}
    assert len(acks) + conn.drops == count
    assert len(conn.execute(get_link())) == 1


def test_an_overrun_in_the_middle_of_a_dump(conn: Conn, other: Conn) -> None:
    netns.add_routes(other, 2_000)
    conn.send(netns.routes_request())
    replies = conn.receive_iter()
    next(replies)
    conn.set_read_buffer(32_768)
    conn.join_group(7)
    netns.add_routes(other, 400, start=5_000)
    assert conn.drops
    raised(lambda: list(replies), "receive", errno.ENOBUFS)
    conn.leave_group(7)
    # The events that were queued are for the caller; what is left of the dump is for nobody.
    conn.set_deadline(soon())
    while readable(conn):
        conn.set_read_deadline(soon(0.2))
        with contextlib.suppress(TimeoutError):
            conn.receive()
    conn.set_read_deadline(soon())
    assert sum(map(netns.is_ours, conn.execute(netns.routes_request()))) == 2_400


def test_a_passed_deadline_leaves_an_overrun_for_later(conn: Conn, other: Conn) -> None:
    routes_overrun(conn, other)
    conn.set_read_deadline(passed())
    raised(conn.receive, "receive", errno.ETIMEDOUT)
    conn.set_read_deadline(None)
    raised(conn.receive, "receive", errno.ENOBUFS)
