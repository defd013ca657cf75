"""The rules of docs/architecture.md about who may use whom, read from the imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src/netlink"
SOURCES = sorted(path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".pyx", ".pxd", ".pyi"})
# What engine and input-output stand on.
FOUNDATION = {"_codec", "_transport", "_wire", "bpf", "config", "consts", "errors"}
PROTOCOLS = {"netfilter"}
# What the families of a protocol share.
LAYERS = {"netfilter.nfnetlink"}
# A logged packet may bring its flow; files are of logged packets.
BESIDE = {("netfilter.nflog", "netfilter.conntrack"), ("netfilter.pcapng", "netfilter.nflog")}


if not SOURCES:
    pytest.skip("the sources are not here", allow_module_level=True)


def name_of(path: Path) -> str:
    """The module of a source, without `netlink.`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(path: Path) -> Iterator[str]:
    """The modules of the package that a source imports, without `netlink.`."""
    text = path.read_text(encoding="utf-8")
    for package, names in re.findall(r"^\s*from netlink([.\w]*) c?import ([^\n(]+|\([^)]*\))", text, re.M):
        if package:
            yield package[1:]
        for name in re.findall(r"(\w+)(?: as \w+)?,?", names.split("#")[0]):
            found = PACKAGE.joinpath(*package[1:].split("."), name) if package else PACKAGE / name
            if found.is_dir() or any(found.with_suffix(end).exists() for end in (".py", ".pyx")):
                yield f"{package}.{name}"[1:]


def family_of(module: str) -> str:
    """The family that a module of a protocol belongs to, or ""."""
    parts = module.split(".")
    if parts[0] not in PROTOCOLS or len(parts) < 2 or parts[1].startswith("_"):
        return ""
    family = ".".join(parts[:2])
    return "" if family in LAYERS else family


def test_the_imports_are_seen() -> None:
    seen = set(imported(PACKAGE / "netfilter/conntrack/events.py"))
    assert {"_engine.bpf_filter", "netfilter.conntrack.records", "netfilter._sysctl", "stream"} <= seen
    assert {"_engine.match", "_engine.record", "_transport"} <= set(imported(PACKAGE / "_engine/receive.pyx"))


@pytest.mark.parametrize("floor", ["_engine", "_io"])
def test_engine_and_io_use_nothing_above_them(floor: str) -> None:
    for path in SOURCES:
        if path.is_relative_to(PACKAGE / floor):
            below = {*FOUNDATION, "_engine", floor}
            above = {m for m in imported(path) if m.split(".")[0] not in below}
            assert not above, f"{path.relative_to(PACKAGE)} imports {above}"


def test_wire_and_socket_use_nothing_above_them() -> None:
    for path in SOURCES:
        if path.parent == PACKAGE and path.stem in {"_codec", "_transport", "_wire"}:
            assert {m.split(".")[0] for m in imported(path)} <= {*FOUNDATION, "config"}


def test_no_public_module_uses_a_family() -> None:
    for path in SOURCES:
        if name_of(path).split(".")[0] not in PROTOCOLS:
            assert not {m for m in imported(path) if m.split(".")[0] in PROTOCOLS}, path


def test_no_family_uses_another_one() -> None:
    for path in SOURCES:
        family = family_of(name_of(path))
        for module in imported(path) if family else ():
            other = family_of(module)
            assert not other or other == family or (family, other) in BESIDE, f"{name_of(path)} imports {module}"


def test_declarations_stand_alone() -> None:
    for path in PACKAGE.rglob("records.py"):
        used = {m for m in imported(path) if family_of(m) != family_of(name_of(path))}
        assert all(m in {"schema", "consts"} or m.split(".")[-1] in {"nfnetlink", "records"} for m in used), used
