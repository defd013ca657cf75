"""The kernel's crypto API: which algorithms it has, which implementations of them, and which it prefers.

    from netlink import crypto

    with crypto.dial() as cr:
        for algorithm in cr.implementations("sha256"):
            print(algorithm.priority, algorithm.driver_name, algorithm.module_name)
        cr.create("authenc(hmac(sha256),cbc(aes))")

An algorithm has a name, such as "sha256", and one or more implementations, each with a driver name of its own, such as
"sha256-generic". Who asks for the name gets the implementation of the highest priority. Algorithms are those of the
whole machine, in every network namespace. Reading needs no privilege, changing needs CAP_NET_ADMIN in the machine's
first user namespace.
"""

from __future__ import annotations

import errno
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any

from netlink import family as _family
from netlink.consts import Family
from netlink.errors import OpError
from netlink.family import C, Call, Deferred, Do, Dump, Steps, verb
from netlink.schema import AttributeSet, Bytes, Field, Int, Member, Struct, binary, s32, struct, u32, u64

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar, Unpack

    from netlink.aio import AsyncConn
    from netlink.config import Config, ConfigOptions
    from netlink.conn import Conn as NetlinkConn

    _T = TypeVar("_T")

__all__ = [
    "Algorithm",
    "Command",
    "Conn",
    "Flags",
    "Report",
    "ReportAead",
    "ReportCipher",
    "ReportHash",
    "ReportRng",
    "ReportSkcipher",
    "StatAkcipher",
    "StatCipher",
    "StatCompress",
    "StatHash",
    "StatKpp",
    "StatRng",
    "Statistics",
    "UserAlg",
    "dial",
    "dial_async",
]


class Command(IntEnum):
    """Message types (CRYPTO_MSG_*)."""

    NEWALG = 0x10  # CRYPTO_MSG_NEWALG
    DELALG = 0x11  # CRYPTO_MSG_DELALG
    UPDATEALG = 0x12  # CRYPTO_MSG_UPDATEALG
    GETALG = 0x13  # CRYPTO_MSG_GETALG
    DELRNG = 0x14  # CRYPTO_MSG_DELRNG
    GETSTAT = 0x15  # CRYPTO_MSG_GETSTAT


class Flags(IntFlag):
    """Flags of an algorithm: CRYPTO_ALG_* of include/linux/crypto.h of the kernel.

    The lowest four bits are a number of its type, which differs between kernels: `Algorithm.kind` has its name.
    """

    LARVAL = 0x10  # CRYPTO_ALG_LARVAL, no algorithm, but the place of one that is being made
    DEAD = 0x20  # CRYPTO_ALG_DEAD
    DYING = 0x40  # CRYPTO_ALG_DYING
    ASYNC = 0x80  # CRYPTO_ALG_ASYNC, may end later than the call
    NEED_FALLBACK = 0x100  # CRYPTO_ALG_NEED_FALLBACK, needs another one for some requests
    TESTED = 0x400  # CRYPTO_ALG_TESTED, has passed the kernel's test, or needs none
    INSTANCE = 0x800  # CRYPTO_ALG_INSTANCE, made of a template and other algorithms
    KERN_DRIVER_ONLY = 0x1000  # CRYPTO_ALG_KERN_DRIVER_ONLY, hardware that only the kernel can use
    INTERNAL = 0x2000  # CRYPTO_ALG_INTERNAL, for other algorithms alone
    OPTIONAL_KEY = 0x4000  # CRYPTO_ALG_OPTIONAL_KEY
    ALLOCATES_MEMORY = 0x10000  # CRYPTO_ALG_ALLOCATES_MEMORY, at each request
    FIPS_INTERNAL = 0x20000  # CRYPTO_ALG_FIPS_INTERNAL, in FIPS mode for other algorithms alone


def _text(name: bytes | None) -> str:
    return (name or b"").partition(b"\0")[0].decode(errors="surrogateescape")


class UserAlg(Struct):
    """struct crypto_user_alg, before the attributes. The names are texts with NULs behind."""

    cru_name: Bytes = binary(size=64)
    cru_driver_name: Bytes = binary(size=64)
    cru_module_name: Bytes = binary(size=64)
    type: Int = u32()
    mask: Int = u32()
    refcnt: Int = u32()
    flags: Member[Flags] = u32(enum=Flags)


class Report(Struct):
    """struct crypto_report_larval, _comp, _akcipher, _kpp, _acomp, crypto_stat_larval: the type alone."""

    type: Bytes = binary(size=64)

    @property
    def kind(self) -> str:
        """The type as text, such as "shash"."""
        return _text(self.type)


class ReportHash(Report):
    """struct crypto_report_hash. digestsize: bytes of the result."""

    blocksize: Int = u32()
    digestsize: Int = u32()


