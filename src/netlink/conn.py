"""A connection to netlink: `dial` and `Conn`."""

from __future__ import annotations

import errno as _errno
import os as _os
import warnings as _warnings

from netlink._codec import filled
from netlink._io.exchange import Answer, Inbox, Reply, mark_interrupted
from netlink._io.locks import Turn, Turns
from netlink._transport import Socket as _NetlinkSocket
from netlink.config import Config
from netlink.consts import ConnOption
from netlink.debug import Debugger
from netlink.errors import DecodeError, OpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, Protocol, Self

    from netlink._codec import Message
else:
    Protocol = object  # typing is slow to import

__all__ = ["Conn", "Socket", "dial"]


class Socket(Protocol):
    """What a `Conn` needs of a socket. Verbs beyond these are used where the object has them."""

    def close(self) -> object: ...
    def send(self, m: Message, /) -> object: ...
    def send_messages(self, messages: list[Message], /) -> object: ...
    def receive(self) -> list[Message]: ...


def dial(family: int, config: Config | None = None) -> Conn:
    """Open a connection to a netlink family.

    family: NETLINK_* of linux/netlink.h, such as `Family.ROUTE`. config: `Config()` where None.

    Needs no privilege that the kernel does not ask for. OpError(op="dial"): EPROTONOSUPPORT for a family that the
    kernel lacks, EADDRINUSE for a port id that is taken, EPERM for groups or a namespace that are not permitted,
    ENOENT for a namespace that does not exist. ValueError where the environment variable NLDEBUG makes no sense.
    """
    debugger = Debugger.from_environment(family)
    conn = Conn.__new__(Conn)
    sock = open_socket(family, config)
    conn._start(sock, sock.pid, debugger)
    return conn


def open_socket(family: int, config: Config | None) -> _NetlinkSocket:
    """The socket of a new connection, with the options that its config asks for."""
    config = config or Config()
    sock = _NetlinkSocket(family, config)
    if config.strict:
        try:
            sock.set_option(ConnOption.EXTENDED_ACKNOWLEDGE, True)
            sock.set_option(ConnOption.GET_STRICT_CHECK, True)
        except OpError as error:
            sock.close()
            raise OpError("dial", error) from error
    return sock


def tells_of_loss(error: Exception) -> bool:
    """Of a reply that is dropped nobody wants to know what is wrong with it, but that other messages were lost."""
    return isinstance(error, OpError) and error.errno == _errno.ENOBUFS


