"""A connection to netlink: `dial` and `Conn`."""

from __future__ import annotations

import errno as _errno
import os as _os
import warnings as _warnings
from functools import partial as _partial

from netlink._engine.receive import Reader
from netlink._io.exchange import Blocking, Call, Exchange, iterate, run
from netlink._io.locks import Lock, Locks
from netlink._transport import Namespace as _Namespace
from netlink._transport import Socket as _NetlinkSocket
from netlink.config import Config
from netlink.consts import ConnOption
from netlink.debug import Debugger
from netlink.errors import OpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, Protocol, Self, TypeVar, overload

    from netlink._codec import Message
    from netlink._engine.match import Match
    from netlink._engine.record import Batch, Record

    _T = TypeVar("_T")
    _Conn = TypeVar("_Conn", bound="BaseConn")
    _R = TypeVar("_R", bound=Record)
else:
    Protocol = object  # typing is slow to import

    def overload(function: object) -> None:
        """A substitute for typing.overload at run time."""


__all__ = ["Conn", "Socket", "dial"]

ROWS = 4096  # of a batch, by default


class Socket(Protocol):
    """The methods that a `Conn` needs of a socket. Further methods of a real socket are used if the object has them."""

    def close(self) -> object: ...
    def send(self, m: Message, /) -> object: ...
    def send_messages(self, messages: list[Message], /) -> object: ...
    def receive(self) -> list[Message]: ...


def dial(family: int, config: Config | None = None) -> Conn:
    """Open a connection to a netlink family.

    family: NETLINK_* of linux/netlink.h, such as `Family.ROUTE`. config: `Config()` if None.

    The socket itself needs no privilege. OpError(op="dial"): EPROTONOSUPPORT if the kernel lacks the family,
    EADDRINUSE if the port id is in use, EPERM if the groups or the namespace are not permitted, ENOENT if the
    namespace does not exist. ValueError if the environment variable NLDEBUG is invalid.
    """
    return open_conn(Conn, family, config)


def open_conn(kind: type[_Conn], family: int, config: Config | None) -> _Conn:
    """Open a connection of the given class over a new socket."""
    debugger = Debugger.from_environment(family)
    config = config or Config()
    sock = open_socket(family, config)
    conn = kind.__new__(kind)
    conn.start(sock, sock.pid, family, config, debugger)
    return conn


def open_socket(family: int, config: Config) -> _NetlinkSocket:
    """Open a socket with the options of a config."""
    sock = _NetlinkSocket(family, config)
    if config.strict:
        try:
            sock.set_option(ConnOption.EXTENDED_ACKNOWLEDGE, True)
            sock.set_option(ConnOption.GET_STRICT_CHECK, True)
        except OpError as error:
            sock.close()
            raise OpError("dial", error) from error
    return sock


def _open_beside(sock: _NetlinkSocket, family: int, config: Config) -> Conn:
    """Open a connection with the options of a config, in the network namespace of a socket."""
    netns = _Namespace(sock)
    # To enter a namespace needs CAP_SYS_ADMIN: not if this thread is in it.
    try:
        here = _os.path.samestat(_os.fstat(netns.fd), _os.stat("/proc/thread-self/ns/net"))
    except OSError:
        here = False
    own = Config(netns=None if here else netns.fd, strict=config.strict, message_buffer_size=config.message_buffer_size)
    return open_conn(_OwnConn, family, own)


