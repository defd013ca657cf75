"""Fuzz target: the Python interface, on any bytes.

    python tests/fuzz/fuzz_api.py [libFuzzer's options] [CORPUS...]

atheris runs it; `make fuzz-api` lets it see the C too. The first byte chooses one of `TARGETS`, and what they are given
is made of the others. Each allows the errors that its callers expect, and checks what must hold of what came out.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import pickle
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any, TypeVar

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import filters
from netlink import (
    AttributeDecoder,
    Conn,
    DecodeError,
    EncodeError,
    Header,
    Message,
    OpError,
    marshal_attributes,
    route,
    schema,
    unmarshal_attributes,
    unmarshal_messages,
    validate,
)
from netlink._engine import bpf_filter
from netlink._engine.receive import Reader
from netlink._engine.rows import Preparation, Rows
from netlink.debug import Debugger
from netlink.family import Call
from netlink.netfilter import pcapng
from netlink.netfilter.conntrack import Event, Expect, Filter, Flow, Stats, StatsExpect, StatsGlobal, Status, Tuple
from netlink.netfilter.conntrack.events import _KINDS
from netlink.netfilter.conntrack.filter import part_of
from netlink.netfilter.nflog import Packet
from netlink.schema import AttributeSet, Field, Record, Struct

_T = TypeVar("_T")

RECORDS: tuple[type[Record], ...] = (Flow, Packet, Expect, Stats, StatsExpect, StatsGlobal)


class Input:
    """Values made of bytes; zeros behind their end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        taken = self.data[self.at : self.at + size]
        self.at += len(taken)
        return taken

    def number(self, width: int = 1) -> int:
        return int.from_bytes(self.take(width), "big")

    def choose(self, choices: Sequence[_T]) -> _T:
        return choices[self.number() % len(choices)]

    def rest(self) -> bytes:
        return self.take(len(self.data))


# The attributes and messages of the core


def attributes(source: Input) -> None:
    order = source.choose(("native", "little", "big"))
    data = source.rest()
    with contextlib.suppress(DecodeError):
        found = unmarshal_attributes(data)
        again = marshal_attributes(found)
        assert unmarshal_attributes(again) == found
        walked = walk(AttributeDecoder(data, order), 0)
        assert walked == len(found)


def walk(decoder: AttributeDecoder, depth: int) -> int:
    count = len(decoder)
    for number, attribute in enumerate(decoder):
        assert number < count
        size = len(attribute.data)
        assert attribute.bytes() == attribute.do(bytes) == attribute.data
        for width in (8, 16, 32, 64):
            for kind in ("uint", "int"):
                try:
                    value = getattr(attribute, f"{kind}{width}")()
                except DecodeError:
                    assert size * 8 != width
                else:
                    assert size * 8 == width
                    low = 0 if kind == "uint" else -1 << width - 1
                    assert low <= value < 1 << width
        attribute.string().encode("utf-8", "surrogateescape")
        with contextlib.suppress(DecodeError):
            attribute.flag()
        with contextlib.suppress(DecodeError):
            if depth < 6:
                attribute.nested(lambda inner: walk(inner, depth + 1))
    return count


def messages(source: Input) -> None:
    data = source.rest()
    with contextlib.suppress(DecodeError):
        one = Message.unmarshal_binary(data)
        if one.header.length % 4 == 0:  # else it has no form of its own
            assert Message.unmarshal_binary(one.marshal_binary()) == one
        assert pickle.loads(pickle.dumps(one)) == one
        hash(one)
    with contextlib.suppress(DecodeError):
        found = unmarshal_messages(data)
        if all(message.header.length % 4 == 0 for message in found):  # as for one
            joined = b"".join(message.marshal_binary() for message in found)
            assert unmarshal_messages(joined) == found
        if found:
            with contextlib.suppress(OpError):
                validate(found[0], found[1:])


