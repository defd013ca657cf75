"""What type checkers must know of netlink.crypto. Checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import assert_type

from netlink import Conn, crypto
from netlink.aio import AsyncConn
from netlink.crypto import Algorithm, Flags, Report, ReportHash, Statistics
from netlink.family import Call
from netlink.schema import Batch


def algorithms() -> None:
    with crypto.dial() as cr:
        assert_type(cr, crypto.Conn[Conn])
        assert_type(cr.algorithms(), Batch[Algorithm])
        assert_type(cr.implementations("sha256"), list[Algorithm])
        algorithm = cr.get(driver_name="sha256-generic")
        assert_type(algorithm, Algorithm)
        assert_type(algorithm.name, str)
        assert_type(algorithm.flags, Flags | None)
        assert_type(algorithm.hash, ReportHash | None)
        assert_type(algorithm.report, Report | None)
        assert_type(cr.create("cbc(aes)"), None)
        assert_type(cr.calls.delete("cbc(aes-generic)"), Call[None])
        assert_type(cr.statistics("sha256"), Statistics)
        assert_type(cr.delete_rng(), None)
        cr.update("sha256-generic")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


async def algorithms_async() -> None:
    async with crypto.dial_async() as cr:
        assert_type(cr, crypto.Conn[AsyncConn])
        assert_type(await cr.implementations("sha256"), list[Algorithm])
        assert_type(await cr.get("sha256"), Algorithm)
        assert_type(await cr.update("sha256-generic", priority=1), None)
