"""Requests as values, one at a time and many at a time, over a test double and both connections."""

from __future__ import annotations

import asyncio
import errno
import struct
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

import pytest

from driven import Connect
from netlink import Conn, DecodeError, Header, HeaderFlags, HeaderType, Message, OpError, nltest
from netlink._engine.match import Condition, Match
from netlink.aio import AsyncConn
from netlink.family import Call
from netlink.schema import AttributeSet, Batch, Record, u32

ACK, DUMP, MULTI = HeaderFlags.ACKNOWLEDGE, HeaderFlags.DUMP, HeaderFlags.MULTI
SET, GET, LIST, FAIL = 0x10, 0x11, 0x12, 0x13


class Item(AttributeSet):
    number = u32(1)


class Other(AttributeSet):
    word = u32(1)


def get(number: int) -> Call[Item]:
    return Call(GET, Item(number=number).encode(), Item)


def put(number: int, **more: Any) -> Call[None]:
    return Call(SET, Item(number=number).encode(), **more)


def fail(code: int, **more: Any) -> Call[None]:
    return Call(FAIL, Item(number=code).encode(), **more)


def listing(count: int) -> Call[Batch[Item]]:
    return Call(LIST, Item(number=count).encode(), Item, dump=True)


def number_of(m: Message) -> int:
    number = Item.decode(m.data).number
    assert number is not None
    return number


def reply(to: Message, data: bytes, kind: int = GET, flags: int = 0) -> Message:
    return Message(Header(16 + len(data), kind, flags, to.header.sequence, to.header.pid), data)


def ack(to: Message, code: int = 0, more: bytes = b"", flags: int = 0) -> Message:
    header = to.header
    echo = struct.pack("=IHHII", 16, header.type, header.flags, header.sequence, header.pid)
    return reply(to, struct.pack("=i", -code) + echo + more, HeaderType.ERROR, flags)


def event(kind: int = 99) -> Message:
    return Message(Header(16, kind), b"")


any_call: Any = Call  # for what a type checker refuses too


def wanting(declaration: type[Record], field: str) -> Match[Any]:
    return Match(declaration, [[Condition(((field,),), ((1, 1),))]])


class Kernel:
    """Answers as the kernel does: a datagram for each answer, and all of them at once.

    around: puts datagrams of its own around those of a request, or instead of them.
    """

    def __init__(self, around: Callable[[Message, list[list[Message]]], list[list[Message]]] | None = None) -> None:
        self.sent: list[list[Message]] = []
        self.queued: deque[list[Message] | BaseException] = deque()
        self.around = around
        self.most = 0

    def close(self) -> None:
        pass

    def send(self, m: Message) -> None:
        self.send_messages([m])

    def send_messages(self, ms: list[Message]) -> None:
        self.sent.append(ms)
        for m in ms:
            answers = self.answers(m)
            self.queued += self.around(m, answers) if self.around else answers
        self.most = max(self.most, len(self.queued))

    def answers(self, m: Message) -> list[list[Message]]:
        if m.header.type == FAIL:
            return [[ack(m, number_of(m))]]
        if m.header.type == LIST:
            parts = [[reply(m, Item(number=n).encode(), LIST, MULTI)] for n in range(number_of(m))]
            return [*parts, [reply(m, bytes(4), HeaderType.DONE, MULTI)]]
        data = [[reply(m, m.data)]] if m.header.type == GET else []
        return data + ([[ack(m)]] if m.header.flags & ACK else [])

    def receive_nowait(self) -> list[Message] | None:
        if not self.queued:
            return None
        datagram = self.queued.popleft()
        if isinstance(datagram, BaseException):
            raise datagram
        return datagram

    def receive(self) -> list[Message]:
        datagram = self.receive_nowait()
        assert datagram is not None, "the connection waits for what never comes"
        return datagram


def instead(*kinds: int, of: Callable[[Message, list[list[Message]]], list[Any]]) -> Kernel:
    """A kernel with other datagrams for requests of some kinds."""
    return Kernel(lambda m, answers: of(m, answers) if m.header.type in kinds else answers)


