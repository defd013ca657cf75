"""Headers of packets: what `netlink.packet.Headers` reads, against packets built from known parts, and tshark."""

from __future__ import annotations

import random
import struct
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest

import tshark
from netlink.netfilter import pcapng
from netlink.netfilter.nflog import Packet, PacketHdr
from netlink.netfilter.nfnetlink import NfGenMsg
from netlink.packet import Headers, IPFlag, Source, TCPFlag
from netlink.schema import AttributeSet, Record, Struct, View, be16, binary, nested, string, u8, u16, view
from packets import ARP, IPV4, IPV6, packet, udp4, udp6

NAMES = [name for name in vars(Headers) if not name.startswith("_")]
INET4, NETDEV, BRIDGE, INET6 = 2, 5, 7, 10  # NFPROTO_*
TCP, UDP, DCCP, ESP, AH, ICMP, ICMPV6, NONE, SCTP, UDPLITE, GRE = 6, 17, 33, 50, 51, 1, 58, 59, 132, 136, 47
HOPOPTS, ROUTING, FRAGMENT, DSTOPTS = 0, 43, 44, 60
VLAN, QINQ = 0x8100, 0x88A8


class Built:
    """A packet with its parts: of each the value, and the bytes that the packet must have up to its end."""

    def __init__(self) -> None:
        self.data = b""
        self.parts: dict[str, tuple[Any, int]] = {}

    def add(self, data: bytes, base: int = 0, **parts: tuple[Any, int]) -> None:
        """Append a header. parts: the value, and its end counted from that header, or from base."""
        start = len(self.data)
        self.data += data
        for name, (value, end) in parts.items():
            self.parts.setdefault(name, (value, max(start + end, base)))

    def expected(self, size: int) -> dict[str, Any]:
        return {name: self.parts[name][0] if self.parts.get(name, (0, size + 1))[1] <= size else None for name in NAMES}


def carried(rng: random.Random, built: Built, proto: int, version: int) -> None:
    """A random header of a protocol, and data."""
    n16, n32 = rng.getrandbits(16), rng.getrandbits(32)
    ports = struct.pack(">HH", sport := rng.getrandbits(16), dport := rng.getrandbits(16))
    both = {"sport": (sport, 4), "dport": (dport, 4)}
    if proto == TCP:
        flags, window, urgent, ack = rng.getrandbits(9), rng.getrandbits(16), rng.getrandbits(16), rng.getrandbits(32)
        tcp = {"tcp_seq": (n32, 8), "tcp_ack": (ack, 12), "tcp_flags": (flags, 14)}
        tail = {"tcp_window": (window, 16), "tcp_urgent": (urgent, 20)}
        data = struct.pack(">IIHHHH", n32, ack, 5 << 12 | rng.getrandbits(3) << 9 | flags, window, n16, urgent)
        built.add(ports + data, **both, **tcp, **tail)
    elif proto == UDP:
        built.add(ports + struct.pack(">HH", n16, 0), **both, udp_length=(n16, 6))
    elif proto in (UDPLITE, SCTP, DCCP):
        built.add(ports + rng.randbytes(12), **both)
    elif (proto, version) in ((ICMP, 4), (ICMPV6, 6)):
        type_ = rng.choice([0, 3, 8, 11, 13] if version == 4 else [1, 2, 3, 128, 129, 135])
        code = rng.choice([0, 1, 4])
        parts: dict[str, tuple[Any, int]] = {"icmp_type": (type_, 2), "icmp_code": (code, 2)}
        rest = struct.pack(">HH", n16, sport)
        if type_ in ((0, 8, 13) if version == 4 else (128, 129)):
            parts |= {"icmp_id": (n16, 8), "icmp_seq": (sport, 8)}
        elif (version, type_, code) == (4, 3, 4):
            parts["icmp_mtu"] = (sport, 8)
        elif (version, type_) == (6, 2):
            parts["icmp_mtu"] = (n16 << 16 | sport, 8)
        built.add(bytes([type_, code, 0, 0]) + rest, **parts)
    elif proto == ESP:
        built.add(struct.pack(">I", n32), spi=(n32, 4))
    elif proto == AH:
        built.add(struct.pack(">BBHI", TCP, 4, 0, n32) + bytes(16) + ports, spi=(n32, 8))
    built.add(rng.randbytes(rng.randrange(20)))


