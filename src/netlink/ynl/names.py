"""Python names for the names of specs, which have dashes, blanks and leading digits."""

from __future__ import annotations

import keyword
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["class_name", "constant", "identifier", "normal"]

_OTHER = re.compile(r"\W")
_SUFFIX = re.compile(r"-(?:attrs|attributes)$")


def normal(name: str) -> str:
    """The form in which two spellings of a name are equal: "dev-name" and "dev_name"."""
    return _OTHER.sub("_", name)


def identifier(name: str, taken: Container[str] = ()) -> str:
    """The name of a field or an operation: "rx-max" is `rx_max`, "4addr" is `_4addr`, "class" is `class_`.

    taken: names that mean something else.
    """
    found = _OTHER.sub("_", name).lstrip("_") or "_"
    if found[0].isdigit():
        found = "_" + found
    while keyword.iskeyword(found) or found in taken:
        found += "_"
    return found


def constant(name: str, taken: Container[str] = ()) -> str:
    """The name of an enum's member: "802.1q" is `_802_1Q`."""
    found = _OTHER.sub("_", name).upper()
    if not found or found[0].isdigit():
        found = "_" + found
    if found[0] == "_":
        found = found.rstrip("_") or "_0"  # names with underscores at both ends are an enum's own
    first, number = found, 1
    while found in taken or found == "MRO":
        number += 1
        found = f"{first}_{number}"
    return found


def class_name(name: str) -> str:
    """The name of a class: "link-attrs" is `Link`, "if_stats_msg" is `IfStatsMsg`."""
    parts = re.split(r"[\W_]+", _SUFFIX.sub("", name))
    found = "".join(part[:1].upper() + part[1:] for part in parts)
    return f"{'' if found[:1].isalpha() else '_'}{found}{'_' if keyword.iskeyword(found) else ''}"
