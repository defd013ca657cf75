#!/usr/bin/env python3
"""Memory of this process as a disk: the server of a network block device, and the device.

    nbd_ramdisk.py [--size 64]

It prints the path of the disk, such as /dev/nbd0, on which mkfs makes a file system. What is on it is gone once the
program ends, by SIGTERM. Unmount it before. Needs CAP_SYS_ADMIN, and the kernel's module: modprobe nbd.
"""

from __future__ import annotations

import argparse
import signal
import socket
import struct
import sys
import threading

from netlink.generic import nbd
from netlink.generic.nbd import ServerFlags

# The protocol of network block devices, in network byte order: magic, flags, command, cookie, offset, length; and
# magic, error, cookie.
REQUEST, REPLY = struct.Struct(">IHHQQI"), struct.Struct(">IIQ")
REPLY_MAGIC = 0x67446698
READ, WRITE, DISCONNECT, FLUSH = range(4)


def exactly(sock: socket.socket, size: int) -> bytes:
    """So many bytes. EOFError at the end of the connection."""
    data = bytearray()
    while len(data) < size:
        got = sock.recv(size - len(data))
        if not got:
            raise EOFError
        data += got
    return bytes(data)


def serve(sock: socket.socket, memory: bytearray) -> None:
    """Answer requests until the kernel disconnects. It asks for nothing beyond the end of the device."""
    with sock:
        while True:
            _, _, command, cookie, offset, length = REQUEST.unpack(exactly(sock, REQUEST.size))
            data = b""
            if command == READ:
                data = bytes(memory[offset : offset + length])
            elif command == WRITE:
                memory[offset : offset + length] = exactly(sock, length)
            elif command == DISCONNECT:
                return
            sock.sendall(REPLY.pack(REPLY_MAGIC, 0, cookie) + data)


def run(size: int) -> None:
    ends = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # in the thread, too
    kernel, server = socket.socketpair()
    thread = threading.Thread(target=serve, args=(server, bytearray(size << 20)))
    with nbd.dial() as devices:
        with kernel:
            thread.start()
            try:
                flags = ServerFlags.HAS_FLAGS | ServerFlags.SEND_FLUSH
                index = devices.connect([kernel], size << 20, block_size=4096, server_flags=flags, backend="memory")
            except BaseException:
                kernel.sendall(REQUEST.pack(0x25609513, 0, DISCONNECT, 0, 0, 0))
                raise
        print(f"/dev/nbd{index}", flush=True)
        signal.sigwait(ends)
        devices.disconnect(index=index)
    thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=64, metavar="MIB", help="of the disk (64)")
    try:
        run(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
