#!/usr/bin/env python3
"""The network cards, with their firmware, ports and health. Exits with 1 if one of them needs attention.

    cards.py [--watch]

A card needs attention if a health reporter of it has an error, or if its last reload failed. With --watch it goes on
with a line for each change. Needs no privilege.
"""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any

from netlink import Conn
from netlink.generic import devlink
from netlink.generic.devlink import Device, FlashStatus, Info, ReporterState


def versions(info: Info) -> str:
    """What runs, and after an arrow what runs from the next reset on."""
    running = {each.name: each.value for each in info.running or ()}
    stored = {each.name: each.value for each in info.stored or ()}
    return ", ".join(
        f"{name} {value}" + (f" -> {stored[name]}" if stored.get(name, value) != value else "")
        for name, value in running.items()
    )


def show(cards: devlink.Conn[Conn]) -> bool:
    """Print all cards. Whether none needs attention."""
    good = True
    infos = {each.handle: each for each in cards.infos()}
    ports, reporters = [*cards.ports()], [*cards.reporters()]
    for card in cards.devices():
        info = infos.get(card.handle)
        print(card.handle, f"{info.driver}: {versions(info)}" if info else "")
        if card.reload_failed:
            good = False
            print("  the last reload failed")
        for port in ports:
            if port.handle.startswith(f"{card.handle}/"):
                flavour = "?" if port.flavour is None else getattr(port.flavour, "name", port.flavour)
                print(f"  port {port.port_index} {port.netdev_name or '-'} {flavour}")
        for reporter in reporters:
            if f"{reporter.handle}/".startswith(f"{card.handle}/") and reporter.error_count:
                sick = reporter.state == ReporterState.ERROR
                good = good and not sick
                state = "has an error" if sick else "is healthy"
                counts = f"errors {reporter.error_count}, recoveries {reporter.recover_count}"
                print(f"  {reporter.name} {state}: {counts}")
    return good


def line(event: Any) -> str:
    """What changed."""
    what = "" if isinstance(event, Device) else getattr(event, "name", None) or getattr(event, "netdev_name", None)
    if isinstance(event, FlashStatus):
        what = f"{event.message} {event.done} of {event.total}"
    return " ".join(str(part) for part in (event.handle, getattr(event.event, "name", event.event), what) if part)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--watch", action="store_true", help="go on with a line for each change, until SIGTERM")
    watch = parser.parse_args().watch
    try:
        with devlink.dial() as cards, cards.listen() as events:
            signal.signal(signal.SIGTERM, lambda *_: events.stop())
            good = show(cards)
            if not watch:
                return 0 if good else 1
            for event in events:
                print(line(event), flush=True)
    except OSError as error:
        sys.exit(f"{parser.prog}: {error}")
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
