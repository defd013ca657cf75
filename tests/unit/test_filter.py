"""Filters of conntrack: what they say, and that the kernel's program and the check in C mean the same."""

from __future__ import annotations

import errno
import ipaddress
import pickle
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import means, run
from netlink import AttributeDecoder, Family, Message, OpError, bpf, nltest
from netlink._engine.bpf_filter import program
from netlink._engine.match import Condition, Match
from netlink.family import Call
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import Counters, Event, Filter, Flow, Status, Tuple
from netlink.netfilter.conntrack.events import _KINDS
from netlink.netfilter.conntrack.filter import KERNELS, abilities, check_flush, part_of
from netlink.netfilter.conntrack.records import Part
from netlink.netfilter.nfnetlink import NfGenMsg

NEW, UPDATE, DESTROY = Event.NEW, Event.UPDATE, Event.DESTROY

# What a filter says


def test_a_mask_left_out_is_all_bits_of_the_mark_and_the_value_of_the_status() -> None:
    assert Filter(mark=5).mark_mask == 0xFFFFFFFF
    assert Filter(mark=5) == Filter(mark=5, mark_mask=0xFFFFFFFF)
    assert Filter(status=Status.ASSURED).status_mask is Status.ASSURED
    assert Filter(status=0, status_mask=8) != Filter(status=8)
    assert Filter(mark=0).mark == 0
    assert Filter(zone=0) != Filter()


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (Filter(), "Filter()"),
        (Filter(mark=1, mark_mask=3), "Filter(mark=1, mark_mask=3)"),
        (Filter(mark=1), "Filter(mark=1)"),
        (Filter(proto=6, src="10.0.0.0/8"), "Filter(proto=6, src='10.0.0.0/8')"),
        (Filter(dst=["10.0.0.1", "fd00::/8"]), "Filter(dst=('10.0.0.1/32', 'fd00::/8'))"),
        (Filter(src_port=(1, range(5, 9))), "Filter(src_port=(1, range(5, 9)))"),
        (Filter(exclude=Filter(zone=3)), "Filter(exclude=Filter(zone=3))"),
        (Filter(orig=Tuple(proto=6)), "Filter(orig=Tuple(proto=6))"),
    ],
)
def test_repr_and_pickle(made: Filter, shown: str) -> None:
    assert repr(made) == shown
    again = eval(shown, {"Filter": Filter, "Tuple": Tuple})
    assert again == made
    assert hash(again) == hash(made)
    assert pickle.loads(pickle.dumps(made)) == made


def test_equality() -> None:
    assert Filter(src="10.0.0.1") == Filter(src=ipaddress.ip_address("10.0.0.1")) == Filter(src=["10.0.0.1/32"])
    assert Filter(proto=6) == Filter(proto=(socket.IPPROTO_TCP,))
    assert Filter(proto=6) != Filter(proto=17)
    assert Filter() != "Filter()"


