"""Encapsulations of routes: lightweight tunnels, linux/lwtunnel.h and the headers of each."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Int,
    IPv4,
    IPv6,
    Items,
    Member,
    Str,
    Struct,
    be16,
    be32,
    be64,
    binary,
    ipv4,
    ipv6,
    nested,
    packed,
    repeated,
    s32,
    string,
    u8,
    u32,
    u64,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CASES",
    "BPFEncap",
    "BPFProgram",
    "EncapType",
    "ErspanOptions",
    "GeneveOption",
    "ILAEncap",
    "IOAM6Encap",
    "IOAM6Mode",
    "IP6Encap",
    "IPEncap",
    "MPLSEncap",
    "RPLEncap",
    "Seg6Action",
    "Seg6Counters",
    "Seg6Encap",
    "Seg6Flavors",
    "Seg6LocalEncap",
    "Seg6Mode",
    "SegmentHeader",
    "TunnelFlags",
    "TunnelOptions",
    "VXLANOptions",
    "XfrmEncap",
    "labels_of",
    "stack_of",
]


class EncapType(IntEnum):
    """Kinds of encapsulation (LWTUNNEL_ENCAP_*)."""

    NONE = 0  # LWTUNNEL_ENCAP_NONE
    MPLS = 1  # LWTUNNEL_ENCAP_MPLS
    IP = 2  # LWTUNNEL_ENCAP_IP
    ILA = 3  # LWTUNNEL_ENCAP_ILA
    IP6 = 4  # LWTUNNEL_ENCAP_IP6
    SEG6 = 5  # LWTUNNEL_ENCAP_SEG6
    BPF = 6  # LWTUNNEL_ENCAP_BPF
    SEG6_LOCAL = 7  # LWTUNNEL_ENCAP_SEG6_LOCAL
    RPL = 8  # LWTUNNEL_ENCAP_RPL
    IOAM6 = 9  # LWTUNNEL_ENCAP_IOAM6
    XFRM = 10  # LWTUNNEL_ENCAP_XFRM


# MPLS

_LABEL_SHIFT, _BOTTOM, _LABEL_MAX = 12, 0x100, 0xFFFFF  # of an entry of a label stack


def stack_of(labels: Iterable[int]) -> list[int]:
    """The entries of a label stack, the last with the bit that ends it. ValueError for a label over 20 bits."""
    labels = list(labels)
    for label in labels:
        if not 0 <= label <= _LABEL_MAX:
            raise ValueError(f"an MPLS label is from 0 to {_LABEL_MAX}, not {label}")
    return [label << _LABEL_SHIFT | (_BOTTOM if i == len(labels) else 0) for i, label in enumerate(labels, 1)]


def labels_of(entries: Iterable[int]) -> tuple[int, ...]:
    """The labels of the entries of a label stack."""
    return tuple(entry >> _LABEL_SHIFT for entry in entries)


class MPLSEncap(AttributeSet):
    """MPLS labels to push (MPLS_IPTUNNEL_*). stack: entries of 32 bits; the constructor takes labels, too."""

    stack: Items[int] = packed(1, be32)  # MPLS_IPTUNNEL_DST
    ttl: Int = u8(2)  # MPLS_IPTUNNEL_TTL

    def __init__(self, *, labels: Iterable[int] | None = None, **values: Any) -> None:
        if labels is not None:
            values["stack"] = stack_of(labels)
        super().__init__(**values)

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels of the stack, the outermost first."""
        return labels_of(self.stack or ())


# IP in IP, with the options of the tunnel's own protocol


class TunnelFlags(IntFlag):
    """Flags of a tunnel's header, of linux/if_tunnel.h, in network byte order."""

    CSUM = 0x8000  # GRE_CSUM
    ROUTING = 0x4000  # GRE_ROUTING
    KEY = 0x2000  # GRE_KEY
    SEQ = 0x1000  # GRE_SEQ
    STRICT = 0x0800  # GRE_STRICT
    REC = 0x0700  # GRE_REC


class GeneveOption(AttributeSet):
    """An option of Geneve (LWTUNNEL_IP_OPT_GENEVE_*)."""

    option_class: Int = be16(1)  # LWTUNNEL_IP_OPT_GENEVE_CLASS
    type: Int = u8(2)  # LWTUNNEL_IP_OPT_GENEVE_TYPE
    data: Bytes = binary(3)  # LWTUNNEL_IP_OPT_GENEVE_DATA


class VXLANOptions(AttributeSet):
    """The options of VXLAN (LWTUNNEL_IP_OPT_VXLAN_*)."""

    gbp: Int = u32(1)  # LWTUNNEL_IP_OPT_VXLAN_GBP


