"""The machine's first namespaces, which the kernel lets do more than others."""

from __future__ import annotations

import fcntl as _fcntl
import os as _os
from contextlib import suppress as _suppress

__all__ = ["another_owner", "another_than_first"]

# Inode numbers: *_NS_INIT_INO of linux/nsfs.h, since ever in include/linux/proc_ns.h of the kernel.
_FIRST = {"user": 0xEFFFFFFD, "pid": 0xEFFFFFFC}
_NS_GET_USERNS = 0xB701  # of linux/nsfs.h


def another_than_first() -> str | None:
    """The kind of namespace, user or pid, of which this process is not in the machine's first one; None if in both."""
    for kind, number in _FIRST.items():
        with _suppress(OSError):  # without /proc nobody can tell
            if _os.stat(f"/proc/self/ns/{kind}").st_ino != number:
                return kind
    return None


def another_owner(netns: int) -> bool:
    """Whether a user namespace that is not the machine's first one owns a network namespace, given as a descriptor.

    False if it cannot be told: the owner may be out of reach.
    """
    try:
        owner = _fcntl.ioctl(netns, _NS_GET_USERNS)
    except OSError:
        return False
    try:
        return _os.fstat(owner).st_ino != _FIRST["user"]
    finally:
        _os.close(owner)
