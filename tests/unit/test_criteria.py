"""Filters that a family declares: `netlink.match.Criteria`, over a declaration of the tests' own."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterable
from enum import IntFlag
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Any

import pytest

from netlink import Conn, Header, Message, nltest
from netlink.consts import HeaderFlags
from netlink.family import Call
from netlink.match import (
    Condition,
    Criteria,
    Criterion,
    ManyNetworks,
    ManyNumbers,
    Match,
    OneNumber,
    SomeBits,
    bits,
    excluded,
    fields,
    mask,
    networks,
    number,
    numbers,
    one_of,
)
from netlink.schema import (
    IP,
    AttributeSet,
    Field,
    Int,
    Member,
    Str,
    Struct,
    event,
    ip,
    nested,
    s32,
    string,
    u8,
    u16,
    u32,
)


class Up(IntFlag):
    """Flags of a port."""

    RUNNING = 1
    LOOP = 2
    FAST = 4


class What(IntFlag):
    """What became of a port."""

    NEW = 1
    GONE = 2


class Head(Struct):
    """What is before the attributes."""

    index: Int = u32()
    kind: Int = u8()
    pad: Int = u8()
    rest: Int = u16()


class End(AttributeSet):
    """One end of a cable."""

    address: IP = ip(1)
    port: Int = u16(2)
    name: Str = string(3)


class Port(AttributeSet, header=Head):
    """A port with its cable."""

    index: Int = Head.index

    mtu: Int = u32(1)
    flags: Member[Up] = u32(2, enum=Up)
    mark: Int = u32(3)
    near: Field[End | None] = nested(4, End)
    far: Field[End | None] = nested(5, End)
    other_mtu: Int = u32(6)
    what: Member[What] = event(What)


class Ports(Criteria[Port], declaration=Port, event="what"):
    """Which ports."""

    what: Criterion[What | None, What | None] = one_of("what", What)
    index: OneNumber = number("header.index", most=100)
    mtu: ManyNumbers = numbers("mtu", 0xFFFF)
    either_mtu: OneNumber = number("mtu", "other_mtu")
    address: ManyNetworks = networks("near.address")
    near: Criterion[End | None, End | None] = fields("near", End, absent_is_zero=["port"])
    flags: Criterion[int | None, Up | None] = bits("flags", Up)
    flags_mask: Criterion[int | None, Up | None] = mask(Up)
    mark: SomeBits = bits("mark")
    mark_mask: SomeBits = mask()
    leave: Criterion[Ports | Iterable[Ports], tuple[Ports, ...]] = excluded(lambda: Ports)


PORTS = [
    Port(index=1, mtu=1500, flags=Up.RUNNING, mark=0xAB, near=End(address="192.0.2.1", port=5)),
    Port(index=2, mtu=9000, flags=Up.RUNNING | Up.FAST, mark=0x0B, near=End(address="2001:db8::1")),
    Port(index=3, flags=Up.LOOP, other_mtu=1500),
    Port(mtu=65535),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Ports(), [0, 1, 2, 3]),
        (Ports(index=2), [1]),
        (Ports(index=0), [3]),  # an absent header reads as 0
        (Ports(mtu=1500), [0]),
        (Ports(mtu=range(1500, 9000)), [0]),
        (Ports(mtu=range(1500, 9001)), [0, 1]),
        (Ports(mtu=[range(1500), 9000, 65535]), [1, 3]),
        (Ports(either_mtu=1500), [0, 2]),
        (Ports(either_mtu=0), []),
        (Ports(address="192.0.2.0/24"), [0]),
        (Ports(address=[ip_address("2001:db8::1"), IPv4Network("192.0.2.1")]), [0, 1]),
        (Ports(address=["0.0.0.0/0", "::/0"]), [0, 1]),
        (Ports(near=End(port=5)), [0]),
        (Ports(near=End(port=0)), [1, 2, 3]),
        (Ports(near=End(address="2001:db8::1", port=0)), [1]),
        (Ports(flags=Up.RUNNING), [0, 1]),
        (Ports(flags=Up.RUNNING, flags_mask=Up.RUNNING | Up.FAST), [0]),
        (Ports(flags=0, flags_mask=Up.RUNNING), [2, 3]),
        (Ports(mark=0x0B), [1]),
        (Ports(mark=0x0B, mark_mask=0x0F), [0, 1]),
        (Ports(mark=0), [2, 3]),
        (Ports(leave=Ports(mtu=1500)), [1, 2, 3]),
        (Ports(leave=[Ports(index=1), Ports(flags=Up.LOOP)]), [1, 3]),
        (Ports(flags=Up.RUNNING, leave=Ports(mtu=1500)), [1]),
    ],
)
def test_every_kind_by_records_and_by_a_dump(wanted: Ports, found: list[int]) -> None:
    match = wanted.match()
    assert [i for i, port in enumerate(PORTS) if match(port)] == found

    def answer(requests: list[Message]) -> list[Message]:
        return nltest.multipart([*(requests[0].replace(length=0, data=port.encode()) for port in PORTS), Message()])

    request = Message(Header(type=16, flags=HeaderFlags.REQUEST | HeaderFlags.DUMP))
    conn: Conn
    with nltest.dial(answered(answer)) as conn:
        assert list(conn.dump(request, Port, match=match)) == [PORTS[i] for i in found]
        assert list(conn.execute(Call(16, b"", Port, dump=True).matching(match))) == [PORTS[i] for i in found]


def answered(answer: Callable[[list[Message]], list[Message]]) -> Callable[[list[Message]], list[Message]]:
    """The answer in messages of the request's numbers."""

    def fn(requests: list[Message]) -> list[Message]:
        header = requests[0].header
        return [m.replace(length=0, sequence=header.sequence, pid=header.pid) for m in answer(requests)]

    return fn


