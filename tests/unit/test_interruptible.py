"""Where an exception of a signal handler may come, the cleanup around it is in force.

The jump back to the start of a loop is such a place, and CPython 3.13 compiles it outside the `with` or `try` that the
loop is in: a KeyboardInterrupt there would leave a lock held for ever.
"""

from __future__ import annotations

import dis
import importlib
import inspect
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

JUMPS = {name for name in dis.opmap if "JUMP_BACKWARD" in name and "NO_INTERRUPT" not in name}


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def uncovered(code: types.CodeType) -> list[int | None]:
    """Lines of loops whose jump back leaves the protection that their first instruction has."""
    bytecode = dis.Bytecode(code)
    entries: list[Any] = bytecode.exception_entries  # type: ignore[attr-defined]

    # Other handlers, as of comprehensions and generators, only mend the frame and go on to the next.
    cleanups = {i.offset for i in bytecode if i.opname == "PUSH_EXC_INFO"}

    def handler(offset: int) -> int | None:
        target: int | None = offset
        while target is not None and (target == offset or target not in cleanups):
            target = next((entry.target for entry in entries if entry.start <= target < entry.end), None)
        return target

    return [
        instruction.positions.lineno if instruction.positions else None
        for instruction in bytecode
        if instruction.opname in JUMPS and handler(instruction.argval) != handler(instruction.offset)
    ]


def test_the_check_sees_what_it_looks_for() -> None:
    def looped(x: Any) -> None:
        while x.more:
            with x:
                x.next()

    def guarded(x: Any) -> None:
        with x:
            while x.more:
                x.next()

    assert not uncovered(looped.__code__)
    if sys.version_info[:2] == (3, 13):
        assert len(uncovered(guarded.__code__)) == 1


@pytest.mark.parametrize(
    "name", ["netlink.conn", "netlink.stream", "netlink._io.source", "netlink.netfilter.conntrack.mirror"]
)
def test_no_loop_jumps_out_of_its_cleanup(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__spec__
    assert module.__spec__.loader
    code = module.__spec__.loader.get_code(name)  # type: ignore[attr-defined]
    # An event loop takes signals between its steps: nothing comes into coroutines.
    found = {
        c.co_qualname: lines for c in codes(code) if not c.co_flags & inspect.CO_COROUTINE and (lines := uncovered(c))
    }
    # _leave's own cleanup stands once more around its callers.
    found.pop("BaseConn._leave", None)
    assert not found
