"""Dumps in parts, each received by a thread of its own, for families whose kernel can filter by complements.

A verb of a family returns `Call.of_parts(Parts(...))`; see `dump(parallel=)` of `netlink.netfilter.conntrack`.
"""

from netlink._io.parts import ROWS_MIN, Leaf, Parts, check_parallel, split

__all__ = ["ROWS_MIN", "Leaf", "Parts", "check_parallel", "split"]
