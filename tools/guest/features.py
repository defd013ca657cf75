"""What kernels differ in, as this library meets it: the table of docs/kernels.md, measured on each of them.

features.py           what the running kernel does, as JSON; root, nft(8)
features.py --all     ask the kernels of `make test-vm KERNELS=all`, and write the table into docs/kernels.md
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]
PAGE = ROOT / "docs/kernels.md"
PORT, GROUP = 9, 5

Features = dict[str, str]


def yes(value: object) -> str:
    return "yes" if value else "no"


def setting(name: str) -> str:
    return Path("/proc/sys", name).read_text().strip()


def rtnetlink() -> Iterator[tuple[str, str]]:
    from netlink import Config, ConnOption, Family, OpError, dial

    def permitted(call: Callable[[], object]) -> bool:
        try:
            call()
        except OpError:
            return False
        return True

    with dial(Family.ROUTE) as conn:
        yield "`Config(strict=True)`", yes(permitted(lambda: dial(Family.ROUTE, Config(strict=True)).close()))
        yield "every `ConnOption`", yes(all(permitted(lambda o=o: conn.set_option(o, True)) for o in ConnOption))
        group = 1
        while permitted(partial(conn.join_group, group)):
            group += 1
        yield "rtnetlink groups, up to", str(group - 1)


def filters() -> Iterator[tuple[str, str]]:
    from netlink.netfilter import conntrack
    from netlink.netfilter.conntrack.filter import abilities

    with conntrack.dial() as ct:
        able = abilities(ct.conn.execute)
    yield "the kernel filters dumps by mark, original tuple", yes({"mark", "orig"} <= able)
    yield "the kernel filters dumps by status, reply tuple", yes({"status", "reply"} <= able)
    yield "the kernel filters dumps by zone, flushes by tuples", yes({"zone", "flush"} <= able)


def nft(rules: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, capture_output=True)


@contextlib.contextmanager
def a_packet() -> Iterator[Callable[[], None]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sink.bind(("127.0.0.1", PORT))
        yield lambda: sock.sendto(b"x", ("127.0.0.1", PORT)) and None


def events() -> Iterator[tuple[str, str]]:
    from netlink.netfilter import conntrack, nflog

    yield "`net.netfilter.nf_conntrack_events` in a new namespace", setting("net/netfilter/nf_conntrack_events")
    Path("/proc/sys/net/netfilter/nf_conntrack_timestamp").write_text("1")
    rules = f"ct state new counter; udp dport {PORT} log group {GROUP};"
    nft(f"table inet t {{ chain c {{ type filter hook input priority 0; {rules} }}; }}")
    glue = True
    try:
        nflog.listen(GROUP, conntrack=True).close()
    except OSError:
        glue = False
    with a_packet() as send, conntrack.listen() as stream, nflog.listen(GROUP, timeout=0.01, conntrack=glue) as log:
        send()
        packet, event = next(log), next(stream)
    yield "`flow.timestamp_event`: when an event happened", yes(event.timestamp_event)
    yield "`packet.timestamp` though no socket asked for times", yes(packet.timestamp)
    yield "`packet.ct`: the flow of a logged packet", yes(packet.ct)


def measure() -> Features:
    import netns

    warnings.simplefilter("ignore")
    # Shown in the first namespace alone, on older kernels.
    found = {f"`net.core.{name}` at boot": setting(f"net/core/{name}") for name in ("optmem_max", "rmem_max")}
    reason = netns.enter_private()
    if reason is not None:
        raise SystemExit(reason)
    with netns.fresh():
        return {**dict(rtnetlink()), **dict(filters()), **dict(events()), **found}


def ask_all() -> None:
    from guest import ALL, kernels
    from guest.matrix import MODULES

    found: dict[str, Features] = {}
    os.chdir(ROOT)
    for kernel in kernels(ALL).values():
        with tempfile.TemporaryFile() as out:
            command = [sys.executable, str(Path(__file__).relative_to(ROOT))]
            if kernel.execute(command, limit=120, modules=MODULES, out=out):  # type: ignore[arg-type]
                out.seek(0)
                raise SystemExit(f"{kernel.version}: {shlex.join(command)} failed\n{out.read().decode()}")
            out.seek(0)
            found[kernel.version] = json.loads(out.read().splitlines()[-1])
    release = {version: re.match(r"\d+\.\d+", version)[0] for version in found}  # type: ignore[index]
    lines = [f"| | {' | '.join(release.values())} |", "|---|" + "---|" * len(found)]
    for name in next(iter(found.values())):
        lines.append(f"| {name} | {' | '.join(features[name] for features in found.values())} |")
    begin, end = "<!-- measured by tools/guest/features.py -->\n", "<!-- end -->"
    text = PAGE.read_text()
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    PAGE.write_text(f"{before}\n{chr(10).join(lines)}\n\n{after}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--all"]:
        ask_all()
    else:
        print(json.dumps(measure()))
