#!/usr/bin/env python3
"""An Ethernet link to another machine, over IP: a tunnel of L2TP and a session in it.

    l2tp_link.py [--link l2tp0] [--address 10.0.0.1/24] [--id 1] LOCAL REMOTE

Both machines run it, with LOCAL and REMOTE the other way round. Its packets are not encrypted. A line tells of each
tunnel and session of L2TP that comes, goes or changes meanwhile. Needs CAP_NET_ADMIN. SIGTERM ends it, and removes the
link.
"""

from __future__ import annotations

import argparse
import signal
import sys

from netlink import route
from netlink.generic import l2tp
from netlink.generic.l2tp import Session, Tunnel
from netlink.route import Address

PORT = 1701


def run(local: str, remote: str, link: str, address: str | None, id: int) -> None:  # noqa: A002
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})  # until all is there
    tunnel = Tunnel(conn_id=id, peer_conn_id=id, saddr=local, daddr=remote, udp_sport=PORT, udp_dport=PORT, udp_csum=1)
    with l2tp.dial() as l2, l2.listen() as events, route.dial() as rt:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: events.stop())
        l2.create_tunnel(tunnel)
        try:
            l2.create_session(Session(conn_id=id, session_id=id, peer_session_id=id, ifname=link))
            if address:
                rt.create(Address(index=rt.index(link), address=address))
            rt.up(link)
            print(f"{link} is up", flush=True)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
            for event in events:
                what = event.event.name if event.event is not None else "?"
                name = f" {event.ifname}" if isinstance(event, Session) else ""
                print(f"{what} {event.conn_id}{name}", flush=True)
        finally:
            l2.delete_tunnel(conn_id=id)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("local", metavar="LOCAL", help="an address of this machine")
    parser.add_argument("remote", metavar="REMOTE", help="the address of the other one")
    parser.add_argument("--link", default="l2tp0", help="the name of the link (l2tp0)")
    parser.add_argument("--address", help="of the link, with the length of its prefix (none)")
    parser.add_argument("--id", type=int, default=1, help="the number of the tunnel, the same on both machines (1)")
    try:
        run(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
