"""sock_diag without a kernel: its numbers and layouts, filters and their bytecode, what is refused, connections."""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
import threading
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink import OpError, nltest, sock_diag
from netlink.match import ManyNumbers, numbers
from netlink.schema import AttributeSet, Struct
from netlink.sock_diag import (
    Address,
    Connection,
    EndedSocket,
    Filter,
    Include,
    InetSocket,
    MPTCPInfo,
    MPTCPSocket,
    Protocol,
    RawSocket,
    SockOption,
    SockOptions,
    State,
    States,
    TCPInfo,
    TCPSocket,
    UDPSocket,
    UnixSocket,
    records,
)
from netlink.sock_diag import filter as filters
from netlink.sock_diag.filter import bytecode
from probe import c_layout, c_names, c_values

HEADERS = [
    "netinet/in.h",
    "linux/sock_diag.h",
    "linux/inet_diag.h",
    "linux/unix_diag.h",
    "linux/packet_diag.h",
    "linux/netlink_diag.h",
    "linux/xdp_diag.h",
    "linux/tls.h",
    "linux/mptcp.h",
]
PRELUDE = "#include <stdint.h>\n#include <sys/socket.h>"  # linux/sctp.h does not include them
FAMILY = int(socket.AF_INET)
BOTH = (socket.AF_INET, socket.AF_INET6)


# Numbers and layouts


def named_numbers(module: Any) -> dict[str, int]:
    """The UAPI names beside fields and members of enums, and their numbers."""
    found: dict[str, int] = {}
    scope: Any = None
    for line in Path(module.__file__).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"class (\w+)", line):
            scope = getattr(module, match[1])
        match = re.match(r"    (\w+)(?:: .*)? = .*?  # ([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:,|$)", line)
        if match and isinstance(scope, type) and issubclass(scope, AttributeSet):
            if match[1] in scope.__header_fields__:
                continue  # of another header's names
            found[match[2]] = scope.__fields__[match[1]].types[0][0][-1]
        elif match and not (isinstance(scope, type) and issubclass(scope, Struct)):
            found[match[2]] = int(scope[match[1]])
    return found


def test_numbers_are_those_of_the_headers() -> None:
    wanted = named_numbers(records) | named_numbers(filters)
    pattern = (
        r"(INET|UNIX|PACKET|NETLINK|XDP)_DIAG_\w+|INET_DIAG_(REQ|BC)_\w+|[UN]DIAG_(SHOW|FLAG)_\w+|(PACKET|XDP)_SHOW_\w+|"
        r"PDI_\w+|TLS_INFO_\w+|INET_ULP_INFO_\w+|MPTCP_SUBFLOW_(FLAG|ATTR)_\w+|MPTCP_INFO_FLAG_\w+|"
        r"SK_DIAG_BPF_STORAGE\w*|SOCK_DIAG_BY_FAMILY|SOCK_DESTROY|TCPDIAG_GETSOCK|IPPROTO_\w+"
    )
    known = c_names(HEADERS, pattern)
    names = sorted(known & wanted.keys())
    assert c_values(HEADERS, names) == {name: wanted[name] for name in names}
    assert len(names) > 100
    left = re.compile(
        r".*_(UNSPEC|NONE|MAX|PAD|NOCOOKIE)|IPPROTO_\w+|SK_DIAG_BPF_STORAGE(_REQ_NONE|_REP_NONE)?|"
        r"MPTCP_INFO_FLAG_\w+|INET_DIAG_GETSOCK_MAX"
    )
    assert {name for name in known - wanted.keys() if not left.fullmatch(name)} == set()
    for name, bit in (("MEMINFO", 1), ("INFO", 2), ("VEGASINFO", 3), ("CONG", 4), ("TOS", 5), ("TCLASS", 6)):
        here = {"VEGASINFO": "CONGESTION_INFO", "CONG": "CONGESTION"}.get(name, name)
        assert c_values(HEADERS, [f"INET_DIAG_{name}"]) == {f"INET_DIAG_{name}": bit}
        assert Include[here] == 1 << bit - 1
    assert c_values(HEADERS, ["INET_DIAG_SKMEMINFO"])["INET_DIAG_SKMEMINFO"] - 1 == int(Include.MEMORY).bit_length() - 1


