"""What type checkers must know of generic netlink. Checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import Never, assert_type

from netlink import Conn, HeaderFlags, Message, generic
from netlink.aio import AsyncConn
from netlink.family import C, Call, Deferred, Do, Dump, Listen, dial, dial_async
from netlink.generic import FamilyInfo, nlctrl
from netlink.schema import AttributeSet, Batch, Field, Int, nested, u32
from netlink.stream import Kind, Resync, Stream


class Key(AttributeSet):
    number: Int = u32(1)


class Device(AttributeSet):
    number: Int = u32(1)
    key: Field[Key | None] = nested(2, Key)


class Devices(generic.Family[C], name="devices", version=2, needs="CONFIG_DEVICES"):
    get = Do(1, Device, Device, answer=2)
    set = Do(2, Device)
    dump = Dump(3, Device)
    listen = Listen({4: Device}, groups=["monitor"], state=dump)
    both = Listen([Kind[Device | Key](4, Device), Kind[Device | Key](5, Key)], groups=["monitor"])


def declared() -> None:
    with dial(Devices) as devices:
        assert_type(devices, Devices[Conn])
        assert_type(devices.get(number=1), Device)
        assert_type(devices.set(key=Key(number=3)), None)
        assert_type(devices.dump(), Batch[Device])
        assert_type(devices.listen(), Stream[Device, Never])
        assert_type(devices.listen(on_overrun="resync"), Stream[Device, Resync])
        assert_type(devices.both(), Stream[Device | Key, Never])
        devices.get(colour=1)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
    assert_type(Devices(Deferred()).get(number=1), Call[Device])


async def declared_async() -> None:
    async with dial_async(Devices) as devices:
        assert_type(await devices.get(number=1), Device)
        assert_type(await devices.dump(), Batch[Device])


def messages() -> None:
    with generic.dial(netns="blue") as conn:
        assert_type(conn, generic.Conn[Conn])
        assert_type(conn.get_family("nlctrl"), FamilyInfo)
        assert_type(conn.list_families(), Batch[FamilyInfo])
        assert_type(conn.execute(generic.Message(3), 16, HeaderFlags.DUMP), list[generic.Message])
        assert_type(conn.send(generic.Message(3, 1, b""), 16), Message)
        assert_type(conn.receive(), tuple[list[generic.Message], list[Message]])
        assert_type(conn.calls.execute(generic.Message(3), 16), Call[list[generic.Message]])


async def messages_async() -> None:
    async with generic.dial_async() as conn:
        assert_type(conn, generic.Conn[AsyncConn])
        assert_type(await conn.execute(generic.Message(3), 16), list[generic.Message])
        assert_type(await conn.send(generic.Message(3), 16), Message)
        assert_type(await conn.receive(), tuple[list[generic.Message], list[Message]])


def controller() -> None:
    with nlctrl.dial() as ctrl:
        assert_type(ctrl, nlctrl.Conn[Conn])
        assert_type(ctrl.get(name="ethtool"), FamilyInfo)
        assert_type(ctrl.calls.get_family(16), Call[FamilyInfo])
        assert_type(ctrl.listen(), Stream[FamilyInfo, Never])
