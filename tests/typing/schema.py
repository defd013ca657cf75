"""What type checkers must know of declarations and their records. Checked by mypy and pyright, never run."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal, assert_type

from netlink.schema import (
    IP,
    AttributeSet,
    Batch,
    Bitfield32,
    Bits,
    Bytes,
    Column,
    Columns,
    Field,
    Flag,
    Int,
    IPv4,
    IPv6,
    Items,
    Member,
    MissingAttribute,
    Sockaddr,
    SocketAddress,
    Str,
    Struct,
    View,
    array,
    be16,
    be32,
    binary,
    bitfield32,
    chain,
    event,
    flag,
    ip,
    ipv4,
    ipv6,
    key,
    lladdr,
    mac,
    nested,
    outer,
    packed,
    pad,
    repeated,
    rest,
    s32,
    sbe16,
    sequence,
    sint,
    sockaddr,
    string,
    struct,
    submessage,
    u8,
    u32,
    u64,
    view,
)


class State(IntEnum):
    OPEN = 1


class Status(IntFlag):
    SEEN = 1


class Header(Struct):
    family = u8()
    res_id = be16()
    addr = ipv4()
    pad = binary(size=2)


class Counters(AttributeSet):
    packets: Int = u32(1)


class Derived(Counters, lenient=True, unknown=False, ignore=(4, 5)):
    more: Int = u32(2)


class Inner(Struct, aligned=True):
    gap = pad(3)
    head: Field[Header | None] = struct(None, Header)


class Empty(AttributeSet):
    pass


class Uevent(AttributeSet):
    texts: Items[str] = rest(texts=True)


class Payload(AttributeSet, header=Header):
    data: Bytes = rest()


class Peer(AttributeSet):
    endpoint: Sockaddr = sockaddr(1)
    family: Int = u8(2)
    source: IP = ip(3, size=16, family="family")
    skew: Int = sbe16(4)
    states: Items[State] = packed(5, u32, enum=State)
    flags: Bits = bitfield32(6, enum=Status)


def addresses(peer: Peer, event: Uevent, payload: Payload) -> None:
    assert_type(peer.endpoint, SocketAddress | None)
    assert_type(peer.source, IPv4Address | IPv6Address | None)
    assert_type(peer.states, tuple[State, ...] | None)
    assert_type(event.texts, tuple[str, ...] | None)
    assert_type(payload.data, bytes | None)
    if peer.endpoint is not None:
        assert_type(peer.endpoint.port, int)
    Peer(endpoint="192.0.2.1:7", source="::1")
    Peer(endpoint=("192.0.2.1", 7))
    Peer(endpoint=7)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


class Tuple(AttributeSet):
    src = ip((1, 1), (1, 3), required=True)
    dst = ip((1, 2), (1, 4))
    port = be16((2, 1), type6=(2, 2), of="src")
    counters = nested(3, Counters)


class Flow(AttributeSet, header=Header):
    orig = nested(1, Tuple, required=True)
    reply = nested(2, Tuple)
    seldom = nested(17, Tuple, rare=True)
    status = be32(3, enum=Status)
    state = u8(4, enum=State, required=True)
    mark = u32(5)
    timeout = u32(6, required=True)
    delta = s32(7)
    skew = sint(8)
    name = string(9)
    data = binary(10)
    fixed = binary(11, size=4)
    hw = mac(12)
    link = lladdr(112)
    v4 = ipv4(13)
    v6 = ipv6(14)
    on = flag(15)
    stats = struct(16, Header)
    tuples = repeated(18, Tuple)
    numbers = repeated(19, u32)
    listed = array(20, Counters)
    names = array(21, string)
    pack = packed(22, u8)
    bits = bitfield32(24)
    sub = submessage(23, on="name", cases={"a": Counters})
    any_form: Field[Counters | Inner | Empty | bytes | None] = submessage(
        25, on="name", cases={"a": Counters, "b": Inner, "c": Empty}
    )


class IfInfoMsg(Struct):
    family: Int = u8()
    index: Int = s32()
    flags: Member[Status] = u32(enum=Status)


class Port(AttributeSet):
    number: Int = be16(1)


class Link(AttributeSet, header=IfInfoMsg):
    """Each kind with its annotation."""

    header: IfInfoMsg | None = None
    index: Int = IfInfoMsg.index
    state_flags: Member[Status] = IfInfoMsg.flags
    mtu: Int = u32(4)
    need: Field[int] = u32(5, required=True)
    at: Int = u64(25, time="ns")
    until: Field[int] = u64(26, required=True, time="s")
    state: Member[State] = u8(6, enum=State)
    exact: Field[State | None] = u8(7, enum=State)
    name: Str = string(8)
    hw: Str = mac(9)
    link: Str = lladdr(10)
    data: Bytes = binary(11)
    payload: View = view(12)
    on: Flag = flag(13)
    bits: Bits = bitfield32(14)
    v4: IPv4 = ipv4(15)
    v6: IPv6 = ipv6(16)
    either: IP = ip(17)
    port: Field[Port | None] = nested(18, Port)
    main: Field[Port] = nested(19, Port, required=True)
    stats: Field[IfInfoMsg | None] = struct(20, IfInfoMsg)
    ports: Items[Port] = array(21, Port)
    numbers: Items[int] = repeated(22, u32)
    pack: Items[int] = packed(23, u8)
    states: Items[State] = repeated(27, u8(enum=State))
    addresses: Items[IPv4Address] = array(28, ipv4())
    headers: Items[IfInfoMsg] = repeated(29, IfInfoMsg)
    table: Items[IfInfoMsg] = packed(30, IfInfoMsg)
    levels: Items[Port] = array(31, Port, depth=2)
    place: Int = key()
    sub: Field[Port | bytes | None] = submessage(24, on="name", cases={"a": Port})
    event: Member[State] = event(State)


class Rule(AttributeSet):
    """Functions in the place of classes."""

    inner: Field[Rule | None] = nested(1, lambda: Rule)
    needed: Field[Rule] = nested(2, lambda: Rule, required=True)
    rules: Items[Rule] = repeated(3, lambda: Rule)
    listed: Items[Late] = array(4, lambda: Late)
    data: Field[Rule | bytes | None] = submessage(5, on="kind", cases={1: lambda: Rule})
    mixed: Field[Rule | Late | Port | bytes | None] = submessage(
        6, on="kind", cases={1: lambda: Rule, 2: lambda: Late, 3: Port}
    )
    kind: Int = u8(7)
    steps: Items[Rule] = sequence(10, lambda: Rule)
    ports: Items[Port] = sequence(11, Port)
    chained: Items[Link] = chain(12, Link)
    around: Field[Rule | bytes | None] = submessage(8, on=outer(1), cases={1: lambda: Rule})
    by_header: Field[Port | bytes | None] = submessage(9, on=outer(IfInfoMsg.family), cases={1: Port})


class Late(AttributeSet):
    number: Int = u8(1)


nested(1, lambda: 3)  # type: ignore[arg-type, return-value] # pyright: ignore


def rules(rule: Rule) -> None:
    assert_type(rule.inner, Rule | None)
    assert_type(rule.needed, Rule)
    assert_type(rule.rules, tuple[Rule, ...] | None)
    assert_type(rule.listed, tuple[Late, ...] | None)
    assert_type(rule.data, Rule | bytes | None)
    Rule(inner=Rule(), rules=[Rule()], listed=[Late(number=1)], data=b"", kind=1, needed=rule)
    Rule(listed=[Rule()])  # type: ignore[list-item] # pyright: ignore


def reads(link: Link) -> None:
    assert_type(link.header, IfInfoMsg | None)
    assert_type(link.index, int | None)
    assert_type(link.state_flags, Status | None)
    assert_type(link.need, int)
    assert_type(link.state, State | None)
    assert_type(link.exact, State | None)
    assert_type(link.hw, str | None)
    assert_type(link.data, bytes | None)
    assert_type(link.payload, memoryview | None)
    assert_type(link.on, Literal[True] | None)
    assert_type(link.bits, Bitfield32 | None)
    assert_type(link.v4, IPv4Address | None)
    assert_type(link.either, IPv4Address | IPv6Address | None)
    assert_type(link.main, Port)
    assert_type(link.ports, tuple[Port, ...] | None)
    assert_type(link.pack, tuple[int, ...] | None)
    assert_type(link.states, tuple[State, ...] | None)
    assert_type(link.addresses, tuple[IPv4Address, ...] | None)
    assert_type(link.table, tuple[IfInfoMsg, ...] | None)
    assert_type(link.levels, tuple[Port, ...] | None)
    assert_type(link.place, int | None)
    assert_type(link.sub, Port | bytes | None)
    assert_type(link.event, State | None)
    assert_type(Link.mtu, Int)
    assert_type(Link.index, Int)
    assert_type(Link.state, Member[State])


def constructors(link: Link) -> None:
    assert_type(Link(), Link)
    assert_type(Link(header=IfInfoMsg(index=3), need=1, main=Port(), port=None, stats=IfInfoMsg()), Link)
    # What is read as something else.
    Link(index=3, state_flags=1, state=1, exact=State.OPEN, data=bytearray(), payload=b"", on=False, bits=(1, 1))
    Link(v4="192.0.2.1", v6=IPv6Address("::1"), either="::1", ports=[Port()], numbers=range(3), pack=[1], event=1)
    Link(sub=Port(), name=None)
    Link(mut=3)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    Link(3)  # type: ignore[call-arg, arg-type] # pyright: ignore[reportCallIssue]
    Link(mtu="3")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Link(exact=1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Link(need=None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Link(v4=IPv6Address("::1"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Link(ports=[3])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    Link(header=Port())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    IfInfoMsg(idx=3)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    link.mtu = 3  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    link.header = None  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


def derived(record: Derived) -> None:
    assert_type(Derived(packets=1, more=2), Derived)
    assert_type(record.packets, int | None)
    assert_type(Inner(head=Header()).head, Header | None)
    Derived(packet=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    Inner(gap=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


u64(1, time="h")  # type: ignore[call-overload] # pyright: ignore


class Wrong(AttributeSet):
    """An annotation that is not what the kind reads as."""

    number: Int = string(1)  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    port: Field[IfInfoMsg | None] = nested(2, Port)  # type: ignore[arg-type] # pyright: ignore


def fields(flow: Flow) -> None:
    assert_type(flow.orig, Tuple)
    assert_type(flow.orig.src, IPv4Address | IPv6Address)
    assert_type(flow.orig.dst, IPv4Address | IPv6Address | None)
    assert_type(flow.orig.port, int | None)
    assert_type(flow.reply, Tuple | None)
    assert_type(flow.seldom, Tuple | None)
    assert_type(flow.status, Status | None)
    assert_type(flow.state, State)
    assert_type(flow.mark, int | None)
    assert_type(flow.timeout, int)
    assert_type(flow.delta, int | None)
    assert_type(flow.skew, int | None)
    assert_type(flow.name, str | None)
    assert_type(flow.data, bytes | None)
    assert_type(flow.fixed, bytes | None)
    assert_type(flow.hw, str | None)
    assert_type(flow.link, str | None)
    assert_type(flow.v4, IPv4Address | None)
    assert_type(flow.v6, IPv6Address | None)
    assert_type(flow.on, Literal[True] | None)
    assert_type(flow.stats, Header | None)
    assert_type(flow.tuples, tuple[Tuple, ...] | None)
    assert_type(flow.listed, tuple[Counters, ...] | None)
    assert_type(flow.numbers, tuple[Any, ...] | None)
    assert_type(flow.names, tuple[Any, ...] | None)
    assert_type(flow.pack, tuple[int, ...] | None)
    assert_type(flow.bits, Bitfield32 | None)
    assert_type(flow.sub, Counters | bytes | None)
    if flow.reply is not None and flow.reply.counters is not None:
        assert_type(flow.reply.counters.packets, int | None)
    if flow.stats is not None:
        assert_type(flow.stats.res_id, int | None)
        assert_type(flow.stats.addr, IPv4Address | None)
        assert_type(flow.stats.pad, bytes | None)


def classes() -> None:
    assert_type(Flow.status, Member[Status])
    assert_type(Flow.timeout, Field[int, int | None])
    assert_type(Flow.orig, Field[Tuple, Tuple | None])
    assert_type(Flow.tuples, Items[Tuple])
    assert_type(Flow.status.name, str)
    error: AttributeError = MissingAttribute()
    del error


def records(flow: Flow, payload: memoryview) -> None:
    # Without annotations a type checker knows no arguments.
    Flow(status=8)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    assert_type(Flow(), Flow)
    assert_type(Flow.decode(payload), Flow)
    assert_type(flow.encode(), bytes)
    assert_type(flow.to_dict(), dict[str, Any])
    assert_type(flow.to_dict(json=True), dict[str, Any])
    assert_type(copy.copy(flow), Flow)
    assert_type(flow.replace(mark=1), Flow)
    assert_type(flow.unknown, tuple[tuple[int, bytes], ...])
    assert_type(Header.decode(payload).family, int | None)


def batches(payloads: list[bytes]) -> None:
    batch = Flow.decode_many(payloads)
    assert_type(batch, Batch[Flow])
    assert_type(batch[0], Flow)
    assert_type(batch[0].status, Status | None)
    assert_type(batch[1:], Batch[Flow])
    assert_type(batch["orig_src"], Column)
    assert_type(batch.select("orig_src", "mark"), Columns)
    assert_type(batch.arrow()["mark"], Column)
    assert_type(list(batch["mark"]), list[Any])
    assert_type(batch + batch, Batch[Flow])
    assert_type(Batch.concat([batch]), Batch[Flow])
    batch + list(batch)  # type: ignore[operator] # pyright: ignore
    assert_type(iter(batch), Iterator[Flow])
    assert_type(len(batch), int)
    assert_type(batch.nbytes, int)
    assert_type(batch.interrupted, bool)
    assert_type(batch.arrow("binary").__arrow_c_array__(), tuple[object, object])
    assert_type(batch.__arrow_c_stream__(), object)
    for flow in batch:
        assert_type(flow, Flow)
