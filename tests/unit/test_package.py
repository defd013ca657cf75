"""The package itself: what `import netlink` gives."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import netlink
from netlink import consts


def test_public_modules_are_imported_when_they_are_used() -> None:
    code = """
import sys, netlink
lazy = [name for name in dir(netlink) if name in netlink._MODULES]
assert sorted(lazy) == sorted(netlink._MODULES), lazy
assert not {"asyncio", "netlink.netfilter"} & {*sys.modules}
assert "netlink.aio" not in sys.modules
netlink.aio.dial
for name in lazy:
    assert getattr(netlink, name).__name__ == "netlink." + name
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("module", ["netlink", "netlink.netfilter", "netlink.netfilter.conntrack"])
def test_a_package_that_is_no_command_says_so(module: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be directly executed" in done.stderr


def test_every_public_module_is_an_attribute() -> None:
    # Packages and families are imported by who uses them.
    modules = {m.name for m in pkgutil.iter_modules(netlink.__path__) if not m.ispkg and not m.name.startswith("_")}
    assert {"aio", "packet"} <= modules
    for name in modules - {"crypto", "kobject_uevent"}:
        assert getattr(netlink, name).__name__ == f"netlink.{name}"


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'netlink' has no attribute 'netfliter'"):
        netlink.netfliter  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(ImportError):
        from netlink import nothing  # type: ignore[attr-defined] # noqa: F401


def test_numbers_that_every_user_needs_are_at_hand() -> None:
    assert netlink.RouteGroup is consts.RouteGroup
    assert netlink.GenericID is consts.GenericID
    assert {"RouteGroup", "GenericID"} <= {*netlink.__all__}
