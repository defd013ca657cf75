"""NLDEBUG: print every message that a Conn sends and receives.

``NLDEBUG=1`` in the environment, or ``NLDEBUG=level=1,format=mnl``, makes ``dial`` print messages to standard
error, each line with the prefix ``nl: ``. The formats are ``mnl``, the table of libmnl's
``mnl_nlmsg_fprintf``, and ``text``, one line a message. If a declaration says what a message holds, as that of a
family's operation does, a line with the record follows.

The table differs from that of libmnl:

- Only terminals get colour.
- A malformed attribute is printed as rows of data, together with the rest of the attribute around it. Attributes of
  type 0 are printed like all others; libmnl hides their header.
- The errno, the echoed header and the extended-ack attributes of an error or done message have separate rows. The
  payload of an echoed request is left out: it was printed when it was sent.
"""

from __future__ import annotations

import os
import struct
import sys

from netlink.errors import DecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final, Literal, final

    from _typeshed import SupportsWrite

    from netlink._codec import Message
    from netlink._engine.record import Record
else:

    def final(cls):
        return cls


__all__ = ["Debugger"]

_PREFIX = "nl: "
_ALLOWED = "want 1 alone, or a comma-separated list of level=N (N >= 0) and format=mnl|text"

# linux/netlink.h
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLMSG_MIN_TYPE = 16
_NLMSG_HDRLEN = 16
_NLM_F_REQUEST = 0x1
_NLM_F_MULTI = 0x2
_NLM_F_ACK = 0x4
_NLM_F_ECHO = 0x8
_NLM_F_CAPPED = 0x100
_NLM_F_DUMP = 0x300
_NLM_F_ACK_TLVS = 0x200
_NLA_F_NESTED = 0x8000
_NLA_F_NET_BYTEORDER = 0x4000
_NLA_TYPE_MASK = 0x3FFF
_ERRNO_SIZE = 4

_NETLINK_ROUTE = 0
_NETLINK_SOCK_DIAG = 4
_NETLINK_XFRM = 6
_NETLINK_SELINUX = 7
_NETLINK_ISCSI = 8
_NETLINK_AUDIT = 9
_NETLINK_FIB_LOOKUP = 10
_NETLINK_CONNECTOR = 11
_NETLINK_NETFILTER = 12
_NETLINK_KOBJECT_UEVENT = 15
_NETLINK_GENERIC = 16
_NETLINK_SCSITRANSPORT = 18
_NETLINK_ECRYPTFS = 19
_NETLINK_CRYPTO = 21

# Families with other payloads than attributes.
_OPAQUE = frozenset(
    (
        _NETLINK_SELINUX,
        _NETLINK_ISCSI,
        _NETLINK_AUDIT,
        _NETLINK_FIB_LOOKUP,
        _NETLINK_CONNECTOR,
        _NETLINK_KOBJECT_UEVENT,
        _NETLINK_SCSITRANSPORT,
        _NETLINK_ECRYPTFS,
    )
)

# Families with one header for all messages.
_FIXED_HEADER = {
    _NETLINK_CONNECTOR: 20,  # struct cn_msg, linux/connector.h
    _NETLINK_NETFILTER: 4,  # struct nfgenmsg, linux/netfilter/nfnetlink.h
    _NETLINK_GENERIC: 4,  # struct genlmsghdr, linux/genetlink.h
}

