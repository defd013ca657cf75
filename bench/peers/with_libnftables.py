"""libnftables through its Python module, which Debian has for its own interpreter alone: commands and answers as JSON.

add count=N             json_cmd, of one command with all elements, made before
networks count=N        json_cmd, of one command with all networks, made before
load count=N            json_cmd, of a command for each rule, made before
dump elements|rules     cmd, and json.loads of what it prints
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from bench.peers.peer import Result, option
from bench.peers.with_nft import LIST, address, network, read

sys.path.append("/usr/lib/python3/dist-packages")


def commands(work: str, count: int) -> list[Any]:
    place = {"family": "ip", "table": "bench"}
    if work == "add":
        return [{"add": {"element": {**place, "name": "s", "elem": [str(address(i)) for i in range(count)]}}}]

    if work == "networks":
        ends = [{"addr": str(one.network_address), "len": one.prefixlen} for one in map(network, range(count))]
        return [{"add": {"element": {**place, "name": "n", "elem": [{"prefix": one} for one in ends]}}}]

    def match(protocol: str, field: str, value: object) -> dict[str, Any]:
        return {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": field}}, "right": value}}

    return [
        {
            "add": {
                "rule": {
                    **place,
                    "chain": "in",
                    "expr": [
                        match("ip", "saddr", str(address(i))),
                        match("tcp", "dport", 1 + i),
                        {"counter": None},
                        {"accept": None},
                    ],
                }
            }
        }
        for i in range(count)
    ]


def main() -> None:
    work, count = sys.argv[1], option("count")
    nft: Any = importlib.import_module("nftables").Nftables()
    if work in ("add", "networks", "load"):
        made = {"nftables": commands(work, count)}
        result = Result()
        status, _, error = nft.json_cmd(made)
        result.items = count
    elif work == "dump":
        nft.set_json_output(True)
        result = Result()
        status, output, error = nft.cmd(" ".join(LIST[sys.argv[2]]))
        if not status:
            result.items, result.sum = read(sys.argv[2], output)
    else:
        raise SystemExit(__doc__)
    if status:
        raise SystemExit(str(error))
    result.finish()


if __name__ == "__main__":
    main()
