"""fnfqueue, as its documentation uses it: a loop over the Connection.

recv|each queue=N count=N [read_buffer=B]      no verdicts, or accept() of each packet
"""

from __future__ import annotations

import os
import socket
import sys

import fnfqueue

from bench.peers.peer import Result, await_backlog, option

SO_RCVBUFFORCE = 33  # asm-generic/socket.h


def run(how: str, count: int) -> None:
    conn = fnfqueue.Connection()
    queue = conn.bind(option("queue"))
    queue.set_mode(fnfqueue.MAX_PAYLOAD, fnfqueue.COPY_PACKET)
    queue.set_maxlen(count)
    queue.gso = True
    # It has no setting for this.
    with socket.socket(fileno=os.dup(conn._conn.fd)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, option("read_buffer"))
    # Its thread receives ahead, for as long as it gets this lock.
    with conn._packet_lock:
        await_backlog()
        result = Result()
    for packet in conn:
        result.sum += len(packet.payload) + packet.mark + packet.hook
        result.items += 1
        if how == "each":
            packet.accept()
        if result.items == count:
            break
    result.finish()
    conn.close()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in {"recv", "each"}:
        raise SystemExit(__doc__)
    run(sys.argv[1], option("count"))
