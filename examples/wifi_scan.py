#!/usr/bin/env python3
"""The Wi-Fi networks around: name, signal, channel, and how each is protected.

    wifi_scan.py [--passive] [--channel MHZ ...] [INTERFACE]

INTERFACE is by default the first Wi-Fi interface. Its link has to be up. Without --passive it asks networks to answer.
Needs CAP_NET_ADMIN.
"""

from __future__ import annotations

import argparse
import sys

from netlink.generic import nl80211
from netlink.generic.nl80211 import Bss, IfType, Interface, ScanRequest


def readable(ssid: bytes | None) -> str:
    if not ssid or not ssid.strip(b"\0"):
        return "(hidden)"
    text = ssid.decode(errors="backslashreplace")
    return "".join(each if each.isprintable() else "?" for each in text)


def row(network: Bss) -> str:
    signal = "?" if network.signal is None else f"{network.signal:.0f} dBm"
    channel = "?" if network.channel is None else str(network.channel)
    generation = network.elements.generation
    kind = f"Wi-Fi {generation}" if generation else "-"
    used = "*" if network.status is not None else " "
    radio = f"{used} {signal:>8}  {channel:>4}  {kind:<8}"
    return f"{radio}  {network.security:<20}  {network.bssid}  {readable(network.ssid)}"


def chosen(wifi: nl80211.Conn, name: str | None) -> Interface:
    for each in wifi.interfaces():
        if each.ifindex and (each.ifname == name if name else each.iftype == IfType.STATION):
            return each
    raise OSError(f"there is no Wi-Fi interface {name}" if name else "there is no Wi-Fi interface here")


def run(interface: str | None, passive: bool, channel: list[int] | None) -> None:
    with nl80211.dial() as wifi:
        request = ScanRequest(
            ifindex=chosen(wifi, interface).ifindex, ssids=None if passive else [b""], frequencies=channel
        )
        networks = sorted(wifi.scan(request), key=lambda each: each.signal_mbm or -20_000, reverse=True)
    print(f"  {'signal':>8}  {'chan':>4}  {'kind':<8}  {'security':<20}  {'address':<17}  name")
    for network in networks:
        print(row(network))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("interface", metavar="INTERFACE", nargs="?", help="such as wlan0 (the first one)")
    parser.add_argument("--passive", action="store_true", help="only listen")
    parser.add_argument("--channel", metavar="MHZ", type=int, action="append", help="only this one (all)")
    try:
        run(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
