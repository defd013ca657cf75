"""What type checkers must know of families from specifications. Checked by mypy and pyright, never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

from netlink import ynl
from netlink.family import dial, dial_async
from netlink.schema import Record
from netlink.stream import Stream
from netlink.ynl import BoundOperation, SpecFamily


def families(path: Path, content: dict[str, Any]) -> None:
    ethtool = ynl.load("ethtool", overrides={"version": 2})
    assert_type(ethtool, type[SpecFamily[Any]])
    ynl.load(path)
    ynl.load(content)
    ynl.load(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(ynl.available(), dict[str, Path])
    with dial(ethtool, netns="blue") as opened:
        assert_type(opened, SpecFamily[Any])
        assert_type(opened.rings_get, BoundOperation)
        assert_type(opened["rings-get"], BoundOperation)
        rings = opened.rings_get.do(header={"dev-name": "eth0"}, nlmsg_flags=4)
        assert_type(rings, Any)
        assert_type(opened.dump("rings-get"), Any)
        with opened.listen("monitor", only=["rings-ntf"]) as stream:
            assert_type(stream, Stream[Any, Any])
    assert_type(ethtool.types["rings"], Any)
    assert_type(ethtool.types.Rings, Any)


async def in_an_event_loop(record: Record) -> None:
    async with dial_async(ynl.load("ethtool")) as opened:
        await opened.rings_get.do()
    assert_type(opened.to_dict(record), dict[str, Any])