LAYOUTS: list[tuple[str, str, str]] = [
    ("TCPInfo", "struct tcp_info", "linux/tcp.h"),
    ("MD5Key", "struct tcp_diag_md5sig", "linux/tcp.h"),
    ("MPTCPInfo", "struct mptcp_info", "linux/mptcp.h"),
    ("SCTPInfo", "struct sctp_info", "linux/sctp.h"),
    ("Vegas", "struct tcpvegas_info", "linux/inet_diag.h"),
    ("DCTCP", "struct tcp_dctcp_info", "linux/inet_diag.h"),
    ("BBR", "struct tcp_bbr_info", "linux/inet_diag.h"),
    ("MemInfo", "struct inet_diag_meminfo", "linux/inet_diag.h"),
    ("VFS", "struct unix_diag_vfs", "linux/unix_diag.h"),
    ("Queues", "struct unix_diag_rqlen", "linux/unix_diag.h"),
    ("PacketInfo", "struct packet_diag_info", "linux/packet_diag.h"),
    ("PacketMembership", "struct packet_diag_mclist", "linux/packet_diag.h"),
    ("PacketRing", "struct packet_diag_ring", "linux/packet_diag.h"),
    ("NetlinkRing", "struct netlink_diag_ring", "linux/netlink_diag.h"),
    ("XDPStats", "struct xdp_diag_stats", "linux/xdp_diag.h"),
]


@pytest.mark.parametrize(("name", "struct_", "header"), LAYOUTS, ids=[name for name, _, _ in LAYOUTS])
def test_structs_have_the_layout_of_the_header(name: str, struct_: str, header: str) -> None:
    cls = getattr(records, name)
    source = Path(records.__file__).read_text(encoding="utf-8").split(f"class {name}(")[1].split("\nclass ")[0]
    fields = {match[1]: match[2] for match in re.finditer(r"    (\w+): .*?  # ([a-z]+\w*_\w+)(?=[,;\n])", source)}
    fields = {ours: theirs for ours, theirs in fields.items() if ours not in ("wscale", "app_limited", "accecn")}
    text = Path("/usr/include", header)
    if not text.exists():
        pytest.skip(f"{header} is not in /usr/include")
    known = set(re.findall(r"\w+", text.read_text(encoding="utf-8")))
    there = {ours: theirs for ours, theirs in fields.items() if theirs in known}  # later kernels have more
    assert len(there) > len(fields) / 2
    layout = c_layout([header], {struct_: [*there.values()]}, PRELUDE)[struct_]
    for ours, theirs in there.items():
        assert (cls.__fields__[ours].at, ours) == (layout.fields[theirs].offset, ours)
        if cls.__fields__[ours].cls is None:
            assert cls.__fields__[ours].size in (layout.fields[theirs].size, 17)  # an address


@pytest.mark.parametrize(
    ("header", "struct_", "name"),
    [
        ("linux/inet_diag.h", "struct inet_diag_msg", "InetDiagMsg"),
        ("linux/inet_diag.h", "struct inet_diag_req_v2", "InetDiagReq"),
        ("linux/inet_diag.h", "struct inet_diag_req", "InetDiagReqBoth"),
        ("linux/unix_diag.h", "struct unix_diag_msg", "UnixDiagMsg"),
        ("linux/unix_diag.h", "struct unix_diag_req", "UnixDiagReq"),
        ("linux/packet_diag.h", "struct packet_diag_msg", "PacketDiagMsg"),
        ("linux/packet_diag.h", "struct packet_diag_req", "ShowReq"),
        ("linux/netlink_diag.h", "struct netlink_diag_msg", "NetlinkDiagMsg"),
        ("linux/netlink_diag.h", "struct netlink_diag_req", "ShowReq"),
        ("linux/vm_sockets_diag.h", "struct vsock_diag_msg", "VsockDiagMsg"),
        ("linux/vm_sockets_diag.h", "struct vsock_diag_req", "UnixDiagReq"),
        ("linux/xdp_diag.h", "struct xdp_diag_msg", "XDPDiagMsg"),
        ("linux/xdp_diag.h", "struct xdp_diag_req", "ShowReq"),
        ("linux/xdp_diag.h", "struct xdp_diag_umem", "XDPUmem"),
        ("linux/inet_diag.h", "struct inet_diag_hostcond", "_HostCond"),
    ],
)
def test_headers_have_the_size_of_the_header(header: str, struct_: str, name: str) -> None:
    cls = getattr(records, name, None) or getattr(filters, name)
    full = cls(**{field: 1 for field, of in cls.__fields__.items() if field not in ("src", "dst")})
    wire = full.encode()
    assert len(wire) == c_layout([header], {struct_: []})[struct_].size


