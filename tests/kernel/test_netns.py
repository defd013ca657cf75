"""Connections into other network namespaces."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import netns
from kernel.tools import Deny, Worker, eventually, in_child, sandboxed, unprivileged
from netlink import Config, Conn, Family, HeaderFlags, Message, OpError, dial
from netns import DUMP, RTM_GETLINK

Work = Callable[..., Worker]
DESCRIPTOR_OF_NOTHING = 1 << 20


def links(conn: Conn) -> list[Message]:
    return conn.execute(netns.link_request(RTM_GETLINK, DUMP))


def there(config: Config) -> bool:
    """Whether a connection lands in the namespace that has a link named `there`, and the caller stays here."""
    before = netns.current()
    tid = threading.get_native_id()
    with dial(Family.ROUTE, config) as conn:
        assert netns.current() == before
        assert threading.get_native_id() == tid
        with dial(Family.ROUTE) as here:
            assert not any(b"there\0" in m.data for m in links(here))
        return any(b"there\0" in m.data for m in links(conn))


@pytest.fixture
def second(netns: netns.Namespace) -> netns.Namespace:
    """Another namespace, with a link named `there`."""
    import netns as helpers

    with helpers.another() as namespace:
        with helpers.inside(namespace.fd), dial(Family.ROUTE) as conn:
            helpers.add_link(conn, "there")
        yield namespace


def test_by_descriptor(second: netns.Namespace) -> None:
    assert there(Config(netns=second.fd))
    os.fstat(second.fd)  # it stays the caller's


def test_by_path(second: netns.Namespace) -> None:
    assert there(Config(netns=second.path))
    assert there(Config(netns=Path(second.path)))
    assert there(Config(netns=f"/proc/self/fd/{second.fd}"))


def test_by_name(second: netns.Namespace) -> None:
    with netns.named(second) as name:
        assert there(Config(netns=name))
        assert there(Config(netns=Path(name)))
        assert there(Config(netns=f"/run/netns/{name}"))
    with pytest.raises(FileNotFoundError):
        dial(Family.ROUTE, Config(netns=name))


def test_none_is_the_calling_threads(second: netns.Namespace) -> None:
    with netns.inside(second.fd), dial(Family.ROUTE) as conn:
        pass
    with netns.inside(second.fd):
        conn = dial(Family.ROUTE)
    with conn:  # it stays where it was made
        assert any(b"there\0" in m.data for m in links(conn))
    assert not there(Config())


def test_other_options_hold_there_too(second: netns.Namespace) -> None:
    with dial(Family.ROUTE, Config(netns=second.fd, pid=4711, strict=True, groups=1)) as conn:
        assert conn.pid == 4711
        with netns.inside(second.fd), pytest.raises(OpError, match=os.strerror(errno.EADDRINUSE)):
            dial(Family.ROUTE, Config(pid=4711))
        with dial(Family.ROUTE, Config(pid=4711)) as here:
            assert here.pid == 4711


def test_many_families(second: netns.Namespace) -> None:
    for family in (Family.ROUTE, Family.GENERIC, Family.SOCK_DIAG, Family.NETFILTER, Family.USERSOCK):
        with dial(family, Config(netns=second.fd)) as conn:
            assert conn.pid


def test_a_connection_outlives_the_threads_of_its_namespace() -> None:
    with netns.another() as namespace:
        conn = dial(Family.ROUTE, Config(netns=namespace.fd))
    with conn:
        assert links(conn)


def test_threads_dial_into_namespaces_at_once(second: netns.Namespace, work: Work) -> None:
    gate = threading.Barrier(8)

    def run() -> bool:
        gate.wait()
        return all(there(Config(netns=second.fd)) for _ in range(10))

    assert all(worker.result() for worker in [work(run) for _ in range(8)])


def test_nothing_is_left_behind_and_nothing_forks(second: netns.Namespace) -> None:
    def threads() -> int:
        return len(os.listdir("/proc/self/task"))

    before = threads()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    for _ in range(20):
        dial(Family.ROUTE, Config(netns=second.fd)).close()
        with pytest.raises(FileNotFoundError):
            dial(Family.ROUTE, Config(netns="/run/netns/no such name"))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    # A joined thread may still be on its way out of the kernel's list.
    eventually(lambda: threads() == before, "the threads are gone")


def test_signals_go_to_the_interpreters_threads(second: netns.Namespace) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    dial(Family.ROUTE, Config(netns=second.fd)).close()
    with pytest.raises(OpError):
        dial(Family.ROUTE, Config(netns="/dev/null"))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


# Bad ones


def refused(where: int | str | Path, number: int, hint: str, family: int = Family.ROUTE) -> None:
    before = netns.current()
    with pytest.raises(OpError) as caught:
        dial(family, Config(netns=where))
    assert (caught.value.op, caught.value.errno, caught.value.hint) == ("dial", number, hint)
    assert netns.current() == before


def test_a_name_or_path_of_nothing(tmp_path: Path) -> None:
    refused("no-such-name", errno.ENOENT, "there is no network namespace '/run/netns/no-such-name'")
    for path in (str(tmp_path / "nothing"), "/proc/self/task/0/ns/net"):
        refused(path, errno.ENOENT, f"there is no network namespace '{path}'")


def test_a_path_of_something_else(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path in (file, tmp_path, "/dev/null"):
        refused(path, errno.EINVAL, f"'{path}' is not a network namespace")
    refused(file / "below", errno.ENOTDIR, f"there is no network namespace '{file}/below'")


def test_a_descriptor_of_something_else(conn: Conn) -> None:
    refused(DESCRIPTOR_OF_NOTHING, errno.EBADF, f"descriptor {DESCRIPTOR_OF_NOTHING} is not a network namespace")
    with open("/dev/null") as null:
        for fd in (conn.fileno(), null.fileno()):
            refused(fd, errno.EINVAL, f"descriptor {fd} is not a network namespace")


def test_a_namespace_of_another_kind() -> None:
    refused("/proc/self/ns/mnt", errno.EINVAL, "'/proc/self/ns/mnt' is not a network namespace")
    fd = os.open("/proc/self/ns/uts", os.O_RDONLY)
    try:
        refused(fd, errno.EINVAL, f"descriptor {fd} is not a network namespace")
    finally:
        os.close(fd)


def test_an_unknown_family_there(second: netns.Namespace) -> None:
    lacking = "the kernel lacks this netlink family, or its module is not loaded"
    refused(second.fd, errno.EPROTONOSUPPORT, lacking, family=31)


def test_a_namespace_that_is_not_permitted(second: netns.Namespace) -> None:
    hint = f"to enter descriptor {second.fd}, CAP_SYS_ADMIN is needed in this user namespace and in that of the target"
    unprivileged(lambda: refused(second.fd, errno.EPERM, hint))
    with pytest.raises(PermissionError):
        unprivileged(lambda: dial(Family.ROUTE, Config(netns=second.fd)))


def test_a_namespace_that_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "closed"
    path.touch(mode=0)
    hint = f"'{path}' cannot be opened; the namespace of another user's process needs CAP_SYS_PTRACE"
    unprivileged(lambda: refused(path, errno.EACCES, hint))


def test_no_thread_to_be_had(second: netns.Namespace, work: Work) -> None:
    with pytest.raises(OpError) as caught:
        work(
            sandboxed(
                [Deny("clone", errno.EAGAIN), Deny("clone3", errno.EAGAIN)],
                dial,
                Family.ROUTE,
                Config(netns=second.fd),
            )
        ).result()
    assert (caught.value.op, caught.value.errno) == ("dial", errno.ENOMEM)
    assert "no thread can be started" in str(caught.value)
    assert caught.value.temporary
    assert not caught.value.timeout


def test_from_a_child(second: netns.Namespace) -> None:
    assert in_child(lambda: there(Config(netns=second.fd)))


def test_names_are_looked_up_at_dial(second: netns.Namespace) -> None:
    config = Config(netns="later")
    refused("later", errno.ENOENT, "there is no network namespace '/run/netns/later'")
    with netns.named(second) as name:
        assert config.netns == "later"
        with dial(Family.ROUTE, Config(netns=name)) as conn:
            assert conn.execute(netns.link_request(RTM_GETLINK, HeaderFlags.REQUEST, netns.LOOPBACK))
