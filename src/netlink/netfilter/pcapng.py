"""Logged packets into pcapng files, which Wireshark, tshark and tcpdump read (draft-ietf-opsawg-pcapng).

    from netlink.netfilter import nflog, pcapng

    with nflog.listen(5) as log, pcapng.Writer("logged.pcapng") as out:
        for batch in log.batches(idle=1):
            out.write_batch(batch)
            out.flush()

After `flush` the file holds whole blocks, and can be read while it grows.
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

    from netlink.netfilter.nflog import Log, Packet

    class _Writable(Protocol):
        def write(self, data: bytes, /) -> int | None: ...


__all__ = ["LinkType", "Writer"]


class LinkType(IntEnum):
    """What a file holds of each packet."""

    RAW = 101  # LINKTYPE_RAW: the payload, an IPv4 or IPv6 packet; the rule's prefix is a comment beside it
    NFLOG = 239  # LINKTYPE_NFLOG: all that the kernel told, as attributes; the payload is one of them


# Block types, option codes and what they hold: section 4 of the draft. `_pcapng` has those of packets.
_SECTION, _STATISTICS = 0x0A0D0D0A, 5
_OS, _APPLICATION, _ISB_IFDROP = 3, 4, 5


def _option(code: int, value: bytes) -> bytes:
    return _struct.pack("=HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    size = _struct.pack("=I", len(body) + 16)  # with opt_endofopt
    return _struct.pack("=I", kind) + size + body + bytes(4) + size


class Writer:
    """Writes packets of `netlink.netfilter.nflog` to a pcapng file. Threads may share it; `with` closes it.

    A call in the middle of another one of the same thread, by a signal handler or by what gives the packets, is a
    RuntimeError.

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
        self._link_type = LinkType(link_type)
        self._blocks = _Blocks(_Packet, link_type, link_type == LinkType.RAW, snaplen)
        self._lock = _RLock()
        self._within = False  # a call of the thread that has the lock
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
        """Write the packets of a batch, without the GIL, or of anything that gives packets.

        Where one cannot be written, as for `write`, none is: the ValueError says which.
        """
        self._alone(lambda: self._put(self._blocks.packets(packets, _time.time_ns())))

    def write_statistics(self, log: Log) -> None:
        """Write how many packets a log has lost since it began (`isb_ifdrop`): at the end, and whenever one likes."""
        self._alone(lambda: self._put_statistics(log))

    def _put_statistics(self, log: Log) -> None:
        number, blocks = self._blocks.interface(log.group)
        now = _time.time_ns()
        body = _struct.pack("=3I", number, now >> 32, now & 0xFFFFFFFF)
        self._put(blocks + _block(_STATISTICS, body + _option(_ISB_IFDROP, _struct.pack("=Q", log.lost))))

    def _alone(self, do: Callable[[], None], *, closing: bool = False) -> None:
        """Do something with the file, which no other call is using."""
        with self._lock:
            if self._within:
                raise RuntimeError("the writer is in the middle of another call of this thread")
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
        """Close the file that the writer opened; flush one that it was given. OSError where that fails."""
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
    """The section header block: byte-order magic, version 1.0, a length that is not told."""
    system = _os.uname()
    options = _option(_OS, f"{system.sysname} {system.release}".encode())
    options += _option(_APPLICATION, f"fastnetlink {_version}".encode())
    return _block(_SECTION, _struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1) + options)
