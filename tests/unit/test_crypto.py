"""netlink.crypto without a kernel: numbers and layouts, records from bytes made otherwise, what is refused."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from netlink import DecodeError, OpError, crypto, nltest
from netlink.crypto import Algorithm, Command, Flags, Report, ReportHash, StatHash, Statistics
from netlink.schema import AttributeSet
from probe import c_layout, c_names, c_structs, c_values

HEADERS = ["linux/cryptouser.h"]


def text(name: str) -> bytes:
    return name.encode().ljust(64, b"\0")


def header(name: str, driver: str = "", module: str = "", refcnt: int = 0, flags: int = 0) -> bytes:
    return text(name) + text(driver) + text(module) + struct.pack("=IIII", 0, 0, refcnt, flags)


def attribute(type_: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), type_) + data


SHA256 = (
    header("sha256", "sha256-generic", "kernel", 4, 0x40E)
    + attribute(1, struct.pack("=i", 100))
    + attribute(3, text("shash") + struct.pack("=II", 64, 32))
)


# Numbers and layouts


def test_numbers_are_those_of_the_header() -> None:
    wanted: dict[str, int] = {}
    scope: Any = None
    both: list[tuple[str, int]] = []
    for line in Path(crypto.__file__).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"class (\w+)", line):
            scope = getattr(crypto, match[1])
        if match := re.match(r"    (\w+)(?:: .*)? = .*?  # (CRYPTO(?:_MSG|CFGA)_\w+)$", line):
            is_set = issubclass(scope, AttributeSet)
            number = scope.__fields__[match[1]].types[0][0][0] if is_set else int(scope[match[1]])
            both.append((match[2], number))
            assert wanted.setdefault(match[2], number) == number, match[2]
    known = c_names(HEADERS, r"CRYPTO_MSG_\w+|CRYPTOCFGA_\w+")
    assert known - wanted.keys() <= {"CRYPTO_MSG_BASE", "CRYPTO_MSG_MAX", "CRYPTOCFGA_UNSPEC", "CRYPTOCFGA_MAX"}
    names = sorted(known & wanted.keys())
    assert len(names) > 20
    assert c_values(HEADERS, names) == {name: wanted[name] for name in names}


def test_structs_are_those_of_the_header() -> None:
    declared = {
        "crypto_user_alg": crypto.UserAlg,
        **dict.fromkeys([f"crypto_report_{one}" for one in ("larval", "comp", "akcipher", "kpp", "acomp")], Report),
        "crypto_report_hash": ReportHash,
        "crypto_report_cipher": crypto.ReportCipher,
        "crypto_report_blkcipher": crypto.ReportSkcipher,
        "crypto_report_aead": crypto.ReportAead,
        "crypto_report_rng": crypto.ReportRng,
        "crypto_stat_larval": Report,
        "crypto_stat_aead": crypto.StatCipher,
        "crypto_stat_cipher": crypto.StatCipher,
        "crypto_stat_akcipher": crypto.StatAkcipher,
        "crypto_stat_compress": crypto.StatCompress,
        "crypto_stat_hash": StatHash,
        "crypto_stat_kpp": crypto.StatKpp,
        "crypto_stat_rng": crypto.StatRng,
    }
    members = {
        f"struct {name}": [
            f"stat_{field}" if "_stat_" in name and field != "type" else field for field in of.__fields__
        ]
        for name, of in declared.items()
    }
    members["struct crypto_user_alg"] = [
        field if field.startswith("cru_") else f"cru_{field}" for field in crypto.UserAlg.__fields__
    ]
    assert {name for name in c_structs(HEADERS) if name.startswith("struct crypto_")} == set(members)
    layouts = c_layout(HEADERS, members)
    for name, of in declared.items():
        layout = layouts[f"struct {name}"]
        assert of.__table__.wire_size == layout.size, name
        places = [layout.fields[member].offset for member in members[f"struct {name}"]]
        assert [field.at for field in of.__fields__.values()] == places, name


# Records


def test_an_algorithm() -> None:
    algorithm = Algorithm.decode(SHA256)
    assert (algorithm.name, algorithm.driver_name, algorithm.module_name) == ("sha256", "sha256-generic", "kernel")
    assert (algorithm.priority, algorithm.refcnt, algorithm.kind) == (100, 4, "shash")
    assert algorithm.flags is not None
    assert Flags.TESTED in algorithm.flags
    assert Flags.ASYNC not in algorithm.flags
    assert algorithm.flags & 0xF == 0xE
    assert algorithm.report == algorithm.hash == ReportHash(type=text("shash"), blocksize=64, digestsize=32)
    assert "'sha256-generic'" in repr(algorithm)
    assert "x00" not in repr(algorithm)
    assert algorithm.encode() == SHA256


@pytest.mark.parametrize(
    ("number", "name", "kind", "sizes"),
    [
        (2, "larval", "larval", {}),
        (4, "skcipher", "skcipher", {"blocksize": 16, "min_keysize": 17, "max_keysize": 18, "ivsize": 19}),
        (5, "aead", "aead", {"blocksize": 16, "maxauthsize": 17, "ivsize": 18}),
        (6, "compress", "compression", {}),
        (7, "rng", "rng", {"seedsize": 16}),
        (8, "cipher", "cipher", {"blocksize": 16, "min_keysize": 17, "max_keysize": 18}),
        (9, "akcipher", "akcipher", {}),
        (10, "kpp", "kpp", {}),
        (11, "acomp", "acomp", {}),
    ],
)
def test_reports(number: int, name: str, kind: str, sizes: dict[str, int]) -> None:
    geniv = text("<none>") if name in ("skcipher", "aead") else b""
    data = text(kind) + geniv + b"".join(struct.pack("=I", value) for value in sizes.values())
    algorithm = Algorithm.decode(header("x") + attribute(number, data))
    assert algorithm.report is getattr(algorithm, name) or algorithm.report == getattr(algorithm, name)
    assert (algorithm.kind, algorithm.unknown) == (kind, ())
    assert {size: getattr(algorithm.report, size) for size in sizes} == sizes


def test_what_is_not_known_stays() -> None:
    algorithm = Algorithm.decode(header("x") + attribute(99, b"1234"))
    assert (algorithm.kind, algorithm.report, algorithm.unknown) == (None, None, ((99, b"1234"),))
    assert Algorithm.decode(b"\xff" * 64 + bytes(144)).name == "\udcff" * 64
    for size in (0, 1, 207, len(SHA256) - 1):
        with pytest.raises(DecodeError):
            Algorithm.decode(SHA256[:size])


def test_statistics() -> None:
    data = header("sha256", "sha256-generic") + attribute(13, text("hash") + struct.pack("=QQQ", 5, 320, 1))
    found = Statistics.decode(data)
    assert (found.name, found.hash) == ("sha256", StatHash(type=text("hash"), hash_cnt=5, hash_tlen=320, err_cnt=1))


# Requests


def test_requests_as_bytes() -> None:
    sent: list[tuple[int, bytes]] = []

    def answer(requests: list[Any]) -> list[Any]:
        sent.extend((int(request.header.type), request.data) for request in requests)
        return nltest.error(0, requests)

    with nltest.dial(answer) as conn:
        cr = crypto.Conn(conn)
        cr.create("authenc(hmac(sha256),cbc(aes))")
        cr.create(driver_name="cbc(aes-generic)", priority=-3)
        cr.update("sha256-generic", priority=7)
        cr.delete("cbc(aes-generic)")
        cr.delete_rng()
    assert sent == [
        (Command.NEWALG, header("authenc(hmac(sha256),cbc(aes))")),
        (Command.NEWALG, header("", "cbc(aes-generic)") + attribute(1, struct.pack("=i", -3))),
        (Command.UPDATEALG, header("", "sha256-generic") + attribute(1, struct.pack("=i", 7))),
        (Command.DELALG, header("", "cbc(aes-generic)")),
        (Command.DELRNG, b""),
    ]


def test_the_preferred_implementation_is_the_first() -> None:
    def of(driver: str, priority: int, report: int = 3) -> Algorithm:
        data = text("shash") + struct.pack("=II", 64, 32) if report == 3 else text("larval")
        return Algorithm.decode(
            header("sha256", driver) + attribute(1, struct.pack("=i", priority)) + attribute(report, data)
        )

    there = [of("a", -1), of("b", 100), of("c", 300), of("d", 100), of("e", 500, 2), Algorithm(cru_name=text("sha1"))]
    with nltest.serve(crypto.Conn, {"algorithms": lambda: there}) as cr:
        assert [each.driver_name for each in cr.implementations("sha256")] == ["c", "b", "d", "a"]
        assert cr.implementations("nothing") == []


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda cr: cr.get("x" * 64), "at most 63 bytes"),
        (lambda cr: cr.get(driver_name="ü" * 32), "at most 63 bytes"),
        (lambda cr: cr.get("a\0b"), "no NUL"),
        (lambda cr: cr.get(), "want the name"),
        (lambda cr: cr.delete(""), "want the name"),
        (lambda cr: cr.update("", priority=3), "want the name"),
        (lambda cr: cr.create("cbc(aes)", priority=3), "needs driver_name="),
        (lambda cr: cr.create(driver_name="cbc(aes)", priority=1 << 31), "priority"),
    ],
)
def test_what_is_refused(ask: Any, message: str) -> None:
    with nltest.serve(crypto.Conn, {}) as cr, pytest.raises(ValueError, match=message):
        ask(cr)


def test_errors_say_what_to_do() -> None:
    def refusing(number: int) -> Any:
        def refuse(request: Any) -> None:
            raise OSError(number, "no")

        names = ("get_alg", "new_alg", "delete_alg", "get_stat", "delete_rng")
        operations = {**dict.fromkeys(names, refuse), "delete_rng": lambda: refuse(None)}
        return nltest.serve(crypto.Conn, operations)

    with refusing(errno.ENOENT) as cr, pytest.raises(FileNotFoundError, match="`create` makes it"):
        cr.get("sha256")
    with refusing(errno.EBUSY) as cr, pytest.raises(OpError, match="somebody uses it"):
        cr.delete("sha256")
    with refusing(errno.EINVAL) as cr, pytest.raises(OpError, match="made of a template"):
        cr.delete("sha256-generic")
    with refusing(524) as cr, pytest.raises(OpError, match="CONFIG_CRYPTO_STATS"):
        cr.statistics("sha256")
    with refusing(errno.EPERM) as cr, pytest.raises(PermissionError, match="CAP_NET_ADMIN"):
        cr.create("sha256")
