"""netlink.netfilter.pcapng: the blocks it writes, and what tshark reads in them."""

from __future__ import annotations

import io
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tshark
from netlink import DecodeError
from netlink.netfilter import nflog, pcapng
from netlink.netfilter.nflog import VLAN, Packet, PacketHdr, Timestamp
from netlink.netfilter.nfnetlink import NfGenMsg
from netlink.netfilter.pcapng import LinkType, Writer
from packets import ARP, IPV4, IPV6, SECOND, packet, udp4, udp6

SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
L2 = bytes.fromhex("0200000000bb0200000000aa0800")


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """Type and body of every block; both lengths are right, and nothing is left."""
    out: list[tuple[int, bytes]] = []
    while data:
        kind, length = struct.unpack_from("=II", data)
        assert length % 4 == 0
        assert 12 <= length <= len(data)
        assert struct.unpack_from("=I", data, length - 4) == (length,)
        out.append((kind, data[8 : length - 4]))
        data = data[length:]
    return out


def options(data: bytes) -> list[tuple[int, bytes]]:
    out: list[tuple[int, bytes]] = []
    while True:
        code, length = struct.unpack_from("=HH", data)
        if code == 0:
            assert data == bytes(4)
            return out
        out.append((code, data[4 : 4 + length]))
        assert not any(data[4 + length : 4 + (length + 3 & ~3)])
        data = data[4 + (length + 3 & ~3) :]


class Written:
    """What an enhanced packet block says."""

    def __init__(self, body: bytes) -> None:
        self.interface, high, low, size, self.original = struct.unpack_from("=5I", body)
        self.time = high << 32 | low
        self.data = body[20 : 20 + size]
        self.options = dict(options(body[20 + (size + 3 & ~3) :]))


def written(link_type: LinkType, *packets: Packet, snaplen: int = 0) -> list[Written]:
    file = io.BytesIO()
    with Writer(file, link_type, snaplen=snaplen) as writer:
        writer.write_batch(packets)
    return [Written(body) for kind, body in blocks(file.getvalue()) if kind == PACKET]


# Blocks


def test_the_section_and_the_interface() -> None:
    file = io.BytesIO()
    with Writer(file, snaplen=96) as writer:
        assert [kind for kind, _ in blocks(file.getvalue())] == [SECTION]
        writer.write(packet(udp4(), group=77))
    (_, section), (kind, interface), (_, _) = blocks(file.getvalue())
    assert struct.unpack_from("=IHHq", section) == (0x1A2B3C4D, 1, 0, -1)
    assert kind == INTERFACE
    assert struct.unpack_from("=HHI", interface) == (101, 0, 96)
    assert options(interface[8:]) == [(2, b"nflog:77"), (9, b"\x09")]


def test_a_group_is_an_interface() -> None:
    file = io.BytesIO()
    writer = Writer(file)
    for group in (5, 65535, 5, 0, 65535):
        writer.write(packet(udp4(), group=group))
    found = blocks(file.getvalue())
    assert [dict(options(body[8:]))[2] for kind, body in found if kind == INTERFACE] == [
        b"nflog:5",
        b"nflog:65535",
        b"nflog:0",
    ]
    assert [Written(body).interface for kind, body in found if kind == PACKET] == [0, 1, 0, 2, 1]


def test_raw_is_the_payload() -> None:
    one, two = written(LinkType.RAW, packet(udp4()), packet(udp6(b"hello!"), IPV6))
    assert one.data == udp4()
    assert one.original == len(udp4())
    assert one.options[1] == b"in: "
    assert two.data == udp6(b"hello!")


def test_nflog_has_all_that_the_kernel_reported() -> None:
    sent = packet(udp4(), seq=9, mark=7, vlan=VLAN(proto=0x8100, tci=5))
    (found,) = written(LinkType.NFLOG, sent)
    assert found.data[:4] == struct.pack(">BBH", 2, 0, 5)
    assert Packet.decode(found.data) == sent
    assert found.original == len(found.data)
    assert 1 not in found.options  # the prefix is in the data


