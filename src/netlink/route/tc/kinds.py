"""What records with options by kind have in common: the kind from the options, handles as text, clear refusals."""

from __future__ import annotations

from difflib import get_close_matches
from enum import IntFlag
from typing import TYPE_CHECKING, Any, cast

from netlink.route.tc.handle import Handle
from netlink.schema import AttributeSet, Field, Member, Record

__all__ = ["FilterFlags", "HandleField", "Kinded", "WithHandles", "by_handle"]

HandleField = Field["Handle | None", "int | str | None"]
"""The annotation of a handle: it reads as a `Handle`, and takes a number or text such as "1:10"."""


def by_handle(field: Member[Handle]) -> HandleField:
    """The field of a handle, for a record whose constructor takes text, too."""
    return cast("HandleField", field)


class FilterFlags(IntFlag):
    """Where a filter works (TCA_CLS_FLAGS_*)."""

    SKIP_HW = 0x1  # TCA_CLS_FLAGS_SKIP_HW
    SKIP_SW = 0x2  # TCA_CLS_FLAGS_SKIP_SW
    IN_HW = 0x4  # TCA_CLS_FLAGS_IN_HW, reported
    NOT_IN_HW = 0x8  # TCA_CLS_FLAGS_NOT_IN_HW, reported
    VERBOSE = 0x10  # TCA_CLS_FLAGS_VERBOSE, say why hardware cannot do it


class WithHandles(AttributeSet):
    """The base of records with handles: their constructor takes text for one. ValueError for text that is none."""

    if not TYPE_CHECKING:

        def __init__(self, **fields: Any) -> None:
            for name, value in fields.items():
                if isinstance(value, str) and _is_handle(type(self), name):
                    fields[name] = Handle(value)
            super().__init__(**fields)


class Kinded(WithHandles):
    """The base of records whose field `options` depends on their field `kind`.

    The constructor derives the kind from the class of the options if it is not given. TypeError for options of a class
    that is not the kind's; it names the kinds that are meant perhaps.
    """

    if not TYPE_CHECKING:

        def __init__(self, **fields: Any) -> None:
            options = fields.get("options")
            if isinstance(options, Record) and "options" in type(self).__fields__:
                fields["kind"] = _kind_of(type(self), fields.get("kind"), type(options))
            super().__init__(**fields)


def _is_handle(cls: type[Record], name: str) -> bool:
    field = cls.__fields__.get(name) or cls.__header_fields__.get(name)
    return field is not None and field.enum is Handle


def _kind_of(cls: type[Record], kind: str | None, options: type[Record]) -> str:
    """The kind of a record with options of a class. TypeError if it is not that of the options, or if several are."""
    cases: dict[Any, type[Record]] = dict(cls.__fields__["options"].choices or ())
    fit = [name for name, case in cases.items() if case is options]
    if kind in fit:
        return str(kind)
    if not fit:
        raise TypeError(f"{cls.__name__}: {options.__name__} is not a class of options of any kind")
    if kind is None:
        if len(fit) > 1:
            raise TypeError(
                f"{cls.__name__}: {options.__name__} has the options of several kinds: want kind= {_or(fit)}"
            )
        return str(fit[0])
    if kind in cases:
        raise TypeError(
            f"{cls.__name__}: the kind {kind!r} has options of {cases[kind].__name__}, not {options.__name__}"
        )
    near = get_close_matches(kind, list(cases), n=3) or fit
    raise TypeError(
        f"{cls.__name__}: the kind {kind!r} is not declared, so its options are bytes; did you mean {_or(near)}?"
    )


def _or(names: list[str]) -> str:
    return " or ".join(map(repr, names))
