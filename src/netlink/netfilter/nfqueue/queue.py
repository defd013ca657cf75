"""Queued packets as a stream, and their verdicts: `listen`."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Never

from netlink._io.namespaces import another_owner
from netlink._io.warn import warn
from netlink.config import Config as NetlinkConfig
from netlink.consts import ConnOption
from netlink.errors import OpError
from netlink.family import Deferred
from netlink.netfilter._proc import ProcFile
from netlink.netfilter.conntrack.records import Expect, Flow
from netlink.netfilter.nfnetlink import Family, NfGenMsg
from netlink.netfilter.nfqueue._verdicts import Verdicts
from netlink.netfilter.nfqueue.family import Conn, may_set, sets_priority
from netlink.netfilter.nfqueue.records import (
    VLAN,
    Command,
    ConfigCmd,
    ConfigCommand,
    ConfigFlags,
    ConfigParams,
    CopyMode,
    Decision,
    Packet,
    PacketHdr,
)
from netlink.stream import Kind, SocketSource, Stream, open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from os import PathLike

    from netlink.family import Call

__all__ = ["Queue", "Stats", "listen"]

_KINDS = (Kind(Command.PACKET, Packet),)
_U32_MAX = 0xFFFFFFFF
_COPY_MAX = 65531  # bytes: what the kernel copies at most
# Bytes. The attributes beside the payload have less; and no power of 2: adjacent slots would share lines of the cache.
_ATTRIBUTES = (4 << 10) + 64
# Bytes. What the kernel charges the read buffer for a packet of an Ethernet's MTU.
_CHARGE = 2304
_READ_BUFFER = 16 << 20  # bytes, the default of a stream
_BRIDGE = 7  # of the family in a packet of a bridge, as NFPROTO numbers it
_requests = Conn(Deferred())


class Stats(NamedTuple):
    """Counters of a queue since it was bound, from /proc/net/netfilter/nfnetlink_queue.

    Of what `fail_open` accepted, `full_dropped` and `user_dropped` have nothing; `Queue.lost` has what passed because
    the read buffer was full.
    """

    queued: int
    """Packets that wait for a verdict."""
    full_dropped: int
    """Packets dropped because `max_length` packets were waiting. They have no id: `lost` does not count them."""
    user_dropped: int
    """Packets dropped because the read buffer was full. `lost` counts them, too."""
    last_id: int
    """The id of the last packet."""


class Queue(Stream[Packet, Never], Verdicts[Packet, Never]):
    """A `netlink.stream.Stream` of `Packet`, from `listen`, with methods that give verdicts.

    A packet waits in the kernel until its verdict. Threads may share a queue: some read, others decide.
    `lost` counts the gaps in the ids: the exact number of packets, before the last received one, that were queued to a
    full read buffer. The kernel dropped them; with fail_open it accepted them.
    `stop` ends the stream as soon as nothing is queued for reading; verdicts still work. `close` drops the packets that
    wait, and the queue. In a forked child, `close` leaves the parent's queue alone. Packets that were received before
    the fork, and not handed out yet, are handed out in both: an iteration receives several at once.
    """

    def __init__(self, source: SocketSource[Packet], number: int, options: dict[str, Any]) -> None:
        super().__init__(source)
        self._bind(number, (Packet.packet_hdr, PacketHdr.packet_id), (Packet.header, NfGenMsg.res_id))
        self._number = number
        self._options = options
        self._able: set[str] = set()
        self._packets = source
        self._file = ProcFile(source.sock, "nfnetlink_queue")

    @property
    def number(self) -> int:
        """The number of the queue."""
        return self._number

    def stats(self) -> Stats:
        """The kernel's counters of this queue.

        OpError: EBADF if the queue is closed; PermissionError and others if /proc cannot be read.
        """
        try:
            rows = self._file.rows()
        except OpError:
            raise
        except OSError as error:
            raise OpError("stats", error) from error
        for number, port, queued, _, _, full, user, last, *_ in rows:
            if (number, port) == (self._number, self._packets.sock.pid):
                return Stats(queued, full, user, last)
        raise OpError("stats", OSError(errno.ENODEV, f"queue {self._number} is not bound any more"))

    def configure(
        self,
        *,
        copy_range: int | None = None,
        max_length: int | None = None,
        fail_open: bool | None = None,
        gso: bool | None = None,
        conntrack: bool | None = None,
        uid_gid: bool | None = None,
        secctx: bool | None = None,
    ) -> None:
        """Change options of `listen`; None leaves one as it is. Packets that are queued already stay as they are.

        OpError as of `listen`; nothing is changed then. ValueError for invalid values.
        """
        given = {
            "copy_range": copy_range,
            "max_length": max_length,
            "fail_open": fail_open,
            "gso": gso,
            "conntrack": conntrack,
            "uid_gid": uid_gid,
            "secctx": secctx,
        }
        options = self._options | {name: value for name, value in given.items() if value is not None}
        call = _configuration(self._number, options, None)
        # The answer would come among the packets. So another socket asks whether it will be good.
        with self._beside() as config:
            permitted = may_set(config, self._number, _flags_of(options))
        if not permitted:
            raise OpError("configure", errno.EPERM, hint=Family.hints[errno.EPERM])
        self._packets.send(call)
        self._options = options

    def _release(self) -> None:
        super()._release()
        self._file.close()

    @contextmanager
    def _beside(self) -> Generator[NetlinkConfig]:
        """The configuration of another connection to the network namespace of the queue."""
        namespace = self._file.namespace  # not closed meanwhile
        yield NetlinkConfig(netns=namespace.fd)

    def _extra(self, packet: object, ct: object, expect: object, vlan: object, l2hdr: Any) -> bytes:
        for name, value, wanted in (("ct", ct, Flow), ("expect", expect, Expect), ("vlan", vlan, VLAN)):
            if value is not None and not isinstance(value, wanted):
                raise TypeError(f"{name} must be a {wanted.__name__}, not {value!r}")
        if expect is not None and ct is None:
            raise ValueError("the kernel ignores expect without ct: an empty Flow() will do")
        if (vlan is not None or l2hdr is not None) and isinstance(packet, Packet):
            if packet.family not in {_BRIDGE, None}:
                raise ValueError("the kernel ignores vlan and l2hdr, except for packets of the bridge family")
            if l2hdr is not None and packet.l2hdr is not None and len(l2hdr) != len(packet.l2hdr):
                raise ValueError(f"l2hdr must have {len(packet.l2hdr)} bytes as before, not {len(l2hdr)}")
        if isinstance(vlan, VLAN) and (vlan.proto is None or vlan.tci is None):
            raise ValueError("a vlan needs both proto and tci: the kernel would drop the packet")
        if isinstance(ct, Flow):
            _check_helper(packet, ct)
            self._need("ct", _sets_flows, "the kernel ignores ct= without CONFIG_NETFILTER_NETLINK_GLUE_CT")
        decision = Decision(ct=ct, expect=expect, vlan=vlan, l2hdr=l2hdr)  # type: ignore[arg-type]
        return decision.encode()[len(NfGenMsg().encode()) :]

    def _need_priority(self) -> None:
        self._need("priority", sets_priority, "kernels before 5.18 ignore priority=")

    def _may_rewrite(self) -> None:
        if "payload" in self._able:
            return
        if another_owner(self._file.namespace.fd):
            warn(
                f"the network namespace of queue {self._number} belongs to another user namespace than the machine's "
                "first one: newer kernels drop packets with a payload from user space there, without an error. "
                "See that they arrive, or run the queue in a network namespace of the machine's root"
            )
        self._able.add("payload")

    def _need(self, ability: str, probe: Callable[[NetlinkConfig, int], bool], missing: str) -> None:
        """Raise unless the kernel has an ability. It is probed once."""
        if ability not in self._able:
            with self._beside() as config:
                able = probe(config, self._number)
            if not able:
                raise OpError("verdict", OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP)), hint=missing)
            self._able.add(ability)


def _check_helper(packet: object, ct: Flow) -> None:
    """Raise for a helper that the kernel does not give to a flow: it heeds no labels and no mark then, either."""
    has = packet.ct.helper if isinstance(packet, Packet) and packet.ct is not None else None
    if ct.helper and ct.helper != has:
        raise ValueError(
            f"a flow that exists cannot get the helper {ct.helper!r}: a verdict can only take one away (''); "
            "set it by a rule"
        )


def _sets_flows(config: NetlinkConfig, number: int) -> bool:
    """Whether the kernel can change flows by verdicts."""
    try:
        return may_set(config, number, ConfigFlags.CONNTRACK)
    except OpError as error:
        if error.errno == errno.EOPNOTSUPP:
            return False
        raise


def listen(
    number: int,
    *,
    copy_range: int = 0xFFFF,
    max_length: int = 4096,
    fail_open: bool = False,
    gso: bool = True,
    conntrack: bool = False,
    uid_gid: bool = False,
    secctx: bool = False,
    read_buffer: int | None = None,
    netns: int | str | PathLike[str] | None = None,
) -> Queue:
    """Bind a queue, and open a stream of the packets that rules queue to it. Each waits for its verdict.

    number: 0 to 65535, of `queue` in nft or `--queue-num` in iptables; it can have one listener.
    copy_range: bytes of each packet to copy, from its network header on; 0 for none. The kernel copies at most 65,531.
    max_length: packets that may wait for a verdict. Further ones are dropped, or accepted with fail_open.
    fail_open: accept packets, instead of dropping them, if the queue or the read buffer is full.
    gso: packets of several segments come whole, with up to 64 KiB, and with checksums that are not final
        (`SkbInfo.CSUM_NOT_READY`). False: the kernel splits them, and completes the checksums, which takes its time;
        the segments of a new flow's first packet, of UDP, must then be accepted in order. Kernels such as 6.1 drop them
        all before they are queued, and no counter tells.
    conntrack: add its flow to each packet (`ct`, `ct_info`).
    uid_gid: add the owner of the local socket (`uid`, `gid`). secctx: add the security context (`secctx`).
    read_buffer: bytes to queue. The kernel doubles the value, and charges the allocated size of each packet: 830 to
        1,300 bytes for a small one, 2,304 for one of 1,500 bytes. NetlinkWarning if the kernel permits less;
        `Queue.read_buffer` returns the size in effect. None: 16,777,216, or 2,304 for each packet of max_length if that
        is more.
    netns: the network namespace, as in `netlink.Config`.

    OpError: EBUSY if the queue has another listener; PermissionError without CAP_NET_ADMIN; EOPNOTSUPP if the kernel
    does not support conntrack=True or secctx=True; ENOBUFS if packets filled the read buffer before the kernel's
    answer. ValueError for invalid arguments, which the kernel might ignore silently.
    """
    _check("number", number, 0, 0xFFFF)
    options: dict[str, Any] = {
        "copy_range": copy_range,
        "max_length": max_length,
        "fail_open": fail_open,
        "gso": gso,
        "conntrack": conntrack,
        "uid_gid": uid_gid,
        "secctx": secctx,
    }
    # A single message: with the kernel's defaults every packet is dropped.
    bind = _configuration(number, options, ConfigCommand.BIND)
    if read_buffer is None and max_length * _CHARGE > _READ_BUFFER:
        read_buffer = min(max_length * _CHARGE, (1 << 30) - 1)
    config = NetlinkConfig(netns=netns)
    try:
        source = open_source(
            Family.protocol,
            _KINDS,
            config=config,
            read_buffer=read_buffer,
            counter=(Packet.packet_hdr, PacketHdr.packet_id),
            first=1,
            answers=max_length,
            # The range may be raised later.
            slot=_COPY_MAX + _ATTRIBUTES,
            start=bind,
        )
    except OpError as error:
        # The kernel also reports EPERM for the queue of another socket.
        if error.errno != errno.EPERM or not may_set(config, number, ConfigFlags(0)):
            raise
        taken = OpError(error.op, OSError(errno.EBUSY, os.strerror(errno.EBUSY)))
        taken.hint = f"another socket of this network namespace listens to queue {number}; choose another queue"
        raise taken from error
    try:
        # Refused verdicts come back without their payload.
        source.sock.set_option(ConnOption.CAP_ACKNOWLEDGE, True)
        return Queue(source, number, options)
    except BaseException:
        source.close()
        raise


def _flags_of(options: dict[str, Any]) -> ConfigFlags:
    flags = ConfigFlags(0)
    for flag in ConfigFlags:
        if options[str(flag.name).lower()]:
            flags |= flag
    return flags


def _configuration(number: int, options: dict[str, Any], command: ConfigCommand | None) -> Call[None]:
    """The request that sets all options of a queue, and may bind it. ValueError for invalid ones."""
    copy_range = options["copy_range"]
    _check("copy_range", copy_range, 0, 0xFFFF)
    _check("max_length", options["max_length"], 1, _U32_MAX)
    return _requests.configure(
        number=number,
        cmd=None if command is None else ConfigCmd(command=command),
        params=ConfigParams(copy_range=copy_range, copy_mode=CopyMode.PACKET if copy_range else CopyMode.META),
        queue_maxlen=options["max_length"],
        mask=~ConfigFlags(0),
        flags=_flags_of(options),
    )


def _check(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} must be an int from {least} to {most}, not {value!r}")
