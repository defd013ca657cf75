"""What drivers keep of links: virtual functions of a network card, and XDP programs.

Both are tested in guests (tools/guest): virtual functions with `--card --module igb`.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kernel.bpf import BPF_PROG_TYPE_XDP, XDP_PASS, program
from kernel.tc import GUEST
from netlink import OpError, route
from netlink.route import ExtMask, Link
from netlink.route.link import (
    VF,
    Veth,
    VFLinkState,
    VFLinkStateSetting,
    VFMac,
    VFSetting,
    VFVlan,
    VFVlanInfo,
    Xdp,
    XdpAttached,
    XdpFlags,
)

ETH_P_8021Q = 0x8100


# Virtual functions


@pytest.fixture(scope="module")
def card() -> Iterator[tuple[route.Conn[Any], str]]:
    """A connection in the namespace of a card with two virtual functions, and the card's name."""
    if not GUEST:
        pytest.skip("virtual functions are made in guests alone (tools/guest --card --module igb)")
    numbers = list(Path("/sys/class/net").glob("*/device/sriov_numvfs"))
    if not numbers:
        pytest.skip("there is no network card with virtual functions: tools/guest --card --module igb")
    numbers[0].write_text("2")
    try:
        with route.dial(netns="/proc/1/ns/net") as rt:
            yield rt, numbers[0].parent.parent.name
    finally:
        numbers[0].write_text("0")


def functions(rt: route.Conn[Any], name: str) -> dict[int, VF]:
    """The virtual functions of a card, by their numbers."""
    link = rt.get(Link(name=name, ext_mask=ExtMask.VF))
    assert link.num_vf == 2
    found = {vf.mac.vf: vf for vf in link.vfs or () if vf.mac is not None and vf.mac.vf is not None}
    assert all(vf.unknown == () for vf in found.values())
    return found


def test_virtual_functions_are_in_a_reply_on_request(card: tuple[route.Conn[Any], str]) -> None:
    rt, name = card
    assert rt.get(Link(name=name)).vfs is None
    assert [*functions(rt, name)] == [0, 1]
    (dumped,) = [link for link in rt.dump(Link, ext_mask=ExtMask.VF) if link.name == name]
    assert {*(vf.mac.vf for vf in dumped.vfs or () if vf.mac)} == {0, 1}


def test_virtual_functions_as_ip_sets_and_shows_them(card: tuple[route.Conn[Any], str]) -> None:
    rt, name = card
    enter = ["nsenter", "--net=/proc/1/ns/net"]  # the card is where the guest's first process is
    ip = ["ip", "link", "set", "dev", name, "vf", "1"]
    subprocess.run([*enter, *ip, "mac", "02:00:00:00:00:11", "vlan", "7", "qos", "3"], check=True)
    subprocess.run([*enter, *ip, "spoofchk", "off"], check=True)
    vf = functions(rt, name)[1]
    assert vf.mac is not None
    assert vf.mac.mac is not None
    assert vf.mac.mac[:6] == bytes.fromhex("020000000011")
    assert vf.vlan == VFVlan(vf=1, vlan=7, qos=3)
    assert vf.vlan_list == (VFVlanInfo(vf=1, vlan=7, qos=3, vlan_proto=ETH_P_8021Q),)
    assert vf.spoofchk == VFSetting(vf=1, setting=0)
    rt.update(
        Link(
            name=name,
            vfs=[
                VF(mac=VFMac(vf=0, mac=bytes.fromhex("020000000022") + bytes(26))),
                VF(vlan=VFVlan(vf=0, vlan=9, qos=1), spoofchk=VFSetting(vf=0, setting=0)),
                VF(trust=VFSetting(vf=0, setting=1)),
                VF(vlan=VFVlan(vf=1, vlan=0, qos=0), spoofchk=VFSetting(vf=1, setting=1)),
            ],
        )
    )
    out = subprocess.run([*enter, "ip", "-j", "-d", "link", "show", "dev", name], check=True, capture_output=True)
    first, second = json.loads(out.stdout)[0]["vfinfo_list"]
    assert (first["address"], first["spoofchk"], first["trust"]) == ("02:00:00:00:00:22", False, True)
    assert first["vlan_list"] == [{"vlan": 9, "qos": 1}]
    assert (second["vlan_list"], second["spoofchk"]) == ([{}], True)
    assert functions(rt, name)[0].trust == VFSetting(vf=0, setting=1)


def test_what_the_driver_refuses_of_virtual_functions_is_told(card: tuple[route.Conn[Any], str]) -> None:
    rt, name = card
    with pytest.raises(OpError):  # there are two
        rt.update(Link(name=name, vfs=[VF(mac=VFMac(vf=9, mac=bytes(32)))]))
    state = VFLinkStateSetting(vf=0, link_state=VFLinkState.DISABLE)
    with pytest.raises(OpError):  # the driver cannot do it
        rt.update(Link(name=name, vfs=[VF(link_state=state)]))


# XDP


@pytest.fixture
def programs() -> Iterator[tuple[int, int]]:
    """File descriptors of two XDP programs."""
    if not GUEST:
        pytest.skip("XDP programs are attached in guests alone (tools/guest)")
    with ExitStack() as opened:
        fds = program(BPF_PROG_TYPE_XDP, XDP_PASS), program(BPF_PROG_TYPE_XDP, XDP_PASS)
        for fd in fds:
            opened.callback(os.close, fd)
        yield fds


@pytest.mark.parametrize(
    ("mode", "attached", "number"),
    [
        (XdpFlags.SKB_MODE, XdpAttached.SKB, "skb_prog_id"),
        (XdpFlags.DRV_MODE, XdpAttached.DRV, "drv_prog_id"),
    ],
)
def test_an_xdp_program(
    netns: Any, programs: tuple[int, int], mode: XdpFlags, attached: XdpAttached, number: str
) -> None:
    first, second = programs
    with route.dial() as rt:
        rt.create(Link(name="v0", kind="veth", data=Veth(peer=Link(name="v1"))))
        none = rt.get(Link(name="v0")).xdp
        assert none is not None
        assert none.attached == XdpAttached.NONE
        rt.update(Link(name="v0", xdp=Xdp(fd=first, flags=mode)))
        found = rt.get(Link(name="v0")).xdp
        assert found is not None
        assert found.unknown == ()
        assert found.attached == attached
        assert found.prog_id
        assert found.prog_id == getattr(found, number)
        out = subprocess.run(["ip", "-j", "-d", "link", "show", "dev", "v0"], check=True, capture_output=True)
        (of_ip,) = json.loads(out.stdout)
        assert of_ip["xdp"]["prog"]["id"] == found.prog_id
        assert of_ip["xdp"]["mode"] == int(attached)
        with pytest.raises(OpError):
            rt.update(Link(name="v0", xdp=Xdp(fd=second, flags=mode | XdpFlags.UPDATE_IF_NOEXIST)))
        with pytest.raises(OpError):
            rt.update(Link(name="v0", xdp=Xdp(fd=second, flags=mode | XdpFlags.REPLACE, expected_fd=second)))
        rt.update(Link(name="v0", xdp=Xdp(fd=second, flags=mode | XdpFlags.REPLACE, expected_fd=first)))
        changed = rt.get(Link(name="v0")).xdp
        assert changed is not None
        assert changed.prog_id not in (None, found.prog_id)
        rt.update(Link(name="v0", xdp=Xdp(fd=-1, flags=mode)))
        gone = rt.get(Link(name="v0")).xdp
        assert gone is not None
        assert gone.attached == XdpAttached.NONE
        assert gone.prog_id is None
