"""Families: operations, verbs and streams of one of the tests' own, over doubles, in a thread and in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import inspect
import pydoc
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from enum import IntFlag
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink import Config, Conn, EncodeError, Header, HeaderFlags, HeaderType, Message, OpError, Overrun, nltest
from netlink import family as families
from netlink.aio import AsyncConn
from netlink.consts import Family as Protocol
from netlink.family import C, Call, Deferred, Do, DoMany, Dump, Family, Listen, Steps, dial, dial_async, verb
from netlink.match import Condition, Match
from netlink.schema import (
    AttributeSet,
    Batch,
    Field,
    Int,
    Member,
    Str,
    Struct,
    be16,
    be32,
    event,
    flag,
    nested,
    s8,
    s16,
    s32,
    s64,
    string,
    u8,
    u16,
    u32,
    u64,
    uint,
)
from netlink.stream import Kind, ResyncBegin, ResyncEnd

ACK, REQUEST, DUMP = HeaderFlags.ACKNOWLEDGE, HeaderFlags.REQUEST, HeaderFlags.DUMP
CREATE = HeaderFlags.CREATE


class What(IntFlag):
    """An event of an item."""

    NEW = 1
    GONE = 2


class Label(AttributeSet):
    """The contents of an item."""

    text: Str = string(1)


class Item(AttributeSet):
    """An item of a request."""

    number: Int = u32(1)
    name: Str = string(2)
    label: Field[Label | None] = nested(3, Label)
    what: Member[What] = event(What)


class Found(AttributeSet):
    """An item of a reply."""

    number: Int = u32(1)
    weight: Int = u32(2)


class Base(Family[C], protocol=Protocol.ROUTE):
    """The common operations."""

    hints = {errno.ENOENT: "base: none", errno.EEXIST: "base: there", errno.EBUSY: "base: busy"}  # noqa: RUF012

    ping = Do(20, doc="Say hello.")
    get = Do(18, Item, Found, doc="One item.")


class Items(Base[C]):
    """Items."""

    hints = {errno.EEXIST: "items: there", errno.EBUSY: "items: busy"}  # noqa: RUF012

    add = Do(16, Item, flags=CREATE, hints={errno.EBUSY: "add: busy"}, doc="Add an item.")
    change = Do(16, Item)
    remove = Do(17, Item)
    dump = Dump(19, Item, doc="All of them.")
    search = Dump(21, None, Found)
    changes = Listen(
        [Kind(30, Item, What.NEW), Kind(31, Item, What.GONE), Kind(32, Found)], groups=[1], state=dump, doc="Events."
    )
    deaf = Listen({30: (Item, What.NEW)}, groups=[1])

    @verb
    def one(self: Items[Deferred], number: int, *, name: str = "x") -> Call[Found]:
        """The item of a number."""
        return self.get(number=number, name=name)

    @verb
    def clear(self: Items[Deferred], *, below: int = 1 << 31) -> Steps[list[Any]]:
        """Remove the items below a number: a list of the results."""
        found: Batch[Item] = yield self.dump()
        answers: list[Any] = yield [self.remove(item) for item in found if item.number < below]
        return answers

    @verb
    def replace(self: Items[Deferred], number: int) -> Steps[str]:
        try:
            yield self.remove(number=number)
        except FileNotFoundError as error:
            return f"{error.hint}, sequence {error.sequence > 0}"
        with contextlib.suppress(FileExistsError):
            yield self.add(number=number)
        return "replaced"

    @verb
    def tail(self: Items[Deferred]) -> Steps[Batch[Item]]:
        yield self.ping()
        return self.dump()

    @verb
    def nest(self: Items[Deferred]) -> Steps[tuple[int, list[Any]]]:
        whole = yield self.tail()
        several = yield [self.one(1), self.clear(below=2), self.dump(), self.get(number=7)]
        return len(whole), several

    @verb
    def wrong(self: Items[Deferred], what: Any) -> Call[None]:
        return what

    @verb
    def odd(self: Items[Deferred], step: Any) -> Steps[None]:
        yield step


class More(Items[C]):
    """A family that is derived from another."""

    hints = {errno.EEXIST: "more: there"}  # noqa: RUF012

    @verb
    def first(self: More[Deferred]) -> Call[Found]:
        return self.one(1)


class Table:
    """The items of a double, and its requests in order."""

    def __init__(self, *numbers: int) -> None:
        self.items = {number: Item(number=number) for number in numbers}
        self.asked: list[str] = []

    def functions(self) -> dict[Any, Callable[..., Any]]:
        return {
            "ping": self.ping,
            "get": self.get,
            "add": self.add,
            "remove": self.remove,
            "dump": self.dump,
            "search": self.search,
        }

    def ping(self) -> None:
        self.asked.append("ping")

    def get(self, item: Item) -> Found:
        self.asked.append(f"get {item.number} {item.name}")
        if item.number not in self.items:
            raise OSError(errno.ENOENT, "")
        return Found(number=item.number, weight=10)

    def add(self, item: Item) -> None:
        self.asked.append(f"add {item.number}")
        if item.number in self.items:
            raise OSError(errno.EEXIST, "")
        self.items[item.number or 0] = item

    def remove(self, item: Item) -> None:
        self.asked.append(f"remove {item.number}")
        if self.items.pop(item.number or 0, None) is None:
            raise OSError(errno.ENOENT, "")

    def dump(self, item: Item) -> Iterator[Item]:
        self.asked.append("dump")
        yield from list(self.items.values())

    def search(self) -> list[Found]:
        self.asked.append("search")
        return [Found(number=number) for number in self.items]


def serve(table: Table) -> Items[Conn]:
    return nltest.serve(Items, table.functions())


def numbers(batch: Any) -> list[int]:
    return [record.number for record in batch]


class Wire:
    """A double that records requests, with a function for the replies."""

    def __init__(self, answer: Callable[[Message], list[Message]] = lambda m: nltest.error(0, [m])) -> None:
        self.sent: list[Message] = []
        self.answer = answer

    def __call__(self, requests: list[Message]) -> list[Message]:
        self.sent += requests
        return [reply for request in requests for reply in self.answer(request)]


# Operations


def test_an_operation_is_sent_as_it_is_declared() -> None:
    wire = Wire()
    items = Items(nltest.dial(wire))
    assert items.add(number=3, name="a") is None
    assert items.add(Item(number=3, name="a")) is None
    assert items.ping() is None
    assert items.change() is None
    first, second, third, fourth = wire.sent
    assert (first.header.type, first.header.flags) == (16, REQUEST | ACK | CREATE)
    assert Item.decode(first.data) == Item(number=3, name="a")
    assert first.data == second.data
    assert (third.header.type, third.header.flags, third.data) == (20, REQUEST | ACK, b"")
    assert (fourth.header.type, fourth.header.flags, fourth.data) == (16, REQUEST | ACK, b"")


def test_the_results_of_operations() -> None:
    items = serve(Table(1, 2))
    assert items.get(number=1) == Found(number=1, weight=10)
    batch = items.dump()
    assert isinstance(batch, Batch)
    assert numbers(batch) == [1, 2]
    assert numbers(items.search()) == [1, 2]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda of: of.add(colour=3), "add: Item has no field 'colour'"),
        (lambda of: of.add(number="3"), "add: number: want an int"),
        (lambda of: of.add(Found()), "add takes a Item, not Found"),
        (lambda of: of.add(None), "add takes a Item, not None"),
        (lambda of: of.add({"number": 3}), "add takes a Item, not {"),
        (lambda of: of.add(Item(), Item()), r"add takes a Item, not Item\(\), Item\(\)"),
        (lambda of: of.add(Item(), number=3), "add takes a Item or its fields, not both"),
        (lambda of: of.ping(number=3), "ping takes no arguments, got number"),
        (lambda of: of.ping(Item()), r"ping takes no arguments, got Item\(\)"),
        (lambda of: of.search(3), "search takes no arguments, got 3"),
        (lambda of: of.one(), r"one\(\) missing 1 required positional argument: 'number'"),
        (lambda of: of.one(1, 2), r"one\(\) takes 2 positional arguments"),
        (lambda of: of.clear(above=3), r"clear\(\) got an unexpected keyword argument 'above'"),
        (lambda of: of.wrong(None), "wrong is a verb and must return a call or be a generator, not None"),
        (lambda of: of.wrong(Message()), "wrong is a verb"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_sent(call: Callable[[Any], Any], said: str) -> None:
    wire = Wire()
    items = Items(nltest.dial(wire))
    for of in (items, items.calls, Items(nltest.dial_async(wire))):
        with pytest.raises(TypeError, match=said):
            call(of)
    assert wire.sent == []


def test_a_type_error_of_others_is_not_of_the_arguments() -> None:
    """Such as one of a signal handler while a request waits."""

    def fail(_: Message) -> list[Message]:
        raise TypeError("of others")

    with pytest.raises(TypeError, match=r"^of others$"):
        Items(nltest.dial(Wire(fail))).add(number=3)


def test_a_value_that_does_not_encode_sends_nothing() -> None:
    wire = Wire()
    items = Items(nltest.dial(wire))
    for call in (lambda: items.add(number=1 << 32), lambda: items.calls.add(Item(number=-1))):
        with pytest.raises(EncodeError, match="number"):
            call()
    assert wire.sent == []


class Place(Struct):
    """The header of an order."""

    level = s16()
    shelf = be32()
    wide = u64()


class Order(AttributeSet, header=Place, rare=["few"]):
    """Numbers of all widths, texts, and what is neither."""

    tiny: Int = u8(1)
    low: Int = s8(2)
    port: Int = be16(3)
    small: Int = s32(4)
    large: Int = u64(5)
    deep: Int = s64(6)
    name: Str = string(7)
    any_: Int = uint(8)
    note: Str = string((9, 1))
    what: Member[What] = u32(10, enum=What)
    label: Field[Label | None] = nested(11, Label)
    chosen: Field[bool | None] = flag(12)
    end: Str = string(13)
    few: Int = u16(14)


class Orders(Family[C], protocol=Protocol.ROUTE):
    """Orders."""

    put = Do(16, Order)
    label = Do(17, Label)


NUMBERS = (
    st.sampled_from([bound + step for bits in (7, 8, 15, 16, 31, 32, 63, 64) for bound in (-1 << bits, 1 << bits)
                     for step in (-1, 0, 1)])
    | st.integers(-200, 200) | st.booleans() | st.sampled_from(What) | st.none()
)  # fmt: skip
TEXTS = st.text(max_size=6) | st.sampled_from(["x" * n for n in (223, 224, 225, 300)]) | st.none()
FIELDS = {
    **dict.fromkeys(
        ("level", "shelf", "wide", "tiny", "low", "port", "small", "large", "deep", "any_", "few"), NUMBERS
    ),
    **dict.fromkeys(("name", "note", "end"), TEXTS),
    "what": NUMBERS,
    "label": st.sampled_from([Label(text="x"), None]),
    "chosen": st.sampled_from([True, False, None, 1]),
    "header": st.sampled_from([Place(level=3, wide=9), None]),
    "other": st.none(),
}


def of_names(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    wrong = st.sampled_from([1.5, "1", b"x"])
    return st.fixed_dictionaries({name: FIELDS[name] | wrong if "other" in names else FIELDS[name] for name in names})


@given(st.lists(st.sampled_from(sorted(FIELDS)), unique=True, max_size=6).flatmap(of_names))
def test_a_request_of_fields_is_that_of_their_record(fields: dict[str, Any]) -> None:
    orders = Orders(Deferred())

    def result(make: Callable[[], bytes]) -> object:
        try:
            return make()
        except (EncodeError, TypeError) as error:
            return type(error), str(error).removeprefix("put: ")

    for chosen in (fields, dict(reversed(fields.items())), dict(sorted(fields.items()))):
        expected = result(lambda chosen=chosen: Order(**chosen).encode())
        assert result(lambda chosen=chosen: orders.put(**chosen).message.data) == expected
        assert result(lambda chosen=chosen: Orders.put.run(orders, chosen).message.data) == expected


def test_a_request_of_more_than_a_page_of_texts() -> None:
    cls: Any = type("Texts", (AttributeSet,), {f"t{n}": string(n + 1) for n in range(9)})
    operation: Any = Do(16, cls)
    fields = {f"t{n}": "x" * (40 * n) for n in range(9)}
    found = type("Of", (Family,), {"put": operation}, protocol=Protocol.ROUTE)(Deferred()).put(**fields)
    assert found.message.data == cls(**fields).encode()


def test_a_class_of_operations_may_have_its_own_call_and_binding() -> None:
    class Counted(Do[Any, ..., Any]):
        count = 0

        def __call__(self, family: Any, /, *records: Any, **fields: Any) -> Any:
            self.count += 1
            return super().__call__(family, *records, **fields)

    class Reversed(Do[Any, ..., Any]):
        def __get__(self, instance: Any, owner: Any = None, /) -> Any:
            return self if instance is None else lambda **fields: (self, instance, fields)

    class Own(Family[C], protocol=Protocol.ROUTE):
        put: Any = Counted(16, Order)
        other: Any = Reversed(16, Order)

    own = Own(Deferred())
    assert own.put(tiny=1).message.data == own.put(Order(tiny=1)).message.data == Order(tiny=1).encode()
    assert Own.put.count == 2
    assert own.other(tiny=1) == (Own.other, own, {"tiny": 1})


def test_an_operation_is_called_in_every_way() -> None:
    orders = Orders(Deferred())
    expected = Order(tiny=1).encode()
    bound: Any = orders.put
    for call in (
        lambda: bound(tiny=1),
        lambda: bound(Order(tiny=1)),
        lambda: Orders.put(orders, tiny=1),
        lambda: Orders.put.__call__(orders, tiny=1),
        lambda: bound(tiny=1),
        lambda: bound(*[Order(tiny=1)]),
        lambda: functools.partial(bound, tiny=1)(),
        lambda: next(map(bound, [Order(tiny=1)])),
    ):
        assert call().message.data == expected
    for wrong in (lambda: Orders.put(), lambda: Orders.put(3, tiny=1), lambda: Orders.put(None, tiny=1)):
        with pytest.raises(TypeError):
            wrong()  # type: ignore[no-untyped-call]
    with pytest.raises(TypeError, match="put: Order has no field 'colour'"):
        bound(colour=1)


def test_operations_of_a_derived_family_are_its_own() -> None:
    class Derived(Orders[C]):
        hints = {errno.EBUSY: "derived"}  # noqa: RUF012

    base, derived = Orders(Deferred()), Derived(Deferred())
    for _ in range(2):
        assert base.label(text="x").hints == {}
        assert derived.label(text="x").hints == {errno.EBUSY: "derived"}


def test_a_declaration_of_an_operation_is_checked() -> None:
    for make in (
        lambda: Do(1, "Item"),
        lambda: Do(1, Item()),
        lambda: Do(1, Item, "Found"),
        lambda: Dump(1, None),
        lambda: Dump(1, int),
        lambda: DoMany(1, None),
        lambda: Do(1, Item, optional=True),
    ):
        with pytest.raises(TypeError):
            make()  # type: ignore[no-untyped-call]


def test_calls_are_the_requests_as_values() -> None:
    table = Table(1)
    items = serve(table)
    call = items.calls.get(number=1)
    assert isinstance(call, Call)
    assert (call.message.header.type, call.reply, call.request, call.protocol) == (18, Found, Item, Protocol.ROUTE)
    assert not call.dump
    assert items.calls.dump().dump
    assert table.asked == []
    assert items.conn.execute(call) == items.conn.execute(call) == Found(number=1, weight=10)
    assert items.calls is items.calls
    assert items.calls.calls is items.calls
    assert isinstance(items.calls, Items)
    deferred = Items(Deferred())
    assert items.conn.execute(deferred.one(1)) == Found(number=1, weight=10)
    deferred.close()


def test_many_calls_have_their_answers_in_their_places() -> None:
    items = serve(Table(1, 3))
    answers = items.conn.execute_all(items.calls.get(number=n) for n in range(4))
    assert [isinstance(answer, FileNotFoundError) for answer in answers] == [True, False, True, False]
    assert answers[1] == Found(number=1, weight=10)


def test_calls_of_another_protocol_are_refused_and_nothing_is_sent() -> None:
    class Others(Family[C], protocol=Protocol.NETFILTER):
        ping = Do(20)

        @verb
        def pings(self: Others[Deferred]) -> Steps[None]:
            yield self.ping()

    with dial(Items) as items:
        for call in (Others(Deferred()).ping(), Others(Deferred()).pings()):
            with pytest.raises(ValueError, match="is for netlink family"):
                items.conn.execute(call)
            with pytest.raises(ValueError, match="is for netlink family"):
                items.conn.execute_all([call])
        with pytest.raises(ValueError, match="is for netlink family"):
            Others(items.conn).ping()


# Errors


def refused(number: int, make: Callable[[Items[Any]], Any], cls: Any = Items) -> OpError:
    items = cls(nltest.dial(Wire(lambda m: nltest.error(number, [m]))))
    with pytest.raises(OpError) as caught:
        make(items)
    assert caught.value.errno == number
    (answer,) = items.conn.execute_all([make(items.calls)])
    assert answer.hint == caught.value.hint
    return caught.value


def test_hints_of_the_operation_of_the_family_and_of_its_base() -> None:
    assert refused(errno.EBUSY, lambda of: of.add()).hint == "add: busy"
    assert refused(errno.EBUSY, lambda of: of.change()).hint == "items: busy"
    assert refused(errno.EEXIST, lambda of: of.add()).hint == "items: there"
    assert refused(errno.ENOENT, lambda of: of.add()).hint == "base: none"
    assert refused(errno.EPERM, lambda of: of.add()).hint == ""
    assert str(refused(errno.EBUSY, lambda of: of.dump())).endswith(": items: busy")


def test_an_inherited_operation_has_the_hints_of_the_family_that_it_is_called_of() -> None:
    assert refused(errno.EEXIST, lambda of: of.get()).hint == "items: there"
    assert refused(errno.EEXIST, lambda of: of.get(), Base).hint == "base: there"
    assert refused(errno.EEXIST, lambda of: of.get(), More).hint == "more: there"
    assert refused(errno.EBUSY, lambda of: of.add(), More).hint == "add: busy"
    assert refused(errno.EBUSY, lambda of: of.get(), More).hint == "items: busy"
    assert More.hints == {errno.ENOENT: "base: none", errno.EEXIST: "more: there", errno.EBUSY: "items: busy"}


def test_an_error_names_the_attribute_that_the_kernel_objects_to() -> None:
    def objecting(kind: int, number: int) -> Callable[[Message], list[Message]]:
        def answer(m: Message) -> list[Message]:
            header = m.header
            echo = struct.pack("=IHHII", header.length, header.type, header.flags, header.sequence, header.pid)
            said = struct.pack("=HHI", 8, kind, number)
            flags = HeaderFlags.CAPPED | HeaderFlags.ACKNOWLEDGE_TLVS
            data = struct.pack("=i", -errno.EINVAL) + echo + said
            return [m.replace(length=0, type=HeaderType.ERROR, flags=flags, data=data)]

        return answer

    item = Item(number=1, label=Label(text="x"))
    for kind, number, attribute in ((2, 16, "number"), (2, 28, "label.text"), (5, 2, "name")):
        items = Items(nltest.dial(Wire(objecting(kind, number))))
        for do in (items.add, lambda item, of=items: of.conn.execute_all([of.calls.add(item)])[0]):
            try:
                error = do(item)
            except OpError as raised:
                error = raised
            assert (error.errno, error.attribute) == (errno.EINVAL, attribute)


# Verbs


def test_a_verb_that_gives_a_call() -> None:
    table = Table(1)
    items = serve(table)
    assert items.one(1, name="y") == Found(number=1, weight=10)
    assert isinstance(items.calls.one(1), Call)
    assert table.asked == ["get 1 y"]


def test_a_verb_of_several_requests() -> None:
    table = Table(1, 2, 5)
    items = serve(table)
    assert items.clear(below=5) == [None, None]
    assert table.asked == ["dump", "remove 1", "remove 2"]
    assert list(table.items) == [5]


def test_a_list_of_calls_has_errors_in_their_places() -> None:
    table = Table(1, 2, 3)
    dumped = table.dump

    def dump(item: Item) -> Iterator[Item]:
        yield from dumped(item)
        del table.items[2]  # meanwhile

    items = nltest.serve(Items, table.functions() | {"dump": dump})
    first, second, third = items.clear()
    assert (first, third) == (None, None)
    assert isinstance(second, FileNotFoundError)
    assert second.hint == "base: none"


def test_errors_are_raised_in_the_generator() -> None:
    items = serve(Table(1))
    assert items.replace(1) == "replaced"
    assert items.replace(2) == "base: none, sequence True"
    table = Table(1)
    vars(table)["remove"] = lambda item: None
    assert serve(table).replace(1) == "replaced"  # suppressed
    functions = table.functions() | {"add": lambda item: 1 / 0}
    with pytest.raises(ZeroDivisionError):
        nltest.serve(Items, functions).replace(1)


def test_a_result_that_is_a_call_is_done() -> None:
    table = Table(1, 2)
    assert numbers(serve(table).tail()) == [1, 2]
    assert table.asked == ["ping", "dump"]


def test_verbs_in_verbs() -> None:
    table = Table(1, 2)
    length, (found, cleared, left, missing) = serve(table).nest()
    assert (length, found.number, cleared, numbers(left)) == (2, 1, [None], [2])
    assert isinstance(missing, FileNotFoundError)
    assert table.asked == ["ping", "dump", "get 1 x", "dump", "remove 1", "dump", "get 7 None"]


def test_a_call_of_steps_runs_them_anew() -> None:
    table = Table(1, 2)
    items = serve(table)
    call = items.calls.clear()
    assert table.asked == []
    assert items.conn.execute(call) == [None, None]
    table.items[7] = Item(number=7)
    assert items.conn.execute(call) == [None]
    assert items.conn.execute_all([call, call]) == [[], []]
    assert table.asked.count("dump") == 4


def test_a_call_returns_what_its_function_makes_of_the_result() -> None:
    items = serve(Table(1, 2))
    call = items.calls.get(number=1).then(lambda found: found.weight)
    twice = call.then(lambda weight: 2 * (weight or 0))
    made = items.calls.add(number=3).then(lambda nothing: (nothing, 3))
    assert items.conn.execute(call) == 10
    assert items.conn.execute(twice) == 20
    missing = items.calls.get(number=9).then(lambda found: 1)
    first, second, third, fourth = items.conn.execute_all([call, missing, made, twice])
    assert (first, third, fourth) == (10, (None, 3), 20)
    assert isinstance(second, FileNotFoundError)
    for wrong in (items.calls.dump(), items.calls.clear()):
        with pytest.raises(TypeError, match="has a batch, or no result of its own"):
            wrong.then(len)
    with pytest.raises(TypeError, match="want a function of the result, not 5"):
        call.then(5)


@pytest.mark.parametrize("step", [None, 3, "calls", [3], [None]])
def test_a_step_that_is_no_call_is_refused_where_it_is_given(step: object) -> None:
    wire = Wire()
    with pytest.raises(TypeError):
        Items(nltest.dial(wire)).odd(step)
    assert wire.sent == []


def test_a_derived_family_has_the_verbs_of_its_base() -> None:
    more = nltest.serve(More, Table(1, 2).functions())
    assert more.first() == more.one(1) == Found(number=1, weight=10)
    assert numbers(more.tail()) == [1, 2]
    assert isinstance(more.calls, More)
    assert More.protocol == Protocol.ROUTE


# Docstrings and signatures


def test_docstrings_survive_on_class_and_object() -> None:
    items = serve(Table())
    for of in (Items, items):
        assert inspect.getdoc(of.one) == "The item of a number."
        assert inspect.getdoc(of.add) == "Add an item."
        assert inspect.getdoc(of.dump) == "All of them."
        assert inspect.getdoc(of.changes) == "Events."
        assert (of.one.__name__, of.add.__name__, of.changes.__name__) == ("one", "add", "changes")
    assert items.add.__qualname__ == "Items.add"
    assert items.one.__module__ == __name__


def test_signatures_survive_on_class_and_object() -> None:
    items = serve(Table())
    assert list(inspect.signature(Items.one).parameters) == ["self", "number", "name"]
    assert list(inspect.signature(items.one).parameters) == ["number", "name"]
    assert list(inspect.signature(items.calls.one).parameters) == ["number", "name"]
    assert list(inspect.signature(items.add).parameters) == ["record", "number", "name", "label", "what"]
    assert list(inspect.signature(Items.dump).parameters) == ["self", "record", "number", "name", "label", "what"]
    assert str(inspect.signature(items.ping)) == "()"
    assert list(inspect.signature(items.deaf).parameters) == [
        "on_overrun",
        "read_buffer",
        "reliable",
        "matches",
        "bpf",
    ]
    inspect.signature(items.add).bind(number=3)
    with pytest.raises(TypeError):
        inspect.signature(items.add).bind(colour=3)


def test_help_shows_both() -> None:
    items = serve(Table())
    assert "one(number:" in (text := pydoc.render_doc(items.one, renderer=pydoc.plaintext))
    assert "The item of a number." in text
    assert "add(record=None, /, *, number=None" in (text := pydoc.render_doc(items.add, renderer=pydoc.plaintext))
    assert "Add an item." in text
    text = pydoc.render_doc(Items, renderer=pydoc.plaintext)
    for line in (
        "one(self:",
        "The item of a number.",
        "add(self, record=None",
        "Add an item.",
        "All of them.",
        "Events.",
    ):
        assert line in text


def test_operations_and_verbs_are_methods_of_their_class() -> None:
    items = serve(Table(1))
    assert Items.one(items, 1) == Items.get(items, number=1) == Found(number=1, weight=10)
    assert items.one == items.one
    assert items.one != items.calls.one


def test_repr() -> None:
    items = serve(Table())
    assert repr(items) == f"<{__name__}.Items over {items.conn!r}>"
    assert repr(items.calls) == f"<{__name__}.Items over <no connection>>"
    assert repr(Items.add) == "<Do add 16>"
    assert repr(Items.dump) == "<Dump dump 19>"
    assert repr(Items.one) == "<verb one>"
    assert repr(Items.changes) == "<Listen changes>"
    assert repr(items.one) == f"<bound method Items.one of {items!r}>"


# Parts


def test_dumps_in_parts() -> None:
    items = serve(Table(*range(10)))
    for call in (items.calls.dump(), items.calls.tail()):
        parts = list(items.iterate(call, rows=4))
        assert [numbers(part) for part in parts] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [numbers(part) for part in items.iterate(items.calls.search())] == [list(range(10))]


def test_dumps_in_parts_in_an_event_loop() -> None:
    async def main() -> None:
        items = nltest.serve_async(Items, Table(*range(10)).functions())
        for call in (items.calls.dump(), items.calls.tail()):
            parts = [numbers(part) async for part in items.iterate(call, rows=4)]
            assert parts == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        with pytest.raises(TypeError, match="no dump"):
            await anext(aiter(items.iterate(items.calls.one(1))))

    asyncio.run(main())


@pytest.mark.parametrize("name", ["ping", "one", "clear", "replace"])
def test_what_is_no_dump_has_no_parts(name: str) -> None:
    items = serve(Table(1))
    arguments = [1] if name in ("one", "replace") else []
    with pytest.raises(TypeError, match=r"no parts|no dump"):
        list(items.iterate(getattr(items.calls, name)(*arguments)))
    items.ping()


def test_without_a_connection_there_are_no_parts() -> None:
    items = serve(Table(1))
    with pytest.raises(TypeError, match="has no parts without a connection"):
        items.calls.iterate(items.calls.dump())
    with pytest.raises(ValueError, match="rows"):
        items.iterate(items.calls.dump(), rows=0)


# In an event loop


def test_operations_and_verbs_are_awaited() -> None:
    async def main() -> None:
        table = Table(1, 2)
        async with nltest.serve_async(Items, table.functions()) as items:
            assert await items.ping() is None
            assert await items.get(number=1) == await items.one(1) == Found(number=1, weight=10)
            assert numbers(await items.dump()) == numbers(await items.tail()) == [1, 2]
            assert await items.replace(3) == "base: none, sequence True"
            with pytest.raises(FileNotFoundError) as caught:
                await items.get(number=9)
            assert caught.value.hint == "base: none"
            assert await items.conn.execute_all([items.calls.ping(), items.calls.one(1)]) == [
                None,
                Found(number=1, weight=10),
            ]
            assert await items.clear() == [None, None]
        assert items.conn.closed

    asyncio.run(main())


# In the middle


class Slow:
    """A double that replies at once, except to held requests: their replies wait for `release`."""

    def __init__(self, *held: int) -> None:
        self.held = set(held)
        self.sent: list[int] = []  # types
        self.waits = threading.Event()
        self.ready: deque[list[Message]] = deque()
        self.late: deque[list[Message]] = deque()
        self.changed = threading.Condition()
        self.deadline: float | None = None
        self.at_wait: Callable[[], None] = lambda: None
        self.closed = False
        self.near, self.far = socket.socketpair()

    def send(self, m: Message) -> None:
        self.send_messages([m])

    def send_messages(self, messages: list[Message]) -> None:
        with self.changed:
            for m in messages:
                (self.late if len(self.sent) in self.held else self.ready).append(self.answer(m))
                self.sent.append(m.header.type)
            self.changed.notify_all()
        self.far.send(b"x")

    def answer(self, m: Message) -> list[Message]:
        if m.header.flags & DUMP == DUMP:
            done = Message(Header(type=HeaderType.DONE), bytes(4))
            parts = [*(Message(Header(type=16), Item(number=n).encode()) for n in (1, 2, 3)), done]
            flags = HeaderFlags.MULTI
            return [p.replace(length=0, flags=flags, sequence=m.header.sequence, pid=m.header.pid) for p in parts]
        return nltest.error(0, [m])

    def release(self) -> None:
        """Release the held replies."""
        with self.changed:
            self.held.clear()
            self.ready.extendleft(reversed(self.late))
            self.late.clear()
            self.changed.notify_all()
        self.far.send(b"x")

    def receive_nowait(self) -> list[Message] | None:
        with self.changed:
            if not self.ready and self.deadline is not None and self.deadline <= time.monotonic():
                raise OpError("receive", errno.ETIMEDOUT)
            return self.ready.popleft() if self.ready else None

    def receive(self) -> list[Message]:
        with self.changed:
            while not self.ready:
                self.waits.set()
                self.at_wait()
                if self.closed:
                    raise OpError("receive", errno.EBADF)
                if self.deadline is not None and self.deadline <= time.monotonic():
                    raise OpError("receive", errno.ETIMEDOUT)
                self.changed.wait()
            return self.ready.popleft()

    def set_deadlines(self, read: float | None = None, write: float | None = None) -> None:
        with self.changed:
            self.deadline = read
            self.changed.notify_all()

    # An event loop waits by itself.

    def wait_readable(self) -> None:
        raise AssertionError("a thread waits in receive")

    def fileno(self) -> int:
        return -1 if self.closed else self.near.fileno()

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self.near.close()
        self.far.close()


# The dump, the first remove and the last.
STAGES = [(0, [19]), (1, [19, 17, 17, 17]), (3, [19, 17, 17, 17])]


@pytest.mark.parametrize(("held", "sent"), STAGES)
def test_a_deadline_in_the_middle_of_a_verb(held: int, sent: list[int]) -> None:
    sock = Slow(held)
    with Items(Conn(sock, 1)) as items:
        sock.at_wait = lambda: items.conn.set_deadline(time.monotonic() - 1)
        with pytest.raises(TimeoutError) as caught:
            items.clear()
        assert getattr(caught.value, "errno", None) == errno.ETIMEDOUT
        assert sock.sent == sent
        if held:  # which shows what was done
            assert caught.value.answers == {n: None for n in range(3) if n != held - 1}  # type: ignore[attr-defined]
        sock.at_wait = lambda: None
        usable(items, sock)


def usable(items: Items[Any], sock: Slow) -> None:
    """Late messages are dropped, and the next verb gets its own replies."""
    items.conn.set_deadline(None)
    sock.release()
    assert items.clear() == [None, None, None]
    assert items.ping() is None
    assert not sock.ready


@pytest.mark.parametrize(("held", "sent"), STAGES)
def test_a_keyboard_interrupt_in_the_middle_of_a_verb(held: int, sent: list[int]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    sock = Slow(held)
    with Items(Conn(sock, 1)) as items:
        sock.at_wait = interrupt
        with pytest.raises(KeyboardInterrupt) as caught:
            items.clear()
        assert sock.sent == sent
        if held:
            assert caught.value.answers == {n: None for n in range(3) if n != held - 1}  # type: ignore[attr-defined]
        usable(items, sock)


@pytest.mark.parametrize(("held", "sent"), STAGES)
def test_a_close_from_another_thread_in_the_middle_of_a_verb(held: int, sent: list[int]) -> None:
    sock = Slow(held)
    items = Items(Conn(sock, 1))
    caught: list[BaseException] = []

    def work() -> None:
        try:
            items.clear()
        except OpError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert sock.waits.wait(60)
    items.close()
    thread.join(60)
    assert not thread.is_alive()
    (error,) = caught
    assert isinstance(error, OpError)
    assert error.errno == errno.EBADF
    assert sock.sent == sent
    with pytest.raises(OpError) as later:
        items.ping()
    assert later.value.errno == errno.EBADF


@pytest.mark.parametrize(("held", "sent"), STAGES)
def test_a_cancellation_in_the_middle_of_a_verb(held: int, sent: list[int]) -> None:
    async def main() -> None:
        sock = Slow(held)
        async with Items(AsyncConn(sock, 1)) as items:
            await interrupted(items, sock, lambda task: task.cancel(), asyncio.CancelledError, sent)
            sock.release()
            assert await items.clear() == [None, None, None]
            assert await items.ping() is None

    asyncio.run(main())


@pytest.mark.parametrize(("held", "sent"), STAGES)
def test_a_deadline_in_the_middle_of_a_verb_in_an_event_loop(held: int, sent: list[int]) -> None:
    async def main() -> None:
        sock = Slow(held)
        async with Items(AsyncConn(sock, 1)) as items:
            past = time.monotonic() - 1
            await interrupted(items, sock, lambda task: items.conn.set_deadline(past), TimeoutError, sent)
            items.conn.set_deadline(None)
            sock.release()
            assert await items.clear() == [None, None, None]
            assert await items.ping() is None

    asyncio.run(main())


async def interrupted(
    items: Items[AsyncConn],
    sock: Slow,
    interrupt: Callable[[asyncio.Task[Any]], object],
    kind: type[BaseException],
    sent: list[int],
) -> None:
    clearing: Awaitable[Any] = items.clear()
    task = asyncio.ensure_future(clearing)
    while sock.sent != sent or sock.ready:
        await asyncio.sleep(0)
    for _ in range(5):  # until it waits
        await asyncio.sleep(0)
    assert not task.done()
    interrupt(task)  # type: ignore[arg-type]
    with pytest.raises(kind):
        await task


def test_a_verb_that_is_interrupted_cleans_up() -> None:
    seen: list[str] = []

    class Tidy(Family[C]):
        ping = Do(20)

        @verb
        def both(self: Tidy[Deferred]) -> Steps[None]:
            try:
                yield self.ping()
                yield self.ping()
            except Exception:
                seen.append("error")
                raise
            finally:
                seen.append("finally")

    def interrupt() -> None:
        raise KeyboardInterrupt

    sock = Slow(1)
    with Tidy(Conn(sock, 1)) as tidy:
        sock.at_wait = interrupt
        with pytest.raises(KeyboardInterrupt):
            tidy.both()
        assert seen == ["finally"]
        sock.release()
        tidy.both()


# Opening


def test_dial() -> None:
    with dial(Items, strict=False) as items:
        assert isinstance(items.conn, Conn)
        assert items.conn.family == Protocol.ROUTE
        assert items.conn.config == Config(strict=False)
    assert items.conn.closed
    with dial(Items, Config(strict=False)) as items:
        assert items.conn.config == Config(strict=False)
    with dial(Items) as items:
        assert items.conn.config == Config()


def test_dial_async() -> None:
    async def main() -> None:
        async with dial_async(Items, strict=False) as items:
            assert isinstance(items.conn, AsyncConn)
            assert items.conn.config == Config(strict=False)
        assert items.conn.closed

    asyncio.run(main())


@pytest.mark.parametrize("opened", [dial, dial_async])
def test_a_config_and_options_are_not_both_given(opened: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="a Config or its options, not both"):
        opened(Items, Config(), strict=False)
    with pytest.raises(TypeError, match="colour"):
        opened(Items, colour=1)


@pytest.mark.parametrize("opened", [dial, dial_async])
def test_a_family_that_cannot_be_made_closes_its_connection(opened: Callable[..., Any]) -> None:
    conns: list[Any] = []

    class Failing(Family[C], protocol=Protocol.ROUTE):
        def __init__(self, conn: C) -> None:
            super().__init__(conn)
            conns.append(conn)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        opened(Failing)
    (conn,) = conns
    assert conn.closed


# Streams


def streamed(*given: Any, **more: Any) -> Items[Conn]:
    return nltest.serve(Items, {"changes": lambda: given, **more})


def test_a_stream_of_records_and_batches_of_several_declarations() -> None:
    batch = Found.decode_many([Found(number=n).encode() for n in (3, 4)])
    items = streamed(Item(number=1, what=What.NEW), batch, Item(number=2, what=What.GONE))
    with items.changes() as stream:
        found = list(stream)
    assert [(type(record), record.number) for record in found] == [(Item, 1), (Found, 3), (Found, 4), (Item, 2)]
    assert [record.what for record in found if isinstance(record, Item)] == [What.NEW, What.GONE]
    with items.changes() as stream:  # begins anew
        assert [len(part) for part in stream.batches()] == [1, 2, 1]


def test_what_streams_do_about_losses() -> None:
    items = streamed(Item(number=1), Overrun(7), Item(number=2))
    with items.changes() as stream:
        assert next(stream) == Item(number=1)
        with pytest.raises(Overrun) as caught:
            next(stream)
        assert caught.value.lost == stream.lost == 7
        assert list(stream) == [Item(number=2)]
    with items.changes(on_overrun="mark") as stream:
        assert [getattr(each, "lost", None) for each in stream] == [None, 7, None]
    for policy in ("ignore", None):
        with pytest.raises(ValueError, match="on_overrun"):
            items.changes(on_overrun=policy)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="colour"):
        items.changes(colour=1)  # type: ignore[call-overload]


def plain(each: Any) -> Any:
    return each if isinstance(each, (ResyncBegin, ResyncEnd)) else each.number


def test_a_resync_reads_the_state() -> None:
    given = (Item(number=1), Overrun(2), Item(number=2))
    items = streamed(*given, dump=lambda item: [Item(number=n) for n in (8, 9)])
    with items.changes(on_overrun="resync") as stream:
        assert [plain(each) for each in stream] == [1, ResyncBegin(2), 8, 9, ResyncEnd(), 2]
    with pytest.raises(ValueError, match="deaf has no dump for a resync"):
        nltest.serve(Items, {"deaf": lambda: given}).deaf(on_overrun="resync")


def test_streams_in_an_event_loop() -> None:
    async def main() -> None:
        given = (Item(number=1), Overrun(2), Item(number=2))
        functions = {"changes": lambda: given, "dump": lambda item: [Item(number=8)]}
        async with nltest.serve_async(Items, functions) as items:
            async with items.changes(on_overrun="resync") as stream:
                assert [plain(each) async for each in stream] == [1, ResyncBegin(2), 8, ResyncEnd(), 2]
            async with items.changes(on_overrun="mark") as stream:
                assert len([each async for each in stream]) == 3

    asyncio.run(main())


def test_a_match_leaves_records_of_its_declaration_out() -> None:
    batch = Item.decode_many([Item(number=n).encode() for n in (1, 2, 1)])
    items = streamed(Item(number=1), Found(number=1), batch, Item(number=2), Overrun(1), Found(number=2))
    match = Match(Found, [[Condition((("number",),), ((2, 2),))]])
    one = Match(Item, [[Condition((("number",),), ((1, 1),))]])
    with items.changes(on_overrun="mark", matches=[match, one]) as stream:
        found = [(type(each), getattr(each, "number", None)) for each in stream]
    assert found == [(Item, 1), (Item, 1), (Item, 1), (Overrun, None), (Found, 2)]


def test_calls_open_no_streams() -> None:
    items = streamed()
    with pytest.raises(TypeError, match="changes opens a stream, which is no call"):
        items.calls.changes()
    with pytest.raises(TypeError, match="changes opens a stream from the kernel"):
        serve(Table()).changes()


def test_a_stream_that_cannot_be_opened_closes_what_its_resync_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    real = families.open_conn

    def open_conn(*args: Any) -> Any:
        opened.append(real(*args))
        return opened[-1]

    class Bad(Items[C]):
        hints = {errno.ENOENT: "which group?"}  # noqa: RUF012
        astray = Listen({30: Item}, groups=[1 << 20], state=Items.dump)

    monkeypatch.setattr(families, "open_conn", open_conn)
    with dial(Bad) as bad:
        with pytest.raises(OpError) as caught:
            bad.astray(on_overrun="resync")
        assert caught.value.hint == Bad.hints.get(caught.value.errno or 0, "")
        assert len(opened) == 2
        assert opened[1].closed
        with pytest.raises(ValueError, match="on_overrun"):
            bad.astray(on_overrun="never")  # type: ignore[call-overload]


def test_declarations_of_a_listen() -> None:
    assert Items.changes.declarations == (Item, Found)
    assert Items.deaf.declarations == (Item,)
    assert Items.deaf.kinds == (Kind(30, Item, What.NEW),)
