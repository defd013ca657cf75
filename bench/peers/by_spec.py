"""This library's families: those that `netlink.ynl` makes of the kernel's specs, beside declared ones.

dump batch|fields [loops=N]                                   routes of IPv4, by the spec rt-route
load yaml|json|parse-yaml|parse-json|declare FILE             a spec, for the first time in this process
do execute|execute-acknowledged|generic|declared|declared-async|spec|spec-async count=N
                                                              CTRL_CMD_GETFAMILY of "nlctrl"
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import netlink
from bench.peers.peer import Result, option
from netlink import Family, Header, HeaderFlags, Message, generic, ynl
from netlink.consts import GenericID
from netlink.family import dial, dial_async
from netlink.generic import nlctrl

NAME = "nlctrl"
GET_FAMILY = 3  # CTRL_CMD_GETFAMILY
FAMILY_NAME = 2  # CTRL_ATTR_FAMILY_NAME
REQUEST = netlink.marshal_attributes([netlink.Attribute(FAMILY_NAME, NAME.encode() + b"\0")])


# Dumps of routes


def name_of(declaration: Any, number: int) -> str:
    """The field of an attribute: specs of different kernels have different names for it."""
    fields: dict[str, Any] = declaration.__fields__
    return next(name for name, field in fields.items() if [path for path, _ in field.types] == [(number,)])


def sum_routes(routes: Iterable[Any], dst: str, oif: str, dst_len: str) -> int:
    """Three fields of each, read as any user would."""
    total = 0
    for route in routes:
        address = getattr(route, dst)
        total += int(address) & 0xFFFFFF if address is not None else 0
        total += getattr(route, dst_len) + (getattr(route, oif) or 0)
    return total


def dump(what: str, loops: int) -> Result:
    with dial(ynl.load("rt-route")) as rt:
        declaration: Any = rt.operations["getroute"].record
        dst, oif = name_of(declaration, 1), name_of(declaration, 4)  # RTA_DST, RTA_OIF
        family, dst_len = [*declaration.__header_fields__][:2]
        result = Result()
        for _ in range(loops):
            routes = rt.getroute.dump({family: socket.AF_INET})
            result.items += len(routes)
            if what == "fields":
                result.sum += sum_routes(routes, dst, oif, dst_len)
            del routes
    return result


# A spec


def load(how: str, path: Path) -> Result:
    import yaml

    _ = yaml.CSafeLoader  # no figure is of the loader in Python
    result = Result()
    if how == "parse-yaml":
        yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    elif how == "parse-json":
        json.loads(path.read_bytes())
    else:
        family = ynl.load(path)
        if how == "declare":
            for operation in family.operations.values():
                _ = operation.record
    result.items = 1
    return result


# A request


def sum_of(family: Any) -> int:
    number: int = family.version + family.id
    return number


def sum_of_spec(family: Any) -> int:
    number: int = family.version + family.family_id
    return number


def do(how: str, count: int) -> Result:
    if how in ("execute", "execute-acknowledged"):
        flags = HeaderFlags.REQUEST if how == "execute" else HeaderFlags.REQUEST | HeaderFlags.ACKNOWLEDGE
        message = Message(Header(type=GenericID.CTRL, flags=flags), struct.pack("=BBH", GET_FAMILY, 1, 0) + REQUEST)
        with netlink.dial(Family.GENERIC) as conn:
            return repeated(lambda: conn.execute(message), count)
    if how == "generic":
        with generic.dial() as genl:
            asked = generic.Message(GET_FAMILY, 1, REQUEST)
            return repeated(lambda: genl.execute(asked, GenericID.CTRL), count)
    if how == "declared":
        with nlctrl.dial() as ctrl:
            return repeated(lambda: ctrl.get(name=NAME), count, sum_of)
    with dial(ynl.load(NAME)) as spec:
        return repeated(lambda: spec.getfamily.do(family_name=NAME), count, sum_of_spec)


def repeated(request: Callable[[], Any], count: int, read: Callable[[Any], int] = lambda answer: 0) -> Result:
    request()  # looks up, and declares, what the first request needs
    result = Result()
    for _ in range(count):
        result.sum += read(request())
    result.items = count
    return result


async def do_async(how: str, count: int) -> Result:
    of: Any = nlctrl.Conn if how == "declared-async" else ynl.load(NAME)
    async with dial_async(of) as family:
        ask = family.get if how == "declared-async" else family.getfamily.do
        fields = {"name" if how == "declared-async" else "family_name": NAME}
        read = sum_of if how == "declared-async" else sum_of_spec
        await ask(**fields)
        result = Result()
        for _ in range(count):
            result.sum += read(await ask(**fields))
        result.items = count
    return result


def main() -> None:
    work, what = sys.argv[1:3]
    loops, count = option("loops", 1), option("count")
    if work == "dump":
        dump(what, loops).finish(loops)
    elif work == "load":
        load(what, Path(sys.argv[3])).finish()
    elif work == "do":
        (asyncio.run(do_async(what, count)) if what.endswith("async") else do(what, count)).finish()
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
