"""netlink.nltest, the test double that users get."""

import errno
import struct
from collections.abc import Callable

import pytest

from driven import Drivers
from netlink import Attribute, Conn, Header, HeaderFlags, HeaderType, Message, OpError, nltest
from netlink.nlenc import int32_bytes

R, A, M = HeaderFlags.REQUEST, HeaderFlags.ACKNOWLEDGE, HeaderFlags.MULTI
REQUEST = Message(Header(type=16, flags=R))
Dial = Callable[[nltest.Func], Conn]


@pytest.fixture
def dial(drivers: Drivers) -> Dial:
    return lambda fn: drivers.of(nltest.dial_async(fn) if drivers.tasks else nltest.dial(fn))


def test_requests_reach_the_function_and_replies_the_caller(dial: Dial) -> None:
    with dial(lambda requests: [requests[0].replace(data=b"reply")]) as conn:
        assert conn.pid == nltest.PID == 1
        (reply,) = conn.execute(REQUEST)
        assert reply.data == b"reply"
        assert reply.header.pid == 1


def test_send_messages_reaches_the_function_as_one_list(dial: Dial) -> None:
    seen: list[int] = []

    def fn(requests: list[Message]) -> list[Message]:
        seen.append(len(requests))
        return []

    with dial(fn) as conn:
        conn.send_messages([REQUEST, REQUEST])
    assert seen == [2]


def test_a_receive_with_nothing_sent_asks_the_function(dial: Dial) -> None:
    with dial(lambda requests: [Message(Header(type=20))] if requests == [] else []) as conn:
        assert [m.header.type for m in conn.receive()] == [20]


def test_eof_is_no_messages_and_no_error(dial: Dial) -> None:
    def fn(requests: list[Message]) -> list[Message]:
        raise EOFError

    with dial(fn) as conn:
        assert conn.execute(REQUEST) == []
        assert conn.receive() == []
        assert list(conn.receive_iter()) == []


def test_an_exception_reaches_the_receive(dial: Dial) -> None:
    def fn(requests: list[Message]) -> list[Message]:
        raise RuntimeError("no")

    with dial(fn) as conn:
        conn.send(REQUEST)
        with pytest.raises(RuntimeError, match="no"):
            conn.receive()


@pytest.mark.parametrize("raised", [OSError(errno.ENOBUFS, "full"), OpError("receive", errno.ENOBUFS)])
def test_an_os_error_becomes_an_op_error(dial: Dial, raised: OSError) -> None:
    def fn(requests: list[Message]) -> list[Message]:
        raise raised

    with dial(fn) as conn, pytest.raises(OpError) as caught:
        conn.execute(REQUEST)
    assert (caught.value.op, caught.value.errno) == ("receive", errno.ENOBUFS)


def test_multipart_comes_in_two_receives(dial: Dial) -> None:
    receives = 0

    def fn(requests: list[Message]) -> list[Message]:
        return nltest.multipart([*(requests[0].replace(data=bytes([i])) for i in range(2)), requests[0]])

    with dial(fn) as conn:
        inner = conn._sock.receive

        def receive() -> list[Message]:
            nonlocal receives
            receives += 1
            return list(inner())

        conn._sock.receive = receive
        conn.send(REQUEST)
        assert [m.data for m in conn.receive()] == [b"\0", b"\1"]
        assert receives == 2
        assert [m.data for m in conn.execute(REQUEST.replace(flags=R | HeaderFlags.DUMP))] == [b"\0", b"\1"]
        assert [m.data for m in conn.execute(REQUEST)] == [b"\0", b"\1"]


def test_multipart_marks_all_and_ends_with_done() -> None:
    parts = nltest.multipart([REQUEST, REQUEST, Message()])
    assert [m.header.flags for m in parts] == [R | M, R | M, M]
    assert [m.header.type for m in parts] == [16, 16, HeaderType.DONE]
    assert nltest.multipart([REQUEST]) == [REQUEST]
    assert nltest.multipart([]) == []


def test_error_refuses_the_request(dial: Dial) -> None:
    with dial(lambda requests: nltest.error(errno.ENOENT, requests)) as conn:
        with pytest.raises(FileNotFoundError) as caught:
            conn.execute(REQUEST)
        assert str(caught.value) == "netlink receive: No such file or directory"
    (reply,) = nltest.error(errno.ENOENT, [REQUEST.replace(length=20, data=b"abcd")])
    assert (reply.header.type, reply.header.length) == (HeaderType.ERROR, 24)
    assert reply.data == int32_bytes(-errno.ENOENT) + b"abcd"


def test_check_request(dial: Dial) -> None:
    def fn(requests: list[Message]) -> list[Message]:
        return [requests[0]]

    with dial(nltest.check_request([16], [R], fn)) as conn:
        assert len(conn.execute(REQUEST)) == 1
        with pytest.raises(AssertionError, match="type unknown\\(17\\), not unknown\\(16\\)"):
            conn.send(REQUEST.replace(type=17))
        with pytest.raises(AssertionError, match="flags request\\|acknowledge, not request"):
            conn.execute(REQUEST.replace(flags=R | A))
        with pytest.raises(ValueError, match="2 requests"):
            conn.send_messages([REQUEST, REQUEST])
    with dial(nltest.check_request([0], [0], fn)) as conn:
        assert len(conn.execute(REQUEST)) == 1
    with pytest.raises(ValueError, match="1 types, but 2 flags"):
        nltest.check_request([16], [R, A], fn)


def test_must_marshal_attributes() -> None:
    assert nltest.must_marshal_attributes([Attribute(1, b"\1")]) == struct.pack("=HHB3x", 5, 1, 1)
    with pytest.raises(AssertionError, match="do not encode"):
        nltest.must_marshal_attributes([Attribute(1, b"", length=3)])


def test_an_iterator_left_early_drops_the_rest_of_a_reply_without_sequence(dial: Dial) -> None:
    with dial(lambda requests: nltest.multipart([Message(), Message(data=b"x"), Message()])) as conn:
        conn.send(REQUEST)
        for _ in conn.receive_iter():
            break
        conn.send(REQUEST)
        assert len(conn.receive()) == 2
