"""Flows of all sorts, and what conntrack(8) prints of them, to compare with."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import netns
from kernel.tools import eventually
from netlink.netfilter import conntrack
from netlink.netfilter.conntrack import (
    Counters,
    Flow,
    ProtoInfo,
    SCTPInfo,
    SCTPState,
    Status,
    TCPInfo,
    TCPState,
    Tuple,
)

TCP, UDP, ICMP, ICMPV6, SCTP, DCCP, GRE, UDPLITE = 6, 17, 1, 58, 132, 33, 47, 136
_PORTS = (TCP, UDP, SCTP, DCCP, GRE)

Fields = dict[str, Any]


# To create


@functools.cache
def _udplite_has_ports() -> bool:
    """Whether this kernel tracks UDP-Lite, which newer ones do not know any more."""
    ends = {"proto": UDPLITE, "src_port": 1, "dst_port": 1}
    there, back = Tuple(src="192.0.2.1", dst="192.0.2.2", **ends), Tuple(src="192.0.2.2", dst="192.0.2.1", **ends)
    with conntrack.dial() as ct:
        ct.create(Flow(orig=there, reply=back, timeout=60))
        (got,) = (flow for flow in ct.dump() if flow.orig.src == there.src)
        ct.delete(got)
    return got.orig.src_port is not None


def _has_ports(proto: int | None) -> bool:
    return proto in _PORTS or (proto == UDPLITE and _udplite_has_ports())


def tuples(number: int, proto: int, version: int = 4) -> dict[str, Tuple]:
    """Both directions of a flow that has number in its addresses and ports."""
    if version == 4:
        a, b = ipaddress.ip_address(0x0A000000 + number), ipaddress.ip_address("192.0.2.1")
    else:
        a, b = ipaddress.ip_address((0xFD << 120) + number), ipaddress.ip_address("2001:db8::1")
    there: dict[str, Any] = {"proto": proto}
    back: dict[str, Any] = {"proto": proto}
    if proto in (ICMP, ICMPV6):
        there.update(icmp_id=number % 65536, icmp_type=8 if proto == ICMP else 128, icmp_code=0)
        back.update(icmp_id=number % 65536, icmp_type=0 if proto == ICMP else 129, icmp_code=0)
    elif _has_ports(proto):
        there.update(src_port=1024 + number % 60000, dst_port=443)
        back.update(src_port=443, dst_port=1024 + number % 60000)
    return {"orig": Tuple(src=a, dst=b, **there), "reply": Tuple(src=b, dst=a, **back)}


def varied(each: int = 1) -> list[Flow]:
    """110 flows for each."""
    numbers = iter(range(1, 1 << 20))
    flows: list[Flow] = []

    def add(proto: int, version: int, **values: Any) -> None:
        number = next(numbers)
        values.setdefault("mark", (0, 1, 0xFFFFFFFF, number)[number % 4])
        if number % 5 == 0:
            values.setdefault("zone", 1 + number % 65535)
        flows.append(Flow(**tuples(number, proto, version), timeout=100_000 + number, **values))

    both = Status.SEEN_REPLY | Status.ASSURED
    for _ in range(each):
        for version, icmp in ((4, ICMP), (6, ICMPV6)):
            for state in TCPState:
                if TCPState.SYN_SENT <= state <= TCPState.CLOSE or state == TCPState.SYN_SENT2:
                    info = TCPInfo(state=state, wscale_original=state % 15, wscale_reply=14 - state)
                    for status in (Status(0), Status.SEEN_REPLY, both):
                        add(TCP, version, status=status, protoinfo=ProtoInfo(tcp=info))
            for sctp in SCTPState:
                if sctp != SCTPState.NONE:
                    vtags = SCTPInfo(state=sctp, vtag_original=1 + sctp, vtag_reply=0xFFFFFFFF - sctp)
                    add(SCTP, version, protoinfo=ProtoInfo(sctp=vtags))
            for proto in (UDP, UDPLITE, icmp, GRE, 99, 255):
                for status in (Status(0), Status.SEEN_REPLY, both):
                    add(proto, version, status=status)
            for status in (Status.FIXED_TIMEOUT, both | Status.FIXED_TIMEOUT):
                add(UDP, version, status=status)
    return flows


# As conntrack(8) prints it


def fields_of(flow: Flow) -> Fields:
    """The fields of a flow that conntrack(8) prints, as `_read` returns them."""
    status = flow.status or Status(0)
    info = flow.protoinfo
    tcp = info.tcp if info else None
    all_: Fields = {
        "type": flow.event.name.lower() if flow.event else None,
        "orig": _direction(flow.orig, flow.counters_orig),
        "reply": _direction(flow.reply, flow.counters_reply),
        "state": tcp.state.name if tcp and tcp.state is not None else None,
        "timeout": flow.timeout,
        "mark": flow.mark,
        "zone": flow.zone,
        "use": flow.use,
        "id": flow.id,
        "assured": bool(status & Status.ASSURED),
        "unreplied": not status & Status.SEEN_REPLY,
        "helper": flow.helper,
        "start": flow.timestamp.start if flow.timestamp else None,
        "stop": flow.timestamp.stop if flow.timestamp else None,
    }
    return all_


def _direction(t: Tuple, counters: Counters | None) -> Fields:
    return {
        "src": str(t.src),
        "dst": str(t.dst),
        "proto": t.proto,
        # Those of a protocol that it knows but this kernel does not are printed as 0.
        "ports": (t.src_port or 0, t.dst_port or 0) if t.proto in (*_PORTS, UDPLITE) else None,
        "counters": (counters.packets, counters.bytes) if counters else None,
    }


def _read(element: ET.Element) -> Fields:
    metas = {meta.get("direction"): meta for meta in element.findall("meta")}
    about = metas["independent"]

    def number(name: str) -> int | None:
        text = about.findtext(name)
        return None if text is None else int(text)

    found: Fields = {
        "type": element.get("type"),
        "orig": _read_direction(metas["original"]),
        "reply": _read_direction(metas["reply"]),
        "timeout": number("timeout"),
        "mark": number("mark"),
        "zone": number("zone"),
        "use": number("use"),
        "id": number("id"),
        "assured": about.find("assured") is not None,
        "unreplied": about.find("unreplied") is not None,
        "helper": element.findtext("helper"),
        "start": number("timestamp/start"),
        "stop": number("timestamp/stop"),
    }
    # It calls all states by TCP's names.
    found["state"] = about.findtext("state") if found["orig"]["proto"] == TCP else None
    return found


def _read_direction(meta: ET.Element) -> Fields:
    layer3, layer4 = meta.find("layer3"), meta.find("layer4")
    assert layer3 is not None
    assert layer4 is not None
    text = [[layer4.findtext(name) for name in names] for names in (("sport", "dport"), ("srckey", "dstkey"))]
    ports = next(((int(a, 0), int(b, 0)) for a, b in text if a is not None and b is not None), None)
    packets, size = meta.findtext("counters/packets"), meta.findtext("counters/bytes")
    return {
        "src": str(ipaddress.ip_address(layer3.findtext("src", ""))),
        "dst": str(ipaddress.ip_address(layer3.findtext("dst", ""))),
        "proto": int(layer4.get("protonum", "")),
        "ports": ports,
        "counters": None if packets is None or size is None else (int(packets), int(size)),
    }


def _conntrack(*args: str) -> str:
    _require_conntrack_8()
    return subprocess.run(["conntrack", *args], capture_output=True, text=True, check=True).stdout


def _require_conntrack_8() -> None:
    if shutil.which("conntrack") is None:
        pytest.skip("conntrack(8) is missing (Debian: conntrack)")


def by_identity(flows: Iterable[Fields]) -> dict[tuple[Any, ...], Fields]:
    """Flows by their identity: ids are hashes, and two flows may share one."""
    return {(flow["id"], flow["orig"]["src"], flow["orig"]["ports"], flow["zone"]): flow for flow in flows}


def listed() -> list[Fields]:
    """The table as `conntrack -L -o xml` prints it."""
    found: list[Fields] = []
    for family in ("ipv4", "ipv6"):
        text = _conntrack("-L", "-f", family, "-o", "xml,id,ktimestamp")
        if text.strip():
            found += map(_read, ET.fromstring(text).findall("flow"))
    return found


def listed_beyond_xml() -> dict[int, tuple[str, ...]]:
    """What its XML leaves out, by id: types, codes and ids of ICMP; states of SCTP."""
    text = "".join(_conntrack("-L", "-f", family, "-o", "id") for family in ("ipv4", "ipv6"))
    pattern = r"^icmp.*?type=(\d+) code=(\d+) id=(\d+).*?type=(\d+) code=(\d+) id=(\d+).* id=(\d+)"
    found = {int(match[-1]): match[:-1] for match in re.findall(pattern, text, re.MULTILINE)}
    for state, number in re.findall(r"^sctp +\d+ \d+ (\w+) .* id=(\d+)", text, re.MULTILINE):
        found[int(number)] = (state,)
    return found


def beyond_xml(flows: Iterable[Flow]) -> dict[int, tuple[str, ...]]:
    """As `listed_beyond_xml`, of ours."""
    found: dict[int, tuple[str, ...]] = {}
    for flow in flows:
        assert flow.id is not None
        if flow.orig.proto in (ICMP, ICMPV6):
            found[flow.id] = tuple(
                str(v) for t in (flow.orig, flow.reply) for v in (t.icmp_type, t.icmp_code, t.icmp_id)
            )
        elif flow.protoinfo and flow.protoinfo.sctp:
            state = flow.protoinfo.sctp.state
            assert state is not None
            found[flow.id] = (state.name,)
    return found


def _listeners() -> set[str]:
    """Ports of this network namespace that are in all groups of conntrack's flows."""
    lines = Path("/proc/thread-self/net/netlink").read_text().splitlines()[1:]
    return {words[2] for words in map(str.split, lines) if words[1] == "12" and int(words[3], 16) & 7 == 7}


