"""Numbers and struct layouts as the C compiler sees them in the installed headers.

A test calls these functions and compares. Where there is no C compiler, or a header cannot be included, they
skip the test and say why; whatever else goes wrong is a failure.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest


class Field(NamedTuple):
    """Where a struct's field lies, in bytes. The size of a flexible array is 0."""

    offset: int
    size: int


class Layout(NamedTuple):
    """Size of a type in bytes, and its fields by name."""

    size: int
    fields: dict[str, Field]


@functools.cache
def compiler() -> list[str]:
    """Return the command that compiles C: $CC, else `cc`, else the one that built this Python."""
    candidates = [os.environ.get("CC"), "cc", "gcc", "clang", sysconfig.get_config_var("CC")]
    for candidate in candidates:
        command = shlex.split(candidate or "")
        if command and shutil.which(command[0]):
            return command
    pytest.skip("no C compiler (looked for $CC, cc, gcc, clang and Python's own)")


def _run(args: list[str], source: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(args, input=source, env=env, capture_output=True, text=True, timeout=120, check=False)


def _includes(headers: list[str], prelude: str) -> str:
    return prelude + "\n" + "".join(f"#include <{header}>\n" for header in headers)


def _compile(args: list[str], headers: list[str], prelude: str, body: str = "") -> str:
    command = [*compiler(), "-w", "-x", "c", *args, "-"]
    source = _includes(headers, prelude) + body
    result = _run(command, source)
    if result.returncode == 0:
        return result.stdout
    for header in headers:
        alone = _run([*compiler(), "-w", "-E", "-x", "c", "-"], _includes([header], prelude))
        if alone.returncode != 0:
            pytest.skip(f"{header} cannot be included: {alone.stderr.strip()}")
    raise AssertionError(f"{shlex.join(command)} failed\n{result.stderr}")


def _output(headers: list[str], prelude: str, statements: list[str]) -> list[list[str]]:
    body = "int main(void)\n{\n" + "\n".join(statements) + "\nreturn 0;\n}\n"
    with tempfile.TemporaryDirectory(prefix="netlink-probe-") as folder:
        program = str(Path(folder, "probe"))
        _compile(["-o", program], ["stddef.h", "stdio.h", *headers], prelude, body)
        result = _run([program], "")
    assert result.returncode == 0, f"the probe ended with status {result.returncode}"
    return [line.split() for line in result.stdout.splitlines()]


def c_values(headers: list[str], names: list[str], prelude: str = "") -> dict[str, int]:
    """Return the value of each of `names`, any integer constants, after including `headers`.

    `prelude` is C to put before the includes. A name that the headers lack is an AssertionError.
    """
    if not names:
        return {}
    statements = [
        f'printf("{name} %s%llu\\n", ({name}) < 0 ? "-" : "", '
        f"({name}) < 0 ? 0ULL - (unsigned long long)({name}) : (unsigned long long)({name}));"
        for name in names
    ]
    return {name: int(value) for name, value in _output(headers, prelude, statements)}


def c_names(headers: list[str], pattern: str, prelude: str = "") -> set[str]:
    """Return the names of macros without parameters and of enumerators that `pattern` matches as a whole.

    What the headers include counts as well. Macros without a value, such as include guards, are left out.
    """
    macros = re.findall(r"^#define (\w+) +\S", _compile(["-E", "-dM"], headers, prelude), re.MULTILINE)
    text = _compile(["-E", "-P"], headers, prelude)
    enumerators = [
        match[1]
        for body in re.findall(r"\benum\b[^{};()]*\{([^{}]*)\}", text)
        for item in body.split(",")
        if (match := re.match(r"\s*([A-Za-z_]\w*)", item))
    ]
    return {name for name in {*macros, *enumerators} if re.fullmatch(pattern, name)}


def c_structs(headers: list[str], prelude: str = "") -> set[str]:
    """Return the structs that the headers, and what they include, define: such as "struct nlmsghdr"."""
    return set(re.findall(r"\b(struct \w+)\s*\{", _compile(["-E", "-P"], headers, prelude)))


def c_layout(headers: list[str], types: dict[str, list[str]], prelude: str = "") -> dict[str, Layout]:
    """Return the size of each type and where the fields asked for lie.

    `types` is such as ``{"struct nlmsghdr": ["nlmsg_len", "nlmsg_type"]}``. A flexible array is written with
    brackets, ``"data[]"``. Bit-fields have no offset in C and cannot be asked for.
    """
    statements: list[str] = []
    keys: list[tuple[str, str | None]] = []
    for name, fields in types.items():
        keys.append((name, None))
        statements.append(f'printf("0 %zu\\n", sizeof({name}));')
        for field in fields:
            plain = field.removesuffix("[]")
            size = "(size_t)0" if plain != field else f"sizeof((({name} *)0)->{plain})"
            keys.append((name, plain))
            statements.append(f'printf("%zu %zu\\n", offsetof({name}, {plain}), {size});')
    layouts: dict[str, Layout] = {}
    for (name, member), (offset, size) in zip(keys, _output(headers, prelude, statements), strict=True):
        if member is None:
            layouts[name] = Layout(int(size), {})
        else:
            layouts[name].fields[member] = Field(int(offset), int(size))
    return layouts


def headers_version() -> tuple[int, int]:
    """Return the kernel version of the installed headers, such as (6, 12)."""
    code = c_values(["linux/version.h"], ["LINUX_VERSION_CODE"])["LINUX_VERSION_CODE"]
    return code >> 16, code >> 8 & 0xFF


def uapi_names(path: str) -> dict[str, dict[str, str]]:
    """Read a Python module's lines of the form ``NAME = number  # UAPI_NAME``.

    Returns, for each class, its members' UAPI names; for module level the key is "".
    """
    names: dict[str, dict[str, str]] = {}
    scope = ""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"class (\w+)", line):
            scope = match[1]
        elif line and not line[0].isspace() and line[0] != "#":
            scope = ""
        if match := re.match(r"\s*([A-Z]\w*) = -?[0-9]\w*  # ([A-Za-z_]\w+)(?::|$)", line):
            names.setdefault(scope, {})[match[1]] = match[2]
    return names
