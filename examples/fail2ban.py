#!/usr/bin/env python3
"""Bans addresses that fail to log in too often: they time out in the kernel, in a set of nftables.

Reads lines of a log, such as those of `journalctl -fu ssh`, from standard input or a file. Needs CAP_NET_ADMIN. The
table goes with the program, at the end of the log, by SIGTERM or by Ctrl-C.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
from collections import defaultdict, deque
from typing import IO

from netlink.netfilter import nftables
from netlink.netfilter.nftables import Chain, Family, Hook, KeyType, Table, make_set
from netlink.netfilter.nftables.build import counter, drop, ip

FAILURE = re.compile(r"(?:Failed password|Invalid user).*? from (\d+\.\d+\.\d+\.\d+)\b")
FAMILY = Family.IPV4
TABLE = Table(family=FAMILY, name="fail2ban")
BANNED = make_set(FAMILY, "fail2ban", "banned", KeyType.IPV4_ADDR, timeout=0)
CHAIN = Chain(family=FAMILY, table="fail2ban", name="in", type="filter", hook=Hook.INPUT, priority=-10)


def follow(nft: nftables.Conn, log: IO[str], attempts: int, window: int, seconds: int) -> None:
    failures: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=attempts))
    for line in log:
        found = FAILURE.search(line)
        if found is None:
            continue
        address, now = found[1], time.monotonic()
        times = failures[address]
        times.append(now)
        if len(times) < attempts or now - times[0] > window:
            continue
        del failures[address]
        try:
            with nft.transaction() as tx:
                tx.add_elements(BANNED, [address], timeout=seconds)
            print(f"banned {address} for {seconds} s", flush=True)
        except ValueError as error:  # digits that are no address
            print(error, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("log", nargs="?", default="/dev/stdin", help="a file or FIFO")
    parser.add_argument("--attempts", type=int, default=5, help="failures until a ban")
    parser.add_argument("--window", type=int, default=600, help="seconds in which they count")
    parser.add_argument("--seconds", type=int, default=3600, help="of a ban")
    arguments = parser.parse_args()
    if min(arguments.attempts, arguments.window, arguments.seconds) < 1:
        parser.error("attempts and seconds are from 1 on")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        with nftables.dial() as nft, open(arguments.log, errors="replace") as log:
            with nft.transaction() as tx:
                tx.create(TABLE)
                tx.add(BANNED)
                tx.add(CHAIN)
                tx.add_rule(CHAIN, ip.saddr(BANNED), counter(), drop())
            try:
                follow(nft, log, arguments.attempts, arguments.window, arguments.seconds)
            finally:
                with nft.transaction() as tx:
                    tx.delete(TABLE)
    except OSError as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
