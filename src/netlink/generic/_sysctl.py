"""What sysctls tell of the machine: warnings, and its first network namespace."""

from __future__ import annotations

from pathlib import Path

from netlink._io.warn import warn
from netlink._transport import read_in_netns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike

__all__ = ["is_first_netns", "warn_without_delays"]


def warn_without_delays() -> None:
    """Warn if the kernel does not account the delays of tasks."""
    try:
        enabled = Path("/proc/sys/kernel/task_delayacct").read_text(encoding="ascii").strip() != "0"
    except OSError:  # before Linux 5.14
        return
    if not enabled:
        warn(
            "kernel.task_delayacct is 0: tasks have no delays but those of their CPU; set it to 1 before the tasks "
            "begin, or ask with delays=False"
        )


def is_first_netns(netns: int | str | PathLike[str] | None) -> bool:
    """Whether a network namespace is the first one of the machine. True if there is no /proc to tell."""

    def has(name: str) -> bool:
        try:
            return bool(read_in_netns(netns, f"/proc/sys/net/core/{name}"))
        except OSError:
            return False

    # The former is a setting of the machine, the latter of each namespace.
    return has("netdev_max_backlog") or not has("somaxconn")