def test_an_event_counts_in_streams_alone() -> None:
    new, gone, dumped = (port.replace(what=what) for port in PORTS[:1] for what in (What.NEW, What.GONE, None))
    wanted = Ports(what=What.NEW)
    assert [wanted.match(events=True)(port) for port in (new, gone, dumped)] == [True, False, False]
    assert wanted.match()(dumped)
    both = Ports(what=What.NEW | What.GONE).match(events=True)
    assert [both(port) for port in (new, gone, dumped)] == [True, True, False]
    without = Ports(leave=Ports(what=What.GONE))
    assert [without.match(events=True)(port) for port in (new, gone, dumped)] == [True, False, True]
    assert without.match()(dumped)


def test_a_match_is_compiled_once() -> None:
    wanted = Ports(mtu=1500)
    assert wanted.match() is wanted.match()
    assert wanted.match(events=True) is wanted.match()  # there is no event to distinguish them
    new = Ports(what=What.NEW)
    assert new.match(events=True) is new.match(events=True)
    assert new.match(events=True) is not new.match()
    assert wanted.clauses() is wanted.clauses()


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ({"index": 101}, ValueError, "index must be from 0 to 100, not 101"),
        ({"index": -1}, ValueError, "index must be from 0"),
        ({"index": True}, TypeError, "index must be an int"),
        ({"index": "1"}, TypeError, "index must be an int"),
        ({"mtu": 65536}, ValueError, "mtu must be from 0 to 65535"),
        ({"mtu": []}, ValueError, "mtu is empty and matches no record"),
        ({"mtu": 1.5}, TypeError, "mtu takes one value or several"),
        ({"mtu": range(5, 5)}, ValueError, "mtu: a range"),
        ({"mtu": range(1, 9, 2)}, ValueError, "mtu: a range"),
        ({"mtu": range(-1, 5)}, ValueError, "mtu must be from 0"),
        ({"mtu": ["1"]}, TypeError, "mtu must be an int"),
        ({"address": "192.0.2.1/24"}, ValueError, "address takes addresses and networks.*host bits"),
        ({"address": 5}, TypeError, "address takes one value or several"),
        ({"address": [b"abcd"]}, TypeError, "address takes addresses and networks"),
        ({"near": PORTS[0]}, TypeError, "near must be a End"),
        ({"near": End()}, ValueError, "near is a End without a field"),
        ({"near": End(name="x")}, TypeError, "near: name is neither a number nor an address"),
        ({"flags": 0}, ValueError, "flags=0 needs a flags_mask"),
        ({"flags": Up.FAST, "flags_mask": Up.LOOP}, ValueError, "flags 0x4 has bits .* no record matches"),
        ({"flags_mask": Up.LOOP}, ValueError, "give flags too"),
        ({"flags": "up"}, TypeError, "flags must be an int"),
        ({"mark": 0, "mark_mask": 0}, ValueError, "mark_mask must not be 0"),
        ({"mark": 1 << 32}, ValueError, "mark must be from 0"),
        ({"what": 0}, ValueError, "what must be one or more of NEW and GONE"),
        ({"what": 4}, ValueError, "what must be one or more"),
        ({"what": True}, TypeError, "what must be one or more"),
        ({"leave": 5}, TypeError, "leave takes a Ports or several, not 5"),
        ({"leave": ["x"]}, TypeError, "leave takes a Ports or several, not 'x'"),
        ({"leave": Ports(leave=Ports(mtu=1))}, ValueError, "leave: a Ports that is excluded cannot have leave itself"),
        ({"colour": 1}, TypeError, "Ports has no 'colour'; it has what, index"),
    ],
)
def test_wrong_values(values: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Ports(**values)


def test_values_are_read_as_they_were_understood() -> None:
    one = Ports(mtu=5, address="192.0.2.0/24", flags=1, near=End(port=1))
    assert (one.mtu, one.address) == ((5,), (IPv4Network("192.0.2.0/24"),))
    assert (one.flags, one.flags_mask) == (Up.RUNNING, Up.RUNNING)
    assert isinstance(one.flags, Up)
    assert (one.mark, one.mark_mask, one.index, one.leave, one.what) == (None, None, None, (), None)
    assert Ports(mark=1).mark_mask == 0xFFFFFFFF
    assert Ports(leave=[]).given == Ports(index=None).given == {}
    assert Ports(address=[IPv4Address("192.0.2.1"), "::1"]).address == (IPv4Network("192.0.2.1"), IPv6Network("::1"))
    assert isinstance(Ports.mtu, Criterion)


def test_immutable() -> None:
    one = Ports(mtu=5)
    with pytest.raises(AttributeError, match="immutable"):
        setattr(one, "mtu", 6)  # noqa: B010 - which type checkers refuse
    with pytest.raises(AttributeError, match="immutable"):
        one.given = {}  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        del one.mtu
    with pytest.raises(AttributeError, match="immutable"):
        one.__init__(mtu=6)  # type: ignore[misc]
    assert one == Ports(mtu=5)


@pytest.mark.parametrize(
    ("one", "shown"),
    [
        (Ports(), "Ports()"),
        (Ports(mtu=5, index=1), "Ports(index=1, mtu=5)"),
        (Ports(mtu=(5, range(7, 9))), "Ports(mtu=(5, range(7, 9)))"),
        (Ports(address=["192.0.2.1", "::/0"]), "Ports(address=('192.0.2.1/32', '::/0'))"),
        (Ports(flags=Up.FAST), f"Ports(flags={Up.FAST!r})"),
        (Ports(mark=1, mark_mask=3), "Ports(mark=1, mark_mask=3)"),
        (Ports(mark=1), "Ports(mark=1)"),
        (Ports(near=End(port=1)), f"Ports(near={End(port=1)!r})"),
        (Ports(leave=Ports(mtu=1)), "Ports(leave=Ports(mtu=1))"),
        (Ports(leave=(Ports(mtu=1), Ports(mtu=2))), "Ports(leave=(Ports(mtu=1), Ports(mtu=2)))"),
    ],
)
def test_repr_pickle_and_copy(one: Ports, shown: str) -> None:
    assert repr(one) == shown
    for again in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
        assert again == one
        assert hash(again) == hash(one)
        assert repr(again) == shown
        assert [again.match()(port) for port in PORTS] == [one.match()(port) for port in PORTS]


def test_equality() -> None:
    assert Ports(mtu=5) == Ports(mtu=[5])
    assert Ports(mark=5) == Ports(mark=5, mark_mask=0xFFFFFFFF)
    assert hash(Ports(index=1, mtu=5)) == hash(Ports(mtu=5, index=1))
    assert Ports(mtu=5) != Ports(mtu=6)
    assert Ports(mtu=0) != Ports()
    assert Ports() != Ends()
    assert len({Ports(mtu=5), Ports(mtu=[5]), Ports()}) == 2


def test_without_a_criterion() -> None:
    one = Ports(what=What.NEW, mark=1, flags=Up.FAST)
    assert one.without("what") == Ports(mark=1, flags=Up.FAST)
    assert one.without("mark") == Ports(what=What.NEW, flags=Up.FAST)  # and without its mask
    assert one.without("mtu") is one


class Ends(Criteria[End], declaration=End):
    """Which ends."""

    port: OneNumber = number("port")


def test_a_match_of_another_declaration_is_refused() -> None:
    with pytest.raises(TypeError, match="another declaration"):
        Ends(port=1).match()(PORTS[0])  # type: ignore[arg-type]


def test_a_derived_filter_has_the_criteria_of_its_base() -> None:
    class More(Ports):
        far: ManyNetworks = networks("far.address")

    assert list(More.criteria) == [*Ports.criteria, "far"]
    assert More.event_name == "what"
    match = More(mtu=5, far="::1").match()
    assert match(Port(mtu=5, far=End(address="::1")))
    assert not match(Port(mtu=5))
    assert not match(Port(far=End(address="::1")))


def test_what_a_declaration_of_criteria_lacks_is_said() -> None:
    with pytest.raises(TypeError, match="needs declaration="):

        class Nothing(Criteria[Port]):
            pass

    with pytest.raises(TypeError, match=r"Maskless\.flags needs flags_mask"):

        class Maskless(Criteria[Port], declaration=Port):
            flags: SomeBits = bits("flags")

    with pytest.raises(TypeError, match="no criterion 'when' for its event"):

        class Eventless(Criteria[Port], declaration=Port, event="when"):
            pass

    class Astray(Criteria[Port], declaration=Port):
        colour: OneNumber = number("colour")

    with pytest.raises(TypeError, match="colour"):
        Astray(colour=1).match()


class SignedHead(Struct):
    """A header as that of links, whose index is signed."""

    index: Int = s32()
    kind: Int = u32()


class Signed(AttributeSet, header=SignedHead):
    """A record of the kind."""

    number: Int = u32(1)


def test_signed_integers_are_compared_by_their_value() -> None:
    records = [Signed(index=index) for index in (-2, -1, 0, 7)]

    def chosen(low: int, high: int) -> list[int | None]:
        wanted = Match(Signed, [[Condition((("header", "index"),), ((low, high),))]])
        return [record.header.index for record in records if record.header and wanted(record)]

    assert chosen(7, 7) == [7]
    assert chosen(0, 9) == [0, 7]
    assert chosen(-2, -1) == [-2, -1]
    with pytest.raises(ValueError, match="below 0 or from 0 on"):
        chosen(-1, 1)