def test_structs_of_older_and_newer_kernels() -> None:
    old = TCPInfo.decode(bytes([1, 0, 0, 0, 0, 0, 0x7A, 1]) + struct.pack("=24I", *range(24)))
    assert (old.state, old.rto, old.total_retrans, old.pacing_rate, old.accecn) == (
        State.ESTABLISHED,
        0,
        23,
        None,
        None,
    )
    assert (old.snd_wscale, old.rcv_wscale) == (10, 7)
    assert (old.delivery_rate_app_limited, old.fastopen_client_fail) == (True, 0)
    new = TCPInfo.decode(bytes(280) + b"later")
    assert (new.accecn, new.total_rto_time) == (0, 0)
    assert SockOptions.decode(b"\x12\x04").flags == SockOption.IS_ICSK | SockOption.MC_LOOP | SockOption.DEFER_CONNECT


# Filters


def run(code: bytes, one: InetSocket) -> bool:
    """Whether the kernel takes a socket: what inet_diag_bc_run and inet_diag_bc_audit of net/ipv4/inet_diag.c do."""
    at = 0
    starts = []
    while at < len(code):  # the audit
        starts.append(at)
        op, yes, no = struct.unpack_from("=BBH", code, at)
        assert yes >= 4
        assert yes % 4 == 0
        assert at + yes <= len(code)
        assert no >= yes
        assert no % 4 == 0
        assert at + no <= len(code) + 4
        at += yes
    starts.append(len(code))
    assert at == len(code)
    at = 0
    while at < len(code):
        assert at in starts
        op, yes, no = struct.unpack_from("=BBH", code, at)
        argument = code[at + 4 : at + yes]
        port = (one.src_port if op in (2, 3, 7) else one.dst_port) or 0
        address = one.src if op in (2, 3, 7) else one.dst
        assert address is not None
        if op == 1:
            holds = False
        elif op in (2, 4):
            holds = port >= struct.unpack("=xxH", argument)[0]
        elif op in (3, 5):
            holds = port <= struct.unpack("=xxH", argument)[0]
        elif op in (7, 8):
            family, prefix, of_port = struct.unpack_from("=BBxxi", argument)
            network = ip_network((argument[8:], prefix))
            plain = getattr(address, "ipv4_mapped", None) if family == FAMILY else None
            holds = of_port in (-1, port) and (plain or address) in network
        elif op == 9:
            holds = struct.unpack("=I", argument)[0] == one.interface
        elif op == 10:
            mark, mask = struct.unpack("=II", argument)
            holds = (one.mark or 0) & mask == mark
        else:
            assert op == 13
            holds = struct.unpack("=Q", argument)[0] == (one.cgroup_id or 0)
        at += yes if holds else no
    return at == len(code)


ADDRESSES = ("192.0.2.1", "192.0.2.77", "10.0.0.1", "::ffff:192.0.2.1", "::ffff:10.0.0.1", "2001:db8::1", "::1")
NETWORKS = ("192.0.2.0/24", "192.0.2.1", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "::ffff:0:0/96", "::/0", "::1")
PORTS = (0, 1, 22, 80, 443, 65535)


@st.composite
def sockets(draw: st.DrawFn) -> TCPSocket:
    family = draw(st.sampled_from(BOTH))
    version = 4 if family == socket.AF_INET else 6
    address = st.sampled_from([one for one in ADDRESSES if ip_address(one).version == version])
    return TCPSocket(
        family=family,
        src=draw(address),
        dst=draw(address),
        src_port=draw(st.sampled_from(PORTS)),
        dst_port=draw(st.sampled_from(PORTS)),
        interface=draw(st.sampled_from((0, 1, 7))),
        uid=draw(st.sampled_from((0, 1000))),
        mark=draw(st.sampled_from((None, 0, 1, 3))),
        cgroup_id=draw(st.sampled_from((None, 1, 1 << 40))),
    )