def build4(rng: random.Random) -> Built:
    proto = rng.choice([TCP, UDP, ICMP, SCTP, DCCP, UDPLITE, ESP, AH, GRE, ICMPV6, 255])
    offset = rng.choice([0, 0, 0, 1, 0x1FFF])
    flags, ttl, tos, ident = rng.getrandbits(3), rng.getrandbits(8), rng.getrandbits(8), rng.getrandbits(16)
    src, dst = IPv4Address(rng.getrandbits(32)), IPv4Address(rng.getrandbits(32))
    options = rng.randbytes(4 * rng.choice([0, 0, 1, 10]))
    inner = Built()
    carried(rng, inner, proto, 4)
    length = 20 + len(options) + len(inner.data)
    built = Built()
    head = struct.pack(">BBHHH", 0x45 + len(options) // 4, tos, length, ident, flags << 13 | offset)
    built.add(
        head + bytes([ttl, proto, 0, 0]) + src.packed + dst.packed + options,
        length=(length, 4),
        tos=(tos, 4),
        ip_id=(ident, 6),
        ip_flags=(flags, 8),
        frag_offset=(8 * offset, 8),
        ttl=(ttl, 9),
        proto=(proto, 10),
        src=(src, 16),
        dst=(dst, 20),
    )
    built.add(inner.data, **({} if offset else inner.parts))
    return built


def build6(rng: random.Random) -> Built:
    proto = rng.choice([TCP, UDP, ICMPV6, SCTP, DCCP, UDPLITE, ESP, GRE, ICMP, NONE, 255])
    chain = rng.choices([HOPOPTS, ROUTING, DSTOPTS, AH], k=rng.choice([0, 0, 1, 2, 5]))
    offset = 0
    if rng.randrange(3) == 0:
        chain.insert(rng.randrange(len(chain) + 1), FRAGMENT)
        offset = rng.choice([0, 0, 8, 0xFFF8])
    kinds = [*chain, proto]
    built, inside = Built(), Built()
    behind = [40]  # where each header of the chain begins
    at, cut = 40, False  # cut: behind the header of a later fragment
    for kind, after in zip(chain, kinds[1:], strict=True):
        parts: dict[str, tuple[Any, int]] = {}
        if kind == FRAGMENT:
            more, ident = rng.getrandbits(1), rng.getrandbits(32)
            data = struct.pack(">BBHI", after, rng.getrandbits(8), offset | more, ident)
            parts = {"ip_flags": (more, 8), "frag_offset": (offset, 8), "ip_id": (ident, 8)}
        elif kind == AH:
            units, spi = rng.randrange(1, 5), rng.getrandbits(32)
            data = struct.pack(">BBHI", after, units, 0, spi) + rng.randbytes(4 * (units + 2) - 8)
            parts = {"spi": (spi, 8)}
        else:
            units = rng.randrange(3)
            data = bytes([after, units, 1, 4 + 8 * units]) + bytes(4 + 8 * units)  # PadN
        inside.add(data, **({} if cut else parts))
        at += len(data)
        behind.append(at)
        if kind == FRAGMENT and offset:
            cut = True
            if after == proto:
                inside.parts["proto"] = (proto, len(inside.data))
    if not cut:
        inside.parts["proto"] = (proto, len(inside.data))
        if FRAGMENT not in chain:
            inside.parts |= {"ip_flags": (0, len(inside.data)), "frag_offset": (0, len(inside.data))}
    inner = Built()
    carried(rng, inner, proto, 6)
    inside.add(inner.data, **({} if cut else inner.parts))
    tos, label, hops = rng.getrandbits(8), rng.getrandbits(20), rng.getrandbits(8)
    src, dst = IPv6Address(rng.getrandbits(128)), IPv6Address(rng.getrandbits(128))
    head = struct.pack(">IHBB", 6 << 28 | tos << 20 | label, len(inside.data), kinds[0], hops)
    built.add(
        head + src.packed + dst.packed,
        tos=(tos, 2),
        flow_label=(label, 4),
        length=(40 + len(inside.data), 7),
        ttl=(hops, 8),
        src=(src, 24),
        dst=(dst, 40),
    )
    # What is known from the header of IPv6 itself needs its first seven bytes.
    ends = {name: (value, end if end else 7 - 40) for name, (value, end) in inside.parts.items()}
    built.add(inside.data, **ends)
    return built


def read(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in NAMES}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("version", [4, 6])
def test_random_packets_at_any_length(version: int, seed: int) -> None:
    rng = random.Random(seed)
    records: list[Packet] = []
    wanted: list[dict[str, Any]] = []
    for _ in range(40):
        built = build4(rng) if version == 4 else build6(rng)
        # What follows a packet of this length is padding.
        for size in [rng.randrange(len(built.data)) for _ in range(8)] + [len(built.data)]:
            padding = rng.randbytes(8) if size == len(built.data) else b""
            record = packet(built.data[:size] + padding, IPV4 if version == 4 else IPV6)
            wanted.append(built.expected(size))
            assert read(record) == wanted[-1], (built.data.hex(), size)
            records.append(record)
    # The columns, a stream of small blocks included, have the same values.
    batch = Packet.decode_many([record.encode() for record in records])
    for name in NAMES:
        assert list(batch[name]) == [values[name] for values in wanted]


@pytest.mark.parametrize("addresses", ["text", "binary"])
def test_arrow_columns(addresses: Any) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    rng = random.Random(7)
    packets = [packet(build4(rng).data, IPV4) if i % 2 else packet(build6(rng).data, IPV6) for i in range(600)]
    packets[3] = packet(None)
    batch = Packet.decode_many([record.encode() for record in packets])

    def plain(value: Any) -> Any:
        if not isinstance(value, (IPv4Address, IPv6Address)):
            return value
        if addresses == "text":
            return str(value)
        return value.packed if value.version == 6 else bytes(10) + b"\xff\xff" + value.packed

    columns = batch[::-3].arrow(addresses)
    table = pyarrow.RecordBatchReader.from_stream(columns).read_all()
    assert table.column_names[-len(NAMES) :] == NAMES
    for name in NAMES:
        expected = [plain(getattr(record, name)) for record in packets[::-3]]
        assert table[name].to_pylist() == expected, name
        assert pyarrow.array(columns[name]).to_pylist() == expected
        assert len({*expected}) > 1 or name == "icmp_mtu", name
    chosen = pyarrow.record_batch(batch.select("sport", "mark", "src", "prefix"))
    assert chosen.schema.names == ["sport", "mark", "src", "prefix"]
    assert chosen["prefix"].to_pylist() == ["in: "] * len(batch)
    assert chosen["sport"].to_pylist() == [record.sport for record in packets]


def test_numpy_columns() -> None:
    numpy = pytest.importorskip("numpy")
    batch = Packet.decode_many([packet(udp4()).encode(), packet(udp6(), IPV6).encode(), packet(b"").encode()])
    ports = numpy.asarray(batch["sport"])
    assert ports.dtype == numpy.uint16
    assert ports.tolist() == [1024, 1024, 0]
    assert numpy.asarray(batch[::-1]["ttl"], "i8").tolist() == [0, 64, 64]
    sources = numpy.asarray(batch["src"])
    assert sources[0].tobytes() == bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1])
    assert sources[1].tobytes() == IPv6Address("2001:db8::1").packed
    assert numpy.asarray(batch[:0]["dport"]).tolist() == []
    with pytest.raises(ValueError, match="copy"):
        numpy.array(batch["sport"], copy=False)


