"""What type checkers must know of process events. Checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import Never, assert_type

from netlink import Message, Overrun, connector
from netlink.connector import Packet, ProcEvent, ProcEvents
from netlink.schema import AttributeSet, Batch, Bytes, rest
from netlink.stream import Stream


class Raw(AttributeSet, header=connector.CnMsg):
    data: Bytes = rest()


def processes() -> None:
    assert_type(connector.processes(), Stream[ProcEvent, Never])
    assert_type(connector.processes(ProcEvents.EXIT, on_overrun="mark"), Stream[ProcEvent, Overrun])
    connector.processes("EXIT")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    with connector.processes(ProcEvents.EXEC | ProcEvents.EXIT) as stream:
        assert_type(stream.read(timeout=1), Batch[ProcEvent])
        for event in stream:
            assert_type(event.what, ProcEvents | None)
            assert_type(event.exit_status, int | None)
            assert_type(event.comm, str | None)


def others() -> None:
    assert_type(connector.listen(8), Stream[Packet, Never])
    assert_type(connector.listen(8, 1, Raw, on_overrun="mark"), Stream[Raw, Overrun])
    assert_type(connector.request(8, 1, b""), Message)
