"""Families of generic netlink without a kernel: their numbers, and records from bytes made otherwise."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from socket import AF_INET, AF_INET6
from types import ModuleType
from typing import Any

import pytest

from netlink import OpError
from netlink.generic import drop_monitor, l2tp, mptcp_pm, nbd, quota, tcp_metrics, wireguard
from netlink.generic.devlink import enums as devlink_enums
from netlink.generic.devlink import fmsg as devlink_fmsg
from netlink.generic.devlink import records as devlink_records
from netlink.generic.ipvs import records as ipvs
from netlink.generic.mptcp_pm import Address, AddressFlags, Endpoint, Event, EventFlags, EventType, Limits, Subflow
from netlink.generic.openvswitch import actions as ovs_actions
from netlink.generic.openvswitch import keys as ovs_keys
from netlink.generic.openvswitch import records as ovs_records
from netlink.generic.quota import QuotaType, QuotaWarning, WarningType
from netlink.generic.taskstats import records as taskstats
from netlink.generic.tcp_metrics import Metrics, Peer
from netlink.nltest import serve
from netlink.schema import AttributeSet
from probe import c_names, c_values

NESTED = 0x8000


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def u16(value: int) -> bytes:
    return struct.pack("=H", value)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def u64(value: int) -> bytes:
    return struct.pack("=Q", value)


# Numbers

# Names that the headers of Linux 5.10 do not have yet are no mistake; those that they have are all declared.
HEADERS: list[tuple[ModuleType, list[str], str]] = [
    (taskstats, ["linux/taskstats.h", "linux/acct.h"], r"TASKSTATS_(CMD|TYPE)_\w+|A(FORK|SU|COMPAT|CORE|XSIG|GROUP)"),
    (quota, ["linux/quota.h"], r"QUOTA_NL_\w+|(USR|GRP|PRJ)QUOTA"),
    (tcp_metrics, ["linux/tcp_metrics.h"], r"TCP_METRICS_(CMD|ATTR|A)_\w+"),
    (mptcp_pm, ["linux/mptcp.h"], r"MPTCP_PM_(CMD|ATTR|ADDR_ATTR|ADDR_FLAG|EV_FLAG)_\w+|MPTCP_(EVENT|ATTR)_\w+"),
    (
        ipvs,
        ["linux/ip_vs.h"],
        r"IPVS_(CMD|CMD_ATTR|SVC_ATTR|DEST_ATTR|DAEMON_ATTR|STATS_ATTR|INFO_ATTR)_\w+"
        r"|IP_VS_(SVC_F|STATE|CONN_F_TUNNEL_TYPE|TUNNEL_ENCAP_FLAG)_\w+"
        r"|IP_VS_CONN_F_(MASQ|LOCALNODE|TUNNEL|DROUTE|BYPASS)",
    ),
    (
        devlink_enums,
        ["linux/devlink.h"],
        r"DEVLINK_(CMD|PORT_TYPE|PORT_FLAVOUR|PORT_FN_\w*STATE|PORT_FN_CAP|PARAM|RELOAD|TRAP_ACTION|TRAP_TYPE)_\w+"
        r"|DEVLINK_(SB_POOL_TYPE|SB_THRESHOLD_TYPE|ESWITCH|RESOURCE_UNIT|RATE_TYPE|LINECARD|SELFTEST|DPIPE|FLASH)_\w+",
    ),
    (devlink_fmsg, ["linux/devlink.h"], r"DEVLINK_ATTR_FMSG_\w+"),
    (devlink_records, ["linux/devlink.h"], r"DEVLINK_(PORT_FN_|PORT_FUNCTION_|RATE_TC_)?ATTR_\w+"),
    (drop_monitor, ["linux/net_dropmon.h"], r"NET_DM_(CMD|ATTR|ALERT_MODE|ORIGIN)_\w+"),
    (l2tp, ["linux/l2tp.h"], r"L2TP_(CMD|ATTR|PWTYPE|ENCAPTYPE|L2SPECTYPE)_\w+"),
    (
        ovs_keys,
        ["linux/openvswitch.h", "linux/if_ether.h"],
        r"OVS_(KEY_ATTR|TUNNEL_KEY_ATTR|NSH_KEY_ATTR|FRAG_TYPE|CS_F)_\w+|ETH_P_(IP|ARP|RARP|8021Q|8021AD|IPV6|MPLS_\w+|NSH)",
    ),
    (
        ovs_actions,
        ["linux/openvswitch.h"],
        r"OVS_(ACTION|USERSPACE|SAMPLE|CT|NAT|CHECK_PKT_LEN|DEC_TTL|PSAMPLE)_ATTR_\w+|OVS_HASH_ALG_\w+",
    ),
    (
        ovs_records,
        ["linux/openvswitch.h"],
        r"OVS_(DP|VPORT|FLOW|PACKET|METER|CT_LIMIT)_(CMD|ATTR|F|TYPE)_\w+|OVS_(UFID_F|BAND_ATTR|VXLAN_EXT)_\w+"
        r"|OVS_(METER_BAND_TYPE|VPORT_UPCALL_ATTR|TUNNEL_ATTR)_\w+",
    ),
    (nbd, ["linux/types.h", "linux/nbd-netlink.h"], r"NBD_(CMD|ATTR|DEVICE|SOCK)_\w+"),
    (wireguard, ["linux/wireguard.h"], r"WG_CMD_\w+|WG(DEVICE|PEER|ALLOWEDIP)_[AF]_\w+"),
]
NOT_DECLARED = re.compile(
    r".*_(UNSPEC|MAX|PAD|GRP_NAME)|TASKSTATS_TYPE_NULL|QUOTA_NL_[AC]_MAX|MPTCP_PM_ADDR_FLAGS_MASK|MPTCP_PM_ENDPOINT_ADDR"
    r"|IP_VS_SVC_F_SCHED_\w+|IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM"
    # The kernel neither sends nor reads these.
    r"|OVS_KEY_ATTR_(PACKET_TYPE|ND_EXTENSIONS|TUNNEL_INFO)|OVS_PACKET_ATTR_UNUSED\d|OVS_CS_F_NAT_MASK"
    r"|DEVLINK_CMD_ESWITCH_MODE_[GS]ET|DEVLINK_(ATTR_)?(LINECARD|SELFTEST)\w*_(MAX|UNSPEC)"
    # Masks, bits of flags, sizes of steps, and the fields of headers that all drivers know.
    r"|DEVLINK_\w+_(BIT|VALID_MASK|ALPHA_MAX)|DEVLINK_DPIPE_FIELD_(ETHERNET|IPV4|IPV6)_\w+"
    # Fields of other modules, and attributes on the way to a field.
    r"|DEVLINK_ATTR_(FMSG|SELFTEST_ID)_\w+|DEVLINK_PORT_FN_ATTR_CAP_\w+"
    r"|DEVLINK_ATTR_((REMOTE_|DEV_)?(RELOAD_)?STATS|RELOAD_ACTION_INFO|PARAM_VALUES?(_LIST)?)"
    r"|L2TP_ATTR_(NONE|OFFSET|DATA_SEQ|L2SPEC_LEN|VLAN_ID|MTU|MRU|STATS_NONE)"
)


def declared_numbers(module: ModuleType) -> Iterator[tuple[str, int]]:
    """The UAPI names beside fields and members of enums, and their numbers."""
    assert module.__file__ is not None
    scope: Any = None
    text = Path(module.__file__).read_text(encoding="utf-8")
    for line in re.sub(r"\(\n {8}(.*)\n {4}\)  #", r"(\1)  #", text).splitlines():
        if match := re.match(r"class (\w+)", line):
            scope = getattr(module, match[1])
        if match := re.match(r"    (\w+)(?:: .*)? = .*?  # ((?:[A-Z][A-Z0-9_]+(?:, )?)+)(?:,|$)", line):
            names = match[2].rstrip(", ").split(", ")
            if issubclass(scope, AttributeSet):
                (first, _), *others = scope.__fields__[match[1]].types
                numbers = [*first, *(path[-1] for path, _ in others)]
                yield from zip(names, numbers, strict=True)
            else:
                (name,) = names
                yield name, int(scope[match[1]])


@pytest.mark.parametrize(("module", "headers", "pattern"), HEADERS, ids=lambda each: getattr(each, "__name__", ""))
def test_family_has_the_numbers_of_its_header(module: ModuleType, headers: list[str], pattern: str) -> None:
    found = [*declared_numbers(module)]
    wanted = dict(found)
    assert all(wanted[name] == number for name, number in found)
    known = c_names(headers, pattern)
    assert {name for name in known - wanted.keys() if not NOT_DECLARED.fullmatch(name)} == set()
    names = sorted(known & wanted.keys())
    assert len(names) > len(wanted) / 2
    assert c_values(headers, names) == {name: wanted[name] for name in names}


# Quotas


def test_a_warning_of_a_quota() -> None:
    payload = (
        attribute(1, u32(1))
        + attribute(2, u64(1000))
        + attribute(7, b"")
        + attribute(3, u32(4))
        + attribute(4, u32(8))
        + attribute(5, u32(17))
        + attribute(6, u64(1001))
    )
    warning = QuotaWarning.decode(payload)
    assert warning == QuotaWarning(
        type=QuotaType.GROUP, id=1000, warning=WarningType.BHARDWARN, dev_major=8, dev_minor=17, caused_id=1001
    )
    assert warning.unknown == ()
    with serve(quota.Conn, {"listen": lambda: [warning]}) as quotas, quotas.listen() as warnings:
        assert [*warnings] == [warning]


# TCP metrics


def test_metrics_of_a_peer() -> None:
    values = {1: 1, 2: 1, 3: 20, 4: 18, 5: 4, 6: 166, 7: 64}
    payload = (
        attribute(1, bytes([192, 0, 2, 1]))
        + attribute(11, bytes([192, 0, 2, 2]))
        + attribute(3, u64(1500))
        + attribute(5, struct.pack("=i", -2))
        + attribute(4, u32(77))
        + attribute(NESTED | 6, b"".join(attribute(type_, u32(value)) for type_, value in values.items()))
        + attribute(7, u16(1460))
        + attribute(8, u16(2))
        + attribute(9, u64(30))
        + attribute(10, b"cookie")
    )
    metrics = Metrics.decode(payload)
    assert metrics == Metrics(
        dst="192.0.2.1",
        src="192.0.2.2",
        age=1500,
        tw_tsval=77,
        tw_ts_stamp=-2,
        rtt_ms=1,
        rttvar_ms=1,
        ssthresh=20,
        cwnd=18,
        reordering=4,
        rtt_us=166,
        rttvar_us=64,
        fopen_mss=1460,
        fopen_syn_drops=2,
        fopen_syn_drop_ts=30,
        fopen_cookie=b"cookie",
    )
    assert (metrics.rtt, metrics.rttvar) == (0.02075, 0.016)
    old = metrics.replace(rtt_us=None, rttvar_us=None)  # before Linux 3.15
    assert (old.rtt, old.rttvar) == (0.125, 0.25)
    assert (Metrics().rtt, Metrics().rttvar) == (None, None)
    assert Metrics.decode(attribute(2, bytes(15) + b"\1")).dst == ip_address("::1")


def test_delete_takes_an_address_and_flush_none() -> None:
    removed: list[Peer] = []
    with serve(tcp_metrics.Conn, {"remove": removed.append}) as cache:
        for nothing in (None, ""):
            with pytest.raises(TypeError, match=r"delete takes an address, not .*; flush deletes all"):
                cache.delete(nothing)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        assert not removed
        cache.delete("2001:db8::1", "2001:db8::2")
        cache.delete(dst=ip_address("192.0.2.1"))
        cache.flush()
    assert removed == [Peer(dst="2001:db8::1", src="2001:db8::2"), Peer(dst="192.0.2.1"), Peer()]
    assert Peer().encode() == b""


# The path manager of MPTCP


def test_an_endpoint_is_one_nest() -> None:
    inner = (
        attribute(1, u16(AF_INET))
        + attribute(2, b"\7")
        + attribute(3, bytes([192, 0, 2, 1]))
        + attribute(5, u16(4444))
        + attribute(6, u32(6))
        + attribute(7, u32(3))
    )
    endpoint = Endpoint(
        family=AF_INET,
        id=7,
        addr="192.0.2.1",
        port=4444,
        flags=AddressFlags.SUBFLOW | AddressFlags.BACKUP,
        if_idx=3,
    )
    assert endpoint.encode() == attribute(NESTED | 1, inner)
    assert Endpoint.decode(attribute(1, inner)) == endpoint
    six = Endpoint(family=AF_INET6, addr="2001:db8::1")
    assert Endpoint.decode(six.encode()) == six
    assert attribute(4, ip_address("2001:db8::1").packed) in six.encode()


def test_a_request_about_a_subflow() -> None:
    address = Address(family=AF_INET, id=1, addr="192.0.2.1", port=1)
    payload = Subflow(local=address, token=5, loc_id=1, remote=Address(id=2)).encode()
    inner = (
        attribute(1, u16(AF_INET)) + attribute(2, b"\1") + attribute(3, bytes([192, 0, 2, 1])) + attribute(5, u16(1))
    )
    wanted = attribute(NESTED | 1, inner) + attribute(4, u32(5)) + attribute(5, b"\1")
    assert payload == wanted + attribute(NESTED | 6, attribute(2, b"\2"))
    assert Subflow.decode(payload).local == address


def test_an_event_has_ports_in_network_byte_order() -> None:
    payload = (
        attribute(1, u32(357264486))
        + attribute(2, u16(AF_INET))
        + attribute(3, b"\0")
        + attribute(4, b"\7")
        + attribute(5, bytes([127, 0, 0, 1]))
        + attribute(7, bytes([127, 0, 0, 3]))
        + attribute(9, b"\x12\x34")
        + attribute(10, b"\x56\x78")
        + attribute(11, b"\1")
        + attribute(12, b"\x6f")
        + attribute(13, u16(3))
        + attribute(14, u32(30))
        + attribute(15, u32(2))
        + attribute(16, u32(3))
        + attribute(17, u32(1))
        + attribute(18, b"\1")
    )
    event = Event.decode(payload)
    assert event == Event(
        token=357264486,
        family=AF_INET,
        loc_id=0,
        rem_id=7,
        src="127.0.0.1",
        dst="127.0.0.3",
        src_port=0x1234,
        dst_port=0x5678,
        backup=1,
        error=111,
        flags=EventFlags.DENY_JOIN_ID0 | EventFlags.SERVER_SIDE,
        timeout=30,
        if_idx=2,
        reset_reason=3,
        reset_flags=1,
        server_side=1,
    )
    assert (event.unknown, event.event) == ((), None)


def test_each_kind_of_event_is_in_the_stream() -> None:
    kinds = {kind.type: kind.event for kind in mptcp_pm.Conn.listen.kinds}
    assert kinds == {kind: kind for kind in EventType}
    assert mptcp_pm.Conn.listen.groups == ("mptcp_pm_events",)


def test_endpoints_of_a_double() -> None:
    there = {1: Endpoint(family=AF_INET, id=1, addr="192.0.2.1")}

    def get(request: Endpoint) -> Endpoint:
        if request.id not in there:
            raise OSError(22, "Invalid argument")
        return there[request.id]

    operations = {"get": get, "dump": lambda: there.values(), "get_limits": lambda: Limits(subflows=2)}
    with serve(mptcp_pm.Conn, operations) as pm:
        assert pm.get(id=1).addr == ip_address("192.0.2.1")
        assert [endpoint.id for endpoint in pm.dump()] == [1]
        assert pm.get_limits() == Limits(subflows=2)
        with pytest.raises(OpError, match="there is no endpoint of that id"):
            pm.get(id=2)
