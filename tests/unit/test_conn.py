"""Both connections over a test double: sequences, replies, validation and what a cut-short reply leaves behind."""

import errno
import struct
from collections.abc import Iterable

import pytest

from driven import Connect
from netlink import (
    ConnOption,
    DecodeError,
    Header,
    HeaderFlags,
    HeaderType,
    Message,
    OpError,
    nltest,
)
from netlink._io.exchange import Inbox
from netlink._io.readiness import run_in

R, A, M = HeaderFlags.REQUEST, HeaderFlags.ACKNOWLEDGE, HeaderFlags.MULTI
DUMP = HeaderFlags.DUMP


class Script:
    """A socket with given datagrams; None is a wait."""

    def __init__(self, *datagrams: list[Message] | Exception | None) -> None:
        self.datagrams = list(datagrams)
        self.sent: list[list[Message]] = []
        self.closed = 0

    def close(self) -> None:
        self.closed += 1

    def send(self, m: Message) -> None:
        self.sent.append([m])

    def send_messages(self, ms: list[Message]) -> None:
        self.sent.append(ms)

    def receive_nowait(self) -> list[Message] | None:
        if not self.datagrams:
            return None
        datagram = self.datagrams.pop(0)
        if isinstance(datagram, Exception):
            raise datagram
        return datagram

    def receive(self) -> list[Message]:
        datagram = self.receive_nowait()
        assert datagram is not None, "the connection waits for what never comes"
        return datagram


def message(data: bytes = b"", *, type_: int = 16, flags: int = 0, sequence: int = 5, pid: int = 0) -> Message:
    return Message(Header(16 + len(data), type_, flags, sequence, pid), data)


def part(data: bytes, sequence: int = 5) -> Message:
    return message(data, flags=M, sequence=sequence)


def done(sequence: int = 5, data: bytes = bytes(4)) -> Message:
    return message(data, type_=HeaderType.DONE, flags=M, sequence=sequence)


def ack(sequence: int = 5, code: int = 0) -> Message:
    return message(struct.pack("=i", code) + bytes(16), type_=HeaderType.ERROR, sequence=sequence)


INTERRUPTED = done().replace(flags=M | HeaderFlags.DUMP_INTERRUPTED)


def request(flags: int = 0) -> Message:
    return message(flags=R | flags)


def datas(messages: Iterable[Message]) -> list[bytes]:
    return [m.data for m in messages]


# Sending


def test_send_fills_fields_of_zero(connect: Connect) -> None:
    sock = Script()
    conn = connect(sock, 77)
    first = conn.send(Message(Header(type=16, flags=R), b"abcde"))
    second = conn.send(Message(Header(type=16, flags=R)))
    assert (first.header.length, first.header.pid) == (24, 77)
    assert first.header.sequence != 0
    assert second.header.sequence == first.header.sequence % 0xFFFFFFFF + 1
    assert sock.sent == [[first], [second]]


def test_send_leaves_set_fields_unchanged(connect: Connect) -> None:
    given = Message(Header(20, 16, R, 9, 3), b"abcd")
    assert connect(Script(), 77).send(given) == given


def test_sequence_numbers_skip_zero(connect: Connect) -> None:
    conn = connect(Script(), 1)
    conn._exchange.sequence = 0xFFFFFFFE
    assert [conn.send(Message()).header.sequence for _ in range(3)] == [0xFFFFFFFF, 1, 2]


def test_send_messages_is_one_datagram(connect: Connect) -> None:
    sock = Script()
    sent = connect(sock, 1).send_messages(Message(Header(type=t)) for t in (16, 17))
    assert sock.sent == [sent]
    assert [m.header.type for m in sent] == [16, 17]
    assert sent[1].header.sequence == sent[0].header.sequence % 0xFFFFFFFF + 1


# Receiving


