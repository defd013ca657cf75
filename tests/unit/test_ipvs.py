"""IPVS without a kernel: records from bytes made otherwise, and requests that are whole."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, IPPROTO_TCP
from typing import Any

import pytest

from netlink.generic import ipvs
from netlink.generic.ipvs import (
    Daemon,
    DaemonState,
    Destination,
    ForwardMethod,
    Info,
    Request,
    Service,
    ServiceFlags,
    Stats,
    Timeouts,
    TunnelFlags,
    TunnelType,
)
from netlink.nltest import serve

ALL = 0xFFFFFFFF
WEB = Service(protocol=IPPROTO_TCP, addr="192.0.2.1", port=80)


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def u16(value: int) -> bytes:
    return struct.pack("=H", value)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def stats(code: str) -> bytes:
    widths = code if code == "Q" else "IIIQQIIIII"
    codes = widths * 10 if code == "Q" else widths
    return b"".join(attribute(1 + n, struct.pack(f"={each}", 100 + n)) for n, each in enumerate(codes))


COUNTED = Stats(
    **dict(
        zip(
            ("conns", "inpkts", "outpkts", "inbytes", "outbytes", "cps", "inpps", "outpps", "inbps", "outbps"),
            range(100, 110),
            strict=True,
        )
    )
)


def test_a_service_is_what_the_kernel_sends() -> None:
    payload = (
        attribute(1, u16(AF_INET))
        + attribute(2, u16(IPPROTO_TCP))
        + attribute(3, bytes([192, 0, 2, 1]) + bytes(12))
        + attribute(4, b"\0\x50")
        + attribute(6, b"rr\0")
        + attribute(11, b"sip\0")
        + attribute(7, u32(3) + u32(ALL))
        + attribute(8, u32(300))
        + attribute(9, bytes([255, 255, 255, 0]))
        + attribute(10, stats("I"))
        + attribute(12, stats("Q") + attribute(11, b""))
    )
    service = Service.decode(payload)
    assert service == Service(
        af=AF_INET,
        protocol=IPPROTO_TCP,
        addr="192.0.2.1",
        port=80,
        sched_name="rr",
        flags=ServiceFlags.PERSISTENT | ServiceFlags.HASHED,
        timeout=300,
        netmask=ipvs.netmask(24),
        pe_name="sip",
        stats=COUNTED,
        stats64=COUNTED,
    )
    assert (service.flags, service.unknown) == ((3, ALL), ())


def test_a_destination_has_its_family_behind_its_address() -> None:
    payload = (
        attribute(1, ip_address("2001:db8::2").packed)
        + attribute(2, b"\x1f\x90")
        + attribute(3, u32(2))
        + attribute(4, u32(5))
        + attribute(5, u32(20))
        + attribute(6, u32(10))
        + attribute(13, b"\1")
        + attribute(14, b"\x17\xc0")
        + attribute(15, u16(1))
        + attribute(7, u32(1))
        + attribute(8, u32(2))
        + attribute(9, u32(3))
        + attribute(11, u16(AF_INET6))
        + attribute(12, stats("Q"))
    )
    destination = Destination.decode(payload)
    assert destination == Destination(
        addr="2001:db8::2",
        port=8080,
        fwd_method=ForwardMethod.TUNNEL,
        weight=5,
        u_thresh=20,
        l_thresh=10,
        tun_type=TunnelType.GUE,
        tun_port=6080,
        tun_flags=TunnelFlags.CSUM,
        active_conns=1,
        inact_conns=2,
        persist_conns=3,
        stats64=COUNTED,
    )
    assert destination.unknown == ()
    assert Destination(addr="10.0.0.1").addr_family == AF_INET


def test_other_records() -> None:
    daemon = attribute(1, u32(1)) + attribute(2, b"eth0\0") + attribute(3, u32(7)) + attribute(4, u16(1472))
    daemon += attribute(5, bytes([224, 0, 0, 81])) + attribute(7, u16(8848)) + attribute(8, b"\1")
    found = Daemon.decode(daemon)
    assert found == Daemon(
        state=DaemonState.MASTER,
        mcast_ifn="eth0",
        sync_id=7,
        sync_maxlen=1472,
        mcast_group="224.0.0.81",
        mcast_port=8848,
        mcast_ttl=1,
    )
    assert Timeouts.decode(attribute(4, u32(900)) + attribute(6, u32(300))) == Timeouts(tcp=900, udp=300)
    assert Info.decode(attribute(1, u32(0x10201)) + attribute(2, u32(4096))) == Info(
        version=0x10201, conn_tab_size=4096
    )


def test_netmasks() -> None:
    for prefixlen, mask in ((32, "255.255.255.255"), (24, "255.255.255.0"), (1, "128.0.0.0")):
        assert ipvs.netmask(prefixlen).to_bytes(4, sys.byteorder) == ip_address(mask).packed
    for wrong in (0, 33, -1):
        with pytest.raises(ValueError):  # noqa: PT011 - of ipaddress
            ipvs.netmask(wrong)


class Kernel:
    """What a double is asked, and one service with one destination."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.service = WEB.replace(sched_name="rr", flags=ServiceFlags.PERSISTENT, timeout=60, netmask=ipvs.netmask(8))
        self.there = Destination(
            addr="10.0.0.2", port=1, fwd_method=ForwardMethod.DROUTE, weight=7, u_thresh=9, l_thresh=8
        )

    def answer(self, name: str) -> Callable[[Any], Any]:
        def asked(request: Any) -> Any:
            self.asked[name] = request
            if name == "get_service":
                return Request(service=self.service)
            return [self.there] if name == "get_dests" else None

        return asked

    @property
    def operations(self) -> dict[str, Callable[[Any], Any]]:
        names = "get_service new_service set_service del_service get_dests new_dest set_dest del_dest"
        return {name: self.answer(name) for name in f"{names} new_daemon del_daemon zero_service".split()}


