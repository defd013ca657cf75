"""examples/netfilterqueue.py: a program of NetfilterQueue prints the same with it as with NetfilterQueue itself."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import netns
from kernel.queues import REWRITING, require_rewriting

EXAMPLES = Path(__file__).parents[2] / "examples"
SHIM = EXAMPLES / "netfilterqueue.py"

if not SHIM.exists():
    pytest.skip("the examples are not here", allow_module_level=True)

COMMON = """
import socket, sys, warnings
from netfilterqueue import COPY_META, PROTOCOLS, NetfilterQueue

sink, source = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
sink.bind(("127.0.0.1", 9))
source.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 7)
source.connect(("127.0.0.1", 9))

def send(*texts):
    for text in texts:
        source.send(text)

def received():
    texts = []
    while True:
        try:
            texts.append(sink.recv(10000, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return texts

def raised(function, *arguments, **options):
    try:
        return function(*arguments, **options)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:35]}"

def opened(callback, queue_num=1, **options):
    queue = NetfilterQueue()
    queue.bind(queue_num, callback, sock_len=131072, **options)
    return queue
"""

PROGRAMS = {
    "attributes": (
        """
        def show(packet):
            print(packet, packet.id, packet.hook, packet.hw_protocol, packet.mark, packet.indev, packet.outdev)
            print(packet.physindev, packet.physoutdev, packet.get_mark(), packet.get_hw(), packet.get_payload_len())
            print(packet.get_payload()[28:], isinstance(packet.get_timestamp(), float))
            packet.accept()

        queue = opened(show)
        send(b"hello")
        queue.run(block=False)
        print(received(), PROTOCOLS[17])
        queue.unbind()
        """,
        """
        UDP packet, 33 bytes 1 1 2048 7 1 0
        0 0 7 b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00' 33
        b'hello' True
        [b'hello'] UDP
        """,
    ),
    "verdicts": (
        """
        held = []

        def decide(packet):
            data = packet.get_payload()
            if data[28:] == b"drop":
                packet.drop()
            elif data[28:] == b"later":
                packet.retain()
                held.append(packet)
            elif data[28:] == b"change":
                packet.set_payload(data[:26] + bytes(2) + b"CHANGE")
                print(packet.get_payload()[28:])
                packet.accept()
            elif packet.get_mark() == 7:
                packet.set_mark(8)
                print(packet.get_mark())
                packet.repeat()
            else:
                print("again", packet.id)
                packet.accept()

        queue = opened(decide)
        send(b"drop", b"later", b"change", b"repeat")
        queue.run(block=False)
        print(received())
        print(held[0].get_payload()[28:])
        held[0].accept()
        print(received(), raised(held[0].drop))
        queue.unbind()
        """,
        """
        b'CHANGE'
        8
        again 5
        [b'CHANGE', b'repeat']
        b'later'
        [b'later'] RuntimeError: Verdict already given for this pack
        """,
    ),
    "what is not retained": (
        """
        held = []
        queue = opened(held.append)
        send(b"one", b"two")
        queue.run(block=False)
        first, second = held
        print(first, raised(first.get_payload))
        first.accept()
        queue.unbind()
        print(received(), raised(second.drop))
        """,
        """
        31 byte packet, contents unretained RuntimeError: Payload data is no longer available
        [b'one'] RuntimeError: Parent queue has already been unbou
        """,
    ),
    "exceptions of the callback": (
        """
        def fail(packet):
            packet.accept()
            if packet.get_payload()[28:] == b"bad":
                raise ValueError("of the callback")

        queue = opened(fail)
        send(b"good", b"bad", b"next")
        print(raised(queue.run))
        print(received())
        queue.run(block=False)
        print(received())
        queue.unbind()
        """,
        """
        ValueError: of the callback
        [b'good', b'bad']
        [b'next']
        """,
    ),
    "errors of bind": (
        """
        queue = opened(print)
        print(raised(queue.bind, 2, print))
        print("Failed to create queue 1" in raised(opened, print))
        queue.unbind()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            queue.bind(1, print, sock_len=1 << 30)
        print(caught[0].category.__name__, str(caught[0].message)[:19], caught[0].filename == __file__)
        queue.unbind()
        queue.unbind()
        """,
        """
        RuntimeError: A queue is already bound; use unbin
        True
        RuntimeWarning Socket rcvbuf limit True
        """,
    ),
    "no payload": (
        """
        def show(packet):
            print(packet.get_payload_len(), raised(packet.get_payload))
            packet.accept()

        queue = opened(show, mode=COPY_META)
        send(b"hello")
        queue.run(block=False)
        print(received())
        queue.unbind()
        """,
        """
        0 RuntimeError: Packet has no payload -- perhaps yo
        [b'hello']
        """,
    ),
    "a socket of one's own": (
        """
        def accept(packet):
            packet.accept()

        queue = opened(accept)
        with socket.fromfd(queue.get_fd(), socket.AF_UNIX, socket.SOCK_STREAM) as own:
            own.setblocking(False)
            for texts in ((b"one", b"two"), (), (b"three",)):
                send(*texts)
                queue.run_socket(own)
                print(received())
        queue.unbind()
        """,
        """
        [b'one', b'two']
        []
        [b'three']
        """,
    ),
    "a signal": (
        """
        import signal

        def ring(number, frame):
            raise KeyboardInterrupt

        queue = opened(print)
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            queue.run()
        except KeyboardInterrupt:
            print("interrupted")
        queue.unbind()
        """,
        """
        interrupted
        """,
    ),
    "a socket of another namespace": (
        """
        import ctypes

        def accept(packet):
            packet.accept()

        there = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        assert ctypes.CDLL(None).unshare(0x40000000) == 0  # CLONE_NEWNET
        queue = NetfilterQueue(sockfd=there.fileno())
        queue.bind(1, accept, sock_len=131072)
        send(b"hello")
        queue.run(block=False)
        print(received())
        queue.unbind()
        print(isinstance(raised(NetfilterQueue, sockfd=99), str))
        """,
        """
        [b'hello']
        True
        """,
    ),
}


def indented_less(text: str) -> str:
    lines = text.strip("\n").split("\n")
    return "\n".join(line[8:] for line in lines).rstrip(" ")


@pytest.mark.parametrize("which", ["netfilterqueue.py", "NetfilterQueue"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str, which: str, tmp_path: Path) -> None:
    netns.require_queues()
    if "set_payload" in PROGRAMS[name][0]:
        require_rewriting()
    rule = ["-A", "INPUT", "-p", "udp", "--dport", "9", "-j", "NFQUEUE", "--queue-num", "1"]
    subprocess.run(["iptables", *rule], check=True)
    environment = dict(os.environ)
    if which == SHIM.name:
        environment["PYTHONPATH"] = os.pathsep.join([str(EXAMPLES), *filter(None, [environment.get("PYTHONPATH")])])
    elif importlib.util.find_spec("netfilterqueue") is None:
        pytest.skip("NetfilterQueue is not installed (pip install netfilterqueue)")
    code, wanted = map(indented_less, PROGRAMS[name])
    program = tmp_path / "program.py"
    program.write_text(COMMON + code)
    options = ["-X", "dev", "-W", "error", "-W", f"ignore:{REWRITING}:UserWarning"] if which == SHIM.name else []
    run = subprocess.run([sys.executable, *options, str(program)], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout == wanted
