"""The path manager of Multipath TCP on the real kernel: endpoints and limits as `ip mptcp` has them, and events."""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from socket import AF_INET, AF_INET6
from typing import Any

import pytest

import netns
from kernel.tools import unprivileged
from netlink import Conn, OpError
from netlink.generic import mptcp_pm, nlctrl
from netlink.generic.mptcp_pm import Address, AddressFlags, Endpoint, Event, EventType, Limits, Subflow
from netlink.stream import Stream
from pace import SLOWNESS

IPPROTO_MPTCP = 262
NAMES = {
    "signal": AddressFlags.SIGNAL,
    "subflow": AddressFlags.SUBFLOW,
    "backup": AddressFlags.BACKUP,
    "fullmesh": AddressFlags.FULLMESH,
    "implicit": AddressFlags.IMPLICIT,
}


@pytest.fixture
def pm() -> Iterator[mptcp_pm.Conn]:
    with nlctrl.dial() as ctrl:
        try:
            groups = [group.name for group in ctrl.get_family("mptcp_pm").groups or ()]
        except FileNotFoundError:
            pytest.skip("this kernel has no mptcp_pm in generic netlink")
    if "mptcp_pm_events" not in groups:
        pytest.skip("this kernel's mptcp_pm has no events: want Linux 5.12")
    with mptcp_pm.dial(strict=True) as pm:
        yield pm


def by_iproute(*args: str) -> str:
    if not shutil.which("ip"):
        pytest.skip("there is no ip on this machine")
    run = subprocess.run(["ip", *args], capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"ip on this machine has no mptcp: {run.stderr.strip()}")
    return run.stdout


def endpoints_by_iproute() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(by_iproute("-j", "mptcp", "endpoint", "show") or "[]")
    return found


