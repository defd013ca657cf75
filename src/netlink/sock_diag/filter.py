"""Filters of sockets: `Filter`, and its part for the kernel, as bytecode."""

from __future__ import annotations

import socket
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any

from netlink.match import (
    Criteria,
    Criterion,
    ManyNetworks,
    ManyNumbers,
    Match,
    OneNumber,
    SomeBits,
    bits,
    excluded,
    mask,
    networks,
    number,
    numbers,
)
from netlink.schema import Int, Struct, pad, s32, u8, u16, u32, u64
from netlink.sock_diag.records import InetSocket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netlink.match import Condition

__all__ = ["Filter", "bytecode"]

_MAPPED = int.from_bytes(socket.inet_pton(socket.AF_INET6, "::ffff:0.0.0.0"), "big")


def _hosts(path: str) -> ManyNetworks:
    """A criterion: the networks that may contain an address, of which the IPv4 ones contain mapped addresses, too."""
    plain = networks(path)
    assert plain.conditions is not None
    conditions = plain.conditions

    def of_networks(name: str, value: Any, of: Criteria[Any]) -> Iterable[Condition]:
        mapped = tuple(
            IPv6Network((_MAPPED | int(network.network_address), 96 + network.prefixlen))
            for network in value
            if isinstance(network, IPv4Network)
        )
        return conditions(name, (*value, *mapped), of)

    return Criterion(plain.check, of_networks, absent=())


class Filter(Criteria[InetSocket], declaration=InetSocket):
    """A filter of sockets of internet protocols. A socket matches if all given criteria hold. Immutable.

    src, dst: the own and the other address: an address or a network, as text or of `ipaddress`, or several. IPv4
        addresses and networks are those of IPv6 sockets with mapped addresses, too.
    src_port, dst_port: a port, a range (without its end), or several.
    interface: the index of the interface that the socket is bound to, 0 for none.
    mark, mark_mask: socket.mark & mark_mask == mark; without a mask all bits count. They need CAP_NET_ADMIN.
    cgroup: the number of a cgroup of version 2, the inode of its directory.
    uid: the number of a user, or several; the kernel does not filter by it.
    exclude: a Filter, or several: the sockets that match one of them are left out. They cannot have `exclude`
        themselves.

    ValueError and TypeError for invalid arguments. A subclass may add criteria, such as of `info`:
    `class Slow(Filter, declaration=TCPSocket): retrans = numbers("info.total_retrans")`.
    """

    __slots__ = ()

    dst_port: ManyNumbers = numbers("header.dst_port", 0xFFFF)
    src_port: ManyNumbers = numbers("header.src_port", 0xFFFF)
    dst: ManyNetworks = _hosts("header.dst")
    src: ManyNetworks = _hosts("header.src")
    interface: OneNumber = number("header.interface")
    mark: SomeBits = bits("mark")
    mark_mask: SomeBits = mask()
    cgroup: OneNumber = number("cgroup_id", most=(1 << 64) - 1)
    uid: ManyNumbers = numbers("header.uid", 0xFFFFFFFF)
    exclude: Criterion[Filter | Iterable[Filter], tuple[Filter, ...]] = excluded(lambda: Filter)

    def match_of(self, declaration: type[InetSocket]) -> Match[Any]:
        """The filter as a match of records of a class derived from `InetSocket`."""
        return Match(declaration, self.clauses())

    def matches(self, record: InetSocket) -> bool:
        """Whether a socket matches, of any class derived from `InetSocket`. TypeError for other records."""
        if not isinstance(record, InetSocket):
            raise TypeError(f"{type(self).__name__} filters sockets of internet protocols, not {record!r}")
        return self.match_of(type(record))(record)


# Bytecode


class Op(IntEnum):
    """Operations (INET_DIAG_BC_*)."""

    NOP = 0  # INET_DIAG_BC_NOP
    JMP = 1  # INET_DIAG_BC_JMP
    S_GE = 2  # INET_DIAG_BC_S_GE
    S_LE = 3  # INET_DIAG_BC_S_LE
    D_GE = 4  # INET_DIAG_BC_D_GE
    D_LE = 5  # INET_DIAG_BC_D_LE
    AUTO = 6  # INET_DIAG_BC_AUTO
    S_COND = 7  # INET_DIAG_BC_S_COND
    D_COND = 8  # INET_DIAG_BC_D_COND
    DEV_COND = 9  # INET_DIAG_BC_DEV_COND
    MARK_COND = 10  # INET_DIAG_BC_MARK_COND
    S_EQ = 11  # INET_DIAG_BC_S_EQ
    D_EQ = 12  # INET_DIAG_BC_D_EQ
    CGROUP_COND = 13  # INET_DIAG_BC_CGROUP_COND


class _Head(Struct):
    """struct inet_diag_bc_op: a test, whose arguments follow. A port is the `no` of another one."""

    code: Int = u8()
    yes: Int = u8()  # bytes to the next operation if the test holds
    no: Int = u16()  # bytes to it if the test fails


