"""Statistics of links: struct if_stats_msg and IFLA_STATS_* of linux/if_link.h."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING, Any

from netlink.consts import RouteGroup
from netlink.route.command import Command
from netlink.route.event import Event
from netlink.route.object import Object
from netlink.schema import AttributeSet, Bytes, Field, Int, Member, Struct, binary, event, pad, struct, u8, u32, u64

__all__ = ["LINK_STATS", "IfStatsMsg", "LinkStats", "LinkStats64", "StatsFilter"]


class StatsFilter(IntFlag):
    """The statistics that a request asks for: IFLA_STATS_FILTER_BIT of each attribute."""

    LINK_64 = 0x01  # IFLA_STATS_LINK_64
    LINK_XSTATS = 0x02  # IFLA_STATS_LINK_XSTATS
    LINK_XSTATS_SLAVE = 0x04  # IFLA_STATS_LINK_XSTATS_SLAVE
    LINK_OFFLOAD_XSTATS = 0x08  # IFLA_STATS_LINK_OFFLOAD_XSTATS
    AF_SPEC = 0x10  # IFLA_STATS_AF_SPEC


class IfStatsMsg(Struct):
    """struct if_stats_msg: the header of statistics. filter_mask: the statistics that a request asks for."""

    family: Int = u8()
    pad1 = pad(3)
    index: Int = u32()
    filter_mask: Member[StatsFilter] = u32(enum=StatsFilter)


class LinkStats64(Struct):
    """struct rtnl_link_stats64: counters of a link."""

    rx_packets: Int = u64()
    tx_packets: Int = u64()
    rx_bytes: Int = u64()
    tx_bytes: Int = u64()
    rx_errors: Int = u64()
    tx_errors: Int = u64()
    rx_dropped: Int = u64()
    tx_dropped: Int = u64()
    multicast: Int = u64()
    collisions: Int = u64()
    rx_length_errors: Int = u64()
    rx_over_errors: Int = u64()
    rx_crc_errors: Int = u64()
    rx_frame_errors: Int = u64()
    rx_fifo_errors: Int = u64()
    rx_missed_errors: Int = u64()
    tx_aborted_errors: Int = u64()
    tx_carrier_errors: Int = u64()
    tx_fifo_errors: Int = u64()
    tx_heartbeat_errors: Int = u64()
    tx_window_errors: Int = u64()
    rx_compressed: Int = u64()
    tx_compressed: Int = u64()
    rx_nohandler: Int = u64()
    rx_otherhost_dropped: Int = u64()


class LinkStats(AttributeSet, header=IfStatsMsg, ignore=(0,)):  # IFLA_STATS_UNSPEC, padding
    """Statistics of a link (IFLA_STATS_*), without all else that a `Link` has.

    The constructor sets filter_mask to LINK_64, unless it is given.
    """

    index: Int = IfStatsMsg.index
    filter_mask: Member[StatsFilter] = IfStatsMsg.filter_mask
    link_64: Field[LinkStats64 | None] = struct(1, LinkStats64)  # IFLA_STATS_LINK_64
    xstats: Bytes = binary(2)  # IFLA_STATS_LINK_XSTATS, attributes of the kind of link
    xstats_slave: Bytes = binary(3)  # IFLA_STATS_LINK_XSTATS_SLAVE, of the kind of its master
    offload_xstats: Bytes = binary(4)  # IFLA_STATS_LINK_OFFLOAD_XSTATS
    af_spec: Bytes = binary(5)  # IFLA_STATS_AF_SPEC
    event: Member[Event] = event(Event)

    if not TYPE_CHECKING:

        def __init__(self, **values: Any) -> None:
            if values.get("header") is None and values.get("filter_mask") is None:
                values["filter_mask"] = StatsFilter.LINK_64
            super().__init__(**values)


def _checked(verb: str, record: LinkStats) -> LinkStats:
    if not record.index:
        raise ValueError("the statistics of a link need its index")
    return record


LINK_STATS = Object(
    LinkStats,
    "link_stats",
    new=Command.NEWSTATS,
    get=Command.GETSTATS,
    create=None,
    groups=[RouteGroup.STATS],
    options=["filter_mask"],
    always={"filter_mask": StatsFilter.LINK_64},
    check=_checked,
)
