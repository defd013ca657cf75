"""netlink.nltest, the test double that users get."""

import asyncio
import errno
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from driven import Drivers
from netlink import Attribute, Conn, Header, HeaderFlags, HeaderType, Message, OpError, nltest, schema
from netlink.family import C, Deferred, Do, DoMany, Family
from netlink.netfilter import conntrack, nflog
from netlink.netfilter.conntrack import Filter, Flow, Tuple
from netlink.nlenc import int32_bytes
from netlink.schema import AttributeSet, Int, u32

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


def test_multipart_needs_two_receives(dial: Dial) -> None:
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


@pytest.mark.parametrize("wrong", [5, "x", {"x": 1}])
def test_arguments_of_a_wrong_type(wrong: Any) -> None:
    for call in (
        partial(nltest.error, 1, wrong),
        partial(nltest.serve, conntrack.Conn, wrong if wrong != {"x": 1} else [wrong]),
        partial(schema.submessage, 1, "kind", wrong),
        partial(schema.dtype, wrong),
    ):
        with pytest.raises(TypeError):
            call()


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


# Families


def flows(*marks: int) -> list[Flow]:
    return [
        Flow(
            orig=Tuple(src="192.0.2.1", dst="192.0.2.2", proto=17, src_port=n, dst_port=53),
            reply=Tuple(src="192.0.2.2", dst="192.0.2.1", proto=17, src_port=53, dst_port=n),
            id=n,
            mark=mark,
            timeout=60,
        )
        for n, mark in enumerate(marks)
    ]


class Tracked:
    """A table of flows for a double's functions, and their arguments."""

    def __init__(self, *marks: int) -> None:
        self.flows = {flow.orig: flow for flow in flows(*marks)}
        self.asked: list[tuple[str, object]] = []

    def functions(self) -> dict[Any, Callable[..., Any]]:
        return {
            conntrack.Conn.dump_part: lambda part: self.flows.values(),
            "delete_part": self.flush,
            "get_flow": self.get,
            "create_flow": self.create,
            "update_flow": self.create,
            conntrack.Conn.delete_flow: self.delete,
            "stats_global": lambda header: conntrack.StatsGlobal(entries=len(self.flows)),
        }

    def flush(self, part: object) -> None:
        self.asked.append(("flush", type(part).__name__))
        self.flows.clear()

    def get(self, flow: Flow) -> Flow:
        if flow.orig not in self.flows:
            raise FileNotFoundError(errno.ENOENT, "none")
        return self.flows[flow.orig]

    def create(self, flow: Flow) -> None:
        if flow.orig in self.flows and flow.timeout:
            raise OSError(errno.EEXIST, "there")
        self.flows[flow.orig] = flow

    def delete(self, flow: Flow) -> None:
        self.asked.append(("delete", flow.id))
        if self.flows.pop(flow.orig, None) is None:
            raise OSError(errno.ENOENT, "none")


# Each takes a verb's name and arguments to what it gives, over a double.
def in_a_thread(tracked: Tracked) -> Callable[..., Any]:
    ct = nltest.serve(conntrack.Conn, tracked.functions())
    return lambda name, *args, **kwargs: getattr(ct, name)(*args, **kwargs)


def in_an_event_loop(tracked: Tracked) -> Callable[..., Any]:
    ct = nltest.serve_async(conntrack.Conn, tracked.functions())

    async def do(name: str, *args: Any, **kwargs: Any) -> Any:
        return await getattr(ct, name)(*args, **kwargs)

    return lambda *args, **kwargs: asyncio.run(do(*args, **kwargs))


def as_calls(tracked: Tracked) -> Callable[..., Any]:
    ct = nltest.serve(conntrack.Conn, tracked.functions())
    return lambda name, *args, **kwargs: ct.conn.execute(getattr(ct.calls, name)(*args, **kwargs))


def as_many_calls(tracked: Tracked) -> Callable[..., Any]:
    ct = nltest.serve(conntrack.Conn, tracked.functions())

    def do(name: str, *args: Any, **kwargs: Any) -> Any:
        (answer,) = ct.conn.execute_all([getattr(ct.calls, name)(*args, **kwargs)])
        if isinstance(answer, OpError):
            raise answer
        return answer

    return do


@pytest.mark.parametrize("way", [in_a_thread, in_an_event_loop, as_calls, as_many_calls])
def test_the_ways_of_running_a_family(way: Callable[[Tracked], Callable[..., Any]]) -> None:
    tracked = Tracked(1, 2, 1)
    do = way(tracked)
    one, two, three = flows(1, 2, 1)
    assert list(do("dump")) == [one, two, three]
    assert list(do("dump", Filter(mark=1))) == [one, three]
    assert list(do("dump", Filter(src_port=1))) == [two]
    assert do("get", one) == one
    assert do("stats_global").entries == 3
    assert do("delete", one) is None
    with pytest.raises(FileNotFoundError) as caught:
        do("get", one)
    assert caught.value.hint == conntrack.Conn.hints[errno.ENOENT]
    with pytest.raises(FileExistsError):
        do("create", two)
    assert do("create", one) is None
    assert do("flush", Filter(mark=1)) is None
    assert list(tracked.flows) == [two.orig]
    # The kernel's own flush is distinct from a delete, though both send the same request.
    assert tracked.asked == [("delete", 0), ("delete", 2), ("delete", 0)]
    assert do("flush") is None
    assert tracked.asked[-1] == ("flush", "Part")


