"""Network namespaces for tests, and what to fill them with; no external tools.

`enter_private` moves the pytest process out of the host's network namespace once, before it has threads. From then
on `fresh` gives the calling thread a namespace of its own. All but `enter_private` are to be used behind it: what
writes refuses to run in the host's namespace. What a machine lacks is a skip that says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import itertools
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from netlink import AttributeEncoder, Conn, Family, Header, HeaderFlags, HeaderType, Message, OpError, dial
from netlink._transport import read_in_netns

# linux/sched.h
CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
# linux/mount.h
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

# linux/rtnetlink.h
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
# linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h: the subsystem is the high byte
IPCTNL_MSG_CT_NEW, IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE = 0x100, 0x101, 0x102
IPCTNL_MSG_CT_GET_STATS_CPU, IPCTNL_MSG_CT_GET_STATS = 0x104, 0x105

ACK = HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE
CREATE = HeaderFlags.REQUEST | HeaderFlags.CREATE | HeaderFlags.EXCL
DUMP = HeaderFlags.REQUEST | HeaderFlags.DUMP
LOOPBACK = 1

Identity = tuple[int, int]

_libc = ctypes.CDLL(None, use_errno=True)
_refusal: str | None = "netns.enter_private was not called"
_host: Identity | None = None
_host_fd = -1
_mounts_refusal: str | None = None
# The kernel shows the limits of socket buffers in its first network namespace only.
_limits: dict[str, int] = {}


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move the calling thread, or with CLONE_NEWUSER the process of one thread, into new namespaces."""
    if hasattr(os, "unshare"):
        os.unshare(flags)
    else:
        _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int = CLONE_NEWNET) -> None:
    """Move the calling thread into the namespace that a descriptor stands for."""
    if hasattr(os, "setns"):
        os.setns(fd, kind)
    else:
        _check(_libc.setns(fd, kind), "setns")


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    result = _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), None)
    _check(result, f"mount {target}")


def _thread_namespace() -> str:
    return f"/proc/self/task/{threading.get_native_id()}/ns/net"


def current() -> Identity:
    """The identity of the calling thread's network namespace."""
    found = os.stat(_thread_namespace())
    return found.st_dev, found.st_ino


# Once for the process


def enter_private() -> str | None:
    """Leave the host's network namespace for good. Returns why that cannot be, None where it is done.

    Where a new network namespace is not permitted, or NETLINK_TEST_USERNS=1 asks for it, it comes with a user
    namespace in which this user is root; that needs a process that has one thread as yet.
    """
    global _refusal, _host, _host_fd
    if _host is not None:
        return _refusal
    _host = current()
    _host_fd = os.open(_thread_namespace(), os.O_RDONLY | os.O_CLOEXEC)
    for name in ("rmem_max", "wmem_max", "optmem_max"):
        with contextlib.suppress(OSError):
            _limits[name] = int(Path("/proc/sys/net/core", name).read_text())
    _refusal = _leave_host()
    if _refusal is None:
        _own_mounts()
    return _refusal


def _leave_host() -> str | None:
    if os.environ.get("NETLINK_TEST_USERNS") != "1":
        try:
            unshare(CLONE_NEWNET)
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.EACCES}:
                return f"no network namespaces: {error}"
        else:
            return None
    user, group = os.geteuid(), os.getegid()
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
    except OSError as error:
        threads = len(os.listdir("/proc/self/task"))
        return f"no user and network namespaces, in a process of {threads} thread(s): {error}"
    # user_namespaces(7): the group map of an unprivileged process wants setgroups given up first.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    return None


def _own_mounts() -> None:
    """A mount namespace too, for names under /run/netns that nobody else sees."""
    global _mounts_refusal
    try:
        unshare(CLONE_NEWNS)
        _mount("none", "/", "", MS_REC | MS_PRIVATE)
    except OSError as error:
        _mounts_refusal = f"no mount namespace of our own: {error}"


