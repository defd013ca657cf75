"""Hosts in network namespaces of their own, at wires to this one."""

from __future__ import annotations

import contextlib
import os
import socket

import netns
from kernel.queues import PORT
from kernel.tools import eventually, run


class Host:
    """A namespace with one interface, `wire`, and sockets in it."""

    def __init__(self, namespace: netns.Namespace, opened: contextlib.ExitStack, peer: str, address: str) -> None:
        """peer: the other end of the wire, here. address: with the length of its prefix."""
        self.fd, self.opened = namespace.fd, opened
        self.address = address.split("/")[0]
        there = f"/proc/{os.getpid()}/fd/{namespace.fd}"
        run("ip", "link", "add", peer, "type", "veth", "peer", "name", "wire", "netns", there)
        run("ip", "link", "set", peer, "up")
        with self.inside():
            run("ip", "addr", "add", address, "dev", "wire")
            run("ip", "link", "set", "wire", "up")
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
                sock.bind(("wire", 0))
                self.mac = bytes(sock.getsockname()[4])

    def inside(self) -> contextlib.AbstractContextManager[None]:
        return netns.inside(self.fd)

    def open(self, *kind: int) -> socket.socket:
        with self.inside():
            made = self.opened.enter_context(socket.socket(*kind))
        made.setblocking(False)
        return made

    def sink(self) -> socket.socket:
        """A UDP socket at PORT."""
        made = self.open(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((self.address, PORT))
        return made

    def sender(self, to: Host) -> socket.socket:
        """A UDP socket connected to PORT of another host."""
        made = self.open(socket.AF_INET, socket.SOCK_DGRAM)
        made.connect((to.address, PORT))
        return made


def introduce(left: Host, right: Host) -> None:
    """Wait until packets pass.

    The kernel begins to use a wire, and the port of a bridge, some time after it has come up, and drops packets until
    then; among them the first question for an address, which is repeated after a second.
    """
    with left.inside(), socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.connect((right.address, PORT + 1))
        with right.inside(), socket.socket(type=socket.SOCK_DGRAM) as sink:
            sink.bind((right.address, PORT + 1))
            sink.settimeout(0.01)

            def passes() -> bool:
                sender.send(b"")
                with contextlib.suppress(TimeoutError):
                    return sink.recv(1) == b""
                return False

            eventually(passes, "packets pass")


def bridge(opened: contextlib.ExitStack) -> tuple[Host, Host]:
    """Two hosts at a bridge of this namespace, whose ports are port1 and port2."""
    run("ip", "link", "add", "br0", "type", "bridge")
    netns.sysctl("net.ipv6.conf.br0.disable_ipv6", 1)
    run("ip", "link", "set", "br0", "up")
    hosts = []
    for number in (1, 2):
        hosts.append(Host(opened.enter_context(netns.another()), opened, f"port{number}", f"10.0.0.{number}/24"))
        run("ip", "link", "set", f"port{number}", "master", "br0")
    introduce(hosts[0], hosts[1])
    return hosts[0], hosts[1]
