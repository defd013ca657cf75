"""The rules of docs/architecture.md about who may use whom, read from the imports."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netlink.family import Family, Listen, Operation, verb

PACKAGE = Path(__file__).parents[2] / "src/netlink"
SOURCES = sorted(path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".pyx", ".pxd", ".pyi"})
# What engine and input-output stand on.
FOUNDATION = {"_codec", "_transport", "_wire", "bpf", "config", "consts", "errors"}
PROTOCOLS = {"audit", "connector", "crypto", "generic", "kobject_uevent", "netfilter", "route", "sock_diag", "xfrm"}
# Those that are one family each.
SINGLE = {"audit", "connector", "crypto", "kobject_uevent", "route", "sock_diag", "xfrm"}
# What the families of a protocol share.
LAYERS = {"generic.genetlink", "netfilter.nfnetlink"}
# A logged or queued packet may bring its flow; files are of logged packets.
BESIDE = {
    ("netfilter.nflog", "netfilter.conntrack"),
    ("netfilter.nfqueue", "netfilter.conntrack"),
    ("netfilter.pcapng", "netfilter.nflog"),
}
# What families must not use: they declare, and the engine encodes.
ENCODING = {"struct", "AttributeEncoder", "AttributeDecoder", "Attribute", "marshal_attributes", "unmarshal_attributes"}
# A mirror is a stream's consumer that threads share, with the locks that streams have: no table of a protocol.
# What the kernel refuses, or drops without a word, outside of the machine's first namespaces is told where it happens.
PRIVATE = {
    ("netfilter.conntrack.mirror", "netlink._io.outlet"),
    ("route.mirror", "netlink._io.outlet"),
    ("connector", "netlink._io.namespaces"),
    ("netfilter.nfqueue.queue", "netlink._io.namespaces"),
    ("netfilter.nfqueue.queue", "netlink._io.warn"),
}
# Files and no family.
FILES = {"netfilter.pcapng"}
# A number with the name of a macro behind it.
NAMED_NUMBER = re.compile(r"^\s*(\w+)(?:\s*:[^=]+)? = -?(?:0x)?\d[\da-fA-F_]*\s+# .*\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
REFERENCE = Path(__file__).parents[2] / "docs/api"


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
    if parts[0] in SINGLE:
        return parts[0]
    if parts[0] not in PROTOCOLS or len(parts) < 2 or parts[1].startswith("_"):
        return ""
    family = ".".join(parts[:2])
    return "" if family in LAYERS else family


def test_the_imports_are_seen() -> None:
    seen = set(imported(PACKAGE / "netfilter/conntrack/events.py"))
    assert {"netfilter.conntrack.records", "netfilter._sysctl", "netfilter.nfnetlink", "stream"} <= seen
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
        if name_of(path).split(".")[0] not in {*PROTOCOLS, "ynl", "nlmon"}:
            assert not {m for m in imported(path) if m.split(".")[0] in PROTOCOLS}, path
            assert "nlmon" not in {m.split(".")[0] for m in imported(path)}, path


def test_nothing_uses_families_from_specifications() -> None:
    for path in SOURCES:
        if name_of(path).split(".")[0] != "ynl":
            assert not {m for m in imported(path) if m.split(".")[0] == "ynl"}, path
    used = {module for path in (PACKAGE / "ynl").glob("*.py") for module in imported(path)}
    assert {module for module in used if module.split(".")[0] in PROTOCOLS} <= {"generic"}


def test_no_family_uses_another_one() -> None:
    for path in SOURCES:
        family = family_of(name_of(path))
        for module in imported(path) if family else ():
            other = family_of(module)
            assert not other or other == family or (family, other) in BESIDE, f"{name_of(path)} imports {module}"


def test_declarations_stand_alone() -> None:
    for path in PACKAGE.rglob("records.py"):
        used = {m for m in imported(path) if family_of(m) != family_of(name_of(path))}
        assert all(
            m in {"schema", "packet", "consts"} or m.split(".")[-1] in {"genetlink", "nfnetlink", "_packet", "records"}
            for m in used
        ), used


# Families

FAMILIES = [path for path in SOURCES if path.suffix == ".py" and family_of(name_of(path)) not in {"", *FILES}]


def private_uses(path: Path) -> Iterator[str]:
    """The private modules that a source imports, and the private names of other modules that it uses."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names}
            yield from (alias.name for alias in node.names if "._" in alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            modules |= {alias.asname or alias.name for alias in node.names}
            if any(part.startswith("_") and part != "__future__" for part in module.split(".")):
                yield module
            yield from (f"{module}.{alias.name}" for alias in node.names if re.match("_[^_]", alias.name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and re.match("_[^_]", node.attr):
            if node.value.id not in modules:
                continue
            yield f"{node.value.id}.{node.attr}"


def own(path: Path, used: str) -> bool:
    """Whether a private module is the source's own family's, or one that families of the protocol share."""
    module = used.removeprefix("netlink.")
    protocol = name_of(path).split(".")[0]
    return module.startswith(f"{family_of(name_of(path))}.") or re.fullmatch(rf"{protocol}\._\w+", module) is not None


def test_there_are_families() -> None:
    assert {"netfilter.conntrack.family", "netfilter.nflog", "netfilter.nflog.records"} <= set(map(name_of, FAMILIES))
    assert set(private_uses(PACKAGE / "netfilter/_sysctl.py")) == {"netlink._io.warn", "netlink._transport"}


@pytest.mark.parametrize("path", FAMILIES, ids=name_of)
def test_families_use_no_private_name_of_another_module(path: Path) -> None:
    used = {use for use in private_uses(path) if not own(path, use)}
    assert used == {use for of, use in PRIVATE if of == name_of(path)}


@pytest.mark.parametrize("path", FAMILIES, ids=name_of)
def test_families_encode_nothing_by_hand(path: Path) -> None:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
    # Both say struct of the schema, which declares one.
    text = path.read_text(encoding="utf-8")
    if "struct" in names and not re.search(r"^\s*(import struct|from struct )", text, re.M):
        names.discard("struct")
    assert not names & ENCODING


@pytest.mark.parametrize("path", FAMILIES, ids=name_of)
def test_numbers_of_the_kernel_are_members_of_enums(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    members: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and any(getattr(b, "id", "") in {"IntEnum", "IntFlag"} for b in node.bases):
            members |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    wrong = [
        line.strip()
        for number, line in enumerate(text.splitlines(), 1)
        if number not in members and NAMED_NUMBER.match(line)
    ]
    assert not wrong


def test_the_check_of_numbers_sees_them() -> None:
    for line in ("_TUPLE_ORIG = 1  # CTA_TUPLE_ORIG", "    scale: int = 0x01  # IP_CT_TCP_FLAG_WINDOW_SCALE, of TCP"):
        assert NAMED_NUMBER.match(line)
    for line in ("_VERSION = 1  # nfgenmsg.version", "packets: Int = be64(1)  # CTA_COUNTERS_PACKETS", "_MAX = 5"):
        assert not NAMED_NUMBER.match(line)


def families() -> Iterator[type[Family[Any]]]:
    """The classes of families of the package."""
    for path in FAMILIES:
        module = importlib.import_module(f"netlink.{name_of(path)}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Family) and value.__module__ == module.__name__:
                yield value


def documented(path: str) -> set[str]:
    """Names of a class's members that the reference has, "*" for all; path: of the class."""
    found: set[str] = set()
    for page in REFERENCE.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for options in re.findall(rf"autoclass:: {re.escape(path)}(?:\(\))?\n((?:   +:.*\n)*)", text):
            for members in re.findall(r":members:(.*)", options):
                found |= {name.strip() for name in members.split(",")} if members.strip() else {"*"}
        found |= set(re.findall(rf"auto(?:method|attribute):: {re.escape(path)}\.(\w+)", text))
    return found


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the documentation is not here")
def test_every_operation_and_verb_is_in_the_reference() -> None:
    assert list(families())
    for family in families():
        public = family.__module__.removesuffix(".family")
        there = documented(f"{public}.{family.__name__}")
        for name, value in vars(family).items():
            if isinstance(value, (Operation, Listen, verb)) and not name.startswith("_"):
                assert value.__doc__, f"{family.__qualname__}.{name} has no docstring"
                assert {name, "*"} & there, f"{public}.{family.__name__}.{name} is not in docs/api"