@pytest.mark.parametrize(
    ("datagrams", "want", "left"),
    [
        ([[message(b"a")], [message(b"b")]], [b"a"], 1),
        ([[message(b"a"), message(b"b")], [message(b"c")]], [b"a", b"b"], 1),
        ([[part(b"a"), part(b"b")], [part(b"c")], [done()], [message(b"d")]], [b"a", b"b", b"c"], 1),
        ([[part(b"a"), done()], [message(b"d")]], [b"a"], 1),
        ([[done()]], [], 0),
        ([[part(b"a")], [message(b"b")], [done()]], [b"a", b"b"], 1),
        ([[ack()], [message(b"b")]], [ack().data], 1),
        ([[ack(1), ack(2)]], [ack().data, ack().data], 0),
        ([[part(b"a"), ack()], [done()]], [b"a", ack().data], 1),
        ([[part(b"a")], [ack()], [done()]], [b"a", ack().data], 1),
        ([[]], [], 0),
        # nfnetlink_log's DONE: no MULTI, and an nfgenmsg that would read as an errno.
        (
            [[message(b"a"), message(bytes.fromhex("000000c8"), type_=HeaderType.DONE)]],
            [b"a", b"\0\0\0\xc8"],
            0,
        ),
    ],
)
def test_receive_ends_where_the_reply_does(
    connect: Connect, datagrams: list[list[Message]], want: list[bytes], left: int
) -> None:
    sock = Script(*datagrams)
    assert datas(connect(sock, 1).receive()) == want
    assert len(sock.datagrams) == left
    sock = Script(*datagrams)
    assert datas(connect(sock, 1).receive_iter()) == want
    assert len(sock.datagrams) == left


def test_what_follows_the_end_in_a_datagram_is_for_the_next_receive(connect: Connect) -> None:
    conn = connect(Script([part(b"a"), done(), message(b"b"), message(b"c")]), 1)
    assert datas(conn.receive()) == [b"a"]
    assert datas(conn.receive()) == [b"b", b"c"]


@pytest.mark.parametrize(
    "datagrams",
    [
        [[ack(code=-errno.ENOENT)]],
        [[part(b"a")], [done(data=struct.pack("=i", -errno.ENOENT))]],
        [[part(b"a"), ack(code=-errno.ENOENT)]],
    ],
)
def test_an_errno_is_raised_and_the_conn_stays_usable(connect: Connect, datagrams: list[list[Message]]) -> None:
    conn = connect(Script(*datagrams, [message(b"next")]), 1)
    with pytest.raises(FileNotFoundError) as caught:
        conn.receive()
    assert isinstance(caught.value, OpError)
    assert (caught.value.op, caught.value.sequence) == ("receive", 5)
    assert datas(conn.receive()) == [b"next"]


def test_receive_iter_yields_the_messages_before_an_error(connect: Connect) -> None:
    conn = connect(Script([part(b"a"), part(b"b")], [part(b"c"), ack(code=-errno.EIO)]), 1)
    got = []
    with pytest.raises(OpError):
        got.extend(m.data for m in conn.receive_iter())
    got = []
    conn = connect(Script([part(b"a"), part(b"b")], [part(b"c"), ack(code=-errno.EIO)]), 1)
    iterator = conn.receive_iter()
    for _ in range(3):
        got.append(next(iterator).data)
    with pytest.raises(OpError):
        next(iterator)
    assert got == [b"a", b"b", b"c"]


def test_an_error_message_without_room_for_its_errno_is_a_decode_error(connect: Connect) -> None:
    conn = connect(Script([message(b"\1\0", type_=HeaderType.ERROR)], [message(b"next")]), 1)
    with pytest.raises(DecodeError, match="too few for its errno"):
        conn.receive()
    assert datas(conn.receive()) == [b"next"]


def test_leaving_receive_iter_early_drops_the_rest_of_a_multipart_reply(connect: Connect) -> None:
    conn = connect(Script([part(b"a"), part(b"b")], [part(b"c")], [done()], [message(b"next", sequence=6)]), 1)
    for m in conn.receive_iter():
        assert m.data == b"a"
        break
    assert datas(conn.receive()) == [b"next"]


def test_leaving_at_the_last_datagram_of_a_multipart_reply_drops_it(connect: Connect) -> None:
    conn = connect(Script([part(b"a"), part(b"b"), done()], [message(b"next", sequence=6)]), 1)
    iterator = conn.receive_iter()
    assert next(iterator).data == b"a"
    iterator.close()  # type: ignore[attr-defined]
    assert datas(conn.receive()) == [b"next"]


