#!/usr/bin/env python3
"""A small intrusion prevention system: packets that match a signature are dropped, all others go on.

Needs CAP_NET_ADMIN, and a rule that queues what is to be inspected, such as

    iptables -A FORWARD -j NFQUEUE --queue-balance 0:3 --queue-bypass

Signatures are in a file such as ips.signatures. Every queue has a process of its own. What comes while a
process cannot keep up passes without inspection, and is counted. A signature that is spread over two packets is not
found: that takes a copy of each connection's data. SIGTERM ends it, and drops what is queued at that moment.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import signal
import sys
from multiprocessing.connection import wait

from netlink.netfilter import nfqueue
from netlink.netfilter.nfqueue import Packet, Verdict

# Packets that wait for a verdict. It is no limit: what is full first is the read buffer, whose losses have a number.
MAX_LENGTH = 1_000_000
ENDS = (signal.SIGTERM, signal.SIGINT)


def load(path: str) -> re.Pattern[bytes]:
    """All signatures as one expression, in which each is a group with its name."""
    groups: list[bytes] = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            name, _, expression = line.strip().partition(b" ")
            if not name or name.startswith(b"#"):
                continue
            groups.append(b"(?P<%s>%s)" % (name, expression.strip()))
            try:
                re.compile(groups[-1], re.DOTALL)
            except re.error as error:
                raise ValueError(f"{path}:{number}: {error}") from error
    if not groups:
        raise ValueError(f"{path} has no signatures")
    return re.compile(b"|".join(groups), re.DOTALL)


def describe(packet: Packet, match: re.Match[bytes]) -> str:
    ports = packet.sport or 0, packet.dport or 0
    return f"DROP {match.lastgroup} [{packet.src}]:{ports[0]} to [{packet.dst}]:{ports[1]} protocol {packet.proto}"


def say(line: str) -> None:
    print(f"{line}\n", end="", flush=True)  # by one write: lines of several processes do not mix


def inspect(number: int, signatures: re.Pattern[bytes], read_buffer: int) -> None:
    """Decide on the packets of a queue."""
    passed = 0
    with nfqueue.listen(number, max_length=MAX_LENGTH, fail_open=True, read_buffer=read_buffer) as queue:
        for name in ENDS:
            signal.signal(name, lambda *_: queue.stop())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
        say(f"queue {number}: inspecting")
        for batch in queue.batches():
            found = [signatures.search(packet.payload or b"") for packet in batch]
            queue.verdict(batch, [Verdict.DROP if match else Verdict.ACCEPT for match in found])
            for packet, match in zip(batch, found, strict=True):
                if match:
                    say(describe(packet, match))
            if queue.lost != passed:
                say(f"queue {number}: {queue.lost - passed} packets passed without inspection")
                passed = queue.lost


def work(program: str, number: int, signatures: re.Pattern[bytes], read_buffer: int) -> None:
    try:
        inspect(number, signatures, read_buffer)
    except (OSError, ValueError) as error:
        sys.exit(f"{program}: queue {number}: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("signatures", help="a file")
    parser.add_argument("first", type=int, help="the number of the first queue")
    parser.add_argument("last", type=int, nargs="?", help="that of the last queue (the first)")
    parser.add_argument("--read-buffer", type=int, default=16 << 20, help="bytes, for each queue (16777216)")
    arguments = parser.parse_args()
    try:
        signatures = load(arguments.signatures)
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")
    numbers = range(arguments.first, (arguments.first if arguments.last is None else arguments.last) + 1)
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=work, args=(parser.prog, number, signatures, arguments.read_buffer))
        for number in numbers
    ]  # fmt: skip

    def end(*_: object) -> None:
        for worker in workers:
            worker.terminate()

    # Held back until there are handlers, here and in the workers.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    for worker in workers:
        worker.start()
    for name in ENDS:
        signal.signal(name, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    wait([worker.sentinel for worker in workers])
    end()  # the others, too, if one has failed
    for worker in workers:
        worker.join()
    sys.exit(any(worker.exitcode for worker in workers))


if __name__ == "__main__":
    main()