def in_user_namespace() -> bool:
    """Whether this process is root of a user namespace only, and not of the machine's first one."""
    return Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]


def limit(name: str) -> int:
    """net.core.rmem_max, wmem_max or optmem_max of the host, as it was found."""
    if name not in _limits:
        pytest.skip(f"net.core.{name} cannot be read")
    return _limits[name]


def _require_private() -> None:
    if _refusal is not None:
        pytest.skip(_refusal)
    assert current() != _host, "in the host's network namespace"


# Namespaces


class Namespace:
    """A network namespace: fd, an open descriptor of it, and path, good while the namespace is in use here."""

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self.path = path

    @property
    def identity(self) -> Identity:
        """As `current`."""
        found = os.fstat(self.fd)
        return found.st_dev, found.st_ino


@contextlib.contextmanager
def inside(fd: int) -> Iterator[None]:
    """The calling thread in another network namespace."""
    before = os.open(_thread_namespace(), os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd)
        try:
            yield
        finally:
            setns(before)
    finally:
        os.close(before)


@contextlib.contextmanager
def fresh() -> Iterator[Namespace]:
    """The calling thread in a new network namespace, where lo is up."""
    _require_private()
    before = os.open(_thread_namespace(), os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWNET)
        path = _thread_namespace()
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with dial(Family.ROUTE) as conn:
                set_up(conn, LOOPBACK)
            yield Namespace(fd, path)
        finally:
            setns(before)
            os.close(fd)
    finally:
        os.close(before)


@contextlib.contextmanager
def another() -> Iterator[Namespace]:
    """A second namespace, where lo is up: a thread is in it until the end, and the caller stays where it is."""
    made: list[Namespace] = []
    failed: list[BaseException] = []
    ready, leave = threading.Event(), threading.Event()

    def stay() -> None:
        try:
            with fresh() as namespace:
                made.append(namespace)
                ready.set()
                leave.wait()
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=stay, daemon=True)
    thread.start()
    ready.wait()
    try:
        if failed:
            raise failed[0]
        yield made[0]
    finally:
        leave.set()
        thread.join()


_names = itertools.count()


def first() -> int:
    """A descriptor of the machine's first network namespace, for what the kernel has there alone. Only look."""
    try:
        read_in_netns(_host_fd, "/proc/sys/net/core/netdev_max_backlog")  # a setting of the machine
    except OSError as error:
        pytest.skip(f"the machine's first network namespace is out of reach: {error}")
    return _host_fd


@contextlib.contextmanager
def named(namespace: Namespace) -> Iterator[str]:
    """A name under /run/netns for a namespace, in mounts that this process alone sees."""
    folder = names_folder()
    name = f"netlink-test-{next(_names)}"
    target = Path(folder, name)
    target.touch()
    try:
        try:
            _mount(f"/proc/self/fd/{namespace.fd}", str(target), "", MS_BIND)
        except OSError as error:
            pytest.skip(f"no bind mount of a namespace: {error}")
        try:
            yield name
        finally:
            _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")
    finally:
        target.unlink()


@functools.cache
def names_folder() -> str:
    """/run/netns, in mounts that this process alone sees."""
    _require_private()
    if _mounts_refusal is not None:
        pytest.skip(_mounts_refusal)
    folder = "/run/netns"
    try:
        if os.path.isdir(folder):
            _mount("tmpfs", folder, "tmpfs", 0)
        else:
            _mount("tmpfs", "/run", "tmpfs", 0)
            os.mkdir(folder)
    except OSError as error:
        pytest.skip(f"no {folder} of our own: {error}")
    return folder


def sysctl(name: str, value: int | str) -> None:
    """Write a sysctl of the calling thread's network namespace, such as net.netfilter.nf_conntrack_acct."""
    _require_private()
    assert name.startswith("net."), "a sysctl of the whole machine"
    try:
        Path("/proc/sys", name.replace(".", "/")).write_text(str(value))
    except OSError as error:
        pytest.skip(f"sysctl {name} cannot be written: {error}")


