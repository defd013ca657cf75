"""The declarations of nfnetlink_queue: linux/netfilter/nfnetlink_queue.h."""

from __future__ import annotations

from enum import KEEP, IntEnum, IntFlag

from netlink.consts import NetfilterSubsystem
from netlink.netfilter._packet import VLAN, CtInfo, HwAddr, Timestamp
from netlink.netfilter.conntrack.records import Expect, Flow
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
    pad,
    string,
    struct,
    u8,
    view,
)

__all__ = [
    "VLAN",
    "Command",
    "Config",
    "ConfigCmd",
    "ConfigCommand",
    "ConfigFlags",
    "ConfigParams",
    "CopyMode",
    "CtInfo",
    "Decision",
    "HwAddr",
    "Packet",
    "PacketHdr",
    "PriorityProbe",
    "SkbInfo",
    "Timestamp",
    "Verdict",
    "VerdictHdr",
]


class Command(IntEnum):
    """Message types: enum nfqnl_msg_types, with the subsystem."""

    PACKET = NetfilterSubsystem.QUEUE << 8 | 0  # NFQNL_MSG_PACKET
    VERDICT = NetfilterSubsystem.QUEUE << 8 | 1  # NFQNL_MSG_VERDICT
    CONFIG = NetfilterSubsystem.QUEUE << 8 | 2  # NFQNL_MSG_CONFIG
    VERDICT_BATCH = NetfilterSubsystem.QUEUE << 8 | 3  # NFQNL_MSG_VERDICT_BATCH


class Verdict(IntEnum):
    """The fate of a packet: NF_* of linux/netfilter.h. QUEUE needs the number of a queue: `Queue.requeue`."""

    DROP = 0  # NF_DROP
    ACCEPT = 1  # NF_ACCEPT: it leaves this base chain, and goes on to the next one of the hook
    QUEUE = 3  # NF_QUEUE: it goes to another queue
    REPEAT = 4  # NF_REPEAT: it enters this base chain again
    STOP = 5  # NF_STOP: it leaves the hook, and later chains do not see it


class ConfigCommand(IntEnum):
    """Commands for a queue: enum nfqnl_msg_config_cmds. The kernel ignores two others, PF_BIND and PF_UNBIND."""

    NONE = 0  # NFQNL_CFG_CMD_NONE
    BIND = 1  # NFQNL_CFG_CMD_BIND
    UNBIND = 2  # NFQNL_CFG_CMD_UNBIND


class CopyMode(IntEnum):
    """NFQNL_COPY_*: the parts of a packet to send."""

    NONE = 0  # NFQNL_COPY_NONE: the kernel drops every packet of the queue
    META = 1  # NFQNL_COPY_META, all but the payload
    PACKET = 2  # NFQNL_COPY_PACKET, also the payload


class ConfigFlags(IntFlag):
    """NFQA_CFG_F_*: options of a queue."""

    FAIL_OPEN = 1  # NFQA_CFG_F_FAIL_OPEN, accept packets instead of dropping them if the queue is full
    CONNTRACK = 2  # NFQA_CFG_F_CONNTRACK, send the flow with each packet
    GSO = 4  # NFQA_CFG_F_GSO, send packets of several segments whole
    UID_GID = 8  # NFQA_CFG_F_UID_GID, send the owner of the socket
    SECCTX = 16  # NFQA_CFG_F_SECCTX, send the security context


class SkbInfo(IntFlag, boundary=KEEP):
    """NFQA_SKB_*: the state of a packet's checksums and segments."""

    CSUM_NOT_READY = 1  # NFQA_SKB_CSUMNOTREADY, the device will fill in the checksum: it is wrong in the payload
    GSO = 2  # NFQA_SKB_GSO, several segments in one
    CSUM_NOT_VERIFIED = 4  # NFQA_SKB_CSUM_NOTVERIFIED, nobody has checked the checksum yet


class ConfigCmd(Struct):
    """struct nfqnl_msg_config_cmd."""

    command: Member[ConfigCommand] = u8(enum=ConfigCommand)
    padding = pad(1)
    pf: Int = be16()


class ConfigParams(Struct):
    """struct nfqnl_msg_config_params."""

    copy_range: Int = be32()
    copy_mode: Member[CopyMode] = u8(enum=CopyMode)


class Config(AttributeSet, header=NfGenMsg):
    """NFQA_CFG_*: the configuration of a queue, the header's `res_id`."""

    number: Int = NfGenMsg.res_id
    cmd: Field[ConfigCmd | None] = struct(1, ConfigCmd)  # NFQA_CFG_CMD
    params: Field[ConfigParams | None] = struct(2, ConfigParams)  # NFQA_CFG_PARAMS
    queue_maxlen: Int = be32(3)  # NFQA_CFG_QUEUE_MAXLEN, packets
    mask: Member[ConfigFlags] = be32(4, enum=ConfigFlags)  # NFQA_CFG_MASK, the flags to change
    flags: Member[ConfigFlags] = be32(5, enum=ConfigFlags)  # NFQA_CFG_FLAGS


class PacketHdr(Struct):
    """struct nfqnl_msg_packet_hdr."""

    packet_id: Int = be32()
    hw_protocol: Int = be16()
    hook: Int = u8()