ports = st.one_of(
    st.sampled_from(PORTS),
    st.sampled_from((range(1, 100), range(443, 444))),
    st.lists(st.sampled_from(PORTS), min_size=1, max_size=4),
)
hosts = st.one_of(st.sampled_from(NETWORKS), st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=4))
plain = st.fixed_dictionaries(
    {},
    optional={
        "src": hosts,
        "dst": hosts,
        "src_port": ports,
        "dst_port": ports,
        "interface": st.sampled_from((0, 1)),
        "uid": st.sampled_from((0, 1000)),
        "mark": st.sampled_from((1, 3)),
        "cgroup": st.sampled_from((1, 1 << 40)),
    },
).map(lambda given: Filter(**given))
wanted = st.builds(lambda one, others: Filter(**one.given, exclude=others or None), plain, st.lists(plain, max_size=3))


def by_hand(one: InetSocket, of: Filter) -> bool:
    def host(address: Any, networks: Any) -> bool:
        mapped = getattr(address, "ipv4_mapped", None)
        return any(address in network or (mapped is not None and mapped in network) for network in networks)

    def number(value: Any, ranges: Any) -> bool:
        return any(value in one if isinstance(one, range) else value == one for one in ranges)

    given = of.given
    return (
        all(host(getattr(one, name), given[name]) for name in ("src", "dst") if name in given)
        and all(number(getattr(one, name), given[name]) for name in ("src_port", "dst_port", "uid") if name in given)
        and one.interface == given.get("interface", one.interface)
        and (one.mark or 0) & given.get("mark_mask", 0) == given.get("mark", 0)
        and (one.cgroup_id or 0) == given.get("cgroup", one.cgroup_id or 0)
        and not any(by_hand(one, other) for other in given.get("exclude", ()))
    )


@given(wanted, sockets())
def test_a_filter_does_what_it_says_here_and_in_the_kernel(of: Filter, one: TCPSocket) -> None:
    matches = of.matches(one)
    assert matches == by_hand(one, of)
    code = bytecode(of)
    kernels = [one for one in (of, *of.exclude) if "uid" in one.given]
    if code is not None:
        # Never less than the match takes, and exactly that if the kernel has all criteria.
        assert run(code, one) >= matches
        if not kernels:
            assert run(code, one) == matches
    elif not kernels:
        assert not of.given


