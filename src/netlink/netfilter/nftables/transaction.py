"""Changes of the ruleset that are made together: `Transaction`."""

from __future__ import annotations

import errno
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

from netlink import Header, Message
from netlink.consts import NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, HeaderFlags, NetfilterSubsystem
from netlink.errors import OpError
from netlink.family import C, Call
from netlink.netfilter import nfnetlink
from netlink.netfilter.nftables._elements import Payloads
from netlink.netfilter.nftables.expr import Exthdr, Osf
from netlink.netfilter.nftables.records import (
    Chain,
    Command,
    ElementList,
    Flowtable,
    Object,
    Rule,
    Set,
    Table,
    key_of,
)
from netlink.netfilter.nftables.rule import expressions_of
from netlink.netfilter.nftables.sets import comment, payloads_of
from netlink.schema import Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from netlink.aio import AsyncConn
    from netlink.conn import Conn as NetlinkConn
    from netlink.netfilter.nftables.expr import AnyExpression, Expression
    from netlink.netfilter.nftables.family import Conn
    from netlink.netfilter.nftables.rule import Part
    from netlink.netfilter.nftables.sets import Keys

__all__ = ["Failure", "Transaction", "TransactionError"]

_R = TypeVar("_R", Table, Chain, Rule, Set, ElementList, Object, Flowtable)

_BEGIN, _FIRST = 0, 1  # numbers of messages in a batch
# As plain numbers, which are quicker to join.
_CREATE, _EXCL, _APPEND, _REPLACE, _ECHO = map(
    int, (HeaderFlags.CREATE, HeaderFlags.EXCL, HeaderFlags.APPEND, HeaderFlags.REPLACE, HeaderFlags.ECHO)
)

HINTS = {
    errno.ENOENT: "there is no such object, or it names one that is not there",
    errno.EEXIST: "it is there already; an element may overlap an interval of the set",
    errno.EBUSY: "it is still used, or it differs from the one of this name in what cannot be changed",
    errno.ENFILE: "the set is full: see its size",
    errno.EAFNOSUPPORT: "family= is missing, or the kernel lacks it",
    errno.EOPNOTSUPP: "the kernel lacks a module or an option that this needs",
    errno.EMLINK: "chains jump too deep, or in a circle",
    errno.ELOOP: "chains jump in a circle",
}
_WHOLE = {
    **nfnetlink.Family.hints,
    errno.ERESTART: "the ruleset is of another generation by now: read it again",
    errno.EMSGSIZE: "one datagram has all changes, and must fit the write buffer: the kernel permits more of it with "
    "CAP_NET_ADMIN in the initial user namespace, or by net.core.wmem_max",
    errno.ENOBUFS: "answers were lost, so it is not known whether the changes were made",
}


class _Kind(NamedTuple):
    """The commands that change objects of a kind."""

    new: Command
    delete: Command
    destroy: Command


_KINDS: dict[type[Record], _Kind] = {
    Table: _Kind(Command.NEWTABLE, Command.DELTABLE, Command.DESTROYTABLE),
    Chain: _Kind(Command.NEWCHAIN, Command.DELCHAIN, Command.DESTROYCHAIN),
    Rule: _Kind(Command.NEWRULE, Command.DELRULE, Command.DESTROYRULE),
    Set: _Kind(Command.NEWSET, Command.DELSET, Command.DESTROYSET),
    ElementList: _Kind(Command.NEWSETELEM, Command.DELSETELEM, Command.DESTROYSETELEM),
    Object: _Kind(Command.NEWOBJ, Command.DELOBJ, Command.DESTROYOBJ),
    Flowtable: _Kind(Command.NEWFLOWTABLE, Command.DELFLOWTABLE, Command.DESTROYFLOWTABLE),
}


class Failure(NamedTuple):
    """A change that the kernel refused.

    row: the number of the change in the transaction, from 0 on; None if it is all of it that fails, such as a set that
    no rule uses. command, record: what was to be changed; of elements by their keys, an `ElementList` of those of the
    refused message, of which a large change has several. error: the refusal, with `attribute`, `offset` and `message`
    as far as the kernel gives them.
    """

    row: int | None
    command: Command | None
    record: Record | None
    error: OpError


class TransactionError(OpError):
    """The kernel refused changes of a transaction: none of its changes was made.

    failures: all of them, in order. errno and the other attributes are those of the first. By errno it is one of the
    built-in exceptions, too, such as FileNotFoundError.
    """

    failures: list[Failure]


class _Change(NamedTuple):
    """record: None for elements of `Transaction.add_elements`, which the messages have."""

    command: Command
    record: Record | None


