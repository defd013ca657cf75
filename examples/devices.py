"""Prints a line for each device that comes, goes or changes: like udevadm monitor, with what one asks for.

    python devices.py [--udev] [--subsystem block --subsystem usb] [--property ID_MODEL]

It needs no privilege. With --udev it prints the events that udev has processed, which have more properties.
"""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType
from typing import Literal

from netlink import Overrun, kobject_uevent
from netlink.kobject_uevent import Uevent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print the events of devices.")
    parser.add_argument("--udev", action="store_true", help="events of udev in the place of those of the kernel")
    parser.add_argument("--subsystem", action="append", help="only of this subsystem; may be repeated")
    parser.add_argument("--property", action="append", default=[], help="print this property, too; may be repeated")
    return parser.parse_args()


def line(event: Uevent, names: list[str]) -> str:
    node = f" /dev/{event.devname.removeprefix('/dev/')}" if event.devname else ""
    number = f" {event.major}:{event.minor}" if event.major is not None else ""
    moved = f" from {event.devpath_old}" if event.devpath_old else ""
    properties = event.properties
    more = "".join(f" {name}={properties[name]}" for name in names if name in properties)
    return f"{event.action or '?':8} {event.subsystem or '?':12} {event.devpath}{moved}{node}{number}{more}"


def main() -> None:
    options = arguments()
    source: Literal["kernel", "udev"] = "udev" if options.udev else "kernel"
    with kobject_uevent.listen(source, subsystems=options.subsystem, on_overrun="mark") as stream:

        def end(number: int, frame: FrameType | None) -> None:
            stream.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        print(f"events of {source}", file=sys.stderr, flush=True)
        for item in stream:
            if isinstance(item, Overrun):
                print(f"{item.lost} events are lost", file=sys.stderr, flush=True)
            else:
                print(line(item, options.property), flush=True)


if __name__ == "__main__":
    main()
