"""Runs a command under another kernel: `python tools/guest --kernel 6.1 -- uname -r`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from guest import NO_RESULT, GuestError, kernels, netdevsim, say


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/guest", description=__doc__)
    parser.add_argument("--kernel", default="6.12", help="such as 6.1, newest, or a version of Debian's (%(default)s)")
    parser.add_argument("--module", action="append", default=[], help="to be loaded first; may be given again")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--memory", default="2G")
    parser.add_argument("--limit", type=float, default=300, metavar="SECONDS", help="(%(default)s)")
    parser.add_argument("--card", action="store_true", help="with a network card that has virtual functions: igb")
    parser.add_argument("--netdevsim", action="store_true", help="with the module netdevsim, built once for the kernel")
    parser.add_argument("--console", action="store_true", help="show what the kernel says, too")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.error("no command")
    try:
        (kernel,) = kernels([arguments.kernel]).values()
        if arguments.netdevsim:
            netdevsim.build(kernel)
        return kernel.execute(
            command,
            limit=arguments.limit,
            modules=arguments.module,
            cpus=arguments.cpus,
            memory=arguments.memory,
            card=arguments.card,
            console=arguments.console,
        )
    except GuestError as error:
        say(str(error))
        return NO_RESULT


if __name__ == "__main__":
    raise SystemExit(main())