class BaseConn:
    """What `Conn` and `netlink.aio.AsyncConn` have in common: all that neither waits nor needs a turn."""

    _sock: Any
    _pid: int
    _debugger: Debugger | None
    _turns: Any

    def _start(self, sock: Any, pid: int, debugger: Debugger | None) -> None:
        self._sock = sock
        self._pid = pid
        self._debugger = debugger
        # Any start will do, and another for every connection: a stale reply to a reused port id does not match.
        self._sequence = int.from_bytes(_os.urandom(4), "little")
        self._inbox = Inbox()
        self._receive_nowait = getattr(sock, "receive_nowait", None)

    # Methods with an underscore need the turn that their name tells.

    def _prepared(self, ms: Iterable[Message]) -> list[Message]:
        """The messages as they are to be sent."""
        requests: list[Message] = []
        for m in ms:
            # 0 is the sequence number of what nobody asked for.
            self._sequence = self._sequence % 0xFFFFFFFF + 1
            requests.append(filled(m, self._sequence, self._pid))
        if self._debugger:
            self._debugger.sent(requests)
        return requests

    def _pull(self, receive: Callable[[], list[Message] | None]) -> list[Message] | None:
        """What receive returns, with datagrams of abandoned requests that do not fit the buffer passed over."""
        while True:
            try:
                messages = receive()
            except OpError as error:
                if error.errno == _errno.EMSGSIZE and error.sequence in self._inbox.abandoned:
                    continue
                raise
            if self._debugger and messages:
                self._debugger.received(messages)
            return messages

    def _next_queued(self) -> list[Message] | None:
        """The next datagram where one is there already. A test double that cannot tell is waited for."""
        if self._inbox.pending:
            return self._inbox.pending.popleft()
        return self._pull(self._receive_nowait or self._sock.receive)

    def _leave(self, reply: Reply, at_hand: Iterator[Message]) -> None:
        """What an iterator does that is closed before its end."""
        if not reply.multi:
            self._inbox.put_back(list(at_hand))
            return
        # The kernel has always queued the next part of a dump. What is not queued belongs to no dump: dropped later.
        try:
            while not reply.done and (datagram := self._next_queued()) is not None:
                reply.feed(datagram)
        except (OpError, DecodeError) as error:
            if tells_of_loss(error):
                raise
        finally:
            reply.cut()

    def _drop_abandoned(self) -> None:
        """Read what is queued for abandoned requests: the kernel refuses a dump (EBUSY) while one is unfinished."""
        receive = self._receive_nowait
        while receive and self._inbox.abandoned and (datagram := self._pull(receive)) is not None:
            if messages := self._inbox.wanted(datagram):
                self._inbox.pending.append(messages)

    # Options

    def _verb(self, name: str, op: str) -> Any:
        if self._turns.is_closed:
            raise OpError(op, _errno.EBADF)
        try:
            return getattr(self._sock, name)
        except AttributeError:
            raise OpError(op, _errno.EOPNOTSUPP) from None

    def join_group(self, id: int) -> None:  # noqa: A002
        """Join a multicast group by its number, such as `RouteGroup.LINK` (NETLINK_ADD_MEMBERSHIP).

        OpError(op="join-group"): EPERM where the group needs CAP_NET_ADMIN, EINVAL where there is none of that number.
        """
        self._verb("join_group", "join-group")(id)

    def leave_group(self, id: int) -> None:  # noqa: A002
        """Leave a multicast group (NETLINK_DROP_MEMBERSHIP). OpError(op="leave-group")."""
        self._verb("leave_group", "leave-group")(id)

    def set_bpf(self, program: Sequence[tuple[int, int, int, int]]) -> None:
        """Let a classic BPF program decide which datagrams are queued (SO_ATTACH_FILTER).

        program: instructions `(code, jt, jf, k)`, as `netlink.bpf.Instruction`, over the datagram from its nlmsghdr
        on. It sees whole datagrams: on a dump it drops whole parts, the one with DONE too. ValueError for an empty one,
        OpError(op="set-bpf") for one that the kernel does not accept (EINVAL), or that takes more than
        net.core.optmem_max (ENOMEM): with 20,480, the default of older kernels, some hundred instructions fit.
        """
        self._verb("set_bpf", "set-bpf")(program)

    def remove_bpf(self) -> None:
        """Take the BPF program off (SO_DETACH_FILTER). OpError(op="remove-bpf", ENOENT) where there is none."""
        self._verb("remove_bpf", "remove-bpf")()

    def set_option(self, option: ConnOption, value: bool) -> None:
        """Set a socket option of netlink(7) on or off. OpError(op="set-option"), ENOPROTOOPT on an older kernel."""
        self._verb("set_option", "set-option")(ConnOption(option), value)

    def set_read_buffer(self, n: int) -> None:
        """Ask for a receive buffer of n bytes: how much the kernel queues before it drops.

        SO_RCVBUFFORCE, and where that is not permitted SO_RCVBUF, which net.core.rmem_max caps: `read_buffer` tells
        what was got. OpError(op="set-read-buffer").
        """
        self._verb("set_read_buffer", "set-read-buffer")(n)

    def set_write_buffer(self, n: int) -> None:
        """Ask for a send buffer of n bytes, which bounds one datagram, as `set_read_buffer` does.

        OpError(op="set-write-buffer").
        """
        self._verb("set_write_buffer", "set-write-buffer")(n)

    def read_buffer(self) -> int:
        """The receive buffer's bytes (SO_RCVBUF): twice what was set, since the kernel counts its own overhead."""
        value: int = self._verb("read_buffer", "get-read-buffer")()
        return value

    def write_buffer(self) -> int:
        """The send buffer's bytes (SO_SNDBUF), twice what was set."""
        value: int = self._verb("write_buffer", "get-write-buffer")()
        return value

    @property
    def drops(self) -> int:
        """Datagrams that the kernel dropped at this socket since it was opened, modulo 2**32.

        SK_MEMINFO_DROPS of linux/sock_diag.h. With BROADCAST_ERROR the kernel's retries are counted too, and
        nothing need be lost.
        """
        self._verb("receive", "drops")
        try:
            value: int = self._sock.drops
        except AttributeError:
            raise OpError("drops", _errno.EOPNOTSUPP) from None
        return value

    # Deadlines

    def set_deadline(self, t: float | None) -> None:
        """Set when sending and receiving end with OpError (ETIMEDOUT, a TimeoutError).

        t: absolute, in seconds of time.monotonic(); None for never. It holds until another is set, also for calls
        that are waiting already. One that has passed ends them at once.
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
        self._turns.set_deadlines(**deadlines)

    # Lifetime

    def close(self) -> None:
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        value: bool = self._turns.is_closed
        return value

    def fileno(self) -> int:
        """The socket's file descriptor, -1 once closed: for select and the like, not for reading."""
        if self._turns.is_closed:
            return -1
        value: int = self._verb("fileno", "fileno")()
        return value

    @property
    def pid(self) -> int:
        """The connection's port id (sockaddr_nl.nl_pid), which is the pid in its messages. Not a process id."""
        return self._pid

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} pid={self._pid}{' closed' if self.closed else ''}>"

    def __del__(self) -> None:
        sock = getattr(self, "_sock", None)
        # A test double has nothing to leak.
        if isinstance(sock, _NetlinkSocket) and not sock.closed:
            _warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            sock.close()


