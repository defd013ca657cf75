"""Modules that are removed and loaded again, with which a family of generic netlink gets another number."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
from enum import IntEnum
from typing import Any

import pytest

from kernel.tools import eventually
from netlink import OpError, generic
from netlink.family import C, Do, Dump, Listen, dial, dial_async
from netlink.schema import AttributeSet, Int, IPv4, Member, event, ipv4, u8, u16, u32
from pace import SLOWNESS


class Command(IntEnum):
    """Commands of l2tp (L2TP_CMD_*), linux/l2tp.h."""

    TUNNEL_CREATE = 1  # L2TP_CMD_TUNNEL_CREATE
    TUNNEL_DELETE = 2  # L2TP_CMD_TUNNEL_DELETE
    TUNNEL_GET = 4  # L2TP_CMD_TUNNEL_GET


class Tunnel(AttributeSet):
    encapsulation: Int = u16(2)  # L2TP_ATTR_ENCAP_TYPE
    protocol: Int = u8(7)  # L2TP_ATTR_PROTO_VERSION
    id: Int = u32(9)  # L2TP_ATTR_CONN_ID
    peer: Int = u32(10)  # L2TP_ATTR_PEER_CONN_ID
    saddr: IPv4 = ipv4(24)  # L2TP_ATTR_IP_SADDR
    daddr: IPv4 = ipv4(25)  # L2TP_ATTR_IP_DADDR
    sport: Int = u16(26)  # L2TP_ATTR_UDP_SPORT
    dport: Int = u16(27)  # L2TP_ATTR_UDP_DPORT
    what: Member[Command] = event(Command)


class Tunnels(generic.Family[C], name="l2tp", needs="CONFIG_L2TP"):
    create = Do(Command.TUNNEL_CREATE, Tunnel)
    delete = Do(Command.TUNNEL_DELETE, Tunnel)
    get = Do(Command.TUNNEL_GET, Tunnel, Tunnel)
    dump = Dump(Command.TUNNEL_GET, Tunnel)
    listen = Listen({Command.TUNNEL_CREATE: (Tunnel, Command.TUNNEL_CREATE)}, groups=["l2tp"], state=dump)


def tunnel(number: int) -> Tunnel:
    return Tunnel(
        encapsulation=0,  # L2TP_ENCAPTYPE_UDP
        protocol=3,
        id=number,
        peer=number,
        saddr="127.0.0.1",
        daddr="127.0.0.1",
        sport=5000 + number,
        dport=5000,
    )


def modprobe(*arguments: str) -> str:
    """What modprobe says if it fails, else nothing."""
    run = subprocess.run(["modprobe", *arguments], capture_output=True, text=True, timeout=30 * SLOWNESS, check=False)
    return run.stderr.strip() or "it failed" if run.returncode else ""


def load() -> None:
    """Load the module, or skip the test."""
    if os.environ.get("NETLINK_TEST_MODULES") != "1":
        pytest.skip("modules are loaded and removed in a guest alone: NETLINK_TEST_MODULES=1")
    if shutil.which("modprobe") is None:
        pytest.skip("there is no modprobe")
    refused = modprobe("l2tp_netlink")
    if refused:
        pytest.skip(f"modprobe l2tp_netlink: {refused}")


def remove() -> None:
    """Remove the module, which stays while there are tunnels: those of a namespace that is gone end a while later."""
    eventually(lambda: not modprobe("-r", "l2tp_netlink"), "removed: l2tp_netlink", 20)


def reload() -> None:
    """The family gets another number: the kernel counts on."""
    remove()
    load()


@pytest.fixture(autouse=True)
def loaded() -> None:
    load()


def number() -> int:
    with generic.dial() as ctrl:
        return ctrl.get_family("l2tp").id or 0


def test_calls_look_the_number_up_again() -> None:
    with dial(Tunnels) as tunnels:
        assert not len(tunnels.dump())
        before = number()
        reload()
        assert number() != before
        assert not len(tunnels.dump())
        reload()
        tunnels.create(tunnel(1))
        assert tunnels.get(id=1).peer == 1
        with pytest.raises(OpError) as caught:
            tunnels.get(id=2)
        assert caught.value.errno in (errno.ENODEV, errno.ENOENT)


def test_many_calls_look_the_number_up_again() -> None:
    with dial(Tunnels) as tunnels:
        assert not len(tunnels.dump())
        reload()
        answers = tunnels.conn.execute_all(tunnels.calls.create(tunnel(n)) for n in range(1, 30))
        assert answers == [None] * 29
        assert sorted(one.id or 0 for one in tunnels.dump()) == [*range(1, 30)]


def test_tasks_look_the_number_up_again() -> None:
    async def main() -> None:
        async with dial_async(Tunnels) as tunnels:
            assert not len(await tunnels.dump())
            reload()
            await tunnels.create(tunnel(1))
            assert [one.id for one in await tunnels.dump()] == [1]

    asyncio.run(main())


@pytest.mark.parametrize("policy", ["raise", "mark", "resync"])
def test_a_stream_reports_that_its_family_is_gone(policy: Any) -> None:
    with dial(Tunnels) as tunnels:
        with tunnels.listen(on_overrun=policy) as stream:
            tunnels.create(tunnel(1))
            assert next(stream).id == 1
            tunnels.delete(id=1)
            remove()
            for _ in range(2):
                with pytest.raises(FileNotFoundError, match="removed the family") as caught:
                    next(stream)
                assert isinstance(caught.value, OpError)
                load()
        with tunnels.listen(on_overrun=policy) as stream:
            tunnels.create(tunnel(3))
            assert next(stream).id == 3


def test_a_task_that_waits_hears_that_the_family_is_gone() -> None:
    async def main() -> None:
        with dial(Tunnels) as tunnels, tunnels.listen() as stream:
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            await asyncio.to_thread(remove)
            with pytest.raises(FileNotFoundError, match="removed the family"):
                await waiting

    asyncio.run(main())