def plain(answers: list[Any] | dict[int, Any]) -> Any:
    """Answers as plain values: numbers of records, errnos of errors, None."""

    def one(answer: Any) -> Any:
        if isinstance(answer, Item):
            return answer.number
        if isinstance(answer, Batch):
            return [item.number for item in answer]
        return -(answer.errno or 999) if isinstance(answer, OpError) else answer

    if isinstance(answers, dict):
        return {i: one(answer) for i, answer in answers.items()}
    return [one(answer) for answer in answers]


def usable(conn: Conn) -> None:
    assert conn.execute(get(7)).number == 7
    assert plain(conn.execute_all([get(1), put(2), listing(2), fail(5)])) == [1, None, [0, 1], -5]
    assert not conn._exchange.inbox.abandoned
    assert not conn._exchange.inbox.pending


# One call


def test_the_results_of_calls(connect: Connect) -> None:
    conn = connect(Kernel(), 1)
    assert conn.execute(put(1)) is None
    assert conn.execute(get(3)).number == 3
    assert plain([conn.execute(listing(3))]) == [[0, 1, 2]]
    assert [[i.number for i in part] for part in conn.iter_dump(listing(5), rows=2)] == [[0, 1], [2, 3], [4]]
    with pytest.raises(PermissionError):
        conn.execute(fail(errno.EPERM))


@pytest.mark.parametrize("count", [0, 2])
def test_a_reply_of_another_number_of_messages_than_one(connect: Connect, count: int) -> None:
    conn = connect(instead(GET, of=lambda m, answers: [[reply(m, m.data)] * count or [ack(m)]]), 1)
    with pytest.raises(OpError, match=f"want one message in the reply, got {count}") as caught:
        conn.execute(get(1))
    assert (caught.value.op, caught.value.errno) == ("receive", errno.EPROTO)
    assert caught.value.sequence == conn._exchange.sequence


def maybe(number: int) -> Call[Item | None]:
    return Call(GET, Item(number=number).encode(), Item, optional=True)


def some(number: int) -> Call[Batch[Item]]:
    return Call(GET, Item(number=number).encode(), Item, several=True)


def replies_of_its_number(m: Message, answers: list[list[Message]]) -> list[Any]:
    """As many messages as the request's number, and the acknowledgement."""
    return [[reply(m, Item(number=n).encode())] for n in range(number_of(m))] + answers[1:]


def test_a_reply_that_is_optional(connect: Connect) -> None:
    sock = instead(GET, of=replies_of_its_number)
    conn = connect(sock, 1)
    assert conn.execute(maybe(0)) is None
    found = conn.execute(maybe(1))
    assert found is not None
    assert found.number == 0
    assert all(m.header.flags & ACK for m in sock.sent[0])
    with pytest.raises(OpError, match="want one message in the reply, got 3"):
        conn.execute(maybe(3))
    none, one, two = conn.execute_all([maybe(0), maybe(1), maybe(2)])
    assert none is None
    assert isinstance(one, Item)
    assert isinstance(two, OpError)
    usable(connect(Kernel(), 1))
    assert conn.execute(maybe(0)) is None


def test_a_reply_of_several_messages(connect: Connect) -> None:
    sock = instead(GET, of=replies_of_its_number)
    conn = connect(sock, 1)
    for count in (0, 1, 2, 700):
        assert [item.number for item in conn.execute(some(count))] == [*range(count)]
    assert all(m.header.flags & ACK and not m.header.flags & DUMP for ms in sock.sent for m in ms)
    assert plain(conn.execute_all([some(2), maybe(0), some(0), fail(7)])) == [[0, 1], None, [], -7]
    assert repr(some(1)) == "<Call of type 17 for a batch of Item>"


def test_several_messages_in_one_datagram(connect: Connect) -> None:
    """The acknowledgement lies in the same datagram."""

    def together(m: Message, answers: list[list[Message]]) -> list[Any]:
        return [[one for datagram in replies_of_its_number(m, answers) for one in datagram]]

    conn = connect(instead(GET, of=together), 1)
    assert [item.number for item in conn.execute(some(3))] == [0, 1, 2]
    assert conn.execute(maybe(1)) == Item(number=0)
    assert conn.execute(maybe(0)) is None


def test_a_refusal_behind_messages_is_raised(connect: Connect) -> None:
    conn = connect(instead(GET, of=lambda m, answers: [answers[0], [ack(m, errno.EIO)]]), 1)
    for call in (some(1), maybe(1)):
        with pytest.raises(OpError) as caught:
            conn.execute(call)
        assert caught.value.errno == errno.EIO


