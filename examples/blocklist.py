#!/usr/bin/env python3
"""Blocks the networks of a list, and takes the list anew every minute: a hundred thousand of them in one change.

A line of the list is a network or an address of IPv4 or IPv6; "#" begins a comment. A list with a mistake is reported,
and the one before it stays. SIGHUP takes the list at once. Needs CAP_NET_ADMIN. The table goes with the program.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from netlink.netfilter import nftables
from netlink.netfilter.nftables import Chain, Family, Hook, KeyType, Table, make_set
from netlink.netfilter.nftables.build import counter, drop, ip, ip6

TABLE = Table(family=Family.INET, name="blocklist")
BLOCKED4 = make_set(Family.INET, "blocklist", "blocked4", KeyType.IPV4_ADDR, interval=True)
BLOCKED6 = make_set(Family.INET, "blocklist", "blocked6", KeyType.IPV6_ADDR, interval=True)
CHAIN = Chain(family=Family.INET, table="blocklist", name="in", type="filter", hook=Hook.PREROUTING, priority=-250)
SIGNALS = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT}


def networks(path: Path) -> tuple[list[IPv4Network], list[IPv6Network]]:
    """The networks of a list. ValueError for a line that is none."""
    four: list[IPv4Network] = []
    six: list[IPv6Network] = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            network = ip_network(text)
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from None
        if isinstance(network, IPv4Network):
            four.append(network)
        else:
            six.append(network)
    return four, six


def replace(nft: nftables.Conn, path: Path) -> None:
    """Put a list in the place of the one before, in one change: no packet sees a part of it."""
    try:
        four, six = networks(path)
    except (OSError, ValueError) as error:
        print(f"the list stays as it was: {error}", file=sys.stderr, flush=True)
        return
    with nft.transaction() as tx:
        for blocked, wanted in ((BLOCKED4, four), (BLOCKED6, six)):
            tx.flush(blocked)
            if wanted:
                tx.add_elements(blocked, wanted)
    print(f"blocked: {len(four):,} networks of IPv4, {len(six):,} of IPv6", flush=True)


def run(nft: nftables.Conn, path: Path, every: float) -> None:
    with nft.transaction() as tx:
        tx.create(TABLE)
        tx.add(BLOCKED4)
        tx.add(BLOCKED6)
        tx.add(CHAIN)
        tx.add_rule(CHAIN, ip.saddr(BLOCKED4), counter(), drop())
        tx.add_rule(CHAIN, ip6.saddr(BLOCKED6), counter(), drop())
    try:
        taken = None
        while taken is None or taken.si_signo == signal.SIGHUP:
            replace(nft, path)
            while (taken := signal.sigtimedwait(SIGNALS, every)) is None:
                replace(nft, path)
    finally:
        with suppress(FileNotFoundError), nft.transaction() as tx:  # somebody may have deleted it
            tx.delete(TABLE)


def seconds(text: str) -> float:
    """A time. ValueError for what is none."""
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("list", type=Path, help="a file")
    parser.add_argument("--every", type=seconds, default=60, help="seconds until the list is taken anew")
    arguments = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # `run` waits for them
    try:
        with nftables.dial() as nft:
            run(nft, arguments.list, arguments.every)
    except OSError as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