def test_leaving_receive_iter_early_keeps_the_rest_of_a_datagram(connect: Connect) -> None:
    conn = connect(Script([message(b"a"), message(b"b"), message(b"c")]), 1)
    iterator = conn.receive_iter()
    assert next(iterator).data == b"a"
    iterator.close()  # type: ignore[attr-defined]
    assert datas(conn.receive()) == [b"b", b"c"]


def test_the_rest_of_a_reply_that_is_not_queued_is_dropped_when_it_arrives(connect: Connect) -> None:
    sock = Script([part(b"a")], None, [part(b"late")], [message(b"event", sequence=0)], [done()], [message(b"next")])
    conn = connect(sock, 1)
    iterator = conn.receive_iter()
    next(iterator)
    iterator.close()  # type: ignore[attr-defined]
    assert datas(conn.receive()) == [b"event"]
    assert datas(conn.receive()) == [b"next"]


@pytest.mark.parametrize(
    "cut",
    [
        OpError("receive", errno.ENOBUFS),
        OpError("receive", errno.ETIMEDOUT),
        KeyboardInterrupt(),
        DecodeError("x"),
    ],
)
def test_a_reply_cut_short_is_abandoned(connect: Connect, cut: BaseException) -> None:
    sock = Script([part(b"a")], cut, [part(b"b"), done(), message(b"later", sequence=8)])  # type: ignore[arg-type]

    def receive() -> list[Message]:
        datagram = sock.datagrams.pop(0)
        if isinstance(datagram, BaseException):
            raise datagram
        assert datagram is not None
        return datagram

    sock.receive_nowait = receive  # type: ignore[method-assign]
    conn = connect(sock, 1)
    with pytest.raises(type(cut)):
        conn.receive()
    assert datas(conn.receive()) == [b"later"]


# Executing


@pytest.mark.parametrize(
    ("flags", "datagrams", "want", "left"),
    [
        (0, [[message(b"a")], [ack()]], [b"a"], 1),
        (0, [[message(b"a"), message(b"b")]], [b"a", b"b"], 0),
        # ctnetlink: MULTI, and no DONE.
        (0, [[part(b"a")], None], [b"a"], 0),
        (0, [[part(b"a")], [part(b"b")], [done()], [message(b"next")]], [b"a", b"b"], 1),
        (A, [[part(b"a")], [ack()]], [b"a"], 0),
        (A, [[message(b"a")], [ack()]], [b"a"], 0),
        (A, [[message(b"a"), ack()]], [b"a"], 0),
        (A, [[ack()]], [ack().data], 0),
        (A, [[part(b"a"), done()], None], [b"a"], 0),
        (A, [[part(b"a"), done()], [ack()], [message(b"next")]], [b"a"], 1),
        (A, [[part(b"a"), done()], [message(b"event", sequence=0)]], [b"a"], 0),
        (DUMP, [[part(b"a")], [part(b"b")], [done()]], [b"a", b"b"], 0),
        (DUMP | A, [[part(b"a")], [done()]], [b"a"], 0),
        (DUMP, [[done()]], [], 0),
        # A family that forgets MULTI in its dump.
        (DUMP, [[message(b"a")], [message(b"b")], [done()], [message(b"next")]], [b"a", b"b"], 1),
        (DUMP, [[message(b"a")], None], [b"a"], 0),
        (DUMP, [[]], [], 0),
        (A, [[]], [], 0),
    ],
)
def test_execute_knows_where_its_reply_ends(
    connect: Connect, flags: int, datagrams: list[list[Message] | None], want: list[bytes], left: int
) -> None:
    sock = Script(*datagrams)
    assert datas(connect(sock, 1).execute(request(flags))) == want
    assert len(sock.datagrams) == left