def test_requests_are_whole() -> None:
    kernel = Kernel()
    with serve(ipvs.Conn, kernel.operations) as vs:
        vs.add(WEB)
        mine = Service(sched_name="wlc", flags=(0, ALL), timeout=0, netmask=ipvs.netmask(32))
        assert kernel.asked["new_service"].service == WEB.replace(
            **{name: getattr(mine, name) for name in ("sched_name", "flags", "timeout", "netmask")}
        )
        vs.add(Service(af=AF_INET6, fwmark=5, port=9, protocol=6, stats=COUNTED))
        six = kernel.asked["new_service"].service
        assert (six.af, six.fwmark, six.port, six.stats, six.netmask) == (AF_INET6, 5, None, None, 128)
        vs.update(WEB.replace(timeout=5))
        assert kernel.asked["set_service"].service == kernel.service.replace(timeout=5)
        assert kernel.asked["get_service"] == Request(service=WEB)
        assert vs.get(kernel.service) == kernel.service
        vs.delete(kernel.service)
        assert kernel.asked["del_service"] == Request(service=WEB)

        place = Destination(addr="10.0.0.2", port=1)
        vs.add_destination(WEB, place)
        assert kernel.asked["new_dest"] == Request(
            service=WEB, dest=place.replace(fwd_method=ForwardMethod.MASQ, weight=1, u_thresh=0, l_thresh=0)
        )
        vs.update_destination(WEB, place.replace(weight=0))
        assert kernel.asked["set_dest"] == Request(service=WEB, dest=kernel.there.replace(weight=0))
        vs.delete_destination(kernel.service, kernel.there)
        assert kernel.asked["del_dest"] == Request(service=WEB, dest=place)
        assert list(vs.destinations(WEB)) == [kernel.there]
        vs.zero()
        assert kernel.asked["zero_service"] == Request()
        vs.zero(kernel.service)
        assert kernel.asked["zero_service"] == Request(service=WEB)
        vs.stop_daemon(DaemonState.BACKUP)
        assert kernel.asked["del_daemon"] == Request(daemon=Daemon(state=DaemonState.BACKUP))


def test_what_identifies_nothing() -> None:
    with serve(ipvs.Conn, {}) as vs:
        for service in (Service(), WEB.replace(protocol=None), WEB.replace(addr=None), WEB.replace(port=None)):
            with pytest.raises(ValueError, match="a service needs protocol=, addr= and port=, or af= and fwmark="):
                vs.delete(service)
        with pytest.raises(ValueError, match="a service by fwmark needs af="):
            vs.delete(Service(fwmark=1))
        for destination in (Destination(), Destination(addr="::1"), Destination(port=1)):
            with pytest.raises(ValueError, match="a destination needs addr= and port="):
                vs.add_destination(WEB, destination)
        other: Any = Destination(addr="::1", port=1)
        for act in (vs.add, vs.update, vs.delete, vs.get, vs.destinations, vs.zero):
            with pytest.raises(TypeError, match="want a Service, not "):
                act(other)
        for change in (vs.add_destination, vs.update_destination, vs.delete_destination):
            with pytest.raises(TypeError, match="want a Destination, not 5"):
                change(WEB, 5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        Service(addr="192.0.2.1/24")