def test_types_of_values() -> None:
    record = packet(
        bytes.fromhex("450000280001400040060000c0000201c6336401")
        + struct.pack(">HHIIHHHH", 1, 2, 3, 4, 0x5012, 5, 0, 0)
    )
    assert type(record.src) is IPv4Address
    assert type(record.sport) is int
    assert record.tcp_flags is not None
    assert record.ip_flags is not None
    assert record.tcp_flags is TCPFlag.SYN | TCPFlag.ACK
    assert record.ip_flags is IPFlag.DF
    assert type(packet(udp6(), IPV6).dst) is IPv6Address


def with_family(family: int, payload: bytes, protocol: int | None, hook: int = 0, l2hdr: bytes | None = None) -> Packet:
    head = None if protocol is None else PacketHdr(hw_protocol=protocol, hook=hook)
    return Packet(header=NfGenMsg(family=family), packet_hdr=head, payload=payload, l2hdr=l2hdr)


TAG, INNER = struct.pack(">HH", 5, IPV4), struct.pack(">HH", 7, VLAN)
L2 = bytes.fromhex("0200000000bb0200000000aa")


@pytest.mark.parametrize(
    ("record", "version"),
    [
        (with_family(INET4, udp4(), IPV4), 4),
        (with_family(INET4, udp4(), None), 4),
        (with_family(INET4, udp4(), VLAN), 4),  # of a bridge that passes tagged frames to iptables
        (with_family(INET4, udp6(), IPV6), None),
        (with_family(INET6, udp6(), IPV6), 6),
        (with_family(INET6, udp4(), IPV4), None),
        (with_family(BRIDGE, udp4(), IPV4), 4),
        (with_family(BRIDGE, udp6(), IPV6), 6),
        (with_family(BRIDGE, udp4(), ARP), None),
        (with_family(BRIDGE, udp4(), IPV6), None),
        (with_family(BRIDGE, TAG + udp4(), VLAN), 4),
        (with_family(BRIDGE, INNER + TAG + udp4(), QINQ), 4),
        (with_family(BRIDGE, INNER + INNER + TAG + udp4(), QINQ), None),
        (with_family(BRIDGE, struct.pack(">HH", 5, 0) + udp4(), VLAN), None),
        (with_family(BRIDGE, TAG[:3], VLAN), None),
        (with_family(NETDEV, udp6(), IPV6), 6),
        (with_family(NETDEV, L2 + b"\x08\x00" + udp4(), IPV4, 1, L2 + b"\x08\x00"), 4),
        (with_family(NETDEV, L2 + b"\x81\x00" + TAG + udp4(), VLAN, 1, L2 + b"\x81\x00" + TAG), 4),
        (with_family(NETDEV, udp4(), IPV4, 1), None),
        (with_family(NETDEV, L2, IPV4, 1, L2 + b"\x08\x00"), None),
        (with_family(NETDEV, udp4(), IPV4, 0, L2 + b"\x08\x00"), 4),
        (Packet(payload=udp4()), 4),
        (Packet(payload=udp6()), 6),
        (Packet(payload=bytes.fromhex("0001080006040001") + bytes(20)), None),
        (Packet(payload=b""), None),
        (Packet(), None),
    ],
)  # fmt: skip
def test_what_decides_the_version(record: Packet, version: int | None) -> None:
    assert (record.src.version if record.src else None) == version
    assert record.sport == (1024 if version else None)
    assert list(Packet.decode_many([record.encode()])["dport"]) == [9 if version else None]