# linux/rtnetlink.h: message types form groups of four (new, del, get, set) that share a header.
_RTGENMSG = 4
_ROUTE_HEADER = (
    16,  # 16 RTM_NEWLINK: ifinfomsg
    8,  # 20 RTM_NEWADDR: ifaddrmsg
    12,  # 24 RTM_NEWROUTE: rtmsg
    12,  # 28 RTM_NEWNEIGH: ndmsg
    12,  # 32 RTM_NEWRULE: fib_rule_hdr
    20,  # 36 RTM_NEWQDISC: tcmsg
    20,  # 40 RTM_NEWTCLASS: tcmsg
    20,  # 44 RTM_NEWTFILTER: tcmsg
    4,  # 48 RTM_NEWACTION: tcamsg
    12,  # 52 RTM_NEWPREFIX: prefixmsg
    8,  # 56 RTM_GETMULTICAST (58): ifaddrmsg
    8,  # 60 RTM_GETANYCAST (62): ifaddrmsg
    4,  # 64 RTM_NEWNEIGHTBL: ndtmsg
    16,  # 68 RTM_NEWNDUSEROPT: nduseroptmsg
    12,  # 72 RTM_NEWADDRLABEL: ifaddrlblmsg
    4,  # 76 RTM_GETDCB (78): dcbmsg
    4,  # 80 RTM_NEWNETCONF: netconfmsg, 1 byte, padded
    8,  # 84 RTM_NEWMDB: br_port_msg
    _RTGENMSG,  # 88 RTM_NEWNSID
    12,  # 92 RTM_NEWSTATS: if_stats_msg
    _RTGENMSG,  # 96 RTM_NEWCACHEREPORT
    20,  # 100 RTM_NEWCHAIN: tcmsg
    8,  # 104 RTM_NEWNEXTHOP: nhmsg
    16,  # 108 RTM_NEWLINKPROP: ifinfomsg
    8,  # 112 RTM_NEWVLAN: br_vlan_msg
    8,  # 116 RTM_NEWNEXTHOPBUCKET: nhmsg
    8,  # 120 RTM_NEWTUNNEL: tunnel_msg
)

# linux/sock_diag.h, linux/inet_diag.h
_TCPDIAG_GETSOCK = 18
_DCCPDIAG_GETSOCK = 19
_SOCK_DIAG_BY_FAMILY = 20
_SOCK_DESTROY = 21
_INET_DIAG_REQ = 60
_INET_DIAG_MSG = 72
# Socket family: size of the request's and of the reply's struct in linux/*_diag.h. TIPC replies have none.
_SOCK_DIAG_HEADER = {
    1: (24, 16),  # AF_UNIX: unix_diag_req, unix_diag_msg
    2: (56, 72),  # AF_INET: inet_diag_req_v2, inet_diag_msg
    10: (56, 72),  # AF_INET6
    16: (20, 28),  # AF_NETLINK: netlink_diag_req, netlink_diag_msg
    17: (20, 16),  # AF_PACKET: packet_diag_req, packet_diag_msg
    30: (8, 0),  # AF_TIPC: tipc_sock_diag_req
    40: (24, 32),  # AF_VSOCK: vsock_diag_req, vsock_diag_msg
    43: (52, 64),  # AF_SMC: smc_diag_req, smc_diag_msg
    44: (20, 16),  # AF_XDP: xdp_diag_req, xdp_diag_msg
}

# linux/xfrm.h
_XFRM_MSG_GETSA = 0x12
_XFRM_MSG_GETPOLICY = 0x15
_XFRM_HEADER = (
    224,  # 0x10 XFRM_MSG_NEWSA: xfrm_usersa_info
    24,  # 0x11 XFRM_MSG_DELSA: xfrm_usersa_id
    24,  # 0x12 XFRM_MSG_GETSA: xfrm_usersa_id
    168,  # 0x13 XFRM_MSG_NEWPOLICY: xfrm_userpolicy_info
    64,  # 0x14 XFRM_MSG_DELPOLICY: xfrm_userpolicy_id
    64,  # 0x15 XFRM_MSG_GETPOLICY: xfrm_userpolicy_id
    232,  # 0x16 XFRM_MSG_ALLOCSPI: xfrm_userspi_info
    280,  # 0x17 XFRM_MSG_ACQUIRE: xfrm_user_acquire
    232,  # 0x18 XFRM_MSG_EXPIRE: xfrm_user_expire
    168,  # 0x19 XFRM_MSG_UPDPOLICY: xfrm_userpolicy_info
    224,  # 0x1a XFRM_MSG_UPDSA: xfrm_usersa_info
    176,  # 0x1b XFRM_MSG_POLEXPIRE: xfrm_user_polexpire
    4,  # 0x1c XFRM_MSG_FLUSHSA: xfrm_usersa_flush, 1 byte, padded
    0,  # 0x1d XFRM_MSG_FLUSHPOLICY
    48,  # 0x1e XFRM_MSG_NEWAE: xfrm_aevent_id
    48,  # 0x1f XFRM_MSG_GETAE: xfrm_aevent_id
    60,  # 0x20 XFRM_MSG_REPORT: xfrm_user_report
    64,  # 0x21 XFRM_MSG_MIGRATE: xfrm_userpolicy_id
    4,  # 0x22 XFRM_MSG_NEWSADINFO: __u32
    4,  # 0x23 XFRM_MSG_GETSADINFO: __u32
    4,  # 0x24 XFRM_MSG_NEWSPDINFO: __u32
    4,  # 0x25 XFRM_MSG_GETSPDINFO: __u32
    64,  # 0x26 XFRM_MSG_MAPPING: xfrm_user_mapping
    4,  # 0x27 XFRM_MSG_SETDEFAULT: xfrm_userpolicy_default, 3 bytes, padded
    4,  # 0x28 XFRM_MSG_GETDEFAULT: xfrm_userpolicy_default
)

