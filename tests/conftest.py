"""How Hypothesis runs its cases, and tests over both connections, in all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from driven import Connect, Drivers
from netlink import Conn
from netlink.aio import AsyncConn

# What a case takes depends on the machine, on what else runs there, and on an emulator.
settings.register_profile("untimed", settings.default, deadline=None)
settings.load_profile("untimed")


@pytest.fixture(params=["threads", "tasks"])
def drivers(request: pytest.FixtureRequest) -> Iterator[Drivers]:
    """For tests that hold for both connections: they run once for each."""
    drivers = Drivers(request.param == "tasks")
    yield drivers
    drivers.shut()


@pytest.fixture
def connect(drivers: Drivers) -> Connect:
    """A connection of either kind over a test double and with a port id."""
    return lambda sock, pid: drivers.of(AsyncConn(sock, pid) if drivers.tasks else Conn(sock, pid))
