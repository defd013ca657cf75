"""What type checkers must know of netlink.audit. Checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import Never, assert_type

from netlink import Conn, Overrun, audit
from netlink.aio import AsyncConn
from netlink.audit import Event, Record, RecordType, Status
from netlink.family import Call
from netlink.schema import Batch
from netlink.stream import Stream


def log() -> None:
    assert_type(audit.listen(), Stream[Event, Never])
    assert_type(audit.listen(on_overrun="mark", hold=0.5), Stream[Event, Overrun])
    assert_type(audit.listen(reassemble=False), Stream[Record, Never])
    assert_type(audit.listen(reassemble=False, on_overrun="mark"), Stream[Record, Overrun])
    audit.listen(on_overrun="resync")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    with audit.listen(netns="blue") as stream:
        assert_type(stream.read(timeout=1), Batch[Event])
        for event in stream:
            assert_type(event.records, tuple[Record, ...] | None)
            for record in event.records or ():
                assert_type(record.type, RecordType | None)
                assert_type(record.fields, dict[str, str])
    assert_type(audit.parse(b""), Record)


def state() -> None:
    with audit.dial() as system:
        assert_type(system, audit.Conn[Conn])
        assert_type(system.status(), Status)
        assert_type(system.calls.status(), Call[Status])


async def from_a_loop() -> None:
    async with audit.dial_async() as system:
        assert_type(system, audit.Conn[AsyncConn])
        assert_type((await system.status()).lost, int | None)
    async for event in audit.listen():
        assert_type(event, Event)