class ErspanOptions(AttributeSet):
    """The options of ERSPAN (LWTUNNEL_IP_OPT_ERSPAN_*)."""

    version: Int = u8(1)  # LWTUNNEL_IP_OPT_ERSPAN_VER
    index: Int = be32(2)  # LWTUNNEL_IP_OPT_ERSPAN_INDEX
    direction: Int = u8(3)  # LWTUNNEL_IP_OPT_ERSPAN_DIR
    hardware_id: Int = u8(4)  # LWTUNNEL_IP_OPT_ERSPAN_HWID


class TunnelOptions(AttributeSet):
    """Options of a tunnel (LWTUNNEL_IP_OPTS_*)."""

    geneve: Items[GeneveOption] = repeated(1, GeneveOption)  # LWTUNNEL_IP_OPTS_GENEVE
    vxlan: Field[VXLANOptions | None] = nested(2, VXLANOptions)  # LWTUNNEL_IP_OPTS_VXLAN
    erspan: Field[ErspanOptions | None] = nested(3, ErspanOptions)  # LWTUNNEL_IP_OPTS_ERSPAN


class IPEncap(AttributeSet):
    """An IPv4 tunnel (LWTUNNEL_IP_*)."""

    id: Int = be64(1)  # LWTUNNEL_IP_ID
    dst: IPv4 = ipv4(2)  # LWTUNNEL_IP_DST
    src: IPv4 = ipv4(3)  # LWTUNNEL_IP_SRC
    ttl: Int = u8(4)  # LWTUNNEL_IP_TTL
    tos: Int = u8(5)  # LWTUNNEL_IP_TOS
    flags: Member[TunnelFlags] = be16(6, enum=TunnelFlags)  # LWTUNNEL_IP_FLAGS
    options: Field[TunnelOptions | None] = nested(8, TunnelOptions)  # LWTUNNEL_IP_OPTS


class IP6Encap(AttributeSet):
    """An IPv6 tunnel (LWTUNNEL_IP6_*)."""

    id: Int = be64(1)  # LWTUNNEL_IP6_ID
    dst: IPv6 = ipv6(2)  # LWTUNNEL_IP6_DST
    src: IPv6 = ipv6(3)  # LWTUNNEL_IP6_SRC
    hoplimit: Int = u8(4)  # LWTUNNEL_IP6_HOPLIMIT
    tc: Int = u8(5)  # LWTUNNEL_IP6_TC
    flags: Member[TunnelFlags] = be16(6, enum=TunnelFlags)  # LWTUNNEL_IP6_FLAGS
    options: Field[TunnelOptions | None] = nested(8, TunnelOptions)  # LWTUNNEL_IP6_OPTS


# Segment routing over IPv6


class Seg6Mode(IntEnum):
    """Ways to add a segment routing header (SEG6_IPTUN_MODE_*)."""

    INLINE = 0  # SEG6_IPTUN_MODE_INLINE
    ENCAP = 1  # SEG6_IPTUN_MODE_ENCAP
    L2ENCAP = 2  # SEG6_IPTUN_MODE_L2ENCAP
    ENCAP_RED = 3  # SEG6_IPTUN_MODE_ENCAP_RED
    L2ENCAP_RED = 4  # SEG6_IPTUN_MODE_L2ENCAP_RED


class SegmentHeader(Struct):
    """struct ipv6_sr_hdr of linux/seg6.h, without its segments. hdrlen: units of 8 bytes, without the first."""

    nexthdr: Int = u8()
    hdrlen: Int = u8()
    type: Int = u8()
    segments_left: Int = u8()
    first_segment: Int = u8()
    flags: Int = u8()
    tag: Int = be16()


class _Mode(Struct):
    """The beginning of struct seg6_iptunnel_encap of linux/seg6_iptunnel.h."""

    mode: Member[Seg6Mode] = s32(enum=Seg6Mode)


_MODE_SIZE, _HEADER_SIZE, _ADDRESS_SIZE = 4, 8, 16
_ROUTING_TYPE = 4  # of segment routing, RFC 8754


def _segments_header(segments: Iterable[IPv6Address | str]) -> bytes:
    """A segment routing header. The last segment is the first in it."""
    addresses = [IPv6Address(segment) for segment in segments]
    if not 1 <= len(addresses) <= 127:
        raise ValueError(f"a segment routing header has 1 to 127 segments, not {len(addresses)}")
    last = len(addresses) - 1
    header = SegmentHeader(hdrlen=2 * len(addresses), type=_ROUTING_TYPE, segments_left=last, first_segment=last)
    return header.encode() + b"".join(address.packed for address in reversed(addresses))


