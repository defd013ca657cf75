"""Families from the kernel's own specifications, YNL: Documentation/netlink/specs of its source.

    from netlink import ynl
    from netlink.family import dial

    Ethtool = ynl.load("ethtool")
    with dial(Ethtool, netns="blue") as eth:
        rings = eth.rings_get.do(header={"dev_name": "eth0"})
        eth.rings_set.do(header={"dev-name": "eth0"}, rx=4096)
        for link in eth.linkinfo_get.dump():
            print(link.header.dev_name, link.port)

`python -m netlink.ynl` does the same from the command line.
"""

from __future__ import annotations

from netlink.ynl.errors import SpecError, SpecWarning
from netlink.ynl.family import BoundOperation, Operation, SpecFamily, load
from netlink.ynl.files import available

__all__ = ["BoundOperation", "Operation", "SpecError", "SpecFamily", "SpecWarning", "available", "load"]
