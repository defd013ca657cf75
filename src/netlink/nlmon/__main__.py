"""`python -m netlink.nlmon`: what passes on netlink, a line a message."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from netlink.consts import HeaderFlags
from netlink.errors import OpError, Overrun
from netlink.generic import nlctrl
from netlink.nlmon.datagram import Datagram
from netlink.nlmon.decoder import Decoder, Direction, Seen
from netlink.nlmon.pcap import CaptureError, Writer, read
from netlink.nlmon.tap import listen

if TYPE_CHECKING:
    from netlink.schema import Record

_ARROWS = {Direction.REQUEST: ">", Direction.REPLY: "<", Direction.EVENT: "*"}
# By the names that programs print. Those of new objects mean something else in a request that gets.
_GET_FLAGS = {"ack": HeaderFlags.ACKNOWLEDGE, "echo": HeaderFlags.ECHO}
_NEW_FLAGS = _GET_FLAGS | {
    "replace": HeaderFlags.REPLACE,
    "excl": HeaderFlags.EXCL,
    "create": HeaderFlags.CREATE,
    "append": HeaderFlags.APPEND,
}
_EPILOG = """\
A line has the time, the family, > for a request, < for a reply or * for an event, the kernel's name of the operation,
flags, the sequence number and the record. An event passes once for each program that listens to it.

examples:
  python -m netlink.nlmon                            all that passes in this network namespace
  python -m netlink.nlmon --family route             of one family
  python -m netlink.nlmon --write netlink.pcap       for Wireshark and tshark, too
  python -m netlink.nlmon --read netlink.pcap --json | jq .record

The exit status is 0 for success, 1 if the kernel or the system refuses, 2 if the arguments or the file are wrong.
Ctrl-C ends the capture.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m netlink.nlmon",
        description="Print what the programs of this network namespace and the kernel say to each other by netlink.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--read", metavar="FILE", help="read a pcap file instead of capturing")
    parser.add_argument("--write", metavar="FILE", help="write what is captured to a pcap file, too")
    parser.add_argument("--link", metavar="NAME", help="an nlmon link that is there; without it, one is made")
    parser.add_argument("--family", action="append", metavar="NAME", help="print this family alone; may be repeated")
    parser.add_argument("--json", action="store_true", help="print a JSON value a line")
    parser.add_argument("--hex", action="store_true", help="print the bytes of each message, too")
    parser.add_argument("--count", type=int, metavar="N", help="end after N messages")
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="end if nothing passes for that time")
    return parser


def line_of(datagram: Datagram, seen: Seen) -> str:
    """The line of a message."""
    words = [f"{datagram.time:%H:%M:%S.%f}", f"{seen.family:<12}", _ARROWS[seen.direction], seen.operation or "-"]
    if seen.message is not None:
        words += [_flags(seen), f"seq={seen.message.header.sequence}"]
    if seen.record is not None:
        words.append(_text_of(seen.record))
    if seen.error:
        words.append(f"[{seen.error}]")
    elif seen.is_acknowledgement:
        words.append("[done]")
    return " ".join(filter(None, words))


def _text_of(record: Record) -> str:
    """The fields of a record that say something: those of a header only if they are not 0."""
    found = record.to_dict(json=True)
    header: dict[str, Any] = found.pop("header", None) or {}
    said = {name: value for name, value in header.items() if value not in (0, "", None)} | found
    return " ".join([type(record).__name__, *(f"{name}={json.dumps(value)}" for name, value in said.items())])


def json_of(datagram: Datagram, seen: Seen) -> dict[str, Any]:
    """The JSON value of a message."""
    found: dict[str, Any] = {
        "timestamp": datagram.timestamp,
        "family": seen.family,
        "direction": seen.direction.value,
        "operation": seen.operation,
    }
    if seen.message is not None:
        header = seen.message.header
        found |= {"type": int(header.type), "flags": int(header.flags), "seq": header.sequence, "pid": header.pid}
    found["record"] = None if seen.record is None else seen.record.to_dict(json=True)
    found["error"] = seen.error or None
    return found


def _flags(seen: Seen) -> str:
    """The names of the flags that say something of a message of this direction."""
    assert seen.message is not None
    flags = seen.message.header.flags
    if seen.direction is not Direction.REQUEST:
        return "multi" if flags & HeaderFlags.MULTI else ""
    if not seen.operation.startswith(("NEW", "SET", "DEL")):
        return "dump" if flags & HeaderFlags.DUMP == HeaderFlags.DUMP else _joined(_GET_FLAGS, flags)
    return _joined(_NEW_FLAGS, flags)


def _joined(names: dict[str, HeaderFlags], flags: int) -> str:
    return "+".join(name for name, flag in names.items() if flags & flag)


def _captured(args: argparse.Namespace, opened: ExitStack) -> Iterator[Datagram]:
    tap = opened.enter_context(listen(args.link, on_overrun="mark"))
    writer = None if args.write is None else opened.enter_context(Writer(args.write))
    print(f"capturing on {tap.link or args.link}", file=sys.stderr, flush=True)
    for datagram in tap.datagrams(idle=args.idle):
        if isinstance(datagram, Overrun):
            print(f"warning: {datagram.lost} datagrams were lost: the read buffer was full", file=sys.stderr)
            continue
        if writer is not None:
            writer.write(datagram)
            writer.flush()
        yield datagram


def _messages(args: argparse.Namespace, decoder: Decoder, datagrams: Iterable[Datagram]) -> Iterator[None]:
    for datagram in datagrams:
        for seen in decoder.decode(datagram):
            if args.family and seen.family not in args.family:
                continue
            print(json.dumps(json_of(datagram, seen)) if args.json else line_of(datagram, seen), flush=True)
            if args.hex and seen.message is not None and not args.json:
                print(f"    {seen.message.marshal_binary().hex(' ', 4)}", flush=True)
            yield


def _run(args: argparse.Namespace) -> None:
    with ExitStack() as opened:
        if args.read is not None:
            datagrams, generic = read(args.read), {}
        else:
            with nlctrl.dial() as ctrl:
                generic = {info.id or 0: info.name or "" for info in ctrl.list_families()}
            datagrams = _captured(args, opened)
        for number, _ in enumerate(_messages(args, Decoder(generic), datagrams), 1):
            if number == args.count:
                break


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.read is not None and (args.write or args.link or args.idle is not None):
        parser.error("--read reads a file: --write, --link and --idle are for a capture")
    if args.count is not None and args.count < 1:
        parser.error(f"--count: want 1 or more, not {args.count}")
    try:
        _run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError as error:
        if isinstance(error, OpError):
            print(f"error: {error}", file=sys.stderr)
            return 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who reads has enough
        return 0
    except (CaptureError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