def test_execute_leaves_what_is_queued_behind_its_reply(connect: Connect) -> None:
    conn = connect(Script([part(b"a")], [message(b"event", sequence=0), message(b"two", sequence=0)]), 1)
    assert datas(conn.execute(request())) == [b"a"]
    assert datas(conn.receive()) == [b"event", b"two"]


@pytest.mark.parametrize("flags", [0, A, DUMP])
def test_execute_raises_the_error_of_the_kernel(connect: Connect, flags: int) -> None:
    conn = connect(Script([ack(code=-errno.EPERM)], [message(b"next")]), 1)
    with pytest.raises(PermissionError):
        conn.execute(request(flags))
    assert datas(conn.execute(request())) == [b"next"]


@pytest.mark.parametrize(
    "reply",
    [message(b"x", sequence=6), message(b"x", pid=2), ack(6), message(b"x", sequence=0)],
    ids=["sequence", "pid", "ack", "event"],
)
def test_execute_validates(connect: Connect, reply: Message) -> None:
    sock = Script([reply], [message(b"the answer")], None, [message(b"next", sequence=7)])
    conn = connect(sock, 1)
    with pytest.raises(OpError) as caught:
        conn.execute(message(flags=R, pid=1))
    assert (caught.value.op, caught.value.errno) == ("validate", errno.EPROTO)
    # The answer comes late, and is dropped.
    assert datas(conn.execute(message(flags=R, sequence=7))) == [b"next"]


def test_execute_drains_an_abandoned_dump_before_it_asks(connect: Connect) -> None:
    sock = Script([part(b"a")], OpError("receive", errno.ETIMEDOUT))
    conn = connect(sock, 1)
    with pytest.raises(TimeoutError):
        conn.execute(request(DUMP))
    sent_after: list[int] = []
    sock.datagrams[:] = [[part(b"b"), message(b"event", sequence=0)], [done()]]
    send = sock.send

    def note(m: Message) -> None:
        sent_after.append(len(sock.datagrams))
        send(m)
        sock.datagrams.append([message(b"answer", sequence=9)])

    sock.send = note  # type: ignore[method-assign]
    # The event that was queued in between is of another request: reported, not lost silently.
    with pytest.raises(OpError, match="sequence number 0"):
        conn.execute(message(flags=R, sequence=9))
    assert sent_after == [0]


@pytest.mark.parametrize(
    "datagrams", [[[part(b"a"), part(b"b")], [INTERRUPTED]], [[part(b"a"), part(b"b"), INTERRUPTED]]]
)
def test_an_interruption_that_only_done_has_is_on_the_last_message(
    connect: Connect, datagrams: list[list[Message]]
) -> None:
    for replies in (connect(Script(*datagrams), 1).receive(), connect(Script(*datagrams), 1).execute(request(DUMP))):
        assert datas(replies) == [b"a", b"b"]
        assert [m.header.flags for m in replies] == [M, M | HeaderFlags.DUMP_INTERRUPTED]
    assert connect(Script([INTERRUPTED]), 1).receive() == []


# Everything else


VERBS = {
    "join-group": lambda c: c.join_group(1),
    "leave-group": lambda c: c.leave_group(1),
    "set-bpf": lambda c: c.set_bpf([(6, 0, 0, 0)]),
    "remove-bpf": lambda c: c.remove_bpf(),
    "set-option": lambda c: c.set_option(ConnOption.NO_ENOBUFS, True),
    "set-read-buffer": lambda c: c.set_read_buffer(1),
    "set-write-buffer": lambda c: c.set_write_buffer(1),
    "get-read-buffer": lambda c: c.read_buffer(),
    "get-write-buffer": lambda c: c.write_buffer(),
    "set-deadline": lambda c: c.set_deadline(None),
    "drops": lambda c: c.drops,
    "fileno": lambda c: c.fileno(),
}
BASIC = {
    "send": lambda c: c.send(Message()),
    "send-messages": lambda c: c.send_messages([Message()]),
    "receive": lambda c: c.receive(),
    "execute": lambda c: c.execute(Message()),
}


@pytest.mark.parametrize("op", VERBS)
def test_verbs_that_the_socket_lacks(connect: Connect, op: str) -> None:
    with pytest.raises(OpError) as caught:
        VERBS[op](connect(Script(), 1))
    assert (caught.value.op, caught.value.errno) == (op, errno.EOPNOTSUPP)