def test_a_reply_that_does_not_decode(connect: Connect) -> None:
    conn = connect(instead(GET, of=lambda m, answers: [[reply(m, b"\xff\0\1\0")], *answers[1:]]), 1)
    with pytest.raises(DecodeError, match="Item"):
        conn.execute(get(1))
    error, after = conn.execute_all([get(1), put(2)])
    assert isinstance(error, OpError)
    assert error.sequence == conn._exchange.sequence - 1
    assert after is None


def test_hints_and_attributes_of_errors(connect: Connect) -> None:
    offset = struct.pack("=HHI", 8, 2, 16)  # NLMSGERR_ATTR_OFFS: the first attribute
    conn = connect(
        instead(FAIL, of=lambda m, answers: [[ack(m, number_of(m), offset, HeaderFlags.ACKNOWLEDGE_TLVS)]]), 1
    )
    call = fail(errno.EINVAL, request=Item, hints={errno.EINVAL: "try another number"})
    with pytest.raises(OpError) as caught:
        conn.execute(call)
    (error,) = conn.execute_all([call])
    for found in (caught.value, error):
        assert isinstance(found, OpError)
        assert (found.attribute, found.hint, found.offset) == ("number", "try another number", 16)
    with pytest.raises(OpError) as caught:
        conn.execute(fail(errno.EPERM, hints={errno.EINVAL: "no"}))
    assert (caught.value.attribute, caught.value.hint) == ("", "")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: any_call(16, b"", dump=True), TypeError),
        (lambda: any_call(16, b"", Item, match=wanting(Item, "number")), TypeError),
        (lambda: Call(16, b"", Item, dump=True, match=wanting(Other, "word")), TypeError),
        (lambda: Call(16, b"", Item, flags=DUMP), ValueError),
        (lambda: any_call(16, b"", int), TypeError),
        (lambda: any_call(16, b"", 5), TypeError),
        (lambda: any_call(16, b"", request=int), TypeError),
        (lambda: any_call(16, "text"), TypeError),
        (lambda: any_call("16"), TypeError),
        (lambda: any_call.of_steps(5), TypeError),
        (lambda: any_call(16, b"", optional=True), TypeError),
        (lambda: any_call(16, b"", several=True), TypeError),
        (lambda: any_call(16, b"", Item, dump=True, several=True), TypeError),
        (lambda: any_call(16, b"", Item, dump=True, optional=True), TypeError),
        (lambda: any_call(16, b"", Item, several=True, optional=True), TypeError),
    ],
    ids=range(15),
)
def test_an_invalid_call(make: Callable[[], object], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        make()


def test_a_call_is_a_value() -> None:
    call = Call(16, b"abcd", Item, dump=True, flags=HeaderFlags.CREATE, hints={1: "no"}, protocol=3, request=Other)
    assert call.message is not None
    assert call.message.header.flags == HeaderFlags.REQUEST | DUMP | HeaderFlags.CREATE
    assert (call.dump, call.reply, call.request, call.protocol, call.hints) == (True, Item, Other, 3, {1: "no"})
    assert repr(call) == "<Call of type 16 for a batch of Item>"
    assert repr(get(1)) == "<Call of type 17 for Item>"
    assert repr(put(1)) == "<Call of type 16>"
    assert not put(1).dump
    with pytest.raises(AttributeError):
        any_call.__init__(call, 17)
    assert call.message.header.type == 16


def test_iter_dump_of_what_is_no_dump(connect: Connect) -> None:
    sock = Kernel()
    conn = connect(sock, 1)
    for call in (get(1), put(1), Call.of_steps(lambda: (one for one in ()))):  # type: ignore[arg-type, return-value]
        with pytest.raises(TypeError, match="has no parts"):
            list(conn.iter_dump(call))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="has its own declaration"):
        list(conn.iter_dump(listing(1), Item))  # type: ignore[call-overload]
    for rows in (0, -1, True, 1.5):
        with pytest.raises(ValueError, match="at least 1"):
            conn.iter_dump(listing(1), rows=rows)  # type: ignore[arg-type]
    assert not sock.sent


# Many


