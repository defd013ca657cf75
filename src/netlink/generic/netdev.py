"""Queues of network devices, their NAPI instances, page pools, statistics, and XDP: linux/netdev.h.

    from netlink.generic import netdev

    with netdev.dial() as conn:
        for queue in conn.dump_queues():
            print(queue.ifindex, queue.type, queue.id, queue.napi_id)

Reads need no privilege. `set_napi` and `bind_rx` need CAP_NET_ADMIN in the initial user namespace.
"""

from __future__ import annotations

import errno
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from netlink import family as _family
from netlink.family import C, Deferred, Do, Dump, Listen
from netlink.generic.genetlink import Family
from netlink.schema import AttributeSet, Field, Int, Items, Member, event, nested, repeated, u32, u64, uint

if TYPE_CHECKING:
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

__all__ = [
    "NAPI",
    "Command",
    "Conn",
    "DMABuf",
    "Device",
    "Event",
    "IOUringInfo",
    "NAPIThreaded",
    "PagePool",
    "PagePoolInfo",
    "PagePoolStats",
    "Queue",
    "QueueID",
    "QueueStats",
    "QueueType",
    "StatsScope",
    "XDPFeatures",
    "XDPMetadata",
    "XSKFeatures",
    "XSKInfo",
    "dial",
    "dial_async",
]


class Command(IntEnum):
    """Requests, and their replies (NETDEV_CMD_*)."""

    DEV_GET = 1  # NETDEV_CMD_DEV_GET
    PAGE_POOL_GET = 5  # NETDEV_CMD_PAGE_POOL_GET
    PAGE_POOL_STATS_GET = 9  # NETDEV_CMD_PAGE_POOL_STATS_GET
    QUEUE_GET = 10  # NETDEV_CMD_QUEUE_GET
    NAPI_GET = 11  # NETDEV_CMD_NAPI_GET
    QSTATS_GET = 12  # NETDEV_CMD_QSTATS_GET
    BIND_RX = 13  # NETDEV_CMD_BIND_RX
    NAPI_SET = 14  # NETDEV_CMD_NAPI_SET
    BIND_TX = 15  # NETDEV_CMD_BIND_TX


class XDPFeatures(IntFlag):
    """What a device can do for XDP: enum netdev_xdp_act."""

    BASIC = 0x1  # NETDEV_XDP_ACT_BASIC
    REDIRECT = 0x2  # NETDEV_XDP_ACT_REDIRECT
    NDO_XMIT = 0x4  # NETDEV_XDP_ACT_NDO_XMIT
    XSK_ZEROCOPY = 0x8  # NETDEV_XDP_ACT_XSK_ZEROCOPY
    HW_OFFLOAD = 0x10  # NETDEV_XDP_ACT_HW_OFFLOAD
    RX_SG = 0x20  # NETDEV_XDP_ACT_RX_SG
    NDO_XMIT_SG = 0x40  # NETDEV_XDP_ACT_NDO_XMIT_SG


class XDPMetadata(IntFlag):
    """What XDP programs can ask a device about a packet: enum netdev_xdp_rx_metadata."""

    TIMESTAMP = 0x1  # NETDEV_XDP_RX_METADATA_TIMESTAMP
    HASH = 0x2  # NETDEV_XDP_RX_METADATA_HASH
    VLAN_TAG = 0x4  # NETDEV_XDP_RX_METADATA_VLAN_TAG


class XSKFeatures(IntFlag):
    """What a device can do for AF_XDP: enum netdev_xsk_flags."""

    TX_TIMESTAMP = 0x1  # NETDEV_XSK_FLAGS_TX_TIMESTAMP
    TX_CHECKSUM = 0x2  # NETDEV_XSK_FLAGS_TX_CHECKSUM
    TX_LAUNCH_TIME_FIFO = 0x4  # NETDEV_XSK_FLAGS_TX_LAUNCH_TIME_FIFO


class Event(IntEnum):
    """Notifications (NETDEV_CMD_*_NTF)."""

    DEV_ADD = 2  # NETDEV_CMD_DEV_ADD_NTF
    DEV_DEL = 3  # NETDEV_CMD_DEV_DEL_NTF
    DEV_CHANGE = 4  # NETDEV_CMD_DEV_CHANGE_NTF
    PAGE_POOL_ADD = 6  # NETDEV_CMD_PAGE_POOL_ADD_NTF
    PAGE_POOL_DEL = 7  # NETDEV_CMD_PAGE_POOL_DEL_NTF
    PAGE_POOL_CHANGE = 8  # NETDEV_CMD_PAGE_POOL_CHANGE_NTF


