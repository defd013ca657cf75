"""pcapng files of logged packets, for Wireshark, tshark and tcpdump (draft-ietf-opsawg-pcapng).

    from netlink.netfilter import nflog, pcapng

    with nflog.listen(5) as log, pcapng.Writer("logged.pcapng") as out:
        for batch in log.batches(idle=1):
            out.write_batch(batch)
            out.flush()

After `flush` the file has whole blocks, and can be read while it grows.
"""

from __future__ import annotations

import io as _io
import os as _os
import struct as _struct
import time as _time
from _thread import RLock as _RLock
from enum import IntEnum
from typing import TYPE_CHECKING, BinaryIO

from netlink import __version__ as _version
from netlink.netfilter._pcapng import Blocks as _Blocks
from netlink.netfilter.nflog.records import Packet as _Packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Protocol, Self

    from netlink.netfilter import nflog
    from netlink.netfilter.nflog import Log

    class _Writable(Protocol):
        def write(self, data: bytes, /) -> int | None: ...


__all__ = ["LinkType", "Writer"]


class LinkType(IntEnum):
    """The contents of a packet in a file."""

    RAW = 101  # LINKTYPE_RAW: the payload, an IPv4 or IPv6 packet; the rule's prefix becomes a comment
    NFLOG = 239  # LINKTYPE_NFLOG: all attributes from the kernel; the payload is one of them


# Block types and option codes: section 4 of the draft. `_pcapng` has those of packets.
_SECTION, _STATISTICS = 0x0A0D0D0A, 5
_OS, _APPLICATION, _ISB_IFDROP = 3, 4, 5


def _option(code: int, value: bytes) -> bytes:
    return _struct.pack("=HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    size = _struct.pack("=I", len(body) + 16)  # with opt_endofopt
    return _struct.pack("=I", kind) + size + body + bytes(4) + size


class Writer:
    """A writer of packets of `netlink.netfilter.nflog` to a pcapng file. Threads may share it; `with` closes it.

    If a thread calls a method during another one, from a signal handler or from the iterable of packets, that is a
    RuntimeError.

    The group of a packet is its interface, `nflog:5`. A packet with either an `indev` or an `outdev` has its direction
    in `epb_flags`. The time is the packet's `timestamp`: nanoseconds, with the kernel's resolution of microseconds.
    Packets from this machine have none: their time is that of writing.
    """

    def __init__(
        self,
        file: str | _os.PathLike[str] | BinaryIO | _Writable,
        link_type: LinkType = LinkType.RAW,
        *,
        snaplen: int = 0,
    ) -> None:
        """Open the file and write the section header.

        file: the path of a file to create or overwrite, or an object with write() for bytes, which stays open.
        link_type: the contents of a packet.
        snaplen: maximum of bytes written of each packet, 0 for all.

        OSError as from open() and write(); TypeError and ValueError for wrong arguments.
        """
        self._closed = True
        if isinstance(link_type, bool) or link_type not in tuple(LinkType):
            allowed = ", ".join(f"LinkType.{member.name}" for member in LinkType)
            raise ValueError(f"link_type must be one of {allowed}, not {link_type!r}")
        if isinstance(snaplen, bool) or not isinstance(snaplen, int) or not 0 <= snaplen <= 0xFFFFFFFF:
            raise ValueError(f"snaplen must be an int from 0 to {0xFFFFFFFF}, not {snaplen!r}")
        self._link_type = LinkType(link_type)
        self._blocks = _Blocks(_Packet, link_type, link_type == LinkType.RAW, snaplen)
        self._lock = _RLock()
        self._within = False  # whether a method of the thread with the lock is running
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

    def write(self, packet: nflog.Packet) -> None:
        """Write a packet.

        With the link type `RAW`, ValueError if the packet has no payload or one that is not IP, such as ARP from the
        bridge and netdev families; nothing is written then. `NFLOG` accepts all packets.
        """
        self.write_batch((packet,))

    def write_batch(self, packets: Iterable[nflog.Packet]) -> None:
        """Write the packets of a batch, without the GIL, or of any iterable.

        If one of them cannot be written, as for `write`, none is; the ValueError has its index.
        """
        self._alone(lambda: self._put(self._blocks.packets(packets, _time.time_ns())))

    def write_statistics(self, log: Log) -> None:
        """Write the number of packets that a log has lost since it began (`isb_ifdrop`), at the end or at any time.

        TypeError for an object that is no log.
        """
        self._alone(lambda: self._put_statistics(log))

    def _put_statistics(self, log: Log) -> None:
        if not (hasattr(log, "group") and hasattr(log, "lost")):
            raise TypeError(f"write_statistics takes a log of nflog.listen, not {log!r}")
        number, blocks = self._blocks.interface(log.group)
        now = _time.time_ns()
        body = _struct.pack("=3I", number, now >> 32, now & 0xFFFFFFFF)
        self._put(blocks + _block(_STATISTICS, body + _option(_ISB_IFDROP, _struct.pack("=Q", log.lost))))

    def _alone(self, do: Callable[[], None], *, closing: bool = False) -> None:
        """Run a function with exclusive use of the file."""
        with self._lock:
            if self._within:
                raise RuntimeError("this thread is already in a method of the writer")
            if not closing:
                self._check_open()
            self._within = True
            try:
                do()
            finally:
                self._within = False

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the writer is closed")
        if self._broken:
            raise ValueError("an earlier write failed and the file may end within a block: write to another file")

    def _put(self, data: bytes) -> None:
        """Write all of data. A file without a buffer may accept it in parts."""
        try:
            taken = self._file.write(data)
            while taken is not None and taken < len(data):
                data = data[taken:]
                taken = self._file.write(data)
            if taken is None and isinstance(self._file, _io.RawIOBase):
                raise BlockingIOError("the file is non-blocking and accepts no data now")
        except BaseException:
            self._broken = True
            raise

    def flush(self) -> None:
        """Flush the file's buffer to the operating system, if the file has flush()."""
        self._alone(self._flush)

    def _flush(self) -> None:
        flush = getattr(self._file, "flush", None)
        if flush is not None:
            flush()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Close a file that the writer opened; flush another one. OSError if that fails."""
        self._alone(self._close, closing=True)

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._own is not None:
            self._own.close()
        elif not getattr(self._file, "closed", False):
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<{type(self).__module__}.Writer of LinkType.{self._link_type.name}{state}>"


def _section() -> bytes:
    """The section header block: byte-order magic, version 1.0, length not specified."""
    system = _os.uname()
    options = _option(_OS, f"{system.sysname} {system.release}".encode())
    options += _option(_APPLICATION, f"fastnetlink {_version}".encode())
    return _block(_SECTION, _struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1) + options)
