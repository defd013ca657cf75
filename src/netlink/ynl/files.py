"""Finding and reading specs."""

# The content of a spec has no types.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netlink.ynl.errors import SpecError, near

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["available", "find", "read"]

_INSTALLED = Path("/usr/share/ynl/specs")
_DOCUMENTATION = Path("/usr/share/doc")  # linux-doc-6.12/Documentation/netlink/specs
_ENDINGS = (".yaml", ".yaml.gz", ".json", ".json.gz")


def folders() -> Iterator[Path]:
    """The folders with specs, the first one first: those of $YNL_SPECS, of the kernel, of Debian's documentation."""
    for name in os.environ.get("YNL_SPECS", "").split(os.pathsep):
        if name:
            yield Path(name)
    yield _INSTALLED
    documents = _DOCUMENTATION.glob("linux-doc*/Documentation/netlink/specs")
    yield from sorted(documents, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parts[-4])], reverse=True)


def available() -> dict[str, Path]:
    """The specs of this machine by name, which has dashes: "rt-link", also for rt_link.yaml.gz of an older kernel.

    Of specs with the same name it has that of the first folder: of $YNL_SPECS, /usr/share/ynl/specs, and the newest
    linux-doc package of Debian.
    """
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*")):
            stem, ending = path.name.partition(".")[::2]
            if f".{ending}" in _ENDINGS:
                found.setdefault(stem.replace("_", "-"), path)
    return dict(sorted(found.items()))


def find(name: str | os.PathLike[str]) -> Path:
    """The path of a spec, from its name or its path. FileNotFoundError that lists near names and the folders."""
    path = Path(name)
    text = os.fspath(name)
    if os.sep in text or text.endswith(_ENDINGS):
        return path
    known = available()
    if (found := known.get(text.replace("_", "-"))) is not None:
        return found
    where = ", ".join(map(str, folders()))
    raise FileNotFoundError(f"there is no spec {text!r} in {where}{near(text, known)}")


def read(path: Path) -> dict[str, Any]:
    """The content of a spec. SpecError if it is no mapping in YAML or JSON, OSError if it cannot be read.

    ModuleNotFoundError for YAML without PyYAML.
    """
    data = path.read_bytes()
    if path.suffix == ".gz":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise SpecError(str(path), "", f"it is no gzip file: {error}") from None
    content: Any
    if ".json" in path.suffixes[-2:]:
        try:
            content = json.loads(data)
        except ValueError as error:
            raise SpecError(str(path), "", f"it is no JSON: {error}") from None
    else:
        content = _from_yaml(path, data)
    if not isinstance(content, dict):
        raise SpecError(str(path), "", "it is no mapping")
    return content


_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", "")),
}


def _from_yaml(path: Path, data: bytes) -> Any:
    """The content of YAML, from the parser's events: that takes a third of the time of `yaml.load`.

    Only those plain scalars that specs need are not text: integers, true, false and null.
    """
    try:
        import yaml
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{path} is YAML, which needs PyYAML: pip install 'fastnetlink[ynl]'", name="yaml"
        ) from None
    # Everything of a few types is quicker to tell apart by identity.
    scalar, alias = yaml.ScalarEvent, yaml.AliasEvent
    mapping, mapping_end = yaml.MappingStartEvent, yaml.MappingEndEvent
    sequence, sequence_end = yaml.SequenceStartEvent, yaml.SequenceEndEvent
    anchors: dict[str, Any] = {}

    def node(event: Any) -> Any:
        kind = type(event)
        value: Any
        if kind is scalar:
            value = event.value
            if event.implicit[0] and (value in _CONSTANTS or value[0] in "-+0123456789"):
                value = _CONSTANTS[value] if value in _CONSTANTS else _number(value)
        elif kind is mapping:
            value = {}
            while type(event_of_key := get()) is not mapping_end:
                key = node(event_of_key)
                if not isinstance(key, str):
                    raise SpecError(str(path), f"line {event_of_key.start_mark.line + 1}", "a key is no text")
                if key in value:
                    raise SpecError(str(path), f"line {event_of_key.start_mark.line + 1}", f"{key} comes again")
                value[key] = node(get())
        elif kind is sequence:
            value = []
            while type(item := get()) is not sequence_end:
                value.append(node(item))
        elif kind is alias:
            if event.anchor not in anchors:
                raise SpecError(str(path), f"line {event.start_mark.line + 1}", f"there is no anchor {event.anchor}")
            return anchors[event.anchor]
        else:
            raise SpecError(str(path), "", "it is empty")
        if event.anchor:
            anchors[event.anchor] = value
        return value

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        get = loader(data).get_event
        get()  # of the stream
        if type(get()) is yaml.StreamEndEvent:
            raise SpecError(str(path), "", "it is empty")
        return node(get())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f"line {mark.line + 1}"
        raise SpecError(str(path), where, f"it is no YAML: {getattr(error, 'problem', None) or error}") from None
    except RecursionError:
        raise SpecError(str(path), "", "it is nested too deep") from None


def _number(text: str) -> int | str:
    try:
        return int(text, 0)
    except ValueError:
        return text
