"""Texts about a spec: what its operations take and give."""

# The content of a spec has no types.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netlink.ynl.spec import Attribute, Operation, Spec

__all__ = ["family_lines", "operation_lines"]


def family_lines(spec: Spec) -> Iterator[str]:
    """A family: its operations, events and groups."""
    yield f"{spec.name}: {spec.doc}" if spec.doc else spec.name
    asked = [op for op in spec.operations.values() if not op.is_event]
    events = [op for op in spec.operations.values() if op.is_event]
    for title, operations in (("Operations", asked), ("Events", events)):
        if operations:
            yield ""
            yield f"{title}:"
        width = max((len(op.name) for op in operations), default=0)
        for op in operations:
            ways = ", ".join(way for way in ("do", "dump") if getattr(op, way) is not None)
            group = f"group {op.group}" if op.group else ""
            yield f"  {op.name:{width}}  {_joined(ways or group, op.doc)}".rstrip()
    if spec.groups:
        yield ""
        yield f"Groups: {', '.join(spec.groups)}"


def operation_lines(spec: Spec, operation: Operation, nested: bool = True) -> Iterator[str]:
    """An operation: what it takes and gives, and its attributes. nested: with those within attributes."""
    yield f"{operation.name}: {operation.doc}" if operation.doc else operation.name
    for way in ("do", "dump"):
        mode: Mapping[str, Any] | None = getattr(operation, way)
        if mode is not None:
            for side in ("request", "reply"):
                listed = (mode.get(side) or {}).get("attributes")
                if listed:
                    yield f"  {way} {side}: {', '.join(listed)}"
    if operation.header is not None:
        yield ""
        yield f"Header, struct {operation.header}:"
        yield from _members(spec, operation.header, "  ", nested)
    if operation.set is not None:
        yield ""
        yield "Attributes:"
        yield from _attributes(spec, operation.set, "  ", nested, (operation.set,))


def _members(spec: Spec, struct: str, indent: str, nested: bool) -> Iterator[str]:
    for member in spec.definitions[struct]["members"]:
        if member["type"] == "pad":
            continue
        kind = f"struct {member['struct']}" if "struct" in member else member["type"]
        yield f"{indent}{member['name']}: {_joined(kind + _values(spec, member), _doc(member))}"
        if nested and "struct" in member:
            yield from _members(spec, member["struct"], indent + "  ", nested)


def _attributes(spec: Spec, of: str, indent: str, nested: bool, around: tuple[str, ...]) -> Iterator[str]:
    for attribute in spec.attributes(of).values():
        keys = attribute.keys
        if keys["type"] in ("pad", "unused"):
            continue
        yield f"{indent}{attribute.name}: {_joined(_kind(attribute) + _values(spec, keys), _doc(keys))}"
        if not nested:
            continue
        if "struct" in keys:
            yield from _members(spec, keys["struct"], indent + "  ", nested)
        if "nested-attributes" in keys:
            yield from _inside(spec, keys["nested-attributes"], indent + "  ", around)
        for one in spec.messages.get(keys.get("sub-message", ""), ()):
            yield f"{indent}  {keys['selector']} {one['value']}:"
            if "fixed-header" in one:
                yield from _members(spec, one["fixed-header"], indent + "    ", nested)
            if "attribute-set" in one:
                yield from _inside(spec, one["attribute-set"], indent + "    ", around)


def _inside(spec: Spec, of: str, indent: str, around: tuple[str, ...]) -> Iterator[str]:
    if of in around:
        yield f"{indent}the attributes of {of}, which are around it"
    else:
        yield from _attributes(spec, of, indent, True, (*around, of))


def _kind(attribute: Attribute) -> str:
    keys = attribute.keys
    kind: str = keys["type"]
    if "struct" in keys:
        kind = f"struct {keys['struct']}"
    elif kind in ("indexed-array", "nest-type-value", "array-nest"):
        kind = f"list of {keys.get('sub-type', 'nest')}"
    elif kind == "binary" and "sub-type" in keys:
        kind = f"list of {keys['sub-type']}"
    elif kind == "sub-message":
        kind = f"by {keys['selector']}"
    return f"list of {kind}" if keys.get("multi-attr") else kind


def _values(spec: Spec, keys: Mapping[str, Any]) -> str:
    if "enum" not in keys:
        return ""
    texts = " | ".join(entry.name for entry in spec.entries(keys["enum"]))
    is_flags = keys.get("enum-as-flags") or spec.definitions[keys["enum"]]["type"] == "flags"
    return f", {'some' if is_flags else 'one'} of {texts}" if texts else ""


def _doc(keys: Mapping[str, Any]) -> str:
    return " ".join(str(keys.get("doc", "")).split())


def _joined(*parts: str) -> str:
    return ". ".join(filter(None, (part.rstrip(".") for part in parts)))