def test_thousands_in_few_datagrams(connect: Connect) -> None:
    sock = Kernel()
    conn = connect(sock, 1)
    calls = [fail(n % 50 + 1) if n % 10 == 3 else get(n) if n % 2 else put(n) for n in range(5_000)]
    want = [-(n % 50 + 1) if n % 10 == 3 else n if n % 2 else None for n in range(5_000)]
    assert plain(conn.execute_all(calls)) == want
    assert len(sock.sent) < 200
    # No more answers are waited for than were planned for.
    assert sock.most <= 2 * 512
    usable(conn)


def test_none(connect: Connect) -> None:
    sock = Kernel()
    assert connect(sock, 1).execute_all(iter(())) == []
    assert not sock.sent


def steps_of(*numbers: int) -> Call[int]:
    def steps() -> Generator[Any, Any, int]:
        total = 0
        for number in numbers:
            item = yield get(number)
            total += item.number
        answers = yield [put(1), fail(errno.EBUSY), listing(2)]
        assert plain(answers) == [None, -errno.EBUSY, [0, 1]]
        return total

    return Call.of_steps(steps)


def test_dumps_and_steps_among_them(connect: Connect) -> None:
    conn = connect(Kernel(), 1)
    calls: list[Call[Any]] = [put(1), listing(3), get(2), get(3), steps_of(4, 5), put(6), fail(1), listing(0)]
    assert plain(conn.execute_all(calls)) == [None, [0, 1, 2], 2, 3, 9, None, -1, []]
    assert plain(conn.execute_all(calls)) == [None, [0, 1, 2], 2, 3, 9, None, -1, []]
    usable(conn)


def test_what_steps_raise_and_what_is_raised_in_them(connect: Connect) -> None:
    conn = connect(Kernel(), 1)
    closed = []

    def careful() -> Generator[Any, Any, str]:
        try:
            yield fail(errno.ENOENT)
        except FileNotFoundError:
            return "caught"
        return "nothing"

    def careless() -> Generator[Any, Any, None]:
        try:
            yield fail(errno.ENOENT)
        finally:
            closed.append(True)

    def mistaken() -> Generator[Any, Any, None]:
        yield 5

    assert conn.execute(Call.of_steps(careful)) == "caught"
    with pytest.raises(FileNotFoundError):
        conn.execute(Call.of_steps(careless))
    caught, error, after = conn.execute_all([Call.of_steps(careful), Call.of_steps(careless), put(1)])
    assert caught == "caught"
    assert isinstance(error, FileNotFoundError)
    assert after is None
    assert closed == [True, True]
    with pytest.raises(TypeError):
        conn.execute(Call.of_steps(mistaken))
    usable(conn)


def test_a_call_that_steps_return_is_done(connect: Connect) -> None:
    def steps() -> Generator[Any, Any, Call[Item]]:
        first = yield get(1)
        return get(first.number + 1)

    conn = connect(Kernel(), 1)
    assert plain([conn.execute(Call.of_steps(steps))]) == [2]
    assert plain(conn.execute_all([Call.of_steps(steps), put(1)])) == [2, None]


def test_one_answer_of_several_steps_that_cannot_be_read_hides_no_other(connect: Connect) -> None:
    def steps() -> Generator[Any, Any, Any]:
        return (yield get(1))

    conn = connect(instead(GET, of=lambda m, answers: [[reply(m, m.data)] * 2, *answers[1:]]), 1)
    assert plain(conn.execute_all([put(1), Call.of_steps(steps), put(2)])) == [None, -errno.EPROTO, None]
    conn = connect(instead(LIST, of=lambda m, answers: [[reply(m, b"\xff\0\1\0", LIST, MULTI)], *answers]), 1)
    answers = conn.execute_all([put(1), listing(2), put(2)])
    assert plain(answers) == [None, -999, None]


def test_sequence_numbers_wrap(connect: Connect) -> None:
    for begin in (0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF - 100, 0xFFFFFFFF - 101):
        sock = Kernel()
        conn = connect(sock, 1)
        conn._exchange.sequence = begin
        assert plain(conn.execute_all([get(n) for n in range(101)])) == list(range(101))
        numbers = [m.header.sequence for ms in sock.sent for m in ms]
        assert 0 not in numbers
        assert numbers == list(range(numbers[0], numbers[0] + 101))