@contextlib.contextmanager
def events_printed() -> Iterator[Callable[[int], list[Fields]]]:
    """`conntrack -E -o xml` beside: a function that gives what it prints once that is so many.

    It is slow and its socket small: some 100 events at a time.
    """
    _require_conntrack_8()
    before = _listeners()
    command = ["conntrack", "-E", "-b", str(8 << 20), "-o", "xml,id,ktimestamp"]
    with (
        tempfile.NamedTemporaryFile("w") as out,
        subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL) as process,
    ):
        found: list[Fields] = []
        end = 0  # of what was read

        def printed(count: int) -> list[Fields]:
            nonlocal end
            eventually(lambda: Path(out.name).read_text().count("</flow>") >= count, f"{count} are printed", 30)
            text = Path(out.name).read_text()
            for flow in re.compile(r"<flow .*?</flow>", re.DOTALL).finditer(text, end):
                found.append(_read(ET.fromstring(flow[0])))
                end = flow.end()
            return found

        try:
            eventually(lambda: _listeners() - before, "conntrack -E listens")
            yield printed
        finally:
            process.send_signal(signal.SIGINT)


# Packets


def track() -> None:
    """Let the kernel track packets of the network namespace, with labels."""
    nft("add table inet t; add chain inet t in { type filter hook input priority 0; }; add rule inet t in ct state new")