# linux/cryptouser.h: CRYPTO_MSG_NEWALG, DELALG, UPDATEALG and GETALG have a struct crypto_user_alg.
_CRYPTO_MSG_GETALG = 0x13
_CRYPTO_USER_ALG = 208


def _extra_header_size(family: int, mtype: int, flags: int, data: bytes) -> int:
    """Bytes between nlmsghdr and the attributes, including padding. Not for control messages."""
    if family == _NETLINK_ROUTE:
        group = (mtype - _NLMSG_MIN_TYPE) >> 2
        size = _ROUTE_HEADER[group] if group < len(_ROUTE_HEADER) else _RTGENMSG
        # Dump requests may be short: the kernel accepts a bare rtgenmsg in place of the group's header.
        return size if len(data) >= size else _RTGENMSG
    if family == _NETLINK_SOCK_DIAG:
        request = bool(flags & _NLM_F_REQUEST)
        if mtype in (_TCPDIAG_GETSOCK, _DCCPDIAG_GETSOCK):
            return _INET_DIAG_REQ if request else _INET_DIAG_MSG
        if mtype in (_SOCK_DIAG_BY_FAMILY, _SOCK_DESTROY) and data:
            sizes = _SOCK_DIAG_HEADER.get(data[0], (0, 0))
            return sizes[0] if request else sizes[1]
        return 0
    if family == _NETLINK_XFRM:
        if mtype in (_XFRM_MSG_GETSA, _XFRM_MSG_GETPOLICY) and flags & _NLM_F_DUMP:
            return 0
        index = mtype - _NLMSG_MIN_TYPE
        return _XFRM_HEADER[index] if index < len(_XFRM_HEADER) else 0
    if family == _NETLINK_CRYPTO:
        return _CRYPTO_USER_ALG if mtype <= _CRYPTO_MSG_GETALG else 0
    return _FIXED_HEADER.get(family, 0)


_RULE = "----------------\t------------------"
_PRINTABLE = bytes(b if 0x20 <= b < 0x7F else 0x20 for b in range(256))
_PLAIN_ATTRIBUTE = "|%05d|%c%c|%05d|\t|len |flags| type|"
_COLOUR_ATTRIBUTE = "|\x1b[1;31m%05d\x1b[0m|\x1b[1;32m%c%c\x1b[0m|\x1b[1;34m%05d\x1b[0m|\t|len |flags| type|"


