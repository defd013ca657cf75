"""Every test here runs in a network namespace of its own, leaks nothing, and hangs for no longer than a while."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import netns as netns_
from kernel.queues import REWRITING
from kernel.sockets import or_skip
from kernel.tools import HangError, Peer, Worker, eventually
from netlink import Conn, Family, OpError, dial, sock_diag
from netlink.netfilter import nftables
from pace import SLOWNESS

HERE = Path(__file__).parent
# Seconds for one test.
PATIENCE = round(40 * SLOWNESS)


def pytest_configure(config: pytest.Config) -> None:
    if netns_.in_user_namespace() or os.environ.get("NETLINK_TEST_USERNS") == "1":
        config.addinivalue_line("filterwarnings", f"ignore:{REWRITING}:netlink.NetlinkWarning")


def pytest_collection_finish(session: pytest.Session) -> None:
    # The process must still be of one thread for this.
    if not session.config.option.collectonly and any(HERE in item.path.parents for item in session.items):
        netns_.enter_private()


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """A test that hangs fails, with the stack of where it did. Tests leave SIGALRM alone."""

    def hang(number: int, frame: FrameType | None) -> None:
        raise HangError(f"nothing happened for {PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _in_use() -> set[str]:
    """Descriptors with what they are of, and threads."""
    found = {f"thread {tid}" for tid in os.listdir("/proc/self/task")}
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the descriptor of the listing itself
            found.add(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
    return found


@pytest.fixture(autouse=True)
def leakless(patience: None) -> Iterator[None]:
    """No test, whatever goes wrong in it, leaves a descriptor or a thread behind."""
    before = _in_use()
    yield
    if _in_use() - before:
        gc.collect()
        # A thread that was joined may still be on its way out of the kernel's list.
        eventually(lambda: not _in_use() - before, f"gone: {sorted(_in_use() - before)}", 2)


@pytest.fixture(autouse=True)
def netns(leakless: None) -> Iterator[netns_.Namespace]:
    """A fresh network namespace for the test's thread and the threads that it starts, with lo up."""
    with netns_.fresh() as namespace:
        yield namespace


@pytest.fixture
def conn(netns: netns_.Namespace) -> Iterator[Conn]:
    """A connection to rtnetlink."""
    with dial(Family.ROUTE) as conn:
        yield conn


@pytest.fixture
def other(netns: netns_.Namespace) -> Iterator[Conn]:
    """Another connection to rtnetlink."""
    with dial(Family.ROUTE) as conn:
        yield conn


@pytest.fixture
def ct(netns: netns_.Namespace) -> Iterator[Conn]:
    """A connection to netfilter, where there is conntrack."""
    netns_.require_conntrack()
    with dial(Family.NETFILTER) as conn:
        yield conn


@pytest.fixture
def nft(netns: netns_.Namespace) -> Iterator[nftables.Conn]:
    """A connection to nf_tables."""
    with nftables.dial() as nft:
        try:
            nft.tables()
        except OpError as error:
            pytest.skip(f"this kernel has no nf_tables: {error}")
        yield nft


@pytest.fixture
def diag(netns: netns_.Namespace) -> Iterator[sock_diag.Conn]:
    """A connection to sock_diag."""
    with sock_diag.dial() as diag:
        with or_skip():
            diag.tcp(sock_diag.States.LISTEN)
        yield diag


@pytest.fixture
def opened(netns: netns_.Namespace) -> Iterator[contextlib.ExitStack]:
    """What a test opens, closed at its end."""
    with contextlib.ExitStack() as opened:
        yield opened


@pytest.fixture
def user(netns: netns_.Namespace) -> Iterator[Conn]:
    """A connection that a `peer` can send any bytes to."""
    with dial(Family.USERSOCK) as conn:
        yield conn


@pytest.fixture
def peer(user: Conn) -> Iterator[Peer]:
    with Peer(user.pid) as peer:
        yield peer


@pytest.fixture
def work(leakless: None) -> Iterator[Callable[..., Worker]]:
    """`work(fn, *args)` runs fn in a thread. None may be running at the end."""
    workers: list[Worker] = []

    def start(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Worker:
        workers.append(Worker(fn, args, **kwargs))
        return workers[-1]

    yield start
    for worker in workers:
        worker.join(5)
    assert not [worker for worker in workers if worker.is_alive()]
