"""Logged packets into pcapng files, which Wireshark, tshark and tcpdump read (draft-ietf-opsawg-pcapng).

from netlink.netfilter import nflog, pcapng

with nflog.listen(5) as log, pcapng.Writer("logged.pcapng") as out:
    for batch in log.batches(timeout=1):
        out.write_batch(batch)
        out.flush()
"""

from __future__ import annotations

import io as _io
import os as _os
import struct as _struct
import time as _time
from _thread import allocate_lock as _allocate_lock
from enum import IntEnum
from typing import TYPE_CHECKING, BinaryIO

from netlink import __version__ as _version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Protocol, Self

    from netlink.netfilter.nflog import Log, Packet

    class _Writable(Protocol):
        def write(self, data: bytes, /) -> int | None: ...


__all__ = ["LinkType", "Writer"]


class LinkType(IntEnum):
    """What a file holds of each packet."""

    RAW = 101  # LINKTYPE_RAW: the payload, an IPv4 or IPv6 packet; the rule's prefix is a comment beside it
    NFLOG = 239  # LINKTYPE_NFLOG: all that the kernel told, as attributes; the payload is one of them


# Block types, option codes and what they hold: sections 3.5 and 4 of the draft.
_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_COMMENT, _OS, _APPLICATION = 1, 3, 4
_IF_NAME, _IF_TSRESOL = 2, 9
_EPB_FLAGS = 2
_ISB_IFDROP = 5
_INBOUND, _OUTBOUND = 1, 2

_HEAD = _struct.Struct("=7I")  # of an enhanced packet block
_TAIL = _struct.Struct("=I")
_OPTION = _struct.Struct("=HH")
_END = bytes(4)  # opt_endofopt
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")  # by size modulo 4
_VERSION_OF = {0x0800: 4, 0x86DD: 6}  # ETH_P_IP, ETH_P_IPV6 of linux/if_ether.h
_NETDEV = 5  # NFPROTO_NETDEV
_PROTOCOL_OF = {2: 0x0800, 10: 0x86DD}  # NFPROTO_IPV4, NFPROTO_IPV6 of linux/netfilter.h


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + _PADDING[len(value) % 4]


def _block(kind: int, body: bytes) -> bytes:
    size = _TAIL.pack(len(body) + 12)
    return _TAIL.pack(kind) + size + body + size


# What packets have in common, made once.
_FLAGS = [_option(_EPB_FLAGS, _TAIL.pack(direction)) for direction in (0, _INBOUND, _OUTBOUND)]


def _comment(prefix: str) -> bytes:
    return _option(_COMMENT, prefix.encode("utf-8", "backslashreplace")[:0xFFFF])