def require_queues() -> None:
    """Skip where iptables cannot queue packets. It leaves no rule."""
    _require_private()
    rule = ["INPUT", "-p", "udp", "--dport", "1", "-j", "NFQUEUE", "--queue-num", "0"]
    for action in ("-A", "-D"):
        try:
            done = subprocess.run(["iptables", action, *rule], capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("iptables is missing (Debian: iptables)")
        if done.returncode:
            pytest.skip(f"iptables has no NFQUEUE here: {done.stderr.strip()}")


# rtnetlink


def link_request(kind: int, flags: int = ACK, index: int = 0, up: bool | None = None) -> Message:
    """A request about a link: struct ifinfomsg of linux/rtnetlink.h. up: IFF_UP, to be changed."""
    change = 0 if up is None else 1
    return Message(Header(type=kind, flags=flags), struct.pack("=BxHiII", 0, 0, index, bool(up), change))


def set_up(conn: Conn, index: int) -> None:
    """Bring a link up."""
    conn.execute(link_request(RTM_NEWLINK, index=index, up=True))


def add_link(conn: Conn, name: str) -> int:
    """Add an interface, dummy or else of the first kind that the kernel has, and return its index."""
    _require_private()
    for kind in ("dummy", "ifb", "bridge", "veth"):
        e = AttributeEncoder()
        e.string(3, name)  # IFLA_IFNAME
        with e.nested(18) as info:  # IFLA_LINKINFO
            info.string(1, kind)  # IFLA_INFO_KIND
        request = link_request(RTM_NEWLINK, CREATE | ACK)
        try:
            conn.execute(request.replace(data=request.data + e.encode()))
        except OpError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
        else:
            return socket.if_nametoindex(name)
    pytest.skip("the kernel has no kind of virtual interface")


def delete_link(conn: Conn, index: int) -> None:
    """Delete an interface."""
    conn.execute(link_request(RTM_DELLINK, index=index))


def commit(conn: Conn, requests: Iterable[Message], batch: int = 256) -> None:
    """Send requests, so many in a datagram, and see each datagram through: OpError for any that fails.

    The last of a datagram is acknowledged: acknowledgements of all could overflow the receive buffer.
    """
    requests = iter(requests)
    while chunk := list(itertools.islice(requests, batch)):
        last = chunk[-1]
        chunk[-1] = last.replace(flags=last.header.flags | HeaderFlags.ACKNOWLEDGE)
        sequence = conn.send_messages(chunk)[-1].header.sequence
        acknowledged = False
        while not acknowledged:
            acknowledged = any(
                m.header.type == HeaderType.ERROR and m.header.sequence == sequence for m in conn.receive()
            )


def _address(number: int) -> bytes:
    return struct.pack(">I", 10 << 24 | number)


def route(number: int, kind: int = RTM_NEWROUTE, flags: int = CREATE) -> Message:
    """A request about the route to 10.0.0.0 + number, 32 bits, by lo."""
    # struct rtmsg: table main, protocol static, scope link, type unicast
    header = struct.pack("=8BI", socket.AF_INET, 32, 0, 0, 254, 4, 253, 1, 0)
    e = AttributeEncoder()
    e.bytes(1, _address(number))  # RTA_DST
    e.uint32(4, LOOPBACK)  # RTA_OIF
    return Message(Header(type=kind, flags=flags), header + e.encode())


def add_routes(conn: Conn, count: int, start: int = 1) -> None:
    """Add routes to 10.0.0.0 + start and the next."""
    _require_private()
    commit(conn, (route(n) for n in range(start, start + count)), 512)


def routes_request(flags: int = DUMP) -> Message:
    """A dump of the IPv4 routes of the main table, the local one not filtered out by every kernel."""
    return Message(Header(type=RTM_GETROUTE, flags=flags), struct.pack("=8BI", socket.AF_INET, *bytes(8)))


def is_ours(m: Message) -> bool:
    """Whether a message of a dump is one of `add_routes`."""
    return m.header.type == RTM_NEWROUTE and m.data[1] == 32 and m.data[4] == 254


def address(number: int, kind: int = RTM_NEWADDR, flags: int = CREATE) -> Message:
    """A request about the address 10.0.0.0 + number, 32 bits, of lo."""
    e = AttributeEncoder()
    e.bytes(2, _address(number))  # IFA_LOCAL
    header = struct.pack("=4BI", socket.AF_INET, 32, 0, 0, LOOPBACK)  # struct ifaddrmsg
    return Message(Header(type=kind, flags=flags), header + e.encode())


# ctnetlink


def flow(number: int, kind: int = IPCTNL_MSG_CT_NEW, flags: int = CREATE) -> Message:
    """A request about the UDP flow from 10.0.0.0 + number to 192.0.2.1, as CTA_* attributes."""
    source, destination = _address(number), bytes([192, 0, 2, 1])
    e = AttributeEncoder("big")

    def tuple_of(nest: int, src: bytes, dst: bytes, sport: int, dport: int) -> None:
        with e.nested(nest) as t:
            with t.nested(1) as ip:  # CTA_TUPLE_IP
                ip.bytes(1, src)  # CTA_IP_V4_SRC
                ip.bytes(2, dst)  # CTA_IP_V4_DST
            with t.nested(2) as proto:  # CTA_TUPLE_PROTO
                proto.uint8(1, socket.IPPROTO_UDP)  # CTA_PROTO_NUM
                proto.uint16(2, sport)  # CTA_PROTO_SRC_PORT
                proto.uint16(3, dport)  # CTA_PROTO_DST_PORT

    tuple_of(1, source, destination, 1024, 53)  # CTA_TUPLE_ORIG
    if kind == IPCTNL_MSG_CT_NEW:
        tuple_of(2, destination, source, 53, 1024)  # CTA_TUPLE_REPLY
        e.uint32(7, 3600)  # CTA_TIMEOUT
    return ct_request(kind, flags, e.encode())


def ct_request(kind: int, flags: int, data: bytes = b"") -> Message:
    """A request to ctnetlink: struct nfgenmsg and attributes."""
    return Message(Header(type=kind, flags=flags), struct.pack("=BBH", socket.AF_INET, 0, 0) + data)


def require_conntrack(count: int = 0) -> None:
    """Skip where the kernel has no ctnetlink, or may not hold so many flows."""
    _require_private()
    with dial(Family.NETFILTER) as conn:
        try:
            conn.execute(ct_request(IPCTNL_MSG_CT_GET_STATS, HeaderFlags.REQUEST))
        except OpError as error:
            pytest.skip(f"no ctnetlink: {error}")
    try:
        most = int(Path("/proc/sys/net/netfilter/nf_conntrack_max").read_text())
    except OSError:
        return
    if 0 < most < count:
        pytest.skip(f"net.netfilter.nf_conntrack_max is {most}, {count} flows are wanted")


def add_flows(conn: Conn, count: int, start: int = 1) -> None:
    """Add flows from 10.0.0.0 + start and the next to the table, by ctnetlink."""
    require_conntrack(count)
    # One is encoded; the others differ in the source's address, which is in it twice.
    first = flow(0).data
    at = [i for i in range(len(first)) if first.startswith(_address(0), i)]
    assert len(at) == 2
    (a, b) = at

    def requests() -> Iterator[Message]:
        header = Header(type=IPCTNL_MSG_CT_NEW, flags=CREATE)
        for n in range(start, start + count):
            source = _address(n)
            yield Message(header, first[:a] + source + first[a + 4 : b] + source + first[b + 4 :])

    commit(conn, requests())
