"""Families of specs from the command line: python -m netlink.ynl --help."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from netlink.config import Config
from netlink.consts import HeaderFlags
from netlink.errors import OpError
from netlink.family import dial
from netlink.ynl.describe import family_lines, operation_lines
from netlink.ynl.errors import SpecWarning, near
from netlink.ynl.family import SpecFamily, load
from netlink.ynl.files import available

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["main"]

_EMPTY = "{}"  # of a request
_FLAGS = ("create", "excl", "replace", "append")
_EPILOG = """\
FAMILY is the name of a spec, such as ethtool or rt-link, or the path of one. Specs are found in the folders of
$YNL_SPECS, in /usr/share/ynl/specs, and in Debian's package linux-doc-6.12.

A record is one line of JSON, as a request takes it, too: names as in the spec, enums as text, flags as lists of text.

  %(prog)s show ethtool rings-get
  %(prog)s do ethtool rings-get '{"header": {"dev-name": "eth0"}}'
  %(prog)s dump rt-link getlink | jq -r '.["ifname"]'
  %(prog)s listen rt-link rtnlgrp-link --count 1

The exit status is 0 for success, 1 if the kernel or the system refuses, 2 if the command is wrong, 130 if it was
interrupted.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m netlink.ynl",
        description="Ask the kernel by its own specifications of netlink families.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("list", help="list the specs of this machine: names, tabs and paths")
    show = commands.add_parser("show", help="show the operations of a family, or the attributes of an operation")
    _add_family(show)
    show.add_argument("operation", nargs="?", metavar="OPERATION")
    for way, what in (("do", "run an operation that has one reply, and print it"), ("dump", "print all records")):
        command = commands.add_parser(way, help=what, description=what.capitalize() + ".")
        _add_family(command)
        command.add_argument("operation", metavar="OPERATION")
        command.add_argument(
            "request", nargs="?", metavar="JSON", default=_EMPTY, help="the attributes of the request; - reads them"
        )
        _add_netns(command)
        if way == "do":
            for name in _FLAGS:
                command.add_argument(f"--{name}", action="store_true", help=f"set NLM_F_{name.upper()}")
    listen = commands.add_parser(
        "listen",
        help="print the messages of multicast groups as they come",
        description='Print the messages of multicast groups as they come, {"name": EVENT, "msg": RECORD} each.',
    )
    _add_family(listen)
    listen.add_argument("groups", nargs="*", metavar="GROUP", help="without one, all groups")
    listen.add_argument("--only", action="append", metavar="EVENT", help="print this event alone; may be repeated")
    listen.add_argument("--count", type=int, metavar="N", help="end after N messages")
    listen.add_argument("--idle", type=float, metavar="SECONDS", help="end if none comes for that time")
    _add_netns(listen)
    declare = commands.add_parser("declare", help="print Python source that declares the family")
    _add_family(declare)
    return parser


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    args, left = parser.parse_known_args(arguments)
    # The parser of a command takes an optional argument for missing if an option is before it.
    if left and getattr(args, "request", None) == _EMPTY and not left[0].startswith("--"):
        args.request = left.pop(0)
    if left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    return args


def _add_family(command: argparse.ArgumentParser) -> None:
    command.add_argument("family", metavar="FAMILY", help="the name of a spec, or its path")


def _add_netns(command: argparse.ArgumentParser) -> None:
    command.add_argument("--netns", metavar="NAME", help="the network namespace, by name or path")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _show(family: type[SpecFamily[Any]], name: str | None) -> None:
    spec = family.spec
    if name is None:
        _print(family_lines(spec))
        return
    operation = spec.operations.get(name) or spec.operations.get(name.replace("_", "-"))
    if operation is None:
        raise KeyError(f"{spec.name} has no operation {name!r}{near(name, spec.operations)}")
    _print(operation_lines(spec, operation))


def _ask(family: type[SpecFamily[Any]], args: argparse.Namespace) -> None:
    text = sys.stdin.read() if args.request == "-" else args.request
    try:
        request = json.loads(text)
    except ValueError as error:
        raise TypeError(f"the request is no JSON: {error}") from None
    if not isinstance(request, dict):
        raise TypeError(f"the request is no JSON object: {text}")
    with dial(family, Config(netns=args.netns, strict=True)) as opened:
        operation = opened[args.operation]
        if args.command == "dump":
            for batch in operation.iter_dump(request):
                _print(json.dumps(family.to_dict(record)) for record in batch)
            return
        flags = 0
        for name in _FLAGS:
            flags |= HeaderFlags[name.upper()] if getattr(args, name) else 0
        record = operation.do(request, nlmsg_flags=flags)
        if record is not None:
            print(json.dumps(family.to_dict(record)))


def _listen(family: type[SpecFamily[Any]], args: argparse.Namespace) -> None:
    with dial(family, Config(netns=args.netns)) as opened:
        names = {entry.value: entry.name for entry in family.declarations.entries[family.declarations.event]}
        with opened.listen(*args.groups, only=args.only) as stream:
            print(f"listening to {', '.join(args.groups or family.groups)}", file=sys.stderr, flush=True)
            batches = stream.batches(idle=args.idle)
            for record in itertools.islice(itertools.chain.from_iterable(batches), args.count):
                print(json.dumps({"name": names[record.event], "msg": family.to_dict(record)}), flush=True)


def _run(args: argparse.Namespace) -> None:
    if args.command == "list":
        _print(f"{name}\t{path}" for name, path in available().items())
        return
    family = load(args.family)
    if args.command == "show":
        _show(family, args.operation)
    elif args.command == "listen":
        _listen(family, args)
    elif args.command == "declare":
        from netlink.ynl.declare import source

        print(source(family), end="")
    else:
        _ask(family, args)


def _show_warning(message: Warning | str, *where: Any, **more: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns its exit status."""
    args = _arguments(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", SpecWarning)
            warnings.showwarning = _show_warning
            _run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError as error:
        if isinstance(error, OpError):
            print(f"error: {error}", file=sys.stderr)
            return 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who reads has enough
        return 0
    except OpError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (ValueError, TypeError, LookupError, OSError, ImportError) as error:
        print(f"error: {error.args[0] if isinstance(error, KeyError) else error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
