"""Extended matches of the filters basic, cgroup and flow: linux/pkt_cls.h and linux/tc_ematch/*.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Int,
    Items,
    Member,
    Struct,
    array,
    be32,
    binary,
    packed,
    rest,
    s32,
    struct,
    u8,
    u16,
    u32,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CmpAlign",
    "CmpMatch",
    "Ematch",
    "EmatchFlags",
    "EmatchHeader",
    "EmatchKind",
    "EmatchTree",
    "EmatchTreeHeader",
    "MetaMatch",
    "MetaValue",
    "NbyteMatch",
    "U32Match",
]


class EmatchKind(IntEnum):
    """What a match compares (TCF_EM_*)."""

    CONTAINER = 0  # TCF_EM_CONTAINER, its data is the number of the first match inside, in 4 bytes
    CMP = 1  # TCF_EM_CMP, a `CmpMatch`
    NBYTE = 2  # TCF_EM_NBYTE, a `NbyteMatch` and the bytes
    U32 = 3  # TCF_EM_U32, a `U32Match`
    META = 4  # TCF_EM_META, a `MetaMatch`
    TEXT = 5  # TCF_EM_TEXT
    VLAN = 6  # TCF_EM_VLAN
    CANID = 7  # TCF_EM_CANID
    IPSET = 8  # TCF_EM_IPSET
    IPT = 9  # TCF_EM_IPT


class EmatchFlags(IntFlag):
    """The relation to the next match, and more (TCF_EM_*). The last match has no relation."""

    AND = 1  # TCF_EM_REL_AND
    OR = 2  # TCF_EM_REL_OR
    INVERT = 4  # TCF_EM_INVERT
    SIMPLE = 8  # TCF_EM_SIMPLE, the data is a number of 4 bytes


class EmatchHeader(Struct):
    """The beginning of a match (struct tcf_ematch_hdr). matchid: a number of the kind's, mostly 0."""

    matchid: Int = u16()
    kind: Member[EmatchKind] = u16(enum=EmatchKind)
    flags: Member[EmatchFlags] = u16(enum=EmatchFlags)
    padding: Int = u16()


class Ematch(AttributeSet, header=EmatchHeader):
    """A match (struct tcf_ematch_hdr, and data). data: bytes as the kind has them, such as `CmpMatch.encode`."""

    header: EmatchHeader | None = None
    matchid: Int = EmatchHeader.matchid
    kind: Member[EmatchKind] = EmatchHeader.kind
    flags: Member[EmatchFlags] = EmatchHeader.flags
    data: Bytes = rest()


class CmpAlign(IntEnum):
    """The width of a number that is compared (TCF_EM_ALIGN_*), the lower 4 bits of `CmpMatch.align_flags`."""

    U8 = 1  # TCF_EM_ALIGN_U8
    U16 = 2  # TCF_EM_ALIGN_U16
    U32 = 4  # TCF_EM_ALIGN_U32


class CmpMatch(Struct):
    """A number of the packet, compared (struct tcf_em_cmp).

    val, mask: in host byte order. off: bytes from the layer. align_flags: a `CmpAlign`; and 16 if the number of the
    packet is in host byte order. layer_operand: TCF_LAYER_* (0 link, 1 network, 2 transport), and in the upper 4 bits
    TCF_EM_OPND_* (0 equal, 1 greater, 2 less), on little-endian machines.
    """

    val: Int = u32()
    mask: Int = u32()
    off: Int = u16()
    align_flags: Int = u8()
    layer_operand: Int = u8()


class NbyteMatch(Struct):
    """Bytes of the packet (struct tcf_em_nbyte): len_layer has the length, and the layer in its upper 4 bits."""

    off: Int = u16()
    len_layer: Int = u16()


class U32Match(Struct):
    """32 bits of the packet (struct tc_u32_key): mask and val in network byte order, off in bytes."""

    mask: Int = be32()
    val: Int = be32()
    off: Int = s32()
    offmask: Int = s32()


class MetaValue(Struct):
    """A side of a `MetaMatch` (struct tcf_meta_val).

    kind: TCF_META_ID_*, with TCF_META_TYPE_* in its upper 4 bits. op: TCF_EM_OPND_*.
    """

    kind: Int = u16()
    shift: Int = u8()
    op: Int = u8()


class MetaMatch(AttributeSet):
    """Metadata of the packet, compared (TCA_EM_META_*). values: both sides, left and right."""

    values: Items[MetaValue] = packed(1, MetaValue)  # TCA_EM_META_HDR
    left: Bytes = binary(2)  # TCA_EM_META_LVALUE
    right: Bytes = binary(3)  # TCA_EM_META_RVALUE


class EmatchTreeHeader(Struct):
    """The beginning of the matches of a filter (struct tcf_ematch_tree_hdr)."""

    nmatches: Int = u16()
    progid: Int = u16()


class EmatchTree(AttributeSet):
    """The matches of a filter (TCA_EMATCH_TREE_*): `EmatchTree.of` makes them, and `matches` reads them."""

    tree: Field[EmatchTreeHeader | None] = struct(1, EmatchTreeHeader)  # TCA_EMATCH_TREE_HDR
    items: Items[bytes] = array(2, binary)  # TCA_EMATCH_TREE_LIST

    @classmethod
    def of(cls, matches: Iterable[Ematch]) -> EmatchTree:
        """The matches in their order, of which each has its relation to the next one in its flags."""
        items = [match.encode() for match in matches]
        return cls(tree=EmatchTreeHeader(nmatches=len(items)), items=items)

    @property
    def matches(self) -> tuple[Ematch, ...]:
        """The matches. DecodeError for one that is shorter than its beginning."""
        return tuple(Ematch.decode_many(self.items or ()))