def debug(source: Input) -> None:
    family = source.number() % 24
    fmt = source.choose(("mnl", "text"))
    out = Terminal() if source.number() % 2 else io.StringIO()
    with contextlib.suppress(DecodeError):
        found = unmarshal_messages(source.rest())
        Debugger(family, fmt=fmt, stream=out).received(found)
        assert bool(out.getvalue()) == bool(found)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# Records


def records(source: Input) -> None:
    use(source.choose(RECORDS), source.rest())


def use(declaration: type[Record], data: bytes) -> None:
    """What holds of a record of any bytes, and of its batch."""
    with contextlib.suppress(DecodeError):
        record = declaration.decode(data)
        repr(record)
        fields = record.to_dict()
        try:
            encoded = record.encode()
        except EncodeError:
            return
        again = declaration.decode(encoded)
        assert again.encode() == encoded
        assert repr(again.to_dict()) == repr(fields)
        batch = declaration.decode_many([data, encoded])
        assert batch[0] == record
        batch.to_numpy()
        for addresses in ("text", "binary"):
            columns = batch.arrow(addresses)  # type: ignore[arg-type]
            columns.__arrow_c_array__()
            for name in columns.names:
                columns[name].__arrow_c_array__()
                list(columns[name])
        batch._repr_html_()
        json.dumps(record.to_dict(json=True))
        assert copy.copy(record).unknown == record.unknown
        joined = batch + batch[::-1]
        assert joined == declaration.decode_many([data, encoded, encoded, data])
        if declaration in RECORDS:  # which pickle finds by name
            assert pickle.loads(pickle.dumps(record)) == record


class Number(IntEnum):
    ONE = 1
    TWO = 2


def declarations(source: Input) -> None:
    """Classes of any fields."""
    try:
        made = declare(source, AttributeSet, 3)
    except (TypeError, ValueError):
        return
    use(made, source.rest())


INTEGERS = tuple(
    getattr(schema, name)
    for name in (
        "u8",
        "u16",
        "u32",
        "u64",
        "s8",
        "s16",
        "s32",
        "s64",
        "be16",
        "be32",
        "be64",
        "uint",
        "sint",
        "sbe16",
        "sbe32",
        "sbe64",
    )
)
PLAIN = (schema.string, schema.flag, schema.binary, schema.lladdr, schema.mac, schema.ipv4, schema.ipv6, schema.ip)
PLAIN += (schema.bitfield32, schema.sockaddr)


def declare(source: Input, base: type[Record], depth: int) -> type[Record]:
    options: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    how = source.number()
    if base is AttributeSet and how % 2:
        options["header"] = declare(source, Struct, 0)
    if base is AttributeSet and how & 6:
        options |= {"lenient": how & 2 > 0, "unknown": how & 4 == 0, "ignore": (how >> 4,)}
    if base is Struct:
        options["aligned"] = how % 2 > 0
    if how & 8 and depth:
        base = declare(source, base, depth - 1)
    for number in range(source.number() % 6):
        member = structural if issubclass(base, Struct) else attribute
        fields[f"f{number}"] = member(source, tuple(fields), depth)
    return type(base)("Made", (base,), fields, **options)


def structural(source: Input, names: Sequence[str], depth: int) -> Field[Any]:
    kind = source.choose(
        (*INTEGERS, schema.binary, schema.mac, schema.ipv4, schema.ipv6, schema.pad, schema.struct, schema.ip)
    )
    if kind is schema.ip:
        return schema.ip(size=16, family=source.choose(names or ("f0",)))
    if kind is schema.struct:
        return schema.struct(None, declare(source, Struct, 0))
    made: Field[Any] = kind(size=source.number()) if kind in (schema.binary, schema.pad) else kind()
    return made


