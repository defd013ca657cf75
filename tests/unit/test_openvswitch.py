"""Open vSwitch's datapath without a kernel: records from bytes made otherwise, and what requests lack."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any

import pytest

from netlink import DecodeError, EncodeError, HeaderFlags
from netlink.family import Deferred
from netlink.generic import openvswitch
from netlink.generic.openvswitch import (
    Action,
    ARPKey,
    Datapath,
    DatapathFeatures,
    EthernetKey,
    EtherType,
    Flow,
    FragType,
    ICMPKey,
    IPv4Key,
    IPv6Key,
    Key,
    Limit,
    Limits,
    MaskedKey,
    Meter,
    Packet,
    PacketCommand,
    PortsKey,
    PushVLAN,
    UpcallStats,
    Vport,
    VportType,
)
from netlink.nltest import serve

TCP, UDP = 6, 17
DEPTH = 32


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


ETHERNET = EthernetKey(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
IP = IPv4Key(src="192.0.2.1", dst="192.0.2.2", proto=TCP, ttl=64)
KEY = Key(in_port=1, ethernet=ETHERNET, ethertype=EtherType.IP, ipv4=IP, tcp=PortsKey(src=1, dst=80), tcp_flags=2)
KEY_BYTES = (
    attribute(3, u32(1))
    + attribute(4, bytes.fromhex("020000000001 020000000002"))
    + attribute(6, b"\x08\x00")
    + attribute(7, bytes([192, 0, 2, 1, 192, 0, 2, 2, TCP, 0, 64, 0]))
    + attribute(9, struct.pack(">HH", 1, 80))
    + attribute(18, b"\0\2")
)


def test_a_flow_with_its_actions_in_order() -> None:
    actions = (
        attribute(1, u32(2))
        + attribute(4, bytes.fromhex("8100 1005"))
        + attribute(1, u32(3))
        + attribute(5, b"")
        + attribute(6, attribute(1, u32(7)) + attribute(2, attribute(20, attribute(1, u32(4)) + attribute(16, b""))))
        + attribute(11, attribute(9, struct.pack(">HHHH", 0, 443, 0, 0xFFFF)))
        + attribute(1, u32(1))
    )
    stats = struct.pack("=QQ", 3, 300)
    payload = struct.pack("=i", 5) + attribute(1, KEY_BYTES) + attribute(2, actions) + attribute(3, stats)
    flow = Flow.decode(payload + attribute(4, b"\2") + attribute(5, struct.pack("=Q", 99)))
    assert (flow.dp_ifindex, flow.key, flow.tcp_flags, flow.used) == (5, KEY, 2, 99)
    assert flow.stats is not None
    assert (flow.stats.n_packets, flow.stats.n_bytes) == (3, 300)
    inner = (Action(output=4), Action(ct_clear=True))
    masked = MaskedKey(tcp=(PortsKey(dst=443), PortsKey(dst=0xFFFF)))
    assert flow.actions == (
        Action(output=2),
        Action(push_vlan=PushVLAN(tpid=EtherType.VLAN, tci=0x1005)),
        Action(output=3),
        Action(pop_vlan=True),
        Action(sample=openvswitch.Sample(probability=7, actions=[Action(clone=inner)])),
        Action(set_masked=masked),
        Action(output=1),
    )
    assert Flow.decode(flow.encode()) == flow
    assert flow.unknown == ()


def test_no_actions_are_not_absent_actions() -> None:
    assert Flow.decode(Flow(dp_ifindex=1, actions=()).encode()).actions == ()
    assert Flow.decode(Flow(dp_ifindex=1).encode()).actions is None


def test_structs_have_the_sizes_that_the_kernel_compares() -> None:
    sizes = {
        EthernetKey: 12,
        IPv4Key: 12,
        IPv6Key: 40,
        PortsKey: 4,
        ICMPKey: 2,
        ARPKey: 24,
        openvswitch.NDKey: 28,
        openvswitch.TupleIPv4: 16,
        openvswitch.TupleIPv6: 40,
        openvswitch.NSHBase: 8,
        openvswitch.NSHContext: 16,
        openvswitch.PushVLAN: 4,
        openvswitch.PushMPLS: 8,
        openvswitch.AddMPLS: 8,
        openvswitch.MegaflowStats: 32,
        openvswitch.VportStats: 64,
        Limit: 12,
    }
    assert {kind: len(kind().encode()) for kind in sizes} == sizes


def test_recursion_ends() -> None:
    actions = attribute(1, u32(1))
    for _ in range(DEPTH + 8):
        actions = attribute(20, actions)
    with pytest.raises(DecodeError):
        Flow.decode(bytes(4) + attribute(2, actions))


def nested(depth: int) -> Action:
    return Action(output=1) if depth == 0 else Action(clone=[nested(depth - 1)])


def test_records_inside_each_other_end() -> None:
    assert Flow.decode(Flow(actions=[nested(DEPTH // 2)]).encode()).actions == (nested(DEPTH // 2),)
    with pytest.raises(EncodeError):
        nested(2 * DEPTH)


@pytest.mark.parametrize("action", [Action(), Action(output=1, pop_vlan=True)])
def test_an_action_is_one_field(action: Action) -> None:
    with pytest.raises(EncodeError, match="one field"):
        Flow(actions=[action]).encode()


def test_keys_of_a_wrong_length_are_refused() -> None:
    with pytest.raises(DecodeError, match=r"key\.ethertype"):
        Flow.decode(bytes(4) + attribute(1, attribute(6, b"\0")))


def test_datapaths_vports_meters_and_packets() -> None:
    header = struct.pack("=i", 4)
    stats = struct.pack("=QQQQ", 1, 2, 3, 4)
    sent = header + attribute(1, b"sw0\0") + attribute(3, stats) + attribute(5, u32(9)) + attribute(8, u32(7) + u32(8))
    datapath = Datapath.decode(sent)
    features = DatapathFeatures.UNALIGNED | DatapathFeatures.DISPATCH_UPCALL_PER_CPU
    assert (datapath.name, datapath.user_features, datapath.per_cpu_pids) == ("sw0", features, (7, 8))
    assert datapath.stats == openvswitch.DatapathStats(n_hit=1, n_missed=2, n_lost=3, n_flows=4)
    upcalls = attribute(0, struct.pack("=Q", 5)) + attribute(1, struct.pack("=Q", 6))
    vport = Vport.decode(header + attribute(2, u32(4)) + attribute(10, upcalls) + attribute(9, struct.pack("=i", -1)))
    assert (vport.type, vport.netnsid, vport.upcall_stats) == (VportType.VXLAN, -1, UpcallStats(success=5, fail=6))
    band = attribute(0, attribute(1, u32(1)) + attribute(2, u32(10)))
    meter = Meter.decode(header + attribute(1, u32(3)) + attribute(2, b"") + attribute(4, band))
    assert meter.bands is not None
    assert (meter.id, meter.kbps, [each.rate for each in meter.bands]) == (3, True, [10])
    limits = Limits.decode(header + attribute(1, struct.pack("=iIIiII", -1, 5, 0, 7, 6, 2)))
    assert limits.zone_limit == (Limit(zone_id=-1, limit=5), Limit(zone_id=7, limit=6, count=2))
    packet = Packet.decode(header + attribute(1, b"frame") + attribute(2, KEY_BYTES) + attribute(4, b"cookie"))
    assert (bytes(packet.packet or b""), packet.key, packet.userdata) == (b"frame", KEY, b"cookie")


def test_addresses_of_both_kinds_of_tunnels() -> None:
    four, six = openvswitch.TunnelKey(id=7, dst="192.0.2.1"), openvswitch.TunnelKey(id=7, dst="2001:db8::1")
    assert four.encode() == attribute(0, bytes(7) + b"\7") + attribute(2, bytes([192, 0, 2, 1]))
    assert six.encode() == attribute(0, bytes(7) + b"\7") + attribute(13, ip_address("2001:db8::1").packed)


# What the kernel would refuse

ALL = EthernetKey(src="ff:ff:ff:ff:ff:ff", dst="ff:ff:ff:ff:ff:ff")


@pytest.mark.parametrize(
    ("key", "mask", "message"),
    [
        (Key(in_port=1), None, "needs ethernet= or ethertype="),
        (KEY.replace(ipv4=None), None, "a key with ethertype=0x0800 needs ipv4="),
        (KEY.replace(tcp=None), None, "a key with ipv4.proto=6 needs tcp="),
        (KEY.replace(tcp_flags=None), None, "a key with ipv4.proto=6 needs tcp_flags="),
        (KEY.replace(ipv4=IP.replace(proto=UDP)), None, "needs udp="),
        (KEY.replace(ethertype=EtherType.ARP), None, "needs arp="),
        (
            Key(
                ethernet=ETHERNET,
                ethertype=EtherType.IPV6,
                ipv6=IPv6Key(proto=58),
                icmpv6=ICMPKey(type=135),
            ),
            None,
            "needs nd=",
        ),
        (
            Key(ethernet=ETHERNET, ethertype=EtherType.VLAN, vlan=0x1005, encap=KEY.replace(tcp=None)),
            None,
            "needs tcp=",
        ),
        (KEY, Key(ipv4=IPv4Key(proto=0xFF)), "a mask with ipv4= needs ethertype=0xffff"),
        (KEY, Key(ethertype=0xFFFF, tcp=PortsKey(dst=0xFFFF)), r"a mask with tcp= needs ipv4\.proto=0xff"),
        (KEY, Key(udp=PortsKey(dst=0xFFFF)), "a mask with udp= needs a key with it"),
        (KEY, Key(skb_mark=1), "a mask with skb_mark= needs a key with it"),
    ],
)
def test_a_key_that_the_kernel_refuses(key: Key, mask: Key | None, message: str) -> None:
    with serve(openvswitch.Conn, {"new_flow": lambda _: None}) as ovs, pytest.raises(ValueError, match=message):
        ovs.add_flow(Flow(dp_ifindex=1, key=key, mask=mask, actions=()))


@pytest.mark.parametrize(
    ("key", "mask"),
    [
        (KEY, None),
        (KEY, Key(in_port=0xFFFFFFFF, ethernet=ALL)),
        (KEY, Key(ethertype=0xFFFF, ipv4=IPv4Key(proto=0xFF), tcp=PortsKey(dst=0xFFFF), udp=PortsKey())),
        (KEY.replace(ipv4=IP.replace(frag=FragType.LATER), tcp=None, tcp_flags=None), None),
        (Key(ethernet=ETHERNET, ethertype=0x88B5), None),
        (Key(ethernet=ETHERNET), Key(tunnel=openvswitch.TunnelKey(id=1))),
    ],
)
def test_a_key_that_the_kernel_takes(key: Key, mask: Key | None) -> None:
    seen: list[Flow] = []
    with serve(openvswitch.Conn, {"new_flow": seen.append, "put_flow": seen.append}) as ovs:
        flow = Flow(dp_ifindex=1, key=key, mask=mask, actions=())
        ovs.add_flow(flow)
        ovs.replace_flow(flow)
    assert seen == [flow, flow]


def test_what_requests_need() -> None:
    ovs: Any = openvswitch.Conn(Deferred())
    for verb, record, message in (
        (ovs.add_datapath, Datapath(), "a Datapath needs name= here"),
        (ovs.add_vport, Vport(name="v"), "a Vport needs dp_ifindex= here"),
        (ovs.add_flow, Flow(), "a Flow needs dp_ifindex=, key=, actions= here"),
        (ovs.execute, Packet(dp_ifindex=1), "a Packet needs packet=, key=, actions= here"),
    ):
        with pytest.raises(ValueError, match=message):
            verb(record)
    with pytest.raises(TypeError, match="want a Flow"):
        ovs.add_flow(Vport())
    deleted: list[Flow] = []
    with serve(openvswitch.Conn, {"del_flow": deleted.append, "put_limits": lambda limits: limits}) as served:
        with pytest.raises(ValueError, match="a Flow needs key= here"):  # the kernel would delete all
            served.delete_flow(Flow(dp_ifindex=1))
        for zone in (-2, 65536):
            with pytest.raises(ValueError, match=f"not {zone}"):
                served.set_limits([Limit(zone_id=zone, limit=1)])
        served.set_limits([Limit(zone_id=-1, limit=1)])
        assert deleted == []
        served.flush_flows(3)
    assert deleted == [Flow(dp_ifindex=3)]


def test_features_stay_where_a_request_does_not_name_them() -> None:
    before = Datapath(dp_ifindex=3, name="sw0", user_features=DatapathFeatures.UNALIGNED)
    functions = {"get_datapath": lambda _: before, "put_datapath": lambda request: request}
    with serve(openvswitch.Conn, functions) as ovs:
        assert ovs.set_datapath(Datapath(name="sw0", masks_cache_size=8)).user_features == DatapathFeatures.UNALIGNED
        assert ovs.set_datapath(Datapath(name="sw0", user_features=0)).user_features == 0


def test_each_operation_has_the_number_and_version_of_its_family() -> None:
    calls = openvswitch.Conn(Deferred())
    for call, name, version in (
        (calls.datapaths(), "ovs_datapath", 2),
        (calls.vports(dp_ifindex=1), "ovs_vport", 1),
        (calls.flows(dp_ifindex=1), "ovs_flow", 1),
        (calls.execute_packet(), "ovs_packet", 1),
        (calls.get_meter(), "ovs_meter", 1),
        (calls.get_limits(), "ovs_ct_limit", 1),
    ):
        assert call.address is not None
        assert (call.address.name, call.message.data[1]) == (name, version)
    flow = Flow(dp_ifindex=1, key=KEY, actions=())
    assert calls.add_flow(flow).message.header.flags & HeaderFlags.CREATE
    assert not calls.replace_flow(flow).message.header.flags & HeaderFlags.CREATE


def test_upcalls_of_a_test_double() -> None:
    miss = Packet(dp_ifindex=1, packet=b"frame", key=KEY, event=PacketCommand.MISS)
    with serve(openvswitch.Conn, {"upcalls": lambda: [miss]}) as ovs, ovs.upcalls() as stream:
        assert stream.pid == 0
        (found,) = stream
        assert (found.key, found.event) == (KEY, PacketCommand.MISS)
