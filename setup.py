"""The build of the extension modules. All other configuration is in pyproject.toml.

Environment, for development:
  NETLINK_SANITIZE=1        AddressSanitizer and UndefinedBehaviorSanitizer in every extension
  NETLINK_SANITIZE=thread   ThreadSanitizer
  NETLINK_SANITIZE=fuzzer   coverage instrumentation for a fuzzer; with CC=clang
  NETLINK_COVERAGE=1        line counts for gcov
  NETLINK_WERROR=1          warnings of the C compiler in hand-written C are errors
  CFLAGS                    an -O or -g in it takes the place of those here
"""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

BUILD = "build"
# setuptools puts what the environment has before all of this, where a later -O or -g would undo it.
NAMED = {flag[:2] for flag in os.environ.get("CFLAGS", "").split()}
CFLAGS = [
    "-std=c11",
    "-fvisibility=hidden",
    "-D_GNU_SOURCE",
    "-Wall",
    "-Wextra",
    # Warnings of generated code.
    "-Wno-unused-parameter",
    "-Wno-missing-field-initializers",
    "-Wno-cast-function-type",
]
if "-O" not in NAMED:
    CFLAGS.append("-O3")
LDFLAGS: list[str] = []
SANITIZERS = {
    "1": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
    "thread": ["-fsanitize=thread"],
    "fuzzer": ["-fsanitize=fuzzer-no-link"],
}
chosen = os.environ.get("NETLINK_SANITIZE", "")
if chosen:
    if chosen not in SANITIZERS:
        raise SystemExit(f"NETLINK_SANITIZE must be one of {', '.join(SANITIZERS)}, not {chosen!r}")
    flags = [*SANITIZERS[chosen], "-fno-omit-frame-pointer", "-g", "-O1"]
    CFLAGS += flags
    LDFLAGS += flags
    BUILD = f"build/sanitize-{chosen}"
covered = os.environ.get("NETLINK_COVERAGE") == "1"
if covered:
    CFLAGS += ["--coverage", "-g", "-O0"]
    LDFLAGS.append("--coverage")
    BUILD = "build/coverage"
if os.environ.get("NETLINK_WERROR") == "1":
    CFLAGS += ["-Werror", "-Wno-error=unused-function"]


RECORDS = ("_engine/area.h", "_engine/packet.h", "_engine/plan.h", "_engine/shape.h", "_wire.h")


def extension(name: str, *sources: str, depends: tuple[str, ...] = (), libraries: tuple[str, ...] = ()) -> Extension:
    """An extension of the package. sources, depends: paths below src/netlink."""
    return Extension(
        f"netlink.{name}",
        [f"src/netlink/{source}" for source in sources],
        depends=[f"src/netlink/{header}" for header in depends],
        include_dirs=["src/netlink"],
        libraries=[*libraries],
        extra_compile_args=[*CFLAGS],
        extra_link_args=[*LDFLAGS],
    )


class BuildExtensions(build_ext):
    """Wheels are stripped. What is built in place knows functions and lines, for valgrind, profilers and debuggers."""

    def finalize_options(self) -> None:
        super().finalize_options()
        # As an option of setup() it does not reach an editable build.
        self.parallel = self.parallel or True

    def run(self) -> None:
        if not (chosen or covered or "-g" in NAMED):
            for built in self.extensions:
                built.extra_compile_args.append("-g1" if self.inplace else "-g0")
                built.extra_link_args += [] if self.inplace else ["-Wl,-s"]
        super().run()


setup(
    ext_modules=cythonize(
        # They are built side by side, those that take longest first.
        [
            extension("_engine.record", "_engine/record.pyx", depends=("_engine/copy.h", *RECORDS)),
            extension("_io.exchange", "_io/exchange.pyx", depends=("_engine/match.h", *RECORDS)),
            extension("_codec", "_codec.pyx", depends=("_wire.h",)),
            extension("_engine.arrow", "_engine/arrow.pyx", depends=("_engine/arrow.h", *RECORDS)),
            extension(
                "_engine.packet", "_engine/packet.pyx", depends=("_engine/arrow.h", "_engine/checksum.h", *RECORDS)
            ),
            extension(
                "_engine.receive",
                "_engine/receive.pyx",
                depends=("_engine/form.h", "_engine/ledger.h", "_engine/match.h", *RECORDS),
            ),
            extension("_transport", "_transport.pyx", "_sock.c", depends=("_sock.h",)),
            extension(
                "netfilter.nfqueue._verdicts",
                "netfilter/nfqueue/_verdicts.pyx",
                depends=("_engine/checksum.h", "_engine/ledger.h", *RECORDS),
            ),
            extension(
                "netfilter.nftables._elements",
                "netfilter/nftables/_elements.pyx",
                depends=("netfilter/nftables/_elements.h", *RECORDS),
            ),
            extension(
                "sock_diag._owners",
                "sock_diag/_owners.pyx",
                depends=("sock_diag/_owners.h", *RECORDS),
                libraries=("pthread",),  # apart from libc before glibc 2.34
            ),
            extension("netfilter._pcapng", "netfilter/_pcapng.pyx", depends=RECORDS),
            extension("_io.outlet", "_io/outlet.pyx", depends=RECORDS),
            extension("_engine.ledger", "_engine/ledger.pyx", depends=("_engine/ledger.h", *RECORDS)),
            extension("_engine.form", "_engine/form.pyx", depends=("_engine/form.h", *RECORDS)),
            extension("_io.locks", "_io/locks.pyx"),
            extension("_engine.parts", "_engine/parts.pyx", depends=("_engine/copy.h", "_engine/match.h", *RECORDS)),
            extension("_engine.rows", "_engine/rows.pyx", depends=RECORDS),
            extension("_engine.match", "_engine/match.pyx", depends=("_engine/match.h", *RECORDS)),
        ],
        build_dir=f"{BUILD}/cython",
        emit_linenums=covered,
        compiler_directives={
            "language_level": 3,
            "auto_pickle": False,
            "freethreading_compatible": True,
            "embedsignature": True,
            "embedsignature.format": "python",
            "binding": True,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
        },
    ),
    cmdclass={"build_ext": BuildExtensions},
    options={"build": {"build_base": BUILD}},
)