class Frame(AttributeSet, Headers, packet=Source("payload", protocol="protocol", framed=True)):
    protocol = u16(1)
    payload: View = view(2)


EIGHT = bytes.fromhex("4500002000010000401100000800030401020304") + struct.pack(">HHHH", 1024, 9, 12, 0) + b"abcd"


@pytest.mark.parametrize(
    ("protocol", "payload", "version"),
    [
        (IPV4, L2 + b"\x08\x00" + udp4(), 4),
        (IPV6, L2 + b"\x86\xdd" + udp6(), 6),
        (VLAN, L2 + b"\x81\x00" + TAG + udp4(), 4),
        (IPV4, udp4(), 4),  # of a link without link-layer headers
        (IPV6, udp6(), 6),
        (IPV4, EIGHT, 4),  # its source is 8.0.3.4
        (IPV4, L2 + b"\x08\x00" + EIGHT, 4),
        (IPV6, b"\x60" + L2[1:] + b"\x86\xdd" + udp6(), 6),
        (IPV4, L2 + b"\x86\xdd" + udp6(), None),
        (ARP, L2 + b"\x08\x06" + bytes(28), None),
        (IPV4, L2 + b"\x08", None),
        (IPV4, L2 + b"\x08\x00", None),
        (0, bytes(14) + udp4(), None),
        (0, udp4(), None),
        (None, L2 + b"\x08\x00" + udp4(), None),
        (IPV4, None, None),
    ],
)
def test_link_layer_headers(protocol: int | None, payload: bytes | None, version: int | None) -> None:
    record = Frame(protocol=protocol, payload=payload)
    assert (record.src.version if record.src else None) == version
    assert (record.sport, record.dport) == ((1024, 9) if version else (None, None))
    assert list(Frame.decode_many([record.encode()])["dport"]) == [9 if version else None]


def ip4(tail: bytes, **values: int) -> bytes:
    fields = {"first": 0x45, "length": 20 + len(tail), "fragment": 0, "proto": TCP} | values
    head = struct.pack(">BBHHHBBH", fields["first"], 0, fields["length"], 1, fields["fragment"], 64, fields["proto"], 0)
    return head + bytes([192, 0, 2, 1, 192, 0, 2, 2]) + tail


