"""Connection tracking: the kernel's table of flows.

    from netlink.netfilter import conntrack

    with conntrack.dial() as ct:
        for flow in ct.dump():
            print(flow.orig.src, flow.orig.dst, flow.status)

Reading the table needs CAP_NET_ADMIN in the user namespace of the network namespace.
"""

from __future__ import annotations

import socket as _socket

from netlink import conn as _conn
from netlink._dump import dump, iter_dump
from netlink.consts import Family, HeaderFlags, NetfilterSubsystem
from netlink.errors import Overrun
from netlink.netfilter._events import listen
from netlink.netfilter._flow import (
    NAT,
    Counters,
    DCCPInfo,
    Event,
    Flow,
    ProtoInfo,
    SCTPInfo,
    SCTPState,
    SeqAdj,
    Status,
    SynProxy,
    TCPFlags,
    TCPInfo,
    TCPState,
    Timestamp,
    Tuple,
)
from netlink.netfilter._nfnetlink import NfGenMsg, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from netlink._codec import Message
    from netlink.config import Config
    from netlink.schema import Batch

__all__ = [
    "NAT",
    "Conn",
    "Counters",
    "DCCPInfo",
    "Event",
    "Flow",
    "Overrun",
    "ProtoInfo",
    "SCTPInfo",
    "SCTPState",
    "SeqAdj",
    "Status",
    "SynProxy",
    "TCPFlags",
    "TCPInfo",
    "TCPState",
    "Timestamp",
    "Tuple",
    "dial",
    "listen",
]

# enum cntl_msg_types, linux/netfilter/nfnetlink_conntrack.h
_NEW = 0  # IPCTNL_MSG_CT_NEW
_GET = 1  # IPCTNL_MSG_CT_GET
_DELETE = 2  # IPCTNL_MSG_CT_DELETE
_GET_CTRZERO = 3  # IPCTNL_MSG_CT_GET_CTRZERO
_GET_DYING = 6  # IPCTNL_MSG_CT_GET_DYING
_GET_UNCONFIRMED = 7  # IPCTNL_MSG_CT_GET_UNCONFIRMED

_REQUEST = int(HeaderFlags.REQUEST)
_ACK = _REQUEST | int(HeaderFlags.ACKNOWLEDGE)
_DUMP = _REQUEST | int(HeaderFlags.DUMP)
_CREATE = _ACK | int(HeaderFlags.CREATE) | int(HeaderFlags.EXCL)

_ROWS = 4096
# nfgenmsg.version from which ctnetlink heeds nfgenmsg.nfgen_family when it flushes.
_VERSION_FAMILY = 1


def dial(config: Config | None = None) -> Conn:
    """Open a connection to conntrack. Errors are those of `netlink.dial`."""
    return Conn(_conn.dial(Family.NETFILTER, config))