def test_nflog_has_undeclared_attributes() -> None:
    sent = Packet.decode(packet(udp4()).encode() + struct.pack("=HH5s3x", 9, 0x3F00, b"newer"))
    assert sent.unknown == ((0x3F00, b"newer"),)
    (found,) = written(LinkType.NFLOG, sent)
    assert Packet.decode(found.data).unknown == sent.unknown


def test_the_time_is_in_nanoseconds() -> None:
    late = (1 << 64) // 10**9 - 1
    one, two = written(LinkType.RAW, packet(udp4()), packet(udp4(), time=Timestamp(sec=late, usec=999_999)))
    assert one.time == SECOND * 10**9 + 123_456_000
    assert two.time == late * 10**9 + 999_999_000


def test_what_has_no_timestamp_is_of_now() -> None:
    before = time.time_ns()
    (found,) = written(LinkType.RAW, packet(udp4(), time=None))
    assert before <= found.time <= time.time_ns()


@pytest.mark.parametrize(
    ("indev", "outdev", "direction"), [(3, None, 1), (None, 3, 2), (3, 4, 0), (None, None, 0)], ids=str
)
def test_the_direction(indev: int | None, outdev: int | None, direction: int) -> None:
    (found,) = written(LinkType.RAW, packet(udp4(), indev=indev, outdev=outdev))
    assert found.options[2] == struct.pack("=I", direction)


@pytest.mark.parametrize(
    ("payload", "protocol", "original"),
    [
        (udp4(bytes(1000))[:40], IPV4, 1028),
        (udp6(bytes(1000))[:50], IPV6, 1048),
        (udp4()[:2], IPV4, 2),
        (udp6()[:5], IPV6, 5),
        (udp4()[:1], IPV4, 1),
        (bytes([0x45, 0, 0, 0]) + udp4()[4:], IPV4, 33),
        (bytes([0x60, 0, 0, 0, 0, 0]) + udp6()[6:], IPV6, 53),
        (udp4()[:2] + b"\0\x14" + udp4()[4:], IPV4, 33),
    ],
    ids=["v4", "v6", "v4 short", "v6 short", "one byte", "v4 without", "v6 without", "v4 padded"],
)
def test_the_length_before_the_kernel_cut_it(payload: bytes, protocol: int, original: int) -> None:
    (found,) = written(LinkType.RAW, packet(payload, protocol))
    assert found.data == payload
    assert found.original == original


def test_snaplen_cuts() -> None:
    long, short = written(LinkType.RAW, packet(udp4(bytes(100))), packet(udp4(b"")), snaplen=30)
    assert (long.data, long.original) == (udp4(bytes(100))[:30], 128)
    assert (short.data, short.original) == (udp4(b""), 28)
    sent = packet(udp4(bytes(100)), seq=5)
    (found,) = written(LinkType.NFLOG, sent, snaplen=len(sent.encode()) - 90)
    assert found.data == sent.encode()[:-90]
    assert found.original == len(sent.encode())
    assert sent.encode().endswith(udp4(bytes(100)))  # so that it is the payload which is cut


def test_payloads_as_long_as_they_get() -> None:
    payload = udp4(bytes(65531 - 28))
    (raw,) = written(LinkType.RAW, packet(payload))
    (all_,) = written(LinkType.NFLOG, packet(payload))
    assert raw.data == payload
    assert Packet.decode(all_.data).payload == payload


def test_a_batch_and_its_slices() -> None:
    batch = Packet.decode_many([packet(udp4(bytes([i])), group=i % 3).encode() for i in range(20)])
    for part in (batch, batch[3:17:4], batch[::-1], batch[5:5]):
        for link_type in LinkType:
            file = io.BytesIO()
            with Writer(file, link_type) as writer:
                writer.write_batch(part)
            found = [Written(body).data for kind, body in blocks(file.getvalue()) if kind == PACKET]
            assert found == [p.encode() if link_type == LinkType.NFLOG else bytes(p.payload or b"") for p in part]


def test_what_is_no_packet() -> None:
    writer = Writer(io.BytesIO())
    for wrong in (NfGenMsg.decode_many([bytes(4)]), [NfGenMsg()], [None], [packet(udp4()), b"bytes"]):
        with pytest.raises(TypeError, match="want packets of nflog, got"):
            writer.write_batch(cast("list[Packet]", wrong))
    with pytest.raises(TypeError, match="not iterable"):
        writer.write_batch(cast("list[Packet]", packet(udp4())))