class ReportCipher(Report):
    """struct crypto_report_cipher: a cipher of single blocks. Sizes are bytes."""

    blocksize: Int = u32()
    min_keysize: Int = u32()
    max_keysize: Int = u32()


class ReportSkcipher(Report):
    """struct crypto_report_blkcipher: a cipher of data of any length. Sizes are bytes."""

    geniv: Bytes = binary(size=64)
    blocksize: Int = u32()
    min_keysize: Int = u32()
    max_keysize: Int = u32()
    ivsize: Int = u32()


class ReportAead(Report):
    """struct crypto_report_aead: encryption with authentication. maxauthsize: bytes of the longest checksum."""

    geniv: Bytes = binary(size=64)
    blocksize: Int = u32()
    maxauthsize: Int = u32()
    ivsize: Int = u32()


class ReportRng(Report):
    """struct crypto_report_rng: a generator of random numbers."""

    seedsize: Int = u32()


class StatCipher(Report):
    """struct crypto_stat_aead, crypto_stat_cipher: requests, their bytes, and errors."""

    encrypt_cnt: Int = u64()
    encrypt_tlen: Int = u64()
    decrypt_cnt: Int = u64()
    decrypt_tlen: Int = u64()
    err_cnt: Int = u64()


class StatAkcipher(Report):
    """struct crypto_stat_akcipher: requests, their bytes, and errors."""

    encrypt_cnt: Int = u64()
    encrypt_tlen: Int = u64()
    decrypt_cnt: Int = u64()
    decrypt_tlen: Int = u64()
    verify_cnt: Int = u64()
    sign_cnt: Int = u64()
    err_cnt: Int = u64()


class StatCompress(Report):
    """struct crypto_stat_compress: requests, their bytes, and errors."""

    compress_cnt: Int = u64()
    compress_tlen: Int = u64()
    decompress_cnt: Int = u64()
    decompress_tlen: Int = u64()
    err_cnt: Int = u64()


class StatHash(Report):
    """struct crypto_stat_hash: requests, their bytes, and errors."""

    hash_cnt: Int = u64()
    hash_tlen: Int = u64()
    err_cnt: Int = u64()


class StatKpp(Report):
    """struct crypto_stat_kpp: requests and errors."""

    setsecret_cnt: Int = u64()
    generate_public_key_cnt: Int = u64()
    compute_shared_secret_cnt: Int = u64()
    err_cnt: Int = u64()


class StatRng(Report):
    """struct crypto_stat_rng: requests, their bytes, and errors."""

    generate_cnt: Int = u64()
    generate_tlen: Int = u64()
    seed_cnt: Int = u64()
    err_cnt: Int = u64()


class _Named(AttributeSet, header=UserAlg):
    """Names of an algorithm, from the header."""

    header: UserAlg | None = None
    cru_name: Bytes = UserAlg.cru_name
    cru_driver_name: Bytes = UserAlg.cru_driver_name
    cru_module_name: Bytes = UserAlg.cru_module_name

    @property
    def name(self) -> str:
        """What it is asked for by, such as "cbc(aes)"."""
        return _text(self.cru_name)

    @property
    def driver_name(self) -> str:
        """The name of this implementation, such as "cbc-aes-aesni"."""
        return _text(self.cru_driver_name)

    @property
    def module_name(self) -> str:
        """The module it is in, or "kernel"."""
        return _text(self.cru_module_name)


