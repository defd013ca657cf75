"""NetfilterQueue, as its documentation uses it: a callback of run(). It has no flags, and copies 4,016 bytes at most.

recv|each queue=N count=N [read_buffer=B]      no verdicts, or accept() of each packet
"""

from __future__ import annotations

import os
import socket
import sys

from netfilterqueue import NetfilterQueue, Packet

from bench.peers.peer import Result, await_backlog, option

SO_RCVBUFFORCE = 33  # asm-generic/socket.h


class EndError(Exception):
    """All that there is was received."""


def run(how: str, count: int) -> None:
    result: Result

    def on_packet(packet: Packet) -> None:
        result.sum += packet.get_payload_len() + packet.get_mark() + packet.hook
        result.items += 1
        if how == "each":
            packet.accept()
        if result.items == count:
            raise EndError

    queue = NetfilterQueue()
    queue.bind(option("queue"), on_packet, max_len=count)
    with socket.socket(fileno=os.dup(queue.get_fd())) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, option("read_buffer"))
    await_backlog()
    result = Result()
    try:
        queue.run()
    except EndError:
        result.finish()
    queue.unbind()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in {"recv", "each"}:
        raise SystemExit(__doc__)
    run(sys.argv[1], option("count"))