def ip6(tail: bytes, next_header: int, length: int | None = None) -> bytes:
    head = struct.pack(">IHBB", 6 << 28, len(tail) if length is None else length, next_header, 64)
    return head + IPv6Address("2001:db8::1").packed + IPv6Address("2001:db8::2").packed + tail


PORTS = struct.pack(">HH", 5, 6)
JUMBO = bytes([TCP, 0, 0xC2, 4]) + struct.pack(">I", 100_000)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (ip4(PORTS, first=0x44), {"src": None, "length": None, "proto": None}),
        (ip4(PORTS, first=0x4F), {"src": None, "length": None, "proto": None}),
        (ip4(PORTS, length=19), {"src": None, "length": None}),
        (ip4(PORTS, length=20), {"length": 20, "proto": TCP, "sport": None}),  # the rest is padding
        (ip4(PORTS, length=22), {"length": 22, "proto": TCP, "sport": None}),
        (ip4(PORTS, length=60), {"length": 60, "sport": 5}),
        (ip4(PORTS, length=0), {"length": None, "sport": 5}),  # BIG TCP
        (ip4(PORTS, length=0, proto=UDP), {"src": None, "length": None, "sport": None}),
        (ip4(PORTS, fragment=0x2000), {"ip_flags": IPFlag.MF, "frag_offset": 0, "sport": 5}),
        (ip4(PORTS, fragment=1), {"frag_offset": 8, "sport": None, "proto": TCP}),
        (ip4(PORTS, proto=ICMPV6), {"proto": ICMPV6, "icmp_type": None}),
        (ip6(PORTS, TCP), {"length": 44, "sport": 5}),
        (ip6(PORTS, ICMP), {"proto": ICMP, "icmp_type": None}),
        (ip6(PORTS, TCP, 0), {"length": None, "sport": 5}),  # BIG TCP
        (ip6(PORTS, UDP, 0), {"length": 40, "proto": UDP, "sport": None}),
        (ip6(b"", NONE), {"length": 40, "proto": NONE}),
        (ip6(JUMBO + PORTS, HOPOPTS, 0), {"length": 100_040, "proto": TCP, "sport": 5}),
        (ip6(JUMBO[:4] + bytes(4) + PORTS, HOPOPTS, 0), {"length": None, "proto": None, "sport": None}),
        (ip6(JUMBO[:6], HOPOPTS, 0), {"length": None, "proto": None}),
        (ip6(bytes([TCP, 0, 1, 4]) + bytes(4) + PORTS, HOPOPTS, 0), {"length": None, "proto": None, "sport": None}),
        (ip6((bytes([FRAGMENT, 0, 0, 1]) + bytes(4)) * 2 + PORTS, FRAGMENT), {"proto": None, "sport": None}),
        (ip6((bytes([DSTOPTS, 0, 1, 4]) + bytes(4)) * 15 + bytes([TCP, 0, 1, 4]) + bytes(4) + PORTS, DSTOPTS),
         {"proto": TCP, "sport": 5}),
        (ip6((bytes([DSTOPTS, 0, 1, 4]) + bytes(4)) * 16 + bytes([TCP, 0, 1, 4]) + bytes(4) + PORTS, DSTOPTS),
         {"proto": None, "sport": None}),
        (ip6(bytes([DSTOPTS, 0, 0, 8]) + bytes(4) + PORTS, FRAGMENT), {"proto": None, "frag_offset": 8}),
    ],
)  # fmt: skip
def test_odd_packets(payload: bytes, expected: dict[str, Any]) -> None:
    record = Packet(payload=payload, header=NfGenMsg(family=INET6 if payload[0] >> 4 == 6 else INET4))
    assert {name: getattr(record, name) for name in expected} == expected


# The fields of tshark that mean the same.
TSHARK = {
    "src": ["ip.src", "ipv6.src"],
    "dst": ["ip.dst", "ipv6.dst"],
    "sport": ["tcp.srcport", "udp.srcport", "sctp.srcport"],
    "dport": ["tcp.dstport", "udp.dstport", "sctp.dstport"],
    "ttl": ["ip.ttl", "ipv6.hlim"],
    "length": ["ip.len"],
    "icmp_type": ["icmp.type", "icmpv6.type"],
    "icmp_code": ["icmp.code", "icmpv6.code"],
    "ip_id": ["ip.id", "ipv6.fraghdr.ident"],
    "tcp_seq": ["tcp.seq_raw"],
    "tcp_ack": ["tcp.ack_raw"],
    "tcp_window": ["tcp.window_size_value"],
    "tcp_urgent": ["tcp.urgent_pointer"],
    "spi": ["esp.spi", "ah.spi"],
    "flow_label": ["ipv6.flow"],
}