def test_nflog_without_a_kernel() -> None:
    seen: list[nflog.Config] = []
    log = nltest.serve(nflog.Conn, {"configure": seen.append})
    assert log.configure(group=5, cmd=nflog.ConfigCommand.BIND) is None
    (config,) = seen
    assert (config.group, config.cmd) == (5, nflog.ConfigCommand.BIND)

    async def main() -> None:
        async with nltest.serve_async(nflog.Conn, {nflog.Conn.configure: seen.append}) as log:
            await log.configure(nflog.Config(group=6))

    asyncio.run(main())
    assert seen[1].group == 6


def test_a_dump_reads_its_records_on_demand() -> None:
    given: list[int] = []
    closed: list[bool] = []

    def dump(part: object) -> Iterator[Flow]:
        try:
            for n in range(1000):
                given.append(n)
                yield Flow(id=n)
        finally:
            closed.append(True)

    with nltest.serve(conntrack.Conn, {"dump_part": dump}) as ct:
        parts = ct.iterate(ct.calls.dump(), rows=10)
        assert [flow.id for flow in next(parts)] == list(range(10))
        assert len(given) < 100
        assert sum(len(part) for part in parts) == 990
        assert len(given) == 1000
        assert closed == [True]


def test_an_os_error_in_a_dump_ends_it() -> None:
    def dump(part: object) -> Iterator[Flow]:
        yield Flow(id=1)
        raise OSError(errno.EBUSY, "busy")

    ct = nltest.serve(conntrack.Conn, {"dump_part": dump, "delete_part": refuse})
    with pytest.raises(OpError) as caught:
        ct.dump()
    assert (caught.value.op, caught.value.errno) == ("receive", errno.EBUSY)
    assert caught.value.hint == conntrack.Conn.hints[errno.EBUSY]
    with pytest.raises(OpError) as caught:
        ct.flush()
    assert caught.value.errno == errno.EIO  # of an OSError without a number
    (answer,) = ct.conn.execute_all([ct.calls.flush()])
    assert isinstance(answer, OpError)


def refuse(request: object) -> None:
    raise OSError("for no reason")


def test_what_a_double_has_no_function_for() -> None:
    ct = nltest.serve(conntrack.Conn, {"get_flow": lambda flow: flow})
    for call, name in ((ct.dump, "dump_part"), (ct.flush, "delete_part"), (ct.stats, "stats")):
        with pytest.raises(AssertionError, match=f"no function for {name}"):
            call()
    with pytest.raises(AssertionError, match="no function for a request"):
        ct.conn.execute(conntrack.Conn(Deferred()).stats_global())
    assert ct.get(flows(1)[0]).orig == flows(1)[0].orig


@pytest.mark.parametrize("name", ["no_such", "dump", "hints", nflog.Conn.configure, 5])
def test_what_is_no_operation_of_the_family(name: object) -> None:
    with pytest.raises(ValueError, match="Conn has no operation"):
        nltest.serve(conntrack.Conn, {name: lambda: None})


def test_a_function_that_returns_what_is_no_reply() -> None:
    given: list[object] = []
    functions = {"get_flow": lambda flow: given[-1], "dump_part": lambda part: given, "delete_flow": lambda flow: given}
    ct = nltest.serve(conntrack.Conn, functions)
    flow = flows(1)[0]
    for wrong in (None, Tuple(), "flow"):
        given[:] = [wrong]
        with pytest.raises(AssertionError, match="the function for get_flow must return a Flow, not"):
            ct.get(flow)
        with pytest.raises(AssertionError, match="the function for dump_part must return a Flow, not"):
            ct.dump()
    with pytest.raises(AssertionError, match="the function for delete_flow must return nothing, not"):
        ct.delete(flow)


class Number(AttributeSet):
    value: Int = u32(1)


class Numbers(Family[C]):
    echo = Do(16, Number, Number, optional=True)
    below = DoMany(17, Number)


def test_replies_of_several_messages_and_of_none() -> None:
    def below(number: Number) -> Iterator[Number]:
        return (Number(value=n) for n in range(number.value or 0))

    def echo(number: Number) -> Number | None:
        return number if number.value else None

    with nltest.serve(Numbers, {"echo": echo, "below": below}) as numbers:
        assert numbers.echo(value=3) == Number(value=3)
        assert numbers.echo(value=0) is None
        for count in (0, 1, 5):
            assert [number.value for number in numbers.below(value=count)] == [*range(count)]
        answers = numbers.conn.execute_all([numbers.calls.echo(value=0), numbers.calls.echo(value=2)])
        assert answers == [None, Number(value=2)]


def test_calls_of_another_object_of_the_family_are_answered() -> None:
    ct = nltest.serve(conntrack.Conn, {"get_flow": lambda flow: flow, "dump_part": lambda part: flows(1, 2)})
    calls = conntrack.Conn(Deferred())
    assert len(ct.conn.execute(calls.dump())) == 2
    assert ct.conn.execute(calls.get(flows(1)[0])).orig == flows(1)[0].orig