def test_immutable() -> None:
    made = Filter(mark=1)
    with pytest.raises(AttributeError, match="immutable"):
        made.mark = 2
    with pytest.raises(AttributeError, match="immutable"):
        del made.mark
    with pytest.raises(AttributeError, match="immutable"):
        made.__init__(mark=2)  # type: ignore[misc]
    with pytest.raises(AttributeError):
        made.colour = 1  # type: ignore[attr-defined]
    assert made == Filter(mark=1)


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        ({"mark": -1}, ValueError, "mark must be from 0 to 4294967295"),
        ({"mark": 1 << 32}, ValueError, "from 0 to"),
        ({"mark": "1"}, TypeError, "mark must be an int"),
        ({"mark": True}, TypeError, "mark must be an int"),
        ({"mark_mask": 1}, ValueError, "give mark too"),
        ({"mark": 0, "mark_mask": 0}, ValueError, "mark_mask must not be 0"),
        ({"mark": 2, "mark_mask": 1}, ValueError, "no record matches"),
        ({"status_mask": 1}, ValueError, "give status too"),
        ({"status": 0}, ValueError, "status=0 needs a status_mask"),
        ({"status": 8, "status_mask": 4}, ValueError, "no record matches"),
        ({"zone": 65536}, ValueError, "zone must be from 0 to 65535"),
        ({"orig": "10.0.0.1"}, TypeError, "orig must be a Tuple"),
        ({"reply": Tuple()}, ValueError, "without a field"),
        ({"orig": Tuple(src="10.0.0.1"), "reply": Tuple(src="fd00::1")}, ValueError, "one address family"),
        ({"proto": 256}, ValueError, "proto must be from 0 to 255"),
        ({"proto": "tcp"}, TypeError, "proto must be an int from 0 to 255, not 'tcp'"),
        ({"dst_port": [53, "dns"]}, TypeError, "dst_port must be an int from 0 to 65535, not 'dns'"),
        ({"sport": 5}, TypeError, "Filter has no 'sport'; it has .*src_port"),
        ({"proto": 6.0}, TypeError, "proto takes one value or several"),
        ({"proto": []}, ValueError, "proto is empty"),
        ({"src_port": 65536}, ValueError, "src_port must be from 0 to 65535"),
        ({"src_port": range(65530, 65537)}, ValueError, "src_port must be from 0 to 65535"),
        ({"dst_port": range(10, 10)}, ValueError, "dst_port: a range"),
        ({"dst_port": range(1, 10, 2)}, ValueError, "dst_port: a range"),
        ({"src": "10.0.0.1/8"}, ValueError, "src takes addresses and networks.*host bits"),
        ({"src": "home"}, ValueError, "src takes addresses and networks"),
        ({"dst": 1}, TypeError, "dst takes"),
        ({"dst": [1]}, TypeError, "dst takes"),
        ({"dst": ()}, ValueError, "dst is empty"),
        ({"event": 0}, ValueError, "NEW, UPDATE and DESTROY"),
        ({"event": 8}, ValueError, "NEW, UPDATE and DESTROY"),
        ({"event": "NEW"}, TypeError, "NEW, UPDATE and DESTROY"),
        ({"exclude": "all"}, TypeError, "exclude takes a Filter"),
        ({"exclude": Filter(exclude=Filter(mark=1))}, ValueError, "cannot have exclude itself"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Filter(**values)


@pytest.mark.parametrize("wrong", [{"mark": 1}, "mark", 5, Flow(mark=1)])
def test_what_is_no_filter_is_a_typeerror(wrong: Any) -> None:
    ct = nltest.serve(conntrack.Conn, {})
    for takes in (ct.dump, ct.calls.dump, ct.flush, ct.iter_dump, partial(ct.dump, zero=True)):
        with pytest.raises(TypeError, match=r"filter must be a conntrack\.Filter or None"):
            takes(wrong)
    for opens in (conntrack.listen, conntrack.Mirror):
        with pytest.raises(TypeError, match=r"filter must be a conntrack\.Filter or None"):
            opens(filter=wrong)


def test_only_keywords() -> None:
    with pytest.raises(TypeError):
        Filter(1)  # type: ignore[misc]
    with pytest.raises(TypeError, match="colour"):
        Filter(colour=1)  # type: ignore[call-arg]


# What the kernel is asked for


ABLE = frozenset({"mark", "status", "zone", "orig", "reply", "flush"})


def asked(chosen: Filter, family: int | None = None) -> tuple[dict[str, Any], list[str]]:
    part, left = part_of(chosen, family, ABLE)
    return Part.decode(part.encode()).to_dict(), left


def test_the_flags_of_the_tuples_are_in_host_byte_order() -> None:
    part, left = part_of(Filter(orig=Tuple(src="10.0.0.1", proto=6, dst_port=80)), None, ABLE)
    payload = part.encode()
    assert left == []
    assert struct.pack("=HHI", 8, 1, 1 | 8 | 32) in payload
    assert payload[0] == socket.AF_INET


def test_what_the_kernel_compares_is_asked_for_and_the_rest_is_left() -> None:
    v4 = {"header": {"family": socket.AF_INET, "version": 1, "res_id": 0}}
    assert asked(Filter(mark=1, mark_mask=3, zone=0))[1] == []
    assert asked(Filter(status=8)) == (
        {"header": {"family": 0, "version": 0, "res_id": 0}, "status": 8, "status_mask": 8},
        [],
    )
    # Ports of TCP and UDP alone, and with their protocol.
    assert asked(Filter(orig=Tuple(src_port=80)), socket.AF_INET) == (v4, ["orig"])
    assert asked(Filter(orig=Tuple(proto=132, src_port=80)), socket.AF_INET)[0]["filter"] == {"orig_flags": 8}
    assert asked(Filter(orig=Tuple(proto=132, src_port=80)), socket.AF_INET)[1] == ["orig"]
    assert asked(Filter(reply=Tuple(proto=17, src_port=80)), socket.AF_INET)[0]["filter"] == {"reply_flags": 24}
    # Without a family it refuses tuples; it compares IPv6 addresses the wrong way round.
    assert asked(Filter(orig=Tuple(proto=6)))[1] == ["orig"]
    assert asked(Filter(orig=Tuple(src="fd00::1")))[1] == ["orig"]
    assert "orig" not in asked(Filter(orig=Tuple(src="fd00::1")))[0]
    assert asked(Filter(orig=Tuple(zone=1, proto=6)), socket.AF_INET)[1] == ["orig"]
    assert asked(Filter(src="10.0.0.1", exclude=Filter(mark=1)))[1] == ["exclude", "src"]
    # What is none of the kernel's is nothing to ask it about.
    assert KERNELS.isdisjoint(Filter(src="10.0.0.1", exclude=Filter(mark=1)).given)
    assert not KERNELS.isdisjoint(Filter(src="10.0.0.1", mark=1).given)


def test_an_older_kernel_is_not_asked_for_what_it_ignores_or_gets_wrong() -> None:
    chosen = Filter(mark=1, status=8, zone=0, orig=Tuple(src="10.0.0.1"), reply=Tuple(dst="10.0.0.1"))
    # As 6.12, 6.1, 5.10 and 5.4 answer: what of a dump is left to do, and what of a flush.
    for able, of_a_dump, of_a_flush in [
        (ABLE, [], []),
        (ABLE - {"flush", "zone"}, ["zone"], ["orig", "reply", "zone"]),
        (frozenset({"mark", "orig"}), ["reply", "status", "zone"], ["orig", "reply", "status", "zone"]),
        (frozenset(), ["mark", "orig", "reply", "status", "zone"], ["mark", "orig", "reply", "status", "zone"]),
    ]:
        for flush, left in ((False, of_a_dump), (True, of_a_flush)):
            part, found = part_of(chosen, None, able, flush)
            assert found == left
            assert not part.to_dict().keys() & left


class OldKernel:
    """Answers to what `abilities` asks: known are the types of attributes that it knows."""

    def __init__(self, known: set[int], flushes: bool, unknown: int = errno.EOPNOTSUPP) -> None:
        self.known, self.flushes, self.unknown = known, flushes, unknown

    def __call__(self, message: Message | None) -> None:
        assert message is not None
        assert message.data[0] == 0  # a flow of no address family is none
        attributes = {a.type: a.data for a in AttributeDecoder(message.data[4:])}
        assert 1 in attributes  # without a tuple a delete is a flush
        if any(kind in self.known and attributes.get(kind) == b"?" for kind in (25, 26)):
            raise OpError("receive", errno.ERANGE)
        if message.header.type & 0xFF == 2 and 25 in self.known and self.flushes:
            raise OpError("receive", errno.EINVAL)
        raise OpError("receive", self.unknown)


def able(kernel: Callable[[Message | None], None]) -> frozenset[str]:
    """What abilities finds out of a kernel."""
    steps = abilities(Family.NETFILTER)
    call = next(steps)
    while True:
        try:
            assert isinstance(call, Call)
            try:
                kernel(call.message)
            except OpError as error:
                call = steps.throw(error)
            else:
                call = steps.send(None)
        except StopIteration as stop:
            found: frozenset[str] = stop.value
            return found


@pytest.mark.parametrize("unknown", [errno.EOPNOTSUPP, errno.ENOENT])
def test_what_a_kernel_can_do_is_asked_of_it(unknown: int) -> None:
    assert able(OldKernel({25, 26}, True, unknown)) == ABLE
    assert able(OldKernel({25, 26}, False, unknown)) == ABLE - {"flush", "zone"}
    assert able(OldKernel({25}, False, unknown)) == {"mark", "orig"}
    assert able(OldKernel(set(), False, unknown)) == set()
    assert able(lambda message: None) == set()
    for number in (errno.EPERM, errno.ETIMEDOUT, errno.EBADF, errno.ENOBUFS):
        with pytest.raises(OpError) as caught:
            able(OldKernel(set(), False, number))
        assert caught.value.errno == number


def test_a_flush_refuses_what_it_is_not_limited_by() -> None:
    for chosen, named in [
        (Filter(event=NEW), "event"),
        (Filter(src="10.0.0.0/8", proto=6), "proto, src"),
        (Filter(mark=1, exclude=Filter(zone=1)), "exclude"),
        (Filter(src_port=1, dst_port=2), "dst_port, src_port"),
    ]:
        with pytest.raises(ValueError, match=f"not by {named}$"):
            check_flush(chosen)
    with pytest.raises(ValueError, match="every flow"):
        check_flush(Filter())
    with pytest.raises(ValueError, match="AF_INET"):
        part_of(None, 1, ABLE, flush=True)
    with pytest.raises(ValueError, match="one address family"):
        part_of(Filter(orig=Tuple(src="10.0.0.1")), socket.AF_INET6, ABLE, flush=True)


# What it means: the check in C and the kernel's program against plain Python


def message(flow: Flow, event: Event, pad: bytes = b"") -> bytes:
    """The event as the kernel sends it."""
    type_, flags = {NEW: (0x100, 0x600), UPDATE: (0x100, 0), DESTROY: (0x102, 0)}[event]
    payload = flow.encode() + pad
    return struct.pack("=IHHII", 16 + len(payload), type_, flags, 0, 0) + payload


def passes(chosen: Filter, flow: Flow, event: Event) -> bool:
    return bool(run(program(chosen.clauses(True), Flow, _KINDS, 1), message(flow, event)))


ADDRESSES = {
    4: ["10.0.0.1", "10.0.0.2", "10.128.0.1", "192.0.2.1", "255.255.255.255", "0.0.0.0"],
    6: ["fd00::1", "fd00::2", "fd80::1", "2001:db8::1", "::ffff:10.0.0.1", "::"],
}
NETWORKS = [
    *ADDRESSES[4],
    *ADDRESSES[6],
    "10.0.0.0/8",
    "10.0.0.0/9",
    "10.0.0.0/31",
    "0.0.0.0/0",
    "fd00::/8",
    "fd00::/9",
    "fd00::/33",
    "fd00::/127",
    "::/0",
]
small = st.sampled_from([0, 1, 2, 3, 80, 0xFFFF])
bits = st.sampled_from([0, 1, 2, 3, 0x80000000, 0xFFFFFFFF])
events = st.sampled_from([NEW, UPDATE, DESTROY])


@st.composite
def tuples(draw: Any, version: int) -> Tuple:
    proto = draw(st.sampled_from([6, 17, 132, 1, 58]))
    values: dict[str, Any] = {
        "src": draw(st.sampled_from(ADDRESSES[version])),
        "dst": draw(st.sampled_from(ADDRESSES[version])),
        "proto": proto,
    }
    if proto in (1, 58):
        values |= {"icmp_type": draw(st.integers(0, 2)), "icmp_code": 0, "icmp_id": draw(small)}
    else:
        values |= {"src_port": draw(small), "dst_port": draw(small)}
    if draw(st.integers(0, 5)) == 0:
        values["zone"] = draw(st.integers(1, 3))
    return Tuple(**values)


@st.composite
def flows(draw: Any) -> Flow:
    version = draw(st.sampled_from([4, 6]))
    values: dict[str, Any] = {
        "orig": draw(tuples(version)),
        "reply": draw(tuples(version)),
        "header": NfGenMsg(family=2 if version == 4 else 10),
        "timeout": 5,
        "counters_orig": Counters(packets=1),
    }
    for name, value in (("mark", bits), ("status", bits), ("zone", st.integers(1, 3))):
        if draw(st.booleans()):
            values[name] = draw(value)
    # The kernel reports a zone in one place.
    if values.get("zone") or (values["orig"].zone and values["reply"].zone):
        for name in ("orig", "reply"):
            fields = {field: getattr(values[name], field) for field in Tuple.__fields__}
            values[name] = Tuple(**(fields | {"zone": None}))
    return Flow(**values)


@st.composite
def filters(draw: Any, exclude: bool = True) -> Filter:
    numbers = st.lists(st.one_of(small, st.sampled_from([range(1, 3), range(2, 81), range(65536)])), min_size=1)
    networks = st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=3)
    values: dict[str, Any] = {}
    choices: dict[str, st.SearchStrategy[Any]] = {
        "zone": st.integers(0, 3),
        "proto": st.lists(st.sampled_from([6, 17, 132, 1, range(2, 20)]), min_size=1, max_size=3),
        "src": networks,
        "dst": networks,
        "src_port": numbers,
        "dst_port": numbers,
        "event": st.sampled_from([NEW, UPDATE, DESTROY, NEW | DESTROY, UPDATE | DESTROY]),
        "orig": tuples(draw(st.sampled_from([4, 6]))),
    }
    for name in draw(st.lists(st.sampled_from(sorted(choices)), unique=True, max_size=3)):
        values[name] = draw(choices[name])
    if "orig" in values:
        names = draw(st.lists(st.sampled_from(sorted(values["orig"].to_dict())), min_size=1, unique=True, max_size=2))
        values["orig"] = Tuple(**{name: getattr(values["orig"], name) for name in names})
        if draw(st.booleans()):
            values["reply"] = values.pop("orig")
    for name in draw(st.sets(st.sampled_from(["mark", "status"]))):
        mask = draw(bits.filter(bool))
        values |= {name: draw(bits) & mask, f"{name}_mask": mask}
    if exclude:
        values["exclude"] = draw(st.lists(filters(exclude=False), max_size=2))
    return Filter(**values)


