"""What `make memcheck` takes for an error of netlink, in reports as valgrind writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import memcheck

OURS = f"{memcheck.PACKAGE}_engine/record.cpython-313-x86_64-linux-gnu.so"
PYTHON = "/usr/lib/libpython3.13.so"
VALGRIND = "/usr/libexec/valgrind/vgpreload_memcheck.so"
MALLOC = ("malloc", VALGRIND)
USED = (("clear_slots", PYTHON), ("repr", OURS), ("_PyEval_EvalFrameDefault", PYTHON))


def stack(*frames: tuple[str, str]) -> str:
    inner = "".join(f"<frame><obj>{file}</obj><fn>{function}</fn></frame>" for function, file in frames)
    return f"<stack>{inner}</stack>"


def error(kind: str, used: str, origin: str = "") -> str:
    allocated = f"<auxwhat>It was created by a heap allocation</auxwhat>{origin}" if origin else ""
    return f"<error><kind>{kind}</kind><what>What happened</what>{used}{allocated}</error>"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (error("InvalidRead", stack(("decode", OURS))), True),
        (error("InvalidRead", stack(("memcpy", VALGRIND), ("decode", OURS))), True),
        (error("InvalidRead", stack(("long_add", PYTHON), ("_PyEval_EvalFrame", PYTHON), ("decode", OURS))), False),
        (error("UninitValue", stack(*USED)), True),
        (error("UninitValue", stack(*USED), stack(MALLOC, ("nl_area_reserve", OURS))), True),
        (error("UninitValue", stack(*USED), stack(MALLOC, ("_PyLong_New", PYTHON))), False),
        (error("InvalidRead", stack(*USED), stack(MALLOC, ("_PyLong_New", PYTHON))), True),
        (error("Leak_DefinitelyLost", stack(MALLOC, ("fill", OURS))), True),
        (error("Leak_DefinitelyLost", stack(MALLOC, ("PyBytes_FromStringAndSize", PYTHON), ("encode", OURS))), True),
        (error("Leak_DefinitelyLost", stack(MALLOC, ("_PyEval_EvalFrame", PYTHON), ("encode", OURS))), False),
        (error("Leak_DefinitelyLost", stack(MALLOC, ("arrow", "/usr/lib/libarrow.so"))), False),
    ],
)
def test_whose_an_error_is(tmp_path: Path, text: str, wanted: bool) -> None:
    report = tmp_path / "1.xml"
    report.write_text(f"<valgrindoutput>{text}")  # cut short, as where a process was killed
    found = [memcheck.shown(one) for one in memcheck.errors(report)]
    assert len(found) == wanted
    assert all(text.startswith("What happened\n    ") for text in found)
