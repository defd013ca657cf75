"""The declarations of nfnetlink_log: linux/netfilter/nfnetlink_log.h."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from netlink.consts import NetfilterSubsystem
from netlink.netfilter._packet import VLAN, CtInfo, HwAddr, Timestamp
from netlink.netfilter.conntrack.records import Flow
from netlink.netfilter.nfnetlink import NfGenMsg
from netlink.packet import Headers, Source
from netlink.schema import (
    AttributeSet,
    Bytes,
    Field,
    Int,
    Member,
    Str,
    Struct,
    View,
    be16,
    be32,
    binary,
    nested,
    string,
    struct,
    u8,
    view,
)

__all__ = [
    "VLAN",
    "Command",
    "Config",
    "ConfigCommand",
    "ConfigFlags",
    "ConfigMode",
    "CopyMode",
    "CtInfo",
    "HwAddr",
    "Packet",
    "PacketHdr",
    "Timestamp",
]


class Command(IntEnum):
    """Message types: enum nfulnl_msg_types, with the subsystem."""

    PACKET = NetfilterSubsystem.ULOG << 8 | 0  # NFULNL_MSG_PACKET
    CONFIG = NetfilterSubsystem.ULOG << 8 | 1  # NFULNL_MSG_CONFIG


class ConfigCommand(IntEnum):
    """Commands for a group: enum nfulnl_msg_config_cmds."""

    BIND = 1  # NFULNL_CFG_CMD_BIND
    UNBIND = 2  # NFULNL_CFG_CMD_UNBIND


class CopyMode(IntEnum):
    """NFULNL_COPY_*: the parts of a packet to send."""

    META = 1  # NFULNL_COPY_META, all but the payload
    PACKET = 2  # NFULNL_COPY_PACKET, also the payload


class ConfigFlags(IntFlag):
    """NFULNL_CFG_F_*: attributes to send with each packet."""

    SEQ = 1  # NFULNL_CFG_F_SEQ, its number in the group
    SEQ_GLOBAL = 2  # NFULNL_CFG_F_SEQ_GLOBAL, its number in all groups
    CONNTRACK = 4  # NFULNL_CFG_F_CONNTRACK, its flow


class ConfigMode(Struct):
    """struct nfulnl_msg_config_mode."""

    copy_range: Int = be32()
    copy_mode: Member[CopyMode] = u8(enum=CopyMode)
    pad: Int = u8()


class Config(AttributeSet, header=NfGenMsg):
    """NFULA_CFG_*: the configuration of a group, the header's `res_id`."""

    group: Int = NfGenMsg.res_id
    cmd: Member[ConfigCommand] = u8(1, enum=ConfigCommand)  # NFULA_CFG_CMD
    mode: Field[ConfigMode | None] = struct(2, ConfigMode)  # NFULA_CFG_MODE
    nlbufsiz: Int = be32(3)  # NFULA_CFG_NLBUFSIZ, bytes
    timeout: Int = be32(4)  # NFULA_CFG_TIMEOUT, hundredths of a second
    qthresh: Int = be32(5)  # NFULA_CFG_QTHRESH, packets
    flags: Member[ConfigFlags] = be16(6, enum=ConfigFlags)  # NFULA_CFG_FLAGS


class PacketHdr(Struct):
    """struct nfulnl_msg_packet_hdr."""

    hw_protocol: Int = be16()
    hook: Int = u8()
    pad: Int = u8()


class Packet(
    AttributeSet,
    Headers,
    header=NfGenMsg,
    packet=Source(
        "payload",
        family="header.family",
        protocol="packet_hdr.hw_protocol",
        hook="packet_hdr.hook",
        link="l2hdr",
    ),
):
    """NFULA_*: a logged packet.

    Every field may be None. The kernel has no `hwaddr` and `timestamp` for packets from this machine, and no `uid` and
    `gid` for packets from others. It sends no mark of 0. The payload begins at the network header. On the egress hook
    of the netdev family it begins with the bytes of `l2hdr` instead. `src`, `dst`, `sport` and the other parts of its
    headers are those of `netlink.packet.Headers`.
    """

    header: NfGenMsg | None = None
    family: Int = NfGenMsg.family  # NFPROTO_* of the rule
    group: Int = NfGenMsg.res_id
    packet_hdr: Field[PacketHdr | None] = struct(1, PacketHdr)  # NFULA_PACKET_HDR
    mark: Int = be32(2)  # NFULA_MARK
    time: Field[Timestamp | None] = struct(3, Timestamp)  # NFULA_TIMESTAMP
    indev: Int = be32(4)  # NFULA_IFINDEX_INDEV, an interface index
    outdev: Int = be32(5)  # NFULA_IFINDEX_OUTDEV, an interface index
    physindev: Int = be32(6)  # NFULA_IFINDEX_PHYSINDEV, interface index of the bridge's port
    physoutdev: Int = be32(7)  # NFULA_IFINDEX_PHYSOUTDEV, interface index of the bridge's port
    hw: Field[HwAddr | None] = struct(8, HwAddr)  # NFULA_HWADDR
    prefix: Str = string(10)  # NFULA_PREFIX, of the rule
    uid: Int = be32(11)  # NFULA_UID
    seq: Int = be32(12)  # NFULA_SEQ, of the group
    seq_global: Int = be32(13)  # NFULA_SEQ_GLOBAL, of all groups of the network namespace
    gid: Int = be32(14)  # NFULA_GID
    hwtype: Int = be16(15)  # NFULA_HWTYPE, ARPHRD_*
    hwheader: Bytes = binary(16)  # NFULA_HWHEADER, the link-layer header
    hwlen: Int = be16(17)  # NFULA_HWLEN, bytes of hwheader
    ct: Field[Flow | None] = nested(18, Flow, rare=True)  # NFULA_CT
    ct_info: Member[CtInfo] = be32(19, enum=CtInfo)  # NFULA_CT_INFO
    vlan: Field[VLAN | None] = nested(20, VLAN, rare=True)  # NFULA_VLAN
    l2hdr: Bytes = binary(21)  # NFULA_L2HDR, in the bridge and netdev families
    payload: View = view(9)  # NFULA_PAYLOAD, from the network header on; see above

    @property
    def hw_protocol(self) -> int | None:
        """The network protocol, ETH_P_* of linux/if_ether.h."""
        return self.packet_hdr.hw_protocol if self.packet_hdr else None

    @property
    def hook(self) -> int | None:
        """The hook of the rule: NF_INET_* of linux/netfilter.h, or a hook of the header's family."""
        return self.packet_hdr.hook if self.packet_hdr else None

    @property
    def timestamp(self) -> int | None:
        """The time of arrival in nanoseconds since 1970, with a resolution of microseconds."""
        return self.time.nanoseconds if self.time else None

    @property
    def hwaddr(self) -> bytes | None:
        """The link-layer address of the sender."""
        return self.hw.used if self.hw else None