def test_what_is_no_call_or_for_another_connection_sends_nothing() -> None:
    sock = Kernel()
    conn = Conn(sock, 1)
    conn.start(sock, 1, 12, None, None)
    with pytest.raises(TypeError, match="takes calls"):
        conn.execute_all([put(1), Message()])  # type: ignore[arg-type]
    stranger = put(2, protocol=16)
    for do in (lambda: conn.execute_all([put(1), stranger]), lambda: conn.execute(stranger)):
        with pytest.raises(ValueError, match="is for netlink family"):
            do()
    with pytest.raises(ValueError, match="is for netlink family"):
        list(conn.iter_dump(Call(LIST, b"", Item, dump=True, protocol=16)))
    assert not sock.sent
    assert conn.execute_all([put(2, protocol=12)]) == [None]


def test_large_requests_are_datagrams_of_their_own(connect: Connect) -> None:
    sock = Kernel()
    conn = connect(sock, 1)
    large = Call(SET, bytes(100_000))
    assert plain(conn.execute_all([put(1), large, large, put(2)])) == [None] * 4
    assert [len(ms) for ms in sock.sent] == [1, 1, 1, 1]
    usable(conn)


# Cut short


def cut(conn: Conn, calls: list[Call[Any]], kind: type[BaseException]) -> Any:
    with pytest.raises(kind) as caught:
        conn.execute_all(calls)
    notes: list[str] = caught.value.__notes__
    answers: dict[int, Any] = caught.value.answers  # type: ignore[attr-defined]
    assert any(f"{len(answers)} of {len(calls)} calls" in note for note in notes)
    return caught.value


@pytest.mark.parametrize(
    "error",
    [OpError("receive", errno.ETIMEDOUT), OpError("receive", errno.ENOBUFS), KeyboardInterrupt(), DecodeError("x")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("behind", [0, 1], ids=["before", "behind"])
def test_cut_short_in_the_middle(connect: Connect, error: BaseException, behind: int) -> None:
    def around(m: Message, answers: list[Any]) -> list[Any]:
        if number_of(m) != 1_234:
            return answers
        return [*answers, error] if behind else [error, *answers]

    sock = Kernel(around)
    conn = connect(sock, 1)
    raised = cut(conn, [get(n) for n in range(3_000)], type(error))
    assert plain(raised.answers) == {n: n for n in range(1_234 + behind)}
    sock.around = None
    # What is late is dropped.
    usable(conn)


def test_cut_short_in_a_dump_among_them(connect: Connect) -> None:
    sock = instead(LIST, of=lambda m, answers: [answers[0], OpError("receive", errno.ETIMEDOUT), *answers[1:]])
    conn = connect(sock, 1)
    raised = cut(conn, [put(0), get(1), listing(3), put(2)], TimeoutError)
    assert plain(raised.answers) == {0: None, 1: 1}
    sock.around = None
    usable(conn)


def test_a_send_that_is_refused_leaves_nothing_behind(connect: Connect) -> None:
    sock = Kernel()
    conn = connect(sock, 1)
    before = sock.send_messages

    def send_messages(ms: list[Message]) -> None:
        if len(ms[0].data) > 1_000:
            raise OpError("send-messages", errno.EMSGSIZE)
        before(ms)

    sock.send_messages = send_messages  # type: ignore[method-assign]
    raised = cut(conn, [put(1), Call(SET, bytes(5_000)), put(2)], OpError)
    assert (raised.errno, raised.answers) == (errno.EMSGSIZE, {0: None})
    assert not conn._exchange.inbox.abandoned
    usable(conn)


def test_a_message_in_between_is_reported_and_later_ones_stay(connect: Connect) -> None:
    def around(m: Message, answers: list[Any]) -> list[Any]:
        return [[event(), event(100)], *answers, [event(101)]] if number_of(m) == 5 else answers

    sock = Kernel(around)
    conn = connect(sock, 1)
    raised = cut(conn, [get(n) for n in range(10)], OpError)
    assert (raised.op, raised.errno) == ("validate", errno.EPROTO)
    assert plain(raised.answers) == {n: n for n in range(5)}
    assert [int(conn.receive()[0].header.type) for _ in range(2)] == [100, 101]
    sock.around = None
    usable(conn)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.replace(sequence=m.header.sequence + 1_000),
        lambda m: m.replace(sequence=m.header.sequence - 2),
        lambda m: m.replace(sequence=0),
        lambda m: m.replace(pid=2),
    ],
    ids=["sequence ahead", "sequence behind", "no sequence", "pid"],
)
def test_an_answer_of_another_request(connect: Connect, change: Callable[[Message], Message]) -> None:
    sock = Kernel(
        lambda m, answers: [[change(one) for one in part] for part in answers] if number_of(m) == 1 else answers
    )
    conn = connect(sock, 1)
    raised = cut(conn, [put(n) for n in range(3)], OpError)
    assert (raised.op, raised.errno) == ("validate", errno.EPROTO)
    assert raised.answers == {0: None}


