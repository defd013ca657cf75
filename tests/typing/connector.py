"""What type checkers must know of process events. Checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import Never, assert_type

from netlink import Message, Overrun, connector
from netlink.connector import Packet, ProcEvent, ProcEvents, w1
from netlink.family import Call
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


def one_wire() -> None:
    with w1.dial(netns="blue") as bus:
        assert_type(bus.masters(), list[int])
        assert_type(bus.slaves(1), list[w1.SlaveID])
        assert_type(bus.search(1, alarm=True), list[w1.SlaveID])
        assert_type(bus.reset(1), bool)
        assert_type(bus.add_slave(1, "28-000000000001"), None)
        assert_type(bus.transact("28-000000000001", [w1.Cmd.write(b"1"), w1.Cmd.read(9)]), list[bytes])
        assert_type(bus.calls.read(1, 9), Call[bytes])
        bus.reset("1")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(w1.listen(), Stream[w1.Event, Never])
    assert_type(w1.listen(on_overrun="mark"), Stream[w1.Event, Overrun])


async def one_wire_async() -> None:
    async with w1.dial_async() as bus:
        assert_type(await bus.masters(), list[int])
        assert_type(await bus.write("28-000000000001", b"1"), None)
