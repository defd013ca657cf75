"""Dump a conntrack table: what receiving its messages in Python costs beyond receiving its bytes in C.

Every case asks the kernel for the same table, over a connection of its own. Timed is what comes after the
request was sent, for `execute` with it. Limits of the comparison: the kernel builds a dump inside recv(),
about 3 us a flow, so this is a ratio to the kernel's own work, not to a parser's; messages are counted, not
decoded; the kernel walks through 262,144 hash buckets however few flows there are; Debian's
mdlayher/netlink (1.7.2) has no fixed buffer, and its chunks stay at one page.
"""

from __future__ import annotations

import argparse
import collections
import socket
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
    summarise,
    timed,
    write_json,
)
from flows import count, dump_request, fill, limit

import netlink
from netlink import Family
from netlink.netfilter import conntrack

DONE = b"\3\0"  # nlmsg_type, little endian as all that this has run on
SIZE = 32768


def raw() -> Round:
    return run_peer(BIN / "raw_dump")


def python_recv() -> Round:
    request = dump_request()
    request = request.replace(length=20, sequence=1)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Family.NETFILTER) as s:
        s.sendto(request.marshal_binary(), (0, 0))
        buffer = bytearray(SIZE)
        with timed() as watch:
            while True:
                s.recv_into(buffer)
                if buffer[4:6] == DONE:
                    break
    return watch.round


def receive_iter() -> Round:
    with netlink.dial(Family.NETFILTER) as conn:
        conn.send(dump_request())
        with timed() as watch:
            for _message in conn.receive_iter():
                pass
    return watch.round


def receive_iter_fixed() -> Round:
    with netlink.dial(Family.NETFILTER, netlink.Config(message_buffer_size=SIZE)) as conn:
        conn.send(dump_request())
        with timed() as watch:
            for _message in conn.receive_iter():
                pass
    return watch.round


def execute() -> Round:
    with netlink.dial(Family.NETFILTER) as conn, timed() as watch:
        messages = conn.execute(dump_request())
    watch.round.extra["messages"] = len(messages)
    return watch.round


def batch() -> Round:
    with conntrack.dial() as ct, timed() as watch:
        flows = ct.dump()
    watch.round.extra.update(messages=len(flows), bytes_per_flow=flows.nbytes / max(len(flows), 1))
    return watch.round


def batch_three_fields() -> Round:
    with conntrack.dial() as ct, timed() as watch:
        for flow in ct.dump():
            flow.orig  # noqa: B018
            flow.status  # noqa: B018
            flow.mark  # noqa: B018
    return watch.round


def batches() -> Round:
    with conntrack.dial() as ct, timed() as watch:
        for _part in ct.iter_dump():
            pass
    return watch.round


CASES = [
    Case(RAW, raw),
    Case("conntrack dump to a Batch", batch),
    Case("the same, and 3 fields of each", batch_three_fields),
    Case("conntrack iter_dump", batches),
    Case("netlink receive_iter", receive_iter),
    Case("netlink receive_iter, fixed buffer", receive_iter_fixed),
    Case("netlink execute", execute),
    Case("Python socket.recv_into", python_recv),
]
if (BIN / "go_dump").exists():
    CASES += [
        Case("mdlayher/netlink Execute", lambda: run_peer(BIN / "go_dump", "execute")),
        Case("mdlayher/netlink Send+Receive", lambda: run_peer(BIN / "go_dump", "receive")),
    ]


class Counting:
    """A socket that counts what is received, for the check outside the timed rounds."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.receives = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def receive(self) -> list[netlink.Message]:
        self.receives += 1
        messages: list[netlink.Message] = self._sock.receive()
        return messages


def check(flows: int) -> dict[str, Any]:
    """That ours hands out every flow, the same bytes as the floor receives, and in how many receive calls."""
    lengths: collections.Counter[int] = collections.Counter()
    with netlink.dial(Family.NETFILTER) as conn:
        conn._sock = counting = Counting(conn._sock)
        conn.send(dump_request())
        for message in conn.receive_iter():
            lengths[message.header.length] += 1
        conn._sock = counting._sock
    floor = raw().extra
    total = sum(length * n for length, n in lengths.items())
    done = floor["bytes"] - total
    if lengths.total() != flows or done != 20:
        raise SystemExit(f"{lengths.total()} messages of {flows} flows; {done} bytes beside them, not DONE's 20")
    return {
        "receives": counting.receives,
        "raw_receives": floor["receives"],
        "bytes": total,
        "bytes_per_flow": total / flows,
        "lengths": dict(lengths),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--flows", type=int, default=limit(), help="flows in the table (default: the most, %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds of each case (default %(default)s)")
    parser.add_argument("--only", help="only cases whose name contains this, and the floor")
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE")
    args = parser.parse_args()
    if not (BIN / "raw_dump").exists():
        parser.error("bench/peers/bin/raw_dump is missing: run bench/build.py")
    enter_private_netns()
    about = machine()
    print_machine(about)
    seconds = fill(args.flows)
    checked = check(count())
    print(
        f"{args.flows} flows (made in {seconds:.1f} s) of {checked['bytes_per_flow']:.0f} bytes; "
        f"receive calls: {checked['receives']} of ours, {checked['raw_receives']} of the floor; "
        f"{args.rounds} rounds, interleaved\n"
    )
    cases = [case for case in CASES if not args.only or args.only in case.name or case.name == RAW]
    summary = summarise(interleave(cases, args.rounds), args.flows, RAW)
    print_summary(summary, "flow")
    if count() != args.flows:
        raise SystemExit(f"the table changed meanwhile: {count()} flows")
    write_json(
        args.json,
        {
            "benchmark": "dump",
            "machine": about,
            "flows": args.flows,
            "rounds": args.rounds,
            "checked": checked,
            "cases": summary,
        },
    )


if __name__ == "__main__":
    main()