class QueueType(IntEnum):
    """Directions of queues: enum netdev_queue_type."""

    RX = 0  # NETDEV_QUEUE_TYPE_RX
    TX = 1  # NETDEV_QUEUE_TYPE_TX


class NAPIThreaded(IntEnum):
    """Whether NAPI has a thread of its own: enum netdev_napi_threaded."""

    DISABLED = 0  # NETDEV_NAPI_THREADED_DISABLED
    ENABLED = 1  # NETDEV_NAPI_THREADED_ENABLED
    BUSY_POLL = 2  # NETDEV_NAPI_THREADED_BUSY_POLL


class StatsScope(IntFlag):
    """What statistics are of: enum netdev_qstats_scope."""

    QUEUE = 0x1  # NETDEV_QSTATS_SCOPE_QUEUE


class Device(AttributeSet, ignore=(2,)):
    """A device and what it can do for XDP (NETDEV_A_DEV_*).

    xdp_zc_max_segs: fragments of a packet without copies. event: what a stream reports.
    """

    ifindex: Int = u32(1)  # NETDEV_A_DEV_IFINDEX
    xdp_features: Member[XDPFeatures] = u64(3, enum=XDPFeatures)  # NETDEV_A_DEV_XDP_FEATURES
    xdp_zc_max_segs: Int = u32(4)  # NETDEV_A_DEV_XDP_ZC_MAX_SEGS
    xdp_rx_metadata_features: Member[XDPMetadata] = u64(5, enum=XDPMetadata)  # NETDEV_A_DEV_XDP_RX_METADATA_FEATURES
    xsk_features: Member[XSKFeatures] = u64(6, enum=XSKFeatures)  # NETDEV_A_DEV_XSK_FEATURES
    event: Member[Event] = event(Event)


class IOUringInfo(AttributeSet):
    """Memory of io_uring: it has no attributes."""


class PagePool(AttributeSet):
    """A pool of pages for a driver's packets (NETDEV_A_PAGE_POOL_*).

    inflight: pages that are in use. inflight_mem: the same in bytes. detach_time: when the driver gave it up, in
    seconds since boot; None if it has not. dmabuf: the `id` of a `DMABuf`. io_uring: not None if it is memory of
    io_uring.
    """

    id: Int = uint(1)  # NETDEV_A_PAGE_POOL_ID
    ifindex: Int = u32(2)  # NETDEV_A_PAGE_POOL_IFINDEX
    napi_id: Int = uint(3)  # NETDEV_A_PAGE_POOL_NAPI_ID
    inflight: Int = uint(4)  # NETDEV_A_PAGE_POOL_INFLIGHT
    inflight_mem: Int = uint(5)  # NETDEV_A_PAGE_POOL_INFLIGHT_MEM
    detach_time: Int = uint(6)  # NETDEV_A_PAGE_POOL_DETACH_TIME
    dmabuf: Int = u32(7)  # NETDEV_A_PAGE_POOL_DMABUF
    io_uring: Field[IOUringInfo | None] = nested(8, IOUringInfo)  # NETDEV_A_PAGE_POOL_IO_URING
    event: Member[Event] = event(Event)


class PagePoolInfo(AttributeSet):
    """Which pool it is (NETDEV_A_PAGE_POOL_*)."""

    id: Int = uint(1)  # NETDEV_A_PAGE_POOL_ID
    ifindex: Int = u32(2)  # NETDEV_A_PAGE_POOL_IFINDEX


