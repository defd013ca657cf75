"""The crypto API of the real kernel beside /proc/crypto. What changes the machine's algorithms runs in guests alone."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import runpy
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.tools import eventually, unprivileged
from netlink import Conn, OpError, crypto
from netlink.crypto import Algorithm, Flags
from pace import SLOWNESS

AUTHENC = "authenc(hmac(sha256),cbc(aes))"
EXAMPLE = Path(__file__).parents[2] / "examples/algorithms.py"


def require_crypto() -> None:
    try:
        crypto.dial().close()
    except OpError as error:
        if error.errno != errno.EPROTONOSUPPORT:
            raise
        pytest.skip("this kernel has no NETLINK_CRYPTO")


def require_changes() -> None:
    """Skip where algorithms are not the test's own."""
    require_crypto()
    if os.environ.get("NETLINK_TEST_MODULES") != "1":
        pytest.skip("algorithms are made and deleted in a guest alone: NETLINK_TEST_MODULES=1")


@pytest.fixture
def cr() -> Iterator[crypto.Conn[Conn]]:
    require_crypto()
    with crypto.dial() as cr:
        yield cr


@pytest.fixture
def own() -> Iterator[crypto.Conn[Conn]]:
    require_changes()
    with crypto.dial() as cr:
        yield cr


def proc() -> list[dict[str, str]]:
    blocks = Path("/proc/crypto").read_text().strip().split("\n\n")
    split = [[line.split(":", 1) for line in block.splitlines()] for block in blocks]
    return [{name.strip(): value.strip() for name, value in block} for block in split]


def as_proc(algorithm: Algorithm, theirs: dict[str, str]) -> dict[str, str]:
    """What /proc/crypto has of an algorithm, of the lines that it has."""
    flags = algorithm.flags or Flags(0)
    found = {
        "name": algorithm.name,
        "driver": algorithm.driver_name,
        "module": algorithm.module_name,
        "priority": str(algorithm.priority),
        "refcnt": str(algorithm.refcnt),
        "selftest": "passed" if flags & Flags.TESTED else "unknown",
        "internal": "yes" if flags & Flags.INTERNAL else "no",
        "async": "yes" if flags & Flags.ASYNC else "no",
        "type": str(algorithm.kind),
    }
    for name in ("blocksize", "digestsize", "min_keysize", "max_keysize", "ivsize", "maxauthsize", "seedsize"):
        if hasattr(algorithm.report, name):
            found[name.replace("_", " ")] = str(getattr(algorithm.report, name))
    wanted = {name: value for name, value in found.items() if name in theirs}
    assert {"name", "driver", "module", "priority", "refcnt", "selftest", "internal", "type"} <= wanted.keys()
    return wanted


def agreed(cr: crypto.Conn[Conn]) -> bool:
    """Whether all algorithms are those of /proc/crypto, field by field. Others use some of them meanwhile."""
    ours, theirs = cr.algorithms(), proc()
    if len(ours) != len(theirs):
        return False
    shown = ("chunksize", "walksize", "statesize", "geniv", "flags", "fips_internal")
    both = [
        (as_proc(one, other), {name: value for name, value in other.items() if name not in shown})
        for one, other in zip(ours, theirs, strict=True)
    ]
    return all(mine == other for mine, other in both) and not any(one.unknown for one in ours)


def test_a_kernel_without_it_says_what_to_do() -> None:
    with contextlib.suppress(OpError):
        crypto.dial().close()
        pytest.skip("this kernel has NETLINK_CRYPTO")
    for dial in (crypto.dial, crypto.dial_async):
        with pytest.raises(OpError, match="`modprobe crypto_user` loads its module") as info:
            dial()
        assert info.value.errno == errno.EPROTONOSUPPORT


def test_algorithms_are_those_of_proc(cr: crypto.Conn[Conn]) -> None:
    eventually(lambda: agreed(cr), "the same as in /proc/crypto")
    found = cr.algorithms()
    kinds = Counter(type(one.report).__name__ for one in found)
    assert {"ReportHash", "ReportCipher", "Report"} <= kinds.keys(), kinds
    assert sum(kinds.values()) == len(found) > 10
    assert [one.driver_name for part in cr.iterate(cr.calls.algorithms(), rows=3) for one in part] == [
        one.driver_name for one in found
    ]