def test_what_a_filter_is_not() -> None:
    assert bytecode(Filter()) is None
    assert bytecode(Filter(uid=0)) is None
    assert bytecode(Filter(src=[f"10.{i // 256}.{i % 256}.1" for i in range(6000)])) is None  # too long
    for wrong in ({"src": "nowhere"}, {"src_port": 70000}, {"mark_mask": 1}, {"cgroup": -1}, {"dst": ()}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Filter(**wrong)
    with pytest.raises(TypeError):
        Filter(colour=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="sockets of internet protocols"):
        Filter().matches(UnixSocket())  # type: ignore[arg-type]
    assert repr(Filter(dst="192.0.2.0/24", dst_port=[22, range(80, 90)])) == (
        "Filter(dst_port=(22, range(80, 90)), dst='192.0.2.0/24')"
    )


def test_a_filter_with_criteria_of_its_own() -> None:
    class Slow(Filter, declaration=TCPSocket):
        rtt: ManyNumbers = numbers("info.rtt", 0xFFFFFFFF)

    slow = Slow(rtt=range(1000, 2000), dst_port=22)
    one = TCPSocket(family=2, src="192.0.2.1", dst="192.0.2.2", dst_port=22, info=TCPInfo(rtt=1500))
    assert slow.matches(one)
    assert not slow.matches(one.replace(info=TCPInfo(rtt=2000)))
    assert not slow.matches(one.replace(info=None))
    assert bytecode(slow) == bytecode(Filter(dst_port=22))


# Requests


class Kernel:
    """A double that keeps the requests."""

    def __init__(self, *answers: Any) -> None:
        self.requests: list[Any] = []
        self.answers = list(answers)

    def __call__(self, request: Any) -> Any:
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else []


CONNECTED = TCPSocket(
    family=2, state=State.ESTABLISHED, src="192.0.2.1", src_port=5000, dst="192.0.2.2", dst_port=22, cookie=77, inode=5
)
LISTENING = TCPSocket(family=2, state=State.LISTEN, src="0.0.0.0", src_port=22, dst="0.0.0.0", cookie=78)


def test_both_address_families_of_tcp_are_one_dump() -> None:
    both, one = Kernel([CONNECTED, LISTENING]), Kernel([CONNECTED])
    with nltest.serve(sock_diag.Conn, {"dump_tcp_both": both, "dump_tcp": one}) as diag:
        assert [*diag.tcp(States.ALL)] == [CONNECTED, LISTENING]
        assert [*diag.tcp(family=socket.AF_INET, filter=Filter(dst_port=[22, 23]))] == [CONNECTED]
    assert both.requests[0].bytecode is None
    assert (one.requests[0].family, one.requests[0].protocol) == (2, Protocol.TCP)
    assert run(one.requests[0].bytecode, CONNECTED)


def test_the_match_is_applied_to_what_a_kernel_did_not_filter() -> None:
    with nltest.serve(sock_diag.Conn, {"dump_tcp_both": lambda request: [CONNECTED, LISTENING]}) as diag:
        assert [*diag.tcp(filter=Filter(dst_port=22))] == [CONNECTED]
        assert [*diag.tcp(filter=Filter(exclude=Filter(dst_port=22)))] == [LISTENING]


def test_other_protocols_are_a_dump_of_each_address_family() -> None:
    udp, mptcp = Kernel([UDPSocket(family=2)], [UDPSocket(family=10)]), Kernel([], [MPTCPSocket(family=10)])
    with nltest.serve(sock_diag.Conn, {"dump_udp": udp, "dump_mptcp": mptcp}) as diag:
        assert [one.family for one in diag.udp()] == [2, 10]
        assert [one.family for one in diag.mptcp()] == [10]
        assert [*diag.udp(family=socket.AF_INET6)] == []
    assert [request.family for request in udp.requests] == [2, 10, 10]
    # 262 in 8 bits is 6: the sockets of TCP.
    assert [(one.protocol, one.wide_protocol) for one in mptcp.requests] == [(255, 262), (255, 262)]


def test_get_finds_no_listener_instead_of_a_connection() -> None:
    with nltest.serve(sock_diag.Conn, {"get_tcp": lambda request: LISTENING}) as diag:
        with pytest.raises(FileNotFoundError, match=r"found another one: 0\.0\.0\.0 port 22"):
            diag.get(TCPSocket(family=2, src="192.0.2.1", src_port=22, dst="192.0.2.9", dst_port=9))
        assert diag.get(LISTENING) == LISTENING


def test_the_addresses_of_a_request_for_udp_are_the_other_way_round() -> None:
    udp = UDPSocket(family=2, src="192.0.2.1", src_port=53, dst="192.0.2.9", dst_port=9)
    kernel, end = Kernel(udp), Kernel(None)
    with nltest.serve(sock_diag.Conn, {"get_udp": kernel, "end_socket": end}) as diag:
        assert diag.get(udp) == udp
        diag.destroy(udp.replace(cookie=5))
    assert (str(kernel.requests[0].src), kernel.requests[0].src_port) == ("192.0.2.9", 9)
    assert (str(end.requests[0].src), end.requests[0].src_port) == ("192.0.2.1", 53)


def test_a_socket_with_another_cookie_is_another_one() -> None:
    """The kernel does not look at the cookie of a raw socket."""
    none = {"src": "0.0.0.0", "dst": "0.0.0.0"}
    raw = RawSocket(family=2, state=State.CLOSE, src_port=1, protocol=1, cookie=5, **none)
    kernel = Kernel(raw, raw.replace(cookie=6))
    with nltest.serve(sock_diag.Conn, {"get_raw": kernel}) as diag:
        assert diag.get(raw) == raw
        with pytest.raises(FileNotFoundError, match="found another one"):
            diag.get(raw)
        with pytest.raises(TypeError, match="a raw socket cannot be ended"):
            diag.destroy(raw, listener=True)
    assert [(one.protocol, one.raw_protocol, one.cookie) for one in kernel.requests] == [(255, 1, 5)] * 2


def test_one_of_multipath_tcp_is_found_by_its_token() -> None:
    ends = {"src": "192.0.2.1", "src_port": 1, "dst": "192.0.2.2", "dst_port": 2}
    one = MPTCPSocket(family=2, cookie=5, info=MPTCPInfo(token=77), **ends)
    kernel = Kernel(one)
    with nltest.serve(sock_diag.Conn, {"get_mptcp": kernel}) as diag:
        assert diag.get(one) == one
        for none in (one.replace(info=None), one.replace(info=MPTCPInfo(token=0))):
            with pytest.raises(ValueError, match=r"info\.token"):
                diag.get(none)
    assert [(request.wide_protocol, request.cookie) for request in kernel.requests] == [(262, 77)]


def test_destroy_needs_to_know_which_socket() -> None:
    kernel = Kernel(None, None)
    with nltest.serve(sock_diag.Conn, {"end_socket": kernel}) as diag:
        for cookie in (None, 0, (1 << 64) - 1):
            with pytest.raises(ValueError, match="cookie"):
                diag.destroy(TCPSocket(family=2, src_port=1, dst_port=2, cookie=cookie))
        for one in (LISTENING, TCPSocket(family=2, src_port=22, cookie=1), UDPSocket(family=2, src_port=1, cookie=1)):
            with pytest.raises(ValueError, match="listener=True"):
                diag.destroy(one)
        assert not kernel.requests
        diag.destroy(CONNECTED)
        diag.destroy(LISTENING, listener=True)
        assert [request.cookie for request in kernel.requests] == [77, 78]
        with pytest.raises(TypeError, match="TCPSocket, UDPSocket"):
            diag.destroy(EndedSocket(family=2, src_port=1, dst_port=2, cookie=1))
        with pytest.raises(ValueError, match="AF_INET or AF_INET6"):
            diag.destroy(TCPSocket(src_port=1, dst_port=2, cookie=1))


def test_wrong_arguments_are_refused() -> None:
    with nltest.serve(sock_diag.Conn, {}) as diag:
        calls = diag.calls
        for wrong in (lambda: calls.tcp(1 << 20), lambda: calls.tcp(-1), lambda: calls.tcp(include=0x100)):
            with pytest.raises(ValueError, match="bits that the kernel does not have"):
                wrong()
        for call in (lambda: calls.tcp(True), lambda: calls.unix(include="all"), lambda: calls.udp(include=None)):
            with pytest.raises(TypeError, match="must be flags"):
                call()
        with pytest.raises(ValueError, match="family must be AF_INET"):
            calls.tcp(family=socket.AF_UNIX)
        with pytest.raises(TypeError, match=r"must be a sock_diag\.Filter"):
            calls.tcp(filter="sport = 22")
        with pytest.raises(ValueError, match="kind must be one of all, inet"):
            diag.connections("tcp5")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="is not 0"):
            calls.get_unix_socket(0)
    for wrong_listen in ({"tcp": False}, {"filter": Filter(mark=1)}, {"family": 1}, {"on_overrun": "resync"}):
        with pytest.raises(ValueError):  # noqa: PT011 - each its own
            sock_diag.listen(**wrong_listen)
    with pytest.raises(TypeError):
        sock_diag.listen(filter=1)  # type: ignore[call-overload]


