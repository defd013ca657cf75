"""The objects of rtnetlink: what its verbs do with the records of each declaration.

A module that declares records has the row of the table for them:

    ADDRESS = Object(
        Address,
        "address",
        new=Command.NEWADDR,
        delete=Command.DELADDR,
        get=Command.GETADDR,
        groups=[RouteGroup.IPV4_IFADDR, RouteGroup.IPV6_IFADDR],
        filters={"family": "family", "index": "index"},
    )
"""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from netlink.consts import HeaderFlags
from netlink.family import Do, Dump, Operation, Preparation
from netlink.schema import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from netlink.consts import RouteGroup
    from netlink.route.command import Command

__all__ = ["CHANGE", "REPLACE", "Object"]

_R = TypeVar("_R", bound=Record)

CREATE = HeaderFlags.CREATE | HeaderFlags.EXCL
REPLACE = HeaderFlags.CREATE | HeaderFlags.REPLACE
APPEND = HeaderFlags.CREATE | HeaderFlags.APPEND
CHANGE = HeaderFlags.REPLACE

_HINTS = {errno.EPERM: "it needs CAP_NET_ADMIN in the user namespace of the network namespace"}


class Object(Generic[_R]):
    """A row of the table of objects.

    declaration: of the records. name: that of the object in its operations, such as "route" in `create_route`.
    new, delete, get: message types; None if rtnetlink does not have that for it. new is also the type of replies.
    gone: the message type of the event of its end, if that is not delete.
    reports_replaced: whether the flag NLM_F_REPLACE of its events means that it has taken the place of another.
    change: the message type of `update`, if it is not new.
    create, replace, append, update: flags of these verbs; None if the object does not have the verb.
    echo: whether `create` asks for the new object, with what the kernel has chosen, such as the index of a link.
    can_get: whether get is also the type of a request for one object.
    groups: the multicast groups of its events.
    filters: the fields by which the kernel selects the records of a dump, and for each the field of the request. A
        pair of that and a mask: only values without other bits.
    options: fields of a dump's request that select nothing, such as the extensions to report.
    always: fields of the request of every dump, unless they are given.
    missing: errnos of a dump of something that is not there: the result is empty.
    check: called with a verb and the record of its request, which it completes and returns. ValueError for a request
        that would do harm, or that the kernel would refuse without a reason.
    by_shape: whether check depends only on which fields are there and on the values in the header, and changes nothing
        but the header: records are then checked once for each shape. Or the verbs of which that is so.
    text: a field of text that check may change, and the most bytes for which it does not, as of `Preparation`.
    """

    def __init__(
        self,
        declaration: type[_R],
        name: str,
        *,
        new: Command,
        delete: Command | None = None,
        get: Command | None = None,
        change: Command | None = None,
        gone: Command | None = None,
        reports_replaced: bool = False,
        create: HeaderFlags | None = CREATE,
        replace: HeaderFlags | None = None,
        append: HeaderFlags | None = None,
        update: HeaderFlags | None = None,
        echo: bool = False,
        groups: Iterable[RouteGroup] = (),
        filters: Mapping[str, str | tuple[str, int]] | None = None,
        options: Iterable[str] = (),
        always: Mapping[str, Any] | None = None,
        missing: Iterable[int] = (errno.ENOENT, errno.ENODEV),
        check: Callable[[str, _R], _R] | None = None,
        by_shape: bool | Collection[str] = False,
        text: tuple[str, int] | None = None,
        can_get: bool = True,
        hints: Mapping[int, str] | None = None,
    ) -> None:
        self.declaration = declaration
        self.name = name
        self.new = new
        self.gone = gone or delete
        self.reports_replaced = reports_replaced
        self.echo = echo
        self.groups = tuple(groups)
        self.filters = dict(filters or {})
        self.options = tuple(options)
        self.always = dict(always or {})
        self.missing = frozenset(missing)
        hints = {**_HINTS, **(hints or {})}
        article = "an" if name[0] in "aeiou" else "a"
        title = f"{article} {name.replace('_', ' ')}"
        self.operations: dict[str, Operation[Any, ..., Any]] = {}
        verbs = {"create": create, "replace": replace, "append": append, "update": update}
        for verb, flags in verbs.items():
            if flags is not None:
                command = change if change is not None and verb == "update" else new
                doc = f"The operation of `{verb}` for {title}."
                self.operations[verb] = Do(command, declaration, flags=int(flags), hints=hints, doc=doc)
        if echo:
            flags = (create or CREATE) | HeaderFlags.ECHO
            doc = f"The operation of `create` for {title}, which returns it."
            self.operations["create_echo"] = Do(
                new, declaration, declaration, optional=True, flags=int(flags), hints=hints, doc=doc
            )
        if delete is not None:
            doc = f"The operation of `delete` for {title}."
            self.operations["delete"] = Do(delete, declaration, hints=hints, doc=doc)
        if get is not None:
            doc = f"The operation of `dump` for {title}."
            self.operations["dump"] = Dump(get, declaration, hints=hints, doc=doc)
            if can_get:
                doc = f"The operation of `get` for {title}."
                self.operations["get"] = Do(get, declaration, declaration, hints=hints, doc=doc)

        self.verbs: dict[str, tuple[Operation[Any, ..., Any], Preparation[_R]]] = {}
        for verb, operation in self.operations.items():
            shaped = by_shape if isinstance(by_shape, bool) else verb in by_shape
            prepare = check and partial(check, verb)
            self.verbs[verb] = operation, Preparation(declaration, prepare, shaped, text)

    def request(self, **fields: Any) -> _R:
        """The record of a request with these fields alone, and those that every request has."""
        record = self.declaration.__new__(self.declaration)
        Record.__init__(record, **{**self.always, **fields})  # without what its own constructor adds
        return record

    def verb(self, name: str) -> tuple[Operation[Any, ..., Any], Preparation[_R]]:
        """The operation of a verb, and the preparation of its records. TypeError if the object does not have it."""
        try:
            return self.verbs[name]
        except KeyError:
            declaration = self.declaration.__name__
            verbs = ", ".join(each for each in self.operations if each != "create_echo")
            raise TypeError(f"rtnetlink has no {name} for {declaration}; it has {verbs}") from None

    def __repr__(self) -> str:
        return f"<Object {self.name}>"