def test_one_algorithm(cr: crypto.Conn[Conn]) -> None:
    best = cr.implementations("sha256")[0]
    assert best.name == "sha256"
    assert best.hash is not None
    assert (best.hash.blocksize, best.hash.digestsize) == (64, 32)
    same = cr.get(driver_name=best.driver_name)
    assert (same.name, same.priority, same.hash) == ("sha256", best.priority, best.hash)
    assert (same.refcnt or 0) > (best.refcnt or 0)  # with its own use, unless another one ended meanwhile
    assert cr.get("sha256").name == "sha256"
    for name in ("nothing", "x" * 63, "("):
        with pytest.raises(FileNotFoundError, match="no such algorithm now"):
            cr.get(name)
    assert cr.implementations("nothing") == []

    async def main() -> Algorithm:
        async with crypto.dial_async() as own:
            assert len(await own.algorithms()) > 10
            assert (await own.implementations("sha256"))[0].driver_name == best.driver_name
            return await own.get(driver_name=best.driver_name)

    assert asyncio.run(asyncio.wait_for(main(), 20 * SLOWNESS)).hash == best.hash


def test_statistics_are_counted_or_refused(cr: crypto.Conn[Conn]) -> None:
    with contextlib.suppress(OpError):
        assert cr.statistics("sha256").hash is not None
        return
    with pytest.raises(OpError, match="CONFIG_CRYPTO_STATS") as info:
        cr.statistics("sha256")
    assert info.value.errno == 524


def test_reading_needs_no_privilege(cr: crypto.Conn[Conn]) -> None:
    def read() -> tuple[int, str]:
        with crypto.dial() as own:
            try:
                own.create("lrw(aes)")
            except PermissionError as error:
                return len(own.algorithms()), str(error)
        return 0, ""

    count, refusal = unprivileged(read)
    assert count > 10
    assert "it needs CAP_NET_ADMIN in the machine's first user namespace" in refusal


def test_an_algorithm_is_made_changed_and_deleted(own: crypto.Conn[Conn]) -> None:
    for left in own.implementations(AUTHENC):  # by IPsec
        own.delete(left.driver_name)
    own.create(AUTHENC)
    made = own.implementations(AUTHENC)[0]
    assert made.aead is not None
    assert (made.kind, made.aead.blocksize, made.aead.maxauthsize, made.aead.ivsize) == ("aead", 16, 32, 16)
    assert made.flags is not None
    assert Flags.INSTANCE | Flags.TESTED in made.flags
    eventually(lambda: agreed(own), "the same as in /proc/crypto")
    with pytest.raises(FileExistsError, match="has it already"):
        own.create(AUTHENC)
    own.delete(made.driver_name)
    with pytest.raises(FileNotFoundError, match="no such algorithm"):
        own.delete(made.driver_name)
    assert own.implementations(AUTHENC) == []
    for name in ("nothing(aes)", "cbc(nothing)", "("):
        with pytest.raises(FileNotFoundError, match="none of the algorithms that it is made of"):
            own.create(name)


def test_priorities(own: crypto.Conn[Conn]) -> None:
    driver = "pcbc(aes-generic)"
    own.create(driver_name=driver, priority=7777)
    assert own.get(driver_name=driver).priority == 7777
    own.update(driver, priority=-5)
    assert [one.priority for one in own.implementations("pcbc(aes)")] == [-5]
    assert next(block for block in proc() if block["driver"] == driver)["priority"] == "-5"
    # What is made of it goes.
    own.update(driver, priority=200)
    own.create("authenc(hmac(sha256),pcbc(aes))")
    there = {one.driver_name: one for one in own.algorithms()}
    (outer,) = [name for name in there if driver in name and name.startswith("authenc")]
    own.update(driver, priority=100)
    assert outer not in {one.driver_name for one in own.algorithms()}
    eventually(lambda: own.get(driver_name=driver).refcnt == 2, "no user but this one")
    own.delete(driver)
    with pytest.raises(FileNotFoundError, match="no such algorithm"):
        own.update(driver, priority=1)


def test_what_is_in_use_or_no_instance_stays(own: crypto.Conn[Conn]) -> None:
    own.create(driver_name="pcbc(aes-generic)", priority=9000)
    with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as user:
        user.bind(("skcipher", "pcbc(aes)"))
        with pytest.raises(OpError, match="somebody uses it") as info:
            own.delete("pcbc(aes-generic)")
        assert info.value.errno == errno.EBUSY
    # The kernel gives it back a moment later.
    eventually(lambda: own.get(driver_name="pcbc(aes-generic)").refcnt == 2, "no user but this one")
    own.delete("pcbc(aes-generic)")
    with pytest.raises(OpError, match="only what was made of a template") as info:
        own.delete("sha256-generic")
    assert info.value.errno == errno.EINVAL


def test_the_generator_of_random_numbers(own: crypto.Conn[Conn]) -> None:
    own.delete_rng()
    own.delete_rng()  # there is none: that is no error


def test_the_example(cr: crypto.Conn[Conn]) -> None:
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    command = [sys.executable, "-X", "dev", "-W", "error", str(EXAMPLE), "sha256"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [line[2] for line in lines] == [one.driver_name for one in cr.implementations("sha256")]
    with pytest.raises(LookupError, match="the kernel has no 'nothing' now"):
        runpy.run_path(str(EXAMPLE))["show"](["nothing"])
