"""Descriptors and threads: nothing is left behind, whatever goes wrong. Every test's end looks for leaks too."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import os
import resource
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import netlink.aio
import netns
from kernel.tools import Deny, Peer, Worker, eventually, in_child, sandboxed, soon, unprivileged
from netlink import Config, Conn, Family, Header, HeaderFlags, Message, OpError, dial
from netns import RTM_GETLINK

Work = Callable[..., Worker]


def get_link() -> Message:
    return netns.link_request(RTM_GETLINK, HeaderFlags.REQUEST, netns.LOOPBACK)


def fds() -> set[str]:
    """Open descriptors, without that of the listing."""
    found = set(os.listdir("/proc/self/fd"))
    return {fd for fd in found if os.path.lexists(f"/proc/self/fd/{fd}")}


def leaks(call: Callable[[], Any], expected: type[BaseException] = OpError, times: int = 5) -> set[str]:
    """What descriptors are left by calls that fail."""
    before = fds()
    for _ in range(times):
        with pytest.raises(expected):
            call()
    return fds() - before


DIALS = {"Conn": dial, "AsyncConn": netlink.aio.dial}


@pytest.fixture(params=DIALS)
def dialler(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return DIALS[request.param]


def test_a_dial_that_fails(dialler: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with dial(Family.ROUTE, Config(pid=4711)):
        assert leaks(lambda: dialler(Family.ROUTE, Config(pid=4711))) == set()
    for config in (
        Config(netns="no-such-name"),
        Config(netns="/dev/null"),
        Config(netns=1 << 20),
        Config(netns="/proc/self/ns/uts"),
    ):
        assert leaks(lambda config=config: dialler(Family.ROUTE, config)) == set()
    assert leaks(lambda: dialler(31)) == set()
    assert leaks(lambda: dialler("route"), TypeError) == set()
    assert leaks(lambda: dialler(Family.ROUTE, "strict"), TypeError) == set()
    monkeypatch.setenv("NLDEBUG", "level=nonsense")
    assert leaks(lambda: dialler(Family.ROUTE), ValueError) == set()


def test_a_dial_that_is_not_permitted(dialler: Callable[..., Any]) -> None:
    assert unprivileged(lambda: leaks(lambda: dialler(Family.NETFILTER, Config(groups=1)))) == set()


@pytest.mark.parametrize(
    ("call", "elsewhere"),
    [("setns", True), *((call, e) for call in ("socket", "bind", "getsockname", "eventfd2") for e in (False, True))],
)
def test_a_dial_in_which_a_system_call_fails(
    netns: netns.Namespace, dialler: Callable[..., Any], work: Work, call: str, elsewhere: bool
) -> None:
    config = Config(netns=netns.fd if elsewhere else None)

    def run() -> set[str]:
        got: list[tuple[str, int | None]] = []

        def attempt() -> None:
            try:
                dialler(Family.ROUTE, config)
            except OpError as error:
                got.append((error.op, error.errno))
                raise

        left = leaks(attempt)
        assert got == [("dial", errno.EXFULL)] * 5
        return left

    assert work(sandboxed([Deny(call, errno.EXFULL)], run)).result() == set()


def test_a_strict_dial_that_the_kernel_cannot_do(dialler: Callable[..., Any], work: Work) -> None:
    old_kernel = [Deny("setsockopt", errno.ENOPROTOOPT)]
    run = sandboxed(old_kernel, lambda: leaks(lambda: dialler(Family.ROUTE, Config(strict=True))))
    assert work(run).result() == set()


@pytest.mark.parametrize("room", [0, 1])
def test_no_descriptors_to_be_had(room: int) -> None:
    def run() -> tuple[str, int | None, bool, set[str]]:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, fds())) + 8, hard))
        taken = []
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for _ in range(room):
            os.close(taken.pop())
        before = fds() if room else set()
        with pytest.raises(OpError) as caught:
            dial(Family.ROUTE)
        left = fds() - before if room else set()
        return caught.value.op, caught.value.errno, caught.value.temporary, left

    assert in_child(run) == ("dial", errno.EMFILE, True, set())


def test_verbs_that_fail(conn: Conn, user: Conn, peer: Peer) -> None:
    assert leaks(lambda: conn.execute(netns.link_request(RTM_GETLINK, HeaderFlags.REQUEST, 9999))) == set()
    assert leaks(lambda: conn.join_group(1_000)) == set()
    assert leaks(lambda: conn.set_bpf([(0, 0, 0, 0)])) == set()
    assert leaks(lambda: user.execute(get_link())) == set()
    assert leaks(lambda: (peer.send_bytes(bytes(16)), user.receive()), ValueError) == set()


def test_open_and_close_many(netns: netns.Namespace) -> None:
    before = fds()
    for config in (Config(), Config(strict=True), Config(netns=netns.fd), Config(message_buffer_size=4096)):
        for _ in range(25):
            with dial(Family.ROUTE, config) as conn:
                conn.execute(get_link())
                assert len(fds() - before) == 2
    assert fds() == before


def test_closing_twice_closes_no_other_descriptor(netns: netns.Namespace) -> None:
    conn = dial(Family.ROUTE)
    number = conn.fileno()
    conn.close()
    with dial(Family.ROUTE) as heir:
        assert heir.fileno() == number  # or the test tests nothing
        conn.close()
        del conn
        gc.collect()
        assert len(heir.execute(get_link())) == 1


def let_go(held: list[Any]) -> None:
    held.clear()
    gc.collect()


def test_an_unclosed_connection_warns_and_leaks_nothing(dialler: Callable[..., Any]) -> None:
    before = fds()
    conn = dialler(Family.ROUTE)
    pid = conn.pid
    held = [conn]
    del conn
    with pytest.warns(ResourceWarning, match=f"unclosed.*{pid}"):
        let_go(held)
    assert fds() == before


def test_a_closed_connection_does_not_warn(dialler: Callable[..., Any]) -> None:
    conn = dialler(Family.ROUTE)
    gone = weakref.finalize(conn, lambda: None) if hasattr(conn, "__weakref__") else None
    conn.close()
    del conn
    gc.collect()
    assert gone is None or not gone.alive


def test_an_unclosed_connection_in_a_cycle(netns: netns.Namespace) -> None:
    before = fds()
    cycle: list[Any] = [dial(Family.ROUTE)]
    cycle.append(cycle)
    held = [cycle]
    del cycle
    with pytest.warns(ResourceWarning, match="unclosed"):
        let_go(held)
    assert fds() == before


def test_an_unclosed_connection_with_a_suspended_iterator(conn: Conn) -> None:
    netns.add_routes(conn, 2_000)
    before = fds()
    unclosed = dial(Family.ROUTE)
    unclosed.send(netns.routes_request())
    replies = unclosed.receive_iter()
    next(replies)
    held = [replies, unclosed]
    del replies, unclosed
    with pytest.warns(ResourceWarning, match="unclosed"):
        let_go(held)
    assert fds() == before


def test_descriptors_are_close_on_exec(netns: netns.Namespace, dialler: Callable[..., Any]) -> None:
    before = fds()
    for config in (Config(), Config(netns=netns.fd)):
        conn = dialler(Family.ROUTE, config)
        try:
            mine = fds() - before
            assert len(mine) == 2
            assert all(fcntl.fcntl(int(fd), fcntl.F_GETFD) & fcntl.FD_CLOEXEC for fd in mine)
            code = "import os; print(*os.listdir('/proc/self/fd'))"
            run = [sys.executable, "-I", "-S", "-c", code]
            theirs = subprocess.run(run, close_fds=False, capture_output=True, text=True, check=True).stdout
            # The last one is that of the listing itself.
            links = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in mine}
            assert len(links) == 2
            assert not (mine & set(theirs.split()) - {max(theirs.split(), key=int)})
        finally:
            conn.close()


def test_threads_are_constant(netns: netns.Namespace) -> None:
    def threads() -> int:
        return len(os.listdir("/proc/self/task"))

    before = threads()
    with dial(Family.ROUTE) as conn, dial(Family.ROUTE, Config(netns=netns.fd)) as there:
        for each in (conn, there):
            each.set_deadline(soon())
            each.execute(get_link())
            each.execute(netns_dump())
            eventually(lambda: threads() == before, "no thread of its own")


def netns_dump() -> Message:
    return netns.link_request(RTM_GETLINK, netns.DUMP)


def test_a_close_under_a_call_waits_with_the_descriptor(user: Conn, work: Work) -> None:
    # The number must not be given to anybody else while a call may still use it.
    before = fds()
    workers = [work(user.receive) for _ in range(1)]
    workers[0].wait_receiving()
    user.close()
    with pytest.raises(OpError, match="Bad file descriptor"):
        workers[0].result()
    assert user.fileno() == -1
    eventually(lambda: len(before - fds()) == 2, "both descriptors are closed")


def test_messages_outlive_their_connection(netns: netns.Namespace) -> None:
    with dial(Family.ROUTE) as conn:
        (link,) = conn.execute(get_link())
    del conn
    gc.collect()
    assert b"lo\0" in link.data
    assert link.header == Header(link.header.length, 16, 0, link.header.sequence, link.header.pid)
