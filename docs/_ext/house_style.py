"""The project's docstrings for autodoc: plain text in, reStructuredText out.

- A paragraph whose lines start with `name: ` or `name, name: ` is a list of parameters.
- An indented paragraph is code.
- Outside of backticks nothing is markup.
- A class of named values, be they attributes of a declaration or members of an enum, gets a table of them: what they
  are declared as, and the comment on their line, which has the kernel's name.

And a public name that no page of the reference has is a warning.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

import netlink
from netlink.schema import Record

_PARAMETER = re.compile(r"(?!https?:)([a-z_]\w*(?:, [a-z_]\w*)*|\"\w+\"): (.*)", re.IGNORECASE)
_MEMBER = re.compile(r"    ([A-Za-z]\w*) = ([^#\n]*?) *(?:# (.*))?")


def escaped(text: str) -> str:
    """Text in which only what stands in backticks is markup."""
    parts = re.split(r"(``.+?``|`[^`]+`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*|\\]|_(?=\W|$))", r"\\\1", part) for part in parts)


def paragraph(text: str) -> list[str]:
    lines = text.split("\n")
    names = [_PARAMETER.fullmatch(line) for line in lines]
    if names[0] and all(name or line.startswith("    ") for name, line in zip(names, lines, strict=True)):
        out: list[str] = []
        for name, line in zip(names, lines, strict=True):
            value = _PARAMETER.fullmatch(line.strip())
            if name:
                out += ["", f"* **{escaped(name[1])}**: {escaped(name[2])}"]
            elif value and value[1].startswith('"'):  # one of the values of the parameter
                out += ["", f"  * ``{value[1]}``: {escaped(value[2])}"]
            else:
                indent = "    " if out[-1].startswith("    ") or out[-1].startswith("  * ") else "  "
                out.append(indent + escaped(line.strip()))
        return out
    return [escaped(line) for line in lines]


def marked_up(lines: list[str]) -> list[str]:
    out: list[str] = []
    for part in re.split(r"\n{2,}(?! {4})", "\n".join(line.rstrip() for line in lines).strip("\n")):
        text, _, code = ("", "", part) if part.startswith("    ") else part.partition("\n\n")
        if text:
            out += [*paragraph(text), ""]
        if code:
            out += [".. code-block:: python", "", *code.split("\n"), ""]
    return out


def cells(row: re.Match[str]) -> tuple[str, str, str]:
    return f"``{row[1]}``", f"``{row[2]}``", escaped(row[3] or "")


def members(cls: type[Any]) -> list[str]:
    """A table of the named values that a class declares, from its source."""
    rows = [match for line in inspect.getsource(cls).split("\n") if (match := _MEMBER.fullmatch(line))]
    if not rows:
        return []
    table = [("name", "declared as", "in the kernel"), *(cells(row) for row in rows)]
    columns = 3 if any(row[3] for row in rows) else 2
    out = [".. list-table::", "   :header-rows: 1", "   :align: left", ""]
    for row in table:
        out += [f"   {'  -' if i else '* -'} {cell}" for i, cell in enumerate(row[:columns])]
    return [*out, ""]


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = marked_up(lines)
    if what == "class" and (issubclass(obj, enum.Enum) or (issubclass(obj, Record) and "__table__" in vars(obj))):
        lines += members(obj)


def without_self(app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str, returns: str) -> Any:
    """Methods of extension types tell of their first argument."""
    return re.sub(r"^\((self|cls)(, )?", "(", signature) if signature else signature, returns


def public(module: str) -> dict[str, Any]:
    """The names that a module exports, numbers left out, and those of the public modules in it.

    What the rooms of a family's package have for users its facade exports.
    """
    package = importlib.import_module(module)
    names = {f"{module}.{name}": getattr(package, name) for name in getattr(package, "__all__", ())}
    is_family = bool(names) and module != netlink.__name__
    for inner in pkgutil.iter_modules(getattr(package, "__path__", ())):
        if not (is_family or inner.name.startswith("_")):
            names |= public(f"{module}.{inner.name}")
    return {name: value for name, value in names.items() if not isinstance(value, (int, str))}


def missing(app: Sphinx, env: BuildEnvironment) -> None:
    names = public(netlink.__name__)
    pages = env.domains["py"].data["objects"]
    documented = [value for name, value in names.items() if name in pages]
    for name, value in names.items():
        if not any(value is other for other in documented):
            logging.getLogger(__name__).warning("%s is in no page of docs/api", name)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("env-check-consistency", missing)
    app.connect("autodoc-process-signature", without_self)
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}
