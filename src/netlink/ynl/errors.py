"""Errors of specs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SpecError", "SpecWarning", "near"]


class SpecError(ValueError):
    """A spec is wrong, or says something that this version does not know and cannot leave out.

    file: the path of the spec, or "mapping". key: the path in it, such as "attribute-sets.link-attrs.mtu.type"; "" for
    the whole file. reason: what is wrong.
    """

    def __init__(self, file: str, key: str, reason: str) -> None:
        super().__init__(file, key, reason)
        self.file = file
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.file, self.key, self.reason)))


class SpecWarning(UserWarning):
    """A part of a spec is not known. It stays bytes, or has no effect; the text says which part."""


def near(name: str, names: Iterable[str]) -> str:
    """The names that resemble a wrong one, as the end of a sentence; if none does, all of a few."""
    from difflib import get_close_matches  # slow to import

    names = list(names)
    by_lower = {known.lower().replace("_", "-"): known for known in names}
    wrong = name.lower().replace("_", "-")
    found = [by_lower[match] for match in get_close_matches(wrong, by_lower, n=4, cutoff=0.6)]
    parts = [known for lower, known in by_lower.items() if wrong and wrong in lower and known not in found]
    found = (found + parts)[:6]
    if found:
        return f"; did you mean {' or '.join(found)}?"
    return f"; there are {', '.join(names)}" if 0 < len(names) <= 12 else ""