def test_tshark_reads_the_same(tmp_path: Path) -> None:
    rng = random.Random(3)
    packets = [packet(build4(rng).data, IPV4) if i % 2 else packet(build6(rng).data, IPV6) for i in range(400)]
    path = tmp_path / "random.pcapng"
    with pcapng.Writer(path) as out:
        out.write_batch(packets)
    wanted = [name for names in TSHARK.values() for name in names]
    # Whole packets alone, and no second packet within them, as in those that ICMP reports.
    options = ("-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE")
    found = tshark.fields(path, *wanted, options=options)
    assert len(found) == len(packets)
    compared = 0
    for record, layers in zip(packets, found, strict=True):
        if record.proto in (AH, GRE, ESP, None) or record.proto == (ICMPV6 if "ip.src" in layers else ICMP):
            continue
        if record.icmp_type in (0, 3, 11, 1, 2) or record.udp_length:
            continue
        for name, theirs in TSHARK.items():
            values = [text for field in theirs for text in layers.get(field, [])]
            ours = getattr(record, name)
            if not values or (name == "tcp_urgent" and not ours) or (name == "ip_id" and ours is None):
                continue
            number = ours if isinstance(ours, (IPv4Address, IPv6Address)) else int(values[0], 0)
            assert (str(ours) if number is ours else ours) == (values[0] if number is ours else number), (name, layers)
            compared += 1
    assert compared > 1000


# Declarations


class Head(Struct):
    family = u8()
    kind = be16()


class Queued(AttributeSet, Headers, header=Head, packet=Source("payload", family="header.family")):
    payload: View = view(1)
    length = u8(2)  # its own meaning of the name


def test_a_declaration_of_ones_own() -> None:
    record = Queued.decode(Queued(family=2, payload=udp4(), length=3).encode())
    assert (str(record.src), record.sport, record.length) == ("192.0.2.1", 1024, 3)
    assert Queued(family=10, payload=udp4()).src is None
    assert "src" not in record.to_dict()
    assert Queued(family=2, payload=udp4()) == Queued(family=2, payload=udp4())
    batch = Queued.decode_many([record.encode()])
    assert [name for name in batch.arrow().names if name == "length"] == ["length"]
    assert list(batch["length"]) == [3]
    assert "192.0.2.1" in batch._repr_html_()
    with pytest.raises(AttributeError, match="immutable"):
        record.src = "192.0.2.9"
    with pytest.raises(TypeError, match="no field 'src'"):
        Queued(src="192.0.2.9")


def test_a_packet_in_another_record() -> None:
    class Outer(AttributeSet):
        inner = nested(1, Packet)

    record = Outer.decode(Outer(inner=Packet(payload=udp4())).encode())
    assert record.inner.sport == 1024
    assert "inner_sport" not in Outer.decode_many([record.encode()]).arrow().names


def test_wrong_declarations() -> None:
    def declare(source: Source) -> type[Record]:
        class Wrong(AttributeSet, Headers, packet=source):
            payload = view(1)
            text = string(2)
            small = binary(3)
            number = be16(4)

        return Wrong

    for source in (
        Source("text"),
        Source("small"),
        Source("missing"),
        Source("payload", family="text"),
        Source("payload", protocol="payload"),
        Source("payload", hook="small"),
        Source("payload", link="number"),
        Source("payload", protocol="missing", framed=True),
    ):
        with pytest.raises(TypeError, match="is not the path of a field that can be the packet's"):
            declare(source)
    good = Source("payload", family="number")
    declare(good)
    with pytest.raises(TypeError, match="belongs to one declaration"):
        declare(good)
    with pytest.raises(TypeError, match="declared once"):
        good.__init__("payload")  # type: ignore[misc]

    class Nowhere(AttributeSet, Headers):
        payload = view(1)

    with pytest.raises(TypeError, match="Nowhere does not say where its packet is"):
        _ = Nowhere(payload=b"").src


def test_another_record_is_refused() -> None:
    part = vars(Packet)["src"]
    with pytest.raises(TypeError, match="'src' is not a part of Queued"):
        part.__get__(Queued(payload=udp4()), Queued)
    with pytest.raises(TypeError):
        part.__get__(object(), object)
    assert Packet.src is part