def test_an_interface_is_written_once_and_only_with_its_packets() -> None:
    file = io.BytesIO()
    writer = Writer(file)
    writer.write(packet(udp4(), group=1))
    with pytest.raises(ValueError, match="packet 2"):
        writer.write_batch([packet(udp4(), group=2), packet(udp4(), group=3), packet(None, group=1)])
    writer.write(packet(udp4(), group=3))
    writer.write(packet(udp4(), group=1))
    found = blocks(file.getvalue())
    assert [kind for kind, _ in found] == [SECTION, INTERFACE, PACKET, INTERFACE, PACKET, PACKET]
    assert [Written(body).interface for kind, body in found if kind == PACKET] == [0, 1, 0]


def test_a_prefix_that_is_no_text() -> None:
    odd = Packet.decode(packet(udp4(), prefix=None).encode() + struct.pack("=HH2s2x", 6, 10, b"\xffa"))
    (found,) = written(LinkType.RAW, odd)
    assert found.options[1] == b"\\xffa"
    for without in ("", None):
        (found,) = written(LinkType.RAW, packet(udp4(), prefix=without))
        assert 1 not in found.options
    (found,) = written(LinkType.RAW, packet(udp4(), prefix="\udcff" * 20_000))
    assert len(found.options[1]) == 65535


# What raw IP cannot hold


def egress(payload: bytes, **values: Any) -> Packet:
    """As the kernel logs on the netdev family's egress hook."""
    header = NfGenMsg(family=5, res_id=5)
    return packet(payload, header=header, indev=None, outdev=3, l2hdr=L2, **values)


def test_the_netdev_family_on_its_way_out() -> None:
    (found,) = written(LinkType.RAW, egress(L2 + udp4()))
    assert found.data == udp4()
    assert found.options[2] == struct.pack("=I", 2)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (packet(None), "no payload"),
        (packet(b""), "no payload"),
        (packet(b"\0\x01\x08\0", ARP), "not IP .protocol 0x0806"),
        (packet(b"\x42\x42\x03", 4), "not IP .protocol 0x0004"),
        (packet(udp6(), IPV4), "not IP"),
        (packet(b"\0" + udp4()), "not IP"),
        (packet(udp4(), packet_hdr=None, header=NfGenMsg(family=7)), "not IP .no protocol"),
        (packet(udp4(), packet_hdr=None, header=None), "not IP .no protocol"),
        (egress(L2), "no payload"),
    ],
    ids=["none", "empty", "arp", "llc", "other version", "shifted", "unknown", "no attributes", "header alone"],
)
def test_raw_refuses_what_is_not_ip(bad: Packet, why: str) -> None:
    file = io.BytesIO()
    writer = Writer(file)
    before = file.getvalue()
    with pytest.raises(ValueError, match=rf"packet 0 cannot be written.*{why}.*LinkType\.NFLOG accepts it"):
        writer.write(bad)
    with pytest.raises(ValueError, match=rf"packet 2 cannot be written.*{why}"):
        writer.write_batch([packet(udp4()), packet(udp4()), bad, packet(udp4())])
    assert file.getvalue() == before  # nothing of the batch
    writer.write(packet(udp4()))
    assert [kind for kind, _ in blocks(file.getvalue())] == [SECTION, INTERFACE, PACKET]
    (found,) = written(LinkType.NFLOG, bad)
    assert Packet.decode(found.data) == bad


def test_the_rules_family_decides_if_the_packet_does_not() -> None:
    one, two = written(
        LinkType.RAW, packet(udp4(), packet_hdr=None), packet(udp6(), IPV6, packet_hdr=PacketHdr(hw_protocol=0))
    )
    assert (one.data, two.data) == (udp4(), udp6())


# Losses


class FakeLog:
    group = 5
    lost = 0