def with_event(flow: Flow, event: Event) -> Flow:
    return Flow(**{name: getattr(flow, name) for name in Flow.__fields__} | {"event": event})


@given(filters(), flows(), events)
def test_the_check_in_c_means_what_the_filter_says(chosen: Filter, flow: Flow, event: Event) -> None:
    event_flow = with_event(flow, event)
    wanted = chosen.match(events=True)
    assert wanted is not None
    assert wanted(event_flow) == means(chosen, event_flow)
    in_dump = chosen.match()
    assert in_dump is not None
    assert in_dump(flow) == means(chosen, flow, events=False)
    assert chosen.matches(event_flow) == wanted(event_flow)
    assert chosen.matches(flow) == in_dump(flow)


def has_icmp(chosen: Filter) -> bool:
    return any("icmp" in name for t in (chosen.orig, chosen.reply) if t for name in t.to_dict())


@given(filters(), flows(), events)
def test_the_program_drops_nothing_that_is_wanted_and_all_that_it_can_tell(
    chosen: Filter, flow: Flow, event: Event
) -> None:
    wanted = means(chosen, with_event(flow, event))
    passed = passes(chosen, flow, event)
    assert passed or not wanted
    if wanted or any(map(has_icmp, (chosen, *chosen.exclude))) or (flow.orig.src_port is None):
        return
    if any(t is not None and t.src_port is None for t in (flow.orig, flow.reply)):
        return  # without ports there is nothing to compare: the check in C decides
    assert not passed


