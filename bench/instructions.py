"""The gate for regressions that noise hides: how many instructions the recorded corpus takes, counted by valgrind.

    python -m bench.instructions             compare with bench/instructions.json: status 1 where one grew by over 3 %
    python -m bench.instructions --accept    make the figures of this machine the ones to compare with

Figures hold for one architecture, Python, Cython, compiler and C library, whose memcpy and malloc count, too. Where
there are none for this combination, or there is no valgrind, that is said, and the exit status is 0. Datagrams come
from a socket pair in the place of the kernel: the code that reads them is the same, and nobody needs to be root.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager

import netlink
from bench.programs import ROOT
from bench.runner import first_line, installed
from netlink import AttributeDecoder, Config, Family, Header, HeaderFlags, Message
from netlink._engine.receive import Reader, StreamReader
from netlink._transport import Socket
from netlink.netfilter.conntrack import Flow, events
from netlink.netfilter.nflog import Packet
from netlink.schema import Batch
from tests import recorded

FIGURES = ROOT / "bench" / "instructions.json"
TOLERANCE = 0.03
LAYOUTS = 8
# Classes take numbers.
START = """
for _ in range({classes}): hasattr(type("", (), {{}}), "x")
import sys
from bench.instructions import main
sys.exit(main())
"""
FEW, MANY = 1_000, 6_000  # items, about: the difference has none of the interpreter's start in it
EVERYTHING = 1 << 62

Work = Iterator[tuple[Callable[[], object], int]]  # what to do once, and of how many items that is


@contextmanager
def replayed(fd: int, datagrams: list[bytes]) -> Iterator[Callable[[], None]]:
    """Make of a netlink socket one that receives datagrams, a few of them, whenever the function is called."""
    source, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with source, end:
        os.dup2(end.fileno(), fd)

        def send() -> None:
            for datagram in datagrams:
                source.send(datagram)

        yield send


@contextmanager
def decode() -> Work:
    payloads = recorded.payloads("conntrack_flows") * 8
    yield lambda: Flow.decode_many(payloads), len(payloads)


@contextmanager
def decode_packets() -> Work:
    payloads = recorded.payloads("nflog_packets") * 8
    yield lambda: Packet.decode_many(payloads), len(payloads)


@contextmanager
def encode() -> Work:
    flows = Flow.decode_many(recorded.payloads("conntrack_flows"))
    yield lambda: [flow.encode() for flow in flows], len(flows)


@contextmanager
def fields() -> Work:
    flows = Flow.decode_many(recorded.payloads("conntrack_flows"))
    yield lambda: [(flow.orig.src_port, flow.status, flow.mark) for flow in flows], len(flows)


@contextmanager
def dump_to_batch() -> Work:
    datagrams = recorded.datagrams("conntrack_flows")
    first = netlink.unmarshal_messages(datagrams[0])[0].header
    with closing(Socket(Family.NETFILTER, Config())) as sock, replayed(sock.fileno(), datagrams) as send:
        reader = Reader(Flow)
        request = Message(Header(flags=HeaderFlags.DUMP, sequence=first.sequence, pid=first.pid))

        def run() -> int:
            send()
            reader.begin(request)
            batch = reader.read(sock, EVERYTHING, 1 << 20)
            assert isinstance(batch, Batch)
            return len(batch)

        yield run, run()


@contextmanager
def events_to_batch() -> Work:
    with (
        closing(Socket(Family.NETFILTER, Config())) as sock,
        replayed(sock.fileno(), recorded.datagrams("conntrack_events")[::50]) as send,
    ):
        reader = StreamReader(sock, events._KINDS, count_drops=False, slot=events._SLOT)

        def run() -> int:
            send()
            return len(reader.read(EVERYTHING, False))

        yield run, run()


@contextmanager
def receive_iter() -> Work:
    with (
        netlink.dial(Family.NETFILTER) as conn,
        replayed(conn.fileno(), recorded.datagrams("conntrack_flows")) as send,
    ):

        def run() -> int:
            send()
            return sum(1 for _message in conn.receive_iter())

        yield run, run()


@contextmanager
def unmarshal() -> Work:
    datagrams = recorded.datagrams("conntrack_flows")

    def run() -> int:
        return sum(m.header.type == 0x100 for datagram in datagrams for m in netlink.unmarshal_messages(datagram))

    yield run, run()


@contextmanager
def attributes() -> Work:
    payloads = [payload[12:] for payload in recorded.payloads("routes")]  # behind rtmsg

    def run() -> int:
        return sum(len(a.data) for payload in payloads for a in AttributeDecoder(payload))

    run()
    yield run, len(payloads)


WORKS: dict[str, Callable[[], AbstractContextManager[tuple[Callable[[], object], int]]]] = {
    "decode": decode,
    "decode packets": decode_packets,
    "encode": encode,
    "read 3 fields": fields,
    "dump to Batch": dump_to_batch,
    "events to Batch": events_to_batch,
    "receive_iter": receive_iter,
    "unmarshal_messages": unmarshal,
    "AttributeDecoder": attributes,
}


def key() -> str:
    """What figures depend on."""
    python = f"{platform.python_implementation().lower()}-{platform.python_version()}"
    compiler = os.environ.get("CC", "cc")
    libc = (
        first_line("dpkg-query", "-W", "-f", "${Version}", "libc6") or platform.libc_ver()[1]
    )  # with Debian's patches
    cc = first_line(compiler, "-dumpfullversion")
    return f"{platform.machine()} {python} cython-{installed('cython')} cc-{cc} libc-{libc}"


def collected(name: str, times: int, layout: int) -> int:
    """Instructions of a Python process that does a work so many times. layout: of its caches, a number for each."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable]
    command += ["-c", START.format(classes=41 * layout), "--work", name, "--times", str(times)]
    # What malloc maps grows without a copy; elsewhere what lies behind a growing batch decides whether it is copied.
    environment = os.environ | {"PYTHONHASHSEED": "0", "MALLOC_MMAP_THRESHOLD_": "4096"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr}")
    return int(found[1])


