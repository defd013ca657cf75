#!/usr/bin/env python3
"""The connection table over HTTP, without a dump for each request: a mirror follows the kernel.

Needs CAP_NET_ADMIN. GET / returns all connections as JSON, GET /?192.0.2.1 those of an address. Losses of events do
not harm the mirror: it reads the table again. SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from netlink.netfilter.conntrack import Mirror


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, mirror: Mirror, address: tuple[str, int]) -> None:
        self.mirror = mirror
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.path.partition("?")[2]
        flows = self.server.mirror.copy().values()
        chosen = [flow for flow in flows if not wanted or wanted in (str(flow.orig.src), str(flow.orig.dst))]
        body = json.dumps([flow.to_dict(json=True) for flow in chosen]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def run(host: str, port: int) -> None:
    with Mirror() as mirror, Server(mirror, (host, port)) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: mirror.stop())
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            print(f"{len(mirror)} connections at http://{host}:{server.server_address[1]}/", flush=True)
            for change in mirror.changes():
                print(change.event.name, change.flow.orig.src, change.flow.orig.dst, flush=True)
        finally:
            server.shutdown()
            serving.join()
    print(f"{len(mirror)} connections, {mirror.lost} events lost")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="the address to serve at (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, help="0 for any (8080)")
    arguments = parser.parse_args()
    try:
        run(arguments.host, arguments.port)
    except OSError as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