class Conn:
    """Requests to conntrack over a `netlink.Conn`, whose rules for threads, closing and errors hold.

    Every method raises OpError: PermissionError without CAP_NET_ADMIN, FileNotFoundError where there is no such flow,
    FileExistsError where there is one already.
    """

    def __init__(self, conn: _conn.Conn) -> None:
        self.conn = conn

    def dump(self, *, family: int | None = None, zero: bool = False) -> Batch[Flow]:
        """All flows of the table.

        family: AF_INET or AF_INET6 alone. zero: set the counters to 0 with the same look at them; where the dump is
        cut short then, what it had read of them is lost.

        The kernel walks a table that changes meanwhile and does not tell: a flow may come twice or not at all. Where
        that matters tell flows apart by `id` and `orig`.
        """
        return dump(self.conn, _dump_request(_GET_CTRZERO if zero else _GET, family), Flow)

    def iter_dump(self, *, family: int | None = None, zero: bool = False) -> Iterator[Batch[Flow]]:
        """`dump` in batches of some thousand flows: memory does not grow with the table."""
        return iter_dump(self.conn, _dump_request(_GET_CTRZERO if zero else _GET, family), Flow, _ROWS)

    def dump_dying(self) -> Batch[Flow]:
        """The flows that are on their way out and wait for their DESTROY event to be delivered."""
        return dump(self.conn, _dump_request(_GET_DYING, None), Flow)

    def dump_unconfirmed(self) -> Batch[Flow]:
        """The flows whose first packet is still on its way. Kernels since 6.4 answer with none."""
        return dump(self.conn, _dump_request(_GET_UNCONFIRMED, None), Flow)

    def get(self, flow: Flow) -> Flow:
        """The flow with flow's `orig` tuple, or where it has none its `reply`, in its zone."""
        wanted = _with_header(Flow(**_key(flow)))
        (message,) = self.conn.execute(request(NetfilterSubsystem.CTNETLINK, _GET, _REQUEST, wanted.encode()))
        return Flow.decode(message.data)

    def create(self, flow: Flow) -> None:
        """Add a flow. It needs `orig`, `reply` and `timeout`; what the kernel insists on beyond that is added.

        Its status is confirmed, and where window scales are given the flag that makes them count.
        """
        values = _values(flow)
        values["status"] = int(flow.status or 0) | int(Status.CONFIRMED)
        tcp = flow.protoinfo.tcp if flow.protoinfo else None
        if tcp is not None:
            values["protoinfo"] = ProtoInfo(tcp=_with_scales(tcp))
        self._change(_NEW, _CREATE, Flow(**values))

    def update(self, flow: Flow) -> None:
        """Change a flow, found by its tuple, to what the other fields say; those that are None stay."""
        self._change(_NEW, _ACK, flow)

    def delete(self, flow: Flow) -> None:
        """Delete the flow with flow's tuple in its zone, and where flow has an `id` only if that is still the same.

        ValueError where it has no tuple: for the kernel that would be all flows, which is `flush`.
        """
        values = _key(flow)
        if flow.id is not None:
            values["id"] = flow.id
        self._change(_DELETE, _ACK, Flow(**values))

    def flush(self, *, family: int | None = None) -> None:
        """Delete all flows; with family, AF_INET or AF_INET6, those of that alone."""
        header = NfGenMsg(family=_family(family), version=0 if family is None else _VERSION_FAMILY)
        self.conn.execute(request(NetfilterSubsystem.CTNETLINK, _DELETE, _ACK, header.encode()))

    def _change(self, message: int, flags: int, flow: Flow) -> None:
        _key(flow)
        self.conn.execute(request(NetfilterSubsystem.CTNETLINK, message, flags, _with_header(flow).encode()))

    def close(self) -> None:
        """Close the connection."""
        self.conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _family(family: int | None) -> int:
    if family is None:
        return _socket.AF_UNSPEC
    if family not in (_socket.AF_INET, _socket.AF_INET6):
        raise ValueError(
            f"family must be AF_INET ({_socket.AF_INET:d}), AF_INET6 ({_socket.AF_INET6:d}) or None, not {family!r}"
        )
    return int(family)


def _dump_request(message: int, family: int | None) -> Message:
    return request(NetfilterSubsystem.CTNETLINK, message, _DUMP, NfGenMsg(family=_family(family)).encode())


def _values(flow: Flow) -> dict[str, object]:
    """The fields of a flow that are there, to make another one of."""
    return {name: value for name in Flow.__fields__ if (value := _field(flow, name)) is not None}


def _field(flow: Flow, name: str) -> object:
    # orig and reply raise where they are absent.
    return getattr(flow, name, None)


def _key(flow: Flow) -> dict[str, object]:
    """What the kernel finds a flow by."""
    values = _values(flow)
    key: dict[str, object] = {name: values[name] for name in ("orig", "reply", "zone") if name in values}
    if "orig" not in key and "reply" not in key:
        raise ValueError("the flow has neither an orig nor a reply tuple to be found by")
    if "orig" in key:
        key.pop("reply", None)
    return key


def _with_header(flow: Flow) -> Flow:
    """The flow with the address family of its tuple in the header."""
    values = _values(flow)
    address = getattr(values.get("orig") or values.get("reply"), "src", None)
    if address is None:
        raise ValueError("the flow's tuple has no addresses")
    values["header"] = NfGenMsg(family=_socket.AF_INET if address.version == 4 else _socket.AF_INET6)
    return Flow(**values)


def _with_scales(tcp: TCPInfo) -> TCPInfo:
    values = {name: value for name in TCPInfo.__fields__ if (value := getattr(tcp, name)) is not None}
    for scale, flags in (("wscale_original", "flags_original"), ("wscale_reply", "flags_reply")):
        if scale in values:
            given = values.get(flags)
            window_scale = 0x01  # IP_CT_TCP_FLAG_WINDOW_SCALE, linux/netfilter/nf_conntrack_tcp.h
            old_flags, old_mask = (given.flags or 0, given.mask or 0) if isinstance(given, TCPFlags) else (0, 0)
            values[flags] = TCPFlags(flags=old_flags | window_scale, mask=old_mask | window_scale)
    return TCPInfo(**values)