class _HostCond(Struct):
    """struct inet_diag_hostcond without its address."""

    family: Int = u8()
    prefix_len: Int = u8()
    _pad = pad(2)
    port: Int = s32()  # -1 for any


class _Number(Struct):
    number: Int = u32()


class _MarkCond(Struct):
    """struct inet_diag_markcond."""

    mark: Int = u32()
    mask: Int = u32()


class _Cgroup(Struct):
    number: Int = u64()


_HEAD = 4
_ANY_PORT = -1
_LENGTH_MAX = 0xFFF8  # an offset has 16 bits, and an attribute's length, too

_Test = tuple[Op, bytes]


def _ports(values: Iterable[int | range], least: Op, most: Op) -> list[list[_Test]]:
    found: list[list[_Test]] = []
    for value in values:
        low, high = (value[0], value[-1]) if isinstance(value, range) else (value, value)
        found.append([(least, _Head(no=low).encode()), (most, _Head(no=high).encode())])
    return found


def _addresses(values: Iterable[IPv4Network | IPv6Network], code: Op) -> list[list[_Test]]:
    found: list[list[_Test]] = []
    for network in values:
        family = socket.AF_INET if network.version == 4 else socket.AF_INET6
        head = _HostCond(family=family, prefix_len=network.prefixlen, port=_ANY_PORT)
        found.append([(code, head.encode() + network.network_address.packed)])
    return found


def _criteria(given: dict[str, Any]) -> list[list[list[_Test]]]:
    """What the kernel can test of a filter: criteria of alternatives of tests."""
    found: list[list[list[_Test]]] = []
    if "dst_port" in given:
        found.append(_ports(given["dst_port"], Op.D_GE, Op.D_LE))
    if "src_port" in given:
        found.append(_ports(given["src_port"], Op.S_GE, Op.S_LE))
    if "dst" in given:
        found.append(_addresses(given["dst"], Op.D_COND))
    if "src" in given:
        found.append(_addresses(given["src"], Op.S_COND))
    if "interface" in given:
        found.append([[(Op.DEV_COND, _Number(number=given["interface"]).encode())]])
    if "mark" in given:
        found.append([[(Op.MARK_COND, _MarkCond(mark=given["mark"], mask=given["mark_mask"]).encode())]])
    if "cgroup" in given:
        found.append([[(Op.CGROUP_COND, _Cgroup(number=given["cgroup"]).encode())]])
    return found


_KERNELS = frozenset({"dst_port", "src_port", "dst", "src", "interface", "mark", "mark_mask", "cgroup"})


def bytecode(wanted: Filter) -> bytes | None:
    """The program by which the kernel leaves out sockets that do not match; None if it has nothing to test.

    A program that is too long for the kernel is none: the match does all of the work then. Every offset of a program
    is a multiple of 4 and leads forward. A run to the end accepts the socket, a jump behind it rejects the socket.
    """
    parts = [(_criteria(wanted.given), False)]
    # One with other criteria would exclude too much.
    parts += [(_criteria(other.given), True) for other in wanted.exclude if _KERNELS.issuperset(other.given)]
    ops: list[tuple[Op, bytes, int | None]] = []  # with the operation to go on with if a test fails; None: reject
    for criteria, excludes in parts:
        _append(ops, criteria, excludes)
    starts = [0]
    for _, argument, _ in ops:
        starts.append(starts[-1] + _HEAD + len(argument))
    length = starts[-1]
    if not ops or length > _LENGTH_MAX:
        return None
    code = b""
    for at, (op, argument, target) in enumerate(ops):
        to = length + _HEAD if target is None else starts[target]
        head = _Head(code=op, yes=_HEAD + len(argument), no=to - starts[at])
        code += head.encode() + argument
    return code


def _append(ops: list[tuple[Op, bytes, int | None]], criteria: list[list[list[_Test]]], excludes: bool) -> None:
    """Append the operations of a filter. If it excludes, a socket that fails a test goes on behind them."""
    size = sum(_size(alternatives) for alternatives in criteria)
    end = len(ops) + size + 1  # behind the jump of a filter that excludes
    failed = end if excludes else None
    for alternatives in criteria:
        done = len(ops) + _size(alternatives)
        for i, tests in enumerate(alternatives):
            last = i + 1 == len(alternatives)
            following = len(ops) + len(tests) + 1
            ops += [(op, argument, failed if last else following) for op, argument in tests]
            if not last:
                ops.append((Op.JMP, b"", done))
    if excludes:
        ops.append((Op.JMP, b"", None))


def _size(alternatives: list[list[_Test]]) -> int:
    """The number of operations of a criterion: its tests, and a jump behind each alternative but the last."""
    return sum(map(len, alternatives)) + len(alternatives) - 1
