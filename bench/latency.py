"""A request and its answer: what `Conn.execute` costs beside a plain Python socket, and where that goes.

noop: NLMSG_NOOP with NLM_F_ACK, which the kernel acknowledges without doing anything. getlink: RTM_GETLINK
of lo. The floor is sendto() and recv() in C. "plain socket" sends bytes made once and looks at nothing;
"socket and struct" does by hand what any caller needs: a sequence number, pack, send, receive, unpack,
check sequence number and errno. The parts are ours, alone: each is a loop over that step, less the loop.
"""

from __future__ import annotations

import argparse
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from _common import (
    BIN,
    RAW,
    Case,
    Round,
    enter_private_netns,
    interleave,
    machine,
    print_machine,
    print_summary,
    run_peer,
    spread,
    summarise,
    timed,
    write_json,
)

import netlink
from netlink import Family, Header, HeaderFlags, HeaderType, Message
from netlink._codec import filled
from netlink._inbox import Answer

NLMSGHDR = struct.Struct("=IHHII")
ERRNO = struct.Struct("=i")
RTM_GETLINK = 18  # linux/rtnetlink.h
IFINFOMSG_LO = struct.pack("=BxHiII", 0, 0, 1, 0, 0)

REQUESTS = {
    "noop": Message(Header(type=HeaderType.NOOP, flags=HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE)),
    "getlink": Message(Header(type=RTM_GETLINK, flags=HeaderFlags.REQUEST), IFINFOMSG_LO),
}


def ours(request: Message, n: int) -> Round:
    with netlink.dial(Family.ROUTE) as conn, timed() as watch:
        for _ in range(n):
            conn.execute(request)
    return watch.round


def send_receive(request: Message, n: int) -> Round:
    with netlink.dial(Family.ROUTE) as conn, timed() as watch:
        for _ in range(n):
            conn.send(request)
            conn.receive()
    return watch.round


def plain(request: Message, n: int) -> Round:
    datagram = request.replace(length=16 + len(request.data), sequence=1).marshal_binary()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.ROUTE) as s:
        s.connect((0, 0))
        with timed() as watch:
            for _ in range(n):
                s.send(datagram)
                s.recv(32768)
    return watch.round


def by_hand(request: Message, n: int) -> Round:
    type_, flags, data = int(request.header.type), int(request.header.flags), request.data
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.ROUTE) as s:
        s.connect((0, 0))
        pid = s.getsockname()[0]
        sequence = 0
        with timed() as watch:
            for _ in range(n):
                sequence += 1
                s.send(NLMSGHDR.pack(16 + len(data), type_, flags, sequence, pid) + data)
                reply = s.recv(32768)
                length, kind, _flags, number, port = NLMSGHDR.unpack_from(reply)
                if number != sequence or port != pid:
                    raise ValueError("a reply to another request")
                if kind == HeaderType.ERROR and (error := ERRNO.unpack_from(reply, 16)[0]):
                    raise OSError(-error, "netlink")
                _payload = reply[16:length]
    return watch.round


def cases(name: str, n: int) -> list[Case]:
    request = REQUESTS[name]
    return [
        Case(RAW, lambda: run_peer(BIN / "raw_latency", name, str(n))),
        Case("plain socket", lambda: plain(request, n)),
        Case("socket and struct", lambda: by_hand(request, n)),
        Case("netlink execute", lambda: ours(request, n)),
        Case("netlink send, receive", lambda: send_receive(request, n)),
    ]


def each(step: Callable[[], object], n: int) -> float:
    """Nanoseconds of a call, that of the empty one taken off; the median of 7."""
    empty = lambda: None  # noqa: E731

    def loop(call: Callable[[], object]) -> float:
        start = time.perf_counter()
        for _ in range(n):
            call()
        return (time.perf_counter() - start) / n * 1e9

    return spread([loop(step) - loop(empty) for _ in range(7)])["median"]


def parts(n: int) -> dict[str, float]:
    """The steps of Conn.execute of a NOOP."""
    out: dict[str, float] = {}
    request = REQUESTS["noop"]
    with netlink.dial(Family.ROUTE) as conn:
        sock, inbox = conn._sock, conn._inbox
        sent = filled(request, 1, conn.pid)
        ack = conn.execute(request)[0].replace(sequence=1)

        def turn() -> None:
            with conn._executing:
                pass

        def exchange() -> None:
            sock.send(sent)
            sock.receive()

        out["take and give back the turn"] = each(turn, n)
        out["_prepared: sequence, filled copy"] = each(lambda: conn._prepared((request,)), n)
        out["Answer(inbox, request)"] = each(lambda: Answer(inbox, sent), n)
        out["Answer and feed(acknowledgement)"] = each(lambda: Answer(inbox, sent).feed([ack]), n)
        out["Socket.receive_nowait, nothing there"] = each(sock.receive_nowait, n)
        out["Socket.send + Socket.receive"] = each(exchange, n)
        out["all: Conn.execute"] = each(lambda: conn.execute(request), n)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20000, help="in each round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds of each case (default %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE")
    args = parser.parse_args()
    if not (BIN / "raw_latency").exists():
        parser.error("bench/peers/bin/raw_latency is missing: run bench/build.py")
    enter_private_netns()
    about = machine()
    print_machine(about)
    document: dict[str, Any] = {
        "benchmark": "latency",
        "machine": about,
        "requests": args.requests,
        "rounds": args.rounds,
    }
    for name in REQUESTS:
        print(f"\n{name}, {args.requests} requests a round, {args.rounds} rounds, interleaved")
        summary = summarise(interleave(cases(name, args.requests), args.rounds), args.requests, RAW)
        print_summary(summary, "call")
        document[name] = summary
    print("\nsteps of ours, ns")
    document["parts"] = parts(args.requests)
    for step, ns in document["parts"].items():
        print(f"{step:40}{ns:9.0f}")
    write_json(args.json, document)


if __name__ == "__main__":
    main()