class _Table:
    """The lines of one message. Offsets count in its payload, which is padded to whole rows."""

    __slots__ = ("attribute_format", "data", "lines")

    def __init__(self, data: bytes, colour: bool) -> None:
        self.data = data + bytes(-len(data) % 4)
        self.attribute_format = _COLOUR_ATTRIBUTE if colour else _PLAIN_ATTRIBUTE
        self.lines: list[str] = []

    def header(self, length: int, mtype: int, flags: int, sequence: int, pid: int) -> None:
        letters = (
            ("R" if flags & _NLM_F_REQUEST else "-")
            + ("M" if flags & _NLM_F_MULTI else "-")
            + ("A" if flags & _NLM_F_ACK else "-")
            + ("E" if flags & _NLM_F_ECHO else "-")
        )
        self.lines += (
            _RULE,
            f"|  {length:010d}  |\t| message length |",
            f"| {mtype:05d} | {letters} |\t|  type | flags  |",
            f"|  {sequence:010d}  |\t| sequence number|",
            f"|  {pid:010d}  |\t|     port ID    |",
            _RULE,
        )

    def rows(self, start: int, end: int, label: str) -> None:
        for i in range(start, end, 4):
            self.lines.append(f"| {self.data[i : i + 4].hex(' ')}  |\t|{label}|")

    def extra_header(self, start: int, end: int) -> None:
        self.rows(start, end, "  extra header  ")

    def unlabelled(self, start: int, end: int) -> None:
        self.rows(start, end, "                ")

    def payload(self, start: int, end: int) -> None:
        for i in range(start, end, 4):
            row = self.data[i : i + 4]
            text = " ".join(row.translate(_PRINTABLE).decode("ascii"))
            self.lines.append(f"| {row.hex(' ')}  |\t|      data      |\t {text}")

    def attributes(self, start: int, end: int) -> None:
        # A stack of the ends of the outer attributes instead of recursion: attributes may nest thousands deep.
        ends = [end]
        pos = start
        while ends:
            end = ends[-1]
            if pos >= end:
                ends.pop()
                continue
            length = atype = 0
            if end - pos >= 4:
                length, atype = struct.unpack_from("=HH", self.data, pos)
            if not 4 <= length <= end - pos:
                self.payload(pos, end)
                pos = _align(end)
                continue
            nested = bool(atype & _NLA_F_NESTED)
            self.lines.append(
                self.attribute_format
                % (
                    length,
                    "N" if nested else "-",
                    "B" if atype & _NLA_F_NET_BYTEORDER else "-",
                    atype & _NLA_TYPE_MASK,
                )
            )
            if nested:
                ends.append(pos + length)
                pos += 4
            else:
                self.payload(pos + 4, pos + length)
                pos += _align(length)

    def control(self, mtype: int, flags: int, end: int) -> None:
        if mtype not in (_NLMSG_ERROR, _NLMSG_DONE):
            self.unlabelled(0, end)
            return
        if end < _ERRNO_SIZE:
            self.payload(0, end)
            return
        self.extra_header(0, _ERRNO_SIZE)
        pos = _ERRNO_SIZE
        if mtype == _NLMSG_ERROR and end >= _ERRNO_SIZE + _NLMSG_HDRLEN:
            pos += _NLMSG_HDRLEN
            self.extra_header(_ERRNO_SIZE, pos)
            if not flags & _NLM_F_CAPPED:
                (echoed,) = struct.unpack_from("=I", self.data, _ERRNO_SIZE)
                after = _ERRNO_SIZE + _align(max(echoed, _NLMSG_HDRLEN))
                if after > _align(end):
                    self.payload(pos, end)
                    return
                pos = after
        if flags & _NLM_F_ACK_TLVS:
            self.attributes(pos, end)
        else:
            self.payload(pos, end)


def _align(length: int) -> int:
    return (length + 3) & ~3


def _format_mnl(family: int, message: Message, colour: bool) -> list[str]:
    header = message.header
    data = message.data
    # Plain ints: the bit operations of an IntFlag are slow.
    mtype = int(header.type)
    flags = int(header.flags)
    end = len(data)

    table = _Table(data, colour)
    table.header(header.length, mtype, flags, header.sequence, header.pid)
    if mtype < _NLMSG_MIN_TYPE:
        table.control(mtype, flags, end)
    else:
        extra = min(_extra_header_size(family, mtype, flags, data), end)
        table.extra_header(0, extra)
        if family in _OPAQUE:
            table.payload(_align(extra), end)
        else:
            table.attributes(_align(extra), end)
    table.lines.append(_RULE)
    return table.lines