class Packet(
    AttributeSet,
    Headers,
    header=NfGenMsg,
    packet=Source("payload", family="header.family", protocol="packet_hdr.hw_protocol"),
):
    """NFQA_*: a queued packet, which waits for its verdict.

    Every field but `id` may be None. The kernel has no `indev`, `hwaddr` and `timestamp` for packets from this machine.
    It sends neither a mark nor a priority of 0. The payload begins at the network header. `src`, `dst`, `sport` and the
    other parts of its headers are those of `netlink.packet.Headers`.
    """

    header: NfGenMsg | None = None
    family: Int = NfGenMsg.family  # NFPROTO_* of the rule
    number: Int = NfGenMsg.res_id  # of the queue
    packet_hdr: Field[PacketHdr | None] = struct(1, PacketHdr)  # NFQA_PACKET_HDR
    mark: Int = be32(3)  # NFQA_MARK
    time: Field[Timestamp | None] = struct(4, Timestamp)  # NFQA_TIMESTAMP
    indev: Int = be32(5)  # NFQA_IFINDEX_INDEV, an interface index
    outdev: Int = be32(6)  # NFQA_IFINDEX_OUTDEV, an interface index
    physindev: Int = be32(7)  # NFQA_IFINDEX_PHYSINDEV, interface index of the bridge's port
    physoutdev: Int = be32(8)  # NFQA_IFINDEX_PHYSOUTDEV, interface index of the bridge's port
    hw: Field[HwAddr | None] = struct(9, HwAddr)  # NFQA_HWADDR
    ct: Field[Flow | None] = nested(11, Flow, rare=True)  # NFQA_CT
    ct_info: Member[CtInfo] = be32(12, enum=CtInfo)  # NFQA_CT_INFO
    cap_len: Int = be32(13)  # NFQA_CAP_LEN, bytes of the packet, of which the payload has fewer
    skb_info: Member[SkbInfo] = be32(14, enum=SkbInfo)  # NFQA_SKB_INFO
    uid: Int = be32(16)  # NFQA_UID, in the machine's first user namespace
    gid: Int = be32(17)  # NFQA_GID, in the machine's first user namespace
    secctx: Str = string(18)  # NFQA_SECCTX
    vlan: Field[VLAN | None] = nested(19, VLAN, rare=True)  # NFQA_VLAN, in the bridge family
    l2hdr: Bytes = binary(20)  # NFQA_L2HDR, in the bridge family
    priority: Int = be32(21)  # NFQA_PRIORITY, since Linux 5.18
    cgroup_classid: Int = be32(22)  # NFQA_CGROUP_CLASSID, of the net_cls cgroup
    payload: View = view(10)  # NFQA_PAYLOAD, from the network header on

    @property
    def id(self) -> int | None:
        """The number of the packet in its queue, from 1. The verdict names it."""
        return self.packet_hdr.packet_id if self.packet_hdr else None

    @property
    def hw_protocol(self) -> int | None:
        """The network protocol, ETH_P_* of linux/if_ether.h."""
        return self.packet_hdr.hw_protocol if self.packet_hdr else None

    @property
    def hook(self) -> int | None:
        """The hook of the rule: NF_INET_* of linux/netfilter.h, or a hook of the header's family."""
        return self.packet_hdr.hook if self.packet_hdr else None

    @property
    def truncated(self) -> bool:
        """Whether the payload has less than the packet: `copy_range` cut it."""
        return self.cap_len is not None

    @property
    def timestamp(self) -> int | None:
        """The time of arrival in nanoseconds since 1970, with a resolution of microseconds."""
        return self.time.nanoseconds if self.time else None

    @property
    def hwaddr(self) -> bytes | None:
        """The link-layer address of the sender."""
        return self.hw.used if self.hw else None


class VerdictHdr(Struct):
    """struct nfqnl_msg_verdict_hdr."""

    verdict: Int = be32()
    id: Int = be32()


class Decision(AttributeSet, header=NfGenMsg):
    """NFQA_*: a verdict, and changes of its packet. `Queue.verdict` makes and sends them."""

    number: Int = NfGenMsg.res_id  # of the queue
    verdict_hdr: Field[VerdictHdr | None] = struct(2, VerdictHdr)  # NFQA_VERDICT_HDR
    mark: Int = be32(3)  # NFQA_MARK
    payload: Bytes = binary(10)  # NFQA_PAYLOAD
    ct: Field[Flow | None] = nested(11, Flow, rare=True)  # NFQA_CT
    expect: Field[Expect | None] = nested(15, Expect, rare=True)  # NFQA_EXP, only together with ct
    vlan: Field[VLAN | None] = nested(19, VLAN, rare=True)  # NFQA_VLAN
    l2hdr: Bytes = binary(20)  # NFQA_L2HDR
    priority: Int = be32(21)  # NFQA_PRIORITY


class PriorityProbe(AttributeSet, header=NfGenMsg):
    """A verdict with half a priority: only a kernel that knows the attribute refuses it with ERANGE."""

    number: Int = NfGenMsg.res_id
    verdict_hdr: Field[VerdictHdr | None] = struct(2, VerdictHdr)  # NFQA_VERDICT_HDR
    priority: Int = be16(21)  # NFQA_PRIORITY
