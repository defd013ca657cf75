"""The declarations of expectations: linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h."""

from __future__ import annotations

from enum import IntFlag

from netlink.netfilter._flow import Event, Tuple
from netlink.netfilter._nfnetlink import NfGenMsg
from netlink.schema import AttributeSet, be16, be32, event, nested, string

__all__ = ["Expect", "ExpectFlags", "ExpectNAT"]


class ExpectFlags(IntFlag):
    """NF_CT_EXPECT_*, linux/netfilter/nf_conntrack_common.h."""

    PERMANENT = 1  # NF_CT_EXPECT_PERMANENT
    INACTIVE = 2  # NF_CT_EXPECT_INACTIVE
    USERSPACE = 4  # NF_CT_EXPECT_USERSPACE


class ExpectNAT(AttributeSet):
    """CTA_EXPECT_NAT_*: what the expected flow is translated to."""

    dir = be32(1)  # CTA_EXPECT_NAT_DIR, enum ip_conntrack_dir: 0 original, 1 reply
    tuple = nested(2, Tuple)  # CTA_EXPECT_NAT_TUPLE


class Expect(AttributeSet, header=NfGenMsg):
    """CTA_EXPECT_*: a flow that another one, its master, announces, as FTP does its data connections.

    A packet is expected that is as `tuple` where `mask` has bits.
    """

    master = nested(1, Tuple, required=True)  # CTA_EXPECT_MASTER
    tuple = nested(2, Tuple, required=True)  # CTA_EXPECT_TUPLE
    mask = nested(3, Tuple, required=True)  # CTA_EXPECT_MASK
    timeout = be32(4)  # CTA_EXPECT_TIMEOUT, seconds
    id = be32(5)  # CTA_EXPECT_ID
    helper = string(6)  # CTA_EXPECT_HELP_NAME
    zone = be16(7)  # CTA_EXPECT_ZONE, for requests: the kernel does not report it
    flags = be32(8, enum=ExpectFlags)  # CTA_EXPECT_FLAGS
    class_ = be32(9)  # CTA_EXPECT_CLASS
    nat = nested(10, ExpectNAT, rare=True)  # CTA_EXPECT_NAT
    function = string(11)  # CTA_EXPECT_FN
    event = event(Event)