def _record(declaration: type[Record], payload: bytes) -> str:
    """The record of a message, or why there is none."""
    try:
        return repr(declaration.decode(payload))
    except DecodeError as error:
        return f"no {declaration.__name__}: {error}"


def _is_terminal(stream: object) -> bool:
    isatty = getattr(stream, "isatty", None)
    try:
        return isatty is not None and bool(isatty())
    except (OSError, ValueError):  # closed
        return False


@final
class Debugger:
    """A printer of messages, as NLDEBUG configures it.

    It has no mutable state, and writes each message by one ``stream.write``: any number of threads can share it
    without mixing their lines. If the stream cannot be written, messages are lost; a send or receive never fails.
    """

    __slots__ = ("_stream", "family", "format", "level")

    family: Final[int]
    level: Final[int]
    format: Final[Literal["mnl", "text"]]

    def __init__(
        self,
        family: int,
        *,
        level: int = 1,
        fmt: Literal["mnl", "text"] = "mnl",
        stream: SupportsWrite[str] | None = None,
    ) -> None:
        self.family = family
        self.level = level
        self.format = fmt
        self._stream = stream

    @classmethod
    def from_environment(
        cls,
        family: int,
        environ: Mapping[str, str] = os.environ,
        stream: SupportsWrite[str] | None = None,
    ) -> Debugger | None:
        """The Debugger for the variable NLDEBUG; None if it is not set or its level is 0.

        ``1`` alone means ``level=1,format=mnl``. Level 0 prints nothing; level 1 and above print messages
        sent and received. ``stream`` None means the current ``sys.stderr`` at each write. An item other than
        ``level=N`` and ``format=mnl|text`` raises ValueError.
        """
        value = environ.get("NLDEBUG", "")
        if not value:
            return None
        level = 1
        fmt: Literal["mnl", "text"] = "mnl"
        if value != "1":
            for item in value.split(","):
                key, _, argument = item.partition("=")
                if key == "level" and argument.isascii() and argument.isdecimal():
                    # Cut off: all levels above 1 are alike, and int() refuses very long numbers.
                    level = int(argument.lstrip("0")[:9] or "0")
                elif item == "format=mnl":
                    fmt = "mnl"
                elif item == "format=text":
                    fmt = "text"
                else:
                    raise ValueError(f"NLDEBUG: bad item {item!r}: {_ALLOWED}")
        if level == 0:
            return None
        return cls(family, level=level, fmt=fmt, stream=stream)

    def sent(self, messages: Iterable[Message], declaration: type[Record] | None = None, skip: int = 0) -> None:
        """Print messages that were sent; with a declaration also the records that they hold, behind skip bytes."""
        self._print("send", messages, declaration, skip)

    def received(self, messages: Iterable[Message], declaration: type[Record] | None = None, skip: int = 0) -> None:
        """Print messages that were received; with a declaration also the records that they hold, behind skip bytes."""
        self._print("recv", messages, declaration, skip)

    def _print(self, verb: str, messages: Iterable[Message], declaration: type[Record] | None, skip: int) -> None:
        if self.level < 1:
            return
        stream = sys.stderr if self._stream is None else self._stream
        if stream is None:  # a daemon may have no standard error
            return
        colour = self.format == "mnl" and _is_terminal(stream)
        for message in messages:
            if self.format == "text":
                lines = [f"{verb}: {message!r}"]
            else:
                lines = _format_mnl(self.family, message, colour)
            if declaration is not None and message.header.type >= _NLMSG_MIN_TYPE:
                lines.append(f"{verb}: {_record(declaration, message.data[skip:])}")
            text = "".join([f"{_PREFIX}{line}\n" for line in lines])
            try:
                stream.write(text)
            except (OSError, ValueError):  # closed, full, or a broken pipe
                return
