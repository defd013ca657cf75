"""Headers of packets: fields of records that have a packet.

    class Packet(AttributeSet, Headers, header=NfGenMsg, packet=Source("payload", family="header.family")):
        payload: View = view(9)  # NFULA_PAYLOAD

    packet.src, packet.dst, packet.sport, packet.tcp_flags
    batch.select("src", "sport")

A part of a header is parsed in C from the packet's bytes when it is read. Nothing is copied or kept: records without
reads cost nothing. Parts are columns of a batch, too. They are no fields: constructors do not take them, `encode`,
`to_dict` and comparisons leave them out.

`Source` takes paths of fields: payload; family, an NFPROTO_*; protocol, an ETH_P_*; hook and link, for packets on the
egress hook. framed=True: the payload begins with a header of Ethernet, or with IP if its link has no headers. It needs
protocol.

A part that is not in the packet is None: the ports of an ICMP packet or of a fragment, or what lies behind the bytes
that were copied. IPv6 is followed through hop-by-hop, routing, destination and fragment options and AH, through 16
headers at most. One that contradicts itself, such as IPv4 with a length below that of its header, has no parts.
"""

from __future__ import annotations

from enum import KEEP, IntFlag
from typing import TYPE_CHECKING

from netlink._engine.packet import Part, Source, fix_checksums

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

__all__ = ["Headers", "IPFlag", "Source", "TCPFlag", "fix_checksums"]


class IPFlag(IntFlag, boundary=KEEP):
    """The flags of an IPv4 header (RFC 791), or the one of IPv6's fragment header."""

    MF = 1  # more fragments
    DF = 2  # do not fragment
    RF = 4  # reserved


class TCPFlag(IntFlag, boundary=KEEP):
    """The flags of a TCP header: RFC 9293, RFC 9768."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16
    URG = 32
    ECE = 64
    CWR = 128
    AE = 256


class Headers:
    """The second base of a declaration whose records have a packet: the parts of the packet's headers.

    The declaration says by `packet=Source(...)` where the packet is. A name that it uses itself stays its own.
    """

    __slots__ = ()

    src: Part[IPv4Address | IPv6Address | None] = Part("src")
    """The source address."""
    dst: Part[IPv4Address | IPv6Address | None] = Part("dst")
    """The destination address."""
    proto: Part[int | None] = Part("proto")
    """The protocol that IP carries, IPPROTO_* of linux/in.h; in IPv6 that behind the extension headers."""
    sport: Part[int | None] = Part("sport")
    """The source port of TCP, UDP, UDP-Lite, SCTP or DCCP."""
    dport: Part[int | None] = Part("dport")
    """The destination port of one of these."""
    icmp_type: Part[int | None] = Part("icmp_type")
    """The type of ICMP in IPv4 or of ICMPv6 in IPv6: their numbers differ."""
    icmp_code: Part[int | None] = Part("icmp_code")
    """The code of ICMP or ICMPv6."""
    icmp_id: Part[int | None] = Part("icmp_id")
    """The identifier of an ICMP query or its reply, such as echo."""
    icmp_seq: Part[int | None] = Part("icmp_seq")
    """The sequence number of an ICMP query or its reply."""
    icmp_mtu: Part[int | None] = Part("icmp_mtu")
    """The MTU in "fragmentation needed" or "packet too big", bytes."""
    tcp_flags: Part[TCPFlag | None] = Part("tcp_flags", enum=TCPFlag)
    """The flags of TCP."""
    tcp_seq: Part[int | None] = Part("tcp_seq")
    """The sequence number of TCP."""
    tcp_ack: Part[int | None] = Part("tcp_ack")
    """The acknowledgement number of TCP."""
    tcp_window: Part[int | None] = Part("tcp_window")
    """The window of TCP, not scaled."""
    tcp_urgent: Part[int | None] = Part("tcp_urgent")
    """The urgent pointer of TCP."""
    udp_length: Part[int | None] = Part("udp_length")
    """The length of the UDP header and its data, bytes."""
    spi: Part[int | None] = Part("spi")
    """The security parameters index of ESP or AH."""
    length: Part[int | None] = Part("length")
    """The length of the packet with its IP header, bytes: also if fewer were copied. None for segments of more than
    65,535 bytes that the kernel gives no length."""
    ttl: Part[int | None] = Part("ttl")
    """The time to live of IPv4, the hop limit of IPv6."""
    tos: Part[int | None] = Part("tos")
    """The byte with DSCP and ECN: the type of service of IPv4, the traffic class of IPv6."""
    flow_label: Part[int | None] = Part("flow_label")
    """The flow label of IPv6."""
    ip_id: Part[int | None] = Part("ip_id")
    """The identification of IPv4, or that of IPv6's fragment header."""
    ip_flags: Part[IPFlag | None] = Part("ip_flags", enum=IPFlag)
    """The flags for fragments."""
    frag_offset: Part[int | None] = Part("frag_offset")
    """The place of a fragment in its packet, bytes; 0 for the first fragment and for whole packets."""
