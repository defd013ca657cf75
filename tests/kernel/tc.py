"""What the tests of traffic control share: guests, the program tc, and requests without the verbs of rtnetlink."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from netlink.schema import Record

# Kinds that this machine's own kernel is asked for. Others are rare, and tested in guests.
ORDINARY = {"pfifo", "bfifo", "htb", "tbf", "clsact", "ingress", "u32", "mirred"}
# tools/guest has it there.
GUEST = Path("/run/guest/command").exists()
# What tells when, and not what; and the numbers of actions, which the kernel chooses.
TIMES = {"index", "installed", "used", "first_used", "expires", "last_used", "idle"}


def require(*kinds: str) -> None:
    """Skip rare kinds of traffic control outside of a guest."""
    rare = set(kinds) - ORDINARY
    if rare and not GUEST:
        pytest.skip(f"{', '.join(sorted(rare))}: in guests alone (tools/guest), where a kernel may fail")


def tc(*args: str) -> str:
    """The output of tc. A skip if it, or the kernel, does not know the kind."""
    program = shutil.which("tc")
    if program is None:
        pytest.skip("there is no tc on this machine")
    run = subprocess.run([program, *args], capture_output=True, text=True, check=False)
    if run.returncode:
        text = run.stderr.strip()
        lacking = (
            "kind is unknown",
            "Unknown qdisc",
            "Unknown filter",
            "Failed to load TC action module",
            "bad action",
        )
        if any(part in text for part in lacking) or "No such file" in text:
            pytest.skip(f"tc {' '.join(args)}: {text}")
        raise AssertionError(f"tc {' '.join(args)}: {text}")
    return run.stdout


def ip(*args: str) -> None:
    """Run ip."""
    subprocess.run(["ip", *args], check=True, capture_output=True)


def shown(what: str, *args: str) -> Any:
    """What tc shows, without times; text for kinds of which its JSON is broken."""
    try:
        return steady(json.loads(tc("-j", "-d", "-s", what, "show", *args) or "[]"))
    except ValueError:
        return text(what, *args)


def text(what: str, *args: str) -> str:
    """What tc shows as text, without the numbers of actions."""
    return re.sub(r"index \d+", "", tc("-d", what, "show", *args))


def steady(value: Any) -> Any:
    """A value of JSON without what tells times."""
    if isinstance(value, dict):
        return {name: steady(item) for name, item in value.items() if name not in TIMES}
    return [steady(item) for item in value] if isinstance(value, list) else value


def unknown(record: Record, path: str = "") -> list[str]:
    """Attributes in a record, and in those inside, that are not declared."""
    found = [f"{path}{type(record).__name__}: {one}" for one in record.unknown]
    for name in type(record).__fields__:
        value = getattr(record, name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Record):
                found += unknown(item, f"{path}{name}.")
    return found
