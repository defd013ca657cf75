"""What type checkers must know of uevents. Checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import Never, assert_type

from netlink import Overrun, kobject_uevent
from netlink.kobject_uevent import Uevent
from netlink.schema import Batch
from netlink.stream import Stream


def devices() -> None:
    assert_type(kobject_uevent.listen(), Stream[Uevent, Never])
    assert_type(kobject_uevent.listen("udev", subsystems=["usb"], on_overrun="mark"), Stream[Uevent, Overrun])
    kobject_uevent.listen("systemd")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    with kobject_uevent.listen(netns="blue") as stream:
        assert_type(stream.read(timeout=1), Batch[Uevent])
        for event in stream:
            assert_type(event, Uevent)
            assert_type(event.seqnum, int | None)
            assert_type(event.properties, dict[str, str])


async def devices_async() -> None:
    async for event in kobject_uevent.listen():
        assert_type(event.action, str | None)


assert_type(kobject_uevent.parse(b""), Uevent)
