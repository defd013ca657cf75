#!/usr/bin/env python3
"""A WireGuard tunnel by the file that wg-quick reads: the device, its addresses, peers, and routes to their networks.

    wireguard_up.py [--link wg0] FILE

FILE has a section [Interface] with PrivateKey, Address, ListenPort and FwMark, and sections [Peer] with PublicKey,
PresharedKey, AllowedIPs, Endpoint and PersistentKeepalive. A line tells of each new handshake of a peer. Needs
CAP_NET_ADMIN. SIGTERM ends it, and removes the device.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from netlink import Conn, route
from netlink.generic import wireguard
from netlink.generic.wireguard import Device, Peer
from netlink.route import Address, Link, Route

Section = dict[str, list[str]]


def sections(lines: Iterable[str]) -> list[tuple[str, Section]]:
    """The sections of a file: their names, and all values of each key."""
    found: list[tuple[str, Section]] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        key, equals, value = text.partition("=")
        if text.startswith("["):
            found.append((text.strip("[]").lower(), {}))
        elif equals and found:
            values = found[-1][1].setdefault(key.strip().lower(), [])
            values += [each.strip() for each in value.split(",")]
        elif text:
            raise ValueError(f"line {number} is neither [Section] nor Key = Value")
    return found


def one(section: Section, key: str) -> str | None:
    return section[key][-1] if key in section else None


def number(text: str | None) -> int | None:
    return None if text is None else 0 if text == "off" else int(text, 0)


def endpoint(text: str | None) -> tuple[str, int] | None:
    """Where a peer is, by the first address that its name has."""
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)[0][4]
    return str(address[0]), int(address[1])


def device_of(link: str, found: list[tuple[str, Section]]) -> Device:
    own = dict(found).get("interface", {})
    peers = [
        Peer(
            public_key=one(section, "publickey"),
            preshared_key=one(section, "presharedkey"),
            endpoint=endpoint(one(section, "endpoint")),
            persistent_keepalive_interval=number(one(section, "persistentkeepalive")),
            allowed_ips=section.get("allowedips", []),
        )
        for name, section in found
        if name == "peer"
    ]
    port, mark = number(one(own, "listenport")), number(one(own, "fwmark"))
    return Device(ifname=link, private_key=one(own, "privatekey"), listen_port=port, fwmark=mark, peers=peers)


def set_up(rt: route.Conn[Conn], wg: wireguard.Conn[Conn], device: Device, addresses: Iterable[str]) -> None:
    wg.set(device)
    index = rt.index(device.ifname or "")
    for address in addresses:
        rt.create(Address(index=index, address=address))
    rt.up(index)
    for network in {each.network for peer in device.peers or () for each in peer.allowed_ips or ()}:
        rt.replace(Route(dst=network, oif=index))


def run(link: str, file: Path, interval: float) -> None:
    found = sections(file.read_text().splitlines())
    device, addresses = device_of(link, found), dict(found).get("interface", {}).get("address", [])
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # until all is there, so that all can be removed
    with route.dial() as rt, wireguard.dial() as wg:
        made = rt.create(Link(name=link, kind="wireguard"))
        try:
            set_up(rt, wg, device, addresses)
            print(f"{link} is up, its public key is {wg.get(link).public_key}", flush=True)
            seen: dict[str | None, float | None] = {}
            while signal.sigtimedwait(stop, interval) is None:
                for peer in wg.get(link).peers or ():
                    if peer.last_handshake not in (None, seen.get(peer.public_key)):
                        print(f"handshake with {peer.public_key} at {peer.endpoint}", flush=True)
                        seen[peer.public_key] = peer.last_handshake
        finally:
            rt.delete(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="as wg-quick(8) reads it")
    parser.add_argument("--link", default="wg0", help="the name of the device (wg0)")
    parser.add_argument("--interval", type=float, default=5, help="seconds between two looks at the peers (5)")
    try:
        run(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
