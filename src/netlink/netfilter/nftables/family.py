"""Requests to nf_tables: `Conn`, `dial` and `dial_async`."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

from netlink import family as _family
from netlink.consts import ConnOption
from netlink.errors import OpError
from netlink.family import C, Call, Deferred, Do, Dump, Steps, verb
from netlink.netfilter import nfnetlink
from netlink.netfilter.nftables._elements import Payloads, repeats
from netlink.netfilter.nftables.expr import ObjectType
from netlink.netfilter.nftables.records import (
    Chain,
    Command,
    Element,
    ElementList,
    Flowtable,
    Generation,
    Object,
    Rule,
    Set,
    Table,
    key_of,
)
from netlink.netfilter.nftables.sets import Entry, entries_of
from netlink.netfilter.nftables.transaction import EMPTY, Transaction
from netlink.schema import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator
    from typing import Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn
    from netlink.schema import Batch

__all__ = ["Conn", "Ruleset", "dial", "dial_async"]

_R = TypeVar("_R", bound=Record)
_T = TypeVar("_T", Chain, Set)
_ATTEMPTS = 64  # of a dump that changes meanwhile
_BUSY = "the ruleset changed during each attempt: read it while fewer changes are made"


class Ruleset(NamedTuple):
    """All of the ruleset but the elements of its sets, at one generation."""

    generation: int
    tables: Batch[Table]
    chains: Batch[Chain]
    rules: Batch[Rule]
    sets: Batch[Set]
    objects: Batch[Object]
    flowtables: Batch[Flowtable]


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to nf_tables. options: those of `netlink.Config`; strict is True unless it is given.

    Errors are those of `netlink.dial`.
    """
    nft: Conn[NetlinkConn] = _opened(_family.dial, config, options)
    return nft


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to nf_tables for asyncio, as `dial`, with coroutine methods. A plain function."""
    nft: Conn[AsyncConn] = _opened(_family.dial_async, config, options)
    return nft


def _opened(opener: Any, config: Config | None, options: Any) -> Any:
    nft = opener(Conn, config, **options) if config is not None else opener(Conn, **{"strict": True, **options})
    try:
        nft.conn.set_option(ConnOption.CAP_ACKNOWLEDGE, True)  # errors need no copy of the request
    except BaseException:
        nft.close()
        raise
    return nft


class Conn(nfnetlink.Family[C]):
    """Requests to nf_tables over a `netlink.Conn` or a `netlink.aio.AsyncConn`, with their rules for threads, tasks,
    closing and errors.

    `family` limits a request to the tables of one family; a request for one table needs it. Methods that read dumps
    wait for a change that is being made, and repeat the dumps if another begins meanwhile, so that the result is of one
    generation and `Batch.interrupted` is false; OpError (EBUSY) if that happens every time. The operations `dump_...`
    are one dump each, which may lack rules without a sign if it begins while a change is being made.

    Every method raises OpError: PermissionError without CAP_NET_ADMIN, FileNotFoundError if there is no such object.
    """

    hints = {  # noqa: RUF012
        errno.ENOENT: "there is no such object in that table, or no such table in that family",
        errno.EAFNOSUPPORT: "family= is missing, or the kernel lacks it",
        errno.EOPNOTSUPP: "the kernel lacks a module or an option that this needs",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    # The operations of the verbs below.

    dump_tables = Dump(Command.GETTABLE, Table, Table, doc="The tables, as one dump has them.")
    dump_chains = Dump(Command.GETCHAIN, Chain, Chain, doc="The chains, as one dump has them.")
    dump_rules = Dump(Command.GETRULE, Rule, Rule, doc="The rules, as one dump has them.")
    dump_sets = Dump(Command.GETSET, Set, Set, doc="The sets, as one dump has them.")
    dump_elements = Dump(
        Command.GETSETELEM,
        ElementList,
        Element,
        within=ElementList.elements,
        doc="The elements of a set, as one dump has them.",
    )
    dump_objects = Dump(Command.GETOBJ, Object, Object, doc="The objects, as one dump has them.")
    dump_flowtables = Dump(Command.GETFLOWTABLE, Flowtable, Flowtable, doc="The flowtables, as one dump has them.")
    get_table = Do(Command.GETTABLE, Table, Table, doc="One table, by `name`.")
    get_chain = Do(Command.GETCHAIN, Chain, Chain, doc="One chain, by `table` and `name`.")
    get_rule = Do(Command.GETRULE, Rule, Rule, doc="One rule, by `table`, `chain` and `handle`.")
    get_set = Do(Command.GETSET, Set, Set, doc="One set, by `table` and `name`.")
    get_elements = Do(
        Command.GETSETELEM,
        ElementList,
        ElementList,
        doc="Elements of a set by their keys; in an interval set, those they are in.",
    )
    get_object = Do(Command.GETOBJ, Object, Object, doc="One object, by `table`, `name` and `type`.")
    get_flowtable = Do(Command.GETFLOWTABLE, Flowtable, Flowtable, doc="One flowtable, by `table` and `name`.")
    dump_rules_reset = Dump(Command.GETRULE_RESET, Rule, Rule, doc="`dump_rules`, and set their counters to 0.")
    dump_objects_reset = Dump(Command.GETOBJ_RESET, Object, Object, doc="`dump_objects`, and set counters to 0.")
    dump_elements_reset = Dump(
        Command.GETSETELEM_RESET,
        ElementList,
        Element,
        within=ElementList.elements,
        doc="`dump_elements`, and set their counters to 0.",
    )
    get_rule_reset = Do(Command.GETRULE_RESET, Rule, Rule, doc="`get_rule`, and set its counters to 0.")
    get_object_reset = Do(Command.GETOBJ_RESET, Object, Object, doc="`get_object`, and set its counter to 0.")
    get_elements_reset = Do(
        Command.GETSETELEM_RESET, ElementList, ElementList, doc="`get_elements`, and set their counters to 0."
    )
    get_generation = Do(Command.GETGEN, Generation, Generation, doc="The generation of the ruleset.")

    @verb
    def generation(self: Conn[Deferred]) -> Call[Generation]:
        """The generation of the ruleset: `id` counts its changes."""
        return self.get_generation()

    @verb
    def tables(self: Conn[Deferred], *, family: int | None = None) -> Steps[Batch[Table]]:
        """The tables."""
        return (yield from _whole(self, self.dump_tables(family=family)))

    @verb
    def chains(self: Conn[Deferred], *, table: str | None = None, family: int | None = None) -> Steps[Batch[Chain]]:
        """The chains, or those of a table."""
        found = yield from _whole(self, self.dump_chains(family=family))
        return _of_table(found, table)

    @verb
    def rules(
        self: Conn[Deferred], *, table: str | None = None, chain: str | None = None, family: int | None = None
    ) -> Steps[Batch[Rule]]:
        """The rules, or those of a table, or of a chain of it, in their order. ValueError for a chain without table."""
        if chain is not None and table is None:
            raise ValueError("chain= needs table=")
        return (yield from _whole(self, self.dump_rules(family=family, table=table, chain=chain)))

    @verb
    def sets(self: Conn[Deferred], *, table: str | None = None, family: int | None = None) -> Steps[Batch[Set]]:
        """The sets and maps, or those of a table, without their elements."""
        found = yield from _whole(self, self.dump_sets(family=family))
        return _of_table(found, table)

    @verb
    def elements(self: Conn[Deferred], of: Set) -> Steps[Batch[Element]]:
        """The elements of a set, by its `family`, `table` and `name`: one row each.

        An interval set has a row for the first key of each interval, and one with INTERVAL_END for the first key behind
        it, from the last to the first.

        While the hash of a set grows, after many additions, the kernel dumps some elements twice instead of others:
        such dumps are repeated, too.
        """
        for _ in range(_ATTEMPTS):
            found = yield from _whole(self, self.dump_elements(_list_of(of)))
            # The end of an interval may have the key of the next one's begin.
            if not repeats(found, Element.key, Element.flags):
                return found
        raise _busy()

    @verb
    def entries(self: Conn[Deferred], of: Set) -> Steps[list[Entry]]:
        """The elements of a set as they are written: keys as addresses, numbers, networks, ranges and tuples of these.

        of: a record with the type of its keys; one with the names alone is read first. ValueError for types that
        `KeyType` lacks.
        """
        whole = of if isinstance(of, Set) and of.key_type is not None else (yield self.get(of))
        found = yield self.elements(whole)
        return entries_of(whole, found)

    @overload
    def iter_elements(self: Conn[NetlinkConn], of: Set, rows: int = ...) -> Iterator[Batch[Element]]: ...
    @overload
    def iter_elements(self: Conn[AsyncConn], of: Set, rows: int = ...) -> AsyncIterator[Batch[Element]]: ...
    def iter_elements(self, of: Set, rows: int = 4096) -> Any:
        """`elements` in batches of some thousand rows: memory does not grow with the set.

        It is one dump: `Batch.interrupted` is true from the batch on that has a later generation of the ruleset. If it
        begins while a change is being made, or the hash of the set grows, elements may be missing without a sign, which
        `elements` excludes.
        """
        call: Any = self.calls.dump_elements(_list_of(of))
        return self.iterate(call, rows)  # type: ignore[misc]

    @verb
    def objects(
        self: Conn[Deferred],
        type: ObjectType | None = None,  # noqa: A002
        *,
        table: str | None = None,
        family: int | None = None,
    ) -> Steps[Batch[Object]]:
        """The objects, or those of a type, or of a table."""
        return (yield from _whole(self, self.dump_objects(family=family, table=table, type=type)))

    @verb
    def flowtables(
        self: Conn[Deferred], *, table: str | None = None, family: int | None = None
    ) -> Steps[Batch[Flowtable]]:
        """The flowtables, or those of a table."""
        return (yield from _whole(self, self.dump_flowtables(family=family, table=table)))

    @verb
    def ruleset(self: Conn[Deferred], *, family: int | None = None) -> Steps[Ruleset]:
        """Tables, chains, rules, sets, objects and flowtables at one generation: all of the ruleset but elements."""
        generation, found = yield from _at_once(
            self,
            self.dump_tables(family=family),
            self.dump_chains(family=family),
            self.dump_rules(family=family),
            self.dump_sets(family=family),
            self.dump_objects(family=family),
            self.dump_flowtables(family=family),
        )
        return Ruleset(generation, *found)

    @verb
    def get(self: Conn[Deferred], one: _R) -> Call[_R]:
        """One object by its names, as its whole record.

        one: a `Table`, `Chain`, `Rule` (by `handle`), `Set`, `Object` (by `type`) or `Flowtable`, with the fields that
        identify it; or an `ElementList` with keys. TypeError for another record.
        """
        operation = _GET.get(type(one))
        if operation is None:
            raise TypeError(f"get takes a record of an object, such as Table or Rule, not {one!r}")
        key: Any = key_of(one) if not isinstance(one, ElementList) else one
        call: Call[_R] = getattr(self, operation)(key)
        return call

    @verb
    def reset(self: Conn[Deferred], one: _R) -> Call[_R]:
        """Read one object and set its counters to 0 in the same step. They are as before that in the result.

        one: a `Rule` with its `handle`, an `Object`, or an `ElementList` with keys. OpError (EINVAL, EOPNOTSUPP) if the
        kernel is older than this request: rules since Linux 6.3, elements since 6.5. TypeError for another record.
        """
        if not isinstance(one, (Rule, Object, ElementList)):
            raise TypeError(f"reset takes a Rule, an Object or an ElementList, not {one!r}")
        key: Any = key_of(one) if not isinstance(one, ElementList) else one
        call: Call[_R] = getattr(self, _GET[type(one)] + "_reset")(key)
        return call

    @verb
    def reset_rules(
        self: Conn[Deferred], *, table: str | None = None, chain: str | None = None, family: int | None = None
    ) -> Call[Batch[Rule]]:
        """`rules`, and set their counters to 0. It is never repeated: see `Batch.interrupted`."""
        if chain is not None and table is None:
            raise ValueError("chain= needs table=")
        return self.dump_rules_reset(family=family, table=table, chain=chain)

    @verb
    def reset_objects(
        self: Conn[Deferred],
        type: ObjectType | None = None,  # noqa: A002
        *,
        table: str | None = None,
        family: int | None = None,
    ) -> Call[Batch[Object]]:
        """`objects`, and set counters and quotas to 0. It is never repeated: see `Batch.interrupted`."""
        return self.dump_objects_reset(family=family, table=table, type=type)

    @verb
    def reset_elements(self: Conn[Deferred], of: Set) -> Call[Batch[Element]]:
        """`elements`, and set their counters to 0. It is never repeated: see `Batch.interrupted`."""
        return self.dump_elements_reset(_list_of(of))

    # Changes

    def transaction(self, *, generation: int | None = None, echo: bool = False) -> Transaction[C]:
        """Begin a `Transaction`: changes that are made together at the end of a block of `with` or `async with`.

        generation: the one that the ruleset must still be of, such as `Ruleset.generation`; None for any. echo: whether
        the kernel reports the new objects, with their handles, for `Transaction.results`.
        """
        return Transaction(self, generation=generation, echo=echo)

    @verb
    def update(
        self: Conn[Deferred], decide: Callable[[Ruleset, Transaction[Any]], object], *, family: int | None = None
    ) -> Steps[None]:
        """Change the ruleset by a decision about its current state.

        decide: a function of the `Ruleset`, and of the `Transaction` to add changes to. If another program changes the
        ruleset before these are made, decide is called again with the new state. Errors are those of
        `Transaction.commit`, those of `ruleset`, and what decide raises.
        """
        for _ in range(_ATTEMPTS):
            state = yield self.ruleset(family=family)
            changes = self.transaction(generation=state.generation)
            decide(state, changes)
            try:
                yield changes.call()
                return None
            except OpError as error:
                if error.errno != errno.ERESTART:
                    raise
        raise _busy()


_GET: dict[type[Record], str] = {
    Table: "get_table",
    Chain: "get_chain",
    Rule: "get_rule",
    Set: "get_set",
    Object: "get_object",
    Flowtable: "get_flowtable",
    ElementList: "get_elements",
}


def state_of(nft: Conn[NetlinkConn]) -> tuple[Ruleset, list[Batch[ElementList]]]:
    """The ruleset and the elements of its sets, all at one generation. OpError (EBUSY) if it changes every time."""
    for _ in range(_ATTEMPTS):
        found = nft.ruleset()
        try:
            lists = [_as_lists(of, nft.elements(of)) for of in found.sets]
        except FileNotFoundError:  # a set has gone
            continue
        if nft.generation().id == found.generation:
            return found, lists
    raise _busy()


def _as_lists(of: Set, elements: Batch[Element]) -> Batch[ElementList]:
    made = Payloads(ElementList.elements, _list_of(of).encode())
    made.add_records(elements)
    return ElementList.decode_many(made.payloads())


def _list_of(of: Set) -> ElementList:
    """The request about the elements of a set. ValueError if it does not identify one."""
    if not isinstance(of, Set):
        raise TypeError(f"want a Set, not {of!r}")
    if of.table is None or of.name is None or not of.family:
        raise ValueError(f"a set is identified by family, table and name, which {of!r} does not have")
    return ElementList(family=of.family, table=of.table, set=of.name)


def _at_once(nft: Conn[Deferred], *calls: Call[Batch[Any]]) -> Generator[Any, Any, tuple[int, list[Batch[Any]]]]:
    """Dumps of one generation, and its number: repeated until nothing changes meanwhile.

    A commit first counts the generation up and then changes the lists, without a lock that dumps take: a dump that
    begins between the two can lack half of either ruleset, and says nothing of it. An empty batch takes the lock of
    commits, and so waits for the one that is under way.
    """
    for _ in range(_ATTEMPTS):
        before: Generation = yield nft.get_generation()
        yield EMPTY
        found: list[Batch[Any]] = []
        for call in calls:
            found.append((yield call))
        after: Generation = yield nft.get_generation()
        if before.id == after.id and not any(batch.interrupted for batch in found):
            return before.id or 0, found
    raise _busy()


def _busy() -> OpError:
    return OpError("receive", errno.EBUSY, hint=_BUSY)


def _whole(nft: Conn[Deferred], call: Call[Batch[_R]]) -> Generator[Any, Any, Batch[_R]]:
    """A dump of one generation."""
    _, (found,) = yield from _at_once(nft, call)
    return found


def _of_table(found: Batch[_T], table: str | None) -> Batch[_T]:
    """The records of a table: the kernel does not filter these dumps."""
    if table is None or all(one.table == table for one in found):
        return found
    kept: Batch[_T] = type(found[0]).decode_many(one.encode() for one in found if one.table == table)
    return kept
