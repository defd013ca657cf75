"""The cache of TCP metrics on the real kernel: what it says is what `ip tcp_metrics` says."""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from kernel.tools import unprivileged
from netlink import OpError
from netlink.generic import nlctrl, tcp_metrics
from netlink.generic.tcp_metrics import Metrics, Peer

ADDRESSES = ("127.0.0.1", "127.0.0.5", "::1")


def talk(address: str) -> None:
    """A connection over which enough is sent to measure its path."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        client = socket.create_connection(server.getsockname()[:2], source_address=(address, 0))
        with client, server.accept()[0] as peer:
            for _ in range(10):
                peer.sendall(bytes(50_000))
                assert len(client.recv(50_000, socket.MSG_WAITALL)) == 50_000
                client.sendall(b"x")
                assert peer.recv(1) == b"x"


@pytest.fixture
def cache() -> Iterator[tcp_metrics.Conn]:
    """A connection to the cache, which has the peers of some connections."""
    with tcp_metrics.dial() as cache:
        try:
            cache.flush()
        except FileNotFoundError as error:
            pytest.skip(error.hint)
        except PermissionError as error:
            pytest.skip(f"tcp_metrics: {error.hint}")
        for address in ADDRESSES:
            talk(address)
        yield cache


def by_iproute() -> dict[str, dict[str, Any]]:
    if not shutil.which("ip"):
        pytest.skip("there is no ip on this machine")
    run = subprocess.run(["ip", "-j", "tcp_metrics", "show"], capture_output=True, text=True, check=True)
    return {one["dst"]: one for one in json.loads(run.stdout)}


def test_metrics_are_those_of_iproute(cache: tcp_metrics.Conn) -> None:
    there = {str(one.dst): one for one in cache.dump()}
    oracle = by_iproute()
    assert there.keys() == oracle.keys() == {*ADDRESSES}
    for address, metrics in there.items():
        theirs = oracle[address]
        assert str(metrics.src) == theirs["source"]
        assert metrics.cwnd == theirs.get("cwnd")
        assert metrics.ssthresh == theirs.get("ssthresh")
        assert metrics.reordering == theirs.get("reordering")
        for ours, seconds in ((metrics.rtt, theirs.get("rtt")), (metrics.rttvar, theirs.get("rttvar"))):
            assert ours is not None
            assert int(ours * 1000) == round(seconds * 1e6)
        assert 0 <= theirs["age"] - (metrics.age or 0) / 1000 < 20
        assert metrics.unknown == ()


def test_a_peer_is_found_and_deleted(cache: tcp_metrics.Conn) -> None:
    for address in ADDRESSES:
        found = cache.get(dst=address)
        assert (found.dst, found.src) == (ip_address(address), ip_address(address))
        assert cache.get(dst=address, src=address).cwnd == found.cwnd
    with pytest.raises(ProcessLookupError, match="the cache has no such peer"):
        cache.get(dst="127.0.0.1", src="127.0.0.2")
    cache.delete("127.0.0.1")
    assert by_iproute().keys() == {"127.0.0.5", "::1"}
    with pytest.raises(OpError, match="the cache has no such peer"):
        cache.delete(dst="127.0.0.1")
    cache.delete(ip_address("::1"), src="::1")
    assert [str(one.dst) for one in cache.dump()] == ["127.0.0.5"]
    cache.flush()
    assert not by_iproute()
    assert len(cache.dump()) == 0


def test_a_request_without_a_peer(cache: tcp_metrics.Conn) -> None:
    with pytest.raises(OpError, match="needs the address of a peer, dst=") as info:
        cache.get()
    assert info.value.errno == errno.EAFNOSUPPORT
    assert len(cache.dump()) == len(ADDRESSES)


def test_the_cache_in_an_event_loop(cache: tcp_metrics.Conn) -> None:
    async def main() -> list[Metrics]:
        async with tcp_metrics.dial_async() as asynchronous:
            await asynchronous.delete("::1")
            return [*await asynchronous.dump()]

    assert {str(one.dst) for one in asyncio.run(main())} == {"127.0.0.1", "127.0.0.5"}


def test_the_cache_needs_a_capability(cache: tcp_metrics.Conn) -> None:
    def refused() -> str:
        with tcp_metrics.dial() as own:
            try:
                own.flush()
            except PermissionError as error:
                return str(error)
        return ""

    assert "CAP_NET_ADMIN in the machine's first user namespace" in unprivileged(refused)
    assert len(cache.dump()) == len(ADDRESSES)


def test_the_kernel_takes_what_a_peer_has(cache: tcp_metrics.Conn) -> None:
    with nlctrl.dial() as ctrl:
        try:
            policies = ctrl.policies(cache.name).of(tcp_metrics.Command.DEL)
        except OpError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            pytest.skip("this kernel does not tell its policies")
    assert {path[0] for field in Peer.__fields__.values() for path, _ in field.types} == policies.keys()
