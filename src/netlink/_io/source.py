"""Sources of the batches of a stream: a socket, or given items."""

from __future__ import annotations

import builtins
import errno as _errno
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from netlink._codec import filled
from netlink._engine.form import Form
from netlink._engine.ledger import Ledger
from netlink._engine.receive import StreamReader, batch_of
from netlink._engine.record import NL_K_VIEW, Batch, Field, Record
from netlink._io.warn import warn
from netlink._transport import Socket
from netlink.config import Config
from netlink.consts import ConnOption, Family
from netlink.errors import OpError, Overrun

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from netlink._codec import Message
    from netlink._engine.match import Match
    from netlink._io.exchange import Call
    from netlink.bpf import Instruction

__all__ = ["SLOT", "Closable", "ItemSource", "Kind", "SocketSource", "Source", "has_views", "kinds_of", "open_source"]

_R = TypeVar("_R", bound=Record)
_R_co = TypeVar("_R_co", bound=Record, covariant=True)

# The least that the kernel charges the read buffer for a datagram.
_CHARGE_MIN = 512
# Bytes. Enough for most messages, and no power of 2: adjacent slots would share lines of the cache.
SLOT = (16 << 10) + 64
# Bytes. The kernel allocates memory only for queued datagrams.
_READ_BUFFER = 16 << 20
_START_BUFFER = 1 << 20
_READ_BUFFER_MAX = (1 << 31) - 2  # the largest value of SO_RCVBUF
_PAST = 0.0  # in time.monotonic()
# Processes without privileges send to the groups of the first, and udev to one of the other. All others need
# CAP_NET_ADMIN over the network namespace, and may as well have the kernel send.
_SENT_BY_PROCESSES = (Family.USERSOCK, Family.KOBJECT_UEVENT)
_START, _STOP, _OTHER = 1, 2, 3  # sequence numbers of the requests
_FORM_TYPE = 16  # that of the messages of a form, as the reader has it
_CONTROLLER = 16  # GENL_ID_CTRL, which is the number of its multicast group, too


class Kind(NamedTuple, Generic[_R_co]):
    """A kind of message that a stream reads, and the declaration of its records.

    type: of nlmsghdr. mask, flags: nlmsghdr's flags under mask must equal flags; 0 for any.
    declaration: the class of the records.
    event: the value of the field that `schema.event` declares; None for no value.
    command: for generic netlink, that of genlmsghdr: the declaration is of the bytes after that header.
    """

    type: int
    declaration: builtins.type[_R_co]
    event: int | None = None
    mask: int = 0
    flags: int = 0
    command: int | None = None


if TYPE_CHECKING:
    Kinds: TypeAlias = Mapping[Any, builtins.type[_R_co] | tuple[builtins.type[_R_co], int]] | Iterable[Kind[_R_co]]


def kinds_of(kinds: Kinds[_R]) -> tuple[Kind[_R], ...]:
    """The kinds of a stream, from a mapping or from `Kind` objects. TypeError for anything else."""
    found: list[Any]
    if isinstance(kinds, Mapping):
        pairs = cast("Iterable[tuple[Any, Any]]", kinds.items())
        found = [Kind(type_, *(what if isinstance(what, tuple) else (what,))) for type_, what in pairs]
    else:
        found = list(kinds)
    for kind in found:
        if not isinstance(kind, Kind):
            raise TypeError(f"kinds must be a mapping from types to declarations, or Kind objects, not {kind!r}")
    for each in found:
        if getattr(each.declaration, "__table__", None) is None:
            raise TypeError(f"a stream's records need a declaration, not {each.declaration!r}")
    return tuple(found)


class Closable(Protocol):
    """An object with a `close` method."""

    def close(self) -> object: ...


class Source(Protocol[_R_co]):
    """A source of the batches of a stream."""

    @property
    def declarations(self) -> tuple[type[_R_co], ...]: ...
    @property
    def lost(self) -> int: ...
    @property
    def ended(self) -> bool: ...
    @property
    def due(self) -> float | None:
        """The time.monotonic() when it has a batch though nothing comes; None for never."""

    def read(self, rows: int, wait: bool, into: list[Any]) -> None:
        """Append a batch to a list. It is empty if nothing is queued and wait is false, if all that was queued is lost,
        and at the end. Nothing is appended after the deadline or `wake`."""

    def queue(self) -> int:
        """The largest number of records that may be queued."""
        ...

    def set_deadline(self, end: float | None) -> None:
        """Set the time.monotonic() until which a read waits; None for ever."""

    def wake(self) -> None:
        """End a waiting read, from any thread."""

    def stop(self) -> None:
        """End after the queued messages."""

    def fileno(self) -> int: ...
    @property
    def pid(self) -> int:
        """The port id of its socket, 0 without one."""
        ...

    def read_buffer(self) -> int: ...
    def close(self) -> object: ...