class PagePoolStats(AttributeSet):
    """Statistics of a pool, in pages (NETDEV_A_PAGE_POOL_STATS_*)."""

    info: Field[PagePoolInfo | None] = nested(1, PagePoolInfo)  # NETDEV_A_PAGE_POOL_STATS_INFO
    alloc_fast: Int = uint(8)  # NETDEV_A_PAGE_POOL_STATS_ALLOC_FAST
    alloc_slow: Int = uint(9)  # NETDEV_A_PAGE_POOL_STATS_ALLOC_SLOW
    alloc_slow_high_order: Int = uint(10)  # NETDEV_A_PAGE_POOL_STATS_ALLOC_SLOW_HIGH_ORDER
    alloc_empty: Int = uint(11)  # NETDEV_A_PAGE_POOL_STATS_ALLOC_EMPTY
    alloc_refill: Int = uint(12)  # NETDEV_A_PAGE_POOL_STATS_ALLOC_REFILL
    alloc_waive: Int = uint(13)  # NETDEV_A_PAGE_POOL_STATS_ALLOC_WAIVE
    recycle_cached: Int = uint(14)  # NETDEV_A_PAGE_POOL_STATS_RECYCLE_CACHED
    recycle_cache_full: Int = uint(15)  # NETDEV_A_PAGE_POOL_STATS_RECYCLE_CACHE_FULL
    recycle_ring: Int = uint(16)  # NETDEV_A_PAGE_POOL_STATS_RECYCLE_RING
    recycle_ring_full: Int = uint(17)  # NETDEV_A_PAGE_POOL_STATS_RECYCLE_RING_FULL
    recycle_released_refcnt: Int = uint(18)  # NETDEV_A_PAGE_POOL_STATS_RECYCLE_RELEASED_REFCNT


class XSKInfo(AttributeSet):
    """An AF_XDP socket: it has no attributes."""


class Queue(AttributeSet):
    """A queue of a device (NETDEV_A_QUEUE_*).

    dmabuf: the `id` of a `DMABuf`. io_uring: not None if its packets go to memory of io_uring. xsk: not None if an
    AF_XDP socket has it.
    """

    id: Int = u32(1)  # NETDEV_A_QUEUE_ID
    ifindex: Int = u32(2)  # NETDEV_A_QUEUE_IFINDEX
    type: Member[QueueType] = u32(3, enum=QueueType)  # NETDEV_A_QUEUE_TYPE
    napi_id: Int = u32(4)  # NETDEV_A_QUEUE_NAPI_ID
    dmabuf: Int = u32(5)  # NETDEV_A_QUEUE_DMABUF
    io_uring: Field[IOUringInfo | None] = nested(6, IOUringInfo)  # NETDEV_A_QUEUE_IO_URING
    xsk: Field[XSKInfo | None] = nested(7, XSKInfo)  # NETDEV_A_QUEUE_XSK


class NAPI(AttributeSet):
    """A NAPI instance, which polls queues (NETDEV_A_NAPI_*).

    pid: of its thread. defer_hard_irqs: polls without a packet before interrupts are on again. gro_flush_timeout,
    irq_suspend_timeout: nanoseconds.
    """

    ifindex: Int = u32(1)  # NETDEV_A_NAPI_IFINDEX
    id: Int = u32(2)  # NETDEV_A_NAPI_ID
    irq: Int = u32(3)  # NETDEV_A_NAPI_IRQ
    pid: Int = u32(4)  # NETDEV_A_NAPI_PID
    defer_hard_irqs: Int = u32(5)  # NETDEV_A_NAPI_DEFER_HARD_IRQS
    gro_flush_timeout: Int = uint(6)  # NETDEV_A_NAPI_GRO_FLUSH_TIMEOUT
    irq_suspend_timeout: Int = uint(7)  # NETDEV_A_NAPI_IRQ_SUSPEND_TIMEOUT
    threaded: Member[NAPIThreaded] = u32(8, enum=NAPIThreaded)  # NETDEV_A_NAPI_THREADED