class Conn(BaseConn):
    """A connection to a netlink family, over any object with the `Socket` protocol (close, send, send_messages,
    receive). `dial` opens one over a real socket; `Conn(sock, pid)` is for tests, with pid as the port id.

    Threads: every method may be called from any thread at any time. One thread at a time sends, and one receives; a
    receive that blocks never blocks a send. `execute` has both turns, so nothing comes between its request and its
    reply. A `receive_iter` holds the turn to receive until it ends or is closed. `close` from any thread ends what
    blocks, at once. A forked child shares the kernel's socket with its parent: only one of the two may go on using
    it, and `close` in the child leaves the parent's alone.

    Every method raises OpError; once closed, all but `close`, `closed`, `fileno` and `pid` do, with errno EBADF.
    """

    def __init__(self, sock: Socket, pid: int) -> None:
        self._start(sock, pid, None)

    def _start(self, sock: Any, pid: int, debugger: Debugger | None) -> None:
        super()._start(sock, pid, debugger)
        self._turns = Turns()
        self._sending = Turn(self._turns, "send", send=True)
        self._sending_messages = Turn(self._turns, "send-messages", send=True)
        self._receiving = Turn(self._turns, "receive", receive=True)
        self._executing = Turn(self._turns, "execute", send=True, receive=True)

    def send(self, m: Message) -> Message:
        """Send one message. Returns it as sent, for `validate`.

        Where they are 0, the header's length becomes that of header and data, aligned to 4 bytes, its sequence the
        connection's next sequence number, and its pid the connection's port id.

        EncodeError where the length is neither 0 nor that of the message. OpError(op="send"), such as EMSGSIZE for
        more than the write buffer takes.
        """
        with self._sending:
            (request,) = self._prepared((m,))
            self._sock.send(request)
            return request

    def send_messages(self, ms: Iterable[Message]) -> list[Message]:
        """Send messages as one datagram, each completed as `send` does. OpError(op="send-messages")."""
        with self._sending_messages:
            requests = self._prepared(ms)
            self._sock.send_messages(requests)
            return requests

    def receive(self) -> list[Message]:
        """Receive one reply; waits for it.

        A multi-part reply is read on to its end, and the DONE message left out. A reply also ends with an ERROR
        message (an acknowledgement, which is included) and with a datagram without any multi-part message.
        `HeaderFlags.DUMP_INTERRUPTED` on any message says that what was dumped changed meanwhile; where only DONE had
        it, the last message has it.

        OpError(op="receive") for an errno from the kernel, with what an extended acknowledgement said; ENOBUFS where
        the read buffer overflowed and messages were lost; ETIMEDOUT at the deadline. DecodeError for a malformed
        datagram, which is consumed. The connection stays usable: the rest of a reply that was cut short is dropped.
        """
        with self._receiving:
            reply = Reply(self._inbox)
            messages: list[Message] = []
            try:
                self._read_on(reply, messages)
            except BaseException:
                reply.cut()
                raise
            if reply.interrupted:
                mark_interrupted(messages)
            return messages

    def receive_iter(self) -> Iterator[Message]:
        """Receive one reply as `receive` does, message by message: memory does not grow with the reply.

        The iterator holds the turn to receive from its first message to its end. Closing it early (as the end of a
        `for` loop that is left does at the latest when it is collected) drops the rest of a multi-part reply; of a
        datagram without multi-part messages the rest is kept for the next receive.
        """
        with self._receiving:
            reply = Reply(self._inbox)
            try:
                yield from self._one_by_one(reply)
            except GeneratorExit:
                raise
            except BaseException:
                reply.cut()
                raise

    def _next(self) -> list[Message]:
        """The next datagram; waits for it."""
        if self._inbox.pending:
            return self._inbox.pending.popleft()
        messages = self._pull(self._sock.receive)
        assert messages is not None
        return messages

    # What waits in a loop has it in a function without cleanup: the jump back to the loop's start is a place where an
    # exception of a signal handler may come and where CPython 3.13 has no cleanup of the same function in force.

    def _read_on(self, reply: Reply, messages: list[Message]) -> None:
        while not reply.done:
            messages += reply.feed(self._next())
            if reply.error:
                raise reply.error

    def _read_answer(self, answer: Answer, replies: list[Message]) -> None:
        while not answer.done:
            datagram = self._next_queued() if answer.queued_only else self._next()
            if datagram is None:
                break
            replies += answer.feed(datagram)
            if answer.error:
                raise answer.error

    def _one_by_one(self, reply: Reply) -> Iterator[Message]:
        while not reply.done:
            at_hand = iter(reply.feed(self._next()))
            try:
                yield from at_hand
            except GeneratorExit:
                self._leave(reply, at_hand)
                raise
            self._turns.hand_over()
            if reply.error:
                raise reply.error

    def execute(self, m: Message) -> list[Message]:
        """Send one message, receive its reply and validate that: no other send or receive comes between.

        With `HeaderFlags.DUMP` the reply is read until DONE, with `ACKNOWLEDGE` until the acknowledgement or error of
        this request; with neither it is one datagram and, if that was multi-part, what else is queued already. An
        acknowledgement behind other messages is left out, one that is alone is returned.

        Raises as `send` and `receive` do, and OpError(op="validate") for a message of another request.
        """
        with self._executing:
            if self._inbox.abandoned:
                self._drop_abandoned()
            (request,) = self._prepared((m,))
            answer = Answer(self._inbox, request)
            replies: list[Message] = []
            try:
                self._sock.send(request)
                self._read_answer(answer, replies)
            except BaseException as error:
                answer.cut(error)
                raise
            if answer.interrupted:
                mark_interrupted(replies)
            return replies

    def close(self) -> None:
        """Close the connection. Calls that block in other threads end at once with OpError (errno EBADF)."""
        if self._turns.close():
            self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
