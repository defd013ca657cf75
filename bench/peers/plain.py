"""Python's socket and struct, no library: what a careful script does by hand.

dump receive|conntrack|route [loops=N]    receive and look for DONE alone, or decode too
events conntrack count=N [seconds=S] [read_buffer=B]
nfqueue recv|each queue=N count=N [read_buffer=B]    no verdicts, or each accepted
request noop|getlink|getfamily count=N
bulk FILE family=N                        the requests of a file, one by one
decode FILE [loops=N]                     messages of conntrack, one behind the other
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.peers.peer import DUMP_BUFFER, Result, await_backlog, option

NETLINK_ROUTE, NETLINK_NETFILTER, NETLINK_GENERIC = 0, 12, 16
SOL_NETLINK, ADD_MEMBERSHIP, NO_ENOBUFS, SO_RCVBUFFORCE = 270, 1, 5, 33
ERROR, DONE = 2, 3
PACKET_BUFFER = 65536 + 512
DUMP = 0x301  # NLM_F_REQUEST, NLM_F_DUMP
HEADER = struct.Struct("=IHHII")
ATTRIBUTE = struct.Struct("=HH")
ERRNO = struct.Struct("=i")
QUEUED = struct.Struct(">IHB")  # struct nfqnl_msg_packet_hdr
U16 = struct.Struct(">H")
U32 = struct.Struct(">I")
NATIVE_U16 = struct.Struct("=H")
NATIVE_U32 = struct.Struct("=I")


def dial(family: int) -> socket.socket:
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
    s.bind((0, 0))
    s.connect((0, 0))
    return s


def message(kind: int, flags: int, payload: bytes, sequence: int = 1) -> bytes:
    return HEADER.pack(16 + len(payload), kind, flags, sequence, 0) + payload


def attribute(kind: int, data: bytes) -> bytes:
    return ATTRIBUTE.pack(4 + len(data), kind) + data + bytes(-len(data) % 4)


def attributes(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    at = 0
    while at + 4 <= len(view):
        length, kind = ATTRIBUTE.unpack_from(view, at)
        if not 4 <= length <= len(view) - at:
            raise ValueError(f"an attribute of {length} bytes")
        yield kind & 0x3FFF, view[at + 4 : at + length]
        at += (length + 3) & ~3


def read_flow(payload: memoryview) -> int:
    """Three fields: a script looks at nothing else."""
    total = 0
    for kind, data in attributes(payload[4:]):
        if kind == 1:  # CTA_TUPLE_ORIG
            for inner, value in attributes(data):
                if inner == 2:  # CTA_TUPLE_PROTO
                    total += sum(U16.unpack(port)[0] for which, port in attributes(value) if which == 2)
        elif kind in (3, 8):  # CTA_STATUS, CTA_MARK
            total += U32.unpack(data)[0]
    return total


def read_route(payload: memoryview) -> int:
    total = payload[1]
    for kind, data in attributes(payload[12:]):
        if kind == 1:  # RTA_DST
            total += U32.unpack(data)[0] & 0xFFFFFF
        elif kind == 4:  # RTA_OIF
            total += ERRNO.unpack(data)[0]
    return total


def read_family(payload: memoryview) -> int:
    total = 0
    for kind, data in attributes(payload[4:]):
        if kind == 1:  # CTRL_ATTR_FAMILY_ID
            total += NATIVE_U16.unpack(data)[0]
        elif kind == 3:  # CTRL_ATTR_VERSION
            total += NATIVE_U32.unpack(data)[0]
    return total


def take(result: Result, datagram: memoryview, read: Callable[[memoryview], int]) -> bool:
    """The messages of a datagram; whether it ends a dump."""
    at = 0
    while at + 16 <= len(datagram):
        length, kind, _flags, _sequence, _pid = HEADER.unpack_from(datagram, at)
        if not 16 <= length <= len(datagram) - at:
            raise ValueError(f"a message of {length} bytes")
        if kind == DONE:
            return True
        if kind == ERROR and (error := ERRNO.unpack_from(datagram, at + 16)[0]):
            raise OSError(-error, "netlink")
        result.items += 1
        result.sum += read(datagram[at + 16 : at + length])
        at += (length + 3) & ~3
    return False


def dump(what: str, loops: int) -> None:
    family, request = NETLINK_NETFILTER, message(0x101, DUMP, bytes(4))  # IPCTNL_MSG_CT_GET; nfgenmsg
    if what == "route":
        family, request = NETLINK_ROUTE, message(26, DUMP, bytes([socket.AF_INET, *bytes(11)]))  # RTM_GETROUTE; rtmsg
    read = read_route if what == "route" else read_flow
    buffer = bytearray(DUMP_BUFFER)
    view = memoryview(buffer)
    with dial(family) as s:
        result = Result()
        for _ in range(loops):
            s.send(request)
            done = False
            while not done:
                n = s.recv_into(buffer)
                if what == "receive":
                    done = HEADER.unpack_from(buffer)[1] == DONE or HEADER.unpack_from(buffer, n - 20)[:2] == (20, DONE)
                else:
                    done = take(result, view[:n], read)
        result.finish(loops)


def events(count: int, seconds: int, read_buffer: int) -> None:
    with dial(NETLINK_NETFILTER) as s:
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, read_buffer)
        s.setsockopt(SOL_NETLINK, NO_ENOBUFS, 1)
        for group in (1, 2, 3):  # NFNLGRP_CONNTRACK_NEW, _UPDATE, _DESTROY
            s.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
        s.settimeout(1)
        await_backlog()
        result = Result()
        end = time.perf_counter() + seconds if seconds else 0.0
        while time.perf_counter() < end if seconds else result.items < count:
            try:
                datagram = s.recv(8192)
            except TimeoutError:
                if seconds:
                    continue
                break
            take(result, memoryview(datagram), read_flow)
        # SO_MEMINFO, SK_MEMINFO_DROPS
        result.lost = struct.unpack("=9I", s.getsockopt(socket.SOL_SOCKET, 55, 36))[8]
        result.finish()


def read_packet(message: memoryview) -> tuple[int, int]:
    """The id, and the sum of three fields."""
    number = total = 0
    for kind, data in attributes(message[20:]):  # behind nlmsghdr and nfgenmsg
        if kind == 1:  # NFQA_PACKET_HDR
            number, _protocol, hook = QUEUED.unpack_from(data)
            total += hook
        elif kind == 3:  # NFQA_MARK
            total += U32.unpack(data)[0]
        elif kind == 10:  # NFQA_PAYLOAD
            total += len(data)
    return number, total


def nfqueue(how: str, queue: int, count: int, read_buffer: int) -> None:
    nfgenmsg = struct.pack(">BBH", 0, 0, queue)
    config = nfgenmsg + attribute(1, struct.pack(">BxH", 1, 0))  # NFQA_CFG_CMD, NFQNL_CFG_CMD_BIND
    config += attribute(2, struct.pack(">IB", 0xFFFF, 2))  # NFQA_CFG_PARAMS, NFQNL_COPY_PACKET
    config += attribute(3, U32.pack(count))  # NFQA_CFG_QUEUE_MAXLEN
    config += attribute(4, U32.pack(4)) + attribute(5, U32.pack(4))  # NFQA_CFG_MASK, _FLAGS: NFQA_CFG_F_GSO
    with dial(NETLINK_NETFILTER) as s:
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, read_buffer)
        s.send(message(0x302, 5, config))  # NFQNL_MSG_CONFIG; NLM_F_REQUEST, NLM_F_ACK
        if error := ERRNO.unpack_from(s.recv(DUMP_BUFFER), 16)[0]:
            raise OSError(-error, "netlink")
        buffer = bytearray(PACKET_BUFFER)
        view = memoryview(buffer)
        await_backlog()
        result = Result()
        while result.items < count:
            size = s.recv_into(buffer, 0, socket.MSG_DONTWAIT)  # all are there
            number, total = read_packet(view[:size])
            result.sum += total
            result.items += 1
            if how == "each":
                verdict = nfgenmsg + attribute(2, struct.pack(">II", 1, number))  # NFQA_VERDICT_HDR, NF_ACCEPT
                s.send(message(0x301, 1, verdict))  # NFQNL_MSG_VERDICT; NLM_F_REQUEST
        result.finish()


def request(what: str, count: int) -> None:
    kind, flags, payload = 1, 5, b""  # NLMSG_NOOP; NLM_F_REQUEST, NLM_F_ACK
    if what == "getlink":
        kind, flags, payload = 18, 1, struct.pack("=BxHiII", 0, 0, 1, 0, 0)  # RTM_GETLINK; ifinfomsg of lo
    elif what == "getfamily":
        # GENL_ID_CTRL; CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME
        kind, flags, payload = 16, 1, struct.pack("=BBH", 3, 1, 0) + attribute(2, b"nlctrl\0")
    with dial(NETLINK_GENERIC if what == "getfamily" else NETLINK_ROUTE) as s:
        pid = s.getsockname()[0]
        result = Result()
        for sequence in range(1, count + 1):
            s.send(message(kind, flags, payload, sequence))
            reply = s.recv(DUMP_BUFFER)
            length, kind_of, _flags, number, port = HEADER.unpack_from(reply)
            if number != sequence or port != pid:
                raise ValueError("a reply to another request")
            if kind_of == ERROR and (error := ERRNO.unpack_from(reply, 16)[0]):
                raise OSError(-error, "netlink")
            data = memoryview(reply)[16:length]
            if what == "getfamily":
                result.sum += read_family(data)
        result.items = count
        result.finish()


def bulk(path: str) -> None:
    data = Path(path).read_bytes()
    requests = []
    at = 0
    while at < len(data):
        length, _kind, _flags, sequence, _pid = HEADER.unpack_from(data, at)
        requests.append((sequence, data[at : at + length]))
        at += (length + 3) & ~3
    with dial(option("family")) as s:
        pid = s.getsockname()[0]
        result = Result()
        for sequence, request in requests:
            s.send(request)
            reply = s.recv(DUMP_BUFFER)
            _length, kind_of, _flags, number, port = HEADER.unpack_from(reply)
            if number != sequence or port != pid or kind_of != ERROR:
                raise ValueError("no acknowledgement of this request")
            if error := ERRNO.unpack_from(reply, 16)[0]:
                raise OSError(-error, "netlink")
        result.items = len(requests)
        result.finish()


def decode(path: str, loops: int) -> None:
    data = memoryview(Path(path).read_bytes())
    result = Result()
    for _ in range(loops):
        take(result, data, read_flow)
    result.finish(loops)


def main() -> None:
    work, what = sys.argv[1:3]
    if work == "dump":
        dump(what, option("loops", 1))
    elif work == "events":
        events(option("count"), option("seconds"), option("read_buffer", 4 << 20))
    elif work == "nfqueue":
        nfqueue(what, option("queue"), option("count"), option("read_buffer"))
    elif work == "request":
        request(what, option("count"))
    elif work == "bulk":
        bulk(what)
    elif work == "decode":
        decode(what, option("loops", 1))
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