class QueueStats(AttributeSet):
    """Statistics of a device, or of one of its queues (NETDEV_A_QSTATS_*).

    scope: asks for each queue by itself. queue_type, queue_id: None for the sum of a device. A driver has some of
    these fields.
    """

    ifindex: Int = u32(1)  # NETDEV_A_QSTATS_IFINDEX
    queue_type: Member[QueueType] = u32(2, enum=QueueType)  # NETDEV_A_QSTATS_QUEUE_TYPE
    queue_id: Int = u32(3)  # NETDEV_A_QSTATS_QUEUE_ID
    scope: Member[StatsScope] = uint(4, enum=StatsScope)  # NETDEV_A_QSTATS_SCOPE
    rx_packets: Int = uint(8)  # NETDEV_A_QSTATS_RX_PACKETS
    rx_bytes: Int = uint(9)  # NETDEV_A_QSTATS_RX_BYTES
    tx_packets: Int = uint(10)  # NETDEV_A_QSTATS_TX_PACKETS
    tx_bytes: Int = uint(11)  # NETDEV_A_QSTATS_TX_BYTES
    rx_alloc_fail: Int = uint(12)  # NETDEV_A_QSTATS_RX_ALLOC_FAIL
    rx_hw_drops: Int = uint(13)  # NETDEV_A_QSTATS_RX_HW_DROPS
    rx_hw_drop_overruns: Int = uint(14)  # NETDEV_A_QSTATS_RX_HW_DROP_OVERRUNS
    rx_csum_complete: Int = uint(15)  # NETDEV_A_QSTATS_RX_CSUM_COMPLETE
    rx_csum_unnecessary: Int = uint(16)  # NETDEV_A_QSTATS_RX_CSUM_UNNECESSARY
    rx_csum_none: Int = uint(17)  # NETDEV_A_QSTATS_RX_CSUM_NONE
    rx_csum_bad: Int = uint(18)  # NETDEV_A_QSTATS_RX_CSUM_BAD
    rx_hw_gro_packets: Int = uint(19)  # NETDEV_A_QSTATS_RX_HW_GRO_PACKETS
    rx_hw_gro_bytes: Int = uint(20)  # NETDEV_A_QSTATS_RX_HW_GRO_BYTES
    rx_hw_gro_wire_packets: Int = uint(21)  # NETDEV_A_QSTATS_RX_HW_GRO_WIRE_PACKETS
    rx_hw_gro_wire_bytes: Int = uint(22)  # NETDEV_A_QSTATS_RX_HW_GRO_WIRE_BYTES
    rx_hw_drop_ratelimits: Int = uint(23)  # NETDEV_A_QSTATS_RX_HW_DROP_RATELIMITS
    tx_hw_drops: Int = uint(24)  # NETDEV_A_QSTATS_TX_HW_DROPS
    tx_hw_drop_errors: Int = uint(25)  # NETDEV_A_QSTATS_TX_HW_DROP_ERRORS
    tx_csum_none: Int = uint(26)  # NETDEV_A_QSTATS_TX_CSUM_NONE
    tx_needs_csum: Int = uint(27)  # NETDEV_A_QSTATS_TX_NEEDS_CSUM
    tx_hw_gso_packets: Int = uint(28)  # NETDEV_A_QSTATS_TX_HW_GSO_PACKETS
    tx_hw_gso_bytes: Int = uint(29)  # NETDEV_A_QSTATS_TX_HW_GSO_BYTES
    tx_hw_gso_wire_packets: Int = uint(30)  # NETDEV_A_QSTATS_TX_HW_GSO_WIRE_PACKETS
    tx_hw_gso_wire_bytes: Int = uint(31)  # NETDEV_A_QSTATS_TX_HW_GSO_WIRE_BYTES
    tx_hw_drop_ratelimits: Int = uint(32)  # NETDEV_A_QSTATS_TX_HW_DROP_RATELIMITS
    tx_stop: Int = uint(33)  # NETDEV_A_QSTATS_TX_STOP
    tx_wake: Int = uint(34)  # NETDEV_A_QSTATS_TX_WAKE


class QueueID(AttributeSet):
    """A queue of a request (NETDEV_A_QUEUE_*)."""

    id: Int = u32(1)  # NETDEV_A_QUEUE_ID
    type: Member[QueueType] = u32(3, enum=QueueType)  # NETDEV_A_QUEUE_TYPE


class DMABuf(AttributeSet):
    """A dmabuf that queues of a device write to, or send from (NETDEV_A_DMABUF_*).

    fd: the descriptor of the dmabuf. id: the number of the binding.
    """

    ifindex: Int = u32(1)  # NETDEV_A_DMABUF_IFINDEX
    queues: Items[QueueID] = repeated(2, QueueID)  # NETDEV_A_DMABUF_QUEUES
    fd: Int = u32(3)  # NETDEV_A_DMABUF_FD
    id: Int = u32(4)  # NETDEV_A_DMABUF_ID


