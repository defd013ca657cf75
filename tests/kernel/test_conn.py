"""dial, send, receive and execute against the kernel: what a reply is, and where it ends."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import netlink
import netlink.aio
import netns
from driven import Drivers
from kernel.links import IfInfo
from kernel.tools import Deny, Peer, Worker, datagram, passed, readable, sandboxed, soon
from netlink import (
    Config,
    Conn,
    DecodeError,
    EncodeError,
    Family,
    Header,
    HeaderFlags,
    HeaderType,
    Message,
    OpError,
    validate,
)
from netlink.family import Call
from netlink.schema import AttributeSet, string
from netns import ACK, DUMP, RTM_GETLINK, RTM_NEWLINK

Dial = Callable[..., Conn]

REQUEST = HeaderFlags.REQUEST
MULTI = HeaderFlags.MULTI


def get_link(flags: int = REQUEST, index: int = netns.LOOPBACK) -> Message:
    return netns.link_request(RTM_GETLINK, flags, index)


def message(kind: int = 16, flags: int = 0, sequence: int = 0, data: bytes = b"") -> Message:
    return Message(Header(type=kind, flags=flags, sequence=sequence), data)


def done(sequence: int = 0, code: int = 0, flags: int = MULTI) -> Message:
    return message(HeaderType.DONE, flags, sequence, struct.pack("=i", code))


def ack(sequence: int = 0, code: int = 0) -> Message:
    return message(HeaderType.ERROR, 0, sequence, struct.pack("=i", code) + bytes(16))


@pytest.mark.parametrize("flags", [REQUEST, REQUEST | ACK, REQUEST | DUMP])
def test_a_datagram_without_a_message_is_passed_over(conn: Conn, flags: int) -> None:
    wanted = conn.execute(get_link(flags))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.ROUTE) as stranger:
        for _ in range(2):
            stranger.sendto(b"abcd", (conn.pid, 0))
        got = conn.execute(get_link(flags))
        assert [m.header.type for m in got] == [m.header.type for m in wanted]
        if flags & DUMP == DUMP:
            stranger.sendto(b"abcd", (conn.pid, 0))
            assert len(conn.dump(get_link(flags), Link)) == len(wanted)
            stranger.sendto(b"abcd", (conn.pid, 0))
            assert sum(map(len, conn.iter_dump(get_link(flags), Link))) == len(wanted)
        stranger.sendto(b"abcd", (conn.pid, 0))
        calls = [Call(RTM_GETLINK, get_link().data, Link) for _ in range(3)]
        assert len(conn.execute_all(calls)) == 3
    assert nothing_left(conn)


class Link(AttributeSet, header=IfInfo):
    ifname = string(3)


def nothing_left(conn: Conn) -> bool:
    """Whether a receive would wait: nothing is queued in the kernel or here."""
    conn.set_read_deadline(passed())
    with pytest.raises(TimeoutError):
        conn.receive()
    conn.set_read_deadline(None)
    return not readable(conn)


@pytest.fixture
def dial(netns: netns.Namespace, drivers: Drivers) -> Dial:
    """`netlink.dial` of either connection."""
    return lambda *args: drivers.of((netlink.aio if drivers.tasks else netlink).dial(*args))


@pytest.fixture
def conn(dial: Dial) -> Iterator[Conn]:
    with dial(Family.ROUTE) as conn:
        yield conn


@pytest.fixture
def ct(dial: Dial) -> Iterator[Conn]:
    netns.require_conntrack()
    with dial(Family.NETFILTER) as conn:
        yield conn


@pytest.fixture
def user(dial: Dial) -> Iterator[Conn]:
    with dial(Family.USERSOCK) as conn:
        yield conn


# dial


def test_dial(dial: Dial) -> None:
    with dial(Family.ROUTE) as conn:
        assert conn.pid != 0
        assert conn.fileno() >= 0
        assert os.readlink(f"/proc/self/fd/{conn.fileno()}").startswith("socket:")
        assert not conn.closed
        assert conn.drops == 0
        assert str(conn.pid) in repr(conn)
    assert conn.closed
    assert conn.fileno() == -1


@pytest.mark.parametrize("family", [31, 32, 10_000])
def test_dial_unknown_family(dial: Dial, family: int) -> None:
    with pytest.raises(OpError) as caught:
        dial(family)
    assert (caught.value.op, caught.value.errno) == ("dial", errno.EPROTONOSUPPORT)
    lacking = "the kernel lacks this netlink family, or its module is not loaded"
    assert str(caught.value) == f"netlink dial: Protocol not supported: {lacking}"


def test_dial_with_a_port_id(dial: Dial) -> None:
    for pid in (12345, 0xFFFFFF00):
        with dial(Family.ROUTE, Config(pid=pid)) as conn:
            assert conn.pid == pid
            (link,) = conn.execute(get_link())
            assert link.header.pid == pid


def test_dial_taken_port_id(dial: Dial) -> None:
    with dial(Family.ROUTE, Config(pid=12345)) as first:
        with pytest.raises(OpError) as caught:
            dial(Family.ROUTE, Config(pid=12345))
        assert (caught.value.op, caught.value.errno) == ("dial", errno.EADDRINUSE)
        assert "port id" in caught.value.hint
        with dial(Family.NETFILTER, Config(pid=12345)) as second:
            assert second.pid == first.pid  # port ids are a family's


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT])
def test_a_sandbox_that_refuses_the_socket(dial: Dial, work: Callable[..., Worker], number: int) -> None:
    with pytest.raises(OpError, match="a sandbox, such as a seccomp filter") as caught:
        work(sandboxed([Deny("socket", number)], dial, Family.ROUTE)).result()
    assert (caught.value.op, caught.value.errno) == ("dial", number)


@pytest.mark.parametrize("family", ["route", None, 1.5])
def test_a_family_that_is_no_number(dial: Dial, family: Any) -> None:
    with pytest.raises(TypeError, match=f"family must be an int such as Family.ROUTE, not {family!r}"):
        dial(family)


def test_the_first_port_id_is_the_process_id_and_the_second_is_negative(dial: Dial) -> None:
    with dial(Family.ROUTE) as first, dial(Family.ROUTE) as second:
        assert first.pid == os.getpid()
        assert second.pid >= 1 << 31
        with pytest.raises(OpError) as caught:
            dial(Family.ROUTE, Config(pid=os.getpid()))
        assert caught.value.errno == errno.EADDRINUSE
        for conn in (first, second):
            assert [m.header.pid for m in conn.execute(get_link())] == [conn.pid]


def test_an_event_has_the_port_id_of_its_cause(dial: Dial, other: Conn) -> None:
    with dial(Family.ROUTE, Config(groups=1 << 6)) as listener:  # RTNLGRP_IPV4_ROUTE
        sent = other.send(netns.route(1, flags=netns.CREATE | ACK))
        assert len(other.receive()) == 1
        listener.set_read_deadline(soon())
        (event,) = listener.receive()
    assert event.header.type == netns.RTM_NEWROUTE
    assert (event.header.pid, event.header.sequence) == (other.pid, sent.header.sequence)


def test_dial_with_groups(dial: Dial, other: Conn) -> None:
    with dial(Family.ROUTE, Config(groups=1)) as listener:  # RTNLGRP_LINK
        listener.set_read_deadline(soon())
        index = netns.add_link(other, "probe0")
        (event,) = listener.receive()
        assert event.header.type == RTM_NEWLINK
        assert event.header.sequence in {0, other.execute(get_link(index=index))[0].header.sequence - 1}


def test_nldebug(dial: Dial, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NLDEBUG", "level=1")
    with dial(Family.ROUTE) as conn:
        conn.execute(get_link())
    lines = capfd.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("nl: ") for line in lines)


# execute


def test_execute_get(conn: Conn) -> None:
    (link,) = conn.execute(get_link())
    assert link.header.type == RTM_NEWLINK
    assert link.header.pid == conn.pid
    assert b"lo\0" in link.data
    assert nothing_left(conn)


def test_execute_get_with_ack_takes_both_replies(conn: Conn) -> None:
    for _ in range(3):
        (link,) = conn.execute(get_link(ACK))
        assert link.header.type == RTM_NEWLINK
        assert not readable(conn)
    assert nothing_left(conn)


def test_a_get_with_ack_has_two_replies(conn: Conn) -> None:
    request = conn.send(get_link(ACK))
    (link,) = conn.receive()
    (end,) = conn.receive()
    assert (link.header.type, end.header.type) == (RTM_NEWLINK, HeaderType.ERROR)
    assert end.data[:4] == bytes(4)
    validate(request, [link, end])
    assert nothing_left(conn)


def test_execute_returns_an_ack_that_is_alone(conn: Conn) -> None:
    (end,) = conn.execute(netns.link_request(RTM_NEWLINK, index=netns.LOOPBACK, up=True))
    assert end.header.type == HeaderType.ERROR
    assert end.data[:4] == bytes(4)
    assert nothing_left(conn)


def test_execute_dump(conn: Conn) -> None:
    links = conn.execute(get_link(DUMP, 0))
    assert links
    assert all(m.header.type == RTM_NEWLINK and m.header.flags & MULTI for m in links)
    assert nothing_left(conn)


def test_execute_dump_of_nothing(conn: Conn) -> None:
    # No neighbours in a fresh namespace: DONE alone.
    assert conn.execute(Message(Header(type=30, flags=DUMP), bytes(12))) == []
    assert nothing_left(conn)


def test_execute_error_is_the_kernels(conn: Conn) -> None:
    with pytest.raises(ProcessLookupError) as caught:
        conn.execute(netns.route(1, netns.RTM_DELROUTE, ACK))
    error = caught.value
    assert isinstance(error, OpError)
    assert (error.op, error.errno) == ("receive", errno.ESRCH)
    assert error.sequence != 0
    assert (error.message, error.offset) == ("", 0)
    assert not error.timeout
    assert not error.temporary
    assert len(conn.execute(get_link())) == 1


def test_execute_error_is_a_built_in_one(conn: Conn) -> None:
    conn.execute(netns.route(1, flags=netns.CREATE | ACK))
    with pytest.raises(FileExistsError):
        conn.execute(netns.route(1, flags=netns.CREATE | ACK))
    assert nothing_left(conn)


def test_an_error_needs_no_request_for_an_ack(conn: Conn) -> None:
    request = conn.send(get_link(REQUEST, 9999))
    with pytest.raises(OpError) as caught:
        conn.receive()
    assert (caught.value.errno, caught.value.sequence) == (errno.ENODEV, request.header.sequence)
    with pytest.raises(OpError, match="No such device"):
        conn.execute(get_link(REQUEST, 9999))
    assert len(conn.execute(get_link())) == 1


def nfqueue_request(kind: int, queue: int, attribute: int, data: bytes, flags: int = REQUEST) -> Message:
    body = struct.pack("=BB", 0, 0) + struct.pack(">H", queue)
    body += struct.pack("=HH", 4 + len(data), attribute) + data + bytes(-len(data) % 4)
    return Message(Header(type=3 << 8 | kind, flags=flags), body)


def test_after_a_verdict_for_an_unknown_packet_the_socket_goes_on(dial: Dial) -> None:
    verdict = nfqueue_request(1, 7, 2, struct.pack(">II", 1, 4242))  # NFQNL_MSG_VERDICT, NFQA_VERDICT_HDR
    with dial(Family.NETFILTER) as queue, dial(Family.NETFILTER) as stranger:
        for conn in (queue, stranger):
            conn.set_deadline(soon())
        # NFQNL_MSG_CONFIG, NFQA_CFG_CMD, NFQNL_CFG_CMD_BIND
        bind = nfqueue_request(2, 7, 1, struct.pack(">BBH", 1, 0, 2), ACK)
        try:
            queue.execute(bind)
        except OpError as error:
            pytest.skip(f"no nfnetlink_queue: {error}")
        for _ in range(3):
            queue.send(verdict)
            with pytest.raises(FileNotFoundError):
                queue.receive()
        stranger.send(verdict)
        with pytest.raises(PermissionError) as caught:
            stranger.receive()
        assert caught.value.errno == errno.EPERM
        with pytest.raises(FileNotFoundError):
            queue.execute(verdict.replace(flags=ACK))
        # NFQA_CFG_PARAMS: 16 bytes of each packet, mode NFQNL_COPY_PACKET
        params = nfqueue_request(2, 7, 2, struct.pack(">IB", 16, 2), ACK)
        assert len(queue.execute(params)) == 1


def test_strict_extended_ack(dial: Dial) -> None:
    with dial(Family.ROUTE, Config(strict=True)) as conn:
        bad_mtu = get_link(ACK)
        bad_mtu = bad_mtu.replace(type=RTM_NEWLINK, data=bad_mtu.data + struct.pack("=HHH2x", 6, 4, 1500))
        with pytest.raises(OpError) as caught:
            conn.execute(bad_mtu)
        error = caught.value
        assert error.message
        assert error.offset == 16 + 16
        assert error.sequence != 0
        assert ", offset: 32" in str(error)
        assert str(error).endswith(f', message: "{error.message}"')
        assert len(conn.execute(get_link())) == 1


def test_strict_checks_dump_requests(dial: Dial, conn: Conn) -> None:
    odd = netns.link_request(RTM_GETLINK, DUMP, index=7)
    assert conn.execute(odd)
    with dial(Family.ROUTE, Config(strict=True)) as strict:
        with pytest.raises(OpError) as caught:
            strict.execute(odd)
        assert caught.value.errno == errno.EINVAL
        assert caught.value.message
        assert strict.execute(get_link(DUMP, 0))
        assert nothing_left(strict)


def test_without_strict_the_kernel_says_the_errno_alone(conn: Conn) -> None:
    with pytest.raises(OpError) as caught:
        conn.execute(Message(Header(type=RTM_GETLINK, flags=ACK), bytes(3)))
    assert caught.value.errno == errno.EINVAL
    assert (caught.value.message, caught.value.offset) == ("", 0)


# ctnetlink answers a single request with MULTI set, and never sends DONE.


@pytest.mark.parametrize("flags", [REQUEST, ACK], ids=["get", "get+ack"])
def test_conntrack_get_is_multi_without_done(ct: Conn, flags: int) -> None:
    netns.add_flows(ct, 3)
    ct.set_deadline(soon())
    for number in (1, 2, 3):
        (flow,) = ct.execute(netns.flow(number, netns.IPCTNL_MSG_CT_GET, flags))
        assert flow.header.flags & MULTI  # or the test tests nothing
        assert struct.pack(">I", 10 << 24 | number) in flow.data
        assert not readable(ct)
    with pytest.raises(FileNotFoundError):
        ct.execute(netns.flow(9, netns.IPCTNL_MSG_CT_GET, flags))
    assert nothing_left(ct)


@pytest.mark.parametrize("flags", [REQUEST, ACK], ids=["get", "get+ack"])
def test_conntrack_stats_are_multi_without_done(ct: Conn, flags: int) -> None:
    ct.set_deadline(soon())
    for _ in range(3):
        (stats,) = ct.execute(netns.ct_request(netns.IPCTNL_MSG_CT_GET_STATS, flags))
        assert len(stats.data) > 4
    assert nothing_left(ct)


def test_conntrack_dumps_end(ct: Conn) -> None:
    ct.set_deadline(soon())
    netns.add_flows(ct, 5)
    assert len(ct.execute(netns.ct_request(netns.IPCTNL_MSG_CT_GET, DUMP))) == 5
    # One message for each CPU that was possible at boot, and DONE.
    assert ct.execute(netns.ct_request(netns.IPCTNL_MSG_CT_GET_STATS_CPU, DUMP))
    assert nothing_left(ct)


# send


def test_send_fills_fields_of_0(conn: Conn) -> None:
    request = get_link()
    odd = request.replace(data=request.data + struct.pack("=HHB", 5, 0x3FFF, 1))
    first, second = conn.send(odd), conn.send(odd)
    assert first.header.length == 16 + 24
    assert first.header.pid == conn.pid
    assert 0 not in {first.header.sequence, second.header.sequence}
    assert second.header.sequence == first.header.sequence % 0xFFFFFFFF + 1
    assert odd.header == request.header  # a copy was returned
    for sent in (first, second):
        (reply,) = conn.receive()
        validate(sent, [reply])


def test_send_leaves_other_fields_unchanged(conn: Conn) -> None:
    sent = conn.send(get_link().replace(length=32, sequence=77, pid=conn.pid))
    assert (sent.header.length, sent.header.sequence, sent.header.pid) == (32, 77, conn.pid)
    (reply,) = conn.receive()
    assert (reply.header.sequence, reply.header.pid) == (77, conn.pid)


def test_execute_leaves_a_sequence_number_unchanged(conn: Conn) -> None:
    assert [m.header.sequence for m in conn.execute(get_link().replace(sequence=77))] == [77]
    assert {m.header.sequence for m in conn.execute(get_link(DUMP, 0).replace(sequence=78))} == {78}
    assert nothing_left(conn)


def test_send_of_a_wrong_length_sends_nothing(conn: Conn) -> None:
    for length in (15, 17, 1000):
        with pytest.raises(EncodeError):
            conn.send(get_link().replace(length=length))
        with pytest.raises(EncodeError):
            conn.send_messages([get_link(), get_link().replace(length=length)])
    assert nothing_left(conn)
    assert len(conn.execute(get_link())) == 1


def test_send_messages_is_one_datagram(conn: Conn) -> None:
    sent = conn.send_messages(get_link() for _ in range(3))
    assert len({m.header.sequence for m in sent}) == 3
    for request in sent:
        (reply,) = conn.receive()
        validate(request, [reply])
    assert nothing_left(conn)


def test_send_messages_stops_at_no_error(conn: Conn) -> None:
    sent = conn.send_messages([get_link(REQUEST, 9999), get_link(ACK)])
    with pytest.raises(OpError, match="No such device") as caught:
        conn.receive()
    assert caught.value.sequence == sent[0].header.sequence
    assert [conn.receive()[0].header.type for _ in range(2)] == [RTM_NEWLINK, HeaderType.ERROR]


def test_a_group_without_listeners(user: Conn) -> None:
    # USERSOCK has no kernel side.
    for send, op in ((user.send, "send"), (lambda m: user.send_messages([m]), "send-messages")):
        with pytest.raises(ConnectionRefusedError) as caught:
            send(message())
        assert isinstance(caught.value, OpError)
        assert caught.value.op == op
    with pytest.raises(ConnectionRefusedError):
        user.execute(message())


# receive: any datagram, from a peer


def test_receive_one(user: Conn, peer: Peer) -> None:
    peer.send(message(17, 0, 5, b"1234"))
    assert user.receive() == [Message(Header(20, 17, 0, 5, 0), b"1234")]


def test_receive_a_datagram_of_several_without_multi_is_whole(user: Conn, peer: Peer) -> None:
    peer.send(message(16), message(17), message(18))
    peer.send(message(19))
    assert [m.header.type for m in user.receive()] == [16, 17, 18]
    assert [m.header.type for m in user.receive()] == [19]


def test_receive_reads_on_to_done_and_leaves_it_out(user: Conn, peer: Peer) -> None:
    peer.send(message(16, MULTI), message(17, MULTI))
    peer.send(message(18, MULTI))
    peer.send(done())
    peer.send(message(20))
    assert [m.header.type for m in user.receive()] == [16, 17, 18]
    assert [m.header.type for m in user.receive()] == [20]


def test_receive_ends_at_an_ack(user: Conn, peer: Peer) -> None:
    peer.send(message(16, MULTI))
    peer.send(ack())
    peer.send(message(20))
    assert [m.header.type for m in user.receive()] == [16, HeaderType.ERROR]
    assert [m.header.type for m in user.receive()] == [20]


def test_receive_ends_with_a_datagram_without_multi(user: Conn, peer: Peer) -> None:
    peer.send(message(16, MULTI))
    peer.send(message(17))
    peer.send(message(20))
    assert [m.header.type for m in user.receive()] == [16, 17]
    assert [m.header.type for m in user.receive()] == [20]


def test_receive_leaves_messages_after_done_to_the_next(user: Conn, peer: Peer) -> None:
    peer.send(message(16, MULTI), done(), message(17))
    assert [m.header.type for m in user.receive()] == [16]
    assert [m.header.type for m in user.receive()] == [17]


def test_done_without_multi_is_an_ordinary_message(user: Conn, peer: Peer) -> None:
    # As nflog ends its batches: the payload is an nfgenmsg, of group 200 here.
    peer.send(message(16), message(HeaderType.DONE, 0, 0, bytes.fromhex("000000c8")))
    assert [m.header.type for m in user.receive()] == [16, HeaderType.DONE]


def test_done_with_an_errno(user: Conn, peer: Peer) -> None:
    peer.send(message(16, MULTI, 5))
    peer.send(done(5, -errno.ENOENT))
    with pytest.raises(FileNotFoundError) as caught:
        user.receive()
    assert isinstance(caught.value, OpError)
    assert (caught.value.op, caught.value.sequence) == ("receive", 5)
    assert nothing_left(user)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0f\0\0\0" + bytes(12),
        b"\xff\xff\xff\xff" + bytes(12),
        b"\x15\0\0\0" + bytes(16),
        datagram(message()) + b"\0" * 16,
        datagram(message(HeaderType.ERROR, 0, 0, b"")),
        datagram(message(HeaderType.ERROR, 0, 0, b"\0\0")),
        datagram(message(HeaderType.DONE, MULTI, 0, b"\0\0")),
    ],
)
def test_a_malformed_datagram_is_consumed(user: Conn, peer: Peer, data: bytes) -> None:
    peer.send_bytes(data)
    peer.send(message(20))
    with pytest.raises(DecodeError):
        user.receive()
    assert [m.header.type for m in user.receive()] == [20]
    peer.send_bytes(data)
    peer.send(message(20))
    with pytest.raises(DecodeError):
        list(user.receive_iter())
    assert [m.header.type for m in user.receive_iter()] == [20]


def test_a_malformed_part_ends_the_reply(user: Conn, peer: Peer) -> None:
    peer.send(message(16, MULTI, 5))
    peer.send_bytes(b"\x0f\0\0\0" + bytes(12))
    peer.send(message(17, MULTI, 5))
    peer.send(done(5))
    peer.send(message(20))
    with pytest.raises(DecodeError):
        user.receive()
    assert [m.header.type for m in user.receive()] == [20]


@pytest.mark.parametrize("padding", [b"", b"\0", b"\0\0", b"\0\0\0"])
def test_the_last_message_may_be_unaligned(user: Conn, peer: Peer, padding: bytes) -> None:
    peer.send_bytes(datagram(message(16, data=b"abcd")) + struct.pack("=IHHII", 21, 17, 0, 0, 0) + b"12345" + padding)
    first, last = user.receive()
    assert (first.data, last.data, last.header.length) == (b"abcd", b"12345", 21)


@pytest.mark.parametrize("count", [1, 4, 15])
def test_fewer_than_16_trailing_bytes_are_ignored(user: Conn, peer: Peer, count: int) -> None:
    peer.send_bytes(datagram(message(16)) + b"\xff" * count)
    assert [m.header.type for m in user.receive()] == [16]


def test_a_short_message_and_its_successor_in_one_datagram(user: Conn, peer: Peer) -> None:
    peer.send(message(16, data=b"12345"), message(17, data=b"x"))
    assert [m.data for m in user.receive()] == [b"12345", b"x"]


def test_receive_iter_of_one_datagram(user: Conn, peer: Peer) -> None:
    peer.send(message(16), message(17))
    replies = user.receive_iter()
    assert next(replies).header.type == 16
    assert next(replies).header.type == 17
    assert next(replies, None) is None


def test_receive_iter_closed_early_leaves_the_rest_of_a_plain_datagram(user: Conn, peer: Peer) -> None:
    peer.send(message(16), message(17), message(18))
    replies = user.receive_iter()
    next(replies)
    replies.close()  # type: ignore[attr-defined]
    assert [m.header.type for m in user.receive()] == [17, 18]
    assert nothing_left(user)


def test_receive_iter_raises_after_the_messages_before_the_error(user: Conn, peer: Peer) -> None:
    peer.send(message(16, MULTI), message(17, MULTI), done(0, -errno.EINTR))
    got: list[Message] = []
    with pytest.raises(InterruptedError):
        got.extend(user.receive_iter())
    assert [m.header.type for m in got] == [16, 17]
    peer.send(message(20))
    assert [m.header.type for m in user.receive()] == [20]


def test_receive_iter_waits_for_the_first_only_when_asked(user: Conn, peer: Peer) -> None:
    replies = user.receive_iter()
    peer.send(message(16))
    assert [m.header.type for m in user.receive()] == [16]
    peer.send(message(17))
    assert [m.header.type for m in replies] == [17]


# execute and strangers


def test_execute_takes_no_message_of_another_request(conn: Conn) -> None:
    conn.send(get_link())
    with pytest.raises(OpError) as caught:
        conn.execute(get_link())
    assert (caught.value.op, caught.value.errno) == ("validate", errno.EPROTO)
    # Its own reply is dropped when it comes.
    assert len(conn.execute(get_link())) == 1
    assert nothing_left(conn)


# Data and their buffers


def test_data_is_not_overwritten_by_a_later_receive(user: Conn, peer: Peer) -> None:
    messages = []
    for n in range(20):
        peer.send(message(16, data=bytes([n]) * 1000))
        messages += user.receive()
    assert [m.data for m in messages] == [bytes([n]) * 1000 for n in range(20)]


def test_no_privilege_is_needed(dial: Dial, netns: netns.Namespace) -> None:
    from kernel.tools import drop_capabilities

    def run() -> int:
        drop_capabilities()
        with dial(Family.ROUTE, Config(strict=True)) as conn:
            return len(conn.execute(get_link())) + len(conn.execute(get_link(DUMP, 0)))

    assert Worker(run).result() >= 2