class BaseConn:
    """The base of `Conn` and `netlink.aio.AsyncConn`: all methods that neither wait nor need a lock."""

    _sock: Any
    _exchange: Exchange
    _locks: Locks
    _sending: Lock
    _sending_messages: Lock
    _receiving: Lock
    _executing: Lock
    _iterating: Lock
    _dumping: Lock
    _config: Config | None
    # Datagrams of a dump to read before others may run: signal handlers, or the tasks of an event loop.
    _patience = 64

    def start(self, sock: Any, pid: int, family: int | None, config: Config | None, debugger: Debugger | None) -> None:
        """Begin with a socket, which must have no other user. For this package."""
        # A random sequence number for each connection: a stale reply to a reused port id does not match.
        sequence = int.from_bytes(_os.urandom(4), "little")
        self._sock = sock
        self._config = config
        self._exchange = Exchange(sock, pid, sequence, family, debugger, self._patience)
        self._locks = locks = self._new_locks()
        beside = None if config is None or family is None else _partial(_open_beside, sock, family, config)
        self._exchange.attach(locks, beside)
        self._sending = Lock(locks, "send", send=True)
        self._sending_messages = Lock(locks, "send-messages", send=True)
        self._receiving = Lock(locks, "receive", receive=True)
        self._executing = Lock(locks, "execute", send=True, receive=True)
        self._iterating = Lock(locks, "receive", receive=True, iterator="receive_iter")
        self._dumping = Lock(locks, "execute", send=True, receive=True, iterator="iter_dump")

    def _new_locks(self) -> Locks:
        return Locks()

    # Options

    def _verb(self, name: str, op: str) -> Any:
        if self._locks.is_closed:
            raise OpError(op, _errno.EBADF)
        try:
            return getattr(self._sock, name)
        except AttributeError:
            raise OpError(op, _errno.EOPNOTSUPP) from None

    def join_group(self, id: int) -> None:  # noqa: A002
        """Join a multicast group by its number, such as `RouteGroup.LINK` (NETLINK_ADD_MEMBERSHIP).

        OpError(op="join-group"): EPERM if the group needs CAP_NET_ADMIN, EINVAL if no group has that number.
        """
        self._verb("join_group", "join-group")(id)

    def leave_group(self, id: int) -> None:  # noqa: A002
        """Leave a multicast group (NETLINK_DROP_MEMBERSHIP). OpError(op="leave-group")."""
        self._verb("leave_group", "leave-group")(id)

    def set_bpf(self, program: Sequence[tuple[int, int, int, int]]) -> None:
        """Let a classic BPF program decide which datagrams are queued (SO_ATTACH_FILTER).

        program: instructions `(code, jt, jf, k)`, as `netlink.bpf.Instruction`, over the datagram from its nlmsghdr
        on. It sees whole datagrams: from a dump it drops whole parts, including the part with DONE.
        ValueError if the program is empty. OpError(op="set-bpf"): EINVAL if the kernel does not accept it, ENOMEM if it
        exceeds net.core.optmem_max; 20,480 bytes, the default of older kernels, hold some hundred instructions.
        """
        self._verb("set_bpf", "set-bpf")(program)

    def remove_bpf(self) -> None:
        """Remove the BPF program (SO_DETACH_FILTER). OpError(op="remove-bpf", ENOENT) if there is none."""
        self._verb("remove_bpf", "remove-bpf")()

    def set_option(self, option: ConnOption, value: bool) -> None:
        """Switch a socket option of netlink(7). OpError(op="set-option"): ENOPROTOOPT if the kernel lacks it."""
        self._verb("set_option", "set-option")(ConnOption(option), value)

    def set_read_buffer(self, n: int) -> None:
        """Request a receive buffer of n bytes, which bounds what the kernel queues.

        SO_RCVBUFFORCE, or SO_RCVBUF if that is not permitted. net.core.rmem_max caps the latter: `read_buffer` returns
        the size in effect. OpError(op="set-read-buffer").
        """
        self._verb("set_read_buffer", "set-read-buffer")(n)

    def set_write_buffer(self, n: int) -> None:
        """Request a send buffer of n bytes, which bounds one datagram, as `set_read_buffer` does.

        OpError(op="set-write-buffer").
        """
        self._verb("set_write_buffer", "set-write-buffer")(n)

    def read_buffer(self) -> int:
        """The size of the receive buffer in bytes (SO_RCVBUF): twice the size set, for the kernel's own overhead."""
        value: int = self._verb("read_buffer", "get-read-buffer")()
        return value

    def write_buffer(self) -> int:
        """The size of the send buffer in bytes (SO_SNDBUF): twice the size set."""
        value: int = self._verb("write_buffer", "get-write-buffer")()
        return value

    @property
    def drops(self) -> int:
        """Datagrams that the kernel dropped at this socket since it was opened, modulo 2**32.

        SK_MEMINFO_DROPS of linux/sock_diag.h. With BROADCAST_ERROR this includes datagrams that the kernel sends
        again, which are no loss.
        """
        self._verb("receive", "drops")
        try:
            value: int = self._sock.drops
        except AttributeError:
            raise OpError("drops", _errno.EOPNOTSUPP) from None
        return value

    # Deadlines

    def set_deadline(self, t: float | None) -> None:
        """Set the time at which sending and receiving end with OpError (ETIMEDOUT, a TimeoutError).

        t: absolute, in seconds of time.monotonic(); None for no deadline. It applies until the next `set_deadline`,
        and to methods that wait already. A time in the past ends them at once.
        """
        self._set_deadlines(read=t, write=t)

    def set_read_deadline(self, t: float | None) -> None:
        """`set_deadline` for receiving alone."""
        self._set_deadlines(read=t)

    def set_write_deadline(self, t: float | None) -> None:
        """`set_deadline` for sending alone."""
        self._set_deadlines(write=t)

    def _set_deadlines(self, **deadlines: float | None) -> None:
        for t in deadlines.values():
            if t is not None and t != t:
                raise ValueError("a deadline cannot be NaN")
        self._verb("set_deadlines", "set-deadline")(**deadlines)
        self._locks.set_deadlines(**deadlines)

    # Lifetime

    def close(self) -> None:
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        value: bool = self._locks.is_closed
        return value

    def fileno(self) -> int:
        """The socket's file descriptor, -1 once closed: for select and the like, not for reading."""
        if self._locks.is_closed:
            return -1
        value: int = self._verb("fileno", "fileno")()
        return value

    @property
    def pid(self) -> int:
        """The connection's port id (sockaddr_nl.nl_pid), which is the pid in its messages. Not a process id."""
        return self._exchange.pid

    @property
    def family(self) -> int | None:
        """The netlink family, NETLINK_* of linux/netlink.h; None for a test double of any family."""
        return self._exchange.protocol

    @property
    def config(self) -> Config | None:
        """The config passed to `dial`; None for a test double."""
        return self._config

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} pid={self.pid}{' closed' if self.closed else ''}>"

    def __del__(self) -> None:
        sock = getattr(self, "_sock", None)
        # A test double has nothing to leak.
        if isinstance(sock, _NetlinkSocket) and not sock.closed:
            _warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            sock.close()


