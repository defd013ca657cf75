"""Counters of links: linux/if_link.h."""

from __future__ import annotations

from netlink.schema import Int, Struct, u8, u16, u32, u64

__all__ = ["LinkMap", "LinkStats32"]


class LinkStats32(Struct):
    """struct rtnl_link_stats: the lower 32 bits of the counters."""

    rx_packets: Int = u32()
    tx_packets: Int = u32()
    rx_bytes: Int = u32()
    tx_bytes: Int = u32()
    rx_errors: Int = u32()
    tx_errors: Int = u32()
    rx_dropped: Int = u32()
    tx_dropped: Int = u32()
    multicast: Int = u32()
    collisions: Int = u32()
    rx_length_errors: Int = u32()
    rx_over_errors: Int = u32()
    rx_crc_errors: Int = u32()
    rx_frame_errors: Int = u32()
    rx_fifo_errors: Int = u32()
    rx_missed_errors: Int = u32()
    tx_aborted_errors: Int = u32()
    tx_carrier_errors: Int = u32()
    tx_fifo_errors: Int = u32()
    tx_heartbeat_errors: Int = u32()
    tx_window_errors: Int = u32()
    rx_compressed: Int = u32()
    tx_compressed: Int = u32()
    rx_nohandler: Int = u32()


class LinkMap(Struct, aligned=True):
    """struct rtnl_link_ifmap: where an old device has its memory, interrupt and ports."""

    mem_start: Int = u64()
    mem_end: Int = u64()
    base_addr: Int = u64()
    irq: Int = u16()
    dma: Int = u8()
    port: Int = u8()