def per_item(name: str, layout: int = 0) -> float:
    """Instructions for each item of a work."""
    with WORKS[name]() as (_, items):
        few, many = -(-FEW // items), -(-MANY // items)
    return (collected(name, many, layout) - collected(name, few, layout)) / ((many - few) * items)


def least(name: str, known: float | None) -> float:
    """The same, in other layouts too where there are more than known: where names lie in memory, and the number of its
    class, decide which attributes share a place in the interpreter's cache; a miss is a tenth of reading a field."""
    figure = per_item(name)
    for layout in range(1, LAYOUTS):
        if known is None or figure <= known * (1 + TOLERANCE):
            break
        figure = min(figure, per_item(name, layout))
    return figure


def verdict(before: float | None, now: float) -> str:
    """What is to be said of a figure; "GREW" where it fails the gate."""
    if before is None:
        return "no figure yet"
    change = f"{(now / before - 1) * 100:+.1f} %"
    if now > before * (1 + TOLERANCE):
        return f"{change} GREW"
    if now < before * (1 - TOLERANCE):
        return f"{change} shrank: accept it with --accept"
    return change


def work(name: str, times: int) -> None:
    gc.disable()
    with WORKS[name]() as (run, _):
        for _ in range(times):
            run()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"some of {', '.join(WORKS)} (default: all)")
    parser.add_argument("--accept", action="store_true", help="write the figures into bench/instructions.json")
    parser.add_argument("--work", choices=WORKS, help=argparse.SUPPRESS)
    parser.add_argument("--times", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.times)
        return 0
    works = options.works or list(WORKS)
    if unknown := set(works) - set(WORKS):
        parser.error(f"there is no {', '.join(map(repr, sorted(unknown)))}")
    if not shutil.which("valgrind"):
        print("instructions are not counted: there is no valgrind (Debian: valgrind)")
        return 0
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    known = figures.get(key(), {})
    print(f"instructions per item, {key()}")
    counted: dict[str, float] = {}
    said: list[str] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, figure in zip(works, pool.map(least, works, map(known.get, works)), strict=True):
            counted[name] = round(figure, 1)
            said.append(verdict(known.get(name), counted[name]))
            print(f"{name:24}{counted[name]:12,.1f}  {said[-1]}", flush=True)
    if options.accept:
        figures[key()] = known | counted
        FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
        print(f"written to {FIGURES.relative_to(ROOT)}")
        return 0
    if not known:
        print("there are no figures for this combination to compare with; --accept makes these the ones")
    return any("GREW" in text for text in said)


if __name__ == "__main__":
    raise SystemExit(main())
