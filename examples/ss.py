"""Sockets of TCP and UDP with the processes that have them, as a table: like ss -tunap.

    sudo python ss.py [--listening] [--port 443] [--to 10.0.0.0/8]

Without root it shows the processes of the user alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from netlink import sock_diag
from netlink.sock_diag import Filter, InetSocket, States


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show sockets of TCP and UDP.")
    parser.add_argument("--listening", action="store_true", help="listeners alone")
    parser.add_argument("--port", type=int, help="with this port on this side")
    parser.add_argument("--to", help="with a peer of this network")
    return parser.parse_args()


def program(pid: int) -> str:
    try:
        return Path("/proc", str(pid), "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # it has ended
        return "?"


def end(address: object, port: int | None) -> str:
    return f"[{address}]:{port or '*'}" if ":" in str(address) else f"{address}:{port or '*'}"


def line(kind: str, one: InetSocket, owners: dict[int, list[tuple[int, int]]], rtt: int | None) -> str:
    who = ", ".join(f"{program(pid)}({pid}) fd {fd}" for pid, fd in owners.get(one.inode or 0, ()))
    state = one.state.name if one.state is not None else "?"
    time = "" if not rtt else f"{rtt / 1000:.1f} ms"
    here, there = end(one.src, one.src_port), end(one.dst, one.dst_port)
    return f"{kind:4} {state:12} {one.recv_queue:6} {one.send_queue:6} {here:28} {there:28} {time:>10} {who}"


def main() -> None:
    options = arguments()
    wanted = Filter(src_port=options.port, dst=options.to)
    tcp, udp = (States.LISTEN, States.CLOSE) if options.listening else (States.ALL, States.ALL)
    with sock_diag.dial() as diag:
        owners = sock_diag.owners()
        print(f"{'':4} {'state':12} {'recv':>6} {'send':>6} {'here':28} {'there':28} {'rtt':>10} process")
        for one in diag.tcp(tcp, filter=wanted):
            print(line("tcp", one, owners, one.info.rtt if one.info else None))
        for other in diag.udp(udp, filter=wanted):
            print(line("udp", other, owners, None))


if __name__ == "__main__":
    main()