@given(filters(), flows(), events, st.data())
def test_the_program_ends_on_any_bytes_and_passes_what_it_cannot_read(
    chosen: Filter, flow: Flow, event: Event, data: st.DataObject
) -> None:
    whole = message(flow, event)
    cut = whole[: data.draw(st.integers(16, len(whole)))]
    code = program(chosen.clauses(True), Flow, _KINDS, 1)
    run(code, cut)
    # An attribute of another width: a decoder reports it.
    odd = Flow(header=NfGenMsg(family=2), orig=flow.orig).encode() + struct.pack("=HH", 4, 8)
    assert run(program(Filter(mark=3).clauses(True), Flow, _KINDS, 1), whole[:16] + odd)


def test_other_messages_pass() -> None:
    code = program(Filter(mark=3, event=DESTROY).clauses(True), Flow, _KINDS, 1)
    for type_ in (2, 3, 0x101, 0x200, 0x400, 0x1):
        assert run(code, struct.pack("=IHHII", 20, type_, 0, 0, 0) + bytes(4))
    # Ours, but without the tuple: undecidable.
    assert run(code, struct.pack("=IHHII", 20, 0x100, 0, 0, 0) + bytes(4))


def test_flags_that_are_of_no_event_pass() -> None:
    flow = Flow(header=NfGenMsg(family=2), orig=Tuple(src="10.0.0.1", dst="10.0.0.2", proto=6), mark=3)
    data = bytearray(message(flow, UPDATE))
    data[6:8] = struct.pack("=H", 0x400)
    assert run(program(Filter(event=NEW).clauses(True), Flow, _KINDS, 1), bytes(data))