class Transaction(Generic[C]):
    """Changes that the kernel makes all at once, or not at all: `Conn.transaction` begins one.

    Its methods collect changes, in order. They are made at the end of the block of `with`, or `async with`, unless an
    exception ends it. ValueError for a change after that. EncodeError for a record that does not fit a message.

    Until the end of the transaction, records refer to each other by name, or by `id`: rules and sets get one.

    results: if echo was asked for, a list with an item for each change, after they were made: the table, chain, rule,
        set, object or flowtable as it is in the kernel, with its `handle`; None for other changes.
    """

    results: list[Record | None]

    def __init__(self, nft: Conn[C], *, generation: int | None = None, echo: bool = False) -> None:
        if generation is not None and generation < 1:
            raise ValueError(f"generation must be the id of a Generation, from 1 on, not {generation}")
        self._nft: Conn[Any] = nft
        self._generation = generation
        self._echo = echo
        self._changes: list[_Change] = []
        self._messages: list[Message] = []
        self._rows: list[int] = []  # of the messages
        self._ids = 0
        self._done = False
        self.results = []

    def __len__(self) -> int:
        """The number of changes."""
        return len(self._changes)

    # Changes

    def add(self, one: _R, *, after: Rule | int | None = None) -> _R:
        """Add an object, or elements to a set. It is no failure if it is there already.

        one: a `Table`, `Chain`, `Rule`, `Set`, `ElementList`, `Object` or `Flowtable`. A rule becomes the last of its
        chain, or the one after another. after: that rule, or its handle.

        Returns the record with its `id`, if it is a rule or set without one.
        """
        return self._new(one, _CREATE, after=after)

    def create(self, one: _R) -> _R:
        """Add an object or elements. It is a failure (EEXIST) if it is there already."""
        return self._new(one, _CREATE | _EXCL)

    def insert(self, rule: Rule, *, before: Rule | int | None = None) -> Rule:
        """Add a rule as the first of its chain, or before another one: before is that rule, or its handle."""
        if not isinstance(rule, Rule):
            raise TypeError(f"insert takes a Rule, not {rule!r}")
        rule = self._named(rule)
        return self._add(Command.NEWRULE, _CREATE, rule, _placed(rule, before))

    def replace(self, rule: Rule) -> Rule:
        """Put a rule in the place of the one with its `handle`. The new one has another handle."""
        if not isinstance(rule, Rule):
            raise TypeError(f"replace takes a Rule, not {rule!r}")
        if not rule.handle:
            raise ValueError("replace needs a rule with the handle of the one that it replaces")
        return self._add(Command.NEWRULE, _REPLACE, rule, _taken_rule(rule))

    def add_rule(
        self, chain: Chain, *parts: Part | AnyExpression | Expression, after: Rule | int | None = None, remark: str = ""
    ) -> Rule:
        """Add a rule of parts, as `build` makes them, as the last of its chain, or after another one.

        chain: a record with family, table and name. Sets of keys become sets of the rule, which are changes of their
        own before it. remark: a comment. ValueError for values that fields cannot have.
        """
        return self._built(chain, parts, remark, self.add, after=after)

    def insert_rule(
        self,
        chain: Chain,
        *parts: Part | AnyExpression | Expression,
        before: Rule | int | None = None,
        remark: str = "",
    ) -> Rule:
        """`add_rule`, but as the first rule of its chain, or before another one."""
        return self._built(chain, parts, remark, self.insert, before=before)

    def _built(
        self, chain: Chain, parts: tuple[Any, ...], remark: str, put: Callable[..., Any], **place: Rule | int | None
    ) -> Rule:
        """Make a rule and put it into the transaction: with its sets, or if it fails without them."""
        if not isinstance(chain, Chain) or not (chain.family and chain.table and chain.name):
            raise ValueError(f"a rule is for a Chain with family, table and name, not {chain!r}")
        changes, messages = len(self._changes), len(self._messages)
        try:
            rule = Rule(
                family=chain.family,
                table=chain.table,
                chain=chain.name,
                expressions=list(expressions_of(chain, parts, self._filled)),
                userdata=comment(remark) if remark else None,
                id=self._next_id(),
            )
            put(rule, **place)
            return rule
        except BaseException:
            del self._changes[changes:], self._messages[messages:], self._rows[messages:]
            raise

    def _filled(self, of: Set, keys: Keys) -> Set:
        of = self.add(of)
        self.add_elements(of, keys)
        return of

    def add_elements(
        self,
        of: Set,
        keys: Keys,
        *,
        timeout: float | None = None,
        remark: str | None = None,
    ) -> None:
        """Add elements to a set, by keys, or to a map, by a mapping of keys to values.

        of: the whole record, as `sets` or `get` return it, or of `make_set`. keys: of an interval set also networks and
        ranges, which are merged where they meet or overlap; an array of integers, such as one of NumPy, or of bytes
        with a row for each key; or `Element` records, in a list or in a batch, as `Conn.elements` returns it, with all
        that they have. values: of a map, addresses and numbers, `Verdict` or names of objects. timeout: seconds, if the
        set has timeouts. remark: a comment of each.

        The transaction fails with EEXIST if an interval overlaps one of the set, and with ENFILE if the set is full.
        ValueError for a key that is none of the set's type, and for a record without types.
        """
        self._elements(Command.NEWSETELEM, _CREATE, payloads_of(of, keys, timeout=timeout, remark=remark))

    def delete_elements(self, of: Set, keys: Keys) -> None:
        """Delete elements of a set by their keys, or of a map by keys and values. ENOENT if one is not there.

        An interval is deleted as a whole: its keys are those with which it was added, or as `Conn.entries` has them.
        """
        self._elements(Command.DELSETELEM, 0, payloads_of(of, keys))

    def _elements(self, command: Command, flags: int, payloads: list[bytes]) -> None:
        """Note a change of elements, if there are any. Its record is made when a failure needs it."""
        if payloads:
            self._note(command, flags, None, payloads)

    def delete(self, one: _R) -> None:
        """Delete an object, or elements of a set. It is a failure (ENOENT) if it is not there.

        one: a record with the names or the handle that identify it. A rule needs its handle, or the id that it has in
        this transaction; an `ElementList` the keys of the elements. ValueError without them: `flush` deletes all.
        """
        self._add(_kind_of(one).delete, 0, one, _identified(one))

    def destroy(self, one: _R) -> None:
        """`delete`, but it is no failure if it is not there. The kernel has it since Linux 6.3."""
        self._add(_kind_of(one).destroy, 0, one, _identified(one))

    def flush(self, of: Table | Chain | Set) -> None:
        """Delete all rules of a chain or of a table, or all elements of a set."""
        if not isinstance(of, (Table, Chain, Set)):
            raise TypeError(f"flush takes a Table, Chain or Set, not {of!r}")
        if not of.name or not of.family or not (isinstance(of, Table) or of.table):
            raise ValueError(f"flush needs family, table and name of what it empties, which {of!r} does not have")
        family, name = of.family, of.name
        if isinstance(of, Table):
            self._add(Command.DELRULE, 0, of, Rule(family=family, table=name))
        elif isinstance(of, Chain):
            self._add(Command.DELRULE, 0, of, Rule(family=family, table=of.table, chain=name))
        else:
            self._add(Command.DELSETELEM, 0, of, ElementList(family=family, table=of.table, set=name))

    def flush_ruleset(self, *, family: int = 0) -> None:
        """Delete all tables, or those of a family, with all that is in them."""
        every = Table(family=family)
        self._add(Command.DELTABLE, 0, every, every)

    def _new(self, one: _R, flags: int, *, after: Rule | int | None = None) -> _R:
        new = _kind_of(one).new
        if after is not None and not isinstance(one, Rule):
            raise TypeError(f"after= is for a rule, not {one!r}")
        one = self._named(one)
        if not isinstance(one, Rule):
            return self._add(new, flags, one, _taken_set(one) if isinstance(one, Set) else one)
        self._add(new, flags | _APPEND, one, _placed(one, after))
        return one

    def _named(self, one: _R) -> _R:
        """A rule or set with an id, unique in the transaction; others as they are."""
        return one.replace(id=self._next_id()) if isinstance(one, (Rule, Set)) and one.id is None else one

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids

    def _add(self, command: Command, flags: int, one: _R, sent: Record) -> _R:
        """Note a change. one: the object; sent: the record of the request."""
        if self._echo and isinstance(one, tuple(_KINDS)) and command == _KINDS[type(one)].new:
            flags |= 0 if isinstance(one, ElementList) else _ECHO
        self._note(command, flags, one, _split(sent) if isinstance(sent, ElementList) else [sent.encode()])
        return one

    def _note(self, command: Command, flags: int, one: Record | None, payloads: list[bytes]) -> None:
        if self._done:
            raise ValueError("the transaction was committed: begin another one")
        header = _header(command, flags)
        self._messages += [Message(header, payload) for payload in payloads]
        self._rows += [len(self._changes)] * len(payloads)
        self._changes.append(_Change(command, one))

    # Making them

    @overload
    def check(self: Transaction[NetlinkConn]) -> None: ...
    @overload
    def check(self: Transaction[AsyncConn]) -> Awaitable[None]: ...
    def check(self: Transaction[Any]) -> Any:
        """Ask the kernel whether it would make the changes so far, and change nothing. Errors are those of `commit`.

        What only the end of a transaction shows is not seen: a set without a rule that uses it.
        """
        return self._nft.conn.execute(Call.of_steps(self._checking, self._nft.protocol))

    @overload
    def commit(self: Transaction[NetlinkConn]) -> None: ...
    @overload
    def commit(self: Transaction[AsyncConn]) -> Awaitable[None]: ...
    def commit(self: Transaction[Any]) -> Any:
        """Make the changes. The end of the block of `with` does it too.

        TransactionError if the kernel refuses changes: it has all that it refuses, and none was made. OpError: ERESTART
        if `generation` was given and the ruleset is of another one; PermissionError without CAP_NET_ADMIN; EMSGSIZE if
        the changes exceed the write buffer that the kernel permits; ENOBUFS if echoes were lost, so that it is not
        known whether the changes were made.
        """
        if self._done:
            raise ValueError("the transaction was committed already")
        return self._nft.conn.execute(self.call())

    def call(self) -> Call[None]:
        """`commit` as a call: a verb may yield it."""
        return Call.of_steps(self._committing, self._nft.protocol)

    def _checking(self) -> Generator[Any, Any, None]:
        yield from self._exchange("check", self._batch())

    def _committing(self) -> Generator[Any, Any, None]:
        self._done = True
        answers = yield from self._exchange("commit", (*self._batch(), _bound(NFNL_MSG_BATCH_END)))
        if self._echo:
            self.results = self._echoed(answers)

    def _batch(self) -> tuple[Message, ...]:
        """All but the end: without one, the kernel only checks.

        The acknowledgement of the first request tells a failure of this request, which has none, from one of the end,
        which the kernel reports as if it were of this request, too.
        """
        begin = _bound(NFNL_MSG_BATCH_BEGIN, self._generation)
        if not self._messages:
            return (begin,)
        first, *others = self._messages
        return (begin, first.replace(flags=first.header.flags | HeaderFlags.ACKNOWLEDGE), *others)

    def _exchange(self, op: str, messages: tuple[Message, ...]) -> Generator[Any, Any, list[tuple[int, Any]]]:
        """Send a batch, and raise what the kernel refuses."""
        lost: OpError | None = None
        try:
            answers = yield messages
        except OpError as error:
            answers = getattr(error, "answers", None)
            if error.errno != errno.ENOBUFS or answers is None:
                raise _whole(op, error) from None
            lost = error
        refusals = [(n, OpError("receive", found)) for n, found in answers if isinstance(found, Exception)]
        for n, refusal in refusals:
            if n == _BEGIN:
                raise _whole(op, refusal)
        acknowledged = any(n == _FIRST and found is None for n, found in answers)
        if refusals:
            raise self._error(op, refusals, acknowledged)
        if lost is not None:
            raise _whole(op, lost)
        if self._messages and not acknowledged:
            raise OpError(op, OSError(errno.EPROTO, "the kernel did not answer the first change of a batch"))
        return list(answers)

    def _error(self, op: str, refusals: list[tuple[int, OpError]], acknowledged: bool) -> TransactionError:
        failures: list[Failure] = []
        for n, error in refusals:
            if n == _FIRST and acknowledged:
                error.hint = HINTS.get(error.errno or 0, "")
                failures.append(Failure(None, None, None, error))
                continue
            message, row = self._messages[n - 1], self._rows[n - 1]
            change = self._changes[row]
            asked = _DECLARATIONS[message.header.type]
            Call(message.header.type, message.data, request=asked, hints=HINTS).explain(error)
            record = change.record if change.record is not None else asked.decode(message.data)
            failures.append(Failure(row, change.command, record, error))
        first = failures[0]
        raised = TransactionError(op, first.error)
        assert isinstance(raised, TransactionError)
        what = "as a whole" if first.row is None else f"change {first.row}, {_text(first)}"
        more = f", and {len(failures) - 1} more of {len(self)}" if len(failures) > 1 else f", of {len(self)}"
        raised.hint = f"{what}{more}" + (f": {first.error.hint}" if first.error.hint else "")
        raised.failures = failures
        return raised

    def _echoed(self, answers: list[tuple[int, Any]]) -> list[Record | None]:
        results: list[Record | None] = [None] * len(self)
        for n, answer in answers:
            row = self._rows[n - 1] if n else None
            if row is not None and isinstance(answer, Message) and answer.header.type == self._changes[row].command:
                results[row] = _DECLARATIONS[answer.header.type].decode(answer.data)
        return results

    def __enter__(self: Transaction[NetlinkConn]) -> Transaction[NetlinkConn]:
        return self

    def __exit__(self: Transaction[NetlinkConn], kind: object, error: object, at: object) -> None:
        if kind is None and not self._done:
            self.commit()

    async def __aenter__(self: Transaction[AsyncConn]) -> Transaction[AsyncConn]:
        return self

    async def __aexit__(self: Transaction[AsyncConn], kind: object, error: object, at: object) -> None:
        if kind is None and not self._done:
            await self.commit()

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.Transaction of {len(self)} changes{', committed' if self._done else ''}>"