def test_what_the_kernel_lacks_is_said() -> None:
    def none(request: Any) -> Any:
        raise OSError(2, "No such file or directory")

    with nltest.serve(sock_diag.Conn, {"dump_raw": none, "dump_xdp": none}) as diag:
        with pytest.raises(FileNotFoundError, match="CONFIG_INET_RAW_DIAG"):
            diag.raw()
        with pytest.raises(OpError, match="CONFIG_XDP_SOCKETS_DIAG"):
            diag.xdp()


# Connections


def test_connections_in_the_shape_of_psutil() -> None:
    header = {"family": 2, "state": State.ESTABLISHED, "src": "192.0.2.1", "src_port": 5, "inode": 0}
    tcp = [
        sock_diag.Endpoint(**header, dst="192.0.2.2", dst_port=22),
        sock_diag.Endpoint(**header | {"state": State.NEW_SYN_RECV}, dst="0.0.0.0"),
    ]
    udp = [sock_diag.Endpoint(family=10, state=State.CLOSE, src="::1", src_port=53, dst="::", inode=0)]
    unix = [UnixSocket(type=1, name=b"\0abstract", inode=9), UnixSocket(type=2, name=b"/a b\0"), UnixSocket(type=5)]
    answers = {
        "dump_tcp_endpoints": lambda request: tcp,
        "dump_endpoints": lambda request: udp if request.family == 10 else [],
        "dump_unix": lambda request: unix,
    }
    with nltest.serve(sock_diag.Conn, answers) as diag:
        assert diag.connections("all", processes=False) == [
            Connection(
                -1,
                socket.AF_INET,
                socket.SOCK_STREAM,
                Address("192.0.2.1", 5),
                Address("192.0.2.2", 22),
                "ESTABLISHED",
                None,
            ),
            Connection(-1, socket.AF_INET, socket.SOCK_STREAM, Address("192.0.2.1", 5), (), "SYN_RECV", None),
            Connection(-1, socket.AF_INET6, socket.SOCK_DGRAM, Address("::1", 53), (), "NONE", None),
            Connection(-1, socket.AF_UNIX, socket.SOCK_STREAM, "@abstract", "", "NONE", None),
            Connection(-1, socket.AF_UNIX, socket.SOCK_DGRAM, "/a b", "", "NONE", None),
            Connection(-1, socket.AF_UNIX, socket.SOCK_SEQPACKET, "", "", "NONE", None),
        ]
        first = diag.connections("tcp", processes=False)[0]
    assert first.laddr.ip == "192.0.2.1"  # type: ignore[union-attr]
    assert type(first.family) is socket.AddressFamily