class Algorithm(_Named):
    """An implementation of an algorithm (CRYPTOCFGA_*).

    priority: the highest one of a name is used; one below -1 is used by its driver name alone. refcnt: who uses it, and
    one more: what `get` returns counts its own use, too. flags: what it is. type, mask: of a request, the bits of
    `Flags` to look at, and what they must be.
    Of the reports an algorithm has one, which `report` returns.
    """

    type: Int = UserAlg.type
    mask: Int = UserAlg.mask
    refcnt: Int = UserAlg.refcnt
    flags: Member[Flags] = UserAlg.flags
    priority: Int = s32(1)  # CRYPTOCFGA_PRIORITY_VAL
    larval: Field[Report | None] = struct(2, Report)  # CRYPTOCFGA_REPORT_LARVAL
    hash: Field[ReportHash | None] = struct(3, ReportHash)  # CRYPTOCFGA_REPORT_HASH
    skcipher: Field[ReportSkcipher | None] = struct(4, ReportSkcipher)  # CRYPTOCFGA_REPORT_BLKCIPHER
    aead: Field[ReportAead | None] = struct(5, ReportAead)  # CRYPTOCFGA_REPORT_AEAD
    compress: Field[Report | None] = struct(6, Report)  # CRYPTOCFGA_REPORT_COMPRESS
    rng: Field[ReportRng | None] = struct(7, ReportRng)  # CRYPTOCFGA_REPORT_RNG
    cipher: Field[ReportCipher | None] = struct(8, ReportCipher)  # CRYPTOCFGA_REPORT_CIPHER
    akcipher: Field[Report | None] = struct(9, Report)  # CRYPTOCFGA_REPORT_AKCIPHER
    kpp: Field[Report | None] = struct(10, Report)  # CRYPTOCFGA_REPORT_KPP
    acomp: Field[Report | None] = struct(11, Report)  # CRYPTOCFGA_REPORT_ACOMP

    @property
    def report(self) -> Report | None:
        """The report that the kernel gives of it, with its sizes; None of a type that is not known here."""
        ciphers = self.hash or self.skcipher or self.aead or self.cipher
        return ciphers or self.rng or self.compress or self.akcipher or self.kpp or self.acomp or self.larval

    @property
    def kind(self) -> str | None:
        """Its type, as in /proc/crypto: such as "shash", "skcipher", "aead"; None if it is not known here."""
        return None if self.report is None else self.report.kind

    def __repr__(self) -> str:
        shown = {"kind": self.kind, "priority": self.priority, "refcnt": self.refcnt, "flags": self.flags}
        names = {"name": self.name, "driver_name": self.driver_name, "module_name": self.module_name}
        found = [f"{name}={value!r}" for name, value in {**names, **shown}.items() if value not in (None, "")]
        return f"Algorithm({', '.join(found)})"


class Statistics(_Named):
    """What an algorithm was used for (CRYPTOCFGA_STAT_*), by kernels that count it."""

    priority: Int = s32(1)  # CRYPTOCFGA_PRIORITY_VAL
    larval: Field[Report | None] = struct(12, Report)  # CRYPTOCFGA_STAT_LARVAL
    hash: Field[StatHash | None] = struct(13, StatHash)  # CRYPTOCFGA_STAT_HASH
    skcipher: Field[StatCipher | None] = struct(14, StatCipher)  # CRYPTOCFGA_STAT_BLKCIPHER
    aead: Field[StatCipher | None] = struct(15, StatCipher)  # CRYPTOCFGA_STAT_AEAD
    compress: Field[StatCompress | None] = struct(16, StatCompress)  # CRYPTOCFGA_STAT_COMPRESS
    rng: Field[StatRng | None] = struct(17, StatRng)  # CRYPTOCFGA_STAT_RNG
    cipher: Field[StatCipher | None] = struct(18, StatCipher)  # CRYPTOCFGA_STAT_CIPHER
    akcipher: Field[StatAkcipher | None] = struct(19, StatAkcipher)  # CRYPTOCFGA_STAT_AKCIPHER
    kpp: Field[StatKpp | None] = struct(20, StatKpp)  # CRYPTOCFGA_STAT_KPP
    acomp: Field[StatCompress | None] = struct(21, StatCompress)  # CRYPTOCFGA_STAT_ACOMP


def _name(what: str, name: str) -> bytes:
    """A name as char[64]. ValueError if it does not fit."""
    data = name.encode(errors="surrogateescape")
    if len(data) > 63 or b"\0" in data:
        raise ValueError(f"{what} has at most 63 bytes and no NUL, which {name!r} exceeds")
    return data.ljust(64, b"\0")


def _request(name: str, driver_name: str, priority: int | None = None) -> Algorithm:
    """A request about an algorithm. ValueError without a name."""
    if not name and not driver_name:
        raise ValueError("want the name of an algorithm, or driver_name=")
    return Algorithm(cru_name=_name("name", name), cru_driver_name=_name("driver_name", driver_name), priority=priority)


# The kernel's own errno for what is not supported, which C libraries do not know.
_ENOTSUPP = 524
_NONE = {errno.ENOENT: "the kernel has no such algorithm now: `create` makes it, and loads its module"}