_DECLARATIONS: dict[int, type[Record]] = {command: kind for kind, commands in _KINDS.items() for command in commands}


@lru_cache
def _header(command: int, flags: int) -> Header:
    """The header of a change: many are of one kind."""
    return Header(type=command, flags=HeaderFlags.REQUEST | flags)


def _bound(kind: int, generation: int | None = None) -> Message:
    """The begin or the end of a batch. The subsystem of its changes is in `res_id`."""
    bound = nfnetlink.BatchBound(res_id=NetfilterSubsystem.NFTABLES, generation=generation)
    return Message(Header(type=kind, flags=HeaderFlags.REQUEST), bound.encode())


EMPTY = (_bound(NFNL_MSG_BATCH_BEGIN), _bound(NFNL_MSG_BATCH_END))
"""A batch without changes, which waits for the one that is being made."""


def _whole(op: str, error: OpError) -> OpError:
    """An error of a whole batch."""
    raised = OpError(op, error)
    raised.hint = _WHOLE.get(error.errno or 0, "") or HINTS.get(error.errno or 0, "")
    return raised


def _kind_of(one: Record) -> _Kind:
    kind = _KINDS.get(type(one))
    if kind is None:
        raise TypeError(f"a transaction changes records of objects, such as Table or Rule, not {one!r}")
    return kind