def test_a_long_list_needs_long_jumps() -> None:
    many = [f"10.{i // 256}.{i % 256}.1" for i in range(1000)] + [f"fd00:{i:x}::1" for i in range(100)]
    code = program(Filter(src=many).clauses(True), Flow, _KINDS, 1)
    assert 1000 < len(code) <= bpf.BPF_MAXINSNS
    assert all(max(instruction.jt, instruction.jf) <= 255 for instruction in code)
    for address in (many[0], many[700], many[999], many[1000], many[-1]):
        assert run(code, message(Flow(header=NfGenMsg(), orig=Tuple(src=address, proto=6)), NEW))
    for address in ("10.0.0.2", "fd01::1"):
        assert not run(code, message(Flow(header=NfGenMsg(), orig=Tuple(src=address, proto=6)), NEW))


def test_a_program_that_the_kernel_does_not_take_is_refused() -> None:
    many = [f"10.{i // 256}.{i % 256}.1" for i in range(5000)]
    with pytest.raises(ValueError, match=r"more than the kernel's 4096: name fewer"):
        program(Filter(src=many).clauses(True), Flow, _KINDS, 1)
    # Side by side they are one network, and one range.
    side_by_side = [f"10.0.{i // 256}.{i % 256}" for i in range(65536 // 4)]
    assert len(program(Filter(src=side_by_side, dst_port=list(range(5000))).clauses(True), Flow, _KINDS, 1)) < 100


# The match itself


def test_a_match_is_of_one_declaration() -> None:
    wanted = Match(Flow, [[Condition((("mark",),), ((1, 1),))]])
    with pytest.raises(TypeError, match="another declaration"):
        wanted(Tuple())  # type: ignore[arg-type]


def test_matches_of_one_flow() -> None:
    flow = Flow(orig=Tuple(src="10.0.0.1", proto=17, dst_port=53), mark=3)
    assert Filter(src="10.0.0.0/8", dst_port=53, mark=1, mark_mask=1).matches(flow)
    assert not Filter(dst_port=54).matches(flow)
    new = Filter(event=Event.NEW)
    assert new.matches(flow.replace(event=Event.NEW))
    assert not new.matches(flow.replace(event=Event.DESTROY))
    assert new.matches(flow)  # of a dump, which has no events
    for wrong in (flow.orig, None, "flow"):
        with pytest.raises(TypeError, match="Filter filters Flow records"):
            new.matches(wrong)  # type: ignore[arg-type]


def test_a_match_refuses_what_it_cannot_compare() -> None:
    for test in (
        Condition((("helper",),), ((1, 1),)),
        Condition((("master", "proto"),), ((1, 1),)),
        Condition((("mark",), ("orig", "src")), ((1, 1),)),
        Condition((("mark",),), ()),
    ):
        with pytest.raises(TypeError):
            Match(Flow, [[test]])
    with pytest.raises(ValueError, match="1 to 3"):
        Match(Flow, [[Condition((), ((1, 1),))]])
    with pytest.raises(ValueError, match="clause"):
        Match(Flow, [])


def test_an_address_that_is_absent_is_in_no_network() -> None:
    everywhere = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    for absent_is_zero in (False, True):
        wanted = Match(Flow, [[Condition((("orig", "src"),), everywhere, None, absent_is_zero)]])
        assert wanted(Flow(orig=Tuple(src="0.0.0.0")))
        assert wanted(Flow(orig=Tuple(src="::")))
        assert not wanted(Flow(orig=Tuple(dst="::")))
        assert not wanted(Flow())


def test_a_match_is_made_once() -> None:
    wanted = Match(Flow, [[Condition((("mark",),), ((1, 1),))]])
    with pytest.raises(TypeError, match="made once"):
        wanted.__init__(Flow, [[Condition((("mark",),), ((2, 2),))]])  # type: ignore[misc]
    assert wanted(Flow(mark=1))


class Liar(tuple[Any, ...]):
    """A tuple that tells of one item."""

    __slots__ = ()

    def __len__(self) -> int:
        return 1


def test_a_match_counts_for_itself() -> None:
    mark = Condition((("mark",),), ((1, 1),))
    with pytest.raises(ValueError, match="1 to 3 fields, not 5000"):
        Match(Flow, [[Condition(Liar([("mark",)] * 5000), ((1, 1),))]])
    assert Match(Flow, [[Condition((("mark",),), Liar([(n, n) for n in range(5000)]))]])(Flow(mark=4999))
    assert not Match(Flow, [Liar([mark] * 5000 + [Condition((("mark",),), ((2, 2),))])])(Flow(mark=1))
    assert not Match(Flow, Liar([[mark]] * 5000))(Flow(mark=1))


@pytest.mark.parametrize(("size", "bits"), [(3, 0), (16, 129), (16, -1)])
def test_a_match_refuses_a_network_that_is_none(size: int, bits: int) -> None:
    class Network:
        version = 6
        prefixlen = bits

        class network_address:  # noqa: N801
            packed = bytes(size)

    with pytest.raises(ValueError, match="not a network"):
        Match(Flow, [[Condition((("orig", "src"),), (Network(),))]])


def test_a_match_takes_fields_of_the_declaration_alone() -> None:
    class Foreign:
        __fields__ = Tuple.__fields__
        __table__ = Flow.__table__

    foreign: Any = Foreign
    with pytest.raises(TypeError):
        Match(foreign, [[Condition((("src",),), (ipaddress.ip_network("::/0"),))]])
