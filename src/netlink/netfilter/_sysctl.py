"""Warnings of sysctls that disable parts of conntrack."""

from __future__ import annotations

from netlink._io.warn import warn
from netlink._transport import read_in_netns
from netlink.netfilter.conntrack.records import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
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


def warn_of_events(netns: Netns, events: Event) -> None:
    """Warn of events that the kernel does not send, and of counters and timestamps that DESTROY events lack.

    The warning of counters and timestamps needs a request for DESTROY alone: they are the purpose of such a stream.
    """
    mode = _value(netns, "nf_conntrack_events")
    if mode == 0:
        warn("net.netfilter.nf_conntrack_events is 0: the kernel sends no events; set it to 1 before the flows begin")
    elif mode == 2 and events != Event.NEW and _value(netns, "nf_conntrack_count"):
        warn(
            "net.netfilter.nf_conntrack_events is 2: flows that began without a listener never send events; "
            "set it to 1 before the flows begin"
        )
    if events == Event.DESTROY:
        for name, what in (("acct", "counters"), ("timestamp", "timestamp")):
            if _value(netns, f"nf_conntrack_{name}") == 0:
                warn(
                    f"net.netfilter.nf_conntrack_{name} is 0: DESTROY events have no {what}; "
                    "set it to 1 before the flows begin"
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
