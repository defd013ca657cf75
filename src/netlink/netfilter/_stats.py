"""The counters of conntrack: linux/netfilter/nfnetlink_conntrack.h."""

from __future__ import annotations

from netlink.netfilter._nfnetlink import NfGenMsg
from netlink.schema import AttributeSet, be32

__all__ = ["Stats", "StatsExpect", "StatsGlobal"]


class Stats(AttributeSet, header=NfGenMsg):
    """CTA_STATS_*: what one CPU has counted in this network namespace. Kernels leave out what they no longer count."""

    searched = be32(1)  # CTA_STATS_SEARCHED
    found = be32(2)  # CTA_STATS_FOUND
    new = be32(3)  # CTA_STATS_NEW
    invalid = be32(4)  # CTA_STATS_INVALID
    ignore = be32(5)  # CTA_STATS_IGNORE
    delete = be32(6)  # CTA_STATS_DELETE
    delete_list = be32(7)  # CTA_STATS_DELETE_LIST
    insert = be32(8)  # CTA_STATS_INSERT
    insert_failed = be32(9)  # CTA_STATS_INSERT_FAILED
    drop = be32(10)  # CTA_STATS_DROP
    early_drop = be32(11)  # CTA_STATS_EARLY_DROP
    error = be32(12)  # CTA_STATS_ERROR
    search_restart = be32(13)  # CTA_STATS_SEARCH_RESTART
    clash_resolve = be32(14)  # CTA_STATS_CLASH_RESOLVE
    chain_toolong = be32(15)  # CTA_STATS_CHAIN_TOOLONG

    @property
    def cpu(self) -> int:
        """Whose counters these are: nfgenmsg.res_id."""
        return int(self.header.res_id)


class StatsExpect(AttributeSet, header=NfGenMsg):
    """CTA_STATS_EXP_*: the expectations that one CPU has seen."""

    new = be32(1)  # CTA_STATS_EXP_NEW
    create = be32(2)  # CTA_STATS_EXP_CREATE
    delete = be32(3)  # CTA_STATS_EXP_DELETE

    @property
    def cpu(self) -> int:
        """Whose counters these are: nfgenmsg.res_id."""
        return int(self.header.res_id)


class StatsGlobal(AttributeSet, header=NfGenMsg):
    """CTA_STATS_GLOBAL_*: the table of the network namespace."""

    entries = be32(1)  # CTA_STATS_GLOBAL_ENTRIES
    max_entries = be32(2)  # CTA_STATS_GLOBAL_MAX_ENTRIES
