#!/usr/bin/env python3
"""The masters of 1-Wire, their slaves, and the temperatures of those that are thermometers.

    w1.py [--search] [--follow] [--netns NETNS]

--search looks for slaves on each bus first. --follow goes on with a line for each master and slave that comes or goes,
until SIGTERM. In another network namespace than the machine's first one, NETNS is that, such as /proc/1/ns/net.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time

from netlink.connector import w1
from netlink.connector.w1 import Cmd, SlaveID

DS18B20 = 0x28
CONVERT, READ_SCRATCHPAD = b"\x44", b"\xbe"
CONVERSION = 0.75  # seconds


def temperature(bus: w1.Conn, slave: SlaveID) -> str:
    try:
        bus.write(slave, CONVERT)
        time.sleep(CONVERSION)
        (found,) = bus.transact(slave, [Cmd.write(READ_SCRATCHPAD), Cmd.read(9)])
    except OSError as error:
        return f"no answer: {error}"
    return f"{int.from_bytes(found[:2], 'little', signed=True) / 16} degrees"


def show(bus: w1.Conn, search: bool) -> None:
    for master in bus.masters():
        if search:
            bus.search(master)
        slaves = bus.slaves(master)
        print(f"master {master}: {len(slaves)} slaves", flush=True)
        for slave in slaves:
            what = f"thermometer  {temperature(bus, slave)}" if slave.family == DS18B20 else f"{slave.family:#x}"
            print(f"  {slave.name}  {what}", flush=True)


def run(search: bool, follow: bool, netns: str | None) -> None:
    with w1.dial(netns=netns) as bus:
        if not follow:
            show(bus, search)
            return
        with w1.listen(netns=netns) as events:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: events.stop())
            show(bus, search)
            for event in events:
                name = event.slave.name if event.slave else f"master {event.master}"
                print(f"{event.type.name if event.type is not None else '?'} {name}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--search", action="store_true", help="look for slaves first")
    parser.add_argument("--follow", action="store_true", help="go on with what comes and goes")
    parser.add_argument("--netns", help="the machine's first network namespace, if this is another one")
    try:
        run(**vars(parser.parse_args()))
    except OSError as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