class Writer:
    """Writes packets of `netlink.netfilter.nflog` to a pcapng file. Threads may share it; `with` closes it.

    The packets' group is the interface, `nflog:5`; their direction is in `epb_flags` where they have only an `indev`
    or only an `outdev`. The time is the packet's `timestamp`, nanoseconds that the kernel gives to the microsecond.
    It gives none for what this machine sends: then it is the time of writing.
    """

    def __init__(
        self,
        file: str | _os.PathLike[str] | BinaryIO | _Writable,
        link_type: LinkType = LinkType.RAW,
        *,
        snaplen: int = 0,
    ) -> None:
        """file: a path, of a file to be made or made anew, or an object with write() for bytes, which stays open.

        snaplen: bytes of each packet to be written, 0 for all of them.

        OSError as from open() and write(); TypeError and ValueError for what cannot be meant.
        """
        self._closed = True
        if isinstance(link_type, bool) or link_type not in tuple(LinkType):
            allowed = ", ".join(f"LinkType.{member.name}" for member in LinkType)
            raise ValueError(f"link_type must be one of {allowed}, not {link_type!r}")
        if isinstance(snaplen, bool) or not isinstance(snaplen, int) or not 0 <= snaplen <= 0xFFFFFFFF:
            raise ValueError(f"snaplen must be an int from 0 to {0xFFFFFFFF}, not {snaplen!r}")
        self._raw = link_type == LinkType.RAW
        self._link_type = LinkType(link_type)
        self._snaplen = snaplen
        self._lock = _allocate_lock()
        self._interfaces: dict[int, int] = {}  # by group
        self._broken = False
        self._own: BinaryIO | None = None
        if isinstance(file, (str, _os.PathLike)):
            file = self._own = open(file, "wb")  # noqa: SIM115
        elif isinstance(file, _io.TextIOBase) or not hasattr(file, "write"):
            raise TypeError(f"file must be a path or a file opened in binary mode for writing, not {file!r}")
        self._file: BinaryIO | _Writable = file
        self._closed = False
        try:
            self._put(_section())
        except BaseException:
            self.close()
            raise

    def write(self, packet: Packet) -> None:
        """Write a packet.

        ValueError, and nothing is written, where the link type is `RAW` and the packet has no payload, or one that is
        not IP: as of the bridge and netdev families, ARP for one. `NFLOG` takes all packets.
        """
        self.write_batch((packet,))

    def write_batch(self, packets: Iterable[Packet]) -> None:
        """Write the packets of a batch, or of anything that gives packets. Where one cannot be, as for `write`, none
        is: the ValueError says which."""
        with self._lock:
            self._check_open()
            interfaces = dict(self._interfaces)
            blocks: list[bytes | memoryview] = []
            now = 0
            for i, packet in enumerate(packets):
                header = packet.header
                group = header.res_id if header is not None else 0
                interface = interfaces.get(group)
                if interface is None:
                    interface = interfaces[group] = len(interfaces)
                    blocks.append(self._interface(group))
                time = packet.timestamp
                if time is None:
                    time = now = now or _time.time_ns()
                options = _FLAGS[_direction(packet)]
                data: bytes | memoryview
                try:
                    if self._raw:
                        data, original = _ip_packet(packet)
                        prefix = packet.prefix
                        if prefix:
                            options += _comment(prefix)
                    else:
                        data = _attributes(packet)
                        original = len(data)
                except ValueError as error:
                    raise ValueError(f"packet {i} cannot be written: {error}") from None
                size = len(data)
                if 0 < self._snaplen < size:
                    size = self._snaplen
                    data = data[:size]
                length = 32 + (size + 3 & ~3) + len(options) + 4
                time &= 0xFFFFFFFFFFFFFFFF
                blocks += (
                    _HEAD.pack(_PACKET, length, interface, time >> 32, time & 0xFFFFFFFF, size, original),
                    data,
                    _PADDING[size & 3] + options + _END + _TAIL.pack(length),
                )
            if blocks:
                self._put(b"".join(blocks))
                self._interfaces = interfaces

    def write_statistics(self, log: Log) -> None:
        """Write how many packets a log has lost since it began (`isb_ifdrop`): at the end, and whenever one likes."""
        with self._lock:
            self._check_open()
            blocks = b""
            interface = self._interfaces.get(log.group)
            if interface is None:
                interface = len(self._interfaces)
                blocks = self._interface(log.group)
            now = _time.time_ns()
            body = _struct.pack("=3I", interface, now >> 32, now & 0xFFFFFFFF)
            blocks += _block(_STATISTICS, body + _option(_ISB_IFDROP, _struct.pack("=Q", log.lost)) + _END)
            self._put(blocks)
            self._interfaces[log.group] = interface

    def _interface(self, group: int) -> bytes:
        body = _struct.pack("=HxxI", self._link_type, self._snaplen)
        options = _option(_IF_NAME, f"nflog:{group}".encode()) + _option(_IF_TSRESOL, b"\x09")
        return _block(_INTERFACE, body + options + _END)

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the writer is closed")
        if self._broken:
            raise ValueError("an earlier write failed, so the file may end in part of a block; begin another one")

    def _put(self, data: bytes) -> None:
        """All of data: what is not buffered may take it in parts."""
        try:
            taken = self._file.write(data)
            while taken is not None and taken < len(data):
                data = data[taken:]
                taken = self._file.write(data)
            if taken is None and isinstance(self._file, _io.RawIOBase):
                raise BlockingIOError("the file is not blocking, and takes nothing now")
        except BaseException:
            self._broken = True
            raise

    def flush(self) -> None:
        """Hand what is buffered to the operating system. No-op where the file has no flush()."""
        with self._lock:
            self._check_open()
            flush = getattr(self._file, "flush", None)
            if flush is not None:
                flush()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Close the file that the writer opened; flush one that it was given. OSError where that fails."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._own is not None:
                self._own.close()
            elif not getattr(self._file, "closed", False):
                flush = getattr(self._file, "flush", None)
                if flush is not None:
                    flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<{type(self).__module__}.Writer of LinkType.{self._link_type.name}{state}>"


def _section() -> bytes:
    """The section header block: byte-order magic, version 1.0, a length that is not told."""
    system = _os.uname()
    options = _option(_OS, f"{system.sysname} {system.release}".encode())
    options += _option(_APPLICATION, f"fastnetlink {_version}".encode())
    return _block(_SECTION, _struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1) + options + _END)


def _direction(packet: Packet) -> int:
    if packet.indev is None:
        return 0 if packet.outdev is None else _OUTBOUND
    return _INBOUND if packet.outdev is None else 0


def _ip_packet(packet: Packet) -> tuple[memoryview, int]:
    """The payload and how long it was before the kernel cut it, as the IP header says."""
    payload = packet.payload
    family = packet.header.family if packet.header is not None else 0
    if payload and family == _NETDEV and packet.indev is None:
        link = packet.l2hdr or b""
        if bytes(payload[: len(link)]) == link:
            payload = payload[len(link) :]
    if not payload:
        raise ValueError("it has no payload, as with a copy_range of 0; LinkType.NFLOG takes it")
    protocol = packet.hw_protocol or _PROTOCOL_OF.get(family)
    version = payload[0] >> 4
    if version != _VERSION_OF.get(protocol or 0):
        told = "no protocol" if protocol is None else f"protocol {protocol:#06x}"
        raise ValueError(f"its payload is not IP ({told}); LinkType.NFLOG takes it")
    size = len(payload)
    if version == 4:
        # 0 where the length was left for the device to fill in.
        return payload, max(size, payload[2] << 8 | payload[3]) if size >= 4 else size
    length = payload[4] << 8 | payload[5] if size >= 6 else 0
    return payload, max(size, length + 40) if length else size


def _attributes(packet: Packet) -> bytes:
    """All of it, those of types that nobody declared too."""
    data = packet.encode()
    for type_, value in packet.unknown:
        data += _OPTION.pack(len(value) + 4, type_) + value + _PADDING[len(value) % 4]
    return data
