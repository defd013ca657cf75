"""Routes that wrap their packets: what ip(8) makes we read, and what is read makes the same route."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from kernel.bpf import BPF_OK, BPF_PROG_TYPE_LWT_XMIT, program
from kernel.tc import GUEST
from netlink import route
from netlink.route import EncapType, Link, Route
from netlink.route.encap import BPFEncap, BPFProgram
from netlink.route.link import Veth

CASES = {
    "mpls": ("192.0.2.0/24", "encap mpls 100/200 dev v0", EncapType.MPLS),
    "ip": ("192.0.2.0/24", "encap ip id 5 dst 203.0.113.9 ttl 7 dev v0", EncapType.IP),
    "ip6": ("2001:db8:9::/64", "encap ip6 id 5 dst 2001:db8::9 hoplimit 7 dev v0", EncapType.IP6),
    "seg6": ("2001:db8:9::/64", "encap seg6 mode encap segs 2001:db8::5,2001:db8::6 dev v0", EncapType.SEG6),
    "seg6local": ("2001:db8:9::1/128", "encap seg6local action End.X nh6 2001:db8::7 dev v0", EncapType.SEG6_LOCAL),
    "seg6local table": ("2001:db8:9::1/128", "encap seg6local action End.DT6 table 100 dev v0", EncapType.SEG6_LOCAL),
    "ioam6": ("2001:db8:9::/64", "encap ioam6 trace prealloc type 0x800000 ns 1 size 12 dev v0", EncapType.IOAM6),
    "rpl": ("2001:db8:9::/64", "encap rpl segs 2001:db8::5 dev v0", EncapType.RPL),
    # ip(8) reads no further behind this one.
    "xfrm": ("192.0.2.0/24", "dev v0 encap xfrm if_id 5", EncapType.XFRM),
}


@pytest.mark.parametrize("case", CASES)
def test_a_route_that_wraps_its_packets(netns: Any, case: str) -> None:
    if not GUEST:
        pytest.skip("lightweight tunnels are made in guests alone (tools/guest), where a kernel may fail")
    dst, words, kind = CASES[case]
    with route.dial() as rt:
        rt.create(Link(name="v0", kind="veth", data=Veth(peer=Link(name="v1"))))
        rt.up("v0")
        rt.up("v1")
        command = ["ip", "route", "add", dst, *words.split()]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            assert "not supported" in made.stderr or "CONFIG" in made.stderr, made.stderr
            pytest.skip(f"{case}: {made.stderr.strip()}")
        (found,) = rt.dump(Route, dst=dst)
        assert found.encap_type == kind
        assert found.encap is not None
        assert not isinstance(found.encap, bytes)
        assert found.encap.unknown == ()
        before = shown(dst)
        rt.delete(found)
        assert shown(dst) == []
        rt.create(found)
        assert shown(dst) == before
        assert rt.dump(Route, dst=dst)[0].encap == found.encap


def test_a_program_runs_on_the_packets_of_a_route(netns: Any) -> None:
    if not GUEST:
        pytest.skip("lightweight tunnels are made in guests alone (tools/guest), where a kernel may fail")
    fd = program(BPF_PROG_TYPE_LWT_XMIT, BPF_OK)
    try:
        with route.dial() as rt:
            rt.up("lo")
            wanted = BPFEncap(xmit=BPFProgram(fd=fd, name="passes"))
            rt.create(Route(dst="192.0.2.0/24", oif=rt.index("lo"), encap=wanted))
            (found,) = rt.dump(Route, dst="192.0.2.0/24")
    finally:
        os.close(fd)
    assert found.encap_type == EncapType.BPF
    assert found.encap == BPFEncap(xmit=BPFProgram(name="passes"))
    (line,) = shown("192.0.2.0/24")
    assert line["encap"] == {"encap_type": "bpf", "xmit": "passes"}


def shown(dst: str) -> Any:
    """What ip(8) shows of the routes to a prefix."""
    command = ["ip", *(["-6"] if ":" in dst else []), "-j", "-d", "route", "show", dst]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout or "[]")
