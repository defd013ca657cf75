"""The declarations that nfnetlink_log and nfnetlink_queue have in common."""

from __future__ import annotations

from enum import IntEnum

from netlink.schema import AttributeSet, Bytes, Int, Struct, be16, be64, binary, u16

__all__ = ["VLAN", "CtInfo", "HwAddr", "Timestamp"]


class CtInfo(IntEnum):
    """Relation of a packet to its flow: enum ip_conntrack_info, linux/netfilter/nf_conntrack_common.h."""

    ESTABLISHED = 0  # IP_CT_ESTABLISHED
    RELATED = 1  # IP_CT_RELATED
    NEW = 2  # IP_CT_NEW
    ESTABLISHED_REPLY = 3  # IP_CT_ESTABLISHED_REPLY
    RELATED_REPLY = 4  # IP_CT_RELATED_REPLY
    UNTRACKED = 7  # IP_CT_UNTRACKED


class HwAddr(Struct):
    """struct nfulnl_msg_packet_hw, struct nfqnl_msg_packet_hw: an address of length bytes."""

    length: Int = be16()
    pad: Int = u16()
    address: Bytes = binary(size=8)

    @property
    def used(self) -> bytes | None:
        """The bytes of the address alone."""
        return None if self.address is None else self.address[: self.length]


class Timestamp(Struct):
    """struct nfulnl_msg_packet_timestamp, struct nfqnl_msg_packet_timestamp: seconds and microseconds since 1970."""

    sec: Int = be64()
    usec: Int = be64()

    @property
    def nanoseconds(self) -> int | None:
        """The same in nanoseconds."""
        return None if self.sec is None or self.usec is None else self.sec * 1_000_000_000 + self.usec * 1000


class VLAN(AttributeSet):
    """NFULA_VLAN_*, NFQA_VLAN_*: the packet's VLAN tag, if the bridge or the device removed it."""

    proto: Int = be16(1)  # NFULA_VLAN_PROTO, NFQA_VLAN_PROTO: ETH_P_8021Q or ETH_P_8021AD
    tci: Int = be16(2)  # NFULA_VLAN_TCI, NFQA_VLAN_TCI