def attribute(source: Input, names: Sequence[str], depth: int) -> Field[Any]:
    type_ = source.number() % 12
    path: Any = (type_, source.number() % 4) if source.number() % 8 == 0 else type_
    how = source.number() % 12
    kind: Any = source.choose((*INTEGERS, *PLAIN))
    made: Field[Any]
    if how < 4:
        made = kind(path, enum=Number) if kind in INTEGERS and how == 0 else kind(path)
    elif how == 4:
        made = schema.view(path)
    elif how == 5:
        made = schema.packed(path, kind, enum=Number) if source.number() % 2 else schema.packed(path, kind)
    elif how == 6:
        made = schema.binary(path, size=source.number(2))
        if source.number() % 4 == 0:
            made = schema.ip(path, size=16, family=source.choose((*names, "header.f0", "f0")))
        elif source.number() % 4 == 0:
            made = schema.rest(texts=True) if source.number() % 2 else schema.rest()
    elif how == 7:
        made = schema.struct(path, declare(source, Struct, 0))
    else:
        inner: Any = declare(source, AttributeSet, depth - 1) if depth and source.number() % 2 else kind
        if how == 8:
            made = schema.repeated(path, inner)
        elif how == 9:
            made = schema.array(path, inner)
        elif how == 10:
            made = schema.nested(path, inner, rare=bool(source.number() % 2))
        else:
            key: Any = source.choose((0, 1, 2, 255, "", "x"))
            if source.number() % 4 == 0:
                inner = declare(source, Struct, 0)
            made = schema.submessage(path, on=source.choose(names or ("f0",)), cases={key: inner})
    return made


# Families


def blocks(source: Input) -> None:
    """Packets as pcapng: whole blocks that say their length at both ends, or nothing."""
    link_type = source.choose(tuple(pcapng.LinkType))
    out = io.BytesIO()
    with pcapng.Writer(out, link_type, snaplen=source.number()) as writer, contextlib.suppress(DecodeError):
        packet = Packet.decode(source.rest())
        for given in ((packet,), Packet.decode_many([packet.encode()] * 2)):
            before = out.tell()
            try:
                writer.write_batch(given)
            except ValueError:
                assert link_type == pcapng.LinkType.RAW
                assert out.tell() == before
    data = out.getvalue()
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("=I", data, at + 4)
        assert length >= 12
        assert length % 4 == 0
        assert struct.unpack_from("=I", data, at + length - 4) == (length,)
        at += length
    assert at == len(data)


ABLE = ("mark", "status", "zone", "orig", "reply")


def programs(source: Input) -> None:
    """What a filter wants of any datagram, the kernel's program lets pass; and the check in C is what it says."""
    try:
        chosen = Filter(
            **conditions(source), exclude=[Filter(**conditions(source)) for _ in range(source.number() % 3)]
        )
    except ValueError:
        return
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    repr(chosen)
    part_of(chosen, None, ABLE)[0].encode()
    code = bpf_filter.program(chosen.clauses(True), Flow, _KINDS, 1)
    kind = source.choose(_KINDS)
    payload = source.rest()
    datagram = struct.pack("=IHHII", 16 + len(payload), kind.type, kind.flags, 0, 0) + payload
    passed = filters.run(code, datagram)
    try:
        flow = Flow.decode(payload)
        orig, reply = flow.orig, flow.reply
    except (DecodeError, AttributeError):
        return
    event_flow = Flow(**{name: getattr(flow, name) for name in Flow.__fields__} | {"event": kind.event})
    wanted = chosen.match(events=True)
    assert wanted is not None
    if orig.src is not None and orig.dst is not None and reply is not None:
        assert wanted(event_flow) == filters.means(chosen, event_flow)
    assert passed or not wanted(event_flow) or repeats(payload)


def repeats(payload: bytes) -> bool:
    """Whether a type comes twice: the kernel never sends that, and the program looks at the first one."""
    try:
        return twice(unmarshal_attributes(payload[4:]), 0)
    except DecodeError:
        return True


