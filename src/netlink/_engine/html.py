"""A batch as a table for notebooks."""

from __future__ import annotations

from html import escape

from netlink._engine.arrow import cells

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netlink._engine.record import Batch

__all__ = ["table"]

_SHOWN = 5  # rows at the beginning and at the end
_LENGTH = 80  # characters of a cell


def table(batch: Batch[Any]) -> str:
    """The first and last rows of a batch as HTML. Columns without a value in these rows are left out.

    So are those of secrets, which a declaration names in `__hidden__`.
    """
    total = len(batch)
    shown = batch
    if total > 2 * _SHOWN:
        shown = batch[:_SHOWN] + batch[-_SHOWN:]
    title = escape(repr(batch)[1:-1])
    hidden: tuple[str, ...] = getattr(batch[0], "__hidden__", ()) if total else ()
    columns = [(name, values) for name, values in cells(shown) if name not in hidden]
    names = "".join(f"<th>{escape(name)}</th>" for name, _ in columns)
    rows: list[str] = []
    for i in range(len(shown)):
        if i == _SHOWN and total > 2 * _SHOWN:
            rows.append(f"<tr><td colspan={len(columns) + 1}>\u2026</td></tr>")
        at = i if i < _SHOWN else total - len(shown) + i
        values = "".join(f"<td>{escape(_text(values[i]))}</td>" for _, values in columns)
        rows.append(f"<tr><th>{at}</th>{values}</tr>")
    return (
        f"<table><caption>{title}</caption><thead><tr><th></th>{names}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (bytes, memoryview)):
        text = value.hex()
    else:
        text = str(getattr(value, "name", None) or value)
    text = text.encode(errors="replace").decode()  # browsers reject lone surrogates
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}\u2026"
