"""Files of captured netlink datagrams, for Wireshark, tshark and tcpdump: pcap with LINKTYPE_NETLINK."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO

from netlink.nlmon.datagram import Datagram

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

__all__ = ["CaptureError", "Writer", "read"]

_MICROSECONDS, _NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
_LINKTYPE_NETLINK = 253
_SNAPLEN = 262_144
_BILLION = 1_000_000_000
_U32 = 1 << 32
_FILE, _PACKET = "IHHiIII", "IIII"
# The header of LINKTYPE_NETLINK, in network byte order: direction, ARPHRD_NETLINK, 10 bytes of nothing, protocol.
_COOKED = struct.Struct("!HH10xH")
_OUTGOING, _ARPHRD_NETLINK = 4, 824
_PCAPNG = b"\x0a\x0d\x0d\x0a"


class CaptureError(ValueError):
    """A file that is no capture of netlink, or one that ends within a datagram."""


class Writer:
    """A writer of a pcap file, with times in nanoseconds. `with` closes it.

    file: a path, or a file that is open for bytes, which `close` leaves open. After `flush` the file can be read while
    it grows. OSError as of files.
    """

    def __init__(self, file: str | os.PathLike[str] | BinaryIO) -> None:
        self._owned = isinstance(file, (str, os.PathLike))
        self._file: BinaryIO = open(file, "wb") if isinstance(file, (str, os.PathLike)) else file  # noqa: SIM115
        self._file.write(struct.pack(f"={_FILE}", _NANOSECONDS, 2, 4, 0, 0, _SNAPLEN, _LINKTYPE_NETLINK))

    def write(self, datagram: Datagram) -> None:
        """Write a datagram. Bytes beyond 262,128, which programs do not read, are left out; its length is kept."""
        data = datagram.data[: _SNAPLEN - _COOKED.size]
        seconds, nanoseconds = divmod(datagram.timestamp, _BILLION)
        sizes = (len(data) + _COOKED.size, max(datagram.length, len(data)) + _COOKED.size)
        self._file.write(
            struct.pack(f"={_PACKET}", seconds % _U32, nanoseconds, *sizes)
            + _COOKED.pack(_OUTGOING, _ARPHRD_NETLINK, datagram.protocol)
            + data
        )

    def flush(self) -> None:
        """Write out what the file buffers."""
        self._file.flush()

    def close(self) -> None:
        """Close the file, if the writer has opened it."""
        if self._owned:
            self._file.close()
        elif not self._file.closed:
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(file: str | os.PathLike[str] | BinaryIO) -> Iterator[Datagram]:
    """The datagrams of a pcap file, such as one of `Writer` or of `tcpdump -i nlmon0 -w FILE`.

    file: a path, or a file that is open for bytes.
    CaptureError for a file that is no pcap of netlink, and after the whole datagrams of one that is cut.
    """
    if isinstance(file, (str, os.PathLike)):
        with open(file, "rb") as opened:
            yield from _datagrams(opened)
    else:
        yield from _datagrams(file)


def _datagrams(file: BinaryIO) -> Iterator[Datagram]:
    head = file.read(struct.calcsize(f"={_FILE}"))
    if head[:4] == _PCAPNG:
        raise CaptureError("this is a pcapng file: `editcap -F nsecpcap OLD NEW` makes a pcap file of it")
    order, resolution = _form(head)
    linktype = struct.unpack(f"{order}{_FILE}", head)[-1] & 0xFFFF
    if linktype != _LINKTYPE_NETLINK:
        raise CaptureError(f"this capture is of link type {linktype}, not of {_LINKTYPE_NETLINK}, which is netlink")
    size = struct.calcsize(f"{order}{_PACKET}")
    while header := file.read(size):
        if len(header) < size:
            raise CaptureError("the file ends within the header of a datagram")
        seconds, fraction, captured, length = struct.unpack(f"{order}{_PACKET}", header)
        if not _COOKED.size <= captured <= _SNAPLEN:
            raise CaptureError(f"a datagram of {captured} bytes is none of netlink: the file is damaged")
        packet = file.read(captured)
        if len(packet) < captured:
            raise CaptureError("the file ends within a datagram")
        _, _, protocol = _COOKED.unpack_from(packet)
        data = packet[_COOKED.size :]
        timestamp = seconds * _BILLION + fraction * resolution
        yield Datagram(timestamp, protocol, data, max(length - _COOKED.size, len(data)))


def _form(head: bytes) -> tuple[str, int]:
    """The byte order of a file, and the nanoseconds of its unit of time."""
    for order in "<>":
        if len(head) == struct.calcsize(f"{order}{_FILE}"):
            (magic,) = struct.unpack_from(f"{order}I", head)
            if magic in (_MICROSECONDS, _NANOSECONDS):
                return order, 1000 if magic == _MICROSECONDS else 1
    raise CaptureError("this is no pcap file")