def twice(found: Iterable[Any], depth: int) -> bool:
    types: set[int] = set()
    for one in found:
        if one.type & 0x3FFF in types:
            return True
        types.add(one.type & 0x3FFF)
        if depth < 2:
            with contextlib.suppress(DecodeError):
                if twice(unmarshal_attributes(one.data), depth + 1):
                    return True
    return False


def numbers(source: Input, width: int) -> tuple[Any, ...]:
    found: list[Any] = []
    for _ in range(1 + source.number() % 3):
        low, high = source.number(width), source.number(width)
        found.append(range(low, high) if low < high else low)
    return tuple(found)


def networks(source: Input) -> tuple[Any, ...]:
    found: list[Any] = []
    for _ in range(1 + source.number() % 3):
        if source.number() % 2:
            found.append(ip_network((source.number(4), source.number() % 33), strict=False))
        else:
            found.append(ip_network((IPv6Address(source.number(16)), source.number() % 129), strict=False))
    return tuple(found)


def conditions(source: Input) -> dict[str, Any]:
    makers: dict[str, Callable[[], Any]] = {
        "zone": lambda: source.number(2),
        "proto": lambda: numbers(source, 1),
        "src": lambda: networks(source),
        "dst": lambda: networks(source),
        "src_port": lambda: numbers(source, 2),
        "dst_port": lambda: numbers(source, 2),
        "event": lambda: Event(1 + source.number() % 7),
        "orig": lambda: Tuple(src=networks(source)[0].network_address, proto=source.number()),
        "reply": lambda: Tuple(src_port=source.number(2), zone=source.number(2)),
        "mark_mask": lambda: source.number(4),
        "status_mask": lambda: Status(source.number(2)),
    }
    chosen = source.number(2)
    values = {name: make() for bit, (name, make) in enumerate(makers.items()) if chosen >> bit & 1}
    for name in ("mark", "status"):
        if mask := values.get(f"{name}_mask"):
            values[name] = source.number(4) & mask
        else:
            values.pop(f"{name}_mask", None)
    return values


# Connections


def scripted(source: Input, kinds: Sequence[int], sequences: Sequence[int]) -> list[list[Message]]:
    """Datagrams of any messages, most of which are of the requests with these sequence numbers."""
    found: list[list[Message]] = []
    for _ in range(source.number() % 6):
        datagram = []
        for _ in range(source.number() % 5):
            flags = source.choose((0, 0x2, 0x12, 0x2, 0x302))
            sequence = source.choose((*sequences, *sequences, 0))
            payload = source.take(source.number() % 32)
            datagram.append(Message(Header(0, source.choose(kinds), flags, sequence, source.number() % 2), payload))
        found.append(datagram)
    return found


class Scripted:
    """A socket whose datagrams are known; EIO where they end. The last one may be an empty one, the end."""

    def __init__(self, datagrams: list[list[Message]]) -> None:
        self.datagrams = datagrams
        self.sent: list[Message] = []

    def close(self) -> None:
        pass

    def send(self, m: Message) -> None:
        self.sent.append(m)

    def send_messages(self, ms: list[Message]) -> None:
        self.sent += ms

    def receive_nowait(self) -> list[Message] | None:
        return self.datagrams.pop(0) if self.datagrams else None

    def receive(self) -> list[Message]:
        if not self.datagrams:
            raise OpError("receive", 5)
        return self.datagrams.pop(0)


def readers(source: Input) -> None:
    """Whatever comes for a dump: batches of what was asked for, then an end or an error, and the rest stays."""
    rows = 1 + source.number() % 4
    reader = Reader(Flow)
    reader.begin(Message(Header(type=0x101, flags=0x301, sequence=7, pid=1)))
    for datagram in scripted(source, (2, 3, 0x100), (7,)):
        if reader.done:
            break
        reader.feed(datagram)
        try:
            while not reader.done:
                got = reader.read(None, rows, 1)
                if isinstance(got, int):
                    break
                assert len(got) == rows or (reader.done and len(got) < rows)
        except (DecodeError, OpError):
            break
        assert reader.ended or not reader.rest()
    left = reader.rest()
    assert all(isinstance(message, Message) for message in left)
    assert reader.rest() == []


