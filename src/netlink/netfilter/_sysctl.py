"""The sysctls without which conntrack does not do what was asked for."""

from __future__ import annotations

import warnings as _warnings

from netlink._transport import read_in_netns
from netlink.errors import NetlinkWarning
from netlink.netfilter.conntrack.records import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike

    Netns = int | str | PathLike[str] | None

__all__ = ["warn_of_events", "warn_of_zero"]


def _value(netns: Netns, name: str) -> int | None:
    """A sysctl below net.netfilter in a network namespace; None where there is none to be read."""
    try:
        return int(read_in_netns(netns, f"/proc/sys/net/netfilter/{name}"))
    except (OSError, ValueError):
        return None


def _warn(name: str, value: int, what: str) -> None:
    # The caller of listen() or dump() is three frames up.
    _warnings.warn(f"net.netfilter.{name} is {value}: {what}", NetlinkWarning, stacklevel=4)


def warn_of_events(netns: Netns, events: Event) -> None:
    """Of the events that will not come, and of what they will not have."""
    told = _value(netns, "nf_conntrack_events")
    if told == 0:
        _warn("nf_conntrack_events", 0, "the kernel sends no events; set it to 1 or 2")
    elif told == 2 and _value(netns, "nf_conntrack_count"):
        _warn("nf_conntrack_events", 2, "flows that began before anybody listened never send events; set it to 1")
    if events & Event.DESTROY:
        if _value(netns, "nf_conntrack_acct") == 0:
            _warn("nf_conntrack_acct", 0, "DESTROY events have no counters; set it to 1 before the flows begin")
        if _value(netns, "nf_conntrack_timestamp") == 0:
            _warn("nf_conntrack_timestamp", 0, "DESTROY events have no timestamp; set it to 1 before the flows begin")


def warn_of_zero(netns: Netns) -> None:
    """Of counters that are not there to be read and set to 0."""
    if _value(netns, "nf_conntrack_acct") == 0:
        _warn("nf_conntrack_acct", 0, "flows have no counters to be set to 0; set it to 1 before the flows begin")