class Conn(Blocking, BaseConn):
    """A connection to a netlink family, over any object with the `Socket` protocol (close, send, send_messages,
    receive). `dial` opens one over a real socket; `Conn(sock, pid)` is for tests, with pid as the port id.

    Threads: every method may be called from any thread at any time. A connection has a lock to send and a lock to
    receive. A blocked receive never blocks a send. `execute` holds both locks: no other message is sent or received
    between its request and its reply. A `receive_iter` holds the lock to receive until it ends or is closed. `close`
    from any thread ends blocked methods at once. A forked child shares the kernel's socket with its parent: only one
    of the two may continue to use it, and `close` in the child does not affect the parent.

    Every method raises OpError. After `close`, all but `close`, `closed`, `fileno` and `pid` raise it with errno EBADF.
    """

    def __init__(self, sock: Socket, pid: int) -> None:
        self.start(sock, pid, None, None, None)

    def send(self, m: Message) -> Message:
        """Send one message, and return it as sent, for `validate`.

        Fields of the header that are 0 are filled: length with the size of header and data, aligned to 4 bytes,
        sequence with the connection's next sequence number, pid with the connection's port id.

        EncodeError if the length is neither 0 nor that of the message. OpError(op="send"), such as EMSGSIZE if the
        message exceeds the write buffer.
        """
        return run(self._exchange, self._sending, self._exchange.send("send", (m,)))[0]

    def send_messages(self, ms: Iterable[Message]) -> list[Message]:
        """Send messages as one datagram, with headers filled as by `send`. OpError(op="send-messages")."""
        return run(self._exchange, self._sending_messages, self._exchange.send("send-messages", ms))

    def receive_iter(self) -> Iterator[Message]:
        """Receive one reply as `receive` does, message by message: memory does not grow with the reply.

        The iterator holds the lock to receive from its first message to its end. Closing it early drops the rest of a
        multi-part reply. The rest of a datagram without multi-part messages stays for the next receive. An iterator
        that a `for` loop abandons is closed when it is collected.
        """
        return iterate(self._exchange, self._iterating, self._exchange.receive_iter())

    def execute_all(self, calls: Iterable[Call[_T]]) -> list[_T | OpError]:
        """Do many calls: a list of their results by position, with an OpError for each call that the kernel refused.

        Many requests share a datagram. At any time, the read buffer has room for all outstanding replies. The deadline
        of the connection is one for all calls. A dump or a verb of several requests is done alone, in its place.

        Raises as `execute` if the connection fails, and what a signal handler raises. The exception has the results so
        far as `answers`, a dict by position, and the connection stays usable. ValueError, and nothing is sent, if one
        of the calls is not for this connection.
        """
        exchange = self._exchange
        answers: list[_T | OpError] = run(exchange, self._executing, exchange.call_all(list(calls)))
        return answers

    def dump(self, request: Message, declaration: type[_R], *, match: Match[_R] | None = None) -> Batch[_R]:
        """Send a request for a dump, and read its reply into one batch of records, in C and without the GIL.

        request: a message with `HeaderFlags.DUMP`. declaration: the class of `netlink.schema` for the bytes after
        nlmsghdr. match: selects records; None for all.

        Raises as `execute`; a malformed message is a DecodeError with path and offset, and ends the dump.
        """
        steps = self._exchange.dump(request, Reader(declaration, match), 0)
        batch: Batch[_R] = run(self._exchange, self._executing, steps)
        return batch

    @overload
    def iter_dump(
        self, request: Message, declaration: type[_R], rows: int = ..., *, match: Match[_R] | None = None
    ) -> Iterator[Batch[_R]]: ...
    @overload
    def iter_dump(
        self, request: Call[Batch[_R]], declaration: None = None, rows: int = ..., *, match: None = None
    ) -> Iterator[Batch[_R]]: ...
    def iter_dump(
        self, request: Any, declaration: Any = None, rows: int = ROWS, *, match: Any = None
    ) -> Iterator[Batch[Any]]:
        """`dump` in batches of rows; the last may be shorter. Memory does not grow with the dump.

        request: a message as for `dump`, or a `netlink.family.Call` of a dump, which has its own declaration.

        The iterator holds both locks of the connection to its end. Closing it early drops the rest.
        """
        steps = self._exchange.parts(request, declaration, rows, match)
        return iterate(self._exchange, self._dumping, steps)

    def close(self) -> None:
        """Close the connection. Methods that block in other threads end at once with OpError (errno EBADF)."""
        if self._locks.close():
            self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class _OwnConn(Conn):
    """A connection that only this package uses: if an interrupt loses it, the user did not forget to close it."""

    def __del__(self) -> None:
        sock = getattr(self, "_sock", None)
        if sock is not None:
            sock.close()