def open_source(
    protocol: int,
    kinds: Kinds[_R] | Form[_R],
    *,
    groups: Iterable[int] = (),
    config: Config | None = None,
    read_buffer: int | None = None,
    reliable: bool = False,
    matches: Iterable[Match[Any]] = (),
    bpf: Collection[Instruction] | None = None,
    slot: int = SLOT,
    counter: Field[Any] | tuple[Field[Any], Field[Any]] | None = None,
    first: int = 0,
    answers: int | None = None,
    start: Call[None] | None = None,
    stop: Call[None] | None = None,
    family: int = 0,
    user: int | None = None,
) -> SocketSource[_R]:
    """Open the socket of a `Stream`, as `netlink.stream.open` does, with more options for families.

    kinds: or a `Form`, if the messages have no attributes.

    counter: a field of 32 bits, with which the kernel numbers its messages from first on: a gap is a loss. Or
    (a struct, a field of 32 bits in it).
    answers: how many messages wait at once for an answer that names their number; the source then has a ledger.
    start: a request that makes the kernel send, and that it acknowledges within the send, as all but audit do. OpError
    for its refusal, with the hints of the call, and ENOBUFS if messages left no room for the acknowledgement.
    stop: a request that ends the sending. The stream still reads the messages before its acknowledgement.
    family: the number of the generic family that sends; 0 for none. Once the kernel removes it, the stream raises
    FileNotFoundError, which is an OpError.
    user: messages of processes of this user are read, as this user namespace numbers it, in the place of the kernel's.
    """
    form = None
    if isinstance(kinds, Form):
        form, kinds = kinds, (Kind(_FORM_TYPE, kinds.declaration),)
    kinds = kinds_of(kinds)
    if not kinds:
        raise ValueError("a stream needs at least one kind of message")
    config = Config() if config is None else config
    sock = Socket(protocol, config)
    try:
        sock.connect()
        groups = [*groups, *(bit + 1 for bit in range(32) if config.groups >> bit & 1)]
        # Without this option the kernel drops all messages after an overrun until the queue is empty, unreported.
        sock.set_option(ConnOption.NO_ENOBUFS, True)
        wanted = _READ_BUFFER if read_buffer is None else read_buffer
        # Messages fill a small buffer between the effect of start and its acknowledgement.
        sock.set_read_buffer(wanted if start is None else max(wanted, _START_BUFFER))
        if reliable:
            sock.set_option(ConnOption.BROADCAST_ERROR, True)
        if user is not None:
            sock.pass_credentials()
        if bpf is not None:
            sock.set_bpf([*bpf])
        ledger = None if answers is None else Ledger(answers)
        reader = StreamReader(
            sock,
            kinds,
            counter=counter,
            first=first,
            ledger=ledger,
            count_drops=not reliable,
            matches=matches,
            slot=slot,
            views=any(has_views(kind.declaration, set()) for kind in kinds),
            sender=0 if user is None and groups and protocol in _SENT_BY_PROCESSES else None,
            user=user,
            form=form,
            family=family,
        )
        if family:
            groups.append(_CONTROLLER)
        for group in groups:
            sock.join_group(group)
        if start is not None:
            sock.send(filled(start.message, _START, sock.pid))
            try:
                reader.take_acknowledgement(_START, sock.read_buffer())
            except OpError as error:
                start.explain(error)
                raise
            sock.set_read_buffer(wanted)
        # After all that may fail.
        if read_buffer is not None:
            _warn_if_capped(read_buffer, sock.read_buffer())
    except BaseException:
        sock.close()
        raise
    declarations = tuple(dict.fromkeys(kind.declaration for kind in kinds))
    return SocketSource(
        sock, reader, declarations, groups, None if stop is None else filled(stop.message, _STOP, sock.pid), ledger
    )