def answers(source: Input) -> None:
    """Whatever comes for many requests: an answer to each, or an error with the answers so far."""
    calls: list[Call[Any]] = []
    for _ in range(1 + source.number() % 8):
        if source.number() % 2:
            calls.append(Call(0x101, b"", Flow))
        else:
            calls.append(Call(0x102, b""))
    sock = Scripted(scripted(source, (2, 3, 0x100), range(1, len(calls) + 1)))
    conn = Conn(sock, 1)
    conn._exchange.sequence = 0
    try:
        found = conn.execute_all(calls)
    except (DecodeError, OpError) as error:
        answers: dict[int, Any] = error.answers  # type: ignore[union-attr]
        assert len(answers) < len(calls)
    else:
        assert len(found) == len(calls)
        answers = dict(enumerate(found))
        assert not conn._exchange.inbox.abandoned
    for i, answer in answers.items():
        assert isinstance(answer, OpError | (Flow if calls[i].reply else type(None)))


ROWS: tuple[type[Record], ...] = (Flow, Packet, route.Route, route.Neighbour, route.Address, route.Rule)


def rows(source: Input) -> None:
    """Many records as datagrams of requests: the payloads are theirs, and no datagram is too long."""
    declaration = source.choose(ROWS)
    room, most, by_shape = source.number(2), 1 + source.number() % 4, bool(source.number() % 2)
    payloads: list[bytes] = []
    for _ in range(source.number() % 6):
        with contextlib.suppress(DecodeError):
            payload = source.take(source.number(2) % 400)
            declaration.decode(payload).encode()
            payloads.append(payload)
    batch = declaration.decode_many(payloads)
    wanted = [record.encode() for record in batch]
    given: Any
    for given in (batch, list(batch), batch[::-1][::-1]):
        made = Rows(declaration, given, 0x20, 0x5, Preparation(declaration, unchanged, by_shape))
        found: list[Message] = []
        while made.next < made.count:
            datagram = made.datagram(1 + len(found), 7, room, most)
            part = unmarshal_messages(datagram)
            assert len(part) == 1 or (len(part) <= most and len(datagram) <= room)
            assert [message.header.flags & 0x4 for message in part] == [0] * (len(part) - 1) + [0x4]
            assert made.payload_in(datagram, len(part) - 1) == part[-1].data
            found += part
        assert [message.data for message in found] == [one + bytes(-len(one) % 4) for one in wanted]


def unchanged(record: Record) -> Record:
    return record


def refusals(source: Input) -> None:
    """Whatever comes for many rows: the pairs of the refused ones, or an error."""
    count = source.number() % 8
    sock = Scripted(scripted(source, (2, 2, 2, 3, 0x100), range(1, count + 1)))
    conn = Conn(sock, 1)
    conn._exchange.sequence = 0
    routes = [route.Route(dst=IPv4Address(i), oif=1) for i in range(count)]
    with contextlib.suppress(OpError):
        failures = route.Conn(conn).create_many(routes)
        assert all(0 <= row < count and isinstance(error, OpError) for row, error in failures)
        assert not conn._exchange.inbox.abandoned


TARGETS: tuple[Callable[[Input], None], ...] = (
    attributes,
    messages,
    debug,
    records,
    declarations,
    blocks,
    programs,
    readers,
    answers,
    rows,
    refusals,
)


def one_input(data: bytes) -> None:
    source = Input(data)
    source.choose(TARGETS)(source)


def main() -> None:
    try:
        import atheris
    except ImportError:
        raise SystemExit("atheris is missing for this Python: pip install atheris") from None
    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