def nft(rules: str) -> None:
    """Rules by nft(8)."""
    if shutil.which("nft") is None:
        pytest.skip("nft(8) is missing (Debian: nftables)")
    run = subprocess.run(["nft", "-f", "-"], input=rules.replace("; ", "\n"), capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"nft: {run.stderr.strip()}")


def datagrams(sizes: Iterable[int], address: str = "127.0.0.1") -> tuple[int, int]:
    """UDP packets of these sizes over lo, out from a new port: the two ports."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as server, socket.socket(family, socket.SOCK_DGRAM) as client:
        server.bind((address, 0))
        client.connect(server.getsockname())
        for size in sizes:
            client.send(bytes(size))
            assert len(server.recv(65536)) == size
        return client.getsockname()[1], server.getsockname()[1]


def connection(address: str = "127.0.0.1", sent: int = 1000) -> tuple[int, int]:
    """A TCP connection over lo, opened, used and closed: the two ports."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        socket.create_server((address, 0), family=family) as server,
        socket.create_connection(server.getsockname()[:2]) as client,
    ):
        accepted, _ = server.accept()
        with accepted:
            client.sendall(bytes(sent))
            client.shutdown(socket.SHUT_WR)
            while accepted.recv(65536):
                pass
        assert client.recv(1) == b""
        return client.getsockname()[1], server.getsockname()[1]


def accounting() -> None:
    """Counters and timestamps for the flows that begin from now on."""
    netns.sysctl("net.netfilter.nf_conntrack_acct", 1)
    netns.sysctl("net.netfilter.nf_conntrack_timestamp", 1)