def test_owners_of_a_procfs(tmp_path: Path) -> None:
    links = {
        ("7", "0"): "socket:[100]",
        ("7", "12"): "socket:[101]",
        ("7", "3"): "/dev/null",
        ("30", "4"): "socket:[100]",
        ("30", "5"): "socket:[]",
        ("30", "6"): "socket:[12x]",
        ("30", "7"): "x" * 100,
        ("x1", "8"): "socket:[102]",
        ("31", "y"): "socket:[103]",
    }
    for (pid, fd), link in links.items():
        (tmp_path / pid / "fd").mkdir(parents=True, exist_ok=True)
        (tmp_path / pid / "fd" / fd).symlink_to(link)
    (tmp_path / "99").mkdir()
    found = sock_diag.processes.Owners(proc=str(tmp_path))
    assert found.by_inode() == {100: [(7, 0), (30, 4)], 101: [(7, 12)]}
    assert len(found) == 3
    assert sock_diag.processes.Owners([30, 30, 12345], proc=str(tmp_path)).by_inode() == {100: [(30, 4)]}
    with pytest.raises(FileNotFoundError):
        sock_diag.processes.Owners(proc=str(tmp_path / "nothing"))
    with pytest.raises(OverflowError):
        sock_diag.owners([1 << 40])
    with pytest.raises(TypeError):
        sock_diag.owners(["1"])  # type: ignore[list-item]


@pytest.mark.parametrize("processors", [1, 2])
def test_owners_of_many(tmp_path: Path, processors: int) -> None:
    """Threads share what is long, in one process or in many: each descriptor is found once."""
    sizes = {1: 10, 2: 3000, 3: 0, 4: 1, **dict.fromkeys(range(5, 105), 20), 105: 2000}
    wanted: dict[int, list[tuple[int, int]]] = {}
    for pid, size in sizes.items():
        folder = tmp_path / str(pid) / "fd"
        folder.mkdir(parents=True)
        for fd in range(size):
            ino = 10_000 * pid + fd // 2
            os.symlink(f"socket:[{ino}]", folder / str(fd))
            wanted.setdefault(ino, []).append((pid, fd))
    here = os.sched_getaffinity(0)
    if processors == 1:
        os.sched_setaffinity(0, {min(here)})
    try:
        assert sock_diag.processes.Owners(proc=str(tmp_path)).by_inode() == wanted
    finally:
        os.sched_setaffinity(0, here)


def test_a_search_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(search: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    with socket.socket() as sock:
        ino = os.fstat(sock.fileno()).st_ino
        assert sock_diag.processes.Search().owners().by_inode()[ino] == [(os.getpid(), sock.fileno())]


def test_an_error_of_a_search_is_of_who_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise PermissionError(errno.EACCES, "no procfs")

    monkeypatch.setattr(sock_diag.processes, "Owners", refuse)
    search = sock_diag.processes.Search()
    with pytest.raises(PermissionError, match="no procfs"):
        search.owners()


def test_a_header_with_a_family_alone_has_addresses_of_that_family() -> None:
    socket = TCPSocket(family=2, src_port=1, cookie=1)
    assert socket.src == ip_address("0.0.0.0")
    assert socket.replace(cookie=2) == TCPSocket(family=2, src_port=1, cookie=2)
    assert TCPSocket(family=10, src_port=1).dst == ip_address("::")