class Conn(_family.Family[C], protocol=Family.CRYPTO):
    """Requests to the crypto API over a `netlink.Conn` or a `netlink.aio.AsyncConn`, with their rules for threads,
    tasks, closing and errors.
    """

    hints = {  # noqa: RUF012
        errno.EPERM: "it needs CAP_NET_ADMIN in the machine's first user namespace",
    }

    if TYPE_CHECKING:

        @property
        def calls(self) -> Conn[Deferred]: ...

    algorithms = Dump(
        Command.GETALG,
        None,
        Algorithm,
        doc="All algorithms that the kernel has now, as /proc/crypto shows them: a `Batch` of `Algorithm`. Others are "
        "in modules that are not loaded, or are made when somebody asks for them.",
    )
    get_alg = Do(Command.GETALG, Algorithm, Algorithm, hints=_NONE, doc="The operation of `get`.")
    new_alg = Do(
        Command.NEWALG,
        Algorithm,
        hints={
            errno.EEXIST: "the kernel has it already",
            errno.ENOENT: "the kernel has no such algorithm, or none of the algorithms that it is made of",
        },
        doc="The operation of `create`.",
    )
    update_alg = Do(Command.UPDATEALG, Algorithm, hints=_NONE, doc="The operation of `update`.")
    delete_alg = Do(
        Command.DELALG,
        Algorithm,
        hints=_NONE
        | {
            errno.EBUSY: "somebody uses it",
            errno.EINVAL: "only what was made of a template can be deleted; others end with their module",
        },
        doc="The operation of `delete`.",
    )
    get_stat = Do(
        Command.GETSTAT,
        Algorithm,
        Statistics,
        hints=_NONE | {_ENOTSUPP: "the kernel does not count: it needs CONFIG_CRYPTO_STATS, of Linux before 6.10"},
        doc="The operation of `statistics`.",
    )
    delete_rng = Do(
        Command.DELRNG,
        hints={errno.EBUSY: "somebody uses it"},
        doc="Delete the kernel's generator of random numbers for crypto, which is made again when somebody asks for "
        "it: of another implementation, if that has a higher priority by then. OSError (EBUSY) while it is in use.",
    )

    @verb
    def implementations(self: Conn[Deferred], name: str) -> Steps[list[Algorithm]]:
        """All implementations of an algorithm that the kernel has now, the preferred one first."""
        found = [each for each in (yield self.algorithms()) if each.name == name and not each.larval]
        return sorted(found, key=lambda each: each.priority or 0, reverse=True)

    @verb
    def get(self: Conn[Deferred], name: str = "", *, driver_name: str = "") -> Call[Algorithm]:
        """An implementation of an algorithm, by its driver name, or else one with the name, which need not be the
        preferred one: see `implementations`.

        FileNotFoundError, which is an OpError, if the kernel has none now. ValueError for a name that does not fit.
        """
        return self.get_alg(_request(name, driver_name))

    @verb
    def create(
        self: Conn[Deferred], name: str = "", *, driver_name: str = "", priority: int | None = None
    ) -> Call[None]:
        """Have the kernel make an algorithm, as if somebody asked for it, also with modules to load.

        name: such as "authenc(hmac(sha256),cbc(aes))", of the preferred implementations. driver_name: such as
        "cbc(aes-generic)", of these; the name is not looked at then. priority: another one than the kernel would give
        it; it needs driver_name.
        FileExistsError, which is an OpError, if it is there, and FileNotFoundError if the kernel cannot make it.
        ValueError for a name that does not fit.
        """
        if priority is not None and not driver_name:
            raise ValueError("a priority is that of one implementation, and needs driver_name=")
        return self.new_alg(_request(name, driver_name, priority))

    @verb
    def update(self: Conn[Deferred], driver_name: str, *, priority: int) -> Call[None]:
        """Set the priority of an implementation, and delete all that is made of it, which is made again when somebody
        asks for it: with another implementation, if that has the highest priority by then.

        What is in use stays. FileNotFoundError, which is an OpError, if there is no such implementation.
        """
        return self.update_alg(_request("", driver_name, priority))

    @verb
    def delete(self: Conn[Deferred], driver_name: str) -> Call[None]:
        """Delete an algorithm that was made of a template, by its driver name.

        OSError (EBUSY) while it is in use, and (EINVAL) if it is not made of a template. FileNotFoundError, which is an
        OpError, if there is none.
        """
        return self.delete_alg(_request("", driver_name))

    @verb
    def statistics(self: Conn[Deferred], name: str = "", *, driver_name: str = "") -> Call[Statistics]:
        """What an algorithm was used for. OpError (errno 524) of kernels that do not count, which are most."""
        return self.get_stat(_request(name, driver_name))


def _opened(open_: Callable[..., _T], *arguments: Any, **options: Any) -> _T:
    try:
        return open_(*arguments, **options)
    except OpError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            error.hint = "the kernel has no NETLINK_CRYPTO: CONFIG_CRYPTO_USER, `modprobe crypto_user` loads its module"
        raise


def dial(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[NetlinkConn]:
    """Open a connection to the crypto API. options: those of `netlink.Config`. Errors are those of `netlink.dial`."""
    return _opened(_family.dial, Conn, config, **options)


def dial_async(config: Config | None = None, **options: Unpack[ConfigOptions]) -> Conn[AsyncConn]:
    """Open a connection to the crypto API for asyncio, as `dial`. A plain function, not a coroutine."""
    return _opened(_family.dial_async, Conn, config, **options)