class Conn(Family[C], name="netdev", needs="Linux 6.3 or later"):
    """Requests to netdev. Devices are numbers of interfaces.

    `set_napi` and `bind_rx` need CAP_NET_ADMIN in the initial user namespace, all others no privilege.
    """

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the initial user namespace",
        errno.EOPNOTSUPP: "the device's driver does not have this, or the kernel is older",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    get_device = Do(Command.DEV_GET, Device, Device, answer=Command.DEV_GET, doc="A device, by its `ifindex`.")
    dump_devices = Dump(Command.DEV_GET, None, Device, answer=Command.DEV_GET, doc="All devices.")
    get_queue = Do(
        Command.QUEUE_GET, Queue, Queue, answer=Command.QUEUE_GET, doc="A queue, by its `ifindex`, `type` and `id`."
    )
    dump_queues = Dump(
        Command.QUEUE_GET,
        Queue,
        answer=Command.QUEUE_GET,
        doc="The queues of all devices that are up, or of one `ifindex`.",
    )
    get_napi = Do(Command.NAPI_GET, NAPI, NAPI, answer=Command.NAPI_GET, doc="A NAPI instance, by its `id`.")
    dump_napis = Dump(
        Command.NAPI_GET,
        NAPI,
        answer=Command.NAPI_GET,
        doc="The NAPI instances of all devices that are up, or of one `ifindex`.",
    )
    set_napi = Do(Command.NAPI_SET, NAPI, doc="Change a NAPI instance, by its `id`.")
    dump_stats = Dump(
        Command.QSTATS_GET,
        QueueStats,
        answer=Command.QSTATS_GET,
        doc="Statistics of all devices whose drivers have them, or of one `ifindex`.",
    )
    get_page_pool = Do(
        Command.PAGE_POOL_GET, PagePool, PagePool, answer=Command.PAGE_POOL_GET, doc="A page pool, by its `id`."
    )
    dump_page_pools = Dump(Command.PAGE_POOL_GET, None, PagePool, answer=Command.PAGE_POOL_GET, doc="All page pools.")
    get_page_pool_stats = Do(
        Command.PAGE_POOL_STATS_GET,
        PagePoolStats,
        PagePoolStats,
        answer=Command.PAGE_POOL_STATS_GET,
        hints={errno.EOPNOTSUPP: "it needs CONFIG_PAGE_POOL_STATS"},
        doc="Statistics of a page pool, by its `info`.",
    )
    dump_page_pool_stats = Dump(
        Command.PAGE_POOL_STATS_GET,
        None,
        PagePoolStats,
        answer=Command.PAGE_POOL_STATS_GET,
        hints={errno.EOPNOTSUPP: "it needs CONFIG_PAGE_POOL_STATS"},
        doc="Statistics of all page pools.",
    )
    bind_rx = Do(
        Command.BIND_RX,
        DMABuf,
        DMABuf,
        answer=Command.BIND_RX,
        doc="Let queues of a device write to a dmabuf, until the connection is closed. The reply has its `id`.",
    )
    bind_tx = Do(
        Command.BIND_TX,
        DMABuf,
        DMABuf,
        answer=Command.BIND_TX,
        doc="Let sockets send from a dmabuf, until the connection is closed. The reply has its `id`.",
    )
    listen = Listen(
        {
            Event.DEV_ADD: (Device, Event.DEV_ADD),
            Event.DEV_DEL: (Device, Event.DEV_DEL),
            Event.DEV_CHANGE: (Device, Event.DEV_CHANGE),
        },
        groups=["mgmt"],
        state=dump_devices,
        doc="Devices that come, go, and change.",
    )
    listen_page_pools = Listen(
        {
            Event.PAGE_POOL_ADD: (PagePool, Event.PAGE_POOL_ADD),
            Event.PAGE_POOL_DEL: (PagePool, Event.PAGE_POOL_DEL),
            Event.PAGE_POOL_CHANGE: (PagePool, Event.PAGE_POOL_CHANGE),
        },
        groups=["page-pool"],
        state=dump_page_pools,
        doc="Page pools that come, go, and change.",
    )


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to netdev. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _family.dial(Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to netdev for asyncio, as `dial`. A plain function, not a coroutine."""
    return _family.dial_async(Conn, config, **options)