def test_losses_are_statistics() -> None:
    file = io.BytesIO()
    writer = Writer(file)
    log = FakeLog()
    writer.write_statistics(cast("nflog.Log", log))
    writer.write(packet(udp4()))
    log.lost = 1 << 33
    before = time.time_ns()
    writer.write_statistics(cast("nflog.Log", log))
    found = blocks(file.getvalue())
    assert [kind for kind, _ in found] == [SECTION, INTERFACE, STATISTICS, PACKET, STATISTICS]
    interface, high, low = struct.unpack_from("=3I", found[-1][1])
    assert interface == 0
    assert before <= high << 32 | low <= time.time_ns()
    assert options(found[2][1][12:]) == [(5, bytes(8))]
    assert options(found[4][1][12:]) == [(5, struct.pack("=Q", 1 << 33))]


# Files


@pytest.mark.parametrize("as_text", [True, False])
def test_a_path(tmp_path: Path, as_text: bool) -> None:
    path = tmp_path / "logged.pcapng"
    path.write_bytes(b"something before")
    writer = Writer(str(path) if as_text else path)
    assert not writer.closed
    writer.write(packet(udp4()))
    writer.flush()
    assert [kind for kind, _ in blocks(path.read_bytes())] == [SECTION, INTERFACE, PACKET]
    writer.close()
    writer.close()
    assert writer.closed
    with pytest.raises(FileNotFoundError):
        Writer(tmp_path / "missing" / "file")


def test_a_file_stays_open(tmp_path: Path) -> None:
    with open(tmp_path / "logged.pcapng", "wb") as file:
        for _ in range(2):
            with Writer(file) as writer:
                writer.write(packet(udp4()))
            assert not file.closed
    data = (tmp_path / "logged.pcapng").read_bytes()
    assert [kind for kind, _ in blocks(data)] == [SECTION, INTERFACE, PACKET] * 2


def test_a_closed_writer_refuses() -> None:
    file = io.BytesIO()
    writer = Writer(file)
    writer.close()
    before = file.getvalue()
    for call in (
        lambda: writer.write(packet(udp4())),
        lambda: writer.write_batch([]),
        lambda: writer.write_statistics(cast("nflog.Log", FakeLog())),
        writer.flush,
    ):
        with pytest.raises(ValueError, match="the writer is closed"):
            call()
    assert file.getvalue() == before
    assert "closed" in repr(writer)


@pytest.mark.parametrize("call", ["write", "write_batch", "write_statistics", "flush", "close"])
def test_a_call_in_the_middle_of_another_one(call: str) -> None:
    file = io.BytesIO()
    with Writer(file) as writer:
        arguments = {"write": (packet(udp4()),), "write_batch": ((),), "write_statistics": (None,)}

        def packets() -> Iterator[Packet]:
            yield packet(udp4())
            getattr(writer, call)(*arguments.get(call, ()))

        with pytest.raises(RuntimeError, match="already in a method of the writer"):
            writer.write_batch(packets())
        writer.write(packet(udp4()))
    assert [kind for kind, _ in blocks(file.getvalue())] == [SECTION, INTERFACE, PACKET]


def test_statistics_of_what_is_no_log() -> None:
    file = io.BytesIO()
    with Writer(file) as writer:
        with pytest.raises(TypeError, match=r"takes a log of nflog\.listen, not 'x'"):
            writer.write_statistics("x")  # type: ignore[arg-type]
        writer.write(packet(udp4()))
    assert [kind for kind, _ in blocks(file.getvalue())] == [SECTION, INTERFACE, PACKET]


def test_a_file_that_was_closed_by_others() -> None:
    file = io.BytesIO()
    writer = Writer(file)
    file.close()
    with pytest.raises(ValueError, match="closed file"):
        writer.write(packet(udp4()))
    writer.close()


@pytest.mark.parametrize("file", [io.StringIO(), 7, None, b"name"], ids=repr)
def test_what_is_no_binary_file(file: Any) -> None:
    with pytest.raises(TypeError, match="a path or a file opened in binary mode"):
        Writer(file)


def test_options_name_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="packet 0 cannot be written: an attribute is longer than 65531 bytes"):
        Writer(io.BytesIO(), LinkType.NFLOG).write(packet(udp4() + bytes(70_000)))
    for link_type in (102, "RAW", None, True):
        with pytest.raises(ValueError, match=r"LinkType\.RAW, LinkType\.NFLOG"):
            Writer(io.BytesIO(), cast("LinkType", link_type))
    for snaplen in (-1, 1 << 32, 1.5, True):
        with pytest.raises(ValueError, match="snaplen must be an int from 0 to 4294967295"):
            Writer(io.BytesIO(), snaplen=cast("int", snaplen))
    assert repr(Writer(io.BytesIO(), cast("LinkType", 239))) == "<netlink.netfilter.pcapng.Writer of LinkType.NFLOG>"


