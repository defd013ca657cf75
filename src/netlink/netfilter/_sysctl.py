"""Warnings of sysctls that disable parts of conntrack."""

from __future__ import annotations

from netlink._io.warn import warn
from netlink._transport import read_in_netns
from netlink.netfilter.conntrack.records import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from os import PathLike

    from netlink.config import Config

    Netns = int | str | PathLike[str] | None

__all__ = ["warn_of_events", "warn_of_zero"]


def _value(netns: Netns, name: str) -> int | None:
    """A sysctl below net.netfilter in a network namespace; None if it cannot be read."""
    try:
        return int(read_in_netns(netns, f"/proc/sys/net/netfilter/{name}"))
    except (OSError, ValueError):
        return None


def warn_of_events(netns: Netns, events: Event, needs: Collection[str]) -> None:
    """Warn of events that the kernel does not send, and of needs ("counters", "timestamp") that DESTROY events lack."""
    mode = _value(netns, "nf_conntrack_events")
    if mode == 0:
        warn("net.netfilter.nf_conntrack_events is 0: the kernel sends no events; set it to 1 before the flows begin")
    elif mode == 2 and events != Event.NEW and _value(netns, "nf_conntrack_count"):
        warn(
            "net.netfilter.nf_conntrack_events is 2: flows in the table that began without a listener never send "
            "events, whatever you set now: dump them; with 1, flows that begin from then on always do"
        )
    for name, what in (("acct", "counters"), ("timestamp", "timestamp")):
        if what in needs and _value(netns, f"nf_conntrack_{name}") == 0:
            warn(
                f"net.netfilter.nf_conntrack_{name} is 0: DESTROY events have no {what}; "
                "set it to 1 before the flows begin, or leave it out of needs="
            )


def warn_of_zero(config: Config | None) -> None:
    """Warn if flows have no counters to set to 0. config: that of the connection, None for a test double.

    Call it before the counters are set to 0: a warning may be raised as an error.
    """
    if config is not None and _value(config.netns, "nf_conntrack_acct") == 0:
        warn(
            "net.netfilter.nf_conntrack_acct is 0: flows have no counters to set to 0; "
            "set it to 1 before the flows begin"
        )