def test_a_repeated_answer(connect: Connect) -> None:
    sock = instead(FAIL, of=lambda m, answers: [*answers, [ack(m)]])
    conn = connect(sock, 1)
    raised = cut(conn, [put(0), fail(1), put(2)], OpError)
    assert raised.errno == errno.EPROTO
    assert plain(raised.answers) == {0: None, 1: -1}


def test_messages_after_the_last_answer_are_for_the_next_receive(connect: Connect) -> None:
    conn = connect(instead(FAIL, of=lambda m, answers: [[ack(m, 1), event(), event(100)]]), 1)
    assert plain(conn.execute_all([put(0), fail(1)])) == [None, -1]
    assert [int(m.header.type) for m in conn.receive()] == [99, 100]


def test_an_answer_whose_errno_is_cut_off(connect: Connect) -> None:
    conn = connect(instead(FAIL, of=lambda m, answers: [[reply(m, b"\1\0", HeaderType.ERROR)]]), 1)
    answers = conn.execute_all([put(0), fail(1), get(2)])
    assert plain(answers) == [None, -999, 2]
    with pytest.raises(OpError, match="too few bytes"):
        raise answers[1]  # type: ignore[misc]
    conn = connect(Kernel(), 1)
    usable(conn)


def test_a_done_without_the_acknowledgement_is_the_end(connect: Connect) -> None:
    conn = connect(instead(GET, of=lambda m, _: [[reply(m, m.data), reply(m, bytes(4), HeaderType.DONE, MULTI)]]), 1)
    assert plain(conn.execute_all([put(0), get(1), get(2)])) == [None, 1, 2]


def test_a_double_s_empty_datagram_ends_all_that_are_under_way(connect: Connect) -> None:
    conn = connect(instead(GET, SET, of=lambda m, _: [[reply(m, m.data)], []] if m.header.type == GET else []), 1)
    assert plain(conn.execute_all([put(0), get(1)])) == [None, 1]
    conn = connect(instead(GET, of=lambda m, _: [[]]), 1)
    assert plain(conn.execute_all([get(1)])) == [-errno.EPROTO]


def test_nltest(connect: Connect) -> None:
    def answer(requests: list[Message]) -> list[Message]:
        return [m for request in requests for m in (request, ack(request))]

    conn = nltest.dial(answer)
    assert plain(conn.execute_all([get(n) for n in range(100)])) == list(range(100))
    conn = nltest.dial(lambda requests: nltest.error(errno.EPERM, requests))
    assert plain(conn.execute_all([put(1)])) == [-errno.EPERM]


def test_others_requests_that_were_abandoned_are_dropped_on_the_way(connect: Connect) -> None:
    sock = Kernel()
    conn = connect(sock, 1)
    conn._exchange.inbox.abandon(77)
    late = Message(Header(20, GET, 0, 77, 1), bytes(4))
    sock.around = lambda m, answers: [[late], *answers, [late, ack(late)]] if number_of(m) == 5 else answers
    assert plain(conn.execute_all([get(n) for n in range(10)])) == list(range(10))
    assert not conn._exchange.inbox.abandoned


def test_cancelled_in_the_middle() -> None:
    sock = Kernel()

    async def main() -> None:
        async with AsyncConn(sock, 1) as conn:
            task = asyncio.create_task(conn.execute_all([get(n) for n in range(3_000)]))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            answers = getattr(caught.value, "answers", None)
            assert answers is None or plain(answers) == {n: n for n in range(len(answers))}
            assert len(sock.sent) < 10
            assert plain(await conn.execute_all([get(n) for n in range(1_000)])) == list(range(1_000))
            assert not conn._exchange.inbox.abandoned

    asyncio.run(main())