def as_iproute(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {"address": str(endpoint.addr), "id": endpoint.id}
    if endpoint.port:
        found["port"] = endpoint.port
    if endpoint.if_idx:
        found["dev"] = socket.if_indextoname(endpoint.if_idx)
    return found | {name: True for name, flag in NAMES.items() if flag in (endpoint.flags or 0)}


def test_endpoints_are_those_of_iproute(pm: mptcp_pm.Conn, conn: Conn) -> None:
    index = netns.add_link(conn, "first")
    pm.add(family=AF_INET, addr="192.0.2.1", flags=AddressFlags.SUBFLOW)
    pm.add(Endpoint(family=AF_INET, addr="127.0.0.3", flags=AddressFlags.SIGNAL, id=7, port=4444))
    pm.add(family=AF_INET6, addr="2001:db8::1", flags=AddressFlags.SUBFLOW | AddressFlags.BACKUP, id=9, if_idx=index)
    there = [*pm.dump()]
    assert [endpoint.id for endpoint in there] == [1, 7, 9]
    assert [as_iproute(endpoint) for endpoint in there] == endpoints_by_iproute()
    assert all(endpoint.unknown == () for endpoint in there)
    for endpoint in there:
        assert pm.get(id=endpoint.id) == endpoint
    assert (there[2].family, there[2].if_idx) == (AF_INET6, index)
    pm.set_flags(local=Address(id=1, flags=AddressFlags.BACKUP))
    assert pm.get(id=1).flags == AddressFlags.SUBFLOW | AddressFlags.BACKUP
    pm.set_flags(local=Address(id=1, flags=AddressFlags(0)))
    assert pm.get(id=1).flags == AddressFlags.SUBFLOW
    pm.delete(id=7)
    assert [one["id"] for one in endpoints_by_iproute()] == [1, 9]
    pm.flush()
    assert len(pm.dump()) == 0


def test_limits_are_those_of_iproute(pm: mptcp_pm.Conn) -> None:
    def theirs() -> Limits:
        words = by_iproute("mptcp", "limits", "show").split()
        found = dict(zip(words[::2], map(int, words[1::2]), strict=True))
        return Limits(add_addr_accepted=found["add_addr_accepted"], subflows=found["subflows"])

    assert pm.get_limits() == theirs()
    pm.set_limits(subflows=4, add_addr_accepted=3)
    assert pm.get_limits() == theirs() == Limits(subflows=4, add_addr_accepted=3)
    pm.set_limits(subflows=5)
    assert pm.get_limits() == Limits(subflows=5, add_addr_accepted=3)
    with pytest.raises(OpError) as info:
        pm.set_limits(subflows=1 << 20)
    assert (info.value.errno, info.value.attribute) == (errno.EINVAL, "subflows")


def test_what_the_path_manager_refuses(pm: mptcp_pm.Conn) -> None:
    for ask in (pm.get, pm.delete):
        with pytest.raises(OpError, match="there is no endpoint of that id") as info:
            ask(id=77)
        assert info.value.errno == errno.EINVAL
    for wrong in ({"id": 7}, {"addr": "192.0.2.1"}, {"family": AF_INET}):
        with pytest.raises(OpError, match="an endpoint needs addr= and family=") as info:
            pm.add(**wrong)  # type: ignore[arg-type]
        assert info.value.errno == errno.EINVAL
    pm.add(family=AF_INET, addr="192.0.2.1", flags=AddressFlags.SUBFLOW)
    with pytest.raises(OpError):
        pm.add(family=AF_INET, addr="192.0.2.1", flags=AddressFlags.SUBFLOW)
    for request in (pm.announce, pm.remove, pm.create, pm.destroy):
        with pytest.raises(OpError) as info:
            request(token=1, loc_id=1, local=Address(id=1, family=AF_INET, addr="127.0.0.1"), remote=Address())
        assert info.value.errno in (errno.EINVAL, errno.EOPNOTSUPP)

    def refused() -> str:
        with mptcp_pm.dial() as own:
            try:
                own.flush()
            except PermissionError as error:
                return str(error)
        return ""

    assert "it needs CAP_NET_ADMIN in the user namespace" in unprivileged(refused)
    assert len(pm.dump()) == 1


class Connection:
    """A connection of Multipath TCP over the loopback, as a context."""

    def __init__(self) -> None:
        self.server = self.client = self.peer = None
        try:
            self.server = socket.socket(AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        except OSError as error:
            pytest.skip(f"this kernel has no sockets of MPTCP: {error}")
        self.server.bind(("127.0.0.1", 0))
        self.server.listen()
        self.client = socket.socket(AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        self.client.connect(self.server.getsockname())
        self.peer = self.server.accept()[0]
        self.talk()

    def talk(self) -> None:
        assert self.client is not None
        assert self.peer is not None
        for one, other in ((self.client, self.peer), (self.peer, self.client)):
            one.sendall(b"x")
            assert other.recv(1) == b"x"

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for sock in (self.client, self.peer, self.server):
            if sock is not None:
                sock.close()


def until(events: Stream[Event, Any], kind: EventType, token: int | None = None) -> Event:
    return next(one for one in events if one.event == kind and token in (None, one.token))


def test_events_of_a_connection_and_its_subflows(pm: mptcp_pm.Conn) -> None:
    pm.set_limits(subflows=2)
    with pm.listen() as events:
        with Connection() as connection:
            assert connection.client is not None
            assert connection.server is not None
            port, own = connection.server.getsockname()[1], connection.client.getsockname()[1]
            created = next(one for one in events if one.event == EventType.CREATED and one.dst_port == port)
            assert (created.family, created.src, created.dst) == (AF_INET, ip_address("127.0.0.1"), created.src)
            assert created.src_port == own
            assert created.token
            until(events, EventType.ESTABLISHED, created.token)
            pm.add(family=AF_INET, addr="127.0.0.2", flags=AddressFlags.SUBFLOW, id=5)
            subflow = until(events, EventType.SUB_ESTABLISHED, created.token)
            assert (subflow.src, subflow.dst, subflow.dst_port) == (ip_address("127.0.0.2"), created.dst, port)
            assert (subflow.loc_id, subflow.error or 0) == (5, 0)
            pm.set_flags(local=Address(id=5, flags=AddressFlags.BACKUP))
            assert pm.get(id=5).flags == AddressFlags.SUBFLOW | AddressFlags.BACKUP
            pm.delete(id=5)
            closed = until(events, EventType.SUB_CLOSED, created.token)
            assert (closed.src_port, closed.dst_port) == (subflow.src_port, port)
        assert until(events, EventType.CLOSED, created.token).unknown == ()
        assert events.lost == 0
        with Connection():
            pass
        events.stop()
        kinds = {event.event for event in events}
        assert {EventType.CREATED, EventType.ESTABLISHED} <= kinds


def test_events_in_an_event_loop(pm: mptcp_pm.Conn) -> None:
    async def main() -> Event:
        async with mptcp_pm.dial_async() as own:
            assert (await own.get_limits()).subflows is not None
            async with own.listen() as events:
                with Connection():
                    async for event in events:
                        return event
        raise AssertionError("the stream ended")

    assert asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS)).event in {*EventType}


def userspace() -> None:
    """Let programs manage the connections of this network namespace."""
    for name, value in (("path_manager", "userspace"), ("pm_type", 1)):
        try:
            netns.sysctl(f"net.mptcp.{name}", value)
        except OSError:
            continue
        return
    pytest.skip("this kernel lets no program manage connections of MPTCP: want Linux 5.19")


def test_a_program_manages_the_subflows_of_a_connection(pm: mptcp_pm.Conn) -> None:
    userspace()
    with pm.listen() as events, Connection() as connection:
        assert connection.server is not None
        port = connection.server.getsockname()[1]
        created = next(one for one in events if one.event == EventType.CREATED and one.dst_port == port)
        accepted = next(one for one in events if one.event == EventType.CREATED and one.src_port == port)
        until(events, EventType.ESTABLISHED, created.token)
        local = Address(family=AF_INET, id=23, addr="127.0.0.2")
        remote = Address(family=AF_INET, addr="127.0.0.1", port=port)
        pm.create(token=created.token, local=local, remote=remote)
        subflow = until(events, EventType.SUB_ESTABLISHED, created.token)
        assert (subflow.src, subflow.dst_port, subflow.loc_id) == (ip_address("127.0.0.2"), port, 23)
        pm.destroy(
            Subflow(token=created.token, local=local.replace(port=subflow.src_port, id=None), remote=remote),
        )
        assert until(events, EventType.SUB_CLOSED, created.token).src_port == subflow.src_port
        pm.announce(
            token=accepted.token, local=Address(family=AF_INET, id=9, addr="127.0.0.3", flags=AddressFlags.SIGNAL)
        )
        announced = until(events, EventType.ANNOUNCED, created.token)
        assert (announced.rem_id, announced.dst) == (9, ip_address("127.0.0.3"))
        pm.remove(token=accepted.token, loc_id=9)
        assert until(events, EventType.REMOVED, created.token).rem_id == 9


def test_the_kernel_takes_what_requests_have(pm: mptcp_pm.Conn) -> None:
    requests = {
        operation.command: operation.request for operation in vars(mptcp_pm.Conn).values() if hasattr(operation, "many")
    }
    with nlctrl.dial() as ctrl:
        try:
            policies = ctrl.policies(pm.name)
        except OpError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            pytest.skip("this kernel does not tell its policies")
    for command in (mptcp_pm.Command.SET_LIMITS, mptcp_pm.Command.SET_FLAGS, mptcp_pm.Command.ADD_ADDR):
        fields = requests[command].__fields__.values()
        ours = {path[0] for field in fields for path, _ in field.types}
        assert policies.of(command).keys() <= ours
    nested = policies.attributes[policies.of(mptcp_pm.Command.ADD_ADDR)[1].nested or 0]
    ours = {path[0] for field in Address.__fields__.values() for path, _ in field.types}
    assert nested.keys() <= ours == {path[1] for field in Endpoint.__fields__.values() for path, _ in field.types}