class SocketSource(Generic[_R]):
    """What `open_source` returns: messages from the kernel, received by a socket that has no other reader.

    A subclass may change the batches, or what `close` does. declarations: those of its records.
    """

    def __init__(
        self,
        sock: Socket,
        reader: StreamReader[_R],
        declarations: tuple[type[_R], ...],
        groups: Iterable[int] = (),
        stop: Message | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.sock = sock
        self.reader = reader
        self.declarations = declarations
        self.groups = tuple(groups)
        self.stop_request = stop
        self.ledger = ledger
        self.deadline: float | None = None
        self.woken = False

    @property
    def lost(self) -> int:
        return self.reader.lost

    @property
    def ended(self) -> bool:
        return self.reader.ended

    @property
    def due(self) -> float | None:
        return None

    def read(self, rows: int, wait: bool, into: list[Any]) -> None:
        try:
            self.reader.read(rows, wait, into)
        except OpError as error:
            if error.errno != _errno.ETIMEDOUT:
                raise

    def queue(self) -> int:
        return self.sock.read_buffer() // _CHARGE_MIN

    def set_deadline(self, end: float | None) -> None:
        if self.woken or end != self.deadline:
            self.woken = False
            self.sock.set_deadlines(read=end)
            self.deadline = end

    def wake(self) -> None:
        # A thread that sets its deadline later reads the state after that; one that has set it sees it passed.
        self.woken = True
        try:
            self.sock.set_deadlines(read=_PAST)
        except OpError as error:
            if error.errno != _errno.EBADF:  # closed meanwhile
                raise

    def send(self, call: Call[None]) -> None:
        """Send a request; its acknowledgement is skipped."""
        self.sock.send(filled(call.message, _OTHER, self.sock.pid))

    def stop(self) -> None:
        request = self.stop_request
        for group in self.groups:
            self.sock.leave_group(group)
        if request is not None:
            self.sock.send(request)
        self.reader.end_when_empty(_STOP if request is not None else 0)
        if request is not None:
            # The kernel drops its acknowledgement if the queue is full: then the stream ends with the queue. A second
            # acknowledgement wakes a task that has emptied the queue meanwhile, and waits.
            self.sock.send(request)

    def fileno(self) -> int:
        return self.sock.fileno()

    @property
    def pid(self) -> int:
        return self.sock.pid

    def read_buffer(self) -> int:
        return self.sock.read_buffer()

    def close(self) -> object:
        return self.sock.close()


class ItemSource(Generic[_R]):
    """Given records, batches and Overruns in order, and then the end: for streams without a kernel.

    An Overrun is a loss, which the stream reports by its policy.
    """

    def __init__(self, items: Iterable[_R | Batch[_R] | Overrun], *declarations: type[_R]) -> None:
        self.declarations = declarations
        self.lost = 0
        self.ended = False
        self.due: float | None = None
        self._items = iter(items)

    def read(self, rows: int, wait: bool, into: list[Any]) -> None:
        item = None if self.ended else next(self._items, None)
        if item is None:
            self.ended = True
            into.append(self.declarations[0].decode_many(()))
        elif isinstance(item, Overrun):
            self.lost += item.lost
            into.append(self.declarations[0].decode_many(()))
        elif isinstance(item, Batch):
            into.append(item)
        else:
            into.append(batch_of(item))

    def queue(self) -> int:
        return 0

    def set_deadline(self, end: float | None) -> None:
        pass

    def wake(self) -> None:
        pass

    def stop(self) -> None:
        self.ended = True

    def fileno(self) -> int:
        return -1

    @property
    def pid(self) -> int:
        return 0

    def read_buffer(self) -> int:
        return 0

    def close(self) -> object:
        return None


def has_views(declaration: type[Record], seen: set[type[Record]]) -> bool:
    """Whether any field of a declaration, or of a nested one, is a view."""
    if declaration in seen:
        return False
    seen.add(declaration)
    for field in declaration.__fields__.values():
        inner = [cls for _, cls in field.cases or ()]
        inner += [each.cls for each in (field, field.item) if each is not None and each.cls is not None]
        if field.kind == NL_K_VIEW or any(has_views(cls, seen) for cls in inner):
            return True
    return False


def _warn_if_capped(asked: int, got: int) -> None:
    if got < min(2 * asked, _READ_BUFFER_MAX):
        warn(
            f"read_buffer: {asked} bytes requested, but only {got // 2} permitted: raise the sysctl "
            "net.core.rmem_max, or use CAP_NET_ADMIN in the machine's first user namespace"
        )
