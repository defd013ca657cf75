"""The project's docstrings for autodoc: plain text in, reStructuredText out.

- A paragraph whose lines start with `name: ` or `name, name: ` is a list of parameters.
- An indented paragraph is code.
- Outside of backticks nothing is markup.
- A class of named values, be they attributes of a declaration or members of an enum, gets a table of them: what they
  are declared as, and the comment on their line, which has the kernel's name.

A family's operations and verbs are no functions, so that autodoc shows none of their signatures. Two directives list
them as methods: `operations` and `verbs`, each with the name of the class, in the content of its `autoclass`.

A public name that no page of the reference has is a warning. So is an operation or verb without a page or docstring.
"""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import pkgutil
import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import netlink
from netlink.family import Dump, Family, Listen, Operation, verb
from netlink.schema import Record

_PARAMETER = re.compile(r"(?!https?:)([a-z_]\w*(?:, [a-z_]\w*)*|\"\w+\"): (.*)", re.IGNORECASE)
_MEMBER = re.compile(r"    ([A-Za-z]\w*)(?:: [^=\n]+)? = ([^#\n]*?) *(?:# (.*))?")
_RESULT = re.compile(r"_?(?:Call|Steps)\[(.*)\]")
_OPTIONS = "*, on_overrun='raise', read_buffer=None, reliable=False, matches=(), bpf=None"


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
    rows = [row for row in rows if row[1] != "header"]  # the class statement has it
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


class Text:
    """An annotation as its source has it."""

    def __init__(self, text: object) -> None:
        self.text = str(text)

    def __repr__(self) -> str:
        return self.text


def signature_of(member: Any) -> str:
    """How an operation or verb is called over a `Conn`, and what it returns."""
    if isinstance(member, verb):
        signature = inspect.signature(member.__wrapped__)
        _self, *others = signature.parameters.values()
        result = _RESULT.fullmatch(str(signature.return_annotation))
        assert result, f"{member.__name__} returns neither a Call nor Steps"
        shown = [each.replace(annotation=Text(each.annotation)) for each in others]
        return str(signature.replace(parameters=shown, return_annotation=Text(result[1])))
    if isinstance(member, Listen):
        names = " | ".join(declaration.__name__ for declaration in member.declarations)
        return f"({_OPTIONS}) -> Stream[{names}]"
    request = "" if member.request is None else f"record: {member.request.__name__}, /"
    reply = "None" if member.reply is None else member.reply.__name__
    return f"({request}) -> {f'Batch[{reply}]' if isinstance(member, Dump) else reply}"


def members_of(family: type[Any], kinds: tuple[type[Any], ...]) -> dict[str, Any]:
    return {name: member for name, member in vars(family).items() if isinstance(member, kinds)}


class Operations(SphinxDirective):
    """The operations of a family as methods."""

    required_arguments = 1
    kinds: tuple[type[Any], ...] = (Operation, Listen)

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition(".")
        lines: list[str] = []
        for method, member in members_of(getattr(importlib.import_module(module), name), self.kinds).items():
            body = marked_up(inspect.cleandoc(member.__doc__ or "").split("\n"))
            lines += [f".. py:method:: {method}{signature_of(member)}", "", *(f"   {line}" for line in body), ""]
        parent = nodes.Element()
        self.state.nested_parse(StringList(lines, self.arguments[0]), self.content_offset, parent)
        return parent.children


class Verbs(Operations):
    """The verbs of a family as methods."""

    kinds = (verb,)


def skipped(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave operations and verbs to their directives."""
    return True if isinstance(obj, (Operation, Listen, verb)) else None


@functools.cache
def modules_of_names() -> dict[str, list[str]]:
    """The modules that export a name, for each name."""
    found: dict[str, list[str]] = {}
    for full in public(netlink.__name__):
        module, _, name = full.rpartition(".")
        found.setdefault(name, []).append(module)
    return found


def specific(app: Sphinx, doctree: nodes.document) -> None:
    """Let a name that several modules have be that of the module at hand, or of the nearest above it or below it, or
    else of the one with the shortest name: families share the nouns of the kernel."""
    for node in doctree.findall(pending_xref):
        name, here = node.get("reftarget"), node.get("py:module") or netlink.__name__
        if node.get("refdomain") == "py" and name in modules_of_names():

            def nearness(module: str, here: str = here) -> tuple[int, int]:
                short, long = sorted((f"{module}.", f"{here}."), key=len)
                return short.count(".") if long.startswith(short) else 0, -module.count(".")

            node["reftarget"] = f"{max(modules_of_names()[name], key=nearness)}.{name}"


def public(module: str) -> dict[str, Any]:
    """The names that a module exports, numbers left out, and those of the public modules in it.

    What the rooms of a family's package have for users its facade exports.
    """
    package = importlib.import_module(module)
    names = {f"{module}.{name}": getattr(package, name) for name in getattr(package, "__all__", ())}
    is_facade = bool(names) and module != netlink.__name__
    for inner in pkgutil.iter_modules(getattr(package, "__path__", ())):
        if not (is_facade or inner.name.startswith("_")):
            names |= public(f"{module}.{inner.name}")
    return {name: value for name, value in names.items() if not isinstance(value, (int, str))}


def missing(app: Sphinx, env: BuildEnvironment) -> None:
    names = public(netlink.__name__)
    pages = env.domains["py"].data["objects"]
    documented = [value for name, value in names.items() if name in pages]
    for name, value in names.items():
        if not any(value is other for other in documented):
            logging.getLogger(__name__).warning("%s is in no page of docs/api", name)
        for method, member in members_of(value, (Operation, Listen, verb)).items() if is_family(value) else ():
            if f"{name}.{method}" not in pages or not member.__doc__:
                logging.getLogger(__name__).warning("%s.%s has no page or no docstring", name, method)


def is_family(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Family)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("operations", Operations)
    app.add_directive("verbs", Verbs)
    app.connect("autodoc-skip-member", skipped)
    app.connect("doctree-read", specific)
    app.connect("env-check-consistency", missing)
    app.connect("autodoc-process-signature", without_self)
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}
