#!/usr/bin/env python3
"""The implementations of the kernel's algorithms, those that it prefers first.

    algorithms.py [NAME ...]

Without a NAME, such as sha256 or "cbc(aes)", all that the kernel has now. A star is at the one that who asks for the
name gets. Needs no privilege.
"""

from __future__ import annotations

import argparse
import sys

from netlink import crypto
from netlink.crypto import Algorithm

SIZES = ("blocksize", "digestsize", "min_keysize", "max_keysize", "ivsize", "maxauthsize", "seedsize")


def sizes(algorithm: Algorithm) -> str:
    found = {name: getattr(algorithm.report, name, None) for name in SIZES}
    return " ".join(f"{name}={value}" for name, value in found.items() if value)


def show(names: list[str]) -> None:
    with crypto.dial() as cr:
        table: dict[str, list[Algorithm]] = {}
        for algorithm in cr.algorithms():
            if not algorithm.larval:
                table.setdefault(algorithm.name, []).append(algorithm)
    for name in names:
        if name not in table:
            raise LookupError(f"the kernel has no {name!r} now")
    print(f"  {'priority':>8} {'driver':40} {'kind':12} {'module':16} sizes")
    for name in names or sorted(table):
        for place, each in enumerate(sorted(table[name], key=lambda each: each.priority or 0, reverse=True)):
            mark = " " if place else "*"
            kind = each.kind or "?"
            print(f"{mark} {each.priority:8} {each.driver_name:40} {kind:12} {each.module_name:16} {sizes(each)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", metavar="NAME", nargs="*", help='such as sha256 or "cbc(aes)" (all)')
    try:
        show(parser.parse_args().names)
    except (OSError, LookupError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