def _segments_of(header: bytes) -> tuple[IPv6Address, ...]:
    """The segments in a segment routing header, the first one first."""
    count = SegmentHeader.decode(header[:_HEADER_SIZE]).first_segment
    whole = [header[at : at + _ADDRESS_SIZE] for at in range(_HEADER_SIZE, len(header), _ADDRESS_SIZE)]
    found = whole[: 0 if count is None else count + 1]
    return tuple(IPv6Address(address) for address in reversed(found) if len(address) == _ADDRESS_SIZE)


class Seg6Encap(AttributeSet):
    """A segment routing header to add (SEG6_IPTUNNEL_*).

    header: the mode and the header as bytes. The constructor takes mode and segments instead, the first one first.
    """

    header_bytes: Bytes = binary(1)  # SEG6_IPTUNNEL_SRH
    src: IPv6 = ipv6(2)  # SEG6_IPTUNNEL_SRC

    def __init__(
        self, *, mode: int = Seg6Mode.ENCAP, segments: Iterable[IPv6Address | str] | None = None, **values: Any
    ) -> None:
        if segments is not None:
            values["header_bytes"] = _Mode(mode=mode).encode() + _segments_header(segments)
        super().__init__(**values)

    @property
    def mode(self) -> Seg6Mode | None:
        """How the header is added."""
        return _Mode.decode((self.header_bytes or b"")[:_MODE_SIZE]).mode

    @property
    def segments(self) -> tuple[IPv6Address, ...]:
        """The segments, the first one first."""
        return _segments_of((self.header_bytes or b"")[_MODE_SIZE:])


class Seg6Action(IntEnum):
    """What a node does with a packet of segment routing (SEG6_LOCAL_ACTION_*)."""

    UNSPEC = 0  # SEG6_LOCAL_ACTION_UNSPEC
    END = 1  # SEG6_LOCAL_ACTION_END
    END_X = 2  # SEG6_LOCAL_ACTION_END_X
    END_T = 3  # SEG6_LOCAL_ACTION_END_T
    END_DX2 = 4  # SEG6_LOCAL_ACTION_END_DX2
    END_DX6 = 5  # SEG6_LOCAL_ACTION_END_DX6
    END_DX4 = 6  # SEG6_LOCAL_ACTION_END_DX4
    END_DT6 = 7  # SEG6_LOCAL_ACTION_END_DT6
    END_DT4 = 8  # SEG6_LOCAL_ACTION_END_DT4
    END_B6 = 9  # SEG6_LOCAL_ACTION_END_B6
    END_B6_ENCAP = 10  # SEG6_LOCAL_ACTION_END_B6_ENCAP
    END_BM = 11  # SEG6_LOCAL_ACTION_END_BM
    END_S = 12  # SEG6_LOCAL_ACTION_END_S
    END_AS = 13  # SEG6_LOCAL_ACTION_END_AS
    END_AM = 14  # SEG6_LOCAL_ACTION_END_AM
    END_BPF = 15  # SEG6_LOCAL_ACTION_END_BPF
    END_DT46 = 16  # SEG6_LOCAL_ACTION_END_DT46


class BPFProgram(AttributeSet):
    """A BPF program (LWT_BPF_PROG_*; SEG6_LOCAL_BPF_PROG_* has the same). fd: in a request; of a dump the id."""

    fd: Int = u32(1)  # LWT_BPF_PROG_FD
    name: Str = string(2)  # LWT_BPF_PROG_NAME


class Seg6Counters(AttributeSet):
    """Counters of an action (SEG6_LOCAL_CNT_*). A request has them as 0 to count."""

    packets: Int = u64(2)  # SEG6_LOCAL_CNT_PACKETS
    bytes: Int = u64(3)  # SEG6_LOCAL_CNT_BYTES
    errors: Int = u64(4)  # SEG6_LOCAL_CNT_ERRORS


class Seg6Flavors(AttributeSet):
    """Flavors of an action (SEG6_LOCAL_FLV_*). operations: bit n stands for SEG6_LOCAL_FLV_OP_* n."""

    operations: Int = u32(1)  # SEG6_LOCAL_FLV_OPERATION
    locator_block_bits: Int = u8(2)  # SEG6_LOCAL_FLV_LCBLOCK_BITS
    locator_node_bits: Int = u8(3)  # SEG6_LOCAL_FLV_LCNODE_FN_BITS


