"""Writes the statistics of every TCP connection to a Parquet file: of those that end when they end, of all others when
this program does.

    python tcp_statistics.py FILE.parquet [--to 10.0.0.0/8] [--port 443]

It needs no privilege, and pyarrow (pip install pyarrow). The file is complete when the program has ended, by SIGTERM or
SIGINT.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from types import FrameType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from netlink import Overrun, sock_diag
from netlink.sock_diag import Filter, States, TCPSocket

COLUMNS = ("header_", "info_")  # addresses, ports, the cookie; struct tcp_info
ROWS = 10_000  # of a row group of the file


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write the statistics of TCP connections to a Parquet file.")
    parser.add_argument("file")
    parser.add_argument("--to", help="only of connections with a peer of this network")
    parser.add_argument("--port", type=int, help="only of connections with this port at the peer")
    return parser.parse_args()


def table(batch: Any, ended: bool) -> pa.Table:
    """A row for each socket, with a column for each member of struct tcp_info."""
    every = pa.table(batch)
    chosen = every.select([name for name in every.column_names if name.startswith(COLUMNS)])
    moment = pa.array([time.time_ns()] * len(batch), pa.timestamp("ns", "UTC"))
    return chosen.append_column("time", moment).append_column("ended", pa.array([ended] * len(batch), pa.bool_()))


def main() -> None:
    options = arguments()
    wanted = Filter(dst=options.to, dst_port=options.port)
    schema = table(TCPSocket.decode_many([]), ended=False).schema
    parts: list[pa.Table] = []
    with (
        sock_diag.listen(filter=wanted, on_overrun="mark") as stream,
        sock_diag.dial() as diag,
        pq.ParquetWriter(options.file, schema) as writer,
    ):

        def end(number: int, frame: FrameType | None) -> None:
            stream.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        print("listening", file=sys.stderr, flush=True)
        for batch in stream.batches():
            if isinstance(batch, Overrun):
                print(f"{batch.lost} connections are lost", file=sys.stderr, flush=True)
                continue
            parts.append(table(batch, ended=True))
            print(f"{len(batch)} sockets ended", flush=True)
            if sum(map(len, parts)) >= ROWS:
                writer.write_table(pa.concat_tables(parts))
                parts.clear()
        parts.append(table(diag.tcp(States.CONNECTED & ~States.TIME_WAIT, filter=wanted), ended=False))
        writer.write_table(pa.concat_tables(parts))


if __name__ == "__main__":
    main()