class Halves(io.RawIOBase):
    """An unbuffered file that takes few bytes at once."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.data += bytes(data[:7])
        return min(7, len(data))


def test_a_file_that_takes_little_at_once() -> None:
    file = Halves()
    Writer(file).write_batch([packet(udp4(bytes(i))) for i in range(50)])
    assert len(blocks(file.data)) == 52


def test_after_a_failed_write_the_file_is_left_alone() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space"):
        Writer(full)
    read, write = os.pipe()
    os.set_blocking(write, False)
    with open(read, "rb"), open(write, "wb", buffering=0) as file:
        writer = Writer(file)
        with pytest.raises(BlockingIOError):
            writer.write_batch([packet(udp4(bytes(60_000)))] * 10)
        with pytest.raises(ValueError, match="an earlier write failed"):
            writer.write(packet(udp4()))
        writer.close()


def test_threads_share_a_writer() -> None:
    file = io.BytesIO()
    writer = Writer(file)

    def write(group: int) -> None:
        for i in range(200):
            writer.write_batch([packet(udp4(bytes(i)), group=group)] * 3)

    threads = [threading.Thread(target=write, args=(group,)) for group in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = blocks(file.getvalue())
    assert len([kind for kind, _ in found if kind == INTERFACE]) == 4
    assert len([kind for kind, _ in found if kind == PACKET]) == 2400


# Any packet


@given(
    payload=st.binary(max_size=70),
    prefix=st.text(max_size=20).filter(lambda s: not s.endswith("\0")),
    seq=st.integers(0, 0xFFFFFFFF),
    sec=st.integers(0, (1 << 64) - 1),
    usec=st.integers(0, (1 << 64) - 1),
    group=st.integers(0, 65535),
    snaplen=st.integers(0, 100),
)
def test_any_packet(payload: bytes, prefix: str, seq: int, sec: int, usec: int, group: int, snaplen: int) -> None:
    prefix = prefix.encode("utf-8", "ignore").decode()
    sent = packet(payload, group=group, prefix=prefix, seq=seq, time=Timestamp(sec=sec, usec=usec))
    (found,) = written(LinkType.NFLOG, sent, snaplen=snaplen)
    assert found.data == sent.encode()[: snaplen or None]
    assert found.time == (sec * 10**9 + usec * 1000) % (1 << 64)


WHOLE = packet(udp6(bytes(60)), IPV6, seq=9, vlan=VLAN(proto=0x8100, tci=5), l2hdr=L2, hwheader=L2).encode()


@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8),
    st.integers(4, len(WHOLE)),
    st.integers(0, 200),
)
def test_any_bytes(changes: list[tuple[int, int]], size: int, snaplen: int) -> None:
    """What can be decoded can be written, or is refused, and the blocks are whole."""
    mutated = bytearray(WHOLE[:size])
    for at, value in changes:
        if at < size:
            mutated[at] = value
    try:
        sent = Packet.decode(mutated)
    except DecodeError:
        return
    written(LinkType.NFLOG, sent, snaplen=snaplen)
    file = io.BytesIO()
    with Writer(file, snaplen=snaplen) as writer:
        try:
            writer.write(sent)
        except ValueError:
            assert len(blocks(file.getvalue())) == 1
        else:
            (_, _, (_, body)) = blocks(file.getvalue())
            assert sent.payload is not None
            assert sent.payload.tobytes().endswith(Written(body).data) or 0 < snaplen < len(sent.payload)


# tshark


def test_tshark_reads_raw(tmp_path: Path) -> None:
    path = tmp_path / "raw.pcapng"
    with Writer(path) as writer:
        writer.write(packet(udp4(source=1111)))
        writer.write(packet(udp6(source=2222), IPV6, prefix="v6", group=6, indev=None, outdev=4))
        writer.write(packet(udp4(bytes(1000))[:60]))
    names = (
        "ip.src",
        "ip.dst",
        "ipv6.src",
        "ipv6.dst",
        "udp.srcport",
        "udp.dstport",
        "frame.comment",
        "frame.time_epoch",
    )
    names += ("frame.len", "frame.cap_len", "frame.interface_name", "frame.packet_flags_direction", "_ws.malformed")
    one, two, three = tshark.fields(path, *names)
    stamp = [f"{SECOND}.123456000"]
    assert one == {
        "ip.src": ["192.0.2.1"],
        "ip.dst": ["192.0.2.2"],
        "udp.srcport": ["1111"],
        "udp.dstport": ["9"],
        "frame.comment": ["in: "],
        "frame.time_epoch": stamp,
        "frame.len": ["33"],
        "frame.cap_len": ["33"],
        "frame.interface_name": ["nflog:5"],
        "frame.packet_flags_direction": ["0x00000001"],
    }
    assert two == {
        "ipv6.src": ["2001:db8::1"],
        "ipv6.dst": ["2001:db8::2"],
        "udp.srcport": ["2222"],
        "udp.dstport": ["9"],
        "frame.comment": ["v6"],
        "frame.time_epoch": stamp,
        "frame.len": ["53"],
        "frame.cap_len": ["53"],
        "frame.interface_name": ["nflog:6"],
        "frame.packet_flags_direction": ["0x00000002"],
    }
    assert three["frame.len"] == ["1028"]
    assert three["frame.cap_len"] == ["60"]


def test_tshark_reads_nflog(tmp_path: Path) -> None:
    path = tmp_path / "nflog.pcapng"
    with Writer(path, LinkType.NFLOG) as writer:
        writer.write(packet(udp4(source=1111), outdev=8, physindev=9, physoutdev=10, mark=7, uid=1000, gid=100, seq=3))
        writer.write(packet(None, IPV6, prefix="meta", group=65535))
    names = ("nflog.family", "nflog.res_id", "nflog.prefix", "nflog.protocol", "nflog.hook", "nflog.timestamp")
    names += ("nflog.ifindex_indev", "nflog.ifindex_outdev", "nflog.ifindex_physindev", "nflog.ifindex_physoutdev")
    names += ("nflog.uid", "nflog.gid", "nflog.tlv_type", "ip.src", "ip.dst", "udp.srcport", "_ws.malformed")
    one, two = tshark.fields(path, *names)
    (stamp,) = one.pop("nflog.timestamp")
    assert ":12.123456" in stamp
    types = one.pop("nflog.tlv_type")
    assert types[-1] == "9"
    assert sorted(int(t) for t in types) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14]
    assert one == {
        "nflog.family": ["2"],
        "nflog.res_id": ["5"],
        "nflog.prefix": ["in: "],
        "nflog.protocol": ["0x0800"],
        "nflog.hook": ["1"],
        "nflog.ifindex_indev": ["3"],
        "nflog.ifindex_outdev": ["8"],
        "nflog.ifindex_physindev": ["9"],
        "nflog.ifindex_physoutdev": ["10"],
        "nflog.uid": ["1000"],
        "nflog.gid": ["100"],
        "ip.src": ["192.0.2.1"],
        "ip.dst": ["192.0.2.2"],
        "udp.srcport": ["1111"],
    }
    assert two["nflog.prefix"] == ["meta"]
    assert two["nflog.res_id"] == ["65535"]
    assert two["nflog.family"] == ["10"]


def test_tshark_reads_losses(tmp_path: Path) -> None:
    path = tmp_path / "lost.pcapng"
    log = FakeLog()
    log.lost = 18_800
    with Writer(path) as writer:
        writer.write(packet(udp4()))
        writer.write_statistics(cast("nflog.Log", log))
    found = tshark.blocks(path, "pcapng.block.type", "pcapng.options.option.data.interface.dropped", "_ws.malformed")
    assert found == {
        "pcapng.block.type": ["0x0a0d0d0a", "0x00000001", "0x00000006", "0x00000005"],
        "pcapng.options.option.data.interface.dropped": ["18800"],
    }


def test_the_names_are_public() -> None:
    assert pcapng.__all__ == ["LinkType", "Writer"]
