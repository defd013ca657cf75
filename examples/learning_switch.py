#!/usr/bin/env python3
"""A switch that learns behind which of its ports each Ethernet address is, on Open vSwitch's datapath.

    learning_switch.py [--name switch0] LINK LINK ...

The kernel forwards by the flows that it is told; only packets without one come here. A line tells of each address that
is learned. Needs CAP_NET_ADMIN, and no daemon. SIGTERM ends it, and removes the switch.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys

from netlink.generic import openvswitch
from netlink.generic.openvswitch import Action, Datapath, EthernetKey, Flow, Key, Vport


def run(name: str, links: list[str]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})  # until all is there
    learned: dict[str, int] = {}
    mask = Key(in_port=0xFFFFFFFF, ethernet=EthernetKey(src="ff:ff:ff:ff:ff:ff", dst="ff:ff:ff:ff:ff:ff"))
    with openvswitch.dial() as ovs, ovs.upcalls(on_overrun="mark") as upcalls:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: upcalls.stop())
        switch = ovs.add_datapath(Datapath(name=name)).dp_ifindex
        try:
            ports: dict[int, str] = {}
            for link in links:
                port = ovs.add_vport(Vport(dp_ifindex=switch, name=link, upcall_pid=[upcalls.pid])).port_no
                ports[port or 0] = link
            print(f"{name} is up", flush=True)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
            for upcall in upcalls:
                if not isinstance(upcall, openvswitch.Packet):
                    print(f"{upcall.lost} packets were lost", file=sys.stderr)
                    continue
                key = upcall.key
                if key is None or key.ethernet is None or key.in_port not in ports:
                    continue
                source, to = str(key.ethernet.src), str(key.ethernet.dst)
                if learned.get(source) != key.in_port:
                    if source in learned:  # it has moved: flows to it are wrong
                        ovs.flush_flows(switch or 0)
                    learned[source] = key.in_port
                    print(f"{source} is at {ports[key.in_port]}", flush=True)
                out = [learned[to]] if to in learned else [port for port in ports if port != key.in_port]
                actions = [Action(output=port) for port in out]
                ovs.execute(upcall.replace(actions=actions))
                if to in learned:
                    flow = Key(in_port=key.in_port, ethernet=key.ethernet)
                    with contextlib.suppress(FileExistsError):
                        ovs.add_flow(Flow(dp_ifindex=switch, key=flow, mask=mask, actions=actions))
        finally:
            ovs.delete_datapath(dp_ifindex=switch)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("links", metavar="LINK", nargs="+", help="the links that are its ports")
    parser.add_argument("--name", default="switch0", help="the name of the switch (switch0)")
    try:
        run(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
