"""Requests of many records in datagrams: `Rows`, which `create_many` of rtnetlink and the like are made of."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_schema_properties import Everything, Head, Leaf, records, texts, values

from netlink import EncodeError, HeaderFlags, Message, family, nltest, unmarshal_messages
from netlink._engine.rows import Preparation, Rows
from netlink.schema import AttributeSet, Batch, binary, u32

KIND, FLAGS = 0x20, int(HeaderFlags.REQUEST | HeaderFlags.CREATE)
ACK = int(HeaderFlags.ACKNOWLEDGE)
PID = 77

some = settings(deadline=None, max_examples=60)


def sent(rows: Rows[Any], room: int = 1 << 16, most: int = 1 << 16, first: int = 1) -> list[list[Message]]:
    """All of its datagrams."""
    datagrams = []
    sequence = first
    while rows.next < rows.count:
        before = rows.next
        datagrams.append(unmarshal_messages(rows.datagram(sequence, PID, room, most)))
        assert len(datagrams[-1]) == rows.next - before
        sequence += len(datagrams[-1])
    return datagrams


def padded(payload: bytes) -> bytes:
    return payload + bytes(-len(payload) % 4)


@some
@given(st.lists(values, max_size=5), st.integers(16, 4000), st.integers(1, 4))
def test_requests_are_the_records_one_by_one(given_: list[dict[str, Any]], room: int, most: int) -> None:
    made = [Everything(**one) for one in given_]
    batch = Everything.decode_many([record.encode() for record in made])
    for rows in (made, iter(made), tuple(batch), batch, batch[::-1], batch[1:3], batch + batch):
        given_rows = list(rows) if not isinstance(rows, Batch) else rows
        datagrams = sent(Rows(Everything, rows if isinstance(rows, Batch) else given_rows, KIND, FLAGS), room, most)
        messages = [message for datagram in datagrams for message in datagram]
        assert [message.data for message in messages] == [padded(record.encode()) for record in given_rows]
        assert [message.header.sequence for message in messages] == list(range(1, len(messages) + 1))
        assert {(message.header.type, message.header.pid) for message in messages} <= {(KIND, PID)}
        for datagram in datagrams:
            size = sum(message.header.length for message in datagram)
            assert len(datagram) == 1 or (len(datagram) <= most and size <= room)


@pytest.mark.parametrize("flags", [FLAGS, FLAGS | ACK])
def test_only_the_last_of_a_datagram_asks_for_an_acknowledgement(flags: int) -> None:
    datagrams = sent(Rows(Leaf, [Leaf(number=i) for i in range(10)], KIND, flags), most=4)
    assert [[int(message.header.flags) for message in datagram] for datagram in datagrams] == [
        [FLAGS, FLAGS, FLAGS, FLAGS | ACK],
        [FLAGS, FLAGS, FLAGS, FLAGS | ACK],
        [FLAGS, FLAGS | ACK],
    ]


def test_a_request_that_is_longer_than_the_room_goes_alone() -> None:
    datagrams = sent(Rows(Leaf, [Leaf(name="x" * n) for n in (1, 500, 1, 1)], KIND, FLAGS), room=100)
    assert [len(datagram) for datagram in datagrams] == [1, 1, 2]


def test_sequence_numbers_wrap() -> None:
    (messages,) = sent(Rows(Leaf, [Leaf(number=i) for i in range(3)], KIND, FLAGS), first=0xFFFFFFFE)
    assert [message.header.sequence for message in messages] == [0xFFFFFFFE, 0xFFFFFFFF, 0]


def test_the_payload_of_a_request_in_a_datagram() -> None:
    leaves = [Leaf(name="x" * i, number=i) for i in range(9)]
    rows = Rows(Leaf, leaves, KIND, FLAGS)
    datagram = rows.datagram(1, PID, 1 << 16, 100)
    assert [rows.payload_in(datagram, i) for i in range(9)] == [padded(leaf.encode()) for leaf in leaves]
    assert rows.datagram(1, PID, 1 << 16, 100) == b""


@pytest.mark.parametrize(
    "given_", [[Leaf(), Everything()], [Everything(), Leaf()], [Leaf(), None], [b"payload"], Everything.decode_many([])]
)
def test_rows_of_another_class(given_: Any) -> None:
    with pytest.raises(TypeError, match=r"want (records|a batch) of Leaf, not"):
        Rows(Leaf, given_, KIND, FLAGS)


def test_an_attribute_that_is_too_long_is_named_by_its_row() -> None:
    class Blob(AttributeSet):
        number = u32(1)
        data = binary(2)

    longest = Blob(data=bytes(65531))
    assert Rows(Blob, [longest], KIND, FLAGS).count == 1
    with pytest.raises(EncodeError, match="row 2: an attribute is longer than 65531 bytes"):
        Rows(Blob, [Blob(number=1), longest, Blob(data=bytes(65532))], KIND, FLAGS)


# prepare


def with_family(record: Any) -> Any:
    return record.replace(header=(record.header or Head()).replace(family=9))


@some
@given(st.lists(values, max_size=5), st.booleans())
def test_prepared_requests_are_those_of_what_it_returns(given_: list[dict[str, Any]], by_shape: bool) -> None:
    made = [Everything(**one) for one in given_]
    batch = Everything.decode_many([record.encode() for record in made])
    for rows in (made * 2, batch + batch):
        prepared = Rows(Everything, rows, KIND, FLAGS, Preparation(Everything, with_family, by_shape))
        messages = [message for datagram in sent(prepared) for message in datagram]
        wanted = [with_family(record).encode() for record in rows]
        assert [message.data for message in messages] == [padded(payload) for payload in wanted]
        one_by_one = Preparation(Everything, with_family, by_shape)
        assert [one_by_one.payload(record) for record in rows] == wanted


def test_by_shape_prepare_is_called_once_for_each_set_of_fields_and_header() -> None:
    asked: list[Any] = []

    def prepare(record: Any) -> Any:
        asked.append(record)
        return with_family(record)

    # Rare ones, which lie elsewhere, are fields as well.
    kinds: list[dict[str, Any]] = [{}, {"i_u16": 1}, {"text": "a"}, {"text": "a", "note": "b"}, {"note": "b"}]
    kinds += [{"header": Head(family=2)}]
    made = [Everything(**kinds[i % 6] | {"i_u32": i, "i_u64": i}) for i in range(60)]
    messages = [
        m
        for datagram in sent(Rows(Everything, made, KIND, FLAGS, Preparation(Everything, prepare, True)))
        for m in datagram
    ]
    assert len(asked) == 6
    assert [Everything.decode(message.data) for message in messages] == [with_family(record) for record in made]


def test_what_prepare_changes_beside_the_header_is_asked_for_each_row() -> None:
    def prepare(record: Any) -> Any:
        return record.replace(i_u32=record.i_u32 + 1)

    made = [Everything(family=1, i_u32=i) for i in range(5)]
    messages = [
        m
        for datagram in sent(Rows(Everything, made, KIND, FLAGS, Preparation(Everything, prepare, True)))
        for m in datagram
    ]
    assert [Everything.decode(message.data).i_u32 for message in messages] == [1, 2, 3, 4, 5]


def test_more_shapes_than_are_remembered() -> None:
    """By its header each row has a shape of its own, and each comes twice."""
    made = [Everything(header=Head(family=i & 0xFF, res_id=i >> 8), i_u32=i) for i in range(5000)] * 2
    messages = [
        m
        for datagram in sent(Rows(Everything, made, KIND, FLAGS, Preparation(Everything, with_family, True)))
        for m in datagram
    ]
    assert [message.data for message in messages] == [with_family(record).encode() for record in made]


def test_texts_that_prepare_may_change_are_asked_for_one_by_one() -> None:
    def prepare(record: Any) -> Any:
        return record.replace(name=None, note=record.name) if len(record.name or "") > 3 else record

    preparation = Preparation(Everything, prepare, True, ("name", 3))
    for text in ("abc", "abcd", "ab", "abcde", None):
        assert preparation.payload(Everything(name=text)) == prepare(Everything(name=text)).encode()
    empty = Everything.decode(Everything(name="a").encode().replace(b"a\0", b"\0\0"))
    for text in ("\N{BLACK CIRCLE}" * 2, "a\0b", empty.name):
        asked: list[Any] = []
        counting = Preparation(
            Everything, lambda record, asked=asked: asked.append(record) or record, True, ("name", 3)
        )
        counting.payload(Everything(name="abc"))
        for _ in range(2):
            counting.payload(Everything(name=text))
        assert len(asked) == 3, text


def test_a_preparation_is_of_one_declaration() -> None:
    record = Everything(text="a", i_u32=1)
    assert Preparation(Everything).payload(record) == record.encode()
    with pytest.raises(TypeError, match="want a Everything, not Leaf"):
        Preparation(Everything).payload(Leaf())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="want a preparation of Leaf, not of Everything"):
        Rows(Leaf, [Leaf()], KIND, FLAGS, Preparation(Everything))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="prepare must be a function"):
        Preparation(Everything, 3)  # type: ignore[arg-type]
    for name in ("i_u32", "text"):
        with pytest.raises(TypeError, match=f"{name} is no field of text in Everything itself"):
            Preparation(Everything, with_family, True, (name, 3))


@pytest.mark.parametrize("by_shape", [False, True])
def test_what_prepare_raises_and_what_it_must_not_return(by_shape: bool) -> None:
    def refuse(record: Any) -> Any:
        raise ValueError("not this one")

    with pytest.raises(ValueError, match="not this one"):
        Rows(Everything, [Everything()], KIND, FLAGS, Preparation(Everything, refuse, by_shape))
    for wrong in (None, Leaf(), b""):
        with pytest.raises(TypeError, match="prepare must return a Everything"):
            Preparation(Everything, lambda record, wrong=wrong: wrong, by_shape).payload(Everything())


# Over a connection


class Leaves(family.Family[family.C], protocol=0):
    create = family.Do(KIND, Leaf, flags=HeaderFlags.CREATE)


def refusing(numbers: set[int]) -> Callable[[list[Message]], list[Message]]:
    """A kernel that refuses the leaves with these numbers, and answers what the requests ask for."""

    def answer(requests: list[Message]) -> list[Message]:
        replies: list[Message] = []
        for request in requests:
            refused = Leaf.decode(request.data).number in numbers
            if refused or int(request.header.flags) & ACK:
                replies += nltest.error(errno.EEXIST if refused else 0, [request])
        return replies

    return answer


@given(st.lists(records(Leaf, name=texts, number=st.integers(0, 9)), max_size=200), st.sets(st.integers(0, 9)))
@settings(deadline=None, max_examples=30)
def test_failures_are_those_of_the_rows_that_the_kernel_refuses(leaves: list[Leaf], numbers: set[int]) -> None:
    wanted = [i for i, leaf in enumerate(leaves) if leaf.number in numbers]
    rows: Any
    for rows in (leaves, Leaf.decode_many([leaf.encode() for leaf in leaves])):
        with nltest.dial(refusing(numbers)) as conn:
            found = conn.execute(Leaves(conn).calls.many(Leaves.create, rows))
        assert [failure.row for failure in found] == wanted
        assert all(isinstance(failure.error, FileExistsError) for failure in found)


def test_failures_with_asyncio() -> None:
    async def main() -> None:
        async with nltest.dial_async(refusing({3, 64, 199})) as conn:
            many = Leaves(conn).calls.many
            found = await conn.execute(many(Leaves.create, [Leaf(number=i) for i in range(200)]))
            assert [failure.row for failure in found] == [3, 64, 199]
            assert await conn.execute(many(Leaves.create, [Leaf(number=3)] * 70, ignore=(errno.EEXIST,))) == []

    asyncio.run(main())