@pytest.mark.parametrize("op", [op for op in VERBS | BASIC if op != "fileno"])
def test_a_closed_conn(connect: Connect, op: str) -> None:
    sock = Script()
    conn = connect(sock, 9)
    assert not conn.closed
    conn.close()
    conn.close()
    assert (conn.closed, sock.closed, conn.pid, conn.fileno()) == (True, 1, 9, -1)
    with pytest.raises(OpError) as caught:
        (VERBS | BASIC)[op](conn)
    assert (caught.value.op, caught.value.errno) == (op, errno.EBADF)


def test_receive_iter_of_a_closed_conn(connect: Connect) -> None:
    conn = connect(Script(), 1)
    conn.close()
    with pytest.raises(OpError) as caught:
        next(iter(conn.receive_iter()))
    assert caught.value.errno == errno.EBADF


def test_with_closes(connect: Connect) -> None:
    sock = Script()
    with connect(sock, 1) as conn:
        assert repr(conn) in {"<netlink.conn.Conn pid=1>", "<netlink.aio.AsyncConn pid=1>"}
    assert sock.closed == 1
    assert repr(conn).endswith("closed>")


def test_a_second_receive_of_the_same_thread_or_task_is_refused_not_deadlocked(connect: Connect) -> None:
    conn = connect(Script([part(b"a")], [done()], [message(b"next")]), 1)
    iterator = conn.receive_iter()
    next(iterator)
    for op in (conn.receive, lambda: conn.execute(request()), lambda: next(iter(conn.receive_iter()))):
        with pytest.raises(OpError, match="in the middle of the connection's receive_iter: ") as caught:
            op()
        assert caught.value.errno == errno.EBUSY
    assert list(iterator) == []
    assert datas(conn.receive()) == [b"next"]


def test_an_exception_of_the_socket_passes_through() -> None:
    conn = nltest.dial(lambda requests: (_ for _ in ()).throw(KeyError("fn")))
    with pytest.raises(KeyError, match="fn"):
        conn.receive()


# What few callers see


def test_data_behind_an_acknowledgement_is_of_the_same_reply(connect: Connect) -> None:
    conn = connect(Script([ack(), message(b"a"), ack(), message(b"b")]), 1)
    assert [m.data for m in conn.receive() if m.header.type != HeaderType.ERROR] == [b"a", b"b"]


def test_data_between_an_end_and_its_acknowledgement(connect: Connect) -> None:
    conn = connect(Script([done(), part(b"late"), ack()], [message(b"next", sequence=6)]), 1)
    assert datas(conn.execute(request(A))) == [b"late"]
    assert datas(conn.receive()) == [b"next"]


def test_the_oldest_of_many_abandoned_replies_is_forgotten() -> None:
    inbox = Inbox()
    inbox.abandon(0)
    assert not inbox.abandoned
    for sequence in range(1, 1026):
        inbox.abandon(sequence)
    assert (min(inbox.abandoned), max(inbox.abandoned), len(inbox.abandoned)) == (2, 1025, 1024)


def test_a_loss_at_the_close_of_an_iterator_is_reported(connect: Connect) -> None:
    conn = connect(Script([part(b"a")], OpError("receive", errno.ENOBUFS), [part(b"b"), done()], [message(b"next")]), 1)
    iterator = conn.receive_iter()
    next(iterator)
    with pytest.raises(OpError) as caught:
        iterator.close()  # type: ignore[attr-defined]
    assert caught.value.errno == errno.ENOBUFS
    assert datas(conn.receive()) == [b"next"]


def test_what_is_for_a_loop_that_closes_meanwhile_is_done_at_once() -> None:
    class Closing:
        def is_running(self) -> bool:
            return True

        def call_soon_threadsafe(self, call: object) -> None:
            raise RuntimeError("Event loop is closed")

    done: list[int] = []
    run_in(Closing(), lambda: done.append(1))  # type: ignore[arg-type]
    assert done == [1]