class Seg6LocalEncap(AttributeSet):
    """An action of segment routing at this node (SEG6_LOCAL_*). segments, in the constructor: for END_B6*."""

    action: Member[Seg6Action] = u32(1, enum=Seg6Action)  # SEG6_LOCAL_ACTION
    header_bytes: Bytes = binary(2)  # SEG6_LOCAL_SRH
    table: Int = u32(3)  # SEG6_LOCAL_TABLE
    nh4: IPv4 = ipv4(4)  # SEG6_LOCAL_NH4
    nh6: IPv6 = ipv6(5)  # SEG6_LOCAL_NH6
    iif: Int = u32(6)  # SEG6_LOCAL_IIF
    oif: Int = u32(7)  # SEG6_LOCAL_OIF
    bpf: Field[BPFProgram | None] = nested(8, BPFProgram)  # SEG6_LOCAL_BPF
    vrf_table: Int = u32(9)  # SEG6_LOCAL_VRFTABLE
    counters: Field[Seg6Counters | None] = nested(10, Seg6Counters)  # SEG6_LOCAL_COUNTERS
    flavors: Field[Seg6Flavors | None] = nested(11, Seg6Flavors)  # SEG6_LOCAL_FLAVORS

    def __init__(self, *, segments: Iterable[IPv6Address | str] | None = None, **values: Any) -> None:
        if segments is not None:
            values["header_bytes"] = _segments_header(segments)
        super().__init__(**values)

    @property
    def segments(self) -> tuple[IPv6Address, ...]:
        """The segments of END_B6 and END_B6_ENCAP, the first one first."""
        return _segments_of(self.header_bytes or b"")


# The others


class BPFEncap(AttributeSet):
    """BPF programs that run on the packets of a route (LWT_BPF_*)."""

    input: Field[BPFProgram | None] = nested(1, BPFProgram)  # LWT_BPF_IN
    output: Field[BPFProgram | None] = nested(2, BPFProgram)  # LWT_BPF_OUT
    xmit: Field[BPFProgram | None] = nested(3, BPFProgram)  # LWT_BPF_XMIT
    xmit_headroom: Int = u32(4)  # LWT_BPF_XMIT_HEADROOM


class ILAEncap(AttributeSet):
    """Identifier locator addressing (ILA_ATTR_*, linux/ila.h)."""

    locator: Int = be64(1)  # ILA_ATTR_LOCATOR
    csum_mode: Int = u8(7)  # ILA_ATTR_CSUM_MODE
    ident_type: Int = u8(8)  # ILA_ATTR_IDENT_TYPE
    hook_type: Int = u8(9)  # ILA_ATTR_HOOK_TYPE


class RPLEncap(AttributeSet):
    """A source routing header of RPL (RPL_IPTUNNEL_*): struct ipv6_rpl_sr_hdr as bytes."""

    header_bytes: Bytes = binary(1)  # RPL_IPTUNNEL_SRH


class IOAM6Mode(IntEnum):
    """Ways to add the data of in-situ OAM (IOAM6_IPTUNNEL_MODE_*)."""

    INLINE = 1  # IOAM6_IPTUNNEL_MODE_INLINE
    ENCAP = 2  # IOAM6_IPTUNNEL_MODE_ENCAP
    AUTO = 3  # IOAM6_IPTUNNEL_MODE_AUTO


class IOAM6Encap(AttributeSet):
    """In-situ OAM (IOAM6_IPTUNNEL_*): k of n packets get it. trace: struct ioam6_trace_hdr as bytes."""

    mode: Member[IOAM6Mode] = u8(1, enum=IOAM6Mode)  # IOAM6_IPTUNNEL_MODE
    dst: IPv6 = ipv6(2)  # IOAM6_IPTUNNEL_DST
    trace: Bytes = binary(3)  # IOAM6_IPTUNNEL_TRACE
    freq_k: Int = u32(4)  # IOAM6_IPTUNNEL_FREQ_K
    freq_n: Int = u32(5)  # IOAM6_IPTUNNEL_FREQ_N
    src: IPv6 = ipv6(6)  # IOAM6_IPTUNNEL_SRC


class XfrmEncap(AttributeSet):
    """The interface id of xfrm (LWT_XFRM_*)."""

    if_id: Int = u32(1)  # LWT_XFRM_IF_ID
    link: Int = u32(2)  # LWT_XFRM_LINK


CASES = {
    EncapType.MPLS: MPLSEncap,
    EncapType.IP: IPEncap,
    EncapType.ILA: ILAEncap,
    EncapType.IP6: IP6Encap,
    EncapType.SEG6: Seg6Encap,
    EncapType.BPF: BPFEncap,
    EncapType.SEG6_LOCAL: Seg6LocalEncap,
    EncapType.RPL: RPLEncap,
    EncapType.IOAM6: IOAM6Encap,
    EncapType.XFRM: XfrmEncap,
}
"""The declarations of the encapsulations, by their type."""

_TYPES: dict[type, EncapType] = {declaration: type_ for type_, declaration in CASES.items()}


def with_type(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor with the type of their encapsulation."""
    encap = values.get("encap")
    if encap is not None and values.get("encap_type") is None and type(encap) in _TYPES:
        values["encap_type"] = _TYPES[type(encap)]
    return values
