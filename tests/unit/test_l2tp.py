"""L2TP without a kernel: records from bytes made otherwise, and what requests have by default."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any

import pytest

from netlink.generic import l2tp
from netlink.generic.l2tp import Command, EncapType, L2SpecType, PwType, Session, Stats, Tunnel
from netlink.nltest import serve

SOFTLY = Tunnel(conn_id=1, peer_conn_id=2, saddr="127.0.0.1", daddr="127.0.0.2")


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data + bytes(-len(data) % 4)


def u16(value: int) -> bytes:
    return struct.pack("=H", value)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def u64(value: int) -> bytes:
    return struct.pack("=Q", value)


COUNTERS = b"".join(attribute(type_, u64(100 + type_)) for type_ in (1, 2, 3, 4, 5, 10, 11, 6, 7, 8))
COUNTED = Stats(
    tx_packets=101,
    tx_bytes=102,
    tx_errors=103,
    rx_packets=104,
    rx_bytes=105,
    rx_seq_discards=106,
    rx_oos_packets=107,
    rx_errors=108,
    rx_cookie_discards=110,
    rx_invalid=111,
)


def test_a_tunnel_is_what_the_kernel_sends() -> None:
    payload = attribute(7, b"\3") + attribute(9, u32(1)) + attribute(10, u32(2)) + attribute(17, u32(0))
    payload += attribute(2, u16(0)) + attribute(30, attribute(9, b"") + COUNTERS)
    four = payload + attribute(13, b"\1") + attribute(26, u16(1701)) + attribute(27, u16(1702))
    four += attribute(24, bytes([127, 0, 0, 1])) + attribute(25, bytes([127, 0, 0, 2]))
    tunnel = Tunnel.decode(four)
    assert tunnel == SOFTLY.replace(
        proto_version=3,
        debug=0,
        encap_type=EncapType.UDP,
        udp_csum=1,
        udp_sport=1701,
        udp_dport=1702,
        stats=COUNTED,
    )
    assert tunnel.unknown == ()
    six = Tunnel.decode(
        payload + attribute(33, b"") + attribute(31, bytes(15) + b"\1") + attribute(32, bytes(15) + b"\2")
    )
    assert (six.saddr, six.daddr) == (ip_address("::1"), ip_address("::2"))
    assert (six.udp_zero_csum6_tx, six.udp_zero_csum6_rx) == (True, None)


def test_a_session_is_what_the_kernel_sends() -> None:
    payload = attribute(9, u32(1)) + attribute(11, u32(10)) + attribute(10, u32(2)) + attribute(12, u32(20))
    payload += attribute(17, u32(0)) + attribute(1, u16(5)) + attribute(8, b"l2tpeth0\0") + attribute(15, b"1234")
    payload += attribute(16, b"12345678") + attribute(18, b"\1") + attribute(19, b"\0") + attribute(20, b"\1")
    payload += attribute(21, b"\1") + attribute(35, b"") + attribute(22, u64(50)) + attribute(30, COUNTERS)
    session = Session.decode(payload)
    assert session == Session(
        conn_id=1,
        peer_conn_id=2,
        session_id=10,
        peer_session_id=20,
        debug=0,
        pw_type=PwType.ETH,
        ifname="l2tpeth0",
        cookie=b"1234",
        peer_cookie=b"12345678",
        recv_seq=1,
        send_seq=0,
        lns_mode=1,
        using_ipsec=1,
        recv_timeout=50,
        stats=COUNTED,
    )
    assert session.unknown == ()
    assert attribute(5, b"\0") in Session(l2spec_type=L2SpecType.NONE).encode()


def test_what_requests_have_by_default() -> None:
    asked: list[Tunnel | Session] = []
    with serve(l2tp.Conn, {"new_tunnel": asked.append, "new_session": asked.append}) as l2:
        l2.create_tunnel(SOFTLY.replace(udp_csum=0))
        l2.create_tunnel(Tunnel(conn_id=1, peer_conn_id=2, fd=5, proto_version=2, encap_type=EncapType.IP, udp_csum=1))
        session = Session(conn_id=1, session_id=1, peer_session_id=1)
        l2.create_session(session)
        l2.create_session(session.replace(pw_type=PwType.PPP))
        assert asked == [
            SOFTLY.replace(proto_version=3, encap_type=EncapType.UDP),
            Tunnel(conn_id=1, peer_conn_id=2, fd=5, proto_version=2, encap_type=EncapType.IP, udp_csum=1),
            session.replace(pw_type=PwType.ETH),
            session.replace(pw_type=PwType.PPP),
        ]
        for name in ("conn_id", "peer_conn_id", "saddr", "daddr"):
            with pytest.raises(ValueError, match=f"^a tunnel needs {name}=$"):
                l2.create_tunnel(SOFTLY.replace(**{name: None}))
        for name in ("conn_id", "session_id", "peer_session_id"):
            with pytest.raises(ValueError, match=f"^a session needs {name}=$"):
                l2.create_session(session.replace(**{name: None}))
        with pytest.raises(ValueError, match="a tunnel needs conn_id=, peer_conn_id="):
            l2.create_tunnel(Tunnel(fd=3))
        other: Any = session
        with pytest.raises(TypeError, match="want a Tunnel, not Session"):
            l2.create_tunnel(other)
        with pytest.raises(TypeError, match="want a Session, not 5"):
            l2.create_session(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert len(asked) == 4


def test_each_kind_of_event_is_in_the_stream() -> None:
    kinds = {kind.type: (kind.declaration, kind.event) for kind in l2tp.Conn.listen.kinds}
    assert kinds == {
        command: (Session if "SESSION" in command.name else Tunnel, command)
        for command in Command
        if command.name.endswith(("CREATE", "MODIFY", "DELETE"))
    }
    items = [SOFTLY.replace(event=Command.TUNNEL_CREATE), Session(conn_id=1, event=Command.SESSION_CREATE)]
    with serve(l2tp.Conn, {"listen": lambda: items}) as l2, l2.listen() as events:
        assert [*events] == items