def _identified(one: Any) -> Any:
    """The key of an object. ValueError if it has none: the kernel would take all objects there are."""
    if isinstance(one, ElementList):
        if not one.elements:
            raise ValueError("want the elements to delete; flush deletes all of a set")
        return one
    if isinstance(one, Rule):
        if not one.handle and one.id is None:
            raise ValueError("a rule is deleted by its handle, or by its id in the transaction; flush deletes all")
        return Rule(
            family=one.family, table=one.table, chain=one.chain, handle=one.handle, id=None if one.handle else one.id
        )
    if not one.name and not one.handle:
        raise ValueError(f"want the name or the handle of the object, which {one!r} does not have")
    return key_of(one)


def _taken_set(one: Set) -> Set:
    """A set without what the kernel tells of it, and refuses in a request."""
    return one if one.backend is None and one.count is None else one.replace(backend=None, count=None)


def _taken_rule(rule: Rule) -> Rule:
    """A rule without the flags that the kernel tells of some expressions, and refuses in a request if they are 0."""
    parts = rule.expressions or ()
    if not any(isinstance(part.data, (Exthdr, Osf)) and part.data.flags == 0 for part in parts):
        return rule
    return rule.replace(expressions=[_without_flags(part) for part in parts])


def _without_flags(part: Expression) -> Expression:
    data = part.data
    return part.replace(data=data.replace(flags=None)) if isinstance(data, (Exthdr, Osf)) and not data.flags else part


def _placed(rule: Rule, at: Rule | int | None) -> Rule:
    """A rule with the position of another one: its handle, or its id in the transaction."""
    rule = _taken_rule(rule)
    if at is None:
        return rule if rule.handle is None else rule.replace(handle=None)
    if isinstance(at, int):
        return rule.replace(handle=None, position=at)
    if not isinstance(at, Rule) or (not at.handle and at.id is None):
        raise ValueError(f"a place is another rule with its handle or its id in the transaction, not {at!r}")
    return rule.replace(handle=None, position=at.handle or None, position_id=None if at.handle else at.id)


def _split(whole: ElementList) -> list[bytes]:
    """The payloads of lists with all elements. The length of a list has 16 bits."""
    head = whole.replace(elements=None).encode()
    made = Payloads(ElementList.elements, head)
    made.add_records(whole.elements or ())
    return made.payloads() or [head]


def _text(failure: Failure) -> str:
    """What a change is of, in one line."""
    assert failure.command is not None
    one: Any = failure.record
    names = [getattr(one, name, None) for name in ("table", "chain", "set", "name", "handle")]
    return " ".join([failure.command.name, *(str(name) for name in names if name)])
