"""This library's xfrm.

dump batch|fields|iter [loops=N]    policies
"""

from __future__ import annotations

import sys

from bench.peers.peer import Result, option
from netlink import xfrm


def dump(how: str, loops: int) -> Result:
    with xfrm.dial() as ipsec:
        result = Result()
        for _ in range(loops):
            if how == "iter":
                result.items += sum(len(part) for part in ipsec.iterate(ipsec.calls.policies()))
                continue
            batch = ipsec.policies()
            result.items += len(batch)
            if how == "fields":
                for each in batch:
                    result.sum += (each.index or 0) + (each.priority or 0)
                    result.sum += each.tmpl[0].reqid or 0 if each.tmpl else 0
            del batch
        result.stop()
    return result


def main() -> None:
    work, how = sys.argv[1:3]
    loops = option("loops", 1)
    if work != "dump":
        raise SystemExit(__doc__)
    dump(how, loops).finish(loops)


if __name__ == "__main__":
    main()
