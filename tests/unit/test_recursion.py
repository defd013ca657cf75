"""Declarations that contain themselves, or others that are declared later: functions that return them."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import struct as cstruct
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from typing import Any

import pytest

from netlink import NESTED, DecodeError, EncodeError
from netlink._engine.paths import attribute_path, missing_name
from netlink._io.source import has_views
from netlink.match import Condition, Match
from netlink.schema import (
    AttributeSet,
    Batch,
    Field,
    Int,
    Items,
    Str,
    Struct,
    array,
    dtype,
    key,
    nested,
    repeated,
    string,
    submessage,
    u8,
    u32,
    view,
)

DEPTH = 32
TIMES = 12  # so many that the last ones are decoded by shape


def attr(kind: int, *inner: bytes) -> bytes:
    data = b"".join(inner)
    return cstruct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


class Node(AttributeSet):
    """Records of its own kind in every way that there is."""

    number: Int = u32(1)
    child: Field[Node | None] = nested(2, lambda: Node)
    several: Items[Node] = repeated(3, lambda: Node)
    listed: Items[Node] = array(4, lambda: Node)
    kind: Str = string(5)
    chosen: Field[Node | Leaf | bytes | None] = submessage(
        6, on="kind", cases={"node": lambda: Node, "leaf": lambda: Leaf}
    )
    in_container: Field[Node | None] = nested((7, 1), lambda: Node)
    last: Field[Leaf | None] = nested(8, lambda: Leaf)
    place: Int = key()


class Leaf(AttributeSet):
    name: Str = string(1)


class Top(AttributeSet, rare=("rare",)):
    """One that is not part of the circle."""

    node: Field[Node | None] = nested(1, Node)
    rare: Field[Node | None] = nested(2, lambda: Node)
    nodes: Items[Node] = repeated(3, lambda: Node)


class Left(AttributeSet):
    right: Field[Right | None] = nested(1, lambda: Right)
    number: Int = u8(2)


class Right(AttributeSet):
    left: Field[Left | None] = nested(1, lambda: Left)
    lefts: Items[Left] = array(2, Left)


WAYS: dict[str, tuple[Callable[[bytes], bytes], Callable[[Any], dict[str, Any]], Callable[[Any], Any]]] = {
    "child": (lambda p: attr(2 | NESTED, p), lambda n: {"child": n}, lambda r: r.child),
    "several": (lambda p: attr(3 | NESTED, p), lambda n: {"several": [n]}, lambda r: r.several and r.several[0]),
    "listed": (
        lambda p: attr(4 | NESTED, attr(1 | NESTED, p)),
        lambda n: {"listed": [n]},
        lambda r: r.listed and r.listed[0],
    ),
    "chosen": (
        lambda p: attr(5, b"node\0") + attr(6 | NESTED, p),
        lambda n: {"kind": "node", "chosen": n},
        lambda r: r.chosen,
    ),
    "in_container": (
        lambda p: attr(7 | NESTED, attr(1 | NESTED, p)),
        lambda n: {"in_container": n},
        lambda r: r.in_container,
    ),
}
ways = pytest.mark.parametrize("way", WAYS)


def wire(way: str, depth: int) -> bytes:
    payload = attr(1, bytes([7, 0, 0, 0]))
    for _ in range(depth):
        payload = WAYS[way][0](payload)
    return payload


def made(way: str, depth: int) -> Node:
    node = Node(number=7)
    for _ in range(depth):
        node = Node(**WAYS[way][1](node))
    return node


@ways
@pytest.mark.parametrize("depth", [0, 1, 2, 5, DEPTH])
def test_records_in_records(way: str, depth: int) -> None:
    payload = wire(way, depth)
    read = Node.decode(payload)
    node = made(way, depth)
    assert read == node
    assert hash(read) == hash(node)
    assert node.encode() == read.encode() == payload
    assert repr(read) == repr(node)
    assert repr(read).count("Node(") == depth + 1
    assert json.loads(json.dumps(read.to_dict(json=True))) == node.to_dict(json=True)
    for twin in (copy.copy(read), copy.deepcopy(read), pickle.loads(pickle.dumps(read)), read.replace()):
        assert twin == read
        assert twin.encode() == payload
    batch = Node.decode_many([payload] * TIMES)
    for several in (batch, batch + batch, pickle.loads(pickle.dumps(batch)), copy.copy(batch)):
        assert several[-1] == read
    assert batch == Node.decode_many([payload] * TIMES)
    assert read in batch
    assert f"<Batch of {TIMES} Node>" == repr(batch)
    batch._repr_html_()
    inner: Any = read
    for _ in range(depth):
        inner = WAYS[way][2](inner)
        assert type(inner) is Node
    assert inner.number == 7
    assert WAYS[way][2](inner) is None


@ways
@pytest.mark.parametrize("depth", [DEPTH + 1, DEPTH + 2, 100, 1000, 5000])
def test_depth_is_limited(way: str, depth: int) -> None:
    # As deep as the length fields of attributes permit.
    payload = wire(way, min(depth, 65000 // len(WAYS[way][0](b""))))
    for call in (lambda: Node.decode(payload), lambda: Node.decode_many([wire(way, 1)] * TIMES + [payload])):
        with pytest.raises(
            DecodeError, match=rf"^Node(\.{way})+: records are nested more than {DEPTH} deep, at byte \d+$"
        ):
            call()
    if depth == DEPTH + 1:
        with pytest.raises(DecodeError) as caught:
            Node.decode(payload)
        assert str(caught.value).count(f".{way}") == depth
        with pytest.raises(EncodeError, match=rf"^{way}: records are nested more than {DEPTH} deep$"):
            made(way, depth)
    # An attribute that does not count has to be well-formed, too.
    if way not in ("several", "chosen"):
        with pytest.raises(DecodeError, match="nested more than"):
            Node.decode(payload + wire(way, 1))
    # The kernel's paths are of requests of any bytes.
    assert attribute_path(Node, payload, 16 + len(payload) - 1)
    assert missing_name(Node, payload, 0, 2) == "child"


def test_depth_is_that_of_all_ways_together() -> None:
    order = list(WAYS) * 10
    for depth, fits in ((DEPTH, True), (DEPTH + 1, False)):
        payload = attr(1, bytes(4))
        for way in order[:depth]:
            payload = WAYS[way][0](payload)
        if fits:
            assert Node.decode(payload).encode() == payload
        else:
            with pytest.raises(DecodeError, match="nested more than"):
                Node.decode(payload)
    deep = wire("child", DEPTH - 1)
    assert Top.decode(attr(1, deep)).encode() == Top(node=Node.decode(deep)).encode()
    assert Top.decode(attr(2, deep)).rare == Top(rare=Node.decode(deep)).rare
    with pytest.raises(DecodeError, match=r"^Top\.rare\.child"):
        Top.decode(attr(2, wire("child", DEPTH)))
    Top.decode(attr(1, wire("child", DEPTH)))  # the first one lies in the record itself
    with pytest.raises(DecodeError, match=r"^Top\.node\.child"):
        Top.decode(attr(1, wire("child", DEPTH + 1)))


def test_a_shape_counts_as_deep() -> None:
    """Records that a shape makes, and what is decoded by itself within them."""
    shallow = [attr(2, attr(2, attr(3, wire("several", 0)))) for _ in range(TIMES)]
    fits = attr(2, attr(2, attr(3, wire("several", DEPTH - 3))))
    assert Node.decode_many([*shallow, *[fits] * TIMES])[-1] == Node.decode(fits)
    deep = attr(2, attr(2, attr(3, wire("several", DEPTH - 2))))
    with pytest.raises(DecodeError) as alone:
        Node.decode(deep)
    with pytest.raises(DecodeError) as among:
        Node.decode_many([*shallow, fits, deep])
    assert str(among.value) == str(alone.value)
    # The same headers outside, and other bytes inside an array, which is one attribute to a shape.
    fits, deep = (attr(1, wire("listed", more)) for more in (DEPTH - 2, DEPTH - 1))
    size = len(deep)
    filler = [attr(2, attr(4, attr(1, attr(9, bytes(size - 8))))) for _ in range(TIMES)]
    good, bad = attr(2, attr(4, fits.ljust(size, b"\0"))), attr(2, attr(4, deep))
    assert len(bad) == len(good) == len(filler[0])
    assert Node.decode_many([*filler, good])[-1] == Node.decode(good)
    with pytest.raises(DecodeError) as alone:
        Node.decode(bad)
    with pytest.raises(DecodeError) as among:
        Node.decode_many([*filler, bad])
    assert str(among.value) == str(alone.value)


def test_what_lies_in_each_other_takes_memory_in_proportion() -> None:
    for way in WAYS:
        payload = wire(way, DEPTH)
        assert Node.decode_many([payload]).nbytes < 200 * len(payload)
    # Submessages lie in each other: each is kept once.
    body = attr(1, bytes(4)) + attr(99, bytes(30000))
    for _ in range(DEPTH):
        body = attr(5, b"node\0") + attr(6, body)
    assert Node.decode_many([body]).nbytes < 4 * len(body)


def test_a_circle_of_two() -> None:
    left = Left(right=Right(left=Left(number=3), lefts=[Left(number=4), Left(right=Right())]))
    read = Left.decode(left.encode())
    assert read == left
    assert read.right is not None
    assert read.right.lefts is not None
    assert read.right.lefts[1].right == Right()
    assert Right.decode(Right(left=left).encode()).left == left


def test_unknown_attributes_inside() -> None:
    payload = attr(2, attr(2, attr(98, b"abcd")) + attr(99, b"x")) + attr(97)
    read = copy.copy(Node.decode(payload))
    assert read.unknown == ((97, b""),)
    assert read.child is not None
    assert read.child.unknown == ((99, b"x"),)
    assert read.child.child is not None
    assert read.child.child.unknown == ((98, b"abcd"),)


# Walks over declarations


def test_columns() -> None:
    pa = pytest.importorskip("pyarrow")
    node = Node(number=1, child=Node(number=2), several=[Node(number=3)], listed=[Node(number=4)], kind="node",
                chosen=Node(number=5), in_container=Node(number=6), last=Leaf(name="x"))  # fmt: skip
    batch = Node.decode_many([node.encode(), b""])
    (row, absent) = pa.table(batch).to_pylist()
    five, four = (Node(number=n).encode() for n in (5, 4))
    assert row == {
        "number": 1, "child": Node(number=2).encode(), "several": [Node(number=3).encode()], "listed": [four],
        "kind": "node", "chosen": None, "chosen_node": five, "chosen_leaf_name": None,
        "in_container": Node(number=6).encode(), "last_name": "x", "place": None,
    }  # fmt: skip
    assert set(absent.values()) == {None}
    assert list(batch["child"]) == [Node(number=2).encode(), None]
    assert list(batch["chosen_node"]) == [five, None]
    numpy = pytest.importorskip("numpy")
    assert list(numpy.asarray(batch["child"])) == [Node(number=2).encode(), None]
    assert batch.to_numpy().dtype.names == ("number", "place")
    assert dtype(Node).names == ("number", "place")
    with pytest.raises(TypeError, match="child has no fixed size"):
        batch.to_numpy("child")
    assert Node(number=2).encode().hex() in batch._repr_html_()
    # From outside a circle its first record has columns.
    names = batch_names(Top)
    assert {"node_number", "node_child", "rare_number", "rare_child"} <= set(names)
    (row,) = pa.table(Top.decode_many([Top(nodes=[node]).encode()])).to_pylist()
    assert row["nodes"][0]["number"] == 1
    assert row["nodes"][0]["child"] == Node(number=2).encode()
    assert batch_names(Left) == ("right", "number")
    assert batch_names(Right) == ("left", "lefts")


def batch_names(cls: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = cls.decode_many([]).arrow().names
    return names


def test_as_many_circles_as_there_may_be() -> None:
    """Twenty declarations that all lead to each other have as many columns as fields."""
    made: list[Any] = []
    for n in range(20):
        fields: dict[str, Any] = {f"f{m}": nested(m + 1, lambda m=m: made[m]) for m in range(20)}
        made.append(type(f"Of{n}", (AttributeSet,), fields))
    assert len(batch_names(made[0])) == 20
    assert not has_views(made[3], set())
    assert made[0](f1=made[1](f2=made[2]())).encode() == attr(2 | NESTED, attr(3 | NESTED))


def test_other_walks() -> None:
    assert not has_views(Node, set())

    class Seen(AttributeSet):
        data = view(1)
        again = nested(2, lambda: Seen)

    assert has_views(Seen, set())
    record = Seen(data=b"abc", again=Seen(data=b"def"))
    assert record.again is not None
    assert bytes(record.again.data or b"") == b"def"
    with pytest.raises(TypeError, match="child has no fields"):
        Match(Node, [[Condition([("child", "number")], [(1, 1)])]])
    assert Match(Node, [[Condition([("number",)], [(1, 1)])]])(Node(number=1))
    node = Node(child=Node(child=Node(number=0x01020304)))
    at = node.encode().index(cstruct.pack("=I", 0x01020304))
    assert attribute_path(Node, node.encode(), 16 + at) == "child.child.number"


# Functions


def test_the_function_is_called_at_first_use() -> None:
    calls: list[int] = []

    def get_later() -> Any:
        calls.append(1)
        return Later

    class First(AttributeSet):
        later = nested(1, get_later)
        laters = array(2, get_later)

    class Second(AttributeSet):
        first = nested(1, First)

    assert not calls

    class Later(AttributeSet):
        number = u8(1)

    assert Second.decode(attr(1, attr(1, attr(1, b"\5")))).first.later.number == 5
    assert len(calls) == 2
    assert First.later.cls is Later
    assert First.laters.item.cls is Later
    First(laters=[Later(number=1)])
    assert len(calls) == 2


USES: dict[str, Callable[[Any], Any]] = {
    "decode": lambda cls: cls.decode(b""),
    "decode_many": lambda cls: cls.decode_many([]),
    "construct": lambda cls: cls(),
    "dtype": dtype,
    "columns": lambda cls: cls.decode_many([]).arrow(),
    "match": lambda cls: Match(cls, [[Condition([("number",)], [(1, 1)])]]),
    "around": lambda cls: type("Around", (AttributeSet,), {"part": nested(1, cls)})(),
    "views": lambda cls: has_views(cls, set()),
    "its class": lambda cls: cls.late.cls or cls.late.cases or cls.late.item.cls,
    "paths": lambda cls: attribute_path(cls, attr(9, b"\0") + attr(1, attr(1, attr(1))), 16 + 16),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("make", [
    lambda f: {"late": nested(1, f)},
    lambda f: {"late": repeated(1, f)},
    lambda f: {"late": array(1, f)},
    lambda f: {"late": nested(1, f), "rare": ("late",)},
    lambda f: {"late": submessage(1, "number", {0: f})},
])  # fmt: skip
def test_one_that_is_missing_is_named(use: str, make: Callable[[Any], dict[str, Any]]) -> None:
    fields = make(lambda: Nowhere)  # type: ignore[name-defined] # noqa: F821 # pyright: ignore[reportUndefinedVariable]
    rare = fields.pop("rare", ())
    cls: Any = type("Missing", (AttributeSet,), {"number": u8(9), **fields}, rare=rare)
    for _ in range(2):
        with pytest.raises(
            TypeError, match=r"^late refers to a declaration that is missing: name 'Nowhere' is not defined$"
        ):
            USES[use](cls)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda: None, "nested takes a class derived from AttributeSet, not None"),
        (lambda: 3, "not 3"),
        (lambda: lambda: Leaf, "not <function"),
        (lambda: Numbers, "nested takes a class derived from AttributeSet"),
        (lambda: AttributeSet, "nested takes a class derived from AttributeSet"),
        (lambda: {}["x"], "'x'"),
        (lambda: 1 // 0, "division"),
        (lambda x: Leaf, "argument"),
    ],
)
def test_what_a_function_returns_is_a_declaration(function: Any, text: str) -> None:
    class Wrong(AttributeSet):
        late = nested(1, function)

    with pytest.raises(TypeError) as caught:
        Wrong()
    assert str(caught.value).startswith("late refers to a declaration that is missing: ")
    assert text in str(caught.value)


class Numbers(Struct):
    one = u8()


def test_a_function_may_be_called_again_if_it_failed() -> None:
    known: list[Any] = []

    class Waits(AttributeSet):
        late = nested(1, lambda: known[0])

    with pytest.raises(TypeError):
        Waits()
    known.append(Leaf)
    assert Waits(late=Leaf(name="x")).encode() == attr(1 | NESTED, attr(1, b"x\0"))
    known[0] = Node
    assert Waits.decode(attr(1, attr(1, b"x\0"))).late == Leaf(name="x")


def test_what_is_complete_is_nested_inherited_and_taken_apart() -> None:
    Node(kind="node", chosen=Node())

    class Around(AttributeSet):
        node = nested(1, Node)
        nodes = array(2, Node)

    class More(Node):
        extra = u8(77)

    class Most(More):
        again = nested(78, lambda: Most)

    record = Around(node=Node(child=Node(number=1)), nodes=[Node(kind="node", chosen=Node(number=2))])
    assert Around.decode(record.encode()) == record
    most = Most(child=Node(number=1), again=Most(extra=3, kind="leaf", chosen=Leaf(name="x")))
    assert Most.decode(most.encode()) == most
    assert most.again.chosen.name == "x"  # type: ignore[union-attr]
    assert {"again", "child_child", "extra"} <= set(batch_names(Most))


def test_a_function_that_makes_ever_new_declarations_ends() -> None:
    def make() -> Any:
        return type("Endless", (AttributeSet,), {"inner": nested(1, make)})

    with pytest.raises(TypeError, match="refer to ever more others"):
        make()()


def test_a_function_that_uses_the_declaration_ends() -> None:
    class Eager(AttributeSet):
        inner = nested(1, lambda: type(Eager()))

    with pytest.raises((RecursionError, TypeError)):
        Eager()


def test_an_interrupt_in_the_function_passes() -> None:
    def interrupted() -> Any:
        raise KeyboardInterrupt

    class Late(AttributeSet):
        inner = nested(1, interrupted)

    with pytest.raises(KeyboardInterrupt):
        Late()


def test_threads_agree_on_what_the_function_returned() -> None:
    """Each call returns another class; the first one counts for all."""
    for _ in range(20):
        start = threading.Barrier(4)

        class Late(AttributeSet):
            number = u8(9)
            inner = nested(1, lambda: type("Inner", (AttributeSet,), {f"f{n}": u32(n + 1) for n in range(8)}))

        found: list[Any] = []

        def use(cls: Any = Late, start: threading.Barrier = start, found: list[Any] = found) -> None:
            start.wait()
            record = cls.decode(attr(1, attr(8, bytes([7, 0, 0, 0]))))
            found.append((type(record.inner), record.inner.f7))

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [(Late.inner.cls, 7)] * 4


def test_a_circle_is_collected() -> None:
    class Round(AttributeSet):
        number = u8(1)
        inner = nested(2, lambda: Round)  # noqa: F821

    batch: Batch[Any] = Round.decode_many([attr(2, attr(1, b"\5"))] * 3)
    gone = threading.Event()

    class Witness:
        def __del__(self) -> None:
            gone.set()

    type.__setattr__(Round, "witness", Witness())
    del Round
    gc.collect()
    assert not gone.is_set()
    assert batch[0].inner.number == 5
    del batch
    gc.collect()
    assert gone.is_set()


def test_the_stack_holds() -> None:
    """The deepest records with the most between them, in a thread with a small stack."""
    program = """
        import copy, struct, sys, threading
        from netlink.schema import AttributeSet, nested, array

        classes = {}
        def declare(n):
            fields = {"deep": nested(1, lambda: classes[0])} if n == 15 else {"deep": nested(1, declare(n + 1))}
            classes[n] = type(f"Of{n}", (AttributeSet,), fields)
            return classes[n]

        def run():
            payload = b""
            for _ in range(32 * 16 + 15):
                payload = struct.pack("=HH", 4 + len(payload), 0x8001) + payload
            cls = declare(0)
            record = cls.decode(payload)
            assert record.encode() == payload
            assert copy.copy(record) == record
            assert (cls.decode_many([payload] * 8) + cls.decode_many([payload]))[-1] == record
            sys.setrecursionlimit(10000)
            assert repr(record).count("deep") == 32 * 16 + 15
            record.to_dict()
            try:
                cls.decode(struct.pack("=HH", 4 + len(payload), 1) + payload)
            except ValueError:
                print("refused")

        threading.stack_size(1 << 20)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    """
    out = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert out.stdout == "refused\n", out.stderr
